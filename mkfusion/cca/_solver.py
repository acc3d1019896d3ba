"""Directions that correlate whitened samples of several modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, svd

from mkfusion._types import Floats

_EPS = float(np.finfo(np.float64).eps)
# A column that varies by less than this many roundings of its mean is constant, and so is a sum of
# columns that varies by less than this many roundings of all values together.
_ROUNDINGS = 10.0


class Block(NamedTuple):
    """The training samples of one modality in whitened coordinates.

    Attributes
    ----------
    H : ndarray of shape (n, r)
        ``X W / sqrt(n - 1)`` for centred samples X: where there is no regularisation its columns
        are orthonormal. Products ``H_u' H_v`` are covariances.
    W : ndarray of shape (p, r)
        ``W' ((1 - c) S + c I) W = I`` for the covariance S of what X was scaled to.
    """

    H: Floats
    W: Floats


class Table(NamedTuple):
    """Columns of numbers, standardised.

    Attributes
    ----------
    samples : ndarray of shape (n, p)
        Centred, and divided by the deviations.
    deviation : ndarray of shape (p,)
        Ones where columns were not to be scaled, or are constant.
    mean : ndarray of shape (p,)
    rounding : float
        Norm of what rounding may have done to the samples: the larger, the larger their means were.
    """

    samples: Floats
    deviation: Floats
    mean: Floats
    rounding: float


def standardize(X: Floats, scale: bool) -> Table:
    """Centre columns, and divide them by their standard deviations with `scale`."""
    n = len(X)
    mean = X.mean(axis=0)
    samples = X - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", samples, samples) / (n - 1))
    constant = deviation <= _ROUNDINGS * _EPS * np.abs(mean)
    samples[:, constant] = 0.0
    divisor = np.where(constant, 1.0, deviation) if scale else np.ones_like(mean)
    samples /= divisor
    samples -= samples.mean(axis=0)  # what rounding has left of it
    values = np.where(constant, 0.0, np.hypot(mean, deviation) / divisor)
    return Table(samples, divisor, mean, _EPS * np.sqrt(n) * float(np.linalg.norm(values)))


def whiten(X: Floats, c: float, rounding: float = 0.0) -> Block:
    """Whiten centred samples by the ridge ``(1 - c) S + c I`` of their covariance S.

    One thin singular value decomposition, however n and p compare. Directions without variance
    are left out.

    Parameters
    ----------
    X : ndarray of shape (n, p)
    c : float
        In [0, 1].
    rounding : float, default=0.0
        Norm of an error of X.

    References
    ----------
    Vinod, "Canonical ridge and econometrics of joint production", Journal of Econometrics 4 (1976).
    """
    n, p = X.shape
    U, d, Vt = svd(X, full_matrices=False, check_finite=False)
    least = max(max(n, p) * _EPS * float(d.max(initial=0.0)), _ROUNDINGS * rounding)
    rank = int(np.count_nonzero(d > least))
    U, d, Vt = U[:, :rank], d[:rank] / np.sqrt(n - 1), Vt[:rank]
    root = np.sqrt((1.0 - c) * d * d + c)
    return Block(U * (d / root), Vt.T / root)


def offsets(ranks: Sequence[int]) -> list[slice]:
    """Return where each of several blocks lies behind the others."""
    ends = np.cumsum(ranks)
    return [slice(int(end) - rank, int(end)) for end, rank in zip(ends, ranks, strict=True)]


def cross_products(blocks: Sequence[Floats]) -> Floats:
    """Return all ``H_u' H_v`` (sum r, sum r) between different blocks, and zeros within each."""
    H = np.hstack(blocks)
    C: Floats = H.T @ H
    for part in offsets([block.shape[1] for block in blocks]):
        C[part, part] = 0.0
    return C


# Starts of the ascent for one component: the MAXVAR solution, and directions of ascent that the
# certificate finds where it fails.
_STARTS = 4


class Solution(NamedTuple):
    """Components of V modalities.

    Attributes
    ----------
    directions : list of V ndarray of shape (r_v, k)
        Unit vectors.
    shares : ndarray of shape (V, k)
        How much each modality takes part; the squares of a component sum to one.
    objective : ndarray of shape (k,)
    gap : ndarray of shape (k,)
        At most this share of a bound from above is missing in the objective; 0 in closed form.
    n_iter : int
        Most passes over the modalities that a component took.
    converged : bool
    """

    directions: list[Floats]
    shares: Floats
    objective: Floats
    gap: Floats
    n_iter: int
    converged: bool


def solve_pair(blocks: Sequence[Floats], k: int) -> Solution:
    """Maximise ``a' H_1' H_2 b`` over unit vectors a and b, k times orthogonally."""
    first, second = blocks
    U, s, Vt = svd(first.T @ second, full_matrices=False, check_finite=False)
    shares = np.full((2, k), np.sqrt(0.5))
    return Solution([U[:, :k], Vt[:k].T], shares, s[:k], np.zeros(k), 1, True)


