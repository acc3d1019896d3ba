"""The gap between modalities in a shared space."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from mkfusion.inspection import ModalityGapDisplay, modality_gap

RNG = np.random.default_rng(0)
IDEA = RNG.normal(size=(60, 6))
SHIFT = np.array([4.0, 0.0, 0.0, 0.0, 0.0, 0.0])
SCORES = {
    "text": IDEA + SHIFT,
    "image": IDEA - SHIFT + 0.4 * RNG.normal(size=(60, 6)),
    "sound": 3.0 * IDEA + 0.8 * RNG.normal(size=(60, 6)),
}


def units(Z: np.ndarray) -> np.ndarray:
    return Z / np.sqrt((Z**2).sum(axis=1))[:, np.newaxis]


def test_measures_by_hand() -> None:
    gap = modality_gap(SCORES, random_state=0)
    before = {name: units(Z) for name, Z in SCORES.items()}
    after = {name: units(Z - Z.mean(axis=0)) for name, Z in before.items()}
    for u, a in enumerate(SCORES):
        for v, b in enumerate(SCORES):
            distance = np.linalg.norm(before[a].mean(axis=0) - before[b].mean(axis=0))
            assert gap.distances[u, v] == pytest.approx(distance)
            for when, space in enumerate((before, after)):
                if u == v:
                    assert np.isnan(gap.recall[when, u, v])
                    continue
                cosines = cosine_similarity(space[a], space[b])
                ranks = (cosines >= np.diag(cosines)[:, np.newaxis]).sum(axis=1)
                assert gap.recall[when, u, v] == pytest.approx(np.mean(ranks == 1))
                assert gap.reciprocal_rank[when, u, v] == pytest.approx(np.mean(1 / ranks))
                assert gap.median_rank[when, u, v] == np.median(ranks)
    table = gap.to_frame()
    assert table.shape == (6, 7)
    assert table.loc["text to image", "closed_recall"] == gap.recall[1, 0, 1]


def test_a_gap_is_told_and_closing_it_helps() -> None:
    two = {name: SCORES[name] for name in ("text", "image")}
    gap = modality_gap(two, random_state=0)
    assert gap.separability[0] == 1.0
    assert 0.3 < gap.separability[1] < 0.7  # chance: 0.5
    assert gap.reciprocal_rank[1, 0, 1] > 2.0 * gap.reciprocal_rank[0, 0, 1]
    none = modality_gap({"one": IDEA, "other": IDEA}, random_state=0)
    assert none.distances[0, 1] == 0.0
    np.testing.assert_allclose(none.separability, 0.5, atol=0.01)
    np.testing.assert_array_equal(none.recall[:, 0, 1], 1.0)


def test_picture_and_words() -> None:
    gap = modality_gap(SCORES, random_state=0)
    assert "modality told" in str(gap) and "closed" in repr(gap)
    for closed in (False, True):
        display = ModalityGapDisplay(gap).plot(closed=closed)
        assert len(display.ax_.collections) == 3
        drawn = display.ax_.collections[2].get_offsets()
        # Cosines of points in a plane are nothing, but their spread is that of the vectors.
        np.testing.assert_array_equal(drawn, gap.points[int(closed), 2])
    line = modality_gap({"a": [[1.0], [2.0], [-1.0]], "b": [[1.0], [-2.0], [3.0]]}, cv=2)
    assert line.points.shape == (2, 2, 3, 2)
    with pytest.raises(TypeError, match="gap is a dict"):
        ModalityGapDisplay({})


def test_refusals() -> None:
    for scores, options, error, message in (
        ([IDEA, IDEA], {}, TypeError, "scores is a list"),
        ({"a": IDEA}, {}, ValueError, "expected at least two"),
        ({"a": IDEA, "b": IDEA[:5]}, {}, ValueError, "partners in the same space"),
        ({"a": IDEA, "b": IDEA[:, :2]}, {}, ValueError, "partners in the same space"),
        ({"a": IDEA, "b": np.where(IDEA > 2, np.nan, IDEA)}, {}, ValueError, "b contains NaN"),
        ({1: IDEA, "1": IDEA}, {}, ValueError, "scores has '1' more than once"),
        (
            {"a": pd.DataFrame(IDEA), "b": pd.DataFrame(IDEA, index=np.arange(60)[::-1])},
            {},
            ValueError,
            "b has the ids of a in another order",
        ),
        ({"a": IDEA, "b": IDEA}, {"cv": 1}, ValueError, "cv"),
        ({"a": IDEA, "b": IDEA}, {"cv": 61}, ValueError, "at most the number of samples, 60"),
    ):
        with pytest.raises(error, match=message):
            modality_gap(scores, **options)
