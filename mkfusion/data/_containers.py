"""Samples in the containers of many libraries, made into those that all that learn take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from mkfusion._compat import safe_indexing
from mkfusion._types import Floats
from mkfusion.data._kinds import days, read_column, unmasked

# What containers that hold samples and much else have -> what takes them
_REMEDIES = {
    ("obs_names", "mod"): "from_mudata(mdata)",
    ("obs_names",): "from_anndata(adata), or adata.to_df() as one modality",
    ("get_channel_types", "get_data"): "from_mne(epochs)",
    ("data_vars", "coords"): "from_xarray(dataset, dim=...)",
}


def as_plain(data: Any, argument: str = "X") -> Any:
    """Return samples in a container that all read alike.

    Parameters
    ----------
    data : samples
    argument : str, default="X"
        What to call them in messages.

    Returns
    -------
    samples
        Masked arrays, alone or in a list, with gaps in their masked cells, Arrow's tables as
        DataFrames of pandas, and all else as it is.

    Raises
    ------
    TypeError
        If it is AnnData, MuData, MNE's Epochs or an xarray Dataset, which hold samples and much
        else.
    """
    if isinstance(data, np.ma.MaskedArray):
        return unmasked(data)
    if type(data) in (list, tuple) and any(isinstance(one, np.ma.MaskedArray) for one in data):
        return [_plain_item(one) for one in data]
    if type(data).__module__.split(".")[0] == "pyarrow" and hasattr(data, "to_pandas"):
        return data.to_pandas()
    for attributes, remedy in _REMEDIES.items():
        if all(hasattr(data, name) for name in attributes):
            raise TypeError(
                f"{argument} is a {type(data).__name__}; expected an array, a DataFrame, a sparse "
                f"matrix, a list or Modalities, such as Modalities.{remedy}."
            )
    return data


def _plain_item(item: Any) -> Any:
    if item is np.ma.masked:
        return np.nan
    return unmasked(item) if isinstance(item, np.ma.MaskedArray) else item


def refuse_others(X: Any) -> None:
    """Refuse what is neither an array, a table, a sparse matrix nor a sequence.

    Asked for its items, it may never end.

    Parameters
    ----------
    X : object

    Raises
    ------
    TypeError
        If it is anything else.
    """
    known = isinstance(X, np.ndarray | Sequence) and not isinstance(X, bytes)
    arrays = ("__array__", "__array_interface__", "__dlpack__", "columns")
    if known or issparse(X) or any(hasattr(X, name) for name in arrays):
        return
    if X is None or np.isscalar(X):
        return  # scikit-learn has words for these
    several = " Several modalities are Modalities(X)." if isinstance(X, dict) else ""
    raise TypeError(
        f"X is a {type(X).__name__}; expected an array, a DataFrame, a sparse matrix, "
        f"a list or Modalities.{several}"
    )


def refuse_several(X: Any) -> None:
    """Refuse a list of tables or larger arrays in place of one table.

    Parameters
    ----------
    X : object

    Raises
    ------
    ValueError
        If it is one.
    """
    if not isinstance(X, list | tuple):
        return
    shapes = [tuple(getattr(one, "shape", ())) for one in X]
    if any(len(shape) > 1 for shape in shapes):
        raise ValueError(
            f"X is a list of arrays, of shapes such as {max(shapes, key=len)}; expected "
            "one row for each sample. Several modalities of the same samples are "
            "Modalities(name=array, ...)."
        )


def with_numbers(data: Any) -> Any:
    """Return samples whose dates, durations and decimals are numbers, times in days.

    Parameters
    ----------
    data : samples

    Returns
    -------
    samples
        In the same container; itself where nothing is to be done.
    """
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        return _frame_with_numbers(data)
    if hasattr(data, "dtype") and hasattr(data, "to_numpy"):  # a Series
        found = _numbers_of(data, getattr(data, "name", None) or 0)
        return data if found is None else found
    if not isinstance(data, np.ndarray):
        return data
    if data.dtype.kind in "mM":
        return days(data)
    if data.dtype != object or data.ndim not in (1, 2):
        return data
    table = data.reshape(len(data), -1)
    numbers = {j: _numbers_of(column, j) for j, column in enumerate(table.T)}
    if all(one is None for one in numbers.values()):
        return data
    table = table.copy()
    for j, found in numbers.items():
        if found is not None:
            table[:, j] = found
    return table.reshape(data.shape)


def _frame_with_numbers(frame: Any) -> Any:
    others = [j for j, dtype in enumerate(list(frame.dtypes)) if not _is_plain_number(dtype)]
    columns = {j: safe_indexing(frame, j, axis=1) for j in others}
    numbers = {j: _numbers_of(column, frame.columns[j]) for j, column in columns.items()}
    changed = {j: found for j, found in numbers.items() if found is not None}
    if not changed:
        return frame
    if not hasattr(frame, "isetitem"):  # polars
        new = [type(columns[j])(frame.columns[j], found) for j, found in changed.items()]
        return frame.with_columns(*new)
    frame = frame.copy(deep=False)
    for j, found in changed.items():
        frame.isetitem(j, found)
    return frame


def _is_plain_number(dtype: Any) -> bool:
    if hasattr(dtype, "is_float"):  # polars
        return bool(dtype.is_float() or dtype.is_integer())
    return getattr(dtype, "kind", "") in tuple("fiub")


def _numbers_of(column: Any, name: Any) -> Floats | None:
    """Return the numbers of a column of dates, durations or decimals, None of any other."""
    found = read_column(column, name)
    if found.values.dtype != np.float64 or found.kind not in ("numeric", "time"):
        return None
    return found.values
