"""Kernels on whole samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import _name_estimators

from mkfusion.kernels.kernelizer._adapters import takes_table
from mkfusion.kernels.kernelizer._kernelizer_base import BaseKernelizer, Entry, as_list
from mkfusion.kernels.kernelizer._visual import visual_block
from mkfusion.modalities import Modalities

__all__ = ["Kernelizer"]


class Kernelizer(BaseKernelizer):
    """Compute several kernels of the same samples.

    Parameters
    ----------
    kernels : kernel, list of kernels, or list of (name, kernel) pairs
        A kernel is a kernel object, a name that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` knows (with its default parameters), a
        function ``f(X, Y)`` that returns the matrix (n_samples_X, n_samples_Y), a scikit-learn
        Gaussian-process kernel, or a Pipeline that ends in one of these. In a pair it may be a
        list of them. Kernels of single modalities, ``RBFKernel().on("accel")``, and what is made
        of these take `Modalities`.
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
        The names in the stacks, such as ``"rbf(gamma=0.1)"``, or ``"name:rbf(gamma=0.1)"``.
    n_features_in_ : int
        Number of features, or of modalities, seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    ColumnKernelizer : Different kernels for different columns or modalities.

    Examples
    --------
    >>> from mkfusion import Kernelizer, RBFKernel
    >>> X = [[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]
    >>> kernelizer = Kernelizer([RBFKernel(gamma=0.1), RBFKernel(gamma=1.0), "linear"])
    >>> kernelizer.fit(X).transform([[1.0, 0.0]])
    KernelStack(shape=(1, 3, 3), dtype=float64, on demand, \
names=['rbf(gamma=0.1)', 'rbf(gamma=1.0)', 'linear'])
    """

    _sees_modalities: bool

    def __init__(
        self, kernels: Any, *, normalize: str | None = "cosine", n_jobs: int | None = None
    ) -> None:
        self.kernels = kernels
        self.normalize = normalize
        self.n_jobs = n_jobs

    @property
    def _named_kernels(self) -> list[tuple[str, Any]]:
        """Pairs (name, kernel); kernels without a name get one as in `make_pipeline`."""
        if not isinstance(self.kernels, list | tuple):
            return _name_estimators([self.kernels])
        if self._has_pairs():
            return list(self.kernels)
        return _name_estimators(self.kernels)

    @_named_kernels.setter
    def _named_kernels(self, pairs: list[tuple[str, Any]]) -> None:
        if self._has_pairs():
            self.kernels = pairs
        elif isinstance(self.kernels, list | tuple):
            self.kernels = [kernel for _, kernel in pairs]
        else:
            self.kernels = pairs[0][1]

    def _has_pairs(self) -> bool:
        return isinstance(self.kernels, list | tuple) and all(
            isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
            for pair in self.kernels
        )

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

    def set_params(self, **params: Any) -> Kernelizer:
        """Set parameters, those of the kernels included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : Kernelizer
        """
        return self._set_params("_named_kernels", **params)

    def _samples(self, X: Any) -> Any:
        if isinstance(X, Modalities) and any(takes_table(spec) for spec in self._all_specs()):
            raise TypeError(
                f"X is Modalities {X.names}; expected features that every kernel sees. For kernels "
                "of single modalities use ColumnKernelizer([(name, kernel, modality), ...]), or "
                "kernel.on(modality)."
            )
        if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiub":
            raise ValueError(
                f"X has shape {X.shape}; expected (n_samples, n_features). Reshape your data with "
                "X.reshape(-1, 1) if it has a single feature."
            )
        # Each kernel validates what it sees itself: a pipeline may begin with anything.
        return X

    def _resolve(self, X: Any) -> list[Entry]:
        if isinstance(self.kernels, list | tuple) and len(self.kernels) == 0:
            raise ValueError("kernels is empty; expected at least one kernel.")
        pairs = self._named_kernels
        if not self._has_pairs():
            return [Entry("", [spec]) for _, spec in pairs]
        self._validate_names([name for name, _ in pairs])
        return [Entry(name, as_list(spec, name)) for name, spec in pairs]

    def _select(self, X: Any, entry: Entry) -> Any:
        return X

    def _check_features(self, X: Any, *, reset: bool) -> None:
        several = isinstance(X, Modalities)
        if not reset and several != self._sees_modalities:
            expected = "Modalities" if self._sees_modalities else "columns"
            raise TypeError(f"X is a {type(X).__name__}; expected {expected} as in fit.")
        if not several:
            super()._check_features(X, reset=reset)
        elif reset:  # later each kernel finds its modality by name
            self.n_features_in_ = len(X.names)
            self.feature_names_in_ = np.array(X.names, dtype=object)
        if reset:
            self._sees_modalities = several

    def _sk_visual_block_(self) -> Any:
        return visual_block(self._named_kernels)
