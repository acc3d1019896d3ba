"""What the cells of a column are: the one place where types are decided.

A column of any table (pandas, polars, pyarrow behind them, NumPy) is read by the first row of
`_BY_DTYPE` that knows its dtype; one of objects by the first row of `_BY_CELLS` that knows all its
cells. What no row knows is names of categories. Another type is another row.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import each_column
from mkfusion._messages import shown
from mkfusion._types import Floats, Mask

_NANOSECONDS_OF_A_DAY = 86_400 * 10**9
_EPOCH = date(1970, 1, 1).toordinal()


class Column(NamedTuple):
    """One column of a table.

    Attributes
    ----------
    name : str or int
        Its name, or its position where it has none.
    kind : {"numeric", "time", "ordinal", "nominal"}
        What its cells are: numbers, dates or durations, levels in an order, or categories.
    values : ndarray of shape (n_samples,)
        Of any dtype; times in days, whatever unit they came in, those of dates since 1970 began in
        UTC. Meaningless where cells are missing.
    missing : ndarray of shape (n_samples,), dtype=bool
        None, NaN, NaT, pandas' NA and masked cells.
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

    Booleans, strings and unordered categoricals are nominal, ordered categoricals (polars' Enum
    among them) ordinal. A column of objects is numeric if all its values are numbers or decimals,
    a time if all are dates, periods (which count as their start), durations or times of day, and
    nominal otherwise. Dates with a time zone count as their instant, those without as UTC.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_features)

    Returns
    -------
    list of n_features Column

    Raises
    ------
    ValueError
        If a column has complex numbers, or several values in a cell.
    """
    names = list(X.columns) if hasattr(X, "columns") else range(X.shape[1])
    return [read_column(column, name) for column, name in zip(each_column(X), names, strict=True)]


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
        If it has complex numbers, or several values in a cell.
    """
    if isinstance(column, np.ma.MaskedArray):
        column = unmasked(column)
    dtype: Any = getattr(column, "dtype", None)
    for knows, read in _BY_DTYPE:
        if knows(dtype):
            return read(column, name)
    values = np.asarray(column)
    if values.ndim != 1:
        raise ValueError(
            f"column {shown(name)} is of {dtype}, several values in a cell; expected one in each. "
            "Vectors are a modality of their own, as an array (n_samples, n_columns)."
        )
    for knows, read in _BY_DTYPE:  # pandas' own numbers may be objects in NumPy, or not
        if knows(values.dtype):
            return read(values, name)
    return _read_objects(values.astype(object), name)


def unmasked(values: Any) -> NDArray[Any]:
    """Return a masked array as a plain one, in which masked cells are gaps.

    Parameters
    ----------
    values : numpy.ma.MaskedArray of any shape

    Returns
    -------
    ndarray of the same shape
        Its own data where nothing is masked. Otherwise numbers are floats with NaN, dates and
        durations have NaT, and all else is objects with None.
    """
    mask = np.ma.getmaskarray(values)
    plain: NDArray[Any] = np.ma.getdata(values)
    if not mask.any():
        return plain
    kind = plain.dtype.kind
    if kind in "iu":
        plain = plain.astype(np.float64)
    elif kind not in "fcmM":
        plain = plain.astype(object)
    else:
        plain = plain.copy()
    gap: Any = None
    if kind in "mM":
        gap = np.array("NaT", dtype=plain.dtype)
    elif kind in "iufc":
        gap = np.nan
    plain[mask] = gap
    return plain


def _read_levels(column: Any, name: str | int) -> Column:
    """Read a categorical column of pandas."""
    values = np.asarray(column, dtype=object)
    kind = "ordinal" if getattr(column.dtype, "ordered", False) else "nominal"
    return Column(name, kind, values, missing_cells(values), list(column.dtype.categories))


def _read_polars_levels(column: Any, name: str | int) -> Column:
    """Read a categorical column of polars, of which those of fixed categories are ordered."""
    values = np.asarray(column.to_numpy(), dtype=object)
    missing = missing_cells(values)
    if _is_enum(column.dtype):
        return Column(name, "ordinal", values, missing, list(column.dtype.categories))
    return Column(name, "nominal", values, missing, list(dict.fromkeys(values[~missing])))


def _is_enum(dtype: Any) -> bool:
    return type(dtype).__name__ == "Enum" and type(dtype).__module__.startswith("polars")


def _is_polars_levels(dtype: Any) -> bool:
    categorical = str(dtype).startswith("Categorical")
    return _is_enum(dtype) or (categorical and type(dtype).__module__.startswith("polars"))


