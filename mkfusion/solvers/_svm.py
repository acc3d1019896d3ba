"""Support vector machines on a composite kernel, to a duality gap instead of a KKT tolerance."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from mkfusion._types import Floats
from mkfusion.solvers._rows import CompositeRows, WholeRows
from mkfusion.solvers._smo import NEEDS_ROW, smo

# KKT violations to stop SMO at: the first one, and how much it falls at least and at most.
_FIRST_VIOLATION = 0.5
_LARGEST_CUT, _SMALLEST_CUT = 0.1, 0.5
# KKT violations below this share of the decision values are rounding noise.
_VIOLATION_FLOOR = 2e-15
# An SMO iteration touches each sample about this often; in a factorisation an operation is this
# much cheaper (BLAS 3). A Newton step is tried once SMO has cost as much as it would.
_SMO_FLOPS, _BLAS_GAIN = 10.0, 8.0
_MIN_BURST = 500
_NEWTON_ROUNDS = 10
# Prices that differ by less than this share are the same after rounding.
_SAME_COST = 1e-12
# Share of the mean diagonal entry added to kernels that are inverted: duplicated samples and
# kernels of low rank make them singular.
RIDGE = 1e-10
# A machine that needs more is reported as not converged.
MAX_SMO_ITER = 20_000_000


class Task(ABC):
    """One problem among those that share kernel weights, and the state of its dual.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Targets.
    cost : ndarray of shape (n,)
        Prices of the samples' losses.

    Attributes
    ----------
    beta, e : ndarray of shape (n,)
        Dual variables and ``y - K beta``.
    """

    def __init__(self, y: Floats, cost: Floats) -> None:
        self.y = y
        self.cost = cost
        self.beta = np.zeros(y.size)
        self.e = y.astype(float)

    @property
    @abstractmethod
    def free(self) -> NDArray[np.intp]:
        """Indices of the dual variables that follow the weights smoothly."""

    @abstractmethod
    def gain(self, beta: Floats) -> float:
        """Return the dual value without the kernel's quadratic form."""

    @abstractmethod
    def loss(self, e: Floats) -> tuple[float, float]:
        """Return the intercept that minimises the loss at ``e = y - f``, and the loss there."""

    @abstractmethod
    def probe(self) -> Floats:
        """Return dual variables (n,) whose quadratic forms tell something about a kernel."""

    @abstractmethod
    def solve(
        self, rows: CompositeRows | WholeRows, share: float, allowance: float, ceiling: float
    ) -> None:
        """Improve the dual variables until the gap is at most ``max(share * primal, allowance)``.

        Also stops when the dual value shows the optimum to lie above `ceiling`, or at rounding
        level.
        """

    @abstractmethod
    def restart(self, cost: Floats, scale: float) -> None:
        """Scale the dual variables and take other prices, for which they are then feasible."""

    def noise(self, diag: Floats) -> float:
        """Return the size of objective values, given k(x_i, x_i), that are rounding errors of 0."""
        return 0.0

    def curvature(self, K: Floats, free: NDArray[np.intp]) -> Floats:
        """Return the dual's curvature in the free variables; overwrites their kernel K."""
        return K

    def gap(self) -> tuple[float, float]:
        """Return the duality gap at fixed kernel weights, and the primal value."""
        quadratic = float((self.y - self.e) @ self.beta)
        _, loss = self.loss(self.e)
        return quadratic + loss - self.gain(self.beta), 0.5 * quadratic + loss


