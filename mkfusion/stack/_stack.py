"""m aligned kernels as one object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from mkfusion._types import FloatArray
from mkfusion.stack._dense import DenseStorage, dense_storage_from
from mkfusion.stack._file import mapped_storage_from, read_stack, write_stack
from mkfusion.stack._gram import check_gram_kernels
from mkfusion.stack._low_rank import factor_storage_from
from mkfusion.stack._storage import (
    Storage,
    as_index,
    check_names,
    check_vector,
    complete_names,
    kernel_indices,
    split_key,
)

_MAX_NAMES_IN_REPR = 6


class StackBase:
    """A storage, and what is known of its kernels.

    Parameters
    ----------
    grams, names
        As for :class:`~mkfusion.KernelStack`.
    """

    def __init__(
        self,
        grams: Sequence[ArrayLike] | NDArray[Any],
        names: Sequence[str] | None = None,
    ) -> None:
        self._assign(grams, names, "grams")

    @classmethod
    def _from_grams(cls, grams: Any, names: Sequence[str] | None, argument: str) -> Self:
        """Build a stack as the constructor does, naming another argument in messages."""
        stack = cls.__new__(cls)
        stack._assign(grams, names, argument)
        return stack

    def _assign(self, grams: Any, names: Sequence[str] | None, argument: str) -> None:
        checked = None if names is None else check_names(names)
        storage: Storage | None = mapped_storage_from(grams, checked, argument)
        if storage is None:
            storage = dense_storage_from(grams, checked, argument)
        n_kernels = storage.shape[2]
        self._storage = storage
        self._names = complete_names(checked, n_kernels, argument)
        # Kernels known to be Gram matrices of training samples
        self._sound = np.zeros(n_kernels, dtype=bool)

    @classmethod
    def from_features(
        cls,
        features: Sequence[Any],
        others: Sequence[Any] | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Build a low-rank stack from explicit features, whose inner products are the kernels.

        What is kept are the features: m matrices of n rows, instead of m matrices (n, n).

        Parameters
        ----------
        features : list of m array-likes or sparse matrices of shape (n_rows, n_features_k)
            Features of the row samples, as many as each kernel needs.
        others : list of m array-likes or sparse matrices of shape (n_cols, n_features_k), \
                default=None
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
        storage = factor_storage_from(features, others)
        n_kernels = storage.shape[2]
        sound = np.full(n_kernels, others is None)
        return cls._from_storage(storage, complete_names(checked, n_kernels, "features"), sound)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
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
        storage, names, sound = read_stack(path)
        return cls._from_storage(storage, names, sound)

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
        write_stack(path, self._storage, self._names, self._sound)

    @classmethod
    def _from_storage(
        cls,
        storage: Storage,
        names: Sequence[str],
        sound: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Build a stack on a storage.

        Parameters
        ----------
        storage : Storage
        names : sequence of m str
        sound : ndarray of shape (m,), dtype=bool, default=None
            The kernels that need no test in :meth:`check_gram`.
        """
        stack = cls.__new__(cls)
        stack._storage = storage
        stack._names = list(names)
        stack._sound = np.zeros(storage.shape[2], dtype=bool) if sound is None else sound
        return stack

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._storage.shape

    @property
    def ndim(self) -> int:
        return 3

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._storage.dtype

    @property
    def names(self) -> list[str]:
        return list(self._names)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        shown = [repr(name) for name in self._names[:_MAX_NAMES_IN_REPR]]
        if len(self._names) > _MAX_NAMES_IN_REPR:
            shown.append("...")
        return (
            f"KernelStack(shape={self.shape}, dtype={self.dtype}, {self._storage.place}, "
            f"names=[{', '.join(shown)}])"
        )