def _read_dictionary(column: Any, name: str | int) -> Column:
    """Read a column of pandas that is a dictionary of Arrow."""
    values = np.asarray(column, dtype=object)
    # The protocol of Arrow: its dictionary is seen nowhere else.
    chunks = column.array.__arrow_array__().unify_dictionaries().chunks
    levels = chunks[0].dictionary.to_pylist() if chunks else []
    kind = "ordinal" if column.dtype.pyarrow_dtype.ordered else "nominal"
    return Column(name, kind, values, missing_cells(values), levels)


def _read_times(column: Any, name: str | int) -> Column:
    times = np.asarray(column)
    if times.dtype.kind not in "mM":  # dates of Arrow, which pandas keeps as objects
        return _read_objects(times.astype(object), name)
    return Column(name, "time", days(times), np.isnat(times))


def days(times: NDArray[Any]) -> Floats:
    """Return dates or durations in days, NaN for NaT.

    Parameters
    ----------
    times : ndarray of any shape, dtype=datetime64 or timedelta64
        In any unit: equal times of two units are equal numbers.

    Returns
    -------
    ndarray of the same shape, float64
    """
    unit = "timedelta64" if times.dtype.kind == "m" else "datetime64"
    if np.datetime_data(times.dtype)[0] == "generic":  # nothing but NaT
        return np.full(times.shape, np.nan)
    # Nanoseconds would overflow before 1678 and after 2262: days first, and then what is left.
    whole = times.astype(f"{unit}[D]")
    rest = (times - whole).astype("timedelta64[ns]")
    there = ~np.isnat(times)
    found = np.full(times.shape, np.nan)
    found[there] = _in_days(whole[there].astype(np.int64), rest[there].astype(np.int64))
    return found


def _in_days(whole: Any, nanoseconds: Any) -> Any:
    """Return days, the same for the same time however it is divided in two."""
    return (
        whole
        + nanoseconds // _NANOSECONDS_OF_A_DAY
        + (nanoseconds % _NANOSECONDS_OF_A_DAY) / _NANOSECONDS_OF_A_DAY
    )


def _days_of_date(cell: Any) -> float:
    """Return a date, a datetime, a period of pandas or a datetime64 in days since 1970."""
    if isinstance(cell, np.datetime64):
        return float(days(np.array([cell]))[0])
    if hasattr(cell, "to_timestamp"):
        cell = cell.to_timestamp()
    rest = 0
    if isinstance(cell, datetime):
        rest = _nanoseconds(cell) + getattr(cell, "nanosecond", 0)
        offset = cell.utcoffset()
        rest -= 0 if offset is None else offset // timedelta(microseconds=1) * 1000
    return float(_in_days(cell.toordinal() - _EPOCH, rest))


def _days_of_duration(cell: Any) -> float:
    if isinstance(cell, np.timedelta64):
        return float(days(np.array([cell]))[0])
    rest = (cell.seconds * 10**6 + cell.microseconds) * 1000 + getattr(cell, "nanoseconds", 0)
    return float(_in_days(cell.days, rest))


def _days_of_hour(cell: time) -> float:
    return float(_in_days(0, _nanoseconds(cell)))


def _nanoseconds(cell: datetime | time) -> int:
    seconds = (cell.hour * 60 + cell.minute) * 60 + cell.second
    return (seconds * 10**6 + cell.microsecond) * 1000


def _read_numbers(column: Any, name: str | int) -> Column:
    return Column(name, "numeric", column, np.isnan(column))


def _refuse_complex(column: Any, name: str | int) -> Column:
    raise ValueError(f"Complex data not supported: column {name!r} is {column.dtype}.")


def _read_objects(values: NDArray[Any], name: str | int) -> Column:
    missing = missing_cells(values)
    present = values[~missing]
    if len(present):
        for kind, knows, number in _BY_CELLS:
            if all(map(knows, present)):
                if number is not None:
                    values = np.full(len(values), np.nan)
                    values[~missing] = [number(cell) for cell in present]
                return Column(name, kind, values, missing)
    return Column(name, "nominal", values, missing)


def _of_kind(kinds: str) -> Callable[[Any], bool]:
    return lambda dtype: getattr(dtype, "kind", "") in tuple(kinds)


def _is_numpy(kinds: str) -> Callable[[Any], bool]:
    return lambda dtype: isinstance(dtype, np.dtype) and dtype.kind in kinds


def _is_dictionary(dtype: Any) -> bool:
    return hasattr(getattr(dtype, "pyarrow_dtype", None), "ordered")


