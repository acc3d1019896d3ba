"""``mkfusion fit``."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ColumnKernelizer,
    MissingCellsWarning,
    MissingModalityWarning,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    MKLRegressorCV,
    MKLSurvivalAnalysis,
    UnknownCategoriesWarning,
)
from mkfusion._survival import BRIER
from mkfusion._types import Floats, Indices
from mkfusion.cli._console import Report
from mkfusion.cli._errors import UsageError, as_usage_errors, note, notes_for_warnings
from mkfusion.cli._kernels import kernels_of_words
from mkfusion.cli._kinds import Kind
from mkfusion.cli._metrics import check_metrics
from mkfusion.cli._model import Curves, Model, save_model
from mkfusion.cli._samples import Samples, load_samples
from mkfusion.cli._survival import check_survival_metrics
from mkfusion.compare import (
    COX_COSTS,
    FOLDS,
    FollowUp,
    KaplanMeier,
    outer_splitter,
    survival_scorers,
)
from mkfusion.kernels import MeanFiller, SumKernel, kernel_label

# Values of C that are tried of proportional hazards.
_N_COX_COSTS = 7
# What the warning advises otherwise is for Python.
_FEW_LACK = (
    "few of these samples lack a modality: new ones that do are likely to be predicted worse than "
    "by a model that was fitted without it (leave out its file, or --exclude its columns)"
)


class _Choice(NamedTuple):
    """How C was chosen.

    Attributes
    ----------
    costs : ndarray of shape (n_costs,)
        Among which.
    n_folds : int
    metric : str
    scores : ndarray of shape (n_costs,)
        Means over the folds.
    spreads : ndarray of shape (n_costs,)
        Standard deviations over the folds.
    nothing : float
        Mean score of the frequencies of the classes, or of the mean of the target.
    """

    costs: Floats
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
    instead: dict[type[Warning], str] = {MissingModalityWarning: _FEW_LACK}
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning, instead=instead):
        with as_usage_errors(TypeError, ValueError):
            kernels = _kernels(samples.X, keeps, own)
        pipeline = _pipeline(kernels, keeps, samples, options)
        choice = curves = None
        if options.C is None or options.probabilities:
            folds = _folds(samples, options)
            if samples.survival:
                choice = _choose_of_survival(pipeline, samples, folds, options)
            else:
                choice, curves = _choose(pipeline, samples, folds, options)
        with as_usage_errors(ValueError):
            pipeline.fit(samples.X, samples.y)
        if samples.classes:
            _note_if_constant(pipeline.predict(samples.X))
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
        Model(
            pipeline,
            kinds,
            takes_gaps,
            keeps,
            options.target,
            samples.id,
            curves,
            options.id_regex,
        ),
        options.output,
    )
    _print(pipeline, samples, choice, curves, options)


def _check(options: argparse.Namespace, samples: Samples) -> None:
    """Refuse options that are not for this target, or not for each other."""
    if not samples.classes:
        for option, given in (
            ("--class-weight balanced", options.class_weight != "none"),
            ("--probabilities", options.probabilities),
            ("--per-class-weights", options.per_class_weights),
        ):
            if given:
                what = "--time is no class" if samples.survival else "--target is a quantity"
                raise UsageError(f"{option} is for classes, and {what}")
    elif options.per_class_weights and len(np.unique(samples.y)) < 3:
        raise UsageError(
            f"--per-class-weights is for three classes or more, and {options.target!r} has two, "
            "which one weighting tells apart"
        )
    if options.probabilities and options.time_ordered:
        raise UsageError(
            "--probabilities is calibrated on folds that hold out every sample once, and "
            "--time-ordered holds out the later ones only: choose one"
        )
    if options.metric is not None:
        if options.C is not None:
            raise UsageError("--metric is what C is chosen by, and --C gives it: choose one")
        if samples.survival:
            check_survival_metrics([options.metric])
            return
        check_metrics([options.metric], samples.classes, samples.y)


def _pipeline(
    kernels: dict[str, Any], keeps: bool, samples: Samples, options: argparse.Namespace
) -> Pipeline:
    """Return what is to be fitted."""
    C, p = options.C or 1.0, options.p
    model: Any
    if samples.survival:
        model = MKLSurvivalAnalysis(C=C, p=p)
    elif samples.classes:
        weight = None if options.class_weight == "none" else options.class_weight
        model = MKLClassifier(
            C=C, p=p, class_weight=weight, per_class_weights=options.per_class_weights
        )
    else:
        # C then means the same in any unit; of C that is chosen it is what MKLRegressorCV fits.
        machine = MKLRegressor(C=C, p=p, loss="squared_error")
        model = TransformedTargetRegressor(machine, transformer=StandardScaler())
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
            cv,
            samples.strata,
            samples.groups,
            samples.classes,
            options.seed,
            fast=True,
            survival=samples.survival,
        ).split()
    return [(fold.train, fold.test) for fold in folds]


def _choose(
    pipeline: Pipeline, samples: Samples, folds: Any, options: argparse.Namespace
) -> tuple[_Choice | None, Curves | None]:
    """Set C to what cross-validation chooses, unless it is given; kernels are computed once.

    The curves of probabilities, if these are asked for, are of what the same folds hold out.
    """
    metric = options.metric or ("neg_log_loss" if samples.classes else "r2")
    given = {"ps": options.p, "cv": folds, "scoring": metric, "refit": False}
    if options.C is not None:
        given["Cs"] = [options.C]
    search: Any
    if samples.classes:
        machine = pipeline["mkl"]
        search = MKLClassifierCV(
            class_weight=machine.class_weight,
            per_class_weights=machine.per_class_weights,
            **given,
        )
    else:
        search = MKLRegressorCV(**given)
    with as_usage_errors(ValueError):  # the data of a fold, that an estimator refuses
        kernels = clone(pipeline["kernels"]).fit_transform(samples.X)
        search.fit(kernels, samples.y)
    curves = Curves.of(search.calibration_) if options.probabilities else None
    if options.C is not None:
        return None, curves
    C = search.C_
    pipeline.set_params(**{"mkl__C" if samples.classes else "mkl__regressor__C": C})
    # Knowing nothing, on the same folds by the same metric
    dummy = DummyClassifier() if samples.classes else DummyRegressor()
    nothing = cross_val_score(
        dummy, np.zeros((len(samples.y), 1)), samples.y, cv=folds, scoring=metric
    )
    scores = search.scores_[0]
    choice = _Choice(
        search.Cs_,
        len(folds),
        metric,
        scores.mean(axis=1),
        scores.std(axis=1),
        float(nothing.mean()),
    )
    return choice, curves


def _choose_of_survival(
    pipeline: Pipeline, samples: Samples, folds: Any, options: argparse.Namespace
) -> _Choice:
    """Set C of proportional hazards to what cross-validation chooses."""
    metric = options.metric or BRIER
    costs = np.geomspace(COX_COSTS[0], COX_COSTS[-1], _N_COX_COSTS)
    scores = np.empty((len(costs), len(folds)))
    nothing = np.empty(len(folds))
    with as_usage_errors(ValueError):
        (scorer,) = survival_scorers(metric, FollowUp.of(samples.y)).values()
        kernels = clone(pipeline["kernels"]).fit_transform(samples.X)
        for k, (train, test) in enumerate(folds):
            y, known = samples.y[test], samples.y[train]
            some, rest = kernels[np.ix_(train, train)], kernels[np.ix_(test, train)]
            for j, C in enumerate(costs):
                model = MKLSurvivalAnalysis(C=C, p=options.p).fit(some, known)
                scores[j, k] = scorer(model, rest, y, known)
            nothing[k] = scorer(KaplanMeier().fit(known, known), y, y, known)
    scores = scores[:, ~np.isnan(scores).any(axis=0)]  # folds on which no two can be compared
    if not scores.size:
        raise UsageError(f"no fold has samples whose {metric} can be told: take fewer, by --cv")
    pipeline.set_params(mkl__C=float(costs[scores.mean(axis=1).argmax()]))
    return _Choice(
        costs,
        len(folds),
        metric,
        scores.mean(axis=1),
        scores.std(axis=1),
        float(np.nanmean(nothing)),
    )


def _print(
    pipeline: Pipeline, samples: Any, choice: Any, curves: Any, options: argparse.Namespace
) -> None:
    """Print what was learned."""
    report = Report()
    machine = getattr(pipeline["mkl"], "regressor_", pipeline["mkl"])
    target = f"{len(machine.classes_)} classes" if samples.classes else "a quantity"
    if samples.survival:
        target = f"{int(samples.strata.sum())} events"
    report.say(
        f"{type(machine).__name__} of {options.target!r} ({target}) on {len(samples.X)} samples",
        "bold",
    )
    if choice is None:
        report.say(f"C = {machine.C:g}, as given")
    else:
        _print_choice(machine, choice, samples, report)
    if curves is not None:
        n_folds = "" if options.cv is None else f" {options.cv}"
        report.say(
            f"Probabilities are calibrated by {curves.words} of decision values on{n_folds} "
            "held-out folds, as those of MKLClassifierCV."
        )
    report.say()
    report.table(*_weights(pipeline["kernels"].kernels, machine, samples))
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


def _weights(kernels: Any, machine: Any, samples: Samples) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows of a table of kernel weights, of each class if it has its own."""
    header, rows = ["modality", "columns", "kernel"], []
    own = machine.weights_.ndim == 2
    labels = [[str(label)] for label in machine.classes_] if own else [[]]
    for (name, kernel, _), weights in zip(kernels, np.atleast_2d(machine.weights_).T, strict=True):
        first = [name, str(len(samples.kinds[name])), _describe(kernel)]
        for label, weight in zip(labels, weights, strict=True):
            rows.append([*first, *label, f"{weight:.3f}"])
            first = [""] * len(first)
    return [*header, *(["class"] if own else []), "weight"], rows


