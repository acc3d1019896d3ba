"""Samples for compare, audit and fit: read, joined, and checked before any work."""

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
    matching,
    modalities_of_files,
    modalities_of_options,
    read_ids,
    read_table,
    take,
)
from mkfusion.cli._target import check_folds, is_classification, read_groups, read_target
from mkfusion.inspection import Finding, audit


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
    names : list of n_samples str
        What to call the samples.
    batch : ndarray of shape (n_samples,) or None
    unused : dict of str to ndarray of shape (n_samples,)
        Columns that are neither learned from nor anything else.
    findings : list of Finding
        What is known of the data from how they were joined.
    """

    X: Modalities
    y: NDArray[Any]
    groups: NDArray[Any] | None
    classes: bool
    kinds: dict[str, dict[str, Kind]]
    subgroups: dict[str, pd.Series]
    names: list[str]
    batch: NDArray[Any] | None
    unused: dict[str, NDArray[Any]]
    findings: list[Finding]


def load_samples(options: argparse.Namespace, least: int) -> Samples:
    """Read the files, join them, and check what can be known before the work.

    Parameters
    ----------
    options : argparse.Namespace
    least : int
        How many modalities there must be; 0 is one, which may be a whole file.

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
    if len(paths) == 1 and not options.modality and least > 0:
        raise UsageError("one file needs --modality NAME=COLUMNS, once for each modality")
    frames = [read_table(path, [options.id]) for path in paths]
    home = find_column("--target", options.target, paths, frames)
    aside = {option: _find_aside(options, option, paths, frames) for option in ("groups", "batch")}
    frames = _without_excluded(options, paths, frames, reserved)
    rows, names, findings = _join(options, paths, frames, home)
    if options.modality:
        modalities = modalities_of_options(options.modality, paths, frames, reserved)
    else:
        modalities = modalities_of_files(paths, frames, reserved)
        findings += _of_target_file(modalities, paths, home) if len(paths) > 1 else []
    if len(modalities) < max(least, 1):
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
    labels: dict[str, NDArray[Any] | None] = dict.fromkeys(aside)
    for option, at in aside.items():
        if at is not None:
            column = getattr(options, option)
            where = f"--{option} {column!r}"
            labels[option] = read_groups(take(frames[at][column], rows[at]), where, paths[at])
    subgroups = _subgroups(options, paths, frames, rows)
    kept = _complete(X, options, modalities, paths, rows, names)
    if len(kept) < len(X):
        findings += _of_left_out(X, y, options)
    X, y, names = X[kept], y[kept], [names[i] for i in kept]
    _note_gaps(X, kinds)
    for option, some in labels.items():
        labels[option] = some = None if some is None else some[kept]
        if some is not None and (empty := some == "").any():
            raise UsageError(
                f"--{option} {getattr(options, option)!r} is empty for {empty.sum()} of "
                f"{len(some)} samples, such as {names[np.flatnonzero(empty)[0]]}"
            )
    classes = is_classification(y, options.task, options.target)
    groups = labels["groups"]
    if hasattr(options, "cv"):  # audit makes no folds
        if options.time_ordered and groups is not None:
            raise UsageError("--time-ordered and --groups do not go together: choose one")
        check_folds(y, groups, classes, options.cv, options.time_ordered, options.target)
    y = y if classes else y.astype(np.float64)
    subgroups = {name: labels.iloc[kept] for name, labels in subgroups.items()}
    unused = _unused(modalities, frames, rows, kept, reserved)
    return Samples(
        X, y, groups, classes, kinds, subgroups, names, labels["batch"], unused, findings
    )


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
    for option in ("target", "groups", "batch", "id"):
        column = getattr(options, option, None)
        if column is None or (option == "batch" and column == options.groups):
            continue
        if column in reserved:
            raise UsageError(f"column {column!r} is {reserved[column]} and --{option}: choose one")
        reserved[column] = f"--{option}"
    return reserved


def _find_aside(
    options: argparse.Namespace, option: str, paths: Sequence[str], frames: list[pd.DataFrame]
) -> int | None:
    """Return in which file a column is that is not learned from, None if none was asked for."""
    column = getattr(options, option, None)
    return None if column is None else find_column(f"--{option}", column, paths, frames)


