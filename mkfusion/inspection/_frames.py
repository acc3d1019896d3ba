"""Results as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def as_frame(columns: Mapping[str, Any], index: Sequence[Any], name: str) -> Any:
    """Return a pandas DataFrame.

    Parameters
    ----------
    columns : mapping of str to sequence of n_rows values
    index : sequence of n_rows labels
    name : str
        What the labels are.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        from pandas import DataFrame, Index
    except ImportError as error:
        raise ImportError("to_frame() needs pandas, which is not installed.") from error
    return DataFrame(dict(columns), index=Index(list(index), name=name))
