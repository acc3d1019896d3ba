"""Cells of CSV files, which do not say what they are: gaps, codes, and what spreadsheets would run.

pandas takes words such as None and NA for gaps in any column, and 007 for 7. A class "None" would
be lost, and codes would not be found in another file. Here a word is a gap only where the column
is otherwise of numbers, dates or truth values, where it can be nothing else; among texts it is a
text, as in a Parquet file. An empty cell is always a gap.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd
from pandas.api import types

from mkfusion.cli._errors import listed, note
from mkfusion.cli._kinds import DATE

# What pandas takes for gaps
_WORDS = frozenset(
    "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan"
    "|null".split("|")
)
_MOST_SETS = 3  # of words, each told with its columns
_PADDED = r"0\d+"
_PADDED_CELL = re.compile(rb'(?:^|[,;\t"])[ \t]*0\d')  # in a line, perhaps
# A spreadsheet runs a cell that begins so, in full width as well, unless it is a number or nothing
# but signs; tabs and line ends at its start are left out when it does.
_RUN = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")  # noqa: RUF001
_NOT_RUN = re.compile(r"[+-]+|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def has_padded_cells(lines: Iterable[bytes]) -> bool:
    """Return whether any cell of a CSV file may be a number with leading zeros.

    Parameters
    ----------
    lines : iterable of bytes

    Returns
    -------
    bool
        False only where there is none.
    """
    return any(_PADDED_CELL.search(line) for line in lines)


def is_in_doubt(column: pd.Series, padded: bool) -> bool:
    """Return whether what is written in a column must be looked at.

    Parameters
    ----------
    column : Series
        As pandas reads it.
    padded : bool
        Whether the file may have numbers with leading zeros.

    Returns
    -------
    bool
    """
    return padded or not types.is_numeric_dtype(column.dtype) or bool(column.isna().any())


class Words:
    """What the words and codes of a file were taken for.

    Parameters
    ----------
    path : str
    as_text : collection of str
        Columns that hold texts, whatever is written there.
    as_values : collection of str
        Columns that hold none.
    """

    def __init__(self, path: str, as_text: Collection[str], as_values: Collection[str]) -> None:
        self.path = path
        self.as_text, self.as_values = as_text, as_values
        # How often each word stands in each column
        self._gaps: dict[str, Counter[str]] = {}
        self._levels: dict[str, Counter[str]] = {}
        self._codes: dict[str, str] = {}

    def settle(self, name: str, read: pd.Series, written: pd.Series) -> pd.Series | None:
        """Decide what a column holds.

        Parameters
        ----------
        name : str
        read : Series
            As pandas reads it.
        written : Series of str
            As it is written, NaN in empty cells.

        Returns
        -------
        Series or None
            Texts, with None in gaps; None if it holds none and is what pandas reads.
        """
        words = written.isin(_WORDS)
        others = written[written.notna() & ~words]
        if name in self.as_text:
            return _as_written(written)
        if name not in self.as_values and (code := _code(others)) is not None:
            self._codes[name] = code
            self._count("levels", name, written[words])
            return _as_written(written)
        if types.infer_dtype(read, skipna=True) != "string":
            self._count("gaps", name, written[words])
            return None
        if name in self.as_values or others.str.strip().str.fullmatch(DATE).all():
            self._count("gaps", name, written[words])
            return _as_written(written.mask(words))
        self._count("levels", name, written[words])
        return _as_written(written)

    def _count(self, what: str, name: str, words: pd.Series) -> None:
        if len(words):
            (self._gaps if what == "gaps" else self._levels)[name] = Counter(words)

    def say(self) -> None:
        """Say what was taken for what."""
        for name, code in self._codes.items():
            note(
                f"column {name!r} of {self.path!r} has leading zeros, such as {code!r}, and is "
                "taken for text"
            )
        for by_column, taken in (
            (self._gaps, "empty cells, among numbers, dates or truth values"),
            (self._levels, "texts as any other; leave cells empty to say missing"),
        ):
            if by_column:
                note(f"{self.path!r}: {' and '.join(_where_words_are(by_column))} are {taken}")


def _where_words_are(by_column: dict[str, Counter[str]]) -> list[str]:
    """Return which words are in how many cells, for each set of words with the columns it is in.

    Of many sets all words are counted together, in all columns.
    """
    columns: dict[frozenset[str], list[str]] = {}
    for name, counts in by_column.items():
        columns.setdefault(frozenset(counts), []).append(name)
    told = []
    for names in columns.values() if len(columns) <= _MOST_SETS else [list(by_column)]:
        total: Counter[str] = sum((by_column[name] for name in names), Counter())
        those = ", ".join(f"{word!r} in {n}" for word, n in total.most_common())
        told.append(f"{those} cells of {listed(names)}")
    return told


def _as_written(written: pd.Series) -> pd.Series:
    """Return texts as objects, without what keeps spreadsheets from running them."""
    return pd.Series(
        [unescaped(one) if isinstance(one, str) else None for one in written], dtype=object
    )


def _code(cells: pd.Series) -> str | None:
    """Return the first number with leading zeros of a column of whole numbers without signs."""
    padded = cells[cells.str.fullmatch(_PADDED)]
    if not len(padded) or not cells.str.fullmatch(r"\d+").all():
        return None
    return str(padded.iloc[0])


def escaped(value: Any) -> Any:
    """Return a value in a form that no spreadsheet runs.

    Parameters
    ----------
    value : object

    Returns
    -------
    object
        A text that would be run with an apostrophe before it; anything else as it is.
    """
    return f"'{value}" if isinstance(value, str) and _is_run(value.lstrip("'")) else value


def unescaped(text: str) -> str:
    """Return a text before it was `escaped`.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return text[1:] if text.startswith("'") and _is_run(text.lstrip("'")) else text


def _is_run(text: str) -> bool:
    return bool(_RUN.match(text)) and not _NOT_RUN.fullmatch(text)


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table to be written as CSV, none of whose texts a spreadsheet runs.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
    """
    safe = {escaped(name): [escaped(one) for one in table[name]] for name in table.columns}
    return pd.DataFrame(safe)
