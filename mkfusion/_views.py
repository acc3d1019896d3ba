"""Choosing several modalities of the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from mkfusion.kernels.kernelizer._columns import (
    Columns,
    column_names,
    resolve_columns,
    select_columns,
)
from mkfusion.modalities import Modalities

__all__ = ["View", "check_features", "resolve_views", "take_views"]


class View(NamedTuple):
    """A modality that was found in the training samples.

    Attributes
    ----------
    name : str
    columns : Columns or str
        The latter is a modality of `Modalities`.
    """

    name: str
    columns: Columns | str


def resolve_views(X: Any, modalities: Any) -> list[View]:
    """Find the modalities that were asked for in the training samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    modalities : list of (name, columns) pairs, or None
        `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. None for all modalities of `Modalities`.

    Returns
    -------
    list of View

    Raises
    ------
    ValueError, TypeError
        If something is asked for that is not there, or two modalities have one name.
    """
    if modalities is None and isinstance(X, Modalities):
        modalities = [(name, name) for name in X.names]
    if not isinstance(modalities, list | tuple) or len(modalities) == 0:
        raise TypeError(
            f"modalities is {modalities!r}; expected a list of pairs (name, columns), or "
            "Modalities as X."
        )
    for i, pair in enumerate(modalities):
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"modalities[{i}] is {pair!r}; expected (name, columns).")
        if not isinstance(pair[0], str) or not pair[0]:
            raise TypeError(
                f"modalities[{i}] has the name {pair[0]!r}; expected a string that is not empty."
            )
    names = [name for name, _ in modalities]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"modalities has the names {repeated} more than once.")
    return [View(name, resolve_columns(X, columns, name)) for name, columns in modalities]


def take_views(X: Any, views: Sequence[View]) -> list[Any]:
    """Return each modality's samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
        With columns in any order where these have names.
    views : sequence of View

    Returns
    -------
    list of samples
        One-dimensional where a single column was asked for by a scalar.

    Raises
    ------
    ValueError
        If columns or modalities are missing, or there are no data of one.
    """
    taken = []
    for view in views:
        data = select_columns(X, view.columns, view.name)
        if data is None:
            raise ValueError(f"modality {view.columns!r} is None; expected samples of it.")
        taken.append(data)
    return taken


def check_features(estimator: Any, X: Any, views: Sequence[View], *, fitting: bool) -> None:
    """Remember the features of the training samples, or refuse samples with others.

    Parameters
    ----------
    estimator : object
        Gets `n_features_in_`, and `feature_names_in_` where features have names.
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    views : sequence of View
        Of the training samples.
    fitting : bool

    Raises
    ------
    ValueError, TypeError
        If these are other features than in fit.
    """
    several = isinstance(X, Modalities)
    if not fitting and several != isinstance(views[0].columns, str):
        expected = "columns" if several else "Modalities"
        raise TypeError(f"X is a {type(X).__name__}; expected {expected} as in fit.")
    if not several:
        # Where both have names, columns are found by them, and others may be anything.
        if fitting or column_names(X) is None or not hasattr(estimator, "feature_names_in_"):
            validate_data(estimator, X, reset=fitting, skip_check_array=True)
    elif fitting:
        estimator.n_features_in_ = len(X.names)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)
