"""Weights of experts that depend on the sample, by maximum likelihood."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax

from mkfusion.fusion._descent import descend

__all__ = ["Gate", "fit_gate"]

_Array = NDArray[np.float64]
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

    coef: _Array
    intercept: _Array

    def weights(self, features: Any) -> _Array:
        """Return each expert's weight for each sample, of shape (n_samples, n_experts)."""
        return softmax(np.asarray(features @ self.coef.T) + self.intercept, axis=1)


def fit_gate(
    features: Any,
    log_likelihood: _Array | None,
    residuals: _Array | None,
    weights: _Array,
    *,
    alpha: float,
    max_iter: int,
    tol: float,
) -> tuple[Gate, _Array]:
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
    share = weights / weights.sum()
    ridge = alpha / weights.sum()
    start = np.zeros(n_gate + n_experts * (1 if residuals is None else 2))
    bounds = None
    if residuals is not None:
        spread = np.sqrt(share @ residuals**2)
        least = max(_LEAST_SPREAD * spread.max(), np.finfo(np.float64).tiny)
        start[-n_experts:] = np.log(np.maximum(spread, least))
        bounds = [(None, None)] * (n_gate + n_experts) + [(np.log(least), None)] * n_experts

    def loss(parameters: _Array) -> tuple[float, _Array]:
        coef = parameters[:n_gate].reshape(n_experts, n_features)
        scores = np.asarray(features @ coef.T) + parameters[n_gate : n_gate + n_experts]
        log_gate = log_softmax(scores, axis=1)
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
