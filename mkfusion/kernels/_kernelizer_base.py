"""From samples to a stack of kernels: what both kernelizers share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mkfusion.kernels._adapters import as_kernel, first_step, kernel_label, takes_table
from mkfusion.kernels._evaluation import FittedKernel, KernelView
from mkfusion.kernels._feature_kernels import FeatureKernel
from mkfusion.kernels._lazy_storage import LazyStorage
from mkfusion.kernels._normalize import NORMALIZATIONS
from mkfusion.kernels._stack import KernelStack

__all__ = ["BaseKernelizer", "Entry", "as_list"]


class Entry(NamedTuple):
    """Kernels of the same part of the samples.

    Attributes
    ----------
    name : str
        Empty for kernels without one.
    specs : list
        Kernels, or what stands for them.
    columns : Any
        What chooses the part.
    """

    name: str
    specs: list[Any]
    columns: Any = None


class BaseKernelizer(TransformerMixin, _BaseComposition):
    """Fit kernels on samples, and return lazy stacks."""

    normalize: str | None
    n_jobs: int | None

    @property
    @abstractmethod
    def _named_kernels(self) -> list[tuple[str, Any]]:
        """Pairs (name, kernel), for the names of parameters."""

    @abstractmethod
    def _samples(self, X: Any) -> Any:
        """Return samples of a kind that the entries can be taken from."""

    @abstractmethod
    def _resolve(self, X: Any) -> list[Entry]:
        """Check the kernels that were given, and find their part of the training samples."""

    @abstractmethod
    def _select(self, X: Any, entry: Entry) -> Any:
        """Return an entry's part of samples."""

    def _check_features(self, X: Any, *, reset: bool) -> None:
        """Learn the features of the samples, or refuse samples with others."""
        validate_data(self, X, reset=reset, skip_check_array=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        steps = [first_step(spec) for spec in self._all_specs()]
        inputs = [
            get_tags(step).input_tags
            for step in steps
            if hasattr(step, "__sklearn_tags__") and not isinstance(step, type)
        ]
        tags.input_tags.sparse = len(inputs) == len(steps) and all(i.sparse for i in inputs)
        tags.input_tags.positive_only = any(i.positive_only for i in inputs)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _all_specs(self) -> list[Any]:
        """Return every kernel as it was given, none where `fit` will refuse them."""
        try:
            pairs = [(name, spec) for name, spec in self._named_kernels]
        except (TypeError, ValueError):
            return []
        return [one for _, spec in pairs for one in (spec if isinstance(spec, list) else [spec])]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit every kernel, and learn its normalisation.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Passed to the steps of pipelines; kernels do not look at it.

        Returns
        -------
        self : object
            Fitted kernelizer.

        Raises
        ------
        ValueError, TypeError
            If a kernel cannot be fitted; the message says which one.
        """
        # `in` on a list: what is not hashable is refused with this message too.
        if self.normalize not in list(NORMALIZATIONS):
            raise ValueError(
                f'normalize is {self.normalize!r}; expected "cosine", "trace", "center" or None.'
            )
        X = self._samples(X)
        entries = self._resolve(X)
        labels = _unique([_label(entry, spec) for entry in entries for spec in entry.specs])
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fit_kernel)(spec, data, y, self.normalize, label)
            for (spec, data), label in zip(self._pairs(X, entries), labels, strict=True)
        )
        # Only now: nothing is kept of a fit that fails.
        self._check_features(X, reset=True)
        self._entries = entries
        self._fitted: list[FittedKernel] = list(fitted)
        self.kernels_ = [one.kernel for one in self._fitted]
        self.kernel_names_ = labels
        return self

    def fit_transform(self, X: Any, y: Any = None) -> KernelStack:
        """Fit, and return the kernels between the training samples.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Passed to the steps of pipelines; kernels do not look at it.

        Returns
        -------
        KernelStack of shape (n_samples, n_samples, m)
            Computed on demand.
        """
        self.fit(X, y)
        views = [KernelView(fitted) for fitted in self._fitted]
        return self._stack(views, np.array([kernel._is_psd() for kernel in self.kernels_]))

    def transform(self, X: Any) -> KernelStack:
        """Return the kernels between samples and the training samples.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        KernelStack of shape (n_samples, n_train_samples, m)
            Computed on demand: what is prepared here are the samples of every kernel.
        """
        check_is_fitted(self)
        X = self._samples(X)
        self._check_features(X, reset=False)
        views = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_view)(fitted, data)
            for fitted, (_, data) in zip(self._fitted, self._pairs(X, self._entries), strict=True)
        )
        return self._stack(list(views), None)

    def _pairs(self, X: Any, entries: Sequence[Entry]) -> Iterator[tuple[Any, Any]]:
        """Yield every kernel with its samples."""
        for entry in entries:
            data = self._select(X, entry)
            table = _as_table(data) if entry.columns is not None else data
            numeric = [isinstance(first_step(spec), FeatureKernel) for spec in entry.specs]
            # Kernels on features share one array of them, instead of one conversion each.
            features = _as_features(table) if sum(numeric) > 1 else table
            for spec, wants_features in zip(entry.specs, numeric, strict=True):
                if wants_features:
                    yield spec, features
                else:
                    yield spec, table if takes_table(spec) else data

    def _stack(self, views: list[KernelView], sound: Any) -> KernelStack:
        storage = LazyStorage(views, n_jobs=self.n_jobs)
        return KernelStack._from_storage(storage, self.kernel_names_, sound)


def as_list(spec: Any, name: str) -> list[Any]:
    """Return the kernels of an entry."""
    if not isinstance(spec, list):
        return [spec]
    if len(spec) == 0:
        raise ValueError(f"kernel of {name!r} is an empty list; expected at least one kernel.")
    return spec


def _label(entry: Entry, spec: Any) -> str:
    with _named_errors(f"kernel of {entry.name!r}" if entry.name else "kernel"):
        as_kernel(spec)
    return f"{entry.name}:{kernel_label(spec)}" if entry.name else kernel_label(spec)


def _fit_kernel(spec: Any, data: Any, y: Any, normalize: str | None, label: str) -> FittedKernel:
    with _named_errors(label):
        kernel = as_kernel(spec)
        train = kernel._fit_prepare(data, y)
        return FittedKernel(kernel, train, NORMALIZATIONS[normalize](), label)


def _view(fitted: FittedKernel, data: Any) -> KernelView:
    with _named_errors(fitted.label):
        return KernelView(fitted, fitted.kernel._prepare(data))


@contextmanager
def _named_errors(label: str) -> Iterator[None]:
    """Say in an error which kernel it came from."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Subclasses (NotFittedError, UnicodeDecodeError) may be built in another way.
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{label}: {error}") from error


def _as_table(data: Any) -> Any:
    """Return a single column in two dimensions, other samples as they are."""
    if hasattr(data, "to_frame"):
        return data.to_frame()
    return data.reshape(-1, 1) if isinstance(data, np.ndarray) and data.ndim == 1 else data


def _as_features(data: Any) -> Any:
    """Return data as kernels on features would see it; unchanged if they would refuse it."""
    try:
        return check_array(
            data, accept_sparse="csr", dtype=(np.float64, np.float32), ensure_all_finite=False
        )
    except (TypeError, ValueError):
        return data


def _unique(labels: Sequence[str]) -> list[str]:
    """Return labels in which those that occur again are numbered: rbf, rbf#2."""
    unique: list[str] = []
    for label in labels:
        numbered, number = label, 1
        while numbered in unique:
            number += 1
            numbered = f"{label}#{number}"
        unique.append(numbered)
    return unique
