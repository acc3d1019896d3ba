"""Rows of the composite kernel, combined from the stack when they are first needed."""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats, Indices, Stack

# Below this many numbers in the stack one call that combines every row beats several that
# combine some.
_SMALL_STACK = 1_000_000
_FIRST_BATCH = 16
_LARGEST_BATCH = 128
# Reading so many numbers takes as long as a call does.
_CALL = 100_000


class WholeRows:
    """A composite kernel that is all there.

    Parameters
    ----------
    K : ndarray of shape (n, n)

    Attributes
    ----------
    buffer, slot, diag : ndarray
        As those of `CompositeRows`.
    """

    def __init__(self, K: Floats) -> None:
        self.buffer = K
        self.slot = np.arange(len(K))
        self.diag = np.diagonal(K).copy()

    def fetch(self, row: int, priority: Floats) -> None:
        """Do nothing: no row is missing."""

    def block(self, samples: Indices) -> Floats:
        """Return the composite kernel between `samples`, shape (len(samples), len(samples))."""
        return self.buffer[np.ix_(samples, samples)]


class CompositeRows:
    """Rows of ``sum_k d_k K_k``, shared by all tasks that use the weights d.

    Parameters
    ----------
    stack : Stack
    diagonal : ndarray of shape (n_kernels, n)
        Diagonals of the stack's kernels.

    Attributes
    ----------
    buffer : ndarray of shape (n, n)
        Row ``slot[i]`` is row i of the composite kernel.
    slot : ndarray of shape (n,), integer
        -1 for the rows that were not combined yet.
    diag : ndarray of shape (n,)
    """

    def __init__(self, stack: Stack, diagonal: Floats) -> None:
        self._stack = stack
        self._diagonal = diagonal
        n, _, m = stack.shape
        self._everything = n * n * m <= _SMALL_STACK
        self.buffer = np.empty((n, n))
        self.slot = np.full(n, -1, dtype=np.intp)
        self._used = 0
        self._batch = _FIRST_BATCH
        self._weights = np.empty(0)

    def set_weights(self, weights: Floats) -> None:
        """Start anew, unless the weights are the same."""
        if np.array_equal(weights, self._weights):
            return
        self._weights = weights
        self.diag = weights @ self._diagonal
        self.slot[:] = -1
        self._used = 0
        n, used = self.slot.size, max(1, int(np.count_nonzero(weights)))
        self._batch = min(max(_FIRST_BATCH, _CALL // (n * used)), _LARGEST_BATCH)

    def fetch(self, row: int, priority: Floats) -> None:
        """Combine `row` and, because a call has a price, missing rows of high `priority` (n,)."""
        if self._everything:
            self.require(np.arange(self.slot.size))
            return
        priority = np.where(self.slot < 0, priority, -np.inf)
        priority[row] = np.inf
        count = min(self._batch, self.slot.size - self._used)
        chosen = np.argpartition(-priority, count - 1)[:count]
        self.require(np.sort(chosen[priority[chosen] > 0.0]))
        self._batch = min(2 * self._batch, _LARGEST_BATCH)

    def require(self, rows: Indices) -> None:
        """Combine those of `rows` that are missing."""
        missing = rows[self.slot[rows] < 0]
        if missing.size:
            stop = self._used + missing.size
            out = self.buffer[self._used : stop]
            self._stack.combine_into(self._weights, missing, None, out)
            self.slot[missing] = np.arange(self._used, stop)
            self._used = stop

    def block(self, samples: Indices) -> Floats:
        """Return the composite kernel between `samples`, shape (len(samples), len(samples))."""
        self.require(samples)
        return self.buffer[np.ix_(self.slot[samples], samples)]
