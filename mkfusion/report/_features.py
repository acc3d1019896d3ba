"""Which features of the modality that carries it matter: a sentence and tables."""

from __future__ import annotations

from mkfusion.report._result import FEATURES, Features, Result
from mkfusion.report._table import Table
from mkfusion.report._words import format_interval, format_number

PATTERNS = "Features that go with the prediction"
# Rows of a table; all features are in JSON and `to_frame("features")`.
_MOST_ROWS = 12

_HIDDEN = "Features that say the same hide each other: shuffled one by one, each seems dispensable"


def feature_sentence(result: Result, found: Features) -> str:
    """Say which feature is missed most, if any surely is."""
    level = f"{1 - result.conditions_.alpha:.0%} interval"
    g = found.ranking()[0]
    low, high = found.intervals[g]
    if not low > 0:
        return (
            f"Within {found.modality}, no {'group of features' if found.grouped else 'feature'} is "
            "surely missed when it is shuffled. Those that say the same hide each other."
        )
    n_folds = found.repeats.shape[1]
    times = round(found.top_frequencies[g] * n_folds)
    return (
        f"Within {found.modality}, {found.group_names[g]} is missed most: shuffled, "
        f"{format_number(found.importances[g])} of {result.conditions_.metrics[0]} is lost "
        f"({level} {format_interval(low, high)}); among the first five in {times} of {n_folds} "
        "folds."
    )


def feature_tables(result: Result, found: Features) -> list[Table]:
    """Return what is lost without features, and how they vary with the prediction."""
    conditions = result.conditions_
    metric = conditions.metrics[0]
    header = ["feature", f"{metric} lost", f"{1 - conditions.alpha:.0%} interval"]
    header += ["in the first five", "alike" if found.grouped else "pattern"]
    patterns = dict(found.strongest(len(found.feature_names)))
    chosen = found.ranking()[:_MOST_ROWS]
    rows = [
        [
            found.group_names[g],
            format_number(found.importances[g], sign=True),
            format_interval(*found.intervals[g], sign=True),
            f"{found.top_frequencies[g]:.0%}",
            format_number(found.coherences[g])
            if found.grouped
            else _pattern(found, found.members[g][0], patterns),
        ]
        for g in chosen
    ]
    n_features, n_groups = len(found.feature_names), len(found.members)
    left = "" if len(chosen) == n_groups else f", the first {len(chosen)} of {n_groups}"
    caption = (
        f"What the uniform kernel sum loses of {metric} on held-out samples when features of "
        f"{found.modality} come from other samples{left}; in the first five: of folds, in how many "
        "it is one of the five that are missed most. "
    )
    if found.grouped:
        caption += (
            f"Its {n_features} features were shuffled in {n_groups} groups of those that vary "
            "together, named by the one that is most like its group; alike: mean squared "
            "correlation of the members with what they have in common. A group that is little "
            "alike is a part of the modality, not one signal."
        )
        made = [Table(FEATURES, caption, header, rows)]
        strongest = found.strongest(_MOST_ROWS)
        more = [[found.feature_names[j], _pattern(found, j, patterns)] for j, _ in strongest]
        return [*made, Table(PATTERNS, _explained(found), ["feature", "pattern"], more)]
    caption += f"{_HIDDEN}. {_explained(found)}"
    return [Table(FEATURES, caption, header, rows)]


def _pattern(found: Features, feature: int, outputs: dict[int, int]) -> str:
    """Return how a feature varies with what is said, towards the class that it does most with."""
    if feature not in outputs:
        return "–"
    k = outputs[feature]
    value = format_number(found.patterns[k, feature], sign=True)
    towards = f" towards {found.outputs[k]}" if len(found.outputs) > 1 else ""
    return f"{value} ± {format_number(found.pattern_deviations[k, feature])}{towards}"


def _explained(found: Features) -> str:
    if len(found.outputs) > 1:
        response = "the decision for the class that it varies most with"
    elif found.outputs == ["prediction"]:
        response = "the prediction"
    else:
        response = f"the decision towards {found.outputs[0]}"
    return (
        f"Pattern: correlation of a feature with {response} on held-out samples, mean and standard "
        "deviation over folds. Features that are alike share it, whether the machine looks at them "
        "or not: it tells what goes with the answer, not what makes it."
    )
