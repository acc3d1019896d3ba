"""The demonstration: single modalities, concatenation and kernel fusion on the same folds."""

import math
import time
import warnings
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from mkfusion import ColumnKernelizer, MKLClassifier
from mkfusion.compare._progress import Progress
from mkfusion.compare._studies import (
    WIDTHS,
    Study,
    View,
    all_columns,
    kernel_entries,
    load_study,
)

COSTS = (1.0, 10.0, 100.0)
INNER_FOLDS = 3
_WARM_UP_PER_CLASS = 4


class UsageError(Exception):
    """What was asked for cannot be done; the message is for the person who asked."""


class Outcome(NamedTuple):
    """What one method did on every fold."""

    method: str
    kernels: str  # how many, in words
    costs: tuple[float, ...]  # the C chosen on each fold
    scores: np.ndarray  # (n_folds,)
    seconds: float  # all folds, choice of C included
    gap: float | None  # the worst of the folds; None where the machine reports none
    tol: float | None
    kernel_names: tuple[str, ...]
    weights: np.ndarray | None  # (n_folds, n_kernels)


class Demo(NamedTuple):
    """A finished demonstration."""

    study: Study
    n_all: int
    cv: int
    seed: int
    warm_up_seconds: float
    seconds: float
    outcomes: list[Outcome]


def demo_methods(study: Study, seed: int) -> dict[str, GridSearchCV]:
    """Every method of the comparison, unfitted, by its name in the table.

    Each chooses its C among the same values, by the same cross-validation within the samples that
    it is fitted on. The single SVC also chooses among the four kernels that the others combine.

    Parameters
    ----------
    study : Study
        Samples, labels and views.
    seed : int
        Seed of the inner folds.

    Returns
    -------
    dict of str to GridSearchCV
        Searches that take the raw Modalities.
    """
    inner = StratifiedKFold(n_splits=INNER_FOLDS, shuffle=True, random_state=seed)

    def machine(views: Sequence[View], p: float) -> GridSearchCV:
        pipeline = make_pipeline(ColumnKernelizer(kernel_entries(study, views)), MKLClassifier(p=p))
        return GridSearchCV(pipeline, {"mklclassifier__C": COSTS}, cv=inner)

    methods = {
        f"{modality} alone": machine(
            [view for view in study.views if view.modality == modality], np.inf
        )
        for modality in study.modalities
    }
    methods["all columns, one SVC"] = _one_svc(study, inner)
    for name, p in (("uniform kernel sum", np.inf), ("L1-MKL", 1.0), ("L2-MKL", 2.0)):
        methods[name] = machine(study.views, p)
    return methods


def _one_svc(study: Study, inner: StratifiedKFold) -> GridSearchCV:
    """Search over C and the kernel of an SVC on the columns of all views, side by side."""
    n_columns = all_columns(study.X[:1], study.views).shape[1]
    pipeline = make_pipeline(
        FunctionTransformer(all_columns, kw_args={"views": study.views}), StandardScaler(), SVC()
    )
    rbf = {"svc__kernel": ["rbf"], "svc__gamma": [width / n_columns for width in WIDTHS]}
    # The linear kernel at the scale of the others, so that the same values of C suit it: a
    # standardised sample has a mean squared length of n_columns.
    linear = {"svc__kernel": ["poly"], "svc__degree": [1], "svc__gamma": [1 / n_columns]}
    grid = [{"svc__C": COSTS, **kernel} for kernel in (rbf, linear)]
    return GridSearchCV(pipeline, grid, cv=inner)


