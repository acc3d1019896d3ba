"""Stacks in files: the kernels as NumPy saves them, then what else is to be known of them.

A file is one array ``(n_kernels, n_rows, n_cols)`` in the ``.npy`` format, so that ``numpy.load``
opens it too, memory-mapped or not; behind it stands a second one, of bytes, that hold names and
the like in JSON. Nothing is ever pickled.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mkfusion.kernels.stack._dense_storage import check_finite
from mkfusion.kernels.stack._lazy_storage import LazyStorage
from mkfusion.kernels.stack._mapped_view import MappedView
from mkfusion.kernels.stack._storage import Storage
from mkfusion.kernels.stack._views import row_batches

__all__ = ["read_stack", "write_stack"]

_FORMAT, _VERSION = "mkfusion.KernelStack", 1


def write_stack(
    path: str | os.PathLike[str], storage: Storage, names: Sequence[str], sound: NDArray[np.bool_]
) -> None:
    """Write a stack, a block of rows at a time, and put it in its place when it is complete.

    Parameters
    ----------
    path : str or path-like
    storage : Storage
    names : sequence of m str
    sound : ndarray of shape (m,), dtype=bool
        The kernels that are known to be Gram matrices.
    """
    target = Path(path)
    # Beside it: a file is moved at once only within a file system.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    record = {"format": _FORMAT, "version": _VERSION, "names": list(names), "sound": sound.tolist()}
    file = open(temporary, "xb")
    try:
        with file:
            _write_kernels(file, storage, names)
            npy.write_array(file, np.frombuffer(json.dumps(record).encode(), dtype=np.uint8))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink()
        raise


def _write_kernels(file: BinaryIO, storage: Storage, names: Sequence[str]) -> None:
    n_rows, n_cols, n_kernels = storage.shape
    descr = npy.dtype_to_descr(storage.dtype)
    shape = (n_kernels, n_rows, n_cols)
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for k in range(n_kernels):
        one = storage.select(np.array([k]))
        for batch in row_batches(n_rows, n_cols):
            whole = (batch.start, batch.stop) == (0, n_rows)
            rows = None if whole else np.arange(batch.start, batch.stop)
            block = np.ascontiguousarray(one.take(rows, None).gram(0), dtype=storage.dtype)
            check_finite(block, f"kernel {names[k]!r}")
            file.write(block.data)


def read_stack(
    path: str | os.PathLike[str],
) -> tuple[LazyStorage, list[str], NDArray[np.bool_]]:
    """Return what `write_stack` was given, with the kernels memory-mapped.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    storage, names, sound : tuple

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
        names, sound = _read_record(file, target, shape[0])
    # Not only a map for the sake of memory: what is read only is not changed by mistake.
    array = np.memmap(target, dtype=dtype, mode="r", offset=start, shape=shape)
    native = np.dtype(dtype.type)
    kernels = [
        MappedView(gram, native, f"kernel {name!r} of {target}", finite=True)
        for gram, name in zip(array, names, strict=True)
    ]
    return LazyStorage(kernels), names, sound


def _read_header(file: BinaryIO, target: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"its array is of version {version}")
        shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    except ValueError as error:
        raise _foreign(target, str(error)) from error
    if len(shape) != 3 or fortran_order or dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise _foreign(target, f"it holds an array of shape {shape} and dtype {dtype}")
    return shape, dtype


def _read_record(
    file: BinaryIO, target: Path, n_kernels: int
) -> tuple[list[str], NDArray[np.bool_]]:
    try:
        record = json.loads(npy.read_array(file, allow_pickle=False).tobytes())
        if record["format"] != _FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        version, names, sound = record["version"], record["names"], record["sound"]
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(target, f"no names stand behind its array ({error})") from error
    if version != _VERSION:
        raise ValueError(
            f"{target} is a stack of version {version}; expected {_VERSION}. A newer mkfusion "
            "wrote it."
        )
    if not len(names) == len(sound) == n_kernels:
        raise _foreign(target, f"it has {len(names)} names for {n_kernels} kernels")
    return names, np.array(sound, dtype=bool)


def _foreign(target: Path, reason: str) -> ValueError:
    return ValueError(
        f"{target} is not a file that KernelStack.save wrote: {reason}. An array that NumPy saved "
        "is opened by KernelStack(numpy.load(path, mmap_mode='r')), with kernels on its last axis."
    )
