"""Directions along which samples are nearer to their own partners than to those of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from mkfusion._types import Floats, Indices
from mkfusion.cca._solver import offsets

# The hinge is a parabola within this distance of its kink, so that it has a derivative there.
_ROUNDED = 0.01
# Scores whose squared length is less than so much of the mean one count less, down to 0 at the
# origin: the cosines of short ones would turn round at the smallest step.
_CORE = 0.1
# A loss of cosines (n, n), the right ones on the diagonal: its value and its gradient.
Loss = Callable[[Floats], tuple[float, Floats]]


class Contrast(NamedTuple):
    """Outcome of :func:`solve_contrast`.

    Attributes
    ----------
    directions : list of V ndarray of shape (r_v, k)
        ``||H_v D_v|| = 1``.
    objective : float
    n_iter : int
    converged : bool
        Whether no entry of the gradient is larger than tol.
    """

    directions: list[Floats]
    objective: float
    n_iter: int
    converged: bool


def infonce(temperature: float) -> Loss:
    """Return the mean cross-entropy of finding partners, in both directions."""

    def loss(cosines: Floats) -> tuple[float, Floats]:
        n = len(cosines)
        logits = cosines / temperature
        by_row = logits - logsumexp(logits, axis=1, keepdims=True)
        by_column = logits - logsumexp(logits, axis=0, keepdims=True)
        value = -float(np.trace(by_row) + np.trace(by_column)) / (2 * n)
        slope: Floats = np.exp(by_row) + np.exp(by_column)
        slope.flat[:: n + 1] -= 2.0
        return value, slope / (2 * n * temperature)

    return loss


def margin_loss(margin: float) -> Loss:
    """Return the hinges ``[margin - s_ii + s_ij]_+`` summed over j != i, a mean over i and ways."""

    def loss(cosines: Floats) -> tuple[float, Floats]:
        n = len(cosines)
        own = np.diag(cosines)
        value, slope = 0.0, np.zeros_like(cosines)
        for axis in (1, 0):
            excess = margin + cosines - np.expand_dims(own, axis)
            excess.flat[:: n + 1] = -np.inf
            part = np.clip((excess + _ROUNDED) / (2 * _ROUNDED), 0.0, 1.0)
            # The parabola has the value (and slope) of the hinge at the end of its piece.
            value += float(np.sum(np.where(part < 1.0, _ROUNDED * part**2, excess)))
            slope += part
            slope.flat[:: n + 1] -= part.sum(axis=axis)
        return value / (2 * n), slope / (2 * n)

    return loss


def contrast(
    blocks: Sequence[Floats],
    directions: Sequence[Floats],
    loss: Loss,
    penalty: float,
    batches: Sequence[Indices],
) -> tuple[float, list[Floats]]:
    """Return the objective, and its gradient by each modality's directions.

    What is compared are ``z_i / sqrt(|z_i|^2 + core mean_j |z_j|^2)`` for scores z, nearly cosines.

    The mean of a loss over batches and pairs of modalities, plus the sum over modalities of
    ``penalty ||D_v||^2 / ||H_v D_v||^2``. Neither changes with the length of D_v, which is held by
    ``(||H_v D_v||^2 - 1)^2 / 2``: 0 at the minimum.

    Parameters
    ----------
    blocks : list of V ndarray of shape (n, r_v)
    directions : list of V ndarray of shape (r_v, k)
    loss : callable
    penalty : float
    batches : list of ndarray of int
        A partition of the samples.

    Returns
    -------
    objective : float
    gradient : list of V ndarray of shape (r_v, k)
    """
    n = len(blocks[0])
    pairs = list(combinations(range(len(blocks)), 2))
    scores = [H @ D for H, D in zip(blocks, directions, strict=True)]
    sizes = [
        np.sqrt(np.sum(Z * Z, axis=1, keepdims=True) + _CORE * np.sum(Z * Z) / n) for Z in scores
    ]
    units = [Z / size for Z, size in zip(scores, sizes, strict=True)]
    value, slopes = 0.0, [np.zeros_like(Z) for Z in scores]
    for batch in batches:
        share = len(batch) / (n * len(pairs))
        for u, v in pairs:
            part, slope = loss(units[u][batch] @ units[v][batch].T)
            value += share * part
            slopes[u][batch] += share * (slope @ units[v][batch])
            slopes[v][batch] += share * (slope.T @ units[u][batch])
    gradient = []
    for H, D, Z, size, slope in zip(blocks, directions, scores, sizes, slopes, strict=True):
        shortened = np.sum(Z * slope, axis=1, keepdims=True) / size**3
        tangent = slope / size - Z * (shortened + _CORE / n * shortened.sum())
        weight, spread = float(np.sum(D * D)), float(np.sum(Z * Z))
        value += penalty * weight / spread + 0.5 * (spread - 1.0) ** 2
        held = 2.0 * (spread - 1.0 - penalty * weight / spread**2)
        gradient.append(H.T @ (tangent + held * Z) + (2.0 * penalty / spread) * D)
    return value, gradient


def solve_contrast(
    blocks: Sequence[Floats],
    start: Sequence[Floats],
    loss: Loss,
    penalty: float,
    batches: Sequence[Indices],
    tol: float,
    max_iter: int,
) -> Contrast:
    """Minimise :func:`contrast` by L-BFGS.

    Parameters
    ----------
    blocks, loss, penalty, batches
        As for :func:`contrast`.
    start : list of V ndarray of shape (r_v, k)
    tol : float
        Largest entry of the gradient.
    max_iter : int

    Returns
    -------
    Contrast
    """
    k = start[0].shape[1]
    parts = offsets([block.shape[1] for block in blocks])

    def split(flat: Floats) -> list[Floats]:
        stacked = flat.reshape(-1, k)
        return [stacked[part] for part in parts]

    def function(flat: Floats) -> tuple[float, Floats]:
        value, gradient = contrast(blocks, split(flat), loss, penalty, batches)
        return value, np.vstack(gradient).ravel()

    found = minimize(
        function,
        np.vstack(_of_unit_spread(blocks, start)).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "gtol": tol, "ftol": 0.0, "maxcor": 20},
    )
    return Contrast(
        _of_unit_spread(blocks, split(found.x)),
        float(found.fun),
        int(found.nit),
        bool(np.abs(found.jac).max() <= tol),
    )


def _of_unit_spread(blocks: Sequence[Floats], directions: Sequence[Floats]) -> list[Floats]:
    """Return directions along which the training samples have unit mean squared length."""
    return [D / np.linalg.norm(H @ D) for H, D in zip(blocks, directions, strict=True)]
