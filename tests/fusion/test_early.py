"""Early fusion: the features of all modalities, side by side."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from mkfusion import (
    EarlyFusionClassifier,
    EarlyFusionRegressor,
    LateFusionClassifier,
    Modalities,
)

rng = np.random.default_rng(0)
A = rng.normal(size=(60, 3)) * [1.0, 10.0, 0.1]
B = rng.normal(size=(60, 40)) + 5.0
y = (A[:, 0] + 0.3 * B[:, :3].sum(axis=1) > 4.5).astype(int)
AB = np.hstack([A, B])
GROUPS = [("a", slice(0, 3)), ("b", slice(3, 43))]
TEXTS = ["red blue", "green", "red", "blue green green"] * 15


class Average(TransformerMixin, BaseEstimator):
    """The mean of each channel of a signal."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X).mean(axis=2)


def test_without_block_scaling_it_is_a_column_transformer():
    steps = [("a", StandardScaler(), slice(0, 3)), ("b", MinMaxScaler(), slice(3, 43))]
    expected = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(AB, y)
    found = EarlyFusionClassifier(modalities=steps, block_scaling=False).fit(AB, y)
    np.testing.assert_allclose(found.features(AB), expected[0].transform(AB), atol=1e-12)
    np.testing.assert_allclose(found.predict_proba(AB), expected.predict_proba(AB), atol=1e-9)


def test_every_block_has_the_same_total_variance():
    modalities = [("a", "passthrough", slice(0, 3)), ("b", slice(3, 43))]
    fusion = EarlyFusionRegressor(modalities=modalities).fit(AB, y)
    variances = fusion.features(AB).var(axis=0)
    assert variances[:3].sum() == pytest.approx(1.0)
    assert variances[3:].sum() == pytest.approx(1.0)
    assert fusion.block_scales_["a"] == pytest.approx(A.var(axis=0).sum() ** -0.5)
    assert fusion.block_scales_["b"] == pytest.approx(40**-0.5)


def test_a_wide_modality_of_noise_does_not_drown_a_narrow_one():
    noise = rng.normal(size=(60, 1000))
    signal = rng.normal(size=(60, 2))
    labels = signal.sum(axis=1) > 0
    X = Modalities(noise=noise, signal=signal)
    scores = [
        cross_val_score(
            EarlyFusionClassifier(KNeighborsClassifier(), block_scaling=scaling), X, labels
        ).mean()
        for scaling in (False, True)
    ]
    assert scores[1] > scores[0] + 0.2


def test_scaling_is_learned_from_training_samples_only():
    fusion = EarlyFusionClassifier(modalities=GROUPS).fit(AB[:40], y[:40])
    alone = fusion.features(AB[50:51])
    assert np.array_equal(alone[0], fusion.features(AB[40:])[10])
    assert fusion.block_scales_["a"] == pytest.approx(3**-0.5)


def test_weights_are_repetitions():
    weights = rng.integers(0, 3, size=60)
    weighted = EarlyFusionClassifier(modalities=GROUPS).fit(AB, y, sample_weight=weights)
    rows = np.repeat(np.arange(60), weights)
    repeated = EarlyFusionClassifier(modalities=GROUPS).fit(AB[rows], y[rows])
    np.testing.assert_allclose(weighted.features(AB), repeated.features(AB))
    np.testing.assert_allclose(weighted.predict_proba(AB), repeated.predict_proba(AB), atol=1e-4)


def test_kinds_of_samples_agree():
    frame = pd.DataFrame(AB, columns=[f"c{j}" for j in range(43)])
    by_name = EarlyFusionClassifier(
        modalities=[("a", ["c0", "c1", "c2"]), ("b", slice("c3", "c42"))]
    ).fit(frame, y)
    views = Modalities(a=A, b=B)
    expected = EarlyFusionClassifier(modalities=GROUPS).fit(AB, y).predict_proba(AB)
    found = by_name.predict_proba(frame[frame.columns[::-1]])
    np.testing.assert_allclose(found, expected, atol=1e-9)
    of_views = EarlyFusionClassifier().fit(views, y).predict_proba(views)
    np.testing.assert_allclose(of_views, expected, atol=1e-9)
    assert list(by_name.feature_names_in_) == list(frame.columns)


def test_sparse_blocks_stay_sparse():
    wide = csr_matrix(rng.poisson(0.05, size=(60, 300)).astype(float))
    X = Modalities(a=A, words=wide)
    fusion = EarlyFusionClassifier().fit(X, y)
    features = fusion.features(X)
    assert issparse(features)
    full = Modalities(a=A, words=wide.toarray())
    dense = EarlyFusionClassifier(
        modalities=[("a", "a"), ("words", StandardScaler(with_mean=False), "words")]
    ).fit(full, y)
    np.testing.assert_allclose(features.toarray(), dense.features(full))
    whole = EarlyFusionClassifier(block_scaling=False).fit(wide, y)
    assert whole.predict(wide).shape == (60,)


