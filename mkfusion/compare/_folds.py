"""Splits of the samples, outer and inner, with groups and order respected in both."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)

from mkfusion._messages import shown
from mkfusion._types import Indices
from mkfusion.data import find_splitter, read_groups, read_splits

# How many there are if nobody says, and how often they are drawn: once for a quick look.
FOLDS, REPEATS = 5, 5


class Fold(NamedTuple):
    """Which samples teach, and which test.

    Attributes
    ----------
    train : ndarray of shape (n_train,)
    test : ndarray of shape (n_test,)
    """

    train: Indices
    test: Indices


class Splitter(NamedTuple):
    """How to split samples, the targets and groups of which are known.

    Attributes
    ----------
    how : object
        A scikit-learn splitter, or a list of pairs (train, test).
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    classes : bool
        Whether y is class labels, of which every training part needs two.
    argument : str
        Where the splitter came from, for messages.
    survival : bool
        Whether y is whether there was an event, which some sample of every training part needs.
    """

    how: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None
    classes: bool
    argument: str
    survival: bool = False

    def split(self, rows: Indices | None = None) -> list[Fold]:
        """Split some of the samples, or all.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,) or None, default=None
            Which samples; None is all.

        Returns
        -------
        list of Fold
            With positions in `rows`.

        Raises
        ------
        ValueError
            If there are too few samples, groups, or samples of a class, or a group is on both
            sides of a split.
        """
        y = self.y if rows is None else self.y[rows]
        groups = self.groups
        if groups is not None and rows is not None:
            groups = groups[rows]
        try:
            with warnings.catch_warnings():
                if self.survival:  # few censored samples are no small class
                    warnings.filterwarnings("ignore", "The least populated class in y")
                folds = [Fold(*pair) for pair in read_splits(self.how, len(y), y, groups=groups)]
        except ValueError as error:
            raise ValueError(f"{self.argument} cannot split {len(y)} samples: {error}") from error
        if len(folds) < 2:
            raise ValueError(f"{self.argument} gives {len(folds)} fold; expected at least 2.")
        for i, (train, test) in enumerate(folds):
            where = f"{self.argument}: fold {i + 1} of {len(folds)}"
            if not len(train) or not len(test):
                raise ValueError(f"{where} has no samples to {'test' if len(train) else 'train'}.")
            if np.intersect1d(train, test).size:
                raise ValueError(f"{where} tests on samples that it trains on.")
            both = [] if groups is None else np.intersect1d(groups[train], groups[test]).tolist()
            if both:
                raise ValueError(
                    f"{where} has samples of group {both[0]!r} on both sides; expected a splitter "
                    "that keeps groups together, such as GroupKFold, or a number of folds."
                )
            if self.survival:
                if not y[train].any():
                    raise ValueError(
                        f"{where} trains on censored samples only; expected some events. Take "
                        "fewer folds, or other ones."
                    )
            elif self.classes and len(np.unique(y[train])) < 2:
                raise ValueError(
                    f"{where} trains on samples of one class, {shown(y[train][0])}; expected two "
                    "or more. Take fewer folds, or other ones."
                )
        return folds

    def describe(self) -> str:
        """Return the splitter in words, such as ``StratifiedKFold(n_splits=5, ...)``."""
        return " ".join(repr(self.how).split()) if hasattr(self.how, "split") else "given splits"


class RepeatedGroupFolds:
    """Folds that keep groups together, drawn several times.

    Parameters
    ----------
    n_splits, n_repeats : int
    classes : bool
        Whether they are stratified.
    seed : int
        Of the first; the others follow.
    """

    def __init__(self, n_splits: int, n_repeats: int, classes: bool, seed: int) -> None:
        kind: Any = StratifiedGroupKFold if classes else GroupKFold
        self.drawn = [
            kind(n_splits, shuffle=True, random_state=(seed + k) % 2**32) for k in range(n_repeats)
        ]

    def split(self, X: Any, y: Any, groups: Any) -> Iterator[tuple[Indices, Indices]]:
        """Yield the splits of one drawing after the other."""
        for one in self.drawn:
            yield from one.split(X, y, groups)

    def __repr__(self) -> str:
        return f"{len(self.drawn)} times {self.drawn[0]!r} and the next seeds"


def outer_splitter(
    cv: Any,
    y: NDArray[Any],
    groups: Any,
    classes: bool,
    seed: int,
    fast: bool,
    survival: bool = False,
) -> Splitter:
    """Return what splits all samples.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test), or None
        None is 5 folds, or fewer where a class or the groups are small, drawn 5 times, or once if
        `fast`.
    y : ndarray of shape (n_samples,)
    groups : array-like of shape (n_samples,) or None
    classes : bool
    seed : int
    fast : bool
    survival : bool, default=False
        Whether y is whether there was an event.

    Returns
    -------
    Splitter

    Raises
    ------
    ValueError, TypeError
        If `cv` or `groups` is not one of these.
    """
    groups = read_groups(groups, len(y))
    if cv is None:
        cv = repeated_folds(None, 1 if fast else REPEATS, y, groups, classes, seed, survival)
    stratified = _stratifies(y, classes, survival)
    how = _resolve(cv, "cv", groups, stratified, seed)
    return Splitter(how, y, groups, stratified, "cv", survival)


def repeated_folds(
    n_splits: int | None,
    n_repeats: int,
    y: NDArray[Any],
    groups: Any,
    classes: bool,
    seed: int,
    survival: bool = False,
) -> Any:
    """Return what draws folds several times, or a number of folds if it is once.

    Parameters
    ----------
    n_splits : int or None
        Number of folds; None is 5, or fewer where a class, the events or the groups are few.
    n_repeats : int
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    classes : bool
    seed : int
    survival : bool, default=False
        Whether y is whether there was an event.

    Returns
    -------
    splitter or int
    """
    if n_splits is None:
        n_splits = _as_many_as_fit(FOLDS, y, groups, classes, survival)
    if n_repeats == 1:
        return n_splits
    stratified = _stratifies(y, classes, survival)
    if groups is not None:
        return RepeatedGroupFolds(n_splits, n_repeats, stratified, seed)
    kind = RepeatedStratifiedKFold if stratified else RepeatedKFold
    return kind(n_splits=n_splits, n_repeats=n_repeats, random_state=seed)


def inner_splitter(inner_cv: Any, outer: Splitter, folds: list[Fold], seed: int, fast: bool) -> Any:
    """Return what splits the training samples of each fold.

    Parameters
    ----------
    inner_cv : int, splitter or None
        None is 5 folds, 3 of them if `fast`, or fewer where a class or the groups are small: in
        order of time where those of `outer` are, and of groups where there are groups.
    outer : Splitter
    folds : list of Fold
        Of `outer`.
    seed : int
    fast : bool

    Returns
    -------
    Splitter

    Raises
    ------
    TypeError
        If `inner_cv` is an iterable of splits, which no training part of a fold has.
    """
    groups, classes = outer.groups, outer.classes
    if inner_cv is None:
        inner_cv = min(
            _as_many_as_fit(
                3 if fast else 5,
                outer.y[train],
                None if groups is None else groups[train],
                classes,
                outer.survival,
            )
            for train, _ in folds
        )
        if isinstance(outer.how, TimeSeriesSplit):
            # Its first fold trains on one part of n_splits + 1: leave some samples in it.
            inner_cv = max(2, min(inner_cv, min(len(train) for train, _ in folds) // 10))
            inner_cv = TimeSeriesSplit(n_splits=inner_cv, gap=outer.how.gap)
    how = _resolve(inner_cv, "inner_cv", groups, classes, seed)
    if not hasattr(how, "split"):
        raise TypeError(
            "inner_cv is an iterable of splits; expected a number of folds or a splitter, since "
            "the training samples of every fold are split."
        )
    return Splitter(how, outer.y, groups, classes, "inner_cv", outer.survival)


def _resolve(cv: Any, argument: str, groups: Any, classes: bool, seed: int) -> Any:
    """Return a splitter, or a list of pairs."""
    if isinstance(cv, numbers.Integral):
        if cv < 2:
            raise ValueError(f"{argument} is {shown(cv)}; expected at least 2 folds.")
        return find_splitter(cv, classes=classes, groups=groups, seed=seed)
    if hasattr(cv, "split") and not isinstance(cv, str):
        return cv
    if isinstance(cv, Iterable) and not isinstance(cv, str | bytes):
        return [(train, test) for train, test in cv]
    raise TypeError(
        f"{argument} is {shown(cv)}; expected a number of folds, a splitter such as "
        "TimeSeriesSplit(5), or pairs (train, test) of indices."
    )


def _stratifies(y: NDArray[Any], classes: bool, survival: bool) -> bool:
    """Whether folds are stratified: of survival by event, where some samples had none."""
    return classes or (survival and not y.all())


def _as_many_as_fit(
    wanted: int, y: NDArray[Any], groups: Any, classes: bool, survival: bool
) -> int:
    """Return a number of folds such that every class or group, or an event, can be in each."""
    most = len(y) // 2
    if groups is not None:
        most = len(np.unique(groups))
    elif survival:
        most = min(most, int(y.sum()))
    elif classes:
        most = int(np.unique(y, return_counts=True)[1].min())
    return max(2, min(wanted, most))
