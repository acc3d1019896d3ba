"""Gaussian kernels of the same samples, evaluated together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from mkfusion import ColumnKernelizer, Kernelizer, KernelStack, RBFKernel
from mkfusion.stack import _gaussian
from mkfusion.stack._gaussian import GaussianGroup

rng = np.random.default_rng(0)
GAMMAS = np.array([0.01, 0.3, 4.0])
WEIGHTS = np.array([0.5, 0.0, 2.0])


def truth(X, Z, gammas=GAMMAS) -> np.ndarray:
    return np.exp(-np.multiply.outer(gammas, cdist(X, Z, "sqeuclidean")))


@pytest.fixture
def tiles(monkeypatch) -> list[int]:
    """Small tiles, and how many kernels were evaluated together each time."""
    monkeypatch.setattr(_gaussian, "_ROWS", 3)
    monkeypatch.setattr(_gaussian, "_COLS", 8)
    monkeypatch.setattr("mkfusion.stack._threads._WORTH_A_THREAD", 1)
    together: list[int] = []
    init = GaussianGroup.__init__

    def counted(self, kernels, members) -> None:
        together.append(len(members))
        init(self, kernels, members)

    monkeypatch.setattr(GaussianGroup, "__init__", counted)
    return together


@pytest.mark.parametrize("d", [1, 4, 33])
def test_sums_and_products_are_those_of_the_kernels(tiles, d) -> None:
    X, Z = rng.normal(size=(2, 30, d)) / np.sqrt(d)
    fitted = Kernelizer([RBFKernel(gamma) for gamma in GAMMAS]).fit(X)
    stack, test = fitted.fit_transform(X), fitted.transform(Z[:13])
    rows, cols = np.array([3, 1, 29, 3]), np.arange(5, 27)
    expected = np.einsum("k,kij->ij", WEIGHTS, truth(X, X))
    np.testing.assert_allclose(stack.combine(WEIGHTS), expected, rtol=1e-13)
    part = stack.combine(WEIGHTS, rows=rows, cols=cols)
    np.testing.assert_allclose(part, expected[np.ix_(rows, cols)], rtol=1e-13)
    inner = stack.take(rows, None).combine(WEIGHTS, cols=cols)
    np.testing.assert_array_equal(inner, part)
    expected = np.einsum("k,kij->ij", WEIGHTS, truth(Z[:13], X))
    np.testing.assert_allclose(test.combine(WEIGHTS), expected, rtol=1e-13)
    assert set(tiles) == {2}  # a kernel without weight is not evaluated

    beta = rng.normal(size=(2, 30)) * (rng.random(30) < 0.5)
    products = np.einsum("uj,kij->uki", beta, truth(Z[:13], X))
    np.testing.assert_allclose(test.dot(beta), products, rtol=1e-12, atol=1e-14)
    out = np.ones((2, 3, 30))
    stack.add_dot(beta, out, np.array([2, 0]))
    products = np.einsum("uj,kij->uki", beta, truth(X, X))
    products[:, 1] = 0.0
    np.testing.assert_allclose(out, 1.0 + products, rtol=1e-12)


def test_exponentials_are_right_over_their_whole_range(tiles) -> None:
    x = np.sqrt(np.concatenate([np.linspace(0.0, 2.0, 300), np.geomspace(1e-12, 700.0, 300)]))
    stack = Kernelizer([RBFKernel(1.0)]).fit(np.zeros((1, 1))).transform(x[:, np.newaxis])
    found = stack.combine([1.0])[:, 0]
    np.testing.assert_allclose(found, np.exp(-x * x), rtol=1e-15 * 4)
    assert np.all(found <= 1.0)
    far = Kernelizer([RBFKernel(1.0)]).fit(np.zeros((1, 1))).transform([[40.0], [1e200]])
    np.testing.assert_allclose(far.combine([1.0]), 0.0, atol=1e-300)


def test_features_whose_squares_overflow(tiles) -> None:
    X = np.zeros((3, 40))
    X[0, 0], X[1, 0] = 1e200, -1e200
    stack = Kernelizer([RBFKernel(1.0)]).fit_transform(X)
    np.testing.assert_allclose(stack.combine([1.0]), np.eye(3), atol=1e-300)


def test_groups_of_columns_are_evaluated_group_by_group(tiles) -> None:
    X = rng.normal(size=(20, 5))
    blocks = [("a", [RBFKernel(0.1), RBFKernel(1.0)], [0, 1]), ("b", [RBFKernel(0.2)], [2, 3, 4])]
    stack = ColumnKernelizer(blocks).fit_transform(X)
    expected = truth(X[:, :2], X[:, :2], [0.1, 1.0]).sum(axis=0)
    expected += truth(X[:, 2:], X[:, 2:], [0.2])[0]
    np.testing.assert_allclose(stack.combine(np.ones(3)), expected, rtol=1e-13)
    assert tiles == [2, 1]


@pytest.mark.parametrize("normalize", ["cosine", "trace", "center"])
def test_normalised_kernels(tiles, normalize) -> None:
    X = rng.normal(size=(20, 3))
    kernels = [RBFKernel(0.1), "linear", RBFKernel(1.0)]
    stack = Kernelizer(kernels, normalize=normalize).fit_transform(X)
    blocks = [stack.block(k, None, None) for k in range(3)]  # which are evaluated one by one
    tiles.clear()
    expected = np.einsum("k,kij->ij", [1.0, 0.1, 2.0], blocks)
    np.testing.assert_allclose(stack.combine([1.0, 0.1, 2.0]), expected, rtol=1e-12, atol=1e-14)
    assert tiles == ([] if normalize == "center" else [2])


class Wide(RBFKernel):
    """One that evaluates something else."""

    def _evaluate(self, samples, others=None) -> np.ndarray:
        return 1.0 + super()._evaluate(samples, others)


def test_what_is_not_gaussian_is_evaluated_as_it_is(tiles) -> None:
    X = rng.normal(size=(10, 3))
    own = Kernelizer([Wide(0.5)]).fit_transform(X)
    np.testing.assert_allclose(own.combine([1.0]), 1.0 + truth(X, X, [0.5])[0], rtol=1e-13)
    sparse = Kernelizer([RBFKernel(0.5)]).fit_transform(csr_array(X))
    np.testing.assert_allclose(sparse.combine([1.0]), truth(X, X, [0.5])[0], rtol=1e-12)
    assert tiles == []


def test_single_precision_samples(tiles) -> None:
    X = rng.normal(size=(12, 3)).astype(np.float32)
    stack = Kernelizer([RBFKernel(gamma) for gamma in GAMMAS]).fit_transform(X)
    exact = truth(X.astype(float), X.astype(float))
    np.testing.assert_allclose(stack.combine(WEIGHTS), np.tensordot(WEIGHTS, exact, 1), rtol=1e-12)
    assert tiles == [2]


def test_blocks_that_do_not_lie_in_one_piece(tiles) -> None:
    X = rng.normal(size=(12, 3))
    stack: KernelStack = Kernelizer([RBFKernel(1.0)]).fit_transform(X)
    out = np.full((12, 24), np.nan)
    stack.combine_into(np.ones(1), None, None, out[:, ::2])
    np.testing.assert_allclose(out[:, ::2], truth(X, X, [1.0])[0], rtol=1e-13)
    assert np.isnan(out[:, 1::2]).all()
