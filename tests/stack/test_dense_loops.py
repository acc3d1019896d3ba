"""Numba's passes over the stack, against einsum; compiled and not."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mkfusion.stack import _dense
from mkfusion.stack._memory import Whole

rng = np.random.default_rng(0)


def laid_out(array: np.ndarray) -> _dense.Layout:
    return Whole(array).layout


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [1, 3, 4, 9])  # four kernels are taken at a time
def test_combine_rows(dtype: type, m: int) -> None:
    array = rng.normal(size=(m, 6, 5)).astype(dtype)
    weights = rng.uniform(size=m) * (np.arange(m) != 1)
    rows = np.array([4, 0, 4])
    out = np.full((3, 5), np.nan)
    _dense.combine_rows(laid_out(array), weights, np.flatnonzero(weights), rows, out)
    expected = np.einsum("k,kij->ij", weights, array[:, rows].astype(float))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("used", [0, 1, 4, 7])
def test_add_dot_rows(dtype: type, used: int) -> None:
    array = rng.normal(size=(3, 7, 7)).astype(dtype)
    array = array + array.transpose(0, 2, 1)
    rows = np.sort(rng.permutation(7)[:used])
    beta = np.zeros((2, 7))
    beta[:, rows] = rng.normal(size=(2, used))
    out = np.ones((2, 3, 7))
    _dense.add_dot_rows(laid_out(array), beta[:, rows], np.arange(3), rows, out)
    expected = 1 + np.einsum("kij,uj->uki", array.astype(float), beta)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_cols", [1, 3])  # few columns are picked, most are read along rows
def test_blocks(n_cols: int, dtype: type) -> None:
    array = rng.normal(size=(4, 6, 5)).astype(dtype)
    weights = np.array([0.5, 0.0, 2.0, 1.0])
    rows, cols = np.array([5, 0]), np.array([1, 4, 2][:n_cols])
    block = array[np.ix_(np.arange(4), rows, cols)]
    out = np.full((2, n_cols), np.nan)
    _dense.combine_block(laid_out(array), weights, np.flatnonzero(weights), rows, cols, out)
    expected = np.einsum("k,kij->ij", weights, block.astype(float))
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    taken = np.empty((4, 2, n_cols), dtype=dtype)
    _dense.take_block(laid_out(array), np.arange(4), rows, cols, taken)
    np.testing.assert_array_equal(taken, block)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dot_columns(dtype: type) -> None:
    array = rng.normal(size=(3, 4, 6)).astype(dtype)
    rows, cols = np.array([3, 0, 3]), np.array([1, 2, 5])
    beta = rng.normal(size=(2, 3))
    out = np.full((2, 3, 3), np.nan)
    _dense.dot_columns(laid_out(array), beta, rows, cols, out)
    block = array[np.ix_(np.arange(3), rows, cols)].astype(float)
    np.testing.assert_allclose(out, np.einsum("kij,uj->uki", block, beta), rtol=1e-12, atol=1e-12)
    forms = np.full(3, np.nan)
    _dense.quadratic_forms(laid_out(array), beta, np.array([2, 0]), rows, cols, forms)
    expected = np.einsum("ui,kij,uj->k", beta, block, beta)
    np.testing.assert_allclose(forms[[0, 2]], expected[[0, 2]], rtol=1e-12)
    assert np.isnan(forms[1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_cols", [2, 6])  # few columns are picked, most are read along rows
def test_add_dot_block(n_cols: int, dtype: type) -> None:
    array = rng.normal(size=(3, 7, 7)).astype(dtype)
    rows, cols = np.array([6, 0, 1, 3, 4]), np.array([5, 6, 0, 2, 1, 3])[:n_cols]
    beta = rng.normal(size=(2, 5))
    out = np.ones((2, 3, n_cols))
    _dense.add_dot_block(laid_out(array), beta, np.array([2, 0]), rows, cols, out)
    block = array[np.ix_(np.arange(3), rows, cols)].astype(float)
    expected = 1 + np.einsum("kij,ui->ukj", block, beta)
    expected[:, 1] = 1.0
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


def gram(n: int) -> np.ndarray:
    features = np.random.default_rng(n).normal(size=(n, 3))
    return features @ features.T


@pytest.mark.parametrize("n", [1, 5, 150])  # smaller and larger than a tile
def test_gram_without_defects(n: int) -> None:
    status, k, i, j, _ = _dense.gram_defects(np.array([gram(n), np.zeros((n, n))]), 1e-9)
    assert (status, k, i, j) == (_dense.FINE, -1, -1, -1)


@pytest.mark.parametrize(("i", "j"), [(2, 4), (0, 149), (70, 130)])
def test_gram_defects_are_found(i: int, j: int) -> None:
    good = gram(150)
    bad = good.copy()
    bad[i, j] = np.nan
    status, k, *where, _ = _dense.gram_defects(np.array([good, bad]), 1e-9)
    assert (status, k, *where) == (_dense.NOT_FINITE, 1, i, j)
    bad = good.copy()
    bad[j, i] += 0.5
    status, k, *where, value = _dense.gram_defects(np.array([good, bad]), 1e-9)
    assert (status, k, *where) == (_dense.ASYMMETRIC, 1, i, j)
    assert value == pytest.approx(-0.5)
    bad = good.copy()
    bad[i, j] = bad[j, i] = 1.1 * np.sqrt(good[i, i] * good[j, j])
    status, k, *where, value = _dense.gram_defects(np.array([good, bad]), 1e-9)
    assert (status, k, *where) == (_dense.NEGATIVE_MINOR, 1, i, j)
    assert value == bad[i, j]
    bad = good.copy()
    bad[i, i] = -0.25
    status, k, *where, value = _dense.gram_defects(np.array([good, bad]), 1e-9)
    assert (status, k, *where, value) == (_dense.NEGATIVE_DIAGONAL, 1, i, i, -0.25)
    bad[j, j] = np.inf
    status, k, *where, _ = _dense.gram_defects(np.array([good, bad]), 1e-9)
    assert (status, k, *where) == (_dense.NOT_FINITE, 1, j, j)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="this is the inner run")
def test_without_compilation() -> None:
    """The same functions in plain Python, where indices out of range raise."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
