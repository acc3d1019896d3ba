"""C and p are chosen as a grid search chooses them, and the model is then that of a plain fit."""

from __future__ import annotations

import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_diabetes, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import (
    accuracy_score,
    check_scoring,
    log_loss,
    make_scorer,
    mean_absolute_error,
    r2_score,
    recall_score,
)
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_decision_proba_consistency

from mkfusion import (
    ColumnKernelizer,
    ConstantPredictionWarning,
    Kernelizer,
    KernelStack,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    MKLRegressorCV,
)
from oracles.calibration import calibrated
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


def as_given(cv: Any, *, classes: bool) -> Any:
    """Return folds that are the same for both: a number of them is drawn by our models."""
    kind = StratifiedKFold if classes else KFold
    return kind(cv) if isinstance(cv, int) else cv


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


@pytest.mark.filterwarnings("ignore::mkfusion.ConstantPredictionWarning")
@pytest.mark.parametrize("case", CLASSIFIED)
def test_scores_of_a_classifier_are_those_of_a_grid_search(case: str) -> None:
    X, y, own, how, fit = CLASSIFIED[case]
    how = {"scoring": "accuracy", **how, "cv": as_given(how.get("cv", 5), classes=True)}
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
    how = {**how, "cv": as_given(how.get("cv", 5), classes=False)}
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
        model = MKLClassifierCV(COSTS, p, cv=StratifiedKFold(5), scoring="accuracy", tol=TOL).fit(
            kernels, TWO_OF_WINE
        )
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


@pytest.mark.parametrize("unit", [1e-9, 1e6])
@pytest.mark.parametrize("loss", ["squared_error", "epsilon_insensitive"])
def test_the_unit_of_the_target_makes_no_difference(loss: str, unit: float) -> None:
    tube = loss == "epsilon_insensitive"
    told = MKLRegressorCV(4, epsilon=0.1 * SUGAR.std(), loss=loss, tol=1e-8)
    told.fit(SUGAR_STACK, SUGAR)
    model = MKLRegressorCV(4, loss=loss, tol=1e-8).fit(SUGAR_STACK, unit * SUGAR + unit)
    # C is in units of the target where it prices its deviations, of none where their squares.
    np.testing.assert_allclose(model.Cs_, (unit if tube else 1.0) * told.Cs_, rtol=1e-6)
    np.testing.assert_allclose(model.scores_, told.scores_, atol=1e-4)
    predicted = model.predict(SUGAR_STACK) / unit - 1
    np.testing.assert_allclose(predicted, told.predict(SUGAR_STACK), rtol=1e-3)


def test_the_loss_of_numbers_is_the_squared_error_unless_epsilon_is_given() -> None:
    for given, loss in (({}, "squared_error"), ({"epsilon": 5.0}, "epsilon_insensitive")):
        model = MKLRegressorCV([1.0, 10.0], **given).fit(SUGAR_STACK, SUGAR)
        plain = MKLRegressor(model.C_, loss=loss, **given).fit(SUGAR_STACK, SUGAR)
        np.testing.assert_array_equal(model.predict(SUGAR_STACK), plain.predict(SUGAR_STACK))


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
    model = MKLClassifierCV([0.1, 1.0], cv=LeaveOneOut(), scoring="accuracy", tol=TOL)
    model.fit(stack, y)
    found = search(MKLClassifier(tol=TOL), {"C": [0.1, 1.0]}, stack, y, {}, cv=LeaveOneOut())
    np.testing.assert_array_equal(model.scores_, scores_of(found, (1, 2)))


def test_without_a_refit_there_is_the_choice_only() -> None:
    model = MKLClassifierCV(COSTS).fit(WINE_STACK, WINE[1])
    chosen, calibration = (model.C_, model.p_), model.calibration_
    model.set_params(refit=False).fit(WINE_STACK, WINE[1])
    assert (model.C_, model.p_) == chosen
    assert not hasattr(model, "weights_")
    np.testing.assert_array_equal(model.calibration_, calibration)
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
        ({"scoring": "neg_brier_score"}, r"scoring='neg_brier_score' needs probabilities"),
        ({"random_state": "now"}, r"'random_state' parameter"),
        ({"scoring": lambda *_: np.nan}, r"gave nan on a fold of 36 samples; expected a finite"),
        ({"cv": 1}, r"'cv' parameter"),
        ({"cv": 100}, r"cv=100 does not split the 178 samples: .*Expected fewer folds"),
        ({"cv": GroupKFold(3)}, r"does not split .* Expected groups, as fit"),
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
    # The best few kernels are proven for one C: there is no path of them.
    assert set(plain) - {"C", "p", "n_kernels"} <= set(chosen)
    # Where C is chosen, so are the loss and the width of its tube (docs/defaults.md).
    for name in (set(plain) & set(chosen)) - {"epsilon", "loss"}:
        assert plain[name].default == chosen[name].default


