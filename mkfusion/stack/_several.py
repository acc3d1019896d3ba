"""Compiled loops over kernels in memory that serve several readers in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices, Mask
from mkfusion.stack._dense import Layout, row_of

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Numbers that fit in a core's own cache beside what streams through it.
_CACHED = 2**14


@njit(**_JIT, fastmath={"contract"})
def combine_for_several(
    K: Layout, weights: Floats, kernels: Indices, rows: Indices, wanted: Mask, out: Floats
) -> None:
    """Write ``out[f, r] = sum_{k in kernels} weights[f, k] * K[k, rows[r]]`` where wanted.

    Parameters
    ----------
    K : Layout
        Of matrices (n_rows, n_cols).
    weights : ndarray of shape (f, n_kernels), float64
    kernels : ndarray of shape (s,), integer
        The kernels with weight for somebody.
    rows : ndarray of shape (r,), integer
        Fastest in ascending order.
    wanted : ndarray of shape (f, r), bool
    out : ndarray of shape (f, r, n_cols), float64
        Modified in place where wanted.
    """
    m, n = kernels.size, K[3]
    readers = weights.shape[0]
    # Several rows of a kernel in turn, as long as their sums stay in the cache.
    batch = max(1, _CACHED // max(n * readers, 1))
    for start in range(0, rows.size, batch):
        stop = min(start + batch, rows.size)
        for f in range(readers):
            for r in range(start, stop):
                if wanted[f, r]:
                    out[f, r] = 0.0
        for s in range(0, m - 3, 4):
            a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
            for r in range(start, stop):
                i = rows[r]
                ka, kb, kc, kd = row_of(K, a, i), row_of(K, b, i), row_of(K, c, i), row_of(K, d, i)
                for f in range(readers):
                    wa, wb, wc, wd = weights[f, a], weights[f, b], weights[f, c], weights[f, d]
                    if wanted[f, r] and (wa != 0.0 or wb != 0.0 or wc != 0.0 or wd != 0.0):
                        acc = out[f, r]
                        for j in range(n):
                            acc[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
        for s in range(m - m % 4, m):
            k = kernels[s]
            for r in range(start, stop):
                row = row_of(K, k, rows[r])
                for f in range(readers):
                    w = weights[f, k]
                    if wanted[f, r] and w != 0.0:
                        acc = out[f, r]
                        for j in range(n):
                            acc[j] += w * row[j]


@njit(**_JIT)
def hand_out(rows: Floats, place: Indices, cols: Indices, out: Floats) -> None:
    """Write ``out[place[r], c] = rows[r, cols[c]]`` where the place is not negative.

    Parameters
    ----------
    rows : ndarray of shape (r, n_cols), float64
    place : ndarray of shape (r,), integer
    cols : ndarray of shape (c,), integer
    out : ndarray of shape (s, c), float64
        Modified in place.
    """
    whole = cols.size == rows.shape[1] and (cols == np.arange(cols.size)).all()
    for r in range(rows.shape[0]):
        if place[r] >= 0:
            row, target = rows[r], out[place[r]]
            for c in range(cols.size):
                target[c] = row[c] if whole else row[cols[c]]


@njit(**_JIT, fastmath={"contract"})
def dot_for_several(
    K: Layout, beta: Floats, kernels: Indices, wanted: Mask, rows: Indices, out: Floats
) -> None:
    """Add ``sum_r beta[v, r] * K[kernels[s], rows[r]]`` to ``out[v, s]`` where wanted.

    Parameters
    ----------
    K : Layout
        Of Gram matrices (n, n), read along rows.
    beta : ndarray of shape (v, r), float64
    kernels : ndarray of shape (s,), integer
        The kernels to read.
    wanted : ndarray of shape (v, s), bool
    rows : ndarray of shape (r,), integer
    out : ndarray of shape (v, s, n), float64
        Modified in place where wanted.
    """
    n = K[3]
    r = rows.size
    vectors = beta.shape[0]
    # Four rows at a time, far apart: four long streams through memory are fetched ahead better than
    # one cut into short pieces.
    quarter = r // 4
    for s in range(kernels.size):
        k = kernels[s]
        for t in range(quarter):
            t1, t2, t3 = quarter + t, 2 * quarter + t, 3 * quarter + t
            k0, k1 = row_of(K, k, rows[t]), row_of(K, k, rows[t1])
            k2, k3 = row_of(K, k, rows[t2]), row_of(K, k, rows[t3])
            v = 0
            while v < vectors:
                b0, b1, b2, b3 = beta[v, t], beta[v, t1], beta[v, t2], beta[v, t3]
                if not wanted[v, s] or (b0 == 0.0 and b1 == 0.0 and b2 == 0.0 and b3 == 0.0):
                    v += 1
                    continue
                acc = out[v, s]
                # The next vector that is not idle here comes along: rows are loaded once for two.
                w = v + 1
                while w < vectors and not (
                    wanted[w, s]
                    and (
                        beta[w, t] != 0.0
                        or beta[w, t1] != 0.0
                        or beta[w, t2] != 0.0
                        or beta[w, t3] != 0.0
                    )
                ):
                    w += 1
                if w < vectors:
                    c0, c1, c2, c3 = beta[w, t], beta[w, t1], beta[w, t2], beta[w, t3]
                    also = out[w, s]
                    for j in range(n):
                        x0, x1, x2, x3 = k0[j], k1[j], k2[j], k3[j]
                        acc[j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                        also[j] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                else:
                    for j in range(n):
                        acc[j] += b0 * k0[j] + b1 * k1[j] + b2 * k2[j] + b3 * k3[j]
                v = w + 1
        for t in range(4 * quarter, r):
            k0 = row_of(K, k, rows[t])
            for v in range(vectors):
                b0 = beta[v, t]
                if wanted[v, s] and b0 != 0.0:
                    acc = out[v, s]
                    for j in range(n):
                        acc[j] += b0 * k0[j]
