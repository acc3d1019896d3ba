"""How often comparisons are wrong: simulated samples, of which the truth is known.

Each run draws n samples of two modalities of three columns and asks compare_fusion, with few folds
and few values to tune. helps, hurts: share of runs with that verdict; interact: share of runs that
say "interactions help". fusion and interactions: whether they do help in truth. Where they do not,
a share is an error rate, which alpha = 0.05 is to bound; where they do, it is the power.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from benchmarks._report import Report
from mkfusion import Modalities
from mkfusion.compare import compare_fusion


class Truth(NamedTuple):
    """What the target depends on, and so whether fusion and interactions help."""

    name: str
    fusion: bool
    interactions: bool


class Grid(NamedTuple):
    """Every truth is simulated for both tasks."""

    truths: tuple[Truth, ...]
    n: int
    n_runs: int


TRUTHS = (
    Truth("noise", False, False),
    Truth("one modality", False, False),
    Truth("copies", False, False),
    Truth("sum", True, False),
    Truth("product", True, True),
)
FULL = Grid(TRUTHS, 80, 60)
QUICK = Grid(TRUTHS, 80, 4)
METHODS = ["early", "late_mean", "uniform", "l1_mkl", "products"]
COLUMNS = "truth task n runs fusion interactions helps hurts interact".split()
ALPHA = 0.05


def simulate(truth: str, classes: bool, n: int, seed: int) -> tuple[Modalities, np.ndarray]:
    """Return samples of two modalities and their target."""
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rng.normal(size=n)
    if truth == "copies":
        b = a.copy()
    signal = {
        "noise": np.zeros(n),
        "one modality": a[:, 0],
        "copies": a[:, 0],
        "sum": (a[:, 0] + b[:, 0]) / np.sqrt(2),
        "product": a[:, 0] * b[:, 0],
    }[truth]
    y = 2 * signal + noise
    return Modalities(a=a, b=b), y > np.median(y) if classes else y


def ask(truth: str, classes: bool, n: int, seed: int) -> tuple[str, str]:
    """Return what one comparison says of fusion and of interactions."""
    X, y = simulate(truth, classes, n, seed)
    task = "classification" if classes else "regression"
    found = compare_fusion(X, y, task=task, methods=METHODS, fast=True, random_state=seed)
    assert found.interactions_ is not None
    return found.verdict_.verdict, found.interactions_.verdict


def run(report: Report, grid: Grid) -> None:
    """Simulate every truth and compare the rates of errors with alpha."""
    table = report.table("verdicts", COLUMNS)
    wrong: list[bool] = []
    for truth in grid.truths:
        for classes in (True, False):
            said = Parallel(n_jobs=-1)(
                delayed(ask)(truth.name, classes, grid.n, seed) for seed in range(grid.n_runs)
            )
            helps = [fusion == "fusion helps" for fusion, _ in said]
            interact = [interactions == "interactions help" for _, interactions in said]
            wrong += [] if truth.fusion else helps
            wrong += [] if truth.interactions else interact
            table.add(
                truth=truth.name,
                task="classes" if classes else "numbers",
                n=grid.n,
                runs=grid.n_runs,
                fusion="yes" if truth.fusion else "no",
                interactions="yes" if truth.interactions else "no",
                helps=float(np.mean(helps)),
                hurts=float(np.mean([fusion == "hurts" for fusion, _ in said])),
                interact=float(np.mean(interact)),
            )
    report.say()
    report.target(f"wrong claims, of {len(wrong)}", float(np.mean(wrong)), ALPHA)
    report.say()
