"""The options of every command."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mkfusion import __version__, compare
from mkfusion._survival import BRIER, SURVIVAL_METRICS
from mkfusion.cli._errors import BAD_INPUT, one_line

_LARGEST_SEED = 2**32 - 1
# Words for kernels of one modality
KERNELS = (
    "auto",
    "rbf",
    "linear",
    "polynomial",
    "laplacian",
    "matern",
    "cosine",
    "chi2",
    "tanimoto",
    "clinical",
    "overlap",
)
_DEFAULT_PICTURE = "mkfusion_weights.png"

_COMPARE_EXAMPLES = """\
examples:
  mkfusion compare data.csv --target label --modality accel=ax,ay,az \\
      --modality gyro='g*' --groups subject -o report.html
  mkfusion compare patients.csv rna.parquet mri.csv --id patient --target relapse \\
      --missing keep --metric roc_auc -o report.html
"""
_AUDIT_EXAMPLES = """\
example:
  mkfusion audit patients.csv rna.parquet --id patient --target relapse --batch site
"""
_FIT_EXAMPLES = """\
example:
  mkfusion fit data.csv --target label --modality accel=ax,ay,az \\
      --modality gyro='g*' --groups subject -o model.skops
"""
_PREDICT_EXAMPLES = """\
example:
  mkfusion predict model.skops new.csv -o predictions.csv
"""
_DEMO_EXAMPLES = """\
example:
  mkfusion demo --data mfeat --cv 3 --output weights.png
"""
_EXAMPLES = """\
examples:
  mkfusion compare data.csv --target label --modality accel=ax,ay,az \\
      --modality gyro='g*' --groups subject -o report.html
  mkfusion fit data.csv --target label --modality accel=ax,ay,az \\
      --modality gyro='g*' -o model.skops
  mkfusion predict model.skops new.csv -o predictions.csv

mkfusion COMMAND --help tells what a command does and takes.
"""


class _OneTarget(argparse.Action):
    """Refuse to be given twice: the last one would win in silence."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        if (first := getattr(namespace, self.dest)) is not None:
            what = f"is {first!r} and {values!r}; expected one target, and a run for each"
            raise argparse.ArgumentError(self, what)
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    # What help says before the examples, found out when it is asked for: it takes a second to load.
    more: Callable[[], str] | None = None

    def format_help(self) -> str:
        if self.more is not None:
            self.epilog = f"{self.more()}\n{self.epilog}"
            self.more = None
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {one_line(message)}\n")


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


def _number(least: float, wanted: str, *, closed: bool) -> Callable[[str], float]:
    """Argument type: a number above a bound, or from it on; "inf" where it is closed."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if value > least and (closed or value < float("inf")) or (closed and value == least):
            return value
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")

    return parse


def _regex(text: str) -> str:
    """Argument type: a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(
            f"expected a regular expression, got {text!r}: {error}"
        ) from error
    return text


def _jobs(text: str) -> int:
    """Argument type: a number of processes, -1 for one on each core."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value == -1 or value >= 1:
        return value
    raise argparse.ArgumentTypeError(f"expected an integer of at least 1, or -1, got {text!r}")


def _file(*suffixes: str) -> Callable[[str], Path]:
    """Argument type: a file that can be written, checked before the work rather than after."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(
                f"expected a file name that ends in {' or '.join(suffixes)}, got {text!r}"
            )
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(f"no such folder: {str(path.parent)!r}")
        # What stands there is replaced by another file, made beside it.
        for place in (path, path.parent) if path.exists() else (path.parent,):
            if not os.access(place, os.W_OK):
                raise argparse.ArgumentTypeError(f"cannot write to {str(place)!r}")
        return path

    return parse


def _folder(text: str) -> Path:
    """Argument type: a folder that can be written to, or made."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; expected a folder")
    there = path if path.exists() else path.parent
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {str(there)!r}")
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to {text!r}")
    return path


def _names(text: str) -> list[str]:
    """Argument type: a list of names with commas between them."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names with commas between them, got {text!r}")
    return names


def _modality(text: str) -> tuple[str, list[str]]:
    """Argument type: NAME=COLUMNS."""
    name, equals, columns = text.partition("=")
    pieces = [piece.strip() for piece in columns.split(",")]
    if not equals or not name.strip() or not all(pieces):
        raise argparse.ArgumentTypeError(f"expected NAME=COLUMN,COLUMN,..., got {text!r}")
    return name.strip(), pieces


