"""MKLRegressor: cvxpy, SVR, kernel ridge, and what must not change the answer."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer, scale
from sklearn.svm import SVR

from mkfusion import ColumnKernelizer, KernelStack, MKLRegressor, RBFBank, mkl_path
from oracles.names import named

X, Y = load_diabetes(return_X_y=True)
X, Y = scale(X), scale(Y)
LOSSES = ["epsilon_insensitive", "squared_error"]


def grams(n: int, m: int = 5) -> np.ndarray:
    """RBF kernels (m, n, n) of single features."""
    return np.stack([rbf_kernel(X[:n, [k]], gamma=0.5) for k in range(m)])


def dual_exponent(p: float) -> float:
    return np.inf if p == 1 else 1.0 if np.isinf(p) else p / (p - 1)


def optimum(kernels: np.ndarray, y: np.ndarray, cost: np.ndarray, model: MKLRegressor) -> float:
    """The dual optimum by cvxpy."""
    beta = cp.Variable(len(y))
    factors = [np.linalg.cholesky(K + 1e-12 * np.eye(len(y))) for K in kernels]
    forms = cp.hstack([cp.sum_squares(L.T @ beta) for L in factors])
    q = dual_exponent(model.p)
    # Norms of convex non-negative forms
    bound = cp.Variable(len(kernels))
    size = cp.norm(bound, "inf" if np.isinf(q) else q)
    limits = [cp.sum(beta) == 0, bound >= forms]
    gain = y @ beta
    if model.loss == "squared_error":
        gain -= cp.sum_squares(cp.multiply(1 / (2 * np.sqrt(cost)), beta))
    else:
        gain -= model.epsilon * cp.norm1(beta)
        limits.append(cp.abs(beta) <= cost)
    regulariser = 0.5 * size if model.lam is None else cp.square(size) / (8 * model.lam)
    problem = cp.Problem(cp.Maximize(gain - regulariser), limits)
    return float(problem.solve(solver="CLARABEL"))


def values(
    kernels: np.ndarray, y: np.ndarray, cost: np.ndarray, model: MKLRegressor
) -> tuple[float, float]:
    """Primal and dual value of a fitted model, from the definitions."""
    beta = np.zeros(len(y))
    beta[model.support_] = model.dual_coef_[0]
    g = np.einsum("i,kij,j->k", beta, kernels, beta)
    error = y - model.predict(list(kernels))
    squared = model.loss == "squared_error"
    loss = error**2 if squared else np.maximum(np.abs(error) - model.epsilon, 0)
    p, q = model.p, dual_exponent(model.p)
    primal = 0.5 * model.weights_ @ g + cost @ loss
    size = np.linalg.norm(g, q)
    dual = y @ beta
    dual -= (beta**2 / (4 * cost)).sum() if squared else model.epsilon * np.abs(beta).sum()
    if model.lam is None:
        return primal, dual - 0.5 * size
    primal += 0.5 * model.lam * np.linalg.norm(model.weights_, p) ** 2
    return primal, dual - size**2 / (8 * model.lam)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("lam", [None, 0.5])
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("C", [0.05, 10.0])
def test_optimum_is_cvxpys(loss: str, lam: float | None, p: float, C: float) -> None:
    n, tol = 60, 1e-5
    kernels, y = grams(n), Y[:n]
    weight = np.where(np.arange(n) % 3, 1.0, 2.5)
    model = MKLRegressor(C, p, loss=loss, lam=lam, epsilon=0.2, tol=tol)
    model.fit(list(kernels), y, sample_weight=weight)
    primal, dual = values(kernels, y, C * weight, model)
    assert model.objective_ == pytest.approx(primal, rel=1e-9)
    assert model.duality_gap_ == pytest.approx((primal - dual) / primal, abs=1e-9)
    assert model.duality_gap_ <= tol
    best = optimum(kernels, y, C * weight, model)
    assert dual <= best * (1 + 1e-6)
    assert primal == pytest.approx(best, rel=2 * tol)


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_one_kernel_is_svr(p: float, C: float, epsilon: float) -> None:
    K = rbf_kernel(X, gamma=0.05)
    ours = MKLRegressor(C, p, epsilon=epsilon, tol=1e-7).fit(K, Y)
    theirs = SVR(kernel="precomputed", C=C, epsilon=epsilon, tol=1e-7).fit(K, Y)
    assert ours.weights_ == pytest.approx([1.0])
    np.testing.assert_allclose(
        ours.predict(K) - ours.intercept_, theirs.predict(K) - theirs.intercept_, atol=1e-2
    )


def test_one_kernel_is_kernel_ridge() -> None:
    """Without an intercept, which centred kernels and targets do not need."""
    K = KernelCenterer().fit_transform(rbf_kernel(X, gamma=0.05))
    ours = MKLRegressor(C=0.5, loss="squared_error").fit(K, Y)
    theirs = KernelRidge(alpha=1.0, kernel="precomputed").fit(K, Y)
    np.testing.assert_allclose(ours.predict(K), theirs.predict(K), atol=1e-7)
    assert ours.intercept_ == pytest.approx([0.0], abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_samples_are_repetitions(loss: str) -> None:
    kernels, y = grams(80), Y[:80]
    weight = 1.0 + np.arange(80) % 3
    rows = np.repeat(np.arange(80), weight.astype(int))
    model = MKLRegressor(p=1.5, loss=loss, tol=1e-7)
    a = model.fit(list(kernels), y, sample_weight=weight)
    expected = a.predict(list(kernels))
    b = MKLRegressor(p=1.5, loss=loss, tol=1e-7).fit(list(kernels[:, rows][:, :, rows]), y[rows])
    np.testing.assert_allclose(b.weights_, a.weights_, atol=2e-3)
    np.testing.assert_allclose(b.predict(list(kernels[:, :, rows])), expected, atol=5e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_units_of_the_target_do_not_matter(loss: str) -> None:
    kernels, y = grams(100), Y[:100]
    a = MKLRegressor(C=1.0, p=1.2, epsilon=0.1, loss=loss, tol=1e-7).fit(list(kernels), y)
    C = 1.0 if loss == "squared_error" else 1000.0
    b = MKLRegressor(C=C, p=1.2, epsilon=100.0, loss=loss, tol=1e-7)
    b.fit(list(kernels), 1000.0 * y + 7.0)
    np.testing.assert_allclose(b.weights_, a.weights_, atol=1e-3)
    np.testing.assert_allclose(
        b.predict(list(kernels)), 1000.0 * a.predict(list(kernels)) + 7.0, atol=5.0
    )


def test_samples_without_weight_are_as_if_absent() -> None:
    kernels, y = grams(60), Y[:60].copy()
    weight = np.ones(60)
    weight[50:] = 0.0
    y[50:] = 1e6
    model = MKLRegressor(loss="squared_error", tol=1e-7).fit(list(kernels), y, weight)
    alone = MKLRegressor(loss="squared_error", tol=1e-7).fit(list(kernels[:, :50, :50]), y[:50])
    assert model.support_.max() < 50
    np.testing.assert_allclose(
        model.predict(list(kernels)), alone.predict(list(kernels[:, :, :50])), atol=1e-4
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_many_kernels(loss: str) -> None:
    bank = RBFBank(1200, random_state=0).fit_transform(X[:150])
    for p in (1.0, 1.5):
        model = MKLRegressor(p=p, loss=loss, tol=1e-2).fit(bank, Y[:150])
        assert model.duality_gap_ <= 1e-2
    few = MKLRegressor(p=1.5, loss=loss, tol=1e-4).fit(bank.select(np.arange(900)), Y[:150])
    assert few.duality_gap_ <= 1e-4


@pytest.mark.parametrize("loss", LOSSES)
def test_path(loss: str) -> None:
    kernels = list(grams(120))
    estimator = MKLRegressor(loss=loss, tol=1e-5)
    for parameter in ({"C": [0.1, 1.0, 10.0]}, {"p": [1.0, 1.5, 2.0]}):
        for model in mkl_path(kernels, Y[:120], estimator=estimator, **parameter):
            alone = MKLRegressor(**model.get_params()).fit(kernels, Y[:120])
            assert model.duality_gap_ <= 1e-5
            assert model.objective_ == pytest.approx(alone.objective_, rel=2e-5)


def test_in_a_grid_search_it_beats_the_mean() -> None:
    pipeline = make_pipeline(
        ColumnKernelizer([("body", "rbf", [0, 1, 2, 3]), ("blood", "rbf", slice(4, 10))]),
        MKLRegressor(),
    )
    grid = {"mklregressor__C": [0.1, 1.0], "mklregressor__loss": LOSSES}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.35


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e100])
def test_without_epsilon_it_is_a_tenth_of_the_standard_deviation(unit: float) -> None:
    K = rbf_kernel(X, gamma=0.05)
    y = unit * Y
    model = MKLRegressor(unit, epsilon=None, tol=1e-8).fit([K], y)
    told = MKLRegressor(unit, epsilon=0.1 * unit * np.std(Y), tol=1e-8).fit([K], y)
    np.testing.assert_allclose(model.predict([K]), told.predict([K]), rtol=1e-5)


def test_weights_count_in_the_standard_deviation() -> None:
    K, times = rbf_kernel(X, gamma=0.05), np.arange(len(Y)) % 3
    often = np.repeat(np.arange(len(Y)), times)
    weighted = MKLRegressor(epsilon=None, tol=1e-8).fit([K], Y, sample_weight=times)
    repeated = MKLRegressor(epsilon=None, tol=1e-8).fit([K[np.ix_(often, often)]], Y[often])
    predicted = repeated.predict([K[:, often]])
    np.testing.assert_allclose(weighted.predict([K]), predicted, rtol=1e-4)


def test_targets_without_a_spread_have_no_tube() -> None:
    model = MKLRegressor(epsilon=None).fit([np.eye(9)], np.full(9, 3.0))
    np.testing.assert_array_equal(model.predict([np.eye(9)]), 3.0)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"epsilon": -0.1}, Y[:20], "'epsilon'"),
        ({"loss": "huber"}, Y[:20], "'loss'"),
        ({"p": 0.5}, Y[:20], "'p'"),
        ({}, np.append(Y[:19], np.nan), "NaN"),
        ({}, Y[:19], "y has 19 samples; expected 20, as X has"),
        ({}, np.array(["a"] * 20, dtype=object), "could not convert"),
        ({}, None, "y"),
    ],
    ids=named,
)
def test_bad_input(parameters: dict[str, Any], y: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        MKLRegressor(**parameters).fit(KernelStack(list(grams(20))), y)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="sample_weight contains -1"):
        MKLRegressor().fit(grams(10)[0], Y[:10], sample_weight=-np.ones(10))
    with pytest.raises(ValueError, match="sample_weight is "):
        MKLRegressor().fit(grams(10)[0], Y[:10], sample_weight=np.zeros(10))
