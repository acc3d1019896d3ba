"""Tables that are texts: what separates their cells, and what they are.

What users have ends in .csv or .txt, and is separated by whatever their program took: commas,
semicolons where a comma is the decimal point, tabs, blanks.
"""

from __future__ import annotations

import gzip
import re
import warnings
from collections import Counter
from collections.abc import Collection
from typing import Any

import pandas as pd

from mkfusion.cli._cells import Words, has_padded_cells, is_in_doubt, unescaped
from mkfusion.cli._errors import UsageError, listed, note

# What tables end in -> what separates their cells, unless a header shows that something else does
DELIMITED = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", r"\s+": "blanks"}
_PEEK = 2**16
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL_COMMA = r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?"
# What pandas and R write where a table's rows have names, and these have none.
_NAMELESS = ("", "Unnamed: 0")


def is_nameless(name: str) -> bool:
    """Return whether the name of a table's first column is none."""
    return name in _NAMELESS


def check_names(path: str, names: list[str]) -> None:
    """Refuse columns of the same name."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UsageError(f"{path!r} has columns of the same name: {listed(repeated)}")


def _find_separator(start: bytes, suffix: str) -> str:
    """Return what separates the cells of a file: what is usual, unless its header has none of it.

    Parameters
    ----------
    start : bytes
        Of the file.
    suffix : str
        Of its name.

    Returns
    -------
    str
    """
    usual = DELIMITED[suffix]
    header = next(iter(start.decode("utf-8", errors="replace").splitlines()), "")
    header = _QUOTED.sub("", header)
    counts = {sign: header.count(sign) for sign in (usual, ";", ",", "\t", "|")}
    if counts[usual]:
        return usual
    found = max(counts, key=lambda sign: counts[sign])
    if counts[found]:
        return found
    return r"\s+" if suffix == ".txt" and len(header.split()) > 1 else usual


def _has_row_names(path: str, header: list[str], options: dict[str, Any]) -> bool:
    """Return whether rows have one cell more than the header, as `write.table` of R leaves it."""
    if options["sep"] not in ("\t", r"\s+"):
        return False
    try:
        row = pd.read_csv(path, header=None, skiprows=1, nrows=1, dtype=str, **options)
    except pd.errors.EmptyDataError:
        return False
    return row.shape[1] == len(header) + 1 and bool(row.iloc[0, -1] == row.iloc[0, -1])


def _has_decimal_commas(frame: pd.DataFrame) -> bool:
    """Return whether some texts of a frame are numbers with commas, and all of their column are."""
    for k in range(frame.shape[1]):
        column = frame.iloc[:, k].dropna()
        if len(column) and not pd.api.types.is_numeric_dtype(column.dtype):
            texts = column.astype(str).str.strip()
            if texts.str.fullmatch(_DECIMAL_COMMA).all() and texts.str.contains(",").any():
                return True
    return False


def read_delimited(
    path: str, suffix: str, as_text: Collection[str], as_values: Collection[str] | None
) -> pd.DataFrame:
    """Read a table of texts, as :func:`mkfusion.cli._tables.read_table` documents.

    Parameters
    ----------
    path : str
    suffix : str
        What it ends in, without ".gz".
    as_text, as_values : collection of str
        As for `read_table`.

    Returns
    -------
    DataFrame

    Raises
    ------
    UsageError
        If it is no such table.
    """
    opener: Any = gzip.open if path.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        start = file.read(_PEEK)
    if start.startswith(_UTF16):
        raise UsageError(f"{path!r} is text in UTF-16; save it in UTF-8")
    if b"\0" in start:
        raise UsageError(f"{path!r} is no text: expected a CSV file in UTF-8")
    separator = _find_separator(start, suffix)
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8", "skipinitialspace": True}
    try:
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **options)
        written = [str(name) for name in first.iloc[0]]
        header = [unescaped(name.strip()) for name in written]
        check_names(path, [name for name in header if name])
        if _has_row_names(path, header, options):
            header.insert(0, "")
        elif is_nameless(header[0]):
            header[0] = ""
        as_text = {*as_text, ""}  # ids, if anything
        named = {"names": range(len(header)), "header": 0, "index_col": False}
        with warnings.catch_warnings():
            # A row with more cells than there are columns would lose the last ones.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, low_memory=False, **named, **options)
            if separator == ";" and _has_decimal_commas(frame):
                frame = pd.read_csv(path, low_memory=False, decimal=",", **named, **options)
                note(f"{path!r} is read with semicolons between cells and decimal commas")
            elif separator != DELIMITED[suffix] and suffix != ".txt":
                note(f"{path!r} is read with {_WORDS[separator]} between cells")
        with opener(path, "rb") as file:
            padded = separator == r"\s+" or has_padded_cells(file)
        wanted = set(header) if as_values is None else {*as_text, *as_values}
        doubtful = [
            k
            for k, name in enumerate(header)
            if name in wanted and (name in as_text or is_in_doubt(frame.iloc[:, k], padded))
        ]
        words = Words(path, as_text, as_values or ())
        if doubtful:
            texts = pd.read_csv(
                path,
                usecols=doubtful,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                **named,
                **options,
            )
            for place, k in enumerate(doubtful):
                cells = words.settle(header[k], frame.iloc[:, k], texts.iloc[:, place])
                if cells is not None:
                    frame.isetitem(k, cells)
        words.say()
    except pd.errors.EmptyDataError as error:
        raise UsageError(f"{path!r} is empty") from error
    except pd.errors.ParserWarning as error:
        raise UsageError(
            f"{path!r} has rows with more cells than its header, which has {len(header)}"
        ) from error
    except pd.errors.ParserError as error:
        raise UsageError(f"{path!r} is no CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path!r} is no text in UTF-8: byte {error.object[error.start]:#04x} at "
            f"{error.start}; save it in UTF-8"
        ) from error
    kept = [k == 0 or bool(name) for k, name in enumerate(header)]
    if not all(kept):
        n_unnamed = kept.count(False)
        those = (
            "1 column without a name is" if n_unnamed == 1 else f"{n_unnamed} without a name are"
        )
        note(f"{path!r}: {those} left out")
    names = [name for name, stays in zip(header, kept, strict=True) if stays]
    return frame.loc[:, kept].set_axis(names, axis=1)
