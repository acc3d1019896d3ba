"""Is a matrix a Gram matrix? Finite, symmetric, positive semi-definite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh

from mkfusion._types import FloatArray, Indices, Mask, Stack
from mkfusion.stack import _dense
from mkfusion.stack._dense import check_finite
from mkfusion.stack._look import INDEFINITE, SEED, few_samples
from mkfusion.stack._memory import Matrices

# Symmetry is asked for up to this fraction of the largest diagonal entry, and the smallest
# eigenvalue may be negative by this fraction of the largest one: what rounding leaves of a
# kernel computed in that precision, and little enough to leave the training problem convex.
GRAM_RTOL = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 1e-4}

# A Cholesky factorisation costs n^3 / 3 operations. Kernels whose share of this budget (some tens
# of milliseconds, as much as a fit) does not suffice are tested on an evenly spaced principal block
# of at least this many samples: a negative eigenvalue of a block is one of the whole matrix
# (Cauchy's interlacing), though not the other way round.
PSD_FLOPS = 1e9
LEAST_BLOCK = 256

_POWER_ITERATIONS = 3

# A larger kernel that is not in memory is not brought there to be looked at, but seen by tiles of
# so many rows and columns.
_WHOLE_BYTES = 2**28
_TILE = 2048


def check_gram_kernels(stack: Stack, kernels: Indices, labels: Sequence[str]) -> None:
    """Refuse kernels that no positive semi-definite kernels can have produced.

    Parameters
    ----------
    stack : Stack of shape (n, n, m)
    kernels : ndarray of shape (s,)
        The kernels to look at. They share the budget of `check_gram_matrix`.
    labels : sequence of s str
        What to call them in messages.

    Raises
    ------
    ValueError
        As `check_gram_matrix` does.
    """
    for _, error in _errors(stack, kernels, labels):
        raise error


def sound_kernels(stack: Stack, kernels: Indices) -> Mask:
    """Return which (s,) of the kernels `check_gram_kernels` would let pass."""
    sound = np.ones(len(kernels), dtype=bool)
    for position, _ in _errors(stack, kernels, [""] * len(kernels)):
        sound[position] = False
    return sound


def look_at_matrices(matrices: Matrices, labels: Sequence[str]) -> None:
    """Refuse matrices in memory, whole ones, as far as reading every number once shows.

    Symmetry and finiteness are those of `check_gram_matrix`, definiteness is seen on a principal
    block of few samples drawn at random; whatever seems wrong is looked at more closely.

    Parameters
    ----------
    matrices : Matrices of shape (m, n, n)
    labels : sequence of m str
        What to call them in messages.

    Raises
    ------
    ValueError
        As `check_gram_matrix` does.
    """
    m, n, _ = matrices.shape
    samples = few_samples(n)
    rng = np.random.default_rng(SEED)
    v = rng.uniform(1.0, 2.0, size=n) * rng.choice([-1.0, 1.0], size=n)
    rtol = GRAM_RTOL[matrices.dtype]
    found = matrices.look(samples, v, rtol)
    for k in np.flatnonzero(found).tolist():
        gram = matrices.block(k, None, None)
        if found[k] == INDEFINITE:
            _check_definite(_principal_block(gram, samples), rtol, labels[k], True)
        check_gram_matrix(gram, labels[k], PSD_FLOPS / m)


def _errors(
    stack: Stack, kernels: Indices, labels: Sequence[str]
) -> Iterator[tuple[int, ValueError]]:
    """Yield where kernels that are refused stand, and why they are."""
    n = stack.shape[0]
    whole = stack.in_memory or n * n * stack.dtype.itemsize <= _WHOLE_BYTES
    budget = PSD_FLOPS / max(len(kernels), 1)
    for position, (k, label) in enumerate(zip(kernels, labels, strict=True)):
        try:
            if whole:
                check_gram_matrix(stack.gram(int(k)), label, budget)
            else:
                _check_by_tiles(stack.select(np.array([k])), label, budget)
        except ValueError as error:
            yield position, error


def check_gram_matrix(gram: FloatArray, label: str, budget: float = PSD_FLOPS) -> None:
    """Refuse a square matrix that no positive semi-definite kernel can have produced.

    Parameters
    ----------
    gram : ndarray of shape (n, n), float32 or float64
    label : str
        What to call it in messages.
    budget : float, default=PSD_FLOPS
        Floating-point operations to spend on definiteness.

    Raises
    ------
    ValueError
        With the first offending entry, or the smallest eigenvalue.
    """
    rtol = GRAM_RTOL[gram.dtype]
    status, _, i, j, value = _dense.gram_defects(gram[np.newaxis], rtol)
    if status == _dense.NOT_FINITE:
        check_finite(gram, label)
    if status == _dense.ASYMMETRIC:
        raise asymmetry(label, i, j, gram[i, j], gram[j, i])
    suspicious = status != _dense.FINE
    block = _samples(len(gram), budget, [i, j] if suspicious else [])
    _check_definite(_principal_block(gram, block), rtol, label, suspicious)


def _samples(n: int, budget: float, suspicious: list[int]) -> Indices:
    """Choose the samples between which definiteness is tested."""
    size = min(n, max(LEAST_BLOCK, int((3.0 * budget) ** (1 / 3))))
    return np.union1d(np.linspace(0, n - 1, size).astype(np.intp), np.array(suspicious, np.intp))


def _check_by_tiles(stack: Stack, label: str, budget: float) -> None:
    """Do as `check_gram_matrix` with a stack of one kernel, reading every number once."""
    n = stack.shape[0]
    rtol = GRAM_RTOL[stack.dtype]
    diagonal = stack.diagonal()[0]
    check_finite(diagonal[np.newaxis], f"The diagonal of {label}")
    slack = rtol * float(np.abs(diagonal).max())
    limit = diagonal + slack
    suspicious = [int(i) for i in np.flatnonzero(limit < 0.0)[:1]]
    tiles = [np.arange(first, min(first + _TILE, n)) for first in range(0, n, _TILE)]
    for a, rows in enumerate(tiles):
        for cols in tiles[a:]:
            tile = stack.block(0, rows, cols)
            other = tile if rows is cols else stack.block(0, cols, rows)
            for values in (tile, other):
                check_finite(values, f"A part of {label}")
            asymmetric = np.argwhere(np.abs(tile - other.T) > slack)
            if len(asymmetric):
                i, j = asymmetric[0]
                raise asymmetry(label, rows[i], cols[j], tile[i, j], other[j, i])
            # No negative 2x2 principal minor.
            bound = np.maximum(np.outer(limit[rows], limit[cols]), 0.0)
            minors = np.argwhere(np.square(tile, dtype=np.float64) > bound)
            if len(minors) and not suspicious:
                suspicious = [int(rows[minors[0, 0]]), int(cols[minors[0, 1]])]
    block = _samples(n, budget, suspicious)
    principal = stack.block(0, block, block).astype(np.float64)
    _check_definite(principal, rtol, label, bool(suspicious))


def asymmetry(label: str, i: int, j: int, value: float, mirrored: float) -> ValueError:
    """Return the error for entries (i, j) and (j, i) that differ."""
    return ValueError(
        f"{label} is not symmetric: entry ({i}, {j}) is {value:.6g}, entry ({j}, {i}) is "
        f"{mirrored:.6g}; expected the Gram matrix of the training samples with themselves."
    )


def _principal_block(gram: FloatArray, block: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return a float64 copy that may be overwritten."""
    if len(block) == len(gram):
        return gram.astype(np.float64)
    return gram[np.ix_(block, block)].astype(np.float64, copy=False)


