"""The combiner's weights against formulas, cvxpy and MKLpy; any kernel machine after it."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import KernelPCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import (
    laplacian_kernel,
    linear_kernel,
    polynomial_kernel,
    rbf_kernel,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import mkfusion.kernels.kernelizer._evaluation
import mkfusion.mkl._combiner
import mkfusion.solvers._hard_margin
from mkfusion import (
    ColumnKernelizer,
    DegenerateKernelWarning,
    KernelCombiner,
    KernelStack,
    MKLClassifier,
    MKLNoveltyDetector,
    MKLRegressor,
    RBFBank,
    RBFKernel,
)
from mkfusion.datasets import load_sonar
from mkfusion.solvers._hard_margin import HardMargin
from oracles.names import named
from oracles.samples import FOLDS, Floats, grams, raw

LEARNED = ["alignment", "alignf", "easymkl"]
ALIGNED = ["alignment", "alignf"]
learned = pytest.mark.parametrize("weighting", LEARNED)
aligned = pytest.mark.parametrize("weighting", ALIGNED)
class_counts = pytest.mark.parametrize("classes", [2, 3])


def bank(classes: int = 2) -> tuple[Floats, NDArray[Any]]:
    """Six kernels (6, 72, 72), one of them of noise, and labels."""
    x, y = raw(classes)
    noise = np.random.default_rng(5).normal(size=(len(y), 4))
    some = [
        *grams(x, x),
        polynomial_kernel(x[:, :3], degree=2) / 30,
        laplacian_kernel(x, gamma=0.3),
        rbf_kernel(noise, gamma=0.3),
    ]
    return np.array(some), y


def quantity() -> Floats:
    """A continuous target (72,) that the first kernels know."""
    x, _ = raw()
    return np.sin(x[:, 0]) + 0.3 * x[:, 3] ** 2 + 10.0


def weights(kernels: Any, y: Any, weighting: Any, **parameters: Any) -> Floats:
    """Fitted weights."""
    return KernelCombiner(weighting, **parameters).fit(list(kernels), y).weights_


def target_kernel(y: NDArray[Any]) -> Floats:
    """The target kernel, from the definition."""
    return np.outer(y, y) if y.dtype.kind == "f" else (y[:, None] == y[None, :]).astype(float)


def centred(K: Floats) -> Floats:
    """H K H, with the matrix H."""
    H = np.eye(len(K)) - 1.0 / len(K)
    return H @ K @ H


TARGETS = {
    "two classes": bank(2)[1],
    "three classes": bank(3)[1],
    "booleans": bank(2)[1] == "walk",
    "continuous": quantity(),
}
targets = pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)


def solve(problem: cp.Problem) -> None:
    """Solve as accurately as Clarabel can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a tolerance that is not quite reached
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)


# Alignment


@targets
def test_alignment_is_the_formula(y: NDArray[Any]) -> None:
    kernels, _ = bank()
    T = centred(target_kernel(y))
    expected = np.array([np.sum(K * T) / np.linalg.norm(K) for K in map(centred, kernels)])
    np.testing.assert_allclose(weights(kernels, y, "alignment"), expected / expected.sum())


@aligned
def test_two_classes_are_signs(weighting: str) -> None:
    kernels, y = bank()
    signs = np.where(y == "walk", 1.0, -1.0)
    np.testing.assert_allclose(
        weights(kernels, y, weighting),
        weights(kernels, signs, weighting, target_type="continuous"),
        atol=1e-12,
    )


@targets
def test_alignf_solves_its_quadratic_program(y: NDArray[Any]) -> None:
    kernels, _ = bank()
    T = centred(target_kernel(y))
    flat = np.array([centred(K).ravel() for K in kernels])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    v = cp.Variable(len(flat), nonneg=True)
    goal = T.ravel() / np.linalg.norm(T)
    solve(cp.Problem(cp.Minimize(cp.sum_squares(flat.T @ v - goal))))
    expected = v.value / [np.linalg.norm(centred(K)) for K in kernels]
    np.testing.assert_allclose(weights(kernels, y, "alignf"), expected / expected.sum(), atol=2e-6)


