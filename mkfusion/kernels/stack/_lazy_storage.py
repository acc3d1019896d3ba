"""Kernels computed or read when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from mkfusion.kernels.stack._dense_storage import DenseStorage
from mkfusion.kernels.stack._storage import FloatArray, IndexArray, as_vectors
from mkfusion.kernels.stack._views import View, row_batches

__all__ = ["LazyStorage"]

Floats = NDArray[np.float64]

# Numbers that fit in a core's own cache twice.
_CACHED = 2**15


class LazyStorage:
    """A stack of kernels of which blocks are asked for, and nothing is kept.

    Parameters
    ----------
    kernels : sequence of m View
        All between as many row samples and as many column samples.
    n_jobs : int, default=None
        Kernels to evaluate at the same time.
    """

    in_memory = False

    def __init__(self, kernels: Sequence[View], n_jobs: int | None = None) -> None:
        self.kernels = kernels
        self.n_jobs = n_jobs

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.kernels[0].shape, len(self.kernels))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(kernel.dtype for kernel in self.kernels))

    @property
    def place(self) -> str:
        places = {kernel.place for kernel in self.kernels}
        return places.pop() if len(places) == 1 else View.place

    @property
    def rank(self) -> float | None:
        """Numbers kept for each sample; None where some kernel is not given by features."""
        ranks = [kernel.rank for kernel in self.kernels]
        return None if None in ranks else sum(rank for rank in ranks if rank is not None)

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> LazyStorage:
        return LazyStorage([kernel.take(rows, cols) for kernel in self.kernels], self.n_jobs)

    def select(self, which: IndexArray) -> LazyStorage:
        return LazyStorage([self.kernels[k] for k in which], self.n_jobs)

    def combine(
        self,
        weights: Floats,
        rows: IndexArray | None = None,
        out: Floats | None = None,
        *,
        cols: IndexArray | None = None,
    ) -> Floats:
        block = self.take(rows, cols)
        n_rows, n_cols, _ = block.shape
        if out is None:
            out = np.empty((n_rows, n_cols))
        out[...] = 0.0
        active = np.flatnonzero(weights)
        for batch in row_batches(n_rows, n_cols):
            for k, values in block._evaluate(active, batch):
                _add_weighted(values, weights[k], out[batch])
        return out

    def dot(self, beta: Floats) -> Floats:
        n_rows, n_cols, n_kernels = self.shape
        columns = as_vectors(beta)
        support = np.flatnonzero(columns.any(axis=0))
        out = np.zeros((len(columns), n_kernels, n_rows))
        if len(support):
            active = np.ascontiguousarray(columns[:, support])
            for k, product in enumerate(self._each("dot", active, None, _all(support, n_cols))):
                out[:, k] = product
        return out.reshape(beta.shape[:-1] + (n_kernels, n_rows))

    def add_dot(
        self,
        beta: Floats,
        out: Floats,
        kernels: IndexArray | None = None,
    ) -> None:
        which = np.arange(self.shape[2]) if kernels is None else kernels
        support = np.flatnonzero(beta.any(axis=0))
        if len(support):
            active = np.ascontiguousarray(beta[:, support])
            rows = _all(support, beta.shape[1])
            products = self.select(which)._each("dot_rows", active, rows, None)
            for k, product in zip(which, products, strict=True):
                out[:, k] += product

    def quadratic(self, beta: Floats) -> Floats:
        support = np.flatnonzero(beta.any(axis=0))
        vectors = beta[:, support]
        products = self.take(support, support).dot(vectors)
        return np.einsum("ukn,un->k", products, vectors)

    def diagonal(self) -> Floats:
        return np.stack([kernel.pairs(None, None) for kernel in self.kernels])

    def gram(self, k: int) -> FloatArray:
        return np.ascontiguousarray(self.kernels[k].block(None, None), dtype=self.dtype)

    def materialize(self) -> DenseStorage:
        """Compute every kernel, once."""
        n_rows, n_cols, n_kernels = self.shape
        array = np.empty((n_kernels, n_rows, n_cols), dtype=self.dtype)
        for k, values in self._evaluate(np.arange(n_kernels), slice(0, n_rows)):
            array[k] = values
        return DenseStorage(array)

    def _evaluate(self, which: NDArray[np.intp], batch: slice) -> Iterator[tuple[int, FloatArray]]:
        """Yield (k, values) for some kernels, in their order, on some of the rows."""
        whole = (batch.start, batch.stop) == (0, self.shape[0])
        rows = None if whole else np.arange(batch.start, batch.stop)
        blocks = self.select(which)._each("block", rows, None)
        return zip(which.tolist(), blocks, strict=True)

    def _each(self, operation: str, *arguments: Any) -> Iterator[Any]:
        """Yield what an operation of each kernel returns, in their order."""
        # Threads: the time goes into BLAS and compiled loops, and the samples are shared.
        results: Iterator[Any] = Parallel(
            n_jobs=self.n_jobs, prefer="threads", return_as="generator"
        )(delayed(getattr(kernel, operation))(*arguments) for kernel in self.kernels)
        return results


def _all(index: IndexArray, size: int) -> IndexArray | None:
    """Return None for everything, which is not to be copied."""
    return None if len(index) == size else index


def _add_weighted(values: FloatArray, weight: float, out: Floats) -> None:
    """Do ``out += weight * values`` on few enough rows at a time that products stay in cache."""
    for batch in gen_batches(len(out), max(1, _CACHED // max(1, out.shape[1]))):
        out[batch] += np.multiply(values[batch], weight, dtype=np.float64)
