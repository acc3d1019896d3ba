"""What the tests of information look at: one kernel for each modality, a target and its groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import (
    Modalities,
    check_rows,
    in_two_dimensions,
    present_samples,
    read_groups,
    read_labels,
    read_numbers,
    read_samples,
    read_target,
    refuse_empty,
    seems_classes,
    those,
)
from mkfusion.inspection._arguments import check_count
from mkfusion.inspection._score_tests import (
    Draws,
    centre,
    draw,
    group_kernel,
    permuted_scores,
    relative,
    scaled,
    sharpened,
    sign_pvalue,
    smallest_rank,
)
from mkfusion.inspection._whitening import Whitened, whiten_classes, whiten_numbers
from mkfusion.kernels import ColumnKernelizer
from mkfusion.stack import KernelStack, as_stack, kernel_indices

# The level that all warnings and limits are about.
ALPHA = 0.05
# What the level was not measured below.
LEAST_SAMPLES, LEAST_GROUPS, LEAST_OF_A_CLASS = 30, 10, 8
# What is warned of: groups, a share of samples that lack a modality, and of the smallest class.
FEW_GROUPS, MANY_LACKING, SMALL_CLASS = 40, 0.2, 0.1
# Mean cosines between samples outside of which a kernel hardly tells them apart, and the alignment
# from which two kernels are copies.
TELLING, COPIES = (0.02, 0.98), 0.95


@dataclass(frozen=True, eq=False)
class TestedSamples:
    """Samples of several modalities as the tests see them.

    Parameters
    ----------
    names : list of n_modalities str
    grams : list of n_modalities ndarray of shape (n, n)
        Not centred.
    present : ndarray of shape (n, n_modalities), dtype=bool
    y : ndarray of shape (n,)
        Numbers of mean 0 and standard deviation 1, or codes of classes.
    classes : ndarray of shape (n_classes,) or None
        None for numbers.
    groups : ndarray of shape (n,)
        Numbered from 0; every sample its own where there are none.
    draws : Draws
    counts : tuple of (int, int, int)
        Samples, groups, and samples that lack a modality, as they came.
    warnings : tuple of str
    """

    names: list[str]
    grams: list[Floats]
    present: Mask
    y: Floats
    classes: NDArray[Any] | None
    groups: Indices
    draws: Draws
    counts: tuple[int, int, int]
    warnings: tuple[str, ...]

    @property
    def grouped(self) -> bool:
        """Whether some groups have several samples."""
        return self.draws.signs.shape[1] < len(self.y)

    def centred(self, rows: Indices | None = None) -> list[Floats]:
        """Return each modality's centred and scaled kernel, between some of the samples (r,)."""
        out = []
        for K, present in zip(self.grams, self.present.T, strict=True):
            if rows is not None:
                K, present = K[np.ix_(rows, rows)], present[rows]
            out.append(scaled(centre(K, present)))
        return out

    def sharpened(self) -> list[Floats]:
        """Return the same of each modality's sharpened kernel."""
        out = []
        for K, present in zip(self.grams, self.present.T, strict=True):
            out.append(scaled(centre(sharpened(K), present)))
        return out

    def between_groups(self, rows: Indices | None = None) -> list[Floats]:
        """Return the kernel of a random intercept of each group, if there are groups."""
        groups = self.groups if rows is None else self.groups[rows]
        return [group_kernel(groups)] if len(np.unique(groups)) < len(groups) else []

    def whiten(self, nulls: list[Floats]) -> list[Whitened]:
        """Return residuals of null kernels: several ones of several classes, one against the rest.

        Kernels of zeros explain nothing, and are left out.
        """
        nulls = [C for C in [*nulls, *self.between_groups()] if C.any()]
        if self.classes is None:
            return [whiten_numbers(self.y, nulls)]
        positive = range(len(self.classes)) if len(self.classes) > 2 else [1]
        return [
            whiten_classes((self.y == c).astype(np.float64), nulls, dispersed=True)
            for c in positive
        ]


