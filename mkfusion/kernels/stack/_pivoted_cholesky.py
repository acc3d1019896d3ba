"""Randomly pivoted Cholesky: a low-rank factor from a few columns of a kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mkfusion.kernels.stack._gram_checks import GRAM_RTOL, asymmetry
from mkfusion.kernels.stack._storage import IndexArray, Storage

__all__ = ["Factor", "pivoted_cholesky"]

Floats = NDArray[np.float64]

# Pivots that are proposed at a time: as many as there are already, within these limits.
_FEWEST, _MOST = 16, 256
# What is left of k(x, x) below this share of it, in roundings, is rounding.
_NOISE = 100.0


class Factor(NamedTuple):
    """A kernel is about ``Z Z'``, and differs from it by a positive semi-definite matrix.

    Attributes
    ----------
    pivots : ndarray of shape (rank,)
        Samples. Between them and all samples the approximation is exact.
    Z : ndarray of shape (n, rank)
        ``Z[pivots]`` is lower triangular.
    residual, trace : float
        Traces of the difference and of the kernel.
    """

    pivots: IndexArray
    Z: Floats
    residual: float
    trace: float


def pivoted_cholesky(
    storage: Storage, tol: float, rank: int, rng: np.random.RandomState, label: str
) -> Factor:
    """Factorise a kernel until the trace of what is left is at most `tol` times its own.

    The next pivot is a sample x drawn in proportion to what is left of k(x, x). Pivots are proposed
    many at a time, and each is accepted as far as the others before it have left its chance as it
    was: the outcome has the distribution of drawing them one by one, at the speed of blocks.

    Parameters
    ----------
    storage : Storage
        One kernel (n, n, 1) between training samples, of which the diagonal, rows of pivots, and
        blocks between proposed ones are asked for.
    tol : float
        Non-negative.
    rank : int
        Most pivots to take.
    rng : RandomState
    label : str
        What to call the kernel in messages.

    Returns
    -------
    Factor

    Raises
    ------
    ValueError
        If the kernel turns out not to be symmetric and positive semi-definite.

    References
    ----------
    Chen, Epperly, Tropp and Webber, "Randomly pivoted Cholesky", Communications on Pure and Applied
    Mathematics 78 (2025), algorithm 2.1. Epperly, Tropp and Webber, "Embrace rejection: kernel
    matrix approximation by accelerated randomly pivoted Cholesky", SIMAX 46 (2025), algorithm 2.2.
    """
    diagonal = storage.diagonal()[0]
    n = len(diagonal)
    rtol = GRAM_RTOL[storage.dtype] * float(diagonal.max(initial=0.0))
    _check_positive(diagonal, rtol, label)
    noise = _NOISE * float(np.finfo(storage.dtype).eps) * np.maximum(diagonal, 0.0)
    left = np.where(diagonal > noise, diagonal, 0.0)
    trace = residual = float(left.sum())
    Z = np.empty((n, min(rank, _FEWEST)))
    pivots = np.empty(0, dtype=np.intp)
    while residual > tol * trace and len(pivots) < rank:
        r = len(pivots)
        size = min(max(r, _FEWEST), _MOST)
        proposed = rng.choice(n, size=size, p=left / residual)
        block = storage.take(proposed, proposed).gram(0).astype(np.float64)
        _check_symmetric(block, proposed, rtol, label)
        block -= Z[proposed, :r] @ Z[proposed, :r].T
        chance = left[proposed] * rng.uniform(size=size)
        accepted, L = _accept(block, chance, noise[proposed])
        if len(accepted) == 0:  # all of it is rounding
            left[proposed] = 0.0
            residual = float(left.sum())
            continue
        accepted, L = accepted[: rank - r], L[: rank - r, : rank - r]
        new = proposed[accepted]
        rows = storage.take(new, None).gram(0).astype(np.float64)
        columns = solve_triangular(L, rows - Z[new, :r] @ Z[:, :r].T, lower=True).T
        # The trace falls with each pivot: those after the first that suffices are not taken.
        falls = np.cumsum(np.sum(columns * columns, axis=0))
        enough = int(np.searchsorted(falls, residual - tol * trace)) + 1
        columns, new = columns[:, :enough], new[:enough]
        Z = _append(Z, r, columns, rank)
        pivots = np.concatenate([pivots, new])
        left -= np.sum(columns * columns, axis=1)
        _check_positive(left, rtol, label)
        left[new] = 0.0
        left = np.where(left > noise, left, 0.0)
        residual = float(left.sum())
    return Factor(pivots, Z[:, : len(pivots)].copy(), residual, trace)


def _accept(block: Floats, chance: Floats, noise: Floats) -> tuple[IndexArray, Floats]:
    """Choose pivots one after the other, and factorise what is left between them.

    Parameters
    ----------
    block : ndarray of shape (size, size)
        What is left of the kernel between the proposed samples. Modified in place.
    chance : ndarray of shape (size,)
        A proposal is accepted if more than this is left of it.
    noise : ndarray of shape (size,)
        At most this is nothing.

    Returns
    -------
    accepted : ndarray of shape (a,)
    L : ndarray of shape (a, a)
        Their lower triangular factor.
    """
    accepted: list[int] = []
    L = np.zeros_like(block)
    for i in range(len(block)):
        if block[i, i] > max(chance[i], noise[i]):
            column = block[i:, i] / np.sqrt(block[i, i])
            block[i:, i:] -= np.outer(column, column)
            L[i:, len(accepted)] = column
            accepted.append(i)
    return np.array(accepted, dtype=np.intp), L[accepted, : len(accepted)]


def _append(Z: Floats, r: int, columns: Floats, rank: int) -> Floats:
    """Write columns behind the first r, into a larger array if need be."""
    stop = r + columns.shape[1]
    if stop > Z.shape[1]:
        larger = np.empty((len(Z), min(rank, max(stop, 2 * Z.shape[1]))))
        larger[:, :r] = Z[:, :r]
        Z = larger
    Z[:, r:stop] = columns
    return Z


def _check_positive(values: Floats, slack: float, label: str) -> None:
    i = int(np.argmin(values))
    if values[i] < -slack:
        raise ValueError(
            f"{label} is not positive semi-definite: {values[i]:.6g} is what is left of "
            f"k(x, x) at sample {i}; expected no negative number."
        )


def _check_symmetric(block: Floats, samples: IndexArray, slack: float, label: str) -> None:
    difference = np.abs(block - block.T)
    i, j = np.unravel_index(int(np.argmax(difference)), block.shape)
    if difference[i, j] > slack:
        raise asymmetry(label, samples[i], samples[j], block[i, j], block[j, i])
