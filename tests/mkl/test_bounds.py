"""Fits end, whatever the kernels' scale or type, with an answer or a warning that says why not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning

from mkfusion import (
    DegenerateKernelWarning,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLNoveltyDetector,
    MKLRegressor,
    mkl_path,
)

# Fits of these take some tenths of a second, and did not end before.
RNG = np.random.default_rng(0)
RAW = 1000.0 * RNG.normal(size=(100, 2))
SMALL = RNG.normal(size=(20, 1)).astype(np.float32)


def fit(model: Any, kernels: Any, y: Any = None) -> tuple[Any, str]:
    """Return the fitted model and what it warned of; without a bound the test does not end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DegenerateKernelWarning)
        model.fit(kernels, y)
    assert all(one.category is ConvergenceWarning for one in caught)
    assert np.isfinite(model.objective_)
    assert (model.duality_gap_ > model.tol) == bool(caught)
    return model, str(caught[0].message) if caught else ""


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_raw_columns_of_scale_1000(dtype: Any, p: float) -> None:
    X = RAW.astype(dtype)
    y = RAW.sum(axis=1) + 300.0 * np.random.default_rng(1).normal(size=100) > 0
    _, warned = fit(MKLClassifier(p=p), [np.outer(x, x) for x in X.T], y)
    assert not warned if dtype == np.float64 else "rounding" in warned or not warned


def test_raw_linear_kernels_of_breast_cancer() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(np.float32)
    parts = [X[:, :10], X[:, 10:]]
    model, warned = fit(MKLClassifier(max_iter=20), [part @ part.T for part in parts], y)
    assert model.score([part @ part.T for part in parts], y) > 0.9


def test_one_class_on_a_kernel_of_rank_one() -> None:
    """The origin lies among the samples: the optimum is zero, whatever rounding makes of it."""
    for X in (SMALL, SMALL.astype(float)):
        model, warned = fit(MKLNoveltyDetector(), [X @ X.T])
        assert not warned
        assert model.objective_ == pytest.approx(0.0, abs=1e-6)


def test_dear_losses() -> None:
    y = np.random.default_rng(3).normal(size=20)
    objectives = []
    for X in (SMALL, SMALL.astype(float)):
        model, warned = fit(MKLRegressor(C=1e4), [X @ X.T], y)
        assert not warned
        objectives.append(model.objective_)
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-2)


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_error"])
def test_wine_with_a_linear_and_a_cubic_kernel(loss: str) -> None:
    X, _ = load_wine(return_X_y=True)
    linear = X @ X.T
    _, warned = fit(MKLRegressor(loss=loss, max_iter=5), [linear, (1.0 + linear) ** 3], X[:, 0])
    assert "rounding" in warned


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_squared_loss_on_kernels_that_rounding_made_indefinite(scale: float) -> None:
    X = np.float32(scale) * np.random.default_rng(4).normal(size=(100, 5)).astype(np.float32)
    linear = X @ X.T
    fit(MKLRegressor(loss="squared_error"), [linear, linear**4], X[:, 0].astype(float))


@pytest.mark.parametrize("size", [1e150, 1e200])
def test_entries_whose_squares_overflow_are_refused(size: float) -> None:
    for model in (MKLClassifier(), MKLRegressor(), LocalizedMKLClassifier()):
        with pytest.raises(ValueError, match=r"X\[1\].*1e\+.*square overflows.*at most 1e\+100"):
            model.fit([np.eye(6), size * np.eye(6)], [0, 1] * 3)


def hard_problem() -> tuple[list[NDArray[Any]], NDArray[Any]]:
    X, y = load_breast_cancer(return_X_y=True)
    return [X[:, :10] @ X[:, :10].T, X[:, 10:] @ X[:, 10:].T, (1e-3 * X @ X.T) ** 2], y


def test_max_time_ends_a_fit() -> None:
    kernels, y = hard_problem()
    model, warned = fit(MKLClassifier(C=1e4, tol=1e-9, max_time=1e-6), kernels, y)
    assert "max_time=1e-06 seconds" in warned
    number = MKLRegressor(C=1e4, tol=1e-9, max_time=1e-6)
    assert "max_time" in fit(number, kernels, y.astype(float))[1]
    few = [K[:30, :30] for K in kernels]
    detector = MKLNoveltyDetector(tol=1e-12, p=1.5, max_time=1e-6)
    assert "max_time" in fit(detector, few)[1]
    gated = LocalizedMKLClassifier(max_time=1e-6, gating_components=2)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        gated.fit(few, np.arange(30) % 2)
    assert gated.n_iter_ == 1
    with pytest.warns(ConvergenceWarning, match="max_time"):
        models = mkl_path(kernels, y, C=[1e3, 1e4], estimator=model)
    assert len(models) == 2


@pytest.mark.parametrize("seconds", [0.0, -1.0, "long"])
def test_max_time_is_positive(seconds: Any) -> None:
    with pytest.raises(ValueError, match="max_time"):
        MKLClassifier(max_time=seconds).fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize("lam", [None, 2.0])
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_error"])
@pytest.mark.parametrize("p", [1.0, 1.5, np.inf])
def test_constant_targets_need_no_function(loss: str, lam: float | None, p: float) -> None:
    kernels = [np.eye(20), SMALL.astype(float) @ SMALL.T]
    for y, epsilon in ((np.full(20, 0.1), 0.1), (SMALL[:, 0].astype(float), 10.0)):
        if loss == "squared_error" and epsilon == 10.0:
            continue
        model, warned = fit(MKLRegressor(loss=loss, lam=lam, p=p, epsilon=epsilon), kernels, y)
        assert not warned
        assert (model.n_iter_, model.duality_gap_, model.objective_) == (1, 0.0, 0.0)
        assert model.support_.size == 0
        error = np.abs(model.predict(kernels) - y).max()
        assert error <= (1e-15 if loss == "squared_error" else epsilon)


@pytest.mark.parametrize("missing", [None, "nan", np.nan, np.inf, "inf"])
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_error"])
def test_targets_that_are_no_numbers_are_refused(missing: Any, loss: str) -> None:
    y = np.array([1.0, 2.0] * 10, dtype=object)
    y[3] = missing
    model = MKLRegressor(loss=loss)
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
        model.fit([np.eye(20)], y)
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
        mkl_path([np.eye(20)], y, C=[1.0, 2.0], estimator=model)
