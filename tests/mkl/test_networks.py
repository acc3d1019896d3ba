"""Similarity network fusion, against the published steps, written out on whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mkfusion import Kernelizer, KernelStack, RBFKernel, similarity_network_fusion

rng = np.random.default_rng(0)
GROUPS = np.repeat([0, 1, 2], 11)
VIEWS = [GROUPS[:, np.newaxis] % k + 0.5 * rng.normal(size=(33, 2)) for k in (2, 3, 3)]
NETWORKS = [rbf_kernel(view, gamma=0.7) for view in VIEWS]


def written_out(networks: list, n_neighbors: int, n_iter: int, alpha: float) -> np.ndarray:
    n, m = len(networks[0]), len(networks)
    P, S = [], []
    for W in networks:
        one = np.array([row / row.sum() for row in W])
        P.append((one + one.T) / 2)
        near = np.zeros((n, n))
        for i, row in enumerate(P[-1]):
            chosen = np.argsort(row)[::-1][:n_neighbors]
            near[i, chosen] = row[chosen] / row[chosen].sum()
        S.append(near)
    for _ in range(n_iter):
        P = [
            S[v] @ np.mean([P[u] for u in range(m) if u != v], axis=0) @ S[v].T + alpha * np.eye(n)
            for v in range(m)
        ]
        P = [(one + one.T) / 2 for one in P]
    W = np.mean(P, axis=0)
    W = np.array([row / row.sum() for row in W])
    return (W + W.T + np.eye(n)) / 2


@pytest.mark.parametrize(
    ("networks", "n_neighbors", "n_iter", "alpha"),
    [(NETWORKS, 6, 20, 1.0), (NETWORKS[:2], 33, 3, 0.5), (NETWORKS, 1, 1, 0.0)],
)
def test_values(networks, n_neighbors, n_iter, alpha) -> None:
    found = similarity_network_fusion(networks, n_neighbors=n_neighbors, n_iter=n_iter, alpha=alpha)
    expected = written_out(networks, n_neighbors, n_iter, alpha)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(found, found.T)


def test_forms_scales_and_order() -> None:
    expected = similarity_network_fusion(NETWORKS, n_neighbors=6)
    order = rng.permutation(33)
    for kernels, back in (
        (np.stack(NETWORKS, axis=-1), slice(None)),
        (KernelStack([3.0 * NETWORKS[2], *NETWORKS[:2]]), slice(None)),
        ([gram[np.ix_(order, order)] for gram in NETWORKS], np.argsort(order)),
    ):
        found = similarity_network_fusion(kernels, n_neighbors=6)[back][:, back]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    computed = Kernelizer([RBFKernel(gamma=0.7), RBFKernel(gamma=0.1)]).fit_transform(VIEWS[1])
    views = [rbf_kernel(VIEWS[1], gamma=gamma) for gamma in (0.7, 0.1)]
    np.testing.assert_allclose(
        similarity_network_fusion(computed, n_neighbors=6),
        similarity_network_fusion(views, n_neighbors=6),
        rtol=1e-9,
    )


def test_groups_that_no_network_shows_alone() -> None:
    halves = [GROUPS == 0, GROUPS == 1, GROUPS == 2]
    views = [half[:, np.newaxis] + 0.1 * rng.normal(size=(33, 1)) for half in halves]
    networks = [rbf_kernel(view, gamma=4.0) for view in views]

    def agreement(affinity) -> float:
        model = SpectralClustering(3, affinity="precomputed", random_state=0)
        return adjusted_rand_score(GROUPS, model.fit_predict(affinity))

    fused = similarity_network_fusion(networks, n_neighbors=10)
    assert agreement(fused) > 0.9 > max(agreement(network) for network in networks)


def lonely() -> np.ndarray:
    gram = NETWORKS[0].copy()
    gram[4] = gram[:, 4] = 0.0
    return gram


@pytest.mark.parametrize(
    ("kernels", "options", "message"),
    [
        (NETWORKS[:1], {}, "kernels holds 1; expected at least two networks"),
        ([linear_kernel(view - 0.5) for view in VIEWS], {}, "expected similarities that are not n"),
        ([np.triu(gram) for gram in NETWORKS], {}, "is not symmetric"),
        ([gram[:5] for gram in NETWORKS], {}, "kernels has shape .5, 33, 3.; expected square"),
        ([NETWORKS[0], lonely()], {}, "is 0 between sample 4 and every sample"),
        ([NETWORKS[0], np.full((33, 33), np.nan)], {}, "nan|NaN"),
        (NETWORKS, {"n_neighbors": 34}, "n_neighbors is 34; expected at most the 33 samples"),
        (NETWORKS, {"n_neighbors": 0}, "'n_neighbors' parameter"),
        (NETWORKS, {"n_iter": 2.5}, "'n_iter' parameter"),
        (NETWORKS, {"alpha": -1.0}, "'alpha' parameter"),
    ],
)
def test_refused(kernels, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        similarity_network_fusion(kernels, **options)
