"""Numba passes over kernel-major stacks of Gram matrices.

Memory traffic over the stack is the budget of multiple kernel learning, so every function here
reads each number it needs once, along rows, and allocates nothing. All of them release the GIL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mkfusion.kernels.stack._storage import FloatArray, IndexArray

Floats = NDArray[np.float64]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_BLOCK = 64
# Numbers that fit in a core's own cache beside what streams through it.
_CACHED = 2**15

FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL, NEGATIVE_MINOR = range(5)


@njit(**_JIT, fastmath={"contract"})
def combine_rows(
    K: FloatArray, weights: Floats, kernels: IndexArray, rows: IndexArray, out: Floats
) -> None:
    """Write ``out[r] = sum_{k in kernels} weights[k] * K[k, rows[r]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    weights : ndarray of shape (n_kernels,), float64
    kernels : ndarray of shape (s,), integer
        The kernels to read.
    rows : ndarray of shape (r,), integer
        Fastest in ascending order.
    out : ndarray of shape (r, n_cols), float64
        Modified in place.
    """
    m = kernels.size
    n = K.shape[2]
    # Several rows of a kernel in turn, as long as their sums stay in the cache.
    batch = max(1, _CACHED // max(n, 1))
    for start in range(0, rows.size, batch):
        stop = min(start + batch, rows.size)
        out[start:stop] = 0.0
        # Four kernels at a time: the sums are loaded and stored a quarter as often.
        for s in range(0, m - 3, 4):
            a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
            wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
            for r in range(start, stop):
                i = rows[r]
                acc = out[r]
                ka, kb, kc, kd = K[a, i], K[b, i], K[c, i], K[d, i]
                for j in range(n):
                    acc[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
        for s in range(m - m % 4, m):
            w = weights[kernels[s]]
            for r in range(start, stop):
                acc = out[r]
                row = K[kernels[s], rows[r]]
                for j in range(n):
                    acc[j] += w * row[j]


@njit(**_JIT, fastmath={"contract"})
def combine_block(
    K: FloatArray,
    weights: Floats,
    kernels: IndexArray,
    rows: IndexArray,
    cols: IndexArray,
    out: Floats,
) -> None:
    """Write ``out[r, c] = sum_{k in kernels} weights[k] * K[k, rows[r], cols[c]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    weights : ndarray of shape (n_kernels,), float64
    kernels, rows, cols : ndarray of shape (s,), (r,) and (c,), integer
        What to read.
    out : ndarray of shape (r, c), float64
        Modified in place.
    """
    m = kernels.size
    n = K.shape[2]
    if 2 * cols.size < n:
        out[:] = 0.0
        for r in range(rows.size):
            acc = out[r]
            for k in kernels:
                w = weights[k]
                row = K[k, rows[r]]
                for c in range(cols.size):
                    acc[c] += w * row[cols[c]]
        return
    # Most columns: memory is read whole anyway, and sums along rows are vectorised.
    whole = np.empty(n)
    for r in range(rows.size):
        i = rows[r]
        whole[:] = 0.0
        for s in range(0, m - 3, 4):
            a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
            wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
            ka, kb, kc, kd = K[a, i], K[b, i], K[c, i], K[d, i]
            for j in range(n):
                whole[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
        for s in range(m - m % 4, m):
            w = weights[kernels[s]]
            row = K[kernels[s], i]
            for j in range(n):
                whole[j] += w * row[j]
        for t in range(cols.size):
            out[r, t] = whole[cols[t]]


@njit(**_JIT)
def take_block(K: FloatArray, rows: IndexArray, cols: IndexArray, out: FloatArray) -> None:
    """Write ``out[k, r, c] = K[k, rows[r], cols[c]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    rows, cols : ndarray of shape (r,) and (c,), integer
    out : ndarray of shape (n_kernels, r, c), of the same type as K
        Modified in place.
    """
    for k in range(K.shape[0]):
        for r in range(rows.size):
            row = K[k, rows[r]]
            target = out[k, r]
            for c in range(cols.size):
                target[c] = row[cols[c]]


@njit(**_JIT, fastmath={"contract"})
def add_dot_rows(
    K: FloatArray, beta: Floats, kernels: IndexArray, rows: IndexArray, out: Floats
) -> None:
    """Add ``sum_{i in rows} beta[u, i] * K[k, i]`` to ``out[u, k]``, for symmetric kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
        Symmetric Gram matrices, read along rows.
    beta : ndarray of shape (u, n), float64
    kernels : ndarray of shape (s,), integer
        The kernels k to read.
    rows : ndarray of shape (r,), integer
        Where some ``beta[:, i]`` differs from 0.
    out : ndarray of shape (u, n_kernels, n), float64
        Modified in place.
    """
    n = K.shape[2]
    r = rows.size
    # Four rows at a time, far apart: four long streams through memory are fetched ahead better than
    # one cut into short pieces.
    quarter = r // 4
    for k in kernels:
        for s in range(quarter):
            i0, i1 = rows[s], rows[quarter + s]
            i2, i3 = rows[2 * quarter + s], rows[3 * quarter + s]
            k0, k1, k2, k3 = K[k, i0], K[k, i1], K[k, i2], K[k, i3]
            for u in range(beta.shape[0]):
                b0, b1, b2, b3 = beta[u, i0], beta[u, i1], beta[u, i2], beta[u, i3]
                acc = out[u, k]
                for j in range(n):
                    acc[j] += b0 * k0[j] + b1 * k1[j] + b2 * k2[j] + b3 * k3[j]
        for s in range(4 * quarter, r):
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


@njit(**_JIT, fastmath={"contract", "reassoc"})
def quadratic_forms(
    K: FloatArray, beta: Floats, kernels: IndexArray, support: IndexArray, out: Floats
) -> None:
    """Write ``out[k] = sum_u beta_u' K_k beta_u`` for some kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
    beta : ndarray of shape (u, n), float64
    kernels : ndarray of shape (s,), integer
    support : ndarray of shape (r,), integer
        Where some ``beta[:, i]`` differs from 0.
    out : ndarray of shape (n_kernels,), float64
        Modified in place.
    """
    for k in kernels:
        total = 0.0
        for i in support:
            row = K[k, i]
            for u in range(beta.shape[0]):
                product = 0.0
                for j in support:
                    product += beta[u, j] * row[j]
                total += beta[u, i] * product
        out[k] = total


@njit(**_JIT, fastmath={"contract"})
def sum_features(
    squares: FloatArray,
    start: NDArray[np.int64],
    features: NDArray[np.int32],
    gamma: FloatArray,
    kernels: IndexArray,
    out: FloatArray,
) -> None:
    """Write ``out[s] = -gamma[k] * sum_f squares[f]`` over the features f of kernel k.

    Parameters
    ----------
    squares : ndarray of shape (n_features, n_pairs), float32
    start : ndarray of shape (n_kernels + 1,), integer
    features : ndarray of shape (start[-1],), integer
        Those of kernel k are ``features[start[k] : start[k + 1]]``.
    gamma : ndarray of shape (n_kernels,), float32
    kernels : ndarray of shape (s,), integer
    out : ndarray of shape (s, n_pairs), float32
        Modified in place.
    """
    for s in range(kernels.size):
        k = kernels[s]
        target = out[s]
        first, stop = start[k], start[k + 1]
        square = squares[features[first]]
        for t in range(target.size):
            target[t] = -gamma[k] * square[t]
        for position in range(first + 1, stop):
            square = squares[features[position]]
            for t in range(target.size):
                target[t] -= gamma[k] * square[t]


@njit(**_JIT, fastmath={"contract"})
def add_weighted(values: FloatArray, weights: Floats, out: Floats) -> None:
    """Do ``out += weights @ values`` in double precision, for values (s, n_pairs)."""
    for s in range(weights.size):
        w, row = weights[s], values[s]
        for t in range(out.size):
            out[t] += w * row[t]


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dot_weighted(values: FloatArray, weights: Floats, out: Floats) -> None:
    """Write ``out = values @ weights`` in double precision, for values (s, n_pairs)."""
    for s in range(out.size):
        row = values[s]
        total = 0.0
        for t in range(weights.size):
            total += weights[t] * row[t]
        out[s] = total


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
    mirror = np.empty((_BLOCK, _BLOCK))
    limit = np.empty(n)
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
        for i in range(n):
            limit[i] = np.float64(Kk[i, i]) + slack
        for i0 in range(0, n, _BLOCK):
            i1 = min(i0 + _BLOCK, n)
            for j0 in range(i0, n, _BLOCK):
                width = min(_BLOCK, n - j0)
                # A tile of the other triangle, turned round in cache, so that both are read along
                # rows; only a tile with a defect is searched.
                for j in range(width):
                    other = Kk[j0 + j, i0:i1]
                    for i in range(i1 - i0):
                        mirror[i, j] = other[i]
                good = 0
                for i in range(i0, i1):
                    row, turned = Kk[i, j0 : j0 + width], mirror[i - i0, :width]
                    bound, kii = limit[j0 : j0 + width], limit[i]
                    for j in range(width):
                        x = np.float64(row[j])
                        fine = (abs(x - turned[j]) <= slack) & (x * x <= kii * bound[j])
                        good += 1 if fine else 0
                bad = good < width * (i1 - i0)
                j1 = j0 + width
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
