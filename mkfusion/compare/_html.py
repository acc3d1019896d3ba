"""The report as one HTML file, which loads nothing."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mkfusion.compare._paragraph import paragraph
from mkfusion.compare._statistics import HELPS, HURTS
from mkfusion.compare._svg import contributions_svg, differences_svg, scores_svg
from mkfusion.compare._tables import tables, verdict_sentences
from mkfusion.compare._words import Table

if TYPE_CHECKING:
    from mkfusion.compare._comparison import FusionComparison


# Letters of a cell that stays on one line.
_SHORT = 20

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --wash: #f3f5f8;
  --baseline: #6e7781; --single: #9a5b00; --fusion: #0b57c2; --chosen: #7a2fa3;
  --helps: #116329; --hurts: #b3261e; --undecided: #57606a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e8ecf1; --soft: #a5b0bd; --line: #3a434e; --wash: #1d232a;
    --baseline: #a5b0bd; --single: #f0b35a; --fusion: #7cb3ff; --chosen: #d3a1f0;
    --helps: #6fdc8c; --hurts: #ff9d95; --undecided: #a5b0bd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p, li, .figure-text { max-width: 44rem; }
.verdict { border-left: .4rem solid var(--undecided); background: var(--wash); padding: 1rem; }
.verdict.helps { border-color: var(--helps); }
.verdict.hurts { border-color: var(--hurts); }
.verdict p { margin: .3rem 0; }
.verdict p:first-child { font-size: 1.35rem; font-weight: 650; }
.pictures {
  display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  grid-template-rows: auto 1fr;
}
figure { margin: 0; }
@media (min-width: 54rem) { figure:first-child { grid-row: 1 / span 2; } }
figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 100%; height: auto; max-width: 30rem; }
svg { font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
svg .tick { text-anchor: middle; fill: var(--soft); font-size: 11px; }
svg .value { text-anchor: end; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: .6; }
svg .reference { stroke: var(--single); stroke-width: 1.2; stroke-dasharray: 4 3; }
svg .point { fill: var(--soft); opacity: .55; }
svg .bar { stroke-width: 2.4; stroke: var(--fusion); }
svg .mean { fill: var(--fusion); }
svg .baseline { stroke: var(--baseline); } svg .mean.baseline { fill: var(--baseline); }
svg .single { stroke: var(--single); } svg .mean.single { fill: var(--single); }
svg .chosen { stroke: var(--chosen); } svg .mean.chosen { fill: var(--chosen); }
svg .mean { stroke: none; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .3rem; }
.scroll:focus-visible, summary:focus-visible { outline: 3px solid var(--fusion); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--soft); padding: .6rem .7rem; }
caption span {
  display: block; position: sticky; left: .7rem; max-width: min(44rem, calc(100vw - 3.6rem));
}
th, td {
  padding: .35rem .7rem; text-align: left; border-top: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal;
}
th { font-weight: 600; }
td { font-variant-numeric: tabular-nums; }
td.short { white-space: nowrap; }
td:not(.short) { min-width: 7rem; }
th[scope="row"] { font-weight: 500; min-width: 8.5rem; overflow-wrap: anywhere; }
thead th { background: var(--wash); }
summary { cursor: pointer; padding: .4rem 0; }
@media print { body { max-width: none; } .scroll { overflow: visible; border: 0; } }
"""


def as_html(comparison: FusionComparison, title: str) -> str:
    """Return the page.

    Parameters
    ----------
    comparison : FusionComparison
    title : str

    Returns
    -------
    str
    """
    first, *rest = verdict_sentences(comparison)
    kind = {HELPS: "helps", HURTS: "hurts"}.get(comparison.verdict_.verdict, "undecided")
    text, references = paragraph(comparison)
    said = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in [first, *rest])
    pictures = "\n".join(
        f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
        for picture, caption in _pictures(comparison)
    )
    sections = "\n".join(_section(i, table) for i, table in enumerate(tables(comparison)))
    listed = "\n".join(f"<li>{escape(reference)}</li>" for reference in references)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<div class="verdict {kind}">
{said}
</div>
<section aria-labelledby="pictures">
<h2 id="pictures">At a glance</h2>
<div class="pictures">
{pictures}
</div>
</section>
{sections}
<section aria-labelledby="methods">
<h2 id="methods">Methods, for a paper</h2>
<p>{escape(text)}</p>
<h3>References</h3>
<ol>
{listed}
</ol>
</section>
</main>
</body>
</html>
"""


def _pictures(comparison: FusionComparison) -> list[tuple[str, str]]:
    metric = comparison.conditions_.metrics[0]
    made = [
        (
            scores_svg(comparison),
            f"{metric} on held-out samples: points are folds, squares means, bars their "
            "intervals. Dashed: the best single modality.",
        ),
        (
            differences_svg(comparison),
            "Difference to the best single modality, fold by fold: right of the dashed line "
            "fusion is better. The numbers are in the tables below.",
        ),
    ]
    if comparison.contributions_ is not None:
        made.append(
            (
                contributions_svg(comparison.contributions_, metric),
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
