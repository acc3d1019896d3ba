"""Kernels of explicit features, of which there are few: time and memory linear in the samples.

A function is then a vector u of as many coefficients as there are features, and the problem is

    min_{d, u, b} sum_k ||u_k||**2 / (2 d_k) + sum_i loss_i(y_i - z_i'u - b) + total b

with the weights' regulariser, jointly convex in all of them. The loss is made smooth by a proximal
term in the dual variables around a centre: it is then about quadratic, with a curvature that sums
over the samples whose dual variables are free (a semi-smooth Newton method), and weights and
functions that suit this model are found together, in the space of the features. The intercept is
always at its optimum, so that dual variables are feasible at every step, and a gap is known.
Proximal steps around the new dual variables converge to those of the loss itself, without the
smoothing having to vanish. Samples are seen in sums over the features' rows alone, two passes and
a sum of outer products for each step.

References
----------
Yan and Li, "An efficient augmented Lagrangian method for support vector machine", Optimization
Methods and Software 35 (2020): proximal steps in the dual variables, without kernel weights.

Chapelle, "Training a support vector machine in the primal", Neural Computation 19 (2007).
"""

from __future__ import annotations

import numpy as np

from mkfusion._types import Features, Floats, Mask, Stack
from mkfusion.solvers._feature_model import Model
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._losses import Loss
from mkfusion.solvers._many import MKLResult, Stop
from mkfusion.solvers._parts import is_usable, runs, scaled_cost
from mkfusion.solvers._rounding import relative_gap, rounding_of_dual, rounding_of_primal, sums
from mkfusion.solvers._smoothed import balance
from mkfusion.solvers._svm import BoxTask, Task
from mkfusion.solvers._weights import Regulariser

# Width of the smoothing: at first as a share of the mean residual, which is smaller where something
# is known of the function; and as a share of the last, which is less where that told nothing new.
_FIRST_WIDTH, _KNOWN_WIDTH, _FAR = 1.0, 0.25, 1e3
_NARROWER, _MUCH_NARROWER = 0.5, 0.1
# A smoothed problem is solved to this gap at first, and later to this share of the gap that the
# loss itself has, as long as that is more than this share of the tolerance; a model to this share
# of what the smoothed problem still has.
_FIRST_AIM, _AIM, _LEAST_AIM, _MODEL_SHARE = 0.03, 0.1, 0.2, 0.05
# As long as the smoothed problem leaves such a share of the gap, it is solved further.
_LEFT = 0.5
# A step ends where the slope along it is so much smaller, after so many trials at most, each so far
# from both ends of where the minimum is; less as long as all were too far: where no dual variable
# is free the model knows of no curvature.
_FLAT, _MOST_TRIALS, _INSIDE, _SHORT = 0.1, 12, 0.1, 1e-3
# So many certificates in a row that do not bring the gap to this share of the last end a fit.
_MOST_VAIN, _PROGRESS = 10, 0.9
# Gaps of a smoothed problem are relative to such a share of the objective at least.
_FLOOR = 0.5
# Features are worth it from so many more samples on. Weights and functions are first learned on a
# part of the samples, and so many times more than there are features, to this gap, by so many
# steps. Not where all samples are not so many times more.
_FEWER, _PART, _TIMES, _WORTH = 2, 16, 4, 3
_PART_TOL, _PART_ITER = 3e-2, 50


def few_features(stack: Stack) -> Features | None:
    """Return the kernels' features, if a matrix of these is smaller than one of the samples."""
    features = stack.features
    if features is None or not 0 < _FEWER * int(features.starts[-1]) <= stack.shape[0]:
        return None
    return features


