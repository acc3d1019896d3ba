"""The picture of a result, with matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np

from mkfusion._drawing import axes_of
from mkfusion.report._result import BEST_SINGLE, Result

_COLOURS = {"baseline": "0.45", "single": "C1", "fusion": "C0", "chosen": "C4"}


def draw_scores(result: Result, ax: Any, metric: str | None) -> Any:
    """Draw points for folds, means and their intervals; one row for each method.

    Parameters
    ----------
    result : Result
    ax : matplotlib Axes or None
    metric : str or None

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    metric = result.conditions_.metrics[0] if metric is None else metric
    summary = result.summary_
    ax = axes_of(ax, "FusionComparison", 1.2 + 0.32 * len(summary), 7.0)
    for row, one in enumerate(summary):
        scores = result.scores(one.method, metric)
        colour = _COLOURS[one.kind]
        below = np.full(len(scores), row + 0.25)
        ax.plot(scores, below, "o", color=colour, alpha=0.4, markersize=3.5)
        mean, low, high = one.means[metric], one.lows[metric], one.highs[metric]
        ax.plot([low, high], [row, row], color=colour, linewidth=2)
        ax.plot(mean, row, "s", color=colour, markersize=6)
    # Users' names are no mathematics.
    ax.set_yticks(range(len(summary)), [one.method.replace("$", r"\$") for one in summary])
    ax.set_ylim(len(summary) - 0.5, -0.5)
    best = result.scores(BEST_SINGLE, metric).mean()
    ax.axvline(best, color=_COLOURS["single"], linestyle="--", linewidth=1)
    ax.set_xlabel(f"{metric} (held out)".replace("$", r"\$"))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", alpha=0.3)
    return ax
