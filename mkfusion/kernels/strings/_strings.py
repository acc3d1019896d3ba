"""Kernels between sequences over any alphabet."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Callable, Hashable
from itertools import chain, islice
from numbers import Integral
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numba import int32, njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.utils.extmath import row_norms

from mkfusion._messages import shown
from mkfusion._types import FloatArray
from mkfusion.kernels._kernel import Kernel
from mkfusion.stack import in_threads, split_for_threads

CodeArray = NDArray[np.int32]

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_LARGEST = 2**31 - 1


@njit(**_JIT)
def weighted_degrees(
    rows: CodeArray, cols: CodeArray, degree: int, out: NDArray[np.float64]
) -> None:
    """Write the weighted-degree kernel between sequences, in time O(length) for each pair.

    Where r letters up to some position agree, the substrings of 1, ..., min(r, d) letters that end
    there do, and the sum of their weights is ``r (2 d + 1 - r) / (d (d + 1))`` with r cut to d.
    These are whole numbers but for the denominator: the sums are exact, whatever their order.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, length), int32
        Numbers of letters.
    cols : ndarray of shape (length, n_cols), int32
        Sequences as columns: each step goes along a row, over all of them.
    degree : int
        d, with ``d (d + 1) < 2**31``.
    out : ndarray of shape (n_rows, n_cols), float64
        Modified in place.
    """
    length, n_cols = cols.shape
    run = np.empty(n_cols, dtype=np.int32)
    total = np.empty(n_cols, dtype=np.int32)
    # int32 throughout, or the loop below would take four times as long.
    zero, one, most, twice = int32(0), int32(1), int32(degree), int32(2 * degree + 1)
    segment = max(1, _LARGEST // (degree * (degree + 1)))  # as many steps as fit in total
    for i in range(rows.shape[0]):
        target = out[i]
        target[:] = 0.0
        run[:] = 0
        for start in range(0, length, segment):
            total[:] = 0
            for t in range(start, min(start + segment, length)):
                letter, others = rows[i, t], cols[t]
                for j in range(n_cols):
                    r = int32(run[j] + one)
                    r = r if r < most else most
                    r = r if others[j] == letter else zero
                    run[j] = r
                    total[j] += int32(r * int32(twice - r))
            for j in range(n_cols):
                target[j] += total[j]
        for j in range(n_cols):
            target[j] /= degree * (degree + 1)


# Slices of these are hashable.
Sequence: TypeAlias = str | bytes | tuple[Hashable, ...]

_EXPECTED = "a str, bytes, or a list, tuple or one-dimensional array of tokens"


def read_sequences(X: Any) -> tuple[list[Sequence], str]:
    """Return samples as sequences that can be sliced, and what they are made of.

    Parameters
    ----------
    X : list, Series, or array-like of shape (n_samples,) or (n_samples, length)
        Sequences; the rows of a table are sequences of the same length.

    Returns
    -------
    sequences : list of n_samples str, bytes or tuple
    kind : {"str", "bytes", "tokens"}
        The same for all of them.

    Raises
    ------
    ValueError, TypeError
        If a sample is no sequence, one has a token that is missing or cannot be hashed, they are
        of different kinds, or there is none.
    """
    samples = _as_list(X)
    if not samples:
        raise ValueError("Found array with 0 sample(s); expected at least one sequence.")
    sequences: list[Sequence] = []
    kind = ""
    for i, sample in enumerate(samples):
        sequence, found = _read(sample, f"X[{i}]")
        if found != (kind or found):
            raise TypeError(f"X[{i}] is made of {found}, X[0] of {kind}; expected one kind.")
        sequences.append(sequence)
        kind = found
    return sequences, kind


def _as_list(X: Any) -> list[Any]:
    several = hasattr(X, "__len__") and getattr(X, "ndim", 1) > 0
    if isinstance(X, str | bytes | bytearray | dict | set) or issparse(X) or not several:
        raise TypeError(f"X is {_shown(X)}; expected a list of sequences, each {_EXPECTED}.")
    if hasattr(X, "columns"):
        X = np.asarray(X)
    shape = tuple(getattr(X, "shape", (len(X),)))
    if len(shape) > 2:
        raise ValueError(f"X has shape {shape}; expected a list of sequences, or one in each row.")
    if len(shape) == 2 and shape[1] == 1:
        raise ValueError(
            f"X is a table with one column, shape {shape}; expected a one-dimensional column of "
            "sequences: ask for it by its name or position alone, not in a list."
        )
    return list(X)


def _read(sample: Any, name: str) -> tuple[Sequence, str]:
    if isinstance(sample, str):
        return sample, "str"
    if isinstance(sample, bytes | bytearray):
        return bytes(sample), "bytes"
    if isinstance(sample, np.ndarray) and sample.ndim == 1:
        sample = sample.tolist()  # Python's numbers are hashed faster
    if not isinstance(sample, list | tuple):
        raise TypeError(f"{name} is {_shown(sample)}; expected {_EXPECTED}.")
    try:
        alphabet = set(sample)
    except TypeError as error:
        raise TypeError(f"{name} has a token that cannot be compared: {error}.") from error
    if any(isinstance(letter, float) and letter != letter for letter in alphabet):
        raise ValueError(f"{name} has a token that is NaN, which equals no other; expected none.")
    return tuple(sample), "tokens"


def _shown(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


class Codes(dict[Hashable, int]):
    """Numbers from 0 for letters, or for whole pieces of sequences, given when first asked for."""

    def __missing__(self, piece: Hashable) -> int:
        code = self[piece] = len(self)
        return code


class Numbered:
    """Sequences whose pieces have numbers, as scikit-learn can index them.

    Parameters
    ----------
    values : ndarray or CSR array of shape (n_samples, ...)
        Made of the numbers.
    new : dict
        The numbers of the pieces that `fit` did not see. They follow those that it saw, and hold
        for these samples only.
    """

    def __init__(self, values: Any, new: dict[Hashable, int]) -> None:
        self.values = values
        self.new = new

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def __getitem__(self, rows: Any | tuple[Any, EllipsisType]) -> Numbered:
        if isinstance(rows, tuple):
            rows = rows[0]  # how scikit-learn indexes what has a shape
        return Numbered(self.values[rows], self.new)


def number(
    sequences: list[Sequence],
    known: dict[Hashable, int],
    values: Callable[[list[Sequence], Codes], Any],
) -> Numbered:
    """Return sequences in numbers: those that are known, and further ones.

    Parameters
    ----------
    sequences : list of str, bytes or tuple
    known : dict
        0, 1, ... by pieces.
    values : callable
        From sequences and numbers to an array.

    Returns
    -------
    Numbered
    """
    codes = Codes(known)
    array = values(sequences, codes)
    return Numbered(array, dict(islice(codes.items(), len(known), None)))


def renumbering(others: Numbered, samples: Numbered, n_known: int) -> NDArray[np.int32] | None:
    """Return what makes the same number of the same piece, though both have new ones.

    Parameters
    ----------
    others, samples : Numbered
    n_known : int
        How many numbers were given in `fit`.

    Returns
    -------
    ndarray of shape (n_known + len(others.new),), or None
        Where a piece of `others` gets a number of `samples`, or one that these do not have.
        None if the numbers agree already.
    """
    if not others.new or not samples.new or others.new is samples.new:
        return None
    table = np.arange(n_known + len(others.new), dtype=np.int32)
    for piece, code in others.new.items():
        table[code] = samples.new.get(piece, code + len(samples.new))
    return table


# Pieces that this share of the pairs of samples have in common are counted in dense matrices: their
# product is that much faster than one of sparse matrices.
_OFTEN = 0.02
# Steps of the weighted-degree kernel are counted in int32.
_LARGEST_DEGREE = 46_340


class SequenceKernel(Kernel):
    """A kernel that compares pieces of sequences: any str, bytes or hashable tokens."""

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

    def __init__(self, k: int | tuple[int, int] = 3) -> None:
        self.k = k

    def _check(self) -> None:
        given: Any = self.k
        lengths = [given] if isinstance(given, Integral) else given
        if not isinstance(lengths, list | tuple) or not all(
            isinstance(k, Integral) and not isinstance(k, bool) for k in lengths
        ):
            raise TypeError(
                f"k is {shown(self.k)}; expected a positive integer, or a pair of them."
            )
        if not 1 <= len(lengths) <= 2 or not 1 <= lengths[0] <= lengths[-1]:
            raise ValueError(
                f"k is {shown(self.k)}; expected a positive integer, or the smallest and the "
                "largest."
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
            raise TypeError(f"degree is {shown(given)}; expected a positive integer.")
        if not 1 <= self.degree <= _LARGEST_DEGREE:
            raise ValueError(
                f"degree is {shown(given)}; expected an integer from 1 to {_LARGEST_DEGREE}."
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

        columns = np.ascontiguousarray(others.T)
        values = np.empty((len(samples), len(others)))
        degree = int(self.degree)

        def evaluate(rows: slice) -> None:
            weighted_degrees(samples[rows], columns, degree, values[rows])

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
