"""Samples that are there more than once: exactly, or so nearly that it is no chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import poisson

from mkfusion._types import Floats, Indices, Mask
from mkfusion.inspection._audit_tables import (
    DIMENSIONS,
    Part,
    hashed,
    projection,
    sample_codes,
)

# More samples are not searched for near copies: all pairs are compared.
MOST_SAMPLES = 20_000
# Fewer have no distribution of distances.
_LEAST_SAMPLES = 20
_NEIGHBOURS = 20
# Rows that are compared with all at a time
_BLOCK = 512
# A near copy is nearer than this share of the distance to other neighbours,
_FAR_BELOW = 0.15
# and that by chance in none of the samples, with this probability of a false one in all.
_CHANCE = 0.001
# Columns that are left out one by one to find out how often rows agree by chance.
_MOST_LEFT_OUT = 100
_N_DRAWN = 999


class Copies(NamedTuple):
    """Pairs of samples that are the same.

    Attributes
    ----------
    exact : ndarray of shape (n_exact, 2)
        Each later copy with the first of its kind.
    near : ndarray of shape (n_near, 2)
    """

    exact: Indices
    near: Indices

    @property
    def pairs(self) -> Indices:
        """All pairs, (n_pairs, 2)."""
        return np.concatenate([self.exact, self.near])


def find_copies(parts: Sequence[Part]) -> Copies:
    """Find samples that are the same in all of some modalities.

    Parameters
    ----------
    parts : sequence of Part
        Samples that lack one of them have none.

    Returns
    -------
    Copies
    """
    there = np.flatnonzero(np.all([part.present for part in parts], axis=0))
    total = np.zeros(len(parts[0].present), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for k, part in enumerate(parts):
            total += part.hashes * _factor(k)
    first = _firsts(total[there])
    exact = np.flatnonzero(first != np.arange(len(there)))
    if len(exact) and all(part.n_columns for part in parts):
        if poisson.sf(len(exact) - 1, _expected(there, total, parts)) > _CHANCE:
            exact = exact[:0]
    own = np.flatnonzero(first == np.arange(len(there)))
    near = _near_pairs(parts, there[own])
    return Copies(np.stack([there[first[exact]], there[exact]], axis=1), near)


def _factor(k: int) -> np.uint64:
    """Return an odd number for each modality: the same cells of another one are not the same."""
    return np.uint64(2 * k + 1)


def _firsts(hashes: NDArray[np.uint64]) -> Indices:
    """Return for each row the first one that is the same."""
    _, first, codes = np.unique(hashes, return_index=True, return_inverse=True)
    return first[codes].astype(np.intp)


def _expected(there: Indices, total: NDArray[np.uint64], parts: Sequence[Part]) -> float:
    """Return how many rows would be the same as others by chance.

    Rows that agree in all columns but one are the more, the more often all agree by chance: the
    last column then agrees as often as it does elsewhere, and two values of it that are next to
    each other meet twice as often as two that are the same. Real copies leave no such traces. Of
    the columns the one counts by which it would be most.
    """
    n_columns = sum(part.n_columns for part in parts)
    share = min(1.0, _MOST_LEFT_OUT / n_columns)
    rng = np.random.default_rng(0)
    n, same, most = len(there), _n_pairs(total[there]), 0.0
    some_vary = False
    for k, part in enumerate(parts):
        for block in part.blocks():
            chosen = np.flatnonzero(rng.random(len(block.names)) <= share)
            for j in chosen:
                cells = block.cells[there, j : j + 1]
                with np.errstate(over="ignore"):
                    codes = hashed(cells, block.start + int(j))[:, 0]
                    others = total[there] - codes * _factor(k)
                agree = _n_pairs(codes) / (n * (n - 1) / 2)
                if agree == 1.0:  # a constant tells nothing
                    continue
                some_vary = True
                but_one = _n_pairs(others) - same
                most = max(most, but_one * agree / (1.0 - agree))
                if not block.nominal[j]:
                    most = max(most, _n_neighbours(others, cells[:, 0]) / 2.0)
    return most if some_vary else float("inf")


def _n_neighbours(others: NDArray[np.uint64], cells: Floats) -> int:
    """Return how many pairs are the same in others, and next to each other in one column."""
    levels = sample_codes(cells).astype(np.float64)[:, np.newaxis]
    with np.errstate(over="ignore"):
        own = others + hashed(levels, 0)[:, 0]
        next_ = others + hashed(levels + 1.0, 0)[:, 0]
    keys, counts = np.unique(own, return_counts=True)
    places = np.minimum(np.searchsorted(keys, next_), len(keys) - 1)
    return int(counts[places][keys[places] == next_].sum())


def _n_pairs(codes: NDArray[Any]) -> float:
    """Return how many pairs of rows have the same code."""
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1.0)).sum() / 2.0)


def _near_pairs(parts: Sequence[Part], there: Indices) -> Indices:
    """Return pairs of samples that are far nearer than neighbours are, (n_pairs, 2)."""
    nothing = np.empty((0, 2), dtype=np.intp)
    n = len(there)
    if not _LEAST_SAMPLES <= n <= MOST_SAMPLES:
        return nothing
    table = _side_by_side(parts, there)
    if table is None:
        return nothing
    if table.shape[1] > DIMENSIONS:
        table = table @ projection(np.random.default_rng(1), table.shape[1])
    k = min(_NEIGHBOURS, n - 1)
    distances, neighbours = _nearest(table, k)
    far = distances[:, -1]
    there_is = far > 0
    if not there_is.any():
        return nothing
    ratio = np.ones(n)
    ratio[there_is] = distances[there_is, 0] / far[there_is]
    dimension, most = _dimension(distances[there_is]), _CHANCE / n / (k - 1.0)
    found = np.flatnonzero((ratio < _FAR_BELOW) & (ratio**dimension < most))
    if not len(found):
        return nothing
    pairs = np.sort(np.stack([there[found], there[neighbours[found, 0]]], axis=1), axis=1)
    dimensions = np.minimum(dimension, _shared_numbers(parts, pairs))
    pairs = pairs[ratio[found] ** dimensions < most]
    return np.unique(pairs, axis=0) if len(pairs) else nothing


def _shared_numbers(parts: Sequence[Part], pairs: Indices) -> Floats:
    """Return in how many dimensions samples of the same categories can differ, (n_pairs,).

    These are the numbers that both have: of a gap it is not known how near it is. Infinity is for
    samples of which a category differs, and for texts, which have no columns.
    """
    shared = np.zeros(len(pairs))
    for part in parts:
        if part.n_columns == 0:
            shared += np.inf
        for block in part.blocks():
            a, b = block.cells[pairs.T]
            gaps = np.isnan(a) | np.isnan(b)
            shared += (~gaps[:, ~block.nominal]).sum(axis=1)
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            shared[~same[:, block.nominal].all(axis=1)] = np.inf
    return shared


def _side_by_side(parts: Sequence[Part], there: Indices) -> Floats | None:
    """Return the rows of all modalities, each with as much to say; None if there are not all."""
    found = []
    for part in parts:
        if part.rows is None:
            return None
        rows = part.rows[there] - part.rows[there].mean(axis=0)
        size = float(np.sqrt((rows**2).sum(axis=1).mean()))
        found.append(rows / (size or 1.0))
    return np.hstack(found) if found else None


def _nearest(table: Floats, k: int) -> tuple[Floats, Indices]:
    """Return distances (n, k) to the nearest other rows, and which these are, the nearest first."""
    n = len(table)
    squares = (table**2).sum(axis=1)
    neighbours = np.empty((n, k), dtype=np.intp)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        products = squares - 2.0 * (table[rows] @ table.T)
        products[np.arange(len(rows)), rows] = np.inf
        neighbours[rows] = np.argpartition(products, k - 1, axis=1)[:, :k]
    distances = np.empty((n, k))
    for j in range(k):  # differences of squares would lose half of the digits of small ones
        distances[:, j] = np.linalg.norm(table - table[neighbours[:, j]], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(neighbours, order, 1)


def _dimension(distances: Floats) -> float:
    """Return in how many dimensions samples lie, as their farther neighbours tell.

    The number of neighbours within a distance grows as its power. Copies are among the nearest
    ones, which are left out.
    """
    k = distances.shape[1]
    half = k // 2
    inner = np.maximum(distances[:, half - 1], np.finfo(np.float64).tiny)
    logs = np.log(distances[:, -1] / inner)
    grown = float(np.median(logs))
    # The expected logarithm of the ratio of two order statistics, in one dimension
    steps = float(np.sum(1.0 / np.arange(half, k)))
    return steps / grown if grown > 0 else float(k)


def alike_within(parts: Sequence[Part], codes: Indices) -> float:
    """Return the p-value of samples of one label being nearer to each other than to others.

    Parameters
    ----------
    parts : sequence of Part
    codes : ndarray of shape (n_samples,)
        Of the labels.

    Returns
    -------
    float
        How often the nearest neighbour has the same label, against permuted labels; 1 where there
        are no distances.
    """
    there = np.flatnonzero(np.all([part.present for part in parts], axis=0))
    there = there[:MOST_SAMPLES]
    table = _side_by_side([part for part in parts if part.rows is not None], there)
    if table is None or len(there) < _LEAST_SAMPLES:
        return 1.0
    nearest = _nearest(table, 1)[1][:, 0]
    codes = codes[there]
    rng = np.random.default_rng(0)
    same = (codes == codes[nearest]).sum()
    as_many = 1
    for _ in range(_N_DRAWN):
        drawn = rng.permutation(codes)
        as_many += int((drawn == drawn[nearest]).sum() >= same)
    return as_many / (_N_DRAWN + 1)


def crossing(pairs: Indices, groups: NDArray[Any] | None) -> Mask:
    """Return which pairs are of two groups, (n_pairs,): all, where there are none."""
    if groups is None:
        return np.ones(len(pairs), dtype=bool)
    codes = sample_codes(groups)
    return np.asarray(codes[pairs[:, 0]] != codes[pairs[:, 1]])


def across(pairs: Indices, folds: Sequence[tuple[Indices, Indices]], n: int) -> Mask:
    """Return which pairs have one sample in training and the other in testing, (n_pairs,)."""
    found = np.zeros(len(pairs), dtype=bool)
    for train, test in folds:
        side = np.zeros(n, dtype=np.intp)
        side[train], side[test] = 1, 2
        found |= side[pairs[:, 0]] * side[pairs[:, 1]] == 2
    return found


def clusters(pairs: Indices, groups: NDArray[Any] | None, n: int) -> Indices:
    """Return the number of the cluster of each sample, (n,): copies, and groups, are together.

    Parameters
    ----------
    pairs : ndarray of shape (n_pairs, 2)
    groups : ndarray of shape (n,) or None
    n : int

    Returns
    -------
    ndarray of shape (n,)
    """
    if groups is not None:
        codes = sample_codes(groups)
        first = np.unique(codes, return_index=True)[1]
        pairs = np.concatenate([pairs, np.stack([np.arange(n), first[codes]], axis=1)])
    ones = np.ones(len(pairs), dtype=np.int8)
    rows, columns = pairs.astype(np.int32).T  # SciPy before 1.13 knows no others here
    graph = coo_array((ones, (rows, columns)), shape=(n, n))
    labels = connected_components(graph.tocsr(), directed=False)[1]
    # In order of the first sample of each
    order = np.unique(labels, return_index=True)[1]
    return np.argsort(np.argsort(order))[labels].astype(np.intp)
