"""What a kernel is, what may stand for one, and how kernels combine."""

from __future__ import annotations

import functools
import inspect
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from numbers import Real
from types import EllipsisType
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel as GPKernel
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import (
    BaseComposition,
    clone_parametrized,
    is_fitted,
    num_samples,
    safe_indexing,
)
from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.data import (
    Modalities,
    as_table,
    in_two_dimensions,
    names_within,
    resolve_columns,
    rollback,
    select_columns,
)
from mkfusion.kernels._parameters import check_number
from mkfusion.kernels._visual import visual_block

EXPECTED = (
    "a kernel object such as RBFKernel(), a name that sklearn.metrics.pairwise.pairwise_kernels "
    "knows, a function f(X, Y), a Gaussian-process kernel, or a Pipeline that ends in one of these"
)


class Kernel(BaseEstimator, GPKernel):
    """A similarity between samples of any kind, as a scikit-learn estimator: the base class.

    `fit` learns what depends on data, calling the kernel gives the Gram matrix, and `diag` its
    diagonal. Kernelizers, the operators ``+``, ``*`` and ``**``, and `SVC`, `KernelRidge`,
    `KernelPCA`, `SpectralClustering`, `Nystroem` and Gaussian processes of scikit-learn take every
    kernel as it is.

    To write one, subclass it; for rows of numbers, subclass :class:`FeatureKernel`. Parameters are
    the arguments of `__init__`, kept there under their names and checked when the kernel is fitted,
    as in every scikit-learn estimator. What is learned has a name that ends in an underscore. Then
    run :func:`mkfusion.testing.check_kernel`.

    See Also
    --------
    FeatureKernel : The base class of kernels between rows of numbers.
    mkfusion.testing.check_kernel : Whether a kernel keeps what is said here.

    Notes
    -----
    Samples are prepared once (checked, transformed, tokenised, ...), and values are computed
    between prepared samples many times, between some of them: a :class:`KernelStack` evaluates
    kernels block by block. A subclass must write

    ``_evaluate(samples, others=None)``
        Return the values between prepared samples: a new array (n_samples, n_others) of float32 or
        float64, which may be modified by who asked. ``others=None`` stands for the same samples.

    and may write

    ``_prepare(X)``
        Return prepared samples, X itself by default: an array, a CSR matrix, a list, or any object
        with `shape` and ``__getitem__`` that takes an array of row indices.
    ``_learn(samples)``
        Check the parameters, and learn from the prepared training samples (n_samples, ...).
    ``_fit_prepare(X, y=None)``
        Where samples cannot be prepared before something is learned: learn, and return the prepared
        training samples. By default ``_prepare``, then ``_learn``.
    ``_diagonal(samples)``
        Return k(x, x) of prepared samples: an array (n_samples,) of float64. By default
        ``_evaluate(sample, sample)`` for each of them.
    ``_is_psd()``
        Return whether theory makes every Gram matrix of the fitted kernel positive semi-definite,
        which spares a test. By default not.
    ``_features(samples)``
        Return features whose inner products are the kernel, of prepared samples, where they are
        few: an array or a CSR matrix (n_samples, r) that is not modified; or None, the default.
    ``_gaussian(samples)``
        Return a pair of features, an array (n_samples, r) of finite numbers, and a positive gamma
        where the kernel is exp(-gamma ||x - z||^2) of them; or None, the default. Many samples are
        much faster then.
    ``_has_own_noise()``
        Return whether k(x, x) of one sample is larger than the kernel between two equal samples, as
        with white noise. ``_evaluate(samples)`` and ``_diagonal`` then have the noise, and
        ``_evaluate(samples, others)`` has not. By default not.
    ``_label()``
        Return a short name for stacks and messages. By default the name of the class in lower case
        without "Kernel", with the parameters that are not the default: "rbf(gamma=0.1)".

    ``_gradient(samples)``
        Return the derivatives by `theta` between prepared samples: an array (n_samples, n_samples,
        n_dims), for what `hyperparameters` offers to Gaussian processes, as in scikit-learn. By
        default nothing.

    If a fit fails, the kernel is left as it was before; subclasses need not see to that.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import Kernel, Kernelizer
    >>> class SharedKernel(Kernel):
    ...     "How many items two sets share."
    ...
    ...     def _evaluate(self, samples, others=None):
    ...         others = samples if others is None else others
    ...         return np.array([[float(len(one & other)) for other in others] for one in samples])
    ...
    ...     def _is_psd(self):
    ...         return True
    >>> baskets = [{"tea", "milk"}, {"tea"}, {"milk", "bread"}]
    >>> SharedKernel()(baskets)
    array([[2., 1., 1.],
           [1., 1., 0.],
           [1., 0., 2.]])
    >>> Kernelizer([SharedKernel(), SharedKernel() ** 2]).fit(baskets).kernel_names_
    ['shared', 'shared**2']
    """

    # It is one of scikit-learn's Gaussian-process kernels too, because these only are called with
    # whole collections of samples, where any other function is called for each pair of samples.
    # NumPy leaves `numpy.float64(2.0) * kernel` to the kernel.
    __array_ufunc__ = None
    # Equal is what is the same object, as among estimators, not what has the same parameters, as
    # among Gaussian-process kernels: arrays as parameters compare neither true nor false.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    # What a label begins with, if not with the name of the class
    _name: str | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # not only: samples of any kind
        return tags

    @abstractmethod
    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        """Return a new array (n_samples, n_others) between prepared samples."""

    def _prepare(self, X: Any) -> Any:
        """Return prepared samples, which scikit-learn can index."""
        return X

    def _learn(self, samples: Any) -> None:
        """Check the parameters, and learn from prepared training samples."""

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        """Fit, and return the prepared training samples."""
        samples = self._prepare(X)
        self._learn(samples)
        self.n_samples_fit_ = num_samples(samples)
        return samples

    def _diagonal(self, samples: Any) -> Floats:
        """Return k(x, x) (n_samples,) of prepared samples."""
        diagonal = np.empty(num_samples(samples))
        for i in range(len(diagonal)):  # one value at a time: never more than are needed
            sample = safe_indexing(samples, [i])
            diagonal[i] = self._evaluate(sample, sample).item()
        return diagonal

    def _is_psd(self) -> bool:
        """Whether theory makes every Gram matrix of the fitted kernel positive semi-definite."""
        return False

    def _features(self, samples: Any) -> Any:
        """Return explicit features (n_samples, r) whose inner products are the kernel, or None.

        Of prepared samples: an array or a CSR matrix. Not modified by who asks.
        """
        return None

    def _gaussian(self, samples: Any) -> tuple[FloatArray, float] | None:
        """Return features (n_samples, r) and gamma of a kernel exp(-gamma ||x - z||^2), or None.

        Of prepared samples. Not modified by who asks.
        """
        return None

    def _has_own_noise(self) -> bool:
        """Whether k(x, x) is larger for one sample than for two equal ones."""
        return False

    def _gradient(self, samples: Any) -> Floats:
        """Return the derivatives (n, n, n_dims) by `theta`, between prepared samples."""
        n_samples = num_samples(samples)
        return np.empty((n_samples, n_samples, 0))

    def _label(self) -> str:
        """Return a short readable name, with the parameters that are not the default."""
        name = self._name or type(self).__name__.removesuffix("Kernel").lower()
        arguments = inspect.signature(type(self)).parameters
        changed = [
            f"{key}={_rounded(value)}"
            for key, value in self.get_params(deep=False).items()
            if value is not arguments[key].default and np.any(value != arguments[key].default)
        ]
        return f"{name}({', '.join(changed)})" if changed else name

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what depends on data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted kernel.
        """
        self.__dict__.pop("_fresh", None)
        self._fit_or_restore(X, y)
        return self

    def _fit_or_restore(self, X: Any, y: Any = None) -> Any:
        """Fit, and return the prepared training samples; a fit that fails leaves nothing behind."""
        with rollback(self):
            return self._fit_prepare(X, y)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the Gram matrix between samples.

        A kernel that is not fitted learns from the samples of the columns, for this call only. That
        is what kernel machines need: ``SVC(kernel=kernel)`` asks for ``kernel(X_train, X_train)``
        in `fit` and for ``kernel(X_test, X_train)`` in `predict`. Fit the kernel before where a
        machine asks for some of the columns at a time, as `KernelPCA` does with `n_jobs`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples_X, n_features)
            Samples of the rows.
        Y : array-like or sparse matrix of shape (n_samples_Y, n_features), default=None
            Samples of the columns; X by default.
        eval_gradient : bool, default=False
            Whether to return the derivatives by `theta` too, as Gaussian processes ask for.

        Returns
        -------
        gram : ndarray of shape (n_samples_X, n_samples_Y)
        gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if `eval_gradient`.
        """
        if eval_gradient and Y is not None:
            raise ValueError("eval_gradient is True; expected no Y then.")
        # A Gaussian process clones its kernel and calls the clone with the training samples first.
        # Later it asks for k(test, train), k(train, test) or the diagonal at test samples, which do
        # not tell what to learn from: such a clone stays fitted. No other machine begins like this.
        keep = self.__dict__.pop("_fresh", False) and Y is None
        if is_fitted(self):
            kernel, prepare = self, self._prepare
        else:
            kernel = self if keep else clone(self)
            prepare = kernel._fit_or_restore
        columns = prepare(X if Y is None else Y)
        if Y is not None:
            return kernel._evaluate(columns if X is Y else kernel._prepare(X), columns)
        gram = kernel._evaluate(columns)
        return (gram, kernel._gradient(columns)) if eval_gradient else gram

    def __sklearn_clone__(self) -> Self:
        copy: Self = clone_parametrized(self)
        copy.__dict__["_fresh"] = True
        return copy

    def diag(self, X: Any) -> Floats:
        """Return the diagonal of ``kernel(X)`` without the rest of it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,), float64

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X is no samples, or other ones than those of fit.
        """
        check_is_fitted(self)
        return self._diagonal(self._prepare(X))

    def is_psd(self) -> bool:
        """Return whether theory makes every Gram matrix positive semi-definite.

        Returns
        -------
        bool

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_is_fitted(self)
        return self._is_psd()

    def is_stationary(self) -> bool:
        """Return whether k(x, z) is known to depend on x - z only: no.

        Returns
        -------
        bool
        """
        return False

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """What a Gaussian process may learn by the marginal likelihood: nothing."""
        return []

    @property
    def requires_vector_input(self) -> bool:
        """Whether samples are rows of a table."""
        tags = get_tags(self)
        return bool(tags.input_tags.two_d_array and not tags.no_validation)

    def on(self, columns: Any) -> Kernel:
        """Return the kernel of some columns, or of a modality, of the samples.

        ``RBFKernel().on("accel") * LinearKernel().on("gyro")`` is a kernel of whole samples that
        have these modalities.

        Parameters
        ----------
        columns : str, int, list, slice, boolean mask or callable
            For `Modalities`, the name of one. Otherwise as in
            :class:`sklearn.compose.ColumnTransformer`.

        Returns
        -------
        Kernel
            Not fitted.
        """
        return BoundKernel(self, columns)

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(other, self)

    def __mul__(self, other: Any) -> Any:
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return multiply(other, self)

    def __pow__(self, exponent: Any) -> Kernel:
        return PowerKernel(self, check_exponent(exponent))


# ------------------------------------------------------------------------ what may stand for one
# These learn in _adapters.py what else may stand for a kernel.


@functools.singledispatch
def as_kernel(spec: Any) -> Kernel:
    """Return a new unfitted kernel.

    Parameters
    ----------
    spec : Kernel, str, callable, sklearn.gaussian_process.kernels.Kernel or Pipeline
        Not modified.

    Returns
    -------
    Kernel

    Raises
    ------
    ValueError, TypeError
        If it is none of these.
    """
    raise TypeError(f"kernel is {shown(spec)}; expected {EXPECTED}.")


@as_kernel.register(type)
def _(spec: type) -> Kernel:
    raise TypeError(f"kernel is the class {spec.__name__}; expected an instance.")


@as_kernel.register(Kernel)
def _(spec: Kernel) -> Kernel:
    copy: Kernel = clone(spec)
    return copy


@functools.singledispatch
def kernel_label(spec: Any) -> str:
    """Return a short readable name of anything that stands for a kernel."""
    name: str = getattr(spec, "__name__", type(spec).__name__)
    return "lambda" if name == "<lambda>" else name


@kernel_label.register(Kernel)
def _(spec: Kernel) -> str:
    return spec._label()


@kernel_label.register(functools.partial)
def _(spec: functools.partial[Any]) -> str:
    shown = [str(value) for value in spec.args]
    shown += [f"{name}={value}" for name, value in spec.keywords.items()]
    return f"{kernel_label(spec.func)}({', '.join(shown)})"


@functools.singledispatch
def first_step(spec: Any) -> Any:
    """Return what sees the samples first: a pipeline's first step, or the kernel itself."""
    return spec


