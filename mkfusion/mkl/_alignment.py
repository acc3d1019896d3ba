"""Kernel weights from the alignment of centred kernels with a target."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from mkfusion._types import Floats
from mkfusion.stack import BLOCK_BYTES, KernelStack, row_batches

# A centred kernel whose norm is below so many roundings of the kernel's own is a constant.
_CONSTANT = 64.0
# A difference of squared norms that is a smaller share of them has lost too many digits.
_CANCELLED = 1e-6
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
        fit, products = _inner_products(stack.select(some), targets, pairs=False)
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
    fit, products = _inner_products(stack, targets, pairs=True)
    norms = np.sqrt(_squares(products))
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


def _inner_products(stack: KernelStack, targets: Floats, *, pairs: bool) -> tuple[Floats, Floats]:
    """Return inner products of the centred kernels with the target and with each other.

    With the centring H only the rows of K are centred, as they come: ``<HKH, YY'> = <KH, YY'>``
    and ``<HKH, HLH> = <KH, LH> - n r'H s`` where r and s are the row means of K and L. Where that
    difference costs digits, a second pass centres the columns as well, with the means of the first.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
    targets : ndarray of shape (n, n_targets)
        Centred columns.
    pairs : bool
        Whether to return the inner products of all pairs, or the squared norms.

    Returns
    -------
    fit : ndarray of shape (n_kernels,)
    products : ndarray of shape (n_kernels, n_kernels) or (n_kernels,)
        Exactly zero for kernels that are constant up to rounding.
    """
    n, _, m = stack.shape
    means = np.empty((m, n))

    def over_blocks(columns: Floats) -> tuple[Floats, Floats, Floats]:
        sizes, fit, products = np.zeros(m), np.zeros(m), np.zeros((m, m) if pairs else m)
        for rows in row_batches(n, n * m):
            block = np.moveaxis(np.asarray(stack[rows]), -1, 0)
            sizes += np.einsum("kij,kij->k", block, block, dtype=np.float64)
            means[:, rows] = block.mean(axis=2, dtype=np.float64)
            centred = np.subtract(block, means[:, rows, np.newaxis], dtype=np.float64)
            if columns.any():
                centred -= columns[:, np.newaxis]
            fit += np.einsum("kiu,iu->k", centred @ targets, targets[rows])
            products += _grams(centred.reshape(m, -1), pairs)
        return sizes, fit, products

    sizes, fit, rough = over_blocks(np.zeros((m, n)))
    columns = means - means.mean(axis=1, keepdims=True)
    products = rough - n * _grams(columns, pairs)
    least = (_CONSTANT * np.finfo(stack.dtype).eps) ** 2 * sizes
    if np.any((_squares(products) < _CANCELLED * _squares(rough)) & (_squares(rough) > least)):
        _, fit, products = over_blocks(columns)
    constant = np.flatnonzero(_squares(products) <= least)
    products[constant] = 0.0
    if pairs:
        products[:, constant] = 0.0
    return fit, products


def _grams(vectors: Floats, pairs: bool) -> Floats:
    """Return the inner products of vectors (m, size): of all pairs, or with themselves."""
    return vectors @ vectors.T if pairs else np.einsum("ki,ki->k", vectors, vectors)


def _squares(products: Floats) -> Floats:
    return np.diagonal(products) if products.ndim == 2 else products
