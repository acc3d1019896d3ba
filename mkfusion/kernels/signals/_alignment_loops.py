"""Numba pass over all alignments of pairs of signals."""

from __future__ import annotations

from math import factorial, log
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

# Signals that are aligned with another one at the same time: what a vector register holds.
LANES = 8

_LOG2 = log(2.0)
# 2^r = sum_k c_k r^k, to the last bit for |r| <= 1/2.
_C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12 = (
    _LOG2**k / factorial(k) for k in range(1, 13)
)
# x + _ROUND has the nearest integer to x in its last bits; with the bias of an exponent added, a
# shift by the length of the mantissa makes them the exponent of 2^x.
_ROUND = 1.5 * 2.0**52
_BIASED = _ROUND + 1023.0
_MANTISSA = np.int64(52)
_FRACTION = np.int64((1 << 52) - 1)
_ONE = np.int64(1023 << 52)
# The bits of 2^52 + e are those of 2^52 with those of a small integer e.
_TWO52 = np.int64(0x433 << 52)
_OFFSET = 2.0**52 + 1023.0
# The exponent of 0, and of what will not be seen beside any other term.
_NONE = -1e300
_LEAST = -1000.0
_LONGEST_COST = 1e15


@njit(**_JIT)
def _power_of_two(exponent: float) -> Any:
    """Return 2^exponent of an integer <= 0; of those below -1000 that of -1000."""
    biased = np.float64(max(exponent, _LEAST) + _BIASED)
    return np.int64(biased.view(np.int64) << _MANTISSA).view(np.float64)


@njit(**_JIT, fastmath={"contract"})
def _add_squares(x: Floats, y: Floats, step: int, start: int, stop: int, out: Floats) -> None:
    """Write ``out[t] = sum_c (x[c, step] - y[c, t])**2`` for t from start to stop."""
    target = out[start:stop]
    target[:] = 0.0
    for c in range(x.shape[0]):
        value, others = x[c, step], y[c, start:stop]
        for t in range(target.size):
            difference = value - others[t]
            target[t] += difference * difference


@njit(**_JIT, fastmath={"contract"})
def _score(weights: Floats, rate: float, share: float, scores: Floats, exponents: Floats) -> None:
    """Turn squared distances d into scores, as a factor and a power of two.

    With s = w 2^(-rate d), a score is ``s / (1 + share - share s)``.
    """
    for t in range(scores.size):
        x = max(-rate * scores[t], -_LONGEST_COST)
        rounded = x + _ROUND
        exponent = rounded - _ROUND
        r = x - exponent
        p = _C8 + r * (_C9 + r * (_C10 + r * (_C11 + r * _C12)))
        p = _C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * (_C7 + r * p))))
        p = weights[t] * (1.0 + r * (_C1 + r * (_C2 + r * p)))
        scores[t] = p / (1.0 + share - share * (p * _power_of_two(exponent)))
        exponents[t] = exponent


@njit(**_JIT)
def _extend(
    scores: Floats,
    exponents: Floats,
    old: Floats,
    old_exponents: Floats,
    new: Floats,
    new_exponents: Floats,
) -> None:
    """Extend all alignments by a time step of the first signal.

    ``M[i, j] = g[i, j] * (M[i - 1, j] + M[i, j - 1] + M[i - 1, j - 1])`` for all j. The old and new
    rows of M begin one step of the second signal earlier than g.
    """
    for t in range(scores.size):
        left = t
        here = t + LANES
        most = max(max(old_exponents[here], new_exponents[left]), old_exponents[left])
        # In this order the sum is the same, to the last bit, with the signals exchanged.
        total = scores[t] * (
            old[here] * _power_of_two(old_exponents[here] - most)
            + new[left] * _power_of_two(new_exponents[left] - most)
            + old[left] * _power_of_two(old_exponents[left] - most)
        )
        bits = np.float64(total).view(np.int64)
        exponent = np.int64((bits >> _MANTISSA) | _TWO52).view(np.float64) - _OFFSET
        new[here] = np.int64((bits & _FRACTION) | _ONE).view(np.float64)
        new_exponents[here] = most + exponents[t] + exponent


