"""Multiple kernel learning of one class."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin

from mkfusion._compat import Interval
from mkfusion.data import read_weights
from mkfusion.mkl._base import CACHE_SIZE, BaseMKL
from mkfusion.mkl._validation import Training, checked
from mkfusion.solvers import Loss, OneClass
from mkfusion.stack import training_stack


class MKLNoveltyDetector(OutlierMixin, BaseMKL):
    """One-class support vector machine on a weighted sum of kernels whose weights are learned.

    Minimises, over non-negative kernel weights d of norm ||d||_p <= 1, functions f_k in the space
    of kernel k and an offset rho,

        1/2 sum_k ||f_k||^2 / d_k + sum_i s_i (max(0, rho - sum_k f_k(x_i)) - nu rho)

    The problem is convex; every fit reports how far it can be from the optimum. Weights go to the
    kernels in which the training samples lie closest together, far from the origin: kernels must be
    of one scale (a :class:`~mkfusion.ColumnKernelizer` makes them so), and a kernel in which all
    samples look alike attracts weight without telling novelties apart. Larger p protects from that.

    Parameters
    ----------
    nu : float, default=0.1
        In (0, 1]: at most this share of the training samples, by weight, are outliers, and at least
        this share are support vectors.
    p : float, default=2.0
        Norm of the kernel weights, in [1, inf]: 1 chooses few kernels, 1 < p < inf weights all of
        them the more evenly the larger it is, ``numpy.inf`` is their unweighted sum.
    tol : float, default=1e-3
        Relative duality gap to reach: the objective is at most this share of its size above the
        optimum.
    max_iter : int, default=200
        Most choices of kernel weights to try before giving up with a warning.
    max_time : float, default=None
        Seconds after which to end with the best weights so far and a warning, about: a step that
        has begun is not cut short, and checking the kernels does not count. None is no limit.
    cache_size : float, default=2048
        Megabytes for rows of the composite kernel and what is made of them, as in
        :class:`sklearn.svm.SVC`. With less than all rows need (16 n^2 bytes) they come and go.
    verbose : bool or int, default=False
        Whether to print the gap after every choice of kernel weights.

    Attributes
    ----------
    weights_ : ndarray of shape (n_kernels,)
        Kernel weights d.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV)
        Dual coefficients of the support vectors; they sum to nu times the samples' weights.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient.
    intercept_ : ndarray of shape (1,)
        Minus the offset.
    offset_ : float
        ``decision_function = score_samples - offset_``.
    objective_ : float
        Primal objective value; negative.
    duality_gap_ : float
        Certified duality gap, (primal - dual) / abs(primal), with what rounding may add to it:
        relative to the size of `objective_`, or to that of rounding errors in it if that is more.
    n_iter_ : int
        Choices of kernel weights that were tried.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have to predict.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `max_time` did not suffice, or rounding errors of the kernels stood in the
        way, with the gap reached.

    See Also
    --------
    sklearn.svm.OneClassSVM : The same machine on one kernel.

    References
    ----------
    Schoelkopf, Platt, Shawe-Taylor, Smola and Williamson, "Estimating the support of a
    high-dimensional distribution", Neural Computation 13 (2001).

    Kloft, Nakajima and Brefeld, "Feature selection for density level-sets", ECML PKDD (2009): its
    kernel weights.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from sklearn.preprocessing import scale
    >>> from mkfusion import MKLNoveltyDetector
    >>> X, y = load_wine(return_X_y=True)
    >>> X = scale(X)
    >>> known = X[y == 0]
    >>> parts = slice(6), slice(6, 13)
    >>> grams = [rbf_kernel(known[:, part], gamma=0.1) for part in parts]
    >>> model = MKLNoveltyDetector(nu=0.1).fit(grams)
    >>> others = X[y == 2]
    >>> tests = [rbf_kernel(others[:, part], known[:, part], 0.1) for part in parts]
    >>> float((model.predict(tests) == -1).mean())
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{k: v for k, v in BaseMKL._parameter_constraints.items() if k not in ("C", "lam")},
        "nu": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        nu: float = 0.1,
        p: float = 2.0,
        *,
        tol: float = 1e-3,
        max_iter: int = 200,
        max_time: float | None = None,
        cache_size: float = CACHE_SIZE,
        verbose: bool | int = False,
    ) -> None:
        self.nu = nu
        self.p = p
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.cache_size = cache_size
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn kernel weights and the machine on their weighted sum.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : None
            Ignored.
        sample_weight : array-like of shape (n,), default=None
            Non-negative weight of each sample.

        Returns
        -------
        self : object
            Fitted detector.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or the kernels are not finite symmetric positive
            semi-definite matrices.
        """
        self._fit(X, y, sample_weight)
        self.offset_ = -float(self.intercept_[0])
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return how close samples are to the training samples, before the offset.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self.decision_function(X) + self.offset_

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how far samples lie inside the class; negative for novelties.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._decisions(X)[:, 0]

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Return 1 for samples of the class, -1 for novelties.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def _loss(self, training: Training) -> Loss:

        return OneClass(float(self.nu))

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Training:
        stack = training_stack(self, X, to_be_checked=True, sample_weight=sample_weight)
        weights = read_weights(sample_weight, stack)
        return Training(checked(stack, self._cache()), [np.zeros((1, stack.shape[0]))], weights)
