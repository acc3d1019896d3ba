"""Survival as it was seen, by thirds of the risk that was predicted for samples not seen."""

from __future__ import annotations

from html import escape
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from scipy.stats import rankdata

from mkfusion._survival import kaplan_meier, kaplan_meier_interval, step_values
from mkfusion._types import Floats, Indices, Mask
from mkfusion.report._result import BEST_FUSION, BEST_SINGLE, Result
from mkfusion.report._svg import WIDTH, tick_text, ticks_of
from mkfusion.report._table import Table
from mkfusion.report._words import format_interval, format_number

BY_RISK = "Survival by predicted risk"
THIRDS = ("lowest", "middle", "highest")
_LEFT, _RIGHT, _LINE, _HEIGHT = 60, 12, 17, 200
_WIDTH = WIDTH - _LEFT - _RIGHT
# Table, sentence, pictures and JSON of one result show the same groups.
_KNOWN: WeakKeyDictionary[Result, dict[str, list[RiskGroup]]] = WeakKeyDictionary()


class RiskGroup(NamedTuple):
    """Samples of about the same predicted risk, and what became of them.

    Attributes
    ----------
    third : {"lowest", "middle", "highest"}
    n_samples, n_events : int
    times : ndarray of shape (n_times,)
        0, and when one of them had an event or was last seen.
    survival, low, high : ndarray of shape (n_times,)
        The Kaplan-Meier estimate from each of these times on, with its interval; NaN where all of
        them survive, or none.
    at_risk : ndarray of shape (n_times,)
        How many are followed up to each of these times.
    """

    third: str
    n_samples: int
    n_events: int
    times: Floats
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Indices

    @classmethod
    def of(cls, third: str, time: Floats, event: Mask, confidence_level: float) -> RiskGroup:
        """Return the group of samples with these times and events (n_samples,)."""
        times, survival = kaplan_meier(time, event)
        low, high = kaplan_meier_interval(time, event, confidence_level)
        times = np.append(0.0, times)
        at_risk = len(time) - np.searchsorted(np.sort(time), times)
        return cls(
            third,
            len(time),
            int(event.sum()),
            times,
            np.append(1.0, survival),
            np.append(np.nan, low),
            np.append(np.nan, high),
            at_risk,
        )

    def at(self, time: float) -> tuple[float, float, float, int]:
        """Return survival up to a time, its interval, and how many are followed up to it.

        Nothing is known of survival beyond the last of them, unless none is left.
        """
        at = np.array([time])
        found = [
            float(step_values(self.times, one, at, np.nan)[0])
            for one in (self.survival, self.low, self.high)
        ]
        if time > self.times[-1] and found[0] > 0.0:
            found = [np.nan] * 3
        followed = np.searchsorted(self.times, time)
        n = int(self.at_risk[followed]) if followed < len(self.times) else 0
        return found[0], found[1], found[2], n


def risk_thirds(rows: Indices, folds: Indices, risk: Floats) -> tuple[Indices, Indices]:
    """Cut samples into thirds of the risk that was predicted for them.

    Parameters
    ----------
    rows, folds : ndarray of shape (n_predictions,)
        Of which sample, by the model of which fold.
    risk : ndarray of shape (n_predictions,)

    Returns
    -------
    rows, thirds : ndarray of shape (n_samples,)
        Different samples, and 0, 1 or 2 for each.

    Notes
    -----
    Risks of models of different folds have no common scale: what counts is the rank among the test
    samples of the fold, of several predictions of a sample the mean.
    """
    share = np.empty(len(risk))
    for fold in np.unique(folds):
        there = folds == fold
        share[there] = (rankdata(risk[there]) - 0.5) / there.sum()
    found, place, counts = np.unique(rows, return_inverse=True, return_counts=True)
    mean = np.bincount(place, share) / counts
    cuts = np.quantile(mean, [1 / 3, 2 / 3])
    return found, (mean[:, np.newaxis] > cuts + 1e-9).sum(axis=1)


def risk_groups(result: Result) -> dict[str, list[RiskGroup]]:
    """Return the thirds of the two methods that reports tell of, the fusion above all.

    Parameters
    ----------
    result : Result

    Returns
    -------
    dict of str to list of RiskGroup
        By method; of no method whose risks are tied so that there are no three.
    """
    if result.conditions_.task != "survival":
        return {}
    if result not in _KNOWN:
        _KNOWN[result] = _grouped(result)
    return _KNOWN[result]


def _grouped(result: Result) -> dict[str, list[RiskGroup]]:
    conditions = result.conditions_
    found: dict[str, list[RiskGroup]] = {}
    for method in (BEST_FUSION, BEST_SINGLE):
        if method not in result.chosen_:
            continue
        told = result.predictions_.of(method)
        rows, thirds = risk_thirds(told.row, told.fold, told.prediction)
        if len(np.unique(thirds)) < len(THIRDS):
            continue
        time, event = (conditions.y[name][rows] for name in ("time", "event"))
        found[method] = [
            RiskGroup.of(name, time[thirds == k], event[thirds == k], 1 - conditions.alpha)
            for k, name in enumerate(THIRDS)
        ]
    return found


def _end(result: Result) -> float:
    """Return the last time at which survival is scored: beyond, few are followed."""
    times = result.conditions_.times
    assert times is not None
    return float(times[-1])


def _ticks(end: float) -> list[float]:
    """Return three to six round times, up to the last."""
    step = ticks_of(0.0, 0.75 * end)[1]
    return [float(tick) for tick in np.arange(0.0, end * (1.0 + 1e-9), step)]


