"""Targets, weights and groups of samples, read alike by all that learn from them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from mkfusion._compat import check_sample_weight, num_samples
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data._cells import first_text
from mkfusion.data._containers import as_plain
from mkfusion.data._kinds import missing_cells
from mkfusion.data._row_labels import check_rows

# More different whole numbers than these may be either classes or a quantity: users must say.
MOST_CLASSES = 20
# The only ways to learn several targets, which all messages about them name
_ONE_FOR_EACH = (
    "MultiOutputClassifier and MultiOutputRegressor of sklearn.multioutput fit one model for each, "
    "of samples in a pipeline."
)
# The largest class has so many times the samples of the smallest.
_UNEVEN = 3.0


class Labels(NamedTuple):
    """Class labels of samples.

    Attributes
    ----------
    given : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,)
        Sorted.
    codes : ndarray of shape (n_samples,)
        Each label's position among the classes.
    """

    given: NDArray[Any]
    classes: NDArray[Any]
    codes: Indices

    @property
    def signs(self) -> Floats:
        """Labels -1 and 1 of the one-versus-rest tasks, of shape (n_tasks, n_samples).

        There is one task for each class, and with two classes one for the second only.
        """
        positive = np.arange(len(self.classes)) if len(self.classes) > 2 else np.array([1])
        return np.where(self.codes == positive[:, np.newaxis], 1.0, -1.0)


def read_target(X: Any, y: Any, expected: str = "class labels or numbers") -> NDArray[Any]:
    """Return what is known of the samples, class labels or numbers, as it is.

    Parameters
    ----------
    X : samples
        Of which there must be as many.
    y : array-like of shape (n_samples,)
    expected : str, default="class labels or numbers"
        What to say is expected where there is nothing.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is none, not as many as samples, some are missing or infinite, or they are dates
        or durations.
    """
    check_rows(X, y=y)
    y = _in_one_dimension(y, expected)
    _refuse_times(y)
    if y.dtype.kind != "f":  # of objects scikit-learn would not say what they are
        _refuse_gaps(y, "y")
    _refuse_nan(y)
    assert_all_finite(y, input_name="y")
    _check_length(X, y)
    return y


def read_labels(X: Any, y: Any, wanted: str = "at least two classes") -> Labels:
    """Return class labels of the samples, of two classes at least.

    Parameters
    ----------
    X : samples
        Of which there must be as many.
    y : array-like of shape (n_samples,)
    wanted : str, default="at least two classes"
        What to say is expected where there is one class.

    Returns
    -------
    Labels

    Raises
    ------
    ValueError
        If there are no labels, not as many as samples, of one class, or in another order.
    """
    y = read_target(X, y, "class labels")
    _refuse_mixed(y)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class, {shown(classes[0])}; expected {wanted}.")
    return Labels(y, classes, codes)


def read_numbers(X: Any, y: Any) -> Floats:
    """Return a finite number for each of the samples.

    Parameters
    ----------
    X : samples
        Of which there must be as many.
    y : array-like of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are no numbers, not as many as samples, some are not finite or are dates or
        durations, or they are in another order.
    """
    check_rows(X, y=y)
    y = _in_one_dimension(y, "numbers")
    _refuse_times(y)
    if y.dtype.kind == "U":
        y = y.astype(object)  # texts that cannot be converted are then shown as they are
    # As numbers first: missing ones may hide among objects.
    try:
        values: Floats = check_array(
            y, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name="y"
        )
    except (TypeError, ValueError) as error:
        texts = [i for i, value in enumerate(y) if isinstance(value, str)]
        row = first_text(y[texts])
        if row is None:
            raise
        raise type(error)(
            f"y holds {shown(y[texts[row]])} in row {texts[row]}; expected numbers: {error}"
        ) from error
    _refuse_nan(values)
    assert_all_finite(values, input_name="y")
    _check_length(X, values)
    return values


class Survival(NamedTuple):
    """Times of events, of which some were not seen.

    Attributes
    ----------
    time : ndarray of shape (n_samples,)
        Until the event, or until the sample was last seen without it.
    event : ndarray of shape (n_samples,), boolean
        Whether there was an event.
    """

    time: Floats
    event: Mask

    @property
    def structured(self) -> NDArray[Any]:
        """The same as one array (n_samples,) of the fields "event" and "time"."""
        y = np.empty(len(self.time), dtype=[("event", bool), ("time", np.float64)])
        y["event"], y["time"] = self.event, self.time
        return y


_SURVIVAL = (
    "expected a structured array with a boolean field (whether there was an event) and a field of "
    "numbers (the time), as sksurv.util.Surv makes it"
)


def is_survival(y: Any) -> bool:
    """Return whether a target has fields, as survival targets have.

    Parameters
    ----------
    y : array-like

    Returns
    -------
    bool
    """
    return bool(getattr(getattr(y, "dtype", None), "names", None))


def read_survival(X: Any, y: Any, *, some_events: bool = True) -> Survival:
    """Return the times of events and of censoring.

    Parameters
    ----------
    X : samples
        Of which there must be as many.
    y : structured array of shape (n_samples,)
        Of two fields in any order: a boolean one, whether there was an event, and one of numbers,
        the time.
    some_events : bool, default=True
        Whether to expect events: nothing is learned without any, but test samples may have none.

    Returns
    -------
    Survival

    Raises
    ------
    ValueError
        If it is not such an array, times are negative or not finite, there is no event where some
        are expected, or there are not as many as samples.
    """
    check_rows(X, y=y)
    if y is None:
        raise ValueError(f"y: {_SURVIVAL}; requires y to be passed, but the target y is None.")
    if not is_survival(y):
        such = f"a {type(y).__name__}"
        way = ""
        if hasattr(y, "columns") and hasattr(y, "to_records"):
            such += f" with the columns {list(y.columns)}"
            way = " y.to_records(index=False) makes one."
        elif getattr(y, "dtype", None) is not None:
            such = f"of {y.dtype}"
        raise ValueError(f"y is {such}; {_SURVIVAL}.{way}")
    given = np.asarray(y)
    kinds = {name: given.dtype[name].kind for name in given.dtype.names or ()}
    if sorted("b" if kind == "b" else "n" for kind in kinds.values()) != ["b", "n"] or (
        set(kinds.values()) - set("biuf")
    ):
        fields = {name: str(given.dtype[name]) for name in kinds}
        raise ValueError(f"y has the fields {fields}; {_SURVIVAL}.")
    if given.ndim != 1:
        raise ValueError(f"y has shape {given.shape}; expected one entry for each sample.")
    event, time = sorted(kinds, key=lambda name: kinds[name] != "b")
    found = Survival(given[time].astype(np.float64), given[event])
    _check_length(X, found.time)
    return checked_survival(found, f"y[{time!r}]", f"y[{event!r}]", some_events=some_events)


def checked_survival(
    found: Survival, time: str, event: str, *, some_events: bool = True
) -> Survival:
    """Return times and events, after a look at their values.

    Parameters
    ----------
    found : Survival
    time, event : str
        What users call them.
    some_events : bool, default=True
        As for `read_survival`.

    Returns
    -------
    Survival

    Raises
    ------
    ValueError
        If times are negative or not finite, or there is no event where some are expected.
    """
    odd = np.flatnonzero(~(np.isfinite(found.time) & (found.time >= 0.0)))
    if odd.size:
        raise ValueError(
            f"{time} is {found.time[odd[0]]:g} for sample {odd[0]}; expected finite times from 0 "
            "on."
        )
    if some_events and not found.event.any():
        raise ValueError(
            f"{event} is False for all {len(found.event)} samples; expected some events: of "
            "censored samples alone nothing is learned."
        )
    return found


def _refuse_times(y: NDArray[Any]) -> None:
    """Refuse dates and durations, which may be a quantity in any unit, or name visits."""
    cells = y[~missing_cells(y)]
    among = cells.dtype == object and any(isinstance(one, date | timedelta) for one in cells)
    if y.dtype.kind in "mM" or among:
        such = f", such as {shown(cells[0])}" if len(cells) else ""
        raise ValueError(
            f"y holds dates or durations{such}; expected class labels or numbers. As texts, "
            "y.astype(str), they are labels; days from the first of them on, (y - y.min()) / "
            "np.timedelta64(1, 'D'), are numbers."
        )


def _refuse_nan(y: NDArray[Any]) -> None:
    gaps = np.flatnonzero(np.isnan(y)) if y.dtype.kind == "f" else np.array([], dtype=np.intp)
    if len(gaps):
        raise ValueError(
            f"Input y contains NaN: {len(gaps)} of {len(y)} values, such as that of sample "
            f"{gaps[0]}; expected one for each sample."
        )


def _refuse_mixed(y: NDArray[Any]) -> None:
    """Refuse texts and numbers in one target, which have no order, and 1 is not "1"."""
    if y.dtype != object:
        return
    is_text = np.array([isinstance(label, str) for label in y])
    if is_text.any() and not is_text.all():
        first = [y[np.flatnonzero(some)[0]] for some in (is_text, ~is_text)]
        raise TypeError(
            f"y holds texts such as {shown(first[0])} and {type(first[1]).__name__} such as "
            f"{shown(first[1])}; expected labels of one type."
        )


def _in_one_dimension(y: Any, expected: str) -> NDArray[Any]:
    if y is None:
        raise ValueError(
            f"y: expected {expected}; requires y to be passed, but the target y is None."
        )
    return one_target(y)


def one_target(y: Any) -> NDArray[Any]:
    """Return a target in one dimension, as it came otherwise.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there are several columns, or several labels or fields in an entry, as in survival
        targets: what sorts and compares these would take every pair of them for a class.
    """
    fields = getattr(getattr(y, "dtype", None), "names", None)
    if fields:
        raise ValueError(
            f"y is a structured array with the fields {list(fields)}, as survival targets are; "
            "expected one class label or number for each sample. MKLSurvivalAnalysis and "
            "compare_fusion learn survival targets."
        )
    y = as_plain(y, "y")
    shape = tuple(getattr(y, "shape", ()))
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"y has shape {shape}, {shape[1]} targets of each sample; expected one, a 1d array. "
            f"{_ONE_FOR_EACH}"
        )
    if isinstance(y, list | tuple) or (len(shape) == 1 and getattr(y.dtype, "kind", "") == "O"):
        _refuse_several_of_one(y)
    given: NDArray[Any] = column_or_1d(y, warn=True)
    return given


def _refuse_several_of_one(y: Any) -> None:
    """Refuse lists and sets of labels, which a sample with several of them is written as."""
    for i, one in enumerate(y):
        several = isinstance(one, list | tuple) or (isinstance(one, np.ndarray) and one.ndim > 0)
        if isinstance(one, set | frozenset) or (several and len(one) != 1):
            raise ValueError(
                f"y has {shown(one)} for sample {i}; expected one class label or number, a 1d "
                "array. Several labels become a 0/1 column of each by MultiLabelBinarizer of "
                f"sklearn.preprocessing. {_ONE_FOR_EACH}"
            )


def _check_length(X: Any, y: NDArray[Any]) -> None:
    expected = num_samples(X)
    if len(y) != expected:
        raise ValueError(f"y has {len(y)} samples; expected {expected}, as X has.")


def _refuse_gaps(labels: NDArray[Any], argument: str) -> None:
    gaps = np.flatnonzero(missing_cells(labels))
    if len(gaps):
        raise ValueError(
            f"{argument} has {len(gaps)} missing labels (None, NaN or masked), such as that of "
            f"sample {gaps[0]}; expected one for each sample."
        )


def seems_classes(y: NDArray[Any]) -> bool | None:
    """Return whether a target is class labels rather than a quantity, where its values tell.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    bool or None
        True for strings, booleans and a few whole numbers, False for numbers of which some have a
        fraction, and None for more than 20 different whole numbers: that only users know.
    """
    if y.dtype.kind not in "iuf":
        return True
    if has_fractions(y):
        return False
    return None if len(np.unique(y)) > MOST_CLASSES else True


def is_uneven(counts: NDArray[Any]) -> bool:
    """Return whether classes make accuracy say little, as knowing nothing has a high one.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Their samples.

    Returns
    -------
    bool
        Whether the largest class has three times the samples of the smallest.
    """
    return bool(counts.max() >= _UNEVEN * counts.min())


def has_fractions(y: NDArray[Any]) -> bool:
    """Return whether some of the numbers y (n_samples,) are not whole."""
    return y.dtype.kind == "f" and bool(np.any(np.isfinite(y) & (y != np.floor(y))))


def labels_from_decisions(decisions: Floats, classes: NDArray[Any]) -> NDArray[Any]:
    """Return the class on whose side samples lie furthest.

    Parameters
    ----------
    decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Or probabilities, in two dimensions. In one, positive towards the second of two classes.
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    if decisions.ndim == 1:
        return classes[(decisions > 0.0).astype(np.intp)]
    return classes[decisions.argmax(axis=1)]


