"""m aligned kernels as one object: the contract, and the kinds that it makes itself.

``KernelStack(...)``, its class methods, `take`, `select` and `materialize` return kinds of
`KernelStack`: one needs the other, so that they stand in one file, as in
:mod:`scipy.sparse.linalg`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils import gen_batches

from mkfusion._types import Features, FloatArray, Floats, Indices, Mask
from mkfusion.stack._checks import (
    as_index,
    check_names,
    check_one_kernel,
    check_vectors,
    complete_names,
    kernel_indices,
    split_key,
)
from mkfusion.stack._computed import add_dots, dots, gaussian_groups, of_each, only
from mkfusion.stack._dense import add_scaled, dense_matrices
from mkfusion.stack._file import any_mapped, mapped_views, read_stack, write_stack
from mkfusion.stack._gram import check_gram_kernels, look_at_matrices, sound_kernels
from mkfusion.stack._labels import Labels, check_alike, labels_of
from mkfusion.stack._look import few_samples, shares
from mkfusion.stack._low_rank import factor_views, features_of
from mkfusion.stack._memory import Matrices, Whole
from mkfusion.stack._views import View, compose, indexed, is_principal, row_batches, unless_all

_MAX_NAMES_IN_REPR = 6
# A diagonal is read off blocks of so many samples: few calls, and little that is thrown away.
_DIAGONAL = 32


class KernelStack:
    """Aligned kernels between the same row samples and the same column samples.

    It is to kernels what :class:`scipy.sparse.linalg.LinearOperator` is to matrices: the kernels
    are seen through a few operations, and may lie in memory or in a file, be given by features, or
    be computed when asked for (as those that :class:`~mkfusion.ColumnKernelizer` returns). A stack
    is never modified.

    Parameters
    ----------
    grams : list of m array-likes of shape (n_rows, n_cols), or ndarray of shape \
            (n_rows, n_cols, m) or (n_rows, n_cols)
        The kernels. Kernels come last in a single array, because scikit-learn's cross-validation
        slices the first two axes. Arrays of one type with contiguous rows are kept as they are,
        and must not be changed from then on; a single array that has the kernels last in memory
        too is copied. Memory-mapped arrays stay where they are, and are read when asked for.
    names : sequence of m str, default=None
        Unique names; ``kernel0``, ``kernel1``, ... by default.

    Attributes
    ----------
    shape : tuple of int
        ``(n_rows, n_cols, n_kernels)``.
    ndim : int
        Always 3.
    dtype : numpy.dtype
        ``float32`` if all kernels are, otherwise ``float64``.
    names : list of str
        The kernels' names.
    known_gram : ndarray of shape (m,), dtype=bool
        The kernels that need no test in :meth:`check_gram`: they have passed it, or are Gram
        matrices by their nature. What is taken from a stack remembers it, where rows and columns
        are the same samples.
    place : str
        Where the kernels are, for people.
    in_memory : bool
        Whether they are all there.
    rank : float or None
        How many numbers are kept for each sample, where all kernels are given by features.
    features : object or None
        Sums over these features, for solvers, where rows and columns are the same samples.
    index : pandas.Index or None
        The ids of the row samples, where kernels were given as DataFrames. Targets in another
        order are refused then. Files do not keep them.

    Raises
    ------
    ValueError, TypeError
        If there is no kernel, or one of them holds anything but finite numbers or differs in
        shape from the others.

    See Also
    --------
    mkfusion.testing.check_kernel_stack : Tests a stack of your own.

    Notes
    -----
    A subclass is a stack of another kind. It must have `shape` and :meth:`block`, and works with
    them alone. What it can say of itself better than by default it overrides: `dtype`
    (``float64``), `place`, `in_memory`, `rank`, `features`, and `names`, which
    ``super().__init__(names=...)`` sets; and what it does faster than block by
    block: :meth:`combine_into` and :meth:`add_dot`, which solvers call in their loops, or what
    public methods call with arguments that they have checked,

    - ``_take(rows, cols)`` and ``_select(which)``, stacks of some rows and columns (index arrays,
      or None for all) or of some kernels, without names;
    - ``_blocks(rows)``, an iterator over the values (r, n_cols) of every kernel on some rows;
    - ``_dot(beta)``, the products (u, m, n_rows) for beta (u, n_cols);
    - ``_quadratic(beta)``, the forms (m,) for beta (u, n), and ``_diagonal()``, (m, n);
    - ``_fill(array)``, which writes all kernels into an array (m, n_rows, n_cols).

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import KernelStack
    >>> X = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    >>> stack = KernelStack([X @ X.T, np.eye(3)], names=["linear", "identity"])
    >>> stack.shape
    (3, 3, 2)
    >>> stack.select("linear").combine([2.0])
    array([[2., 2., 0.],
           [2., 4., 4.],
           [0., 4., 8.]])
    >>> stack[np.ix_([0, 2], [1])].shape
    (2, 1, 2)
    """

    _names: list[str] | None = None
    _known_gram: Mask | None = None
    labels: Labels | None = None
    features: Features | None = None
    _lies_in_one_array = False

    # Iterating would be over rows for NumPy and over kernels for readers: neither is guessed.
    __iter__ = None

    def __init__(
        self,
        grams: Sequence[ArrayLike] | NDArray[Any] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        # What users call KernelStack with. `grams` never arrive: the kinds that they make have an
        # __init__ of their own. Subclasses may leave their names here.
        if names is not None:
            self._names = check_names(names)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Not abstract methods: tools would then refuse to let users call KernelStack itself.
        super().__init_subclass__(**kwargs)
        needed = ("shape", "block")
        missing = [name for name in needed if getattr(cls, name) is getattr(KernelStack, name)]
        if missing:
            raise TypeError(f"{cls.__name__} has no {' and no '.join(missing)}; expected both.")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # As LinearOperator does it: what is built from arrays is of one of the kinds, and the
        # arguments go on to this one's __init__.
        kind: Any = cls
        if cls is KernelStack:
            kind = _kind_for(args[0] if args else kwargs.get("grams"), "grams")
        return super().__new__(kind)

    # What tools show for a call of the class
    __new__.__wrapped__ = __init__  # type: ignore[attr-defined]

    @classmethod
    def from_features(
        cls,
        features: Sequence[Any],
        others: Sequence[Any] | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> KernelStack:
        """Build a low-rank stack from explicit features, whose inner products are the kernels.

        What is kept are the features: m matrices of n rows, instead of m matrices (n, n). Memory
        maps of ``float32`` or ``float64`` stay in their files. Dask arrays, all of them in the same
        blocks of samples, stay where they are too: what is learned or predicted goes to the blocks
        and comes back as sums. What `take` takes of them comes into this process, and so do arrays
        of fewer samples than twice the features. That their numbers are finite shows when they are
        computed.

        Parameters
        ----------
        features : list of m array-likes, sparse matrices or Dask arrays of shape \
                (n_rows, n_features_k)
            Features of the row samples, as many as each kernel needs.
        others : list of m array-likes, sparse matrices or Dask arrays of shape \
                (n_cols, n_features_k), default=None
            Features of the column samples; those of the rows by default.
        names : sequence of m str, default=None
            Unique names; ``kernel0``, ``kernel1``, ... by default.

        Returns
        -------
        KernelStack of shape (n_rows, n_cols, m)

        Raises
        ------
        ValueError, TypeError
            If there are no features, or any of them is anything but finite numbers or differs from
            the others in the number of samples, or from `others` in the number of features.

        Examples
        --------
        >>> import numpy as np
        >>> from mkfusion import KernelStack
        >>> features = [np.eye(3), np.array([[1.0], [2.0], [3.0]])]
        >>> KernelStack.from_features(features).gram(1)
        array([[1., 2., 3.],
               [2., 4., 6.],
               [3., 6., 9.]])
        """
        checked = None if names is None else check_names(names)
        views = factor_views(features, others)
        names = complete_names(checked, len(views), "features")
        return ComputedStack(views, names, known_gram=np.full(len(views), others is None))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KernelStack:
        """Open a stack that :meth:`save` wrote, memory-mapped and read-only.

        Nothing is read before it is asked for. What is pickled of such a stack, for another process
        too, is the name of the file.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        KernelStack of shape (n_rows, n_cols, m)
            :meth:`materialize` brings it into memory.

        Raises
        ------
        ValueError
            If the file was not written by :meth:`save`, or is cut off.
        OSError
            If it cannot be read.
        """
        views, names, known_gram = read_stack(path)
        return ComputedStack(views, names, known_gram=known_gram)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the kernels into a file, for :meth:`load`.

        Kernels on demand are computed, and low-rank ones multiplied out, a block of rows at a time.
        Names and dtype are kept, and which kernels were found, or are known, to be Gram matrices.
        A file that is there is replaced once the new one is complete. It is in the ``.npy`` format,
        with an array (m, n_rows, n_cols), so that :func:`numpy.load` opens it too.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        ValueError
            If a kernel on demand turns out to hold anything but finite numbers.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import numpy as np
        >>> from mkfusion import KernelStack
        >>> KernelStack([np.eye(3)], names=["identity"]).save("kernels.npy")
        >>> KernelStack.load("kernels.npy")
        KernelStack(shape=(3, 3, 1), dtype=float64, memory-mapped, names=['identity'])
        """
        write_stack(path, self, self.names, self.known_gram)

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n_rows, n_cols, n_kernels)``."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float64)

    @property
    def names(self) -> list[str]:
        return list(self._names or complete_names(None, self.shape[2], ""))

    @property
    def known_gram(self) -> Mask:
        n_kernels = self.shape[2]
        return np.zeros(n_kernels, bool) if self._known_gram is None else self._known_gram.copy()

    @property
    def index(self) -> Any:
        return None if self.labels is None else self.labels.index

    @property
    def place(self) -> str:
        return "on demand"

    @property
    def in_memory(self) -> bool:
        return False

    @property
    def rank(self) -> float | None:
        return None

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        names = self.names
        some = [repr(name) for name in names[:_MAX_NAMES_IN_REPR]]
        if len(names) > _MAX_NAMES_IN_REPR:
            some.append("...")
        return (
            f"KernelStack(shape={self.shape}, dtype={self.dtype}, {self.place}, "
            f"names=[{', '.join(some)}])"
        )

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        if copy is False and not (self._lies_in_one_array and dtype == self.dtype):
            raise ValueError(f"{self!r} has no array of {dtype} without a copy.")
        array = np.moveaxis(self.materialize().array, 0, -1)
        return array.astype(dtype, copy=bool(copy) and self._lies_in_one_array)

    # ------------------------------------------------------------------ parts of it

    def __getitem__(self, key: Any) -> KernelStack:
        """Return the stack between some of the rows and some of the columns.

        ``stack[np.ix_(rows, cols)]``, ``stack[rows]`` and ``stack[rows, cols]`` where at most one
        of them is not a slice. Rows and columns are index arrays, boolean masks or slices.
        """
        return self.take(*split_key(key))

    def take(
        self, rows: ArrayLike | slice | None = None, cols: ArrayLike | slice | None = None
    ) -> KernelStack:
        """Return the stack between some of the rows and some of the columns.

        Parameters
        ----------
        rows, cols : slice, or array-like of int (r,) or bool (n_rows,), default=None
            The samples, in any order, and again if asked for again; all by default.

        Returns
        -------
        KernelStack of shape (r, c, m)

        Raises
        ------
        IndexError
            If there is no such row or column.
        """
        n_rows, n_cols, _ = self.shape
        row_index = None if rows is None else as_index(rows, n_rows, "row")
        col_index = None if cols is None else as_index(cols, n_cols, "column")
        if row_index is None and col_index is None:
            return self
        principal = n_rows == n_cols and is_principal(row_index, col_index)
        labels = None if self.labels is None else self.labels.take(row_index, col_index)
        return self._take(row_index, col_index)._describe(
            self._names or self.names, self._known_gram if principal else None, labels
        )

    def select(self, which: int | str | slice | Sequence[int | str] | NDArray[Any]) -> KernelStack:
        """Return the stack of some of the kernels.

        Parameters
        ----------
        which : int, str, slice, or array-like of them, or boolean mask of shape (m,)
            Indices or names.

        Returns
        -------
        KernelStack of shape (n_rows, n_cols, n_selected)

        Raises
        ------
        ValueError
            If a name is unknown, a kernel is asked for twice, or none is.
        IndexError
            If an index is out of range.
        """
        names, known = self._names or self.names, self._known_gram
        indices = kernel_indices(which, names)
        return self._select(indices)._describe(
            [names[k] for k in indices], None if known is None else known[indices], self.labels
        )

    def gram(self, which: int | str) -> FloatArray:
        """Return one kernel.

        Parameters
        ----------
        which : int or str
            Index or name.

        Returns
        -------
        ndarray of shape (n_rows, n_cols)
            The stack's own memory where the kernels lie there: not to be written to.

        Raises
        ------
        TypeError, ValueError, IndexError
            If `which` is not one of the kernels.
        """
        check_one_kernel(which)
        k = int(kernel_indices(which, self._names or self.names)[0])
        return np.ascontiguousarray(self.block(k, None, None), dtype=self.dtype)

    def materialize(self) -> DenseStack:
        """Return the same stack in memory, with rows that lie there in one piece.

        Itself if it is like this already; a view of some samples is copied.

        Returns
        -------
        KernelStack of shape (n_rows, n_cols, m)
        """
        n_rows, n_cols, n_kernels = self.shape
        array = np.empty((n_kernels, n_rows, n_cols), dtype=self.dtype)
        self._fill(array)
        return DenseStack.around(array)._describe(
            self._names or self.names, self._known_gram, self.labels
        )

    # ------------------------------------------------------------------ computing with it

    def combine(
        self,
        weights: ArrayLike,
        *,
        rows: ArrayLike | slice | None = None,
        cols: ArrayLike | slice | None = None,
    ) -> Floats:
        """Return the weighted sum of the kernels, sum_k w_k K_k.

        Only kernels with weight, and only the rows and columns asked for, are read or computed.

        Parameters
        ----------
        weights : array-like of shape (m,)
            Finite and non-negative.
        rows, cols : slice, or array-like of int (r,) or bool (n_rows,), default=None
            The block to return; everything by default.

        Returns
        -------
        ndarray of shape (n_rows, n_cols), float64

        Raises
        ------
        ValueError
            If there is not one finite non-negative weight for each kernel.
        """
        n_rows, n_cols, n_kernels = self.shape
        weights = check_vectors(weights, n_kernels, "weights", "one for each kernel", axes=(1,))
        negative = np.flatnonzero(weights < 0)
        if len(negative):
            k = negative[0]
            raise ValueError(
                f"weights[{k}] is {weights[k]} (kernel {self.names[k]!r}); expected non-negative "
                "weights."
            )
        row_index = None if rows is None else as_index(rows, n_rows, "row")
        col_index = None if cols is None else as_index(cols, n_cols, "column")
        n_rows = n_rows if row_index is None else len(row_index)
        n_cols = n_cols if col_index is None else len(col_index)
        out = np.empty((n_rows, n_cols))
        self.combine_into(weights, row_index, col_index, out)
        return out

    def dot(self, beta: ArrayLike) -> Floats:
        """Multiply every kernel by a vector, (K_k beta)_k, or by several.

        Parameters
        ----------
        beta : array-like of shape (n_cols,) or (n_vectors, n_cols)
            Columns where it is 0 for every vector are neither read nor computed.

        Returns
        -------
        ndarray of shape (m, n_rows) or (n_vectors, m, n_rows), float64

        Raises
        ------
        ValueError, TypeError
            If `beta` has no entry for each column, or is not finite.
        """
        vectors = check_vectors(beta, self.shape[1], "beta", "one for each column")
        products = self._dot(np.atleast_2d(vectors))
        return products[0] if vectors.ndim == 1 else products

    def quadratic(self, beta: ArrayLike) -> Floats:
        """Return the quadratic forms (beta' K_k beta)_k of square kernels.

        Parameters
        ----------
        beta : array-like of shape (n,) or (n_vectors, n)
            The forms of several vectors are summed.

        Returns
        -------
        ndarray of shape (m,), float64

        Raises
        ------
        ValueError, TypeError
            If the kernels are not square, or `beta` has no entry for each sample, or is not finite.
        """
        self._check_square("quadratic")
        vectors = check_vectors(beta, self.shape[1], "beta", "one for each sample")
        return self._quadratic(np.atleast_2d(vectors))

    def diagonal(self) -> Floats:
        """Return the diagonals of square kernels.

        Returns
        -------
        ndarray of shape (m, n), float64

        Raises
        ------
        ValueError
            If the kernels are not square.
        """
        self._check_square("diagonal")
        return self._diagonal()

    def check_gram(self, name: str = "kernels") -> None:
        """Refuse kernels that cannot be the Gram matrices of training samples.

        They must be square, finite, symmetric and positive semi-definite, the latter tested
        within a budget (``PSD_FLOPS`` in ``mkfusion/stack/_gram.py``). A success is
        remembered, by sub-stacks between the same rows and columns too.

        Parameters
        ----------
        name : str, default="kernels"
            The argument to name in messages.

        Raises
        ------
        ValueError
            With the kernel, what was found and what was expected.
        """
        n_rows, n_cols, n_kernels = self.shape
        if n_rows != n_cols:
            hint = (
                "If these are samples, a ColumnKernelizer in front of the estimator, in a "
                "Pipeline, makes kernels of them."
            )
            if n_cols == n_kernels:
                hint = (
                    f"These seem to be {n_rows} kernels in an array with the kernels first: "
                    "np.moveaxis(kernels, 0, -1) puts them last."
                )
            raise ValueError(
                f"{name} has shape {self.shape}; expected square training kernels, with one row "
                f"and one column for each training sample. {hint}"
            )
        unchecked = np.flatnonzero(~self.known_gram)
        if len(unchecked):
            names = self._names or self.names
            self._check_kernels(unchecked, [f"{name}[{k}] ({names[k]!r})" for k in unchecked])
        self._known_gram = np.ones(n_kernels, dtype=bool)

    def check_gram_closely(self, name: str = "kernels") -> None:
        """Do as :meth:`check_gram` where that was content with a quick look.

        Of arrays that an estimator is given it is: they are read once. Of a stack it never is.

        Parameters
        ----------
        name : str, default="kernels"
            The argument to name in messages.

        Raises
        ------
        ValueError
            With the kernel, what was found and what was expected.
        """

    # ------------------------------------------------------------------ what trusts its arguments

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return the values of one kernel between some rows and some columns.

        Arguments are trusted, as those of all methods below: indices are in range, not negative.

        Parameters
        ----------
        k : int
            The kernel.
        rows, cols : ndarray of shape (r,) and (c,), integer, or None
            In any order, and repeated where the values are; None for all of them.

        Returns
        -------
        ndarray of shape (r, c)
            ``float32`` or ``float64``; not to be written to.

        Raises
        ------
        NotImplementedError
            Never of an instance: a class without it is refused.
        """
        raise NotImplementedError

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        """Write the weighted sum of the kernels into an array: :meth:`combine`, without checks.

        Parameters
        ----------
        weights : ndarray of shape (m,), float64
            Kernels of weight 0 are not touched.
        rows, cols : ndarray of shape (r,) and (c,), integer, or None
            The block; None for all rows or columns.
        out : ndarray of shape (r, c), float64
            Overwritten.
        """
        out[...] = 0.0
        active = np.flatnonzero(weights)
        if len(active):
            part = self._take(rows, cols)._select(active)
            for batch, index in part._batches():
                for weight, values in zip(weights[active], part._blocks(index), strict=True):
                    add_scaled(values, weight, out[batch])

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        """Add ``K_k beta_u`` to ``out[u, k]``, for some of the kernels, known to be symmetric.

        Rows may be read for columns: those where every beta is 0 are not touched.

        Parameters
        ----------
        beta : ndarray of shape (n_vectors, n), float64
        out : ndarray of shape (n_vectors, m, n), float64
            Modified in place.
        kernels : ndarray of shape (s,), integer, default=None
            The kernels k; all by default.
        """
        if kernels is None:
            out += self._dot(beta)
        elif len(kernels):
            out[:, kernels] += self._select(kernels)._dot(beta)

    def combine_several(
        self, weights: Floats, rows: Sequence[Indices], out: Sequence[Floats]
    ) -> None:
        """Do several :meth:`combine_into` at once, over all columns.

        Parameters
        ----------
        weights : ndarray of shape (f, m), float64
        rows : sequence of f ndarray of shape (r_f,), integer
        out : sequence of f ndarray of shape (r_f, n_cols), float64
            Overwritten.
        """
        for own, which, target in zip(weights, rows, out, strict=True):
            self.combine_into(own, which, None, target)

    def add_dot_several(
        self, beta: Sequence[Floats], out: Sequence[Floats], kernels: Sequence[Indices]
    ) -> None:
        """Do several :meth:`add_dot` at once.

        Parameters
        ----------
        beta : sequence of f ndarray of shape (n_vectors, n), float64
        out : sequence of f ndarray of shape (n_vectors, m, n), float64
            Modified in place.
        kernels : sequence of f ndarray of shape (s_f,), integer
        """
        for vectors, target, which in zip(beta, out, kernels, strict=True):
            self.add_dot(vectors, target, which)

    def _take(self, rows: Indices | None, cols: Indices | None) -> KernelStack:
        """Restrict to some rows (r,) and columns (c,); None means all."""
        return self if rows is cols is None else PartStack(self, rows, cols, None)

    def _select(self, which: Indices) -> KernelStack:
        """Restrict to some kernels (s,)."""
        return PartStack(self, None, None, which)

    def _blocks(self, rows: Indices | None) -> Iterator[FloatArray]:
        """Yield the values (r, n_cols) of every kernel, in their order, on some of the rows."""
        return (self.block(k, rows, None) for k in range(self.shape[2]))

    def _batches(self) -> Iterator[tuple[slice, Indices | None]]:
        """Cut the rows so that `_blocks` holds little at a time; None for all rows at once."""
        return indexed(row_batches(*self.shape[:2]), self.shape[0])

    def _dot(self, beta: Floats) -> Floats:
        """Return (K_k beta_u) (u, m, n_rows) for beta (u, n_cols)."""
        n_rows, n_cols, n_kernels = self.shape
        out = np.zeros((len(beta), n_kernels, n_rows))
        support = np.flatnonzero(beta.any(axis=0))
        if len(support):
            active = np.ascontiguousarray(beta[:, support])
            part = self._take(None, unless_all(support, n_cols))
            for batch, index in part._batches():
                for k, values in enumerate(part._blocks(index)):
                    out[:, k, batch] = active @ values.T
        return out

    def _quadratic(self, beta: Floats) -> Floats:
        """Return ``sum_u beta_u' K_k beta_u`` (m,) of square kernels, for beta (u, n)."""
        support = np.flatnonzero(beta.any(axis=0))
        vectors = beta[:, support]
        products = self._take(support, support)._dot(vectors)
        return np.einsum("ukn,un->k", products, vectors)

    def _diagonal(self) -> Floats:
        """Return the diagonals (m, n) of square kernels."""
        n, _, n_kernels = self.shape
        out = np.empty((n_kernels, n))
        for batch in gen_batches(n, _DIAGONAL):
            some = np.arange(batch.start, batch.stop)
            for k in range(n_kernels):
                out[k, batch] = np.diagonal(self.block(k, some, some))
        return out

    def _fill(self, array: FloatArray) -> None:
        """Write all kernels into an array (m, n_rows, n_cols)."""
        for batch, index in self._batches():
            for k, values in enumerate(self._blocks(index)):
                array[k, batch] = values

    def _check_kernels(self, kernels: Indices, labels: Sequence[str]) -> None:
        """Refuse those of some kernels (s,) that are no Gram matrices."""
        check_gram_kernels(self, kernels, labels)

    def _shares(self) -> Floats:
        """Return what :func:`shares` returns (m, 2) of every kernel between a few samples."""
        n, _, m = self.shape
        samples = few_samples(n)
        blocks = (self.block(k, samples, samples) for k in range(m))
        return np.array([shares(np.asarray(one, dtype=np.float64), n) for one in blocks])

    def _describe(self, names: list[str], known_gram: Mask | None, labels: Labels | None) -> Self:
        """Take over what is known of the kernels, and what the samples are called."""
        self._names, self._known_gram, self.labels = names, known_gram, labels
        return self

    def _check_square(self, method: str) -> None:
        n_rows, n_cols, _ = self.shape
        if n_rows != n_cols:
            raise ValueError(f"{method} needs square kernels; found shape {self.shape}.")


