"""The oracle itself: against SVC, against another formulation, and its own bracket."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from oracles import mkl, problems

SMALL = [i for i in range(problems.N_PROBLEMS) if len(problems.make(i).labels) <= 40]


def test_every_norm_meets_every_trait() -> None:
    made = [problems.make(i) for i in range(problems.N_PROBLEMS)]
    assert len(made) >= 200
    assert len({problem.id for problem in made}) == len(made)
    pairs = {(problem.p, trait) for problem in made for trait in problem.traits}
    assert pairs == {(p, trait) for p in problems.NORMS for trait in problems.TRAITS}
    sizes = [problem.kernels.shape for problem in made]
    assert {m for m, _, _ in sizes} == set(range(1, 13))
    assert min(n for _, n, _ in sizes) == 10
    assert 110 < max(n for _, n, _ in sizes) <= 120
    costs = [problem.C for problem in made]
    assert 0.01 <= min(costs) < 0.02
    assert 500 < max(costs) <= 1000


@pytest.mark.parametrize("number", range(0, problems.N_PROBLEMS, 5))
def test_bracket_is_tight(number: int) -> None:
    for solution in problems.reference(number):
        assert abs(solution.width) < 1e-6


@pytest.mark.parametrize("number", SMALL[::8])
def test_primal_and_dual_formulation_agree(number: int) -> None:
    problem = problems.make(number)
    kernels = problem.kernels / np.trace(problem.kernels, axis1=1, axis2=2)[:, None, None]
    kernels = kernels * len(problem.labels)
    cost = problem.cost / problem.C
    solution = mkl.solve(kernels, problem.signs, cost, problem.p, problem.lam)
    value = mkl.solve_primal(kernels, problem.signs, cost, problem.p, problem.lam)
    assert value == pytest.approx(solution.upper, rel=1e-5)
    assert value == pytest.approx(solution.lower, rel=1e-5)


@pytest.mark.parametrize("p", problems.NORMS)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_one_kernel_is_svc(p: float, C: float) -> None:
    problem = problems.make(0)
    gram = problem.kernels[-1] / np.mean(np.diagonal(problem.kernels[-1]))
    y = problem.signs[0]
    solution = mkl.solve(gram[None], y, C, p)
    svc = SVC(C=C, kernel="precomputed", tol=1e-8).fit(gram, y)
    beta = np.zeros(len(y))
    beta[svc.support_] = svc.dual_coef_[0]
    primal = mkl.primal_value(gram[None], y, np.full(len(y), C), [1.0], beta, svc.intercept_, p)
    assert solution.width < 1e-8
    assert primal == pytest.approx(solution.upper, rel=1e-5)
    assert mkl.dual_value(gram[None], y, beta, p) == pytest.approx(solution.lower, rel=1e-5)


def test_any_feasible_pair_brackets_the_optimum() -> None:
    """Weak duality, on points that no solver proposed."""
    for number in (0, 3, 6, 45, 49, 51):
        problem = problems.make(number)
        rng = np.random.default_rng(number)
        for rows, solution in zip(problem.parts(), problems.reference(number), strict=True):
            y, cost = problem.signs[rows], problem.cost[rows]
            for _ in range(20):
                guess = y * cost * rng.random(y.shape)
                beta = mkl.feasible(guess, y, cost)
                box, balance = mkl.dual_violation(y, cost, beta)
                assert box < 1e-14
                assert balance < 1e-12
                beta = beta * 10.0 ** rng.uniform(-3, 0)
                weights = rng.random(len(problem.kernels))
                weights /= mkl.lq_norm(weights, problem.p) * (1 + 1e-15)
                b = rng.normal(size=len(y))
                primal = mkl.primal_value(
                    problem.kernels, y, cost, weights, beta, b, problem.p, problem.lam
                )
                dual = mkl.dual_value(problem.kernels, y, beta, problem.p, problem.lam)
                assert dual <= solution.upper * (1 + 1e-9)
                assert primal >= solution.lower * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_best_intercept_beats_a_fine_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[:2] = 1, -1
    scores, cost = rng.normal(size=n).round(1), rng.choice([0.0, 1.0, 2.5], size=n)
    cost[:2] = 1

    def total(b: float) -> float:
        return float(np.sum(cost * np.maximum(0, 1 - y * (scores + b))))

    b = mkl.best_intercept(scores, y, cost)
    assert total(b) <= min(total(c) for c in np.linspace(-6, 6, 4001)) + 1e-12
    left = mkl.hinge_slopes(scores, y, cost, b - 1e-9)[0]
    right = mkl.hinge_slopes(scores, y, cost, b + 1e-9)[1]
    assert left <= 1e-12
    assert right >= -1e-12


@pytest.mark.parametrize("p", [1.01, 1.5, 2.0, 4.0, np.inf])
@pytest.mark.parametrize("lam", [None, 0.3])
def test_weights_maximise_their_part_of_the_dual(p: float, lam: float | None) -> None:
    g = np.array([0.5, 2.0, 0.0, 1.9])
    d = mkl.weights_from_forms(g, p, lam)
    q = mkl.dual_exponent(p)

    def value(w: np.ndarray) -> float:
        size = mkl.lq_norm(w, p)
        if lam is None:
            return float(0.5 * w @ g / size)
        return float(0.5 * w @ g - 0.5 * lam * size**2)

    best = mkl.lq_norm(g, q) / 2 if lam is None else mkl.lq_norm(g, q) ** 2 / (8 * lam)
    assert value(d) == pytest.approx(best, rel=1e-12)
    assert d[2] == 0
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert value(d + 0.1 * rng.random(4) * d.max()) <= best * (1 + 1e-12)
