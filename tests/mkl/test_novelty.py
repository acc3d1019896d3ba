"""MKLNoveltyDetector: cvxpy, OneClassSVM, and the meaning of nu."""

from __future__ import annotations

import warnings

import cvxpy as cp
import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.preprocessing import scale
from sklearn.svm import OneClassSVM

from mkfusion import MKLNoveltyDetector, RBFBank

X, LABELS = load_wine(return_X_y=True)
X = scale(X)
KNOWN, OTHERS = X[LABELS == 0], X[LABELS == 2]


def grams(rows: np.ndarray = KNOWN, cols: np.ndarray = KNOWN) -> np.ndarray:
    """RBF kernels of four groups of features."""
    groups = [slice(0, 4), slice(4, 7), slice(7, 10), slice(10, 13)]
    return np.stack([rbf_kernel(rows[:, part], cols[:, part], gamma=0.2) for part in groups])


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
@pytest.mark.parametrize("nu", [0.05, 0.3, 0.9])
def test_optimum_is_cvxpys(p: float, nu: float) -> None:
    kernels, tol = grams(), 1e-6
    n = len(KNOWN)
    weight = np.where(np.arange(n) % 4, 1.0, 2.0)
    model = MKLNoveltyDetector(nu, p, tol=tol).fit(list(kernels), sample_weight=weight)
    alpha = np.zeros(n)
    alpha[model.support_] = model.dual_coef_[0]
    assert alpha.min() >= 0
    assert np.all(alpha <= weight)
    assert alpha.sum() == pytest.approx(nu * weight.sum())
    q = np.inf if p == 1 else 1.0 if np.isinf(p) else p / (p - 1)
    dual = -0.5 * np.linalg.norm(np.einsum("i,kij,j->k", alpha, kernels, alpha), q)
    score = model.score_samples(list(kernels))
    primal = 0.5 * alpha @ score + weight @ np.maximum(model.offset_ - score, 0)
    primal -= nu * weight.sum() * model.offset_
    assert model.objective_ == pytest.approx(primal, rel=1e-9)
    assert model.duality_gap_ == pytest.approx((primal - dual) / abs(primal), abs=1e-9)

    a, bound = cp.Variable(n), cp.Variable(len(kernels))
    forms = [cp.sum_squares(np.linalg.cholesky(K + 1e-12 * np.eye(n)).T @ a) for K in kernels]
    size = cp.norm(bound, "inf" if np.isinf(q) else q)
    limits = [a >= 0, a <= weight, cp.sum(a) == nu * weight.sum(), bound >= cp.hstack(forms)]
    with warnings.catch_warnings():  # it is less sure of itself than it is accurate
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        best = -0.5 * cp.Problem(cp.Minimize(size), limits).solve(solver="CLARABEL")
    assert primal == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("nu", [0.05, 0.2, 0.5, 0.95])
def test_one_kernel_is_one_class_svm(nu: float) -> None:
    K, tests = rbf_kernel(KNOWN, gamma=0.1), rbf_kernel(OTHERS, KNOWN, gamma=0.1)
    ours = MKLNoveltyDetector(nu, tol=1e-8).fit(K)
    theirs = OneClassSVM(kernel="precomputed", nu=nu, tol=1e-8).fit(K)
    np.testing.assert_allclose(ours.score_samples(tests), theirs.score_samples(tests), atol=1e-3)
    np.testing.assert_allclose(ours.offset_, theirs.offset_, atol=1e-3)


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("nu", [0.1, 0.4])
def test_nu_bounds_the_outliers(nu: float, p: float) -> None:
    model = MKLNoveltyDetector(nu, p, tol=1e-6).fit(list(grams()))
    outside = (model.decision_function(list(grams())) < -1e-6).mean()
    assert outside <= nu + 1e-9
    assert len(model.support_) >= nu * len(KNOWN) - 1e-9


def test_novelties_are_found() -> None:
    model = MKLNoveltyDetector(0.1).fit(list(grams()))
    assert (model.predict(list(grams(OTHERS))) == -1).mean() > 0.95
    assert set(np.unique(model.fit_predict(list(grams())))) == {-1, 1}


def test_scale_of_all_kernels_does_not_matter() -> None:
    a = MKLNoveltyDetector(0.2, tol=1e-7).fit(list(grams()))
    b = MKLNoveltyDetector(0.2, tol=1e-7).fit(list(1e4 * grams()))
    np.testing.assert_allclose(b.weights_, a.weights_, atol=1e-4)
    np.testing.assert_allclose(
        b.decision_function(list(1e4 * grams(X))),
        1e4 * a.decision_function(list(grams(X))),
        atol=1e-2 * a.offset_ * 1e4,
    )


def test_many_kernels() -> None:
    bank = RBFBank(1100, random_state=0).fit_transform(KNOWN)
    for p in (1.0, 2.0):
        model = MKLNoveltyDetector(p=p, tol=1e-2).fit(bank)
        assert model.duality_gap_ <= 1e-2


def test_an_origin_among_the_samples_is_an_optimum_of_zero() -> None:
    centred = KNOWN - KNOWN.mean(axis=0)
    model = MKLNoveltyDetector(0.9).fit(linear_kernel(centred))
    size = np.linalg.norm(centred, axis=1).max() * len(KNOWN)
    assert abs(model.objective_) <= 1e-8 * size**2


@pytest.mark.parametrize("nu", [0.0, 1.5])
def test_bad_nu(nu: float) -> None:
    with pytest.raises(ValueError, match="'nu'"):
        MKLNoveltyDetector(nu).fit(list(grams()))