def _kernel(text: str) -> tuple[str, str]:
    """Argument type: MODALITY=KERNEL."""
    name, equals, word = (piece.strip() for piece in text.partition("="))
    if not equals or not name or not word:
        raise argparse.ArgumentTypeError(f"expected MODALITY=KERNEL, got {text!r}")
    return name, word


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = _Parser(
        prog="mkfusion",
        description="Multiple kernel learning for multimodal data: does fusing help?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mkfusion {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, title="commands"
    )

    def add(name: str, summary: str, description: str, examples: str) -> _Parser:
        return commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    _add_compare(
        add(
            "compare",
            "does fusing the modalities of your data help, and is that sure?",
            "Compare every modality alone with ways of fusing them, on the same folds of nested\n"
            "cross-validation, with corrected tests and a verdict.",
            _COMPARE_EXAMPLES,
        )
    )
    _add_audit(
        add(
            "audit",
            "can the data be trusted? copies, leaks, gaps and batches that tell the target",
            "Look for what makes scores too good, or mean something else: copies of samples,\n"
            "columns that are the target, gaps and batches that tell it, ids among the columns.",
            _AUDIT_EXAMPLES,
        )
    )
    _add_fit(
        add(
            "fit",
            "learn kernel weights and a machine, and save the model",
            "Fit multiple kernel learning, one kernel for each modality, and save the model in a\n"
            "file that runs no code when it is loaded.",
            _FIT_EXAMPLES,
        )
    )
    predict = add(
        "predict",
        "predict with a saved model",
        "Predict with a model that mkfusion fit has saved.",
        _PREDICT_EXAMPLES,
    )
    predict.add_argument("model", metavar="MODEL", help="file that mkfusion fit has written")
    predict.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help="files with the model's columns, of any kind that fit reads; several are joined on "
        "what names the samples, as fit was told",
    )
    predict.add_argument(
        "-o",
        "--output",
        type=_file(".csv"),
        metavar="FILE.csv",
        help="where to write the predictions (default: standard output)",
    )
    _add_demo(
        add(
            "demo",
            "the same on real sensor data that come with the package",
            "Compare every modality alone, early fusion, the uniform kernel sum, and L1-MKL and\n"
            "L2-MKL on many kernels, on the same folds of real data; print scores, tests, kernel\n"
            "weights and certified gaps, and draw the weights.",
            _DEMO_EXAMPLES,
        )
    )
    return parser


