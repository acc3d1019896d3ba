"""Text and tables on standard output: aligned and coloured in a terminal, plain elsewhere."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mkfusion.cli._errors import one_line
from mkfusion.report import HELPS, LOWER, tables

_PLAIN = str.maketrans({"−": "-", "–": "-", "∞": "inf", "…": "..."})
_PLAIN_WIDTH = 80  # of sentences; tables are as wide as they are
_UNLIMITED = 10_000
# Columns of the tests for which a terminal is too narrow.
_IN_REPORT_ONLY = ("p", " difference", " of it")
_STYLES = {HELPS: "bold green", LOWER: "bold red"}


class Report:
    """Where results are printed."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._rich = self._console.is_terminal
        encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
        if not self._rich:
            self._console.width = _UNLIMITED
        self._plain = not self._rich or not encoding.startswith("utf")

    def say(self, text: str = "", style: str = "") -> None:
        """Print a sentence.

        Parameters
        ----------
        text : str
        style : str, default=""
            In a terminal.
        """
        if self._rich:
            self._console.print(self._text(text, style))
        else:
            print("\n".join(textwrap.wrap(self._text(text, "").plain, _PLAIN_WIDTH)))

    def path(self, what: str, path: object) -> None:
        """Say where something was written, on one line.

        Parameters
        ----------
        what : str
        path : Path
        """
        self._console.print(self._text(f"{what} {path}", ""), soft_wrap=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table, its first column to the left and the others to the right.

        Parameters
        ----------
        header : sequence of n_columns str
        rows : sequence of sequences of n_columns str
        """
        table = Table(box=None, pad_edge=False, header_style="bold")
        for k, name in enumerate(header):
            words = not any(sign.isdigit() for row in rows for sign in row[k])
            # Numbers stay whole: names of metrics break at their underscores instead.
            title = name.replace("_", "\n") if self._rich else name
            cells = [title, *(self._text(row[k], "").plain for row in rows)]
            pieces = [
                one for cell in cells for one in (cell.split() if k == 0 or words else [cell])
            ]
            table.add_column(
                Text(title),
                min_width=max(
                    cell_len(line) for one in pieces for line in one.splitlines() or [""]
                ),
                justify="left" if k == 0 or words else "right",
                overflow="fold",
                no_wrap=k > 0 and not words,
            )
        for row in rows:
            table.add_row(*(self._text(cell, "") for cell in row))
        if self._rich:
            # A terminal that is too narrow wraps lines, so that no cell loses anything.
            width = self._console.width
            self._console.width = _UNLIMITED
            self._console.width = max(width, self._console.measure(table).minimum + 1)
            self._console.print(table)
            self._console.width = width
            return
        with self._console.capture() as drawn:
            self._console.print(table)
        print("\n".join(line.rstrip() for line in drawn.get().splitlines()))

    def _text(self, text: str, style: str) -> Text:
        text = one_line(text)
        return Text(text.translate(_PLAIN) if self._plain else text, style if self._rich else "")


def print_comparison(comparison: Any, report: Report, *, left_out: Collection[str] = ()) -> None:
    """Print what was compared and found, the scores and the tests.

    Parameters
    ----------
    comparison : FusionComparison
    report : Report
    left_out : collection of str, default=()
        Columns of the tests.
    """
    conditions = comparison.conditions_
    sizes = [f"{one.name} ({one.shape})" for one in conditions.modalities]
    report.say(f"{len(conditions.y)} samples of {len(sizes)} modalities: {', '.join(sizes)}")
    report.say()
    first, *rest = repr(comparison).splitlines()
    report.say(first, _STYLES.get(comparison.verdict_.verdict, "bold yellow"))
    for sentence in rest:
        report.say(sentence)
    for table in tables(comparison):
        scores = table.title == "Scores"
        if not scores and not table.title.startswith("Against "):
            continue
        shown = [
            k
            for k, name in enumerate(table.header)
            if scores or not (name in left_out or name.endswith(_IN_REPORT_ONLY))
        ]
        report.say()
        report.say(table.title, "bold")
        report.table(
            [table.header[k] for k in shown], [[row[k] for k in shown] for row in table.rows]
        )
    report.say()
