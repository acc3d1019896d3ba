"""How many numbers a solver reads from a stack of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion import KernelStack

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class CountingStack(KernelStack):
    """A stack that counts the kernel values read through it.

    What it does not hand on to the stack inside is done, and so counted, by blocks.

    Parameters
    ----------
    stack : KernelStack
    counter : list of one int, default=None
        Shared with the stacks taken from this one.
    """

    def __init__(self, stack: KernelStack, counter: list[int] | None = None) -> None:
        self._stack = stack
        self._counter = [0] if counter is None else counter
        self._known_gram = stack.known_gram

    @property
    def numbers(self) -> int:
        """Kernel values read so far."""
        return self._counter[0]

    @property
    def passes(self) -> float:
        """The same as a multiple of all values in the stack."""
        return self.numbers / int(np.prod(self.shape))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._stack.shape

    @property
    def dtype(self) -> Any:
        return self._stack.dtype

    @property
    def names(self) -> list[str]:
        return self._stack.names

    @property
    def place(self) -> str:
        return self._stack.place

    @property
    def in_memory(self) -> bool:
        return self._stack.in_memory

    @property
    def rank(self) -> float | None:
        return self._stack.rank

    def materialize(self) -> Any:
        if not self.in_memory:
            self._count(*self.shape)
        return CountingStack(self._stack.materialize(), self._counter)

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> Any:
        self._count(*self._size(rows, cols))
        return self._stack.block(k, rows, cols)

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        self._count(*self._size(rows, cols), np.count_nonzero(weights))
        self._stack.combine_into(weights, rows, cols, out)

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        n_rows, _, m = self.shape
        self._count(n_rows, int(beta.any(axis=0).sum()), m if kernels is None else len(kernels))
        self._stack.add_dot(beta, out, kernels)

    def _take(self, rows: Indices | None, cols: Indices | None) -> KernelStack:
        part = CountingStack(self._stack.take(rows, cols), self._counter)
        if self.in_memory:  # what is computed counts when it is
            self._count(*part.shape)
        return part

    def _select(self, which: Indices) -> KernelStack:
        return CountingStack(self._stack.select(which), self._counter)

    def _dot(self, beta: Floats) -> Floats:
        n_rows, _, m = self.shape
        self._count(n_rows, int(beta.any(axis=0).sum()), m)
        return self._stack.dot(beta)

    def _diagonal(self) -> Floats:
        n_rows, _, m = self.shape
        self._count(n_rows, m)
        return self._stack.diagonal()

    def _count(self, *factors: int) -> None:
        self._counter[0] += int(np.prod(factors))

    def _size(self, rows: Indices | None, cols: Indices | None) -> tuple[int, int]:
        n_rows, n_cols, _ = self.shape
        return (
            n_rows if rows is None else len(rows),
            n_cols if cols is None else len(cols),
        )
