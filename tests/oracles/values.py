"""The two MKL problems in plain NumPy: values, feasibility, exact parts. No solver.

A transcription of the mathematics, taken from nothing in the package. Any primal point gives an
upper bound of the optimum and any feasible dual point a lower bound.

Notation: signed dual variables ``beta`` (u, n), one row per binary problem (u = 1 for two classes),
labels ``y`` (u, n) in {-1, +1}, ``cost`` (u, n) the largest ``|beta|`` of each sample, kernels
(m, n, n), weights ``d`` (m,), ``g_k = sum_u beta_u' K_k beta_u`` and ``q = p / (p - 1)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def dual_exponent(p: float) -> float:
    """Return ``q = p / (p - 1)``, infinity at 1 and 1 at infinity."""
    if p == 1:
        return np.inf
    return 1.0 if np.isinf(p) else p / (p - 1)


def lq_norm(v: ArrayLike, q: float) -> float:
    """Norm of a vector, safe for large exponents and for entries of any scale."""
    sizes: Floats = np.abs(np.asarray(v, dtype=float))
    top = float(sizes.max(initial=0.0))
    if top == 0 or np.isinf(q):
        return top
    return float(top * np.sum((sizes / top) ** q) ** (1 / q))


def as_rows(values: ArrayLike) -> Floats:
    """View a vector as one row, leave a (u, n) array as it is."""
    return np.atleast_2d(np.asarray(values, dtype=float))


def quadratic_forms(kernels: Floats, beta: ArrayLike) -> Floats:
    """``g_k = sum_u beta_u' K_k beta_u`` (m,), never below zero."""
    beta = as_rows(beta)
    return np.maximum([np.sum((beta @ gram) * beta) for gram in kernels], 0.0)


def hinge_slopes(scores: Floats, y: Floats, cost: Floats, b: float) -> tuple[float, float]:
    """Left and right derivative of the hinge sum in the intercept, at `b`."""
    margin = y * (scores + b)
    always = -np.sum((cost * y)[margin < 1])
    kink = (cost * y)[margin == 1]
    # On its kink a positive sample only counts to the left, a negative one only to the right.
    return float(always - kink[kink > 0].sum()), float(always - kink[kink < 0].sum())


def best_intercept(scores: Floats, y: Floats, cost: Floats) -> float:
    """Exact minimiser of ``sum_i cost_i max(0, 1 - y_i (scores_i + b))``.

    Convex and piecewise linear: the minimum is attained at a breakpoint ``y_i - scores_i``.
    The middle of the minimising interval is returned.
    """
    breaks = np.sort((y - scores)[cost > 0])
    # Slope to the right of each breakpoint: positives leave the sum, negatives enter it.
    order = np.argsort((y - scores)[cost > 0], kind="stable")
    rise = cost[cost > 0][order]
    slopes = -np.sum(cost[y > 0]) + np.cumsum(rise)
    scale = np.sum(cost)
    first = int(np.argmax(slopes >= -1e-14 * scale))
    flat = np.flatnonzero(slopes > 1e-14 * scale)
    last = int(flat[0]) if len(flat) else first
    return float(0.5 * (breaks[first] + breaks[last]))


def primal_value(
    kernels: Floats,
    y: ArrayLike,
    cost: ArrayLike,
    weights: ArrayLike,
    beta: ArrayLike,
    b: ArrayLike,
    p: float = 1.0,
    lam: float | None = None,
) -> float:
    """Primal objective at ``f_k = d_k K_k beta`` and intercepts `b`.

    ``1/2 sum_k ||f_k||^2 / d_k + sum_i cost_i hinge_i``, which at such a point is
    ``1/2 d'g + sum_i cost_i hinge_i``; the penalty form adds ``lam / 2 ||d||_p^2``.
    An upper bound of the optimum for any `beta` and `b`, and any weights in the feasible set.
    """
    y, cost, beta, weights = as_rows(y), as_rows(cost), as_rows(beta), np.asarray(weights, float)
    size = lq_norm(weights, p)
    if np.any(weights < 0) or (lam is None and size > 1 + 1e-12):
        raise ValueError(f"weights outside the feasible set: norm {size!r}, {weights}")
    combined = np.tensordot(weights, kernels, axes=1)
    scores = beta @ combined
    hinge = np.maximum(0.0, 1.0 - y * (scores + np.reshape(b, (-1, 1))))
    value = 0.5 * np.sum(scores * beta) + np.sum(cost * hinge)
    return float(value if lam is None else value + 0.5 * lam * size**2)


def dual_value(
    kernels: Floats,
    y: ArrayLike,
    beta: ArrayLike,
    p: float = 1.0,
    lam: float | None = None,
) -> float:
    """Dual objective: a lower bound of the optimum whenever `beta` is feasible.

    ``y'beta - 1/2 ||g||_q``, and ``y'beta - ||g||_q^2 / (8 lam)`` in the penalty form.
    """
    size = lq_norm(quadratic_forms(kernels, beta), dual_exponent(p))
    linear = float(np.sum(as_rows(y) * as_rows(beta)))
    return linear - (0.5 * size if lam is None else size**2 / (8 * lam))


def dual_violation(y: ArrayLike, cost: ArrayLike, beta: ArrayLike) -> tuple[float, float]:
    """Largest violation of the box, and of ``sum_i beta_i = 0``, relative to the largest cost."""
    y, cost, beta = as_rows(y), as_rows(cost), as_rows(beta)
    alpha = y * beta
    box = max(float(np.max(-alpha)), float(np.max(alpha - cost)), 0.0)
    return box / float(cost.max()), float(np.max(np.abs(beta.sum(axis=1)))) / float(cost.max())


def feasible(beta: Floats, y: Floats, cost: Floats) -> Floats:
    """Euclidean projection of each row on its box and ``sum_i beta_i = 0``."""
    low, high = np.minimum(y * cost, 0.0), np.maximum(y * cost, 0.0)
    out = np.empty_like(beta)
    for u, row in enumerate(beta):
        left, right = -np.max(np.abs(row)) - cost[u].max(), np.max(np.abs(row)) + cost[u].max()
        for _ in range(200):
            shift = 0.5 * (left + right)
            if np.clip(row - shift, low[u], high[u]).sum() > 0:
                left = shift
            else:
                right = shift
        out[u] = np.clip(row - 0.5 * (left + right), low[u], high[u])
        # What rounding leaves goes to the sample with the most room.
        room = np.minimum(out[u] - low[u], high[u] - out[u])
        out[u, np.argmax(room)] -= out[u].sum()
    return out


def weights_from_forms(g: Floats, p: float, lam: float | None) -> Floats:
    """Maximiser of ``d'g`` over the ball, or of ``1/2 d'g - lam/2 ||d||_p^2``; needs p > 1."""
    q = dual_exponent(p)
    size = lq_norm(g, q)
    if size == 0:
        return np.zeros_like(g)
    direction = (g > 0).astype(float) if np.isinf(p) else (g / size) ** (q - 1)
    direction /= lq_norm(direction, p)
    return direction if lam is None else direction * size / (2 * lam)
