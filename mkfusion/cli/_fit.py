"""``mkfusion fit``."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
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
from mkfusion._types import Floats, Indices
from mkfusion.cli._console import Report
from mkfusion.cli._errors import UsageError, as_usage_errors, notes_for_warnings
from mkfusion.cli._kernels import kernels_of_words
from mkfusion.cli._kinds import Kind
from mkfusion.cli._metrics import check_metrics
from mkfusion.cli._model import Curves, Model, save_model
from mkfusion.cli._samples import Samples, load_samples
from mkfusion.compare import COSTS, FOLDS, default_metrics, outer_splitter
from mkfusion.kernels import MeanFiller


class _Choice(NamedTuple):
    """How C was chosen.

    Attributes
    ----------
    costs : tuple of n_costs float
        Among which.
    n_folds : int
    metric : str
    scores : ndarray of shape (n_costs,)
        Means over the folds.
    spreads : ndarray of shape (n_costs,)
        Standard deviations over the folds.
    nothing : float
        Mean score of the majority class, or of the mean of the target.
    """

    costs: tuple[float, ...]
    n_folds: int
    metric: str
    scores: Floats
    spreads: Floats
    nothing: float


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
    _check(options, samples)
    own = kernels_of_words(options.kernel, samples.kinds)
    keeps = options.missing == "keep"
    # In every fold they would be others; `load_samples` has told of gaps.
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning):
        with as_usage_errors(TypeError, ValueError):
            kernels = _kernels(samples.X, keeps, own)
        pipeline = _pipeline(kernels, keeps, samples.classes, options)
        choice = None
        folds = None
        if options.C is None or options.probabilities:
            folds = _folds(samples, options)
        if options.C is None:
            choice = _choose(pipeline, samples, folds, options)
        curves = None
        with as_usage_errors(ValueError):
            if options.probabilities:
                calibrated = CalibratedClassifierCV(pipeline, cv=folds, ensemble=False)
                calibrated.fit(samples.X, samples.y)
                pipeline = calibrated.calibrated_classifiers_[0].estimator
                curves = Curves.of(calibrated)
            else:
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
        Model(pipeline, kinds, takes_gaps, keeps, options.target, options.id, curves),
        options.output,
    )
    _print(pipeline, samples, choice, options)


def _check(options: argparse.Namespace, samples: Samples) -> None:
    """Refuse options that are not for this target, or not for each other."""
    if not samples.classes:
        for option, given in (
            ("--class-weight balanced", options.class_weight != "none"),
            ("--probabilities", options.probabilities),
        ):
            if given:
                raise UsageError(f"{option} is for classes, and --target is a quantity")
    if options.probabilities and options.time_ordered:
        raise UsageError(
            "--probabilities is calibrated on folds that hold out every sample once, and "
            "--time-ordered holds out the later ones only: choose one"
        )
    if options.metric is not None:
        if options.C is not None:
            raise UsageError("--metric is what C is chosen by, and --C gives it: choose one")
        check_metrics([options.metric], samples.classes, samples.y)


def _pipeline(
    kernels: dict[str, Any], keeps: bool, classes: bool, options: argparse.Namespace
) -> Pipeline:
    """Return what is to be fitted."""
    C, p = options.C or 1.0, options.p
    model: Any
    if classes:
        weight = None if options.class_weight == "none" else options.class_weight
        model = MKLClassifier(C=C, p=p, class_weight=weight)
    else:
        # C and epsilon then mean the same in any unit.
        model = TransformedTargetRegressor(MKLRegressor(C=C, p=p), transformer=StandardScaler())
    kernelizer = ColumnKernelizer(
        [(name, clone(kernel), name) for name, kernel in kernels.items()],
        missing="marginalise" if keeps else "error",
    )
    return Pipeline([("kernels", kernelizer), ("mkl", model)])


def _kernels(X: Any, keeps: bool, own: dict[str, Any]) -> dict[str, Any]:
    """Return the kernel of each modality, chosen by all samples rather than anew in each fold."""
    chooser = ColumnKernelizer(
        [(name, own.get(name, "auto"), name) for name in X.names],
        missing="marginalise" if keeps else "error",
    )
    chosen = chooser.fit(X).auto_kernels_
    return {name: own.get(name) or chosen[name] for name in X.names}


def _with_categories(kinds: dict[str, Kind], table: Any) -> dict[str, Kind]:
    """Return the kinds of a table's columns, those of words with the words that there are."""
    return {
        column: kind._replace(levels=tuple(sorted(set(table[column].dropna()))))
        if kind.name == "text"
        else kind
        for column, kind in kinds.items()
    }


