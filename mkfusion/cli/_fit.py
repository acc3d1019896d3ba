"""``mkfusion fit``."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    MissingCellsWarning,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    MKLRegressorCV,
    UnknownCategoriesWarning,
)
from mkfusion.cli._console import Report
from mkfusion.cli._errors import as_usage_errors, notes_for_warnings
from mkfusion.cli._kinds import Kind
from mkfusion.cli._model import Model, save_model
from mkfusion.cli._samples import load_samples
from mkfusion.compare import COSTS, FAST_FOLDS, outer_splitter
from mkfusion.kernels import MeanFiller


class _Choice(NamedTuple):
    """How C was chosen.

    Attributes
    ----------
    costs : tuple of float
        Among which.
    n_folds : int
    metric : str
    score : float
        Mean over the folds.
    """

    costs: tuple[float, ...]
    n_folds: int
    metric: str
    score: float


def fit(options: argparse.Namespace) -> None:
    """Fit multiple kernel learning to the modalities in some files, and save it.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    UsageError
        If the data or the options are not for it.
    """
    samples = load_samples(options, least=1)
    keeps = options.missing == "keep"
    # In every fold they would be others; `load_samples` has told of gaps.
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning):
        with as_usage_errors(TypeError, ValueError):
            kernels = _kernels(samples.X, keeps)
        machine = MKLClassifier if samples.classes else MKLRegressor
        model: Any = machine(C=options.C or 1.0, p=options.p)
        if not samples.classes:
            # C and epsilon then mean the same in any unit.
            model = TransformedTargetRegressor(model, transformer=StandardScaler())
        kernelizer = ColumnKernelizer(
            [(name, clone(kernel), name) for name, kernel in kernels.items()],
            missing="marginalise" if keeps else "error",
        )
        pipeline = Pipeline([("kernels", kernelizer), ("mkl", model)])
        choice = None
        if options.C is None:
            choice = _choose(pipeline, samples, options)
        with as_usage_errors(ValueError):
            pipeline.fit(samples.X, samples.y)
    of_words = {name: not isinstance(kernel, Pipeline) for name, kernel in kernels.items()}
    takes_gaps = {
        name: of_words[name] or isinstance(kernel[0], MeanFiller)
        for name, kernel in kernels.items()
    }
    kinds = {
        # Pipelines see words as texts, if at all; other kernels compare them as categories.
        name: _with_categories(some, samples.X[name]) if of_words[name] else some
        for name, some in samples.kinds.items()
    }
    save_model(
        Model(pipeline, kinds, takes_gaps, keeps, options.target, options.id),
        options.output,
    )
    _print(pipeline, samples, choice, options)


def _kernels(X: Any, keeps: bool) -> dict[str, Any]:
    """Return the kernel of each modality, chosen by all samples rather than anew in each fold."""
    chooser = ColumnKernelizer(
        [(name, "auto", name) for name in X.names], missing="marginalise" if keeps else "error"
    )
    return chooser.fit(X).auto_kernels_


def _with_categories(kinds: dict[str, Kind], table: Any) -> dict[str, Kind]:
    """Return the kinds of a table's columns, those of words with the words that there are."""
    return {
        column: kind._replace(levels=tuple(sorted(set(table[column].dropna()))))
        if kind.name == "text"
        else kind
        for column, kind in kinds.items()
    }


def _choose(pipeline: Pipeline, samples: Any, options: argparse.Namespace) -> _Choice:
    """Set C to what cross-validation chooses, on kernels that are computed once."""
    cv: Any = options.cv
    if options.time_ordered:
        cv = TimeSeriesSplit(options.cv or FAST_FOLDS)
    with as_usage_errors(ValueError):
        folds = outer_splitter(
            cv, samples.y, samples.groups, samples.classes, options.seed, fast=True
        ).split()
    metric = "accuracy" if samples.classes else "r2"
    given = {
        "ps": options.p,
        "cv": [(fold.train, fold.test) for fold in folds],
        "scoring": metric,
        "refit": False,
    }
    # C and epsilon of a standardised target, in units of the target itself, as scores are.
    unit, search = 1.0, MKLClassifierCV(COSTS, **given)
    if not samples.classes:
        unit = float(np.std(samples.y)) or 1.0
        epsilon = MKLRegressor().epsilon * unit
        search = MKLRegressorCV(np.multiply(COSTS, unit), epsilon=epsilon, **given)
    with as_usage_errors(ValueError):  # the data of a fold, that an estimator refuses
        kernels = clone(pipeline["kernels"]).fit_transform(samples.X)
        search.fit(kernels, samples.y)
    C = COSTS[int(np.argmin(np.abs(np.multiply(COSTS, unit) - search.C_)))]
    pipeline.set_params(**{"mkl__C" if samples.classes else "mkl__regressor__C": C})
    return _Choice(COSTS, len(folds), metric, search.best_score_)


def _print(pipeline: Pipeline, samples: Any, choice: Any, options: argparse.Namespace) -> None:
    """Print what was learned."""
    report = Report()
    machine = pipeline["mkl"] if samples.classes else pipeline["mkl"].regressor_
    target = f"{len(machine.classes_)} classes" if samples.classes else "a quantity"
    report.say(
        f"{type(machine).__name__} of {options.target!r} ({target}) on {len(samples.X)} samples",
        "bold",
    )
    if choice is None:
        report.say(f"C = {machine.C:g}, as given")
    else:
        report.say(
            f"C = {machine.C:g}, the best of {', '.join(f'{C:g}' for C in choice.costs)} in "
            f"{choice.n_folds}-fold cross-validation: {choice.metric} {choice.score:.3f}. As the "
            "best of several it flatters; mkfusion compare tells what to expect."
        )
    report.say()
    kernels = pipeline["kernels"].kernels
    header = ["modality", "columns", "kernel", "weight"]
    rows = [
        [name, str(len(samples.kinds[name])), _describe(kernel), f"{weight:.3f}"]
        for (name, kernel, _), weight in zip(kernels, machine.weights_, strict=True)
    ]
    report.table(header, rows)
    report.say(
        "A weight is not importance: mkfusion compare tells what each modality is worth on samples "
        "that were held out."
    )
    report.say()
    report.say(
        f"Certified duality gap {machine.duality_gap_:.1e}: the objective is at most this share "
        "above its optimum."
    )
    report.path("Model written to", options.output)


def _describe(kernel: Any) -> str:
    """Return a kernel in few words, such as ``StandardScaler + RBFKernel``."""
    steps = [step for _, step in kernel.steps] if isinstance(kernel, Pipeline) else [kernel]
    names = [type(step).__name__ for step in steps]
    unseen = ("FunctionTransformer", "MeanFiller")
    return " + ".join(name for name in names if name not in unseen)
