"""Kernels of explicit features: what is kept are the features, n times their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import issparse
from sklearn.utils import check_array

from mkfusion._types import Features, FloatArray, Floats, Indices, Stack
from mkfusion.stack._blocks import Blocks, fetched, gathered, is_dask, products_with, sums_with
from mkfusion.stack._gram import GRAM_RTOL, asymmetry
from mkfusion.stack._threads import in_threads, split_for_threads
from mkfusion.stack._views import View, indexed, row_batches

# Pivots that are proposed at a time: as many as there are already, within these limits.
_FEWEST, _MOST = 16, 256
# What is left of k(x, x) below this share of it, in roundings, is rounding.
_NOISE = 100.0
# Fewer samples than so many times the features are brought here: between them there is less to keep
# than between the features.
_FEW = 2


class Factor(NamedTuple):
    """A kernel is about ``Z Z'``, and differs from it by a positive semi-definite matrix.

    Attributes
    ----------
    pivots : ndarray of shape (rank,)
        Samples. Between them and all samples the approximation is exact.
    Z : ndarray of shape (n, rank)
        ``Z[pivots]`` is lower triangular.
    residual, trace : float
        Traces of the difference and of the kernel.
    left : ndarray of shape (n,)
        Diagonal of the difference.
    """

    pivots: Indices
    Z: Floats
    residual: float
    trace: float
    left: Floats


def pivoted_cholesky(
    stack: Stack, tol: float, rank: int, rng: np.random.RandomState, label: str
) -> Factor:
    """Factorise a kernel until the trace of what is left is at most `tol` times its own.

    The next pivot is a sample x drawn in proportion to what is left of k(x, x). Pivots are proposed
    many at a time, and each is accepted as far as the others before it have left its chance as it
    was: the outcome has the distribution of drawing them one by one, at the speed of blocks.

    Parameters
    ----------
    stack : Stack
        One kernel (n, n, 1) between training samples, of which the diagonal, rows of pivots, and
        blocks between proposed ones are asked for.
    tol : float
        Non-negative.
    rank : int
        Most pivots to take.
    rng : RandomState
    label : str
        What to call the kernel in messages.

    Returns
    -------
    Factor

    Raises
    ------
    ValueError
        If the kernel turns out not to be symmetric and positive semi-definite.

    References
    ----------
    Chen, Epperly, Tropp and Webber, "Randomly pivoted Cholesky", Communications on Pure and Applied
    Mathematics 78 (2025), algorithm 2.1. Epperly, Tropp and Webber, "Embrace rejection: kernel
    matrix approximation by accelerated randomly pivoted Cholesky", SIMAX 46 (2025), algorithm 2.2.
    """
    diagonal = stack.diagonal()[0]
    n = len(diagonal)
    rtol = GRAM_RTOL[stack.dtype] * float(diagonal.max(initial=0.0))
    _check_positive(diagonal, rtol, label)
    noise = _NOISE * float(np.finfo(stack.dtype).eps) * np.maximum(diagonal, 0.0)
    left = np.where(diagonal > noise, diagonal, 0.0)
    trace = residual = float(left.sum())
    Z = np.empty((n, min(rank, _FEWEST)))
    pivots = np.empty(0, dtype=np.intp)
    while residual > tol * trace and len(pivots) < rank:
        r = len(pivots)
        size = min(max(r, _FEWEST), _MOST)
        proposed = rng.choice(n, size=size, p=left / residual)
        block = stack.block(0, proposed, proposed).astype(np.float64)
        _check_symmetric(block, proposed, rtol, label)
        block -= Z[proposed, :r] @ Z[proposed, :r].T
        chance = left[proposed] * rng.uniform(size=size)
        accepted, L = _accept(block, chance, noise[proposed])
        if len(accepted) == 0:  # all of it is rounding
            left[proposed] = 0.0
            residual = float(left.sum())
            continue
        accepted, L = accepted[: rank - r], L[: rank - r, : rank - r]
        new = proposed[accepted]
        Z = _with_room(Z, r + len(new), rank)
        # The trace falls with each pivot: those after the first that suffices are not taken.
        falls = np.cumsum(_write_columns(stack, new, L, Z, r))
        enough = int(np.searchsorted(falls, residual - tol * trace)) + 1
        new = new[:enough]
        pivots = np.concatenate([pivots, new])
        for piece in row_batches(n, len(new)):
            left[piece] -= np.sum(Z[piece, r : r + len(new)] ** 2, axis=1)
        _check_positive(left, rtol, label)
        left[new] = 0.0
        left = np.where(left > noise, left, 0.0)
        residual = float(left.sum())
    return Factor(pivots, Z[:, : len(pivots)].copy(), residual, trace, left)


def _accept(block: Floats, chance: Floats, noise: Floats) -> tuple[Indices, Floats]:
    """Choose pivots one after the other, and factorise what is left between them.

    Parameters
    ----------
    block : ndarray of shape (size, size)
        What is left of the kernel between the proposed samples. Modified in place.
    chance : ndarray of shape (size,)
        A proposal is accepted if more than this is left of it.
    noise : ndarray of shape (size,)
        At most this is nothing.

    Returns
    -------
    accepted : ndarray of shape (a,)
    L : ndarray of shape (a, a)
        Their lower triangular factor.
    """
    accepted: list[int] = []
    L = np.zeros_like(block)
    for i in range(len(block)):
        if block[i, i] > max(chance[i], noise[i]):
            column = block[i:, i] / np.sqrt(block[i, i])
            block[i:, i:] -= np.outer(column, column)
            L[i:, len(accepted)] = column
            accepted.append(i)
    return np.array(accepted, dtype=np.intp), L[accepted, : len(accepted)]


def _with_room(Z: Floats, columns: int, rank: int) -> Floats:
    """Return the factor in an array of at least so many columns, `rank` at most."""
    if columns <= Z.shape[1]:
        return Z
    larger = np.empty((len(Z), min(rank, max(columns, 2 * Z.shape[1]))))
    larger[:, : Z.shape[1]] = Z
    return larger


def _write_columns(stack: Stack, new: Indices, L: Floats, Z: Floats, r: int) -> Floats:
    """Write columns of new pivots behind the first r, a piece of the samples at a time.

    Parameters
    ----------
    stack : Stack
        One kernel (n, n, 1).
    new : ndarray of shape (a,)
    L : ndarray of shape (a, a)
        The factor of what is left between them.
    Z : ndarray of shape (n, at least r + a)
        Modified in place.
    r : int

    Returns
    -------
    ndarray of shape (a,)
        Sums of the squares of each column.
    """
    squares = np.zeros(len(new))
    pivots = Z[new, :r]
    for piece, index in indexed(row_batches(len(Z), len(new)), len(Z)):
        rows = stack.block(0, new, index).astype(np.float64)
        rows -= pivots @ Z[piece, :r].T
        columns = solve_triangular(L, rows, lower=True, overwrite_b=True).T
        squares += np.sum(columns * columns, axis=0)
        Z[piece, r : r + len(new)] = columns
    return squares


def _check_positive(values: Floats, slack: float, label: str) -> None:
    i = int(np.argmin(values))
    if values[i] < -slack:
        raise ValueError(
            f"{label} is not positive semi-definite: {values[i]:.6g} is what is left of "
            f"k(x, x) at sample {i}; expected no negative number."
        )


def _check_symmetric(block: Floats, samples: Indices, slack: float, label: str) -> None:
    difference = np.abs(block - block.T)
    i, j = np.unravel_index(int(np.argmax(difference)), block.shape)
    if difference[i, j] > slack:
        raise asymmetry(label, samples[i], samples[j], block[i, j], block[j, i])


class FactorView(View):
    """The kernel ``Z_rows Z_cols'``.

    Parameters
    ----------
    rows, cols : ndarray, CSR matrix or Blocks of shape (n_rows, rank) and (n_cols, rank)
        Features, ``float32`` or ``float64``; the same object for training samples.
    """

    place: str = "low-rank"

    def __init__(self, rows: Any, cols: Any) -> None:
        self.rows = rows
        self.cols = cols
        if isinstance(rows, Blocks) or isinstance(cols, Blocks):
            self.place = "low-rank in blocks"
        self.rank = cols.nnz / max(1, cols.shape[0]) if issparse(cols) else cols.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape[0], self.cols.shape[0]

    @property
    def is_square(self) -> bool:
        """Whether rows and columns are the same samples."""
        return self.rows is self.cols

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(self.rows.dtype, self.cols.dtype)

    def take(self, rows: Indices | None, cols: Indices | None) -> FactorView:
        left = self.rows if rows is None else self._left(rows)
        if self._is_principal(rows, cols):
            return FactorView(left, left)
        return FactorView(left, self.cols if cols is None else self._right(cols))

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        left = self._left(rows)
        right = left if self._is_principal(rows, cols) else self._right(cols)
        if issparse(left):
            return (left @ right.T).toarray()
        if left is right:  # BLAS then makes it symmetric to the last bit
            return left @ right.T
        out = np.empty((len(left), len(right)), dtype=self.dtype)

        def multiply(piece: slice) -> None:
            np.matmul(left[piece], right.T, out=out[piece])

        # The solvers hold BLAS to one thread.
        in_threads(multiply, split_for_threads(len(left), out.size * left.shape[1]))
        return out

    def pairs(self, rows: Indices | None, cols: Indices | None) -> Floats:
        left, right = self._left(rows), self._right(cols)
        if issparse(left):
            return np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel()
        return np.einsum("ij,ij->i", left, right, dtype=np.float64)

    def dot(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        return products_with(self.rows, rows, sums_with(self.cols, cols, beta))

    def dot_rows(self, beta: Floats, rows: Indices | None, cols: Indices | None) -> Floats:
        return products_with(self.cols, cols, sums_with(self.rows, rows, beta))

    def _left(self, rows: Indices | None) -> Any:
        return fetched(self.rows, rows)

    def _right(self, cols: Indices | None) -> Any:
        return fetched(self.cols, cols)

    def _is_principal(self, rows: Indices | None, cols: Indices | None) -> bool:
        """Whether these are rows and columns of the same samples in the same order."""
        if not self.is_square:
            return False
        same = rows is not None and cols is not None and np.array_equal(rows, cols)
        return same or rows is cols is None


def features_of(views: Sequence[View]) -> Features | None:
    """Return the features of the samples between which all kernels are, if these have some."""
    sides = sides_of(views)
    square = all(isinstance(view, FactorView) and view.is_square for view in views)
    return sides[0] if sides is not None and square else None


def sides_of(views: Sequence[View]) -> tuple[Features, Features] | None:
    """Return the features of row samples and of column samples, if all kernels have some."""
    own = [view for view in views if isinstance(view, FactorView)]
    if not 0 < len(own) == len(views):
        return None
    return gathered([view.rows for view in own]), gathered([view.cols for view in own])


def factor_views(features: Sequence[Any], others: Sequence[Any] | None) -> list[View]:
    """Return the kernels of the features of row samples and of column samples.

    Parameters
    ----------
    features, others
        As for :meth:`KernelStack.from_features`, which see for what is raised too.

    Returns
    -------
    list of m View
    """
    rows = _matrices(features, "features")
    cols = rows if others is None else _matrices(others, "others")
    if len(rows) != len(cols):
        raise ValueError(
            f"others has {len(cols)} entries; expected one for each of the {len(rows)} kernels of "
            "features."
        )
    for k, (left, right) in enumerate(zip(rows, cols, strict=True)):
        if left.shape[1] != right.shape[1]:
            raise ValueError(
                f"others[{k}] has {right.shape[1]} features, but features[{k}] has "
                f"{left.shape[1]}; expected as many."
            )
        if issparse(left) != issparse(right):
            raise TypeError(
                f"One of features[{k}] and others[{k}] is sparse; expected both or none."
            )
    return [FactorView(left, right) for left, right in zip(rows, cols, strict=True)]


def _matrices(values: Sequence[Any], argument: str) -> list[Any]:
    """Return matrices of as many rows each."""
    if not isinstance(values, list | tuple):
        raise TypeError(
            f"{argument} is {type(values).__name__}; expected a list of matrices "
            "(n_samples, n_features), one for each kernel."
        )
    if len(values) == 0:
        raise ValueError(f"{argument} is empty; expected at least one kernel.")
    matrices: list[Any] = []
    for k, one in enumerate(values):
        if is_dask(one):
            matrices.append(Blocks(one, f"{argument}[{k}]"))
        else:
            matrices.append(_matrix(one, f"{argument}[{k}]"))
        if matrices[k].shape[0] != matrices[0].shape[0]:
            raise ValueError(
                f"{argument}[{k}] has {matrices[k].shape[0]} rows, but {argument}[0] has "
                f"{matrices[0].shape[0]}; expected features of the same samples."
            )
    return _blocks_or_here(matrices, argument)


def _matrix(one: Any, label: str) -> Any:
    try:
        return check_array(one, accept_sparse="csr", dtype=(np.float64, np.float32))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{label}: {error}") from error


def _blocks_or_here(matrices: list[Any], argument: str) -> list[Any]:
    """Refuse blocks of which the same samples are not together, and bring here what is small."""
    blocks = [one for one in matrices if isinstance(one, Blocks)]
    for k, one in enumerate(matrices if blocks else []):
        if not isinstance(one, Blocks):
            raise TypeError(
                f"{argument}[{k}] is {type(one).__name__}, but {blocks[0].label} is a Dask array; "
                "expected all or none: dask.array.from_array(array, chunks=...) makes one."
            )
        if not np.array_equal(one.bounds, blocks[0].bounds):
            raise ValueError(
                f"{one.label} has blocks of other samples than {blocks[0].label}; expected the "
                f"same: {one.label}.rechunk({{0: {blocks[0].label}.chunks[0]}})."
            )
    if blocks and blocks[0].shape[0] < _FEW * sum(one.shape[1] for one in blocks):
        return [one.fetch(None) for one in blocks]
    return matrices