def test_texts_and_signals_through_their_transformers():
    signals = rng.normal(size=(60, 2, 20))
    X = Modalities(notes=TEXTS, signals=signals, a=A)
    fusion = EarlyFusionClassifier(
        modalities=[
            ("notes", TfidfVectorizer(), "notes"),
            ("signals", make_pipeline(Average(), StandardScaler()), "signals"),
            ("a", "a"),
        ]
    ).fit(X, y)
    assert fusion.features(X).shape == (60, 3 + 2 + 3)
    frame = pd.DataFrame({"notes": TEXTS, "x": A[:, 0]})
    columns = [("notes", TfidfVectorizer(), "notes"), ("x", "x")]
    assert EarlyFusionClassifier(modalities=columns).fit(frame, y).features(frame).shape == (60, 4)


def test_exclusive_or_needs_both_modalities_at_once():
    left, right = rng.normal(size=(2, 400, 1))
    labels = (left[:, 0] > 0) ^ (right[:, 0] > 0)
    X = Modalities(left=left, right=right)
    forest = RandomForestClassifier(50, random_state=0)
    early = cross_val_score(EarlyFusionClassifier(forest), X, labels).mean()
    late = cross_val_score(LateFusionClassifier(estimator=forest), X, labels).mean()
    assert early > 0.9
    assert late < 0.6


def test_parameters_by_name():
    fusion = EarlyFusionClassifier(
        LogisticRegression(), [("a", StandardScaler(), slice(0, 3)), ("b", slice(3, 43))]
    )
    assert fusion.get_params()["a__with_mean"] is True
    search = GridSearchCV(
        fusion, {"estimator__C": [0.1, 10.0], "a": [StandardScaler(), MinMaxScaler()]}
    ).fit(AB, y)
    assert search.best_params_.keys() == {"estimator__C", "a"}
    fusion.set_params(a__with_mean=False)
    assert fusion.modalities[0][1].with_mean is False
    assert fusion.modalities[1] == ("b", slice(3, 43))
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(copy.predict(AB), search.predict(AB))
    assert clone(fusion).get_params()["a__with_mean"] is False


def test_what_the_estimator_has():
    assert not hasattr(EarlyFusionClassifier(LinearSVC()), "predict_proba")
    fusion = EarlyFusionClassifier(LinearSVC(), GROUPS).fit(AB, y)
    assert fusion.decision_function(AB).shape == (60,)
    assert hasattr(EarlyFusionClassifier(), "predict_proba")


def test_gaps_reach_estimators_that_take_them():
    from sklearn.ensemble import HistGradientBoostingRegressor

    gappy = AB.copy()
    gappy[::5, 1] = np.nan
    fusion = EarlyFusionRegressor(HistGradientBoostingRegressor(), GROUPS).fit(gappy, y)
    assert np.nansum(np.nanvar(fusion.features(gappy)[:, :3], axis=0)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="^modality 'a': Input X contains NaN"):
        EarlyFusionRegressor(Ridge(), GROUPS).fit(gappy, y)
    fusion = EarlyFusionClassifier(modalities=GROUPS).fit(AB, y)
    for method in (fusion.predict, fusion.predict_proba, fusion.decision_function):
        with pytest.raises(ValueError, match="^modality 'a': Input X contains NaN"):
            method(gappy)
    with pytest.raises(
        ValueError, match="^modalities 'a, b': it is missing .* in 11 of 60 samples"
    ):
        fusion.predict(np.where(AB > 0, np.nan, AB))


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        ([], "modalities is empty"),
        ([("a",)], r"modalities\[0\] is \('a',\); expected \(name, columns\)"),
        ([("a", "scale", [0])], "has the transformer 'scale'"),
        ([("a", [0]), ("a", [1])], "not unique"),
        ([("estimator", [0])], "conflict"),
        ([("a", [99])], "asks for column 99"),
    ],
)
def test_bad_modalities(modalities, message):
    with pytest.raises((ValueError, TypeError), match=message):
        EarlyFusionClassifier(modalities=modalities).fit(AB, y)


def test_bad_samples():
    with pytest.raises(ValueError, match="'notes': it has shape.*a transformer"):
        EarlyFusionClassifier().fit(Modalities(notes=TEXTS), y)
    with pytest.raises(ValueError, match=r"'s': it has shape \(60, 2, 5\).*transformer"):
        EarlyFusionClassifier().fit(Modalities(s=np.ones((60, 2, 5))), y)
    with pytest.raises(TypeError, match="KNeighborsClassifier takes none"):
        EarlyFusionClassifier(KNeighborsClassifier()).fit(AB, y, sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="sample_weight contains -1"):
        EarlyFusionClassifier().fit(AB, y, sample_weight=-np.ones(60))
    with pytest.raises(ValueError, match="y has one class"):
        EarlyFusionClassifier().fit(AB, np.zeros(60))
    fusion = EarlyFusionClassifier().fit(Modalities(a=A, b=B), y)
    with pytest.raises(TypeError, match="X is a ndarray; expected Modalities"):
        fusion.predict(AB)
    with pytest.raises(ValueError, match="'b': .*39"):
        fusion.predict(Modalities(a=A, b=B[:, 1:]))


def test_nothing_is_kept_of_a_fit_that_fails():
    fusion = EarlyFusionClassifier(modalities=GROUPS)
    with pytest.raises(ValueError, match="one class"):
        fusion.fit(AB, np.zeros(60))
    assert not [name for name in vars(fusion) if name.endswith("_")]
