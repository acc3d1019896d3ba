"""Which fusion is chosen inside the folds, and what that is worth on samples that chose nothing."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    FusionSearchCV,
    KernelCombiner,
    Method,
    MKLClassifier,
    Modalities,
    RBFKernel,
    compare_fusion,
)
from mkfusion.compare import METHODS, fusion_choices

PARTS = [("one", [0, 1]), ("two", [2, 3])]
QUICK = {"cv": 3, "fast": True}
THREE = StratifiedKFold(3, shuffle=True, random_state=0)
ALL = [key for key in METHODS if key != "dummy"]


@cache
def data(n=60, seed=0):
    """Three classes, and numbers, that both modalities tell something of."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    signal = X[:, 0] + X[:, 2] + 0.5 * rng.normal(size=n)
    return X, np.digitize(signal, [-0.7, 0.7]), signal


def splits(search):
    """Scores of the fusion that was chosen, fold by fold."""
    table = search.cv_results_
    return [table[f"split{k}_test_score"][search.best_index_] for k in range(search.n_splits_)]


# ---------------------------------------------------------------------------- what is chosen


@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=[pytest.mark.slow] * key.startswith("late")) for key in ALL]
)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_scores_are_those_of_the_chosen_estimator_in_scikit_learns_hands(key, task):
    """Kernels shared between fusions, machines fitted together: the same as each by itself."""
    X, labels, numbers = data()
    y = labels if task == "classification" else numbers
    # Of no width that is learned: late fusion would take it from parts of the fold.
    kernels = {"one": RBFKernel(0.5), "two": RBFKernel(0.5)}
    search = FusionSearchCV([key], PARTS, task=task, kernels=kernels, **QUICK)
    if (key, task) == ("localized_mkl", "regression"):
        with pytest.raises(ValueError, match="for classification only"):
            search.fit(X, y)
        return
    search.fit(X, y)
    folds = THREE if task == "classification" else KFold(3, shuffle=True, random_state=0)
    by_hand = cross_val_score(search.best_estimator_, X, y, cv=folds)
    # Weights are learned up to a gap.
    atol = 2e-3 if key.endswith("mkl") else 1e-10
    np.testing.assert_allclose(splits(search), by_hand, atol=atol)
    again = clone(search.best_estimator_).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), again.predict(X))
    scoring = "accuracy" if task == "classification" else "r2"
    assert search.score(X, y) == get_scorer(scoring)(again, X, y)


def test_late_fusion_by_scikit_learns_hands():
    """Quick: of numbers, nothing is calibrated."""
    X, _, numbers = data(45)
    kernels = {"one": RBFKernel(0.5), "two": RBFKernel(0.5)}
    search = FusionSearchCV(["late_mean"], PARTS, task="regression", kernels=kernels, **QUICK)
    search.fit(X, numbers)
    by_hand = cross_val_score(
        search.best_estimator_, X, numbers, cv=KFold(3, shuffle=True, random_state=0)
    )
    np.testing.assert_allclose(splits(search), by_hand)


def test_the_chosen_estimator_is_the_pipeline_that_one_would_write():
    X, y, _ = data()
    kernels = {"one": "linear", "two": "rbf"}
    entries = [("one", "linear", [0, 1]), ("two", "rbf", [2, 3])]
    uniform = FusionSearchCV(["uniform"], PARTS, kernels=kernels, **QUICK).fit(X, y)
    machine = SVC(C=uniform.best_params_["C"], kernel="precomputed")
    hand = make_pipeline(ColumnKernelizer(entries), KernelCombiner(), machine).fit(X, y)
    np.testing.assert_allclose(uniform.decision_function(X), hand.decision_function(X))
    mkl = FusionSearchCV(["l1_mkl"], PARTS, kernels=kernels, **QUICK).fit(X, y)
    hand = make_pipeline(ColumnKernelizer(entries), MKLClassifier(**mkl.best_params_)).fit(X, y)
    np.testing.assert_allclose(mkl.decision_function(X), hand.decision_function(X))


def test_the_best_of_the_table_is_chosen():
    X, y, _ = data()
    search = FusionSearchCV(modalities=PARTS, **QUICK).fit(X, y)
    table = pd.DataFrame(search.cv_results_)
    folds = table[[f"split{k}_test_score" for k in range(3)]]
    np.testing.assert_allclose(table["mean_test_score"], folds.mean(axis=1))
    np.testing.assert_allclose(table["std_test_score"], folds.std(axis=1, ddof=0))
    first = table["mean_test_score"].to_numpy().argmax()
    assert search.best_index_ == first and table["rank_test_score"][first] == 1
    assert search.best_fusion_ == table["param_fusion"][first]
    assert {"fusion": search.best_fusion_, **search.best_params_} == table["params"][first]
    best = table.groupby("param_fusion", sort=False)["mean_test_score"].max()
    assert search.fusion_scores_ == best.to_dict()
    assert list(best.index) == ["early", "cca", "late_mean", "uniform", "l1_mkl", "lp_mkl"]


