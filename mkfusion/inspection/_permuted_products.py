"""Products of matrices of which one has its rows and columns permuted."""

from __future__ import annotations

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def permuted_products(A: Floats, K: Floats, rows: Indices) -> Floats:
    """Return ``sum_ij A_ij K[rows_i, rows_j]`` for each A and each choice of rows.

    Parameters
    ----------
    A : ndarray of shape (n_matrices, n, n)
        Symmetric.
    K : ndarray of shape (m, m)
        Symmetric.
    rows : ndarray of shape (n_choices, n)

    Returns
    -------
    ndarray of shape (n_matrices, n_choices)
    """
    n_matrices, n = A.shape[0], A.shape[1]
    out = np.zeros((n_matrices, rows.shape[0]))
    values = np.empty(n)
    for b in range(rows.shape[0]):
        chosen = rows[b]
        for i in range(n):
            row = K[chosen[i]]
            for j in range(i):
                values[j] = 2.0 * row[chosen[j]]
            values[i] = row[chosen[i]]
            for a in range(n_matrices):
                weights = A[a, i]
                total = 0.0
                for j in range(i + 1):
                    total += weights[j] * values[j]
                out[a, b] += total
    return out
