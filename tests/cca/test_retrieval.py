"""Retrieval and its measures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

from mkfusion.cca import (
    _retrieval as retrieval,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    recall_at_k,
    retrieve,
)

rng = np.random.default_rng(0)
QUERY, GALLERY = rng.normal(size=(30, 4)), rng.normal(size=(50, 4))
QUERY_LABELS, GALLERY_LABELS = rng.integers(3, size=30), rng.integers(4, size=50)


@pytest.fixture(params=[2**26, 8 * 50 * 7], ids=["at once", "in batches"], autouse=True)
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_BLOCK_BYTES", request.param)


def test_the_most_similar_first() -> None:
    cosines = cosine_similarity(QUERY, GALLERY)
    found = retrieve(QUERY, GALLERY, 5)
    np.testing.assert_array_equal(found.indices, np.argsort(-cosines, axis=1)[:, :5])
    np.testing.assert_allclose(found.similarities, -np.sort(-cosines, axis=1)[:, :5])
    scaled = retrieve(QUERY * rng.uniform(0.1, 9.0, size=(30, 1)), GALLERY * 3.0, 5)
    np.testing.assert_array_equal(found.indices, scaled.indices)


def test_equal_ones_and_zeros() -> None:
    found = retrieve([[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], 3)
    assert found.indices.tolist() == [[1, 2, 0], [0, 1, 2]]
    np.testing.assert_array_equal(found.similarities, [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def test_recall_by_hand() -> None:
    for k in (1, 3, 30):
        ranks = np.argsort(-cosine_similarity(QUERY, GALLERY[:30]), axis=1)
        expected = np.mean([i in row[:k] for i, row in enumerate(ranks)])
        assert recall_at_k(QUERY, GALLERY[:30], k) == pytest.approx(expected)
        ranks = np.argsort(-cosine_similarity(QUERY, GALLERY), axis=1)
        found = zip(QUERY_LABELS, GALLERY_LABELS[ranks], strict=True)
        expected = np.mean([label in row[:k] for label, row in found])
        assert recall_at_k(
            QUERY, GALLERY, k, query_labels=QUERY_LABELS, gallery_labels=GALLERY_LABELS
        ) == pytest.approx(expected)


def test_average_precision_by_scikit_learn() -> None:
    cosines = cosine_similarity(QUERY, GALLERY)
    expected = np.mean(
        [
            average_precision_score(GALLERY_LABELS == label, row)
            for label, row in zip(QUERY_LABELS, cosines, strict=True)
        ]
    )
    names = np.array(["one", "two", "three", "four"])
    for wanted, offered in (
        (QUERY_LABELS, GALLERY_LABELS),
        (names[QUERY_LABELS], names[GALLERY_LABELS]),
    ):
        found = mean_average_precision(QUERY, GALLERY, query_labels=wanted, gallery_labels=offered)
        assert found == pytest.approx(expected)
    pairs = cosine_similarity(QUERY, GALLERY[:30])
    ranks = 1 + np.sum(pairs > np.diag(pairs)[:, np.newaxis], axis=1)
    assert mean_average_precision(QUERY, GALLERY[:30]) == pytest.approx(np.mean(1.0 / ranks))


def test_ranks_by_hand() -> None:
    order = np.argsort(-cosine_similarity(QUERY, GALLERY), axis=1)
    ranks = [
        1 + np.flatnonzero(GALLERY_LABELS[row] == label)[0]
        for label, row in zip(QUERY_LABELS, order, strict=True)
    ]
    labels = {"query_labels": QUERY_LABELS, "gallery_labels": GALLERY_LABELS}
    found = mean_reciprocal_rank(QUERY, GALLERY, **labels)
    assert found == pytest.approx(np.mean(1.0 / np.array(ranks)))
    assert median_rank(QUERY, GALLERY, **labels) == np.median(ranks)
    # With one right sample for each query it is the mean average precision.
    pairs = QUERY, GALLERY[:30]
    assert mean_reciprocal_rank(*pairs) == pytest.approx(mean_average_precision(*pairs))
    # A space in which all are alike finds nothing.
    assert median_rank(np.ones((9, 2)), np.ones((9, 2))) == 9.0


def test_perfect_and_constant() -> None:
    assert recall_at_k(QUERY, QUERY) == mean_average_precision(QUERY, QUERY) == 1.0
    same = np.ones((20, 2))
    assert recall_at_k(same, same, k=5) == pytest.approx(0.25)
    assert mean_average_precision(same, same) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retrieve(QUERY, GALLERY[:, :3]), "query has 4 components and gallery 3"),
        (lambda: retrieve(QUERY, GALLERY, 51), "k == 51, must be <= 50"),
        (lambda: retrieve(QUERY, GALLERY, 0), "k == 0"),
        (lambda: retrieve(QUERY * np.nan, GALLERY), "query contains NaN"),
        (lambda: recall_at_k(QUERY, GALLERY), "query has 30 samples and gallery 50"),
        (lambda: recall_at_k(QUERY, GALLERY, query_labels=QUERY_LABELS), "expected both"),
        (lambda: recall_at_k(QUERY[0, 0], GALLERY), "Expected 2D array"),
        (
            lambda: mean_average_precision(
                QUERY, GALLERY, query_labels=np.arange(30), gallery_labels=np.arange(20, 70)
            ),
            r"query_labels has \[0, 1, 2, 3, 4\], which gallery_labels has not",
        ),
        (
            lambda: recall_at_k(
                QUERY, GALLERY, query_labels=QUERY_LABELS, gallery_labels=QUERY_LABELS
            ),
            "gallery_labels has length 30; expected 50",
        ),
    ],
)
def test_bad_input(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