def _print_choice(machine: Any, choice: _Choice, samples: Samples, report: Report) -> None:
    """Say how C was chosen, and what that is worth."""
    report.say(
        f"C = {machine.C:.3g}, the best of {len(choice.costs)} from {choice.costs[0]:.3g} to "
        f"{choice.costs[-1]:.3g} in {choice.n_folds}-fold cross-validation: {choice.metric} "
        f"{choice.scores.max():.3f}. As the best of several it flatters; mkfusion compare tells "
        "what to expect."
    )
    nothing = "how frequent the classes are" if samples.classes else "the mean of the target"
    if samples.survival:
        nothing = "how many survive each time"
    report.say(f"Knowing only {nothing} scores {choice.nothing:.3f} on the same folds.")
    if samples.classes:
        labels, counts = np.unique(samples.y, return_counts=True)
        share = counts.max() / counts.sum()
        report.say(f"{share:.0%} of the samples are {labels[counts.argmax()]}.")
    report.say()
    report.table(
        ["C", choice.metric, "sd over folds", ""],
        [
            [f"{C:.3g}", f"{score:.3f}", f"{spread:.3f}", "chosen" if C == machine.C else ""]
            for C, score, spread in zip(choice.costs, choice.scores, choice.spreads, strict=True)
        ],
    )
    report.say(
        f"What is fitted is multiple kernel learning with p = {machine.p:g}, whichever method "
        "leads a comparison: if another one does, by more than its interval, use that one."
    )


def _note_if_constant(predicted: Any) -> None:
    """Say if one class is said for every sample."""
    said = np.unique(predicted)
    if len(said) == 1:
        note(
            f"the model says {said[0]} for every sample that it has learned from. "
            "--class-weight balanced gives every class the same say"
        )


def _describe(kernel: Any) -> str:
    """Return a kernel in few words, such as ``StandardScaler + RBFKernel``."""
    steps = [step for _, step in kernel.steps] if isinstance(kernel, Pipeline) else [kernel]
    names = [
        f"({kernel_label(step)})" if isinstance(step, SumKernel) else type(step).__name__
        for step in steps
    ]
    unseen = ("FunctionTransformer", "MeanFiller")
    return " + ".join(name for name in names if name not in unseen)