class Told(ClassifierMixin, BaseEstimator):
    """Right about so many of the ten samples of each fold."""

    def __init__(self, right=()):
        self.right = right

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        fold = int(X[0, 1])
        truth = X[:, 0].astype(int)
        wrong = np.arange(len(X)) >= self.right[fold]
        return np.where(wrong, 1 - truth, truth)


def test_one_standard_error():
    """Means 0.6, 0.7, 0.8; the best has folds 0.9, 0.8, 0.7: standard error 0.1 / sqrt(3)."""
    y = np.tile([0, 1], 15)
    X = np.column_stack([y, np.repeat([0.0, 1.0, 2.0], 10)])
    folds = [(np.flatnonzero(X[:, 1] != k), np.flatnonzero(X[:, 1] == k)) for k in range(3)]
    parts = [("truth", [0]), ("fold", [1])]
    told = [("low", Told((6, 6, 6))), ("near", Told((7, 7, 9))), ("top", Told((9, 8, 7)))]
    chosen = {
        rule: FusionSearchCV(told, parts, cv=folds, rule=rule, refit=False).fit(X, y).best_fusion_
        for rule in ("best", "one_standard_error")
    }
    # 0.7667 is within 0.8 - 0.0577, and 0.6 is not.
    assert chosen == {"best": "top", "one_standard_error": "near"}


# ---------------------------------------------------------------------------- nested


def test_choices_are_scikit_learns_nested_cross_validation():
    X, y, _ = data(90)
    search = FusionSearchCV(["early", "uniform", "alignment"], PARTS, **QUICK)
    outcome = fusion_choices(search, X, y, cv=3)
    np.testing.assert_allclose(outcome.scores, cross_val_score(search, X, y, cv=THREE))
    for k, (train, _) in enumerate(THREE.split(X, y)):
        alone = clone(search).fit(X[train], y[train])
        assert outcome.chosen[k] == alone.best_fusion_
        assert outcome.params[k] == alone.best_params_
        assert outcome.inner_scores[k] == alone.best_score_
    assert sum(outcome.frequency.values()) == 3
    assert set(outcome.frequency) == {"early", "uniform", "alignment"}
    frame = outcome.to_frame()
    assert frame["fusion"].value_counts().to_dict() == {
        name: count for name, count in outcome.frequency.items() if count
    }
    for name, count in outcome.frequency.items():
        assert f"{name:<9}  {count:>3} of 3" in str(outcome)
    assert not hasattr(search, "best_fusion_"), "the search is not changed"


def test_products_are_chosen_where_modalities_only_interact():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 2))
    parts = [("a", [0]), ("b", [1])]
    search = FusionSearchCV(["early", "late_mean", "products"], parts, task="regression", **QUICK)
    outcome = fusion_choices(search, X, X[:, 0] * X[:, 1], cv=3, scoring="r2")
    assert outcome.frequency["late_mean"] == 0
    assert outcome.scores.min() > 0.5


@pytest.mark.slow
def test_noise_scores_as_noise():
    """The best of many believes more than chance; the nested score does not."""
    scores, believed = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(40, 4)), np.arange(40) % 2
        search = FusionSearchCV(["single", "early", "uniform"], PARTS, cv=3, fast=True)
        outcome = fusion_choices(search, X, y, cv=3)
        scores.append(outcome.scores.mean())
        believed.append(outcome.inner_scores.mean())
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    # Stratified folds of a balanced target: what does well inside does a little worse than chance.
    assert np.mean(scores) < 0.5 + 2 * error
    optimism = np.subtract(believed, scores)
    assert optimism.mean() > 2 * optimism.std(ddof=1) / np.sqrt(len(scores))


# ---------------------------------------------------------------------------- groups and time


class Meets(ClassifierMixin, BaseEstimator):
    """Remembers which groups it was taught: it is right about those only."""

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        self.told_ = groups is not None
        self.known_ = np.unique(X[:, 0])
        return self

    def predict(self, X):
        assert self.told_
        return np.where(np.isin(X[:, 0], self.known_), X[:, 1], 1 - X[:, 1]).astype(int)


