"""One linear kernel for each feature, sparse weights (p = 1): the classic use.

To a relative gap of 1e-3, on standardised features of which ten are informative: two classes, or
numbers with a tube of 0.1 or a squared loss. fit_s: solve_mkl on kernels in memory, at most 200
choices of weights; cpu_s: its processor seconds; gap: what it reports; chosen:
kernels that got weight.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.datasets import make_classification

from benchmarks._report import Report
from benchmarks._timing import interleave

TOL, EPSILON, NOISE = 1e-3, 0.1, 0.5
COLUMNS = ["loss", "n", "m", "C", "fit_s", "cpu_s", "gap", "chosen"]


class Grid(NamedTuple):
    """Losses, numbers of samples and features, and prices of the loss."""

    losses: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    costs: tuple[float, ...]


FULL = Grid(
    ("hinge", "tube", "squared"),
    ((200, 50), (200, 200), (300, 500), (300, 1001), (300, 2000)),
    (0.01, 1.0, 10.0, 100.0),
)
QUICK = Grid(("hinge", "tube", "squared"), ((100, 100),), (1.0,))


def run(report: Report, grid: Grid) -> None:
    """Fit all problems and print the table."""
    from mkfusion import KernelStack
    from mkfusion.solvers import Hinge, Squared, Tube, solve_mkl

    losses = {"hinge": Hinge(), "tube": Tube(EPSILON), "squared": Squared()}
    table = report.table("features", COLUMNS)
    for n, m in grid.sizes:
        X, labels = make_classification(n, m, n_informative=10, random_state=0)
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        rng = np.random.default_rng(0)
        numbers = X[:, :10] @ rng.normal(size=10) + NOISE * rng.normal(size=n)
        stack = KernelStack([np.outer(x, x) for x in X.T])
        for name in grid.losses:
            classes = np.where(labels == 1, 1.0, -1.0)
            y = (classes if name == "hinge" else numbers / numbers.std())[np.newaxis]
            for C in grid.costs:
                cost = np.full_like(y, C)
                fit = partial(solve_mkl, stack, y, cost, loss=losses[name], tol=TOL)
                seconds, found, processor = interleave({"fit": fit})["fit"]
                table.add(
                    loss=name,
                    n=n,
                    m=m,
                    C=C,
                    fit_s=seconds,
                    cpu_s=processor,
                    gap=found.gap,
                    chosen=int(np.count_nonzero(found.weights)),
                )
    report.target("largest gap", max(table.column("gap")), TOL)
    report.target("slowest fit", max(table.column("fit_s")), 10, " s")
