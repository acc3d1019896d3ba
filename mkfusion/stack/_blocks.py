"""Explicit features in blocks of samples that lie elsewhere: vectors go to them, sums come back.

The blocks are those of Dask arrays, of which nothing is asked but to be cut along the samples. Each
pass is one graph: a task for every block, which does with it what :class:`Features` does in memory,
and a tree that adds up what is of the size of the features. Vectors of all samples stay with who
asks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mkfusion._messages import shown
from mkfusion._types import Features as AnyFeatures, FloatArray, Floats, Indices
from mkfusion.stack._features import Features, products_of, sums_of
from mkfusion.stack._room import check_room

# So many results are added up at a time.
_TOGETHER = 8
# What NumPy calls numbers that are real
_REAL = "biuf"


def is_dask(value: Any) -> bool:
    """Return whether something is of Dask, which need not be installed."""
    return hasattr(value, "__dask_graph__")


class Blocks:
    """Features of one kernel, in the blocks of a Dask array.

    Parameters
    ----------
    array : dask.array.Array of shape (n, rank)
    label : str
        What the user calls it.

    Attributes
    ----------
    bounds : ndarray of shape (n_blocks + 1,)
        Block i holds samples ``bounds[i]:bounds[i + 1]``.

    Raises
    ------
    TypeError, ValueError
        If it is not an array of real numbers in blocks of known size along the samples alone.
    """

    def __init__(self, array: Any, label: str) -> None:
        if not (hasattr(array, "chunks") and hasattr(array, "to_delayed")):
            raise TypeError(
                f"{label} is a {type(array).__name__} of Dask; expected a Dask array: "
                "to_dask_array(lengths=True) of a DataFrame."
            )
        if array.dtype.kind not in _REAL:
            raise TypeError(f"{label} is of dtype {array.dtype}; expected real numbers.")
        if array.ndim != 2:
            raise ValueError(
                f"{label} has {array.ndim} dimensions; expected 2: (n_samples, n_features)."
            )
        rows, columns = array.chunks
        if any(np.isnan(size) for size in (*rows, *columns)):
            raise ValueError(
                f"{label} has blocks of unknown size; expected known ones: "
                "compute_chunk_sizes() finds them."
            )
        if len(columns) != 1:
            raise ValueError(
                f"{label} is cut along its features, into blocks of {shown(list(columns))}; "
                "expected blocks along the samples alone: rechunk({1: -1})."
            )
        if 0 in array.shape:
            raise ValueError(f"{label} has shape {array.shape}; expected samples and features.")
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        self.array = array
        self.label = label
        self.bounds: Indices = np.cumsum([0, *rows])

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.bounds[-1]), int(self.array.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    def fetch(self, rows: Indices | None) -> FloatArray:
        """Bring the features (r, rank) of some samples, or all, into this process.

        Raises
        ------
        MemoryError
            If there is no room for them.
        """
        n, rank = self.shape
        index = np.arange(n) if rows is None else rows
        check_room(
            f"{self.label} of {len(index)} samples in this process",
            len(index) * rank * self.dtype.itemsize,
            "take parts of the Dask arrays instead of parts of the KernelStack",
        )
        block_of = np.searchsorted(self.bounds, index, side="right") - 1
        places = [np.flatnonzero(block_of == i) for i in range(len(self.bounds) - 1)]
        local = [index[at] - first for at, first in zip(places, self.bounds, strict=False)]
        found = BlockFeatures([self]).ask(
            _pick, [None if len(own) == 0 else (own,) for own in local]
        )
        out = np.empty((len(index), rank), dtype=self.dtype)
        for at, (values,) in zip([at for at in places if len(at)], found, strict=True):
            out[at] = values
        return out


class BlockFeatures:
    """Features of n samples, of which the inner products are m kernels, block by block.

    It is what :class:`Features` is in memory.

    Parameters
    ----------
    blocks : sequence of m Blocks
        Cut at the same samples.

    Attributes
    ----------
    starts : ndarray of shape (m + 1,)
        Columns ``starts[k]:starts[k + 1]`` of all R features are those of kernel k.
    """

    def __init__(self, blocks: Sequence[Blocks]) -> None:
        self._bounds = blocks[0].bounds
        self._blocks = blocks
        self._labels = [block.label for block in blocks]
        self._sizes = [block.shape[1] for block in blocks]
        self.starts: Indices = np.cumsum([0, *self._sizes])

    @cached_property
    def _arrays(self) -> list[list[Any]]:
        # Optimised, as what users compute of them: a scheduler expects one name to be one task.
        return [block.array.to_delayed().ravel().tolist() for block in self._blocks]

    def products(self, coefficients: Floats) -> Floats:
        """Return ``sum_k Z_k c_uk`` (u, n) for coefficients (u, R)."""
        out = np.zeros((len(coefficients), int(self._bounds[-1])))
        if coefficients.any():
            pieces = self._pieces()
            found = self.ask(_products, [(coefficients,) if _size(one) else None for one in pieces])
            for piece, (values,) in zip(filter(_size, pieces), found, strict=True):
                out[:, piece] = values
        return out

    def sums(self, beta: Floats, kernels: Indices | None = None) -> Floats:
        """Return ``beta_u' Z`` (u, R) for beta (u, n), with zeros for kernels not asked for."""
        own = [beta[:, piece] for piece in self._pieces()]
        found = self.ask(_sums, [(part, kernels) if part.any() else None for part in own], add=True)
        shape = len(beta), int(self.starts[-1])
        return np.asarray(found[0][0]) if found else np.zeros(shape)

    def gram(self, rows: Indices, price: Floats) -> tuple[Floats, Floats]:
        """Return ``sum_i price_i z_i z_i'`` (R, R) and ``sum_i price_i z_i`` over some samples.

        Parameters
        ----------
        rows : ndarray of shape (s,), integer, ascending
        price : ndarray of shape (s,)
            Non-negative.
        """
        ends = np.searchsorted(rows, self._bounds)
        parts = [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        found = self.ask(
            _gram,
            [
                (rows[part] - first, price[part]) if _size(part) else None
                for part, first in zip(parts, self._bounds, strict=False)
            ],
            add=True,
        )
        R = int(self.starts[-1])
        return found[0] if found else (np.zeros((R, R)), np.zeros(R))

    def squares(self) -> Floats:
        """Return the squared lengths (m, n) of the features of every sample."""
        out = np.empty((len(self._labels), int(self._bounds[-1])))
        pieces = self._pieces()
        found = self.ask(_squares, [() if _size(one) else None for one in pieces])
        for piece, (values,) in zip(filter(_size, pieces), found, strict=True):
            out[:, piece] = values
        return out

    def ask(
        self,
        task: Callable[..., tuple[Any, ...]],
        arguments: list[tuple[Any, ...] | None],
        *,
        add: bool = False,
    ) -> list[Any]:
        """Do something with every block, in one graph.

        Parameters
        ----------
        task : callable
            Called with the :class:`Features` of a block and its arguments; returns arrays.
        arguments : list of n_blocks tuple or None
            None leaves out a block.
        add : bool, default=False
            Whether only the sum of what comes back is wanted.

        Returns
        -------
        list of tuple of ndarray
            Of the blocks that were not left out; of none or one if they are added up.
        """
        from dask.base import compute
        from dask.delayed import delayed

        do, total = delayed(_do, pure=False), delayed(_total, pure=False)
        calls = [
            do(task, [blocks[i] for blocks in self._arrays], *self._about(i), *own)
            for i, own in enumerate(arguments)
            if own is not None
        ]
        while add and len(calls) > 1:
            calls = [
                total(calls[first : first + _TOGETHER]) for first in range(0, len(calls), _TOGETHER)
            ]
        with warnings.catch_warnings():
            # Vectors of all samples are of the size that they are.
            warnings.filterwarnings("ignore", message="Sending large graph")
            return list(compute(*calls))

    def _about(self, i: int) -> tuple[list[str], int, list[list[int]]]:
        """Return what a block's features are called, its first sample, and its shapes."""
        first, end = int(self._bounds[i]), int(self._bounds[i + 1])
        return self._labels, first, [[end - first, size] for size in self._sizes]

    def _pieces(self) -> list[slice]:
        return [
            slice(int(a), int(b)) for a, b in zip(self._bounds[:-1], self._bounds[1:], strict=True)
        ]


def gathered(blocks: Sequence[Any]) -> AnyFeatures:
    """Return the features of m kernels, wherever they are."""
    return BlockFeatures(blocks) if isinstance(blocks[0], Blocks) else Features(blocks)


def fetched(features: Any, rows: Indices | None) -> Any:
    """Return the features of some samples of one kernel, or of all, in this process."""
    if isinstance(features, Blocks):
        return features.fetch(rows)
    return features if rows is None else features[rows]


def products_with(features: Any, rows: Indices | None, coefficients: Floats) -> Floats:
    """Return ``Z[rows] c_u`` (u, r) for the features of one kernel and coefficients (u, rank)."""
    if not isinstance(features, Blocks):
        return products_of(features, rows, coefficients)
    out = BlockFeatures([features]).products(coefficients)
    return out if rows is None else out[:, rows]


def sums_with(features: Any, rows: Indices | None, beta: Floats) -> Floats:
    """Return ``beta_u' Z[rows]`` (u, rank) for the features of one kernel and beta (u, r)."""
    if not isinstance(features, Blocks):
        return sums_of(features, rows, beta)
    if rows is not None:
        own, beta = beta, np.zeros((len(beta), features.shape[0]))
        np.add.at(beta.T, rows, own.T)
    return BlockFeatures([features]).sums(beta)


def _size(piece: slice) -> int:
    return int(piece.stop - piece.start)


# What is done where a block lies. Dask finds these functions by their names.


def _do(
    task: Callable[..., tuple[FloatArray, ...]],
    blocks: list[Any],
    labels: list[str],
    first: int,
    shapes: list[list[int]],
    *arguments: Any,
) -> tuple[FloatArray, ...]:
    """Do something with a block of samples, of which all numbers must be finite."""
    for block, label, shape in zip(blocks, labels, shapes, strict=True):
        if not isinstance(block, np.ndarray) or list(block.shape) != shape:
            found = f"shape {block.shape}" if isinstance(block, np.ndarray) else "no NumPy array"
            raise TypeError(
                f"{label} has a block of {found} from sample {first} on "
                f"({type(block).__name__}); expected a NumPy array of shape {tuple(shape)}."
            )
    sums = task(Features(blocks), blocks, *arguments)
    if not all(np.isfinite(values).all() for values in sums):
        for block, label in zip(blocks, labels, strict=True):
            wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if len(wrong):
                raise ValueError(
                    f"{label} holds NaN or infinity at sample {first + int(wrong[0])}; expected "
                    "finite numbers."
                )
    return sums


def _pick(features: Features, blocks: list[Any], rows: Indices) -> tuple[FloatArray]:
    return (blocks[0][rows],)


def _products(features: Features, blocks: list[Any], coefficients: Floats) -> tuple[Floats]:
    return (features.products(coefficients),)


def _sums(
    features: Features, blocks: list[Any], beta: Floats, kernels: Indices | None
) -> tuple[Floats]:
    return (features.sums(beta, kernels),)


def _gram(
    features: Features, blocks: list[Any], rows: Indices, price: Floats
) -> tuple[Floats, Floats]:
    return features.gram(rows, price)


def _squares(features: Features, blocks: list[Any]) -> tuple[Floats]:
    return (features.squares(),)


def _total(parts: list[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    return tuple(sum(own[1:], own[0]) for own in zip(*parts, strict=True))
