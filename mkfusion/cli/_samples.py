"""Samples for compare, audit and fit: read, joined, and checked before any work."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkfusion import Modalities
from mkfusion._types import Indices
from mkfusion.cli._errors import UsageError, listed, note
from mkfusion.cli._files import OWN_IDS, Table, id_names, read_tables, turn_by_samples, use_ids
from mkfusion.cli._kinds import Kind, classify, gaps
from mkfusion.cli._survival import check_events, check_outcome, read_outcome, reserve_event
from mkfusion.cli._tables import (
    CONTAINERS,
    Place,
    check_common,
    ends_in,
    find_column,
    join,
    matching,
    modalities_of_files,
    modalities_of_options,
    stem,
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
    id : str or None
        What names samples, `OWN_IDS` if files do that without a word.
    ids : ndarray of shape (n_samples,) or None
        What it calls them.
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
    id: str | None = None
    ids: NDArray[Any] | None = None

    @property
    def survival(self) -> bool:
        """Whether y is times of events."""
        return self.y.dtype.names is not None

    @property
    def task(self) -> str:
        """One of "classification", "regression" and "survival"."""
        if self.survival:
            return "survival"
        return "classification" if self.classes else "regression"

    @property
    def strata(self) -> NDArray[Any]:
        """By what folds are stratified: classes, or whether there was an event; or numbers."""
        return self.y["event"] if self.survival else self.y


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
    check_outcome(options)
    survival = options.time is not None
    reserved = _reserved(options)
    several = len(paths) > 1 or ends_in(paths[0], CONTAINERS) is not None
    if not several and not options.modality and least > 0:
        raise UsageError("one file needs --modality NAME=COLUMNS, once for each modality")
    tables = [one for path in paths for one in read_tables(path, options.id, options.target)]
    frames = [table.frame for table in tables]
    home = find_column(
        "--time" if survival else "--target",
        options.target,
        [table.path for table in tables],
        frames,
    )
    if survival:
        reserve_event(options, frames, reserved)
    tables = turn_by_samples(tables, home, options.id_regex)
    paths, frames = [table.path for table in tables], [table.frame for table in tables]
    marks = {option: _find_aside(options, option, paths, frames) for option in ("groups", "batch")}
    frames = _without_excluded(options, paths, frames, reserved)
    rows, names, findings, id, ids = _join(options, tables, home)
    if options.modality:
        modalities = modalities_of_options(options.modality, paths, frames, reserved)
    else:
        aside = {f for f, table in enumerate(tables) if table.aside}
        modalities = modalities_of_files(paths, frames, reserved, aside)
        _note_aside(aside, paths, frames, reserved)
        findings += _of_target_file(modalities, paths, home) if len(paths) > 1 else []
    if len(modalities) < max(least, 1):
        there = ", ".join(modalities) or "none"
        raise UsageError(
            f"there {'is one modality' if modalities else 'are no modalities'} ({there}); expected "
            f"{'two or more, to fuse them' if least > 1 else 'one or more'}"
        )

    if survival:
        y = read_outcome(options, paths, frames, rows, home)
    else:
        y = read_target(frames[home][options.target], f"--target {options.target!r}")
    kinds: dict[str, dict[str, Kind]] = {}
    data = {}
    for name, places in modalities.items():
        columns, kinds[name] = _columns(places, paths, frames, rows)
        data[name] = pd.concat(columns, axis=1)
    X = Modalities(data)
    labels = {
        option: _labels_of(options, option, at, paths, frames, rows) for option, at in marks.items()
    }
    subgroups = _subgroups(options, paths, frames, rows)
    kept = _complete(X, options, modalities, paths, rows, names)
    if len(kept) < len(X):
        findings += _of_left_out(X, y, options)
    X, y, names = X[kept], y[kept], [names[i] for i in kept]
    note_gaps(X, kinds)
    labels = {option: None if one is None else one[kept] for option, one in labels.items()}
    _refuse_empty(options, labels, names)
    classes = not survival and is_classification(y, options.task, options.target)
    groups = labels["groups"]
    if hasattr(options, "cv"):  # audit makes no folds
        _check_folds(options, y, groups, classes)
    y = y if classes or survival else y.astype(np.float64)
    subgroups = {name: labels.iloc[kept] for name, labels in subgroups.items()}
    unused = _unused(modalities, frames, rows, kept, reserved)
    return Samples(
        X,
        y,
        groups,
        classes,
        kinds,
        subgroups,
        names,
        labels["batch"],
        unused,
        findings,
        id,
        None if ids is None else np.array(ids, dtype=object)[kept],
    )


def _labels_of(
    options: argparse.Namespace,
    option: str,
    at: int | None,
    paths: Sequence[str],
    frames: list[pd.DataFrame],
    rows: Sequence[Indices],
) -> NDArray[Any] | None:
    """Return the labels of the column of an option, which is in file `at`; None if in none."""
    if at is None:
        return None
    column = getattr(options, option)
    return read_groups(take(frames[at][column], rows[at]), f"--{option} {column!r}", paths[at])


def _refuse_empty(
    options: argparse.Namespace, labels: dict[str, NDArray[Any] | None], names: list[str]
) -> None:
    for option, some in labels.items():
        if some is not None and (empty := some == "").any():
            raise UsageError(
                f"--{option} {getattr(options, option)!r} is empty for {empty.sum()} of "
                f"{len(some)} samples, such as {names[np.flatnonzero(empty)[0]]}"
            )


def _check_folds(
    options: argparse.Namespace, y: NDArray[Any], groups: NDArray[Any] | None, classes: bool
) -> None:
    """Refuse numbers of folds that the samples do not have."""
    if options.time_ordered and groups is not None:
        raise UsageError("--time-ordered and --groups do not go together: choose one")
    if options.time is not None:
        check_events(y, options.cv, options.event)
    else:
        check_folds(y, groups, classes, options.cv, options.time_ordered, options.target)


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
    outcome = "target" if options.time is None else "time"
    for option in (outcome, "groups", "batch", "id"):
        given = getattr(options, option, None)
        if given is None or (option == "batch" and given == options.groups):
            continue
        for column in id_names(given) if option == "id" else [given]:
            if column in reserved:
                raise UsageError(
                    f"column {column!r} is {reserved[column]} and --{option}: choose one"
                )
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
    y = y["event"] if options.time is not None else y
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


def _note_aside(
    aside: Collection[int],
    paths: Sequence[str],
    frames: Sequence[pd.DataFrame],
    reserved: dict[str, str],
) -> None:
    """Say what of a file of several tables is not learned from, and how it would be."""
    for f in sorted(aside):
        columns = [column for column in frames[f].columns if column not in reserved]
        if columns:
            those = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            note(
                f"{paths[f]!r} has {those} not learned from: {listed(columns)}; "
                f"--modality NAME={stem(paths[f])}:COLUMNS takes some"
            )


def _join(
    options: argparse.Namespace, tables: Sequence[Table], home: int
) -> tuple[list[Indices], list[str], list[Finding], str | None, list[str] | None]:
    """Return in which row of each table each sample of the target's table is, -1 where in none.

    What to call the samples in messages is the second, what was lost the third, what names samples
    the fourth, and their ids the last.
    """
    findings: list[Finding] = []
    paths = [table.path for table in tables]
    unnamed = all(table.ids is None for table in tables)  # arrays of one file, row by row
    inside = len(options.data) == 1 and ends_in(options.data[0], CONTAINERS) is not None
    if options.id is None and (len(tables) == 1 and not inside or (inside and unnamed)):
        if tables[home].ids is not None:
            note(f"{paths[home]!r}: 1 column without a name is left out")
        n_rows = len(tables[home].frame)
        numbers = [np.arange(n_rows)] * len(tables)
        return numbers, [f"row {row + 1}" for row in range(n_rows)], findings, None, None
    id = OWN_IDS if options.id is None else options.id
    ids = use_ids(tables, id, options.id_regex)
    label = ids[home].name or "id"
    samples = ids[home].tolist()
    rows = join(paths, ids, samples)
    for f, some in enumerate(ids):
        check_common(label, [paths[home], paths[f]], [ids[home], some])
        extra = some[~some.isin(samples)].tolist()
        if extra:
            what = (
                f"{len(extra)} of the {len(some)} ids of {paths[f]!r} have no target, and are "
                f"left out: {listed(extra)}"
            )
            note(what)
            advice = "See that they are not those of one outcome."
            findings.append(Finding("note", "join", f"{what}.", advice, n=len(extra)))
    return rows, [f"{label} {one!r}" for one in samples], findings, id, samples


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
    numbered = {f: frames[f].reset_index(drop=True) for f in {place.file for place in places}}
    for file, name in places:
        where = f"column {name!r} of {paths[file]!r}"
        column, kinds[name] = classify(numbered[file][name], where)
        columns.append(take(column, rows[file]))
    return columns, kinds


def note_gaps(X: Modalities, kinds: dict[str, dict[str, Kind]]) -> None:
    """Say how many cells kernels of numbers will see filled.

    Parameters
    ----------
    X : Modalities
    kinds : dict of str to dict of str to Kind
        By modality and column.
    """
    for name, present in zip(X.names, X.present().T, strict=True):
        if X[name] is None or {kind.name for kind in kinds[name].values()} != {"number"}:
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
    each = [(name, int(n)) for name, n in zip(X.names, (~present).sum(axis=0), strict=True) if n]
    of_each = ", ".join(f"{name!r} {n}" for name, n in each)
    lacking = f"{int((~complete).sum())} of {len(X)} samples lack a modality ({of_each})"
    if options.missing == "drop":
        if not complete.any():
            raise UsageError("--missing drop leaves no sample: none has all modalities")
        note(f"{lacking} and are left out")
        return np.flatnonzero(complete)
    if options.missing == "keep":
        nothing = np.flatnonzero(~present.any(axis=1))
        if len(nothing):
            raise UsageError(
                f"{len(nothing)} of {len(X)} samples have no modality at all, such as "
                f"{names[nothing[0]]}; expected at least one"
            )
        note(f"{lacking} and are kept")
        return np.arange(len(X))
    m = int(np.flatnonzero(~present.all(axis=0))[0])
    name = X.names[m]
    without = np.flatnonzero(~present[:, m])
    files = sorted({place.file for place in modalities[name]})
    absent = [f for f in files if (rows[f][without] < 0).any()]
    where = f" (not in {paths[absent[0]]!r})" if absent else " (all its cells are empty)"
    raise UsageError(
        f"{len(without)} of {len(X)} samples lack the modality {name!r}{where}, such as "
        f"{names[without[0]]}; --missing drop leaves out samples that lack one, "
        "--missing keep compares them by what they have"
    )
