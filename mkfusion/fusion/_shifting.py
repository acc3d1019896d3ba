"""Bounded, gated offsets of scores, by maximum likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax

from mkfusion.fusion._descent import descend

__all__ = ["Offset", "fit_offset"]

_Array = NDArray[np.float64]


class Offset(NamedTuple):
    """Gated linear offsets of several modalities, bounded together.

    Attributes
    ----------
    coef : list of n_others ndarray of shape (width, n_outputs)
    gate_coef : list of n_others ndarray of shape (width + n_outputs,)
    gate_intercept : ndarray of shape (n_others,)
    scale : float
        Typical norm of the scores, by which gates see them.
    bound : float
        What the norm of an offset stays below.
    """

    coef: list[_Array]
    gate_coef: list[_Array]
    gate_intercept: _Array
    scale: float
    bound: float

    def gates(self, blocks: Sequence[Any], scores: _Array) -> _Array:
        """Return how far each modality's gate is open, of shape (n_samples, n_others)."""
        opened = [
            _gate_score(block, scores / self.scale, coef) + intercept
            for block, coef, intercept in zip(
                blocks, self.gate_coef, self.gate_intercept, strict=True
            )
        ]
        return expit(np.array(opened).T.reshape(len(scores), len(opened)))

    def __call__(self, blocks: Sequence[Any], scores: _Array) -> _Array:
        """Return the offset of each score, of shape (n_samples, n_outputs)."""
        opened = self.gates(blocks, scores)
        free = np.zeros_like(scores)
        for k, (block, coef) in enumerate(zip(blocks, self.coef, strict=True)):
            free += opened[:, [k]] * np.asarray(block @ coef)
        return _shrink(free, self.bound)[:, np.newaxis] * free


def _gate_score(block: Any, scores: _Array, coef: _Array) -> _Array:
    """Return the linear score of a gate that sees a modality's features and the scores."""
    width = block.shape[1]
    return np.asarray(block @ coef[:width]) + scores @ coef[width:]


def _shrink(free: _Array, bound: float) -> _Array:
    """Return the factors that make norms smaller than the bound: smooth, about 1 for small ones."""
    return 1.0 / np.sqrt(1.0 + np.einsum("ic,ic->i", free, free) / bound**2)


def fit_offset(
    blocks: Sequence[Any],
    scores: _Array,
    target: NDArray[Any],
    weights: _Array,
    *,
    several: bool,
    max_shift: float,
    alpha: float,
    max_iter: int,
    tol: float,
) -> tuple[Offset, _Array]:
    """Maximise the penalised likelihood of shifted scores.

    Parameters
    ----------
    blocks : sequence of n_others arrays or sparse matrices of shape (n_samples, width)
    scores : ndarray of shape (n_samples, n_outputs)
        Out of fold: log-probabilities of the classes up to a constant, or predictions.
    target : ndarray of shape (n_samples,)
        Positions of classes, or numbers.
    weights : ndarray of shape (n_samples,)
    several : bool
        Whether targets are classes.
    max_shift : float
        In units of the root mean square of the scores' norms around their mean.
    alpha : float
    max_iter : int
    tol : float

    Returns
    -------
    offset : Offset
    path : ndarray of shape (n_iter + 1,)
        The objective without offset and after every step; it never decreases.
    """
    share = weights / weights.sum()
    ridge = alpha / weights.sum()
    if several:
        unit = 1.0
    else:
        # In units of what the primary modality leaves, alpha does not depend on those of y.
        unit = float(np.sqrt(share @ (target - scores[:, 0]) ** 2)) or 1.0
        target = target / unit
        scores = scores / unit
    spread = float(np.sqrt(share @ np.sum((scores - share @ scores) ** 2, axis=1)))
    scale = spread or 1.0
    bound = max_shift * scale
    n_outputs = scores.shape[1]
    widths = [block.shape[1] for block in blocks]
    n_coef = sum(widths) * n_outputs
    n_gate = sum(widths) + len(widths) * n_outputs
    ends = np.cumsum([width * n_outputs for width in widths] + [w + n_outputs for w in widths])

    def read(parameters: _Array) -> Offset:
        pieces = np.split(parameters[: n_coef + n_gate], ends)[:-1]
        coef = [
            piece.reshape(width, n_outputs)
            for piece, width in zip(pieces[: len(widths)], widths, strict=True)
        ]
        return Offset(coef, pieces[len(widths) :], parameters[n_coef + n_gate :], scale, bound)

    def loss(parameters: _Array) -> tuple[float, _Array]:
        offset = read(parameters)
        opened = offset.gates(blocks, scores)
        said = [np.asarray(b @ coef) for b, coef in zip(blocks, offset.coef, strict=True)]
        free = sum((opened[:, [k]] * one for k, one in enumerate(said)), np.zeros_like(scores))
        shrunk = _shrink(free, bound)[:, np.newaxis]
        value, slope = _loss_of_scores(scores + shrunk * free, target, share, several)
        # Through the bound, d(q h)/dh = q I - q^3 h h' / bound^2.
        inner = np.einsum("ic,ic->i", slope, free)[:, np.newaxis]
        slope = shrunk * slope - shrunk**3 * inner * free / bound**2
        of_coef, of_gate, of_intercept = [], [], []
        for k, block in enumerate(blocks):
            of_coef.append(np.asarray(block.T @ (opened[:, [k]] * slope)).ravel())
            through = np.einsum("ic,ic->i", slope, said[k]) * opened[:, k] * (1.0 - opened[:, k])
            of_gate += [np.asarray(block.T @ through), through @ scores / scale]
            of_intercept.append(through.sum())
        gradient = np.concatenate([*of_coef, *of_gate, np.array(of_intercept)])
        gradient[: n_coef + n_gate] += ridge * parameters[: n_coef + n_gate]
        penalty = float(parameters[: n_coef + n_gate] @ parameters[: n_coef + n_gate])
        return value + 0.5 * ridge * penalty, gradient

    start = np.zeros(n_coef + n_gate + len(widths))
    found, path = descend(loss, start, max_iter=max_iter, tol=tol)
    offset = read(found)
    return offset._replace(
        coef=[coef * unit for coef in offset.coef], scale=scale * unit, bound=bound * unit
    ), -path


def _loss_of_scores(
    scores: _Array, target: NDArray[Any], share: _Array, several: bool
) -> tuple[float, _Array]:
    """Return the mean log loss, or half the squared error, and its gradient in the scores."""
    if not several:
        residual = scores[:, 0] - target
        return 0.5 * float(share @ residual**2), (share * residual)[:, np.newaxis]
    right = scores[np.arange(len(target)), target]
    slope = softmax(scores, axis=1)
    slope[np.arange(len(target)), target] -= 1.0
    return float(share @ (logsumexp(scores, axis=1) - right)), share[:, np.newaxis] * slope
