"""Whitened samples: what every canonical analysis of this package is solved on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd

__all__ = ["Block", "Table", "cross_products", "offsets", "standardize", "whiten"]

Floats = NDArray[np.float64]

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
