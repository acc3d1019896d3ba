"""Words and tables on which modality carries it, whether they interact, and how alike they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mkfusion.compare._interactions import INTERACTING
from mkfusion.compare._words import Table, effect, equals, interval, number, p_text

if TYPE_CHECKING:
    from mkfusion.compare._comparison import FusionComparison
    from mkfusion.compare._contributions import Contributions


# Modalities that a sentence names.
_MOST_NAMED = 3


def answer_sentences(comparison: FusionComparison) -> list[str]:
    """Return one sentence for each question that there is an answer to."""
    said = []
    if comparison.contributions_ is not None:
        said.append(_who_carries(comparison, comparison.contributions_))
    if comparison.interactions_ is not None:
        said.append(_do_they_interact(comparison))
    return said


def _who_carries(comparison: FusionComparison, found: Contributions) -> str:
    level = f"{1 - comparison.conditions_.alpha:.0%} interval"
    if found.low <= 0:
        return (
            "Which modality carries it cannot be told: the uniform kernel sum of all is not surely "
            f"better than knowing nothing (difference {number(found.total, sign=True)}, {level} "
            f"{interval(found.low, found.high, sign=True)})."
        )
    gained = number(found.total)
    whole = f"of the {gained} that the uniform kernel sum of all gains over knowing nothing"
    ranked = sorted(found.modalities, key=lambda one: -one.mean)
    first = ranked[0]
    size = f"{number(first.mean)} ({level} {interval(first.low, first.high)})"
    if found.clear and first.mean < found.total:
        return f"{first.modality} carries most: {size} {whole}."
    if found.clear:  # more than there is: others take from it
        return (
            f"{first.modality} carries it: {size}, where the uniform kernel sum of all gains "
            f"{gained} over knowing nothing."
        )
    named = [f"{number(one.mean)} by {one.modality}" for one in ranked[:_MOST_NAMED]]
    if len(ranked) > _MOST_NAMED:
        named.append(f"{number(sum(one.mean for one in ranked[_MOST_NAMED:]))} by the others")
    return f"No modality surely carries most: {', '.join(named[:-1])} and {named[-1]}, {whole}."


def _do_they_interact(comparison: FusionComparison) -> str:
    found = comparison.interactions_
    assert found is not None
    head = dict(
        zip(
            INTERACTING,
            (
                "Interactions between modalities help",
                "No evidence that interactions between modalities help",
                "Interactions between modalities hurt",
            ),
            strict=True,
        )
    )[found.verdict]
    if (found.model == found.projection).all():
        # An interval of no width would look like certainty.
        return (
            f"{head}: kernel sum and products scores {number(found.model.mean())}, and on every "
            "fold the same without its interactions; test samples are few, or there is nothing "
            "left to explain."
        )
    return (
        f"{head}: kernel sum and products scores {number(found.model.mean())}, what is left of it "
        f"without interactions {number(found.projection.mean())}; difference "
        f"{effect(found.test, comparison.conditions_.alpha)}, p {equals(found.test.p_value)}."
    )


def answer_tables(comparison: FusionComparison) -> list[Table]:
    """Return the tables of what there is an answer to."""
    made = []
    if comparison.contributions_ is not None:
        made.append(_contributions(comparison, comparison.contributions_))
    if comparison.interactions_ is not None:
        made.append(_interactions(comparison))
    if comparison.alignment_ is not None:
        made.append(_alignment(comparison))
    return made


def _contributions(comparison: FusionComparison, found: Contributions) -> Table:
    conditions = comparison.conditions_
    header = ["modality", "contribution", f"{1 - conditions.alpha:.0%} interval"]
    header += ["share", "alone", "added last"]
    # A share of what may be nothing is no number.
    shared = found.low > 0
    rows = [
        [
            one.modality,
            number(one.mean, sign=True),
            interval(one.low, one.high, sign=True),
            f"{one.mean / found.total:.0%}".replace("-", "−") if shared else "–",
            number(one.alone, sign=True),
            number(one.last, sign=True),
        ]
        for one in found.modalities
    ]
    total = interval(found.low, found.high, sign=True)
    rows.append(["together", number(found.total, sign=True), total, "", "", ""])
    how = (
        "of each of their subsets"
        if found.exact
        else "of more and more of them, in random orders that are drawn anew in each fold"
    )
    caption = (
        f"Shapley values: {conditions.metrics[0]} on held-out samples above knowing nothing "
        f"({number(found.nothing)}), shared among the modalities by what each adds to the others, "
        f"from a machine on the uniform kernel sum {how}. Alone: what it adds to none of the "
        "others; added last: to all of them. Little added last by a modality that has much alone "
        "means that others say the same."
    )
    return Table("Which modality carries it", caption, header, rows)


def _interactions(comparison: FusionComparison) -> Table:
    found, conditions = comparison.interactions_, comparison.conditions_
    assert found is not None
    test = found.test
    header = ["method", conditions.metrics[0], "without interactions", "difference"]
    header += [f"{1 - conditions.alpha:.0%} interval", "standardised", "p", "verdict"]
    row = [
        "kernel sum and products",
        number(found.model.mean()),
        number(found.projection.mean()),
        number(test.difference, sign=True),
        interval(test.low, test.high, sign=True),
        number(test.standardised),
        p_text(test.p_value),
        found.verdict,
    ]
    caption = (
        "Scores on held-out samples of a machine that may use products of the modalities' kernels, "
        "and of the sum of functions of one modality each that is closest to it (its "
        "multimodally-additive projection). One test, planned beforehand. It tells what this "
        "machine owes to interactions, not whether another one could do without."
    )
    return Table("Do modalities interact?", caption, header, [row])


def _alignment(comparison: FusionComparison) -> Table:
    found = comparison.alignment_
    assert found is not None and found.target is not None
    columns = np.column_stack([found.alignment, found.target])
    rows = [
        [name, *(number(value) for value in values)]
        for name, values in zip(found.names, columns, strict=True)
    ]
    caption = (
        "Centred alignment of the modalities' kernels with each other and with the target, from 0 "
        "(nothing in common) to 1 (the same). A description of all samples, none held out: it "
        "says nothing about new ones."
    )
    return Table(
        "How alike the modalities are", caption, ["modality", *found.names, "target"], rows
    )
