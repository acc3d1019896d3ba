"""Gated fusion: one estimator per modality, weighted for each sample."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin

from mkfusion.fusion._gated_base import GatedFusion

__all__ = ["GatedFusionClassifier", "GatedFusionRegressor"]

_Array = NDArray[np.float64]


class GatedFusionClassifier(ClassifierMixin, GatedFusion):
    """Mix the probabilities of one classifier per modality by weights that depend on the sample.

    Parameters
    ----------
    estimators : list of (name, estimator, columns) tuples, default=None
        A classifier of its own for each modality. `columns` is a modality's name, or columns as
        in :class:`sklearn.compose.ColumnTransformer`. Parameters are reached by
        ``name__parameter``.
    estimator : classifier, default=None
        Instead of `estimators`, one that is cloned for each of the modalities. None is logistic
        regression on scaled columns.
    modalities : list of (name, columns) pairs, default=None
        With `estimator`, which modalities there are. None is all of `Modalities`, or one modality
        of all columns.
    gate_on : list, default=None
        What the weights depend on: names of the modalities above, or ``(name, columns)`` or
        ``(name, transformer, columns)`` tuples as in :class:`EarlyFusionClassifier`. None is all
        modalities, as scaled columns of numbers. They need not be an expert's.
    alpha : float, default=1.0
        Ridge on the gate's coefficients: the larger, the less weights depend on the sample.
        Features are scaled by modality: 1 in all.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the gate is learned, and probabilities calibrated. An int is stratified and
        not shuffled.
    calibrate : {"auto", "sigmoid", "isotonic"}, default="auto"
        "auto" calibrates (by "sigmoid") only classifiers that have a `decision_function` but no
        `predict_proba`. The others calibrate every classifier by
        :class:`sklearn.calibration.CalibratedClassifierCV`, in splits within the training part.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    n_jobs : int, default=None
        Fits at the same time: of all modalities and folds.

    Attributes
    ----------
    estimators_ : list of n_modalities classifiers
        Fitted to all training samples.
    modality_names_ : list of n_modalities str
        Their modalities.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    weights_ : ndarray of shape (n_modalities,)
        Mean of the gate's weights over the training samples.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Penalised log-likelihood per sample out of fold, at equal weights and after every step. It
        never decreases.
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
    LateFusionClassifier : Weights that are the same for all samples.
    ModalityShiftClassifier : One modality is primary, the others correct it.

    Notes
    -----
    With probabilities p_k of the classes from the expert of modality k, and gate features z::

        p(y | x) = sum_k g_k(z) p_k(y | x),    g(z) = softmax(V z + b).

    V and b maximise sum_i s_i log p(y_i | x_i) - alpha / 2 ||V||^2, where p_k(y_i | x_i) is
    predicted out of fold: in the training part, the gate would trust who remembers the samples. The
    gradient in the gate's scores is what each expert explains of a sample less what it was given,
    as in the EM algorithm, of which L-BFGS is a faster form. The objective is not concave; the
    start at equal weights makes it deterministic.

    The experts are those of late fusion, fitted to all samples: the gate says where to trust them,
    and they do not specialise.

    References
    ----------
    Jacobs, Jordan, Nowlan and Hinton, "Adaptive mixtures of local experts", Neural Computation 3,
    1991. Jordan and Jacobs, "Hierarchical mixtures of experts and the EM algorithm", Neural
    Computation 6, 1994.

    Examples
    --------
    The first column says which of the two others knows the class:

    >>> import numpy as np
    >>> from mkfusion import GatedFusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = np.where(X[:, 0] > 0, X[:, 1], X[:, 2]) > 0
    >>> fusion = GatedFusionClassifier(
    ...     modalities=[("b", [1]), ("c", [2])], gate_on=[("a", [0])]
    ... ).fit(X, y)
    >>> fusion.gate([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]).round(1)
    array([[1., 0.],
           [0., 1.]])
    >>> round(fusion.score(X, y), 2)
    0.94
    """

    def __init__(
        self,
        estimators: list[tuple[str, Any, Any]] | None = None,
        *,
        estimator: Any = None,
        modalities: list[tuple[str, Any]] | None = None,
        gate_on: list[Any] | None = None,
        alpha: float = 1.0,
        cv: Any = 5,
        calibrate: str = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.estimator = estimator
        self.modalities = modalities
        self.gate_on = gate_on
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
        return self._mixed(X)

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
        mixed = self._mixed(X)
        return self.classes_[mixed.argmax(axis=1)]


class GatedFusionRegressor(RegressorMixin, GatedFusion):
    """Mix the predictions of one regressor per modality by weights that depend on the sample.

    Parameters
    ----------
    estimators : list of (name, estimator, columns) tuples, default=None
        A regressor of its own for each modality. `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. Parameters are reached by ``name__parameter``.
    estimator : regressor, default=None
        Instead of `estimators`, one that is cloned for each of the modalities. None is ridge
        regression on scaled columns.
    modalities : list of (name, columns) pairs, default=None
        With `estimator`, which modalities there are. None is all of `Modalities`, or one modality
        of all columns.
    gate_on : list, default=None
        What the weights depend on: names of the modalities above, or ``(name, columns)`` or
        ``(name, transformer, columns)`` tuples as in :class:`EarlyFusionRegressor`. None is all
        modalities, as scaled columns of numbers. They need not be an expert's.
    alpha : float, default=1.0
        Ridge on the gate's coefficients: the larger, the less weights depend on the sample.
        Features are scaled by modality: 1 in all.
    cv : int, splitter or iterable of splits, default=5
        Folds by which the gate is learned. An int is not shuffled.
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-6
        Relative gain of a step, or slope, at which it is enough.
    n_jobs : int, default=None
        Fits at the same time: of all modalities and folds.

    Attributes
    ----------
    estimators_ : list of n_modalities regressors
        Fitted to all training samples.
    modality_names_ : list of n_modalities str
        Their modalities.
    weights_ : ndarray of shape (n_modalities,)
        Mean of the gate's weights over the training samples.
    objectives_ : ndarray of shape (`n_iter_` + 1,)
        Penalised log-likelihood per sample out of fold, less a constant, at equal weights and after
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
    LateFusionRegressor : Weights that are the same for all samples.

    Notes
    -----
    As :class:`GatedFusionClassifier`, with a normal density around each expert's prediction, whose
    variance is learned as well, for the probability of the class. The prediction is the mean of
    the mixture.

    References
    ----------
    Jacobs, Jordan, Nowlan and Hinton, "Adaptive mixtures of local experts", Neural Computation 3,
    1991.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import GatedFusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = np.where(X[:, 0] > 0, X[:, 1], X[:, 2])
    >>> fusion = GatedFusionRegressor(
    ...     modalities=[("b", [1]), ("c", [2])], gate_on=[("a", [0])]
    ... ).fit(X, y)
    >>> fusion.gate([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]).round(1)
    array([[1., 0.],
           [0., 1.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        k: v for k, v in GatedFusion._parameter_constraints.items() if k != "calibrate"
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any, Any]] | None = None,
        *,
        estimator: Any = None,
        modalities: list[tuple[str, Any]] | None = None,
        gate_on: list[Any] | None = None,
        alpha: float = 1.0,
        cv: Any = 5,
        max_iter: int = 1000,
        tol: float = 1e-6,
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.estimator = estimator
        self.modalities = modalities
        self.gate_on = gate_on
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
        return self._mixed(X)[:, 0]
