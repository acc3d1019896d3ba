"""The command line: ``python -m benchmarks [section ...] [--quick] [--out FOLDER]``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks._machine import describe
from benchmarks._report import Report

SECTIONS = (
    "roofline",
    "smo",
    "mkl",
    "search",
    "peers",
    "many_kernels",
    "many_samples",
    "large",
    "start",
    "predict",
    "path",
    "choice",
    "best_k",
    "emap",
    "missing",
    "privileged",
    "verdicts",
    "noise",
    "accuracy",
    "ten_noises",
    "members",
    "features",
    "certificates",
)
FIGURE = "figure"
RANKS = "accuracy.svg"


def main(arguments: list[str] | None = None) -> int:
    """Run some sections and return the exit status; a target that is missed is not a failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="section",
        help=f"any of {', '.join(SECTIONS)} (all by default), or {FIGURE}: the plots of results",
    )
    parser.add_argument("--quick", action="store_true", help="a small grid, for a first look")
    parser.add_argument(
        "--out", type=Path, help="folder to keep what is printed in, as text and CSV"
    )
    parser.add_argument(
        "--figure",
        type=Path,
        default=Path("docs/_static/benchmark.svg"),
        help=f"where the section figure draws, {RANKS} beside it (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.sections) - {*SECTIONS, FIGURE})
    if unknown:
        parser.error(f"unknown section {unknown[0]!r}; expected {', '.join((*SECTIONS, FIGURE))}")
    report = Report(options.out, options.quick)
    for name in [s for s in options.sections or SECTIONS if s != FIGURE]:
        module = import_module(f"benchmarks.{name}")
        report.section(name, module.__doc__ or "")
        for line in describe():
            report.say(line)
        report.say()
        module.run(report, module.QUICK if options.quick else module.FULL)
    if FIGURE in options.sections:
        from benchmarks.accuracy import draw_ranks
        from benchmarks.figure import draw

        results = options.out or Path("benchmarks/results")
        print(draw(results, options.figure))
        print(draw_ranks(results, options.figure.with_name(RANKS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