def test_folds_of_a_large_stack_are_those_of_a_grid_search() -> None:
    """Here the folds wait for each other, and SMO runs long."""
    X, y = make_classification(420, 8, n_informative=4, flip_y=0.1, random_state=3)
    stack = stack_of(X)
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    found = search(MKLClassifier(tol=TOL), {"C": [0.1, 3.0], "p": [1, 2]}, stack, y, {}, cv=folds)
    model = MKLClassifierCV([0.1, 3.0], [1, 2], tol=TOL, cv=folds, scoring="accuracy", n_jobs=2)
    model.fit(stack, y)
    np.testing.assert_allclose(model.scores_, scores_of(found, (2, 2)), atol=1e-12)


@pytest.mark.parametrize("weights", [None, np.arange(40) % 3])
def test_folds_score_as_scikit_learn_does(weights: np.ndarray | None) -> None:
    rng, new = np.random.default_rng(0), np.empty((40, 1))
    y = np.array(["no", "yes", "or"])[rng.integers(3, size=40)]
    classifier = MKLClassifierCV()._machine(1.0, 1.0, of_fold=True)
    classifier.classes_, classifier.weights_ = np.unique(y), np.ones(1)
    classifier.hold_out(new, rng.normal(size=(40, 3)))
    expected = accuracy_score(y, classifier.predict(new), sample_weight=weights)
    assert classifier.score(new, y, weights) == expected
    regressor = MKLRegressorCV()._machine(1.0, 1.0, of_fold=True)
    numbers = rng.normal(size=40)
    for given in (numbers, np.ones(40)):  # no spread: by convention 0, or 1 where all is right
        for found in (rng.normal(size=40), given):
            regressor.hold_out(new, found[:, np.newaxis])
            expected = r2_score(given, found, sample_weight=weights)
            assert regressor.score(new, given, weights) == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------ the score by default, probabilities

UNEVEN = (TWO_X[:, 0] + 0.7 * TWO_X[:, 1] > 0.9).astype(int)


@pytest.mark.parametrize("y", [TWO, UNEVEN], ids=["even", "uneven"])
def test_the_default_score_of_two_classes_is_that_of_values_and_a_slope(y: np.ndarray) -> None:
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    model = MKLClassifierCV([0.3, 3.0], tol=TOL, cv=folds).fit(TWO_STACK, y)
    # Half an error in one sample more, for what is apart
    wanted = np.where(y == 1, 1 - 0.5 / 121, 0.5 / 121)
    for j, C in enumerate(model.Cs_):
        plain = MKLClassifier(C, tol=TOL)
        held_out = cross_val_predict(plain, TWO_STACK, y, cv=folds, method="decision_function")
        slope = minimize_scalar(
            lambda a, f=held_out: np.sum(np.logaddexp(0, a * f) - wanted * a * f)
        ).x
        chances = expit(slope * held_out)
        losses = [log_loss(y[test], chances[test]) for _, test in folds.split(y, y)]
        np.testing.assert_allclose(-model.scores_[0, j], losses, rtol=2e-3)
        if model.C_ == C:
            decisions = model.decision_function(TWO_STACK)
            np.testing.assert_allclose(
                model.predict_proba(TWO_STACK),
                calibrated(held_out[:, np.newaxis], y, decisions[:, np.newaxis]),
                atol=2e-3,
            )


def test_with_class_weights_the_default_score_is_that_of_calibrated_values() -> None:
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    model = MKLClassifierCV([0.3], tol=TOL, cv=folds, class_weight="balanced")
    model.fit(TWO_STACK, UNEVEN)
    plain = MKLClassifier(0.3, tol=TOL, class_weight="balanced")
    held_out = cross_val_predict(plain, TWO_STACK, UNEVEN, cv=folds, method="decision_function")
    chances = calibrated(held_out[:, np.newaxis], UNEVEN, held_out[:, np.newaxis])[:, 1]
    losses = [log_loss(UNEVEN[test], chances[test]) for _, test in folds.split(UNEVEN, UNEVEN)]
    np.testing.assert_allclose(-model.scores_[0, 0], losses, rtol=2e-3)


