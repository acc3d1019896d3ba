"""Kernels between sequences over any alphabet."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Hashable
from itertools import chain
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.utils.extmath import row_norms

from mkfusion.kernels._base import Kernel
from mkfusion.kernels._feature_kernels import short_label
from mkfusion.kernels.stack._storage import FloatArray
from mkfusion.kernels.stack._threads import in_threads, split_for_threads
from mkfusion.kernels.strings._sequences import (
    Codes,
    Numbered,
    Sequence,
    number,
    read_sequences,
    renumbering,
)

__all__ = ["SpectrumKernel", "WeightedDegreeKernel"]

# Pieces that this share of the pairs of samples have in common are counted in dense matrices: their
# product is that much faster than one of sparse matrices.
_OFTEN = 0.02
# Steps of the weighted-degree kernel are counted in int32.
_LARGEST_DEGREE = 46_340


class SequenceKernel(Kernel):
    """A kernel that compares pieces of sequences: any str, bytes or hashable tokens."""

    _name: str
    vocabulary_: dict[Hashable, int]

    @abstractmethod
    def _check(self) -> None:
        """Refuse parameters."""

    @abstractmethod
    def _values(self, sequences: list[Sequence], codes: Codes) -> Any:
        """Return an array (n_samples, ...) of what is compared, in numbers of pieces."""

    @abstractmethod
    def _between(self, samples: Any, others: Any) -> FloatArray:
        """Return the kernel between arrays that number pieces alike."""

    @abstractmethod
    def _renumbered(self, values: Any, table: NDArray[np.int32]) -> Any:
        """Return the array with other numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Numbered:
        self._check()
        sequences, kind = read_sequences(X)
        samples = number(sequences, {}, self._values)
        if not samples.new:
            raise ValueError(
                f"{self._label()} finds nothing to compare in X: its longest sequence has length "
                f"{max(map(len, sequences))}."
            )
        # Only now: nothing is kept of a fit that fails.
        self._kind, self.vocabulary_ = kind, samples.new
        return Numbered(samples.values, {})

    def _prepare(self, X: Any) -> Numbered:
        sequences, kind = read_sequences(X)
        if kind != self._kind:
            raise TypeError(f"X is made of {kind}; expected {self._kind} as in fit.")
        return number(sequences, self.vocabulary_, self._values)

    def _evaluate(self, samples: Numbered, others: Numbered | None = None) -> FloatArray:
        if others is None:
            return self._between(samples.values, samples.values)
        table = renumbering(others, samples, len(self.vocabulary_))
        right = others.values if table is None else self._renumbered(others.values, table)
        return self._between(samples.values, right)

    def _is_psd(self) -> bool:
        return True

    def _label(self) -> str:
        return short_label(self, self._name)


