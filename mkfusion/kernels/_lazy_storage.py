"""Kernels computed from their samples when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.parallel import Parallel, delayed

from mkfusion.kernels._dense_storage import DenseStorage
from mkfusion.kernels._evaluation import KernelView, row_batches
from mkfusion.kernels._storage import FloatArray, IndexArray

__all__ = ["LazyStorage"]


class LazyStorage:
    """A stack of kernels of which nothing is kept.

    Parameters
    ----------
    kernels : sequence of m KernelView
        All between as many row samples and as many training samples.
    rows, cols : ndarray of shape (n_rows,) or (n_cols,), default=None
        The samples that this stack is restricted to.
    n_jobs : int, default=None
        Kernels to evaluate at the same time.
    """

    def __init__(
        self,
        kernels: Sequence[KernelView],
        rows: IndexArray | None = None,
        cols: IndexArray | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.kernels = kernels
        self.rows = rows
        self.cols = cols
        self.n_jobs = n_jobs

    @property
    def shape(self) -> tuple[int, int, int]:
        n_rows, n_cols = self.kernels[0].shape
        return (
            n_rows if self.rows is None else len(self.rows),
            n_cols if self.cols is None else len(self.cols),
            len(self.kernels),
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(kernel.dtype for kernel in self.kernels))

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> LazyStorage:
        return LazyStorage(
            self.kernels, _compose(self.rows, rows), _compose(self.cols, cols), self.n_jobs
        )

    def select(self, which: IndexArray) -> LazyStorage:
        return LazyStorage([self.kernels[k] for k in which], self.rows, self.cols, self.n_jobs)

    def combine(
        self,
        weights: NDArray[np.float64],
        rows: IndexArray | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        cols: IndexArray | None = None,
    ) -> NDArray[np.float64]:
        block = self.take(rows, cols)
        n_rows, n_cols, _ = block.shape
        if out is None:
            out = np.empty((n_rows, n_cols))
        out[...] = 0.0
        active = np.flatnonzero(weights)
        for batch in row_batches(n_rows, n_cols):
            for k, values in block._evaluate(active, batch):
                out[batch] += weights[k] * values
        return out

    def dot(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        n_rows, n_cols, n_kernels = self.shape
        columns = beta.reshape(-1, n_cols)
        support = np.flatnonzero(columns.any(axis=0))
        block = self.take(None, support)
        out = np.zeros((len(columns), n_kernels, n_rows))
        for batch in row_batches(n_rows, len(support)):
            for k, values in block._evaluate(np.arange(n_kernels), batch):
                out[:, k, batch] = columns[:, support] @ values.T
        return out.reshape(beta.shape[:-1] + (n_kernels, n_rows))

    def add_dot(
        self,
        beta: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: IndexArray | None = None,
    ) -> None:
        which = np.arange(self.shape[2]) if kernels is None else kernels
        out[:, which] += self.select(which).dot(beta)

    def quadratic(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        support = np.flatnonzero(beta.any(axis=0))
        vectors = beta[:, support]
        products = self.take(support, support).dot(vectors)
        return np.einsum("ukn,un->k", products, vectors)

    def diagonal(self) -> NDArray[np.float64]:
        n_rows, _, n_kernels = self.shape
        if self.is_training:
            return np.stack([kernel.diagonal(self.rows) for kernel in self.kernels])
        # Row i and column i are different samples: the values of pairs.
        index = np.arange(n_rows)
        pairs = [self.take(index[i : i + 1], index[i : i + 1]) for i in index]
        return np.array([[float(pair.gram(k)[0, 0]) for pair in pairs] for k in range(n_kernels)])

    def gram(self, k: int) -> FloatArray:
        gram = self.kernels[k].block(self.rows, self.cols)
        return np.ascontiguousarray(gram, dtype=self.dtype)

    @property
    def is_training(self) -> bool:
        """Whether rows and columns are the same training samples, in the same order."""
        same = self.rows is self.cols or (
            self.rows is not None and self.cols is not None and np.array_equal(self.rows, self.cols)
        )
        return same and all(kernel.is_training for kernel in self.kernels)

    def materialize(self) -> DenseStorage:
        """Compute every kernel, once."""
        n_rows, n_cols, n_kernels = self.shape
        array = np.empty((n_kernels, n_rows, n_cols), dtype=self.dtype)
        for k, values in self._evaluate(np.arange(n_kernels), None):
            array[k] = values
        return DenseStorage(array)

    def _evaluate(
        self, which: NDArray[np.intp], batch: slice | None
    ) -> Iterator[tuple[int, FloatArray]]:
        """Yield (k, values) for some kernels, in their order, on some of the rows."""
        rows = self.rows
        if batch is not None and (batch.start, batch.stop) != (0, self.shape[0]):
            rows = np.arange(batch.start, batch.stop) if rows is None else rows[batch]
        # Threads: the time goes into BLAS and compiled loops, and the samples are shared.
        blocks = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(self.kernels[k].block)(rows, self.cols) for k in which
        )
        return zip(which.tolist(), blocks, strict=True)


def _compose(outer: IndexArray | None, inner: IndexArray | None) -> IndexArray | None:
    if inner is None:
        return outer
    return inner if outer is None else outer[inner]
