"""Kernels in one contiguous kernel-major array: compiled loops, and how users' arrays get there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats, Indices

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_BLOCK = 64
# Numbers that fit in a core's own cache beside what streams through it.
_CACHED = 2**15

FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL, NEGATIVE_MINOR = range(5)


@njit(**_JIT, fastmath={"contract"})
def combine_rows(
    K: FloatArray, weights: Floats, kernels: Indices, rows: Indices, out: Floats
) -> None:
    """Write ``out[r] = sum_{k in kernels} weights[k] * K[k, rows[r]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    weights : ndarray of shape (n_kernels,), float64
    kernels : ndarray of shape (s,), integer
        The kernels to read.
    rows : ndarray of shape (r,), integer
        Fastest in ascending order.
    out : ndarray of shape (r, n_cols), float64
        Modified in place.
    """
    m = kernels.size
    n = K.shape[2]
    # Several rows of a kernel in turn, as long as their sums stay in the cache.
    batch = max(1, _CACHED // max(n, 1))
    for start in range(0, rows.size, batch):
        stop = min(start + batch, rows.size)
        out[start:stop] = 0.0
        # Four kernels at a time: the sums are loaded and stored a quarter as often.
        for s in range(0, m - 3, 4):
            a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
            wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
            for r in range(start, stop):
                i = rows[r]
                acc = out[r]
                ka, kb, kc, kd = K[a, i], K[b, i], K[c, i], K[d, i]
                for j in range(n):
                    acc[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
        for s in range(m - m % 4, m):
            w = weights[kernels[s]]
            for r in range(start, stop):
                acc = out[r]
                row = K[kernels[s], rows[r]]
                for j in range(n):
                    acc[j] += w * row[j]


@njit(**_JIT, fastmath={"contract"})
def combine_block(
    K: FloatArray,
    weights: Floats,
    kernels: Indices,
    rows: Indices,
    cols: Indices,
    out: Floats,
) -> None:
    """Write ``out[r, c] = sum_{k in kernels} weights[k] * K[k, rows[r], cols[c]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    weights : ndarray of shape (n_kernels,), float64
    kernels, rows, cols : ndarray of shape (s,), (r,) and (c,), integer
        What to read.
    out : ndarray of shape (r, c), float64
        Modified in place.
    """
    m = kernels.size
    n = K.shape[2]
    if 2 * cols.size < n:
        out[:] = 0.0
        for r in range(rows.size):
            acc = out[r]
            for k in kernels:
                w = weights[k]
                row = K[k, rows[r]]
                for c in range(cols.size):
                    acc[c] += w * row[cols[c]]
        return
    # Most columns: memory is read whole anyway, and sums along rows are vectorised.
    whole = np.empty(n)
    for r in range(rows.size):
        i = rows[r]
        whole[:] = 0.0
        for s in range(0, m - 3, 4):
            a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
            wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
            ka, kb, kc, kd = K[a, i], K[b, i], K[c, i], K[d, i]
            for j in range(n):
                whole[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
        for s in range(m - m % 4, m):
            w = weights[kernels[s]]
            row = K[kernels[s], i]
            for j in range(n):
                whole[j] += w * row[j]
        for t in range(cols.size):
            out[r, t] = whole[cols[t]]


@njit(**_JIT)
def take_block(K: FloatArray, rows: Indices, cols: Indices, out: FloatArray) -> None:
    """Write ``out[k, r, c] = K[k, rows[r], cols[c]]``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    rows, cols : ndarray of shape (r,) and (c,), integer
    out : ndarray of shape (n_kernels, r, c), of the same type as K
        Modified in place.
    """
    for k in range(K.shape[0]):
        for r in range(rows.size):
            row = K[k, rows[r]]
            target = out[k, r]
            for c in range(cols.size):
                target[c] = row[cols[c]]


@njit(**_JIT, fastmath={"contract"})
def add_dot_rows(K: FloatArray, beta: Floats, kernels: Indices, rows: Indices, out: Floats) -> None:
    """Add ``sum_{i in rows} beta[u, i] * K[k, i]`` to ``out[u, k]``, for symmetric kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
        Symmetric Gram matrices, read along rows.
    beta : ndarray of shape (u, n), float64
    kernels : ndarray of shape (s,), integer
        The kernels k to read.
    rows : ndarray of shape (r,), integer
        Where some ``beta[:, i]`` differs from 0.
    out : ndarray of shape (u, n_kernels, n), float64
        Modified in place.
    """
    n = K.shape[2]
    r = rows.size
    # Four rows at a time, far apart: four long streams through memory are fetched ahead better than
    # one cut into short pieces.
    quarter = r // 4
    for k in kernels:
        for s in range(quarter):
            i0, i1 = rows[s], rows[quarter + s]
            i2, i3 = rows[2 * quarter + s], rows[3 * quarter + s]
            k0, k1, k2, k3 = K[k, i0], K[k, i1], K[k, i2], K[k, i3]
            for u in range(beta.shape[0]):
                b0, b1, b2, b3 = beta[u, i0], beta[u, i1], beta[u, i2], beta[u, i3]
                acc = out[u, k]
                for j in range(n):
                    acc[j] += b0 * k0[j] + b1 * k1[j] + b2 * k2[j] + b3 * k3[j]
        for s in range(4 * quarter, r):
            i0 = rows[s]
            k0 = K[k, i0]
            for u in range(beta.shape[0]):
                b0 = beta[u, i0]
                acc = out[u, k]
                for j in range(n):
                    acc[j] += b0 * k0[j]


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dot_columns(K: FloatArray, beta: Floats, cols: Indices, out: Floats) -> None:
    """Write ``out[u, k, i] = sum_{j in cols} beta[u, j] * K[k, i, j]``, for rectangular kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n_rows, n_cols)
    beta : ndarray of shape (u, n_cols), float64
    cols : ndarray of shape (c,), integer
        Where some ``beta[:, j]`` differs from 0.
    out : ndarray of shape (u, n_kernels, n_rows), float64
        Modified in place.
    """
    m, n_rows, _ = K.shape
    for k in range(m):
        for i in range(n_rows):
            row = K[k, i]
            for u in range(beta.shape[0]):
                total = 0.0
                for s in range(cols.size):
                    total += beta[u, cols[s]] * row[cols[s]]
                out[u, k, i] = total


@njit(**_JIT, fastmath={"contract", "reassoc"})
def quadratic_forms(
    K: FloatArray, beta: Floats, kernels: Indices, support: Indices, out: Floats
) -> None:
    """Write ``out[k] = sum_u beta_u' K_k beta_u`` for some kernels.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
    beta : ndarray of shape (u, n), float64
    kernels : ndarray of shape (s,), integer
    support : ndarray of shape (r,), integer
        Where some ``beta[:, i]`` differs from 0.
    out : ndarray of shape (n_kernels,), float64
        Modified in place.
    """
    for k in kernels:
        total = 0.0
        for i in support:
            row = K[k, i]
            for u in range(beta.shape[0]):
                product = 0.0
                for j in support:
                    product += beta[u, j] * row[j]
                total += beta[u, i] * product
        out[k] = total


@njit(**_JIT, fastmath={"contract"})
def sum_features(
    squares: FloatArray,
    start: NDArray[np.int64],
    features: NDArray[np.int32],
    gamma: FloatArray,
    kernels: Indices,
    out: FloatArray,
) -> None:
    """Write ``out[s] = -gamma[k] * sum_f squares[f]`` over the features f of kernel k.

    Parameters
    ----------
    squares : ndarray of shape (n_features, n_pairs), float32
    start : ndarray of shape (n_kernels + 1,), integer
    features : ndarray of shape (start[-1],), integer
        Those of kernel k are ``features[start[k] : start[k + 1]]``.
    gamma : ndarray of shape (n_kernels,), float32
    kernels : ndarray of shape (s,), integer
    out : ndarray of shape (s, n_pairs), float32
        Modified in place.
    """
    for s in range(kernels.size):
        k = kernels[s]
        target = out[s]
        first, stop = start[k], start[k + 1]
        square = squares[features[first]]
        for t in range(target.size):
            target[t] = -gamma[k] * square[t]
        for position in range(first + 1, stop):
            square = squares[features[position]]
            for t in range(target.size):
                target[t] -= gamma[k] * square[t]


@njit(**_JIT, fastmath={"contract"})
def add_weighted(values: FloatArray, weights: Floats, out: Floats) -> None:
    """Do ``out += weights @ values`` in double precision, for values (s, n_pairs)."""
    for s in range(weights.size):
        w, row = weights[s], values[s]
        for t in range(out.size):
            out[t] += w * row[t]


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dot_weighted(values: FloatArray, weights: Floats, out: Floats) -> None:
    """Write ``out = values @ weights`` in double precision, for values (s, n_pairs)."""
    for s in range(out.size):
        row = values[s]
        total = 0.0
        for t in range(weights.size):
            total += weights[t] * row[t]
        out[s] = total


@njit(**_JIT)
def gram_defects(K: FloatArray, rtol: float) -> tuple[int, int, int, int, float]:
    """Find the first reason why some ``K[k]`` cannot be a Gram matrix, in one pass.

    A positive semi-definite matrix has no negative 2x2 principal minor: ``K_ij**2 <= K_ii * K_jj``.

    Parameters
    ----------
    K : ndarray of shape (n_kernels, n, n)
    rtol : float
        Tolerance relative to the largest absolute diagonal entry of the kernel.

    Returns
    -------
    status, k, i, j, value : tuple
        `status` is FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL or NEGATIVE_MINOR; `value` is
        the offending number (the difference ``K_ij - K_ji`` for ASYMMETRIC).
    """
    m, n, _ = K.shape
    mirror = np.empty((_BLOCK, _BLOCK))
    limit = np.empty(n)
    for k in range(m):
        Kk = K[k]
        scale = 0.0
        for i in range(n):
            if not np.isfinite(Kk[i, i]):
                return NOT_FINITE, k, i, i, np.float64(Kk[i, i])
            scale = max(scale, abs(np.float64(Kk[i, i])))
        for i in range(n):
            if Kk[i, i] < -rtol * scale:
                return NEGATIVE_DIAGONAL, k, i, i, np.float64(Kk[i, i])
        slack = rtol * scale
        for i in range(n):
            limit[i] = np.float64(Kk[i, i]) + slack
        for i0 in range(0, n, _BLOCK):
            i1 = min(i0 + _BLOCK, n)
            for j0 in range(i0, n, _BLOCK):
                width = min(_BLOCK, n - j0)
                # A tile of the other triangle, turned round in cache, so that both are read along
                # rows; only a tile with a defect is searched.
                for j in range(width):
                    other = Kk[j0 + j, i0:i1]
                    for i in range(i1 - i0):
                        mirror[i, j] = other[i]
                good = 0
                for i in range(i0, i1):
                    row, turned = Kk[i, j0 : j0 + width], mirror[i - i0, :width]
                    bound, kii = limit[j0 : j0 + width], limit[i]
                    for j in range(width):
                        x = np.float64(row[j])
                        fine = (abs(x - turned[j]) <= slack) & (x * x <= kii * bound[j])
                        good += 1 if fine else 0
                bad = good < width * (i1 - i0)
                j1 = j0 + width
                if bad:
                    for i in range(i0, i1):
                        kii = np.float64(Kk[i, i]) + slack
                        for j in range(max(j0, i + 1), j1):
                            a = np.float64(Kk[i, j])
                            b = np.float64(Kk[j, i])
                            if not np.isfinite(a):
                                return NOT_FINITE, k, i, j, a
                            if not np.isfinite(b):
                                return NOT_FINITE, k, j, i, b
                            if abs(a - b) > slack:
                                return ASYMMETRIC, k, i, j, a - b
                            if a * a > kii * (np.float64(Kk[j, j]) + slack):
                                return NEGATIVE_MINOR, k, i, j, a
    return FINE, -1, -1, -1, 0.0


def kernel_major(
    grams: Sequence[ArrayLike] | NDArray[Any],
    names: Sequence[str] | None = None,
    argument: str = "grams",
) -> FloatArray:
    """Bring what a user holds into one contiguous array, copying at most once.

    Parameters
    ----------
    grams : sequence of m array-likes of shape (n_rows, n_cols), or ndarray of shape \
            (n_rows, n_cols, m) or (n_rows, n_cols)
        Nothing is copied when it already lies in memory as (m, n_rows, n_cols) does.
    names : sequence of m str, default=None
        For messages.
    argument : str, default="grams"
        For messages: what the user calls `grams`.

    Returns
    -------
    ndarray of shape (m, n_rows, n_cols)
        ``float32`` if every kernel is, otherwise ``float64``.

    Raises
    ------
    ValueError, TypeError
        Empty, not numeric, of different sizes, or not finite.
    """
    array = _one_array(grams, argument, lambda k: label_of(k, names, argument))
    _check_not_empty(array.shape, argument)
    for k, gram in enumerate(array):
        check_finite(gram, label_of(k, names, argument))
    return array


def matrices_from(
    grams: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str] | None, argument: str
) -> list[NDArray[Any]]:
    """Return the kernels (n_rows, n_cols) that a user holds as they are, without reading them.

    Parameters
    ----------
    grams, names, argument
        As for `kernel_major`, which see for what is raised too.

    Returns
    -------
    list of m ndarray of shape (n_rows, n_cols)
    """
    if isinstance(grams, list | tuple):
        arrays = [_numbers(g, label_of(k, names, argument)) for k, g in enumerate(grams)]
        _check_matrices(arrays, lambda k: label_of(k, names, argument))
    else:
        array = _three_axes(_numbers(grams, argument), argument)
        arrays = [array[:, :, k] for k in range(array.shape[2])]
    _check_not_empty((len(arrays), *(arrays[0].shape if arrays else ())), argument)
    return arrays


def label_of(k: int, names: Sequence[str] | None, argument: str) -> str:
    """Return what to call kernel k in messages."""
    known = names is not None and k < len(names)
    return f"{argument}[{k}] ({names[k]!r})" if names and known else f"{argument}[{k}]"


def _check_not_empty(shape: tuple[int, ...], argument: str) -> None:
    if 0 in shape:
        raise ValueError(
            f"{argument} holds {shape[0]} kernels of shape {shape[1:]}; expected at "
            "least one kernel, with at least one row and one column."
        )


def refuse_no_kernels(grams: Any, argument: str) -> None:
    """Refuse what cannot hold Gram matrices, of which NumPy would make an array of one object."""
    expected = "expected Gram matrices: a list of arrays (n_rows, n_cols), or a KernelStack"
    if isinstance(grams, Iterator):
        raise TypeError(
            f"{argument} is a {type(grams).__name__}, which can be read once only; {expected}. "
            "list(...) makes a list of it."
        )
    if not _is_array_like(grams) or isinstance(grams, np.generic):
        plain = grams is None or np.isscalar(grams)
        remedy = " Of samples, a ColumnKernelizer in front of it, in a Pipeline, makes kernels"
        if hasattr(grams, "obs_names"):
            remedy += ", such as of adata.to_df() of AnnData"
        raise TypeError(
            f"{argument} is {shown(grams) if plain else f'a {type(grams).__name__}'}; {expected}."
            f"{'' if plain else f'{remedy}.'}"
        )


def _is_array_like(data: Any) -> bool:
    """Whether NumPy may ask for the items: of other objects there may be no end of them."""
    sequence = isinstance(data, Sequence | dict) and not isinstance(data, str | bytes)
    return sequence or hasattr(data, "__array__") or getattr(data, "ndim", 0) > 0


def _one_array(grams: Any, argument: str, label: Callable[[int], str]) -> FloatArray:
    refuse_no_kernels(grams, argument)
    if isinstance(grams, list | tuple):
        if len(grams) == 0:
            raise ValueError(f"{argument} is empty; expected at least one kernel.")
        if not is_matrix_of_lists(grams):
            return _stack_list([_numbers(g, label(k)) for k, g in enumerate(grams)], label)
    array = _three_axes(_numbers(grams, argument), argument)
    return np.ascontiguousarray(np.moveaxis(array, -1, 0), dtype=float_type([array]))


def _three_axes(array: NDArray[Any], argument: str) -> NDArray[Any]:
    """Return one kernel, or several, with the kernels last."""
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3:
        raise ValueError(
            f"{argument} has shape {array.shape}; expected a list of arrays (n_rows, n_cols), or "
            "one array (n_rows, n_cols, n_kernels)."
        )
    return array


def is_matrix_of_lists(rows: Sequence[Any]) -> bool:
    """Whether this is one matrix written down as a list of rows."""
    return all(
        isinstance(row, list | tuple) and (len(row) == 0 or np.isscalar(row[0])) for row in rows
    )


def _check_matrices(grams: list[NDArray[Any]], label: Callable[[int], str]) -> None:
    for k, gram in enumerate(grams):
        if gram.ndim != 2:
            raise ValueError(
                f"{label(k)} has shape {gram.shape}; expected a matrix (n_rows, n_cols)."
            )
        if gram.shape != grams[0].shape:
            raise ValueError(
                f"{label(k)} has shape {gram.shape}, but {label(0)} has shape {grams[0].shape}; "
                "expected all kernels between the same samples."
            )


def _stack_list(grams: list[NDArray[Any]], label: Callable[[int], str]) -> FloatArray:
    _check_matrices(grams, label)
    dtype = float_type(grams)
    if len(grams) == 1:
        return np.ascontiguousarray(grams[0], dtype=dtype)[np.newaxis]
    if _are_contiguous(grams, dtype):
        strides = (grams[0].nbytes, *grams[0].strides)
        return np.lib.stride_tricks.as_strided(grams[0], (len(grams), *grams[0].shape), strides)
    array = np.empty((len(grams), *grams[0].shape), dtype=dtype)
    for target, gram in zip(array, grams, strict=True):
        target[...] = gram
    return array


def _are_contiguous(grams: list[NDArray[Any]], dtype: type[np.floating[Any]]) -> bool:
    """Whether these are the parts ``list(array)`` of one kernel-major array, in their order."""
    first = grams[0]
    return first.base is not None and all(
        gram.base is first.base
        and gram.dtype == dtype
        and gram.flags.c_contiguous
        and gram.ctypes.data == first.ctypes.data + k * first.nbytes
        for k, gram in enumerate(grams)
    )


def _numbers(values: Any, label: str) -> NDArray[Any]:
    """Return `values` as an array of real numbers, without copying one that is."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"{label} is a sparse {type(values).__name__}; expected a dense array: kernels are "
            "stored densely, pass `.toarray()`."
        )
    refuse_masked(values, label)
    if hasattr(values, "__getitem__") and not _is_array_like(values):
        raise TypeError(f"{label} is a {type(values).__name__}; expected an array of real numbers.")
    try:
        array = np.asarray(values)
    except ValueError as error:  # ragged
        raise ValueError(f"{label} is not a rectangular array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{label} has dtype {array.dtype}; expected real numbers (convert it with "
            "`.astype(float)` if that is what it holds)."
        )
    return array


def refuse_masked(values: Any, label: str) -> None:
    """Refuse a masked array in which something is masked: kernels have no gaps."""
    if np.ma.is_masked(values):
        raise ValueError(
            f"{label} has {np.ma.count_masked(values)} masked entries; expected a number in all "
            "of them: kernels have no gaps."
        )


def float_type(arrays: Sequence[NDArray[Any]]) -> type[np.floating[Any]]:
    """Return ``float32`` if all arrays are, otherwise ``float64``."""
    return np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64


def check_finite(values: NDArray[Any], label: str) -> None:
    """Refuse NaN and infinity, reading the matrix once and copying nothing if it is finite."""
    with np.errstate(all="ignore"):
        # A NaN or an infinity survives the sum; a sum of finite numbers may overflow, which
        # is why a sum that is not finite proves nothing.
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        i, j = bad[0]
        raise ValueError(
            f"{label} contains {values[i, j]} at row {i}, column {j}; expected finite numbers."
        )
