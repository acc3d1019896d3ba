"""Recognising classes by their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from mkfusion._compat import HasMethods
from mkfusion._types import Floats
from mkfusion.cca._analysis import CCA
from mkfusion.data import check_rows, labels_from_decisions, read_labels, remember_features


class ZeroShotClassifier(ClassifierMixin, BaseEstimator):
    """Assign samples to the class whose description is nearest in a shared space.

    The space is learned between samples and the descriptions of their classes. A class that no
    training sample has is recognised by its description alone.

    Parameters
    ----------
    descriptions : dict of label to array-like of shape (n_attributes,), or DataFrame of shape \
            (n_classes, n_attributes) with the labels as index, default=None
        Numbers that describe each class: attributes, or embeddings of its name. None describes
        every training class by its own indicator, which leaves none to recognise unseen.
    coordination : CCA or KernelCCA, default=None
        What learns the space from samples as X and descriptions as y; None for
        ``CCA(None, regularisation=0.1)``.
    candidates : list of labels, default=None
        Classes to choose from; None for all that are described. Classes of the training samples
        among them win more often than they should.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes to choose from, sorted.
    coordination_ : CCA or KernelCCA
        Fitted.
    class_scores_ : ndarray of shape (n_classes, n_components)
        The descriptions in the shared space.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    retrieve : Samples by samples.

    References
    ----------
    Lampert, Nickisch and Harmeling, "Attribute-based classification for zero-shot visual object
    categorization", IEEE TPAMI 36 (2014): the problem.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import ZeroShotClassifier
    >>> descriptions = {"sw": [0, 0], "se": [1, 0], "nw": [0, 1], "ne": [1, 1]}
    >>> y = np.repeat(["sw", "se", "nw", "ne"], 20)
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(80, 2))
    >>> X = np.array([descriptions[label] for label in y]) + noise
    >>> seen = y != "ne"
    >>> model = ZeroShotClassifier(descriptions).fit(X[seen], y[seen])
    >>> float(np.mean(model.predict(X[~seen]) == "ne"))
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "descriptions": [Mapping, HasMethods("to_numpy"), None],
        "coordination": [HasMethods(["fit", "transform_modality"]), None],
        "candidates": ["array-like", None],
    }

    def __init__(
        self,
        descriptions: Any = None,
        *,
        coordination: Any = None,
        candidates: Any = None,
    ) -> None:
        self.descriptions = descriptions
        self.coordination = coordination
        self.candidates = candidates

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the space that samples and descriptions of their classes share.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels, all of them described.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If a label, or a candidate, has no description, or there is one class only.
        """
        self._validate_params()
        samples = check_array(X, dtype=np.float64, estimator=self, input_name="X")
        check_rows(X, y=y)
        _, seen, codes = read_labels(samples, y)
        labels, table = self._described(seen)
        positions = _positions(labels, seen, "y")
        chosen = labels if self.candidates is None else np.unique(np.asarray(self.candidates))
        rows = table[_positions(labels, chosen, "candidates")]
        coordination = (
            CCA(None, regularisation=0.1) if self.coordination is None else clone(self.coordination)
        )
        coordination.fit(samples, table[positions][codes])
        class_scores = coordination.transform_modality(rows, "y")
        remember_features(self, X)
        self.coordination_ = coordination
        self.classes_ = chosen
        self.class_scores_ = class_scores
        return self

    def _described(self, seen: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
        """Return the sorted labels that have a description, and their descriptions."""
        given = self.descriptions
        if given is None:
            return seen, np.eye(len(seen))
        if isinstance(given, Mapping):
            labels, rows = np.array(list(given)), list(given.values())
        else:
            labels, rows = np.asarray(given.index), given.to_numpy()
        table = check_array(rows, dtype=np.float64, input_name="descriptions")
        found, order = np.unique(labels, return_index=True)
        if len(found) < len(labels):
            raise ValueError("descriptions has a label twice; expected one row for each class.")
        return found, table[order]

    def decision_function(self, X: Any) -> Floats:
        """Return how similar samples are to the description of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            Cosines in the shared space; with two classes, the second's less the first's.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        scores = self.coordination_.transform_modality(X, "X")
        cosines: Floats = cosine_similarity(scores, self.class_scores_)
        return cosines[:, 1] - cosines[:, 0] if len(self.classes_) == 2 else cosines

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class with the nearest description.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Samples.

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


def _positions(labels: NDArray[Any], wanted: NDArray[Any], name: str) -> NDArray[np.intp]:
    """Return where labels stand among those that have a description."""
    missing = np.setdiff1d(wanted, labels)
    if len(missing):
        raise ValueError(
            f"{name} has the classes {missing.tolist()} without a description; described are "
            f"{labels.tolist()}."
        )
    return np.searchsorted(labels, wanted)