class _FeatureTask:
    """One task, its function and its smoothed loss.

    Parameters
    ----------
    task : Task
    features : Features

    Attributes
    ----------
    u : ndarray of shape (R,)
        Coefficients of the function; ``task.e`` is ``y - Z u``.
    v : ndarray of shape (R,)
        Sums of the features with the dual variables.
    loss, gain : float
        Smoothed, at the best intercept, and what the dual variables gain then.
    """

    def __init__(self, task: Task, features: Features) -> None:
        self.task = task
        self._features = features
        R, n = int(features.starts[-1]), task.y.size
        self.is_smooth = not isinstance(task, BoxTask)
        if isinstance(task, BoxTask):
            self._price, self._epsilon = task.cost, task.epsilon
            self._lower, self._upper = task.lower, task.upper
            self._width = 0.0
        else:
            counted = task.cost > 0.0
            self._price = np.where(counted, 1.0 / np.where(counted, task.ridge(), 1.0), 0.0)
            self._upper, self._epsilon = np.where(counted, np.inf, 0.0), 0.0
            self._lower = -self._upper
            self._width = 1.0
        self._center = np.zeros(n) if self.is_smooth else task.beta
        self.u = np.zeros(R)
        begins = task.beta.any()  # one-class machines do, at dual variables of the right sum
        self.v = features.sums(task.beta[np.newaxis])[0] if begins else np.zeros(R)
        self.b = 0.0
        self.loss = self.gain = 0.0
        self._free = np.zeros(n, dtype=bool)
        self._gram, self._sums = np.zeros((R, R)), np.zeros(R)

    def start(self, u: Floats, columns: Floats, *, known: bool) -> None:
        """Begin with a function, of which something is known or not.

        Parameters
        ----------
        u : ndarray of shape (R,)
        columns : ndarray of shape (R,)
            Weights of the features.
        known : bool
        """
        task = self.task
        task.e = task.y - self._features.products(u[np.newaxis])[0]
        (b, loss), (b0, loss0) = task.loss(task.e), task.loss(task.y)
        size, size0 = self._residual(task.e, b), self._residual(task.y, b0)
        if size0 > 0.0 and loss > loss0:  # a constant is better
            u, b, size, known, task.e = np.zeros_like(u), b0, size0, False, task.y.astype(float)
        self.u, self.b = u, b
        if not self.is_smooth:
            self._width = (_KNOWN_WIDTH if known else _FIRST_WIDTH) * (size or 1.0)
        if not (self.is_smooth or known):
            # Where prices are high, a first step would go as many times too far as the function
            # of dual variables along the residuals is larger than these.
            v = self._features.sums((self._price * (task.e - b))[np.newaxis])
            f = self._features.products(columns * v)[0]
            far = self._residual(f, 0.0) / (size or 1.0) / self._width
            self._width *= max(1.0, far / _FAR)

    def _residual(self, e: Floats, b: float) -> float:
        """Return the mean size of residuals."""
        return float(self._price @ np.abs(e - b)) / float(self._price.sum())

    def recentre(self, narrower: float) -> None:
        """Go on to a smoothing around the present dual variables, with a share of its width."""
        if not self.is_smooth:
            self._center = self.task.beta
            self._width *= narrower

    def smoothed(self, e: Floats, beta: Floats) -> float:
        """Return the smoothed loss at its best intercept; writes its dual variables into `beta`."""
        self.b, value = balance(
            e,
            self._center,
            self._width,
            self._price,
            self._lower,
            self._upper,
            self._epsilon,
            self.task.total,
            self.b,
            beta,
        )
        return value

    def look(self) -> None:
        """Bring dual variables and sums to the present function."""
        e, beta = self.task.e, np.empty(self.task.y.size)
        self.loss = self.smoothed(e, beta)
        self.task.beta = beta
        self.v = self._features.sums(beta[np.newaxis])[0]
        # Fenchel's equality: they maximise beta' e less the conjugate of the loss.
        self.gain = self.loss + float(beta @ (self.task.y - e))

    def model(self) -> tuple[Floats, Floats]:
        """Return q and A of the quadratic model ``-q'u + u'A u / 2`` of the smoothed loss."""
        free: Mask = (self.task.beta > self._lower) & (self.task.beta < self._upper)
        if self._epsilon:
            free &= self.task.beta != 0.0
        self._sum_over(free)
        price = float(self._price[free].sum())
        A = self._gram
        if price > 0.0:  # less its part along the intercept
            A = (A - np.outer(self._sums, self._sums / price)) / self._width
        return self.v + A @ self.u, A

    def _sum_over(self, free: Mask) -> None:
        """Sum over the samples that are free now: add those that came, subtract the others."""
        came, gone = np.flatnonzero(free & ~self._free), np.flatnonzero(self._free & ~free)
        if len(came) + len(gone) < np.count_nonzero(free):
            for rows, sign in ((came, 1.0), (gone, -1.0)):
                if len(rows):
                    gram, total = self._features.gram(rows, self._price[rows])
                    self._gram += sign * gram
                    self._sums += sign * total
        else:
            rows = np.flatnonzero(free)
            self._gram, self._sums = self._features.gram(rows, self._price[rows])
        self._free = free


