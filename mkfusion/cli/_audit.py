"""``mkfusion audit``, and what ``mkfusion compare`` says of the data before it begins."""

from __future__ import annotations

import argparse
import sys

from mkfusion.cli._cells import without_formulas
from mkfusion.cli._console import Report
from mkfusion.cli._errors import as_usage_errors, one_line, output
from mkfusion.cli._samples import load_samples
from mkfusion.compare import audit_target
from mkfusion.inspection import DataAudit

_STYLES = {"serious": "bold red", "warning": "bold yellow", "note": ""}
# Lines before a comparison; the report has all.
_MOST_LINES = 5


def audit(options: argparse.Namespace) -> None:
    """Say whether the data in some files can be trusted.

    Parameters
    ----------
    options : argparse.Namespace

    Raises
    ------
    UsageError
        If the data or the options are not for it.
    """
    samples = load_samples(options, least=0)
    with as_usage_errors(TypeError, ValueError):
        found = audit_target(
            samples.X,
            samples.y,
            task=samples.task,
            groups=samples.groups,
            batch=samples.batch,
            ids=samples.names,
            aside=samples.unused,
        ).with_findings(samples.findings)
    report = Report()
    report.say(found.summary(), "bold")
    for one in found.findings:
        report.say()
        report.say(f"{one.level}: {one.what}", _STYLES[one.level])
        report.say(one.advice)
    for what, why in found.unchecked.items():
        report.say()
        report.say(f"not looked for: {what}: {why}")
    if options.output is not None:
        table = without_formulas(found.to_frame())
        with output(options.output) as file:
            table.to_csv(file, index=False)
        report.say()
        report.path("Findings written to", options.output)


def say_before(found: DataAudit) -> None:
    """Say on standard error what is more than a note, in a few lines.

    Parameters
    ----------
    found : DataAudit
    """
    worst = [one for one in found.findings if one.level != "note"]
    for one in worst[:_MOST_LINES]:
        line = one_line(f"audit: {one.level}: {one.what} {one.advice}")
        print(line, file=sys.stderr)
    if len(worst) > _MOST_LINES:
        print(f"audit: {len(worst) - _MOST_LINES} more, see mkfusion audit", file=sys.stderr)
