"""Explicit features of the samples, as solvers see them: sums over rows, a piece at a time.

What is added up is float64 whatever the features are stored in, of which nothing larger than a
piece is ever copied: float32 stays as it is, a memory map is read once for each pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.sparse import issparse

from mkfusion._types import Floats, Indices, Mask
from mkfusion.stack._threads import in_threads, split_for_threads

# Numbers in a piece: those of a product stay in the cache of a processor, and those of a Gram
# matrix are enough for BLAS to be at its speed.
_PRODUCT, _GRAM = 2**17, 2**20
# Pieces of which fewer rows than this share matter are gathered before they are converted.
_SPARSE = 0.5


class Features:
    """Features of n samples, of which the inner products are m kernels.

    Parameters
    ----------
    blocks : sequence of m ndarray or CSR matrix of shape (n, rank_k)
        ``float32`` or ``float64``.

    Attributes
    ----------
    starts : ndarray of shape (m + 1,)
        Columns ``starts[k]:starts[k + 1]`` of all R features are those of kernel k.
    passes : float
        How many times the features were read, as a share of all of them.
    """

    def __init__(self, blocks: Sequence[Any]) -> None:
        self._blocks = list(blocks)
        self._n = blocks[0].shape[0]
        self.starts: Indices = np.cumsum([0, *(block.shape[1] for block in blocks)])
        self.passes = 0.0

    def products(self, coefficients: Floats) -> Floats:
        """Return ``sum_k Z_k c_uk`` (u, n) for coefficients (u, R).

        Kernels whose coefficients are all zero are not read.
        """
        out = np.zeros((len(coefficients), self._n))
        used = [k for k in range(len(self._blocks)) if coefficients[:, self._columns(k)].any()]

        def multiply(piece: slice) -> None:
            for k in used:
                _add_products(self._blocks[k], None, coefficients[:, self._columns(k)], piece, out)

        self._count(used, 1.0)
        in_threads(multiply, self._pieces())
        return out

    def sums(self, beta: Floats, kernels: Indices | None = None) -> Floats:
        """Return ``beta_u' Z`` (u, R) for beta (u, n), with zeros for kernels not asked for."""
        some = range(len(self._blocks)) if kernels is None else kernels.tolist()
        pieces = self._pieces()
        parts = np.zeros((len(pieces), len(beta), self.starts[-1]))
        # Features of samples whose dual variables are zero need not be read.
        matter = np.asarray(beta.any(axis=0))

        def add(piece: slice) -> None:
            total = parts[pieces.index(piece)]
            for k in some:
                out = total[:, self._columns(k)]
                _add_sums(self._blocks[k], None, beta, matter, piece, out)

        self._count(some, float(np.count_nonzero(matter)) / self._n)
        in_threads(add, pieces)
        return np.asarray(parts.sum(axis=0))

    def gram(self, rows: Indices, price: Floats) -> tuple[Floats, Floats]:
        """Return ``sum_i price_i z_i z_i'`` (R, R) and ``sum_i price_i z_i`` over some samples.

        Parameters
        ----------
        rows : ndarray of shape (s,), integer, ascending
        price : ndarray of shape (s,)
            Non-negative.
        """
        R = int(self.starts[-1])
        pieces = split_for_threads(len(rows), len(rows) * R * max(R // 64, 1))
        parts: list[Floats] = [np.zeros((R, R), order="F") for _ in pieces]
        totals = np.zeros((len(pieces), R))
        roots = np.sqrt(price)

        def add(piece: slice) -> None:
            here = pieces.index(piece)
            total = parts[here]
            step = max(1, min(_GRAM // R, len(rows)))
            buffer = np.empty((step, R))
            for some in _cut(piece, step):
                own = buffer[: some.stop - some.start]
                for k, block in enumerate(self._blocks):
                    own[:, self._columns(k)] = _dense(block[rows[some]])
                own *= roots[some, np.newaxis]
                totals[here] += roots[some] @ own
                total = dsyrk(1.0, own.T, beta=1.0, c=total, overwrite_c=1)
            parts[here] = total

        self._count(range(len(self._blocks)), len(rows) / self._n)
        in_threads(add, pieces)
        upper = np.triu(sum(parts[1:], parts[0]))
        return upper + np.triu(upper, 1).T, np.asarray(totals.sum(axis=0))

    def squares(self) -> Floats:
        """Return the squared lengths (m, n) of the features of every sample."""
        out = np.empty((len(self._blocks), self._n))

        def add(piece: slice) -> None:
            for own, block in zip(out, self._blocks, strict=True):
                for part in _cut(piece, _PRODUCT // max(1, block.shape[1])):
                    some = _floats(block[part])
                    squares = some.multiply(some) if issparse(some) else some * some
                    own[part] = np.asarray(squares.sum(axis=1)).ravel()

        self._count(range(len(self._blocks)), 1.0)
        in_threads(add, self._pieces())
        return out

    def _columns(self, k: int) -> slice:
        return slice(int(self.starts[k]), int(self.starts[k + 1]))

    def _pieces(self) -> list[slice]:
        return split_for_threads(self._n, self._n * int(self.starts[-1]))

    def _count(self, kernels: Sequence[int] | range, share: float) -> None:
        read = sum(self._columns(k).stop - self._columns(k).start for k in kernels)
        self.passes += share * read / max(1, int(self.starts[-1]))


def products_of(block: Any, rows: Indices | None, coefficients: Floats) -> Floats:
    """Return ``Z[rows] c_u`` (u, r) for the features of one kernel and coefficients (u, rank)."""
    n = block.shape[0] if rows is None else len(rows)
    out = np.zeros((len(coefficients), n))
    pieces = split_for_threads(n, n * block.shape[1])
    in_threads(lambda piece: _add_products(block, rows, coefficients, piece, out), pieces)
    return out


def sums_of(block: Any, rows: Indices | None, beta: Floats) -> Floats:
    """Return ``beta_u' Z[rows]`` (u, rank) for the features of one kernel and beta (u, r)."""
    n = beta.shape[1]
    pieces = split_for_threads(n, n * block.shape[1])
    parts = np.zeros((len(pieces), len(beta), block.shape[1]))
    matter = np.asarray(beta.any(axis=0))

    def add(piece: slice) -> None:
        _add_sums(block, rows, beta, matter, piece, parts[pieces.index(piece)])

    in_threads(add, pieces)
    return np.asarray(parts.sum(axis=0))


def _add_products(
    block: Any, rows: Indices | None, coefficients: Floats, piece: slice, out: Floats
) -> None:
    """Add ``Z[rows] c_u`` of a piece of the rows."""
    for part in _cut(piece, _PRODUCT // max(1, block.shape[1])):
        some = part if rows is None else rows[part]
        out[:, part] += _times(coefficients, _floats(block[some]).T)


def _add_sums(
    block: Any, rows: Indices | None, beta: Floats, matter: Mask, piece: slice, out: Floats
) -> None:
    """Add ``beta_u' Z[rows]`` over a piece of the rows, of which not all matter."""
    for part in _cut(piece, _PRODUCT // max(1, block.shape[1])):
        own = np.flatnonzero(matter[part])
        if len(own) < _SPARSE * (part.stop - part.start):
            own += part.start
            out += _times(beta[:, own], _floats(block[own if rows is None else rows[own]]))
        else:
            some = part if rows is None else rows[part]
            out += _times(beta[:, part], _floats(block[some]))


def _times(left: Floats, right: Any) -> Floats:
    product: Floats = left @ right
    return product


def _cut(piece: slice, step: int) -> list[slice]:
    step = max(1, step)
    return [slice(a, min(a + step, piece.stop)) for a in range(piece.start, piece.stop, step)]


def _floats(block: Any) -> Any:
    """Return a piece in float64."""
    return block.astype(np.float64, copy=False)


def _dense(block: Any) -> Any:
    return block.toarray() if issparse(block) else block
