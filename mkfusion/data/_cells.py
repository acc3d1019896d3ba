"""Which cell of a table it is that a message is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mkfusion._compat import each_column
from mkfusion._messages import shown
from mkfusion.data._columns import column_names


def find_infinity(data: Any) -> str | None:
    """Return where a table has an infinite number, None where it has none.

    Parameters
    ----------
    data : DataFrame or ndarray of shape (n_samples, n_columns), or samples of other kinds

    Returns
    -------
    str or None
        None as well for samples that are no columns.
    """
    return _find(data, lambda values: np.isinf(values), "infinite", False)


def find_no_number(data: Any) -> str | None:
    """Return where a table has a cell that is no finite number, None where it has none.

    Parameters
    ----------
    data : DataFrame or ndarray of shape (n_samples, n_columns), or samples of other kinds

    Returns
    -------
    str or None
        None as well for samples that are no columns.
    """
    return _find(data, lambda values: ~np.isfinite(values), "not finite", True)


# What estimators say of cells, without saying of which
_OF_A_TEXT = re.compile("could not convert|cannot convert|Unable to convert")
_OF_INFINITY = re.compile(r"\b(infinity|inf)\b", re.IGNORECASE)


@contextmanager
def naming_columns(data: Any) -> Iterator[None]:
    """Say in an error about a text or an infinite number which column has it.

    Not in which row: what estimators see may be some of the user's rows.

    Parameters
    ----------
    data : samples
        That what is inside has refused.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        cell, message = None, str(error)
        if type(error) in (TypeError, ValueError) and "column " not in message:
            if _OF_A_TEXT.search(message):
                cell = find_no_number(data)
            elif _OF_INFINITY.search(message):
                cell = find_infinity(data)
        if cell is None:
            raise
        raise type(error)(f"{cell.rsplit(' in row ', 1)[0]}: {message}") from error


def _find(data: Any, is_wrong: Any, what: str, texts: bool) -> str | None:
    if issparse(data) or len(getattr(data, "shape", ())) != 2:
        return None
    if isinstance(data, np.ndarray) and data.dtype.kind == "c":
        return None  # all of it is wrong
    if isinstance(data, np.ndarray) and data.dtype.kind in "biuf" and not is_wrong(data).any():
        return None
    names = column_names(data)
    for j, column in enumerate(each_column(data)):
        values = np.asarray(column)
        where = f"column {shown(j if names is None else names[j])}"
        if values.dtype.kind in "biuf":
            rows = np.flatnonzero(is_wrong(values))
            if len(rows):
                return f"{where} is {what} in row {rows[0]}"
        elif texts and (row := first_text(values)) is not None:
            return f"{where} holds {shown(values[row])} in row {row}"
    return None


def first_text(values: NDArray[Any]) -> int | None:
    """Return the first row of values (n,) that is no number, None where all are."""
    for row, value in enumerate(values):
        try:
            float(value)
        except (TypeError, ValueError):
            return row
    return None
