"""Is the default the one to beat? Held-out scores of plain alternatives on a panel of real sets.

Each set is split several times into at most 300 training samples and a third of it to test, whole
subjects where they repeat (then about 300); all methods get the same splits and inner folds.
default: ColumnKernelizer with "auto" and MKLClassifierCV() or MKLRegressorCV(). joined linear:
LogisticRegressionCV (by log-loss) or ElasticNetCV on all columns: standardised, categories one-hot,
texts as TF-IDF, series as values and summaries. late linear: the mean of such models, one for each
modality; best single: the one of them that inner folds prefer. forest and boosting: scikit-learn's,
on the joined columns. stacking: a forest for each modality, a linear model of what they say. kernel
sum: the mean of the default's kernels in an SVC or SVR. EasyMKL: MKLpy's weights of the same
kernels, with an SVC. himalaya: MultipleKernelRidgeCV on the same kernels, for numbers.
logloss: of probabilities kept within 0.001 and 0.999; auc: one class against the others, mean; f1:
macro; majority: the accuracy of the commonest class; one: splits in which a method said one class
for every sample. cpu_s: processor seconds of all threads, choices, calibration and prediction
included. Standard errors of differences count that training samples of the splits overlap.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from threadpoolctl import threadpool_limits

from benchmarks._contenders import CONTENDERS, DEFAULT, LINEAR, Prediction, Split, run_contender
from benchmarks._panel import CHOOSE, NUMBERS, PANEL, REPORT, DataSet, halves, load
from benchmarks._problems import Floats
from benchmarks._ranks import corrected_error, critical_difference, draw, friedman, rank
from benchmarks._report import Report, Value

TRAIN = 300
_TEST_SHARE = 1.0 / 3.0
_FOLDS = 5
_LEAST = 1e-3
SLOWER = 3.0
# Sets up to this size are those of the target in time.
_SMALL = 500
# What larger values of it are: better or, with -1, worse.
CLASS_MEASURES = {"logloss": -1.0, "auc": 1.0, "f1": 1.0}
NUMBER_MEASURES = {"r2": 1.0}
COLUMNS = "data half task split n_train n_test logloss auc f1 accuracy majority r2 one cpu_s method"


class Grid(NamedTuple):
    """Data sets, methods and splits of each set."""

    names: tuple[str, ...]
    methods: tuple[str, ...]
    n_splits: int


FULL = Grid(tuple(PANEL), tuple(CONTENDERS), 3)
QUICK = Grid(("nutrimouse", "sonar", "motions", "hitters"), (DEFAULT, LINEAR, "forest"), 2)


def splits(data: DataSet, task: str, n_splits: int) -> list[tuple[Any, Any]]:
    """Return positions of training and test samples: at most 300 (subjects: about), and a third."""
    n = len(data.y)
    size = min(TRAIN / n, 1.0 - _TEST_SHARE)
    given = {"n_splits": n_splits, "test_size": _TEST_SHARE, "train_size": size, "random_state": 0}
    kind: Any = GroupShuffleSplit
    if data.groups is None:
        kind = ShuffleSplit if task == NUMBERS else StratifiedShuffleSplit
    return list(kind(**given).split(np.zeros(n), data.y, data.groups))


def inner_folds(y: Any, groups: Any, task: str, seed: int) -> list[tuple[Any, Any]]:
    """Return the folds of some training samples, at most five, that every method chooses on."""
    classes = task != NUMBERS
    most = int(np.unique(y, return_counts=True)[1].min()) if classes else _FOLDS
    given = {"n_splits": max(2, min(_FOLDS, most)), "shuffle": True, "random_state": seed}
    if groups is None:
        kind: Any = StratifiedKFold if classes else KFold
    else:
        kind = StratifiedGroupKFold if classes else GroupKFold
    return list(kind(**given).split(np.zeros(len(y)), y, groups))


def measures(y: Any, names: Any, prediction: Prediction) -> dict[str, Value]:
    """Return the scores of a prediction; `names` are the classes, None for numbers."""
    if names is None:
        return {"r2": float(r2_score(y, prediction.values))}
    table = np.clip(np.asarray(prediction.chances, dtype=float), _LEAST, 1.0 - _LEAST)
    table /= table.sum(axis=1, keepdims=True)
    codes = np.searchsorted(names, y)
    columns = range(1, 2) if len(names) == 2 else range(len(names))
    told = [k for k in columns if 0 < np.sum(codes == k) < len(codes)]
    return {
        "logloss": float(-np.mean(np.log(table[np.arange(len(codes)), codes]))),
        "auc": float(np.mean([roc_auc_score(codes == k, table[:, k]) for k in told])),
        "f1": float(f1_score(y, prediction.values, average="macro")),
        "accuracy": float(accuracy_score(y, prediction.values)),
        "majority": float(np.bincount(codes).max() / len(codes)),
        "one": int(len(np.unique(prediction.values)) == 1),
    }


def run(report: Report, grid: Grid) -> None:
    """Measure every method on every split of every set, and judge the default."""
    methods = []
    for name in grid.methods:
        missing = CONTENDERS[name].missing()
        if missing:
            report.say(f"{name}: skipped, {missing[0]} is not installed")
        else:
            methods.append(name)
    table = report.table("accuracy", COLUMNS.split())
    warm_up(methods)
    for name in grid.names:
        if not PANEL[name].available():
            report.say(f"{name}: skipped, {PANEL[name].package} is not installed")
            continue
        for row in measured(name, methods, grid.n_splits):
            table.add(**row)
    report.say()
    judge(report, table.rows)


def warm_up(methods: Iterable[str]) -> None:
    """Compile and import, so that no time of a set holds it."""
    for name in ("nutrimouse", "cardano"):
        if PANEL[name].available():
            for _ in measured(name, methods, 1):
                pass


def measured(name: str, methods: Iterable[str], n_splits: int) -> Iterator[dict[str, Value]]:
    """Yield the rows of one set: each method on each split."""
    task, data = PANEL[name].task, load(name)
    for turn, (train, test) in enumerate(splits(data, task, n_splits)):
        split = split_of(data, task, train, test, turn)
        names = np.unique(data.y) if task != NUMBERS else None
        for method in methods:
            contender = CONTENDERS[method]
            if not (contender.numbers if task == NUMBERS else contender.classes):
                continue
            with threadpool_limits(1):
                prediction, seconds = run_contender(method, split)
            yield {
                "data": name,
                "half": halves()[name],
                "task": task,
                "split": turn,
                "n_train": len(train),
                "n_test": len(test),
                "method": method,
                "cpu_s": seconds,
                **measures(data.y[test], names, prediction),
            }


def split_of(data: DataSet, task: str, train: Any, test: Any, seed: int) -> Split:
    """Return a split with its inner folds."""
    y = data.y[train]
    groups = None if data.groups is None else data.groups[train]
    known = DataSet(data.X[train], y, groups)
    return Split(known, data.X[test], inner_folds(y, groups, task, seed), task != NUMBERS)


def judge(report: Report, rows: list[dict[str, Value]]) -> None:
    """Print mean scores, ranks and the verdict on the default."""
    for classes, scores in ((True, CLASS_MEASURES), (False, NUMBER_MEASURES)):
        some = [row for row in rows if (row["task"] != NUMBERS) == classes]
        if some:
            _means(report, some, [*scores, *(["accuracy", "majority", "one"] if classes else [])])
            for half in (CHOOSE, REPORT):
                for measure, sign in scores.items():
                    _ranks(report, [r for r in some if r["half"] == half], measure, sign, half)
    _against_linear(report, rows)


def _means(report: Report, rows: list[dict[str, Value]], scores: list[str]) -> None:
    kind = "numbers" if scores[0] == "r2" else "classes"
    table = report.table(f"accuracy_{kind}", ["data", "half", *scores, "cpu_s", "method"])
    for name in dict.fromkeys(row["data"] for row in rows):
        here = [row for row in rows if row["data"] == name]
        for method in dict.fromkeys(row["method"] for row in here):
            own = [row for row in here if row["method"] == method]
            found: dict[str, Value] = {
                score: float(np.mean([row[score] for row in own]))  # type: ignore[arg-type]
                for score in (*scores, "cpu_s")
            }
            table.add(data=name, half=own[0]["half"], method=method, **found)
    report.say()


def mean_scores(rows: list[dict[str, Value]], measure: str) -> tuple[list[str], list[str], Floats]:
    """Return sets, methods and the mean scores (n_sets, n_methods)."""
    names = list(dict.fromkeys(str(row["data"]) for row in rows))
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    cells = [
        [float(np.mean(by_split(rows, name, method, measure))) for method in methods]
        for name in names
    ]
    return names, methods, np.array(cells)


def by_split(rows: list[dict[str, Value]], name: str, method: str, measure: str) -> Floats:
    """Return the scores of a method on a set, in the order of splits."""
    own = [row for row in rows if row["data"] == name and row["method"] == method]
    return np.array([float(row[measure]) for row in sorted(own, key=lambda r: int(r["split"]))])  # type: ignore[arg-type]


def _ranks(
    report: Report, rows: list[dict[str, Value]], measure: str, sign: float, half: str
) -> None:
    if not rows:
        return
    names, methods, cells = mean_scores(rows, measure)
    ranks = rank(sign * cells)
    line = sorted(zip(ranks.mean(axis=0), methods, strict=True))
    shown = ", ".join(f"{method} {mean:.2f}" for mean, method in line)
    report.say(f"mean ranks by {measure}, {len(names)} sets to {half}: {shown}")
    if len(names) > 1:
        test, width = friedman(ranks), critical_difference(len(methods), len(names))
        report.say(
            f"  Friedman: F = {test.statistic:.2f}, p = {test.p:.2g}; "
            f"critical difference (Nemenyi, 5 %) {width:.2f}"
        )
    best, mine = line[0][0], float(ranks.mean(axis=0)[methods.index(DEFAULT)])
    report.target(f"  mean rank of the default by {measure}, sets to {half}", mine, best)


def _against_linear(report: Report, rows: list[dict[str, Value]]) -> None:
    """Print, of each set, the default's scores less those of the joined linear model."""
    report.say()
    columns = ["data", "half", "measure", "differ", "error", "errors", "time_x"]
    table = report.table("accuracy_verdicts", columns)
    for name in dict.fromkeys(str(row["data"]) for row in rows):
        here = [row for row in rows if row["data"] == name]
        if not {DEFAULT, LINEAR} <= {row["method"] for row in here}:
            continue
        n_train, n_test = (
            float(np.mean([float(r[c]) for r in here])) for c in ("n_train", "n_test")
        )  # type: ignore[arg-type]
        mine, plain = (by_split(rows, name, m, "cpu_s").sum() for m in (DEFAULT, LINEAR))
        scores = NUMBER_MEASURES if here[0]["task"] == NUMBERS else CLASS_MEASURES
        for measure, sign in scores.items():
            pair = (by_split(rows, name, method, measure) for method in (DEFAULT, LINEAR))
            differences = sign * np.subtract(*pair)
            differ = float(differences.mean())
            error = corrected_error(differences, n_train, n_test)
            errors = differ / error if error > 0.0 else 0.0
            table.add(data=name, half=here[0]["half"], measure=measure, differ=differ,
                      error=error, errors=errors, time_x=float(mine / plain))  # fmt: skip
    report.say("differ: better (+) or worse (-) than joined linear; errors: in standard errors")
    for half in (CHOOSE, REPORT):
        for measure in (*CLASS_MEASURES, *NUMBER_MEASURES):
            worst = table.column("errors", half=half, measure=measure)
            if worst:
                below = sum(value < -1.0 for value in worst)
                what = f"sets to {half} more than an error worse by {measure}, of {len(worst)}"
                report.target(what, below, 0)
        small = [
            float(row["time_x"])  # type: ignore[arg-type]
            for row in table.rows
            if row["half"] == half and PANEL[str(row["data"])].samples <= _SMALL
        ]
        if small:
            report.target(
                f"time in joined linear models, largest, sets to {half}", max(small), SLOWER
            )


def draw_ranks(results: Path, target: Path, half: str = REPORT) -> Path:
    """Draw the mean ranks of ``results/accuracy.csv``, of one half of the panel."""
    with (results / "accuracy.csv").open(newline="", encoding="utf-8") as file:
        rows: list[Any] = [row for row in csv.DictReader(file) if row["half"] == half]
    titles = {"logloss": "log-loss", "auc": "AUC", "f1": "macro F1", "r2": "R²"}
    panels = {}
    for measure, sign in {**CLASS_MEASURES, **NUMBER_MEASURES}.items():
        some = [row for row in rows if row[measure] != ""]
        if some:
            names, methods, cells = mean_scores(some, measure)
            means = rank(sign * cells).mean(axis=0)
            panels[titles[measure]] = dict(zip(methods, map(float, means), strict=True)), len(names)
    return draw(panels, target, DEFAULT)
