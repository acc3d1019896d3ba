"""Numba pass over pairs of sequences of the same length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int32, njit
from numpy.typing import NDArray

Codes = NDArray[np.int32]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_LARGEST = 2**31 - 1


@njit(**_JIT)
def weighted_degrees(rows: Codes, cols: Codes, degree: int, out: NDArray[np.float64]) -> None:
    """Write the weighted-degree kernel between sequences, in time O(length) for each pair.

    Where r letters up to some position agree, the substrings of 1, ..., min(r, d) letters that end
    there do, and the sum of their weights is ``r (2 d + 1 - r) / (d (d + 1))`` with r cut to d.
    These are whole numbers but for the denominator: the sums are exact, whatever their order.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, length), int32
        Numbers of letters.
    cols : ndarray of shape (length, n_cols), int32
        Sequences as columns: each step goes along a row, over all of them.
    degree : int
        d, with ``d (d + 1) < 2**31``.
    out : ndarray of shape (n_rows, n_cols), float64
        Modified in place.
    """
    length, n_cols = cols.shape
    run = np.empty(n_cols, dtype=np.int32)
    total = np.empty(n_cols, dtype=np.int32)
    # int32 throughout, or the loop below would take four times as long.
    zero, one, most, twice = int32(0), int32(1), int32(degree), int32(2 * degree + 1)
    segment = max(1, _LARGEST // (degree * (degree + 1)))  # as many steps as fit in total
    for i in range(rows.shape[0]):
        target = out[i]
        target[:] = 0.0
        run[:] = 0
        for start in range(0, length, segment):
            total[:] = 0
            for t in range(start, min(start + segment, length)):
                letter, others = rows[i, t], cols[t]
                for j in range(n_cols):
                    r = int32(run[j] + one)
                    r = r if r < most else most
                    r = r if others[j] == letter else zero
                    run[j] = r
                    total[j] += int32(r * int32(twice - r))
            for j in range(n_cols):
                target[j] += total[j]
        for j in range(n_cols):
            target[j] /= degree * (degree + 1)
