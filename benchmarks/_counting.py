"""How many numbers a solver reads from a stack of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion import KernelStack

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class CountingStorage:
    """A storage that counts the kernel values read through it.

    It has the operations of a storage and no more: a new one raises AttributeError here until it is
    counted too.

    Parameters
    ----------
    storage : Storage
    counter : list of one int, default=None
        Shared with the stacks taken from this one.
    """

    def __init__(self, storage: Any, counter: list[int] | None = None) -> None:
        self._storage = storage
        self._counter = [0] if counter is None else counter

    @property
    def numbers(self) -> int:
        """Kernel values read so far."""
        return self._counter[0]

    @property
    def passes(self) -> float:
        """The same as a multiple of all values in the stack."""
        n_rows, n_cols, m = self.shape
        return self.numbers / (n_rows * n_cols * m)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._storage.shape

    @property
    def dtype(self) -> Any:
        return self._storage.dtype

    @property
    def place(self) -> str:
        return self._storage.place

    @property
    def in_memory(self) -> bool:
        return self._storage.in_memory

    def _count(self, *factors: int) -> None:
        self._counter[0] += int(np.prod(factors))

    def take(self, rows: Indices | None, cols: Indices | None) -> CountingStorage:
        part = CountingStorage(self._storage.take(rows, cols), self._counter)
        if rows is not None or cols is not None:
            self._count(*part.shape)
        return part

    def materialize(self) -> CountingStorage:
        inside = self._storage.materialize()
        if inside is not self._storage:
            self._count(*self.shape)
        return CountingStorage(inside, self._counter)

    def select(self, which: Indices) -> CountingStorage:
        return CountingStorage(self._storage.select(which), self._counter)

    def combine(
        self,
        weights: Floats,
        rows: Indices | None = None,
        out: Floats | None = None,
        *,
        cols: Indices | None = None,
    ) -> Floats:
        n_rows, n_cols, _ = self.shape
        n_rows = n_rows if rows is None else len(rows)
        n_cols = n_cols if cols is None else len(cols)
        self._count(n_rows, n_cols, np.count_nonzero(weights))
        return self._storage.combine(weights, rows, out, cols=cols)

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        n_rows, _, m = self.shape
        self._count(n_rows, int(beta.any(axis=0).sum()), m if kernels is None else len(kernels))
        self._storage.add_dot(beta, out, kernels)

    def dot(self, beta: Floats) -> Floats:
        n_rows, n_cols, m = self.shape
        self._count(n_rows, int(beta.reshape(-1, n_cols).any(axis=0).sum()), m)
        return self._storage.dot(beta)

    def gram(self, k: int) -> Floats:
        self._count(*self.shape[:2])
        return self._storage.gram(k)

    def diagonal(self) -> Floats:
        n_rows, _, m = self.shape
        self._count(n_rows, m)
        return self._storage.diagonal()


def counting_stack(stack: KernelStack) -> tuple[KernelStack, CountingStorage]:
    """Return the same stack over a storage that counts, and this storage."""
    storage = CountingStorage(stack._storage)
    return KernelStack._from_storage(storage, stack.names, stack._sound), storage
