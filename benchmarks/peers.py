"""MKL against other Python packages on the same kernels, and beside figures quoted from elsewhere.

All sides get the same Gram matrices in memory and C = 10; digits 0-4 against 5-9 of mfeat.
mkfusion: MKLClassifier.fit on the validated KernelStack, relative gap 1e-3. sum and SVC: the mean
of the kernels and one SVC. MKLpy EasyMKL (its default lam) learns weights by another objective, for
the same task, and fits an SVC. himalaya: MultipleKernelRidgeCV regresses on the labels and chooses
its regularisation by cross-validation too. cvxpy with Clarabel solves MKL's dual to the tolerance
1e-8, because what is left on the constraints makes a much larger gap, factoring the kernels
included. himalaya and cvxpy are fitted once, the others several times.
Linear algebra gets one thread on all sides: with more, peers take up to 50 times longer wherever
something else runs beside them, and gain less than a factor of two where nothing does.
fit_s: median; ratio: over mkfusion p=1; svm_x: over sum and SVC. gap: relative gap of MKL's
objective, recomputed in NumPy, where this is what is solved. accuracy: on other samples. peak
memory: what a fit adds, in a process of its own, to the peak of making the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from threadpoolctl import threadpool_limits

from benchmarks._certificate import mkl_gap
from benchmarks._machine import in_child
from benchmarks._peers import COST, UNIFORM, Kernels, Peer, available
from benchmarks._problems import Floats, kernel_bank, load
from benchmarks._quoted import (
    LARGER,
    LARGER_SOURCE,
    RATIO_SOURCE,
    RATIOS,
    SAME_KIND,
    SOURCE,
    SPARSE,
)
from benchmarks._report import Report, Table
from benchmarks._timing import interleave
from benchmarks.mkl import TOL, memory_stack

OURS = "mkfusion p=1"
# A side that took longer is not asked for anything larger.
LIMIT_SECONDS = 15.0


class Grid(NamedTuple):
    """Sizes with `kernels` kernels, and numbers of kernels with `samples` samples, both rising."""

    sizes: tuple[int, ...]
    kernels: int
    counts: tuple[int, ...]
    samples: int
    test: int
    quote: bool


FULL = Grid((100, 200, 400, 800, 1500), 20, (5, 10, 20, 50, 100, 200), 500, 500, True)
QUICK = Grid((60, 120), 5, (3, 6), 100, 200, False)
COLUMNS = "sweep n m fit_s ratio svm_x gap accuracy side".split()


def run(report: Report, grid: Grid) -> None:
    """Sweep n and m with every peer that is installed, then print what is quoted."""
    sides, missing = available()
    for name, reason in missing.items():
        report.say(f"{name}: {reason}")
    table = report.table("peers", COLUMNS)
    sweeps = {
        "n": [(n, grid.kernels) for n in grid.sizes],
        "m": [(grid.samples, m) for m in grid.counts],
    }
    _measure("", None, sides, 40, 2, 10)  # compiles and imports
    for sweep, cells in sweeps.items():
        left = dict(sides)
        for n, m in cells:
            for name in [name for name, peer in left.items() if n > peer.largest]:
                report.say(f"{name}: not asked for n = {n} and above")
                del left[name]
            times = _measure(sweep, table, left, n, m, grid.test)
            for name in [name for name in left if times[name] > LIMIT_SECONDS]:
                report.say(f"{name}: took more than {LIMIT_SECONDS:g} s, nothing larger is asked")
                del left[name]
    report.say()
    for name, peer in sides.items():
        n, m = min(grid.samples, peer.largest), grid.kernels
        report.say(f"peak memory, n = {n}, m = {m}, {name}: {_memory(name, n, m) / 1e6:.0f} MB")
    if grid.quote:
        _quote(report)
    report.say()


def _measure(
    sweep: str, table: Table | None, sides: dict[str, Peer], n: int, m: int, n_test: int
) -> dict[str, float]:
    """Fit every side, add its rows to the table if there is one, and return the seconds."""
    problem = load("mfeat", n + n_test)
    bank, test = kernel_bank(problem.X[:n], m), kernel_bank(problem.X, m, train=n)
    y, truth = problem.y[:n], problem.y[n:]
    kernels = Kernels(bank, memory_stack(bank))
    with threadpool_limits(1):
        timed = interleave(
            {name: partial(peer.fit, kernels, y, COST) for name, peer in sides.items()},
            once=frozenset(name for name, peer in sides.items() if peer.slow),
        )
    times = {name: one.seconds for name, one in timed.items()}
    for name, (seconds, model, _) in timed.items() if table is not None else ():
        gap = None
        if model.weights is not None:
            p = float(name.rpartition("=")[2])
            gap = mkl_gap(bank, y, model.beta, model.weights, COST, p)
        table.add(
            sweep=sweep,
            n=n,
            m=m,
            fit_s=seconds,
            ratio=seconds / times[OURS],
            svm_x=seconds / times[UNIFORM],
            gap=gap,
            accuracy=float(np.mean((model.decide(test) > 0) == (truth > 0))),
            side=name,
        )
    return times


def _memory(side: str, n: int, m: int) -> int:
    """Return how many bytes a fit adds to the peak memory of a process of its own."""
    return int(in_child("_fit_peer", side, n, m))


def _quote(report: Report) -> None:
    """Print the figures of other codes, each beside ours on the same kind of problem."""
    report.say()
    report.say(SOURCE)
    report.say("beside it, measured now: mkfusion on such kernels, relative gap 1e-3")
    problem = load("cancer", 569)
    bank = unit_trace_bank(problem.X)
    columns = ["p", "C", "quoted_s", "ours_s", "gap", "lam1_s", "lam1_gap", "solver"]
    table = report.table("quoted", columns)
    measured: dict[tuple[float, float], dict[str, float]] = {}
    for quoted in SAME_KIND:
        cell = quoted.p, quoted.C
        if cell not in measured:
            measured[cell] = {**_ours(bank, problem.y, *cell, 0.0, "ours", "gap"),
                              **_ours(bank, problem.y, *cell, 1.0, "lam1", "lam1_gap")}  # fmt: skip
        note = f" ({quoted.note})" if quoted.note else ""
        table.add(p=quoted.p, C=quoted.C, quoted_s=quoted.seconds, solver=quoted.solver + note,
                  **measured[cell])  # fmt: skip
    report.say("ours_s: constraint form; lam1_s: penalty form at lam = 1")
    report.say()
    report.say("p = 1, " + "; ".join(f"{solver}: {times} (quoted)" for solver, times in SPARSE))
    costs = (1.0, 10.0, 100.0)
    ours = [_ours(bank, problem.y, 1.0, C, 0.0, "ours", "gap")["ours_s"] for C in costs]
    report.say(f"measured now at C = 1, 10, 100: {' / '.join(f'{s:.3f}' for s in ours)} s")
    report.say()
    report.say(f"{LARGER_SOURCE}; SMO-MKL, C = 10, p = 1.33 and 2; beside it mfeat, n = 1000")
    larger = load("mfeat", 1000)
    for m, times in LARGER:
        bank = kernel_bank(larger.X, m)
        ours = [_ours(bank, larger.y, p, COST, 0.0, "ours", "gap")["ours_s"] for p in (1.33, 2.0)]
        shown = " and ".join(f"{s:.3f}" for s in ours)
        report.say(f"m = {m}: {times} (quoted); measured now {shown} s")
    report.say()
    report.say(RATIO_SOURCE)
    for peer, cancer, digits in RATIOS:
        report.say(f"{peer}: {cancer} (cancer, m = 20), {digits} (digits, m about 50) (quoted)")


def _ours(
    bank: Floats, y: Floats, p: float, C: float, lam: float, side: str, gap: str
) -> dict[str, float]:
    from mkfusion.solvers import solve_mkl

    stack, cost = memory_stack(bank), np.full((1, len(y)), C)
    fit = partial(solve_mkl, stack, y[np.newaxis], cost, p=p, lam=lam, tol=TOL)
    timed = interleave({side: fit})[side]
    found = timed.result
    reached = mkl_gap(bank, y, found.beta[0], found.weights, C, p, lam)
    return {f"{side}_s": timed.seconds, gap: reached}


def unit_trace_bank(X: Floats) -> Floats:
    """Return 30 kernels (30, n, n) of trace 1: 20 RBF widths and 10 polynomials."""
    d = X.shape[1]
    widths: Iterable[float] = np.geomspace(1e-3, 1e2, 20) / d
    grams = [rbf_kernel(X, gamma=gamma) for gamma in widths]
    for degree in range(1, 6):
        for offset in (0.0, 1.0):
            grams.append(polynomial_kernel(X, degree=degree, gamma=1.0 / d, coef0=offset))
    return np.array([gram / np.trace(gram) for gram in grams])
