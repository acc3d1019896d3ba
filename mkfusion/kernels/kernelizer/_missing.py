"""What becomes of samples that lack some of their modalities.

Kernels are fitted on the training samples that have their modality, and so are normalisations.
A *completion* makes of them kernels between all samples, positive semi-definite whatever is
missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from threadpoolctl import ThreadpoolController

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats, Indices, Mask
from mkfusion.stack import View

# What `choose_ridge` chooses from, for kernels of which k(x, x) is about 1.
RIDGES = np.logspace(-3, 1, 9)
# Squared lengths below this share of the largest are rounding errors; those of predictions, which
# are sums of 1e-16 then, below its square.
_ROUNDING = 1e-12


class KernelRegression:
    """Weights a_i of training samples such that sum_i a_i f(t_i) predicts f(x), for any f.

    They are those of ridge regression on the features of a kernel with an intercept without
    penalty, and do not depend on f, which may have values in any vector space::

        a(x) = 1/n + (k(x) - mean_i k(t_i)) C (C K C + ridge I)^-1,    C = I - 11'/n.

    They sum to 1; with a large ridge they are all 1/n.

    Parameters
    ----------
    gram : ndarray of shape (n, n), float64
        K between training samples, positive semi-definite.
    ridge : float
        Positive.

    Raises
    ------
    ValueError
        If the kernel is far from positive semi-definite.
    """

    def __init__(self, gram: Floats, ridge: float) -> None:
        self._means = gram.mean(axis=0)
        penalised = _centred(gram)
        penalised[np.diag_indices(len(gram))] += ridge
        try:
            self._factor = cho_factor(penalised, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError as error:
            raise ValueError(
                "a kernel is not positive semi-definite; regression on it needs that."
            ) from error

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(self._factor[0].size)

    def weights(self, values: Floats) -> Floats:
        """Return the weights (r, n) for samples with values k(x) (r, n)."""
        centred = values - self._means
        centred -= centred.mean(axis=1, keepdims=True)
        solved: Floats = cho_solve(self._factor, centred.T, check_finite=False).T
        return 1.0 / len(self._means) + solved


def choose_ridge(gram: Floats, target: Floats) -> tuple[float, float]:
    """Choose the ridge with which features of another kernel are predicted well.

    What is compared is the mean cosine between the features of each sample and their leave-one-out
    prediction, both less the mean of the others: a machine that learns from predicted features
    needs their direction rather than their length, which the squared error is dominated by. The
    next smaller ridge than the best is taken. What shrinking takes from the features is lost to
    the machine, but not what noise it leaves in them, which the machine averages.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        The kernel K to predict from; k(x, x) is about 1.
    target : ndarray of shape (n, n)
        The kernel L, of which features are predicted.

    Returns
    -------
    ridge : float
    score : float
        The largest mean cosine, where a vector of zeros counts 0.

    Notes
    -----
    With ``R = ridge (C K C + ridge I)^-1 - 11'/n``, which is the identity less the smoother, the
    prediction for sample i by the others has the weights ``I_ij - R_ij / R_ii`` (those of ridge
    regression without sample i: nothing is fitted anew).

    References
    ----------
    Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge
    parameter", Technometrics 21, 1979: leaving one out in closed form.
    """
    n = len(gram)
    centring = np.eye(n) - 1.0 / n
    values, vectors = eigh(_centred(gram), overwrite_a=True)
    largest = np.diagonal(target).max()
    target = _centred(target)
    norms = np.diagonal(target)
    scores = []
    for ridge in RIDGES:
        residual = (vectors * (ridge / (values + ridge))) @ vectors.T - 1.0 / n
        # Weights less those of the mean of the others, 1 / (n - 1) each
        weights = centring * (n / (n - 1)) - residual / np.diagonal(residual)[:, np.newaxis]
        predicted = weights @ target
        squares = np.einsum("ij,ij->i", predicted, weights)
        known = np.minimum(norms, squares / _ROUNDING) > _ROUNDING * largest
        cosines = np.diagonal(predicted)[known] / np.sqrt((squares * norms)[known])
        scores.append(cosines.sum() / n)
    best = int(np.argmax(scores))
    return float(RIDGES[max(best - 1, 0)]), float(scores[best])


def _centred(gram: Floats) -> Floats:
    """Return ``C K C``."""
    means = gram.mean(axis=0)
    return gram - means - means[:, np.newaxis] + means.mean()


def positions(present: Mask) -> Indices:
    """Return where each sample stands among those present, (n,); -1 for those that are not."""
    return np.where(present, np.cumsum(present) - 1, -1)


class PaddedView(View):
    """A kernel between the samples that have a modality, as one between all samples.

    Its values are ``K_ij * row_factors_i * col_factors_j``, and 0 where either sample lacks the
    modality.

    Parameters
    ----------
    known : View
        The kernel between those that have it.
    rows, cols : ndarray of shape (n_rows,) and (n_cols,), dtype=bool
        Which samples these are.
    row_factors, col_factors : ndarray of shape (n_rows,) and (n_cols,), default=None
        1 by default.
    """

    def __init__(
        self,
        known: View,
        rows: Mask,
        cols: Mask,
        row_factors: Floats | None = None,
        col_factors: Floats | None = None,
    ) -> None:
        self.known = known
        self.place = known.place
        self._rows, self._cols = positions(rows), positions(cols)
        self._row_factors = np.ones(len(rows)) if row_factors is None else row_factors
        self._col_factors = np.ones(len(cols)) if col_factors is None else col_factors

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), len(self._cols)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((_count(rows, self.shape[0]), _count(cols, self.shape[1])), self.dtype)
        values = self.known.block(r, c) * row_factors.astype(self.dtype)[:, np.newaxis]
        values *= col_factors.astype(self.dtype)
        out[np.ix_(i, j)] = values
        return out

    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        r, c = _rows_of(self._rows, rows), _rows_of(self._cols, cols)
        both = (r >= 0) & (c >= 0)
        out = _rows_of(self._row_factors, rows) * _rows_of(self._col_factors, cols) * both
        if both.any():
            out[both] *= self.known.pairs(r[both], c[both])
        return out

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((len(beta), _count(rows, self.shape[0])))
        out[:, i] = self.known.dot(beta[:, j] * col_factors, r, c) * row_factors
        return out

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        i, r, row_factors = self._find(self._rows, self._row_factors, rows)
        j, c, col_factors = self._find(self._cols, self._col_factors, cols)
        out = np.zeros((len(beta), _count(cols, self.shape[1])))
        out[:, j] = self.known.dot_rows(beta[:, i] * row_factors, r, c) * col_factors
        return out

    @staticmethod
    def _find(
        positions: Indices, factors: Floats, index: Indices | None
    ) -> tuple[Indices, Indices | None, Floats]:
        """Return which of the samples asked for are known, where, and their factors."""
        at = _rows_of(positions, index)
        here = np.flatnonzero(at >= 0)
        return here, None if index is None else at[here], _rows_of(factors, index)[here]


class Members:
    """Samples in terms of the training samples that have a modality.

    Those that have it stand for themselves, the others are sums of weighted *donors*.

    Parameters
    ----------
    present : ndarray of shape (n,), dtype=bool
    weights : ndarray of shape (n_missing, n_donors), float64
        Of the samples that lack it, in their order.
    donors : ndarray of shape (n_donors,)
        Indices among the training samples that have it.
    """

    def __init__(self, present: Mask, weights: Floats, donors: Indices) -> None:
        self.here = positions(present)
        self.gone = positions(~present)
        self.weights = weights
        self.donors = donors

    def split(self, index: Indices | None) -> tuple[Indices, Indices | None, Indices, Floats]:
        """Return which of the samples asked for have it, where, which lack it, their weights."""
        here, gone = _rows_of(self.here, index), _rows_of(self.gone, index)
        i, i_gone = np.flatnonzero(here >= 0), np.flatnonzero(gone >= 0)
        return i, None if index is None else here[i], i_gone, self.weights[gone[i_gone]]


class ImputedRows(View):
    """The kernel ``A K`` between all samples and the training samples that have the modality.

    Row i of A is a unit vector for a sample that has it, and holds the weights of the donors for
    one that lacks it.

    Parameters
    ----------
    known : View of shape (n_present_rows, n_present)
        K between the samples that have it and the training samples.
    training : View of shape (n_present, n_present)
        K between the training samples.
    members : Members
    """

    def __init__(self, known: View, training: View, members: Members) -> None:
        self.known = known
        self.training = training
        self.place = known.place
        self._members = members

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._members.here), self.training.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        i, r, gone, weights = self._members.split(rows)
        out = np.empty((len(i) + len(gone), _count(cols, self.shape[1])), self.dtype)
        out[i] = self.known.block(r, cols)
        if len(gone):
            out[gone] = weights @ self.training.block(self._members.donors, cols)
        return out

    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        cols = np.arange(self.shape[1]) if cols is None else cols
        out = np.empty(len(cols))
        if len(i):
            out[i] = self.known.pairs(np.arange(len(i)) if r is None else r, cols[i])
        if len(gone):
            values = self.training.block(self._members.donors, cols[gone])
            out[gone] = np.einsum("id,di->i", weights, values)
        return out

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        out = np.empty((len(beta), len(i) + len(gone)))
        out[:, i] = self.known.dot(beta, r, cols)
        if len(gone):
            out[:, gone] = self.training.dot(beta, self._members.donors, cols) @ weights.T
        return out

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        i, r, gone, weights = self._members.split(rows)
        out = self.known.dot_rows(beta[:, i], r, cols)
        if len(gone):
            out = out + self.training.dot_rows(beta[:, gone] @ weights, self._members.donors, cols)
        return out


class ImputedColumns(View):
    """The kernel ``L A'``, where L is one with the training samples that have the modality.

    Parameters
    ----------
    known : View of shape (n_rows, n_present)
        L.
    members : Members
        A, as in :class:`ImputedRows`.
    training : View of shape (n_rows, n_present_train), default=None
        With the training samples, where the columns are others; `known` by default.
    """

    def __init__(self, known: View, members: Members, training: View | None = None) -> None:
        self.known = known
        self.training = known if training is None else training
        self.place = known.place
        self._members = members

    @property
    def shape(self) -> tuple[int, int]:
        return self.known.shape[0], len(self._members.here)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        j, c, gone, weights = self._members.split(cols)
        out = np.empty((_count(rows, self.shape[0]), len(j) + len(gone)), self.dtype)
        out[:, j] = self.known.block(rows, c)
        if len(gone):
            out[:, gone] = self.training.block(rows, self._members.donors) @ weights.T
        return out

    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        rows = np.arange(self.shape[0]) if rows is None else rows
        out = np.empty(len(rows))
        if len(j):
            out[j] = self.known.pairs(rows[j], np.arange(len(j)) if c is None else c)
        if len(gone):
            values = self.training.block(rows[gone], self._members.donors)
            out[gone] = np.einsum("id,id->i", values, weights)
        return out

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        out = self.known.dot(beta[:, j], rows, c)
        if len(gone):
            out = out + self.training.dot(beta[:, gone] @ weights, rows, self._members.donors)
        return out

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        j, c, gone, weights = self._members.split(cols)
        out = np.empty((len(beta), len(j) + len(gone)))
        out[:, j] = self.known.dot_rows(beta, rows, c)
        if len(gone):
            out[:, gone] = self.training.dot_rows(beta, rows, self._members.donors) @ weights.T
        return out


def _rows_of(values: NDArray[Any], index: Indices | None) -> NDArray[Any]:
    return values if index is None else values[index]


def _count(index: Indices | None, size: int) -> int:
    return size if index is None else len(index)


# Training samples, evenly spaced, from which missing modalities are predicted at most. They bound
# a factorisation to 3 GFlop, and what is kept for a sample to 16 kB for each entry that it lacks.
MAX_DONORS = 2000
# Those of them by which a ridge is chosen: one number needs no more.
MAX_VALIDATED = 200
# Numbers in the factorisations that are kept for new samples: 128 MB.
MAX_KEPT = 2**24
# Numbers in the kernels that are kept while patterns are gone through: 512 MB.
MAX_SHARED = 2**26


class Completed(NamedTuple):
    """What samples are to one entry's kernels, in terms of training samples that have it.

    Attributes
    ----------
    present : ndarray of shape (n,), dtype=bool
        Which of the samples have it.
    factors : ndarray of shape (n,)
        What their values are multiplied by.
    weights : ndarray of shape (n_missing, n_donors), or None
        Of the others, which are sums of weighted donors; None where they are at zero.
    """

    present: Mask
    factors: Floats
    weights: Floats | None

    def take(self, rows: Indices) -> tuple[Completed, Indices]:
        """Return some of the samples, and where those of them that are there stand."""
        here, gone = positions(self.present)[rows], positions(~self.present)[rows]
        weights = None if self.weights is None else self.weights[gone[gone >= 0]]
        chosen = Completed(self.present[rows], self.factors[rows], weights)
        return chosen, here[here >= 0]


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
        self, training: Sequence[View], entries: Indices, present: Mask, names: Sequence[str]
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

    def completed(
        self, known: Sequence[View] | None = None, present: Mask | None = None
    ) -> list[Completed]:
        """Return what samples are to each kernel; the training samples for None.

        Parameters
        ----------
        known, present
            As for `views`.
        """
        ...

    def donors(self, k: int) -> Indices:
        """Return the training samples that kernel k's weights are of, among those present."""
        ...


