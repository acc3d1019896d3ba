"""Early fusion: one estimator on the features of all modalities."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import HasMethods
from mkfusion.data import Known, remember_features
from mkfusion.fusion._features import Blocks, TransformerParameters, about_gaps, join
from mkfusion.fusion._fitting import fit_weighted
from mkfusion.fusion._missing import refuse_nan
from mkfusion.kernels import SampleCompletion


def _inner_has(method: str) -> Any:
    def check(fusion: _EarlyFusion) -> bool:
        inner = getattr(fusion, "estimator_", fusion.estimator)
        return hasattr(LogisticRegression if inner is None else inner, method)

    return check


class _EarlyFusion(TransformerParameters):
    estimator: Any
    modalities: list[Any] | None
    block_scaling: bool
    _completion: SampleCompletion

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "modalities": [list, tuple, None],
        "block_scaling": ["boolean"],
        **TransformerParameters._missing_constraints,
    }

    def __init__(
        self,
        estimator: Any = None,
        modalities: list[Any] | None = None,
        *,
        block_scaling: bool = True,
        missing: str = "error",
    ) -> None:
        self.estimator = estimator
        self.modalities = modalities
        self.block_scaling = block_scaling
        self.missing = missing

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make features of every modality, and fit the estimator to all of them.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimator, which must take it, for
            transformers that do, and for the scales of the blocks.

        Returns
        -------
        self : object
            Fitted fusion.

        Raises
        ------
        ValueError, TypeError
            If modalities or columns are not there, or cannot be made into numbers; the message
            says of which modality.
        """
        self._validate_params()
        training, entries = self._read_training(X, y, sample_weight)
        samples, targets, weights, completion, known = training
        # Gaps in rows that are there are the estimator's.
        blocks = Blocks(entries, self.block_scaling)
        of_modalities = blocks.fit(known, targets.given, weights)
        features = join(of_modalities)
        estimator = self.estimator
        if estimator is None:
            estimator = Ridge() if targets.classes is None else LogisticRegression()
        with about_gaps(samples.names, of_modalities, known.parts):
            fitted = fit_weighted(clone(estimator), features, targets.given, weights)
        # Only now: nothing is kept of a fit that fails.
        remember_features(self, samples.X)
        self._completion = completion
        self._blocks = blocks
        self._sparse = issparse(features)
        self.estimator_ = fitted
        self.transformers_ = dict(zip(blocks.names, blocks.transformers, strict=True))
        self.block_scales_ = dict(zip(blocks.names, blocks.scales.tolist(), strict=True))
        if targets.classes is not None:
            self.classes_ = fitted.classes_
        return self

    def features(self, X: Any) -> Any:
        """Return what the estimator sees: the features of all modalities.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_features_of_all)
            Modalities in their order.
        """
        return join(self._blocks.transform(self._known(X)), self._sparse)

    def _known(self, X: Any) -> Known:
        check_is_fitted(self)
        return self._completion.read(self, X)

    def _ask(self, method: str, X: Any) -> NDArray[Any]:
        """Return what a method of the estimator says about samples."""
        known = self._known(X)
        blocks = self._blocks.transform(known)
        with about_gaps(self._blocks.names, blocks, known.parts):
            said = np.asarray(getattr(self.estimator_, method)(join(blocks, self._sparse)))
        refuse_nan(said, type(self.estimator_).__name__)
        return said

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the prediction for each sample.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels, or numbers.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._ask("predict", X)


