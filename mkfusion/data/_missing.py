"""Samples that lack some of their modalities: who lacks what, and what is said about it.

What `missing=` means is documented in :class:`~mkfusion.ColumnKernelizer`, once for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._types import Indices, Mask
from mkfusion.data._cells import naming_columns
from mkfusion.data._columns import as_table, select_columns
from mkfusion.data._modalities import Modalities, present_samples
from mkfusion.data._reading import View, check_features

MISSING = ("error", "marginalise", "impute")
# Samples that a message lists.
_MAX_SHOWN = 5
# What estimators raise of samples that are not there: of NaN, None in lists, or whatever.
_REFUSALS = (ValueError, TypeError, AttributeError)

_REMEDY = (
    "missing='error' expects it in all of them. missing='marginalise' goes by what samples have, "
    "missing='impute' predicts it from what else a sample has."
)


class Known(NamedTuple):
    """What samples have of every modality.

    Attributes
    ----------
    parts : list of n_modalities samples or None
        Of each modality, the samples that have it; None if none has.
    present : ndarray of shape (n_samples, n_modalities), dtype=bool
    """

    parts: list[Any]
    present: Mask

    def rows(self, k: int) -> Indices:
        """Return which samples have modality k."""
        return np.flatnonzero(self.present[:, k])


def known_parts(parts: Sequence[Any], n_samples: int) -> Known:
    """Return what samples have of every modality.

    Parameters
    ----------
    parts : sequence of n_modalities samples or None
        All samples of each modality, None where none has it.
    n_samples : int

    Returns
    -------
    Known
    """
    nothing = np.zeros(n_samples, dtype=bool)
    present = np.stack(
        [nothing if part is None else present_samples(part) for part in parts], axis=1
    )
    return Known([those(some, part) for some, part in zip(present.T, parts, strict=True)], present)


def read_known(estimator: Any, X: Any, views: Sequence[View]) -> Known:
    """Find what other samples have of the modalities of the training samples.

    Parameters
    ----------
    estimator : object
        Fitted: it has `n_features_in_`, and `feature_names_in_` where features have names.
    X : Modalities, DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        `Modalities` may lack some altogether.
    views : sequence of View
        Of the training samples.

    Returns
    -------
    Known

    Raises
    ------
    ValueError, TypeError
        If columns are missing, features are others than in fit, or a name seems to be wrong.
    """
    X = X if isinstance(X, Modalities) else as_table(X)
    check_features(estimator, X, several=isinstance(views[0].columns, str))
    if not isinstance(X, Modalities):
        parts = [select_columns(X, view.columns, view.name) for view in views]
        return known_parts(parts, num_samples(X))
    asked = [str(view.columns) for view in views]
    refuse_misnamed(X, asked, list(estimator.feature_names_in_))
    return known_parts([X[name] if name in X else None for name in asked], len(X))


def refuse_misnamed(X: Modalities, asked: Sequence[str], seen: Sequence[str]) -> None:
    """Refuse modalities of which a name seems to be wrong, rather than the modality missing.

    Parameters
    ----------
    X : Modalities
    asked : sequence of str
        What is wanted of them.
    seen : sequence of str
        All that `fit` saw.
    """
    absent = [name for name in asked if name not in X]
    unknown = [name for name in X.names if name not in seen]
    if absent and unknown:
        raise ValueError(
            f"X has the modalities {unknown}, which fit did not see, and lacks {absent}; "
            f"expected {list(seen)}. If it is meant to lack them, leave out the others."
        )


def those(present: Mask, data: Any) -> Any:
    """Return the samples that are present, None if there is none."""
    if data is None or not present.any():
        return None
    return data if present.all() else safe_indexing(data, np.flatnonzero(present))


def missing_message(what: str, present: Mask, remedy: str = _REMEDY) -> str | None:
    """Say which samples lack something, and what may be done about it; None if none does."""
    missing = np.flatnonzero(~present)
    if not len(missing):
        return None
    return (
        f"{what} is missing (None, or NaN throughout) in {len(missing)} of {len(present)} "
        f"samples: {listed(missing)}; {remedy}"
    )


@contextmanager
def blaming(data: Any, remedy: str = _REMEDY) -> Iterator[None]:
    """Say in an error which samples lack a modality, if any do: what is inside may take them.

    Stands inside :func:`about`, which says which modality it is.
    """
    try:
        with naming_columns(data):
            yield
    except _REFUSALS as error:
        message = missing_message("it", present_samples(data), remedy)
        if message is None:
            raise
        raise ValueError(f"{message} ({error})") from error


def refuse_empty(names: Sequence[str], present: Mask, *, training: bool) -> None:
    """Refuse samples that have nothing, and training samples none of which has a modality."""
    nothing = np.flatnonzero(~present.any(axis=1))
    if len(nothing):
        raise ValueError(
            f"{len(nothing)} of {len(present)} samples have none of {list(names)}: "
            f"{listed(nothing)}; expected at least one, to go by."
        )
    if training:
        refuse_unknown(names, present)


def refuse_unknown(names: Sequence[str], present: Mask) -> None:
    """Refuse training samples none of which has a modality."""
    unknown = [name for name, some in zip(names, present.T, strict=True) if not some.any()]
    if unknown:
        raise ValueError(
            f"no training sample has {', '.join(map(repr, unknown))} (None, or NaN throughout); "
            "expected some to fit on."
        )


def listed(index: Indices) -> str:
    """Return the first of the samples' numbers."""
    first = ", ".join(map(str, index[:_MAX_SHOWN]))
    return first if len(index) <= _MAX_SHOWN else f"{first}, ..."
