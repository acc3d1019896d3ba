"""One modality by another: regression on canonical scores, kernel ridge, held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict

from mkfusion import CCA, Modalities, predict_modality

RNG = np.random.default_rng(0)
A = RNG.normal(size=(80, 4)) * np.logspace(-2, 2, 4) + 5.0
B = A @ RNG.normal(size=(4, 3)) / 50.0 + RNG.normal(size=(80, 3))


def test_all_components_are_least_squares() -> None:
    for target in (B, B[:, 0]):
        model, plain = CCA(None).fit(A, target), LinearRegression().fit(A, target)
        np.testing.assert_allclose(model.predict(A[:9]), plain.predict(A[:9]))
        np.testing.assert_allclose(model.coef_, np.atleast_2d(plain.coef_))
    wide = RNG.normal(size=(80, 6)) + B[:, :1]
    np.testing.assert_allclose(
        CCA(None).fit(B, wide).predict(B), LinearRegression().fit(B, wide).predict(B)
    )


def test_fewer_components_are_regression_on_scores() -> None:
    for c in (0.0, 0.4, 1.0):
        model = CCA(2, regularisation=c).fit(A, B)
        scores = model.transform(A)
        expected = LinearRegression().fit(scores, B).predict(scores)
        np.testing.assert_allclose(model.predict(A), expected)
    both = Modalities(a=A, b=B)
    named = CCA(2).fit(both)
    expected = CCA(2).fit(A, B).predict(A)
    np.testing.assert_allclose(named.predict(both), expected)
    np.testing.assert_allclose(named.predict(Modalities(a=A)), expected)
    with pytest.raises(ValueError, match="a"):
        named.predict(Modalities(b=B))


def test_held_out_by_hand() -> None:
    X = Modalities(a=A, b=pd.DataFrame(B, columns=["x", "y", "z"]))
    found = predict_modality(X, "a", "b", method=LinearRegression(), cv=KFold(4))
    expected = cross_val_predict(LinearRegression(), A, B, cv=KFold(4))
    np.testing.assert_allclose(found.predictions, expected)
    np.testing.assert_allclose(found.r2, r2_score(B, expected, multioutput="raw_values"))
    assert found.to_frame().index.to_list() == ["x", "y", "z"]
    assert "held-out R2" in str(found)
    np.testing.assert_allclose(found.estimator.predict(A), LinearRegression().fit(A, B).predict(A))


def test_samples_that_lack_one_are_predicted_or_left() -> None:
    a, b = A.copy(), B.copy()
    a[:5], b[5:15] = np.nan, np.nan
    found = predict_modality(Modalities(a=a, b=b), "a", "b", method="cca", random_state=0)
    assert np.isnan(found.predictions[:5]).all()
    np.testing.assert_array_equal(np.flatnonzero(found.held_out), np.arange(15, 80))
    np.testing.assert_allclose(found.predictions[5:15], found.estimator.predict(a[5:15]))
    assert found.r2.mean() > 0.3


def test_kernel_ridge_finds_what_is_not_linear() -> None:
    x = RNG.uniform(-2, 2, size=(80, 1))
    X = Modalities(x=x, other=RNG.normal(size=(80, 2)), y=np.hstack([x**2, np.ones_like(x)]))
    bent = predict_modality(X, "x", "y", cv=3, random_state=0)
    assert bent.r2[0] > 0.9 and np.isnan(bent.r2[1])
    assert predict_modality(X, "x", "y", method="cca", random_state=0).r2[0] < 0.3
    groups = np.arange(80) // 4
    noise = predict_modality(X, ["other"], "x", method="cca", random_state=0, groups=groups)
    assert noise.r2[0] < 0.2


def test_splits_are_of_all_rows() -> None:
    a = A.copy()
    a[[2, 5, 11, 60]] = np.nan
    have = np.setdiff1d(np.arange(80), [2, 5, 11, 60])
    train, test = np.arange(50), np.arange(50, 80)
    X = Modalities(a=a, b=B)
    found = predict_modality(X, "a", "b", method=LinearRegression(), cv=[(train, test)])
    some, others = np.intersect1d(train, have), np.intersect1d(test, have)
    expected = LinearRegression().fit(a[some], B[some]).predict(a[others])
    np.testing.assert_allclose(found.predictions[others], expected)
    np.testing.assert_array_equal(np.flatnonzero(found.held_out), others)
    assert np.isnan(found.predictions[some]).all()


def test_few_groups_and_inner_folds_of_one_sample() -> None:
    groups = np.r_[0, 1, 2, 3, np.full(8, 4)]
    X = Modalities(a=A[:12], b=B[:12])
    found = predict_modality(X, "a", "b", method="cca", cv=4, groups=groups, random_state=0)
    assert found.held_out.all() and np.isfinite(found.r2).all()
    search = found.estimator
    assert sorted(len(test) for _, test in search.cv) == [1, 1, 1, 1, 8]

    def error(c: float) -> float:
        folds = []
        for train, test in search.cv:
            said = CCA(None, regularisation=c).fit(A[train], B[train]).predict(A[test])
            folds.append(((said - B[test]) ** 2).mean(axis=0) / B[:12].var(axis=0))
        return float(np.mean(folds))

    chosen = min(search.param_grid["regularisation"], key=error)
    assert search.best_params_["regularisation"] == chosen


def test_refusals() -> None:
    X = Modalities(a=A, b=B)
    with pytest.raises(ValueError, match="one group to learn from"):
        predict_modality(X, "a", "b", method="cca", cv=2, groups=np.arange(80) % 2)
    for still in (Modalities(a=np.ones((80, 2)), b=B), Modalities(a=A, b=np.ones((80, 2)))):
        with pytest.raises(ValueError, match="does not vary"):
            predict_modality(still, "a", "b")
    for arguments, error, message in (
        ((A, "a", "b"), TypeError, "expected Modalities"),
        ((X, "a", "c"), ValueError, "target is"),
        ((X, [], "b"), ValueError, "source is"),
        ((X, None, "b"), TypeError, "source is None"),
        ((X, "a", "a"), ValueError, "different modalities"),
        ((X[:5], "a", "b"), ValueError, "5 samples have"),
    ):
        with pytest.raises(error, match=message):
            predict_modality(*arguments)
    with pytest.raises(ValueError, match="method is 'magic'"):
        predict_modality(X, "a", "b", method="magic")