@njit(**_JIT)
def log_alignments(
    x: Floats,
    x_lengths: Integers,
    first: Integers,
    y: Floats,
    y_lengths: Integers,
    weights: Floats,
    band: int,
    rate: float,
    share: float,
    out: Floats,
) -> None:
    """Write ``log sum_a prod_((i, j) in a) g(i, j)`` over all alignments a of two signals.

    An alignment is a path of steps (0, 1), (1, 0) and (1, 1) from the first time steps of both to
    the last ones. The score of a pair of time steps is ``g = s / (1 + share - share s)``, where
    ``s = w(|i - j|) 2^(-rate ||x_i - y_j||^2)``, and 0 where |i - j| >= band.

    Sums of products of hundreds of scores leave the range of floating-point numbers in both
    directions, also within one pair of signals. So each cell of the recursion has an exponent of
    its own, beside its number in [1, 2): as exact as without limits of the range, and without the
    logarithms and exponentials of a sum in the log domain. One signal is aligned with several at
    the same time, one in each lane; lanes do not see each other.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_channels, longest_x)
    x_lengths : ndarray of shape (n_rows,), integer
    first : ndarray of shape (n_rows,), integer
        The first batch to align each signal with; the entries of earlier ones are left as they are.
    y : ndarray of shape (n_batches, n_channels, longest_y * LANES)
        Step j of lane l stands at ``j * LANES + l``.
    y_lengths : ndarray of shape (n_batches, LANES), integer
    weights : ndarray of shape ((2 * longest - 1) * LANES,)
        w(|i - j|) at ``(longest - 1 + j - i) * LANES``, and in all lanes; `longest` of x and y.
    band : int
        At most `longest`.
    rate, share : float
    out : ndarray of shape (n_rows, n_batches * LANES)
        Modified in place; -inf where there is no alignment.
    """
    n_batches, _, width = y.shape
    center = (weights.size // LANES - 1) // 2
    scores, exponents = np.empty(width), np.empty(width)
    old, old_exponents = np.empty(width + LANES), np.empty(width + LANES)
    new, new_exponents = np.empty(width + LANES), np.empty(width + LANES)
    for row in range(x.shape[0]):
        n = x_lengths[row]
        for batch in range(first[row], n_batches):
            lengths = y_lengths[batch]
            longest = lengths.max()
            old_exponents[:] = _NONE
            new_exponents[:] = _NONE
            old[:] = 1.0
            new[:] = 1.0
            old_exponents[:LANES] = 0.0  # before both signals: the empty alignment
            for i in range(n):
                start = max(0, i - band + 1) * LANES
                stop = min(longest, i + band) * LANES
                if start >= stop:
                    break  # and no lane is long enough
                _add_squares(x[row], y[batch], i, start, stop, scores)
                offset = (center - i) * LANES
                _score(
                    weights[offset + start : offset + stop],
                    rate,
                    share,
                    scores[start:stop],
                    exponents[start:stop],
                )
                new_exponents[start : start + LANES] = _NONE
                _extend(
                    scores[start:stop],
                    exponents[start:stop],
                    old[start : stop + LANES],
                    old_exponents[start : stop + LANES],
                    new[start : stop + LANES],
                    new_exponents[start : stop + LANES],
                )
                if i == 0:
                    old_exponents[:LANES] = _NONE
                old, new = new, old
                old_exponents, new_exponents = new_exponents, old_exponents
            for lane in range(LANES):
                last = lengths[lane] * LANES + lane
                value = -np.inf
                # Outside the band stand old rows.
                if abs(n - lengths[lane]) < band and old_exponents[last] > 0.5 * _NONE:
                    value = np.log(old[last]) + _LOG2 * old_exponents[last]
                out[row, batch * LANES + lane] = value
