"""Sparse weights of kernels of rank one: cvxpy, certificates, and what they are told by."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from mkfusion import KernelStack
from mkfusion.solvers import Hinge, OneClass, Squared, Tube, solve_mkl
from mkfusion.solvers._cones import Cones, mirror
from mkfusion.solvers._interior import rank_one_factors, solve_by_interior_points
from mkfusion.solvers._limits import NEVER
from mkfusion.solvers._many import Stop
from mkfusion.solvers._weights import Regulariser

N, M = 40, 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, M))
NUMBERS = X[:, :4].sum(axis=1) + 0.3 * RNG.normal(size=N)
SIGNS = np.where(NUMBERS > 0, 1.0, -1.0)
CASES = {
    "hinge": (Hinge(), SIGNS),
    "tube": (Tube(0.1), NUMBERS),
    "squared": (Squared(), NUMBERS),
}


def optimum(name: str, C: float, lam: float) -> float:
    """The primal problem in the factors' coefficients: ``f = X w``, a squared l1 norm."""
    w, b = cp.Variable(M), cp.Variable()
    f = X @ w + b
    losses = {
        "hinge": cp.sum(cp.pos(1 - cp.multiply(SIGNS, f))),
        "tube": cp.sum(cp.pos(cp.abs(NUMBERS - f) - 0.1)),
        "squared": cp.sum_squares(NUMBERS - f),
    }
    # The best weights are |w| / ||w||_1, and with the penalty |w| by the size that it balances.
    size = cp.norm1(w)
    if lam:
        scale = cp.Variable(pos=True)
        norm = 0.5 * cp.quad_over_lin(size, scale) + 0.5 * lam * cp.square(scale)
    else:
        norm = 0.5 * cp.square(size)
    problem = cp.Problem(cp.Minimize(norm + C * losses[name]))
    return float(problem.solve(solver=cp.CLARABEL))


def stack(features: np.ndarray = X) -> KernelStack:
    return KernelStack([np.outer(x, x) for x in features.T])


@pytest.mark.parametrize("lam", [0.0, 0.5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", CASES)
def test_cvxpy(name: str, C: float, lam: float) -> None:
    loss, y = CASES[name]
    found = solve_mkl(stack(), y[np.newaxis], np.full((1, N), C), loss=loss, lam=lam, tol=1e-3)
    assert found.converged
    expected = optimum(name, C, lam)
    assert found.primal * (1 - 1e-3) <= expected * (1 + 1e-6)
    assert found.primal >= expected * (1 - 1e-6)


def test_several_tasks_share_weights() -> None:
    y = np.stack([np.where(np.arange(N) % 3 == u, 1.0, -1.0) for u in range(3)])
    found = solve_mkl(stack(), y, np.ones_like(y))
    assert found.converged
    forms = np.sum((found.beta @ X) ** 2, axis=0)
    dual = float(np.sum(y * found.beta)) - 0.5 * forms.max()
    assert found.dual == pytest.approx(dual, rel=1e-9)
    np.testing.assert_allclose(found.beta.sum(axis=1), 0.0, atol=1e-12)
    assert found.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("lam", [0.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_small_gaps_at_high_prices(name: str, lam: float) -> None:
    """Prices multiply what is missing in the decisions; here 60 columns explain 40 numbers."""
    loss, y = CASES[name]
    tasks = [loss.task(y, np.full(N, 1e3))]
    found = solve_by_interior_points(X, tasks, Regulariser(1.0, lam), Stop(1e-3, 60, NEVER, None))
    assert found is not None
    assert found.gap <= 1e-3


@pytest.mark.parametrize("name", CASES)
def test_weights_are_sparse(name: str) -> None:
    """There is an optimum of no more kernels than samples: a basic solution."""
    loss, y = CASES[name]
    many = np.hstack([X, np.random.default_rng(2).normal(size=(N, 240))])
    for C in (0.1, 10.0, 1000.0):
        found = solve_mkl(stack(many), y[np.newaxis], np.full((1, N), C), loss=loss, tol=1e-3)
        assert found.converged
        assert np.count_nonzero(found.weights) <= N


def test_scaling_brings_both_points_to_one() -> None:
    """Nesterov and Todd: ``W z = W^-1 s`` inside the cone, and ``W^-2`` is what it is applied."""
    rng = np.random.default_rng(0)
    s, z = rng.normal(size=(2, 7, 4))
    for x in (s, z):
        x[:, 0] = np.linalg.norm(x[:, 1:], axis=1) * rng.uniform(1.01, 3.0, size=7)
    cones = Cones(s, z)
    np.testing.assert_allclose(cones.over(s), cones.middle)
    np.testing.assert_allclose(cones.times(cones.over(s)), s)
    np.testing.assert_allclose(np.einsum("kij,kj->ki", cones.inverse, s), z)
    middle = cones.middle
    assert np.all(middle[:, 0] > np.linalg.norm(middle[:, 1:], axis=1))
    # The Jordan algebra's inverse of s is J s / (s' J s): the target of centred points is no move.
    centred = mirror(s) / np.sum(s * mirror(s), axis=1, keepdims=True)
    still = Cones(s, centred).target(1.0, np.zeros_like(s), np.zeros_like(s))
    np.testing.assert_allclose(still, 0.0, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_steps_end_within_the_box(name: str) -> None:
    loss, y = CASES[name]
    tasks = [loss.task(y, np.full(N, 0.3))]
    found = solve_by_interior_points(X, tasks, Regulariser(1.0, 0.0), Stop(1e-4, 200, NEVER, None))
    assert found is not None
    assert found.gap <= 1e-4
    if name != "squared":
        assert np.abs(found.beta).max() <= 0.3
    assert found.beta.sum() == pytest.approx(0.0, abs=1e-12)


def test_one_class() -> None:
    shifted = X + 2.0
    found = solve_mkl(stack(shifted), np.zeros((1, N)), np.ones((1, N)), loss=OneClass(0.3))
    assert found.converged
    assert found.beta.sum() == pytest.approx(0.3 * N)


def test_rank_one_is_told_from_one_column() -> None:
    factors = rank_one_factors(stack(X[:, :3]))
    assert factors is not None
    np.testing.assert_allclose(np.einsum("im,jm->mij", factors, factors), stack(X[:, :3]).array)
    assert rank_one_factors(KernelStack([X[:, :1] @ X[:, :1].T, X @ X.T])) is None
    assert rank_one_factors(KernelStack([np.eye(4)])) is None


def test_kernels_of_zeros_get_no_weight() -> None:
    some = X.copy()
    some[:, ::5] = 0.0
    found = solve_mkl(stack(some), SIGNS[np.newaxis], np.ones((1, N)))
    assert found.converged
    assert not found.weights[::5].any()


def test_more_kernels_than_fit_a_matrix(monkeypatch: Any) -> None:
    """Features of a stack that is never formed, more than are multiplied one by one."""
    many = np.random.default_rng(1).normal(size=(60, 1100))
    y = np.where(many[:, 0] > 0, 1.0, -1.0)[np.newaxis]
    lazy = KernelStack.from_features([many[:, [k]] for k in range(1100)])
    found = solve_mkl(lazy, y, np.ones_like(y))
    assert found.converged
    assert found.weights[0] > 0.0
