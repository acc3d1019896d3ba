"""How far from the memory: single operations on a stack and whole fits against its bandwidth.

gb_s: bytes read a second; share: of the bandwidth that all processors reach together in this run,
measured by one pass over a large array. stack_x: time as a multiple of one pass over the stack at
that bandwidth; passes: kernel values read over those in the stack.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from joblib import cpu_count

from benchmarks._certificate import mkl_gap
from benchmarks._counting import CountingStack
from benchmarks._machine import bandwidth
from benchmarks._problems import kernel_bank, load
from benchmarks._report import Report
from benchmarks._timing import interleave
from benchmarks.mkl import TOL, learn_weights, memory_stack, uniform_svc


class Grid(NamedTuple):
    """One stack and the norms of the weights."""

    n: int
    m: int
    norms: tuple[float, ...]


FULL = Grid(2000, 50, (1.0, 1.2, 2.0))
QUICK = Grid(600, 20, (1.0, 2.0))
COST = 10.0


def run(report: Report, grid: Grid) -> None:
    """Measure the bandwidth, then operations and fits."""
    speeds = {threads: bandwidth(threads) for threads in sorted({1, cpu_count()})}
    for threads, speed in speeds.items():
        report.say(f"one pass over a large array, {threads} thread(s): {speed / 1e9:.1f} GB/s")
    report.say()
    top = speeds[cpu_count()]
    problem = load("synthetic", grid.n)
    y = problem.y
    bank = kernel_bank(problem.X, grid.m)
    stack = memory_stack(bank)
    weights = np.full(grid.m, 1.0 / grid.m)
    beta, out = np.ones((1, grid.n)), np.zeros((1, grid.m, grid.n))
    operations = {
        "combine every row (solver)": partial(stack.combine, weights),
        "K_k beta for every kernel (solver)": partial(stack.add_dot, beta, out),
        "sum of the kernels (NumPy)": partial(np.sum, bank, axis=0),
    }
    for run_operation in operations.values():
        run_operation()  # compiles
    table = report.table("roofline_operations", ["n", "m", "seconds", "gb_s", "share", "what"])
    for what, timed in interleave(operations).items():
        rate = bank.nbytes / timed.seconds
        table.add(n=grid.n, m=grid.m, seconds=timed.seconds, gb_s=rate / 1e9, share=rate / top,
                  what=what)  # fmt: skip
    report.say()
    table = report.table(
        "roofline_fits", ["n", "m", "C", "p", "seconds", "stack_x", "passes", "gap", "what"]
    )
    for p in grid.norms:
        sides = {
            "solve_mkl": partial(learn_weights, stack, y, COST, p, TOL),
            "sum and SVC": partial(uniform_svc, bank, y, COST, p),
        }
        learn_weights(stack, y, COST, p, TOL)  # compiles
        timed = interleave(sides)
        counted = CountingStack(stack)
        found = learn_weights(counted, y, COST, p, TOL)
        own = {
            "passes": counted.passes,
            "gap": mkl_gap(bank, y, found.beta[0], found.weights, COST, p),
        }
        for what, side in timed.items():
            more = own if what == "solve_mkl" else {"passes": 1.0}
            table.add(n=grid.n, m=grid.m, C=COST, p=p, seconds=side.seconds,
                      stack_x=side.seconds * top / bank.nbytes, what=what, **more)  # fmt: skip
    report.say()
