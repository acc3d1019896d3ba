"""Streams: the values of a sensor and when they were taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import (
    as_numbers,
    as_plain,
    is_table,
    read_channels,
    read_column,
    resolve_columns,
    select_columns,
)

_SECONDS_OF_A_DAY = 86_400.0
# The share of a time step within which two instants are one: sums of steps and dates in seconds
# miss by rounding errors.
_SLACK = 1e-3
# The most that it may be where times are rounded more than that.
_MOST_SLACK = 0.25
# Floating-point steps by which two ways to the same instant differ at most: late on the clock, as
# seconds since 1970 are, these are 2e-7 seconds, more than the share above of a fast stream's step.
_ROUNDED_STEPS = 4
# The least share of a stream's time steps that windows may have.
_LEAST_SHARE = 0.8


class Stream(NamedTuple):
    """What one sensor recorded.

    Attributes
    ----------
    times : ndarray of shape (n_steps,), float64
        In seconds, increasing; those of dates since 1970 began.
    values : ndarray of shape (n_channels, n_steps), float64
        NaN where one is missing.
    rate : float
        Time steps in a second: as given, or one in the median time between two.
    apart : float
        How far apart in seconds its values typically are.
    columns : list of str or None
        Names of the channels, of a table.
    """

    times: Floats
    values: Floats
    rate: float
    apart: float
    columns: list[str] | None = None

    @property
    def slack(self) -> float:
        """Within how many seconds two instants are one."""
        latest = float(np.abs(self.times[[0, -1]]).max()) if len(self.times) else 0.0
        rounding = min(float(rounding_of_times(latest)), _MOST_SLACK / self.rate)
        return max(_SLACK / self.rate, rounding)

    @property
    def stop(self) -> float:
        """When the last time step is over."""
        return float(self.times[-1] + self.apart)

    def first_from(self, instants: Floats) -> NDArray[np.intp]:
        """Return the first time step at or after each of some instants."""
        return np.searchsorted(self.times, instants - self.slack)

    def between(self, start: float, stop: float) -> Stream:
        """Return the time steps from `start` on that begin before `stop`."""
        first, last = self.first_from(np.array([start, stop]))
        values = self.values[:, first:last]
        return self._replace(times=self.times[first:last], values=values)


def rounding_of_times(times: Floats | float) -> Floats:
    """Return by how many seconds two ways to the same instant may differ, for some instants."""
    return np.asarray(_ROUNDED_STEPS * np.spacing(np.abs(times)))


class Clock(NamedTuple):
    """How users say when time steps were: by a column, the index, or a rate.

    Attributes
    ----------
    time : str or None
        The column of tables with the times.
    rate : float, mapping of str to float, or None
        Time steps in a second, of all streams or by their names.
    """

    time: Any
    rate: Any

    def rate_of(self, name: str) -> float | None:
        """Return the rate of a stream, None if it was not given."""
        rate = self.rate
        if isinstance(rate, Mapping):
            rate = rate.get(name)
        return None if rate is None else check_positive(rate, "rate")


def check_positive(value: Any, name: str, expected: str = "a positive number") -> float:
    """Refuse anything but a finite positive number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} is {shown(value)}; expected {expected}.")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} is {shown(value)}; expected {expected}.")
    return float(value)


def check_not_negative(value: Any, name: str, expected: str, most: float = math.inf) -> float:
    """Refuse anything but a finite number from 0 to `most`."""
    if not isinstance(value, bool) and isinstance(value, Real) and value == 0:
        return 0.0
    number = check_positive(value, name, expected)
    if number > most:
        raise ValueError(f"{name} is {shown(value)}; expected {expected}.")
    return number