def _add_data(parser: argparse.ArgumentParser, missing: str = "error") -> Any:
    """Add what says which samples there are, and how they are split."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "data",
        nargs="+",
        metavar="DATA",
        help="tables (.csv, .tsv, .txt, with .gz or without, .parquet) or files of several "
        "(.h5ad, .h5mu, .fif, .nc, .mat, .npz); several are joined on --id",
    )
    what = "what is to be predicted"
    data.add_argument("--target", action=_OneTarget, metavar="COLUMN", help=what)
    data.add_argument(
        "--time",
        metavar="COLUMN",
        help="instead of --target: time until an event, or until a sample was last seen",
    )
    data.add_argument(
        "--event",
        metavar="COLUMN",
        help="with --time: 1 or true if there was an event, 0 or false if the sample was censored; "
        "COLUMN=VALUE takes a value for an event, such as status=dead",
    )
    data.add_argument(
        "--modality",
        action="append",
        type=_modality,
        default=[],
        metavar="NAME=COLUMNS",
        help="a modality and its columns: names and shell patterns with commas between them, "
        "such as gyro='g*', after a table's name and a colon where tables share names; once for "
        "each (default: with several files or tables, each is one)",
    )
    data.add_argument(
        "--exclude",
        action="extend",
        type=_names,
        default=[],
        metavar="COLUMNS",
        help="columns that are not learned from: names and shell patterns with commas between them",
    )
    data.add_argument(
        "--id",
        metavar="COLUMNS",
        help="names the samples; not learned from. With commas between them where files call it "
        "differently (default: the nameless first column, or the names that a file has for them)",
    )
    data.add_argument(
        "--id-regex",
        type=_regex,
        metavar="REGEX",
        help="what of an id counts, the first group if there is one: '^TCGA-..-....' of barcodes",
    )
    data.add_argument(
        "--groups",
        metavar="COLUMN",
        help="subjects, sessions or the like: samples of one never train and test a model",
    )
    data.add_argument(
        "--missing",
        choices=["error", "drop", "keep"],
        default=missing,
        help="samples that lack a modality are refused, left out, or kept and compared by what "
        "they have (default: %(default)s)",
    )
    data.add_argument(
        "--task",
        choices=["auto", "classification", "regression"],
        default="auto",
        help="auto takes numbers with fractions for regression, all else for classes",
    )
    return data


def _add_kernel(data: Any) -> None:
    data.add_argument(
        "--kernel",
        action="append",
        type=_kernel,
        default=[],
        metavar="NAME=KERNEL",
        help=f"of a modality: {', '.join(KERNELS)} (default: auto, by what its columns hold); once "
        "for each",
    )


def _add_batch(data: Any) -> None:
    data.add_argument(
        "--batch",
        metavar="COLUMN",
        help="site, plate, device or run, which should have nothing to do with the target; not "
        "learned from",
    )


def _add_audit(parser: argparse.ArgumentParser) -> None:
    _add_batch(_add_data(parser, missing="keep"))
    parser.add_argument(
        "-o",
        "--output",
        type=_file(".csv"),
        metavar="FILE.csv",
        help="where to write the findings as a table",
    )


def _add_folds(parser: argparse.ArgumentParser, default: str) -> Any:
    folds = parser.add_argument_group("validation")
    folds.add_argument(
        "--cv", type=_integer(2), metavar="FOLDS", help=f"number of folds (default: {default})"
    )
    folds.add_argument(
        "--time-ordered",
        action="store_true",
        help="rows are in order of time: train on the past, test on what follows",
    )
    folds.add_argument(
        "--seed",
        type=_integer(0, _LARGEST_SEED),
        default=0,
        metavar="SEED",
        help="of all that is drawn (default: %(default)s)",
    )
    return folds


def _list_methods() -> str:
    """Return a line for each way of fusing."""
    fusions = [one for one in compare.METHODS.values() if one.key not in compare.ALWAYS]
    width = max(len(method.key) for method in fusions)
    lines = [f"  {method.key:<{width}}  {method.summary}" for method in fusions]
    return "\n".join(["methods:", *lines, ""])


def _add_compare(parser: _Parser) -> None:
    parser.more = _list_methods
    data = _add_data(parser)
    _add_batch(data)
    _add_kernel(data)
    folds = _add_folds(parser, "5, fewer where a class or the groups are small")
    folds.add_argument(
        "--repeats",
        type=_integer(1),
        metavar="N",
        help="draw the folds N times, which sees smaller differences (default: 5, 1 with --fast)",
    )
    folds.add_argument(
        "--sesoi",
        type=_number(0, "a positive number", closed=False),
        metavar="DIFFERENCE",
        help="smallest difference of the first metric that matters: below it there is practically "
        "none",
    )
    folds.add_argument(
        "--metric",
        action="extend",
        type=_names,
        metavar="NAME",
        help="scikit-learn's metrics, tuned and tested by the first: accuracy, roc_auc, r2, ...; "
        f"with --time {', '.join(SURVIVAL_METRICS)}",
    )
    folds.add_argument(
        "--methods",
        type=_names,
        metavar="NAMES",
        help="some of those below, with commas between them (default: all); single modalities are "
        "always there",
    )
    folds.add_argument("--fast", action="store_true", help="draw folds once, tune fewer values")
    folds.add_argument(
        "--subgroups",
        action="extend",
        type=_names,
        metavar="COLUMN",
        help="sexes, sites or the like: the report tells how good predictions are for each",
    )
    work = parser.add_argument_group("work")
    work.add_argument(
        "--jobs", type=_jobs, metavar="N", help="folds at the same time, -1 for one on each core"
    )
    work.add_argument(
        "--resume",
        type=_folder,
        metavar="FOLDER",
        help="keeps finished pieces: the same command goes on from there",
    )
    work.add_argument(
        "-o",
        "--output",
        type=_file(".html", ".md"),
        metavar="FILE",
        help="where to write the report, by its ending as .html or .md",
    )
    work.add_argument(
        "--json",
        type=_file(".json"),
        metavar="FILE",
        help="where to write all results and settings for other programs",
    )
    work.add_argument(
        "--predictions",
        type=_file(".csv", ".parquet"),
        metavar="FILE",
        help="where to write what every method says of the samples that it did not see",
    )


def _add_fit(parser: argparse.ArgumentParser) -> None:
    _add_kernel(_add_data(parser))
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--C",
        type=_number(0, "a positive number", closed=False),
        metavar="C",
        help="price of errors (default: chosen by cross-validation)",
    )
    machine.add_argument(
        "--p",
        type=_number(1, 'a number of at least 1, or "inf"', closed=True),
        default=1.0,
        metavar="P",
        help="norm of the kernel weights: 1 chooses few kernels, 2 weighs all, inf sums them "
        "(default: %(default)g)",
    )
    machine.add_argument(
        "--class-weight",
        choices=["none", "balanced"],
        default="none",
        help="balanced: errors of rare classes cost as many times more (default: %(default)s)",
    )
    own = "tell each of three classes or more from the others by kernel weights of its own"
    machine.add_argument("--per-class-weights", action="store_true", help=own)
    machine.add_argument(
        "--probabilities",
        action="store_true",
        help="of classes, calibrated on held-out folds; predict writes them",
    )
    folds = _add_folds(parser, "5, fewer where a class or the groups are small")
    folds.add_argument(
        "--metric",
        metavar="NAME",
        help="scikit-learn's metric that C is chosen by (default: neg_log_loss of "
        f"decision values with the best slope, or r2), or with --time {BRIER} "
        "or another one of its",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=_file(".skops"),
        required=True,
        metavar="FILE.skops",
        help="where to write the model",
    )


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        choices=["basic_motions", "mfeat"],
        default="basic_motions",
        help="data set (default: %(default)s)",
    )
    parser.add_argument(
        "--cv", type=_integer(2), default=5, metavar="FOLDS", help="folds (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=_integer(0, _LARGEST_SEED),
        default=0,
        metavar="SEED",
        help="seed of all folds and of the drawn samples (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        type=_integer(1),
        metavar="N",
        help="how many samples to draw (default: all 80 of basic_motions, 400 of mfeat's 2000)",
    )
    parser.add_argument(
        "--output",
        type=_file(".png"),
        default=_DEFAULT_PICTURE,
        metavar="FILE.png",
        help="where to draw the weights (default: %(default)s)",
    )
    parser.add_argument("--no-plot", action="store_true", help="draw nothing")
