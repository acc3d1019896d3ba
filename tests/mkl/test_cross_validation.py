"""C and p are chosen as a grid search chooses them, and the model is then that of a plain fit."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_diabetes, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import check_scoring, make_scorer, mean_absolute_error, recall_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    KernelStack,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    MKLRegressorCV,
)
from oracles.names import named

COSTS = [0.01, 0.1, 1.0, 10.0]
NORMS = [1.0, 1.5, np.inf]
TOL = 1e-6


def stack_of(X: np.ndarray, gamma: float = 0.5) -> KernelStack:
    """One Gaussian kernel for each pair of features, and one of all."""
    parts = [X[:, k : k + 2] for k in range(0, X.shape[1], 2)] + [X]
    return KernelStack([rbf_kernel(part, gamma=gamma / part.shape[1]) for part in parts])


WINE = load_wine(return_X_y=True)
WINE_STACK = stack_of(scale(WINE[0]))
TWO_X, TWO = make_classification(120, 6, n_informative=3, flip_y=0.15, random_state=1)
TWO_STACK = stack_of(TWO_X)
SUGAR_X, SUGAR = (values[:150] for values in load_diabetes(return_X_y=True))
SUGAR_STACK = stack_of(scale(SUGAR_X))
RNG = np.random.default_rng(0)


def search(
    plain: Any, grid: dict[str, Any], X: Any, y: Any, fit: dict[str, Any], **how: Any
) -> Any:
    """Search a grid; sample weights count in scores too, whatever scikit-learn's version."""
    if "sample_weight" not in fit:
        return GridSearchCV(plain, grid, error_score="raise", **how).fit(X, y, **fit)
    default = "accuracy" if is_classifier(plain) else "r2"
    with config_context(enable_metadata_routing=True):
        scorer = check_scoring(plain, how.pop("scoring", default))
        scorer.set_score_request(sample_weight=True)
        plain.set_fit_request(sample_weight=True)
        found = GridSearchCV(plain, grid, scoring=scorer, error_score="raise", **how)
        return found.fit(X, y, **fit)


def scores_of(found: GridSearchCV, shape: tuple[int, int]) -> np.ndarray:
    """Scores of a search over C (the slower index) and p, as (n_ps, n_Cs, n_folds)."""
    folds = [found.cv_results_[f"split{k}_test_score"] for k in range(found.n_splits_)]
    return np.stack(folds, axis=-1).reshape(shape[1], shape[0], -1).swapaxes(0, 1)


