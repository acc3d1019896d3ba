"""The report in Markdown."""

from __future__ import annotations

import re

from mkfusion.report._guidelines import LIMITATIONS
from mkfusion.report._limits import limitations
from mkfusion.report._paragraph import paragraph
from mkfusion.report._result import Result
from mkfusion.report._table import Table
from mkfusion.report._tables import tables
from mkfusion.report._text import verdict_sentences


def as_markdown(result: Result) -> str:
    """Return the report.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        GitHub's flavour.
    """
    first, *rest = verdict_sentences(result)
    text, references = paragraph(result)
    blocks = ["# Does fusing help?", f"**{_escaped(first)}** {_escaped(' '.join(rest))}"]
    blocks += [_table(table) for table in tables(result) if not table.long]
    limits = "\n".join(f"- {_escaped(one)}" for one in limitations(result))
    blocks += [f"## {LIMITATIONS}", limits, "## Methods", _escaped(text), "## References"]
    blocks.append("\n".join(f"{i + 1}. {_escaped(one)}" for i, one in enumerate(references)))
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    lines = [[_escaped(cell) for cell in table.header], ["---"] * len(table.header)]
    lines += [[_escaped(cell) for cell in row] for row in table.rows]
    drawn = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {_escaped(table.title)}\n\n{_escaped(table.caption)}\n\n{drawn}"


def _escaped(text: str) -> str:
    """Let users' words mean nothing in Markdown or HTML, and stay on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
