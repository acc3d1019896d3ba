"""Multiple kernel learning for regression, with C and p chosen by cross-validation."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from mkfusion.mkl._base import CACHE_SIZE
from mkfusion.mkl._cross_validation import BaseMKLCV, OfFold, constraints_of_choice
from mkfusion.mkl._regressor import MKLRegressor
from mkfusion.mkl._validation import Training
from mkfusion.solvers import Loss


class _RegressorOfFold(OfFold, MKLRegressor):
    """A regressor of a fold."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, of numbers that are known to be fine.

        Checking them once more takes longer than many a fit on a path.
        """
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        left = float(weights @ (y - self.predict(X)) ** 2)
        spread = float(weights @ (y - np.average(y, weights=weights)) ** 2)
        if len(y) < 2 or not left or not spread:
            return float(super().score(X, y, sample_weight))
        return 1.0 - left / spread


class MKLRegressorCV(BaseMKLCV, MKLRegressor):
    """:class:`MKLRegressor` whose C and p are chosen by cross-validation.

    The choice is that of :class:`sklearn.model_selection.GridSearchCV`, but for ties and scores
    that differ by what `tol` leaves open, at a fraction of the time: see :class:`MKLClassifierCV`.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=9
        Positive values of C, or how many to choose among: then from a tenth of where the machine on
        the unweighted sum of the kernels spans the targets, over four decades, in equal steps of
        the logarithm. With several `ps` each has a grid of its own, because the scale of the sum
        depends on p.
    ps : float or array-like of shape (n_ps,), default=None
        Norms of the kernel weights, at least 1, to choose among; None is 1.
    cv : int, cross-validation splitter or iterable of (train, test), default=None
        As for :class:`sklearn.model_selection.GridSearchCV`, but that a number of folds is drawn by
        `random_state`, whatever order the samples are in, and keeps `groups` together; None is
        five.
    scoring : str or callable, default=None
        As for :class:`sklearn.model_selection.GridSearchCV`; None is R².
    refit : bool, default=True
        Whether to fit to all samples with the best C and p; otherwise there is the choice only.
    epsilon : float, default=None
        As for :class:`MKLRegressor`, with the epsilon-insensitive loss; None is a tenth of the
        standard deviation of y in training. All folds have the same.
    loss : {"epsilon_insensitive", "squared_error"}, default=None
        As for :class:`MKLRegressor`; None is "squared_error", unless `epsilon` is given.
    lam : float, default=None
        As for :class:`MKLRegressor`.
    tol : float, default=1e-3
        Relative duality gap to reach, in every fold too.
    max_iter : int, default=200
        Most choices of kernel weights to try for each fit.
    max_time : float, default=None
        Seconds for each fit, those in which it waits for others not counted, about; None is no
        limit.
    random_state : int, RandomState instance or None, default=0
        Draws the folds if `cv` is a number or None.
    cache_size : float, default=2048
        Megabytes for rows of the composite kernel and what is made of them, as in
        :class:`sklearn.svm.SVC`. With less than all rows need (16 n^2 bytes) they come and go.
        The squared loss needs all of them whatever this is.
    n_jobs : int, default=None
        How many folds may compute at the same time, in threads; passes over the kernels use all
        processors in any case.
    verbose : bool or int, default=False
        Whether to print the score of each C and p, and the gaps of the last fit.

    Attributes
    ----------
    C_ : float
        The best C. Of equal scores the smallest C is taken.
    p_ : float
        The best p; of equal scores at this C the first in `ps`.
    Cs_ : ndarray of shape (n_Cs,), or (n_ps, n_Cs) where each p has its own
        Values of C, as given or from small to large.
    ps_ : ndarray of shape (n_ps,)
        Values of p, as given.
    scores_ : ndarray of shape (n_ps, n_Cs, n_folds)
        Scores of the samples held out.
    best_score_ : float
        Mean score of the best C and p. As the best of several it flatters.
    weights_ : ndarray of shape (n_kernels,)
        Kernel weights d, of the fit to all samples, as all that follows.
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
        Certified duality gap, as that of :class:`MKLRegressor`.
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
        way, in some folds or at last.

    See Also
    --------
    MKLRegressor : The same with C and p given.
    MKLClassifierCV : The same for classes.

    Notes
    -----
    The squared error predicted new samples better than the other loss where defaults were compared.
    It keeps all rows of the composite kernel in memory (16 n^2 bytes), and all samples are support
    vectors: for many samples, or outliers among the targets, there is
    ``loss="epsilon_insensitive"``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from mkfusion import MKLRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grams = [rbf_kernel(X[:, [k]], gamma=100) for k in range(X.shape[1])]
    >>> model = MKLRegressorCV(Cs=[1, 10, 100], ps=2).fit(grams, y)
    >>> model.scores_.shape
    (1, 3, 5)
    >>> model.C_ in model.Cs_ and model.duality_gap_ <= model.tol
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **constraints_of_choice(MKLRegressor),
        "loss": [*MKLRegressor._parameter_constraints["loss"], None],
    }

    def __init__(
        self,
        Cs: Any = 9,
        ps: Any = None,
        *,
        cv: Any = None,
        scoring: Any = None,
        refit: bool = True,
        epsilon: float | None = None,
        loss: str | None = None,
        lam: float | None = None,
        tol: float = 1e-3,
        max_iter: int = 200,
        max_time: float | None = None,
        random_state: Any = 0,
        cache_size: float = CACHE_SIZE,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.Cs = Cs
        self.ps = ps
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.epsilon = epsilon
        self.loss = loss
        self.lam = lam
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.random_state = random_state
        self.cache_size = cache_size
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, **params: Any
    ) -> Self:
        """Choose C and p, and learn kernel weights and the machine on their weighted sum.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Targets.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample. The score counts it too, if it can; with
            metadata routing enabled, if the scorer asks for it.
        groups : array-like of shape (n,), default=None
            For splitters that keep groups together.
        **params : dict
            Metadata for the splitter and the scorer, if metadata routing is enabled.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y belongs to, `cv` cannot split them,
            or the score cannot be computed.
        """
        return self._fit_cv(X, y, sample_weight, groups, params)

    def _loss(self, training: Training) -> Loss:
        return self._machine(1.0, 1.0, of_fold=False)._loss(training)

    def _machine(self, C: float, p: float, *, of_fold: bool) -> MKLRegressor:
        kind = _RegressorOfFold if of_fold else MKLRegressor
        return kind(
            C,
            p,
            epsilon=self.epsilon,
            loss=self.loss or ("squared_error" if self.epsilon is None else "epsilon_insensitive"),
            lam=self.lam,
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            cache_size=self.cache_size,
            verbose=self.verbose,
        )
