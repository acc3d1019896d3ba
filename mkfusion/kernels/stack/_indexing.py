"""What may stand in ``stack[...]``, made into index arrays."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mkfusion.kernels.stack._storage import IndexArray

__all__ = ["as_index", "split_key"]

_AxisKey: TypeAlias = slice | Sequence[int] | NDArray[Any]


def split_key(key: Any) -> tuple[_AxisKey, _AxisKey]:
    """Split what stands in ``stack[...]`` into a key for rows and one for columns."""
    everything = slice(None)
    parts = list(key) if isinstance(key, tuple) else [key]
    parts = [part for part in parts if not isinstance(part, EllipsisType)]
    if len(parts) == 3 and isinstance(parts[2], slice) and parts[2] == everything:
        parts = parts[:2]
    if len(parts) == 0:
        return everything, everything
    if len(parts) == 1:
        return parts[0], everything
    if len(parts) > 2:
        raise IndexError(
            "A stack is indexed by rows and columns, stack[np.ix_(rows, cols)]; its kernels by "
            "stack.select(which)."
        )
    rows, cols = parts
    if _is_column_vector(rows) and np.ndim(cols) == 2 and np.shape(cols)[0] == 1:
        return np.ravel(rows), np.ravel(cols)
    if not isinstance(rows, slice) and not isinstance(cols, slice):
        raise IndexError(
            "Two index arrays would pair up their entries; use stack[np.ix_(rows, cols)] for the "
            "block between them."
        )
    return rows, cols


def _is_column_vector(key: Any) -> bool:
    return np.ndim(key) == 2 and np.shape(key)[1] == 1


def as_index(key: Any, size: int, axis: str) -> IndexArray | None:
    """Return non-negative indices (r,), or None for everything."""
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        return None if (start, stop, step) == (0, size, 1) else np.arange(start, stop, step)
    index = np.asarray(key)
    if index.ndim == 0:
        raise IndexError(
            f"A single {axis} is asked for as a list: [{key!r}], so that a stack stays."
        )
    if index.size == 0:
        return np.empty(0, dtype=np.intp)
    if index.ndim != 1 or index.dtype.kind not in "iub":
        raise IndexError(
            f"{axis} index has shape {index.shape} and dtype {index.dtype}; expected integers or "
            "booleans in one dimension."
        )
    if index.dtype.kind == "b":
        if len(index) != size:
            raise IndexError(f"The {axis} mask has length {len(index)}; expected {size}.")
        return np.flatnonzero(index)
    outside = (index < -size) | (index >= size)
    if outside.any():
        raise IndexError(
            f"{axis} {index[outside][0]} is out of range; there are {size} {axis}s, counted from 0."
        )
    return np.where(index < 0, index + size, index).astype(np.intp)
