"""Kernels that lie in files, read when asked for and never copied into memory as a whole."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion.kernels.stack._dense_storage import check_finite, float_type, label_of, matrices_from
from mkfusion.kernels.stack._lazy_storage import LazyStorage
from mkfusion.kernels.stack._storage import FloatArray, IndexArray
from mkfusion.kernels.stack._views import View

__all__ = ["MappedView", "is_mapped", "mapped_storage_from", "place_in_file", "reopen"]


class MappedView(View):
    """A kernel in a memory-mapped file.

    Rows are read one after the other, in the order in which they lie in the file. Pickling keeps
    the name of the file, not the numbers.

    Parameters
    ----------
    array : ndarray of shape (n_rows, n_cols)
        Not copied. It may be anywhere, of any strides and any real type.
    dtype : numpy.dtype
        ``float32`` or ``float64``.
    label : str
        What to call the kernel in messages.
    finite : bool
        Whether the numbers are known to be; otherwise what is read is checked.
    """

    place: str = "memory-mapped"

    def __init__(
        self, array: NDArray[Any], dtype: np.dtype[Any], label: str, *, finite: bool
    ) -> None:
        self.array = array
        self.label = label
        self.finite = finite
        self._dtype = dtype

    @property
    def shape(self) -> tuple[int, int]:
        n_rows, n_cols = self.array.shape
        return n_rows, n_cols

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def block(self, rows: IndexArray | None, cols: IndexArray | None) -> FloatArray:
        values = _read(self.array, rows, cols).astype(self._dtype, copy=False)
        if not self.finite:
            self._check(values, rows, cols)
        return values

    def pairs(self, rows: IndexArray | None, cols: IndexArray | None) -> NDArray[np.float64]:
        n_rows, n_cols = self.shape
        rows = np.arange(n_rows) if rows is None else rows
        cols = np.arange(n_cols) if cols is None else cols
        values = self.array[rows, cols].astype(np.float64)
        if not self.finite:
            check_finite(values[np.newaxis], f"The diagonal of {self.label}")
        return values

    def _check(self, values: FloatArray, rows: IndexArray | None, cols: IndexArray | None) -> None:
        try:
            check_finite(values, self.label)
        except ValueError:
            i, j = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(
                f"{self.label} contains {values[i, j]} at row {i if rows is None else rows[i]}, "
                f"column {j if cols is None else cols[j]}; expected finite numbers."
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        where = place_in_file(self.array)
        if where is not None:
            state["array"] = where
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(state["array"], tuple):
            state = {**state, "array": reopen(*state["array"])}
        self.__dict__.update(state)


def is_mapped(array: Any) -> bool:
    """Whether an array, or what it is a part of, is a memory map."""
    while array is not None:
        if isinstance(array, np.memmap | mmap.mmap):
            return True
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return False


def mapped_storage_from(
    grams: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str] | None, argument: str
) -> LazyStorage | None:
    """Build a storage on memory-mapped arrays, which are not read; None if none of them is.

    Parameters
    ----------
    grams, names, argument
        As for :func:`~mkfusion.kernels.stack._dense_storage.dense_storage_from`.

    Returns
    -------
    LazyStorage or None
    """
    several = isinstance(grams, list | tuple)
    if not any(is_mapped(gram) for gram in (grams if several else [grams])):
        return None
    arrays = matrices_from(grams, names, argument)
    dtype = np.dtype(float_type(arrays))
    return LazyStorage(
        [
            MappedView(array, dtype, label_of(k, names, argument), finite=False)
            for k, array in enumerate(arrays)
        ]
    )


def _read(array: NDArray[Any], rows: IndexArray | None, cols: IndexArray | None) -> NDArray[Any]:
    run = _as_run(rows)
    if run is not None:
        part = array[run]
        return part if cols is None else np.take(part, cols, axis=1)
    assert rows is not None
    out = np.empty((len(rows), array.shape[1] if cols is None else len(cols)), dtype=array.dtype)
    for i in np.argsort(rows, kind="stable"):
        out[i] = array[rows[i]] if cols is None else array[rows[i]][cols]
    return out


def _as_run(rows: IndexArray | None) -> slice | None:
    """Return a slice for everything or for neighbours in their order; None for other rows."""
    if rows is None:
        return slice(None)
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return None


def place_in_file(array: NDArray[Any]) -> tuple[Any, ...] | None:
    """Return what :func:`reopen` needs, or None for an array that is in no named file."""
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None or root.mode == "c":
        return None  # "c": what was written is in memory alone
    # The first number of the root lies at its offset, that of a part of it so much further.
    ahead = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    path = os.fspath(root.filename)
    return path, root.offset + ahead, array.dtype, array.shape, array.strides


def reopen(
    path: str,
    offset: int,
    dtype: np.dtype[Any],
    shape: tuple[int, int],
    strides: tuple[int, int],
) -> NDArray[Any]:
    """Return the array that lay in a file when :func:`place_in_file` was asked."""
    memory = np.memmap(path, dtype=np.uint8, mode="r")
    return np.ndarray(shape, dtype=dtype, buffer=memory, offset=offset, strides=strides)
