"""The support vector machines of all tasks, and what certifies them at any kernel weights."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._types import Floats, Indices, Stack
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._products import (
    columns_and_ones,
    count_samples,
    set_forms,
    weighted_products,
)
from mkfusion.solvers._rounding import relative_gap, rounding_of_dual, rounding_of_primal, sums
from mkfusion.solvers._rows import CACHE, CompositeRows
from mkfusion.solvers._svm import EPS, Task, ridged_cholesky
from mkfusion.solvers._weights import Regulariser

# Of more than three times so many free support vectors, so many tell how the objective bends, until
# what the weights leave of the gap is below this share of the objective: a model need not be more
# right than that far from the optimum.
_MOST_TELLING, _NEAR = 400, 1e-4
# Changes of the gradient that are remembered.
_SECANTS = 10
# Products are made afresh where that reads no more than so many times the rows that changed: more
# where a last certificate would read all of them again.
_AFRESH, _AFRESH_FOR_LAST = 1.15, 1.5
# Values of a kernel that are looked at together.
_VALUES_AT_A_TIME = 2**22


class Certificate(NamedTuple):
    """A feasible point with its primal and dual value, and what is left of the gap to whom.

    Where `complete` is False idle kernels were left out, and `dual` may be too large. `rounding`
    is what rounding errors may add to the gap, known of fresh products only. `decisions` are the
    values (n_tasks, n) at the weights, without intercepts. `gap` is relative.
    """

    d: Floats
    beta: Floats
    g: Floats
    intercept: Floats
    primal: float
    dual: float
    weights_gap: float
    complete: bool
    noise: float
    decisions: Floats
    gap: float
    rounding: float = 0.0

    def rounded(self, rounding: float) -> Certificate:
        """Return the same with what rounding may add."""
        gap = relative_gap(self.primal, self.dual, self.noise, rounding)
        return self._replace(rounding=rounding, gap=gap)

    @property
    def size(self) -> float:
        """What gaps are relative to."""
        return max(abs(self.primal), self.noise)

    @property
    def machines_gap(self) -> float:
        return self.primal - self.dual - self.weights_gap


class Machines:
    """The support vector machines of all tasks, and their products with every kernel.

    Kernels without weight that seem to get none can be set idle: their products are then left
    behind until somebody asks.

    Attributes
    ----------
    beta : ndarray of shape (n_tasks, n)
    g : ndarray of shape (n_kernels,)
        ``sum_u beta_u' K_k beta_u``, as of the last `refresh` for idle kernels.
    defect : float
        See `MKLResult`.
    """

    def __init__(
        self,
        stack: Stack,
        y: Floats,
        cost: Floats,
        loss: Loss,
        reg: Regulariser,
        *,
        fresh: bool = True,
        beta: Floats | None = None,
        cache: int = CACHE,
    ) -> None:
        n, _, m = stack.shape
        self._wants_fresh = fresh
        self._stack = stack
        self.reg = reg
        self.diagonal = stack.diagonal()
        self._eps = float(np.finfo(stack.dtype).eps)
        self._rows = CompositeRows(stack, self.diagonal, cache)
        self.defect = 0.0
        self._tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
        if beta is not None:
            for task, own in zip(self._tasks, beta, strict=True):
                task.beta = own.copy()
        self.beta = np.array([task.beta for task in self._tasks])
        self._F = np.zeros((len(y), m, n))
        self.g = np.zeros(m)
        self._secants: list[tuple[Floats, Floats]] = []
        self._active = np.arange(m)
        self._idle = np.arange(0)
        self._idle_beta = self.beta
        self._fresh = np.ones(m, dtype=bool)
        self._lengths = np.sqrt(np.maximum(self.diagonal, 0.0))
        self._drift = np.zeros((len(y), m))
        if self.beta.any():
            self._multiply(self._active, np.zeros_like(self.beta))

    def restart(self, cost: Floats, reg: Regulariser) -> None:
        """Go on to other prices of the loss, or another regulariser.

        The dual variables are scaled with the prices, or stay as they are where that is feasible
        and better.
        """
        self.focus(np.ones(self.g.size, dtype=bool))
        self.reg = reg
        self._secants.clear()
        old = np.array([task.cost for task in self._tasks])
        counted = old > 0.0
        ratio = float(np.min(cost[counted] / old[counted]))
        linear = sum(task.gain(task.beta) for task in self._tasks)
        gains = {t: t * linear - reg.conjugate(t * t * self.g) for t in (ratio, min(ratio, 1.0))}
        scale = max(gains, key=gains.__getitem__)
        self._F *= scale
        self._drift *= scale
        self._fresh[:] = False
        self.g = scale * scale * self.g
        for task, new in zip(self._tasks, cost, strict=True):
            task.restart(new, scale)
        self.beta = np.array([task.beta for task in self._tasks])
        self._idle_beta = self.beta

    def focus(self, active: NDArray[np.bool_]) -> None:
        """Let the other kernels idle."""
        self.refresh()
        self._active, self._idle = np.flatnonzero(active), np.flatnonzero(~active)

    def refresh(self) -> None:
        """Bring the products with idle kernels up to date."""
        if self._idle_beta is not self.beta:
            self._multiply(self._idle, self._idle_beta)
            self._idle_beta = self.beta

    def _multiply(self, kernels: Indices, old_beta: Floats) -> None:
        """Bring the products of some kernels from some dual variables to the present ones.

        Where that reads about as many rows, they are made afresh: nothing drifts then, and nothing
        is left to do for a last certificate.
        """
        support, moved = count_samples(self.beta, old_beta)
        if not (kernels.size and moved):
            return
        change = self.beta - old_beta
        some = kernels if kernels.size < self.g.size else slice(None)
        if support <= (_AFRESH_FOR_LAST if self._wants_fresh else _AFRESH) * moved:
            self._F[:, some] = 0.0
            change = self.beta
            self._fresh[some] = True
            self._drift[:, some] = 0.0
        else:
            self._fresh[some] = False
            if not self._wants_fresh:
                spans = (np.abs(change) + np.abs(self.beta)) @ self._lengths[some].T
                self._drift[:, some] += spans
        self._stack.add_dot(change, self._F, kernels)
        set_forms(self._F, self.beta, kernels, self.g)

    def set_weights(self, d: Floats) -> None:
        """Go on from the present dual variables on another composite kernel."""
        if d[self._idle].any():
            self.focus(np.ones(d.size, dtype=bool))
        self._d = d
        self._rows.set_weights(d)
        for task, f in zip(self._tasks, self._decisions(d), strict=True):
            task.e = task.y - f
        # Nearly all of them will move.
        free = [task.free for task in self._tasks]
        self._rows.require(free[0] if len(free) == 1 else np.unique(np.concatenate(free)))

    @property
    def stuck(self) -> bool:
        """Whether rounding, or the number of iterations, ended the last `solve` of a task."""
        return any(task.stuck for task in self._tasks)

    def solve(self, share: float, allowance: float, ceiling: float, deadline: Deadline) -> None:
        """Bring the machines' gap at the present weights to ``max(share * primal, allowance)``.

        Stops early once their optimum is seen to lie above `ceiling`.
        """
        for task in self._tasks:
            task.solve(self._rows, share, allowance / len(self._tasks), ceiling, deadline)
            task.settle()
            self._note(task.defect)
        old, self.beta = self.beta, np.array([task.beta for task in self._tasks])
        self.g = self.g.copy()
        self._multiply(self._active, old)
        for task, f in zip(self._tasks, self._decisions(self._d), strict=True):
            task.e = task.y - f

    def _note(self, defect: float) -> None:
        """Keep the largest defect of a composite kernel, as a share of its diagonal."""
        if defect > 0.0:
            self.defect = max(self.defect, defect / float(self._rows.diag.mean()))

    def _decisions(self, d: Floats) -> Floats:
        """Return the decision values without intercept (n_tasks, n) at any weights."""
        return weighted_products(d, self._F)

    def certify(self, d: Floats) -> Certificate:
        """Evaluate both objectives at the present dual variables and any weights."""
        complete = not self._idle.size or self._idle_beta is self.beta
        g = self.g if complete else self.g[self._active]
        quadratic = float(d @ self.g)
        conjugate = self.reg.conjugate(g)
        dual, loss = -conjugate, 0.0
        intercept = np.empty(len(self._tasks))
        decisions = self._decisions(d)
        for u, (task, f) in enumerate(zip(self._tasks, decisions, strict=True)):
            dual += task.gain(task.beta)
            intercept[u], task_loss = task.loss(task.y - f)
            loss += task_loss
        penalty = self.reg.primal(d)
        primal = 0.5 * quadratic + loss + penalty
        weights_gap = max(penalty + conjugate - 0.5 * quadratic, 0.0)
        noise = 0.0
        if any(task.cancels for task in self._tasks):
            noise = sum(task.noise(d @ self.diagonal, self._eps) for task in self._tasks)
        return Certificate(
            d,
            self.beta,
            self.g,
            intercept,
            primal,
            dual,
            weights_gap,
            complete,
            noise,
            decisions,
            relative_gap(primal, dual, noise),
        )

    def vouch(self, d: Floats, beta: Floats, tol: float) -> Certificate:
        """Evaluate weights and dual variables with fresh products, and what rounding may add.

        Products that were kept by increments drift, the more the larger the dual variables once
        were; where fresh ones are not insisted on, they do if a bound of that is small enough.
        """
        if self.beta is not beta:
            for task, own in zip(self._tasks, beta, strict=True):
                task.beta = own.copy()
                task.settle()
            self.beta = np.array([task.beta for task in self._tasks])
            self._fresh[:] = False
        if self._idle_beta is not self.beta:
            self._fresh[self._idle] = False
            self._idle_beta = self.beta
        stale = np.flatnonzero(~self._fresh)
        if stale.size and not self._wants_fresh:
            drifted = self.certify(d)
            spans = np.abs(self.beta) @ self._lengths.T + self._drift
            rounding = self._rounding(drifted, spans, (spans * d) @ self._lengths)
            drifted = drifted.rounded(rounding)
            if drifted.gap <= tol:
                return drifted
        if stale.size:
            self.g = self.g.copy()
            self.g[stale] = 0.0
            self._F[:, stale] = 0.0
            self._multiply(stale, np.zeros_like(self.beta))
            self._fresh[:] = True
        fresh = self.certify(d)
        spans, bounds, _ = sums(self._stack, d, self.beta)
        rounded = fresh.rounded(self._rounding(fresh, spans, bounds))
        if fresh.gap > tol or rounded.gap <= tol:
            return rounded
        # Where Cauchy and Schwarz do not do, the kernels themselves are looked at.
        sizes = np.zeros_like(self.beta)
        support = np.flatnonzero(self.beta.any(axis=0))
        pieces = len(support) * beta.shape[1] // _VALUES_AT_A_TIME + 1
        for rows in np.array_split(support, pieces):
            for k in np.flatnonzero(d):
                block = np.abs(self._stack.block(int(k), rows, None))
                sizes += d[k] * (np.abs(self.beta[:, rows]) @ block)
        return fresh.rounded(self._rounding(fresh, spans, sizes))

    def kernels_rounding(self, at: Certificate) -> float:
        """Return the size of what rounding errors in the kernels themselves do to the objective.

        They are no longer positive semi-definite then, and forms of dual variables along their
        negative eigenvalues make the problem one that has several optima.
        """
        roots = np.abs(at.beta) @ np.sqrt(np.maximum(at.d @ self.diagonal, 0.0))
        stored = self._eps * float(roots @ roots) if self._eps > EPS else 0.0
        seen = [task.defect * float(b @ b) for task, b in zip(self._tasks, at.beta, strict=True)]
        return 0.5 * max(stored, sum(seen))

    def _rounding(self, at: Certificate, spans: Floats, sizes: Floats) -> float:
        """Return what rounding may add to a gap.

        Parameters
        ----------
        at : Certificate
        spans : ndarray of shape (n_tasks, n_kernels)
            Roots of bounds of what forms are sums of.
        sizes : ndarray of shape (n_tasks, n)
            What decision values are sums of.
        """
        found = rounding_of_primal(
            self._tasks, self.beta, at.intercept, self._decisions(at.d), sizes
        )
        return found + rounding_of_dual(self.reg, at.g, spans, at.beta.shape[1])

    def better_weights(self, at: Certificate, tol: float, *, renew: bool) -> Floats:
        """Return the weights that minimise a quadratic model of the objective.

        Parameters
        ----------
        at : Certificate
            Where the model is right: the present weights and forms if `renew`.
        tol : float
            Suboptimality of the model to stop at.
        renew : bool
            Whether to compute the Hessian there, or take the last one.
        """
        if at.d[self._idle].any():
            self.focus(np.ones(at.d.size, dtype=bool))
        active = self._active
        if renew:
            self._local = np.zeros((at.d.size, at.d.size))
            H = self._hessian(roughly=at.weights_gap > _NEAR * at.size)
            if not self.reg.lam:
                _take_scaling_out(H, at.d[active], at.g[active])
            self._local[np.ix_(active, active)] = H
        H = self._local[np.ix_(active, active)]
        for step, change in self._secants:
            _add_curvature(H, step[active], change[active])
        found = np.zeros_like(at.d)
        found[active] = self.reg.step(at.d[active], at.g[active], H, tol)
        return found

    def warm_start_weights(self, tol: float) -> Floats:
        """Return good weights for a new regulariser, from those that belong to the last one.

        `tol` is the suboptimality to stop at, as a share of the weighted forms.
        """
        start = self.reg.adopt(self._d, self.g, self.diagonal.max(axis=1) > 0.0)
        if self.reg.fixed:
            return start
        # The forms follow the weights: the quadratic model knows how, `adopt` does not.
        H = self._hessian(roughly=True)
        c = 0.5 * self.g + H @ self._d
        return self.reg.maximise(start, c, H, tol * float(self._d @ self.g))

    def learn(self, start: Certificate, end: Certificate) -> None:
        """Remember how the gradient, -g/2, changed between two choices of weights.

        The Hessian knows nothing of support vectors that come and go; where most are at their
        bounds it is nearly zero, and the objective bends all the same.
        """
        self._secants.append((end.d - start.d, 0.5 * (start.g - end.g)))
        del self._secants[:-_SECANTS]

    def forget(self) -> None:
        """Trust the Hessian alone again."""
        self._secants.clear()

    def _hessian(self, *, roughly: bool) -> Floats:
        """Return the Hessian of the machines' optimum in the weights of the active kernels.

        It is the sum of V M V' over the tasks, where V (n_active, n_free) holds the products of
        the free support vectors, and M the inverse of the composite kernel ``L L'`` between them,
        bordered by the equality constraint. It takes the cube of their number, so that some of them
        tell where `roughly` will do, or where there is no memory for all.
        """
        m = self._active.size
        H = np.zeros((m, m))
        for task, F in zip(self._tasks, self._F, strict=True):
            free, most = task.free, self._rows.largest_block
            if roughly and free.size > 3 * _MOST_TELLING:
                most = min(most, _MOST_TELLING)
            if free.size <= most:
                H += self._bend(task, F, free)
            else:
                order = np.random.default_rng(0).permutation(free)
                some = self._bend(task, F, np.sort(order[:most]))
                fewer = self._bend(task, F, np.sort(order[: most // 2]))
                H += some * _extrapolated(some, fewer, free.size / most)
        return 0.5 * (H + H.T)

    def _bend(self, task: Task, F: Floats, free: Indices) -> Floats:
        """Return V M V' of some free support vectors of a task."""
        m = self._active.size
        if free.size < 2:
            return np.zeros((m, m))
        factor = ridged_cholesky(task.curvature(self._rows.block(free), free))
        self._note(np.inf if factor is None else factor.defect)
        if factor is None:  # a flat model only costs iterations
            return np.zeros((m, m))
        # ``L**-1 V'`` is half of the work of ``M V'``.
        W = factor.halve(columns_and_ones(F, self._active, free).T)
        V, ones = W[:, :m], W[:, m]
        border = ones @ V
        bend: Floats = V.T @ V - np.outer(border, border / (ones @ ones))
        return bend


