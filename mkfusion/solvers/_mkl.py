"""Multiple kernel learning to a certified duality gap: SMO inside, Newton steps on the weights.

Two levels. With the weights fixed, SMO solves the support vector machine of every task on the
composite kernel, whose rows are combined from the stack when first needed. The products
``F_k = K_k beta`` are kept up to date from the rows of the dual variables that changed, so that
gaps, the gradient and the Hessian with respect to the weights, and the decision function at any
other weights cost O(n_kernels n) instead of a pass over the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ._certificate import intercept_and_loss
from ._rows import CompositeRows, RowSource
from ._svm import RIDGE, Task
from ._weights import Regulariser

Floats = NDArray[np.float64]

# Share of the tolerance that the support vector machines may use up; the rest is for the weights.
_SVM_SHARE = 0.4
# The machines are solved to this share of the gap that the weights leave, and at first, when
# nothing is known of the weights, to this share of the objective.
_INNER_RATIO = 0.2
_FIRST_INNER = 0.05
# The model of the objective in the weights is solved to this share of the gap they leave.
_MODEL_RATIO = 0.02
_MAX_SHARPENINGS = 20
_MAX_RETREATS = 5


class Stack(RowSource, Protocol):
    """What the solver asks of m symmetric kernels (n, n)."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, n, n_kernels)``."""

    def dot_symmetric(self, beta: Floats) -> Floats:
        """Return ``K_k beta_u``, (u, n_kernels, n), for beta (u, n)."""

    def diagonal(self) -> Floats:
        """Return the diagonals (n_kernels, n)."""


class MKLResult(NamedTuple):
    """What `solve_mkl` found.

    Attributes
    ----------
    weights : ndarray of shape (n_kernels,)
    beta : ndarray of shape (n_tasks, n)
        Signed dual variables.
    intercept : ndarray of shape (n_tasks,)
    primal, dual : float
        Objective values; the optimum lies between them.
    gap : float
        ``(primal - dual) / primal``.
    n_iter : int
        Choices of weights that were tried.
    converged : bool
    """

    weights: Floats
    beta: Floats
    intercept: Floats
    primal: float
    dual: float
    gap: float
    n_iter: int
    converged: bool


class _Certificate(NamedTuple):
    """A feasible point with its primal and dual value, and what is left of the gap to whom."""

    d: Floats
    beta: Floats
    g: Floats
    intercept: Floats
    primal: float
    dual: float
    weights_gap: float

    @property
    def gap(self) -> float:
        return max(self.primal - self.dual, 0.0) / self.primal if self.primal > 0.0 else 0.0

    @property
    def machines_gap(self) -> float:
        return self.primal - self.dual - self.weights_gap


