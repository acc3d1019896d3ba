"""One linear kernel for each feature, sparse weights (p = 1): the classic use.

The hinge loss to a relative gap of 1e-3, on standardised features of which ten are informative.
fit_s: solve_mkl on kernels in memory, at most 200 choices of weights; gap: what it reports; chosen:
kernels that got weight.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.datasets import make_classification

from benchmarks._report import Report
from benchmarks._timing import interleave

TOL = 1e-3
COLUMNS = ["n", "m", "C", "fit_s", "gap", "chosen"]


class Grid(NamedTuple):
    """Numbers of samples and features, and prices of the loss."""

    sizes: tuple[tuple[int, int], ...]
    costs: tuple[float, ...]


FULL = Grid(((200, 50), (200, 200), (300, 500), (300, 1001), (300, 2000)), (0.01, 1.0, 100.0))
QUICK = Grid(((100, 100),), (1.0,))


def run(report: Report, grid: Grid) -> None:
    """Fit all problems and print the table."""
    from mkfusion import KernelStack
    from mkfusion.solvers import solve_mkl

    table = report.table("features", COLUMNS)
    for n, m in grid.sizes:
        X, labels = make_classification(n, m, n_informative=10, random_state=0)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        y = np.where(labels == 1, 1.0, -1.0)[np.newaxis]
        stack = KernelStack([np.outer(x, x) for x in X.T])
        for C in grid.costs:
            cost = np.full_like(y, C)
            fit = partial(solve_mkl, stack, y, cost, tol=TOL)
            seconds, found = interleave({"fit": fit})["fit"]
            chosen = int(np.count_nonzero(found.weights))
            table.add(n=n, m=m, C=C, fit_s=seconds, gap=found.gap, chosen=chosen)
    report.target("largest gap", max(table.column("gap")), TOL)
    report.target("slowest fit", max(table.column("fit_s")), 10, " s")
