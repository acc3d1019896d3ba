"""What a modality of noise costs: learned weights beside the best single modality.

Each data set gets a modality of 200 columns of noise. accuracy is the mean over repeated stratified
folds, spread the standard deviation of its repetitions, below how far it lies under the best of the
single modalities (in hindsight) with the same C, and weight the share of the noise's kernel.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from benchmarks._report import Report
from mkfusion import (
    ColumnKernelizer,
    DegenerateKernelWarning,
    KernelCombiner,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.datasets import load_basic_motions, load_mfeat, load_sonar


class Grid(NamedTuple):
    """Every data set with every C."""

    names: tuple[str, ...]
    costs: tuple[float, ...]
    n_repeats: int


FULL = Grid(("sonar", "cancer", "mfeat", "motions"), (1.0, 10.0), 3)
QUICK = Grid(("sonar",), (10.0,), 2)
COLUMNS = "data method C accuracy spread below weight".split()
REMEDY = "unbiased"


def load(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the modalities of a data set, as rows of numbers, and its classes."""
    if name == "cancer":
        X, y = load_breast_cancer(return_X_y=True)
        return {"mean": X[:, :10], "error": X[:, 10:20], "worst": X[:, 20:]}, y
    loaders = {"sonar": load_sonar, "mfeat": load_mfeat, "motions": load_basic_motions}
    X, y = loaders[name](return_X_y=True)
    y = np.asarray(y)
    if name == "mfeat":
        some, _ = train_test_split(np.arange(len(y)), train_size=300, stratify=y, random_state=0)
        X, y = X[some], y[some]
    return {part: np.asarray(X[part]).reshape(len(y), -1) for part in X.names}, y


def pipeline(names: Any, machines: list[Any]) -> Any:
    """Return RBF kernels of the scaled modalities, and what comes after."""
    kernels = [(name, make_pipeline(StandardScaler(), RBFKernel()), name) for name in names]
    return make_pipeline(ColumnKernelizer(kernels), *machines)


def methods(C: float) -> dict[str, list[Any]]:
    """Return what learns from all modalities, by its name."""
    svc = SVC(kernel="precomputed", C=C)
    return {
        "p=1": [MKLClassifier(C=C)],
        "p=2": [MKLClassifier(C=C, p=2)],
        "p=inf": [MKLClassifier(C=C, p=np.inf)],
        "alignf": [KernelCombiner("alignf"), svc],
        REMEDY: [KernelCombiner("unbiased_alignment"), svc],
    }


def run(report: Report, grid: Grid) -> None:
    """Cross-validate every method on every data set."""
    table = report.table("noise", COLUMNS)
    beyond = []
    for name in grid.names:
        parts, y = load(name)
        parts["noise"] = np.random.default_rng(1).normal(size=(len(y), 200))
        X = Modalities(**parts)
        folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=grid.n_repeats, random_state=0)
        for C in grid.costs:
            scores = {
                part: cross_val_score(pipeline([part], [MKLClassifier(C=C)]), X, y, cv=folds)
                for part in parts
                if part != "noise"
            }
            best = max(scores.values(), key=np.mean)
            for method, machines in {"best one": [], **methods(C)}.items():
                weight = None
                found = best
                if machines:
                    model = pipeline(parts, machines)
                    with threadpool_limits(1, "blas"), warnings.catch_warnings():
                        warnings.simplefilter("ignore", DegenerateKernelWarning)
                        found = cross_val_score(model, X, y, cv=folds)
                        weights = model.fit(X, y)[1].weights_
                    weight = float(weights[-1] / weights.sum())
                spread = float(found.reshape(grid.n_repeats, -1).mean(axis=1).std(ddof=1))
                below = float(best.mean() - found.mean())
                table.add(
                    data=name,
                    method=method,
                    C=C,
                    accuracy=float(found.mean()),
                    spread=spread,
                    below=below,
                    weight=weight,
                )
                if method == REMEDY:
                    spread_of_best = best.reshape(grid.n_repeats, -1).mean(axis=1).std(ddof=1)
                    beyond.append(below - max(spread, float(spread_of_best)))
    report.say()
    report.target("the remedy below the best one, beyond the spread", max(beyond), 0.0)
