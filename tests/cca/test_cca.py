"""Two modalities: agreement with others, any shape of data, scikit-learn's ways."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag, eigh
from sklearn import cross_decomposition
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from mkfusion.cca import CCA
from mkfusion.data._modalities import Modalities

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
DIABETES = scale(load_diabetes(scaled=False).data) * np.sqrt(441 / 442)
A, B = DIABETES[:, :3], DIABETES[:, 3:6]


def related(n: int, p: int, q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two modalities that share two things, in units of very different sizes."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 2))
    X = Z @ rng.normal(size=(2, p)) + rng.normal(size=(n, p))
    Y = Z @ rng.normal(size=(2, q)) + rng.normal(size=(n, q))
    return X * np.logspace(-3, 3, p) + 5.0, Y - 100.0


def dense(X: np.ndarray, Y: np.ndarray, c: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and vectors of the generalised eigenvalue problem, written down."""
    p = X.shape[1]
    S = np.cov(np.hstack([X, Y]).T)
    between = S.copy()
    between[:p, :p] = between[p:, p:] = 0.0
    within = block_diag(S[:p, :p], S[p:, p:])
    values, vectors = eigh(between, (1.0 - c) * within + c * np.eye(len(S)))
    return values[::-1][:k], vectors[:, ::-1][:, :k]


def assert_parallel(first: np.ndarray, second: np.ndarray, atol: float) -> None:
    """Columns are the same up to their signs and lengths."""
    a = first / np.linalg.norm(first, axis=0)
    b = second / np.linalg.norm(second, axis=0)
    np.testing.assert_allclose(np.abs(np.sum(a * b, axis=0)), 1.0, atol=atol)


@pytest.mark.parametrize("scaled", [True, False])
def test_as_scikit_learn(scaled: bool) -> None:
    X, Y = related(100, 6, 4)
    ours = CCA(4, scale=scaled).fit(X, Y)
    theirs = cross_decomposition.CCA(4, max_iter=100_000, tol=1e-24).fit(X, Y)
    a, b = theirs.transform(X, Y)
    expected = [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(4)]
    np.testing.assert_allclose(ours.canonical_correlations_, expected, atol=1e-6)
    u, v = ours.transform(X, Y)
    # NIPALS gives scores another length, and its rotations act on scaled columns.
    assert_parallel(u, a, 1e-6)
    assert_parallel(v, b, 1e-6)
    assert_parallel(ours.weights_[0] * X.std(axis=0)[:, np.newaxis], theirs.x_rotations_, 1e-6)
    assert_parallel(ours.weights_[1] * Y.std(axis=0)[:, np.newaxis], theirs.y_rotations_, 1e-6)


def test_partial_least_squares_as_scikit_learn() -> None:
    X, Y = related(60, 5, 4)
    ours = CCA(3, regularisation=1.0).fit(X, Y)
    theirs = cross_decomposition.PLSSVD(3).fit(X, Y)
    for one, other in zip(ours.transform(X, Y), theirs.transform(X, Y), strict=True):
        assert_parallel(one, other, 1e-9)


@pytest.mark.parametrize("c", [0.0, 0.1, 0.5, 1.0])
def test_as_cca_zoo(c: float) -> None:
    correlations, first, second = REFERENCE[f"ridge{c}"]
    ours = CCA(regularisation=c, scale=False).fit(A, B)
    np.testing.assert_allclose(ours.canonical_correlations_, correlations, atol=1e-6)
    np.testing.assert_allclose(np.abs(ours.weights_[0]), first, atol=1e-6)
    np.testing.assert_allclose(np.abs(ours.weights_[1]), second, atol=1e-6)


def test_as_statsmodels() -> None:
    ours = CCA(None).fit(A, B)
    expected = REFERENCE["statsmodels"]["cancorr"]
    np.testing.assert_allclose(ours.canonical_correlations_, expected, atol=1e-8)


@pytest.mark.parametrize(
    ("shape", "c"),
    [
        *[((50, 6, 4), c) for c in (0.0, 0.01, 0.5, 1.0)],
        ((50, 4, 6), 0.0),
        ((20, 40, 3), 0.01),
        ((15, 30, 40), 0.5),
        ((15, 30, 40), 1.0),
    ],
)
def test_dense_eigenproblem(shape: tuple[int, int, int], c: float) -> None:
    X, Y = (scale(part) for part in related(*shape))
    ours = CCA(2, regularisation=c, scale=False).fit(X, Y)
    values, vectors = dense(X, Y, c, 2)
    np.testing.assert_allclose(ours.objective_, values, atol=1e-9)
    p = X.shape[1]
    assert_parallel(ours.weights_[0], vectors[:p], 1e-9)
    assert_parallel(ours.weights_[1], vectors[p:], 1e-9)
    for scores in ours.transform(X, Y):
        np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=1e-9)
        np.testing.assert_allclose(scores.std(axis=0, ddof=1), 1.0)
    assert (np.diff(ours.objective_) <= 0).all()


