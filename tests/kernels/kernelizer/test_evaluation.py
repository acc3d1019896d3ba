"""What is evaluated: active kernels against the columns asked for, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from mkfusion import ColumnKernelizer, Kernelizer, RBFKernel
from mkfusion.kernels.kernelizer._evaluation import row_batches
from mkfusion.stack import _views

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(15, 6))
TEST = rng.normal(size=(7, 6))


class Counting:
    """A kernel that counts the pairs it is asked for, its diagonal apart."""

    def __init__(self) -> None:
        self.pairs = 0

    def __call__(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        self.pairs += len(x) * len(z)
        return polynomial_kernel(x, z, degree=2)

    def diag(self, x: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", x, x) / x.shape[1] + 1


def counted(normalize: str | None):
    kernelizer = ColumnKernelizer(
        [(f"part{k}", Counting(), [2 * k, 2 * k + 1]) for k in range(3)], normalize=normalize
    )
    kernelizer.fit(TRAIN)
    counters = [kernel.function for kernel in kernelizer.kernels_]
    for counter in counters:
        counter.pairs = 0
    return kernelizer, counters


@pytest.mark.parametrize("normalize", ["cosine", "trace", None])
def test_prediction_evaluates_active_kernels_against_support_vectors(normalize) -> None:
    kernelizer, counters = counted(normalize)
    support = np.array([1, 4, 5, 11])
    weights = np.array([0.5, 0.0, 2.0])
    stack = kernelizer.transform(TEST)
    assert [counter.pairs for counter in counters] == [0, 0, 0]
    stack[:, support].combine(weights)
    assert [counter.pairs for counter in counters] == [7 * 4, 0, 7 * 4]
    stack.combine(weights, cols=support)
    assert [counter.pairs for counter in counters] == [2 * 7 * 4, 0, 2 * 7 * 4]
    stack.select([2])[:, support].combine([1.0])
    assert [counter.pairs for counter in counters] == [2 * 7 * 4, 0, 3 * 7 * 4]


@pytest.mark.parametrize("normalize", ["cosine", "trace", None])
def test_products_evaluate_columns_with_beta(normalize) -> None:
    kernelizer, counters = counted(normalize)
    beta = np.zeros(15)
    beta[[3, 9]] = 1.0
    kernelizer.transform(TEST).dot(beta)
    assert [counter.pairs for counter in counters] == [7 * 2] * 3


def test_centring_needs_all_training_samples_once() -> None:
    kernelizer, counters = counted("center")
    stack = kernelizer.transform(TEST)
    for _ in range(2):  # the means of the rows are remembered
        stack[:, [1, 4]].combine([1.0, 0.0, 0.0])
    assert [counter.pairs for counter in counters] == [7 * 15 + 2 * 7 * 2, 0, 0]
    kernelizer, counters = counted("center")
    kernelizer.transform(TEST).combine([1.0, 0.0, 0.0])
    assert counters[0].pairs == 7 * 15


def test_fit_evaluates_nothing_that_the_normalisation_does_not_need() -> None:
    counter = Counting()
    stack = Kernelizer([counter]).fit_transform(TRAIN)
    stack.diagonal()
    # Of four samples, together and one by one: that values do not depend on who is beside.
    checked = 16 + 4 * (4 + 4 + 1)
    assert counter.pairs == checked
    stack.materialize()
    assert counter.pairs == checked + 15 * 15


def test_batches_cover_the_rows_and_bound_the_memory() -> None:
    assert row_batches(0, 5) == []
    assert row_batches(10, 0) == [slice(0, 10)]
    n_cols = _views.BLOCK_BYTES // 8 // 4
    assert row_batches(10, n_cols) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert row_batches(2, 10**9) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("normalize", ["cosine", "center", None])
def test_batches_change_nothing(monkeypatch, normalize) -> None:
    kernelizer = Kernelizer([RBFKernel(), "linear"], normalize=normalize).fit(TRAIN)
    weights, beta = np.array([0.3, 2.0]), TRAIN[:, 0]

    def results() -> list[np.ndarray]:
        stack = kernelizer.transform(TEST)[::-1]
        square = Kernelizer([RBFKernel(), "linear"], normalize=normalize).fit_transform(TRAIN)
        return [stack.combine(weights), stack.dot(beta), square.combine(weights), square.dot(beta)]

    expected = results()
    monkeypatch.setattr(_views, "BLOCK_BYTES", 8 * 15 * 4)
    for found, whole in zip(results(), expected, strict=True):
        np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-13)


def test_a_diagonal_that_is_not_finite() -> None:
    class Broken(Counting):
        def diag(self, x: np.ndarray) -> np.ndarray:
            return np.full(len(x), np.nan)

    with pytest.raises(ValueError, match="The diagonal that Broken returned contains nan"):
        Kernelizer([Broken()]).fit(TRAIN)
