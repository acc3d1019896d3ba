"""A weighted sum of kernels as one kernel, for any kernel machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import Hyperparameter
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Indices
from mkfusion.kernels._kernel import Bundle, Kernel, NamesOfParts, tags_of_parts
from mkfusion.kernels.kernelizer._column_kernelizer import ColumnKernelizer
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView
from mkfusion.kernels.kernelizer._interactions import (
    InteractionKernels,
    interaction_kernels,
    products_of,
)
from mkfusion.kernels.kernelizer._kernelizer import BaseKernelizer, Kernelizer
from mkfusion.kernels.kernelizer._missing import (
    Completed,
    ImputedColumns,
    ImputedRows,
    Members,
    PaddedView,
)
from mkfusion.kernels.kernelizer._normalize import Normalization
from mkfusion.stack import ComputedStack, KernelStack, View


class _Known(Normalization):
    """A normalisation that was learned, with the statistics of other samples for the columns."""

    def __init__(self, learned: Normalization, statistic: NDArray[np.float64]) -> None:
        self.learned = learned
        self.train_statistic = statistic

    @property
    def factor_of_unit_diagonal(self) -> float | None:
        return self.learned.factor_of_unit_diagonal

    def fit(self, source: Any) -> None:
        pass

    def apply(
        self, block: FloatArray, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> FloatArray:
        return self.learned.apply(block, rows, cols)

    def apply_diagonal(
        self, diagonal: NDArray[np.float64], statistic: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return self.learned.apply_diagonal(diagonal, statistic)


class Incomplete:
    """Prepared samples of which some lack a kernel's modality, indexed together.

    Parameters
    ----------
    known : Bundle
        Those that have it.
    completed : Completed
        What all of them are.
    """

    def __init__(self, known: Bundle, completed: Completed) -> None:
        self.known = known
        self.completed = completed

    @property
    def shape(self) -> tuple[int]:
        return (len(self.completed.present),)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.known.dtype

    def __getitem__(self, rows: Any) -> Incomplete:
        index = np.arange(self.shape[0])[rows[0] if isinstance(rows, tuple) else rows]
        completed, there = self.completed.take(index)
        return Incomplete(self.known[there], completed)


def prepared_by(views: Sequence[KernelView], completed: Sequence[Completed] | None) -> Bundle:
    """Return the row samples of each kernel, with the statistics that normalise them."""
    known = [Bundle([view._row_samples, view._row_statistic(None)]) for view in views]
    if completed is None:
        return Bundle(known)
    return Bundle([Incomplete(*pair) for pair in zip(known, completed, strict=True)])


def completed_between(
    fitted: FittedKernel, rows: Incomplete, cols: Incomplete | None, donors: Indices
) -> View:
    """Return a kernel between prepared samples some of which lack its modality.

    Parameters
    ----------
    fitted : FittedKernel
    rows, cols : Incomplete
        The latter None for the former.
    donors : ndarray of shape (n_donors,)
        Among the training samples of the kernel: what weights are of.
    """
    known = view_between(fitted, rows.known, None if cols is None else cols.known)
    others = rows if cols is None else cols
    left, right = rows.completed, others.completed
    if left.weights is None or right.weights is None:
        return PaddedView(known, left.present, right.present, left.factors, right.factors)
    train = Bundle([fitted.train, fitted.normalization.train_statistic])[donors]
    whole = np.arange(len(donors))
    row_members = Members(left.present, left.weights, whole)
    completed = ImputedRows(known, view_between(fitted, train, others.known), row_members)
    with_donors = ImputedRows(
        view_between(fitted, rows.known, train), view_between(fitted, train, None), row_members
    )
    return ImputedColumns(completed, Members(right.present, right.weights, whole), with_donors)


def view_between(fitted: FittedKernel, rows: Bundle, cols: Bundle | None) -> KernelView:
    """Return a kernel between prepared samples, which need not be the training samples."""
    samples, statistic = (rows if cols is None else cols).parts
    known = _Known(fitted.normalization, statistic)
    view = FittedKernel(fitted.kernel, samples, known, fitted.label)
    if cols is None:
        return KernelView(view)
    other = KernelView(view, rows.parts[0])
    other._statistic = rows.parts[1]
    return other


class CompositeKernel(NamesOfParts, Kernel):
    """The weighted sum of several kernels, sum_k w_k k_k(x, z), as one kernel.

    Any kernel machine of scikit-learn takes it as it stands: ``SVC(kernel=composite)``, `SVR`,
    `OneClassSVM`, `KernelRidge`, `KernelPCA`, ``SpectralClustering(affinity=composite)``,
    `Nystroem`, `GaussianProcessRegressor` and `GaussianProcessClassifier`. :meth:`from_pipeline`
    makes it of what multiple kernel learning has learned.

    Parameters
    ----------
    kernels : ColumnKernelizer or Kernelizer, or what the latter takes
        The latter without a normalisation. A kernelizer may stand in a Pipeline: after transformers
        of the samples, and before :class:`~mkfusion.InteractionKernels`. Parameters of the kernels
        go by the names that they have there: ``composite.set_params(accel__gamma=0.1)``. Samples
        may lack a modality as its `missing` says.
    weights : array-like of shape (m,), default=None
        Non-negative; 1 for each kernel by default.
    weights_bounds : "fixed" or pair of float, default="fixed"
        Between which positive bounds a Gaussian process learns the weights, starting from those
        given, by maximising the marginal likelihood; "fixed" leaves them as they are.

    Attributes
    ----------
    kernels_ : ColumnKernelizer, Kernelizer or Pipeline
        Fitted.
    kernel_names_ : list of m str
        The names of the kernels.
    n_features_in_ : int
        Number of features, or of modalities, seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    KernelCombiner : From a stack of kernels to one Gram matrix, with weights learned in each
        training fold; for machines with ``kernel="precomputed"``.

    Notes
    -----
    What kernels and normalisations learn from data (not the weights) is learned from the training
    samples of the machine, in each training fold anew, unless `kernels` is a fitted
    :class:`sklearn.frozen.FrozenEstimator`. `SVC`, `SVR` and `OneClassSVM` take samples of any
    kind, such as `Modalities`; other machines of scikit-learn make one array of the samples first,
    whose columns have no names. `KernelPCA` with `n_jobs` shows a kernel some of the columns at a
    time, so that it must be fitted before.

    References
    ----------
    Rasmussen and Williams, "Gaussian processes for machine learning", MIT Press (2006), section
    5.4.1: the marginal likelihood.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from mkfusion import ColumnKernelizer, CompositeKernel
    >>> X, y = load_iris(return_X_y=True)
    >>> kernels = [("sepal", "rbf", [0, 1]), ("petal", "rbf", [2, 3])]
    >>> composite = CompositeKernel(ColumnKernelizer(kernels), weights=[0.3, 0.7])
    >>> SVC(kernel=composite).fit(X, y).predict(X[[0, 50, 100]])
    array([0, 1, 2])
    """

    def __init__(
        self,
        kernels: Any,
        weights: ArrayLike | None = None,
        *,
        weights_bounds: Any = "fixed",
    ) -> None:
        self.kernels = kernels
        self.weights = weights
        self.weights_bounds = weights_bounds

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline) -> CompositeKernel:
        """Return the kernel that a fitted pipeline has learned.

        Kernels, normalisations and weights stay as they are, in copies by `clone` too. The values
        with the training samples are those of ``kernelizer.transform(X).combine(weights)``.

        Parameters
        ----------
        pipeline : Pipeline
            A :class:`~mkfusion.ColumnKernelizer` or :class:`~mkfusion.Kernelizer`, then a step that
            has learned `weights_`: an :class:`~mkfusion.MKLClassifier`. There may be transformers
            of the samples before, :class:`~mkfusion.InteractionKernels` between, and any steps
            behind. Steps that were fitted one by one make a pipeline by
            :func:`sklearn.pipeline.make_pipeline`.

        Returns
        -------
        CompositeKernel

        Raises
        ------
        ValueError, TypeError
            If there are no such steps, or the weights differ between classes.
        sklearn.exceptions.NotFittedError
            If a step is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.decomposition import KernelPCA
        >>> from sklearn.pipeline import make_pipeline
        >>> from mkfusion import CompositeKernel, Kernelizer, MKLClassifier, RBFKernel
        >>> X, y = load_iris(return_X_y=True)
        >>> kernelizer = Kernelizer([RBFKernel(gamma=gamma) for gamma in (0.01, 0.1, 1.0)])
        >>> model = make_pipeline(kernelizer, MKLClassifier(C=10)).fit(X, y)
        >>> composite = CompositeKernel.from_pipeline(model)
        >>> KernelPCA(2, kernel=composite).fit_transform(X).shape
        (150, 2)
        """
        if not isinstance(pipeline, Pipeline):
            raise TypeError(
                f"pipeline is a {type(pipeline).__name__}; expected a fitted Pipeline of a "
                "kernelizer and a step that learns weights, such as MKLClassifier."
            )
        check_is_fitted(pipeline)
        position = _position(pipeline)
        for i, (name, step) in enumerate(pipeline.steps[position + 1 :], position + 1):
            if not hasattr(step, "weights_"):
                continue
            if np.ndim(step.weights_) != 1:
                raise ValueError(
                    f"step {name!r} has weights_ of shape {step.weights_.shape}; expected one "
                    "weight for each kernel, not for each class too."
                )
            kernels = pipeline[:i] if i > 1 else pipeline[0]
            _check_behind(_split(kernels))
            return cls(FrozenEstimator(kernels), weights=step.weights_.copy())
        raise TypeError(
            f"pipeline has the steps {list(pipeline.named_steps)}; expected a kernelizer, and "
            "behind it one that learns weights of kernels, such as MKLClassifier."
        )

    @property
    def kernels_(self) -> Any:
        return self.kernels.estimator if self._is_frozen else self._fitted

    @property
    def kernel_names_(self) -> list[str]:
        return _names(_split(self.kernels_))

    @property
    def n_features_in_(self) -> int:
        return int(self.kernels_.n_features_in_)

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        names: NDArray[Any] = self.kernels_.feature_names_in_
        return names

    @property
    def _is_frozen(self) -> bool:
        return isinstance(self.kernels, FrozenEstimator)

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_frozen or hasattr(self, "_fitted")

    def _given(self) -> Any:
        """Return what makes stacks of the kernels, as it was given."""
        kernels = self.kernels.estimator if self._is_frozen else self.kernels
        if isinstance(kernels, BaseKernelizer):
            return kernels
        if isinstance(kernels, Pipeline) and _position(kernels) < len(kernels):
            return kernels
        return Kernelizer(kernels, normalize=None)

    def _inner_params(self) -> dict[str, Any]:
        given = self._given()
        params: dict[str, Any] = {} if self._is_frozen else given.get_params()
        # The names of kernels in a list are those of a Kernelizer, which has no other parameter.
        hidden = [] if given is self.kernels else given.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in hidden}

    def _set_inner_params(self, params: dict[str, Any]) -> None:
        if params:
            given = self._given().set_params(**params)
            if given is not self.kernels:
                self.kernels = given.kernels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        parts = _split(self._given())
        if parts.before:
            tags.input_tags = get_tags(parts.before[0]).input_tags
            return tags
        tags = tags_of_parts(tags, parts.kernelizer._all_specs())
        if isinstance(parts.kernelizer, ColumnKernelizer):
            tags.input_tags.two_d_array = False  # not only: Modalities too
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        if self._is_frozen:
            self._weights(self.kernel_names_)
            return self._prepare(X)
        kernels = clone(self._given())
        parts = _split(kernels)
        _check_behind(parts)
        for step in parts.before:
            X = step.fit_transform(X, y)
        parts.kernelizer.fit(X, y)
        self._weights(_names(parts))
        self._fitted = kernels
        completion = parts.kernelizer._completion
        completed = None if completion is None else completion.completed()
        return prepared_by([KernelView(one) for one in parts.kernelizer._fitted], completed)

    def _prepare(self, X: Any) -> Any:
        parts = _split(self.kernels_)
        _check_behind(parts)
        for step in parts.before:
            X = step.transform(X)
        views, present = parts.kernelizer._known_views(X)
        completion = parts.kernelizer._completion
        completed = None if completion is None else completion.completed(views, present)
        return prepared_by(views, completed)

    def _stack(self, samples: Bundle, others: Bundle | None = None) -> KernelStack:
        """Return the kernels between prepared samples."""
        parts = _split(self.kernels_)
        fitted = parts.kernelizer._fitted
        columns: Any = [None] * len(fitted) if others is None else others.parts
        completion = parts.kernelizer._completion
        views: list[View] = [
            view_between(one, rows, cols)
            if completion is None
            else completed_between(one, rows, cols, completion.donors(k))
            for k, (one, rows, cols) in enumerate(zip(fitted, samples.parts, columns, strict=True))
        ]
        names, n_jobs = parts.kernelizer.kernel_names_, parts.kernelizer.n_jobs
        stack: KernelStack = ComputedStack(views, names, n_jobs=n_jobs)
        for step in parts.interactions:
            stack = interaction_kernels(stack, step.order, within_entries=step.within_entries)
        return stack

    def _weights(self, names: list[str]) -> NDArray[np.float64]:
        """Return the weights (m,) of kernels with these names, or refuse what is none."""
        if not self._is_fixed:
            self._check_start()
        if self.weights is None:
            return np.ones(len(names))
        try:
            weights = np.asarray(self.weights, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"weights is {shown(self.weights)}; expected numbers.") from error
        if weights.shape != (len(names),) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(
                f"weights is {shown(self.weights)}; expected {len(names)} finite non-negative "
                f"numbers, one for each of the kernels {names}."
            )
        return weights

    def _evaluate(self, samples: Bundle, others: Bundle | None = None) -> FloatArray:
        stack = self._stack(samples, others)
        return stack.combine(self._weights(stack.names))

    def _diagonal(self, samples: Bundle) -> NDArray[np.float64]:
        stack = self._stack(samples)
        return self._weights(stack.names) @ stack.diagonal()

    def _gradient(self, samples: Bundle) -> NDArray[np.float64]:
        if self._is_fixed:
            return super()._gradient(samples)
        stack = self._stack(samples)
        gradient: NDArray[np.float64] = np.asarray(stack) * self._weights(stack.names)
        return gradient

    def _is_psd(self) -> bool:
        return all(kernel._is_psd() for kernel in _split(self.kernels_).kernelizer.kernels_)

    def _has_own_noise(self) -> bool:
        return any(kernel._has_own_noise() for kernel in _split(self.kernels_).kernelizer.kernels_)

    def _label(self) -> str:
        names = [name for name, _ in _split(self._given()).kernelizer._named_kernels]
        return f"composite({', '.join(names)})"

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """What a Gaussian process may learn by the marginal likelihood: the weights."""
        if self._is_fixed:
            return []
        return [Hyperparameter("weights", "numeric", self.weights_bounds, len(self.theta))]

    @property
    def theta(self) -> NDArray[np.float64]:
        """The logarithms of the weights, unless these are fixed."""
        if self._is_fixed or self.weights is None:
            return np.empty(0)
        with np.errstate(divide="ignore"):  # `fit` refuses them
            return np.log(np.ravel(self.weights))

    @theta.setter
    def theta(self, theta: NDArray[np.float64]) -> None:
        if not self._is_fixed:
            self.weights = np.exp(theta)

    @property
    def _is_fixed(self) -> bool:
        return isinstance(self.weights_bounds, str) and self.weights_bounds == "fixed"

    def _check_start(self) -> None:
        """Refuse what a Gaussian process cannot start from."""
        bounds = np.ravel(self.weights_bounds)
        if bounds.shape != (2,) or not 0 < bounds[0] < bounds[1] < np.inf:
            raise ValueError(
                f"weights_bounds is {shown(self.weights_bounds)}; expected 'fixed' or two positive "
                "numbers, the smaller one first."
            )
        if self.weights is None or np.min(self.weights) <= 0:
            raise ValueError(
                f"weights is {shown(self.weights)}; expected positive weights to start from, since "
                f"weights_bounds is {shown(self.weights_bounds)}."
            )


class _Parts(NamedTuple):
    """A kernelizer, transformers of the samples before it, and products of kernels behind it."""

    before: list[Any]
    kernelizer: BaseKernelizer
    interactions: list[InteractionKernels]


def _position(pipeline: Pipeline) -> int:
    """Return where the kernelizer stands, or the number of steps if there is none."""
    found = [isinstance(step, BaseKernelizer) for _, step in pipeline.steps]
    return [*found, True].index(True)


def _names(parts: _Parts) -> list[str]:
    """Return the names of the kernels in the stacks that fitted parts make."""
    names: list[str] = parts.kernelizer.kernel_names_
    for step in parts.interactions:
        names, _ = products_of(names, step.order, step.within_entries)
    return names


def _split(kernels: Any) -> _Parts:
    if isinstance(kernels, BaseKernelizer):
        return _Parts([], kernels, [])
    steps = [step for _, step in kernels.steps]
    position = _position(kernels)
    before = [step for step in steps[:position] if step not in (None, "passthrough")]
    behind = [step for step in steps[position + 1 :] if step not in (None, "passthrough")]
    return _Parts(before, steps[position], behind)


def _check_behind(parts: _Parts) -> None:
    """Refuse what cannot be evaluated between any samples."""
    for step in parts.interactions:
        if not isinstance(step, InteractionKernels):
            raise TypeError(
                f"kernels has {shown(step)} behind the kernelizer; expected InteractionKernels or "
                "nothing."
            )
