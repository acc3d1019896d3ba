"""Times of events for compare, audit and fit: what --time and --event name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._survival import SURVIVAL_METRICS
from mkfusion._types import Indices, Mask
from mkfusion.cli._errors import UsageError, close_names
from mkfusion.cli._tables import find_column, take
from mkfusion.cli._target import read_target
from mkfusion.data import Survival, checked_survival


def check_outcome(options: argparse.Namespace) -> None:
    """See that there is a target, or a time and an event; the time is what tells of samples then.

    Parameters
    ----------
    options : argparse.Namespace
        Its `target` is set to the time.

    Raises
    ------
    UsageError
        If there are both, or neither.
    """
    given = {name: getattr(options, name) for name in ("target", "time", "event")}
    there = [f"--{name}" for name, value in given.items() if value is not None]
    if there not in (["--target"], ["--time", "--event"]):
        came = " and ".join(there) or "neither"
        raise UsageError(f"expected --target, or --time and --event; got {came}")
    if options.target is None:
        if options.task != "auto":
            raise UsageError(f"--task {options.task} is of --target, and there is --time")
        options.target = options.time


def event_column(options: argparse.Namespace, frames: Sequence[pd.DataFrame]) -> tuple[str, Any]:
    """Return the column of --event, and the value that means an event, None if it says so itself.

    Parameters
    ----------
    options : argparse.Namespace
    frames : sequence of DataFrame
        A column whose name has an equals sign is taken as it is.
    """
    name, equals, value = options.event.rpartition("=")
    if not equals or any(options.event in frame.columns for frame in frames):
        return options.event, None
    return name, value


def reserve_event(
    options: argparse.Namespace, frames: Sequence[pd.DataFrame], reserved: dict[str, str]
) -> None:
    """Add the column of --event to those that are no modality's.

    Parameters
    ----------
    options : argparse.Namespace
    frames : sequence of DataFrame
    reserved : dict of str to str
        Options by columns; modified in place.

    Raises
    ------
    UsageError
        If it is another one of them.
    """
    column, _ = event_column(options, frames)
    if column in reserved:
        raise UsageError(f"column {column!r} is {reserved[column]} and --event: choose one")
    reserved[column] = "--event"


def read_outcome(
    options: argparse.Namespace,
    paths: Sequence[str],
    frames: list[pd.DataFrame],
    rows: Sequence[Indices],
    home: int,
) -> NDArray[Any]:
    """Return times and events as a structured array (n_samples,).

    Parameters
    ----------
    options : argparse.Namespace
    paths, frames : sequences
        Files, and what is in them.
    rows : sequence of ndarray of shape (n_samples,)
        In which row of each each sample is.
    home : int
        Where the time is.

    Raises
    ------
    UsageError
        If cells are empty, times are no numbers or negative, or there are no events.
    """
    where = f"--time {options.time!r}"
    time = read_target(frames[home][options.time], where)
    if time.dtype.kind not in "iuf":
        raise UsageError(f"{where} holds {shown(time[0])}; expected numbers")
    odd = np.flatnonzero(~(np.isfinite(time) & (time >= 0)))
    if len(odd):
        raise UsageError(
            f"{where} is {time[odd[0]]:g} in row {odd[0] + 1} (counted from 1 below the header); "
            "expected finite times from 0 on"
        )
    column, value = event_column(options, frames)
    f = find_column("--event", column, paths, frames)
    of_event = f"--event {options.event!r}"
    cells = read_target(take(frames[f][column], rows[f]), of_event)
    found = Survival(time.astype(np.float64), _events(cells, value, of_event))
    try:
        return checked_survival(found, where, of_event).structured
    except ValueError as error:
        raise UsageError(str(error)) from error


def _events(cells: NDArray[Any], value: str | None, where: str) -> Mask:
    """Return which samples had an event."""
    if value is not None:
        names = np.array([f"{one:g}" if cells.dtype.kind == "f" else str(one) for one in cells])
        if value not in names:
            raise UsageError(
                f"{where}: no cell holds {value!r}; {close_names(value, sorted(set(names)))}"
            )
        return names == value
    if cells.dtype.kind == "b":
        return cells
    odd = [one for one in np.unique(cells).tolist() if one not in (0, 1)]
    if odd:
        raise UsageError(
            f"{where} holds {shown(odd[0])}; expected 1 (an event) and 0 (censored), true and "
            "false, or --event COLUMN=VALUE with the value of an event"
        )
    return cells == 1


def check_events(y: NDArray[Any], cv: int | None, event: str) -> None:
    """Refuse samples of whom too few had an event to train, tune and test.

    Parameters
    ----------
    y : structured array of shape (n_samples,)
    cv : int or None
        Number of folds, if one was asked for.
    event : str
        Its option's value.

    Raises
    ------
    UsageError
    """
    n_events, least = int(y["event"].sum()), 2 * cv if cv else 6
    if n_events < least:
        raise UsageError(
            f"--event {event!r} says that {n_events} of {len(y)} samples had an event; expected at "
            f"least {least}"
        )


def check_survival_metrics(asked: Sequence[str]) -> list[str]:
    """Return the metrics to score by.

    Parameters
    ----------
    asked : sequence of str

    Raises
    ------
    UsageError
        If one is no metric of survival.
    """
    for name in asked:
        if name not in SURVIVAL_METRICS:
            raise UsageError(
                f"--metric {name!r} is no metric of times of events; expected one of "
                f"{', '.join(SURVIVAL_METRICS)}"
            )
    return list(dict.fromkeys(asked))
