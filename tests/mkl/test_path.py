"""A path is what its fits are one by one, in fewer steps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale

from mkfusion import KernelStack, MKLClassifier, RBFBank, mkl_path
from oracles.names import named

X, Y = load_wine(return_X_y=True)
GRAMS = [rbf_kernel(scale(X)[:, [k]], gamma=0.5) for k in range(6)]
TOL = 1e-6


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("lam", [None, 2.0])
@pytest.mark.parametrize(
    ("name", "values", "others"),
    [
        ("C", [0.01, 0.1, 1.0, 30.0, 1000.0], {"p": 1.0}),
        ("C", [100.0, 3.0, 0.1], {"p": 1.5}),
        ("C", [1.0, 1.0, 20.0], {"p": np.inf}),
        ("p", [1.0, 1.1, 1.5, 4.0, np.inf], {"C": 10.0}),
        ("p", [np.inf, 2.0, 1.0, 1.2], {"C": 1.0}),
    ],
    ids=named,
)
def test_each_is_as_good_as_a_fit_of_its_own(
    name: str, values: list[float], others: dict[str, float], lam: float | None, per_class: bool
) -> None:
    weight = np.where(np.arange(len(Y)) % 3, 1.0, 2.0)
    estimator = MKLClassifier(tol=TOL, lam=lam, per_class_weights=per_class, **others)
    models = mkl_path(GRAMS, Y, **{name: values}, estimator=estimator, sample_weight=weight)
    assert len(models) == len(values)
    for value, model in zip(values, models, strict=True):
        assert getattr(model, name) == value
        assert model.duality_gap_ <= TOL
        alone = MKLClassifier(**model.get_params()).fit(GRAMS, Y, sample_weight=weight)
        assert model.objective_ == pytest.approx(alone.objective_, rel=2 * TOL)
        # Strong convexity: decisions differ by the square root of the gaps at most.
        scale_ = np.sqrt(8 * TOL * alone.objective_ * max(1.0, np.max(alone.weights_)) * 6)
        machine = model.decision_function(GRAMS) - model.intercept_
        other = alone.decision_function(GRAMS) - alone.intercept_
        np.testing.assert_allclose(machine, other, atol=scale_)


def test_fewer_steps_than_one_by_one() -> None:
    values = np.logspace(-1, 2, 12)
    estimator = MKLClassifier(p=1.5)
    path = mkl_path(GRAMS, Y, C=values, estimator=estimator)
    alone = [MKLClassifier(C=C, p=1.5).fit(GRAMS, Y) for C in values]
    assert sum(model.n_iter_ for model in path) < sum(model.n_iter_ for model in alone)


def test_a_stack_with_names_and_a_bank() -> None:
    stack = KernelStack(GRAMS[:2], names=["alcohol", "acid"])
    assert mkl_path(stack, Y, C=[1.0])[0].kernel_names_ == ["alcohol", "acid"]
    bank = RBFBank(1500, random_state=0).fit_transform(X)
    models = mkl_path(bank, Y, C=[1.0, 10.0], estimator=MKLClassifier(p=2, tol=1e-2))
    assert all(model.duality_gap_ <= 1e-2 for model in models)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither of C and p"),
        ({"C": [1.0], "p": [1.0]}, "both of C and p"),
        ({"C": []}, "C is .*at least one value"),
        ({"C": 3.0}, "C is 3.0"),
        ({"C": [1.0, -1.0]}, "'C' parameter"),
        ({"p": [0.5]}, "'p' parameter"),
        ({"C": [1.0], "estimator": "svc"}, "estimator is 'svc'"),
    ],
    ids=named,
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        mkl_path(GRAMS, Y, **arguments)
