"""What the cells of a column are: the one place where types are decided.

A column of any table (pandas, polars, pyarrow behind them, NumPy) is read by the first row of
`_BY_DTYPE` that knows its dtype; one of objects by the first row of `_BY_CELLS` that knows all its
cells. What no row knows is names of categories. Another type is another row.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import safe_indexing
from mkfusion._types import Floats, Mask


class Column(NamedTuple):
    """One column of a table.

    Attributes
    ----------
    name : str or int
        Its name, or its position where it has none.
    kind : {"numeric", "time", "ordinal", "nominal"}
        What its cells are: numbers, dates or durations, levels in an order, or categories.
    values : ndarray of shape (n_samples,)
        Of any dtype, times in nanoseconds; meaningless where cells are missing.
    missing : ndarray of shape (n_samples,), dtype=bool
        None, NaN, NaT and pandas' NA.
    levels : list or None
        The categories of a categorical column; from low to high if it is ordinal.
    """

    name: str | int
    kind: str
    values: NDArray[Any]
    missing: Mask
    levels: list[Any] | None = None

    @property
    def present(self) -> NDArray[Any]:
        """The values of the cells that are not missing, (n_present,)."""
        return self.values[~self.missing]


def read_columns(X: Any) -> list[Column]:
    """Read a table.

    Booleans, strings and unordered categoricals are nominal, ordered categoricals ordinal. A column
    of objects is numeric if all its values are numbers or decimals, and nominal otherwise.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_features)

    Returns
    -------
    list of n_features Column

    Raises
    ------
    ValueError
        If a column has complex numbers.
    """
    names = list(X.columns) if hasattr(X, "columns") else range(X.shape[1])
    return [read_column(safe_indexing(X, j, axis=1), name) for j, name in enumerate(names)]


def read_column(column: Any, name: str | int) -> Column:
    """Read a column.

    Parameters
    ----------
    column : Series or ndarray of shape (n_samples,)
    name : str or int
        What to call it in messages.

    Returns
    -------
    Column

    Raises
    ------
    ValueError
        If it has complex numbers.
    """
    dtype: Any = getattr(column, "dtype", None)
    for knows, read in _BY_DTYPE:
        if knows(dtype):
            return read(column, name)
    values = np.asarray(column)
    for knows, read in _BY_DTYPE:  # pandas' own numbers may be objects in NumPy, or not
        if knows(values.dtype):
            return read(values, name)
    return _read_objects(values.astype(object), name)


def _read_levels(column: Any, name: str | int) -> Column:
    values = np.asarray(column, dtype=object)
    kind = "ordinal" if getattr(column.dtype, "ordered", False) else "nominal"
    return Column(name, kind, values, missing_cells(values), list(column.dtype.categories))


def _read_dates(column: Any, name: str | int) -> Column:
    times = np.asarray(column, dtype="datetime64[ns]")
    return Column(name, "time", times.astype(np.int64), np.isnat(times))


def _read_durations(column: Any, name: str | int) -> Column:
    times = np.asarray(column, dtype="timedelta64[ns]")
    return Column(name, "time", times.astype(np.int64), np.isnat(times))


def _read_numbers(column: Any, name: str | int) -> Column:
    return Column(name, "numeric", column, np.isnan(column))


def _refuse_complex(column: Any, name: str | int) -> Column:
    raise ValueError(f"Complex data not supported: column {name!r} is {column.dtype}.")


def _read_objects(values: NDArray[Any], name: str | int) -> Column:
    missing = missing_cells(values)
    present = values[~missing]
    if len(present):
        for kind, knows in _BY_CELLS:
            if all(map(knows, present)):
                return Column(name, kind, values, missing)
    return Column(name, "nominal", values, missing)


def _of_kind(kinds: str) -> Callable[[Any], bool]:
    return lambda dtype: getattr(dtype, "kind", "") in tuple(kinds)


def _is_numpy(kinds: str) -> Callable[[Any], bool]:
    return lambda dtype: isinstance(dtype, np.dtype) and dtype.kind in kinds


# What knows a dtype, and what reads a column of it; the first row counts.
_BY_DTYPE: tuple[tuple[Callable[[Any], bool], Callable[[Any, str | int], Column]], ...] = (
    (lambda dtype: hasattr(dtype, "categories"), _read_levels),
    (_of_kind("M"), _read_dates),
    (_of_kind("m"), _read_durations),
    (_is_numpy("fiu"), lambda column, name: _read_numbers(np.asarray(column), name)),
    (_is_numpy("c"), _refuse_complex),
)
# What all cells of a column of objects are; the first row counts.
_BY_CELLS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("numeric", lambda cell: isinstance(cell, Real | Decimal) and not isinstance(cell, bool)),
)


def as_numbers(column: Column) -> Floats:
    """Return a column as numbers, NaN where cells are missing, whatever kind it seems to be.

    Parameters
    ----------
    column : Column

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If a value is not a finite number.
    """
    numbers = np.full(len(column.values), np.nan)
    try:
        numbers[~column.missing] = column.present.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {column.name!r} has numbers in training; {error}.") from error
    infinite = np.isinf(numbers)
    if infinite.any():
        raise ValueError(
            f"column {column.name!r} contains {numbers[infinite][0]}; expected finite numbers or "
            "missing cells (NaN)."
        )
    return numbers


# Strings with more different values are texts. It is the bound of skrub's TableVectorizer.
_MAX_CATEGORIES = 40
# Fewer are, too, if most samples have one of their own and it is this long.
_WORDS_OF_A_TEXT = 3


def holds_texts(column: Column) -> bool:
    """Return whether strings are texts rather than names of categories.

    Parameters
    ----------
    column : Column

    Returns
    -------
    bool
        Whether there are more than 40 different ones, or most samples have one of their own, of
        three words or more. A categorical column holds none.
    """
    texts = column.present
    if column.kind != "nominal" or column.levels is not None or len(texts) == 0:
        return False
    if not all(isinstance(text, str) for text in texts):
        return False
    different = set(texts)
    own = 2 * len(different) > len(texts)
    long = float(np.median([len(text.split()) for text in different])) >= _WORDS_OF_A_TEXT
    return len(different) > _MAX_CATEGORIES or (own and long)


def is_gap(value: Any) -> bool:
    """Return whether a single value is None, NaN, NaT or pandas' NA."""
    # NaN and NaT differ from themselves; pandas' NA refuses to be compared.
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating | np.datetime64) and value != value)
        or (isinstance(value, Decimal) and value.is_nan())
    )


def is_missing(item: Any) -> bool:
    """Return whether an item of a list is a gap, or holds nothing but gaps."""
    if isinstance(item, list | tuple):
        return len(item) > 0 and all(map(is_missing, item))
    if isinstance(item, np.ndarray) and item.ndim:
        return item.size > 0 and bool(missing_cells(item, inside=True).all())
    return is_gap(item)


def missing_cells(values: NDArray[Any], *, inside: bool = False) -> Mask:
    """Return which values of an array of any shape and dtype are missing.

    Parameters
    ----------
    values : ndarray of any shape
    inside : bool, default=False
        Whether an item that holds nothing but gaps is one.

    Returns
    -------
    ndarray of the same shape, dtype=bool
    """
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    test = is_missing if inside else is_gap
    found = np.fromiter(map(test, values.ravel()), dtype=bool, count=values.size)
    return found.reshape(values.shape)
