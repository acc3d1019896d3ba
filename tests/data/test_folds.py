"""Folds, against those of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from mkfusion.data import find_splitter, read_splits

Y = np.repeat([0, 1, 1], 8)
GROUPS = np.arange(24) % 6
ROWS = np.zeros((24, 1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"cv": 3}, KFold(3)),
        ({"cv": None}, KFold(5)),
        ({"cv": 3, "classes": True}, StratifiedKFold(3)),
        ({"cv": 3, "seed": 0}, KFold(3, shuffle=True, random_state=0)),
        ({"cv": 3, "seed": 0, "classes": True}, StratifiedKFold(3, shuffle=True, random_state=0)),
        ({"cv": 3, "seed": 1, "groups": GROUPS}, GroupKFold(3, shuffle=True, random_state=1)),
        (
            {"cv": np.int64(3), "seed": 1, "groups": GROUPS, "classes": True},
            StratifiedGroupKFold(3, shuffle=True, random_state=1),
        ),
        ({"cv": LeaveOneGroupOut(), "groups": GROUPS}, LeaveOneGroupOut()),
        ({"cv": TimeSeriesSplit(4), "seed": 0}, TimeSeriesSplit(4)),
    ],
)
def test_folds_are_those_of_scikit_learn(options: dict[str, Any], expected: Any) -> None:
    found = read_splits(options.pop("cv"), 24, Y, **options)
    for ours, theirs in zip(found, expected.split(ROWS, Y, options.get("groups")), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_given_splits_may_be_masks() -> None:
    test = np.arange(24) < 4
    for pair in ((~test, test), (np.flatnonzero(~test), np.flatnonzero(test))):
        ((train, held_out),) = read_splits([pair], 24)
        assert train.tolist() == list(range(4, 24))
        assert held_out.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("cv", ["five", 3.5, object()])
def test_what_is_no_cv_is_refused(cv: Any) -> None:
    with pytest.raises(ValueError, match="Expected `?cv`? as an integer"):
        find_splitter(cv)
