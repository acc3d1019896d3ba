"""Ranks of methods over data sets: Friedman's test, Nemenyi's critical difference, its picture.

J. Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine
Learning Research 7, 2006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution, rankdata, studentized_range

Floats = NDArray[np.float64]
ALPHA = 0.05


class Friedman(NamedTuple):
    """Iman and Davenport's form of Friedman's test.

    Attributes
    ----------
    chi2 : float
        Friedman's statistic.
    statistic : float
        F, with k - 1 and (k - 1)(n - 1) degrees of freedom.
    p : float
        Probability of one as large, if all methods were alike.
    """

    chi2: float
    statistic: float
    p: float


def rank(scores: Floats) -> Floats:
    """Return the ranks of scores (n_sets, n_methods) in each set; 1 is the largest, ties share."""
    return rankdata(-np.asarray(scores, dtype=float), axis=1)


def friedman(ranks: Floats) -> Friedman:
    """Test whether mean ranks (n_sets, n_methods) differ by more than chance."""
    n, k = ranks.shape
    means = ranks.mean(axis=0)
    chi2 = 12.0 * n / (k * (k + 1)) * (float(np.sum(means**2)) - k * (k + 1) ** 2 / 4.0)
    rest = n * (k - 1) - chi2
    if rest <= 0.0:  # all sets agree
        return Friedman(chi2, np.inf, 0.0)
    statistic = (n - 1) * chi2 / rest
    return Friedman(chi2, statistic, float(f_distribution.sf(statistic, k - 1, (k - 1) * (n - 1))))


def nemenyi_quantile(k: int, alpha: float = ALPHA) -> float:
    """Return q of the Nemenyi test of k methods: that of the studentised range, over root two."""
    return float(studentized_range.ppf(1.0 - alpha, k, np.inf) / np.sqrt(2.0))


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Return by how much mean ranks of k methods over n sets must differ."""
    return nemenyi_quantile(k, alpha) * float(np.sqrt(k * (k + 1) / (6.0 * n)))


def cliques(means: Sequence[float], width: float) -> list[tuple[float, float]]:
    """Return the longest runs of mean ranks that lie within a critical difference."""
    order = np.sort(np.asarray(means, dtype=float))
    runs: list[tuple[float, float]] = []
    for first in order:
        last = order[order <= first + width][-1]
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((float(first), float(last)))
    return runs


def corrected_error(differences: Floats, n_train: float, n_test: float) -> float:
    """Return the standard error of the mean of differences over repeated splits.

    Training samples overlap; Nadeau and Bengio's correction counts that: 1/J + n_test/n_train.
    """
    J = len(differences)
    if J < 2:
        return float("nan")
    variance = float(np.var(differences, ddof=1))
    return float(np.sqrt((1.0 / J + n_test / n_train) * variance))


def draw(panels: Mapping[str, tuple[Mapping[str, float], int]], target: Path, ours: str) -> Path:
    """Draw mean ranks, one panel for each measure, into an image file, and return its path.

    Parameters
    ----------
    panels : mapping of str to (mapping of str to float, int)
        The mean ranks of the methods, and over how many sets, by the panel's title.
    target : Path
    ours : str
        The method that is set off.
    """
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": ours, "svg.fonttype": "none"}):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.0, 0.6 + 2.0 * len(panels)), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(panels), 1))
        for ax, (title, (means, n)) in zip(axes, panels.items(), strict=True):
            _draw_panel(ax, title, means, n, ours)
        target.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"Date": None} if target.suffix == ".svg" else None
        figure.savefig(target, metadata=metadata)
    return target


def _draw_panel(ax: object, title: str, means: Mapping[str, float], n: int, ours: str) -> None:
    k = len(means)
    width = critical_difference(k, n)
    ordered = sorted(means.items(), key=lambda item: item[1])
    half = (k + 1) // 2
    for place, (name, mean) in enumerate(ordered):
        left = place < half
        level = -1.0 - (place if left else k - 1 - place)
        edge, align = (0.6, "right") if left else (k + 0.4, "left")
        style = {
            "color": "C3" if name == ours else "0.2",
            "linewidth": 1.6 if name == ours else 0.9,
        }
        ax.plot([mean, mean, edge], [0.0, level, level], **style)
        weight = "bold" if name == ours else "normal"
        ax.text(
            edge, level, f" {name} ({mean:.1f}) ", ha=align, va="center", fontsize=9, weight=weight
        )
    for row, (first, last) in enumerate(cliques(list(means.values()), width)):
        height = -0.25 - 0.22 * row
        ax.plot([first - 0.03, last + 0.03], [height, height], color="k", linewidth=3.0)
    ax.plot([1.0, 1.0 + width], [0.9, 0.9], color="k", linewidth=1.2)
    ax.text(
        1.0 + width / 2,
        1.0,
        f"critical difference {width:.1f}",
        ha="center",
        va="bottom",
        fontsize=8,
    )
    ax.plot([1.0, k], [0.0, 0.0], color="k", linewidth=1.0)
    for tick in range(1, k + 1):
        ax.plot([tick, tick], [0.0, 0.15], color="k", linewidth=1.0)
        ax.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=8)
    ax.set(xlim=(-0.8, k + 1.8), ylim=(-half - 0.8, 1.9), title=f"{title}, {n} sets")
    ax.axis("off")
