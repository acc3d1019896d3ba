"""The Tanimoto kernel, against its definition and SciPy's Jaccard distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.spatial.distance import cdist

from mkfusion import TanimotoKernel

rng = np.random.default_rng(0)
BITS = (rng.uniform(size=(30, 12)) < 0.3).astype(float)
COUNTS = rng.poisson(0.7, size=(30, 12)).astype(float)
AMOUNTS = rng.exponential(size=(30, 12)) * (rng.uniform(size=(30, 12)) < 0.5)
for samples in (BITS, COUNTS, AMOUNTS):
    samples[3] = samples[9] = 0.0
    samples[4] = samples[20]
each = pytest.mark.parametrize("X", [BITS, COUNTS, AMOUNTS], ids=["bits", "counts", "amounts"])


def by_definition(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    values = np.ones((len(X), len(Z)))
    for i, x in enumerate(X):
        for j, z in enumerate(Z):
            if np.maximum(x, z).any():
                values[i, j] = np.minimum(x, z).sum() / np.maximum(x, z).sum()
    return values


@each
@pytest.mark.parametrize("form", [np.asarray, csr_array, csc_array])
def test_values(X: np.ndarray, form) -> None:
    kernel = TanimotoKernel().fit(form(X))
    np.testing.assert_allclose(kernel(form(X)), by_definition(X, X), rtol=1e-12, atol=1e-15)
    found = kernel(form(X[:7]), form(X[5:]))
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, by_definition(X[:7], X[5:]), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(kernel.diag(form(X)), np.ones(30))


def test_bits_are_sets() -> None:
    sets = BITS.astype(bool)
    expected = 1.0 - cdist(sets, sets, "jaccard")
    found = TanimotoKernel().fit(BITS)
    np.testing.assert_allclose(found(BITS), expected, rtol=1e-12)
    for form in (sets, sets.astype(np.uint8), csr_array(sets)):
        np.testing.assert_array_equal(found(form), found(BITS))
    inner = BITS @ BITS.T
    norms = np.diagonal(inner)
    there = norms > 0
    dot_product = inner / (norms[:, np.newaxis] + norms - inner + ~there)
    np.testing.assert_allclose(
        found(BITS)[np.ix_(there, there)], dot_product[np.ix_(there, there)], rtol=1e-12
    )


def test_bits_and_counts_give_the_same_numbers() -> None:
    # A count beside them: bits are then compared as counts are.
    with_count = np.vstack([BITS, COUNTS.max() * np.ones((1, 12))])
    kernel = TanimotoKernel().fit(BITS)
    np.testing.assert_array_equal(kernel(with_count)[:30, :30], kernel(BITS))


def test_counts_are_sets_in_which_items_occur_several_times() -> None:
    levels = np.arange(1, COUNTS.max() + 1)
    items = (COUNTS[:, :, np.newaxis] >= levels).reshape(30, -1)
    found = TanimotoKernel()(COUNTS)
    np.testing.assert_allclose(found, TanimotoKernel()(items.astype(float)), rtol=1e-12)


@each
def test_positive_semi_definite(X: np.ndarray) -> None:
    kernel = TanimotoKernel().fit(X)
    assert kernel.is_psd()
    assert np.linalg.eigvalsh(kernel(X))[0] > -1e-12


@each
def test_samples_of_zeros_equal_each_other_and_nothing_else(X: np.ndarray) -> None:
    found = TanimotoKernel()(X)[3]
    np.testing.assert_array_equal(found, ~X.any(axis=1))
    assert found[9] == 1.0


def test_wide_indices_are_taken_if_narrow_ones_suffice() -> None:
    wide = csr_array(COUNTS)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_array_equal(TanimotoKernel()(wide), TanimotoKernel()(csr_array(COUNTS)))
    assert wide.indices.dtype == np.int64, "the user's matrix was changed"


def test_the_unit_does_not_matter() -> None:
    np.testing.assert_allclose(
        TanimotoKernel()(1e-3 * AMOUNTS), TanimotoKernel()(AMOUNTS), atol=1e-12
    )


def test_entries_of_a_sparse_matrix_that_occur_twice_are_counts() -> None:
    twice = coo_array((np.ones(4), ([0, 0, 1, 2], [0, 0, 0, 1])), shape=(3, 2))
    rows = csr_array((np.ones(4), [0, 0, 0, 1], [0, 2, 3, 4]), shape=(3, 2))
    expected = [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_array_equal(TanimotoKernel()(twice), expected)
    np.testing.assert_array_equal(TanimotoKernel()(rows), expected)
    assert rows.nnz == 4, "the user's matrix was changed"


def test_single_precision_stays() -> None:
    for X in (BITS, COUNTS, AMOUNTS):
        single = X.astype(np.float32)
        found = TanimotoKernel().fit(single)(single)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_definition(X, X), atol=1e-6)


def test_negative_features_are_refused() -> None:
    for form in (np.asarray, csr_array):
        with pytest.raises(ValueError, match=r"TanimotoKernel: X contains -1; expected non-neg"):
            TanimotoKernel().fit(form(-BITS))
        with pytest.raises(ValueError, match="expected non-negative features"):
            TanimotoKernel().fit(form(BITS))(form(-BITS))
