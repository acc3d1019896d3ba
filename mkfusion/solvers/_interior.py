"""Sparse weights of kernels of rank one, such as one linear kernel for each feature.

At p = 1 such kernels are a group lasso: many combinations of weights give nearly the same machine,
forms jump as soon as a kernel gets weight, and steps on the weights with the machines solved in
between see little ahead. The joint dual problem

    min_{beta, v} v/2 (or v**2 / (8 lam)) - sum_u gain_u(beta_u)
    subject to    g_k = sum_u beta_u' K_k beta_u <= v,   beta_u in its box and on its hyperplane,

is a convex program of few variables. The multiplier of ``g_k <= v`` is half of the weight d_k, so
that stationarity in beta says ``f = K(d) beta``: primal-dual interior points carry weights and dual
variables, and with them a gap, all the way. Some tens of steps solve it, each a linear system of as
many rows as there are samples.

References
----------
Boyd and Vandenberghe, "Convex optimization", Cambridge University Press 2004, section 11.7;
Mehrotra, "On the implementation of a primal-dual interior point method", SIAM Journal on
Optimization 2 (1992), for the predictor and corrector.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.blas import dsyrk

from mkfusion._types import Floats, Stack
from mkfusion.solvers._cones import Cones, mirror, reach_in_cones
from mkfusion.solvers._many import Stop
from mkfusion.solvers._rounding import relative_gap
from mkfusion.solvers._svm import Task
from mkfusion.solvers._weights import Regulariser

# A Newton system has as many rows as there are samples in all tasks together.
MOST_ROWS = 1500
# The gap falls to this share of the tolerance; once it was so small, so many steps without a
# smaller one show that there is nothing but rounding.
_SHARE, _NEAR, _MOST_WORSE = 0.1, 0.5, 5
# A step goes so far towards the nearest bound.
_TO_BOUNDARY = 0.995
_RIDGE, _LEAST = 1e-14, float(np.finfo(float).tiny)
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
        Steps.
    """

    d: Floats
    beta: Floats
    gap: float
    n_iter: int