def tested_samples(
    kernels_or_X: Any,
    y: Any,
    *,
    modalities: Any,
    groups: Any,
    present: Any,
    task: str,
    n_signs: int,
    n_permutations: int,
    max_samples: int,
    random_state: Any,
) -> TestedSamples:
    """Read what the tests are given, as :func:`~mkfusion.inspection.added_information` says.

    Returns
    -------
    TestedSamples

    Raises
    ------
    ValueError, TypeError
        If something is not what was expected, or the level of the tests is not known for it.
    """
    check_count("n_signs", n_signs, 1)
    check_count("n_permutations", n_permutations, 1)
    check_count("max_samples", max_samples, LEAST_SAMPLES)
    source = _as_source(kernels_or_X, modalities, present)
    check_rows(source.X, y=y, groups=groups)
    target, classes = _as_target(source.X, y, task)
    labels = read_groups(groups, source.n)
    codes = np.arange(source.n) if labels is None else np.unique(labels, return_inverse=True)[1]
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rng = np.random.default_rng(seed)
    notes = []
    if source.n > max_samples:
        rows = _some_groups(codes, max_samples, rng)
        notes.append(
            f"{len(rows)} of {source.n} samples are looked at (max_samples), a random part"
            f"{'' if labels is None else ' of the groups'}."
        )
        target = target[rows]
        codes = np.unique(codes[rows], return_inverse=True)[1]
    else:
        rows = np.arange(source.n)
    _check_draws(n_signs, n_permutations, len(source.names))
    grams, there = source.grams(rows)
    refuse_empty(source.names, there, training=True)
    counts = (len(rows), int(codes.max()) + 1, int((~there.all(axis=1)).sum()))
    _check_counts(counts, labels is not None)
    if labels is not None and counts[1] < FEW_GROUPS:
        notes.append(
            f"There are {counts[1]} groups: the level of the test was measured with 20 groups of "
            "2 and of 4 samples, and with 60."
        )
    notes += _lacking_notes(source.names, there)
    unit = "samples"
    if counts[1] < counts[0] and _constant_within(target, codes):
        notes.append(
            f"y is the same within every group: the test compares {counts[1]} groups, each by the "
            "mean of its samples, and knows no more than these."
        )
        grams, there, target = _by_group(grams, there, target, codes)
        codes = np.arange(len(target))
        unit = "groups"
    target = _checked_target(target, classes, unit)
    draws = draw(codes, n_signs, n_permutations, rng)
    tested = TestedSamples(source.names, grams, there, target, classes, codes, draws, counts, ())
    for name, C in zip(tested.names, tested.centred(), strict=True):
        if not C.any():
            raise ValueError(
                f"modality {name!r} is constant: its kernel is the same for all pairs of samples; "
                "expected one that varies."
            )
    notes += _notes(tested)
    return TestedSamples(
        source.names, grams, there, target, classes, codes, draws, counts, tuple(notes)
    )


# ---------------------------------------------------------------------------- samples


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Gram matrices as the source of one kernel for each modality."""

    X: KernelStack
    names: list[str]
    which: list[Indices]
    present: Mask

    @property
    def n(self) -> int:
        return self.X.shape[0]

    def grams(self, rows: Indices) -> tuple[list[Floats], Mask]:
        """Return each modality's kernel between some samples, and which of these have it."""
        stack = self.X if len(rows) == self.n else self.X.take(rows, rows)
        there = self.present[rows]
        grams = []
        for which, some in zip(self.which, there.T, strict=True):
            kernels = [np.asarray(stack.gram(int(k)), dtype=np.float64) for k in which]
            if len(kernels) > 1:  # of one size, or the mean would be that of the largest
                kernels = [_of_unit_size(K, some) for K in kernels]
            grams.append(np.mean(kernels, axis=0) * some * some[:, np.newaxis])
        return grams, there


@dataclass(frozen=True, eq=False)
class _Samples:
    """Raw samples as the source of one kernel for each modality."""

    X: Any
    names: list[str]
    parts: list[Any]

    @property
    def n(self) -> int:
        return int(num_samples(self.X))

    def grams(self, rows: Indices) -> tuple[list[Floats], Mask]:
        """Return each modality's kernel between some samples, and which of these have it."""
        n = len(rows)
        grams, masks = [], []
        for name, part in zip(self.names, self.parts, strict=True):
            data = part if n == self.n else safe_indexing(part, rows)
            there = present_samples(data)
            gram = np.zeros((n, n))
            if there.any():
                X = Modalities({name: those(there, data)})
                stack = ColumnKernelizer([(name, "auto", name)]).fit_transform(X)
                gram[np.ix_(there, there)] = stack.gram(0)
            grams.append(gram)
            masks.append(there)
        return grams, np.stack(masks, axis=1)


