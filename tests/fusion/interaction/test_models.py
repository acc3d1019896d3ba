"""Forms, terms and invariances of interaction models."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import InteractionClassifier, InteractionRegressor, Modalities

RNG = np.random.default_rng(0)
ACCEL, GYRO, AGE = RNG.normal(size=(80, 3)), RNG.normal(size=(80, 3)), RNG.normal(size=80)
Y = ACCEL @ [1, -1, 0.5] + ACCEL[:, 0] * GYRO[:, 1] + 0.3 * AGE + 0.1 * RNG.normal(size=80)
X = Modalities(accel=pd.DataFrame(ACCEL, columns=list("xyz")), gyro=GYRO, age=AGE)
TABLE = pd.DataFrame(
    np.column_stack([ACCEL, GYRO, AGE]), columns=["ax", "ay", "az", "gx", "gy", "gz", "age"]
)
GROUPS = [("accel", ["ax", "ay", "az"]), ("gyro", slice("gx", "gz")), ("age", "age")]


def products(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)


MAIN = np.column_stack([ACCEL, GYRO, AGE])
CORRESPONDING = np.hstack([ACCEL * GYRO, ACCEL * AGE[:, None], GYRO * AGE[:, None]])
ALL = np.hstack([products(ACCEL, GYRO), ACCEL * AGE[:, None], GYRO * AGE[:, None]])
DESIGNS = {
    "additive": MAIN,
    "multiplicative": CORRESPONDING,
    "additive+multiplicative": np.hstack([MAIN, CORRESPONDING]),
    "bilinear": np.hstack([MAIN, ALL]),
}


@pytest.mark.parametrize("form", DESIGNS)
def test_forms_are_regressions_on_these_terms(form: str) -> None:
    expected = LinearRegression().fit(DESIGNS[form], Y)
    model = InteractionRegressor(form=form).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), expected.predict(DESIGNS[form]), rtol=1e-9)
    assert len(model.term_names_) == DESIGNS[form].shape[1]


def test_terms_are_named_by_modality_and_column() -> None:
    model = InteractionRegressor().fit(X, Y)
    names = list(model.term_names_)
    assert names[:7] == ["accel.x", "accel.y", "accel.z", "gyro.0", "gyro.1", "gyro.2", "age"]
    assert names[7:10] == ["accel.x × gyro.0", "accel.x × gyro.1", "accel.x × gyro.2"]
    assert names[-1] == "gyro.2 × age"
    corresponding = InteractionRegressor(form="multiplicative").fit(X, Y).term_names_
    assert list(corresponding[:4]) == [
        "accel.x × gyro.0",
        "accel.y × gyro.1",
        "accel.z × gyro.2",
        "accel.x × age",
    ]


def test_groups_of_columns_are_modalities() -> None:
    model = InteractionRegressor(GROUPS).fit(TABLE, Y)
    np.testing.assert_allclose(model.predict(TABLE), InteractionRegressor().fit(X, Y).predict(X))
    np.testing.assert_allclose(
        model.predict(TABLE[TABLE.columns[::-1]].assign(more="text")), model.predict(TABLE)
    )
    assert list(model.feature_names_in_) == list(TABLE.columns)
    by_position = InteractionRegressor([("a", [0, 1, 2]), ("g", [3, 4, 5]), ("age", 6)])
    np.testing.assert_allclose(
        by_position.fit(TABLE.to_numpy(), Y).predict(TABLE.to_numpy()), model.predict(TABLE)
    )


def test_every_column_is_a_modality_by_default() -> None:
    model = InteractionRegressor().fit(TABLE[["ax", "gy", "age"]], Y)
    assert list(model.term_names_) == ["ax", "gy", "age", "ax × gy", "ax × age", "gy × age"]
    assert list(InteractionRegressor().fit(MAIN[:, :2], Y).term_names_) == ["x0", "x1", "x0 × x1"]


def test_one_modality_has_no_products() -> None:
    model = InteractionRegressor([("accel", ["ax", "ay", "az"])]).fit(TABLE, Y)
    np.testing.assert_allclose(model.coef_, LinearRegression().fit(ACCEL, Y).coef_)


def test_two_groups_of_two_have_a_closed_form() -> None:
    """With two yes-or-no columns, the product's coefficient is the difference of differences."""
    a, b = np.repeat([0.0, 1.0], 40), np.tile([0.0, 1.0], 40)
    means = np.array([[Y[(a == i) & (b == j)].mean() for j in (0, 1)] for i in (0, 1)])
    model = InteractionRegressor().fit(np.column_stack([a, b]), Y)
    np.testing.assert_allclose(model.intercept_, means[0, 0])
    interaction = means[1, 1] - means[1, 0] - means[0, 1] + means[0, 0]
    np.testing.assert_allclose(
        model.coef_, [means[1, 0] - means[0, 0], means[0, 1] - means[0, 0], interaction]
    )