def solve_maxvar(blocks: Sequence[Floats], k: int) -> Solution:
    """Find the leading eigenvectors of the matrix of all ``H_u' H_v``, ones on its diagonal.

    Unit vectors in each modality make a matrix (V, V) of the products of their scores, with ones on
    its diagonal; the leading eigenvalue of that is the largest possible one.
    """
    C = cross_products(blocks)
    values, vectors = eigh(C, subset_by_index=(len(C) - k, len(C) - 1), check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    parts = [vectors[part].copy() for part in offsets([block.shape[1] for block in blocks])]
    shares = np.stack([np.linalg.norm(part, axis=0) for part in parts])
    for part, share in zip(parts, shares, strict=True):
        part[0, share == 0.0] = 1.0  # any direction: it takes no part
        part /= np.linalg.norm(part, axis=0)
    return Solution(parts, shares, 1.0 + values, np.zeros(k), 1, True)


def solve_sumcor(blocks: Sequence[Floats], k: int, tol: float, max_iter: int) -> Solution:
    """Maximise ``sum_{u < v} a_u' H_u' H_v a_v`` over unit vectors, k times orthogonally.

    Each modality's direction in turn is set to its optimum given the others, so the objective never
    falls. What was found is a stationary point: for ``l_u = ||sum_v C_uv a_v||`` and L the diagonal
    matrix of these, ``x' C x = x' L x - x' (L - C) x`` is at most ``sum_u l_u`` less V times the
    smallest eigenvalue of ``L - C``. If that is not negative, the point is the global maximum.

    References
    ----------
    Horst, "Relations among m sets of measures", Psychometrika 26 (1961).
    """
    C = cross_products(blocks)
    parts = offsets([block.shape[1] for block in blocks])
    found: list[Floats] = []
    objective, gaps = np.empty(k), np.empty(k)
    most, converged = 0, True
    for j in range(k):
        start = _leading(C)
        best, bound, most_here = None, np.inf, 0
        for _ in range(_STARTS):
            x, value, n_iter, done = _ascend(C, parts, start, tol, max_iter)
            above, start = _bound_above(C, parts, x)
            bound = min(bound, above)
            most_here = max(most_here, n_iter)
            if best is None or value > best[1]:
                best = (x, value, done)
            if bound - best[1] <= tol * bound:
                break
        assert best is not None
        objective[j] = best[1] / 2.0
        gaps[j] = max(0.0, bound - best[1]) / bound if bound > 0.0 else 0.0
        most, converged = max(most, most_here), converged and best[2]
        found.append(best[0])
        _deflate(C, parts, best[0])
    X = np.stack(found, axis=1)
    shares = np.full((len(parts), k), 1.0 / np.sqrt(len(parts)))
    return Solution([X[part] for part in parts], shares, objective, gaps, most, converged)


def _leading(C: Floats) -> Floats:
    last = len(C) - 1
    vector: Floats = eigh(C, subset_by_index=(last, last), check_finite=False)[1][:, 0]
    return vector


def _ascend(
    C: Floats, parts: Sequence[slice], start: Floats, tol: float, max_iter: int
) -> tuple[Floats, float, int, bool]:
    """Return a stationary point x, ``x' C x``, the passes, and whether they sufficed."""
    x = start.copy()
    for part in parts:
        _set_unit(x, part, x[part])
    for n_iter in range(1, max_iter + 1):
        before = x.copy()
        for part in parts:
            _set_unit(x, part, C[part] @ x)
        if np.abs(x - before).max() <= tol:
            return x, float(x @ C @ x), n_iter, True
    return x, float(x @ C @ x), max_iter, False


def _set_unit(x: Floats, part: slice, direction: Floats) -> None:
    norm = float(np.linalg.norm(direction))
    if norm > 0.0:
        x[part] = direction / norm
    elif not x[part].any():
        x[part.start] = 1.0  # any direction is as good as another


def _bound_above(C: Floats, parts: Sequence[slice], x: Floats) -> tuple[float, Floats]:
    """Return a bound on ``x' C x`` over all unit vectors, and a direction that may exceed x."""
    multipliers = np.empty(len(C))
    total = 0.0
    for part in parts:
        norm = float(np.linalg.norm(C[part] @ x))
        multipliers[part] = norm
        total += norm
    values, vectors = eigh(np.diag(multipliers) - C, subset_by_index=(0, 0), check_finite=False)
    return total + len(parts) * max(0.0, -float(values[0])), vectors[:, 0]


def _deflate(C: Floats, parts: Sequence[slice], x: Floats) -> None:
    """Leave of C what is orthogonal to x in each modality."""
    for part in parts:
        a = x[part]
        C[part] -= np.outer(a, a @ C[part])
        C[:, part] -= np.outer(C[:, part] @ a, a)
