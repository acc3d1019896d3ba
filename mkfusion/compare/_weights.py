"""The kernel weights that a method has learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

import mkfusion
from mkfusion._types import Floats


def learned_weights(
    model: Any, n_modalities: int, classes: NDArray[Any] | None = None
) -> Floats | None:
    """Return each modality's share of the weights that a fitted model has learned.

    Parameters
    ----------
    model : fitted estimator
    n_modalities : int
    classes : ndarray of shape (n_classes,), default=None
        All that there are, sorted, of which the model may know some.

    Returns
    -------
    ndarray of shape (n_modalities,) or (n_classes, n_modalities), or None
        They sum to one, those of each class where classes have their own, unless all of them are
        zero, and are NaN of a class that the model does not know; None where the model has none,
        or one for anything but each modality.
    """
    model = getattr(model, "regressor_", model)
    for step in [one for _, one in model.steps] if isinstance(model, Pipeline) else [model]:
        # Those of late fusion are of predictions.
        weights = getattr(step, "weights_", None) if hasattr(step, "kernel_names_") else None
        if isinstance(step, mkfusion.KernelCombiner):
            learned = isinstance(step.weighting, str) and step.weighting != "uniform"
            weights = step.weights_ if learned else None
        if weights is None:
            continue
        found = np.asarray(weights, dtype=np.float64)
        total = found.sum(axis=-1, keepdims=True)
        if found.shape[-1] != n_modalities or found.min() < 0 or not total.max() > 0:
            continue
        shares = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
        if found.ndim == 1:
            return shares
        if classes is None:
            continue
        there = np.isin(classes, getattr(step, "classes_", ()))
        if there.sum() == len(shares):
            by_class = np.full((len(classes), n_modalities), np.nan)
            by_class[there] = shares
            return by_class
    return None
