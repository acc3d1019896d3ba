"""Precomputed kernels through scikit-learn: what works is right, what cannot be right raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier

from mkfusion import KernelStack, MKLClassifier
from oracles.samples import FOLDS, Floats, Labels, N, grams, raw


def as_stack(kernels: list[Floats]) -> KernelStack:
    return KernelStack(kernels, names=["accel", "gyro", "all"])


def as_array(kernels: list[Floats]) -> Floats:
    return np.stack(kernels, axis=2)


def as_gram(kernels: list[Floats]) -> Floats:
    return kernels[0]


def scores_by_hand(kernels: list[Floats], y: Labels, **parameters: Any) -> list[float]:
    """Cross-validate without scikit-learn's slicing."""
    scores = []
    for train, test in FOLDS.split(y, y):
        model = MKLClassifier(**parameters)
        model.fit([gram[np.ix_(train, train)] for gram in kernels], y[train])
        scores.append(model.score([gram[np.ix_(test, train)] for gram in kernels], y[test]))
    return scores


stacks = pytest.mark.parametrize("form", [as_stack, as_array])
class_counts = pytest.mark.parametrize("classes", [2, 3])

# Precomputed kernels through cross-validation


@stacks
@class_counts
def test_cross_val_score_is_the_hand_made_loop(
    form: Callable[[list[Floats]], Any], classes: int
) -> None:
    x, y = raw(classes)
    kernels = grams(x, x)
    found = cross_val_score(MKLClassifier(C=2.0), form(kernels), y, cv=FOLDS, error_score="raise")
    np.testing.assert_array_equal(found, scores_by_hand(kernels, y, C=2.0))


def test_cross_val_score_on_one_gram_matrix() -> None:
    x, y = raw()
    kernels = grams(x, x)[:1]
    found = cross_val_score(MKLClassifier(), kernels[0], y, cv=FOLDS, error_score="raise")
    np.testing.assert_array_equal(found, scores_by_hand(kernels, y))


@stacks
def test_grid_search_over_c_and_p(form: Callable[[list[Floats]], Any]) -> None:
    x, y = raw(3)
    kernels = grams(x, x)
    grid = {"C": [0.1, 10.0], "p": [1.0, 2.0, np.inf]}
    search = GridSearchCV(MKLClassifier(), grid, cv=FOLDS, error_score="raise")
    search.fit(form(kernels), y)
    means = [np.mean(scores_by_hand(kernels, y, **one)) for one in search.cv_results_["params"]]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], means)
    assert search.best_score_ == pytest.approx(max(means))
    best = MKLClassifier(**search.best_params_).fit(kernels, y)
    np.testing.assert_array_equal(search.predict(form(kernels)), best.predict(kernels))


@stacks
def test_two_jobs(form: Callable[[list[Floats]], Any]) -> None:
    x, y = raw()
    kernels = grams(x, x)
    found = cross_val_score(
        MKLClassifier(), form(kernels), y, cv=FOLDS, n_jobs=2, error_score="raise"
    )
    np.testing.assert_array_equal(found, scores_by_hand(kernels, y))


@stacks
def test_nested_cross_validation(form: Callable[[list[Floats]], Any]) -> None:
    x, y = raw()
    kernels = grams(x, x)
    search = GridSearchCV(MKLClassifier(), {"C": [0.1, 10.0]}, cv=FOLDS, error_score="raise")
    found = cross_val_score(search, form(kernels), y, cv=FOLDS, error_score="raise")
    expected = []
    for train, test in FOLDS.split(y, y):
        inner = [gram[np.ix_(train, train)] for gram in kernels]
        means = [np.mean(scores_by_hand(inner, y[train], C=c)) for c in (0.1, 10.0)]
        model = MKLClassifier(C=(0.1, 10.0)[int(np.argmax(means))]).fit(inner, y[train])
        expected.append(model.score([gram[np.ix_(test, train)] for gram in kernels], y[test]))
    np.testing.assert_allclose(found, expected)


@stacks
@pytest.mark.parametrize("method", ["predict", "decision_function"])
def test_cross_val_predict(form: Callable[[list[Floats]], Any], method: str) -> None:
    x, y = raw(3)
    kernels = grams(x, x)
    # Sums over a fold of a whole and over a copy of it are rounded differently: as little else as
    # possible is left to chance.
    exact = MKLClassifier(tol=1e-8)
    found = cross_val_predict(exact, form(kernels), y, cv=FOLDS, method=method)
    for train, test in FOLDS.split(y, y):
        model = clone(exact).fit([gram[np.ix_(train, train)] for gram in kernels], y[train])
        part = getattr(model, method)([gram[np.ix_(test, train)] for gram in kernels])
        if method == "predict":
            np.testing.assert_array_equal(found[test], part)
        else:
            np.testing.assert_allclose(found[test], part, atol=1e-3)


@stacks
def test_one_versus_rest(form: Callable[[list[Floats]], Any]) -> None:
    x, y = raw(3)
    kernels = grams(x, x)
    model = OneVsRestClassifier(MKLClassifier()).fit(form(kernels), y)
    by_hand = MKLClassifier(per_class_weights=True).fit(kernels, y)
    np.testing.assert_allclose(
        np.column_stack([one.decision_function(form(kernels)) for one in model.estimators_]),
        by_hand.decision_function(kernels),
        atol=0.1,
    )
    np.testing.assert_array_equal(
        model.predict(form(kernels)),
        model.classes_[
            np.argmax([one.decision_function(kernels) for one in model.estimators_], axis=0)
        ],
    )


