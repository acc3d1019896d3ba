"""What `fit` of a fusion is given, and handing it on to what is fitted inside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from mkfusion._compat import BaseSearchCV
from mkfusion._types import Floats, Indices
from mkfusion.data import (
    Known,
    Samples,
    check_rows,
    in_two_dimensions,
    read_groups,
    read_labels,
    read_numbers,
    read_samples,
    read_splits,
    read_weights,
    with_numbers,
)
from mkfusion.kernels import SampleCompletion, complete_training, sees_numbers, takes_table


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


class Training(NamedTuple):
    """What `fit` was given.

    Attributes
    ----------
    samples : Samples
    targets : Targets
    weights : ndarray of shape (n_samples,) or None
    completion : SampleCompletion
        What is done about modalities that samples lack.
    known : Known
        What there is of the samples, completed.
    """

    samples: Samples
    targets: Targets
    weights: Floats | None
    completion: SampleCompletion
    known: Known

    @property
    def share(self) -> Floats:
        """The weight of each sample, of shape (n_samples,), 1 if none is given."""
        n_samples = len(self.targets.given)
        return np.ones(n_samples) if self.weights is None else self.weights

    def splits(self, cv: Any, groups: Any) -> list[tuple[Indices, Indices]]:
        """Return the training rows and the held-out rows of each split."""
        y = self.targets.given
        check_rows(self.samples.X, groups=groups)
        return read_splits(
            cv,
            len(y),
            y,
            classes=self.targets.classes is not None,
            groups=read_groups(groups, len(y)),
        )


def read_training(estimator: Any, X: Any, y: Any, sample_weight: Any, modalities: Any) -> Training:
    """Read everything that `fit` of a classifier or a regressor is given."""
    samples = read_samples(X, modalities, whole=True)
    if is_classifier(estimator):
        targets = Targets(*read_labels(samples.X, y))
    else:
        numbers = read_numbers(samples.X, y)
        targets = Targets(numbers, None, numbers)
    weights = None if sample_weight is None else read_weights(sample_weight, samples.X)
    completion, known = complete_training(estimator.missing, samples.views, samples.parts)
    return Training(samples, targets, weights, completion, known)


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
    # A DataFrame has `sparse` if all its columns are.
    sparse = issparse(data) or (hasattr(data, "columns") and hasattr(data, "sparse"))
    return StandardScaler(with_mean=not sparse)


def seen_by(estimator: Any, data: Any) -> Any:
    """Return samples as an estimator takes them: a single column in two dimensions or in one."""
    while hasattr(estimator, "estimator"):
        estimator = estimator.estimator
    if not takes_table(estimator):
        return data
    table = in_two_dimensions(data)
    return with_numbers(table) if sees_numbers(estimator) else table


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
    # Weights are for everything that takes them, as is documented: no request is waited for.
    with config_context(enable_metadata_routing=False):
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
