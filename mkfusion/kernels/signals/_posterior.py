"""How often two time steps are matched, over all alignments of two signals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT)
def _log_sum(a: float, b: float, c: float) -> float:
    """Return ``log(exp(a) + exp(b) + exp(c))``."""
    most = max(a, max(b, c))
    if most == -np.inf:
        return most
    return most + np.log(np.exp(a - most) + np.exp(b - most) + np.exp(c - most))


@njit(**_JIT)
def _log_scores(
    x: Floats, z: Floats, weights: Floats, rate: float, share: float, out: Floats
) -> None:
    """Write ``log(s / (1 + share - share s))``, s the scores of pairs as of `log_alignments`."""
    for i in range(x.shape[1]):
        for j in range(z.shape[1]):
            weight = weights[abs(i - j)]
            if weight <= 0.0:
                out[i, j] = -np.inf
                continue
            distance = 0.0
            for c in range(x.shape[0]):
                difference = x[c, i] - z[c, j]
                distance += difference * difference
            score = np.log(weight) - rate * distance
            out[i, j] = score - np.log1p(-share * np.expm1(score))


@njit(**_JIT)
def _forward(scores: Floats, sums: Floats) -> None:
    """Write the log sum over alignments of the steps up to a pair, with its own score."""
    n, m = scores.shape
    for i in range(n):
        for j in range(m):
            before = 0.0
            if i > 0 or j > 0:
                before = _log_sum(
                    sums[i - 1, j - 1] if i > 0 and j > 0 else -np.inf,
                    sums[i - 1, j] if i > 0 else -np.inf,
                    sums[i, j - 1] if j > 0 else -np.inf,
                )
            sums[i, j] = scores[i, j] + before


@njit(**_JIT)
def _backward(scores: Floats, sums: Floats) -> None:
    """Turn sums up to each pair into the share of all alignments that match it."""
    n, m = scores.shape
    total = sums[n - 1, m - 1]
    # Log sums over what may follow a pair: in the next row, and in this one.
    below, here = np.full(m + 1, -np.inf), np.full(m + 1, -np.inf)
    for i in range(n - 1, -1, -1):
        here[m] = -np.inf
        for j in range(m - 1, -1, -1):
            after = 0.0
            if i < n - 1 or j < m - 1:
                after = _log_sum(below[j + 1], below[j], here[j + 1])
            # Above 1 by rounding alone.
            sums[i, j] = min(np.exp(sums[i, j] + after - total), 1.0)
            here[j] = scores[i, j] + after
        below, here = here, below


def match_shares(x: Floats, z: Floats, weights: Floats, rate: float, share: float) -> Floats:
    """Return how often each pair of time steps is matched, over all alignments of two signals.

    It is the derivative of the log of the sum over alignments by the log scores of pairs, found by
    one pass forward and one backward. There must be an alignment of positive weight.

    Parameters
    ----------
    x : ndarray of shape (n_channels, n_steps_x), float64
    z : ndarray of shape (n_channels, n_steps_z), float64
    weights : ndarray of shape (max(n_steps_x, n_steps_z),)
        w(|i - j|).
    rate, share : float
        As of `log_alignments`, but of natural exponents.

    Returns
    -------
    ndarray of shape (n_steps_x, n_steps_z)
        In [0, 1].
    """
    scores = np.empty((x.shape[1], z.shape[1]))
    _log_scores(np.ascontiguousarray(x), np.ascontiguousarray(z), weights, rate, share, scores)
    sums = np.empty_like(scores)
    _forward(scores, sums)
    _backward(scores, sums)
    return sums