def _without_excluded(
    options: argparse.Namespace,
    paths: Sequence[str],
    frames: list[pd.DataFrame],
    reserved: dict[str, str],
) -> list[pd.DataFrame]:
    """Return the files without the columns that are not to be learned from."""
    asked = {piece for _, pieces in options.modality for piece in pieces}
    excluded: set[str] = set()
    for piece in options.exclude:
        if piece in reserved:
            raise UsageError(f"--exclude takes column {piece!r}, which is {reserved[piece]}")
        if piece in asked:
            raise UsageError(f"column {piece!r} is in --exclude and --modality: choose one")
        found = matching("--exclude", piece, paths, frames)
        excluded.update(place.column for place in found)
    excluded -= reserved.keys()
    return [frame.drop(columns=[c for c in frame if c in excluded]) for frame in frames]


def _of_target_file(
    modalities: dict[str, list[Place]], paths: Sequence[str], home: int
) -> list[Finding]:
    """Tell of what was learned from although nobody named it: what stands beside the target."""
    for name, places in modalities.items():
        if places[0].file == home:
            columns = [place.column for place in places]
            several = f"{len(columns)} columns" if len(columns) > 1 else "1 column"
            return [
                Finding(
                    "note",
                    "target's file",
                    f"{several} of the target's file {paths[home]!r} "
                    f"{'are' if len(columns) > 1 else 'is'} the modality {name!r}: "
                    f"{listed(columns)}.",
                    "Leave out by --exclude what is not known before the target is.",
                    name,
                    len(columns),
                    tuple(columns[:3]),
                )
            ]
    return []


def _of_left_out(X: Modalities, y: NDArray[Any], options: argparse.Namespace) -> list[Finding]:
    """Tell whether samples that --missing drop leaves out differ in the target."""
    if len(np.unique(y)) < 2:
        return []
    task = "classification" if is_classification(y, options.task, options.target) else "regression"
    found = audit(X, y, task=task).findings
    return [one for one in found if one.check == "missing" and one.level != "note"]


def _unused(
    modalities: dict[str, list[Place]],
    frames: list[pd.DataFrame],
    rows: Sequence[Indices],
    kept: Indices,
    reserved: dict[str, str],
) -> dict[str, NDArray[Any]]:
    """Return the columns that are for nothing, by their names."""
    used = {place for places in modalities.values() for place in places}
    return {
        column: np.asarray(take(frame[column], rows[f]), dtype=object)[kept]
        for f, frame in enumerate(frames)
        for column in frame.columns
        if column not in reserved and Place(f, column) not in used
    }


def _join(
    options: argparse.Namespace, paths: Sequence[str], frames: list[pd.DataFrame], home: int
) -> tuple[list[Indices], list[str], list[Finding]]:
    """Return in which row of each file each sample of the target's file is, -1 where in none.

    What to call the samples in messages is the second, and what was lost the third.
    """
    findings: list[Finding] = []
    if options.id is None:
        n_rows = len(frames[0])
        return [np.arange(n_rows)], [f"row {row + 1}" for row in range(n_rows)], findings
    for path, frame in zip(paths, frames, strict=True):
        find_column("--id", options.id, [path], [frame])
    ids = [read_ids(path, frame[options.id]) for path, frame in zip(paths, frames, strict=True)]
    samples = ids[home].tolist()
    rows = join(paths, ids, samples)
    for f, some in enumerate(ids):
        check_common(options.id, [paths[home], paths[f]], [ids[home], some])
        extra = some[~some.isin(samples)].tolist()
        if extra:
            what = (
                f"{len(extra)} of the {len(some)} ids of {paths[f]!r} have no target, and are "
                f"left out: {listed(extra)}"
            )
            note(what)
            advice = "See that they are not those of one outcome."
            findings.append(Finding("note", "join", f"{what}.", advice, n=len(extra)))
    return rows, [f"{options.id} {one!r}" for one in samples], findings


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
