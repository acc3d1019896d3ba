"""What the solvers take and return."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from mkfusion._types import Floats, Indices
from mkfusion.solvers._rows import RowSource


class Stack(RowSource, Protocol):
    """What the solver asks of m symmetric kernels (n, n)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, n, n_kernels)``."""

    @property
    def in_memory(self) -> bool:
        """Whether rows cost no more than to be read."""

    def select(self, which: Indices) -> Stack:
        """Return some of the kernels."""

    def quadratic(self, beta: Floats) -> Floats:
        """Return ``sum_u beta_u' K_k beta_u`` (n_kernels,) for beta (u, n)."""

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        """Add ``K_k beta_u`` to ``out[u, k]`` (u, n_kernels, n) for some kernels."""

    def diagonal(self) -> Floats:
        """Return the diagonals (n_kernels, n)."""

    def take(self, rows: Indices | None, cols: Indices | None) -> Stack:
        """Return the same kernels between some of the samples."""

    def materialize(self) -> Stack:
        """Return the same kernels in memory."""


class MKLResult(NamedTuple):
    """What `solve_mkl` found.

    Attributes
    ----------
    weights : ndarray of shape (n_kernels,)
    beta : ndarray of shape (n_tasks, n)
        Signed dual variables.
    intercept : ndarray of shape (n_tasks,)
    primal, dual : float
        Objective values; the optimum lies between them.
    gap : float
        ``(primal - dual) / primal``.
    n_iter : int
        Choices of weights that were tried.
    converged : bool
    """

    weights: Floats
    beta: Floats
    intercept: Floats
    primal: float
    dual: float
    gap: float
    n_iter: int
    converged: bool
