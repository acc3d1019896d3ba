"""Kernels of features: five of rank 100, in float32, from 20,000 samples to a million.

fit_s, fit_cpu_s: MKLClassifier.fit (p = 1, C = 1) to the relative gap 1e-2, by the clock and of the
processors; gap: recomputed in NumPy. peer_s, peer_cpu_s: LinearSVC(loss="hinge") on the
concatenated features, which is the machine of equal weights, without a certificate; it ends after
its 1000 passes. The best of two rounds by turns. predict_s: 20,000 new samples. peak_gib: largest
resident memory of the process in fit, of which start_gib before it, most of it the features.

Then from raw samples: five RBF kernels on four columns each, approximated by NystroemKernels with
100 landmarks each (nystroem_s, nystroem_cpu_s; left: the largest share of a trace that is left),
and the fit on them. bound: NystroemKernels.objective_bound in objectives, from the diagonals alone.

Then Dask arrays on a LocalCluster of two workers, each of which holds half of the samples: five
kernels of rank 100. worker_gib: what the largest resident memory of the fuller worker grew by, from
before it had these samples, of which half of features_gib is the features; client_gib: the same of
the process that fits; with peak: all that they held. fit_cpu_s: of all three processes. gap:
recomputed in NumPy from what the workers hold.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from benchmarks._machine import available_memory, in_child
from benchmarks._report import Report

TOL, RANK = 1e-2, 100
RATIO_TARGET, SECONDS_TARGET, PEAK_TARGET_GIB = 3.0, 600.0, 12.0
# What a fit of so many samples needs, in GiB for each of them, the peer's copies included.
_GIB = {True: 1.5e-5, False: 6e-6}


class Grid(NamedTuple):
    """Sample counts with a peer, without one, and of raw samples; the largest have targets."""

    with_peer: tuple[int, ...]
    alone: tuple[int, ...]
    raw: tuple[int, ...]
    clusters: tuple[int, ...]


FULL = Grid((20_000, 100_000), (1_000_000,), (100_000, 1_000_000), (200_000, 2_000_000))
QUICK = Grid((5_000,), (20_000,), (5_000,), (20_000,))
COLUMNS = (
    "n fit_s fit_cpu_s peer_s peer_cpu_s ratio gap n_iter n_sv predict_s start_gib peak_gib".split()
)
RAW = "n nystroem_s nystroem_cpu_s left fit_s fit_cpu_s gap accuracy bound peak_gib".split()
CLUSTER = (
    "n rank features_gib fit_s fit_cpu_s predict_s gap n_iter "
    "worker_gib worker_peak_gib client_gib client_peak_gib"
).split()
# What a worker holds beside its half: the sums, and its part of the sixteenth of all features on
# which a fit begins, as it is and as it is sent.
_BESIDE_GIB, _SENT = 0.25, 1 / 16


def run(report: Report, grid: Grid) -> None:
    """Fit every size in a new process."""
    table = report.table("large", COLUMNS)
    for sizes, peer in ((grid.with_peer, True), (grid.alone, False)):
        for n in sizes:
            if _too_large(report, n, _GIB[peer]):
                continue
            rounds = 2 if peer else 1
            found = in_child("_fit_features", n, RANK, TOL, rounds, "peer" if peer else "alone")
            ratio = found["fit_cpu_s"] / found["peer_cpu_s"] if peer else None
            table.add(n=n, ratio=ratio, **found)
    report.say()
    raw = report.table("large_nystroem", RAW)
    for n in grid.raw:
        if not _too_large(report, n, _GIB[True]):
            raw.add(n=n, **in_child("_fit_nystroem", n, RANK, TOL))
    report.say()
    _run_clusters(report, grid.clusters)
    for row in raw.rows:
        seconds = float(row["nystroem_s"]) + float(row["fit_s"])  # type: ignore[arg-type]
        report.target(f"n = {row['n']} from raw samples, time", seconds, SECONDS_TARGET, " s")
        report.target(f"n = {row['n']}, memory", float(row["peak_gib"]), PEAK_TARGET_GIB, " GiB")  # type: ignore[arg-type]
    for row in table.rows:
        n = row["n"]
        report.target(f"n = {n}, gap", float(row["gap"]), TOL)  # type: ignore[arg-type]
        if row["ratio"] is not None:
            report.target(f"n = {n}, times the peer", float(row["ratio"]), RATIO_TARGET)  # type: ignore[arg-type]
        if n == max(grid.alone):
            report.target(f"n = {n}, time", float(row["fit_s"]), SECONDS_TARGET, " s")  # type: ignore[arg-type]
            report.target(f"n = {n}, memory", float(row["peak_gib"]), PEAK_TARGET_GIB, " GiB")  # type: ignore[arg-type]
    report.say()


def _run_clusters(report: Report, sizes: tuple[int, ...]) -> None:
    """Fit Dask arrays of some sizes, and say whether each worker holds its half."""
    if find_spec("distributed") is None:
        report.say("no cluster: dask is not installed")
        return
    table = report.table("large_cluster", CLUSTER)
    for n in sizes:
        if not _too_large(report, n, _GIB[False]):
            table.add(n=n, **in_child("_fit_cluster", n, RANK, TOL))
    report.say()
    for row in table.rows:
        most = (0.5 + _SENT) * float(row["features_gib"]) + _BESIDE_GIB  # type: ignore[arg-type]
        report.target(f"n = {row['n']}, a worker", float(row["worker_gib"]), most, " GiB")  # type: ignore[arg-type]
        report.target(f"n = {row['n']} on a cluster, gap", float(row["gap"]), TOL)  # type: ignore[arg-type]


def _too_large(report: Report, n: int, gib: float) -> bool:
    """Say so if a size does not fit into this machine."""
    if available_memory() >= n * gib * 2**30:
        return False
    report.say(f"n = {n} left out: it needs {n * gib:.1f} GiB")
    return True
