"""Multiple kernel learning for regression."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from mkfusion._compat import Interval, StrOptions
from mkfusion.data import read_numbers, read_weights
from mkfusion.mkl._base import CACHE_SIZE, BaseMKL
from mkfusion.mkl._validation import Training, checked
from mkfusion.solvers import Loss, Squared, Tube
from mkfusion.stack import training_stack

# The half-width of the tube, in standard deviations of the targets, if none is given.
_SHARE = 0.1


class MKLRegressor(RegressorMixin, BaseMKL):
    """Regression on a weighted sum of kernels whose weights are learned.

    Minimises, over non-negative kernel weights d, functions f_k in the space of kernel k and an
    intercept b,

        1/2 sum_k ||f_k||^2 / d_k + C sum_i s_i loss(y_i - sum_k f_k(x_i) - b)

    subject to ||d||_p <= 1, or, if `lam` is given, with the penalty ``lam / 2 ||d||_p^2`` added
    instead. Both are convex; every fit reports how far it can be from the optimum.

    Parameters
    ----------
    C : float, default=1.0
        Positive price of the loss: the smaller, the smoother. With the squared error and one
        kernel, ``1 / (2 C)`` is the `alpha` of :class:`sklearn.kernel_ridge.KernelRidge`.
    p : float, default=1.0
        Norm of the kernel weights, in [1, inf]: 1 chooses few kernels, 1 < p < inf weights all of
        them the more evenly the larger it is, ``numpy.inf`` is their unweighted sum.
    epsilon : float, default=0.1
        Non-negative half-width, in units of y, of the tube within which errors cost nothing, 0.1
        as that of :class:`sklearn.svm.SVR`. None is a tenth of the standard deviation of y in
        training, whatever its unit. Not used with the squared error.
    loss : {"epsilon_insensitive", "squared_error"}, default="epsilon_insensitive"
        ``max(0, |error| - epsilon)``, as :class:`sklearn.svm.SVR`, or ``error**2``, which solves a
        linear system of the size of the training set for every choice of weights.
    lam : float, default=None
        Positive strength of the penalty form, in which the size of the weights is free; None is
        the constraint form.
    n_kernels : int, default=None
        Only the best so many kernels, or fewer where these are as good, get weight: `selection_`
        says how sure that is. None allows all. It takes the constraint form.
    tol : float, default=1e-3
        Relative duality gap to reach: the objective is at most this share above the optimum.
    max_iter : int, default=200
        Most choices of kernel weights to try before giving up with a warning.
    max_time : float, default=None
        Seconds after which to end with the best weights so far and a warning, about: a step that
        has begun is not cut short, and checking the kernels does not count. None is no limit.
    cache_size : float, default=2048
        Megabytes for rows of the composite kernel and what is made of them, as in
        :class:`sklearn.svm.SVC`. With less than all rows need (16 n^2 bytes) they come and go.
        The squared loss needs all of them whatever this is.
    verbose : bool or int, default=False
        Whether to print the gap after every choice of kernel weights.

    Attributes
    ----------
    weights_ : ndarray of shape (n_kernels,)
        Kernel weights d.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV)
        Signed dual coefficients of the support vectors.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient; all of them with the squared error.
    intercept_ : ndarray of shape (1,)
        Exact minimiser of the loss.
    objective_ : float
        Primal objective value.
    duality_gap_ : float
        Certified duality gap, (primal - dual) / primal, with what rounding may add to it: relative
        to `objective_`, which is what the optimum is below; 0 if both are zero.
    n_iter_ : int
        Choices of kernel weights that were tried.
    selection_ : Selection
        With `n_kernels`: ``names`` of the chosen kernels, their ``objective``, the ``lower_bound``
        of all choices, the ``gap`` between the two as a share, and ``runners_up`` at most 1 %
        worse; they may be ``complete``.
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
    MKLClassifier : The same for classes.
    sklearn.svm.SVR : The same machine on one kernel.

    Notes
    -----
    In signed dual variables b, with ``g_k = b' K_k b`` and q the conjugate exponent of p, the dual
    is ``y'b - epsilon ||b||_1 - 1/2 ||g||_q`` in the box ``|b_i| <= C s_i``, or
    ``y'b - sum_i b_i^2 / (4 C s_i) - 1/2 ||g||_q``, with ``1'b = 0``.

    References
    ----------
    Kloft, Brefeld, Sonnenburg and Zien, "lp-norm multiple kernel learning", JMLR 12 (2011).

    Cortes, Mohri and Rostamizadeh, "L2 regularization for learning kernels", UAI (2009): the
    squared error.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from mkfusion import MKLRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grams = [rbf_kernel(X[:, [k]], gamma=100) for k in range(X.shape[1])]
    >>> model = MKLRegressor(C=10, p=2, epsilon=10).fit(grams, y)
    >>> model.duality_gap_ <= model.tol
    True
    >>> model.predict(grams).shape
    (442,)
    """

    loss: str | None  # None is for those that choose C

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMKL._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left"), None],
        "n_kernels": [Interval(Integral, 1, None, closed="left"), None],
        "loss": [StrOptions({"epsilon_insensitive", "squared_error"})],
    }

    def __init__(
        self,
        C: float = 1.0,
        p: float = 1.0,
        *,
        epsilon: float | None = 0.1,
        loss: str = "epsilon_insensitive",
        lam: float | None = None,
        n_kernels: int | None = None,
        tol: float = 1e-3,
        max_iter: int = 200,
        max_time: float | None = None,
        cache_size: float = CACHE_SIZE,
        verbose: bool | int = False,
    ) -> None:
        self.C = C
        self.p = p
        self.epsilon = epsilon
        self.loss = loss
        self.lam = lam
        self.n_kernels = n_kernels
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.cache_size = cache_size
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn kernel weights and the machine on their weighted sum.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Targets.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y belongs to.
        """
        return self._fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted targets.

        Reads, or computes, only the kernels with weight, between the samples and the support
        vectors.

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

    def _loss(self, training: Training) -> Loss:
        if self.loss == "squared_error":
            return Squared()
        return Tube(_SHARE * _deviation(training) if self.epsilon is None else float(self.epsilon))

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Training:
        stack = training_stack(self, X, to_be_checked=True, y=y, sample_weight=sample_weight)
        y = read_numbers(stack, y)
        weights = read_weights(sample_weight, stack)
        return Training(checked(stack, self._cache()), [y[np.newaxis]], weights, given=y)


def _deviation(training: Training) -> float:
    """Return the standard deviation of the targets, each counted as often as its weight says."""
    ((y,),), weights = training.groups, training.weights
    largest = float(np.abs(y).max()) or 1.0  # squares of what is divided by it cannot overflow
    shares = y / largest
    centred = shares - np.average(shares, weights=weights)
    return largest * float(np.sqrt(np.average(centred**2, weights=weights)))
