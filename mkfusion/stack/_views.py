"""Single kernels, of which blocks are computed or read when asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.stack._gaussian import Gaussian

# Blocks of rows are evaluated so that one of them stays below this size in float64.
BLOCK_BYTES = 2**26


def row_batches(n_rows: int, n_cols: int) -> list[slice]:
    """Cut rows so that no block with `n_cols` columns is larger than ``BLOCK_BYTES``."""
    if n_rows == 0:
        return []
    return list(gen_batches(n_rows, max(1, BLOCK_BYTES // (8 * max(1, n_cols)))))


def indexed(batches: list[slice], size: int) -> Iterator[tuple[slice, Indices | None]]:
    """Yield slices, and the indices that they mean; None for everything."""
    for batch in batches:
        whole = (batch.start, batch.stop) == (0, size)
        yield batch, None if whole else np.arange(batch.start, batch.stop)


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

    def gaussian(self, rows: Indices | None, cols: Indices | None) -> Gaussian | None:
        """Return what makes the kernel between some rows and columns, if it is Gaussian."""
        return None

    def take(self, rows: Indices | None, cols: Indices | None) -> View:
        """Return the kernel between some of the rows and columns."""
        return self if rows is cols is None else _Part(self, rows, cols)

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        """Return ``beta @ K[rows, cols].T`` (u, r) for beta (u, c)."""
        out = np.empty((len(beta), self.shape[0] if rows is None else len(rows)))
        for batch in row_batches(out.shape[1], beta.shape[1]):
            out[:, batch] = beta @ self.block(self._batch_indices(rows, batch), cols).T
        return out

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        """Return ``beta @ K[rows, cols]`` (u, c) for beta (u, r)."""
        out = np.zeros((len(beta), self.shape[1] if cols is None else len(cols)))
        for batch in row_batches(beta.shape[1], out.shape[1]):
            out += beta[:, batch] @ self.block(self._batch_indices(rows, batch), cols)
        return out

    def _batch_indices(self, rows: Indices | None, batch: slice) -> Indices | None:
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

    def gaussian(self, rows: Indices | None, cols: Indices | None) -> Gaussian | None:
        return self.whole.gaussian(compose(self.rows, rows), compose(self.cols, cols))

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


def is_principal(rows: Indices | None, cols: Indices | None) -> bool:
    """Whether rows and columns of a square stack are the same samples, some of them."""
    return rows is not None and cols is not None and np.array_equal(rows, cols)


def unless_all(index: Indices, size: int) -> Indices | None:
    """Return None for everything, which is not to be copied."""
    return None if len(index) == size else index
