"""Shared and private features."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion.cca import CCA, CCAFusion
from mkfusion.data._modalities import Modalities

rng = np.random.default_rng(0)
N = 120
SHARED = rng.normal(size=(N, 1))
ALONE = rng.normal(size=(N, 1))
A = np.hstack([SHARED, ALONE, rng.normal(size=(N, 1))]) @ rng.normal(size=(3, 5))
A += 0.3 * rng.normal(size=(N, 5))
B = SHARED @ rng.normal(size=(1, 4)) + 0.5 * rng.normal(size=(N, 4))
X = Modalities(a=A * np.logspace(-2, 2, 5) + 7.0, b=B)
Y = (ALONE[:, 0] > 0).astype(int)


def split(features: np.ndarray, names: np.ndarray) -> dict[str, np.ndarray]:
    kinds = ("shared", "a__private", "b__private")
    return {kind: features[:, [n.startswith(kind) for n in names]] for kind in kinds}


def between(first: np.ndarray, second: np.ndarray) -> float:
    """The largest correlation of a column with another."""
    return np.abs(np.corrcoef(first.T, second.T)[: first.shape[1], first.shape[1] :]).max()


@pytest.mark.parametrize("scaled", [True, False])
def test_parts_are_what_they_say(scaled: bool) -> None:
    fusion = CCAFusion(2, regularisation=0.0, scale=scaled).fit(X)
    parts = split(fusion.transform(X), fusion.get_feature_names_out())
    assert [part.shape[1] for part in parts.values()] == [2, 3, 2]
    pair = CCA(2, scale=scaled).fit(X)
    u, v = np.split(pair.transform(X), 2, axis=1)
    mean = (u + v) / (u + v).std(axis=0, ddof=1)
    np.testing.assert_allclose(parts["shared"], mean, atol=1e-8)
    # Private parts know nothing of either modality's scores, and hold all the rest.
    for scores in (u, v):
        for name in ("a__private", "b__private"):
            assert between(parts[name], scores) < 1e-8
    for name, scores, own in (("a", u, X["a"]), ("b", v, X["b"])):
        known = np.hstack([scores, parts[f"{name}__private"], np.ones((N, 1))])
        residual = own - known @ np.linalg.lstsq(known, own, rcond=None)[0]
        assert np.abs(residual / own.std(axis=0)).max() < 1e-8
    # Between the private parts are the canonical correlations that were not shared.
    left = CCA(None).fit(parts["a__private"], parts["b__private"]).canonical_correlations_
    whole = CCA(None, scale=scaled).fit(X).canonical_correlations_
    np.testing.assert_allclose(left, whole[2:], atol=1e-8)


@pytest.mark.parametrize("c", [0.0, 0.4, 1.0])
def test_private_features_are_principal_components_of_residuals(c: float) -> None:
    fusion = CCAFusion(1, regularisation=c).fit(X)
    features, names = fusion.transform(X), fusion.get_feature_names_out()
    for v, name in enumerate("ab"):
        data = (X[name] - X[name].mean(axis=0)) / X[name].std(axis=0, ddof=1)
        scores = fusion.cca_.transform(X)[:, [v]]
        residual = data - scores @ np.linalg.lstsq(scores, data, rcond=None)[0]
        expected = np.linalg.eigvalsh(np.cov(residual.T))[::-1]
        private = features[:, [n.startswith(f"{name}__") for n in names]]
        covariance = np.cov(private.T)
        np.testing.assert_allclose(np.diag(covariance), expected[: len(covariance)], atol=1e-9)
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
        shared = 1.0 - residual.var() / data.var()
        assert fusion.shared_variance_ratio_[v] == pytest.approx(shared)


def test_finds_what_is_shared_and_what_is_not() -> None:
    fusion = CCAFusion(1).fit(X)
    parts = split(fusion.transform(X), fusion.get_feature_names_out())
    assert between(parts["shared"], SHARED) > 0.9
    assert between(parts["shared"], ALONE) < 0.3
    assert between(parts["a__private"][:, :1], ALONE) > 0.6
    np.testing.assert_allclose(parts["shared"].std(axis=0, ddof=1), 1.0)


def test_parts_to_return() -> None:
    whole = CCAFusion(1).fit(X)
    features, names = whole.transform(X), whole.get_feature_names_out().tolist()
    for parts in (["shared"], ["b", "shared"], ["a"], ["shared", "a", "b"]):
        some = CCAFusion(1, parts=parts).fit(X)
        chosen = some.get_feature_names_out().tolist()
        np.testing.assert_allclose(
            some.transform(X), features[:, [names.index(n) for n in chosen]], atol=1e-10
        )
        assert set(some.private_weights_) == set(parts) - {"shared"}
    few = CCAFusion(1, n_private=2, parts=["a"]).fit(X)
    assert few.get_feature_names_out().tolist() == ["a__private0", "a__private1"]


def test_nothing_private_is_left() -> None:
    fusion = CCAFusion(None, regularisation=0.0).fit(X)
    assert fusion.private_weights_["b"].shape == (4, 0)
    assert fusion.shared_variance_ratio_[1] == pytest.approx(1.0)
    assert fusion.transform(X).shape == (N, 4 + 1)


def test_in_a_searched_pipeline() -> None:
    model = make_pipeline(CCAFusion(1), StandardScaler(), LogisticRegression())
    search = GridSearchCV(
        model,
        {
            "ccafusion__parts": [["shared"], ["a"], ["b"], None],
            "ccafusion__n_components": [1, 2],
            "ccafusion__regularisation": [0.1],
        },
        cv=3,
    ).fit(X, Y)
    assert search.best_params_["ccafusion__parts"] in (["a"], None)
    assert search.best_score_ > 0.8
    shared = model.set_params(ccafusion__parts=["shared"])
    assert cross_val_score(shared, X, Y, cv=3).mean() < 0.7
    assert len(search.predict(X[:3])) == 3


def test_tables_and_new_samples() -> None:
    table = pd.DataFrame(np.hstack([X["a"], X["b"]]), columns=list("pqrstuvwx"))
    columns = [("a", list("pqrst")), ("b", list("uvwx"))]
    fusion = CCAFusion(1, modalities=columns).fit(table[:80])
    expected = CCAFusion(1).fit(X[:80]).transform(X[80:])
    np.testing.assert_allclose(fusion.transform(table[80:]), expected, atol=1e-10)
    np.testing.assert_allclose(fusion.transform(table[80:][list("xwvutsrqp")]), expected)
    assert fusion.feature_names_in_.tolist() == list("pqrstuvwx")
    assert fusion.set_output(transform="pandas").transform(table).columns[0] == "shared0"
    again = pickle.loads(pickle.dumps(fusion))
    np.testing.assert_array_equal(again.transform(table), fusion.transform(table))


def test_three_modalities() -> None:
    more = Modalities(a=X["a"], b=X["b"], c=SHARED + rng.normal(size=(N, 3)))
    fusion = CCAFusion(1, n_private=1).fit(more)
    assert fusion.get_feature_names_out().tolist() == [
        "shared0",
        "a__private0",
        "b__private0",
        "c__private0",
    ]
    assert between(fusion.transform(more)[:, :1], SHARED) > 0.9


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"parts": ["shared", "c"]}, X, r"expected some of \['shared', 'a', 'b'\]"),
        ({"parts": []}, X, "parts is"),
        ({"parts": ["a", "a"]}, X, "each once"),
        ({"n_private": 0}, X, "n_private"),
        ({"n_components": 9}, X, "at most 4"),
        ({}, Modalities(shared=A, b=B), 'none with the name "shared"'),
        ({}, A, "expected Modalities as X"),
    ],
)
def test_bad_input(params: dict, data: object, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        CCAFusion(**params).fit(data)


def test_bad_new_samples() -> None:
    fusion = CCAFusion(1).fit(X)
    with pytest.raises(ValueError, match="'b': X has 5 features, but CCAFusion is expecting 4"):
        fusion.transform(Modalities(a=A, b=A))
    with pytest.raises(TypeError, match="expected Modalities as in fit"):
        fusion.transform(A)
