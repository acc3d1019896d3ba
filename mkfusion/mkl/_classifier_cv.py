"""Multiple kernel learning for classification, with C and p chosen by cross-validation."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import compute_class_weight

from mkfusion._messages import shown
from mkfusion._sigmoids import class_chances
from mkfusion._types import Floats, Indices
from mkfusion.data import ConstantPredictionWarning, Labels, labels_from_decisions
from mkfusion.mkl._base import CACHE_SIZE
from mkfusion.mkl._classifier import MKLClassifier
from mkfusion.mkl._cross_validation import (
    BaseMKLCV,
    OfFold,
    constraints_of_choice,
    decisions_of,
)
from mkfusion.mkl._validation import Training
from mkfusion.solvers import MKLResult


class _ClassifierOfFold(OfFold, MKLClassifier):
    """A classifier of a fold."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, of labels that are known to be fine.

        Checking them once more takes longer than many a fit on a path.
        """
        return float(np.average(self.predict(X) == y, weights=sample_weight))


class MKLClassifierCV(BaseMKLCV, MKLClassifier):
    """:class:`MKLClassifier` whose C and p are chosen by cross-validation.

    The choice is that of :class:`sklearn.model_selection.GridSearchCV`, but for ties and scores
    that differ by what `tol` leaves open, at a fraction of the time: kernels are checked once,
    folds are sets of their rows and columns, each fold goes from one C to the next by warm starts,
    and what all folds want of the kernels is read together.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=9
        Positive values of C, or how many to choose among: then from where the hinge loss begins to
        act on the unweighted sum of the kernels, below which nothing but the size of the decision
        values changes, over four decades, in equal steps of the logarithm. With several `ps` each
        has a grid of its own, because the scale of the sum depends on p.
    ps : float or array-like of shape (n_ps,), default=None
        Norms of the kernel weights, at least 1, to choose among; None is 1.
    cv : int, cross-validation splitter or iterable of (train, test), default=None
        As for :class:`sklearn.model_selection.GridSearchCV`, but that a number of folds is drawn by
        `random_state`, whatever order the samples are in, and keeps `groups` together; None is
        five. They are stratified.
    scoring : str or callable, default=None
        As for :class:`sklearn.model_selection.GridSearchCV`; None is "neg_log_loss", minus the log
        loss of the samples held out, which sees more than which side of the boundary samples are
        on, and is not misled by uneven classes. Its probabilities are those of `predict_proba`,
        without offsets unless there is a `class_weight`: what `predict` says is then scored too.
        Other scores may ask for predictions or decision values, not for probabilities.
    refit : bool, default=True
        Whether to fit to all samples with the best C and p; otherwise there is the choice only.
    lam : float, default=None
        As for :class:`MKLClassifier`.
    per_class_weights : bool, default=False
        As for :class:`MKLClassifier`.
    class_weight : dict or "balanced", default=None
        As for :class:`MKLClassifier`; "balanced" is so in each fold.
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
    weights_ : ndarray of shape (n_kernels,), or (n_classes, n_kernels) with `per_class_weights` \
            and more than two classes
        Kernel weights d, of the fit to all samples, as all that follows.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    dual_coef_ : ndarray of shape (1, n_SV) or (n_classes, n_SV)
        Signed dual coefficients of the support vectors, as those of :class:`MKLClassifier`.
    support_ : ndarray of shape (n_SV,)
        Training samples with a non-zero dual coefficient.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Exact minimisers of the hinge loss.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    calibration_ : ndarray of shape (1, 2) or (n_classes, 2)
        Slope and offset that make a logit of each column of decision values; without `refit` too.
    objective_ : float
        Primal objective value, summed over the one-versus-rest problems.
    duality_gap_ : float
        Certified duality gap, as that of :class:`MKLClassifier`.
    n_iter_ : int
        Choices of kernel weights that were tried.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have to predict.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    Warns
    -----
    ConstantPredictionWarning
        If the model says one class for every training sample, unless weights leave the others less
        to say than one sample of it.
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` or `max_time` did not suffice, or rounding errors of the kernels stood in the
        way, in some folds or at last.

    See Also
    --------
    MKLClassifier : The same with C and p given.
    mkl_path : The models of all values of C or p, on all samples.

    Notes
    -----
    Names are those of :class:`sklearn.linear_model.LogisticRegressionCV` where it has the like, and
    scores are an array by p, C and fold, not the table of strings and columns of `GridSearchCV`:
    ``scores_[:, :, k]`` is fold k, and ``scores_.mean(axis=2)`` what is compared.

    Probabilities of two classes are a sigmoid of the decision values, fitted to those of the
    samples that the folds hold out with the best C and p, as Platt's. More than two are
    ``softmax(a f + b)`` of the values f of all classes, with one slope a for all of them. Offsets b
    are 0 unless they fit better by the Bayesian information criterion. In either case each of n
    samples is of other classes by 1 / (2 (n + 1)), half an error in all, where Platt
    and :class:`sklearn.calibration.CalibratedClassifierCV` have one error of each class; a slope
    that would be negative is 0. `predict` goes by decision values, and need not name the most
    likely class where offsets are not 0, as with uneven classes.

    C and p are chosen by probabilities without offsets, with the slope that suits them best: with a
    small C all training samples may be support vectors at the bound, whose decision values rank new
    samples well, and have any threshold. An offset would hide that. With a `class_weight`, which
    moves the threshold on purpose, they are chosen by `predict_proba` as it is.

    After a kernelizer in a pipeline, kernels are computed once, from all training samples, and not
    in each fold: what they learn, such as a width from the median distance, does not see labels.

    Examples
    --------
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from mkfusion import MKLClassifierCV
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> grams = [rbf_kernel(X["bands"], gamma=gamma) for gamma in (0.1, 1.0, 10.0)]
    >>> model = MKLClassifierCV(Cs=[0.1, 1, 10, 100], ps=[1, 2]).fit(grams, y)
    >>> model.scores_.shape
    (2, 4, 5)
    >>> model.C_ in model.Cs_ and model.duality_gap_ <= model.tol
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = constraints_of_choice(MKLClassifier)

    def __init__(
        self,
        Cs: Any = 9,
        ps: Any = None,
        *,
        cv: Any = None,
        scoring: Any = None,
        refit: bool = True,
        lam: float | None = None,
        per_class_weights: bool = False,
        class_weight: dict[Any, float] | str | None = None,
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
        self.lam = lam
        self.per_class_weights = per_class_weights
        self.class_weight = class_weight
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
            Class labels: strings, integers or booleans.
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
            Fitted classifier.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, the kernels are not finite symmetric positive
            semi-definite matrices between the samples that y labels, there is one class only,
            `cv` leaves a class out of the training samples of a fold, or the score cannot be
            computed.
        """
        return self._fit_cv(X, y, sample_weight, groups, params)

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class.

        They are fitted to the decision values of the samples held out by the folds.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        decisions = self._decisions(X)
        return class_chances(self.calibration_, decisions)

    def _warn_constant(self, training: Training, results: list[MKLResult]) -> None:
        decisions = decisions_of(results).T
        if decisions.shape[1] == 1:
            decisions = decisions[:, 0]
        found = labels_from_decisions(decisions, self.classes_)
        own = training.given == found[0]
        others = float(training.weights[~own].sum())
        # Weights by which the others are worth less than one sample ask for such a model.
        asked = own.any() and others < float(training.weights[own].mean())
        if (found == found[0]).all() and not asked:
            share = float(np.mean(own))
            by = "log loss" if self.scoring is None else f"scoring={shown(self.scoring)}"
            warnings.warn(
                f"{type(self).__name__} says {shown(found[0])} for every training sample, as "
                f"{share:.0%} of them are: no C and p told the classes apart better by "
                f"{by}. predict_proba and decision_function may still "
                'rank samples; class_weight="balanced" gives every class the same say.',
                ConstantPredictionWarning,
                stacklevel=5,
            )

    def _machine(self, C: float, p: float, *, of_fold: bool) -> MKLClassifier:
        kind = _ClassifierOfFold if of_fold else MKLClassifier
        return kind(
            C,
            p,
            lam=self.lam,
            per_class_weights=self.per_class_weights,
            class_weight=self.class_weight,
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            cache_size=self.cache_size,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def _of_fold(self, training: Training, train: Indices, number: int) -> Training:
        given, classes = training.given, training.classes
        assert given is not None
        assert classes is not None
        teaching = given[train[training.weights[train] > 0.0]]
        here = np.unique(teaching)
        if len(here) < 2:
            raise ValueError(
                f"cv={shown(self.cv)} leaves one class, {shown(here[0])}, among the {len(train)} "
                f"training samples of fold {number}; expected at least two of the classes "
                f"{shown(classes.tolist())}: fewer folds, stratified ones, or more samples."
            )
        # As a search does, a fold without samples of a class learns the others.
        codes = np.searchsorted(here, given)
        codes = np.where(np.isin(given, here), codes, -1)
        if self.class_weight == "balanced":
            everywhere = compute_class_weight("balanced", classes=classes, y=given)
            factors = compute_class_weight("balanced", classes=here, y=teaching)
            factors /= everywhere[np.isin(classes, here)]
            training = training._replace(weights=training.weights * factors[codes])
        signs = Labels(given, here, codes).signs
        groups = [row[np.newaxis] for row in signs] if self.per_class_weights else [signs]
        return training._replace(groups=groups, classes=here)
