"""Kernel weights from the alignment of centred kernels with a target."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from mkfusion._types import Floats
from mkfusion.stack import BLOCK_BYTES, KernelStack, centred_products

# Ridge of the correlations between kernels. It makes the maximiser unique: kernels that are copies
# of each other share their weight, in whichever order they come.
_RIDGE = 1e-8


def align_weights(stack: KernelStack, targets: Floats) -> Floats:
    """Return weights proportional to each kernel's own centred alignment with the target.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
    targets : ndarray of shape (n, n_targets)
        Centred columns Y; the target kernel is Y Y'.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    n, _, m = stack.shape
    weights = np.empty(m)
    size = max(1, BLOCK_BYTES // (8 * n))
    for first in range(0, m, size):
        some = slice(first, first + size)
        fit, products = centred_products(stack.select(some), targets, pairs=False)
        norms = np.sqrt(products)
        weights[some] = np.divide(fit, norms, out=np.zeros_like(fit), where=norms > 0.0)
    # A positive semi-definite kernel is never aligned negatively but by rounding.
    return np.maximum(weights, 0.0)


def alignf_weights(stack: KernelStack, targets: Floats) -> Floats:
    """Return the weights whose weighted sum is aligned best with the target.

    They solve ``min_{v >= 0} v'Mv - 2 v'a`` with the inner products M of the centred kernels, and
    a of them with the target (Cortes, Mohri and Rostamizadeh, JMLR 13, 2012, section 3.2).

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
    targets : ndarray of shape (n, n_targets)
        Centred columns Y; the target kernel is Y Y'.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    fit, products = centred_products(stack, targets, pairs=True)
    norms = np.sqrt(np.diagonal(products))
    used = np.flatnonzero(norms)
    weights = np.zeros(len(fit))
    if used.size:
        # In kernels of norm one: what is found depends on neither their scales nor their order.
        scale = norms[used]
        correlations = products[np.ix_(used, used)] / np.outer(scale, scale)
        correlations.flat[:: used.size + 1] = 1.0 + _RIDGE
        factor = cholesky(correlations)
        goal = solve_triangular(factor, fit[used] / scale, trans="T")
        weights[used] = nnls(factor, goal / max(np.abs(goal).max(), 1e-300))[0] / scale
    return weights