@targets
def test_nothing_is_aligned_better_than_alignf(y: NDArray[Any]) -> None:
    kernels, _ = bank()
    T = centred(target_kernel(y))

    def alignment(d: Floats) -> float:
        K = centred(np.tensordot(d, kernels, axes=1))
        return float(np.sum(K * T) / np.linalg.norm(K) / np.linalg.norm(T))

    best = alignment(weights(kernels, y, "alignf"))
    rng = np.random.default_rng(0)
    others = [*np.eye(len(kernels)), *rng.dirichlet(np.full(len(kernels), 0.3), size=200)]
    assert best >= max(alignment(d) for d in others)
    assert best >= alignment(weights(kernels, y, "alignment"))


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
@aligned
def test_a_constant_added_to_a_kernel_changes_nothing(weighting: str) -> None:
    """Centring sees through it, without losing the digits that the kernel still has."""
    kernels, y = bank()
    expected = weights(kernels, y, weighting)
    for constant, tolerance in ((1.0, 1e-12), (1e6, 1e-7)):
        found = weights(kernels + constant, y, weighting)
        np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
@aligned
def test_kernels_far_from_the_origin(weighting: str) -> None:
    """Linear kernels of samples that were not centred, some of them nearly the same."""
    x, y = raw(3)
    views = [x[:, :3], 1.0001 * x[:, :3], x[:, 3:], x[:, 1:4]]
    expected = np.tensordot(
        weights([v @ v.T for v in views], y, weighting), [v @ v.T for v in views], axes=1
    )
    for shift in (1e2, 1e4):
        far = [(v + shift) @ (v + shift).T for v in views]
        found = centred(np.tensordot(weights(far, y, weighting), far, axes=1))
        np.testing.assert_allclose(found, centred(expected), atol=1e-5 * np.abs(expected).max())


@aligned
def test_blocks_of_rows_and_kernels(weighting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, y = bank()
    whole = weights(kernels, y, weighting)
    for size in (1, 20_000):
        monkeypatch.setattr(mkfusion.stack._views, "BLOCK_BYTES", size)
        monkeypatch.setattr(mkfusion.mkl._combiner, "BLOCK_BYTES", size)
        np.testing.assert_allclose(weights(kernels, y, weighting), whole, rtol=1e-12)


@aligned
def test_whole_numbers_may_be_a_quantity(weighting: str) -> None:
    kernels, _ = bank()
    y = np.round(1000 * quantity())
    with pytest.raises(ValueError, match=r"y holds \d+ different whole numbers.*target_type"):
        weights(kernels, y, weighting)
    found = weights(kernels, y, weighting, target_type="continuous")
    np.testing.assert_allclose(found, weights(kernels, y / 1000, weighting), atol=2e-3)
    with warnings.catch_warnings():  # newer versions of scikit-learn find these classes odd
        warnings.filterwarnings("ignore", ".*unique classes")
        as_classes = weights(kernels, y, weighting, target_type="classes")
    assert np.abs(as_classes - found).max() > 1e-2


# EasyMKL


def nearest_points(K: Floats, y: Floats, lam: float) -> Floats:
    """Weights of the samples by cvxpy, signed: (1 - lam) b'Kb + lam b'b is minimal."""
    values, vectors = np.linalg.eigh((1 - lam) * K + lam * np.eye(len(y)))
    root = (vectors * np.sqrt(values)).T
    g = cp.Variable(len(y), nonneg=True)
    problem = cp.Problem(
        cp.Minimize(cp.sum_squares(root @ cp.multiply(y, g))),
        [cp.sum(g[y > 0]) == 1, cp.sum(g[y < 0]) == 1],
    )
    solve(problem)
    return y * g.value


def distances(kernels: Floats, y: NDArray[Any], label: str, lam: float) -> Floats:
    """What each kernel sees of the distance between a class and the rest, by cvxpy."""
    signs = np.where(y == label, 1.0, -1.0)
    b = nearest_points(kernels.sum(axis=0), signs, lam)
    return np.array([b @ K @ b for K in kernels])


@pytest.mark.parametrize("lam", [1e-4, 0.01, 0.1, 0.5, 0.95, 1.0])
def test_easymkl_solves_its_quadratic_program(lam: float) -> None:
    kernels, y = bank()
    expected = distances(kernels, y, "walk", lam)
    found = weights(kernels, y, "easymkl", lam=lam)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("lam", [0.05, 0.7])
def test_easymkl_sums_over_the_classes(lam: float) -> None:
    kernels, y = bank(3)
    expected = sum(distances(kernels, y, label, lam) for label in np.unique(y))
    found = weights(kernels, y, "easymkl", lam=lam)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


def test_easymkl_at_one_compares_class_means() -> None:
    kernels, y = bank()
    b = np.where(y == "walk", 1.0 / np.sum(y == "walk"), -1.0 / np.sum(y != "walk"))
    expected = np.array([b @ K @ b for K in kernels])
    found = weights(kernels, y, "easymkl", lam=1.0)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)


