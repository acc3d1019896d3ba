"""Where pictures are drawn: matplotlib is loaded here, when there is one to draw."""

from __future__ import annotations

from typing import Any


def axes_of(
    ax: Any,
    who: str,
    height: float = 3.0,
    width: float = 6.0,
    layout: str | None = "constrained",
) -> Any:
    """Return the axes to draw on, those of a new figure for None.

    Parameters
    ----------
    ax : matplotlib Axes or None
    who : str
        What is to be drawn, for the message.
    height, width : float
        Of a new figure, in inches.
    layout : str or None
        How the parts of a new figure are laid out; None leaves it to who draws.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{who}.plot() needs matplotlib, which is not installed.") from error
    return plt.subplots(figsize=(width, height), layout=layout)[1] if ax is None else ax
