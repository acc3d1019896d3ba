"""Kernels that were computed before, looked up by the samples' ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from types import EllipsisType
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.spatial.distance import squareform

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Indices
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._projected import ProjectedKernel
from mkfusion.stack import GRAM_RTOL, place_in_file, reopen

_TILE = 512
_MAX_SHOWN = 5

# Matrices that were checked, by the parameter that held them and their identity, as long as they
# are there: a search fits the same one many times.
_checked: WeakValueDictionary[tuple[str, int], Any] = WeakValueDictionary()


class LookedUpKernel(Kernel):
    """A matrix between samples as a kernel of the ids of its rows."""

    ids: Sequence[Hashable] | None
    name: str
    # The parameter that holds the matrix
    _matrix_name = "gram"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Rows:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"name is {shown(self.name)}; expected a string that is not empty.")
        held, argument = self._held_matrix(), self._matrix_name
        table = _as_matrix(held, argument)
        ids = _as_ids(held, self.ids, len(table), argument)
        key = argument, id(held)
        if _checked.get(key) is not held:
            self._check_matrix(table, ids)
            _checked[key] = held
        self._remember(table, ids)
        return self._look_up(X)

    def _held_matrix(self) -> Any:
        return getattr(self, self._matrix_name)

    def _check_matrix(self, table: NDArray[Any], ids: list[Hashable]) -> None:
        """Refuse a matrix that is no Gram matrix."""
        _refuse_divided_by_zero(table, ids)
        size = np.abs(np.diagonal(table).astype(np.float64))
        check_symmetric(table, ids, self._matrix_name, largest_finite(size))

    def _remember(self, table: NDArray[Any], ids: list[Hashable]) -> None:
        self._table, self.ids_ = table, ids
        self._positions = {one: position for position, one in enumerate(ids)}

    def _prepare(self, X: Any) -> Rows:
        return self._look_up(X)

    def _look_up(self, X: Any) -> Rows:
        asked = _as_column(X, "X")
        if not asked:
            raise ValueError("Found array with 0 sample(s); expected the ids of some.")
        try:
            unknown = [one for one in asked if one not in self._positions]
        except TypeError as error:
            raise TypeError(f"X has something that is no id: {error}.") from error
        if unknown:
            argument = self._matrix_name
            raise ValueError(
                f"X has ids that {argument} has not: {_listed(unknown)}; {argument} has "
                f"{_listed(self.ids_)}."
            )
        single = self._table.dtype == np.float32
        positions = np.array([self._positions[one] for one in asked], dtype=np.intp)
        return Rows(positions, np.dtype(np.float32 if single else np.float64))

    def _evaluate(self, samples: Rows, others: Rows | None = None) -> FloatArray:
        cols = samples if others is None else others
        block = self._table[np.ix_(samples.positions, cols.positions)]
        return block.astype(samples.dtype, copy=False)

    def _diagonal(self, samples: Rows) -> NDArray[np.float64]:
        return self._table[samples.positions, samples.positions].astype(np.float64)

    def _label(self) -> str:
        return self.name

    def __sklearn_clone__(self) -> Self:
        # Parameters are copied otherwise, in every fold and for every candidate of a search.
        shared = {name: getattr(self, name) for name in (self._matrix_name, "ids")}
        bare = type(self)(**self.get_params(deep=False) | dict.fromkeys(shared))
        copy: Self = super(LookedUpKernel, bare).__sklearn_clone__()
        return copy.set_params(**shared)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_table", "_positions"):  # found again in the others
            state.pop(name, None)
        held = self._held_matrix()
        place = place_in_file(held) if isinstance(held, np.ndarray) else None
        return state | {self._matrix_name: held if place is None else place}

    def __setstate__(self, state: dict[str, Any]) -> None:
        held = state[self._matrix_name]
        if isinstance(held, tuple):
            state = state | {self._matrix_name: reopen(*held)}
        super().__setstate__(state)
        if "ids_" in state:
            self._remember(_as_matrix(self._held_matrix(), self._matrix_name), self.ids_)


class PrecomputedKernel(ProjectedKernel, LookedUpKernel):
    """A Gram matrix that was computed before, looked up by the ids of samples.

    For kernels that take hours: the matrix between all samples is computed once, and X holds the
    samples' ids (a column, or a modality). Whatever splits X (nested cross-validation, stacking,
    calibration, bagging) then finds the right rows and columns, where slices of the matrix itself
    go wrong, some of them silently. Bagging and one-versus-one make an array of X first: let the
    ids be numbers for them, and ask for their column by its position.

    Samples to predict need to be in the matrix too. An entry should depend on its two samples only:
    a matrix that was centred, or whose kernel learned a width from all samples, has seen those that
    are held out. Let :class:`~mkfusion.ColumnKernelizer` centre and normalise it.

    Parameters
    ----------
    gram : ndarray, memmap, DataFrame or matrix of scikit-bio of shape (n, n)
        Symmetric, of real numbers; only what is asked for is read, and float32 stays float32.
        Clones share it. A memory-mapped one is pickled as the name of its file.
    ids : array-like of shape (n,), default=None
        The ids of its rows, in their order, strings or integers without repetition. By default the
        index of a DataFrame, whose columns must be the same, the ids of scikit-bio's matrices, and
        0, 1, ..., n - 1 of an array.
    project_psd : bool, "clip" or "shift", default=False
        Similarities such as alignment scores need not be positive semi-definite, and machines that
        need them to be refuse training samples between which they are not. True or "clip" replaces
        the matrix between the training samples by the nearest one that is, "shift" adds to its
        diagonal; new samples are treated consistently.
    name : str, default="precomputed"
        What to call it in a stack.

    Attributes
    ----------
    ids_ : list
        The ids of the rows.
    shift_ : float
        What "shift" adds to the diagonal.
    negative_share_ : float
        The sum of the negative eigenvalues between training samples by that of all, without their
        signs; only where `project_psd` is.

    See Also
    --------
    DistanceKernel : For a matrix of distances.

    References
    ----------
    Chen, Garcia, Gupta, Rahimi and Cazzanti, "Similarity-based classification: concepts and
    algorithms", JMLR 10, 2009, section 4: the projections.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import PrecomputedKernel
    >>> gram = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    >>> kernel = PrecomputedKernel(gram, ids=["anna", "ben", "cleo"]).fit(["anna", "cleo"])
    >>> kernel(["ben"], ["anna", "cleo"])
    array([[1., 1.]])
    >>> kernel.diag(["cleo"])
    array([2.])
    """

    def __init__(
        self,
        gram: Any,
        ids: Sequence[Hashable] | None = None,
        *,
        project_psd: bool | str = False,
        name: str = "precomputed",
    ) -> None:
        self.gram = gram
        self.ids = ids
        self.project_psd = project_psd
        self.name = name


class Rows:
    """Where samples are in a matrix, as scikit-learn can index them.

    Parameters
    ----------
    positions : ndarray of shape (n_samples,), integer
    dtype : numpy.dtype
        What the values are returned in: float32 or float64.
    """

    def __init__(self, positions: Indices, dtype: np.dtype[Any]) -> None:
        self.positions = positions
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int]:
        return (len(self.positions),)

    def __getitem__(self, rows: Any | tuple[Any, EllipsisType]) -> Rows:
        if isinstance(rows, tuple):
            rows = rows[0]  # how scikit-learn indexes what has a shape
        return Rows(self.positions[rows], self.dtype)


def _as_matrix(held: Any, argument: str) -> NDArray[Any]:
    """Return the matrix that was given, in its memory where it is square there."""
    with_ids = _is_with_ids(held)
    if not with_ids and not isinstance(held, np.ndarray) and not _is_frame(held):
        raise TypeError(
            f"{argument} is a {type(held).__name__}; expected a square array or DataFrame between "
            "all samples, or a DistanceMatrix of scikit-bio."
        )
    if np.ma.is_masked(held):
        raise ValueError(
            f"{argument} has {np.ma.count_masked(held)} masked entries; expected a number in all "
            "of them."
        )
    table = np.asarray(held.data if with_ids else held)
    if with_ids and table.ndim == 1:
        table = squareform(table)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) == 0:
        raise ValueError(
            f"{argument} has shape {table.shape}; expected a square matrix between all samples."
        )
    if table.dtype.kind not in "fiub":
        raise TypeError(f"{argument} has the dtype {table.dtype}; expected real numbers.")
    return table


def _is_frame(held: Any) -> bool:
    return hasattr(held, "columns") and hasattr(held, "index")


def _is_with_ids(held: Any) -> bool:
    """Whether it is a matrix of scikit-bio's kind, square or, in newer versions, condensed."""
    return not _is_frame(held) and hasattr(held, "ids") and hasattr(held, "data")


