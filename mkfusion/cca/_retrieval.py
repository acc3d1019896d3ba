"""Finding samples of one modality by samples of another, in a shared space."""

from __future__ import annotations

from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_scalar, gen_batches
from sklearn.utils.validation import column_or_1d

from mkfusion._types import Floats

# Similarities that are looked at together, in bytes.
_BLOCK_BYTES = 2**26


class Retrieved(NamedTuple):
    """Outcome of :func:`retrieve`.

    Attributes
    ----------
    indices : ndarray of shape (n_queries, k)
        Rows of the gallery, the most similar first.
    similarities : ndarray of shape (n_queries, k)
        Their cosines with the query.

    Examples
    --------
    >>> from mkfusion import retrieve
    >>> indices, similarities = retrieve([[1.0, 0.0]], [[0.0, 1.0], [2.0, 0.0]], k=1)
    >>> indices, similarities
    (array([[1]]), array([[1.]]))
    """

    indices: NDArray[np.intp]
    similarities: Floats


def retrieve(query: ArrayLike, gallery: ArrayLike, k: int = 10) -> Retrieved:
    """Find the samples that are most similar to each query in a shared space.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_components)
        Scores of one modality, such as ``cca.transform_modality(texts, "text")``. Sums and
        differences of scores are queries too.
    gallery : array-like of shape (n_gallery, n_components)
        Scores of another modality, or of the same one.
    k : int, default=10
        How many to find for each query.

    Returns
    -------
    Retrieved
        Named tuple of `indices` and `similarities`, by decreasing cosine; equal ones come in the
        order of the gallery. A vector of length 0 has the similarity 0 with all others.

    Raises
    ------
    ValueError
        If k is more than there are in the gallery, or the numbers of components differ.

    See Also
    --------
    recall_at_k, mean_average_precision, mean_reciprocal_rank, median_rank : How good is it?
    ZeroShotClassifier : A gallery of classes.

    Notes
    -----
    All components count alike, as scores have variance one. Multiply both sides by
    ``cca.canonical_correlations_`` to let those count more that hold better: with many components
    that helps as a rule.

    Examples
    --------
    >>> from mkfusion import retrieve
    >>> found = retrieve([[1.0, 0.1]], [[0.0, 1.0], [2.0, 0.0], [-1.0, 0.0]], k=2)
    >>> found.indices
    array([[1, 0]])
    >>> found.similarities.round(2)
    array([[1. , 0.1]])
    """
    queries, rows = _unit(query, gallery)
    check_scalar(k, "k", Integral, min_val=1, max_val=len(rows))
    indices = np.empty((len(queries), k), dtype=np.intp)
    similarities = np.empty((len(queries), k))
    for batch in _batches(queries, rows):
        cosines = queries[batch] @ rows.T
        indices[batch] = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        similarities[batch] = np.take_along_axis(cosines, indices[batch], axis=1)
    return Retrieved(indices, similarities)


def recall_at_k(
    query: ArrayLike,
    gallery: ArrayLike,
    k: int = 1,
    *,
    query_labels: ArrayLike | None = None,
    gallery_labels: ArrayLike | None = None,
) -> float:
    """Return for how many queries a right sample is among the k most similar ones.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_components)
        Scores of one modality.
    gallery : array-like of shape (n_gallery, n_components)
        Scores of another modality.
    k : int, default=1
        How many are looked at. One right sample among them suffices, as is usual in cross-modal
        retrieval, however many there are in the gallery.
    query_labels : array-like of shape (n_queries,), default=None
        Right are the samples of the query's label. None: right is the sample in the same row alone.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Labels of the gallery, with `query_labels`.

    Returns
    -------
    float
        Between 0 and 1. Chance is ``k / n_gallery`` for pairs.

    Raises
    ------
    ValueError
        If a query has no right sample in the gallery, or shapes do not fit.

    Examples
    --------
    >>> from mkfusion import recall_at_k
    >>> recall_at_k([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.9, 0.1]], k=1)
    0.0
    >>> recall_at_k([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.9, 0.1]], k=2)
    1.0
    """
    wanted, offered = _labels(query, gallery, query_labels, gallery_labels)
    found = retrieve(query, gallery, k).indices
    return float((offered[found] == wanted[:, np.newaxis]).any(axis=1).mean())


def mean_average_precision(
    query: ArrayLike,
    gallery: ArrayLike,
    *,
    query_labels: ArrayLike | None = None,
    gallery_labels: ArrayLike | None = None,
) -> float:
    """Return the mean average precision of the gallery ranked for each query.

    The average precision of a query is the mean, over the right samples, of the share of right ones
    among all that are ranked as high: with one right sample, one over its rank.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_components)
        Scores of one modality.
    gallery : array-like of shape (n_gallery, n_components)
        Scores of another modality.
    query_labels : array-like of shape (n_queries,), default=None
        Right are the samples of the query's label. None: right is the sample in the same row alone.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Labels of the gallery, with `query_labels`.

    Returns
    -------
    float
        Between 0 and 1. Chance is about the share of right samples, for labels.

    Raises
    ------
    ValueError
        If a query has no right sample in the gallery, or shapes do not fit.

    See Also
    --------
    sklearn.metrics.label_ranking_average_precision_score : What is computed.

    Examples
    --------
    >>> from mkfusion import mean_average_precision
    >>> mean_average_precision([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.9, 0.1]])
    0.5
    """
    wanted, offered = _labels(query, gallery, query_labels, gallery_labels)
    queries, rows = _unit(query, gallery)
    total = 0.0
    for batch in _batches(queries, rows):
        right = wanted[batch][:, np.newaxis] == offered
        cosines = queries[batch] @ rows.T
        total += len(cosines) * label_ranking_average_precision_score(right, cosines)
    return total / len(queries)


