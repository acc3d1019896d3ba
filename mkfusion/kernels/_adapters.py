"""Everything that may stand for a kernel, made into one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Exponentiation, Kernel as GPKernel, Product, Sum
from sklearn.metrics.pairwise import kernel_metrics, pairwise_kernels
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_array

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._types import FloatArray
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._rows import (
    ChiSquaredKernel,
    CosineKernel,
    FeatureKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)

# What `pairwise_kernels(metric=name)` computes with its default parameters, for the names of
# kernels that are known to be positive semi-definite and have a diagonal in closed form
_NAMED: dict[str, Callable[[], Kernel]] = {
    "linear": LinearKernel,
    "poly": PolynomialKernel,
    "polynomial": PolynomialKernel,
    "rbf": lambda: RBFKernel(gamma=None),
    "laplacian": lambda: LaplacianKernel(gamma=None),
    "chi2": ChiSquaredKernel,
    "cosine": CosineKernel,
}
_EXPECTED = (
    "a kernel object such as RBFKernel(), a name that sklearn.metrics.pairwise.pairwise_kernels "
    "knows, a function f(X, Y), a Gaussian-process kernel, or a Pipeline that ends in one of these"
)


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
    spec = _with_own_algebra(spec)
    if isinstance(spec, type):
        raise TypeError(f"kernel is the class {spec.__name__}; expected an instance.")
    if isinstance(spec, str):
        if spec == "auto":
            raise ValueError(
                'kernel is "auto", which stands for a kernel only in '
                'ColumnKernelizer([(name, "auto", columns)]).'
            )
        if spec not in kernel_metrics():
            raise ValueError(
                f"kernel is the unknown name {spec!r}; expected one of {sorted(kernel_metrics())}."
            )
        return _NAMED[spec]() if spec in _NAMED else PairwiseKernel(spec)
    if isinstance(spec, Kernel):
        return clone(spec)
    if isinstance(spec, Pipeline):
        return PipelineKernel(spec)
    if is_gaussian_process_kernel(spec):
        return GaussianProcessKernel(clone(spec))
    if callable(spec):
        # What can be fitted has a state, which belongs to one kernel.
        return FunctionKernel(clone(spec, safe=False) if hasattr(spec, "fit") else spec)
    raise TypeError(f"kernel is {spec!r}; expected {_EXPECTED}.")


def kernel_label(spec: Any) -> str:
    """Return a short readable name of anything that stands for a kernel."""
    spec = _with_own_algebra(spec)
    if isinstance(spec, str):
        return spec
    if isinstance(spec, Pipeline):
        return kernel_label(spec.steps[-1][1])
    if isinstance(spec, Kernel):
        return spec._label()
    if is_gaussian_process_kernel(spec):
        return str(spec)
    if isinstance(spec, functools.partial):
        shown = [str(value) for value in spec.args]
        shown += [f"{name}={value}" for name, value in spec.keywords.items()]
        return f"{kernel_label(spec.func)}({', '.join(shown)})"
    name = getattr(spec, "__name__", type(spec).__name__)
    return "lambda" if name == "<lambda>" else name


def first_step(spec: Any) -> Any:
    """Return what sees the samples first: a pipeline's first step, or the kernel itself."""
    if isinstance(spec, Pipeline):
        for _, step in spec.steps:
            if step is not None and not (isinstance(step, str) and step == "passthrough"):
                return first_step(step)
    return as_kernel(spec) if isinstance(spec, str) and spec in kernel_metrics() else spec


def takes_table(spec: Any) -> bool:
    """Whether a kernel wants samples in two dimensions, even if there is one column only."""
    step = first_step(spec)
    if is_gaussian_process_kernel(step):
        return bool(step.requires_vector_input)
    if not hasattr(step, "__sklearn_tags__"):
        return False
    tags = get_tags(step)
    return bool(tags.input_tags.two_d_array and not tags.no_validation)


def takes_gaps(spec: Any) -> bool:
    """Whether a kernel, or the first step before it, says that it has an answer to NaN."""
    step = first_step(spec)
    tagged = hasattr(step, "__sklearn_tags__") and not isinstance(step, type)
    return tagged and bool(get_tags(step).input_tags.allow_nan)


def is_gaussian_process_kernel(spec: Any) -> bool:
    """Whether a kernel is scikit-learn's own."""
    return isinstance(spec, GPKernel) and not isinstance(spec, Kernel)


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