def _as_ids(held: Any, ids: Any, size: int, argument: str) -> list[Hashable]:
    """Return the ids of the rows."""
    if _is_frame(held):
        found, source = held.index.tolist(), f"the index of {argument}"
        if found != held.columns.tolist():
            raise ValueError(
                f"{argument} has other columns than rows; expected the same labels in the same "
                f"order, as in {argument}.loc[ids, ids]."
            )
    elif _is_with_ids(held):
        found, source = list(held.ids), f"the ids of {argument}"
    else:
        found, source = list(range(size)) if ids is None else _as_column(ids, "ids"), "ids"
    if ids is not None and source != "ids":
        kind = "DataFrame" if _is_frame(held) else type(held).__name__
        where = "in its index" if _is_frame(held) else "that it has itself"
        raise ValueError(f"ids is given, but {argument} is a {kind}: expected ids {where}.")
    if len(found) != size:
        raise ValueError(
            f"ids has length {len(found)}; expected {size}, one for each row of {argument}."
        )
    try:
        repeated = [one for one, count in Counter(found).items() if count > 1]
    except TypeError as error:
        raise TypeError(f"{source} has something that is no id: {error}.") from error
    if repeated:
        raise ValueError(f"{source} has {_listed(repeated)} more than once; expected unique ids.")
    return found


