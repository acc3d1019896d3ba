"""Very many RBF kernels on few features, computed when asked for and never stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.stack import _dense
from mkfusion.stack._dense import sum_features
from mkfusion.stack._stack import KernelStack
from mkfusion.stack._threads import in_threads, split_for_threads

# Values that are computed at a time: a quarter of a core's own cache.
_BLOCK = 2**16


class Bank(NamedTuple):
    """Kernel k is ``exp(-gamma[k] * sum of squared differences in features[start[k]:start[k+1]])``.

    Attributes
    ----------
    start : ndarray of shape (n_kernels + 1,)
    features : ndarray of shape (start[-1],)
    gamma : ndarray of shape (n_kernels,), float32
    """

    start: NDArray[np.int64]
    features: NDArray[np.int32]
    gamma: NDArray[np.float32]

    def select(self, which: Indices) -> Bank:
        """Return some of the kernels."""
        sizes = np.diff(self.start)[which]
        start = np.concatenate([[0], np.cumsum(sizes)])
        offset = np.arange(start[-1]) - np.repeat(start[:-1], sizes)
        return Bank(
            start, self.features[np.repeat(self.start[which], sizes) + offset], self.gamma[which]
        )


class BankStack(KernelStack):
    """Kernels of a bank between row samples and column samples.

    What is kept during a pass are the squared differences in each feature, from which every kernel
    is a few additions and an exponential, in single precision; sums over kernels or samples are in
    double precision.

    Parameters
    ----------
    bank : Bank
    rows, cols : ndarray of shape (n_rows, n_features) and (n_cols, n_features)
        Samples; the same object for training samples, whose kernels are Gram matrices.
    names : sequence of n_kernels str, default=None
    """

    def __init__(
        self, bank: Bank, rows: Floats, cols: Floats, names: Sequence[str] | None = None
    ) -> None:
        self.bank = bank
        self.rows = rows
        self.cols = cols
        self._names = None if names is None else list(names)
        self._known_gram = np.full(len(bank.gamma), rows is cols)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.rows), len(self.cols), len(self.bank.gamma)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        one = self._select(np.array([k]))._take(rows, cols)
        array = np.empty((1, *one.shape[:2]), dtype=self.dtype)
        one._fill(array)
        return array[0]

    def _take(self, rows: Indices | None, cols: Indices | None) -> BankStack:
        row_samples = self.rows if rows is None else self.rows[rows]
        if self.rows is self.cols and rows is not None and cols is not None:
            if np.array_equal(rows, cols):
                return BankStack(self.bank, row_samples, row_samples)
        return BankStack(self.bank, row_samples, self.cols if cols is None else self.cols[cols])

    def _select(self, which: Indices) -> BankStack:
        return BankStack(self.bank.select(which), self.rows, self.cols)

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        block = self._take(rows, cols)
        pairs = block._pairs()
        used = np.flatnonzero(weights)
        parts: list[Floats] = []

        def add(kernels: Indices) -> None:
            total = np.zeros(pairs.count)

            def add_some(some: Indices, values: FloatArray) -> None:
                _dense.add_weighted(values, weights[some], total)

            pairs.evaluate(self.bank, kernels, add_some)
            parts.append(total)

        _for_kernels(used, pairs.count, add)
        total = np.sum(parts, axis=0) if parts else np.zeros(pairs.count)
        pairs.fill(total, float(weights.sum()), out)

    def _dot(self, beta: Floats) -> Floats:
        n_rows, _, m = self.shape
        out = np.zeros((len(beta), m, n_rows))
        support = np.flatnonzero(beta.any(axis=0))
        for i in range(n_rows):
            pairs = self._take(np.array([i]), support)._pairs()

            def store(kernels: Indices, values: FloatArray, i: int = i) -> None:
                out[:, kernels, i] = beta[:, support] @ values.T

            pairs.evaluate(self.bank, np.arange(m), store)
        return out

    def _quadratic(self, beta: Floats) -> Floats:
        support = np.flatnonzero(beta.any(axis=0))
        pairs = self._take(support, support)._pairs()
        forms = np.empty(self.shape[2])
        active = beta[:, support]
        weights = pairs.of_outer(active.T @ active)
        diagonal = float(np.sum(active * active))

        def store(some: Indices, values: FloatArray) -> None:
            found = np.empty(len(some))
            _dense.dot_weighted(values, weights, found)
            forms[some] = found + diagonal

        def add(kernels: Indices) -> None:
            pairs.evaluate(self.bank, kernels, store)

        _for_kernels(np.arange(self.shape[2]), pairs.count, add)
        return forms

    def _diagonal(self) -> Floats:
        n, _, m = self.shape
        if self.rows is self.cols:
            return np.broadcast_to(1.0, (m, n))
        index = np.arange(n)
        array = np.empty((n, m, 1, 1), dtype=self.dtype)
        for i in range(n):  # of all kernels at once: there may be very many
            self._take(index[[i]], index[[i]])._fill(array[i])
        return array[:, :, 0, 0].T.astype(np.float64)

    def _fill(self, array: FloatArray) -> None:
        pairs = self._pairs()

        def store(kernels: Indices, values: FloatArray) -> None:
            for k, one in zip(kernels, values, strict=True):
                pairs.fill(one, 1.0, array[k])

        pairs.evaluate(self.bank, np.arange(self.shape[2]), store)

    def _pairs(self) -> _Pairs:
        return _Pairs(self.rows, self.cols)


class _Pairs:
    """Squared differences of pairs of samples, each pair of training samples once.

    Attributes
    ----------
    squares : ndarray of shape (n_features, count), float32
    count : int
    """

    def __init__(self, rows: Floats, cols: Floats) -> None:
        self.shape = len(rows), len(cols)
        self._symmetric = rows is cols
        if self._symmetric:
            self._i, self._j = np.triu_indices(len(rows), k=1)
            squares = [(x[self._i] - x[self._j]) ** 2 for x in rows.T]
        else:
            differences = [x[:, np.newaxis] - z for x, z in zip(rows.T, cols.T, strict=True)]
            squares = [difference.ravel() ** 2 for difference in differences]
        self.squares = np.stack(squares, dtype=np.float32)
        self.count = self.squares.shape[1]

    def evaluate(
        self, bank: Bank, kernels: Indices, use: Callable[[Indices, FloatArray], Any]
    ) -> None:
        """Call ``use(kernels, values)`` with values (s, count), for a few kernels at a time."""
        size = max(1, _BLOCK // max(self.count, 1))
        buffer = np.empty((size, self.count), dtype=np.float32)
        for first in range(0, len(kernels), size):
            some = kernels[first : first + size]
            values = buffer[: len(some)]
            sum_features(self.squares, bank.start, bank.features, bank.gamma, some, values)
            np.exp(values, out=values)
            use(some, values)

    def of_outer(self, products: Floats) -> Floats:
        """Return what multiplies each pair's value in ``sum_ij products_ij K_ij``."""
        return 2.0 * products[self._i, self._j]

    def fill(self, values: FloatArray, diagonal: float, out: FloatArray) -> None:
        """Write the values of the pairs into a matrix (n_rows, n_cols)."""
        if self._symmetric:
            out[self._i, self._j] = out[self._j, self._i] = values
            np.fill_diagonal(out, diagonal)
        else:
            out[...] = values.reshape(self.shape)


def _for_kernels(kernels: Indices, count: int, work: Callable[[Indices], None]) -> None:
    pieces = split_for_threads(len(kernels), len(kernels) * count)
    in_threads(lambda piece: work(kernels[piece]), pieces)
