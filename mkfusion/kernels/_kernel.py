"""What a kernel is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel as GPKernel
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import clone_parametrized, is_fitted, num_samples
from mkfusion._types import FloatArray


class Kernel(BaseEstimator, GPKernel):
    """A similarity between samples, as a scikit-learn estimator.

    `fit` learns what depends on data, calling the kernel gives the Gram matrix, and `diag` its
    diagonal.

    It is a kernel of :mod:`sklearn.gaussian_process.kernels` too, for what scikit-learn does with
    these only: call them with whole collections of samples, where any other function is called for
    each pair of samples. So `KernelRidge`, `KernelPCA`, `SpectralClustering`, `Nystroem` and
    Gaussian processes take it, as `SVC` and `SVR` do.

    Subclasses say how samples are prepared (validated, transformed) and what is computed from
    prepared ones. The two are apart because a :class:`~mkfusion.KernelStack` prepares samples once
    and evaluates many blocks between some of them.
    """

    # NumPy leaves `numpy.float64(2.0) * kernel` to the kernel.
    __array_ufunc__ = None
    # Equal is what is the same object, as among estimators, not what has the same parameters, as
    # among Gaussian-process kernels: arrays as parameters compare neither true nor false.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

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

    def _features(self, samples: Any) -> Any:
        """Return explicit features (n_samples, r) whose inner products are the kernel, or None.

        Of prepared samples: an array or a CSR matrix. Not modified by who asks.
        """
        return None

    def _has_own_noise(self) -> bool:
        """Whether k(x, x) is larger for one sample than for two equal ones."""
        return False

    def _gradient(self, samples: Any) -> NDArray[np.float64]:
        """Return the derivatives (n, n, n_dims) by `theta`, between prepared samples."""
        n_samples = num_samples(samples)
        return np.empty((n_samples, n_samples, 0))

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
        self.__dict__.pop("_fresh", None)
        self._fit_prepare(X, y)
        return self

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the Gram matrix between samples.

        A kernel that is not fitted learns from the samples of the columns, for this call only. That
        is what kernel machines need: ``SVC(kernel=kernel)`` asks for ``kernel(X_train, X_train)``
        in `fit` and for ``kernel(X_test, X_train)`` in `predict`. Fit the kernel before where a
        machine asks for some of the columns at a time, as `KernelPCA` does with `n_jobs`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples_X, n_features)
            Samples of the rows.
        Y : array-like or sparse matrix of shape (n_samples_Y, n_features), default=None
            Samples of the columns; X by default.
        eval_gradient : bool, default=False
            Whether to return the derivatives by `theta` too, as Gaussian processes ask for.

        Returns
        -------
        gram : ndarray of shape (n_samples_X, n_samples_Y)
        gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if `eval_gradient`.
        """
        if eval_gradient and Y is not None:
            raise ValueError("eval_gradient is True; expected no Y then.")
        # A Gaussian process clones its kernel and calls the clone with the training samples first.
        # Later it asks for k(test, train), k(train, test) or the diagonal at test samples, which do
        # not tell what to learn from: such a clone stays fitted. No other machine begins like this.
        keep = self.__dict__.pop("_fresh", False) and Y is None
        if is_fitted(self):
            kernel, prepare = self, self._prepare
        else:
            kernel = self if keep else clone(self)
            prepare = kernel._fit_prepare
        columns = prepare(X if Y is None else Y)
        if Y is not None:
            return kernel._evaluate(columns if X is Y else kernel._prepare(X), columns)
        gram = kernel._evaluate(columns)
        return (gram, kernel._gradient(columns)) if eval_gradient else gram

    def __sklearn_clone__(self) -> Self:
        copy: Self = clone_parametrized(self)
        copy._fresh = True
        return copy

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

    def is_stationary(self) -> bool:
        """Return whether k(x, z) is known to depend on x - z only: no.

        Returns
        -------
        bool
        """
        return False

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """What a Gaussian process may learn by the marginal likelihood: nothing."""
        return []

    @property
    def requires_vector_input(self) -> bool:
        """Whether samples are rows of a table."""
        tags = get_tags(self)
        return bool(tags.input_tags.two_d_array and not tags.no_validation)

    def on(self, columns: Any) -> Kernel:
        """Return the kernel of some columns, or of a modality, of the samples.

        ``RBFKernel().on("accel") * LinearKernel().on("gyro")`` is a kernel of whole samples that
        have these modalities.

        Parameters
        ----------
        columns : str, int, list, slice, boolean mask or callable
            For `Modalities`, the name of one. Otherwise as in
            :class:`sklearn.compose.ColumnTransformer`.

        Returns
        -------
        Kernel
            Not fitted.
        """
        from mkfusion.kernels._compose import BoundKernel

        return BoundKernel(self, columns)

    def __add__(self, other: Any) -> Any:
        from mkfusion.kernels._compose import add

        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        from mkfusion.kernels._compose import add

        return add(other, self)

    def __mul__(self, other: Any) -> Any:
        from mkfusion.kernels._compose import multiply

        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        from mkfusion.kernels._compose import multiply

        return multiply(other, self)

    def __pow__(self, exponent: Any) -> Kernel:
        from mkfusion.kernels._compose import PowerKernel, check_exponent

        return PowerKernel(self, check_exponent(exponent))
