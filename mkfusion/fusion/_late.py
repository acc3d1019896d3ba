"""Late fusion: one estimator per modality, and a combination of what they say."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils._param_validation import Options
from sklearn.utils.metaestimators import available_if

from mkfusion.fusion._inputs import about, seen_by
from mkfusion.fusion._late_base import LateFusion, meta_features
from mkfusion.fusion._weighting import geometric_loss, log_chances, mixture_loss, squared_loss

__all__ = ["LateFusionClassifier", "LateFusionRegressor"]

_Array = NDArray[np.float64]


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
        self.n_jobs = n_jobs

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> _Array:
        """Return the probability of every class; not with "vote".

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        said = self._said(X)
        if self.combine == "stack":
            return self.final_estimator_.predict_proba(meta_features(said))
        if self.combine == "product":
            return softmax(np.einsum("ikc,k->ic", log_chances(said), self.weights_), axis=1)
        return np.einsum("ikc,k->ic", said, self.weights_)

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
        if self.combine == "stack":
            features = meta_features(self._said(X))
            return np.asarray(self.final_estimator_.predict(features))
        chances = self._votes(X) if self.combine == "vote" else self.predict_proba(X)
        return self.classes_[chances.argmax(axis=1)]

    def _votes(self, X: Any) -> _Array:
        """Return the weight of the votes for each class, of shape (n_samples, n_classes)."""
        data = self._parts(X)
        votes = 0.0
        for view, estimator, part, weight in zip(
            self._views, self.estimators_, data, self.weights_, strict=True
        ):
            with about(view.name):
                label = estimator.predict(seen_by(estimator, part))
            votes = votes + weight * (label[:, np.newaxis] == self.classes_)
        # Ties in the number of votes must not be decided by how sums of weights are rounded.
        return np.round(votes, 12)

    def _calibration(self) -> str | None:
        return None if self.combine == "vote" and self.calibrate == "auto" else self.calibrate

    def _score(self, responses: _Array, codes: NDArray[Any], share: _Array) -> float:
        return float(share @ (responses.argmax(axis=1) == codes))

    def _loss(self, responses: _Array, codes: NDArray[Any], share: _Array) -> Any:
        of_combination = geometric_loss if self.combine == "product" else mixture_loss
        return of_combination(responses, codes, share)

    def _losses(self, responses: _Array, codes: NDArray[Any]) -> _Array:
        return -log_chances(responses[np.arange(len(codes)), :, codes])

    def _ignorant(self, codes: NDArray[Any], share: _Array) -> float:
        frequencies: _Array = np.bincount(codes, weights=share).astype(np.float64)
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
        n_jobs: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.estimator = estimator
        self.modalities = modalities
        self.combine = combine
        self.weighting = weighting
        self.final_estimator = final_estimator
        self.cv = cv
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
        said = self._said(X)
        if self.combine == "stack":
            return np.asarray(self.final_estimator_.predict(meta_features(said)))
        return said[:, :, 0] @ self.weights_

    def _calibration(self) -> None:
        return None

    def _score(self, responses: _Array, codes: NDArray[Any], share: _Array) -> float:
        return 1.0 - float(squared_loss(responses[:, np.newaxis], codes, share)(np.ones(1))[0])

    def _loss(self, responses: _Array, codes: NDArray[Any], share: _Array) -> Any:
        return squared_loss(responses, codes, share)

    def _losses(self, responses: _Array, codes: NDArray[Any]) -> _Array:
        return (responses[:, :, 0] - codes[:, np.newaxis]) ** 2

    def _ignorant(self, codes: NDArray[Any], share: _Array) -> float:
        return float(share @ (codes - share @ codes) ** 2)
