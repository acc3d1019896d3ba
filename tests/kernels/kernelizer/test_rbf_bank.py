"""The bank's kernels one by one, its passes, and what it never keeps."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline

from mkfusion import MKLClassifier, RBFBank
from mkfusion.datasets import load_sonar
from mkfusion.stack._bank import BankStack
from oracles.names import named

rng = np.random.default_rng(0)
TRAIN, TEST = rng.normal(size=(30, 7)) * np.arange(1, 8), rng.normal(size=(9, 7))
BANK = RBFBank(60, gammas=(0.5, 2.0), max_features=4, random_state=1)


def by_hand(bank: RBFBank, rows: np.ndarray) -> np.ndarray:
    """Every kernel (n_kernels, n_rows, n_train) from its name."""
    grams = []
    for name in bank.kernel_names_:
        features, gamma = name.removeprefix("rbf(").removesuffix(")").split(", gamma=")
        group = [int(feature.removeprefix("x")) for feature in features.split("+")]
        spread = TRAIN[:, group].std(axis=0) * np.sqrt(2)
        width = float(gamma) / len(group)
        grams.append(rbf_kernel(rows[:, group] / spread, TRAIN[:, group] / spread, gamma=width))
    return np.array(grams)


@pytest.mark.parametrize("rows", [TRAIN, TEST], ids=["training", "test"])
def test_kernels_are_those_of_their_names(rows: np.ndarray) -> None:
    bank = clone(BANK).fit(TRAIN)
    stack = bank.fit_transform(TRAIN) if rows is TRAIN else bank.transform(rows)
    assert stack.shape == (len(rows), 30, 60)
    np.testing.assert_allclose(
        np.asarray(stack), np.moveaxis(by_hand(bank, rows), 0, -1), atol=1e-6
    )


def test_single_features_first_then_groups_without_repetition() -> None:
    bank = clone(BANK).fit(TRAIN)
    names = bank.kernel_names_
    assert names[:2] == ["rbf(x0, gamma=0.5)", "rbf(x1, gamma=0.5)"]
    assert names[7] == "rbf(x0, gamma=2.0)"
    groups = [name[4:].split(",")[0].split("+") for name in names[14:]]
    assert all(2 <= len(group) <= 4 for group in groups)
    assert all(len(set(group)) == len(group) for group in groups)
    assert {len(group) for group in groups} == {2, 3, 4}
    assert clone(BANK).fit(TRAIN).kernel_names_ == names
    assert clone(BANK).set_params(random_state=2).fit(TRAIN).kernel_names_ != names


@pytest.mark.parametrize("rows", [TRAIN, TEST], ids=["training", "test"])
def test_passes_equal_those_in_memory(rows: np.ndarray) -> None:
    bank = clone(BANK).fit(TRAIN)
    stack = bank.fit_transform(TRAIN) if rows is TRAIN else bank.transform(rows)
    dense = stack.materialize()
    assert isinstance(stack, BankStack)
    weights = rng.random(60) * (rng.random(60) < 0.5)
    beta = rng.normal(size=(2, 30)) * (rng.random(30) < 0.4)
    close = {"rtol": 1e-6, "atol": 1e-6}
    some, cols, which = np.array([5, 0, 2]), np.array([1, 7]), np.array([59, 3, 20])
    np.testing.assert_allclose(stack.combine(weights), dense.combine(weights), **close)
    np.testing.assert_allclose(
        stack.combine(weights, rows=some, cols=cols),
        dense.combine(weights, rows=some, cols=cols),
        **close,
    )
    np.testing.assert_allclose(stack.combine(0 * weights), 0.0)
    np.testing.assert_allclose(stack.dot(beta), dense.dot(beta), **close)
    np.testing.assert_allclose(
        stack.select(which).take(some, cols).materialize().array,
        dense.select(which).take(some, cols).array,
        **close,
    )
    np.testing.assert_allclose(stack.gram(17), dense.gram(17), **close)
    if rows is TRAIN:
        np.testing.assert_allclose(stack.quadratic(beta), dense.quadratic(beta), **close)
        np.testing.assert_array_equal(stack.diagonal(), 1.0)
        principal = stack.take(some, some)
        np.testing.assert_allclose(
            principal.combine(weights), dense.take(some, some).combine(weights), **close
        )
        for kernels in (None, np.array([4, 9])):
            outs = [np.ones((2, 60, 30)) for _ in range(2)]
            stack.add_dot(beta, outs[0], kernels)
            dense.add_dot(beta, outs[1], kernels)
            np.testing.assert_allclose(*outs, **close)


def test_features_are_called_by_their_names() -> None:
    frame = pd.DataFrame(TRAIN[:, :2], columns=["age", "dose"])
    assert RBFBank(2, gammas=[1.0]).fit(frame).kernel_names_ == [
        "rbf(age, gamma=1.0)",
        "rbf(dose, gamma=1.0)",
    ]


def test_test_samples_do_not_matter_to_each_other() -> None:
    bank = clone(BANK).fit(TRAIN)
    whole = np.asarray(bank.transform(TEST))
    np.testing.assert_allclose(np.asarray(bank.transform(TEST[:3])), whole[:3], atol=1e-6)


def test_a_constant_feature_compares_equal() -> None:
    bank = RBFBank(1, gammas=[1.0])
    np.testing.assert_array_equal(np.asarray(bank.fit_transform(np.ones((4, 1)))), 1.0)


def test_pickle_and_predict_in_a_pipeline() -> None:
    X, y = load_sonar(return_X_y=True)
    X = X["bands"]
    model = make_pipeline(RBFBank(1500, random_state=0), MKLClassifier(C=10, tol=1e-2))
    model.fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.75
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    stack = model[0].transform(X[1::2])
    np.testing.assert_allclose(
        model[1].decision_function(stack), model[1].decision_function(np.asarray(stack)), atol=1e-4
    )


def test_passes_keep_nothing() -> None:
    stack = RBFBank(20_000, random_state=0).fit_transform(TRAIN)
    beta, weights = rng.normal(size=(1, 30)), rng.random(20_000)
    stack.quadratic(beta)  # compiles
    for act in (lambda: stack.quadratic(beta), lambda: stack.combine(weights)):
        tracemalloc.start()
        act()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8e6  # all of them would be 144 MB


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_kernels": 0}, "n_kernels"),
        ({"n_kernels": 2.5}, "n_kernels"),
        ({"gammas": []}, "gammas is empty"),
        ({"gammas": [1.0, -1.0]}, "gammas is -1.0"),
        ({"gammas": 1.0}, "gammas"),
        ({"max_features": 0}, "max_features"),
    ],
    ids=named,
)
def test_bad_parameters(parameters: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        clone(BANK).set_params(**parameters).fit(TRAIN)


def test_bad_samples() -> None:
    with pytest.raises(ValueError, match="NaN"):
        clone(BANK).fit(np.where(TRAIN > 1, np.nan, TRAIN))
    with pytest.raises(ValueError, match="6 features"):
        clone(BANK).fit(TRAIN).transform(TEST[:, :6])
