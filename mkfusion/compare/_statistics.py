"""Whether one method is better than another, by their scores on the same folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mkfusion._types import Floats, Indices
from mkfusion.inspection import UNBOUNDED, Bounds, corrected_interval, holm as holm
from mkfusion.report import FUSION_VERDICTS, PairedTest

# Scores that count, as accuracy does, differ alike on two folds of a null method one time in ten.
_ENOUGH_TIES = 5
_ROUNDING = 1e-9  # of differences, as 0.9 - 0.85 is not quite 0.85 - 0.8


def _standard_error(values: Floats, test_to_train: float) -> float:
    """Nadeau and Bengio's standard error of a mean over folds that share training samples."""
    return float(np.sqrt((1.0 / len(values) + test_to_train) * np.var(values, ddof=1)))


def corrected_t_test(
    differences: ArrayLike,
    test_to_train: float,
    confidence: float = 0.95,
    bounds: Bounds = UNBOUNDED,
) -> PairedTest:
    """Corrected resampled t-test of differences between scores on the same folds.

    Training sets of different folds overlap, so the scores are correlated and an ordinary t-test
    is far too sure. The corrected one takes (1/k + n_test/n_train) for 1/k in the variance of the
    mean of k differences.

    Differences that are all the same have no variance, and are certain. On less than five folds,
    where chance makes them so, the p value is that of the sign test, and there is no interval.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one method less that of the other.
    test_to_train : float
        Test samples of a fold for each training sample of it.
    confidence : float, default=0.95
        Of the interval.
    bounds : tuple of two float, default=UNBOUNDED
        Between which numbers differences are.

    Returns
    -------
    PairedTest

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).

    Examples
    --------
    >>> from mkfusion.compare._statistics import corrected_t_test
    >>> test = corrected_t_test([0.02, 0.05, 0.01, 0.04, 0.03], test_to_train=1 / 4)
    >>> round(test.difference, 3), round(test.p_value, 3)
    (0.03, 0.047)
    """
    d = np.asarray(differences, dtype=np.float64)
    mean, df = float(d.mean()), len(d) - 1
    if np.ptp(d) <= _ROUNDING * np.abs(d).max():  # the same on all folds: no noise
        if mean == 0:
            return PairedTest(0.0, 0.0, 0.0, np.nan, 0.0, 1.0)
        statistic = float(np.copysign(np.inf, mean))
        if len(d) < _ENOUGH_TIES:
            return PairedTest(mean, -np.inf, np.inf, np.nan, statistic, 2.0 ** (1 - len(d)))
        return PairedTest(mean, mean, mean, np.nan, statistic, 0.0)
    error = _standard_error(d, test_to_train)
    low, high = corrected_interval(d, test_to_train, confidence, bounds)
    t = mean / error
    p = 2 * float(stats.t.sf(abs(t), df))
    return PairedTest(mean, float(low), float(high), mean / float(np.std(d, ddof=1)), t, p)


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


def signed_rank_test(differences: ArrayLike, confidence: float = 0.95) -> PairedTest:
    """Wilcoxon's signed-rank test of differences between scores on the same folds.

    The interval is that of the Hodges-Lehmann estimate: it ends at the order statistics of all
    means of two differences that the exact distribution of the sum of ranks gives. Folds are
    taken to be independent, which those of cross-validation are not: it is surer than it should.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Score of one method less that of the other.
    confidence : float, default=0.95
        Of the interval.

    Returns
    -------
    PairedTest

    References
    ----------
    Hollander, Wolfe and Chicken, "Nonparametric statistical methods" (2014), section 3.

    Examples
    --------
    >>> from mkfusion.compare._statistics import signed_rank_test
    >>> test = signed_rank_test([0.02, 0.05, 0.01, 0.04, 0.03, 0.06])
    >>> round(test.difference, 3), test.p_value
    (0.035, 0.03125)
    """
    d = np.asarray(differences, dtype=np.float64)
    k = len(d)
    i, j = np.triu_indices(k)
    walsh = np.sort((d[i] + d[j]) / 2)
    # How many of the smallest means lie outside: the largest c with P(W < c) <= alpha / 2.
    below = np.cumsum(_rank_sums(np.arange(1, k + 1))) / 2.0**k
    outside = int(np.count_nonzero(below <= (1 - confidence) / 2))
    low, high = (walsh[outside - 1], walsh[-outside]) if outside else (-np.inf, np.inf)
    if not d.any():
        return PairedTest(0.0, float(low), float(high), np.nan, 0.0, 1.0)
    # Exact given the ranks, ties or not; SciPy approximates where there are any. As Wilcoxon did,
    # folds without a difference are left out.
    nonzero = d[d != 0]
    ranks = stats.rankdata(np.abs(nonzero))
    doubled = (2 * ranks).astype(np.intp)  # whole numbers in ties as well
    positive, negative = int(doubled[nonzero > 0].sum()), int(doubled[nonzero < 0].sum())
    smaller = min(positive, negative)
    p = 2 * float(_rank_sums(doubled)[: smaller + 1].sum()) / 2.0 ** len(nonzero)
    return PairedTest(
        float(np.median(walsh)),
        float(low),
        float(high),
        (positive - negative) / (positive + negative),
        smaller / 2,
        min(1.0, p),
    )


def _rank_sums(ranks: Indices) -> Floats:
    """In how many of the 2^k ways of signing k ranks the positive ones sum to 0, 1, 2, ..."""
    counts = np.zeros(int(ranks.sum()) + 1)
    counts[0] = 1.0
    for rank in ranks:
        counts[rank:] += counts[:-rank].copy()
    return counts


def paired_test(
    kind: str,
    differences: ArrayLike,
    test_to_train: float,
    confidence: float,
    bounds: Bounds = UNBOUNDED,
) -> PairedTest:
    """Run the test that was asked for.

    Parameters
    ----------
    kind : {"corrected_t", "wilcoxon"}
    differences : array-like of shape (n_folds,)
    test_to_train : float
    confidence : float
    bounds : tuple of two float, default=UNBOUNDED
        Between which numbers differences are.

    Returns
    -------
    PairedTest
    """
    if kind == "wilcoxon":
        return signed_rank_test(differences, confidence)
    return corrected_t_test(differences, test_to_train, confidence, bounds)


def verdict(
    difference: float, p_value: float, alpha: float, words: tuple[str, str, str] = FUSION_VERDICTS
) -> str:
    """Say it in words.

    Parameters
    ----------
    difference : float
        Score with fusion less the score without, the higher the better.
    p_value : float
        Adjusted, where there are several tests.
    alpha : float
        Error rate.
    words : tuple of three str
        For better, for no evidence, and for worse.

    Returns
    -------
    str
        One of `words`.
    """
    better, undecided, worse = words
    if not p_value < alpha or difference == 0:  # what is not a number is no evidence either
        return undecided
    return better if difference > 0 else worse
