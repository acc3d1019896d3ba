"""Kernels between rows of numbers, against scikit-learn's functions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array, csr_matrix
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise

from mkfusion import (
    ChiSquaredKernel,
    CosineKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.uniform(size=(9, 4))
X[2] = 0
Z = rng.uniform(size=(5, 4))

CASES = [
    (LinearKernel(), pairwise.linear_kernel, {}),
    (CosineKernel(), pairwise.cosine_similarity, {}),
    (PolynomialKernel(), pairwise.polynomial_kernel, {}),
    (
        PolynomialKernel(degree=2, gamma=0.5, coef0=3),
        pairwise.polynomial_kernel,
        {"degree": 2, "gamma": 0.5, "coef0": 3},
    ),
    (RBFKernel(gamma=0.5), pairwise.rbf_kernel, {"gamma": 0.5}),
    (RBFKernel(gamma=None), pairwise.rbf_kernel, {}),
    (RBFKernel(gamma="scale"), pairwise.rbf_kernel, {"gamma": 1 / (4 * X.var())}),
    (RBFKernel(), pairwise.rbf_kernel, {"gamma": 1 / np.median(pdist(X, "sqeuclidean"))}),
    (LaplacianKernel(gamma=0.5), pairwise.laplacian_kernel, {"gamma": 0.5}),
    (LaplacianKernel(), pairwise.laplacian_kernel, {"gamma": 1 / np.median(pdist(X, "cityblock"))}),
    (ChiSquaredKernel(), pairwise.chi2_kernel, {}),
    (ChiSquaredKernel(gamma=0.2), pairwise.chi2_kernel, {"gamma": 0.2}),
]
each = pytest.mark.parametrize(("kernel", "function", "parameters"), CASES, ids=named)
sparse_ones = [case for case in CASES if not isinstance(case[0], ChiSquaredKernel)]


@each
def test_values(kernel, function, parameters) -> None:
    kernel = clone(kernel).fit(X)
    np.testing.assert_allclose(kernel(X), function(X, **parameters), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kernel(Z, X), function(Z, X, **parameters), rtol=1e-12)
    np.testing.assert_allclose(kernel(Z), function(Z, **parameters), rtol=1e-12)


@each
def test_diagonal(kernel, function, parameters) -> None:
    kernel = clone(kernel).fit(X)
    for samples in (X, Z):
        diagonal = kernel.diag(samples)
        assert diagonal.dtype == np.float64
        expected = np.diagonal(function(samples, **parameters))
        np.testing.assert_allclose(diagonal, expected, rtol=1e-12)


@each
def test_single_precision_stays(kernel, function, parameters) -> None:
    kernel = clone(kernel).fit(X.astype(np.float32))
    found = kernel(Z.astype(np.float32), X.astype(np.float32))
    assert found.dtype == np.float32
    assert kernel.diag(X.astype(np.float32)).dtype == np.float64
    np.testing.assert_allclose(found, function(Z, X, **parameters), rtol=1e-4)


@each
def test_positive_semi_definite(kernel, function, parameters) -> None:
    kernel = clone(kernel).fit(X)
    assert kernel._is_psd()
    assert np.linalg.eigvalsh(kernel(X))[0] > -1e-10


@each
def test_clone_and_pickle(kernel, function, parameters) -> None:
    again = pickle.loads(pickle.dumps(clone(kernel).fit(X)))
    np.testing.assert_array_equal(again(Z, X), clone(kernel).fit(X)(Z, X))
    assert clone(kernel).get_params() == kernel.get_params()


@pytest.mark.parametrize(("kernel", "function", "parameters"), sparse_ones, ids=named)
@pytest.mark.parametrize("form", [csr_array, csr_matrix, csc_array])
def test_sparse(kernel, function, parameters, form) -> None:
    kernel = clone(kernel).fit(form(X))
    found = kernel(form(Z), form(X))
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, function(Z, X, **parameters), rtol=1e-10)
    np.testing.assert_allclose(kernel.diag(form(Z)), np.diagonal(function(Z, **parameters)))


def test_chi_squared_takes_no_sparse_input() -> None:
    with pytest.raises(TypeError, match="Sparse data was passed"):
        ChiSquaredKernel().fit(csr_array(X))


def test_chi_squared_refuses_negative_features() -> None:
    with pytest.raises(ValueError, match=r"ChiSquaredKernel: X contains -0.5; expected non-neg"):
        ChiSquaredKernel().fit([[1.0, -0.5]])
    with pytest.raises(ValueError, match="expected non-negative features"):
        ChiSquaredKernel().fit(X)(-Z, X)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (RBFKernel(gamma=0), "gamma is 0"),
        (LaplacianKernel(gamma="auto"), "gamma is 'auto'"),
        (ChiSquaredKernel(gamma=-1.0), "gamma is -1.0"),
        (PolynomialKernel(gamma="median"), "gamma is 'median'"),
        (PolynomialKernel(degree=1.5), "degree is 1.5; expected a positive integer"),
        (PolynomialKernel(degree=0), "degree is 0; expected a positive number"),
        (PolynomialKernel(coef0=-1), "coef0 is -1; expected a non-negative number"),
    ],
    ids=named,
)
def test_parameters_are_refused(kernel, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"


def test_gamma_is_learned_at_fit_and_kept() -> None:
    kernel = RBFKernel().fit(X)
    gamma = kernel.gamma_
    kernel(100 * Z, X)
    assert kernel.gamma_ == gamma
    assert RBFKernel().fit(2 * X).gamma_ == pytest.approx(gamma / 4)


def test_not_fitted() -> None:
    with pytest.raises(NotFittedError):
        RBFKernel().diag(X)


@pytest.mark.parametrize(
    ("kernel", "label"),
    [
        (LinearKernel(), "linear"),
        (CosineKernel(), "cosine"),
        (RBFKernel(), "rbf"),
        (RBFKernel(gamma=0.1), "rbf(gamma=0.1)"),
        (RBFKernel(gamma=1.0), "rbf(gamma=1.0)"),
        (RBFKernel(gamma=1 / 3), "rbf(gamma=0.3333)"),
        (RBFKernel(gamma="scale"), "rbf(gamma=scale)"),
        (RBFKernel(gamma=None), "rbf(gamma=None)"),
        (PolynomialKernel(degree=2, coef0=0), "polynomial(coef0=0, degree=2)"),
        (LaplacianKernel(gamma=2), "laplacian(gamma=2)"),
        (ChiSquaredKernel(gamma=1.0), "chi2"),
    ],
)
def test_labels(kernel, label: str) -> None:
    assert kernel._label() == label
