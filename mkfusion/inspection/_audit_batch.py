"""Whether a modality tells which batch a sample is of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, rankdata

from mkfusion._types import Floats, Indices
from mkfusion.data import read_splits
from mkfusion.inspection._audit_columns import binned_scores
from mkfusion.inspection._audit_tables import Block, Part, sample_codes

# Samples of a batch that is looked at, of all of them at least, and at most for a linear model
_LEAST, _FEWEST, _MOST = 5, 24, 500
_FOLDS, _RIDGE = 5, 0.1
# Expected in a cell of a table of categories and batches: below it chi-squared is not to be trusted
_EXPECTED = 1.0


class Told(NamedTuple):
    """How well a modality tells batches.

    Attributes
    ----------
    score : float
        Balanced accuracy on held-out samples.
    p_value : float
        Of what is better than guessing, corrected for all columns.
    n_batches : int
        Those that are large enough.
    column : str or None
        The column that tells it alone; None is a linear model of all.
    """

    score: float
    p_value: float
    n_batches: int
    column: str | None


def tells_batch(part: Part, batches: Indices, groups: Indices | None, alpha: float) -> Told | None:
    """Tell the batch of held-out samples from a modality, by all of its columns or by one.

    Parameters
    ----------
    part : Part
    batches : ndarray of shape (n_samples,)
        Numbers of batches.
    groups : ndarray of shape (n_samples,) or None
        Whose samples are no independent ones.
    alpha : float
        How often noise may be found to tell it.

    Returns
    -------
    Told or None
        None where neither is better than guessing, or there are too few samples of a batch.
    """
    rng = np.random.default_rng(0)
    groups = np.arange(len(batches)) if groups is None else groups
    # One sample of each group, in any order
    order = rng.permutation(np.flatnonzero(part.present))
    rows = order[np.unique(groups[order], return_index=True)[1]]
    counts = np.bincount(batches[rows], minlength=batches.max() + 1)
    large = counts >= _LEAST
    rows = rng.permutation(rows[large[batches[rows]]])
    if large.sum() < 2 or len(rows) < _FEWEST:
        return None
    codes = sample_codes(batches[rows])
    found = [_by_one_column(part, rows, codes)]
    if part.rows is not None:
        some = rows[:_MOST]
        found.append(_by_all(part.rows[some], sample_codes(batches[some]), alpha / 2, rng))
    told = [one for one in found if one is not None and len(found) * one.p_value < alpha]
    return max(told, key=lambda one: one.score, default=None)


def _by_all(table: Floats, codes: Indices, alpha: float, rng: np.random.Generator) -> Told | None:
    """Tell batches by a ridge model; all of its predictions for other labels are one product."""
    n, n_batches = len(codes), int(codes.max()) + 1
    counts = np.bincount(codes)
    if n_batches < 2:
        return None
    hat = np.zeros((n, n))
    # The samples are in random order: these folds have nothing to do with the labels.
    for train, test in read_splits(_FOLDS, n, np.zeros(n), classes=False, groups=None, seed=0):
        middle, spread = table[train].mean(axis=0), table[train].std(axis=0)
        scaled = (table - middle) / np.where(spread > 0, spread, 1.0)
        X = scaled[train]
        size = _RIDGE * len(train) * np.eye(X.shape[1])
        found = scaled[test] @ np.linalg.solve(X.T @ X + size, X.T)
        hat[np.ix_(test, train)] = found - found.mean(axis=1, keepdims=True)

    def score(labels: Indices) -> float:
        # As if all batches were of one size
        wanted = (labels[:, np.newaxis] == np.arange(n_batches)) / counts
        hits = (hat @ wanted).argmax(axis=1) == labels
        return float((np.bincount(labels, hits, n_batches) / counts).mean())

    observed = score(codes)
    n_drawn = int(np.ceil(2 / alpha))
    as_good = sum(score(rng.permutation(codes)) >= observed - 1e-12 for _ in range(n_drawn))
    return Told(observed, (1 + as_good) / (n_drawn + 1), n_batches, None)


def _by_one_column(part: Part, rows: Indices, codes: Indices) -> Told | None:
    """Find the column whose ranks, or categories, differ most between batches."""
    best: Told | None = None
    n_batches = int(codes.max()) + 1
    for block in part.blocks() if part.is_table else []:
        cells = block.cells[rows]
        # Gaps are one end, as in the other looks at columns.
        ranks = rankdata(np.where(np.isnan(cells), -np.inf, cells), axis=0)
        p_values = np.where(
            block.nominal, _by_categories(block, ranks, codes), _by_ranks(ranks, codes)
        )
        j = int(p_values.argmin())
        p_value = min(1.0, float(p_values[j]) * part.n_columns)
        if best is None or p_value < best.p_value:
            score = float(binned_scores(ranks[:, [j]], codes, n_batches)[0])
            best = Told(score, p_value, n_batches, str(block.names[j]))
    return best


def _by_ranks(ranks: Floats, codes: Indices) -> Floats:
    """Return p-values of Kruskal and Wallis's test of each column, (n_columns,)."""
    n, counts = len(codes), np.bincount(codes)
    centred = ranks - (n + 1) / 2
    sums = (codes == np.arange(len(counts))[:, np.newaxis]).astype(float) @ centred
    total = (centred**2).sum(axis=0)
    between = (sums**2 / counts[:, np.newaxis]).sum(axis=0)
    statistic = np.divide((n - 1) * between, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(chi2.sf(statistic, len(counts) - 1))


def _by_categories(block: Block, ranks: Floats, codes: Indices) -> Floats:
    """Return p-values of the chi-squared test of each column of categories, 1 of the others."""
    found = np.ones(ranks.shape[1])
    for j in np.flatnonzero(block.nominal):
        levels = sample_codes(ranks[:, j])
        table = np.zeros((levels.max() + 1, codes.max() + 1))
        np.add.at(table, (levels, codes), 1)
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(codes)
        if len(table) > 1 and expected.min() >= _EXPECTED:
            statistic = ((table - expected) ** 2 / expected).sum()
            found[j] = chi2.sf(statistic, (len(table) - 1) * (table.shape[1] - 1))
    return found