class EarlyFusionClassifier(ClassifierMixin, _EarlyFusion):
    """Fit one classifier to the features of all modalities, side by side.

    Parameters
    ----------
    estimator : classifier, default=None
        None is logistic regression.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        `columns` is a modality's name, or columns as in :class:`sklearn.compose.ColumnTransformer`.
        `transformer` makes features of them: texts need one, and signals; "passthrough" takes
        them as they are, and without one they are scaled by
        :class:`sklearn.preprocessing.StandardScaler`. Parameters are reached by
        ``name__parameter``. None is all of `Modalities`, or one modality of all columns.
    block_scaling : bool, default=True
        Whether the features of each modality are divided by the square root of the sum of their
        variances in the training samples. Every modality then counts the same in distances and
        penalties, be it of 5 columns or of 1000.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        left to the transformer and the estimator, which refuse them unless they take gaps; its
        features are filled with their means over the training samples that have it (with 0 where
        they are sparse), so that they say nothing; or columns of numbers are predicted from the
        other modalities by ridge regression.

    Attributes
    ----------
    estimator_ : classifier
        Fitted to all features.
    transformers_ : dict of str to transformer
        Each modality's, fitted.
    block_scales_ : dict of str to float
        What each modality's features are multiplied by.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    LateFusionClassifier : One classifier per modality, combined.
    ColumnKernelizer : Kernels of the modalities instead of features.
    sklearn.compose.ColumnTransformer : Features of groups of columns.

    Notes
    -----
    What block scaling does not change: trees, and linear models without a penalty.

    It makes features small, those of wide modalities smaller: 1 / sqrt(n_columns) for standardised
    ones. Strengths of penalties mean something else than without it; search them by
    ``estimator__C``.

    Features are sparse if a modality's are and less than 30 % of all are not zero.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from mkfusion import EarlyFusionClassifier, Modalities
    >>> X = Modalities(
    ...     vitals=[[36.6, 70.0], [39.5, 110.0], [36.8, 64.0], [39.1, 95.0]],
    ...     notes=["calm", "hot and restless", "calm, slept", "hot"],
    ... )
    >>> fusion = EarlyFusionClassifier(
    ...     modalities=[("vitals", "vitals"), ("notes", TfidfVectorizer(), "notes")]
    ... )
    >>> fusion.fit(X, ["well", "ill", "well", "ill"]).predict(X)
    array(['well', 'ill', 'well', 'ill'], dtype='<U4')
    >>> {name: round(scale, 2) for name, scale in fusion.block_scales_.items()}
    {'vitals': 0.71, 'notes': 1.28}
    """

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class, if the estimator has it.

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
        return self._ask("predict_proba", X)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how far samples lie on the side of each class, if the estimator has it.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        return self._ask("decision_function", X)


class EarlyFusionRegressor(RegressorMixin, _EarlyFusion):
    """Fit one regressor to the features of all modalities, side by side.

    Parameters
    ----------
    estimator : regressor, default=None
        None is ridge regression.
    modalities : list of (name, columns) or (name, transformer, columns) tuples, default=None
        As in :class:`EarlyFusionClassifier`.
    block_scaling : bool, default=True
        Whether the features of each modality are divided by the square root of the sum of their
        variances in the training samples. Every modality then counts the same in distances and
        penalties, be it of 5 columns or of 1000.
    missing : {"error", "marginalise", "impute"}, default="error"
        What is done about samples that lack a modality, as in :class:`ColumnKernelizer`: they are
        left to the transformer and the estimator, which refuse them unless they take gaps; its
        features are filled with their means over the training samples that have it (with 0 where
        they are sparse), so that they say nothing; or columns of numbers are predicted from the
        other modalities by ridge regression.

    Attributes
    ----------
    estimator_ : regressor
        Fitted to all features.
    transformers_ : dict of str to transformer
        Each modality's, fitted.
    block_scales_ : dict of str to float
        What each modality's features are multiplied by.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    LateFusionRegressor : One regressor per modality, combined.
    InteractionRegressor : Products of modalities as well.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import EarlyFusionRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> modalities = [("body", ["age", "sex", "bmi", "bp"]), ("blood", slice("s1", "s6"))]
    >>> fusion = EarlyFusionRegressor(modalities=modalities).fit(X, y)
    >>> round(fusion.score(X, y), 2)
    0.52
    >>> float(fusion.features(X).var(axis=0)[:4].sum().round(6))
    1.0
    """
