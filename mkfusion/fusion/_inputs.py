"""Reading samples, targets and weights, and handing weights on to what is fitted inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    has_fit_parameter,
)

from mkfusion._compat import BaseSearchCV, check_sample_weight
from mkfusion._types import Floats
from mkfusion.data import (
    Modalities,
    View,
    as_table,
    check_features,
    in_two_dimensions,
    read_labels,
    resolve_views,
    take_views,
)
from mkfusion.kernels import takes_table

# What a plain table is called as a modality when it is not said which columns make one.
_WHOLE = "X"


class Targets(NamedTuple):
    """What is to be predicted.

    Attributes
    ----------
    given : ndarray of shape (n_samples,)
        Labels, or numbers.
    classes : ndarray of shape (n_classes,) or None
        None for numbers.
    codes : ndarray of shape (n_samples,)
        Each label's position among the classes, or the numbers.
    """

    given: NDArray[Any]
    classes: NDArray[Any] | None
    codes: NDArray[Any]


def read_training(X: Any, modalities: Any) -> tuple[Any, list[View]]:
    """Return samples that modalities can be taken from, and where these are.

    A table without a word about modalities is one modality of all its columns.
    """
    if not isinstance(X, Modalities):
        X = as_table(X)
        if modalities is None:
            modalities = [(_WHOLE, slice(None))]
    return X, resolve_views(X, modalities)


def read_again(estimator: Any, X: Any, views: Sequence[View]) -> list[Any]:
    """Return each modality's part of new samples."""
    if not isinstance(X, Modalities):
        X = as_table(X)
    check_features(estimator, X, views, fitting=False)
    return take_views(X, views)


def check_labels(X: Any, y: Any) -> Targets:
    """Return class labels of the samples, of two classes at least."""
    return Targets(*read_labels(X, y))


def check_numbers(X: Any, y: Any) -> Targets:
    """Return a number for each of the samples."""
    if y is None:
        raise ValueError("y: expected numbers; requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    check_consistent_length(X, values)
    return Targets(values, None, values)


def check_weights(sample_weight: Any, X: Any) -> Floats | None:
    """Return the weight of each sample, of shape (n_samples,), if there are any."""
    if sample_weight is None:
        return None
    try:
        weights: Floats = check_sample_weight(sample_weight, X, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"sample_weight is not one weight for each sample: {error}") from error
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight contains {weights.min():.6g}; expected non-negative numbers."
        )
    if not weights.any():
        raise ValueError("sample_weight is all zero; expected a positive weight.")
    return weights


def check_columns(entries: Any, argument: str, example: str) -> None:
    """Refuse what is not a list of tuples that begin with a name, as in the example."""
    if not isinstance(entries, list | tuple):
        raise TypeError(f"{argument} is {entries!r}; expected a list of tuples {example}.")
    if len(entries) == 0:
        raise ValueError(f"{argument} is empty; expected at least one tuple {example}.")


@contextmanager
def about(name: str, what: str = "modality") -> Iterator[None]:
    """Say in an error which modality it is about, if the user gave it a name."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if name == _WHOLE or type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{what} {name!r}: {error}") from error


def default_scaler(data: Any) -> StandardScaler:
    """Return a scaler of columns that keeps sparse ones sparse; refuse what has no columns."""
    if not issparse(data):
        try:
            shape = np.shape(data)
        except ValueError:  # series of different lengths
            shape = (len(data), "...")
        items = isinstance(data, list | tuple) and len(shape) == 1
        if items or len(shape) > 2 or "..." in shape:
            raise ValueError(
                f"it has shape {shape}; expected columns of numbers, or what makes features of it: "
                "a transformer, or an estimator, of its own."
            )
    return StandardScaler(with_mean=not issparse(data))


def seen_by(estimator: Any, data: Any) -> Any:
    """Return samples as an estimator takes them: a single column in two dimensions or in one."""
    while hasattr(estimator, "estimator"):
        estimator = estimator.estimator
    return in_two_dimensions(data) if takes_table(estimator) else data


def fit_weighted(
    estimator: Any, data: Any, y: Any, weights: Floats | None, method: str = "fit"
) -> Any:
    """Fit, with weights of samples if there are any and the estimator takes them.

    Parameters
    ----------
    estimator : object
        It is changed.
    data : samples
    y : ndarray of shape (n_samples,) or None
    weights : ndarray of shape (n_samples,) or None
    method : {"fit", "fit_transform"}, default="fit"
        Only an estimator that is only fitted must take weights, if there are any.

    Returns
    -------
    object
        What the method returns.
    """
    keys = [] if weights is None else _weight_keys(estimator)
    if weights is not None and not keys and method == "fit":
        raise TypeError(
            f"sample_weight is given, but {type(estimator).__name__} takes none in its fit; "
            "expected None, or another estimator."
        )
    return getattr(estimator, method)(data, y, **dict.fromkeys(keys, weights))


def _weight_keys(estimator: Any) -> list[str]:
    """Return the arguments of `fit` that take weights of samples."""
    if isinstance(estimator, BaseSearchCV):
        return _weight_keys(estimator.estimator)
    if not isinstance(estimator, Pipeline):
        takes = hasattr(estimator, "fit") and has_fit_parameter(estimator, "sample_weight")
        return ["sample_weight"] if takes else []
    # All steps, not the last one only: a sample of weight 2 is then the same as two samples.
    keys = [[f"{name}__{key}" for key in _weight_keys(step)] for name, step in estimator.steps]
    return sum(keys, []) if keys[-1] else []


def split_samples(
    cv: int | BaseCrossValidator | Any, targets: Targets, groups: Any
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return (training rows, held-out rows) of each split."""
    if groups is not None:
        check_consistent_length(targets.given, groups)
        groups = np.asarray(groups)
    splitter = check_cv(cv, targets.given, classifier=targets.classes is not None)
    rows = np.zeros((len(targets.given), 1))
    return list(splitter.split(rows, targets.given, groups))
