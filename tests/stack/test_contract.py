"""Every kind of stack does what a stack must."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.metrics.pairwise import laplacian_kernel, linear_kernel, rbf_kernel

from mkfusion import Kernelizer, LaplacianKernel, LinearKernel, RBFKernel
from mkfusion.stack import KernelStack
from mkfusion.stack._bank import Bank, BankStack
from mkfusion.stack._product import ProductStack
from mkfusion.testing import check_kernel_stack

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(11, 3))
TEST = rng.normal(size=(7, 3))


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


def dense(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    return KernelStack(list(grams(x, train).astype(x.dtype)))


def fold(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    """Most samples of a larger stack of arrays that lie apart, in another order."""
    return _among(x, train, 3)


def small_fold(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    """A few samples of a much larger stack, of a kernel too many."""
    return _among(x, train, 40)


def _among(x: np.ndarray, train: np.ndarray, others: int) -> KernelStack:
    noise = np.random.default_rng(1).normal(size=(others, 3))
    everybody = np.concatenate([x, noise] if x is train else [x, noise, train]).astype(x.dtype)
    order = np.random.default_rng(0).permutation(len(everybody))
    place = np.argsort(order)
    shuffled = everybody[order]
    bank = [gram.astype(x.dtype) for gram in grams(shuffled, shuffled)]
    whole = KernelStack([bank[2], bank[0] + bank[1], *bank[:2]]).select([2, 3, 0])
    cols = np.arange(len(x)) if x is train else np.arange(len(everybody))[-len(train) :]
    part = whole[np.ix_(place[: len(x)], place[cols])]
    assert np.shares_memory(part.matrices.whole.arrays[0], bank[2])
    part._names = None
    return part


def lazy(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    kernels = [RBFKernel(gamma=0.3), LinearKernel(), LaplacianKernel(gamma=0.2)]
    kernelizer = Kernelizer(kernels, normalize=None)
    return kernelizer.fit_transform(train) if x is train else kernelizer.fit(train).transform(x)


def saved(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """One file of our own."""
    KernelStack(list(grams(x, train).astype(x.dtype))).save(folder / "kernels.npy")
    return KernelStack.load(folder / "kernels.npy")


def maps(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """A file for each kernel, of another layout each."""
    low = x.dtype == np.float32
    layouts = [np.ascontiguousarray, np.asfortranarray, np.ascontiguousarray]
    mapped = []
    for k, (gram, layout) in enumerate(zip(grams(x, train), layouts, strict=True)):
        np.save(folder / f"{k}.npy", layout(gram.astype(x.dtype if k < 2 or low else ">f8")))
        mapped.append(np.load(folder / f"{k}.npy", mmap_mode="r"))
    return KernelStack(mapped)


def kernels_last(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """One file of somebody else's."""
    np.save(folder / "last.npy", np.moveaxis(grams(x, train).astype(x.dtype), 0, -1).copy())
    return KernelStack(np.load(folder / "last.npy", mmap_mode="r"))


def _features(x: np.ndarray, train: np.ndarray) -> tuple[list, list]:
    """Return features of training samples and of others that have exactly these inner products."""
    everybody = np.concatenate([train, x])
    n = len(train)
    features = []
    for gram in grams(everybody, everybody):
        values, vectors = np.linalg.eigh(gram)
        kept = values > 1e-9
        features.append((vectors[:, kept] * np.sqrt(values[kept])).astype(x.dtype))
    return [one[:n] for one in features], [one[n:] for one in features]


