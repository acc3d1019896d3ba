"""Whether data can be trusted to answer a question: what makes scores too good, or mean another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Indices
from mkfusion.data import (
    Modalities,
    check_rows,
    is_uneven,
    read_column,
    read_groups,
    read_samples,
    read_splits,
    read_target,
    row_index,
    seems_classes,
)
from mkfusion.inspection._arguments import count_samples
from mkfusion.inspection._audit_columns import (
    PERFECT,
    Seen,
    Target,
    can_be_told,
    look_at_columns,
    modality_score,
    names_subjects,
)
from mkfusion.inspection._audit_copies import (
    MOST_SAMPLES,
    Copies,
    across,
    alike_within,
    clusters,
    crossing,
    find_copies,
)
from mkfusion.inspection._audit_design import (
    as_batch,
    associated,
    gaps_of_columns,
)
from mkfusion.inspection._audit_tables import Part, cells_of, sample_codes
from mkfusion.inspection._display import as_frame

LEVELS = ("serious", "warning", "note")
# Findings of chance are at most so many in all audits, for each kind of test.
_ALPHA = 0.01
_MOST_SHOWN = 3
# Samples with a copy, from which on scores are wrong rather than a little too good
_MANY, _SOME = 0.05, 0.01
_PERFECT_MODALITY = 0.995
_CONFOUNDED = 0.9
_FEW_OF_A_CLASS, _FEW_SAMPLES, _FEW_GROUPS = 8, 30, 10
_RARE, _MANY_MISSING = 0.1, 0.2


class Finding(NamedTuple):
    """Something in the data that users should know of.

    Attributes
    ----------
    level : {"serious", "warning", "note"}
        Scores are not to be believed; look at it before you believe them; for the record.
    check : str
        What was looked for, in one word or two.
    what : str
        What was found: a sentence.
    advice : str
        What to do about it: a sentence.
    modality : str
        Where; empty is everywhere.
    n : int
        How many samples, columns or the like it is about.
    examples : tuple of str
        A few of them.

    Examples
    --------
    >>> from mkfusion.inspection import Finding
    >>> Finding("note", "constant", "1 column is constant.", "Leave it out.", "rna", 1, ("g7",))
    Finding(level='note', check='constant', what='1 column is constant.', advice='Leave it out.', \
modality='rna', n=1, examples=('g7',))
    """

    level: str
    check: str
    what: str
    advice: str
    modality: str = ""
    n: int = 0
    examples: tuple[str, ...] = ()


class DataAudit:
    """Outcome of :func:`audit`.

    Parameters
    ----------
    findings : iterable of Finding
    names : list of n_modalities str
    n_samples : int
    clusters : ndarray of shape (n_samples,)
        The number of each sample's set of copies; of samples of one group, too. As `groups` of
        what splits samples, it keeps copies on one side.
    unchecked : dict of str to str, default=None
        What was not looked at, and why.

    Attributes
    ----------
    findings : list of Finding
        The most serious first.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion.inspection import audit
    >>> rng = np.random.default_rng(0)
    >>> A, B, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 5)), np.arange(60) % 2
    >>> A[20:30], B[20:30] = A[:10], B[:10]
    >>> found = audit({"a": A, "b": B}, y)
    >>> [(one.level, one.check, one.n) for one in found.findings]
    [('serious', 'copies', 20)]
    """

    def __init__(
        self,
        findings: Iterable[Finding],
        names: Sequence[str],
        n_samples: int,
        clusters: Indices,
        unchecked: dict[str, str] | None = None,
    ) -> None:
        self.findings = sorted(findings, key=lambda one: LEVELS.index(one.level))
        self.names = list(names)
        self.n_samples = n_samples
        self.clusters = clusters
        self.unchecked = dict(unchecked or {})

    def with_findings(self, findings: Iterable[Finding]) -> DataAudit:
        """Return the same with more findings, of what was known before the data were joined.

        Parameters
        ----------
        findings : iterable of Finding

        Returns
        -------
        DataAudit
        """
        every = [*self.findings, *findings]
        return DataAudit(every, self.names, self.n_samples, self.clusters, self.unchecked)

    def count(self, level: str) -> int:
        """Return how many findings are of a level.

        Parameters
        ----------
        level : {"serious", "warning", "note"}

        Returns
        -------
        int
        """
        return sum(one.level == level for one in self.findings)

    def summary(self) -> str:
        """Return in one sentence what was found.

        Returns
        -------
        str
        """
        of = f"{self.n_samples} samples of {', '.join(self.names)}"
        counts = [(self.count(level), level) for level in LEVELS]
        plural = {"serious": "serious", "warning": "warnings", "note": "notes"}
        found = [f"{n} {level if n == 1 else plural[level]}" for n, level in counts if n]
        return f"Audit of {of}: {', '.join(found) or 'nothing found'}."

    def to_frame(self) -> Any:
        """Return a row for each finding.

        Returns
        -------
        pandas.DataFrame of shape (n_findings, 7)

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns: dict[str, list[Any]] = {
            name: [getattr(one, name) for one in self.findings] for name in Finding._fields
        }
        columns["examples"] = [", ".join(one) for one in columns["examples"]]
        return as_frame(columns, range(len(self.findings)), "finding")

    def __repr__(self) -> str:
        lines = [self.summary()]
        lines += [f"{one.level}: {one.what} {one.advice}" for one in self.findings]
        lines += [f"not looked at: {what}: {why}" for what, why in self.unchecked.items()]
        return "\n".join(lines)


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
    chance in one of a thousand audits, in as many dimensions as the farther neighbours tell.
    Texts are compared by their letters, whatever their case and spacing. Beyond 20,000 samples near
    copies are not looked for.

    **Columns** are looked at one by one: the area under the ROC curve of two classes, R2 of the
    values or their ranks, and the score of a histogram that is learned on one half of the samples
    and tested on the other. Reported are 0.995, 0.95, and a balanced accuracy of 0.99 of more
    classes, unless there are so few samples that luck does it. A **modality** is tried by a ridge
    model in five folds.

    **Gaps and batches** are tested against the target by Fisher's exact test, the chi-squared test
    or that of Kruskal and Wallis, at 0.01 after Bonferroni's correction for all tests of a kind.

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
    parts = [Part(name, data) for name, data in zip(given.names, given.parts, strict=True)]
    target = _as_target(read_target(given.X, y), task)
    groups = read_groups(groups, n)
    named = _names_of(ids, row_index(X), n)
    folds = None
    if cv is not None:
        folds = read_splits(cv, n, y, classes=target.n_classes > 0, groups=groups, seed=0)
    found, copies = _copies(parts, target, groups, folds, named)
    found += _ids(ids if ids is not None else row_index(X), groups, n)
    found += _columns(parts, target)
    if groups is None:
        found += _subjects(parts, _aside(given, aside))
    told = {one.modality for one in found if one.check == "telling"}
    found += _whole_modalities([part for part in parts if part.name not in told], target, groups)
    found += _missing(parts, target)
    found += _classes(np.asarray(y), target)
    found += _sizes(target, groups)
    if batch is not None:
        found += _batches(_one_each(batch, n, "batch"), target)
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


