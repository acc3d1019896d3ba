"""Modality shift: a primary modality, corrected by a gated offset from the others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin

from mkfusion.fusion._shift_base import ModalityShift

__all__ = ["ModalityShiftClassifier", "ModalityShiftRegressor"]

_Array = NDArray[np.float64]


class ModalityShiftClassifier(ClassifierMixin, ModalityShift):
    """Correct the probabilities from one modality by a bounded, gated offset from the others.

    Parameters
    ----------
    primary : str, default=None
        Name of the modality that speaks for itself; None is the first.
    estimator : classifier, default=None
        The primary modality's; None is logistic regression on scaled columns.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        As in :class:`EarlyFusionClassifier`. The primary modality has no transformer; what it needs
        belongs to the estimator. None is all of `Modalities`, or one modality of all columns, which
        nothing then corrects.
    max_shift : float, default=1.0
        What the norm of an offset stays below, in units of the primary's root-mean-square score.
        ``numpy.inf`` is no bound.
    alpha : float, default=1.0
        Ridge on the coefficients of the offset and the gates. Features are scaled by modality.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the offset is learned, and probabilities calibrated. An int is stratified
        and not shuffled.
    calibrate : {"auto", "sigmoid", "isotonic"}, default="auto"
        "auto" calibrates (by "sigmoid") only a classifier that has a `decision_function` but no
        `predict_proba`; otherwise as in :class:`LateFusionClassifier`.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    n_jobs : int, default=None
        Folds to fit at the same time.

    Attributes
    ----------
    estimator_ : classifier
        The primary modality's, fitted to all training samples.
    primary_ : str
        The primary modality.
    other_names_ : list of n_others str
        The other modalities.
    coef_ : dict of str to ndarray of shape (n_features_of_it, n_classes)
        What features of each other modality add to scores where its gate is open.
    max_norm_ : float
        What norms of offsets stay below.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Penalised log-likelihood per sample out of fold: of the primary modality alone, and after
        every step. It never decreases.
    n_iter_ : int
        Steps.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    GatedFusionClassifier : No modality is primary.

    Notes
    -----
    In networks, what is seen and heard shifts the representation of a word, by a gated vector whose
    length is bounded in proportion to that of the word's (RAVEN; the multimodal adaptation gate).
    This is the linear counterpart. Scores s(x_1) of the primary modality are the logarithms of its
    probabilities, less their mean, and::

        h = sum_k sigmoid(v_k' [z_k, s] + c_k) W_k' z_k,
        p(y | x) = softmax(s + h / sqrt(1 + ||h||^2 / bound^2)),

    with features z_k of the other modalities, scaled to a total variance of 1 each. W, v and c
    maximise the log-likelihood less alpha / 2 (||W||^2 + ||v||^2), by L-BFGS, from W = 0: the
    primary modality alone. Its scores are predicted out of fold. Otherwise there would be nothing
    left to correct where it remembers the training samples.

    The bound differs from that of the gate in the papers: it is the same for all samples. In
    proportion to their own scores, an offset could not change the class of any of two.

    References
    ----------
    Wang, Shen, Liu, Liang, Zadeh and Morency, "Words can shift: dynamically adjusting word
    representations using nonverbal behaviors", AAAI 2019. Rahman, Hasan, Lee, Zadeh, Mao, Morency
    and Hoque, "Integrating multimodal information in large pretrained transformers", ACL 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from mkfusion import ModalityShiftClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> modalities = [("acids", [1, 2, 3]), ("colour", [9, 10])]
    >>> model = ModalityShiftClassifier("acids", modalities=modalities).fit(X, y)
    >>> round(model.estimator_.score(X[:, [1, 2, 3]], y), 2), round(model.score(X, y), 2)
    (0.78, 0.89)
    >>> bool((model.objectives_[1:] >= model.objectives_[:-1]).all())
    True
    """

    def __init__(
        self,
        primary: str | None = None,
        estimator: Any = None,
        modalities: list[Any] | None = None,
        *,
        max_shift: float = 1.0,
        alpha: float = 1.0,
        cv: Any = 5,
        calibrate: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        n_jobs: int | None = None,
    ) -> None:
        self.primary = primary
        self.estimator = estimator
        self.modalities = modalities
        self.max_shift = max_shift
        self.alpha = alpha
        self.cv = cv
        self.calibrate = calibrate
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def predict_proba(self, X: Any) -> _Array:
        """Return the probability of every class.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return np.asarray(softmax(self._shifted(X), axis=1))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        shifted = self._shifted(X)
        return self.classes_[shifted.argmax(axis=1)]


class ModalityShiftRegressor(RegressorMixin, ModalityShift):
    """Correct the predictions from one modality by a bounded, gated offset from the others.

    Parameters
    ----------
    primary : str, default=None
        Name of the modality that speaks for itself; None is the first.
    estimator : regressor, default=None
        The primary modality's; None is ridge regression on scaled columns.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        As in :class:`EarlyFusionRegressor`. The primary modality has no transformer; what it needs
        belongs to the estimator. None is all of `Modalities`, or one modality of all columns, which
        nothing then corrects.
    max_shift : float, default=1.0
        What an offset stays below, in units of the standard deviation of the primary's predictions.
        ``numpy.inf`` is no bound.
    alpha : float, default=1.0
        Ridge on the coefficients of the offset, in units of what the primary modality leaves
        unexplained, and of the gates. Features are scaled by modality.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the offset is learned. An int is not shuffled.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    n_jobs : int, default=None
        Folds to fit at the same time.

    Attributes
    ----------
    estimator_ : regressor
        The primary modality's, fitted to all training samples.
    primary_ : str
        The primary modality.
    other_names_ : list of n_others str
        The other modalities.
    coef_ : dict of str to ndarray of shape (n_features_of_it, 1)
        What features of each other modality add to predictions where its gate is open.
    max_norm_ : float
        What offsets stay below.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Minus half the squared error per sample out of fold, as a share of the primary modality's,
        less the penalty: of the primary modality alone, and after every step. It never decreases.
    n_iter_ : int
        Steps.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` did not suffice.

    See Also
    --------
    GatedFusionRegressor : No modality is primary.

    Notes
    -----
    As :class:`ModalityShiftClassifier`, with predictions for scores and squared errors for log
    losses.

    References
    ----------
    Wang, Shen, Liu, Liang, Zadeh and Morency, "Words can shift: dynamically adjusting word
    representations using nonverbal behaviors", AAAI 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import ModalityShiftRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> modalities = [("body", ["age", "sex", "bmi", "bp"]), ("blood", slice("s1", "s6"))]
    >>> model = ModalityShiftRegressor("body", modalities=modalities).fit(X, y)
    >>> round(model.estimator_.score(X[["age", "sex", "bmi", "bp"]], y), 2)
    0.4
    >>> round(model.score(X, y), 2)
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        k: v for k, v in ModalityShift._parameter_constraints.items() if k != "calibrate"
    }

    def __init__(
        self,
        primary: str | None = None,
        estimator: Any = None,
        modalities: list[Any] | None = None,
        *,
        max_shift: float = 1.0,
        alpha: float = 1.0,
        cv: Any = 5,
        max_iter: int = 1000,
        tol: float = 1e-6,
        n_jobs: int | None = None,
    ) -> None:
        self.primary = primary
        self.estimator = estimator
        self.modalities = modalities
        self.max_shift = max_shift
        self.alpha = alpha
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def predict(self, X: Any) -> _Array:
        """Return the prediction for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._shifted(X)[:, 0]
