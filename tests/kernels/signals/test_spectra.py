"""Spectral kernels, against SciPy sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import coherence, welch
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import CoherenceKernel, PowerSpectrumKernel

rng = np.random.default_rng(0)
SIGNALS = [rng.normal(size=(3, length)) for length in (40, 64, 33, 40, 57)]
FLOOR = 1e-10


def spectra(X, segment: int) -> np.ndarray:
    return np.array(
        [
            [
                welch(channel, nperseg=min(segment, len(channel)), nfft=segment)[1][1:]
                for channel in x
            ]
            for x in X
        ]
    )


def test_power_spectra() -> None:
    kernel = PowerSpectrumKernel(segment=16, gamma=0.01).fit(SIGNALS)
    powers = spectra(SIGNALS, 16)
    floor = FLOOR * powers.mean(axis=(0, 2))
    np.testing.assert_allclose(kernel.floor_, floor)
    features = np.log(powers + floor[:, np.newaxis]).reshape(len(SIGNALS), -1)
    np.testing.assert_allclose(kernel(SIGNALS), rbf_kernel(features, gamma=0.01), rtol=1e-10)
    linear = PowerSpectrumKernel(segment=16, kernel="linear").fit(SIGNALS)
    np.testing.assert_allclose(linear(SIGNALS), features @ features.T, rtol=1e-10)
    assert kernel.gamma_ == 0.01
    assert linear.gamma_ is None
    np.testing.assert_allclose(kernel.frequencies_, np.arange(1, 9) / 16)


def test_a_signal_shorter_than_a_window() -> None:
    kernel = PowerSpectrumKernel(segment=48, kernel="linear").fit(SIGNALS)
    features = np.log(spectra(SIGNALS, 48) + kernel.floor_[:, np.newaxis]).reshape(5, -1)
    np.testing.assert_allclose(kernel(SIGNALS), features @ features.T, rtol=1e-10)
    kernel([SIGNALS[0][:, :1]], SIGNALS)


def test_segments_are_learned() -> None:
    assert PowerSpectrumKernel().fit(SIGNALS).segment_ == 33
    assert CoherenceKernel().fit(SIGNALS).segment_ == 33 // 4
    long = rng.normal(size=(2, 2, 3000))
    assert PowerSpectrumKernel().fit(long).segment_ == 256
    assert CoherenceKernel().fit(long).segment_ == 256


def test_phases_do_not_matter_and_frequencies_do() -> None:
    t = np.arange(200)
    waves = [[f, p] for f in (0.2, 0.9) for p in (0.0, 1.0, 2.0)]
    X = np.array([[np.sin(f * t + p)] for f, p in waves]) + 0.01 * rng.normal(size=(6, 1, 200))
    gram = PowerSpectrumKernel(segment=50)(X)
    assert gram[:3, :3].min() > gram[:3, 3:].max() + 0.1


def test_silence_has_a_logarithm() -> None:
    X = np.concatenate([np.zeros((2, 3, 40)), rng.normal(size=(3, 3, 40))])
    X[:, 2] = 9.81
    kernel = PowerSpectrumKernel().fit(X)
    assert kernel.floor_[2] > 0
    gram = kernel(X)
    assert gram[0, 1] == pytest.approx(1.0)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12


def test_coherences() -> None:
    kernel = CoherenceKernel(segment=10, kernel="linear").fit(SIGNALS)
    features = np.array(
        [
            np.ravel(
                [coherence(x[a], x[b], nperseg=10)[1][1:] for a, b in ((0, 1), (0, 2), (1, 2))]
            )
            for x in SIGNALS
        ]
    )
    np.testing.assert_allclose(kernel(SIGNALS), features @ features.T, rtol=1e-10)
    assert features.min() >= 0
    assert features.max() <= 1
    rbf = CoherenceKernel(segment=10, gamma=0.3).fit(SIGNALS)
    np.testing.assert_allclose(rbf(SIGNALS), rbf_kernel(features, gamma=0.3), rtol=1e-10)


def test_coherence_does_not_see_powers_or_filters() -> None:
    noise = rng.normal(size=(2, 4000))
    filtered = np.stack([noise[0], 5 * np.convolve(noise[0], [1.0, -0.5], "same")])
    X = [noise, filtered, 100 * filtered]
    features = CoherenceKernel(segment=20, kernel="linear").fit(X)
    gram = features(X) / len(features.frequencies_)
    assert gram[1, 1] > 0.95
    assert gram[0, 0] < 0.1
    np.testing.assert_allclose(gram[1], gram[2], rtol=1e-10)


def test_a_dead_channel_is_coherent_with_none() -> None:
    X = rng.normal(size=(4, 2, 60))
    X[0, 1] = 9.81 / 3
    X[1] = 0.1
    gram = CoherenceKernel(kernel="linear")(X)
    np.testing.assert_array_equal(gram[:2], 0.0)
    assert gram[2, 3] > 0


def test_many_signals_go_in_batches(monkeypatch) -> None:
    X = rng.normal(size=(30, 2, 50))
    whole = [PowerSpectrumKernel()(X), CoherenceKernel()(X)]
    monkeypatch.setattr("mkfusion.stack._views.BLOCK_BYTES", 5000)
    batches = [PowerSpectrumKernel()(X), CoherenceKernel()(X)]
    np.testing.assert_allclose(batches, whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "X", "error", "message"),
    [
        (PowerSpectrumKernel(1), SIGNALS, ValueError, "segment is 1; expected at least 2 time"),
        (PowerSpectrumKernel(5.5), SIGNALS, TypeError, "segment is 5.5; expected an integer"),
        (CoherenceKernel(True), SIGNALS, TypeError, "segment is True; expected an integer"),
        (
            PowerSpectrumKernel(kernel="poly"),
            SIGNALS,
            ValueError,
            "kernel is 'poly'; expected \"rb",
        ),
        (CoherenceKernel(gamma=-1.0), SIGNALS, ValueError, "gamma is -1.0"),
        (CoherenceKernel(), [x[:1] for x in SIGNALS], ValueError, "X has 1 channel; expected at"),
        (
            CoherenceKernel(30),
            SIGNALS,
            ValueError,
            r"X\[0\] has 40 time steps; .* at least 45: coh",
        ),
        (
            PowerSpectrumKernel(),
            [x[:, :k] for k, x in enumerate(SIGNALS, start=1)],
            ValueError,
            r"X\[0\] has 1 time steps; expected at least 2: a spectrum needs them",
        ),
    ],
)
def test_what_is_refused(kernel, X, error, message) -> None:
    with pytest.raises(error, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"


def test_a_new_signal_too_short_for_a_coherence() -> None:
    kernel = CoherenceKernel(segment=10).fit(SIGNALS)
    with pytest.raises(ValueError, match=r"X\[1\] has 14 time steps; expected at least 15"):
        kernel([SIGNALS[0], SIGNALS[1][:, :14]], SIGNALS)
