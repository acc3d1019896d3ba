"""Interactions between modalities (emap): in closed form against asking the model n² times.

Both sides project the same fitted MKLClassifier, whose kernels are those of each modality and their
products, on the same samples; one is told the pipeline, the other nothing but its predictions, as
the public code of the method is. closed_s, asked_s: times; ratio: asked_s / closed_s; differ: the
largest difference of the projections over the range of responses. For two modalities they are the
same sums; for more, asking permutes modalities where the closed form has all combinations.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks._report import Report, geometric_mean
from benchmarks._timing import interleave
from mkfusion import ColumnKernelizer, InteractionKernels, MKLClassifier, Modalities, RBFKernel
from mkfusion.inspection import AdditiveProjection, emap


class Grid(NamedTuple):
    """Every combination is measured."""

    sizes: tuple[int, ...]
    modalities: tuple[int, ...]


FULL = Grid((100, 200, 500), (2, 3))
QUICK = Grid((100,), (2, 3))
COLUMNS = "n modalities kernels closed_s asked_s ratio differ".split()
N_TRAIN, N_COLUMNS = 300, 3


def _fitted(n: int, n_modalities: int) -> tuple[Pipeline, Modalities, Any]:
    """Return a model whose classes are signs of products, and n samples that it has not seen."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(n_modalities, N_TRAIN + n, N_COLUMNS))
    y = parts[:2, :, 0].prod(axis=0) > 0
    X = Modalities({f"m{k}": part for k, part in enumerate(parts)})
    kernels = ColumnKernelizer([(name, RBFKernel(), name) for name in X.names])
    model = make_pipeline(kernels, InteractionKernels(order=2), MKLClassifier(C=10))
    train, test = np.split(np.arange(N_TRAIN + n), [N_TRAIN])
    return model.fit(X[train], y[train]), X[test], y[test]


def run(report: Report, grid: Grid) -> None:
    """Measure every cell of the grid."""
    table = report.table("emap", COLUMNS)
    for n, n_modalities in product(grid.sizes, grid.modalities):
        model, X, y = _fitted(n, n_modalities)

        def project(model: Any, X: Any = X, y: Any = y) -> AdditiveProjection:
            return emap(model, X, y, n_bootstraps=0, random_state=0)

        timed = interleave(
            # A frozen model shows nothing but its predictions.
            {"closed": partial(project, model), "asked": partial(project, FrozenEstimator(model))},
            once=frozenset({"asked"}),
        )
        closed, asked = timed["closed"].result, timed["asked"].result
        assert closed.exact and not asked.exact
        differ = np.abs(closed.projection - asked.projection).max() / np.ptp(closed.responses)
        table.add(
            n=n,
            modalities=n_modalities,
            kernels=len(model[-1].weights_),
            closed_s=timed["closed"].seconds,
            asked_s=timed["asked"].seconds,
            ratio=timed["asked"].seconds / timed["closed"].seconds,
            differ=float(differ),
        )
    report.say()
    ratios = table.column("ratio")
    report.say(f"asking takes {geometric_mean(ratios):.3g} times as long, geometric mean")
    report.say()