def read_weights(sample_weight: Any, X: Any, *, least: int = 1) -> Floats:
    """Return the weight of each sample, 1 where none are given.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
    X : samples
    least : int, default=1
        How many must be positive.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is not one weight for each sample, or weights are negative or not positive where
        they must be, or in another order.
    """
    check_rows(X, sample_weight=sample_weight)
    try:
        plain = as_plain(sample_weight, "sample_weight")
        weights: Floats = check_sample_weight(plain, X, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"sample_weight is not one weight for each sample: {error}") from error
    if (weights < 0).any():
        raise ValueError(
            f"sample_weight contains {weights.min():.6g}; expected non-negative numbers."
        )
    n_positive = np.count_nonzero(weights)
    if n_positive == 0:
        raise ValueError("sample_weight is all zero; expected a positive weight.")
    if n_positive < least:
        raise ValueError(
            f"sample_weight has {n_positive} positive weight(s); expected at least {least}."
        )
    return weights


def read_groups(groups: Any, n_samples: int) -> NDArray[Any] | None:
    """Return the label of each sample's group, None without groups.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If there is not one label for each sample.
    """
    if groups is None:
        return None
    labels = np.asarray(as_plain(groups, "groups"))
    if labels.shape != (n_samples,):
        raise ValueError(
            f"groups has shape {labels.shape}; expected ({n_samples},), one for each sample."
        )
    _refuse_gaps(labels, "groups")
    return labels
