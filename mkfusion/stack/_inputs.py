"""What estimators on kernels accept in place of a stack."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from mkfusion.stack._dense import is_matrix_of_lists, refuse_masked, refuse_no_kernels
from mkfusion.stack._labels import check_columns, check_training, ids_of_columns
from mkfusion.stack._stack import KernelStack, as_stack

_MATRIX = (np.float64, np.float32)
# Where a fitted estimator keeps the ids of its training samples, if its kernels were DataFrames.
_IDS = "_training_ids"
# More names than these are not listed.
_MOST_NAMES = 6


def remember_input(estimator: Any, X: Any, n_train: int) -> None:
    """Set what scikit-learn wants to know of training kernels: n_features_in_ and, maybe, names."""
    ids = ids_of_columns(X)
    if is_several(X):
        estimator.n_features_in_ = n_train
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    else:
        validate_data(estimator, X, skip_check_array=True)  # may refuse names of columns
    if ids is None:
        vars(estimator).pop(_IDS, None)
    else:
        setattr(estimator, _IDS, ids)


def training_stack(
    estimator: Any, X: Any, *, to_be_checked: bool = False, **others: Any
) -> KernelStack:
    """Return square kernels of the training samples; that they are Gram matrices is not checked.

    Leaves `estimator` as it is: what is refused must not change a fitted model.

    Parameters
    ----------
    estimator : object
        For messages.
    X : list of Gram matrices, ndarray, KernelStack or one Gram matrix
    to_be_checked : bool, default=False
        Whether the caller calls `check_gram` before anything else, and for what a fit tells of
        arrays `check_gram_closely`: arrays are then not read here, and only once there.
    **others : Series, array-like or None
        Targets, weights, ... by their names: where these, and X, are of pandas, rows must have the
        same labels.
    """
    check_training(X, **others)
    if not is_several(X):
        X = check_array(X, dtype=_MATRIX, estimator=estimator, input_name="X")
    stack = as_stack(X, None, "X", hasty=to_be_checked)
    if stack.shape[0] != stack.shape[1]:
        stack.check_gram("X")  # says so before anything is computed
    return stack


def prediction_stack(estimator: Any, X: Any, n_train: int, names: list[str]) -> KernelStack:
    """Return kernels between new samples and the `n_train` training samples."""
    ids = vars(estimator).get(_IDS)
    if ids is not None:
        check_columns(X, ids)
    if is_several(X):
        stack = as_stack(X, None, "X")
    else:
        stack = KernelStack(validate_data(estimator, X, reset=False, dtype=_MATRIX))
    n_rows, n_cols, n_kernels = stack.shape
    if n_kernels != len(names):
        raise ValueError(
            f"X has {n_kernels} kernels (shape {stack.shape}); expected the {len(names)} kernels "
            f"of fit: {_shortened(names)}."
        )
    if n_cols != n_train:
        raise ValueError(
            f"X has {n_cols} columns (shape {stack.shape}), but {type(estimator).__name__} was "
            f"fitted with {n_train} training samples; expected one column for each of them."
        )
    generic = [f"kernel{k}" for k in range(n_kernels)]
    if stack.names != names and generic not in (stack.names, names):
        raise ValueError(
            f"X has the kernels {_shortened(stack.names)}; expected those of fit in their order: "
            f"{_shortened(names)}."
        )
    return stack


def is_several(X: Any) -> bool:
    """Whether X holds several kernels (or one in a list), not one matrix."""
    if isinstance(X, KernelStack):
        return True
    if isinstance(X, dict) and not issparse(X):  # a sparse matrix may be a dict
        raise TypeError(
            f"X is a {type(X).__name__}; expected a list of Gram matrices, or "
            "KernelStack(list(kernels.values()), names=list(kernels))."
        )
    refuse_masked(X, "X")
    refuse_no_kernels(X, "X")
    if isinstance(X, list | tuple):
        return len(X) == 0 or not is_matrix_of_lists(X)
    return isinstance(X, np.ndarray) and X.ndim == 3


def _shortened(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MOST_NAMES])
    return f"[{shown}, ...]" if len(names) > _MOST_NAMES else f"[{shown}]"
