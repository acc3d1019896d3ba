"""``mkfusion compare``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from sklearn.model_selection import TimeSeriesSplit

import mkfusion.compare
from mkfusion import MissingCellsWarning, UnknownCategoriesWarning
from mkfusion.cli._audit import say_before
from mkfusion.cli._cells import without_formulas
from mkfusion.cli._console import Report, print_comparison
from mkfusion.cli._errors import (
    UsageError,
    as_usage_errors,
    close_names,
    note,
    notes_for_warnings,
    output,
)
from mkfusion.cli._interrupts import interrupts_end_here
from mkfusion.cli._kernels import kernels_of_words
from mkfusion.cli._metrics import check_metrics
from mkfusion.cli._samples import Samples, load_samples
from mkfusion.cli._survival import check_survival_metrics
from mkfusion.compare import FOLDS, METHODS, REPEATS, repeated_folds
from mkfusion.inspection import DataAudit


def compare(options: argparse.Namespace) -> None:
    """Compare ways of fusing the modalities in some files.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    UsageError
        If the data or the options are not for it.
    """
    methods = _methods(options.methods)
    samples = load_samples(options, least=2)
    metrics = options.metric
    if metrics and samples.survival:
        metrics = check_survival_metrics(metrics)
    elif metrics:
        metrics = check_metrics(metrics, samples.classes, samples.y)
    kernels = kernels_of_words(options.kernel, samples.kinds)
    cv = _folds(options, samples)
    alone = nullcontext() if options.jobs in (None, 1) else interrupts_end_here()
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning):
        with as_usage_errors(TypeError, ValueError):
            plan = mkfusion.compare.plan_comparison(
                samples.X,
                samples.y,
                task=samples.task,
                scoring=metrics,
                cv=cv,
                groups=samples.groups,
                subgroups={name: one.to_numpy() for name, one in samples.subgroups.items()} or None,
                batch=samples.batch,
                ids=samples.names,
                aside=samples.unused,
                kernels=kernels,
                methods=methods,
                sesoi=options.sesoi,
                fast=options.fast,
                random_state=options.seed,
                memory=options.resume,
            )
        found = cast("DataAudit", plan.conditions.audit).with_findings(samples.findings)
        conditions = plan.conditions._replace(
            audit=found, call=options.command_line, ids=samples.ids
        )
        plan = plan._replace(conditions=conditions)
        say_before(found)
        with as_usage_errors(mkfusion.compare.NothingToCompareError), alone:
            comparison = mkfusion.compare.run_comparison(plan, options.jobs)
    for method, reason in comparison.not_applicable_.items():
        if not reason.startswith("fold "):  # these have warned
            note(f"{method} is not applicable: {reason}")
    if options.output is not None:
        _write(comparison, options.output)
    if options.json is not None:
        with output(options.json) as file:
            comparison.to_json(file)
    if options.predictions is not None:
        with output(options.predictions) as file:
            if file.suffix.lower() == ".csv":
                told = without_formulas(comparison.to_frame("predictions"))
                told.to_csv(file, index=False)
            else:
                comparison.to_predictions(file)
    report = Report()
    print_comparison(comparison, report)
    for what in ("output", "json", "predictions"):
        if getattr(options, what) is not None:
            name = "Report" if what == "output" else "Results" if what == "json" else "Predictions"
            report.path(f"{name} written to", getattr(options, what))


def _folds(options: argparse.Namespace, samples: Samples) -> Any:
    """Return a splitter, or a number of folds for compare_fusion to make one of."""
    if options.time_ordered:
        if options.repeats is not None:
            raise UsageError(
                "--repeats draws folds anew, and --time-ordered says how they are: choose one"
            )
        return TimeSeriesSplit(options.cv or FOLDS)
    repeats = options.repeats or (1 if options.fast else REPEATS)
    return repeated_folds(
        options.cv,
        repeats,
        samples.strata,
        samples.groups,
        samples.classes,
        options.seed,
        samples.survival,
    )


def _methods(asked: Sequence[str] | None) -> Any:
    """Return the methods to compare."""
    if asked is None or list(asked) == ["all"]:
        return "all"
    for name in asked:
        if name not in METHODS:
            raise UsageError(f"--methods {name!r} is no method; {close_names(name, METHODS)}")
    return list(dict.fromkeys(asked))


def _write(comparison: Any, path: Path) -> None:
    with output(path) as file:
        if path.suffix.lower() == ".md":
            file.write_text(comparison.to_markdown(), encoding="utf-8")
        else:
            comparison.to_html(file)