def _with_own_algebra(spec: Any) -> Any:
    """Return the sum, product or power by scikit-learn's algebra of kernels of this package as one.

    ``WhiteKernel() + RBFKernel()`` is scikit-learn's: it knows no `fit`.
    """
    from mkfusion.kernels._compose import PowerKernel, ProductKernel, SumKernel

    if not is_gaussian_process_kernel(spec):
        return spec
    if not any(isinstance(part, Kernel) for part in spec.get_params().values()):
        return spec
    if isinstance(spec, Exponentiation):
        return PowerKernel(_with_own_algebra(spec.kernel), spec.exponent)
    for theirs, own in ((Sum, SumKernel), (Product, ProductKernel)):
        if isinstance(spec, theirs):
            sides = [_with_own_algebra(side) for side in (spec.k1, spec.k2)]
            return own(
                [part for side in sides for part in (side.kernels if type(side) is own else [side])]
            )
    return spec


class PairwiseKernel(FeatureKernel):
    """A kernel of `pairwise_kernels` that is not always positive semi-definite."""

    _accept_sparse = False

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        values = pairwise_kernels(samples, others, metric=self.metric)
        return values.astype(samples.dtype, copy=False)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return _diagonal_of_pairs(self._evaluate, samples)

    def _is_psd(self) -> bool:
        return False

    def _label(self) -> str:
        return self.metric


class FunctionKernel(Kernel):
    """A function of two collections of samples, or an object that behaves like one.

    Where it also has `fit` or `diag`, these are used.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        samples = self._prepare(X)
        if hasattr(self.function, "fit"):
            self.function.fit(samples, y)
        return samples

    def _prepare(self, X: Any) -> Any:
        return X.tocsr() if issparse(X) else X

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        values = self.function(samples, samples if others is None else others)
        return _as_numbers(values, self._label())

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        if hasattr(self.function, "diag"):
            return _as_numbers(self.function.diag(samples), self._label()).astype(np.float64)
        return _diagonal_of_pairs(self._evaluate, samples)

    def _label(self) -> str:
        return kernel_label(self.function)


class GaussianProcessKernel(FunctionKernel):
    """A kernel of :mod:`sklearn.gaussian_process.kernels`."""

    function: Any

    def _prepare(self, X: Any) -> Any:
        return check_array(X) if self.function.requires_vector_input else X

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        # `function(X)` and `function(X, X)` differ: the former has noise on its diagonal.
        return _as_numbers(self.function(samples, others), self._label())

    def _has_own_noise(self) -> bool:
        return True


class PipelineKernel(Kernel):
    """A kernel of samples that go through other steps first."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        *steps, (_, last) = pipeline.steps
        self.steps = [
            clone(step)
            for _, step in steps
            if step is not None and not (isinstance(step, str) and step == "passthrough")
        ]
        if not isinstance(last, str | Pipeline) and not callable(last):
            raise TypeError(f"kernel is a Pipeline that ends in {last!r}; expected {_EXPECTED}.")
        self.kernel = as_kernel(last)

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        for step in self.steps:
            # As scikit-learn's Pipeline does: what is frozen has no `fit_transform`.
            if hasattr(step, "fit_transform"):
                X = step.fit_transform(X, y)
            else:
                X = step.fit(X, y).transform(X)
        return self.kernel._fit_prepare(X, y)

    def _prepare(self, X: Any) -> Any:
        for step in self.steps:
            X = step.transform(X)
        return self.kernel._prepare(X)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return self.kernel._evaluate(samples, others)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return self.kernel._diagonal(samples)

    def _features(self, samples: Any) -> Any:
        return self.kernel._features(samples)

    def _is_psd(self) -> bool:
        return self.kernel._is_psd()

    def _has_own_noise(self) -> bool:
        return self.kernel._has_own_noise()

    def _label(self) -> str:
        return kernel_label(self.pipeline)


def _diagonal_of_pairs(evaluate: Callable[[Any, Any], FloatArray], samples: Any) -> Any:
    """Return k(x, x) by asking for one value at a time: never more than are needed."""
    diagonal = np.empty(num_samples(samples))
    for i in range(len(diagonal)):
        sample = safe_indexing(samples, [i])
        diagonal[i] = evaluate(sample, sample).item()
    return diagonal


def _as_numbers(values: Any, label: str) -> FloatArray:
    """Return a new array of floats."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{label} returned an array of dtype {array.dtype}; expected numbers.")
    return np.array(array, dtype=np.float32 if array.dtype == np.float32 else np.float64)
