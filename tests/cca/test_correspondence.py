"""Correspondence by optimal transport, against assignments, linear programmes and optimality."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from mkfusion import correspondence

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 3))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "sqeuclidean"])
def test_equal_masses_are_an_assignment(metric: str) -> None:
    distances = cdist(A, B, metric)
    rows, columns = linear_sum_assignment(distances)
    found = correspondence(A, B, metric=metric)
    np.testing.assert_array_equal(found.partners, columns)
    assert found.cost == pytest.approx(distances[rows, columns].mean())
    np.testing.assert_allclose(found.shares, 1.0)
    np.testing.assert_allclose(found.plan.sum(axis=0), 1 / 12)


def test_masses_by_linear_programming() -> None:
    mass_a, mass_b = RNG.uniform(size=12), RNG.uniform(size=7)
    mass_a[3] = 0.0
    distances = cdist(A, B[:7])
    found = correspondence(
        A, B[:7], metric="euclidean", masses_a=5 * mass_a, masses_b=mass_b.tolist()
    )
    a, b = mass_a / mass_a.sum(), mass_b / mass_b.sum()
    rows = np.kron(np.eye(12), np.ones(7))
    columns = np.kron(np.ones(12), np.eye(7))
    programme = linprog(
        distances.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([a, b])
    )
    assert found.cost == pytest.approx(programme.fun)
    np.testing.assert_allclose(found.plan.sum(axis=1), a, atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=0), b, atol=1e-12)
    assert np.isnan(found.shares[3]) and found.plan[3].sum() == 0.0


def test_entropic_plan_is_optimal_and_is_near_the_exact_one() -> None:
    distances = cdist(A, B[:8])
    soft = correspondence(A, B[:8], metric="euclidean", regularisation=0.1)
    # At the optimum log(plan) + distances / reg is a sum of a row's and a column's part.
    parts = np.log(soft.plan) + distances / (0.1 * distances.mean())
    centred = parts - parts.mean(axis=0) - parts.mean(axis=1, keepdims=True) + parts.mean()
    np.testing.assert_allclose(centred, 0.0, atol=1e-9)
    np.testing.assert_allclose(soft.plan.sum(axis=1), 1 / 12, atol=1e-8)
    np.testing.assert_allclose(soft.plan.sum(axis=0), 1 / 8, atol=1e-8)
    exact = correspondence(A, B, metric="euclidean")
    costs = [
        correspondence(A, B, metric="euclidean", regularisation=r).cost for r in (0.05, 0.2, 1.0)
    ]
    assert exact.cost < costs[0] < costs[1] < costs[2]
    # The entropy of the soft plan is larger by log(12) at most, and is worth no more than that.
    mean = cdist(A, B).mean()
    assert costs[0] <= exact.cost + 0.05 * mean * np.log(12)


def test_a_shuffled_modality_is_put_in_order() -> None:
    order = RNG.permutation(12)
    found = correspondence(A, A[order] + 0.01 * RNG.normal(size=(12, 3)))
    np.testing.assert_array_equal(order[found.partners], np.arange(12))
    alike = correspondence(np.ones((3, 2)), np.ones((2, 2)), metric="euclidean")
    np.testing.assert_allclose(alike.plan, 1 / 6)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    for options, message in (
        ({"metric": "taxi"}, "metric is 'taxi'"),
        ({"regularisation": -1.0}, "regularisation"),
        ({"regularisation": np.inf}, "expected a finite number"),
        ({"masses_a": np.ones(3)}, r"masses_a has shape \(3,\); expected \(12,\)"),
        ({"masses_a": 3.0}, r"masses_a has shape \(\); expected \(12,\)"),
        ({"masses_b": -np.ones(12)}, "masses_b holds"),
        ({"masses_b": np.zeros(12)}, "not all of them 0"),
    ):
        with pytest.raises(ValueError, match=message):
            correspondence(A, B, **options)
    with pytest.raises(ValueError, match="A has 2 components and B 3"):
        correspondence(A[:, :2], B)
    with pytest.raises(ValueError, match="A and B lie too far apart"):
        correspondence([[1e200, 0.0]], [[0.0, 1.0]], metric="sqeuclidean")
    with pytest.raises(ValueError, match="at the origin"):
        correspondence(np.zeros((2, 3)), B)
    with pytest.raises(ValueError, match="NaN"):
        correspondence(np.full((2, 3), np.nan), B)
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ImportError, match=r"mkfusion\[transport\]"):
        correspondence(A, B)
