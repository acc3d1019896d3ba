"""Kernels of images against counting by hand, and which samples "auto" takes for images."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array

from mkfusion import (
    ColumnKernelizer,
    ImageKernel,
    IntersectionKernel,
    Modalities,
)
from mkfusion.datasets import load_photographs
from mkfusion.testing import check_kernel

FEATURES = ("color", "texture", "gradients")


def pictures(n=6, height=13, width=17, n_channels=3, seed=0):
    """Random pictures of few values, so that neighbours are often equal."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, size=(n, height, width, n_channels)).astype(np.uint8) * 51


def bright(image):
    return image[..., 0] if image.shape[2] == 1 else image @ np.array([0.299, 0.587, 0.114])


def votes_of_color(image):
    n = 4 if image.shape[2] == 3 else 16
    for i, row in enumerate(image):
        for j, pixel in enumerate(row):
            yield i, j, tuple(min(int(value * n), n - 1) for value in pixel), 1.0


def votes_of_texture(image):
    gray = bright(image)
    for i in range(1, gray.shape[0] - 1):
        for j in range(1, gray.shape[1] - 1):
            ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
            bits = tuple(bool(gray[i + a, j + b] >= gray[i, j]) for a, b in ring)
            changes = sum(one != other for one, other in pairwise((*bits, bits[0])))
            yield i - 1, j - 1, bits if changes <= 2 else "other", 1.0


def votes_of_gradients(image):
    gray = bright(image)
    for i in range(1, gray.shape[0] - 1):
        for j in range(1, gray.shape[1] - 1):
            down, right = gray[i + 1, j] - gray[i - 1, j], gray[i, j + 1] - gray[i, j - 1]
            place = (np.arctan2(down, right) % np.pi) / np.pi * 9
            lower, strength = int(place), np.hypot(down, right)
            yield i - 1, j - 1, lower % 9, strength * (1 - place + lower)
            yield i - 1, j - 1, (lower + 1) % 9, strength * (place - lower)


VOTES = {"color": votes_of_color, "texture": votes_of_texture, "gradients": votes_of_gradients}


def pyramid(image, feature, levels):
    """Count by hand: {(level, cell, code): weighted share}."""
    votes = list(VOTES[feature](image))
    height, width = (n - 2 * (feature != "color") for n in image.shape[:2])
    total = sum(weight for *_, weight in votes)
    counted = {}
    for level in range(levels + 1):
        importance = 2.0**-levels if level == 0 else 2.0 ** (level - levels - 1)
        for i, j, code, weight in votes:
            key = level, i * 2**level // height, j * 2**level // width, code
            counted[key] = counted.get(key, 0.0) + importance * weight / total
    return counted


def intersection(one, other):
    return sum(min(one[key], other[key]) for key in one.keys() & other.keys())


def chi_squared(one, other):
    keys = one.keys() | other.keys()
    pairs = [(one.get(key, 0.0), other.get(key, 0.0)) for key in keys]
    return np.exp(-2.0 * sum((a - b) ** 2 / (a + b) for a, b in pairs if a + b))


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("levels", [0, 2])
@pytest.mark.parametrize("feature", FEATURES)
def test_counts_are_those_by_hand(feature, levels, n_channels):
    images = pictures(n_channels=n_channels)
    counted = [pyramid(image / 255.0, feature, levels) for image in images]
    for kernel, compare in (("intersection", intersection), ("chi2", chi_squared)):
        gram = ImageKernel(feature, levels=levels, kernel=kernel, gamma=2.0)(images)
        wanted = [[compare(one, other) for other in counted] for one in counted]
        np.testing.assert_allclose(gram, wanted, atol=2e-4 if feature == "gradients" else 1e-12)


@pytest.mark.parametrize("feature", FEATURES)
def test_it_keeps_what_kernels_promise(feature):
    check_kernel(ImageKernel(feature, levels=1), pictures(12))
    check_kernel(ImageKernel(feature, kernel="chi2"), list(pictures(12) / 255.0))
    np.testing.assert_allclose(np.diag(ImageKernel(feature)(pictures())), 1.0)
    flat = np.full((2, 9, 9), [[[0]], [[200]]], dtype=np.uint8)  # nothing to see
    assert np.isfinite(ImageKernel(feature)(flat)).all()


def test_intersection_is_the_sum_of_minima():
    X, Z = np.random.default_rng(0).random((7, 5)), np.random.default_rng(1).random((4, 5))
    wanted = np.minimum(X[:, np.newaxis], Z).sum(axis=2)
    np.testing.assert_allclose(IntersectionKernel().fit(Z)(X, Z), wanted, rtol=1e-12)
    np.testing.assert_allclose(IntersectionKernel().fit(X).diag(X), X.sum(axis=1))
    with pytest.raises(ValueError, match="expected non-negative features"):
        IntersectionKernel().fit(-X)


def test_the_same_images_give_the_same_values_in_whatever_form():
    images = pictures()
    wanted = ImageKernel("color")(images)
    for same in (images / 255.0, list(images), [image / 255.0 for image in images]):
        np.testing.assert_allclose(ImageKernel("color")(same), wanted)
    deep = images.astype(np.uint16) * 257
    np.testing.assert_allclose(ImageKernel("gradients")(deep), ImageKernel("gradients")(images))
    gray = images[..., 0]
    np.testing.assert_array_equal(
        ImageKernel("texture")(gray), ImageKernel("texture")(gray[..., np.newaxis])
    )


def test_images_of_different_sizes_are_compared():
    """Doubling every pixel changes no colour, and not where colours are."""
    images = pictures(4, 8, 8)
    doubled = images.repeat(2, axis=1).repeat(2, axis=2)
    gram = ImageKernel("color")([*images, *doubled])
    np.testing.assert_allclose(gram[:4, 4:], gram[:4, :4], atol=1e-12)


