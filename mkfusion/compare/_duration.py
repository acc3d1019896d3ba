"""How long a comparison takes: by a look at one inner fold, then by the first fold."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress

import numpy as np
from threadpoolctl import threadpool_limits

from mkfusion.compare._evaluate import Job, pending, share_kernels, tell_answers, try_values
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._folds import Fold
from mkfusion.compare._methods import PlannedMethod

# Samples that are learned from at the look, if there are more, and those of a first one that is not
# timed: what is compiled or imported then is not for every fold.
_MOST, _FEW = 400, 40
# Powers of the number of samples that time grows with: kernels, and machines between these and
# factorisations.
_KERNELS, _MACHINES = 2.0, 2.5


class TimeLeft:
    """The time that folds are likely to take.

    The look fits all methods to the samples of one inner fold, and nothing is kept of it: of the
    usual 25 folds with 5 inner ones it is less than one part in 100.

    Parameters
    ----------
    job : Job
    folds : list of Fold
    n_jobs : int
        Folds that are worked on at the same time.

    Attributes
    ----------
    seconds : float
    """

    def __init__(self, job: Job, folds: list[Fold], n_jobs: int) -> None:
        todo = [pending(job, fold) for fold in folds]
        methods = [one for one in job.methods if any(one in some for some in todo)]
        shared, each = _look(job, folds[0], methods)
        self._expected = [
            sum(each[one.label] for one in some) + shared * bool(some) for some in todo
        ]
        self._n_jobs = min(n_jobs, max(1, sum(map(bool, todo))))
        self.seconds = sum(self._expected) / self._n_jobs
        self._start = time.perf_counter()
        self._learned = False

    def learn(self, index: int) -> bool:
        """Correct what is left by the first fold that took time.

        Parameters
        ----------
        index : int
            Of a fold that is done, as all before it.

        Returns
        -------
        bool
            Whether `seconds` is new.
        """
        expected = sum(self._expected[: index + 1])
        if self._learned or not expected:
            return False
        pace = (time.perf_counter() - self._start) / expected
        self.seconds = pace * sum(self._expected[index + 1 :]) / self._n_jobs
        self._learned = True
        return True


def _look(job: Job, fold: Fold, methods: list[PlannedMethod]) -> tuple[float, dict[str, float]]:
    """Return the seconds of the kernels of a fold, and of each method by its label."""
    inner = job.samples.inner.split(fold.train)
    train, test = (fold.train[rows] for rows in inner[0])
    rng = np.random.default_rng(job.samples.setting.seed)
    # The fit to all training samples of the fold, in fits to those of an inner fold
    last = (len(fold.train) / len(train)) ** _MACHINES
    shared, each = 0.0, dict.fromkeys((one.label for one in methods), 0.0)
    with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
        warnings.simplefilter("ignore")  # they come again
        for most in (_FEW, _MOST):
            share = min(1.0, most / len(train))
            some = [
                rng.permutation(rows)[: max(2, round(share * len(rows)))] for rows in (train, test)
            ]
            data = FoldData(job.samples, Fold(*some), inner=True)
            shared = _seconds_of_kernels(data, methods) * (len(inner) + last) / share**_KERNELS
            for one in methods:
                values, answers = _seconds_of(one, data)
                # One of the values is fitted to all of the training samples.
                fits = len(inner) + last / len(one.candidates)
                each[one.label] = (values * fits + answers * last) / share**_MACHINES
    return shared, each


def _seconds_of_kernels(data: FoldData, methods: list[PlannedMethod]) -> float:
    start = time.perf_counter()
    with suppress(Exception):
        for one in methods:
            share_kernels(one, data)
    return time.perf_counter() - start


def _seconds_of(method: PlannedMethod, data: FoldData) -> tuple[float, float]:
    """Return the time of all values of what is tuned, and of what it tells beside its scores.

    What refuses these samples, or fails, will do so again, and is heard of then.
    """
    start = end = time.perf_counter()
    with suppress(Exception):
        tried = try_values(method, data, next(iter(data.samples.scorers)))
        end = time.perf_counter()
        middle = len(tried) // 2
        tell_answers(method, tried[middle][1], method.candidates[middle], data)
    return end - start, time.perf_counter() - end
