"""Which features of a modality a model goes by."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mkfusion import ColumnKernelizer, KernelCombiner, MKLClassifier, Modalities
from mkfusion.inspection import (
    FeatureImportanceDisplay,
    ModalityTable,
    emap,
    feature_importance,
    group_columns,
    shapley_values,
)

ALL = [("all", [0, 1, 2])]


class Fixed(RegressorMixin, BaseEstimator):
    """A linear function that learns nothing."""

    def __init__(self, coef):
        self.coef = coef

    def fit(self, X, y):
        self.coef_ = np.asarray(self.coef)
        return self

    def predict(self, X):
        return np.asarray(X) @ self.coef_


def test_losses_are_those_of_all_permutations():
    # Over all permutations the mean squared residual grows by 2 b_j (b_j var_j + cov(r, x_j)).
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) * [1.0, 2.0, 0.5]
    coef = np.array([1.0, -0.4, 0.0])
    y = X @ [0.8, -0.5, 1.0] + rng.normal(size=60)
    test = np.arange(20, 60)
    outcome = feature_importance(
        Fixed(coef), X, y, modality="all", modalities=ALL, cv=[(np.arange(20), test)],
        n_repeats=1000, random_state=0,
    )  # fmt: skip
    residual = (y - X @ coef)[test]
    covariance = [np.mean((residual - residual.mean()) * X[test, j]) for j in range(3)]
    more = 2 * coef * (coef * X[test].var(axis=0) + covariance)
    np.testing.assert_allclose(outcome.importances, more / y[test].var(), atol=0.02)
    assert outcome.importances[2] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(outcome.intervals).all()  # one fold has no spread


def test_patterns_are_correlations_with_held_out_decisions():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 4))
    y = np.array(["u", "v", "w"])[np.argmax(X[:, :3] + rng.normal(size=(90, 3)), axis=1)]
    folds = [(np.arange(45), np.arange(45, 90)), (np.arange(45, 90), np.arange(45))]
    model = LinearDiscriminantAnalysis()
    outcome = feature_importance(
        model, X, y, modality="all", modalities=[("all", [0, 1, 2, 3])], cv=folds, n_repeats=1
    )
    expected = []
    for train, test in folds:
        decisions = model.fit(X[train], y[train]).decision_function(X[test])
        expected.append(np.corrcoef(decisions.T, X[test].T)[:3, 3:])
    assert outcome.outputs == ["u", "v", "w"]
    np.testing.assert_allclose(outcome.patterns, np.mean(expected, axis=0))
    np.testing.assert_allclose(outcome.pattern_deviations, np.std(expected, axis=0, ddof=1))
    assert outcome.strongest(4)[0][0] in (0, 1, 2)
    binary = feature_importance(
        LogisticRegression(), X, y == "u", modality="all", modalities=ALL, random_state=0
    )
    assert binary.outputs == ["True"] and binary.patterns[0, 0] > 0.5


def test_groups_are_columns_that_vary_together_up_or_down():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(6), 20)
    signals = rng.normal(size=(50, 6))
    signs = rng.choice([-1, 1], size=120)
    X = signs * signals[:, truth] + 0.3 * rng.normal(size=(50, 120))
    X[rng.random(X.shape) < 0.02] = np.nan
    found = group_columns(X, 6, 0)
    labels = np.empty(120, dtype=int)
    for g, own in enumerate(found.members):
        labels[own] = g
    assert adjusted_rand_score(truth, labels) == 1.0
    # Squared correlation with the leading direction: what the first singular value leaves out
    g, own = 0, found.members[0]
    table = np.where(np.isnan(X), np.nanmean(X, axis=0), X)[:, own]
    table = table - table.mean(axis=0)
    first = np.linalg.svd(table / np.linalg.norm(table, axis=0))[1][0]
    assert found.coherences[g] == pytest.approx(first**2 / len(own), rel=1e-3)


def test_constants_are_together_and_names_alone():
    table = np.column_stack([np.ones((8, 3)), np.full((8, 2), np.nan), np.eye(8)[:, :3]])
    found = group_columns(table, 6, 0)
    assert sorted(map(sorted, found.members)) == [[0, 1, 2], [3], [4], [5], [6], [7]]
    assert group_columns(table[:, :3], 2, 0).members == [[0, 1, 2]]


def test_which_features_tell_in_wide_modalities():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    genes = rng.normal(size=(80, 600))
    genes[:, :12] += 1.5 * y[:, None] + rng.normal(size=(80, 1))
    X = Modalities(genes=genes, clinic=rng.normal(size=(80, 2)))
    model = make_pipeline(
        ColumnKernelizer([("g", "linear", "genes"), ("c", "rbf", "clinic")]), MKLClassifier()
    )
    outcome = feature_importance(
        model, X, y, modality="genes", max_groups=8, n_repeats=1, cv=3, random_state=0
    )
    first = outcome.ranking()[0]
    assert set(range(12)) <= set(outcome.members[first])
    assert outcome.importances[first] > 0.1 and outcome.top_frequencies[first] == 1.0
    assert {j for j, _ in outcome.strongest(12)} == set(range(12))
    frame = outcome.to_frame()
    assert frame.shape == (600, 8) and frame.group.nunique() == len(outcome.members) <= 8
    assert "beside it" in repr(outcome)


def test_every_container_tells_the_same():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 4)) * (rng.random((60, 4)) < 0.7)
    y = X[:, 1] + 0.3 * X[:, 3] > 0
    kernels = [("a", "linear", [0, 1, 2]), ("b", "linear", [3])]
    model = make_pipeline(ColumnKernelizer(kernels), KernelCombiner(), SVC(kernel="precomputed"))
    given = {"modality": "a", "modalities": [("a", [0, 1, 2]), ("b", [3])]}
    options = {"cv": 3, "n_repeats": 2, "random_state": 0}
    expected = feature_importance(model, X, y, **given, **options)
    assert expected.ranking()[0] == 1
    for other in (csr_array(X), pd.DataFrame(X, columns=list("abcd"))):
        outcome = feature_importance(model, other, y, **given, **options)
        np.testing.assert_allclose(outcome.repeats, expected.repeats)
        np.testing.assert_allclose(outcome.patterns, expected.patterns)
    named = [("a", "linear", "a"), ("b", "linear", "b")]
    model = make_pipeline(ColumnKernelizer(named), KernelCombiner(), SVC(kernel="precomputed"))
    for part in (X[:, :3], pl.DataFrame(X[:, :3], schema=list("abc"))):
        outcome = feature_importance(
            model, Modalities(a=part, b=X[:, [3]]), y, modality="a", **options
        )
        np.testing.assert_allclose(outcome.repeats, expected.repeats)


def test_gaps_stay_where_they_are_and_categories_have_no_pattern():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"stage": rng.choice(["I", "II"], 60), "age": rng.normal(size=60)})
    y = (X.stage == "I").to_numpy()
    X.loc[:9, "age"] = np.nan
    seen = []

    class Looks(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            seen.append(np.flatnonzero(X.age.isna()))
            return (X.stage == "I").to_numpy()

    outcome = feature_importance(
        Looks(), X, y, modality="m", modalities=[("m", ["stage", "age"])], cv=2, random_state=0
    )
    assert np.isnan(outcome.patterns[0, 0]) and np.isfinite(outcome.patterns[0, 1])
    assert outcome.importances[0] > 0.2 and outcome.importances[1] == 0.0
    halves = {tuple(rows) for rows in seen}
    assert len(halves) == 2  # one for each fold


def test_channels_of_signals_are_features():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(40, 3, 8))
    y = signals[:, 2].mean(axis=1) > 0

    class Mean(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.model_ = LinearSVC(C=100.0).fit(X["s"].mean(axis=2), y)
            self.classes_ = self.model_.classes_
            return self

        def decision_function(self, X):
            return self.model_.decision_function(X["s"].mean(axis=2))

        def predict(self, X):
            return self.decision_function(X) > 0

    X = Modalities(s=signals, other=rng.normal(size=(40, 1)))
    outcome = feature_importance(Mean(), X, y, modality="s", random_state=0)
    assert outcome.feature_names[outcome.ranking()[0]] == "channel 2"
    assert np.isnan(outcome.patterns).all() and outcome.strongest(3) == []


def test_jobs_change_nothing_and_seeds_repeat():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    given = {"modality": "all", "modalities": ALL, "cv": 2, "random_state": 5}
    with parallel_config("threading"):
        one, two = (feature_importance(LinearRegression(), X, y, n_jobs=k, **given) for k in (1, 2))
    np.testing.assert_array_equal(one.repeats, two.repeats)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modality": "b"}, r"modality is 'b'; expected one of \['all'\]"),
        ({"modality": "all", "max_groups": 0}, "max_groups is 0"),
        ({"modality": "all", "n_repeats": 0}, "n_repeats is 0"),
        ({"modality": "all", "confidence_level": 1.0}, "confidence_level is 1.0"),
    ],
)
def test_bad_arguments(options, message):
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(ValueError, match=message):
        feature_importance(LinearRegression(), X, X[:, 0], modalities=ALL, **options)


def test_patterns_are_towards_classes_that_training_samples_have():
    """Fold k lacks class k: what the model says of it there is unknown, not that of another."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = np.repeat(["u", "v", "w"], 30)
    X[np.arange(90), np.arange(90) // 30] += 2.0
    rows = np.arange(90)
    folds = [(rows[rows // 30 != k], rows[rows % 3 == k]) for k in range(3)]
    model = LinearDiscriminantAnalysis()
    outcome = feature_importance(model, X, y, modality="all", modalities=ALL, cv=folds, n_repeats=1)
    expected = np.full((3, 3, 3), np.nan)
    for k, (train, test) in enumerate(folds):
        towards_second = model.fit(X[train], y[train]).decision_function(X[test])
        r = np.corrcoef(towards_second, X[test].T)[0, 1:]
        first, second = (c for c in range(3) if c != k)
        expected[k, first], expected[k, second] = -r, r
    np.testing.assert_allclose(outcome.patterns, np.nanmean(expected, axis=0))
    np.testing.assert_allclose(outcome.pattern_deviations, np.nanstd(expected, axis=0, ddof=1))
    assert (outcome.patterns.argmax(axis=1) == [0, 1, 2]).all()
    assert outcome.to_frame().shape == (3, 6 + 2 * 3)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("kind", ["machine", "pipeline", "search", "search in a pipeline"])
def test_decisions_between_pairs_of_classes_are_taken_towards_each(n_classes, kind):
    """Of three classes there are three pairs: the columns do not say what they are."""
    rng = np.random.default_rng(0)
    y = np.array(list("uvwx"))[np.arange(90) % n_classes]
    X = rng.normal(size=(90, 3)) + np.eye(4, 3)[np.arange(90) % n_classes]

    def ask(shape):
        model = SVC(decision_function_shape=shape)
        if kind == "machine":
            return model
        if kind == "search in a pipeline":
            return make_pipeline(StandardScaler(), GridSearchCV(model, {"C": [1.0]}, cv=2))
        model = make_pipeline(StandardScaler(), model)
        return GridSearchCV(model, {"svc__C": [1.0]}, cv=2) if kind == "search" else model

    given = {"modality": "all", "modalities": ALL, "cv": 3, "n_repeats": 1, "random_state": 0}
    pairs = feature_importance(ask("ovo"), X, y, **given)
    rest = feature_importance(ask("ovr"), X, y, **given)
    np.testing.assert_array_equal(pairs.patterns, rest.patterns)
    np.testing.assert_array_equal(pairs.importances, rest.importances)
    assert pairs.outputs == rest.outputs
    found = ask("ovo").fit(X, y)
    parts = [("first", [0]), ("rest", [1, 2])]
    gaps = [emap(one.fit(X, y), X, y, modalities=parts) for one in (ask("ovo"), ask("ovr"))]
    np.testing.assert_array_equal(gaps[0].responses, gaps[1].responses)
    shape = (90,) if n_classes == 2 else (90, n_classes * (n_classes - 1) // 2)
    assert found.decision_function(X).shape == shape  # as it was


@pytest.mark.filterwarnings("ignore:Only one class:sklearn.exceptions.UndefinedMetricWarning")
def test_a_split_without_a_score_is_refused():
    X = np.random.default_rng(0).normal(size=(40, 3))
    rows = np.argsort(X[:, 0] > 0)
    n = int((X[:, 0] <= 0).sum())
    folds = [(rows[10:], rows[:10]), (np.r_[rows[:5], rows[n + 5 :]], np.r_[rows[5 : n + 5]])]
    for ask in (feature_importance, shapley_values):
        given = {"modality": "all"} if ask is feature_importance else {}
        parts = ALL if given else [("a", [0]), ("b", [1, 2])]
        with pytest.raises(ValueError, match="roc_auc is not a number on split 1 of 2"):
            ask(
                LogisticRegression(), X, X[:, 0] > 0,
                modalities=parts, cv=folds, scoring="roc_auc", **given,
            )  # fmt: skip


def test_texts_have_no_features():
    with pytest.raises(TypeError, match="modality 'notes' is 'list'; expected a table"):
        ModalityTable(["a", "b"], "notes")


def test_display():
    pytest.importorskip("matplotlib")
    X = np.random.default_rng(0).normal(size=(50, 3))
    display = FeatureImportanceDisplay.from_estimator(
        LinearRegression(), X, X[:, 1], modality="all", modalities=ALL, random_state=0
    )
    assert display.ax_.get_yticklabels()[0].get_text() == "column 1"
    assert len(display.plot(max_groups=2).ax_.get_yticks()) == 2
    with pytest.raises(ValueError, match="max_groups"):
        display.plot(max_groups=0)
    with pytest.raises(TypeError, match="expected a FeatureImportance"):
        FeatureImportanceDisplay(3)
