"""The terms of an interaction model: columns, and products of columns of two modalities."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion.fusion.interaction._layout import Layout

FORMS = ("additive", "multiplicative", "additive+multiplicative", "bilinear", "low_rank")


class Scaling(NamedTuple):
    """What is subtracted from the columns, and what they are divided by.

    Attributes
    ----------
    mean : ndarray of shape (n_columns,)
    scale : ndarray of shape (n_columns,)
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scaled columns (n_samples, n_columns)."""
        return (columns - self.mean) / self.scale


def learn_scaling(
    columns: NDArray[np.float64], weights: NDArray[np.float64], kind: str | None
) -> Scaling:
    """Return the scaling of columns (n_samples, n_columns) with sample weights (n_samples,)."""
    mean, scale = np.zeros(columns.shape[1]), np.ones(columns.shape[1])
    if kind is not None:
        mean = np.average(columns, axis=0, weights=weights)
    if kind == "standardize":
        deviation = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
        # A constant column is zero once centred, up to rounding that must not be blown up.
        varies = deviation > 1e-12 * np.abs(columns).max(axis=0)
        scale = np.where(varies, deviation, 1.0)
    return Scaling(mean, scale)


class Terms(NamedTuple):
    """Main effects of columns, then products of two columns.

    Attributes
    ----------
    names : list of n_terms str
    first : ndarray of shape (n_terms,)
        The column of each term.
    second : ndarray of shape (n_terms,)
        The other column of a product, -1 for main effects.
    blocks : ndarray of shape (n_terms, 2)
        The modalities of these columns, the second -1 for main effects.
    """

    names: list[str]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    blocks: NDArray[np.intp]

    def values(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the terms (n_samples, n_terms) of columns (n_samples, n_columns)."""
        main = self.second < 0
        products = columns[:, self.first[~main]] * columns[:, self.second[~main]]
        return np.hstack([columns[:, self.first[main]], products])

    def with_columns(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which terms (n_terms,) contain any of some columns (n_columns,)."""
        return mask[self.first] | ((self.second >= 0) & mask[self.second])

    def between(self, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which terms (n_terms,) are products of a column of one set and one of another."""
        ordered = one[self.first] & other[self.second]
        return (self.second >= 0) & (ordered | (other[self.first] & one[self.second]))


def make_terms(layout: Layout, form: str) -> Terms:
    """Return the terms of a form; for "low_rank" its main effects.

    Parameters
    ----------
    layout : Layout
    form : str
        One of `FORMS`.

    Returns
    -------
    Terms

    Raises
    ------
    ValueError
        If the form needs more modalities, or as many columns in each.
    """
    n_modalities = len(layout.widths)
    if n_modalities < 2 and form in ("multiplicative", "low_rank"):
        raise ValueError(
            f"form={shown(form)} is made of products between modalities, and X has "
            f"{len(layout.columns)} feature(s) in one modality, {layout.names}; expected at least "
            "two modalities."
        )
    first: list[int] = []
    second: list[int] = []
    if form != "multiplicative":
        first, second = list(range(len(layout.columns))), [-1] * len(layout.columns)
    if form not in ("additive", "low_rank"):
        for a, b in combinations(range(n_modalities), 2):
            pairs = _pairs(layout, a, b, every=form == "bilinear")
            first += [j for j, _ in pairs]
            second += [k for _, k in pairs]
    names = [
        layout.columns[j] if k < 0 else f"{layout.columns[j]} × {layout.columns[k]}"
        for j, k in zip(first, second, strict=True)
    ]
    left, right = np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)
    owner = layout.owner
    blocks = np.stack([owner[left], np.where(right < 0, -1, owner[right])], axis=1)
    return Terms(names, left, right, blocks)


def _pairs(layout: Layout, a: int, b: int, *, every: bool) -> list[tuple[int, int]]:
    """Return the columns of modalities a and b that are multiplied."""
    starts = np.concatenate([[0], np.cumsum(layout.widths)])
    left, right = range(starts[a], starts[a + 1]), range(starts[b], starts[b + 1])
    if every or min(len(left), len(right)) == 1:
        return [(j, k) for j in left for k in right]
    if len(left) != len(right):
        raise ValueError(
            f"modalities {layout.names[a]!r} and {layout.names[b]!r} have {len(left)} and "
            f"{len(right)} columns; products of corresponding columns need as many in both (or one "
            'in either). Expected form="bilinear" for the products of all of them.'
        )
    return list(zip(left, right, strict=True))
