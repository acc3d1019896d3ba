"""Columns of a few kinds, the same from any file.

skrub (0.11) finds kinds too, but lets pass in silence what is refused here with file, column and
row: infinity, "1,5" among numbers, cells of another kind than at fit (dates that its ``Cleaner``
cannot read become empty). It takes 0.55 s to import and brings requests, pydot and matplotlib.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from mkfusion._messages import shown
from mkfusion.cli._errors import UsageError, listed, note
from mkfusion.data import read_column

# What the door calls some of them
_NAMES = {"numeric": "number", "time": "time"}
KINDS = frozenset({"number", "truth", "text", "levels", "time"})
_TEXT_LIKE_NUMBERS = 0.5  # of a text column's values, from which on a slip is likelier than words
_LARGEST = 1e100  # its square, and sums of many of these, are numbers as well
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*,\d+([eE][+-]?\d+)?")


class Kind(NamedTuple):
    """What the cells of a column are.

    Attributes
    ----------
    name : str
        Of `KINDS`.
    levels : tuple of str or numbers
        From low to high, of an ordered categorical; the categories of text that is compared as
        such, once a model knows them.
    """

    name: str
    levels: tuple[Any, ...] = ()

    def holds_texts(self) -> bool:
        """Return whether what is written in a cell is a text, and 007 not 7."""
        texts = self.name == "levels" and all(isinstance(one, str) for one in self.levels)
        return self.name == "text" or texts


def gaps(column: pd.Series) -> np.ndarray:
    """Return which cells are empty, (n_rows,)."""
    return np.asarray(column.array.isna(), dtype=bool)


def read_kind(column: pd.Series, where: str) -> Kind:
    """Find out what a column holds.

    Parameters
    ----------
    column : Series
    where : str
        What to call it in messages.

    Returns
    -------
    Kind

    Raises
    ------
    UsageError
        If it holds anything else.
    """
    try:
        found = read_column(column, str(column.name))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    if found.levels is not None:
        levels = tuple(column.cat.categories.tolist())
        plain = all(isinstance(level, str | int | float) for level in levels)
        if found.kind == "ordinal" and plain and not any(isinstance(one, bool) for one in levels):
            return Kind("levels", levels)
        return Kind("text")
    if found.kind in _NAMES:
        return Kind(_NAMES[found.kind])
    cells = {type(value) for value in found.present}
    if cells <= {str}:
        return Kind("text")
    if cells <= {bool, np.bool_}:
        return Kind("truth")
    names = ", ".join(sorted(kind.__name__ for kind in cells))
    raise UsageError(
        f"{where} holds {names}; expected numbers, texts, true and false, dates or categories"
    )


def classify(column: pd.Series, where: str) -> tuple[pd.Series, Kind]:
    """Bring a column into the form of its kind, and say if it seems to be of another one.

    Parameters
    ----------
    column : Series
    where : str
        What to call it in messages.

    Returns
    -------
    tuple of Series and Kind

    Raises
    ------
    UsageError
        If it holds anything else than one of the kinds, infinity, or numbers with decimal commas.
    """
    kind = read_kind(column, where)
    if kind.name == "text" and not isinstance(column.dtype, pd.CategoricalDtype):
        present = column[~gaps(column)]
        words = present[pd.to_numeric(present, errors="coerce").isna()]
        if len(words) and all(_DECIMAL_COMMA.fullmatch(word.strip()) for word in words):
            raise UsageError(
                f"{where} holds {words.iloc[0]!r} in row {words.index[0] + 1}; expected numbers "
                "with decimal points and no commas"
            )
        if len(words) and all(DATE.fullmatch(word.strip()) for word in present):
            kind = Kind("time")  # as it would be from a Parquet file
        elif 0 < len(words) < _TEXT_LIKE_NUMBERS * len(present):
            note(
                f"{where} is taken for text: {len(words)} of its {len(present)} values are no "
                f"numbers, such as {words.iloc[0]!r} in row {words.index[0] + 1}"
            )
    return as_kind(column, kind, where), kind


def as_kind(column: pd.Series, kind: Kind, where: str) -> pd.Series:
    """Bring a column into the form that a kind has.

    Parameters
    ----------
    column : Series
    kind : Kind
    where : str
        What to call it in messages.

    Returns
    -------
    Series
        Of float64; of booleans; of objects with None in empty cells; of an ordered categorical;
        or of dates or durations.

    Raises
    ------
    UsageError
        If it is of another kind, infinite, or too large to compute with.
    """
    empty = gaps(column)
    if empty.all():
        return _all_empty(column, kind)
    found = read_kind(column, where).name
    if kind.name == "text":
        if found == "text":
            return _objects(column.astype(object), empty, str)
        raise _other_kind(column, where, found, "text")
    if kind.name == "levels":
        return _as_levels(column, kind, where)
    if kind.name == "truth":
        values = column[~empty]
        if found == "truth" or (found == "number" and values.isin([0, 1]).all()):
            objects = _objects(column.astype(object), empty, bool)
            return objects if empty.any() else objects.astype(bool)
        raise _other_kind(column, where, found, "true or false")
    if kind.name == "time":
        if found == "text":
            times = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
            others = column[times.isna() & ~empty]
            if len(others):
                raise _other_kind(others, where, found, "dates such as '2024-01-31'")
            column = times
        elif found != "time":
            raise _other_kind(column, where, found, "dates")
        elif isinstance(column.dtype, pd.PeriodDtype):
            column = column.dt.to_timestamp()
        elif column.dtype == object:
            column = _times(column, empty)
        return column.dt.tz_convert(None) if getattr(column.dtype, "tz", None) else column
    if found not in ("number", "truth"):
        raise _other_kind(column, where, found, "numbers")
    numbers = column.astype("Float64" if types.is_extension_array_dtype(column.dtype) else float)
    values = np.array(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise UsageError(f"{where} is infinite in row {row + 1}; expected finite numbers")
    large = np.flatnonzero(np.abs(values) > _LARGEST)
    if len(large):
        raise UsageError(
            f"{where} holds {values[large[0]]:g} in row {large[0] + 1}; expected numbers up to "
            f"{_LARGEST:g} in size"
        )
    return pd.Series(values, index=column.index, name=column.name)


def _all_empty(column: pd.Series, kind: Kind) -> pd.Series:
    """Return a column of nothing."""
    n_rows = len(column)
    values: Any = np.full(n_rows, None, dtype=object)
    if kind.name == "number":
        values = np.full(n_rows, np.nan)
    elif kind.name == "levels":
        values = pd.Categorical(values, categories=list(kind.levels), ordered=True)
    elif kind.name == "time":
        values = np.full(n_rows, np.datetime64("NaT", "ns"))
    return pd.Series(values, index=column.index, name=column.name)


def _times(column: pd.Series, empty: np.ndarray) -> pd.Series:
    """Return dates or durations that are objects, as Parquet's days are, as what they are."""
    cells = [_naive(cell) for cell in column[~empty]]
    kind = "timedelta64" if isinstance(cells[0], timedelta) else "datetime64"
    # Microseconds: nanoseconds would not reach before 1678.
    values = np.full(len(column), np.array("NaT", dtype=f"{kind}[us]"))
    values[~empty] = np.array(cells, dtype=f"{kind}[us]")
    return pd.Series(values, index=column.index, name=column.name)