def _check_definite(block: NDArray[np.float64], rtol: float, label: str, suspicious: bool) -> None:
    """Refuse a block whose smallest eigenvalue is below -rtol times the largest. Modifies it."""
    largest = _largest_eigenvalue_bound(block)
    diagonal = np.einsum("ii->i", block)
    if not suspicious:
        # K + shift I has a Cholesky factor exactly if no eigenvalue of K is below -shift, and
        # costs a tenth of the eigenvalues. The smallest float lets a matrix of zeros pass.
        diagonal += rtol * largest + np.finfo(np.float64).tiny
        try:
            cholesky(block, lower=True, check_finite=False)
            return
        except LinAlgError:
            diagonal -= rtol * largest
    smallest = eigh(block, eigvals_only=True, subset_by_index=[0, 0], check_finite=False)[0]
    if smallest < -rtol * largest:
        raise ValueError(
            f"{label} is not positive semi-definite: its smallest eigenvalue is {smallest:.6g} "
            f"(the largest is about {largest:.6g}); expected no eigenvalue below "
            f"{-rtol * largest:.3g}. Clip its negative eigenvalues to 0, add {-smallest:.3g} to "
            "its diagonal, or use a positive semi-definite kernel."
        )


def _largest_eigenvalue_bound(block: NDArray[np.float64]) -> float:
    """Bound the largest eigenvalue from below by a few power iterations.

    They start at the unit vector of the largest diagonal entry, whose Rayleigh quotient is that
    entry, so that the bound is never smaller than it.
    """
    best = float(np.max(np.diagonal(block)))
    vector = block[np.argmax(np.diagonal(block))]
    for _ in range(_POWER_ITERATIONS):
        norm = np.linalg.norm(vector)
        if norm == 0.0:
            break
        vector = vector / norm
        product = block @ vector
        best = max(best, float(vector @ product))
        vector = product
    return max(best, 0.0)
