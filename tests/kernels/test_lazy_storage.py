"""Lazy storages: samples are shared, kernels evaluated together."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from mkfusion.kernels import Kernelizer, RBFKernel

X = np.random.default_rng(0).normal(size=(9, 3))


def test_restrictions_hold_no_copy_of_the_samples() -> None:
    storage = Kernelizer(["rbf", "linear"]).fit_transform(X)._storage
    part = storage.take(np.array([1, 2]), None).select(np.array([1]))
    assert part.kernels[0] is storage.kernels[1]


def test_training_blocks_know_that_they_are() -> None:
    kernelizer = Kernelizer(["rbf"]).fit(X)
    i, j = np.array([3, 1]), np.array([1, 3])
    train = kernelizer.fit_transform(X)._storage
    assert train.is_training
    assert train.take(i, i).is_training
    assert not train.take(i, j).is_training
    assert not train.take(i, None).is_training
    assert not kernelizer.transform(X)._storage.is_training


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_still_know_it(duplicate) -> None:
    kernel = RBF() + WhiteKernel(0.5)
    stack = Kernelizer([kernel], normalize=None).fit_transform(X)
    np.testing.assert_allclose(duplicate(stack).gram(0), kernel(X), rtol=1e-12)


def test_mixed_precision_is_the_higher() -> None:
    def single(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (x @ z.T).astype(np.float32)

    kernelizer = Kernelizer([single, RBFKernel()], normalize=None)
    assert kernelizer.fit_transform(X)._storage.dtype == np.float64
    low = kernelizer.fit_transform(X.astype(np.float32))
    assert low.dtype == np.float32
    assert low.gram(0).dtype == np.float32
    assert kernelizer.transform(X).dtype == np.float64
