"""Columns of samples: chosen in training, and found again by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion.data._containers import as_plain, refuse_others, refuse_several
from mkfusion.data._modalities import Modalities

_MAX_NAMES_SHOWN = 20


class Columns(NamedTuple):
    """Columns that were found in the training samples.

    Attributes
    ----------
    positions : list of int, or int
        A single number where a scalar was asked for: a column in one dimension.
    names : list of str, or of tuples of str, or None
        Where the training samples have column names; tuples are those of a pandas MultiIndex.
    by_name : bool
        Whether they were asked for by these names.
    """

    positions: list[int] | int
    names: list[Any] | None
    by_name: bool


def as_table(X: Any) -> Any:
    """Return samples whose columns can be chosen: a DataFrame, an array or a sparse matrix."""
    X = as_plain(X)
    if hasattr(X, "columns"):
        return X
    refuse_others(X)
    refuse_several(X)
    # Values are left to the kernels: they may be texts.
    return check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)


def column_names(X: Any) -> list[Any] | None:
    """Return the names of columns or modalities, if they have any that are strings.

    Or tuples of strings, where a pandas DataFrame has columns of several levels.
    """
    if isinstance(X, Modalities):
        return X.names
    names = list(getattr(X, "columns", []))
    texts = [part for name in names for part in (name if isinstance(name, tuple) else (name,))]
    return names if names and all(isinstance(text, str) for text in texts) else None


def top_levels(X: Any) -> list[str] | None:
    """Return the top levels of a DataFrame's columns, in their order; None where they have one."""
    names = None if isinstance(X, Modalities) else column_names(X)
    if names is None or not all(isinstance(name, tuple) for name in names):
        return None
    return list(dict.fromkeys(name[0] for name in names))


def names_within(X: Any, columns: Columns | str) -> list[Any] | None:
    """Return the names of the columns of a modality that is a table, in the training samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    columns : Columns or str
        What :func:`resolve_columns` found.

    Returns
    -------
    list or None
        None for columns, and where the modality is no table, or has names more than once.
    """
    if not isinstance(columns, str) or not hasattr(X[columns], "columns"):
        return None
    names = list(X[columns].columns)
    return names if len(set(names)) == len(names) else None


def resolve_columns(X: Any, columns: Any, entry: str) -> Columns | str:
    """Find what an entry asks for in the training samples, calling it if it is a function.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    columns : str, int, list, slice, mask or callable
        As in :class:`sklearn.compose.ColumnTransformer`, or a modality's name.
    entry : str
        Its name, for messages.

    Returns
    -------
    Columns, or str
        The latter is a modality.

    Raises
    ------
    ValueError, TypeError
        If something is asked for that is not there.
    """
    if callable(columns):
        columns = columns(X)
    if isinstance(X, Modalities):
        _check_modality(X, columns, entry)
        return str(columns)
    if (levels := top_levels(X)) is not None:
        columns, of_levels = _of_levels(X, columns, levels, entry)
        if of_levels:
            return Columns(columns, [list(X.columns)[position] for position in columns], True)
    names = column_names(X)
    asked = _listed(columns, X.shape[1], names, entry)
    by_name = isinstance(asked[0], str)
    if by_name:
        positions = _find(asked, names, entry)
    else:
        positions = _check_positions(asked, X.shape[1], entry)
    scalar = isinstance(columns, str | int | np.integer)
    return Columns(
        positions[0] if scalar else positions,
        None if names is None else [names[position] for position in positions],
        by_name,
    )


def select_columns(
    X: Any, columns: Columns | str, entry: str, within: Sequence[Any] | None = None
) -> Any:
    """Take what :func:`resolve_columns` found from any samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
        With columns in any order where these have names.
    columns : Columns or str
    entry : str
        Its name, for messages.
    within : sequence, default=None
        The names of a modality's columns in the training samples, :func:`names_within`.

    Returns
    -------
    samples
        One-dimensional where a scalar was asked for, as in
        :class:`sklearn.compose.ColumnTransformer`.

    Raises
    ------
    ValueError
        If columns are missing.
    """
    if isinstance(columns, str):
        _check_modality(X, columns, entry)
        if X[columns] is None:
            raise ValueError(
                f"{entry!r} asks for the modality {shown(columns)}, which no sample has."
            )
        return _in_order(X[columns], within, columns)
    return _in_one_level(_selected(X, columns, entry))


def _selected(X: Any, columns: Columns, entry: str) -> Any:
    positions = columns.positions
    names = column_names(X)
    if columns.names is not None and (columns.by_name or names is not None):
        found = _find(columns.names, names, entry)
        positions = found[0] if isinstance(positions, int) else found
    if isinstance(positions, list):
        if positions == list(range(X.shape[1])):
            return X
        return safe_indexing(X, positions, axis=1)
    return X[:, [positions]] if issparse(X) else safe_indexing(X, positions, axis=1)


def _in_order(data: Any, names: Sequence[Any] | None, modality: str) -> Any:
    """Return a table with the columns that it had in training, in their order."""
    if names is None or not hasattr(data, "columns"):
        return data
    there = list(data.columns)
    if there == list(names):
        return data
    missing = [name for name in names if name not in there]
    if missing:
        if not all(isinstance(name, str) for name in missing):
            return data  # column numbers are no names
        raise ValueError(
            f"modality {shown(modality)} lacks the columns {_some_of(missing)} of fit; it has "
            f"{_some_of(there)}."
        )
    repeated = [name for name in names if there.count(name) > 1]
    if repeated:
        raise ValueError(f"modality {shown(modality)} has {_some_of(repeated)} more than once.")
    return safe_indexing(data, [there.index(name) for name in names], axis=1)


