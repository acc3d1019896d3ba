"""Every reason for which a matrix is no Gram matrix, and its message."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mkfusion.kernels import KernelStack, _gram_checks
from mkfusion.kernels._gram_checks import GRAM_RTOL, check_gram_matrix

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
