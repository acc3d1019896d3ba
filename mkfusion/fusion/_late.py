"""Late fusion: one estimator per modality, and a combination of what they say."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.utils.metaestimators import available_if

from mkfusion._compat import HasMethods, Options, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import about, blaming, labels_from_decisions
from mkfusion.fusion._experts import ExpertFusion, HeldOut, response
from mkfusion.fusion._fitting import Training, fit_weighted, seen_by
from mkfusion.fusion._missing import positions, renormalised
from mkfusion.fusion._weighting import (
    geometric_loss,
    log_chances,
    mixture_loss,
    ogr_weights,
    on_simplex,
    squared_loss,
)

OUT_OF_FOLD = ("learned", "ogr")


class LateFusion(ExpertFusion):
    """Combine what one estimator per modality says."""

    combine: str
    weighting: Any
    final_estimator: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ExpertFusion._parameter_constraints,
        "weighting": [Options(str, {"uniform", *OUT_OF_FOLD}), "array-like"],
        "final_estimator": [HasMethods(["fit", "predict"]), None],
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit every modality's estimator, and learn how to combine them.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimators and for what is learned out of
            fold. All estimators must take it.
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
        if self.combine == "stack" and self.missing == "marginalise":
            raise ValueError(
                'missing is "marginalise" and combine is "stack", whose final estimator takes what '
                'all modalities say; expected missing="impute", or another combine.'
            )
        training = self._read(X, y, sample_weight)
        weights = self._given_weights(len(training.samples.views))
        stacking = self.combine == "stack"
        learning = stacking or weights is None
        fitted, held_out = self._fit_experts(
            training, groups, held_out=learning, calibrate=self._calibration()
        )
        final, scores, ratios = None, None, None
        if held_out is not None:
            share = training.share[held_out.rows]
            if not share.any():
                raise ValueError("sample_weight is 0 for all samples that cv holds out.")
            codes = training.targets.codes[held_out.rows]
            scores = [
                self._score(held_out.responses[some, k], codes[some], _unit(share[some]))
                for k, some in enumerate(held_out.present.T)
            ]
            if stacking:
                final = self._stacked(training, held_out)
            else:
                weights, ratios = self._by_what_they_say(training, held_out, fitted)
        self._keep(training, fitted)
        self._final, self._scores, self._ratios, self._weights = final, scores, ratios, weights
        return self

    def _given_weights(self, n_modalities: int) -> Floats | None:
        """Return weights that need not be learned, None if they must be."""
        by_name = isinstance(self.weighting, str)
        if self.combine in ("stack", "vote") and by_name and self.weighting in OUT_OF_FOLD:
            reason = "learns its own" if self.combine == "stack" else "has no probabilities"
            raise ValueError(
                f"weighting is {shown(self.weighting)} and combine is {shown(self.combine)}, "
                f"which {reason}; "
                'expected "uniform".'
            )
        if by_name:
            uniform = self.weighting == "uniform"
            return np.full(n_modalities, 1.0 / n_modalities) if uniform else None
        if self.combine == "stack":
            raise ValueError(
                'weighting is an array and combine is "stack", which learns its own; expected '
                '"uniform".'
            )
        weights = np.asarray(self.weighting, dtype=np.float64)
        if weights.shape != (n_modalities,):
            raise ValueError(
                f"weighting has shape {weights.shape}; expected one number for each of the "
                f"{n_modalities} modalities."
            )
        if not np.all(np.isfinite(weights) & (weights >= 0)) or not weights.any():
            raise ValueError(
                f"weighting is {weights.tolist()}; expected finite non-negative numbers, one of "
                "them positive."
            )
        return weights / weights.sum()

    def _stacked(self, training: Training, held_out: HeldOut) -> Any:
        """Return the final estimator, fitted to what the experts say out of fold."""
        final = self.final_estimator
        if final is None:
            final = RidgeCV() if training.targets.classes is None else LogisticRegression()
        return fit_weighted(
            clone(final),
            meta_features(held_out.responses),
            training.targets.given[held_out.rows],
            None if training.weights is None else training.weights[held_out.rows],
        )

    def _by_what_they_say(
        self, training: Training, held_out: HeldOut, fitted: list[Any]
    ) -> tuple[Floats, Floats | None]:
        """Return weights that are learned out of fold, and the ratios that "ogr" goes by."""
        # Of samples that have everything: other combinations have other weights.
        complete = held_out.present.all(axis=1) & (training.share[held_out.rows] > 0)
        rows, responses = held_out.rows[complete], held_out.responses[complete]
        if not len(rows):
            raise ValueError(
                f"weighting is {shown(self.weighting)}, and none of the samples that cv holds out "
                'has all modalities; expected some, or "uniform".'
            )
        codes, share = training.targets.codes[rows], _unit(training.share[rows])
        if self.weighting == "learned":
            return on_simplex(self._loss(responses, codes, share), len(fitted)), None
        said_in_training = np.stack(
            [
                response(
                    estimator,
                    safe_indexing(part, positions(some)[rows]),
                    training.targets.classes,
                )
                for estimator, part, some in zip(
                    fitted, training.known.parts, training.known.present.T, strict=True
                )
            ],
            axis=1,
        )
        return ogr_weights(
            self._losses(said_in_training, codes),
            self._losses(responses, codes),
            self._constant_loss(codes, share),
            share,
        )

    def _stack_sees(self, X: Any) -> Floats:
        """Return what the final estimator sees."""
        return meta_features(self._responses(self._known(X)))

    @property
    def weights_(self) -> Floats:
        return self._learned("_weights", 'combine is not "stack"')

    @property
    def final_estimator_(self) -> Any:
        return self._learned("_final", 'combine is "stack"')

    @property
    def modality_scores_(self) -> dict[str, float]:
        scores = self._learned("_scores", "something is learned out of fold")
        return dict(zip(self.modality_names_, scores, strict=True))

    @property
    def ogr_(self) -> dict[str, float]:
        ratios = self._learned("_ratios", 'weighting is "ogr"')
        return dict(zip(self.modality_names_, ratios.tolist(), strict=True))

    def _learned(self, attribute: str, when: str) -> Any:
        hidden = attribute == "_weights" and getattr(self, "_final", None) is not None
        value = None if hidden else getattr(self, attribute, None)
        if value is None:
            raise AttributeError(f"It is there after fit if {when}.")
        return value

    @abstractmethod
    def _calibration(self) -> str | None:
        """Return how probabilities are calibrated."""

    @abstractmethod
    def _score(self, responses: Floats, codes: NDArray[Any], share: Floats) -> float:
        """Return the score of one expert's responses (n_samples, n_outputs)."""

    @abstractmethod
    def _loss(self, responses: Floats, codes: NDArray[Any], share: Floats) -> Any:
        """Return the loss of the combination as a function of the weights."""

    @abstractmethod
    def _losses(self, responses: Floats, codes: NDArray[Any]) -> Floats:
        """Return every expert's loss of every sample, of shape (n_samples, n_modalities)."""

    @abstractmethod
    def _constant_loss(self, codes: NDArray[Any], share: Floats) -> float:
        """Return the mean loss of the best constant response."""


