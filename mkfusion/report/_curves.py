"""Pictures of predictions on samples that were not seen: ROC curves, calibration and the like."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

import numpy as np

from mkfusion._types import Floats
from mkfusion.report._held_out import format_measure, performances
from mkfusion.report._result import BEST_FUSION, BEST_SINGLE, Performance, Predictions, Result
from mkfusion.report._svg import WIDTH, tick_text, ticks_of

_LEFT, _RIGHT, _BELOW, _LINE = 44, 12, 42, 17
_SIDE = WIDTH - _LEFT - _RIGHT
# Classes of report.css, by method and by class of the target.
_COLOURS = {BEST_FUSION: "fusion", BEST_SINGLE: "single"}
_OF_CLASSES = ("fusion", "single", "chosen", "helps", "lower", "baseline")
_LABEL_LENGTH = 44
_MOST_POINTS = 400


class _Curve(NamedTuple):
    """A line, with the band or the bars of its intervals.

    Attributes
    ----------
    label, number : str
        What it is of, and its measure; both may be empty.
    colour : str
    points : ndarray of shape (n_points, 4)
        x, y, and the interval of y.
    bars : bool
        Whether points have bars; else the line has a band.
    """

    label: str
    number: str
    colour: str
    points: Floats
    bars: bool = False


def held_out_pictures(result: Result) -> list[tuple[str, str]]:
    """Return pictures of how good predictions are, with captions.

    Parameters
    ----------
    result : Result

    Returns
    -------
    list of (str, str)
        SVG, and text.
    """
    found = performances(result)
    if not found or result.conditions_.task == "survival":
        return []
    if result.conditions_.task != "classification":
        return [_observed(result, found[BEST_FUSION])]
    if "log_loss" not in found[BEST_FUSION].measures:
        return []  # there are no probabilities
    return [_roc(found), _precision(found), _calibration(found)]


def _curves(found: Mapping[str, Performance], of: str, measure: str) -> list[_Curve]:
    """Return a curve of each method, or of each class where there are several."""
    main = found[BEST_FUSION]
    made = []
    if len(main.classes) == 2:
        for method, one in found.items():
            if measure in one.measures:
                number = format_measure(one.measures[measure])
                points = getattr(one, of)()[:, :4].copy()
                if method != BEST_FUSION:
                    points[:, 2:] = np.nan  # intervals of both would cover each other
                bars = of == "calibration_curve"
                made.append(_Curve(method, number, _COLOURS[method], points, bars))
        return made
    for c, (name, measures) in enumerate(zip(main.classes.tolist(), main.by_class, strict=True)):
        if np.isnan(measures["roc_auc"].value):
            continue
        points = getattr(main, of)(name)[:, :4].copy()
        points[:, 2:] = np.nan
        if _crowded(main):
            made.append(_Curve("", "", "fusion thin", points))
        else:
            number = format_measure(measures[measure])
            made.append(_Curve(str(name), number, _OF_CLASSES[c], points))
    return made


def _crowded(main: Performance) -> bool:
    """Whether there are more classes than colours."""
    return len(main.classes) > len(_OF_CLASSES)


def _who(found: Mapping[str, Performance]) -> str:
    many = len(found[BEST_FUSION].classes) > 2
    return f" of each class, {BEST_FUSION}" if many else ""


def _roc(found: Mapping[str, Performance]) -> tuple[str, str]:
    picture = _panel(
        "roc",
        f"ROC curve{_who(found)}",
        "called so of the others",
        "found of the class",
        _curves(found, "roc_curve", "roc_auc"),
        diagonal=True,
    )
    caption = (
        "ROC curve: how many of the class are found, and how many others are called so, at every "
        f"threshold{_who(found)}. {_numbers(found, 'areas under the curves')}"
        f"{_banded(found)}. Dashed: knowing nothing."
    )
    return picture, caption


def _precision(found: Mapping[str, Performance]) -> tuple[str, str]:
    picture = _panel(
        "precision",
        f"Precision and recall{_who(found)}",
        "found of the class (recall)",
        "right of those called so (precision)",
        _curves(found, "precision_recall_curve", "average_precision"),
    )
    caption = (
        f"Precision and recall at every threshold{_who(found)}. "
        f"{_numbers(found, 'average precisions')}{_banded(found)}. Knowing nothing has the share "
        "of the class."
    )
    return picture, caption


def _calibration(found: Mapping[str, Performance]) -> tuple[str, str]:
    picture = _panel(
        "calibration",
        f"Calibration curve{_who(found)}",
        "predicted probability",
        "share that is of the class",
        _curves(found, "calibration_curve", "calibration_slope"),
        diagonal=True,
    )
    bars = "; bars are intervals of the first" if len(found[BEST_FUSION].classes) == 2 else ""
    caption = (
        f"Calibration{_who(found)}: how often the class occurred where its probability was about "
        f"so much, in groups of equal size{bars}. {_numbers(found, 'calibration slopes')}. "
        "Dashed: as often as predicted."
    )
    return picture, caption


def _numbers(found: Mapping[str, Performance], what: str) -> str:
    if _crowded(found[BEST_FUSION]):
        return f"Lines are classes, whose {what} are in the tables below"
    return f"Numbers are {what}"


def _banded(found: Mapping[str, Performance]) -> str:
    return (
        ", the band the interval of the first at each threshold"
        if len(found[BEST_FUSION].classes) == 2
        else ""
    )


def _observed(result: Result, main: Performance) -> tuple[str, str]:
    """Return predictions and what was observed."""
    told = result.predictions_.of(BEST_FUSION)
    scatter = _by_sample(told)
    curve = main.calibration_curve()[:, :4]
    slope = format_measure(main.measures["calibration_slope"])
    picture = _panel(
        "observed",
        "Predicted and observed numbers",
        "predicted",
        "observed",
        [_Curve(BEST_FUSION, slope, "fusion", curve, bars=True)],
        diagonal=True,
        scatter=scatter,
    )
    caption = (
        f"Predicted and observed, {BEST_FUSION}: small points are samples"
        + (f" ({len(scatter)} of them)" if len(scatter) < len(np.unique(told.row)) else "")
        + ", squares means of groups of equal size with intervals. The number is the calibration "
        "slope. Dashed: as predicted."
    )
    return picture, caption


def _by_sample(told: Predictions) -> Floats:
    """Return the mean prediction of each sample and its number (n, 2), of some if they are many."""
    rows, place, counts = np.unique(told.row, return_inverse=True, return_counts=True)
    mean = np.bincount(place, told.prediction) / counts
    first = np.zeros(len(rows), dtype=np.intp)
    first[place] = np.arange(len(place))
    pairs = np.column_stack([mean, told.y[first]]).astype(np.float64)
    step = -(-len(pairs) // _MOST_POINTS)
    return pairs[::step]


def _panel(
    key: str,
    title: str,
    x_label: str,
    y_label: str,
    curves: list[_Curve],
    *,
    diagonal: bool = False,
    scatter: Floats | None = None,
) -> str:
    """Return a square picture: both axes alike, with a line for each curve above it."""
    ticks = _ticks(curves, scatter)
    low, high = ticks[0], ticks[-1]
    named = [one for one in curves if one.label]
    top = _LINE * len(named) + 8
    bottom = top + _SIDE

    def at(x: Any, y: Any) -> tuple[str, str]:
        place = (np.clip([x, y], low, high) - low) / (high - low) * _SIDE
        return f"{_LEFT + place[0]:.1f}", f"{bottom - place[1]:.1f}"

    listed = "; ".join(f"{one.label}: {one.number}" for one in named) or "A line for each class"
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {bottom + _BELOW}" role="img" '
        f'aria-labelledby="{key}-title {key}-text">',
        f'<title id="{key}-title">{escape(title)}</title>',
        f'<desc id="{key}-text">{escape(f"{y_label} by {x_label}. {listed}.")}</desc>',
    ]
    for k, one in enumerate(named):
        line = _LINE * k + 13
        parts += [
            f'<line class="line {one.colour}" x1="{_LEFT}" x2="{_LEFT + 18}" y1="{line - 4}" '
            f'y2="{line - 4}"/>',
            f'<text class="label" x="{_LEFT + 24}" y="{line}">{escape(_short(one))}</text>',
        ]
    for tick in ticks:
        (x, y), text = at(tick, tick), tick_text(tick, ticks)
        parts += [
            f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>',
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y}" y2="{y}"/>',
            f'<text class="tick" x="{x}" y="{bottom + 15}">{text}</text>',
            f'<text class="tick side" x="{_LEFT - 5}" y="{float(y) + 4:.1f}">{text}</text>',
        ]
    centre, middle = _LEFT + _SIDE / 2, top + _SIDE / 2
    parts += [
        f'<text class="tick" x="{centre:.0f}" y="{bottom + 34}">{escape(x_label)}</text>',
        f'<text class="tick" x="11" y="{middle:.0f}" transform="rotate(-90 11 {middle:.0f})">'
        f"{escape(y_label)}</text>",
    ]
    if diagonal:
        (x1, y1), (x2, y2) = at(low, low), at(high, high)
        parts.append(f'<line class="nothing" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>')
    for x, y in [] if scatter is None else [at(*pair) for pair in scatter]:
        parts.append(f'<circle class="point" cx="{x}" cy="{y}" r="1.6"/>')
    # The first curve is what matters, and lies above the others.
    for one in reversed(curves):
        parts += _drawn(one, at)
    return "\n".join([*parts, "</svg>"])


def _drawn(curve: _Curve, at: Any) -> list[str]:
    """Return the line of a curve, and its intervals."""
    points, colour = curve.points, curve.colour
    line = " ".join(",".join(at(x, y)) for x, y, _, _ in points)
    known = points[np.isfinite(points[:, 2:]).all(axis=1)]
    parts = []
    if curve.bars:
        for x, _, low, high in known:
            (left, foot), (_, head) = at(x, low), at(x, high)
            parts.append(
                f'<line class="bar {colour} thin" x1="{left}" x2="{left}" y1="{foot}" y2="{head}"/>'
            )
        for left, y in [at(x, y) for x, y, _, _ in points]:
            parts.append(
                f'<rect class="mean {colour}" x="{float(left) - 3:.1f}" y="{float(y) - 3:.1f}" '
                'width="6" height="6"/>'
            )
    elif len(known):
        below = [at(x, low) for x, _, low, _ in known]
        edge = below + [at(x, high) for x, _, _, high in known[::-1]]
        parts.append(f'<polygon class="band {colour}" points="{" ".join(map(",".join, edge))}"/>')
    return [*parts, f'<polyline class="line {colour}" points="{line}"/>']


def _ticks(curves: list[_Curve], scatter: Floats | None) -> list[float]:
    if scatter is None:
        return [0.0, 0.25, 0.5, 0.75, 1.0]
    values = np.concatenate([scatter.ravel(), *(one.points.ravel() for one in curves)])
    values = values[np.isfinite(values)]
    return ticks_of(float(values.min()), float(values.max()))


def _short(curve: _Curve) -> str:
    room = _LABEL_LENGTH - len(curve.number)
    label = curve.label if len(curve.label) <= room else curve.label[: room - 1] + "…"
    return f"{label}: {curve.number}"
