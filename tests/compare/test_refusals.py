"""What data are not for is listed; what is a fault, of ours or of anyone's, goes all the way up."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, make_scorer

import mkfusion
from mkfusion import Method, Modalities, compare_fusion
from mkfusion.compare import _fold_data, _methods, _questions
from oracles.names import named

QUICK = {"fast": True, "cv": 3, "methods": ["uniform", "l1_mkl", "products"]}
FAULTS = [ValueError("a fault"), TypeError("a fault"), KeyError("a fault")]


def samples(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], n // 2))
    useful = y[:, np.newaxis] * 1.5 + rng.normal(size=(n, 2))
    return Modalities(useful=useful, noise=rng.normal(size=(n, 3))), y


def raising(error):
    def call(*given, **options):
        raise error

    return call


def notes(caught):
    return " ".join(getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize("error", FAULTS, ids=named)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (mkfusion, "MKLClassifier"),  # as it is built, not as it is fitted
        (_methods, "scaled_target"),
        (_fold_data.FoldData, "part"),
        (_fold_data.FoldData, "present"),
        (_questions, "project_kernels"),
        (_questions, "scored_answers"),
        (_questions, "shapley_shares"),
        (_questions, "_mean"),
        (_questions, "mean_interval"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_our_faults_are_no_refusals(module, name, error, monkeypatch):
    monkeypatch.setattr(module, name, raising(error))
    X, y = samples()
    with pytest.raises(type(error), match="a fault"):
        compare_fusion(X, y, **QUICK)


def test_a_fault_says_where_it_was(monkeypatch):
    class Broken(mkfusion.MKLClassifier):
        def fit(self, X, y, sample_weight=None):
            raise AttributeError("a fault")

    monkeypatch.setattr(mkfusion, "MKLClassifier", Broken)
    X, y = samples()
    with pytest.raises(AttributeError, match="a fault") as caught:
        compare_fusion(X, y, **QUICK)
    assert notes(caught) == "raised by L1 MKL on fold 1"


def test_a_method_of_ours_has_data_of_the_right_types(monkeypatch):
    class Broken(mkfusion.MKLClassifier):
        def fit(self, X, y, sample_weight=None):
            raise TypeError("a fault")

    monkeypatch.setattr(mkfusion, "MKLClassifier", Broken)
    with pytest.raises(TypeError, match="a fault"):
        compare_fusion(*samples(), **QUICK)


class Falling(ClassifierMixin, BaseEstimator):
    """Falls over when it is fitted."""

    def fit(self, X, y):
        return self.nothing_like_this


def test_faults_of_users_estimators_are_theirs_to_see():
    X, y = samples()
    methods = ["uniform", Method("mine", Falling())]
    with pytest.raises(AttributeError, match="nothing_like_this") as caught:
        compare_fusion(X, y, fast=True, cv=3, methods=methods)
    assert "raised by mine on fold 1" in notes(caught)


@pytest.mark.parametrize("error", [KeyError("odd"), TypeError("odd"), ZeroDivisionError("odd")])
def test_faults_of_users_metrics_are_named(error):
    with pytest.raises(type(error), match="odd") as caught:
        compare_fusion(*samples(), scoring={"mine": raising(error)}, **QUICK)
    assert "raised by the metric 'mine'" in notes(caught)


def for_machines_on_kernels(model, X, y):
    if hasattr(X, "shape") and len(X.shape) == 3 and type(model).__name__ == "MKLClassifier":
        raise ValueError("not for this")
    return float(np.mean(model.predict(X) == y))


def test_metrics_that_are_not_for_a_method_are_named():
    X, y = samples()
    with pytest.warns(UserWarning, match="L1 MKL is listed as not applicable"):
        found = compare_fusion(X, y, scoring={"mine": for_machines_on_kernels}, **QUICK)
    assert found.not_applicable_ == {
        "L1 MKL": "fold 1: ValueError: not for this (from the metric 'mine')"
    }


def test_kernels_that_cannot_be_had_on_a_fold_are_refusals(monkeypatch):
    monkeypatch.setattr(mkfusion.ColumnKernelizer, "transform", raising(ValueError("no width")))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="no modality can be learned"):
        compare_fusion(*samples(), **QUICK)


@pytest.mark.parametrize("error", FAULTS, ids=named)
def test_alignment_that_cannot_be_had_is_not_answered(error, monkeypatch):
    monkeypatch.setattr(_questions, "kernel_alignment", raising(error))
    X, y = samples()
    if not isinstance(error, ValueError):
        with pytest.raises(type(error), match="a fault"):
            compare_fusion(X, y, **QUICK)
        return
    found = compare_fusion(X, y, **QUICK)
    assert found.alignment_ is None
    assert found.not_answered_["How alike the modalities are"] == "a fault"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X": np.empty((0, 4)), "y": []}, "X has 0 samples; expected some"),
        ({"X": None}, "X is None; expected Modalities, a DataFrame, or an array"),
        ({"X": 3}, "X is 3; expected"),
        ({"X": np.arange(40.0)}, r"X is of shape \(40,\); expected"),
        ({"y": np.array(["a", 1] * 20, dtype=object)}, "y holds int, str; expected"),
        ({"n_jobs": "x"}, "n_jobs is 'x'; expected None, or a whole number"),
        ({"n_jobs": 0}, "n_jobs is 0; expected"),
        ({"alpha": "x"}, "alpha is 'x'; expected a number between 0 and 0.5"),
        ({"cv": "x"}, "cv is 'x'; expected"),
        ({"scoring": 3}, "scoring is 3; expected the name of a metric, a callable"),
        (
            {"scoring": [make_scorer(f1_score), make_scorer(f1_score, pos_label=0)]},
            "scoring has two metrics called 'score'; expected a dict",
        ),
        (
            {"X": np.where(np.arange(160).reshape(40, 4) == 14, np.inf, 1.0)},
            "X: modality 'b': column 0 is infinite in row 3; expected finite",
        ),
        (
            {"X": np.where(np.arange(160).reshape(40, 4) % 4 > 1, np.nan, 1.0)},
            r"no training sample has 'b' \(None, or NaN throughout\); expected some",
        ),
    ],
)
def test_bad_input_says_what_came_and_what_was_expected(change, said):
    good = {
        "X": np.random.default_rng(0).normal(size=(40, 4)),
        "y": np.arange(40) % 2,
        "modalities": [("a", [0, 1]), ("b", [2, 3])],
    }
    with pytest.raises((TypeError, ValueError), match=said):
        compare_fusion(**{**good, **change})
