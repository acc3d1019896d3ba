"""Support vector machines on a composite kernel, to a duality gap instead of a KKT tolerance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dpotrf, dpotrs

from mkfusion._types import Floats
from mkfusion.solvers._box import dual_gain, free_variables, violation_of_rounding, violations
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._rows import CompositeRows, WholeRows
from mkfusion.solvers._smo import NEEDS_ROW, smo

# KKT violations to stop SMO at: the first one, and how much it falls at least and at most.
_FIRST_VIOLATION = 0.5
_LARGEST_CUT, _SMALLEST_CUT = 0.1, 0.5
# Rounding of a sum of products, as a share of the sum of their sizes.
EPS = float(np.finfo(float).eps)
# An SMO iteration touches each sample about this often; in a factorisation an operation is this
# much cheaper (BLAS 3). A Newton step is tried once SMO has cost as much as it would.
_SMO_FLOPS, _BLAS_GAIN = 10.0, 8.0
# Compiled loops end after about so many operations (some tenths of a second), so that interrupts
# and deadlines are seen.
_MIN_BURST, _BURST_FLOPS = 500, 5e8
_NEWTON_ROUNDS, _NEWTON_PATIENCE = 10, 5
# Prices that differ by less than this share are the same after rounding.
_SAME_COST = 1e-12
# Dual variables whose sum is off by more than this share of their sizes are repaired.
_SUM_RTOL = 1e-13
# Share of the mean diagonal entry added to kernels that are inverted: duplicated samples and
# kernels of low rank make them singular.
RIDGE = 1e-10
# Kernels that were rounded to single precision have negative eigenvalues: the ridge grows by this
# factor until it covers them.
_RIDGE_GROWTH, _LARGEST_RIDGE = 10.0, 1.0
# A machine that needs more iterations, or more for each sample, at one choice of weights is
# reported as not converged.
_ENOUGH_SMO_ITER, _SMO_ITER_PER_SAMPLE = 200_000, 1000


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
    stuck : bool
        Whether rounding, or the number of iterations, ended the last `solve`.
    defect : float
        By how much the kernel was found to be less than positive semi-definite there.
    """

    def __init__(self, y: Floats, cost: Floats) -> None:
        self.y = y
        self.cost = cost
        self.beta = np.zeros(y.size)
        self.e = y.astype(float)
        self.stuck = False
        self.defect = 0.0

    @property
    def total(self) -> float:
        """What the dual variables sum to."""
        return 0.0

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
        self,
        rows: CompositeRows | WholeRows,
        share: float,
        allowance: float,
        ceiling: float,
        deadline: Deadline,
    ) -> None:
        """Improve the dual variables until the gap is at most ``max(share * primal, allowance)``.

        Also stops when the dual value shows the optimum to lie above `ceiling`, at rounding level,
        and at the deadline.
        """

    @abstractmethod
    def restart(self, cost: Floats, scale: float) -> None:
        """Scale the dual variables and take other prices, for which they are then feasible."""

    def settle(self) -> None:
        """Repair the sum of the dual variables, which rounding changes as they come and go.

        They may have been larger by many orders of magnitude on the way; `e` is left behind.
        """
        missing = self.total - float(self.beta.sum())
        if abs(missing) > _SUM_RTOL * float(np.abs(self.beta).sum()):
            self._add(missing)

    @abstractmethod
    def _add(self, missing: float) -> None:
        """Add to the sum of the dual variables, and leave them in their box."""

    cancels = False  # whether the optimum may be zero because vectors cancel out

    def noise(self, diag: Floats, eps: float) -> float:
        """Return the size of objective values that are rounding errors of 0.

        Parameters
        ----------
        diag : ndarray of shape (n,)
            k(x_i, x_i).
        eps : float
            Of the kernels' type.
        """
        return 0.0

    def loss_noise(self, e: Floats, b: float, noise: Floats) -> float:
        """Return how much the loss at ``e - b`` may change where e is off by `noise` (n,)."""
        return float(self.cost @ noise)

    def vanishes(self) -> bool:
        """Whether the optimum is zero up to rounding: no function does better than a constant."""
        return False

    def sides(self) -> list[tuple[Floats, Floats]]:
        """Return the signs and prices (n,) of each side of the loss.

        ``beta = sum_p sign_p x_p`` with ``0 <= x_p <= cost``, and
        ``gain(beta) = sum_p price_p x_p``; without any side beta is free.
        """
        return []

    def ridge(self) -> Floats:
        """Return what the loss adds to the diagonal of the kernel (n,)."""
        return np.zeros(self.y.size)

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
        self._since_newton = self._newton_steps = 0

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
        return free_variables(self.beta, self.lower, self.upper, self.epsilon)

    def _add(self, missing: float) -> None:
        ends = self.upper if missing > 0.0 else self.lower
        room = np.zeros(self.y.size)
        room[self.free] = np.abs(ends - self.beta)[self.free]
        if float(room.sum()) < abs(missing):
            room = np.abs(ends - self.beta)
        if float(room.sum()) >= abs(missing):
            self.beta = self.beta + room * (missing / float(room.sum()))

    def gain(self, beta: Floats) -> float:
        return dual_gain(beta, self.y, self.epsilon)

    def solve(
        self,
        rows: CompositeRows | WholeRows,
        share: float,
        allowance: float,
        ceiling: float,
        deadline: Deadline,
    ) -> None:
        stop = self._n_iter + max(_ENOUGH_SMO_ITER, _SMO_ITER_PER_SAMPLE * self.y.size)
        self.stuck, self.defect = False, 0.0
        self._newton_steps = 0
        while True:
            self._sharpen(rows, stop, deadline)
            gap, primal = self.gap()
            allowed = max(share * abs(primal), allowance)
            if gap <= allowed or primal - gap > ceiling or deadline.passed:
                return
            if self._violation <= self._floor(rows.diag) or self._n_iter >= stop:
                self.stuck = True
                return
            self._violation *= max(_LARGEST_CUT, min(_SMALLEST_CUT, 0.7 * allowed / gap))

    def _floor(self, diag: Floats) -> float:
        """Return the KKT violation below which there are only rounding errors of e."""
        return violation_of_rounding(self.beta, self.y, diag, EPS)

    def _sharpen(self, rows: CompositeRows | WholeRows, stop: int, deadline: Deadline) -> None:
        """Run SMO to the present KKT tolerance, with Newton steps where it would take long."""
        longest = max(_MIN_BURST, int(_BURST_FLOPS / _SMO_FLOPS / self.y.size))
        while self._n_iter < stop and not deadline.passed:
            price = self._newton_price(rows.largest_block)
            burst = max(_MIN_BURST, int(price / _SMO_FLOPS / self.y.size))
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
                min(burst, longest),
            )
            self._n_iter += n_iter
            self._since_newton += n_iter
            if status == NEEDS_ROW:
                urgency = violations(self.beta, self.e, self.lower, self.upper, self.epsilon)
                rows.fetch(row, urgency)
            elif violation <= max(self._violation, self._floor(rows.diag)):
                return
            else:
                price = self._newton_price(rows.largest_block)
                if _SMO_FLOPS * self.y.size * self._since_newton >= price:
                    self._newton(rows, self._some(self.free, rows.largest_block))
                    self._since_newton = 0
                    self._newton_steps += 1

    def _some(self, free: NDArray[np.intp], most: int) -> NDArray[np.intp]:
        """Return `most` of the free dual variables at most, others each time."""
        if free.size <= most:
            return free
        rng = np.random.default_rng(self._newton_steps)
        return np.sort(rng.choice(free, most, replace=False))

    def _newton_price(self, most: int) -> float:
        """Return about how many operations `_newton` takes, and more where it did not help.

        With `most` free dual variables at most.
        """
        n_free = min(self.free.size, most)
        price = n_free**3 / 3.0 / _BLAS_GAIN + _NEWTON_ROUNDS * self.y.size * n_free
        least = _MIN_BURST * _SMO_FLOPS * self.y.size
        return max(price, least) * (1.0 + self._newton_steps / _NEWTON_PATIENCE)

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
            move, defect = _equality_newton_step(K_all[np.ix_(kept, kept)], e[kept])
            self.defect = max(self.defect, defect)
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
        self.e -= rows.dot(free, self.beta[free] - start)


