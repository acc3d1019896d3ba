"""Multiple kernel learning to a certified duality gap: SMO inside, Newton steps on the weights.

Two levels. With the weights fixed, SMO solves the support vector machine of every task on the
composite kernel, whose rows are combined from the stack when first needed. The products
``F_k = K_k beta`` are kept up to date from the rows of the dual variables that changed, so that
gaps, the gradient and the Hessian with respect to the weights, and the decision function at any
other weights cost O(n_kernels n) instead of a pass over the stack.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ._blas import one_blas_thread
from ._certificate import intercept_and_loss
from ._many import Report, solve_by_columns, solve_by_passes
from ._rows import CompositeRows
from ._svm import RIDGE, Task
from ._types import Floats, Indices, MKLResult, Stack
from ._weights import Regulariser

# Share of the tolerance that the support vector machines may use up; the rest is for the weights.
_SVM_SHARE = 0.4
# The machines are solved to this share of the gap that the weights leave; beforehand, to a smaller
# share of the gap that the last weights left, because SMO costs less than the products after it;
# and at first, when nothing is known of the weights, to this share of the objective.
_INNER_RATIO = 0.5
_NEXT_RATIO = 0.02
_FIRST_INNER = 1e-3
# At p = 1 kernels without weight whose form is below this share of the largest are left idle, until
# the active ones reach this share of the tolerance among themselves; not before the relative gap is
# so small that forms tell something.
_IDLE_FORM = 0.7
_IDLE_SHARE = 0.5
# The model of the objective in the weights is solved to this share of the gap they leave.
_MODEL_RATIO = 0.02
_IDLE_GAP = 0.3
# From so many samples on, weights are first learned on some of them: a third, as long as these are
# enough, and more than so many only for a twentieth.
_SAMPLE_FROM = 400
_SAMPLE_SHARE, _ENOUGH_SAMPLES, _LEAST_SHARE = 3, 256, 20
_SAMPLE_TOL, _SAMPLE_ITER = 1e-2, 20
# Neighbours in memory that are chosen together: two cache lines.
_RUN = 16
_MAX_SHARPENINGS = 20
# More kernels than these are not multiplied one by one, nor is a matrix of their number kept.
_MANY = 1000
_MAX_RETREATS = 5
# How much of a step that went too far is kept at least and at most.
_LEAST_KEPT, _MOST_KEPT = 0.05, 0.7


class _Certificate(NamedTuple):
    """A feasible point with its primal and dual value, and what is left of the gap to whom.

    Where `complete` is False idle kernels were left out, and `dual` may be too large.
    """

    d: Floats
    beta: Floats
    g: Floats
    intercept: Floats
    primal: float
    dual: float
    weights_gap: float
    complete: bool

    @property
    def gap(self) -> float:
        return max(self.primal - self.dual, 0.0) / self.primal if self.primal > 0.0 else 0.0

    @property
    def machines_gap(self) -> float:
        return self.primal - self.dual - self.weights_gap


class _Machines:
    """The support vector machines of all tasks, and their products with every kernel.

    Kernels without weight that seem to get none can be set idle: their products are then left
    behind until somebody asks.

    Attributes
    ----------
    beta : ndarray of shape (n_tasks, n)
    g : ndarray of shape (n_kernels,)
        ``sum_u beta_u' K_k beta_u``, as of the last `refresh` for idle kernels.
    """

    def __init__(self, stack: Stack, y: Floats, cost: Floats, reg: Regulariser) -> None:
        n, _, m = stack.shape
        self._stack = stack
        self._reg = reg
        self.diagonal = stack.diagonal()
        self._rows = CompositeRows(stack, self.diagonal)
        self._tasks = [Task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
        self.beta = np.zeros((len(y), n))
        self._F = np.zeros((len(y), m, n))
        self.g = np.zeros(m)
        self._active = np.arange(m)
        self._idle = np.arange(0)
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
        if kernels.size:
            self._stack.add_dot(self.beta - old_beta, self._F, kernels)
            forms = np.einsum("ukn,un->k", self._F[:, kernels], self.beta)
            self.g[kernels] = np.maximum(forms, 0.0)

    def set_weights(self, d: Floats) -> None:
        """Go on from the present dual variables on another composite kernel."""
        if d[self._idle].any():
            self.focus(np.ones(d.size, dtype=bool))
        self._d = d
        self._rows.set_weights(d)
        for task, f in zip(self._tasks, self._decisions(d), strict=True):
            task.e = task.y - f
        # Nearly all of them will move.
        self._rows.require(np.unique(np.concatenate([task.free for task in self._tasks])))

    def solve(self, share: float, allowance: float, ceiling: float) -> None:
        """Bring the machines' gap at the present weights to ``max(share * primal, allowance)``.

        Stops early once their optimum is seen to lie above `ceiling`.
        """
        for task in self._tasks:
            task.solve(self._rows, share, allowance / len(self._tasks), ceiling)
        old, self.beta = self.beta, np.array([task.beta for task in self._tasks])
        self.g = self.g.copy()
        self._multiply(self._active, old)
        for task, f in zip(self._tasks, self._decisions(self._d), strict=True):
            task.e = task.y - f

    def _decisions(self, d: Floats) -> Floats:
        """Return the decision values without intercept (n_tasks, n) at any weights."""
        used = np.flatnonzero(d)
        return d[used] @ self._F[:, used] if 2 * used.size < d.size else d @ self._F

    def certify(self, d: Floats) -> _Certificate:
        """Evaluate both objectives at the present dual variables and any weights."""
        complete = not self._idle.size or self._idle_beta is self.beta
        g = self.g if complete else self.g[self._active]
        quadratic = float(d @ self.g)
        conjugate = self._reg.conjugate(g)
        dual, loss = -conjugate, 0.0
        intercept = np.empty(len(self._tasks))
        for u, (task, f) in enumerate(zip(self._tasks, self._decisions(d), strict=True)):
            dual += float(task.y @ task.beta)
            intercept[u], task_loss = intercept_and_loss(task.y - f, task.y, task.cost)
            loss += task_loss
        penalty = self._reg.primal(d)
        primal = 0.5 * quadratic + loss + penalty
        weights_gap = max(penalty + conjugate - 0.5 * quadratic, 0.0)
        return _Certificate(d, self.beta, self.g, intercept, primal, dual, weights_gap, complete)

    def better_weights(self, d: Floats, g: Floats, tol: float) -> Floats:
        """Return the weights that minimise a quadratic model of the objective around `d`."""
        active = self._active
        found = np.zeros_like(d)
        found[active] = self._reg.step(d[active], g[active], self._hessian(), tol)
        return found

    def _hessian(self) -> Floats:
        """Return the Hessian of the machines' optimum in the weights of the active kernels.

        It is the sum of V M V' over the tasks, where V (n_active, n_free) holds the products of
        the free support vectors, and M the inverse of the composite kernel between them, bordered
        by the equality constraint.
        """
        m = self._active.size
        H = np.zeros((m, m))
        for task, F in zip(self._tasks, self._F, strict=True):
            free = task.free
            if free.size < 2:
                continue
            K = self._rows.block(free)
            K.flat[:: free.size + 1] += RIDGE * K.trace() / free.size + np.finfo(float).tiny
            try:
                factor = cho_factor(K, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:  # a flat model only costs iterations
                continue
            right = np.ones((free.size, m + 1), order="F")
            right[:, :m] = F[np.ix_(self._active, free)].T
            V = right[:, :m].T.copy()
            Z = cho_solve(factor, right, overwrite_b=True, check_finite=False)
            ones = Z[:, m]
            border = V @ ones
            H += V @ Z[:, :m] - np.outer(border, border) / ones.sum()
        return 0.5 * (H + H.T)


def solve_mkl(
    stack: Stack,
    y: Floats,
    cost: Floats,
    *,
    p: float = 1.0,
    lam: float = 0.0,
    tol: float = 1e-3,
    max_iter: int = 200,
    report: Report = None,
) -> MKLResult:
    """Learn kernel weights shared by one or several binary hinge-loss tasks.

    Solves ``max_beta sum_u y_u' beta_u - R*(g)`` over the tasks u, with the quadratic forms
    ``g_k = sum_u beta_u' K_k beta_u``, subject to ``0 <= y beta <= cost`` and ``1' beta_u = 0``;
    R* is the conjugate of the weights' regulariser.

    Parameters
    ----------
    stack : Stack
        Symmetric positive semi-definite kernels of shape (n, n, n_kernels).
    y : ndarray of shape (n_tasks, n)
        Labels -1 and 1.
    cost : ndarray of shape (n_tasks, n)
        Non-negative price of each sample's hinge loss.
    p, lam : float, default=1.0 and 0.0
        The regulariser: see `Regulariser`.
    tol : float, default=1e-3
        Relative duality gap to reach.
    max_iter : int, default=200
        Most choices of weights to try.
    report : callable, default=None
        Called as ``report(n_iter, gap, weights)`` after every certificate.

    Returns
    -------
    MKLResult
        The best certified point; its gap is above `tol` only if `converged` is False.
    """
    reg = Regulariser(float(p), float(lam))
    with one_blas_thread():
        if stack.shape[2] <= _MANY:
            return _solve(stack, y, cost, reg, tol, max_iter, report)
        if reg.p == 1.0:
            return solve_by_columns(stack, y, cost, reg, tol, max_iter, report, _solve)
        return solve_by_passes(stack, y, cost, reg, tol, max_iter, report)


def _first_weights(
    stack: Stack, y: Floats, cost: Floats, reg: Regulariser, diagonal: Floats
) -> Floats:
    """Return weights to start from: those of some of the samples, or equal ones."""
    usable = diagonal.max(axis=1) > 0.0
    sample = None if reg.fixed else _sample(y, cost)
    if sample is None:
        return reg.start(usable)
    # The loss keeps its size against the regulariser.
    scaled = cost[:, sample] * (cost.sum() / cost[:, sample].sum())
    few = stack.take(sample, sample).materialize()
    d = _solve(few, y[:, sample], scaled, reg, _SAMPLE_TOL, _SAMPLE_ITER, None).weights
    if reg.p > 1.0 and not d[usable].all():
        # A kernel that is zero on these samples only must not stay without weight.
        d = reg.between(d, reg.start(usable), 0.5)
    return d


def _sample(y: Floats, cost: Floats) -> Indices | None:
    """Choose samples on which good weights are found for a small part of the work; None if few.

    Runs of neighbours, because memory is read by the line.
    """
    n = y.shape[1]
    if n < _SAMPLE_FROM:
        return None
    size = max(min(n // _SAMPLE_SHARE, _ENOUGH_SAMPLES), n // _LEAST_SHARE)
    starts = np.linspace(0, n - _RUN, size // _RUN).astype(np.intp)
    sample = np.unique(starts[:, np.newaxis] + np.arange(_RUN))
    positive = (y[:, sample] > 0) & (cost[:, sample] > 0)
    negative = (y[:, sample] < 0) & (cost[:, sample] > 0)
    return sample if positive.any(axis=1).all() and negative.any(axis=1).all() else None


def _share_to_keep(start: _Certificate, end: _Certificate) -> float:
    """Return where between two choices of weights the objective is smallest, as far as one sees.

    The minimiser of the cubic with its values and slopes (the gradient is -g/2) at both ends.
    """
    step = end.d - start.d
    slope_0, slope_1 = -0.5 * float(start.g @ step), -0.5 * float(end.g @ step)
    rise = 3.0 * (start.primal - end.primal) + slope_0 + slope_1
    root = np.sqrt(max(rise * rise - slope_0 * slope_1, 0.0))
    share = 1.0 - (slope_1 + root - rise) / (slope_1 - slope_0 + 2.0 * root)
    return float(np.clip(share, _LEAST_KEPT, _MOST_KEPT)) if np.isfinite(share) else _MOST_KEPT


def _solve(
    stack: Stack,
    y: Floats,
    cost: Floats,
    reg: Regulariser,
    tol: float,
    max_iter: int,
    report: Report,
) -> MKLResult:
    machines = _Machines(stack, y, cost, reg)
    d = _first_weights(stack, y, cost, reg, machines.diagonal)
    best: _Certificate | None = None
    anchor: _Certificate | None = None
    share, allowance = _SVM_SHARE * tol if reg.fixed else max(_SVM_SHARE * tol, _FIRST_INNER), 0.0
    may_idle = reg.p == 1.0
    n_iter = retreats = 0
    while True:
        n_iter += 1
        machines.set_weights(d)
        ceiling = np.inf if anchor is None else anchor.primal - reg.primal(d)
        for _ in range(_MAX_SHARPENINGS):
            machines.solve(share, allowance, ceiling)
            now = machines.certify(d)
            if not now.complete and now.weights_gap <= _IDLE_SHARE * tol * now.primal:
                machines.refresh()
                now = machines.certify(d)
                # Forms of rank-one kernels jump when another one gets weight: once they proved
                # not to be foreseeable, all kernels stay active.
                may_idle = False
                machines.focus(np.ones(d.size, dtype=bool))
            if now.complete and (best is None or now.gap < best.gap):
                best = now
            wanted = max(_INNER_RATIO * now.weights_gap, _SVM_SHARE * tol * now.primal)
            if report is not None:
                report(n_iter, now.gap if best is None else best.gap, d)
            worse = anchor is not None and now.primal - now.machines_gap > anchor.primal
            converged = now.complete and now.gap <= tol
            if converged or now.machines_gap <= wanted or worse:
                break
            share, allowance = 0.0, min(wanted, 0.5 * now.machines_gap)
        if converged or n_iter >= max_iter or reg.fixed:
            break
        share, allowance = 0.0, max(_NEXT_RATIO * now.weights_gap, _SVM_SHARE * tol * now.primal)
        if anchor is not None and worse:
            # The optimum at d lies above a value already reached: the step went too far. Where the
            # objective has a kink at the anchor (dual variables that are not unique) no step along
            # the model's direction may help; from here, contraction still descends.
            retreats += 1
            if retreats <= _MAX_RETREATS:
                d = reg.between(anchor.d, d, _share_to_keep(anchor, now))
            else:
                d = reg.contract(d, now.g)
            continue
        anchor, retreats = now, 0
        d = machines.better_weights(d, now.g, _MODEL_RATIO * now.weights_gap)
        # The new weights may close the gap with the dual variables as they are.
        ahead = machines.certify(d)
        if ahead.complete and (best is None or ahead.gap < best.gap):
            best = ahead
            if best.gap <= tol:
                break
        if may_idle and now.complete and now.gap <= _IDLE_GAP:
            machines.focus((d > 0.0) | (now.g > _IDLE_FORM * now.g.max()))
    if best is None:
        machines.refresh()
        best = machines.certify(d)
    return MKLResult(
        best.d,
        best.beta,
        best.intercept,
        best.primal,
        best.dual,
        best.gap,
        n_iter,
        best.gap <= tol,
    )