def _as_source(kernels_or_X: Any, modalities: Any, present: Any) -> _Kernels | _Samples:
    if not _are_kernels(kernels_or_X):
        if present is not None:
            raise ValueError(
                "present is given with raw samples; expected None: rows of NaN and None say who "
                "lacks what."
            )
        samples = read_samples(kernels_or_X, modalities)
        parts = [in_two_dimensions(part) for part in samples.parts]
        source: _Kernels | _Samples = _Samples(samples.X, samples.names, parts)
    else:
        stack = as_stack(kernels_or_X, None, "kernels_or_X")
        stack.check_gram("kernels_or_X")
        names, which = _named_kernels(stack, modalities)
        source = _Kernels(stack, names, which, _as_mask(present, stack.shape[0], names))
    if len(source.names) < 2:
        raise ValueError(
            f"modalities are {shown(source.names)}; expected two or more, or there is nothing to "
            "add to."
        )
    return source


def _are_kernels(given: Any) -> bool:
    """Whether Gram matrices were given, not samples."""
    if isinstance(given, KernelStack):
        return True
    if isinstance(given, np.ndarray):
        return given.ndim == 3
    return isinstance(given, list | tuple) and len(given) > 0 and np.ndim(given[0]) == 2


def _named_kernels(stack: KernelStack, modalities: Any) -> tuple[list[str], list[Indices]]:
    if modalities is None:
        return stack.names, [np.array([k]) for k in range(stack.shape[2])]
    if not isinstance(modalities, Mapping):
        raise TypeError(
            f"modalities is a {type(modalities).__name__}; expected a mapping from the name of a "
            "modality to the names or indices of its kernels, since kernels are given."
        )
    return list(modalities), [
        kernel_indices(which, stack.names, f"modalities[{name!r}]")
        for name, which in modalities.items()
    ]


def _as_mask(present: Any, n: int, names: list[str]) -> Mask:
    if present is None:
        return np.ones((n, len(names)), dtype=bool)
    mask = np.asarray(present)
    if mask.shape != (n, len(names)) or mask.dtype != bool:
        raise ValueError(
            f"present is of shape {mask.shape} and {mask.dtype}; expected booleans of shape "
            f"{(n, len(names))}, who has which of {shown(names)}."
        )
    return mask


def _of_unit_size(K: Floats, present: Mask) -> Floats:
    size = np.trace(centre(K, present))
    return K / size if size > 0.0 else K


def _some_groups(groups: Indices, most: int, rng: np.random.Generator) -> Indices:
    """Return the samples of random groups, at most so many samples but those of one group."""
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    n_groups = max(1, int(np.searchsorted(np.cumsum(sizes[order]), most, side="right")))
    return np.flatnonzero(np.isin(groups, order[:n_groups]))


def _by_group(
    grams: list[Floats], present: Mask, y: Floats, groups: Indices
) -> tuple[list[Floats], Mask, Floats]:
    """Return the kernels between the groups' means, who has which, and the groups' targets."""
    members = (np.arange(groups.max() + 1)[:, np.newaxis] == groups).astype(np.float64)
    means = []
    for K, some in zip(grams, present.T, strict=True):
        having = members * some
        having /= np.maximum(having.sum(axis=1, keepdims=True), 1.0)
        means.append(having @ K @ having.T)
    first = np.unique(groups, return_index=True)[1]
    return means, members @ present > 0, y[first]


# ---------------------------------------------------------------------------- targets


def _as_target(X: Any, y: Any, task: Any) -> tuple[Floats, NDArray[Any] | None]:
    """Return numbers and None, or codes and classes."""
    if task not in ("auto", "classification", "regression"):
        raise ValueError(
            f'task is {shown(task)}; expected "auto", "classification" or "regression".'
        )
    if task == "auto":
        values = read_target(X, y)
        found = seems_classes(values)
        if found is None:
            raise ValueError(
                f"y holds {len(np.unique(values))} different whole numbers; expected "
                'task="classification" or task="regression", which says what they are.'
            )
        task = "classification" if found else "regression"
    if task == "regression":
        return read_numbers(X, y), None
    labels = read_labels(X, y)
    return labels.codes.astype(np.float64), labels.classes