class Factor(NamedTuple):
    """A factorised kernel.

    Attributes
    ----------
    cholesky : ndarray of shape (n, n)
        Its lower triangle.
    defect : float
        The ridge, where it had to be larger than was asked for.
    """

    cholesky: Floats
    defect: float

    def solve(self, right: Floats) -> Floats:
        """Return the solution for right sides (n,) or (n, s), which may be overwritten."""
        solution: Floats = dpotrs(self.cholesky, right, lower=1, overwrite_b=1)[0]
        return solution

    def halve(self, right: Floats) -> Floats:
        """Return ``L**-1 right`` for right sides (n, s), which may be overwritten."""
        half: Floats = dtrsm(1.0, self.cholesky, right, lower=1, overwrite_b=1)
        return half


def ridged_cholesky(K: Floats, ridge: float = RIDGE) -> Factor | None:
    """Factorise K with a ridge on its diagonal. None if that is hopeless.

    Parameters
    ----------
    K : ndarray of shape (n, n), C-contiguous
        Overwritten.
    ridge : float, default=RIDGE
        Share of the mean diagonal entry; more of it if K is less than positive semi-definite.
    """
    asked = ridge
    diagonal = K.diagonal().copy()
    size = float(diagonal.mean())
    while ridge <= _LARGEST_RIDGE:
        K.flat[:: len(K) + 1] = diagonal + (ridge * size + np.finfo(float).tiny)
        # LAPACK itself: the checks around it cost as much as a small factorisation. It overwrites
        # one triangle of what to it is the transpose.
        factor, info = dpotrf(K.T, lower=1, clean=0, overwrite_a=1)
        if info == 0:
            return Factor(factor, ridge * size if ridge > asked else 0.0)
        upper = np.triu_indices(len(K), 1)
        K[upper] = K.T[upper]
        ridge *= _RIDGE_GROWTH
    return None


def _equality_newton_step(K: Floats, e: Floats) -> tuple[Floats | None, float]:
    """Solve ``K move = e - nu`` with ``sum(move) = 0``; return also by how much K is indefinite.

    None if K cannot be factorised.
    """
    factor = ridged_cholesky(K)
    if factor is None:
        return None, np.inf
    right = np.ones((e.size, 2), order="F")
    right[:, 0] = e - e.mean()
    Z = factor.solve(right)
    move = Z[:, 0] - Z[:, 1] * (Z[:, 0].sum() / Z[:, 1].sum())
    return move - move.mean(), factor.defect
