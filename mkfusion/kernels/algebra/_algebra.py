"""Sums and products of kernels, and what the operators between kernels mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import _BaseComposition

from mkfusion.kernels._base import Kernel
from mkfusion.kernels._gamma import check_number
from mkfusion.kernels.algebra._bundle import Bundle
from mkfusion.kernels.algebra._wrappers import (
    BoundKernel,
    ConstantKernel,
    PowerKernel,
    ScaledKernel,
    tags_of_parts,
)
from mkfusion.kernels.kernelizer._adapters import (
    as_kernel,
    is_gaussian_process_kernel,
    kernel_label,
)
from mkfusion.kernels.kernelizer._visual import visual_block
from mkfusion.kernels.stack._labels import factor_label
from mkfusion.kernels.stack._storage import FloatArray

__all__ = ["ProductKernel", "SumKernel", "add", "multiply"]


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


class _ComposedKernel(_BaseComposition, Kernel):
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
        return reduce(self._combine, blocks)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
        diagonals = [
            kernel._diagonal(part)
            for kernel, part in zip(self.kernels_, samples.parts, strict=True)
        ]
        return reduce(self._combine, diagonals)

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