def _checked_target(y: Floats, classes: NDArray[Any] | None, unit: str) -> Floats:
    """Return standardised numbers or codes, after a look at how many there are of each."""
    if classes is None:
        if not np.ptp(y) > 0.0:
            raise ValueError(f"y is {shown(y[0])} for every sample; expected one that varies.")
        y = y - y.mean()
        return y / y.std(ddof=1)
    counts = np.bincount(y.astype(np.intp), minlength=len(classes))
    k = int(counts.argmin())
    if counts[k] < LEAST_OF_A_CLASS:
        raise ValueError(
            f"y has {counts[k]} {unit} of the class {shown(classes[k])}; expected at least "
            f"{LEAST_OF_A_CLASS} {unit} of each class."
        )
    return y


def _constant_within(y: Floats, groups: Indices) -> bool:
    first = np.unique(groups, return_index=True)[1]
    return bool((y == y[first][groups]).all())


def _check_draws(n_signs: int, n_permutations: int, n_modalities: int) -> None:
    # The smallest of several ranks ties two draws at the top.
    least = int(np.ceil(2 * n_modalities / ALPHA)) - 1
    for name, count in (("n_signs", n_signs), ("n_permutations", n_permutations)):
        if count < least:
            raise ValueError(
                f"{name} is {count}; expected at least {least} for {n_modalities} modalities, or "
                f"no p-value could be below {ALPHA}."
            )


def _check_counts(counts: tuple[int, int, int], grouped: bool) -> None:
    if counts[0] < LEAST_SAMPLES:
        raise ValueError(
            f"there are {counts[0]} samples; expected at least {LEAST_SAMPLES}: with fewer the "
            "test's level is not known."
        )
    if grouped and counts[1] < LEAST_GROUPS:
        raise ValueError(
            f"there are {counts[1]} groups; expected at least {LEAST_GROUPS}: with fewer the "
            "test's level is not known."
        )


# ---------------------------------------------------------------------------- what to warn of


def _lacking_notes(names: list[str], present: Mask) -> list[str]:
    shares = 1.0 - present.mean(axis=0)
    return [
        f"{share:.0%} of the samples lack {name!r}."
        for name, share in zip(names, shares, strict=True)
        if share > MANY_LACKING
    ]


def _notes(tested: TestedSamples) -> list[str]:
    notes = _notes_on_missingness(tested)
    for name, K, present in zip(tested.names, tested.grams, tested.present.T, strict=True):
        size = np.sqrt(np.diagonal(K)[present])
        if not (size > 0.0).all():
            continue
        cosines = K[np.ix_(present, present)] / size / size[:, np.newaxis]
        n = len(size)
        mean = (np.abs(cosines).sum() - n) / (n * (n - 1))
        if not TELLING[0] <= mean <= TELLING[1]:
            notes.append(
                f"The kernel of {name!r} hardly tells samples apart (mean cosine {mean:.2f}): the "
                "test has no power for it."
            )
    C = tested.centred()
    norms = [np.linalg.norm(one) for one in C]
    for i in range(len(C)):
        for j in range(i):
            alignment = np.vdot(C[i], C[j]) / (norms[i] * norms[j])
            if alignment > COPIES:
                notes.append(
                    f"{tested.names[j]!r} and {tested.names[i]!r} are nearly copies (alignment "
                    f"{alignment:.2f}): each hides what the other adds to all others."
                )
    if tested.classes is not None:
        shares = np.bincount(tested.y.astype(np.intp)) / len(tested.y)
        k = int(shares.argmin())
        if shares[k] < SMALL_CLASS:
            notes.append(f"The class {shown(tested.classes[k])} is {shares[k]:.0%} of y.")
    return notes


def _notes_on_missingness(tested: TestedSamples) -> list[str]:
    """Say where y differs between samples that have a modality and those that lack it."""
    notes: list[str] = []
    lacking = np.flatnonzero(~tested.present.all(axis=0))
    if not len(lacking):
        return notes
    whitened = tested.whiten([])
    for k in lacking:
        column = tested.present[:, k].astype(np.float64)
        S = centre(np.outer(column, column))
        by_signs = sign_pvalue(whitened, [S], tested.groups, tested.draws)
        permuted = relative(*permuted_scores(whitened, S, tested.draws.rows, [None]))
        pvalue = max(by_signs, smallest_rank(list(permuted)))
        if pvalue < ALPHA:
            notes.append(
                f"Samples that lack {tested.names[k]!r} differ in y (p = {pvalue:.3f}): what it "
                "seems to add may be that it is missing."
            )
    return notes
