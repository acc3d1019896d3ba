"""``mkfusion compare``."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkfusion.cli._errors import (
    UsageError,
    as_usage_errors,
    close_names,
    need,
    note,
    notes_for_warnings,
)

if TYPE_CHECKING:
    from mkfusion.cli._console import Report
    from mkfusion.cli._samples import Samples


# Columns of the tests for which a terminal is too narrow.
_IN_REPORT_ONLY = ("standardised", "p")
_STYLES = {"fusion helps": "bold green", "hurts": "bold red"}


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
    need("mkfusion compare", "pandas")
    from mkfusion.cli._console import Report
    from mkfusion.cli._samples import load_samples
    from mkfusion.compare import compare_fusion

    methods = _methods(options.methods)
    samples = load_samples(options, least=2)
    metrics = _metrics(options.metric, samples.classes, samples.y)
    cv = _folds(options, samples)
    with notes_for_warnings(), as_usage_errors():
        comparison = compare_fusion(
            samples.X,
            samples.y,
            task="classification" if samples.classes else "regression",
            scoring=metrics,
            cv=cv,
            groups=samples.groups,
            methods=methods,
            fast=options.fast,
            random_state=options.seed,
            n_jobs=options.jobs,
            memory=options.resume,
        )
    for method, reason in comparison.not_applicable_.items():
        if not reason.startswith("fold "):  # these have warned
            note(f"{method} is not applicable: {reason}")
    if options.output is not None:
        _write(comparison, options.output)
    report = Report()
    _print(comparison, report)
    if options.output is not None:
        report.path("Report written to", options.output)


def _folds(options: argparse.Namespace, samples: Samples) -> Any:
    """Return a splitter, or a number of folds for compare_fusion to make one of."""
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, TimeSeriesSplit

    from mkfusion.compare._folds import FAST_FOLDS, FOLDS, outer_splitter

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
    from mkfusion.compare._methods import METHODS

    if asked is None or list(asked) == ["all"]:
        return "all"
    for name in asked:
        if name not in METHODS:
            raise UsageError(f"--methods {name!r} is no method; {close_names(name, METHODS)}")
    return list(dict.fromkeys(asked))


def _metrics(asked: Sequence[str] | None, classes: bool, y: Any) -> list[str] | None:
    """Return the metrics to score by, after a trial: a failure later would be of every fold."""
    if asked is None:
        return None
    import numpy as np
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import RidgeClassifier
    from sklearn.metrics import get_scorer, get_scorer_names

    # As with support vector machines, there are decision values and no probabilities.
    X = np.zeros((len(y), 1))
    model = (RidgeClassifier() if classes else DummyRegressor()).fit(X, y)
    for name in asked:
        if name not in get_scorer_names():
            raise UsageError(
                f"--metric {name!r} is no metric of scikit-learn; "
                f"{close_names(name, get_scorer_names())}"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                get_scorer(name)(model, X, y)
        except AttributeError as error:
            reason = "needs probabilities, which not all methods give"
            if not classes:
                reason = "is not for this target, a quantity: it is for classes"
            raise UsageError(f"--metric {name!r} {reason}") from error
        except (TypeError, ValueError) as error:
            kind = f"{len(np.unique(y))} classes" if classes else "a quantity"
            reason = str(error)
            if "pos_label" in reason:  # of which users of this program hear nothing else
                reason = "it must know which class is the positive one; write it as 1, the other 0"
            raise UsageError(
                f"--metric {name!r} is not for this target, {kind}: {reason}"
            ) from error
    return list(dict.fromkeys(asked))


def _write(comparison: Any, path: Path) -> None:
    from mkfusion.cli._tables import written_beside

    with written_beside(path) as file:
        if path.suffix.lower() == ".md":
            file.write_text(comparison.to_markdown(), encoding="utf-8")
        else:
            comparison.to_html(file)


def _print(comparison: Any, report: Report) -> None:
    """Print what was found, the scores and the tests."""
    from mkfusion.compare._tables import tables

    conditions = comparison.conditions_
    sizes = [f"{one.name} ({one.shape})" for one in conditions.modalities]
    report.say(f"{len(conditions.y)} samples of {len(sizes)} modalities: {', '.join(sizes)}")
    report.say()
    first, *rest = repr(comparison).splitlines()
    report.say(first, _STYLES.get(comparison.verdict_.verdict, "bold yellow"))
    for sentence in rest:
        report.say(sentence)
    for table in tables(comparison):
        scores = table.title == "Scores"
        if not scores and not table.title.startswith("Against "):
            continue
        shown = [k for k, name in enumerate(table.header) if scores or name not in _IN_REPORT_ONLY]
        report.say()
        report.say(table.title, "bold")
        report.table(
            [table.header[k] for k in shown], [[row[k] for k in shown] for row in table.rows]
        )
    report.say()
