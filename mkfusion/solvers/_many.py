"""So many samples that rows of all of them cost more than the problem on those that matter.

A sample whose dual variable is zero does not change the solution. Solving for some samples gives
dual variables, and with them a dual value, of the whole problem; its primal value needs one pass
over what the support vectors say of all samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats, Indices, Stack
from mkfusion.solvers._limits import MAX_ITER, MAX_TIME, ROUNDING, Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._rounding import relative_gap, rounding_of_dual, rounding_of_primal, sums
from mkfusion.solvers._rows import WholeRows, bytes_of_kernels, bytes_of_rows
from mkfusion.solvers._svm import BoxTask
from mkfusion.solvers._weights import Regulariser

# Kernels that a restricted problem gets in addition, as long as they are not more numbers: half of
# them the most violating ones, half some of a larger number of violating ones, which are more
# different. A pass over all kernels costs more than a restricted problem with all of these.
_MOST_ADDED, _LEAST_ADDED, _ADDED_NUMBERS = 400, 20, 2**25
# Kernels without weight whose form is below this share of the largest are dropped again.
_DROPPED_FORM = 0.7
# A restricted problem is solved to this share of the tolerance, a machine to the other.
_RESTRICTED_SHARE, _SVM_SHARE = 0.3, 0.3
# How much of the way to the weights that the present forms suggest is gone first, and how this
# changes when the objective fell or rose.
_FIRST_SHARE, _BOLDER, _TIMID = 0.5, 1.5, 0.4
# A gap of which rounding may be this share of the tolerance has it as its limit, unless the gap
# reached is so much larger that more choices would bring it on.
_FAR_FROM_ROUNDING, _WORTHLESS = 1e-6, 0.5


class MKLResult(NamedTuple):
    """What `solve_mkl` found.

    Attributes
    ----------
    weights : ndarray of shape (n_kernels,)
    beta : ndarray of shape (n_tasks, n)
        Signed dual variables.
    intercept : ndarray of shape (n_tasks,)
    decisions : ndarray of shape (n_tasks, n)
        Values for all samples, those of no price too, without intercepts.
    primal, dual : float
        Objective values; the optimum lies between them.
    gap : float
        ``(primal - dual) / primal``, and what rounding may add.
    n_iter : int
        Choices of weights that were tried.
    converged : bool
    limit : str
        What ended the search if not: `MAX_ITER`, `MAX_TIME` or `ROUNDING`.
    forms : ndarray of shape (n_kernels,)
        ``sum_u beta_u' K_k beta_u``.
    rounding : float
        What rounding errors may add to the difference of `primal` and `dual`.
    noise : float
        Objective values of this size are rounding errors of 0.
    defect : float
        By how much composite kernels that were factorised on the way are less than positive
        semi-definite, as a share of the mean of their diagonal.
    """

    weights: Floats
    beta: Floats
    intercept: Floats
    decisions: Floats
    primal: float
    dual: float
    gap: float
    n_iter: int
    converged: bool
    limit: str = MAX_ITER
    forms: Floats = np.empty(0)
    rounding: float = 0.0
    noise: float = 0.0
    defect: float = 0.0

    @property
    def size(self) -> float:
        """What gaps are relative to."""
        return max(abs(self.primal), self.noise)


Report = Callable[[int, float, Floats], None] | None


class Stop(NamedTuple):
    """When to stop, and whom to tell of the way there.

    Attributes
    ----------
    tol : float
        Relative duality gap to reach.
    max_iter : int
        Most choices of weights to try.
    deadline : Deadline
    report : callable or None
        Called as ``report(n_iter, gap, weights)``.
    """

    tol: float
    max_iter: int
    deadline: Deadline
    report: Report

    def tell(self, n_iter: int, gap: float, weights: Floats) -> None:
        """Report, if somebody wants to know."""
        if self.report is not None:
            self.report(n_iter, gap, weights)

    def limit(self, n_iter: int, rounding: float, gap: float, size: float) -> str:
        """Return what ended a search that did not reach the tolerance.

        Parameters
        ----------
        n_iter : int
            Choices of weights that were tried.
        rounding : float
            What it may add to the gap.
        gap, size : float
            The relative gap reached, and what it is relative to.
        """
        if self.deadline.passed:
            return MAX_TIME
        reached = rounding > _FAR_FROM_ROUNDING * gap * size
        if reached and rounding > _WORTHLESS * self.tol * size:
            return ROUNDING
        return MAX_ITER if n_iter >= self.max_iter else ROUNDING


def _ended(best: MKLResult, n_iter: int, stop: Stop) -> MKLResult:
    limit = stop.limit(n_iter, best.rounding, best.gap, best.size)
    return best._replace(n_iter=n_iter, limit=limit)


class Start(NamedTuple):
    """Where a search begins.

    Attributes
    ----------
    weights : ndarray of shape (n_kernels,)
    beta : ndarray of shape (n_tasks, n)
        Feasible dual variables.
    """

    weights: Floats
    beta: Floats


# Called with where to begin as well, if that is known.
Solver = Callable[..., MKLResult]


def nothing_to_learn(
    stack: Stack, y: Floats, cost: Floats, loss: Loss, reg: Regulariser
) -> MKLResult | None:
    """Return the optimum if a constant is optimal, with a loss of zero; otherwise None."""
    tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
    if not all(task.vanishes() for task in tasks):
        return None
    m = stack.shape[2]
    weights = np.zeros(m) if reg.lam else reg.start(np.ones(m, dtype=bool))
    intercept = np.array([task.loss(task.y)[0] for task in tasks])
    zeros = np.zeros_like(y)
    return MKLResult(weights, zeros, intercept, zeros, 0.0, 0.0, 0.0, 1, True)


def solve_by_columns(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
    solve: Solver,
) -> MKLResult:
    """Learn sparse weights (p = 1): solve for some kernels, look at all, add what violates.

    Parameters
    ----------
    stack, y, cost, loss
        As for `solve_mkl`.
    reg : Regulariser
    stop : Stop
    solve : callable
        Solves the problem of a few kernels in memory.

    Returns
    -------
    MKLResult
    """
    m, tol = stack.shape[2], stop.tol
    rng = np.random.default_rng(0)
    tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
    forms = stack.quadratic(np.array([task.probe() for task in tasks]))
    added = min(_MOST_ADDED, max(_LEAST_ADDED, _ADDED_NUMBERS // stack.shape[0] ** 2))
    active = np.sort(np.argsort(-forms)[:added])
    best: MKLResult | None = None
    for n_iter in range(1, stop.max_iter + 1):
        few = stack.select(active).materialize()
        inner = Stop(_RESTRICTED_SHARE * tol, stop.max_iter, stop.deadline, None)
        result = solve(few, y, cost, loss, reg, inner)
        forms = stack.quadratic(result.beta)
        gain = sum(task.gain(beta) for task, beta in zip(tasks, result.beta, strict=True))
        dual = gain - reg.conjugate(forms)
        weights = np.zeros(m)
        weights[active] = result.weights
        spans = sums(stack, weights, result.beta).spans
        rounding = result.rounding + rounding_of_dual(reg, forms, spans, y.shape[1])
        gap = relative_gap(result.primal, dual, result.noise, rounding)
        if best is None or gap < best.gap:
            best = result._replace(
                weights=weights,
                dual=dual,
                gap=gap,
                n_iter=n_iter,
                converged=gap <= tol,
                forms=forms,
                rounding=rounding,
            )
        stop.tell(n_iter, best.gap, weights)
        hopeless = rounding > tol * result.size
        if gap <= tol or hopeless or stop.deadline.passed:
            break
        active = _next_active(active, result.weights, forms, added // 2, rng)
    assert best is not None
    return _ended(best, n_iter, stop)


def _next_active(
    active: Indices, weights: Floats, forms: Floats, half: int, rng: np.random.Generator
) -> Indices:
    """Drop kernels that seem useless, and add `half` of the worst and `half` of other violators."""
    top = forms[active].max()
    kept = active[(weights > 0.0) | (forms[active] > _DROPPED_FORM * top)]
    outside = np.ones(forms.size, dtype=bool)
    outside[active] = False
    violating = np.flatnonzero(outside & (forms > top))
    violating = violating[np.argsort(-forms[violating])]
    first, rest = violating[:half], violating[half:]
    rest = rest[: max(len(rest) // 4, half)]
    some = rng.choice(rest, size=min(half, len(rest)), replace=False)
    return np.unique(np.concatenate([kept, first, some]))


def solve_by_passes(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
) -> MKLResult:
    """Learn smooth weights (p > 1): weights follow the forms, as far as the objective falls.

    Parameters
    ----------
    stack, y, cost, loss
        As for `solve_mkl`.
    reg : Regulariser
    stop : Stop

    Returns
    -------
    MKLResult
    """
    tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
    tol = stop.tol
    beta = np.zeros_like(y)
    d = anchor_d = reg.start(stack.diagonal().max(axis=1) > 0.0)
    anchor_forms, reached = np.zeros_like(d), np.inf
    share = _FIRST_SHARE
    best: MKLResult | None = None
    for n_iter in range(1, stop.max_iter + 1):
        K = stack.combine(d)
        rows = WholeRows(K)
        for task in tasks:
            task.e = task.y - K @ task.beta
            task.solve(rows, _SVM_SHARE * tol, 0.0, np.inf, stop.deadline)
            task.settle()
        beta = np.array([task.beta for task in tasks])
        forms = np.maximum(stack.quadratic(beta), 0.0)
        decisions = beta @ K
        found = [task.loss(task.y - f) for task, f in zip(tasks, decisions, strict=True)]
        own = 0.5 * float(np.sum(decisions * beta))
        primal = own + sum(value for _, value in found) + reg.primal(d)
        gain = sum(task.gain(task.beta) for task in tasks)
        dual = gain - reg.conjugate(forms)
        noise = sum(task.noise(rows.diag, float(np.finfo(stack.dtype).eps)) for task in tasks)
        intercept = np.array([b for b, _ in found])
        spans, sizes, _ = sums(stack, d, beta)
        rounding = rounding_of_primal(tasks, beta, intercept, decisions, sizes)
        rounding += rounding_of_dual(reg, forms, spans, y.shape[1])
        gap = relative_gap(primal, dual, noise, rounding)
        if best is None or gap < best.gap:
            best = MKLResult(
                d,
                beta,
                intercept,
                decisions,
                primal,
                dual,
                gap,
                n_iter,
                gap <= tol,
                forms=forms,
                rounding=rounding,
                noise=noise,
            )
        stop.tell(n_iter, best.gap, d)
        hopeless = rounding > tol * max(abs(primal), noise)
        if gap <= tol or reg.fixed or hopeless or stop.deadline.passed:
            break
        # The machines' optimum at d, which their dual values bound from below.
        optimum = gain - own + reg.primal(d)
        if optimum <= reached:
            share = min(1.0, _BOLDER * share) if np.isfinite(reached) else share
            anchor_d, anchor_forms, reached = d, forms, primal
        else:
            share *= _TIMID
        d = reg.follow(anchor_d, anchor_forms, share)
    assert best is not None
    return _ended(best, n_iter, stop)


# It pays from so many samples on, unless more than this share of the first are support vectors.
MANY_SAMPLES, _MOST = 5000, 0.43
# A problem on some samples is solved to this share of the tolerance, or, while the others
# contribute more to the gap, to this share of what they did; the first ones to this gap.
_TOL_SHARE, _GAP_SHARE, _FIRST_TOL = 0.3, 0.1, 1e-2


def solve_by_samples(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
    solve: Solver,
    sample: Indices,
    cache: int,
) -> MKLResult | None:
    """Solve for some samples, look at all, add what violates; None if most samples matter.

    Parameters
    ----------
    stack, y, cost, loss
        As for `solve_mkl`.
    reg : Regulariser
    stop : Stop
    solve : callable
        Solves the problem of a few samples in memory.
    sample : ndarray of shape (s,)
        Samples to begin with.
    cache : int
        Bytes that kernels between some samples may take.

    Returns
    -------
    MKLResult or None
    """
    tasks = _sparse_tasks(y, cost, loss)
    if tasks is None:
        return None

    tol = stop.tol
    rng = np.random.default_rng(0)
    chosen, accuracy, n_iter = sample, max(_FIRST_TOL, _TOL_SHARE * tol), 0
    start: Start | None = None
    best: MKLResult | None = None
    while best is None or (best.gap > tol and n_iter < stop.max_iter):
        few = stack.take(chosen, chosen)
        if bytes_of_kernels(few, len(chosen)) <= cache:
            few = few.materialize()
        inner = Stop(accuracy, stop.max_iter - n_iter, stop.deadline, None)
        part = solve(few, y[:, chosen], cost[:, chosen], loss, reg, inner, start)
        n_iter += part.n_iter
        dense = np.count_nonzero(part.beta.any(axis=0)) > _MOST * len(chosen)
        if best is None and dense and bytes_of_rows(y.shape[1]) <= cache:
            return None
        beta = np.zeros_like(y)
        beta[:, chosen] = part.beta
        decisions = _decisions(stack, part.weights, beta)
        intercept, wanted, total = _violations(tasks, decisions)
        forms = [(task.y - task.e) @ b for task, b in zip(tasks, beta, strict=True)]
        primal = 0.5 * float(sum(forms)) + total + reg.primal(part.weights)
        spans, sizes, _ = sums(stack, part.weights, beta)
        rounding = rounding_of_primal(tasks, beta, intercept, decisions, sizes)
        rounding += rounding_of_dual(reg, part.forms, spans, y.shape[1])
        gap = relative_gap(primal, part.dual, part.noise, rounding)
        if best is None or gap < best.gap:
            best = part._replace(
                beta=beta,
                intercept=intercept,
                decisions=decisions,
                primal=primal,
                gap=gap,
                converged=gap <= tol,
                rounding=rounding,
            )
        stop.tell(n_iter, best.gap, part.weights)
        if rounding > tol * max(abs(primal), part.noise) or stop.deadline.passed:
            break
        wanted[chosen] = 0.0
        # Drawn from those that violate: the worst of all are outliers, which spoil what is learned.
        outside = rng.permutation(np.flatnonzero(wanted))[: len(chosen)]
        accuracy = min(_GAP_SHARE * float(wanted.sum()) / primal, accuracy) if primal else 0.0
        accuracy = max(_TOL_SHARE * tol, accuracy)
        chosen = np.union1d(chosen, outside)
        start = Start(part.weights, beta[:, chosen])
    return _ended(best, n_iter, stop)


def _sparse_tasks(y: Floats, cost: Floats, loss: Loss) -> list[BoxTask] | None:
    """Return the tasks if zero is a feasible dual variable for every sample, otherwise None."""
    tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
    sparse = [task for task in tasks if isinstance(task, BoxTask) and not task.beta.any()]
    return sparse if len(sparse) == len(tasks) else None


def _decisions(stack: Stack, weights: Floats, beta: Floats) -> Floats:
    """Return the decision values (n_tasks, n) without intercept."""
    used = np.flatnonzero(weights)
    products = np.zeros((len(beta), used.size, beta.shape[1]))
    stack.select(used).add_dot(beta, products)
    return weights[used] @ products


def _violations(tasks: list[BoxTask], decisions: Floats) -> tuple[Floats, Floats, float]:
    """Return what decision values mean for all samples.

    Returns
    -------
    intercept : ndarray of shape (n_tasks,)
    wanted : ndarray of shape (n,)
        The loss of each sample: its share of the gap if its dual variables are zero.
    total : float
        The loss of all.
    """
    intercept = np.empty(len(tasks))
    wanted, total = np.zeros(decisions.shape[1]), 0.0
    for u, (task, f) in enumerate(zip(tasks, decisions, strict=True)):
        task.e = task.y - f
        intercept[u], loss = task.loss(task.e)
        total += loss
        r = task.e - intercept[u]
        one = np.maximum(task.upper * (r - task.epsilon), task.lower * (r + task.epsilon))
        wanted += np.maximum(one, 0.0)
    return intercept, wanted, total
