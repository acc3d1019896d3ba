"""Metrics by their names, as users give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mkfusion._messages import shown


def named_metrics(scoring: Any) -> dict[str, Any]:
    """Return metrics by their names, in their order.

    Parameters
    ----------
    scoring : str, callable, or list or dict of them
        A callable has the name of the function that it is, or is called "score".

    Returns
    -------
    dict of str to (str or callable)

    Raises
    ------
    TypeError, ValueError
        If it is none of these, there is none, or two have one name: one of them would be lost.
    """
    if isinstance(scoring, Mapping):
        pairs = [(str(name), one) for name, one in scoring.items()]
    elif isinstance(scoring, str) or callable(scoring):
        pairs = [(_name_of(scoring), scoring)]
    elif isinstance(scoring, Iterable):
        pairs = [(_name_of(one), one) for one in scoring]
    else:
        raise TypeError(
            f"scoring is {shown(scoring)}; expected the name of a metric, a callable "
            "scorer(estimator, X, y), or a list or dict of them."
        )
    if not pairs:
        raise ValueError("scoring is empty; expected at least one metric.")
    named: dict[str, Any] = {}
    for name, one in pairs:
        if named.setdefault(name, one) is not one and named[name] != one:
            raise ValueError(
                f"scoring has two metrics called {name!r}; expected a dict that gives each a name "
                "of its own."
            )
    return named


def _name_of(metric: Any) -> str:
    return getattr(metric, "__name__", "score") if callable(metric) else str(metric)