def is_gaussian_process_kernel(spec: Any) -> bool:
    """Whether a kernel is scikit-learn's own."""
    return isinstance(spec, GPKernel) and not isinstance(spec, Kernel)


def takes_table(spec: Any) -> bool:
    """Whether a kernel wants samples in two dimensions, even if there is one column only."""
    step = first_step(spec)
    if is_gaussian_process_kernel(step):
        return bool(step.requires_vector_input)
    if not hasattr(step, "__sklearn_tags__"):
        return False
    tags = get_tags(step)
    return bool(tags.input_tags.two_d_array and not tags.no_validation)


# Of scikit-learn, but these see dates and names as they are.
_NOT_OF_NUMBERS = ("sklearn.compose", "sklearn.preprocessing._function_transformer")
# What all estimators inherit from, whatever they take.
_OF_ALL = ("sklearn.base", "sklearn.utils")


def sees_numbers(spec: Any) -> bool:
    """Whether what sees samples first is scikit-learn's, and takes all for numbers, dates too.

    Or derived from what is. To be shown them as :func:`mkfusion.data.with_numbers` makes them:
    scikit-learn would take dates for numbers in whatever unit they are.
    """
    step = first_step(spec)
    modules = [kind.__module__ for kind in type(step).__mro__]
    homes = [one for one in modules if one.startswith("sklearn.") and not one.startswith(_OF_ALL)]
    if not homes or not takes_table(step):
        return False
    if any(one.startswith(_NOT_OF_NUMBERS) for one in homes):
        return False
    return is_gaussian_process_kernel(step) or not get_tags(step).input_tags.categorical


