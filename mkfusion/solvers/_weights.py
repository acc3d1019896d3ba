"""Kernel weights: the regulariser that ties them, and the step that improves them.

With ``g_k = beta' K_k beta`` the objective as a function of the weights alone,
``J(d) = max_beta linear' beta - d' g(beta) / 2``, is convex with gradient ``-g/2``. Its Hessian
comes from the free support vectors, so a step maximises the concave model ``c' d - d' H d / 2``,
``c = g/2 + H d_0``, less the regulariser.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mkfusion._types import Floats
from mkfusion.solvers._smo import smo

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

MAX_MODEL_ITER = 100
_MAX_SIMPLEX_ITER = 100_000
_LARGEST_GROWTH = 2.0
_ROUNDING = 1e-14
_LOG_TINY = -300.0
_BOUNDARY_SHARE = 0.9
_MAX_ATTEMPTS = 8


@njit(**_JIT)
def norm(x: Floats, q: float) -> float:
    """Return the lq norm of a non-negative vector without overflow, for q in [1, inf]."""
    top = 0.0
    for k in range(x.size):
        if np.isnan(x[k]):
            return x[k]
        top = max(top, x[k])
    if top == 0.0 or np.isinf(q):
        return top
    total = 0.0
    for k in range(x.size):
        total += (x[k] / top) ** q
    return top * total ** (1.0 / q)


def dual_exponent(p: float) -> float:
    """Return q with 1/p + 1/q = 1."""
    if p == 1.0:
        return np.inf
    return 1.0 if np.isinf(p) else p / (p - 1.0)


class Regulariser(NamedTuple):
    """The lp ball (`lam` 0: ``norm(d, p) <= 1``) or the penalty ``lam/2 * norm(d, p)**2``.

    Parameters
    ----------
    p : float
        In [1, inf].
    lam : float
        0 for the constraint form.
    """

    p: float
    lam: float

    def primal(self, d: Floats) -> float:
        """Return the regulariser's part of the primal objective."""
        return 0.5 * self.lam * norm(d, self.p) ** 2

    def slope(self, d: Floats, move: Floats) -> float:
        """Return how fast `primal` grows at `d` along a move of the weights."""
        size = norm(d, self.p)
        if not (self.lam and size):
            return 0.0
        if np.isinf(self.p):
            return self.lam * size * float(move[d == size].max())
        return self.lam * size * float((d / size) ** (self.p - 1.0) @ move)

    def conjugate(self, g: Floats) -> float:
        """Return what the dual objective subtracts: ``max_d d'g/2 - regulariser(d)``."""
        size = norm(g, dual_exponent(self.p))
        return size**2 / (8.0 * self.lam) if self.lam else 0.5 * size

    @property
    def fixed(self) -> bool:
        """Whether the weights do not depend on the data: the unweighted sum."""
        return np.isinf(self.p) and not self.lam

    def between(self, a: Floats, b: Floats, share: float) -> Floats:
        """Return ``a + share * (b - a)``; scaled to norm 1 in the ball."""
        point = (1.0 - share) * a + share * b
        return point if self.lam else point / norm(point, self.p)

    def start(self, usable: NDArray[np.bool_]) -> Floats:
        """Return equal weights on the usable kernels, of norm 1."""
        count = max(int(usable.sum()), 1)
        return usable / (1.0 if np.isinf(self.p) else count ** (1.0 / self.p))

    def adopt(self, d: Floats, g: Floats, usable: NDArray[np.bool_]) -> Floats:
        """Return weights to start from, given those of another regulariser and their forms."""
        if self.fixed:
            return self.start(usable)
        if self.p == 1.0:
            size = norm(d, 1.0)
            return d if self.lam or not size else d / size
        return self.follow(np.where(usable, d, 0.0), g, 1.0)

    def step(self, d: Floats, g: Floats, H: Floats, tol: float) -> Floats:
        """Return the weights that minimise the quadratic model of J at `d` plus the regulariser.

        Parameters
        ----------
        d, g : ndarray of shape (n_kernels,)
        H : ndarray of shape (n_kernels, n_kernels)
        tol : float
            Suboptimality of the model to stop at.
        """
        if self.lam:
            safe = self.contract(d, g)
            size, goal = norm(d, self.p), norm(safe, self.p)
            # The quadratic model knows nothing of sizes far from the present; the majoriser does.
            if not size / _LARGEST_GROWTH <= goal <= size * _LARGEST_GROWTH:
                return safe
        return self.maximise(d, 0.5 * g + H @ d, H, tol)

    def maximise(self, start: Floats, c: Floats, H: Floats, tol: float) -> Floats:
        """Maximise ``c'd - d'Hd/2`` less the regulariser over d >= 0, from feasible weights."""
        if self.lam:
            return penalty_step(start, c, H, self.p, self.lam, tol)
        return ball_step(start, c, H, self.p, tol)

    def follow(self, d: Floats, g: Floats, share: float) -> Floats:
        """Go a share of the way, in logarithms, from `d` to the best weights for the forms `g`.

        ``contract`` is the share (p - 1) / (p + 1) of it; p > 1.
        """
        q = dual_exponent(self.p)
        size = norm(g, q)
        if size == 0.0:
            return d
        with np.errstate(divide="ignore"):
            target = (q - 1.0) * np.log(g / size) if q > 1.0 else np.where(g > 0.0, 0.0, -np.inf)
            start = np.log(d)
        if self.lam:
            target += np.log(size / (2.0 * self.lam * norm(np.exp(target), self.p)))
        # Weights that vanish may be wanted again, those of kernels of zeros are not.
        mixed = (1.0 - share) * np.maximum(start, _LOG_TINY) + share * np.maximum(target, _LOG_TINY)
        found = np.where(g > 0.0, np.exp(mixed), 0.0)
        return found if self.lam else found / norm(found, self.p)

    def contract(self, d: Floats, g: Floats) -> Floats:
        """Return the minimiser over d' of ``sum_k d_k**2 g_k / (2 d'_k) + regulariser(d')``.

        This majorises the objective, so the step descends however wrong the quadratic model is: the
        analytic update of Kloft et al., "lp-norm multiple kernel learning", JMLR 12 (2011).
        """
        h = d * d * np.maximum(g, 0.0)
        top = h.max(initial=0.0)
        if top == 0.0:
            return d.copy()
        if np.isfinite(self.p):
            direction = (h / top) ** (1.0 / (self.p + 1.0))
        else:
            direction = (h > 0).astype(float)
        direction /= norm(direction, self.p)
        if not self.lam:
            return direction
        used = direction > 0
        size = (float(np.sum(h[used] / direction[used])) / (2.0 * self.lam)) ** (1.0 / 3.0)
        return size * direction


