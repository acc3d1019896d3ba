"""Products of kernels of another stack, computed from these when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.stack._stack import KernelStack
from mkfusion.stack._views import indexed, row_batches


class ProductStack(KernelStack):
    """Element-wise products of which nothing is kept.

    Parameters
    ----------
    base : KernelStack
        The factors. Each is evaluated once per block, in however many products it occurs. A
        product of kernels that are known to be Gram matrices is one.
    factors : sequence of n_kernels tuples of int
        The kernels of `base` that make each product; a single one stands for itself.
    names : sequence of n_kernels str, default=None
    """

    def __init__(
        self,
        base: KernelStack,
        factors: Sequence[tuple[int, ...]],
        names: Sequence[str] | None = None,
    ) -> None:
        self.base = base
        self.factors = factors
        self._names = None if names is None else list(names)
        known = base.known_gram
        self._known_gram = np.array([known[list(some)].all() for some in factors])

    @property
    def shape(self) -> tuple[int, int, int]:
        n_rows, n_cols, _ = self.base.shape
        return n_rows, n_cols, len(self.factors)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        return _product([self.base.block(i, rows, cols) for i in self.factors[k]])

    def _take(self, rows: Indices | None, cols: Indices | None) -> ProductStack:
        return ProductStack(self.base._take(rows, cols), self.factors)

    def _select(self, which: Indices) -> ProductStack:
        """Restrict to some products, and to the factors that these need."""
        chosen = [self.factors[k] for k in which]
        used = sorted({i for factors in chosen for i in factors})
        position = {i: new for new, i in enumerate(used)}
        factors = [tuple(position[i] for i in one) for one in chosen]
        return ProductStack(self.base._select(np.array(used, dtype=np.intp)), factors)

    def _blocks(self, rows: Indices | None) -> Iterator[FloatArray]:
        grams = self.base._take(rows, None).materialize().array
        return (_product([grams[i] for i in factors]) for factors in self.factors)

    def _batches(self) -> Iterator[tuple[slice, Indices | None]]:
        # `_blocks` holds a block of every factor at a time.
        n_rows, n_cols, n_base = self.base.shape
        return indexed(row_batches(n_rows, n_cols * n_base), n_rows)

    def _diagonal(self) -> Floats:
        diagonals = self.base._diagonal()
        return np.stack([diagonals[list(factors)].prod(axis=0) for factors in self.factors])


def _product(factors: list[FloatArray]) -> FloatArray:
    return reduce(np.multiply, factors)
