"""So many samples that rows of all of them cost more than the problem on those that matter.

A sample whose dual variable is zero does not change the solution. Solving for some samples gives
dual variables, and with them a dual value, of the whole problem; its primal value needs one pass
over what the support vectors say of all samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._losses import Loss
from ._many import Report
from ._svm import BoxTask
from ._types import Floats, Indices, MKLResult, Stack
from ._weights import Regulariser

Solver = Callable[[Stack, Floats, Floats, Loss, Regulariser, float, int, Report], MKLResult]

# It pays from so many samples on, unless more than this share of the first are support vectors.
MANY_SAMPLES, _MOST = 5000, 0.43
# Kernels between the chosen samples are brought into memory up to so many bytes.
_MEMORY = 2**31
# A problem on some samples is solved to this share of the tolerance, or, while the others
# contribute more to the gap, to this share of what they did; the first ones to this gap.
_TOL_SHARE, _GAP_SHARE, _FIRST_TOL = 0.3, 0.1, 1e-2


def solve_by_samples(
    stack: Stack,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    tol: float,
    max_iter: int,
    report: Report,
    solve: Solver,
    sample: Indices,
) -> MKLResult | None:
    """Solve for some samples, look at all, add what violates; None if most samples matter.

    Parameters
    ----------
    stack, y, cost, loss, tol, max_iter, report
        As for `solve_mkl`.
    reg : Regulariser
    solve : callable
        Solves the problem of a few samples in memory.
    sample : ndarray of shape (s,)
        Samples to begin with.

    Returns
    -------
    MKLResult or None
    """
    tasks = _sparse_tasks(y, cost, loss)
    if tasks is None:
        return None

    rng = np.random.default_rng(0)
    chosen, accuracy, n_iter = sample, max(_FIRST_TOL, _TOL_SHARE * tol), 0
    best: MKLResult | None = None
    while best is None or (best.gap > tol and n_iter < max_iter):
        few = stack.take(chosen, chosen)
        if few.shape[0] ** 2 * few.shape[2] * 8 <= _MEMORY:
            few = few.materialize()
        left = max_iter - n_iter
        part = solve(few, y[:, chosen], cost[:, chosen], loss, reg, accuracy, left, None)
        n_iter += part.n_iter
        if best is None and np.count_nonzero(part.beta.any(axis=0)) > _MOST * len(chosen):
            return None
        beta = np.zeros_like(y)
        beta[:, chosen] = part.beta
        intercept, wanted, total = _look(tasks, _decisions(stack, part.weights, beta))
        forms = [(task.y - task.e) @ b for task, b in zip(tasks, beta, strict=True)]
        primal = 0.5 * float(sum(forms)) + total + reg.primal(part.weights)
        gap = max(primal - part.dual, 0.0) / primal if primal > 0.0 else 0.0
        if best is None or gap < best.gap:
            best = part._replace(
                beta=beta, intercept=intercept, primal=primal, gap=gap, converged=gap <= tol
            )
        if report is not None:
            report(n_iter, best.gap, part.weights)
        wanted[chosen] = 0.0
        # Drawn from those that violate: the worst of all are outliers, which spoil what is learned.
        outside = rng.permutation(np.flatnonzero(wanted))[: len(chosen)]
        accuracy = min(_GAP_SHARE * float(wanted.sum()) / primal, accuracy) if primal else 0.0
        accuracy = max(_TOL_SHARE * tol, accuracy)
        chosen = np.union1d(chosen, outside)
    return best._replace(n_iter=n_iter)


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


def _look(tasks: list[BoxTask], decisions: Floats) -> tuple[Floats, Floats, float]:
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
