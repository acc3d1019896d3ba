"""Which items of reporting guidelines a section has material for."""

from __future__ import annotations

from mkfusion.report._by_risk import BY_RISK
from mkfusion.report._held_out import BY_CLASS, CONFUSION, PREDICTIONS
from mkfusion.report._result import ALIKE, CARRIES, FEATURES, INFORMS, INTERACT

# Sections that are no tables.
GUIDELINES = "Reporting guidelines"
LIMITATIONS = "What limits these conclusions"
METHODS = "Methods, for a paper"
SUBGROUPS, LACKING = "By subgroup", "By missing modalities"

REFERENCES = (
    "Collins et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction models "
    "that use regression or machine learning methods. BMJ 385 (2024) e078378.",
    "Moons et al. PROBAST+AI: an updated quality, risk of bias, and applicability assessment tool "
    "for prediction models using regression or artificial intelligence methods. BMJ 388 (2025) "
    "e082505.",
    "Kapoor et al. REFORMS: consensus-based recommendations for machine-learning-based science. "
    "Science Advances 10 (2024) eadk3452.",
)

EXPLAINED = (
    "Marks below headings name items of reporting guidelines that a section has material for: "
    "TRIPOD+AI by its numbers, the modules of REFORMS, and the analysis domain of PROBAST+AI. "
    "Where data come from, who is in them and what predictions are for, only you can tell."
)

_PERFORMANCE = "TRIPOD+AI 12e, 23a · PROBAST+AI analysis · REFORMS 7 (metrics and uncertainty)"
_ITEMS = {
    "What was tested": "TRIPOD+AI 12e · REFORMS 7 (metrics and uncertainty)",
    "Scores": _PERFORMANCE,
    INFORMS: "TRIPOD+AI 12e · REFORMS 7 (metrics and uncertainty)",
    "Against the best single modality": _PERFORMANCE,
    "Against the best simple baseline": "TRIPOD+AI 12e · REFORMS 5 (modeling), 7 (metrics and "
    "uncertainty)",
    CARRIES: "TRIPOD+AI 12e · REFORMS 7 (metrics and uncertainty)",
    FEATURES: "TRIPOD+AI 12e · REFORMS 7 (metrics and uncertainty)",
    INTERACT: "TRIPOD+AI 12e · REFORMS 7 (metrics and uncertainty)",
    ALIKE: "REFORMS 3 (data quality)",
    PREDICTIONS: _PERFORMANCE,
    BY_RISK: _PERFORMANCE,
    CONFUSION: "TRIPOD+AI 23a · REFORMS 7 (metrics and uncertainty)",
    BY_CLASS: "TRIPOD+AI 23a · REFORMS 7 (metrics and uncertainty)",
    SUBGROUPS: "TRIPOD+AI 23a · REFORMS 7 (metrics and uncertainty)",
    LACKING: "TRIPOD+AI 11, 23a · PROBAST+AI analysis · REFORMS 3 (data quality)",
    "What was chosen": "TRIPOD+AI 12c · REFORMS 5 (modeling)",
    "Data": "TRIPOD+AI 11, 20b, 21 · REFORMS 3 (data quality)",
    "Settings": "TRIPOD+AI 12a, 18f · REFORMS 2 (computational reproducibility)",
    LIMITATIONS: "TRIPOD+AI 26 · REFORMS 8 (generalizability and limitations)",
    METHODS: "TRIPOD+AI 12a, 12c, 12e · PROBAST+AI analysis · REFORMS 5 (modeling), 6 (data "
    "leakage)",
}


def items_of(title: str) -> str:
    """Return which items a section has material for; "" for none.

    Parameters
    ----------
    title : str
        Of the section.

    Returns
    -------
    str
    """
    if title in _ITEMS or not title.startswith("By "):
        return _ITEMS.get(title, "")
    return _ITEMS[SUBGROUPS]
