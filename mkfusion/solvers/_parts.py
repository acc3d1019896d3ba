"""A part of the samples, on which most of the way is gone for little of the work."""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats, Indices
from mkfusion.solvers._losses import Loss

# Neighbours that are taken together, because memory is read by the line: two cache lines.
RUN = 16


def runs(n: int, size: int) -> Indices:
    """Return about `size` of n samples, in runs of neighbours.

    Parameters
    ----------
    n, size : int

    Returns
    -------
    ndarray of shape (n_some,)
        Sorted.
    """
    starts = np.linspace(0, max(n - RUN, 0), max(size // RUN, 1)).astype(np.intp)
    return np.unique(np.minimum(starts[:, np.newaxis] + np.arange(RUN), n - 1))


def is_usable(loss: Loss, y: Floats, cost: Floats, sample: Indices) -> bool:
    """Return whether every task can be learned on some of the samples.

    Parameters
    ----------
    loss : Loss
    y, cost : ndarray of shape (n_tasks, n)
    sample : ndarray of shape (n_some,)

    Returns
    -------
    bool
    """
    tasks = zip(y[:, sample], cost[:, sample], strict=True)
    return all(loss.usable(yu, cu) for yu, cu in tasks)


def scaled_cost(cost: Floats, sample: Indices) -> Floats:
    """Return the cost of some samples such that the loss keeps its size against the regulariser.

    Parameters
    ----------
    cost : ndarray of shape (n_tasks, n)
    sample : ndarray of shape (n_some,)

    Returns
    -------
    ndarray of shape (n_tasks, n_some)
    """
    some = cost[:, sample]
    return np.asarray(some * (cost.sum() / some.sum()))
