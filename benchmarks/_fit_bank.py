"""One fit on a bank of kernels that is never stored; prints what it took as JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks._machine import peak_memory
from mkfusion import MKLClassifier, RBFBank
from mkfusion.datasets import load_sonar

COST = 10.0


def fit(m: int, p: float, tol: float) -> dict[str, Any]:
    """Fit sonar with m kernels on single bands and random groups of them."""
    X, target = load_sonar(return_X_y=True)
    X = X["bands"]
    # Load or compile everything first.
    MKLClassifier(C=COST, p=p, tol=tol).fit(RBFBank(1100, random_state=1).fit_transform(X), target)
    start = time.perf_counter()
    stack = RBFBank(m, random_state=0).fit_transform(X)
    bank_s = time.perf_counter() - start
    model = MKLClassifier(C=COST, p=p, tol=tol)
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(stack, target)
    fit_s, cpu = time.perf_counter() - start, time.process_time() - cpu

    # The gap again, from the fitted attributes and public passes over all kernels.
    y = np.where(target == model.classes_[1], 1.0, -1.0)
    beta = np.zeros(len(y))
    beta[model.support_] = model.dual_coef_[0]
    forms = stack.quadratic(beta)
    decision = stack.combine(model.weights_) @ beta + model.intercept_[0]
    hinge = float(np.maximum(0.0, 1.0 - y * decision).sum())
    primal = 0.5 * float(model.weights_ @ forms) + COST * hinge
    top = forms.max()
    size = top if p == 1 else top * float(np.sum((forms / top) ** (p / (p - 1)))) ** (1 - 1 / p)
    gap = (primal - (float(y @ beta) - 0.5 * size)) / primal
    return {
        "m": m,
        "p": p,
        "bank_s": bank_s,
        "fit_s": fit_s,
        "cpu_s": cpu,
        "gap": gap,
        "n_iter": model.n_iter_,
        "used": int((model.weights_ > 0).sum()),
        "n_sv": len(model.support_),
        "peak_gib": peak_memory() / 2**30,
    }


if __name__ == "__main__":
    print(json.dumps(fit(int(float(sys.argv[1])), float(sys.argv[2]), float(sys.argv[3]))))
