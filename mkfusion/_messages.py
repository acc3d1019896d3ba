"""How messages show values."""

from __future__ import annotations

from typing import Any


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
    # NumPy's scalars are known by what they have: the help of the command line shows values too,
    # and is not to wait for NumPy.
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return str(value) if value.dtype.kind in "mM" else value.item()
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value
