"""The exact intercept and hinge loss of a decision function: what a duality gap is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

# Two sums of costs that differ by less than this share of the total are the same sum, added up in
# another order.
_SUM_RTOL = 1e-12


@njit(**_JIT)
def intercept_and_loss(e: Floats, y: Floats, cost: Floats) -> tuple[float, float]:
    """Minimise ``sum_i cost_i max(0, y_i (e_i - b))`` over b exactly, where ``e = y - f``.

    The sum is convex and piecewise linear with a breakpoint at every ``e_i``, where its slope grows
    by ``cost_i`` from minus the cost of the positive class: the minimiser is a weighted order
    statistic.

    Parameters
    ----------
    e, y, cost : ndarray of shape (n,), float64

    Returns
    -------
    intercept : float
        The midpoint where a whole interval minimises.
    loss : float
    """
    n = e.size
    order = np.argsort(e)
    positive, total = 0.0, 0.0
    for i in range(n):
        total += cost[i]
        if y[i] > 0:
            positive += cost[i]
    slack = _SUM_RTOL * total
    slope = -positive
    b = e[order[n - 1]]
    for s in range(n):
        i = order[s]
        slope += cost[i]
        if slope >= -slack and cost[i] > 0.0:
            b = e[i]
            if slope <= slack:
                for s2 in range(s + 1, n):
                    if cost[order[s2]] > 0.0:
                        b = 0.5 * (e[i] + e[order[s2]])
                        break
            break
    loss = 0.0
    for i in range(n):
        loss += cost[i] * max(0.0, y[i] * (e[i] - b))
    return b, loss