def takes_gaps(spec: Any) -> bool:
    """Whether a kernel, or the first step before it, says that it has an answer to NaN."""
    step = first_step(spec)
    tagged = hasattr(step, "__sklearn_tags__") and not isinstance(step, type)
    return tagged and bool(get_tags(step).input_tags.allow_nan)


def join_input_tags(tags: Any, specs: Sequence[Any]) -> Any:
    """Say in the tags of a kernel, or a kernelizer, what all its kernels take."""
    steps = [first_step(spec) for spec in specs]
    inputs = [
        get_tags(step).input_tags
        for step in steps
        if hasattr(step, "__sklearn_tags__") and not isinstance(step, type)
    ]
    tags.input_tags.sparse = len(inputs) == len(steps) and all(i.sparse for i in inputs)
    tags.input_tags.allow_nan = len(inputs) == len(steps) and all(i.allow_nan for i in inputs)
    tags.input_tags.positive_only = any(i.positive_only for i in inputs)
    return tags


# ----------------------------------------------------------------------------- how kernels combine


class Bundle:
    """The same samples as each of several kernels has prepared them, indexed together.

    Parameters
    ----------
    parts : sequence of samples
        All with as many.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    @property
    def shape(self) -> tuple[int]:
        return (int(num_samples(self.parts[0])),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the kernels' values are computed in: float32 if all samples are."""
        single = all(getattr(part, "dtype", None) == np.float32 for part in self.parts)
        return np.dtype(np.float32 if single else np.float64)

    def __getitem__(self, rows: Any | tuple[Any, EllipsisType]) -> Bundle:
        if isinstance(rows, tuple):
            rows = rows[0]  # how scikit-learn indexes what has a shape
        return Bundle([safe_indexing(part, rows) for part in self.parts])


