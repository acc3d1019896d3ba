"""Modalities that are there in training only: what they add to the accuracy of one modality.

Of `labels` training samples the class is known, of `others` it is not; all of them have all
modalities, and the test samples the first only. alone: a student of the labels. taught:
PrivilegedClassifier, whose teacher of all modalities labels the other samples. itself: the student
labels these. imitating: no other samples, and a student halfway between the labels and what a
teacher makes of them, which is generalised distillation (by kernel ridge regression on indicators
of classes, as is the "alone" that it gains over). full: the student, if all labels were known;
teacher: all modalities are there to predict from. Gains over alone in per cent of accuracy, means
over random splits, with their standard errors (which take the splits for independent).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from benchmarks._report import Report
from mkfusion import Modalities, PrivilegedClassifier
from mkfusion.datasets import load_mfeat


class Grid(NamedTuple):
    """Every data set is measured, over so many splits."""

    data: tuple[str, ...]
    n_splits: int


FULL = Grid(
    ("mfeat fou", "mfeat zer", "mfeat mor", "breast cancer", "breast cancer se", "wine"), 20
)
QUICK = Grid(("wine",), 3)
WAYS = ("taught", "itself", "imitating", "full", "teacher")
COLUMNS = ["data", "labels", "others", "alone", *(f"{w}{e}" for w in WAYS for e in ("", " se"))]
MOST_TEST = 600
# Labels, and samples without them
SIZES = {"mfeat": (100, 600), "breast": (60, 200), "wine": (30, 50)}


def load(name: str) -> tuple[Any, Any, Any]:
    """Return the modality to predict from, what is privileged, and classes."""
    if name.startswith("mfeat"):
        views, y = load_mfeat(return_X_y=True)
        first = name.split()[1]
        return views[first], np.hstack([views[v] for v in views.names if v != first]), y
    if name.startswith("breast"):  # means or standard errors of properties of cells; largest values
        X, y = load_breast_cancer(return_X_y=True)
        return X[:, 10:20] if name.endswith("se") else X[:, :10], X[:, 20:], y
    X, y = load_wine(return_X_y=True)
    return X[:, [1, 2, 3]], X[:, [5, 8, 9, 10]], y


def accuracies(name: str, seed: int) -> dict[str, float]:
    """Return the accuracy of every way in one split."""
    first, rest, y = load(name)
    n_labels, n_others = SIZES[name.split()[0]]
    known, left = train_test_split(
        np.arange(len(y)), train_size=n_labels, stratify=y, random_state=seed
    )
    others, test = train_test_split(left, train_size=n_others, stratify=y[left], random_state=seed)
    train, test = np.concatenate([known, others]), test[:MOST_TEST]
    X = Modalities(first=first, rest=rest)
    few = y[train].astype(float)
    few[n_labels:] = np.nan
    one = [("first", "first")]
    both = ["first", "rest"]

    def score(model: Any, rows: Any, labels: Any) -> float:
        return float(model.fit(X[rows], labels).score(X[test], y[test]))

    found = {
        "alone": score(PrivilegedClassifier(), known, y[known]),
        "taught": score(PrivilegedClassifier(), train, few),
        "itself": score(PrivilegedClassifier(modalities=one), train, few),
        "full": score(PrivilegedClassifier(), train, y[train]),
        "teacher": score(PrivilegedClassifier(both), known, y[known]),
    }
    indicators = (y[known][:, np.newaxis] == np.unique(y)).astype(float)
    tables = [StandardScaler().fit(np.asarray(t)[known]).transform(t) for t in (first, rest)]
    ridge = {"kernel": "rbf", "alpha": 0.1}
    width = [0.5 / table.shape[1] for table in (tables[0], np.hstack(tables))]
    teacher = KernelRidge(gamma=width[1], **ridge).fit(np.hstack(tables)[known], indicators)
    softened = 0.5 * (indicators + teacher.predict(np.hstack(tables)[known]))
    by_ridge = []
    for target in (indicators, softened):
        student = KernelRidge(gamma=width[0], **ridge).fit(tables[0][known], target)
        said = np.unique(y)[student.predict(tables[0][test]).argmax(axis=1)]
        by_ridge.append(float(np.mean(said == y[test])))
    return {**found, "imitating": found["alone"] + by_ridge[1] - by_ridge[0]}


def run(report: Report, grid: Grid) -> None:
    """Measure every data set."""
    table = report.table("privileged", COLUMNS)
    for name in grid.data:
        each = [accuracies(name, seed) for seed in range(grid.n_splits)]
        row = {"alone": float(np.mean([one["alone"] for one in each]))}
        for way in WAYS:
            gains = 100.0 * np.array([one[way] - one["alone"] for one in each])
            row[way] = float(gains.mean())
            row[f"{way} se"] = float(gains.std(ddof=1) / np.sqrt(len(gains)))
        n_labels, n_others = SIZES[name.split()[0]]
        table.add(data=name, labels=n_labels, others=n_others, **row)