class KernelStack(StackBase):
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
        slices the first two axes. They are kept in one contiguous array, kernel by kernel; an
        array that lies in memory like this already is not copied. Memory-mapped arrays stay where
        they are, and are read when asked for.
    names : sequence of m str, default=None
        Unique names; ``kernel0``, ``kernel1``, ... by default.

    Attributes
    ----------
    shape : tuple of int
        ``(n_rows, n_cols, n_kernels)``.
    ndim : int
        3.
    dtype : numpy.dtype
        ``float32`` if all kernels are, otherwise ``float64``.
    names : list of str
        The kernels' names.

    Raises
    ------
    ValueError, TypeError
        If there is no kernel, or one of them holds anything but finite numbers or differs in
        shape from the others.

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

    # Iterating would be over rows for NumPy and over kernels for readers: neither is guessed.
    __iter__ = None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        in_memory = isinstance(self._storage, DenseStorage)
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        if copy is False and not (in_memory and dtype == self.dtype):
            raise ValueError(f"{self!r} has no array of {dtype} without a copy.")
        array = np.moveaxis(self._storage.materialize().array, 0, -1)
        return array.astype(dtype, copy=bool(copy) and in_memory)

    def __getitem__(self, key: Any) -> KernelStack:
        """Return the stack between some of the rows and some of the columns.

        ``stack[np.ix_(rows, cols)]``, ``stack[rows]`` and ``stack[rows, cols]`` where at most one
        of them is not a slice. Rows and columns are index arrays, boolean masks or slices.
        """
        rows_key, cols_key = split_key(key)
        n_rows, n_cols, _ = self.shape
        rows = as_index(rows_key, n_rows, "row")
        cols = as_index(cols_key, n_cols, "column")
        principal = n_rows == n_cols and (
            rows is cols is None
            or (rows is not None and cols is not None and np.array_equal(rows, cols))
        )
        sound = self._sound if principal else None
        return KernelStack._from_storage(self._storage.take(rows, cols), self._names, sound)

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
        indices = kernel_indices(which, self._names)
        return KernelStack._from_storage(
            self._storage.select(indices),
            [self._names[k] for k in indices],
            self._sound[indices],
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
        if not isinstance(which, int | np.integer | str):
            raise TypeError(f"which is {which!r}; expected the index or the name of one kernel.")
        return self._storage.gram(int(kernel_indices(which, self._names)[0]))

    def combine(
        self,
        weights: ArrayLike,
        *,
        rows: ArrayLike | slice | None = None,
        cols: ArrayLike | slice | None = None,
    ) -> NDArray[np.float64]:
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
        weights = check_vector(weights, n_kernels, "weights", "one for each kernel")
        negative = np.flatnonzero(weights < 0)
        if len(negative):
            k = negative[0]
            raise ValueError(
                f"weights[{k}] is {weights[k]} (kernel {self._names[k]!r}); expected non-negative "
                "weights."
            )
        row_index = None if rows is None else as_index(rows, n_rows, "row")
        col_index = None if cols is None else as_index(cols, n_cols, "column")
        return self._storage.combine(weights, row_index, cols=col_index)

    def dot(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Multiply every kernel by a vector, (K_k beta)_k.

        Parameters
        ----------
        beta : array-like of shape (n_cols,)
            Columns where it is 0 are neither read nor computed.

        Returns
        -------
        ndarray of shape (m, n_rows), float64
        """
        return self._storage.dot(check_vector(beta, self.shape[1], "beta", "one for each column"))

    def quadratic(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Return the quadratic forms (beta' K_k beta)_k of square kernels.

        Parameters
        ----------
        beta : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (m,), float64
        """
        self._check_square("quadratic")
        vector = check_vector(beta, self.shape[1], "beta", "one for each sample")
        return self._storage.quadratic(vector[np.newaxis])

    def diagonal(self) -> NDArray[np.float64]:
        """Return the diagonals of square kernels.

        Returns
        -------
        ndarray of shape (m, n), float64
        """
        self._check_square("diagonal")
        return self._storage.diagonal()

    def materialize(self) -> KernelStack:
        """Return the same stack in memory: itself if it is there already.

        Returns
        -------
        KernelStack of shape (n_rows, n_cols, m)
        """
        if isinstance(self._storage, DenseStorage):
            return self
        return KernelStack._from_storage(self._storage.materialize(), self._names, self._sound)

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
            raise ValueError(
                f"{name} has shape {self.shape}; expected square training kernels, with one row "
                "and one column for each training sample."
            )
        unchecked = np.flatnonzero(~self._sound)
        labels = [f"{name}[{k}] ({self._names[k]!r})" for k in unchecked]
        check_gram_kernels(self._storage, unchecked, labels)
        self._sound = np.ones(n_kernels, dtype=bool)

    def _check_square(self, method: str) -> None:
        n_rows, n_cols, _ = self.shape
        if n_rows != n_cols:
            raise ValueError(f"{method} needs square kernels; found shape {self.shape}.")
