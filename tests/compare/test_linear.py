"""Penalised linear baselines are scikit-learn's, and take what the others take."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import l1_min_c

from mkfusion import Modalities, compare_fusion
from mkfusion._compat import l1_logistic
from mkfusion.compare._data import Setting
from mkfusion.compare._linear import (
    FAST_RIDGE,
    Beside,
    LinearPath,
    PathClassifier,
    PathRegressor,
    linear_candidates,
)

QUICK = {"fast": True, "cv": 3}
LINEAR = ["linear", "linear_alone", "uniform"]


def numbers(n=60, width=8, seed=0):
    rng = np.random.default_rng(seed)
    a, b = 3 + 2 * rng.normal(size=(2, n, width))
    return Modalities(a=a, b=b), a[:, 0] - b[:, 1] + 0.3 * rng.normal(size=n)


def path_of(X, y, classes=False):
    task = "classification" if classes else "regression"
    return LinearPath([(name, StandardScaler()) for name in X.names], task, 0).fit(X, y)


def table_of(X):
    return StandardScaler().fit_transform(np.hstack([X[name] for name in X.names]))


@pytest.mark.parametrize("width", [4, 60])  # fewer columns than samples, and more
@pytest.mark.parametrize("penalty", ["l1", "elastic net", "l2"])
def test_regressions_are_those_of_scikit_learn(width, penalty):
    X, y = numbers(50, width)
    table, path = table_of(X), path_of(X, y)
    for strength in (0.5, 0.05):
        if penalty == "l2":
            expected = Ridge(strength * (table**2).sum() / len(y))
        else:
            ratio = 1.0 if penalty == "l1" else 0.5
            largest = np.abs(table.T @ (y - y.mean())).max() / len(y) / ratio
            model = Lasso if penalty == "l1" else ElasticNet
            expected = model(alpha=strength * largest, max_iter=10**5, tol=1e-8)
        expected.fit(table, y)
        found = PathRegressor(path, penalty, strength).fit(X, y).predict(X)
        np.testing.assert_allclose(found, expected.predict(table), atol=0.02 * y.std())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("width", [4, 60])
def test_classifiers_are_those_of_scikit_learn(width, n_classes):
    X, y = numbers(60, width)
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    table, path = table_of(X), path_of(X, y, classes=True)
    C = 1 / (0.1 * (table**2).sum() / len(y))
    expected = LogisticRegression(C=C, max_iter=1000).fit(table, y)
    found = PathClassifier(path, "l2", 0.1).fit(X, y)
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(table), atol=2e-3)
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    sparse = PathClassifier(path, "l1", 0.2).fit(X, y)
    assert sparse.decision_function(X).shape == ((60,) if n_classes == 2 else (60, 3))
    if n_classes == 2:
        lasso = l1_logistic(C=l1_min_c(table, y, loss="log") / 0.2, random_state=0)
        lasso.fit(table, y)
        np.testing.assert_allclose(sparse.predict_proba(X), lasso.predict_proba(table))
        assert 0 < (lasso.coef_ != 0).sum() < 2 * width


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_of_constant_columns_what_is_known_without_them_is_said(task):
    """Balanced classes, for which the weakest l1 penalty that leaves something is not defined."""
    X = Modalities(a=np.ones((40, 2)), b=np.full((40, 1), 3.0))
    y = np.arange(40) % 2 if task == "classes" else np.random.default_rng(0).normal(size=40)
    for penalty in ("l1", "l2"):
        path = path_of(X, y, classes=task == "classes")
        if task == "classes":
            found = PathClassifier(path, penalty, 0.1).fit(X, y).predict_proba(X)
            np.testing.assert_allclose(found, 0.5, atol=1e-9)
        else:
            found = PathRegressor(path, penalty, 0.1).fit(X, y).predict(X)
            np.testing.assert_allclose(found, y.mean(), atol=1e-12)


def test_strongest_penalty_leaves_little_and_order_does_not_matter():
    X, y = numbers()
    table = table_of(X)
    one = PathRegressor(path_of(X, y), "l1", 0.5).fit(X, y)
    path = path_of(X, y)
    PathRegressor(path, "l1", 0.01).fit(X, y)  # fits the stronger ones on its way
    other = PathRegressor(path, "l1", 0.5).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    largest = np.abs(table.T @ (y - y.mean())).max() / len(y)
    assert (Lasso(largest * 1.001).fit(table, y).coef_ == 0).all()  # what strengths are shares of


def test_nested_choice_is_a_grid_search_of_scikit_learn():
    X, y = numbers(90)
    found = compare_fusion(X, y, methods=LINEAR, scoring="r2", **QUICK)
    results = [one for one in found.results_ if one.method == "penalised linear (joined)"]
    table = np.hstack([X["a"], X["b"]])
    for one, (train, test) in zip(
        results, KFold(3, shuffle=True, random_state=0).split(table), strict=True
    ):
        if one.params["penalty"] != "l2":
            continue
        # Ridge by its own units: what multiplies the mean square of a standardised row
        width = table.shape[1]
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": [width * strength for strength in FAST_RIDGE]},
            cv=KFold(3, shuffle=True, random_state=0),
        ).fit(table[train], y[train])
        assert one.params["strength"] * width == search.best_params_["ridge__alpha"]
        np.testing.assert_allclose(one.scores["r2"], r2_score(y[test], search.predict(table[test])))
    assert found.scores("penalised linear (joined)").mean() > 0.9
    assert found.scores("penalised linear (a)").mean() < 0.7


def test_sparse_effects_in_many_columns_are_found_and_said():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 90, 300))
    y = a[:, :3].sum(axis=1) + b[:, :3].sum(axis=1) + 0.3 * rng.normal(size=90)
    X = Modalities(a=a, b=b)
    found = compare_fusion(X, y, methods=LINEAR, **QUICK)
    assert found.scores("penalised linear (joined)").mean() > 0.6
    assert found.scores("uniform kernel sum").mean() < 0.2
    assert set(found.chosen_["best simple baseline"]) == {"penalised linear (joined)"}
    assert set(found.chosen_["best fusion method"]) == {"penalised linear (joined)"}
    assert "A plain method is ahead of every kernel method" in str(found)
    assert "ahead on 3 of 3 folds" in str(found)
    text = found.to_markdown()
    assert "a penalised linear model (l1, l2 or both) on the features" in text


def test_kernels_ahead_are_not_called_plain():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 120, 2))
    y = (a[:, 0] ** 2 + b[:, 0] ** 2 > 1.3).astype(int)
    found = compare_fusion(Modalities(a=a, b=b), y, methods=LINEAR, **QUICK)
    assert "plain method" not in str(found)
    assert found.scores("uniform kernel sum").mean() > 0.75


@pytest.mark.filterwarnings("ignore::mkfusion.MissingCellsWarning")
def test_gaps_are_filled_by_what_training_samples_have():
    X, y = numbers()
    a, b = X["a"].copy(), X["b"].copy()
    a[::7, 2], b[::5] = np.nan, np.nan
    found = compare_fusion(Modalities(a=a, b=b), y, methods=LINEAR, **QUICK)
    assert found.not_applicable_ == {}
    assert found.scores("penalised linear (joined)").mean() > 0.5
    beside = Beside([("b", StandardScaler())])
    table = beside.fit_transform(Modalities(b=b))
    there = np.delete(np.arange(60), np.arange(0, 60, 5))
    np.testing.assert_allclose(table[there], StandardScaler().fit_transform(b[there]))
    assert (table[::5] == 0).all()
    assert (beside.transform(Modalities(b=np.full((3, 8), np.nan))) == 0).all()


def test_texts_sparse_matrices_and_categories_beside_numbers():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    words = np.array(["calm slept well", "hot and restless"])
    notes = [f"{words[label]} {rng.integers(1000)}" for label in y]
    X = Modalities(
        vitals=pd.DataFrame({"t": rng.normal(size=80) + y, "ward": rng.choice(list("ab"), 80)}),
        notes=notes,
        counts=csr_array((rng.random((80, 30)) < 0.1) * 1.0),
    )
    found = compare_fusion(X, y, methods=LINEAR, **QUICK)
    assert found.not_applicable_ == {}
    assert found.scores("penalised linear (notes)").mean() > 0.9
    assert found.scores("penalised linear (joined)").mean() > 0.9


def test_probabilities_give_log_loss():
    X, y = numbers()
    found = compare_fusion(
        X, (y > 0).astype(int), methods=["linear"], scoring=accuracy_score_of, **QUICK
    )
    assert found.scores("penalised linear (joined)").mean() > 0.8


def accuracy_score_of(model, X, y):
    if hasattr(model, "predict_proba") and hasattr(model, "path"):
        return accuracy_score(y, model.classes_[model.predict_proba(X).argmax(axis=1)])
    return accuracy_score(y, model.predict(X))


def test_candidates_begin_with_the_strongest():
    for classes in (True, False):
        for fast in (True, False):
            found = linear_candidates(Setting([], classes, 2, fast, 0))
            for penalty in {one["penalty"] for one in found}:
                strengths = [one["strength"] for one in found if one["penalty"] == penalty]
                assert strengths == sorted(strengths, reverse=True)
