"""Folds respect classes, groups and time, outside and inside."""

import numpy as np
import pytest
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from mkfusion.compare._folds import inner_splitter, outer_splitter

Y = np.repeat(["a", "b"], [40, 20])


def both(cv=None, inner_cv=None, y=Y, groups=None, classes=True, fast=False):
    outer = outer_splitter(cv, y, groups, classes, 0, fast)
    folds = outer.split()
    return outer, folds, inner_splitter(inner_cv, outer, folds, 0, fast)


def test_folds_are_scikit_learns():
    _, folds, _ = both(cv=4)
    wanted = StratifiedKFold(4, shuffle=True, random_state=0).split(np.zeros(60), Y)
    for fold, (train, test) in zip(folds, wanted, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)


def test_numbers_of_folds_by_default():
    assert [len(both()[1]), len(both(fast=True)[1])] == [25, 5]
    outer, folds, inner = both(y=np.repeat(["a", "b"], [30, 4]))
    assert len(folds) == 5 * 4
    assert all(len(inner.split(train)) == 3 for train, _ in folds)


@pytest.mark.parametrize("classes", [True, False])
def test_folds_are_drawn_anew_by_default(classes):
    y = Y if classes else np.random.default_rng(0).normal(size=60)
    _, folds, _ = both(y=y, classes=classes)
    repeated = RepeatedStratifiedKFold if classes else RepeatedKFold
    wanted = repeated(n_splits=5, n_repeats=5, random_state=0).split(np.zeros(60), y)
    for fold, (train, test) in zip(folds, wanted, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)


@pytest.mark.parametrize("classes", [True, False])
def test_folds_of_groups_are_drawn_anew_by_default(classes):
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(12), 5))
    outer, folds, _ = both(groups=groups, classes=classes)
    assert len(folds) == 25
    tests = [frozenset(fold.test.tolist()) for fold in folds]
    for k in range(5):
        assert sorted(row for test in tests[5 * k : 5 * k + 5] for row in test) == list(range(60))
    assert len({frozenset(tests[5 * k : 5 * k + 5]) for k in range(5)}) == 5
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    assert outer.describe().startswith("5 times ")


@pytest.mark.parametrize("classes", [True, False])
def test_groups_stay_together_outside_and_inside(classes):
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(12), 5))
    y = rng.permutation(Y) if classes else rng.normal(size=60)
    outer, folds, inner = both(y=y, groups=groups, classes=classes, fast=True)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        for a, b in inner.split(train):
            assert not set(groups[train][a]) & set(groups[train][b])
            assert not set(train[a]) & set(test)
            for c, d in inner.split(train[a]):  # by which late fusion stacks and calibrates
                assert not set(groups[train][a][c]) & set(groups[train][a][d])


def test_time_goes_forward_outside_and_inside():
    y = np.random.default_rng(0).permutation(np.repeat(["a", "b"], 100))
    _, folds, inner = both(cv=TimeSeriesSplit(2, gap=2), y=y)
    assert isinstance(inner.how, TimeSeriesSplit)
    for train, test in folds:
        assert train.max() + 2 < test.min()
        for a, b in inner.split(train):
            assert train[a].max() + 2 < train[b].min()


def test_splitters_and_splits_are_taken_as_they_are():
    groups = np.arange(60) % 3
    assert len(both(cv=LeaveOneGroupOut(), groups=groups)[1]) == 3
    mask = np.arange(60) % 2 == 0
    given = [(np.flatnonzero(mask), np.flatnonzero(~mask)), (~mask, mask)]
    _, folds, _ = both(cv=iter(given))
    np.testing.assert_array_equal(folds[1].train, np.flatnonzero(~mask))


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cv": 1}, "at least 2 folds"),
        ({"cv": "five"}, "expected a number of folds"),
        ({"cv": 41}, "cv cannot split 60 samples"),
        ({"cv": TimeSeriesSplit(3)}, "trains on samples of one class, 'a'|one class"),
        ({"cv": [([0, 59], [59]), ([1, 58], [2])]}, "tests on samples that it trains on"),
        ({"cv": [([0, 59], []), ([1, 58], [2])]}, "no samples to test"),
        ({"cv": [([0, 59], [1])]}, "gives 1 fold"),
        ({"cv": KFold(3, shuffle=True), "groups": np.arange(60) % 30}, "on both sides"),
        ({"cv": 3, "inner_cv": KFold(3), "groups": np.arange(60) % 30}, "inner_cv: fold 1 of 3"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
    ],
)
def test_bad_folds_are_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        _, folds, inner = both(**given)
        inner.split(folds[0].train)


def test_splits_cannot_be_given_inside():
    with pytest.raises(TypeError, match="inner_cv is an iterable"):
        both(inner_cv=[([0], [1])])