def test_log_odds_of_two_groups_of_two_have_a_closed_form() -> None:
    counts = {(0, 0): (7, 3), (0, 1): (4, 6), (1, 0): (2, 8), (1, 1): (9, 1)}  # of no and yes
    rows = [(a, b, t) for (a, b), n in counts.items() for t in (0, 1) for _ in range(n[t])]
    a, b, target = np.array(rows).T
    model = InteractionClassifier().fit(np.column_stack([a, b]), np.array(["no", "yes"])[target])
    odds = {cell: np.log(yes / no) for cell, (no, yes) in counts.items()}
    np.testing.assert_allclose(model.intercept_, [odds[0, 0]])
    expected = [
        odds[1, 0] - odds[0, 0],
        odds[0, 1] - odds[0, 0],
        odds[1, 1] - odds[1, 0] - odds[0, 1] + odds[0, 0],
    ]
    np.testing.assert_allclose(model.coef_, [expected], rtol=1e-10)
    # the variance of a log-odds ratio is the sum of reciprocal counts
    error = model.inference_table()["std_error"].iloc[-1]
    np.testing.assert_allclose(error, np.sqrt(sum(1 / n for c in counts.values() for n in c)))


@pytest.mark.parametrize("penalty", [None, "ridge"])
def test_exclusive_or_needs_products(penalty: str | None) -> None:
    corners = RNG.choice([-1.0, 1.0], size=(300, 2))
    samples = corners + 0.4 * RNG.normal(size=(300, 2))
    labels = np.where(corners.prod(axis=1) > 0, "same", "different")
    for form, low, high in [
        ("additive", 0.3, 0.65),
        ("multiplicative", 0.95, 1.0),
        ("bilinear", 0.95, 1.0),
    ]:
        model = InteractionClassifier(form=form, penalty=penalty, alpha=1e-3)
        assert low <= cross_val_score(model, samples, labels).mean() <= high


# ---------------------------------------------------------------------------- invariances


@pytest.mark.parametrize("penalty", [None, "ridge", "lasso", "group"])
@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_units_and_offsets_do_not_matter(kind: Any, penalty: str | None) -> None:
    target = Y if kind is InteractionRegressor else Y + RNG.normal(size=80) > 0
    columns = MAIN[:, [0, 3, 6]]
    model = kind(penalty=penalty, alpha=0.01, tol=1e-10)
    expected = model.fit(columns, target)._fitted_values(columns)
    scale, offset = np.array([1e-3, 20.0, 5.0]), np.array([1.0, 100.0, -3.0])
    moved = columns * scale + offset
    found = model.fit(moved, target)._fitted_values(moved)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["bilinear", "additive+multiplicative", "low_rank"])
@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_the_order_of_samples_does_not_matter(kind: Any, form: str) -> None:
    target = Y if kind is InteractionRegressor else Y > 0
    order = RNG.permutation(80)
    model = kind(form=form, penalty="ridge", alpha=0.1, rank=1, random_state=0)
    expected = model.fit(X, target)._fitted_values(model._read(X))
    found = model.fit(X[order], target[order])._fitted_values(model._read(X))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("penalty", ["ridge", "lasso", "group"])
@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_weights_are_repetitions(kind: Any, penalty: str) -> None:
    target = Y if kind is InteractionRegressor else Y > 0
    counts = RNG.integers(0, 3, 80)
    rows = np.repeat(np.arange(80), counts)
    model = kind(penalty=penalty, alpha=0.02, tol=1e-9)
    weighted = model.fit(X, target, sample_weight=counts).coef_.copy()
    repeated = model.fit(X[rows], target[rows]).coef_
    np.testing.assert_allclose(weighted, repeated, rtol=1e-3, atol=1e-4)


def test_scaling_is_learned_from_training_samples_only() -> None:
    for scaling in ("center", "standardize"):
        model = InteractionRegressor(scaling=scaling).fit(X, Y)
        np.testing.assert_allclose(model.predict(X[:1]), model.predict(X)[:1])


def test_standardised_terms_are_those_of_scaled_columns() -> None:
    scaled = StandardScaler().fit_transform(MAIN[:, :2])
    expected = InteractionRegressor().fit(scaled, Y)
    model = InteractionRegressor(scaling="standardize").fit(MAIN[:, :2], Y)
    np.testing.assert_allclose(model.coef_, expected.coef_)


# ------------------------------------------------------------------------- scikit-learn


def test_a_search_over_forms_and_penalties() -> None:
    search = GridSearchCV(
        InteractionRegressor(alpha=0.01),
        {"form": ["additive", "multiplicative", "bilinear"], "penalty": [None, "ridge", "lasso"]},
    ).fit(X, Y)
    assert search.best_params_["form"] == "bilinear"
    assert search.best_score_ > 0.9
    piped = make_pipeline(StandardScaler().set_output(transform="pandas"), InteractionRegressor())
    assert "ax × gy" in piped.fit(TABLE, Y)[-1].term_names_


def test_copies_and_pickles() -> None:
    for model, target in [
        (InteractionRegressor(GROUPS), Y),
        (InteractionClassifier(GROUPS, form="additive"), Y + RNG.normal(size=80) > 0),
    ]:
        fitted = model.fit(TABLE, target)
        loaded = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(loaded.predict(TABLE), fitted.predict(TABLE))
        pd.testing.assert_frame_equal(loaded.inference_table(), fitted.inference_table())
        assert not hasattr(clone(fitted), "coef_")


def test_fitting_again_leaves_nothing_of_before() -> None:
    model = InteractionRegressor(form="low_rank", rank=1, penalty="ridge", alpha=0.1).fit(X, Y)
    assert hasattr(model, "factors_")
    model.set_params(form="bilinear", penalty=None).fit(X, Y)
    assert not any(hasattr(model, name) for name in ("factors_", "rank_", "alpha_"))
    assert hasattr(model, "inference_")
    model.set_params(penalty="ridge").fit(X, Y)
    assert not hasattr(model, "inference_")
