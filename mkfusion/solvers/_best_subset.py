"""The best k modalities of M, with a lower bound of what all other choices can reach.

``J(T)`` is the optimum of multiple kernel learning with the kernels of the modalities in T alone.
Every feasible dual point bounds J(T) from below for every T at once; so does every combination of
dual points that are known (see `_hull`). Subsets are looked at in the order of their bounds: where
what is known does not exclude one, a machine at the weights where the hull says least gives a new
dual point, until the bound of every subset has passed the best objective that was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations
from math import comb
from typing import NamedTuple, TypeAlias

import numpy as np

from mkfusion._types import Floats, Indices, Stack
from mkfusion.solvers._blas import one_blas_thread
from mkfusion.solvers._hull import (
    best_in_hull,
    close_by_hull,
    group_norms,
    improve_bounds,
    scaled_bound,
)
from mkfusion.solvers._limits import MAX_TIME, NEVER, ROUNDING, TOO_MANY, Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._many import nothing_to_learn
from mkfusion.solvers._mkl import solve_mkl
from mkfusion.solvers._points import ROUNDING_SHARE, DualPoints
from mkfusion.solvers._rows import CACHE, CompositeRows
from mkfusion.solvers._svm import BoxTask
from mkfusion.solvers._weights import Regulariser, dual_exponent, norm

# So many subsets each get a bound of their own.
MOST_SUBSETS = 2_000_000
# Machines for one subset before it is left open: rounding stands in its way.
_MOST_MACHINES = 60
# A machine is solved to this share of what is left between the bounds of its subset; at first to
# this share of the objective.
_MACHINE_SHARE, _FIRST_SHARE = 0.1, 1e-2
# A subset is solved to this share of the tolerance (a little less, for rounding), the hull to this
# share of that.
_SUBSET_SHARE, _HULL_SHARE, _ALMOST = 0.5, 0.1, 0.9
# The first machine of a subset also ends where its dual value is so many times what closes the
# subset: there the bound, which is less than that, will be high enough, too.
_ENOUGH = 1.02
# Subsets are put in order again after so many machines, and the hull looks at so many in a row.
_ORDER_AGAIN, _AT_ONCE = 50, 2000
# Where known points closed no choice since the last machine, one new point in so many is added to
# them, for that takes longer than the machine.
_ADDED = 4
# Dual variables that are so near their bounds, as a share of these, are at them.
_AT_BOUND = 1e-12
# Best responses of the forms to a choice; machines for runners-up, for each that is asked for.
_RESPONSES, _PER_RUNNER = 5, 20

# Called with the best objective, the lowest bound and how many choices are open.
Tell = Callable[[float, float, int], None]
# A combination of the known points, and weights of the kernels of a choice.
Guess: TypeAlias = tuple[Floats, Floats] | None


class Subset(NamedTuple):
    """A choice of modalities.

    Attributes
    ----------
    groups : tuple of int
        Ascending.
    objective : float
        Reached with them.
    lower_bound : float
        Of what can be reached with them.
    """

    groups: tuple[int, ...]
    objective: float
    lower_bound: float


class BestSubset(NamedTuple):
    """What the search found.

    Attributes
    ----------
    best : Subset
        Whose objective is the lowest found.
    weights : ndarray of shape (n_kernels,)
        At which it is reached.
    lower_bound : float
        No choice of k modalities has an objective below this.
    gap : float
        ``(objective - lower_bound) / objective``; 0 if both are.
    runners_up : list of Subset
        Other choices within the share that was asked for, best first; where fewer modalities than
        were allowed are the best, not those that they are part of.
    complete : bool
        Whether every other choice is known to be outside that share, or is worse than the last of
        as many runners-up as were asked for.
    limit : str or None
        What ended the search if the gap is above the tolerance: `MAX_TIME`, `ROUNDING`, or
        `TOO_MANY` choices for a bound of each.
    n_subsets : int
        How many choices there are.
    n_machines : int
        How many support vector machines, or linear systems, were solved.
    """

    best: Subset
    weights: Floats
    lower_bound: float
    gap: float
    runners_up: list[Subset]
    complete: bool
    limit: str | None
    n_subsets: int
    n_machines: int


class SubsetSearch:
    """The search for the best modalities, of any number: what one learned serves the others.

    Parameters
    ----------
    stack : Stack
        Symmetric positive semi-definite kernels of shape (n, n, n_kernels).
    y, cost : ndarray of shape (n_tasks, n)
        Targets and prices of the tasks that share weights.
    groups : sequence of ndarray of shape (s,), integer
        The kernels of each of M modalities; no kernel is of two.
    loss : Loss
    p : float
        In [1, inf], for the constraint form.
    tol : float, default=1e-3
        Relative gap to reach.
    deadline : Deadline, default=NEVER
        When to end with what there is.
    report : callable, default=None
        Called as ``report(objective, lower_bound, n_open)`` now and then.
    cache : int, default=2**31
        As for `solve_mkl`.
    """

    def __init__(
        self,
        stack: Stack,
        y: Floats,
        cost: Floats,
        groups: Sequence[Indices],
        *,
        loss: Loss,
        p: float = 1.0,
        tol: float = 1e-3,
        deadline: Deadline = NEVER,
        report: Tell | None = None,
        cache: int = CACHE,
    ) -> None:
        self._stack, self._y, self._cost = stack, y, cost
        self._groups = [np.asarray(group, dtype=np.intp) for group in groups]
        self._starts = np.cumsum([0, *map(len, self._groups)])
        self._members = np.concatenate(self._groups)
        self._loss = loss
        self._reg = Regulariser(float(p), 0.0)
        self._q = dual_exponent(float(p))
        self._tol = tol
        self._deadline = deadline
        self._report = report
        self._cache = cache
        self._tasks = [loss.task(yu, cu) for yu, cu in zip(y, cost, strict=True)]
        self._capped = all(isinstance(task, BoxTask) for task in self._tasks)
        self._rows = CompositeRows(stack, stack.diagonal(), cache)
        self._points = DualPoints(stack, self._tasks)
        self._known: dict[tuple[int, ...], Subset] = {}
        self._reached: dict[tuple[int, ...], tuple[Floats, Floats]] = {}
        self._open = np.empty(0, dtype=np.intp)
        self._bounds, self._subsets = np.empty(0), np.empty((0, 0), dtype=np.intp)
        self._root = 0.0
        self._adds = True
        self.n_machines = 0

    def find(self, k: int, *, n_runners: int = 10, within: float = 0.01) -> BestSubset:
        """Find the best k modalities, or fewer where these are as good.

        Parameters
        ----------
        k : int
            In [1, M].
        n_runners : int, default=10
            How many other choices to tell of.
        within : float, default=0.01
            How much worse they may be, as a share of the objective.

        Returns
        -------
        BestSubset
        """
        with one_blas_thread():
            zero = nothing_to_learn(self._stack, self._y, self._cost, self._loss, self._reg)
            if zero is not None:
                first = Subset(tuple(range(k)), zero.primal, zero.dual)
                gap = max(zero.primal - zero.dual, 0.0) / (abs(zero.primal) or 1.0)
                n_subsets = comb(len(self._groups), k)
                return BestSubset(first, zero.weights, zero.dual, gap, [], True, None, n_subsets, 0)
            self._begin(k)
            best = self._incumbent(k)
            if len(self._bounds):
                best = self._prove(best)
                floor = float(self._bounds.min())
            else:
                floor = self._floor(k)
            lower = min(max(floor, self._root), best.objective)
            gap = max(best.objective - lower, 0.0) / (abs(best.objective) or 1.0)
            limit = self._limit(gap)
            runners, complete = self._runners_up(k, best, n_runners, within)
        return BestSubset(
            self._without_idle(best),
            self._reached[best.groups][0],
            lower,
            gap,
            runners,
            complete,
            limit,
            comb(len(self._groups), k),
            self.n_machines,
        )

    def _limit(self, gap: float) -> str | None:
        """Return what ended the search, if that is what the gap comes from."""
        if gap <= self._tol:
            return None
        if not len(self._bounds):
            return TOO_MANY
        return MAX_TIME if self._deadline.passed else ROUNDING

    def _begin(self, k: int) -> None:
        """Give every subset a bound, by the dual points that are known."""
        M = len(self._groups)
        if not self._points.count:
            self._look_at_all()
        n_subsets = comb(M, k)
        if n_subsets > MOST_SUBSETS:
            self._bounds, self._subsets = np.empty(0), np.empty((0, k), dtype=np.intp)
            return
        flat = np.fromiter(chain.from_iterable(combinations(range(M), k)), np.intp, n_subsets * k)
        self._subsets = flat.reshape(n_subsets, k)
        self._bounds = np.full(n_subsets, self._root)
        if self._reg.p > 1.0:
            self._relax(k)
        everything = np.arange(n_subsets)
        for i in range(self._points.count):
            forms = np.maximum(self._points.table[:-1, i, i], 0.0)
            ridge = float(self._points.table[-1, i, i])
            self._tell(everything, self._points.gains[i], forms, ridge)
        place = {tuple(row): r for r, row in enumerate(self._subsets.tolist())}
        for groups, subset in self._known.items():
            if groups in place:
                r = place[groups]
                self._bounds[r] = max(self._bounds[r], subset.lower_bound)

    def _look_at_all(self) -> None:
        """Solve with all kernels: what they cannot reach no choice among them does."""
        result = solve_mkl(
            self._stack,
            self._y,
            self._cost,
            loss=self._loss,
            p=self._reg.p,
            tol=_SUBSET_SHARE * self._tol,
            max_time=self._deadline.left,
            cache=self._cache,
        )
        self._root = max(result.dual - ROUNDING_SHARE * abs(result.primal), 0.0)
        _, forms, _ = self._points.add(result.beta)
        everything = tuple(range(len(self._groups)))
        self._keep(everything, result.primal, self._root, result.weights, forms)

    def _relax(self, k: int) -> None:
        """Add the dual point of the sparse problem that is easier than every choice.

        Weights of k modalities in the unit ball of p have at most ``s**(1 - 1/p)`` as their sum,
        where s is the number of their kernels.
        """
        sizes = np.sort(np.diff(self._starts))
        most = float(sizes[-k:].sum()) ** (1.0 / self._q)
        result = solve_mkl(
            self._stack,
            self._y,
            self._cost * most,
            loss=self._loss,
            p=1.0,
            tol=self._tol,
            max_time=self._deadline.left,
            cache=self._cache,
        )
        self._points.add(result.beta / most)

    def _tell(self, which: Indices, gain: float, forms: Floats, ridge: float) -> None:
        """Raise the bounds of subsets by one dual point."""
        sizes = self._sizes(forms)
        improve_bounds(
            self._bounds, self._subsets, which, gain, ridge, sizes, self._q, self._capped
        )

    def _sizes(self, forms: Floats) -> Floats:
        """Return the norm of the forms of each modality (M,)."""
        sizes: Floats = group_norms(forms, self._starts, self._members, self._q)
        return sizes

    def _kernels(self, groups: Iterable[int]) -> Indices:
        return np.concatenate([self._groups[g] for g in groups])

    def _keep(
        self,
        groups: tuple[int, ...],
        objective: float,
        lower: float,
        weights: Floats,
        forms: Floats,
    ) -> None:
        """Remember what was reached with a choice."""
        old = self._known.get(groups)
        if old is None or objective < old.objective:
            self._reached[groups] = weights, forms
            self._known[groups] = Subset(groups, objective, min(lower, objective))
        self._raise(groups, lower)

    def _raise(self, groups: tuple[int, ...], lower: float) -> None:
        """Raise the lower bound of a choice, if it is one of those that are known."""
        old = self._known.get(groups)
        if old is not None and lower > old.lower_bound:
            self._known[groups] = old._replace(lower_bound=min(lower, old.objective))

    def _without_idle(self, subset: Subset) -> Subset:
        """Leave out modalities without weight."""
        weights, _ = self._reached[subset.groups]
        used = tuple(g for g in subset.groups if weights[self._groups[g]].any())
        return subset._replace(groups=used or subset.groups[:1])

    def _solve(
        self, groups: tuple[int, ...], ceiling: float, tol: float, guess: Guess = None
    ) -> Subset | None:
        """Return what a choice reaches, to a relative gap of `tol`; None once above `ceiling`."""
        kernels = self._kernels(groups)
        known = self._known.get(groups)
        lower, upper = (0.0, np.inf) if known is None else (known.lower_bound, known.objective)
        share, enough, points = _FIRST_SHARE, _ENOUGH * ceiling, self._points
        for _ in range(_MOST_MACHINES):
            # Before there is a machine nothing is reached, whatever the tolerance.
            target = min(ceiling, upper * (1.0 - tol)) if np.isfinite(upper) else ceiling
            if guess is not None:
                (w, d), guess = guess, None
            elif lower < target:
                value, w, d = best_in_hull(
                    points.gains,
                    points.table,
                    kernels,
                    self._q,
                    self._capped,
                    target,
                    max(_HULL_SHARE * tol, _MACHINE_SHARE * share),
                    True,
                )
                lower = max(lower, min(value, upper))
                self._raise(groups, lower)
            if lower >= ceiling:
                return None
            if lower >= target or (self._deadline.passed and np.isfinite(upper)):
                break
            weights = np.zeros(self._stack.shape[2])
            weights[kernels] = d
            primal, beta = self._machine(weights, points.combine(w), share, enough)
            enough = np.inf
            if not self._adds:
                gain, forms, ridge = points.look(beta, kernels)
                size = norm(forms[kernels], self._q) + ridge
                lower = max(lower, scaled_bound(gain, size, self._capped))
            if self._adds or lower < ceiling:
                gain, forms, ridge = points.add(beta)
                if len(self._open):
                    self._tell(self._open, gain, forms, ridge)
                size = norm(forms[kernels], self._q) + ridge
                lower = max(lower, scaled_bound(gain, size, self._capped))
            self._keep(groups, primal, lower, weights, forms)
            upper = self._known[groups].objective
            left = max(upper - lower, 0.0) / (abs(upper) or 1.0)
            share = float(np.clip(_MACHINE_SHARE * left, _HULL_SHARE * tol, _FIRST_SHARE))
        return self._known[groups]

    def _machine(
        self, weights: Floats, beta: Floats, share: float, enough: float
    ) -> tuple[float, Floats]:
        """Solve the machines at fixed weights from some dual variables to a relative gap.

        A single one also ends with a dual value above `enough`. Return the primal value and the
        dual variables.
        """
        self.n_machines += 1
        rows = self._rows
        rows.set_weights(weights)
        support = np.flatnonzero(beta.any(axis=0))
        rows.require(support)
        primal, found = 0.0, np.empty_like(beta)
        for u, own in enumerate(beta):
            task = self._loss.task(self._y[u], self._cost[u])
            if isinstance(task, BoxTask):
                near = _AT_BOUND * task.cost
                own = np.where(own >= task.upper - near, task.upper, own)
                own = np.where(own <= task.lower + near, task.lower, own)
            task.beta = own
            task.settle()
            task.e = task.y - rows.dot(support, task.beta[support])
            ceiling = enough if len(beta) == 1 else np.inf
            task.solve(rows, share, 0.0, ceiling, self._deadline)
            task.settle()
            primal += task.gap()[1]
            found[u] = task.beta
        return primal, found

    def _incumbent(self, k: int) -> Subset:
        """Return a good choice: the sparse solution cut short, greedy, and best responses."""
        M = len(self._groups)
        weights, _ = self._reached[tuple(range(M))]
        sizes = np.array([norm(weights[group], self._reg.p) for group in self._groups])
        used = int(np.count_nonzero(sizes))
        tol = _SUBSET_SHARE * self._tol
        found = self._solve(_largest(sizes, min(k, max(used, 1))), np.inf, tol)
        assert found is not None
        best = found
        if best.objective * (1.0 - tol) <= self._root or self._deadline.passed:
            return best
        best = self._better(best, self._greedy(k, best.objective))
        for _ in range(_RESPONSES):
            _, forms = self._reached[best.groups]
            sizes = self._sizes(forms)
            other = _largest(sizes, k)
            if other == best.groups or self._deadline.passed:
                break
            if self._better(best, self._solve(other, best.objective, tol)) is best:
                break
            best = self._known[other]
        return best

    @staticmethod
    def _better(best: Subset, other: Subset | None) -> Subset:
        return best if other is None or best.objective <= other.objective else other

    def _greedy(self, k: int, ceiling: float) -> Subset | None:
        """Add the modality that helps most, k times; None if that ends above `ceiling`."""
        M = len(self._groups)
        chosen: tuple[int, ...] = ()
        best: Subset | None = None
        for size in range(1, k + 1):
            best = None
            others = [tuple(sorted((*chosen, g))) for g in range(M) if g not in chosen]
            bounds = [self._bound_now(groups) for groups in others]
            for t in np.argsort(bounds, kind="stable"):
                at_most = ceiling if size == k else np.inf
                at_most = at_most if best is None else min(at_most, best.objective)
                if bounds[t] < at_most:
                    found = self._solve(others[t], at_most, self._tol)
                    best = found if best is None else self._better(best, found)
                if self._deadline.passed:
                    return best if size == k else None
            if best is None:
                return None
            chosen = best.groups
        return best

    def _bound_now(self, groups: tuple[int, ...]) -> float:
        """Return the best bound of single dual points for a choice."""
        kernels, points = self._kernels(groups), self._points
        i = np.arange(points.count)
        forms = np.maximum(points.table[kernels][:, i, i], 0.0)
        ridges = points.table[-1, i, i]
        return max(
            scaled_bound(gain, norm(own, self._q) + ridge, self._capped)
            for gain, own, ridge in zip(points.gains, forms.T, ridges, strict=True)
        )

    def _floor(self, k: int) -> float:
        """Return a bound of all choices: of those that each dual point likes best."""
        best, points = 0.0, self._points
        for i in range(points.count):
            forms = np.maximum(points.table[:-1, i, i], 0.0)
            sizes = self._sizes(forms)
            size = norm(np.sort(sizes)[-k:], self._q) + float(points.table[-1, i, i])
            best = max(best, scaled_bound(float(points.gains[i]), size, self._capped))
        return best

    def _prove(self, best: Subset) -> Subset:
        """Raise the bounds of all choices to the best objective, lowering it where one is better.

        Return the best choice.
        """
        tol = _SUBSET_SHARE * self._tol
        found = [best]

        def solve(groups: tuple[int, ...], guess: Guess) -> float:
            target = found[0].objective * (1.0 - tol)
            other = self._solve(groups, target, _ALMOST * tol, guess)
            found[0] = self._better(found[0], other)
            known = self._known.get(groups)
            lower = 0.0 if known is None else known.lower_bound
            return max(lower, target) if other is None else lower

        self._sweep(self._bounds, lambda: found[0].objective * (1.0 - tol), solve, None)
        return found[0]

    def _sweep(
        self,
        bounds: Floats,
        target: Callable[[], float],
        solve: Callable[[tuple[int, ...], Guess], float],
        most: int | None,
    ) -> bool:
        """Look at open choices in the order of their bounds until all have reached the target.

        `bounds` (n_subsets,) are modified in place. Return whether all have, before the deadline
        and with machines for `most` of them at most.
        """
        stuck: list[int] = []
        solved = 0
        while True:
            goal = target()
            is_open = bounds < goal
            is_open[stuck] = False
            self._open = np.flatnonzero(is_open)
            order = self._open[np.argsort(bounds[self._open], kind="stable")]
            if self._report is not None:
                self._report(goal, float(bounds.min()), order.size)
            if not order.size:
                break
            place, until = 0, solved + _ORDER_AGAIN
            while solved < until:
                before = place
                place, w, d = close_by_hull(
                    bounds,
                    self._subsets,
                    order,
                    place,
                    self._starts,
                    self._members,
                    self._points.gains,
                    self._points.table,
                    self._q,
                    self._capped,
                    target(),
                    _HULL_SHARE * self._tol,
                    _AT_ONCE,
                )
                if place == order.size:
                    break
                if self._deadline.passed or solved == most:
                    self._open = np.empty(0, dtype=np.intp)
                    self._adds = True
                    return False
                r = int(order[place])
                self._adds = place - before > 1 or solved % _ADDED == 0
                guess = (w, d) if d.size else None
                bounds[r] = max(bounds[r], solve(tuple(self._subsets[r].tolist()), guess))
                solved += 1
                if bounds[r] < target():
                    stuck.append(r)
                    place += 1
        self._open = np.empty(0, dtype=np.intp)
        self._adds = True
        return not stuck

    def _runners_up(
        self, k: int, best: Subset, count: int, within: float
    ) -> tuple[list[Subset], bool]:
        """Return the next best choices, and whether none is missing."""
        tol = self._tol
        limit = best.objective * (1.0 + within)
        found = [
            subset
            for subset in self._known.values()
            if len(subset.groups) == k and not set(subset.groups) >= set(best.groups)
        ]
        bounds = self._bounds.copy()
        if len(bounds):
            # What the best choice is part of is no other one.
            shared = np.isin(self._subsets, best.groups).sum(axis=1)
            bounds[shared == len(best.groups)] = np.inf
            place = {tuple(row): r for r, row in enumerate(self._subsets.tolist())}
            for subset in found:
                if subset.objective - subset.lower_bound <= tol * subset.objective:
                    bounds[place[subset.groups]] = np.inf

        def shortened() -> list[Subset]:
            # What was told before it was solved again stands before what is known now.
            latest = {subset.groups: subset for subset in found if subset.objective <= limit}
            return sorted(latest.values(), key=lambda subset: subset.objective)[:count]

        found = shortened()

        def threshold() -> float:
            return found[-1].objective if len(found) == count else limit

        def solve(groups: tuple[int, ...], guess: Guess) -> float:
            nonlocal found
            self._solve(groups, threshold(), tol, guess)
            if groups in self._known:
                found.append(self._known[groups])
                found = shortened()
            return np.inf

        if not len(bounds):
            return found, False
        complete = count == 0 or self._sweep(bounds, threshold, solve, _PER_RUNNER * count)
        return found, complete


def _largest(sizes: Floats, k: int) -> tuple[int, ...]:
    """Return the groups of the k largest sizes."""
    return tuple(sorted(np.argsort(-sizes, kind="stable")[:k].tolist()))
