"""An estimator, and its samples, without some of the modalities."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from mkfusion.inspection._samples import Parts
from mkfusion.kernels import ColumnKernelizer
from mkfusion.kernels.kernelizer._columns import resolve_columns
from mkfusion.modalities import Modalities

__all__ = ["without"]

# Parameters that hold tuples which end in columns, and how long these tuples are.
_ENTRIES = {"kernels": (3,), "transformers": (3,), "estimators": (3,), "modalities": (2, 3)}


def without(estimator: Any, parts: Parts, gone: Collection[int]) -> tuple[Any, Any]:
    """Return a clone of an estimator, and samples, that lack some of the modalities.

    Entries that ask for the columns of these modalities are left out of kernelizers, column
    transformers and fusion estimators, wherever they see the samples themselves: as the first step
    of pipelines and within searches. Where there are no entries, the columns are left out of X.

    Parameters
    ----------
    estimator : estimator
    parts : Parts
    gone : collection of int
        Which modalities to leave out.

    Returns
    -------
    estimator : estimator
        Not fitted.
    X : samples
    """
    model = clone(estimator)
    if not gone:
        return model, parts.X
    places = {place for m in gone for place in parts.places[m]}
    chooses = _leave_out(model, parts.X, places)
    X = parts.X
    if isinstance(X, Modalities):
        return model, Modalities({name: X[name] for name in X.names if name not in places})
    if chooses:  # positions must stay as they are
        return model, X
    return model, _safe_indexing(X, [j for j in range(X.shape[1]) if j not in places], axis=1)


def _leave_out(model: Any, X: Any, places: Collection[Any]) -> bool:
    """Drop entries, in place; return whether there are entries at all."""
    if isinstance(model, Pipeline):
        return _leave_out(model.steps[0][1], X, places)
    if not hasattr(model, "get_params"):
        return False
    params = model.get_params(deep=False)
    found = False
    for name, lengths in _ENTRIES.items():
        entries = params.get(name)
        if not isinstance(entries, list) or not all(
            isinstance(entry, tuple) and len(entry) in lengths for entry in entries
        ):
            continue
        if name == "kernels" and not isinstance(model, ColumnKernelizer):
            continue
        kept = [reduced for entry in entries if (reduced := _reduce(entry, X, places))]
        model.set_params(**{name: kept})
        found = True
    if found:
        return True
    if "estimators" in params and isinstance(params["estimators"], list):  # as in voting
        return bool(sum(_leave_out(entry[1], X, places) for entry in params["estimators"]))
    return "estimator" in params and _leave_out(params["estimator"], X, places)


def _reduce(entry: tuple[Any, ...], X: Any, places: Collection[Any]) -> tuple[Any, ...] | None:
    """Return an entry without some of its columns, None if none is left."""
    found = resolve_columns(X, entry[-1], str(entry[0]))
    if isinstance(found, str):
        return None if found in places else entry
    positions = [found.positions] if isinstance(found.positions, int) else found.positions
    kept = [j for j in positions if j not in places]
    if len(kept) == len(positions):
        return entry
    if not kept:
        return None
    chosen = [X.columns[j] for j in kept] if found.by_name else kept
    return (*entry[:-1], chosen)
