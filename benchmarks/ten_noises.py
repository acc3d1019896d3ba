"""What ten modalities of pure noise cost the default, and the plain sum of the same kernels.

Sets, splits and methods are those of the section accuracy; each noise has 50 columns. score: AUC of
two classes, macro F1 of more, R² of numbers; alone: without the noises; noisy: with them; lost: the
difference, mean over splits; logloss_x: what log-loss gains. The default should lose at most half
of what the sum loses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks._contenders import DEFAULT, SUM, run_contender
from benchmarks._panel import BINARY, NUMBERS, PANEL, DataSet, load
from benchmarks._report import Report
from benchmarks.accuracy import measures, split_of, splits, warm_up
from mkfusion import Modalities

METHODS = (DEFAULT, SUM)
WANTED = 0.5
_NOISES, _COLUMNS = 10, 50


class Grid(NamedTuple):
    """Data sets, and splits of each."""

    names: tuple[str, ...]
    n_splits: int


FULL = Grid(("sonar", "alzheimer", "hepatic", "hitters", "diabetes"), 3)
QUICK = Grid(("sonar",), 1)
COLUMNS = ["data", "alone", "noisy", "lost", "logloss_x", "method"]


def with_noises(data: DataSet) -> DataSet:
    """Return a set with ten modalities of noise beside its own."""
    rng = np.random.default_rng(1)
    parts: dict[str, Any] = {name: data.X[name] for name in data.X.names}
    for k in range(_NOISES):
        parts[f"noise{k}"] = rng.normal(size=(len(data.y), _COLUMNS))
    return data._replace(X=Modalities(parts))


def run(report: Report, grid: Grid) -> None:
    """Measure both methods with and without the noises."""
    table = report.table("ten_noises", COLUMNS)
    warm_up(METHODS)
    for name in grid.names:
        if not PANEL[name].available():
            report.say(f"{name}: skipped, {PANEL[name].package} is not installed")
            continue
        scores = _scores(name, grid.n_splits)
        for method in METHODS:
            alone, noisy = (scores[method, noises].mean(axis=0) for noises in (False, True))
            grown = None if PANEL[name].task == NUMBERS else float(noisy[1] - alone[1])
            table.add(data=name, method=method, alone=float(alone[0]), noisy=float(noisy[0]),
                      lost=float(alone[0] - noisy[0]), logloss_x=grown)  # fmt: skip
    lost = {method: sum(table.column("lost", method=method)) for method in METHODS}
    report.say()
    if table.rows:
        report.target("lost by the default", lost[DEFAULT], WANTED * lost[SUM])
        grown = {method: sum(table.column("logloss_x", method=method)) for method in METHODS}
        report.target("log-loss of the default grows by", grown[DEFAULT], WANTED * grown[SUM])


def _scores(name: str, n_splits: int) -> dict[tuple[str, bool], Any]:
    """Return score and log-loss (n_splits, 2) by method, with noises and without."""
    task, data = PANEL[name].task, load(name)
    classes = None if task == NUMBERS else np.unique(data.y)
    measure = "r2" if task == NUMBERS else "auc" if task == BINARY else "f1"
    found: dict[tuple[str, bool], list[Any]] = {}
    for noises in (False, True):
        here = with_noises(data) if noises else data
        for turn, (train, test) in enumerate(splits(here, task, n_splits)):
            split = split_of(here, task, train, test, turn)
            for method in METHODS:
                with threadpool_limits(1):
                    prediction, _ = run_contender(method, split)
                told = measures(data.y[test], classes, prediction)
                pair = told[measure], told.get("logloss", np.nan)
                found.setdefault((method, noises), []).append(pair)
    return {key: np.array(rows, dtype=float) for key, rows in found.items()}
