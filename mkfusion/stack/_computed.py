"""Passes over kernels that are computed one by one, Gaussian ones together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._types import Floats, Indices
from mkfusion.stack._gaussian import GaussianGroup, grouped
from mkfusion.stack._views import View, unless_all


def only(weights: Floats, which: Indices) -> Floats:
    """Return weights (m,) of which all but some are 0."""
    kept = np.zeros_like(weights)
    kept[which] = weights[which]
    return kept


def of_each(
    views: Sequence[View], n_jobs: int | None, operation: str, *arguments: Any
) -> Iterator[Any]:
    """Yield what an operation of each kernel returns, in their order."""
    # Threads, whatever does the folds: the time goes into BLAS and compiled loops, and a pass is
    # short beside sending the samples anywhere.
    results: Iterator[Any] = Parallel(n_jobs=n_jobs, require="sharedmem", return_as="generator")(
        delayed(getattr(view, operation))(*arguments) for view in views
    )
    return results


def gaussian_groups(
    views: Sequence[View],
    kernels: Indices,
    rows: Indices | None,
    cols: Indices | None,
    *,
    turned: bool = False,
) -> tuple[list[GaussianGroup], Indices]:
    """Return the Gaussian ones of some kernels (s,) between some samples, and the others.

    With columns for rows, if `turned`.
    """
    found = [views[k].gaussian(rows, cols) for k in kernels]
    others = [k for k, one in zip(kernels, found, strict=True) if one is None]
    if turned:
        found = [None if one is None else one.turned for one in found]
    return grouped(kernels, found), np.array(others, dtype=np.intp)


def dots(views: Sequence[View], n_jobs: int | None, beta: Floats) -> Floats:
    """Return ``K_k beta_u`` (u, m, n_rows) for beta (u, n_cols)."""
    n_rows, n_cols = views[0].shape
    out = np.zeros((len(beta), len(views), n_rows))
    support = np.flatnonzero(beta.any(axis=0))
    if not len(support):
        return out
    active = np.ascontiguousarray(beta[:, support])
    cols = unless_all(support, n_cols)
    groups, left = gaussian_groups(views, np.arange(len(views)), None, cols, turned=True)
    for group in groups:
        group.add_dot(active, out)
    products = of_each([views[k] for k in left], n_jobs, "dot", active, None, cols)
    for k, product in zip(left, products, strict=True):
        out[:, k] = product
    return out


def add_dots(
    views: Sequence[View], n_jobs: int | None, beta: Floats, out: Floats, kernels: Indices
) -> None:
    """Add ``K_k beta_u`` to ``out[u, k]`` for some kernels k, which are symmetric."""
    support = np.flatnonzero(beta.any(axis=0))
    if not len(support):
        return
    active = np.ascontiguousarray(beta[:, support])
    rows = unless_all(support, beta.shape[1])
    groups, left = gaussian_groups(views, kernels, rows, None)
    for group in groups:
        group.add_dot(active, out)
    products = of_each([views[k] for k in left], n_jobs, "dot_rows", active, rows, None)
    for k, product in zip(left, products, strict=True):
        out[:, k] += product
