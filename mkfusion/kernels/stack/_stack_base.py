"""What a stack is made of: from arrays, from features, from a file, and into one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion.kernels.stack._dense_storage import dense_storage_from
from mkfusion.kernels.stack._factor_view import factor_storage_from
from mkfusion.kernels.stack._mapped_view import mapped_storage_from
from mkfusion.kernels.stack._stack_arguments import check_names, complete_names
from mkfusion.kernels.stack._stack_file import read_stack, write_stack
from mkfusion.kernels.stack._storage import Storage

__all__ = ["StackBase"]

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
