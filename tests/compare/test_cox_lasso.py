"""The lasso of proportional hazards is scikit-survival's, and there only where that is."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sksurv.datasets import load_breast_cancer
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from mkfusion import Modalities, compare_fusion
from mkfusion.compare._linear import (
    COX_SPARSE,
    FAST_COX_RIDGE,
    FAST_COX_SPARSE,
    LinearPath,
    PathCox,
)

JOINED = "penalised linear (joined)"


@pytest.fixture(scope="module")
def patients() -> tuple[np.ndarray, np.ndarray]:
    """120 patients and 40 genes of a study of breast cancer."""
    X, y = load_breast_cancer()
    genes = [column for column in X if column.startswith("X")][:40]
    y = np.array([*zip(y["e.tdm"], y["t.tdm"], strict=True)], [("event", bool), ("time", float)])
    return X[genes].to_numpy(np.float64)[:120], y[:120]


def expected_model(penalty: str, strength: float, table: np.ndarray, y: np.ndarray) -> Any:
    """Scikit-survival's; what it calls the largest l1 penalty is the first of its own path."""
    if penalty == "l2":
        model = CoxPHSurvivalAnalysis(alpha=strength * (table**2).sum() / len(table), tol=1e-12)
        return model.fit(table, y)
    path = CoxnetSurvivalAnalysis(n_alphas=2, alpha_min_ratio=0.5, l1_ratio=1.0).fit(table, y)
    # From nothing it does not always get to a weak penalty at once.
    alphas = path.alphas_[0] * np.geomspace(0.9, strength, 10)
    return CoxnetSurvivalAnalysis(alphas=alphas, l1_ratio=1.0, fit_baseline_model=True).fit(
        table, y
    )


@pytest.mark.parametrize("width", [5, 40])
def test_risks_and_survival_functions_are_those_of_scikit_survival(patients, width) -> None:
    X, y = patients
    data = Modalities(a=X[:, :3], b=X[:, 3:width])
    path = LinearPath([(name, StandardScaler()) for name in data.names], "survival", 0)
    table = StandardScaler().fit_transform(X[:, :width])
    times = np.quantile(y["time"][y["event"]], [0.1, 0.5, 0.9])
    for strength in (*COX_SPARSE, 0.1):
        expected = expected_model("l1", strength, table, y)
        found = PathCox(path, "l1", strength).fit(data, y)
        risk = expected.predict(table)
        # Both stop at a tolerance, from where they began.
        np.testing.assert_allclose(found.predict(data), risk, atol=0.03 * np.std(risk))
        chances = [step(times) for step in expected.predict_survival_function(table)]
        np.testing.assert_allclose(found.predict_survival_function(data, times), chances, atol=5e-3)


def test_penalties_are_chosen_by_the_inner_metric(patients) -> None:
    """By hand: the mean of Harrell's C on the inner folds, the first of the best."""
    X, y = patients
    inner = KFold(3, shuffle=True, random_state=1)
    found = compare_fusion(
        X,
        y,
        [("a", np.arange(20)), ("b", np.arange(20, 40))],
        methods=["linear", "linear_alone"],
        scoring="concordance_index_censored",
        cv=3,
        inner_cv=inner,
        fast=True,
    )
    tried = [("l2", strength) for strength in FAST_COX_RIDGE]
    tried += [("l1", strength) for strength in FAST_COX_SPARSE]
    chosen = set()
    for label, columns in ((JOINED, slice(None)), ("penalised linear (b)", slice(20, None))):
        for fold, (train, test) in enumerate(found.conditions_.folds):
            expected = []
            for learn, look in inner.split(train):
                learn, look = train[learn], train[look]
                scaler = StandardScaler().fit(X[learn, columns])
                table, others = (scaler.transform(X[rows, columns]) for rows in (learn, look))
                risks = [expected_model(*one, table, y[learn]).predict(others) for one in tried]
                seen = y[look]
                expected.append(
                    [concordance_index_censored(seen["event"], seen["time"], r)[0] for r in risks]
                )
            means = np.mean(expected, axis=0)
            told = next(
                one for one in found.results_ if one.method == label and one.fold == fold + 1
            )
            assert told.inner_score == pytest.approx(means.max(), abs=1e-3)
            place = tried.index((told.params["penalty"], told.params["strength"]))
            assert means[place] == pytest.approx(means.max(), abs=1e-3)
            chosen.add(told.params["penalty"])
            scaler = StandardScaler().fit(X[train, columns])
            table, others = (scaler.transform(X[rows, columns]) for rows in (train, test))
            risk = expected_model(*tried[place], table, y[train]).predict(others)
            predicted = found.predictions_.of(label)
            given = predicted.prediction[predicted.fold == fold + 1]
            np.testing.assert_allclose(given, risk, atol=0.03 * np.std(risk))
    assert chosen == {"l1", "l2"}
    assert "(Cox's proportional hazards; l1 or l2)" in found.to_markdown()


