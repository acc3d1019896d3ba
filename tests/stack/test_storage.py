"""The contract of storages: whatever holds the kernels, its operations equal NumPy's on arrays."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import laplacian_kernel, linear_kernel, rbf_kernel

from mkfusion import Kernelizer, LaplacianKernel, LinearKernel, RBFKernel
from mkfusion.stack import KernelStack
from mkfusion.stack._bank import Bank, BankStorage
from mkfusion.stack._dense import DenseStorage
from mkfusion.stack._product import ProductStorage
from mkfusion.stack._storage import Storage

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(11, 3))
TEST = rng.normal(size=(7, 3))
WEIGHTS = np.array([0.5, 0.0, 2.0])
# Some columns of beta are zero for every vector.
BETA = rng.normal(size=(2, 11)) * (np.arange(11) % 3 > 0)
EMPTY = np.empty(0, dtype=np.intp)


def grams(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Kernels (3, n_rows, n_cols) by scikit-learn."""
    return np.array(
        [
            rbf_kernel(x, train, gamma=0.3),
            linear_kernel(x, train),
            laplacian_kernel(x, train, gamma=0.2),
        ]
    )


def bank_grams(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The kernels of `BANK`, by scikit-learn."""
    return np.array(
        [
            rbf_kernel(x[:, f], train[:, f], gamma=gamma)
            for f, gamma in (([0], 0.5), ([1, 2], 0.25), ([0, 1, 2], 1.0))
        ]
    )


def dense(x: np.ndarray, train: np.ndarray, _: Path) -> Storage:
    return DenseStorage(np.ascontiguousarray(grams(x, train).astype(x.dtype)))


def lazy(x: np.ndarray, train: np.ndarray, _: Path) -> Storage:
    kernels = [RBFKernel(gamma=0.3), LinearKernel(), LaplacianKernel(gamma=0.2)]
    kernelizer = Kernelizer(kernels, normalize=None)
    stack = kernelizer.fit_transform(train) if x is train else kernelizer.fit(train).transform(x)
    return stack._storage


def saved(x: np.ndarray, train: np.ndarray, folder: Path) -> Storage:
    """One file of our own."""
    KernelStack(list(grams(x, train).astype(x.dtype))).save(folder / "kernels.npy")
    return KernelStack.load(folder / "kernels.npy")._storage


def maps(x: np.ndarray, train: np.ndarray, folder: Path) -> Storage:
    """A file for each kernel, of another layout each."""
    low = x.dtype == np.float32
    layouts = [np.ascontiguousarray, np.asfortranarray, np.ascontiguousarray]
    mapped = []
    for k, (gram, layout) in enumerate(zip(grams(x, train), layouts, strict=True)):
        np.save(folder / f"{k}.npy", layout(gram.astype(x.dtype if k < 2 or low else ">f8")))
        mapped.append(np.load(folder / f"{k}.npy", mmap_mode="r"))
    return KernelStack(mapped)._storage


def kernels_last(x: np.ndarray, train: np.ndarray, folder: Path) -> Storage:
    """One file of somebody else's."""
    np.save(folder / "last.npy", np.moveaxis(grams(x, train).astype(x.dtype), 0, -1).copy())
    return KernelStack(np.load(folder / "last.npy", mmap_mode="r"))._storage


def low_rank(x: np.ndarray, train: np.ndarray, _: Path) -> Storage:
    """Features with exactly these inner products, in one case sparse ones."""
    everybody = np.concatenate([train, x])
    n = len(train)
    features = []
    for gram in grams(everybody, everybody):
        values, vectors = np.linalg.eigh(gram)
        kept = values > 1e-9
        features.append((vectors[:, kept] * np.sqrt(values[kept])).astype(x.dtype))
    features[1] = csr_array(features[1])
    ours = [one[:n] for one in features]
    if x is train:
        return KernelStack.from_features(ours)._storage
    return KernelStack.from_features([one[n:] for one in features], ours)._storage


def products(x: np.ndarray, train: np.ndarray, folder: Path) -> Storage:
    """Products of one factor and of two, one of which is all ones."""
    ones = np.ones((1, len(x), len(train)), dtype=x.dtype)
    array = np.concatenate([grams(x, train).astype(x.dtype), ones])
    return ProductStorage(DenseStorage(array), [(0,), (1, 3), (2,)])


def bank(x: np.ndarray, train: np.ndarray, _: Path) -> Storage:
    spec = Bank(
        np.array([0, 1, 3, 6]),
        np.array([0, 1, 2, 0, 1, 2], dtype=np.int32),
        np.array([0.5, 0.25, 1.0], dtype=np.float32),
    )
    rows = x.astype(np.float64)
    return BankStorage(spec, rows, rows if x is train else train.astype(np.float64))


class Kind(NamedTuple):
    make: Callable[[np.ndarray, np.ndarray, Path], Storage]
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray]
    dtype: Any
    tol: float