# EasyMKL(lam, learner=SVC(kernel="precomputed")).combine_kernels(kernels, y).weights of MKLpy 0.6
# (with scikit-learn 1.9.1), which stores them in single precision, on the kernels below.
MKLPY = {
    0.05: [0.04673938, 0.39663187, 0.47914398, 0.07414163, 0.00334317],
    0.1: [0.04761959, 0.39778605, 0.47504374, 0.07609951, 0.00345114],
    0.5: [0.05884289, 0.40645206, 0.42723855, 0.10255591, 0.00491057],
    0.9: [0.10217194, 0.3892574, 0.27719101, 0.22009151, 0.01128818],
    1.0: [0.15624209, 0.30709538, 0.12737821, 0.39018071, 0.01910361],
}


@pytest.mark.parametrize("lam", MKLPY)
def test_easymkl_agrees_with_mklpy(lam: float) -> None:
    X, y = load_sonar(return_X_y=True)
    x = X["bands"]
    kernels = [rbf_kernel(x, gamma=gamma) for gamma in (0.1, 1.0, 10.0)]
    kernels += [polynomial_kernel(x, degree=2, gamma=0.1), linear_kernel(x[:, :20]) / 20]
    np.testing.assert_allclose(weights(kernels, y, "easymkl", lam=lam), MKLPY[lam], atol=1e-7)