def test_values_without_a_threshold_are_not_chosen_by_default() -> None:
    # With a small C the linear machine ranks samples as well as with a large one, and says the
    # frequent class of all of them.
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(-1.5, 1.0, 85), rng.normal(1.5, 1.0, 15)]
    y = np.repeat([0, 1], [85, 15])
    K = np.outer(x, x) + 1.0
    model = MKLClassifierCV([1e-4, 1.0]).fit(K, y)
    ranks = MKLClassifierCV([1e-4, 1.0], scoring="roc_auc", refit=False).fit(K, y)
    assert abs(np.diff(ranks.scores_.mean(axis=2)[0])[0]) < 0.01
    with pytest.warns(ConstantPredictionWarning):
        MKLClassifierCV([1e-4]).fit(K, y)
    assert model.C_ == 1.0
    assert recall_score(y, model.predict(K)) > 0.5


@pytest.mark.parametrize(("C", "has_offsets"), [(0.02, True), (0.2, False)])
def test_the_default_score_of_more_classes_is_that_of_a_softmax_of_their_values(
    C: float, has_offsets: bool
) -> None:
    y = WINE[1]
    folds = StratifiedKFold(4, shuffle=True, random_state=1)
    model = MKLClassifierCV([C], tol=TOL, cv=folds).fit(WINE_STACK, y)
    plain = MKLClassifier(C, tol=TOL)
    values = cross_val_predict(plain, WINE_STACK, y, cv=folds, method="decision_function")
    # Half an error in one sample more, shared by the two classes that a sample is not of
    wanted = np.where(np.eye(3)[y] == 1, 1 - 0.5 / 179, 0.25 / 179)

    def loss(at: np.ndarray) -> float:
        return -float(np.sum(wanted * log_softmax(at[0] * values + at[1:], axis=1)))

    at = minimize(loss, [1.0, 0.0, 0.0, 0.0], options={"gtol": 1e-6}).x
    without = np.r_[minimize_scalar(lambda slope: loss(np.r_[slope, 0, 0, 0])).x, 0, 0, 0]
    # Schwarz's criterion: two parameters more
    earned = 2 * (loss(without) - loss(at)) - 2 * np.log(178)
    assert (earned > 0) == has_offsets
    # C is chosen by what the slope makes of the values alone.
    chances = softmax(without[0] * values, axis=1)
    at = at if has_offsets else without
    losses = [log_loss(y[test], chances[test]) for _, test in folds.split(y, y)]
    np.testing.assert_allclose(-model.scores_[0, 0], losses, rtol=1e-2)
    found = model.predict_proba(WINE_STACK)
    decisions = model.decision_function(WINE_STACK)
    np.testing.assert_allclose(found, softmax(at[0] * decisions + at[1:], axis=1), atol=2e-3)
    if not has_offsets:
        np.testing.assert_array_equal(
            model.classes_[found.argmax(axis=1)], model.predict(WINE_STACK)
        )


def test_probabilities_of_two_classes_rank_as_decision_values() -> None:
    """Scikit-learn's check, with kernels of the samples that it makes."""
    model = make_pipeline(Kernelizer(["rbf"]), MKLClassifierCV(COSTS, cv=4))
    check_decision_proba_consistency("MKLClassifierCV", model)


def test_neg_log_loss_is_the_default() -> None:
    by_default = MKLClassifierCV(COSTS).fit(WINE_STACK, WINE[1])
    by_name = MKLClassifierCV(COSTS, scoring="neg_log_loss").fit(WINE_STACK, WINE[1])
    np.testing.assert_array_equal(by_default.scores_, by_name.scores_)


def test_weights_of_samples_count_as_copies_in_the_default_score() -> None:
    twice = np.r_[np.arange(120), np.arange(0, 120, 3)]
    weights = 1.0 + (np.arange(120) % 3 == 0)
    fold = np.arange(120) % 4

    def splits(fold: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]

    of_weights = MKLClassifierCV(COSTS, tol=TOL, cv=splits(fold))
    of_weights.fit(TWO_STACK, TWO, sample_weight=weights)
    of_copies = MKLClassifierCV(COSTS, tol=TOL, cv=splits(fold[twice]))
    of_copies.fit(TWO_STACK[np.ix_(twice, twice)], TWO[twice])
    np.testing.assert_allclose(of_weights.scores_, of_copies.scores_, rtol=1e-3)
    np.testing.assert_allclose(of_weights.calibration_, of_copies.calibration_, rtol=1e-2)


