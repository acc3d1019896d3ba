"""The demonstration's data: which kernels, and which columns, each modality is given.

Everything in this file was fixed before any score was seen; nothing in it is tuned to the data.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mkfusion import LinearKernel, Modalities, RBFKernel
from mkfusion.datasets import load_basic_motions, load_mfeat

# Standardised columns lie at a mean squared distance of two per column, so these multiples of
# 1 / n_columns run from nearly linear (exp(-1/4) between strangers) to local (exp(-4)).
WIDTHS = (0.125, 0.5, 2.0)

Columns = Callable[[np.ndarray], np.ndarray]


class View(NamedTuple):
    """One description of one modality: a function from its samples to columns."""

    name: str
    modality: str
    columns: Columns


class Study(NamedTuple):
    """Samples, labels, and the views of them that every method is given alike."""

    title: str
    X: Modalities
    y: np.ndarray
    views: tuple[View, ...]

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order of the data."""
        return list(self.X.names)


def _statistics(series: np.ndarray) -> np.ndarray:
    """Mean, spread and range of every axis: (n, axes, times) to (n, 4 * axes)."""
    return np.hstack([series.mean(2), series.std(2), series.min(2), series.max(2)])


def _log_spectrum(series: np.ndarray) -> np.ndarray:
    """Log power at every frequency of every axis: (n, axes, times) to (n, axes * frequencies)."""
    centred = series - series.mean(axis=2, keepdims=True)
    # The constant term is zero now; log1p keeps a sensor at rest finite.
    power = np.abs(np.fft.rfft(centred, axis=2)[:, :, 1:]) ** 2 / series.shape[2]
    return np.log1p(power).reshape(len(series), -1)


def _as_is(table: np.ndarray) -> np.ndarray:
    return table


def _basic_motions() -> Study:
    X, y = load_basic_motions(return_X_y=True)
    views = [
        View(f"{modality}_{kind}", modality, columns)
        for modality in X.names
        for kind, columns in (("statistics", _statistics), ("spectrum", _log_spectrum))
    ]
    return Study("BasicMotions (smart watch, 4 activities)", X, y, tuple(views))


def _mfeat() -> Study:
    X, y = load_mfeat(return_X_y=True)
    views = tuple(View(modality, modality, _as_is) for modality in X.names)
    return Study("Multiple Features (10 handwritten digits)", X, y, views)


class _Source(NamedTuple):
    load: Callable[[], Study]
    default_samples: int | None  # None: all of them


# 400 of the 2,000 numerals keep the demonstration of mfeat within a minute on two cores.
SOURCES = {
    "basic_motions": _Source(_basic_motions, None),
    "mfeat": _Source(_mfeat, 400),
}


def load_study(name: str, samples: int | None, seed: int) -> tuple[Study, int]:
    """Load a study, cut to `samples` with the classes in proportion; also give the full size."""
    source = SOURCES[name]
    study = source.load()
    n_all = len(study.y)
    wanted = samples or source.default_samples or n_all
    if wanted < n_all:
        rows, _ = train_test_split(
            np.arange(n_all), train_size=wanted, stratify=study.y, random_state=seed
        )
        rows.sort()
        study = study._replace(X=study.X[rows], y=study.y[rows])
    return study, n_all


def kernel_entries(study: Study, views: Sequence[View]) -> list[tuple[str, list[Any], str]]:
    """Entries for ColumnKernelizer: each view with three RBF widths and a linear kernel."""
    entries = []
    for view in views:
        n_columns = view.columns(study.X[view.modality][:1]).shape[1]
        kernels = [RBFKernel(gamma=float(f"{width / n_columns:.2g}")) for width in WIDTHS]
        entries.append(
            (
                view.name,
                [
                    make_pipeline(FunctionTransformer(view.columns), StandardScaler(), kernel)
                    for kernel in [*kernels, LinearKernel()]
                ],
                view.modality,
            )
        )
    return entries


def all_columns(X: Modalities, views: Sequence[View]) -> np.ndarray:
    """Put the columns of all views side by side: (n_samples, n_columns)."""
    return np.hstack([view.columns(X[view.modality]) for view in views])
