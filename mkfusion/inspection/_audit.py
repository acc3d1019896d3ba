"""Whether data can be trusted to answer a question: what makes scores too good, or mean another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Indices
from mkfusion.data import (
    Modalities,
    check_rows,
    find_infinity,
    read_column,
    read_groups,
    read_samples,
    read_splits,
    read_target,
    row_index,
    seems_classes,
)
from mkfusion.inspection._arguments import count_samples
from mkfusion.inspection._audit_columns import Target, names_subjects
from mkfusion.inspection._audit_copies import (
    MOST_SAMPLES,
    Copies,
    across,
    alike_within,
    clusters,
    crossing,
    find_copies,
)
from mkfusion.inspection._audit_findings import (
    ALPHA,
    batches_told,
    classes_told,
    columns_told,
    gaps_told,
    modalities_told,
)
from mkfusion.inspection._audit_outcome import (
    MOST_SHOWN,
    DataAudit,
    Finding,
    counted,
    listed,
    some_of,
)
from mkfusion.inspection._audit_tables import Part, cells_of, sample_codes

# Samples with a copy, from which on scores are wrong rather than a little too good
_MANY, _SOME = 0.05, 0.01
_FEW_SAMPLES, _FEW_GROUPS = 30, 10


def audit(
    X: Any,
    y: Any,
    *,
    modalities: Any = None,
    task: str = "auto",
    groups: Any = None,
    batch: Any = None,
    ids: Any = None,
    aside: Any = None,
    cv: Any = None,
) -> DataAudit:
    """Look for what makes scores too good to be true, or answers mean something else.

    Copies of samples on both sides of a split, columns that are the target under another name,
    gaps or batches that tell the class, subjects that are not kept together: nothing that a
    comparison of methods computes later can see these. It takes seconds, and no model is needed.

    Parameters
    ----------
    X : Modalities, dict of modalities, DataFrame, array-like or sparse matrix of shape \
            (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Class labels, or numbers.
    modalities : list of (name, columns) pairs, default=None
        As for :func:`mkfusion.compare_fusion`. None is all modalities of `Modalities`, and all
        columns of a table.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is. "auto" takes strings, booleans and up to 20 different whole numbers for classes.
    groups : array-like of shape (n_samples,), default=None
        Subjects or the like, that splits keep together.
    batch : array-like of shape (n_samples,), default=None
        Sites, plates, devices, runs: what should have nothing to do with the target.
    ids : array-like of shape (n_samples,), default=None
        Names of the samples. None is the index of pandas tables, or their position.
    aside : dict of str to array-like of shape (n_samples,), default=None
        Columns that are not learned from, which may tell whom the samples are of. None is those
        of a table that belong to no modality.
    cv : int, splitter or iterable of (train, test), default=None
        The folds that will be used: then copies are counted where they are on both sides.

    Returns
    -------
    DataAudit

    Raises
    ------
    ValueError, TypeError
        If X, y, groups, batch or ids are not those of the same samples, or `task` is unknown.

    See Also
    --------
    mkfusion.compare_fusion : Begins with it, and reports it.

    Notes
    -----
    **Copies** are rows with the same cells in all modalities, or in all of one, unless tables of
    so few values have as many by chance, as rows tell that agree in all columns but one; and rows
    that are nearer than 0.15 of the distance to their twentieth neighbour where that happens by
    chance in one of a thousand audits, in as many dimensions as the farther neighbours tell, but
    no more than there are numbers that both have, where they have the same categories.
    Texts are compared by their letters, whatever their case and spacing. Beyond 20,000 samples near
    copies are not looked for.

    **Columns** are looked at one by one: the area under the ROC curve of two classes, R2 of the
    values or their ranks, and the score of a histogram that is learned on one half of the samples
    and tested on the other. Reported are 0.995, 0.95, and a balanced accuracy of 0.99 of more
    classes, unless there are so few samples that luck does it. A **modality** is tried by a ridge
    model in five folds.

    **Gaps and batches** are tested against the target by Fisher's exact test, the chi-squared test
    or that of Kruskal and Wallis, at 0.01 after Bonferroni's correction for all tests of a kind.
    Whether a modality tells the batch is tried by a ridge model in five folds, whose balanced
    accuracy is compared with that for permuted batches, and by the ranks or categories of each
    column; of groups by one sample of each, and of batches with five of them or more.

    References
    ----------
    Kapoor and Narayanan, "Leakage and the reproducibility crisis in machine-learning-based
    science", Patterns 4 (2023).

    Facco, d'Errico, Rodriguez and Laio, "Estimating the intrinsic dimension of datasets by a
    minimal neighborhood information", Scientific Reports 7 (2017): dimensions from the ratios of
    neighbours' distances.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from mkfusion.inspection import audit
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> audit(X, y, modalities=[("mean", slice(0, 10)), ("worst", slice(20, 30))])
    Audit of 569 samples of mean, worst: nothing found.
    >>> X["code"] = y + 10
    >>> print(audit(X, y).findings[0].what)
    1 column of 'X' says the target without any error: 'code' (AUC 1.000).
    """
    if isinstance(X, dict):
        X = Modalities(X)
    n = count_samples("X", X, 2)
    given = read_samples(X, modalities, whole=True)
    check_rows(given.X, y=y, groups=groups, batch=batch)
    for name, data in zip(given.names, given.parts, strict=True):
        if (cell := find_infinity(data)) is not None:
            raise ValueError(
                f"X: modality {name!r}: {cell}; expected finite numbers, or NaN for unknown ones."
            )
    parts = [Part(name, data) for name, data in zip(given.names, given.parts, strict=True)]
    target = _as_target(read_target(given.X, y), task)
    groups = read_groups(groups, n)
    named = _names_of(ids, row_index(X), n)
    folds = None
    if cv is not None:
        folds = read_splits(cv, n, y, classes=target.n_classes > 0, groups=groups, seed=0)
    found, copies = _copies(parts, target, groups, folds, named)
    found += _ids(ids if ids is not None else row_index(X), groups, n)
    found += columns_told(parts, target)
    if groups is None:
        found += _subjects(parts, _aside(given, aside))
    told = {one.modality for one in found if one.check == "telling"}
    found += modalities_told([part for part in parts if part.name not in told], target, groups)
    found += gaps_told(parts, target)
    found += classes_told(np.asarray(y), target)
    found += _sizes(target, groups)
    if batch is not None:
        found += batches_told(parts, _one_each(batch, n, "batch"), target, groups)
    unchecked = {}
    if n > MOST_SAMPLES:
        unchecked["near copies"] = f"there are {n} samples, more than {MOST_SAMPLES}"
    return DataAudit(found, given.names, n, clusters(copies, groups, n), unchecked)


# ---------------------------------------------------------------------------- what is given


def _as_target(y: NDArray[Any], task: str) -> Target:
    """Return the target, classes as their numbers."""
    if task not in ("auto", "classification", "regression"):
        raise ValueError(
            f'task is {shown(task)}; expected "auto", "classification" or "regression".'
        )
    classes = task == "classification"
    if task == "auto":
        # More different whole numbers are taken for a quantity: nothing is learned here.
        classes = bool(seems_classes(y))
    if not classes and y.dtype.kind not in "iuf":
        raise ValueError(f"y is of {y.dtype} and task is 'regression'; expected numbers.")
    if len(np.unique(y)) < 2:
        raise ValueError(f"y is {shown(y[0])} for every sample; expected a target that varies.")
    if not classes:
        return Target(y.astype(np.float64), 0)
    codes = sample_codes(y)
    return Target(codes, int(codes.max()) + 1)


def _one_each(values: Any, n: int, argument: str) -> NDArray[Any]:
    try:
        found = read_groups(values, n)
    except ValueError as error:
        raise ValueError(str(error).replace("groups", argument)) from error
    assert found is not None
    return found


def _names_of(ids: Any, index: Any, n: int) -> list[str]:
    """Return what to call samples."""
    if ids is not None:
        return [str(one) for one in _one_each(ids, n, "ids")]
    if index is not None and not np.array_equal(np.asarray(index), np.arange(n)):
        return [repr(one) if isinstance(one, str) else str(one) for one in index]
    return [f"sample {i}" for i in range(n)]


# ---------------------------------------------------------------------------- samples


def _copies(
    parts: list[Part],
    target: Target,
    groups: NDArray[Any] | None,
    folds: Any,
    named: list[str],
) -> tuple[list[Finding], Indices]:
    """Look for copies in all modalities, and then in each; return all pairs as well."""
    whole = find_copies(parts)
    found = _copies_in("", whole, target, groups, folds, named)
    everywhere = {tuple(pair) for pair in whole.pairs.tolist()}
    together = clusters(whole.pairs, None, len(target.y))
    for part in parts if len(parts) > 1 else []:
        some = find_copies([part])
        # What is a copy in all modalities is told of once.
        exact, near = (
            pairs[together[pairs[:, 0]] != together[pairs[:, 1]]]
            for pairs in (some.exact, some.near)
        )
        found += _copies_in(part.name, Copies(exact, near), target, groups, folds, named)
        everywhere |= {tuple(pair) for pair in [*exact.tolist(), *near.tolist()]}
    pairs = np.array(sorted(everywhere), dtype=np.intp).reshape(-1, 2)
    return found, pairs


def _copies_in(
    modality: str,
    copies: Copies,
    target: Target,
    groups: NDArray[Any] | None,
    folds: Any,
    named: list[str],
) -> list[Finding]:
    pairs = copies.pairs
    if not len(pairs):
        return []
    n = len(named)
    rows = np.unique(pairs)
    where = f" in modality {modality!r} alone" if modality else ""
    kinds = [("exact", len(np.unique(copies.exact))), ("near", len(np.unique(copies.near)))]
    how = " and ".join(f"{count} with {kind} ones" for kind, count in kinds if count)
    several = counted(len(rows), "sample")
    examples = [f"{named[i]} and {named[j]}" for i, j in pairs[:MOST_SHOWN]]
    what = (
        f"{several} of {n} {'has a copy' if len(rows) == 1 else 'have copies'}{where} ({how}), "
        f"such as {'; '.join(examples)}"
    )
    differ = int((target.y[pairs[:, 0]] != target.y[pairs[:, 1]]).sum())
    if differ and target.n_classes:
        what += f"; {counted(differ, 'pair')} of different classes"
    apart = crossing(pairs, groups)
    if folds is not None:
        apart &= across(pairs, folds, n)
        what += f"; {counted(int(apart.sum()), 'pair')} on both sides of a fold"
    elif groups is not None:
        what += f"; {counted(int(apart.sum()), 'pair')} in different groups"
    share = len(np.unique(pairs[apart])) / n
    level = "note"
    if share >= _SOME:
        level = "serious" if share >= _MANY and not modality else "warning"
    advice = (
        "Scores are too good where a copy of a test sample is learned from: drop the copies, or "
        "keep them together with groups (`clusters` of this audit)."
    )
    if not apart.any():
        advice = "They are on one side of every split, and count as several: is this meant?"
    elif modality and target.n_classes and differ >= len(pairs) / 2:
        advice = (
            "Either a sample is there under two names, or this modality is too coarse to tell "
            "these apart."
        )
    return [Finding(level, "copies", f"{what}.", advice, modality, len(rows), tuple(examples))]


def _ids(ids: Any, groups: NDArray[Any] | None, n: int) -> list[Finding]:
    """Look for names that several samples have, where nothing keeps these together."""
    if ids is None or groups is not None:
        return []
    names, counts = np.unique(np.asarray(ids).astype(str), return_counts=True)
    again = names[counts > 1]
    if not len(again):
        return []
    examples = [repr(str(one)) for one in again]
    samples = int(counts[counts > 1].sum())
    return [
        Finding(
            "serious" if samples >= _MANY * n else "warning",
            "groups",
            f"{samples} of {n} samples share their id with others ({counted(len(again), 'id')} "
            f"such as {listed(examples)}), and no groups are given.",
            "Give the ids as groups, so that no subject both trains and tests a model.",
            "",
            samples,
            some_of(examples),
        )
    ]


def _sizes(target: Target, groups: NDArray[Any] | None) -> list[Finding]:
    found = []
    n = len(target.y)
    if n < _FEW_SAMPLES:
        found.append(
            Finding(
                "note",
                "size",
                f"There are {n} samples.",
                "So few see large differences only: no evidence is not evidence of absence.",
                n=n,
            )
        )
    if groups is None:
        return found
    codes = sample_codes(groups)
    n_groups = int(codes.max()) + 1
    if n_groups < _FEW_GROUPS:
        found.append(
            Finding(
                "warning",
                "size",
                f"There are {n_groups} groups.",
                "Groups count, not samples: so few say little about other ones.",
                n=n_groups,
            )
        )
    first = np.unique(codes, return_index=True)[1]
    if n_groups < n and (target.y == target.y[first][codes]).all():
        found.append(
            Finding(
                "note",
                "groups",
                f"The target is the same for all samples of each of the {n_groups} groups.",
                f"There are {n_groups} independent cases, not {n}.",
                n=n_groups,
            )
        )
    return found


def _aside(given: Any, aside: Any) -> dict[str, Any]:
    """Return the columns that are not learned from."""
    if aside is not None:
        return dict(aside)
    if not hasattr(given.X, "columns"):
        return {}
    used: set[Any] = set()
    for view in given.views:
        used |= set(view.where if isinstance(view.where, list) else [view.where])
    return {
        str(name): safe_indexing(given.X, j, axis=1)
        for j, name in enumerate(given.X.columns)
        if j not in used
    }


def _subjects(parts: list[Part], aside: dict[str, Any]) -> list[Finding]:
    """Look for columns that name whom the samples are of, where no groups are given."""
    found = []
    columns = [
        (part.name, str(name), cells)
        for part in parts
        if part.is_table
        for block in part.blocks()
        for name, cells in zip(block.names, block.cells.T, strict=True)
    ]
    columns += [("", name, cells_of(read_column(one, name))) for name, one in aside.items()]
    candidates = [one for one in columns if names_subjects(*one[1:])]
    for modality, name, cells in candidates:
        codes = sample_codes(cells)
        alike = alike_within(parts, codes) < ALPHA / len(candidates)
        where = f" of {modality!r}" if modality else ""
        what = f"Column {name!r}{where} seems to name whom the samples are of ({len(set(codes))} "
        what += "in all), and no groups are given"
        if alike:
            what += "; samples of one are more alike than others"
        advice = "Take it for groups, so that no one both trains and tests a model."
        if modality:
            advice += " It is no column to learn from."
        level = "warning" if alike or modality else "note"
        found.append(Finding(level, "groups", f"{what}.", advice, modality, 1, (name,)))
    return found