def ball_step(d: Floats, c: Floats, H: Floats, p: float, tol: float) -> Floats:
    """Maximise ``c'd - d'Hd/2`` over the non-negative part of the lp ball."""
    if np.isinf(p):
        return d.copy()
    if p == 1.0:
        m = d.size
        d = d.copy()
        gradient = c - H @ d
        zeros, ones = np.zeros(m), np.ones(m)
        slot = np.arange(m)
        smo(d, gradient, zeros, ones, np.diag(H).copy(), H, slot, 0.0, tol, _MAX_SIMPLEX_ITER)
        # SMO adds and subtracts: rounding is all that such a weight is made of.
        d[d < _ROUNDING] = 0.0
        return d / d.sum()
    return _newton_on_ball(d.copy(), c, H, p, tol, MAX_MODEL_ITER)


def penalty_step(d: Floats, c: Floats, H: Floats, p: float, lam: float, tol: float) -> Floats:
    """Maximise ``c'd - d'Hd/2 - lam/2 norm(d, p)**2`` over d >= 0, direction and size in turn."""
    start = norm(d, p)
    size, direction = start, d / start
    for _ in range(MAX_MODEL_ITER):
        # A direction that is nearly as good as any at a size far too small is not at the right one.
        slope = norm(np.maximum(c - size * (H @ direction), 0.0), dual_exponent(p))
        share = min(1.0, lam * size / slope) if slope else 1.0
        direction = ball_step(direction, size * c, size * size * H, p, 0.5 * share * tol)
        new = float(c @ direction) / (float(direction @ H @ direction) + lam)
        new = min(max(new, start / _LARGEST_GROWTH), start * _LARGEST_GROWTH)
        change, size = abs(new - size), new
        if change * change * lam <= tol:
            break
    return size * direction