def few_that_count(n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Two of sixty columns say it all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 60))
    time = rng.exponential(np.exp(-1.5 * X[:, 0] - 1.5 * X[:, 30]))
    censored = rng.exponential(3.0, size=n)
    return X, Surv.from_arrays(time <= censored, np.minimum(time, censored))


HALVES = [("left", np.arange(30)), ("right", np.arange(30, 60))]
QUICK: dict[str, Any] = {"methods": ["linear", "linear_alone"], "cv": 3, "fast": True}


def test_without_scikit_survival_the_ridge_is_alone(monkeypatch) -> None:
    X, y = few_that_count()
    sparse = compare_fusion(X, y, HALVES, **QUICK)
    of_joined = [one for one in sparse.results_ if one.method == JOINED]
    assert {one.params["penalty"] for one in of_joined} == {"l1"}
    monkeypatch.setitem(sys.modules, "sksurv", None)  # as where it is not installed
    found = compare_fusion(X, y, HALVES, **QUICK)
    linear = [one for one in found.results_ if one.method.startswith("penalised linear")]
    assert len(linear) == 9
    assert {one.params["penalty"] for one in linear} == {"l2"}
    assert sparse.scores(JOINED).mean() > found.scores(JOINED).mean() + 0.03
    text = found.to_markdown()
    assert "l2 alone, for scikit-survival, which fits l1, was not installed" in text
    assert "l1 or l2" not in text
    # On a fold by hand.
    train, test = found.conditions_.folds[0]
    chosen = next(one.params for one in linear if one.method == JOINED and one.fold == 1)
    scaler = StandardScaler().fit(X[train])
    expected = expected_model("l2", chosen["strength"], scaler.transform(X[train]), y[train])
    risk = expected.predict(scaler.transform(X[test]))
    told = found.predictions_.of(JOINED)
    np.testing.assert_allclose(told.prediction[told.fold == 1], risk, atol=1e-3 * np.std(risk))


def test_columns_of_which_none_says_anything() -> None:
    X, y = few_that_count(60)
    data = Modalities(a=np.ones((60, 2)))
    path = LinearPath([("a", StandardScaler())], "survival", 0)
    assert not PathCox(path, "l1", 0.5).fit(data, y).predict(data).any()


def test_too_weak_penalties_take_the_weakest_that_can_be_fitted() -> None:
    """The order of events is that of a column, of which coefficients grow without bound."""
    rng = np.random.default_rng(0)
    X = StandardScaler().fit_transform(rng.normal(size=(20, 2)))
    y = Surv.from_arrays(np.ones(20, dtype=bool), np.exp(-5 * X[:, 0]))
    data = Modalities(a=X)
    with pytest.raises(ArithmeticError, match="weights are too large"):
        expected_model("l1", 1e-6, X, y)
    path = LinearPath([("a", StandardScaler())], "survival", 0)
    with pytest.warns(ConvergenceWarning, match="below 0.1 of the largest are too weak"):
        weak = PathCox(path, "l1", 1e-6).fit(data, y)
    weakest = PathCox(path, "l1", COX_SPARSE[-1]).fit(data, y)
    np.testing.assert_array_equal(weak.predict(data), weakest.predict(data))
    stronger = PathCox(path, "l1", COX_SPARSE[-2]).fit(data, y)
    assert weak.predict(data).std() > 1.05 * stronger.predict(data).std()