def low_rank(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    """Features in memory, in one case sparse ones."""
    ours, others = _features(x, train)
    for own in (ours, others):
        own[1] = csr_array(own[1])
    return KernelStack.from_features(*((ours,) if x is train else (others, ours)))


def features_in_files(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """Features in memory maps, which stay there."""
    sides = []
    for side, features in enumerate(_features(x, train)):
        for k, Z in enumerate(features):
            np.save(folder / f"{side}{k}.npy", Z)
        sides.append([np.load(folder / f"{side}{k}.npy", mmap_mode="r") for k in range(3)])
    ours, others = sides
    stack = KernelStack.from_features(*((ours,) if x is train else (others, ours)))
    assert all(np.shares_memory(view.cols, Z) for view, Z in zip(stack.views, ours, strict=True))
    return stack


def products(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """Products of one factor and of two, one of which is all ones."""
    ones = np.ones((1, len(x), len(train)), dtype=x.dtype)
    array = np.concatenate([grams(x, train).astype(x.dtype), ones])
    return ProductStack(KernelStack(list(array)), [(0,), (1, 3), (2,)])


def bank(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    spec = Bank(
        np.array([0, 1, 3, 6]),
        np.array([0, 1, 2, 0, 1, 2], dtype=np.int32),
        np.array([0.5, 0.25, 1.0], dtype=np.float32),
    )
    rows = x.astype(np.float64)
    return BankStack(spec, rows, rows if x is train else train.astype(np.float64))


class Rows(KernelStack):
    """The least that a stack of a user's has."""

    def __init__(self, x: np.ndarray, train: np.ndarray) -> None:
        super().__init__(names=["rbf", "linear", "laplacian"])
        self.x, self.train = x, train

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.x), len(self.train), 3

    @property
    def dtype(self) -> np.dtype:
        return self.x.dtype

    def block(self, k: int, rows, cols) -> np.ndarray:
        x = self.x if rows is None else self.x[rows]
        train = self.train if cols is None else self.train[cols]
        if 0 in (len(x), len(train)):
            return np.empty((len(x), len(train)), dtype=self.dtype)
        return grams(x, train)[k].astype(self.dtype)


def own(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    return Rows(x, train)


def part(x: np.ndarray, train: np.ndarray, _: Path) -> KernelStack:
    """What the least has for a part, in the order of the whole again."""
    order = np.array([2, 0, 1])
    whole = Rows(x[::-1].copy(), train).select(order).take(np.arange(len(x))[::-1], None)
    return whole.select(np.argsort(order))


def lazy_products(x: np.ndarray, train: np.ndarray, folder: Path) -> KernelStack:
    """Products of factors on demand."""
    kernels = [RBFKernel(gamma=0.3), LinearKernel(), RBFKernel(gamma=0.1), LaplacianKernel(0.2)]
    kernelizer = Kernelizer(kernels, normalize=None)
    base = kernelizer.fit_transform(train) if x is train else kernelizer.fit(train).transform(x)
    return ProductStack(base, [(0, 2), (1,), (2, 3, 0)], ["a", "b", "c"])


def product_grams(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    wide, narrow = rbf_kernel(x, train, gamma=0.1), rbf_kernel(x, train, gamma=0.3)
    sharp = laplacian_kernel(x, train, gamma=0.2)
    return np.array([narrow * wide, linear_kernel(x, train), wide * sharp * narrow])


class Kind(NamedTuple):
    make: Callable[[np.ndarray, np.ndarray, Path], KernelStack]
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray]
    dtype: type = np.float64
    rtol: float = 1e-12


KINDS = {
    make.__name__: Kind(make, grams)
    for make in (
        dense,
        fold,
        small_fold,
        lazy,
        saved,
        maps,
        kernels_last,
        low_rank,
        features_in_files,
        products,
        own,
        part,
    )
}
KINDS["lazy_products"] = Kind(lazy_products, product_grams)
KINDS["bank"] = Kind(bank, bank_grams, np.float32, 1e-6)


@pytest.fixture(params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=["train", "test"])
def rows(request):
    return TRAIN if request.param == "train" else TEST


def test_contract(kind, rows, tmp_path) -> None:
    stack = kind.make(rows, TRAIN, tmp_path)
    assert stack.dtype == kind.dtype
    check_kernel_stack(stack, list(kind.expected(rows, TRAIN)), rtol=kind.rtol)


def test_single_precision_stays(kind, rows, tmp_path) -> None:
    train = TRAIN.astype(np.float32)
    stack = kind.make(train if rows is TRAIN else rows.astype(np.float32), train, tmp_path)
    assert stack.dtype == np.float32
    # What is computed from it is accumulated in double precision, which is checked too.
    check_kernel_stack(stack, list(kind.expected(rows, TRAIN)))


def test_materialised_kernels_are_contiguous(kind, rows, tmp_path) -> None:
    dense = kind.make(rows, TRAIN, tmp_path).materialize()
    assert dense.array.flags.c_contiguous
    assert dense.materialize() is dense