def test_groups_stay_together_in_both_rings():
    groups = np.repeat(np.arange(12), 5)
    y = np.tile([0, 1], 30)
    X = np.column_stack([groups, y, np.random.default_rng(0).normal(size=60)])
    parts = [("who", [0, 1]), ("noise", [2])]
    search = FusionSearchCV([("meets", Meets())], parts, cv=3)
    assert search.fit(X, y, groups=groups).best_score_ == 0.0
    outcome = fusion_choices(search, X, y, cv=3, groups=groups)
    assert outcome.scores.tolist() == outcome.inner_scores.tolist() == [0.0] * 3


def test_groups_reach_what_late_fusion_learns_from_folds():
    X, _, numbers = data(60)
    groups = np.repeat(np.arange(12), 5)
    search = FusionSearchCV(["late_stack"], PARTS, task="regression", **QUICK)
    search.fit(X, numbers, groups=groups)
    for train, test in search.best_estimator_.named_steps["model"].regressor_.cv:
        assert not set(groups[train]) & set(groups[test])


def test_a_search_is_a_method_of_a_comparison_that_tells_it_of_groups():
    X, y, _ = data(60)
    y = (y > 0).astype(int)
    groups = np.repeat(np.arange(12), 5)
    seen = []

    class Watching(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(None if groups is None else len(np.unique(groups)))
            return super().split(X, y, groups)

    search = FusionSearchCV(["early", "uniform"], PARTS, cv=Watching(3), fast=True)
    grid = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=Watching(3))
    folds = GroupKFold(3)
    found = compare_fusion(
        X,
        y,
        PARTS,
        groups=groups,
        methods=[Method("search", search), Method("grid", grid)],
        scoring="accuracy",
        cv=folds,
        inner_cv=GroupKFold(2),
        fast=True,
    )
    assert seen and None not in seen
    for key, model in (("search", search), ("grid", grid)):
        by_hand = [
            clone(model).fit(X[train], y[train], groups=groups[train]).score(X[test], y[test])
            for train, test in folds.split(X, y, groups)
        ]
        np.testing.assert_allclose(found.scores(key), by_hand)


def test_time_order_is_kept():
    X, _, numbers = data(60)
    search = FusionSearchCV(
        ["late_stack", "uniform"], PARTS, task="regression", cv=TimeSeriesSplit(3), fast=True
    ).fit(X, numbers)
    assert search.n_splits_ == 3
    assert isinstance(search._read(X, numbers, None).samples.inner.how, TimeSeriesSplit)


# ---------------------------------------------------------------------------- samples


def test_samples_that_lack_a_modality():
    X, _, numbers = data(60)
    one = X[:, :2].copy()
    one[::4] = np.nan
    modalities = Modalities(one=one, two=X[:, 2:])
    for key in ["single", "early", "late_stack", "products", "cca"]:
        alone = FusionSearchCV([key], task="regression", cv=3, fast=True).fit(modalities, numbers)
        assert alone.predict(modalities[:5]).shape == (5,)
        # Whoever else is there
        np.testing.assert_allclose(alone.predict(modalities[:8]), alone.predict(modalities)[:8])


def test_texts_leave_out_what_needs_numbers():
    X, y, _ = data(60)
    words = [f"patient {i} feels {('low', 'well', 'high')[k]} today" for i, k in enumerate(y)]
    modalities = Modalities(table=X, notes=words)
    search = FusionSearchCV(["cca", "early", "late_mean", "uniform"], **QUICK).fit(modalities, y)
    assert search.left_out_ == {"cca": "'notes' is texts"}
    assert search.predict(modalities[:3]).shape == (3,)


def test_refusals_of_a_fold_leave_a_candidate_out():
    X, y, _ = data(60)
    plain = ("plain", LogisticRegression())
    search = FusionSearchCV(["uniform", plain], PARTS, scoring="neg_log_loss", **QUICK)
    with pytest.warns(UserWarning, match="'uniform' is left out: neg_log_loss needs predict_proba"):
        search.fit(X, y)
    assert search.best_fusion_ == "plain"
    assert search.score(X, y) == get_scorer("neg_log_loss")(search.best_estimator_, X, y)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="leaves nothing"):
        FusionSearchCV(["uniform"], PARTS, scoring="neg_log_loss", **QUICK).fit(X, y)


