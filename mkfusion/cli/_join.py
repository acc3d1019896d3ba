"""Rows of several files, put beside each other by their ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mkfusion.cli._errors import UsageError, listed

_WHOLE = re.compile(r"([+-]?(?:0|[1-9]\d*))\.0*")


def read_ids(path: str, column: pd.Series, several: bool) -> list[str]:
    """Return the ids of a file's rows: what is written, and 7 for 7.0.

    Parameters
    ----------
    path : str
    column : Series
    several : bool
        Whether there are other files.

    Returns
    -------
    list of n_rows str

    Raises
    ------
    UsageError
        If an id is empty, or there twice.
    """
    where = f"--id {column.name!r} of {path!r}"
    empty = np.flatnonzero(np.asarray(column.isna()))
    if len(empty):
        raise UsageError(
            f"{where} is empty in {len(empty)} of {len(column)} rows, such as row {empty[0] + 1}"
        )
    ids = [_as_id(value) for value in column]
    repeated = [one for one, count in Counter(ids).items() if count > 1]
    if repeated:
        way_out = "" if several else "; a column that names the rows' subjects is for --groups"
        raise UsageError(
            f"{where} names {len(repeated)} samples more than once: {listed(repeated)}{way_out}"
        )
    return ids


def _as_id(value: Any) -> str:
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def rows_of(wanted: Sequence[str], ids: Sequence[str]) -> np.ndarray:
    """Return in which row of a file each wanted id is, -1 where in none.

    Parameters
    ----------
    wanted : sequence of n_samples str
    ids : sequence of n_rows str

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    rows = {one: row for row, one in enumerate(ids)}
    return np.array([rows.get(one, -1) for one in wanted], dtype=np.intp)


def check_common(column: str, paths: Sequence[str], ids: Sequence[Sequence[str]]) -> None:
    """Refuse files that have no id in common.

    Parameters
    ----------
    column : str
    paths : sequence of two str
    ids : sequence of two sequences of str

    Raises
    ------
    UsageError
        If none is in both.
    """
    if set(ids[0]) & set(ids[1]):
        return
    bare = [{one.lstrip("0") for one in some} for some in ids]
    if bare[0] & bare[1]:
        raise UsageError(
            f"--id {column!r}: ids of {paths[0]!r} such as {ids[0][0]!r} are those of "
            f"{paths[1]!r} such as {ids[1][0]!r} but for leading zeros; write them alike in both"
        )
    shown = []
    for path, some in zip(paths, ids, strict=True):
        numbers = all(re.fullmatch(r"[+-]?\d+(\.\d*)?", one) for one in some)
        example = some[0] if numbers else repr(some[0])
        shown.append(f"{path!r} has {'numbers' if numbers else 'texts'} such as {example}")
    raise UsageError(f"--id {column!r}: no id is in both files; {', '.join(shown)}")
