"""Pictures drawn in SVG, which follow the page's colours and need no plotting library."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats
from mkfusion.report._result import BEST_FUSION, BEST_SINGLE, Contributions, Result
from mkfusion.report._words import format_number

# Units are pixels at the width of a phone; a wider page scales them up.
WIDTH = 340
_LEFT, _RIGHT = 18, 18
_ROW = 40
_LABEL_LENGTH = 46
_MANY_MODALITIES = 4


class _Row(NamedTuple):
    """A mean with its interval, and the points that it comes from."""

    label: str
    kind: str
    mean: float
    low: float
    high: float
    points: Floats


def scores_svg(result: Result) -> str:
    """Return a picture of every method's scores by the first metric."""
    metric = result.conditions_.metrics[0]
    rows = [
        _Row(
            one.method,
            one.kind,
            one.means[metric],
            one.lows[metric],
            one.highs[metric],
            result.scores(one.method),
        )
        for one in result.summary_
    ]
    reference = result.scores(BEST_SINGLE).mean()
    listed = "; ".join(f"{row.label}: {format_number(row.mean)}" for row in rows)
    return _drawn(
        "scores",
        rows,
        float(reference),
        f"{metric} of each method on the held-out samples",
        f"Points are folds, bars intervals of the mean. Means: {listed}. The dashed line is the "
        f"best single modality, {format_number(float(reference))}.",
        signed=False,
        nothing=next((row.mean for row in rows if row.kind == "baseline"), None),
    )


def differences_svg(result: Result) -> str:
    """Return a picture of the loss that every fusion method saves, fold by fold."""
    tests = [(BEST_FUSION, "chosen", result.verdict_.single)]
    for one in result.comparisons_:
        if one.reference == BEST_SINGLE:
            tests.append((one.method, "fusion", one.test))
    single = result.losses(BEST_SINGLE)
    rows = [
        _Row(method, kind, test.difference, test.low, test.high, single - result.losses(method))
        for method, kind, test in tests
    ]
    listed = "; ".join(f"{row.label}: {format_number(row.mean, sign=True)}" for row in rows)
    return _drawn(
        "differences",
        rows,
        0.0,
        f"{result.conditions_.loss} saved against the best single modality",
        f"Points are folds, bars intervals. Differences: {listed}. Right of the dashed line fusion "
        "is better.",
        signed=True,
    )


def contributions_svg(found: Contributions, metric: str) -> str:
    """Return a picture of what every modality contributes."""
    rows = [
        _Row(one.modality, "single", one.mean, one.low, one.high, one.by_fold)
        for one in found.modalities
    ]
    listed = "; ".join(f"{row.label}: {format_number(row.mean, sign=True)}" for row in rows)
    return _drawn(
        "contributions",
        rows,
        0.0,
        f"Contribution of each modality to {metric}",
        f"Points are folds, bars intervals. Shapley values: {listed}. Together they have "
        f"{format_number(found.total)} above knowing nothing. The dashed line is nothing.",
        signed=True,
    )


def weights_svg(result: Result) -> str:
    """Return a picture of the kernel weights that methods have learned, fold by fold."""
    names = [one.name for one in result.conditions_.modalities]
    # Of many modalities one method's, or the picture is longer than any page.
    found = result.weights_ if len(names) <= _MANY_MODALITIES else result.weights_[:1]
    rows = [
        _Row(f"{name}, {one.method}", "fusion", shares.mean(), shares.min(), shares.max(), shares)
        for k, name in enumerate(names)
        for one in found
        for shares in [one.by_fold[:, k]]
    ]
    listed = "; ".join(f"{row.label}: {format_number(row.mean)}" for row in rows)
    return _drawn(
        "weights",
        rows,
        1 / len(names),
        "Each modality's share of the kernel weights",
        f"Points are folds, bars from the least to the largest. Means: {listed}. The dashed line "
        "is where all have the same share.",
        signed=False,
    )


def _drawn(
    key: str,
    rows: list[_Row],
    reference: float,
    title: str,
    text: str,
    *,
    signed: bool,
    nothing: float | None = None,
) -> str:
    """Return rows of points and bars over one axis, a dashed line at the reference.

    What knowing nothing has is a dotted one.
    """
    values = [v for row in rows for v in (row.low, row.high, *row.points)] + [reference]
    finite = np.array([value for value in values if np.isfinite(value)])
    rows = [row for row in rows if np.isfinite(row.mean)]
    ticks = ticks_of(float(finite.min()), float(finite.max()))
    start, end = min(ticks[0], finite.min()), max(ticks[-1], finite.max())
    scale = (WIDTH - _LEFT - _RIGHT) / (end - start)
    height = _ROW * len(rows) + 34

    def at(value: float) -> str:
        clipped = min(max(value, start), end)
        return f"{_LEFT + (clipped - start) * scale:.1f}"

    bottom = _ROW * len(rows) + 6
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{key}-title {key}-text">',
        f'<title id="{key}-title">{escape(title)}</title>',
        f'<desc id="{key}-text">{escape(text)}</desc>',
    ]
    for tick in ticks:
        parts += [
            f'<line class="grid" x1="{at(tick)}" x2="{at(tick)}" y1="4" y2="{bottom}"/>',
            f'<text class="tick" x="{at(tick)}" y="{bottom + 16}">{tick_text(tick, ticks)}</text>',
        ]
    parts.append(
        f'<line class="reference" x1="{at(reference)}" x2="{at(reference)}" y1="4" y2="{bottom}"/>'
    )
    if nothing is not None:
        x = at(nothing)
        parts.append(f'<line class="dotted" x1="{x}" x2="{x}" y1="4" y2="{bottom}"/>')
    for i, row in enumerate(rows):
        top, y = _ROW * i, _ROW * i + 24
        kind = escape(row.kind)
        label = (
            row.label if len(row.label) <= _LABEL_LENGTH else row.label[: _LABEL_LENGTH - 1] + "…"
        )
        parts += [
            f'<text class="label" x="{_LEFT + 5}" y="{top + 15}">{escape(label)}</text>',
            f'<text class="value" x="{WIDTH - _RIGHT}" y="{top + 15}">'
            f"{format_number(row.mean, sign=signed)}</text>",
            *(f'<circle class="point" cx="{at(v)}" cy="{y + 7}" r="2"/>' for v in row.points),
            f'<line class="bar {kind}" x1="{at(row.low)}" x2="{at(row.high)}" y1="{y}" y2="{y}"/>',
            f'<rect class="mean {kind}" x="{float(at(row.mean)) - 3.5:.1f}" y="{y - 3.5}" '
            'width="7" height="7"/>',
        ]
    return "\n".join([*parts, "</svg>"])


def ticks_of(low: float, high: float) -> list[float]:
    """Return a few round numbers that enclose, or nearly, a range."""
    span = (high - low) or max(abs(high), 1.0) * 0.1
    raw = span / 4
    size = 10.0 ** np.floor(np.log10(raw))
    step = size * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw)
    first, last = np.floor(low / step), np.ceil(high / step)
    return [float(k * step) for k in np.arange(first, max(last, first + 1) + 1)]


def tick_text(value: float, ticks: list[float]) -> str:
    decimals = max(0, int(np.ceil(-np.log10(ticks[1] - ticks[0]) + 0.5)))
    text = f"{value:.{decimals}f}"
    if "." in text and all(f"{tick:.{decimals}f}".endswith("0") for tick in ticks):
        text = text[:-1].rstrip(".")
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")
