"""Rows of the composite kernel, combined from the stack when they are first needed."""

from __future__ import annotations

import math

import numpy as np

from mkfusion._types import Floats, Indices, Stack

# Bytes that composite kernels may take, unless somebody says otherwise.
CACHE = 2**31
# Below this many numbers in the stack one call that combines every row beats several that
# combine some.
_SMALL_STACK = 1_000_000
_FIRST_BATCH = 16
_LARGEST_BATCH = 128
# Reading so many numbers takes as long as a call does.
_CALL = 100_000
# Half of the memory is for rows. SMO copies those that it works with, without what it set aside,
# into the other; so do linear systems, of which so many copies are made.
_SHARES, _COPIES = 2, 3
# At least so many rows are kept, and systems of so many samples solved: the two of a step, and some
# more.
_FEWEST_ROWS = 8
# Rows that are copied together.
_COPIED = 256


def bytes_of_rows(n: int) -> int:
    """Return what composite kernels take that are all there."""
    return _SHARES * 8 * n * n


def bytes_of_kernels(stack: Stack, n: int) -> int:
    """Return what all kernels between n samples take, and their composite."""
    return n * n * stack.dtype.itemsize * stack.shape[2] + bytes_of_rows(n)


def largest_block(cache: int) -> int:
    """Return between how many samples a linear system takes its share of the memory."""
    return max(_FEWEST_ROWS, math.isqrt(cache // (_SHARES * _COPIES * 8)))


class WholeRows:
    """A composite kernel that is all there.

    Parameters
    ----------
    K : ndarray of shape (n, n)

    Attributes
    ----------
    buffer, slot, diag, largest_block
        As those of `CompositeRows`.
    """

    def __init__(self, K: Floats) -> None:
        self.buffer = K
        self.slot = np.arange(len(K))
        self.diag = np.diagonal(K).copy()
        self.largest_block = len(K)

    def fetch(self, row: int, priority: Floats) -> None:
        """Do nothing: no row is missing."""

    def block(self, samples: Indices) -> Floats:
        """Return the composite kernel between `samples`, shape (len(samples), len(samples))."""
        return self.buffer[np.ix_(samples, samples)]

    def dot(self, samples: Indices, change: Floats) -> Floats:
        """Return the product (n,) with a vector that is `change` at `samples`, 0 elsewhere."""
        product: Floats = change @ self.buffer[samples]
        return product


class CompositeRows:
    """Rows of ``sum_k d_k K_k``, shared by all tasks that use the weights d.

    All of them where there is room; otherwise those of samples that are settled make way for
    others.

    Parameters
    ----------
    stack : Stack
    diagonal : ndarray of shape (n_kernels, n)
        Diagonals of the stack's kernels.
    cache : int, default=CACHE
        Bytes that rows, and what is made of them, may take.

    Attributes
    ----------
    buffer : ndarray of shape (n_slots, n)
        Row ``slot[i]`` is row i of the composite kernel.
    slot : ndarray of shape (n,), integer
        -1 for the rows that are not there.
    diag : ndarray of shape (n,)
    largest_block : int
        Between so many samples a linear system may be solved.
    """

    def __init__(self, stack: Stack, diagonal: Floats, cache: int = CACHE) -> None:
        self._stack = stack
        self._diagonal = diagonal
        n, _, m = stack.shape
        n_slots = min(n, max(_FEWEST_ROWS, cache // (_SHARES * 8 * n)))
        self._everything = n * n * m <= _SMALL_STACK and n_slots == n
        self.largest_block = n if n_slots == n else min(n, largest_block(cache))
        self.buffer = np.empty((n_slots, n))
        self.slot = np.full(n, -1, dtype=np.intp)
        self._used = 0
        self._batch = _FIRST_BATCH
        self._last = 0
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
        wanted = np.where(self.slot < 0, priority, -np.inf)
        wanted[row] = np.inf
        n_slots = len(self.buffer)
        count = min(self._batch, self.slot.size - self._used, n_slots // 2)
        chosen = np.argpartition(-wanted, count - 1)[:count]
        chosen = np.sort(chosen[wanted[chosen] > 0.0])
        surplus = self._used + chosen.size - n_slots
        if surplus > 0:
            self._replace(chosen, surplus, priority)
        else:
            self.require(chosen)
        self._last = row
        self._batch = min(2 * self._batch, _LARGEST_BATCH)

    def _replace(self, chosen: Indices, surplus: int, priority: Floats) -> None:
        """Combine missing rows where those of lowest priority, as many as need be, stood.

        That is low for samples at their bounds which nothing draws away from there: SMO has set
        them aside, or will. The first of a step has the highest, and was the last to be asked for
        if it was not there.
        """
        there = np.flatnonzero((self.slot >= 0) & (np.arange(self.slot.size) != self._last))
        settled = there[np.argpartition(priority[there], surplus - 1)[:surplus]]
        free = np.concatenate([self.slot[settled], np.arange(self._used, len(self.buffer))])
        self.slot[settled] = -1
        self._used = len(self.buffer)
        rows = np.empty((chosen.size, self.slot.size))
        self._stack.combine_into(self._weights, chosen, None, rows)
        self.buffer[free] = rows
        self.slot[chosen] = free

    def require(self, rows: Indices) -> None:
        """Combine those of `rows` that are missing, as far as there is room."""
        missing = rows[self.slot[rows] < 0][: len(self.buffer) - self._used]
        if missing.size:
            stop = self._used + missing.size
            out = self.buffer[self._used : stop]
            self._stack.combine_into(self._weights, missing, None, out)
            self.slot[missing] = np.arange(self._used, stop)
            self._used = stop

    def block(self, samples: Indices) -> Floats:
        """Return the composite kernel between `samples`, shape (len(samples), len(samples))."""
        self.require(samples)
        out = np.empty((samples.size, samples.size))
        there = self.slot[samples] >= 0
        for some in _batches(np.flatnonzero(there)):
            out[some] = self.buffer[np.ix_(self.slot[samples[some]], samples)]
        for some in _batches(np.flatnonzero(~there)):
            rows = np.empty((some.size, samples.size))
            self._stack.combine_into(self._weights, samples[some], samples, rows)
            out[some] = rows
        return out

    def dot(self, samples: Indices, change: Floats) -> Floats:
        """Return the product (n,) with a vector that is `change` at `samples`, 0 elsewhere."""
        product = np.zeros(self.slot.size)
        there = self.slot[samples] >= 0
        for some in _batches(np.flatnonzero(there)):
            product += change[some] @ self.buffer[self.slot[samples[some]]]
        for some in _batches(np.flatnonzero(~there)):
            rows = np.empty((some.size, self.slot.size))
            self._stack.combine_into(self._weights, samples[some], None, rows)
            product += change[some] @ rows
        return product


def _batches(index: Indices) -> list[Indices]:
    """Cut an index array so that copies of the rows that it chooses stay small."""
    return np.array_split(index, -(-index.size // _COPIED)) if index.size else []
