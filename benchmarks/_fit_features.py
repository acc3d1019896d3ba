"""One fit on kernels of features; prints what it took as JSON. Run by the section large."""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from benchmarks._machine import peak_memory
from mkfusion import KernelStack, MKLClassifier

COST = 1.0
N_KERNELS, N_PREDICTED = 5, 20_000
_PIECE = 10_000


def problem(n: int, rank: int) -> tuple[list[NDArray[np.float32]], NDArray[np.intp]]:
    """Return features (n, rank) in float32, of which two of five are informative, and labels."""
    rng = np.random.default_rng(0)
    blocks = [np.empty((n, rank), dtype=np.float32) for _ in range(N_KERNELS)]
    for Z in blocks:
        rng.standard_normal(out=Z, dtype=np.float32)
        Z *= np.float32(rank**-0.5)
    truth = rng.standard_normal(rank).astype(np.float32)
    target = blocks[0] @ truth + 0.5 * (blocks[1] @ truth) + 0.5 * rng.standard_normal(n) + 0.5
    return blocks, (target > 0).astype(np.intp)


def gap(blocks: list[NDArray[np.float32]], target: NDArray[np.intp], model: MKLClassifier) -> float:
    """Return the relative duality gap, from scratch in double precision."""
    n = len(target)
    y, beta, f = np.where(target == 1, 1.0, -1.0), np.zeros(n), np.full(n, model.intercept_[0])
    beta[model.support_] = model.dual_coef_[0]
    pieces = [slice(a, a + _PIECE) for a in range(0, n, _PIECE)]
    forms = []
    for d, Z in zip(model.weights_, blocks, strict=True):
        v = sum(beta[piece] @ np.asarray(Z[piece], float) for piece in pieces)
        forms.append(float(v @ v))
        for piece in pieces:
            f[piece] += np.asarray(Z[piece], float) @ (d * v)
    loss = COST * float(np.maximum(0.0, 1.0 - y * f).sum())
    primal = 0.5 * float(model.weights_ @ forms) + loss
    return (primal - float(y @ beta) + 0.5 * max(forms)) / primal


def timed(work: Any) -> tuple[float, float]:
    """Return seconds by the clock, and of the processors."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def fit(n: int, rank: int, tol: float, rounds: int, peer: bool) -> dict[str, Any]:
    """Fit sparse weights (p = 1), and, by turns, the peer on the concatenated features."""
    blocks, target = problem(n, rank)
    stack = KernelStack.from_features(blocks)
    model = MKLClassifier(C=COST, tol=tol)
    few, labels = problem(2000, 4)
    MKLClassifier(C=COST, tol=tol).fit(KernelStack.from_features(few), labels)  # compile
    before = peak_memory()
    ours, theirs, after = [], [], 0
    for _ in range(rounds):
        ours.append(timed(lambda: model.fit(stack, target)))
        after = after or peak_memory()
        if peer:
            # All kernels of equal weight: the same machine at the same C.
            X = np.hstack(blocks) * np.float32(N_KERNELS**-0.5)
            machine = LinearSVC(C=COST, loss="hinge", random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it ends at its max_iter
                theirs.append(timed(lambda X=X, machine=machine: machine.fit(X, target)))
            del X
    new, _ = problem(N_PREDICTED, rank)
    test = KernelStack.from_features(new, blocks)
    model.predict(test)
    predict, _ = timed(lambda: model.predict(test))
    return {
        "fit_s": min(wall for wall, _ in ours),
        "fit_cpu_s": min(cpu for _, cpu in ours),
        "peer_s": min((wall for wall, _ in theirs), default=None),
        "peer_cpu_s": min((cpu for _, cpu in theirs), default=None),
        "gap": gap(blocks, target, model),
        "n_iter": model.n_iter_,
        "n_sv": len(model.support_),
        "predict_s": predict,
        "start_gib": before / 2**30,
        "peak_gib": after / 2**30,
    }


if __name__ == "__main__":
    n, rank, tol, rounds, peer = sys.argv[1:]
    print(json.dumps(fit(int(n), int(rank), float(tol), int(rounds), peer == "peer")))
