"""What a :class:`~mkfusion.KernelStack` asks of whatever holds its kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mkfusion.kernels.stack._dense_storage import DenseStorage

__all__ = ["FloatArray", "IndexArray", "Storage", "as_vectors"]

# float32 or float64 values; what is computed from a stack is always float64
FloatArray: TypeAlias = NDArray[np.floating[Any]]
IndexArray: TypeAlias = NDArray[np.intp]


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

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> Storage:
        """Restrict to some rows (r,) and columns (c,); None means all."""
        ...

    def select(self, which: IndexArray) -> Storage:
        """Restrict to some kernels (s,)."""
        ...

    def combine(
        self,
        weights: NDArray[np.float64],
        rows: IndexArray | None = None,
        out: NDArray[np.float64] | None = None,
        *,
        cols: IndexArray | None = None,
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
        kernels: IndexArray | None = None,
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
