"""The call of a comparison as it would be written again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mkfusion._messages import shown
from mkfusion.compare._method import Method

# What has more pieces than that is data, and is named rather than written out.
_MOST_PIECES = 1000


def described_call(name: str, modalities: Any, settings: Mapping[str, tuple[Any, Any]]) -> str:
    """Return a call, with the arguments that are not the defaults.

    Parameters
    ----------
    name : str
        Of the function.
    modalities : list of (name, columns) pairs, or None
    settings : dict of str to (value, default)

    Returns
    -------
    str
        Samples, targets and other data are called by the names of their parameters.
    """
    said = ["X", "y"] + ([] if modalities is None else [_said("modalities", list(modalities))])
    said += [
        f"{one}={_said(one, value)}"
        for one, (value, default) in settings.items()
        if not (value is default or (isinstance(value, str | int | float) and value == default))
    ]
    return f"{name}({', '.join(said)})"


def _said(name: str, value: Any) -> str:
    """Return a value as it is written, or the name of the parameter for data."""
    if isinstance(value, Method):
        return f"<method {value.key!r}>"
    if isinstance(value, str | int | float | slice) or value is None:
        return shown(value)
    if isinstance(value, Mapping):
        pairs = (f"{shown(key)}: {_said(str(key), one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        if len(value) > _MOST_PIECES:
            return f"<{name}>"
        pieces = ", ".join(_said(name, one) for one in value)
        if isinstance(value, tuple):
            return f"({pieces}{',' if len(value) == 1 else ''})"
        return f"[{pieces}]"
    if hasattr(value, "shape") or hasattr(value, "columns"):
        small = getattr(value, "ndim", 0) == 1 and name == "modalities"
        return shown(value.tolist()) if small else f"<{name}>"
    if hasattr(value, "__name__"):
        return str(value.__name__)
    return (
        " ".join(repr(value).split())
        if hasattr(value, "get_params") or hasattr(value, "split")
        else f"<{name}>"
    )
