"""Kernels of explicit features: what is kept are the features, n times their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

from mkfusion.kernels.stack._lazy_storage import LazyStorage
from mkfusion.kernels.stack._storage import FloatArray, IndexArray
from mkfusion.kernels.stack._threads import in_threads, split_for_threads
from mkfusion.kernels.stack._views import View

__all__ = ["FactorView", "factor_storage_from"]

Floats = NDArray[np.float64]


class FactorView(View):
    """The kernel ``Z_rows Z_cols'``.

    Parameters
    ----------
    rows, cols : ndarray or CSR matrix of shape (n_rows, rank) and (n_cols, rank)
        Features, ``float32`` or ``float64``; the same object for training samples.
    """

    place: str = "low-rank"

    def __init__(self, rows: Any, cols: Any) -> None:
        self.rows = rows
        self.cols = cols
        self.rank = cols.nnz / max(1, cols.shape[0]) if issparse(cols) else cols.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape[0], self.cols.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(self.rows.dtype, self.cols.dtype)

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> FactorView:
        left = self._left(rows)
        return FactorView(left, left if self._is_principal(rows, cols) else self._right(cols))

    def block(self, rows: IndexArray | None, cols: IndexArray | None) -> FloatArray:
        left = self._left(rows)
        right = left if self._is_principal(rows, cols) else self._right(cols)
        if issparse(left):
            return (left @ right.T).toarray()
        if left is right:  # BLAS then makes it symmetric to the last bit
            return left @ right.T
        out = np.empty((len(left), len(right)), dtype=self.dtype)

        def multiply(piece: slice) -> None:
            np.matmul(left[piece], right.T, out=out[piece])

        # The solvers hold BLAS to one thread.
        in_threads(multiply, split_for_threads(len(left), out.size * left.shape[1]))
        return out

    def pairs(self, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        left, right = self._left(rows), self._right(cols)
        if issparse(left):
            return np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel()
        return np.einsum("ij,ij->i", left, right, dtype=np.float64)

    def dot(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        return (beta @ self._right(cols)) @ self._left(rows).T

    def dot_rows(self, beta: Floats, rows: IndexArray | None, cols: IndexArray | None) -> Floats:
        return (beta @ self._left(rows)) @ self._right(cols).T

    def _left(self, rows: IndexArray | None) -> Any:
        return self.rows if rows is None else self.rows[rows]

    def _right(self, cols: IndexArray | None) -> Any:
        return self.cols if cols is None else self.cols[cols]

    def _is_principal(self, rows: IndexArray | None, cols: IndexArray | None) -> bool:
        """Whether these are rows and columns of the same samples in the same order."""
        if self.rows is not self.cols:
            return False
        same = rows is not None and cols is not None and np.array_equal(rows, cols)
        return same or rows is cols is None


def factor_storage_from(features: Sequence[Any], others: Sequence[Any] | None) -> LazyStorage:
    """Build a storage from the features of row samples and of column samples.

    Parameters
    ----------
    features, others
        As for :meth:`KernelStack.from_features`, which see for what is raised too.

    Returns
    -------
    LazyStorage
    """
    rows = _matrices(features, "features")
    cols = rows if others is None else _matrices(others, "others")
    if len(rows) != len(cols):
        raise ValueError(
            f"others has {len(cols)} entries; expected one for each of the {len(rows)} kernels of "
            "features."
        )
    for k, (left, right) in enumerate(zip(rows, cols, strict=True)):
        if left.shape[1] != right.shape[1]:
            raise ValueError(
                f"others[{k}] has {right.shape[1]} features, but features[{k}] has "
                f"{left.shape[1]}; expected as many."
            )
        if issparse(left) != issparse(right):
            raise TypeError(
                f"One of features[{k}] and others[{k}] is sparse; expected both or none."
            )
    return LazyStorage([FactorView(left, right) for left, right in zip(rows, cols, strict=True)])


def _matrices(values: Sequence[Any], argument: str) -> list[Any]:
    """Return matrices of as many rows each."""
    if not isinstance(values, list | tuple):
        raise TypeError(
            f"{argument} is {type(values).__name__}; expected a list of matrices "
            "(n_samples, n_features), one for each kernel."
        )
    if len(values) == 0:
        raise ValueError(f"{argument} is empty; expected at least one kernel.")
    matrices: list[Any] = []
    for k, one in enumerate(values):
        try:
            matrices.append(check_array(one, accept_sparse="csr", dtype=(np.float64, np.float32)))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{argument}[{k}]: {error}") from error
        if matrices[k].shape[0] != matrices[0].shape[0]:
            raise ValueError(
                f"{argument}[{k}] has {matrices[k].shape[0]} rows, but {argument}[0] has "
                f"{matrices[0].shape[0]}; expected features of the same samples."
            )
    return matrices
