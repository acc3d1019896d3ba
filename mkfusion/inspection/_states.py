"""Samples of any kind as numbered states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack, issparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples, column_or_1d

from mkfusion.inspection._checks import check_count
from mkfusion.inspection._intervals import splits_of

__all__ = ["classifier_states", "states_of", "target_states"]

States = NDArray[np.intp]

# So many samples in a state, at least on average, or frequencies are no probabilities.
_SAMPLES_PER_STATE = 2


def target_states(y: Any, bins: int | None) -> States:
    """Return the number of each sample's target value, or bin."""
    values = column_or_1d(y)
    if bins is not None:
        check_count("target_bins", bins, 2)
        return _quantile_bins(check_array(values[:, np.newaxis], dtype=np.float64)[:, 0], bins)
    return _numbered(values, "y", "target_bins")


def states_of(data: Any, bins: int | None, n_samples: int, name: str, rng: Any) -> States:
    """Return the number of each sample's state.

    Parameters
    ----------
    data : array-like of shape (n_samples,) or (n_samples, n_features)
    bins : int or None
        As for `partial_information`.
    n_samples : int
    name : str
        Of the modality, for messages.
    rng : RandomState

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    if _num_samples(data) != n_samples:
        raise ValueError(f"{name} has {_num_samples(data)} samples; y has {n_samples}.")
    if bins is None:
        if issparse(data):
            raise TypeError(f"{name} is a sparse matrix; expected an array, or bins=.")
        return _numbered(np.asarray(data), name, "bins")
    table = np.asarray(data)
    numbers = check_array(
        table[:, np.newaxis] if table.ndim == 1 else table, dtype=np.float64, input_name=name
    )
    if numbers.shape[1] == 1:
        return _quantile_bins(numbers[:, 0], bins)
    return _clusters(StandardScaler().fit_transform(numbers), bins, rng)


def classifier_states(
    estimator: Any,
    A: Any,
    B: Any,
    y: States,
    names: tuple[str, str],
    bins: int,
    cv: Any,
    groups: States | None,
    rng: Any,
) -> tuple[States, States, States]:
    """Return states of A, of B and of both by what a classifier predicts from them out of fold.

    Parameters
    ----------
    estimator : classifier
    A, B : array-like of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    names : tuple of (str, str)
    bins : int
        States to make.
    cv : int, splitter or iterable of splits
    groups : ndarray of shape (n_samples,) or None
    rng : RandomState

    Returns
    -------
    a, b, both : ndarray of shape (n_samples,)
    """
    n = len(y)
    tables = []
    for data, name in zip((A, B), names, strict=True):
        if _num_samples(data) != n:
            raise ValueError(f"{name} has {_num_samples(data)} samples; y has {n}.")
        table = data if issparse(data) else np.asarray(data)
        tables.append(table[:, np.newaxis] if table.ndim == 1 else table)
        if tables[-1].ndim != 2:
            raise ValueError(
                f"{name} has {tables[-1].ndim} dimensions; expected two with estimator."
            )
    sparse = any(map(issparse, tables))
    both = hstack(tables).tocsr() if sparse else np.hstack(tables)
    splits = splits_of(estimator, cv, n, y, groups, rng)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(f"{type(estimator).__name__} has no predict_proba; expected one that has.")
    n_tests = np.bincount(np.concatenate([test for _, test in splits]), minlength=n)
    if not (n_tests == 1).all():
        raise ValueError("cv leaves samples out of no fold, or of several; expected of one each.")
    found, frequencies = [], np.bincount(y) / n
    for X in (*tables, both):
        X = X.tocsr() if hasattr(X, "tocsr") else X
        proba = np.zeros((n, y.max() + 1))
        for train, test in splits:
            model = clone(estimator).fit(X[train], y[train])
            # Folds whose classes are of other frequencies would tell them by their intercepts.
            shift = frequencies[model.classes_] * len(train) / np.bincount(y[train])[model.classes_]
            some = model.predict_proba(X[test]) * shift
            proba[np.ix_(test, model.classes_)] = some / some.sum(axis=1, keepdims=True)
        found.append(_proba_states(proba, bins, rng))
    return found[0], found[1], found[2]


def _proba_states(proba: NDArray[np.float64], bins: int, rng: Any) -> States:
    if proba.shape[1] <= 2:
        return _quantile_bins(proba[:, -1], bins)
    return _clusters(np.sqrt(proba), bins, rng)  # where distances are Hellinger's


def _numbered(values: NDArray[Any], name: str, argument: str) -> States:
    """Return the number of each sample's value, or row."""
    flat = values.reshape(len(values), -1)
    if flat.dtype == object:
        flat = flat.astype(str)
    unique, numbers = np.unique(flat, axis=0, return_inverse=True)
    few = len(values) / _SAMPLES_PER_STATE
    if len(unique) > max(few, 20):
        raise ValueError(
            f"{name} has {len(unique)} different values in {len(values)} samples; expected few "
            f"(or {argument}=)."
        )
    return np.asarray(numbers).reshape(-1).astype(np.intp)


def _quantile_bins(values: NDArray[np.float64], bins: int) -> States:
    """Return bins of about equally many samples; equal values are in the same one."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    return np.unique(codes, return_inverse=True)[1].astype(np.intp)


def _clusters(points: NDArray[np.float64], bins: int, rng: Any) -> States:
    distinct = len(np.unique(points, axis=0))
    codes = KMeans(min(bins, distinct), n_init=10, random_state=rng).fit_predict(points)
    return np.unique(codes, return_inverse=True)[1].astype(np.intp)
