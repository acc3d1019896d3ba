"""The report's words and tables, whatever it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from platform import python_version
from typing import TYPE_CHECKING

import numpy as np

from mkfusion.compare._answer_tables import answer_sentences, answer_tables
from mkfusion.compare._comparison import BEST_FUSION, BEST_SIMPLE, BEST_SINGLE
from mkfusion.compare._statistics import HELPS, HURTS
from mkfusion.compare._words import Table, effect, equals, interval, number, p_text

if TYPE_CHECKING:
    from mkfusion.compare._comparison import FusionComparison


_PERFECT_AT_ONE = ("accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "r2")
_VERSIONS = ("mkfusion", "scikit-learn", "numpy", "scipy", "numba")


def verdict_sentences(comparison: FusionComparison) -> list[str]:
    """Return the verdict, with effect size and interval, and what to bear in mind."""
    found = comparison.verdict_
    conditions = comparison.conditions_
    metric = conditions.metrics[0]
    heads = {HELPS: "Fusion helps.", HURTS: "Fusion hurts."}
    scores = {label: comparison.scores(label) for label in (BEST_FUSION, BEST_SINGLE)}
    name = (
        "corrected resampled t-test"
        if conditions.test == "corrected_t"
        else ("Wilcoxon's signed-rank test")
    )
    sentences = [
        heads.get(found.verdict, "No evidence that fusion helps."),
        f"On held-out samples the mean {metric} of the {BEST_FUSION} is "
        f"{number(scores[BEST_FUSION].mean())}, that of the {BEST_SINGLE} "
        f"{number(scores[BEST_SINGLE].mean())}; each is chosen anew within the training samples of "
        "every fold.",
        f"Difference {effect(found.test, conditions.alpha)}, p {equals(found.test.p_value)}; "
        f"{name} on {len(conditions.folds)} folds.",
    ]
    perfect = metric.startswith(_PERFECT_AT_ONE) and (scores[BEST_SINGLE] == 1).all()
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
    return sentences + answer_sentences(comparison)


def tables(comparison: FusionComparison) -> list[Table]:
    """Return all tables of the report, in its order."""
    made = [_scores(comparison), *_tests(comparison), *answer_tables(comparison)]
    made.append(_chosen(comparison))
    if comparison.not_applicable_:
        made.append(
            Table(
                "Not applicable",
                "Methods that these data are not for.",
                ["method", "reason"],
                [[method, reason] for method, reason in comparison.not_applicable_.items()],
            )
        )
    if comparison.not_answered_:
        made.append(
            Table(
                "Not answered",
                "Questions that there is no answer to, and why.",
                ["question", "reason"],
                [[question, reason] for question, reason in comparison.not_answered_.items()],
            )
        )
    return [*made, _data(comparison), _settings(comparison), _by_fold(comparison)]


def _scores(comparison: FusionComparison) -> Table:
    conditions = comparison.conditions_
    level = f"{1 - conditions.alpha:.0%} interval"
    first = conditions.metrics[0]
    header = ["method", first, level, *conditions.metrics[1:], "seconds"]
    late = any(one.n_unconverged for one in comparison.summary_)
    rows = []
    for one in comparison.summary_:
        row = [one.method, number(one.means[first]), interval(one.lows[first], one.highs[first])]
        row += [number(one.means[metric]) for metric in conditions.metrics[1:]]
        row.append("–" if one.kind == "chosen" else f"{one.seconds:.1f}")
        rows.append(row + ([str(one.n_unconverged)] if late else []))
    caption = (
        f"Mean scores on the held-out samples of {len(conditions.folds)} folds, the higher the "
        f"better. Methods are tuned by {first} within the training samples; the last rows are "
        "chosen by it there as well, anew in each fold."
    )
    if late:
        header.append("unconverged")
        caption += " Unconverged: how many fits stopped before their tolerance."
    return Table("Scores", caption, header, rows)


def _tests(comparison: FusionComparison) -> list[Table]:
    conditions = comparison.conditions_
    level = f"{1 - conditions.alpha:.0%} interval"
    header = ["method", "difference", level, "standardised", "p", "p, Holm", "verdict"]
    made = []
    for reference in (BEST_SINGLE, BEST_SIMPLE):
        rows = [
            [
                one.method,
                number(one.test.difference, sign=True),
                interval(one.test.low, one.test.high, sign=True),
                number(one.test.standardised),
                p_text(one.test.p_value),
                p_text(one.p_adjusted),
                one.verdict,
            ]
            for one in comparison.comparisons_
            if one.reference == reference
        ]
        if not rows:
            continue
        caption = (
            f"Differences of {conditions.metrics[0]} to the {reference}, chosen within the "
            "training samples of each fold. Verdicts go by p after Holm's correction for the "
            f"{len(rows)} rows; intervals are of each row on its own."
        )
        made.append(Table(f"Against the {reference}", caption, header, rows))
    return made


def _chosen(comparison: FusionComparison) -> Table:
    kinds = list(comparison.chosen_)
    rows = [
        [str(fold + 1), *(comparison.chosen_[kind][fold] for kind in kinds)]
        for fold in range(len(comparison.conditions_.folds))
    ]
    caption = "Which methods were best within the training samples, by fold."
    return Table("What was chosen", caption, ["fold", *kinds], rows, long=True)


def _data(comparison: FusionComparison) -> Table:
    rows = [
        [m.name, m.shape, " ".join(repr(m.kernel).split()), str(m.n_missing)]
        for m in comparison.conditions_.modalities
    ]
    caption = (
        f"{len(comparison.conditions_.y)} samples of {len(rows)} modalities. {_target(comparison)}"
    )
    header = ["modality", "data", "kernel", "samples without it"]
    return Table("Data", caption, header, rows)


def _target(comparison: FusionComparison) -> str:
    conditions = comparison.conditions_
    if conditions.task == "regression":
        y = conditions.y
        return f"The target has mean {y.mean():.4g} and standard deviation {y.std(ddof=1):.4g}."
    labels, counts = np.unique(conditions.y, return_counts=True)
    shown = [f"{label}: {count}" for label, count in zip(labels[:20], counts[:20], strict=True)]
    return f"{len(labels)} classes: {', '.join(shown)}{', …' if len(labels) > 20 else ''}."


def _settings(comparison: FusionComparison) -> Table:
    conditions = comparison.conditions_
    train, test = (_range([len(part[i]) for part in conditions.folds]) for i in range(2))
    rows = [
        ["task", conditions.task],
        ["outer folds", f"{len(conditions.folds)}, {conditions.outer}"],
        ["training samples of a fold", train],
        ["test samples of a fold", test],
        ["inner folds", conditions.inner],
        ["groups", "none" if conditions.n_groups is None else str(conditions.n_groups)],
        ["random_state", str(conditions.seed)],
        ["fast", "yes" if conditions.fast else "no"],
        *([name, version(name)] for name in _VERSIONS),
        ["Python", python_version()],
    ]
    return Table("Settings", "What is needed to run it again.", ["setting", "value"], rows)


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _by_fold(comparison: FusionComparison) -> Table:
    conditions = comparison.conditions_
    header = ["method", "fold", *conditions.metrics, "within training", "tuned"]
    rows = [
        [
            score.method,
            str(score.fold),
            *(number(score.scores[metric]) for metric in conditions.metrics),
            number(score.inner_score),
            ", ".join(
                f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}"
                for name, value in score.params.items()
            ),
        ]
        for score in comparison.results_
    ]
    caption = (
        "Scores of every method on every fold; within training is the mean "
        f"{conditions.metrics[0]} of the inner folds."
    )
    return Table("Every fold", caption, header, rows, long=True)
