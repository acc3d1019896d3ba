"""Targets, weights and groups."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import label_binarize

from mkfusion.data import (
    labels_from_decisions,
    read_groups,
    read_labels,
    read_numbers,
    read_target,
    read_weights,
    seems_classes,
)

X = np.zeros((4, 1))


@pytest.mark.parametrize("y", [[3, 1, 2, 1], ["c", "a", "b", "a"], [True, False, True, True]])
def test_signs_are_those_of_label_binarize(y: list[Any]) -> None:
    labels = read_labels(X, y)
    np.testing.assert_array_equal(labels.classes[labels.codes], y)
    expected = label_binarize(y, classes=labels.classes, neg_label=-1).T
    np.testing.assert_array_equal(labels.signs, expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_from_decisions_are_those_of_scikit_learn(n_classes: int) -> None:
    samples, y = load_iris(return_X_y=True)
    samples, y = samples[y < n_classes], y[y < n_classes]
    model = LogisticRegression(max_iter=1000).fit(samples[:, :1], y)
    found = labels_from_decisions(model.decision_function(samples[:, :1]), model.classes_)
    np.testing.assert_array_equal(found, model.predict(samples[:, :1]))


@pytest.mark.parametrize(
    ("read", "y", "message"),
    [
        (read_labels, None, "y: expected class labels; requires y"),
        (read_labels, ["rock"] * 4, "y has one class, 'rock'; expected at least two classes"),
        (read_labels, np.zeros(4), r"y has one class, 0\.0; expected"),
        (read_labels, [1, 2, 1], "y has 3 samples; expected 4"),
        (read_labels, [0.0, 1.0, np.nan, 1.0], "y contains NaN: 1 of 4 values, .* sample 2;"),
        (read_labels, pd.array([True, pd.NA, False, True]), "y contains NaN: 1 .* sample 1;"),
        (read_numbers, [np.nan, 1.0, np.nan, 1.0], "y contains NaN: 2 of 4 values, .* sample 0;"),
        (read_labels, np.array(["a", np.nan, "b", None], dtype=object), "y has 2 missing labels"),
        (read_labels, [0.1, 1.0, 0.3, 1.0], "continuous"),
        (read_labels, np.eye(4), r"y has shape \(4, 4\), 4 targets .*MultiOutputClassifier"),
        (read_labels, [["a"], ["a", "b"], ["b"], []], r"y has \['a', 'b'\] for sample 1; .*Binar"),
        (read_labels, [{"a"}] * 4, r"y has \{'a'\} for sample 0; expected one .*MultiOutputClass"),
        (read_labels, [("a", "b")] * 4, r"y has \('a', 'b'\) for sample 0; expected one class"),
        (read_numbers, np.ones((4, 2)), r"y has shape \(4, 2\), 2 targets .*MultiOutputRegressor"),
        (read_numbers, None, "y: expected numbers; requires y"),
        (read_numbers, [1.0, 2.0], "y has 2 samples; expected 4"),
        (read_numbers, [1.0, 2.0, np.inf, 0.0], "y contains infinity"),
        (read_numbers, ["a", "b", "a", "c"], "could not convert string to float: 'a'"),
        # Among objects nothing shows that they are no numbers
        (read_numbers, np.array([1.0, None, 2.0, 3.0], dtype=object), "y contains NaN"),
        (read_numbers, np.array([1.0, "nan", 2.0, 3.0], dtype=object), "y contains NaN"),
        (read_numbers, np.array([1.0, np.inf, 2.0, 3.0], dtype=object), "y contains infinity"),
    ],
)
def test_bad_targets(read: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(X, y)


DAYS = ["2020-01-03", "2020-01-01", "2020-01-03", "2020-01-11"]


@pytest.mark.parametrize("read", [read_labels, read_numbers, read_target])
@pytest.mark.parametrize(
    "y",
    [
        np.array(DAYS, dtype="datetime64[D]"),
        np.array([2, 0, 2, 10], dtype="timedelta64[D]"),
        pd.Series(pd.to_datetime(DAYS)),
        pd.Series(pd.to_datetime(DAYS).tz_localize("UTC")),
        pd.Series(pd.to_datetime([*DAYS[:3], None])),
        np.array([date.fromisoformat(day) for day in DAYS], dtype=object),
    ],
    ids=["dates", "durations", "Series", "time zone", "gap", "objects"],
)
def test_dates_are_refused_with_what_makes_them_labels_or_numbers(read: Any, y: Any) -> None:
    with pytest.raises(ValueError, match=r"y holds dates or durations.* y\.astype\(str\)"):
        read(X, y)


def test_the_way_from_dates_to_labels_and_numbers_that_is_told() -> None:
    y = pd.Series(pd.to_datetime(DAYS))
    np.testing.assert_array_equal(read_labels(X, y.astype(str)).codes, [1, 0, 1, 2])
    days = (y - y.min()) / np.timedelta64(1, "D")
    np.testing.assert_array_equal(read_numbers(X, days), [2.0, 0.0, 2.0, 10.0])


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array(["a", "b"]), True),
        (np.array([True, False]), True),
        (np.arange(20), True),
        (np.arange(20.0), True),
        (np.arange(21), None),
        (np.arange(21.0), None),
        (np.array([0.5, 1.0]), False),
        (np.arange(30) / 2, False),
    ],
)
def test_what_seems_classes(y: np.ndarray, expected: bool | None) -> None:
    assert seems_classes(y) is expected


def test_weights() -> None:
    np.testing.assert_array_equal(read_weights(None, X), np.ones(4))
    np.testing.assert_array_equal(read_weights([1, 0, 2, 0], X), [1.0, 0.0, 2.0, 0.0])


@pytest.mark.parametrize(
    ("weights", "least", "message"),
    [
        ([1.0, -0.5, 1.0, 1.0], 1, r"sample_weight contains -0\.5; expected non-negative"),
        ([0, 0, 0, 0], 1, "sample_weight is .*zero"),
        ([0, 0, 3, 0], 2, r"has 1 positive weight\(s\); expected at least 2"),
        ([1, 1], 1, "not one weight for each sample"),
        ([1, np.nan, 1, 1], 1, "not one weight for each sample.*NaN"),
    ],
)
def test_bad_weights(weights: Any, least: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_weights(weights, X, least=least)


def test_groups() -> None:
    assert read_groups(None, 3) is None
    np.testing.assert_array_equal(read_groups(["u", "v", "u"], 3), ["u", "v", "u"])
    with pytest.raises(ValueError, match=r"groups has shape \(2,\); expected \(3,\)"):
        read_groups(["u", "v"], 3)


SURVIVAL = np.array(
    [(True, 3.0), (False, 5.0), (True, 1.0), (True, 9.0)], dtype=[("event", "?"), ("time", "f8")]
)


@pytest.mark.parametrize("read", [read_labels, read_numbers])
def test_survival_targets_are_refused(read) -> None:
    with pytest.raises(
        ValueError, match=r"fields \['event', 'time'\].*compare_fusion learn survival targets"
    ):
        read(X, SURVIVAL)
