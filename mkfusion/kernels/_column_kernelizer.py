"""Kernels on columns or modalities."""

from __future__ import annotations

from typing import Any

import numpy as np

from mkfusion.kernels._columns import as_table, column_names, resolve_columns, select_columns
from mkfusion.kernels._kernelizer_base import BaseKernelizer, Entry, as_list
from mkfusion.kernels._visual import visual_block
from mkfusion.modalities import Modalities

__all__ = ["ColumnKernelizer"]


class ColumnKernelizer(BaseKernelizer):
    """Compute kernels of different columns or modalities of the same samples.

    Parameters
    ----------
    kernels : list of (name, kernel, columns) tuples
        name : str
            Gives access to the kernel's parameters in `set_params` and searches
            (``accel__gamma``), and begins the names of its kernels in the stack.
        kernel : kernel or list of kernels
            A kernel is a kernel object, a name that
            :func:`sklearn.metrics.pairwise.pairwise_kernels` knows (with its default parameters),
            a function ``f(X, Y)`` that returns the matrix (n_samples_X, n_samples_Y), a
            scikit-learn Gaussian-process kernel, or a Pipeline that ends in one of these. Each of
            a list gives a kernel in the stack.
        columns : str, int, list, slice, boolean mask or callable
            For `Modalities`, the name of one. Otherwise as in
            :class:`sklearn.compose.ColumnTransformer`: strings are names of a DataFrame's columns,
            integers are positions, and a callable such as
            :func:`~sklearn.compose.make_column_selector` gets the samples and returns one of these.
            A scalar gives text vectorisers and functions a one-dimensional column, and all that
            take features one in two dimensions.
    normalize : {"cosine", "trace", "center"} or None, default="cosine"
        What is done to each kernel, learned from the training samples:

        - "cosine": k(x, z) / sqrt(k(x, x) k(z, z)), samples on the unit sphere; a sample of norm 0
          stays at 0;
        - "trace": k(x, z) divided by the mean of k(t, t) over the training samples;
        - "center": as :class:`sklearn.preprocessing.KernelCenterer`; a new sample then needs its
          kernel values with all training samples, whichever are asked for;
        - None: nothing.
    n_jobs : int, default=None
        Kernels to fit, prepare and evaluate at the same time.

    Attributes
    ----------
    kernels_ : list of m kernels
        Fitted.
    kernel_names_ : list of m str
        The names in the stacks, such as ``"accel:rbf(gamma=0.1)"``.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings. New samples then need those that the
        kernels see, in any order.

    See Also
    --------
    Kernelizer : Several kernels of the same features.
    sklearn.compose.make_column_selector : Columns by their dtype or a pattern in their names.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import ColumnKernelizer, Modalities, RBFKernel
    >>> rng = np.random.default_rng(0)
    >>> X = Modalities(accel=rng.normal(size=(5, 3)), gyro=rng.normal(size=(5, 2)))
    >>> kernelizer = ColumnKernelizer(
    ...     [
    ...         ("accel", [RBFKernel(gamma=0.1), RBFKernel(gamma=1.0)], "accel"),
    ...         ("gyro", "linear", "gyro"),
    ...     ]
    ... )
    >>> stack = kernelizer.fit_transform(X)
    >>> stack.shape
    (5, 5, 3)
    >>> stack.names
    ['accel:rbf(gamma=0.1)', 'accel:rbf(gamma=1.0)', 'gyro:linear']
    >>> kernelizer.transform(X[:2]).combine([0.5, 0.5, 0.0]).shape
    (2, 5)
    """

    def __init__(
        self,
        kernels: list[tuple[str, Any, Any]],
        *,
        normalize: str | None = "cosine",
        n_jobs: int | None = None,
    ) -> None:
        self.kernels = kernels
        self.normalize = normalize
        self.n_jobs = n_jobs

    @property
    def _named_kernels(self) -> list[tuple[str, Any]]:
        """Pairs (name, kernel), or the kernels themselves where they are malformed.

        Parameters must be readable then too: `fit` refuses them.
        """
        try:
            return [(name, kernel) for name, kernel, _ in self.kernels]
        except (TypeError, ValueError):
            return self.kernels  # type: ignore[return-value]

    @_named_kernels.setter
    def _named_kernels(self, pairs: list[tuple[str, Any]]) -> None:
        self.kernels = [
            (name, kernel, columns)
            for (name, kernel), (_, _, columns) in zip(pairs, self.kernels, strict=True)
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the kernels included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``name`` and ``name__parameter`` of each kernel.

        Returns
        -------
        dict
        """
        return self._get_params("_named_kernels", deep=deep)

    def set_params(self, **params: Any) -> ColumnKernelizer:
        """Set parameters, those of the kernels included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : ColumnKernelizer
        """
        return self._set_params("_named_kernels", **params)

    def _samples(self, X: Any) -> Any:
        return X if isinstance(X, Modalities) else as_table(X)

    def _resolve(self, X: Any) -> list[Entry]:
        self._check_kernels()
        return [
            Entry(name, as_list(kernel, name), resolve_columns(X, columns, name))
            for name, kernel, columns in self.kernels
        ]

    def _check_kernels(self) -> None:
        if not isinstance(self.kernels, list | tuple):
            raise TypeError(
                f"kernels is {self.kernels!r}; expected a list of tuples (name, kernel, columns)."
            )
        if len(self.kernels) == 0:
            raise ValueError(
                "kernels is empty; expected at least one tuple (name, kernel, columns)."
            )
        for i, entry in enumerate(self.kernels):
            if not isinstance(entry, tuple) or len(entry) != 3:
                raise TypeError(f"kernels[{i}] is {entry!r}; expected (name, kernel, columns).")
            if not isinstance(entry[0], str) or not entry[0]:
                raise TypeError(
                    f"kernels[{i}] has the name {entry[0]!r}; expected a string that is not empty."
                )
        self._validate_names([name for name, _, _ in self.kernels])

    def _check_features(self, X: Any, *, reset: bool) -> None:
        several = isinstance(X, Modalities)
        if not reset and several != isinstance(self._entries[0].columns, str):
            expected = "columns" if several else "Modalities"
            raise TypeError(f"X is a {type(X).__name__}; expected {expected} as in fit.")
        # Where both have names, columns are found by them, and others may be anything.
        if reset or column_names(X) is None or not hasattr(self, "feature_names_in_"):
            super()._check_features(X, reset=reset)
        if reset and several:
            self.feature_names_in_ = np.array(X.names, dtype=object)

    def _select(self, X: Any, entry: Entry) -> Any:
        return select_columns(X, entry.columns, entry.name)

    def _sk_visual_block_(self) -> Any:
        return visual_block(self._named_kernels, [str(columns) for _, _, columns in self.kernels])
