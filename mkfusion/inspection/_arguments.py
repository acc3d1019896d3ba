"""Arguments that several questions take: counts, levels, targets, groups and folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state

from mkfusion._compat import num_samples
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import check_rows, read_groups, read_splits


def check_count(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number in a range."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(
            f"{name} is {shown(value)}; expected a whole number, at least {least}{limit}."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_level(confidence_level: Any) -> None:
    """Refuse what is no confidence level."""
    if not _is_number(confidence_level) or not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level is {shown(confidence_level)}; expected a number in (0, 1)."
        )


def check_margin(margin: Any) -> None:
    """Refuse what is no loss that may be neglected."""
    if not _is_number(margin) or not margin >= 0.0:
        raise ValueError(f"margin is {shown(margin)}; expected a number that is not negative.")


def check_jobs(n_jobs: Any) -> None:
    """Refuse what is no number of jobs for joblib."""
    whole = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not whole or n_jobs == 0):
        raise ValueError(
            f"n_jobs is {shown(n_jobs)}; expected None, or a whole number other than 0: -1 is "
            "all processors."
        )


def check_names(argument: str, names: Iterable[Any]) -> list[str]:
    """Return names as texts; refuse two that are the same then."""
    found = [str(name) for name in names]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise ValueError(
            f"{argument} has {twice[0]!r} more than once; expected a name of its own for each."
        )
    return found


def check_scores(scores: Floats, scoring: str) -> Floats:
    """Return scores (..., n_splits); refuse splits for which there are none.

    A mean over the others would be of other splits than those that were asked for.
    """
    n_splits = scores.shape[-1]
    undefined = np.flatnonzero(np.isnan(scores).reshape(-1, n_splits).any(axis=0))
    if undefined.size:
        raise ValueError(
            f"{scoring} is not a number on split {undefined[0] + 1} of {n_splits}, whose test "
            "samples may be too few or of one class; expected splits for which it is defined."
        )
    return scores


def count_samples(name: str, data: Any, least: int) -> int:
    """Return the number of samples; refuse what has none, or fewer than can be resampled."""
    try:
        n = int(num_samples(data))
    except TypeError as error:
        raise TypeError(f"{name} is a {type(data).__name__}; expected samples.") from error
    if n < least:
        raise ValueError(f"{name} has {n} sample{'s' * (n != 1)}; expected at least {least}.")
    return n


def group_codes(groups: Any, X: Any, name: str = "X") -> Indices | None:
    """Return the number of each sample's group, None without groups.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
    X : samples
    name : str, default="X"
        What the user calls them.

    Returns
    -------
    ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If there is not one label for each sample, they are in another order, or there is one group
        only.
    """
    check_rows(X, name=name, groups=groups)
    labels = read_groups(groups, num_samples(X))
    if labels is None:
        return None
    unique, codes = np.unique(labels, return_inverse=True)
    if len(unique) == 1:
        raise ValueError(
            f"groups is {shown(labels[0])} for every sample; expected two groups or more, or "
            "None: draws and folds take whole groups."
        )
    return codes.astype(np.intp)


def splits_of(
    estimator: Any,
    cv: Any,
    n_samples: int,
    y: NDArray[Any],
    groups: Indices | None,
    random_state: Any,
) -> list[tuple[Indices, Indices]]:
    """Return the same folds for all that is compared.

    Parameters
    ----------
    estimator : classifier or regressor
    cv : int, splitter or iterable of splits
        An int is shuffled: stratified for a classifier, and by whole groups where there are some.
    n_samples : int
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    random_state : int, RandomState instance or None

    Returns
    -------
    list of (train, test) pairs of ndarray
    """
    seed = None
    if isinstance(cv, Integral):
        check_count("cv", cv, 2)
        # One number for all: the splitter may be asked more than once.
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        if groups is not None and not is_classifier(estimator):
            cv = GroupKFold(int(cv))  # shuffled it would draw other folds than it always has
    return read_splits(cv, n_samples, y, classes=is_classifier(estimator), groups=groups, seed=seed)
