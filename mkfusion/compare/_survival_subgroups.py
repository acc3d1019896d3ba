"""How good predicted risks and survival functions are for some of the samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mkfusion._survival import (
    HARRELL,
    UNO,
    Censoring,
    brier_scores,
    integrated_brier,
    pair_sums,
    uno_weights,
)
from mkfusion._types import Floats, Indices, Mask
from mkfusion.compare._survival import FollowUp, fold_chances
from mkfusion.inspection import Measure, Sampling, concordance_estimate
from mkfusion.report import Conditions, Predictions

IBS = "integrated_brier_score"
# With fewer events intervals of concordance are too short.
LEAST_EVENTS = 5


class OfSome(NamedTuple):
    """How good predictions of survival are for some of the samples.

    Attributes
    ----------
    measures : dict of str to Measure
        Those that there are.
    n_events : int
        How many of the samples had an event.
    refused : str
        Why there are no measures, or not all; else empty.
    """

    measures: dict[str, Measure]
    n_events: int
    refused: str


def of_some(told: Predictions, conditions: Conditions, among: Mask) -> OfSome:
    """Return how good the predictions of survival of one method are for some of the samples.

    Parameters
    ----------
    told : Predictions
        Of one method.
    conditions : Conditions
    among : ndarray of shape (n_samples,)
        Which samples, all of them predicted.

    Returns
    -------
    OfSome
        Harrell's and Uno's C of all pairs of which both are in one test fold, for risks of
        different models have no common scale, and the mean of each sample's part of the integrated
        Brier score.
    """
    y, times = conditions.y, conditions.times
    n_events = int(np.count_nonzero(y["event"][among]))
    if n_events < LEAST_EVENTS:
        had = f"{n_events} event{'' if n_events == 1 else 's'}"
        return OfSome({}, n_events, f"{had}; expected at least {LEAST_EVENTS}")
    assert times is not None and told.probabilities is not None
    horizon = FollowUp.of(y).horizon
    rows: list[Indices] = []
    losses: list[Floats] = []
    nothing: list[Floats] = []
    pairs: dict[str, list[tuple[Floats, Floats]]] = {HARRELL: [], UNO: []}
    for fold, (train, _) in enumerate(conditions.folds):
        there = (told.fold == fold + 1) & among[told.row]
        seen, known, risk = y[told.row[there]], y[train], told.prediction[there]
        time, event = seen["time"], seen["event"]
        censoring = Censoring(known["time"], known["event"])
        weights = uno_weights(time, event, censoring, horizon)
        pairs[HARRELL].append(pair_sums(time, event, risk))
        pairs[UNO].append(pair_sums(time, event, risk, weights))
        rows.append(told.row[there])
        without = fold_chances(y, train, len(seen), times)
        for chances, found in ((told.probabilities[there], losses), (without, nothing)):
            scores = brier_scores(time, event, chances, times, censoring)
            found.append(integrated_brier(scores, times))
    row = np.concatenate(rows)
    n_train = float(np.mean([len(train) for train, _ in conditions.folds]))
    groups = None if conditions.groups is None else conditions.groups[row]
    factor = 1.0 + np.count_nonzero(among) / n_train
    sampling = Sampling(row, groups, factor, 1 - conditions.alpha)
    measures = {}
    for name, sums in pairs.items():
        in_order, total = (np.concatenate(one) for one in zip(*sums, strict=True))
        estimate = concordance_estimate(sampling, in_order, total, y["event"][row])
        if not np.isnan(estimate.value):
            measures[name] = Measure(*estimate, 0.5, 1.0)
    share = sampling.weights / sampling.weights.sum()
    loss = np.concatenate(losses)
    mean, of_none = float(share @ loss), float(share @ np.concatenate(nothing))
    interval = sampling.positive(mean, (loss - mean) / sampling.weights.sum())
    measures[IBS] = Measure(*interval, of_none, 0.0)
    refused = "" if len(measures) == 3 else "no two samples of one test fold can be compared"
    return OfSome(measures, n_events, refused)
