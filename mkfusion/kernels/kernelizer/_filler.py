"""Gaps in tables of numbers, filled before a kernel sees them."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mkfusion._messages import shown
from mkfusion._types import FloatArray
from mkfusion.data import MissingCellsWarning, as_plain, with_numbers

_COLUMNS_SHOWN = 3


class MeanFiller(TransformerMixin, BaseEstimator):
    """Fill missing cells by the mean of their column in training, and say so.

    "auto" puts it before kernels of numbers, with gaps and without, so that a gap changes one
    cell and not the kernel. A column that had no value in training is 0 throughout.

    Attributes
    ----------
    means_ : ndarray of shape (n_features,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Where features have names that are strings.
    """

    means_: FloatArray

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the means of the columns X (n_samples, n_features)."""
        numbers = self._read(X, reset=True)
        present = ~np.isnan(numbers)
        counts = present.sum(axis=0)
        totals = np.where(present, numbers, 0).sum(axis=0, dtype=np.float64)
        self.means_ = (totals / np.maximum(counts, 1)).astype(numbers.dtype)
        self._empty = counts == 0
        return self

    def transform(self, X: Any) -> FloatArray:
        """Return the columns X (n_samples, n_features) without gaps."""
        check_is_fitted(self)
        numbers = self._read(X, reset=False)
        gaps = np.isnan(numbers)
        if gaps.any():
            self._warn(gaps)
            numbers = np.where(gaps, self.means_, numbers)
        if self._empty.any():
            numbers = np.where(self._empty, np.zeros(1, numbers.dtype), numbers)
        return numbers

    def _read(self, X: Any, *, reset: bool) -> FloatArray:
        X = with_numbers(as_plain(X))
        validate_data(self, X, reset=reset, skip_check_array=True)
        if hasattr(X, "columns") and hasattr(X, "sparse"):  # there if all columns are sparse
            X = X.sparse.to_dense()
        numbers: FloatArray = check_array(
            X, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan"
        )
        return numbers

    def _warn(self, gaps: Any) -> None:
        columns = np.flatnonzero(gaps.any(axis=0))
        names = getattr(self, "feature_names_in_", np.arange(gaps.shape[1]))[columns]
        some = shown(names[:_COLUMNS_SHOWN].tolist())
        more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
        warnings.warn(
            f"{gaps.sum()} of {gaps.size} cells are missing (None, NaN), in the columns {some}"
            f"{more}, and were filled by the mean of their column in training; name a kernel to "
            "have them handled otherwise.",
            MissingCellsWarning,
            stacklevel=2,
        )
