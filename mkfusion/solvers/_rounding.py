"""What rounding errors may add to a duality gap."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats, Stack
from mkfusion.solvers._svm import EPS, Task
from mkfusion.solvers._weights import Regulariser

# Rounding errors of sums, in units of those of one number: at least, and per root of their length.
_SHORT_SUM, _WALK = 2.0, 0.5
# Diagonals of kernels that are looked at together, in numbers.
_NUMBERS = 2**22


def relative_gap(primal: float, dual: float, noise: float, rounding: float = 0.0) -> float:
    """Return the duality gap as a share of the primal value, or of the noise if that is more.

    Both as large, and as small, as `rounding` errors allow.
    """
    gap, size = max(primal + rounding - dual, 0.0), max(abs(primal) - rounding, noise)
    if not isfinite(primal - dual):
        return float("inf")  # nothing is known of such a point
    if size > 0.0:
        return gap / size
    return 0.0 if gap == 0.0 else float("inf")


class Sums(NamedTuple):
    """What the products with a stack are sums of, by Cauchy and Schwarz.

    Attributes
    ----------
    spans : ndarray of shape (n_tasks, m)
        Their squares bound what the quadratic forms are sums of.
    sizes : ndarray of shape (n_tasks, n)
        Bounds of what decision values are sums of.
    diagonal : ndarray of shape (n,)
        Of the composite kernel.
    """

    spans: Floats
    sizes: Floats
    diagonal: Floats


def sums(stack: Stack, d: Floats, beta: Floats, diagonal: Floats | None = None) -> Sums:
    """Return what is added up for weights d and dual variables beta (n_tasks, n).

    `diagonal` (m, n) is that of the stack, where it is at hand.
    """
    n, _, m = stack.shape
    spans, sizes = np.empty((len(beta), m)), np.zeros_like(beta)
    total = np.zeros(n)
    at_a_time = max(1, _NUMBERS // n)
    for first in range(0, m, at_a_time):
        some = np.arange(first, min(first + at_a_time, m))
        whole = some.size == m
        if diagonal is None:
            own = np.maximum((stack if whole else stack.select(some)).diagonal(), 0.0)
        else:
            own = np.maximum(diagonal[some], 0.0)
        lengths = np.sqrt(own)
        spans[:, some] = np.abs(beta) @ lengths.T
        sizes += (spans[:, some] * d[some]) @ lengths
        total += d[some] @ own
    return Sums(spans, sizes, total)


def unit(n: int) -> float:
    """Return the share of a sum of n products that rounding may add to it.

    Errors of sums grow with the root of their length, as random walks do.
    """
    return EPS * max(_SHORT_SUM, _WALK * float(np.sqrt(n)))


def rounding_of_dual(reg: Regulariser, forms: Floats, spans: Floats, n: int) -> float:
    """Return how much smaller the dual value may be.

    Parameters
    ----------
    reg : Regulariser
    forms : ndarray of shape (m,)
        As computed.
    spans : ndarray of shape (n_tasks, m)
    n : int
        How many products a form is a sum of.
    """
    larger = forms + unit(n) * np.sum(spans * spans, axis=0)
    return reg.conjugate(larger) - reg.conjugate(forms)


def rounding_of_primal(
    tasks: Sequence[Task], beta: Floats, intercept: Floats, decisions: Floats, sizes: Floats
) -> float:
    """Return how much larger the primal value may be.

    Parameters
    ----------
    tasks : sequence of Task
    beta, decisions, sizes : ndarray of shape (n_tasks, n)
        Dual variables, decision values without intercept, and what these are sums of.
    intercept : ndarray of shape (n_tasks,)
    """
    total = 0.0
    for task, own, b, f, size in zip(tasks, beta, intercept, decisions, sizes, strict=True):
        noise = unit(own.size) * (size + np.abs(task.y) + np.abs(b))
        total += task.loss_noise(task.y - f, float(b), noise) + float(np.abs(own) @ noise)
    return total
