"""What users name on the command line: files of one table or several, and which ids rows have."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import pandas as pd
from pandas.api.types import is_numeric_dtype

from mkfusion.cli._containers import read_container
from mkfusion.cli._delimited import check_names
from mkfusion.cli._errors import UsageError, listed, note
from mkfusion.cli._tables import (
    CONTAINERS,
    ends_in,
    file_of,
    find_column,
    likeness,
    read_ids,
    read_table,
)

# The --id of a model whose files were joined on the ids that they have without a word.
OWN_IDS = ""


class Table(NamedTuple):
    """A table of one of the files.

    Attributes
    ----------
    path : str
        The file's, or what to call a table of a file that has several.
    frame : DataFrame
        The ids are in it, if they are a column that `--id` names.
    ids : Series of n_rows str or None
        What its rows are called; without a name where no column that `--id` names has them.
    aside : bool
        Whether it is not learned from without a word.
    turned : bool
        Whether samples were its columns.
    """

    path: str
    frame: pd.DataFrame
    ids: pd.Series | None
    aside: bool = False
    turned: bool = False


def id_names(id: str | None) -> list[str]:
    """Return the columns that `--id` may mean: one of that name, or those between its commas."""
    if not id:
        return []
    return [id, *(name.strip() for name in id.split(","))] if "," in id else [id]


def read_tables(
    path: str,
    id: str | None,
    target: str,
    as_text: Collection[str] = (),
    as_values: Collection[str] | None = None,
) -> list[Table]:
    """Read the tables of a file.

    Parameters
    ----------
    path : str
    id : str or None
        As `--id` has it.
    target : str
        Name of the target, which tells a container's samples.
    as_text, as_values : collection of str
        As for :func:`mkfusion.cli._tables.read_table`.

    Returns
    -------
    list of Table

    Raises
    ------
    UsageError
        If the file cannot be read.
    """
    names = id_names(id)
    if ends_in(path, CONTAINERS):
        return _tables_of_container(path, names, target)
    frame = read_table(path, [*names, *as_text], as_values)
    nameless = frame.pop("") if "" in frame.columns else None
    column = next((name for name in names if name in frame.columns), None)
    ids = nameless if column is None else read_ids(path, frame[column])
    if nameless is not None and (column is not None or not len(frame.columns)):
        note(f"{path!r}: 1 column without a name is left out")
    return [Table(path, frame, ids)]


def _tables_of_container(path: str, names: Sequence[str], target: str) -> list[Table]:
    parts = read_container(path, names, target)
    columns = [(part, name) for name in names for part in parts if name in part.frame.columns]
    tables = []
    for part in parts:
        ids = None if part.keys is None else pd.Series(part.keys.astype(str), dtype=object)
        if columns:
            home, name = columns[0]
            written = read_ids(path, home.frame[name])
            rows = range(len(written)) if part.keys is None else home.keys.get_indexer(part.keys)
            ids = written.iloc[rows].reset_index(drop=True)
        tables.append(Table(f"{path}:{part.name}", part.frame, ids, part.aside))
    return tables


# ------------------------------------------------------------------------------------------ ids


def use_ids(tables: Sequence[Table], id: str | None, regex: str | None) -> list[pd.Series]:
    """Return the ids on which tables are joined.

    Parameters
    ----------
    tables : sequence of n_tables Table
    id : str or None
        As `--id` has it; `OWN_IDS` if a model was fitted on those that files have without a word.
    regex : str or None
        What of an id counts.

    Returns
    -------
    list of n_tables Series of str

    Raises
    ------
    UsageError
        If a table has none, some are empty, or all are row numbers.
    """
    ids = []
    for table in tables:
        if table.ids is None:
            if id:
                try:
                    find_column("--id", id, [table.path], [table.frame])  # says what there is
                except UsageError as error:
                    raise UsageError(f"{error}{_samples_in_header(table, tables)}") from error
            raise UsageError(
                f"{len(tables)} files need --id COLUMN, on which they are joined; {table.path!r} "
                "has no nameless first column that could be one"
            )
        ids.append(table.ids if table.ids.name else read_ids(table.path, table.ids))
    counted = [not one.name and one.tolist() == list(map(str, range(len(one)))) for one in ids]
    if all(counted) and len({file_of(table.path) for table in tables}) > 1:
        raise UsageError(
            f"the rows of {listed([table.path for table in tables])} have no names but numbers "
            "from 0, which do not tell who is who; expected --id COLUMN"
        )
    own = [table.path for table, some in zip(tables, ids, strict=True) if not some.name]
    plain = [path for path in own if file_of(path) == path]
    turned = {table.path for table in tables if table.turned}
    if named := [path for path in plain if path not in turned]:
        note(f"{listed(named)}: the nameless first column is taken for the ids")
    if id and (inside := [path for path in own if path not in plain]):
        note(f"{listed(inside)}: the names of samples are taken for the ids, as none is {id!r}")
    return ids if regex is None else _matched(ids, tables, regex)


def _matched(ids: Sequence[pd.Series], tables: Sequence[Table], regex: str) -> list[pd.Series]:
    """Return what of the ids an expression finds, and those that it does not as they are."""
    found = [some.map(lambda one: cut_id(one, regex)) for some in ids]
    if all(some.isna().all() for some in found):
        raise UsageError(
            f"--id-regex {regex!r} is in none of the ids, such as {listed(ids[0].tolist())}"
        )
    for table, some, cut in zip(tables, ids, found, strict=True):
        if cut.isna().any():
            others = some[cut.isna()].tolist()
            note(
                f"--id-regex {regex!r} is not in {len(others)} of the {len(some)} ids of "
                f"{table.path!r}, which stay as they are: {listed(others)}"
            )
    used = [cut.fillna(some) for some, cut in zip(ids, found, strict=True)]
    for table, some, one in zip(tables, ids, used, strict=True):
        _refuse_merged(table.path, some, one, regex)
    return used


def _refuse_merged(path: str, ids: pd.Series, cut: pd.Series, regex: str) -> None:
    """Refuse an expression that finds the same in several ids of a table."""
    merged = cut[cut.duplicated(keep=False) & ~ids.duplicated(keep=False)]
    if len(merged):
        one = merged.iloc[0]
        several = ids[merged.index[merged == one]].tolist()
        raise UsageError(
            f"--id-regex {regex!r} finds {one!r} in {len(several)} ids of {path!r}: "
            f"{listed(several)}; keep one of them in the file (of tumour and normal tissue, say), "
            "or give an expression that tells them apart"
        )


def _samples_in_header(table: Table, tables: Sequence[Table]) -> str:
    """Return a hint where the columns of a table seem to be samples of another one."""
    ids = [str(one) for other in tables if other.ids is not None for one in other.ids.dropna()]
    hint = likeness(table.frame.columns, ids)
    return f". Its columns may be samples{hint}" if hint else ""


def cut_id(one: str, regex: str | None) -> str | None:
    """Return what of an id an expression finds: its first group, or all of it; None if nothing."""
    if regex is None:
        return one
    match = re.search(regex, one)
    return None if match is None else match[1] if match.re.groups else match[0]


# -------------------------------------------------------------------------------------- turning


def turn_by_samples(tables: Sequence[Table], home: int, regex: str | None) -> list[Table]:
    """Turn tables whose columns are samples of the target's table, and whose rows are not.

    Parameters
    ----------
    tables : sequence of n_tables Table
    home : int
        Which has the target.
    regex : str or None
        What of an id counts.

    Returns
    -------
    list of n_tables Table

    Raises
    ------
    UsageError
        If a table that is turned has a feature twice.
    """
    samples = tables[home].ids
    if samples is None:
        return list(tables)
    wanted = {_cut(one, regex) for one in samples.dropna()}
    return [
        table
        if f == home or (table.ids is not None and any(_cut(o, regex) in wanted for o in table.ids))
        else _turned(table, [c for c in table.frame.columns if _cut(c, regex) in wanted])
        for f, table in enumerate(tables)
    ]


def turn_by_features(tables: Sequence[Table], features: Collection[str]) -> list[Table]:
    """Turn tables whose rows are named as columns of a model, and whose columns are not.

    Parameters
    ----------
    tables : sequence of n_tables Table
    features : collection of str

    Returns
    -------
    list of n_tables Table
    """
    turned = []
    for table in tables:
        names = _feature_names(table)
        there = set(features).intersection(table.frame.columns)
        if not there and names is not None and names.isin(list(features)).any():
            samples = [c for c in table.frame.columns if c != names.name]
            table = _turned(table, samples)
        turned.append(table)
    return turned


def _cut(one: object, regex: str | None) -> str:
    return cut_id(str(one).strip(), regex) or str(one).strip()


def _feature_names(table: Table) -> pd.Series | None:
    """Return what would be the names of features if samples are columns: texts before them all."""
    if table.ids is not None and not table.ids.name:
        names = table.ids
    elif len(table.frame.columns):
        names = table.frame.iloc[:, 0]
    else:
        return None
    texts = names.map(lambda one: isinstance(one, str)).all()
    numbers = pd.to_numeric(names, errors="coerce").notna().any() if texts else True
    return None if numbers else names


def _turned(table: Table, samples: Sequence[str]) -> Table:
    """Return a table with some of its columns as rows; itself where there are fewer than two."""
    names = _feature_names(table)
    if names is None or len(samples) < 2:
        return table
    check_names(table.path, names.tolist())
    n_others = sum(column != names.name for column in table.frame.columns) - len(samples)
    more = f", without {n_others} that are no samples with a target" if n_others else ""
    note(
        f"{table.path!r} has features in rows and samples in columns, and is turned: "
        f"{len(samples)} samples of {len(names)} features{more}"
    )
    frame = table.frame[list(samples)].T.set_axis(names.tolist(), axis=1).reset_index(drop=True)
    if not all(map(is_numeric_dtype, frame.dtypes)):
        frame = pd.DataFrame({name: _as_numbers(column) for name, column in frame.items()})
    return Table(table.path, frame, pd.Series(list(samples), dtype=object), turned=True)


def _as_numbers(column: pd.Series) -> pd.Series:
    """Return what a column among others of texts was before these made it texts."""
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if numbers.notna().equals(column.notna()) else column
