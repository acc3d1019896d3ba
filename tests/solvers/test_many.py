"""The solvers that see kernels in whole passes only, against the one that keeps products."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale

from mkfusion import KernelStack
from mkfusion.solvers import _mkl, solve_mkl
from oracles import values


def problem(n_tasks: int) -> tuple[np.ndarray, np.ndarray]:
    """180 RBF kernels on features of 120 samples (180, n, n), and signs (n_tasks, n)."""
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)[:120]
    grams = [rbf_kernel(X[:, [f]], gamma=gamma) for f in range(30) for gamma in 2.0 ** np.arange(6)]
    signs = [np.where(y[:120] == 1, 1.0, -1.0), np.where(X[:, 1] > 0, 1.0, -1.0)]
    return np.array(grams), np.array(signs[:n_tasks])


@pytest.mark.parametrize("n_tasks", [1, 2])
@pytest.mark.parametrize("lam", [0.0, 2.0])
@pytest.mark.parametrize("p", [1.0, 1.33, 2.0, np.inf])
def test_same_optimum(p: float, lam: float, n_tasks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    grams, y = problem(n_tasks)
    cost = np.full_like(y, 5.0)
    stack = KernelStack(list(grams))
    reference = solve_mkl(stack, y, cost, p=p, lam=lam, tol=1e-6)
    monkeypatch.setattr(_mkl, "MANY_KERNELS", 10)
    result = solve_mkl(stack, y, cost, p=p, lam=lam, tol=1e-4)
    assert result.converged
    assert reference.converged
    assert reference.dual <= result.primal * (1 + 1e-9)
    assert result.primal <= reference.primal * (1 + 1.1e-4)
    # The certificate, by hand.
    by_hand = {"p": p, "lam": lam or None}
    primal = values.primal_value(
        grams, y, cost, result.weights, result.beta, result.intercept, **by_hand
    )
    dual = values.dual_value(grams, y, result.beta, **by_hand)
    assert result.primal == pytest.approx(primal, rel=1e-9)
    assert result.gap == pytest.approx((primal - dual) / primal, abs=1e-9)
    assert max(values.dual_violation(y, cost, result.beta)) <= 1e-9


@pytest.mark.parametrize("p", [1.0, 1.33])
def test_max_iter_stops_with_a_certified_gap(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mkl, "MANY_KERNELS", 10)
    grams, y = problem(1)
    stack, cost = KernelStack(list(grams)), np.full_like(y, 50.0)
    seen: list[float] = []
    result = solve_mkl(
        stack, y, cost, p=p, tol=1e-9, max_iter=2, report=lambda n, gap, d: seen.append(gap)
    )
    assert not result.converged
    assert result.n_iter == len(seen) == 2
    assert result.gap == min(seen)
    assert (
        0
        < result.gap
        == pytest.approx(
            (result.primal - values.dual_value(grams, y, result.beta, p)) / result.primal, abs=1e-9
        )
    )


def test_zero_kernels_get_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mkl, "MANY_KERNELS", 10)
    grams, y = problem(1)
    grams[::3] = 0.0
    for p in (1.0, 2.0):
        stack = KernelStack(list(grams))
        result = solve_mkl(stack, y, np.ones_like(y), p=p, tol=1e-3)
        assert result.converged
        np.testing.assert_array_equal(result.weights[::3], 0.0)