def read_recording(
    recording: Any, modalities: Mapping[str, Any] | None, clock: Clock, called: str
) -> dict[str, Stream]:
    """Read all streams of a recording.

    Parameters
    ----------
    recording : DataFrame, or mapping of str to DataFrame, Series or ndarray
    modalities : mapping of str to columns, or None
        Of a DataFrame.
    clock : Clock
    called : str
        The recording's name in messages.

    Returns
    -------
    dict of str to Stream

    Raises
    ------
    ValueError, TypeError
        If it is none, or has no times.
    """
    recording = as_plain(recording, called)
    if is_table(recording):
        if modalities is None:
            raise ValueError(
                f"{called} is a table of the columns {list(recording.columns)} and modalities is "
                'None; expected which columns are which, as in {"accel": ["ax", "ay", "az"]}.'
            )
        if not isinstance(modalities, Mapping) or not modalities:
            raise TypeError(f"modalities is {shown(modalities)}; expected names and columns.")
        tables = {}
        for name, columns in modalities.items():
            chosen = resolve_columns(recording, columns, str(name))
            tables[name] = select_columns(recording, chosen, str(name))
        times = {name: table_times(recording, clock, name, called) for name in tables}
        streams = {name: _with_times(tables[name], times[name], name) for name in tables}
    elif isinstance(recording, Mapping) and recording:
        if modalities is not None:
            raise ValueError(
                f"modalities is given and {called} is a mapping, whose keys are the modalities; "
                "expected one of these."
            )
        streams = {name: _read_stream(one, clock, name) for name, one in recording.items()}
    else:
        empty = isinstance(recording, Mapping)
        what = "an empty mapping" if empty else f"a {type(recording).__name__}"
        raise TypeError(
            f"{called} is {what}; expected a table whose rows are time "
            "steps, or a mapping of modalities to tables or arrays (n_channels, n_steps)."
        )
    for name in streams:
        if not isinstance(name, str):
            raise TypeError(f"{called} has the modality {shown(name)}; expected strings.")
    if isinstance(clock.rate, Mapping):
        unknown = [name for name in clock.rate if name not in streams]
        if unknown:
            raise ValueError(
                f"rate names {shown(unknown)}; expected modalities of {called}: {list(streams)}."
            )
    return streams


def table_times(table: Any, clock: Clock, name: str, called: str) -> tuple[Floats, float]:
    """Return the times of the rows of a table, and how many there are in a second."""
    rate = clock.rate_of(name)
    if clock.time is not None:
        if clock.time not in list(table.columns):
            raise ValueError(
                f"time is {shown(clock.time)}; expected one of the columns of {called}: "
                f"{list(table.columns)}."
            )
        return _read_times(table[clock.time], rate, name)
    index = np.asarray(getattr(table, "index", np.arange(len(table))))
    if index.dtype.kind in "fmM" or (index.dtype == object and _are_times(index)):
        return _read_times(index, rate, name)
    if rate is None:  # positions, with or without holes, or names
        raise _no_times(name)
    return np.arange(len(table)) / rate, rate


def _are_times(index: NDArray[Any]) -> bool:
    """Return whether objects, as dates with a time zone are, are times."""
    return read_column(index, "index").kind == "time"


def _no_times(name: str) -> ValueError:
    return ValueError(
        f"nothing says when the time steps of {shown(name)} were; expected time, the column that "
        "says it, an index of dates, durations or seconds, or rate, steps in a second."
    )


def as_seconds(column: Any, called: str) -> Floats:
    """Return dates, durations or numbers of seconds in seconds, NaN for what is missing."""
    read = read_column(column, called)
    if read.kind not in ("time", "numeric") and not read.missing.all():
        raise ValueError(
            f"{called} has {shown(read.present[0])}; expected dates, durations or seconds. Texts "
            "are dates after pandas.to_datetime."
        )
    return as_numbers(read) * (_SECONDS_OF_A_DAY if read.kind == "time" else 1.0)


def _read_times(column: Any, rate: float | None, name: str) -> tuple[Floats, float]:
    times = as_seconds(column, f"time of {shown(name)}")
    if np.isnan(times).any():
        raise ValueError(
            f"the time of step {int(np.flatnonzero(np.isnan(times))[0])} of {shown(name)} is "
            "missing; expected all."
        )
    steps = np.diff(times)
    if (steps <= 0).any():
        i = int(np.flatnonzero(steps <= 0)[0]) + 1
        sooner = f"{-steps[i - 1]:.6g} seconds before" if steps[i - 1] < 0 else "at the time of"
        raise ValueError(
            f"time step {i} of {shown(name)} is {sooner} the one before it; expected times that "
            "increase. Several recordings in one table are told apart by groups."
        )
    if rate is None:
        if len(times) < 2:
            raise ValueError(f"{shown(name)} has {len(times)} time steps; expected at least two.")
        rate = 1.0 / _typical(steps, times)
    return times, rate


