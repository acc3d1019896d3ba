"""Probabilities from decision values."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_softmax, softmax

from mkfusion._types import Floats, Indices

# Newton's method for a few numbers: when it ends, and what is no difference.
_MOST_STEPS, _CLOSE, _ALIKE = 50, 1e-8, 1e-12


def class_logits(
    decisions: Floats, codes: Indices, weights: Floats | None = None, *, offsets: bool = True
) -> Floats:
    """Fit what makes logits of decision values of samples held out.

    The logits are ``a f + b`` with one slope a for all columns: values of one class against the
    rest, made independently, are compared with each other as they are, rather than each turned into
    a probability before. Of two classes that is Platt's sigmoid, but for its targets. Offsets b are
    0 unless they fit better by Schwarz's criterion; otherwise the most likely class is that of the
    largest value, or of the sign of the only one. A slope that would be negative is 0, as values
    that go against the classes of samples held out say nothing of new ones.

    Parameters
    ----------
    decisions : ndarray of shape (n, 1) or (n, n_classes)
    codes : ndarray of shape (n,)
        Numbers of classes.
    weights : ndarray of shape (n,), default=None
        How much each sample counts, some of them positive; None is 1.
    offsets : bool, default=True
        Whether there may be any. Without, the most likely class is always that of the largest
        value, or that of the sign of the only one.

    Returns
    -------
    ndarray of shape (1, 2) or (n_classes, 2)
        Slope and offset of each column.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods", Advances in Large Margin Classifiers (1999).

    Krichevsky and Trofimov, "The performance of universal encoding", IEEE Transactions on
    Information Theory 27 (1981).
    """
    share = np.ones(len(codes)) if weights is None else weights
    two = decisions.shape[1] == 1
    # The softmax of -f/2 and f/2 is the sigmoid of f.
    values = decisions * [-0.5, 0.5] if two else decisions
    found = _softmax_logits(values, codes, share, offsets)
    if found[0, 0] < 0.0:
        found = _softmax_logits(np.zeros_like(values), codes, share, offsets)
    return np.array([[found[0, 0], found[1, 1] - found[0, 1]]]) if two else found


def class_chances(logits: Floats, decisions: Floats) -> Floats:
    """Return probabilities of classes.

    Parameters
    ----------
    logits : ndarray of shape (1, 2) or (n_classes, 2)
        Slope and offset of each column.
    decisions : ndarray of shape (n, 1) or (n, n_classes)

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    values = decisions * logits[:, 0] + logits[:, 1]
    if values.shape[1] == 1:
        return np.hstack([expit(-values), expit(values)])
    return np.asarray(softmax(values, axis=1))


def _softmax_logits(decisions: Floats, codes: Indices, share: Floats, offsets: bool) -> Floats:
    """Minimise the log loss of ``softmax(a f + b)`` over a, and over b if that is worth it.

    Each sample is of the other classes by what Krichevsky and Trofimov would say of an error that
    was seen in none of n samples, 1/2 in n + 1, so that classes that are apart have no infinite
    slope. One sample more of each class, as Platt has it, would be as many errors as classes.
    """
    n, n_classes = decisions.shape
    total = float(share.sum())
    wrong = 0.5 / (total + 1.0)
    wanted = np.full((n, n_classes), wrong / (n_classes - 1))
    wanted[np.arange(n), codes] = 1.0 - wrong
    values, scale = _to_scale(decisions)
    at, loss = _softmax_newton(values, wanted, share, np.zeros(n_classes + 1), 1)
    if offsets:
        free, now = logits_with_offsets(decisions, wanted, share)
        # Without offsets the most likely class is that of the largest value. By Schwarz's criterion
        # they must earn what one parameter for each class but one costs.
        if scale == 0.0 or 2.0 * (loss - now) > (n_classes - 1) * np.log(max(total, 1.0)):
            return free
    return np.column_stack([np.full(n_classes, _slope(at, scale)), at[1:]])


def logits_with_offsets(decisions: Floats, wanted: Floats, share: Floats) -> tuple[Floats, float]:
    """Minimise the log loss of ``softmax(a f + b)`` over a and b.

    Parameters
    ----------
    decisions, wanted : ndarray of shape (n, n_classes)
        Values f, and the probabilities that they are to have.
    share : ndarray of shape (n,)
        How much each sample counts.

    Returns
    -------
    logits : ndarray of shape (n_classes, 2)
        Slope and offset of each column.
    loss : float
    """
    n_classes = decisions.shape[1]
    # Offsets take up whatever all samples have in common.
    means = share @ decisions / float(share.sum())
    centred, scale = _to_scale(decisions - means)
    if scale <= _ALIKE * np.abs(means).max():
        centred, scale = np.zeros_like(decisions), 0.0
    start = np.zeros(n_classes + 1)
    at, loss = _softmax_newton(centred, wanted, share, start, n_classes + 1)
    slope = _slope(at, scale)
    return np.column_stack([np.full(n_classes, slope), at[1:] - slope * means]), loss


def _to_scale(decisions: Floats) -> tuple[Floats, float]:
    """Return decision values in units of how far classes are apart, and that; or zeros, and 0."""
    scale = float(np.abs(decisions - decisions.mean(axis=1, keepdims=True)).mean())
    return (decisions / scale if scale > 0.0 else np.zeros_like(decisions)), scale


def _slope(at: Floats, scale: float) -> float:
    """Return the slope of values that were brought to a scale."""
    return float(at[0]) / scale if scale > 0.0 else 0.0


def _softmax_newton(
    values: Floats, wanted: Floats, share: Floats, at: Floats, n_free: int
) -> tuple[Floats, float]:
    """Minimise the log loss over the first parameters of slope and offsets; return it too."""

    def loss(at: Floats) -> float:
        logs = log_softmax(at[0] * values + at[1:], axis=1)
        return -float(share @ (wanted * logs).sum(axis=1))

    now = loss(at)
    for _ in range(_MOST_STEPS):
        found = softmax(at[0] * values + at[1:], axis=1)
        errors = share[:, np.newaxis] * (wanted - found)
        gradient = np.r_[np.sum(errors * values), errors.sum(axis=0)]
        mean = np.sum(found * values, axis=1)
        shared = share[:, np.newaxis] * found
        beside = np.sum(shared * (values - mean[:, np.newaxis]), axis=0)
        curvature = np.empty((len(at), len(at)))
        curvature[0, 0] = np.sum(shared * (values - mean[:, np.newaxis]) ** 2)
        curvature[0, 1:] = curvature[1:, 0] = beside
        curvature[1:, 1:] = np.diag(shared.sum(axis=0)) - found.T @ shared
        # Offsets may all be moved together: of these, the step that does not.
        step = np.zeros(len(at))
        free = slice(n_free)
        step[free] = np.linalg.lstsq(curvature[free, free], gradient[free], rcond=1e-12)[0]
        while loss(at + step) > now and np.abs(step).max() > _ALIKE:
            step /= 2
        at, now = at + step, loss(at + step)
        if np.abs(step).max() <= _CLOSE:
            break
    return at, now
