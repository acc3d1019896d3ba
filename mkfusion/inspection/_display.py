"""Outcomes as tables and as pictures: what all of them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._tables import load_pandas


def as_frame(columns: Mapping[str, Any], index: Sequence[Any], name: str) -> Any:
    """Return a pandas DataFrame.

    Parameters
    ----------
    columns : mapping of str to sequence of n_rows values
    index : sequence of n_rows labels
    name : str
        What the labels are.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    pandas = load_pandas()
    return pandas.DataFrame(dict(columns), index=pandas.Index(list(index), name=name))


def check_outcome(name: str, value: Any, kind: type, question: str) -> None:
    """Refuse to draw what is not the outcome of a question.

    Parameters
    ----------
    name : str
        Of the argument.
    value : Any
    kind : type
        Of the outcome.
    question : str
        The function that returns it.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, kind):
        raise TypeError(
            f"{name} is a {type(value).__name__}; expected a {kind.__name__}, which {question} "
            "returns."
        )


def draw_intervals(
    ax: Any,
    names: Sequence[str],
    values: NDArray[np.float64],
    intervals: NDArray[np.float64],
    label: str,
) -> None:
    """Draw a point and an interval for each name, the first on top.

    Parameters
    ----------
    ax : matplotlib Axes
    names : sequence of n str
    values : ndarray of shape (n,)
    intervals : ndarray of shape (n, 2)
        NaN for none.
    label : str
        Of the horizontal axis.
    """
    places = np.arange(len(names))
    ax.hlines(places, *intervals.T, color="C0", lw=2)
    ax.plot(values, places, "o", color="C0")
    ax.axvline(0.0, color="grey", lw=1)
    ax.set(xlabel=label, ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(places, names)
