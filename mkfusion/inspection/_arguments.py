"""Arguments that several questions take: counts, levels, targets, groups and folds."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from mkfusion._compat import num_samples
from mkfusion._types import Indices

# How folds are made of an int where groups stay together
_WITH_GROUPS = {KFold: GroupKFold, StratifiedKFold: StratifiedGroupKFold}


def plain(value: Any) -> Any:
    """Return a NumPy scalar as Python's, for messages; other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def check_count(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuse what is no whole number in a range."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(
            f"{name} is {plain(value)!r}; expected a whole number, at least {least}{limit}."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_level(confidence_level: Any) -> None:
    """Refuse what is no confidence level."""
    if not _is_number(confidence_level) or not 0.0 < confidence_level < 1.0:
        raise ValueError(
            f"confidence_level is {plain(confidence_level)!r}; expected a number in (0, 1)."
        )


def check_margin(margin: Any) -> None:
    """Refuse what is no loss that may be neglected."""
    if not _is_number(margin) or not margin >= 0.0:
        raise ValueError(f"margin is {plain(margin)!r}; expected a number that is not negative.")


def check_jobs(n_jobs: Any) -> None:
    """Refuse what is no number of jobs for joblib."""
    whole = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not whole or n_jobs == 0):
        raise ValueError(
            f"n_jobs is {plain(n_jobs)!r}; expected None, or a whole number other than 0: -1 is "
            "all processors."
        )


def count_samples(name: str, data: Any, least: int) -> int:
    """Return the number of samples; refuse what has none, or fewer than can be resampled."""
    try:
        n = int(num_samples(data))
    except TypeError as error:
        raise TypeError(f"{name} is a {type(data).__name__}; expected samples.") from error
    if n < least:
        raise ValueError(f"{name} has {n} sample{'s' * (n != 1)}; expected at least {least}.")
    return n


def check_groups(groups: Any, n_samples: int) -> NDArray[np.intp] | None:
    """Return the number of each sample's group, None without groups."""
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n_samples,):
        raise ValueError(f"groups has shape {labels.shape}; expected ({n_samples},).")
    unique, codes = np.unique(labels, return_inverse=True)
    if len(unique) == 1:
        raise ValueError(
            f"groups is {plain(labels[0])!r} for every sample; expected two groups or more, or "
            "None: draws and folds take whole groups."
        )
    return codes.astype(np.intp)


def check_target(y: Any, n_samples: int) -> NDArray[Any]:
    """Return the target in one dimension, as long as the samples."""
    if y is None:
        raise ValueError("y is None; expected the target.")
    y = column_or_1d(y)
    if num_samples(y) != n_samples:
        raise ValueError(f"y has {num_samples(y)} samples; expected {n_samples}, as X has.")
    return np.asarray(y)


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
    classes = is_classifier(estimator)
    if isinstance(cv, Integral):
        check_count("cv", cv, 2)
        # One number for all: the splitter may be asked more than once.
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        kind: Any = type(check_cv(int(cv), y, classifier=classes))
        kind = kind if groups is None else _WITH_GROUPS[kind]
        # GroupKFold shuffles in recent versions of scikit-learn only.
        cv = kind(int(cv)) if kind is GroupKFold else kind(int(cv), shuffle=True, random_state=seed)
    splitter = check_cv(cv, y, classifier=classes)
    return [
        (np.asarray(train), np.asarray(test))
        for train, test in splitter.split(np.zeros((n_samples, 1)), y, groups)
    ]
