"""Samples for compare and fit: read, joined, and checked before any work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkfusion import Modalities
from mkfusion._types import Indices
from mkfusion.cli._errors import UsageError, listed, note
from mkfusion.cli._kinds import Kind, classify, gaps
from mkfusion.cli._tables import (
    Place,
    check_common,
    find_column,
    join,
    modalities_of_files,
    modalities_of_options,
    read_ids,
    read_table,
    take,
)
from mkfusion.cli._target import check_folds, is_classification, read_groups, read_target


class Samples(NamedTuple):
    """What there is to learn from.

    Attributes
    ----------
    X : Modalities
        DataFrames.
    y : ndarray of shape (n_samples,)
    groups : ndarray of shape (n_samples,) or None
    classes : bool
        Whether y is class labels.
    kinds : dict of str to dict of str to Kind
        By modality and column.
    subgroups : dict of str to Series
        Labels of the samples, by column.
    """

    X: Modalities
    y: NDArray[Any]
    groups: NDArray[Any] | None
    classes: bool
    kinds: dict[str, dict[str, Kind]]
    subgroups: dict[str, pd.Series]


def load_samples(options: argparse.Namespace, least: int) -> Samples:
    """Read the files, join them, and check what can be known before the work.

    Parameters
    ----------
    options : argparse.Namespace
    least : int
        How many modalities there must be.

    Returns
    -------
    Samples

    Raises
    ------
    UsageError
        If anything about them is not as it should be.
    """
    paths: list[str] = options.data
    reserved = _reserved(options)
    if len(paths) > 1 and options.id is None:
        raise UsageError(f"{len(paths)} files need --id COLUMN, on which they are joined")
    if len(paths) == 1 and not options.modality:
        raise UsageError("one file needs --modality NAME=COLUMNS, once for each modality")
    frames = [read_table(path, [options.id]) for path in paths]
    home = find_column("--target", options.target, paths, frames)
    groups_at = None
    if options.groups is not None:
        groups_at = find_column("--groups", options.groups, paths, frames)
    rows, names = _join(options, paths, frames, home)
    if options.modality:
        modalities = modalities_of_options(options.modality, paths, frames, reserved)
    else:
        modalities = modalities_of_files(paths, frames, reserved)
    if len(modalities) < least:
        there = ", ".join(modalities) or "none"
        raise UsageError(
            f"there {'is one modality' if modalities else 'are no modalities'} ({there}); expected "
            f"{'two or more, to fuse them' if least > 1 else 'one or more'}"
        )

    y = read_target(frames[home][options.target], f"--target {options.target!r}")
    kinds: dict[str, dict[str, Kind]] = {}
    data = {}
    for name, places in modalities.items():
        columns, kinds[name] = _columns(places, paths, frames, rows)
        data[name] = pd.concat(columns, axis=1)
    X = Modalities(data)
    groups = None
    if groups_at is not None:
        where = f"--groups {options.groups!r}"
        groups = read_groups(
            take(frames[groups_at][options.groups], rows[groups_at]), where, paths[groups_at]
        )
    subgroups = _subgroups(options, paths, frames, rows)
    kept = _complete(X, options, modalities, paths, rows, names)
    X, y = X[kept], y[kept]
    _note_gaps(X, kinds)
    groups = None if groups is None else groups[kept]
    if groups is not None and (empty := groups == "").any():
        raise UsageError(
            f"--groups {options.groups!r} is empty for {empty.sum()} of {len(groups)} samples, "
            f"such as {names[kept[np.flatnonzero(empty)[0]]]}"
        )
    classes = is_classification(y, options.task, options.target)
    if options.time_ordered and groups is not None:
        raise UsageError("--time-ordered and --groups do not go together: choose one")
    check_folds(y, groups, classes, options.cv, options.time_ordered, options.target)
    subgroups = {name: labels.iloc[kept] for name, labels in subgroups.items()}
    return Samples(X, y if classes else y.astype(np.float64), groups, classes, kinds, subgroups)


def _subgroups(
    options: argparse.Namespace,
    paths: Sequence[str],
    frames: list[pd.DataFrame],
    rows: Sequence[Indices],
) -> dict[str, pd.Series]:
    """Return the labels of each column of --subgroups, numbers as numbers."""
    found = {}
    for name in getattr(options, "subgroups", None) or []:
        file = find_column("--subgroups", name, paths, frames)
        where = f"--subgroups {name!r}"
        column, _ = classify(frames[file][name].reset_index(drop=True), where)
        found[name] = take(column, rows[file])
    return found


def _reserved(options: argparse.Namespace) -> dict[str, str]:
    """Return the columns that are no modality's."""
    reserved: dict[str, str] = {}
    for option in ("target", "groups", "id"):
        column = getattr(options, option)
        if column is None:
            continue
        if column in reserved:
            raise UsageError(f"column {column!r} is {reserved[column]} and --{option}: choose one")
        reserved[column] = f"--{option}"
    return reserved


