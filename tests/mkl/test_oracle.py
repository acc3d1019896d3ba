"""Every fit is as good as it says: certificate, feasibility and the cvxpy oracle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.svm import SVC

from mkfusion import MKLClassifier
from oracles import checks, mkl, problems

NUMBERS = range(problems.N_PROBLEMS)
TIGHT = range(0, problems.N_PROBLEMS, 5)
SINGLE = [i for i in NUMBERS if problems.make(i).lam is None and i % 4 == 0]

Recorder = Callable[[checks.Examination], None]


def name(number: int) -> str:
    """Return the id of a problem."""
    return problems.make(number).id


def check(number: int, tol: float, examined: Recorder) -> None:
    """Fit one problem and fail with everything that is wrong."""
    problem = problems.make(number)
    model, converged = checks.fit(problem, tol)
    one = checks.examine(model, converged, problem, tol)
    examined(one)
    assert not one.faults, f"{problem!r}: " + "; ".join(one.faults)


@pytest.mark.parametrize("number", NUMBERS, ids=name)
def test_certified_to_1e3(number: int, examined: Recorder) -> None:
    check(number, 1e-3, examined)


@pytest.mark.parametrize("number", TIGHT, ids=name)
def test_certified_to_1e6(number: int, examined: Recorder) -> None:
    check(number, 1e-6, examined)


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(set(NUMBERS) - set(TIGHT)), ids=name)
def test_certified_to_1e6_all(number: int, examined: Recorder) -> None:
    check(number, 1e-6, examined)


@pytest.mark.slow
@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
@pytest.mark.parametrize("number", TIGHT, ids=name)
def test_certified_to_other_tolerances(number: int, tol: float, examined: Recorder) -> None:
    check(number, tol, examined)


@pytest.mark.parametrize("number", SINGLE, ids=name)
def test_one_kernel_is_svc(number: int) -> None:
    problem = problems.make(number)
    gram = problem.kernels[0] / np.mean(np.diagonal(problem.kernels[0]))
    if not np.any(gram):
        pytest.skip("the first kernel is zero")
    tol, C = 1e-10, min(problem.C, 10.0)
    model = MKLClassifier(C=C, p=problem.p, tol=tol, class_weight=problem.class_weight)
    model.fit([gram], problem.labels, sample_weight=problem.sample_weight)
    assert model.weights_ == pytest.approx(np.ones(1))
    ours = model.decision_function([gram]).reshape(len(gram), -1).T
    beta = checks.fitted_rows(model, len(gram))
    cost = problem.cost * C / problem.C
    for u, sign in enumerate(problem.signs):
        svc = SVC(C=1.0, kernel="precomputed", tol=1e-6)
        svc.fit(gram, sign, sample_weight=cost[u])
        other = np.zeros(len(gram))
        other[svc.support_] = svc.dual_coef_[0]
        value = mkl.dual_value(gram[None], sign, other, problem.p)
        ours_value = mkl.dual_value(gram[None], sign, beta[u], problem.p)
        assert ours_value == pytest.approx(value, rel=1e-7)
        # The primal is strongly convex in f: ||f - f*||^2 <= 2 gap.
        reach = np.sqrt(2e-7 * value * np.diagonal(gram).max()) + 1e-6
        no_b = ours[u] - model.intercept_[u]
        np.testing.assert_allclose(no_b, svc.decision_function(gram) - svc.intercept_, atol=reach)
        free = (np.abs(beta[u]) > 1e-3 * cost[u]) & (np.abs(beta[u]) < 0.999 * cost[u])
        if free.any():  # else any intercept of an interval is optimal
            np.testing.assert_allclose(model.intercept_[u], svc.intercept_[0], atol=2 * reach)


def test_one_gram_matrix_is_one_kernel() -> None:
    problem = problems.make(0)
    gram = problem.kernels[0]
    alone = MKLClassifier(tol=1e-6).fit(gram, problem.labels)
    listed = MKLClassifier(tol=1e-6).fit([gram], problem.labels)
    nested = MKLClassifier(tol=1e-6).fit(gram.tolist(), problem.labels)
    decision = listed.decision_function([gram])
    for other in (alone, nested):
        np.testing.assert_array_equal(other.dual_coef_, listed.dual_coef_)
        np.testing.assert_array_equal(other.weights_, [1.0])
        np.testing.assert_array_equal(other.decision_function(gram), decision)


@pytest.mark.parametrize("number", [0, 2, 6, 42, 43, 48], ids=name)
def test_decision_function_is_the_combined_kernel(number: int) -> None:
    problem = problems.make(number)
    n = len(problem.labels)
    model, _ = checks.fit(problem, 1e-3)
    rows = np.random.default_rng(number).permutation(n)[: n // 2 + 1]
    parts = [gram[rows] for gram in problem.kernels]
    beta = checks.fitted_rows(model, n)
    weights = np.atleast_2d(model.weights_)
    expected = np.column_stack(
        [
            np.tensordot(weights[u if len(weights) > 1 else 0], parts, axes=1) @ beta[u]
            + model.intercept_[u]
            for u in range(len(beta))
        ]
    )
    if problem.n_classes == 2:
        expected = expected[:, 0]
        labels = model.classes_[(expected > 0).astype(int)]
    else:
        labels = model.classes_[expected.argmax(axis=1)]
    for form in (parts, np.stack(parts, axis=2)):
        decision = model.decision_function(form)
        assert decision.shape == expected.shape
        np.testing.assert_allclose(decision, expected, atol=1e-9 * np.abs(expected).max())
        np.testing.assert_array_equal(model.predict(form), labels)
    truth = problem.labels[rows]
    assert model.score(parts, truth) == pytest.approx(np.mean(labels == truth))
