"""How good the kept predictions are: of all samples, and of each subgroup."""

from __future__ import annotations

from typing import Any

import numpy as np

from mkfusion._types import Mask
from mkfusion.inspection import (
    ClassificationPerformance,
    RegressionPerformance,
    classification_performance,
    regression_performance,
)
from mkfusion.report import Conditions, KernelWeights, Predictions, Subgroup

Performance = ClassificationPerformance | RegressionPerformance


def performance_of(
    told: Predictions, conditions: Conditions, among: Mask | None = None
) -> Performance:
    """Return how good the predictions of one method are.

    Parameters
    ----------
    told : Predictions
        Of one method.
    conditions : Conditions
    among : ndarray of shape (n_samples,), default=None
        Which samples; None is all.

    Returns
    -------
    ClassificationPerformance or RegressionPerformance
    """
    kept = np.ones(len(told.row), dtype=bool) if among is None else among[told.row]
    rows = told.row[kept]
    given: dict[str, Any] = {
        "samples": rows,
        "groups": None if conditions.groups is None else conditions.groups[rows],
        "n_train": float(np.mean([len(train) for train, _ in conditions.folds])),
        "confidence_level": 1 - conditions.alpha,
    }
    y, predicted = told.y[kept], told.prediction[kept]
    if told.classes is None:
        return regression_performance(y, predicted, **given)
    chances = None if told.probabilities is None else told.probabilities[kept]
    if chances is not None and np.isnan(chances).any():
        chances = None  # on some fold there are none
    return classification_performance(y, predicted, chances, classes=told.classes, **given)


def by_subgroup(told: Predictions, conditions: Conditions) -> list[Subgroup]:
    """Return how good the predictions of one method are for each subgroup.

    Parameters
    ----------
    told : Predictions
        Of one method.
    conditions : Conditions

    Returns
    -------
    list of Subgroup
        In the order of `subgroups`, the patterns of missing modalities last.
    """
    found = []
    tested = np.zeros(len(conditions.y), dtype=bool)
    tested[told.row] = True
    for grouping in conditions.groupings:
        for k, label in enumerate(grouping.labels):
            among = tested & (grouping.codes == k)
            n = int(among.sum())
            measures = performance_of(told, conditions, among).measures if n > 1 else {}
            found.append(Subgroup(grouping.name, label, n, measures))
    return found


def weights_of(result: Any) -> list[KernelWeights]:
    """Return the kernel weights of every method that has learned some.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of KernelWeights
    """
    by_method: dict[str, list[Any]] = {}
    for score in result.results_:
        by_method.setdefault(score.method, []).append(score.weights)
    return [
        KernelWeights(method, np.array(weights))
        for method, weights in by_method.items()
        if all(one is not None for one in weights)
    ]


def performance_records(result: Any) -> list[dict[str, Any]]:
    """Return a row for each method and measure.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of dict
    """
    return [
        {"method": one.method, "measure": name, **measure._asdict()}
        for one in result.summary_
        for name, measure in result.performance(one.method).measures.items()
    ]


def confusion_records(result: Any) -> list[dict[str, Any]]:
    """Return a row for each method, class and predicted class.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of dict
        Empty for numbers.
    """
    rows: list[dict[str, Any]] = []
    for one in result.summary_ if result.conditions_.task == "classification" else []:
        found = result.performance(one.method)
        names = found.classes.tolist()
        rows += [
            {"method": one.method, "class": true, "predicted": told, "samples": float(count)}
            for true, counts in zip(names, found.confusion, strict=True)
            for told, count in zip(names, counts, strict=True)
        ]
    return rows


def subgroup_records(result: Any) -> list[dict[str, Any]]:
    """Return a row for each method, subgroup and measure.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of dict
    """
    return [
        {
            "method": one.method,
            "grouping": part.grouping,
            "subgroup": part.label,
            "n_samples": part.n_samples,
            "measure": name,
            **measure._asdict(),
        }
        for one in result.summary_
        for part in result.subgroups(one.method)
        for name, measure in part.measures.items()
    ]


def weights_records(result: Any) -> list[dict[str, Any]]:
    """Return a row for each method, fold and modality.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of dict
    """
    names = [one.name for one in result.conditions_.modalities]
    return [
        {"method": one.method, "fold": fold + 1, "modality": name, "weight": float(share)}
        for one in result.weights_
        for fold, shares in enumerate(one.by_fold)
        for name, share in zip(names, shares, strict=True)
    ]
