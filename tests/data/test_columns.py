"""Choosing columns, against ColumnTransformer's choice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.compose import ColumnTransformer, make_column_selector

from mkfusion import Modalities
from mkfusion.data._columns import as_table, column_names, resolve_columns, select_columns
from oracles.names import named

rng = np.random.default_rng(0)
ARRAY = rng.normal(size=(4, 5))
TABLE = pd.DataFrame(ARRAY, columns=list("abcde"), index=list("wxyz"))
MASK = np.array([True, False, True, False, False])


def choose(X, columns, new=None):
    found = resolve_columns(X, columns, "part")
    return select_columns(X if new is None else new, found, "part")


POSITIONS = [
    [0, 3],
    [3, 0],
    np.array([-1, 1]),
    MASK,
    MASK.tolist(),
    slice(1, 3),
    slice(None),
    slice(-2, None),
    slice(None, None, 2),
    lambda X: [2],
    range(1, 4),
    pd.Series(MASK),
]
NAMES = [
    ["a", "c"],
    TABLE.columns[1:3],
    np.array(["e", "b"]),
    slice("b", "d"),
    slice("c", None),
    slice(None, "b"),
]
NAMES += [make_column_selector(pattern="[ad]"), make_column_selector(dtype_include=float)]


@pytest.mark.parametrize("columns", POSITIONS, ids=named)
@pytest.mark.parametrize("X", [ARRAY, TABLE, csr_array(ARRAY)], ids=["array", "table", "sparse"])
def test_positions(X, columns) -> None:
    found = choose(X, columns)
    assert type(found) is type(X)
    expected = ARRAY[:, columns(X) if callable(columns) else columns]
    np.testing.assert_array_equal(found.toarray() if issparse(found) else found, expected)


@pytest.mark.parametrize("columns", NAMES, ids=named)
def test_names(columns) -> None:
    expected = ColumnTransformer([("part", "passthrough", columns)]).fit_transform(TABLE)
    found = choose(TABLE, columns)
    np.testing.assert_array_equal(found, expected)
    assert list(found.index) == list("wxyz")


def test_scalars_give_one_dimension() -> None:
    pd.testing.assert_series_equal(choose(TABLE, "b"), TABLE["b"])
    pd.testing.assert_series_equal(choose(TABLE, 1), TABLE["b"])
    np.testing.assert_array_equal(choose(ARRAY, -1), ARRAY[:, 4])
    np.testing.assert_array_equal(choose(ARRAY, np.int64(2)), ARRAY[:, 2])
    assert choose(csr_array(ARRAY), 1).shape == (4, 1)


def test_everything_is_not_copied() -> None:
    assert choose(ARRAY, slice(None)) is ARRAY
    assert choose(TABLE, list("abcde")) is TABLE


@pytest.mark.parametrize(
    "columns", [["a", "c"], [0, 2], MASK, slice("a", "a"), slice(0, 2), 0, "a"]
)
def test_reordered_columns_are_found_by_name(columns) -> None:
    expected = choose(TABLE, columns)
    new = TABLE[["e", "c", "a", "b", "d"]].assign(other=1.0)
    found = choose(TABLE, columns, new)
    assert type(found) is type(expected)
    pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(expected))


def test_columns_without_string_names_are_found_by_position() -> None:
    numbered = pd.DataFrame(ARRAY, columns=[4, 3, 2, 1, 0])
    assert column_names(numbered) is None
    np.testing.assert_array_equal(choose(numbered, [0]), ARRAY[:, [0]])
    np.testing.assert_array_equal(choose(TABLE, [0], ARRAY), ARRAY[:, [0]])
    np.testing.assert_array_equal(choose(ARRAY, [0], TABLE), ARRAY[:, [0]])


WIDE = pd.DataFrame(np.ones((2, 30)), columns=[f"c{i}" for i in range(30)])


@pytest.mark.parametrize(
    ("X", "columns", "error", "message"),
    [
        (TABLE, ["a", "z"], ValueError, r"'part' asks for unknown columns \['z'\]; X has \['a'"),
        (TABLE, "z", ValueError, r"unknown columns \['z'\]"),
        (TABLE, slice("a", "z"), ValueError, r"unknown columns \['z'\]"),
        (WIDE, "z", ValueError, r"'c19', \.\.\.\] \(30 in all\)"),
        (TABLE[["a", "a", "b"]], "a", ValueError, r"asks for \['a'\], which X has more than once"),
        (ARRAY, ["a"], ValueError, r"asks for \['a'\] by name, but X has no column names"),
        (ARRAY, slice("a", None), ValueError, "by name, but X has no column names"),
        (ARRAY, [0, 5], ValueError, "asks for column 5; X has 5 columns, counted from 0"),
        (ARRAY, 7, ValueError, "asks for column 7"),
        (ARRAY, -6, ValueError, "asks for column -6"),
        (ARRAY, slice(2, 9), ValueError, "asks for column 9"),
        (ARRAY, slice(6, None), ValueError, "asks for column 6"),
        (ARRAY, slice(0, 4, "a"), TypeError, "columns of 'part' is slice"),
        (ARRAY, slice(0, 4, 0), ValueError, "columns of 'part' is slice.*zero"),
        (ARRAY, [True, False], ValueError, "a mask of length 2; X has 5 columns"),
        (ARRAY, [False] * 5, ValueError, "selects no column; expected at least one"),
        (ARRAY, [], ValueError, "selects no column"),
        (ARRAY, slice(2, 2), ValueError, "selects no column"),
        (TABLE, make_column_selector("z"), ValueError, "selects no column"),
        (ARRAY, True, TypeError, "columns of 'part' is True; expected names, positions, a slice"),
        (ARRAY, None, TypeError, "columns of 'part' is None"),
        (ARRAY, 1.0, TypeError, "columns of 'part' is 1.0"),
        (ARRAY, [0.5, 1.0], TypeError, r"columns of 'part' is \[0.5, 1.0\]"),
        (TABLE, ["a", 1], TypeError, r"columns of 'part' is \['a', 1\]"),
        (ARRAY, [0, True], TypeError, r"columns of 'part' is \[0, True\]"),
        (ARRAY, [[0, 1]], TypeError, r"columns of 'part' is \[\[0, 1\]\]"),
    ],
    ids=named,
)  # fmt: skip
def test_refused(X, columns, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve_columns(X, columns, "part")


def test_missing_later() -> None:
    with pytest.raises(ValueError, match=r"'part' asks for unknown columns \['b'\]; X has \['a'"):
        choose(TABLE, ["a", "b"], TABLE.drop(columns="b"))
    with pytest.raises(ValueError, match="asks for unknown columns"):
        choose(TABLE, [1], TABLE.drop(columns="b"))
    with pytest.raises(ValueError, match=r"asks for \['a'\] by name, but X has no column names"):
        choose(TABLE, ["a"], ARRAY)


def test_modalities() -> None:
    X = Modalities(a=ARRAY, b=["x"] * 4)
    assert choose(X, "a") is ARRAY
    assert choose(X, lambda X: X.names[1]) is X["b"]
    with pytest.raises(ValueError, match=r"unknown modality 'z'; X has \['a', 'b'\]"):
        choose(X, "z")
    with pytest.raises(TypeError, match=r"is \['a'\]; expected the name of one of the modalities"):
        choose(X, ["a"])
    with pytest.raises(ValueError, match=r"unknown modality 'a'; X has \['b'\]"):
        choose(X, "a", Modalities(b=ARRAY))


def test_as_table() -> None:
    assert as_table(TABLE) is TABLE
    assert as_table(ARRAY.tolist()).shape == (4, 5)
    assert as_table([["a", "b"]]).dtype.kind in "UO"
    assert np.isnan(as_table([[np.nan]])).all()
    with pytest.raises(ValueError, match="Reshape your data"):
        as_table(ARRAY[0])
