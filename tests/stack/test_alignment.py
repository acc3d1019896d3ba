"""Centred products: one threshold for what is a constant kernel, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion import KernelCombiner
from mkfusion.inspection import kernel_alignment
from mkfusion.stack import KernelStack, centred_products

rng = np.random.default_rng(0)
N = 40
SIGNS = np.where(np.arange(N) % 2, 1.0, -1.0)
X = rng.normal(size=(N, 3)) + 0.3 * SIGNS[:, np.newaxis]
CENTRING = np.eye(N) - 1.0 / N


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_against_centred_arrays(dtype) -> None:
    grams = np.array([X @ X.T, np.exp(X @ X.T / 5.0), np.ones((N, N))]).astype(dtype)
    targets = rng.normal(size=(N, 2))
    targets -= targets.mean(axis=0)
    fit, products = centred_products(KernelStack(list(grams)), targets, pairs=True)
    centred = CENTRING @ grams.astype(np.float64) @ CENTRING
    expected = np.einsum("kij,lij->kl", centred, centred)
    close = {"rtol": 1e-10, "atol": 1e-10 * expected.max()}
    np.testing.assert_allclose(products, expected, **close)
    np.testing.assert_allclose(fit, np.einsum("kij,iu,ju->k", centred, targets, targets), **close)
    assert not products[2].any() and not products[:, 2].any()
    _, squares = centred_products(KernelStack(list(grams)), targets, pairs=False)
    np.testing.assert_allclose(squares, np.diagonal(products), rtol=1e-10)


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
@pytest.mark.parametrize("share", [0.0, 1e-16, 3e-11, 1e-4])
def test_combiner_and_inspection_say_the_same(share) -> None:
    """The weights of "alignment" are the alignments with the target, over the kernels' norms."""
    grams = [np.ones((N, N)) + share * np.outer(SIGNS, SIGNS), X @ X.T]
    combiner = KernelCombiner("alignment").fit(grams, SIGNS)
    seen = kernel_alignment(grams, SIGNS, target_type="classes")
    np.testing.assert_allclose(
        combiner.weights_, seen.target / seen.target.sum(), rtol=1e-9, atol=1e-15
    )
    # Far above the rounding of 1 it is a kernel, and exactly that of the target.
    known = share > 1e-14
    assert seen.target[0] == pytest.approx(1.0 if known else 0.0, abs=1e-4)
    assert seen.alignment[0, 0] == (1.0 if known else 0.0)
