"""Sparse weights of kernels of rank one, such as one linear kernel for each feature.

At p = 1 such kernels are a group lasso: many combinations of weights give nearly the same machine,
forms jump as soon as a kernel gets weight, and steps on the weights with the machines solved in
between see little ahead. The joint dual problem

    max_beta sum_u gain_u(beta_u) - R*(g),    g_k = sum_u beta_u' K_k beta_u,

is smooth once the largest form and the box are replaced by logarithmic barriers,

    R*(g) = min_v v/2 (or v**2 / (8 lam))   subject to   g_k <= v,

and a few Newton steps for each of a few barriers solve it. On the way the weights
``d_k = 2 / (tau (v - g_k))`` are feasible for the primal problem, so that every centre comes with a
gap, of about the number of barriers divided by tau.

References
----------
Boyd and Vandenberghe, "Convex optimization", Cambridge University Press 2004, chapter 11.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from mkfusion._types import Floats, Stack
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._machines import relative_gap
from mkfusion.solvers._many import Stop
from mkfusion.solvers._svm import Task
from mkfusion.solvers._weights import Regulariser

# A Newton system has as many rows as there are samples in all tasks together.
MOST_ROWS = 1500
# Centres are found to this Newton decrement: prices multiply what is missing in the primal value.
_DECREMENT = 1e-7
_MOST_STEPS = 60
# How much sharper the next barrier is, at least and at most; and the share of the tolerance that
# all barriers together may use up before there is no point in sharper ones.
_LEAST_SHARPER, _MOST_SHARPER = 5.0, 30.0
_SHARE, _MOST_WORSE = 0.5, 3
_TO_BOUNDARY, _DESCENT, _SHORTEST = 0.99, 1e-4, 1e-10
_RIDGE = 1e-14
# Dual variables so near to a bound, as a share of the box, are put on it if the gap allows.
_SUM_RTOL = 1e-9
_NEAR_BOUND, _WORSE_ON_BOUNDS = np.logspace(-1, -9, 17), 1.1
# k(x, x) of a kernel of rank one is the square of its factor, up to this share of the largest, or
# so many units of the kernels' rounding.
_RANK_RTOL, _RANK_EPS = 1e-9, 10.0


def rank_one_factors(stack: Stack) -> Floats | None:
    """Return factors (n, m) with ``K_k = z_k z_k'`` if all kernels are of rank one, otherwise None.

    Reads one column of every kernel, as long as they are. A positive semi-definite matrix less
    ``z z'``, z its column j divided by the root of entry j of its diagonal, is one as well; if its
    diagonal vanishes, so does all of it.
    """
    n, _, m = stack.shape
    first = _factor(stack, 0, stack.select(np.array([0])).diagonal()[0])
    if first is None:
        return None  # most stacks of other kernels are told by the first
    factors = np.empty((n, m))
    for k, diagonal in enumerate(stack.diagonal()):
        z = first if k == 0 else _factor(stack, k, diagonal)
        if z is None:
            return None
        factors[:, k] = z
    return factors


def _factor(stack: Stack, k: int, diagonal: Floats) -> Floats | None:
    j = int(np.argmax(diagonal))
    top = diagonal[j]
    if top <= 0.0:
        return np.zeros(diagonal.size)
    column = stack.block(k, None, np.array([j]))[:, 0].astype(float)
    z: Floats = column / np.sqrt(top)
    rtol = max(_RANK_RTOL, _RANK_EPS * float(np.finfo(stack.dtype).eps))
    return z if np.abs(z * z - diagonal).max() <= rtol * top else None


class Found(NamedTuple):
    """A feasible point.

    Attributes
    ----------
    d : ndarray of shape (m,)
    beta : ndarray of shape (n_tasks, n)
    gap : float
        Relative to the primal value.
    n_iter : int
        Barriers.
    """

    d: Floats
    beta: Floats
    gap: float
    n_iter: int


class _Part:
    """The dual variables of one task, strictly within their box.

    ``beta = sum_p sign_p x_p`` with ``0 <= x_p <= cost``, and ``gain(beta) = sum_p price_p x_p``;
    without such parts (squared loss) beta itself is free.

    Attributes
    ----------
    task : Task
    used : ndarray of shape (n_used,)
        Samples whose loss has a price.
    beta : ndarray of shape (n_used,)
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.used = np.flatnonzero(task.cost > 0.0)
        self.cap = task.cost[self.used]
        sides = task.sides()
        self.sign = np.array([sign[self.used] for sign, _ in sides])
        self.price = np.array([price[self.used] for _, price in sides])
        self.ridge = task.ridge()[self.used]
        self.x = self._inside(task.beta[self.used])
        self.beta = self.combined(self.x)

    def _inside(self, beta: Floats) -> Floats:
        """Return variables (n_sides, n_used) to start from, half way into the box at most."""
        if len(self.sign) == 0:
            return beta[np.newaxis].copy()
        if len(self.sign) == 2:
            return np.array([0.5 * self.cap, 0.5 * self.cap])
        total = float(beta.sum())
        if total:  # one class: all of them alike
            return total / self.cap.sum() * self.cap[np.newaxis]
        positive = self.sign[0] > 0.0
        share = np.where(positive, self.cap[~positive].sum(), self.cap[positive].sum())
        return (0.5 * self.cap * share / share.max())[np.newaxis]

    @property
    def n_barriers(self) -> int:
        return 2 * self.sign.size

    def combined(self, x: Floats) -> Floats:
        """Return what variables (n_sides, n_used) make of beta."""
        beta: Floats = np.sum(self.sign * x, axis=0) if len(self.sign) else x[0].copy()
        return beta

    def gain(self, beta: Floats) -> float:
        """Return what `beta` (n_used,) gains, were it not for its bounds."""
        return float(self.task.y[self.used] @ beta)

    def start(self, size: Floats) -> None:
        """Let the variables be about as large as `size` (n_used,), unless their sum is given."""
        if len(self.sign) == 2:
            self.x = np.minimum(self.x, np.maximum(size.mean(), size))
        elif len(self.sign) == 1 and abs(self.beta.sum()) <= _SUM_RTOL * self.x.sum():
            self.x = self.x * min(1.0, float(size.sum() / self.x.sum()))
        self.beta = self.combined(self.x)

    def value(self, x: Floats, tau: float) -> float:
        """Return minus the gain, and the barriers; infinite outside of the box."""
        if len(self.sign) == 0:
            beta = x[0]
            return float(0.5 * self.ridge @ beta**2 - self.task.y[self.used] @ beta)
        if (x <= 0.0).any() or (x >= self.cap).any():
            return np.inf
        barriers = float(np.log(x).sum() + np.log(self.cap - x).sum())
        return -float(np.sum(self.price * x)) - barriers / tau

    def linearise(self, tau: float) -> None:
        """Prepare for a Newton step: what each variable does for itself."""
        if len(self.sign) == 0:
            self._slope = self.ridge * self.x - self.task.y[self.used]
            self._bend = self.ridge[np.newaxis]
            self._signs = np.ones_like(self.x)
        else:
            left = self.cap - self.x
            self._slope = -self.price - (1.0 / self.x - 1.0 / left) / tau
            self._bend = (1.0 / self.x**2 + 1.0 / left**2) / tau
            self._signs = self.sign
        # beta moves by -(slope + (f + H dbeta + nu)) / bend on each side: what remains for beta
        self.stiffness = 1.0 / np.sum(1.0 / self._bend, axis=0)
        self.pull = self.stiffness * np.sum(self._signs * self._slope / self._bend, axis=0)

    def step(self, dbeta: Floats) -> tuple[Floats, float]:
        """Return the move of the variables that moves beta like this, and how far it may go."""
        # In this order nothing cancels: the kernels' part is much larger than the sum of all.
        push = -(self.stiffness * dbeta + self.pull)
        move = -(self._slope + self._signs * push) / self._bend
        # Rounding of an ill-conditioned system must not change the sum of beta.
        excess = float(np.sum(self._signs * move))
        move -= self._signs / self._bend * (excess / float(np.sum(1.0 / self._bend)))
        if len(self.sign) == 0:
            return move, np.inf
        room = np.where(move < 0.0, self.x, self.cap - self.x)
        with np.errstate(divide="ignore", invalid="ignore"):
            limits = np.where(move != 0.0, room / np.abs(move), np.inf)
        return move, float(limits.min())

    def slope_along(self, move: Floats) -> float:
        return float(np.sum(self._slope * move))

    def go(self, move: Floats, share: float) -> None:
        self.x = self.x + share * move
        self.beta = self.combined(self.x)

    def snapped(self, near: float) -> Floats | None:
        """Return dual variables (n,) of which those near a bound are on it; None if none fit.

        Their sum is repaired by those inside.
        """
        full = np.zeros(self.task.y.size)
        if len(self.sign) == 0:
            full[self.used] = self.beta
            return full
        x = np.where(self.x < near * self.cap, 0.0, self.x)
        if len(self.sign) == 2:  # both sides of the tube at once are worth nothing
            both = np.minimum(x[0], x[1])
            x = x - both
        x = np.where(x > (1.0 - near) * self.cap, self.cap, x)
        inside = (x > 0.0) & (x < self.cap)
        missing = float(self.beta.sum()) - float(np.sum(self.sign * x))
        room = np.where(self.sign * missing > 0.0, self.cap - x, x) * inside
        if float(room.sum()) <= abs(missing):
            return None
        x = x + self.sign * missing * room / max(float(room.sum()), np.finfo(float).tiny)
        full[self.used] = self.combined(np.clip(x, 0.0, self.cap))
        return full


