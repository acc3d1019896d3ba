"""Kernels of few features: the same certified answer, in time and memory linear in the samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.svm import SVC

from mkfusion import KernelStack
from mkfusion.solvers import Hinge, OneClass, Setting, Squared, Tube, solve_mkl, solve_path
from mkfusion.solvers._feature_model import Model
from mkfusion.solvers._features import few_features
from mkfusion.solvers._limits import NEVER, Deadline
from mkfusion.solvers._smoothed import balance
from mkfusion.solvers._weights import Regulariser

N, TOL = 300, 1e-5
rng = np.random.default_rng(0)
BLOCKS = [rng.normal(size=(N, r)) / np.sqrt(r) for r in (6, 1, 12, 4)]
BLOCKS[0][:, 0] += 0.5  # the intercept matters
SIGNAL = BLOCKS[0][:, 0] + BLOCKS[2] @ rng.normal(size=12) - 0.3
SIGNS = np.where(SIGNAL + 0.3 * rng.normal(size=N) > 0, 1.0, -1.0)
OTHERS = np.where(BLOCKS[3][:, 1] + 0.3 * rng.normal(size=N) > 0.5, 1.0, -1.0)
NUMBERS = 3.0 * SIGNAL + 0.3 * rng.normal(size=N)
LOSSES = {
    "binary": (Hinge(), SIGNS[np.newaxis]),
    "several": (Hinge(), np.array([SIGNS, OTHERS])),
    "tube": (Tube(0.2), NUMBERS[np.newaxis]),
    "no tube": (Tube(0.0), NUMBERS[np.newaxis]),
    "squared": (Squared(), NUMBERS[np.newaxis]),
    "one class": (OneClass(0.3), np.zeros((1, N))),
}
STACK = KernelStack.from_features(BLOCKS)
DENSE = STACK.materialize()


def value(loss, y, cost, f, b):
    """The loss of decision values f (n_tasks, n) with intercepts b (n_tasks,)."""
    if isinstance(loss, Hinge):
        return np.sum(cost * np.maximum(0, 1 - y * f))
    if isinstance(loss, Tube):
        return np.sum(cost * np.maximum(0, np.abs(y - f) - loss.epsilon))
    if isinstance(loss, Squared):
        return np.sum(cost * (y - f) ** 2)
    return np.sum(cost * (np.maximum(0, -f) + loss.nu * b[:, None]))


def gained(loss, y, cost, beta):
    """The dual objective without the quadratic forms; beta is feasible."""
    slack = 1e-12 * cost
    if isinstance(loss, Hinge):
        assert np.all((y * beta >= 0) & (y * beta <= cost + slack))
        return np.sum(y * beta)
    if isinstance(loss, Tube):
        assert np.all(np.abs(beta) <= cost + slack)
        return np.sum(y * beta) - loss.epsilon * np.abs(beta).sum()
    if isinstance(loss, Squared):
        return np.sum(y * beta - beta**2 / (4 * cost))
    assert np.all((beta >= 0) & (beta <= cost + slack))
    return 0.0


def objective(y, cost, found, loss, p, lam):
    """Primal and dual from scratch, with the kernels multiplied out."""
    K = np.asarray(DENSE.array)
    f = np.einsum("k,kij,uj->ui", found.weights, K, found.beta) + found.intercept[:, None]
    g = np.einsum("ui,kij,uj->k", found.beta, K, found.beta)
    q = {1.0: np.inf, 1.5: 3.0, 2.0: 2.0, 3.0: 1.5, np.inf: 1.0}[p]
    total, gain = value(loss, y, cost, f, found.intercept), gained(loss, y, cost, found.beta)
    size, norm = np.linalg.norm(g, ord=q), np.linalg.norm(found.weights, ord=p)
    own = 0.5 * lam * norm**2 if lam else 0.0
    if not lam:
        assert norm <= 1 + 1e-9
    return 0.5 * found.weights @ g + total + own, gain - (size**2 / 8 / lam if lam else size / 2)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, np.inf])
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("C", [0.05, 20.0])
def test_the_same_optimum(kind, p, C) -> None:
    loss, y = LOSSES[kind]
    cost = np.full(y.shape, C) * (1 + np.arange(N) % 3)
    found = solve_mkl(STACK, y, cost, loss=loss, p=p, tol=TOL)
    expected = solve_mkl(DENSE, y, cost, loss=loss, p=p, tol=TOL)
    assert found.converged and found.gap <= TOL
    assert found.primal == pytest.approx(expected.primal, rel=2 * TOL)
    primal, dual = objective(y, cost, found, loss, p, 0.0)
    assert found.primal == pytest.approx(primal, rel=1e-9)
    assert found.dual == pytest.approx(dual, rel=1e-9)
    sums = loss.nu * cost.sum(axis=1) if kind == "one class" else 0.0
    np.testing.assert_allclose(found.beta.sum(axis=1), sums, atol=1e-10 * np.abs(found.beta).sum())


@pytest.mark.parametrize("p", [1.0, 1.5])
@pytest.mark.parametrize("kind", ["binary", "tube", "squared"])
def test_the_penalty_form(kind, p) -> None:
    loss, y = LOSSES[kind]
    cost = np.full(y.shape, 2.0)
    found = solve_mkl(STACK, y, cost, loss=loss, p=p, lam=3.0, tol=TOL)
    expected = solve_mkl(DENSE, y, cost, loss=loss, p=p, lam=3.0, tol=TOL)
    assert found.converged
    assert found.primal == pytest.approx(expected.primal, rel=2 * TOL)
    assert found.primal == pytest.approx(objective(y, cost, found, loss, p, 3.0)[0], rel=1e-9)


@pytest.mark.parametrize("n", [12, 17, 40, 60])
def test_few_samples_of_one_feature(n) -> None:
    """A part of the samples to begin with is fewer of them."""
    few = KernelStack.from_features([BLOCKS[1][:n]])
    assert few_features(few) is not None
    y = np.where(np.arange(n) % 3 == 0, 1.0, -1.0)[np.newaxis]
    cost = np.ones_like(y)
    found = solve_mkl(few, y, cost, loss=Hinge(), tol=TOL)
    expected = solve_mkl(few.materialize(), y, cost, loss=Hinge(), tol=TOL)
    assert found.converged
    assert found.primal == pytest.approx(expected.primal, rel=2 * TOL)


def test_where_features_are_few() -> None:
    assert few_features(STACK) is not None
    assert few_features(DENSE) is None
    wide = KernelStack.from_features([rng.normal(size=(20, 11))])
    assert few_features(wide) is None  # a matrix of features is not smaller than one of samples
    test = KernelStack.from_features([Z[:5] for Z in BLOCKS], BLOCKS)
    assert few_features(test) is None


@pytest.mark.parametrize("kind", ["binary", "tube", "squared"])
def test_a_path(kind) -> None:
    loss, y = LOSSES[kind]
    settings = [Setting(np.full(y.shape, C), p, 0.0) for C in (0.1, 1.0) for p in (1.0, 2.0)]
    for stack_result, expected in zip(
        solve_path(STACK, y, settings, loss=loss, tol=1e-4),
        solve_path(DENSE, y, settings, loss=loss, tol=1e-4),
        strict=True,
    ):
        assert stack_result.converged
        assert stack_result.primal == pytest.approx(expected.primal, rel=2e-4)


@pytest.mark.parametrize("C", [1e-3, 1e5])
def test_extreme_prices(C) -> None:
    y, cost = SIGNS[np.newaxis], np.full((1, N), C)
    found = solve_mkl(STACK, y, cost, p=2.0, tol=1e-3)
    assert found.converged
    primal, dual = objective(y, cost, found, Hinge(), 2.0, 0.0)
    assert primal - dual <= 1.1e-3 * primal


def test_samples_of_no_price() -> None:
    y = SIGNS[np.newaxis].copy()
    cost = np.full(y.shape, 2.0)
    cost[0, ::3] = 0.0
    found = solve_mkl(STACK, y, cost, p=1.5, tol=TOL)
    assert not found.beta[0, ::3].any()
    kept = np.flatnonzero(cost[0])
    expected = solve_mkl(DENSE.take(kept, kept), y[:, kept], cost[:, kept], p=1.5, tol=TOL)
    assert found.primal == pytest.approx(expected.primal, rel=2 * TOL)
    np.testing.assert_allclose(found.weights, expected.weights, atol=0.02)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_kernels_of_zeros_and_of_no_features(p) -> None:
    blocks = [*BLOCKS, np.zeros((N, 2)), np.zeros((N, 0))]
    y, cost = SIGNS[np.newaxis], np.ones((1, N))
    stack = KernelStack.from_features(blocks[:-1])
    found = solve_mkl(stack, y, cost, p=p, tol=TOL)
    assert found.converged and found.weights[-1] == 0.0
    expected = solve_mkl(STACK, y, cost, p=p, tol=TOL)
    assert found.primal == pytest.approx(expected.primal, rel=2 * TOL)


def test_limits() -> None:
    y, cost = SIGNS[np.newaxis], np.full((1, N), 20.0)
    found = solve_mkl(STACK, y, cost, tol=1e-9, max_iter=3)
    assert (found.converged, found.limit, found.n_iter) == (False, "max_iter", 3)
    assert found.gap > 1e-9
    primal, dual = objective(y, cost, found, Hinge(), 1.0, 0.0)
    assert found.gap == pytest.approx((primal - dual) / primal, rel=1e-4)
    found = solve_mkl(STACK, y, cost, tol=1e-9, max_time=1e-9)
    assert (found.converged, found.limit) == (False, "max_time")
    told = []
    solve_mkl(STACK, y, cost, tol=1e-3, report=lambda n, gap, d: told.append((n, gap, d)))
    assert [n for n, _, _ in told] == sorted(n for n, _, _ in told)
    assert told[-1][1] <= 1e-3 and len(told[-1][2]) == 4


def test_one_kernel_is_a_support_vector_machine() -> None:
    Z = np.hstack(BLOCKS)
    found = solve_mkl(
        KernelStack.from_features([Z]), SIGNS[np.newaxis], np.full((1, N), 2.0), tol=1e-7
    )
    machine = SVC(C=2.0, kernel="linear", tol=1e-8).fit(Z, SIGNS)
    f = found.decisions[0] + found.intercept[0]
    np.testing.assert_allclose(f, machine.decision_function(Z), atol=2e-3)


@pytest.mark.parametrize(
    ("epsilon", "total", "box"), [(0.0, 0.0, (0, 1)), (0.3, 0.0, (-1, 1)), (0.0, 7.0, (0, 1))]
)
def test_balance_is_the_best_intercept(epsilon, total, box) -> None:
    """Against a minimiser that knows nothing of the pieces."""
    n = 50
    e, price = rng.normal(size=n), rng.uniform(0.5, 2.0, size=n)
    lower, upper = box[0] * price, box[1] * price
    if epsilon == total == 0.0:  # hinge: half of the boxes are below zero
        lower[::2], upper[::2] = -upper[::2], 0.0
    center, beta, width = rng.uniform(lower, upper), np.empty(n), 0.2

    def smoothed(b: float) -> tuple[float, np.ndarray]:
        t = (e - b) * price / width + center
        x = np.clip(np.sign(t) * np.maximum(np.abs(t) - epsilon * price / width, 0), lower, upper)
        own = x * (e - b) - epsilon * np.abs(x) - width / price / 2 * (x - center) ** 2
        return total * b + own.sum(), x

    b, value = balance(e, center, width, price, lower, upper, epsilon, total, 100.0, beta)
    best = minimize_scalar(lambda b: smoothed(b)[0], bounds=(-10, 10), options={"xatol": 1e-10})
    assert value == pytest.approx(best.fun, rel=1e-9)
    np.testing.assert_allclose(beta, smoothed(b)[1], atol=1e-9)
    assert beta.sum() == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize("n", [20, 300])
def test_one_feature(n) -> None:
    """The part of the samples to begin with once was all of them, of which a part was taken."""
    Z, y = NUMBERS[:n, np.newaxis] + 1.0, SIGNS[np.newaxis, :n]
    found = solve_mkl(KernelStack.from_features([Z]), y, np.full(y.shape, 2.0), tol=1e-7)
    machine = SVC(C=2.0, kernel="linear", tol=1e-8).fit(Z, y[0])
    f = found.decisions[0] + found.intercept[0]
    np.testing.assert_allclose(f, machine.decision_function(Z), atol=2e-3)


@pytest.mark.parametrize(
    ("scales", "shift", "C", "p", "lam"),
    [
        # The first model has no curvature, and a step along it went so far that no later one
        # found the way back.
        ((1.0, 1.0, 1.0, 1.0), 0.0, 10.0, 1.5, 0.1),
        ((1.0, 1.0, 1.0, 1.0), 10.0, 10.0, 1.0, 0.1),
        # A smoothing as wide as the first function is large was given up before it was narrow.
        ((1e4, 1.0, 1e4, 1e-4), 0.0, 4e-3, 1.0, 0.0),
        ((1e4, 1e4, 1e4, 1e4), 0.0, 10.0, 1.0, 0.0),
    ],
)
def test_steps_that_go_too_far(scales, shift, C, p, lam) -> None:
    n = 80
    blocks = [scale * (Z[:n] + shift) for scale, Z in zip(scales, BLOCKS, strict=True)]
    y = np.array([SIGNS, OTHERS, np.where(np.arange(N) % 2, 1.0, -1.0)])[:, :n]
    cost = np.full(y.shape, C)
    stack = KernelStack.from_features(blocks)
    # By how sums are rounded, the last takes 172 to 243 steps.
    found = solve_mkl(stack, y, cost, p=p, lam=lam, tol=1e-2, max_iter=400)
    assert found.converged
    kernels = [Z @ Z.T for Z in blocks]
    f = sum(d * found.beta @ K for d, K in zip(found.weights, kernels, strict=True))
    g = np.array([np.sum(found.beta @ K * found.beta) for K in kernels])
    loss = np.sum(cost * np.maximum(0.0, 1.0 - y * (f + found.intercept[:, np.newaxis])))
    norm = np.linalg.norm(found.weights, ord=p)
    dual_norm = np.linalg.norm(g, ord={1.0: np.inf, 1.5: 3.0, 2.0: 2.0}[p])
    primal = 0.5 * found.weights @ g + loss + 0.5 * lam * norm**2
    dual = np.sum(y * found.beta) - (dual_norm**2 / 8.0 / lam if lam else 0.5 * dual_norm)
    assert primal - dual <= 1.001e-2 * primal
    assert np.all((y * found.beta >= 0.0) & (y * found.beta <= cost))


@pytest.mark.parametrize("unit", [1e8, 1e-8])
@pytest.mark.parametrize("lam", [0.0, 3.0])
@pytest.mark.parametrize("kind", LOSSES)
def test_the_unit_of_all_kernels(kind, lam, unit) -> None:
    """With prices and strength in that unit, it is the same problem."""
    loss, y = LOSSES[kind]
    cost = np.full(y.shape, 2.0)
    stack = KernelStack.from_features([np.sqrt(unit) * Z for Z in BLOCKS])
    found = solve_mkl(stack, y, cost / unit, loss=loss, lam=lam / unit, tol=1e-3)
    expected = solve_mkl(DENSE, y, cost, loss=loss, lam=lam, tol=1e-4)
    assert found.converged
    assert unit * found.primal == pytest.approx(expected.primal, rel=1.2e-3)
    primal, dual = objective(y, cost, found._replace(beta=unit * found.beta), loss, 1.0, lam)
    assert primal - dual <= 1.01e-3 * abs(primal)


@pytest.mark.parametrize("unit", [1e8, 1e-8])
@pytest.mark.parametrize("kind", LOSSES)
def test_the_unit_of_one_kernel_where_large_weights_are_dear(kind, unit) -> None:
    """Weights of 1e-3 for one kernel once stayed so small for the others, which had none."""
    loss, y = LOSSES[kind]
    cost = np.ones(y.shape)
    blocks = [*BLOCKS[:2], np.sqrt(unit) * BLOCKS[2], BLOCKS[3]]
    # By how sums are rounded, those of several tasks take 190 to 215 steps.
    stack = KernelStack.from_features(blocks)
    found = solve_mkl(stack, y, cost, loss=loss, lam=1.0, tol=1e-3, max_iter=400)
    assert found.converged
    v = [found.beta @ Z for Z in blocks]
    g = np.array([np.sum(own**2) for own in v])
    f = sum(d * own @ Z.T for d, own, Z in zip(found.weights, v, blocks, strict=True))
    primal = 0.5 * found.weights @ g + 0.5 * found.weights.sum() ** 2
    primal += value(loss, y, cost, f + found.intercept[:, np.newaxis], found.intercept)
    dual = gained(loss, y, cost, found.beta) - g.max() ** 2 / 8.0
    assert primal - dual <= 1.01e-3 * abs(primal)


@pytest.mark.parametrize("lam", [1e-4, 1.0, 1e4])
def test_one_class_has_no_strength_of_its_own(lam) -> None:
    """The objective is that of strength 1 over the strength, and weights are as much larger."""
    loss, y = LOSSES["one class"]
    cost = np.ones(y.shape)
    found = solve_mkl(STACK, y, cost, loss=loss, lam=lam, tol=1e-4)
    expected = solve_mkl(DENSE, y, cost, loss=loss, lam=1.0, tol=1e-4)
    assert found.converged
    assert lam * found.primal == pytest.approx(expected.primal, rel=2e-4)


def test_a_model_ends_at_its_deadline() -> None:
    """With the weights of the beginning, and the functions that are best with these."""
    starts = np.array([0, 2, 5, 6])
    half = rng.normal(size=(6, 6))
    A, q = half @ half.T, rng.normal(size=6)
    d = np.array([0.2, 0.5, 0.3])
    model = Model(starts, Regulariser(1.0, 0.0), q[np.newaxis], [A])
    here, u = model.minimise(d, 1e-9, Deadline(0.0))
    np.testing.assert_array_equal(here, d)
    expected = np.linalg.solve(A + np.diag(1.0 / np.repeat(d, [2, 3, 1])), q)
    np.testing.assert_allclose(u, [expected])
    assert np.abs(model.minimise(d, 1e-9, NEVER)[0] - d).max() > 0.1