def mean_reciprocal_rank(
    query: ArrayLike,
    gallery: ArrayLike,
    *,
    query_labels: ArrayLike | None = None,
    gallery_labels: ArrayLike | None = None,
) -> float:
    """Return the mean over queries of one over the rank of the first right sample.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_components)
        Scores of one modality.
    gallery : array-like of shape (n_gallery, n_components)
        Scores of another modality.
    query_labels : array-like of shape (n_queries,), default=None
        Right are the samples of the query's label. None: right is the sample in the same row alone.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Labels of the gallery, with `query_labels`.

    Returns
    -------
    float
        Between 0 and 1. Chance is about ``(log(n_gallery) + 0.58) / n_gallery`` for pairs, for
        which it is the mean average precision too. Wrong samples that are as similar as the right
        one come before it.

    Raises
    ------
    ValueError
        If a query has no right sample in the gallery, or shapes do not fit.

    Examples
    --------
    >>> from mkfusion import mean_reciprocal_rank
    >>> mean_reciprocal_rank([[1.0, 0.0], [0.1, 1.0]], [[1.0, 0.2], [0.0, 1.0]])
    1.0
    >>> mean_reciprocal_rank([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.9, 0.1]])
    0.5
    """
    return float(np.mean(1.0 / _ranks(query, gallery, query_labels, gallery_labels)))


def median_rank(
    query: ArrayLike,
    gallery: ArrayLike,
    *,
    query_labels: ArrayLike | None = None,
    gallery_labels: ArrayLike | None = None,
) -> float:
    """Return the median over queries of the rank of the first right sample.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_components)
        Scores of one modality.
    gallery : array-like of shape (n_gallery, n_components)
        Scores of another modality.
    query_labels : array-like of shape (n_queries,), default=None
        Right are the samples of the query's label. None: right is the sample in the same row alone.
    gallery_labels : array-like of shape (n_gallery,), default=None
        Labels of the gallery, with `query_labels`.

    Returns
    -------
    float
        At least 1. Chance is ``(n_gallery + 1) / 2`` for pairs. Wrong samples that are as similar
        as the right one come before it.

    Raises
    ------
    ValueError
        If a query has no right sample in the gallery, or shapes do not fit.

    Examples
    --------
    >>> from mkfusion import median_rank
    >>> median_rank([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.9, 0.1]])
    2.0
    """
    return float(np.median(_ranks(query, gallery, query_labels, gallery_labels)))


def _ranks(
    query: ArrayLike,
    gallery: ArrayLike,
    query_labels: ArrayLike | None,
    gallery_labels: ArrayLike | None,
) -> Floats:
    """Return the rank (n_queries,) of the first right sample, behind wrong ones as similar."""
    wanted, offered = _labels(query, gallery, query_labels, gallery_labels)
    queries, rows = _unit(query, gallery)
    ranks = np.empty(len(queries))
    for batch in _batches(queries, rows):
        right = wanted[batch][:, np.newaxis] == offered
        cosines = queries[batch] @ rows.T
        best = np.where(right, cosines, -np.inf).max(axis=1, keepdims=True)
        ranks[batch] = 1.0 + np.count_nonzero((cosines >= best) & ~right, axis=1)
    return ranks


def check_same_space(
    first: ArrayLike, second: ArrayLike, names: tuple[str, str]
) -> tuple[Floats, Floats]:
    """Return two arrays of scores, refused if these are not numbers in the same space."""
    a, b = (
        check_array(scores, dtype=np.float64, input_name=name)
        for scores, name in zip((first, second), names, strict=True)
    )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[0]} has {a.shape[1]} components and {names[1]} {b.shape[1]}; expected scores "
            "in the same space."
        )
    return a, b


def _unit(query: ArrayLike, gallery: ArrayLike) -> tuple[Floats, Floats]:
    """Return rows of length one, or zero where they were."""
    queries, rows = check_same_space(query, gallery, ("query", "gallery"))
    return normalize(queries), normalize(rows)


def _batches(queries: Floats, rows: Floats) -> list[slice]:
    return list(gen_batches(len(queries), max(1, _BLOCK_BYTES // (8 * len(rows)))))


def _labels(
    query: ArrayLike,
    gallery: ArrayLike,
    query_labels: ArrayLike | None,
    gallery_labels: ArrayLike | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return numbers that are equal where a sample is right for a query."""
    n_queries, n_gallery = map(len, check_same_space(query, gallery, ("query", "gallery")))
    if (query_labels is None) != (gallery_labels is None):
        raise ValueError("expected both query_labels and gallery_labels, or neither.")
    if query_labels is None:
        if n_queries != n_gallery:
            raise ValueError(
                f"query has {n_queries} samples and gallery {n_gallery}; expected pairs, or "
                "query_labels and gallery_labels."
            )
        return np.arange(n_queries), np.arange(n_gallery)
    wanted, offered = column_or_1d(query_labels), column_or_1d(gallery_labels)
    for name, labels, n in (("query", wanted, n_queries), ("gallery", offered, n_gallery)):
        if len(labels) != n:
            raise ValueError(f"{name}_labels has length {len(labels)}; expected {n}.")
    missing = np.setdiff1d(wanted, offered)
    if len(missing):
        raise ValueError(
            f"query_labels has {missing[:5].tolist()}, which gallery_labels has not; expected a "
            "right sample for every query."
        )
    found, wanted_ids = np.unique(wanted, return_inverse=True)
    positions = np.searchsorted(found, offered).clip(max=len(found) - 1)
    return wanted_ids, np.where(found[positions] == offered, positions, -1)
