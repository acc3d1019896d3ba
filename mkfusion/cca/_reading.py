"""Reading the modalities of an analysis: parts of X, or X and y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, validate_data

from mkfusion._types import Floats
from mkfusion.data import (
    Columns,
    Modalities,
    Samples,
    View,
    as_matrix,
    check_rows,
    column_names,
    read_again,
    read_samples,
    select_columns,
)

# What the modalities are called where they are X and y: there are no views of them.
PAIR = ["X", "y"]


def read_analysis(estimator: Any, X: Any, y: Any, asked: Any) -> Samples:
    """Return the modalities that X holds, or X and y where none are asked for.

    Parameters
    ----------
    estimator : object
        For messages.
    X : Modalities, DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
    asked : list of (name, columns) pairs, or None

    Returns
    -------
    Samples
        Without views where the modalities are X and y.
    """
    if asked is not None:
        return read_samples(X, asked)
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: "
            "expected the second modality as y, or Modalities as X, or modalities=[(name, columns),"
            " ...]."
        )
    _check_first(X, y)
    return Samples(X, [], [X, y])


def read_analysis_again(estimator: Any, X: Any, y: Any, views: Sequence[View]) -> list[Any]:
    """Return the modalities of new samples: as many as are given, where they are X and y."""
    if views:
        return read_again(estimator, X, views)
    if isinstance(X, Modalities):
        raise TypeError("X is Modalities; expected an array or a table, as in fit.")
    _check_first(X, y)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return [X] if y is None else [X, y]


def _check_first(X: Any, y: Any) -> None:
    """Refuse an X that is one column without saying so, or has other samples than y."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiub":
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X has shape {X.shape}. Reshape your data "
            "with X.reshape(-1, 1) if it has a single feature."
        )
    check_consistent_length(X, y)
    check_rows(X, strict=True, y=y)


def as_numbers(
    estimator: Any, data: Any, n_columns: int | None = None, names: list[str] | None = None
) -> Floats:
    """Return a modality's samples as an array (n_samples, p) of float64.

    A single column may come in one dimension. New samples have the number of columns of the
    training samples, or, where both have names of columns, these.
    """
    if names is not None and column_names(data) is not None:
        data = select_columns(data, Columns(list(range(len(names))), names, True), "modality")
    matrix = as_matrix(data, estimator=estimator, min_samples=2 if n_columns is None else 1)
    if n_columns is not None and matrix.shape[1] != n_columns:
        raise ValueError(
            f"X has {matrix.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{n_columns} features as input."
        )
    return matrix


def refuse_constant(names: Sequence[str], ranks: Sequence[int]) -> None:
    """Refuse modalities whose training samples have no independent columns."""
    if min(ranks) == 0:
        raise ValueError(
            f"{names[list(ranks).index(0)]!r} does not vary over the training samples; expected a "
            "modality that does."
        )
