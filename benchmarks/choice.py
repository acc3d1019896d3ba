"""Choosing C, and p: MKLClassifierCV against a grid search of one SVC on the summed kernel.

svc_s: GridSearchCV(SVC(kernel="precomputed")) over nine values of C and five stratified folds, on
the sum of the kernels scaled to the norm that the weights have, with the refit. ours_s:
MKLClassifierCV over the same values, folds and score, accuracy, on the checked KernelStack; p is
one norm or three, of which the SVC has none. ratio: ours_s / svc_s; cpu_x: the same of processor
time, which other programs disturb less, but where a second thread is no gain. same: folds' scores
that equal those of GridSearchCV(MKLClassifier), as a share, where that was run.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from benchmarks._problems import Floats, kernel_bank, load
from benchmarks._report import Report
from benchmarks._timing import interleave
from mkfusion import DegenerateKernelWarning, KernelStack, MKLClassifier, MKLClassifierCV

COSTS = np.logspace(-2, 2, 9)
THREE = (1.0, 1.2, 2.0)
TARGET, TARGET_OF_THREE = 1.0, 2.5
# One splitter and one score for all sides: by itself MKLClassifierCV goes by the log loss.
SAME: dict[str, Any] = {"cv": StratifiedKFold(5), "scoring": "accuracy"}


class Case(NamedTuple):
    """A data set, and how many kernels."""

    name: str
    m: int
    compare: bool


FULL = (Case("cancer", 40, True), Case("digits", 24, False))
QUICK = (Case("cancer", 10, True),)
COLUMNS = "set n m p svc_s ours_s ratio cpu_x same".split()


def samples(name: str) -> tuple[Floats, Floats]:
    """Return features and labels: of cancer, or digits 0-4 against 5-9."""
    if name == "cancer":
        problem = load(name, 569)
        return problem.X, problem.y
    X, digit = load_digits(return_X_y=True)
    return scale(X), np.where(digit < 5, -1.0, 1.0)


def run(report: Report, grid: tuple[Case, ...]) -> None:
    """Time every search, all sides in turn."""
    table = report.table("choice", COLUMNS)
    for case in grid:
        X, y = samples(case.name)
        bank = kernel_bank(X, case.m)
        stack = KernelStack(list(bank))
        stack.check_gram()
        choices: tuple[tuple[float, ...], ...] = tuple((p,) for p in THREE)
        for ps in (*choices, THREE):
            total = bank.sum(axis=0) * len(bank) ** (-1.0 / ps[0])
            svc = GridSearchCV(SVC(kernel="precomputed"), {"C": COSTS}, **SAME)
            ours = MKLClassifierCV(COSTS, ps, **SAME)
            spent: dict[str, list[float]] = {"svc": [], "ours": []}
            _timed([], partial(ours.fit, stack, y))  # compiles
            sides = {
                "svc": partial(_timed, spent["svc"], partial(svc.fit, total, y)),
                "ours": partial(_timed, spent["ours"], partial(ours.fit, stack, y)),
            }
            timed = interleave(sides)
            theirs, own = timed["svc"].seconds, timed["ours"].seconds
            table.add(
                set=case.name,
                n=len(y),
                m=case.m,
                p=" ".join(f"{p:g}" for p in ps),
                svc_s=theirs,
                ours_s=own,
                ratio=own / theirs,
                cpu_x=min(spent["ours"]) / min(spent["svc"]),
                same=_same(ours, stack, y, ps) if case.compare else None,
            )
    report.say()
    rows = table.rows
    for several, target in ((False, TARGET), (True, TARGET_OF_THREE)):
        chosen = [row["ratio"] for row in rows if (" " in str(row["p"])) == several]
        ratios = [float(ratio) for ratio in chosen if ratio is not None]
        what = "three values of p" if several else "one p"
        report.target(f"largest ratio of {len(ratios)} searches, {what}", max(ratios), target)
    report.say()


def _timed(spent: list[float], fit: Callable[[], Any]) -> Any:
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateKernelWarning)  # columns that are constant
        found = fit()
    spent.append(time.process_time() - start)
    return found


def _same(ours: MKLClassifierCV, stack: KernelStack, y: Floats, ps: tuple[float, ...]) -> float:
    search = GridSearchCV(MKLClassifier(), {"p": list(ps), "C": COSTS}, **SAME)
    search.fit(stack, y)
    splits = [search.cv_results_[f"split{k}_test_score"] for k in range(search.n_splits_)]
    theirs = np.stack(splits, axis=-1).reshape(len(COSTS), len(ps), -1).swapaxes(0, 1)
    return float(np.mean(np.isclose(ours.scores_, theirs)))