def _extrapolated(some: Floats, fewer: Floats, growth: float) -> float:
    """Return how much larger a Hessian is with `growth` times as many samples as in `some`.

    It grows as a power of their number: with the number itself where samples have little to do with
    each other, not at all where these say everything. `fewer` is that of half of them.
    """
    traces = float(np.trace(some)), float(np.trace(fewer))
    if not 0.0 < traces[1] < traces[0]:
        return 1.0
    return float(growth ** min(math.log2(traces[0] / traces[1]), 1.0))


def _take_scaling_out(H: Floats, d: Floats, g: Floats) -> None:
    """Make H that of a model which is right along d itself, where norms of weights are fixed.

    Were all support vectors free, the objective J would be inversely proportional to the size of
    the weights: ``1 / J`` is concave and homogeneous, and its quadratic model holds for steps that
    are much longer than those for which that of J does. For J itself this takes ``Hd (Hd)' / d'g``
    from H, which leaves ``Hd = 0``. Where some are at their bounds J bends the less along d, and as
    much less of it is taken.

    Parameters
    ----------
    H : ndarray of shape (m, m)
        Modified in place.
    d, g : ndarray of shape (m,)
        Weights and forms there.
    """
    bend = H @ d
    size, along = float(d @ g), float(d @ bend)
    if along > 0.0 and size > 0.0:
        share = min(along / size, 1.0)  # more is rounding
        H -= np.outer(bend, bend * (share * share / along))


def _add_curvature(H: Floats, step: Floats, change: Floats) -> None:
    """Update H, as BFGS does, where the gradient changed more along a step than H says."""
    seen = float(step @ change)
    bend = H @ step
    believed = float(step @ bend)
    if seen <= 0.0 or believed >= seen:
        return
    if believed > 0.0:
        H -= np.outer(bend, bend / believed)
    H += np.outer(change, change / seen)
