"""Tables and tests of interaction models: equal to those of statsmodels."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression

from mkfusion import InteractionClassifier, InteractionRegressor

RNG = np.random.default_rng(0)
DIABETES, PROGRESSION = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
DIABETES = DIABETES[["bmi", "bp", "age"]]
CANCER, BENIGN = load_breast_cancer(return_X_y=True, as_frame=True)
CANCER = CANCER[["mean texture", "mean smoothness"]]
Y, LABELS = PROGRESSION.to_numpy(), BENIGN.to_numpy()
COUNTS = RNG.integers(0, 4, len(LABELS))
PRECISIONS = RNG.uniform(0.2, 3, len(Y))


def design(X: pd.DataFrame) -> NDArray[np.float64]:
    """Write the terms out: intercept, columns, products of pairs."""
    columns = X.to_numpy()
    pairs = [(i, j) for i in range(columns.shape[1]) for j in range(i + 1, columns.shape[1])]
    products = [columns[:, i] * columns[:, j] for i, j in pairs]
    return np.column_stack([np.ones(len(columns)), columns, *products])


def assert_table(model: Any, results: Any) -> None:
    """Compare every column with a statsmodels result."""
    table = model.inference_table()
    statistic = "t" if results.use_t else "z"
    expected = {
        "estimate": results.params,
        "std_error": results.bse,
        statistic: results.tvalues,
        "p_value": results.pvalues,
        "ci_lower": results.conf_int()[:, 0],
        "ci_upper": results.conf_int()[:, 1],
    }
    assert list(table.columns) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-8, atol=1e-13, err_msg=name)
    np.testing.assert_allclose(
        model.inference_table(confidence=0.9)[["ci_lower", "ci_upper"]],
        results.conf_int(alpha=0.1),
        rtol=1e-8,
    )


def assert_fit(model: Any, results: Any, r2: float) -> None:
    """Compare what is said of the whole model."""
    inference = model.inference_
    assert inference.df_model == results.df_model
    assert inference.df_resid == results.df_resid
    np.testing.assert_allclose(inference.covariance, results.cov_params(), rtol=1e-7)
    for name, value in [("r2", r2), ("log_likelihood", results.llf), ("aic", results.aic)]:
        np.testing.assert_allclose(getattr(inference, name), value, rtol=1e-8, err_msg=name)


# -------------------------------------------------------------------------------- regression


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC3"])
@pytest.mark.parametrize("use_t", [None, True, False])
def test_regression_is_as_in_statsmodels(cov_type: str, use_t: bool | None) -> None:
    model = InteractionRegressor(cov_type=cov_type, use_t=use_t).fit(DIABETES, PROGRESSION)
    results = sm.OLS(Y, design(DIABETES)).fit(cov_type=cov_type, use_t=use_t)
    assert_table(model, results)
    assert_fit(model, results, results.rsquared)
    np.testing.assert_allclose(model.inference_.adjusted_r2, results.rsquared_adj, rtol=1e-8)
    np.testing.assert_allclose(model.inference_.bic, results.bic, rtol=1e-8)
    np.testing.assert_allclose(model.inference_.scale, results.scale, rtol=1e-8)
    np.testing.assert_allclose(model.predict(DIABETES), results.fittedvalues, rtol=1e-9)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
def test_weights_are_those_of_weighted_least_squares(cov_type: str) -> None:
    model = InteractionRegressor(cov_type=cov_type)
    results = sm.WLS(Y, design(DIABETES), weights=PRECISIONS).fit(cov_type=cov_type)
    model.fit(DIABETES, Y, sample_weight=PRECISIONS)
    assert_table(model, results)
    assert_fit(model, results, results.rsquared)
    table = model.inference_table()
    doubled = model.fit(DIABETES, Y, sample_weight=2 * PRECISIONS).inference_table()
    pd.testing.assert_frame_equal(doubled, table, rtol=1e-9)


def test_samples_without_weight_are_left_out() -> None:
    seen = np.arange(len(Y)) % 3 > 0
    weighted = InteractionRegressor().fit(DIABETES, Y, sample_weight=seen)
    alone = InteractionRegressor().fit(DIABETES[seen], Y[seen])
    pd.testing.assert_frame_equal(weighted.inference_table(), alone.inference_table(), rtol=1e-9)
    assert weighted.inference_.n_samples == seen.sum()


def restricted(columns: list[int]) -> Any:
    return sm.OLS(Y, np.delete(design(DIABETES), columns, axis=1)).fit()


@pytest.mark.parametrize(
    ("question", "left_out"),
    [
        (lambda model: model.test_effect("bmi"), [1, 4, 5]),
        (lambda model: model.test_effect("age"), [3, 5, 6]),
        (lambda model: model.test_interaction("bmi", "bp"), [4]),
        (lambda model: model.test_interaction("bp", "bmi"), [4]),
        (lambda model: model.test_interaction("age"), [5, 6]),
    ],
)
def test_questions_are_nested_f_tests(question: Any, left_out: list[int]) -> None:
    test = question(InteractionRegressor().fit(DIABETES, Y))
    f, p, df = sm.OLS(Y, design(DIABETES)).fit().compare_f_test(restricted(left_out))
    np.testing.assert_allclose([test.statistic, test.p_value], [f, p], rtol=1e-8)
    assert (test.kind, test.df, test.df_resid) == ("F", df, len(Y) - 7)
    assert len(test.terms) == df


@pytest.mark.parametrize("use_t", [None, True])
def test_robust_questions_are_wald_tests(use_t: bool | None) -> None:
    model = InteractionRegressor(cov_type="HC3", use_t=use_t).fit(DIABETES, Y)
    results = sm.OLS(Y, design(DIABETES)).fit(cov_type="HC3", use_t=use_t)
    test, expected = (
        model.test_effect("bmi"),
        results.wald_test(np.eye(7)[[1, 4, 5]], use_f=use_t, scalar=True),
    )
    assert test.kind == "Wald"
    np.testing.assert_allclose(test.statistic, expected.statistic, rtol=1e-8)
    np.testing.assert_allclose(test.p_value, expected.pvalue, rtol=1e-7)


def test_centring_changes_main_effects_but_not_answers() -> None:
    raw = InteractionRegressor().fit(DIABETES, Y)
    centred = InteractionRegressor(scaling="center").fit(DIABETES, Y)
    assert_table(centred, sm.OLS(Y, design(DIABETES - DIABETES.mean())).fit())
    before, after = raw.inference_table(), centred.inference_table()
    assert abs(before.loc["bmi", "t"]) < 1 < 10 < after.loc["bmi", "t"]
    pd.testing.assert_frame_equal(before.filter(like="×", axis=0), after.filter(like="×", axis=0))
    np.testing.assert_allclose(raw.predict(DIABETES), centred.predict(DIABETES))
    np.testing.assert_allclose(
        raw.test_effect("bmi").p_value, centred.test_effect("bmi").p_value, rtol=1e-8
    )


def test_offsets_cost_few_digits() -> None:
    """Columns far from zero, in units far apart: the interaction is still told exactly."""
    X = RNG.normal(size=(200, 2))
    y = X @ [1.0, 2.0] + X[:, 0] * X[:, 1] + RNG.normal(size=200)
    expected = InteractionRegressor().fit(X, y).test_interaction("x0", "x1")
    far = X * [1e-6, 1e3] + [1e-2, 1e7]
    found = InteractionRegressor().fit(far, y).test_interaction("x0", "x1")
    np.testing.assert_allclose(found.statistic, expected.statistic, rtol=1e-6)


# ---------------------------------------------------------------------------- classification


def logit(**options: Any) -> Any:
    return sm.Logit(LABELS, design(CANCER)).fit(disp=0, tol=1e-10, **options)


def test_classification_is_as_in_statsmodels() -> None:
    model = InteractionClassifier().fit(CANCER, BENIGN)
    results = logit()
    assert_table(model, results)
    assert_fit(model, results, results.prsquared)
    np.testing.assert_allclose(model.inference_.bic, results.bic, rtol=1e-8)
    np.testing.assert_allclose(model.predict_proba(CANCER)[:, 1], results.predict(), rtol=1e-8)


def test_maximum_likelihood_is_that_of_scikit_learn() -> None:
    newton = {"solver": "newton-cholesky", "tol": 1e-14, "max_iter": 1000}
    for weights in (None, COUNTS):
        model = InteractionClassifier(scaling="standardize")
        model.fit(CANCER, LABELS, sample_weight=weights)
        values = model._terms.values(model._scaling.apply(CANCER.to_numpy()))
        expected = LogisticRegression(C=np.inf, **newton).fit(values, LABELS, sample_weight=weights)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


def test_hc0_is_what_statsmodels_has_for_discrete_models() -> None:
    """Statsmodels takes "HC3" there, and computes HC0."""
    model = InteractionClassifier(cov_type="HC0").fit(CANCER, BENIGN)
    assert_table(model, logit(cov_type="HC0"))
    test = model.test_effect("mean texture")
    expected = logit(cov_type="HC0").wald_test(np.eye(4)[[1, 3]], scalar=True)
    np.testing.assert_allclose(test.statistic, expected.statistic, rtol=1e-7)
    assert (test.kind, test.df) == ("Wald", 2)


def test_hc3_of_classification_is_the_formula() -> None:
    """As in R's sandwich package, sample by sample."""
    Z, results = design(CANCER), logit()
    chance = results.predict()
    bread = np.linalg.inv(Z.T @ (Z * (chance * (1 - chance))[:, None]))
    meat = np.zeros((4, 4))
    for row, p, t in zip(Z, chance, LABELS, strict=True):
        leverage = p * (1 - p) * row @ bread @ row
        meat += ((t - p) / (1 - leverage)) ** 2 * np.outer(row, row)
    model = InteractionClassifier(cov_type="HC3").fit(CANCER, BENIGN)
    np.testing.assert_allclose(model.inference_.covariance, bread @ meat @ bread, rtol=1e-6)


