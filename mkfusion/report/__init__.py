"""What a comparison looks like: sentences, tables, pages and pictures of a plain result."""

from mkfusion.report._figure import draw_scores
from mkfusion.report._html import as_html
from mkfusion.report._markdown import as_markdown
from mkfusion.report._result import (
    ALIKE,
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    CARRIES,
    FUSION_VERDICTS,
    INTERACT,
    INTERACTION_VERDICTS,
    Comparison,
    Conditions,
    Contributions,
    FoldScore,
    HeldOut,
    Interactions,
    PairedTest,
    Predictions,
    Result,
    Share,
    Summary,
)
from mkfusion.report._tables import Table, tables
from mkfusion.report._text import verdict_sentences
from mkfusion.report._words import format_number

__all__ = [
    "ALIKE",
    "BEST_FUSION",
    "BEST_SIMPLE",
    "BEST_SINGLE",
    "CARRIES",
    "FUSION_VERDICTS",
    "INTERACT",
    "INTERACTION_VERDICTS",
    "Comparison",
    "Conditions",
    "Contributions",
    "FoldScore",
    "HeldOut",
    "Interactions",
    "PairedTest",
    "Predictions",
    "Result",
    "Share",
    "Summary",
    "Table",
    "as_html",
    "as_markdown",
    "draw_scores",
    "format_number",
    "tables",
    "verdict_sentences",
]
