"""What users do first: a fit on a list of arrays, and GridSearchCV over nine values of C.

On kernels: ours_s is GridSearchCV(MKLClassifier(p)) on a stack that is made of arrays held apart,
and checked, every time; svc_s the same search of SVC(kernel="precomputed") on the sum of the
kernels, which is there already. On samples: the pipeline Kernelizer, MKLClassifier against an SVC
whose callable kernel adds up the same kernels. cpu: the same ratio in processor time, which does
not depend on what else runs, but counts both threads. All are the least of several rounds. peak_x:
the most memory that a fit on the list of arrays holds, with these, over their size.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from benchmarks._machine import in_child
from benchmarks._problems import Floats, kernel_bank, largest_size, load
from benchmarks._report import Report
from mkfusion import (
    DegenerateKernelWarning,
    Kernelizer,
    KernelStack,
    MKLClassifier,
    RBFKernel,
)

TARGET, PEAK_TARGET = 3.0, 1.15
COSTS = np.logspace(-2, 2, 9)
FOLDS = 5
ROUNDS = 3
WIDTHS = np.logspace(-2.5, 0.5, 10)


class Grid(NamedTuple):
    """Sets with their sizes, kernels and norms."""

    problems: tuple[tuple[str, int, int], ...]
    norms: tuple[float, ...]


FULL = Grid((("cancer", 600, 40), ("mfeat", 1800, 24), ("synthetic", 200, 10)), (1.0, 1.2, 2.0))
QUICK = Grid((("synthetic", 200, 10),), (1.0, 2.0))
COLUMNS = "given set n m p ours_s svc_s ratio cpu score svc_score arrays_mb peak_x".split()


def search(estimator: Any, name: str, X: Any, y: Floats) -> GridSearchCV:
    """Choose C by cross-validation."""
    return GridSearchCV(estimator, {name: COSTS}, cv=FOLDS).fit(X, y)


def on_a_new_stack(p: float, grams: list[Floats], y: Floats) -> GridSearchCV:
    """Do as a user who holds arrays: make a stack of them, and search."""
    return search(MKLClassifier(p=p), "C", KernelStack(grams), y)


def summed_kernel(X: Floats, Z: Floats) -> Floats:
    """Return the mean of the kernels that the pipeline learns to weight."""
    return np.mean([rbf_kernel(X, Z, gamma=gamma) for gamma in WIDTHS], axis=0)


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
        sides = {
            "ours": partial(on_a_new_stack, p, grams, problem.y),
            "svc": partial(search, SVC(kernel="precomputed"), "C", total, problem.y),
        }
        table.add(given="kernels", set=name, n=size, m=m, p=p, **_measured(sides),
                  **in_child("_fit_list", name, size, m, p))  # fmt: skip
    name, n, _ = grid.problems[0]
    problem = load(name, largest_size(name, n) or n)
    for p in grid.norms:
        kernelizer = Kernelizer([RBFKernel(gamma=gamma) for gamma in WIDTHS])
        pipeline = make_pipeline(kernelizer, MKLClassifier(p=p))
        sides = {
            "ours": partial(search, pipeline, "mklclassifier__C", problem.X, problem.y),
            "svc": partial(search, SVC(kernel=summed_kernel), "C", problem.X, problem.y),
        }
        table.add(given="samples", set=name, n=len(problem.y), m=len(WIDTHS), p=p,
                  **_measured(sides))  # fmt: skip
    report.say()
    for given in ("kernels", "samples"):
        ratios = table.column("ratio", given=given)
        report.ratios(f"nine values of C, on {given}, against SVC", ratios, TARGET, TARGET)
    peaks = table.column("peak_x", given="kernels")
    report.target("memory of a fit on a list, in its arrays, largest", max(peaks), PEAK_TARGET)
    report.say()


def _measured(sides: dict[str, Callable[[], GridSearchCV]]) -> dict[str, float]:
    """Return the least times of both sides, by turns, and what they found."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    found = {}
    for _ in range(ROUNDS):
        for name, act in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateKernelWarning)  # widths from end to end
                found[name] = act()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    (ours, ours_cpu), (svc, svc_cpu) = (np.min(times[name], axis=0) for name in ("ours", "svc"))
    return {
        "ours_s": ours,
        "svc_s": svc,
        "ratio": ours / svc,
        "cpu": ours_cpu / svc_cpu,
        "score": found["ours"].best_score_,
        "svc_score": found["svc"].best_score_,
    }
