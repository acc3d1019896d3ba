"""Gated machines: their gradient, and what their solution is certified by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from mkfusion.solvers import GatedMachines
from mkfusion.stack import KernelStack
from oracles.samples import Floats, N, grams, raw

gatings = pytest.mark.parametrize("gating", ["softmax", "sigmoid"])


def machines(gating: str, classes: int, tol: float = 1e-9) -> GatedMachines:
    x, y = raw(classes)
    features = x[:, :2] - x[:, :2].mean(axis=0)
    signs = np.where(y == np.unique(y)[:, np.newaxis], 1.0, -1.0)[1 if classes == 2 else 0 :]
    cost = np.random.default_rng(1).uniform(0.1, 2.0, size=N)
    stack = KernelStack(grams(x, x))
    return GatedMachines(stack, np.arange(3), features, signs, cost, gating, 0.3, tol)


@gatings
@pytest.mark.parametrize("classes", [2, 3])
def test_gradient_is_that_of_finite_differences(gating: str, classes: int) -> None:
    gated = machines(gating, classes)
    theta = np.random.default_rng(2).normal(size=gated.shape)

    def value(flat: Floats) -> float:
        return gated.value_and_slope(flat.reshape(theta.shape))[0]

    slope = gated.value_and_slope(theta)[1]
    numeric = approx_fprime(theta.ravel(), value, 1e-5).reshape(theta.shape)
    np.testing.assert_allclose(slope, numeric, rtol=1e-3, atol=1e-3 * np.abs(slope).max())


@gatings
def test_gates_are_those_of_the_formula(gating: str) -> None:
    gated = machines(gating, 2)
    theta = np.random.default_rng(3).normal(size=gated.shape)
    x, _ = raw(2)
    scores = theta[:, 0] + (x[:, :2] - x[:, :2].mean(axis=0)) @ theta[:, 1:].T
    odds = np.exp(scores)
    shares = odds / odds.sum(axis=1, keepdims=True) if gating == "softmax" else odds / (1 + odds)
    np.testing.assert_allclose(gated.gates(theta), shares, rtol=1e-12)


@gatings
def test_descent_goes_down_to_a_certified_solution(gating: str) -> None:
    gated = machines(gating, 2, tol=1e-4)
    found = gated.descend(np.zeros(gated.shape), 50, lambda n_steps, objective: None)
    assert np.all(np.diff(found.curve) <= 1e-6 * found.curve[0])
    solution = gated.solution(found.theta)
    assert 0.0 <= solution.gap <= 1e-6
    assert solution.objective == pytest.approx(found.curve[-1], rel=1e-5)
