"""Files that users name: tables that are read, and joined by their ids.

Joins are those of pandas (``merge(validate=...)``, which refuses an id that a file has twice, and
``reindex``); what stands here is how ids are written and what is said of those that are lost.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from mkfusion._types import Indices
from mkfusion.cli._delimited import DELIMITED, check_names, is_nameless, read_delimited
from mkfusion.cli._errors import UsageError, close_names, listed, need

PARQUET = (".parquet", ".pq")
# Files that hold several tables, as `_containers` opens them; one is called FILE:TABLE.
CONTAINERS = (".h5ad", ".h5mu", ".fif", ".fif.gz", ".nc", ".mat", ".npz")
_OF_CONTAINER = re.compile(rf".*(?:{'|'.join(map(re.escape, CONTAINERS))}):(.+)", re.S)
_WILD = "*?["
_WHOLE = r"([+-]?(?:0|[1-9]\d*))\.0*"  # 7.0, which other programs write for 7


# -------------------------------------------------------------------------------------- reading


def stem(path: str) -> str:
    """Return a table's name: "accel" of ``data/accel.csv.gz``, "rna" of ``data/cells.h5mu:rna``."""
    inside = _OF_CONTAINER.fullmatch(path)
    return inside[1] if inside else Path(_uncompressed(path)).stem


def file_of(path: str) -> str:
    """Return the file that a table is in."""
    inside = _OF_CONTAINER.fullmatch(path)
    return path[: inside.start(1) - 1] if inside else path


def ends_in(path: str, endings: Collection[str]) -> str | None:
    """Return which of some endings a path has, in small letters and from the longest."""
    found = [one for one in sorted(endings, key=len) if path.lower().endswith(one)]
    return found[-1] if found else None


