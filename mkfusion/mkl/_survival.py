"""Multiple kernel learning for times of events, some of which were not seen."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._survival import breslow, concordance, cumulative_hazards
from mkfusion._types import Floats
from mkfusion.data import read_survival, read_weights
from mkfusion.mkl._base import CACHE_SIZE, BaseMKL
from mkfusion.mkl._validation import Training, checked
from mkfusion.solvers import Cox, Loss, MKLResult
from mkfusion.stack import training_stack


class MKLSurvivalAnalysis(BaseMKL):
    """Cox's proportional hazards on a weighted sum of kernels whose weights are learned.

    The hazard of a sample is ``h(t | x) = h_0(t) exp(f(x))`` with ``f = sum_k f_k``. Minimises,
    over non-negative kernel weights d and functions f_k in the space of kernel k,

        1/2 sum_k ||f_k||^2 / d_k - C log(partial likelihood of f)

    subject to ||d||_p <= 1, or, if `lam` is given, with the penalty ``lam / 2 ||d||_p^2`` added
    instead. Both are convex; every fit reports how far it can be from the optimum. Breslow's
    likelihood is taken where events are tied.

    Parameters
    ----------
    C : float, default=1.0
        Positive price of the negative logarithm of the partial likelihood: the smaller, the
        smoother. With one linear kernel, ``1 / C`` is the `alpha` of scikit-survival's
        ``CoxPHSurvivalAnalysis``.
    p : float, default=1.0
        Norm of the kernel weights, in [1, inf]: 1 chooses few kernels, 1 < p < inf weights all of
        them the more evenly the larger it is, ``numpy.inf`` is their unweighted sum.
    lam : float, default=None
        Positive strength of the penalty form, in which the size of the weights is free; None is
        the constraint form.
    tol : float, default=1e-4
        Relative duality gap to reach: the objective is at most this share above the optimum. It is
        smaller than that of other machines, because the partial likelihood of the best function is
        often within a few per cent of that of none.
    max_iter : int, default=200
        Most choices of kernel weights to try before giving up with a warning.
    max_time : float, default=None
        Seconds after which to end with the best weights so far and a warning, about. None is no
        limit.
    cache_size : float, default=2048
        Megabytes for kernels between the samples while these are brought into memory. The linear
        systems of all samples at risk need about ``24 n^2`` bytes whatever this is.
    verbose : bool or int, default=False
        Whether to print the gap after every choice of kernel weights.

    Attributes
    ----------
    weights_ : ndarray of shape (n_kernels,)
        Kernel weights d.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV)
        Dual coefficients: C times the martingale residuals of the samples at risk.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient: all but those censored before the first
        event.
    intercept_ : ndarray of shape (1,)
        Zero: the baseline hazard takes the place of an intercept.
    event_times_ : ndarray of shape (n_times,)
        Different times of events in training, ascending.
    cum_baseline_hazard_ : ndarray of shape (n_times,)
        Breslow's estimate of the cumulative hazard at f = 0, at each of them.
    objective_ : float
        Primal objective value.
    duality_gap_ : float
        Certified duality gap, (primal - dual) / primal, with what rounding may add to it.
    n_iter_ : int
        Choices of kernel weights that were tried.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have to predict.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `max_time` did not suffice, or rounding errors stood in the way, with the
        gap reached.

    See Also
    --------
    MKLRegressor : The same for numbers that all were seen.
    compare_fusion : Does fusing predict survival better than the best single modality?

    Notes
    -----
    In dual variables b, with ``g_k = b' K_k b``, q the conjugate exponent of p, and the risk set
    R_i of all samples whose time is not before that of i, the dual is
    ``-L*(-b) - 1/2 ||g||_q`` with the conjugate L* of
    ``L(f) = C sum_i s_i event_i log(sum_{j in R_i} s_j exp(f_j) / (s_i exp(f_i)))``.
    Because risk sets are nested, the conjugate has a closed form in cumulative sums of b.

    References
    ----------
    Cox, "Regression models and life-tables", JRSS B 34 (1972).

    Li and Luan, "Kernel Cox regression models for linking gene expression profiles to censored
    survival data", Pacific Symposium on Biocomputing 8 (2003).

    Kloft, Brefeld, Sonnenburg and Zien, "lp-norm multiple kernel learning", JMLR 12 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
    >>> from mkfusion import MKLSurvivalAnalysis
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> time, censored = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, size=200)
    >>> y = np.empty(200, dtype=[("event", bool), ("time", float)])
    >>> y["event"], y["time"] = time <= censored, np.minimum(time, censored)
    >>> model = MKLSurvivalAnalysis(C=0.1).fit([linear_kernel(X[:, [k]]) for k in range(2)], y)
    >>> model.weights_.round(2)
    array([1., 0.])
    """

    def __init__(
        self,
        C: float = 1.0,
        p: float = 1.0,
        *,
        lam: float | None = None,
        tol: float = 1e-4,
        max_iter: int = 200,
        max_time: float | None = None,
        cache_size: float = CACHE_SIZE,
        verbose: bool | int = False,
    ) -> None:
        self.C = C
        self.p = p
        self.lam = lam
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.cache_size = cache_size
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn kernel weights and the function on their weighted sum.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : structured array of shape (n,)
            A boolean field, whether there was an event, and a field of numbers, the time of it or
            of when the sample was last seen, as ``sksurv.util.Surv`` makes it.
        sample_weight : array-like of shape (n,), default=None
            Non-negative weight of each sample in the partial likelihood.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, y is no such array or holds no event or a negative
            time, or the kernels are not finite symmetric positive semi-definite matrices between
            the samples that y belongs to.
        """
        return self._fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of the relative hazard: the larger, the earlier the event.

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
            If X has other kernels than in fit, other columns, or cells it cannot take.
        """
        return self._decisions(X)[:, 0]

    def predict_cumulative_hazard_function(self, X: Any, times: Any = None) -> NDArray[np.float64]:
        """Return the cumulative hazard of samples.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.
        times : array-like of shape (n_times,), default=None
            None are `event_times_`.

        Returns
        -------
        ndarray of shape (n_samples, n_times)

        Raises
        ------
        ValueError
            If `times` are not finite numbers in one dimension.
        """
        risk = self.predict(X)
        at = self.event_times_ if times is None else _read_times(times)
        return cumulative_hazards(risk, self.event_times_, self.cum_baseline_hazard_, at)

    def predict_survival_function(self, X: Any, times: Any = None) -> NDArray[np.float64]:
        """Return the probability of samples to have no event up to some times.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.
        times : array-like of shape (n_times,), default=None
            None are `event_times_`.

        Returns
        -------
        ndarray of shape (n_samples, n_times)

        Raises
        ------
        ValueError
            If `times` are not finite numbers in one dimension.
        """
        return np.exp(-self.predict_cumulative_hazard_function(X, times))

    def score(self, X: Any, y: Any) -> float:
        """Return Harrell's concordance index.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.
        y : structured array of shape (n_samples,)
            As for :meth:`fit`.

        Returns
        -------
        float
            0.5 of risks that know nothing, 1 of those in the order of the events; NaN where no two
            samples can be compared.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels than in fit, other columns, or cells it cannot take, or y is no
            survival target of its samples.
        """
        risk = self.predict(X)
        known = read_survival(risk, y, some_events=False)
        return concordance(known.time, known.event, risk)

    def _loss(self, training: Training) -> Loss:
        return Cox()

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Training:
        stack = training_stack(self, X, to_be_checked=True, y=y, sample_weight=sample_weight)
        known = read_survival(stack, y)
        weights = read_weights(sample_weight, stack)
        counted = weights > 0.0
        if not known.event[counted].any():
            raise ValueError(
                "sample_weight leaves no sample with an event; expected at least one with a "
                "positive weight."
            )
        # Ranks are all that the partial likelihood knows of times.
        ranks = 1.0 + np.unique(known.time, return_inverse=True)[1]
        targets = np.where(known.event, ranks, -ranks)
        return Training(
            checked(stack, self._cache()), [targets[np.newaxis]], weights, given=known.structured
        )

    def _keep(self, X: Any, training: Training, results: list[MKLResult]) -> None:
        super()._keep(X, training, results)
        counted = training.weights > 0.0
        assert training.given is not None
        y, f = training.given[counted], results[0].decisions[0][counted]
        self.event_times_, self.cum_baseline_hazard_ = breslow(
            y["time"], y["event"], training.weights[counted], f
        )


def _read_times(times: Any) -> Floats:
    try:
        at = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"times is {shown(times)}; expected numbers.") from error
    if at.ndim != 1 or not np.isfinite(at).all():
        raise ValueError(f"times is {shown(times)}; expected finite numbers in one dimension.")
    return at
