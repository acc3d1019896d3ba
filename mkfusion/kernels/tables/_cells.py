"""Reading the columns of a table: what kind they are, and where they have gaps."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

__all__ = ["Column", "as_numbers", "read_columns"]


class Column(NamedTuple):
    """One column of a table.

    Attributes
    ----------
    name : str or int
        Its name, or its position where it has none.
    kind : {"numeric", "time", "ordinal", "nominal"}
        What its cells are: numbers, dates or durations, levels in an order, or categories.
    values : ndarray of shape (n_samples,)
        Of any dtype; meaningless where cells are missing.
    missing : ndarray of shape (n_samples,), dtype=bool
        None, NaN, NaT and pandas' NA.
    levels : list or None
        The categories of a categorical column; from low to high if it is ordinal.
    """

    name: str | int
    kind: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    levels: list[Any] | None = None

    @property
    def present(self) -> NDArray[Any]:
        """The values of the cells that are not missing, (n_present,)."""
        return self.values[~self.missing]


def read_columns(X: Any) -> list[Column]:
    """Read a table.

    Booleans, strings and unordered categoricals are nominal, ordered categoricals ordinal. A column
    of objects is numeric if all its values are numbers, and nominal otherwise.

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
    return [_read(_safe_indexing(X, j, axis=1), name) for j, name in enumerate(names)]


def as_numbers(column: Column) -> NDArray[np.float64]:
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


def _read(column: Any, name: str | int) -> Column:
    dtype: Any = getattr(column, "dtype", None)
    if hasattr(dtype, "categories"):
        values = np.asarray(column, dtype=object)
        kind = "ordinal" if getattr(dtype, "ordered", False) else "nominal"
        return Column(name, kind, values, _gaps(values), list(dtype.categories))
    if getattr(dtype, "kind", "") in ("M", "m"):
        times = np.asarray(column, dtype="datetime64[ns]" if dtype.kind == "M" else "m8[ns]")
        return Column(name, "time", times.astype(np.int64), np.isnat(times))
    values = np.asarray(column)
    if values.dtype.kind in "fiu":
        return Column(name, "numeric", values, np.isnan(values))
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} is {values.dtype}.")
    values = values.astype(object)
    missing = _gaps(values)
    present = values[~missing]
    if len(present) and all(isinstance(v, Real) and not isinstance(v, bool) for v in present):
        return Column(name, "numeric", values, missing)
    return Column(name, "nominal", values, missing)


def _gaps(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.fromiter((_is_gap(value) for value in values), dtype=bool, count=len(values))


def _is_gap(value: Any) -> bool:
    # NaN and NaT differ from themselves; pandas' NA refuses to be compared.
    return (
        value is None
        or type(value).__name__ == "NAType"
        or (isinstance(value, float | np.floating | np.datetime64) and value != value)
        or type(value).__name__ == "NaTType"
    )
