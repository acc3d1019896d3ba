"""Sums over explicit features: what they are, that nothing is copied, and memory maps."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array

from mkfusion import KernelStack, MKLClassifier, MKLNoveltyDetector, MKLRegressor
from mkfusion.stack import _features
from mkfusion.stack._features import Features

N = 400
rng = np.random.default_rng(0)
BLOCKS = [rng.normal(size=(N, r)) for r in (3, 1, 7)]
WHOLE = np.hstack(BLOCKS)
KINDS = {
    "float64": np.asarray,
    "float32": lambda Z: Z.astype(np.float32),
    "columns first": np.asfortranarray,
    "sparse": csr_array,
}


@pytest.fixture(params=KINDS)
def features(request, monkeypatch) -> Features:
    monkeypatch.setattr(_features, "_PRODUCT", 100)
    monkeypatch.setattr(_features, "_GRAM", 200)
    return Features([KINDS[request.param](Z) for Z in BLOCKS])


@pytest.fixture
def rtol(request) -> float:
    return 1e-6 if "float32" in request.node.name else 1e-12


def test_sums(features, rtol) -> None:
    assert features.starts.tolist() == [0, 3, 4, 11]
    u, beta = rng.normal(size=(2, 11)), rng.normal(size=(2, N))
    beta[:, rng.random(N) < 0.7] = 0.0
    few = beta * (np.arange(N) < 13)
    np.testing.assert_allclose(features.products(u), u @ WHOLE.T, atol=rtol * 100)
    np.testing.assert_allclose(features.sums(beta), beta @ WHOLE, atol=rtol * N)
    np.testing.assert_allclose(features.sums(few), few @ WHOLE, atol=rtol * N)
    some = beta @ WHOLE
    some[:, 3:] = 0.0
    np.testing.assert_allclose(features.sums(beta, np.array([0])), some, atol=rtol * N)
    rows, price = np.arange(5, N, 3), rng.uniform(size=len(range(5, N, 3)))
    gram, total = features.gram(rows, price)
    np.testing.assert_allclose(gram, (WHOLE[rows].T * price) @ WHOLE[rows], atol=rtol * N)
    np.testing.assert_allclose(total, price @ WHOLE[rows], atol=rtol * N)


def test_passes_are_counted() -> None:
    features = Features(BLOCKS)
    u = np.zeros((1, 11))
    u[0, 4:] = 1.0
    features.products(u)  # seven of eleven columns
    assert features.passes == pytest.approx(7 / 11)
    features.sums((np.arange(N) < N / 4).astype(float)[np.newaxis])
    assert features.passes == pytest.approx(7 / 11 + 1 / 4)


MODELS = {
    "classifier": (MKLClassifier(tol=1e-6), lambda t: t > 0),
    "of weights": (MKLClassifier(p=2, class_weight={0: 2.0, 1: 1.0}, tol=1e-6), lambda t: t > 0),
    "multiclass": (MKLClassifier(p=1.5, tol=1e-6), lambda t: np.digitize(t, [-1, 1])),
    "per class": (
        MKLClassifier(per_class_weights=True, tol=1e-6),
        lambda t: np.digitize(t, [-1, 1]),
    ),
    "regressor": (MKLRegressor(p=2, tol=1e-6), lambda t: t),
    "ridge": (MKLRegressor(loss="squared_error", tol=1e-6), lambda t: t),
    "novelty": (MKLNoveltyDetector(nu=0.3, tol=1e-6), lambda t: None),
}


@pytest.mark.parametrize("name", MODELS)
def test_estimators_agree_with_kernels_in_memory(name) -> None:
    model, target = MODELS[name]
    y = target(BLOCKS[0][:, 0] + BLOCKS[2][:, 0] + 0.5 * BLOCKS[1][:, 0])
    weight = 1.0 + np.arange(N) % 2
    blocks = [Z + 0.5 for Z in BLOCKS]  # the origin lies outside, as a one-class machine wants it
    stack = KernelStack.from_features(blocks)
    low = type(model)(**model.get_params()).fit(stack, y, sample_weight=weight)
    exact = type(model)(**model.get_params()).fit(stack.materialize(), y, sample_weight=weight)
    assert low.duality_gap_ <= 1e-6
    assert low.objective_ == pytest.approx(exact.objective_, rel=3e-6)
    np.testing.assert_allclose(low.weights_, exact.weights_, atol=0.02)
    new = [Z[:50] + 0.1 for Z in blocks]
    test = KernelStack.from_features(new, blocks)
    decide = getattr(low, "decision_function", low.predict)
    # The same model on the same kernels multiplied out
    np.testing.assert_allclose(decide(test), decide(test.materialize()), rtol=1e-9, atol=1e-9)


def test_memory_is_that_of_vectors() -> None:
    n, r = 20_000, 20
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(n, r)).astype(np.float32) for _ in range(2)]
    y = blocks[0][:, 0] + 0.5 * rng.normal(size=n) > 0
    few = KernelStack.from_features([Z[:500] for Z in blocks])
    MKLClassifier(tol=1e-2).fit(few, y[:500])  # compile
    stack = KernelStack.from_features(blocks)
    tracemalloc.start()
    model = MKLClassifier(tol=1e-2).fit(stack, y)
    _, fit = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    model.predict(stack)
    _, predict = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.duality_gap_ <= 1e-2
    assert fit < 50 * 8 * n  # some vectors of as many numbers as samples, no n x n
    assert predict - before < 20 * 8 * n


def test_memory_maps_stay_in_their_files(tmp_path) -> None:
    n, r = 30_000, 40
    rng = np.random.default_rng(0)
    maps = []
    for k in range(2):
        path = tmp_path / f"{k}.npy"
        Z = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, r))
        Z[:] = rng.normal(size=(n, r)) / np.sqrt(r)
        Z.flush()
        maps.append(np.load(path, mmap_mode="r"))
    y = maps[0][:, 0] + 0.05 * rng.normal(size=n) > 0
    stack = KernelStack.from_features(maps)
    model = MKLClassifier(tol=1e-2)
    model.fit(KernelStack.from_features([Z[:500] for Z in maps]), y[:500])  # compile
    tracemalloc.start()
    model.fit(stack, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * (2 * n * r * 4) + 50 * 8 * n
    assert all(np.shares_memory(view.rows, Z) for view, Z in zip(stack.views, maps, strict=True))
    memory = MKLClassifier(tol=1e-2).fit(KernelStack.from_features([np.array(Z) for Z in maps]), y)
    assert model.objective_ == memory.objective_
    np.testing.assert_array_equal(model.predict(stack), memory.predict(stack))
