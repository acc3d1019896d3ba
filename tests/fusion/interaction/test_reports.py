"""Categories, simple slopes and nested models: equal to those of statsmodels."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from mkfusion import InteractionClassifier, InteractionDisplay, InteractionRegressor, Modalities

N = 90


def samples(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    site = pd.Categorical(
        rng.choice(["b", "a", "c"], N), categories=["c", "a", "b", "nowhere"], ordered=False
    )
    table = pd.DataFrame(
        {"age": rng.normal(40, 10, N), "sex": rng.choice(["m", "f"], N), "site": site}
    )
    effect = 0.05 * table["age"] * (table["sex"] == "m") + (table["site"] == "a")
    table["y"] = 0.1 * table["age"] + effect + rng.normal(size=N)
    table["ill"] = (table["y"] + rng.normal(size=N) > 5).astype(int)
    return table


TABLE = samples()
X, Y, ILL = TABLE[["age", "sex", "site"]], TABLE["y"], TABLE["ill"]
# The first level seen of each type's order is the reference, as in R.
FORMULA = "age * C(sex) + age * C(site, Treatment('c')) + C(sex) * C(site, Treatment('c'))"


def statsmodels(formula: str, **options: Any) -> Any:
    clean = TABLE.assign(site=TABLE["site"].astype(str))
    if formula.startswith("ill"):
        return smf.logit(formula, clean).fit(disp=0, tol=1e-10, method="newton", **options)
    return smf.ols(formula, clean).fit(**options)


def place(name: str) -> str:
    """Return the name that patsy gives to one of our terms."""
    parts = []
    for part in name.split(" × "):
        found = re.fullmatch(r"(\w+)\[(\w+)\]", part)
        if found is None:
            parts.append(part)
        elif found[1] == "sex":
            parts.append(f"C(sex)[T.{found[2]}]")
        else:
            parts.append(f"C(site, Treatment('c'))[T.{found[2]}]")
    return ":".join(parts).replace("intercept", "Intercept")


def aligned(values: pd.Series, names: Any) -> list[float]:
    """Return what patsy calls by our names: products stand in either order."""
    by_parts = {frozenset(key.split(":")): value for key, value in values.items()}
    return [by_parts[frozenset(place(name).split(":"))] for name in names]


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
def test_categories_are_those_of_a_formula(cov_type: str) -> None:
    model = InteractionRegressor(cov_type=cov_type).fit(X, Y)
    results = statsmodels("y ~ " + FORMULA, cov_type=cov_type)
    table = model.inference_table()
    assert list(table.index[:5]) == ["intercept", "age", "sex[m]", "site[a]", "site[b]"]
    for name, values in (
        ("estimate", results.params),
        ("std_error", results.bse),
        ("p_value", results.pvalues),
    ):
        np.testing.assert_allclose(table[name], aligned(values, table.index), rtol=1e-7, atol=1e-12)
    assert model.inference_.r2 == pytest.approx(results.rsquared)
    clean = TABLE.assign(site=TABLE["site"].astype(str))
    np.testing.assert_allclose(model.predict(X), results.predict(clean), rtol=1e-9)


def test_categories_in_modalities_and_other_libraries() -> None:
    whole = InteractionRegressor().fit(X, Y).predict(X)
    people = Modalities(person=X[["age", "sex"]], site=X["site"])
    of_parts = InteractionRegressor(form="additive").fit(people, Y)
    assert list(of_parts.term_names_) == ["person.age", "person.sex[m]", "site[a]", "site[b]"]
    by_hand = statsmodels("y ~ age + C(sex) + C(site, Treatment('c'))")
    np.testing.assert_allclose(of_parts.predict(people), by_hand.fittedvalues, rtol=1e-9)
    columns = InteractionRegressor([("age", ["age"]), ("sex", ["sex"]), ("site", ["site"])])
    np.testing.assert_allclose(columns.fit(X, Y).predict(X), whole)
    strings = X.assign(site=X["site"].astype(str))
    polars = InteractionRegressor().fit(pl.from_pandas(strings), Y.to_numpy())
    np.testing.assert_allclose(polars.predict(pl.from_pandas(strings)), whole)
    assert (
        "site[b]" in polars.term_names_ and "site[a]" not in polars.term_names_
    )  # sorted: a first


def test_categories_where_samples_lack_them() -> None:
    """A modality of categories may be missing; the terms of what is there are summed."""
    sites = X["site"].astype(object).where(np.arange(N) % 5 > 0)
    people = Modalities(age=X[["age"]], site=sites.to_frame())
    model = InteractionRegressor(form="additive", missing="marginalise").fit(people, Y)
    there = np.arange(N) % 5 > 0
    alone = Modalities(age=X[["age"]][there], site=sites[there].to_frame())
    complete = InteractionRegressor(form="additive").fit(alone, Y[there])
    np.testing.assert_allclose(model.coef_, complete.coef_)
    np.testing.assert_allclose(model.predict(people)[there], complete.predict(alone))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"site": "q"}, "column 'site' has the level 'q', which no training sample has; expected "),
        ({"site": "nowhere"}, "column 'site' has the level 'nowhere'"),
        ({"sex": None}, "column 'sex' has 90 missing cells, the first in row 0"),
    ],
)
def test_new_levels_and_gaps_are_refused(changed: dict[str, Any], message: str) -> None:
    model = InteractionRegressor().fit(X, Y)
    with pytest.raises(ValueError) as caught:
        model.predict(X.assign(**changed))
    assert message in str(caught.value)
    one = Modalities(age=X[["age"]], rest=X[["site", "sex"]])
    with pytest.raises(ValueError, match="'rest'"):
        InteractionRegressor().fit(one, Y).predict(
            Modalities(age=X[["age"]], rest=X[["site", "sex"]].assign(**changed))
        )


@pytest.mark.parametrize(
    "column, message",
    [
        (["m"] * N, "column 'sex' has one level, 'm'; expected two or more"),
        ([f"patient {i}" for i in range(N)], "column 'sex' has 90 levels in 90 samples"),
        (["m", None] * (N // 2), "column 'sex' has 45 missing cells, the first in row 1"),
    ],
)
def test_columns_that_are_no_categories(column: list[Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        InteractionRegressor().fit(X.assign(sex=column), Y)
    assert message in str(caught.value)


def test_effects_of_all_levels_together() -> None:
    model = InteractionRegressor().fit(X, Y)
    smaller = statsmodels("y ~ age * C(sex) + C(sex) * C(site, Treatment('c'))")
    f, p, df = statsmodels("y ~ " + FORMULA).compare_f_test(smaller)
    for a, b in (("age", "site"), ("site", "age")):
        found = model.test_interaction(a, b)
        assert (found.statistic, found.p_value, found.df) == pytest.approx((f, p, df))


def test_booleans_are_numbers_as_before() -> None:
    table = X[["age"]].assign(smoker=np.arange(N) % 3 == 0)
    model = InteractionRegressor().fit(table, Y)
    assert list(model.term_names_) == ["age", "smoker", "age × smoker"]
    np.testing.assert_allclose(
        model.coef_, InteractionRegressor().fit(table.astype(float), Y).coef_
    )


# ---------------------------------------------------------------------------- simple slopes


def assert_slopes(table: pd.DataFrame, contrast: Any, confidence: float = 0.95) -> None:
    interval = contrast.conf_int(1 - confidence)
    for name, values in {
        "estimate": contrast.effect,
        "std_error": contrast.sd,
        "p_value": contrast.pvalue,
        "ci_lower": interval[:, 0],
        "ci_upper": interval[:, 1],
    }.items():
        np.testing.assert_allclose(table[name], np.ravel(values), rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("scaling", [None, "standardize"])
def test_slopes_of_numbers(scaling: str | None) -> None:
    """At mean and one (sample) standard deviation to both sides, whatever the scaling."""
    table = TABLE.assign(dose=TABLE["age"] ** 2 / 100 + np.random.default_rng(1).normal(size=N))
    model = InteractionRegressor(scaling=scaling).fit(table[["age", "dose"]], Y)
    results = smf.ols("y ~ age * dose", table).fit()
    mean, deviation = table["dose"].mean(), table["dose"].std(ddof=1)
    at = [mean - deviation, mean, mean + deviation]
    contrast = results.t_test([[0, 1, 0, value] for value in at])
    slopes = model.simple_slopes("age", "dose")
    np.testing.assert_allclose(slopes["at"], at)
    assert slopes.index[0].endswith("(mean - SD)")
    assert_slopes(slopes, contrast)
    given = model.simple_slopes("age", "dose", at=[0.0, 7.5], confidence=0.9)
    assert_slopes(given, results.t_test([[0, 1, 0, 0.0], [0, 1, 0, 7.5]]), 0.9)
    # Where the moderator is zero, the slope is the main effect of raw columns.
    zero = InteractionRegressor().fit(table[["age", "dose"]], Y).inference_table().loc["age"]
    np.testing.assert_allclose(given["std_error"].iloc[0], zero["std_error"], rtol=1e-7)


def test_slopes_at_and_of_levels() -> None:
    """Others that the column is multiplied with are at their mean: the shares of their levels."""
    model = InteractionRegressor().fit(X, Y)
    results = statsmodels("y ~ " + FORMULA)
    names = list(results.params.index)
    share = {level: float((X["site"] == level).mean()) for level in "ab"}

    def contrast(weights: dict[str, float]) -> Any:
        rows = np.zeros(len(names))
        for name, weight in weights.items():
            parts = frozenset(place(name).split(":"))
            rows[[frozenset(key.split(":")) for key in names].index(parts)] = weight
        return rows

    common = {"age": 1.0, "age × site[a]": share["a"], "age × site[b]": share["b"]}
    rows = [contrast(common), contrast({**common, "age × sex[m]": 1.0})]
    slopes = model.simple_slopes("age", "sex")
    assert list(slopes["at"]) == ["f", "m"]
    assert_slopes(slopes, results.t_test(rows))
    male = float((X["sex"] == "m").mean())
    rows = [
        contrast(
            {f"site[{level}]": 1.0, f"age × site[{level}]": 30.0, f"sex[m] × site[{level}]": male}
        )
        for level in "ab"
    ]
    slopes = model.simple_slopes("site", "age", at=30)
    assert list(slopes.index) == ["site[a] at age = 30", "site[b] at age = 30"]
    assert_slopes(slopes, results.t_test(rows))


def test_slopes_of_classes_are_of_log_odds() -> None:
    model = InteractionClassifier().fit(X[["age", "sex"]], ILL)
    results = statsmodels("ill ~ age * C(sex)")
    order = list(results.params.index)
    rows = np.zeros((2, 4))
    rows[:, order.index("age")] = 1
    rows[1, order.index("age:C(sex)[T.m]")] = 1
    slopes = model.simple_slopes("age", "sex")
    contrast = results.t_test(rows)
    np.testing.assert_allclose(slopes["estimate"], contrast.effect, rtol=1e-6)
    np.testing.assert_allclose(slopes["std_error"], np.ravel(contrast.sd), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("age", "smell"), "There is no modality 'smell'"),
        (("age", "age"), "no products of 'age' with 'age'"),
        (("age", "sex", ["x"]), "at has 'x'; expected levels of sex, ['f', 'm']"),
        (("sex", "age", ["x"]), "at is ['x']; expected finite numbers, values of age"),
        (("sex", "age", [np.inf]), "expected finite numbers"),
        (("sex", "age", []), "at is empty"),
    ],
)
def test_slopes_that_there_are_not(arguments: tuple[Any, ...], message: str) -> None:
    model = InteractionRegressor().fit(X, Y)
    with pytest.raises(ValueError) as caught:
        model.simple_slopes(*arguments)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="no products"):
        InteractionRegressor(form="additive").fit(X, Y).simple_slopes("age", "sex")
    with pytest.raises(ValueError, match="There is no inference"):
        InteractionRegressor(penalty="ridge").fit(X, Y).simple_slopes("age", "sex")
    wide = Modalities(person=X[["age", "sex"]], site=X["site"])
    with pytest.raises(ValueError, match=r"'person' has 2 columns; expected the name of one"):
        InteractionRegressor().fit(wide, Y).simple_slopes("person", "site")


# ---------------------------------------------------------------------------- nested models


def test_steps_are_an_analysis_of_variance() -> None:
    found = InteractionRegressor().fit(X, Y).nested_models()
    additive = "age + C(sex) + C(site, Treatment('c'))"
    models = [statsmodels(f"y ~ {one}") for one in ("1", additive, FORMULA)]
    assert list(found.index) == ["intercept", "additive", "bilinear"]
    np.testing.assert_allclose(found["r2"], [one.rsquared for one in models], atol=1e-12)
    np.testing.assert_allclose(found["adjusted_r2"], [m.rsquared_adj for m in models], atol=1e-12)
    np.testing.assert_allclose(found["aic"], [one.aic for one in models])
    np.testing.assert_allclose(found["bic"], [one.bic for one in models])
    np.testing.assert_allclose(found["delta_r2"][1:], np.diff(found["r2"]))
    for k in (1, 2):
        f, p, df = models[k].compare_f_test(models[k - 1])
        row = found.iloc[k]
        assert (row["F"], row["p_value"], row["df"]) == pytest.approx((f, p, df), rel=1e-7)
        assert row["df_resid"] == models[k].df_resid
    last = anova_lm(models[1], models[2]).iloc[1]
    assert found["F"].iloc[2] == pytest.approx(last["F"])
    # F from R² alone, as papers write it
    r2, rest = found["r2"], found["df_resid"].iloc[2]
    by_hand = (r2.iloc[2] - r2.iloc[1]) / found["df"].iloc[2] / ((1 - r2.iloc[2]) / rest)
    assert found["F"].iloc[2] == pytest.approx(by_hand)


def test_steps_of_classes_are_likelihood_ratios() -> None:
    found = InteractionClassifier().fit(X[["age", "sex"]], ILL).nested_models()
    models = [statsmodels(f"ill ~ {one}") for one in ("1", "age + C(sex)", "age * C(sex)")]
    np.testing.assert_allclose(found["log_likelihood"], [one.llf for one in models])
    np.testing.assert_allclose(found["r2"], [one.prsquared for one in models], atol=1e-9)
    for k in (1, 2):
        ratio = 2 * (models[k].llf - models[k - 1].llf)
        df = models[k].df_model - models[k - 1].df_model
        assert found["chi2"].iloc[k] == pytest.approx(ratio, rel=1e-6)
        assert found["p_value"].iloc[k] == pytest.approx(stats.chi2.sf(ratio, df), rel=1e-5)
    assert "df_resid" not in found


@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_robust_steps_are_wald_tests(kind: Any) -> None:
    numbers = X[["age"]].assign(male=(X["sex"] == "m") * 1.0)
    target = Y if kind is InteractionRegressor else ILL
    model = kind(cov_type="HC0").fit(numbers, target)
    found = model.nested_models()
    last = model.test_interaction("age", "male")
    assert found["chi2"].iloc[2] == pytest.approx(last.statistic)
    smaller = kind(form="additive", cov_type="HC0").fit(numbers, target)
    inference = smaller.inference_
    estimate, covariance = inference.estimate[1:], inference.covariance[1:, 1:]
    wald = estimate @ np.linalg.solve(covariance, estimate)
    assert found["chi2"].iloc[1] == pytest.approx(wald)


@pytest.mark.parametrize(
    "form, rows",
    [
        ("additive", ["intercept", "additive"]),
        ("multiplicative", ["intercept", "multiplicative"]),
        ("additive+multiplicative", ["intercept", "additive", "additive+multiplicative"]),
    ],
)
def test_steps_of_other_forms(form: str, rows: list[str]) -> None:
    model = InteractionRegressor(form=form).fit(X[["age", "sex"]], Y)
    before = model.predict(X[["age", "sex"]])
    assert list(model.nested_models().index) == rows
    np.testing.assert_array_equal(model.predict(X[["age", "sex"]]), before)
    again = pickle.loads(pickle.dumps(model)).nested_models()
    pd.testing.assert_frame_equal(again, model.nested_models())


# ---------------------------------------------------------------------------- printing


def test_the_printed_table_has_samples_and_shares() -> None:
    model = InteractionRegressor().fit(X[["age", "sex"]], Y)
    results = statsmodels("y ~ age * C(sex)")
    text = model.summary()
    assert text.splitlines()[0] == "InteractionRegressor, bilinear"
    assert f"n = {N}, R² = {results.rsquared:.3f}, adjusted R² = {results.rsquared_adj:.3f}" in text
    for name, row in model.inference_table().iterrows():
        (line,) = [one for one in text.splitlines() if re.match(rf"{re.escape(name)}  ", one)]
        assert f"{row['estimate']:.4g}" in line and f"{row['t']:.2f}" in line
    logistic = InteractionClassifier(cov_type="HC3").fit(X[["age", "sex"]], ILL)
    assert "McFadden's R²" in logistic.summary() and "standard errors HC3" in logistic.summary()
    weighted = InteractionClassifier().fit(X[["age", "sex"]], ILL, np.full(N, 2.0))
    assert f"n = {2 * N}," in weighted.summary()


@pytest.mark.parametrize("constant", [True, False])
def test_a_perfect_fit_is_printed_without_infinities(constant: bool) -> None:
    numbers = X[["age", "sex"]]
    y = np.full(N, 3.0) if constant else 3 + 2 * X["age"].to_numpy()
    model = InteractionRegressor().fit(numbers, y)
    said = [
        model.summary(),
        str(model.test_effect("age")),
        str(model.test_interaction("age", "sex")),
        model.inference_table().drop(columns="t").to_string(),
        model.simple_slopes("age", "sex").drop(columns="t").to_string(),
    ]
    for text in said:
        assert not re.search(r"\b(inf|nan)\b", text, re.IGNORECASE), text
    assert "fits every sample exactly" in said[0] and "fits every sample exactly" in said[1]
    assert model.inference_table()["t"].isna().all(), "there is nothing to divide by"
    if not constant:
        assert re.search(r"^age +2 +exact$", said[0], re.MULTILINE)
        assert re.search(r"^sex\[m\] +0 +exact$", said[0], re.MULTILINE)
        assert said[1].startswith("The target depends on age")
        assert said[2].startswith("No evidence")
        assert model.inference_table()["p_value"]["age"] == 0.0
    assert not InteractionRegressor().fit(numbers, Y).inference_.exact


def test_a_picture_of_a_level() -> None:
    import matplotlib

    matplotlib.use("agg")
    model = InteractionRegressor().fit(X, Y)
    display = InteractionDisplay.from_estimator(model, X, "age", "sex")
    np.testing.assert_array_equal(display.levels, [0.0, 1.0])
    assert display.level_names == ["f", "m"]
    one = InteractionDisplay.from_estimator(model, X, "age", "site[a]")
    assert one.level_names == ["0", "1"]
