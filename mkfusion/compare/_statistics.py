"""How sure a difference between two methods is, by their losses on the same folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mkfusion._types import Floats, Indices
from mkfusion.compare._survival import brier_loss, fold_chances
from mkfusion.inspection import UNBOUNDED, Bounds, corrected_interval
from mkfusion.report import (
    COMPLEMENTARY,
    HELPS,
    LOWER,
    PRACTICALLY_NONE,
    UNDECIDED,
    HeldOut,
    PairedTest,
)

# How often an effect that is said to be detectable is found.
POWER = 0.8
# Scores that count, as accuracy does, differ alike on two folds of a null method one time in ten.
_ENOUGH_TIES = 5
_ROUNDING = 1e-9  # of differences, as 0.9 - 0.85 is not quite 0.85 - 0.8


# ---------------------------------------------------------------------------- losses


def fold_loss(
    told: HeldOut,
    y: NDArray[Any],
    train: Indices,
    classes: bool,
    times: Floats | None = None,
) -> float:
    """Return the mean loss on a fold, a proper one: in the mean over samples the truth has least.

    Parameters
    ----------
    told : HeldOut
        Of classes: the log-loss of their probabilities, of which none counts for less than one
        of the training samples: they cannot tell it from 0. Of numbers: the squared error, in units
        of the variance of all targets. Of survival: the integrated Brier score.
    y : ndarray of shape (n_samples,)
        Targets of all samples.
    train : ndarray of shape (n_train,)
        What was learned from.
    classes : bool
        Whether y is class labels.
    times : ndarray of shape (n_times,), default=None
        At which survival is predicted.

    Returns
    -------
    float
        NaN for classes without probabilities.
    """
    true = y[told.rows]
    if times is not None:
        assert told.probabilities is not None
        return brier_loss(true, told.probabilities, y[train], times)
    if not classes:
        return float(((true - told.predictions) ** 2).mean() / y.var())
    if told.probabilities is None:
        return float("nan")
    every = np.unique(y)
    given = told.probabilities[np.arange(len(true)), np.searchsorted(every, true)]
    return float(-np.log(np.clip(given, 1 / (len(train) + len(every)), 1.0)).mean())


def knowing_nothing(
    y: NDArray[Any],
    train: Indices,
    test: Indices,
    classes: bool,
    times: Floats | None = None,
) -> HeldOut:
    """Return what can be said of test samples without looking at any modality.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    train, test : ndarray of rows
    classes : bool
        Whether y is class labels: then how often each is there in training, else the mean.
    times : ndarray of shape (n_times,), default=None
        At which survival is predicted: by the Kaplan-Meier estimate of the training samples.

    Returns
    -------
    HeldOut
    """
    if times is not None:
        return HeldOut(test, np.zeros(len(test)), fold_chances(y, train, len(test), times))
    if not classes:
        return HeldOut(test, np.full(len(test), y[train].mean()), None)
    every = np.unique(y)
    shares = (y[train][:, np.newaxis] == every).mean(axis=0)
    most = np.full(len(test), every[shares.argmax()])
    return HeldOut(test, most, np.tile(shares, (len(test), 1)))


# ---------------------------------------------------------------------------- one difference


def corrected_t_test(
    differences: ArrayLike,
    test_to_train: float,
    alpha: float = 0.05,
    bounds: Bounds = UNBOUNDED,
) -> PairedTest:
    """Test by the corrected resampled t-test whether differences on the same folds are above 0.

    Training sets of different folds overlap, so the differences are correlated and an ordinary
    t-test is far too sure. The corrected one takes (1/k + n_test/n_train) for 1/k in the variance
    of the mean of k differences, repeated folds or not.

    Differences that are all the same have no variance, and are certain. On less than five folds,
    where chance makes them so, the p value is that of the sign test, and nothing is outside the
    intervals.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        How much better one method is than the other.
    test_to_train : float
        Test samples of a fold for each training sample of it.
    alpha : float, default=0.05
        Error rate of a one-sided claim.
    bounds : tuple of two float, default=UNBOUNDED
        Between which numbers differences are.

    Returns
    -------
    PairedTest
        NaN where a difference is.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).

    Examples
    --------
    >>> from mkfusion.compare._statistics import corrected_t_test
    >>> test = corrected_t_test([0.02, 0.05, 0.01, 0.04, 0.03], test_to_train=1 / 4)
    >>> round(test.difference, 3), round(test.p_value, 3)
    (0.03, 0.024)
    """
    d = np.asarray(differences, dtype=np.float64)
    mean, df, nan = float(d.mean()), len(d) - 1, float("nan")
    if not np.isfinite(d).all():
        return PairedTest(nan, nan, nan, nan, nan, nan, nan, nan, nan)
    if np.ptp(d) <= _ROUNDING * np.abs(d).max():  # the same on all folds: no noise
        certain = mean == 0 or len(d) >= _ENOUGH_TIES
        low, high = (mean, mean) if certain else bounds
        p = 1.0 if mean <= 0 else 0.0 if certain else 2.0 ** -len(d)
        statistic = float(np.copysign(np.inf, mean)) if mean else 0.0
        return PairedTest(mean, low, high, low, high, 0.0 if certain else nan, statistic, p, nan)
    error = float(np.sqrt((1.0 / len(d) + test_to_train) * np.var(d, ddof=1)))
    narrow, wide = (
        corrected_interval(d, test_to_train, level, bounds) for level in (1 - 2 * alpha, 1 - alpha)
    )
    low, high, low_wide, high_wide = (float(end) for end in (*narrow, *wide))
    detectable = float(stats.t.ppf(1 - alpha, df) + stats.t.ppf(POWER, df)) * error
    t = mean / error
    p = float(stats.t.sf(t, df))
    return PairedTest(mean, low, high, low_wide, high_wide, error, t, p, detectable)


def mean_interval(
    scores: ArrayLike,
    test_to_train: float,
    confidence: float = 0.95,
    bounds: Bounds = UNBOUNDED,
) -> tuple[float, float, float]:
    """Mean score over folds, and its confidence interval with the same correction.

    Parameters
    ----------
    scores : array-like of shape (n_folds,)
    test_to_train : float
        Test samples of a fold for each training sample of it.
    confidence : float, default=0.95
    bounds : tuple of two float, default=UNBOUNDED
        Between which numbers the mean is.

    Returns
    -------
    mean, low, high : float
    """
    values = np.asarray(scores, dtype=np.float64)
    low, high = corrected_interval(values, test_to_train, confidence, bounds)
    return float(values.mean()), float(low), float(high)


# ---------------------------------------------------------------------------- verdicts


def state(
    information: float | None,
    single: PairedTest,
    nothing: PairedTest,
    metric: PairedTest,
    alpha: float,
    sesoi: float | None = None,
) -> str:
    """Return what two tests in fixed sequence say of fusion.

    That fusion predicts better is claimed only if the modalities were found to say what the others
    do not; so both tests have the full level, and what is claimed wrongly is so at most in `alpha`
    of all comparisons. Where information cannot be tested, prediction is the one claim.

    Parameters
    ----------
    information : float or None
        p value of "a single modality says all"; None where it cannot be tested.
    single, nothing : PairedTest
        Loss saved against the best single modality, and against knowing nothing: fusion must be
        better than both.
    metric : PairedTest
        Difference of the user's metric to the best single modality.
    alpha : float
    sesoi : float or None, default=None
        The smallest difference of the metric that is of interest.

    Returns
    -------
    str
        One of `STATES`.
    """
    informed = information is None or information < alpha
    better = max(single.p_value, nothing.p_value) < alpha and min(single.low, nothing.low) > 0
    if single.high < 0:
        return LOWER
    if sesoi is not None and metric.high < sesoi:
        return PRACTICALLY_NONE
    if informed and better:
        return HELPS
    return COMPLEMENTARY if information is not None and informed else UNDECIDED


def samples_needed(n: int, test: PairedTest) -> float:
    """Return with how many samples the effect that was seen would be found four times in five.

    Standard errors shrink with the square root of the samples; what is to be learned grows with
    them as well, so that it is no promise.

    Parameters
    ----------
    n : int
        Samples that there are.
    test : PairedTest

    Returns
    -------
    float
        Infinite where there was no effect; NaN where the detectable effect is not known.
    """
    if test.difference <= 0:
        return float("inf")
    return float(np.ceil(n * (test.detectable / test.difference) ** 2))
