"""Tables of how good the predictions are on samples that were not seen, and of kernel weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mkfusion._types import Floats
from mkfusion.report._result import (
    BEST_FUSION,
    BEST_SINGLE,
    Measure,
    Performance,
    Result,
    Subgroup,
)
from mkfusion.report._table import Table
from mkfusion.report._words import format_interval, format_number

PREDICTIONS = "How good the predictions are"
CONFUSION = "Which class is taken for which"
BY_CLASS = "Each class against the rest"
WEIGHTS = "Kernel weights"
WEIGHTS_BY_CLASS = "Kernel weights of each class"

WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "roc_auc": "area under the ROC curve",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "precision": "precision",
    "calibration_intercept": "calibration in the large",
    "calibration_slope": "calibration slope",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "concordance_index_censored": "Harrell's C",
    "concordance_index_ipcw": "Uno's C",
    "integrated_brier_score": "integrated Brier score",
}
_OF_NUMBERS = {"calibration_intercept": "mean error"}
# What tables of subgroups show, as far as there is.
_OF_SUBGROUPS = {
    "classification": ("accuracy", "roc_auc", "brier"),
    "regression": ("rmse", "r2", "calibration_intercept"),
    "survival": ("concordance_index_censored", "concordance_index_ipcw", "integrated_brier_score"),
}
# A larger confusion table is for those who look closely.
_MANY_CLASSES = 8


def format_measure(measure: Measure | None) -> str:
    """Return a value and its interval."""
    if measure is None or np.isnan(measure.value):
        return "–"
    if np.isnan(measure.low):
        return format_number(measure.value)
    return f"{format_number(measure.value)} ({format_interval(measure.low, measure.high)})"


def performances(result: Result) -> dict[str, Performance]:
    """Return how good the two methods are that reports tell of, the first above all."""
    there = [name for name in (BEST_FUSION, BEST_SINGLE) if name in result.chosen_]
    return {name: result.performance(name) for name in there}


def subgroups_of(result: Result) -> list[Subgroup]:
    """Return how good the best fusion method is for each subgroup."""
    return list(result.subgroups(BEST_FUSION)) if result.conditions_.groupings else []


def held_out_tables(result: Result) -> list[Table]:
    """Return the tables that are made of the kept predictions."""
    found = performances(result)
    if not found:
        return []
    made = [_measures(result, found)]
    if result.conditions_.task == "classification":
        main = found[BEST_FUSION]
        made.append(_confusion(result, main))
        if len(main.classes) > 2:
            made.append(_by_class(result, main))
    return [*made, *_subgroups(result)]


def _level(result: Result) -> str:
    return f"{1 - result.conditions_.alpha:.0%}"


def _measures(result: Result, found: Mapping[str, Performance]) -> Table:
    classes = result.conditions_.task == "classification"
    words = WORDS if classes else WORDS | _OF_NUMBERS
    first = next(iter(found.values())).measures
    rows = [
        [
            words[name],
            *(format_measure(one.measures.get(name)) for one in found.values()),
            format_number(measure.nothing),
            format_number(measure.best),
        ]
        for name, measure in first.items()
    ]
    if result.conditions_.task == "survival":
        caption = (
            f"Means over the folds with {_level(result)} intervals that allow for training on "
            "other samples: in what share of pairs who has the event earlier has the larger risk, "
            "without and with weights for censoring, and the squared error of predicted survival. "
            "Knowing nothing is the Kaplan-Meier estimate."
        )
        return Table(PREDICTIONS, caption, _header(found), rows)
    caption = (
        f"Of all predictions on samples that were not seen, with {_level(result)} intervals that "
        "allow for training on other samples. Knowing nothing is "
    )
    if classes:
        names = next(iter(found.values())).classes.tolist()
        caption += "the shares of the classes: of accuracy, that of the commonest one. "
        if len(names) == 2:
            caption += f"The positive class is {names[1]}. "
        caption += (
            "Calibration in the large above 0: probabilities are too low; a slope below 1: they "
            "are too extreme. Areas are of all folds together, whose models differ; those within "
            "each fold may be a little larger."
        )
    else:
        caption += (
            "the mean of the target (for absolute errors its median). The mean error is of target "
            "less prediction. A slope below 1: predictions are too extreme."
        )
    return Table(PREDICTIONS, caption, _header(found), rows)


def _header(found: Mapping[str, Performance]) -> list[str]:
    return ["measure", *found, "knowing nothing", "perfect"]


def _count(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _confusion(result: Result, found: Performance) -> Table:
    names = [str(name) for name in found.classes.tolist()]
    rows = [
        [
            name,
            *(_count(v) for v in counts),
            _count(counts.sum()),
            format_measure(one["sensitivity"]),
        ]
        for name, counts, one in zip(names, found.confusion, found.by_class, strict=True)
    ]
    precision = [format_measure(one["precision"]) for one in found.by_class]
    rows.append(["precision", *precision, "", ""])
    header = ["true class", *(f"called {name}" for name in names), "samples", "sensitivity"]
    repeated = max(result.conditions_.repeats, default=1) > 1
    caption = (
        f"Samples by true and predicted class, of the {BEST_FUSION}; with {_level(result)} "
        "intervals of the shares that are right."
        + (" Samples that were predicted several times count in parts." if repeated else "")
    )
    return Table(CONFUSION, caption, header, rows, long=len(names) > _MANY_CLASSES)


def _by_class(result: Result, found: Performance) -> Table:
    columns = [name for name in found.by_class[0] if name not in ("sensitivity", "precision")]
    counts = found.confusion.sum(axis=1)
    rows = [
        [str(name), _count(count), *(format_measure(one[column]) for column in columns)]
        for name, count, one in zip(found.classes.tolist(), counts, found.by_class, strict=True)
    ]
    caption = f"The {BEST_FUSION}, with {_level(result)} intervals, one class against all others."
    header = ["class", "samples", *(WORDS[name] for name in columns)]
    return Table(BY_CLASS, caption, header, rows) if columns else Table(BY_CLASS, "", ["class"], [])


def subgroup_title(grouping: str) -> str:
    """Return what the table of a grouping is called."""
    return f"By {grouping}"


def _subgroups(result: Result) -> list[Table]:
    conditions = result.conditions_
    if not conditions.groupings:
        return []
    names, survival = _OF_SUBGROUPS[conditions.task], conditions.task == "survival"
    words = WORDS if conditions.task == "classification" else WORDS | _OF_NUMBERS
    single = {
        (one.grouping, one.label): one
        for one in (result.subgroups(BEST_SINGLE) if BEST_SINGLE in result.chosen_ else [])
    }
    found = subgroups_of(result)
    there = [name for name in names if any(name in one.measures for one in found)]
    # Of concordance knowing nothing has one half everywhere.
    base = names[-1] if survival else names[0]
    made = []
    for grouping in conditions.groupings:
        rows, refused = [], []
        for one in found:
            if one.grouping != grouping.name:
                continue
            first = one.measures.get(base)
            other = single.get((one.grouping, one.label))
            rows.append(
                [
                    one.label,
                    str(one.n_samples),
                    *([str(one.n_events)] if survival else []),
                    *(format_measure(one.measures.get(name)) for name in there),
                    "–" if first is None else format_number(first.nothing),
                    format_measure(other.measures.get(names[0]) if other else None),
                ]
            )
            refused += [f"{one.label} ({one.refused})"] if one.refused else []
        nothing = "majority rate" if conditions.task == "classification" else "knowing nothing"
        header = [grouping.name, "samples", *(["events"] if survival else [])]
        header += [*(words[name] for name in there), nothing]
        header.append(f"{words[names[0]]}, {BEST_SINGLE}")
        caption = (
            f"The {BEST_FUSION} on the samples of each that were not seen, with {_level(result)} "
            "intervals. Nothing was trained or tuned for any of them, and differences were not "
            "tested: few samples differ by chance alone."
        )
        if survival:
            caption += (
                " Concordance is of all pairs of a subgroup that are in one test fold; knowing "
                "nothing is the Kaplan-Meier estimate, by its Brier score."
            )
        if refused:
            caption += f" Not told of {'; '.join(refused)}."
        made.append(Table(subgroup_title(grouping.name), caption, header, rows))
    return made


def weights_table(result: Result) -> Table | None:
    """Return the kernel weights that methods have learned, None if none has."""
    found = result.weights_
    if not found:
        return None
    shares: Sequence[Any] = (
        () if result.contributions_ is None else result.contributions_.modalities
    )
    values: dict[str, Any] = {one.modality: one for one in shares}
    header = ["modality", *(one.method for one in found)]
    header += ["Shapley value"] if shares else []
    rows = []
    for k, modality in enumerate(result.conditions_.modalities):
        row = [modality.name]
        for one in found:
            row.append(_over_folds(one.by_fold[:, k]))
        if shares:
            share = values[modality.name]
            spread = format_interval(share.low, share.high, sign=True)
            row.append(f"{format_number(share.mean, sign=True)} ({spread})")
        rows.append(row)
    caption = (
        "Each modality's share of the weights that were learned: mean over folds, and the least "
        "and the largest of them. A weight is not importance: it says how large a part of the "
        "function on the training samples lies in a kernel, not what the modality is worth on "
        "new ones" + ("; the Shapley value beside it, with its interval, does." if shares else ".")
    )
    return Table(WEIGHTS, caption, header, rows)


def class_weights_table(result: Result) -> Table | None:
    """Return the kernel weights of each class, None if no method has learned some."""
    own = {one.method: one.by_class for one in result.weights_ if one.by_class is not None}
    if not own:
        return None
    labels = [str(label) for label in np.unique(result.conditions_.y).tolist()]
    rows = [
        [modality.name, label, *(_over_folds(shares[:, u, k]) for shares in own.values())]
        for k, modality in enumerate(result.conditions_.modalities)
        for u, label in enumerate(labels)
    ]
    caption = (
        "Where each class is told from the others by weights of its own: shares of a class sum to "
        "one. Mean over folds that train on it, and the least and the largest of them."
    )
    return Table(WEIGHTS_BY_CLASS, caption, ["modality", "class", *own], rows)


def _over_folds(shares: Floats) -> str:
    shares = shares[~np.isnan(shares)]  # of a class, only folds that train on it
    if not shares.size:
        return "–"
    spread = format_interval(shares.min(), shares.max())
    return f"{format_number(shares.mean())} ({spread})"