def _listed(items: Sequence[str]) -> str:
    first = ", ".join(items[:_MOST_SHOWN])
    return first if len(items) <= _MOST_SHOWN else f"{first}, ..."


def _some(items: Sequence[str]) -> tuple[str, ...]:
    return tuple(items[:_MOST_SHOWN])


def _counted(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


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
    several = _counted(len(rows), "sample")
    examples = [f"{named[i]} and {named[j]}" for i, j in pairs[:_MOST_SHOWN]]
    what = (
        f"{several} of {n} {'has a copy' if len(rows) == 1 else 'have copies'}{where} ({how}), "
        f"such as {'; '.join(examples)}"
    )
    differ = int((target.y[pairs[:, 0]] != target.y[pairs[:, 1]]).sum())
    if differ and target.n_classes:
        what += f"; {_counted(differ, 'pair')} of different classes"
    apart = crossing(pairs, groups)
    if folds is not None:
        apart &= across(pairs, folds, n)
        what += f"; {_counted(int(apart.sum()), 'pair')} on both sides of a fold"
    elif groups is not None:
        what += f"; {_counted(int(apart.sum()), 'pair')} in different groups"
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
            f"{samples} of {n} samples share their id with others ({_counted(len(again), 'id')} "
            f"such as {_listed(examples)}), and no groups are given.",
            "Give the ids as groups, so that no subject both trains and tests a model.",
            "",
            samples,
            _some(examples),
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


# ---------------------------------------------------------------------------- columns


def _columns(parts: list[Part], target: Target) -> list[Finding]:
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
    shown_ = [f"{name!r} ({seen.measure} {score:.3f})" for name, score in those[:_MOST_SHOWN]]
    says = "says" if len(those) == 1 else "say"
    how = "without any error" if perfect else "almost without error"
    return [
        Finding(
            "serious" if perfect else "warning",
            "telling",
            f"{_counted(len(those), 'column')} of {modality!r} {says} the target {how}: "
            f"{', '.join(shown_)}{', ...' if len(those) > _MOST_SHOWN else ''}.",
            "Is it known before the outcome is? If not, or if it is computed from it, exclude it.",
            modality,
            len(those),
            tuple(name for name, _ in those[:_MOST_SHOWN]),
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
        names = _listed([repr(name) for name in seen.constant])
        what = f"{_counted(count, 'column')} of {part.name!r} {'is' if count == 1 else 'are'} "
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
            _some(seen.constant),
        )
    ]


def _naming(modality: str, seen: Seen) -> list[Finding]:
    """Tell of columns that name samples or rows."""
    found = []
    telling = dict(seen.telling)
    for name, why, score in seen.ids[:_MOST_SHOWN]:
        what = f"Column {name!r} of {modality!r} seems to name the samples: {why}"
        level = "warning"
        if name in telling:
            level = "serious"
            what += f"; it tells the target ({seen.measure} {score:.3f}), as the order of rows does"
        advice = "Exclude it: names are not for learning."
        found.append(Finding(level, "ids", f"{what}.", advice, modality, 1, (name,)))
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
        alike = alike_within(parts, codes) < _ALPHA / len(candidates)
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


def _whole_modalities(
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


def _missing(parts: list[Part], target: Target) -> list[Finding]:
    found = []
    lacking = [part for part in parts if not part.present.all()]
    for part in lacking:
        absent = ~part.present
        n, count = len(absent), int(absent.sum())
        if absent.all():
            continue
        test = associated(absent.astype(np.intp), target)
        told = test.p_value * len(lacking) < _ALPHA
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
        if test.p_value * len(gaps) < _ALPHA:
            told_of.setdefault(part.name, []).append((column, empty))
    for name, columns in told_of.items():
        names = [repr(column) for column, _ in columns]
        column, empty = columns[0]
        verb = "is" if len(columns) == 1 else "are"
        found.append(
            Finding(
                "warning",
                "missing",
                f"{_counted(len(columns), 'column')} of {name!r} {verb} empty for other targets "
                f"than filled, such as {column!r}: {_shares(empty, target)}.",
                "A gap tells the target: find out why it is empty.",
                name,
                len(columns),
                _some(names),
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


def _classes(y: NDArray[Any], target: Target) -> list[Finding]:
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
                f"There are {_counted(int(counts[least]), 'sample')} of class "
                f"{shown(labels[least])}.",
                "So few are not learned, and scores of it are luck: merge it, or leave it out.",
                n=int(counts[least]),
                examples=(str(labels[least]),),
            )
        )
    return found


def _batches(batch: NDArray[Any], target: Target) -> list[Finding]:
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
    test = associated(codes, target)
    if n_batches < 2 or test.p_value >= _ALPHA:
        return []
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
            examples=_some([str(one) for one in np.unique(batch.astype(str))]),
        )
    ]
