"""What a task of dual variables in a box asks of its samples, one compiled loop for each question.

Between runs of SMO these are asked again and again. In NumPy, which needs a call and an array for
every operation, the answers took half of the time of a fit on a few hundred samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices
from mkfusion.solvers._smo import offset_low, offset_up

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
    positive, total = 0.0, 0.0
    for i in range(n):
        total += cost[i]
        if y[i] > 0:
            positive += cost[i]
    slack = _SUM_RTOL * total
    b, below = _weighted_quantile(e.copy(), cost.copy(), positive - slack)
    if below <= positive + slack:
        # Flat up to the next breakpoint, if there is one.
        end = np.inf
        for i in range(n):
            if cost[i] > 0.0 and b < e[i] < end:
                end = e[i]
        if end < np.inf:
            b = 0.5 * (b + end)
    loss = 0.0
    for i in range(n):
        loss += cost[i] * max(0.0, y[i] * (e[i] - b))
    return b, loss


@njit(**_JIT)
def _weighted_quantile(values: Floats, weights: Floats, share: float) -> tuple[float, float]:
    """Return the least value up to which weights sum to `share`, and what they sum to there.

    Values without weight do not count; the largest value where all sum to less. Quickselect, with
    a third part for values that equal the pivot: sorting takes several times as long.

    Parameters
    ----------
    values, weights : ndarray of shape (n,), float64
        In another order afterwards.
    share : float
    """
    found, total = values.max(), 0.0
    start, stop, below = 0, values.size, 0.0
    for i in range(stop):
        total += weights[i]
    while start < stop:
        middle, last = (start + stop) // 2, stop - 1
        a, b, c = values[start], values[middle], values[last]
        pivot = max(min(a, b), min(max(a, b), c))
        less, more, i = start, stop, start
        lighter, equal = 0.0, 0.0
        while i < more:
            value, weight = values[i], weights[i]
            if value < pivot:
                values[i], weights[i] = values[less], weights[less]
                values[less], weights[less] = value, weight
                lighter += weight
                less += 1
                i += 1
            elif value > pivot:
                more -= 1
                values[i], weights[i] = values[more], weights[more]
                values[more], weights[more] = value, weight
            else:
                equal += weight
                i += 1
        if lighter > 0.0 and below + lighter >= share:
            stop = less
        elif equal > 0.0 and below + lighter + equal >= share:
            return pivot, below + lighter + equal
        else:
            below += lighter + equal
            start = more
    return found, total


@njit(**_JIT)
def tube_loss(e: Floats, cost: Floats, epsilon: float) -> tuple[float, float]:
    """Minimise ``sum_i cost_i max(0, |e_i - b| - epsilon)`` over b: a hinge on each side.

    Parameters and results are those of `intercept_and_loss`.
    """
    n = e.size
    ends, sides, costs = np.empty(2 * n), np.empty(2 * n), np.empty(2 * n)
    for i in range(n):
        ends[i], ends[n + i] = e[i] - epsilon, e[i] + epsilon
        sides[i], sides[n + i] = 1.0, -1.0
        costs[i] = costs[n + i] = cost[i]
    return intercept_and_loss(ends, sides, costs)


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dual_gain(beta: Floats, y: Floats, epsilon: float) -> float:
    """Return ``y' beta - epsilon ||beta||_1``."""
    gain = 0.0
    for i in range(beta.size):
        gain += y[i] * beta[i] - epsilon * abs(beta[i])
    return gain


@njit(**_JIT)
def free_variables(beta: Floats, lower: Floats, upper: Floats, epsilon: float) -> Indices:
    """Return the dual variables between their ends; with a tube, zero is an end as well.

    Both slopes at zero may hold a variable there.
    """
    found = np.empty(beta.size, dtype=np.intp)
    count = 0
    for i in range(beta.size):
        if lower[i] < beta[i] < upper[i] and (epsilon == 0.0 or beta[i] != 0.0):
            found[count] = i
            count += 1
    return found[:count].copy()


@njit(**_JIT)
def violations(beta: Floats, e: Floats, lower: Floats, upper: Floats, epsilon: float) -> Floats:
    """Return how much each sample (n,) violates optimality against the middle of the others.

    The middle of the best slope of growing and that of falling: see :mod:`mkfusion.solvers._smo`.
    A variable on one side of zero is on one side of the tube, whichever way it moves.
    """
    n = beta.size
    top, bottom = -np.inf, np.inf
    for i in range(n):
        top = max(top, e[i] + offset_up(beta[i], upper[i], epsilon))
        bottom = min(bottom, e[i] + offset_low(beta[i], lower[i], epsilon))
    middle = 0.5 * (top + bottom)
    found = np.empty(n)
    for i in range(n):
        above = e[i] + offset_up(beta[i], upper[i], epsilon) - middle
        below = middle - e[i] - offset_low(beta[i], lower[i], epsilon)
        found[i] = max(above, below)
    return found


@njit(**_JIT)
def violation_of_rounding(beta: Floats, y: Floats, diag: Floats, eps: float) -> float:
    """Return the KKT violation below which there are only rounding errors of ``y - K beta``."""
    longest, products, largest = 0.0, 0.0, 0.0
    for i in range(beta.size):
        length = np.sqrt(max(diag[i], 0.0))
        longest = max(longest, length)
        products += length * abs(beta[i])
        largest = max(largest, abs(y[i]))
    return eps * (longest * products + largest)
