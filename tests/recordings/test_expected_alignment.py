"""Matched time steps: against all alignments, and against differences of the kernel."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from mkfusion import (
    ExpectedAlignmentDisplay,
    GlobalAlignmentKernel,
    RBFKernel,
    SoftDTWKernel,
    alignment_path,
)
from oracles.alignments import all_paths


def by_enumeration(score, n, m):
    """The share of all alignments, each by the product of its scores, that match each pair."""
    shares = np.zeros((n, m))
    for path in all_paths(n, m):
        product = np.prod([score(i, j) for i, j in path])
        for i, j in path:
            shares[i, j] += product
    return shares / shares[0, 0]  # all alignments begin there


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 4), (4, 1), (5, 5), (6, 4), (4, 6)])
def test_against_all_alignments(n, m):
    rng = np.random.default_rng(10 * n + m)
    x, z = rng.normal(size=(2, n)), rng.normal(size=(2, m))
    far = ((x[:, :, np.newaxis] - z[:, np.newaxis]) ** 2).sum(axis=0)

    def gaussian(i, j):
        s = np.exp(-far[i, j] / (2 * 0.7**2))
        return s / (2 - s)

    def triangular(i, j):
        s = max(0.0, 1.0 - abs(i - j) / 4) * np.exp(-far[i, j] / (2 * 0.7**2))
        return s / (2 - s)

    def banded(i, j):
        return np.exp(-far[i, j] / 0.8) * (abs(i - j) <= 3)

    for kernel, score in (
        (GlobalAlignmentKernel(sigma=0.7), gaussian),
        (GlobalAlignmentKernel(sigma=0.7, triangular=4), triangular),
        (SoftDTWKernel(smoothing=0.8, gamma=1.0, band=3), banded),
    ):
        shares = kernel.fit([x, z, np.zeros((2, 3))]).expected_alignment(x, z)
        np.testing.assert_allclose(shares, by_enumeration(score, n, m), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lengths", [(12, 12), (9, 14)])
def test_the_kernel_changes_as_the_shares_say(lengths):
    """By the chain rule, log k(x, z) less half of log k(x, x) has this derivative by x."""
    rng = np.random.default_rng(0)
    x, z = (rng.normal(size=(2, n)) for n in lengths)
    kernel = SoftDTWKernel(smoothing=1.5, gamma=0.3).fit([x, z])

    def log_kernel(signal):
        # log k = -gamma d, and d = -smoothing (log a(x, z) - log a(x, x) / 2 - log a(z, z) / 2).
        return np.log(kernel([signal], [z])[0, 0]) / (0.3 * 1.5)

    def slope(shares, other):
        return -2.0 * (x * shares.sum(axis=1) - other @ shares.T) / 1.5

    own = kernel.expected_alignment(x, x)
    np.testing.assert_allclose(own, own.T, atol=1e-12)
    found = slope(kernel.expected_alignment(x, z), z) - slope(own, x)
    step = 1e-5
    for c, i in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[c, i] = step
        by_difference = (log_kernel(x + moved) - log_kernel(x - moved)) / (2 * step)
        np.testing.assert_allclose(found[c, i], by_difference, rtol=1e-5, atol=1e-6)


def test_shares_are_probabilities_that_end_in_the_best_alignment():
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(1, 400)).cumsum(axis=1), rng.normal(size=(1, 350)).cumsum(axis=1)
    wide = GlobalAlignmentKernel().fit([x, z]).expected_alignment(x, z)
    assert wide.min() >= 0.0
    assert wide.max() <= 1.0
    np.testing.assert_allclose([wide[0, 0], wide[-1, -1]], 1.0)
    # An alignment passes every step of both signals.
    assert min(wide.sum(axis=0).min(), wide.sum(axis=1).min()) >= 1.0 - 1e-9
    sharp = SoftDTWKernel(smoothing=1e-6).fit([x, z]).expected_alignment(x, z)
    path = np.zeros(sharp.shape)
    path[tuple(alignment_path(x, z).path.T)] = 1.0
    np.testing.assert_allclose(sharp, path, atol=1e-6)
    # One channel may come without its axis.
    np.testing.assert_array_equal(
        GlobalAlignmentKernel().fit([x, z]).expected_alignment(x[0], z[0]), wide
    )


def test_picture_shows_shares_beside_the_signals():
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 30)), rng.normal(size=(2, 45))
    kernel = SoftDTWKernel().fit([x, z])
    display = ExpectedAlignmentDisplay.from_kernel(kernel, x, z).plot()
    np.testing.assert_array_equal(display.image_.get_array(), kernel.expected_alignment(x, z))
    assert len(display.lines_) == 4
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), x[1])
    np.testing.assert_array_equal(display.lines_[2].get_ydata(), z[0])
    ax = display.figure_.add_subplot()
    assert ExpectedAlignmentDisplay.from_kernel(kernel, x, z).plot(ax=ax).ax_ is ax


def test_bad_signals_are_refused():
    kernel = GlobalAlignmentKernel(sigma=1.0, triangular=3).fit([np.zeros((2, 5))])
    for x, z, message in (
        (np.zeros((3, 5)), np.zeros((2, 5)), "x has 3 channels; expected 2"),
        (np.zeros((2, 5)), np.zeros(5), "z has 1 channels; expected 2"),
        (np.zeros((2, 5)), np.full((2, 4), np.nan), "z is nan in channel 0 at step 0"),
        (np.zeros((2, 0)), np.zeros((2, 4)), "x is an array of shape"),
        (np.zeros((2, 5)), np.zeros((2, 8)), "x has 5 steps and z has 8"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            kernel.expected_alignment(x, z)
    with pytest.raises(NotFittedError):
        GlobalAlignmentKernel().expected_alignment([0.0, 1.0], [0.0])
    with pytest.raises(TypeError, match="expected a fitted GlobalAlignmentKernel"):
        ExpectedAlignmentDisplay.from_kernel(RBFKernel(), [0.0], [0.0])
