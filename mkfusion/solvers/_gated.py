"""Support vector machines on gated kernels, and the descent on what gates them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit, softmax

from mkfusion._types import FloatArray, Floats, Indices, Stack
from mkfusion.solvers._limits import NEVER, Deadline
from mkfusion.solvers._losses import Hinge
from mkfusion.solvers._rounding import relative_gap
from mkfusion.solvers._rows import WholeRows

# Shares of the tolerance: the gap of the machines, whose error must drown neither the slope nor
# what a step gains; and what a step must gain, relative to the objective at uniform gates.
_MACHINES_SHARE, _STEP_SHARE = 0.01, 0.1
_OUT_OF_STEPS = 1


def gates(scores: Floats, gating: str) -> Floats:
    """Return the weights (n_samples, n_kernels) of kernels with these scores.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_kernels)
    gating : {"softmax", "sigmoid"}
    """
    eta: Floats = softmax(scores, axis=1) if gating == "softmax" else expit(scores)
    return eta


def slope_in_scores(eta: Floats, slope: Floats, gating: str) -> Floats:
    """Return the slope in the scores, given that in the gates `eta`; all (n_samples, n_kernels)."""
    if gating == "softmax":
        return eta * (slope - np.sum(eta * slope, axis=1, keepdims=True))
    return eta * (1.0 - eta) * slope


class Solution(NamedTuple):
    """The machines at fixed gates.

    Attributes
    ----------
    beta : ndarray of shape (n_tasks, n)
        Signed dual variables.
    intercept : ndarray of shape (n_tasks,)
    objective : float
        Primal value, with the penalty on the gates.
    gap : float
        Relative duality gap of the machines, without the penalty.
    """

    beta: Floats
    intercept: Floats
    objective: float
    gap: float


class Descent(NamedTuple):
    """Where one start led.

    Attributes
    ----------
    theta : ndarray of shape (n_kernels, 1 + n_features)
    curve : list of float
        Objective at the start and after every step.
    exhausted : bool
        Whether all steps that were allowed did not do.
    """

    theta: Floats
    curve: list[float]
    exhausted: bool


class _OutOfTimeError(Exception):
    """Leaves the optimiser at the deadline."""


class GatedMachines:
    """The optimum of all tasks' machines as a function of the gates' parameters.

    Parameters
    ----------
    stack : Stack of shape (n, n, n_all)
        Gram matrices.
    kernels : ndarray of shape (n_kernels,)
        Which of them make up the composite kernel.
    features : ndarray of shape (n, n_features)
        Gating features.
    targets : ndarray of shape (n_tasks, n)
        Labels -1 and 1.
    cost : ndarray of shape (n,)
        Prices of the samples' losses.
    gating : {"softmax", "sigmoid"}
    ridge : float
        Half of it times the squared parameters is added to the objective.
    tol : float
        Relative accuracy.
    deadline : Deadline
        When to end with what there is.
    """

    def __init__(
        self,
        stack: Stack,
        kernels: Indices,
        features: Floats,
        targets: Floats,
        cost: Floats,
        gating: str,
        ridge: float,
        tol: float,
        deadline: Deadline = NEVER,
    ) -> None:
        self._stack = stack
        self._deadline = deadline
        self._kernels = kernels
        self._inputs = np.column_stack([np.ones(len(features)), features])
        self._tasks = [Hinge().task(y, cost) for y in targets]
        self._gating = gating
        self._ridge = ridge
        self._tol = tol
        self.shape = len(kernels), self._inputs.shape[1]
        self._buffers = np.empty((2, len(features), len(features)))

    def gates(self, theta: Floats) -> Floats:
        """Return the gates (n, n_kernels) at parameters (n_kernels, 1 + n_features)."""
        return gates(self._inputs @ theta.T, self._gating)

    def value_and_slope(self, theta: Floats) -> tuple[float, Floats]:
        """Return the machines' dual optimum plus the penalty, and its gradient.

        The dual variables are optimal: by Danskin's theorem they count as constants.
        """
        eta = self.gates(theta)
        K = self._solve(eta, self._deadline)
        value = 0.5 * self._ridge * float(np.sum(theta * theta))
        beta = np.array([task.beta for task in self._tasks])
        value += sum(task.gain(task.beta) for task in self._tasks)
        value -= 0.5 * float(np.sum((beta @ K) * beta))
        slope = np.empty_like(eta)
        for k, gram in enumerate(self._grams()):
            slope[:, k] = -np.sum(beta * ((beta * eta[:, k]) @ gram), axis=0)
        scores = slope_in_scores(eta, slope, self._gating)
        return value, scores.T @ self._inputs + self._ridge * theta

    def solution(self, theta: Floats) -> Solution:
        """Solve and certify the machines at these parameters."""
        K = self._solve(self.gates(theta), NEVER)
        gap = primal = 0.0
        intercept = []
        for task in self._tasks:
            task.e = task.y - K @ task.beta
            task_gap, task_primal = task.gap()
            gap, primal = gap + max(task_gap, 0.0), primal + task_primal
            intercept.append(task.loss(task.e)[0])
        return Solution(
            np.array([task.beta for task in self._tasks]),
            np.array(intercept),
            primal + 0.5 * self._ridge * float(np.sum(theta * theta)),
            relative_gap(primal, primal - gap, 0.0),
        )

    def descend(
        self, start: Floats, max_iter: int, report: Callable[[int, float], None]
    ) -> Descent:
        """Lower the objective from some parameters, step by step (L-BFGS).

        Parameters
        ----------
        start : ndarray of shape (n_kernels, 1 + n_features)
        max_iter : int
            Most steps.
        report : callable
            Called as ``report(n_steps, objective)`` after every step.
        """
        first, _ = self.value_and_slope(start)
        curve = [first]
        # Tolerances of the optimiser are absolute, and its first step is one unit.
        unit, _ = self.value_and_slope(np.zeros(self.shape))

        last = start

        def scaled(flat: Floats) -> tuple[float, Floats]:
            if self._deadline.passed:
                raise _OutOfTimeError
            value, slope = self.value_and_slope(flat.reshape(self.shape))
            return value / unit, slope.ravel() / unit

        def remember(intermediate_result: OptimizeResult) -> None:
            nonlocal last
            last = intermediate_result.x.reshape(self.shape)
            curve.append(float(intermediate_result.fun) * unit)
            report(len(curve) - 1, curve[-1])

        try:
            found = minimize(
                scaled,
                start.ravel(),
                jac=True,
                method="L-BFGS-B",
                callback=remember,
                # A line search that fails has met the machines' accuracy: as good as a small step.
                options={
                    "maxiter": max_iter,
                    "maxfun": np.iinfo(np.int32).max,
                    "ftol": _STEP_SHARE * self._tol,
                    "gtol": 0.0,
                },
            )
        except _OutOfTimeError:
            return Descent(last, curve, True)
        return Descent(found.x.reshape(self.shape), curve, found.status == _OUT_OF_STEPS)

    def _grams(self) -> Iterator[FloatArray]:
        """One after the other, the kernels of the composite."""
        return (self._stack.block(int(k), None, None) for k in self._kernels)

    def _solve(self, eta: Floats, deadline: Deadline) -> Floats:
        """Solve the machines on the composite kernel of gates `eta`, and return it."""
        K, product = self._buffers
        K[:] = 0.0
        for gate, gram in zip(eta.T, self._grams(), strict=True):
            np.multiply.outer(gate, gate, out=product)
            product *= gram
            K += product
        rows = WholeRows(K)
        for task in self._tasks:
            # Feasible for any gates: the last machines are where the next ones begin.
            task.e = task.y - K @ task.beta
            task.solve(rows, _MACHINES_SHARE * self._tol, 0.0, np.inf, deadline)
        return K
