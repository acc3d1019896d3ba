"""Kernel weights that need no target: what the kernels agree on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import nnls
from scipy.sparse import coo_array, csr_array

from mkfusion._types import Floats
from mkfusion.stack import KernelStack, centred_products, row_batches

# Eigenvalues that differ by less than this share of the largest are equal but for rounding.
_TIE = 1e-10
# Ridge of the roughness of kernels. It makes the minimiser unique: kernels that are copies of each
# other share their weight, in whichever order they come.
_RIDGE = 1e-8


def statis_weights(stack: KernelStack) -> Floats:
    """Return the leading eigenvector of the correlations between the centred kernels.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric and positive semi-definite.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    _, products = centred_products(stack, np.empty((stack.shape[0], 0)), pairs=True)
    norms = np.sqrt(np.diagonal(products))
    used = np.flatnonzero(norms)
    weights = np.zeros(len(norms))
    if used.size:
        correlations = products[np.ix_(used, used)] / np.outer(norms[used], norms[used])
        values, vectors = eigh(correlations)
        # Where several are the largest, as for kernels that have nothing in common: what of equal
        # weights lies in their space, which depends on no order.
        leading = vectors[:, values >= (1.0 - _TIE) * values[-1]]
        # Centred kernels correlate positively, so that no entry is negative but by rounding.
        weights[used] = np.maximum(leading @ leading.sum(axis=0), 0.0)
    return weights


def topology_weights(stack: KernelStack, n_neighbors: int) -> Floats:
    """Return the weights whose weighted sum sees neighbours as near each other as it can.

    With the centred kernels K_k, and the number W_ij of times that samples i and j are neighbours
    in one of them, they minimise over the simplex

        sum_ij W_ij ||sum_k d_k (K_k[i] - K_k[j])||^2.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
        Symmetric and positive semi-definite.
    n_neighbors : int
        Fewer than n.

    Returns
    -------
    ndarray of shape (n_kernels,)
        Non-negative; zero for kernels that are constant.
    """
    n, _, m = stack.shape
    _, norms = centred_products(stack, np.empty((n, 0)), pairs=False)
    used = np.flatnonzero(norms)
    weights = np.zeros(m)
    if used.size:
        roughness = _roughness(stack.select(used), n_neighbors)
        size = np.diagonal(roughness).mean() or 1.0
        values, vectors = eigh(roughness / size + _RIDGE * np.eye(used.size))
        # The minimiser of b'Sb over the simplex is, but for its length, that of
        # b'Sb + (sum b - 1)^2 over b >= 0: for b = t w with w in the simplex, this is
        # t^2 w'Sw + (t - 1)^2, which is least for the same w whatever t is.
        root = np.sqrt(np.maximum(values, 0.0))[:, np.newaxis] * vectors.T
        system = np.vstack([root, np.ones(used.size)])
        goal = np.zeros(used.size + 1)
        goal[-1] = 1.0
        weights[used] = nnls(system, goal)[0]
    return weights


def _roughness(stack: KernelStack, n_neighbors: int) -> Floats:
    """Return the matrix S (m, m) of ``sum_ij W_ij <K_k[i] - K_k[j], K_l[i] - K_l[j]>``."""
    n, _, m = stack.shape
    means = np.empty((m, n))
    for rows in row_batches(n, n * m):
        means[:, rows] = np.asarray(stack[rows]).mean(axis=1, dtype=np.float64).T
    totals = means.mean(axis=1)

    def centred(rows: slice) -> Floats:
        block = np.moveaxis(np.asarray(stack[rows]), -1, 0).astype(np.float64)
        block -= means[:, np.newaxis] + (means[:, rows] - totals[:, np.newaxis])[:, :, np.newaxis]
        return block

    neighbours = csr_array((n, n))
    for rows in row_batches(n, n * m):
        for gram in centred(rows):
            neighbours = neighbours + _neighbours(gram, rows.start, n_neighbors)
    graph = neighbours + neighbours.T
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    roughness = np.zeros((m, m))
    for rows in row_batches(n, n * m):
        block = centred(rows)
        flat = block.reshape(-1, n)
        smoothed = flat * degrees - flat @ graph  # by the graph's Laplacian
        roughness += 2.0 * smoothed.reshape(m, -1) @ block.reshape(m, -1).T
    return 0.5 * (roughness + roughness.T)


def _neighbours(gram: NDArray[np.float64], first: int, n_neighbors: int) -> csr_array:
    """Return which (n, n) other samples have the largest values with those from `first` on."""
    n_rows, n = gram.shape
    others = gram.copy()
    others[np.arange(n_rows), first + np.arange(n_rows)] = -np.inf
    least = np.partition(others, n - n_neighbors, axis=1)[:, [n - n_neighbors]]
    i, j = np.nonzero(others >= least)  # with all that are as near as the last
    return coo_array((np.ones(len(i)), (first + i, j)), shape=(n, n)).tocsr()
