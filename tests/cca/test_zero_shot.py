"""Classes that are known by their descriptions alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

from mkfusion.cca import CCA, KernelCCA, ZeroShotClassifier, retrieve

rng = np.random.default_rng(0)
CORNERS = {"sw": [0.0, 0.0], "se": [1.0, 0.0], "nw": [0.0, 1.0], "ne": [1.0, 1.0]}
LABELS = np.repeat(list(CORNERS), 15)
POINTS = np.array([CORNERS[label] for label in LABELS]) + 0.1 * rng.normal(size=(60, 2))
POINTS = POINTS @ rng.normal(size=(2, 6)) + 3.0
SEEN = LABELS != "ne"


def test_recognises_what_it_has_not_seen() -> None:
    table = pd.DataFrame.from_dict(CORNERS, orient="index")
    for descriptions in (CORNERS, table, table[::-1]):
        model = ZeroShotClassifier(descriptions).fit(POINTS[SEEN], LABELS[SEEN])
        assert model.classes_.tolist() == sorted(CORNERS)
        assert model.score(POINTS, LABELS) > 0.9
        assert model.decision_function(POINTS).shape == (60, 4)
    two = ZeroShotClassifier(CORNERS, candidates=["sw", "ne"]).fit(POINTS[SEEN], LABELS[SEEN])
    assert two.classes_.tolist() == ["ne", "sw"]
    assert (two.predict(POINTS[~SEEN]) == "ne").all()
    assert two.decision_function(POINTS).shape == (60,)
    one = ZeroShotClassifier(CORNERS, candidates=["ne"]).fit(POINTS[SEEN], LABELS[SEEN])
    assert (one.predict(POINTS) == "ne").all()


def test_is_nearest_by_cosine_in_the_shared_space() -> None:
    model = ZeroShotClassifier(CORNERS, coordination=CCA(2)).fit(POINTS[SEEN], LABELS[SEEN])
    described = np.array([CORNERS[label] for label in LABELS])
    cca = CCA(2).fit(POINTS[SEEN], described[SEEN])
    scores = cca.transform_modality(list(CORNERS.values()), "y")
    nearest = retrieve(cca.transform(POINTS), scores, 1).indices[:, 0]
    np.testing.assert_array_equal(model.predict(POINTS), np.array(list(CORNERS))[nearest])


def test_kernels_and_numbers_as_labels() -> None:
    X, y = load_digits(return_X_y=True)
    coordination = KernelCCA([("X", "rbf", [0]), ("y", "rbf", [1])])
    model = ZeroShotClassifier(coordination=KernelCCA(n_components=9)).fit(X[:200], y[:200])
    assert model.score(X[300:500], y[300:500]) > 0.7
    assert cross_val_score(ZeroShotClassifier(), X[:500], y[:500], cv=3).mean() > 0.7
    assert clone(ZeroShotClassifier(coordination=coordination)).coordination is not coordination


@pytest.mark.parametrize(
    ("params", "labels", "message"),
    [
        ({"descriptions": {"sw": [0.0], "se": [1.0]}}, LABELS, r"y has the classes \['ne', 'nw'\]"),
        ({"descriptions": CORNERS, "candidates": ["up"]}, LABELS, r"candidates has .*\['up'\]"),
        ({"descriptions": CORNERS}, np.full(60, "sw"), "y has one class, 'sw'"),
        ({"descriptions": 3}, LABELS, "descriptions"),
        (
            {"descriptions": pd.DataFrame([[1.0], [2.0]], index=["sw", "sw"])},
            LABELS,
            "descriptions has a label twice",
        ),
        ({"descriptions": {**CORNERS, "se": [np.nan, 0.0]}}, LABELS, "descriptions contains NaN"),
    ],
)
def test_bad_descriptions(params: dict, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ZeroShotClassifier(**params).fit(POINTS, labels)
