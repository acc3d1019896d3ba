"""Gated fusion: one estimator per modality, weighted for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.base import ClassifierMixin, RegressorMixin

from mkfusion._compat import Interval
from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.data import (
    Known,
    Samples,
    known_parts,
    labels_from_decisions,
    read_again,
    read_known,
    read_samples,
)
from mkfusion.fusion._descent import descend
from mkfusion.fusion._experts import ExpertFusion
from mkfusion.fusion._features import Blocks, Entry, join, read_entries
from mkfusion.fusion._fitting import Training
from mkfusion.fusion._weighting import log_chances
from mkfusion.kernels import everything

# Residuals of an expert have at least this share of the targets' standard deviation: an expert that
# meets a few targets exactly would make the likelihood infinite.
_LEAST_SPREAD = 1e-3


class Gate(NamedTuple):
    """A softmax of linear scores.

    Attributes
    ----------
    coef : ndarray of shape (n_experts, n_features)
    intercept : ndarray of shape (n_experts,)
    """

    coef: Floats
    intercept: Floats

    def weights(self, features: Any, present: Mask) -> Floats:
        """Return each expert's weight for each sample, of shape (n_samples, n_experts)."""
        scores = np.asarray(features @ self.coef.T) + self.intercept
        return softmax(np.where(present, scores, -np.inf), axis=1)


def fit_gate(
    features: Any,
    log_likelihood: Floats | None,
    residuals: Floats | None,
    weights: Floats,
    *,
    present: Mask,
    alpha: float,
    max_iter: int,
    tol: float,
) -> tuple[Gate, Floats]:
    """Maximise the penalised likelihood of a mixture of experts over its gate.

    With gate weights g_ik and what the experts say about sample i, f_ik, that is::

        1/n ( sum_i s_i log sum_k g_ik f_ik - alpha / 2 ||coef||^2 ).

    Parameters
    ----------
    features : ndarray or sparse matrix of shape (n_samples, n_features)
    log_likelihood : ndarray of shape (n_samples, n_experts) or None
        log f_ik, of classes. None for residuals.
    residuals : ndarray of shape (n_samples, n_experts) or None
        Of numbers: f_ik is normal, with a variance for each expert that is learned as well.
    weights : ndarray of shape (n_samples,)
    present : ndarray of shape (n_samples, n_experts), dtype=bool
        Which experts there are for which samples: g_ik = 0 for the others.
    alpha : float
    max_iter : int
    tol : float

    Returns
    -------
    gate : Gate
    path : ndarray of shape (n_iter + 1,)
        The objective at equal weights and after every step; it never decreases.
    """
    said = log_likelihood if log_likelihood is not None else residuals
    assert said is not None
    n_experts, n_features = said.shape[1], features.shape[1]
    n_gate = n_experts * n_features
    tiny = np.finfo(np.float64).tiny
    share = weights / weights.sum()
    ridge = alpha / weights.sum()
    start = np.zeros(n_gate + n_experts * (1 if residuals is None else 2))
    bounds = None
    if residuals is not None:
        residuals = np.where(present, residuals, 0.0)
        spread = np.sqrt(share @ residuals**2 / np.maximum(share @ present, tiny))
        least = max(_LEAST_SPREAD * spread.max(), tiny)
        start[-n_experts:] = np.log(np.maximum(spread, least))
        bounds = [(None, None)] * (n_gate + n_experts) + [(np.log(least), None)] * n_experts

    def loss(parameters: Floats) -> tuple[float, Floats]:
        coef = parameters[:n_gate].reshape(n_experts, n_features)
        scores = np.asarray(features @ coef.T) + parameters[n_gate : n_gate + n_experts]
        log_gate = log_softmax(np.where(present, scores, -np.inf), axis=1)
        if residuals is None:
            joint = log_gate + log_likelihood
        else:
            log_spread = parameters[-n_experts:]
            squares = (residuals * np.exp(-log_spread)) ** 2
            joint = log_gate - log_spread - 0.5 * squares
        total = logsumexp(joint, axis=1)
        value = -float(share @ total) + 0.5 * ridge * float(coef.ravel() @ coef.ravel())
        # How much of each sample an expert explains, less how much it was given.
        explained = np.exp(joint - total[:, np.newaxis])
        slope = share[:, np.newaxis] * (np.exp(log_gate) - explained)
        slopes = [
            np.asarray(features.T @ slope).T.ravel() + ridge * coef.ravel(),
            slope.sum(axis=0),
        ]
        if residuals is not None:
            slopes.append(share @ (explained * (1.0 - squares)))
        return value, np.concatenate(slopes)

    found, path = descend(loss, start, max_iter=max_iter, tol=tol, bounds=bounds)
    coef = found[:n_gate].reshape(n_experts, n_features)
    return Gate(coef, found[n_gate : n_gate + n_experts]), -path


