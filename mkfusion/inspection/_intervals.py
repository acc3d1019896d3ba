"""Confidence intervals of scores: the bootstrap, and the corrected resampled t interval."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_random_state

from mkfusion._types import Floats, Indices
from mkfusion.inspection._responses import CachedResponses, Score

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-np.inf, np.inf)
# Names of scikit-learn's scores, and of scikit-survival's, begin so.
_FROM_0_TO_1 = (
    "accuracy",
    "balanced_accuracy",
    "top_k_accuracy",
    "average_precision",
    "roc_auc",
    "f1",
    "precision",
    "recall",
    "jaccard",
    "concordance_index",
)
_UP_TO_1 = ("r2", "R²", "explained_variance", "d2_")
_CORRELATIONS = ("matthews_corrcoef",)  # from -1 to 1


def score_bounds(name: str) -> Bounds:
    """Return between which numbers a score is.

    Parameters
    ----------
    name : str
        Of scikit-learn's or scikit-survival's; of others nothing is known.

    Returns
    -------
    low, high : float
        Infinite where there is no bound.
    """
    if name.startswith(_FROM_0_TO_1):
        return 0.0, 1.0
    if name.startswith(_UP_TO_1):
        return -np.inf, 1.0
    if name.startswith(_CORRELATIONS):
        return -1.0, 1.0
    return (-np.inf, 0.0) if name.startswith("neg_") else UNBOUNDED


def difference_bounds(name: str) -> Bounds:
    """Return between which numbers the difference between two values of a score is.

    Parameters
    ----------
    name : str
        As in `score_bounds`.

    Returns
    -------
    low, high : float
    """
    low, high = score_bounds(name)
    return low - high, high - low


def bootstrap_rows(
    n_samples: int, n_bootstraps: int, groups: Indices | None, random_state: Any
) -> Iterator[Indices]:
    """Yield samples drawn with replacement, by whole groups where there are some.

    Parameters
    ----------
    n_samples : int
    n_bootstraps : int
    groups : ndarray of shape (n_samples,) or None
        Numbers of groups.
    random_state : int, RandomState instance or None

    Yields
    ------
    ndarray of shape (n_drawn,)
    """
    rng = check_random_state(random_state)
    members = None if groups is None else [np.flatnonzero(groups == g) for g in np.unique(groups)]
    for _ in range(n_bootstraps):
        if members is None:
            yield rng.randint(n_samples, size=n_samples).astype(np.intp)
        else:
            drawn = rng.randint(len(members), size=len(members))
            yield np.concatenate([members[g] for g in drawn])


def bootstrap_scores(
    estimator: Any,
    scoring: Any,
    scorer: Score,
    responses: CachedResponses,
    y: NDArray[Any],
    draws: Sequence[Indices],
) -> Floats:
    """Score responses on draws of the samples.

    Parameters
    ----------
    estimator : classifier or regressor
        Whose responses they are, or are like.
    scoring : str, callable or None
        What the scorer was made of.
    scorer : callable
    responses : CachedResponses
    y : ndarray of shape (n_samples,)
    draws : sequence of n_draws arrays of rows

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN where the score is not defined: a draw may lack a class.
    """
    # The default scores are means of something for each sample: a hundred times faster.
    if is_classifier(estimator) and scoring in (None, "accuracy"):
        right = np.asarray(responses.predict(np.arange(len(y))) == y, dtype=np.float64)
        return np.array([right[rows].mean() for rows in draws])
    if is_regressor(estimator) and scoring in (None, "r2"):
        error = (y - responses.predict(np.arange(len(y)))) ** 2
        spread = np.array([y[rows].var() for rows in draws])
        left = np.array([error[rows].mean() for rows in draws])
        return 1.0 - np.divide(left, spread, out=np.full(len(draws), np.nan), where=spread > 0.0)
    return np.array([_quiet_score(scorer, responses, rows, y) for rows in draws])


def _quiet_score(
    scorer: Score, responses: CachedResponses, rows: Indices, y: NDArray[Any]
) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            return float(scorer(responses, rows, y[rows]))
        except ValueError:
            return np.nan


def percentiles(draws: Floats, level: float) -> tuple[Any, Any]:
    """Return the bootstrap percentile interval along the last axis, without undefined draws.

    Parameters
    ----------
    draws : ndarray of shape (..., n_bootstraps)
    level : float

    Returns
    -------
    low, high : ndarray of shape (...)
        NaN where most draws are undefined.
    """
    tail = 50.0 * (1.0 - level)
    usable = np.isfinite(draws).mean(axis=-1) > 0.5 if draws.shape[-1] else np.False_
    if not np.any(usable):
        nothing = np.full(draws.shape[:-1], np.nan)
        return nothing, nothing.copy()
    low, high = np.nanpercentile(draws, [tail, 100.0 - tail], axis=-1)
    return np.where(usable, low, np.nan), np.where(usable, high, np.nan)


def corrected_interval(
    differences: Floats, test_share: float, level: float, bounds: Bounds = UNBOUNDED
) -> tuple[Floats, Floats]:
    """Return the corrected resampled t interval of means over folds.

    Folds share training samples, so that their scores vary together: the variance of the mean is
    taken as ``(1 / k + n_test / n_train) s²`` (Nadeau and Bengio, Machine Learning 52, 2003).

    The interval ends where the score does. No mean lies beyond, so it holds the true one as often
    as before; a transformation that cannot leave the range would not do for folds that score 1.

    Parameters
    ----------
    differences : ndarray of shape (..., n_folds)
    test_share : float
        n_test / n_train.
    level : float
    bounds : tuple of two float, default=UNBOUNDED
        Between which numbers the mean is; values beyond them show that it is not.

    Returns
    -------
    low, high : ndarray of shape (...)
    """
    k = differences.shape[-1]
    mean = differences.mean(axis=-1)
    if k < 2:
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    error = np.sqrt((1.0 / k + test_share) * differences.var(axis=-1, ddof=1))
    width = student.ppf(0.5 + 0.5 * level, k - 1) * error
    if differences.min() < bounds[0] or differences.max() > bounds[1]:
        bounds = UNBOUNDED  # another score of the same name
    return np.maximum(mean - width, bounds[0]), np.minimum(mean + width, bounds[1])
