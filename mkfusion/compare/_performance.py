"""How good the kept predictions are: of all samples, and of each subgroup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mkfusion._survival import HARRELL, UNO, Censoring, concordance, uno_concordance
from mkfusion._types import Floats, Mask
from mkfusion.compare._statistics import mean_interval
from mkfusion.compare._survival import FollowUp, brier_loss, fold_chances
from mkfusion.compare._survival_subgroups import IBS, of_some
from mkfusion.inspection import (
    ClassificationPerformance,
    Measure,
    RegressionPerformance,
    classification_performance,
    measures_frame,
    regression_performance,
    score_bounds,
)
from mkfusion.report import Conditions, KernelWeights, Predictions, Subgroup

# A loss, whose score with the minus is scikit-survival's.
_ENDS = {HARRELL: score_bounds(HARRELL), UNO: score_bounds(UNO), IBS: (0.0, np.inf)}
_NONE = Measure(*[np.nan] * len(Measure._fields))


class SurvivalPerformance(NamedTuple):
    """How good predicted risks and survival functions are; `FusionComparison.performance` tells.

    Attributes
    ----------
    measures : dict of str to Measure
        concordance_index_censored (Harrell's C), concordance_index_ipcw (Uno's C) and
        integrated_brier_score: means over folds, for risks of different models have no common
        scale, with the interval of the corrected resampled t-test. Knowing nothing is the
        Kaplan-Meier estimate.
    n_samples : int
    confidence_level : float

    See Also
    --------
    FusionComparison : Its `performance` makes one.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import compare_fusion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> time = np.exp(-X[:, 0] - X[:, 2])
    >>> y = np.array([(True, t) for t in time], dtype=[("event", bool), ("time", float)])
    >>> parts = [("one", [0, 1]), ("other", [2, 3])]
    >>> found = compare_fusion(X, y, parts, methods=["uniform"], cv=3, fast=True)
    >>> good = found.performance("uniform kernel sum").measures["concordance_index_censored"]
    >>> good.value > 0.8, good.nothing
    (True, 0.5)
    """

    measures: dict[str, Measure]
    n_samples: int
    confidence_level: float

    def to_frame(self) -> Any:
        """Return the measures as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame of shape (n_measures, 5)
            Columns value, low, high, nothing, best.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return measures_frame(self.measures)


Performance = ClassificationPerformance | RegressionPerformance | SurvivalPerformance


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
        Which samples, of classes and numbers; None is all.

    Returns
    -------
    ClassificationPerformance, RegressionPerformance or SurvivalPerformance
    """
    if conditions.task == "survival":
        return _of_survival(told, conditions)
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


def _of_survival(told: Predictions, conditions: Conditions) -> SurvivalPerformance:
    """Return how good risks and survival functions are, of the models of each fold."""
    y, times = conditions.y, conditions.times
    assert times is not None and told.probabilities is not None
    horizon = FollowUp.of(y).horizon
    found: dict[str, list[float]] = {name: [] for name in _ENDS}
    nothing = []
    for fold, (train, _) in enumerate(conditions.folds):
        there = told.fold == fold + 1
        seen, known, risk = y[told.row[there]], y[train], told.prediction[there]
        censoring = Censoring(known["time"], known["event"])
        time, event = seen["time"], seen["event"]
        found[HARRELL].append(concordance(time, event, risk))
        found[UNO].append(uno_concordance(time, event, risk, censoring, horizon))
        found[IBS].append(brier_loss(seen, told.probabilities[there], known, times))
        without = fold_chances(y, train, len(seen), times)
        nothing.append(brier_loss(seen, without, known, times))
    level = 1 - conditions.alpha
    measures = {}
    for name, values in found.items():
        mean, low, high = mean_interval(values, conditions.test_to_train, level, _ENDS[name])
        loss = name == IBS
        without_any = float(np.mean(nothing)) if loss else 0.5
        measures[name] = Measure(mean, low, high, without_any, 0.0 if loss else 1.0)
    return SurvivalPerformance(measures, len(np.unique(told.row)), level)


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
            if conditions.task == "survival":
                found.append(Subgroup(grouping.name, label, n, *of_some(told, conditions, among)))
                continue
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
        _over_folds(method, weights)
        for method, weights in by_method.items()
        if all(one is not None for one in weights)
    ]


def _over_folds(method: str, weights: list[Floats]) -> KernelWeights:
    shares = [np.nanmean(one.reshape(-1, one.shape[-1]), axis=0) for one in weights]
    by_fold = np.array([one / one.sum() for one in shares])
    own = all(one.ndim == 2 for one in weights)
    return KernelWeights(method, by_fold, np.array(weights) if own else None)


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
        Of survival, measures that a subgroup does not have are NaN, and `refused` says why.
    """
    rows = []
    for one in result.summary_:
        for part in result.subgroups(one.method):
            where = {
                "method": one.method,
                "grouping": part.grouping,
                "subgroup": part.label,
                "n_samples": part.n_samples,
            }
            measures: Mapping[str, Measure] = part.measures
            if part.n_events is not None:
                where |= {"n_events": part.n_events, "refused": part.refused}
                measures = {name: part.measures.get(name, _NONE) for name in _ENDS}
            rows += [
                where | {"measure": name} | measure._asdict() for name, measure in measures.items()
            ]
    return rows


def weights_records(result: Any) -> list[dict[str, Any]]:
    """Return a row for each method, fold and modality, and class where these have their own.

    Parameters
    ----------
    result : FusionComparison

    Returns
    -------
    list of dict
    """
    names = [one.name for one in result.conditions_.modalities]
    own = any(one.by_class is not None for one in result.weights_)
    rows = []
    for one in result.weights_:
        of_all = one.by_class is None
        labels = [None] if of_all else np.unique(result.conditions_.y).tolist()
        stacked = one.by_fold[:, np.newaxis] if of_all else one.by_class
        for (fold, u, k), share in np.ndenumerate(stacked):
            if np.isnan(share):  # no training sample of the fold is of the class
                continue
            where = {"method": one.method, "fold": fold + 1, "modality": names[k]}
            of_class = {"class": labels[u]} if own else {}
            rows.append(where | of_class | {"weight": float(share)})
    return rows
