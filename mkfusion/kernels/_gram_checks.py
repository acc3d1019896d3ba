"""Is a matrix a Gram matrix? Finite, symmetric, positive semi-definite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh

from mkfusion.kernels._dense_storage import check_finite
from mkfusion.kernels._storage import FloatArray

__all__ = ["GRAM_RTOL", "check_gram_matrix"]

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
    from mkfusion.kernels import _dense

    rtol = GRAM_RTOL[gram.dtype]
    status, _, i, j, value = _dense.gram_defects(gram[np.newaxis], rtol)
    if status == _dense.NOT_FINITE:
        check_finite(gram, label)
    if status == _dense.ASYMMETRIC:
        raise ValueError(
            f"{label} is not symmetric: entry ({i}, {j}) is {gram[i, j]:.6g}, entry ({j}, {i}) is "
            f"{gram[j, i]:.6g}; expected the Gram matrix of the training samples with themselves."
        )
    n = len(gram)
    size = min(n, max(LEAST_BLOCK, int((3.0 * budget) ** (1 / 3))))
    block = np.unique(np.linspace(0, n - 1, size).astype(np.intp))
    suspicious = status != _dense.FINE
    if suspicious:
        block = np.union1d(block, [i, j])
    _check_definite(_principal_block(gram, block), rtol, label, suspicious)


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
