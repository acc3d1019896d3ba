"""What arrays and stacks of kernels are called in annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
# float32 or float64: what kernels are stored in; what is computed from them is always float64
FloatArray: TypeAlias = NDArray[np.floating[Any]]
Indices: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]


class Stack(Protocol):
    """m aligned kernels, as far as solvers and others that may not see `KernelStack` ask for them.

    Each member is documented in :class:`~mkfusion.KernelStack`, which has them all.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n_rows, n_cols, n_kernels)``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """``float32`` or ``float64``."""

    @property
    def in_memory(self) -> bool:
        """Whether rows cost no more than to be read."""

    def take(self, rows: Indices | None = None, cols: Indices | None = None) -> Stack:
        """Return the same kernels between some of the samples."""

    def select(self, which: Indices) -> Stack:
        """Return some of the kernels."""

    def materialize(self) -> Stack:
        """Return the same kernels in memory."""

    def gram(self, which: int) -> FloatArray:
        """Return one kernel (n_rows, n_cols)."""

    def diagonal(self) -> Floats:
        """Return the diagonals (n_kernels, n) of square kernels."""

    def combine(self, weights: Floats) -> Floats:
        """Return ``sum_k weights_k K_k``."""

    def quadratic(self, beta: Floats) -> Floats:
        """Return ``sum_u beta_u' K_k beta_u`` (n_kernels,) for beta (u, n)."""

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return kernel k between some rows and columns."""

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        """Write ``sum_k weights_k K_k[rows, cols]`` into `out`."""

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        """Add ``K_k beta_u`` to ``out[u, k]`` for some of the kernels, which are symmetric."""

    def combine_several(
        self, weights: Floats, rows: Sequence[Indices], out: Sequence[Floats]
    ) -> None:
        """Do several `combine_into` at once."""

    def add_dot_several(
        self, beta: Sequence[Floats], out: Sequence[Floats], kernels: Sequence[Indices]
    ) -> None:
        """Do several `add_dot` at once."""
