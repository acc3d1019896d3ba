"""From samples to a stack of kernels: what both kernelizers share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mkfusion.kernels._base import Kernel
from mkfusion.kernels._feature_kernels import FeatureKernel
from mkfusion.kernels.kernelizer._adapters import (
    as_kernel,
    first_step,
    join_input_tags,
    kernel_label,
    takes_table,
)
from mkfusion.kernels.kernelizer._columns import in_two_dimensions
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView, training_view
from mkfusion.kernels.kernelizer._missing import Completion
from mkfusion.kernels.kernelizer._normalize import NORMALIZATIONS
from mkfusion.kernels.stack._lazy_storage import LazyStorage
from mkfusion.kernels.stack._stack import KernelStack
from mkfusion.kernels.stack._views import View

__all__ = ["BaseKernelizer", "Entry", "Parts", "as_list"]


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
    chosen : tuple of int
        Which of the kernels `fit` has chosen.
    """

    name: str
    specs: list[Any]
    columns: Any = None
    chosen: tuple[int, ...] = ()


class Parts(NamedTuple):
    """What the entries see of samples.

    Attributes
    ----------
    data : list of n_entries samples
        Of those that have an entry's part; None where none has it.
    present : ndarray of shape (n_samples, n_entries), dtype=bool, or None
        Which samples have it; None where kernels see all samples.
    blame : list of n_entries str or None, or None
        What to say instead where a kernel does not cope with what it sees.
    """

    data: list[Any]
    present: NDArray[np.bool_] | None = None
    blame: list[str | None] | None = None


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

    def _parts(self, X: Any, entries: Sequence[Entry], *, training: bool) -> Parts:
        """Return every entry's part of samples."""
        return Parts([self._select(X, entry) for entry in entries])

    def _complete(
        self, fitted: Sequence[FittedKernel], entries: Sequence[Entry], parts: Parts
    ) -> Completion | None:
        """Return what makes kernels on the samples that have their part ones on all samples."""
        return None

    def _check_features(self, X: Any, *, reset: bool) -> None:
        """Learn the features of the samples, or refuse samples with others."""
        validate_data(self, X, reset=reset, skip_check_array=True)

    def __sklearn_tags__(self) -> Any:
        tags = join_input_tags(super().__sklearn_tags__(), self._all_specs())
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
        parts = self._parts(X, entries, training=True)
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fit_kernel)(spec, data, target, self.normalize, label, blame)
            for (spec, data, target, blame), label in zip(
                _pairs(entries, parts, y), labels, strict=True
            )
        )
        completion = self._complete(list(fitted), entries, parts)
        # Only now: nothing is kept of a fit that fails.
        self._check_features(X, reset=True)
        self._entries = entries
        self._fitted: list[FittedKernel] = list(fitted)
        self._completion = completion
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
        if self._completion is None:
            views = [training_view(fitted) for fitted in self._fitted]
        else:
            views = self._completion.training_views()
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
        parts = self._parts(X, self._entries, training=False)
        pairs = _pairs(self._entries, parts, None)
        views: list[View] = list(
            Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_view)(fitted, data, blame)
                for fitted, (_, data, _, blame) in zip(self._fitted, pairs, strict=True)
            )
        )
        if self._completion is not None and parts.present is not None:
            views = self._completion.views(views, parts.present)
        return self._stack(views, None)

    def _stack(self, views: list[View], sound: Any) -> KernelStack:
        storage = LazyStorage(views, n_jobs=self.n_jobs)
        return KernelStack._from_storage(storage, self.kernel_names_, sound)


def _pairs(
    entries: Sequence[Entry], parts: Parts, y: Any
) -> Iterator[tuple[Any, Any, Any, str | None]]:
    """Yield every kernel with its samples, their targets, and what to say if it fails."""
    for e, (entry, data) in enumerate(zip(entries, parts.data, strict=True)):
        target, blame = y, None if parts.blame is None else parts.blame[e]
        if y is not None and parts.present is not None:
            target = _safe_indexing(y, np.flatnonzero(parts.present[:, e]))
        table = in_two_dimensions(data) if entry.columns is not None else data
        numeric = [isinstance(first_step(spec), FeatureKernel) for spec in entry.specs]
        # Kernels on features share one array of them, instead of one conversion each.
        features = _as_features(table) if sum(numeric) > 1 else table
        for spec, wants_features in zip(entry.specs, numeric, strict=True):
            if wants_features:
                yield spec, features, target, blame
            elif takes_table(spec):
                own = isinstance(first_step(spec), Kernel) and isinstance(table, list)
                yield spec, np.array(table, object)[:, np.newaxis] if own else table, target, blame
            else:
                yield spec, data, target, blame


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


def _fit_kernel(
    spec: Any, data: Any, y: Any, normalize: str | None, label: str, blame: str | None
) -> FittedKernel:
    with _named_errors(label, blame):
        kernel = as_kernel(spec)
        train = kernel._fit_prepare(data, y)
        return FittedKernel(kernel, train, NORMALIZATIONS[normalize](), label)


def _view(fitted: FittedKernel, data: Any, blame: str | None) -> View:
    if data is None:
        return training_view(fitted).take(np.empty(0, dtype=np.intp), None)
    with _named_errors(fitted.label, blame):
        return KernelView(fitted, fitted.kernel._prepare(data))


@contextmanager
def _named_errors(label: str, blame: str | None = None) -> Iterator[None]:
    """Say in an error which kernel it came from, and what is to blame for it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Subclasses (NotFittedError, UnicodeDecodeError) may be built in another way.
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{label}: {blame or error}") from error


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
