"""What columns, gaps, classes and batches tell of the target, in findings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import Indices
from mkfusion.data import is_uneven
from mkfusion.inspection._audit_batch import tells_batch
from mkfusion.inspection._audit_columns import (
    PERFECT,
    Seen,
    Target,
    can_be_told,
    look_at_columns,
    modality_score,
)
from mkfusion.inspection._audit_design import as_batch, associated, gaps_of_columns
from mkfusion.inspection._audit_outcome import MOST_SHOWN, Finding, counted, listed, some_of
from mkfusion.inspection._audit_tables import Part, sample_codes

# Findings of chance are at most so many in all audits, for each kind of test.
ALPHA = 0.01
_PERFECT_MODALITY = 0.995
_CONFOUNDED = 0.9
# Of the way from guessing to no error, from where on a batch is clearly told.
_CLEARLY = 0.5
_FEW_OF_A_CLASS = 8
_RARE, _MANY_MISSING = 0.1, 0.2


# ---------------------------------------------------------------------------- columns


def columns_told(parts: list[Part], target: Target) -> list[Finding]:
    """Look at every column of every modality by itself."""
    found = []
    n_columns = sum(part.n_columns for part in parts)
    for part in parts:
        if part.n_columns:
            seen = look_at_columns(part, target, n_columns)
            found += _telling(part.name, seen)
            found += _constant(part, seen)
            found += _naming(part.name, seen)
    return found


def _telling(modality: str, seen: Seen) -> list[Finding]:
    ids = {name for name, _, _ in seen.ids}
    telling = [one for one in seen.telling if one[0] not in ids]
    if not telling:
        return []
    perfect = [one for one in telling if one[1] >= PERFECT[seen.measure]]
    those = perfect or telling
    shown_ = [f"{name!r} ({seen.measure} {score:.3f})" for name, score in those[:MOST_SHOWN]]
    says = "says" if len(those) == 1 else "say"
    how = "without any error" if perfect else "almost without error"
    return [
        Finding(
            "serious" if perfect else "warning",
            "telling",
            f"{counted(len(those), 'column')} of {modality!r} {says} the target {how}: "
            f"{', '.join(shown_)}{', ...' if len(those) > MOST_SHOWN else ''}.",
            "Is it known before the outcome is? If not, or if it is computed from it, exclude it.",
            modality,
            len(those),
            tuple(name for name, _ in those[:MOST_SHOWN]),
        )
    ]


def _constant(part: Part, seen: Seen) -> list[Finding]:
    if not seen.constant or not part.is_table:
        return []
    count = len(seen.constant)
    every = count == part.n_columns
    if every:
        what, advice = f"Modality {part.name!r} is constant.", "It says nothing: leave it out."
    else:
        names = listed([repr(name) for name in seen.constant])
        what = f"{counted(count, 'column')} of {part.name!r} {'is' if count == 1 else 'are'} "
        what += f"constant or empty: {names}."
        advice = "They say nothing." if count > 1 else "It says nothing."
    return [
        Finding(
            "warning" if every else "note",
            "constant",
            what,
            advice,
            part.name,
            count,
            some_of(seen.constant),
        )
    ]


def _naming(modality: str, seen: Seen) -> list[Finding]:
    """Tell of columns that name samples or rows."""
    found = []
    telling = dict(seen.telling)
    for name, why, score in seen.ids[:MOST_SHOWN]:
        what = f"Column {name!r} of {modality!r} seems to name the samples: {why}"
        level = "warning"
        if name in telling:
            level = "serious"
            what += f"; it tells the target ({seen.measure} {score:.3f}), as the order of rows does"
        advice = "Exclude it: names are not for learning."
        found.append(Finding(level, "ids", f"{what}.", advice, modality, 1, (name,)))
    return found


def modalities_told(
    parts: list[Part], target: Target, groups: NDArray[Any] | None
) -> list[Finding]:
    """Try every modality by a quick model."""
    if not can_be_told(target, 1):
        return []
    found = []
    measure = "balanced accuracy" if target.n_classes else "R2"
    for part in parts:
        score = modality_score(part, target, groups)
        if score >= _PERFECT_MODALITY:
            found.append(
                Finding(
                    "note",
                    "telling",
                    f"Modality {part.name!r} alone says the target almost without error "
                    f"({measure} {score:.3f} of a linear model on held-out samples).",
                    "No fusion can be much better; see that nothing in it comes from the outcome.",
                    part.name,
                    part.n_columns,
                )
            )
    return found


# ---------------------------------------------------------------------------- gaps


def gaps_told(parts: list[Part], target: Target) -> list[Finding]:
    """Look whether gaps tell the target: of samples that lack a modality, and of cells."""
    found = []
    lacking = [part for part in parts if not part.present.all()]
    for part in lacking:
        absent = ~part.present
        n, count = len(absent), int(absent.sum())
        if absent.all():
            continue
        test = associated(absent.astype(np.intp), target)
        told = test.p_value * len(lacking) < ALPHA
        what = f"{count} of {n} samples lack modality {part.name!r}"
        if told:
            what += f", and who lacks it differs in the target: {_shares(absent, target)}"
            what += f" (p {_p_value(test.p_value)})"
            advice = "A gain may come from the gap rather than the data: compare complete samples."
            found.append(Finding("warning", "missing", f"{what}.", advice, part.name, count))
        elif count > _MANY_MISSING * n:
            advice = "What it says is known of the others only."
            found.append(Finding("note", "missing", f"{what}.", advice, part.name, count))
    gaps = [(part, *one) for part in parts if part.is_table for one in gaps_of_columns(part)]
    told_of: dict[str, list[tuple[str, Any]]] = {}
    for part, column, empty in gaps:
        there = target._replace(y=target.y[part.present])
        test = associated(empty[part.present].astype(np.intp), there)
        if test.p_value * len(gaps) < ALPHA:
            told_of.setdefault(part.name, []).append((column, empty))
    for name, columns in told_of.items():
        names = [repr(column) for column, _ in columns]
        column, empty = columns[0]
        verb = "is" if len(columns) == 1 else "are"
        found.append(
            Finding(
                "warning",
                "missing",
                f"{counted(len(columns), 'column')} of {name!r} {verb} empty for other targets "
                f"than filled, such as {column!r}: {_shares(empty, target)}.",
                "A gap tells the target: find out why it is empty.",
                name,
                len(columns),
                some_of(names),
            )
        )
    return found


def _shares(absent: Any, target: Target) -> str:
    """Say how those that lack something differ."""
    if not target.n_classes:
        means = [target.y[mask].mean() for mask in (absent, ~absent)]
        return f"its mean is {means[0]:.3g} for them and {means[1]:.3g} for the others"
    shares = [absent[target.y == label].mean() for label in range(target.n_classes)]
    return f"{min(shares):.0%} to {max(shares):.0%} of a class"


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


# ---------------------------------------------------------------------------- classes and batches


def classes_told(y: NDArray[Any], target: Target) -> list[Finding]:
    """Look whether classes are uneven, or too small."""
    if not target.n_classes:
        return []
    found = []
    counts = np.bincount(target.y)
    labels = np.unique(y)
    n = len(target.y)
    least, most = int(counts.argmin()), int(counts.argmax())
    if is_uneven(counts):
        share = counts[most] / n
        found.append(
            Finding(
                "warning" if counts[least] < _RARE * n and target.n_classes == 2 else "note",
                "classes",
                f"Classes are uneven: {counts[most]} samples of {shown(labels[most])} and "
                f"{counts[least]} of {shown(labels[least])}. Knowing nothing has an accuracy of "
                f"{share:.3f}.",
                "Score by balanced accuracy, the ROC curve or log-loss, not by accuracy.",
                n=int(counts[least]),
                examples=(str(labels[least]),),
            )
        )
    if counts[least] < _FEW_OF_A_CLASS:
        found.append(
            Finding(
                "warning",
                "classes",
                f"There are {counted(int(counts[least]), 'sample')} of class "
                f"{shown(labels[least])}.",
                "So few are not learned, and scores of it are luck: merge it, or leave it out.",
                n=int(counts[least]),
                examples=(str(labels[least]),),
            )
        )
    return found


def batches_told(
    parts: list[Part], batch: NDArray[Any], target: Target, groups: NDArray[Any] | None
) -> list[Finding]:
    """Look whether batches have to do with the target, and whether modalities tell them."""
    codes = as_batch(batch)
    if codes is None:
        return [
            Finding(
                "note",
                "batch",
                "The batch has fractions, or a value of its own for most samples.",
                "Give names of sites, runs or devices, of several samples each.",
            )
        ]
    n_batches = int(codes.max()) + 1
    if n_batches < 2:
        return []
    test = associated(codes, target)
    confounded = test.p_value < ALPHA
    found = _told_by_modalities(parts, codes, groups, confounded)
    if not confounded:
        return found
    measure = "Cramér's V" if target.n_classes else "share of variance"
    same = test.strength >= _CONFOUNDED
    return [
        Finding(
            "serious" if same else "warning",
            "batch",
            f"The batch has to do with the target: {measure} {test.strength:.2f} between "
            f"{n_batches} batches (p {_p_value(test.p_value)}).",
            "What they measure and where it was measured cannot be told apart: nothing here can."
            if same
            else "A model may learn where a sample was measured: test on batches that it has not "
            "seen (the batch as groups).",
            n=n_batches,
            examples=some_of([str(one) for one in np.unique(batch.astype(str))]),
        ),
        *found,
    ]


def _told_by_modalities(
    parts: list[Part], codes: Indices, groups: NDArray[Any] | None, confounded: bool
) -> list[Finding]:
    """Look which modalities tell the batch."""
    found = []
    whose = None if groups is None else sample_codes(groups)
    for part in parts:
        told = tells_batch(part, codes, whose, ALPHA / len(parts))
        if told is None:
            continue
        chance = 1.0 / told.n_batches
        clear = told.score - chance >= _CLEARLY * (1.0 - chance)
        who = f"Modality {part.name!r} tells" if told.column is None else ""
        who = who or f"Column {told.column!r} of modality {part.name!r} tells"
        how = "of a linear model " if told.column is None else ""
        found.append(
            Finding(
                "warning" if clear or confounded else "note",
                "batch",
                f"{who} the batch: balanced accuracy {told.score:.2f} {how}on held-out samples, "
                f"where guessing has {chance:.2f}.",
                "What it says of the target may be where a sample was measured: see how it does "
                "on batches that it has not seen (the batch as groups), or exclude what tells it.",
                part.name,
                told.n_batches,
                () if told.column is None else (told.column,),
            )
        )
    return found
