"""Samples that lack one of two modalities: what is left of the accuracy, by who goes on how.

Of the samples to be predicted every second one lacks the second modality ("predict"), and so does a
share of the training samples where one is given; or 20 % of all samples lack the first and 20 % the
second ("everywhere"). Accuracies are those of the samples that lack one, means over random halves.
alone: a model of each modality, of which a sample asks the
one that it has; marginalise, centred and impute: ColumnKernelizer(missing=...), centred with
normalize="center"; late: LateFusionClassifier(missing="marginalise").
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks._report import Report
from mkfusion import (
    ColumnKernelizer,
    LateFusionClassifier,
    MissingModalityWarning,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_mfeat


class Grid(NamedTuple):
    """Every combination is measured."""

    data: tuple[str, ...]
    n_halves: int


FULL = Grid(("wine", "breast cancer", "mfeat kar + fou", "mfeat fou + zer"), 8)
QUICK = Grid(("wine",), 2)
COLUMNS = "data missing alone marginalise centred impute late".split()
# By the share of training samples that lack the second modality; None is everywhere.
PLACES = {
    "predict": 0.0,
    "predict, 5 %": 0.05,
    "predict, 20 %": 0.2,
    "predict, 40 %": 0.4,
    "everywhere": None,
}
MOST_TEST = 400
MOST_TRAIN = 300


def load(name: str) -> tuple[Any, Any, Any]:
    """Return two modalities of a data set, and its classes."""
    if name.startswith("mfeat"):
        views, y = load_mfeat(return_X_y=True)
        first, second = name.split()[1::2]
        return views[first], views[second], y
    if name == "breast cancer":  # means, and largest values, of properties of cells
        X, y = load_breast_cancer(return_X_y=True)
        return X[:, :10], X[:, 20:], y
    X, y = load_wine(return_X_y=True)
    return X[:, [1, 2, 3]], X[:, [5, 8, 9, 10]], y


def kernels(missing: str, normalize: str = "cosine", names: str = "ab") -> Pipeline:
    """Return a machine on one kernel of each modality."""
    entries = [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in names]
    kernelizer = ColumnKernelizer(entries, missing=missing, normalize=normalize)
    return make_pipeline(kernelizer, MKLClassifier(C=10, p=2))


def accuracies(name: str, share: float | None, seed: int) -> dict[str, float]:
    """Return the accuracy of every way on the test samples that lack a modality."""
    first, second, y = load(name)
    first, second = np.array(first, dtype=float), np.array(second, dtype=float)
    rng = np.random.default_rng(seed)
    n_train = min(MOST_TRAIN, len(y) // 2)
    train, test = train_test_split(
        np.arange(len(y)), train_size=n_train, random_state=seed, stratify=y
    )
    test = test[:MOST_TEST]
    drawn = rng.random(len(y))
    if share is not None:
        second[test[::2]] = np.nan
        second[train[drawn[train] < share]] = np.nan
    else:
        first[drawn < 0.2] = np.nan
        second[(drawn >= 0.2) & (drawn < 0.4)] = np.nan
    X = Modalities(a=first, b=second)
    have = X.present()
    incomplete = test[~have[test].all(axis=1)]
    models = {
        "marginalise": kernels("marginalise"),
        "centred": kernels("marginalise", "center"),
        "impute": kernels("impute"),
        "late": LateFusionClassifier(
            estimator=make_pipeline(StandardScaler(), SVC(C=10)), missing="marginalise"
        ),
    }
    found = {}
    for key, model in models.items():
        found[key] = model.fit(X[train], y[train]).score(X[incomplete], y[incomplete])
    right = 0
    for k, one in enumerate("ab"):
        known, asked = train[have[train, k]], incomplete[have[incomplete, k]]
        if len(asked):
            alone = kernels("error", names=one).fit(X[known], y[known])
            right += np.sum(alone.predict(X[asked]) == y[asked])
    found["alone"] = right / len(incomplete)
    return found


def run(report: Report, grid: Grid) -> None:
    """Measure every cell of the grid."""
    table = report.table("missing", COLUMNS)
    for name, where in product(grid.data, PLACES):
        with warnings.catch_warnings():
            # What it warns of is what is measured.
            warnings.simplefilter("ignore", MissingModalityWarning)
            each = [accuracies(name, PLACES[where], seed) for seed in range(grid.n_halves)]
        means = {key: float(np.mean([one[key] for one in each])) for key in COLUMNS[2:]}
        table.add(data=name, missing=where, **means)
