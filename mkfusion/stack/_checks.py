"""What the methods of a :class:`~mkfusion.KernelStack` are given, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion._messages import shown
from mkfusion._types import Floats, Indices

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


def as_index(key: Any, size: int, axis: str) -> Indices | None:
    """Return non-negative indices (r,), or None for everything."""
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        return None if (start, stop, step) == (0, size, 1) else np.arange(start, stop, step)
    index = np.asarray(key)
    if index.ndim == 0:
        raise IndexError(
            f"A single {axis} is asked for as a list: [{shown(key)}], so that a stack stays."
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


def kernel_indices(which: Any, names: Sequence[str], argument: str = "which") -> Indices:
    """Return the indices (s,) of the kernels that an argument asks for by index or name."""
    n_kernels = len(names)
    if isinstance(which, str | int | np.integer):
        which = [which]
    if isinstance(which, np.ndarray) and which.dtype.kind in "iub":
        pass  # indices or a mask, maybe very many: nothing to look up
    elif not isinstance(which, slice):
        if not isinstance(which, Iterable):
            raise TypeError(
                f"{argument} is {shown(which)}; expected names or indices of kernels, or a mask."
            )
        which = list(which)
        if any(isinstance(k, str) for k in which):
            which = [names.index(k) if k in names else k for k in which]
            unknown = [k for k in which if isinstance(k, str)]
            if unknown:
                raise ValueError(
                    f"{argument} names unknown kernels {shown(unknown)}; this stack has "
                    f"{list(names)}."
                )
    indices = as_index(which, n_kernels, "kernel")
    if indices is None:
        return np.arange(n_kernels)
    if len(indices) == 0:
        raise ValueError(f"{argument} selects no kernel; expected at least one.")
    if len(np.unique(indices)) < len(indices):
        raise ValueError(f"{argument} asks for a kernel twice: {indices.tolist()}.")
    return indices


def check_one_kernel(which: Any) -> None:
    """Refuse what does not ask for one kernel by its index or name."""
    if not isinstance(which, int | np.integer | str):
        raise TypeError(f"which is {shown(which)}; expected the index or the name of one kernel.")


def check_names(names: Sequence[str]) -> list[str]:
    """Return unique names as a list."""
    if isinstance(names, str):
        raise TypeError(f"names is the string {names!r}; expected a list of strings.")
    checked = list(names)
    for name in checked:
        if not isinstance(name, str):
            raise TypeError(f"names contains {name!r}; expected strings.")
    repeated = sorted({name for name in checked if checked.count(name) > 1})
    if repeated:
        raise ValueError(f"names contains {shown(repeated)} more than once; expected unique names.")
    return [str(name) for name in checked]


def complete_names(names: list[str] | None, n_kernels: int, argument: str) -> list[str]:
    """Return one name for each kernel of an argument: the given ones, or numbers."""
    if names is not None and len(names) != n_kernels:
        raise ValueError(
            f"names has {len(names)} entries; expected one for each of the {n_kernels} kernels of "
            f"{argument}."
        )
    return names or [f"kernel{k}" for k in range(n_kernels)]


def check_vectors(
    values: ArrayLike, size: int, name: str, meaning: str, *, axes: tuple[int, ...] = (1, 2)
) -> Floats:
    """Return finite numbers (size,), or several such vectors (u, size)."""
    try:
        vectors = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} is not a vector of numbers: {error}") from error
    if vectors.ndim not in axes or vectors.shape[-1] != size:
        raise ValueError(f"{name} has shape {vectors.shape}; expected ({size},), {meaning}.")
    finite = np.isfinite(vectors)
    if not finite.all():
        raise ValueError(f"{name} contains {vectors[~finite][0]}; expected finite numbers.")
    return vectors