def test_words_are_the_users():
    X, y, _ = data(60)
    modalities = Modalities(one=X[:, :2], two=X[:, 2:])
    search = FusionSearchCV(["uniform"], **QUICK).fit(modalities, y)
    broken = Modalities(one=X[:, :2], two=X[:, 1:])
    with pytest.raises(ValueError, match="two") as caught:
        search.predict(broken)
    assert "m1" not in str(caught.value)


# ---------------------------------------------------------------------------- an estimator


def test_tags_follow_the_task():
    assert is_classifier(FusionSearchCV()) and not is_regressor(FusionSearchCV())
    assert is_regressor(FusionSearchCV(task="regression"))
    X, y, numbers = data(60)
    search = FusionSearchCV(["uniform"], PARTS, task="regression", **QUICK).fit(X, numbers)
    assert not hasattr(search, "classes_") and not hasattr(search, "predict_proba")
    logistic = FusionSearchCV([("plain", LogisticRegression())], PARTS, **QUICK).fit(X, y)
    np.testing.assert_array_equal(logistic.predict_proba(X).argmax(axis=1), logistic.predict(X))
    assert not hasattr(FusionSearchCV(["uniform"], PARTS, **QUICK).fit(X, y), "predict_proba")


def test_the_choice_only():
    X, y, _ = data(60)
    search = FusionSearchCV(["early", "uniform"], PARTS, refit=False, **QUICK).fit(X, y)
    assert search.best_fusion_ in ("early", "uniform") and not hasattr(search, "best_estimator_")


def test_results_depend_on_the_input_alone():
    X, y, _ = data(60)
    search = FusionSearchCV(["early", "uniform"], PARTS, **QUICK)
    first = clone(search).fit(X, y)
    with parallel_config(backend="threading"):
        second = clone(search).set_params(n_jobs=2).fit(X, y)
    for name in ("mean_test_score", "split0_test_score"):
        np.testing.assert_array_equal(first.cv_results_[name], second.cv_results_[name])
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.predict(X), loaded.predict(X))


def test_a_fitted_linear_model_learns_anew():
    X, y, _ = data(60)
    model = FusionSearchCV(["linear"], PARTS, **QUICK).fit(X, y).best_estimator_
    other = clone(model).fit(X[:40], y[:40])
    np.testing.assert_array_equal(model.fit(X[:40], y[:40]).predict(X), other.predict(X))


@pytest.mark.parametrize(
    "candidates, error, message",
    [
        (["smell"], ValueError, "candidates[0] is 'smell'; expected one of ['single'"),
        (["dummy"], ValueError, "candidates[0] is 'dummy'"),
        ([SVC()], TypeError, "candidates[0] is SVC()"),
        ([("a", "b", "c")], TypeError, "a pair (name, estimator), or a Method"),
        ([], ValueError, "candidates is empty"),
        (["early", "early"], ValueError, "candidates has 'early' more than once"),
        (["early", ("early", DummyClassifier())], ValueError, "'early' more than once"),
    ],
)
def test_candidates_that_are_none(candidates, error, message):
    X, y, _ = data(60)
    with pytest.raises(error) as caught:
        FusionSearchCV(candidates, PARTS).fit(X, y)
    assert message in str(caught.value)


def test_numbers_are_no_classes():
    X, _, numbers = data(60)
    with pytest.raises(ValueError, match="continuous"):
        FusionSearchCV(["early"], PARTS).fit(X, numbers)
    with pytest.raises(TypeError, match="search is SVC"):
        fusion_choices(SVC(), X, numbers)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_fold_without_a_score_has_no_mean():
    X, _, numbers = data(60)
    rows = np.argsort(numbers > 0)
    folds = [(rows[10:], rows[:10]), (rows[:50], rows[50:])]
    search = FusionSearchCV(["early"], PARTS, **QUICK)
    with pytest.raises(ValueError, match="roc_auc is not a number on split 1 of 2"):
        fusion_choices(search, X, numbers > 0, cv=folds, scoring="roc_auc")


def test_candidates_of_ones_own():
    X, y, _ = data(60)
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    tuned = Method("tuned", plain, candidates={"logisticregression__C": [0.01, 1.0]})
    search = FusionSearchCV([("plain", plain), tuned, "early"], PARTS, **QUICK).fit(X, y)
    np.testing.assert_allclose(
        search.fusion_scores_["plain"], cross_val_score(plain, X, y, cv=THREE).mean()
    )
    grid = GridSearchCV(plain, {"logisticregression__C": [0.01, 1.0]}, cv=THREE).fit(X, y)
    np.testing.assert_allclose(search.fusion_scores_["tuned"], grid.best_score_)
