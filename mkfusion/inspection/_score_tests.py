"""Kernel score tests: wild signs for their null distribution, guarded by permutations.

The notation is that of :mod:`mkfusion.inspection._whitening`: residuals u = R z of the null model.
A new kernel S is compared with them by u' R S R' u.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats, Indices, Mask
from mkfusion.inspection._permuted_products import permuted_products
from mkfusion.inspection._whitening import Whitened

# Values that differ by less than this share of the largest are equal.
EQUAL = 1e-9
# A kernel of which centring leaves less than this share is constant.
CONSTANT = 1e-12
# The power that makes a kernel see narrower: an RBF kernel four times so.
SHARPENED = 4


# ---------------------------------------------------------------------------- kernels


def centre(K: Floats, present: Mask | None = None) -> Floats:
    """Return a kernel (n, n) whose features are centred over the samples that are present.

    Rows and columns of the others are 0, and all are if it is constant but for rounding.
    """
    if present is not None and not present.all():
        out = np.zeros_like(K)
        rows = np.flatnonzero(present)
        out[np.ix_(rows, rows)] = centre(K[np.ix_(rows, rows)])
        return out
    means = K.mean(axis=0)
    centred = K - means - means[:, np.newaxis] + means.mean()
    constant = np.trace(centred) <= CONSTANT * np.trace(K)
    return np.zeros_like(K) if constant else centred


def scaled(K: Floats) -> Floats:
    """Return a kernel (n, n) of trace n - 1, or of zeros."""
    trace = np.trace(K)
    return K * ((len(K) - 1) / trace) if trace > 0.0 else K


def sharpened(K: Floats) -> Floats:
    """Return the fourth power of the cosine-normalised kernel (n, n), 0 where a sample has none."""
    size = np.sqrt(np.maximum(np.diagonal(K), 0.0))
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)
    cosines: Floats = K * inverse * inverse[:, np.newaxis]
    return cosines**SHARPENED


def group_kernel(groups: Indices) -> Floats:
    """Return the kernel of a random intercept for each group (n,), centred and scaled."""
    same = (groups[:, np.newaxis] == groups).astype(np.float64)
    return scaled(centre(same))


# ---------------------------------------------------------------------------- draws


class Draws(NamedTuple):
    """What the null distributions are drawn with; the first draw of each is what was observed.

    Attributes
    ----------
    signs : ndarray of shape (1 + n_signs, n_groups)
    rows : ndarray of shape (1 + n_permutations, n)
        Which sample's new modalities each sample gets.
    """

    signs: Floats
    rows: Indices


def draw(groups: Indices, n_signs: int, n_permutations: int, rng: np.random.Generator) -> Draws:
    """Draw signs and permutations of whole groups (n,), numbered from 0.

    Row k of a group gets row k, modulo its size, of the group that was drawn for it.
    """
    sizes = np.bincount(groups)
    signs = np.ones((1 + n_signs, len(sizes)))
    signs[1:] -= 2.0 * rng.integers(2, size=(n_signs, len(sizes)))
    order = np.argsort(groups, kind="stable")  # samples, group by group
    first = np.cumsum(sizes) - sizes
    place = np.empty(len(groups), dtype=np.intp)
    place[order] = np.arange(len(groups)) - np.repeat(first, sizes)
    identity = np.arange(len(sizes))
    drawn = rng.permuted(np.tile(identity, (n_permutations, 1)), axis=1)
    given = np.vstack([identity, drawn])[:, groups]
    return Draws(signs, order[first[given] + place % sizes[given]])


def smallest_rank(statistics: Sequence[Floats]) -> float:
    """Return the p-value of the statistic that is the most extreme among the draws.

    Every draw is ranked in every statistic, and those whose best rank is as good as that of the
    first one are counted, so that the choice of the best statistic is accounted for.

    Parameters
    ----------
    statistics : sequence of ndarray of shape (n_draws,)

    Returns
    -------
    float
    """
    ranks = []
    for values in statistics:
        margin = EQUAL * np.abs(values).max()
        # How many are at least as large
        ranks.append(len(values) - np.searchsorted(np.sort(values), values - margin))
    best = np.min(ranks, axis=0)
    return float(np.mean(best <= best[0]))


# ---------------------------------------------------------------------------- statistics


def sign_matrix(one: Whitened, S: Floats, groups: Indices, n_groups: int) -> Floats:
    """Return T (n_groups, n_groups), of which e' T e is the statistic for signs e of the groups.

    What residuals have in common within a group says nothing: it keeps its sign.
    """
    products = np.outer(one.residuals, one.residuals) * (one.root @ S @ one.root.T)
    if n_groups < len(groups) or not np.array_equal(groups, np.arange(n_groups)):
        member = np.zeros((n_groups, len(groups)))
        member[groups, np.arange(len(groups))] = 1.0
        products = member @ products @ member.T
    np.fill_diagonal(products, 0.0)
    return products


def signed(T: Floats, signs: Floats) -> Floats:
    """Return ``e' T e`` (n_draws,) for signs e (n_draws, n_groups)."""
    return np.einsum("bg,bg->b", signs @ T, signs)