def test_weights_of_classes_are_counts() -> None:
    model = InteractionClassifier().fit(CANCER, LABELS, sample_weight=COUNTS)
    seen = COUNTS > 0
    results = sm.GLM(
        LABELS[seen], design(CANCER)[seen], sm.families.Binomial(), freq_weights=COUNTS[seen]
    ).fit(tol=1e-14, maxiter=100)
    assert_table(model, results)
    np.testing.assert_allclose(model.inference_.log_likelihood, results.llf, rtol=1e-8)
    assert model.inference_.df_resid == results.df_resid


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC3"])
def test_a_weight_is_a_repetition(cov_type: str) -> None:
    model = InteractionClassifier(cov_type=cov_type)
    weighted = model.fit(CANCER, LABELS, sample_weight=COUNTS).inference_table()
    rows = np.repeat(np.arange(len(LABELS)), COUNTS)
    repeated = model.fit(CANCER.iloc[rows], LABELS[rows]).inference_table()
    pd.testing.assert_frame_equal(weighted, repeated, rtol=1e-8)


def test_questions_of_classes_are_likelihood_ratio_tests() -> None:
    model = InteractionClassifier().fit(CANCER, BENIGN)
    for test, left_out in [
        (model.test_interaction("mean texture", "mean smoothness"), [3]),
        (model.test_effect("mean texture"), [1, 3]),
    ]:
        smaller = sm.Logit(LABELS, np.delete(design(CANCER), left_out, axis=1))
        restricted = smaller.fit(disp=0, tol=1e-10)
        ratio = 2 * (logit().llf - restricted.llf)
        np.testing.assert_allclose(test.statistic, ratio, rtol=1e-8)
        assert (test.kind, test.df) == ("likelihood ratio", len(left_out))
        assert test.p_value < 1e-4


