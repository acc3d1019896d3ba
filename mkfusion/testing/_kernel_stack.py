"""The contract of a stack: whatever holds the kernels, its operations equal NumPy's on arrays."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mkfusion._types import Floats, Indices
from mkfusion.stack import KernelStack

# Relative to the largest number: what sums in another order differ by.
_RTOL = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}
_NOTHING = np.empty(0, dtype=np.intp)


def check_kernel_stack(
    stack: KernelStack,
    grams: Sequence[ArrayLike] | NDArray[Any] | None = None,
    *,
    rtol: float | None = None,
) -> None:
    """Check that a stack, of a kind of your own maybe, does what every stack must.

    Every operation is compared with NumPy's on the whole arrays, for the stack and for what is
    taken from it: some rows and columns, in another order, repeated, or none; some kernels; and
    parts of parts. Names and type must stay, and a pickled copy must be the same stack.

    Parameters
    ----------
    stack : KernelStack of shape (n_rows, n_cols, m)
        Small: everything is computed many times. Best checked with training kernels, which are
        square, and again with kernels between other samples and these.
    grams : list of m array-likes of shape (n_rows, n_cols), or ndarray of shape \
            (n_rows, n_cols, m), default=None
        The kernels as they must be. By default what ``stack.materialize()`` holds: its operations
        must then agree with each other.
    rtol : float, default=None
        Largest difference, as a share of the largest number; 1e-10 by default, and 1e-5 for a stack
        of ``float32``.

    Raises
    ------
    AssertionError
        With the operation, what came and what was expected.

    See Also
    --------
    mkfusion.KernelStack : What a subclass must have, and may have.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import KernelStack
    >>> from mkfusion.testing import check_kernel_stack
    >>> Z = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    >>> check_kernel_stack(KernelStack.from_features([Z]), [Z @ Z.T])
    """
    assert isinstance(stack, KernelStack), f"{type(stack).__name__} is no KernelStack"
    _check_attributes(stack)
    array = np.asarray(stack.materialize() if grams is None else KernelStack(grams), np.float64)
    expected = np.moveaxis(array, -1, 0)
    n_rows, n_cols, m = stack.shape
    assert expected.shape == (m, n_rows, n_cols), (
        f"shape is {stack.shape}; expected {array.shape}, that of grams"
    )
    rtol = _RTOL[stack.dtype] if rtol is None else rtol
    whole = _Case("the stack", stack, expected, stack.names, rtol)
    cases = [whole, *_parts(whole)]
    for case in cases:
        _check_size(case)
    for case in cases:
        _check_values(case)
        _check_products(case)
        if case.is_principal:
            _check_forms(case)
    _check_pickling(whole)
    _check_pickling(cases[1])


class _Case(NamedTuple):
    """A stack, and its kernels (m, n_rows, n_cols) as they must be."""

    what: str
    stack: KernelStack
    expected: Floats
    names: list[str]
    rtol: float

    @property
    def is_principal(self) -> bool:
        """Whether rows and columns may be the same samples, which operations take for granted."""
        _, n_rows, n_cols = self.expected.shape
        if n_rows != n_cols:
            return False
        transposed = self.expected.transpose(0, 2, 1)
        return bool(np.all(np.abs(self.expected - transposed) <= self._tolerance(self.expected)))

    def _tolerance(self, expected: Floats) -> float:
        sizes = [np.abs(one).max(initial=0.0) for one in (self.expected, expected)]
        return self.rtol * float(max(sizes))

    def same(self, operation: str, found: Any, expected: Floats, dtype: Any = np.float64) -> None:
        """Compare what came of an operation."""
        label = f"{operation} of {self.what}"
        assert isinstance(found, np.ndarray), f"{label} is {type(found).__name__}, not an array"
        assert found.dtype == dtype, f"{label} has dtype {found.dtype}; expected {np.dtype(dtype)}"
        assert found.shape == expected.shape, (
            f"{label} has shape {found.shape}; expected {expected.shape}"
        )
        slack = self._tolerance(expected)
        np.testing.assert_allclose(found, expected, rtol=self.rtol, atol=slack, err_msg=label)


def _check_attributes(stack: KernelStack) -> None:
    shape = stack.shape
    assert isinstance(shape, tuple) and len(shape) == stack.ndim == 3, f"shape is {shape!r}"
    assert stack.dtype in _RTOL, f"dtype is {stack.dtype}; expected float32 or float64"
    names = stack.names
    assert len(names) == len(set(names)) == shape[2], f"names is {names!r}; expected {shape[2]}"
    assert all(isinstance(name, str) for name in names), f"names is {names!r}; expected strings"
    names.append("changed")
    assert len(stack.names) == shape[2], "names is the stack's own list; expected a copy"
    known = stack.known_gram
    assert known.dtype == bool and known.shape == shape[2:], f"known_gram is {known!r}"
    assert isinstance(stack.place, str), f"place is {stack.place!r}; expected a string"
    assert str(shape) in repr(stack) and len(stack) == shape[0]


def _parts(whole: _Case) -> Iterator[_Case]:
    """Yield what is taken from a stack, each way of taking some."""
    stack, expected = whole.stack, whole.expected
    m, n_rows, n_cols = expected.shape

    def part(what: str, taken: KernelStack, rows: Any, cols: Any, kernels: Any = None) -> _Case:
        kernels = np.arange(m) if kernels is None else kernels
        values = expected[kernels][:, rows][:, :, cols]
        return _Case(what, taken, values, [whole.names[k] for k in kernels], whole.rtol)

    some_rows, some_cols = _some(n_rows), _some(n_cols)[::-1]
    everything = slice(None)
    yield part("some rows and columns", stack.take(some_rows, some_cols), some_rows, some_cols)
    yield part("some rows", stack[some_rows], some_rows, everything)
    yield part("some columns", stack[:, some_cols], everything, some_cols)
    twice = np.concatenate([some_rows, some_rows])
    yield part("rows twice", stack.take(twice, None), twice, everything)
    yield part("no rows", stack.take(_NOTHING, None), _NOTHING, everything)
    yield part("no columns", stack.take(None, _NOTHING), everything, _NOTHING)
    size = min(len(some_rows), len(some_cols))
    i, j = some_rows[:size], some_cols[:size]
    yield part("as many rows as columns", stack.take(i, j), i, j)
    kernels = np.arange(m)[::-1][: max(1, m - 1)]
    chosen = stack.select(kernels)
    yield part("some kernels", chosen, everything, everything, kernels)
    by_name = stack.select([whole.names[k] for k in kernels])
    yield part("kernels by their names", by_name, everything, everything, kernels)
    taken = chosen.take(twice, None).take(np.arange(len(twice))[::-2], some_cols)
    yield part("parts of parts", taken, twice[::-2], some_cols, kernels)
    if whole.is_principal:
        for what, i in (("the same rows and columns", some_rows), ("them twice", twice)):
            taken = stack[np.ix_(i, i)]
            assert (taken.known_gram == stack.known_gram).all(), f"known_gram of {what} is another"
            yield part(what, taken, i, i)
        i, last = some_rows, np.arange(len(some_rows))[-1:]
        yield part("one of some", stack.take(i, i).take(last, last), i[last], i[last])


def _some(n: int) -> Indices:
    """Choose samples, not in their order."""
    order = np.random.default_rng(n).permutation(n)
    return order[: max(1, (2 * n) // 3)].astype(np.intp)


def _check_size(case: _Case) -> None:
    stack = case.stack
    m, n_rows, n_cols = case.expected.shape
    expected_shape = n_rows, n_cols, m
    assert stack.shape == expected_shape, (
        f"shape of {case.what} is {stack.shape}; expected {expected_shape}"
    )
    assert stack.names == case.names, f"names of {case.what} are {stack.names}"


def _check_values(case: _Case) -> None:
    stack, expected = case.stack, case.expected
    _, n_rows, n_cols = expected.shape
    dtype = stack.dtype
    dense = stack.materialize()
    assert dense.in_memory and dense.names == case.names and dense.shape == stack.shape
    case.same("array", np.asarray(stack), np.moveaxis(expected, 0, -1), dtype)
    rows, cols = (_some(n) if n else _NOTHING for n in (n_rows, n_cols))
    for k, name in enumerate(case.names):
        case.same(f"gram({k})", stack.gram(k), expected[k], dtype)
        case.same(f"gram({name!r})", stack.gram(name), expected[k], dtype)
        for i, j in ((None, None), (rows, None), (None, cols), (rows, cols), (rows[:1], cols)):
            values = expected[k] if i is None else expected[k][i]
            found = stack.block(k, i, j)
            case.same("block", found, values if j is None else values[:, j], found.dtype)
    if n_rows == n_cols:
        case.same("diagonal", stack.diagonal(), np.einsum("kii->ki", expected))


def _check_products(case: _Case) -> None:
    stack, expected = case.stack, case.expected
    m, n_rows, n_cols = expected.shape
    weights = np.arange(m, dtype=np.float64)  # the first kernel has none
    rows, cols = (_some(n) if n else _NOTHING for n in (n_rows, n_cols))
    for d in (weights, m - weights, np.zeros(m)):
        total = np.einsum("k,kij->ij", d, expected)
        case.same("combine", stack.combine(d), total)
        for i, j in ((rows, None), (None, cols), (rows, cols), (_NOTHING, None)):
            block = total if i is None else total[i]
            block = block if j is None else block[:, j]
            case.same("combine of a block", stack.combine(d, rows=i, cols=j), block)
            around = np.full((len(block) + 2, block.shape[1]), np.nan)
            stack.combine_into(d, i, j, around[1:-1])
            case.same("combine_into", around[1:-1], block)
            assert np.isnan(around[[0, -1]]).all(), "combine_into writes beside its array"
    readers = [np.arange(n_rows), np.arange(n_rows)[::-2], _NOTHING, np.arange(n_rows)[:1]]
    own = weights * np.arange(1.0, 5.0)[:, np.newaxis]
    sums = [np.full((len(rows), n_cols), np.nan) for rows in readers]
    stack.combine_several(own, readers, sums)
    for d, rows, found in zip(own, readers, sums, strict=True):
        case.same("combine_several", found, np.einsum("k,kij->ij", d, expected)[rows])
    beta = _vectors(n_cols)
    kept = beta.copy()
    for vectors in (beta, beta[:, ::-1], np.asfortranarray(beta), 0 * beta):
        case.same("dot", stack.dot(vectors), np.einsum("kij,uj->uki", expected, vectors))
    case.same("dot of a vector", stack.dot(beta[0]), expected @ beta[0])
    assert (beta == kept).all(), "dot changes its vectors"


def _check_forms(case: _Case) -> None:
    """Check what is for symmetric kernels only."""
    stack, expected = case.stack, case.expected
    m, n, _ = expected.shape
    beta = _vectors(n)
    for vectors in (beta, beta[:1], 0 * beta):
        forms = np.einsum("ui,kij,uj->k", vectors, expected, vectors)
        case.same("quadratic", stack.quadratic(vectors), forms)
        products = np.einsum("kij,uj->uki", expected, vectors)
        for kernels in (None, np.array([m - 1]), np.arange(m)[::-1], _NOTHING):
            out = np.ones_like(products)
            stack.add_dot(vectors, out, kernels)
            added = np.zeros_like(products)
            which = np.arange(m) if kernels is None else kernels
            added[:, which] = products[:, which]
            case.same("add_dot", out, 1.0 + added)
    readers = [beta, beta[:1], np.zeros_like(beta), beta[1:] * (np.arange(n) % 2)]
    chosen = [np.arange(m), np.array([m - 1]), np.arange(m), np.arange(m)[::-1]]
    sums = [np.ones((len(own), m, n)) for own in readers]
    stack.add_dot_several(readers, sums, chosen)
    for own, kernels, found in zip(readers, chosen, sums, strict=True):
        added = np.zeros_like(found)
        added[:, kernels] = np.einsum("kij,uj->uki", expected, own)[:, kernels]
        case.same("add_dot_several", found, 1.0 + added)
    case.same("quadratic of a vector", stack.quadratic(beta[0]), expected @ beta[0] @ beta[0])


def _vectors(n: int) -> Floats:
    """Return two vectors (2, n) with zeros in common, the first number among them."""
    return np.random.default_rng(n).normal(size=(2, n)) * (np.arange(n) % 3 > 0)


def _check_pickling(case: _Case) -> None:
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(case.stack))))
    assert type(again) is type(case.stack), f"pickled, the stack becomes a {type(again).__name__}"
    assert again.place == case.stack.place, f"pickled, the stack is {again.place}"
    known = again.known_gram == case.stack.known_gram
    assert known.all(), "known_gram of a pickled copy is another"
    copy = case._replace(what=f"a pickled copy of {case.what}", stack=again)
    _check_values(copy)
    _check_products(copy)
