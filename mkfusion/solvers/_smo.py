"""Sequential minimal optimisation of one support vector dual, in Numba.

The problem, in signed dual variables, with ``e = linear - K beta`` kept up to date::

    min_beta  1/2 beta' K beta - linear' beta + epsilon ||beta||_1
    s.t.      lower <= beta <= upper,  1' beta = const,  lower <= 0 <= upper

serves the SVM (``linear = y``, box between 0 and ``y C``), regression with a tube (``epsilon`` its
half-width, box [-C, C]), the one-class SVM (``linear = 0``, box [0, C]) and the choice of weights
on the simplex (``K`` a Hessian, box [0, 1]). Second-order working-set selection follows Fan, Chen
and Lin, "Working set selection using second order information for training SVM", JMLR 6 (2005).

Where a variable may grow, ``e`` plus an offset is the slope of doing so, and likewise where it may
fall: the offset is 0, plus or minus epsilon by the side of zero, or infinite at a bound. So the
loops over the samples have no branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mkfusion._types import Floats

CONVERGED, NEEDS_ROW, OUT_OF_ITERATIONS = range(3)

# Curvature of a pair below this share of the largest diagonal entry is rounding noise.
CURVATURE_FLOOR = 1e-15
# Numba does not vectorise a running maximum, but it does elementwise maxima over this many lanes.
_LANES = 128
# How many iterations pass between looks for settled variables (the number of variables if that is
# more), and the share of them that may be left for others to be set aside.
_MIN_PERIOD = 500
_SHRINK_SHARE = 0.7

# No NaN arises: e is finite and the penalties are 0 or infinities of one sign. So maxima may be
# vectorised.
_FAST = {"nnan", "nsz", "reassoc", "contract"}
_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT)
def offset_up(beta: float, upper: float, epsilon: float) -> float:
    if beta >= upper:
        return -np.inf
    return epsilon if beta < 0.0 else -epsilon


@njit(**_JIT)
def offset_low(beta: float, lower: float, epsilon: float) -> float:
    if beta <= lower:
        return np.inf
    return -epsilon if beta > 0.0 else epsilon


@njit(**_JIT, fastmath=_FAST)
def _subtract(e: Floats, factor: float, row: Floats) -> None:
    for t in range(e.size):
        e[t] -= factor * row[t]


@njit(**_JIT, fastmath=_FAST)
def _best_partner(
    e: Floats,
    low: Floats,
    k_i: Floats,
    diag: Floats,
    e_i: float,
    k_ii: float,
    floor: float,
    lanes: Floats,
) -> int:
    """Return the argmax over the lower set of ``(e_i - e_j)**2 / curvature``, or -1."""
    n = e.size
    lanes[:] = 0.0
    for start in range(0, n, _LANES):
        width = min(_LANES, n - start)
        eb, lb = e[start : start + width], low[start : start + width]
        kb, db = k_i[start : start + width], diag[start : start + width]
        for t in range(width):
            diff = e_i - (eb[t] + lb[t])
            diff = diff if diff > 0.0 else 0.0
            curvature = k_ii + db[t] - 2.0 * kb[t]
            curvature = curvature if curvature > floor else floor
            gain = diff * diff / curvature
            lanes[t] = gain if gain > lanes[t] else lanes[t]
    best, lane = 0.0, -1
    for t in range(min(_LANES, n)):
        if lanes[t] > best:
            best, lane = lanes[t], t
    chosen = -1
    if lane >= 0:
        top = -1.0
        for j in range(lane, n, _LANES):
            diff = max(e_i - (e[j] + low[j]), 0.0)
            gain = diff * diff / max(k_ii + diag[j] - 2.0 * k_i[j], floor)
            if gain > top:
                top, chosen = gain, j
    return chosen


@njit(**_JIT, fastmath=_FAST)
def _update_and_scan(
    e: Floats,
    up: Floats,
    low: Floats,
    k_i: Floats,
    k_j: Floats,
    step: float,
    tops: Floats,
    bottoms: Floats,
) -> tuple[int, float, float]:
    """Do ``e -= step * (k_i - k_j)``; return argmax and max of the upper set, min of the lower."""
    n = e.size
    tops[:] = -np.inf
    bottoms[:] = np.inf
    for start in range(0, n, _LANES):
        width = min(_LANES, n - start)
        eb, ub, lb = e[start : start + width], up[start : start + width], low[start : start + width]
        ib, jb = k_i[start : start + width], k_j[start : start + width]
        for t in range(width):
            value = eb[t] - step * (ib[t] - jb[t])
            eb[t] = value
            above, below = value + ub[t], value + lb[t]
            tops[t] = above if above > tops[t] else tops[t]
            bottoms[t] = below if below < bottoms[t] else bottoms[t]
    top, lane, bottom = -np.inf, 0, np.inf
    for t in range(min(_LANES, n)):
        if tops[t] > top:
            top, lane = tops[t], t
        if bottoms[t] < bottom:
            bottom = bottoms[t]
    chosen = -1
    for t in range(lane, n, _LANES):
        if e[t] + up[t] == top:
            chosen = t
            break
    return chosen, top, bottom


@njit(**_JIT)
def _descend(
    beta: Floats,
    e: Floats,
    lower: Floats,
    upper: Floats,
    diag: Floats,
    rows: Floats,
    slot: NDArray[np.intp],
    epsilon: float,
    floor: float,
    tol: float,
    max_iter: int,
) -> tuple[int, int, int, float]:
    """Run SMO on all variables given; arguments and results are those of `smo`."""
    n = beta.size
    up = np.empty(n)
    low = np.empty(n)
    for t in range(n):
        up[t] = offset_up(beta[t], upper[t], epsilon)
        low[t] = offset_low(beta[t], lower[t], epsilon)
    lanes_1 = np.empty(_LANES)
    lanes_2 = np.empty(_LANES)
    i, e_i, bottom = _update_and_scan(e, up, low, e, e, 0.0, lanes_1, lanes_2)
    for it in range(max_iter):
        if i < 0 or not e_i - bottom > tol:
            return CONVERGED, -1, it, max(e_i - bottom, 0.0)
        if slot[i] < 0:
            return NEEDS_ROW, i, it, e_i - bottom
        k_i = rows[slot[i], :n]
        j = _best_partner(e, low, k_i, diag, e_i, diag[i], floor, lanes_1)
        if j < 0:  # what could be gained underflows
            return CONVERGED, -1, it, e_i - bottom
        if slot[j] < 0:
            return NEEDS_ROW, j, it, e_i - bottom
        k_j = rows[slot[j], :n]
        # At zero the slopes jump: a step ends there at the latest.
        end_i = 0.0 if beta[i] < 0.0 else upper[i]
        end_j = 0.0 if beta[j] > 0.0 else lower[j]
        room_i = end_i - beta[i]
        room_j = beta[j] - end_j
        step = (e_i - e[j] - low[j]) / max(diag[i] + diag[j] - 2.0 * k_i[j], floor)
        # Land on the ends exactly: membership of the working sets is decided by equality.
        if step >= min(room_i, room_j):
            step = min(room_i, room_j)
        beta[i] = end_i if step == room_i else beta[i] + step
        beta[j] = end_j if step == room_j else beta[j] - step
        up[i] = offset_up(beta[i], upper[i], epsilon)
        low[i] = offset_low(beta[i], lower[i], epsilon)
        up[j] = offset_up(beta[j], upper[j], epsilon)
        low[j] = offset_low(beta[j], lower[j], epsilon)
        i, e_i, bottom = _update_and_scan(e, up, low, k_i, k_j, step, lanes_1, lanes_2)
    return OUT_OF_ITERATIONS, -1, max_iter, e_i - bottom


@njit(**_JIT)
def _undecided(
    beta: Floats, e: Floats, lower: Floats, upper: Floats, epsilon: float
) -> NDArray[np.intp]:
    """Return the variables that some pair may yet move.

    The others are those that LIBSVM shrinks: neither growing nor falling gains anything against any
    other variable, by more than the present pairs disagree.
    """
    n = beta.size
    growing, falling = np.empty(n), np.empty(n)
    top, bottom = -np.inf, np.inf
    for t in range(n):
        growing[t] = e[t] + offset_up(beta[t], upper[t], epsilon)
        falling[t] = e[t] + offset_low(beta[t], lower[t], epsilon)
        top = max(top, growing[t])
        bottom = min(bottom, falling[t])
    return np.flatnonzero((growing >= bottom) | (falling <= top))


@njit(**_JIT)
def _descend_among(
    active: NDArray[np.intp],
    beta: Floats,
    e: Floats,
    lower: Floats,
    upper: Floats,
    diag: Floats,
    rows: Floats,
    slot: NDArray[np.intp],
    epsilon: float,
    floor: float,
    tol: float,
    max_iter: int,
) -> tuple[int, int, int, float, NDArray[np.intp]]:
    """Run SMO on fewer and fewer variables, copied side by side.

    Arguments and results are those of `smo`, and the variables left at the end: only their e is up
    to date.
    """
    f = e[active]
    done = 0
    while True:
        n = active.size
        # Columns of the rows that are asked for, each gathered once.
        near = np.empty((min(n, len(rows)), n))
        place = np.full(n, -1, dtype=np.intp)
        used = 0
        b, lo, hi, d = beta[active], lower[active], upper[active], diag[active]
        look = min(max_iter, done + max(n, _MIN_PERIOD))
        while True:
            status, row, n_iter, violation = _descend(
                b, f, lo, hi, d, near, place, epsilon, floor, tol, look - done
            )
            done += n_iter
            if status == NEEDS_ROW and slot[active[row]] >= 0:
                source = rows[slot[active[row]]]
                for t in range(n):
                    near[used, t] = source[active[t]]
                place[row] = used
                used += 1
                continue
            which = _undecided(b, f, lo, hi, epsilon)
            fewer = which.size <= _SHRINK_SHARE * n
            if status != OUT_OF_ITERATIONS or done >= max_iter or fewer:
                break
            look = min(max_iter, done + max(n, _MIN_PERIOD))
        beta[active] = b
        if status != OUT_OF_ITERATIONS or done >= max_iter:
            e[active] = f
            return status, active[row] if row >= 0 else -1, done, violation, active
        active, f = active[which], f[which]


@njit(**_JIT)
def smo(
    beta: Floats,
    e: Floats,
    lower: Floats,
    upper: Floats,
    diag: Floats,
    rows: Floats,
    slot: NDArray[np.intp],
    epsilon: float,
    tol: float,
    max_iter: int,
) -> tuple[int, int, int, float]:
    """Run SMO until the KKT violation is at most `tol`, a row is missing, or iterations run out.

    Long runs leave out variables that seem settled at their bounds (Joachims, "Making large-scale
    SVM learning practical", 1999), and look at all of them again before they end.

    Parameters
    ----------
    beta, e : ndarray of shape (n,), float64
        Dual variables and ``linear - K beta``. Modified in place; a later call goes on from them.
    lower, upper : ndarray of shape (n,), float64
        Bounds, with zero between them.
    diag : ndarray of shape (n,), float64
        Diagonal of K.
    rows : ndarray of shape (n_slots, >= n), float64
        Row i of K stands in ``rows[slot[i]]``.
    slot : ndarray of shape (n,), integer
        -1 where a row is not there yet.
    epsilon : float
        Price of the sum of ``abs(beta)``.
    tol : float
        Largest KKT violation to stop at: how much more the best variable gains by growing than the
        best one loses by falling.
    max_iter : int

    Returns
    -------
    status : int
        CONVERGED, NEEDS_ROW or OUT_OF_ITERATIONS.
    row : int
        The missing row for NEEDS_ROW, else -1.
    n_iter : int
    violation : float
    """
    n = beta.size
    floor = max(CURVATURE_FLOOR * diag.max(), 1e-300)
    done = 0
    while True:
        period = min(max_iter - done, max(n, _MIN_PERIOD))
        status, row, n_iter, violation = _descend(
            beta, e, lower, upper, diag, rows, slot, epsilon, floor, tol, period
        )
        done += n_iter
        if status != OUT_OF_ITERATIONS or done >= max_iter:
            return status, row, done, violation
        active = _undecided(beta, e, lower, upper, epsilon)
        if active.size > _SHRINK_SHARE * n:
            continue
        before = beta.copy()
        status, row, n_iter, violation, last = _descend_among(
            active, beta, e, lower, upper, diag, rows, slot, epsilon, floor, tol, max_iter - done
        )
        done += n_iter
        exact = e[last]
        for t in active:
            if beta[t] != before[t]:
                _subtract(e, beta[t] - before[t], rows[slot[t], :n])
        e[last] = exact
        if status == NEEDS_ROW:
            return status, row, done, violation
