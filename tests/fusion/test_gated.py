"""Gated fusion: weights of the modalities that depend on the sample."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from mkfusion import (
    GatedFusionClassifier,
    GatedFusionRegressor,
    LateFusionClassifier,
    LateFusionRegressor,
    Modalities,
)
from mkfusion.fusion import _gated

PAIRS = [("b", [1]), ("c", [2])]
GATE = [("a", [0])]


@pytest.fixture(scope="module")
def regions():
    """Two regions of the first column: in each, one of the other two knows the target."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    return X, np.where(X[:, 0] > 0, X[:, 1], X[:, 2])


def test_beats_both_experts_and_their_best_constant_mixture(regions):
    X, target = regions
    y = target > 0
    alone = [cross_val_score(LogisticRegression(), X[:, [j]], y).mean() for j in (1, 2)]
    late = LateFusionClassifier(modalities=PAIRS, weighting="learned")
    gated = GatedFusionClassifier(modalities=PAIRS, gate_on=GATE)
    assert cross_val_score(gated, X, y).mean() > 0.08 + max(
        *alone, cross_val_score(late, X, y).mean()
    )
    regressors = [
        cross_val_score(model, X, target).mean()
        for model in (
            LateFusionRegressor(modalities=PAIRS, weighting="learned"),
            LateFusionRegressor(modalities=PAIRS, combine="stack"),
            GatedFusionRegressor(modalities=PAIRS, gate_on=GATE),
        )
    ]
    assert regressors[2] > max(regressors[:2]) + 0.1
    fusion = gated.fit(X, y)
    right = fusion.gate(X)[:, 0] > 0.5
    assert (right == (X[:, 0] > 0)).mean() > 0.9


@pytest.mark.parametrize("alpha", [0.0, 1.0, 10.0])
def test_objective_never_decreases_and_is_what_is_documented(regions, alpha):
    X, target = regions
    y = (target > 0).astype(int)
    fusion = GatedFusionClassifier(
        estimator=GaussianNB(), modalities=PAIRS, gate_on=GATE, alpha=alpha
    ).fit(X, y)
    assert len(fusion.objectives_) == fusion.n_iter_ + 1 > 2
    assert (np.diff(fusion.objectives_) >= 0).all()
    held_out = np.stack(
        [cross_val_predict(GaussianNB(), X[:, c], y, method="predict_proba") for _, c in PAIRS], 1
    )[np.arange(400), :, y]
    assert fusion.objectives_[0] == pytest.approx(np.log(held_out.mean(axis=1)).mean())
    penalty = alpha / 800 * (fusion._gate.coef**2).sum()
    mixed = np.einsum("ik,ik->i", fusion.gate(X), held_out)
    assert fusion.objectives_[-1] == pytest.approx(np.log(mixed).mean() - penalty)
    numbers = GatedFusionRegressor(modalities=PAIRS, gate_on=GATE, alpha=alpha).fit(X, target)
    assert (np.diff(numbers.objectives_) >= 0).all()


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_slopes_by_differences(monkeypatch, kind):
    rng = np.random.default_rng(0)
    said = rng.normal(size=(30, 3))
    seen = {}
    monkeypatch.setattr(
        _gated, "descend", lambda loss, start, **_: (seen.update(loss=loss, n=len(start)),
                                                      (start, np.zeros(1)))[1],
    )  # fmt: skip
    chances = -np.abs(said) if kind == "classes" else None
    residuals = None if kind == "classes" else said
    weights = rng.uniform(size=30)
    _gated.fit_gate(
        rng.normal(size=(30, 4)),
        chances,
        residuals,
        weights,
        present=said < 2.0,
        alpha=0.7,
        max_iter=1,
        tol=1.0,
    )
    at = rng.normal(size=seen["n"])
    numeric = approx_fprime(at, lambda t: seen["loss"](t)[0], 1e-7)
    np.testing.assert_allclose(seen["loss"](at)[1], numeric, atol=1e-5)


