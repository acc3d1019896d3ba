"""Kernel regression as weights of training samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from mkfusion.kernels.kernelizer._missing import RIDGES, KernelRegression, choose_ridge

rng = np.random.default_rng(0)
X = rng.normal(size=(25, 4)) + 1.0
Z = rng.normal(size=(6, 4))
F = X @ rng.normal(size=(4, 6)) + rng.normal(size=(25, 6)) + 3.0


@pytest.mark.parametrize("ridge", [0.01, 1.0, 100.0])
def test_agrees_with_ridge_regression_on_features(ridge: float) -> None:
    weights = KernelRegression(X @ X.T, ridge).weights(Z @ X.T)
    expected = Ridge(alpha=ridge).fit(X, F).predict(Z)
    np.testing.assert_allclose(weights @ F, expected, rtol=1e-10)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-9)


def test_a_large_ridge_leaves_the_mean() -> None:
    weights = KernelRegression(X @ X.T, 1e12).weights(Z @ X.T)
    np.testing.assert_allclose(weights, 1 / 25, rtol=1e-8)


def left_out(ridge: float) -> float:
    """The mean cosine with every sample left out in turn."""
    cosines = []
    for i in range(len(X)):
        others = np.delete(np.arange(len(X)), i)
        mean = F[others].mean(axis=0)
        model = Ridge(alpha=ridge).fit(X[others], F[others])
        predicted, true = model.predict(X[[i]])[0] - mean, F[i] - mean
        cosines.append(predicted @ true / np.linalg.norm(predicted) / np.linalg.norm(true))
    return float(np.mean(cosines))


def test_leaving_one_out_in_closed_form() -> None:
    ridge, score = choose_ridge(X @ X.T, F @ F.T)
    expected = [left_out(one) for one in RIDGES]
    np.testing.assert_allclose(score, max(expected), rtol=1e-9)
    assert ridge == RIDGES[max(0, np.argmax(expected) - 1)]


def test_scores_tell_what_can_be_predicted() -> None:
    normal = rng.normal(size=(80, 10))
    assert choose_ridge(normal @ normal.T / 10, normal @ normal.T)[1] > 0.99
    other = rng.normal(size=(80, 10))
    assert abs(choose_ridge(normal @ normal.T / 10, other @ other.T)[1]) < 0.1
    # Nothing to predict from, and nothing to predict
    assert choose_ridge(np.ones((80, 80)), other @ other.T)[1] == 0.0
    assert choose_ridge(normal @ normal.T / 10, np.ones((80, 80)))[1] == 0.0


def test_indefinite() -> None:
    with pytest.raises(ValueError, match="a kernel is not positive semi-definite; regression on"):
        KernelRegression(-X @ X.T, 0.1)
