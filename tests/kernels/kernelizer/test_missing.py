"""Samples that lack a modality: constructions against loops, positive semi-definite, no leakage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from mkfusion import (
    ColumnKernelizer,
    LinearKernel,
    Modalities,
    RBFKernel,
    interaction_kernels,
)
from mkfusion.kernels.kernelizer import _missing

rng = np.random.default_rng(0)
WORDS = np.array(["one", "two", "three", "four", "five", "six"])


def whole(n: int, seed: int = 0) -> Modalities:
    """Tables and texts that have something in common."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(n, 3))
    mix = np.random.default_rng(9).normal(size=(3, 4))
    return Modalities(
        left=common @ mix + 0.5 * generator.normal(size=(n, 4)) + 1.0,
        right=common + 0.5 * generator.normal(size=(n, 3)) - 0.5,
        third=common[:, :2] + 0.5 * generator.normal(size=(n, 2)),
        text=[" ".join(WORDS[:3][row > 0]) + " six" for row in common],
    )


def without(samples: Modalities, present: np.ndarray) -> Modalities:
    """The same samples, some of them lacking something: the third table if the texts."""
    tables = {name: samples[name].copy() for name in ("left", "right", "third")}
    for table, there in zip(tables.values(), present.T, strict=True):
        table[~there] = np.nan
    texts = zip(samples["text"], present[:, 2], strict=True)
    return Modalities(**tables, text=[text if there else None for text, there in texts])


def random_pattern(n: int, seed: int, share: float = 0.6) -> np.ndarray:
    """Which modalities samples have: at least one, and the first samples have all."""
    generator = np.random.default_rng(seed)
    present = generator.random((n, 3)) < share
    present[np.arange(n), generator.integers(0, 3, n)] = True
    present[:3] = True
    return present


TRAIN, TEST = whole(24), whole(9, seed=1)
THERE, THERE_TEST = random_pattern(24, 0), random_pattern(9, 1)
GAPPY, GAPPY_TEST = without(TRAIN, THERE), without(TEST, THERE_TEST)
KERNELS = [
    ("left", [RBFKernel(), "linear"], "left"),
    ("right", "linear", "right"),
    ("text", make_pipeline(TfidfVectorizer(), LinearKernel()), "text"),
]
either = pytest.mark.parametrize("missing", ["marginalise", "impute"])
each_normalisation = pytest.mark.parametrize("normalize", ["cosine", "trace", "center", None])


def make(missing: str, **parameters: Any) -> ColumnKernelizer:
    return ColumnKernelizer(KERNELS, missing=missing, **parameters)


# ---------------------------------------------------------------- independent implementations


