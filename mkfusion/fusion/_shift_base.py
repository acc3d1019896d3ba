"""What both modality shifts share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils._param_validation import HasMethods, Interval, Options
from sklearn.utils.validation import check_is_fitted

from mkfusion._views import check_features, take_views
from mkfusion.fusion._blocks import Blocks, Entry, TransformerParameters, read_entries
from mkfusion.fusion._experts import (
    Expert,
    calibration,
    default_estimator,
    fit_experts,
    response,
)
from mkfusion.fusion._inputs import (
    about,
    check_labels,
    check_numbers,
    check_weights,
    read_again,
    read_training,
    split_samples,
)
from mkfusion.fusion._shifting import fit_offset

__all__ = ["ModalityShift"]

_Array = NDArray[np.float64]

# A probability of 0 has no logarithm; a primary modality that is so sure can be shifted no more.
_LEAST_CHANCE = 1e-6


class ModalityShift(TransformerParameters):
    """Correct what a primary modality says by the others."""

    primary: str | None
    estimator: Any
    modalities: list[Any] | None
    max_shift: float
    alpha: float
    cv: Any
    max_iter: int
    tol: float
    n_jobs: int | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "primary": [str, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "modalities": [list, None],
        "max_shift": [Interval(Real, 0, None, closed="right")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "calibrate": [Options(str, {"auto", "sigmoid", "isotonic"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the primary modality's estimator, and the offset to what it says out of fold.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each sample, for the estimator, which must take it, and the
            offset.
        groups : array-like of shape (n_samples,), default=None
            For a `cv` that keeps groups together.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities or columns are not there, or the
            estimator cannot be fitted; the message says of which modality.
        """
        self._validate_params()
        entries = None if self.modalities is None else read_entries(self.modalities)
        if entries is not None:
            self._validate_names([str(entry.name) for entry in entries])
        pairs = None if entries is None else [(entry.name, entry.columns) for entry in entries]
        X, views = read_training(X, pairs)
        if entries is None:
            entries = [Entry(view.name, None, view.columns) for view in views]
        targets = check_labels(X, y) if is_classifier(self) else check_numbers(X, y)
        weights = check_weights(sample_weight, X)
        first = self._first(entries)
        data = take_views(X, views)
        # The offsets' features before the experts: what is wrong with them is known at once.
        others = [k for k in range(len(views)) if k != first]
        blocks = Blocks([entries[k] for k in others], scaled=True)
        features = blocks.fit([data[k] for k in others], targets.given, weights)
        expert = self._expert(entries[first], data[first], targets.classes)
        splits = split_samples(self.cv, targets, groups)
        (fitted,), held_out = fit_experts(
            [expert], targets, weights, splits, held_out=True, n_jobs=self.n_jobs
        )
        assert held_out is not None
        rows = held_out.rows
        share = (np.ones(len(targets.given)) if weights is None else weights)[rows]
        if not share.any():
            raise ValueError("sample_weight is 0 for all samples that cv holds out.")
        offset, path = fit_offset(
            [block[rows] for block in features],
            self._scores(held_out.responses[:, 0]),
            targets.codes[rows],
            share,
            several=targets.classes is not None,
            max_shift=self.max_shift,
            alpha=self.alpha,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        check_features(self, X, views, fitting=True)
        self._views, self._first_view, self._others = views, first, others
        self._blocks, self._offset = blocks, offset
        self.estimator_ = fitted
        self.primary_ = views[first].name
        self.other_names_ = [views[k].name for k in others]
        self.coef_ = dict(zip(self.other_names_, offset.coef, strict=True))
        self.max_norm_ = offset.bound
        self.objectives_ = path
        self.n_iter_ = len(path) - 1
        if targets.classes is not None:
            self.classes_ = targets.classes
        return self

    def _first(self, entries: list[Entry]) -> int:
        """Return which modality is primary."""
        names = [entry.name for entry in entries]
        if self.primary is None:
            return 0
        if self.primary not in names:
            raise ValueError(
                f"primary is {self.primary!r}; expected one of the modalities {names}."
            )
        return names.index(self.primary)

    def _expert(self, entry: Entry, data: Any, classes: Any) -> Expert:
        """Return what is to be fitted to the primary modality."""
        with about(entry.name):
            if entry.transformer is not None:
                raise ValueError(
                    "it is primary and has a transformer of its own; expected (name, columns), and "
                    "a Pipeline of both as the estimator."
                )
            estimator = self.estimator
            if estimator is None:
                estimator = default_estimator(data, classes)
            method = None
            if classes is not None:
                method = calibration(estimator, self.calibrate)
            return Expert(entry.name, estimator, data, method)

    def _scores(self, said: _Array) -> _Array:
        """Return what can be shifted: predictions, or centred logarithms of probabilities."""
        if said.shape[1] == 1:
            return said
        logs = np.log(np.maximum(said, _LEAST_CHANCE))
        return logs - logs.mean(axis=1, keepdims=True)

    def _read(self, X: Any) -> tuple[list[Any], _Array]:
        """Return the other modalities' features, and the primary's scores."""
        check_is_fitted(self)
        data = read_again(self, X, self._views)
        blocks = self._blocks.transform([data[k] for k in self._others])
        with about(self.primary_):
            said = response(
                self.estimator_, data[self._first_view], getattr(self, "classes_", None)
            )
        return blocks, self._scores(said)

    def shift(self, X: Any) -> _Array:
        """Return what the other modalities add to the scores of the primary.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, 1)
            Norms of rows are below `max_norm_`.
        """
        return self._offset(*self._read(X))

    def gate(self, X: Any) -> _Array:
        """Return how far the gates of the other modalities are open.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_others)
            Between 0 and 1; in the order of `other_names_`.
        """
        return self._offset.gates(*self._read(X))

    def _shifted(self, X: Any) -> _Array:
        """Return shifted scores, of shape (n_samples, n_outputs)."""
        blocks, scores = self._read(X)
        return scores + self._offset(blocks, scores)
