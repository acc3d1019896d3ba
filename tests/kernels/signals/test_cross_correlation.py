"""The shift-invariant kernel, against a loop over shifts."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion import CrossCorrelationKernel

rng = np.random.default_rng(0)
EQUAL = rng.normal(size=(9, 2, 13))
UNEQUAL = [rng.normal(size=(2, length)) for length in (13, 4, 1, 9, 13, 7, 20)]


def sums_over_shifts(X, Z, gamma: float, n_shifts: int) -> np.ndarray:
    """Correlate channel by channel, shift by shift."""

    def unit(x):
        x = x - x.mean(axis=1, keepdims=True)
        norm = np.sqrt((x**2).sum())
        return x / norm if norm > 0 else x

    def between(x, z):
        x, z = unit(x), unit(z)
        total = float(n_shifts)
        for shift in range(1 - z.shape[1], x.shape[1]):
            overlap = range(max(0, shift), min(x.shape[1], z.shape[1] + shift))
            correlation = sum(x[c, t] * z[c, t - shift] for c in range(len(x)) for t in overlap)
            total += np.exp(gamma * correlation) - 1.0
        return total

    return np.array(
        [[between(x, z) / np.sqrt(between(x, x) * between(z, z)) for z in Z] for x in X]
    )


@pytest.mark.parametrize("gamma", [0.1, 5.0, 30.0])
@pytest.mark.parametrize("X", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_values(X, gamma) -> None:
    kernel = CrossCorrelationKernel(gamma).fit(X)
    longest = max(x.shape[1] for x in X)
    assert kernel.n_shifts_ == 2 * longest - 1
    wanted = sums_over_shifts(X, X, gamma, 2 * longest - 1)
    np.testing.assert_allclose(kernel(X), wanted, rtol=1e-10)
    # New signals may be longer than any in training.
    new = [rng.normal(size=(2, 31)), rng.normal(size=(2, 3))]
    wanted = sums_over_shifts(new, X, gamma, 2 * longest - 1)
    np.testing.assert_allclose(kernel(new, X), wanted, rtol=1e-10)
    np.testing.assert_allclose(kernel(X, new), wanted.T, rtol=1e-10)


@pytest.mark.parametrize("gamma", [0.1, 5.0, 100.0, 5000.0])
def test_positive_semi_definite_at_any_lengths(gamma) -> None:
    X = [rng.normal(size=(2, length)) for length in rng.integers(1, 40, size=60)]
    few = CrossCorrelationKernel(gamma).fit(X[:5])
    gram = few(X)
    assert np.isfinite(gram).all()
    assert np.linalg.eigvalsh(gram)[0] > -1e-12


def test_the_best_shift_alone_would_not_be() -> None:
    """Why it is a sum and not the maximum."""
    x = np.random.default_rng(5).normal(size=(40, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    best = np.array([[np.correlate(a, b, "full").max() for b in x] for a in x])
    assert np.linalg.eigvalsh(best)[0] < -1e-3


def test_a_shift_and_a_factor_change_nothing() -> None:
    pulse = np.array([0.0, 1.0, -3.0, 2.0, 0.0])
    X = np.zeros((4, 1, 30))
    for signal, start in zip(X, (0, 7, 20, 25), strict=True):
        signal[0, start : start + 5] = pulse
    X[3] *= 17.0
    gram = CrossCorrelationKernel()(X)
    np.testing.assert_allclose(gram, 1.0, rtol=1e-12)
    np.testing.assert_allclose(CrossCorrelationKernel()(X + 9.81), 1.0, rtol=1e-12)


def test_channels_are_shifted_together() -> None:
    pulse = np.array([1.0, -2.0, 1.0])
    X = np.zeros((3, 2, 20))
    for signal, starts in zip(X, ((2, 4), (10, 12), (10, 4)), strict=True):
        for channel, start in zip(signal, starts, strict=True):
            channel[start : start + 3] = pulse
    gram = CrossCorrelationKernel()(X)
    assert gram[0, 1] == pytest.approx(1.0)
    assert gram[0, 2] < 0.7


def test_a_silent_signal_is_as_similar_to_all() -> None:
    X = np.concatenate([EQUAL, np.full((1, 2, 13), 3.0)])
    gram = CrossCorrelationKernel(1.0)(X)
    assert np.isfinite(gram).all()
    assert gram[-1, -1] == pytest.approx(1.0)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12


@pytest.mark.parametrize("gamma", [0.0, -1.0, np.nan])
def test_gamma_is_refused(gamma) -> None:
    with pytest.raises(ValueError, match="gamma is .*; expected a positive number"):
        CrossCorrelationKernel(gamma).fit(EQUAL)
