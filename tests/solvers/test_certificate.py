"""The intercept against every breakpoint."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion.solvers._box import intercept_and_loss


def loss(b: float, e: np.ndarray, y: np.ndarray, cost: np.ndarray) -> float:
    """Weighted hinge sum at the intercept b."""
    return float(np.sum(cost * np.maximum(0.0, y * (e - b))))


@pytest.mark.parametrize("seed", range(40))
def test_intercept_minimises_over_all_breakpoints(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30 if seed % 2 else 300))
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[:2] = [1.0, -1.0]
    e = rng.normal(size=n).round(int(rng.integers(0, 4)))  # ties
    cost = rng.choice([0.0, 0.5, 1.0, 3.0], size=n)
    cost[:2] = 1.0
    b, value = intercept_and_loss(e, y, cost)
    assert value == pytest.approx(loss(b, e, y, cost), rel=1e-12)
    assert value <= min(loss(at, e, y, cost) for at in e) + 1e-12


def test_midpoint_of_a_flat_interval() -> None:
    e, y = np.array([-1.0, 3.0]), np.array([1.0, -1.0])
    assert intercept_and_loss(e, y, np.ones(2)) == (1.0, 0.0)


def test_samples_without_cost_do_not_count() -> None:
    e, y = np.array([-1.0, 3.0, 100.0, 0.5]), np.array([1.0, -1.0, 1.0, -1.0])
    assert intercept_and_loss(e, y, np.array([1.0, 1.0, 0.0, 0.0])) == (1.0, 0.0)
