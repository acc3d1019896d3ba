"""Stacks in files: the kernels as NumPy saves them, then what else is to be known of them.

A file is one array ``(n_kernels, n_rows, n_cols)`` in the ``.npy`` format, so that ``numpy.load``
opens it too, memory-mapped or not; behind it stands a second one, of bytes, that hold names and
the like in JSON. Nothing is ever pickled.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from mkfusion._files import written_beside
from mkfusion._types import FloatArray, Indices, Mask, Stack
from mkfusion.stack._dense import check_finite, float_type, label_of, matrices_from
from mkfusion.stack._views import View, row_batches


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

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        values = _read(self.array, rows, cols).astype(self._dtype, copy=False)
        if not self.finite:
            self._check(values, rows, cols)
        return values

    def pairs(self, rows: Indices | None, cols: Indices | None) -> NDArray[np.float64]:
        n_rows, n_cols = self.shape
        rows = np.arange(n_rows) if rows is None else rows
        cols = np.arange(n_cols) if cols is None else cols
        values = self.array[rows, cols].astype(np.float64)
        if not self.finite:
            check_finite(values[np.newaxis], f"The diagonal of {self.label}")
        return values

    def _check(self, values: FloatArray, rows: Indices | None, cols: Indices | None) -> None:
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


def any_mapped(grams: Any) -> bool:
    """Whether some of the kernels that a user holds are memory-mapped."""
    return any(is_mapped(gram) for gram in (grams if isinstance(grams, list | tuple) else [grams]))


def mapped_views(
    grams: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str] | None, argument: str
) -> list[View]:
    """Return kernels that a user holds where they are, without reading them.

    Parameters
    ----------
    grams, names, argument
        As for :func:`~mkfusion.stack._dense.dense_matrices`.

    Returns
    -------
    list of m View
    """
    arrays = matrices_from(grams, names, argument)
    dtype = np.dtype(float_type(arrays))
    return [
        MappedView(array, dtype, label_of(k, names, argument), finite=False)
        for k, array in enumerate(arrays)
    ]


def _read(array: NDArray[Any], rows: Indices | None, cols: Indices | None) -> NDArray[Any]:
    run = _as_slice(rows)
    if run is not None:
        part = array[run]
        return part if cols is None else np.take(part, cols, axis=1)
    assert rows is not None
    out = np.empty((len(rows), array.shape[1] if cols is None else len(cols)), dtype=array.dtype)
    for i in np.argsort(rows, kind="stable"):
        out[i] = array[rows[i]] if cols is None else array[rows[i]][cols]
    return out


def _as_slice(rows: Indices | None) -> slice | None:
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


_FORMAT, _VERSION = "mkfusion.KernelStack", 1


def write_stack(
    path: str | os.PathLike[str], stack: Stack, names: Sequence[str], known_gram: Mask
) -> None:
    """Write a stack, a block of rows at a time, and put it in its place when it is complete.

    Parameters
    ----------
    path : str or path-like
    stack : Stack
    names : sequence of m str
    known_gram : ndarray of shape (m,), dtype=bool
        The kernels that are known to be Gram matrices.
    """
    record = {
        "format": _FORMAT,
        "version": _VERSION,
        "names": list(names),
        "sound": known_gram.tolist(),
    }
    with written_beside(Path(path)) as beside, open(beside, "wb") as file:
        _write_kernels(file, stack, names)
        npy.write_array(file, np.frombuffer(json.dumps(record).encode(), dtype=np.uint8))


def _write_kernels(file: BinaryIO, stack: Stack, names: Sequence[str]) -> None:
    n_rows, n_cols, n_kernels = stack.shape
    descr = npy.dtype_to_descr(stack.dtype)
    shape = (n_kernels, n_rows, n_cols)
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for k in range(n_kernels):
        for batch in row_batches(n_rows, n_cols):
            whole = (batch.start, batch.stop) == (0, n_rows)
            rows = None if whole else np.arange(batch.start, batch.stop)
            block = np.ascontiguousarray(stack.block(k, rows, None), dtype=stack.dtype)
            check_finite(block, f"kernel {names[k]!r}")
            file.write(block.data)


def read_stack(
    path: str | os.PathLike[str],
) -> tuple[list[View], list[str], Mask]:
    """Return what `write_stack` was given, with the kernels memory-mapped.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    views, names, known_gram : tuple

    Raises
    ------
    ValueError
        If the file is something else, or cut off.
    OSError
        If it cannot be read.
    """
    target = Path(path)
    with open(target, "rb") as file:
        shape, dtype = _read_header(file, target)
        start = file.tell()
        end = start + int(np.prod(shape)) * dtype.itemsize
        size = os.fstat(file.fileno()).st_size
        if size < end:
            raise ValueError(
                f"{target} is cut off: it has {size} bytes; expected more than {end} for kernels "
                f"of shape {shape}. Was it copied as a whole?"
            )
        file.seek(end)
        names, known_gram = _read_record(file, target, shape[0])
    # Not only a map for the sake of memory: what is read only is not changed by mistake.
    array = np.memmap(target, dtype=dtype, mode="r", offset=start, shape=shape)
    native = np.dtype(dtype.type)
    views: list[View] = [
        MappedView(gram, native, f"kernel {name!r} of {target}", finite=True)
        for gram, name in zip(array, names, strict=True)
    ]
    return views, names, known_gram


def _read_header(file: BinaryIO, target: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"its array is of version {version}")
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    except ValueError as error:
        raise _format_error(target, str(error)) from error
    if len(shape) != 3 or fortran_order or dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise _format_error(target, f"it holds an array of shape {shape} and dtype {dtype}")
    return shape, dtype


def _read_record(file: BinaryIO, target: Path, n_kernels: int) -> tuple[list[str], Mask]:
    try:
        record = json.loads(npy.read_array(file, allow_pickle=False).tobytes())
        if record["format"] != _FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        version, names, sound = record["version"], record["names"], record["sound"]
    except (ValueError, KeyError, TypeError) as error:
        raise _format_error(target, f"no names stand behind its array ({error})") from error
    if version != _VERSION:
        raise ValueError(
            f"{target} is a stack of version {version}; expected {_VERSION}. A newer mkfusion "
            "wrote it."
        )
    if not len(names) == len(sound) == n_kernels:
        raise _format_error(target, f"it has {len(names)} names for {n_kernels} kernels")
    return names, np.array(sound, dtype=bool)


def _format_error(target: Path, reason: str) -> ValueError:
    return ValueError(
        f"{target} is not a file that KernelStack.save wrote: {reason}. An array that NumPy saved "
        "is opened by KernelStack(numpy.load(path, mmap_mode='r')), with kernels on its last axis."
    )