@pytest.mark.parametrize("n", [12, 60])
@pytest.mark.parametrize("ridge", [1e-6, 1e-2, 1.0])
def test_nearest_points_are_certified(n: int, ridge: float) -> None:
    """The gap is what the definition says, and the support vectors lie on the margins."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)), np.where(np.arange(n) % 3 == 0, 1.0, -1.0)
    K = rbf_kernel(x) + ridge * np.eye(n)
    task = HardMargin(y)
    gap = task.find(K, 1e-10)
    b = task.nearest
    assert gap <= 1e-10
    assert (y * b >= 0).all()
    np.testing.assert_allclose([b[y > 0].sum(), b[y < 0].sum()], [1.0, -1.0])
    f = K @ b
    apart = f[y > 0].min() - f[y < 0].max()
    assert 1.0 - apart / (b @ f) == pytest.approx(gap, abs=1e-12)
    np.testing.assert_allclose(f[(y > 0) & (b != 0)], f[y > 0].min(), atol=1e-8)
    np.testing.assert_allclose(f[(y < 0) & (b != 0)], f[y < 0].max(), atol=1e-8)


def test_easymkl_says_when_it_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, y = bank()
    monkeypatch.setattr(mkfusion.solvers._hard_margin, "_MAX_SMO_ITER", 0.1)
    with pytest.warns(ConvergenceWarning, match=r"relative gap .*expected 1e-06.*lam"):
        weights(kernels, y, "easymkl", lam=1e-3)


def test_lam_that_is_lost_in_rounding() -> None:
    kernels, y = bank()
    with pytest.raises(ValueError, match=r"lam is 1e-05; expected at least .*one scale"):
        weights(1e12 * kernels, y, "easymkl", lam=1e-5)


# Properties of all that is learned


@learned
@class_counts
def test_weights_are_a_share_for_each_kernel(weighting: str, classes: int) -> None:
    kernels, y = bank(classes)
    found = weights(kernels, y, weighting)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0)
    assert found[-1] < 0.5 * found.max()  # noise


@learned
@class_counts
def test_order_of_samples_and_kernels(weighting: str, classes: int) -> None:
    kernels, y = bank(classes)
    found = weights(kernels, y, weighting)
    rng = np.random.default_rng(1)
    rows, order = rng.permutation(len(y)), rng.permutation(len(kernels))
    shuffled = weights(kernels[order][:, rows][:, :, rows], y[rows], weighting)
    np.testing.assert_allclose(shuffled, found[order], atol=1e-6)


@learned
def test_names_of_classes(weighting: str) -> None:
    kernels, y = bank()
    found = weights(kernels, y, weighting)
    for labels in ((y == "walk").astype(int), (y != "walk").tolist(), pd.Series(y)):
        np.testing.assert_allclose(weights(kernels, labels, weighting), found, atol=1e-8)


@learned
@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_scale_of_all_kernels(weighting: str, scale: float) -> None:
    kernels, y = bank()
    # lam stands beside the kernels: it is 1 / (1 + scale (1 / lam - 1)) that scales with them.
    lam = 0.1
    scaled = lam * scale / (1.0 - lam + lam * scale)
    np.testing.assert_allclose(
        weights(scale * kernels, y, weighting, lam=scaled),
        weights(kernels, y, weighting, lam=lam),
        atol=1e-6,
    )


def test_alignf_does_not_depend_on_the_scales() -> None:
    kernels, y = bank()
    scales = 10.0 ** np.array([-6, 3, 0, 5, -2, 1])[:, None, None]
    plain, scaled = kernels, scales * kernels
    expected = np.tensordot(weights(plain, y, "alignf"), plain, axes=1)
    found = np.tensordot(weights(scaled, y, "alignf"), scaled, axes=1)
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), atol=1e-10)


@learned
def test_copies_share_weight(weighting: str) -> None:
    kernels, y = bank()
    best = int(weights(kernels, y, weighting).argmax())
    with_copy = np.concatenate([kernels, kernels[[best]]])
    found = weights(with_copy, y, weighting)
    assert found[best] == pytest.approx(found[-1], rel=1e-6)
    if weighting == "alignf":  # where copies change nothing else
        shared = found[:-1] + found[-1] * (np.arange(len(kernels)) == best)
        np.testing.assert_allclose(shared, weights(kernels, y, weighting), atol=1e-7)


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
@learned
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_kernels_get_no_weight(weighting: str, dtype: type) -> None:
    kernels, y = bank()
    n = len(y)
    nothing = [np.full((n, n), 0.1), np.zeros((n, n)), np.full((n, n), 3e7)]
    found = weights(np.array([kernels[0], *nothing]).astype(dtype), y, weighting)
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="no kernel that tells samples apart"):
        weights(np.array(nothing, dtype=dtype), y, weighting, lam=1.0)


@learned
def test_single_precision(weighting: str) -> None:
    kernels, y = bank(3)
    found = weights(kernels.astype(np.float32), y, weighting)
    np.testing.assert_allclose(found, weights(kernels, y, weighting), atol=1e-5)


def kernelizer() -> ColumnKernelizer:
    """Three kernels on two groups of columns."""
    return ColumnKernelizer(
        [("accel", [RBFKernel(gamma=0.5), "linear"], [0, 1, 2]), ("gyro", "rbf", [3, 4])]
    )


@learned
def test_stacks_on_demand(weighting: str) -> None:
    x, y = raw(3)
    lazy = kernelizer().fit_transform(x)
    combiner = KernelCombiner(weighting).fit(lazy, y)
    assert combiner.kernel_names_ == lazy.names
    in_memory = KernelCombiner(weighting).fit(lazy.materialize(), y)
    np.testing.assert_allclose(combiner.weights_, in_memory.weights_, rtol=1e-9)
    np.testing.assert_allclose(combiner.transform(lazy), lazy.combine(combiner.weights_))


@aligned
def test_banks_of_kernels(weighting: str) -> None:
    x, y = raw()
    stack = RBFBank(40, random_state=0).fit_transform(x)
    in_memory = KernelCombiner(weighting).fit(stack.materialize(), y)
    found = KernelCombiner(weighting).fit(stack, y).weights_
    np.testing.assert_allclose(found, in_memory.weights_, atol=1e-5)


# Weights that are given


def test_uniform_is_the_mean() -> None:
    kernels, _ = bank()
    combiner = KernelCombiner()
    np.testing.assert_allclose(combiner.fit_transform(list(kernels)), kernels.mean(axis=0))
    np.testing.assert_allclose(combiner.weights_, np.full(6, 1 / 6))
    assert combiner.model_ is None


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_given_weights(kind: Callable[[Any], Any]) -> None:
    kernels, _ = bank()
    given = [0.0, 2.0, 0.5, 0.0, 1.0, 0.25]
    combiner = KernelCombiner(kind(given)).fit(list(kernels))
    np.testing.assert_array_equal(combiner.weights_, given)
    np.testing.assert_allclose(
        combiner.transform(list(kernels)), np.tensordot(given, kernels, axes=1)
    )


@class_counts
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_weights_of_a_model(classes: int, p: float) -> None:
    kernels, y = bank(classes)
    stack = KernelStack(list(kernels))
    model = MKLClassifier(C=3.0, p=p).fit(stack, y)
    fitted = KernelCombiner(model).fit(stack)
    assert fitted.model_ is model
    np.testing.assert_array_equal(fitted.weights_, model.weights_)
    inside = KernelCombiner(MKLClassifier(C=3.0, p=p))
    inside.fit(stack, y)
    np.testing.assert_array_equal(inside.weights_, model.weights_)
    assert inside.model_.duality_gap_ <= inside.model_.tol
    assert not hasattr(inside.weighting, "weights_")


def test_the_machine_after_a_model_is_the_models_own() -> None:
    kernels, y = bank()
    model = MKLClassifier(C=3.0, p=2.0, tol=1e-8).fit(list(kernels), y)
    machine = make_pipeline(KernelCombiner(model), SVC(kernel="precomputed", C=3.0, tol=1e-6))
    found = machine.fit(KernelStack(list(kernels)), y).decision_function(list(kernels))
    np.testing.assert_allclose(found, model.decision_function(list(kernels)), atol=1e-3)


def test_models_of_other_tasks() -> None:
    kernels, _ = bank()
    stack, y = KernelStack(list(kernels)), quantity()
    for model, target in ((MKLRegressor(C=10.0), y), (MKLNoveltyDetector(), None)):
        combiner = KernelCombiner(model).fit(stack, target)
        np.testing.assert_array_equal(combiner.weights_, clone(model).fit(stack, y).weights_)
        assert get_tags(combiner).target_tags.required == (target is not None)


def test_a_model_is_fitted_in_every_fold_unless_frozen() -> None:
    kernels, y = bank()
    stack = KernelStack(list(kernels))
    model = MKLClassifier(C=3.0).fit(stack, y)
    assert not hasattr(clone(KernelCombiner(model)).weighting, "weights_")
    frozen = clone(KernelCombiner(FrozenEstimator(model)))
    half = np.arange(len(y) // 2)
    np.testing.assert_array_equal(frozen.fit(stack[np.ix_(half, half)]).weights_, model.weights_)


def test_models_that_do_not_fit() -> None:
    kernels, y = bank(3)
    stack = KernelStack(list(kernels), names=list("abcdef"))
    with pytest.raises(ValueError, match=r"\(3, 6\).*per_class_weights=False"):
        KernelCombiner(MKLClassifier(per_class_weights=True)).fit(stack, y)
    model = MKLClassifier(p=2).fit(stack, y)
    with pytest.raises(ValueError, match="X has 2 kernels.*expected the 6 kernels"):
        KernelCombiner(model).fit(stack.select(["a", "b"]))
    with pytest.raises(ValueError, match="expected those of fit in their order"):
        KernelCombiner(model).fit(stack.select(list("bacdef")))
    for wrong in (SVC(), MKLClassifier, FrozenEstimator(MKLClassifier())):
        with pytest.raises(TypeError, match="weighting is .*expected an MKL model"):
            KernelCombiner(wrong).fit(stack, y)


# Machines


@pytest.mark.parametrize("weighting", ["uniform", *LEARNED, MKLClassifier(p=2)], ids=named)
@class_counts
def test_pipeline_learns_from_the_training_fold_only(weighting: Any, classes: int) -> None:
    x, y = raw(classes)
    pipeline = make_pipeline(
        kernelizer(), KernelCombiner(weighting), SVC(kernel="precomputed", C=3.0)
    )
    found = cross_val_score(pipeline, x, y, cv=FOLDS, error_score="raise")
    expected = []
    for train, test in FOLDS.split(x, y):
        fitted = kernelizer()
        stack = fitted.fit_transform(x[train])
        d = KernelCombiner(weighting).fit(stack, y[train]).weights_
        machine = SVC(kernel="precomputed", C=3.0).fit(stack.combine(d), y[train])
        expected.append(machine.score(fitted.transform(x[test]).combine(d), y[test]))
    np.testing.assert_allclose(found, expected)


@learned
def test_cross_validation_of_a_stack(weighting: str) -> None:
    """Which scikit-learn cuts into rows and columns because of the pairwise tag."""
    kernels, y = bank(3)
    machine = make_pipeline(KernelCombiner(weighting), SVC(kernel="precomputed"))
    found = [
        cross_val_score(machine, X, y, cv=FOLDS, error_score="raise")
        for X in (KernelStack(list(kernels)), np.moveaxis(kernels, 0, -1))
    ]
    expected = []
    for train, test in FOLDS.split(y, y):
        inner, outer = kernels[:, train][:, :, train], kernels[:, test][:, :, train]
        fitted = clone(machine).fit(KernelStack(list(inner)), y[train])
        expected.append(fitted.score(KernelStack(list(outer)), y[test]))
    np.testing.assert_allclose(found, [expected, expected])


def test_grid_search_over_weightings() -> None:
    x, y = raw()
    pipeline = make_pipeline(kernelizer(), KernelCombiner(), SVC(kernel="precomputed"))
    grid = {
        "kernelcombiner__weighting": ["uniform", *LEARNED, [1.0, 0.0, 0.0], MKLClassifier()],
        "svc__C": [1.0, 10.0],
    }
    search = GridSearchCV(pipeline, grid, cv=FOLDS, error_score="raise").fit(x, y)
    assert len(search.cv_results_["params"]) == 12
    assert search.score(x, y) > 0.8
    nested = GridSearchCV(
        make_pipeline(kernelizer(), KernelCombiner(MKLClassifier()), SVC(kernel="precomputed")),
        {"kernelcombiner__weighting__p": [1.0, 2.0]},
        cv=FOLDS,
        error_score="raise",
    ).fit(x, y)
    assert nested.best_score_ > 0.7


@aligned
def test_regression(weighting: str) -> None:
    x, _ = raw()
    y = quantity() - 10.0  # kernel ridge has no intercept
    cv = KFold(3, shuffle=True, random_state=0)
    for machine in (KernelRidge(kernel="precomputed", alpha=0.1), SVR(kernel="precomputed", C=10)):
        pipeline = make_pipeline(kernelizer(), KernelCombiner(weighting), machine)
        assert cross_val_score(pipeline, x, y, cv=cv, error_score="raise").mean() > 0.3


@pytest.mark.parametrize("weighting", ["uniform", "alignf"])
def test_unsupervised_machines(weighting: str) -> None:
    kernels, y = bank(3)
    stack = KernelStack(list(kernels[:3]))
    components = make_pipeline(
        KernelCombiner(weighting), KernelPCA(n_components=2, kernel="precomputed")
    )
    coordinates = components.fit(stack, y).transform(stack)
    K = KernelCombiner(weighting).fit_transform(stack, y)
    top = np.linalg.eigvalsh(centred(K))[::-1][:2]
    np.testing.assert_allclose((coordinates**2).sum(axis=0), top)
    clusters = make_pipeline(
        KernelCombiner(weighting),
        SpectralClustering(3, affinity="precomputed", random_state=0),
    )
    positive = KernelStack(list(np.abs(kernels[:2])))
    assert adjusted_rand_score(y, clusters.fit_predict(positive, y)) > 0.2


# Input


@learned
def test_forms_of_input(weighting: str) -> None:
    kernels, y = bank()
    expected = KernelCombiner(weighting).fit_transform(KernelStack(list(kernels)), y)
    for X in (list(kernels), np.moveaxis(kernels, 0, -1)):
        combiner = KernelCombiner(weighting).fit(X, y)
        np.testing.assert_array_equal(combiner.transform(X), expected)
        assert combiner.n_features_in_ == len(y)
        np.testing.assert_array_equal(
            combiner.transform([K[:5] for K in kernels]), combiner.transform(X)[:5]
        )
    single = KernelCombiner(weighting).fit(kernels[0], y)
    np.testing.assert_allclose(single.transform(kernels[0]), kernels[0])
    assert single.kernel_names_ == ["kernel0"]


def test_names_of_columns() -> None:
    kernels, _ = bank()
    table = pd.DataFrame(kernels[0], columns=[f"s{i}" for i in range(len(kernels[0]))])
    combiner = KernelCombiner().fit(table)
    assert combiner.feature_names_in_.tolist() == table.columns.tolist()
    with pytest.raises(ValueError, match="other ids than the training X"):
        combiner.transform(table.rename(columns={"s0": "other"}))
    assert not hasattr(combiner.fit(list(kernels)), "feature_names_in_")


def test_pickle_and_clone() -> None:
    kernels, y = bank()
    for weighting in ("alignf", [1.0] * 6, MKLClassifier(p=2)):
        combiner = KernelCombiner(weighting).fit(list(kernels), y)
        copy = pickle.loads(pickle.dumps(combiner))
        expected = combiner.transform(list(kernels))
        np.testing.assert_array_equal(copy.transform(list(kernels)), expected)
        again = clone(combiner).fit(list(kernels), y)
        np.testing.assert_array_equal(again.weights_, combiner.weights_)


def test_set_output_does_not_apply() -> None:
    assert not hasattr(KernelCombiner(), "set_output")
    assert not hasattr(KernelCombiner(), "get_feature_names_out")


def test_tags() -> None:
    kernels, y = bank()
    fitted = MKLClassifier().fit(list(kernels), y)
    for weighting, needs_y in (
        ("uniform", False),
        ([1.0, 2.0], False),
        (fitted, False),
        (MKLClassifier(), True),
        *((name, True) for name in LEARNED),
    ):
        tags = get_tags(KernelCombiner(weighting))
        assert tags.input_tags.pairwise
        assert tags.input_tags.three_d_array
        assert tags.target_tags.required == needs_y


GOOD, LABELS = bank()


@pytest.mark.parametrize("weighting", [*LEARNED, MKLClassifier()], ids=named)
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y: expected class labels; requires y"),
        (LABELS[:-1], "y has .* samples; expected"),
        (np.full(72, "walk"), "y has one class"),
        (np.where(np.arange(72) == 3, np.nan, 1.0), "NaN"),
        (np.eye(72), "1d array"),
    ],
    ids=["none", "length", "one class", "nan", "shape"],
)
def test_bad_targets(weighting: Any, y: Any, message: str) -> None:
    combiner = KernelCombiner(weighting)
    with pytest.raises(ValueError, match=message):
        combiner.fit(list(GOOD), y)
    assert not hasattr(combiner, "weights_")
    with pytest.raises(NotFittedError):
        combiner.transform(list(GOOD))


@aligned
@pytest.mark.parametrize("y", [np.full(72, 0.5), np.where(np.arange(72) == 3, np.inf, 0.5)])
def test_bad_continuous_targets(weighting: str, y: Floats) -> None:
    with pytest.raises(ValueError, match="y is 0.5 for every sample|y contains infinity"):
        weights(GOOD, y, weighting)


def test_easymkl_refuses_a_continuous_target() -> None:
    with pytest.raises(ValueError, match='y is continuous.*"easymkl".*"alignf"'):
        weights(GOOD, quantity(), "easymkl")


def with_entry(value: float) -> list[Floats]:
    """Kernels of which one has another entry."""
    kernels = GOOD.copy()
    kernels[1, 2, 5] = value
    return list(kernels)


@pytest.mark.parametrize("weighting", ["uniform", *LEARNED, [1.0] * 6, MKLClassifier()], ids=named)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (with_entry(np.nan), r"X\[1\] contains nan"),
        (with_entry(5.0), r"X\[1\] \('kernel1'\) is not symmetric"),
        ([*GOOD[:5], -GOOD[5]], r"X\[5\] \('kernel5'\) is not positive semi-definite"),
        ([*GOOD[:5], GOOD[5][:-1, :-1]], r"X\[5\] has shape \(71, 71\)"),
        ([K[:, :-1] for K in GOOD], "expected square training kernels"),
        ([], "X is empty"),
    ],
    ids=["nan", "asymmetric", "indefinite", "sizes", "rectangular", "empty"],
)
def test_bad_kernels(weighting: Any, X: Any, message: str) -> None:
    combiner = KernelCombiner(weighting)
    with pytest.raises(ValueError, match=message):
        combiner.fit(X, LABELS)
    assert not hasattr(combiner, "weights_")


@pytest.mark.parametrize(
    ("weighting", "message"),
    [
        ([1.0, 2.0], r"weighting has shape \(2,\); expected \(6,\)"),
        (np.ones((6, 1)), r"weighting has shape \(6, 1\)"),
        ([1, 1, -0.5, 1, 1, 1], r"weighting\[2\] is -0.5 \(kernel 'kernel2'\).*non-negative"),
        ([1, 1, 1, np.nan, 1, 1], r"weighting\[3\] is nan"),
        ([0.0] * 6, "weighting is zero for every kernel"),
        (["a"] * 6, "weighting is not a vector of numbers"),
        ("mean", "weighting"),
        (None, "weighting"),
        (0.5, "weighting"),
    ],
)
def test_bad_weightings(weighting: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KernelCombiner(weighting).fit(list(GOOD), LABELS)


@pytest.mark.parametrize(
    "parameters",
    [{"lam": 0.0}, {"lam": 1.5}, {"lam": "a"}, {"target_type": "regression"}],
    ids=named,
)
def test_bad_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        KernelCombiner("easymkl", **parameters).fit(list(GOOD), LABELS)


def test_bad_test_kernels() -> None:
    combiner = KernelCombiner("alignf").fit(list(GOOD), LABELS)
    with pytest.raises(ValueError, match="X has 5 kernels .*expected the 6 kernels"):
        combiner.transform(list(GOOD[:5]))
    with pytest.raises(ValueError, match="KernelCombiner was fitted with 72 training samples"):
        combiner.transform([K[:, :70] for K in GOOD])


# scikit-learn's checks run on the default in tests/test_common.py

NOT_A_GRAM_MATRIX = "the check passes a matrix with large negative eigenvalues as a Gram matrix"


@parametrize_with_checks(
    [KernelCombiner("alignf"), KernelCombiner("easymkl")],
    expected_failed_checks=lambda _: {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX,
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX,
    },
)
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("weighting", [*LEARNED, "unbiased_alignment"])
def test_survival_targets_are_refused(weighting: str) -> None:
    """They were read as a class for each pair of event and time."""
    fields = [("event", "?"), ("time", "f8")]
    survival = np.array([(i % 3 > 0, float(i)) for i in range(72)], dtype=fields)
    with pytest.raises(ValueError, match="compare_fusion learn survival targets"):
        KernelCombiner(weighting).fit(bank()[0].transpose(1, 2, 0), survival)
    for model in (MKLClassifier(), MKLRegressor()):
        with pytest.raises(ValueError, match="compare_fusion learn survival targets"):
            model.fit(bank()[0].transpose(1, 2, 0), survival)


# ---------------------------------------------------------- alignment between different samples


@class_counts
def test_unbiased_alignment_is_the_formula(classes: int) -> None:
    """Song et al. (2012), equation 4, for kernels without their diagonals."""

    def product(K: Floats, L: Floats) -> float:
        n = len(K)
        K, L = K - np.diag(np.diagonal(K)), L - np.diag(np.diagonal(L))
        sums = np.trace(K @ L) + K.sum() * L.sum() / ((n - 1) * (n - 2))
        return float(sums - 2.0 / (n - 2) * (K @ L).sum())

    kernels, y = bank(classes)
    target = target_kernel(y)
    expected = np.array([product(K, target) / np.sqrt(product(K, K)) for K in kernels])
    expected = np.maximum(expected, 0.0)
    found = weights(kernels, y, "unbiased_alignment")
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-9)
    shifted = kernels + 3.0 * np.eye(72) + 100.0
    np.testing.assert_allclose(weights(shifted, y, "unbiased_alignment"), found, rtol=1e-7)


def test_unbiased_alignment_gives_noise_next_to_nothing() -> None:
    X, y = load_sonar(return_X_y=True)
    noise = np.random.default_rng(1).normal(size=(len(y), 200))
    kernels = np.array([RBFKernel()(np.asarray(X["bands"])), RBFKernel()(noise)])
    assert weights(kernels, y, "unbiased_alignment")[1] < 0.1
    with pytest.warns(DegenerateKernelWarning, match="'kernel1' is nearly a multiple of the id"):
        assert MKLClassifier(C=10).fit(list(kernels), y).weights_[1] > 0.4


def test_nothing_aligned_better_than_by_chance() -> None:
    y = np.tile([0, 1], 36)
    with pytest.warns(UserWarning, match="better than by chance; all kernels get the same weight"):
        found = weights(np.array([np.eye(72), 2.0 * np.eye(72)]), y, "unbiased_alignment")
    np.testing.assert_allclose(found, 0.5)
