"""What was the case when: labels of time steps or of stretches, and which one a window takes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import as_plain, is_gap
from mkfusion.recordings._streams import as_seconds, rounding_of_times

RULES = ("majority", "mean", "last")


class Track(NamedTuple):
    """Labels over time.

    Attributes
    ----------
    starts, stops : ndarray of shape (n_stretches,), float64
        In seconds; no stretch begins before the one before it has ended.
    labels : list of n_stretches labels
        None is missing.
    """

    starts: Floats
    stops: Floats
    labels: list[Any]


def read_track(labels: Any, span: tuple[float, float], steps: Any, called: str) -> Track:
    """Read what is said of one recording.

    Parameters
    ----------
    labels : label; array-like of (n_steps,) labels; DataFrame or list of (start, stop, label)
        Of the whole recording, of each time step, or of stretches.
    span : tuple of float
        When the recording begins and ends.
    steps : tuple of ndarray of shape (n_steps,) and float, or None
        The times of the time steps and their number in a second, where all streams have the same.
    called : str

    Returns
    -------
    Track

    Raises
    ------
    ValueError, TypeError
        If labels are none of these, or stretches overlap.
    """
    labels = as_plain(labels, called)
    if isinstance(labels, str | bytes) or np.ndim(labels) == 0:
        return Track(np.array([span[0]]), np.array([span[1]]), _plain([labels], called))
    if hasattr(labels, "columns"):
        labels = list(zip(*(np.asarray(labels[c]) for c in labels.columns), strict=True))
    items = list(labels)
    if items and all(isinstance(one, tuple | list) and len(one) == 3 for one in items):
        return _read_stretches(items, called)
    if np.ndim(labels) != 1:
        raise TypeError(f"{called} is {type(labels).__name__}; expected {_EXPECTED}.")
    if steps is None or len(items) != len(steps[0]):
        n_steps = "numbers of time steps that differ" if steps is None else f"{len(steps[0])} steps"
        raise ValueError(
            f"{called} has {len(items)} labels for {n_steps}; expected one for each time step of "
            "all modalities, or stretches (start, stop, label) in seconds."
        )
    times, rate = steps
    stops = np.minimum(np.append(times[1:], np.inf), times + 1.5 / rate)
    stops[-1] = times[-1] + 1.0 / rate
    return Track(times, stops, _plain(items, called))


_EXPECTED = (
    "a label, one for each time step, or a table or list of stretches (start, stop, label) in "
    "seconds"
)


def _read_stretches(items: list[Any], called: str) -> Track:
    borders = np.empty((len(items), 2))
    for side in range(2):
        cells = np.empty(len(items), dtype=object)
        cells[:] = [one[side] for one in items]
        borders[:, side] = as_seconds(cells, f"{called}, {('start', 'stop')[side]},")
    order = np.argsort(borders[:, 0], kind="stable")
    starts, stops = borders[order].T
    wrong = np.flatnonzero(~(starts < stops))
    if len(wrong):
        i = order[wrong[0]]
        raise ValueError(f"{called} has {shown(tuple(items[i]))}; expected start < stop.")
    over = np.flatnonzero(stops[:-1] > starts[1:])
    if len(over):
        one, other = (shown(tuple(items[order[i]])) for i in (over[0], over[0] + 1))
        raise ValueError(f"{called} has {one} and {other}; expected stretches that do not overlap.")
    return Track(starts, stops, _plain([items[i][2] for i in order], called))


def _plain(items: Sequence[Any], called: str) -> list[Any]:
    """Return labels as Python's own objects, None for what is missing."""
    plain = [one.item() if isinstance(one, np.generic) else one for one in items]
    for one in plain:
        if not isinstance(one, Hashable):
            raise TypeError(f"{called} has the label {shown(one)}; expected texts or numbers.")
    return [None if is_gap(one) else one for one in plain]


def window_labels(track: Track, windows: Floats, rule: str, purity: float) -> list[Any]:
    """Return the label of each window, None where it takes none.

    Parameters
    ----------
    track : Track
    windows : ndarray of shape (n_windows, 2)
        When they start and stop.
    rule : {"majority", "mean", "last"}
    purity : float
        The share of its time that a window must have a label for.

    Returns
    -------
    list of n_windows labels
    """
    slack = np.maximum(1e-9, rounding_of_times(np.abs(windows).max(axis=1)))
    if rule == "last":
        # What begins as the window stops is not in it.
        before = np.searchsorted(track.starts, windows[:, 1] - slack, side="right") - 1
        inside = (before >= 0) & (track.stops[before] >= windows[:, 1] - np.maximum(1e-6, slack))
        return [track.labels[i] if ok else None for i, ok in zip(before, inside, strict=True)]
    least = purity * (windows[:, 1] - windows[:, 0]) - slack
    if rule == "mean":
        known = np.array([label is not None for label in track.labels], dtype=float)
        try:
            values = np.array([0.0 if one is None else one for one in track.labels], dtype=float)
        except (TypeError, ValueError) as error:
            raise TypeError(f'label is "mean" and labels are no numbers: {error}.') from error
        covered, total = _within(track, known, windows), _within(track, values, windows)
        enough = (covered > slack) & (covered >= least)
        return [
            float(t / c) if ok else None for t, c, ok in zip(total, covered, enough, strict=True)
        ]
    # Of labels that fill as much of a window, the one that comes first in the recording.
    names = list(dict.fromkeys(label for label in track.labels if label is not None))
    if not names:
        return [None] * len(windows)
    which = {name: k for k, name in enumerate(names)}
    codes = np.array([-1 if one is None else which[one] for one in track.labels])
    shares = np.array([_within(track, (codes == k) * 1.0, windows) for k in range(len(names))])
    best = np.argmax(shares > shares.max(axis=0) - slack, axis=0)
    most = shares[best, np.arange(len(windows))]
    return [
        names[k] if ok else None
        for k, ok in zip(best, (most > slack) & (most >= least), strict=True)
    ]


def _within(track: Track, heights: Floats, windows: Floats) -> NDArray[np.float64]:
    """Return the integral over each window of a function that is constant on each stretch."""
    knots = np.stack([track.starts, track.stops], axis=1).ravel()
    pieces = np.stack([np.zeros(len(heights)), heights * (track.stops - track.starts)], axis=1)
    areas = np.cumsum(pieces.ravel())
    return np.asarray(
        np.interp(windows[:, 1], knots, areas) - np.interp(windows[:, 0], knots, areas)
    )
