"""Sequences over any alphabet: what they may be, and how they are numbered."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import islice
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

__all__ = ["Codes", "Numbered", "Sequence", "number", "read_sequences", "renumbering"]

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
    text = repr(value)
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
