"""Normalisations: exact on test rows and on blocks, learned from training samples only."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel, sigmoid_kernel
from sklearn.preprocessing import KernelCenterer

from mkfusion import Kernelizer, LinearKernel, PolynomialKernel, RBFKernel
from mkfusion.kernels.kernelizer._normalize import NORMALIZATIONS

rng = np.random.default_rng(0)
TRAIN = rng.normal(size=(12, 3)) + 1
TEST = rng.normal(size=(6, 3)) + 1
KERNEL = PolynomialKernel(degree=2, gamma=0.7)


def raw(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return polynomial_kernel(x, z, degree=2, gamma=0.7)


def cosine(x: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diagonal(raw(x, x)))
    return raw(x, TRAIN) / np.outer(scale, np.sqrt(np.diagonal(raw(TRAIN, TRAIN))))


def center(x: np.ndarray) -> np.ndarray:
    return KernelCenterer().fit(raw(TRAIN, TRAIN)).transform(raw(x, TRAIN))


def trace(x: np.ndarray) -> np.ndarray:
    return raw(x, TRAIN) / np.diagonal(raw(TRAIN, TRAIN)).mean()


EXPECTED = {"cosine": cosine, "center": center, "trace": trace, None: lambda x: raw(x, TRAIN)}
each = pytest.mark.parametrize("normalize", list(EXPECTED))


def test_all_are_tested() -> None:
    assert EXPECTED.keys() == NORMALIZATIONS.keys()


@each
@pytest.mark.parametrize("rows", ["train", "test"])
def test_exact(normalize: str | None, rows: str) -> None:
    kernelizer = Kernelizer([KERNEL], normalize=normalize)
    stack = kernelizer.fit_transform(TRAIN)
    if rows == "test":
        stack = kernelizer.transform(TEST)
    expected = EXPECTED[normalize](TRAIN if rows == "train" else TEST)
    np.testing.assert_allclose(stack.gram(0), expected, rtol=1e-12, atol=1e-12)
    if rows == "train":
        np.testing.assert_allclose(stack.diagonal()[0], np.diagonal(expected), rtol=1e-12)


@each
@pytest.mark.parametrize("rows", ["train", "test"])
def test_exact_on_blocks_before_anything_else_is_computed(normalize: str | None, rows: str) -> None:
    kernelizer = Kernelizer([KERNEL], normalize=normalize).fit(TRAIN)
    stack = kernelizer.transform(TRAIN if rows == "train" else TEST)
    expected = EXPECTED[normalize](TRAIN if rows == "train" else TEST)
    i, j = np.array([5, 2, 5]), np.array([11, 0, 3])
    found = stack[np.ix_(i, j)].combine([1.0])
    np.testing.assert_allclose(found, expected[np.ix_(i, j)], rtol=1e-12, atol=1e-12)
    beta = np.zeros(12)
    beta[[4, 7]] = 1.0, -2.0
    np.testing.assert_allclose(stack.dot(beta)[0], expected @ beta, rtol=1e-12, atol=1e-12)


@each
def test_a_principal_block_is_that_of_all_training_samples(normalize: str | None) -> None:
    """Statistics are those of `fit`; a fold's own are learned by a kernelizer in its pipeline."""
    stack = Kernelizer([KERNEL], normalize=normalize).fit_transform(TRAIN)
    i = np.array([1, 4, 9])
    expected = EXPECTED[normalize](TRAIN)[np.ix_(i, i)]
    block = stack[np.ix_(i, i)]
    np.testing.assert_allclose(block.gram(0), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(block.diagonal()[0], np.diagonal(expected), rtol=1e-12, atol=1e-12)


@each
def test_test_samples_leak_nothing(normalize: str | None) -> None:
    kernelizer = Kernelizer([KERNEL], normalize=normalize).fit(TRAIN)
    before = kernelizer.transform(TEST).gram(0)
    changed = TEST.copy()
    changed[2] = 1e3
    after = kernelizer.transform(changed).gram(0)
    others = np.arange(6) != 2
    np.testing.assert_array_equal(after[others], before[others])
    np.testing.assert_allclose(
        kernelizer.transform(TEST[[4]]).gram(0), before[[4]], rtol=1e-12, atol=1e-12
    )


@each
def test_single_precision_stays(normalize: str | None) -> None:
    stack = Kernelizer([KERNEL], normalize=normalize).fit_transform(TRAIN.astype(np.float32))
    assert stack.gram(0).dtype == np.float32
    np.testing.assert_allclose(stack.gram(0), EXPECTED[normalize](TRAIN), rtol=1e-4, atol=1e-4)


def test_a_sample_of_norm_zero_stays_at_zero() -> None:
    x = np.r_[np.zeros((1, 3)), TRAIN]
    kernelizer = Kernelizer(["linear"], normalize="cosine")
    gram = kernelizer.fit_transform(x).gram(0)
    np.testing.assert_array_equal(gram[0], 0)
    np.testing.assert_array_equal(gram[:, 0], 0)
    np.testing.assert_allclose(np.diagonal(gram)[1:], 1)
    np.testing.assert_allclose(
        kernelizer.fit_transform(x).diagonal()[0], [0.0] + [1.0] * 12, rtol=1e-14, atol=0
    )
    np.testing.assert_array_equal(kernelizer.transform(np.zeros((1, 3))).gram(0), 0)


def test_a_kernel_of_zeros_stays_one() -> None:
    for normalize in EXPECTED:
        gram = Kernelizer([LinearKernel()], normalize=normalize).fit_transform(np.zeros((4, 2)))
        np.testing.assert_array_equal(gram.gram(0), 0)


def test_noise_is_on_the_diagonal_only() -> None:
    """A Gaussian-process kernel has more on the diagonal than between equal samples."""
    kernel = RBF(1.5) + WhiteKernel(0.5)
    centred = KernelCenterer().fit_transform(kernel(TRAIN))
    kernelizer = Kernelizer([kernel], normalize="center")
    stack = kernelizer.fit_transform(TRAIN)
    np.testing.assert_allclose(stack.gram(0), centred, atol=1e-12)
    cosine = Kernelizer([kernel], normalize="cosine").fit_transform(TRAIN)
    np.testing.assert_allclose(cosine.gram(0), kernel(TRAIN) / 1.5, rtol=1e-12)


def test_indefinite_kernels_are_refused() -> None:
    def negative(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return sigmoid_kernel(x, z, coef0=-5.0)

    for normalize, message in (("cosine", "no negative value"), ("trace", "expected a positive")):
        with pytest.raises(ValueError, match=f"^negative: k\\(x, x\\).*{message}.*{normalize}"):
            Kernelizer([negative], normalize=normalize).fit(0.1 * TRAIN)


def test_zero_norm_with_values_is_refused() -> None:
    stack = Kernelizer(["additive_chi2"], normalize="cosine").fit_transform(np.abs(TRAIN))
    with pytest.raises(ValueError, match=r"k\(x, x\) is 0 for a sample x with a k\(x, t\) that is"):
        stack.gram(0)


def test_normalised_kernels_need_no_normalisation() -> None:
    gram = Kernelizer([RBFKernel(gamma=0.3)]).fit(TRAIN).transform(TEST).gram(0)
    np.testing.assert_array_equal(gram, rbf_kernel(TEST, TRAIN, gamma=0.3))
