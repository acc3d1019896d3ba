"""Multiple kernel k-means against all partitions, k-means and the published steps."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import (
    ColumnKernelizer,
    KernelCombiner,
    KernelStack,
    MultipleKernelKMeans,
)
from mkfusion.datasets import load_mfeat
from mkfusion.mkl._clustering import _sizes, relaxed_clusters


def normalised(grams):
    """Centred kernels of trace one."""
    n = len(grams[0])
    centring = np.eye(n) - 1 / n
    made = [centring @ gram @ centring for gram in grams]
    return [gram / np.trace(gram) for gram in made]


def value_of(grams, labels):
    """The least of sum d_k^2 a_k over the simplex, for one partition."""
    left = []
    for gram in normalised(grams):
        explained = sum(
            gram[np.ix_(labels == c, labels == c)].sum() / (labels == c).sum()
            for c in np.unique(labels)
        )
        left.append(np.trace(gram) - explained)
    return 1 / np.sum(1 / np.array(left)), (1 / np.array(left)) / np.sum(1 / np.array(left))


def problem(seed, n=9, n_kernels=2):
    rng = np.random.default_rng(seed)
    return [rbf_kernel(rng.normal(size=(n, 2))) * 3.0**k + k for k in range(n_kernels)]


def test_no_partition_is_better():
    found = []
    for seed, n_clusters in product(range(4), [2, 3]):
        grams = problem(seed, n=8)
        model = MultipleKernelKMeans(n_clusters, n_init=20, random_state=0).fit(grams)
        best = min(
            value_of(grams, np.array([0, *labels]))[0]
            for labels in product(range(n_clusters), repeat=7)
            if len({0, *labels}) == n_clusters
        )
        value, weights = value_of(grams, model.labels_)
        assert model.inertia_ == pytest.approx(value)
        np.testing.assert_allclose(model.weights_, weights)
        assert best <= model.inertia_ * (1 + 1e-9)
        found.append(model.inertia_ / best)
    # What ends where neither samples nor weights move may be a local optimum.
    assert np.median(found) == pytest.approx(1.0) and max(found) < 1.15


def test_one_linear_kernel_is_k_means():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) + 6 * rng.integers(0, 3, size=(60, 1)) * [1, 0, -1]
    model = MultipleKernelKMeans(3, random_state=0).fit(X @ X.T)
    other = KMeans(3, n_init=20, random_state=0).fit(X)
    assert adjusted_rand_score(model.labels_, other.labels_) == 1.0
    total = ((X - X.mean(axis=0)) ** 2).sum()
    assert model.inertia_ == pytest.approx(other.inertia_ / total)
    new = rng.normal(size=(40, 3)) + 6 * rng.integers(0, 3, size=(40, 1)) * [1, 0, -1]
    assert adjusted_rand_score(model.predict(new @ X.T), other.predict(new)) == 1.0


def test_relaxation_is_that_of_the_papers():
    grams = problem(5, n=30, n_kernels=3)
    stack = KernelStack(grams)
    found = relaxed_clusters(stack, _sizes(stack), 3, 200, 1e-12)
    theta = np.full(3, 1 / 3)
    centred = normalised(grams)
    for _ in range(500):
        combined = sum(t**2 * gram for t, gram in zip(theta, centred, strict=True))
        H = np.linalg.eigh(combined)[1][:, -3:]
        left = np.array([np.trace(gram) - np.trace(H.T @ gram @ H) for gram in centred])
        theta = (1 / left) / (1 / left).sum()
    np.testing.assert_allclose(subspace_angles(found, H), 0, atol=1e-4)


def test_scale_and_order_change_nothing():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 12)
    parts = [groups[:, None] == np.arange(3), groups[:, None] > 1, np.zeros((36, 2))]
    grams = [rbf_kernel(2.5 * part + rng.normal(size=part.shape)) for part in parts]
    model = MultipleKernelKMeans(3, random_state=0).fit(grams)
    other = MultipleKernelKMeans(3, random_state=0).fit(
        [5.0 * grams[2], grams[0] + 2.0, 0.1 * grams[1]]
    )
    assert adjusted_rand_score(model.labels_, other.labels_) == 1.0
    np.testing.assert_allclose(model.weights_, other.weights_[[1, 2, 0]], rtol=1e-6)
    assert model.predict(grams).tolist() == model.labels_.tolist()
    assert model.fit_predict(grams).tolist() == model.labels_.tolist()


def test_real_digits_are_found_by_what_views_agree_on():
    X, y = load_mfeat(return_X_y=True)
    rows = np.flatnonzero(np.isin(y, [0, 1, 2, 3]))[::4]
    X, y = X[rows], y[rows]
    stack = ColumnKernelizer([(name, "auto", name) for name in X.names]).fit_transform(X)
    model = MultipleKernelKMeans(4, n_init=3, random_state=0).fit(stack)
    assert adjusted_rand_score(y, model.labels_) > 0.7
    # Weights follow the view of six morphological columns, which is the easiest to cut.
    assert model.kernel_names_[model.weights_.argmax()].startswith("mor")
    agreed = KernelCombiner("statis").fit_transform(stack)
    one = MultipleKernelKMeans(4, n_init=3, random_state=0).fit(agreed)
    assert adjusted_rand_score(y, one.labels_) > 0.95


def test_kernels_like_the_identity_end():
    rng = np.random.default_rng(0)
    gram = np.eye(200) + 1e-9 * np.outer(*[rng.normal(size=200)] * 2)
    model = MultipleKernelKMeans(4, n_init=2, random_state=0).fit(gram)
    assert set(model.labels_) == {0, 1, 2, 3} and model.embedding_.shape == (200, 4)


def test_copies_and_constants():
    gram = problem(1)[0]
    model = MultipleKernelKMeans(2, random_state=0).fit([gram, np.ones((9, 9)), gram])
    np.testing.assert_allclose(model.weights_, [0.5, 0, 0.5])
    same = MultipleKernelKMeans(9, random_state=0).fit(gram)  # each sample on its own
    assert sorted(same.labels_) == list(range(9)) and same.inertia_ == pytest.approx(0, abs=1e-9)
    twice = np.repeat(np.eye(2), 3, axis=0)  # two different samples, three clusters
    assert set(MultipleKernelKMeans(3, random_state=0).fit(twice @ twice.T).labels_) == {0, 1, 2}


@pytest.mark.parametrize(
    ("n_clusters", "grams", "message"),
    [
        (10, problem(0), "n_clusters is 10; expected at most the 9 samples"),
        (2, [np.ones((4, 4))], "X holds no kernel that tells samples apart"),
        (0, problem(0), "n_clusters"),
        (2, [-np.eye(4)], "positive semi-definite"),
    ],
)
def test_bad_input(n_clusters, grams, message):
    with pytest.raises(ValueError, match=message):
        MultipleKernelKMeans(n_clusters).fit(grams)


def test_others_than_in_fit_are_refused():
    model = MultipleKernelKMeans(2, random_state=0).fit(problem(0))
    with pytest.raises(ValueError, match="expected the 2 kernels"):
        model.predict(problem(0)[:1])
