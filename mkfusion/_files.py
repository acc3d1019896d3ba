"""How files are written: whole, or not at all."""

from __future__ import annotations

import csv
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, and put it in the place of another when it is complete.

    What stood there before stays if the disk is full, or the work ends on the way.

    Parameters
    ----------
    path : Path
        Of a file, or of a device or a pipe, which is written to as it is.

    Yields
    ------
    Path
        That ends as `path` does.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    # Beside it: a file is moved at once only within a file system.
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    if target.exists() and not target.is_file():
        yield target
        return
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table in CSV, numbers in all their digits.

    Parameters
    ----------
    path : Path
    rows : sequence of dict
        All with the same keys. What is no number is a text, and NaN is an empty cell.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if rows:
            writer.writerow(list(rows[0]))
        # A number that is none is the only one that is not itself.
        writer.writerows(["" if one != one else one for one in row.values()] for row in rows)
