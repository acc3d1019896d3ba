"""What null kernels leave of a target: residuals that are alike and unrelated if nothing else acts.

The null model is a kernel machine with a variance for every null kernel, fitted by restricted
maximum likelihood: Gaussian for numbers, logistic by penalised quasi-likelihood for two classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.special import expit, logit

from mkfusion._types import Floats

# Ratios of a single null kernel's variance to that of the noise that are tried.
RATIOS = np.concatenate([[0.0], np.geomspace(0.03, 100.0, 30)])
# Steps on the variances of several null kernels, and the least share of the target's variance that
# noise keeps: a target that is constant within groups would leave none.
STEPS = 40
LEAST_NOISE = 1e-3
# Two classes: linearisations, steps on the variances in each and in the last, and what bounds keep
# the logits, probabilities, variances and the dispersion in.
LINEARISATIONS = 5
STEPS_OF_ONE, STEPS_OF_THE_LAST = 4, 14
LOGITS, PROBABILITIES = (-6.0, 6.0), (0.02, 0.98)
VARIANCES, DISPERSIONS = (1e-3, 50.0), (0.05, 5.0)


class Whitened(NamedTuple):
    """Residuals of the null model, divided by their standard deviations.

    Attributes
    ----------
    residuals : ndarray of shape (n,)
        ``u``: of covariance about the identity under the null, orthogonal to the intercept.
    root : ndarray of shape (n, n)
        ``R``: how they were made, ``u = R z`` up to their scale.
    """

    residuals: Floats
    root: Floats

    @property
    def scores(self) -> Floats:
        """``R' u`` (n,): what a new kernel is compared with; orthogonal to the intercept."""
        return self.root.T @ self.residuals


def whiten_numbers(y: Floats, nulls: Sequence[Floats]) -> Whitened:
    """Whiten numbers.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Of mean 0.
    nulls : sequence of ndarray of shape (n, n)
        Centred, of trace n - 1.

    Returns
    -------
    Whitened
        With residuals of length ``sqrt(n - 1)``.
    """
    n = len(y)
    if not nulls:
        root = np.eye(n)
    elif len(nulls) == 1:
        values, vectors = np.linalg.eigh(nulls[0])
        values = np.maximum(values, 0.0)
        z = vectors.T @ y
        # Rows: ratios. The intercept is an eigenvector of value 0 in which y has no part.
        scales = RATIOS[:, np.newaxis] * values + 1.0
        noise = (z * z / scales).sum(axis=1)
        likelihood = -((n - 1) * np.log(noise) + np.log(scales).sum(axis=1)) / 2
        root = (vectors / np.sqrt(scales[likelihood.argmax()])) @ vectors.T
    else:
        root = _inverse_root(_covariance_of_numbers(y, nulls))
    root -= 1.0 / n  # nothing of the intercept, which had kept its length
    residuals = root @ y
    return Whitened(residuals * np.sqrt((n - 1) / (residuals @ residuals)), root)


def _covariance_of_numbers(y: Floats, nulls: Sequence[Floats]) -> Floats:
    """Return the covariance in units of the noise, by minorise-maximise steps."""
    n = len(y)
    total = float(y @ y) / (n - 1)
    noise = total / (len(nulls) + 1)
    variances = [noise] * len(nulls)
    for _ in range(STEPS):
        inverse = _inverse(_add(variances, nulls, np.full(n, noise)))
        a = inverse @ y
        # The intercept's share 1 / noise does not count: it is no part of the likelihood.
        trace = np.trace(inverse) - 1.0 / noise
        variances = [
            float(s * np.sqrt(a @ C @ a / np.vdot(inverse, C)))
            for s, C in zip(variances, nulls, strict=True)
        ]
        noise = max(float(noise * np.sqrt(a @ a / trace)), LEAST_NOISE * total)
    return _add([s / noise for s in variances], nulls, np.ones(n))


def whiten_classes(y: Floats, nulls: Sequence[Floats], *, dispersed: bool) -> Whitened:
    """Whiten two classes on the scale of logits.

    Parameters
    ----------
    y : ndarray of shape (n,)
        0 and 1.
    nulls : sequence of ndarray of shape (n, n)
        Centred, of trace n - 1.
    dispersed : bool
        Whether the dispersion is fitted at the end, rather than 1. In every linearisation, it would
        make up for what the variances should explain.

    Returns
    -------
    Whitened
    """
    n = len(y)
    logits = np.full(n, logit(y.mean()))
    variances, dispersion = [1.0] * len(nulls), 1.0
    for step in range(LINEARISATIONS):
        last = step == LINEARISATIONS - 1
        p = np.clip(expit(np.clip(logits, *LOGITS)), *PROBABILITIES)
        weights = p * (1.0 - p)
        z = logits + (y - p) / weights
        for _ in range(STEPS_OF_THE_LAST if last else STEPS_OF_ONE):
            inverse = _inverse(_add(variances, nulls, dispersion / weights))
            ones = inverse.sum(axis=1)
            projection = inverse - np.outer(ones, ones) / ones.sum()
            a = projection @ z
            variances = [
                float(np.clip(s * np.sqrt(a @ C @ a / np.vdot(projection, C)), *VARIANCES))
                for s, C in zip(variances, nulls, strict=True)
            ]
            if last and dispersed:
                ratio = (a * a / weights).sum() / (np.diagonal(projection) / weights).sum()
                dispersion = float(np.clip(dispersion * np.sqrt(ratio), *DISPERSIONS))
        covariance = _add(variances, nulls, dispersion / weights)
        if not last:
            inverse = _inverse(covariance)
            ones = inverse.sum(axis=1)
            intercept = ones @ z / ones.sum()
            logits = z - inverse @ (z - intercept) / weights
    root = _inverse_root(covariance)
    v = root.sum(axis=1)
    root -= np.outer(v, v @ root) / (v @ v)
    return Whitened(root @ z, root)


def _add(variances: Sequence[float], nulls: Sequence[Floats], diagonal: Floats) -> Floats:
    """Return ``sum_k variances_k nulls_k + diag(diagonal)``."""
    total = np.diag(diagonal)
    for variance, null in zip(variances, nulls, strict=True):
        total += variance * null
    return total


def _inverse(covariance: Floats) -> Floats:
    """Return the inverse of a positive definite matrix."""
    factor, failed = dpotrf(covariance, lower=1)
    assert not failed, "null kernels are positive semi-definite, and the noise is positive"
    half, _ = dpotri(factor, lower=1)  # the upper triangle is 0, as that of the factor
    inverse: Floats = half + half.T
    inverse.flat[:: len(inverse) + 1] /= 2.0
    return inverse


def _inverse_root(covariance: Floats) -> Floats:
    """Return the symmetric inverse square root of a positive definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors / np.sqrt(values)) @ vectors.T
    return root
