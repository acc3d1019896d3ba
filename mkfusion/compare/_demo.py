"""The demonstration: single modalities, concatenation and kernel fusion on the same folds."""

import time
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from mkfusion import ColumnKernelizer, MKLClassifier
from mkfusion.compare._progress import Progress
from mkfusion.compare._studies import Study, View, all_columns, kernel_entries, load_study

_WARM_UP_PER_CLASS = 4


class UsageError(Exception):
    """What was asked for cannot be done; the message is for the person who asked."""


class Outcome(NamedTuple):
    """What one method did on every fold."""

    method: str
    n_kernels: int
    scores: np.ndarray  # (n_folds,)
    seconds: float
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
    C: float
    warm_up_seconds: float
    outcomes: list[Outcome]


def fusion_machine(study: Study, views: Sequence[View], p: float, C: float) -> BaseEstimator:
    """Pipeline from raw samples through the kernels of some views to an MKL machine."""
    return make_pipeline(ColumnKernelizer(kernel_entries(study, views)), MKLClassifier(C=C, p=p))


def demo_methods(study: Study, C: float) -> dict[str, BaseEstimator]:
    """Every method of the comparison, unfitted, by its name in the table.

    Parameters
    ----------
    study : Study
        Samples, labels and views.
    C : float
        Cost of a margin violation, the same for all methods.

    Returns
    -------
    dict of str to estimator
        Estimators that take the raw Modalities.
    """
    methods = {
        f"{modality} alone": fusion_machine(
            study, [view for view in study.views if view.modality == modality], np.inf, C
        )
        for modality in study.modalities
    }
    methods["all columns, one SVC"] = make_pipeline(
        FunctionTransformer(all_columns, kw_args={"views": study.views}),
        StandardScaler(),
        SVC(C=C),
    )
    for name, p in (("uniform kernel sum", np.inf), ("L1-MKL", 1.0), ("L2-MKL", 2.0)):
        methods[name] = fusion_machine(study, study.views, p, C)
    return methods


def run_demo(
    data: str,
    *,
    cv: int,
    seed: int,
    samples: int | None,
    C: float,
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
        Seed of the folds and of the drawn samples.
    samples : int or None
        How many samples to draw; None is all of them, for mfeat 500.
    C : float
        Cost of a margin violation, the same for all methods: what is compared is fusions, not
        tunings.
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
    study, n_all = _study_for(data, samples, seed, cv)
    methods = demo_methods(study, C)
    splitter = StratifiedKFold(n_splits=cv, shuffle=True, random_state=seed)
    folds = list(splitter.split(np.zeros(len(study.y)), study.y))
    with progress.running(len(methods) * cv):
        warm_up_seconds = _warm_up(study, methods, progress)
        outcomes = [
            _evaluate(name, method, study, folds, progress) for name, method in methods.items()
        ]
    return Demo(study, n_all, cv, seed, C, warm_up_seconds, outcomes)


def _study_for(data: str, samples: int | None, seed: int, cv: int) -> tuple[Study, int]:
    """Load the study, or say which option asks for more samples than there are."""
    full, n_all = load_study(data, None, seed)
    n_classes = len(np.unique(full.y))
    if samples is not None and not n_classes * cv <= samples <= n_all:
        raise UsageError(
            f"argument --samples: {data} with --cv {cv} takes {n_classes * cv} to {n_all} "
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


def _warm_up(study: Study, methods: dict[str, BaseEstimator], progress: Progress) -> float:
    """Fit each method on a few samples, so that compilation is in nobody's time."""
    progress.begin("preparing (Numba compiles once, then caches)")
    start = time.perf_counter()
    rows = np.concatenate(
        [np.flatnonzero(study.y == label)[:_WARM_UP_PER_CLASS] for label in np.unique(study.y)]
    )
    X, y = study.X[rows], study.y[rows]
    for method in methods.values():
        clone(method).fit(X, y).predict(X)
    return time.perf_counter() - start


def _evaluate(
    name: str,
    method: BaseEstimator,
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
        pipeline: Any = clone(method)
        with warnings.catch_warnings():
            # The table shows the gap reached, and marks one above the tolerance.
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(X[train], y[train])
        scores.append(pipeline.score(X[test], y[test]))
        machines.append(pipeline[-1])
        progress.advance()
    seconds = time.perf_counter() - start
    if not isinstance(machines[0], MKLClassifier):
        return Outcome(name, 1, np.array(scores), seconds, None, None, (), None)
    names = tuple(machines[0].kernel_names_)
    return Outcome(
        name,
        len(names),
        np.array(scores),
        seconds,
        max(machine.duality_gap_ for machine in machines),
        machines[0].tol,
        names,
        np.array([machine.weights_ for machine in machines]),
    )
