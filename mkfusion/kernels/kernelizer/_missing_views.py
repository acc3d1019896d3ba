"""Kernels between samples that have a modality, seen as kernels between all samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion.kernels.stack._storage import FloatArray, IndexArray
from mkfusion.kernels.stack._views import View

__all__ = ["ImputedColumns", "ImputedRows", "Members", "PaddedView", "positions"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def positions(present: Mask) -> IndexArray:
    """Return where each sample stands among those present, (n,); -1 for those that are not."""
    return np.where(present, np.cumsum(present) - 1, -1)


class PaddedView(View):
    """A kernel between the samples that have a modality, as one between all samples.

    Its values are ``K_ij * row_factors_i * col_factors_j``, and 0 where either sample lacks the
    modality.

    Parameters
    ----------
    known : View
        The kernel between those that have it.
    rows, cols : ndarray of shape (n_rows,) and (n_cols,), dtype=bool
        Which samples these are.
    row_factors, col_factors : ndarray of shape (n_rows,) and (n_cols,), default=None
        1 by default.
    """

    def __init__(
        self,
        known: View,
        rows: Mask,
        cols: Mask,
        row_factors: Floats | None = None,
        col_factors: Floats | None = None,
    ) -> None:
        self.known = known
        self.place = known.place
        self._rows, self._cols = positions(rows), positions(cols)
        self._row_factors = np.ones(len(rows)) if row_factors is None else row_factors
        self._col_factors = np.ones(len(cols)) if col_factors is None else col_factors

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), len(self._cols)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: IndexArray | None, cols: IndexArray | None) -> FloatArray:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((_count(rows, self.shape[0]), _count(cols, self.shape[1])), self.dtype)
        values = self.known.block(r, c) * row_factors.astype(self.dtype)[:, np.newaxis]
        values *= col_factors.astype(self.dtype)
        out[np.ix_(i, j)] = values
        return out

    def pairs(self, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        r, c = _at(self._rows, rows), _at(self._cols, cols)
        both = (r >= 0) & (c >= 0)
        out = _at(self._row_factors, rows) * _at(self._col_factors, cols) * both
        if both.any():
            out[both] *= self.known.pairs(r[both], c[both])
        return out

    def dot(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((len(beta), _count(rows, self.shape[0])))
        out[:, i] = self.known.dot(beta[:, j] * col_factors, r, c) * row_factors
        return out

    def dot_rows(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((len(beta), _count(cols, self.shape[1])))
        out[:, j] = self.known.dot_rows(beta[:, i] * row_factors, r, c) * col_factors
        return out

    @staticmethod
    def _find(
        positions: IndexArray, factors: Floats, index: IndexArray | None
    ) -> tuple[IndexArray, IndexArray | None, Floats]:
        """Return which of the samples asked for are known, where, and their factors."""
        at = _at(positions, index)
        here = np.flatnonzero(at >= 0)
        return here, None if index is None else at[here], _at(factors, index)[here]


class Members:
    """Samples in terms of the training samples that have a modality.

    Those that have it stand for themselves, the others are sums of weighted *donors*.

    Parameters
    ----------
    present : ndarray of shape (n,), dtype=bool
    weights : ndarray of shape (n_missing, n_donors), float64
        Of the samples that lack it, in their order.
    donors : ndarray of shape (n_donors,)
        Indices among the training samples that have it.
    """

    def __init__(self, present: Mask, weights: Floats, donors: IndexArray) -> None:
        self.here = positions(present)
        self.gone = positions(~present)
        self.weights = weights
        self.donors = donors

    def split(
        self, index: IndexArray | None
    ) -> tuple[IndexArray, IndexArray | None, IndexArray, Floats]:
        """Return which of the samples asked for have it, where, which lack it, their weights."""
        here, gone = _at(self.here, index), _at(self.gone, index)
        i, i_gone = np.flatnonzero(here >= 0), np.flatnonzero(gone >= 0)
        return i, None if index is None else here[i], i_gone, self.weights[gone[i_gone]]


class ImputedRows(View):
    """The kernel ``A K`` between all samples and the training samples that have the modality.

    Row i of A is a unit vector for a sample that has it, and holds the weights of the donors for
    one that lacks it.

    Parameters
    ----------
    known : View of shape (n_present_rows, n_present)
        K between the samples that have it and the training samples.
    training : View of shape (n_present, n_present)
        K between the training samples.
    members : Members
    """

    def __init__(self, known: View, training: View, members: Members) -> None:
        self.known = known
        self.training = training
        self.place = known.place
        self._members = members

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._members.here), self.training.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: IndexArray | None, cols: IndexArray | None) -> FloatArray:
        i, r, gone, weights = self._members.split(rows)
        out = np.empty((len(i) + len(gone), _count(cols, self.shape[1])), self.dtype)
        out[i] = self.known.block(r, cols)
        if len(gone):
            out[gone] = weights @ self.training.block(self._members.donors, cols)
        return out

    def pairs(self, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        cols = np.arange(self.shape[1]) if cols is None else cols
        out = np.empty(len(cols))
        if len(i):
            out[i] = self.known.pairs(np.arange(len(i)) if r is None else r, cols[i])
        if len(gone):
            values = self.training.block(self._members.donors, cols[gone])
            out[gone] = np.einsum("id,di->i", weights, values)
        return out

    def dot(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        out = np.empty((len(beta), len(i) + len(gone)))
        out[:, i] = self.known.dot(beta, r, cols)
        if len(gone):
            out[:, gone] = self.training.dot(beta, self._members.donors, cols) @ weights.T
        return out

    def dot_rows(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        out = self.known.dot_rows(beta[:, i], r, cols)
        if len(gone):
            out = out + self.training.dot_rows(beta[:, gone] @ weights, self._members.donors, cols)
        return out


class ImputedColumns(View):
    """The kernel ``L A'``, where L is one with the training samples that have the modality.

    Parameters
    ----------
    known : View of shape (n_rows, n_present)
        L.
    members : Members
        A, as in :class:`ImputedRows`.
    """

    def __init__(self, known: View, members: Members) -> None:
        self.known = known
        self.place = known.place
        self._members = members

    @property
    def shape(self) -> tuple[int, int]:
        return self.known.shape[0], len(self._members.here)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: IndexArray | None, cols: IndexArray | None) -> FloatArray:
        j, c, gone, weights = self._members.split(cols)
        out = np.empty((_count(rows, self.shape[0]), len(j) + len(gone)), self.dtype)
        out[:, j] = self.known.block(rows, c)
        if len(gone):
            out[:, gone] = self.known.block(rows, self._members.donors) @ weights.T
        return out

    def pairs(self, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        rows = np.arange(self.shape[0]) if rows is None else rows
        out = np.empty(len(rows))
        if len(j):
            out[j] = self.known.pairs(rows[j], np.arange(len(j)) if c is None else c)
        if len(gone):
            values = self.known.block(rows[gone], self._members.donors)
            out[gone] = np.einsum("id,id->i", values, weights)
        return out

    def dot(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        out = self.known.dot(beta[:, j], rows, c)
        if len(gone):
            out = out + self.known.dot(beta[:, gone] @ weights, rows, self._members.donors)
        return out

    def dot_rows(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        out = np.empty((len(beta), len(j) + len(gone)))
        out[:, j] = self.known.dot_rows(beta, rows, c)
        if len(gone):
            out[:, gone] = self.known.dot_rows(beta, rows, self._members.donors) @ weights.T
        return out


def _at(values: NDArray[Any], index: IndexArray | None) -> NDArray[Any]:
    return values if index is None else values[index]


def _count(index: IndexArray | None, size: int) -> int:
    return size if index is None else len(index)
