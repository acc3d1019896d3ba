"""Kernels on demand: samples are shared, kernels evaluated together."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from mkfusion import Kernelizer, RBFKernel

X = np.random.default_rng(0).normal(size=(9, 3))
NOISY = RBF() + WhiteKernel(0.5)


def test_restrictions_hold_no_copy_of_the_samples() -> None:
    stack = Kernelizer(["rbf", "laplacian"]).fit_transform(X)
    part = stack.take(np.array([1, 2]), None).take(None, np.array([3])).select(np.array([1]))
    assert part.views[0].whole is stack.views[1]
    assert stack.take(None, None) is stack


def test_training_blocks_know_that_they_are() -> None:
    # A sample shares its noise with nobody but itself, wherever it stands.
    kernelizer = Kernelizer([NOISY], normalize=None).fit(X)
    i, j = np.array([3, 1]), np.array([1, 3])
    train = kernelizer.fit_transform(X)
    np.testing.assert_allclose(train.diagonal(), [[1.5] * 9])
    np.testing.assert_allclose(train.take(i, i).diagonal(), [[1.5] * 2])
    np.testing.assert_allclose(train.take(i, j).diagonal()[0], NOISY(X)[i, j])
    np.testing.assert_allclose(train.take(i, None).gram(0), NOISY(X)[i])
    np.testing.assert_allclose(kernelizer.transform(X).diagonal(), [[1.0] * 9])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_still_know_it(duplicate) -> None:
    stack = Kernelizer([NOISY], normalize=None).fit_transform(X)
    np.testing.assert_allclose(duplicate(stack).gram(0), NOISY(X), rtol=1e-12)


def test_mixed_precision_is_the_higher() -> None:
    def single(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (x @ z.T).astype(np.float32)

    kernelizer = Kernelizer([single, RBFKernel()], normalize=None)
    assert kernelizer.fit_transform(X).dtype == np.float64
    low = kernelizer.fit_transform(X.astype(np.float32))
    assert low.dtype == np.float32
    assert low.gram(0).dtype == np.float32
    assert kernelizer.transform(X).dtype == np.float64


def test_places_are_named_where_they_agree() -> None:
    places = {
        kernels: Kernelizer(list(kernels)).fit_transform(X).place
        for kernels in (("rbf",), ("linear",), ("rbf", "linear"))
    }
    assert list(places.values()) == ["on demand", "low-rank", "on demand"]
