"""How files are written: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