def features(normalize: str | None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Features of three linear kernels, of training and of test samples; NaN where missing."""
    trains, tests = [], []
    for name in ("left", "right", "third"):
        train, test = GAPPY[name], GAPPY_TEST[name]
        known = train[~np.isnan(train[:, 0])]
        if normalize == "center":
            train, test = train - known.mean(axis=0), test - known.mean(axis=0)
        if normalize == "trace":
            scale = np.sqrt((known**2).sum(axis=1).mean())
            train, test = train / scale, test / scale
        if normalize == "cosine":
            train, test = (x / np.linalg.norm(x, axis=1)[:, np.newaxis] for x in (train, test))
        trains.append(train)
        tests.append(test)
    return trains, tests


TABLES = [(name, "linear", name) for name in ("left", "right", "third")]


@each_normalisation
def test_marginalised_pair_by_pair(normalize: str | None) -> None:
    kernelizer = ColumnKernelizer(TABLES, normalize=normalize, missing="marginalise")
    square = np.asarray(kernelizer.fit_transform(GAPPY))
    cross = np.asarray(kernelizer.transform(GAPPY_TEST))
    trains, tests = features(normalize)
    for found, there, own in ((square, THERE, trains), (cross, THERE_TEST, tests)):
        expected = np.zeros(found.shape)
        for i, j, k in np.ndindex(*found.shape):
            if there[i, k] and THERE[j, k]:
                shares = there[i].sum() / 3 * THERE[j].sum() / 3
                expected[i, j, k] = own[k][i] @ trains[k][j] / np.sqrt(shares)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@each_normalisation
def test_imputed_features_one_by_one(normalize: str | None, monkeypatch) -> None:
    """Ridge regression on explicit features, by scikit-learn."""
    monkeypatch.setattr(_missing, "choose_ridge", lambda gram, target: (0.3, 0.0))
    kernelizer = ColumnKernelizer(TABLES, normalize=normalize, missing="impute")
    square = np.asarray(kernelizer.fit_transform(GAPPY))
    cross = np.asarray(kernelizer.transform(GAPPY_TEST))
    trains, tests = features(normalize)
    scales = [np.nanmean((train**2).sum(axis=1)) for train in trains]

    def joint(own, there, i, pattern):
        """Features of which the inner product is the mean kernel over what two samples have."""
        parts = [
            (own[e][i] if there[i, e] else np.zeros(own[e].shape[1])) / np.sqrt(scales[e])
            for e in pattern
        ]
        return np.concatenate(parts) / np.sqrt(there[i, pattern].sum())

    def complete(own, there, i, k):
        if there[i, k]:
            return own[k][i]
        pattern = np.flatnonzero(there[i])
        donors = np.flatnonzero(THERE[:, k] & THERE[:, pattern].any(axis=1))
        some_share_nothing.append(len(donors) < THERE[:, k].sum())
        inputs = [joint(trains, THERE, j, pattern) for j in donors]
        model = Ridge(alpha=0.3).fit(inputs, trains[k][donors])
        return model.predict([joint(own, there, i, pattern)])[0]

    some_share_nothing: list[bool] = []
    for k in range(3):
        train = np.array([complete(trains, THERE, j, k) for j in range(24)])
        test = np.array([complete(tests, THERE_TEST, i, k) for i in range(9)])
        np.testing.assert_allclose(square[..., k], train @ train.T, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(cross[..., k], test @ train.T, rtol=1e-8, atol=1e-10)
    assert any(some_share_nothing)


# ------------------------------------------------------------------------------- what it keeps


@either
@each_normalisation
def test_positive_semi_definite_whatever_is_missing(missing: str, normalize: str | None) -> None:
    for seed in range(5):
        present = random_pattern(24, seed, share=0.5)
        stack = make(missing, normalize=normalize).fit_transform(without(TRAIN, present))
        for k in range(stack.shape[2]):
            gram = stack.gram(k)
            np.testing.assert_allclose(gram, gram.T, rtol=1e-10, atol=1e-13)
            assert np.linalg.eigvalsh(gram)[0] > -1e-10 * np.trace(gram)
        stack.check_gram()


def test_dividing_by_the_share_that_both_have_is_not() -> None:
    """Three samples that have the first, both, and the second of two modalities: all the same."""
    present = np.array([[1, 0], [1, 1], [0, 1]])
    sums = present @ present.T
    both = np.divide(sums, sums, out=np.zeros((3, 3)), where=sums > 0)
    assert np.linalg.eigvalsh(both)[0] < -0.4
    ours = sums / np.sqrt(np.outer(present.sum(axis=1), present.sum(axis=1)))
    assert np.linalg.eigvalsh(ours)[0] > -1e-12
    nan = np.nan
    data = Modalities(a=[[1.0], [1.0], [nan]], b=[[nan], [1.0], [1.0]])
    kernels = [("a", "linear", "a"), ("b", "linear", "b")]
    stack = ColumnKernelizer(kernels, missing="marginalise").fit_transform(data)
    np.testing.assert_allclose(stack.combine([0.5, 0.5]), ours)


@either
@each_normalisation
def test_nothing_changes_where_nothing_is_missing(missing: str, normalize: str | None) -> None:
    plain = make("error", normalize=normalize).fit(TRAIN)
    kernelizer = make(missing, normalize=normalize)
    expected = np.asarray(plain.fit_transform(TRAIN))
    np.testing.assert_array_equal(np.asarray(kernelizer.fit_transform(TRAIN)), expected)
    expected = np.asarray(plain.transform(TEST))
    np.testing.assert_array_equal(np.asarray(kernelizer.transform(TEST)), expected)
    # Complete samples keep their values among incomplete ones.
    stack = kernelizer.fit_transform(GAPPY)
    full = np.flatnonzero(THERE.all(axis=1))
    for column, part in enumerate(KERNELS):
        known = np.flatnonzero(THERE[:, column])
        alone = ColumnKernelizer([part], normalize=normalize).fit_transform(GAPPY[known])
        at = np.searchsorted(known, full)
        np.testing.assert_allclose(
            np.asarray(stack.select(alone.names)[np.ix_(full, full)]),
            np.asarray(alone[np.ix_(at, at)]),
            rtol=1e-12,
            atol=1e-15,
        )


def test_the_mean_of_marginalised_kernels_has_a_diagonal_of_one() -> None:
    stack = ColumnKernelizer(TABLES, missing="marginalise").fit_transform(GAPPY)
    np.testing.assert_allclose(np.diagonal(stack.combine([1 / 3] * 3)), 1.0)


@either
@each_normalisation
def test_lazy_operations(missing: str, normalize: str | None) -> None:
    kernelizer = make(missing, normalize=normalize)
    weights, beta = np.array([0.3, 0.0, 1.0, 2.0]), rng.normal(size=24) * (np.arange(24) % 3 > 0)
    rows, cols = np.array([5, 0, 5, 7]), np.array([3, 8, 3, 20, 11])
    for square, stack in (
        (True, kernelizer.fit_transform(GAPPY)),
        (False, kernelizer.transform(GAPPY_TEST)),
    ):
        assert "on demand" in repr(stack) or "low-rank" in repr(stack)
        array = np.asarray(stack)
        close = {"rtol": 1e-9, "atol": 1e-11}
        np.testing.assert_allclose(stack.combine(weights), array @ weights, **close)
        np.testing.assert_allclose(
            np.asarray(stack[np.ix_(rows, cols)]), array[np.ix_(rows, cols)], **close
        )
        for i in (0, 5):
            one = np.asarray(stack[[i]])
            np.testing.assert_allclose(one, array[[i]], **close)
        expected = np.einsum("ijk,j->ki", array, beta)
        np.testing.assert_allclose(stack.dot(beta), expected, **close)
        np.testing.assert_allclose(stack[rows].dot(beta), expected[:, rows], **close)
        for k, view in enumerate(stack.views):
            found = view.pairs(rows, cols[:4])
            np.testing.assert_allclose(found, array[rows, cols[:4], k], **close)
        if square:
            out = np.zeros((1, 4, 24))
            stack.add_dot(beta[np.newaxis], out)
            np.testing.assert_allclose(out[0], expected, **close)
            np.testing.assert_allclose(
                stack.diagonal(), np.diagonal(array, axis1=0, axis2=1), **close
            )
            part = np.ix_(cols[:2], cols[:2])
            np.testing.assert_allclose(
                stack[part].quadratic([1.0, -2.0]),
                np.einsum("ijk,i,j->k", array[part], [1.0, -2.0], [1.0, -2.0]),
                **close,
            )
            product = interaction_kernels(stack).gram(4)
            np.testing.assert_allclose(product, array[..., 0] * array[..., 1], **close)


@either
def test_noise_of_training_samples(missing: str) -> None:
    kernel = RBF() + WhiteKernel(0.5)
    kernels = [(name, kernel, name) for name in ("left", "right", "third")]
    stack = ColumnKernelizer(kernels, normalize=None, missing=missing).fit_transform(GAPPY)
    full, known = np.flatnonzero(THERE.all(axis=1)), np.flatnonzero(THERE[:, 0])
    gram = stack.gram(0)
    expected = kernel(TRAIN["left"][full])
    np.testing.assert_allclose(gram[np.ix_(full, full)], expected, rtol=1e-12)
    assert np.linalg.eigvalsh(gram[np.ix_(known, known)])[0] > 0.49


@either
def test_single_precision(missing: str) -> None:
    low = Modalities({name: GAPPY[name].astype(np.float32) for name in ("left", "right", "third")})
    kernelizer = ColumnKernelizer(TABLES, missing=missing)
    found = kernelizer.fit_transform(low)
    assert found.dtype == np.float32
    assert found.gram(0).dtype == np.float32
    expected = np.asarray(kernelizer.fit_transform(GAPPY))
    np.testing.assert_allclose(np.asarray(found), expected, atol=2e-4)


def test_bounds_on_the_work(monkeypatch) -> None:
    """With fewer donors, and nothing kept, predictions are others but stay what they should be."""
    every = make("impute").fit_transform(GAPPY)
    monkeypatch.setattr(_missing, "MAX_DONORS", 6)
    monkeypatch.setattr(_missing, "MAX_VALIDATED", 4)
    monkeypatch.setattr(_missing, "MAX_KEPT", 0)
    monkeypatch.setattr(_missing, "MAX_SHARED", 0)
    kernelizer = make("impute")
    some = kernelizer.fit_transform(GAPPY)
    members = kernelizer._completion._members
    used = [one.weights.any(axis=0).sum() for one in members]
    assert 2 <= min(used) <= max(used) <= 6
    assert not kernelizer._completion._regressions
    full = np.flatnonzero(THERE.all(axis=1))
    part = np.ix_(full, full)
    np.testing.assert_array_equal(np.asarray(some[part]), np.asarray(every[part]))
    assert not np.allclose(np.asarray(some), np.asarray(every))
    for k in range(4):
        assert np.linalg.eigvalsh(some.gram(k))[0] > -1e-10