def _join(
    options: argparse.Namespace, paths: Sequence[str], frames: list[pd.DataFrame], home: int
) -> tuple[list[Indices], list[str]]:
    """Return in which row of each file each sample of the target's file is, -1 where in none.

    What to call the samples in messages is the second.
    """
    if options.id is None:
        n_rows = len(frames[0])
        return [np.arange(n_rows)], [f"row {row + 1}" for row in range(n_rows)]
    for path, frame in zip(paths, frames, strict=True):
        find_column("--id", options.id, [path], [frame])
    ids = [read_ids(path, frame[options.id]) for path, frame in zip(paths, frames, strict=True)]
    samples = ids[home].tolist()
    rows = join(paths, ids, samples)
    for f, some in enumerate(ids):
        check_common(options.id, [paths[home], paths[f]], [ids[home], some])
        extra = some[~some.isin(samples)].tolist()
        if extra:
            note(
                f"{len(extra)} of the {len(some)} ids of {paths[f]!r} have no target, and are "
                f"left out: {listed(extra)}"
            )
    return rows, [f"{options.id} {one!r}" for one in samples]


def _columns(
    places: list[Place],
    paths: Sequence[str],
    frames: list[pd.DataFrame],
    rows: Sequence[Indices],
) -> tuple[list[pd.Series], dict[str, Kind]]:
    """Return a modality's columns with a row for each sample, and their kinds."""
    empty = [place for place in places if gaps(frames[place.file][place.column]).all()]
    if len(empty) < len(places):
        for file, name in empty:
            note(f"column {name!r} of {paths[file]!r} is empty, and is left out")
        places = [place for place in places if place not in empty]
    columns, kinds = [], {}
    for file, name in places:
        where = f"column {name!r} of {paths[file]!r}"
        column, kinds[name] = classify(frames[file][name].reset_index(drop=True), where)
        columns.append(take(column, rows[file]))
    return columns, kinds


def _note_gaps(X: Modalities, kinds: dict[str, dict[str, Kind]]) -> None:
    """Say how many cells kernels of numbers will see filled."""
    for name, present in zip(X.names, X.present().T, strict=True):
        if {kind.name for kind in kinds[name].values()} != {"number"}:
            continue
        cells = X[name].isna().to_numpy()[present]
        if cells.any():
            note(
                f"modality {name!r}: {cells.sum()} of {cells.size} cells are empty, and are filled "
                "by the mean of their column in training"
            )


def _complete(
    X: Modalities,
    options: argparse.Namespace,
    modalities: dict[str, list[Place]],
    paths: Sequence[str],
    rows: Sequence[Indices],
    names: Sequence[str],
) -> Indices:
    """Return which samples stay, as --missing says about those that lack a modality."""
    present = X.present()
    never = [name for name, some in zip(X.names, present.T, strict=True) if not some.any()]
    if never:
        raise UsageError(f"no sample has the modality {never[0]!r}: all its cells are empty")
    complete = present.all(axis=1)
    if complete.all():
        return np.arange(len(X))
    n_lacking = int((~complete).sum())
    if options.missing == "drop":
        if not complete.any():
            raise UsageError("--missing drop leaves no sample: none has all modalities")
        note(f"{n_lacking} of {len(X)} samples lack a modality and are left out")
        return np.flatnonzero(complete)
    if options.missing == "keep":
        nothing = np.flatnonzero(~present.any(axis=1))
        if len(nothing):
            raise UsageError(
                f"{len(nothing)} of {len(X)} samples have no modality at all, such as "
                f"{names[nothing[0]]}; expected at least one"
            )
        note(f"{n_lacking} of {len(X)} samples lack a modality and are kept")
        return np.arange(len(X))
    m = int(np.flatnonzero(~present.all(axis=0))[0])
    name = X.names[m]
    lacking = np.flatnonzero(~present[:, m])
    files = sorted({place.file for place in modalities[name]})
    absent = [f for f in files if (rows[f][lacking] < 0).any()]
    where = f" (not in {paths[absent[0]]!r})" if absent else " (all its cells are empty)"
    raise UsageError(
        f"{len(lacking)} of {len(X)} samples lack the modality {name!r}{where}, such as "
        f"{names[lacking[0]]}; --missing drop leaves out samples that lack one, "
        "--missing keep compares them by what they have"
    )