def run_demo(
    data: str,
    *,
    cv: int,
    seed: int,
    samples: int | None,
    progress: Progress,
) -> Demo:
    """Cross-validate every method on identical folds.

    Parameters
    ----------
    data : {"basic_motions", "mfeat"}
        Which data set.
    cv : int
        Number of stratified folds.
    seed : int
        Seed of the outer and inner folds, and of the drawn samples.
    samples : int or None
        How many samples to draw; None is all of them, for mfeat 400.
    progress : Progress
        Where to show how far the work is.

    Returns
    -------
    Demo
        Scores, weights, gaps and times.

    Raises
    ------
    UsageError
        If the data set has too few samples for what was asked.
    """
    start = time.perf_counter()
    study, n_all = _study_for(data, samples, seed, cv)
    methods = demo_methods(study, seed)
    splitter = StratifiedKFold(n_splits=cv, shuffle=True, random_state=seed)
    folds = list(splitter.split(np.zeros(len(study.y)), study.y))
    # These matrices are small: threads of the linear algebra cost more than they bring, and many
    # times more on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"), progress.running(len(methods) * cv):
        warm_up_seconds = _warm_up(study, methods, progress)
        outcomes = [
            _evaluate(name, method, study, folds, progress) for name, method in methods.items()
        ]
    seconds = time.perf_counter() - start
    return Demo(study, n_all, cv, seed, warm_up_seconds, seconds, outcomes)


def _study_for(data: str, samples: int | None, seed: int, cv: int) -> tuple[Study, int]:
    """Load the study, or say which option asks for more samples than there are."""
    full, n_all = load_study(data, None, seed)
    n_classes = len(np.unique(full.y))
    # The largest fold takes ceil(size / cv) of a class; the inner folds need one each of the rest.
    least = next(size for size in count(cv) if size - math.ceil(size / cv) >= INNER_FOLDS)
    if samples is not None and not n_classes * least <= samples <= n_all:
        raise UsageError(
            f"argument --samples: {data} with --cv {cv} takes {n_classes * least} to {n_all} "
            f"samples, got {samples}"
        )
    study, n_all = load_study(data, samples, seed)
    smallest = int(np.unique(study.y, return_counts=True)[1].min())
    if cv > smallest:
        raise UsageError(
            f"argument --cv: at most {smallest} folds, the size of the smallest class of these "
            f"{len(study.y)} samples of {data}, got {cv}"
        )
    return study, n_all


def _warm_up(study: Study, methods: dict[str, GridSearchCV], progress: Progress) -> float:
    """Fit each machine on a few samples, so that compilation is in nobody's time."""
    progress.begin("preparing (Numba compiles once, then caches)")
    start = time.perf_counter()
    rows = np.concatenate(
        [np.flatnonzero(study.y == label)[:_WARM_UP_PER_CLASS] for label in np.unique(study.y)]
    )
    X, y = study.X[rows], study.y[rows]
    for method in methods.values():
        clone(method.estimator).fit(X, y).predict(X)
    return time.perf_counter() - start


def _evaluate(
    name: str,
    method: GridSearchCV,
    study: Study,
    folds: list[tuple[np.ndarray, np.ndarray]],
    progress: Progress,
) -> Outcome:
    """Fit and score one method on every fold."""
    progress.begin(name)
    X, y = study.X, study.y
    scores, machines = [], []
    start = time.perf_counter()
    for train, test in folds:
        search: Any = clone(method)
        with warnings.catch_warnings():
            # The table shows the gap reached, and marks one above the tolerance.
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X[train], y[train])
        scores.append(search.score(X[test], y[test]))
        machines.append(search.best_estimator_[-1])
        progress.advance()
    seconds = time.perf_counter() - start
    costs = tuple(machine.C for machine in machines)
    if not isinstance(machines[0], MKLClassifier):
        choice = f"1 of {len(WIDTHS) + 1}"
        return Outcome(name, choice, costs, np.array(scores), seconds, None, None, (), None)
    names = tuple(machines[0].kernel_names_)
    return Outcome(
        name,
        str(len(names)),
        costs,
        np.array(scores),
        seconds,
        max(machine.duality_gap_ for machine in machines),
        machines[0].tol,
        names,
        np.array([machine.weights_ for machine in machines]),
    )