def test_regularisation_of_each_modality() -> None:
    X, Y = (scale(part) for part in related(30, 5, 4))
    both = CCA(2, regularisation=[0.3, 0.3], scale=False).fit(X, Y)
    single = CCA(2, regularisation=0.3, scale=False).fit(X, Y)
    np.testing.assert_array_equal(both.objective_, single.objective_)
    ours = CCA(1, regularisation=[0.0, 1.0], scale=False).fit(X, Y)
    S = np.cov(np.hstack([X, Y]).T)
    K = np.linalg.solve(np.linalg.cholesky(S[:5, :5]), S[:5, 5:])
    np.testing.assert_allclose(ours.objective_, np.linalg.svd(K)[1][:1])


def test_without_regularisation_units_do_not_matter() -> None:
    X, Y = related(50, 5, 4)
    one, other = CCA(4).fit(X, Y), CCA(4, scale=False).fit(X * 1000.0, Y / 3.0)
    np.testing.assert_allclose(one.canonical_correlations_, other.canonical_correlations_)
    np.testing.assert_allclose(one.transform(X), other.transform(X * 1000.0), atol=1e-9)


def test_more_columns_than_samples() -> None:
    X, Y = related(20, 30, 3)
    with pytest.warns(UserWarning, match="3 canonical correlations between them are 1 whatever"):
        certain = CCA(3).fit(X, Y)
    np.testing.assert_allclose(certain.canonical_correlations_, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CCA(3, regularisation=[0.1, 0.0]).fit(X, Y)


def test_columns_that_depend_on_each_other() -> None:
    X, Y = related(50, 5, 4)
    twice = np.hstack([X, X[:, :2] @ [[1.0, 2.0], [3.0, 4.0]], np.full((50, 1), 0.1)])
    one, other = CCA(4).fit(X, Y), CCA(4).fit(twice, Y)
    np.testing.assert_allclose(one.canonical_correlations_, other.canonical_correlations_)
    assert_parallel(one.transform(X), other.transform(twice), 1e-9)
    assert (other.loadings_[0][-1] == 0.0).all()
    same = CCA(5).fit(X, X)
    np.testing.assert_allclose(same.canonical_correlations_, 1.0)
    np.testing.assert_allclose(*same.transform(X, X), atol=1e-9)


def test_a_single_column_is_multiple_correlation() -> None:
    X, Y = related(50, 4, 1)
    predicted = X @ np.linalg.lstsq(X - X.mean(axis=0), Y - Y.mean(), rcond=None)[0]
    expected = np.corrcoef(predicted.ravel(), Y.ravel())[0, 1]
    for y in (Y, Y.ravel(), Y.ravel().tolist()):
        cca = CCA(1).fit(X, y)
        np.testing.assert_allclose(cca.canonical_correlations_, [expected])
        assert cca.transform(X, y)[1].shape == (50, 1)


def test_loadings_and_explained_variance() -> None:
    X, Y = related(60, 4, 3)
    cca = CCA(2, regularisation=0.2).fit(X, Y)
    for v, (data, scores) in enumerate(zip((X, Y), cca.transform(X, Y), strict=True)):
        expected = np.corrcoef(data.T, scores.T)[: data.shape[1], data.shape[1] :]
        np.testing.assert_allclose(cca.loadings_[v], expected, atol=1e-12)
        np.testing.assert_allclose(
            cca.explained_variance_ratio_[v], np.mean(expected**2, axis=0), atol=1e-12
        )
    largest = np.abs(cca.loadings_[0]).argmax(axis=0)
    assert (cca.loadings_[0][largest, [0, 1]] > 0.0).all()
    whole = CCA(None).fit(X, Y[:, :1])
    raw = CCA(None, scale=False).fit(X, Y[:, :1])
    np.testing.assert_allclose(whole.explained_variance_ratio_[1], 1.0)
    assert raw.explained_variance_ratio_[0] != pytest.approx(whole.explained_variance_ratio_[0])


def test_order_of_columns_and_samples_does_not_matter() -> None:
    X, Y = related(40, 5, 4)
    rng = np.random.default_rng(1)
    columns, rows = rng.permutation(4), rng.permutation(40)
    one = CCA(2, regularisation=0.1).fit(X, Y)
    other = CCA(2, regularisation=0.1).fit(X[rows], Y[rows][:, columns])
    np.testing.assert_allclose(one.transform(X), other.transform(X), atol=1e-10)
    np.testing.assert_allclose(one.weights_[1][columns], other.weights_[1], atol=1e-10)


# ------------------------------------------------------------------------- kinds of input


def test_modalities_columns_and_pairs_are_the_same() -> None:
    X, Y = related(40, 3, 4)
    pair = CCA(regularisation=0.1).fit(X, Y)
    expected = np.hstack(pair.transform(X, Y))
    views = Modalities(left=X, right=Y)
    table = pd.DataFrame(np.hstack([X, Y]), columns=list("abcdefg"))
    by_columns = [("left", list("abc")), ("right", slice("d", "g"))]
    by_position = [("left", slice(3)), ("right", slice(3, None))]
    for data, modalities in (
        (views, None),
        (views, [("left", "left"), ("right", "right")]),
        (table, by_columns),
        (table.to_numpy(), by_position),
    ):
        cca = CCA(regularisation=0.1, modalities=modalities).fit(data)
        np.testing.assert_allclose(cca.transform(data), expected)
        np.testing.assert_allclose(cca.fit_transform(data, np.zeros(40)), expected)
        assert cca.modality_names_ == ["left", "right"]
        assert cca.get_feature_names_out().tolist() == [
            "left__cca0",
            "left__cca1",
            "right__cca0",
            "right__cca1",
        ]
        np.testing.assert_allclose(cca.correlations(data), pair.canonical_correlations_)
        np.testing.assert_allclose(cca.transform_modality(Y, "right"), expected[:, 2:])
    by_name = CCA(regularisation=0.1, modalities=by_columns).fit(table)
    np.testing.assert_allclose(by_name.transform(table[list("gfedcba")]), expected)
    assert by_name.n_features_in_ == 7
    assert by_name.feature_names_in_.tolist() == list("abcdefg")


def test_columns_are_found_by_their_names() -> None:
    X, Y = related(40, 3, 4)
    right = pd.DataFrame(Y, columns=list("defg"))
    views = Modalities(left=X, right=right)
    turned = Modalities(left=X, right=right[list("gfed")])
    cca = CCA().fit(views)
    np.testing.assert_allclose(cca.transform(turned), cca.transform(views))
    np.testing.assert_allclose(
        cca.transform_modality(turned["right"], "right"), cca.transform(views)[:, 2:]
    )
    pair = CCA().fit(X, right)
    np.testing.assert_allclose(pair.transform(X, turned["right"])[1], cca.transform(views)[:, 2:])
    with pytest.raises(ValueError, match=r"'right': .*unknown columns \['g'\]"):
        cca.transform_modality(right[list("def")], "right")


def test_two_of_three_modalities() -> None:
    X, Y = related(40, 3, 4)
    views = Modalities(left=X, text=["a"] * 40, right=Y)
    cca = CCA(modalities=[("left", "left"), ("right", "right")]).fit(views)
    assert cca.n_features_in_ == 3
    np.testing.assert_allclose(cca.canonical_correlations_, CCA().fit(X, Y).canonical_correlations_)
    with pytest.raises(ValueError, match=r"\['left', 'text', 'right'\]; expected two"):
        CCA().fit(views)


def test_pairs_as_scikit_learn_has_them() -> None:
    X, Y = related(30, 3, 4)
    cca = CCA().fit(X, Y)
    assert cca.transform(X).shape == (30, 2)
    for one, other in zip(cca.fit_transform(X, Y), cca.transform(X, Y), strict=True):
        np.testing.assert_array_equal(one, other)
    assert cca.get_feature_names_out().tolist() == ["cca0", "cca1"]
    np.testing.assert_array_equal(cca.transform_modality(Y, "y"), cca.transform(X, Y)[1])
    with pytest.raises(ValueError, match="y is None; expected the second modality"):
        cca.correlations(X)
    with pytest.raises(ValueError, match=r"name is 'z'; expected one of \['X', 'y'\]"):
        cca.transform_modality(Y, "z")


def test_search_of_the_regularisation() -> None:
    X, Y = related(40, 30, 20)
    search = GridSearchCV(CCA(1), {"regularisation": [0.01, 0.5, 1.0]}, cv=4).fit(X, Y)
    np.testing.assert_allclose(
        cross_val_score(search.best_estimator_, X, Y, cv=4).mean(), search.best_score_
    )
    assert search.best_params_["regularisation"] > 0.01
    views = Modalities(left=X, right=Y)
    labels = np.arange(40) % 2
    again = GridSearchCV(CCA(1), {"regularisation": [0.01, 0.5, 1.0]}, cv=4).fit(views)
    assert again.best_params_ == search.best_params_
    pipeline = make_pipeline(CCA(2, regularisation=0.1), StandardScaler())
    assert pipeline.fit_transform(views, labels).shape == (40, 4)


def test_output_of_pandas() -> None:
    X, Y = related(30, 3, 4)
    views = Modalities(left=X, right=Y)
    out = CCA().set_output(transform="pandas").fit(views).transform(views)
    assert out.columns.tolist() == ["left__cca0", "left__cca1", "right__cca0", "right__cca1"]


def test_clone_and_pickle() -> None:
    X, Y = related(30, 3, 4)
    cca = clone(CCA(1, regularisation=[0.1, 0.2], modalities=[("a", [0, 1]), ("b", [2])]))
    assert cca.regularisation == [0.1, 0.2]
    fitted = cca.fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), cca.transform(X))


