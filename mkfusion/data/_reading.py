"""Reading samples for training, and again for prediction.

An estimator reads everything that `fit` is given before it remembers anything: a refused refit
leaves a fitted model as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data._cells import find_no_number
from mkfusion.data._columns import (
    Columns,
    as_table,
    column_names,
    in_two_dimensions,
    names_within,
    resolve_columns,
    select_columns,
    top_levels,
)
from mkfusion.data._containers import as_plain, with_numbers
from mkfusion.data._modalities import Modalities

# What a plain table is called as a modality when it is not said which columns make one.
_WHOLE = "X"


class View(NamedTuple):
    """A modality that was found in the training samples.

    Attributes
    ----------
    name : str
    columns : Columns or str
        The latter is a modality of `Modalities`.
    within : list or None
        The names of its columns, where it is a table of `Modalities`.
    """

    name: str
    columns: Columns | str
    within: list[Any] | None = None

    @property
    def where(self) -> Any:
        """What finds it again in samples of the same form: a name, or positions."""
        return self.columns if isinstance(self.columns, str) else self.columns.positions


class Samples(NamedTuple):
    """The modalities of training samples.

    Attributes
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    views : list of View
    parts : list of n_modalities samples
        One-dimensional where a single column was asked for by a scalar.
    """

    X: Any
    views: list[View]
    parts: list[Any]

    @property
    def names(self) -> list[str]:
        """The modalities in their order."""
        return [view.name for view in self.views]


def read_samples(X: Any, modalities: Any, *, whole: bool = False) -> Samples:
    """Find the modalities that were asked for in the training samples.

    Parameters
    ----------
    X : Modalities, DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
    modalities : list or tuple of (name, columns) pairs, or None
        `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`, or a top level of a DataFrame's columns of
        several levels. None for all modalities of `Modalities`, or all top levels.
    whole : bool, default=False
        Whether a table without a word about modalities is one of all its columns.

    Returns
    -------
    Samples

    Raises
    ------
    ValueError, TypeError
        If something is asked for that is not there, or two modalities have one name.
    """
    X = _as_samples(X)
    if modalities is None and whole and not isinstance(X, Modalities) and top_levels(X) is None:
        modalities = [(_WHOLE, slice(None))]
    views = resolve_views(X, modalities)
    return Samples(X, views, take_views(X, views))


def read_again(estimator: Any, X: Any, views: Sequence[View]) -> list[Any]:
    """Find the modalities of the training samples in other samples.

    Parameters
    ----------
    estimator : object
        Fitted: it has `n_features_in_`, and `feature_names_in_` where features have names.
    X : Modalities, DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        With columns in any order where these have names.
    views : sequence of View
        Of the training samples.

    Returns
    -------
    list of n_modalities samples

    Raises
    ------
    ValueError, TypeError
        If modalities or columns are missing, or features are others than in fit.
    """
    X = _as_samples(X)
    check_features(estimator, X, several=isinstance(views[0].columns, str))
    return take_views(X, views)


def remember_features(estimator: Any, X: Any) -> None:
    """Set what scikit-learn wants to know of the training samples.

    Parameters
    ----------
    estimator : object
        Gets `n_features_in_`, and `feature_names_in_` where features have names.
    X : Modalities, DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
    """
    if isinstance(X, Modalities):
        estimator.n_features_in_ = len(X.names)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)
    else:
        validate_data(estimator, X, skip_check_array=True)


def check_features(estimator: Any, X: Any, *, several: bool) -> None:
    """Refuse samples with other features than the training samples.

    Parameters
    ----------
    estimator : object
        Fitted.
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    several : bool
        Whether the training samples were `Modalities`.

    Raises
    ------
    ValueError, TypeError
        If they are of the other form, or have another number of columns without names.
    """
    if isinstance(X, Modalities) != several:
        expected = "Modalities" if several else "columns"
        raise TypeError(f"X is a {type(X).__name__}; expected {expected} as in fit.")
    # Where both have names, columns are found by them, and others may be anything.
    by_name = column_names(X) is not None and hasattr(estimator, "feature_names_in_")
    if not several and not by_name:
        validate_data(estimator, X, reset=False, skip_check_array=True)


def _as_samples(X: Any) -> Any:
    return X if isinstance(X, Modalities) else as_table(X)


def resolve_views(X: Any, modalities: Any) -> list[View]:
    """Find the modalities that were asked for in the training samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
    modalities : list or tuple of (name, columns) pairs, or None
        As for :func:`read_samples`.

    Returns
    -------
    list of View

    Raises
    ------
    ValueError, TypeError
        If something is asked for that is not there, or two modalities have one name.
    """
    if modalities is None and isinstance(X, Modalities):
        modalities = [(name, name) for name in X.names]
    elif modalities is None and (levels := top_levels(X)) is not None:
        modalities = [(level, level) for level in levels]
    if modalities is None:
        raise TypeError(
            "modalities is None; expected a list of pairs (name, columns), or Modalities as X."
        )
    check_entries(modalities, "modalities", ("(name, columns)",))
    names = [name for name, _ in modalities]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"modalities has the names {shown(repeated)} more than once.")
    found = [(name, resolve_columns(X, columns, name)) for name, columns in modalities]
    return [View(name, columns, names_within(X, columns)) for name, columns in found]


def check_entries(entries: Any, argument: str, forms: Sequence[str]) -> None:
    """Refuse what is not a list of tuples that begin with a name.

    Parameters
    ----------
    entries : list or tuple of tuples
    argument : str
        What the user calls it, for messages.
    forms : sequence of str
        What the tuples may be, such as ``"(name, columns)"``.

    Raises
    ------
    ValueError
        If there is no entry.
    TypeError
        If it is anything else.
    """
    forms_in_words = " or ".join(forms)
    if not isinstance(entries, list | tuple):
        raise TypeError(
            f"{argument} is {shown(entries)}; expected a list of tuples {forms_in_words}."
        )
    if len(entries) == 0:
        raise ValueError(f"{argument} is empty; expected at least one tuple {forms_in_words}.")
    lengths = {form.count(",") + 1 for form in forms}
    for i, entry in enumerate(entries):
        if not isinstance(entry, tuple) or len(entry) not in lengths:
            raise TypeError(f"{argument}[{i}] is {shown(entry)}; expected {forms_in_words}.")
        if not isinstance(entry[0], str) or not entry[0]:
            raise TypeError(
                f"{argument}[{i}] has the name {shown(entry[0])}; expected a string that is not "
                "empty."
            )


def take_views(X: Any, views: Sequence[View]) -> list[Any]:
    """Return each modality's samples.

    Parameters
    ----------
    X : Modalities, DataFrame, ndarray or sparse matrix of shape (n_samples, n_features)
        With columns in any order where these have names.
    views : sequence of View

    Returns
    -------
    list of n_modalities samples
        One-dimensional where a single column was asked for by a scalar.

    Raises
    ------
    ValueError
        If columns or modalities are missing, or there are no data of one.
    """
    return [select_columns(X, view.columns, view.name, view.within) for view in views]


def as_matrix(data: Any, *, estimator: Any = None, min_samples: int = 1) -> Floats:
    """Return a modality's samples as columns of finite numbers, dates and durations in days.

    Parameters
    ----------
    data : DataFrame, Series, array-like of shape (n_samples, n_columns) or (n_samples,)
    estimator : object, default=None
        For messages.
    min_samples : int, default=1

    Returns
    -------
    ndarray of shape (n_samples, n_columns), float64

    Raises
    ------
    ValueError, TypeError
        If it is anything else, or cells are missing.
    """
    data = as_plain(data)
    data = in_two_dimensions(np.asarray(data) if isinstance(data, list | tuple) else data)
    if getattr(data, "ndim", 2) != 2:
        raise ValueError(
            f"it has shape {data.shape}; expected columns of numbers, (n_samples, n_columns): "
            "summarise signals by features first."
        )
    if getattr(getattr(data, "dtype", None), "kind", "") == "U":
        data = data.astype(object)  # texts that cannot be converted are then shown as they are
    data = with_numbers(data)
    try:
        matrix: Floats = check_array(
            data, dtype=np.float64, estimator=estimator, ensure_min_samples=min_samples
        )
    except (TypeError, ValueError) as error:
        cell = find_no_number(data)
        if cell is None or type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{cell}; expected finite numbers: {error}") from error
    return matrix


@contextmanager
def about(name: str, what: str = "modality") -> Iterator[None]:
    """Say in an error which modality it is about, if the user gave it a name.

    Parameters
    ----------
    name : str
        Empty where it has none.
    what : str, default="modality"
        What it is that has the name.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if name in ("", _WHOLE) or type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{what} {name!r}: {error}") from error


@contextmanager
def rollback(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was if what is done inside fails.

    For fits that need attributes on their way; others set them at the end.

    Parameters
    ----------
    estimator : object
        Attributes may be set and deleted inside, but not changed in place.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