def _unit(share: Floats) -> Floats:
    """Return weights of samples of sum 1."""
    return share / (share.sum() or 1.0)


def meta_features(responses: Floats) -> Floats:
    """Return responses side by side; one probability of two says it all."""
    if responses.shape[2] == 2:
        responses = responses[:, :, 1:]
    return responses.reshape(len(responses), -1)


def _has_probabilities(fusion: LateFusionClassifier) -> bool:
    if fusion.combine != "stack":
        return fusion.combine != "vote"
    final = getattr(fusion, "_final", None) or fusion.final_estimator
    return final is None or hasattr(final, "predict_proba")


class LateFusionClassifier(ClassifierMixin, LateFusion):
    """Combine the probabilities, or votes, of one classifier per modality.

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
    combine : {"mean", "product", "vote", "stack"}, default="mean"
        - "mean": weighted mean of the probabilities;
        - "product": weighted geometric mean of the probabilities, scaled to a sum of 1. As any
          product of experts, it trusts who is sure that it is *not* a class;
        - "vote": the class with most votes, or weight of votes; of several, the first in
          `classes_`. There is no `predict_proba`;
        - "stack": `final_estimator` on the probabilities of all modalities.
    weighting : {"uniform", "learned", "ogr"} or array-like of shape (n_modalities,), \
            default="uniform"
        Weights of "mean", "product" and (the first and the last only) "vote". "learned" ones
        minimise the log loss of the combination out of fold, which is convex in them. "ogr" goes
        by each modality's overfitting-to-generalisation ratio, see the notes. They are scaled to
        a sum of 1.
    final_estimator : classifier, default=None
        For "stack"; None is logistic regression.
    cv : int, splitter or iterable of splits, default=5
        Folds by which weights or `final_estimator` are learned, and probabilities calibrated. An
        int is stratified and not shuffled. Not used where nothing is.
    calibrate : {"auto", "sigmoid", "isotonic"}, default="auto"
        "auto" calibrates (by "sigmoid") only classifiers that have a `decision_function` but no
        `predict_proba`, where probabilities are needed. The others calibrate every classifier by
        :class:`sklearn.calibration.CalibratedClassifierCV`, in splits within the training part.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused (unless the estimator of the modality takes them), the modality's estimator is
        fitted to the samples that have it and skipped where it is missing, the weights of the
        others then scaled to a sum of 1, or columns of numbers are predicted from the other
        modalities by ridge regression. "stack" needs all modalities: "marginalise" is refused.
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
        Non-negative, of sum 1; not with "stack".
    final_estimator_ : classifier
        With "stack".
    modality_scores_ : dict of str to float
        Accuracy of each modality out of fold, where weights or `final_estimator` are learned.
    ogr_ : dict of str to float
        With "ogr", each modality's overfitting-to-generalisation ratio, infinite if it is no
        better out of fold than the frequencies of the classes.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    EarlyFusionClassifier : One classifier on the features of all modalities.
    GatedFusionClassifier : Weights of the modalities that depend on the sample.
    sklearn.ensemble.VotingClassifier : Several classifiers of the same features.

    Notes
    -----
    Late fusion cannot see interactions: with "mean", classes that only both modalities together
    tell apart, as in an exclusive or, stay apart for no weights.

    Whatever is learned about the modalities is learned from predictions out of fold. In the
    training part itself, a modality that remembers its samples would look perfect.

    Samples that no split holds out teach the estimators only, so that a
    :class:`sklearn.model_selection.TimeSeriesSplit` can be used; repeated splits are averaged.

    **OGR.** Wang et al. weight the gradients of a network's modalities by w_k proportional to
    G_k / O_k^2, which minimises the squared ratio of what is overfitted to what generalises, if
    the modalities overfit independently. G is the fall of the validation loss between two points
    of training, and O the growth of its distance to the training loss. Here, the first point is
    knowing the frequencies of the classes only, and the second the fitted classifier::

        G_k = H(y) - L_k(out of fold),    O_k = |L_k(out of fold) - L_k(training)|

    with mean log losses L, and the entropy H(y) of the classes. O_k is at least its standard
    error. Modalities with G_k <= 0 get no weight. The weights need no optimiser, but do not know
    what modalities have in common.

    References
    ----------
    Wang, Tran and Feiszli, "What makes training multi-modal classification networks hard?", CVPR
    2020: OGR. Wolpert, "Stacked generalization", Neural Networks 5, 1992. Kittler, Hatef, Duin and
    Matas, "On combining classifiers", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 20, 1998: mean, product and vote.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from mkfusion import LateFusionClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> modalities = [("acids", [1, 2, 3]), ("phenols", [5, 6, 7, 8]), ("colour", [9, 10])]
    >>> fusion = LateFusionClassifier(modalities=modalities, weighting="learned").fit(X, y)
    >>> fusion.weights_.round(2)
    array([0.06, 0.14, 0.79])
    >>> {name: round(score, 2) for name, score in fusion.modality_scores_.items()}
    {'acids': 0.74, 'phenols': 0.78, 'colour': 0.83}
    >>> fusion.predict_proba(X[:1]).round(2)
    array([[0.83, 0.12, 0.04]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LateFusion._parameter_constraints,
        "combine": [Options(str, {"mean", "product", "vote", "stack"})],
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any, Any]] | None = None,
        *,
        estimator: Any = None,
        modalities: list[tuple[str, Any]] | None = None,
        combine: str = "mean",
        weighting: Any = "uniform",
        final_estimator: Any = None,
        cv: Any = 5,
        calibrate: str = "auto",
        missing: str = "error",
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.estimator = estimator
        self.modalities = modalities
        self.combine = combine
        self.weighting = weighting
        self.final_estimator = final_estimator
        self.cv = cv
        self.calibrate = calibrate
        self.missing = missing
        self.n_jobs = n_jobs

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of every class; not with "vote".

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
        if self.combine == "stack":
            return self.final_estimator_.predict_proba(self._stack_sees(X))
        known = self._known(X)
        said, weights = self._responses(known), renormalised(self.weights_, known.present)
        if self.combine == "product":
            return softmax(np.einsum("ikc,ik->ic", log_chances(said), weights), axis=1)
        return np.einsum("ikc,ik->ic", said, weights)

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
        if self.combine == "stack":
            return np.asarray(self.final_estimator_.predict(self._stack_sees(X)))
        chances = self._votes(X) if self.combine == "vote" else self.predict_proba(X)
        return labels_from_decisions(chances, self.classes_)

    def _votes(self, X: Any) -> Floats:
        """Return the weight of the votes for each class, of shape (n_samples, n_classes)."""
        known = self._known(X)
        weights = renormalised(self.weights_, known.present)
        votes = np.zeros((len(weights), len(self.classes_)))
        pairs = zip(self.modality_names_, self.estimators_, known.parts, strict=True)
        for k, (name, estimator, part) in enumerate(pairs):
            if part is None:
                continue
            with about(name), blaming(part):
                label = np.asarray(estimator.predict(seen_by(estimator, part)))
            rows = known.rows(k)
            votes[rows] += weights[rows, k, np.newaxis] * (label[:, np.newaxis] == self.classes_)
        # Ties in the number of votes must not be decided by how sums of weights are rounded.
        return np.round(votes, 12)

    def _calibration(self) -> str | None:
        return None if self.combine == "vote" and self.calibrate == "auto" else self.calibrate

    def _score(self, responses: Floats, codes: NDArray[Any], share: Floats) -> float:
        return float(share @ (responses.argmax(axis=1) == codes))

    def _loss(self, responses: Floats, codes: NDArray[Any], share: Floats) -> Any:
        of_combination = geometric_loss if self.combine == "product" else mixture_loss
        return of_combination(responses, codes, share)

    def _losses(self, responses: Floats, codes: NDArray[Any]) -> Floats:
        return -log_chances(responses[np.arange(len(codes)), :, codes])

    def _constant_loss(self, codes: NDArray[Any], share: Floats) -> float:
        frequencies: Floats = np.bincount(codes, weights=share).astype(np.float64)
        return -float(frequencies @ log_chances(frequencies))


class LateFusionRegressor(RegressorMixin, LateFusion):
    """Combine the predictions of one regressor per modality.

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
    combine : {"mean", "stack"}, default="mean"
        Weighted mean of the predictions, or `final_estimator` on them.
    weighting : {"uniform", "learned", "ogr"} or array-like of shape (n_modalities,), \
            default="uniform"
        Weights of "mean". "learned" ones minimise the squared error out of fold, "ogr" goes by
        each modality's overfitting-to-generalisation ratio, as :class:`LateFusionClassifier`
        documents, with squared errors for log losses. They are scaled to a sum of 1.
    final_estimator : regressor, default=None
        For "stack"; None is :class:`sklearn.linear_model.RidgeCV`.
    cv : int, splitter or iterable of splits, default=5
        Folds by which weights or `final_estimator` are learned. An int is not shuffled. Not used
        where nothing is.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        refused (unless the estimator of the modality takes them), the modality's estimator is
        fitted to the samples that have it and skipped where it is missing, the weights of the
        others then scaled to a sum of 1, or columns of numbers are predicted from the other
        modalities by ridge regression. "stack" needs all modalities: "marginalise" is refused.
    n_jobs : int, default=None
        Fits at the same time: of all modalities and folds.

    Attributes
    ----------
    estimators_ : list of n_modalities regressors
        Fitted to all training samples.
    modality_names_ : list of n_modalities str
        Their modalities.
    weights_ : ndarray of shape (n_modalities,)
        Non-negative, of sum 1; not with "stack".
    final_estimator_ : regressor
        With "stack".
    modality_scores_ : dict of str to float
        R^2 of each modality out of fold, where weights or `final_estimator` are learned.
    ogr_ : dict of str to float
        With "ogr", each modality's overfitting-to-generalisation ratio, infinite if it is no
        better out of fold than the mean.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    EarlyFusionRegressor : One regressor on the features of all modalities.
    GatedFusionRegressor : Weights of the modalities that depend on the sample.
    InteractionRegressor : Products of modalities, which no late fusion can see.

    Notes
    -----
    A mean of predictions is not their sum: if each of two modalities explains a part of the target,
    its regressor predicts that part only, and the mean half of both. "stack" can scale them.

    References
    ----------
    Breiman, "Stacked regressions", Machine Learning 24, 1996: non-negative weights out of fold.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import LateFusionRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> modalities = [("body", ["age", "sex", "bmi", "bp"]), ("blood", slice("s1", "s6"))]
    >>> fusion = LateFusionRegressor(modalities=modalities, weighting="learned").fit(X, y)
    >>> fusion.weights_.round(2)
    array([0.55, 0.45])
    >>> stacked = LateFusionRegressor(modalities=modalities, combine="stack").fit(X, y)
    >>> stacked.final_estimator_.coef_.round(2)
    array([0.68, 0.61])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{k: v for k, v in LateFusion._parameter_constraints.items() if k != "calibrate"},
        "combine": [Options(str, {"mean", "stack"})],
    }

    def __init__(
        self,
        estimators: list[tuple[str, Any, Any]] | None = None,
        *,
        estimator: Any = None,
        modalities: list[tuple[str, Any]] | None = None,
        combine: str = "mean",
        weighting: Any = "uniform",
        final_estimator: Any = None,
        cv: Any = 5,
        missing: str = "error",
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.estimator = estimator
        self.modalities = modalities
        self.combine = combine
        self.weighting = weighting
        self.final_estimator = final_estimator
        self.cv = cv
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
        if self.combine == "stack":
            return np.asarray(self.final_estimator_.predict(self._stack_sees(X)))
        known = self._known(X)
        said = self._responses(known)[:, :, 0]
        return np.einsum("ik,ik->i", said, renormalised(self.weights_, known.present))

    def _calibration(self) -> None:
        return None

    def _score(self, responses: Floats, codes: NDArray[Any], share: Floats) -> float:
        return 1.0 - float(squared_loss(responses[:, np.newaxis], codes, share)(np.ones(1))[0])

    def _loss(self, responses: Floats, codes: NDArray[Any], share: Floats) -> Any:
        return squared_loss(responses, codes, share)

    def _losses(self, responses: Floats, codes: NDArray[Any]) -> Floats:
        return (responses[:, :, 0] - codes[:, np.newaxis]) ** 2

    def _constant_loss(self, codes: NDArray[Any], share: Floats) -> float:
        return float(share @ (codes - share @ codes) ** 2)