def _as_column(values: Any, name: str) -> list[Any]:
    """Return ids that may stand in a column of a table."""
    if isinstance(values, str | bytes) or issparse(values) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} is a {type(values).__name__}; expected a list of ids.")
    if isinstance(values, list | tuple):
        return list(values)
    column = np.asarray(values)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise ValueError(f"{name} has shape {column.shape}; expected one column of ids.")
    return column.tolist()


def _listed(ids: Sequence[Any]) -> str:
    listed = ", ".join(shown(one) for one in ids[:_MAX_SHOWN])
    return listed if len(ids) <= _MAX_SHOWN else f"{listed}, ... ({len(ids)} in all)"


def largest_finite(values: NDArray[Any]) -> float:
    """Return the largest of the numbers that are finite, or 0."""
    return float(np.max(values, where=np.isfinite(values), initial=0.0))


def check_symmetric(
    table: NDArray[Any], ids: Sequence[Hashable], argument: str, size: float
) -> None:
    """Refuse entries that are not finite or differ from their mirror image.

    Parameters
    ----------
    table : ndarray of shape (n, n)
    ids : sequence of length n
        What to call its rows in messages.
    argument : str
        What to call the table.
    size : float
        Differences are rounding up to a small share of it.
    """
    n = len(table)
    slack = rounding_of(table) * size
    for i in range(0, n, _TILE):
        for j in range(i, n, _TILE):
            tile = table[i : i + _TILE, j : j + _TILE].astype(np.float64)
            mirror = table[j : j + _TILE, i : i + _TILE].astype(np.float64).T
            finite = np.isfinite(tile) & np.isfinite(mirror)
            with np.errstate(invalid="ignore"):
                wrong = ~finite | (np.abs(tile - mirror) > slack)
            if wrong.any():
                row, col = np.argwhere(wrong)[0]
                a, b = shown(ids[i + row]), shown(ids[j + col])
                raise ValueError(
                    f"{argument} has {tile[row, col]:.6g} between {a} and {b}, and "
                    f"{mirror[row, col]:.6g} between {b} and {a}; expected finite numbers and a "
                    "symmetric matrix."
                )


def rounding_of(table: NDArray[Any]) -> float:
    """Return the share of its size by which a matrix may be wrong."""
    return GRAM_RTOL.get(table.dtype, GRAM_RTOL[np.dtype(np.float64)])


def _refuse_divided_by_zero(table: NDArray[Any], ids: Sequence[Hashable]) -> None:
    """Say what happened where samples with k(x, x) = 0 were divided by its root."""
    if table.dtype.kind != "f":
        return
    suspected = np.flatnonzero(np.isnan(np.diagonal(table))).tolist()
    lost = [i for i in suspected if np.isnan(table[i]).all()]
    if lost and len(lost) < len(table):
        raise ValueError(
            f"gram has NaN only between {_listed([ids[i] for i in lost])} and every sample, as "
            "where a kernel with k(x, x) = 0 is divided by its root (GraKeL's normalize=True and "
            "graphs without an edge or a label); expected finite numbers. Compute the matrix "
            'without normalisation, and let ColumnKernelizer(normalize="cosine") do it, which '
            "leaves such samples at 0."
        )
