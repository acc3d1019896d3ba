"""What becomes of samples that lack some of their modalities.

Kernels are fitted on the training samples that have their modality, and so are normalisations.
A *completion* makes of them kernels between all samples, positive semi-definite whatever is
missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mkfusion.kernels._kernel_regression import KernelRegression, choose_ridge
from mkfusion.kernels._missing_views import (
    ImputedColumns,
    ImputedRows,
    Members,
    PaddedView,
    positions,
)
from mkfusion.kernels._storage import IndexArray
from mkfusion.kernels._views import View

__all__ = [
    "COMPLETIONS",
    "Completion",
    "Imputer",
    "Marginaliser",
    "missing_message",
    "refuse_empty",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Training samples, evenly spaced, from which a missing modality is predicted at most. They bound
# a factorisation to 3 GFlop, and what is kept for a sample that lacks it to 16 kB.
MAX_DONORS = 2000
# Those of them by which a ridge is chosen: one number needs no more.
MAX_VALIDATED = 300
# Numbers in the factorisations that are kept for new samples: 128 MB.
MAX_KEPT = 2**24
# Samples that a message lists.
_MAX_SHOWN = 5


def missing_message(what: str, present: Mask) -> str | None:
    """Say which samples lack something, and what may be done about it; None if none does."""
    missing = np.flatnonzero(~present)
    if not len(missing):
        return None
    return (
        f"{what} is missing (None, or NaN throughout) in {len(missing)} of {len(present)} "
        f"samples: {_listed(missing)}; missing='error' expects it in all of them. "
        "missing='marginalise' compares two samples by what both have, missing='impute' "
        "predicts it from what else a sample has."
    )


def refuse_empty(names: Sequence[str], present: Mask, *, training: bool) -> None:
    """Refuse samples that have nothing, and training samples none of which has a modality."""
    nothing = np.flatnonzero(~present.any(axis=1))
    if len(nothing):
        raise ValueError(
            f"{len(nothing)} of {len(present)} samples have none of {list(names)}: "
            f"{_listed(nothing)}; expected at least one, to compare them by."
        )
    unknown = [name for name, some in zip(names, present.T, strict=True) if not some.any()]
    if training and unknown:
        raise ValueError(
            f"no training sample has {', '.join(map(repr, unknown))} (None, or NaN throughout); "
            "expected some to fit the kernels on."
        )


def _listed(index: IndexArray) -> str:
    shown = ", ".join(map(str, index[:_MAX_SHOWN]))
    return shown if len(index) <= _MAX_SHOWN else f"{shown}, ..."


class Completion(Protocol):
    """What makes kernels between samples that have a modality ones between all samples.

    Parameters
    ----------
    training : sequence of m View of shape (n_present_k, n_present_k)
        Kernels between the training samples that have their modality.
    entries : ndarray of shape (m,), integer
        The entry of each kernel.
    present : ndarray of shape (n_train, n_entries), dtype=bool
        The training samples that have an entry's modality.
    names : sequence of n_entries str
        For messages.
    """

    def __init__(
        self, training: Sequence[View], entries: IndexArray, present: Mask, names: Sequence[str]
    ) -> None: ...

    def training_views(self) -> list[View]:
        """Return kernels (n_train, n_train) between all training samples."""
        ...

    def views(self, known: Sequence[View], present: Mask) -> list[View]:
        """Return kernels (n, n_train) between any samples and all training samples.

        Parameters
        ----------
        known : sequence of m View of shape (n_present_rows_k, n_present_k)
            Kernels between the samples and the training samples that have their modality.
        present : ndarray of shape (n, n_entries), dtype=bool
        """
        ...


class Marginaliser:
    """Kernels over what two samples both have, as documented in `ColumnKernelizer`."""

    def __init__(
        self, training: Sequence[View], entries: IndexArray, present: Mask, names: Sequence[str]
    ) -> None:
        self._training = training
        self._entries = entries
        self._present = present

    def training_views(self) -> list[View]:
        return self.views(self._training, self._present)

    def views(self, known: Sequence[View], present: Mask) -> list[View]:
        if present.all() and self._present.all():
            return list(known)
        factors = [1.0 / np.sqrt(some.mean(axis=1)) for some in (present, self._present)]
        return [
            PaddedView(view, present[:, e], self._present[:, e], *factors)
            for view, e in zip(known, self._entries, strict=True)
        ]


class _Prediction(NamedTuple):
    """What predicts the features of an entry.

    Attributes
    ----------
    used : ndarray of shape (n_used,), integer
        The donors that share a modality with the samples in question.
    regression : KernelRegression
        Between them.
    score : float
        Mean cosine between predicted and true features, see `choose_ridge`.
    """

    used: IndexArray
    regression: KernelRegression
    score: float


class Imputer:
    """Features predicted by kernel regression, as documented in `ColumnKernelizer`."""

    def __init__(
        self, training: Sequence[View], entries: IndexArray, present: Mask, names: Sequence[str]
    ) -> None:
        self._training = training
        self._entries = entries
        self._present = present
        self._names = names
        # Kernels of one entry count as much as those of another, and k(x, x) is about 1.
        n_kernels = np.bincount(entries)[entries]
        self._factors = [
            1.0 / (n * (np.mean(view.pairs(None, None)) or 1.0))
            for view, n in zip(training, n_kernels, strict=True)
        ]
        self._donors = [_spread(np.flatnonzero(some), MAX_DONORS) for some in present.T]
        self._padded = self._pad(training, present)
        self._regressions: dict[tuple[int, bytes], _Prediction] = {}
        self._members = self._members_of(self._padded, present)

    def score(self, e: int, pattern: Mask) -> float:
        """Return how well entry e is predicted from a pattern of others, NaN if it cannot be."""
        return self._prediction(e, pattern).score if len(self._used(e, pattern)) > 1 else np.nan

    def training_views(self) -> list[View]:
        return self._complete(self._training, self._members)

    def views(self, known: Sequence[View], present: Mask) -> list[View]:
        return self._complete(known, self._members_of(self._pad(known, present), present))

    def _complete(self, known: Sequence[View], rows: Sequence[Members]) -> list[View]:
        views = []
        for view, training, e in zip(known, self._training, self._entries, strict=True):
            if len(rows[e].weights):
                view = ImputedRows(view, training, rows[e])
            if len(self._members[e].weights):
                view = ImputedColumns(view, self._members[e])
            views.append(view)
        return views

    def _pad(self, known: Sequence[View], present: Mask) -> list[View]:
        """Return each kernel between all samples, 0 where it is not known."""
        return [
            PaddedView(view, present[:, e], self._present[:, e])
            for view, e in zip(known, self._entries, strict=True)
        ]

    def _members_of(self, padded: Sequence[View], present: Mask) -> list[Members]:
        """Predict every entry's features for the samples that lack it."""
        members = []
        for e, donors in enumerate(self._donors):
            missing = np.flatnonzero(~present[:, e])
            weights = np.zeros((len(missing), len(donors)))
            patterns, which = np.unique(present[missing], axis=0, return_inverse=True)
            for p, pattern in enumerate(patterns):
                alike = np.flatnonzero(which.ravel() == p)
                rows = missing[alike]
                used, regression, _ = self._prediction(e, pattern)
                values = self._similarity(padded, rows, donors[used], present[rows], pattern)
                weights[np.ix_(alike, used)] = regression.weights(values)
            at = positions(self._present[:, e])[donors]
            members.append(Members(present[:, e], weights, at))
        return members

    def _prediction(self, e: int, pattern: Mask) -> _Prediction:
        """Return what predicts entry e for samples that have the entries of a pattern."""
        key = (e, pattern.tobytes())
        found = self._regressions.get(key)
        if found is None:
            found = self._learn(e, pattern)
            if sum(one.regression.size for one in self._regressions.values()) < MAX_KEPT:
                self._regressions[key] = found
        return found

    def _used(self, e: int, pattern: Mask) -> IndexArray:
        """Return which donors of entry e have anything of a pattern."""
        return np.flatnonzero((self._present[self._donors[e]] & pattern).any(axis=1))

    def _learn(self, e: int, pattern: Mask) -> _Prediction:
        donors, used = self._donors[e], self._used(e, pattern)
        if len(used) < 2:
            others = [name for name, there in zip(self._names, pattern, strict=True) if there]
            raise ValueError(
                f"missing='impute' is to predict {self._names[e]!r} from {others}, but {len(used)} "
                "of the training samples have it and any of these; expected at least 2. "
                "missing='marginalise' needs none."
            )
        gram = self._between(donors[used], pattern)
        few = _spread(np.arange(len(used)), MAX_VALIDATED)
        target = self._between(donors[used[few]], np.arange(len(pattern)) == e)
        ridge, score = choose_ridge(gram[np.ix_(few, few)], target)
        return _Prediction(used, KernelRegression(gram, ridge), score)

    def _between(self, samples: IndexArray, pattern: Mask) -> Floats:
        """Return the similarity between training samples."""
        return self._similarity(self._padded, samples, samples, self._present[samples], pattern)

    def _similarity(
        self,
        padded: Sequence[View],
        rows: IndexArray,
        cols: IndexArray,
        present: Mask,
        pattern: Mask,
    ) -> Floats:
        """Return the mean kernel over a pattern of entries, by what two samples both have.

        Parameters
        ----------
        padded : sequence of m View of shape (n, n_train)
        rows, cols : ndarray of shape (r,) and (c,), integer
        present : ndarray of shape (r, n_entries), dtype=bool
            What the samples of the rows have.
        pattern : ndarray of shape (n_entries,), dtype=bool

        Returns
        -------
        ndarray of shape (r, c), float64
        """
        total = np.zeros((len(rows), len(cols)))
        for view, factor, e in zip(padded, self._factors, self._entries, strict=True):
            if pattern[e]:
                total += factor * view.block(rows, cols)
        # As Marginaliser does: positive semi-definite.
        total /= np.sqrt((present & pattern).sum(axis=1))[:, np.newaxis]
        total /= np.sqrt((self._present[cols] & pattern).sum(axis=1))
        return total


def _spread(index: IndexArray, size: int) -> IndexArray:
    """Return at most so many of the indices, evenly spaced."""
    return index[np.linspace(0, len(index) - 1, min(size, len(index))).astype(np.intp)]


COMPLETIONS: dict[str, type[Completion]] = {"marginalise": Marginaliser, "impute": Imputer}
