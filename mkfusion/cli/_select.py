"""Which columns of which files a modality is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import pandas as pd

from mkfusion.cli._errors import UsageError, close_names, listed
from mkfusion.cli._files import stem

_WILD = "*?["


class Place(NamedTuple):
    """Where a column is.

    Attributes
    ----------
    file : int
    column : str
    """

    file: int
    column: str


def find_column(
    option: str, name: str, paths: Sequence[str], frames: Sequence[pd.DataFrame]
) -> int:
    """Return which file has a column.

    Parameters
    ----------
    option : str
        That asks for it, for messages.
    name : str
    paths : sequence of n_files str
    frames : sequence of n_files DataFrame

    Returns
    -------
    int

    Raises
    ------
    UsageError
        If none has it, or several.
    """
    having = [f for f, frame in enumerate(frames) if name in frame.columns]
    if not having:
        raise UsageError(f"{option} {name!r} is no column of {_no_column(name, paths, frames)}")
    if len(having) > 1:
        raise UsageError(
            f"{option} {name!r} is in {listed([paths[f] for f in having])}; expected it in one file"
        )
    return having[0]


def modalities_of_files(
    paths: Sequence[str], frames: Sequence[pd.DataFrame], reserved: dict[str, str]
) -> dict[str, list[Place]]:
    """Take every file for a modality that is named after it.

    Parameters
    ----------
    paths : sequence of n_files str
    frames : sequence of n_files DataFrame
    reserved : dict of str to str
        Columns that are something else, and the options that say so.

    Returns
    -------
    dict of str to list of Place

    Raises
    ------
    UsageError
        If two files have the same name.
    """
    names = [stem(path) for path in paths]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UsageError(
            f"several files have the name {repeated[0]!r}, which would be a modality's: name the "
            "modalities by --modality NAME=COLUMNS"
        )
    made = {}
    for f, (name, frame) in enumerate(zip(names, frames, strict=True)):
        places = [Place(f, column) for column in frame.columns if column not in reserved]
        if places:
            made[name] = places
    return made


def modalities_of_options(
    asked: Sequence[tuple[str, list[str]]],
    paths: Sequence[str],
    frames: Sequence[pd.DataFrame],
    reserved: dict[str, str],
) -> dict[str, list[Place]]:
    """Find the columns of the modalities that were asked for.

    Parameters
    ----------
    asked : sequence of pairs (name, pieces)
        A piece is a column's name, or a shell pattern.
    paths : sequence of n_files str
    frames : sequence of n_files DataFrame
    reserved : dict of str to str
        Columns that are something else, and the options that say so.

    Returns
    -------
    dict of str to list of Place

    Raises
    ------
    UsageError
        If a piece matches nothing, something reserved, or something that is taken.
    """
    made: dict[str, list[Place]] = {}
    owners: dict[Place, str] = {}
    for name, pieces in asked:
        if name in made:
            raise UsageError(f"--modality {name!r} is given twice")
        found = [place for piece in pieces for place in _match(name, piece, paths, frames)]
        made[name] = list(dict.fromkeys(found))
        for place in made[name]:
            if place.column in reserved:
                raise UsageError(
                    f"--modality {name!r} takes column {place.column!r}, which is "
                    f"{reserved[place.column]}"
                )
            if place in owners:
                raise UsageError(
                    f"column {place.column!r} is in the modalities {owners[place]!r} and {name!r}"
                )
            owners[place] = name
    counts = Counter(place.column for place in owners)
    twice = [column for column, count in counts.items() if count > 1]
    if twice:
        having = [paths[place.file] for place in owners if place.column == twice[0]]
        raise UsageError(
            f"column {twice[0]!r} is in {listed(having)}: rename it in one, or leave out "
            "--modality, and each file is a modality"
        )
    return made


def _match(
    modality: str, piece: str, paths: Sequence[str], frames: Sequence[pd.DataFrame]
) -> list[Place]:
    """Return the columns of a name, or else of a pattern."""
    places = [Place(f, column) for f, frame in enumerate(frames) for column in frame.columns]
    found = [place for place in places if place.column == piece]
    if not found and any(sign in piece for sign in _WILD):
        found = [place for place in places if fnmatchcase(place.column, piece)]
        if not found:
            names = [place.column for place in places]
            raise UsageError(
                f"--modality {modality!r}: no column of {listed(paths)} matches {piece!r}; there "
                f"are {listed(names, 12)}"
            )
    if not found:
        raise UsageError(
            f"--modality {modality!r}: {piece!r} is no column of {_no_column(piece, paths, frames)}"
        )
    return found


def _no_column(name: str, paths: Sequence[str], frames: Sequence[pd.DataFrame]) -> str:
    columns = [column for frame in frames for column in frame.columns]
    return f"{listed(paths)}; {close_names(name, dict.fromkeys(columns))}"
