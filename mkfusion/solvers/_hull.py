"""The best dual point in the hull of those that are known, for some of the kernels.

Dual points that belong to other choices of kernels are feasible for every choice, and so are their
convex combinations and the origin. With the table ``X_k[i, j] = beta_i' K_k beta_j`` the dual value

    linear' w - 1/2 w' R w - 1/2 || (w' X_k w)_k ||_q

of a combination w needs no kernel any more, whatever the number of samples. Its maximum is a lower
bound of the objective, and the weights that belong to it are where a new dual point helps most.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices
from mkfusion.solvers._weights import norm

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

# Steps between dual points, and of the search along one.
_MOST_STEPS, _SEARCH_STEPS = 500, 30
# A step is as long as leaves this share of its slope.
_SLOPE_LEFT = 1e-3
# The largest form (p = 1) is no smooth function of the combination. Weights are held near others by
# a share of the forms, and these follow, whenever what the combination could gain at the weights is
# this share of what the weights could; then they are held less, down to a least share.
_HOLD, _LEAST_HOLD, _LOOSER, _INNER_SHARE = 0.05, 1e-4, 0.4, 0.2


@njit(**_JIT)
def scaled_bound(linear: float, size: float, capped: bool) -> float:
    """Return ``max_t t linear - t**2 size / 2``, for t of at most 1 if `capped`, at least 0."""
    if not linear > 0.0:
        return 0.0
    if size <= 0.0:
        return linear if capped else 0.0
    t = linear / size
    if capped and t > 1.0:
        return linear - 0.5 * size
    return 0.5 * t * linear


@njit(**_JIT)
def _toward_and_away(
    slopes: Floats, w: Floats, rest: float, capped: bool
) -> tuple[int, int, float]:
    """Return the best point to go to, the worst to come from, and the mean slope; -1 is 0."""
    best, worst = -1, -2
    top, bottom, mean = -np.inf, np.inf, 0.0
    if capped:
        top = 0.0
        if rest > 0.0:
            worst, bottom = -1, 0.0
    for i in range(w.size):
        if slopes[i] > top:
            best, top = i, slopes[i]
        if w[i] > 0.0:
            mean += w[i] * slopes[i]
            if slopes[i] < bottom:
                worst, bottom = i, slopes[i]
    return best, worst, mean


@njit(**_JIT)
def _add(row: Floats, factor: float, out: Floats) -> None:
    for t in range(out.size):
        out[t] += factor * row[t]


@njit(**_JIT)
def _set_slopes(a: Floats, G: Floats, d: Floats, slopes: Floats) -> None:
    """Write what a step to each point gains, from the origin and with the weights d."""
    slopes[:] = a
    _add(G[d.size], -1.0, slopes)
    for k in range(d.size):
        if d[k] != 0.0:
            _add(G[k], -d[k], slopes)


@njit(**_JIT)
def _at(G: Floats, j: int, i: int) -> float:
    value = 0.0
    if j >= 0:
        value += G[j]
    if i >= 0:
        value -= G[i]
    return value


@njit(**_JIT)
def _bend(own: Floats, form: Floats, j: int, i: int) -> float:
    """Return the form of point j less point i, from those of single points and of pairs."""
    value = 0.0
    if j >= 0:
        value += own[j]
    if i >= 0:
        value += own[i]
        if j >= 0:
            value -= 2.0 * form[i, j]
    return max(value, 0.0)


@njit(**_JIT)
def _weigh(quad: Floats, q: float, anchor: Floats, hold: float, d: Floats) -> None:
    """Set the weights that make most of the forms, held near others for the largest form."""
    s = quad.size
    if not np.isinf(q):
        size = norm(quad, q)
        if size > 0.0:
            for k in range(s):
                d[k] = (quad[k] / size) ** (q - 1.0)
        return
    # The projection onto the simplex, by one threshold.
    for k in range(s):
        d[k] = anchor[k] + quad[k] / (2.0 * hold)
    top = d.max()
    low, total, count = top - 1.0, 0.0, 0
    while True:
        total, count = 0.0, 0
        for k in range(s):
            if d[k] > low:
                total += d[k]
                count += 1
        threshold = (total - 1.0) / count
        if threshold <= low:
            break
        low = threshold
    total = 0.0
    for k in range(s):
        d[k] = max(d[k] - threshold, 0.0)
        total += d[k]
    for k in range(s):
        d[k] /= total


@njit(**_JIT)
def _best_partner(
    slopes: Floats,
    X: Floats,
    kernels: Indices,
    own: Floats,
    G: Floats,
    quad: Floats,
    d: Floats,
    i: int,
    room: float,
    q: float,
    hold: float,
    capped: bool,
    work: Floats,
) -> int:
    """Return the point that gains most by a step to it from point i, as its curvature tells.

    The slope alone makes steps go to and fro: weights follow the forms, which bends what is gained.
    Overwrites `work` (4, P). Loops run along the points, which is what vectorises.
    """
    s, P = quad.size, slopes.size
    bends, totals, squares = work[0], work[1], work[2]
    size = 0.0 if np.isinf(q) else norm(quad, q)
    away = slopes[i] if i >= 0 else 0.0
    work[:3] = 0.0
    # To the origin: what stands beside that of the points.
    bend_0, total_0, squares_0, count = 0.0, 0.0, 0.0, 0
    for k in range(s + 1):
        share = d[k] if k < s else 1.0
        if share == 0.0:
            continue
        at_i, form = 0.0, 0.0
        if i >= 0:
            at_i, form = G[k, i], own[k, i]
            near = X[kernels[k] if k < s else X.shape[0] - 1, i]
            for j in range(P):
                bends[j] += share * max(own[k, j] + form - 2.0 * near[j], 0.0)
        else:
            for j in range(P):
                bends[j] += share * max(own[k, j], 0.0)
        bend_0 += share * max(form, 0.0)
        if k == s or (not np.isinf(q) and not quad[k] > 0.0):
            continue
        first, second = (1.0, 1.0) if np.isinf(q) else (share, (quad[k] / size) ** (q - 2.0))
        count += 1
        for j in range(P):
            b = G[k, j] - at_i
            totals[j] += first * b
            squares[j] += second * b * b
        total_0 -= first * at_i
        squares_0 += second * at_i * at_i
    # What the weights' following bends, by the variance of the forms' slopes.
    if np.isinf(q):
        first, second = 1.0 / max(count, 1), 1.0 / hold
    else:
        first, second = 1.0, 2.0 * (q - 1.0) / size if size > 0.0 else 0.0
    gains = work[3]
    for j in range(P):
        slope = max(slopes[j] - away, 0.0)
        bend = bends[j] + second * max(squares[j] - first * totals[j] * totals[j], 0.0)
        step = min(slope / max(bend, 1e-300), room)
        gains[j] = step * (slope - 0.5 * bend * step)
    best, top = -2, 0.0
    if capped and i >= 0 and away < 0.0:
        bend = bend_0 + second * max(squares_0 - first * total_0 * total_0, 0.0)
        step = min(-away / max(bend, 1e-300), room)
        best, top = -1, step * (-away - 0.5 * bend * step)
    if i >= 0:
        gains[i] = 0.0
    for j in range(P):
        if gains[j] > top:
            best, top = j, gains[j]
    return best


@njit(**_JIT)
def _state(
    a: Floats, X: Floats, kernels: Indices, w: Floats, G: Floats, quad: Floats
) -> tuple[float, float]:
    """Set ``G_k = X_k w`` and the forms for the kernels, the loss's ridge last; return a'w."""
    P = w.size
    s = kernels.size
    G[:] = 0.0
    for j in range(P):
        if w[j] != 0.0:
            for k in range(s + 1):
                _add(X[kernels[k] if k < s else X.shape[0] - 1, j], w[j], G[k])
    ridge = 0.0
    for k in range(s + 1):
        form = 0.0
        for t in range(P):
            form += w[t] * G[k, t]
        form = max(form, 0.0)
        if k < s:
            quad[k] = form
        else:
            ridge = form
    linear = 0.0
    for t in range(P):
        linear += a[t] * w[t]
    return linear, ridge


@njit(**_JIT)
def _best_point(a: Floats, own: Floats, q: float, capped: bool) -> int:
    """Return the dual point that is best by itself."""
    best, top = 0, -np.inf
    s = len(own) - 1
    g = np.empty(s)
    for i in range(a.size):
        for k in range(s):
            g[k] = max(own[k, i], 0.0)
        bound = scaled_bound(a[i], norm(g, q) + own[s, i], capped)
        if bound > top:
            best, top = i, bound
    return best


@njit(**_JIT)
def _own_forms(X: Floats, kernels: Indices) -> Floats:
    """Return the forms (s + 1, P) of single points, which lie far apart in the table, together."""
    s, P = kernels.size, X.shape[1]
    own = np.empty((s + 1, P))
    for k in range(s + 1):
        matrix = X[kernels[k] if k < s else X.shape[0] - 1]
        for t in range(P):
            own[k, t] = matrix[t, t]
    return own


@njit(**_JIT)
def best_in_hull(
    a: Floats,
    X: Floats,
    kernels: Indices,
    q: float,
    capped: bool,
    target: float,
    tol: float,
    thorough: bool,
) -> tuple[float, Floats, Floats]:
    """Maximise the dual of some kernels over the hull of P dual points and the origin.

    Parameters
    ----------
    a : ndarray of shape (P,)
        What each dual point gains before its quadratic forms.
    X : ndarray of shape (m + 1, P, P)
        Forms between dual points of every kernel, and of the loss's ridge.
    kernels : ndarray of shape (s,), integer
    q : float
        Norm of the forms.
    capped : bool
        Whether the dual points have bounds: they may then be made smaller, not larger.
    target : float
        To stop once this is reached.
    tol : float
        Relative difference from the maximum to stop at.
    thorough : bool
        Whether to go on to the maximum where the target is seen to be out of reach.

    Returns
    -------
    value : float
        Dual value of a feasible point.
    w : ndarray of shape (P,)
        The combination.
    d : ndarray of shape (s,)
        Weights of the kernels at which the hull says least.
    """
    P, s = a.size, kernels.size
    ridge_row = X.shape[0] - 1
    w, G, quad = np.zeros(P), np.empty((s + 1, P)), np.empty(s)
    own, work = _own_forms(X, kernels), np.empty((4, P))
    w[_best_point(a, own, q, capped)] = 1.0
    rest = 0.0  # the share of the origin
    linear, ridge = _state(a, X, kernels, w, G, quad)
    # The least even weights of norm one; p is the conjugate exponent of q.
    d = np.full(s, float(s) ** (1.0 / q - 1.0))
    anchor, hold = d.copy(), _HOLD * max(quad.max(), 1e-300)
    slopes, b, c = np.empty(P), np.empty(s), np.empty(s)
    trial, there = np.empty(s), np.full(s, d[0])
    value, upper = 0.0, np.inf
    best_w, best_d = w.copy(), d.copy()
    for _ in range(_MOST_STEPS):
        _weigh(quad, q, anchor, hold, d)
        now = scaled_bound(linear, norm(quad, q) + ridge, capped)
        if now > value:
            value = now
            best_w[:] = w
        here = linear - 0.5 * ridge
        for k in range(s):
            here -= 0.5 * d[k] * quad[k]
        _set_slopes(a, G, d, slopes)
        j, i, mean = _toward_and_away(slopes, w, rest, capped)
        top = slopes[j] if j >= 0 else 0.0
        gap = max(top - mean, 0.0)
        if here + gap < upper:
            upper = here + gap
            best_d[:] = d
        if value >= target or upper - value <= tol * abs(upper):
            break
        if upper < target and not thorough:
            break
        stays = i == j or i == -2
        if np.isinf(q) and (stays or gap <= _INNER_SHARE * (here - value)):
            moved = 0.0
            for k in range(s):
                moved = max(moved, abs(d[k] - anchor[k]))
            if stays and hold <= _LEAST_HOLD * quad.max() and moved <= 1e-12:
                break
            anchor[:] = d
            hold = max(_LOOSER * hold, _LEAST_HOLD * max(quad.max(), 1e-300))
            continue
        if stays:
            break
        room = w[i] if i >= 0 else rest
        j = _best_partner(slopes, X, kernels, own, G, quad, d, i, room, q, hold, capped, work)
        if j == -2:
            break
        slope_0 = (slopes[j] if j >= 0 else 0.0) - (slopes[i] if i >= 0 else 0.0)
        for k in range(s):
            b[k], c[k] = _at(G[k], j, i), _bend(own[k], X[kernels[k]], j, i)
        rb, rc, da = _at(G[s], j, i), _bend(own[s], X[ridge_row], j, i), _at(a, j, i)
        # The slope falls along the step: its root lies between where it is positive and not.
        low, high, step = 0.0, room, room
        slope_low, slope_high = slope_0, 0.0
        for n_step in range(_SEARCH_STEPS):
            slope = da - rb - step * rc
            for k in range(s):
                trial[k] = max(quad[k] + step * (2.0 * b[k] + step * c[k]), 0.0)
            _weigh(trial, q, anchor, hold, there)
            for k in range(s):
                slope -= there[k] * (b[k] + step * c[k])
            if abs(slope) <= _SLOPE_LEFT * slope_0 or (n_step == 0 and slope > 0.0):
                break
            if slope > 0.0:
                low, slope_low = step, slope
            else:
                high, slope_high = step, slope
            share = slope_low / (slope_low - slope_high) if n_step % 3 else 0.5
            step = low + min(max(share, 0.02), 0.98) * (high - low)
        for k in range(s + 1):
            form = X[kernels[k] if k < s else ridge_row]
            if j >= 0:
                _add(form[j], step, G[k])
            if i >= 0:
                _add(form[i], -step, G[k])
        for k in range(s):
            quad[k] = max(quad[k] + step * (2.0 * b[k] + step * c[k]), 0.0)
        ridge = max(ridge + step * (2.0 * rb + step * rc), 0.0)
        linear += step * da
        if j >= 0:
            w[j] += step
        else:
            rest += step
        if i >= 0:
            w[i] = w[i] - step if step < room else 0.0
        else:
            rest = rest - step if step < room else 0.0
    return value, best_w, best_d


@njit(**_JIT)
def group_norms(forms: Floats, starts: Indices, members: Indices, q: float) -> Floats:
    """Return the norm of the forms (m,) of each group of kernels (n_groups,).

    `starts` and `members` are as for `close_by_hull`.
    """
    sizes = np.empty(starts.size - 1)
    for g in range(sizes.size):
        sizes[g] = norm(forms[members[starts[g] : starts[g + 1]]], q)
    return sizes


@njit(**_JIT)
def improve_bounds(
    bounds: Floats,
    subsets: Indices,
    open_: Indices,
    a: float,
    ridge: float,
    sizes: Floats,
    q: float,
    capped: bool,
) -> None:
    """Raise the lower bounds of subsets to what one dual point says.

    Parameters
    ----------
    bounds : ndarray of shape (n_subsets,)
        Modified in place.
    subsets : ndarray of shape (n_subsets, k), integer
        Groups of kernels of each.
    open_ : ndarray of shape (n_open,), integer
        The subsets to look at.
    a, ridge : float
        What the dual point gains, and what its ridge takes.
    sizes : ndarray of shape (n_groups,)
        Norm of the forms of each group.
    q, capped
        As for `best_in_hull`.
    """
    k = subsets.shape[1]
    finite = not np.isinf(q)
    top = sizes.max()
    powers = np.zeros(sizes.size)
    if finite and top > 0.0:
        for m in range(sizes.size):
            powers[m] = (sizes[m] / top) ** q
    for t in range(open_.size):
        r = open_[t]
        size = 0.0
        if finite:
            for j in range(k):
                size += powers[subsets[r, j]]
            size = top * size ** (1.0 / q)
        else:
            for j in range(k):
                size = max(size, sizes[subsets[r, j]])
        bound = scaled_bound(a, size + ridge, capped)
        if bound > bounds[r]:
            bounds[r] = bound


@njit(**_JIT)
def close_by_hull(
    bounds: Floats,
    subsets: Indices,
    order: Indices,
    start: int,
    starts: Indices,
    members: Indices,
    a: Floats,
    X: Floats,
    q: float,
    capped: bool,
    target: float,
    tol: float,
    most: int,
) -> tuple[int, Floats, Floats]:
    """Go through subsets as long as dual points that are known close them.

    Parameters
    ----------
    bounds, subsets
        As for `improve_bounds`.
    order : ndarray of shape (n_open,), integer
        Subsets in the order to go.
    start : int
        Where in it.
    starts, members : ndarray of shape (n_groups + 1,) and (m,), integer
        ``members[starts[g]:starts[g + 1]]`` are the kernels of group g.
    a, X, q, capped, tol
        As for `best_in_hull`.
    target : float
        Subsets whose bound reaches it are closed.
    most : int
        To end after so many, so that deadlines are seen.

    Returns
    -------
    place : int
        The first in `order` whose subset stays open, or where to go on.
    w : ndarray of shape (P,)
    d : ndarray of shape (s,)
        As those of `best_in_hull` for that subset, found when it was seen to stay open; d is empty
        where it was not looked at.
    """
    k = subsets.shape[1]
    kernels = np.empty(members.size, dtype=members.dtype)
    looked = 0
    for place in range(start, order.size):
        r = order[place]
        if bounds[r] >= target:
            continue
        if looked >= most:
            return place, np.empty(0), np.empty(0)
        looked += 1
        used = 0
        for j in range(k):
            for t in range(starts[subsets[r, j]], starts[subsets[r, j] + 1]):
                kernels[used] = members[t]
                used += 1
        value, w, d = best_in_hull(a, X, kernels[:used], q, capped, target, tol, False)
        bounds[r] = max(bounds[r], value)
        if bounds[r] < target:
            return place, w, d
    return order.size, np.empty(0), np.empty(0)