def permuted_scores(
    whitened: Sequence[Whitened], K: Floats, rows: Indices, anchors: Sequence[Floats | None]
) -> tuple[Floats, Floats]:
    """Return ``u' R (A o K[rows, rows]) R' u`` for each anchor A, and what is expected of it.

    The expectation, ``tr R (A o K[rows, rows]) R'``, is that of residuals that are alike and
    unrelated. It differs between permutations: a kernel that agrees with the null kernels has less
    in the directions that these leave than a permuted one has.

    Parameters
    ----------
    whitened : sequence of Whitened
        Added up.
    K : ndarray of shape (n, n)
        The kernel that is permuted.
    rows : ndarray of shape (n_draws, n)
    anchors : sequence of ndarray of shape (n, n) or None
        What is multiplied with the kernel and stays; None for nothing.

    Returns
    -------
    scores, expected : ndarray of shape (n_anchors, n_draws)
    """
    observed = np.sum([np.outer(one.scores, one.scores) for one in whitened], axis=0)
    alike = np.sum([one.root.T @ one.root for one in whitened], axis=0)
    matrices = [
        matrix if anchor is None else matrix * anchor
        for matrix in (observed, alike)
        for anchor in anchors
    ]
    products = permuted_products(np.array(matrices), K, rows)
    return products[: len(anchors)], products[len(anchors) :]


def relative(scores: Floats, expected: Floats) -> Floats:
    """Return permuted scores (..., n_draws) over what is expected of them, 0 where that is 0."""
    least = CONSTANT * expected.max(axis=-1, keepdims=True)
    out = np.zeros_like(scores)
    np.divide(scores, expected, out=out, where=expected > least)
    return out


def sign_pvalue(
    whitened: Sequence[Whitened], kernels: Sequence[Floats], groups: Indices, draws: Draws
) -> float:
    """Test new kernels by signs of the residuals.

    Parameters
    ----------
    whitened : sequence of Whitened
        One for each class, if there are several; they are added up, with the same signs.
    kernels : sequence of ndarray of shape (n, n)
    groups : ndarray of shape (n,)
    draws : Draws

    Returns
    -------
    float
    """
    n_groups = draws.signs.shape[1]
    return smallest_rank(
        [
            signed(
                np.sum([sign_matrix(one, S, groups, n_groups) for one in whitened], axis=0),
                draws.signs,
            )
            for S in kernels
        ]
    )


class Contrast(NamedTuple):
    """Null modalities, and new ones that may say what the null ones do not.

    Attributes
    ----------
    null : ndarray of shape (n, n)
        The mean of the null modalities' kernels; zeros if there are none.
    new, sharp : ndarray of shape (n, n)
        The means of the new modalities' kernels, and of their sharpened ones.
    within : ndarray of shape (n, n) or None
        Products of pairs of new modalities, if there are several.
    """

    null: Floats
    new: Floats
    sharp: Floats
    within: Floats | None

    def by_signs(self, whitened: Sequence[Whitened], groups: Indices, draws: Draws) -> float:
        """Return the p-value by signs: of a sum, a product, what is wiggly, and products inside."""
        kernels = [self.new, centre(self.null * self.new), self.sharp]
        if self.within is not None:
            kernels.append(self.within)
        return sign_pvalue(whitened, kernels, groups, draws)

    def by_permutations(self, whitened: Sequence[Whitened], draws: Draws) -> float:
        """Return the p-value by permutations of the new modalities' samples, of the same."""
        statistics: list[Floats] = []
        for K, anchors in (
            (self.new, [None, self.null]),
            (self.sharp, [None]),
            (self.within, [None]),
        ):
            if K is not None:
                statistics.extend(relative(*permuted_scores(whitened, K, draws.rows, anchors)))
        return smallest_rank(statistics)