CLASSIFIED: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "two classes": (TWO_STACK, TWO, {}, {}, {}),
    "strings": (TWO_STACK, np.where(TWO, "ill", "well"), {}, {"cv": 3}, {}),
    "three classes": (WINE_STACK, WINE[1], {}, {"cv": 3}, {}),
    "weights per class": (WINE_STACK, WINE[1], {"per_class_weights": True}, {"cv": 3}, {}),
    "penalty form": (TWO_STACK, TWO, {"lam": 2.0}, {"cv": 3}, {}),
    "balanced": (TWO_STACK, TWO * (TWO_X[:, 0] > 0), {"class_weight": "balanced"}, {"cv": 4}, {}),
    "class weights": (TWO_STACK, TWO, {"class_weight": {0: 1.0, 1: 3.0}}, {"cv": 4}, {}),
    "groups": (TWO_STACK, TWO, {}, {"cv": GroupKFold(4)}, {"groups": np.arange(120) // 5 % 11}),
    "weights": (TWO_STACK, TWO, {}, {"cv": 3}, {"sample_weight": RNG.integers(0, 4, 120)}),
    "decision values": (TWO_STACK, TWO, {}, {"scoring": "roc_auc"}, {}),
    "a score of one's own": (
        TWO_STACK,
        TWO,
        {},
        {"scoring": make_scorer(recall_score, pos_label=0)},
        {},
    ),
    "part of the samples": (
        TWO_STACK,
        TWO,
        {},
        {"cv": ShuffleSplit(3, train_size=0.4, test_size=0.3, random_state=0)},
        {},
    ),
    # Sorted classes: the middle folds know all three, the outer ones two.
    "a class less": (WINE_STACK, WINE[1], {}, {"cv": KFold(3)}, {}),
}


@pytest.mark.parametrize("case", CLASSIFIED)
def test_scores_of_a_classifier_are_those_of_a_grid_search(case: str) -> None:
    X, y, own, how, fit = CLASSIFIED[case]
    grid = {"C": COSTS, "p": NORMS}
    found = search(MKLClassifier(tol=TOL, **own), grid, X, y, fit, **how)
    model = MKLClassifierCV(COSTS, NORMS, tol=TOL, **own, **how).fit(X, y, **fit)
    expected = scores_of(found, (3, 4))
    # Both are within the tolerance of the optimum: a sample near a boundary may change sides.
    np.testing.assert_allclose(model.scores_, expected, atol=1e-3 if "values" in case else 1e-12)
    assert model.best_score_ == pytest.approx(found.best_score_)
    assert model.scores_[:, :, :].mean(axis=2).max() == pytest.approx(model.best_score_)
    best = model.scores_.mean(axis=2)
    if np.sum(best > best.max() - 1e-9) == 1:
        assert {"C": model.C_, "p": model.p_} == found.best_params_


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_error"])
@pytest.mark.parametrize(
    ("how", "fit"),
    [
        ({}, {}),
        ({"scoring": "neg_mean_absolute_error", "cv": 3}, {}),
        (
            {"scoring": make_scorer(mean_absolute_error, greater_is_better=False), "cv": 3},
            {"sample_weight": RNG.integers(0, 3, 150)},
        ),
        ({"cv": GroupKFold(3)}, {"groups": np.arange(150) // 10}),
    ],
    ids=["r2", "mae", "weights", "groups"],
)
def test_scores_of_a_regressor_are_those_of_a_grid_search(
    loss: str, how: dict[str, Any], fit: dict[str, Any]
) -> None:
    own = {"loss": loss, "epsilon": 5.0, "tol": 1e-8}
    grid = {"C": COSTS, "p": [1.0, 2.0]}
    found = search(MKLRegressor(**own), grid, SUGAR_STACK, SUGAR, fit, **how)
    model = MKLRegressorCV(COSTS, [1, 2], **own, **how).fit(SUGAR_STACK, SUGAR, **fit)
    expected = scores_of(found, (2, 4))
    np.testing.assert_allclose(model.scores_, expected, rtol=1e-3, atol=1e-4)
    assert {"C": model.C_, "p": model.p_} == found.best_params_


def test_the_model_is_that_of_a_fit_with_the_chosen_values() -> None:
    model = MKLClassifierCV(COSTS, NORMS).fit(WINE_STACK, WINE[1])
    plain = MKLClassifier(model.C_, model.p_).fit(WINE_STACK, WINE[1])
    fitted = {name for name in vars(plain) if name.endswith("_")}
    assert fitted < set(vars(model))
    for name in fitted:
        np.testing.assert_array_equal(getattr(model, name), getattr(plain, name))
    np.testing.assert_array_equal(model.predict(WINE_STACK), plain.predict(WINE_STACK))


def test_one_kernel_and_its_sum_are_chosen_as_for_an_svc() -> None:
    gram = WINE_STACK.combine(np.ones(WINE_STACK.shape[2]))
    found = GridSearchCV(SVC(kernel="precomputed", tol=1e-8), {"C": COSTS}).fit(gram, TWO_OF_WINE)
    for kernels, p in (([gram], 1.0), (WINE_STACK, np.inf)):
        model = MKLClassifierCV(COSTS, p, tol=TOL).fit(kernels, TWO_OF_WINE)
        np.testing.assert_allclose(
            model.scores_[0].mean(axis=1), found.cv_results_["mean_test_score"], atol=1e-12
        )


TWO_OF_WINE = WINE[1] == 1


def test_of_equal_scores_the_smallest_cost_and_the_first_norm_are_taken() -> None:
    def constant(*_: Any) -> float:
        return 0.1 + 0.2

    model = MKLClassifierCV([3.0, 0.5, 7.0], [2.0, 1.0], scoring=constant, cv=3)
    model.fit(WINE_STACK, WINE[1])
    assert (model.C_, model.p_) == (0.5, 2.0)
    # Costs keep the order in which they were given.
    np.testing.assert_array_equal(model.Cs_, [3.0, 0.5, 7.0])


def test_costs_are_scored_in_the_order_in_which_they_were_given() -> None:
    ascending = MKLClassifierCV(COSTS, NORMS, tol=TOL).fit(WINE_STACK, WINE[1])
    order = [2, 0, 3, 1]
    other = MKLClassifierCV(np.array(COSTS)[order], NORMS[::-1], tol=TOL).fit(WINE_STACK, WINE[1])
    np.testing.assert_allclose(other.scores_, ascending.scores_[::-1][:, order], atol=1e-12)


@pytest.mark.parametrize("classes", [True, False])
def test_a_number_of_costs_spans_from_where_the_loss_acts(classes: bool) -> None:
    model: Any = MKLClassifierCV(5, [1.0, 2.0]) if classes else MKLRegressorCV(5, [1.0, 2.0])
    X, y = (TWO_STACK, TWO) if classes else (SUGAR_STACK, SUGAR)
    model.fit(X, y)
    assert model.Cs_.shape == (2, 5)
    np.testing.assert_allclose(model.Cs_[:, -1] / model.Cs_[:, 0], 1e4)
    # Equal weights of norm 1: the sum times m**(-1/p)
    np.testing.assert_allclose(model.Cs_[0] / model.Cs_[1], np.sqrt(X.shape[2]))
    if classes:
        first = model.Cs_[0, 0]
        K = X.combine(np.full(X.shape[2], 1.0 / X.shape[2]))
        below, at, above = (SVC(kernel="precomputed", C=first * t).fit(K, y) for t in (0.5, 1, 4))
        # Below, only the size of the function changes; above, its shape does.
        bends = [np.ptp(m.decision_function(K)) for m in (below, at, above)]
        assert 2 * bends[0] == pytest.approx(bends[1], rel=2e-2)
        assert bends[2] < 3.9 * bends[1]


def test_several_units_of_the_target_and_of_kernels_give_the_same_choice() -> None:
    small = MKLRegressorCV(4, epsilon=2.0).fit(SUGAR_STACK, SUGAR)
    large = MKLRegressorCV(4, epsilon=2000.0).fit(SUGAR_STACK, 1000.0 * SUGAR)
    np.testing.assert_allclose(large.Cs_, 1000.0 * small.Cs_)
    np.testing.assert_allclose(large.scores_, small.scores_, atol=1e-2)


def test_kernels_after_a_kernelizer_are_computed_once() -> None:
    calls = []

    def kernel(X: Any, Y: Any = None) -> np.ndarray:
        calls.append(len(X))
        return rbf_kernel(X, Y, gamma=0.1)

    entries = [("first", kernel, slice(0, 6)), ("rest", "rbf", slice(6, 13))]
    X = scale(WINE[0])
    pipeline = make_pipeline(ColumnKernelizer(entries), MKLClassifierCV(COSTS, cv=3)).fit(
        X, WINE[1]
    )
    # Once to train and once to predict, with a few samples to see what kind of kernel it is.
    assert sum(calls) < 3 * len(X)
    assert pipeline.score(X, WINE[1]) > 0.9
    assert cross_val_score(pipeline, X, WINE[1], cv=2).min() > 0.8


def test_no_fold_is_copied_or_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = KernelStack([rbf_kernel(scale(WINE[0]), gamma=g) for g in (0.01, 0.1)])
    checked = []
    original = type(stack).check_gram
    monkeypatch.setattr(
        type(stack),
        "check_gram",
        lambda self, name="kernels": (checked.append(self.shape), original(self, name))[1],
    )
    MKLClassifierCV(COSTS, cv=4).fit(stack, WINE[1])
    assert checked == [stack.shape]


def test_a_list_of_arrays_and_one_matrix_and_a_frame() -> None:
    grams = [np.asarray(WINE_STACK.gram(k)) for k in range(3)]
    of_list = MKLClassifierCV(COSTS).fit(grams, WINE[1])
    of_stack = MKLClassifierCV(COSTS).fit(KernelStack(grams), WINE[1])
    np.testing.assert_array_equal(of_list.scores_, of_stack.scores_)
    frame = pd.DataFrame(grams[0], columns=[f"s{k}" for k in range(len(grams[0]))])
    model = MKLClassifierCV(COSTS).fit(frame, WINE[1])
    assert list(model.feature_names_in_) == list(frame.columns)


def test_results_do_not_depend_on_how_many_compute_at_a_time() -> None:
    one = MKLClassifierCV(COSTS, NORMS).fit(WINE_STACK, WINE[1])
    for n_jobs in (2, -1):
        other = MKLClassifierCV(COSTS, NORMS, n_jobs=n_jobs).fit(WINE_STACK, WINE[1])
        np.testing.assert_array_equal(other.scores_, one.scores_)
        np.testing.assert_array_equal(other.dual_coef_, one.dual_coef_)


def test_many_folds_are_solved_in_turns() -> None:
    some = np.r_[0:20, 60:80]
    stack, y = WINE_STACK[np.ix_(some, some)], WINE[1][some]
    model = MKLClassifierCV([0.1, 1.0], cv=LeaveOneOut(), tol=TOL).fit(stack, y)
    found = search(MKLClassifier(tol=TOL), {"C": [0.1, 1.0]}, stack, y, {}, cv=LeaveOneOut())
    np.testing.assert_array_equal(model.scores_, scores_of(found, (1, 2)))


def test_without_a_refit_there_is_the_choice_only() -> None:
    model = MKLClassifierCV(COSTS).fit(WINE_STACK, WINE[1])
    chosen = model.C_, model.p_
    model.set_params(refit=False).fit(WINE_STACK, WINE[1])
    assert (model.C_, model.p_) == chosen
    assert not hasattr(model, "weights_")
    with pytest.raises(NotFittedError, match="refit=False"):
        model.predict(WINE_STACK)


def test_clone_and_pickle() -> None:
    model = MKLRegressorCV([1.0, 10.0], epsilon=5.0).fit(SUGAR_STACK, SUGAR)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(SUGAR_STACK), model.predict(SUGAR_STACK))
    np.testing.assert_array_equal(again.scores_, model.scores_)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "C_")


def test_scorers_see_the_fitted_model_and_the_kernels_of_the_samples_held_out() -> None:
    def score(model: Any, X: Any, y: Any) -> float:
        assert X.shape == (len(y), model.n_features_in_, WINE_STACK.shape[2])
        assert model.duality_gap_ <= model.tol
        # What it knows already, and what it computes of the kernels, are the same.
        np.testing.assert_allclose(
            model.decision_function(X), model.decision_function(X[np.arange(len(y))]), atol=1e-9
        )
        return model.C * len(y)

    model = MKLClassifierCV(COSTS, scoring=score, cv=3).fit(WINE_STACK, WINE[1])
    assert model.C_ == max(COSTS)


def test_metadata_goes_to_the_splitter_and_to_the_scorer() -> None:
    weights = RNG.integers(1, 5, 120)
    groups = np.arange(120) // 5 % 11
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(recall_score).set_score_request(sample_weight=True)
        plain = MKLClassifier(tol=TOL).set_fit_request(sample_weight=True)
        found = GridSearchCV(plain, {"C": COSTS}, cv=GroupKFold(3), scoring=scorer)
        found.fit(TWO_STACK, TWO, groups=groups, sample_weight=weights)
        model = MKLClassifierCV(COSTS, cv=GroupKFold(3), scoring=scorer, tol=TOL)
        model.fit(TWO_STACK, TWO, groups=groups, sample_weight=weights)
        np.testing.assert_allclose(model.scores_, scores_of(found, (1, 4)), atol=1e-12)
        in_turn = make_pipeline(
            ColumnKernelizer([("all", "rbf", slice(None))]),
            MKLClassifierCV(COSTS, cv=GroupKFold(3)),
        )
        in_turn.fit(TWO_X, TWO, groups=groups)
        assert in_turn[-1].scores_.shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"Cs": []}, r"Cs is \[\]; expected positive numbers"),
        ({"Cs": [[1.0]]}, r"Cs is \[\[1.0\]\]; expected"),
        ({"Cs": [1.0, -2.0]}, r"Cs contains -2; expected finite positive"),
        ({"Cs": [1.0, 0.0]}, r"Cs contains 0; expected finite positive"),
        ({"Cs": [np.nan]}, r"Cs contains nan; expected finite positive"),
        ({"Cs": [np.inf]}, r"Cs contains inf; expected finite positive"),
        ({"Cs": ["a"]}, r"Cs is \['a'\]; expected"),
        ({"Cs": 0}, r"'Cs' parameter"),
        ({"ps": []}, r"ps is \[\]; expected numbers of at least 1"),
        ({"ps": [1.0, 0.5]}, r"ps contains 0.5; expected numbers of at least 1"),
        ({"ps": [np.nan]}, r"ps contains nan; expected numbers of at least 1"),
        ({"ps": 0.5}, r"'ps' parameter"),
        ({"scoring": "smell"}, r"'scoring' parameter.*'smell'"),
        ({"scoring": "neg_log_loss"}, r"scoring='neg_log_loss' needs probabilities"),
        ({"scoring": lambda *_: np.nan}, r"gave nan on a fold of 36 samples; expected a finite"),
        ({"cv": 1}, r"'cv' parameter"),
        ({"cv": 100}, r"cv=100 does not split the 178 samples: .*Expected fewer folds"),
        ({"cv": []}, r"cv=\[\] .*"),
        ({"cv": [(np.arange(50), np.arange(60, 70))]}, r"leaves one class, 0, among the 50"),
        ({"cv": [(np.arange(100), np.arange(0))]}, r"100 samples to learn from and 0 held out"),
        ({"n_jobs": 0}, r"'n_jobs' parameter"),
        ({"tol": 0.0}, r"'tol' parameter"),
    ],
    ids=named,
)
def test_bad_parameters_are_refused(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MKLClassifierCV(**{"Cs": COSTS, **own}).fit(WINE_STACK, WINE[1])


def test_bad_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="one class"):
        MKLClassifierCV(COSTS).fit(WINE_STACK, np.zeros(178))
    weights = np.r_[np.zeros(50), np.ones(100)]
    with pytest.raises(ValueError, match="0 for all 50 training samples of fold 0"):
        MKLRegressorCV(COSTS, cv=[(np.arange(50), np.arange(60, 99))]).fit(
            SUGAR_STACK, SUGAR, sample_weight=weights
        )
    with pytest.raises(ValueError, match="groups"):
        MKLClassifierCV(COSTS, cv=GroupKFold(3)).fit(WINE_STACK, WINE[1])