class GatedFusion(ExpertFusion):
    """Weight what one estimator per modality says for each sample."""

    gate_on: Sequence[Any] | None
    alpha: float
    max_iter: int
    tol: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ExpertFusion._parameter_constraints,
        "gate_on": [list, tuple, None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit every modality's estimator, and the gate to what they say out of fold.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimators and the gate. All estimators
            must take it.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that keeps groups together.

        Returns
        -------
        self : object
            Fitted fusion.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities or columns are not there, or an
            estimator cannot be fitted; the message says of which modality.
        """
        training = self._read(X, y, sample_weight)
        entries = self._gate_entries(training)
        seen = read_samples(training.samples.X, [(e.name, e.columns) for e in entries])
        gaps = "refuse" if self.missing == "error" else "fill"
        blocks = Blocks(entries, scaled=True, gaps=gaps)
        gate_sees = self._gate_sees(training, seen)
        features = join(blocks.fit(gate_sees, training.targets.given, training.weights))
        fitted, held_out = self._fit_experts(
            training, groups, held_out=True, calibrate=getattr(self, "calibrate", None)
        )
        assert held_out is not None
        rows = held_out.rows
        if not training.share[rows].any():
            raise ValueError("sample_weight is 0 for all samples that cv holds out.")
        codes = training.targets.codes[rows]
        said = held_out.responses
        if training.targets.classes is None:
            chances, residuals = None, said[:, :, 0] - codes[:, np.newaxis]
        else:
            chances, residuals = log_chances(said[np.arange(len(rows)), :, codes]), None
        gate, path = fit_gate(
            features[rows],
            chances,
            residuals,
            training.share[rows],
            present=held_out.present,
            alpha=self.alpha,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        self._keep(training, fitted)
        self._gate_views = None if self.gate_on is None else seen.views
        self._blocks, self._gate = blocks, gate
        self._sparse = issparse(features)
        self.objectives_ = path
        self.n_iter_ = len(path) - 1
        each = gate.weights(features, training.known.present)
        self.weights_ = training.share @ each / training.share.sum()
        return self

    def _gate_sees(self, training: Training, seen: Samples) -> Known:
        """Return what there is of what the gate sees."""
        if self.gate_on is None:
            return training.known
        if self.missing == "error":
            return everything(seen.parts)
        # A mean in place of what is not there says nothing: nothing need be predicted.
        return known_parts(seen.parts, len(training.targets.given))

    def _gate_entries(self, training: Training) -> list[Entry]:
        """Return what the gate sees: modalities, and what makes features of them."""
        of_experts = {view.name: view.where for view in training.samples.views}
        if self.gate_on is None:
            return [Entry(name, None, columns) for name, columns in of_experts.items()]
        given = []
        for entry in self.gate_on:
            if isinstance(entry, str):
                if entry not in of_experts:
                    raise ValueError(
                        f"gate_on asks for the unknown modality {shown(entry)}; expected some of "
                        f"{list(of_experts)}, or (name, columns)."
                    )
                entry = (entry, of_experts[entry])
            given.append(entry)
        return read_entries(given, "gate_on")

    def gate(self, X: Any) -> Floats:
        """Return each modality's weight for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities)
            Non-negative, rows of sum 1; in the order of `modality_names_`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._opened(X, self._known(X))

    def _opened(self, X: Any, known: Known) -> Floats:
        """Return each modality's weight for each sample; `known` is what there is of X."""
        if self._gate_views is None:
            seen = known
        elif self._completion.missing == "error":
            seen = everything(read_again(self, X, self._gate_views))
        else:
            seen = read_known(self, X, self._gate_views)
        features = join(self._blocks.transform(seen), self._sparse)
        return self._gate.weights(features, known.present)

    def _mixed(self, X: Any) -> Floats:
        """Return the weighted mean of what the experts say, of shape (n_samples, n_outputs)."""
        known = self._known(X)
        return np.einsum("ikc,ik->ic", self._responses(known), self._opened(X, known))


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
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; the experts of the modalities that a sample has share its weight, each fitted to
        the samples that have its modality; or columns of numbers are predicted from the other
        modalities by ridge regression. Where the gate's features have gaps, the latter two take
        their means in the training samples.
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
        missing: str = "error",
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
        self.missing = missing
        self.n_jobs = n_jobs

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of every class.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

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

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        mixed = self._mixed(X)
        return labels_from_decisions(mixed, self.classes_)


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
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused; the experts of the modalities that a sample has share its weight, each fitted to
        the samples that have its modality; or columns of numbers are predicted from the other
        modalities by ridge regression. Where the gate's features have gaps, the latter two take
        their means in the training samples.
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
        missing: str = "error",
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
        self.missing = missing
        self.n_jobs = n_jobs

    def predict(self, X: Any) -> Floats:
        """Return the prediction for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

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
        return self._mixed(X)[:, 0]
