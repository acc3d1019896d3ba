"""What the estimators of this package accept as kernels, labels and weights of samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from mkfusion.kernels import KernelStack
from mkfusion.kernels._dense_storage import is_matrix_of_lists

_MATRIX = (np.float64, np.float32)

# Kernels on demand are computed once and kept if they are not larger than this.
IN_MEMORY_BYTES = 2**31


class Training(NamedTuple):
    """What a classifier learns from.

    Attributes
    ----------
    stack : KernelStack
        Checked Gram matrices, in memory unless they are very large.
    classes : ndarray of shape (n_classes,)
    groups : list of ndarray of shape (n_tasks, n)
        Signs of the one-versus-rest problems that share kernel weights.
    weights : ndarray of shape (n,)
        Factors of C.
    """

    stack: KernelStack
    classes: NDArray[Any]
    groups: list[NDArray[np.float64]]
    weights: NDArray[np.float64]


def prepare(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Training:
    """Check the training samples of a classifier, and leave it as it is."""
    from mkfusion.solvers import MANY_KERNELS, one_blas_thread

    stack = training_stack(estimator, X)
    classes, codes = check_labels(stack, y)
    weights = sample_weights(estimator.class_weight, sample_weight, stack, classes, codes)
    positive = np.arange(len(classes)) if len(classes) > 2 else np.array([1])
    signs = np.where(codes == positive[:, np.newaxis], 1.0, -1.0)
    small = stack.dtype.itemsize * np.prod(stack.shape) <= IN_MEMORY_BYTES
    if small and stack.shape[2] <= MANY_KERNELS:
        # The solver reads rows of these many times; of more kernels it sees a few whole passes.
        stack = stack.materialize()
    with one_blas_thread():
        stack.check_gram("X")
    groups = [row[np.newaxis] for row in signs] if estimator.per_class_weights else [signs]
    return Training(stack, classes, groups, weights)


def training_stack(estimator: Any, X: Any) -> KernelStack:
    """Return square kernels of the training samples; that they are Gram matrices is not checked.

    Leaves `estimator` as it is: what is refused must not change a fitted model.
    """
    if is_several(X):
        stack = _as_stack(X)
    else:
        gram = check_array(X, dtype=_MATRIX, estimator=estimator, input_name="X")
        stack = KernelStack._from_grams(gram, None, "X")
    if stack.shape[0] != stack.shape[1]:
        stack.check_gram("X")  # says so before anything is computed
    return stack


def prediction_stack(estimator: Any, X: Any, n_train: int, names: list[str]) -> KernelStack:
    """Return kernels between new samples and the `n_train` training samples."""
    if is_several(X):
        stack = _as_stack(X)
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


def check_labels(X: KernelStack, y: Any) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes (n_classes,) and each sample's position among them (n,)."""
    if y is None:
        raise ValueError(
            "y: expected class labels; requires y to be passed, but the target y is None."
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_consistent_length(X, y)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes[0]!r}; expected at least two classes.")
    return classes, codes


def sample_weights(
    class_weight: Any,
    sample_weight: Any,
    X: KernelStack,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the factor (n,) of C for each sample."""
    per_class = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    if not np.all(np.isfinite(per_class) & (per_class >= 0)):
        raise ValueError(
            f"class_weight gives the weights {per_class.tolist()}; expected finite non-negative "
            "numbers."
        )
    try:
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"sample_weight is not one weight for each sample: {error}") from error
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight contains {weights.min():.6g}; expected non-negative numbers."
        )
    product: NDArray[np.float64] = per_class[codes] * weights
    counted = np.unique(codes[product > 0])
    if len(counted) < len(classes):
        missing = [c for k, c in enumerate(classes.tolist()) if k not in counted]
        raise ValueError(
            f"sample_weight and class_weight leave no sample of the class(es) {missing}; expected "
            "at least one sample with positive weight in each class."
        )
    return product


def is_several(X: Any) -> bool:
    """Whether X holds several kernels (or one in a list), not one matrix."""
    if isinstance(X, KernelStack):
        return True
    if isinstance(X, dict) and not issparse(X):  # a sparse matrix may be a dict
        raise TypeError(
            f"X is a {type(X).__name__}; expected a list of Gram matrices, or "
            "KernelStack(list(kernels.values()), names=list(kernels))."
        )
    if isinstance(X, list | tuple):
        return len(X) == 0 or not is_matrix_of_lists(X)
    return isinstance(X, np.ndarray) and X.ndim == 3


def _as_stack(X: Any) -> KernelStack:
    return X if isinstance(X, KernelStack) else KernelStack._from_grams(X, None, "X")


def _shortened(names: list[str], most: int = 6) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"[{shown}, ...]" if len(names) > most else f"[{shown}]"
