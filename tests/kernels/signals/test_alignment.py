"""Alignment kernels, against the textbook recursion and against tslearn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.base import clone

from mkfusion import GlobalAlignmentKernel, SoftDTWKernel
from oracles.names import named

rng = np.random.default_rng(0)
SIGNALS = [rng.normal(size=(2, length)).cumsum(axis=1) for length in (9, 1, 14, 9, 5, 20, 2, 11, 9)]


def add_logs(*logs: float) -> float:
    most = max(logs)
    return most if most == -inf else most + log(sum(exp(value - most) for value in logs))


def log_gak(x, z, sigma: float, triangular: int | None = None) -> float:
    """Write Cuturi's recursion down, in the log domain and cell by cell."""
    n, m = x.shape[1], z.shape[1]
    M = [[-inf] * (m + 1) for _ in range(n + 1)]
    M[0][0] = 0.0
    for i in range(n):
        for j in range(m):
            weight = 1.0 if triangular is None else max(0.0, 1.0 - abs(i - j) / triangular)
            if weight == 0.0:
                continue
            log_s = log(weight) - float(((x[:, i] - z[:, j]) ** 2).sum()) / (2 * sigma**2)
            log_score = log_s - log(2.0 - exp(log_s))
            M[i + 1][j + 1] = log_score + add_logs(M[i][j + 1], M[i + 1][j], M[i][j])
    return M[n][m]


def soft_dtw(x, z, smoothing: float, band: int | None = None) -> float:
    n, m = x.shape[1], z.shape[1]
    R = [[inf] * (m + 1) for _ in range(n + 1)]
    R[0][0] = 0.0
    for i in range(n):
        for j in range(m):
            if band is not None and abs(i - j) > band:
                continue
            cost = float(((x[:, i] - z[:, j]) ** 2).sum())
            before = (R[i][j + 1], R[i + 1][j], R[i][j])
            R[i + 1][j + 1] = cost - smoothing * add_logs(*(-r / smoothing for r in before))
    return R[n][m]


def normalised(function, X, *arguments) -> np.ndarray:
    values = np.array([[function(x, z, *arguments) for z in X] for x in X])
    own = np.diagonal(values)
    return values - 0.5 * own[:, np.newaxis] - 0.5 * own


def log_ratios(kernel, X) -> np.ndarray:
    """Take the logarithms from the inside: a kernel value may be too small to be seen."""
    return kernel._log_ratios(kernel._fit_prepare(X), None)