def _naive(cell: Any) -> Any:
    """Return a date with a time zone as its instant in UTC, and all else as it is."""
    zoned = isinstance(cell, datetime) and cell.tzinfo is not None
    return cell.astimezone(UTC).replace(tzinfo=None) if zoned else cell


def _objects(column: pd.Series, empty: np.ndarray, of: type) -> pd.Series:
    values = np.full(len(column), None, dtype=object)
    values[~empty] = [of(value) for value in column[~empty]]
    return pd.Series(values, index=column.index, name=column.name, dtype=object)


def _as_levels(column: pd.Series, kind: Kind, where: str) -> pd.Series:
    unknown = column[~gaps(column) & ~column.isin(list(kind.levels)).to_numpy(bool)]
    if len(unknown):
        raise UsageError(
            f"{where} holds {shown(unknown.tolist()[0])} in row {unknown.index[0] + 1}; expected "
            f"one of [{listed(kind.levels, len(kind.levels))}]"
        )
    levels = pd.Categorical(column.astype(object), categories=list(kind.levels), ordered=True)
    return pd.Series(levels, index=column.index, name=column.name)


def _other_kind(column: pd.Series, where: str, found: str, expected: str) -> UsageError:
    present = column[~gaps(column)]
    if found == "text":
        words = present[pd.to_numeric(present.astype(object), errors="coerce").isna()]
        present = words if len(words) else present
    return UsageError(
        f"{where} holds {shown(present.tolist()[0])} in row {present.index[0] + 1}; expected "
        f"{expected}"
    )
