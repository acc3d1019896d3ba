"""Keys of a stack, against NumPy's indexing of an array."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion.stack._checks import as_index, split_key


@pytest.mark.parametrize(
    "key",
    [[3, 1], np.array([-1, 0]), np.arange(5) > 2, [True, False] * 2 + [True], slice(1, 4), slice(0)]
    + [slice(None, None, -2), [], np.array([2], dtype=np.uint8), (1, 2)],
    ids=repr,
)
def test_index_means_what_numpy_means(key) -> None:
    numbers = np.arange(5)
    expected = numbers[list(key) if isinstance(key, tuple) else key]
    index = as_index(key, 5, "row")
    assert index.dtype == np.intp
    np.testing.assert_array_equal(index, expected)


@pytest.mark.parametrize("key", [slice(None), slice(0, 5), slice(0, 100)])
def test_everything(key: slice) -> None:
    assert as_index(key, 5, "row") is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (2, r"A single row is asked for as a list: \[2\]"),
        ([[1, 2]], r"row index has shape \(1, 2\)"),
        ([0.5], r"dtype float64; expected integers or booleans"),
        (["a"], r"expected integers or booleans"),
        ([True, False], r"The row mask has length 2; expected 5"),
        ([0, 5], r"row 5 is out of range; there are 5 rows, counted from 0"),
        ([-6], r"row -6 is out of range"),
    ],
)
def test_refused_index(key, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        as_index(key, 5, "row")


def test_split() -> None:
    rows, cols = split_key(np.ix_([1, 2], [3]))
    np.testing.assert_array_equal(rows, [1, 2])
    np.testing.assert_array_equal(cols, [3])
    everything = slice(None)
    assert split_key(slice(1, 2)) == (slice(1, 2), everything)
    assert split_key((slice(1, 2), slice(3, 4))) == (slice(1, 2), slice(3, 4))
    assert split_key((everything, [1])) == (everything, [1])
    assert split_key((slice(1, 2), ...)) == (slice(1, 2), everything)
    assert split_key((slice(1, 2), slice(3, 4), everything)) == (slice(1, 2), slice(3, 4))
    assert split_key(...) == (everything, everything)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (([0, 1], [0, 1]), r"Two index arrays would pair up.*np\.ix_"),
        ((slice(None), slice(None), [0]), r"its kernels by stack\.select"),
        ((slice(None), slice(None), 0), r"its kernels by stack\.select"),
    ],
)
def test_refused_key(key, message: str) -> None:
    with pytest.raises(IndexError, match=message):
        split_key(key)