class SpectrumKernel(SequenceKernel):
    """The spectrum kernel of sequences: how many pieces of length k they share.

    k(x, z) = sum_u n_u(x) n_u(z), where n_u(x) counts how often the k-mer u, a contiguous piece of
    length k, occurs in x [1]_. Where they occur does not matter. With a range of lengths it is the
    sum over them (the blended spectrum).

    Sequences are str, bytes or lists of tokens (words, integers, whatever can be hashed), of any
    lengths. Nothing is known of the alphabet beforehand, and k-mers that `fit` has not seen count
    too, so that k(x, x) of a new sample is what it is. Counts are sparse: time and memory are
    linear in the length of the text. A sequence that is shorter than k has no k-mer, and
    k(x, x) = 0. Long sequences have large values: leave it to
    :class:`~mkfusion.ColumnKernelizer` to normalise them.

    Parameters
    ----------
    k : int or (int, int), default=3
        Length of the pieces, or the shortest and the longest.

    Attributes
    ----------
    vocabulary_ : dict
        The k-mers of the training samples (str, bytes or tuples of tokens), numbered from 0.

    See Also
    --------
    WeightedDegreeKernel : For aligned sequences, in which positions mean something.
    sklearn.feature_extraction.text.TfidfVectorizer : Weighted words or n-grams of texts; end its
        pipeline with a :class:`~mkfusion.LinearKernel`.

    References
    ----------
    .. [1] Leslie, Eskin and Noble, "The spectrum kernel: a string kernel for SVM protein
       classification", Pacific Symposium on Biocomputing 7, 2002, section 2.

    Examples
    --------
    >>> from mkfusion import SpectrumKernel
    >>> SpectrumKernel(k=2)(["banana", "ananas", "bandana"])
    array([[9., 8., 7.],
           [8., 9., 6.],
           [7., 6., 8.]])
    >>> SpectrumKernel(k=(1, 2))([["to", "be"], ["not", "to", "be"]])
    array([[3., 3.],
           [3., 5.]])
    """

    _name = "spectrum"

    def __init__(self, k: int | tuple[int, int] = 3) -> None:
        self.k = k

    def _check(self) -> None:
        given: Any = self.k
        lengths = [given] if isinstance(given, Integral) else given
        if not isinstance(lengths, list | tuple) or not all(
            isinstance(k, Integral) and not isinstance(k, bool) for k in lengths
        ):
            raise TypeError(f"k is {self.k!r}; expected a positive integer, or a pair of them.")
        if not 1 <= len(lengths) <= 2 or not 1 <= lengths[0] <= lengths[-1]:
            raise ValueError(
                f"k is {self.k!r}; expected a positive integer, or the smallest and the largest."
            )

    def _values(self, sequences: list[Sequence], codes: Codes) -> csr_array:
        given: Any = self.k
        first, last = (given[0], given[-1]) if isinstance(given, list | tuple) else (given, given)
        columns = array("i")
        ends = [0]
        for sequence in sequences:
            for k in range(first, last + 1):
                kmers = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
                columns.extend(map(codes.__getitem__, kmers))
            ends.append(len(columns))
        counts = csr_array(
            (np.ones(len(columns)), np.array(columns, dtype=np.int32), ends),
            shape=(len(sequences), len(codes)),
        )
        counts.sum_duplicates()
        return counts

    def _renumbered(self, values: csr_array, table: NDArray[np.int32]) -> csr_array:
        return _counts(values, table[values.indices], int(table.max()) + 1)

    def _between(self, samples: csr_array, others: csr_array) -> FloatArray:
        # What one of them has never seen is 0 there.
        width = max(samples.shape[1], others.shape[1])
        rows, cols = (_counts(values, values.indices, width) for values in (samples, others))
        pairs = _frequencies(rows) * _frequencies(cols)
        often, seldom = (
            np.flatnonzero(pairs > _OFTEN),
            np.flatnonzero((0 < pairs) & (pairs <= _OFTEN)),
        )
        # Sums of products of whole numbers: exact in any order.
        values = rows[:, often].toarray() @ cols[:, often].toarray().T
        if len(seldom):
            values += (rows[:, seldom] @ cols[:, seldom].T).toarray()
        return values

    def _diagonal(self, samples: Numbered) -> NDArray[np.float64]:
        return row_norms(samples.values, squared=True)


