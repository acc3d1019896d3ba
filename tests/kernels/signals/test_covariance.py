"""The log-Euclidean kernel, against matrix logarithms one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import logm
from scipy.stats import ortho_group
from sklearn.covariance import ledoit_wolf

from mkfusion import CovarianceKernel, Kernelizer

rng = np.random.default_rng(0)
SIGNALS = [
    rng.normal(size=(4, 4)) @ rng.normal(size=(4, length)) + 5.0 for length in (9, 30, 12, 50, 5)
]


def logarithms(X, shrinkage) -> np.ndarray:
    found = []
    for x in X:
        centered = x - x.mean(axis=1, keepdims=True)
        covariance = centered @ centered.T / x.shape[1]
        if shrinkage == "ledoit_wolf":
            shrinkage_of_x = ledoit_wolf(x.T)[1]
        else:
            shrinkage_of_x = shrinkage
        mean = np.trace(covariance) / len(covariance)
        covariance = (1 - shrinkage_of_x) * covariance + shrinkage_of_x * mean * np.eye(len(x))
        found.append(logm(covariance))
    return np.array(found)


def inner_products(logs) -> np.ndarray:
    """Between logarithms less their mean."""
    logs = logs - logs.mean(axis=0)
    return np.einsum("aij,bij->ab", logs, logs)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("normalize", ["cosine", "trace", "center", None])
def test_the_unit_of_the_signals_changes_nothing(kernel, normalize) -> None:
    """Volts or microvolts: the logarithms differ by a constant, which their mean takes away."""
    found = [
        Kernelizer([CovarianceKernel(kernel=kernel)], normalize=normalize)
        .fit([unit * x for x in SIGNALS[:4]])
        .transform([unit * x for x in SIGNALS])
        .gram(0)
        for unit in (1.0, 1e-6, 1e6)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shrinkage", ["ledoit_wolf", 0.2, 1])
def test_values(shrinkage) -> None:
    logs = logarithms(SIGNALS, shrinkage)
    products = inner_products(logs)
    distances = ((logs[:, np.newaxis] - logs) ** 2).sum(axis=(2, 3))
    linear = CovarianceKernel(shrinkage, kernel="linear").fit(SIGNALS)
    np.testing.assert_allclose(linear(SIGNALS), products, rtol=1e-9)
    rbf = CovarianceKernel(shrinkage, gamma=0.1).fit(SIGNALS)
    np.testing.assert_allclose(rbf(SIGNALS), np.exp(-0.1 * distances), rtol=1e-9)
    learned = CovarianceKernel(shrinkage).fit(SIGNALS)
    assert learned.gamma_ == pytest.approx(1 / np.median(distances[np.triu_indices(5, 1)]))


def test_without_shrinkage_where_there_is_enough() -> None:
    X = [x for x in SIGNALS if x.shape[1] > 8]
    logs = logarithms(X, 0.0)
    found = CovarianceKernel(0.0, kernel="linear")(X)
    np.testing.assert_allclose(found, inner_products(logs), rtol=1e-8)


def test_rotations_factors_and_the_order_of_time_steps_change_nothing() -> None:
    gram = CovarianceKernel()(SIGNALS)
    rotation = 3.0 * ortho_group(4, seed=0).rvs()
    np.testing.assert_allclose(CovarianceKernel()([rotation @ x for x in SIGNALS]), gram, rtol=1e-8)
    shuffled = [rng.permutation(x, axis=1) for x in SIGNALS]
    np.testing.assert_allclose(CovarianceKernel()(shuffled), gram, rtol=1e-8)


def test_one_channel() -> None:
    X = rng.normal(size=(5, 1, 20)) * np.array([1.0, 1.0, 2.0, 4.0, 8.0])[:, np.newaxis, np.newaxis]
    logs = np.log(X.var(axis=2)[:, 0])
    logs -= logs.mean()
    found = CovarianceKernel(kernel="linear")(X)
    np.testing.assert_allclose(found, np.outer(logs, logs), rtol=1e-9)


@pytest.mark.parametrize(
    ("kernel", "X", "message"),
    [
        (CovarianceKernel(1.5), SIGNALS, "shrinkage is 1.5; expected a number from 0 to 1, or"),
        (CovarianceKernel("oas"), SIGNALS, "shrinkage is 'oas'"),
        (CovarianceKernel(True), SIGNALS, "shrinkage is True"),
        (CovarianceKernel(np.nan), SIGNALS, "shrinkage is nan"),
        (CovarianceKernel(), [SIGNALS[0], SIGNALS[1][:, :1]], r"X\[1\] has 1 time steps"),
        (CovarianceKernel(0.0), [SIGNALS[0], SIGNALS[1][:, :3]], r"X\[1\] has the covariance eig"),
        (CovarianceKernel(), [SIGNALS[0], np.full((4, 9), 0.1)], r"X\[1\] has the covariance eig"),
    ],
)
def test_what_is_refused(kernel, X, message) -> None:
    with pytest.raises(ValueError, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"