KINDS = {
    make.__name__: Kind(make, grams, np.float64, 1e-12)
    for make in (dense, lazy, saved, maps, kernels_last, low_rank, products)
}
KINDS["bank"] = Kind(bank, bank_grams, np.float32, 1e-6)


class Case(NamedTuple):
    storage: Storage
    expected: np.ndarray
    kind: Kind

    def close(self, found: Any, expected: Any) -> None:
        np.testing.assert_allclose(found, expected, rtol=self.kind.tol, atol=self.kind.tol)


@pytest.fixture(params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=["train", "test"])
def rows(request):
    return TRAIN if request.param == "train" else TEST


@pytest.fixture
def whole(kind, rows, tmp_path) -> Case:
    """A storage, and its kernels as NumPy has them."""
    return Case(kind.make(rows, TRAIN, tmp_path), kind.expected(rows, TRAIN), kind)


@pytest.fixture(params=["everything", "subset", "repeated", "one"])
def case(request, whole) -> Case:
    if request.param == "everything":
        return whole
    i, j = {
        "subset": (np.array([5, 0, 3]), np.arange(11)[::-1]),
        "repeated": (np.array([2, 2, 6]), np.r_[2, 2, np.arange(3, 11), 0]),
        # An index array that is itself strided
        "one": (np.arange(7)[3::4], np.arange(12)[::1][np.arange(11)]),
    }[request.param]
    return whole._replace(storage=whole.storage.take(i, j), expected=whole.expected[:, i][:, :, j])


@pytest.fixture
def training(kind, tmp_path) -> Case:
    return Case(kind.make(TRAIN, TRAIN, tmp_path), kind.expected(TRAIN, TRAIN), kind)


@pytest.fixture(params=["everything", "subset", "repeated"])
def square(request, training) -> Case:
    """Kernels between the same samples."""
    if request.param == "everything":
        return training
    i = np.array([9, 1, 4, 0, 6]) if request.param == "subset" else np.array([3, 3, 8, 2, 8])
    expected = training.expected[:, i][:, :, i]
    return training._replace(storage=training.storage.take(i, i), expected=expected)


def some_beta(n: int, n_vectors: int = 2) -> np.ndarray:
    """Vectors with zeros in common, the first sample among them."""
    return np.random.default_rng(1).normal(size=(n_vectors, n)) * (np.arange(n) % 3 > 0)


# ------------------------------------------------------------------------------- the values


def test_shape_dtype_and_gram(case) -> None:
    storage, expected, kind = case
    assert storage.shape == (*expected.shape[1:], 3)
    assert storage.dtype == kind.dtype
    assert isinstance(storage.place, str)
    for k in range(3):
        gram = storage.gram(k)
        assert gram.dtype == kind.dtype
        case.close(gram, expected[k])


def test_materialize_is_dense_and_contiguous(case) -> None:
    array = case.storage.materialize().array
    assert array.flags.c_contiguous
    assert array.dtype == case.kind.dtype
    case.close(array, case.expected)


def test_combine(case) -> None:
    storage, expected, _ = case
    found = storage.combine(WEIGHTS)
    assert found.dtype == np.float64
    case.close(found, np.einsum("k,kij->ij", WEIGHTS, expected))
    case.close(storage.combine(np.zeros(3)), np.zeros(expected.shape[1:]))


def test_combine_a_block_into_given_memory(whole) -> None:
    storage, expected, _ = whole
    i, j = np.array([2, 0]), np.array([7, 1, 1])
    buffer = np.full((5, 11), np.nan)
    out = buffer[1:3]
    assert storage.combine(WEIGHTS, i, out) is out
    whole.close(out, np.einsum("k,kij->ij", WEIGHTS, expected[:, i]))
    assert np.isnan(buffer[[0, 3, 4]]).all()
    out = np.full((2, 3), np.nan)
    assert storage.combine(WEIGHTS, i, out, cols=j) is out
    whole.close(out, np.einsum("k,kij->ij", WEIGHTS, expected[:, i][:, :, j]))
    whole.close(
        storage.combine(WEIGHTS, cols=j), np.einsum("k,kij->ij", WEIGHTS, expected[:, :, j])
    )


def test_dot(case) -> None:
    storage, expected, _ = case
    for beta in (BETA, BETA[:, ::-1], np.asfortranarray(BETA)):
        found = storage.dot(beta)
        assert found.dtype == np.float64
        case.close(found, np.einsum("kij,uj->uki", expected, beta))
    case.close(storage.dot(BETA[0]), np.einsum("kij,j->ki", expected, BETA[0]))
    case.close(storage.dot(0 * BETA), 0 * np.einsum("kij,uj->uki", expected, BETA))