class BoxTask(Task):
    """A task of dual variables in a box, solved by SMO.

    Attributes
    ----------
    lower, upper : ndarray of shape (n,)
        Box of the signed dual variables.
    epsilon : float
        Price of their absolute values.
    """

    epsilon = 0.0
    lower: Floats
    upper: Floats

    def __init__(self, y: Floats, cost: Floats) -> None:
        super().__init__(y, cost)
        self._set_cost(cost)
        self._violation = _FIRST_VIOLATION
        self._n_iter = 0
        self._since_newton = 0

    @abstractmethod
    def _set_cost(self, cost: Floats) -> None:
        """Set the prices of the loss, and with them the box."""

    def restart(self, cost: Floats, scale: float) -> None:
        at_lower, at_upper = self.beta == self.lower, self.beta == self.upper
        whole = np.allclose(scale * self.cost, cost, rtol=_SAME_COST, atol=0.0)
        self.beta = scale * self.beta
        self._set_cost(cost)
        if whole:
            # Variables at a bound must lie on it exactly.
            self.beta[at_lower] = self.lower[at_lower]
            self.beta[at_upper] = self.upper[at_upper]
        self.beta = np.clip(self.beta, self.lower, self.upper)

    @property
    def free(self) -> NDArray[np.intp]:
        inside = (self.beta > self.lower) & (self.beta < self.upper)
        # With a tube, zero is an end as well: both slopes there may hold a variable.
        return np.flatnonzero(inside & (self.beta != 0.0) if self.epsilon else inside)

    def gain(self, beta: Floats) -> float:
        gain = float(self.y @ beta)
        return gain - self.epsilon * float(np.abs(beta).sum()) if self.epsilon else gain

    def solve(
        self, rows: CompositeRows | WholeRows, share: float, allowance: float, ceiling: float
    ) -> None:
        stop = self._n_iter + MAX_SMO_ITER
        while self._n_iter < stop:
            self._sharpen(rows, stop)
            gap, primal = self.gap()
            allowed = max(share * abs(primal), allowance)
            floor = _VIOLATION_FLOOR * (1.0 + float(np.abs(self.e).max()))
            if gap <= allowed or primal - gap > ceiling or self._violation <= floor:
                return
            self._violation *= max(_LARGEST_CUT, min(_SMALLEST_CUT, 0.7 * allowed / gap))

    def _sharpen(self, rows: CompositeRows | WholeRows, stop: int) -> None:
        """Run SMO to the present KKT tolerance, with Newton steps where it would take long."""
        while self._n_iter < stop:
            burst = max(_MIN_BURST, int(self._newton_price() / _SMO_FLOPS / self.y.size))
            status, row, n_iter, violation = smo(
                self.beta,
                self.e,
                self.lower,
                self.upper,
                rows.diag,
                rows.buffer,
                rows.slot,
                self.epsilon,
                self._violation,
                burst,
            )
            self._n_iter += n_iter
            self._since_newton += n_iter
            if status == NEEDS_ROW:
                rows.fetch(row, self._priority())
            elif violation <= self._violation:
                return
            else:
                if _SMO_FLOPS * self.y.size * self._since_newton >= self._newton_price():
                    self._newton(rows, self.free)
                    self._since_newton = 0

    def _newton_price(self) -> float:
        """Return about how many operations `_newton` takes."""
        n_free = self.free.size
        return n_free**3 / 3.0 / _BLAS_GAIN + _NEWTON_ROUNDS * self.y.size * n_free

    def _priority(self) -> Floats:
        """How much each sample violates optimality against the middle of the working sets."""
        above = np.where(self.beta < self.upper, self.e - self.epsilon, -np.inf)
        below = np.where(self.beta > self.lower, self.e + self.epsilon, np.inf)
        middle = 0.5 * (above.max() + below.min())
        return np.maximum(above - middle, middle - below)

    def _newton(self, rows: CompositeRows | WholeRows, free: NDArray[np.intp]) -> None:
        """Move the free dual variables towards their optimum with the others fixed.

        A variable that stops the move is fixed at its bound and the rest moves on. SMO needs very
        many steps for what is one linear system here, where C is large or the kernel is
        ill-conditioned.
        """
        start = self.beta[free]
        K_all = rows.block(free)
        side = np.sign(start) if self.epsilon else np.zeros(free.size)
        lower = np.where(side > 0.0, 0.0, self.lower[free])
        upper = np.where(side < 0.0, 0.0, self.upper[free])
        e = self.e[free] - self.epsilon * side
        kept = np.arange(free.size)
        for _ in range(_NEWTON_ROUNDS):
            if kept.size < 2:
                break
            move = _equality_newton_step(K_all[np.ix_(kept, kept)], e[kept])
            if move is None:
                break
            K_move = K_all[:, kept] @ move
            slope, curvature = float(e[kept] @ move), float(move @ K_move[kept])
            if not slope > 0.0:
                break
            index = free[kept]
            bound = np.where(move > 0, upper[kept], lower[kept])
            with np.errstate(divide="ignore", invalid="ignore"):
                limits = np.where(move != 0.0, (bound - self.beta[index]) / move, np.inf)
            first = int(np.argmin(limits))
            step = slope / curvature if curvature > 0.0 else np.inf
            hit = limits[first] <= step
            step = min(step, float(limits[first]))
            if not np.isfinite(step):
                break
            moved = self.beta[index] + step * move
            self.beta[index] = np.clip(moved, lower[kept], upper[kept])
            e -= step * K_move
            if not hit:
                break
            self.beta[index[first]] = bound[first]
            kept = np.flatnonzero((self.beta[free] > lower) & (self.beta[free] < upper))
        self.e -= (self.beta[free] - start) @ rows.buffer[rows.slot[free]]


def ridged_cholesky(K: Floats) -> tuple[Floats, bool] | None:
    """Factorise K with `RIDGE` on its diagonal, for `cho_solve`; overwrites K. None if singular."""
    n = len(K)
    K.flat[:: n + 1] += RIDGE * K.trace() / n + np.finfo(float).tiny
    try:
        factor: tuple[Floats, bool] = cho_factor(
            K, lower=True, overwrite_a=True, check_finite=False
        )
    except LinAlgError:
        return None
    return factor


def _equality_newton_step(K: Floats, e: Floats) -> Floats | None:
    """Solve ``K move = e - nu`` with ``sum(move) = 0``; overwrites K. None if K is singular."""
    factor = ridged_cholesky(K)
    if factor is None:
        return None
    Z = cho_solve(factor, np.column_stack([e - e.mean(), np.ones(e.size)]), check_finite=False)
    move = Z[:, 0] - Z[:, 1] * (Z[:, 0].sum() / Z[:, 1].sum())
    return move - move.mean()
