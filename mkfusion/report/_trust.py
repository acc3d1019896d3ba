"""Whether scores are to be believed: what was found in the data, and what a plain model reaches."""

from __future__ import annotations

from mkfusion.report._result import Result
from mkfusion.report._words import format_number


def plain_sentences(result: Result) -> list[str]:
    """Return whether a plain method is ahead of all that use kernels."""
    metric = result.conditions_.metrics[0]
    methods = [m for m in result.conditions_.methods if m.label not in result.not_applicable_]
    means = {one.method: one.means[metric] for one in result.summary_}
    plain = [m.label for m in methods if m.plain]
    others = [m.label for m in methods if not m.plain and m.kind != "baseline"]
    if not plain or not others:
        return []
    best, other = (max(labels, key=lambda label: means[label]) for labels in (plain, others))
    ahead = result.scores(best) > result.scores(other)
    if not means[best] > means[other] or ahead.sum() <= len(ahead) / 2:
        return []
    return [
        f"A plain method is ahead of every kernel method: the mean {metric} of {best} is "
        f"{format_number(means[best])}, that of the best of the others, {other}, "
        f"{format_number(means[other])}; it is ahead on {ahead.sum()} of {len(ahead)} folds. Where "
        "few columns count, or all count alike, a linear model of them is hard to beat."
    ]


def audit_sentences(result: Result) -> list[str]:
    """Return what in the data may make all of this too good to be true."""
    found = result.conditions_.audit
    worst = [one for one in found.findings if one.level == "serious"] if found else []
    return [f"The data may not be trusted: {one.what} {one.advice}" for one in worst]


def audit_rows(result: Result) -> list[list[str]]:
    """Return level, finding and advice of all that was found; nothing where nobody looked."""
    found = result.conditions_.audit
    if found is None:
        return []
    return [[one.level, one.what, one.advice] for one in found.findings] or [["none", "–", "–"]]


def audit_caption(result: Result) -> str:
    """Return what was found in one sentence, and what was looked for."""
    found = result.conditions_.audit
    looked = "Looked for: copies, columns that are the target, gaps, batches, names of samples."
    return looked if found is None else f"{found.summary()} {looked}"