class _Problem:
    """All tasks, and the weights that they share.

    Parameters
    ----------
    stack : Stack
    features : Features
        Of the stack.
    y, cost, loss, reg
        As for `solve_mkl`.

    Attributes
    ----------
    d : ndarray of shape (m,)
    tasks : list of _FeatureTask
    """

    def __init__(
        self,
        stack: Stack,
        features: Features,
        y: Floats,
        cost: Floats,
        loss: Loss,
        reg: Regulariser,
    ) -> None:
        self._stack = stack
        self._features = features
        self._reg = reg
        self._starts = features.starts
        self._sizes = np.diff(features.starts)
        self._kernel = np.repeat(np.arange(self._sizes.size), self._sizes)
        self._diagonal = stack.diagonal()
        self._eps = float(np.finfo(stack.dtype).eps)
        self.tasks = [
            _FeatureTask(loss.task(yu, cu), features) for yu, cu in zip(y, cost, strict=True)
        ]
        self.d = reg.start(self._diagonal.max(axis=1) > 0.0)
        self._size = 0.0

    def start(self, d: Floats | None, u: Floats | None) -> None:
        """Begin with weights and functions (n_tasks, R), or with what nothing is known of."""
        known = u is not None
        self.d = self._sized(self.d) if d is None else d
        for k, task in enumerate(self.tasks):
            columns = self._columns(self.d)
            task.start(columns * task.v if u is None else u[k], columns, known=known)

    def _sized(self, d: Floats) -> Floats:
        """Return weights of norm 1 as large as is best for dual variables that a fit begins with.

        Those of one class do: its functions are of no other size than that of the weights.
        """
        size = 0.5 * float(d @ self._forms()) / self._reg.lam if self._reg.lam else 0.0
        return size * d if size > 0.0 else d

    def _columns(self, d: Floats) -> Floats:
        return np.repeat(d, self._sizes)

    def _forms(self) -> Floats:
        squares = np.sum([task.v * task.v for task in self.tasks], axis=0)
        forms: Floats = np.bincount(self._kernel, squares, self._sizes.size).astype(np.float64)
        return forms

    def _length(self, d: Floats, u: Floats) -> float:
        """Return ``sum_k ||u_k||**2 / (2 d_k)``, of kernels with weight."""
        squares = np.bincount(self._kernel, np.sum(u * u, axis=0), minlength=d.size)
        used = d > 0.0
        return 0.5 * float(np.sum(squares[used] / d[used]))

    def look(self) -> float:
        """Return the gap of the smoothed problem, relative."""
        for task in self.tasks:
            task.look()
        u = np.array([task.u for task in self.tasks])
        primal = self._length(self.d, u) + sum(task.loss for task in self.tasks)
        primal += self._reg.primal(self.d)
        dual = sum(task.gain for task in self.tasks) - self._reg.conjugate(self._forms())
        self._gap = max(primal - dual, 0.0)
        self._primal = primal
        return self._gap / max(abs(primal), self._size, np.finfo(float).tiny)

    def step(self, deadline: Deadline) -> bool:
        """Go towards the weights and functions that suit the quadratic model, if that descends."""
        models = [task.model() for task in self.tasks]
        q = np.array([one for one, _ in models])
        model = Model(self._starts, self._reg, q, [A for _, A in models])
        d, u = model.minimise(self.d, _MODEL_SHARE * self._gap, deadline)
        old = np.array([task.u for task in self.tasks])
        falls = self._features.products(u - old)
        t = self._share_of_step(d, u - old, falls)
        if t == 0.0:
            return False
        self.d = d if t == 1.0 else self.d + t * (d - self.d)
        for task, own, fall in zip(self.tasks, u, falls, strict=True):
            task.u = own if t == 1.0 else task.u + t * (own - task.u)
            task.task.e = task.task.e - t * fall
        return True

    def _share_of_step(self, d: Floats, move: Floats, falls: Floats) -> float:
        """Return how far to go to where the smoothed objective is about smallest, 0 to stay.

        Parameters
        ----------
        d : ndarray of shape (m,)
            Weights at the end.
        move : ndarray of shape (n_tasks, R)
        falls : ndarray of shape (n_tasks, n)
            How much the residuals fall along the move.
        """
        old = np.array([task.u for task in self.tasks])
        beta = np.empty(falls.shape[1])
        change = d - self.d

        def along(t: float) -> float:
            here, u = self.d + t * change, old + t * move
            used = here > 0.0
            lengths = np.bincount(self._kernel, np.sum(u * u, axis=0), minlength=d.size)
            slopes = np.bincount(self._kernel, np.sum(u * move, axis=0), minlength=d.size)
            ratio = 1.0 / here[used]
            slope = float(slopes[used] @ ratio) + self._reg.slope(here, change)
            slope -= 0.5 * float(lengths[used] @ (ratio * ratio * change[used]))
            for task, fall in zip(self.tasks, falls, strict=True):
                task.smoothed(task.task.e - t * fall, beta)
                slope -= float(beta @ fall)
            return slope

        low, high, t = 0.0, 1.0, 1.0
        at_low = first = along(0.0)
        at_high = along(1.0)
        if first >= 0.0:
            return 0.0
        if at_high <= _FLAT * abs(first):
            return 1.0
        for _ in range(_MOST_TRIALS):
            t = low + (high - low) * at_low / (at_low - at_high)
            least, inside = (_INSIDE if low else _SHORT) * (high - low), _INSIDE * (high - low)
            t = min(max(t, low + least), high - inside) if np.isfinite(t) else low + least
            here = along(t)
            if abs(here) <= _FLAT * abs(first):
                return t
            # An end that stays counts for half from then on: it would hold the next trial.
            if here < 0.0:
                low, at_low, at_high = t, here, 0.5 * at_high
            else:
                high, at_high, at_low = t, here, 0.5 * at_low
        return low  # beyond it the objective may have risen

    def certify(self, stop: Stop) -> MKLResult:
        """Return the weights with the dual variables, without smoothing."""
        d, tasks = self.d, [task.task for task in self.tasks]
        for task in tasks:
            task.settle()
        beta = np.array([task.beta for task in tasks])
        v = self._features.sums(beta)
        for of_features, own in zip(self.tasks, v, strict=True):
            of_features.v = own
        g = self._forms()
        decisions = self._features.products(self._columns(d) * v)
        found = [task.loss(task.y - f) for task, f in zip(tasks, decisions, strict=True)]
        intercept = np.array([b for b, _ in found])
        quadratic, penalty = 0.5 * float(d @ g), self._reg.primal(d)
        primal = quadratic + sum(value for _, value in found) + penalty
        dual = sum(task.gain(task.beta) for task in tasks) - self._reg.conjugate(g)
        noise = 0.0
        if any(task.cancels for task in tasks):
            noise = sum(task.noise(d @ self._diagonal, self._eps) for task in tasks)
        spans, sizes, _ = sums(self._stack, d, beta, self._diagonal)
        rounding = rounding_of_primal(tasks, beta, intercept, decisions, sizes)
        rounding += rounding_of_dual(self._reg, g, spans, beta.shape[1])
        gap = relative_gap(primal, dual, noise, rounding)
        self._size = max(_FLOOR * abs(primal), noise)
        # What of this gap is that of the smoothed problem, with these functions
        trial, left = np.empty(beta.shape[1]), quadratic + penalty + self._reg.conjugate(g)
        for of_features, f in zip(self.tasks, decisions, strict=True):
            left += of_features.smoothed(of_features.task.y - f, trial) - of_features.gain
        self.left = left
        return MKLResult(
            d,
            beta,
            intercept,
            decisions,
            primal,
            dual,
            gap,
            0,
            gap <= stop.tol,
            "",
            g,
            rounding,
            noise,
        )

    @property
    def is_smooth(self) -> bool:
        """Whether the loss needs no smoothing."""
        return all(task.is_smooth for task in self.tasks)

    def recentre(self, narrower: float) -> None:
        """Go on to a smoothing around the present dual variables, with a share of its width."""
        for task in self.tasks:
            task.recentre(narrower)


