"""A look at Gram matrices in memory that costs no more than to read them once.

Every number is read, once: a matrix K is multiplied by a vector v from both sides. A number that
is not finite makes some sum not finite. Where K is symmetric up to rounding, K v and v' K agree; as
no entry of v is smaller than 1, a single entry that differs from its mirror image by more than is
allowed makes them differ by more, and several of them do unless they cancel for a v that was drawn
at random. By Cauchy and Schwarz, sums of squares along rows are bounded by the diagonal. Whether
eigenvalues are negative is seen on a principal block of few samples, also drawn at random. What
seems wrong is for others to judge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices
from mkfusion.stack._dense import Layout, row_of

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

FINE, DEFECTIVE, INDEFINITE = range(3)


@njit(**_JIT, fastmath={"contract", "reassoc"})
def _defective(K: Layout, k: int, v: Floats, rtol: float, work: Floats) -> bool:
    """Whether matrix k seems not finite, not symmetric, or larger than its diagonal allows."""
    n = K[3]
    right, left, squares = work[0], work[1], work[2]
    left[:] = 0.0
    scale, trace = 0.0, 0.0
    for i in range(n):
        row, vi = row_of(K, k, i), v[i]
        total, square = 0.0, 0.0
        for j in range(n):
            x = np.float64(row[j])
            total += x * v[j]
            square += x * x
            left[j] += vi * x
        right[i], squares[i] = total, square
        kii = np.float64(row[i])
        trace += kii
        scale = max(scale, abs(kii))
    slack = rtol * scale
    good = 0
    for i in range(n):
        kii = np.float64(row_of(K, k, i)[i])
        # NaN is neither large nor small.
        fine = (abs(right[i] - left[i]) <= slack) & (kii >= -slack)
        fine &= squares[i] <= (kii + slack) * (trace + n * slack)
        good += 1 if fine else 0
    return good < n


@njit(**_JIT, fastmath={"contract", "reassoc"})
def _has_cholesky_factor(A: Floats) -> bool:
    """Whether a symmetric matrix is positive definite. Overwrites its lower triangle."""
    for j in range(A.shape[0]):
        row = A[j]
        for i in range(j, A.shape[0]):
            other, total = A[i], 0.0
            for k in range(j):
                total += other[k] * row[k]
            other[j] -= total
        if not row[j] > 0.0:
            return False
        factor = 1.0 / np.sqrt(row[j])
        for i in range(j, A.shape[0]):
            A[i, j] *= factor
    return True


@njit(**_JIT)
def _take_triangle(K: Layout, k: int, rows: Indices, cols: Indices, out: Floats) -> None:
    """Write the lower triangle of a block of matrix k, where rows and columns are the same."""
    for i in range(rows.size):
        row, target = row_of(K, k, rows[i]), out[i]
        for j in range(i + 1):
            target[j] = row[cols[j]]


@njit(**_JIT)
def look(
    K: Layout, kernels: Indices, samples: Indices, v: Floats, rtol: float, found: Indices
) -> None:
    """Write into ``found[s]`` what matrix ``kernels[s]`` seems to be.

    Parameters
    ----------
    K : Layout
        Of matrices (n, n).
    kernels : ndarray of shape (s,), integer
    samples : ndarray of shape (b,), integer
        The principal block that must be positive semi-definite.
    v : ndarray of shape (n,)
        None of its entries is smaller than 1 in size.
    rtol : float
        Tolerance relative to the largest entry on the diagonal.
    found : ndarray of shape (s,), integer
        FINE, DEFECTIVE or INDEFINITE. Modified in place.
    """
    work = np.empty((3, K[3]))
    block = np.empty((samples.size, samples.size))
    for s in range(kernels.size):
        found[s] = FINE
        if _defective(K, kernels[s], v, rtol, work):
            found[s] = DEFECTIVE
            continue
        _take_triangle(K, kernels[s], samples, samples, block)
        largest = 0.0
        for i in range(samples.size):
            largest = max(largest, block[i, i])
        # As much as all are allowed to be negative; the smallest float lets zeros pass.
        for i in range(samples.size):
            block[i, i] += rtol * largest + np.finfo(np.float64).tiny
        if not _has_cholesky_factor(block):
            found[s] = INDEFINITE


@njit(**_JIT, fastmath={"contract", "reassoc"})
def shares(block: Floats, n: int) -> tuple[float, float]:
    """Return how much of a kernel differs between samples, and how much of that is their own.

    Parameters
    ----------
    block : ndarray of shape (b, b), float64
        Between some of n samples, at least 4. Its lower triangle is read.
    n : int

    Returns
    -------
    varying : float
        The mean of k(x, x) - k(x, z) between different samples, which is what centring leaves of
        the diagonal, divided by the mean of the diagonal. 1 for a kernel of zeros.
    own : float
        The share of the identity in the squared norm of the centred kernel between all n samples,
        c^2 / (c^2 + (n - 1) r^2) where the diagonal has the mean c, and r^2 is the mean square off
        the diagonal of the U-centred kernel.
    """
    b = block.shape[0]
    scale, middle = 0.0, 0.0
    for i in range(b):
        scale += abs(block[i, i]) / b
        middle += block[i, i] / b
    if scale == 0.0:
        return 1.0, 0.0
    means = np.zeros(b)
    for i in range(b):
        row, total = block[i], 0.0
        for j in range(i):
            total += row[j]
            means[j] += row[j]
        means[i] += total
    everything = means.sum()
    for i in range(b):
        means[i] = means[i] / (b - 2) - everything / (2 * (b - 1) * (b - 2))
    squares = 0.0
    for i in range(b):
        row = block[i]
        for j in range(i):
            shared = row[j] - means[i] - means[j]
            squares += shared * shared
    c = (middle - everything / (b * (b - 1))) / scale
    r2 = 2.0 * squares / (scale * scale) / (b * (b - 3))
    return c, c * c / (c * c + (n - 1) * r2) if c > 0.0 else 0.0


@njit(**_JIT)
def look_at_shares(
    K: Layout, kernels: Indices, rows: Indices, cols: Indices, n: int, out: Floats
) -> None:
    """Write into ``out[s]`` the `shares` of matrix ``kernels[s]``.

    Parameters
    ----------
    K : Layout
    kernels : ndarray of shape (s,), integer
    rows, cols : ndarray of shape (b,), integer
        The same samples, at least 4 of n.
    n : int
    out : ndarray of shape (s, 2)
        Modified in place.
    """
    block = np.empty((rows.size, rows.size))
    for s in range(kernels.size):
        _take_triangle(K, kernels[s], rows, cols, block)
        out[s] = shares(block, n)
