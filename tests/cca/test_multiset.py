"""More than two modalities: the literature's criteria, and their optimality."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from mkfusion.cca import CCA, MultisetCCA
from mkfusion.data._modalities import Modalities

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
DIABETES = scale(load_diabetes(scaled=False).data) * np.sqrt(441 / 442)
PARTS = (slice(0, 3), slice(3, 6), slice(6, 10))
THREE = [("a", PARTS[0]), ("b", PARTS[1]), ("c", PARTS[2])]


def views(n: int, ps: tuple[int, ...], seed: int, signal: float = 1.0) -> Modalities:
    rng = np.random.default_rng(seed)
    Z = signal * rng.normal(size=(n, 2))
    return Modalities(
        {f"v{v}": Z @ rng.normal(size=(2, p)) + rng.normal(size=(n, p)) for v, p in enumerate(ps)}
    )


def ridge_correlations(model: MultisetCCA, data: Modalities, c: float) -> np.ndarray:
    """The matrices R (k, V, V), from the weights made of unit length in the ridge."""
    blocks = [scale(data[name]) * np.sqrt((len(data) - 1) / len(data)) for name in data.names]
    weights = [
        w * data[name].std(axis=0, ddof=1)[:, None]
        for w, name in zip(model.weights_, data.names, strict=True)
    ]
    for block, w in zip(blocks, weights, strict=True):
        S = (1.0 - c) * np.cov(block.T) + c * np.eye(len(w))
        w /= np.sqrt(np.einsum("pk,pq,qk->k", w, S, w))
    scores = np.stack([b @ w for b, w in zip(blocks, weights, strict=True)])
    R = np.einsum("unk,vnk->kuv", scores, scores) / (len(data) - 1)
    R[:, range(len(blocks)), range(len(blocks))] = 1.0
    return R


@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("method", ["maxvar", "sumcor"])
def test_two_modalities_are_cca(method: str, c: float) -> None:
    data = views(40, (4, 5), seed=0)
    pair = CCA(3, regularisation=c).fit(data)
    ours = MultisetCCA(3, method=method, regularisation=c, tol=1e-12, max_iter=10_000).fit(data)
    np.testing.assert_allclose(
        ours.canonical_correlations_, pair.canonical_correlations_, atol=1e-9
    )
    np.testing.assert_allclose(ours.transform(data), pair.transform(data), atol=1e-6)
    offset = 1.0 if method == "maxvar" else 0.0
    np.testing.assert_allclose(ours.objective_ - offset, pair.objective_, atol=1e-9)
    np.testing.assert_allclose(ours.shares_, np.sqrt(0.5))


@pytest.mark.parametrize("c", [0.0, 0.1, 0.5, 1.0])
def test_maxvar_as_mcca_of_cca_zoo(c: float) -> None:
    *weights, correlations = REFERENCE[f"mcca{c}"]
    ours = MultisetCCA(regularisation=c, scale=False, modalities=THREE).fit(DIABETES)
    for mine, theirs in zip(ours.weights_, weights, strict=True):
        np.testing.assert_allclose(np.abs(mine), theirs, atol=1e-6)
    np.testing.assert_allclose(ours.canonical_correlations_, correlations, atol=1e-6)


def test_maxvar_as_gcca_of_cca_zoo() -> None:
    *weights, correlations = REFERENCE["gcca0.0"]
    ours = MultisetCCA(modalities=THREE).fit(DIABETES)
    for mine, theirs in zip(ours.weights_, weights, strict=True):
        np.testing.assert_allclose(np.abs(mine), theirs, atol=2e-6)
    np.testing.assert_allclose(ours.canonical_correlations_, correlations, atol=1e-6)


@pytest.mark.parametrize("c", [0.0, 0.2, 1.0])
def test_maxvar_dense_eigenproblem(c: float) -> None:
    ours = MultisetCCA(3, regularisation=c, scale=False, modalities=THREE).fit(DIABETES)
    S = np.cov(DIABETES.T)
    within = block_diag(*[S[part, part] for part in PARTS])
    values, vectors = eigh(S - within, (1.0 - c) * within + c * np.eye(10))
    np.testing.assert_allclose(ours.objective_, 1.0 + values[::-1][:3], atol=1e-9)
    for v, part in enumerate(PARTS):
        expected = vectors[part, ::-1][:, :3]
        mine = ours.weights_[v]
        cosines = np.sum(mine * expected, axis=0)
        cosines /= np.linalg.norm(mine, axis=0) * np.linalg.norm(expected, axis=0)
        np.testing.assert_allclose(np.abs(cosines), 1.0, atol=1e-9)
    np.testing.assert_array_equal(ours.gap_, 0.0)


def test_maxvar_is_the_variate_of_carroll() -> None:
    """Its shared variate is the leading eigenvector of the sum of projections on modalities."""
    data = views(60, (3, 4, 5), seed=1)
    ours = MultisetCCA(2).fit(data)
    total = np.zeros((60, 60))
    for name in data.names:
        X = data[name] - data[name].mean(axis=0)
        total += X @ np.linalg.pinv(X)
    values, vectors = np.linalg.eigh(total)
    np.testing.assert_allclose(ours.objective_, values[::-1][:2])
    scores = ours.transform(data).reshape(60, 3, 2)
    shared = np.einsum("nvk,vk->nk", scores, ours.shares_)
    for j in range(2):
        assert abs(np.corrcoef(shared[:, j], vectors[:, -1 - j])[0, 1]) == pytest.approx(1.0)


@pytest.mark.parametrize("c", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("method", ["maxvar", "sumcor"])
def test_objective_is_what_it_says(method: str, c: float) -> None:
    data = views(50, (3, 6, 4), seed=2)
    ours = MultisetCCA(2, method=method, regularisation=c, tol=1e-12).fit(data)
    R = ridge_correlations(ours, data, c)
    if method == "maxvar":
        values, vectors = np.linalg.eigh(R)
        np.testing.assert_allclose(ours.objective_, values[:, -1])
        np.testing.assert_allclose(ours.shares_.T, np.abs(vectors[:, :, -1]))
    else:
        np.testing.assert_allclose(ours.objective_, (R.sum(axis=(1, 2)) - 3.0) / 2.0)
    if c == 0.0:
        np.testing.assert_allclose(ours.pairwise_correlations_, R, atol=1e-9)
        pairs = R[:, *np.triu_indices(3, 1)]
        np.testing.assert_allclose(ours.canonical_correlations_, pairs.mean(axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_sumcor_is_not_beaten_by_random_weights(seed: int) -> None:
    data = views(40, (3, 4, 5, 2), seed=seed, signal=0.3)
    ours = MultisetCCA(1, method="sumcor").fit(data)
    baseline = MultisetCCA(1).fit(data)
    assert ours.gap_[0] <= 1e-6
    triangle = np.triu_indices(4, 1)
    assert ours.objective_[0] >= baseline.pairwise_correlations_[0][triangle].sum() - 1e-9
    rng = np.random.default_rng(seed)
    whole = np.hstack([data[name] for name in data.names])
    for _ in range(300):
        noise = [rng.normal(scale=0.1, size=w.shape) * np.abs(w).max() for w in ours.weights_]
        weights = [w + e for w, e in zip(ours.weights_, noise, strict=True)]
        R = np.corrcoef(whole @ block_diag(*weights), rowvar=False)
        assert R[triangle].sum() <= ours.objective_[0] + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_the_gap_of_sumcor_is_a_bound(seed: int) -> None:
    """Single columns leave signs to choose, which is hard; here all of them can be tried."""
    rng = np.random.default_rng(seed)
    data = Modalities({f"v{v}": rng.normal(size=(8, 1)) for v in range(7)})
    ours = MultisetCCA(1, method="sumcor").fit(data)
    C = np.corrcoef(np.hstack([data[name] for name in data.names]).T) - np.eye(7)
    best = max(np.array(s) @ C @ s / 2.0 for s in product((-1.0, 1.0), repeat=7))
    assert ours.objective_[0] <= best + 1e-9
    assert best <= ours.objective_[0] / (1.0 - ours.gap_[0]) + 1e-9


def test_sumcor_components_are_uncorrelated_within_modalities() -> None:
    data = views(60, (4, 4, 5), seed=3)
    scores = MultisetCCA(4, method="sumcor").fit_transform(data)
    for v in range(3):
        within = np.corrcoef(scores[:, 4 * v : 4 * v + 4].T)
        np.testing.assert_allclose(within, np.eye(4), atol=1e-6)


def test_a_modality_that_shares_nothing_has_a_small_part() -> None:
    data = views(400, (3, 3, 3), seed=4, signal=2.0)
    noise = np.random.default_rng(5).normal(size=(400, 3))
    ours = MultisetCCA(1).fit(Modalities(a=data["v0"], b=data["v1"], noise=noise))
    assert ours.shares_[2, 0] < 0.2 < ours.shares_[0, 0]
    exactly = np.zeros((4, 1))
    X = Modalities(
        a=[[1.0], [1.0], [-1.0], [-1.0]],
        b=[[1.0], [1.0], [-1.0], [-1.0]],
        c=exactly + [[1.0], [-1.0], [1.0], [-1.0]],
    )
    apart = MultisetCCA(1).fit(X)
    np.testing.assert_allclose(apart.shares_.ravel(), [np.sqrt(0.5), np.sqrt(0.5), 0.0], atol=1e-9)
    assert np.isfinite(apart.transform(X)).all()


def test_more_columns_than_samples() -> None:
    data = views(25, (60, 40, 30), seed=6)
    for method in ("maxvar", "sumcor"):
        ours = MultisetCCA(2, method=method, regularisation=0.5).fit(data)
        assert (ours.gap_ <= 1e-6).all()
        assert np.isfinite(ours.transform(data)).all()
    with pytest.warns(UserWarning, match="whatever the data"):
        MultisetCCA(2).fit(data)


def test_says_that_it_did_not_settle() -> None:
    data = views(40, (5, 6, 7), seed=7, signal=0.1)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 passes; the relative gaps"):
        ours = MultisetCCA(1, method="sumcor", max_iter=1).fit(data)
    assert ours.n_iter_ == 1
    assert 0.0 < ours.gap_[0] < 1.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "expected Modalities as X, or modalities="),
        ({"modalities": [("a", [0])]}, "expected at least two"),
        ({"modalities": THREE, "method": "mcca"}, "method"),
        ({"modalities": THREE, "n_components": 4}, r"at most 3.*\(a: 3, b: 3, c: 4\)"),
        ({"modalities": THREE, "regularisation": [0.1, 0.1]}, "each of the 3 modalities"),
        ({"modalities": THREE, "tol": 0.0}, "tol"),
    ],
)
def test_bad_input(params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultisetCCA(**params).fit(DIABETES)
