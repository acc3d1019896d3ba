"""What was found, in sentences."""

from __future__ import annotations

import numpy as np

from mkfusion.report._result import (
    BEST_FUSION,
    BEST_SINGLE,
    FUSION_VERDICTS,
    INTERACTION_VERDICTS,
    Contributions,
    Interactions,
    Result,
)
from mkfusion.report._trust import audit_sentences, plain_sentences
from mkfusion.report._words import (
    format_effect,
    format_interval,
    format_number,
    format_p_relation,
)

_FUSION_HEADS = dict(
    zip(
        FUSION_VERDICTS,
        ("Fusion helps.", "No evidence that fusion helps.", "Fusion hurts."),
        strict=True,
    )
)
_INTERACTION_HEADS = dict(
    zip(
        INTERACTION_VERDICTS,
        (
            "Interactions between modalities help",
            "No evidence that interactions between modalities help",
            "Interactions between modalities hurt",
        ),
        strict=True,
    )
)

_PERFECT_AT_ONE = ("accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "r2")
# Modalities that a sentence names.
_MOST_NAMED = 3


def verdict_sentences(result: Result) -> list[str]:
    """Return the verdict, with effect size and interval, and what to bear in mind."""
    found = result.verdict_
    conditions = result.conditions_
    metric = conditions.metrics[0]
    fusion, single = result.scores(BEST_FUSION), result.scores(BEST_SINGLE)
    name = (
        "corrected resampled t-test"
        if conditions.test == "corrected_t"
        else "Wilcoxon's signed-rank test"
    )
    sentences = [
        _FUSION_HEADS[found.verdict],
        f"On held-out samples the mean {metric} of the {BEST_FUSION} is "
        f"{format_number(fusion.mean())}, that of the {BEST_SINGLE} "
        f"{format_number(single.mean())}; each is chosen anew within the training samples of "
        "every fold.",
        f"Difference {format_effect(found.test, conditions.alpha)}, p "
        f"{format_p_relation(found.test.p_value)}; {name} on {len(conditions.folds)} folds.",
    ]
    perfect = metric.startswith(_PERFECT_AT_ONE) and (single == 1).all()
    if perfect:
        sentences.append(
            f"The {BEST_SINGLE} makes no error on any fold: these data cannot show whether fusion "
            "helps."
        )
    if conditions.test == "wilcoxon" and np.isinf(found.test.low):
        sentences.append(
            f"{len(conditions.folds)} folds are too few for this test to find anything at "
            f"alpha = {conditions.alpha:g}."
        )
    return sentences + answer_sentences(result) + plain_sentences(result) + audit_sentences(result)


def answer_sentences(result: Result) -> list[str]:
    """Return one sentence for each question that there is an answer to."""
    sentences = []
    if result.contributions_ is not None:
        sentences.append(_who_carries(result, result.contributions_))
    if result.interactions_ is not None:
        sentences.append(_do_they_interact(result, result.interactions_))
    return sentences


def _who_carries(result: Result, found: Contributions) -> str:
    level = f"{1 - result.conditions_.alpha:.0%} interval"
    if found.low <= 0:
        return (
            "Which modality carries it cannot be told: the uniform kernel sum of all is not surely "
            f"better than knowing nothing (difference {format_number(found.total, sign=True)}, "
            f"{level} {format_interval(found.low, found.high, sign=True)})."
        )
    gained = format_number(found.total)
    whole = f"of the {gained} that the uniform kernel sum of all gains over knowing nothing"
    ranked = sorted(found.modalities, key=lambda one: -one.mean)
    first = ranked[0]
    size = f"{format_number(first.mean)} ({level} {format_interval(first.low, first.high)})"
    if found.clear and first.mean < found.total:
        return f"{first.modality} carries most: {size} {whole}."
    if found.clear:  # more than there is: others take from it
        return (
            f"{first.modality} carries it: {size}, where the uniform kernel sum of all gains "
            f"{gained} over knowing nothing."
        )
    named = [f"{format_number(one.mean)} by {one.modality}" for one in ranked[:_MOST_NAMED]]
    if len(ranked) > _MOST_NAMED:
        others = sum(one.mean for one in ranked[_MOST_NAMED:])
        named.append(f"{format_number(others)} by the others")
    return f"No modality surely carries most: {', '.join(named[:-1])} and {named[-1]}, {whole}."


def _do_they_interact(result: Result, found: Interactions) -> str:
    scores = (
        f"{_INTERACTION_HEADS[found.verdict]}: kernel sum and products scores "
        f"{format_number(found.model.mean())}"
    )
    if (found.model == found.projection).all():
        # An interval of no width would look like certainty.
        return (
            f"{scores}, and on every fold the same without its interactions; test samples are few, "
            "or there is nothing left to explain."
        )
    return (
        f"{scores}, what is left of it without interactions "
        f"{format_number(found.projection.mean())}; difference "
        f"{format_effect(found.test, result.conditions_.alpha)}, p "
        f"{format_p_relation(found.test.p_value)}."
    )
