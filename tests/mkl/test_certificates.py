"""Certificates against their definition in extended precision, and products that drift."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mkfusion import KernelStack
from mkfusion.solvers import CACHE, ROUNDING, Hinge, MKLResult, OneClass, Squared, Tube, solve_mkl
from mkfusion.solvers._limits import NEVER
from mkfusion.solvers._many import Stop, solve_by_columns, solve_by_passes, solve_by_samples
from mkfusion.solvers._mkl import _solve
from mkfusion.solvers._rounding import relative_gap
from mkfusion.solvers._weights import Regulariser

ROOT = Path(__file__).parents[2]
FITS_EACH = 20


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What recomputes certificates, and also makes the problems of the benchmark."""
    if not (ROOT / "benchmarks" / "__init__.py").exists():
        pytest.skip("without a checkout")
    monkeypatch.syspath_prepend(str(ROOT))
    return import_module("benchmarks._certified")


@pytest.mark.parametrize("first", range(20_000, 20_000 + 6 * FITS_EACH, FITS_EACH))
def test_gaps_of_random_problems_are_true(certified: Any, first: int) -> None:
    for seed in range(first, first + FITS_EACH):
        outcome = certified.examine(certified.make(seed))
        assert not outcome.error, seed
        assert not outcome.dishonest, (seed, outcome)
        assert outcome.gap <= 1e-3 or outcome.warned, (seed, outcome)


def test_the_check_sees_a_gap_that_is_not_true(certified: Any) -> None:
    outcome = certified.Outcome(0.0, gap=4.8e-6, true=0.81)
    assert outcome.dishonest
    assert not certified.Outcome(0.0, gap=0.82, true=0.81).dishonest


@pytest.mark.parametrize("seed", range(30))
def test_the_last_products_are_fresh(seed: int) -> None:
    """Few samples, many kernels, dear losses: what increments leave is as large as the optimum."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3, 4))
    kernels = np.array(
        [10.0 ** rng.uniform(-8, 8) * np.outer(x, x) for x in rng.normal(size=(10, 3))]
    )
    y, cost = X[:1, :3], np.full((1, 3), 9e4)
    found = solve_mkl(KernelStack(list(kernels)), y, cost, loss=Tube(0.0), p=1.0)
    K = kernels.astype(np.longdouble)
    beta, d = found.beta[0].astype(np.longdouble), found.weights
    g = beta @ K @ beta
    loss = cost[0] @ np.abs(y[0] - beta @ np.tensordot(d, K, 1) - found.intercept[0])
    primal, dual = d @ g / 2 + loss, y[0] @ beta - g.max() / 2
    assert found.gap >= float((primal - dual) / primal) * 0.999 - 1e-12


@pytest.mark.parametrize("seed", [5242, 7431])
def test_sums_of_dual_variables_are_kept(certified: Any, seed: int) -> None:
    """On the way to 0.002 dual variables are as large as 1e5: their sum was off by 3e-8 of them."""
    outcome = certified.examine(certified.make(seed))
    assert not outcome.dishonest, outcome


def test_what_is_no_number_is_never_certified() -> None:
    assert relative_gap(float("nan"), 1.0, 0.0) == np.inf
    assert relative_gap(1.0, float("nan"), 0.0) == np.inf
    assert relative_gap(float("inf"), 1.0, 0.0) == np.inf
    assert relative_gap(0.0, -1.0, 0.0) == np.inf
    assert relative_gap(0.0, 0.0, 0.0) == 0.0


@pytest.mark.parametrize("loss", [Hinge(), Tube(0.1), Squared(), OneClass(0.4)])
def test_settled_variables_have_their_sum_and_stay_in_their_box(loss: Any) -> None:
    y = np.where(np.arange(12) % 2, 1.0, -1.0)
    task = loss.task(y, np.linspace(0.5, 1.5, 12))
    sides = task.sides() or [(np.ones(12), None)]
    wanted = task.total
    assert wanted == (pytest.approx(0.4 * 12) if isinstance(loss, OneClass) else 0.0)
    middle = np.sum([0.3 * task.cost * sign for sign, _ in sides], axis=0) + 0.01
    task.beta = middle * wanted / middle.sum() if wanted else middle - middle.mean()
    task.beta[3] += 1e-7
    task.settle()
    assert abs(task.beta.sum() - wanted) <= 1e-15 * np.abs(task.beta).sum() * 12
    if not isinstance(loss, Squared):
        assert np.all((task.beta >= task.lower) & (task.beta <= task.upper))


def raw_columns(scale: float) -> tuple[KernelStack, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = scale * (5.0 + rng.normal(size=(40, 6)))
    y = np.where(X[:, 0] + X[:, 1] ** 2 / scale > np.median(X[:, 0]) + 25 * scale, 1.0, -1.0)
    return KernelStack([X[:, :3] @ X[:, :3].T, X @ X.T, (X @ X.T) ** 2]), X, y[np.newaxis]


def ways(stack: KernelStack, y: np.ndarray, C: float, p: float) -> MKLResult:
    """Solve as is done with many kernels, or many samples."""
    stop, cost, reg = Stop(1e-3, 50, NEVER, None), np.full_like(y, C), Regulariser(p, 0.0)
    solve = partial(_solve, cache=CACHE)
    if p == 1.0:
        return solve_by_columns(stack, y, cost, Hinge(), reg, stop, solve)
    if p == 2.0:
        return solve_by_passes(stack, y, cost, Hinge(), reg, stop)
    found = solve_by_samples(stack, y, cost, Hinge(), reg, stop, solve, np.arange(20), CACHE)
    assert found is not None
    return found


@pytest.mark.parametrize("p", [1.0, 2.0, 1.5])
def test_rounding_is_counted_with_many_kernels_and_many_samples(p: float) -> None:
    stack, _, y = raw_columns(1.0)
    found = ways(stack, y, 0.1, p)
    K = stack.array.astype(np.longdouble)
    beta, d = found.beta[0].astype(np.longdouble), found.weights
    g = beta @ K @ beta
    f = beta @ np.tensordot(d, K, 1) + found.intercept[0]
    primal = d @ g / 2 + 0.1 * np.maximum(0, 1 - y[0] * f).sum()
    q = np.inf if p == 1.0 else p / (p - 1.0)
    dual = y[0] @ beta - np.linalg.norm(g.astype(float), q) / 2
    assert found.gap >= float((primal - dual) / primal) * (1 - 1e-9)
    assert found.rounding > 0.0
    np.testing.assert_allclose(found.forms, g.astype(float), rtol=1e-6, atol=1e-9 * float(g.max()))


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_rounding_is_named_as_the_limit_with_many_kernels(p: float) -> None:
    stack, _, y = raw_columns(1e4)
    found = ways(stack, y, 1e4, p)
    assert not found.converged
    assert found.limit == ROUNDING
    assert found.n_iter < 50
