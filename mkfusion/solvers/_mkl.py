"""Multiple kernel learning to a certified duality gap: SMO inside, Newton steps on the weights.

Two levels. With the weights fixed, SMO solves the support vector machine of every task on the
composite kernel, whose rows are combined from the stack when first needed. The products
``F_k = K_k beta`` are kept up to date from the rows of the dual variables that changed, so that
gaps, the gradient and the Hessian with respect to the weights, and the decision function at any
other weights cost O(n_kernels n) instead of a pass over the stack.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats, Indices, Mask, Stack
from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._features import few_features, solve_by_features
from mkfusion.solvers._interior import MOST_ROWS, rank_one_factors, solve_by_interior_points
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._losses import Hinge, Loss
from mkfusion.solvers._machines import Certificate, Machines
from mkfusion.solvers._many import (
    MANY_SAMPLES,
    MKLResult,
    Report,
    Start,
    Stop,
    nothing_to_learn,
    solve_by_columns,
    solve_by_passes,
    solve_by_samples,
)
from mkfusion.solvers._parts import RUN, is_usable, runs, scaled_cost
from mkfusion.solvers._rows import CACHE, bytes_of_kernels
from mkfusion.solvers._weights import Regulariser

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
_MAX_SHARPENINGS = 20
# Machines that rounding keeps from their accuracy are left once their gap does not fall to this
# share; so many of them end a fit.
_STUCK, _MOST_FAILURES = 0.5, 3
# So many choices of weights in a row that do not bring the gap to this share end a fit on kernels
# whose own rounding errors are larger than the tolerance.
_MOST_VAIN, _PROGRESS = 10, 0.9
# Where the gap that the weights leave does not fall below this share of the one before, the
# machines are solved so much more accurately, down to this share of what would do otherwise.
_STALL, _SHARPER, _SHARPEST = 0.5, 0.1, 1e-6
# Kernels of rank one: so few are first tried as others are, with so many choices of weights; so
# many numbers are kept of their factors.
_FEW_KERNELS, _TRIAL, _MOST_FACTORS = 5, 30, 2**25
# More kernels than these are not multiplied one by one, nor is a matrix of their number kept.
MANY_KERNELS = 1000
# A step that went too far is either a lesson for the model, which shows how the objective bends
# where support vectors come and go, or shortened by interpolation, which copes with objectives that
# rise like a barrier. Each way fails on some problems, so they take turns of so many iterations;
# lessons count only up to such a share above the best objective, and after so many retreats the
# model is given up.
_TERM, _COMPARABLE = 10, 0.2
_MAX_LESSONS, _MAX_RETREATS = 5, 10
# How much of a step that went too far is kept at least and at most.
_LEAST_KEPT, _MOST_KEPT = 0.05, 0.7

HINGE = Hinge()


def solve_mkl(
    stack: Stack,
    y: Floats,
    cost: Floats,
    *,
    loss: Loss = HINGE,
    p: float = 1.0,
    lam: float = 0.0,
    tol: float = 1e-3,
    max_iter: int = 200,
    max_time: float | None = None,
    report: Report = None,
    cache: int = CACHE,
) -> MKLResult:
    """Learn kernel weights shared by one or several tasks of the same loss.

    Solves ``max_beta sum_u gain_u(beta_u) - R*(g)`` over the tasks u, with the quadratic forms
    ``g_k = sum_u beta_u' K_k beta_u``; R* is the conjugate of the weights' regulariser. For the
    hinge loss, gain is ``y_u' beta_u`` subject to ``0 <= y beta <= cost`` and ``1' beta_u = 0``.

    Parameters
    ----------
    stack : Stack
        Symmetric positive semi-definite kernels of shape (n, n, n_kernels).
    y : ndarray of shape (n_tasks, n)
        Targets: labels -1 and 1, or numbers.
    cost : ndarray of shape (n_tasks, n)
        Non-negative price of each sample's loss.
    loss : Loss, default=Hinge()
    p, lam : float, default=1.0 and 0.0
        The regulariser: see `Regulariser`.
    tol : float, default=1e-3
        Relative duality gap to reach.
    max_iter : int, default=200
        Most choices of weights to try.
    max_time : float, default=None
        Seconds after which to end with what there is, about; None is no limit.
    report : callable, default=None
        Called as ``report(n_iter, gap, weights)`` after every certificate.
    cache : int, default=2**31
        Bytes for rows of the composite kernel and what is made of them, of a loss whose machines
        are solved by SMO.

    Returns
    -------
    MKLResult
        The best certified point; its gap is above `tol` only if `converged` is False.
    """
    reg = Regulariser(float(p), float(lam))
    stop = Stop(tol, max_iter, Deadline(max_time), report)
    solve = partial(_solve, cache=cache)
    with one_blas_thread():
        zero = nothing_to_learn(stack, y, cost, loss, reg)
        if zero is not None:
            return zero
        factors = _factors(stack, y, loss, reg)
        if factors is not None:
            return _solve_rank_one(stack, factors, y, cost, loss, reg, stop, cache)
        features = few_features(stack) if loss.separable else None
        if features is not None:
            return solve_by_features(stack, features, y, cost, loss, reg, stop)
        if stack.shape[2] <= MANY_KERNELS:
            found = None
            sample = _sample(y, cost, loss, _most_samples(stack, cache))
            if sample is not None and y.shape[1] >= MANY_SAMPLES and not stack.in_memory:
                found = solve_by_samples(stack, y, cost, loss, reg, stop, solve, sample, cache)
            return found or solve(stack, y, cost, loss, reg, stop)
        if reg.p == 1.0:
            return solve_by_columns(stack, y, cost, loss, reg, stop, solve)
        return solve_by_passes(stack, y, cost, loss, reg, stop)


class Setting(NamedTuple):
    """One problem of a path.

    Attributes
    ----------
    cost : ndarray of shape (n_tasks, n)
    p, lam : float
    """

    cost: Floats
    p: float
    lam: float


def solve_path(
    stack: Stack,
    y: Floats,
    settings: Iterable[Setting],
    *,
    loss: Loss = HINGE,
    tol: float = 1e-3,
    max_iter: int = 200,
    max_time: float | None = None,
    fresh: bool = True,
    start: Floats | None = None,
    cache: int = CACHE,
) -> Iterator[MKLResult]:
    """Solve problems on the same kernels and targets, each from the solution of the one before.

    Parameters
    ----------
    stack : Stack
        Symmetric positive semi-definite kernels of shape (n, n, n_kernels).
    y : ndarray of shape (n_tasks, n)
        Targets: labels -1 and 1, or numbers.
    settings : iterable of Setting
        Best in an order in which neighbours have similar solutions.
    loss : Loss, default=Hinge()
    tol : float, default=1e-3
        Relative duality gap to reach for each.
    max_iter : int, default=200
        Most choices of weights to try for each.
    max_time : float, default=None
        Seconds for each; None is no limit.
    fresh : bool, default=True
        Whether every result is certified by products computed for it, or, where these are not worth
        their time, by those kept from one to the next with a bound of what rounding did to them.
    start : ndarray of shape (n_kernels,), default=None
        Weights to begin with; those of `first_weights` if None.
    cache : int, default=2**31
        As for `solve_mkl`.

    Yields
    ------
    MKLResult
    """
    machines: Machines | None = None
    d, last = np.empty(0), Regulariser(1.0, 0.0)
    for cost, p, lam in settings:
        reg = Regulariser(float(p), float(lam))
        stop = Stop(tol, max_iter, Deadline(max_time), None)
        with one_blas_thread():
            zero = nothing_to_learn(stack, y, cost, loss, reg)
            if zero is not None:
                machines, result = None, zero
            elif (
                stack.shape[2] > MANY_KERNELS
                or _factors(stack, y, loss, reg) is not None
                or (loss.separable and few_features(stack) is not None)
            ):
                result = solve_mkl(
                    stack,
                    y,
                    cost,
                    loss=loss,
                    p=p,
                    lam=lam,
                    tol=tol,
                    max_iter=max_iter,
                    max_time=max_time,
                    cache=cache,
                )
            elif machines is None:
                machines = Machines(stack, y, cost, loss, reg, fresh=fresh, cache=cache)
                if start is None:
                    d = first_weights(stack, y, cost, loss, reg, machines.diagonal, stop, cache)
                else:
                    d = start
                result = _improve(machines, d, reg, stop, max(_SVM_SHARE * tol, _FIRST_INNER))
            else:
                machines.restart(cost, reg)
                if reg != last:
                    d = machines.warm_start_weights(tol)
                result = _improve(machines, d, reg, stop, _SVM_SHARE * tol)
            d, last = result.weights, reg
        yield result


def first_weights(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    diagonal: Floats,
    stop: Stop,
    cache: int = CACHE,
) -> Floats:
    """Return weights to start from: those of some of the samples, or equal ones."""
    usable = diagonal.max(axis=1) > 0.0
    sample = None if reg.fixed else _sample(y, cost, loss, _most_samples(stack, cache))
    if sample is None:
        return reg.start(usable)
    scaled = scaled_cost(cost, sample)
    few = stack.take(sample, sample).materialize()
    loosely = Stop(_SAMPLE_TOL, _SAMPLE_ITER, stop.deadline, None)
    d = _solve(few, y[:, sample], scaled, loss, reg, loosely, cache=cache).weights
    return _waken(d, reg, usable)


def _waken(d: Floats, reg: Regulariser, usable: Mask) -> Floats:
    """Give weight to kernels that are zero on some samples only, and must not stay without."""
    return reg.between(d, reg.start(usable), 0.5) if reg.p > 1.0 and not d[usable].all() else d


def _most_samples(stack: Stack, cache: int) -> int:
    """Return between how many samples all kernels may be brought into memory."""
    return math.isqrt(cache // bytes_of_kernels(stack, 1))


def _sample(y: Floats, cost: Floats, loss: Loss, most: int) -> Indices | None:
    """Choose `most` samples at most on which good weights are found; None if there are few."""
    n = y.shape[1]
    if n < _SAMPLE_FROM or most < RUN:
        return None
    size = min(max(min(n // _SAMPLE_SHARE, _ENOUGH_SAMPLES), n // _LEAST_SHARE), most)
    sample = runs(n, size)
    return sample if is_usable(loss, y, cost, sample) else None


def _share_to_keep(start: Certificate, end: Certificate) -> float:
    """Return where between two choices of weights the objective is smallest, as far as one sees.

    The minimiser of the cubic with its values and slopes (the gradient is -g/2) at both ends.
    """
    step = end.d - start.d
    slope_0, slope_1 = -0.5 * float(start.g @ step), -0.5 * float(end.g @ step)
    rise = 3.0 * (start.primal - end.primal) + slope_0 + slope_1
    root = np.sqrt(max(rise * rise - slope_0 * slope_1, 0.0))
    width = slope_1 - slope_0 + 2.0 * float(root)
    share = 1.0 - (slope_1 + float(root) - rise) / width if width > 0.0 else _MOST_KEPT
    return float(np.clip(share, _LEAST_KEPT, _MOST_KEPT))


def _solve(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
    start: Start | None = None,
    *,
    cache: int,
) -> MKLResult:
    if start is not None:
        machines = Machines(stack, y, cost, loss, reg, beta=start.beta, cache=cache)
        d = _waken(start.weights, reg, machines.diagonal.max(axis=1) > 0.0)
        return _improve(machines, d, reg, stop, _SVM_SHARE * stop.tol)
    machines = Machines(stack, y, cost, loss, reg, cache=cache)
    d = first_weights(stack, y, cost, loss, reg, machines.diagonal, stop, cache)
    return _improve(machines, d, reg, stop, max(_SVM_SHARE * stop.tol, _FIRST_INNER))


def _factors(stack: Stack, y: Floats, loss: Loss, reg: Regulariser) -> Floats | None:
    """Return the factors (n, m) of kernels of rank one, if sparse weights can be learned on them.

    None of a single kernel, of which there is nothing to learn, and where there are many samples.
    """
    n, _, m = stack.shape
    if reg.p > 1.0 or m == 1 or y.size > MOST_ROWS or n * m > _MOST_FACTORS or not loss.separable:
        return None
    factors = rank_one_factors(stack)
    return factors if factors is not None and factors.any() else None


def _solve_rank_one(
    stack: Stack,
    factors: Floats,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
    cache: int,
) -> MKLResult:
    """Learn sparse weights (p = 1) of kernels of rank one, of which there may be many.

    Steps on the weights do well with few of them, and go on from what interior points found.
    """
    m = stack.shape[2]
    found: list[MKLResult] = []
    used = 0
    if m <= _FEW_KERNELS:
        trial = stop._replace(max_iter=min(stop.max_iter, _TRIAL))
        found.append(_solve(stack, y, cost, loss, reg, trial, cache=cache))
        used = found[0].n_iter
        if found[0].converged or used >= stop.max_iter or used < trial.max_iter:
            return found[0]
    tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
    used_kernels = np.asarray(factors.any(axis=0))  # those of zeros get no weight
    left = stop._replace(max_iter=stop.max_iter - used)
    point = solve_by_interior_points(factors[:, used_kernels], tasks, reg, left)
    d = reg.start(used_kernels)
    machines = Machines(stack, y, cost, loss, reg, cache=cache)
    if point is not None:
        d[used_kernels] = point.d
        used += point.n_iter
        certified = machines.vouch(d, point.beta, stop.tol)
        found.append(_result(machines, certified, used, stop))
        if found[-1].converged:
            return found[-1]
    left = stop._replace(max_iter=stop.max_iter - used)
    if left.max_iter >= 1 and not (found and stop.deadline.passed):
        if m <= MANY_KERNELS:
            more = _improve(machines, d, reg, left, _SVM_SHARE * stop.tol)
        else:
            solve = partial(_solve, cache=cache)
            more = solve_by_columns(stack, y, cost, loss, reg, left, solve)
        used += more.n_iter
        found.append(more)
    return min(found, key=lambda result: result.gap)._replace(n_iter=used)


def _improve(
    machines: Machines, d: Floats, reg: Regulariser, stop: Stop, first: float
) -> MKLResult:
    """Improve weights d and the machines by turns until their gap is at most the tolerance.

    The first machines are solved to a relative gap of `first`.
    """
    tol = stop.tol
    best: Certificate | None = None
    anchor: Certificate | None = None
    share, allowance = _SVM_SHARE * tol if reg.fixed else first, 0.0
    may_idle = reg.p == 1.0
    n_iter = retreats = failures = vain = 0
    sharpness, reached = 1.0, np.inf
    while True:
        n_iter += 1
        machines.set_weights(d)
        ceiling = np.inf if anchor is None else anchor.primal - reg.primal(d)
        before = np.inf
        for _ in range(_MAX_SHARPENINGS):
            machines.solve(share, allowance, ceiling, stop.deadline)
            now = machines.certify(d)
            if not now.complete and now.weights_gap <= _IDLE_SHARE * tol * now.size:
                machines.refresh()
                now = machines.certify(d)
                # Forms of rank-one kernels jump when another one gets weight: once they proved
                # not to be foreseeable, all kernels stay active.
                may_idle = False
                machines.focus(np.ones(d.size, dtype=bool))
            if now.complete and now.gap <= tol:
                now = machines.vouch(d, now.beta, tol)
            if now.complete and (best is None or now.gap < best.gap):
                best = now
            wanted = sharpness * max(_INNER_RATIO * now.weights_gap, _SVM_SHARE * tol * now.size)
            stop.tell(n_iter, now.gap if best is None else best.gap, d)
            worse = anchor is not None and now.primal - now.machines_gap > anchor.primal
            converged = now.complete and now.gap <= tol
            stuck = machines.stuck and not now.machines_gap <= _STUCK * before
            if converged or now.machines_gap <= wanted or worse or stuck or stop.deadline.passed:
                break
            before = now.machines_gap
            share, allowance = 0.0, min(wanted, 0.5 * now.machines_gap)
        failures += stuck
        vain = vain + 1 if best is None or not best.gap <= _PROGRESS * reached else 0
        reached = reached if vain or best is None else best.gap
        hopeless = (
            failures >= _MOST_FAILURES
            or not np.isfinite(now.primal - now.dual)
            or now.rounding > tol * now.size
            or (vain >= _MOST_VAIN and machines.kernels_rounding(now) > tol * now.size)
        )
        if converged or n_iter >= stop.max_iter or reg.fixed or hopeless or stop.deadline.passed:
            break
        # Forms are only as right as the machines are: to the square root of their gap.
        stalls = anchor is not None and now.weights_gap > _STALL * anchor.weights_gap
        sharpness = max(_SHARPER * sharpness, _SHARPEST) if stalls else 1.0
        share, allowance = 0.0, _NEXT_RATIO * now.weights_gap
        allowance = sharpness * max(allowance, _SVM_SHARE * tol * now.size)
        if anchor is not None and worse:
            # The optimum at d lies above a value already reached: the step went too far.
            retreats += 1
            d = _retreat(machines, anchor, now, n_iter, retreats)
            continue
        machines.forget()
        anchor, retreats = now, 0
        d = machines.better_weights(now, _MODEL_RATIO * now.weights_gap, renew=True)
        # The new weights may close the gap with the dual variables as they are.
        ahead = machines.certify(d)
        if ahead.complete and (best is None or ahead.gap < best.gap):
            best = machines.vouch(d, ahead.beta, tol) if ahead.gap <= tol else ahead
            if best.gap <= tol:
                break
        if may_idle and now.complete and now.gap <= _IDLE_GAP:
            machines.focus((d > 0.0) | (now.g > _IDLE_FORM * now.g.max()))
    return _conclude(machines, best, now, n_iter, stop)


def _retreat(
    machines: Machines, anchor: Certificate, now: Certificate, n_iter: int, retreats: int
) -> Floats:
    """Return the next weights after a step from `anchor` to `now` that went too far."""
    comparable = now.primal - anchor.primal <= _COMPARABLE * anchor.size
    teaches = comparable and n_iter // _TERM % 2 == 0
    if retreats <= _MAX_LESSONS and teaches:
        machines.learn(anchor, now)
        return machines.better_weights(anchor, _MODEL_RATIO * anchor.weights_gap, renew=False)
    if retreats <= _MAX_RETREATS:
        return machines.reg.between(anchor.d, now.d, _share_to_keep(anchor, now))
    # Where the objective has a kink (dual variables that are not unique) no step along the model's
    # directions need help; from here, contraction still descends.
    return machines.reg.contract(now.d, now.g)


def _conclude(
    machines: Machines, best: Certificate | None, now: Certificate, n_iter: int, stop: Stop
) -> MKLResult:
    """Return the best point, certified with fresh products."""
    if best is None or not best.gap <= stop.tol:
        last = machines.vouch(now.d, now.beta, stop.tol)
        if best is not None and best is not now:
            best = machines.vouch(best.d, best.beta, stop.tol)
        best = last if best is None or best is now or last.gap < best.gap else best
    return _result(machines, best, n_iter, stop)


def _result(machines: Machines, best: Certificate, n_iter: int, stop: Stop) -> MKLResult:
    rounding = max(best.rounding, machines.kernels_rounding(best))
    return MKLResult(
        best.d,
        best.beta,
        best.intercept,
        best.decisions,
        best.primal,
        best.dual,
        best.gap,
        n_iter,
        best.gap <= stop.tol,
        stop.limit(n_iter, rounding, best.gap, best.size),
        best.g,
        best.rounding,
        best.noise,
        machines.defect,
    )
