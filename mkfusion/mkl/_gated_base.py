"""Prediction with gated kernels."""

from __future__ import annotations

from abc import ABC
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from mkfusion.kernels import KernelStack
from mkfusion.kernels.stack._stack_inputs import prediction_stack
from mkfusion.mkl._gating import GatingFeatures, gates

__all__ = ["GatedClassifier"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class GatedClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A fitted support vector machine on gated kernels; how it is fitted, subclasses know."""

    gating: str
    gate_coef_: Floats
    gate_intercept_: Floats
    support_: Indices
    dual_coef_: Floats
    intercept_: Floats
    classes_: NDArray[Any]
    kernel_names_: list[str]
    n_features_in_: int
    _features: GatingFeatures
    _gated: Indices
    _support_gates: Floats

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        return tags

    def gate(self, X: Any) -> Floats:
        """Return how much each kernel counts for each sample.

        Reads, or computes, only the gating kernels between the samples and `gate_landmarks_`.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples, n_kernels)
            Gates between 0 and 1; 0 for kernels that only gate others.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        eta = np.zeros((stack.shape[0], stack.shape[2]))
        eta[:, self._gated] = self._gates(stack)
        return eta

    def _gates(self, stack: KernelStack) -> Floats:
        """Return the gates (n_samples, n_gated)."""
        scores = self._features.of(stack) @ self.gate_coef_.T + self.gate_intercept_
        return gates(scores, self.gating)

    def decision_function(self, X: Any) -> Floats:
        """Return how far samples lie on the side of each class.

        Reads, or computes, only the kernels between the samples and the support vectors, and the
        gating kernels between the samples and `gate_landmarks_`.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, positive towards ``classes_[1]``.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        eta = self._gates(stack)
        decision = np.tile(self.intercept_, (stack.shape[0], 1))
        for k, gate, support_gate in zip(self._gated, eta.T, self._support_gates.T, strict=True):
            alone = np.zeros(stack.shape[2])
            alone[k] = 1.0
            block = stack.combine(alone, cols=self.support_)
            decision += gate[:, np.newaxis] * (block @ (support_gate * self.dual_coef_).T)
        return decision[:, 0] if len(self.classes_) == 2 else decision

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between the samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        decision = self.decision_function(X)
        if decision.ndim == 1:
            return self.classes_[(decision > 0.0).astype(np.intp)]
        return self.classes_[decision.argmax(axis=1)]
