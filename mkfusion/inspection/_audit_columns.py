"""What single columns, and single modalities, tell of the target."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import rankdata

from mkfusion._types import Floats, Indices
from mkfusion.data import read_splits
from mkfusion.inspection._audit_tables import Block, Part, sample_codes

# A single column of real data hardly ever reaches these.
NEARLY_PERFECT = {"AUC": 0.995, "balanced accuracy": 0.99, "R2": 0.95}
# From here on it is the target, as far as anyone can tell.
PERFECT = {"AUC": 1.0, "balanced accuracy": 1.0, "R2": 0.9999}
# What one of all columns reaches by luck at most with this probability says nothing.
_LUCK = 1e-3
_MOST_BINS = 64
# Samples that all columns are asked about, and how much better a score of all may be
_MOST_SCREENED, _SLACK = 2000, 0.03
_SAMPLES_OF_A_BIN = 8
_LEAST_SAMPLES = 12
# Penalties for each sample
_RIDGE = (1e-3, 1e-1)
# Names of columns that say whose the samples are, and of those that number them
_WHOSE = re.compile(
    r"(^|[^a-z])(subject|patient|participant|person|animal|donor|user|individual|session)"
    r"[^a-z]*(id|nr|no|num|number|code)?[^a-z]*$|(^|[^a-z])id$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(^|[^a-z])(ids|uid|uuid|index|row|nr|number|unnamed: \d+)$", re.IGNORECASE)


class Target(NamedTuple):
    """What is to be predicted.

    Attributes
    ----------
    y : ndarray of shape (n_samples,)
        Numbers, or the numbers of classes.
    n_classes : int
        0 of numbers.
    """

    y: NDArray[Any]
    n_classes: int


class Seen(NamedTuple):
    """What was found in the columns of a modality.

    Attributes
    ----------
    telling : list of (name, score)
        Columns that nearly say the target, the best first.
    measure : str
        What the scores are.
    constant : list of names
    ids : list of (name, why, score)
        Columns that name samples or rows, and how well they tell the target.
    """

    telling: list[tuple[str, float]]
    measure: str
    constant: list[str]
    ids: list[tuple[str, str, float]]


def look_at_columns(part: Part, target: Target, n_tests: int) -> Seen:
    """Look at every column of a modality by itself.

    Parameters
    ----------
    part : Part
    target : Target
    n_tests : int
        Columns of all modalities.

    Returns
    -------
    Seen
    """
    measure = "R2"
    if target.n_classes:
        measure = "AUC" if target.n_classes == 2 else "balanced accuracy"
    seen = Seen([], measure, [], [])
    least = NEARLY_PERFECT[measure] if can_be_told(target, n_tests) else np.inf
    rows = np.flatnonzero(part.present)
    y = target.y[rows]
    # What tells the target of all tells that of some: all are asked where some say so.
    some = np.random.default_rng(0).permutation(len(rows))[:_MOST_SCREENED]
    for block in part.blocks():
        cells = block.cells[rows]
        low, high = np.fmin.reduce(cells, axis=0), np.fmax.reduce(cells, axis=0)
        constant = ~(low < high)  # NaN where all cells are gaps
        seen.constant.extend(str(block.names[j]) for j in np.flatnonzero(constant))
        screened = single_scores(block._replace(cells=cells[some]), y[some], target.n_classes)
        screened[constant] = -np.inf
        scores: dict[int, float] = {}
        for j in np.flatnonzero(screened >= least - _SLACK):
            one = block._replace(cells=cells[:, [j]], nominal=block.nominal[[j]])
            scores[int(j)] = float(single_scores(one, y, target.n_classes)[0])
            if scores[int(j)] >= least:
                seen.telling.append((str(block.names[j]), scores[int(j)]))
        if not part.is_table or len(rows) < _LEAST_SAMPLES:
            continue
        for j in np.flatnonzero(~constant & ~block.times):
            name = str(block.names[j])
            if why := _names_rows(cells[:, j], name, bool(block.nominal[j])):
                seen.ids.append((name, why, scores.get(int(j), float(screened[j]))))
    seen.telling.sort(key=lambda one: -one[1])
    return seen


def can_be_told(target: Target, n_tests: int) -> bool:
    """Return whether no column of so many would tell the target apart by luck.

    A column of noise separates two classes in one of as many cases as there are ways to choose
    the samples of one; of numbers a dozen and more are never in line.
    """
    n = len(target.y)
    if n < _LEAST_SAMPLES:
        return False
    if not target.n_classes:
        return True
    most = int(np.bincount(target.y).max())
    ways = gammaln(n + 1) - gammaln(most + 1) - gammaln(n - most + 1)
    return bool(ways > np.log(2 * max(n_tests, 1) / _LUCK))


def single_scores(block: Block, y: NDArray[Any], n_classes: int) -> Floats:
    """Return how well each column tells the target, (n_columns,).

    Parameters
    ----------
    block : Block
    y : ndarray of shape (n_samples,)
        Numbers, or the numbers of classes.
    n_classes : int
        0 of numbers.

    Returns
    -------
    ndarray of shape (n_columns,)
        Area under the ROC curve in the better direction of two classes, balanced accuracy of more,
        R2 of numbers: the better of a monotone relation and of one from bins of the column to the
        target, learned on one half of the samples and scored on the other.
    """
    cells = block.cells
    gaps = np.isnan(cells)
    # Gaps are one end: whether a cell is empty can tell as much as what is in it.
    ranks = rankdata(np.where(gaps, -np.inf, cells), axis=0)
    binned = binned_scores(ranks, y, n_classes)
    if n_classes == 2:
        first = int((y == 0).sum())
        areas = (ranks[y == 0].sum(axis=0) - first * (first + 1) / 2) / max(
            first * (len(y) - first), 1
        )
        # Categories have no order: what is learned of them counts alone. It is an accuracy, which
        # an area is never below but for luck.
        monotone = np.maximum(areas, 1.0 - areas)
        return np.where(block.nominal, binned, np.maximum(monotone, binned))
    if n_classes:
        return binned
    filled = np.where(gaps, np.nanmean(np.where(gaps.all(axis=0), 0.0, cells), axis=0), cells)
    linear = _squared_correlations(filled, y)
    monotone = _squared_correlations(ranks, rankdata(y))
    return np.where(block.nominal, binned, np.max([linear, monotone, binned], axis=0))


def _squared_correlations(cells: Floats, y: NDArray[Any]) -> Floats:
    cells = cells - cells.mean(axis=0)
    y = y - y.mean()
    sizes = (cells**2).sum(axis=0) * (y**2).sum()
    return np.asarray((y @ cells) ** 2 / np.where(sizes > 0, sizes, 1.0))


def binned_scores(ranks: Floats, y: NDArray[Any], n_classes: int) -> Floats:
    """Return what bins of each column, learned on half of the samples, score on the others.

    Parameters
    ----------
    ranks : ndarray of shape (n_samples, n_columns)
    y : ndarray of shape (n_samples,)
        Numbers, or the numbers of classes.
    n_classes : int
        0 of numbers.

    Returns
    -------
    ndarray of shape (n_columns,)
        Balanced accuracy, or R2.
    """
    n, width = ranks.shape
    n_bins = int(np.clip(n // _SAMPLES_OF_A_BIN, 4, _MOST_BINS))
    bins = np.minimum(((ranks - 0.5) * n_bins / n).astype(np.intp), n_bins - 1)
    places = bins + n_bins * np.arange(width)
    # Another draw than that of the samples that are asked, which would be in order again.
    half = np.random.default_rng(1).permutation(n) % 2 == 0
    if not n_classes:
        left = np.zeros(width)
        for learn in (half, ~half):
            counts = np.bincount(places[learn].ravel(), minlength=n_bins * width)
            repeated = np.repeat(y[learn], width)
            sums = np.bincount(places[learn].ravel(), repeated, n_bins * width)
            means = np.where(counts > 0, sums / np.maximum(counts, 1), y[learn].mean())
            left += ((y[~learn][:, np.newaxis] - means[places[~learn]]) ** 2).sum(axis=0)
        return np.asarray(1.0 - left / ((y - y.mean()) ** 2).sum())
    hits = np.zeros((n_classes, width))
    for learn in (half, ~half):
        shares = np.zeros((n_classes, n_bins * width))
        for label in range(n_classes):
            of = learn & (y == label)
            shares[label] = np.bincount(places[of].ravel(), minlength=n_bins * width)
            shares[label] /= max(int(of.sum()), 1)
        predicted = shares.argmax(axis=0)[places[~learn]]
        for label in range(n_classes):
            hits[label] += (predicted[y[~learn] == label] == label).sum(axis=0)
    counts = np.bincount(y, minlength=n_classes)
    return np.asarray((hits / np.maximum(counts, 1)[:, np.newaxis])[counts > 0].mean(axis=0))


def _names_rows(column: Floats, name: str, nominal: bool) -> str:
    """Return why a column seems to name the samples or their rows; "" if it does not."""
    if np.isnan(column).any() or not (nominal or (column == np.floor(column)).all()):
        return ""
    if len(np.unique(column)) < len(column):
        return ""
    if nominal:
        return "every sample has a value of its own"
    steps = np.diff(column)
    if (steps > 0).all() or (steps < 0).all():
        return "whole numbers in the order of the rows"
    if np.ptp(column) < 2 * len(column):
        return "a whole number of its own for every sample, with hardly a gap"
    if _NUMBER.search(name) or _WHOSE.search(name):
        return "a whole number of its own for every sample, and named like an id"
    return ""


def names_subjects(name: str, cells: Floats) -> bool:
    """Return whether a column seems to name whom samples are of, several of each.

    Parameters
    ----------
    name : str
    cells : ndarray of shape (n_samples,)
        Numbers, or the numbers of categories.

    Returns
    -------
    bool
    """
    if not _WHOSE.search(name):
        return False
    known = cells[~np.isnan(cells)]
    # Whose a sample is, is a name or a whole number.
    return 2 < len(np.unique(known)) <= len(known) / 2 and bool((known == np.floor(known)).all())


def modality_score(part: Part, target: Target, groups: Indices | None) -> float:
    """Return what a quick linear model of a modality alone scores on held-out samples.

    Parameters
    ----------
    part : Part
    target : Target
    groups : ndarray of shape (n_samples,) or None
        That stay together.

    Returns
    -------
    float
        Balanced accuracy, or R2; NaN where there are too few samples, or no numbers.
    """
    rows = np.flatnonzero(part.present)
    y = target.y[rows]
    if part.rows is None or len(rows) < 2 * _LEAST_SAMPLES:
        return float("nan")
    groups = None if groups is None else sample_codes(groups[rows])
    n_folds = 5
    if target.n_classes:
        n_folds = min(n_folds, int(np.unique(y, return_counts=True)[1].min()))
    if groups is not None:
        n_folds = min(n_folds, len(np.unique(groups)))
    if n_folds < 2 or len(np.unique(y)) < 2:
        return float("nan")
    classes = bool(target.n_classes)
    folds = read_splits(n_folds, len(y), y, classes=classes, groups=groups, seed=0)
    if any(len(np.unique(y[train])) < 2 for train, _ in folds):
        return float("nan")
    wanted = (y[:, np.newaxis] == np.arange(target.n_classes)).astype(float)
    if not classes:
        wanted = y[:, np.newaxis].astype(np.float64)
    table = part.rows[rows]
    return max(_score_of(_predicted(table, wanted, folds, a), wanted, classes) for a in _RIDGE)


def _predicted(
    table: Floats, wanted: Floats, folds: list[tuple[Indices, Indices]], penalty: float
) -> Floats:
    """Return what ridge regression on the other folds predicts, (n_samples, n_outputs)."""
    found = np.zeros_like(wanted)
    for train, test in folds:
        middle, spread = table[train].mean(axis=0), table[train].std(axis=0)
        scaled = (table - middle) / np.where(spread > 0, spread, 1.0)
        mean = wanted[train].mean(axis=0)
        X, Y = scaled[train], wanted[train] - mean
        size = penalty * len(train) * np.eye(X.shape[1])
        found[test] = scaled[test] @ np.linalg.solve(X.T @ X + size, X.T @ Y) + mean
    return found


def _score_of(predicted: Floats, wanted: Floats, classes: bool) -> float:
    """Return the balanced accuracy, or R2."""
    if not classes:
        left = ((wanted - predicted) ** 2).sum()
        return float(1.0 - left / ((wanted - wanted.mean()) ** 2).sum())
    labels = wanted.argmax(axis=1)
    hits = predicted.argmax(axis=1) == labels
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))
