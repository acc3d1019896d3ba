"""The command line: ``mkfusion compare``, ``audit``, ``fit``, ``predict`` and ``demo``."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress

from mkfusion.cli._errors import BAD_INPUT, UsageError, need, one_line
from mkfusion.cli._parser import make_parser
from mkfusion.cli._remedies import in_options

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_NEEDS = {
    "compare": ("pandas",),
    "audit": ("pandas",),
    "fit": ("pandas", "skops"),
    "predict": ("pandas", "skops"),
}


def _run(options: argparse.Namespace) -> int:
    """Run a command; what it needs loads here, so that --help answers at once."""
    need(f"mkfusion {options.command}", *_NEEDS.get(options.command, ()))
    if options.command == "compare":
        from mkfusion.cli._compare import compare as command
    elif options.command == "audit":
        from mkfusion.cli._audit import audit as command
    elif options.command == "fit":
        from mkfusion.cli._fit import fit as command
    elif options.command == "predict":
        from mkfusion.cli._predict import predict as command
    else:
        from mkfusion.cli._demo import demo as command
    # A terminal that cannot show a user's words shows their codes.
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    command(options)
    sys.stdout.flush()  # here, where its errors are caught
    return 0


def _print_error(command: str, message: object) -> int:
    print(f"mkfusion {command}: error: {one_line(message)}", file=sys.stderr)
    return BAD_INPUT


def _discard_output() -> None:
    """Let Python not complain again of an output that is gone when it flushes at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments after the program's name; None takes them from ``sys.argv``.

    Returns
    -------
    int
        Exit code: 0 when all went well, 1 when the reader of the output went away, 2 with one line
        on standard error where the data, or a model's file, are not what they should be, or memory
        or disk do not suffice, 130 when interrupted.

    Raises
    ------
    SystemExit
        With code 2 and one line on standard error for a bad option; with code 0 after ``--help``
        and ``--version``.

    Examples
    --------
    >>> from mkfusion.cli import main
    >>> main(["demo", "--cv", "1"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    given = sys.argv[1:] if argv is None else list(argv)
    options = make_parser().parse_args(given)
    options.command_line = f"mkfusion {shlex.join(given)}"  # for reports
    try:
        return _run(options)
    except UsageError as error:
        return _print_error(options.command, error)
    except MemoryError as error:
        return _print_error(options.command, f"there is not enough memory: {in_options(error)}")
    except BrokenExecutor:
        return _print_error(
            options.command, "a process of --jobs was killed; --jobs 1 takes less memory"
        )
    except KeyboardInterrupt:
        print("mkfusion: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_output()  # the reader (head, less) left
        return 1
    except OSError as error:
        _discard_output()
        return _print_error(options.command, f"cannot write: {error}")