def test_add_dot(square) -> None:
    storage, expected, _ = square
    beta = some_beta(expected.shape[1])
    products = np.einsum("kij,uj->uki", expected, beta)
    out = np.ones_like(products)
    storage.add_dot(beta, out)
    square.close(out, 1 + products)
    for kernels in (np.array([1]), np.array([2, 0]), EMPTY):
        out = np.ones_like(products)
        storage.add_dot(beta, out, kernels)
        others = np.setdiff1d(np.arange(3), kernels)
        square.close(out[:, kernels], 1 + products[:, kernels])
        np.testing.assert_array_equal(out[:, others], 1.0)
    out = np.ones_like(products)
    storage.add_dot(0 * beta, out)
    np.testing.assert_array_equal(out, 1.0)


def test_quadratic(square) -> None:
    storage, expected, _ = square
    for n_vectors in (1, 2):
        beta = some_beta(expected.shape[1], n_vectors)
        found = storage.quadratic(beta)
        square.close(found, np.einsum("ui,kij,uj->k", beta, expected, beta))
    square.close(storage.quadratic(0 * beta), np.zeros(3))


def test_diagonal(square) -> None:
    found = square.storage.diagonal()
    assert found.dtype == np.float64
    square.close(found, np.einsum("kii->ki", square.expected))


def test_diagonal_between_different_samples(whole) -> None:
    i, j = np.array([4, 1, 1]), np.array([0, 2, 5])
    whole.close(whole.storage.take(i, j).diagonal(), whole.expected[:, i, j])


# ------------------------------------------------------------------------------- selections


def test_select_and_take_compose(whole) -> None:
    storage = whole.storage.take(np.array([6, 1, 3]), None).select(np.array([2, 0]))
    storage = storage.take(np.array([2, 0]), np.array([9, 4]))
    expected = whole.expected[[2, 0]][:, [3, 6]][:, :, [9, 4]]
    assert storage.shape == (2, 2, 2)
    whole.close(storage.materialize().array, expected)
    whole.close(storage.dot(np.array([1.0, -2.0])), expected @ [1.0, -2.0])
    whole.close(storage.select(np.array([1])).gram(0), expected[1])


def test_a_part_knows_its_own_samples(training) -> None:
    i = np.array([4, 1, 7])
    part = training.storage.take(i, i).take(np.array([2, 0]), np.array([2, 0]))
    expected = training.expected[:, [7, 4]][:, :, [7, 4]]
    training.close(part.diagonal(), np.einsum("kii->ki", expected))
    forms = expected[:, 0, 0] - 2 * expected[:, 0, 1] + expected[:, 1, 1]
    training.close(part.quadratic(np.array([[1.0, -1.0]])), forms)


def test_nothing_is_a_selection_too(whole) -> None:
    storage = whole.storage
    rows, cols = storage.take(EMPTY, None), storage.take(None, EMPTY)
    assert rows.combine(WEIGHTS).shape == (0, 11)
    assert rows.dot(BETA).shape == (2, 3, 0)
    assert rows.materialize().array.shape == (3, 0, 11)
    n_rows = storage.shape[0]
    assert cols.combine(WEIGHTS).shape == (n_rows, 0)
    np.testing.assert_array_equal(cols.dot(np.empty((2, 0))), np.zeros((2, 3, n_rows)))
    assert storage.combine(WEIGHTS, EMPTY).shape == (0, 11)
    assert storage.combine(WEIGHTS, cols=EMPTY).shape == (n_rows, 0)


@pytest.mark.parametrize("part", ["whole", "part"])
def test_pickled(whole, part) -> None:
    storage, expected, _ = whole
    if part == "part":
        i = np.array([5, 0, 3])
        storage, expected = storage.take(i, None), expected[:, i]
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(storage))))
    assert again.shape == storage.shape
    assert again.place == storage.place
    whole.close(again.materialize().array, expected)
    whole.close(again.dot(BETA), np.einsum("kij,uj->uki", expected, BETA))


# -------------------------------------------------------------------------------- precision


def test_single_precision_stays(kind, rows, tmp_path) -> None:
    train = TRAIN.astype(np.float32)
    storage = kind.make(train if rows is TRAIN else rows.astype(np.float32), train, tmp_path)
    expected = kind.expected(rows, TRAIN)
    assert storage.dtype == np.float32
    assert storage.gram(0).dtype == np.float32
    assert storage.take(np.array([1]), None).materialize().array.dtype == np.float32
    # What is computed from it is accumulated in double precision.
    for found in (storage.combine(WEIGHTS), storage.dot(BETA)):
        assert found.dtype == np.float64
    np.testing.assert_allclose(
        storage.combine(WEIGHTS), np.einsum("k,kij->ij", WEIGHTS, expected), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        storage.dot(BETA), np.einsum("kij,uj->uki", expected, BETA), rtol=1e-5, atol=1e-5
    )