def _folds(samples: Samples, options: argparse.Namespace) -> list[tuple[Indices, Indices]]:
    """Return the folds that C is chosen and probabilities are calibrated on."""
    cv: Any = options.cv
    if options.time_ordered:
        cv = TimeSeriesSplit(options.cv or FOLDS)
    with as_usage_errors(ValueError):
        folds = outer_splitter(
            cv, samples.y, samples.groups, samples.classes, options.seed, fast=True
        ).split()
    return [(fold.train, fold.test) for fold in folds]


def _choose(
    pipeline: Pipeline, samples: Samples, folds: Any, options: argparse.Namespace
) -> _Choice:
    """Set C to what cross-validation chooses, on kernels that are computed once."""
    metric = options.metric or default_metrics(samples.y, samples.classes)[0]
    given = {"ps": options.p, "cv": folds, "scoring": metric, "refit": False}
    # C and epsilon of a standardised target, in units of the target itself, as scores are.
    unit = 1.0
    search: Any
    if samples.classes:
        search = MKLClassifierCV(COSTS, class_weight=pipeline["mkl"].class_weight, **given)
    else:
        unit = float(np.std(samples.y)) or 1.0
        epsilon = MKLRegressor().epsilon * unit
        search = MKLRegressorCV(np.multiply(COSTS, unit), epsilon=epsilon, **given)
    with as_usage_errors(ValueError):  # the data of a fold, that an estimator refuses
        kernels = clone(pipeline["kernels"]).fit_transform(samples.X)
        search.fit(kernels, samples.y)
    C = COSTS[int(np.argmin(np.abs(np.multiply(COSTS, unit) - search.C_)))]
    pipeline.set_params(**{"mkl__C" if samples.classes else "mkl__regressor__C": C})
    # Knowing nothing, on the same folds by the same metric
    dummy = DummyClassifier() if samples.classes else DummyRegressor()
    nothing = cross_val_score(
        dummy, np.zeros((len(samples.y), 1)), samples.y, cv=folds, scoring=metric
    )
    scores = search.scores_[0]
    return _Choice(
        COSTS, len(folds), metric, scores.mean(axis=1), scores.std(axis=1), float(nothing.mean())
    )


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
        _print_choice(machine, choice, samples, report)
    if options.probabilities:
        n_folds = "" if options.cv is None else f" {options.cv}"
        report.say(
            f"Probabilities are calibrated by a logistic curve of decision values on{n_folds} "
            "held-out folds."
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


def _print_choice(machine: Any, choice: _Choice, samples: Samples, report: Report) -> None:
    """Say how C was chosen, and what that is worth."""
    report.say(
        f"C = {machine.C:g}, the best of {', '.join(f'{C:g}' for C in choice.costs)} in "
        f"{choice.n_folds}-fold cross-validation: {choice.metric} {choice.scores.max():.3f}. As "
        "the best of several it flatters; mkfusion compare tells what to expect."
    )
    nothing = "the majority class" if samples.classes else "the mean of the target"
    report.say(f"Knowing nothing, {nothing}, scores {choice.nothing:.3f} on the same folds.")
    report.say()
    report.table(
        ["C", choice.metric, "sd over folds", ""],
        [
            [f"{C:g}", f"{score:.3f}", f"{spread:.3f}", "chosen" if C == machine.C else ""]
            for C, score, spread in zip(choice.costs, choice.scores, choice.spreads, strict=True)
        ],
    )
    report.say(
        f"What is fitted is multiple kernel learning with p = {machine.p:g}, whichever method "
        "leads a comparison: if another one does, by more than its interval, use that one."
    )


def _describe(kernel: Any) -> str:
    """Return a kernel in few words, such as ``StandardScaler + RBFKernel``."""
    steps = [step for _, step in kernel.steps] if isinstance(kernel, Pipeline) else [kernel]
    names = [type(step).__name__ for step in steps]
    unseen = ("FunctionTransformer", "MeanFiller")
    return " + ".join(name for name in names if name not in unseen)
