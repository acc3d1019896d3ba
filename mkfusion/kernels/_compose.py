"""Sums and products of kernels, and what the operators between kernels mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from numbers import Real
from types import EllipsisType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from mkfusion._compat import BaseComposition, num_samples, safe_indexing
from mkfusion._types import FloatArray
from mkfusion.data import Modalities, as_table, in_two_dimensions, resolve_columns, select_columns
from mkfusion.kernels._adapters import (
    as_kernel,
    is_gaussian_process_kernel,
    join_input_tags,
    kernel_label,
    takes_gaps,
    takes_table,
)
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._rows import check_number
from mkfusion.kernels._visual import visual_block


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
        return np.empty((num_samples(X), 0), dtype=dtype)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        shape = len(samples), len(samples if others is None else others)
        return np.full(shape, self.constant_, dtype=samples.dtype)

    def _diagonal(self, samples: Any) -> NDArray[np.float64]:
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
