"""The losses: what the tasks that share kernel weights are, and how each of them is solved.

In signed dual variables every task maximises ``gain(beta) - 1/2 beta' K beta`` for the composite
kernel K, and its primal value is ``1/2 beta' K beta`` plus the loss of ``f = K beta`` at the best
intercept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mkfusion._types import Floats, Indices
from mkfusion.solvers._box import intercept_and_loss, tube_loss
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._rows import CompositeRows, WholeRows
from mkfusion.solvers._svm import EPS, BoxTask, Task, ridged_cholesky

# Share of what a sum of vectors could be that it is after they cancelled out: at least, and in
# units of the kernels' rounding.
_CANCELLED, _CANCELLED_EPS = 1e-9, 1e3
# Share of the targets by which they differ from a constant after rounding.
_CONSTANT = 8.0 * EPS
# The least ridge of a linear system, and how often its solution is refined as long as the gap falls
# to this share.
_LEAST_RIDGE, _REFINEMENTS, _REFINED = 1e-16, 10, 0.5


class Loss(ABC):
    """One kind of loss, of which every task has its own targets and prices.

    Attributes
    ----------
    separable : bool
        Whether it is a sum over the samples, as those who work with features of kernels take it.
    """

    separable = True

    @abstractmethod
    def task(self, y: Floats, cost: Floats) -> Task:
        """Return a new task.

        Parameters
        ----------
        y : ndarray of shape (n,)
            Targets.
        cost : ndarray of shape (n,)
            Prices of the samples' losses.

        Returns
        -------
        Task
        """

    def usable(self, y: Floats, cost: Floats) -> bool:
        """Whether samples make a problem.

        Parameters
        ----------
        y, cost : ndarray of shape (n,)
            Targets and prices.

        Returns
        -------
        bool
        """
        return bool((cost > 0).any())


@dataclass(frozen=True)
class Hinge(Loss):
    """``sum_i cost_i max(0, 1 - y_i (f_i + b))`` for labels -1 and 1."""

    def task(self, y: Floats, cost: Floats) -> Task:
        return _HingeTask(y, cost)

    def usable(self, y: Floats, cost: Floats) -> bool:
        return bool(((y > 0) & (cost > 0)).any() and ((y < 0) & (cost > 0)).any())


@dataclass(frozen=True)
class Tube(Loss):
    """``sum_i cost_i max(0, |y_i - f_i - b| - epsilon)``: support vector regression.

    Parameters
    ----------
    epsilon : float
        Non-negative half-width of the tube.
    """

    epsilon: float

    def task(self, y: Floats, cost: Floats) -> Task:
        return _TubeTask(y, cost, self.epsilon)


@dataclass(frozen=True)
class Squared(Loss):
    """``sum_i cost_i (y_i - f_i - b)**2``: kernel ridge regression with an intercept."""

    def task(self, y: Floats, cost: Floats) -> Task:
        return _SquaredTask(y, cost)


@dataclass(frozen=True)
class OneClass(Loss):
    """``sum_i cost_i (max(0, -f_i - b) + nu b)``: the one-class machine, ``-b`` its offset.

    Parameters
    ----------
    nu : float
        In (0, 1]: bounds the share of outliers from above, that of support vectors from below.
    """

    nu: float

    def task(self, y: Floats, cost: Floats) -> Task:
        return _OneClassTask(cost, self.nu)


class _HingeTask(BoxTask):
    def _set_cost(self, cost: Floats) -> None:
        self.cost = cost
        self.lower = np.minimum(self.y * cost, 0.0)
        self.upper = np.maximum(self.y * cost, 0.0)

    def loss(self, e: Floats) -> tuple[float, float]:
        return intercept_and_loss(e, self.y, self.cost)

    def probe(self) -> Floats:
        positive, negative = self.upper, self.lower
        return positive / positive.sum() - negative / negative.sum()

    def sides(self) -> list[tuple[Floats, Floats]]:
        return [(self.y, np.ones(self.y.size))]


class _TubeTask(BoxTask):
    def __init__(self, y: Floats, cost: Floats, epsilon: float) -> None:
        super().__init__(y, cost)
        self.epsilon = epsilon

    def _set_cost(self, cost: Floats) -> None:
        self.cost = cost
        self.lower, self.upper = -cost, cost

    def loss(self, e: Floats) -> tuple[float, float]:
        return tube_loss(e, self.cost, self.epsilon)

    def probe(self) -> Floats:
        return _residuals(self.y, self.cost)

    def vanishes(self) -> bool:
        return self.loss(self.y)[1] <= _CONSTANT * float(self.cost @ np.abs(self.y))

    def sides(self) -> list[tuple[Floats, Floats]]:
        ones = np.ones(self.y.size)
        return [(ones, self.y - self.epsilon), (-ones, -self.y - self.epsilon)]


class _OneClassTask(BoxTask):
    cancels = True

    def __init__(self, cost: Floats, nu: float) -> None:
        self._nu = nu
        super().__init__(np.zeros(cost.size), cost)
        # Any point of the right sum does to begin with; SMO keeps the sum.
        left = nu * cost.sum() - (np.cumsum(cost) - cost)
        self.beta = np.clip(left, 0.0, cost)

    def _set_cost(self, cost: Floats) -> None:
        self.cost = cost
        self.lower, self.upper = np.zeros(cost.size), cost

    @property
    def total(self) -> float:
        return self._nu * float(self.cost.sum())

    def loss(self, e: Floats) -> tuple[float, float]:
        # The slope nu of the intercept makes its minimiser a quantile: a hinge far below does it.
        total = float(self.cost.sum())
        ends = np.append(e, e.min() - (float(np.ptp(e)) or 1.0))
        sides = np.append(np.ones(e.size), -1.0)
        b, loss = intercept_and_loss(ends, sides, np.append(self.cost, self._nu * total))
        return b, loss + self._nu * total * float(ends[-1])

    def probe(self) -> Floats:
        return self.cost / self.cost.sum()

    def sides(self) -> list[tuple[Floats, Floats]]:
        return [(np.ones(self.y.size), np.zeros(self.y.size))]

    def noise(self, diag: Floats, eps: float) -> float:
        # The optimum is 0 where the origin lies among the samples: vectors that cancel out.
        share = max(_CANCELLED, _CANCELLED_EPS * eps)
        return share * 0.5 * float(self.beta @ np.sqrt(np.maximum(diag, 0.0))) ** 2


class _SquaredTask(Task):
    """A linear system per choice of weights."""

    def __init__(self, y: Floats, cost: Floats) -> None:
        super().__init__(y, cost)
        self._set_cost(cost)

    def _set_cost(self, cost: Floats) -> None:
        self.cost = cost
        self._counted = np.flatnonzero(cost > 0.0)
        with np.errstate(divide="ignore"):
            self._half_price = 0.5 / cost

    def _add(self, missing: float) -> None:
        share = missing / self._counted.size
        self.beta = np.where(self.cost > 0.0, self.beta + share, 0.0)

    def restart(self, cost: Floats, scale: float) -> None:
        self.beta = np.where(cost > 0.0, scale * self.beta, 0.0)
        self._set_cost(cost)

    @property
    def free(self) -> Indices:
        return self._counted

    def gain(self, beta: Floats) -> float:
        i = self._counted
        return float(self.y @ beta) - 0.5 * float(self._half_price[i] @ beta[i] ** 2)

    def loss(self, e: Floats) -> tuple[float, float]:
        b = float(np.average(e, weights=self.cost))
        return b, float(self.cost @ (e - b) ** 2)

    def probe(self) -> Floats:
        return _residuals(self.y, self.cost)

    def curvature(self, K: Floats, free: Indices) -> Floats:
        K.flat[:: len(K) + 1] += self._half_price[free]
        return K

    def loss_noise(self, e: Floats, b: float, noise: Floats) -> float:
        return float(self.cost @ (2.0 * np.abs(e - b) * noise + noise * noise))

    def vanishes(self) -> bool:
        return self.loss(self.y)[1] <= float(self.cost @ (_CONSTANT * self.y) ** 2)

    def ridge(self) -> Floats:
        return self._half_price

    def solve(
        self,
        rows: CompositeRows | WholeRows,
        share: float,
        allowance: float,
        ceiling: float,
        deadline: Deadline,
    ) -> None:
        free = self._counted
        K = self.curvature(rows.block(free), free)
        factor = ridged_cholesky(K.copy(), _LEAST_RIDGE)
        self.stuck, self.defect = factor is None, np.inf
        if factor is None:
            return
        self.defect = factor.defect
        border = factor.solve(np.ones(free.size))
        border /= border.sum()
        beta, reached = np.zeros(free.size), np.inf
        # One step solves the system; more are for a ridge that was needed, and for rounding.
        for _ in range(_REFINEMENTS):
            left = self.y[free] - K @ beta
            step = factor.solve(left)
            beta = beta + step - border * step.sum()
            beta -= beta.mean()
            before = self.beta, self.e
            self.beta = np.zeros(self.y.size)
            self.beta[free] = beta
            self.e = self.y.copy()
            self.e[free] -= K @ beta - self._half_price[free] * beta
            gap, primal = self.gap()
            if gap <= max(share * primal, allowance):
                return
            if not gap <= _REFINED * reached:
                if not gap < reached and np.isfinite(reached):
                    self.beta, self.e = before
                break
            reached = gap
            if deadline.passed:
                return
        self.stuck = True


def _residuals(y: Floats, cost: Floats) -> Floats:
    return cost * (y - np.average(y, weights=cost))
