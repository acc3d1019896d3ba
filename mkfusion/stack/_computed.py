"""Kernels computed or read when asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.stack._dense import DenseStorage
from mkfusion.stack._storage import as_vectors

# Blocks of rows are evaluated so that one of them stays below this size in float64.
BLOCK_BYTES = 2**26


def row_batches(n_rows: int, n_cols: int) -> list[slice]:
    """Cut rows so that no block with `n_cols` columns is larger than ``BLOCK_BYTES``."""
    if n_rows == 0:
        return []
    return list(gen_batches(n_rows, max(1, BLOCK_BYTES // (8 * max(1, n_cols)))))


class View(ABC):
    """One kernel between row samples and column samples.

    Index arrays `rows` (r,) and `cols` (c,) are trusted to be in range; None means all.

    Attributes
    ----------
    place : str
        Where its numbers come from, for people.
    rank : float or None
        Numbers kept for each sample, where the kernel is given by features.
    """

    place: str = "on demand"
    rank: float | None = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """``(n_rows, n_cols)``."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """``float32`` or ``float64``."""

    @abstractmethod
    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return the values (r, c) between some rows and columns, not to be written to."""

    @abstractmethod
    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        """Return the values (r,) of each row with the column at the same place."""

    def take(self, rows: Indices | None, cols: Indices | None) -> View:
        """Return the kernel between some of the rows and columns."""
        return self if rows is cols is None else _Part(self, rows, cols)

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        """Return ``beta @ K[rows, cols].T`` (u, r) for beta (u, c)."""
        out = np.empty((len(beta), self.shape[0] if rows is None else len(rows)))
        for batch in row_batches(out.shape[1], beta.shape[1]):
            out[:, batch] = beta @ self.block(self._some(rows, batch), cols).T
        return out

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        """Return ``beta @ K[rows, cols]`` (u, c) for beta (u, r)."""
        out = np.zeros((len(beta), self.shape[1] if cols is None else len(cols)))
        for batch in row_batches(beta.shape[1], out.shape[1]):
            out += beta[:, batch] @ self.block(self._some(rows, batch), cols)
        return out

    def _some(self, rows: Indices | None, batch: slice) -> Indices | None:
        """Return a batch of `rows`."""
        if rows is not None:
            return rows[batch]
        whole = (batch.start, batch.stop) == (0, self.shape[0])
        return None if whole else np.arange(batch.start, batch.stop)


class _Part(View):
    """A kernel between some of the rows and columns of another one."""

    def __init__(self, whole: View, rows: Indices | None, cols: Indices | None) -> None:
        self.whole = whole
        self.rows = rows
        self.cols = cols
        self.place = whole.place
        self.rank = whole.rank

    @property
    def shape(self) -> tuple[int, int]:
        n_rows, n_cols = self.whole.shape
        return (
            n_rows if self.rows is None else len(self.rows),
            n_cols if self.cols is None else len(self.cols),
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.whole.dtype

    def take(self, rows: Indices | None, cols: Indices | None) -> View:
        return self.whole.take(compose(self.rows, rows), compose(self.cols, cols))

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        return self.whole.block(compose(self.rows, rows), compose(self.cols, cols))

    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        return self.whole.pairs(compose(self.rows, rows), compose(self.cols, cols))

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        return self.whole.dot(beta, compose(self.rows, rows), compose(self.cols, cols))

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        return self.whole.dot_rows(beta, compose(self.rows, rows), compose(self.cols, cols))


def compose(outer: Indices | None, inner: Indices | None) -> Indices | None:
    """Return the index of what `inner` chooses of what `outer` chose."""
    if inner is None:
        return outer
    return inner if outer is None else outer[inner]


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

    def take(self, rows: Indices | None, cols: Indices | None) -> LazyStorage:
        return LazyStorage([kernel.take(rows, cols) for kernel in self.kernels], self.n_jobs)

    def select(self, which: Indices) -> LazyStorage:
        return LazyStorage([self.kernels[k] for k in which], self.n_jobs)

    def combine(
        self,
        weights: Floats,
        rows: Indices | None = None,
        out: Floats | None = None,
        *,
        cols: Indices | None = None,
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
        kernels: Indices | None = None,
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


def _all(index: Indices, size: int) -> Indices | None:
    """Return None for everything, which is not to be copied."""
    return None if len(index) == size else index


def _add_weighted(values: FloatArray, weight: float, out: Floats) -> None:
    """Do ``out += weight * values`` on few enough rows at a time that products stay in cache."""
    for batch in gen_batches(len(out), max(1, _CACHED // max(1, out.shape[1]))):
        out[batch] += np.multiply(values[batch], weight, dtype=np.float64)
