"""What a :class:`~mkfusion.KernelStack` is given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion.kernels.stack._indexing import as_index
from mkfusion.kernels.stack._storage import IndexArray

__all__ = ["check_names", "check_vector", "complete_names", "kernel_indices"]


def kernel_indices(which: Any, names: Sequence[str]) -> IndexArray:
    """Return the indices (s,) of the kernels that are asked for by index or name."""
    n_kernels = len(names)
    if isinstance(which, str | int | np.integer):
        which = [which]
    if not isinstance(which, slice):
        which = list(which)
        if any(isinstance(k, str) for k in which):
            which = [names.index(k) if k in names else k for k in which]
            unknown = [k for k in which if isinstance(k, str)]
            if unknown:
                raise ValueError(
                    f"which names unknown kernels {unknown}; this stack has {list(names)}."
                )
    indices = as_index(which, n_kernels, "kernel")
    if indices is None:
        return np.arange(n_kernels)
    if len(indices) == 0:
        raise ValueError("which selects no kernel; expected at least one.")
    if len(np.unique(indices)) < len(indices):
        raise ValueError(f"which asks for a kernel twice: {indices.tolist()}.")
    return indices


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
        raise ValueError(f"names contains {repeated} more than once; expected unique names.")
    return [str(name) for name in checked]


def complete_names(names: list[str] | None, n_kernels: int, argument: str) -> list[str]:
    """Return one name for each kernel of an argument: the given ones, or numbers."""
    if names is not None and len(names) != n_kernels:
        raise ValueError(
            f"names has {len(names)} entries; expected one for each of the {n_kernels} kernels of "
            f"{argument}."
        )
    return names or [f"kernel{k}" for k in range(n_kernels)]


def check_vector(values: ArrayLike, size: int, name: str, meaning: str) -> NDArray[np.float64]:
    """Return finite numbers (size,)."""
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} is not a vector of numbers: {error}") from error
    if vector.shape != (size,):
        raise ValueError(f"{name} has shape {vector.shape}; expected ({size},), {meaning}.")
    if not np.isfinite(vector).all():
        raise ValueError(
            f"{name} contains {vector[~np.isfinite(vector)][0]}; expected finite numbers."
        )
    return vector