class PartStack(KernelStack):
    """Some rows, columns and kernels of another stack, which computes them when asked for.

    Parameters
    ----------
    whole : KernelStack
    rows, cols, kernels : ndarray of shape (r,), (c,) and (s,), integer, or None
        None for all.
    """

    def __init__(
        self,
        whole: KernelStack,
        rows: Indices | None,
        cols: Indices | None,
        kernels: Indices | None,
    ) -> None:
        self.whole = whole
        self.rows = rows
        self.cols = cols
        self.kernels = kernels

    @property
    def shape(self) -> tuple[int, int, int]:
        chosen = (self.rows, self.cols, self.kernels)
        n_rows, n_cols, n_kernels = (
            size if index is None else len(index)
            for size, index in zip(self.whole.shape, chosen, strict=True)
        )
        return n_rows, n_cols, n_kernels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.whole.dtype

    @property
    def place(self) -> str:
        return self.whole.place

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        k = k if self.kernels is None else int(self.kernels[k])
        return self.whole.block(k, compose(self.rows, rows), compose(self.cols, cols))

    def _take(self, rows: Indices | None, cols: Indices | None) -> PartStack:
        rows, cols = compose(self.rows, rows), compose(self.cols, cols)
        return PartStack(self.whole, rows, cols, self.kernels)

    def _select(self, which: Indices) -> PartStack:
        return PartStack(self.whole, self.rows, self.cols, compose(self.kernels, which))