def test_a_failed_fit_leaves_nothing() -> None:
    X, Y = related(30, 3, 4)
    cca = CCA(4)
    with pytest.raises(ValueError, match=r"n_components is 4; expected at most 3.*\(X: 3, y: 4\)"):
        cca.fit(X, Y)
    assert not [name for name in vars(cca) if name.endswith("_")]


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({"regularisation": 1.5}, None, "regularisation"),
        ({"regularisation": [0.1, 0.2, 0.3]}, None, "one for each of the 2 modalities"),
        ({"regularisation": [0.1, -0.2]}, None, r"expected a number in \[0, 1\]"),
        ({"n_components": 0}, None, "n_components"),
        ({"scale": "yes"}, None, "scale"),
        ({"modalities": [("a", [0]), ("a", [1])]}, None, r"\['a'\] more than once"),
        ({"modalities": [("a", [0]), ("b", [9])]}, None, "'b' asks for column 9"),
        ({"modalities": [("a", [0])]}, None, "expected two"),
        ({}, Modalities(a=np.ones((5, 2))), "expected two"),
        ({}, Modalities(a=np.arange(10.0).reshape(5, 2), b=None), "which no sample has"),
        (
            {},
            Modalities(a=np.arange(10.0).reshape(5, 2), b=np.full((5, 1), np.nan)),
            "'b': it is missing.* in 5 of 5 samples",
        ),
        (
            {},
            Modalities(a=np.arange(10.0).reshape(5, 2), b=list("vwxyz")),
            "'b': column 0 holds 'v' in row 0.*could not convert",
        ),
        ({}, Modalities(a=np.arange(10.0).reshape(5, 2), b=np.ones((5, 2))), "'b' does not vary"),
        ({}, Modalities(a=np.ones((1, 2)), b=np.ones((1, 2))), "'a': Found array with 1 sample"),
    ],
)
def test_bad_input(params: dict, data: object, message: str) -> None:
    if data is None:
        data = np.arange(20.0).reshape(5, 4) ** 2
        params = {"modalities": [("a", [0, 1]), ("b", [2, 3])], **params}
    with pytest.raises((ValueError, TypeError), match=message):
        CCA(**params).fit(data)


def test_bad_new_samples() -> None:
    X, Y = related(30, 3, 4)
    pair, views = CCA().fit(X, Y), CCA().fit(Modalities(left=X, right=Y))
    with pytest.raises(ValueError, match="X has 4 features, but CCA is expecting 3"):
        pair.transform(Y)
    with pytest.raises(ValueError, match="X has 3 features, but CCA is expecting 4"):
        pair.transform(X, X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        pair.transform(X, Y[:5])
    with pytest.raises(TypeError, match="X is Modalities; expected an array"):
        pair.transform(Modalities(left=X, right=Y))
    with pytest.raises(TypeError, match="expected Modalities as in fit"):
        views.transform(X)
    with pytest.raises(ValueError, match="unknown modality 'right'"):
        views.transform(Modalities(left=X))
    with pytest.raises(ValueError, match="'right': X has 3 features, but CCA is expecting 4"):
        views.transform(Modalities(left=X, right=X))
    with pytest.raises(ValueError, match="requires y to be passed"):
        CCA().fit(X)
