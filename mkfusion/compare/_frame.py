"""Results as rows of named values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkfusion.compare._comparison import FusionComparison


def records(comparison: FusionComparison, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table.

    Parameters
    ----------
    comparison : FusionComparison
    table : {"summary", "folds", "comparisons", "contributions", "interactions"}

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If there is no such table.
    """
    makers = {
        "summary": _summary,
        "folds": _folds,
        "comparisons": _comparisons,
        "contributions": _contributions,
        "interactions": _interactions,
    }
    if table not in makers:
        raise ValueError(f"table is {table!r}; expected one of {list(makers)}.")
    return makers[table](comparison)


def _summary(comparison: FusionComparison) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in comparison.summary_:
        row: dict[str, Any] = {"method": one.method, "kind": one.kind}
        for metric, mean in one.means.items():
            low, high = one.lows[metric], one.highs[metric]
            row |= {metric: mean, f"{metric}_low": low, f"{metric}_high": high}
        row |= {"seconds": one.seconds, "n_unconverged": one.n_unconverged, "reason": ""}
        rows.append(row)
    reasons = comparison.not_applicable_.items()
    return rows + [{"method": m, "kind": "not applicable", "reason": why} for m, why in reasons]


def _folds(comparison: FusionComparison) -> list[dict[str, Any]]:
    sizes = [(len(train), len(test)) for train, test in comparison.conditions_.folds]
    return [
        {
            "method": score.method,
            "fold": score.fold,
            **score.scores,
            "inner_score": score.inner_score,
            "params": score.params,
            "seconds": score.seconds,
            "n_unconverged": score.n_unconverged,
            "n_train": sizes[score.fold - 1][0],
            "n_test": sizes[score.fold - 1][1],
        }
        for score in comparison.results_
    ]


def _comparisons(comparison: FusionComparison) -> list[dict[str, Any]]:
    found = [comparison.verdict_, *comparison.comparisons_]
    return [
        {
            "method": one.method,
            "reference": one.reference,
            **one.test._asdict(),
            "p_adjusted": one.p_adjusted,
            "verdict": one.verdict,
        }
        for one in found
    ]


def _contributions(comparison: FusionComparison) -> list[dict[str, Any]]:
    found = comparison.contributions_
    if found is None:
        return []
    return [
        {
            "modality": one.modality,
            "contribution": one.mean,
            "low": one.low,
            "high": one.high,
            "alone": one.alone,
            "last": one.last,
        }
        for one in found.modalities
    ]


def _interactions(comparison: FusionComparison) -> list[dict[str, Any]]:
    found = comparison.interactions_
    if found is None:
        return []
    return [
        {
            "model": found.model.mean(),
            "projection": found.projection.mean(),
            **found.test._asdict(),
            "verdict": found.verdict,
        }
    ]