class DenseStack(KernelStack):
    """Kernels in memory, where they stay: in one array, or in several.

    What is taken from it is a view: no number is copied.

    Parameters
    ----------
    grams, names
        As for :class:`KernelStack`.
    argument : str, default="grams"
        What the user calls `grams`, for messages.
    hasty : bool, default=False
        Whether `grams` are not to be read before `check_gram`, and quickly there.
    """

    matrices: Matrices

    def __init__(
        self,
        grams: Sequence[ArrayLike] | NDArray[Any],
        names: Sequence[str] | None = None,
        *,
        argument: str = "grams",
        hasty: bool = False,
    ) -> None:
        checked = None if names is None else check_names(names)
        arrays = dense_matrices(grams, checked, argument, read=not hasty)
        self.matrices = Matrices(Whole(arrays, hasty=hasty))
        self._names = complete_names(checked, len(arrays), argument)
        self.labels = labels_of(grams)

    @classmethod
    def around(cls, arrays: FloatArray | Matrices) -> Self:
        """Return the stack of what is trusted to be right, and not copied.

        Parameters
        ----------
        arrays : ndarray of shape (n_kernels, n_rows, n_cols), float32 or float64, or Matrices
            An array with contiguous rows.

        Returns
        -------
        DenseStack
        """
        stack = cls.__new__(cls)
        stack.matrices = arrays if isinstance(arrays, Matrices) else Matrices(Whole(arrays))
        return stack

    @property
    def array(self) -> FloatArray:
        """The kernels (n_kernels, n_rows, n_cols) in one array, which may be a copy."""
        return self.matrices.array

    @property
    def _lies_in_one_array(self) -> bool:  # type: ignore[override]
        return self.matrices.lies_in_one_array

    @property
    def shape(self) -> tuple[int, int, int]:
        n_kernels, n_rows, n_cols = self.matrices.shape
        return n_rows, n_cols, n_kernels

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.matrices.dtype

    @property
    def known_gram(self) -> Mask:
        # What was found of the whole since holds for a fold of it.
        return super().known_gram | self.matrices.sound

    @property
    def place(self) -> str:
        return "in memory"

    @property
    def in_memory(self) -> bool:
        return True

    def materialize(self) -> DenseStack:
        return super().materialize() if self.matrices.is_part else self

    def check_gram(self, name: str = "kernels") -> None:
        """Refuse kernels that cannot be Gram matrices, as :meth:`KernelStack.check_gram`.

        The whole is looked at once for all folds of it; only where it is refused, and they need
        not be, each on its own.
        """
        whole = self.matrices.whole_of_a_fold()
        if whole is not None:
            unknown = np.flatnonzero(~self.known_gram & ~whole.doubtful)
            whole.remember(unknown, sound_kernels(DenseStack.around(whole), unknown))
        super().check_gram(name)
        if not self.matrices.is_part:
            everything = np.arange(self.shape[2])
            self.matrices.remember(everything, np.ones(len(everything), dtype=bool))

    def check_gram_closely(self, name: str = "kernels") -> None:
        if self.matrices.whole.hasty:
            unseen = DenseStack.around(self.matrices.anew())
            unseen._describe(self.names, None, None).check_gram(name)

    def _check_kernels(self, kernels: Indices, labels: Sequence[str]) -> None:
        if self.matrices.whole.hasty and not self.matrices.is_part:
            look_at_matrices(self.matrices.select(kernels), labels)
        else:
            super()._check_kernels(kernels, labels)

    def _shares(self) -> Floats:
        return self.matrices.shares()

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        return self.matrices.block(k, rows, cols)

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        self.matrices.combine_into(weights, rows, cols, out)

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        self.matrices.add_dot(beta, out, kernels)

    def combine_several(
        self, weights: Floats, rows: Sequence[Indices], out: Sequence[Floats]
    ) -> None:
        self.matrices.combine_several(weights, rows, out)

    def add_dot_several(
        self, beta: Sequence[Floats], out: Sequence[Floats], kernels: Sequence[Indices]
    ) -> None:
        self.matrices.add_dot_several(beta, out, kernels)

    def _take(self, rows: Indices | None, cols: Indices | None) -> DenseStack:
        return self if rows is cols is None else self.around(self.matrices.take(rows, cols))

    def _select(self, which: Indices) -> DenseStack:
        return self.around(self.matrices.select(which))

    def _dot(self, beta: Floats) -> Floats:
        return self.matrices.dot(beta)

    def _quadratic(self, beta: Floats) -> Floats:
        return self.matrices.quadratic(beta)

    def _diagonal(self) -> Floats:
        return self.matrices.diagonal()

    def _fill(self, array: FloatArray) -> None:
        self.matrices.copy_into(array)


