"""The report as one HTML file, which loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from mkfusion.report._by_risk import BY_RISK, by_risk_pictures
from mkfusion.report._curves import held_out_pictures
from mkfusion.report._guidelines import (
    EXPLAINED,
    GUIDELINES,
    LIMITATIONS,
    METHODS,
    REFERENCES as GUIDELINE_REFERENCES,
    items_of,
)
from mkfusion.report._held_out import PREDICTIONS, WEIGHTS
from mkfusion.report._limits import EVENTS_REFERENCE, limitations
from mkfusion.report._paragraph import paragraph
from mkfusion.report._result import HELPS, LOWER, Result
from mkfusion.report._svg import contributions_svg, differences_svg, scores_svg, weights_svg
from mkfusion.report._table import Table
from mkfusion.report._tables import tables
from mkfusion.report._text import verdict_sentences

# Letters of a cell that stays on one line.
_SHORT = 20
# Columns of a table that is too wide for a phone, and for a tablet.
_WIDE, _WIDER = 2, 5
# Classes of report.css.
_VERDICT_CLASSES = {HELPS: "helps", LOWER: "lower"}
_Pictures = Sequence[tuple[str, str]]


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
    pictures = {
        PREDICTIONS: held_out_pictures(result),
        BY_RISK: by_risk_pictures(result),
        WEIGHTS: _weights(result),
    }
    sections = "\n".join(
        _section(i, table, pictures.get(table.title, ())) for i, table in enumerate(tables(result))
    )
    # What is put in is not read again: users' dollars stay dollars.
    return Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=here.joinpath("report.css").read_text(encoding="utf-8"),
        kind=_VERDICT_CLASSES.get(result.verdict_.verdict, "undecided"),
        sentences="\n".join(f"<p>{escape(one)}</p>" for one in verdict_sentences(result)),
        pictures=_drawn(_at_a_glance(result)),
        sections=sections,
        limitations_title=escape(LIMITATIONS),
        limitations_items=_items(LIMITATIONS),
        limitations=_listed(limitations(result)),
        methods_title=escape(METHODS),
        methods_items=_items(METHODS),
        paragraph=escape(text),
        references=_listed(references),
        guidelines_title=escape(GUIDELINES),
        guidelines=escape(EXPLAINED),
        guidelines_references=_listed([*GUIDELINE_REFERENCES, EVENTS_REFERENCE]),
    )


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"<li>{escape(one)}</li>" for one in texts)


def _items(title: str) -> str:
    """Return which items of guidelines a section has material for."""
    items = items_of(title)
    return f'<p class="items">{escape(items)}</p>' if items else ""


def _drawn(pictures: _Pictures) -> str:
    return "\n".join(
        f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
        for picture, caption in pictures
    )


def _weights(result: Result) -> _Pictures:
    if not result.weights_:
        return ()
    caption = (
        "Shares of the kernel weights: points are folds, squares means, bars from the least to the "
        "largest. Dashed: all alike. A weight is not importance."
    )
    return [(weights_svg(result), caption)]


def _at_a_glance(result: Result) -> _Pictures:
    metric, loss = result.conditions_.metrics[0], result.conditions_.loss
    made = [
        (
            scores_svg(result),
            f"{metric} on held-out samples: points are folds, squares means, bars their "
            "intervals. Dashed: the best single modality"
            + (
                ". Dotted: knowing nothing."
                if any(one.kind == "baseline" for one in result.summary_)
                else "."
            ),
        ),
        (
            differences_svg(result),
            f"{loss[0].upper()}{loss[1:]} saved against the best single modality, fold "
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


def _section(index: int, table: Table, pictures: _Pictures) -> str:
    heading = f'<h2 id="table{index}">{escape(table.title)}</h2>\n{_items(table.title)}'
    drawn = f'<div class="pictures some">\n{_drawn(pictures)}\n</div>\n' if pictures else ""
    # Keyboards must reach what scrolls; a region needs a name. A phone shows some of the columns.
    kind = "hint wider" if len(table.header) > _WIDER else "hint"
    hint = f'<p class="{kind}">Scroll the table sideways for all its columns.</p>\n'
    drawn += (
        f"{hint if len(table.header) > _WIDE else ''}"
        f'<div class="scroll" role="region" aria-labelledby="table{index}" tabindex="0">\n'
        f"{_table(table)}\n</div>"
    )
    if table.long:
        drawn = f"<details>\n<summary>Show the table</summary>\n{drawn}\n</details>"
    return f'<section aria-labelledby="table{index}">\n{heading}\n{drawn}\n</section>'


def _cell(text: str) -> str:
    # An interval reads badly in three lines; below its number it needs less room.
    value, bracket, interval = text.partition(" (")
    if bracket and len(value) <= _SHORT and interval.endswith(")") and " to " in interval:
        return f'<td class="number">{escape(value)} <span>({escape(interval)}</span></td>'
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
    pairs = ' class="pairs"' if len(table.header) == 2 else ""
    caption = f"<caption><span>{escape(table.caption)}</span></caption>"
    return (
        f"<table{pairs}>\n{caption}\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )
