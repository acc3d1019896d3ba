"""What a kernel is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mkfusion.kernels._storage import FloatArray

__all__ = ["Kernel"]


class Kernel(BaseEstimator, ABC):
    """A similarity between samples, as a scikit-learn estimator.

    `fit` learns what depends on data, calling the kernel gives the Gram matrix, and `diag` its
    diagonal.

    Subclasses say how samples are prepared (validated, transformed) and what is computed from
    prepared ones. The two are apart because a :class:`~mkfusion.KernelStack` prepares samples once
    and evaluates many blocks between some of them.
    """

    @abstractmethod
    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        """Fit, and return the prepared training samples."""

    @abstractmethod
    def _prepare(self, X: Any) -> Any:
        """Return prepared samples, which scikit-learn can index."""

    @abstractmethod
    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        """Return a new array (n_samples, n_others) between prepared samples."""

    @abstractmethod
    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        """Return k(x, x) (n_samples,) of prepared samples."""

    @abstractmethod
    def _label(self) -> str:
        """Return a short readable name, with the parameters that are not the default."""

    def _is_psd(self) -> bool:
        """Whether theory makes every Gram matrix of the fitted kernel positive semi-definite."""
        return False

    def _has_own_noise(self) -> bool:
        """Whether k(x, x) is larger for one sample than for two equal ones."""
        return False

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what depends on data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted kernel.
        """
        self._fit_prepare(X, y)
        return self

    def __call__(self, X: Any, Y: Any = None) -> FloatArray:
        """Return the Gram matrix between samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples_X, n_features)
            Samples of the rows.
        Y : array-like or sparse matrix of shape (n_samples_Y, n_features), default=None
            Samples of the columns; X by default.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples_Y)
        """
        check_is_fitted(self)
        return self._evaluate(self._prepare(X), None if Y is None else self._prepare(Y))

    def diag(self, X: Any) -> NDArray[np.float64]:
        """Return the diagonal of ``kernel(X)`` without the rest of it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        check_is_fitted(self)
        return self._diagonal(self._prepare(X))
