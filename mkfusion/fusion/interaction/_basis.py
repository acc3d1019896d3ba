"""Orthonormal bases of design matrices, and which of their columns depend on others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from mkfusion._types import Floats

# A column this close to the span of others, relative to its own deviation, is taken for one in it.
_DEPENDENT = 1e-10
_MOST_SHOWN = 4


class Basis(NamedTuple):
    """An orthonormal basis of an intercept and terms.

    Attributes
    ----------
    values : ndarray of shape (n_samples, rank)
        Orthonormal under the sample weights; the first column is the constant.
    back : ndarray of shape (1 + n_terms, rank)
        From coefficients of the basis to those of the intercept and the terms. Terms that are left
        out have rows of zeros.
    dependencies : list of str
        What each term that is left out is made of.
    """

    values: Floats
    back: Floats
    dependencies: list[str]


def find_basis(terms: Floats, weights: Floats, names: Sequence[str]) -> Basis:
    """Find an orthonormal basis of the intercept and terms; later terms give way to earlier ones.

    Parameters
    ----------
    terms : ndarray of shape (n_samples, n_terms)
    weights : ndarray of shape (n_samples,)
        Positive.
    names : sequence of n_terms str

    Returns
    -------
    Basis

    Notes
    -----
    Terms are centred and brought to one norm before the decomposition, so that neither their units
    nor their offsets decide what counts as dependent.
    """
    root = np.sqrt(weights)
    total = weights.sum()
    mean = weights @ terms / total
    centred = (terms - mean) * root[:, None]
    norms = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    # Rounding in the terms themselves, relative to their deviation.
    sizes = np.sqrt(total) * np.abs(terms).max(axis=0, initial=0.0)
    noise = 16 * np.finfo(np.float64).eps * np.sqrt(len(terms)) * sizes
    constant = norms <= np.maximum(noise, np.finfo(np.float64).tiny)
    scale = np.where(constant, 1.0, norms)
    tolerance = np.where(constant, np.inf, np.maximum(_DEPENDENT, noise / scale))
    columns = centred / scale
    kept = np.arange(len(names))
    dependencies: list[str] = []
    if not _is_independent(columns, tolerance):
        kept, dependencies = _choose(columns, tolerance, mean, scale, names)
    back = np.zeros((1 + len(names), 1 + len(kept)))
    q = np.empty((len(terms), 0))
    if len(kept):  # an older SciPy solves no systems of nothing
        q, r = qr(columns[:, kept], mode="economic")
        back[1 + kept, 1:] = solve_triangular(r, np.eye(len(kept))) / scale[kept, None]
    back[0, 1:] = -mean @ back[1:, 1:]
    back[0, 0] = 1 / np.sqrt(total)
    values = np.column_stack([np.full(len(terms), back[0, 0]), q / root[:, None]])
    return Basis(values, back, dependencies)


def _is_independent(columns: Floats, tolerance: Floats) -> bool:
    n_samples, n_terms = columns.shape
    if n_terms == 0:
        return True
    if n_terms >= n_samples or np.isinf(tolerance).any():
        return False
    r = qr(columns, mode="r", pivoting=True, check_finite=False)[0]
    return bool(np.abs(r[n_terms - 1, n_terms - 1]) > tolerance.max())


def _choose(
    columns: Floats, tolerance: Floats, mean: Floats, scale: Floats, names: Sequence[str]
) -> tuple[NDArray[np.intp], list[str]]:
    """Take terms one after the other, unless they depend on those that were taken."""
    n_samples, n_terms = columns.shape
    q = np.empty((n_samples, min(n_samples, n_terms)))
    kept: list[int] = []
    dependencies = []
    for j in range(n_terms):
        rest = columns[:, j].copy()
        for _ in range(2):  # once more: the first leaves rounding behind
            rest -= q[:, : len(kept)] @ (q[:, : len(kept)].T @ rest)
        size = np.linalg.norm(rest)
        if len(kept) < n_samples - 1 and size > tolerance[j]:
            q[:, len(kept)] = rest / size
            kept.append(j)
        else:
            dependencies.append(_describe(j, columns, tolerance, kept, mean, scale, names))
    return np.array(kept, dtype=np.intp), dependencies


def _describe(
    j: int,
    columns: Floats,
    tolerance: Floats,
    kept: list[int],
    mean: Floats,
    scale: Floats,
    names: Sequence[str],
) -> str:
    """Write a term as what it is made of."""
    if np.isinf(tolerance[j]):
        return f"{names[j]!r} is constant"
    if len(kept) >= len(columns) - 1:
        return f"{names[j]!r} is one more than {len(columns)} samples can tell apart"
    weights = (
        np.linalg.lstsq(columns[:, kept], columns[:, j], rcond=None)[0] * scale[j] / scale[kept]
    )
    used = np.abs(weights) * scale[kept] > 1e-8 * scale[j]
    parts = [(w, names[k]) for w, k, u in zip(weights, kept, used, strict=True) if u]
    if len(parts) > _MOST_SHOWN:
        shown = ", ".join(repr(name) for _, name in parts[:_MOST_SHOWN])
        return f"{names[j]!r} depends on {shown} and {len(parts) - _MOST_SHOWN} more"
    offset = mean[j] - weights @ mean[kept]
    if abs(offset) <= 1e-8 * max(abs(mean[j]), np.abs(weights * mean[kept]).max()):
        offset = 0.0
    return f"{names[j]!r} = {_sum(parts, offset)}"


def _sum(parts: Sequence[tuple[float, str]], offset: float) -> str:
    """Write a linear combination, as in ``1 - 2 × 'age' + 'bmi'``."""
    written = [f"{offset:.4g}"] if offset else []
    for weight, name in parts:
        factor = "" if abs(abs(weight) - 1) < 1e-8 else f"{abs(weight):.4g} × "
        sign = ("" if weight > 0 else "-") if not written else ("+ " if weight > 0 else "- ")
        written.append(f"{sign}{factor}{name!r}")
    return " ".join(written)
