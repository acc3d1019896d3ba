"""Targets and groups, and whether there are enough of them to split."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion.cli._errors import UsageError
from mkfusion.cli._kinds import as_kind, gaps, read_kind
from mkfusion.data import MOST_CLASSES, has_fractions, seems_classes

_LARGEST_WHOLE = 2**53  # whole numbers up to it are exact


def read_target(column: pd.Series, where: str) -> NDArray[Any]:
    """Return class labels or numbers.

    Parameters
    ----------
    column : Series
    where : str
        What to call it in messages.

    Returns
    -------
    ndarray of shape (n_samples,)
        Strings, booleans, whole numbers or numbers.

    Raises
    ------
    UsageError
        If cells are empty, or hold anything else.
    """
    empty = np.flatnonzero(gaps(column))
    if len(empty):
        rows = ", ".join(str(row + 1) for row in empty[:3])
        more = ", ..." if len(empty) > 3 else ""
        raise UsageError(
            f"{where} is empty in {len(empty)} of {len(column)} rows: {rows}{more} (counted from "
            "1 below the header)"
        )
    column = column.reset_index(drop=True)
    kind = read_kind(column, where)
    if kind.name == "time":
        raise UsageError(f"{where} holds dates or durations; expected classes or numbers")
    values = as_kind(column, kind, where)
    if kind.name == "number":
        numbers = values.to_numpy(np.float64)
        whole = (numbers == np.floor(numbers)).all() and (np.abs(numbers) < _LARGEST_WHOLE).all()
        return numbers.astype(np.int64) if whole else numbers
    return np.array(values.astype(object).tolist())


def read_groups(column: pd.Series, where: str, path: str) -> NDArray[Any]:
    """Return the name of each sample's group, "" where the cell is empty.

    Parameters
    ----------
    column : Series
    where, path : str
        What to call it in messages, and its file.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    UsageError
        If all cells are empty.
    """
    empty = gaps(column)
    if empty.all():
        raise UsageError(f"{where} of {path!r} is empty")
    return np.array(["" if no else str(one) for one, no in zip(column, empty, strict=True)])


def is_classification(y: NDArray[Any], task: str, target: str) -> bool:
    """Return whether a target is class labels rather than a quantity.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    task : {"auto", "classification", "regression"}
    target : str
        Its name.

    Returns
    -------
    bool

    Raises
    ------
    UsageError
        If it does not vary, cannot be what `task` says, or `task` must say.
    """
    where = f"--target {target!r}"
    numbers = y.dtype.kind in "iuf"
    n_values = len(np.unique(y))
    if n_values < 2:
        raise UsageError(f"{where} is {shown(y[0])} for every sample; expected two or more")
    if task == "regression" and not numbers:
        raise UsageError(f"{where} holds {shown(y[0])}; --task regression expects numbers")
    if task == "classification" and y.dtype.kind == "f":
        # Whole numbers that are too large to be exact would be told apart wrongly.
        odd = y[y != np.floor(y)] if has_fractions(y) else y[np.abs(y) >= _LARGEST_WHOLE]
        what = "fractions" if has_fractions(y) else "numbers from 2**53 on"
        raise UsageError(
            f"{where} holds {what} such as {shown(odd[0])}; --task classification expects texts "
            "or whole numbers"
        )
    if task != "auto":
        return task == "classification"
    found = y.dtype.kind != "f" and seems_classes(y)
    if found is None:
        raise UsageError(
            f"{where} holds {n_values} different whole numbers: say --task classification or "
            "--task regression"
        )
    if not numbers and n_values > max(MOST_CLASSES, len(y) // 2):
        raise UsageError(
            f"{where} holds {n_values} different texts in {len(y)} samples, such as "
            f"{shown(y[0])}; expected classes with several samples each"
        )
    return found


def check_folds(
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    classes: bool,
    cv: int | None,
    ordered: bool,
    target: str,
) -> None:
    """Refuse targets of which there are too few to train, tune and test.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    classes : bool
    cv : int or None
        Number of folds, if one was asked for.
    ordered : bool
        Whether folds are in order of time.
    target : str
        Name of y.

    Raises
    ------
    UsageError
        If a class, the groups or the samples are too few.
    """
    if groups is not None:
        n_groups, least = len(np.unique(groups)), max(cv or 0, 3)
        if n_groups < least:
            asked = f"--cv {cv}" if cv == least else "--groups"
            raise UsageError(
                f"--groups has {n_groups} different values; {asked} needs at least {least}"
            )
    if not classes:
        least = 2 * cv if cv else 6
        if len(y) < least:
            raise UsageError(f"there are {len(y)} samples; expected at least {least}")
        return
    labels, counts = np.unique(y, return_counts=True)
    label, count = labels[counts.argmin()], int(counts.min())
    where = f"class {shown(label)} of --target {target!r}"
    if ordered or groups is not None:
        if groups is not None and (n := len(np.unique(groups[y == label]))) < 2:
            raise UsageError(
                f"{where} is in {n} group of --groups; expected it in two or more, one to train "
                "and one to test"
            )
        return
    plural = "" if count == 1 else "s"
    if cv is not None and count < cv:
        way_out = f"; take --cv {count} or less" if count >= 3 else ""
        raise UsageError(
            f"{where} has {count} sample{plural}; --cv {cv} needs at least {cv} of each{way_out}"
        )
    folds = cv or min(count, 10)
    # What is left for training is split once more, to tune.
    if count < 3 or count - ceil(count / folds) < 2:
        asked = f"--cv {cv}" if cv else "cross-validation"
        raise UsageError(
            f"{where} has {count} sample{plural}; {asked} with tuning needs at least "
            f"{4 if folds == 2 else 3} of each"
        )