@njit(**_JIT)
def _newton_on_ball(d: Floats, c: Floats, H: Floats, p: float, tol: float, max_iter: int) -> Floats:
    """Newton's method on ``c - Hd = nu d**(p-1)``, ``norm(d, p) = 1``, for 1 < p < inf.

    Small weights move in the variable ``x = d**(p-1)``, in which their equation is linear. Where
    that does not gain, the step is shortened, and at last replaced by a Frank-Wolfe step, whose
    gap is also the stopping rule.
    """
    m = d.size
    q = p / (p - 1.0)
    A = np.empty((m + 1, m + 1))
    rhs = np.empty(m + 1)
    candidate = np.empty(m)
    vertex = np.empty(m)
    share = 0.1 * m ** (-1.0 / p)
    for _ in range(max_iter):
        Hd = H @ d
        r = c - Hd
        value = np.dot(c, d) - 0.5 * np.dot(d, Hd)
        top = r.max()
        if top <= 0.0:
            return d
        size = 0.0
        for k in range(m):
            if r[k] > 0.0:
                size += (r[k] / top) ** q
        size = top * size ** (1.0 / q)
        nu = np.dot(r, d)
        if size - nu <= tol:
            return d
        for k in range(m):
            vertex[k] = (r[k] / size) ** (q - 1.0) if r[k] > 0.0 else 0.0
        moved = False
        if nu > 0.0:
            # Scaled by the weights, H + nu (p-1) diag(d**(p-2)) stays finite as they vanish.
            for k in range(m):
                for j in range(m):
                    A[k, j] = d[k] * H[k, j] * d[j]
                dp = d[k] ** p
                A[k, k] += nu * (p - 1.0) * dp + 1e-300
                A[k, m] = dp
                A[m, k] = dp
                rhs[k] = d[k] * r[k] - nu * dp
            A[m, m] = 0.0
            rhs[m] = 0.0
            relative = np.linalg.solve(A, rhs)
            largest_fall = 0.0
            for k in range(m):
                largest_fall = max(largest_fall, -relative[k])
            t = 1.0 if largest_fall <= _BOUNDARY_SHARE else _BOUNDARY_SHARE / largest_fall
            for attempt in range(_MAX_ATTEMPTS):
                total = 0.0
                for k in range(m):
                    if attempt > 0:
                        # Along the Newton direction itself, which ascends, short of any zero.
                        candidate[k] = d[k] * (1.0 + t * relative[k])
                    elif d[k] == 0.0:
                        candidate[k] = vertex[k]
                    elif d[k] < share:
                        x = d[k] ** (p - 1.0) * (1.0 + (p - 1.0) * relative[k])
                        new = x ** (q - 1.0) if x > 0.0 else 0.1 * d[k]
                        candidate[k] = min(new, max(share, d[k] * (1.0 + relative[k])))
                    else:
                        candidate[k] = d[k] * max(1.0 + relative[k], 0.1)
                    total += candidate[k] ** p
                scale = total ** (-1.0 / p)
                if np.isfinite(scale) and scale > 0.0:
                    for k in range(m):
                        candidate[k] *= scale
                    gain = np.dot(c, candidate) - 0.5 * np.dot(candidate, H @ candidate) - value
                    moved = gain > 0.0
                if moved:
                    break
                if attempt > 0:
                    t *= 0.5
        if not moved:
            slope, Hs = size - nu, H @ (vertex - d)
            curvature = np.dot(vertex - d, Hs)
            t = 1.0 if curvature <= slope else slope / curvature
            total = 0.0
            for k in range(m):
                candidate[k] = d[k] + t * (vertex[k] - d[k])
                total += candidate[k] ** p
            scale = total ** (-1.0 / p)
            for k in range(m):
                candidate[k] *= scale
        d[:] = candidate
    return d
