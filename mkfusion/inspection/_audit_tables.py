"""Modalities of any type as what an audit looks at: columns, row hashes and standardised rows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.feature_extraction.text import HashingVectorizer

from mkfusion._types import Floats, Indices, Mask
from mkfusion.data import Column, as_plain, holds_texts, present_samples, read_columns

# Columns that are worked on at a time: what is made of them stays small.
_BLOCK = 256
# Dimensions in which distances are taken: of more, random projections keep them to about 6 %.
DIMENSIONS = 128
# Samples that quantiles are taken of
_MOST_ROWS = 2000
# Indicators of a column of categories; of more there are so many random numbers.
_MOST_LEVELS, _PLACES = 40, 16
# Beyond so many deviations from the median values count less and less.
_FAR = 5.0
_WORD = np.uint64(0x9E3779B97F4A7C15)


class Block(NamedTuple):
    """Some of the columns of a modality.

    Attributes
    ----------
    names : list of n_columns
    cells : ndarray of shape (n_samples, n_columns)
        Numbers, or the numbers of categories; NaN where a cell is missing.
    nominal : ndarray of shape (n_columns,), dtype=bool
        Which are of categories.
    times : ndarray of shape (n_columns,), dtype=bool
        Which are of dates or durations.
    start : int
        Position of the first in the modality.
    """

    names: list[Any]
    cells: Floats
    nominal: Mask
    times: Mask
    start: int


class Part:
    """A modality.

    Parameters
    ----------
    name : str
    data : array, DataFrame, sparse matrix or list of n_samples items
    """

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        data = as_plain(data)
        if hasattr(data, "to_frame"):
            data = data.to_frame()
        self.present = present_samples(data)
        self.texts: list[str] | None = None
        self.columns: list[Column] = []  # of a table that is no plain array
        self._matrix: Any = None
        self._items: list[Any] | None = None
        # Whether single columns mean something, which time steps and pixels do not.
        self.is_table = True
        if issparse(data):
            self._matrix = data.tocsc()
        elif hasattr(data, "columns"):
            self._read_table(data)
        else:
            self._read_array(data)

    def _read_table(self, data: Any) -> None:
        self.columns = read_columns(data)
        if len(self.columns) == 1 and holds_texts(self.columns[0]):
            self._read_texts(self.columns[0])

    def _read_texts(self, column: Column) -> None:
        cells = zip(column.values.tolist(), column.missing, strict=True)
        self.texts = ["" if gap else str(cell) for cell, gap in cells]
        self.columns, self.is_table = [], False

    def _read_array(self, data: Any) -> None:
        n = len(data)
        array = data if isinstance(data, np.ndarray) else None
        if array is None:
            there = [item for item, has in zip(data, self.present, strict=True) if has]
            shapes = {_shape(item) for item in there}
            shape = shapes.pop() if len(shapes) == 1 else None
            if shape == ():
                array = np.array(data, dtype=object)
            elif shape is not None:
                filler = np.full(shape, np.nan)
                known = zip(data, self.present, strict=True)
                array = np.array([np.asarray(item) if has else filler for item, has in known])
            else:
                self._items, self.is_table = list(data), False
                return
        if array.ndim > 2:
            self.is_table = False
        array = array.reshape(n, -1)
        if array.dtype.kind in "fiub":
            self._matrix = array
            return
        columns = read_columns(array)
        if len(columns) == 1 and (holds_texts(columns[0]) or not isinstance(data, np.ndarray)):
            if all(isinstance(cell, str) for cell in columns[0].present):
                self._read_texts(columns[0])
                return
        self.columns = columns

    @property
    def n_columns(self) -> int:
        """How many columns there are; 0 of texts and other items."""
        return self._matrix.shape[1] if self._matrix is not None else len(self.columns)

    def blocks(self) -> Iterator[Block]:
        """Give the columns, some at a time.

        Yields
        ------
        Block
        """
        for start in range(0, self.n_columns, _BLOCK):
            stop = min(start + _BLOCK, self.n_columns)
            if self._matrix is not None:
                some = self._matrix[:, start:stop]
                some = some.toarray() if issparse(some) else some
                nominal = np.full(stop - start, some.dtype.kind == "b")
                names = list(range(start, stop))
                yield Block(names, some.astype(np.float64), nominal, np.zeros_like(nominal), start)
                continue
            columns = self.columns[start:stop]
            yield Block(
                [column.name for column in columns],
                np.stack([cells_of(column) for column in columns], axis=1),
                np.array([column.kind == "nominal" for column in columns]),
                np.array([column.kind == "time" for column in columns]),
                start,
            )

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """A number for each row, the same for the same cells: the sum of `hashed` of all columns.

        (n_samples,).
        """
        items: Any = self.texts if self.texts is not None else self._items
        if items is not None:
            return np.array([_hash_of_item(item) for item in items], dtype=np.uint64)
        total = np.zeros(len(self.present), dtype=np.uint64)
        for block in self.blocks():
            total += hashed(block.cells, block.start).sum(axis=1, dtype=np.uint64)
        return total

    @cached_property
    def rows(self) -> Floats | None:
        """Standardised rows whose distances tell how alike samples are.

        (n_samples, n_dimensions); None of items that are neither numbers nor categories nor texts.
        """
        if self._items is not None:
            return None
        rng = np.random.default_rng(0)
        if self.texts is not None:
            words = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**14)
            found = words.transform(self.texts)
            return np.asarray(found @ projection(rng, found.shape[1]))
        total = np.zeros((len(self.present), DIMENSIONS))
        few: list[Floats] = []
        width = 0
        for block in self.blocks():
            one = _standardised(block)
            width += one.shape[1]
            if width <= DIMENSIONS:
                few.append(one)
            total += one @ projection(rng, one.shape[1])
        return np.hstack(few) if few and width <= DIMENSIONS else total


def projection(rng: np.random.Generator, width: int) -> Floats:
    """Return a random matrix (width, n_dimensions) that keeps distances."""
    return rng.normal(size=(width, DIMENSIONS)) / DIMENSIONS**0.5


def cells_of(column: Column) -> Floats:
    """Return a column as numbers (n_samples,), categories by their position, gaps as NaN."""
    cells = np.full(len(column.values), np.nan)
    there = ~column.missing
    if column.kind in ("numeric", "time"):
        cells[there] = column.values[there].astype(np.float64)
        return cells
    present = column.values[there].tolist()
    try:
        hash(tuple(present))
    except TypeError:  # lists and the like in cells
        present = [repr(cell) for cell in present]
    levels: dict[Any, int] = {}
    known = column.levels if column.kind == "ordinal" and column.levels else []
    for level in [*known, *present]:
        levels.setdefault(level, len(levels))
    cells[there] = [levels[cell] for cell in present]
    return cells


def hashed(cells: Floats, start: int) -> NDArray[np.uint64]:
    """Return a number for each cell that also tells its column.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_columns)
    start : int
        The number of the first column.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
    """
    cells = cells + 0.0  # -0 is 0
    cells[np.isnan(cells)] = np.nan  # all gaps are alike
    places = np.arange(start + 1, start + 1 + cells.shape[1], dtype=np.uint64)
    bits: Any = np.ascontiguousarray(cells).view(np.uint64)
    with np.errstate(over="ignore"):
        # The finaliser of splitmix64
        mixed = bits + places * _WORD
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found


def _shape(item: Any) -> tuple[int, ...] | None:
    """Return the shape of an item, None of what is no array."""
    if isinstance(item, str) or np.isscalar(item):
        return ()
    if not isinstance(item, np.ndarray | list | tuple):
        return None
    try:
        return np.shape(item)
    except ValueError:  # lists of different lengths
        return None


def _hash_of_item(item: Any) -> int:
    if isinstance(item, str):
        # Copies of texts are often spaced or written otherwise.
        item = " ".join(item.casefold().split())
    elif isinstance(item, np.ndarray) and item.dtype != object:
        item = (item.shape, item.dtype.str, item.tobytes())
    else:
        try:
            item = pickle.dumps(item)
        except Exception:  # whatever anyone's objects raise: it is like itself only
            item = id(item)
    return hash(item) & (2**64 - 1)


def _standardised(block: Block) -> Floats:
    """Return columns of like spread: numbers by their deviations, categories as indicators."""
    made = []
    numbers = block.cells[:, ~block.nominal]
    if numbers.shape[1]:
        made.append(robust_scores(numbers))
    for j in np.flatnonzero(block.nominal):
        cells = block.cells[:, j]
        codes = np.where(np.isnan(cells), -1, cells).astype(np.intp)
        n_levels = int(codes.max()) + 1
        if n_levels <= _MOST_LEVELS:
            made.append((codes[:, np.newaxis] == np.arange(n_levels)).astype(np.float64))
            continue
        # Random places, about as far from each other as indicators are
        rng = np.random.default_rng(0)
        places = rng.normal(size=(n_levels + 1, _PLACES)) / _PLACES**0.5
        places[-1] = 0.0  # of gaps
        made.append(places[codes])
    return np.hstack(made)


def robust_scores(cells: Floats) -> Floats:
    """Return deviations from the median in units of the spread, large ones compressed.

    Gaps are no deviation.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_columns)

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
    """
    gaps = np.isnan(cells)
    whole = gaps.all(axis=0)
    cells = np.where(whole, 0.0, cells)
    some = cells[:: max(1, len(cells) // _MOST_ROWS)]
    if np.isnan(some).any():
        some = np.where(np.isnan(some).all(axis=0), 0.0, some)
        low, middle, high = np.nanpercentile(some, [25, 50, 75], axis=0)
    else:  # far faster
        low, middle, high = np.percentile(some, [25, 50, 75], axis=0)
    scores = np.where(gaps, 0.0, cells - middle)
    spread = (high - low) / 1.349
    # More than half of a column may be one value.
    spread = np.where(spread > 0, spread, scores.std(axis=0))
    # One value far away must not make all others alike; nor may it become the same as another.
    return _FAR * np.arcsinh(scores / np.where(spread > 0, spread, 1.0) / _FAR)


def sample_codes(values: NDArray[Any]) -> Indices:
    """Return the number of each sample's value, (n_samples,)."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.intp)
