"""Kernels on whole samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mkfusion._compat import BaseComposition, name_estimators, safe_indexing
from mkfusion._messages import shown
from mkfusion.data import (
    Modalities,
    check_rows,
    column_names,
    in_two_dimensions,
    naming_columns,
    top_levels,
    with_numbers,
)
from mkfusion.kernels._kernel import (
    Kernel,
    as_kernel,
    first_step,
    join_input_tags,
    kernel_label,
    sees_numbers,
    takes_table,
)
from mkfusion.kernels._rows import FeatureKernel
from mkfusion.kernels._visual import visual_block
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView, training_view
from mkfusion.kernels.kernelizer._missing import Completion
from mkfusion.kernels.kernelizer._normalize import NORMALIZATIONS
from mkfusion.stack import ComputedStack, KernelStack, View


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
    within : list or None
        The names of the part's columns, where it is a table of `Modalities`.
    """

    name: str
    specs: list[Any]
    columns: Any = None
    chosen: tuple[int, ...] = ()
    within: list[Any] | None = None


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


class BaseKernelizer(TransformerMixin, BaseComposition):
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
                f'normalize is {shown(self.normalize)}; expected "cosine", "trace", "center" or '
                "None."
            )
        X = self._samples(X)
        check_rows(X, y=y)
        entries = self._resolve(X)
        labels = _unique([_label(entry, spec) for entry in entries for spec in entry.specs])
        parts = self._parts(X, entries, training=True)
        fitted = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fit_kernel)(task, self.normalize, label)
            for task, label in zip(_tasks(entries, parts, y), labels, strict=True)
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
        psd = np.array([kernel._is_psd() for kernel in self.kernels_])
        return ComputedStack(views, self.kernel_names_, known_gram=psd, n_jobs=self.n_jobs)

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

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        return ComputedStack(self._views(X), self.kernel_names_, n_jobs=self.n_jobs)

    def _views(self, X: Any) -> list[View]:
        """Return every kernel between samples and the training samples."""
        known, present = self._known_views(X)
        if self._completion is None or present is None:
            return list(known)
        return self._completion.views(known, present)

    def _known_views(self, X: Any) -> tuple[list[KernelView], NDArray[np.bool_] | None]:
        """Return kernels between samples and training samples that have their part.

        And which samples have which entry's, if some may lack it.
        """
        X = self._samples(X)
        self._check_features(X, reset=False)
        parts = self._parts(X, self._entries, training=False)
        tasks = _tasks(self._entries, parts, None)
        views: list[KernelView] = list(
            Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_view)(fitted, task)
                for fitted, task in zip(self._fitted, tasks, strict=True)
            )
        )
        return views, parts.present


class _Task(NamedTuple):
    """A kernel, and what it is to see.

    Attributes
    ----------
    spec : kernel, or what stands for one
    seen : samples
    target : array of shape (n_samples,) or None
    given : samples
        As the user has them, with names of columns.
    blame : str or None
        What to say instead where the kernel does not cope.
    """

    spec: Any
    seen: Any
    target: Any
    given: Any
    blame: str | None


def _tasks(entries: Sequence[Entry], parts: Parts, y: Any) -> Iterator[_Task]:
    """Yield every kernel with its samples, their targets, and what to say if it fails."""
    for e, (entry, data) in enumerate(zip(entries, parts.data, strict=True)):
        target, blame = y, None if parts.blame is None else parts.blame[e]
        if y is not None and parts.present is not None:
            target = safe_indexing(y, np.flatnonzero(parts.present[:, e]))
        table = in_two_dimensions(data) if entry.columns is not None else data
        numeric = [isinstance(first_step(spec), FeatureKernel) for spec in entry.specs]
        # Kernels on features share one array of them, instead of one conversion each.
        features = _as_features(table) if sum(numeric) > 1 else table
        for spec, wants_features in zip(entry.specs, numeric, strict=True):
            if wants_features:
                yield _Task(spec, features, target, data, blame)
            elif takes_table(spec):
                seen = with_numbers(table) if sees_numbers(spec) else table
                if isinstance(first_step(spec), Kernel) and isinstance(table, list):
                    seen = np.array(table, object)[:, np.newaxis]
                yield _Task(spec, seen, target, data, blame)
            else:
                _refuse_column_in_a_list(spec, data, entry)
                yield _Task(spec, data, target, data, blame)


def _refuse_column_in_a_list(spec: Any, data: Any, entry: Entry) -> None:
    """Refuse a table of one column for what wants texts: it would take names for them."""
    step = first_step(spec)
    if getattr(data, "ndim", 2 if hasattr(data, "columns") else 1) != 2 or data.shape[1] != 1:
        return
    vectorizer = hasattr(step, "__sklearn_tags__") and not isinstance(step, Kernel)
    if vectorizer and get_tags(step).input_tags.string:
        columns = entry.columns
        if isinstance(columns, str):
            given, wanted = f"modality {shown(columns)} is a table of one column", "its column"
        else:
            names = columns.names if columns.by_name else columns.positions
            given, wanted = f"its columns are {shown(names)}", f"{shown(names[0])} without a list"
        raise ValueError(
            f"kernel of {shown(entry.name)} begins with a {type(step).__name__}, which takes "
            f"texts in one dimension, but {given}; expected {wanted}."
        )


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


def _fit_kernel(task: _Task, normalize: str | None, label: str) -> FittedKernel:
    with _named_errors(label, task.blame), naming_columns(task.given):
        kernel = as_kernel(task.spec)
        train = kernel._fit_prepare(task.seen, task.target)
        return FittedKernel(kernel, train, NORMALIZATIONS[normalize](), label)


def _view(fitted: FittedKernel, task: _Task) -> KernelView:
    if task.seen is None:
        return KernelView(fitted, safe_indexing(fitted.train, np.empty(0, dtype=np.intp)))
    with _named_errors(fitted.label, task.blame), naming_columns(task.given):
        return KernelView(fitted, fitted.kernel._prepare(task.seen))


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
    data = with_numbers(data)
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
    # Names of columns of several levels, which are no strings
    _levels: list[Any] | None = None

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
            return name_estimators([self.kernels])
        if self._has_pairs():
            return list(self.kernels)
        return name_estimators(self.kernels)

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
        names = None if several or top_levels(X) is None else column_names(X)
        if not reset and None not in (names, self._levels) and names != self._levels:
            raise ValueError(
                f"X has the columns {shown(names)}; expected those of fit in their order: "
                f"{shown(self._levels)}."
            )
        if not several:
            super()._check_features(X, reset=reset)
        elif reset:  # later each kernel finds its modality by name
            self.n_features_in_ = len(X.names)
            self.feature_names_in_ = np.array(X.names, dtype=object)
        if reset:
            self._sees_modalities = several
            self._levels = names

    def _sk_visual_block_(self) -> Any:
        return visual_block(self._named_kernels)
