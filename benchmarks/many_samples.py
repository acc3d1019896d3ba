"""Many samples: ten kernels computed on demand from features, in a process of its own.

fit_s: MKLClassifier.fit to the relative gap 1e-2 on what ColumnKernelizer gave; gap: recomputed in
NumPy. passes: kernel values computed over those of the stack (the counting takes no time worth
speaking of and is done in the timed fit). peak_gib: largest resident memory of the process, of
which start_gib before fit. sv_ns: time over n * n_sv * m, which is constant where time grows as the
support vectors ask. memory_x: time as a multiple of reading the whole stack once at the memory
bandwidth of all processors, if it were stored. The smallest size may fit into memory, and is then
computed once and kept.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from joblib import cpu_count

from benchmarks._machine import bandwidth, in_child
from benchmarks._report import Report

TOL = 1e-2
PEAK_TARGET_GIB = 4.0


class Grid(NamedTuple):
    """Sample counts and norms of the weights; the largest count has the target."""

    sizes: tuple[int, ...]
    norms: tuple[float, ...]


FULL = Grid((5_000, 10_000, 20_000), (1.0, 2.0))
QUICK = Grid((1_000, 2_000), (1.0,))
COLUMNS = "n m p fit_s gap n_iter n_sv used passes memory_x sv_ns start_gib peak_gib".split()


def run(report: Report, grid: Grid) -> None:
    """Fit every size in a new process, and say how time grows and how much memory it took."""
    speed = bandwidth(cpu_count())
    table = report.table("many_samples", COLUMNS)
    for p in grid.norms:
        for n in grid.sizes:
            found = in_child("_fit_on_demand", n, p, TOL)
            stack_bytes = 8 * n * n * found["m"]
            table.add(
                n=n,
                p=p,
                memory_x=found["fit_s"] * speed / stack_bytes,
                sv_ns=1e9 * found["fit_s"] / (n * found["n_sv"] * found["m"]),
                **found,
            )
    report.say()
    report.say(f"memory bandwidth of all processors: {speed / 1e9:.1f} GB/s")
    for p in grid.norms:
        rows = [row for row in table.rows if row["p"] == p]
        for a, b in pairwise(rows):
            growth = math.log(b["fit_s"] / a["fit_s"]) / math.log(b["n"] / a["n"])  # type: ignore
            report.say(f"p = {p:g}, n from {a['n']} to {b['n']}: time grows as n**{growth:.2f}")
    largest = max(grid.sizes)
    for row in (row for row in table.rows if row["n"] == largest):
        what = f"n = {largest}, p = {row['p']:g}"
        report.target(f"{what}, peak memory", float(row["peak_gib"]), PEAK_TARGET_GIB, " GiB")  # type: ignore[arg-type]
        report.target(f"{what}, gap", float(row["gap"]), TOL)  # type: ignore[arg-type]
    report.say()
