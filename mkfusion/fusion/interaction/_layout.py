"""The columns of numbers that an interaction model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, validate_data

from mkfusion._compat import safe_indexing
from mkfusion._types import Floats, Indices
from mkfusion.data import (
    Modalities,
    View,
    about,
    as_matrix,
    as_table,
    blaming,
    column_names,
    in_two_dimensions,
    read_again,
    read_samples,
    top_levels,
)
from mkfusion.fusion.interaction._coding import Levels, code, coded_names, find_levels
from mkfusion.kernels import SampleCompletion, complete_samples


class Layout(NamedTuple):
    """The columns of all modalities, side by side.

    Attributes
    ----------
    views : list of View or None
        None where every column of X is a modality.
    names : list of n_modalities str
    widths : list of n_modalities int
        Numbers of columns.
    columns : list of n_columns str
        Their names: that of the modality where it has one column, else ``"modality.column"``, and
        with ``"[level]"`` where it is one of a column of categories.
    sources : list of n_columns str
        The names of the columns that they come from, without levels.
    levels : list of n_modalities (list or None)
        What categories there are in the columns of each modality.
    """

    views: list[View] | None
    names: list[str]
    widths: list[int]
    columns: list[str]
    sources: list[str]
    levels: list[Levels | None]

    @property
    def owner(self) -> Indices:
        """The modality of each column, of shape (n_columns,)."""
        return np.repeat(np.arange(len(self.widths)), self.widths)

    def levels_of(self, column: int) -> list[Any] | None:
        """Return the levels of the column of categories that one comes from, if it does."""
        owner = int(self.owner[column])
        levels = self.levels[owner]
        if levels is None:
            return None
        within = column - sum(self.widths[:owner])
        repeated = [one for one in levels for _ in range(1 if one is None else len(one) - 1)]
        return repeated[within]


def read_layout(
    estimator: Any, X: Any, modalities: Sequence[tuple[str, Any]] | None
) -> tuple[Floats, Layout]:
    """Return the columns of all modalities of the training samples as one array.

    Parameters
    ----------
    estimator : object
        For messages.
    X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
    modalities : list of (name, columns) pairs, or None
        None is all modalities of `Modalities`, or all top levels of columns with several, and
        otherwise every column is one.

    Returns
    -------
    columns : ndarray of shape (n_samples, n_columns)
    layout : Layout

    Raises
    ------
    ValueError, TypeError
        If X is not finite numbers, or modalities or columns are not there.
    """
    if modalities is None and not isinstance(X, Modalities) and top_levels(X) is None:
        found = find_levels(X)
        if found is not None:
            names = column_names(X) or [str(name) for name in X.columns]
            columns, sources = coded_names(names, found)
            widths = [1 if one is None else len(one) - 1 for one in found]
            levels: list[Levels | None] = [[one] for one in found]
            return code(X, found, 2), Layout(None, names, widths, columns, sources, levels)
        values = check_array(
            X, dtype=np.float64, ensure_min_samples=2, estimator=estimator, input_name="X"
        )
        names = column_names(X) or [f"x{j}" for j in range(values.shape[1])]
        return values, Layout(None, names, [1] * len(names), names, names, [None] * len(names))
    samples = read_samples(X, modalities)
    parts, columns, sources, levels = [], [], [], []
    for name, data in zip(samples.names, samples.parts, strict=True):
        with about(name):
            levels.append(find_levels(data))
        parts.append(_as_numbers(data, name, 2, levels[-1]))
        width = parts[-1].shape[1] if levels[-1] is None else len(levels[-1])
        raw = _names_of(name, data, width)
        coded, origin = (raw, raw) if levels[-1] is None else coded_names(raw, levels[-1])
        columns += coded
        sources += origin
    check_consistent_length(*parts)
    widths = [part.shape[1] for part in parts]
    layout = Layout(samples.views, samples.names, widths, columns, sources, levels)
    return np.hstack(parts), layout


def complete_training(
    X: Any, modalities: Sequence[tuple[str, Any]] | None, missing: str
) -> tuple[Any, Indices, SampleCompletion]:
    """Return the training samples that have everything, which these are, and how others are read.

    Standard errors and p-values would take what is filled in for what was seen.

    Parameters
    ----------
    X : Modalities, DataFrame or array-like of shape (n_samples, n_features)
    modalities : list of (name, columns) pairs, or None
    missing : {"marginalise", "impute"}
    """
    if modalities is None and not isinstance(X, Modalities):
        table = as_table(X)
        names = column_names(table) or [f"x{j}" for j in range(table.shape[1])]
        modalities = [(name, [j]) for j, name in enumerate(names)]
    samples = read_samples(X, modalities)
    completion, rows = complete_samples(missing, samples.views, samples.parts)
    return safe_indexing(samples.X, rows), rows, completion


def read_known_columns(
    estimator: Any, X: Any, layout: Layout, completion: SampleCompletion, means: Floats
) -> Floats:
    """Return the columns (n_samples, n_columns) of samples that may lack modalities.

    Parameters
    ----------
    means : ndarray of shape (n_columns,)
        In place of columns that are not there.
    """
    known = completion.read(estimator, X)
    columns = np.tile(means, (len(known.present), 1))
    for k, (name, part) in enumerate(zip(layout.names, known.parts, strict=True)):
        if part is not None:
            rows = np.ix_(known.rows(k), layout.owner == k)
            columns[rows] = _as_numbers(part, name, 1, layout.levels[k])
    return columns


def read_columns_again(estimator: Any, X: Any, layout: Layout) -> Floats:
    """Return the columns (n_samples, n_columns) that the training samples had of other samples."""
    if layout.views is None:
        if isinstance(X, Modalities):
            raise TypeError("X is Modalities; expected columns as in fit.")
        if any(one is not None for one in layout.levels):
            validate_data(estimator, X, reset=False, skip_check_array=True)
            return code(as_table(X), [one[0] for one in layout.levels if one is not None])
        values: Floats = validate_data(estimator, X, reset=False, dtype=np.float64)
        return values
    parts = []
    read = read_again(estimator, X, layout.views)
    for name, data, width, levels in zip(
        layout.names, read, layout.widths, layout.levels, strict=True
    ):
        part = _as_numbers(data, name, 1, levels)
        if part.shape[1] != width:
            raise ValueError(
                f"modality {name!r} has {part.shape[1]} columns; expected {width}, as in fit."
            )
        parts.append(part)
    check_consistent_length(*parts)
    return np.hstack(parts)


def _as_numbers(data: Any, name: str, min_samples: int, levels: Levels | None = None) -> Floats:
    """Return a modality's samples as an array (n_samples, width)."""
    with about(name), blaming(data):
        if levels is not None:
            return code(in_two_dimensions(data), levels, min_samples)
        try:
            return as_matrix(data, min_samples=min_samples)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"it is not columns of finite numbers: {error} (Give categories as "
                "columns of a DataFrame, encode texts as numbers, and fill gaps, first.)"
            ) from error


def _names_of(owner: str, data: Any, width: int) -> list[str]:
    if width == 1:
        return [owner]
    names = column_names(data) or [str(j) for j in range(width)]
    return [f"{owner}.{name}" for name in names]
