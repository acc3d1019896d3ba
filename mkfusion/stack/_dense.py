"""Kernels in one contiguous kernel-major array: compiled loops, and how users' arrays get there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.utils import gen_batches

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats, Indices

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_BLOCK = 64
# Numbers that fit in a core's own cache beside what streams through it.
_CACHED = 2**15
# Below such a share of the columns, one part in so many, these are picked one by one.
_FEW = 2

FINE, NOT_FINITE, ASYMMETRIC, NEGATIVE_DIAGONAL, NEGATIVE_MINOR = range(5)


# Where m matrices of the same size lie, side by side or not: ``(flat, start, stride, n_cols)`` such
# that entry (i, j) of matrix k is ``flat[start[k] + i * stride[k] + j]``. `flat` is all memory from
# the first number of any matrix to the last one of any, what lies between them too, which is not
# theirs: not to be looked at elsewhere. A plain tuple, as some versions of Numba take named ones of
# float32 for those of float64 that they saw before.
Layout: TypeAlias = tuple[FloatArray, NDArray[np.int64], NDArray[np.int64], int]


@njit(**_JIT)
def row_of(K: Layout, k: int, i: int) -> FloatArray:
    """Return row i of matrix k."""
    flat, start, stride, n_cols = K
    first = start[k] + i * stride[k]
    return flat[first : first + n_cols]


@njit(**_JIT, fastmath={"contract"})
def _combine(K: Layout, weights: Floats, kernels: Indices, rows: Indices, out: Floats) -> None:
    m, n = kernels.size, K[3]
    out[:] = 0.0
    # Four kernels at a time: the sums are loaded and stored a quarter as often.
    for s in range(0, m - 3, 4):
        a, b, c, d = kernels[s], kernels[s + 1], kernels[s + 2], kernels[s + 3]
        wa, wb, wc, wd = weights[a], weights[b], weights[c], weights[d]
        for r in range(rows.size):
            i = rows[r]
            acc = out[r]
            ka, kb, kc, kd = row_of(K, a, i), row_of(K, b, i), row_of(K, c, i), row_of(K, d, i)
            for j in range(n):
                acc[j] += wa * ka[j] + wb * kb[j] + wc * kc[j] + wd * kd[j]
    for s in range(m - m % 4, m):
        w = weights[kernels[s]]
        for r in range(rows.size):
            acc = out[r]
            row = row_of(K, kernels[s], rows[r])
            for j in range(n):
                acc[j] += w * row[j]


@njit(**_JIT)
def combine_rows(K: Layout, weights: Floats, kernels: Indices, rows: Indices, out: Floats) -> None:
    """Write ``out[r] = sum_{k in kernels} weights[k] * K[k, rows[r]]``.

    Parameters
    ----------
    K : Layout
        Of matrices (n_rows, n_cols).
    weights : ndarray of shape (n_kernels,), float64
    kernels : ndarray of shape (s,), integer
        The kernels to read.
    rows : ndarray of shape (r,), integer
        Fastest in ascending order.
    out : ndarray of shape (r, n_cols), float64
        Modified in place.
    """
    # Several rows of a kernel in turn, as long as their sums stay in the cache.
    batch = max(1, _CACHED // max(K[3], 1))
    for start in range(0, rows.size, batch):
        some = rows[start : start + batch]
        _combine(K, weights, kernels, some, out[start : start + batch])


@njit(**_JIT, fastmath={"contract"})
def combine_block(
    K: Layout, weights: Floats, kernels: Indices, rows: Indices, cols: Indices, out: Floats
) -> None:
    """Write ``out[r, c] = sum_{k in kernels} weights[k] * K[k, rows[r], cols[c]]``.

    Parameters
    ----------
    K : Layout
        Of matrices (n_rows, n_cols).
    weights : ndarray of shape (n_kernels,), float64
    kernels, rows, cols : ndarray of shape (s,), (r,) and (c,), integer
        What to read.
    out : ndarray of shape (r, c), float64
        Modified in place.
    """
    n = K[3]
    if _FEW * cols.size < n:
        out[:] = 0.0
        for r in range(rows.size):
            acc = out[r]
            for k in kernels:
                w = weights[k]
                row = row_of(K, k, rows[r])
                for c in range(cols.size):
                    acc[c] += w * row[cols[c]]
        return
    # Most columns: memory is read whole anyway, and sums along rows are vectorised.
    batch = max(1, _CACHED // n)
    whole = np.empty((min(batch, rows.size), n))
    for start in range(0, rows.size, batch):
        some = rows[start : start + batch]
        _combine(K, weights, kernels, some, whole[: some.size])
        for r in range(some.size):
            target, row = out[start + r], whole[r]
            for c in range(cols.size):
                target[c] = row[cols[c]]


@njit(**_JIT)
def take_block(K: Layout, kernels: Indices, rows: Indices, cols: Indices, out: FloatArray) -> None:
    """Write ``out[s, r, c] = K[kernels[s], rows[r], cols[c]]``.

    Parameters
    ----------
    K : Layout
    kernels, rows, cols : ndarray of shape (s,), (r,) and (c,), integer
    out : ndarray of shape (s, r, c), of the same type as K
        Modified in place.
    """
    for s in range(kernels.size):
        for r in range(rows.size):
            row = row_of(K, kernels[s], rows[r])
            target = out[s, r]
            for c in range(cols.size):
                target[c] = row[cols[c]]


@njit(**_JIT, fastmath={"contract"})
def _add_rows(K: Layout, k: int, rows: Indices, beta: Floats, out: Floats, place: int) -> None:
    """Add ``sum_r beta[u, r] * K[k, rows[r]]`` to ``out[u, place]``."""
    n = K[3]
    r = rows.size
    # Four rows at a time, far apart: four long streams through memory are fetched ahead better than
    # one cut into short pieces.
    quarter = r // 4
    for s in range(quarter):
        s1, s2, s3 = quarter + s, 2 * quarter + s, 3 * quarter + s
        k0, k1 = row_of(K, k, rows[s]), row_of(K, k, rows[s1])
        k2, k3 = row_of(K, k, rows[s2]), row_of(K, k, rows[s3])
        for u in range(beta.shape[0]):
            b0, b1, b2, b3 = beta[u, s], beta[u, s1], beta[u, s2], beta[u, s3]
            acc = out[u, place]
            for j in range(n):
                acc[j] += b0 * k0[j] + b1 * k1[j] + b2 * k2[j] + b3 * k3[j]
    for s in range(4 * quarter, r):
        k0 = row_of(K, k, rows[s])
        for u in range(beta.shape[0]):
            b0 = beta[u, s]
            acc = out[u, place]
            for j in range(n):
                acc[j] += b0 * k0[j]


@njit(**_JIT)
def add_dot_rows(K: Layout, beta: Floats, kernels: Indices, rows: Indices, out: Floats) -> None:
    """Add ``sum_r beta[u, r] * K[k, rows[r]]`` to ``out[u, k]``: products of symmetric kernels.

    Parameters
    ----------
    K : Layout
        Of Gram matrices (n, n), read along rows.
    beta : ndarray of shape (u, r), float64
    kernels : ndarray of shape (s,), integer
        The kernels k to read.
    rows : ndarray of shape (r,), integer
    out : ndarray of shape (u, n_kernels, n), float64
        Modified in place.
    """
    for k in kernels:
        _add_rows(K, k, rows, beta, out, k)


@njit(**_JIT, fastmath={"contract"})
def add_dot_block(
    K: Layout, beta: Floats, kernels: Indices, rows: Indices, cols: Indices, out: Floats
) -> None:
    """Add ``sum_r beta[u, r] * K[k, rows[r], cols[c]]`` to ``out[u, k, c]``.

    As `add_dot_rows`, for a part of the columns.
    """
    if _FEW * cols.size < K[3]:
        for k in kernels:
            for r in range(rows.size):
                row = row_of(K, k, rows[r])
                for u in range(beta.shape[0]):
                    acc, b = out[u, k], beta[u, r]
                    for c in range(cols.size):
                        acc[c] += b * row[cols[c]]
        return
    whole = np.empty((beta.shape[0], 1, K[3]))
    for k in kernels:
        whole[:] = 0.0
        _add_rows(K, k, rows, beta, whole, 0)
        for u in range(beta.shape[0]):
            acc, total = out[u, k], whole[u, 0]
            for c in range(cols.size):
                acc[c] += total[cols[c]]


@njit(**_JIT, fastmath={"contract", "reassoc"})
def dot_columns(K: Layout, beta: Floats, rows: Indices, cols: Indices, out: Floats) -> None:
    """Write ``out[u, k, r] = sum_c beta[u, c] * K[k, rows[r], cols[c]]``, for rectangular kernels.

    Parameters
    ----------
    K : Layout
    beta : ndarray of shape (u, c), float64
    rows, cols : ndarray of shape (r,) and (c,), integer
    out : ndarray of shape (u, n_kernels, r), float64
        Modified in place.
    """
    for k in range(K[1].size):
        for r in range(rows.size):
            row = row_of(K, k, rows[r])
            for u in range(beta.shape[0]):
                total = 0.0
                for c in range(cols.size):
                    total += beta[u, c] * row[cols[c]]
                out[u, k, r] = total


@njit(**_JIT, fastmath={"contract", "reassoc"})
def quadratic_forms(
    K: Layout, beta: Floats, kernels: Indices, rows: Indices, cols: Indices, out: Floats
) -> None:
    """Write ``out[k] = sum_u beta_u' K_k[rows, cols] beta_u`` for some kernels.

    Parameters
    ----------
    K : Layout
    beta : ndarray of shape (u, r), float64
    kernels : ndarray of shape (s,), integer
    rows, cols : ndarray of shape (r,), integer
    out : ndarray of shape (n_kernels,), float64
        Modified in place.
    """
    for k in kernels:
        total = 0.0
        for r in range(rows.size):
            row = row_of(K, k, rows[r])
            for u in range(beta.shape[0]):
                product = 0.0
                for c in range(cols.size):
                    product += beta[u, c] * row[cols[c]]
                total += beta[u, r] * product
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


def add_scaled(values: FloatArray, weight: float, out: Floats) -> None:
    """Do ``out += weight * values`` on few enough rows at a time that products stay in cache."""
    for batch in gen_batches(len(out), max(1, _CACHED // max(1, out.shape[1]))):
        out[batch] += np.multiply(values[batch], weight, dtype=np.float64)


def dense_matrices(
    grams: Sequence[ArrayLike] | NDArray[Any],
    names: Sequence[str] | None = None,
    argument: str = "grams",
    *,
    read: bool = True,
) -> Sequence[FloatArray] | FloatArray:
    """Return the kernels that a user holds as matrices of one type with contiguous rows.

    Parameters
    ----------
    grams : sequence of m array-likes of shape (n_rows, n_cols), or ndarray of shape \
            (n_rows, n_cols, m) or (n_rows, n_cols)
        What has contiguous rows of the right type is not copied.
    names : sequence of m str, default=None
        For messages.
    argument : str, default="grams"
        For messages: what the user calls `grams`.
    read : bool, default=True
        Whether to refuse numbers that are not finite; never done where scikit-learn is told to
        assume that they are.

    Returns
    -------
    list of m ndarray of shape (n_rows, n_cols), or ndarray of shape (m, n_rows, n_cols)
        ``float32`` if every kernel is, otherwise ``float64``.

    Raises
    ------
    ValueError, TypeError
        Empty, not numeric, of different sizes, or not finite.
    """
    refuse_no_kernels(grams, argument)
    if isinstance(grams, list | tuple) and len(grams) == 0:
        raise ValueError(f"{argument} is empty; expected at least one kernel.")
    if isinstance(grams, list | tuple) and is_matrix_of_lists(grams):
        grams = _numbers(grams, argument)
    matrices: Sequence[NDArray[Any]] | NDArray[Any] = matrices_from(grams, names, argument)
    dtype = float_type(list(matrices))
    if isinstance(grams, list | tuple):
        matrices = [_with_contiguous_rows(one, dtype) for one in matrices]
    else:
        # Kernels last: one pass through memory for all of them, not one for each.
        array = np.moveaxis(_three_axes(_numbers(grams, argument), argument), -1, 0)
        fits = _has_contiguous_rows(array[0], dtype)
        matrices = array if fits else np.ascontiguousarray(array, dtype=dtype)
    if read and not get_config()["assume_finite"]:
        for k, gram in enumerate(matrices):
            check_finite(gram, label_of(k, names, argument))
    return matrices


def _with_contiguous_rows(matrix: NDArray[Any], dtype: type[np.floating[Any]]) -> FloatArray:
    fits = _has_contiguous_rows(matrix, dtype)
    return matrix if fits else np.ascontiguousarray(matrix, dtype=dtype)


def _has_contiguous_rows(matrix: NDArray[Any], dtype: type[np.floating[Any]]) -> bool:
    """Whether compiled loops can read a matrix where it lies."""
    along_rows, along_cols = matrix.strides
    return (
        matrix.dtype == dtype
        and matrix.flags.aligned
        and (along_cols == matrix.itemsize or matrix.shape[1] == 1)
        and along_rows >= 0
        and along_rows % matrix.itemsize == 0
    )


def matrices_from(
    grams: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str] | None, argument: str
) -> list[NDArray[Any]]:
    """Return the kernels (n_rows, n_cols) that a user holds as they are, without reading them.

    Parameters
    ----------
    grams, names, argument
        As for `dense_matrices`, which see for what is raised too.

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
