"""Samples in the plane of a sum of kernels, and each kernel's part in it."""

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import ColumnKernelizer, KernelCombiner
from mkfusion.datasets import load_sonar
from mkfusion.inspection import KernelProjectionDisplay, kernel_projection


@pytest.fixture(scope="module")
def grams():
    rng = np.random.default_rng(0)
    return [scale * rbf_kernel(rng.normal(size=(25, 3))) + scale for scale in (1.0, 3.0, 0.5)]


def test_scores_are_those_of_kernel_pca(grams):
    weights = np.array([2.0, 1.0, 1.0])
    found = kernel_projection(grams, weights=weights, n_components=4)
    total = np.tensordot(weights / 4, grams, axes=1)
    pca = KernelPCA(4, kernel="precomputed").fit(total)
    expected = pca.transform(total)
    np.testing.assert_allclose(np.abs(found.scores), np.abs(expected), atol=1e-8)
    centring = np.eye(25) - 1 / 25
    values = np.linalg.eigvalsh(centring @ total @ centring)[::-1]
    np.testing.assert_allclose(found.explained, values[:4] / values.sum())


def test_parts_have_the_scores_as_their_mean(grams):
    found = kernel_projection(grams, weights=[1, 0, 3], n_components=3)
    mean = np.tensordot(found.weights, found.parts, axes=1)
    np.testing.assert_allclose(mean, found.scores, atol=1e-10)
    np.testing.assert_allclose(found.shares.sum(axis=0), 1.0)
    np.testing.assert_array_equal(found.shares[1], 0.0)
    # A kernel that is alone has all of it.
    np.testing.assert_allclose(kernel_projection(grams[:1]).shares, 1.0)


def test_display_of_real_kernels():
    pytest.importorskip("matplotlib")
    X, y = load_sonar(return_X_y=True)
    stack = ColumnKernelizer([("bands", ["linear", "rbf"], "bands")]).fit_transform(X)
    weights = KernelCombiner("statis").fit(stack).weights_
    display = KernelProjectionDisplay.from_kernels(stack, weights=weights, labels=y)
    plane, bars = display.axes_
    assert [text.get_text() for text in plane.get_legend().get_texts()] == np.unique(y).tolist()
    assert len(bars.patches) == 4 and "axis 1" in repr(display.projection)
    assert list(display.projection.to_frame().columns) == ["weight", "axis 1", "axis 2"]
    with pytest.raises(ValueError, match="labels"):
        display.plot(labels=y[:5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1, -1, 1]}, "weights is"),
        ({"weights": "statis"}, "weights is .statis.; expected 3 finite numbers"),
        ({"weights": [0, 0, 0]}, "not all zero"),
        ({"weights": [1, 1]}, "expected 3 finite numbers"),
        ({"n_components": 0}, "n_components is 0"),
        ({"n_components": 25}, "n_components is 25; expected at most 24"),
    ],
)
def test_bad_arguments(grams, options, message):
    with pytest.raises(ValueError, match=message):
        kernel_projection(grams, **options)
