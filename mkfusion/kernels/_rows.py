"""Kernels between rows of numbers: their base class, and those of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics.pairwise import (
    additive_chi2_kernel,
    chi2_kernel,
    cosine_similarity,
    laplacian_kernel,
    linear_kernel,
    manhattan_distances,
    polynomial_kernel,
    rbf_kernel,
)
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import validate_data

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.data import as_plain, with_numbers
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._parameters import check_number, learn_gamma, squared_distances


class FeatureKernel(Kernel):
    """A kernel between rows of numbers: the base class of these.

    It sees to that samples are finite numbers, float32 or float64, with as many features as in
    `fit`; dates and durations are days. A subclass must write

    ``_evaluate(samples, others=None)``
        Return the values between rows: a new array (n_samples, n_others), of the samples' dtype
        where that is easy. `samples` and `others` are arrays (n_samples, n_features) and (n_others,
        n_features), or CSR matrices if sparse input is accepted; ``others=None`` stands for
        `samples`.

    and may write what :class:`Kernel` lists, above all

    ``_learn(samples)``
        Check the parameters, and learn from the training samples (n_samples, n_features).
    ``_diagonal(samples)``
        Return k(x, x): an array (n_samples,) of float64.
    ``_is_psd()``
        Return whether theory makes every Gram matrix positive semi-definite.

    and these attributes of the class:

    ``_accept_sparse`` = False
        Whether sparse matrices are accepted.
    ``_accept_large_sparse`` = True
        Whether they may have 64-bit indices. If not, those that fit are made 32-bit ones.
    ``_positive_only`` = False
        Whether negative numbers are refused.

    See Also
    --------
    Kernel : The base class of all kernels.
    mkfusion.testing.check_kernel : Whether a kernel keeps what is said here.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import FeatureKernel
    >>> from scipy.spatial.distance import cdist
    >>> class RationalQuadraticKernel(FeatureKernel):
    ...     def __init__(self, scale=1.0):
    ...         self.scale = scale
    ...
    ...     def _evaluate(self, samples, others=None):
    ...         others = samples if others is None else others
    ...         return 1 / (1 + cdist(samples, others, "sqeuclidean") / self.scale)
    ...
    ...     def _is_psd(self):
    ...         return True
    >>> kernel = RationalQuadraticKernel(scale=2.0).fit([[0.0], [1.0], [2.0]])
    >>> kernel([[0.0], [2.0]]).round(2)
    array([[1.  , 0.33],
           [0.33, 1.  ]])
    >>> kernel([[0.0, 1.0]])
    Traceback (most recent call last):
    ValueError: X has 2 features, but RationalQuadraticKernel is expecting 1 features as input.
    """

    _accept_sparse = False
    _accept_large_sparse = True
    _positive_only = False
    # Whether scikit-learn's loops of it refuse what cannot be written to, as memory maps and the
    # columns of pandas' tables
    _needs_writeable = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.sparse = self._accept_sparse
        tags.input_tags.positive_only = self._positive_only
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        samples = self._validate(X, reset=True)
        self._learn(samples)
        return samples

    def _prepare(self, X: Any) -> Any:
        return self._validate(X, reset=False)

    def _validate(self, X: Any, reset: bool) -> Any:
        X = with_numbers(as_plain(X))
        if issparse(X) and not self._accept_large_sparse:
            X = _with_small_indices(X)
        samples = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr" if self._accept_sparse else False,
            accept_large_sparse=self._accept_large_sparse,
            dtype=(np.float64, np.float32),
            ensure_all_finite="allow-nan",
            force_writeable=self._needs_writeable,
        )
        _refuse_gaps(samples, self)
        if self._positive_only and samples.min() < 0:
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: X contains "
                f"{samples.min():.6g}; expected non-negative features."
            )
        return samples


def _refuse_gaps(samples: Any, kernel: FeatureKernel) -> None:
    cells = samples.data if issparse(samples) else samples
    with np.errstate(all="ignore"):
        # A NaN survives the sum, and nothing is copied.
        if not np.isnan(cells.sum(dtype=np.float64)):
            return
    count = int(np.isnan(cells).sum())
    if not count:
        return
    where = ""
    if not issparse(samples):
        row, column = np.argwhere(np.isnan(samples))[0]
        name = getattr(kernel, "feature_names_in_", range(samples.shape[1]))[column]
        where = f", the first in row {row} of column {shown(name)}"
    raise ValueError(
        f"Input X contains NaN: {count} missing cells{where}; {type(kernel).__name__} expects "
        'none. Fill them, as "auto" in a ColumnKernelizer and make_pipeline(SimpleImputer(), '
        f"StandardScaler(), {type(kernel).__name__}()) do, or take ClinicalKernel, which has an "
        "answer for them."
    )


def _with_small_indices(X: Any) -> Any:
    """Return a sparse matrix with 32-bit indices if they suffice; SciPy often chooses others."""
    rows = X.tocsr()
    if rows.indices.dtype == np.int32 or max(*rows.shape, rows.nnz) > np.iinfo(np.int32).max:
        return X
    small = (rows.data, rows.indices.astype(np.int32), rows.indptr.astype(np.int32))
    return type(rows)(small, shape=rows.shape)


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

    _accept_sparse = True

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return linear_kernel(samples, others, dense_output=True)

    def _features(self, samples: Any) -> Any:
        return samples

    def _diagonal(self, samples: Any) -> Floats:
        return _squared_norms(samples)

    def _is_psd(self) -> bool:
        return True


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

    _accept_sparse = True

    def __init__(self, degree: int = 3, gamma: float | str | None = None, coef0: float = 1) -> None:
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    def _learn(self, samples: Any) -> None:
        degree = check_number(self.degree, "degree", positive=True)
        if degree != int(degree):
            raise ValueError(f"degree is {shown(self.degree)}; expected a positive integer.")
        check_number(self.coef0, "coef0")
        self.gamma_ = learn_gamma(self.gamma, samples)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return polynomial_kernel(
            samples, others, degree=self.degree, gamma=self.gamma_, coef0=self.coef0
        )

    def _diagonal(self, samples: Any) -> Floats:
        return (self.gamma_ * _squared_norms(samples) + self.coef0) ** self.degree

    def _is_psd(self) -> bool:
        return True


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

    _accept_sparse = True

    def __init__(self, gamma: float | str | None = "median") -> None:
        self.gamma = gamma

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, squared_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return rbf_kernel(samples, others, gamma=self.gamma_)

    def _gaussian(self, samples: Any) -> tuple[FloatArray, float] | None:
        # What a subclass evaluates may be something else.
        as_here = type(self)._evaluate is RBFKernel._evaluate
        return None if issparse(samples) or not as_here else (samples, self.gamma_)

    def _diagonal(self, samples: Any) -> Floats:
        return np.ones(samples.shape[0])

    def _is_psd(self) -> bool:
        return True


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

    _accept_sparse = True
    _accept_large_sparse = False  # nor does manhattan_distances

    def __init__(self, gamma: float | str | None = "median") -> None:
        self.gamma = gamma

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, manhattan_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return _in_precision_of(samples, laplacian_kernel(samples, others, gamma=self.gamma_))

    def _diagonal(self, samples: Any) -> Floats:
        return np.ones(samples.shape[0])

    def _is_psd(self) -> bool:
        return True


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
    _positive_only = True
    _needs_writeable = True

    def __init__(self, gamma: float | str | None = 1.0) -> None:
        self.gamma = gamma

    def _learn(self, samples: Any) -> None:
        self.gamma_ = learn_gamma(self.gamma, samples, _chi2_distances)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return chi2_kernel(samples, others, gamma=self.gamma_)

    def _diagonal(self, samples: Any) -> Floats:
        return np.ones(samples.shape[0])

    def _is_psd(self) -> bool:
        return True


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

    _accept_sparse = True

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return cosine_similarity(samples, others, dense_output=True)

    def _features(self, samples: Any) -> Any:
        return normalize(samples)

    def _diagonal(self, samples: Any) -> Floats:
        return (_squared_norms(samples) > 0).astype(np.float64)

    def _is_psd(self) -> bool:
        return True


def _squared_norms(samples: Any) -> Floats:
    return row_norms(samples, squared=True).astype(np.float64)


def _chi2_distances(samples: Any) -> FloatArray:
    return -additive_chi2_kernel(samples)


def _in_precision_of(samples: Any, values: FloatArray) -> FloatArray:
    return values.astype(samples.dtype, copy=False)
