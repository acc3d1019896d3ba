"""What the parameters of kernels may be, and the widths that are learned from samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import row_norms

from mkfusion._messages import shown
from mkfusion._types import FloatArray

# The median of this many samples' distances is within a few percent of that of all.
MEDIAN_SAMPLES = 1000


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """Refuse anything but a finite non-negative (or positive) number."""
    kind = "positive" if positive else "non-negative"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {shown(value)}; expected a {kind} number.")
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        raise ValueError(f"{name} is {shown(value)}; expected a {kind} number.")
    return float(value)


def learn_gamma(
    gamma: Any, samples: Any, distances: Callable[[Any], NDArray[Any]] | None = None
) -> float:
    """Turn the parameter `gamma` into a number.

    Parameters
    ----------
    gamma : float, {"scale", "median"} or None
        "scale" is 1 / (n_features * variance), as in :class:`sklearn.svm.SVC`; "median" is 1 / the
        median distance; None is 1 / n_features, as in :mod:`sklearn.metrics.pairwise`.
    samples : array or sparse matrix of shape (n_samples, n_features)
        Training samples.
    distances : callable, default=None
        From samples to the distances (n_samples, n_samples) that gamma multiplies; without it
        "median" is not offered.

    Returns
    -------
    float
    """
    offered = ['"scale"', '"median"', "None"] if distances else ['"scale"', "None"]
    if gamma is None:
        return 1.0 / samples.shape[1]
    if isinstance(gamma, str):
        if gamma == "scale":
            variance = _variance(samples)
            return 1.0 / (samples.shape[1] * variance) if variance > 0 else 1.0
        if gamma == "median" and distances:
            return median_heuristic(samples, distances)
        raise ValueError(
            f"gamma is {shown(gamma)}; expected a positive number, {', '.join(offered)}."
        )
    return check_number(gamma, "gamma", positive=True)


def median_heuristic(samples: Any, distances: Callable[[Any], NDArray[Any]]) -> float:
    """Return 1 / the median distance between two different samples.

    From more than ``MEDIAN_SAMPLES`` samples, as many are chosen evenly along a fixed direction: a
    choice that depends on the samples and not on their order, so that gamma does not either.

    Parameters
    ----------
    samples : array or sparse matrix of shape (n_samples, n_features)
    distances : callable
        From samples to their distances (n_samples, n_samples).

    Returns
    -------
    float
    """
    n_samples, n_features = samples.shape
    if n_samples > MEDIAN_SAMPLES:
        # A direction with incommensurable entries: hardly two different samples tie.
        direction = np.cos(np.arange(1, n_features + 1))
        order = np.argsort(samples @ direction, kind="stable")
        chosen = np.linspace(0, n_samples - 1, MEDIAN_SAMPLES).astype(np.intp)
        samples = samples[order[chosen]]
    return reciprocal_median(distances(samples))


def reciprocal_median(distances: NDArray[Any]) -> float:
    """Return 1 / the median of the distances (n_samples, n_samples) between different samples.

    Where more than half of them are 0, the median of the others; 1 if all are.
    """
    pairs = distances[np.triu_indices(len(distances), k=1)]
    median = float(np.median(pairs)) if len(pairs) else 0.0
    if median == 0.0:
        positive = pairs[pairs > 0]
        median = float(np.median(positive)) if len(positive) else 1.0
    return 1.0 / median


def squared_distances(samples: Any, others: Any = None) -> FloatArray:
    """Return squared Euclidean distances, 0 where they are nothing but rounding errors.

    They are computed by inner products, which leave errors of the size of the samples between
    samples that are equal. As a median, where most are equal, such an error would be a width.

    Parameters
    ----------
    samples : array or sparse matrix of shape (n_samples, n_features)
    others : array or sparse matrix of shape (n_others, n_features), default=None
        The samples themselves by default.

    Returns
    -------
    ndarray of shape (n_samples, n_others)
    """
    columns = samples if others is None else others
    squares: FloatArray = euclidean_distances(samples, columns, squared=True)
    norms = row_norms(samples, squared=True)[:, np.newaxis] + row_norms(columns, squared=True)
    share = (4.0 + math.sqrt(samples.shape[1])) * np.finfo(np.float64).eps
    squares[squares <= share * norms] = 0.0
    return squares


def _variance(samples: Any) -> float:
    """Return the variance over all entries, as ``X.var()``."""
    if issparse(samples):
        mean = samples.mean()
        return float(samples.multiply(samples).mean() - mean * mean)
    return float(samples.var(dtype=np.float64))
