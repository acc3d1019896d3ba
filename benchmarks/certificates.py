"""Are certificates true? Random problems, and their gaps from the definition in extended precision.

Kernels of scales 1e-8 to 1e8 in float32 and float64 (linear, of one column, polynomial, Gaussian),
2 to 80 samples, C from 1e-4 to 1e6, all losses, constraint and penalty form, p of 1, 1.2, 2 and
infinity. dishonest: fits whose reported gap is below the true one; warned: fits that end above
their tolerance, and say so; raised: fits that end in an exception, or silently above their
tolerance; slowest: processor seconds of the slowest fit.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks._certified import LOSSES, examine, make
from benchmarks._report import Report

COLUMNS = ["loss", "fits", "dishonest", "warned", "raised", "slowest"]


class Grid(NamedTuple):
    """How many problems, and the number of the first."""

    count: int
    first: int


FULL = Grid(10_000, 0)
QUICK = Grid(300, 0)


def run(report: Report, grid: Grid) -> None:
    """Fit all problems and print the counts."""
    outcomes = []
    for seed in range(grid.first, grid.first + grid.count):
        problem = make(seed)
        outcome = examine(problem)
        outcomes.append((problem.loss, outcome))
        if outcome.dishonest:
            report.say(
                f"problem {seed}: dishonest: reported {outcome.gap:.2e}, true {outcome.true:.2e}"
            )
        if outcome.error:
            report.say(f"problem {seed}: {outcome.error}")
    table = report.table("certificates", COLUMNS)
    for loss in LOSSES:
        own = [outcome for name, outcome in outcomes if name == loss]
        table.add(
            loss=loss,
            fits=len(own),
            dishonest=sum(outcome.dishonest for outcome in own),
            warned=sum(outcome.warned for outcome in own),
            raised=sum(bool(outcome.error) for outcome in own),
            slowest=max((outcome.seconds for outcome in own), default=0.0),
        )
    report.target("dishonest gaps", sum(table.column("dishonest")), 0)
    report.target("exceptions", sum(table.column("raised")), 0)
    report.target("slowest fit", max(table.column("slowest")), 60, " s")
