"""What both late fusions share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.utils._param_validation import HasMethods, Options

from mkfusion.fusion._experts import ExpertFusion, HeldOut, Reading, response
from mkfusion.fusion._inputs import fit_weighted
from mkfusion.fusion._weighting import ogr_weights, on_simplex

__all__ = ["LateFusion", "OUT_OF_FOLD", "meta_features"]

_Array = NDArray[np.float64]

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
        reading = self._read(X, y, sample_weight)
        weights = self._given_weights(len(reading.views))
        stacking = self.combine == "stack"
        learning = stacking or weights is None
        fitted, held_out = self._fit_experts(
            reading, groups, held_out=learning, calibrate=self._calibration()
        )
        final, scores, ratios = None, None, None
        if held_out is not None:
            share = reading.share[held_out.rows]
            if not share.any():
                raise ValueError("sample_weight is 0 for all samples that cv holds out.")
            codes = reading.targets.codes[held_out.rows]
            scores = [
                self._score(held_out.responses[:, k], codes, share / share.sum())
                for k in range(len(fitted))
            ]
            if stacking:
                final = self._stacked(reading, held_out)
            elif self.weighting == "ogr":
                weights, ratios = self._by_ogr(reading, held_out, fitted)
            else:
                loss = self._loss(held_out.responses, codes, share / share.sum())
                weights = on_simplex(loss, len(fitted))
        self._keep(reading, fitted)
        self._final, self._scores, self._ratios, self._weights = final, scores, ratios, weights
        return self

    def _given_weights(self, n_modalities: int) -> _Array | None:
        """Return weights that need not be learned, None if they must be."""
        by_name = isinstance(self.weighting, str)
        if self.combine in ("stack", "vote") and by_name and self.weighting in OUT_OF_FOLD:
            reason = "learns its own" if self.combine == "stack" else "has no probabilities"
            raise ValueError(
                f"weighting is {self.weighting!r} and combine is {self.combine!r}, which {reason}; "
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

    def _stacked(self, reading: Reading, held_out: HeldOut) -> Any:
        """Return the final estimator, fitted to what the experts say out of fold."""
        final = self.final_estimator
        if final is None:
            final = RidgeCV() if reading.targets.classes is None else LogisticRegression()
        return fit_weighted(
            clone(final),
            meta_features(held_out.responses),
            reading.targets.given[held_out.rows],
            None if reading.weights is None else reading.weights[held_out.rows],
        )

    def _by_ogr(
        self, reading: Reading, held_out: HeldOut, fitted: list[Any]
    ) -> tuple[_Array, _Array]:
        """Return weights by the overfitting-to-generalisation ratio, and the ratios."""
        training = np.stack(
            [
                response(estimator, part, reading.targets.classes)
                for estimator, part in zip(fitted, reading.data, strict=True)
            ],
            axis=1,
        )[held_out.rows]
        codes = reading.targets.codes[held_out.rows]
        share = reading.share[held_out.rows] / reading.share[held_out.rows].sum()
        return ogr_weights(
            self._losses(training, codes),
            self._losses(held_out.responses, codes),
            self._ignorant(codes, share),
            share,
        )

    def _said(self, X: Any) -> _Array:
        """Return what experts say, of shape (n_samples, n_modalities, n_outputs)."""
        return self._responses(self._parts(X))

    @property
    def weights_(self) -> _Array:
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
    def _score(self, responses: _Array, codes: NDArray[Any], share: _Array) -> float:
        """Return the score of one expert's responses (n_samples, n_outputs)."""

    @abstractmethod
    def _loss(self, responses: _Array, codes: NDArray[Any], share: _Array) -> Any:
        """Return the loss of the combination as a function of the weights."""

    @abstractmethod
    def _losses(self, responses: _Array, codes: NDArray[Any]) -> _Array:
        """Return every expert's loss of every sample, of shape (n_samples, n_modalities)."""

    @abstractmethod
    def _ignorant(self, codes: NDArray[Any], share: _Array) -> float:
        """Return the mean loss of the best constant response."""


def meta_features(responses: _Array) -> _Array:
    """Return responses side by side; one probability of two says it all."""
    if responses.shape[2] == 2:
        responses = responses[:, :, 1:]
    return responses.reshape(len(responses), -1)