def _typical(steps: Floats, times: Floats) -> float:
    """Return the median time between two steps, without the rounding of the times.

    Of those that are as long but for rounding it is the mean, in which the rounding cancels: at
    1000 steps in a second of a date, the median is off by 1 in 10,000.
    """
    median = float(np.median(steps))
    alike = np.abs(steps - median) <= float(rounding_of_times(np.abs(times).max()))
    return float(steps[alike].mean()) if alike.any() else median


def _read_stream(data: Any, clock: Clock, name: str) -> Stream:
    data = as_plain(data, f"modality {shown(name)}")
    if hasattr(data, "to_frame"):
        data = data.to_frame()
    if is_table(data):
        times = table_times(data, clock, name, f"modality {shown(name)}")
        others = [column for column in data.columns if column != clock.time]
        return _with_times(data[others], times, name)
    values = np.asarray(data)
    if values.ndim == 1:
        values = values[np.newaxis]
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise TypeError(
            f"modality {shown(name)} is an array of shape {values.shape} and dtype {values.dtype}; "
            "expected numbers (n_channels, n_steps)."
        )
    if values.shape[0] > values.shape[1]:
        raise ValueError(
            f"modality {shown(name)} has {values.shape[0]} channels and {values.shape[1]} time "
            "steps; expected (n_channels, n_steps). One whose time steps come first is X.T."
        )
    rate = clock.rate_of(name)
    if rate is None:
        raise _no_times(name)
    return _checked(values.astype(np.float64), (np.arange(values.shape[1]) / rate, rate), name)


def _with_times(table: Any, times: tuple[Floats, float], name: str) -> Stream:
    values, columns = read_channels(table, shown(name))
    return _checked(values, times, name)._replace(columns=columns)


def _checked(values: Floats, times: tuple[Floats, float], name: str) -> Stream:
    if values.size == 0:
        raise ValueError(
            f"modality {shown(name)} has {values.shape[0]} channels and {values.shape[-1]} time "
            "steps; expected at least one of each."
        )
    if np.isinf(values).any():
        channel, step = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"modality {shown(name)} is infinite in channel {channel} at time step {step}; "
            "expected finite numbers, or NaN where there is none."
        )
    steps = np.diff(times[0])
    own = _typical(steps, times[0]) if len(steps) else 1.0 / times[1]
    if times[1] * own < _LEAST_SHARE:
        raise ValueError(
            f"rate is {times[1]:g} and {shown(name)} has a time step every {own:g} seconds; "
            "expected about as many steps as it has, or what is fast would look slow. synchronise "
            "puts it on a slower clock."
        )
    return Stream(times[0], values, times[1], max(own, 1.0 / times[1]))


def at_instants(stream: Stream, instants: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Interpolate a stream linearly between its values.

    Parameters
    ----------
    stream : Stream
    instants : ndarray of any shape, float64
        In seconds.

    Returns
    -------
    values : ndarray of shape (n_channels, *instants.shape)
        The nearest value before the first and after the last; NaN in a channel without any.
    there : ndarray of shape (n_channels, *instants.shape), dtype=bool
        Whether a value is within three quarters of a time step: it is not where one was lost.
    """
    values = np.full((len(stream.values), *instants.shape), np.nan)
    there = np.zeros(values.shape, dtype=bool)
    for channel, samples in enumerate(stream.values):
        known = ~np.isnan(samples)
        times = stream.times[known]
        if len(times):
            after = np.minimum(np.searchsorted(times, instants), len(times) - 1)
            before = np.maximum(after - 1, 0)
            sooner = np.abs(instants - times[before]) < np.abs(instants - times[after])
            nearest = np.where(sooner, before, after)
            apart = np.abs(instants - times[nearest])
            between = np.interp(instants, times, samples[known])
            exact = apart <= stream.slack
            values[channel] = np.where(exact, samples[known][nearest], between)
            there[channel] = apart <= 0.75 * stream.apart
    return values, there
