"""The best few modalities: against enumeration, and no bound above what can be reached."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

from mkfusion import KernelStack
from mkfusion.solvers import (
    MAX_TIME,
    TOO_MANY,
    Deadline,
    Hinge,
    Loss,
    Squared,
    SubsetSearch,
    Tube,
    _best_subset as module,
    _points,
    solve_mkl,
)
from mkfusion.solvers._hull import best_in_hull, scaled_bound

TOL = 1e-3
# What enumeration itself is accurate to.
EXACT = 1e-5


class Problem(NamedTuple):
    grams: np.ndarray
    y: np.ndarray
    cost: np.ndarray
    groups: list[np.ndarray]
    k: int
    p: float
    loss: Loss

    @property
    def stack(self) -> KernelStack:
        return KernelStack(list(self.grams))

    def search(self, **options) -> SubsetSearch:
        return SubsetSearch(
            self.stack, self.y, self.cost, self.groups, loss=self.loss, p=self.p, **options
        )

    def enumerate(self) -> dict[tuple[int, ...], tuple[float, float]]:
        """Return the objective of every choice, and its lower bound, from a fit of its own."""
        found = {}
        for groups in combinations(range(len(self.groups)), self.k):
            some = self.stack.select(np.concatenate([self.groups[g] for g in groups]))
            result = solve_mkl(some, self.y, self.cost, loss=self.loss, p=self.p, tol=EXACT)
            found[groups] = result.primal, result.dual
        return found


def random_problem(seed: int, most: int = 7, n: int = 36) -> Problem:
    """Modalities of which some say something of y, each with one to three Gaussian kernels."""
    rng = np.random.default_rng(seed)
    M = int(rng.integers(3, most + 1))
    k = int(rng.integers(1, min(M, 5) + 1))
    while comb(M, k) > 130:
        k -= 1
    per, tasks = int(rng.integers(1, 4)), 1 + int(rng.random() < 0.2)
    X = rng.normal(size=(n, M, 3))
    X[:, -1] = X[:, 0] + rng.normal(scale=rng.choice([0.05, 1.0]), size=(n, 3))  # near ties
    parts = [rng.uniform(0.1, 1.2) * np.sin(X[:, j, 0]) + X[:, j, 1] ** 2 / 4 for j in range(M)]
    y = np.array([sum(parts[: M // 2 + 1]) + rng.normal(size=n) * 0.7 for _ in range(tasks)])
    loss = [Hinge(), Tube(0.1), Squared()][seed // 3 % 3]
    if isinstance(loss, Hinge):
        y = np.where(y > np.median(y, axis=1, keepdims=True), 1.0, -1.0)
    grams, groups = [], []
    for j in range(M):
        distances = np.square(X[:, None, j] - X[None, :, j]).sum(axis=-1)
        own = int(rng.integers(1, per + 1))
        groups.append(np.arange(len(grams), len(grams) + own))
        grams += [np.exp(-gamma * distances) for gamma in (0.1, 0.5, 2.0)[:own]]
    cost = rng.choice([0.3, 1.0, 10.0]) * rng.uniform(0.5, 1.5, size=y.shape)
    return Problem(np.array(grams), y, cost, groups, k, [1.0, 1.5, 2.0][seed % 3], loss)


def agree(problem: Problem) -> None:
    """Compare what the search finds with enumeration."""
    search = problem.search(tol=TOL)
    found = search.find(problem.k)
    values = problem.enumerate()
    best = min(values.values())[0]
    assert found.gap <= TOL
    assert found.limit is None
    assert best * (1 - EXACT) <= found.best.objective <= best * (1 + TOL)
    assert found.lower_bound <= best * (1 + 1e-12)
    assert found.n_subsets == len(values)
    for row, bound in zip(search._subsets.tolist(), search._bounds, strict=True):
        assert bound <= values[tuple(row)][0] * (1 + 1e-12)
    for subset in found.runners_up:
        objective, dual = values[subset.groups]
        assert subset.groups != found.best.groups
        assert dual * (1 - 1e-12) <= subset.objective <= 1.01 * found.best.objective
        assert subset.lower_bound <= objective * (1 + 1e-12)
    if found.complete and len(found.runners_up) < 10:
        told = {subset.groups for subset in found.runners_up}
        # A choice of fewer modalities is as good as all that it is part of.
        near = [
            groups
            for groups, (objective, _) in values.items()
            if objective <= 1.01 * found.best.objective * (1 - 2 * TOL)
            and not set(found.best.groups) <= set(groups)
        ]
        assert told.issuperset(near)
    # The weights are those of the objective.
    kernels = np.flatnonzero(found.weights)
    assert set(kernels) <= set(np.concatenate([problem.groups[g] for g in found.best.groups]))
    fixed = solve_mkl(
        KernelStack([np.tensordot(found.weights, problem.grams, 1)]),
        problem.y,
        problem.cost,
        loss=problem.loss,
        tol=EXACT,
    )
    assert fixed.dual * (1 - 1e-9) <= found.best.objective
    assert np.linalg.norm(found.weights, problem.p) <= 1 + 1e-9


@pytest.mark.parametrize("seed", range(18))
def test_as_enumeration_says(seed: int) -> None:
    agree(random_problem(seed))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(18, 218, 20))
def test_as_enumeration_says_of_two_hundred_problems(first: int) -> None:
    for seed in range(first, first + 20):
        agree(random_problem(seed, most=12))


def test_one_search_finds_every_number_of_modalities() -> None:
    problem = random_problem(2)
    search = problem.search()
    numbers = range(1, len(problem.groups) + 1)
    together = [search.find(k).best.objective for k in numbers]
    alone = [problem.search().find(k).best.objective for k in numbers]
    np.testing.assert_allclose(together, alone, rtol=TOL)
    # More modalities never do worse.
    assert (np.diff(together) <= TOL * np.array(together[:-1])).all()


def test_a_proof_by_all_kernels_where_few_get_weight() -> None:
    """Three copies of one kernel and noise: one of them is as good as all."""
    problem = random_problem(0)
    copies = np.repeat(problem.grams[:1], 3, axis=0)
    groups = [np.array([k]) for k in range(3)]
    search = problem._replace(grams=copies, groups=groups).search()
    found = search.find(2)
    alone = solve_mkl(KernelStack([copies[0]]), problem.y, problem.cost, tol=EXACT)
    assert found.best.objective == pytest.approx(alone.primal, rel=TOL)
    assert found.gap <= TOL


def test_a_gap_is_left_when_time_is_up() -> None:
    problem = random_problem(1, most=7)
    values = problem.enumerate()
    found = problem.search(deadline=Deadline(1e-9)).find(problem.k)
    best = min(values.values())[0]
    assert found.best.objective >= best * (1 - EXACT)
    assert found.lower_bound <= best * (1 + 1e-12)
    assert found.gap > TOL
    assert found.limit == MAX_TIME
    assert not found.complete


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_one_bound_of_too_many_choices(p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(3)._replace(p=p, k=2)
    best = min(problem.enumerate().values())[0]
    monkeypatch.setattr(module, "MOST_SUBSETS", 2)
    found = problem.search().find(2)
    assert found.lower_bound <= best * (1 + 1e-12)
    assert best * (1 - EXACT) <= found.best.objective
    assert found.n_subsets == comb(len(problem.groups), 2)
    assert found.limit == (TOO_MANY if found.gap > TOL else None)
    assert not found.complete


def test_dual_points_that_are_forgotten_leave_the_bounds_valid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_points, "_MOST_POINTS", 8)
    monkeypatch.setattr(_points, "_FEWEST_POINTS", 8)
    agree(random_problem(9))


def test_a_constant_target_leaves_nothing_to_choose() -> None:
    problem = random_problem(6)._replace(loss=Squared(), k=2)
    found = problem._replace(y=np.full_like(problem.y, 3.0)).search().find(2)
    assert (found.best.objective, found.lower_bound, found.gap) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("q", [np.inf, 3.0, 2.0, 1.0])
@pytest.mark.parametrize("capped", [True, False])
def test_the_hull_against_a_general_solver(q: float, capped: bool) -> None:
    """The best combination, by SLSQP from several starts; its value by hand."""
    rng = np.random.default_rng(3)
    P, s = 6, 3
    factors = rng.normal(size=(s + 1, P, 9))
    X = factors @ factors.transpose(0, 2, 1)
    X[-1] *= 0.0 if capped else 0.1
    a = rng.uniform(1.0, 20.0, size=P)
    kernels = np.arange(s)

    def value(w: np.ndarray) -> float:
        forms = np.einsum("kij,i,j->k", X, w, w)
        return float(a @ w - 0.5 * (forms[-1] + np.linalg.norm(forms[:-1], q)))

    found, w, d = best_in_hull(a, X, kernels, q, capped, np.inf, 1e-7, True)
    forms = np.einsum("kij,i,j->k", X, w, w)
    size = np.linalg.norm(forms[:-1], q) + forms[-1]
    assert found == pytest.approx(scaled_bound(a @ w, size, capped), rel=1e-10)
    assert w.min() >= 0 and w.sum() <= 1 + 1e-12
    p = np.inf if q == 1.0 else (1.0 if np.isinf(q) else q / (q - 1.0))
    assert np.linalg.norm(d, p) <= 1 + 1e-12
    bounds = {"type": "ineq", "fun": lambda w: 1.0 - w.sum()}
    best = max(
        -minimize(
            lambda w: -value(w),
            start,
            bounds=[(0, None)] * P,
            constraints=[bounds],
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-12},
        ).fun
        for start in rng.dirichlet(np.ones(P), size=8)
    )
    assert found >= best * (1 - 1e-4)
    if capped:
        assert found <= best * (1 + 1e-4)