_MAX_COLUMNS_SHOWN = 3


def _rounded(value: Any) -> Any:
    """Return what a label says of a parameter."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return shown(value) if isinstance(value, list | tuple) else value


def factor_label(label: str) -> str:
    """Put a label into parentheses where it needs them in a product."""
    return f"({label})" if " + " in _outside_brackets(label) else label


def base_label(label: str) -> str:
    """Put a label into parentheses where it needs them in a power, or after columns."""
    return f"({label})" if re.search(r" [+*] |\*\*", _outside_brackets(label)) else label


def _outside_brackets(label: str) -> str:
    """Return what is left of a label without all that stands in brackets."""
    found = 1
    while found:
        label, found = re.subn(r"\([^()]*\)|\[[^][]*\]", "", label)
    return label


def columns_label(columns: Any) -> str:
    if isinstance(columns, str):
        return columns
    if callable(columns):
        return kernel_label(columns)
    if isinstance(columns, slice):
        ends = ["" if end is None else str(end) for end in (columns.start, columns.stop)]
        return f"[{':'.join(ends)}]"
    if isinstance(columns, list | tuple | np.ndarray) and np.ndim(columns) == 1:
        shown = [str(column) for column in columns[:_MAX_COLUMNS_SHOWN]]
        if len(columns) > _MAX_COLUMNS_SHOWN:
            shown.append(f"... {len(columns)} in all")
        return f"[{', '.join(shown)}]"
    return str(columns)


def check_exponent(exponent: Any) -> int:
    """Refuse powers of which a positive semi-definite kernel need not remain one."""
    number = check_number(exponent, "exponent", positive=True)
    if number != int(number):
        raise ValueError(
            f"exponent is {shown(exponent)}; expected a positive integer: other powers of a "
            "positive semi-definite kernel need not be one."
        )
    return int(number)


def tags_of_parts(tags: Any, kernels: Sequence[Any]) -> Any:
    """Say in the tags of a kernel what all its parts take."""
    tags = join_input_tags(tags, kernels)
    tags.input_tags.two_d_array = any(takes_table(kernel) for kernel in kernels)
    tags.input_tags.allow_nan = all(takes_gaps(kernel) for kernel in kernels)
    return tags


class NamesOfParts(BaseEstimator):
    """Parameters of parts go by the names that they have there, without a prefix.

    ``(2.0 * RBFKernel()).set_params(gamma=0.1)`` works. Where there is an own parameter of the same
    name, it goes first, and ``kernel__gamma`` is the other.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        own = super().get_params(deep=False)
        return own | self._inner_params() | own if deep else own

    def set_params(self, **params: Any) -> Self:
        own = super().get_params(deep=False)
        inner = {name: params.pop(name) for name in [*params] if name.partition("__")[0] not in own}
        super().set_params(**params)
        if all(name.partition("__")[0] in self.get_params() for name in inner):
            self._set_inner_params(inner)
        else:
            super().set_params(**inner)  # says which names there are
        return self

    def _inner_params(self) -> dict[str, Any]:
        raise NotImplementedError

    def _set_inner_params(self, params: dict[str, Any]) -> None:
        raise NotImplementedError