@pytest.mark.filterwarnings("ignore::mkfusion.ConstantPredictionWarning")
def test_values_that_go_against_the_classes_are_calibrated_to_their_frequencies() -> None:
    # Samples that are like no others: what is said of one held out is the intercept, which goes
    # by the others, and so against its own class.
    y = np.repeat([0, 1], [12, 8])
    model = MKLClassifierCV([0.1, 1.0], cv=LeaveOneOut(), tol=TOL).fit(np.eye(20), y)
    # Each sample is of the other class by half an error in one sample more.
    share = (8 * (1 - 0.5 / 21) + 12 * 0.5 / 21) / 20
    assert model.calibration_[0, 0] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(model.predict_proba(np.eye(20))[:, 1], share)


def test_a_class_that_a_fold_has_not_learned_counts_as_unlikely() -> None:
    model = MKLClassifierCV(COSTS, cv=KFold(3)).fit(WINE_STACK, WINE[1])
    fair = MKLClassifierCV(COSTS).fit(WINE_STACK, WINE[1])
    assert np.isfinite(model.scores_).all()
    assert model.best_score_ < fair.best_score_ - 0.3
    np.testing.assert_allclose(model.predict_proba(WINE_STACK).sum(axis=1), 1.0)


# ------------------------------------------------------------------ folds that nobody has given


@pytest.mark.parametrize("classes", [True, False])
def test_the_order_of_samples_makes_no_difference(classes: bool) -> None:
    X, y = (WINE_STACK, WINE[1]) if classes else (SUGAR_STACK, SUGAR)
    kind: Any = MKLClassifierCV if classes else MKLRegressorCV
    order = np.random.default_rng(3).permutation(len(y))
    one = kind([0.1, 1.0, 10.0], tol=TOL).fit(X, y)
    other = kind([0.1, 1.0, 10.0], tol=TOL).fit(X[np.ix_(order, order)], y[order])
    np.testing.assert_allclose(other.scores_, one.scores_, atol=1e-3)
    assert other.C_ == one.C_


def test_folds_are_drawn_by_random_state() -> None:
    first, again, other = (
        MKLClassifierCV(COSTS, random_state=seed).fit(TWO_STACK, TWO).scores_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_a_number_of_folds_is_stratified_and_keeps_groups_together() -> None:
    groups = np.arange(150) // 10
    values = SUGAR + 1e-6 * np.arange(150)  # no two are equal
    held_out = []

    def remember(model: Any, X: Any, y: Any) -> float:
        held_out.append(np.flatnonzero(np.isin(values, y)))
        return 0.0

    MKLRegressorCV([1.0], scoring=remember, cv=3).fit(SUGAR_STACK, values, groups=groups)
    assert sorted(np.concatenate(held_out)) == list(range(150))
    assert sum(len(set(groups[some])) for some in held_out) == 15
    shares: list[float] = []
    MKLClassifierCV([1.0], scoring=lambda m, X, y: shares.append(y.mean()) or 0.0, cv=4).fit(
        TWO_STACK, UNEVEN
    )
    np.testing.assert_allclose(shares, UNEVEN.mean(), atol=1 / 30)


def test_a_model_that_says_one_class_says_so() -> None:
    y = np.repeat(["rare", "usual"], [12, 108])
    noise = [rbf_kernel(np.random.default_rng(0).normal(size=(120, 3)), gamma=0.1)]
    told = "'usual' for every training sample, as 90% of them are: .* better by log loss\\."
    with pytest.warns(ConstantPredictionWarning, match=told):
        model = MKLClassifierCV([1e-3, 1e-2]).fit(noise, y)
    with pytest.warns(ConstantPredictionWarning, match="better by scoring='accuracy'"):
        MKLClassifierCV([1e-3, 1e-2], scoring="accuracy").fit(noise, y)
    assert set(model.predict(noise)) == {"usual"}
    # The 12 weigh more than one of the others: still a surprise.
    with pytest.warns(ConstantPredictionWarning, match="'usual'"):
        MKLClassifierCV([1e-3], class_weight={"rare": 0.1, "usual": 1.0}).fit(noise, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConstantPredictionWarning)
        MKLClassifierCV().fit(WINE_STACK, WINE[1])
        # Asked for: the 12 samples weigh less than one of the others.
        asked = MKLClassifierCV([1e-3], class_weight={"rare": 0.05, "usual": 1.0}).fit(noise, y)
        assert set(asked.predict(noise)) == {"usual"}
