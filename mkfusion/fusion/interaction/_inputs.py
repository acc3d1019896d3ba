"""Reading columns of numbers, targets and weights for interaction models."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from mkfusion._compat import check_sample_weight
from mkfusion.data import (
    Modalities,
    View,
    as_table,
    column_names,
    in_two_dimensions,
    read_labels,
    resolve_views,
    take_views,
)


class Layout(NamedTuple):
    """The columns of all modalities, side by side.

    Attributes
    ----------
    views : list of View or None
        None where every column of X is a modality.
    several : bool
        Whether X is `Modalities`.
    names : list of n_modalities str
    widths : list of n_modalities int
        Numbers of columns.
    columns : list of n_columns str
        Their names: that of the modality where it has one column, else ``"modality.column"``.
    """

    views: list[View] | None
    several: bool
    names: list[str]
    widths: list[int]
    columns: list[str]

    @property
    def owner(self) -> NDArray[np.intp]:
        """The modality of each column, of shape (n_columns,)."""
        return np.repeat(np.arange(len(self.widths)), self.widths)


def read_training(estimator: Any, X: Any, modalities: Any) -> tuple[NDArray[np.float64], Layout]:
    """Return the columns of all modalities of the training samples as one array.

    Parameters
    ----------
    estimator : object
        Gets `n_features_in_` and `feature_names_in_`, and is in messages.
    X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
    modalities : list of (name, columns) pairs, or None
        None is all modalities of `Modalities`, and otherwise every column is one.

    Returns
    -------
    columns : ndarray of shape (n_samples, n_columns)
    layout : Layout

    Raises
    ------
    ValueError, TypeError
        If X is not finite numbers, or modalities or columns are not there.
    """
    several = isinstance(X, Modalities)
    if modalities is None and not several:
        values = validate_data(estimator, X, dtype=np.float64, ensure_min_samples=2)
        names = [str(name) for name in getattr(estimator, "feature_names_in_", [])]
        names = names or [f"x{j}" for j in range(values.shape[1])]
        return values, Layout(None, False, names, [1] * len(names), names)
    if not several:
        X = as_table(X)
    _check_features(estimator, X, fitting=True)
    views = resolve_views(X, modalities)
    data = take_views(X, views)
    parts = [_as_numbers(part, view.name, 2) for part, view in zip(data, views, strict=True)]
    check_consistent_length(*parts)
    widths = [part.shape[1] for part in parts]
    columns = [
        name
        for view, part, width in zip(views, data, widths, strict=True)
        for name in _names_of(view, part, width)
    ]
    return np.hstack(parts), Layout(views, several, [v.name for v in views], widths, columns)


def read_again(estimator: Any, X: Any, layout: Layout) -> NDArray[np.float64]:
    """Return the columns (n_samples, n_columns) that the training samples had of other samples."""
    several = isinstance(X, Modalities)
    if several != layout.several:
        expected = "Modalities" if layout.several else "columns"
        raise TypeError(f"X is a {type(X).__name__}; expected {expected} as in fit.")
    if layout.views is None:
        return validate_data(estimator, X, reset=False, dtype=np.float64)
    if not several:
        X = as_table(X)
    _check_features(estimator, X, fitting=False)
    parts = []
    for view, data, width in zip(
        layout.views, take_views(X, layout.views), layout.widths, strict=True
    ):
        part = _as_numbers(data, view.name, 1)
        if part.shape[1] != width:
            raise ValueError(
                f"modality {view.name!r} has {part.shape[1]} columns; expected {width}, as in fit."
            )
        parts.append(part)
    check_consistent_length(*parts)
    return np.hstack(parts)


def _check_features(estimator: Any, X: Any, fitting: bool) -> None:
    """Remember the features of training samples, or refuse others."""
    if not isinstance(X, Modalities):
        # Where both have names, columns are found by them, and others may be anything.
        if fitting or column_names(X) is None or not hasattr(estimator, "feature_names_in_"):
            validate_data(estimator, X, reset=fitting, skip_check_array=True)
    elif fitting:
        estimator.n_features_in_ = len(X.names)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)


def _as_numbers(data: Any, name: str, min_samples: int) -> NDArray[np.float64]:
    """Return a modality's samples as an array (n_samples, width)."""
    data = in_two_dimensions(np.asarray(data) if isinstance(data, list | tuple) else data)
    if getattr(data, "ndim", 2) != 2:
        raise ValueError(
            f"modality {name!r} has shape {data.shape}; expected columns of numbers, "
            "(n_samples, n_columns): summarise signals by features first."
        )
    try:
        values = check_array(data, dtype=np.float64, ensure_min_samples=min_samples)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"modality {name!r} is not columns of finite numbers: {error} (Encode texts and "
            "categories as numbers, and fill gaps, first.)"
        ) from error
    return values


def _names_of(view: View, data: Any, width: int) -> list[str]:
    if width == 1:
        return [view.name]
    names = column_names(data) or [str(j) for j in range(width)]
    return [f"{view.name}.{name}" for name in names]


def check_two_classes(X: Any, y: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the two classes (2,), and for each sample whether it is of the second (n_samples,)."""
    _, classes, codes = read_labels(X, y, "two classes")
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass: y has "
            f"{len(classes)} classes; put the classifier into a "
            "sklearn.multiclass.OneVsRestClassifier."
        )
    return classes, codes.astype(np.float64)


def sample_weights(sample_weight: Any, X: Any) -> NDArray[np.float64]:
    """Return the weight of each sample, of shape (n_samples,)."""
    try:
        weights = check_sample_weight(sample_weight, X, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"sample_weight is not one weight for each sample: {error}") from error
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight contains {weights.min():.6g}; expected non-negative numbers."
        )
    if np.count_nonzero(weights) < 2:
        raise ValueError("sample_weight has less than two positive weights.")
    return weights