class _Problem:
    """The joint dual problem with barriers, on factors of the kernels."""

    def __init__(self, factors: Floats, tasks: list[Task], reg: Regulariser) -> None:
        self.reg = reg
        self.parts = [_Part(task) for task in tasks]
        self.Z = [np.asfortranarray(factors[part.used]) for part in self.parts]
        self.n_barriers = factors.shape[1] + sum(part.n_barriers for part in self.parts)
        self._kappa = 0.5 / reg.lam if reg.lam else 0.0
        self._everything = factors

    def start(self) -> float:
        """Bring the variables to the size that suits the kernels; return that of the objective."""
        directions = [part.task.probe()[part.used] for part in self.parts]
        g = np.sum(self.products(directions) ** 2, axis=0)
        top = float(g.max())
        gain = sum(part.gain(beta) for part, beta in zip(self.parts, directions, strict=True))
        if gain <= 0.0 or top <= 0.0:
            return max(self.reg.conjugate(g), np.finfo(float).tiny)
        # The best multiple s of the directions: s gain - R*(s**2 g)
        s = (2.0 * self.reg.lam * gain / top**2) ** (1.0 / 3.0) if self.reg.lam else gain / top
        for part, beta in zip(self.parts, directions, strict=True):
            part.start(s * np.abs(beta))
        return s * gain

    def products(self, betas: list[Floats]) -> Floats:
        """Return ``z_k' beta_u`` (n_tasks, m)."""
        return np.array([beta @ Z for beta, Z in zip(betas, self.Z, strict=True)])

    def slacks(self, g: Floats, tau: float) -> Floats:
        """Return ``v - g`` for the best v.

        There ``sum_k 1 / (v - g_k)`` is tau / 2, or tau v / (4 lam) with a penalty.
        """
        top = float(g.max())
        below = top - g
        m, lam = g.size, self.reg.lam
        low, high = (0.0, 2.0 * np.sqrt(lam * m / tau)) if lam else (2.0 / tau, 2.0 * m / tau)
        x = high
        for _ in range(200):
            inverse = 1.0 / (x + below)
            excess = float(inverse.sum()) / tau - ((top + x) / (4.0 * lam) if lam else 0.5)
            bend = -float(inverse @ inverse) / tau - (0.25 / lam if lam else 0.0)
            low, high = (x, high) if excess > 0.0 else (low, x)
            new = x - excess / bend
            if not low <= new <= high:
                new = 0.5 * (low + high)
            if abs(new - x) <= 1e-14 * new:
                break
            x = new
        return new + below

    def value(self, xs: list[Floats], P: Floats, tau: float) -> float:
        g = np.sum(P * P, axis=0)
        slacks = self.slacks(g, tau)
        v = float(g[0] + slacks[0])
        smooth = v * v / (8.0 * self.reg.lam) if self.reg.lam else 0.5 * v
        own = sum(part.value(x, tau) for part, x in zip(self.parts, xs, strict=True))
        return smooth - float(np.log(slacks).sum()) / tau + own

    def weights(self, P: Floats, tau: float) -> Floats:
        d = 2.0 / (tau * self.slacks(np.sum(P * P, axis=0), tau))
        return d if self.reg.lam else d / d.sum()

    def centre(self, tau: float, deadline: Deadline) -> bool:
        """Minimise the barrier function, and return whether that came to an end."""
        P = self.products([part.beta for part in self.parts])
        xs = [part.x for part in self.parts]
        value = self.value(xs, P, tau)
        for _ in range(_MOST_STEPS):
            d = self.weights(P, tau)
            try:
                moves, limit, decrement = self._newton_step(d, P, tau)
            except LinAlgError:
                return False
            if not decrement * tau > _DECREMENT:
                return bool(np.isfinite(decrement))
            if deadline.passed:
                return False
            change = self.products([part.combined(move) for part, move in moves])
            share = min(1.0, _TO_BOUNDARY * limit)
            while share > _SHORTEST:
                xs = [part.x + share * move for part, move in moves]
                new = self.value(xs, P + share * change, tau)
                if new <= value - _DESCENT * share * decrement:
                    break
                share *= 0.5
            else:
                return True  # at rounding level
            for part, move in moves:
                part.go(move, share)
            P = self.products([part.beta for part in self.parts])
            value = new
        return False

    def _newton_step(
        self, d: Floats, P: Floats, tau: float
    ) -> tuple[list[tuple[_Part, Floats]], float, float]:
        """Return each part's move, how far all may go, and how steep the way is."""
        sizes = [part.used.size for part in self.parts]
        ends = np.cumsum([0, *sizes])
        a = 0.5 * tau * d * d  # the weights' slope in the forms
        # Hessian: K(d) for each task, and 2 F' (diag(a) - a a' / (sum(a) + kappa)) F for all
        scaled = np.vstack([Z * p for Z, p in zip(self.Z, P, strict=True)])
        H = (scaled * (2.0 * a)) @ scaled.T
        mean = scaled @ a
        H -= np.outer(mean, mean * (2.0 / (float(a.sum()) + self._kappa)))
        forces = np.empty(ends[-1])
        ones = np.zeros((ends[-1], len(sizes)))
        for u, (part, Z) in enumerate(zip(self.parts, self.Z, strict=True)):
            own = slice(ends[u], ends[u + 1])
            part.linearise(tau)
            H[own, own] += (Z * d) @ Z.T
            forces[own] = Z @ (d * P[u])
            ones[own, u] = 1.0
        index = np.arange(ends[-1])
        H[index, index] += np.concatenate([part.stiffness for part in self.parts])
        # Variables near their bounds are stiffer by many orders of magnitude: to one scale first.
        scale = 1.0 / np.sqrt(H[index, index])
        H *= scale
        H *= scale[:, np.newaxis]
        factor = _cholesky(H)
        right = forces + np.concatenate([part.pull for part in self.parts])
        right = scale[:, np.newaxis] * np.column_stack([right, ones])
        solved = scale[:, np.newaxis] * cho_solve(factor, right, check_finite=False)
        nu = np.linalg.solve(ones.T @ solved[:, 1:], ones.T @ solved[:, 0])
        dbeta = -(solved[:, 0] - solved[:, 1:] @ nu)
        moves, limit, decrement = [], np.inf, -float(forces @ dbeta)
        for u, part in enumerate(self.parts):
            move, far = part.step(dbeta[ends[u] : ends[u + 1]])
            moves.append((part, move))
            limit = min(limit, far)
            decrement -= part.slope_along(move)
        return moves, limit, decrement

    def gap(self, d: Floats, betas: list[Floats]) -> float:
        """Return the relative gap at dual variables (n,) of each task."""
        P = np.array([beta @ self._everything for beta in betas])
        g = np.sum(P * P, axis=0)
        primal = 0.5 * float(d @ g) + self.reg.primal(d)
        dual = -self.reg.conjugate(g)
        for part, beta, p in zip(self.parts, betas, P, strict=True):
            primal += part.task.loss(part.task.y - self._everything @ (d * p))[1]
            dual += part.task.gain(beta)
        diagonal = self._everything**2 @ d
        eps = float(np.finfo(float).eps)
        noise = sum(part.task.noise(diagonal, eps) for part in self.parts)
        return relative_gap(primal, dual, noise)

    def betas(self) -> list[Floats]:
        """Return the dual variables (n,) of each task as they are."""
        full = [np.zeros(part.task.y.size) for part in self.parts]
        for beta, part in zip(full, self.parts, strict=True):
            beta[part.used] = part.beta
        return full


