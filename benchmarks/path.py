"""Model selection: a path of 20 values of C or of p against single fits.

path_s: solve_path over all values, each from the solution of the one before; single_s: the mean
time of solve_mkl for one of the same values; ratio: path_s / single_s, 20 if nothing were gained.
gap: the largest of the path's, recomputed in NumPy.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks._certificate import mkl_gap
from benchmarks._problems import kernel_bank, load
from benchmarks._report import Report
from benchmarks._timing import interleave
from mkfusion import KernelStack

TOL = 1e-3
N_VALUES, TARGET = 20, 4.0
COST = 10.0


class Case(NamedTuple):
    """A path of costs at norm p, or of norms where p is None."""

    name: str
    n: int
    m: int
    p: float | None


FULL = (
    Case("cancer", 569, 20, 1.0),
    Case("cancer", 569, 20, 1.5),
    Case("cancer", 569, 20, None),
    Case("mfeat", 2000, 20, 1.0),
    Case("mfeat", 2000, 20, 1.5),
    Case("mfeat", 2000, 20, None),
)
QUICK = (Case("cancer", 200, 10, 1.5), Case("cancer", 200, 10, None))
COLUMNS = "set n m of p path_s single_s ratio gap".split()


def run(report: Report, grid: tuple[Case, ...]) -> None:
    """Time every path and all of its fits one by one."""
    from mkfusion.solvers import Setting, solve_mkl, solve_path

    table = report.table("path", COLUMNS)
    for case in grid:
        problem = load(case.name, case.n)
        bank = kernel_bank(problem.X, case.m)
        stack = KernelStack(bank.transpose(1, 2, 0))
        y = problem.y[np.newaxis]
        if case.p is None:
            settings = [Setting(np.full_like(y, COST), p, 0.0) for p in np.linspace(1, 3, N_VALUES)]
        else:
            costs = np.logspace(-1, 2, N_VALUES)
            settings = [Setting(np.full_like(y, C), case.p, 0.0) for C in costs]

        def one_by_one(stack=stack, y=y, settings=settings) -> None:
            for cost, p, lam in settings:
                solve_mkl(stack, y, cost, p=p, lam=lam, tol=TOL)

        def whole(stack=stack, y=y, settings=settings) -> list:
            return list(solve_path(stack, y, settings, tol=TOL))

        timed = interleave({"path": partial(whole), "single": partial(one_by_one)})
        gaps = [
            mkl_gap(
                bank,
                problem.y,
                result.beta[0],
                result.weights,
                float(setting.cost[0, 0]),
                setting.p,
            )
            for result, setting in zip(timed["path"].result, settings, strict=True)
        ]
        single = timed["single"].seconds / N_VALUES
        table.add(
            set=case.name,
            n=len(problem.y),
            m=case.m,
            of="p" if case.p is None else "C",
            p=case.p,
            path_s=timed["path"].seconds,
            single_s=single,
            ratio=timed["path"].seconds / single,
            gap=max(gaps),
        )
    report.say()
    ratios = table.column("ratio")
    report.target(f"largest of {len(ratios)} paths, in single fits", max(ratios), TARGET)
    report.say()
