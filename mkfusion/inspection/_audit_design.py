"""What classes, groups, batches and gaps have to do with each other: tables and their tests."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, fisher_exact, kruskal

from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import has_fractions
from mkfusion.inspection._audit_columns import Target
from mkfusion.inspection._audit_tables import Part, sample_codes

# Below it the chi-squared distribution is not to be trusted, and permutations are drawn instead.
_LEAST_EXPECTED = 5.0
_N_DRAWN = 9999
# A batch of numbers with more different values is a measurement, not a batch.
_MOST_LEVELS = 0.5


class Association(NamedTuple):
    """Whether two things have to do with each other.

    Attributes
    ----------
    p_value : float
    strength : float
        Cramer's V, or the share of the variance between groups (eta squared): 0 to 1.
    """

    p_value: float
    strength: float


def associated(labels: Indices, target: Target) -> Association:
    """Test whether labels have to do with the target.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Numbers of levels, each from 0 on there.
    target : Target

    Returns
    -------
    Association
        Fisher's exact test of two levels and two classes, the chi-squared test of more (where few
        are expected: Fisher's of each class against the rest, or drawn permutations), and Kruskal
        and Wallis's of numbers.
    """
    if not target.n_classes:
        return _by_ranks(labels, target.y)
    table = np.zeros((labels.max() + 1, target.n_classes))
    np.add.at(table, (labels, target.y), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return Association(1.0, 0.0)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    strength = (statistic / (table.sum() * (min(table.shape) - 1))) ** 0.5
    if table.shape == (2, 2):
        return Association(float(fisher_exact(table).pvalue), strength)
    if expected.min() >= _LEAST_EXPECTED:
        return Association(float(chi2_contingency(table, correction=False).pvalue), strength)
    if len(table) == 2:
        # One class against the rest, by Bonferroni: exact, and quick for thousands of columns
        rest = table.sum(axis=1)
        each = [fisher_exact(np.stack([one, rest - one], axis=1)).pvalue for one in table.T]
        return Association(min(1.0, len(each) * float(min(each))), strength)
    return Association(_by_permutations(labels, target.y, expected, statistic), strength)


def _by_permutations(labels: Indices, y: Indices, expected: Floats, statistic: float) -> float:
    """Return the share of permutations of y with at least this chi-squared statistic."""
    rng = np.random.default_rng(0)
    y = np.unique(y, return_inverse=True)[1]
    shape = expected.shape
    size = shape[0] * shape[1]
    as_large = 1
    for _ in range(_N_DRAWN):
        drawn = np.bincount(labels * shape[1] + rng.permutation(y), minlength=size).reshape(shape)
        as_large += ((drawn - expected) ** 2 / expected).sum() >= statistic * (1 - 1e-9)
    return as_large / (_N_DRAWN + 1)


def _by_ranks(labels: Indices, y: Floats) -> Association:
    groups = [y[labels == label] for label in np.unique(labels)]
    if len(groups) < 2:
        return Association(1.0, 0.0)
    between = sum(len(some) * (some.mean() - y.mean()) ** 2 for some in groups)
    strength = float(between / ((y - y.mean()) ** 2).sum())
    return Association(float(kruskal(*groups).pvalue), strength)


def as_batch(batch: NDArray[Any]) -> Indices | None:
    """Return the number of each sample's batch; None if it is a measurement instead."""
    codes = sample_codes(batch.astype(str) if batch.dtype == object else batch)
    n_levels = int(codes.max()) + 1
    numbers = batch.dtype.kind in "iuf"
    if n_levels > _MOST_LEVELS * len(codes) or (numbers and has_fractions(batch)):
        return None
    return codes


def gaps_of_columns(part: Part) -> list[tuple[str, Mask]]:
    """Return the columns that are empty for some of the samples that have the modality, and where.

    Masks are (n_samples,).
    """
    found = []
    for block in part.blocks():
        gaps = np.isnan(block.cells) & part.present[:, np.newaxis]
        some = gaps.any(axis=0) & (gaps != part.present[:, np.newaxis]).any(axis=0)
        for j in np.flatnonzero(some):
            found.append((str(block.names[j]), gaps[:, j]))
    return found