# Meta-estimators that cut a stack by rows alone


def calibrated() -> BaseEstimator:
    return CalibratedClassifierCV(MKLClassifier(), cv=3)


def calibrated_once() -> BaseEstimator:
    return CalibratedClassifierCV(MKLClassifier(), cv=3, ensemble=False)


def tuned() -> BaseEstimator:
    return TunedThresholdClassifierCV(MKLClassifier(), cv=3)


def one_versus_one() -> BaseEstimator:
    return OneVsOneClassifier(MKLClassifier())


def bagged() -> BaseEstimator:
    return BaggingClassifier(MKLClassifier(), n_estimators=2, random_state=0)


def stacked() -> BaseEstimator:
    return StackingClassifier([("a", MKLClassifier()), ("b", MKLClassifier(p=2))], cv=3)


def voting() -> BaseEstimator:
    return VotingClassifier([("a", MKLClassifier()), ("b", MKLClassifier(p=2))])


@pytest.mark.parametrize(
    ("make", "forms"),
    [
        (calibrated, [as_stack, as_array, as_gram]),
        (tuned, [as_stack, as_array, as_gram]),
        (one_versus_one, [as_stack, as_array]),
        (bagged, [as_stack, as_array]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_row_cuts_raise_rather_than_score_wrongly(
    make: Callable[[], BaseEstimator], forms: list[Callable[[list[Floats]], Any]]
) -> None:
    x, y = raw()
    for form in forms:
        with pytest.raises((ValueError, TypeError)):
            make().fit(form(grams(x, x)), y)


def test_calibrated_without_an_ensemble_is_right() -> None:
    """It cuts by `cross_val_predict`, which honours the pairwise tag, and fits on everything."""
    x, y = raw()
    whole = MKLClassifier().fit(grams(x, x), y)
    for form in (as_stack, as_array):
        model = calibrated_once().fit(form(grams(x, x)), y)
        inner = model.calibrated_classifiers_[0].estimator
        np.testing.assert_array_equal(
            inner.decision_function(grams(x, x)), whole.decision_function(grams(x, x))
        )


def test_bagging_one_gram_matrix_is_right() -> None:
    """It draws by sample weights, which leaves rows and columns in place."""
    x, y = raw()
    gram = grams(x, x)[0]
    model = bagged().fit(gram, y)
    for one, drawn in zip(model.estimators_, model.estimators_samples_, strict=True):
        hand = MKLClassifier().fit(gram, y, sample_weight=np.bincount(drawn, minlength=N))
        np.testing.assert_array_equal(one.decision_function(gram), hand.decision_function(gram))


def test_bootstrap_rows_raise() -> None:
    """As many rows as columns, but not the same samples: only the symmetry tells."""
    x, y = raw()
    kernels = grams(x, x)
    rows = np.random.default_rng(0).integers(0, N, size=N)
    for form in (as_stack, as_array, as_gram):
        with pytest.raises(ValueError, match=r"(?i)symmetric"):
            MKLClassifier().fit(form(kernels)[rows], y[rows])
    # A matching bootstrap of the columns is a legitimate training set.
    MKLClassifier().fit(as_stack(kernels)[np.ix_(rows, rows)], y[rows])


def test_rows_in_another_order_raise() -> None:
    x, y = raw()
    kernels = grams(x, x)
    for form in (as_stack, as_array, as_gram):
        with pytest.raises(ValueError, match=r"(?i)symmetric"):
            MKLClassifier().fit(form(kernels)[::-1], y[::-1])


def test_one_versus_one_on_one_gram_matrix_is_right() -> None:
    """Here scikit-learn honours the pairwise tag; the result is the pairwise vote."""
    x, y = raw(3)
    gram = grams(x, x)[0]
    model = OneVsOneClassifier(MKLClassifier()).fit(gram, y)
    first = np.flatnonzero(y != model.classes_[2])
    by_hand = MKLClassifier().fit(gram[np.ix_(first, first)], y[first])
    np.testing.assert_array_equal(
        model.estimators_[0].decision_function(gram[:, first]),
        by_hand.decision_function(gram[:, first]),
    )
    assert model.score(gram, y) > 0.6


@pytest.mark.parametrize("make", [stacked, voting])
@pytest.mark.parametrize("form", [as_stack, as_array, as_gram])
def test_cross_validated_ensembles_raise_or_are_right(
    make: Callable[[], BaseEstimator], form: Callable[[list[Floats]], Any]
) -> None:
    x, y = raw()
    kernels = grams(x, x)
    try:
        found = cross_val_score(make(), form(kernels), y, cv=FOLDS, error_score="raise")
    except (ValueError, TypeError):
        return
    used = kernels if form is not as_gram else kernels[:1]
    for (train, test), score in zip(FOLDS.split(y, y), found, strict=True):
        model = make()
        model.fit(form([gram[np.ix_(train, train)] for gram in used]), y[train])
        cut = form([gram[np.ix_(test, train)] for gram in used])
        assert score == pytest.approx(model.score(cut, y[test]))
