"""The plot of an interaction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from mkfusion import InteractionClassifier, InteractionDisplay, InteractionRegressor, Modalities

plt = pytest.importorskip("matplotlib.pyplot")

DIABETES, Y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = DIABETES[["bmi", "bp", "sex"]]


def test_lines_and_bands_are_predictions_of_statsmodels() -> None:
    model = InteractionRegressor().fit(X, Y)
    display = InteractionDisplay.from_estimator(model, X, "bmi", "bp", n_points=5)
    mean, deviation = X["bp"].mean(), X["bp"].std(ddof=0)
    np.testing.assert_allclose(display.levels, mean + deviation * np.array([-1, 0, 1]))
    np.testing.assert_allclose(display.values[[0, -1]], [X["bmi"].min(), X["bmi"].max()])

    def design(a: object, b: object, c: object) -> pd.DataFrame:
        one = np.ones(np.broadcast(a, b, c).shape)
        return np.column_stack([one * t for t in (1, a, b, c, a * b, a * c, b * c)])

    results = sm.OLS(Y.to_numpy(), design(*X.to_numpy().T)).fit()
    for i, level in enumerate(display.levels):
        rows = design(display.values, level, X["sex"].mean())
        expected = results.get_prediction(rows).summary_frame()
        np.testing.assert_allclose(display.predicted[i], expected["mean"], rtol=1e-8)
        np.testing.assert_allclose(display.lower[i], expected["mean_ci_lower"], rtol=1e-8)
        np.testing.assert_allclose(display.upper[i], expected["mean_ci_upper"], rtol=1e-8)


def test_it_draws_what_it_holds() -> None:
    model = InteractionRegressor().fit(X, Y)
    _, ax = plt.subplots()
    display = InteractionDisplay.from_estimator(model, X, "bmi", "bp", ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(display.lines_) == len(display.bands_) == 3
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), display.predicted[1])
    assert ax.get_xlabel() == "bmi"
    assert ax.get_title() == str(model.test_interaction("bmi", "bp"))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["bp = 80.8 (mean - SD)", "bp = 94.6 (mean)", "bp = 108 (mean + SD)"]
    display.figure_.canvas.draw()
    again = display.plot()
    assert again.ax_ is not ax


def test_few_values_are_levels_themselves() -> None:
    model = InteractionRegressor().fit(X, Y)
    display = InteractionDisplay.from_estimator(model, X, "bmi", "sex")
    assert display.level_names == ["1", "2"]


def test_probabilities_stay_between_zero_and_one() -> None:
    labels = np.where(Y > 150, "fast", "slow")
    model = InteractionClassifier(scaling="center", cov_type="HC3").fit(X, labels)
    display = InteractionDisplay.from_estimator(model, X, "bmi", "bp")
    assert display.response == "probability of slow"
    assert 0 < display.lower.min() < display.upper.max() < 1
    assert (display.lower < display.predicted).all()
    assert (display.predicted < display.upper).all()


@pytest.mark.parametrize("options", [{"penalty": "ridge", "alpha": 0.1}, {"form": "additive"}])
def test_models_without_inference_or_products_have_a_plot(options: dict[str, object]) -> None:
    model = InteractionRegressor(**options).fit(X, Y)
    display = InteractionDisplay.from_estimator(model, X, "bmi", "bp")
    assert (display.lower is None) == ("penalty" in options)
    assert display.conclusion == ""
    slopes = np.diff(display.predicted, axis=1).mean(axis=1)
    assert np.allclose(slopes, slopes[0]) == ("form" in options)


def test_columns_of_modalities_are_found_by_name() -> None:
    samples = Modalities(body=X[["bmi", "bp"]], age=DIABETES["age"])
    model = InteractionRegressor(form="low_rank", rank=1, random_state=0).fit(samples, Y)
    display = InteractionDisplay.from_estimator(model, samples, "body.bmi", "age")
    assert display.names == ("body.bmi", "age")
    with pytest.raises(ValueError, match=r"modality 'body' has 2 columns; .*'body.bmi'"):
        InteractionDisplay.from_estimator(model, samples, "body", "age")


def test_what_cannot_be_plotted_is_refused() -> None:
    model = InteractionRegressor().fit(X, Y)
    with pytest.raises(ValueError, match="same column"):
        InteractionDisplay.from_estimator(model, X, "bmi", "bmi")
    with pytest.raises(ValueError, match="no modality 'weight'"):
        InteractionDisplay.from_estimator(model, X, "bmi", "weight")
    with pytest.raises(TypeError, match="estimator is a LinearRegression"):
        InteractionDisplay.from_estimator(LinearRegression().fit(X, Y), X, "bmi", "bp")


def test_what_it_is_given_is_named():
    with pytest.raises(TypeError, match=r"InteractionDisplay is given 3; .*\.from_estimator\("):
        InteractionDisplay(3)