class _Machines:
    """The support vector machines of all tasks, and their products with every kernel.

    Attributes
    ----------
    beta : ndarray of shape (n_tasks, n)
    F : ndarray of shape (n_tasks, n_kernels, n)
        ``K_k beta_u``.
    g : ndarray of shape (n_kernels,)
        ``sum_u beta_u' K_k beta_u``.
    """

    def __init__(self, stack: Stack, y: Floats, cost: Floats, reg: Regulariser) -> None:
        n, _, m = stack.shape
        self._stack = stack
        self._reg = reg
        self.diagonal = stack.diagonal()
        self._rows = CompositeRows(stack, self.diagonal)
        self._tasks = [Task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
        self.beta = np.zeros((len(y), n))
        self.F = np.zeros((len(y), m, n))
        self.g = np.zeros(m)

    def set_weights(self, d: Floats) -> None:
        """Go on from the present dual variables on another composite kernel."""
        self._d = d
        self._rows.set_weights(d)
        for task, f in zip(self._tasks, d @ self.F, strict=True):
            task.e = task.y - f

    def solve(self, share: float, allowance: float, ceiling: float) -> None:
        """Bring the machines' gap at the present weights to ``max(share * primal, allowance)``.

        Stops early once their optimum is seen to lie above `ceiling`.
        """
        for task in self._tasks:
            task.solve(self._rows, share, allowance / len(self._tasks), ceiling)
        beta = np.array([task.beta for task in self._tasks])
        self.F += self._stack.dot_symmetric(beta - self.beta)
        self.beta = beta
        self.g = np.maximum(np.einsum("ukn,un->k", self.F, beta), 0.0)
        for task, f in zip(self._tasks, self._d @ self.F, strict=True):
            task.e = task.y - f

    def certify(self, d: Floats) -> _Certificate:
        """Evaluate both objectives at the present dual variables and any weights."""
        quadratic = float(d @ self.g)
        dual, loss = -self._reg.conjugate(self.g), 0.0
        intercept = np.empty(len(self._tasks))
        for u, (task, f) in enumerate(zip(self._tasks, d @ self.F, strict=True)):
            dual += float(task.y @ task.beta)
            intercept[u], task_loss = intercept_and_loss(task.y - f, task.y, task.cost)
            loss += task_loss
        penalty = self._reg.primal(d)
        primal = 0.5 * quadratic + loss + penalty
        weights_gap = max(penalty + self._reg.conjugate(self.g) - 0.5 * quadratic, 0.0)
        return _Certificate(d, self.beta, self.g, intercept, primal, dual, weights_gap)

    def hessian(self) -> Floats:
        """Return the Hessian of the machines' optimum in the weights, (n_kernels, n_kernels).

        It is the sum of V M V' over the tasks, where V (n_kernels, n_free) holds the products F of
        the free support vectors, and M the inverse of the composite kernel between them, bordered
        by the equality constraint.
        """
        m = self.F.shape[1]
        H = np.zeros((m, m))
        for task, F in zip(self._tasks, self.F, strict=True):
            free = task.free
            if free.size < 2:
                continue
            K = self._rows.block(free)
            K.flat[:: free.size + 1] += RIDGE * K.trace() / free.size + np.finfo(float).tiny
            V = F[:, free]
            try:
                factor = cho_factor(K, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:  # a flat model only costs iterations
                continue
            right = np.column_stack([V.T, np.ones(free.size)])
            Z = cho_solve(factor, right, overwrite_b=True, check_finite=False)
            ones = Z[:, -1]
            border = V @ ones
            H += V @ Z[:, :-1] - np.outer(border, border) / ones.sum()
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
    report: Callable[[int, float, Floats], None] | None = None,
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
    machines = _Machines(stack, y, cost, reg)
    d = reg.start(machines.diagonal.max(axis=1) > 0.0)
    best: _Certificate | None = None
    anchor: _Certificate | None = None
    share, allowance = _SVM_SHARE * tol if reg.fixed else _FIRST_INNER, 0.0
    n_iter = retreats = 0
    while True:
        n_iter += 1
        machines.set_weights(d)
        ceiling = np.inf if anchor is None else anchor.primal - reg.primal(d)
        for _ in range(_MAX_SHARPENINGS):
            machines.solve(share, allowance, ceiling)
            now = machines.certify(d)
            if best is None or now.gap < best.gap:
                best = now
            wanted = max(_INNER_RATIO * now.weights_gap, _SVM_SHARE * tol * now.primal)
            if report is not None:
                report(n_iter, best.gap, d)
            worse = anchor is not None and now.primal - now.machines_gap > anchor.primal
            if now.gap <= tol or now.machines_gap <= wanted or worse:
                break
            share, allowance = 0.0, min(wanted, 0.5 * now.machines_gap)
        assert best is not None
        if best.gap <= tol or n_iter >= max_iter or reg.fixed:
            break
        share, allowance = 0.0, 0.5 * wanted
        if anchor is not None and worse:
            # The optimum at d lies above a value already reached: the step went too far. Where the
            # objective has a kink at the anchor (dual variables that are not unique) no step along
            # the model's direction may help; from here, contraction still descends.
            retreats += 1
            d = reg.between(anchor.d, d) if retreats <= _MAX_RETREATS else reg.contract(d, now.g)
            continue
        anchor, retreats = now, 0
        d = reg.step(d, now.g, machines.hessian(), _MODEL_RATIO * now.weights_gap)
        # The new weights may close the gap with the dual variables as they are.
        ahead = machines.certify(d)
        if ahead.gap < best.gap:
            best = ahead
            if best.gap <= tol:
                break
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
