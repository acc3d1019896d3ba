"""Reading the modalities of an analysis from what `fit` and `transform` are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from mkfusion.data import (
    Columns,
    Modalities,
    View,
    as_table,
    check_features,
    column_names,
    in_two_dimensions,
    resolve_views,
    select_columns,
    take_views,
)


class Read(NamedTuple):
    """The modalities of training samples.

    Attributes
    ----------
    views : list of View or None
        None where they are X and y.
    names : list of str
    data : list
        Their samples.
    remember : callable
        Sets `n_features_in_` and `feature_names_in_` of the estimator.
    """

    views: list[View] | None
    names: list[str]
    data: list[Any]
    remember: Callable[[], Any]


def read_pair(estimator: Any, X: Any, y: Any) -> Read:
    """Return X and y as the two modalities."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: "
            "expected the second modality as y, or Modalities as X, or modalities=[(name, columns),"
            " ...]."
        )
    _check_first(X, y)

    def remember() -> None:
        validate_data(estimator, X, skip_check_array=True)

    return Read(None, ["X", "y"], [X, y], remember)


def read_modalities(estimator: Any, X: Any, asked: Any) -> Read:
    """Return the modalities that X holds."""
    if not isinstance(X, Modalities):
        X = as_table(X)
    views = resolve_views(X, asked)

    def remember() -> None:
        check_features(estimator, X, views, fitting=True)

    return Read(views, [view.name for view in views], take_views(X, views), remember)


def read_again(estimator: Any, X: Any, y: Any, views: Sequence[View] | None) -> list[Any]:
    """Return the modalities of new samples: as many as are given, where they are X and y."""
    if views is None:
        if isinstance(X, Modalities):
            raise TypeError("X is Modalities; expected an array or a table, as in fit.")
        _check_first(X, y)
        validate_data(estimator, X, reset=False, skip_check_array=True)
        return [X] if y is None else [X, y]
    if not isinstance(X, Modalities):
        X = as_table(X)
    check_features(estimator, X, views, fitting=False)
    return take_views(X, views)


def _check_first(X: Any, y: Any) -> None:
    """Refuse an X that is one column without saying so, or has other samples than y."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiub":
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X has shape {X.shape}. Reshape your data "
            "with X.reshape(-1, 1) if it has a single feature."
        )
    check_consistent_length(X, y)


def as_numbers(
    estimator: Any, data: Any, n_columns: int | None = None, names: list[str] | None = None
) -> Any:
    """Return a modality's samples as an array (n_samples, p) of float64.

    A single column may come in one dimension. New samples have the number of columns of the
    training samples, or, where both have names of columns, these.
    """
    if names is not None and column_names(data) is not None:
        data = select_columns(data, Columns(list(range(len(names))), names, True), "modality")
    array = check_array(
        in_two_dimensions(np.asarray(data) if isinstance(data, list | tuple) else data),
        dtype=np.float64,
        estimator=estimator,
        ensure_min_samples=2 if n_columns is None else 1,
    )
    if n_columns is not None and array.shape[1] != n_columns:
        raise ValueError(
            f"X has {array.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{n_columns} features as input."
        )
    return array


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Say in an error which modality it is about, if it has a name."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not name or type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{name}: {error}") from error
