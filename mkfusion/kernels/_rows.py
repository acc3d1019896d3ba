"""Kernels between rows of numbers, computed by :mod:`sklearn.metrics.pairwise`."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.metrics.pairwise import (
    additive_chi2_kernel,
    chi2_kernel,
    cosine_similarity,
    euclidean_distances,
    laplacian_kernel,
    linear_kernel,
    manhattan_distances,
    polynomial_kernel,
    rbf_kernel,
)
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import validate_data

from mkfusion._types import FloatArray
from mkfusion.kernels._kernel import Kernel

# The median of this many samples' distances is within a few percent of that of all.
MEDIAN_SAMPLES = 1000


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """Refuse anything but a finite non-negative (or positive) number."""
    kind = "positive" if positive else "non-negative"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; expected a {kind} number.")
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        raise ValueError(f"{name} is {value!r}; expected a {kind} number.")
    return float(value)


def learn_gamma(
    gamma: Any, samples: Any, distances: Callable[[Any], NDArray[Any]] | None = None
) -> float:
    """Turn the parameter `gamma` into a number.

    Parameters
    ----------
    gamma : float, {"scale", "median"} or None
        "scale" is 1 / (n_features * variance), as in :class:`sklearn.svm.SVC`; "median" is 1 / the
        median distance; None is 1 / n_features, as in :mod:`sklearn.metrics.pairwise`.
    samples : array or sparse matrix of shape (n_samples, n_features)
        Training samples.
    distances : callable, default=None
        From samples to the distances (n_samples, n_samples) that gamma multiplies; without it
        "median" is not offered.

    Returns
    -------
    float
    """
    offered = ['"scale"', '"median"', "None"] if distances else ['"scale"', "None"]
    if gamma is None:
        return 1.0 / samples.shape[1]
    if isinstance(gamma, str):
        if gamma == "scale":
            variance = _variance(samples)
            return 1.0 / (samples.shape[1] * variance) if variance > 0 else 1.0
        if gamma == "median" and distances:
            return median_heuristic(samples, distances)
        raise ValueError(f"gamma is {gamma!r}; expected a positive number, {', '.join(offered)}.")
    return check_number(gamma, "gamma", positive=True)


def median_heuristic(samples: Any, distances: Callable[[Any], NDArray[Any]]) -> float:
    """Return 1 / the median distance between two different samples.

    Where more than half of the distances are 0, the median of the others; 1 if all are. From more
    than ``MEDIAN_SAMPLES`` samples, as many are chosen evenly along a fixed direction: a choice
    that depends on the samples and not on their order, so that gamma does not either.

    Parameters
    ----------
    samples : array or sparse matrix of shape (n_samples, n_features)
    distances : callable
        From samples to their distances (n_samples, n_samples).

    Returns
    -------
    float
    """
    n_samples, n_features = samples.shape
    if n_samples > MEDIAN_SAMPLES:
        # A direction with incommensurable entries: hardly two different samples tie.
        direction = np.cos(np.arange(1, n_features + 1))
        order = np.argsort(samples @ direction, kind="stable")
        chosen = np.linspace(0, n_samples - 1, MEDIAN_SAMPLES).astype(np.intp)
        samples = samples[order[chosen]]
    pairs = distances(samples)[np.triu_indices(samples.shape[0], k=1)]
    median = float(np.median(pairs)) if len(pairs) else 0.0
    if median == 0.0:
        positive = pairs[pairs > 0]
        median = float(np.median(positive)) if len(positive) else 1.0
    return 1.0 / median


def _variance(samples: Any) -> float:
    """Return the variance over all entries, as ``X.var()``."""
    if issparse(samples):
        mean = samples.mean()
        return float(samples.multiply(samples).mean() - mean * mean)
    return float(samples.var(dtype=np.float64))


class FeatureKernel(Kernel):
    """A kernel between rows of numbers."""

    _name: str
    _accept_sparse = True
    _accept_large_sparse = True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._accept_sparse
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        before = vars(self).copy()
        try:
            samples = self._validate(X, reset=True)
            self._learn(samples)
        except (TypeError, ValueError):
            self.__dict__ = before  # a fit that fails leaves nothing behind
            raise
        return samples

    def _prepare(self, X: Any) -> Any:
        return self._validate(X, reset=False)

    def _validate(self, X: Any, reset: bool) -> Any:
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if self._accept_sparse else False,
            accept_large_sparse=self._accept_large_sparse,
            dtype=(np.float64, np.float32),
        )

    def _learn(self, samples: Any) -> None:
        """Check the parameters and learn from training samples."""

    def _is_psd(self) -> bool:
        return True

    def _label(self) -> str:
        return short_label(self, self._name)


class LinearKernel(FeatureKernel):
    """The linear kernel, k(x, z) = x'z.

    See Also
    --------
    sklearn.metrics.pairwise.linear_kernel

    Examples
    --------
    >>> from mkfusion import LinearKernel
    >>> LinearKernel().fit([[1.0, 2.0]])([[1.0, 2.0], [0.0, 1.0]])
    array([[5., 2.],
           [2., 1.]])
    """

    _name = "linear"

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return linear_kernel(samples, others, dense_output=True)

    def _features(self, samples: Any) -> Any:
        return samples

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return _squared_norms(samples)


class PolynomialKernel(FeatureKernel):
    """The polynomial kernel, k(x, z) = (gamma x'z + coef0)^degree.

    Parameters
    ----------
    degree : int, default=3
        Positive.
    gamma : float, "scale" or None, default=None
        Positive; "scale" is 1 / (n_features * variance of the training samples' entries), None is
        1 / n_features.
    coef0 : float, default=1
        Non-negative: the kernel is positive semi-definite only then.

    Attributes
    ----------
    gamma_ : float
        The number that `gamma` stands for.

    See Also
    --------
    sklearn.metrics.pairwise.polynomial_kernel

    Examples
    --------
    >>> from mkfusion import PolynomialKernel
    >>> PolynomialKernel(degree=2).fit([[1.0], [2.0]])([[1.0], [2.0]])
    array([[ 4.,  9.],
           [ 9., 25.]])
    """

    _name = "polynomial"

    def __init__(self, degree: int = 3, gamma: float | str | None = None, coef0: float = 1) -> None:
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    def _learn(self, samples: Any) -> None:
        degree = check_number(self.degree, "degree", positive=True)
        if degree != int(degree):
            raise ValueError(f"degree is {self.degree!r}; expected a positive integer.")
        check_number(self.coef0, "coef0")
        self.gamma_ = learn_gamma(self.gamma, samples)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return polynomial_kernel(
            samples, others, degree=self.degree, gamma=self.gamma_, coef0=self.coef0
        )

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return (self.gamma_ * _squared_norms(samples) + self.coef0) ** self.degree


class RBFKernel(FeatureKernel):
    """The Gaussian kernel, k(x, z) = exp(-gamma ||x - z||^2).

    Parameters
    ----------
    gamma : float, {"scale", "median"} or None, default="median"
        Positive. "median" is 1 / the median squared distance between two training samples (of at
        most 1000 of them), "scale" 1 / (n_features * variance of the training samples' entries),
        None 1 / n_features.

    Attributes
    ----------
    gamma_ : float
        The number that `gamma` stands for.

    See Also
    --------
    sklearn.metrics.pairwise.rbf_kernel

    Examples
    --------
    >>> from mkfusion import RBFKernel
    >>> kernel = RBFKernel().fit([[0.0], [1.0], [3.0]])
    >>> kernel.gamma_
    0.25
    >>> kernel([[0.0], [2.0]]).round(2)
    array([[1.  , 0.37],
           [0.37, 1.  ]])
    """

    _name = "rbf"

    def __init__(self, gamma: float | str | None = "median") -> None:
        self.gamma = gamma

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, _squared_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return rbf_kernel(samples, others, gamma=self.gamma_)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return np.ones(samples.shape[0])


class LaplacianKernel(FeatureKernel):
    """The Laplacian kernel, k(x, z) = exp(-gamma ||x - z||_1).

    Parameters
    ----------
    gamma : float, {"scale", "median"} or None, default="median"
        Positive. "median" is 1 / the median L1 distance between two training samples (of at most
        1000 of them), "scale" 1 / (n_features * variance of the training samples' entries), None
        1 / n_features.

    Attributes
    ----------
    gamma_ : float
        The number that `gamma` stands for.

    See Also
    --------
    sklearn.metrics.pairwise.laplacian_kernel

    Examples
    --------
    >>> from mkfusion import LaplacianKernel
    >>> LaplacianKernel().fit([[0.0], [1.0], [3.0]]).gamma_
    0.5
    """

    _name = "laplacian"
    _accept_large_sparse = False  # nor does manhattan_distances

    def __init__(self, gamma: float | str | None = "median") -> None:
        self.gamma = gamma

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, manhattan_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return _in_precision_of(samples, laplacian_kernel(samples, others, gamma=self.gamma_))

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return np.ones(samples.shape[0])


class ChiSquaredKernel(FeatureKernel):
    """The exponential chi-squared kernel, exp(-gamma sum_i (x_i - z_i)^2 / (x_i + z_i)).

    For histograms and other non-negative features.

    Parameters
    ----------
    gamma : float, {"scale", "median"} or None, default=1.0
        Positive. "median" is 1 / the median chi-squared distance between two training samples (of
        at most 1000 of them), "scale" 1 / (n_features * variance of the training samples'
        entries), None 1 / n_features.

    Attributes
    ----------
    gamma_ : float
        The number that `gamma` stands for.

    See Also
    --------
    sklearn.metrics.pairwise.chi2_kernel

    Examples
    --------
    >>> from mkfusion import ChiSquaredKernel
    >>> ChiSquaredKernel().fit([[1.0, 0.0]])([[1.0, 0.0], [0.5, 0.5]]).round(2)
    array([[1.  , 0.51],
           [0.51, 1.  ]])
    """

    _name = "chi2"
    _accept_sparse = False

    def __init__(self, gamma: float | str | None = 1.0) -> None:
        self.gamma = gamma

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _validate(self, X: Any, reset: bool) -> Any:
        samples = super()._validate(X, reset)
        if (samples < 0).any():
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: X contains "
                f"{samples.min():.6g}; expected non-negative features."
            )
        return samples

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, _chi2_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return chi2_kernel(samples, others, gamma=self.gamma_)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return np.ones(samples.shape[0])


class CosineKernel(FeatureKernel):
    """The cosine similarity, k(x, z) = x'z / (||x|| ||z||); 0 for samples of zeros.

    See Also
    --------
    sklearn.metrics.pairwise.cosine_similarity

    Examples
    --------
    >>> from mkfusion import CosineKernel
    >>> CosineKernel().fit([[1.0, 0.0]])([[3.0, 0.0], [0.0, 2.0]])
    array([[1., 0.],
           [0., 1.]])
    """

    _name = "cosine"

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return cosine_similarity(samples, others, dense_output=True)

    def _features(self, samples: Any) -> Any:
        return normalize(samples)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return (_squared_norms(samples) > 0).astype(np.float64)


def short_label(kernel: Kernel, name: str) -> str:
    """Return a name with the parameters that are not the default.

    Parameters
    ----------
    kernel : Kernel
        Whose parameters all have a default.
    name : str

    Returns
    -------
    str
    """
    defaults = type(kernel)().get_params()
    shown = [
        f"{key}={float(f'{value:.4g}') if isinstance(value, float) else value}"
        for key, value in kernel.get_params().items()
        if value is not defaults[key] and np.any(value != defaults[key])
    ]
    return f"{name}({', '.join(shown)})" if shown else name


def _squared_norms(samples: Any) -> NDArray[np.float64]:
    return row_norms(samples, squared=True).astype(np.float64)


def _squared_distances(samples: Any) -> FloatArray:
    return euclidean_distances(samples, squared=True)


def _chi2_distances(samples: Any) -> FloatArray:
    return -additive_chi2_kernel(samples)


def _in_precision_of(samples: Any, values: FloatArray) -> FloatArray:
    return values.astype(samples.dtype, copy=False)
