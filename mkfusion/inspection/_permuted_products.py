"""Products of matrices of which one has its rows and columns permuted."""

from __future__ import annotations

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def permuted_products(A: Floats, K: Floats, rows: Indices) -> Floats:
    """Return ``sum_ij A_ij K[rows_i, rows_j]`` for each choice of rows.

    Parameters
    ----------
    A : ndarray of shape (n, n)
        Symmetric.
    K : ndarray of shape (m, m)
        Symmetric.
    rows : ndarray of shape (n_choices, n)

    Returns
    -------
    ndarray of shape (n_choices,)
    """
    n = A.shape[0]
    out = np.empty(rows.shape[0])
    for b in range(rows.shape[0]):
        chosen = rows[b]
        below, diagonal = 0.0, 0.0
        for i in range(n):
            weights, values = A[i], K[chosen[i]]
            for j in range(i):
                below += weights[j] * values[chosen[j]]
            diagonal += weights[i] * values[chosen[i]]
        out[b] = 2.0 * below + diagonal
    return out
