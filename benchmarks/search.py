"""What users do first: a fit on a list of arrays, and GridSearchCV over nine values of C.

On kernels: ours_s is GridSearchCV(MKLClassifier(p)) on a stack that is made of arrays held apart,
and checked, every time; svc_s the same search of SVC(kernel="precomputed") on the sum of the
kernels, which is there already; jobs2_x: the time of ours with n_jobs=2 over that without, once
processes run. cpu: the same ratio in processor time, which does not depend on what else runs, but
counts both threads. All are the least of several rounds. peak_x: the most memory that a fit on the
list of arrays holds, with these, over their size.

On samples, three quarters of them to choose and learn from, the others for the score (accuracy, or
R2): the pipelines Kernelizer, MKLClassifierCV (or MKLRegressorCV, squared error) and, for classes,
GridSearchCV over Kernelizer, MKLClassifier; against GridSearchCV of an SVC (SVR) whose callable
kernel adds up the same kernels, svc_x in time and cpu_x in processor time; and himalaya, for
numbers, where it is installed: MultipleKernelRidgeCV with its random search of 100 weights and the
same nine strengths, once. p is of ours.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import scale
from sklearn.svm import SVC, SVR

from benchmarks._machine import in_child
from benchmarks._problems import Floats, kernel_bank, largest_size, load
from benchmarks._report import Report, Table
from mkfusion import (
    DegenerateKernelWarning,
    Kernelizer,
    KernelStack,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressorCV,
    RBFKernel,
)

TARGET, PEAK_TARGET = 3.0, 1.15
COSTS = np.logspace(-2, 2, 9)
FOLDS = 5
JOBS = 2
ROUNDS = 3
WIDTHS = np.logspace(-2.5, 0.5, 10)


class Grid(NamedTuple):
    """Sets with their sizes, kernels and norms."""

    problems: tuple[tuple[str, int, int], ...]
    norms: tuple[float, ...]


FULL = Grid((("cancer", 600, 40), ("mfeat", 1800, 24), ("synthetic", 200, 10)), (1.0, 1.2, 2.0))
QUICK = Grid((("synthetic", 200, 10),), (1.0, 2.0))
COLUMNS = "set n m p ours_s svc_s ratio cpu jobs2_x score svc_score arrays_mb peak_x".split()
RAW_COLUMNS = "set n m p side seconds svc_x cpu_x score".split()


class Spent(NamedTuple):
    """The least time of a search, by the clock and of processors, and what it found."""

    seconds: float
    processor: float
    found: Any


def search(estimator: Any, name: str, X: Any, y: Floats, n_jobs: int | None = None) -> GridSearchCV:
    """Choose C by cross-validation."""
    return GridSearchCV(estimator, {name: COSTS}, cv=FOLDS, n_jobs=n_jobs).fit(X, y)


def on_a_new_stack(
    p: float, grams: list[Floats], y: Floats, n_jobs: int | None = None
) -> GridSearchCV:
    """Do as a user who holds arrays: make a stack of them, and search."""
    return search(MKLClassifier(p=p), "C", KernelStack(grams), y, n_jobs)


def summed_kernel(X: Floats, Z: Floats) -> Floats:
    """Return the mean of the kernels that the pipeline learns to weight."""
    return np.mean([rbf_kernel(X, Z, gamma=gamma) for gamma in WIDTHS], axis=0)


def kernelizer() -> Kernelizer:
    """Return what makes the kernels of samples."""
    return Kernelizer([RBFKernel(gamma=gamma) for gamma in WIDTHS])


def himalaya_search(X: Floats, y: Floats) -> Any:
    """Do with himalaya, on the same kernels of numbers, what it offers for the purpose."""
    from himalaya.kernel_ridge import (
        ColumnKernelizer,
        Kernelizer as OneKernel,
        MultipleKernelRidgeCV,
    )

    columns = list(range(X.shape[1]))
    kernels = [
        (f"rbf{k}", OneKernel(kernel="rbf", kernel_params={"gamma": float(gamma)}), columns)
        for k, gamma in enumerate(WIDTHS)
    ]
    ridge = MultipleKernelRidgeCV(
        kernels="precomputed",
        solver_params={"alphas": 1.0 / COSTS, "progress_bar": False},
        cv=FOLDS,
        random_state=0,
    )
    return make_pipeline(ColumnKernelizer(kernels), ridge).fit(X, y)


def run(report: Report, grid: Grid) -> None:
    """Search on every problem, from kernels and from samples, and compare with the targets."""
    table = report.table("search", COLUMNS)
    for (name, n, m), p in product(grid.problems, grid.norms):
        size = largest_size(name, n)
        if size is None:
            continue
        problem = load(name, size)
        grams = [gram.copy() for gram in kernel_bank(problem.X, m)]
        total = np.sum(grams, axis=0) * m ** (-1.0 / p)
        spent = _measured(
            {
                "ours": partial(on_a_new_stack, p, grams, problem.y),
                "in two processes": partial(on_a_new_stack, p, grams, problem.y, JOBS),
                "svc": partial(search, SVC(kernel="precomputed"), "C", total, problem.y),
            }
        )
        ours, svc = spent["ours"], spent["svc"]
        table.add(
            set=name,
            n=size,
            m=m,
            p=p,
            ours_s=ours.seconds,
            svc_s=svc.seconds,
            ratio=ours.seconds / svc.seconds,
            cpu=ours.processor / svc.processor,
            jobs2_x=spent["in two processes"].seconds / ours.seconds,
            score=ours.found.best_score_,
            svc_score=svc.found.best_score_,
            **in_child("_fit_list", name, size, m, p),
        )
    raw = report.table("search_samples", RAW_COLUMNS)
    _from_samples(raw, grid)
    report.say()
    ratios = table.column("ratio")
    report.ratios("nine values of C, on kernels, against SVC", ratios, TARGET, TARGET)
    for side in ("MKLClassifierCV", "MKLRegressorCV", "GridSearchCV, MKLClassifier"):
        ratios = raw.column("svc_x", side=side)
        report.ratios(f"{side}, on samples, against SVC", ratios, TARGET, TARGET)
    report.target(
        "memory of a fit on a list, in its arrays, largest",
        max(table.column("peak_x")),
        PEAK_TARGET,
    )
    report.say()


def _from_samples(table: Table, grid: Grid) -> None:
    """Measure pipelines from samples, of two classes and of numbers."""
    name, n, _ = grid.problems[0]
    problem = load(name, largest_size(name, n) or n)
    X, y = load_diabetes(return_X_y=True)
    for named, features, target in ((name, problem.X, problem.y), ("diabetes", scale(X), scale(y))):
        classes = named == name
        train, test, y_train, y_test = train_test_split(
            features, target, stratify=target if classes else None, random_state=0
        )
        for p in grid.norms:
            spent = _measured(_sides(p, train, y_train, classes))
            if not classes and p == grid.norms[0] and find_spec("himalaya"):
                act = partial(himalaya_search, train, y_train)
                spent |= _measured({"himalaya": act}, rounds=1)
            svc = spent["SVC" if classes else "SVR"]
            for side, one in spent.items():
                table.add(
                    set=named,
                    n=len(y_train),
                    m=len(WIDTHS),
                    p=p,
                    side=side,
                    seconds=one.seconds,
                    svc_x=one.seconds / svc.seconds,
                    cpu_x=one.processor / svc.processor,
                    score=float(one.found.score(test, y_test)),
                )


def _sides(p: float, X: Floats, y: Floats, classes: bool) -> dict[str, Callable[[], Any]]:
    if classes:
        pipeline = make_pipeline(kernelizer(), MKLClassifier(p=p))
        return {
            "MKLClassifierCV": partial(_choose, MKLClassifierCV(COSTS, p, cv=FOLDS), X, y),
            "GridSearchCV, MKLClassifier": partial(search, pipeline, "mklclassifier__C", X, y),
            "SVC": partial(search, SVC(kernel=summed_kernel), "C", X, y),
        }
    ridge = MKLRegressorCV(COSTS, p, loss="squared_error", cv=FOLDS)
    return {
        "MKLRegressorCV": partial(_choose, ridge, X, y),
        "SVR": partial(search, SVR(kernel=summed_kernel), "C", X, y),
    }


def _choose(machine: Any, X: Floats, y: Floats) -> Pipeline:
    return make_pipeline(kernelizer(), machine).fit(X, y)


def _measured(sides: dict[str, Callable[[], Any]], rounds: int | None = None) -> dict[str, Spent]:
    """Return the least times of all sides, by turns, and what they found."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    found = {}
    for _ in range(rounds or ROUNDS):
        for name, act in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateKernelWarning)  # widths from end to end
                found[name] = act()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    least = {name: np.min(spent, axis=0) for name, spent in times.items()}
    return {name: Spent(wall, cpu, found[name]) for name, (wall, cpu) in least.items()}
