"""A loss made smooth in its dual variables, with the intercept that balances them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

# Steps towards the intercept: a piecewise linear equation needs some.
_MOST_STEPS = 200
# Dual variables whose sum is off by this share of their sizes are balanced.
_SUM_RTOL = 1e-13


@njit(**_JIT)
def balance(
    e: Floats,
    center: Floats,
    width: float,
    price: Floats,
    lower: Floats,
    upper: Floats,
    epsilon: float,
    total: float,
    b: float,
    beta: Floats,
) -> tuple[float, float]:
    """Write into `beta` the dual variables of a smoothed loss at its best intercept.

    Each maximises ``beta (e - b) - epsilon |beta| - width / price / 2 (beta - center)**2`` in its
    box. The sum over the samples, with ``total * b`` added, is convex in b, and its minimiser is
    where the dual variables, which fall as b grows, sum to `total`.

    Parameters
    ----------
    e, center : ndarray of shape (n,)
        ``y - f``, and what the smoothing is around.
    width : float
    price, lower, upper : ndarray of shape (n,)
        Samples of no price have an empty box.
    epsilon, total : float
    b : float
        The intercept to begin with.
    beta : ndarray of shape (n,)
        Overwritten.

    Returns
    -------
    b : float
    value : float
        The sum.
    """
    n = e.size
    below, above = -np.inf, np.inf
    for _ in range(_MOST_STEPS):
        s, size, slope = 0.0, 0.0, 0.0
        up, down = np.inf, np.inf  # to where the next dual variable begins to move
        for i in range(n):
            lo, hi = lower[i], upper[i]
            if lo == hi:
                beta[i] = lo
                s += lo
                continue
            rho = width / price[i]
            t = e[i] - b + rho * center[i]
            top = rho * hi + (epsilon if hi > 0.0 else 0.0)
            bottom = rho * lo - (epsilon if lo < 0.0 else 0.0)
            if t >= top:
                x = hi
                up = min(up, t - top)
            elif t <= bottom:
                x = lo
                down = min(down, bottom - t)
            elif t > epsilon:
                x = (t - epsilon) / rho
                slope += 1.0 / rho
            elif t < -epsilon:
                x = (t + epsilon) / rho
                slope += 1.0 / rho
            elif epsilon > 0.0:
                x = 0.0
                up = min(up, t + epsilon)
                down = min(down, epsilon - t)
            else:
                x = 0.0
                slope += 1.0 / rho
            beta[i] = x
            s += x
            size += abs(x)
        excess = s - total
        if abs(excess) <= _SUM_RTOL * size:
            break
        if excess > 0.0:
            below = b
            step = excess / slope if slope > 0.0 else up * (1.0 + 1e-9) + 1e-300
        else:
            above = b
            step = excess / slope if slope > 0.0 else -down * (1.0 + 1e-9) - 1e-300
        new = b + step
        if not (below < new < above):
            new = 0.5 * (below + above)
        if new == b or not np.isfinite(new):
            break
        b = new
    value = total * b
    for i in range(n):
        x = beta[i]
        if lower[i] < upper[i]:
            moved = x - center[i]
            value -= epsilon * abs(x) + 0.5 * width / price[i] * moved * moved
        value += x * (e[i] - b)
    return b, value
