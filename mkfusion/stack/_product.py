"""Products of kernels of another storage, computed from these when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._types import FloatArray, Indices
from mkfusion.stack._computed import row_batches
from mkfusion.stack._dense import DenseStorage
from mkfusion.stack._storage import Storage, as_vectors


class ProductStorage:
    """A stack of element-wise products of which nothing is kept.

    Parameters
    ----------
    base : Storage
        The factors. Each is evaluated once per block, in however many products it occurs.
    factors : sequence of n_kernels tuples of int
        The kernels of `base` that make each product; a single one stands for itself.
    """

    place = "on demand"
    in_memory = False

    def __init__(self, base: Storage, factors: Sequence[tuple[int, ...]]) -> None:
        self.base = base
        self.factors = factors

    @property
    def shape(self) -> tuple[int, int, int]:
        n_rows, n_cols, _ = self.base.shape
        return n_rows, n_cols, len(self.factors)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    def take(self, rows: Indices | None, cols: Indices | None) -> ProductStorage:
        return ProductStorage(self.base.take(rows, cols), self.factors)

    def select(self, which: Indices) -> ProductStorage:
        """Restrict to some products, and to the factors that these need."""
        chosen = [self.factors[k] for k in which]
        used = sorted({i for factors in chosen for i in factors})
        position = {i: new for new, i in enumerate(used)}
        factors = [tuple(position[i] for i in one) for one in chosen]
        return ProductStorage(self.base.select(np.array(used, dtype=np.intp)), factors)

    def combine(
        self,
        weights: NDArray[np.float64],
        rows: Indices | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        cols: Indices | None = None,
    ) -> NDArray[np.float64]:
        active = np.flatnonzero(weights)
        block = self.take(rows, cols)
        if out is None:
            out = np.empty(block.shape[:2])
        out[...] = 0.0
        if len(active):
            for batch, products in block.select(active)._evaluate():
                for weight, values in zip(weights[active], products, strict=True):
                    out[batch] += weight * values
        return out

    def dot(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        n_rows, _, n_kernels = self.shape
        columns = as_vectors(beta)
        support = np.flatnonzero(columns.any(axis=0))
        out = np.zeros((len(columns), n_kernels, n_rows))
        for batch, products in self.take(None, support)._evaluate():
            for k, values in enumerate(products):
                out[:, k, batch] = columns[:, support] @ values.T
        return out.reshape(beta.shape[:-1] + (n_kernels, n_rows))

    def add_dot(
        self,
        beta: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: Indices | None = None,
    ) -> None:
        which = np.arange(self.shape[2]) if kernels is None else kernels
        if len(which):
            out[:, which] += self.select(which).dot(beta)

    def quadratic(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        support = np.flatnonzero(beta.any(axis=0))
        vectors = beta[:, support]
        products = self.take(support, support).dot(vectors)
        return np.einsum("ukn,un->k", products, vectors)

    def diagonal(self) -> NDArray[np.float64]:
        diagonals = self.base.diagonal()
        return np.stack([diagonals[list(factors)].prod(axis=0) for factors in self.factors])

    def gram(self, k: int) -> FloatArray:
        return reduce(np.multiply, [self.base.gram(i) for i in self.factors[k]])

    def materialize(self) -> DenseStorage:
        n_rows, n_cols, n_kernels = self.shape
        array = np.empty((n_kernels, n_rows, n_cols), dtype=self.dtype)
        for batch, products in self._evaluate():
            for k, values in enumerate(products):
                array[k, batch] = values
        return DenseStorage(array)

    def _evaluate(self) -> Iterator[tuple[slice, Iterator[FloatArray]]]:
        """Yield some rows at a time, and the values (r, n_cols) of each product there."""
        n_rows, n_cols, n_base = self.base.shape
        for batch in row_batches(n_rows, n_cols * n_base):
            whole = batch == slice(0, n_rows, None)
            rows = None if whole else np.arange(batch.start, batch.stop)
            grams = self.base.take(rows, None).materialize().array
            yield batch, (self._product(grams, factors) for factors in self.factors)

    @staticmethod
    def _product(grams: FloatArray, factors: tuple[int, ...]) -> FloatArray:
        return reduce(np.multiply, [grams[i] for i in factors])
