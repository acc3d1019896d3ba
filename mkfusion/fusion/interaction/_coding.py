"""Columns of categories as columns of numbers: treatment coding, with named levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import Column, as_matrix, read_column

# The levels of each column, the reference first; None for a column of numbers.
Levels = list[list[Any] | None]
_MOST_SHOWN = 20


def find_levels(data: Any) -> Levels | None:
    """Return what categories there are in the columns of a table.

    Parameters
    ----------
    data : DataFrame, Series or array
        Training samples. Only columns with a type of their own can be of categories.

    Returns
    -------
    list of (list or None), or None
        None where all columns are numbers.

    Raises
    ------
    ValueError
        If cells are missing, there is one level only, or nearly as many as samples.
    """
    if not (hasattr(data, "columns") or hasattr(data, "to_frame")):
        return None
    columns = [_read(data, j) for j in range(_width(data))]
    if not any(map(_is_factor, columns)):
        return None
    return [_levels(column) if _is_factor(column) else None for column in columns]


def code(data: Any, levels: Levels, min_samples: int = 1) -> Floats:
    """Return columns of numbers: 1 where a sample has a level, for all levels but the first.

    Parameters
    ----------
    data : DataFrame, Series or ndarray of shape (n_samples, n_columns)
    levels : list of (list or None)
        Of the training samples.
    min_samples : int, default=1

    Returns
    -------
    ndarray of shape (n_samples, n_coded)

    Raises
    ------
    ValueError
        If there are other columns, cells are missing, or a level is new.
    """
    if _width(data) != len(levels):
        raise ValueError(f"it has {_width(data)} columns; expected {len(levels)}, as in fit.")
    parts = []
    for j, known in enumerate(levels):
        if known is None:
            one = data if _is_series(data) else safe_indexing(data, [j], axis=1)
            parts.append(as_matrix(one, min_samples=min_samples))
            continue
        column = _read(data, j)
        _refuse_gaps(column)
        values = column.values.tolist()
        new = [value for value in dict.fromkeys(values) if value not in known]
        if new:
            raise ValueError(
                f"column {column.name!r} has the level {shown(new[0])}, which no training sample "
                f"has; expected one of {shown(known[:_MOST_SHOWN])}."
            )
        parts.append(np.array([[value == one for one in known[1:]] for value in values], float))
    return np.hstack(parts)


def coded_names(names: list[str], levels: Levels) -> tuple[list[str], list[str]]:
    """Return the names of coded columns, and the name of the column that each comes from."""
    coded, sources = [], []
    for name, known in zip(names, levels, strict=True):
        coded += [name] if known is None else [f"{name}[{level}]" for level in known[1:]]
        sources += [name] * (1 if known is None else len(known) - 1)
    return coded, sources


def _is_series(data: Any) -> bool:
    return not hasattr(data, "columns") and getattr(data, "ndim", 1) == 1


def _width(data: Any) -> int:
    return 1 if _is_series(data) else int(data.shape[1])


def _read(data: Any, j: int) -> Column:
    if _is_series(data):
        return read_column(data, getattr(data, "name", None) or 0)
    name = data.columns[j] if hasattr(data, "columns") else j
    return read_column(safe_indexing(data, j, axis=1), name)


def _is_factor(column: Column) -> bool:
    # Booleans are 0 and 1 already.
    truths = all(isinstance(value, bool | np.bool_) for value in column.present.tolist())
    return column.kind in ("nominal", "ordinal") and not truths


def _levels(column: Column) -> list[Any]:
    """Return the levels that samples have: in the order of the type, or sorted."""
    _refuse_gaps(column)
    there = set(column.values.tolist())
    if column.levels is not None:
        levels = [level for level in column.levels if level in there]
    else:
        levels = sorted(there, key=lambda level: (type(level).__name__, level))
    if len(levels) < 2:
        raise ValueError(
            f"column {column.name!r} has one level, {shown(levels[0])}; expected two or more."
        )
    if len(levels) > max(2, len(column.values) // 2):
        raise ValueError(
            f"column {column.name!r} has {len(levels)} levels in {len(column.values)} samples, "
            f"such as {shown(levels[0])}; expected categories, of several samples each."
        )
    return levels


def _refuse_gaps(column: Column) -> None:
    if column.missing.any():
        raise ValueError(
            f"column {column.name!r} has {int(column.missing.sum())} missing cells, the first in "
            f"row {int(np.flatnonzero(column.missing)[0])}; expected a level in each."
        )
