"""One signal: the channels of a sensor over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data._containers import as_plain


def read_signal(signal: Any, name: str) -> Floats:
    """Return a signal as an array (n_channels, n_steps), of one channel if it has one dimension.

    Parameters
    ----------
    signal : array-like of shape (n_channels, n_steps) or (n_steps,)
    name : str
        For messages.

    Returns
    -------
    ndarray of shape (n_channels, n_steps), float64

    Raises
    ------
    ValueError, TypeError
        If it is not, or a number is missing or infinite.
    """
    values = np.asarray(as_plain(signal, name))
    if values.ndim == 1:
        values = values[np.newaxis]
    if values.dtype.kind not in "fiub" or values.ndim != 2 or values.size == 0:
        raise TypeError(
            f"{name} is an array of shape {values.shape} and dtype {values.dtype}; expected "
            "numbers (n_channels, n_steps) or (n_steps,)."
        )
    if not np.isfinite(values).all():
        channel, step = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{name} is {shown(values[channel, step])} in channel {channel} at step {step}; "
            "expected finite numbers."
        )
    return values.astype(np.float64)