def assert_logs_agree(found, wanted) -> None:
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(wanted))
    there = np.isfinite(wanted)
    np.testing.assert_allclose(found[there], wanted[there], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("triangular", [None, 1, 4, 9, 50])
# From scores that are nearly 1 to some that are e^-10000, beyond what a number can hold.
@pytest.mark.parametrize("sigma", [30.0, 3.0, 0.3, 0.02])
def test_global_alignment_is_the_textbook_recursion(sigma, triangular) -> None:
    kernel = GlobalAlignmentKernel(sigma, triangular=triangular)
    wanted = normalised(log_gak, SIGNALS, sigma, triangular)
    assert_logs_agree(log_ratios(kernel, SIGNALS), wanted)
    np.testing.assert_allclose(kernel(SIGNALS), np.exp(wanted), rtol=1e-11)


@pytest.mark.parametrize("band", [None, 0, 3, 8, 50])
@pytest.mark.parametrize("smoothing", [50.0, 1.0, 0.001])
def test_soft_dtw_is_the_textbook_recursion(smoothing, band) -> None:
    kernel = SoftDTWKernel(smoothing, gamma=0.01, band=band)
    divergences = np.array([[soft_dtw(x, z, smoothing, band) for z in SIGNALS] for x in SIGNALS])
    own = np.diagonal(divergences)
    divergences = divergences - 0.5 * own[:, np.newaxis] - 0.5 * own
    np.testing.assert_allclose(kernel(SIGNALS), np.exp(-0.01 * divergences), rtol=1e-10)


def tslearn_signal(i: int, length: int, n_channels: int) -> np.ndarray:
    t = np.arange(length)
    return np.stack([np.sin(0.3 * (i + 1) * t + c) + 0.1 * i * c for c in range(n_channels)])


# log(gak(x, z, sigma)) of tslearn 0.10.0, for the pairs of four such signals of lengths 12, 9, 15
# and 12, in the order of numpy.triu_indices(4, 1); the last ones are soft-DTW divergences,
# soft_dtw(x, z, gamma=0.5) - (soft_dtw(x, x, gamma=0.5) + soft_dtw(z, z, gamma=0.5)) / 2.
TSLEARN = {
    0.4: [
        -9.56816585805911,
        -64.947747062793,
        -65.18758408888387,
        -52.07820429433373,
        -52.885612028288094,
        -8.996126959995497,
    ],
    2.0: [
        -1.6040208648048058,
        -5.244795047020858,
        -4.645147199586436,
        -4.749380143719446,
        -3.790680242676485,
        -0.5686693926879691,
    ],
}
TSLEARN_SOFT_DTW = [
    2.7923004170768264,
    19.13149302080612,
    18.89496829041739,
    15.065264199545835,
    15.217895098343284,
    1.1912461394513154,
]
# The same of two signals with one channel and 450 time steps, where sums over alignments overflow.
TSLEARN_LONG = {10.0: -0.8894432068298102, 1.0: -195.82712614345945}

PAIRS = np.triu_indices(4, 1)
FOUR = [tslearn_signal(i, length, 2) for i, length in enumerate((12, 9, 15, 12))]


@pytest.mark.parametrize("sigma", TSLEARN)
def test_global_alignment_agrees_with_tslearn(sigma) -> None:
    found = np.log(GlobalAlignmentKernel(sigma)(FOUR))[PAIRS]
    np.testing.assert_allclose(found, TSLEARN[sigma], rtol=0, atol=1e-8)
    ours = [log_gak(FOUR[i], FOUR[j], sigma) for i, j in zip(*PAIRS, strict=True)]
    own = np.array([log_gak(x, x, sigma) for x in FOUR])
    ours -= 0.5 * (own[PAIRS[0]] + own[PAIRS[1]])
    np.testing.assert_allclose(ours, TSLEARN[sigma], rtol=0, atol=1e-8)


@pytest.mark.parametrize("sigma", TSLEARN_LONG)
def test_long_signals_agree_with_tslearn(sigma) -> None:
    X = [tslearn_signal(i, 450, 1) for i in range(2)]
    found = np.log(GlobalAlignmentKernel(sigma)(X)[0, 1])
    assert found == pytest.approx(TSLEARN_LONG[sigma], rel=0, abs=1e-8)


def test_soft_dtw_agrees_with_tslearn() -> None:
    found = -np.log(SoftDTWKernel(0.5, gamma=1.0)(FOUR))[PAIRS]
    np.testing.assert_allclose(found, TSLEARN_SOFT_DTW, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "kernel",
    [GlobalAlignmentKernel(2.0), GlobalAlignmentKernel(triangular=6), SoftDTWKernel(band=7)],
    ids=named,
)
def test_values_do_not_depend_on_the_others_to_the_last_bit(kernel) -> None:
    """Signals are aligned several at a time, in an order of their own."""
    kernel = clone(kernel).fit(SIGNALS)
    gram = kernel(SIGNALS)
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_array_equal(np.diagonal(gram), 1.0)
    np.testing.assert_array_equal(kernel(SIGNALS, SIGNALS), gram)
    pairs = [[kernel([x], [z])[0, 0] for z in SIGNALS] for x in SIGNALS]
    np.testing.assert_array_equal(pairs, gram)


def test_very_long_signals_and_very_different_ones() -> None:
    t = np.arange(3000)
    X = [np.sin(0.01 * t)[np.newaxis], np.sin(0.01 * t[:2900] + 0.1)[np.newaxis]]
    for sigma in (1.0, 10.0):
        for triangular in (None, 150):
            value = GlobalAlignmentKernel(sigma, triangular=triangular)(X)[0, 1]
            assert 0.0 < value < 1.0
    far = [np.zeros((1, 4)), np.full((1, 4), 1e200), np.full((1, 3), -1e200)]
    np.testing.assert_array_equal(GlobalAlignmentKernel(sigma=1.0)(far), np.eye(3))


def test_signals_too_different_in_length_for_the_band() -> None:
    X = [np.zeros((1, 5)), np.zeros((1, 8)), np.zeros((1, 9))]
    gram = GlobalAlignmentKernel(sigma=1.0, triangular=4)(X)
    np.testing.assert_array_equal(gram > 0, [[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    gram = SoftDTWKernel(1.0, 1.0, band=3)(X)
    np.testing.assert_array_equal(gram > 0, [[1, 1, 0], [1, 1, 1], [0, 1, 1]])


def test_a_wide_triangle_is_no_triangle() -> None:
    wide = GlobalAlignmentKernel(sigma=2.0, triangular=10**9)(SIGNALS)
    np.testing.assert_allclose(wide, GlobalAlignmentKernel(sigma=2.0)(SIGNALS), rtol=1e-6)


def test_the_narrowest_triangle_compares_step_by_step() -> None:
    x, z = np.random.default_rng(0).normal(size=(2, 3, 7))
    squares = ((x - z) ** 2).sum(axis=0) / 2
    wanted = np.prod(np.exp(-squares) / (2 - np.exp(-squares)))
    gram = GlobalAlignmentKernel(sigma=1.0, triangular=1)([x, z])
    assert gram[0, 1] == pytest.approx(wanted)


def test_soft_dtw_tends_to_dtw() -> None:
    x, z = [[0.0, 1.0, 1.0, 5.0]], [[0.0, 0.0, 1.0, 3.0]]
    gram = SoftDTWKernel(smoothing=1e-3, gamma=0.1)([x, z])
    assert gram[0, 1] == pytest.approx(exp(-0.1 * 4.0), rel=1e-3)


def test_widths_are_learned() -> None:
    X = np.random.default_rng(0).normal(size=(6, 3, 25))
    points = X.transpose(0, 2, 1).reshape(-1, 3)
    sigma = np.median(pdist(points)) * sqrt(25)
    assert GlobalAlignmentKernel().fit(X).sigma_ == pytest.approx(sigma)
    assert GlobalAlignmentKernel(sigma=2).fit(X).sigma_ == 2.0
    soft = SoftDTWKernel().fit(X)
    assert soft.smoothing_ == pytest.approx(2 * sigma**2)
    divergences = -np.log(soft(X)[np.triu_indices(6, 1)])
    assert np.median(divergences) == pytest.approx(1.0)
    # With this smoothing soft-DTW's sums over alignments are those of a global alignment kernel
    # without the denominators 2 - s.
    assert soft._rate() == pytest.approx(GlobalAlignmentKernel().fit(X)._rate())


def test_widths_of_many_signals_are_learned_from_some(monkeypatch) -> None:
    monkeypatch.setattr("mkfusion.kernels.signals._alignment._TYPICAL_SIGNALS", 12)
    X = np.random.default_rng(0).normal(size=(40, 1, 10)) * np.arange(1, 41)[:, np.newaxis] ** 0.1
    some, every = SoftDTWKernel().fit(X), SoftDTWKernel().fit(X[:12])
    assert some.gamma_ == SoftDTWKernel().fit(X[::-1]).gamma_
    assert some.gamma_ == pytest.approx(every.gamma_, rel=0.5)


def test_equal_signals_have_a_width_too() -> None:
    X = np.ones((4, 2, 6))
    np.testing.assert_array_equal(GlobalAlignmentKernel()(X), np.ones((4, 4)))
    np.testing.assert_array_equal(SoftDTWKernel()(X), np.ones((4, 4)))


def test_soft_dtw_needs_its_projection() -> None:
    """The docstring says that it is not always positive semi-definite: here it is not."""
    X = np.random.default_rng(3).integers(0, 2, size=(30, 1, 8)).astype(float)
    kernel = SoftDTWKernel(smoothing=0.01, gamma=0.2).fit(X)
    assert not kernel._is_psd()
    assert np.linalg.eigvalsh(kernel(X))[0] < -0.01
    assert np.linalg.eigvalsh(GlobalAlignmentKernel(sigma=1.0)(X))[0] > -1e-12


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (GlobalAlignmentKernel(sigma=0.0), ValueError, "sigma is 0.0; expected a positive number"),
        (GlobalAlignmentKernel("mean"), ValueError, "sigma is 'mean'; expected .* or \"median\""),
        (GlobalAlignmentKernel(sigma=None), TypeError, "sigma is None"),
        (GlobalAlignmentKernel(triangular=0), ValueError, "triangular is 0; expected at least 1"),
        (
            GlobalAlignmentKernel(triangular=2.5),
            TypeError,
            "triangular is 2.5; expected an integer",
        ),
        (SoftDTWKernel(smoothing=-1.0), ValueError, "smoothing is -1.0; expected a positive"),
        (SoftDTWKernel(gamma="scale"), ValueError, "gamma is 'scale'; expected a positive number"),
        (SoftDTWKernel(band=-1), ValueError, "band is -1; expected at least 0, or None"),
        (SoftDTWKernel(band=True), TypeError, "band is True"),
    ],
    ids=named,
)
def test_parameters_are_refused(kernel, error, message) -> None:
    with pytest.raises(error, match=message):
        kernel.fit(SIGNALS)
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"


SCRIPT = """
import json
import numpy as np
from mkfusion import GlobalAlignmentKernel, SoftDTWKernel

X = [np.random.default_rng(k).normal(size=(2, 3 + k)) for k in range(4)]
kernels = [GlobalAlignmentKernel(1.0, triangular=5), SoftDTWKernel(0.1, 0.1)]
print(json.dumps([kernel(X).tolist() for kernel in kernels]))
"""


def test_without_compilation_the_loops_give_the_same() -> None:
    found = []
    for disable in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT],
            env={**os.environ, "NUMBA_DISABLE_JIT": disable},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
