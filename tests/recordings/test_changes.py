"""Change points against enumeration, and what choosing their number finds."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mkfusion import KernelStack, change_points


def scatter(K, changes):
    """The cost of a segmentation, by its formula."""
    borders = [0, *changes, len(K)]
    return sum(
        np.trace(K[a:b, a:b]) - K[a:b, a:b].sum() / (b - a)
        for a, b in zip(borders, borders[1:], strict=False)
    )


def all_segmentations(n, n_changes, min_size):
    for changes in combinations(range(1, n), n_changes):
        if min(np.diff([0, *changes, n])) >= min_size:
            yield changes


@pytest.mark.parametrize("min_size", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_segmentation_is_better(seed, min_size):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(11, 2)) + np.repeat(rng.normal(size=(3, 2)), [3, 5, 3], axis=0)
    K = rbf_kernel(X, gamma=0.3)
    least = []
    for n_changes in range(11 // min_size):
        costs = {c: scatter(K, c) for c in all_segmentations(11, n_changes, min_size)}
        found = change_points(K, n_changes=n_changes, min_size=min_size)
        best = min(costs, key=costs.get)
        assert tuple(found.changes) == best
        np.testing.assert_allclose(found.costs[n_changes], costs[best], atol=1e-12)
        least.append(costs[best])
        np.testing.assert_allclose(found.costs, least, atol=1e-12)
        np.testing.assert_array_equal(
            found.segments, np.digitize(np.arange(11), best) if best else np.zeros(11)
        )
    for penalty in (0.0, 0.1, 0.5, 2.0):
        found = change_points(K, penalty=penalty, min_size=min_size)
        priced = np.array(least) + penalty * np.arange(len(least))
        assert len(found.changes) == np.argmin(priced)
        np.testing.assert_allclose(found.criterion, priced, atol=1e-12)


def test_linear_kernel_is_the_spread_about_the_means():
    """Its cost is the sum of squares within segments, as of any textbook."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[25:] += 2.0
    found = change_points(linear_kernel(X), n_changes=1)
    cut = int(found.changes[0])
    within = sum(((part - part.mean(axis=0)) ** 2).sum() for part in (X[:cut], X[cut:]))
    np.testing.assert_allclose(found.costs, [((X - X.mean(axis=0)) ** 2).sum(), within])
    assert cut == 25


def sensors(n=300, seed=0):
    """A sensor whose mean changes, one whose spread does, and noise."""
    rng = np.random.default_rng(seed)
    mean, spread, noise = rng.normal(size=(3, n, 1))
    mean[n // 3 :] += 2.5
    spread[2 * n // 3 :] *= 5.0
    return [rbf_kernel(x, gamma=0.5) for x in (mean, spread, noise)]


@pytest.mark.parametrize("seed", range(3))
def test_modalities_together_see_what_each_alone_does_not(seed):
    grams = sensors(seed=seed)
    found = change_points(grams)
    np.testing.assert_allclose(found.changes, [100, 200], atol=4)
    alone = [change_points(gram).changes for gram in grams]
    np.testing.assert_allclose(alone[0], [100], atol=4)
    np.testing.assert_allclose(alone[1], [200], atol=4)
    assert len(alone[2]) == 0


def test_kernels_come_in_every_form_and_weights_weigh():
    grams = sensors(60)
    wanted = change_points(grams[0] + 3 * grams[1], n_changes=2)
    for kernels in (grams, np.dstack(grams), KernelStack(grams)):
        found = change_points(kernels, n_changes=2, weights=[1.0, 3.0, 0.0])
        np.testing.assert_array_equal(found.changes, wanted.changes)
        np.testing.assert_allclose(found.costs, wanted.costs)
    mean = change_points(grams, n_changes=2)
    np.testing.assert_allclose(mean.costs, change_points(sum(grams) / 3, n_changes=2).costs)


def test_equal_samples_have_no_change():
    found = change_points(np.ones((150, 150)))
    assert len(found.changes) == 0
    assert not found.segments.any()


K = sensors(30)[0]
REFUSED = [
    (K, {"n_changes": 2, "penalty": 1.0}, "both given"),
    (K, {"n_changes": 15}, "n_changes is 15; expected at most 14"),
    (K, {"max_changes": 15}, "max_changes is 15; expected at most 14"),
    (K, {"min_size": 31}, "30 samples; expected at least min_size=31"),
    (K, {"n_changes": -1}, "n_changes"),
    (K, {"penalty": np.nan}, "penalty"),
    (K[:15, :15], {}, "15 samples have place for 6 changes; expected at least 10"),
    (K[:, :20], {}, "expected square ones"),
    (np.triu(K), {"n_changes": 1}, "symmetric"),
    ([K, K], {"weights": [1.0]}, r"weights has shape \(1,\)"),
    ([K, K], {"weights": [1.0, -1.0]}, r"weights\[1\] is -1.0"),
    ([K, K], {"weights": [0.0, 0.0]}, "weights is zero for every kernel"),
    ([K, K], {"weights": ["a", "b"]}, "weights is not a vector of numbers"),
    (np.where(K < 0.1, np.nan, K), {"n_changes": 1}, "NaN|finite"),
]


@pytest.mark.parametrize(("kernels", "more", "message"), REFUSED, ids=[m for *_, m in REFUSED])
def test_bad_input_is_refused(kernels, more, message):
    with pytest.raises(ValueError, match=message):
        change_points(kernels, **more)
