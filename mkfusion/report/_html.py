"""The report as one HTML file, which loads nothing."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from mkfusion.report._paragraph import paragraph
from mkfusion.report._result import HELPS, LOWER, Result
from mkfusion.report._svg import contributions_svg, differences_svg, scores_svg
from mkfusion.report._tables import Table, tables
from mkfusion.report._text import verdict_sentences

# Letters of a cell that stays on one line.
_SHORT = 20
# Classes of report.css.
_VERDICT_CLASSES = {HELPS: "helps", LOWER: "lower"}


def as_html(result: Result, title: str) -> str:
    """Return the page.

    Parameters
    ----------
    result : Result
    title : str

    Returns
    -------
    str
    """
    here = files("mkfusion.report")
    text, references = paragraph(result)
    pictures = "\n".join(
        f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
        for picture, caption in _pictures(result)
    )
    sections = "\n".join(_section(i, table) for i, table in enumerate(tables(result)))
    # What is put in is not read again: users' dollars stay dollars.
    return Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=here.joinpath("report.css").read_text(encoding="utf-8"),
        kind=_VERDICT_CLASSES.get(result.verdict_.verdict, "undecided"),
        sentences="\n".join(f"<p>{escape(one)}</p>" for one in verdict_sentences(result)),
        pictures=pictures,
        sections=sections,
        paragraph=escape(text),
        references="\n".join(f"<li>{escape(one)}</li>" for one in references),
    )


def _pictures(result: Result) -> list[tuple[str, str]]:
    metric = result.conditions_.metrics[0]
    made = [
        (
            scores_svg(result),
            f"{metric} on held-out samples: points are folds, squares means, bars their "
            "intervals. Dashed: the best single modality.",
        ),
        (
            differences_svg(result),
            f"{result.conditions_.loss.capitalize()} saved against the best single modality, fold "
            "by fold: right of the dashed line fusion is better. The numbers are in the tables "
            "below.",
        ),
    ]
    if result.contributions_ is not None:
        made.append(
            (
                contributions_svg(result.contributions_, metric),
                f"Contribution of each modality to {metric} (Shapley values), fold by fold. "
                "Dashed: nothing.",
            )
        )
    return made


def _section(index: int, table: Table) -> str:
    heading = f'<h2 id="table{index}">{escape(table.title)}</h2>'
    # Keyboards must reach what scrolls; a region needs a name.
    drawn = (
        f'<div class="scroll" role="region" aria-labelledby="table{index}" tabindex="0">\n'
        f"{_table(table)}\n</div>"
    )
    if table.long:
        drawn = f"<details>\n<summary>Show the table</summary>\n{drawn}\n</details>"
    return f'<section aria-labelledby="table{index}">\n{heading}\n{drawn}\n</section>'


def _cell(text: str) -> str:
    # An interval reads badly in three lines.
    short = ' class="short"' if len(text) <= _SHORT else ""
    return f"<td{short}>{escape(text)}</td>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(_cell(cell) for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f"<table>\n<caption><span>{escape(table.caption)}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )
