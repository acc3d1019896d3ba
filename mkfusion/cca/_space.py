"""Spaces that modalities share: what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import check_feature_names_in
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.cca._reading import as_numbers, read_analysis_again
from mkfusion.data import Modalities, View, about, blaming, check_entries

REMEDY = (
    "expected it in all of them. transform_modality and CCAFusion(missing='marginalise') go by "
    "what samples have."
)


class SharedSpace(TransformerMixin, BaseEstimator, ABC):
    """Scores of samples of several modalities in one space."""

    _views: list[View]  # none where the modalities are X and y
    modality_names_: list[str]

    @abstractmethod
    def _project(self, data: Any, v: int) -> Floats:
        """Return the scores (n_samples, k) of any samples of modality v."""

    @abstractmethod
    def _n_components(self) -> int:
        """Return how many scores a sample of a modality has."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def transform(self, X: Any, y: Any = None) -> Any:
        """Return the scores of samples in the shared space.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Samples of the second modality, where `fit` was given it as y.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities * n_components), or (n_samples, n_components)
            The scores of all modalities side by side, or of X alone where the second modality was
            y; with `y`, a tuple of both, as scikit-learn's own CCA returns it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        scores = self._scores(X, y)
        if self._views:
            return np.hstack(scores)
        return scores[0] if len(scores) == 1 else tuple(scores)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, and return the scores of the training samples.

        Parameters
        ----------
        X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            As in `fit`.
        **fit_params : dict
            There are none.

        Returns
        -------
        ndarray of shape (n_samples, n_modalities * n_components), or tuple
            As `transform`.
        """
        return self.fit(X, y, **fit_params).transform(X, y)

    def transform_modality(self, data: Any, name: str) -> Floats:
        """Return the scores of samples of which one modality is known.

        Parameters
        ----------
        data : array-like or DataFrame of shape (n_samples, n_columns), or what a kernel takes
            The modality's own samples.
        name : str
            One of `modality_names_`; "X" and "y" where `fit` was given two arrays.

        Returns
        -------
        ndarray of shape (n_samples, n_components)

        Raises
        ------
        ValueError
            If there is no such modality.
        """
        check_is_fitted(self)
        if name not in self.modality_names_:
            raise ValueError(f"name is {shown(name)}; expected one of {self.modality_names_}.")
        with about(name if self._views else ""):
            return self._project(data, self.modality_names_.index(name))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the columns of `transform`, such as ``"gyro__cca0"``.

        Parameters
        ----------
        input_features : array-like of shape (n_features,), default=None
            Ignored, but checked against the features of `fit`.

        Returns
        -------
        ndarray of shape (n_features_out,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_is_fitted(self)
        check_feature_names_in(self, input_features, generate_names=False)
        kind = type(self).__name__.lower()
        components = [f"{kind}{j}" for j in range(self._n_components())]
        if not self._views:
            return np.array(components, dtype=object)
        names = [f"{name}__{one}" for name in self.modality_names_ for one in components]
        return np.array(names, dtype=object)

    def _scores(self, X: Any, y: Any) -> list[Floats]:
        """Return the scores (n_samples, k) of the modalities that are given."""
        data = read_analysis_again(self, X, y, self._views)
        scores = []
        for v, one in enumerate(data):
            with about(self.modality_names_[v] if self._views else ""), blaming(one, REMEDY):
                scores.append(self._project(one, v))
        return scores


class LinearSpace(SharedSpace):
    """A space in which scores are weighted sums of columns."""

    scale: bool
    modalities: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scale": ["boolean"],
        "modalities": [list, tuple, None],
    }

    _column_names: list[list[str] | None]
    means_: list[Floats]
    weights_: list[Floats]

    def _all_or_given(self, X: Any) -> Any:
        """Return the modalities that were asked for, all of them by default."""
        if self.modalities is not None:
            check_entries(self.modalities, "modalities", ("(name, columns)",))
            return self.modalities
        return [(name, name) for name in X.names] if isinstance(X, Modalities) else None

    def _project(self, data: Any, v: int) -> Floats:
        weights = self.weights_[v]
        samples = as_numbers(self, data, len(weights), self._column_names[v])
        scores: Floats = (samples - self.means_[v]) @ weights
        return scores
