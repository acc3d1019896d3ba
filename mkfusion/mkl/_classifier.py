"""Multiple kernel learning for classification."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from mkfusion._compat import Interval, Options
from mkfusion.data import labels_from_decisions, read_labels
from mkfusion.mkl._base import CACHE_SIZE, BaseMKL
from mkfusion.mkl._validation import Training, checked, class_weights
from mkfusion.solvers import Hinge, Loss, MKLResult
from mkfusion.stack import training_stack


class MKLClassifier(ClassifierMixin, BaseMKL):
    """Support vector machine on a weighted sum of kernels whose weights are learned.

    Minimises, over non-negative kernel weights d, functions f_k in the space of kernel k and an
    intercept b,

        1/2 sum_k ||f_k||^2 / d_k + C sum_i s_i max(0, 1 - y_i (sum_k f_k(x_i) + b))

    subject to ||d||_p <= 1, or, if `lam` is given, with the penalty ``lam / 2 ||d||_p^2`` added
    instead. Both are convex; every fit reports how far it can be from the optimum.

    Parameters
    ----------
    C : float, default=1.0
        Positive price of the hinge loss: the smaller, the smoother. It acts on the composite
        kernel, whose scale depends on p: more kernels at p > 1 make a larger sum.
    p : float, default=1.0
        Norm of the kernel weights, in [1, inf]: 1 chooses few kernels, 1 < p < inf weights all of
        them the more evenly the larger it is, ``numpy.inf`` is their unweighted sum.
    lam : float, default=None
        Positive strength of the penalty form, in which the size of the weights is free; None is
        the constraint form.
    per_class_weights : bool, default=False
        With more than two classes, whether each one-versus-rest problem learns weights of its own
        instead of all sharing one vector.
    class_weight : dict or "balanced", default=None
        Factor of C for each class, as in :class:`sklearn.svm.SVC`.
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
    n_jobs : int, default=None
        Threads that solve one-versus-rest problems with `per_class_weights`.
    verbose : bool or int, default=False
        Whether to print the gap after every choice of kernel weights.

    Attributes
    ----------
    weights_ : ndarray of shape (n_kernels,), or (n_classes, n_kernels) with `per_class_weights` \
            and more than two classes
        Kernel weights d.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV) or (n_classes, n_SV)
        Signed dual coefficients of the support vectors, positive towards ``classes_[1]``, or
        towards class u in row u with more than two classes.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Exact minimisers of the hinge loss.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    objective_ : float
        Primal objective value, summed over the one-versus-rest problems.
    duality_gap_ : float
        Certified duality gap, (primal - dual) / primal, with what rounding may add to it: relative
        to `objective_`, which is what the optimum is below; 0 if both are zero.
    n_iter_ : int
        Choices of kernel weights that were tried (the most of any problem with
        `per_class_weights`).
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
    ColumnKernelizer : From raw samples of several modalities to kernels.
    sklearn.svm.SVC : The same machine on one kernel.

    Notes
    -----
    With more than two classes the problems "class u against the rest" share the kernel weights
    that minimise the sum of their objectives. Kernels of zeros get no weight for any p.

    References
    ----------
    Kloft, Brefeld, Sonnenburg and Zien, "lp-norm multiple kernel learning", JMLR 12 (2011).

    Vishwanathan, Sun, Theera-Ampornpunt and Varma, "Multiple kernel learning and the SMO
    algorithm", NIPS (2010): the penalty form.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from sklearn.preprocessing import scale
    >>> from mkfusion import MKLClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> grams = [rbf_kernel(scale(X), gamma=gamma) for gamma in (0.001, 0.01, 0.1)]
    >>> model = MKLClassifier(C=10).fit(grams, y)
    >>> model.weights_
    array([0., 0., 1.])
    >>> model.duality_gap_ <= model.tol
    True
    >>> model.score(grams, y)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMKL._parameter_constraints,
        "per_class_weights": ["boolean"],
        "n_kernels": [Interval(Integral, 1, None, closed="left"), None],
        "class_weight": [dict, Options(str, {"balanced"}), None],
        "n_jobs": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Integral, None, -1, closed="right"),
            None,
        ],
    }

    def __init__(
        self,
        C: float = 1.0,
        p: float = 1.0,
        *,
        lam: float | None = None,
        per_class_weights: bool = False,
        class_weight: dict[Any, float] | str | None = None,
        n_kernels: int | None = None,
        tol: float = 1e-3,
        max_iter: int = 200,
        max_time: float | None = None,
        cache_size: float = CACHE_SIZE,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.C = C
        self.p = p
        self.lam = lam
        self.per_class_weights = per_class_weights
        self.class_weight = class_weight
        self.n_kernels = n_kernels
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.cache_size = cache_size
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn kernel weights and the machine on their weighted sum.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : array-like of shape (n,)
            Class labels: strings, integers or booleans.
        sample_weight : array-like of shape (n,), default=None
            Non-negative factor of C for each sample.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, or the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y labels, or there is one class only.
        """
        return self._fit(X, y, sample_weight)

    def _loss(self, training: Training) -> Loss:

        return Hinge()

    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Training:
        stack = training_stack(self, X, to_be_checked=True, y=y, sample_weight=sample_weight)
        labels = read_labels(stack, y)
        weights = class_weights(self.class_weight, sample_weight, stack, labels)
        signs = labels.signs
        groups = [row[np.newaxis] for row in signs] if self.per_class_weights else [signs]
        return Training(
            checked(stack, self._cache()), groups, weights, labels.classes, labels.given
        )

    def _keep(self, X: Any, training: Training, results: list[MKLResult]) -> None:
        assert training.classes is not None
        self.classes_: NDArray[Any] = training.classes
        super()._keep(X, training, results)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how far samples lie on the side of each class.

        Reads, or computes, only the kernels with weight, between the samples and the support
        vectors.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, positive towards ``classes_[1]``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        decision = self._decisions(X)
        return decision[:, 0] if len(self.classes_) == 2 else decision

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return labels_from_decisions(self.decision_function(X), self.classes_)
