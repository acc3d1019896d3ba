"""Tables for users: pandas is loaded here, when there is one to make."""

from __future__ import annotations

from typing import Any


def load_pandas(who: str = "to_frame()") -> Any:
    """Return pandas.

    Parameters
    ----------
    who : str, default="to_frame()"
        What needs it, for the message.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(f"{who} needs pandas, which is not installed.") from error
    return pandas
