"""Arguments that several questions take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from mkfusion._compat import num_samples


def check_count(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number in a range."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name} is {value!r}; expected a whole number, at least {least}{limit}.")


def check_level(confidence_level: float) -> None:
    """Refuse what is no confidence level."""
    if not 0.0 < confidence_level < 1.0:
        raise ValueError(f"confidence_level is {confidence_level!r}; expected a number in (0, 1).")


def check_groups(groups: Any, n_samples: int) -> NDArray[np.intp] | None:
    """Return the number of each sample's group, None without groups."""
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n_samples,):
        raise ValueError(f"groups has shape {labels.shape}; expected ({n_samples},).")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def check_target(y: Any, n_samples: int) -> NDArray[Any]:
    """Return the target in one dimension, as long as the samples."""
    if y is None:
        raise ValueError("y is None; expected the target.")
    y = column_or_1d(y)
    if num_samples(y) != n_samples:
        raise ValueError(f"y has {num_samples(y)} samples; expected {n_samples}, as X has.")
    return np.asarray(y)
