"""``mkfusion compare``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, TimeSeriesSplit

import mkfusion.compare
from mkfusion import MissingCellsWarning, UnknownCategoriesWarning
from mkfusion.cli._audit import say_before
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
from mkfusion.compare import FAST_FOLDS, FOLDS, METHODS, outer_splitter
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
    metrics = options.metric and check_metrics(options.metric, samples.classes, samples.y)
    kernels = kernels_of_words(options.kernel, samples.kinds)
    cv = _folds(options, samples)
    alone = nullcontext() if options.jobs in (None, 1) else interrupts_end_here()
    with notes_for_warnings(MissingCellsWarning, UnknownCategoriesWarning):
        with as_usage_errors(TypeError, ValueError):
            plan = mkfusion.compare.plan_comparison(
                samples.X,
                samples.y,
                task="classification" if samples.classes else "regression",
                scoring=metrics,
                cv=cv,
                groups=samples.groups,
                batch=samples.batch,
                ids=samples.names,
                aside=samples.unused,
                kernels=kernels,
                methods=methods,
                fast=options.fast,
                random_state=options.seed,
                memory=options.resume,
            )
        found = cast("DataAudit", plan.conditions.audit).with_findings(samples.findings)
        plan = plan._replace(conditions=plan.conditions._replace(audit=found))
        say_before(found)
        with as_usage_errors(mkfusion.compare.NothingToCompareError), alone:
            comparison = mkfusion.compare.run_comparison(plan, options.jobs)
    for method, reason in comparison.not_applicable_.items():
        if not reason.startswith("fold "):  # these have warned
            note(f"{method} is not applicable: {reason}")
    if options.output is not None:
        _write(comparison, options.output)
    report = Report()
    print_comparison(comparison, report)
    if options.output is not None:
        report.path("Report written to", options.output)


def _folds(options: argparse.Namespace, samples: Samples) -> Any:
    """Return a splitter, or a number of folds for compare_fusion to make one of."""
    if options.repeats > 1:
        for option in ("time_ordered", "groups"):
            if getattr(options, option):
                raise UsageError(
                    f"--repeats draws folds anew, and --{option.replace('_', '-')} says how they "
                    "are: choose one"
                )
        drawn = outer_splitter(
            options.cv, samples.y, None, samples.classes, options.seed, options.fast
        ).how.n_splits
        repeated = RepeatedStratifiedKFold if samples.classes else RepeatedKFold
        return repeated(n_splits=drawn, n_repeats=options.repeats, random_state=options.seed)
    if options.time_ordered:
        return TimeSeriesSplit(options.cv or (FAST_FOLDS if options.fast else FOLDS))
    return options.cv


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
