"""How messages show values."""

from __future__ import annotations

from typing import Any

import numpy as np


def shown(value: Any) -> str:
    """Return the representation of a value, NumPy's scalars as the numbers and texts that they are.

    Parameters
    ----------
    value : object
        Or a list or tuple of them.

    Returns
    -------
    str
        ``0.0``, where ``repr`` says ``np.float64(0.0)``.
    """
    return repr(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value