def _cholesky(H: Floats) -> tuple[Floats, bool]:
    """Factorise a matrix of unit diagonal, which rounding may have made indefinite."""
    ridge = _RIDGE
    while ridge < 1.0:
        try:
            factor: tuple[Floats, bool] = cho_factor(H, lower=True, check_finite=False)
            return factor
        except LinAlgError:
            H[np.diag_indices(len(H))] += ridge
            ridge *= 100.0
    raise LinAlgError("The system of a Newton step has no factor.")


def solve_by_barriers(factors: Floats, tasks: list[Task], reg: Regulariser, stop: Stop) -> Found:
    """Learn sparse weights (p = 1) of kernels of rank one.

    Parameters
    ----------
    factors : ndarray of shape (n, m)
        ``K_k = z_k z_k'``, z_k the columns.
    tasks : list of Task
        New ones.
    reg : Regulariser
        With p = 1.
    stop : Stop
        As many barriers are tried as choices of weights are allowed.

    Returns
    -------
    Found
        With as many dual variables on their bounds as the gap allows.
    """
    problem = _Problem(factors, tasks, reg)
    tau = problem.n_barriers / problem.start()
    best: Found | None = None
    worse, tol = 0, stop.tol
    for n_iter in range(1, stop.max_iter + 1):
        centred = problem.centre(tau, stop.deadline)
        d = problem.weights(problem.products([part.beta for part in problem.parts]), tau)
        gap = problem.gap(d, problem.betas())
        if best is None or gap < best.gap:
            best, worse = _on_bounds(problem, d, gap, tol), 0
        else:
            worse += 1
        stop.tell(n_iter, best.gap, d)
        if gap <= _SHARE * tol or worse == _MOST_WORSE or not centred:
            break
        tau *= min(max(_LEAST_SHARPER, 3.0 * gap / tol), _MOST_SHARPER)
    assert best is not None
    return best._replace(n_iter=n_iter)


def _on_bounds(problem: _Problem, d: Floats, gap: float, tol: float) -> Found:
    """Put dual variables and weights that are nearly on their bounds there, if the gap allows."""
    for near in _NEAR_BOUND:
        snapped = [part.snapped(near) for part in problem.parts]
        betas = [beta for beta in snapped if beta is not None]
        if len(betas) < len(snapped):
            continue
        sparse = np.where(d < near * d.max(), 0.0, d)
        if not problem.reg.lam:
            sparse = sparse / sparse.sum()
        found = problem.gap(sparse, betas)
        if found <= max(tol, _WORSE_ON_BOUNDS * gap):
            return Found(sparse, np.array(betas), found, 0)
    return Found(d, np.array(problem.betas()), gap, 0)
