"""The solver on arrays: its stop, its report, its economy, float32 and stacks on demand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale

from mkfusion import ColumnKernelizer, KernelStack, RBFKernel
from mkfusion.solvers import solve_mkl
from mkfusion.stack._stack import DenseStack
from oracles import values

Arrays = tuple[np.ndarray, np.ndarray]


def problem(n: int = 300) -> Arrays:
    """One RBF kernel for each of ten features (10, n, n), and signs (1, n)."""
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)[:n, :10]
    grams = np.array([rbf_kernel(X[:, [k]], gamma=0.5) for k in range(10)])
    return grams, np.where(y[:n] == 1, 1.0, -1.0)[np.newaxis]


@pytest.mark.parametrize("lam", [0.0, 1.5])
@pytest.mark.parametrize("p", [1.0, 1.2, 2.0, np.inf])
def test_certificate_by_hand(p: float, lam: float) -> None:
    grams, y = problem()
    cost = np.full_like(y, 10.0)
    result = solve_mkl(KernelStack(list(grams)), y, cost, p=p, lam=lam, tol=1e-5)
    by_hand = {"p": p, "lam": lam or None}
    primal = values.primal_value(
        grams, y, cost, result.weights, result.beta, result.intercept, **by_hand
    )
    dual = values.dual_value(grams, y, result.beta, **by_hand)
    assert result.converged
    assert 0 <= primal - dual <= 1e-5 * primal * (1 + 1e-6)
    assert result.primal == pytest.approx(primal, rel=1e-10)
    # Up to what rounding may add
    assert result.gap == pytest.approx((primal - dual) / primal, abs=1e-9)
    box, balance = values.dual_violation(y, cost, result.beta)
    assert box == 0
    assert balance <= 1e-12


def test_report_of_every_iteration() -> None:
    grams, y = problem(100)
    seen: list[tuple[int, float, np.ndarray]] = []
    result = solve_mkl(
        KernelStack(list(grams)),
        y,
        np.ones_like(y),
        p=1.2,
        tol=1e-6,
        report=lambda *state: seen.append(state),
    )
    assert [n for n, _, _ in seen] == sorted(n for n, _, _ in seen)
    assert seen[-1][0] == result.n_iter
    gaps = [gap for _, gap, _ in seen]
    assert gaps == sorted(gaps, reverse=True)


def test_only_needed_rows_are_combined() -> None:
    """Most samples of an easy problem never enter the working set."""
    grams, y = problem(569)
    combined = []

    class Counting(DenseStack):
        def combine_into(self, weights, rows, cols, out) -> None:
            combined.append(len(out))
            super().combine_into(weights, rows, cols, out)

    result = solve_mkl(Counting(list(grams)), y, np.ones_like(y), p=2.0, tol=1e-3)
    assert result.converged
    assert sum(combined) < 0.6 * result.n_iter * len(y[0])


def test_float32_stack_is_solved_to_its_precision() -> None:
    grams, y = problem()
    cost = np.full_like(y, 1.0)
    exact = solve_mkl(KernelStack(list(grams)), y, cost, p=1.5, tol=1e-6)
    single = KernelStack(list(grams.astype(np.float32)))
    assert single.dtype == np.float32
    result = solve_mkl(single, y, cost, p=1.5, tol=1e-6)
    assert result.converged
    assert result.primal == pytest.approx(exact.primal, rel=1e-5)


def test_a_stack_on_demand_gives_the_same_solution() -> None:
    """The solver sees a stack only through its operations."""
    X, y = load_breast_cancer(return_X_y=True)
    kernelizer = ColumnKernelizer([(str(k), RBFKernel(gamma=0.5), [k]) for k in range(4)])
    stack = kernelizer.fit_transform(scale(X)[:120])
    signs = np.where(y[:120] == 1, 1.0, -1.0)[np.newaxis]
    cost = np.ones_like(signs)
    lazy = solve_mkl(stack, signs, cost, p=1.2, tol=1e-6)
    dense = solve_mkl(stack.materialize(), signs, cost, p=1.2, tol=1e-6)
    assert lazy.primal == pytest.approx(dense.primal, rel=1e-6)
    np.testing.assert_allclose(lazy.weights, dense.weights, atol=1e-3)


def test_max_iter_stops_with_a_certified_gap() -> None:
    grams, y = problem(150)
    cost = np.full_like(y, 100.0)
    result = solve_mkl(KernelStack(list(grams)), y, cost, p=1.0, tol=1e-12, max_iter=1)
    assert not result.converged
    assert result.n_iter == 1
    dual = values.dual_value(grams, y, result.beta, 1.0)
    assert result.gap == pytest.approx((result.primal - dual) / result.primal, rel=1e-6)
