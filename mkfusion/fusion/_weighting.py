"""Weights of modalities, learned from what their experts say out of fold."""

from __future__ import annotations

from collections.abc import Callable
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

from mkfusion._types import Floats

_Loss = Callable[[Floats], tuple[float, Floats]]

# Probabilities below it are taken for it: a certainty that is wrong costs 36 nats, not infinitely.
_LEAST_CHANCE = float(np.finfo(np.float64).eps)
# How far the loss may be above its minimum; losses are about 1.
_GAP = 1e-6
# Weights below it are what the optimiser leaves of 0.
_NO_WEIGHT = 1e-8


def log_chances(chances: Floats) -> Floats:
    """Return finite logarithms of probabilities."""
    return np.log(np.maximum(chances, _LEAST_CHANCE))


def mixture_loss(responses: Floats, codes: NDArray[np.intp], share: Floats) -> _Loss:
    """Return the log loss of the weighted mean of probabilities, and its gradient.

    Parameters
    ----------
    responses : ndarray of shape (n_samples, n_experts, n_classes)
    codes : ndarray of shape (n_samples,)
    share : ndarray of shape (n_samples,)
        Weights of the samples, of sum 1.
    """
    right = np.maximum(responses[np.arange(len(codes)), :, codes], _LEAST_CHANCE)

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = right @ weights
        return -float(share @ np.log(mixed)), -(share / mixed) @ right

    return loss


def geometric_loss(responses: Floats, codes: NDArray[np.intp], share: Floats) -> _Loss:
    """Return the log loss of the weighted geometric mean of probabilities, and its gradient."""
    logs = log_chances(responses)
    right = logs[np.arange(len(codes)), :, codes]

    def loss(weights: Floats) -> tuple[float, Floats]:
        mixed = np.einsum("ikc,k->ic", logs, weights)
        value = share @ (logsumexp(mixed, axis=1) - right @ weights)
        expected = np.einsum("ic,ikc->ik", softmax(mixed, axis=1), logs)
        return float(value), share @ (expected - right)

    return loss


def squared_loss(responses: Floats, y: Floats, share: Floats) -> _Loss:
    """Return the squared error of the weighted mean of predictions over y's variance."""
    predicted = responses[:, :, 0]
    variance = share @ (y - share @ y) ** 2 or 1.0

    def loss(weights: Floats) -> tuple[float, Floats]:
        residual = predicted @ weights - y
        slope = 2.0 * (share * residual) @ predicted
        return float(share @ residual**2 / variance), slope / variance

    return loss


def on_simplex(loss: _Loss, n_experts: int) -> Floats:
    """Minimise a convex loss over non-negative weights of sum 1.

    Starts at equal weights: experts that say the same keep the same weight.

    Parameters
    ----------
    loss : callable
        Of weights (n_experts,); returns the value and the gradient.
    n_experts : int

    Returns
    -------
    ndarray of shape (n_experts,)

    Warns
    -----
    ConvergenceWarning
        If the loss may be more than 1e-6 above its minimum.
    """
    found = minimize(
        loss,
        np.full(n_experts, 1.0 / n_experts),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_experts,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1.0,
            "jac": lambda weights: np.ones((1, n_experts)),
        },
        options={"ftol": 1e-13, "maxiter": 1000},
    )
    weights = np.where(found.x > _NO_WEIGHT, found.x, 0.0)
    weights /= weights.sum()
    # A convex loss is nowhere further below its tangent than this.
    slope = loss(weights)[1]
    gap = float(slope @ weights - slope.min())
    if gap > _GAP:
        warn(
            f"Weights of the modalities were not found exactly: the loss is up to {gap:.1e} above "
            "its minimum.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return weights


def ogr_weights(
    training: Floats, held_out: Floats, ignorant: float, share: Floats
) -> tuple[Floats, Floats]:
    """Return weights G_k / O_k^2 of sum 1, and the ratios O_k / G_k.

    Parameters
    ----------
    training, held_out : ndarray of shape (n_samples, n_experts)
        Losses of each sample by experts that were fitted to it, and by others.
    ignorant : float
        The loss of who knows the targets only.
    share : ndarray of shape (n_samples,)
        Weights of the samples, of sum 1.

    Returns
    -------
    weights : ndarray of shape (n_experts,)
    ratios : ndarray of shape (n_experts,)
        Infinite for an expert that is no better than ignorant.
    """
    gap = held_out - training
    mean = share @ gap
    # Its standard error bounds O from below: an O of 0 by luck would take all the weight.
    error = np.sqrt(share**2 @ (gap - mean) ** 2)
    overfitting = np.maximum(np.maximum(np.abs(mean), error), _GAP * ignorant)
    generalisation = np.maximum(ignorant - share @ held_out, 0.0)
    if not generalisation.any():
        warn(
            "No modality predicts better out of fold than the targets' frequencies or mean alone; "
            "all get the same weight.",
            UserWarning,
            stacklevel=2,
        )
        return np.full(len(mean), 1.0 / len(mean)), np.full(len(mean), np.inf)
    weights = generalisation / overfitting**2
    with np.errstate(divide="ignore"):
        return weights / weights.sum(), overfitting / generalisation