class WrapperKernel(NamesOfParts, Kernel):
    """A kernel made of one."""

    kernel: Any
    kernel_: Kernel

    def _inner_params(self) -> dict[str, Any]:
        return self.kernel.get_params() if hasattr(self.kernel, "get_params") else {}

    def _set_inner_params(self, params: dict[str, Any]) -> None:
        if params:
            self.kernel.set_params(**params)

    def __sklearn_tags__(self) -> Any:
        return tags_of_parts(super().__sklearn_tags__(), [self.kernel])

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        kernel = as_kernel(self.kernel)
        samples = kernel._fit_prepare(X, y)
        self.kernel_ = kernel
        return samples

    def _prepare(self, X: Any) -> Any:
        return self.kernel_._prepare(X)

    def _is_psd(self) -> bool:
        return self.kernel_._is_psd()

    def _has_own_noise(self) -> bool:
        return self.kernel_._has_own_noise()


class ScaledKernel(WrapperKernel):
    """A kernel times a non-negative number."""

    def __init__(self, kernel: Any, scale: float = 1.0) -> None:
        self.kernel = kernel
        self.scale = scale

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        check_number(self.scale, "scale")
        return super()._fit_prepare(X, y)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return float(self.scale) * self.kernel_._evaluate(samples, others)

    def _diagonal(self, samples: Any) -> Floats:
        return float(self.scale) * self.kernel_._diagonal(samples)

    def _label(self) -> str:
        return f"{self.scale:g} * {factor_label(kernel_label(self.kernel))}"


