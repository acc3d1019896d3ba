"""What kernel machines predict: products of a weighted sum of kernels with dual variables."""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats, Indices
from mkfusion.stack._low_rank import sides_of
from mkfusion.stack._stack import ComputedStack, KernelStack
from mkfusion.stack._views import row_batches


def weighted_products(stack: KernelStack, weights: Floats, cols: Indices, beta: Floats) -> Floats:
    """Return ``sum_k w_k K_k[:, cols] beta_u``.

    Kernels of features are not multiplied out: the work is linear in their rows and columns.

    Parameters
    ----------
    stack : KernelStack
    weights : ndarray of shape (m,)
        Non-negative; kernels of weight 0 are not touched.
    cols : ndarray of shape (s,)
        Columns of the stack.
    beta : ndarray of shape (u, s)

    Returns
    -------
    ndarray of shape (u, n_rows)
    """
    n_rows, n_cols, _ = stack.shape
    out = np.zeros((len(beta), n_rows))
    sides = sides_of(stack.views) if isinstance(stack, ComputedStack) else None
    if sides is None:
        for rows in row_batches(n_rows, len(cols)):
            out[:, rows] = beta @ stack.combine(weights, rows=rows, cols=cols).T
        return out
    vectors = np.zeros((len(beta), n_cols))
    vectors[:, cols] = beta
    left, right = sides
    coefficients = right.sums(vectors, np.flatnonzero(weights))
    return left.products(np.repeat(weights, np.diff(right.starts)) * coefficients)