def solve_by_features(
    stack: Stack,
    features: Features,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
) -> MKLResult:
    """Learn kernel weights in the space of the features.

    Parameters
    ----------
    stack : Stack
    features : Features
        Of the stack.
    y, cost, loss
        As for `solve_mkl`.
    reg : Regulariser
    stop : Stop

    Returns
    -------
    MKLResult
    """
    problem = _Problem(stack, features, y, cost, loss, reg)
    problem.start(*_begin(stack, features, y, cost, loss, reg, stop))
    best: MKLResult | None = None
    n_iter, steps, vain, reached = 0, 0, 0, np.inf
    aim = max(_FIRST_AIM, _LEAST_AIM * stop.tol)
    while True:
        gap = problem.look()
        n_iter += 1
        ends = n_iter >= stop.max_iter or stop.deadline.passed
        stays = gap > aim and not ends and not problem.step(stop.deadline)
        if gap > aim and not ends and not stays:
            steps += 1
            continue
        now = problem.certify(stop)
        # In the objective's own unit: relative to an optimum of 0 gaps stay 1 for long.
        if now.primal - now.dual <= _PROGRESS * reached:
            vain = 0
        elif steps or stays or problem.is_smooth:
            vain += 1
        reached = min(reached, now.primal - now.dual)
        if best is None or now.gap < best.gap:
            best = now
        stop.tell(n_iter, best.gap, now.weights)
        # What rounding may add says nothing as long as most of the gap is another one.
        drowned = best.rounding > max(stop.tol * best.size, best.primal - best.dual)
        hopeless = vain >= _MOST_VAIN or drowned
        if best.converged or ends or hopeless:
            limit = stop.limit(n_iter, best.rounding, best.gap, best.size)
            return best._replace(n_iter=n_iter, limit=limit)
        if problem.is_smooth or (not stays and problem.left > _LEFT * now.gap * now.size):
            aim *= _AIM
        else:
            problem.recentre(_NARROWER if steps else _MUCH_NARROWER)
            aim = max(min(aim, _AIM * now.gap), _LEAST_AIM * stop.tol)
        steps = 0


def _begin(
    stack: Stack,
    features: Features,
    y: Floats,
    cost: Floats,
    loss: Loss,
    reg: Regulariser,
    stop: Stop,
) -> tuple[Floats | None, Floats | None]:
    """Return weights and functions learned on a part of many samples."""
    n = y.shape[1]
    size = max(n // _PART, _TIMES * int(features.starts[-1]))
    sample = runs(n, size)
    if _WORTH * sample.size > n or not is_usable(loss, y, cost, sample):
        return None, None
    few = stack.take(sample, sample)
    known = few.features
    assert known is not None
    scaled = scaled_cost(cost, sample)
    loosely = Stop(max(_PART_TOL, stop.tol), _PART_ITER, stop.deadline, None)
    found = solve_by_features(few, known, y[:, sample], scaled, loss, reg, loosely)
    u = np.repeat(found.weights, np.diff(features.starts)) * known.sums(found.beta)
    return found.weights, u