class PowerKernel(WrapperKernel):
    """A kernel to a positive integer power: products of as many of its features."""

    def __init__(self, kernel: Any, exponent: int = 2) -> None:
        self.kernel = kernel
        self.exponent = exponent

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        check_exponent(self.exponent)
        return super()._fit_prepare(X, y)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return self.kernel_._evaluate(samples, others) ** int(self.exponent)

    def _diagonal(self, samples: Any) -> Floats:
        return self.kernel_._diagonal(samples) ** int(self.exponent)

    def _label(self) -> str:
        return f"{base_label(kernel_label(self.kernel))}**{self.exponent:g}"


class BoundKernel(WrapperKernel):
    """A kernel of some columns, or of a modality."""

    # Models that were saved by earlier versions have none.
    _within: list[Any] | None = None

    def __init__(self, kernel: Any, columns: Any) -> None:
        self.kernel = kernel
        self.columns = columns

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # not only: Modalities too
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        X = self._samples(X)
        columns = resolve_columns(X, self.columns, kernel_label(self.kernel))
        within = names_within(X, columns)
        samples = super()._fit_prepare(self._select(X, columns, within), y)
        self._chosen, self._within = columns, within
        return samples

    def _prepare(self, X: Any) -> Any:
        return super()._prepare(self._select(self._samples(X), self._chosen, self._within))

    def _samples(self, X: Any) -> Any:
        return X if isinstance(X, Modalities) else as_table(X)

    def _select(self, X: Any, columns: Any, within: Any) -> Any:
        if isinstance(columns, str) != isinstance(X, Modalities):
            raise TypeError(
                f"X is a {type(X).__name__}; expected "
                f"{'Modalities' if isinstance(columns, str) else 'columns'} as in fit."
            )
        data = select_columns(X, columns, kernel_label(self.kernel), within)
        return in_two_dimensions(data) if takes_table(self.kernel) else data

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return self.kernel_._evaluate(samples, others)

    def _diagonal(self, samples: Any) -> Floats:
        return self.kernel_._diagonal(samples)

    def _features(self, samples: Any) -> Any:
        return self.kernel_._features(samples)

    def _gaussian(self, samples: Any) -> tuple[FloatArray, float] | None:
        return self.kernel_._gaussian(samples)

    def _label(self) -> str:
        return f"{columns_label(self.columns)}:{base_label(kernel_label(self.kernel))}"


class ConstantKernel(Kernel):
    """A non-negative number, whatever the samples."""

    def __init__(self, constant: float = 1.0) -> None:
        self.constant = constant

    def _learn(self, samples: Any) -> None:
        self.constant_ = check_number(self.constant, "constant")

    def _prepare(self, X: Any) -> Any:
        dtype = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
        return np.empty((num_samples(X), 0), dtype=dtype)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        shape = len(samples), len(samples if others is None else others)
        return np.full(shape, self.constant_, dtype=samples.dtype)

    def _diagonal(self, samples: Any) -> Floats:
        return np.full(len(samples), self.constant_)

    def _label(self) -> str:
        return f"{self.constant:g}"

    def _is_psd(self) -> bool:
        return True


def add(left: Any, right: Any) -> Any:
    """Return the sum of two kernels, one of which may be a number: a constant kernel."""
    left, right = _operand(left), _operand(right)
    if _is_foreign(left, right):
        return NotImplemented
    if any(isinstance(side, Real) and side == 0 for side in (left, right)):
        return right if isinstance(left, Real) else left  # as `sum(kernels)` begins
    terms = [
        ConstantKernel(check_number(side, "constant")) if isinstance(side, Real) else side
        for side in (left, right)
    ]
    return SumKernel([part for term in terms for part in _parts(term, SumKernel)])


def multiply(left: Any, right: Any) -> Any:
    """Return the product of two kernels, one of which may be a number."""
    left, right = _operand(left), _operand(right)
    if _is_foreign(left, right):
        return NotImplemented
    for scale, kernel in ((left, right), (right, left)):
        if isinstance(scale, Real):
            scale = check_number(scale, "scale")
            if isinstance(kernel, ScaledKernel):
                return ScaledKernel(kernel.kernel, scale * kernel.scale)
            return ScaledKernel(kernel, scale)
    return ProductKernel([*_parts(left, ProductKernel), *_parts(right, ProductKernel)])


def _operand(value: Any) -> Any:
    """Return a number or what stands for a kernel; refuse the rest at once."""
    if isinstance(value, bool) or not isinstance(value, Real):
        as_kernel(value)
    return value