class _Part:
    """The dual variables of one task, strictly within their box, and the multipliers of its sides.

    ``beta = sum_p sign_p x_p`` with ``0 <= x_p <= cost``, and ``gain(beta) = sum_p price_p x_p``;
    without such parts (squared loss) beta itself is free.

    Attributes
    ----------
    task : Task
    used : ndarray of shape (n_used,)
        Samples whose loss has a price.
    beta : ndarray of shape (n_used,)
    low, high : ndarray of shape (n_sides, n_used)
        Multipliers of ``x >= 0`` and ``x <= cost``.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.used = np.flatnonzero(task.cost > 0.0)
        self.cap = task.cost[self.used]
        sides = task.sides()
        self.sign = np.array([sign[self.used] for sign, _ in sides])
        self.price = np.array([price[self.used] for _, price in sides])
        self.ridge = task.ridge()[self.used]
        self._set(self._inside(task.beta[self.used]))
        self.low = self.high = np.zeros_like(self.sign)

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

    def _set(self, x: Floats) -> None:
        self.x = x
        self.beta = self.combined(x)

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
            self._set(np.minimum(self.x, np.maximum(size.mean(), size)))
        elif len(self.sign) == 1 and abs(self.beta.sum()) <= _SUM_RTOL * self.x.sum():
            self._set(self.x * min(1.0, float(size.sum() / self.x.sum())))

    def price_bounds(self, f: Floats) -> None:
        """Let all multipliers be alike, of the size of what they balance at decisions f (n_used,).

        Losses are about as large; products that are all alike instead let most steps end early.
        """
        if len(self.sign):
            size = float(np.abs(self.price).mean() + np.abs(f).mean())
            self.low = self.high = np.full_like(self.x, size)

    @property
    def products(self) -> Floats:
        """What is zero at the optimum: bounds times their multipliers."""
        if not len(self.sign):
            return np.empty(0)
        return np.concatenate([self.x * self.low, (self.cap - self.x) * self.high]).ravel()

    def products_after(self, move: Move, share: float) -> Floats:
        """Return what they are after a share of a move."""
        if not len(self.sign):
            return np.empty(0)
        x = self.x + share * move.x
        low, high = self.low + share * move.low, self.high + share * move.high
        return np.concatenate([x * low, (self.cap - x) * high]).ravel()

    def linearise(self) -> None:
        """Prepare for steps: how stiffly each variable is held."""
        if len(self.sign) == 0:
            self._signs, self._bend = np.ones_like(self.x), self.ridge[np.newaxis]
        else:
            self._signs, self._bend = self.sign, self.low / self.x + self.high / (self.cap - self.x)
        # beta moves by -(slope + (f + H dbeta + nu)) / bend on each side: what remains for beta
        self.stiffness = 1.0 / np.sum(1.0 / self._bend, axis=0)

    def aim(self, mu: float, last: Move | None) -> None:
        """Let the next step end where products are `mu`, as far as one sees from the last."""
        if len(self.sign) == 0:
            self._slope = self.ridge * self.x - self.task.y[self.used]
        else:
            at_low = at_high = np.full_like(self.x, mu)
            if last is not None:
                at_low, at_high = at_low - last.x * last.low, at_high + last.x * last.high
            self._to_low, self._to_high = at_low / self.x, at_high / (self.cap - self.x)
            self._slope = self._to_high - self._to_low - self.price
        self.pull = self.stiffness * np.sum(self._signs * self._slope / self._bend, axis=0)

    def move(self, dbeta: Floats) -> Move:
        """Return the move of variables and multipliers that moves beta like this."""
        # Rounding of an ill-conditioned system must not change the sum of beta.
        yielding = np.sum(1.0 / self._bend, axis=0)
        dbeta = dbeta - yielding * (float(dbeta.sum()) / float(yielding.sum()))
        # The side that is held loosely, about which its own equation says little, does the rest.
        push = -(self.stiffness * dbeta + self.pull)
        x = -(self._slope + self._signs * push) / self._bend
        samples = np.arange(dbeta.size)
        loose = np.argmin(self._bend, axis=0)
        x[loose, samples] = 0.0
        rest = dbeta - np.sum(self._signs * x, axis=0)
        x[loose, samples] = self._signs[loose, samples] * rest
        if len(self.sign) == 0:
            return Move(x, self.low, self.high)
        low = self._to_low - self.low - self.low / self.x * x
        high = self._to_high - self.high + self.high / (self.cap - self.x) * x
        return Move(x, low, high)

    def reach(self, move: Move) -> float:
        """Return how far variables and multipliers may go."""
        if len(self.sign) == 0:
            return np.inf
        return min(
            _reach(self.x, move.x),
            _reach(self.cap - self.x, -move.x),
            _reach(self.low, move.low),
            _reach(self.high, move.high),
        )

    def go(self, move: Move, share: float) -> None:
        self._set(self.x + share * move.x)
        self.low = self.low + share * move.low
        self.high = self.high + share * move.high

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


class Move(NamedTuple):
    """How the variables of a task and the multipliers of their bounds move."""

    x: Floats
    low: Floats
    high: Floats


def _reach(values: Floats, moves: Floats) -> float:
    """Return the multiple of the moves that brings the first value to zero."""
    falling = moves < 0.0
    return float(np.min(values[falling] / -moves[falling], initial=np.inf))


class _Step(NamedTuple):
    """A step of everything, and how far it may go."""

    parts: list[Move]
    cones: Floats
    duals: Floats
    reach: float


class _Problem:
    """The joint dual problem on factors of the kernels, and the present point.

    Attributes
    ----------
    parts : list of _Part
    """

    def __init__(self, factors: Floats, tasks: list[Task], reg: Regulariser) -> None:
        self.reg = reg
        self.parts = [_Part(task) for task in tasks]
        self._everything = factors
        self._Z = [np.asfortranarray(factors[part.used]) for part in self.parts]
        sizes = [part.used.size for part in self.parts]
        ends = np.cumsum([0, *sizes])
        self._own = [slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        self._ones = np.zeros((ends[-1], len(sizes)))
        for u, own in enumerate(self._own):
            self._ones[own, u] = 1.0
        self._start()

    def _start(self) -> None:
        """Bring the variables to the size that suits the kernels."""
        directions = [part.task.probe()[part.used] for part in self.parts]
        top = float(np.sum(self._products(directions) ** 2, axis=1).max())
        gain = sum(part.gain(beta) for part, beta in zip(self.parts, directions, strict=True))
        size = _LEAST
        if gain > 0.0 and top > 0.0:
            # The best multiple s of the directions: s gain - R*(s**2 g)
            lam = self.reg.lam
            s = (2.0 * lam * gain / top**2) ** (1.0 / 3.0) if lam else gain / top
            size = s * s * top
            for part, beta in zip(self.parts, directions, strict=True):
                part.start(s * np.abs(beta))
        P = self._products([part.beta for part in self.parts])
        m = len(P)
        t = float(np.sqrt(2.0 * max(float(np.sum(P**2, axis=1).max()), size)))
        self._s = np.column_stack([np.full(m, t), P])
        self._z = mirror(self._s) * (self._norm_slope(t)[0] / (m * t))
        for part, Z, w in zip(self.parts, self._Z, self._z[:, 1:].T, strict=True):
            part.price_bounds(Z @ w)

    def _norm_slope(self, t: float) -> tuple[float, float]:
        """Return the slope of ``t**2 / 2``, or ``t**4 / (8 lam)``, and the slope's slope."""
        lam = self.reg.lam
        return (0.5 * t**3 / lam, 1.5 * t**2 / lam) if lam else (t, 1.0)

    def _products(self, betas: list[Floats]) -> Floats:
        """Return ``z_k' beta_u`` (m, n_tasks)."""
        return np.array([beta @ Z for beta, Z in zip(betas, self._Z, strict=True)]).T

    @property
    def mu(self) -> float:
        """The mean of what is zero at the optimum."""
        own = [part.products for part in self.parts]
        return float(np.mean(np.concatenate([np.sum(self._s * self._z, axis=1), *own])))

    def advance(self) -> None:
        """Go one step.

        Raises
        ------
        LinAlgError
            If there is no step.
        """
        self._linearise()
        far = self._step(0.0, None)
        mu = self.mu
        centring = (self._mu_after(far, min(1.0, far.reach)) / mu) ** 3
        step = self._step(min(centring, 1.0) * mu, far)
        share = min(1.0, _TO_BOUNDARY * step.reach)
        for part, move in zip(self.parts, step.parts, strict=True):
            part.go(move, share)
        self._s[:, 0] += share * step.cones[0, 0]
        self._s[:, 1:] = self._products([part.beta for part in self.parts])
        self._z += share * step.duals
        self.share = share

    def _mu_after(self, step: _Step, share: float) -> float:
        s, z = self._s + share * step.cones, self._z + share * step.duals
        products = [np.sum(s * z, axis=1)]
        for part, move in zip(self.parts, step.parts, strict=True):
            products.append(part.products_after(move, share))
        return float(np.mean(np.concatenate(products)))

    def _linearise(self) -> None:
        """Factorise the system of a step."""
        for part in self.parts:
            part.linearise()
        self._cones = Cones(self._s, self._z)
        M = self._cones.inverse
        tasks = range(len(self.parts))
        H = np.empty((len(self._ones), len(self._ones)))
        for u in tasks:
            H[self._own[u], self._own[u]] = _gram(self._Z[u] * np.sqrt(M[:, u + 1, u + 1]))
            for w in range(u):
                H[self._own[u], self._own[w]] = (self._Z[u] * M[:, u + 1, w + 1]) @ self._Z[w].T
                H[self._own[w], self._own[u]] = H[self._own[u], self._own[w]].T
        self._bend = self._norm_slope(self._s[0, 0])[1] + float(M[:, 0, 0].sum())
        self._size_slope = np.concatenate([Z @ M[:, 0, u + 1] for u, Z in enumerate(self._Z)])
        H -= np.outer(self._size_slope, self._size_slope / self._bend)
        index = np.arange(len(H))
        H[index, index] += np.concatenate([part.stiffness for part in self.parts])
        # Variables near their bounds are stiffer by many orders of magnitude: to one scale first.
        scale = 1.0 / np.sqrt(H[index, index])
        H *= scale
        H *= scale[:, np.newaxis]
        self._factor, self._scale = _cholesky(H), scale
        self._solved_ones = self._solve(self._ones)

    def _solve(self, right: Floats) -> Floats:
        scale = self._scale[:, np.newaxis]
        solved: Floats = scale * cho_solve(self._factor, scale * right, check_finite=False)
        return solved

    def _balanced(self, right: Floats) -> Floats:
        """Solve the system of a step, up to what keeps the sums of the dual variables."""
        solved = self._solve(right[:, np.newaxis])[:, 0]
        nu = np.linalg.solve(self._ones.T @ self._solved_ones, self._ones.T @ solved)
        balanced: Floats = solved - self._solved_ones @ nu
        return balanced

    def _step(self, mu: float, last: _Step | None) -> _Step:
        """Return the step to where all products are `mu`, with what `last` tells of curvature."""
        cones, M = self._cones, self._cones.inverse
        zeros = np.zeros_like(self._s)
        target = cones.target(mu, *((zeros, zeros) if last is None else (last.cones, last.duals)))
        lacking = float(np.sum(self._z[:, 0] + target[:, 0]))
        lacking -= self._norm_slope(self._s[0, 0])[0]
        wanted = self._z[:, 1:] + target[:, 1:]  # -w
        forces = np.concatenate([-(Z @ w) for Z, w in zip(self._Z, wanted.T, strict=True)])
        forces += self._size_slope * (lacking / self._bend)
        for u, part in enumerate(self.parts):
            part.aim(mu, None if last is None else last.parts[u])
        dbeta = -self._balanced(forces + np.concatenate([part.pull for part in self.parts]))
        ds = np.empty_like(self._s)
        # Before the sums are repaired: these products are multiplied by very large numbers.
        ds[:, 1:] = self._products([dbeta[own] for own in self._own])
        ds[:, 0] = (lacking - float(np.sum(M[:, 0, 1:] * ds[:, 1:]))) / self._bend
        dz = target - np.einsum("kij,kj->ki", M, ds)
        moves = [part.move(dbeta[own]) for part, own in zip(self.parts, self._own, strict=True)]
        reach = min(reach_in_cones(self._s, ds), reach_in_cones(self._z, dz))
        reach = min([reach, *(p.reach(move) for p, move in zip(self.parts, moves, strict=True))])
        return _Step(moves, ds, dz, reach)

    def weights(self) -> Floats:
        """Return feasible weights."""
        d = self._z[:, 0] / self._s[0, 0]
        return d if self.reg.lam else d / d.sum()

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


