"""Answers as rows of tables."""

from __future__ import annotations

from typing import Any

from mkfusion.report import PairedTest, Result


def tested(test: PairedTest, prefix: str = "") -> dict[str, float]:
    """Return what a test says, by names that may begin with a prefix."""
    return {f"{prefix}{name}": value for name, value in test._asdict().items()}


def information_records(result: Result) -> list[dict[str, Any]]:
    """Return p values of information for each modality; nothing where there is no answer."""
    found = result.information_
    if found is None:
        return []
    return [
        {"modality": name, "others_add": single, "adds": p, "adds_holm": adjusted}
        for name, single, p, adjusted in zip(
            found.modality_names,
            found.single_pvalues.tolist(),
            found.pvalues.tolist(),
            found.adjusted_pvalues.tolist(),
            strict=True,
        )
    ]


def contributions_records(result: Result) -> list[dict[str, Any]]:
    """Return Shapley values, one row for each modality; nothing where there is no answer."""
    found = result.contributions_
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


def features_records(result: Result) -> list[dict[str, Any]]:
    """Return every feature of the modality that carries it; nothing where there is no answer."""
    found = result.features_
    if found is None:
        return []
    rows = []
    for g, own in enumerate(found.members):
        for j in own:
            row: dict[str, Any] = {
                "modality": found.modality,
                "feature": found.feature_names[j],
                "group": g,
                "importance": float(found.importances[g]),
                "low": float(found.intervals[g, 0]),
                "high": float(found.intervals[g, 1]),
                "top_frequency": float(found.top_frequencies[g]),
                "coherence": float(found.coherences[g]),
            }
            for k, output in enumerate(found.outputs):
                row[f"pattern {output}"] = float(found.patterns[k, j])
                row[f"deviation {output}"] = float(found.pattern_deviations[k, j])
            rows.append(row)
    return rows


def interactions_records(result: Result) -> list[dict[str, Any]]:
    """Return the test of interactions, in one row; nothing where there is no answer."""
    found = result.interactions_
    if found is None:
        return []
    row = {"p_value": found.p_value, "verdict": found.verdict, "reason": found.reason}
    if found.projected is not None:
        row |= {
            "model": found.projected.model.mean(),
            "projection": found.projected.projection.mean(),
            **tested(found.projected.test, "metric_"),
        }
    return [row]
