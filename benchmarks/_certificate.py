"""The duality gap from its definition, in NumPy: nothing is taken from the solvers measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Dual variables outside their box or off their hyperplane by more than this share of the cost
# would make the dual value no bound at all.
_FEASIBILITY = 1e-9


def dual_norm(g: Floats, p: float) -> float:
    """Return the norm of `g` that is dual to the lp norm."""
    if p == 1.0:
        return float(g.max())
    q = p / (p - 1.0)
    top = float(g.max())
    return top * float(((g / top) ** q).sum()) ** (1.0 / q) if top > 0.0 else 0.0


def hinge(f: Floats, y: Floats, C: float) -> float:
    """Return ``C sum_i max(0, 1 - y_i (f_i + b))`` at its best b, which is one of ``y_i - f_i``."""
    residual = np.sort(y - f)
    # The slope of the sum, from -C * positives, grows by C at every residual.
    b = residual[min(int((y > 0).sum()), y.size - 1)]
    lower = residual[max(int((y > 0).sum()) - 1, 0)]
    return min(C * float(np.maximum(0.0, 1.0 - y * (f + t)).sum()) for t in (lower, b))


def relative_gap(
    products: Floats,
    y: Floats,
    beta: Floats,
    weights: Floats,
    C: float,
    p: float,
    lam: float = 0.0,
) -> float:
    """Return (primal - dual) / primal; infinity if the point is not feasible.

    Parameters
    ----------
    products : ndarray of shape (m, n)
        ``K_k beta``.
    y, beta : ndarray of shape (n,)
    weights : ndarray of shape (m,)
        At least 0, and in the unit ball of the lp norm in the constraint form.
    C, p : float
    lam : float, default=0.0
        Strength of the penalty form; 0 for the constraint form.
    """
    slack = _FEASIBILITY * C
    outside = max(float((-y * beta).max()), float((y * beta).max()) - C, abs(float(beta.sum())))
    too_long = float((weights**p).sum()) - 1.0
    if lam:
        too_long = 0.0
    if outside > slack * len(y) or weights.min() < 0.0 or too_long > _FEASIBILITY:
        return np.inf
    g = np.maximum(products @ beta, 0.0)
    primal = 0.5 * float(weights @ g) + hinge(weights @ products, y, C)
    size = dual_norm(g, p)
    dual = float(y @ beta) - (size**2 / (8.0 * lam) if lam else 0.5 * size)
    if lam:
        primal += 0.5 * lam * float((weights**p).sum()) ** (2.0 / p)
    return (primal - dual) / primal


def mkl_gap(
    bank: Floats,
    y: Floats,
    beta: Floats,
    weights: Floats,
    C: float,
    p: float,
    lam: float = 0.0,
) -> float:
    """Return the relative gap on kernels in memory, (m, n, n)."""
    return relative_gap(np.array([K @ beta for K in bank]), y, beta, weights, C, p, lam)


def svm_gap(K: Floats, y: Floats, beta: Floats, C: float) -> float:
    """Return the relative gap of a support vector machine on one kernel (n, n)."""
    return mkl_gap(K[np.newaxis], y, beta, np.ones(1), C, 1.0)
