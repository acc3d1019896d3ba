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
from threadpoolctl import ThreadpoolController

from mkfusion.kernels.kernelizer._kernel_regression import KernelRegression, choose_ridge
from mkfusion.kernels.kernelizer._missing_views import (
    ImputedColumns,
    ImputedRows,
    Members,
    PaddedView,
    positions,
)
from mkfusion.kernels.stack._storage import IndexArray
from mkfusion.kernels.stack._views import View

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

# Training samples, evenly spaced, from which missing modalities are predicted at most. They bound
# a factorisation to 3 GFlop, and what is kept for a sample to 16 kB for each entry that it lacks.
MAX_DONORS = 2000
# Those of them by which a ridge is chosen: one number needs no more.
MAX_VALIDATED = 200
# Numbers in the factorisations that are kept for new samples: 128 MB.
MAX_KEPT = 2**24
# Numbers in the kernels that are kept while patterns are gone through: 512 MB.
MAX_SHARED = 2**26
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
        self._pool = _spread(np.arange(len(present)), MAX_DONORS)
        # Of the pool, the samples that have each entry
        self._donors = [np.flatnonzero(some) for some in present[self._pool].T]
        self._padded = self._pad(training, present)
        self._grams: dict[int, Floats] = {}
        self._regressions: dict[tuple[int, bytes], _Prediction] = {}
        self._members = self._members_of(self._padded, present)

    def scores(self, patterns: Mask) -> list[float]:
        """Return how well each entry is predicted from others, NaN where it cannot be.

        Parameters
        ----------
        patterns : ndarray of shape (n_entries, n_entries), dtype=bool
            Row e: those that entry e is predicted from.
        """
        scores = [
            self._prediction(e, pattern).score if len(self._used(e, pattern)) > 1 else np.nan
            for e, pattern in enumerate(patterns)
        ]
        self._grams.clear()
        return scores

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
        lacking = [positions(~some) for some in present.T]
        weights = [
            np.zeros((int(np.sum(at >= 0)), len(donors)))
            for at, donors in zip(lacking, self._donors, strict=True)
        ]
        incomplete = np.flatnonzero(~present.all(axis=1))
        patterns, which = np.unique(present[incomplete], axis=0, return_inverse=True)
        for p, pattern in enumerate(patterns):
            rows = incomplete[which.ravel() == p]
            values = np.zeros((len(rows), len(self._pool)))
            for e in _where(pattern):
                values += self._mean(padded, e, rows, self._pool)
            values /= np.sqrt(pattern.sum() * self._shared(pattern))
            for e in _where(~pattern):
                used, regression, _ = self._prediction(e, pattern)
                predicted = regression.weights(values[:, self._donors[e][used]])
                weights[e][np.ix_(lacking[e][rows], used)] = predicted
        self._grams.clear()
        return [
            Members(present[:, e], weights[e], positions(self._present[:, e])[self._pool[donors]])
            for e, donors in enumerate(self._donors)
        ]

    def _mean(self, padded: Sequence[View], e: int, rows: IndexArray, cols: IndexArray) -> Floats:
        """Return the mean kernel of entry e between some samples and training samples."""
        total = np.zeros((len(rows), len(cols)))
        for view, factor, entry in zip(padded, self._factors, self._entries, strict=True):
            if entry == e:
                total += factor * view.block(rows, cols)
        return total

    def _gram(self, e: int) -> Floats:
        """Return the mean kernel of entry e between the samples of the pool."""
        found = self._grams.get(e)
        if found is None:
            found = self._mean(self._padded, e, self._pool, self._pool)
            if (len(self._grams) + 1) * found.size <= MAX_SHARED:
                self._grams[e] = found
        return found

    def _shared(self, pattern: Mask) -> IndexArray:
        """Return how many entries of a pattern the samples of the pool have, 1 for none."""
        return np.maximum((self._present[self._pool] & pattern).sum(axis=1), 1)

    def _used(self, e: int, pattern: Mask) -> IndexArray:
        """Return which donors of entry e have anything of a pattern."""
        present = self._present[self._pool[self._donors[e]]]
        return np.flatnonzero((present & pattern).any(axis=1))

    def _prediction(self, e: int, pattern: Mask) -> _Prediction:
        """Return what predicts entry e for samples that have the entries of a pattern."""
        key = (e, pattern.tobytes())
        found = self._regressions.get(key)
        if found is None:
            found = self._learn(e, pattern)
            kept = sum(one.regression.size for one in self._regressions.values())
            if kept + found.regression.size <= MAX_KEPT:
                self._regressions[key] = found
        return found

    def _learn(self, e: int, pattern: Mask) -> _Prediction:
        used = self._used(e, pattern)
        if len(used) < 2:
            others = [name for name, there in zip(self._names, pattern, strict=True) if there]
            raise ValueError(
                f"missing='impute' is to predict {self._names[e]!r} from {others}, but {len(used)} "
                "of the training samples have it and any of these; expected at least 2. "
                "missing='marginalise' needs none."
            )
        samples = self._donors[e][used]
        few = _spread(np.arange(len(used)), MAX_VALIDATED)
        gram = np.zeros((len(used), len(used)))
        for other in _where(pattern):
            gram += self._gram(other)[np.ix_(samples, samples)]
        # As Marginaliser does: positive semi-definite.
        scale = np.sqrt(self._shared(pattern)[samples])
        gram /= scale
        gram /= scale[:, np.newaxis]
        target = self._gram(e)[np.ix_(samples[few], samples[few])]
        # Threads of BLAS gain little here, and on a busy machine wait longer than they compute.
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            ridge, score = choose_ridge(gram[np.ix_(few, few)], target)
            return _Prediction(used, KernelRegression(gram, ridge), score)


def _where(mask: Mask) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _spread(index: IndexArray, size: int) -> IndexArray:
    """Return at most so many of the indices, evenly spaced."""
    return index[np.linspace(0, len(index) - 1, min(size, len(index))).astype(np.intp)]


COMPLETIONS: dict[str, type[Completion]] = {"marginalise": Marginaliser, "impute": Imputer}