def by_risk_table(result: Result) -> list[Table]:
    """Return the table of the thirds, if there are some."""
    groups = risk_groups(result)
    if not groups:
        return []
    ticks, rows = _ticks(_end(result)), []
    for method, thirds in groups.items():
        for one in thirds:
            cells = []
            for tick in ticks[1:]:
                alive, low, high, n = one.at(tick)
                interval = "" if np.isnan(low) else f" ({format_interval(low, high)})"
                cells.append(f"{format_number(alive)}{interval}; {n}")
            counts = [str(one.n_samples), str(one.n_events)]
            rows.append([f"{method}, {one.third} third", *counts, *cells])
    header = ["predicted risk", "samples", "events"]
    header += [f"up to {tick_text(tick, ticks)}" for tick in ticks[1:]]
    caption = (
        "Samples in thirds of the risk that was predicted for them when they were not seen, by "
        "their rank among the test samples of the fold. Shares that had no event (Kaplan-Meier) "
        f"with {1 - result.conditions_.alpha:.0%} intervals, which take the thirds as they are; "
        "then how many were still followed. Nothing was tested here."
    )
    return [Table(BY_RISK, caption, header, rows)]


def by_risk_sentence(result: Result) -> str:
    """Say how far apart the thirds are, of the fusion; "" if there are none."""
    groups = risk_groups(result).get(BEST_FUSION)
    if groups is None:
        return ""
    ticks = _ticks(_end(result))
    shares = {tick: [one.at(tick)[0] for one in groups] for tick in ticks[1:]}
    known = [tick for tick, told in shares.items() if not np.isnan(told).any()]
    if not known:
        return ""
    time = known[-1]
    first, _, last = (f"{share:.0%}" for share in shares[time])
    return (
        f"By the risk that the {BEST_FUSION} predicted for samples not seen, {first} of the lowest "
        f"third and {last} of the highest had no event up to {tick_text(time, ticks)} "
        "(Kaplan-Meier)."
    )


def by_risk_pictures(result: Result) -> list[tuple[str, str]]:
    """Return a picture of each method, with captions.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of (str, str)
        SVG, and text.
    """
    found = risk_groups(result)
    return [
        (
            _drawn(f"risk{k}", method, groups, _end(result)),
            f"Observed survival (Kaplan-Meier) by thirds of the risk that the {method} predicted "
            "for samples not seen, and how many of each were still followed. The further apart, "
            "the better the risk tells who has an event early.",
        )
        for k, (method, groups) in enumerate(found.items())
    ]


def _drawn(key: str, method: str, groups: list[RiskGroup], end: float) -> str:
    """Return the survival of each group over time, above the numbers at risk."""
    ticks = _ticks(end)
    top = _LINE * (len(groups) + 1) + 10
    bottom = top + _HEIGHT
    title = f"Observed survival by predicted risk, {method}"
    listed = "; ".join(
        f"{one.third} third: {one.n_events} events of {one.n_samples}, "
        f"{format_number(one.at(ticks[-1])[0])} without event up to {tick_text(ticks[-1], ticks)}"
        for one in groups
    )

    def x_of(time: float) -> float:
        return _LEFT + min(time, end) / end * _WIDTH

    def y_of(share: float) -> float:
        return bottom - share * _HEIGHT

    height = bottom + 58 + _LINE * len(groups)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{key}-title {key}-text">',
        f'<title id="{key}-title">{escape(title)}</title>',
        f'<desc id="{key}-text">{escape(listed)}.</desc>',
        f'<text class="label" x="{_LEFT}" y="13">{escape(method)}: thirds of predicted risk</text>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = y_of(share)
        parts += [
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text class="tick side" x="{_LEFT - 5}" y="{y + 4:.1f}">{share:g}</text>',
        ]
    for tick in ticks:
        x = x_of(tick)
        parts += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>',
            f'<text class="tick" x="{x:.1f}" y="{bottom + 15}">{tick_text(tick, ticks)}</text>',
        ]
    middle = top + _HEIGHT / 2
    parts += [
        f'<text class="tick" x="{_LEFT + _WIDTH / 2:.0f}" y="{bottom + 32}">time</text>',
        f'<text class="tick" x="11" y="{middle:.0f}" transform="rotate(-90 11 {middle:.0f})">'
        "share without event</text>",
        f'<text class="label" x="4" y="{bottom + 48}">still followed</text>',
    ]
    for k, one in enumerate(groups):
        legend, foot = _LINE * (k + 1) + 13, bottom + 48 + _LINE * (k + 1)
        parts += [
            f'<line class="line {one.third}" x1="{_LEFT}" x2="{_LEFT + 26}" y1="{legend - 4}" '
            f'y2="{legend - 4}"/>',
            f'<text class="label" x="{_LEFT + 32}" y="{legend}">{one.third}: {one.n_events} events '
            f"of {one.n_samples}</text>",
            f'<text class="tick side" x="{_LEFT - 14}" y="{foot}">{one.third}</text>',
        ]
        for tick in ticks:
            parts.append(
                f'<text class="tick" x="{x_of(tick):.1f}" y="{foot}">{one.at(tick)[3]}</text>'
            )
        steps = [(x_of(0.0), y_of(1.0))]
        for time, share in zip(one.times[1:], one.survival[1:], strict=True):
            steps.append((x_of(time), steps[-1][1]))
            if time > end:
                break
            steps.append((x_of(time), y_of(share)))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
        parts.append(f'<polyline class="line {one.third}" points="{line}"/>')
    return "\n".join([*parts, "</svg>"])
