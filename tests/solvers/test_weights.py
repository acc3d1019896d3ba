"""The regulariser's duality and the step on the weights, against cvxpy and by their conditions."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from mkfusion.solvers._weights import Regulariser, ball_step, norm, penalty_step

NORMS = (1.0, 1.01, 1.2, 2.0, 4.0, np.inf)


@pytest.mark.parametrize("lam", [0.0, 0.3, 20.0])
@pytest.mark.parametrize("p", NORMS)
def test_fenchel_young(p: float, lam: float) -> None:
    """``R(d) + R*(g) >= d'g / 2`` for all feasible d, with equality at some."""
    rng = np.random.default_rng(0)
    reg = Regulariser(p, lam)
    for _ in range(20):
        g = 10.0 ** rng.uniform(-3, 3, size=5)
        d = rng.random(5)
        d *= 1.0 if lam else 1.0 / norm(d, p)
        assert reg.primal(d) + reg.conjugate(g) >= d @ g / 2 - 1e-12
        q = np.inf if p == 1 else (1.0 if np.isinf(p) else p / (p - 1))
        best = (g == g.max()).astype(float) if p == 1 else (g / norm(g, q)) ** (q - 1)
        if np.isinf(p):
            best = np.ones(5)
        best *= norm(g, q) / (2 * lam) / norm(best, p) if lam else 1.0 / norm(best, p)
        total = reg.primal(best) + reg.conjugate(g)
        assert total == pytest.approx(best @ g / 2, rel=1e-9)


def model(seed: int, m: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A concave model c'd - d'Hd/2 with H of low rank, and where to start."""
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(m, int(rng.integers(1, m + 3)))) * 10.0 ** rng.uniform(-2, 2)
    return rng.random(m) + 1e-3, rng.normal(size=m) + 1.0, V @ V.T


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("p", NORMS[:-1])
def test_ball_step_is_the_maximum(p: float, seed: int) -> None:
    d, c, H = model(seed)
    d /= norm(d, p)
    found = ball_step(d, c, H, p, 1e-9)
    assert np.all(found >= 0)
    assert norm(found, p) == pytest.approx(1.0)
    x = cp.Variable(len(d), nonneg=True)
    root = np.linalg.cholesky(H + 1e-12 * np.trace(H) * np.eye(len(d))).T
    # x <= t^(1/p), sum(t) <= 1: the ball as power cones, which cvxpy does not approximate.
    t = cp.Variable(len(d))
    ones = np.ones(len(d))
    ball = [cp.sum(x) <= 1] if p == 1 else [cp.PowCone3D(t, ones, x, 1 / p), cp.sum(t) <= 1]
    problem = cp.Problem(cp.Maximize(c @ x - 0.5 * cp.sum_squares(root @ x)), ball)
    best = problem.solve(solver=cp.CLARABEL)
    value = c @ found - found @ H @ found / 2
    # The step keeps to the sphere, where every feasible optimum of the whole problem lies.
    assert value <= best + 1e-6 * (1 + abs(best))
    if norm(np.maximum(x.value, 0), p) > 1 - 1e-6:
        assert value == pytest.approx(best, abs=2e-5 * (1 + abs(best)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("p", [1.0, 1.2, 2.0])
def test_penalty_step_gains_and_is_stationary_in_size(p: float, seed: int) -> None:
    d, c, H = model(seed)
    lam = 2.0

    def value(w: np.ndarray) -> float:
        return float(c @ w - w @ H @ w / 2 - lam / 2 * norm(w, p) ** 2)

    found = penalty_step(d, c, H, p, lam, 1e-10)
    assert value(found) >= value(d) - 1e-9
    growth = norm(found, p) / norm(d, p)
    assert 0.5 - 1e-9 <= growth <= 2 + 1e-9
    if 0.51 < growth < 1.99:
        assert all(value(found) >= value(s * found) - 1e-12 for s in (0.99, 1.01))


@pytest.mark.parametrize("lam", [0.0, 0.7])
@pytest.mark.parametrize("p", NORMS)
def test_contraction_minimises_its_majoriser(p: float, lam: float) -> None:
    rng = np.random.default_rng(1)
    d, g = rng.random(6) + 0.01, 10.0 ** rng.uniform(-2, 2, size=6)
    reg = Regulariser(p, lam)
    d /= norm(d, p)
    found = reg.contract(d, g)

    def value(w: np.ndarray) -> float:
        return float(np.sum(d * d * g / (2 * w)) + reg.primal(w))

    if not lam:
        assert norm(found, p) == pytest.approx(1.0)
    for _ in range(50):
        other = found * np.exp(0.05 * rng.normal(size=6))
        if not lam:
            other /= norm(other, p)
        assert value(found) <= value(other) + 1e-12