def read_table(
    path: str, as_text: Collection[str] = (), as_values: Collection[str] | None = None
) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : str
    as_text : collection of str, default=()
        Columns of a CSV file that stay as they are written, whatever that is.
    as_values : collection of str or None, default=None
        Columns of a CSV file that hold no texts, where what all columns hold is known. Otherwise
        it is what is written there: 007 is a text, and NA a gap if all others are no texts.

    Returns
    -------
    pandas.DataFrame
        At least one row, and columns of different names that are strings. The first is called ""
        where it has no name, as the index of pandas has none in a file.

    Raises
    ------
    UsageError
        If there is no such file, or it is no such table.
    """
    if Path(path).is_dir():
        if any(Path(path).rglob(f"*{ending}") for ending in PARQUET):
            raise UsageError(
                f"{path!r} is a folder of Parquet files; expected one file, as "
                f"pandas.read_parquet({path!r}).to_parquet('{Path(path).name}.parquet') writes it"
            )
        raise UsageError(f"{path!r} is a folder; expected a file")
    suffix = Path(_uncompressed(path)).suffix.lower()
    if suffix not in (*DELIMITED, *PARQUET):
        kinds = ", ".join((*DELIMITED, ".csv.gz", *PARQUET, *CONTAINERS))
        raise UsageError(
            f"{path!r} ends in {suffix!r}; expected a file that ends in one of {kinds}"
        )
    try:
        if suffix in PARQUET:
            need("reading Parquet", "pyarrow")
            frame = _read_parquet(path)
        else:
            frame = read_delimited(path, suffix, as_text, as_values)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path!r}") from error
    except PermissionError as error:
        raise UsageError(f"{path!r} cannot be read: permission denied") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path!r} cannot be read: {error}") from error
    if not len(frame):
        raise UsageError(f"{path!r} has a header, but no rows")
    return frame


def _uncompressed(path: str) -> str:
    return path[:-3] if path.lower().endswith(".gz") else path


def _read_parquet(path: str) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, NotImplementedError) as error:  # and so are those of Arrow
        raise UsageError(f"{path!r} is no Parquet file: {error}") from error
    nameless = frame.index.nlevels == 1 and frame.index.name is None
    if not nameless or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names="" if nameless else None)
    names = [str(name).strip() for name in frame.columns]
    names = ["" if is_nameless(names[0]) else names[0], *names[1:]] if names else names
    check_names(path, names)
    for k, dtype in enumerate(frame.dtypes):
        if types.is_string_dtype(dtype):  # objects as well
            cells = frame.iloc[:, k].astype(object)
            empty = np.array([isinstance(one, str) and not one for one in cells], dtype=bool)
            if empty.any():  # gaps, as they are in a CSV file
                frame.isetitem(k, cells.mask(empty, None))
    return frame.reset_index(drop=True).set_axis(names, axis=1)


# -------------------------------------------------------------------------------------- joining


def read_ids(path: str, column: pd.Series) -> pd.Series:
    """Return the ids of a file's rows: what is written, and 7 for 7.0.

    Parameters
    ----------
    path : str
    column : Series

    Returns
    -------
    Series of n_rows str

    Raises
    ------
    UsageError
        If an id is empty.
    """
    empty = np.flatnonzero(column.isna())
    if len(empty):
        raise UsageError(
            f"{_where(column, path)} is empty in {len(empty)} of {len(column)} rows, "
            f"such as row {empty[0] + 1}"
        )
    written = pd.Series([str(value).strip() for value in column], name=column.name, dtype=object)
    return written.str.replace(f"^{_WHOLE}$", r"\1", regex=True)


def _where(ids: pd.Series, path: str) -> str:
    what = f"--id {ids.name!r}" if ids.name else "the nameless first column"
    return f"{what} of {path!r}"


def join(paths: Sequence[str], ids: Sequence[pd.Series], samples: Sequence[str]) -> list[Indices]:
    """Return in which row of each file each sample is, -1 where in none.

    Parameters
    ----------
    paths : sequence of n_files str
    ids : sequence of n_files Series of str
    samples : sequence of n_samples str
        Their ids.

    Returns
    -------
    list of n_files ndarray of shape (n_samples,)

    Raises
    ------
    UsageError
        If a file has an id twice.
    """
    wanted = pd.DataFrame({"id": pd.Series(samples, dtype=object)})
    rows = []
    for path, some in zip(paths, ids, strict=True):
        there = pd.DataFrame({"id": some, "row": np.arange(len(some))})
        try:
            found = wanted.merge(there, how="left", on="id", validate="many_to_one")
        except pd.errors.MergeError as error:
            repeated = some[some.duplicated(keep=False)].unique().tolist()
            way_out = "; a column that names the rows' subjects is for --groups"
            raise UsageError(
                f"{_where(some, path)} names {len(repeated)} samples more than once: "
                f"{listed(repeated)}{'' if len(paths) > 1 else way_out}"
            ) from error
        rows.append(found["row"].fillna(-1).to_numpy(np.intp))
    return rows


def take(column: pd.Series, rows: Indices) -> pd.Series:
    """Return the cells in some rows, empty for those of -1.

    Parameters
    ----------
    column : Series
        With the rows' numbers as its index.
    rows : ndarray of shape (n_samples,)

    Returns
    -------
    Series
    """
    if rows.min(initial=0) >= 0:
        return pd.Series(column.array.take(rows), name=column.name, dtype=column.dtype)
    taken = column.reindex(rows).reset_index(drop=True)
    if taken.dtype == object:
        taken[rows < 0] = None
    return taken


def check_common(column: Any, paths: Sequence[str], ids: Sequence[pd.Series]) -> None:
    """Refuse files that have no id in common, or have some that differ in leading zeros only.

    Parameters
    ----------
    column : str
    paths : sequence of two str
    ids : sequence of two Series of str

    Raises
    ------
    UsageError
        If none is in both, or 7 is in one where 007 is in the other.
    """
    check_zeros(column, paths, ids)
    if ids[0].isin(ids[1]).any():
        return
    shown = []
    for path, some in zip(paths, ids, strict=True):
        numbers = some.str.fullmatch(r"[+-]?\d+(\.\d*)?").all()
        example = some.iloc[0] if numbers else repr(some.iloc[0])
        shown.append(f"{path!r} has {'numbers' if numbers else 'texts'} such as {example}")
    hint = likeness(ids[1], ids[0])
    raise UsageError(f"--id {column!r}: no id is in both files; {', '.join(shown)}{hint}")


def likeness(ids: Iterable[str], others: Iterable[str]) -> str:
    """Return how ids that are not the same may be meant to be, for the end of a message.

    Parameters
    ----------
    ids, others : iterable of str

    Returns
    -------
    str
        That some differ in case or punctuation only, or that some begin with others, which
        `--id-regex` cuts out; empty where neither is so.
    """
    ids, others = list(ids), list(others)
    plain = {_plain(other): other for other in others}
    for one in ids:
        if _plain(one) and (other := plain.get(_plain(one))) is not None:
            return (
                f"; {one!r} and {other!r} differ in case or punctuation only: write them alike in "
                "both"
            )
    for some, known in ((ids, set(others)), (others, set(ids))):
        for one in some:
            ends = (k for k in range(len(one) - 1, 0, -1) if not one[k].isalnum())
            start = next((one[:k] for k in ends if one[:k] in known), None)
            if start is not None:
                n = len(start)
                such = f", such as '^.{{{n}}}', the first {n} characters"
                alike = all(len(other) == n for other in known)
                return (
                    f"; {one!r} begins with {start!r}: --id-regex says what of an id counts"
                    f"{such if alike else ''}"
                )
    return ""


def _plain(one: str) -> str:
    return re.sub(r"[\W_]+", "", one).casefold()


def check_zeros(column: Any, paths: Sequence[str], ids: Sequence[pd.Series]) -> None:
    """Refuse two files of which one has 7 where the other has 007: one sample would be two.

    Parameters
    ----------
    column : str
    paths : sequence of two str
    ids : sequence of two Series of str

    Raises
    ------
    UsageError
        If any id of one is in the other but for leading zeros.
    """
    # An id that is in both files as it is has found its own.
    alone = [some[~some.isin(other)] for some, other in zip(ids, ids[::-1], strict=True)]
    values = [some.str.replace(r"^0+(?=\d+$)", "", regex=True) for some in alone]
    alike = values[0].isin(values[1])
    if alike.any():
        one = alone[0][alike].iloc[0]
        other = alone[1][values[1] == values[0][alike].iloc[0]].iloc[0]
        raise UsageError(
            f"--id {column!r}: {alike.sum()} ids of {paths[0]!r} such as {one!r} are those of "
            f"{paths[1]!r} such as {other!r} but for leading zeros; write them alike in both"
        )


# ---------------------------------------------------------------------- columns and modalities


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
    paths: Sequence[str],
    frames: Sequence[pd.DataFrame],
    reserved: dict[str, str],
    aside: Collection[int] = (),
) -> dict[str, list[Place]]:
    """Take every file for a modality that is named after it.

    Parameters
    ----------
    paths : sequence of n_files str
    frames : sequence of n_files DataFrame
    reserved : dict of str to str
        Columns that are something else, and the options that say so.
    aside : collection of int, default=()
        Which are not learned from without a word.

    Returns
    -------
    dict of str to list of Place

    Raises
    ------
    UsageError
        If two files have the same name.
    """
    names = [stem(path) for path in paths]
    learned = [f for f in range(len(paths)) if f not in aside]
    repeated = [name for name, count in Counter(names[f] for f in learned).items() if count > 1]
    if repeated:
        raise UsageError(
            f"several files have the name {repeated[0]!r}, which would be a modality's: name the "
            "modalities by --modality NAME=COLUMNS"
        )
    made = {}
    for f in learned:
        places = [Place(f, column) for column in frames[f].columns if column not in reserved]
        if places:
            made[names[f]] = places
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
        A piece is a column's name, or a shell pattern, or either after a table's name and a colon.
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
        option = f"--modality {name!r}"
        found = [place for piece in pieces for place in matching(option, piece, paths, frames)]
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


def matching(
    option: str, piece: str, paths: Sequence[str], frames: Sequence[pd.DataFrame]
) -> list[Place]:
    """Return the columns of a name, or else of a pattern.

    Parameters
    ----------
    option : str
        That asks for them, for messages.
    piece : str
        A column's name, or a shell pattern, or either after a table's name and a colon.
    paths : sequence of n_files str
    frames : sequence of n_files DataFrame

    Returns
    -------
    list of Place

    Raises
    ------
    UsageError
        If there is none.
    """
    places = [Place(f, column) for f, frame in enumerate(frames) for column in frame.columns]
    found = [place for place in places if place.column == piece]
    table, colon, rest = piece.partition(":")
    inside = {f for f, path in enumerate(paths) if stem(path) == table}
    if not found and colon and inside:
        piece, places = rest, [place for place in places if place.file in inside]
        found = [place for place in places if place.column == piece]
    if not found and any(sign in piece for sign in _WILD):
        found = [place for place in places if fnmatchcase(place.column, piece)]
        if not found:
            names = [place.column for place in places]
            raise UsageError(
                f"{option}: no column of {listed(paths)} matches {piece!r}; there are "
                f"{listed(names, 12)}"
            )
    if not found:
        raise UsageError(f"{option}: {piece!r} is no column of {_no_column(piece, paths, frames)}")
    return found


def _no_column(name: str, paths: Sequence[str], frames: Sequence[pd.DataFrame]) -> str:
    columns = [column for frame in frames for column in frame.columns]
    return f"{listed(paths)}; {close_names(name, dict.fromkeys(columns))}"
