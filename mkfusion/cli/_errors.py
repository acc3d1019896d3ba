"""What is said on standard error: one line for a mistake, one for what users should know.

It needs the standard library only: ``mkfusion --help`` loads it. What prints results is `_console`.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mkfusion._files import written_beside
from mkfusion._messages import shown
from mkfusion.cli._remedies import in_options

BAD_INPUT = 2
_MAX_SHOWN = 3
_MAX_NAMES = 12
_QUOTED_OR_NUMBER = re.compile(r"('[^']*')|\b\d+(?:\.\d+)?")


class UsageError(Exception):
    """Input that cannot be worked with. Its message is for users."""


def one_line(message: object) -> str:
    """Return a message on one line, without characters that would steer a terminal."""
    words = " ".join(str(message).split())
    return "".join(one if one.isprintable() else "?" for one in words)


def note(message: object) -> None:
    """Say something on standard error that users should know."""
    print(f"note: {one_line(message)}", file=sys.stderr)


@contextmanager
def notes_for_warnings(*but: type[Warning]) -> Iterator[None]:
    """Show warnings for users as notes, each once, and none for developers or of some classes.

    Those that differ in numbers only, as of folds, are one: the first.
    """
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
        line = one_line(in_options(message))
        told = issubclass(category, but) or not issubclass(category, UserWarning)
        alike = _QUOTED_OR_NUMBER.sub(lambda part: part[1] or "0", line)
        if not told and alike not in said:
            said.add(alike)
            note(line)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@contextmanager
def as_usage_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Take errors of these kinds for errors of what users gave.

    To be put around what reads it only: any other error is a fault of the program, and goes all the
    way up.
    """
    try:
        yield
    except kinds as error:
        raise UsageError(str(error) or repr(error)) from error


@contextmanager
def output(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which takes its place when it is complete.

    Parameters
    ----------
    path : Path
        Of a file, or of a device or a pipe.

    Yields
    ------
    Path

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    try:
        with written_beside(path) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error}") from error


def need(command: str, *packages: str, extra: str = "cli") -> None:
    """Refuse to go on without an optional package."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"{command} needs {package}: install mkfusion[{extra}]")


def close_names(name: str, names: Iterable[str]) -> str:
    """Return a hint at names that may be meant, or at all there are."""
    names = list(dict.fromkeys(names))
    alike = {one.casefold(): one for one in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), alike, n=_MAX_SHOWN)
    if close:
        return f"did you mean {' or '.join(shown(alike[one]) for one in close)}?"
    return f"there are {listed(names, _MAX_NAMES)}"


def listed(values: Sequence[object], most: int = _MAX_SHOWN) -> str:
    """Return the first of some values, and how many there are if these are not all."""
    first = ", ".join(map(shown, values[:most]))
    return first if len(values) <= most else f"{first}, ... ({len(values)} in all)"
