"""What the sections print, and keep: lines of text, tables as CSV, targets reached or not."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = str | int | float | None

_WIDTH = 8


def geometric_mean(ratios: Iterable[float]) -> float:
    """Return the geometric mean, the mean of ratios that treats r and 1/r alike."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs))


class Report:
    """Prints lines and keeps them in ``out/<section>.txt``.

    Parameters
    ----------
    out : Path or None
        Folder for what is printed; nothing is kept if None.
    quick : bool, default=False
        Whether the targets are compared with a small grid only, which is then said.
    """

    def __init__(self, out: Path | None = None, quick: bool = False) -> None:
        self._out = out
        self._quick = quick
        self._text: Path | None = None
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)

    def section(self, name: str, title: str) -> None:
        """Begin a section: what follows is kept under its name."""
        if self._out is not None:
            self._text = self._out / f"{name}.txt"
            self._text.write_text("", encoding="utf-8")
        self.say(f"=== {name}")
        self.say(title.strip())
        self.say()

    def say(self, text: str = "") -> None:
        """Print a line and keep it."""
        print(text, flush=True)
        if self._text is not None:
            with self._text.open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    def table(self, name: str, columns: Sequence[str]) -> Table:
        """Begin a table, kept as ``out/<name>.csv``; its header is printed with the first row."""
        return Table(self, self._out and self._out / f"{name}.csv", columns)

    def target(self, what: str, measured: float, wanted: float, unit: str = "") -> None:
        """Say whether what was measured is at most what was wanted."""
        verdict = "reached" if measured <= wanted else "not reached"
        note = " (quick grid)" if self._quick else ""
        self.say(f"{what}: {verdict}: measured {measured:.3g}{unit}, wanted {wanted:g}{unit}{note}")

    def ratios(self, what: str, ratios: Sequence[float], mean: float, largest: float) -> None:
        """Compare the geometric mean and the largest of some ratios with their targets."""
        if not ratios:
            self.say(f"{what}: nothing measured")
            return
        self.target(f"{what}, geometric mean of {len(ratios)}", geometric_mean(ratios), mean)
        self.target(f"{what}, largest", max(ratios), largest)


class Table:
    """Rows of named values, printed as they come."""

    def __init__(self, report: Report, path: Path | None, columns: Sequence[str]) -> None:
        self._report = report
        self._path = path
        self._columns = list(columns)
        self._begun = False
        self.rows: list[dict[str, Value]] = []

    def add(self, **values: Value) -> None:
        """Print and keep a row; columns that are not given are empty."""
        unknown = set(values) - set(self._columns)
        if unknown:
            raise ValueError(f"values has {sorted(unknown)}; expected some of {self._columns}.")
        if not self._begun:
            self._begun = True
            self._report.say(" ".join(f"{name:>{_WIDTH}}" for name in self._columns))
            self._write(self._columns, "w")
        self.rows.append(values)
        cells = [values.get(name) for name in self._columns]
        widths = [max(_WIDTH, len(name)) for name in self._columns]
        shown = (
            f"{_shown(v, n):>{w}}" for v, n, w in zip(cells, self._columns, widths, strict=True)
        )
        self._report.say(" ".join(shown))
        self._write(["" if cell is None else cell for cell in cells], "a")

    def column(self, name: str, **where: Value) -> list[float]:
        """Return the numbers of a column, of the rows that have the values of `where`."""
        found = (row for row in self.rows if all(row.get(k) == v for k, v in where.items()))
        return [float(row[name]) for row in found if row.get(name) is not None]  # type: ignore[arg-type]

    def _write(self, cells: Sequence[Value], mode: str) -> None:
        if self._path is not None:
            with self._path.open(mode, newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(cells)


def _shown(value: Value, column: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1e}" if "gap" in column else f"{value:#.3g}".rstrip(".")
    return str(value)
