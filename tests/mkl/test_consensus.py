"""Weights that need no target, against their definitions, written out, and cvxpy."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.decomposition import KernelPCA
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mkfusion.mkl._consensus
from mkfusion import ColumnKernelizer, KernelCombiner, KernelStack
from mkfusion.datasets import load_mfeat

rng = np.random.default_rng(0)
SHARED = rng.normal(size=(18, 3))
GRAMS = [
    rbf_kernel(SHARED),
    rbf_kernel(SHARED[:, :2] + 0.3 * rng.normal(size=(18, 2))),
    linear_kernel(SHARED + rng.normal(size=(18, 3))),
    rbf_kernel(rng.normal(size=(18, 2)), gamma=0.3),
]
each = pytest.mark.parametrize("weighting", ["statis", "sparse_umkl"])


def centred(grams: list[np.ndarray]) -> list[np.ndarray]:
    H = np.eye(len(grams[0])) - 1 / len(grams[0])
    return [H @ gram @ H for gram in grams]


def test_statis_is_the_leading_eigenvector() -> None:
    vectors = [gram.ravel() / np.linalg.norm(gram) for gram in centred(GRAMS)]
    alignments = np.array([[x @ z for z in vectors] for x in vectors])
    expected = np.ones(4)
    for _ in range(5000):  # the power method
        expected = alignments @ expected
        expected /= expected.sum()
    found = KernelCombiner("statis").fit(GRAMS).weights_
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found[3] == found.min()  # it shares nothing with the others
    # Of all weighted sums of the kernels of norm one, it is aligned best with them
    best = np.linalg.norm(np.array(vectors) @ (found @ np.array(vectors))) / np.linalg.norm(found)
    for _ in range(50):
        other = rng.uniform(size=4)
        value = np.linalg.norm(np.array(vectors) @ (other @ np.array(vectors)))
        assert value / np.linalg.norm(other) <= best * (1 + 1e-12)


def roughness(grams: list[np.ndarray], n_neighbors: int) -> np.ndarray:
    """Return the matrix of the published problem, sample by sample."""
    n, grams = len(grams[0]), centred(grams)
    W = np.zeros((n, n))
    for gram in grams:
        for i in range(n):
            others = [j for j in range(n) if j != i]
            for j in sorted(others, key=lambda j: -gram[i, j])[:n_neighbors]:
                W[i, j] += 1
                W[j, i] += 1
    S = np.zeros((len(grams), len(grams)))
    for k, one in enumerate(grams):
        for m, other in enumerate(grams):
            for i in range(n):
                for j in range(n):
                    S[k, m] += W[i, j] * (one[i] - one[j]) @ (other[i] - other[j])
    return S


@pytest.mark.parametrize("n_neighbors", [1, 5])
def test_sparse_umkl_against_cvxpy(n_neighbors, monkeypatch) -> None:
    S = roughness(GRAMS, n_neighbors)
    d = cp.Variable(4, nonneg=True)
    root = np.linalg.cholesky(S / S.max()).T
    problem = cp.Problem(cp.Minimize(cp.sum_squares(root @ d)), [cp.sum(d) == 1])
    problem.solve(solver=cp.CLARABEL)
    found = KernelCombiner("sparse_umkl", n_neighbors=n_neighbors).fit(GRAMS).weights_
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, d.value, atol=1e-5)
    assert found @ S @ found <= (1 + 1e-6) * problem.value * S.max()
    # Over blocks of rows
    blocks = [slice(0, 7), slice(7, 8), slice(8, 18)]
    monkeypatch.setattr(mkfusion.mkl._consensus, "row_batches", lambda *sizes: iter(blocks))
    again = KernelCombiner("sparse_umkl", n_neighbors=n_neighbors).fit(GRAMS).weights_
    np.testing.assert_allclose(again, found, rtol=1e-10)


def published_weights(blocks: list[np.ndarray], kernel: str, n_neighbors: int) -> np.ndarray:
    """Follow the published program from tables of samples to weights, in its own steps."""
    adjacency, profiles = 0, []
    for block in blocks:
        scaled = (block - block.mean(axis=0)) / block.std(axis=0)
        gram = linear_kernel(scaled) if kernel == "linear" else rbf_kernel(scaled)
        length = np.sqrt(np.diagonal(gram))
        [gram] = centred([gram / np.outer(length, length)])
        # Ranks within a row, where the sample itself comes first
        np.fill_diagonal(ranked := gram.copy(), np.inf)
        near = np.array([rankdata(row) >= len(row) - n_neighbors for row in ranked]).astype(float)
        np.fill_diagonal(near, 0)
        adjacency = adjacency + near + near.T
        profiles.append(gram)
    i, j = np.nonzero(adjacency)
    root = np.sqrt(adjacency[i, j])[:, None]
    steps = np.array([(root * (gram[i] - gram[j])).ravel() for gram in profiles])
    C = steps @ steps.T
    beta = cp.Variable(len(C), nonneg=True)
    factor = np.linalg.cholesky(C / C.max()).T
    problem = cp.Problem(cp.Minimize(cp.sum_squares(factor @ beta)), [cp.sum(beta) == 1])
    tight = dict.fromkeys(["tol_gap_abs", "tol_gap_rel", "tol_feas"], 1e-13)
    problem.solve(solver=cp.CLARABEL, **tight)
    return np.asarray(beta.value)


def wine() -> list[np.ndarray]:
    return np.split(load_wine().data, [4, 8], axis=1)


def cancer() -> list[np.ndarray]:
    """Means, standard errors and extremes of what was measured."""
    return np.split(load_breast_cancer().data[::2], 3, axis=1)


def digits() -> list[np.ndarray]:
    """No two are the same in a modality: no neighbours are tied."""
    X, _ = load_mfeat(return_X_y=True)
    return [X[name][3::8] for name in ("fou", "kar", "zer", "fac")]


def test_statis_is_mixkernels_on_real_data() -> None:
    """Weights of ``combine.kernels(a, b, c, method = "STATIS-UMKL")``, mixKernel 0.9-2 in R 4.2."""
    X = StandardScaler().fit_transform(np.hstack(wine()))
    columns = [slice(0, 4), slice(4, 8), slice(8, 13)]
    kernels = ColumnKernelizer([(f"part{k}", "linear", part) for k, part in enumerate(columns)])
    found = make_pipeline(kernels, KernelCombiner("statis")).fit(X)[-1].weights_
    np.testing.assert_allclose(found, [0.289454, 0.341448, 0.369098], atol=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("load", [wine, cancer, digits])
def test_sparse_umkl_is_the_published_program_on_real_data(load, kernel) -> None:
    blocks = load()
    X = StandardScaler().fit_transform(np.hstack(blocks))
    ends = np.cumsum([0, *(block.shape[1] for block in blocks)])
    columns = [slice(*pair) for pair in zip(ends, ends[1:], strict=False)]
    kernels = ColumnKernelizer([(f"part{k}", kernel, part) for k, part in enumerate(columns)])
    found = make_pipeline(kernels, KernelCombiner("sparse_umkl")).fit(X)[-1].weights_
    # The package asks for five neighbours as well.
    np.testing.assert_allclose(found, published_weights(blocks, kernel, 5), atol=1e-6)


@each
def test_the_target_and_the_order_do_not_matter(weighting) -> None:
    found = KernelCombiner(weighting).fit(GRAMS).weights_
    np.testing.assert_array_equal(KernelCombiner(weighting).fit(GRAMS, [0, 1] * 9).weights_, found)
    order = rng.permutation(18)
    shuffled = [gram[np.ix_(order, order)] for gram in GRAMS][::-1]
    np.testing.assert_allclose(
        KernelCombiner(weighting).fit(shuffled).weights_[::-1], found, atol=1e-9
    )
    single = KernelStack([gram.astype(np.float32) for gram in GRAMS])
    np.testing.assert_allclose(KernelCombiner(weighting).fit(single).weights_, found, atol=1e-4)


@each
@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
def test_copies_share_and_constants_have_nothing(weighting) -> None:
    found = KernelCombiner(weighting).fit([*GRAMS[:2], GRAMS[0], np.full((18, 18), 0.7)]).weights_
    assert found[0] == pytest.approx(found[2], rel=1e-6)
    assert found[3] == 0.0
    alone = KernelCombiner(weighting).fit([GRAMS[0], np.ones((18, 18))]).weights_
    np.testing.assert_array_equal(alone, [1.0, 0.0])
    with pytest.raises(ValueError, match="X holds no kernel that tells samples apart; expected"):
        KernelCombiner(weighting).fit([np.ones((18, 18))] * 2)


def test_kernels_with_nothing_in_common_have_equal_statis_weights() -> None:
    wave = np.cos(2 * np.pi * np.outer(np.arange(12), np.arange(1, 4)) / 12)
    grams = [np.outer(one, one) for one in wave.T]  # orthogonal, and centred
    found = KernelCombiner("statis").fit(grams).weights_
    np.testing.assert_allclose(found, 1 / 3, rtol=1e-9)


@pytest.mark.parametrize("n_neighbors", [18, 40])
def test_more_neighbours_than_samples_are_refused(n_neighbors) -> None:
    combiner = KernelCombiner("sparse_umkl", n_neighbors=n_neighbors)
    with pytest.raises(
        ValueError, match=f"n_neighbors is {n_neighbors}; expected fewer than the 18"
    ):
        combiner.fit(GRAMS)
    KernelCombiner("statis", n_neighbors=n_neighbors).fit(GRAMS)
    KernelCombiner("sparse_umkl", n_neighbors=17).fit(GRAMS)


def test_a_picture_of_the_consensus() -> None:
    X, _ = load_mfeat(return_X_y=True)
    X = X[::20]
    kernels = ColumnKernelizer([(name, "linear", name) for name in ("fou", "kar", "zer")])
    model = make_pipeline(kernels, KernelCombiner("statis"), KernelPCA(2, kernel="precomputed"))
    scores = model.fit_transform(X)
    assert scores.shape == (100, 2)
    np.testing.assert_allclose(model.transform(X), scores, atol=1e-8)
