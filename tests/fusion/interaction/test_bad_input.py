"""What interaction models refuse, and what they warn of."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from mkfusion import InteractionClassifier, InteractionRegressor, Modalities

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X[:, 0] + RNG.normal(size=60)
LABELS = np.where(Y > 0, "ill", "well")
NAMED = pd.DataFrame(X, columns=["age", "bmi", "bp"])
BOTH = pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])


def target_of(kind: Any) -> Any:
    return Y if kind is InteractionRegressor else LABELS


# ------------------------------------------------------------------------ dependent terms


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (lambda t: 3 + 2 * t["age"] - t["bmi"], "'more' = 3 + 2 × 'age' - 'bmi'"),
        (lambda t: t["bmi"], "'more' = 'bmi'"),
        (lambda t: 0 * t["bmi"] + 7, "'more' is constant"),
        (lambda t: t["age"] * t["bmi"], "'age × bmi' = 'more'"),
    ],
)
def test_dependent_terms_are_told_with_what_they_are_made_of(column: Any, message: str) -> None:
    table = NAMED.assign(more=column)
    with pytest.warns(LinAlgWarning) as found:
        InteractionRegressor(form="bilinear").fit(table, Y)
    (warning,) = found
    assert message in str(warning.message)
    assert warning.filename == __file__


@BOTH
def test_dependent_terms_are_left_out_of_predictions_and_inference(kind: Any) -> None:
    table = NAMED.assign(twice=2 * NAMED["age"])
    with pytest.warns(LinAlgWarning, match=r"has rank 4 but 5 columns: 'twice' = 2 × 'age'\."):
        model = kind(form="additive").fit(table, target_of(kind))
    expected = kind(form="additive").fit(NAMED, target_of(kind))
    np.testing.assert_allclose(np.ravel(model.coef_), [*np.ravel(expected.coef_), 0.0])
    assert not hasattr(model, "inference_")
    for question in (
        model.inference_table,
        lambda: model.test_effect("age"),
        lambda: model.test_interaction("age", "bmi"),
    ):
        with pytest.raises(ValueError, match=r"There is no inference: .*'twice' = 2 × 'age'"):
            question()


def test_many_dependent_terms_are_counted() -> None:
    table = pd.DataFrame({f"c{j}": X[:, 0] + j for j in range(9)})
    with pytest.warns(LinAlgWarning, match=r"'c1' = 1 \+ 'c0'; .* and 3 more\."):
        InteractionRegressor(form="additive").fit(table, Y)
    dummies = pd.get_dummies(pd.Series(np.arange(60) % 7), dtype=float).add_prefix("site")
    with pytest.warns(LinAlgWarning, match="'site6' depends on 'site0', .* and 2 more"):
        InteractionRegressor(form="additive").fit(dummies, Y)


def test_more_terms_than_samples_are_told() -> None:
    wide = RNG.normal(size=(10, 6))
    with pytest.warns(LinAlgWarning, match="one more than 10 samples can tell apart"):
        model = InteractionRegressor().fit(wide, Y[:10])
    np.testing.assert_allclose(model.predict(wide), Y[:10])


def test_offsets_are_no_dependence() -> None:
    years = np.column_stack([2000 + RNG.integers(0, 20, 60), 1e6 + X[:, 1]])
    model = InteractionRegressor().fit(years, Y)
    assert model.inference_.df_resid == 56


def test_no_degrees_of_freedom_leave_no_inference() -> None:
    model = InteractionRegressor().fit(X[:4, :2], Y[:4])
    np.testing.assert_allclose(model.predict(X[:4, :2]), Y[:4])
    with pytest.raises(ValueError, match="3 terms and an intercept of 4 samples leave no degrees"):
        model.inference_table()


def test_a_sample_that_is_fitted_whatever_it_is_has_no_hc3() -> None:
    alone = np.zeros(60)
    alone[7] = 1.0
    model = InteractionRegressor(form="additive", cov_type="HC3")
    model.fit(np.column_stack([X, alone]), Y)
    with pytest.raises(ValueError, match="sample 7 has leverage 1"):
        model.inference_table()


# ----------------------------------------------------------------------------- separation


def test_classes_that_a_column_tells_apart_are_told() -> None:
    labels = np.where(NAMED["bmi"] > 0.3, "ill", "well")
    with pytest.warns(ConvergenceWarning) as found:
        model = InteractionClassifier(form="additive").fit(NAMED, labels)
    (warning,) = found
    assert "The classes 'ill' and 'well' are separated: 'bmi' is right about all samples" in str(
        warning.message
    )
    assert 'penalty="ridge"' in str(warning.message)
    assert warning.filename == __file__
    assert model.score(NAMED, labels) == 1
    assert not hasattr(model, "inference_")
    with pytest.raises(ValueError, match="There is no inference: The classes"):
        model.inference_table()
    ridge = InteractionClassifier(form="additive", penalty="ridge", alpha=0.01).fit(NAMED, labels)
    assert ridge.score(NAMED, labels) > 0.9


def test_partly_separated_classes_are_told() -> None:
    """All with the sign are ill; statsmodels converges to some large number here."""
    sign = (np.arange(60) < 12).astype(float)
    labels = (sign > 0) | (Y > 0)
    table = NAMED[["age"]].assign(sign=sign)
    with pytest.warns(
        ConvergenceWarning, match="are partly separated: 'sign' is right about 12 of 60 samples"
    ):
        InteractionClassifier(form="additive").fit(table, labels)


def test_a_combination_that_separates_is_named() -> None:
    labels = NAMED["age"] + NAMED["bp"] > 0
    with pytest.warns(ConvergenceWarning, match="a combination of 'age', 'bp' is right about all"):
        InteractionClassifier(form="additive").fit(NAMED, labels)


def test_far_log_odds_are_no_separation() -> None:
    """Two samples on the wrong side: estimates are finite, however large the log-odds."""
    x = np.r_[np.linspace(-30, 30, 100), -0.5, 0.5]
    labels = np.r_[np.linspace(-30, 30, 100) > 0, True, False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = InteractionClassifier(form="additive").fit(x[:, None], labels)
    log_odds = model.decision_function(x[:, None])
    assert np.abs(log_odds).max() > 20
    gradient = (1 / (1 + np.exp(-log_odds)) - labels) @ np.column_stack([np.ones_like(x), x])
    np.testing.assert_allclose(gradient, 0, atol=1e-8)
    assert model.inference_table()["std_error"].iloc[1] > 0


def test_too_few_newton_steps_are_told() -> None:
    with pytest.warns(ConvergenceWarning, match="max_iter=2 iterations") as found:
        model = InteractionClassifier(max_iter=2).fit(NAMED, LABELS)
    assert found[0].filename == __file__
    with pytest.raises(ValueError, match="maximum likelihood did not converge"):
        model.inference_table()


# -------------------------------------------------------------------------------- refused


@BOTH
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"form": "quadratic"}, "'form' parameter"),
        ({"penalty": "l1"}, "'penalty' parameter"),
        ({"alpha": 0.0}, "'alpha' parameter"),
        ({"rank": -1}, "'rank' parameter"),
        ({"scaling": "minmax"}, "'scaling' parameter"),
        ({"cov_type": "HC9"}, "'cov_type' parameter"),
        ({"tol": 0}, "'tol' parameter"),
        ({"form": "low_rank", "penalty": "lasso"}, "penalty='lasso' with form=\"low_rank\""),
        ({"form": "multiplicative", "modalities": [("a", [0, 1])]}, "2 feature.s. in one modality"),
        ({"form": "low_rank", "modalities": [("a", [0])]}, "1 feature.s. in one modality"),
        (
            {"form": "multiplicative", "modalities": [("a", [0]), ("b", [1, 2]), ("c", [0, 1, 2])]},
            "'b' and 'c' have 2 and 3 columns; .* form=\"bilinear\"",
        ),
        ({"modalities": [("a", [9])]}, "column 9"),
        ({"modalities": "age"}, "expected a list of tuples"),
    ],
)
def test_parameters_out_of_range_are_refused(
    kind: Any, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        kind(**parameters).fit(X, target_of(kind))


@BOTH
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (Modalities(a=X, b=["text"] * 60), "modality 'b': it is not columns of finite numbers"),
        (
            Modalities(a=X, b=np.zeros((60, 2, 5))),
            r"'b': it is not .*shape \(60, 2, 5\)",
        ),
        (Modalities(a=X, b=np.where(X > 2, np.nan, X)), "modality 'b': .* NaN"),
        (np.where(X > 2, np.inf, X), "infinity"),
        (X[:, 0], "Reshape your data"),
    ],
)
def test_what_is_not_columns_of_numbers_is_refused(kind: Any, samples: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        kind().fit(samples, target_of(kind))


@BOTH
def test_other_samples_than_in_fit_are_refused(kind: Any) -> None:
    several = Modalities(a=X[:, :2], b=X[:, 2])
    model = kind().fit(several, target_of(kind))
    with pytest.raises(TypeError, match="expected Modalities as in fit"):
        model.predict(X)
    with pytest.raises(ValueError, match="modality 'a' has 3 columns; expected 2"):
        model.predict(Modalities(a=X, b=X[:, 2]))
    with pytest.raises(ValueError, match="unknown modality 'b'"):
        model.predict(Modalities(a=X[:, :2]))
    with pytest.raises(TypeError, match="expected columns as in fit"):
        kind().fit(X, target_of(kind)).predict(several)


def test_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="y: expected numbers"):
        InteractionRegressor().fit(X, None)
    with pytest.raises(ValueError, match="could not convert"):
        InteractionRegressor().fit(X, LABELS)
    with pytest.raises(ValueError, match="one class"):
        InteractionClassifier().fit(X, np.ones(60))
    with pytest.raises(ValueError, match="y has 3 classes.*OneVsRestClassifier"):
        InteractionClassifier().fit(X, np.arange(60) % 3)
    with pytest.raises(ValueError, match="one class among the samples with a positive"):
        InteractionClassifier().fit(X, LABELS, sample_weight=LABELS == "ill")


@BOTH
def test_weights_that_are_no_weights_are_refused(kind: Any) -> None:
    for weights, message in [
        (-np.ones(60), "sample_weight contains -1"),
        (np.ones(3), "sample_weight is not one weight for each sample"),
        (np.eye(60)[0], "sample_weight has 1 positive weight"),
    ]:
        with pytest.raises(ValueError, match=message):
            kind().fit(X, target_of(kind), sample_weight=weights)


def test_questions_without_an_answer_are_refused() -> None:
    model = InteractionRegressor().fit(NAMED, Y)
    with pytest.raises(ValueError, match=r"no modality 'weight'; there are \['age', 'bmi', 'bp'\]"):
        model.test_effect("weight")
    with pytest.raises(ValueError, match="confidence=95"):
        model.inference_table(confidence=95)
    with pytest.raises(ValueError, match="no products of 'age' with 'age'"):
        model.test_interaction("age", "age")
    with pytest.raises(ValueError, match="no products of 'age' with others: form='additive'"):
        InteractionRegressor(form="additive").fit(NAMED, Y).test_interaction("age")
    for options, message in [
        ({"penalty": "ridge", "alpha": 1.0}, "penalty='ridge' shrinks the estimates"),
        ({"form": "low_rank", "rank": 1}, 'expected form="bilinear"'),
    ]:
        with pytest.raises(ValueError, match=message):
            InteractionRegressor(**options).fit(NAMED, Y).inference_table()


def test_numbers_that_are_not_float_are_taken() -> None:
    whole = RNG.integers(0, 9, size=(60, 2))
    model = InteractionRegressor(form="additive").fit(pd.DataFrame(whole).astype("Int64"), Y)
    np.testing.assert_allclose(model.coef_, LinearRegression().fit(whole, Y).coef_)
