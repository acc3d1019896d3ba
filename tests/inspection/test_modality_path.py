"""How many modalities are enough."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GroupKFold, KFold

from mkfusion import MKLClassifier, MKLRegressor, ModalitySelector
from mkfusion.inspection import ModalityPathDisplay, modality_path


def problem(n: int = 90) -> tuple[list[np.ndarray], np.ndarray]:
    """Four modalities: one says most, another some, two nothing."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 4))
    y = np.where(X[:, 2] + 0.6 * X[:, 0] + 0.3 * rng.normal(size=n) > 0, "yes", "no")
    return [rbf_kernel(X[:, [k]], gamma=0.5) for k in range(4)], y


def test_every_split_chooses_and_learns_by_itself() -> None:
    grams, y = problem()
    cv = KFold(3, shuffle=True, random_state=0)
    path = modality_path(
        grams, y, estimator=MKLClassifier(C=2.0), n_modalities=3, cv=cv, scoring="roc_auc"
    )
    by_hand = np.empty((3, 3))
    frequencies = np.zeros((3, 4))
    for split, (train, test) in enumerate(cv.split(y)):
        training = [K[np.ix_(train, train)] for K in grams]
        testing = [K[np.ix_(test, train)] for K in grams]
        selector = ModalitySelector(3, estimator=MKLClassifier(C=2.0))
        for k, own in enumerate(selector.path(training, y[train])):
            kept = own.get_support(indices=True)
            model = MKLClassifier(C=2.0).fit([training[j] for j in kept], y[train])
            scores = model.decision_function([testing[j] for j in kept])
            by_hand[k, split] = roc_auc_score(y[test] == "yes", scores)
            frequencies[k, kept] += 1 / 3
    np.testing.assert_allclose(path.scores, by_hand)
    np.testing.assert_allclose(path.frequencies, frequencies)
    np.testing.assert_allclose(path.means, by_hand.mean(axis=1))
    np.testing.assert_allclose(path.errors, by_hand.std(axis=1, ddof=1) / np.sqrt(3))
    assert path.best == 1 + np.argmax(by_hand.mean(axis=1))
    whole = [ModalitySelector(k, estimator=MKLClassifier(C=2.0)).fit(grams, y) for k in (1, 2, 3)]
    assert path.choices == [selector.modalities_ for selector in whole]
    assert path.choices[:2] == [["kernel2"], ["kernel0", "kernel2"]]
    assert (path.gaps <= 1e-3).all()
    assert path.scoring == "roc_auc"


def test_the_cheapest_within_one_standard_error_is_enough() -> None:
    grams, y = problem()
    parts = {"cheap": [0], "none": [1], "dear": [2], "other": [3]}
    counted = modality_path(grams, y, modalities=parts, random_state=0)
    near = counted.means >= counted.means[counted.best - 1] - counted.errors[counted.best - 1]
    assert counted.enough == 1 + int(np.flatnonzero(near)[0])
    np.testing.assert_array_equal(counted.costs, [len(choice) for choice in counted.choices])
    prices = {"cheap": 1.0, "none": 0.5, "dear": 20.0, "other": 3.0}
    priced = modality_path(grams, y, modalities=parts, costs=prices, random_state=0)
    np.testing.assert_allclose(
        priced.costs, [sum(prices[name] for name in choice) for choice in priced.choices]
    )
    np.testing.assert_array_equal(priced.scores, counted.scores)
    assert priced.costs[priced.enough - 1] == priced.costs[near].min()
    table = priced.to_frame()
    assert table.loc[1, "modalities"] == "dear"
    assert table.loc[1, "chosen in splits"] == priced.frequencies[0, 2]
    assert repr(priced).startswith(f"<ModalityPath: {priced.enough} of 4 are enough: ")


def test_numbers_and_groups() -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:80], y[:80] / 7
    grams = [rbf_kernel(X[:, [k]], gamma=100) for k in (2, 3, 8)]
    groups = np.arange(80) // 4
    path = modality_path(grams, y, cv=GroupKFold(4), groups=groups, n_modalities=2)
    model = MKLRegressor(epsilon=None)
    train, test = next(GroupKFold(4).split(y, groups=groups))
    kept = ModalitySelector(2, estimator=model).fit(
        [K[np.ix_(train, train)] for K in grams], y[train]
    )
    kept = kept.get_support(indices=True)
    model.fit([grams[k][np.ix_(train, train)] for k in kept], y[train])
    score = model.score([grams[k][np.ix_(test, train)] for k in kept], y[test])
    assert path.scores[1, 0] == pytest.approx(score)
    assert path.scoring == "R²"


def test_display() -> None:
    grams, y = problem(60)
    path = modality_path(grams, y, n_modalities=2, cv=3)
    display = ModalityPathDisplay(path).plot()
    line = display.ax_.lines[0]
    np.testing.assert_allclose(line.get_ydata(), path.means)
    np.testing.assert_allclose(line.get_xdata(), [1, 2])
    _, ax = plt.subplots()
    costs = {"kernel0": 2.0, "kernel1": 1.0, "kernel2": 5.0, "kernel3": 1.0}
    priced = modality_path(grams, y, n_modalities=2, cv=3, costs=costs)
    assert ModalityPathDisplay(priced).plot(ax=ax).ax_ is ax
    np.testing.assert_allclose(ax.lines[0].get_xdata(), priced.costs)
    with pytest.raises(TypeError, match="expected a ModalityPath"):
        ModalityPathDisplay(3)


def no_number(model: object, X: object, y: object) -> float:
    return np.nan


def test_scores_are_called_what_they_are() -> None:
    def always(model: object, X: object, y: object) -> float:
        return 0.5

    grams, y = problem(30)
    assert modality_path(grams, y, cv=2, n_modalities=1, scoring=always).scoring == "always"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"costs": {"kernel0": 1.0}}, "expected a mapping from each of"),
        ({"costs": dict.fromkeys(["kernel0", "kernel1", "kernel2", "kernel3"], 0.0)}, "positive"),
        ({"n_modalities": 5}, "n_modalities is 5; expected at most the 4"),
        ({"cv": [(range(40), range(40, 60))]}, "cv gives 1 split; expected two or more"),
        (
            {"cv": 2, "n_modalities": 1, "scoring": no_number},
            "no_number is not a number on split 1 of 2, whose test samples may be too few",
        ),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    grams, y = problem(60)
    with pytest.raises(ValueError, match=message):
        modality_path(grams, y, **arguments)


def test_a_path_shares_its_search() -> None:
    grams, y = problem(60)
    selectors = ModalitySelector(3).path(grams, y)
    assert [selector.n_modalities for selector in selectors] == [1, 2, 3]
    for selector in selectors:
        alone = ModalitySelector(selector.n_modalities).fit(grams, y)
        assert alone.modalities_ == selector.modalities_
        assert selector.objective_ == pytest.approx(alone.objective_, rel=2e-3)
        assert selector.lower_bound_ <= alone.objective_
