"""The best segmentations of a sequence by a kernel: exact dynamic programming."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT)
def _segmentations(K: Floats, shortest: int, costs: Floats, befores: Indices) -> None:
    """Fill the table of the best segmentations of the first samples, an end after the other.

    With S(a, b) the sum of K between the samples a to b - 1, their cost as a segment is their
    scatter about their mean in the space of the kernel, ``sum_i K_ii - S(a, b) / (b - a)``. S is
    carried on from b - 1 to b for all a, so that nothing but K is of the size of K.
    """
    n = len(K)
    most = len(costs)
    blocks = np.zeros(n)  # S(a, b)
    scatter = np.zeros(n)  # sum of K_ii from a to b, and then the cost of a segment
    diagonals = np.zeros(n)
    for b in range(1, n + 1):
        last = b - 1
        row = K[last]
        beside = 0.0
        for a in range(last, -1, -1):
            if a < last:
                beside += row[a]
            blocks[a] += 2.0 * beside + row[last]
            diagonals[a] += row[last]
            scatter[a] = diagonals[a] - blocks[a] / (b - a)
        if b < shortest:
            continue
        costs[0, b] = scatter[0]
        for d in range(1, most):
            best, before = np.inf, 0
            for a in range(d * shortest, b - shortest + 1):
                cost = costs[d - 1, a] + scatter[a]
                if cost < best:
                    best, before = cost, a
            costs[d, b] = best
            befores[d, b] = before


def best_segmentations(K: Floats, most: int, shortest: int) -> tuple[Floats, Indices]:
    """Find the best segmentations of a sequence of samples.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Symmetric. Segments are compared by their scatter in its space.
    most : int
        Largest number of segments; ``most * shortest <= n``.
    shortest : int
        Least number of samples of a segment, positive.

    Returns
    -------
    costs : ndarray of shape (most, n + 1)
        The least cost of the first samples in one segment more than the row says; infinite where
        there is no such segmentation.
    befores : ndarray of shape (most, n + 1), integer
        Where the last of these segments begins.

    References
    ----------
    Harchaoui and Cappe, "Retrospective multiple change-point estimation with kernels", SSP 2007.
    """
    n = len(K)
    costs = np.full((most, n + 1), np.inf)
    befores = np.zeros((most, n + 1), dtype=np.intp)
    _segmentations(np.ascontiguousarray(K, dtype=np.float64), shortest, costs, befores)
    return costs, befores
