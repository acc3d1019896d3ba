"""What is made of the products ``F_k = K_k beta`` of every kernel with the dual variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mkfusion._types import Floats, Indices

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_JIT, fastmath={"contract"})
def weighted_products(d: Floats, F: Floats) -> Floats:
    """Return ``sum_k d_k F[u, k]`` (u, n): the decision values at weights d, without intercepts.

    Parameters
    ----------
    d : ndarray of shape (m,), float64
    F : ndarray of shape (u, m, n), float64
    """
    n_tasks, m, n = F.shape
    found = np.zeros((n_tasks, n))
    for u in range(n_tasks):
        total = found[u]
        for k in range(m):
            weight = d[k]
            if weight != 0.0:
                products = F[u, k]
                for i in range(n):
                    total[i] += weight * products[i]
    return found


@njit(**_JIT, fastmath={"contract", "reassoc"})
def set_forms(F: Floats, beta: Floats, kernels: Indices, g: Floats) -> None:
    """Write ``g_k = sum_u beta_u' F[u, k]`` for some kernels, 0 where rounding makes it negative.

    Parameters
    ----------
    F : ndarray of shape (u, m, n), float64
    beta : ndarray of shape (u, n), float64
    kernels : ndarray of shape (s,), integer
    g : ndarray of shape (m,), float64
        Modified in place.
    """
    for k in kernels:
        form = 0.0
        for u in range(beta.shape[0]):
            own, products = beta[u], F[u, k]
            for i in range(own.size):
                form += own[i] * products[i]
        g[k] = max(form, 0.0)


@njit(**_JIT)
def count_samples(beta: Floats, old: Floats) -> tuple[int, int]:
    """Return of how many samples a dual variable (u, n) is not 0, and of how many one changed."""
    support = moved = 0
    for i in range(beta.shape[1]):
        used = changed = False
        for u in range(beta.shape[0]):
            used |= beta[u, i] != 0.0
            changed |= beta[u, i] != old[u, i]
        support += used
        moved += changed
    return support, moved


@njit(**_JIT)
def columns_and_ones(F: Floats, kernels: Indices, samples: Indices) -> Floats:
    """Return ``F[kernels][:, samples]`` (s + 1, r) of the products (m, n) of a task.

    The last row are ones.
    """
    found = np.ones((kernels.size + 1, samples.size))
    for s in range(kernels.size):
        products, row = F[kernels[s]], found[s]
        for r in range(samples.size):
            row[r] = products[samples[r]]
    return found
