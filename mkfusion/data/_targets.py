"""Class labels, checked alike by all that learn from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, column_or_1d


def read_labels(
    X: Any, y: Any, wanted: str = "at least two classes"
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]:
    """Return labels, the classes, and each sample's position among them.

    Parameters
    ----------
    X : samples
        Of which there must be as many.
    y : array-like of shape (n_samples,)
    wanted : str, default="at least two classes"
        What to say is expected where there is one class.

    Returns
    -------
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are no labels, not as many as samples, or of one class.
    """
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
        raise ValueError(f"y has one class, {classes[0]!r}; expected {wanted}.")
    return y, classes, codes
