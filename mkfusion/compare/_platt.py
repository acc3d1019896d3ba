"""Platt's sigmoids, as scikit-learn's `CalibratedClassifierCV` fits them.

Late fusion of a comparison is what `LateFusionClassifier` does, which calibrates machines by it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mkfusion._sigmoids import logits_with_offsets
from mkfusion._types import Floats, Mask


class Sigmoid(NamedTuple):
    """Probability of a class from decision values: ``1 / (1 + exp(-(slope f + offset)))``."""

    slope: float
    offset: float

    def __call__(self, decisions: Floats) -> Floats:
        """Return the probabilities of decision values (n,)."""
        return np.asarray(expit(self.slope * decisions + self.offset))


def sigmoid(decisions: Floats, positive: Mask) -> Sigmoid:
    """Fit Platt's sigmoid.

    Parameters
    ----------
    decisions : ndarray of shape (n,)
    positive : ndarray of shape (n,), dtype=bool
        Which samples are of the class.

    Returns
    -------
    Sigmoid

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines and comparisons to regularized
    likelihood methods", Advances in Large Margin Classifiers (1999). Targets are not quite 0 and 1,
    so that classes that are apart have no infinite slope.
    """
    n, total = np.count_nonzero(positive), len(positive)
    wanted = np.where(positive, (n + 1) / (n + 2), 1 / (total - n + 2))
    # The softmax of -f/2 and f/2 is the sigmoid of f.
    found, _ = logits_with_offsets(
        decisions[:, np.newaxis] * [-0.5, 0.5],
        np.column_stack([1.0 - wanted, wanted]),
        np.ones(total),
    )
    return Sigmoid(float(found[0, 0]), float(found[1, 1] - found[0, 1]))


def sigmoids(decisions: Floats, y: NDArray[Any], classes: NDArray[Any]) -> list[Sigmoid]:
    """Fit sigmoids to decision values, one for each class if there are more than two.

    Parameters
    ----------
    decisions : ndarray of shape (n, 1) or (n, n_classes)
    y : ndarray of shape (n,)
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    list of 1 or n_classes Sigmoid
    """
    labels = classes[1:] if decisions.shape[1] == 1 else classes
    pairs = zip(decisions.T, labels, strict=True)
    return [sigmoid(column, np.asarray(y == label)) for column, label in pairs]


def chances(calibrated: list[Sigmoid], decisions: Floats) -> Floats:
    """Return probabilities: those of one class against the rest, divided by their sum.

    Parameters
    ----------
    calibrated : list of 1 or n_classes Sigmoid
    decisions : ndarray of shape (n, 1) or (n, n_classes)

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    pairs = zip(calibrated, decisions.T, strict=True)
    found = np.column_stack([one(column) for one, column in pairs])
    if found.shape[1] == 1:
        return np.hstack([1.0 - found, found])
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0 / found.shape[1])
