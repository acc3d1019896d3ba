"""What a :class:`~mkfusion.KernelStack` is given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion._types import FloatArray, Indices

if TYPE_CHECKING:
    from mkfusion.stack._dense import DenseStorage


def as_vectors(beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one vector (n,) or several (u, n) as an array (u, n)."""
    return beta[np.newaxis] if beta.ndim == 1 else beta


class Storage(Protocol):
    """m aligned kernels between row samples and column samples.

    The arguments have been checked by :class:`~mkfusion.KernelStack`: a storage trusts index
    arrays to be in range and vectors to have the right length.

    Attributes
    ----------
    shape : tuple of int
        ``(n_rows, n_cols, n_kernels)``.
    dtype : numpy.dtype
        ``float32`` or ``float64``: what the kernels' values are, or would be, stored in.
    place : str
        Where the kernels are, for people.
    in_memory : bool
        Whether they are all there.
    """

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def place(self) -> str: ...

    @property
    def in_memory(self) -> bool: ...

    def take(self, rows: Indices | None, cols: Indices | None) -> Storage:
        """Restrict to some rows (r,) and columns (c,); None means all."""
        ...

    def select(self, which: Indices) -> Storage:
        """Restrict to some kernels (s,)."""
        ...

    def combine(
        self,
        weights: NDArray[np.float64],
        rows: Indices | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        cols: Indices | None = None,
    ) -> NDArray[np.float64]:
        """Return sum_k w_k K_k[rows, cols], (r, c); kernels of weight 0 are not touched.

        It is written into `out` (r, c), if given.
        """
        ...

    def dot(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (K_k beta)_k, (m, n_rows) or (u, m, n_rows) for beta (n_cols,) or (u, n_cols).

        Columns where every beta is 0 are not touched.
        """
        ...

    def add_dot(
        self,
        beta: NDArray[np.float64],
        out: NDArray[np.float64],
        kernels: Indices | None = None,
    ) -> None:
        """Add ``K_k beta_u`` to ``out[u, k]``, for some of the kernels, known to be symmetric.

        beta is (u, n), out (u, m, n). Rows may be read for columns: those where every beta is 0
        are not touched.
        """
        ...

    def quadratic(self, beta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``sum_u beta_u' K_k beta_u`` (m,) of square kernels, for beta (u, n).

        Rows and columns where every beta is 0 are not touched.
        """
        ...

    def diagonal(self) -> NDArray[np.float64]:
        """Return the diagonals (m, n) of square kernels."""
        ...

    def gram(self, k: int) -> FloatArray:
        """Return kernel k, (n_rows, n_cols)."""
        ...

    def materialize(self) -> DenseStorage:
        """Return the same kernels in memory."""
        ...


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


def kernel_indices(which: Any, names: Sequence[str]) -> Indices:
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
