"""SMO on one Gram matrix against scikit-learn's SVC (LIBSVM), both to a KKT violation of 1e-3.

ours_s: smo() from zero, building its bounds, diagonal and row index included. svc_s: the call
SVC(kernel="precomputed").fit. kernel: rbf has the gamma 1 / n_features; wide, 0.01 of that, and
linear make long runs where C is large. gap and svc_gap: relative duality gaps reached, recomputed
in NumPy. passes: rows read, two for each iteration, over the rows of the matrix. matrix_x: our time
as a multiple of reading the matrix once at the memory bandwidth of all processors. mb: NumPy arrays
allocated beside the matrix, from an untimed run.
"""

from __future__ import annotations

import tracemalloc
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
from joblib import cpu_count
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.svm import SVC

from benchmarks._certificate import svm_gap
from benchmarks._machine import bandwidth
from benchmarks._problems import Floats, largest_size, load
from benchmarks._report import Report
from benchmarks._timing import interleave

TOL = 1e-3
MEAN_TARGET, LARGEST_TARGET = 0.7, 1.2
_CACHE_MB = 1000  # more than SVC needs for the largest matrix
_MAX_ITER = 100_000_000


class Grid(NamedTuple):
    """Every combination of these is measured, as far as a set has so many samples."""

    sets: tuple[str, ...]
    kernels: tuple[str, ...]
    sizes: tuple[int, ...]
    costs: tuple[float, ...]


FULL = Grid(
    sets=("cancer", "mfeat", "synthetic"),
    kernels=("rbf", "wide", "linear"),
    sizes=(500, 2000, 5000),
    costs=(1.0, 10.0, 100.0),
)
QUICK = Grid(("cancer", "synthetic"), ("rbf", "linear"), (200, 500), (1.0, 100.0))
COLUMNS = "set kernel n C ours_s svc_s ratio gap svc_gap iter svc_iter passes matrix_x mb".split()


def fit_smo(K: Floats, y: Floats, C: float) -> tuple[Floats, int]:
    """Return signed dual variables (n,) and the number of iterations."""
    # The loop itself, which no face of the package shows: it is what is measured here.
    from mkfusion.solvers._smo import CONVERGED, smo

    beta, e = np.zeros(y.size), y.copy()
    lower, upper = np.minimum(y * C, 0.0), np.maximum(y * C, 0.0)
    diag, slot = np.diagonal(K).copy(), np.arange(y.size)
    status, _, n_iter, _ = smo(beta, e, lower, upper, diag, K, slot, 0.0, TOL, _MAX_ITER)
    if status != CONVERGED:
        raise RuntimeError(f"smo stopped with status {status}; expected {CONVERGED}.")
    return beta, n_iter


def fit_svc(K: Floats, y: Floats, C: float) -> SVC:
    """Fit scikit-learn's machine on the same matrix."""
    return SVC(kernel="precomputed", C=C, tol=TOL, cache_size=_CACHE_MB).fit(K, y)


def svc_beta(machine: SVC, n: int) -> Floats:
    """Return the signed dual variables (n,) of a fitted two-class SVC."""
    beta = np.zeros(n)
    beta[machine.support_] = machine.dual_coef_[0]
    return beta


def gram_matrix(X: Floats, kernel: str) -> Floats:
    """Return the Gram matrix (n, n) of one of the kernels measured."""
    d = X.shape[1]
    if kernel == "linear":
        return linear_kernel(X) / d
    return rbf_kernel(X, gamma={"rbf": 1.0, "wide": 0.01}[kernel] / d)


def run(report: Report, grid: Grid) -> None:
    """Measure every cell of the grid and compare with the targets."""
    fit_smo(np.eye(4), np.array([1.0, -1.0, 1.0, -1.0]), 1.0)  # compiles
    speed = bandwidth(cpu_count())
    table = report.table("smo", COLUMNS)
    for name, n, kernel in product(grid.sets, grid.sizes, grid.kernels):
        size = largest_size(name, n)
        if size is None:
            continue
        problem = load(name, size)
        y, K = problem.y, gram_matrix(problem.X, kernel)
        for C in grid.costs:
            sides = {"ours": partial(fit_smo, K, y, C), "svc": partial(fit_svc, K, y, C)}
            timed = interleave(sides)
            (beta, n_iter), machine = timed["ours"].result, timed["svc"].result
            tracemalloc.start()
            fit_smo(K, y, C)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            table.add(
                set=name,
                kernel=kernel,
                n=size,
                C=C,
                ours_s=timed["ours"].seconds,
                svc_s=timed["svc"].seconds,
                ratio=timed["ours"].seconds / timed["svc"].seconds,
                gap=svm_gap(K, y, beta, C),
                svc_gap=svm_gap(K, y, svc_beta(machine, size), C),
                iter=n_iter,
                svc_iter=int(machine.n_iter_[0]),
                passes=2 * n_iter / size,
                matrix_x=timed["ours"].seconds * speed / K.nbytes,
                mb=peak / 1e6,
            )
    report.say()
    report.say(f"memory bandwidth of all processors: {speed / 1e9:.1f} GB/s")
    report.ratios("SMO against SVC", table.column("ratio"), MEAN_TARGET, LARGEST_TARGET)
    report.say()
