"""One signal: the channels of a sensor over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data._containers import as_plain
from mkfusion.data._kinds import as_numbers, read_columns


def is_table(data: Any) -> bool:
    """Return whether data have rows and columns with names."""
    return hasattr(data, "columns") and not isinstance(data, Mapping)


def read_channels(table: Any, name: str) -> tuple[Floats, list[str]]:
    """Return the columns of a table whose rows are time steps, as channels.

    Parameters
    ----------
    table : DataFrame or Series
    name : str
        For messages.

    Returns
    -------
    values : ndarray of shape (n_channels, n_steps), float64
        NaN where a cell is missing.
    names : list of n_channels str

    Raises
    ------
    ValueError
        If a column is not of numbers.
    """
    columns = read_columns(table.to_frame() if hasattr(table, "to_frame") else table)
    for column in columns:
        if column.kind != "numeric":
            raise ValueError(
                f"column {shown(column.name)} of {name} is {column.kind}; expected numbers. "
                "Choose columns of numbers, or code what is no number."
            )
    values = np.array([as_numbers(column) for column in columns])
    return values, [str(column.name) for column in columns]


def read_signal(signal: Any, name: str) -> Floats:
    """Return a signal as an array (n_channels, n_steps), of one channel if it has one dimension.

    Parameters
    ----------
    signal : array-like of shape (n_channels, n_steps) or (n_steps,), DataFrame of shape \
            (n_steps, n_channels), or Series
        The rows of a table are time steps, as everywhere.
    name : str
        For messages.

    Returns
    -------
    ndarray of shape (n_channels, n_steps), float64

    Raises
    ------
    ValueError, TypeError
        If it is not, or a number is missing or infinite.
    """
    return _read(signal, name)[0]


def read_two_signals(x: Any, z: Any, n_channels: int | None = None) -> tuple[Floats, Floats]:
    """Return two signals of the same channels, whose squared differences can be summed.

    Parameters
    ----------
    x, z : as `read_signal` takes them
        They are called so in messages.
    n_channels : int, default=None
        That were seen in fit; None is any number.

    Returns
    -------
    x : ndarray of shape (n_channels, n_steps_x), float64
    z : ndarray of shape (n_channels, n_steps_z), float64

    Raises
    ------
    ValueError, TypeError
        If one of them is none, they differ in their channels, or numbers are too large.
    """
    (one, names), (other, others) = _read(x, "x"), _read(z, "z")
    for signal, name in ((one, "x"), (other, "z")):
        if n_channels is not None and len(signal) != n_channels:
            raise ValueError(
                f"{name} has {len(signal)} channels; expected {n_channels} as in fit, as an array "
                "(n_channels, n_steps) or a table of one row for each time step."
            )
    if len(one) != len(other):
        raise ValueError(
            f"x has {len(one)} channels and z has {len(other)}; expected the same ones, as arrays "
            "(n_channels, n_steps) or tables of one row for each time step. An array whose time "
            "steps come first is x.T."
        )
    # A single channel is what it is, whatever a table calls it.
    if names and others and len(one) > 1 and names != others:
        raise ValueError(
            f"x has the columns {shown(names)} and z has {shown(others)}; expected the same ones, "
            "in the same order."
        )
    sizes = [np.abs(signal).max() for signal in (one, other)]
    with np.errstate(over="ignore"):
        most = (one.size + other.size) * np.square(2.0 * max(sizes))
    if not np.isfinite(most):
        large = int(np.argmax(sizes))
        raise ValueError(
            f"{'xz'[large]} has a number of size {sizes[large]:.3g}, and squared differences "
            "overflow in double precision; expected smaller ones: standardise the channels, or "
            "change their unit."
        )
    return one, other


def _read(signal: Any, name: str) -> tuple[Floats, list[str] | None]:
    """Return a signal, and the names of the channels of a table."""
    names = None
    values = as_plain(signal, name)
    if is_table(values) or hasattr(values, "to_frame"):
        values, names = read_channels(values, name)
    values = np.asarray(values)
    if values.ndim == 1:
        values = values[np.newaxis]
    if values.dtype.kind not in "fiub" or values.ndim != 2 or values.size == 0:
        raise TypeError(
            f"{name} is an array of shape {values.shape} and dtype {values.dtype}; expected "
            "numbers (n_channels, n_steps) or (n_steps,)."
        )
    if not np.isfinite(values).all():
        channel, step = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{name} is {shown(values[channel, step])} in channel {channel} at step {step}; "
            "expected finite numbers."
        )
    return values.astype(np.float64), names
