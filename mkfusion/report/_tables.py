"""The tables of a report, whatever it is written in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from platform import python_version

import numpy as np

from mkfusion.report._by_risk import by_risk_table
from mkfusion.report._features import feature_tables
from mkfusion.report._held_out import class_weights_table, held_out_tables, weights_table
from mkfusion.report._kernels import kernel_in_words
from mkfusion.report._result import (
    ALIKE,
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    CARRIES,
    INFORMS,
    INTERACT,
    TRUSTED,
    UNDECIDED,
    Added,
    Alignment,
    Contributions,
    Interactions,
    Result,
)
from mkfusion.report._table import Table
from mkfusion.report._text import ABSENCE
from mkfusion.report._trust import audit_caption, audit_rows
from mkfusion.report._words import (
    VERSIONS,
    format_interval,
    format_number,
    format_p_relation,
    format_p_value,
)

# Letters of a call that a report shows; all of it is in JSON.
_LONGEST_CALL = 2000


def tables(result: Result) -> list[Table]:
    """Return all tables of the report, in its order."""
    made = [_verdict(result), _scores(result), *_tests(result), *_answers(result)]
    made += [*held_out_tables(result), *by_risk_table(result)]
    made.append(_chosen(result))
    if result.not_applicable_:
        made.append(
            Table(
                "Not applicable",
                "Methods that these data are not for.",
                ["method", "reason"],
                [[method, reason] for method, reason in result.not_applicable_.items()],
            )
        )
    if result.not_answered_:
        made.append(
            Table(
                "Not answered",
                "Questions that there is no answer to, and why.",
                ["question", "reason"],
                [[question, reason] for question, reason in result.not_answered_.items()],
            )
        )
    return [*made, *_audited(result), _data(result), _settings(result), _by_fold(result)]


def _scores(result: Result) -> Table:
    conditions = result.conditions_
    level = f"{1 - conditions.alpha:.0%} interval"
    first = conditions.metrics[0]
    header = ["method", first, level, conditions.loss, *conditions.metrics[1:], "seconds"]
    late = any(one.n_unconverged for one in result.summary_)
    rows = []
    for one in result.summary_:
        row = [
            one.method,
            format_number(one.means[first]),
            format_interval(one.lows[first], one.highs[first]),
        ]
        row.append(format_number(result.losses(one.method).mean()))
        row += [format_number(one.means[metric]) for metric in conditions.metrics[1:]]
        row.append("–" if one.kind == "chosen" else f"{one.seconds:.1f}")
        rows.append(row + ([str(one.n_unconverged)] if late else []))
    caption = (
        f"Mean scores on the held-out samples of {len(conditions.folds)} folds, the higher the "
        f"better, and {conditions.loss}, the lower the better. Methods are tuned by {first} within "
        "the training samples; the last rows are chosen by it there as well, anew in each fold."
        f"{_nothing(result)}{_simple(result)}"
    )
    if late:
        header.append("unconverged")
        caption += " Unconverged: how many fits stopped before their tolerance."
    return Table("Scores", caption, header, rows)


def _verdict(result: Result) -> Table:
    """Return what the verdict goes by, in the order in which it is tested."""
    found, conditions = result.verdict_, result.conditions_
    loss, metric = conditions.loss, conditions.metrics[0]
    levels = [f"{1 - share * conditions.alpha:.0%} interval" for share in (2, 1)]
    header = ["what", "against", "difference", *levels, "p, one-sided", "detectable"]
    p = "not tested" if found.information is None else format_p_value(found.information)
    rows = [["information", "one modality", "–", "–", "–", p, "–"]]
    for what, against, test, tested in (
        (f"{loss} saved", BEST_SINGLE, found.single, True),
        (f"{loss} saved", "knowing nothing", found.nothing, True),
        (f"{metric}, not tested", BEST_SINGLE, found.metric, False),
    ):
        rows.append(
            [
                what,
                against,
                format_number(test.difference, sign=True),
                format_interval(test.low, test.high, sign=True),
                format_interval(test.low_wide, test.high_wide, sign=True),
                format_p_value(test.p_value) if tested else "–",
                format_number(test.detectable),
            ]
        )
    caption = (
        f"Two tests at alpha = {conditions.alpha:g}, one after the other: whether modalities say "
        f"what no single one does, and only if so whether the {BEST_FUSION} predicts better than "
        "both references. Detectable: the difference that these samples and folds would show four "
        f"times in five. Verdict: {found.verdict}. {ABSENCE}"
    )
    return Table("What was tested", caption, header, rows)


def _nothing(result: Result) -> str:
    """Say what knowing nothing scores, so that no score is read without it."""
    first = result.conditions_.metrics[0]
    found = [one for one in result.summary_ if one.kind == "baseline"]
    if not found:
        return ""
    return f" Knowing nothing ({found[0].method}): {format_number(found[0].means[first])}."


def _simple(result: Result) -> str:
    there = {one.method for one in result.summary_}
    names = [one.label for one in result.conditions_.methods if one.simple and one.label in there]
    return f" Simple baselines, one of which is the best one: {', '.join(names)}." if names else ""


def _tests(result: Result) -> list[Table]:
    conditions = result.conditions_
    level = f"{1 - 2 * conditions.alpha:.0%} interval"
    metric = conditions.metrics[0]
    header = ["method", f"{conditions.loss} saved", level, "p", "p, Holm", "verdict"]
    header += [f"{metric} difference", f"{level} of it"]
    made = []
    for reference in (BEST_SINGLE, BEST_SIMPLE):
        rows = [
            [
                one.method,
                format_number(one.test.difference, sign=True),
                format_interval(one.test.low, one.test.high, sign=True),
                format_p_value(one.p_value),
                format_p_value(one.p_adjusted),
                one.verdict,
                format_number(one.metric.difference, sign=True),
                format_interval(one.metric.low, one.metric.high, sign=True),
            ]
            for one in result.comparisons_
            if one.reference == reference
        ]
        if not rows:
            continue
        caption = (
            f"Differences of {conditions.loss} to the {reference}, chosen within the training "
            "samples of each fold; p is one-sided"
        )
        if reference == BEST_SINGLE:
            caption += ", and the larger of those against it and against knowing nothing"
        caption += (
            f". Verdicts go by p after Holm's correction for the {len(rows)} "
            f"row{'s' * (len(rows) > 1)}; intervals are of each row on its own."
        )
        if reference == BEST_SINGLE:
            caption += " As in the verdict, better is said only where information was found."
        made.append(Table(f"Against the {reference}", caption, header, rows))
    return made


def _chosen(result: Result) -> Table:
    kinds = list(result.chosen_)
    rows = [
        [str(fold + 1), *(result.chosen_[kind][fold] for kind in kinds)]
        for fold in range(len(result.conditions_.folds))
    ]
    caption = "Which methods were best within the training samples, by fold."
    return Table("What was chosen", caption, ["fold", *kinds], rows, long=True)


def _audited(result: Result) -> list[Table]:
    rows = audit_rows(result)
    caption = audit_caption(result)
    return [Table(TRUSTED, caption, ["level", "what", "what to do"], rows)] if rows else []


def _data(result: Result) -> Table:
    rows = [
        [m.name, m.shape, kernel_in_words(m.kernel), str(m.n_missing)]
        for m in result.conditions_.modalities
    ]
    caption = f"{len(result.conditions_.y)} samples of {len(rows)} modalities. {_target(result)}"
    header = ["modality", "data", "kernel", "samples without it"]
    return Table("Data", caption, header, rows)


def _target(result: Result) -> str:
    conditions = result.conditions_
    if conditions.task == "regression":
        y = conditions.y
        return f"The target has mean {y.mean():.4g} and standard deviation {y.std(ddof=1):.4g}."
    if conditions.task == "survival":
        time, event = conditions.y["time"], conditions.y["event"]
        assert conditions.times is not None
        return (
            f"{int(event.sum())} samples had an event, at a median time of "
            f"{np.median(time[event]):.4g}; {int((~event).sum())} were censored. Predicted "
            f"survival is scored from {conditions.times[0]:.4g} to {conditions.times[-1]:.4g}."
        )
    labels, counts = np.unique(conditions.y, return_counts=True)
    shown = [f"{label}: {count}" for label, count in zip(labels[:20], counts[:20], strict=True)]
    return f"{len(labels)} classes: {', '.join(shown)}{', …' if len(labels) > 20 else ''}."


def _settings(result: Result) -> Table:
    conditions = result.conditions_
    train, test = (_range([len(part[i]) for part in conditions.folds]) for i in range(2))
    called = conditions.call
    if len(called) > _LONGEST_CALL:
        called = f"{called[:_LONGEST_CALL]}…"
    rows = [
        ["call", called or "not known"],
        ["fingerprint of the data", conditions.fingerprint or "not known"],
        ["task", conditions.task],
        ["outer folds", f"{len(conditions.folds)}, {conditions.outer}"],
        ["training samples of a fold", train],
        ["test samples of a fold", test],
        ["inner folds", conditions.inner],
        ["groups", "none" if conditions.n_groups is None else str(conditions.n_groups)],
        ["random_state", str(conditions.seed)],
        ["fast", "yes" if conditions.fast else "no"],
        *([name, version(name)] for name in VERSIONS),
        ["Python", python_version()],
    ]
    caption = (
        "What is needed to run it again. The fingerprint is of the modalities and the target: the "
        "same data in the same order have the same one."
    )
    return Table("Settings", caption, ["setting", "value"], rows)


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _by_fold(result: Result) -> Table:
    conditions = result.conditions_
    header = ["method", "fold", *conditions.metrics, "within training", "tuned"]
    rows = [
        [
            score.method,
            str(score.fold),
            *(format_number(score.scores[metric]) for metric in conditions.metrics),
            format_number(score.inner_score),
            ", ".join(
                f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {value}"
                for name, value in score.params.items()
            ),
        ]
        for score in result.results_
    ]
    caption = (
        "Scores of every method on every fold; within training is the mean "
        f"{conditions.metrics[0]} of the inner folds."
    )
    return Table("Every fold", caption, header, rows, long=True)


def _answers(result: Result) -> list[Table]:
    """Return the tables of what there is an answer to."""
    conditions = result.conditions_
    made = []
    if result.information_ is not None:
        made.append(_information(result.information_, conditions.alpha, len(conditions.y)))
    if result.contributions_ is not None:
        made.append(_contributions(result, result.contributions_))
    if result.features_ is not None:
        made += feature_tables(result, result.features_)
    if (weights := weights_table(result)) is not None:
        made.append(weights)
    if (weights := class_weights_table(result)) is not None:
        made.append(weights)
    if result.interactions_ is not None:
        made.append(_interactions(result, result.interactions_))
    if result.alignment_ is not None:
        made.append(_alignment(result.alignment_))
    return made


def _contributions(result: Result, found: Contributions) -> Table:
    conditions = result.conditions_
    header = ["modality", "contribution", f"{1 - conditions.alpha:.0%} interval"]
    header += ["share", "alone", "added last"]
    # A share of what may be nothing is no number.
    shared = found.low > 0
    rows = [
        [
            one.modality,
            format_number(one.mean, sign=True),
            format_interval(one.low, one.high, sign=True),
            f"{one.mean / found.total:.0%}".replace("-", "−") if shared else "–",
            format_number(one.alone, sign=True),
            format_number(one.last, sign=True),
        ]
        for one in found.modalities
    ]
    total = format_interval(found.low, found.high, sign=True)
    rows.append(["together", format_number(found.total, sign=True), total, "", "", ""])
    how = (
        "of each of their subsets"
        if found.exact
        else "of more and more of them, in random orders that are drawn anew in each fold"
    )
    caption = (
        f"Shapley values: {conditions.metrics[0]} on held-out samples above knowing nothing "
        f"({format_number(found.nothing)}), shared among the modalities by what each adds to the "
        f"others, from a machine on the uniform kernel sum {how}. Alone: what it adds to none of "
        "the others; added last: to all of them. Little added last by a modality that has much "
        "alone means that others say the same."
    )
    return Table(CARRIES, caption, header, rows)


def _information(found: Added, alpha: float, n: int) -> Table:
    header = ["modality", "p, others add to it", "p, adds to all others", "Holm", "verdict"]
    rows = [
        [
            name,
            *(format_p_value(p) for p in (single, adds, adjusted)),
            "adds" if adjusted < alpha else UNDECIDED,
        ]
        for name, single, adds, adjusted in zip(
            found.modality_names,
            found.single_pvalues,
            found.pvalues,
            found.adjusted_pvalues,
            strict=True,
        )
    ]
    caption = (
        f"Tests of information over {found.n_samples} of {n} samples, beyond what these kernels of "
        "the modalities say. No single modality says all if others add to each of them: p "
        f"{format_p_relation(found.pvalue)}, the largest. {ABSENCE}"
    )
    return Table(INFORMS, " ".join([caption, *found.warnings]), header, rows)


def _interactions(result: Result, found: Interactions) -> Table:
    conditions, projected = result.conditions_, found.projected
    header = ["p, one-sided", "verdict", conditions.metrics[0], "without interactions"]
    header += ["difference", f"{1 - 2 * conditions.alpha:.0%} interval", "detectable"]
    row = ["not tested" if found.reason else format_p_value(found.p_value), found.verdict]
    if projected is None:
        row += ["–"] * 5
    else:
        test = projected.test
        row += [
            format_number(projected.model.mean()),
            format_number(projected.projection.mean()),
            format_number(test.difference, sign=True),
            format_interval(test.low, test.high, sign=True),
            format_number(test.detectable),
        ]
    scale = "log-odds" if conditions.task == "classification" else "the target"
    caption = (
        f"One test of information, planned beforehand: is {scale} a sum of functions of one "
        "modality each? Beside it, what interactions are good for: scores on held-out samples of a "
        "machine that may use products of the modalities' kernels, and of the sum that is closest "
        "to it (its multimodally-additive projection). It tells what this machine owes to "
        f"interactions, not whether another one could do without. {ABSENCE}"
    )
    return Table(INTERACT, " ".join([caption, *found.warnings]), header, [row])


def _alignment(found: Alignment) -> Table:
    assert found.target is not None  # it is asked for with one
    columns = np.column_stack([found.alignment, found.target])
    rows = [
        [name, *(format_number(value) for value in values)]
        for name, values in zip(found.names, columns, strict=True)
    ]
    caption = (
        "Centred alignment of the modalities' kernels with each other and with the target, from 0 "
        "(nothing in common) to 1 (the same). A description of all samples, none held out: it "
        "says nothing about new ones."
    )
    return Table(ALIKE, caption, ["modality", *found.names, "target"], rows)