def test_a_strong_ridge_leaves_constant_weights(regions):
    X, target = regions
    y = target + 2.0 * X[:, 1] > 0
    late = LateFusionClassifier(modalities=PAIRS, weighting="learned").fit(X, y)
    gated = GatedFusionClassifier(modalities=PAIRS, alpha=1e8, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(gated.gate(X[:5]), np.tile(late.weights_, (5, 1)), atol=1e-2)
    np.testing.assert_allclose(gated.weights_, late.weights_, atol=1e-2)


def test_weights_are_weights_and_their_order_does_not_matter(regions):
    X, target = regions
    y = target > 0
    forwards = GatedFusionClassifier(modalities=PAIRS, gate_on=GATE, tol=1e-10).fit(X, y)
    backwards = clone(forwards).set_params(modalities=PAIRS[::-1]).fit(X, y)
    gate = forwards.gate(X)
    assert gate.shape == (400, 2)
    assert gate.min() >= 0
    np.testing.assert_allclose(gate.sum(axis=1), 1.0)
    np.testing.assert_allclose(gate, backwards.gate(X)[:, ::-1], atol=1e-3)
    copied = clone(forwards).set_params(modalities=[("b", [1]), ("b2", [1])]).fit(X, y)
    np.testing.assert_allclose(copied.gate(X), 0.5, atol=1e-6)
    alone = LogisticRegression().fit((X[:, [1]] - X[:, 1].mean()) / X[:, 1].std(), y)
    chances = alone.predict_proba((X[:, [1]] - X[:, 1].mean()) / X[:, 1].std())
    np.testing.assert_allclose(copied.predict_proba(X), chances, atol=1e-6)


def test_a_gate_does_not_trust_who_remembers(regions):
    X, target = regions
    rng = np.random.default_rng(1)
    views = Modalities(signal=X, noise=rng.normal(size=(400, 5)))
    fusion = GatedFusionClassifier(
        [
            ("signal", LogisticRegression(), "signal"),
            ("noise", KNeighborsClassifier(1), "noise"),
        ]
    ).fit(views, X[:, 0] > 0)
    assert fusion.estimators_[1].score(views["noise"], X[:, 0] > 0) == 1.0
    assert fusion.weights_[1] < 0.05


def test_what_the_gate_sees(regions):
    X, target = regions
    y = target > 0
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["notes"] = np.where(X[:, 0] > 0, "up", "down")
    expected = GatedFusionClassifier(modalities=PAIRS, gate_on=GATE).fit(X, y)
    by_name = GatedFusionClassifier(
        modalities=[("b", ["b"]), ("c", ["c"])], gate_on=[("a", ["a"])]
    ).fit(frame, y)
    np.testing.assert_allclose(by_name.gate(frame), expected.gate(X))
    texts = GatedFusionClassifier(
        modalities=[("b", ["b"]), ("c", ["c"])], gate_on=[("notes", TfidfVectorizer(), "notes")]
    ).fit(frame, y)
    assert texts.score(frame, y) > expected.score(X, y)
    views = Modalities(a=X[:, [0]], b=X[:, [1]], c=X[:, [2]], notes=list(frame["notes"]))
    fusion = GatedFusionClassifier(modalities=[("b", "b"), ("c", "c")], gate_on=[("a", "a")])
    np.testing.assert_allclose(fusion.fit(views, y).gate(views), expected.gate(X))
    three = GatedFusionClassifier(modalities=[*PAIRS, ("a", [0])], gate_on=["a"]).fit(X, y)
    assert three.gate(X).shape == (400, 3)
    sparse = csr_matrix(np.where(np.abs(X) > 1, X, 0))
    assert GatedFusionClassifier(modalities=PAIRS).fit(sparse, y).gate(sparse).shape == (400, 2)
    with pytest.raises(ValueError, match="unknown modality 'z'"):
        GatedFusionClassifier(modalities=PAIRS, gate_on=["z"]).fit(X, y)
    with pytest.raises(ValueError, match="gate_on is empty"):
        GatedFusionClassifier(modalities=PAIRS, gate_on=[]).fit(X, y)
    with pytest.raises(ValueError, match="'notes': it has shape.*a transformer"):
        GatedFusionClassifier(
            [("notes", make_pipeline(TfidfVectorizer(), LogisticRegression()), "notes")]
        ).fit(views, y)


def test_parameters_groups_and_decisions(regions):
    X, target = regions
    y = np.where(target > 0, "yes", "no")
    fusion = GatedFusionClassifier(
        [("b", LinearSVC(), [1]), ("c", GaussianNB(), [2])], gate_on=GATE, cv=GroupKFold(4)
    )
    fusion.fit(X, y, groups=np.arange(400) // 10)
    assert fusion.score(X, y) > 0.85
    copy = pickle.loads(pickle.dumps(fusion))
    np.testing.assert_array_equal(copy.predict_proba(X), fusion.predict_proba(X))
    search = GridSearchCV(
        clone(fusion).set_params(cv=3), {"b__C": [0.1, 1.0], "alpha": [0.1, 10.0]}
    ).fit(X, y)
    assert search.best_params_.keys() == {"b__C", "alpha"}


def test_weights_of_samples(regions):
    X, target = regions
    weights = np.where(X[:, 0] > 0, 1.0, 1e-3)
    model = GatedFusionRegressor(estimator=Ridge(), modalities=PAIRS, gate_on=GATE, alpha=100.0)
    assert model.fit(X, target, sample_weight=weights).weights_[0] > 0.9
    with pytest.raises(ValueError, match="sample_weight is 0 for all samples that cv holds out"):
        model.set_params(cv=[(np.arange(300), np.arange(300, 400))]).fit(
            X, target, sample_weight=np.arange(400) < 300
        )


def test_says_if_it_did_not_get_there(regions):
    X, target = regions
    with pytest.warns(ConvergenceWarning, match="max_iter=1 steps did not suffice"):
        GatedFusionClassifier(modalities=PAIRS, gate_on=GATE, max_iter=1).fit(X, target > 0)
