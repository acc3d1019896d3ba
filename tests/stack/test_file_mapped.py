"""Kernels in files: what is read, what is not, and what is copied into memory (nothing)."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mkfusion.stack import KernelStack
from mkfusion.stack._file import MappedView, is_mapped

N = 300
BYTES = 3 * N * N * 8


@pytest.fixture
def array() -> np.ndarray:
    """Kernels (3, n, n) of training samples."""
    X = np.random.default_rng(0).normal(size=(N, 5))
    gram = X @ X.T
    return np.stack([gram, gram**2, np.exp(gram / 20)])


@pytest.fixture
def mapped(array, tmp_path) -> list[np.ndarray]:
    """A file for each kernel."""
    for k, gram in enumerate(array):
        np.save(tmp_path / f"{k}.npy", gram)
    return [np.load(tmp_path / f"{k}.npy", mmap_mode="r") for k in range(3)]


def peak(act) -> int:
    """Most bytes that `act` allocates at a time."""
    act()
    tracemalloc.start()
    try:
        kept = act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del kept


def poisoned(array: np.ndarray, folder: Path, finite: bool = False) -> KernelStack:
    """A stack that raises when a number is read that is not finite."""
    np.save(folder / "poisoned.npy", array)
    return KernelStack(list(np.load(folder / "poisoned.npy", mmap_mode="r")), names=list("abc"))


# ------------------------------------------------------------------------- nothing is copied


def test_what_is_mapped_stays_in_its_file(array, mapped, tmp_path) -> None:
    np.save(tmp_path / "last.npy", np.moveaxis(array, 0, -1))
    np.save(tmp_path / "one.npy", array[0])
    last = np.load(tmp_path / "last.npy", mmap_mode="r")
    one = np.load(tmp_path / "one.npy", mmap_mode="r")
    for grams in (mapped, last, np.asarray(last), one, [*mapped[:2], array[2]]):
        assert peak(lambda grams=grams: KernelStack(grams)) < BYTES / 20
        stack = KernelStack(grams)
        assert "memory-mapped" in repr(stack)
        np.testing.assert_array_equal(stack.gram(0), array[0])
    assert KernelStack(one).shape == (N, N, 1)


def test_what_is_in_memory_is_not_mapped(array) -> None:
    assert not is_mapped(array)
    assert not is_mapped([1.0])
    assert "in memory" in repr(KernelStack(list(array)))


def test_passes_copy_no_kernel(mapped) -> None:
    stack = KernelStack(mapped)
    assert np.shares_memory(stack.gram(1), mapped[1])
    rows, beta = np.arange(0, N, 30), np.zeros(N)
    beta[rows] = 1.0
    part = np.random.default_rng(0).permutation(N)
    for act in (
        lambda: stack.combine(np.ones(3), rows=rows),
        lambda: stack.quadratic(beta),
        lambda: stack.add_dot(beta[np.newaxis], np.zeros((1, 3, N))),
        stack.diagonal,
        lambda: stack[np.ix_(part, part)],
        lambda: stack[np.ix_(part, part)].combine(np.ones(3), rows=rows),
    ):
        assert peak(act) < BYTES / 10


# ------------------------------------------------------------------------ what is (not) read


def test_only_what_is_asked_for_is_read(array, tmp_path) -> None:
    array[1] = np.nan
    array[:, 7], array[:, :, 7] = np.nan, np.nan
    stack = poisoned(array, tmp_path)
    others = np.flatnonzero(np.arange(N) != 7)
    part = stack[np.ix_(others, others)]
    assert np.isfinite(part.combine([1.0, 0.0, 2.0])).all()
    assert np.isfinite(stack.combine([1.0, 0.0, 2.0], rows=others[::-1], cols=others)).all()
    beta = np.ones((1, N))
    beta[:, 7] = 0.0
    good = stack.select(["a", "c"])
    assert np.isfinite(good.quadratic(beta)).all()
    assert np.isfinite(good.take(others, None).dot(beta)).all()
    out = np.zeros((1, 2, N))
    array[:, :, 7] = 0.0  # this time a row only
    poisoned(array, tmp_path).select(["a", "c"]).add_dot(beta, out)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    "read",
    [
        lambda stack: stack.combine(np.ones(3), rows=[30, 20, 10], cols=[5, 40]),
        lambda stack: stack[np.ix_([20, 3], [40, 1])].combine(np.ones(3)),
        lambda stack: stack.dot(np.ones(N)),
        lambda stack: stack.gram("b"),
        lambda stack: stack.materialize(),
        lambda stack: stack.check_gram("X"),
    ],
)
def test_numbers_that_are_not_finite_are_refused_when_read(array, tmp_path, read) -> None:
    array[1, 20, 40] = np.inf
    stack = poisoned(array, tmp_path)
    with pytest.raises(ValueError, match=r"grams\[1\] \('b'\) contains inf at row 20, column 40"):
        read(stack)


def test_a_diagonal_that_is_not_finite_is_refused(array, tmp_path) -> None:
    array[1, 20, 20] = np.nan
    with pytest.raises(ValueError, match=r"diagonal of grams\[1\] \('b'\) contains nan"):
        poisoned(array, tmp_path).diagonal()


def test_mapped_arrays_are_checked_as_others_are(mapped, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"grams\[1\] has shape \(2, 2\), but grams\[0\]"):
        KernelStack([mapped[0], np.eye(2)])
    np.save(tmp_path / "text.npy", np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(TypeError, match=r"grams\[0\] has dtype <U1"):
        KernelStack([np.load(tmp_path / "text.npy", mmap_mode="r")])
    with pytest.raises(ValueError, match="names has 2 entries"):
        KernelStack(mapped, names=["a", "b"])


@pytest.mark.parametrize("dtype", [np.int16, bool, np.float16, ">f4"])
def test_other_types_are_converted_as_they_are_read(dtype, tmp_path) -> None:
    gram = np.eye(4).astype(dtype)
    np.save(tmp_path / "gram.npy", gram)
    stack = KernelStack(np.load(tmp_path / "gram.npy", mmap_mode="r"))
    assert stack.dtype == KernelStack(gram).dtype
    assert stack.gram(0).dtype == stack.dtype
    np.testing.assert_array_equal(stack.combine([2.0]), 2 * np.eye(4))


# ----------------------------------------------------------------------------------- pickles


def test_pickles_hold_the_name_of_the_file(array, mapped, tmp_path) -> None:
    whole = tmp_path / "whole.npy"
    np.save(whole, array)
    one = np.load(whole, mmap_mode="r")
    # Parts, strides that skip or turn round, and a map that begins somewhere in a file.
    raw = np.memmap(whole, dtype=np.float64, mode="r", offset=one.offset + array[0].nbytes)
    for grams, expected in (
        (mapped, array),
        ([one[2], one[0]], array[[2, 0]]),
        ([one[0, ::-1, ::2]], array[:1, ::-1, ::2]),
        ([raw[: N * N].reshape(N, N).T], array[1:2]),
    ):
        stack = KernelStack(grams)
        text = pickle.dumps(stack[np.ix_(np.arange(9), np.arange(9))])
        assert len(text) < 10_000
        found = pickle.loads(pickle.dumps(pickle.loads(text)))
        np.testing.assert_array_equal(np.moveaxis(np.asarray(found), -1, 0), expected[:, :9, :9])


def test_a_map_without_a_file_is_pickled_by_its_numbers(array) -> None:
    import mmap

    memory = mmap.mmap(-1, array[0].nbytes)
    gram = np.frombuffer(memory).reshape(N, N)
    view = MappedView(gram, np.dtype(float), "gram", finite=True)
    assert is_mapped(gram)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view)).array, gram)
