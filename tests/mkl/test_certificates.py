"""Certificates against their definition in extended precision, and products that drift."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mkfusion import KernelStack
from mkfusion.solvers import Tube, solve_mkl
from mkfusion.solvers._machines import relative_gap

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


def test_what_is_no_number_is_never_certified() -> None:
    assert relative_gap(float("nan"), 1.0, 0.0) == np.inf
    assert relative_gap(1.0, float("nan"), 0.0) == np.inf
    assert relative_gap(float("inf"), 1.0, 0.0) == np.inf
    assert relative_gap(0.0, -1.0, 0.0) == np.inf
    assert relative_gap(0.0, 0.0, 0.0) == 0.0
