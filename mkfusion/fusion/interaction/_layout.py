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
    read_again,
    read_samples,
    top_levels,
)
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
        Their names: that of the modality where it has one column, else ``"modality.column"``.
    """

    views: list[View] | None
    names: list[str]
    widths: list[int]
    columns: list[str]

    @property
    def owner(self) -> Indices:
        """The modality of each column, of shape (n_columns,)."""
        return np.repeat(np.arange(len(self.widths)), self.widths)


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
        values = check_array(
            X, dtype=np.float64, ensure_min_samples=2, estimator=estimator, input_name="X"
        )
        names = column_names(X) or [f"x{j}" for j in range(values.shape[1])]
        return values, Layout(None, names, [1] * len(names), names)
    samples = read_samples(X, modalities)
    parts = [
        _as_numbers(part, name, 2) for name, part in zip(samples.names, samples.parts, strict=True)
    ]
    check_consistent_length(*parts)
    widths = [part.shape[1] for part in parts]
    columns = [
        name
        for owner, part, width in zip(samples.names, samples.parts, widths, strict=True)
        for name in _names_of(owner, part, width)
    ]
    return np.hstack(parts), Layout(samples.views, samples.names, widths, columns)


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
            columns[np.ix_(known.rows(k), layout.owner == k)] = _as_numbers(part, name, 1)
    return columns


def read_columns_again(estimator: Any, X: Any, layout: Layout) -> Floats:
    """Return the columns (n_samples, n_columns) that the training samples had of other samples."""
    if layout.views is None:
        if isinstance(X, Modalities):
            raise TypeError("X is Modalities; expected columns as in fit.")
        values: Floats = validate_data(estimator, X, reset=False, dtype=np.float64)
        return values
    parts = []
    for name, data, width in zip(
        layout.names, read_again(estimator, X, layout.views), layout.widths, strict=True
    ):
        part = _as_numbers(data, name, 1)
        if part.shape[1] != width:
            raise ValueError(
                f"modality {name!r} has {part.shape[1]} columns; expected {width}, as in fit."
            )
        parts.append(part)
    check_consistent_length(*parts)
    return np.hstack(parts)


def _as_numbers(data: Any, name: str, min_samples: int) -> Floats:
    """Return a modality's samples as an array (n_samples, width)."""
    with about(name), blaming(data):
        try:
            return as_matrix(data, min_samples=min_samples)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"it is not columns of finite numbers: {error} (Encode texts and categories as "
                "numbers, and fill gaps, first.)"
            ) from error


def _names_of(owner: str, data: Any, width: int) -> list[str]:
    if width == 1:
        return [owner]
    names = column_names(data) or [str(j) for j in range(width)]
    return [f"{owner}.{name}" for name in names]
