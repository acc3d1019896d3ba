"""Probabilities from decision values of samples held out, by scikit-learn and SciPy."""

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss


def wanted_of(codes, n_classes):
    """Each of n samples is of the other classes by half an error in n + 1."""
    wrong = 0.5 / (len(codes) + 1)
    return np.where(np.eye(n_classes)[codes] == 1, 1 - wrong, wrong / (n_classes - 1))


def calibrated(held_out, codes, new, earned=None):
    """Return probabilities (n_new, n_classes) of decision values (n_new, 1 or n_classes).

    `earned`: whether there are offsets; by Schwarz's criterion if None.
    """
    n_classes = max(held_out.shape[1], 2)
    wanted = wanted_of(codes, n_classes)
    if n_classes == 2:  # each sample as both classes, weighted by its target
        scale = held_out.std()
        plain = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
        both, said = np.tile(held_out, (2, 1)) / scale, np.repeat([1, 0], len(codes))
        shares = np.r_[wanted[:, 1], wanted[:, 0]]
        free, through = (
            clone(plain).set_params(fit_intercept=some).fit(both, said, sample_weight=shares)
            for some in (True, False)
        )
        if earned is None:
            without, within = (
                log_loss(said, one.predict_proba(both), sample_weight=shares, normalize=False)
                for one in (through, free)
            )
            earned = 2 * (without - within) > np.log(len(codes))
        return (free if earned else through).predict_proba(new / scale)

    def loss(at):
        return -np.sum(wanted * log_softmax(at[0] * held_out + np.r_[0, at[1:]], axis=1))

    none = np.zeros(n_classes - 1)
    free = minimize(loss, np.r_[1, none], options={"gtol": 1e-7}).x
    slope = np.r_[minimize_scalar(lambda slope: loss(np.r_[slope, none])).x, none]
    if earned is None:
        earned = 2 * (loss(slope) - loss(free)) > (n_classes - 1) * np.log(len(codes))
    at = free if earned else slope
    return softmax(at[0] * new + np.r_[0, at[1:]], axis=1)
