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
from mkfusion import ColumnKernelizer, MKLClassifier, RBFKernel

COST = 1.0
N_GROUPS, GROUP_SIZE = 5, 8
WIDTHS = (0.1, 0.02)


def fit(n: int, p: float, tol: float) -> dict[str, Any]:
    """Fit n synthetic samples with two widths on each of five groups of columns."""
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
    groups = np.arange(N_GROUPS * GROUP_SIZE).reshape(N_GROUPS, GROUP_SIZE)
    kernels = [RBFKernel(gamma=gamma) for gamma in WIDTHS]
    kernelizer = ColumnKernelizer([(f"g{k}", kernels, list(c)) for k, c in enumerate(groups)])
    stack = kernelizer.fit_transform(scale(X))
    counted = CountingStack(stack)
    model = MKLClassifier(C=COST, p=p, tol=tol)
    # Load or compile everything first.
    few = np.arange(0, n, max(n // 600, 1))
    MKLClassifier(C=COST, p=p, tol=tol).fit(stack[np.ix_(few, few)], target[few])
    before, start = peak_memory(), time.perf_counter()
    model.fit(counted, target)
    seconds, after = time.perf_counter() - start, peak_memory()

    beta = np.zeros(n)
    beta[model.support_] = model.dual_coef_[0]
    y = np.where(target == 1, 1.0, -1.0)
    return {
        "m": stack.shape[2],
        "fit_s": seconds,
        "gap": relative_gap(stack.dot(beta), y, beta, model.weights_, COST, p),
        "n_iter": model.n_iter_,
        "n_sv": len(model.support_),
        "used": int((model.weights_ > 0).sum()),
        "passes": counted.passes,
        "start_gib": before / 2**30,
        "peak_gib": after / 2**30,
    }


if __name__ == "__main__":
    print(json.dumps(fit(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))))
