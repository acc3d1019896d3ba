"""What every method says of the samples that it did not see is kept, and is what was scored."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import Method, compare_fusion
from mkfusion.report import BEST_FUSION, BEST_SINGLE, Conditions
from oracles.calibration import calibrated

MODALITIES = [("one", ["a", "b"]), ("two", ["c", "d"])]


def table(n=75, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    columns = rng.normal(size=(n, 4)) + np.outer(y, [1.0, 0.0, 1.0, 0.0])
    return pd.DataFrame(columns, columns=list("abcd"), index=[f"s{i}" for i in range(n)]), y


@pytest.fixture(scope="module", params=[2, 3])
def classes(request):
    X, y = table(n_classes=request.param)
    labels = np.array(["low", "mid", "high"])[y]
    mine = Method("mine", make_pipeline(StandardScaler(), SVC(C=2.0)))
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    methods = ["late_mean", "uniform", mine, Method("logit", LogisticRegression())]
    inner = StratifiedKFold(3)
    return (
        X,
        labels,
        compare_fusion(X, labels, MODALITIES, cv=cv, inner_cv=inner, methods=methods, fast=True),
    )


def test_predictions_are_those_that_were_scored(classes):
    X, y, found = classes
    kept = found.predictions_
    for method in [
        "one alone",
        "no modality (majority class)",
        "uniform kernel sum",
        "mine",
        "late fusion, mean",
        BEST_FUSION,
        BEST_SINGLE,
    ]:
        told = kept.of(method)
        assert np.array_equal(told.y, y[told.row])
        for repeat in (1, 2):
            assert sorted(kept.of(method, repeat).row) == list(range(len(y)))
        for fold, score in enumerate(found.scores(method)):
            here = told.fold == fold + 1
            assert sorted(told.row[here]) == sorted(found.conditions_.folds[fold][1])
            assert accuracy_score(told.y[here], told.prediction[here]) == pytest.approx(score)
    assert list(kept.classes) == sorted(set(y))
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1)


def test_probabilities_are_calibrated_within_the_training_samples(classes):
    """By what the inner folds hold out; those that a method has are its own."""
    X, y, found = classes
    train, _ = found.conditions_.folds[1]
    names, codes = np.unique(y[train], return_inverse=True)

    def columns(values):
        return values.reshape(len(values), -1)

    machine = make_pipeline(StandardScaler(), SVC(C=2.0))
    held_out = cross_val_predict(
        machine, X.iloc[train], y[train], cv=StratifiedKFold(3), method="decision_function"
    )
    machine.fit(X.iloc[train], y[train])
    logit = LogisticRegression().fit(X.iloc[train], y[train])
    told = found.predictions_.of("mine")
    new = X.iloc[told.row[told.fold == 2]]
    wanted = calibrated(columns(held_out), codes, columns(machine.decision_function(new)))
    np.testing.assert_allclose(told.probabilities[told.fold == 2], wanted, atol=1e-5)
    told = found.predictions_.of("logit")
    new = X.iloc[told.row[told.fold == 2]]
    np.testing.assert_allclose(told.probabilities[told.fold == 2], logit.predict_proba(new))
    assert list(found.predictions_.classes) == list(names)


def test_the_table_has_ids_and_one_column_for_each_class(classes):
    X, y, found = classes
    frame = found.to_frame("predictions")
    assert list(frame.columns[:7]) == ["method", "repeat", "fold", "row", "id", "y", "prediction"]
    assert list(frame.columns[7:]) == [f"probability of {label}" for label in sorted(set(y))]
    assert (frame.id == X.index[frame.row]).all()
    assert len(frame) == 2 * len(y) * len(found.summary_)


def test_numbers_are_kept_as_they_are_predicted():
    X, y = table()
    y = y + X["a"].to_numpy()
    found = compare_fusion(
        X.reset_index(drop=True), y, MODALITIES, cv=3, fast=True, methods=["uniform", "l1_mkl"]
    )
    for method in ["L1 MKL", "no modality (mean)"]:
        told = found.predictions_.of(method)
        for fold, score in enumerate(found.scores(method)):
            here = told.fold == fold + 1
            assert r2_score(told.y[here], told.prediction[here]) == pytest.approx(score)
    assert found.predictions_.probabilities is None
    assert list(found.to_frame("predictions").columns) == [
        "method",
        "repeat",
        "fold",
        "row",
        "y",
        "prediction",
    ]


def test_a_class_that_no_training_sample_has_is_impossible():
    X, y = table(90, 2)
    y[70:] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = compare_fusion(
            X,
            y,
            MODALITIES,
            cv=TimeSeriesSplit(3),
            inner_cv=TimeSeriesSplit(2),
            fast=True,
            methods=["uniform"],
            scoring="accuracy",
        )
    told = found.predictions_.of("uniform kernel sum")
    assert told.probabilities.shape[1] == 3
    first = told.probabilities[told.fold == 1]
    np.testing.assert_array_equal(first[:, 2], 0)
    np.testing.assert_allclose(first.sum(axis=1), 1)


def test_repeats_are_counted_by_what_was_tested_before():
    def repeats(*tests):
        return Conditions(*[None] * 3, [([9], np.array(one)) for one in tests], *[None] * 9).repeats

    assert repeats([0, 1], [2, 3], [1, 2], [0, 3], [0], [1]) == [1, 1, 2, 2, 3, 3]
    assert repeats([2], [3], [4]) == [1, 1, 1]