def test_folds_that_do_not_converge_are_told_of_once() -> None:
    model = MKLClassifierCV(COSTS, max_iter=1, tol=1e-9, refit=False)
    with pytest.warns(ConvergenceWarning, match=r"fits on folds ended above tol=1e-09") as told:
        model.fit(WINE_STACK, WINE[1])
    assert len(told) == 1
    assert told[0].filename == __file__


def test_an_error_in_a_fold_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from mkfusion.solvers._machines import Machines

    original, calls = Machines.certify, []

    def fail(self: Machines, d: np.ndarray) -> Any:
        calls.append(1)
        if len(calls) == 9:
            raise MemoryError("no more")
        return original(self, d)

    monkeypatch.setattr(Machines, "certify", fail)
    X = RNG.normal(size=(300, 4))  # so large that folds wait for each other
    stack = KernelStack([rbf_kernel(X, gamma=g) for g in (0.1, 1.0)])
    with pytest.raises(MemoryError, match="no more"):
        MKLClassifierCV(COSTS).fit(stack, X[:, 0] > 0)


def test_scores_are_printed_if_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    model = MKLClassifierCV([1.0, 10.0], verbose=1).fit(WINE_STACK, WINE[1])
    mean = model.scores_[0, 1].mean()
    assert f"[MKL] p=1, C=10: score {mean:.4g}" in capsys.readouterr().out


@pytest.mark.parametrize("pair", [(MKLClassifier, MKLClassifierCV), (MKLRegressor, MKLRegressorCV)])
def test_parameters_are_those_of_the_plain_estimator(pair: tuple[type, type]) -> None:
    plain, chosen = (inspect.signature(kind).parameters for kind in pair)
    assert set(plain) - {"C", "p"} <= set(chosen)
    for name in set(plain) & set(chosen):
        assert plain[name].default == chosen[name].default


def test_folds_of_a_large_stack_are_those_of_a_grid_search() -> None:
    """Here the folds wait for each other, and SMO runs long."""
    X, y = make_classification(420, 8, n_informative=4, flip_y=0.1, random_state=3)
    stack = stack_of(X)
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    found = search(MKLClassifier(tol=TOL), {"C": [0.1, 3.0], "p": [1, 2]}, stack, y, {}, cv=folds)
    model = MKLClassifierCV([0.1, 3.0], [1, 2], tol=TOL, cv=folds, n_jobs=2).fit(stack, y)
    np.testing.assert_allclose(model.scores_, scores_of(found, (2, 2)), atol=1e-12)