# --------------------------------------------------------------------------------- sentences


def test_conclusions_are_plain_sentences() -> None:
    model = InteractionRegressor().fit(DIABETES, Y)
    assert str(model.test_interaction("bmi", "bp")) == (
        "The effect of bmi depends on bp (F(1, 435) = 3.98, p = 0.047)."
    )
    assert str(model.test_interaction("bmi", "bp", confidence=0.99)) == (
        "No evidence that the effect of bmi depends on bp (F(1, 435) = 3.98, p = 0.047)."
    )
    assert str(model.test_effect("bmi")) == (
        "The target depends on bmi beyond the other modalities (F(3, 435) = 53.7, p < 0.0001)."
    )
    assert str(model.test_interaction("bmi", "age")).startswith("No evidence that the effect of")
    assert "depends on another modality" in str(model.test_interaction("bmi"))
    alone = InteractionRegressor().fit(DIABETES[["bmi"]], Y).test_effect("bmi")
    assert str(alone).startswith("The target depends on bmi (F(1, 440) = ")


def test_columns_of_a_modality_are_tested_together_and_one_by_one() -> None:
    groups = [("body", ["bmi", "bp"]), ("age", ["age"])]
    model = InteractionRegressor(groups).fit(DIABETES, Y)
    assert list(model.term_names_) == [
        "body.bmi",
        "body.bp",
        "age",
        "body.bmi × age",
        "body.bp × age",
    ]
    body = model.test_effect("body")
    assert body.terms == ["body.bmi", "body.bp", "body.bmi × age", "body.bp × age"]
    assert model.test_effect("body.bmi").terms == ["body.bmi", "body.bmi × age"]
    assert model.test_interaction("age", "body").df == 2
    assert model.test_interaction("age", "body.bp").terms == ["body.bp × age"]


def test_the_test_keeps_its_level() -> None:
    """Without an interaction, a twentieth of samples say that there is one."""
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(400):
        X = rng.normal(size=(60, 2))
        y = X.sum(axis=1) + rng.normal(size=60)
        p_values.append(InteractionRegressor().fit(X, y).test_interaction("x0", "x1").p_value)
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.08


# ------------------------------------------------------------------------------- other cases


def test_the_table_needs_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    model = InteractionRegressor().fit(DIABETES.to_numpy(), Y)
    expected = model.inference_table()
    real = builtins.__import__

    def without(name: str, *rest: Any, **others: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    table = model.inference_table()
    monkeypatch.undo()
    assert isinstance(table, np.ndarray)
    assert list(table["term"]) == list(expected.index)
    for name in expected:
        np.testing.assert_array_equal(table[name], expected[name])


def test_a_perfect_fit_and_a_constant_target_have_a_table() -> None:
    X = RNG.normal(size=(20, 2))
    table = InteractionRegressor().fit(X, 3 + X[:, 0]).inference_table()
    np.testing.assert_allclose(table["estimate"], [3, 1, 0, 0], atol=1e-13)
    assert table["std_error"].max() < 1e-13
    constant = InteractionRegressor().fit(X, np.ones(20))
    assert np.isnan(constant.inference_.r2)
    np.testing.assert_allclose(constant.predict(X), 1)
