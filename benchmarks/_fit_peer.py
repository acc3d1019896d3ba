"""One fit of one side; prints the memory that it took as JSON. Run by the section peers."""

from __future__ import annotations

import json
import sys

from threadpoolctl import threadpool_limits

from benchmarks._machine import peak_memory
from benchmarks._peers import COST, Kernels, available
from benchmarks._problems import kernel_bank, load
from benchmarks.mkl import memory_stack


def grown(side: str, n: int, m: int) -> int:
    """Return how many bytes the peak memory of this process grows by in a fit."""
    peer = available()[0][side]
    for size in (40, n):  # first a small one, which imports and compiles
        problem = load("mfeat", size)
        bank = kernel_bank(problem.X, m)
        kernels = Kernels(bank, memory_stack(bank))
        before = peak_memory()
        with threadpool_limits(1):
            peer.fit(kernels, problem.y, COST)
    return peak_memory() - before


if __name__ == "__main__":
    print(json.dumps(grown(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
