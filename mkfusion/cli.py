"""The command line: ``mkfusion demo``."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

__all__ = ["main"]

_BAD_OPTION = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_LARGEST_SEED = 2**32 - 1
_DEFAULT_OUTPUT = "mkfusion_weights.png"


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_OPTION, f"{self.prog}: error: {message}\n")


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """Argument type: a natural number in a range."""
    wanted = f"of at least {least}" if most is None else f"between {least} and {most}"

    def parse(text: str) -> int:
        if text.strip().isdecimal():
            value = int(text)
            if least <= value and (most is None or value <= most):
                return value
        raise argparse.ArgumentTypeError(f"expected an integer {wanted}, got {text!r}")

    return parse


def _png(text: str) -> Path:
    """Argument type: a PNG file that can be written, checked before the work rather than after."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"expected a file name that ends in .png, got {text!r}")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {str(path.parent)!r}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mkfusion",
        description="Multiple kernel learning for multimodal data.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mkfusion {version('mkfusion')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="compare single modalities, concatenation and kernel fusion on real sensor data",
        description="Cross-validate every modality alone, all columns in one SVC, the uniform "
        "kernel sum, L1-MKL and L2-MKL on the same folds of real data; print scores, kernel "
        "weights, certified gaps and times, and draw the weights.",
        allow_abbrev=False,
    )
    demo.add_argument(
        "--data",
        choices=["basic_motions", "mfeat"],
        default="basic_motions",
        help="data set (default: %(default)s)",
    )
    demo.add_argument(
        "--cv", type=_integer(2), default=5, metavar="FOLDS", help="folds (default: %(default)s)"
    )
    demo.add_argument(
        "--seed",
        type=_integer(0, _LARGEST_SEED),
        default=0,
        metavar="SEED",
        help="seed of all folds and of the drawn samples (default: %(default)s)",
    )
    demo.add_argument(
        "--samples",
        type=_integer(1),
        metavar="N",
        help="how many samples to draw (default: all 80 of basic_motions, 400 of mfeat's 2000)",
    )
    demo.add_argument(
        "--output",
        type=_png,
        default=_DEFAULT_OUTPUT,
        metavar="FILE.png",
        help="where to draw the weights (default: %(default)s)",
    )
    demo.add_argument("--no-plot", action="store_true", help="draw nothing")
    return parser


def _demo(options: argparse.Namespace) -> int:
    """Run ``mkfusion demo`` and return the exit code."""
    # The console, scikit-learn and the compiled parts load here: --help answers at once.
    from mkfusion.compare._demo import UsageError, run_demo
    from mkfusion.compare._demo_report import draw_weights, print_report, report_console
    from mkfusion.compare._progress import Progress

    try:
        if not options.no_plot and importlib.util.find_spec("matplotlib") is None:
            raise UsageError("drawing needs matplotlib: install mkfusion[plot], or pass --no-plot")
        demo = run_demo(
            options.data,
            cv=options.cv,
            seed=options.seed,
            samples=options.samples,
            progress=Progress(),
        )
    except UsageError as error:
        print(f"mkfusion demo: error: {error}", file=sys.stderr)
        return _BAD_OPTION
    console = report_console()
    print_report(demo, console)
    if not options.no_plot:
        draw_weights(demo, options.output)
        console.print(f"Weights drawn in {options.output}", soft_wrap=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments after the program's name; None takes them from ``sys.argv``.

    Returns
    -------
    int
        Exit code: 0 when all went well, 1 when the reader of the output went away, 130 when
        interrupted.

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
    options = _parser().parse_args(argv)
    try:
        return _demo(options)
    except KeyboardInterrupt:
        print("mkfusion: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) left. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
