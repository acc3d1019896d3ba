"""Modality shift: a primary modality, corrected by the others."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mkfusion import Modalities, ModalityShiftClassifier, ModalityShiftRegressor
from mkfusion.fusion import _shift

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 6))
NUMBERS = X[:, 0] + X[:, 1] + 0.8 * X[:, 3] + 0.1 * rng.normal(size=300)
y = np.digitize(NUMBERS, [-1.0, 1.0])
PAIRS = [("words", [0, 1]), ("voice", [2, 3]), ("face", [4, 5])]


def test_starts_at_the_primary_alone_and_never_gets_worse():
    model = ModalityShiftClassifier("words", LogisticRegression(), PAIRS).fit(X, y)
    chances = cross_val_predict(LogisticRegression(), X[:, :2], y, method="predict_proba")
    assert model.objectives_[0] == pytest.approx(-log_loss(y, chances))
    assert (np.diff(model.objectives_) >= 0).all()
    assert model.n_iter_ == len(model.objectives_) - 1 > 2
    numbers = ModalityShiftRegressor("words", Ridge(), PAIRS).fit(X, NUMBERS)
    assert numbers.objectives_[0] == pytest.approx(-0.5)
    assert (np.diff(numbers.objectives_) >= 0).all()


def test_better_than_the_primary_alone_on_new_samples():
    alone = cross_val_score(LogisticRegression(), X[:, :2], y).mean()
    model = ModalityShiftClassifier(modalities=PAIRS)
    assert cross_val_score(model, X, y).mean() > alone + 0.05
    alone = cross_val_score(Ridge(), X[:, :2], NUMBERS).mean()
    numbers = ModalityShiftRegressor(modalities=PAIRS)
    assert cross_val_score(numbers, X, NUMBERS).mean() > alone + 0.15
    numbers.fit(X, NUMBERS)
    assert np.linalg.norm(numbers.coef_["voice"]) > 5 * np.linalg.norm(numbers.coef_["face"])


def test_predictions_are_the_primarys_and_the_shift():
    numbers = ModalityShiftRegressor("words", Ridge(), PAIRS).fit(X, NUMBERS)
    primary = Ridge().fit(X[:, :2], NUMBERS).predict(X[:, :2])
    np.testing.assert_allclose(numbers.predict(X), primary + numbers.shift(X)[:, 0])
    model = ModalityShiftClassifier("words", LogisticRegression(), PAIRS).fit(X, y)
    logs = np.log(np.maximum(model.estimator_.predict_proba(X[:, :2]), 1e-6))
    shifted = np.exp(logs + model.shift(X))
    np.testing.assert_allclose(model.predict_proba(X), shifted / shifted.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("max_shift", [0.01, 0.3, 1.0])
def test_the_bound_holds_and_is_in_units_of_the_primarys_scores(max_shift):
    numbers = ModalityShiftRegressor("words", Ridge(), PAIRS, max_shift=max_shift, alpha=0.0)
    numbers.fit(X, NUMBERS)
    held_out = cross_val_predict(Ridge(), X[:, :2], NUMBERS)
    assert numbers.max_norm_ == pytest.approx(max_shift * held_out.std())
    far = 100.0 * X
    assert np.abs(numbers.shift(far)).max() <= numbers.max_norm_
    assert np.abs(numbers.shift(far)).max() > 0.9 * numbers.max_norm_
    model = ModalityShiftClassifier(modalities=PAIRS, max_shift=max_shift).fit(X, y)
    assert np.linalg.norm(model.shift(far), axis=1).max() <= model.max_norm_


def test_strong_ridge_and_no_others_leave_the_primary():
    strong = ModalityShiftRegressor("words", Ridge(), PAIRS, alpha=1e9).fit(X, NUMBERS)
    alone = ModalityShiftRegressor("words", Ridge(), PAIRS[:1]).fit(X, NUMBERS)
    primary = Ridge().fit(X[:, :2], NUMBERS).predict(X[:, :2])
    np.testing.assert_allclose(strong.predict(X), primary, atol=1e-5)
    np.testing.assert_allclose(alone.predict(X), primary, atol=1e-12)
    assert alone.gate(X).shape == (300, 0)


def test_without_bound_and_gates_that_cannot_matter_it_is_ridge_on_residuals():
    # One other column of -1 and 1: a gate is two numbers at most, and h = a z + b |z| = a z + b.
    side = np.where(X[:, [3]] > 0, 1.0, -1.0)
    data = np.column_stack([X[:, :2], side])
    target = X[:, 0] + 0.5 * side[:, 0]
    model = ModalityShiftRegressor(
        modalities=[("words", [0, 1]), ("side", [2])], estimator=Ridge(), max_shift=np.inf,
        alpha=1e-6, tol=1e-12,
    ).fit(data, target)  # fmt: skip
    residual = target - cross_val_predict(Ridge(), data[:, :2], target)
    z = StandardScaler().fit_transform(side)
    levels = np.unique(z)
    expected = np.array([residual[z[:, 0] == level].mean() for level in levels])
    found = np.array([model.shift(data)[z[:, 0] == level].mean() for level in levels])
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_gate_opens_where_the_others_count():
    first, other, switch = rng.normal(size=(3, 600))
    target = first + np.where(switch > 0, other, 0.0)
    data = np.column_stack([first, other, 3.0 * switch])
    model = ModalityShiftRegressor(
        modalities=[("first", [0]), ("others", [1, 2])], max_shift=np.inf, alpha=0.1
    ).fit(data, target)
    gate = model.gate(data)[:, 0]
    assert gate[switch > 0.5].mean() > 0.8
    assert gate[switch < -0.5].mean() < 0.2


def test_learned_out_of_fold():
    """A primary that remembers its samples leaves nothing to correct in them."""
    model = ModalityShiftRegressor("words", KNeighborsRegressor(1), PAIRS).fit(X, NUMBERS)
    assert model.estimator_.score(X[:, :2], NUMBERS) == 1.0
    assert np.abs(model.shift(X)).mean() > 0.2


def test_units_of_targets_and_order_do_not_matter():
    model = ModalityShiftRegressor(modalities=PAIRS, tol=1e-10).fit(X, NUMBERS)
    large = clone(model).fit(X, 1000.0 * NUMBERS)
    np.testing.assert_allclose(large.predict(X) / 1000.0, model.predict(X), atol=1e-3)
    other = clone(model).set_params(primary="words", modalities=PAIRS[::-1]).fit(X, NUMBERS)
    np.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-3)
    assert other.other_names_ == ["face", "voice"]


@pytest.mark.parametrize("several", [True, False])
def test_slopes_by_differences(monkeypatch, several):
    seen = {}
    monkeypatch.setattr(
        _shift, "descend", lambda loss, start, **_: (seen.update(loss=loss, n=len(start)),
                                                        (start, np.zeros(1)))[1],
    )  # fmt: skip
    blocks = [X[:30, 2:4], csr_matrix(X[:30, 4:])]
    scores = rng.normal(size=(30, 3 if several else 1))
    _shift.fit_offset(
        blocks, scores, y[:30] if several else NUMBERS[:30], rng.uniform(size=30),
        several=several, max_shift=0.7, alpha=0.3, max_iter=1, tol=1.0,
    )  # fmt: skip
    at = rng.normal(size=seen["n"])
    numeric = approx_fprime(at, lambda t: seen["loss"](t)[0], 1e-7)
    np.testing.assert_allclose(seen["loss"](at)[1], numeric, atol=1e-5)


def test_kinds_of_samples():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    views = Modalities(words=X[:, :2], voice=X[:, 2:4], face=csr_matrix(X[:, 4:]))
    names = [("words", ["a", "b"]), ("voice", ["c", "d"]), ("face", ["e", "f"])]
    expected = ModalityShiftClassifier(modalities=PAIRS).fit(X, y).predict_proba(X)
    model = ModalityShiftClassifier(modalities=names).fit(frame, y)
    np.testing.assert_allclose(model.predict_proba(frame[list("fedcba")]), expected)
    assert ModalityShiftClassifier().fit(views, y).score(views, y) > 0.7
    notes = ["good" if number > 0 else "bad" for number in X[:, 3]]
    texts = Modalities(words=X[:, :2], notes=notes)
    model = ModalityShiftClassifier(
        "words", LinearSVC(), [("words", "words"), ("notes", TfidfVectorizer(), "notes")]
    )
    groups = np.arange(300) // 5
    labels = np.array(["low", "mid", "high"])[y]
    model.set_params(cv=GroupKFold(5)).fit(texts, labels, groups=groups)
    assert model.score(texts, labels) > 0.7
    assert set(model.classes_) == {"low", "mid", "high"}


def test_parameters_by_name():
    modalities = [("words", [0, 1]), ("voice", StandardScaler(), [2, 3])]
    model = ModalityShiftClassifier("words", LogisticRegression(), modalities)
    search = GridSearchCV(
        model, {"estimator__C": [0.1, 1.0], "voice__with_std": [False], "max_shift": [0.1, 2]}, cv=3
    ).fit(X, y)
    assert search.best_params_["max_shift"] == 2
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict_proba(X), search.predict_proba(X))


def test_bad_input():
    with pytest.raises(ValueError, match="primary is 'smell'; expected one of the modalities"):
        ModalityShiftClassifier("smell", modalities=PAIRS).fit(X, y)
    with pytest.raises(ValueError, match="'a': it is primary and has a transformer"):
        ModalityShiftClassifier(modalities=[("a", StandardScaler(), [0]), ("b", [1])]).fit(X, y)
    with pytest.raises(ValueError, match="'max_shift' parameter"):
        ModalityShiftClassifier(max_shift=0.0).fit(X, y)
    with pytest.raises(TypeError, match="KNeighborsRegressor takes none"):
        ModalityShiftRegressor("words", KNeighborsRegressor(), PAIRS).fit(
            X, NUMBERS, sample_weight=np.ones(300)
        )