class ComputedStack(KernelStack):
    """Kernels of which blocks are asked for one by one, and nothing is kept.

    They may be computed from samples or features, or read from files.

    Parameters
    ----------
    views : sequence of m View
        All between as many row samples and as many column samples.
    names : sequence of m str, default=None
    known_gram : ndarray of shape (m,), dtype=bool, default=None
        The kernels that are Gram matrices by their nature; none by default.
    n_jobs : int, default=None
        Kernels to evaluate at the same time.
    """

    def __init__(
        self,
        views: Sequence[View],
        names: Sequence[str] | None = None,
        *,
        known_gram: Mask | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.views, self.features = views, features_of(views)
        self.n_jobs = n_jobs
        self._names = None if names is None else list(names)
        self._known_gram = known_gram

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.views[0].shape, len(self.views))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(view.dtype for view in self.views))

    @property
    def place(self) -> str:
        places = {view.place for view in self.views}
        return places.pop() if len(places) == 1 else View.place

    @property
    def rank(self) -> float | None:
        ranks = [view.rank for view in self.views]
        return None if None in ranks else sum(rank for rank in ranks if rank is not None)

    def block(self, k: int, rows: Indices | None, cols: Indices | None) -> FloatArray:
        return self.views[k].block(rows, cols)

    def combine_into(
        self, weights: Floats, rows: Indices | None, cols: Indices | None, out: Floats
    ) -> None:
        groups, left = gaussian_groups(self.views, np.flatnonzero(weights), rows, cols)
        super().combine_into(only(weights, left), rows, cols, out)
        for group in groups:
            group.add_combined(weights, out)

    def add_dot(self, beta: Floats, out: Floats, kernels: Indices | None = None) -> None:
        which = np.arange(self.shape[2]) if kernels is None else kernels
        add_dots(self.views, self.n_jobs, beta, out, which)

    def _take(self, rows: Indices | None, cols: Indices | None) -> ComputedStack:
        if rows is cols is None:
            return self
        return ComputedStack([view.take(rows, cols) for view in self.views], n_jobs=self.n_jobs)

    def _select(self, which: Indices) -> ComputedStack:
        return ComputedStack([self.views[k] for k in which], n_jobs=self.n_jobs)

    def _blocks(self, rows: Indices | None) -> Iterator[FloatArray]:
        return self._of_kernels("block", rows, None)

    def _dot(self, beta: Floats) -> Floats:
        return dots(self.views, self.n_jobs, beta)

    def _diagonal(self) -> Floats:
        if self.features is not None:
            return self.features.squares()
        return np.stack([view.pairs(None, None) for view in self.views])

    def _fill(self, array: FloatArray) -> None:
        # All rows at once: there is room for them, and symmetric ones are computed by half.
        for k, values in enumerate(self._blocks(None)):
            array[k] = values

    def _of_kernels(self, operation: str, *arguments: Any) -> Iterator[Any]:
        """Yield what an operation of each kernel returns, in their order."""
        return of_each(self.views, self.n_jobs, operation, *arguments)


