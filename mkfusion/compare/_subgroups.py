"""Which subgroups the samples are in: what users name, and which modalities they lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.data import as_plain, check_rows, row_index
from mkfusion.report import Grouping

UNKNOWN = "unknown"
# Numbers of more different values than that are cut at their quartiles; names are refused.
_MOST_NUMBERS, _MOST_NAMES = 10, 50


def read_subgroups(subgroups: Any, X: Any, n_samples: int) -> list[Grouping]:
    """Return the groupings that a user asked for.

    Parameters
    ----------
    subgroups : str, array-like of shape (n_samples,), DataFrame, mapping of them, or None
        The name of a column of X, or labels, by names if there are several.
    X : samples
        As the user gave them.
    n_samples : int

    Returns
    -------
    list of Grouping

    Raises
    ------
    ValueError
        If there is no such column, or there is not one label, of few, for each sample.
    """
    if subgroups is None:
        return []
    named: dict[str, Any]
    if isinstance(subgroups, Mapping) or hasattr(subgroups, "columns"):
        names = list(getattr(subgroups, "columns", subgroups))
        named = {str(name): subgroups[name] for name in names}
        if not named:
            raise ValueError("subgroups is empty; expected one name and its labels at least.")
    elif isinstance(subgroups, str):
        named = {subgroups: subgroups}
    else:
        named = {str(getattr(subgroups, "name", None) or "subgroup"): subgroups}
    if row_index(subgroups) is not None:
        check_rows(X, subgroups=subgroups)
    return [_grouping(name, labels, X, n_samples) for name, labels in named.items()]


def _grouping(name: str, labels: Any, X: Any, n_samples: int) -> Grouping:
    if isinstance(labels, str):
        if not hasattr(X, "columns") or labels not in list(X.columns):
            raise ValueError(
                f"subgroups is {shown(labels)}, which is no column of X; expected one, or a label "
                "for each sample."
            )
        labels = X[labels]
    check_rows(X, subgroups=labels)
    values = np.asarray(as_plain(labels, "subgroups"))
    if values.shape != (n_samples,):
        raise ValueError(
            f"subgroups {name!r} has shape {values.shape}; expected a label for each of "
            f"{n_samples} samples."
        )
    unknown = np.array([_is_unknown(value) for value in values.tolist()])
    known = set(values[~unknown].astype(str).tolist())
    try:
        numbers = np.where(unknown, np.nan, values).astype(np.float64)
    except (TypeError, ValueError):
        numbers = None
    if values.dtype.kind == "b":
        numbers = None
    if numbers is not None and len(known) > _MOST_NUMBERS:
        texts, order = _quartiles(numbers)
    elif len(known) > _MOST_NAMES:
        raise ValueError(
            f"subgroups {name!r} holds {len(known)} different labels; expected no more than "
            f"{_MOST_NAMES}, with several samples each."
        )
    else:
        texts = np.array([_text(value) for value in values.tolist()], dtype=object)
        order = list(dict.fromkeys(texts[~unknown][np.argsort(values[~unknown], kind="stable")]))
    if unknown.any():
        texts[unknown] = UNKNOWN
        order = [label for label in order if label != UNKNOWN] + [UNKNOWN]
    places = {label: k for k, label in enumerate(order)}
    return Grouping(name, order, np.array([places[text] for text in texts], dtype=np.intp))


def _text(value: Any) -> str:
    """Return a label; whole numbers have no fraction, whatever they are stored as."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _is_unknown(value: Any) -> bool:
    return not isinstance(value, str) and (value is None or str(value) in ("nan", "NaT", "<NA>"))


def _quartiles(numbers: Floats) -> tuple[NDArray[Any], list[str]]:
    """Return a text for each number, and these in order."""
    inner = np.unique(np.nanquantile(numbers, [0.25, 0.5, 0.75]))
    ends = [f"{value:.4g}" for value in inner]
    order = [f"up to {ends[0]}"]
    order += [f"{low} to {high}" for low, high in zip(ends, ends[1:], strict=False)]
    order.append(f"above {ends[-1]}")
    place = np.searchsorted(inner, np.nan_to_num(numbers))
    there = np.unique(place[~np.isnan(numbers)])
    return np.array(order, dtype=object)[place], [order[k] for k in there]


def missing_patterns(present: Mask, names: list[str]) -> Grouping | None:
    """Return which modalities samples lack; None if they have them all.

    Parameters
    ----------
    present : ndarray of shape (n_samples, n_modalities)
    names : list of n_modalities str

    Returns
    -------
    Grouping or None
        The commonest first.
    """
    if present.all():
        return None
    patterns, codes, counts = np.unique(present, axis=0, return_inverse=True, return_counts=True)
    # The complete ones first, then the commonest.
    order = np.lexsort((-counts, ~patterns.all(axis=1)))
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    labels = [_lacking(patterns[k], names) for k in order]
    return Grouping("missing modalities", labels, place[codes.ravel()])


def _lacking(pattern: Mask, names: list[str]) -> str:
    lacking = [name for name, there in zip(names, pattern, strict=True) if not there]
    return f"without {' and '.join(lacking)}" if lacking else "all there"
