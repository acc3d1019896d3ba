"""Keys of a stack, against NumPy's indexing of an array."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mkfusion.stack import KernelStack, _gram
from mkfusion.stack._checks import as_index, split_key
from oracles.names import named


@pytest.mark.parametrize(
    "key",
    [[3, 1], np.array([-1, 0]), np.arange(5) > 2, [True, False] * 2 + [True], slice(1, 4), slice(0)]
    + [slice(None, None, -2), [], np.array([2], dtype=np.uint8), (1, 2)],
    ids=named,
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


# --------------------------------------------------------------------- folds are views


@pytest.fixture
def whole() -> KernelStack:
    features = np.random.default_rng(0).normal(size=(3, 30, 4))
    return KernelStack([Z @ Z.T for Z in features])


def test_folds_share_the_memory_of_the_whole(whole: KernelStack) -> None:
    train, test = np.arange(24)[::-1], np.arange(24, 30)
    for rows, cols in ((train, train), (test, train)):
        part = whole[np.ix_(rows, cols)]
        again = part.take(None, np.arange(10)).select([0, 2])
        for view in (part, again):
            for one, other in zip(view.matrices.arrays, whole.matrices.arrays, strict=False):
                assert np.shares_memory(one, other) or view is again
        assert part.in_memory
        compact = part.materialize()
        assert compact is not part and compact.materialize() is compact
        assert not np.shares_memory(compact.array, whole.gram(0))


def test_what_is_pickled_of_a_fold_is_the_fold(whole: KernelStack) -> None:
    few = whole[np.ix_([3, 5], [3, 5])]
    assert len(pickle.dumps(few)) < len(pickle.dumps(whole)) / 4
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(few)).gram(1), few.gram(1))


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each kernel that is looked at has."""
    sizes = []
    check = _gram.check_gram_matrix

    def counting(gram, *others):
        sizes.append(len(gram))
        check(gram, *others)

    monkeypatch.setattr(_gram, "check_gram_matrix", counting)
    return sizes


def test_a_check_is_remembered_by_all_folds(whole, looked_at) -> None:
    folds = [np.delete(np.arange(30), np.arange(start, 30, 5)) for start in range(5)]
    for i in folds:
        fold = whole[np.ix_(i, i)]
        fold.check_gram()
        assert fold.known_gram.all() and fold.select([1]).known_gram.all()
        fold[np.ix_([0, 1], [0, 1])].check_gram()
    assert looked_at == [30] * 3
    assert whole.known_gram.all()
    assert pickle.loads(pickle.dumps(whole)).known_gram.all()
    assert pickle.loads(pickle.dumps(whole[np.ix_(folds[0], folds[0])])).known_gram.all()
    whole.check_gram()
    whole.select([2, 0]).check_gram()
    assert looked_at == [30] * 3
    # Rows and columns that differ are no Gram matrix.
    other = whole[np.ix_(folds[0], folds[1])]
    assert not other.known_gram.any()
    with pytest.raises(ValueError, match=r"kernels\[0\] \('kernel0'\) is not"):
        other.check_gram()


def test_few_samples_are_looked_at_alone(whole, looked_at) -> None:
    i = np.arange(12)
    whole[np.ix_(i, i)].check_gram()
    assert looked_at == [12] * 3
    assert not whole.known_gram.any()


def test_a_sample_that_spoils_the_whole_spoils_no_fold_without_it(looked_at) -> None:
    features = np.random.default_rng(0).normal(size=(2, 20, 4))
    bad = features[1] @ features[1].T
    bad[19, 0] += 1.0
    whole = KernelStack([features[0] @ features[0].T, bad])
    for i in (np.arange(19), np.arange(1, 19)):
        whole[np.ix_(i, i)].check_gram()
        assert whole.known_gram.tolist() == [True, False]
    assert looked_at == [20, 20, 19, 18]  # the whole once, what is doubtful in each fold
    i = np.delete(np.arange(20), 5)
    with pytest.raises(ValueError, match=r"kernels\[1\] .* is not symmetric: entry \(0, 18\)"):
        whole[np.ix_(i, i)].check_gram()
