"""Dense stacks: one copy of the kernels at most, and what is not touched."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from mkfusion.stack._dense import check_finite
from mkfusion.stack._stack import DenseStack

SHAPE = (8, 200, 150)
BYTES = 8 * 200 * 150 * 8


def kernels(dtype: type = np.float64) -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(dtype)


def peak(act) -> int:
    """Most bytes that `act` allocates at a time."""
    act()  # compiles what is to be compiled
    tracemalloc.start()
    try:
        kept = act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del kept


# ------------------------------------------------------------------------------ one copy


def test_a_list_is_not_copied() -> None:
    grams = [gram.copy() for gram in kernels()]
    assert peak(lambda: DenseStack(grams)) < 0.1 * BYTES
    stack = DenseStack(grams)
    for k, gram in enumerate(grams):
        assert np.shares_memory(stack.gram(k), gram)
    np.testing.assert_array_equal(stack.array, kernels())


def test_kernels_last_are_copied_once() -> None:
    last = np.ascontiguousarray(np.moveaxis(kernels(), 0, -1))
    assert peak(lambda: DenseStack(last)) < 1.1 * BYTES
    stack = DenseStack(last)
    assert stack.array.flags.c_contiguous
    np.testing.assert_array_equal(stack.array, kernels())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_in_the_order_of_kernels_is_not_copied(dtype: type) -> None:
    array = kernels(dtype)
    stack = DenseStack(np.moveaxis(array, 0, -1))
    assert np.shares_memory(stack.array, array)
    assert stack.dtype == dtype
    assert peak(lambda: DenseStack(np.moveaxis(array, 0, -1))) < 0.1 * BYTES


def test_a_single_kernel_is_not_copied() -> None:
    gram = kernels()[0]
    assert np.shares_memory(DenseStack(gram).array, gram)
    assert np.shares_memory(DenseStack([gram]).array, gram)


def test_some_kernels_are_a_view() -> None:
    array = kernels()
    stack = DenseStack.around(array)
    assert np.shares_memory(stack.select(np.array([1, 2])).array, array)
    apart = stack.select(np.array([5, 1]))
    for k, gram in enumerate((array[5], array[1])):
        assert np.shares_memory(apart.gram(k), gram)
        np.testing.assert_array_equal(apart.gram(k), gram)


def test_taken_samples_are_a_view() -> None:
    stack = DenseStack.around(kernels())
    rows, cols = np.arange(200)[::-1], np.arange(150)[::-1]
    assert stack.take(None, None) is stack
    assert peak(lambda: stack.take(rows, cols)) < 0.01 * BYTES
    # The result, and one kernel of it on the way there.
    assert peak(lambda: stack.take(rows, cols).materialize()) < 1.3 * BYTES
    assert stack.take(rows, cols).array.flags.c_contiguous


def test_passes_copy_no_kernel() -> None:
    square = np.ascontiguousarray(kernels(np.float32)[:, :150])
    stack = DenseStack.around(square)
    beta, out = np.ones((1, 150)), np.zeros((1, 8, 150))
    for act in (
        lambda: stack.dot(beta),
        lambda: stack.add_dot(beta, out),
        lambda: stack.combine(np.ones(8), rows=np.arange(3)),
        stack.diagonal,
    ):
        assert peak(act) < BYTES / 16


def test_kernels_with_contiguous_rows_are_not_copied_wherever_they_lie() -> None:
    array = kernels()
    for parts in (
        list(array),
        list(array[::-1]),
        [array[0], array[0]],
        [array[5], array[1].copy(), array[2]],
        list(array[:, 3:90, 20:70]),
        list(array[:, ::2]),
    ):
        stack = DenseStack(parts)
        for k, part in enumerate(parts):
            assert np.shares_memory(stack.block(k, None, None), part)
        np.testing.assert_array_equal(stack.array, np.array(parts))
        np.testing.assert_allclose(stack.combine(np.ones(len(parts))), np.sum(parts, axis=0))


@pytest.mark.parametrize("turn", [lambda K: K[:, :, ::2], lambda K: K[:, ::-1], np.asfortranarray])
def test_other_kernels_are_copied(turn) -> None:
    parts = list(turn(kernels()))
    stack = DenseStack(parts)
    assert not np.shares_memory(stack.gram(0), parts[0])
    np.testing.assert_array_equal(stack.array, np.array(parts))


# ------------------------------------------------------------------------ what is not read


def test_kernels_without_weight_are_not_read() -> None:
    array = kernels()
    weights = np.array([1.0, 0.0, 0.5, 2.0, 0.1, 0.0, 0.0, 3.0])
    array[weights == 0] = np.nan
    expected = np.einsum("k,kij->ij", weights[weights > 0], array[weights > 0])
    stack = DenseStack.around(array)
    np.testing.assert_allclose(stack.combine(weights), expected, rtol=1e-12)
    j = np.array([3, 1])
    np.testing.assert_allclose(stack.combine(weights, cols=j), expected[:, j], rtol=1e-12)


def test_columns_without_beta_are_not_read() -> None:
    array = kernels()
    array[:, :, 7] = np.nan
    beta = np.ones((2, 150))
    beta[:, 7] = 0
    assert np.isfinite(DenseStack.around(array).dot(beta)).all()


def test_rows_without_beta_are_not_read() -> None:
    array = np.ascontiguousarray(kernels()[:, :150])
    array[:, 7] = np.nan
    beta = np.ones((2, 150))
    beta[:, 7] = 0
    out = np.zeros((2, 8, 150))
    DenseStack.around(array).add_dot(beta, out)
    assert np.isfinite(out).all()


# --------------------------------------------------------------------------- what is taken


def test_precision_is_the_highest() -> None:
    low, high = np.eye(3, dtype=np.float32), np.eye(3)
    assert DenseStack([low, low]).dtype == np.float32
    assert DenseStack([low, high]).dtype == np.float64
    assert DenseStack([np.eye(3, dtype=int), np.eye(3, dtype=bool)]).dtype == np.float64
    assert DenseStack([np.eye(3, dtype=np.float16)]).dtype == np.float64


def test_lists_of_numbers() -> None:
    rows = [[1.0, 2.0], [2.0, 5.0]]
    np.testing.assert_array_equal(DenseStack(rows).array, [rows])
    np.testing.assert_array_equal(DenseStack([rows, rows]).array, [rows, rows])


@pytest.mark.parametrize(
    ("grams", "error", "message"),
    [
        ([], ValueError, r"grams is empty; expected at least one kernel"),
        (np.empty((3, 3, 0)), ValueError, r"grams holds 0 kernels"),
        ([np.empty((0, 3))], ValueError, r"at least one row"),
        ([np.ones(3), np.ones(3)], ValueError, r"grams\[0\] has shape \(3,\); expected a matrix"),
        (
            [np.eye(3), np.eye(2)],
            ValueError,
            r"grams\[1\] has shape \(2, 2\), but grams\[0\] has shape \(3, 3\)",
        ),
        (np.ones((2, 2, 2, 2)), ValueError, r"grams has shape \(2, 2, 2, 2\); expected a list"),
        ([np.eye(2), [["a", "b"], ["c", "d"]]], TypeError, r"grams\[1\] has dtype <U1"),
        ([np.eye(2).astype(object)], TypeError, r"grams\[0\] has dtype object.*astype\(float\)"),
        ([np.eye(2) + 0j], TypeError, r"grams\[0\] has dtype complex128; expected real"),
        ([csr_array(np.eye(2))], TypeError, r"grams\[0\] is a sparse csr_array.*toarray"),
        ([[[1.0], [1.0, 2.0]]], ValueError, r"grams\[0\] is not a rectangular array"),
        ([np.eye(2), np.full((2, 2), np.nan)], ValueError, r"grams\[1\] contains nan at row 0"),
        ([np.diag([0, np.inf])], ValueError, r"grams\[0\] contains inf at row 1, column 1"),
        ([np.diag([0, -np.inf])], ValueError, r"grams\[0\] contains -inf at row 1, column 1"),
    ],
)
def test_refused(grams, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DenseStack(grams)


def test_messages_name_the_argument_and_the_kernel() -> None:
    with pytest.raises(ValueError, match=r"X\[1\] \('gyro'\) contains nan"):
        DenseStack([np.eye(2), np.full((2, 2), np.nan)], ["accel", "gyro"], argument="X")


def test_finite_numbers_whose_sum_is_not() -> None:
    check_finite(np.full((2, 2), 1e308), "gram")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_from_another_process_may_lie_at_odd_addresses(dtype):
    # Buffers of messages between processes begin anywhere; arrays made of them are not copied.
    features = np.random.default_rng(0).normal(size=(3, 20, 4)).astype(dtype)
    grams = [x @ x.T for x in features]
    buffers = []
    message = pickle.dumps(DenseStack(grams), protocol=5, buffer_callback=buffers.append)
    moved = []
    for shift, buffer in enumerate(buffers, start=1):
        frame = bytearray(shift) + bytearray(buffer.raw())
        moved.append(memoryview(frame)[shift:])
    assert len(moved) >= 3
    stack = pickle.loads(message, buffers=moved)
    weights, beta = np.array([1.0, 2.0, 0.5]), np.linspace(-1, 1, 20)
    expected = sum(w * gram for w, gram in zip(weights, grams, strict=True))
    np.testing.assert_allclose(stack.combine(weights), expected, rtol=1e-5)
    np.testing.assert_allclose(stack.dot(beta), [gram @ beta for gram in grams], rtol=1e-4)
