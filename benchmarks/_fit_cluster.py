"""One fit on Dask arrays that two workers hold; prints what it took as JSON.

Run by the section large.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, wait
from numpy.typing import NDArray

from benchmarks._fit_features import COST, N_KERNELS, gap, timed
from benchmarks._machine import peak_memory
from mkfusion import KernelStack, MKLClassifier

N_WORKERS, N_BLOCKS = 2, 16


def block(rank: int, half: int, block_info: Any = None) -> NDArray[np.float32]:
    """Return features of all kernels side by side, and behind them the label, of some samples."""
    i = block_info[None]["chunk-location"][0]
    (a, b), _ = block_info[None]["array-location"]
    rng = np.random.default_rng([half, i])
    Z = rng.standard_normal((b - a, N_KERNELS * rank + 1), dtype=np.float32)
    Z[:, :-1] *= np.float32(rank**-0.5)
    truth = np.random.default_rng(0).standard_normal(rank).astype(np.float32)
    target = Z[:, :rank] @ truth + 0.5 * (Z[:, rank : 2 * rank] @ truth) + 0.5 * Z[:, -1]
    Z[:, -1] = target > -0.5
    return Z


def halves(client: Client, n: int, rank: int) -> da.Array:
    """Return samples of which each worker made, and holds, its half."""
    found = []
    for half, worker in enumerate(client.scheduler_info()["workers"]):
        size = n // N_WORKERS
        rows = tuple(np.diff(np.linspace(0, size, N_BLOCKS // N_WORKERS + 1).astype(int)).tolist())
        made = da.map_blocks(
            partial(block, rank, half),
            chunks=(rows, (N_KERNELS * rank + 1,)),
            dtype=np.float32,
            meta=np.empty((0, 0), dtype=np.float32),
        )
        found.append(client.persist(made, workers=[worker], allow_other_workers=True))
    wait(found)
    return da.concatenate(found)


def fit(n: int, rank: int, tol: float) -> dict[str, Any]:
    """Fit sparse weights (p = 1) where the samples lie."""
    columns = [slice(k * rank, (k + 1) * rank) for k in range(N_KERNELS)]
    model = MKLClassifier(C=COST, tol=tol)
    # A block that is worked on by the other worker would be copied to it.
    with (
        dask.config.set({"distributed.scheduler.work-stealing": False}),
        LocalCluster(
            n_workers=N_WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        few = halves(client, 4000, rank)
        y = few[:, -1].compute() > 0
        model.fit(KernelStack.from_features([few[:, own] for own in columns]), y)  # compile
        del few
        before, here = client.run(peak_memory), peak_memory()
        Z = halves(client, n, rank)
        y = Z[:, -1].compute() > 0
        stack = KernelStack.from_features([Z[:, own] for own in columns])
        made = client.run(time.process_time)
        wall, cpu = timed(lambda: model.fit(stack, y))
        cpu += sum(done - made[name] for name, done in client.run(time.process_time).items())
        peaks, mine = client.run(peak_memory), peak_memory()
        workers = [peak - before[name] for name, peak in peaks.items()]
        predict, _ = timed(lambda: model.predict(stack))
        # A piece at a time: this process is not to hold the features.
        certified = gap([Z[:, own] for own in columns], y.astype(np.intp), model)
    return {
        "rank": rank,
        "features_gib": 4 * n * N_KERNELS * rank / 2**30,
        "fit_s": wall,
        "fit_cpu_s": cpu,
        "predict_s": predict,
        "gap": certified,
        "n_iter": model.n_iter_,
        "worker_gib": max(workers) / 2**30,
        "worker_peak_gib": max(peaks.values()) / 2**30,
        "client_gib": (mine - here) / 2**30,
        "client_peak_gib": mine / 2**30,
    }


if __name__ == "__main__":
    n, rank, tol = sys.argv[1:]
    print(json.dumps(fit(int(n), int(rank), float(tol))))
