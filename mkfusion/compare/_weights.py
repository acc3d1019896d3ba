"""The kernel weights that a method has learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

import mkfusion
from mkfusion._types import Floats


def learned_weights(model: Any, n_modalities: int) -> Floats | None:
    """Return each modality's share of the weights that a fitted model has learned.

    Parameters
    ----------
    model : fitted estimator
    n_modalities : int

    Returns
    -------
    ndarray of shape (n_modalities,) or None
        They sum to one; None where the model has none, or one for anything but each modality.
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
        # Those of several classes, if each has its own
        found = found.reshape(-1, found.shape[-1]).mean(axis=0)
        if len(found) == n_modalities and found.min() >= 0 and found.sum() > 0:
            return found / found.sum()
    return None
