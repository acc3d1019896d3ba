"""Inner products of centred kernels, of which alignments are made."""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats
from mkfusion.stack._stack import KernelStack
from mkfusion.stack._views import row_batches

# A centred kernel whose norm is below so many roundings of the kernel's own is a constant: that
# much is left where the values of a constant kernel were summed up and rounded one by one.
_CONSTANT = 64.0
# A difference of squared norms that is a smaller share of them has lost too many digits.
_CANCELLED = 1e-6


def centred_products(stack: KernelStack, targets: Floats, *, pairs: bool) -> tuple[Floats, Floats]:
    """Return inner products of the centred kernels with the target and with each other.

    With the centring H only the rows of K are centred, as they come: ``<HKH, YY'> = <KH, YY'>``
    and ``<HKH, HLH> = <KH, LH> - n r'H s`` where r and s are the row means of K and L. Where that
    difference costs digits, a second pass centres the columns as well, with the means of the first.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric.
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


def unbiased_products(stack: KernelStack, targets: Floats) -> tuple[Floats, Floats]:
    """Return inner products with the target, and squared norms, of kernels without their diagonals.

    The entries between different samples are centred so that every row and column has the sum 0
    (the U-centring of Székely and Rizzo, Annals of Statistics 42, 2014). In these terms a kernel
    has the mean 0 with any target that does not depend on it, and a multiple of the identity is 0.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric, of at least four samples.
    targets : ndarray of shape (n, n_targets)
        Centred columns.

    Returns
    -------
    fit, products : ndarray of shape (n_kernels,)
        Exactly zero for kernels that are constant between different samples up to rounding.
    """
    n, _, m = stack.shape
    diagonal = stack.diagonal()
    means = np.empty((m, n))
    for rows in row_batches(n, n * m):
        sums = np.asarray(stack[rows]).sum(axis=1, dtype=np.float64).T
        means[:, rows] = (sums - diagonal[:, rows]) / (n - 2)
    means -= means.sum(axis=1, keepdims=True) / (2 * (n - 1))
    sizes, fit, products = np.zeros(m), np.zeros(m), np.zeros(m)
    for rows in row_batches(n, n * m):
        block = np.moveaxis(np.asarray(stack[rows]), -1, 0).astype(np.float64)
        sizes += _grams(block.reshape(m, -1), False)
        block -= means[:, rows, np.newaxis] + means[:, np.newaxis]
        block[:, np.arange(block.shape[1]), np.arange(n)[rows]] = 0.0
        # The rows of the target kernel's mean vanish in the product, as rows of the kernel do.
        fit += np.einsum("kiu,iu->k", block @ targets, targets[rows])
        products += _grams(block.reshape(m, -1), False)
    constant = products <= (_CONSTANT * np.finfo(stack.dtype).eps) ** 2 * sizes
    return np.where(constant, 0.0, fit), np.where(constant, 0.0, products)


def _grams(vectors: Floats, pairs: bool) -> Floats:
    """Return the inner products of vectors (m, size): of all pairs, or with themselves."""
    return vectors @ vectors.T if pairs else np.einsum("ki,ki->k", vectors, vectors)


def _squares(products: Floats) -> Floats:
    return np.diagonal(products) if products.ndim == 2 else products