def _in_one_level(data: Any) -> Any:
    """Return columns of several levels under one name each, without a top level that all share."""
    levels = top_levels(data)
    if levels is None:
        return data
    names = [".".join(name[1:] if len(levels) == 1 else name) for name in data.columns]
    return data.set_axis(names, axis=1)


def in_two_dimensions(data: Any) -> Any:
    """Return a single column in two dimensions, other samples as they are."""
    if hasattr(data, "to_frame"):
        return data.to_frame()
    # Lists of texts are left to those who may want texts.
    if isinstance(data, list) and all(isinstance(item, Number) for item in data):
        data = np.array(data)
    return data.reshape(-1, 1) if isinstance(data, np.ndarray) and data.ndim == 1 else data


def _check_modality(X: Modalities, name: Any, entry: str) -> None:
    if not isinstance(name, str):
        raise TypeError(
            f"columns of {entry!r} is {shown(name)}; expected the name of one of the modalities "
            f"{X.names}."
        )
    if name not in X:
        raise ValueError(
            f"columns of {entry!r} asks for the unknown modality {shown(name)}; X has {X.names}."
        )


def _of_levels(X: Any, columns: Any, levels: list[str], entry: str) -> tuple[Any, bool]:
    """Return the positions of top levels, or of whole names, and whether it is these."""
    names = list(X.columns)
    asked = [columns] if isinstance(columns, str | tuple) else columns
    if not isinstance(asked, list) or not all(isinstance(one, str | tuple) for one in asked):
        return columns, False
    unknown = [one for one in asked if one not in levels and one not in names]
    if unknown or not asked:
        raise ValueError(
            f"columns of {entry!r} asks for {shown(unknown)}; expected some of the top levels of "
            f"X's columns, {_some_of(levels)}."
        )
    return [j for one in asked for j, name in enumerate(names) if one in (name, name[0])], True


def _listed(columns: Any, n_columns: int, names: list[str] | None, entry: str) -> list[Any]:
    """Return what is asked for as a list of names or of positions."""
    asked: list[Any]
    if isinstance(columns, slice):
        asked = _positions_of_slice(columns, n_columns, names, entry)
    elif isinstance(columns, str | int | np.integer):
        asked = [columns]
    elif np.ndim(columns) == 1:
        asked = list(columns)
    else:
        raise _unusable(columns, entry)
    if len(asked) == 0:
        raise ValueError(f"columns of {entry!r} selects no column; expected at least one.")
    masking = [isinstance(column, bool | np.bool_) for column in asked]
    if all(masking) and np.ndim(columns) == 1:
        return _positions_of_mask(asked, n_columns, entry)
    numbers = all(isinstance(column, int | np.integer) for column in asked) and not any(masking)
    if numbers or all(isinstance(column, str) for column in asked):
        return asked
    raise _unusable(columns, entry)


def _unusable(columns: Any, entry: str) -> TypeError:
    return TypeError(
        f"columns of {entry!r} is {shown(columns)}; expected names, positions, a slice, a boolean "
        "mask or a function that returns one of them."
    )


def _positions_of_slice(
    columns: slice, n_columns: int, names: list[str] | None, entry: str
) -> list[int]:
    start, stop = columns.start, columns.stop
    if isinstance(start, str):
        start = _find([start], names, entry)[0]
    elif isinstance(start, int | np.integer):
        _check_positions([int(start)], n_columns, entry)
    if isinstance(stop, str):
        stop = _find([stop], names, entry)[0] + 1  # a slice of names includes its end
    elif isinstance(stop, int | np.integer) and not -n_columns <= stop <= n_columns:
        _check_positions([int(stop)], n_columns, entry)
    try:
        return list(range(n_columns))[start : stop : columns.step]
    except (TypeError, ValueError) as error:
        raise type(error)(f"columns of {entry!r} is {shown(columns)}: {error}.") from error


def _positions_of_mask(mask: Sequence[Any], n_columns: int, entry: str) -> list[int]:
    if len(mask) != n_columns:
        raise ValueError(
            f"columns of {entry!r} is a mask of length {len(mask)}; X has {n_columns} columns."
        )
    if not any(mask):
        raise ValueError(f"columns of {entry!r} selects no column; expected at least one.")
    return np.flatnonzero(mask).tolist()


def _check_positions(asked: Sequence[Any], n_columns: int, entry: str) -> list[int]:
    for position in asked:
        if not -n_columns <= position < n_columns:
            raise ValueError(
                f"columns of {entry!r} asks for column {position}; X has {n_columns} columns, "
                "counted from 0."
            )
    return [int(position) % n_columns for position in asked]


def _find(asked: Sequence[str], names: list[str] | None, entry: str) -> list[int]:
    """Return the positions of columns with some names."""
    if names is None:
        raise ValueError(
            f"columns of {entry!r} asks for {shown(list(asked))} by name, but X has no column "
            "names; expected a DataFrame, or positions (which alone are left where "
            "OneVsOneClassifier or BaggingClassifier made an array of a DataFrame)."
        )
    positions = {name: position for position, name in enumerate(names)}
    unknown = [name for name in asked if name not in positions]
    if unknown:
        raise ValueError(
            f"columns of {entry!r} asks for unknown columns {shown(unknown)}; X has "
            f"{_some_of(names)}."
        )
    counts = Counter(names)
    repeated = [name for name in asked if counts[name] > 1]
    if repeated:
        raise ValueError(
            f"columns of {entry!r} asks for {shown(repeated)}, which X has more than once: "
            f"{_some_of(names)}."
        )
    return [positions[name] for name in asked]


def _some_of(names: list[str]) -> str:
    if len(names) <= _MAX_NAMES_SHOWN:
        return repr(names)
    return f"{repr(names[:_MAX_NAMES_SHOWN])[:-1]}, ...] ({len(names)} in all)"
