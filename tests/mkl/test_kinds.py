"""One answer, wherever the kernels are: in memory, in a file, in features, or nowhere yet."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import scale

from mkfusion import (
    Kernelizer,
    KernelStack,
    LaplacianKernel,
    MKLClassifier,
    NystroemKernels,
    RBFBank,
    RBFKernel,
)
from mkfusion.datasets import load_sonar
from mkfusion.mkl import _validation

TOL = 1e-5
X, Y = load_sonar(return_X_y=True)
BANDS = scale(X["bands"])
TRAIN, TEST = np.arange(208) % 3 > 0, np.arange(208) % 3 == 0
THREE = np.where(BANDS[:, 20] > 0.5, "third", Y)
KERNELS = [RBFKernel(0.002), RBFKernel(0.02), LaplacianKernel(0.02), "linear"]


def pair() -> tuple[KernelStack, KernelStack]:
    """Kernels between training samples, and between test samples and these."""
    kernelizer = Kernelizer(KERNELS).fit(BANDS[TRAIN])
    return kernelizer.fit_transform(BANDS[TRAIN]), kernelizer.transform(BANDS[TEST])


def lazy(folder: Path) -> tuple[KernelStack, KernelStack]:
    return pair()


def listed(folder: Path) -> tuple[KernelStack, KernelStack]:
    names = pair()[0].names
    train, test = (
        KernelStack([np.array(stack.gram(k)) for k in range(4)], names) for stack in pair()
    )
    return train, test


def single(folder: Path) -> tuple[KernelStack, KernelStack]:
    train, test = (
        KernelStack(np.asarray(stack, dtype=np.float32), stack.names) for stack in pair()
    )
    return train, test


def saved(folder: Path) -> tuple[KernelStack, KernelStack]:
    for stack, name in zip(pair(), ("train", "test"), strict=True):
        stack.save(folder / name)
    return KernelStack.load(folder / "train"), KernelStack.load(folder / "test")


def maps(folder: Path) -> tuple[KernelStack, KernelStack]:
    stacks = []
    for stack, name in zip(pair(), ("train", "test"), strict=True):
        np.save(folder / f"{name}.npy", np.asarray(stack))
        mapped = np.load(folder / f"{name}.npy", mmap_mode="r")
        stacks.append(KernelStack(mapped, stack.names))
    return stacks[0], stacks[1]


def features(folder: Path) -> tuple[KernelStack, KernelStack]:
    """Factors of the kernels between all samples: of exact rank."""
    everybody = Kernelizer(KERNELS).fit_transform(BANDS)
    train, test = pair()
    Z = []
    for k in range(4):
        values, vectors = np.linalg.eigh(_whole_gram(k))
        Z.append(vectors * np.sqrt(np.maximum(values, 0.0)))
    ours = [one[TRAIN] for one in Z]
    return (
        KernelStack.from_features(ours, names=everybody.names),
        KernelStack.from_features([one[TEST] for one in Z], ours, names=everybody.names),
    )


def _whole_gram(k: int) -> np.ndarray:
    kernelizer = Kernelizer(KERNELS).fit(BANDS[TRAIN])
    return kernelizer.kernels_[k](BANDS) / (
        np.sqrt(np.outer(*2 * [kernelizer.kernels_[k].diag(BANDS)]))
    )


def nystroem(folder: Path) -> tuple[KernelStack, KernelStack]:
    train, test = pair()
    low = NystroemKernels(0.0, random_state=0)
    return low.fit_transform(train), low.transform(test)


class Own(KernelStack):
    """What a user may write: values of other kernels, between some of the samples."""

    def __init__(self, grams: list[np.ndarray], names: list[str]) -> None:
        super().__init__(names=names)
        self.grams = grams

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.grams[0].shape, len(self.grams))

    def block(self, k: int, rows, cols) -> np.ndarray:
        gram = self.grams[k] if rows is None else self.grams[k][rows]
        return gram if cols is None else gram[:, cols]


def own(folder: Path) -> tuple[KernelStack, KernelStack]:
    train, test = (Own([stack.gram(k) for k in range(4)], stack.names) for stack in pair())
    return train, test


KINDS = (lazy, single, saved, maps, features, nystroem, own)


@pytest.fixture(params=["in memory as always", "as they are"])
def large(request, monkeypatch) -> None:
    """Whether kernels are brought into memory before a fit."""
    if request.param == "as they are":
        monkeypatch.setattr(_validation, "IN_MEMORY_BYTES", 0)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("labels", [Y, THREE], ids=["binary", "multiclass"])
def test_same_answer(
    make: Callable[[Path], tuple[KernelStack, KernelStack]], p, labels, large, tmp_path
) -> None:
    model, expected = (MKLClassifier(C=1.0, p=p, tol=TOL) for _ in range(2))
    train, test = listed(tmp_path)
    expected.fit(train, labels[TRAIN])
    train, other = make(tmp_path)
    model.fit(train, labels[TRAIN])
    assert model.duality_gap_ <= TOL
    assert model.kernel_names_ == expected.kernel_names_
    # Both are at most TOL above the optimum, up to what single precision changes of it.
    close = 2 * TOL + (1e-5 if train.dtype == np.float32 else 0.0)
    assert model.objective_ == pytest.approx(expected.objective_, rel=close)
    decisions = model.decision_function(other), expected.decision_function(test)
    # The objective is 1-strongly convex in the function: a gap allows for a difference of its root.
    np.testing.assert_allclose(*decisions, atol=2 * np.sqrt(2 * close * expected.objective_))
    np.testing.assert_allclose(*decisions, atol=0.02)
    # The same machine reads test kernels of any kind.
    np.testing.assert_allclose(expected.decision_function(other), decisions[1], atol=1e-4)


@pytest.mark.parametrize("p", [1, 2])
def test_a_bank_and_the_same_in_memory(p, large) -> None:
    bank = RBFBank(40, random_state=0).fit(BANDS[TRAIN])
    stack, test = bank.fit_transform(BANDS[TRAIN]), bank.transform(BANDS[TEST])
    models = [
        MKLClassifier(C=1.0, p=p, tol=TOL).fit(one, Y[TRAIN])
        for one in (stack, KernelStack(np.asarray(stack), stack.names))
    ]
    assert models[0].objective_ == pytest.approx(models[1].objective_, rel=2 * TOL)
    decisions = [model.decision_function(test) for model in models]
    np.testing.assert_allclose(*decisions, atol=0.02)


def test_features_of_low_rank_are_never_multiplied_out(monkeypatch) -> None:
    n = 3000
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    Z = [rng.normal(size=(n, 4)) + [[2.0], [0.5]][k] * (y - 0.5)[:, np.newaxis] for k in range(2)]
    stack = KernelStack.from_features(Z)
    monkeypatch.setattr(_validation, "IN_MEMORY_BYTES", 2**40)
    model = MKLClassifier().fit(stack, y)  # compiles what is to be compiled
    tracemalloc.start()
    model.fit(stack, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Less than both kernels: rows of their sum, as far as they are needed.
    assert peak < 1.5 * n * n * 8
    assert model.score(stack, y) > 0.95