class MappedStack(ComputedStack):
    """Kernels in memory-mapped arrays, which are read when asked for.

    Parameters
    ----------
    grams, names
        As for :class:`KernelStack`; at least one of `grams` is memory-mapped.
    argument : str, default="grams"
        What the user calls `grams`, for messages.
    """

    def __init__(
        self,
        grams: Sequence[ArrayLike] | NDArray[Any],
        names: Sequence[str] | None = None,
        *,
        argument: str = "grams",
    ) -> None:
        checked = None if names is None else check_names(names)
        views = mapped_views(grams, checked, argument)
        super().__init__(views, complete_names(checked, len(views), argument))
        self.labels = labels_of(grams)


def as_stack(
    grams: Any,
    names: Sequence[str] | None = None,
    argument: str = "grams",
    *,
    hasty: bool = False,
) -> KernelStack:
    """Return the stack that a user gave, or build one of what else was given.

    Parameters
    ----------
    grams, names
        A stack as it is, or what :class:`KernelStack` takes.
    argument : str, default="grams"
        What the user calls `grams`, for messages.
    hasty : bool, default=False
        Whether arrays in memory are not to be read before `check_gram`, and quickly there.

    Returns
    -------
    KernelStack
    """
    if isinstance(grams, KernelStack):
        return grams
    kind = _kind_for(grams, argument)
    if kind is DenseStack:
        return DenseStack(grams, names, argument=argument, hasty=hasty)
    return kind(grams, names, argument=argument)


def _kind_for(grams: Any, argument: str) -> type[DenseStack] | type[MappedStack]:
    check_alike(grams, argument)
    return MappedStack if any_mapped(grams) else DenseStack
