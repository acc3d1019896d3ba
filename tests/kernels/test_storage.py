"""The contract of storages: what is lazy equals what is dense, and both equal NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import laplacian_kernel, linear_kernel, rbf_kernel

from mkfusion.kernels import Kernelizer, LaplacianKernel, LinearKernel, RBFKernel
from mkfusion.kernels._dense_storage import DenseStorage
from mkfusion.kernels._storage import Storage

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(11, 3))
TEST = rng.normal(size=(7, 3))
WEIGHTS = np.array([0.5, 0.0, 2.0])
# Some columns of beta are zero for every vector.
BETA = rng.normal(size=(2, 11)) * (np.arange(11) % 3 > 0)


def grams(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Kernels (3, n_rows, n_cols) by scikit-learn."""
    return np.array(
        [
            rbf_kernel(x, train, gamma=0.3),
            linear_kernel(x, train),
            laplacian_kernel(x, train, gamma=0.2),
        ]
    )


def lazy(x: np.ndarray, train: np.ndarray) -> Storage:
    kernels = [RBFKernel(gamma=0.3), LinearKernel(), LaplacianKernel(gamma=0.2)]
    kernelizer = Kernelizer(kernels, normalize=None)
    stack = kernelizer.fit_transform(train) if x is train else kernelizer.fit(train).transform(x)
    return stack._storage


def dense(x: np.ndarray, train: np.ndarray) -> Storage:
    return DenseStorage(np.ascontiguousarray(grams(x, train).astype(x.dtype)))


@pytest.fixture(params=[dense, lazy])
def make(request):
    return request.param


@pytest.fixture(params=["train", "test"])
def rows(request):
    return TRAIN if request.param == "train" else TEST


@pytest.fixture(params=["everything", "subset", "repeated"])
def case(request, make, rows):
    """A storage, and its kernels as NumPy has them."""
    storage, expected = make(rows, TRAIN), grams(rows, TRAIN)
    if request.param == "everything":
        return storage, expected
    i = np.array([5, 0, 3]) if request.param == "subset" else np.array([2, 2, 6])
    j = np.arange(11)[::-1] if request.param == "subset" else np.r_[2, 2, np.arange(3, 11), 0]
    return storage.take(i, j), expected[:, i][:, :, j]


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_shape_dtype_and_gram(case) -> None:
    storage, expected = case
    assert storage.shape == (*expected.shape[1:], 3)
    assert storage.dtype == np.float64
    for k in range(3):
        close(storage.gram(k), expected[k])


def test_combine(case) -> None:
    storage, expected = case
    close(storage.combine(WEIGHTS), np.einsum("k,kij->ij", WEIGHTS, expected))


def test_combine_a_block_into_given_memory(case) -> None:
    storage, expected = case
    i, j = np.array([2, 0]), np.array([7, 1, 1])
    out = np.full((2, 11), np.nan)
    assert storage.combine(WEIGHTS, i, out) is out
    close(out, np.einsum("k,kij->ij", WEIGHTS, expected[:, i]))
    out = np.full((2, 3), np.nan)
    assert storage.combine(WEIGHTS, i, out, cols=j) is out
    close(out, np.einsum("k,kij->ij", WEIGHTS, expected[:, i][:, :, j]))


def test_dot(case) -> None:
    storage, expected = case
    close(storage.dot(BETA), np.einsum("kij,uj->uki", expected, BETA))
    close(storage.dot(BETA[0]), np.einsum("kij,j->ki", expected, BETA[0]))
    close(storage.dot(0 * BETA), 0 * np.einsum("kij,uj->uki", expected, BETA))


def test_add_dot(make) -> None:
    storage, expected = make(TRAIN, TRAIN), grams(TRAIN, TRAIN)
    products = np.einsum("kij,uj->uki", expected, BETA)
    out = np.ones_like(products)
    storage.add_dot(BETA, out)
    close(out, 1 + products)
    out = np.ones_like(products)
    storage.add_dot(BETA, out, np.array([1]))
    close(out[:, 1], 1 + products[:, 1])
    np.testing.assert_array_equal(np.delete(out, 1, axis=1), 1.0)


def test_diagonal(make) -> None:
    close(make(TRAIN, TRAIN).diagonal(), np.einsum("kii->ki", grams(TRAIN, TRAIN)))
    i = np.array([4, 1, 1])
    close(make(TRAIN, TRAIN).take(i, i).diagonal(), np.einsum("kii->ki", grams(TRAIN, TRAIN))[:, i])
    # A square block between different samples has a diagonal too.
    j = np.array([0, 2, 5])
    close(make(TEST, TRAIN).take(i, j).diagonal(), grams(TEST, TRAIN)[:, i, j])


def test_select_and_take_compose(make, rows) -> None:
    storage = make(rows, TRAIN).take(np.array([6, 1, 3]), None).select(np.array([2, 0]))
    storage = storage.take(np.array([2, 0]), np.array([9, 4]))
    expected = grams(rows, TRAIN)[[2, 0]][:, [3, 6]][:, :, [9, 4]]
    assert storage.shape == (2, 2, 2)
    close(storage.materialize().array, expected)


def test_materialize_is_dense_and_contiguous(case) -> None:
    storage, expected = case
    array = storage.materialize().array
    assert array.flags.c_contiguous
    close(array, expected)


def test_single_precision_stays(make, rows) -> None:
    storage = make(rows.astype(np.float32), TRAIN.astype(np.float32))
    expected = grams(rows, TRAIN)
    assert storage.dtype == np.float32
    assert storage.gram(0).dtype == np.float32
    assert storage.take(np.array([1]), None).materialize().array.dtype == np.float32
    # What is computed from it is accumulated in double precision.
    for found in (storage.combine(WEIGHTS), storage.dot(BETA)):
        assert found.dtype == np.float64
    np.testing.assert_allclose(
        storage.combine(WEIGHTS), np.einsum("k,kij->ij", WEIGHTS, expected), rtol=1e-5, atol=1e-5
    )


def test_empty_rows(make) -> None:
    storage = make(TEST, TRAIN).take(np.empty(0, dtype=np.intp), None)
    assert storage.combine(WEIGHTS).shape == (0, 11)
    assert storage.dot(BETA).shape == (2, 3, 0)
