"""Gaussian kernels of the same samples together: distances once, and no block of any of them.

Most of the time of a pass over kernels on demand goes into blocks that are written to memory and
read again, several times for each kernel. Here a tile of squared distances, which a core's own
cache holds, becomes the sum of all kernels, or their products with vectors, at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.stack._threads import in_threads, split_for_threads

# Rows and columns of a tile: vectors of the columns stay in the smallest cache.
_ROWS, _COLS = 64, 512
# Squared distances of fewer features are sums of squares; those of more come from products, which
# BLAS is faster at.
_FEW_FEATURES = 32

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Products and sums may be done in one step; sums keep their order, without which adding a large
# number would not round.
_FAST = {"contract"}

# exp(x) = 2**k exp(r): ln(2) in two parts, of which k times the first is exact; the number whose
# sum with k holds k in its last bits; and the series of exp(r) for abs(r) <= ln(2) / 2.
_PER_LN2, _LN2_HIGH, _LN2_LOW = 1.0 / math.log(2.0), 0.693145751953125, 1.4286068203094172321e-6
_ROUNDS = 1.5 * 2.0**52
_E = tuple(1.0 / math.factorial(k) for k in range(14))
# Below this exponent the result is next to the smallest positive number; taken for it.
_LEAST = -708.0


class Gaussian(NamedTuple):
    """A kernel ``factor * exp(-gamma * squared distance)`` between some samples.

    Attributes
    ----------
    rows, cols : ndarray of shape (n_rows, n_features) and (n_cols, n_features)
        Features, finite.
    row_index, col_index : ndarray of shape (r,) and (c,), integer, or None
        Which of them; None for all.
    gamma, factor : float
    """

    rows: FloatArray
    cols: FloatArray
    row_index: Indices | None
    col_index: Indices | None
    gamma: float
    factor: float

    @property
    def turned(self) -> Gaussian:
        """The same with columns for rows."""
        return Gaussian(
            self.cols, self.rows, self.col_index, self.row_index, self.gamma, self.factor
        )

    def shares_samples(self, other: Gaussian) -> bool:
        """Whether another one is between the same rows and columns."""
        return (
            _same(self.rows, other.rows)
            and _same(self.cols, other.cols)
            and _equal(self.row_index, other.row_index)
            and _equal(self.col_index, other.col_index)
        )


class GaussianGroup:
    """Gaussian kernels that share samples.

    Parameters
    ----------
    kernels : sequence of int
        Their numbers in a stack.
    members : sequence of Gaussian
    """

    def __init__(self, kernels: Sequence[int], members: Sequence[Gaussian]) -> None:
        first = members[0]
        self.kernels = np.array(kernels)
        self._gamma = np.array([one.gamma for one in members])
        self._factor = np.array([one.factor for one in members])
        self._X = _chosen(first.rows, first.row_index)
        self._Z = _chosen(first.cols, first.col_index)

    def add_combined(self, weights: Floats, out: FloatArray) -> None:
        """Add the sum of the kernels, weighted by those of the whole stack, to `out` (r, c)."""
        own = self._factor * weights[self.kernels]
        target = np.ascontiguousarray(out)

        def add(piece: slice) -> None:
            part = target[piece]
            for rows, cols, squares in _tiles(self._X[piece], self._Z):
                _add_sum(squares, self._gamma, own, part[rows], cols.start)

        in_threads(add, split_for_threads(len(self._X), target.size * len(own)))
        if target is not out:
            out[...] = target

    def add_dot(self, beta: Floats, out: Floats) -> None:
        """Add ``beta_u K_k`` for beta (u, r) to ``out[u, k]`` (c,) of the whole stack."""
        products = np.zeros((len(beta), len(self.kernels), len(self._Z)))

        def add(piece: slice) -> None:
            part = np.zeros((*products.shape[:2], piece.stop - piece.start))
            for rows, cols, squares in _tiles(self._X, self._Z[piece]):
                _add_products(squares, self._gamma, beta[:, rows], part, cols.start)
            products[..., piece] = part

        numbers = len(self._X) * len(self._Z) * len(self.kernels)
        in_threads(add, split_for_threads(len(self._Z), numbers))
        out[:, self.kernels] += self._factor[:, np.newaxis] * products


def grouped(kernels: Indices, found: Sequence[Gaussian | None]) -> list[GaussianGroup]:
    """Gather the Gaussian ones among some kernels of a stack by the samples that they share."""
    groups: list[tuple[list[int], list[Gaussian]]] = []
    for k, one in zip(kernels.tolist(), found, strict=True):
        if one is None:
            continue
        for numbers, members in groups:
            if members[0].shares_samples(one):
                numbers.append(k)
                members.append(one)
                break
        else:
            groups.append(([k], [one]))
    return [GaussianGroup(numbers, members) for numbers, members in groups]


def _same(A: FloatArray, B: FloatArray) -> bool:
    """Whether two arrays are the same numbers in memory."""
    if A is B:
        return True
    a, b = A.__array_interface__, B.__array_interface__
    return all(a[key] == b[key] for key in ("data", "shape", "strides", "typestr"))


def _equal(a: Indices | None, b: Indices | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def _chosen(features: FloatArray, index: Indices | None) -> Floats:
    some = features if index is None else features[index]
    return np.ascontiguousarray(some, dtype=np.float64)


def _tiles(X: Floats, Z: Floats) -> Iterator[tuple[slice, slice, Floats]]:
    """Yield rows, columns, and the squared distances between them, to be read at once."""
    r, c, d = len(X), len(Z), X.shape[1]
    buffer = np.empty(min(r, _ROWS) * min(c, _COLS))
    few = d <= _FEW_FEATURES
    if not few:
        row_norms, col_norms = _norms(X), _norms(Z)
        few = not np.isfinite(row_norms.max(initial=0.0) + col_norms.max(initial=0.0))
    for left in range(0, c, _COLS):
        cols = slice(left, min(left + _COLS, c))
        turned = np.ascontiguousarray(Z[cols].T)
        for top in range(0, r, _ROWS):
            rows = slice(top, min(top + _ROWS, r))
            size = rows.stop - top, cols.stop - left
            squares = buffer[: size[0] * size[1]].reshape(size)
            if few:
                _squared_distances(X[rows], turned, squares)
            else:
                np.dot(X[rows], turned, out=squares)
                _from_products(squares, row_norms[rows], col_norms[cols])
            yield rows, cols, squares


def _norms(X: Floats) -> Floats:
    norms: Floats = np.einsum("ij,ij->i", X, X)
    return norms


@njit(**_JIT, fastmath=_FAST)
def _squared_distances(X: Floats, Z: Floats, out: Floats) -> None:
    """Write the squared distances of rows (r, d) and columns (d, c)."""
    r, d = X.shape
    c = Z.shape[1]
    even = d - d % 2
    for i in range(r):
        row = out[i]
        for j in range(c):
            row[j] = 0.0
        for f in range(0, even, 2):
            x, y, z, w = X[i, f], X[i, f + 1], Z[f], Z[f + 1]
            for j in range(c):
                row[j] += (x - z[j]) * (x - z[j]) + (y - w[j]) * (y - w[j])
        for f in range(even, d):
            x, z = X[i, f], Z[f]
            for j in range(c):
                row[j] += (x - z[j]) * (x - z[j])


@njit(**_JIT, fastmath=_FAST)
def _from_products(products: Floats, row_norms: Floats, col_norms: Floats) -> None:
    """Turn inner products (r, c) into squared distances."""
    r, c = products.shape
    for i in range(r):
        row = products[i]
        for j in range(c):
            square = row_norms[i] + col_norms[j] - 2.0 * row[j]
            row[j] = square if square > 0.0 else 0.0


@njit(**_JIT, fastmath=_FAST)
def _exponentials(
    squares: Floats, gamma: float, power: Floats, bits: NDArray[np.int64], out: Floats
) -> None:
    """Write ``exp(-gamma * squares)``; `power` and its `bits` are to work with.

    Each loop is one that compilers turn into vector instructions of any processor; they do not so
    with the exponential of a library.
    """
    n = squares.size
    for j in range(n):
        x = -gamma * squares[j]
        x = x if x > _LEAST else _LEAST
        power[j] = x * _PER_LN2 + _ROUNDS
    for j in range(n):
        x = -gamma * squares[j]
        x = x if x > _LEAST else _LEAST
        k = power[j] - _ROUNDS
        r = (x - k * _LN2_HIGH) - k * _LN2_LOW
        v = _E[13] * r + _E[12]
        v = v * r + _E[11]
        v = v * r + _E[10]
        v = v * r + _E[9]
        v = v * r + _E[8]
        v = v * r + _E[7]
        v = v * r + _E[6]
        v = v * r + _E[5]
        v = v * r + _E[4]
        v = v * r + _E[3]
        v = v * r + _E[2]
        v = v * r + _E[1]
        out[j] = v * r + _E[0]
    for j in range(n):
        # The last bits are k: moved into the exponent, with its offset, they are 2**k.
        bits[j] = (bits[j] << 52) + (1023 << 52)
    for j in range(n):
        out[j] *= power[j]


@njit(**_JIT, fastmath=_FAST)
def _add_sum(squares: Floats, gamma: Floats, weights: Floats, out: FloatArray, first: int) -> None:
    """Add the weighted sum of Gaussian kernels to columns of `out` from `first` on."""
    r, c = squares.shape
    power, values = np.empty(c), np.empty(c)
    bits = power.view(np.int64)
    for i in range(r):
        row = out[i, first : first + c]
        for k in range(gamma.size):
            if weights[k] != 0.0:
                _exponentials(squares[i], gamma[k], power, bits, values)
                for j in range(c):
                    row[j] += weights[k] * values[j]


@njit(**_JIT, fastmath=_FAST)
def _add_products(squares: Floats, gamma: Floats, beta: Floats, out: Floats, first: int) -> None:
    """Add the products of vectors (u, r) with each kernel to columns of ``out[u, k]``."""
    r, c = squares.shape
    power, values = np.empty(c), np.empty(c)
    bits = power.view(np.int64)
    for k in range(gamma.size):
        for i in range(r):
            _exponentials(squares[i], gamma[k], power, bits, values)
            for u in range(len(beta)):
                if beta[u, i] != 0.0:
                    target = out[u, k, first : first + c]
                    for j in range(c):
                        target[j] += beta[u, i] * values[j]
