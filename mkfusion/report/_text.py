"""What was found, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mkfusion._types import Floats
from mkfusion.report._by_risk import by_risk_sentence
from mkfusion.report._features import feature_sentence
from mkfusion.report._result import (
    BEST_FUSION,
    BEST_SINGLE,
    COMPLEMENTARY,
    HELPS,
    INFORMS,
    LOWER,
    NOTHING,
    PRACTICALLY_NONE,
    UNDECIDED,
    Added,
    Conditions,
    Contributions,
    Interactions,
    Result,
)
from mkfusion.report._trust import audit_sentences, plain_sentences
from mkfusion.report._words import (
    format_count,
    format_effect,
    format_interval,
    format_number,
    format_p_relation,
)

_HEADS = {
    HELPS: "Fusion helps.",
    COMPLEMENTARY: "The modalities are complementary, but fusion is not surely better with {n} "
    "samples.",
    UNDECIDED: "Undecided whether fusion helps.",
    PRACTICALLY_NONE: "Fusion makes practically no difference.",
    LOWER: "Fusion is lower with this many samples.",
}
# Stands wherever something was not found.
ABSENCE = "No evidence is not evidence of absence."

_PERFECT_AT_ONE = ("accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "r2")
# Modalities that a sentence names.
_MOST_NAMED = 3


def verdict_sentences(result: Result) -> list[str]:
    """Return the verdict, what it rests on, and what to bear in mind."""
    found, conditions = result.verdict_, result.conditions_
    sentences = [
        _HEADS[found.verdict].format(n=len(conditions.y)),
        _informed(result),
        _predicted(result),
        _by_the_metric(result),
        _power(result),
    ]
    metric = conditions.metrics[0]
    if metric.startswith(_PERFECT_AT_ONE) and (result.scores(BEST_SINGLE) == 1).all():
        sentences.append(
            f"The {BEST_SINGLE} makes no error on any fold: these data cannot show whether fusion "
            "helps."
        )
    if found.verdict in (COMPLEMENTARY, UNDECIDED):
        sentences.append(ABSENCE)
    return [
        *(one for one in sentences if one),
        *answer_sentences(result),
        *plain_sentences(result),
        *audit_sentences(result),
    ]


def information_sentences(
    added: Added | str, interacting: Any, conditions: Conditions
) -> list[str]:
    """Return what the tests of information say.

    Parameters
    ----------
    added : Added or str
        Or why it was not tested.
    interacting : object or str
        With a `pvalue`; or why it was not tested.
    conditions : Conditions

    Returns
    -------
    list of str
    """
    alpha = conditions.alpha
    if isinstance(added, str):
        return [f"Information was not tested: {added.rstrip('.')}."]
    sentences = [_information(added, alpha)]
    if not isinstance(interacting, str):
        sentences.append(f"{_interacting(interacting.pvalue, alpha)}.")
    warnings = [] if isinstance(interacting, str) else interacting.warnings
    return [*sentences, *dict.fromkeys([*added.warnings, *warnings])]


def _informed(result: Result) -> str:
    conditions = result.conditions_
    if result.information_ is None:
        reason = result.not_answered_[INFORMS].rstrip(".")
        return f"Information was not tested, so that prediction is the one claim: {reason}."
    return " ".join(
        [_information(result.information_, conditions.alpha), *result.information_.warnings]
    )


def _information(found: Added, alpha: float) -> str:
    """Say whether no single modality says all, and which add to all others."""
    names, p = list(found.modality_names), f"p {format_p_relation(found.pvalue)}"
    sure = found.pvalue < alpha
    if len(names) == 2:
        what = "each modality says of the target what this kernel of the other does not"
        if sure:
            return f"Information: {what} ({p})."
        adding = _adding(names, found.adjusted_pvalues, alpha)
        return f"Information: no evidence that {what} ({p}){adding}."
    if sure:
        what = (
            "no single modality says all: for each of them, the others together add something "
            "beyond what its kernel says"
        )
    else:
        what = "no evidence that no single modality says all"
    return f"Information: {what} ({p}){_adding(names, found.adjusted_pvalues, alpha)}."


def _adding(names: Sequence[str], adjusted: Floats, alpha: float) -> str:
    """Say which modalities add to all others."""
    adds = [
        f"{name} adds to all others (p {format_p_relation(p)}, Holm)"
        for name, p in zip(names, adjusted, strict=True)
        if p < alpha
    ]
    return f"; {', '.join(adds)}" if adds else ""


def _predicted(result: Result) -> str:
    """Say how much better fusion predicts, by what is tested."""
    found, conditions = result.verdict_, result.conditions_
    means = [result.losses(one).mean() for one in (BEST_FUSION, BEST_SINGLE, NOTHING)]
    if not np.isfinite(means).all():
        return (
            f"Prediction: {conditions.loss} cannot be had of the {BEST_FUSION} and the "
            f"{BEST_SINGLE} on all folds, so that nothing is claimed of it."
        )
    fusion, single, nothing = (format_number(value) for value in means)
    reference = "knowing nothing" if found.reference == NOTHING else f"the {BEST_SINGLE}"
    unit = " (1 is the variance of the target)" if conditions.task == "regression" else ""
    sentence = (
        f"Prediction: on held-out samples the {conditions.loss}{unit} of the {BEST_FUSION} is "
        f"{fusion}, that of the {BEST_SINGLE} {single}, of knowing nothing {nothing}; methods are "
        f"chosen anew within the training samples of every fold. Against {reference} it saves "
        f"{format_effect(found.test, conditions.alpha)}; one-sided p "
        f"{format_p_relation(found.p_value)}, corrected resampled t-test on "
        f"{len(conditions.folds)} folds."
    )
    if found.reference == NOTHING:
        sentence += (
            f" That is the reference which is less surely beaten: against the {BEST_SINGLE} it "
            f"saves {format_effect(found.single, conditions.alpha)}; p "
            f"{format_p_relation(found.single.p_value)}."
        )
    seen = found.p_value < conditions.alpha and found.test.low > 0
    if seen and found.verdict == UNDECIDED:
        sentence += (
            " That would be better, but it is claimed only where the modalities were found to say "
            "what the others do not: a machine may gain from a better fit to one of them."
        )
    return sentence


def _by_the_metric(result: Result) -> str:
    found, conditions = result.verdict_, result.conditions_
    metric = conditions.metrics[0]
    fusion, single = (result.scores(one).mean() for one in (BEST_FUSION, BEST_SINGLE))
    # No accuracy without the majority rate beside it.
    nothing = [one.means[metric] for one in result.summary_ if one.kind == "baseline"]
    beside = "".join(f", {format_number(one)} of knowing nothing" for one in nothing)
    sentence = (
        f"The mean {metric} is {format_number(fusion)}, {format_number(single)} of the "
        f"{BEST_SINGLE}{beside}: difference to the {BEST_SINGLE} "
        f"{format_effect(found.metric, conditions.alpha)}."
    )
    if conditions.sesoi is not None:
        relation = "below" if found.metric.high < conditions.sesoi else "not surely below"
        sentence += (
            f" It is {relation} {conditions.sesoi:g}, the smallest difference of interest (sesoi)."
        )
    if found.verdict == HELPS and found.metric.high < 0:
        sentence += f" By {metric} alone fusion is lower."
    return sentence


def _power(result: Result) -> str:
    """Say what could have been seen, and how many samples what was seen would need."""
    found, conditions = result.verdict_, result.conditions_
    test, n = found.test, len(conditions.y)
    if np.isnan(test.detectable):
        return ""
    metric = found.metric.detectable
    beside = "" if np.isnan(metric) else f" ({format_number(metric)} of {conditions.metrics[0]})"
    sentence = (
        f"With these {n} samples and folds, {format_number(test.detectable)} less "
        f"{conditions.loss}{beside} would be found four times in five"
    )
    if not np.isfinite(found.n_needed):
        return f"{sentence}; what was seen is no gain, so that no number of samples is told."
    return f"{sentence}; what was seen would need about {format_count(found.n_needed)} samples."


def answer_sentences(result: Result) -> list[str]:
    """Return one sentence for each question that there is an answer to."""
    sentences = []
    if result.contributions_ is not None:
        sentences.append(_who_carries(result, result.contributions_))
    if result.features_ is not None:
        sentences.append(feature_sentence(result, result.features_))
    if result.interactions_ is not None:
        sentences.append(_do_they_interact(result, result.interactions_))
    if told := by_risk_sentence(result):
        sentences.append(told)
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


def _interacting(p: float, alpha: float) -> str:
    relation = format_p_relation(p)
    if p < alpha:
        return f"The modalities interact (p {relation})"
    return (
        f"No evidence that the modalities interact (p {relation}), which is no evidence that they "
        "only add up"
    )


def _do_they_interact(result: Result, found: Interactions) -> str:
    alpha = result.conditions_.alpha
    if found.reason:
        said = f"Whether the modalities interact was not tested: {found.reason.rstrip('.')}"
    else:
        said = _interacting(found.p_value, alpha)
    projected = found.projected
    if projected is None:
        return f"{said}."
    scores = f"{said}. Kernel sum and products scores {format_number(projected.model.mean())}"
    if (projected.model == projected.projection).all():
        # An interval of no width would look like certainty.
        return (
            f"{scores}, and on every fold the same without its interactions; test samples are few, "
            "or there is nothing left to explain."
        )
    return (
        f"{scores}, what is left of it without interactions "
        f"{format_number(projected.projection.mean())}; difference "
        f"{format_effect(projected.test, alpha)}."
    )
