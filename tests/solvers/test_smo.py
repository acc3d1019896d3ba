"""SMO: KKT conditions, LIBSVM's solution, and the order in which rows are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale
from sklearn.svm import SVC, SVR

from mkfusion.solvers._smo import CONVERGED, NEEDS_ROW, OUT_OF_ITERATIONS, smo


def data(n: int, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """An RBF Gram matrix (n, n) and signs (n,) of real samples."""
    X, y = load_breast_cancer(return_X_y=True)
    return rbf_kernel(scale(X)[:n], gamma=gamma), np.where(y[:n] == 1, 1.0, -1.0)


def violation(beta: np.ndarray, e: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Largest e over variables that may grow, less the smallest over those that may fall."""
    return float(e[beta < upper].max() - e[beta > lower].min())


@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
@pytest.mark.parametrize(("n", "gamma"), [(97, 0.5), (128, 0.01), (300, 0.05)])
def test_solution_is_libsvms(n: int, gamma: float, C: float) -> None:
    K, y = data(n, gamma)
    beta, e = np.zeros(n), y.copy()
    lower, upper = np.minimum(C * y, 0), np.maximum(C * y, 0)
    status, row, n_iter, reported = smo(
        beta, e, lower, upper, np.diag(K).copy(), K, np.arange(n), 0.0, 1e-6, 10**7
    )
    assert (status, row) == (CONVERGED, -1)
    np.testing.assert_allclose(e, y - K @ beta, atol=1e-9 * C)
    assert np.all((beta >= lower) & (beta <= upper))
    assert abs(beta.sum()) <= 1e-10 * C
    assert violation(beta, e, lower, upper) == pytest.approx(reported, abs=1e-12)
    assert reported <= 1e-6
    svc = SVC(C=C, kernel="precomputed", tol=1e-6).fit(K, y)
    theirs = np.zeros(n)
    theirs[svc.support_] = svc.dual_coef_[0]
    # Strong convexity in f: the distance is at most the square root of the gaps.
    np.testing.assert_allclose(K @ beta, K @ theirs, atol=1e-3 * np.sqrt(C))
    assert y @ beta - beta @ K @ beta / 2 == pytest.approx(
        y @ theirs - theirs @ K @ theirs / 2, rel=1e-6
    )
    assert n_iter <= 3 * svc.n_iter_[0] + 50


def test_rows_on_demand_take_the_same_steps() -> None:
    n, C = 150, 10.0
    K, y = data(n, 0.05)
    lower, upper = np.minimum(C * y, 0), np.maximum(C * y, 0)
    diag = np.diag(K).copy()
    whole, e = np.zeros(n), y.copy()
    smo(whole, e, lower, upper, diag, K, np.arange(n), 0.0, 1e-3, 10**6)

    beta, e = np.zeros(n), y.copy()
    rows, slot = np.full((n, n), np.nan), np.full(n, -1)
    asked: list[int] = []
    while True:
        status, row, _, _ = smo(beta, e, lower, upper, diag, rows, slot, 0.0, 1e-3, 10**6)
        if status != NEEDS_ROW:
            break
        assert slot[row] < 0
        rows[len(asked)] = K[row]
        slot[row] = len(asked)
        asked.append(row)
    np.testing.assert_array_equal(beta, whole)
    assert set(np.flatnonzero(beta)) <= set(asked)
    assert len(asked) < n


def test_iterations_run_out() -> None:
    n = 100
    K, y = data(n, 0.05)
    beta, e = np.zeros(n), y.copy()
    C = 10.0 * y
    status, _, n_iter, reported = smo(
        beta,
        e,
        np.minimum(C, 0),
        np.maximum(C, 0),
        np.diag(K).copy(),
        K,
        np.arange(n),
        0.0,
        1e-9,
        7,
    )
    assert (status, n_iter) == (OUT_OF_ITERATIONS, 7)
    assert reported > 1e-9


def test_singular_kernels_and_equal_samples() -> None:
    """Pairs without curvature go to a bound."""
    y = np.array([1.0, -1.0, 1.0, -1.0])
    K = np.ones((4, 4))
    beta, e = np.zeros(4), y.copy()
    C = 2.0 * y
    status, _, _, _ = smo(
        beta, e, np.minimum(C, 0), np.maximum(C, 0), np.ones(4), K, np.arange(4), 0.0, 1e-8, 1000
    )
    assert status == CONVERGED
    np.testing.assert_array_equal(beta, C)


def test_long_runs_leave_settled_variables_aside() -> None:
    """They end where LIBSVM does, with every row asked for when it is needed."""
    X, target = load_breast_cancer(return_X_y=True)
    X, y = scale(X)[:, :8], np.where(target == 1, 1.0, -1.0)
    K, n, C = X @ X.T / 8, len(y), 300.0
    lower, upper = np.minimum(C * y, 0), np.maximum(C * y, 0)
    beta, e = np.zeros(n), y.copy()
    rows, slot = np.full((n, n), np.nan), np.full(n, -1)
    asked = total = 0
    while True:
        status, row, n_iter, reported = smo(
            beta, e, lower, upper, np.diag(K).copy(), rows, slot, 0.0, 1e-4, 10**7
        )
        total += n_iter
        if status != NEEDS_ROW:
            break
        rows[asked], slot[row] = K[row], asked
        asked += 1
    assert status == CONVERGED
    assert total > 5 * n
    np.testing.assert_allclose(e, y - K @ beta, atol=1e-8)
    assert violation(beta, e, lower, upper) == pytest.approx(reported, abs=1e-9)
    svc = SVC(C=C, kernel="precomputed", tol=1e-4).fit(K, y)
    theirs = np.zeros(n)
    theirs[svc.support_] = svc.dual_coef_[0]
    assert y @ beta - beta @ K @ beta / 2 == pytest.approx(
        y @ theirs - theirs @ K @ theirs / 2, rel=1e-5
    )


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("C", [0.1, 100.0])
def test_a_price_of_absolute_values_is_a_tube(epsilon: float, C: float) -> None:
    X, y = load_diabetes(return_X_y=True)
    K, y, n = rbf_kernel(X, gamma=30.0), scale(y), len(y)
    beta, e, bound = np.zeros(n), y.copy(), np.full(n, C)
    status, _, _, _ = smo(
        beta, e, -bound, bound, np.diag(K).copy(), K, np.arange(n), epsilon, 1e-6, 10**7
    )
    assert status == CONVERGED
    np.testing.assert_allclose(e, y - K @ beta, atol=1e-9 * C)
    svr = SVR(C=C, kernel="precomputed", epsilon=epsilon, tol=1e-6).fit(K, y)
    theirs = np.zeros(n)
    theirs[svr.support_] = svr.dual_coef_[0]

    def dual(b: np.ndarray) -> float:
        return float(y @ b - epsilon * np.abs(b).sum() - b @ K @ b / 2)

    assert dual(beta) == pytest.approx(dual(theirs), rel=1e-6)
