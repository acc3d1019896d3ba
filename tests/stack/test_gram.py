"""Every reason for which a matrix is no Gram matrix, and its message."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mkfusion import Kernelizer
from mkfusion.stack import KernelStack, _gram as _gram_checks
from mkfusion.stack._gram import GRAM_RTOL, check_gram_matrix

N = 30
rng = np.random.default_rng(0)
BASIS = np.linalg.qr(rng.normal(size=(N, N)))[0]


def with_spectrum(values: np.ndarray) -> np.ndarray:
    gram = (BASIS * values) @ BASIS.T
    return (gram + gram.T) / 2


GOOD = with_spectrum(np.linspace(0, 2, N))


def refused(gram: np.ndarray, pattern: str) -> str:
    with pytest.raises(ValueError, match=pattern) as caught:
        check_gram_matrix(gram, "kernels[0] ('accel')")
    return str(caught.value)


def test_accepted() -> None:
    singular = np.outer(BASIS[0], BASIS[0])
    for gram in (GOOD, singular, np.zeros((N, N)), np.eye(1), 1e-9 * GOOD, 1e9 * GOOD):
        check_gram_matrix(gram, "gram")
        check_gram_matrix(gram.astype(np.float32), "gram")


def test_not_changed() -> None:
    gram = GOOD.copy()
    check_gram_matrix(gram, "gram")
    np.testing.assert_array_equal(gram, GOOD)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(value: float) -> None:
    gram = GOOD.copy()
    gram[3, 7] = gram[7, 3] = value
    refused(gram, rf"kernels\[0\] \('accel'\) contains {value} at row 3, column 7; expected finite")


def test_not_square() -> None:
    stack = KernelStack([np.ones((3, 4))])
    with pytest.raises(ValueError, match=r"kernels has shape \(3, 4, 1\); expected square"):
        stack.check_gram()


def test_not_symmetric() -> None:
    gram = GOOD.copy()
    gram[3, 7], gram[7, 3] = 0.25, 0.5
    refused(gram, r"not symmetric: entry \(3, 7\) is 0.25, entry \(7, 3\) is 0.5; expected the")


def test_rounding_is_symmetric_enough() -> None:
    for dtype in (np.float64, np.float32):
        noise = 0.1 * GRAM_RTOL[np.dtype(dtype)] * rng.uniform(-1, 1, size=(N, N)) / N
        check_gram_matrix((GOOD + noise).astype(dtype), "gram")


def test_negative_diagonal() -> None:
    gram = np.diag(np.r_[np.ones(N - 1), -0.125])
    message = refused(gram, "its smallest eigenvalue is -0.125")
    assert "positive semi-definite" in message


@pytest.mark.parametrize("smallest", [-1.0, -0.01, -1e-4])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_indefinite(smallest: float, scale: float) -> None:
    gram = scale * with_spectrum(np.r_[smallest, np.linspace(0, 2, N - 1)])
    message = refused(gram, r"kernels\[0\] \('accel'\) is not positive semi-definite")
    found = float(re.search(r"smallest eigenvalue is (\S+) ", message)[1])
    assert found == pytest.approx(scale * smallest, rel=1e-4)
    # What the message advises works.
    assert "Clip its negative eigenvalues to 0" in message
    shift = float(re.search(r"add (\S+) to its diagonal", message)[1])
    check_gram_matrix(gram + 1.01 * shift * np.eye(N), "gram")
    values, vectors = np.linalg.eigh(gram)
    check_gram_matrix((vectors * np.maximum(values, 0)) @ vectors.T, "gram")


def test_a_negative_minor_alone() -> None:
    """An entry larger than its diagonal entries allow is seen outside the tested block too."""
    gram = np.eye(N)
    gram[4, 9] = gram[9, 4] = 1.5
    with pytest.raises(ValueError, match="smallest eigenvalue is -0.5 "):
        check_gram_matrix(gram, "gram", budget=10.0)


def test_large_kernels_are_tested_on_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gram_checks, "LEAST_BLOCK", 2)
    gram = -np.ones((N, N)) / (N - 2) + np.eye(N) * (1 + 1 / (N - 2))  # one eigenvalue below 0
    assert np.linalg.eigvalsh(gram)[0] < -0.01
    with pytest.raises(ValueError, match="semi-definite"):
        check_gram_matrix(gram, "gram")
    check_gram_matrix(gram, "gram", budget=100.0)
    worse = np.eye(N) - 0.5 * (1 - np.eye(N))
    with pytest.raises(ValueError, match="semi-definite"):
        check_gram_matrix(worse, "gram", budget=100.0)


# ----------------------------------------------------------------------------------- by tiles


@pytest.fixture
def by_tiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[np.ndarray], None]:
    """A check of a kernel that is too large to be brought into memory as a whole."""
    monkeypatch.setattr(_gram_checks, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(_gram_checks, "_TILE", 7)  # does not divide N

    def check(gram: np.ndarray) -> None:
        np.save(tmp_path / "gram.npy", gram)
        stack = KernelStack([np.load(tmp_path / "gram.npy", mmap_mode="r")], names=["big"])
        stack.check_gram("X")

    return check


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tiles_of_a_gram_matrix_pass(by_tiles, dtype) -> None:
    by_tiles(GOOD.astype(dtype))
    by_tiles(np.zeros((N, N), dtype))
    almost = GOOD.copy()
    almost[3, 11] += 0.3 * GRAM_RTOL[np.dtype(np.float64)] * almost.diagonal().max()
    by_tiles(almost)


@pytest.mark.parametrize("place", [(2, 3), (3, 2), (0, N - 1), (N - 1, 7)])
def test_tiles_that_are_not_mirrored(by_tiles, place) -> None:
    gram = GOOD.copy()
    gram[place] += 0.1
    i, j = min(place), max(place)
    with pytest.raises(ValueError, match=rf"X\[0\] \('big'\) is not symmetric: entry \({i}, {j}\)"):
        by_tiles(gram)


def test_tiles_that_are_not_definite(by_tiles, monkeypatch) -> None:
    with pytest.raises(ValueError, match="smallest eigenvalue"):
        by_tiles(with_spectrum(np.linspace(-0.1, 2, N)))
    # Seen outside the tested block too.
    monkeypatch.setattr(_gram_checks, "LEAST_BLOCK", 2)
    monkeypatch.setattr(_gram_checks, "PSD_FLOPS", 10.0)
    gram = np.eye(N)
    gram[4, 9] = gram[9, 4] = 1.5
    with pytest.raises(ValueError, match="smallest eigenvalue is -0.5 "):
        by_tiles(gram)
    gram = np.eye(N)
    gram[6, 6] = -1.0
    with pytest.raises(ValueError, match="smallest eigenvalue is -1 "):
        by_tiles(gram)


@pytest.mark.parametrize("place", [(4, 4), (1, 12)])
def test_tiles_that_are_not_finite(by_tiles, place) -> None:
    gram = GOOD.copy()
    gram[place] = np.nan
    with pytest.raises(ValueError, match=r"\('big'\) contains nan"):
        by_tiles(gram)


def test_lazy_kernels_are_seen_by_tiles_too(monkeypatch) -> None:
    monkeypatch.setattr(_gram_checks, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(_gram_checks, "_TILE", 5)
    shapes = set()

    def linear(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shapes.add((len(a), len(b)))
        return a @ b.T

    stack = Kernelizer([linear], normalize=None).fit_transform(np.ones((12, 2)))
    monkeypatch.setattr(_gram_checks, "LEAST_BLOCK", 3)
    monkeypatch.setattr(_gram_checks, "PSD_FLOPS", 9.0)
    stack.check_gram()
    assert max(max(shape) for shape in shapes) == 5
