"""Prices of the loss to choose among, from the data."""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats
from mkfusion.mkl._validation import Training
from mkfusion.solvers import Loss, Squared, one_blas_thread

# The largest price over the smallest. The hinge loss is followed from where it begins to act; other
# losses act on some samples from the first, and are followed from a tenth of where the function
# spans the targets.
_SPAN, _BELOW = 1e4, 0.1
# Of sums of similarities, those that do not change with the order in which they are added.
_DIGITS = 9


def cost_grid(training: Training, loss: Loss, count: int, *, classes: bool) -> Floats:
    """Return values of C between which a machine on the unweighted sum of the kernels changes.

    Parameters
    ----------
    training : Training
    loss : Loss
    count : int
        How many.
    classes : bool
        Whether targets are labels.

    Returns
    -------
    ndarray of shape (count,)
        Ascending, in equal steps of their logarithms.

    Notes
    -----
    While C is small every dual variable is at its bound, and the function is C times one that does
    not depend on C, ``f = K beta`` with the dual variables of C = 1. Nothing but its size changes
    until it spans the targets: with labels -1 and 1, until the first margins of both classes are
    reached, which cannot be before ``C (max f - min f) = 2``. From there on the function bends, and
    four decades later next to no dual variable of a machine that can separate the classes is at its
    bound; where classes overlap, predictions have long settled.
    """
    weights = training.weights
    targets = np.concatenate(training.groups)
    probes = np.array([_at_bounds(y, weights, loss, classes=classes) for y in targets])
    with one_blas_thread():
        spread = np.ptp(_products(training, probes), axis=1)
    wanted = np.ptp(targets[:, weights > 0.0], axis=1)
    known = (spread > 0.0) & (wanted > 0.0)
    first = float((wanted[known] / spread[known]).min()) if known.any() else 1.0
    first *= 1.0 if classes else _BELOW
    if count == 1:
        return np.array([first * np.sqrt(_SPAN)])
    return np.geomspace(first, first * _SPAN, count)


def kernel_sums(training: Training) -> Floats:
    """Return the sum (n,) of each sample's similarities to all, in all kernels.

    They do not depend on the order of the samples beyond rounding, which is cut off.
    """
    (sums,) = _products(training, np.ones((1, training.stack.shape[0])))
    size = float(np.abs(sums).max())
    return np.round(sums / size, _DIGITS) if size > 0.0 else sums


def _at_bounds(y: Floats, weights: Floats, loss: Loss, *, classes: bool) -> Floats:
    """Return the dual variables (n,) of C = 1 while C is small."""
    if classes:
        # The larger class has as much as the smaller one.
        sizes = {side: float(weights[y == side].sum()) for side in (-1.0, 1.0)}
        least = min(sizes.values())
        return y * weights * np.where(y > 0.0, least / sizes[1.0], least / sizes[-1.0])
    centred = y - np.average(y, weights=weights)
    if isinstance(loss, Squared):
        return 2.0 * weights * centred
    beta = weights * np.sign(centred)
    return beta - weights * beta.sum() / weights.sum()


def _products(training: Training, beta: Floats) -> Floats:
    """Return ``sum_k K_k beta_u`` (n_vectors, n)."""
    stack = training.stack
    out = np.zeros((len(beta), stack.shape[2], stack.shape[0]))
    stack.add_dot(beta, out)
    total: Floats = out.sum(axis=1)
    return total
