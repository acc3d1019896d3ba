"""Two streams on one clock, and two signals matched step by step, to look at."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np

from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices
from mkfusion.data import read_signal, read_two_signals
from mkfusion.recordings._streams import (
    Clock,
    Stream,
    at_instants,
    check_positive,
    read_recording,
    rounding_of_times,
)
from mkfusion.solvers import warping_path
from mkfusion.stack import check_room

_MOST_LINES = 60
# Vectors of all instants that putting streams on a clock holds: of each channel, and once.
_OF_CHANNEL, _OF_INSTANT = 2, 8


class Synchronised(NamedTuple):
    """Outcome of :func:`synchronise`.

    Attributes
    ----------
    times : ndarray of shape (n_instants,)
        In seconds; of dates since 1970 began.
    streams : dict of str to ndarray of shape (n_channels, n_instants)
        NaN where a stream has no value within three quarters of its time step, or of the clock's if
        it is faster.

    Examples
    --------
    >>> from mkfusion import synchronise
    >>> found = synchronise({"pulse": [60.0, 64.0, 62.0]}, to=2.0, rate=1.0)
    >>> found.times
    array([0. , 0.5, 1. , 1.5, 2. ])
    >>> found.streams["pulse"]
    array([[60., 62., 64., 63., 62.]])
    """

    times: Floats
    streams: dict[str, Floats]


def synchronise(
    recording: Any,
    to: float,
    *,
    modalities: Mapping[str, Any] | None = None,
    time: str | None = None,
    rate: float | Mapping[str, float] | None = None,
) -> Synchronised:
    """Put the streams of a recording, of different rates, on one clock.

    A stream that is faster than the clock is averaged over the time around each instant that is
    nearest to it, so that what is too fast for the clock does not fold into what is slow; one that
    is slower is interpolated linearly. The clock runs while all streams do.

    Parameters
    ----------
    recording : DataFrame or mapping of str to streams
        As one of those that :func:`cut_windows` takes: the rows of tables are time steps, arrays
        are (n_channels, n_steps) or (n_steps,).
    to : float
        Instants of the clock in a second.
    modalities, time, rate : default=None
        As in :func:`cut_windows`.

    Returns
    -------
    synchronised : Synchronised
        Named tuple of `times` and `streams`.

    Raises
    ------
    ValueError, TypeError
        If an argument is not one of those above, or no instant is in all streams.
    MemoryError
        If there are too many instants.

    See Also
    --------
    cut_windows : Keeps each stream's own rate.
    alignment_path : Where clocks do not agree, or one does the same thing faster.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import synchronise
    >>> fast, slow = np.arange(40.0), np.array([0.0, 10.0, 20.0, 30.0])
    >>> found = synchronise({"fast": fast, "slow": slow}, to=5.0, rate={"fast": 10, "slow": 1})
    >>> found.times[:4]
    array([0. , 0.2, 0.4, 0.6])
    >>> found.streams["slow"][:, :4]
    array([[0., 2., 4., 6.]])
    >>> found.streams["fast"][:, :4]
    array([[0. , 1.5, 3.5, 5.5]])
    """
    to = check_positive(to, "to")
    streams = read_recording(recording, modalities, Clock(time, rate), "recording")
    start = max(stream.times[0] for stream in streams.values())
    stop = min(stream.times[-1] for stream in streams.values())
    if stop < start:
        raise ValueError(
            f"one stream ends at {stop:g} seconds before another begins at {start:g}; expected "
            "streams of the same time."
        )
    rounding = max(1e-6, to * float(rounding_of_times(max(abs(start), abs(stop)))))
    with np.errstate(over="ignore"):
        n_instants = np.floor(np.multiply(stop - start, to) + rounding) + 1
    n_channels = sum(len(stream.values) for stream in streams.values())
    check_room(
        f"to={to:g} instants in each of {stop - start:g} seconds, of {n_channels} channels,",
        8.0 * n_instants * (_OF_CHANNEL * n_channels + _OF_INSTANT),
        "expected a slower clock",
    )
    times: Floats = start + np.arange(n_instants) / to
    return Synchronised(
        times, {name: _on(one, times, to, rounding) for name, one in streams.items()}
    )


def _on(stream: Stream, times: Floats, to: float, rounding: float) -> Floats:
    if stream.rate <= to * (1.0 + 1e-6):
        values, there = at_instants(stream, times)
        return np.where(there, values, np.nan)
    # Rounded up in the middle, but for rounding errors.
    nearest = np.floor((stream.times - times[0]) * to + 0.5 + rounding).astype(np.intp)
    inside = (nearest >= 0) & (nearest < len(times))
    found = np.full((len(stream.values), len(times)), np.nan)
    for channel, values in enumerate(stream.values):
        known = inside & ~np.isnan(values)
        counts = np.bincount(nearest[known], minlength=len(times))
        sums = np.bincount(nearest[known], values[known], minlength=len(times))
        found[channel, counts > 0] = sums[counts > 0] / counts[counts > 0]
    return found


class Alignment(NamedTuple):
    """Outcome of :func:`alignment_path`.

    Attributes
    ----------
    path : ndarray of int, shape (n_pairs, 2)
        Steps of x and z that belong together.
    cost : float
        The sum of the squared distances between them.

    Examples
    --------
    >>> from mkfusion import alignment_path
    >>> path, cost = alignment_path([0, 1, 2], [0, 2])
    >>> path.tolist(), cost
    ([[0, 0], [1, 0], [2, 1]], 1.0)
    """

    path: Indices
    cost: float


def alignment_path(x: Any, z: Any, *, radius: int | None = None) -> Alignment:
    """Match two signals step by step: dynamic time warping.

    Time may be stretched and squeezed, but not turned: the path begins with the first steps of both
    signals, moves on in one of them or in both, and ends with the last, and has the least sum of
    squared distances between the steps that it matches. Kernels of signals that may be stretched,
    such as :class:`GlobalAlignmentKernel`, sum over all such paths; this is the best one, to look
    at, and to carry what is known of one signal over to the other.

    Parameters
    ----------
    x : array-like of shape (n_channels, n_steps_x) or (n_steps_x,), or DataFrame of shape \
            (n_steps_x, n_channels)
        The rows of a table are time steps and its columns channels, as in :func:`cut_windows`; its
        index does not count.
    z : array-like of shape (n_channels, n_steps_z) or (n_steps_z,), or DataFrame of shape \
            (n_steps_z, n_channels)
        Of the same channels in the same units: standardise what is not, or channels with large
        values decide alone. Rates and numbers of steps may differ.
    radius : int, default=None
        How many steps of z a match may be from where both signals are equally far on. None is no
        limit. Memory is 8 bytes times the product of the numbers of steps.

    Returns
    -------
    alignment : Alignment
        Named tuple of `path` and `cost`.

    Raises
    ------
    ValueError, TypeError
        If signals are not finite numbers of the same channels, are so large that squares overflow,
        or `radius` leaves no path.
    MemoryError
        If the signals are too long.

    See Also
    --------
    AlignmentDisplay : A picture of it.

    References
    ----------
    Sakoe and Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 26, 1978.

    Examples
    --------
    >>> from mkfusion import alignment_path
    >>> found = alignment_path([0, 1, 2, 0], [0, 0, 1, 2, 2, 0])
    >>> found.path.tolist()
    [[0, 0], [0, 1], [1, 2], [2, 3], [2, 4], [3, 5]]
    >>> found.cost
    0.0
    """
    one, other = read_two_signals(x, z)
    given: Any = other.shape[1] if radius is None else radius
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 0:
        raise ValueError(f"radius is {shown(radius)}; expected an integer from 0 on, or None.")
    check_room(
        f"to align {one.shape[1]} steps with {other.shape[1]}",
        8.0 * (one.shape[1] + 1) * (other.shape[1] + 1),
        "take shorter signals, or of a lower rate",
    )
    path, cost = warping_path(one, other, int(given))
    if not len(path):
        raise ValueError(
            f"radius is {radius}, which leaves no path between {one.shape[1]} and "
            f"{other.shape[1]} steps; expected a larger one."
        )
    return Alignment(path, cost)


class AlignmentDisplay:
    """Two signals, one above the other, with lines between the steps that belong together.

    Parameters
    ----------
    x : ndarray of shape (n_channels, n_steps_x)
        The upper signal.
    z : ndarray of shape (n_channels, n_steps_z)
        The lower signal.
    path : ndarray of shape (n_pairs, 2)
        Steps that belong together.
    cost : float
        The sum of the squared distances between them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The signals, channel by channel, x first.
    matches_ : matplotlib LineCollection
        The lines between them.

    See Also
    --------
    alignment_path

    Examples
    --------
    >>> from mkfusion import AlignmentDisplay
    >>> display = AlignmentDisplay.from_signals([0, 1, 2, 0], [0, 0, 1, 2, 2, 0])
    >>> len(display.path)
    6
    """

    def __init__(self, *, x: Floats, z: Floats, path: Indices, cost: float) -> None:
        self.x = x
        self.z = z
        self.path = path
        self.cost = cost

    @classmethod
    def from_signals(cls, x: Any, z: Any, *, radius: int | None = None) -> Self:
        """Align two signals.

        Parameters
        ----------
        x : array-like of shape (n_channels, n_steps_x) or (n_steps_x,), or DataFrame of shape \
                (n_steps_x, n_channels)
        z : array-like of shape (n_channels, n_steps_z) or (n_steps_z,), or DataFrame of shape \
                (n_steps_z, n_channels)
        radius : int, default=None
            As in :func:`alignment_path`.

        Returns
        -------
        display : AlignmentDisplay
            Not drawn yet.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As :func:`alignment_path`.
        """
        found = alignment_path(x, z, radius=radius)
        return cls(x=read_signal(x, "x"), z=read_signal(z, "z"), path=found.path, cost=found.cost)

    def plot(self, ax: Any = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; a new figure by default.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_of(ax, "AlignmentDisplay", 4.8)
        from matplotlib.collections import LineCollection

        # Each channel in the same place of both bands, however large the signals are.
        low = min(self.x.min(), self.z.min())
        size = max(self.x.max(), self.z.max()) - low or 1.0
        upper, lower = (self.x - low) / size + 1.5, (self.z - low) / size
        self.lines_ = []
        for signal in (upper, lower):
            for channel, values in enumerate(signal):
                self.lines_ += ax.plot(values, color=f"C{channel}", zorder=2)
        some = np.unique(np.linspace(0, len(self.path) - 1, _MOST_LINES).astype(int))
        ends = [
            [(i, upper[:, i].min()), (j, lower[:, j].max())] for i, j in self.path[some].tolist()
        ]
        self.matches_ = LineCollection(ends, colors="0.75", linewidths=0.7, zorder=1)
        ax.add_collection(self.matches_)
        ax.set_yticks([0.5, 2.0], ["z", "x"])
        ax.set(xlabel="time step", title=f"squared distance {self.cost:.4g}")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