def test_textures_do_not_see_the_light():
    images = pictures(5, n_channels=1) / 255.0
    gram = ImageKernel("texture")(images)
    np.testing.assert_array_equal(ImageKernel("texture")(0.2 + 0.5 * images**2), gram)


# ------------------------------------------------------------------------------------- "auto"


@pytest.mark.parametrize(
    "data",
    [
        pictures(),
        pictures() / 255.0,
        pictures(n_channels=1),
        pictures()[..., 0],
        list(pictures()),
        [pictures(1, 12 + i, 20)[0] for i in range(6)],
        np.array([*[pictures(1, 12 + i, 20)[0] for i in range(6)], None], dtype=object)[:6],
        [*pictures()[:5, ..., 1], None],
    ],
    ids="rgb/floats/one channel/gray bytes/list/sizes/objects/gray list, one lacks".split("/"),
)
def test_auto_takes_these_for_images(data):
    entries = [("x", "auto", "x"), ("z", "linear", "z")]
    kernelizer = ColumnKernelizer(entries, missing="marginalise")
    fitted = kernelizer.fit(Modalities(x=data, z=np.arange(6.0).reshape(-1, 1)))
    found = [type(k).__name__ for k in fitted.auto_kernels_["x"].get_params().values()]
    assert found.count("ImageKernel") == 3


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(0).normal(size=(6, 16, 16)),
        np.zeros((6, 3, 100), dtype=np.uint8) + np.arange(100, dtype=np.uint8),
        np.random.default_rng(0).integers(0, 9, size=(6, 16, 16)),
        [np.random.default_rng(i).normal(size=(3, 20 + i)) for i in range(6)],
    ],
    ids=["floats", "bytes of three channels", "integers", "list of floats"],
)
def test_auto_takes_these_for_signals(data):
    kernelizer = ColumnKernelizer([("x", "auto", "x")]).fit(Modalities(x=data))
    assert type(kernelizer.auto_kernels_["x"]).__name__ == "GlobalAlignmentKernel"


def test_auto_refuses_lists_of_different_lengths_in_a_sample():
    with pytest.raises(TypeError, match=r'kernel of .x. is "auto", and the samples are of type li'):
        ColumnKernelizer([("x", "auto", "x")]).fit(Modalities(x=[[[1, 2], [3]]] * 6))


def test_auto_chooses_levels_that_small_images_have():
    small = pictures(n=8, height=4, width=9)
    kernelizer = ColumnKernelizer([("x", "auto", "x")]).fit(Modalities(x=small))
    levels = {v for k, v in kernelizer.auto_kernels_["x"].get_params().items() if "levels" in k}
    assert levels == {1}


def test_many_are_counted_in_parts_as_one_by_one():
    images = pictures(n=90, height=70, width=64)  # more than are counted together
    for feature in FEATURES:
        kernel = ImageKernel(feature).fit(images)
        whole = kernel(images[80:], images)
        alone = [[kernel([one], [other])[0, 0] for other in images[::30]] for one in images[80:]]
        np.testing.assert_array_equal(whole[:, ::30], alone)


REFUSED = [
    (pictures().transpose(0, 3, 1, 2), r"Images whose channels come first are X.transpose"),
    (np.zeros((3, 8, 8, 4), dtype=np.uint8), r"without the channel of opacity are X\[..., :3\]"),
    (np.zeros((3, 8, 8, 2)), r"X\[0\] has shape \(8, 8, 2\)"),
    (np.zeros((3, 8)), r"X\[0\] has shape \(8,\)"),
    (np.full((3, 8, 8), 7.0), "values from 7.0 to 7.0; expected uint8, or floats from 0 to 1"),
    (np.full((3, 8, 8), np.nan), r"X\[0\] is nan at row 0, column 0"),
    (csr_array((3, 8)), "expected images"),
    (np.zeros((3, 8, 8), dtype=int), "dtype int64; expected uint8"),
    (np.full((3, 8, 8), "a"), "expected images"),
    (np.zeros((3, 5, 8), dtype=np.uint8), r"5 x 8 pixels; expected at least 6 x 6"),
    ([np.zeros((8, 8)), np.zeros((8, 8, 3))], r"X\[1\] has 3 channels, X\[0\] has 1"),
    ([], "expected images"),
    (None, "X is None"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_image_is_refused(data, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ImageKernel("texture").fit(data)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"feature": "shape"}, "feature is 'shape'; expected one of"),
        ({"kernel": "rbf"}, "kernel is 'rbf'"),
        ({"levels": -1}, "levels is -1"),
        ({"levels": 1.5}, "levels is 1.5"),
        ({"kernel": "chi2", "gamma": 0.0}, "gamma is 0.0"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        ImageKernel(**parameters).fit(pictures())


def test_other_channels_than_in_fit_are_refused():
    kernel = ImageKernel().fit(pictures())
    with pytest.raises(ValueError, match="images of 1 channels; expected 3 as in fit"):
        kernel(pictures(n_channels=1), pictures())


def test_shipped_photographs():
    photographs = load_photographs()
    names, counts = np.unique(photographs.group, return_counts=True)
    assert len(names) == 40
    assert set(counts) == {6}
    assert all(
        one.startswith(y) for one, y in zip(photographs.group, photographs.target, strict=True)
    )
    X, y = load_photographs(return_X_y=True)
    assert X["image"].dtype == np.uint8
    np.testing.assert_array_equal(y, photographs.target)
    assert "CC BY 2.0" in photographs.DESCR
