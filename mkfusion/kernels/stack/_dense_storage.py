"""Kernels held in memory, in one contiguous kernel-major array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion.kernels.stack._storage import FloatArray, IndexArray, as_vectors
from mkfusion.kernels.stack._threads import in_threads, split_for_threads

__all__ = [
    "DenseStorage",
    "check_finite",
    "dense_storage_from",
    "float_type",
    "is_matrix_of_lists",
    "label_of",
    "matrices_from",
]


class DenseStorage:
    """A stack of kernels in one array.

    Parameters
    ----------
    array : ndarray of shape (n_kernels, n_rows, n_cols), float32 or float64
        C-contiguous: every pass over the stack then streams through memory kernel by kernel and
        row by row. Not copied.
    """

    place = "in memory"
    in_memory = True

    def __init__(self, array: FloatArray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, int, int]:
        n_kernels, n_rows, n_cols = self.array.shape
        return n_rows, n_cols, n_kernels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> DenseStorage:
        if rows is None and cols is None:
            return self
        from mkfusion.kernels.stack import _dense

        n_rows, n_cols, n_kernels = self.shape
        shape = (
            n_kernels,
            n_rows if rows is None else len(rows),
            n_cols if cols is None else len(cols),
        )
        block = np.empty(shape, dtype=self.dtype)
        all_rows, all_cols = _everything(rows, n_rows), _everything(cols, n_cols)

        def copy(piece: slice) -> None:
            _dense.take_block(self.array[piece], all_rows, all_cols, block[piece])

        in_threads(copy, split_for_threads(n_kernels, block.size))
        return DenseStorage(block)

    def select(self, which: IndexArray) -> DenseStorage:
        first, last = int(which[0]), int(which[-1])
        if last - first + 1 == len(which) and np.all(np.diff(which) == 1):
            return DenseStorage(self.array[first : last + 1])
        return DenseStorage(self.array[which])

    def combine(
        self,
        weights: NDArray[np.float64],
        rows: IndexArray | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        cols: IndexArray | None = None,
    ) -> NDArray[np.float64]:
        from mkfusion.kernels.stack import _dense

        n_rows, n_cols, _ = self.shape
        rows = _everything(rows, n_rows)
        if out is None:
            out = np.empty((len(rows), n_cols if cols is None else len(cols)))
        kernels = np.flatnonzero(weights)

        def combine(piece: slice) -> None:
            if cols is None:
                _dense.combine_rows(self.array, weights, kernels, rows[piece], out[piece])
            else:
                _dense.combine_block(self.array, weights, kernels, rows[piece], cols, out[piece])

        in_threads(combine, split_for_threads(len(rows), out.size * len(kernels)))
        return out

    def dot(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        from mkfusion.kernels.stack._dense import dot_columns

        n_rows, _, n_kernels = self.shape
        columns = np.ascontiguousarray(as_vectors(beta))
        out = np.zeros((len(columns), n_kernels, n_rows))
        dot_columns(self.array, columns, np.flatnonzero(columns.any(axis=0)), out)
        return out.reshape(beta.shape[:-1] + (n_kernels, n_rows))

    def add_dot(
        self,
        beta: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: IndexArray | None = None,
    ) -> None:
        from mkfusion.kernels.stack import _dense

        _, n, n_kernels = self.shape
        kernels = _everything(kernels, n_kernels)
        rows = np.flatnonzero(beta.any(axis=0))

        def add(piece: slice) -> None:
            _dense.add_dot_rows(self.array, beta, kernels[piece], rows, out)

        in_threads(add, split_for_threads(len(kernels), len(kernels) * len(rows) * n))

    def quadratic(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        from mkfusion.kernels.stack import _dense

        n_kernels = len(self.array)
        out = np.empty(n_kernels)
        support = np.flatnonzero(beta.any(axis=0))
        kernels = np.arange(n_kernels)

        def evaluate(piece: slice) -> None:
            _dense.quadratic_forms(self.array, beta, kernels[piece], support, out)

        in_threads(evaluate, split_for_threads(n_kernels, n_kernels * len(support) ** 2))
        return out

    def diagonal(self) -> NDArray[np.float64]:
        return np.diagonal(self.array, axis1=1, axis2=2).astype(np.float64)

    def gram(self, k: int) -> FloatArray:
        return self.array[k]

    def materialize(self) -> DenseStorage:
        return self


def _everything(index: IndexArray | None, size: int) -> IndexArray:
    return np.arange(size) if index is None else index


def dense_storage_from(
    grams: Sequence[ArrayLike] | NDArray[Any],
    names: Sequence[str] | None = None,
    argument: str = "grams",
) -> DenseStorage:
    """Build a storage from what a user holds, copying at most once.

    Parameters
    ----------
    grams : sequence of m array-likes of shape (n_rows, n_cols), or ndarray of shape \
            (n_rows, n_cols, m) or (n_rows, n_cols)
        Nothing is copied when it already lies in memory as (m, n_rows, n_cols) does.
    names : sequence of m str, default=None
        For messages.
    argument : str, default="grams"
        For messages: what the user calls `grams`.

    Returns
    -------
    DenseStorage
        ``float32`` if every kernel is, otherwise ``float64``.

    Raises
    ------
    ValueError, TypeError
        Empty, not numeric, of different sizes, or not finite.
    """
    array = _kernel_major(grams, argument, lambda k: label_of(k, names, argument))
    _check_not_empty(array.shape, argument)
    for k, gram in enumerate(array):
        check_finite(gram, label_of(k, names, argument))
    return DenseStorage(array)


def matrices_from(
    grams: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str] | None, argument: str
) -> list[NDArray[Any]]:
    """Return the kernels (n_rows, n_cols) that a user holds as they are, without reading them.

    Parameters
    ----------
    grams, names, argument
        As for `dense_storage_from`, which see for what is raised too.

    Returns
    -------
    list of m ndarray of shape (n_rows, n_cols)
    """
    if isinstance(grams, list | tuple):
        arrays = [_numbers(g, label_of(k, names, argument)) for k, g in enumerate(grams)]
        _check_matrices(arrays, lambda k: label_of(k, names, argument))
    else:
        array = _three_axes(_numbers(grams, argument), argument)
        arrays = [array[:, :, k] for k in range(array.shape[2])]
    _check_not_empty((len(arrays), *(arrays[0].shape if arrays else ())), argument)
    return arrays


def label_of(k: int, names: Sequence[str] | None, argument: str) -> str:
    """Return what to call kernel k in messages."""
    known = names is not None and k < len(names)
    return f"{argument}[{k}] ({names[k]!r})" if names and known else f"{argument}[{k}]"


def _check_not_empty(shape: tuple[int, ...], argument: str) -> None:
    if 0 in shape:
        raise ValueError(
            f"{argument} holds {shape[0]} kernels of shape {shape[1:]}; expected at "
            "least one kernel, with at least one row and one column."
        )


def _kernel_major(grams: Any, argument: str, label: Callable[[int], str]) -> FloatArray:
    if isinstance(grams, list | tuple):
        if len(grams) == 0:
            raise ValueError(f"{argument} is empty; expected at least one kernel.")
        if not is_matrix_of_lists(grams):
            return _stack_list([_numbers(g, label(k)) for k, g in enumerate(grams)], label)
    array = _three_axes(_numbers(grams, argument), argument)
    return np.ascontiguousarray(np.moveaxis(array, -1, 0), dtype=float_type([array]))


def _three_axes(array: NDArray[Any], argument: str) -> NDArray[Any]:
    """Return one kernel, or several, with the kernels last."""
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3:
        raise ValueError(
            f"{argument} has shape {array.shape}; expected a list of arrays (n_rows, n_cols), or "
            "one array (n_rows, n_cols, n_kernels)."
        )
    return array


def is_matrix_of_lists(rows: Sequence[Any]) -> bool:
    """Whether this is one matrix written down as a list of rows."""
    return all(
        isinstance(row, list | tuple) and (len(row) == 0 or np.isscalar(row[0])) for row in rows
    )


def _check_matrices(grams: list[NDArray[Any]], label: Callable[[int], str]) -> None:
    for k, gram in enumerate(grams):
        if gram.ndim != 2:
            raise ValueError(
                f"{label(k)} has shape {gram.shape}; expected a matrix (n_rows, n_cols)."
            )
        if gram.shape != grams[0].shape:
            raise ValueError(
                f"{label(k)} has shape {gram.shape}, but {label(0)} has shape {grams[0].shape}; "
                "expected all kernels between the same samples."
            )


def _stack_list(grams: list[NDArray[Any]], label: Callable[[int], str]) -> FloatArray:
    _check_matrices(grams, label)
    dtype = float_type(grams)
    if len(grams) == 1:
        return np.ascontiguousarray(grams[0], dtype=dtype)[np.newaxis]
    if _lie_in_a_row(grams, dtype):
        strides = (grams[0].nbytes, *grams[0].strides)
        return np.lib.stride_tricks.as_strided(grams[0], (len(grams), *grams[0].shape), strides)
    array = np.empty((len(grams), *grams[0].shape), dtype=dtype)
    for target, gram in zip(array, grams, strict=True):
        target[...] = gram
    return array


def _lie_in_a_row(grams: list[NDArray[Any]], dtype: type[np.floating[Any]]) -> bool:
    """Whether these are the parts ``list(array)`` of one kernel-major array, in their order."""
    first = grams[0]
    return first.base is not None and all(
        gram.base is first.base
        and gram.dtype == dtype
        and gram.flags.c_contiguous
        and gram.ctypes.data == first.ctypes.data + k * first.nbytes
        for k, gram in enumerate(grams)
    )


def _numbers(values: Any, label: str) -> NDArray[Any]:
    """Return `values` as an array of real numbers, without copying one that is."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"{label} is a sparse {type(values).__name__}; expected a dense array: kernels are "
            "stored densely, pass `.toarray()`."
        )
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged
        raise ValueError(f"{label} is not a rectangular array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{label} has dtype {array.dtype}; expected real numbers (convert it with "
            "`.astype(float)` if that is what it holds)."
        )
    return array


def float_type(arrays: Sequence[NDArray[Any]]) -> type[np.floating[Any]]:
    """Return ``float32`` if all arrays are, otherwise ``float64``."""
    return np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64


def check_finite(values: NDArray[Any], label: str) -> None:
    """Refuse NaN and infinity, reading the matrix once and copying nothing if it is finite."""
    with np.errstate(all="ignore"):
        # A NaN or an infinity survives the sum; a sum of finite numbers may overflow, which
        # is why a sum that is not finite proves nothing.
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        i, j = bad[0]
        raise ValueError(
            f"{label} contains {values[i, j]} at row {i}, column {j}; expected finite numbers."
        )