class WeightedDegreeKernel(SequenceKernel):
    """The weighted-degree kernel of aligned sequences: what they share at the same positions.

    For sequences of length L::

        k(x, z) = sum_{k=1..d} beta_k sum_{l=1..L-k+1} [x_l...x_{l+k-1} = z_l...z_{l+k-1}]
        beta_k = 2 (d - k + 1) / (d (d + 1))

    so that long pieces that agree count more, as they count with all that is in them [1]_. It is
    computed in time O(L) for each pair, from the lengths of the runs in which both agree [2]_.

    Sequences are str, bytes or lists of tokens, all as long as those of `fit`: position l must mean
    the same in each (a distance from a splice site, an hour of the day). Cut or pad others before.

    Parameters
    ----------
    degree : int, default=3
        d, the longest pieces that count; positive.

    Attributes
    ----------
    vocabulary_ : dict
        The letters of the training samples, numbered from 0.
    length_ : int
        L.

    See Also
    --------
    SpectrumKernel : Pieces count wherever they are.

    References
    ----------
    .. [1] Ratsch and Sonnenburg, "Accurate splice site prediction for Caenorhabditis elegans", in
       Kernel Methods in Computational Biology, MIT Press, 2004.
    .. [2] Sonnenburg, Ratsch, Schafer and Scholkopf, "Large scale multiple kernel learning", JMLR
       7, 2006, section 3.

    Examples
    --------
    >>> from mkfusion import WeightedDegreeKernel
    >>> kernel = WeightedDegreeKernel(degree=2).fit(["tata", "tatt", "gata"])
    >>> (3 * kernel(["tata", "tatt", "gata"])).round()
    array([[11.,  8.,  8.],
           [ 8., 11.,  5.],
           [ 8.,  5., 11.]])
    """

    _name = "weighted_degree"

    def __init__(self, degree: int = 3) -> None:
        self.degree = degree

    def _check(self) -> None:
        given: Any = self.degree
        if isinstance(given, bool) or not isinstance(given, Integral):
            raise TypeError(f"degree is {given!r}; expected a positive integer.")
        if not 1 <= self.degree <= _LARGEST_DEGREE:
            raise ValueError(
                f"degree is {given!r}; expected an integer from 1 to {_LARGEST_DEGREE}."
            )

    def _fit_prepare(self, X: Any, y: Any = None) -> Numbered:
        samples = super()._fit_prepare(X, y)
        self.length_ = samples.shape[1]
        return samples

    def _prepare(self, X: Any) -> Numbered:
        samples = super()._prepare(X)
        if samples.shape[1] != self.length_:
            raise ValueError(
                f"the sequences of X have length {samples.shape[1]}; expected {self.length_} as "
                "in fit, because they are compared position by position."
            )
        return samples

    def _values(self, sequences: list[Sequence], codes: Codes) -> NDArray[np.int32]:
        length = len(sequences[0])
        for i, sequence in enumerate(sequences):
            if len(sequence) != length:
                raise ValueError(
                    f"X[{i}] has length {len(sequence)}, X[0] {length}; expected sequences of the "
                    "same length, because they are compared position by position: cut or pad them."
                )
        letters = map(codes.__getitem__, chain.from_iterable(sequences))
        numbers = np.fromiter(letters, dtype=np.int32, count=length * len(sequences))
        return numbers.reshape(len(sequences), length)

    def _renumbered(self, values: NDArray[np.int32], table: NDArray[np.int32]) -> NDArray[np.int32]:
        return table[values]

    def _between(self, samples: NDArray[np.int32], others: NDArray[np.int32]) -> FloatArray:
        from mkfusion.kernels.strings import _string_loops

        columns = np.ascontiguousarray(others.T)
        values = np.empty((len(samples), len(others)))
        degree = int(self.degree)

        def evaluate(rows: slice) -> None:
            _string_loops.weighted_degrees(samples[rows], columns, degree, values[rows])

        in_threads(evaluate, split_for_threads(len(samples), samples.size * len(others)))
        return values

    def _diagonal(self, samples: Numbered) -> NDArray[np.float64]:
        n_samples, length = samples.shape
        k = np.arange(1, min(self.degree, length) + 1)
        total = np.sum((self.degree - k + 1) * (length - k + 1))
        return np.full(n_samples, 2.0 * total / (self.degree * (self.degree + 1)))


def _counts(values: csr_array, columns: NDArray[np.int32], width: int) -> csr_array:
    """Return the same counts in other columns."""
    shape = (values.shape[0], width)
    return csr_array((values.data, columns, values.indptr), shape=shape)


def _frequencies(counts: csr_array) -> NDArray[np.float64]:
    """Return the share of the samples in which each piece occurs."""
    return np.bincount(counts.indices, minlength=counts.shape[1]) / max(1, counts.shape[0])
