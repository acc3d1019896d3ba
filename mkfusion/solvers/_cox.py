"""Cox's partial likelihood, its conjugate, and the machine that it makes of a composite kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from mkfusion._types import Floats, Indices, Mask
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._rows import CompositeRows, WholeRows
from mkfusion.solvers._svm import EPS, Task, ridged_cholesky

# Newton's steps go at most so far towards where the conjugate ends, are halved until they gain this
# share of what the slope promises, and are so many.
_TO_THE_END, _ARMIJO, _HALVINGS, _MOST_STEPS = 0.99, 1e-4, 50, 200
# The least ridge of a linear system.
_LEAST_RIDGE = 1e-16
# Gains below this share of the dual value are rounding.
_ROUNDED = 8.0 * EPS


@dataclass(frozen=True)
class Cox(Loss):
    """Cox's partial likelihood, in Breslow's form where times are tied.

    ``sum_i cost_i event_i log(sum_{j at risk} cost_j exp(f_j) / (cost_i exp(f_i)))``; a target is
    the time of a sample (positive, or its rank), with a minus sign where it was censored. The
    conjugate is known in closed form, because a risk set holds all later ones.
    """

    separable = False

    def task(self, y: Floats, cost: Floats) -> Task:
        return _CoxTask(y, cost)

    def usable(self, y: Floats, cost: Floats) -> bool:
        counted = cost > 0.0
        events = y[counted & (y > 0.0)]
        return events.size > 0 and int((np.abs(y[counted]) >= events.min()).sum()) > 1


class RiskSets:
    """Which samples are at risk at which event.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of shape (n,), boolean

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        The different times of events, ascending.
    last : ndarray of shape (n,), integer
        At how many of them a sample was at risk: the first so many.
    """

    def __init__(self, time: Floats, event: Mask) -> None:
        self.times = np.unique(time[event])
        self.last = np.searchsorted(self.times, time, side="right")
        self._order = np.argsort(self.last, kind="stable")
        self._starts = np.searchsorted(self.last[self._order], np.arange(1, self.times.size + 1))

    def sums(self, values: Floats) -> Floats:
        """Return the sum (n_times,) of the values of samples by the last event at risk."""
        return np.asarray(np.bincount(self.last, values, self.times.size + 1)[1:], np.float64)

    def log_at_risk(self, logs: Floats) -> Floats:
        """Return logarithms (n_times,) of sums of ``exp(logs)`` over those at risk."""
        groups = np.logaddexp.reduceat(logs[self._order], self._starts)
        later: Floats = np.logaddexp.accumulate(groups[::-1])[::-1]
        return later


class _CoxTask(Task):
    """Newton's method on the dual.

    Notes
    -----
    Number the times of events, call ``k(i)`` the last at which sample i is at risk, D the prices of
    the events at each, and ``q = cost event - beta`` what the model expects of each sample: beta
    are its martingale residuals. With B_k the sum of beta over the samples with ``k(i) <= k`` and
    ``T_k = B_{k-1} + D_k``, the cumulative hazard that belongs to q is, up to a factor,
    ``H_1 = 1, H_{k+1} = H_k T_{k+1} / B_k``; ``f_i = log(q_i / (cost_i H_k(i)))``, up to a
    constant; and ``T_k / H_k`` is the sum over the risk set. Every B_k but the last, which is zero,
    and every q_i are positive.
    """

    def __init__(self, y: Floats, cost: Floats) -> None:
        super().__init__(np.zeros(y.size), cost)
        self._time, self._event = np.abs(y), y > 0.0
        self._set_cost(cost)
        self.beta = self.probe()

    def _set_cost(self, cost: Floats) -> None:
        self.cost = cost
        events = self._event & (cost > 0.0)
        first = self._time[events].min(initial=np.inf)
        self._counted = np.flatnonzero((cost > 0.0) & (self._time >= first))
        i = self._counted
        self._price = cost[i]
        self._observed = np.where(self._event[i], self._price, 0.0)
        self._sets = RiskSets(self._time[i], self._event[i])
        self._last = self._sets.last - 1
        self._deaths = self._sets.sums(self._observed)
        self._constant = float(xlogy(self._observed, self._observed).sum())

    def _add(self, missing: float) -> None:
        i = self._counted
        q = self._observed - self.beta[i]
        self.beta = np.zeros(self.y.size)
        self.beta[i] = self._observed - q * (1.0 - missing / float(q.sum()))

    def restart(self, cost: Floats, scale: float) -> None:
        self.beta = scale * self.beta
        self._set_cost(cost)

    @property
    def free(self) -> Indices:
        return self._counted

    def _residuals(self, f: Floats) -> Floats:
        """Return the dual variables of the counted samples that belong to values f of theirs."""
        logs = f + np.log(self._price)
        hazards = np.log(self._deaths) - self._sets.log_at_risk(logs)
        return self._observed - np.exp(logs + np.logaddexp.accumulate(hazards)[self._last])

    def probe(self) -> Floats:
        """Return the dual variables of f = 0."""
        beta = np.zeros(self.y.size)
        beta[self._counted] = self._residuals(np.zeros(self._counted.size))
        return beta

    def _balances(self, beta: Floats) -> Floats:
        """Return B_k (n_times - 1,) of dual variables, or of a step of theirs, of those counted."""
        return np.cumsum(self._sets.sums(beta))[:-1]

    def _values(self, beta: Floats) -> tuple[Floats, Floats] | None:
        """Return f and the logarithms of the sums over the risk sets; None out of the domain."""
        q, B = self._observed - beta, self._balances(beta)
        if not ((q > 0.0).all() and (B > 0.0).all()):
            return None
        T = self._deaths.copy()
        T[1:] += B
        hazards = np.zeros(T.size)
        hazards[1:] = np.cumsum(np.log(T[1:]) - np.log(B))
        return np.log(q) - np.log(self._price) - hazards[self._last], np.log(T) - hazards

    def gain(self, beta: Floats) -> float:
        own = beta[self._counted]
        values = self._values(own)
        if values is None:
            return -np.inf
        f, sums = values
        return float(self._deaths @ sums - (self._observed - own) @ f) - self._constant

    def loss(self, e: Floats) -> tuple[float, float]:
        # A constant that is added to f changes nothing: no intercept is needed.
        f = -e[self._counted]
        sums = self._sets.log_at_risk(f + np.log(self._price))
        return 0.0, float(self._deaths @ sums - self._observed @ f) - self._constant

    def loss_noise(self, e: Floats, b: float, noise: Floats) -> float:
        # Absolute derivatives of the loss sum to at most two for each event.
        return 2.0 * float(self._deaths.sum()) * float(noise[self._counted].max(initial=0.0))

    def vanishes(self) -> bool:
        return self._counted.size < 2

    def curvature(self, K: Floats, free: Indices) -> Floats:
        place = np.searchsorted(self._counted, free)
        own = self.beta[self._counted]
        B, last = self._balances(own), self._last[place]
        # What is added for every l above both k: D_l / (B_{l-1} T_l)
        bends = np.zeros(self._deaths.size)
        bends[:-1] = (self._deaths[1:] / (B * (B + self._deaths[1:])))[::-1].cumsum()[::-1]
        K += bends[np.maximum.outer(last, last)]
        K.flat[:: len(K) + 1] += 1.0 / (self._observed - own)[place]
        return K

    def solve(
        self,
        rows: CompositeRows | WholeRows,
        share: float,
        allowance: float,
        ceiling: float,
        deadline: Deadline,
    ) -> None:
        i = self._counted
        K = rows.block(i)
        self.stuck, self.defect = False, 0.0
        if self._values(self.beta[i]) is None:  # other prices have other samples in the risk sets
            self._take(self.probe()[i], rows)
        for _ in range(_MOST_STEPS):
            gap, primal = self.gap()
            allowed = gap <= max(share * abs(primal), allowance)
            if allowed or primal - gap > ceiling or deadline.passed:
                return
            found = self._step(K)
            if found is None:
                break
            self._take(found, rows)
        self.stuck = True

    def _take(self, own: Floats, rows: CompositeRows | WholeRows) -> None:
        """Go on from other dual variables of the counted samples."""
        self.beta = np.zeros(self.y.size)
        self.beta[self._counted] = own
        self.settle()
        self.e = -rows.dot(self._counted, self.beta[self._counted])

    def _step(self, K: Floats) -> Floats | None:
        """Return better dual variables of the counted samples; None where there are none."""
        i = self._counted
        own = self.beta[i]
        values = self._values(own)
        factor = ridged_cholesky(self.curvature(K.copy(), i), _LEAST_RIDGE)
        self.defect = np.inf if factor is None else max(self.defect, factor.defect)
        if values is None or factor is None:
            return None
        slopes = values[0] + self.e[i]
        slopes -= slopes.mean()
        right = np.ones((i.size, 2), order="F")
        right[:, 0] = slopes
        solved = factor.solve(right)
        move = solved[:, 0] - solved[:, 1] * (solved[:, 0].sum() / solved[:, 1].sum())
        move -= move.mean()
        least = _ROUNDED * abs(self.gain(self.beta) + 0.5 * float(self.e[i] @ own))
        if float(slopes @ move) > least:
            # The curve on which f moves evenly begins along the same step and never leaves the
            # domain: it is the better way to expectations that are far smaller, and the line to
            # those that are far larger.
            change = slopes - K @ move
            found = self._search(
                K,
                float(slopes @ move),
                least,
                self._line(own, move),
                lambda t: self._residuals(values[0] - t * change),
            )
            if found is not None:
                return found
        # Newton's steps multiply what is far too small. The dual variables that belong to ``K
        # beta`` are not: towards them the slope is at least the gap.
        move = self._residuals(-self.e[i]) - own
        return self._search(K, float(slopes @ move), least, self._line(own, move))

    def _line(self, own: Floats, move: Floats) -> Callable[[float], Floats]:
        """Return the line along a move, cut short of where the conjugate ends."""
        room = np.concatenate([self._observed - own, self._balances(own)])
        falls = np.concatenate([move, -self._balances(move)])
        to = falls > 0.0
        longest = _TO_THE_END * float((room[to] / falls[to]).min(initial=np.inf))
        return lambda t: own + min(t, longest) * move

    def _search(
        self, K: Floats, slope: float, least: float, *ways: Callable[[float], Floats]
    ) -> Floats | None:
        """Return where on one of several ways the dual value rises enough; None if nowhere."""
        i = self._counted
        own, start = self.beta[i], self.gain(self.beta)
        if not slope > least:
            return None
        t, trial = 1.0, self.beta.copy()
        for _ in range(_HALVINGS):
            best, rise = own, -np.inf
            for way in ways:
                trial[i] = way(t)
                moved = trial[i] - own
                along = float(self.e[i] @ moved) - 0.5 * float(moved @ (K @ moved))
                risen = self.gain(trial) - start + along
                if risen > rise:
                    best, rise = trial[i].copy(), risen
            if rise >= _ARMIJO * t * slope - least:
                return best
            t *= 0.5
        return None
