# mypy: disable-error-code="attr-defined"
# (cvxpy re-exports its functions implicitly.)
"""Reference solutions of multiple kernel learning: cvxpy for the search, plain NumPy for the proof.

The solver's own status is never trusted: an `OracleSolution` carries the bracket
``[lower, upper]`` of the optimum that `oracles.values` alone computed. The notation is there.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import cvxpy as cp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .values import (
    Floats,
    as_rows,
    best_intercept,
    dual_exponent,
    dual_value,
    dual_violation,
    feasible,
    hinge_slopes,
    lq_norm,
    primal_value,
    quadratic_forms,
    weights_from_forms,
)

__all__ = [
    "OracleSolution",
    "as_rows",
    "best_intercept",
    "dual_exponent",
    "dual_value",
    "dual_violation",
    "feasible",
    "hinge_slopes",
    "lq_norm",
    "primal_value",
    "quadratic_forms",
    "solve",
    "solve_primal",
    "weights_from_forms",
]

BRACKET_GOAL = 1e-9
"""Relative width of the bracket below which no further formulation is tried."""

RANK_RTOL = 1e-13
"""Eigenvalues below this fraction of the largest are left out of the factors.

Only the search sees the factors; the bracket is computed with the kernels as they came.
"""

STRETCHES = (0.0, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""Relative changes of ``beta`` tried when the upper bound is computed.

With a large cost a margin missed by 1e-9 costs more than the whole norm; a slightly longer
``beta`` misses none.
"""


FREE_SHARES = (1e-4, 1e-6, 1e-8, 1e-2)
"""Fractions of the cost beyond which a dual variable counts as free of its bounds."""

POLISH_STEPS = 4


class OracleSolution(NamedTuple):
    """A point and the proof of how far it can be from the optimum."""

    lower: float
    """Dual value of `beta`: no primal point is better."""
    upper: float
    """Primal value of the best point found: the optimum is not above."""
    beta: Floats
    """Feasible signed dual variables (u, n)."""
    weights: Floats
    """Kernel weights (m,)."""
    intercept: Floats
    """Exact minimisers of the hinge sums (u,)."""

    @property
    def width(self) -> float:
        """Relative width of the bracket."""
        return (self.upper - self.lower) / self.upper


def _intercepts(scores: Floats, y: Floats, cost: Floats) -> Floats:
    return np.array([best_intercept(*row) for row in zip(scores, y, cost, strict=True)])


def _upper_bound(
    kernels: Floats,
    y: Floats,
    cost: Floats,
    beta: Floats,
    weights: Floats,
    p: float,
    lam: float | None,
) -> tuple[float, Floats]:
    """Lowest primal value over slight stretches of `beta`, with its intercepts."""
    scores = beta @ np.tensordot(weights, kernels, axes=1)
    best, best_b = np.inf, np.zeros(len(y))
    for sign in (1.0, -1.0):
        for stretch in STRETCHES:
            factor = 1.0 + sign * stretch
            b = _intercepts(factor * scores, y, cost)
            value = primal_value(kernels, y, cost, weights, factor * beta, b, p, lam)
            if value < best:
                best, best_b = value, b
    return best, best_b


def _factor(gram: Floats) -> Floats:
    """Return `L` (n, r) with ``gram = L L'`` up to eigenvalues that rounding alone makes."""
    values, vectors = np.linalg.eigh(0.5 * (gram + gram.T))
    keep = values > RANK_RTOL * values[-1]
    return vectors[:, keep] * np.sqrt(values[keep])


def _norm_at_most(forms: cp.Expression, q: float, top: cp.Variable) -> list[cp.Constraint]:
    """``||forms||_q <= top`` as cones."""
    m = forms.shape[0]
    if np.isinf(q):
        return [forms <= top]
    if q == 1 or m == 1:
        return [cp.sum(forms) <= top]
    if q == 2:
        return [cp.norm2(forms) <= top]
    # forms_k <= parts_k^(1/q) top^(1 - 1/q) and sum(parts) <= top.
    parts = cp.Variable(m)
    return [
        cp.PowCone3D(parts, cp.multiply(np.ones(m), top), forms, np.full(m, 1 / q)),
        cp.sum(parts) <= top,
    ]


