"""Numba passes over kernel-major stacks of Gram matrices.

Memory traffic over the stack is the budget of multiple kernel learning, so every function here
reads each number it needs once, along rows, and allocates nothing. All of them release the GIL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mkfusion.kernels._storage import FloatArray, IndexArray

Floats = NDArray[np.float64]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_BLOCK = 64

FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL, NEGATIVE_MINOR = range(5)


@njit(**_JIT, fastmath={"contract"})
def combine_rows(K: FloatArray, weights: Floats, rows: IndexArray, out: Floats) -> None:
    """Write ``out[r] = sum_k weights[k] * K[k, rows[r]]``; kernels of weight 0 are not read.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    weights : ndarray of shape (n_kernels,)
    rows : ndarray of shape (r,), integer
    out : ndarray of shape (r, n_cols), float64
        Modified in place.
    """
    used = np.flatnonzero(weights)
    m = used.size
    n = K.shape[2]
    for r in range(rows.size):
        i = rows[r]
        acc = out[r]
        acc[:] = 0.0
        # Four kernels at a time: the accumulator is loaded and stored a quarter as often.
        for s in range(0, m - 3, 4):
            w0, w1 = weights[used[s]], weights[used[s + 1]]
            w2, w3 = weights[used[s + 2]], weights[used[s + 3]]
            k0, k1 = K[used[s], i], K[used[s + 1], i]
            k2, k3 = K[used[s + 2], i], K[used[s + 3], i]
            for j in range(n):
                acc[j] += w0 * k0[j] + w1 * k1[j] + w2 * k2[j] + w3 * k3[j]
        for s in range(m - m % 4, m):
            w0 = weights[used[s]]
            k0 = K[used[s], i]
            for j in range(n):
                acc[j] += w0 * k0[j]


@njit(**_JIT, fastmath={"contract"})
def dot_rows(K: FloatArray, beta: Floats, rows: IndexArray, out: Floats) -> None:
    """Add ``sum_{i in rows} beta[u, i] * K[k, i]`` to ``out[u, k]``, for symmetric kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
        Symmetric Gram matrices, read along rows.
    beta : ndarray of shape (u, n), float64
    rows : ndarray of shape (r,), integer
        Where some ``beta[:, i]`` differs from 0.
    out : ndarray of shape (u, n_kernels, n), float64
        Modified in place.
    """
    m, _, n = K.shape
    r = rows.size
    for k in range(m):
        for s in range(0, r - 3, 4):
            i0, i1, i2, i3 = rows[s], rows[s + 1], rows[s + 2], rows[s + 3]
            k0, k1, k2, k3 = K[k, i0], K[k, i1], K[k, i2], K[k, i3]
            for u in range(beta.shape[0]):
                b0, b1, b2, b3 = beta[u, i0], beta[u, i1], beta[u, i2], beta[u, i3]
                acc = out[u, k]
                for j in range(n):
                    acc[j] += b0 * k0[j] + b1 * k1[j] + b2 * k2[j] + b3 * k3[j]
        for s in range(r - r % 4, r):
            i0 = rows[s]
            k0 = K[k, i0]
            for u in range(beta.shape[0]):
                b0 = beta[u, i0]
                acc = out[u, k]
                for j in range(n):
                    acc[j] += b0 * k0[j]


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dot_columns(K: FloatArray, beta: Floats, cols: IndexArray, out: Floats) -> None:
    """Write ``out[u, k, i] = sum_{j in cols} beta[u, j] * K[k, i, j]``, for rectangular kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    beta : ndarray of shape (u, n_cols), float64
    cols : ndarray of shape (c,), integer
        Where some ``beta[:, j]`` differs from 0.
    out : ndarray of shape (u, n_kernels, n_rows), float64
        Modified in place.
    """
    m, n_rows, _ = K.shape
    for k in range(m):
        for i in range(n_rows):
            row = K[k, i]
            for u in range(beta.shape[0]):
                total = 0.0
                for s in range(cols.size):
                    total += beta[u, cols[s]] * row[cols[s]]
                out[u, k, i] = total


@njit(**_JIT)
def gram_defects(K: FloatArray, rtol: float) -> tuple[int, int, int, int, float]:
    """Find the first reason why some ``K[k]`` cannot be a Gram matrix, in one pass.

    A positive semi-definite matrix has no negative 2x2 principal minor: ``K_ij**2 <= K_ii * K_jj``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
    rtol : float
        Tolerance relative to the largest absolute diagonal entry of the kernel.

    Returns
    -------
    status, k, i, j, value : tuple
        `status` is FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL or NEGATIVE_MINOR; `value` is
        the offending number (the difference ``K_ij - K_ji`` for ASYMMETRIC).
    """
    m, n, _ = K.shape
    for k in range(m):
        Kk = K[k]
        scale = 0.0
        for i in range(n):
            if not np.isfinite(Kk[i, i]):
                return NOT_FINITE, k, i, i, np.float64(Kk[i, i])
            scale = max(scale, abs(np.float64(Kk[i, i])))
        for i in range(n):
            if Kk[i, i] < -rtol * scale:
                return NEGATIVE_DIAGONAL, k, i, i, np.float64(Kk[i, i])
        slack = rtol * scale
        for i0 in range(0, n, _BLOCK):
            i1 = min(i0 + _BLOCK, n)
            for j0 in range(i0, n, _BLOCK):
                j1 = min(j0 + _BLOCK, n)
                # Tiles keep both triangles in cache; only a tile with a defect is searched.
                bad = False
                for i in range(i0, i1):
                    kii = np.float64(Kk[i, i]) + slack
                    for j in range(max(j0, i + 1), j1):
                        a = np.float64(Kk[i, j])
                        b = np.float64(Kk[j, i])
                        ok = abs(a - b) <= slack and a * a <= kii * (np.float64(Kk[j, j]) + slack)
                        bad |= not ok
                if bad:
                    for i in range(i0, i1):
                        kii = np.float64(Kk[i, i]) + slack
                        for j in range(max(j0, i + 1), j1):
                            a = np.float64(Kk[i, j])
                            b = np.float64(Kk[j, i])
                            if not np.isfinite(a):
                                return NOT_FINITE, k, i, j, a
                            if not np.isfinite(b):
                                return NOT_FINITE, k, j, i, b
                            if abs(a - b) > slack:
                                return ASYMMETRIC, k, i, j, a - b
                            if a * a > kii * (np.float64(Kk[j, j]) + slack):
                                return NEGATIVE_MINOR, k, i, j, a
    return FINE, -1, -1, -1, 0.0
