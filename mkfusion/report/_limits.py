"""What limits the conclusions, as far as the comparison itself knows it."""

from __future__ import annotations

import numpy as np

from mkfusion.report._held_out import subgroups_of
from mkfusion.report._result import Result

# Of the rarer class: fewer leave calibration and discrimination uncertain.
_FEW_EVENTS = 100
_FEW_SAMPLES = 200
_FEW_GROUPS = 40
_SMALL_SUBGROUP = 30
_UNEVEN = 0.1
# What a sentence names.
_MOST_NAMED = 5

EVENTS_REFERENCE = (
    "Collins, Ogundimu and Altman. Sample size considerations for the external validation of a "
    "multivariable prognostic model: a resampling study. Statistics in Medicine 35 (2016) 214–226."
)


def limitations(result: Result) -> list[str]:
    """Return what limits the conclusions, a sentence or two for each.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of str
    """
    return [*_of_design(result), *_of_data(result), *_of_methods(result)]


def _of_design(result: Result) -> list[str]:
    conditions = result.conditions_
    ordered = "TimeSeriesSplit" in conditions.outer
    said = [
        "No external validation: all figures are of one data set, "
        + (
            "tested on its own later part."
            if ordered
            else "by cross-validation. Other places and later times may differ."
        )
    ]
    if conditions.n_groups is None:
        said.append(
            "No groups were given. If some samples are of the same subject, session or site, what "
            "is known of one helps to predict another, and all figures are too good."
        )
    elif conditions.n_groups < _FEW_GROUPS:
        said.append(
            f"{conditions.n_groups} groups are few: how much they differ is hardly known, and "
            "intervals rest on it."
        )
    if max(conditions.repeats, default=1) == 1 and not ordered:
        said.append(
            f"The {len(conditions.folds)} folds were drawn once. Drawn again they would give "
            "somewhat different figures."
        )
    if conditions.fast:
        said.append("The comparison was a fast one: fewer folds and fewer values were tried.")
    return said


def _of_data(result: Result) -> list[str]:
    conditions = result.conditions_
    n, said = len(conditions.y), []
    if conditions.task == "classification":
        labels, counts = np.unique(conditions.y, return_counts=True)
        rarest, least = labels[counts.argmin()], int(counts.min())
        if least < _FEW_EVENTS:
            said.append(
                f"The rarest class, {rarest}, has {least} samples. Fewer than {_FEW_EVENTS} leave "
                "calibration and areas under curves uncertain (Collins, Ogundimu and Altman, 2016)."
            )
        if least < _UNEVEN * n:
            said.append(
                f"Class {rarest} is {least / n:.1%} of the samples. Accuracy says little of it: "
                f"always the commonest class is right for {counts.max() / n:.1%}."
            )
    elif conditions.task == "survival":
        events = int(conditions.y["event"].sum())
        if events < _FEW_EVENTS:
            said.append(
                f"{events} of {n} samples had an event. Fewer than {_FEW_EVENTS} leave indices of "
                "concordance and calibration uncertain (Collins, Ogundimu and Altman, 2016)."
            )
    elif n < _FEW_SAMPLES:
        said.append(
            f"{n} samples are few for estimates of calibration and of R²: look at the intervals."
        )
    lacking = [one for one in conditions.modalities if one.n_missing]
    if lacking:
        shares = ", ".join(f"{one.name} {one.n_missing / n:.0%}" for one in lacking)
        said.append(
            f"Some samples lack modalities: {shares}. If who lacks one differs in the target, a "
            "gain may come from that, and not from what it says."
        )
    named = any(one.name != "missing modalities" for one in conditions.groupings)
    if not named:
        said.append(
            "No subgroups were named: performance may differ between sexes, sites or the like."
        )
    small = [
        f"{part.grouping} {part.label} ({part.n_samples})"
        for part in subgroups_of(result)
        if part.n_samples < _SMALL_SUBGROUP
    ]
    if small:
        said.append(f"Subgroups of fewer than {_SMALL_SUBGROUP} samples: {_listed(small)}.")
    return said


def _of_methods(result: Result) -> list[str]:
    conditions = result.conditions_
    said = [
        "Each modality has one kernel of fixed kind, and each method few values to choose from: "
        "others may do better."
    ]
    if conditions.task == "classification":
        said.append(
            "Methods without probabilities of their own have them from their decision values, by "
            "a sigmoid (of more than two classes a softmax) that was fitted within the training "
            "samples."
        )
    late = {one.method: one.n_unconverged for one in result.summary_ if one.n_unconverged}
    late = {name: count for name, count in late.items() if name not in result.chosen_}
    if late:
        listed = _listed([f"{name} ({count})" for name, count in late.items()])
        said.append(f"Fits that stopped before their tolerance: {listed}.")
    if result.not_applicable_:
        listed = _listed(list(result.not_applicable_))
        said.append(f"Not compared, as these data are not for them: {listed}.")
    return said


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
