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


class Features(Protocol):
    """Explicit features of n samples, of which the inner products are m kernels.

    Attributes
    ----------
    starts : ndarray of shape (m + 1,)
        Columns ``starts[k]:starts[k + 1]`` of all R features are those of kernel k.
    """

    starts: Indices

    def products(self, coefficients: Floats) -> Floats:
        """Return ``sum_k Z_k c_uk`` (u, n) for coefficients (u, R)."""

    def sums(self, beta: Floats, kernels: Indices | None = None) -> Floats:
        """Return ``beta_u' Z`` (u, R) for beta (u, n), zeros for kernels not asked for."""

    def gram(self, rows: Indices, price: Floats) -> tuple[Floats, Floats]:
        """Return the sums of ``price_i z_i z_i'`` and of ``price_i z_i`` over some samples."""

    def squares(self) -> Floats:
        """Return the squared lengths (m, n) of the features of every sample."""


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

    @property
    def features(self) -> Features | None:
        """What the kernels are inner products of, where that is known."""

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
