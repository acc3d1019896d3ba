"""Prediction computes kernels with weight against support vectors, counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import ColumnKernelizer, MKLClassifier
from oracles.samples import raw


class Counting:
    """An RBF kernel that counts the pairs of samples that it is asked for."""

    pairs = 0

    def __call__(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        self.pairs += len(x) * len(z)
        return rbf_kernel(x, z, gamma=0.3)

    def diag(self, x: np.ndarray) -> np.ndarray:
        return np.ones(len(x))


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_only_active_kernels_and_support_vectors(classes: int, per_class: bool) -> None:
    x, y = raw(classes)
    rng = np.random.default_rng(0)
    x = np.hstack([x, rng.normal(size=(len(x), 6))])  # the last two parts know nothing
    columns = [[0, 1, 2], [3, 4], [5, 6, 7], [8, 9, 10]]
    train, test = x[::2], x[1::2]
    kernelizer = ColumnKernelizer(
        [(f"part{k}", Counting(), part) for k, part in enumerate(columns)]
    )
    model = MKLClassifier(C=1.0, per_class_weights=per_class, tol=1e-4)
    model.fit(kernelizer.fit_transform(train), y[::2])
    weights = np.atleast_2d(model.weights_)
    assert not weights.any(axis=0).all(), "the data has no kernel without weight"
    assert len(model.support_) < len(train), "the data has no sample outside the margin"

    counters = [kernel.function for kernel in kernelizer.kernels_]
    for counter in counters:
        counter.pairs = 0
    stack = kernelizer.transform(test)
    assert [counter.pairs for counter in counters] == [0] * 4
    decision = model.decision_function(stack)
    rows = model.dual_coef_ if len(weights) > 1 else model.dual_coef_.any(axis=0)[np.newaxis]
    expected = [
        sum(len(test) * np.count_nonzero(row) for d, row in zip(weights, rows, strict=True) if d[k])
        for k in range(4)
    ]
    assert [counter.pairs for counter in counters] == expected
    assert expected[np.argmin(weights.sum(axis=0))] == 0

    dense = model.decision_function(np.asarray(kernelizer.transform(test)))
    np.testing.assert_allclose(decision, dense, atol=1e-12)