def _solve_dual(
    factors: list[Floats],
    scales: Floats,
    y: Floats,
    cost: Floats,
    p: float,
    lam: float | None,
    unit: float,
    inside: bool,
) -> tuple[Floats, Floats] | None:
    """Solve the dual in the unknown ``beta / unit``; returns beta and the multipliers of g."""
    # With beta = unit * z the constraint form is y'z - 1/2 ||(unit scale_k |L_k'z|^2)_k||_q and the
    # penalty form y'z - ||(r scale_k |L_k'z|^2)_k||_q^2 with r^2 = unit^3 / (8 lam).
    ratios = scales * (unit if lam is None else np.sqrt(unit**3 / (8 * lam)))
    u, n = y.shape
    z = cp.Variable((n, u))
    g = cp.Variable(len(factors))
    top = cp.Variable()
    # Either the cones or the norm carry the scales of the kernels.
    inner, outer = (ratios, np.ones_like(ratios)) if inside else (np.ones_like(ratios), ratios)
    forms = [inner[k] * cp.sum_squares(left.T @ z) <= g[k] for k, left in enumerate(factors)]
    alpha = cp.multiply(y.T, z)
    constraints = [alpha >= 0, alpha <= cost.T / unit, cp.sum(z, axis=0) == 0]
    norm = 0.5 * top if lam is None else cp.square(top)
    objective = cp.Maximize(cp.sum(alpha) - norm)
    problem = cp.Problem(
        objective, constraints + forms + _norm_at_most(cp.multiply(outer, g), dual_exponent(p), top)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "may be inaccurate": the bracket says how inaccurate
        try:
            problem.solve(
                solver=cp.CLARABEL,
                tol_gap_abs=1e-12 if inside else 1e-9,
                tol_gap_rel=1e-12 if inside else 1e-9,
                tol_feas=1e-12 if inside else 1e-9,
                max_iter=200,
            )
        except cp.SolverError:
            return None
    if z.value is None:
        return None
    return unit * z.value.T, np.array([float(np.squeeze(c.dual_value)) for c in forms]) / outer


def _units(scales: Floats, cost: Floats, lam: float | None) -> list[float]:
    """Sizes that beta may have, the likely ones first.

    From where the quadratic part of the largest kernel balances the linear part, up to the box,
    which is reached when the largest kernels have low rank and beta lies in their null space.
    """
    box, top = float(cost.max()), float(scales.max())
    free = 1 / top if lam is None else (8 * lam / top**2) ** (1 / 3)
    low = min(box, free)
    middle = [low**share * box ** (1 - share) for share in (0.5, 0.0, 0.75, 0.25)]
    return [low, *middle, 0.1 * low, 10 * box]


def solve(
    kernels: ArrayLike,
    y: ArrayLike,
    cost: ArrayLike,
    p: float = 1.0,
    lam: float | None = None,
) -> OracleSolution:
    """Solve one MKL problem, several binary ones sharing their weights if `y` has several rows.

    Parameters
    ----------
    kernels : array-like of shape (m, n, n)
        Positive semidefinite Gram matrices.
    y : array-like of shape (n,) or (u, n)
        Labels in {-1, +1}.
    cost : array-like of shape (n,) or (u, n)
        Upper bound of ``y_i beta_i``: C times the sample's weight.
    p : float, default=1.0
        Norm of the kernel weights, from 1 to infinity.
    lam : float, default=None
        Strength of the penalty form; None for the constraint form.

    Returns
    -------
    OracleSolution
        The best point of every attempt and the bracket that NumPy computed for it.
    """
    kernels = np.asarray(kernels, dtype=float)
    y, cost = as_rows(y), np.broadcast_to(as_rows(cost), as_rows(y).shape).copy()
    m, n = kernels.shape[:2]
    scales = np.trace(kernels, axis1=1, axis2=2) / n
    live = np.flatnonzero(scales > 0)
    if np.isinf(p):
        total = scales.sum()
        factors, ratios = [_factor(kernels.sum(axis=0) / total)], np.array([total])
    else:
        factors, ratios = [_factor(kernels[k] / scales[k]) for k in live], scales[live]
    units = _units(ratios, cost, lam)
    tries = [(unit, inside) for inside in (True, False) for unit in dict.fromkeys(units)]
    best = OracleSolution(-np.inf, np.inf, np.zeros_like(y), np.zeros(m), np.zeros(len(y)))
    while tries and not best.width < BRACKET_GOAL:
        unit, inside = tries.pop(0)
        found = _solve_dual(factors, ratios, y, cost, p, lam, unit, inside)
        if found is None:
            continue
        beta, multipliers = found
        g = quadratic_forms(kernels, beta)
        weights = (
            weights_from_forms(g, p, lam) if p > 1 else _simplex_weights(multipliers, live, g, lam)
        )
        best = _improve(best, kernels, y, cost, beta, weights, p, lam)
        for share in FREE_SHARES:
            if not best.width < BRACKET_GOAL:
                best = _polish(best, kernels, y, cost, beta, weights, p, lam, share)
    return best


def _simplex_weights(
    multipliers: Floats, live: NDArray[np.intp], g: Floats, lam: float | None
) -> Floats:
    """Weights at p = 1: the direction of the multipliers, the norm that the forms ask for."""
    weights = np.zeros_like(g)
    weights[live] = np.maximum(multipliers, 0)
    if weights.sum() > 0:
        weights /= weights.sum()
    # Rounding may have left the sum just above 1.
    return weights / max(weights.sum(), 1.0) if lam is None else weights * g.max() / (2 * lam)


def _polish(
    best: OracleSolution,
    kernels: Floats,
    y: Floats,
    cost: Floats,
    beta: Floats,
    weights: Floats,
    p: float,
    lam: float | None,
    share: float,
) -> OracleSolution:
    """Newton steps on the optimality conditions with the bound variables held where they are.

    Free samples lie on their margin, ``K(d) beta + b = y``; for p > 1 the weights are a function of
    the forms ``g``, for p = 1 the kernels with weight share the largest form. Steps are kept only
    for the bracket they give, so nothing has to be proved about them.
    """
    alpha, m = y * beta, len(kernels)
    size = np.minimum(cost, np.maximum(np.max(alpha), 1e-300))
    free = (alpha > share * size) & (alpha < cost - share * size)
    beta = np.where(alpha >= cost - share * size, y * cost, np.where(free, beta, 0.0))
    who, where = np.nonzero(free)
    if not len(who):
        return best
    support = np.flatnonzero(weights > 1e-6 * weights.max()) if p == 1 else np.arange(0)
    unit = np.max(np.abs(beta))
    b = np.zeros(len(y))
    for step in range(POLISH_STEPS):
        g = quadratic_forms(kernels, beta)
        top = lq_norm(g, dual_exponent(p))
        if top == 0:
            return best
        if p > 1:
            weights = weights_from_forms(g, p, lam)
        combined = np.tensordot(weights, kernels, axes=1)
        scores = beta @ combined
        if step == 0:
            b = np.array(
                [
                    np.mean((y[u] - scores[u])[free[u]]) if free[u].any() else 0.0
                    for u in range(len(y))
                ]
            )
        velocity = np.array([(beta @ gram)[free] for gram in kernels])  # (m, n_free)
        block = combined[np.ix_(where, where)] * (who[:, None] == who[None, :])
        if p > 1:
            block = block + 2 * velocity.T @ _weight_jacobian(g, weights, p, lam) @ velocity
        ones = (who[:, None] == np.arange(len(y))[None, :]).astype(float)
        n_free, n_bias, n_support = len(who), len(y), len(support)
        order = n_free + n_bias + (n_support + 1 if p == 1 else 0)
        matrix, right = np.zeros((order, order)), np.zeros(order)
        matrix[:n_free, :n_free] = unit * block
        matrix[:n_free, n_free : n_free + n_bias] = ones
        matrix[n_free : n_free + n_bias, :n_free] = ones.T
        right[:n_free] = (y - scores - b[:, None])[free]
        right[n_free : n_free + n_bias] = -beta.sum(axis=1) / unit
        if p == 1:
            tail = slice(n_free + n_bias, order - 1)
            total = 1.0 if lam is None else top / (2 * lam)
            matrix[:n_free, tail] = total * velocity[support].T
            matrix[tail, :n_free] = 2 * unit * velocity[support] / top
            matrix[tail, -1] = -1.0
            matrix[-1, tail] = 1.0
            matrix[-1, -1] = 0.0 if lam is None else -1.0
            right[tail] = (top - g[support]) / top
            right[-1] = 1.0 - weights.sum() / total
        change = np.linalg.lstsq(matrix, right, rcond=1e-14)[0]
        beta = beta.copy()
        beta[free] += unit * change[:n_free]
        b = b + change[n_free : n_free + n_bias]
        if p == 1:
            new = np.zeros(m)
            new[support] = np.maximum(weights[support] + total * change[tail], 0)
            if new.sum() == 0:
                return best
            top = lq_norm(quadratic_forms(kernels, beta), np.inf)
            weights = new / new.sum() * (1.0 if lam is None else top / (2 * lam))
            weights /= max(weights.sum(), 1.0) if lam is None else 1.0
        else:
            weights = weights_from_forms(quadratic_forms(kernels, beta), p, lam)
        best = _improve(best, kernels, y, cost, beta, weights, p, lam)
    return best


def _weight_jacobian(g: Floats, weights: Floats, p: float, lam: float | None) -> Floats:
    """Derivative (m, m) of `weights_from_forms` in `g`."""
    q = dual_exponent(p)
    pull = (g / lq_norm(g, q)) ** (q - 1) / lq_norm(g, q)
    safe = np.where(g > 0, g, 1.0)
    own = (q - 1) * weights / safe
    return np.diag(own) + ((1 - q) if lam is None else (2 - q)) * np.outer(weights, pull)


def _improve(
    best: OracleSolution,
    kernels: Floats,
    y: Floats,
    cost: Floats,
    beta: Floats,
    weights: Floats,
    p: float,
    lam: float | None,
) -> OracleSolution:
    """Keep the better dual point and the better primal point."""
    inside = feasible(beta, y, cost)
    lower = dual_value(kernels, y, inside, p, lam)
    if lower > best.lower:
        best = best._replace(lower=lower, beta=inside)
    upper, b = _upper_bound(kernels, y, cost, beta, weights, p, lam)
    if upper < best.upper:
        best = best._replace(upper=upper, weights=weights, intercept=b)
    return best


def solve_primal(
    kernels: ArrayLike,
    y: ArrayLike,
    cost: ArrayLike,
    p: float = 1.0,
    lam: float | None = None,
) -> float:
    """Optimal value from the primal problem, for checking `solve` against itself.

    Unknowns are the weights ``d`` and, with ``K_k = L_k L_k'``, vectors ``v_k`` such that
    ``f_k = L_k v_k`` and ``||f_k||^2 = ||v_k||^2``: nothing is shared with the dual but the data.
    """
    kernels = np.asarray(kernels, dtype=float)
    y, cost = as_rows(y), np.broadcast_to(as_rows(cost), as_rows(y).shape)
    factors = [_factor(gram) for gram in kernels if np.trace(gram) > 0]
    u = len(y)
    d, size = cp.Variable(len(factors)), cp.Variable()
    v = [cp.Variable((left.shape[1], u)) for left in factors]
    b = cp.Variable((1, u))
    scores = (
        sum(left @ part for left, part in zip(factors, v, strict=True))
        + np.ones((y.shape[1], 1)) @ b
    )
    hinge = cp.pos(1 - cp.multiply(y.T, scores))
    value = 0.5 * sum(cp.quad_over_lin(part, d[k]) for k, part in enumerate(v))
    value += cp.sum(cp.multiply(cost.T, hinge))
    constraints = [d >= 0, *_norm_at_most(d, p, size)]
    if lam is None:
        constraints.append(size <= 1)
    else:
        value += 0.5 * lam * cp.square(size)
    return float(cp.Problem(cp.Minimize(value), constraints).solve(solver=cp.CLARABEL))
