"""What else may stand for a kernel: names, functions, scikit-learn's own kernels, pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Exponentiation, Kernel as GPKernel, Product, Sum
from sklearn.metrics.pairwise import kernel_metrics, pairwise_kernels
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.kernels._kernel import (
    EXPECTED,
    Kernel,
    PowerKernel,
    ProductKernel,
    SumKernel,
    as_kernel,
    first_step,
    is_gaussian_process_kernel,
    kernel_label,
)
from mkfusion.kernels._rows import (
    ChiSquaredKernel,
    CosineKernel,
    FeatureKernel,
    LaplacianKernel,
    LinearKernel,
    PolynomialKernel,
    RBFKernel,
)
from mkfusion.stack import GRAM_RTOL

# ---------------------------------------------------------------------------------------- names

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


class PairwiseKernel(FeatureKernel):
    """A kernel of `pairwise_kernels` that is not always positive semi-definite."""

    _needs_writeable = True

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        values = pairwise_kernels(samples, others, metric=self.metric)
        return values.astype(samples.dtype, copy=False)

    def _label(self) -> str:
        return self.metric


@as_kernel.register(str)
def _(spec: str) -> Kernel:
    if spec == "auto":
        raise ValueError(
            'kernel is "auto", which stands for a kernel only in '
            'ColumnKernelizer([(name, "auto", columns)]).'
        )
    if spec not in kernel_metrics():
        raise ValueError(
            f"kernel is the unknown name {str(spec)!r}; expected one of {sorted(kernel_metrics())}."
        )
    return _NAMED[spec]() if spec in _NAMED else PairwiseKernel(spec)


@kernel_label.register(str)
def _(spec: str) -> str:
    return spec


@first_step.register(str)
def _(spec: str) -> Any:
    return as_kernel(spec) if spec in kernel_metrics() else spec


# ------------------------------------------------------------------------------------ functions

# Of so many training samples a function is asked for values together and one by one.
_CHECKED = 4


class FunctionKernel(Kernel):
    """A function of two collections of samples, or an object that behaves like one.

    Where it also has `fit` or `diag`, these are used. Entry (i, j) of what it returns must depend
    on ``X[i]`` and ``Y[j]`` only: values that change with the samples beside them would be other
    ones in prediction than in training. `fit` asks for a few values together and one by one.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        samples = super()._fit_prepare(X, y)
        if hasattr(self.function, "fit"):
            self.function.fit(samples, y)
        if not self._has_own_noise():  # which a block of some samples with others has not
            self._check_entries(samples)
        return samples

    def _check_entries(self, samples: Any) -> None:
        """Refuse values that depend on the samples beside them."""
        n_samples = num_samples(samples)
        some = np.unique(np.linspace(0, n_samples - 1, _CHECKED).astype(np.intp))
        few = safe_indexing(samples, some)
        together = self._evaluate(few)
        if together.shape != (len(some),) * 2 or not np.isfinite(together).all():
            return  # refused with the values that are asked for
        slack = GRAM_RTOL[together.dtype] * float(np.abs(together).max())
        for i in range(len(some)):
            one = safe_indexing(few, [i])
            for alone, beside in (
                (self._evaluate(one, few), together[i : i + 1]),
                (self._evaluate(few, one), together[:, i : i + 1]),
                (self._evaluate(one), together[i : i + 1, i : i + 1]),
            ):
                if alone.shape == beside.shape and not (np.abs(alone - beside) <= slack).all():
                    j = np.unravel_index(np.argmax(np.abs(alone - beside)), alone.shape)
                    raise ValueError(
                        f"{self._label()} gives {alone[j]:.6g} for two samples and "
                        f"{beside[j]:.6g} for the same two beside others; expected entry (i, j) "
                        "of f(X, Y) to depend on X[i] and Y[j] only. What is learned from samples, "
                        "such as a mean or a reference, belongs into `fit` (see mkfusion.Kernel), "
                        "or is given to f as a constant."
                    )

    def _prepare(self, X: Any) -> Any:
        return X.tocsr() if issparse(X) else X

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        values = self.function(samples, samples if others is None else others)
        return _as_numbers(values, self._label())

    def _diagonal(self, samples: Any) -> Floats:
        if hasattr(self.function, "diag"):
            return _as_numbers(self.function.diag(samples), self._label()).astype(np.float64)
        return super()._diagonal(samples)

    def _label(self) -> str:
        return kernel_label(self.function)


@as_kernel.register(Callable)  # type: ignore[call-overload]
def _(spec: Callable[..., Any]) -> Kernel:
    # What can be fitted has a state, which belongs to one kernel.
    return FunctionKernel(clone(spec, safe=False) if hasattr(spec, "fit") else spec)


def _as_numbers(values: Any, label: str) -> FloatArray:
    """Return a new array of floats."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{label} returned an array of dtype {array.dtype}; expected numbers.")
    return np.array(array, dtype=np.float32 if array.dtype == np.float32 else np.float64)


# --------------------------------------------------------------- scikit-learn's Gaussian processes


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


@as_kernel.register(GPKernel)
def _(spec: GPKernel) -> Kernel:
    own = _with_own_algebra(spec)
    copy = clone(own)
    return copy if isinstance(own, Kernel) else GaussianProcessKernel(copy)


@kernel_label.register(GPKernel)
def _(spec: GPKernel) -> str:
    own = _with_own_algebra(spec)
    return kernel_label(own) if isinstance(own, Kernel) else str(own)


def _with_own_algebra(spec: Any) -> Any:
    """Return the sum, product or power by scikit-learn's algebra of kernels of this package as one.

    ``WhiteKernel() + RBFKernel()`` is scikit-learn's: it knows no `fit`.
    """
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


# ------------------------------------------------------------------------------------ pipelines


class PipelineKernel(Kernel):
    """A kernel of samples that go through other steps first."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        *steps, (_, last) = pipeline.steps
        self.steps = [clone(step) for _, step in steps if not _is_passthrough(step)]
        if not isinstance(last, str | Pipeline) and not callable(last):
            raise TypeError(
                f"kernel is a Pipeline that ends in {shown(last)}; expected {EXPECTED}."
            )
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

    def _diagonal(self, samples: Any) -> Floats:
        return self.kernel._diagonal(samples)

    def _features(self, samples: Any) -> Any:
        return self.kernel._features(samples)

    def _is_psd(self) -> bool:
        return self.kernel._is_psd()

    def _has_own_noise(self) -> bool:
        return self.kernel._has_own_noise()

    def _label(self) -> str:
        return kernel_label(self.pipeline)


@as_kernel.register(Pipeline)
def _(spec: Pipeline) -> Kernel:
    return PipelineKernel(spec)


@kernel_label.register(Pipeline)
def _(spec: Pipeline) -> str:
    return kernel_label(spec.steps[-1][1])


@first_step.register(Pipeline)
def _(spec: Pipeline) -> Any:
    steps = [step for _, step in spec.steps if not _is_passthrough(step)]
    return first_step(steps[0]) if steps else spec


def _is_passthrough(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")