def _is_foreign(left: Any, right: Any) -> bool:
    """Whether one is scikit-learn's own: then its algebra applies, which keeps `theta`."""
    return is_gaussian_process_kernel(left) or is_gaussian_process_kernel(right)


def _parts(kernel: Any, kind: type[_ComposedKernel]) -> list[Any]:
    return kernel.kernels if isinstance(kernel, kind) else [kernel]


def _part_name(kernel: Any, reserved: Sequence[str]) -> str:
    """Return what a part is called in parameters: its modality, or its kind."""
    if isinstance(kernel, str):
        return kernel
    if isinstance(kernel, BoundKernel) and isinstance(kernel.columns, str):
        if "__" not in kernel.columns and kernel.columns not in reserved:
            return kernel.columns
    if isinstance(kernel, ScaledKernel | PowerKernel | BoundKernel):
        return _part_name(kernel.kernel, reserved)
    return type(kernel).__name__.lower()


def _numbered(names: Sequence[str]) -> list[str]:
    """Return names with a number where they occur more than once, as in `make_pipeline`."""
    counts, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name}-{seen[name]}" if counts[name] > 1 else name)
    return numbered


class _ComposedKernel(BaseComposition, Kernel):
    """Several kernels of the same samples, of which values are combined one by one.

    Parameters
    ----------
    kernels : list of kernels
        Kernels, or what stands for them.

    Attributes
    ----------
    kernels_ : list of Kernel
        Fitted.
    """

    _combine: Callable[[Any, Any], Any]

    def __init__(self, kernels: Any) -> None:
        self.kernels = kernels

    @property
    def _named_kernels(self) -> list[tuple[str, Any]]:
        if not isinstance(self.kernels, list):  # parameters are readable before `fit` refuses them
            return self.kernels
        names = [_part_name(kernel, ("kernels",)) for kernel in self.kernels]
        return list(zip(_numbered(names), self.kernels, strict=True))

    @_named_kernels.setter
    def _named_kernels(self, pairs: list[tuple[str, Any]]) -> None:
        self.kernels = [kernel for _, kernel in pairs]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self._get_params("_named_kernels", deep=deep)

    def set_params(self, **params: Any) -> Self:
        self._set_params("_named_kernels", **params)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of_parts(super().__sklearn_tags__(), self.kernels)

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        kernels = [as_kernel(kernel) for kernel in self.kernels]
        samples = Bundle([kernel._fit_prepare(X, y) for kernel in kernels])
        self.kernels_ = kernels
        return samples

    def _prepare(self, X: Any) -> Any:
        return Bundle([kernel._prepare(X) for kernel in self.kernels_])

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        columns: Any = [None] * len(self.kernels_) if others is None else others.parts
        blocks = [
            kernel._evaluate(rows, cols)
            for kernel, rows, cols in zip(self.kernels_, samples.parts, columns, strict=True)
        ]
        shapes = {block.shape for block in blocks}
        if len(shapes) > 1:  # they might still be broadcast
            raise ValueError(
                f"the parts of {self._label()} returned matrices of shapes {sorted(shapes)}; "
                "expected one shape."
            )
        return functools.reduce(self._combine, blocks)

    def _diagonal(self, samples: Any) -> Floats:
        diagonals = [
            kernel._diagonal(part)
            for kernel, part in zip(self.kernels_, samples.parts, strict=True)
        ]
        return functools.reduce(self._combine, diagonals)

    def _is_psd(self) -> bool:
        return all(kernel._is_psd() for kernel in self.kernels_)

    def _has_own_noise(self) -> bool:
        return any(kernel._has_own_noise() for kernel in self.kernels_)

    def _sk_visual_block_(self) -> Any:
        return visual_block(self._named_kernels)


class SumKernel(_ComposedKernel):
    """The sum of several kernels: features side by side."""

    _combine = staticmethod(np.add)

    def _label(self) -> str:
        return " + ".join(kernel_label(kernel) for kernel in self.kernels)


class ProductKernel(_ComposedKernel):
    """The product of several kernels: all products of their features (Schur product theorem)."""

    _combine = staticmethod(np.multiply)

    def _label(self) -> str:
        return " * ".join(factor_label(kernel_label(kernel)) for kernel in self.kernels)
