"""Kernels made of one: multiples, powers, and kernels of chosen columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _num_samples

from mkfusion.kernels._base import Kernel
from mkfusion.kernels._gamma import check_number
from mkfusion.kernels.kernelizer._adapters import (
    as_kernel,
    join_input_tags,
    kernel_label,
    takes_gaps,
    takes_table,
)
from mkfusion.kernels.kernelizer._columns import (
    as_table,
    in_two_dimensions,
    resolve_columns,
    select_columns,
)
from mkfusion.kernels.stack._labels import base_label, columns_label, factor_label
from mkfusion.kernels.stack._storage import FloatArray
from mkfusion.modalities import Modalities

__all__ = [
    "BoundKernel",
    "ConstantKernel",
    "NamesOfParts",
    "PowerKernel",
    "ScaledKernel",
    "check_exponent",
    "tags_of_parts",
]


def check_exponent(exponent: Any) -> int:
    """Refuse powers of which a positive semi-definite kernel need not remain one."""
    number = check_number(exponent, "exponent", positive=True)
    if number != int(number):
        raise ValueError(
            f"exponent is {exponent!r}; expected a positive integer: other powers of a positive "
            "semi-definite kernel need not be one."
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

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
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

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return self.kernel_._diagonal(samples) ** int(self.exponent)

    def _label(self) -> str:
        return f"{base_label(kernel_label(self.kernel))}**{self.exponent:g}"


class BoundKernel(WrapperKernel):
    """A kernel of some columns, or of a modality."""

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
        samples = super()._fit_prepare(self._select(X, columns), y)
        self._chosen = columns
        return samples

    def _prepare(self, X: Any) -> Any:
        return super()._prepare(self._select(self._samples(X), self._chosen))

    def _samples(self, X: Any) -> Any:
        return X if isinstance(X, Modalities) else as_table(X)

    def _select(self, X: Any, columns: Any) -> Any:
        if isinstance(columns, str) != isinstance(X, Modalities):
            raise TypeError(
                f"X is a {type(X).__name__}; expected "
                f"{'Modalities' if isinstance(columns, str) else 'columns'} as in fit."
            )
        data = select_columns(X, columns, kernel_label(self.kernel))
        return in_two_dimensions(data) if takes_table(self.kernel) else data

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        return self.kernel_._evaluate(samples, others)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return self.kernel_._diagonal(samples)

    def _features(self, samples: Any) -> Any:
        return self.kernel_._features(samples)

    def _label(self) -> str:
        return f"{columns_label(self.columns)}:{base_label(kernel_label(self.kernel))}"


class ConstantKernel(Kernel):
    """A non-negative number, whatever the samples."""

    def __init__(self, constant: float = 1.0) -> None:
        self.constant = constant

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        self.constant_ = check_number(self.constant, "constant")
        return self._prepare(X)

    def _prepare(self, X: Any) -> Any:
        dtype = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
        return np.empty((_num_samples(X), 0), dtype=dtype)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        shape = len(samples), len(samples if others is None else others)
        return np.full(shape, self.constant_, dtype=samples.dtype)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        return np.full(len(samples), self.constant_)

    def _label(self) -> str:
        return f"{self.constant:g}"

    def _is_psd(self) -> bool:
        return True
