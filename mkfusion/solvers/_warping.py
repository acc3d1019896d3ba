"""The best alignment of two signals: dynamic time warping, with its path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT)
def _accumulate(x: Floats, z: Floats, band: int, costs: Floats) -> None:
    """Fill the table of the least costs of alignments up to a pair of time steps.

    ``costs[i + 1, j + 1] = |x_i - z_j|^2 + min(costs[i, j], costs[i, j + 1], costs[i + 1, j])``,
    infinite where j is more than `band` from the place i (m - 1) / (n - 1) of n and m steps.
    """
    n, m = x.shape[1], z.shape[1]
    costs[0, 0] = 0.0
    for i in range(n):
        center = i * (m - 1) / max(n - 1, 1)
        first = max(0, int(np.ceil(center - band)))
        last = min(m - 1, int(np.floor(center + band)))
        for j in range(first, last + 1):
            distance = 0.0
            for c in range(x.shape[0]):
                difference = x[c, i] - z[c, j]
                distance += difference * difference
            before = min(costs[i, j], min(costs[i, j + 1], costs[i + 1, j]))
            costs[i + 1, j + 1] = distance + before


@njit(**_JIT)
def _way_back(costs: Floats, path: Indices) -> int:
    """Write the pairs of the best alignment from the last to the first, and return their number."""
    i, j = costs.shape[0] - 1, costs.shape[1] - 1
    length = 0
    while i > 0 and j > 0:
        path[length, 0], path[length, 1] = i - 1, j - 1
        length += 1
        # Of ways as good, the straight one.
        both, one, other = costs[i - 1, j - 1], costs[i - 1, j], costs[i, j - 1]
        if both <= one and both <= other:
            i, j = i - 1, j - 1
        elif one <= other:
            i -= 1
        else:
            j -= 1
    return length


def warping_path(x: Floats, z: Floats, band: int) -> tuple[Indices, float]:
    """Find the alignment of two signals with the least sum of squared distances.

    Parameters
    ----------
    x : ndarray of shape (n_channels, n_steps_x), float64
    z : ndarray of shape (n_channels, n_steps_z), float64
    band : int
        How many time steps of z a pair may be from where both are equally far on. One that leaves
        no alignment is refused with an infinite cost.

    Returns
    -------
    path : ndarray of shape (n_pairs, 2), integer
        Time steps of x and z that belong together, from the first of both to the last of both.
    cost : float
        The sum over the pairs.

    References
    ----------
    Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 26, 1978.
    """
    costs = np.full((x.shape[1] + 1, z.shape[1] + 1), np.inf)
    _accumulate(np.ascontiguousarray(x), np.ascontiguousarray(z), band, costs)
    path = np.empty((x.shape[1] + z.shape[1], 2), dtype=np.intp)
    cost = float(costs[-1, -1])
    if not np.isfinite(cost):
        return path[:0], cost
    return path[: _way_back(costs, path)][::-1].copy(), cost