def _is_whole(cell: Any) -> bool:
    # NumPy's durations are whole numbers to Python.
    return isinstance(cell, Integral) and not isinstance(cell, bool | np.timedelta64)


def _is_number(cell: Any) -> bool:
    return _is_whole(cell) or (isinstance(cell, Real | Decimal) and not isinstance(cell, Integral))


def _is_date(cell: Any) -> bool:
    return isinstance(cell, date | np.datetime64) or type(cell).__name__ == "Period"


# What knows a dtype, and what reads a column of it; the first row counts.
_BY_DTYPE: tuple[tuple[Callable[[Any], bool], Callable[[Any, str | int], Column]], ...] = (
    (_is_polars_levels, _read_polars_levels),
    (lambda dtype: hasattr(dtype, "categories"), _read_levels),
    (_is_dictionary, _read_dictionary),
    (_of_kind("mM"), _read_times),
    (_is_numpy("fiu"), lambda column, name: _read_numbers(np.asarray(column), name)),
    (_is_numpy("c"), _refuse_complex),
)
# What all cells of a column of objects are, and the number of a cell, None where cells stay as
# they are; the first row counts.
_BY_CELLS: tuple[tuple[str, Callable[[Any], bool], Callable[[Any], float] | None], ...] = (
    ("numeric", _is_whole, None),
    ("numeric", _is_number, float),
    ("time", _is_date, _days_of_date),
    ("time", lambda cell: isinstance(cell, timedelta | np.timedelta64), _days_of_duration),
    ("time", lambda cell: isinstance(cell, time), _days_of_hour),
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


# Strings that are sequences of letters, rather than words, names or ids: at least so many different
# ones, so long after what all begin with (as numbered ids do), ...
_SEQUENCES, _LETTERS_OF_A_SEQUENCE = 10, 8
# ... of so few letters (DNA or RNA in both cases with unknown bases; states of a process), ...
_LETTERS_OF_AN_ALPHABET = 10
# ... or of amino acids and X, but for a few of them. A tenth of the letters of words are others.
_AMINO_ACIDS, _OTHERS = frozenset("ACDEFGHIKLMNPQRSTVWXY"), 0.01
_GAPS = "-*"


def holds_sequences(column: Column) -> bool:
    """Return whether strings are sequences of letters, as of DNA or proteins.

    Parameters
    ----------
    column : Column

    Returns
    -------
    bool
        Whether most samples have a string of their own, there are at least 10 different ones, half
        of them have 8 letters or more after those that all begin with, and they have nothing but
        ASCII letters, "-" and "*": 2 to 10 different letters; or those of amino acids and X, all in
        one case, with at most 1 % others (B, J, O, U, Z), which words have ten times as often. A
        categorical column holds none.
    """
    strings = column.present
    if column.kind != "nominal" or column.levels is not None:
        return False
    if not all(isinstance(string, str) for string in strings):
        return False
    different = sorted(set(strings))
    if len(different) < _SEQUENCES or 2 * len(different) <= len(strings):
        return False
    alike = len(os.path.commonprefix(different))
    if np.median([len(string) for string in different]) - alike < _LETTERS_OF_A_SEQUENCE:
        return False
    letters = Counter("".join(different))
    for gap in _GAPS:
        letters.pop(gap, None)
    alphabet = "".join(letters)
    if not (alphabet.isascii() and alphabet.isalpha() and len(alphabet) > 1):
        return False
    if len(alphabet) <= _LETTERS_OF_AN_ALPHABET:
        return True
    others = sum(n for letter, n in letters.items() if letter.upper() not in _AMINO_ACIDS)
    one_case = alphabet.isupper() or alphabet.islower()
    return one_case and others <= _OTHERS * letters.total()


def is_gap(value: Any) -> bool:
    """Return whether a single value is None, NaN, NaT, pandas' NA or masked."""
    # NaN and NaT differ from themselves; pandas' NA refuses to be compared.
    return (
        value is None
        or value is np.ma.masked
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating) and value != value)
        or (isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value)))
        or (isinstance(value, Decimal) and value.is_nan())
    )


def is_missing(item: Any) -> bool:
    """Return whether an item of a list is a gap, or holds nothing but gaps."""
    if isinstance(item, list | tuple):
        return len(item) > 0 and all(map(is_missing, item))
    if isinstance(item, np.ma.MaskedArray) and item.ndim:
        item = unmasked(item)
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
    if isinstance(values, np.ma.MaskedArray):
        values = unmasked(values)
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    test = is_missing if inside else is_gap
    found = np.fromiter(map(test, values.ravel()), dtype=bool, count=values.size)
    return found.reshape(values.shape)