def _gram(Z: Floats) -> Floats:
    """Return ``Z Z'``."""
    H: Floats = dsyrk(1.0, Z, lower=1)
    return H + np.tril(H, -1).T


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


def solve_by_interior_points(
    factors: Floats, tasks: list[Task], reg: Regulariser, stop: Stop
) -> Found | None:
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
        As many steps are gone as choices of weights are allowed.

    Returns
    -------
    Found or None
        None if there is no step at all; with as many weights and dual variables on their bounds
        as the gap allows.
    """
    problem = _Problem(factors, tasks, reg)
    found = _follow_path(problem, stop)
    m, rows = factors.shape[1], sum(part.used.size for part in problem.parts)
    left = stop._replace(max_iter=stop.max_iter - (found.n_iter if found else 0), report=None)
    if found is None or found.gap > stop.tol or np.count_nonzero(found.d) <= rows:
        return found
    # No more kernels than rows are needed. Small weights that could not be left out are, once the
    # others are found without them.
    most = np.sort(np.argsort(-found.d)[:rows])
    few = _follow_path(_Problem(factors[:, most], tasks, reg), left)
    n_iter = found.n_iter + (few.n_iter if few else 0)
    if few is not None:
        sparse = np.zeros(m)
        sparse[most] = few.d
        gap = problem.gap(sparse, list(few.beta))
        if gap <= stop.tol:
            found = Found(sparse, few.beta, gap, 0)
    return found._replace(n_iter=n_iter)


@np.errstate(all="ignore")  # what is no number ends the path
def _follow_path(problem: _Problem, stop: Stop) -> Found | None:
    """Go steps until the gap is small enough, or nothing but rounding is left."""
    best: Found | None = None
    worse, tol = 0, stop.tol
    for n_iter in range(1, stop.max_iter + 1):
        try:
            problem.advance()
        except LinAlgError:
            break
        d = problem.weights()
        gap = problem.gap(d, problem.betas())
        if not np.isfinite(gap):
            break
        if best is None or gap < best.gap:
            best, worse = _on_bounds(problem, d, gap, tol), 0
        elif best.gap < _NEAR:
            worse += 1
        stop.tell(n_iter, best.gap, d)
        if gap <= _SHARE * tol or worse == _MOST_WORSE or stop.deadline.passed:
            break
    return None if best is None else best._replace(n_iter=n_iter)


def _on_bounds(problem: _Problem, d: Floats, gap: float, tol: float) -> Found:
    """Put weights and dual variables that are nearly on their bounds there, if the gap allows."""
    betas = problem.betas()
    allowed = max(tol, _WORSE_ON_BOUNDS * gap)
    for near in _NEAR_BOUND if gap <= tol else ():
        sparse = np.where(d < near * d.max(), 0.0, d)
        if not problem.reg.lam:
            sparse = sparse / sparse.sum()
        found = problem.gap(sparse, betas)
        if found <= allowed:
            d, gap = sparse, found
            break
    for near in _NEAR_BOUND if gap <= tol else ():
        snapped = [part.snapped(near) for part in problem.parts]
        fit = [beta for beta in snapped if beta is not None]
        if len(fit) == len(snapped):
            found = problem.gap(d, fit)
            if found <= allowed:
                betas, gap = fit, found
                break
    return Found(d, np.array(betas), gap, 0)
