"""Tables from files."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from mkfusion.cli._errors import UsageError, listed, need, note

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")
_PEEK = 2**16
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MOST_SHOWN = 60  # of a header's characters


def stem(path: str) -> str:
    """Return a file's name without what it ends in, such as "accel" of ``data/accel.csv.gz``."""
    return Path(_uncompressed(path)).stem


def read_table(path: str, as_text: Collection[str] = ()) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : str
    as_text : collection of str, default=()
        Columns of a CSV file that stay as they are written, such as "007".

    Returns
    -------
    pandas.DataFrame
        At least one row, and columns of different names that are strings.

    Raises
    ------
    UsageError
        If there is no such file, or it is no such table.
    """
    suffix = Path(_uncompressed(path)).suffix.lower()
    if suffix not in (*_SEPARATORS, *_PARQUET):
        kinds = ", ".join((*_SEPARATORS, ".csv.gz", *_PARQUET))
        raise UsageError(
            f"{path!r} ends in {suffix!r}; expected a file that ends in one of {kinds}"
        )
    if Path(path).is_dir():
        raise UsageError(f"{path!r} is a folder; expected a file")
    try:
        if suffix in _PARQUET:
            need("reading Parquet", "pyarrow")
            frame = _read_parquet(path)
        else:
            frame = _read_csv(path, _SEPARATORS[suffix], as_text)
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


def _read_csv(path: str, separator: str, as_text: Collection[str]) -> pd.DataFrame:
    opener: Any = gzip.open if path.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        start = file.read(_PEEK)
    if start.startswith(_UTF16):
        raise UsageError(f"{path!r} is text in UTF-16; save it in UTF-8")
    if b"\0" in start:
        raise UsageError(f"{path!r} is no text: expected a CSV file in UTF-8")
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8", "skipinitialspace": True}
    try:
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **options)
        written = [str(name) for name in first.iloc[0]]
        header = [name.strip() for name in written]
        _check_separator(path, header, separator)
        _check_names(path, [name for name in header if name])
        with warnings.catch_warnings():
            # A row with more cells than there are columns would lose the last ones.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                index_col=False,
                low_memory=False,
                dtype={name: str for name in written if name.strip() in as_text},
                **options,
            )
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
    named = [bool(name) for name in header]
    if not all(named):
        n_unnamed = named.count(False)
        those = (
            "1 column without a name is" if n_unnamed == 1 else f"{n_unnamed} without a name are"
        )
        note(f"{path!r}: {those} left out")
    return frame.loc[:, named].set_axis([name for name in header if name], axis=1)


def _read_parquet(path: str) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, NotImplementedError) as error:  # and so are those of Arrow
        raise UsageError(f"{path!r} is no Parquet file: {error}") from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name).strip() for name in frame.columns]
    _check_names(path, names)
    return frame.reset_index(drop=True).set_axis(names, axis=1)


def _check_separator(path: str, header: list[str], separator: str) -> None:
    """Refuse what other programs separate otherwise, such as by semicolons for decimal commas."""
    name, expected = header[0], "tabs" if separator == "\t" else "commas"
    if len(header) == 1 and any(sign in name for sign in ",;\t|"):
        shown = name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}..."
        raise UsageError(
            f"the header of {path!r} is one column {shown!r}: expected {expected} between names, "
            "and decimal points in numbers"
        )


def _check_names(path: str, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UsageError(f"{path!r} has columns of the same name: {listed(repeated)}")
