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

from mkfusion._types import Floats, Indices, Mask
from mkfusion.stack._dense import Layout, row_of

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

FINE, DEFECTIVE, INDEFINITE = range(3)

# A quick look is at so many samples, always the same ones. Kernels that are indefinite by their
# nature (sigmoid, Gaussians of squared city-block distances or of time warping, thresholded
# correlations) are so between these too.
_FEW_SAMPLES, SEED = 96, 0
# So many of them must there be for `shares`.
_LEAST_SHARED = 4
# 1 - k(x, z) / k(x, x) on average: below it, similarities are equal in four digits, 1.0000, and a
# kernel machine with C = 1 needs more than ten thousand samples to reach its margin.
VANISHING = 5e-5
# The share of a multiple of the identity in a centred kernel's squared norm, from where on it is
# suspicious. Kernels of texts and strings reach 0.8 and are useful: these are told from noise by
# the target.
SUSPICIOUS = 0.5
_TINY = float(np.finfo(float).tiny)
# So many times further away from these no fold has a kernel beyond them.
_FAR = 2.0


def few_samples(n: int) -> Indices:
    """Return the samples (b,) between which kernels between n samples are looked at quickly."""
    rng = np.random.default_rng(SEED)
    return np.sort(rng.permutation(n)[:_FEW_SAMPLES])


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
def has_cholesky_factor(A: Floats) -> bool:
    """Whether a symmetric matrix is positive definite. Overwrites its lower triangle."""
    b = A.shape[0]
    # Two columns and four rows at a time: every number that is loaded is multiplied twice or four
    # times, which halves the time of small matrices.
    for j in range(0, b - 1, 2):
        p, q = A[j], A[j + 1]
        pp, pq, qq = 0.0, 0.0, 0.0
        for k in range(j):
            pp += p[k] * p[k]
            pq += p[k] * q[k]
            qq += q[k] * q[k]
        pivot = p[j] - pp
        if not pivot > 0.0:
            return False
        f = 1.0 / np.sqrt(pivot)
        q[j] = (q[j] - pq) * f
        pivot = q[j + 1] - qq - q[j] * q[j]
        if not pivot > 0.0:
            return False
        g = 1.0 / np.sqrt(pivot)
        for i in range(j + 2, b - 3, 4):
            r0, r1, r2, r3 = A[i], A[i + 1], A[i + 2], A[i + 3]
            p0, p1, p2, p3 = 0.0, 0.0, 0.0, 0.0
            q0, q1, q2, q3 = 0.0, 0.0, 0.0, 0.0
            for k in range(j):
                pk, qk = p[k], q[k]
                p0 += r0[k] * pk
                q0 += r0[k] * qk
                p1 += r1[k] * pk
                q1 += r1[k] * qk
                p2 += r2[k] * pk
                q2 += r2[k] * qk
                p3 += r3[k] * pk
                q3 += r3[k] * qk
            _keep_factor(r0, j, p0, q0, f, g, q[j])
            _keep_factor(r1, j, p1, q1, f, g, q[j])
            _keep_factor(r2, j, p2, q2, f, g, q[j])
            _keep_factor(r3, j, p3, q3, f, g, q[j])
        for i in range(b - (b - j - 2) % 4, b):
            row, p0, q0 = A[i], 0.0, 0.0
            for k in range(j):
                p0 += row[k] * p[k]
                q0 += row[k] * q[k]
            _keep_factor(row, j, p0, q0, f, g, q[j])
    last = A[b - 1]
    if b % 2:
        pivot = last[b - 1]
        for k in range(b - 1):
            pivot -= last[k] * last[k]
        return pivot > 0.0
    return True


@njit(**_JIT, fastmath={"contract", "reassoc"})
def _keep_factor(
    row: Floats, j: int, by_p: float, by_q: float, f: float, g: float, pq: float
) -> None:
    """Write a row of the factor in columns j and j + 1, whose pivots are 1 / f and 1 / g."""
    row[j] = (row[j] - by_p) * f
    row[j + 1] = (row[j + 1] - by_q - row[j] * pq) * g


@njit(**_JIT)
def _take_triangle(K: Layout, k: int, rows: Indices, cols: Indices, out: Floats) -> None:
    """Write the lower triangle of a block of matrix k, where rows and columns are the same."""
    for i in range(rows.size):
        row, target = row_of(K, k, rows[i]), out[i]
        for j in range(i + 1):
            target[j] = row[cols[j]]


@njit(**_JIT)
def look(
    K: Layout,
    kernels: Indices,
    samples: Indices,
    v: Floats,
    rtol: float,
    found: Indices,
    seen: Floats,
) -> None:
    """Write into ``found[s]`` what matrix ``kernels[s]`` seems to be, and its `shares`.

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
    seen : ndarray of shape (s, 2)
        The `shares`, where there is a block to tell them. Modified in place.
    """
    work = np.empty((3, K[3]))
    block = np.empty((samples.size, samples.size))
    for s in range(kernels.size):
        found[s] = FINE
        if _defective(K, kernels[s], v, rtol, work):
            found[s] = DEFECTIVE
            continue
        _take_triangle(K, kernels[s], samples, samples, block)
        if samples.size >= _LEAST_SHARED:
            seen[s] = shares(block, v.size)
        largest = 0.0
        for i in range(samples.size):
            largest = max(largest, block[i, i])
        # As much as all are allowed to be negative; the smallest float lets zeros pass.
        for i in range(samples.size):
            block[i, i] += rtol * largest + np.finfo(np.float64).tiny
        if not has_cholesky_factor(block):
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


def near_degenerate(seen: Floats) -> Mask:
    """Return which kernels (m,) are degenerate, or near it, given their `shares` (m, 2)."""
    far = (seen[:, 0] >= _FAR * VANISHING) & (seen[:, 1] <= SUSPICIOUS / _FAR)
    return ~far


def shares_of_fewer(seen: Floats, n: int, fewer: int) -> Floats:
    """Return the `shares` (m, 2) of the same kernels between fewer of n samples."""
    varying, own = seen.T
    others = (1.0 - own) * ((fewer - 1) / (n - 1))
    return np.column_stack([varying, own / np.maximum(own + others, _TINY)])


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
