"""Decision values of many samples: MKLClassifier against SVC on the combined kernel.

Both know the training samples and the kernel weights; the test kernels lie in memory as a stack.
ours_s: MKLClassifier.decision_function on the stack. combine_s: NumPy adds the weighted test
kernels that have weight, then SVC.decision_function on the sum. svc_s: SVC.decision_function alone,
as if somebody had combined the kernels already. differ: largest difference of decision values over
the largest value (SVC was fitted to its own tolerance, 1e-3). gap: of the fitted MKL model. passes:
test kernel values read over those in the stack; stack_x: our time as a multiple of reading all of
them once at the memory bandwidth of all processors. mb: memory allocated beside the stack.
"""

from __future__ import annotations

import tracemalloc
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
from joblib import cpu_count
from sklearn.svm import SVC

from benchmarks._counting import CountingStack
from benchmarks._machine import bandwidth
from benchmarks._problems import Floats, kernel_bank, largest_size, load
from benchmarks._report import Report, geometric_mean
from benchmarks._timing import interleave
from benchmarks.mkl import memory_stack
from mkfusion import KernelStack, MKLClassifier

TARGET = 1.2


class Grid(NamedTuple):
    """Every combination is measured; half of the samples train, half are predicted."""

    sets: tuple[str, ...]
    kernels: tuple[int, ...]
    sizes: tuple[int, ...]
    norms: tuple[float, ...]


FULL = Grid(("cancer", "mfeat", "synthetic"), (10, 50), (500, 2000), (1.0, 1.2, 2.0))
QUICK = Grid(("cancer",), (10,), (500,), (1.0, 2.0))
COST = 10.0
COLUMNS = (
    "set n_test n_train m p ours_s combine_s svc_s ratio ratio_svc differ gap passes "
    "stack_x mb used n_sv"
).split()


def combine_then_decide(machine: SVC, bank: Floats, weights: Floats) -> Floats:
    """Add the test kernels (m, n_test, n_train) that have weight, and decide on the sum."""
    return machine.decision_function(weighted_sum(bank, weights))


def weighted_sum(bank: Floats, weights: Floats) -> Floats:
    """Return the sum of the kernels that have weight, one product in memory at a time."""
    total, product_ = np.zeros(bank.shape[1:]), np.empty(bank.shape[1:])
    for k in np.flatnonzero(weights):
        total += np.multiply(weights[k], bank[k], out=product_)
    return total


def run(report: Report, grid: Grid) -> None:
    """Measure every cell of the grid and compare with the target."""
    speed = bandwidth(cpu_count())
    table = report.table("predict", COLUMNS)
    for name, n, m in product(grid.sets, grid.sizes, grid.kernels):
        size = largest_size(name, n)
        if size is None:
            continue
        problem, half = load(name, size), size // 2
        train = memory_stack(kernel_bank(problem.X[:half], m))
        bank = kernel_bank(problem.X, m, train=half)
        test = KernelStack(bank.transpose(1, 2, 0))
        y = problem.y[:half]
        for p in grid.norms:
            model = MKLClassifier(C=COST, p=p).fit(train, y)
            weights = model.weights_
            machine = SVC(kernel="precomputed", C=COST).fit(train.combine(weights), y)
            model.decision_function(test)  # compiles
            timed = interleave(
                {
                    "ours": partial(model.decision_function, test),
                    "combine": partial(combine_then_decide, machine, bank, weights),
                    "svc": partial(machine.decision_function, weighted_sum(bank, weights)),
                }
            )
            ours, theirs = timed["ours"].result, timed["combine"].result
            counted = CountingStack(test)
            tracemalloc.start()
            model.decision_function(counted)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            table.add(
                set=name,
                n_test=size - half,
                n_train=half,
                m=m,
                p=p,
                ours_s=timed["ours"].seconds,
                combine_s=timed["combine"].seconds,
                svc_s=timed["svc"].seconds,
                ratio=timed["ours"].seconds / timed["combine"].seconds,
                ratio_svc=timed["ours"].seconds / timed["svc"].seconds,
                differ=float(np.abs(ours - theirs).max() / np.abs(theirs).max()),
                gap=model.duality_gap_,
                passes=counted.passes,
                stack_x=timed["ours"].seconds * speed / bank.nbytes,
                mb=peak / 1e6,
                used=int((weights > 0).sum()),
                n_sv=len(model.support_),
            )
    report.say()
    report.say(f"memory bandwidth of all processors: {speed / 1e9:.1f} GB/s")
    report.ratios("prediction, combining included", table.column("ratio"), TARGET, TARGET)
    alone = geometric_mean(table.column("ratio_svc"))
    report.say(
        "against SVC given the combined kernel for nothing (it then reads one matrix, we read "
        f"those of all kernels with weight): geometric mean {alone:.3g}, largest "
        f"{max(table.column('ratio_svc')):.3g}"
    )
    report.say()
