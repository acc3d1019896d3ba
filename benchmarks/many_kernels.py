"""Many kernels: RBF kernels on single features and random groups of Sonar, never stored.

Each fit in a process of its own, to the relative gap 1e-2. bank_s: drawing the kernels; fit_s:
MKLClassifier.fit; cpu_s: of the processors; gap: recomputed from the fitted attributes; used:
kernels with weight; us_kernel: microseconds of fit per kernel; peak_gib: largest resident memory of
the process.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from benchmarks._machine import in_child
from benchmarks._report import Report

TOL = 1e-2
SECONDS_TARGET, PEAK_TARGET_GIB, GROWTH_TARGET = 300.0, 2.0, 1.0


class Grid(NamedTuple):
    """Numbers of kernels and norms of the weights; the largest number has the target."""

    counts: tuple[int, ...]
    norms: tuple[float, ...]


FULL = Grid((2_000, 10_000, 100_000, 1_000_000), (1.0, 1.33))
QUICK = Grid((2_000, 10_000), (1.0, 1.33))
COLUMNS = "m p bank_s fit_s cpu_s us_kernel gap n_iter used n_sv peak_gib".split()


def run(report: Report, grid: Grid) -> None:
    """Fit every number of kernels in a new process, and say how time grows."""
    table = report.table("many_kernels", COLUMNS)
    for p in grid.norms:
        for m in grid.counts:
            found = in_child("_fit_bank", m, p, TOL)
            table.add(us_kernel=1e6 * found["fit_s"] / m, **found)
    report.say()
    first, last = grid.counts[0], grid.counts[-1]
    for p in grid.norms:
        (few,) = table.column("fit_s", m=first, p=p)
        (many,) = table.column("fit_s", m=last, p=p)
        growth = math.log(many / few) / math.log(last / first)
        report.target(f"p = {p:g}, exponent of time from {first} to {last}", growth, GROWTH_TARGET)
        report.target(f"p = {p:g}, m = {last}", many, SECONDS_TARGET, " s")
        (peak,) = table.column("peak_gib", m=last, p=p)
        report.target(f"p = {p:g}, m = {last}, peak memory", peak, PEAK_TARGET_GIB, " GiB")
        (gap,) = table.column("gap", m=last, p=p)
        report.target(f"p = {p:g}, m = {last}, gap", gap, TOL)
    report.say()
