"""Nyström factors and a fit on them; prints what they took as JSON. Run by the section large."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from benchmarks._fit_features import timed
from benchmarks._machine import peak_memory
from mkfusion import ColumnKernelizer, MKLClassifier, NystroemKernels, RBFKernel

COST = 1.0
N_GROUPS, GROUP_SIZE, WIDTH = 5, 4, 0.05


def fit(n: int, rank: int, tol: float) -> dict[str, Any]:
    """Approximate five RBF kernels on groups of columns, and learn their weights."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, N_GROUPS * GROUP_SIZE), dtype=np.float32)
    noise = 0.5 * rng.standard_normal(n, dtype=np.float32)
    target = X[:, 0] * X[:, 1] + np.abs(X[:, GROUP_SIZE]) + noise > 0.8
    groups = np.arange(N_GROUPS * GROUP_SIZE).reshape(N_GROUPS, GROUP_SIZE)
    columns = [(f"g{k}", RBFKernel(gamma=WIDTH), list(c)) for k, c in enumerate(groups)]
    approximation = NystroemKernels(0.0, rank=rank, random_state=0)
    model = MKLClassifier(C=COST, tol=tol)

    def approximate(samples: Any) -> Any:
        return approximation.fit_transform(ColumnKernelizer(columns).fit_transform(samples))

    model.fit(approximate(X[:3000]), target[:3000])  # compile
    found: list[Any] = []
    wall, cpu = timed(lambda: found.append(approximate(X)))
    fit_wall, fit_cpu = timed(lambda: model.fit(found[0], target))
    return {
        "nystroem_s": wall,
        "nystroem_cpu_s": cpu,
        "left": float(approximation.residuals_.max()),
        "fit_s": fit_wall,
        "fit_cpu_s": fit_cpu,
        "gap": model.duality_gap_,
        "accuracy": model.score(found[0], target),
        "bound": approximation.objective_bound(model) / model.objective_,
        "peak_gib": peak_memory() / 2**30,
    }


if __name__ == "__main__":
    print(json.dumps(fit(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
