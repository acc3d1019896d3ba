"""Matrices in memory: where they lie, and what compiled loops do with them and with parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mkfusion._types import FloatArray, Floats, Indices, Mask
from mkfusion.stack._dense import (
    Layout,
    add_dot_block,
    add_dot_rows,
    combine_block,
    combine_rows,
    dot_columns,
    quadratic_forms,
    take_block,
)
from mkfusion.stack._look import (
    few_samples,
    look,
    look_at_shares,
    near_degenerate,
    shares_of_fewer,
)
from mkfusion.stack._several import combine_for_several, dot_for_several, hand_out
from mkfusion.stack._threads import in_threads, split_for_threads
from mkfusion.stack._views import compose

# Sums for several readers, of so many numbers, stay in a core's cache until they are handed out.
_BATCH = 2**16


class Whole:
    """Matrices of the same size and type, which stay where they are.

    Parameters
    ----------
    arrays : sequence of m ndarray of shape (n_rows, n_cols), or ndarray (m, n_rows, n_cols)
        float32 or float64, with contiguous rows.
    sound : ndarray of shape (m,), dtype=bool, default=None
        Those known to be Gram matrices; none by default.
    hasty : bool, default=False
        Whether a quick look at them is enough: they were given to a single call, which reports
        itself what it sees of them.

    Attributes
    ----------
    layout : Layout
    sound, doubtful : ndarray of shape (m,), dtype=bool
        What was found of them as Gram matrices, for all that share them. Modified in place.
    shares : ndarray of shape (m, 2)
        Likewise, their `shares` as far as they were asked for. Modified in place.
    """

    def __init__(
        self,
        arrays: Sequence[FloatArray] | FloatArray,
        sound: Mask | None = None,
        hasty: bool = False,
    ) -> None:
        # What comes from another process may lie at any address.
        if not all(one.flags.aligned for one in arrays):
            arrays = [np.require(one, requirements="A") for one in arrays]
        self.arrays = arrays
        self.hasty = hasty
        self.layout = _layout_of(arrays)
        self.shape = (len(arrays), *arrays[0].shape)
        self.sound = np.zeros(len(arrays), dtype=bool) if sound is None else sound
        self.doubtful = np.zeros(len(arrays), dtype=bool)
        self.shares = np.full((len(arrays), 2), np.nan)

    @cached_property
    def diagonal(self) -> Floats:
        """The diagonals (m, n), if they are square: asked for again and again, and far apart."""
        everything = np.arange(self.shape[1])
        found = _diagonal(self.layout, everything, everything)
        found.flags.writeable = False
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Whole, (self.arrays, self.sound, self.hasty)


class Matrices:
    """Some of the matrices between some rows and columns; nothing of them is copied.

    Parameters
    ----------
    whole : Whole
    kernels, rows, cols : ndarray of shape (m,), (r,) and (c,), integer, or None
        None for all of them.

    Attributes
    ----------
    shape : tuple of int
        (m, r, c).
    """

    def __init__(
        self,
        whole: Whole,
        kernels: Indices | None = None,
        rows: Indices | None = None,
        cols: Indices | None = None,
    ) -> None:
        self.whole = whole
        self.kernels, self.rows, self.cols = kernels, rows, cols
        flat, start, stride, n_cols = whole.layout
        if kernels is not None:
            start, stride = start[kernels], stride[kernels]
        self._layout = (flat, start, stride, n_cols)
        chosen = (kernels, rows, cols)
        m, r, c = (
            size if index is None else len(index)
            for size, index in zip(whole.shape, chosen, strict=True)
        )
        self.shape = (m, r, c)

    def __reduce__(self) -> tuple[Any, ...]:
        # Nobody else has the copy: it is of this part alone.
        arrays = self.array if self.is_part else self.arrays
        return Matrices, (Whole(arrays, self.sound, self.whole.hasty),)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._layout[0].dtype

    @property
    def is_part(self) -> bool:
        """Whether rows or columns are chosen."""
        return not self.rows is self.cols is None

    @property
    def is_principal(self) -> bool:
        """Whether rows and columns are the same samples, if those of the whole are."""
        _, n_rows, n_cols = self.whole.shape
        if n_rows != n_cols or (self.rows is None) != (self.cols is None):
            return False
        return self.rows is self.cols or np.array_equal(self.rows, self.cols)  # type: ignore[arg-type]

    @property
    def sound(self) -> Mask:
        """Those (m,) that are known to be Gram matrices, as parts of one."""
        if not self.is_principal:
            return np.zeros(self.shape[0], dtype=bool)
        return _chosen(self.whole.sound, self.kernels)

    @property
    def doubtful(self) -> Mask:
        """Those (m,) that were found to be none, as a whole."""
        return _chosen(self.whole.doubtful, self.kernels)

    def remember(self, which: Indices, sound: Mask) -> None:
        """Keep what was found of some kernels (s,) between all samples."""
        places = which if self.kernels is None else self.kernels[which]
        self.whole.sound[places] = sound
        self.whole.doubtful[places] = ~sound

    def whole_of_a_fold(self) -> Matrices | None:
        """Return them between all samples, if most of these are here, and they are not all."""
        if self.is_part and self.is_principal and 2 * self.shape[1] >= self.whole.shape[1]:
            return Matrices(self.whole, self.kernels)
        return None

    @property
    def arrays(self) -> Sequence[FloatArray] | FloatArray:
        """The chosen matrices, between all rows and columns."""
        arrays, which = self.whole.arrays, self.kernels
        if which is None:
            return arrays
        if isinstance(arrays, np.ndarray) and np.all(np.diff(which) == 1):
            return arrays[which[0] : which[-1] + 1]
        return [arrays[k] for k in which]

    @property
    def lies_in_one_array(self) -> bool:
        """Whether `array` is no copy."""
        whole = self.arrays
        apart = len(whole) > 1 and not isinstance(whole, np.ndarray)
        return not (self.is_part or apart) and all(one.flags.c_contiguous for one in whole)

    @property
    def array(self) -> FloatArray:
        """All in one array (m, r, c), C-contiguous."""
        if self.lies_in_one_array:
            arrays = self.arrays
            return arrays if isinstance(arrays, np.ndarray) else arrays[0][np.newaxis]
        out = np.empty(self.shape, dtype=self.dtype)
        self.copy_into(out)
        return out

    def select(self, which: Indices) -> Matrices:
        return Matrices(self.whole, compose(self.kernels, which), self.rows, self.cols)

    def take(self, rows: Indices | None, cols: Indices | None) -> Matrices:
        rows, cols = compose(self.rows, rows), compose(self.cols, cols)
        return Matrices(self.whole, self.kernels, rows, cols)

    def anew(self) -> Matrices:
        """Return the same ones, of which nothing was found yet, to be looked at closely."""
        return Matrices(Whole(self.whole.arrays), self.kernels, self.rows, self.cols)

    def copy_into(self, out: FloatArray) -> None:
        """Write them into an array (m, r, c)."""
        rows, cols = self._rows(None), self._cols(None)
        kernels = np.arange(len(out))

        def copy(piece: slice) -> None:
            take_block(self._layout, kernels[piece], rows, cols, out[piece])

        in_threads(copy, split_for_threads(len(out), out.size))

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return matrix k between some rows and columns; not to be written to."""
        if rows is cols is None and not self.is_part:
            return self.whole.arrays[k if self.kernels is None else self.kernels[k]]
        rows, cols = self._rows(rows), self._cols(cols)
        out = np.empty((1, len(rows), len(cols)), dtype=self.dtype)
        take_block(self._layout, np.array([k]), rows, cols, out)
        return out[0]

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        """Write the weighted sum between some rows and columns into `out`."""
        rows = self._rows(rows)
        some = compose(self.cols, cols)
        kernels = np.flatnonzero(weights)

        def combine(piece: slice) -> None:
            if some is None:
                combine_rows(self._layout, weights, kernels, rows[piece], out[piece])
            else:
                combine_block(self._layout, weights, kernels, rows[piece], some, out[piece])

        in_threads(combine, split_for_threads(len(rows), out.size * len(kernels)))

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None) -> None:
        """Add ``K_k beta_u`` to ``out[u, k]``, for some of the matrices, which are symmetric."""
        m, _, n = self.shape
        kernels = np.arange(m) if kernels is None else kernels
        active, support = _active(beta)
        rows = self._rows(support)

        def add(piece: slice) -> None:
            if self.cols is None:
                add_dot_rows(self._layout, active, kernels[piece], rows, out)
            else:
                add_dot_block(self._layout, active, kernels[piece], rows, self.cols, out)

        in_threads(add, split_for_threads(len(kernels), len(kernels) * len(rows) * n))

    def combine_several(
        self, weights: Floats, rows: Sequence[Indices], out: Sequence[Floats]
    ) -> None:
        """Write weighted sums (r_f, c), of rows of each reader f's own, into the arrays of `out`.

        Weights are (f, m).
        """
        n_cols = self.whole.shape[2]
        # Each row is read once, for all who want it.
        read, place = _union(rows, self.shape[1])
        target = np.full((len(rows), len(read)), -1, dtype=np.intp)
        for own, index in zip(target, rows, strict=True):
            own[place[index]] = np.arange(len(index))
        where = self._rows(read)
        cols = self._cols(None)
        kernels = np.flatnonzero(weights.any(axis=0))
        step = max(1, _BATCH // max(1, len(rows) * n_cols))

        def combine(piece: slice) -> None:
            for start in range(piece.start, piece.stop, step):
                batch = slice(start, min(start + step, piece.stop))
                some = np.empty((len(rows), batch.stop - start, n_cols))
                wanted = target[:, batch] >= 0
                combine_for_several(self._layout, weights, kernels, where[batch], wanted, some)
                for f, own in enumerate(out):
                    hand_out(some[f], target[f, batch], cols, own)

        numbers = len(kernels) * n_cols * sum(map(len, rows))
        in_threads(combine, split_for_threads(len(read), numbers))

    def add_dot_several(
        self, beta: Sequence[Floats], out: Sequence[Floats], kernels: Sequence[Indices]
    ) -> None:
        """Add ``K_k beta_u`` to ``out[f][u, k]`` for each reader f's own vectors and kernels."""
        n_cols = self.whole.shape[2]
        active, support = _active(np.concatenate(list(beta)))
        read, place = _union(kernels, self.shape[0])
        stops = np.cumsum([len(vectors) for vectors in beta])
        vectors = [slice(stop - len(own), stop) for own, stop in zip(beta, stops, strict=True)]
        wanted = np.zeros((len(active), len(read)), dtype=bool)
        for own, index in zip(vectors, kernels, strict=True):
            wanted[own, place[index]] = True
        rows = self._rows(support)
        cols = slice(None) if self.cols is None else self.cols

        def add(piece: slice) -> None:
            some = read[piece]
            products = np.zeros((len(active), len(some), n_cols))
            dot_for_several(self._layout, active, some, wanted[:, piece], rows, products)
            for target, own in zip(out, vectors, strict=True):
                asked = wanted[own.start, piece]
                target[:, some[asked]] += products[own][:, asked][..., cols]

        numbers = len(read) * len(rows) * n_cols
        in_threads(add, split_for_threads(len(read), numbers))

    def dot(self, beta: Floats) -> Floats:
        """Return ``K_k beta_u`` (u, m, r) for beta (u, c)."""
        m, r, _ = self.shape
        active, support = _active(beta)
        out = np.empty((len(beta), m, r))
        dot_columns(self._layout, active, self._rows(None), self._cols(support), out)
        return out

    def quadratic(self, beta: Floats) -> Floats:
        """Return ``sum_u beta_u' K_k beta_u`` (m,) for beta (u, n)."""
        m = self.shape[0]
        active, support = _active(beta)
        rows, cols, kernels = self._rows(support), self._cols(support), np.arange(m)
        out = np.empty(m)

        def evaluate(piece: slice) -> None:
            quadratic_forms(self._layout, active, kernels[piece], rows, cols, out)

        in_threads(evaluate, split_for_threads(m, m * len(support) ** 2))
        return out

    def diagonal(self) -> Floats:
        """Return the diagonals (m, n)."""
        if not self.is_principal:
            return _diagonal(self._layout, self._rows(None), self._cols(None))
        found = self.whole.diagonal
        if self.kernels is not None:
            found = found[self.kernels]
        return found if self.rows is None else found[:, self.rows]

    def look(self, samples: Indices, v: Floats, rtol: float) -> Indices:
        """Return what whole Gram matrices seem to be (m,): see :mod:`mkfusion.stack._look`."""
        m, n, _ = self.shape
        kernels, found = np.arange(m), np.empty(m, dtype=np.intp)

        seen = np.full((m, 2), np.nan)

        def look_at(piece: slice) -> None:
            look(self._layout, kernels[piece], samples, v, rtol, found[piece], seen[piece])

        in_threads(look_at, split_for_threads(m, m * n * n))
        self.whole.shares[slice(None) if self.kernels is None else self.kernels] = seen
        return found

    def shares(self) -> Floats:
        """Return the two shares (m, 2) of :func:`~mkfusion.stack._look.shares`.

        They are kept for all samples. Those of a fold are theirs, for so many samples, but for
        kernels that are near to be degenerate.
        """
        whole = self.whole_of_a_fold()
        if whole is not None:
            n, fewer = self.whole.shape[1], self.shape[1]
            found = shares_of_fewer(whole.shares(), n, fewer)
            near = np.flatnonzero(near_degenerate(found))
            if near.size:
                found[near] = self.select(near)._look_at_shares()
            return found
        if self.is_part:
            return self._look_at_shares()
        places = np.arange(self.shape[0]) if self.kernels is None else self.kernels
        unseen = places[np.isnan(self.whole.shares[places, 0])]
        if unseen.size:
            self.whole.shares[unseen] = Matrices(self.whole, unseen)._look_at_shares()
        return self.whole.shares[places]

    def _look_at_shares(self) -> Floats:
        samples = few_samples(self.shape[1])
        m, n, _ = self.shape
        kernels, out = np.arange(m), np.empty((m, 2))
        rows, cols = self._rows(samples), self._cols(samples)

        def look_at(piece: slice) -> None:
            look_at_shares(self._layout, kernels[piece], rows, cols, n, out[piece])

        in_threads(look_at, split_for_threads(m, m * len(samples) ** 2))
        return out

    def _rows(self, chosen: Indices | None) -> Indices:
        """Return where rows of this part are in the whole."""
        index = compose(self.rows, chosen)
        return np.arange(self.whole.shape[1]) if index is None else index

    def _cols(self, chosen: Indices | None) -> Indices:
        index = compose(self.cols, chosen)
        return np.arange(self.whole.shape[2]) if index is None else index


def _union(which: Sequence[Indices], size: int) -> tuple[Indices, Indices]:
    """Return the sorted union (u,) of index arrays, and where in it each index (size,) stands."""
    asked = np.zeros(size, dtype=bool)
    for index in which:
        asked[index] = True
    found = np.flatnonzero(asked)
    place = np.full(size, -1, dtype=np.intp)
    place[found] = np.arange(found.size)
    return found, place


def _chosen(mask: Mask, index: Indices | None) -> Mask:
    return mask if index is None else mask[index]


def _diagonal(K: Layout, rows: Indices, cols: Indices) -> Floats:
    flat, start, stride, _ = K
    places = start[:, np.newaxis] + stride[:, np.newaxis] * rows + cols
    return flat[places].astype(np.float64, copy=False)


def _active(beta: Floats) -> tuple[Floats, Indices]:
    """Return what is not 0 for every vector (u, s), and where it is."""
    support = np.flatnonzero(beta.any(axis=0))
    return np.ascontiguousarray(beta[:, support]), support


def _layout_of(arrays: Sequence[FloatArray] | FloatArray) -> Layout:
    first = arrays[0]
    n_rows, n_cols = first.shape
    size = first.itemsize
    addresses = np.array([one.__array_interface__["data"][0] for one in arrays])
    stride = np.array([one.strides[0] for one in arrays]) // size
    lowest = int(addresses.argmin())
    start = (addresses - addresses[lowest]) // size
    stop = int((start + stride * (n_rows - 1)).max()) + n_cols if first.size else 0
    flat = np.lib.stride_tricks.as_strided(arrays[lowest], (stop,), (size,), writeable=False)
    return flat, start, stride, n_cols
