"""Folds: how samples are split, by whatever users say it with."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from mkfusion._types import Indices


def find_splitter(
    cv: Any,
    y: NDArray[Any] | None = None,
    *,
    classes: bool = False,
    groups: Any = None,
    seed: int | None = None,
) -> Any:
    """Return the splitter that `cv` stands for.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs, or None
        A number of folds is stratified where y is class labels; None is 5.
    y : ndarray of shape (n_samples,), default=None
    classes : bool, default=False
        Whether y is class labels.
    groups : array-like of shape (n_samples,), default=None
        With `seed`, a number of folds keeps them together.
    seed : int, default=None
        Shuffles a number of folds; None leaves samples in their order, as scikit-learn does.

    Returns
    -------
    splitter

    Raises
    ------
    ValueError
        If `cv` is none of these.
    """
    if seed is not None and isinstance(cv, Integral):
        kinds: tuple[Any, Any] = (KFold, StratifiedKFold)
        if groups is not None:
            kinds = (GroupKFold, StratifiedGroupKFold)
        return kinds[bool(classes)](int(cv), shuffle=True, random_state=seed)
    return check_cv(cv, y, classifier=classes)


def read_splits(
    cv: Any,
    n_samples: int,
    y: Any = None,
    *,
    classes: bool = False,
    groups: Any = None,
    seed: int | None = None,
) -> list[tuple[Indices, Indices]]:
    """Return the rows that teach, and the rows that are held out, of each split.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) pairs, or None
        As for :func:`find_splitter`; pairs may be positions or masks.
    n_samples : int
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
    classes : bool, default=False
        Whether y is class labels.
    groups : array-like of shape (n_samples,), default=None
        For splitters that keep groups together.
    seed : int, default=None
        Shuffles a number of folds.

    Returns
    -------
    list of (train, test) pairs of ndarray

    Raises
    ------
    ValueError
        If `cv` is none of these, or there are too few samples for it.
    """
    splitter = find_splitter(cv, y, classes=classes, groups=groups, seed=seed)
    rows = np.zeros((n_samples, 1))
    splits = [
        (_as_positions(train), _as_positions(test))
        for train, test in splitter.split(rows, y, groups)
    ]
    if not splits:  # an iterator that was gone through before, or none at all
        raise ValueError("cv gives no splits; expected at least one (train, test).")
    return splits


def splits_among(
    rows: Indices, splits: list[tuple[Indices, Indices]]
) -> list[tuple[Indices, Indices]]:
    """Return splits among some rows only, numbered by their places among these.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Each once.
    splits : list of (train, test) pairs of ndarray

    Returns
    -------
    list of (train, test) pairs of ndarray
        Without those that leave none of the rows to one of both.
    """
    highest = max((part.max(initial=0) for split in splits for part in split), default=0)
    place = np.full(1 + max(highest, rows.max(initial=0)), -1)
    place[rows] = np.arange(len(rows))
    inner = [(place[train], place[test]) for train, test in splits]
    inner = [(train[train >= 0], test[test >= 0]) for train, test in inner]
    return [(train, test) for train, test in inner if len(train) and len(test)]


def _as_positions(rows: Any) -> Indices:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype.kind == "b" else rows.astype(np.intp, copy=False)
