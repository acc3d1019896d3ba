"""Gram matrices as DataFrames: their rows and columns are samples with ids."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._types import Indices
from mkfusion.data import check_labels, check_rows, row_index

_BOTH_IN_ORDER = "{other}.loc[{one}.index, {one}.columns]"
_COLUMNS_IN_ORDER = "{other}[{one}.columns]"


class Labels(NamedTuple):
    """What the samples of a stack are called, where its kernels were DataFrames.

    Attributes
    ----------
    index, columns : pandas.Index of n_rows and of n_cols labels
    """

    index: Any
    columns: Any

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index), len(self.columns)

    def take(self, rows: Indices | None, cols: Indices | None) -> Labels:
        """Return the labels of some rows and columns; None for all."""
        return Labels(
            self.index if rows is None else self.index[rows],
            self.columns if cols is None else self.columns[cols],
        )


def labels_of(grams: Any) -> Labels | None:
    """Return the labels of the first DataFrame among matrices, None without any."""
    for frame in _frames(grams, "").values():
        return Labels(frame.index, frame.columns)
    return None


def check_alike(grams: Any, argument: str) -> None:
    """Refuse matrices between samples in different orders, as far as they are DataFrames.

    Parameters
    ----------
    grams : list of matrices, or anything
    argument : str
        What the user calls them, for messages.

    Raises
    ------
    ValueError
        If the index, or the columns, of one are other ones than those of another.
    """
    frames = _frames(grams, argument)
    sizes = {frame.shape for frame in frames.values()}
    if len(sizes) > 1:
        return  # which others refuse
    rows = {name: frame.index for name, frame in frames.items()}
    check_labels(rows, remedy=_BOTH_IN_ORDER)
    columns = {name: frame.columns for name, frame in frames.items()}
    check_labels(columns, remedy=_COLUMNS_IN_ORDER, keep="{other}.set_axis({one}.columns, axis=1)")


def check_training(grams: Any, **others: Any) -> None:
    """Refuse training kernels whose columns, or targets, are in another order than their rows.

    Parameters
    ----------
    grams : list of square matrices, or one, or anything
    **others : Series or anything
        What has a row for each sample, by the names of arguments.

    Raises
    ------
    ValueError
        If the ids of both differ.
    """
    check_alike(grams, "X")
    for name, frame in _frames(grams, "X").items():
        if frame.shape[0] == frame.shape[1]:
            check_labels(
                {f"{name}.index": frame.index, f"{name}.columns": frame.columns},
                remedy=f"{name}[{name}.index] of a DataFrame {name}",
                keep=f"{name}.set_axis({name}.index, axis=1)",
            )
        check_rows(frame, name=name, **others)


def ids_of_columns(grams: Any) -> NDArray[Any] | None:
    """Return the labels of the columns of matrices, None if none of them is a DataFrame."""
    for frame in _frames(grams, "X").values():
        return np.asarray(frame.columns, dtype=object)  # which is saved without pandas
    return None


def check_columns(grams: Any, ids: NDArray[Any]) -> None:
    """Refuse kernels with the training samples whose columns are in another order than in fit.

    Parameters
    ----------
    grams : list of matrices, or one, or anything
    ids : ndarray of shape (n,)
        The columns of the training kernels.

    Raises
    ------
    ValueError
        If they are other ones.
    """
    for name, frame in _frames(grams, "X").items():
        if frame.shape[1] == len(ids):
            from pandas import Index

            check_labels(
                {"the training X": Index(ids), f"{name}.columns": frame.columns},
                remedy=f"{name}[columns of the training X]",
                keep=f"{name}.to_numpy()",
            )


def _frames(grams: Any, argument: str) -> dict[str, Any]:
    """Return the DataFrames among matrices, by what to call them."""
    if isinstance(grams, list | tuple):
        named = {f"{argument}[{k}]": gram for k, gram in enumerate(grams)}
    else:
        named = {argument: grams}
    found = {}
    for name, gram in named.items():
        labels = getattr(gram, "labels", None)
        if isinstance(labels, Labels):  # of a stack
            found[name] = labels
        elif row_index(gram) is not None and hasattr(gram, "columns"):
            found[name] = gram
    return found