class Marginaliser:
    """Kernels over what two samples both have, as documented in `ColumnKernelizer`."""

    def __init__(
        self, training: Sequence[View], entries: Indices, present: Mask, names: Sequence[str]
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

    def completed(
        self, known: Sequence[View] | None = None, present: Mask | None = None
    ) -> list[Completed]:
        there = self._present if present is None else present
        factors = 1.0 / np.sqrt(there.mean(axis=1))
        return [Completed(there[:, e], factors, None) for e in self._entries]

    def donors(self, k: int) -> Indices:
        return np.empty(0, dtype=np.intp)


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

    used: Indices
    regression: KernelRegression
    score: float


class Imputer:
    """Features predicted by kernel regression, as documented in `ColumnKernelizer`."""

    def __init__(
        self, training: Sequence[View], entries: Indices, present: Mask, names: Sequence[str]
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
        self._pool = _evenly_spaced(np.arange(len(present)), MAX_DONORS)
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
            self._prediction(e, pattern).score if len(self._donors_with(e, pattern)) > 1 else np.nan
            for e, pattern in enumerate(patterns)
        ]
        self._grams.clear()
        return scores

    def members(
        self, known: Sequence[View] | None = None, present: Mask | None = None
    ) -> list[Members]:
        """Return each entry's samples in terms of training samples; of these themselves for None.

        Parameters
        ----------
        known, present
            As for `views`.
        """
        if known is None or present is None:
            return self._members
        return self._members_of(self._pad(known, present), present)

    def completed(
        self, known: Sequence[View] | None = None, present: Mask | None = None
    ) -> list[Completed]:
        there = self._present if present is None else present
        members, ones = self.members(known, present), np.ones(len(there))
        return [Completed(there[:, e], ones, members[e].weights) for e in self._entries]

    def donors(self, k: int) -> Indices:
        return self._members[self._entries[k]].donors

    def training_views(self) -> list[View]:
        return self._complete(self._training, self._members)

    def views(self, known: Sequence[View], present: Mask) -> list[View]:
        return self._complete(known, self.members(known, present))

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
            for e in _indices(pattern):
                values += self._mean(padded, e, rows, self._pool)
            values /= np.sqrt(pattern.sum() * self._overlap_counts(pattern))
            for e in _indices(~pattern):
                used, regression, _ = self._prediction(e, pattern)
                predicted = regression.weights(values[:, self._donors[e][used]])
                weights[e][np.ix_(lacking[e][rows], used)] = predicted
        self._grams.clear()
        return [
            Members(present[:, e], weights[e], positions(self._present[:, e])[self._pool[donors]])
            for e, donors in enumerate(self._donors)
        ]

    def _mean(self, padded: Sequence[View], e: int, rows: Indices, cols: Indices) -> Floats:
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

    def _overlap_counts(self, pattern: Mask) -> Indices:
        """Return how many entries of a pattern the samples of the pool have, 1 for none."""
        return np.maximum((self._present[self._pool] & pattern).sum(axis=1), 1)

    def _donors_with(self, e: int, pattern: Mask) -> Indices:
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
        used = self._donors_with(e, pattern)
        if len(used) < 2:
            others = [name for name, there in zip(self._names, pattern, strict=True) if there]
            raise ValueError(
                f"missing='impute' is to predict {shown(self._names[e])} from {shown(others)}, "
                f"but {len(used)} of the training samples have it and any of these; expected at "
                "least 2. missing='marginalise' needs none."
            )
        samples = self._donors[e][used]
        few = _evenly_spaced(np.arange(len(used)), MAX_VALIDATED)
        gram = np.zeros((len(used), len(used)))
        for other in _indices(pattern):
            gram += self._gram(other)[np.ix_(samples, samples)]
        # As Marginaliser does: positive semi-definite.
        scale = np.sqrt(self._overlap_counts(pattern)[samples])
        gram /= scale
        gram /= scale[:, np.newaxis]
        target = self._gram(e)[np.ix_(samples[few], samples[few])]
        # Threads of BLAS gain little here, and on a busy machine wait longer than they compute.
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            ridge, score = choose_ridge(gram[np.ix_(few, few)], target)
            return _Prediction(used, KernelRegression(gram, ridge), score)


def _indices(mask: Mask) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _evenly_spaced(index: Indices, size: int) -> Indices:
    """Return at most so many of the indices, evenly spaced."""
    return index[np.linspace(0, len(index) - 1, min(size, len(index))).astype(np.intp)]


COMPLETIONS: dict[str, type[Completion]] = {"marginalise": Marginaliser, "impute": Imputer}
