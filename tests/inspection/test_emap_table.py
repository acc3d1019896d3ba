"""The table of projections: several models, several targets, on held-out samples."""

import re

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from mkfusion import (
    EarlyFusionRegressor,
    GatedFusionClassifier,
    GatedFusionRegressor,
    InteractionClassifier,
    InteractionRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
    Modalities,
    ModalityShiftClassifier,
    ModalityShiftRegressor,
)
from mkfusion.inspection import emap, emap_table

PAIR = [("a", [0]), ("b", [1])]


def data(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, {"product": X[:, 0] * X[:, 1], "sum": X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=n)}


def test_cells_are_the_projections_of_each_model_by_itself():
    X, targets = data()
    models = {
        "tree": DecisionTreeRegressor(max_depth=3, random_state=0),
        "line": LinearRegression(),
    }
    folds = KFold(3)
    table = emap_table(models, X, targets, modalities=PAIR, cv=folds)
    for k, model in enumerate(models.values()):
        for t, y in enumerate(targets.values()):
            np.testing.assert_allclose(
                table.scores[k, t, :, 0], cross_val_score(model, X, y, cv=folds)
            )
            for f, (train, test) in enumerate(folds.split(X)):
                fitted = clone(model).fit(X[train], y[train])
                alone = emap(fitted, X[test], y[test], modalities=PAIR)
                assert table.scores[k, t, f, 1] == pytest.approx(alone.scores["projection"])
    frame = table.to_frame()
    assert list(frame.index.names) == ["target", "model"] and len(frame) == 4
    np.testing.assert_allclose(frame["gap"], frame["score"] - frame["projection"], atol=1e-12)
    assert frame.loc[("sum", "line"), "gap"] == pytest.approx(0.0, abs=1e-12)
    # A product's projection on held-out samples, in closed form
    a, b, y = X[:20, 0], X[:20, 1], targets["product"][:20]
    additive = a * b.mean() + a.mean() * b - a.mean() * b.mean()
    wanted = 1 - ((y - additive) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    exact = emap_table({"exact": InteractionRegressor()}, X, targets, modalities=PAIR, cv=folds)
    assert exact.scores[0, 0, 0].tolist() == pytest.approx([1.0, wanted])


def test_fusions_of_numbers():
    """Late fusion and additive regression have no gap; products, gates and shifts have."""
    X, targets = data(60)
    samples = Modalities(a=X[:, :1], b=X[:, 1:])
    models = {
        "late": LateFusionRegressor(),
        "early": EarlyFusionRegressor(),
        "additive": InteractionRegressor(form="additive"),
        "products": InteractionRegressor(),
        "gated": GatedFusionRegressor(),
        "shift": ModalityShiftRegressor("a"),
    }
    table = emap_table(models, samples, {"product": targets["product"]}, cv=2, random_state=0)
    largest = np.abs(np.diff(table.scores[:, 0], axis=2)).max(axis=(1, 2))
    gap = dict(zip(models, largest, strict=True))
    for name in ("late", "early", "additive"):
        assert gap[name] < 1e-10, name
    for name in ("products", "gated", "shift"):
        assert gap[name] > 1e-6, name
    assert table.gap[3, 0] > 0.5


def test_fusions_of_classes():
    X, targets = data(60)
    samples = Modalities(a=X[:, :1], b=X[:, 1:])
    y = {name: np.where(values > 0, "up", "down") for name, values in targets.items()}
    models = [
        ("late", LateFusionClassifier()),
        ("products", InteractionClassifier(penalty="ridge", alpha=0.1)),
        ("gated", GatedFusionClassifier()),
        ("shift", ModalityShiftClassifier("a")),
    ]
    table = emap_table(models, samples, y, cv=2, scoring="accuracy", random_state=0)
    assert table.model_names == ["late", "products", "gated", "shift"]
    assert table.gap[1, 0] > 0.2, "classes by the sign of a product"
    assert abs(table.gap[0, 0]) < 1e-12, "a mean of chances is additive"
    text = str(table)
    assert text.startswith("accuracy on the test samples of 2 folds")
    for name, model in zip(table.model_names, text.splitlines()[2:], strict=True):
        assert model.startswith(name)
    assert not re.search(r"-0\.000", text)


def test_folds_keep_groups_and_classes():
    X, targets = data(60)
    y = (targets["sum"] > 1).astype(int)
    groups = np.repeat(np.arange(12), 5)
    model = {"svm": SVC()}
    same = emap_table(model, X, y, modalities=PAIR, cv=GroupKFold(3), groups=groups)
    by_hand = cross_val_score(SVC(), X, y, cv=GroupKFold(3), groups=groups)
    np.testing.assert_allclose(same.scores[0, 0, :, 0], by_hand)
    drawn = emap_table(model, X, y, modalities=PAIR, cv=3, random_state=0)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    folds = StratifiedKFold(3, shuffle=True, random_state=int(seed))
    np.testing.assert_allclose(drawn.scores[0, 0, :, 0], cross_val_score(SVC(), X, y, cv=folds))
    assert drawn.target_names == ["y"]


def test_intervals_are_the_corrected_ones():
    X, targets = data(60)
    table = emap_table({"p": InteractionRegressor()}, X, targets, modalities=PAIR, cv=KFold(4))
    gaps = table.scores[0, 0, :, 0] - table.scores[0, 0, :, 1]
    error = np.sqrt((1 / 4 + 15 / 45) * gaps.var(ddof=1))
    low, high = table.gap_interval
    reach = 3.182446305284263 * error  # t of 3 degrees of freedom, two-sided 95 %
    assert (low[0, 0], high[0, 0]) == pytest.approx((gaps.mean() - reach, gaps.mean() + reach))


def test_targets_of_a_frame():
    X, targets = data(40)
    by_dict = emap_table({"l": LinearRegression()}, X, targets, modalities=PAIR, cv=KFold(2))
    by_frame = emap_table(
        {"l": LinearRegression()}, X, pd.DataFrame(targets), modalities=PAIR, cv=KFold(2)
    )
    np.testing.assert_array_equal(by_dict.scores, by_frame.scores)
    with parallel_config(backend="threading"):
        together = emap_table(
            {"l": LinearRegression()}, X, targets, modalities=PAIR, cv=KFold(2), n_jobs=2
        )
    np.testing.assert_array_equal(by_dict.scores, together.scores)
    assert by_frame.target_names == ["product", "sum"]


@pytest.mark.parametrize(
    "models, message",
    [
        ({}, "estimators is {}; expected a dict"),
        (SVC(), "estimators is SVC()"),
        ({"a": SVC(), "b": LinearRegression()}, "classifiers and regressors"),
        ([("a", SVC()), ("a", SVC())], "a name of its own"),
        ({"a": PAIR}, "expected an estimator"),
    ],
)
def test_models_that_cannot_be_compared(models, message):
    X, targets = data(40)
    with pytest.raises((TypeError, ValueError)) as caught:
        emap_table(models, X, targets, modalities=PAIR)
    assert message in str(caught.value)


def test_a_note_says_which_model_failed():
    X, targets = data(40)
    with pytest.raises(ValueError) as caught:
        emap_table({"svm": SVC()}, X, targets, modalities=PAIR, cv=KFold(2))
    assert caught.value.__notes__ == ["raised by the model 'svm' for the target 'product'"]
    with pytest.raises(ValueError, match="targets is empty"):
        emap_table({"l": LinearRegression()}, X, {}, modalities=PAIR)
    two = {1: X[:, 0], "1": X[:, 1]}
    with pytest.raises(ValueError, match="targets has '1' more than once"):
        emap_table({"l": LinearRegression()}, X, two, modalities=PAIR)
    with pytest.raises(ValueError, match="cv gives no splits"):
        emap_table({"l": LinearRegression()}, X, targets, modalities=PAIR, cv=iter([]))


def test_folds_that_can_be_had_once_are_for_all_targets():
    """An iterator was used up by the first target, whose folds were shared out among all."""
    X, targets = data(40)
    folds = list(KFold(4).split(X))
    given = {"modalities": PAIR, "random_state": 0}
    wanted = emap_table({"l": LinearRegression()}, X, targets, cv=folds, **given)
    found = emap_table({"l": LinearRegression()}, X, targets, cv=iter(folds), **given)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    assert found.scores.shape == (1, len(targets), 4, 2)
