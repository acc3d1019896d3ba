"""The Matern kernel, against scikit-learn's and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist, pdist
from sklearn.gaussian_process.kernels import Matern
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import MaternKernel
from mkfusion.kernels._matern import matern

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
X[4] = X[11]
Z = rng.normal(size=(7, 3))
NUS = [0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 7.25, 20.0, np.inf]


@pytest.mark.parametrize("nu", NUS)
@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("length_scale", [0.3, 2.0])
def test_values_of_scikit_learn(nu: float, form, length_scale: float) -> None:
    known = Matern(length_scale, nu=nu)
    kernel = MaternKernel(length_scale, nu).fit(form(X))
    expected = known(X)
    expected[4, 11] = expected[11, 4] = 1.0  # there, the Bessel function of scikit-learn overflows
    np.testing.assert_allclose(kernel(form(X)), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(kernel(form(Z), form(X)), known(Z, X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(kernel.diag(form(Z)), known.diag(Z))


def test_half_integers_are_a_polynomial_times_an_exponential() -> None:
    distances = cdist(X, Z)
    t = np.sqrt(7.0) * distances
    expected = (1.0 + t + 2.0 / 5.0 * t**2 + t**3 / 15.0) * np.exp(-t)
    np.testing.assert_allclose(matern(distances, 3.5), expected, rtol=1e-12)
    expected = rbf_kernel(X, Z, gamma=0.5 / 1.7**2)
    np.testing.assert_allclose(MaternKernel(1.7, np.inf).fit(X)(X, Z), expected, rtol=1e-12)


@pytest.mark.parametrize("nu", [0.3, 1.7, 5.0, 11.0, 30.0, 99.5, 100.0])
def test_short_distances_do_not_overflow(nu: float) -> None:
    distances = np.geomspace(1e-300, 1.0, 4001)[np.newaxis]
    values = matern(distances, nu)[0]
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(1.0, abs=1e-12)
    assert (values <= 1.0).all()
    # Without a step where one formula takes over from another.
    assert (np.diff(values) <= 1e-12).all()
    assert matern(np.zeros((1, 1)), nu) == 1.0


def test_smooth_kernels_come_near_the_gaussian() -> None:
    distances = cdist(X, Z)
    apart = [np.abs(matern(distances, nu) - np.exp(-0.5 * distances**2)).max() for nu in (25, 100)]
    assert apart[1] < 0.3 * apart[0] < 0.003


@pytest.mark.parametrize("nu", NUS)
def test_positive_semi_definite(nu: float) -> None:
    for length_scale in (0.1, 1.0, 30.0):
        kernel = MaternKernel(length_scale, nu).fit(X)
        assert kernel.is_psd()
        assert np.linalg.eigvalsh(kernel(X))[0] > -1e-12


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_length_scale_is_the_median_distance(form) -> None:
    kernel = MaternKernel().fit(form(X))
    assert kernel.length_scale_ == pytest.approx(np.median(pdist(X)), rel=1e-12)
    assert MaternKernel().fit(form(10 * X)).length_scale_ == pytest.approx(
        10 * kernel.length_scale_
    )
    np.testing.assert_allclose(MaternKernel()(form(10 * X)), kernel(form(X)), rtol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_equal_samples_are_equal_far_from_the_origin(form) -> None:
    far = 1e4 + X
    kernel = MaternKernel(1.0, 0.5).fit(form(far))
    found = kernel(form(far[[11]]), form(far))[0]
    assert found[4] == found[11] == 1.0
    tolerance = 1e-9 if form is np.asarray else 1e-3  # inner products lose digits
    np.testing.assert_allclose(found, np.exp(-cdist(X[[11]], X)[0]), atol=tolerance)


def test_single_precision_stays() -> None:
    kernel = MaternKernel().fit(X.astype(np.float32))
    found = kernel(Z.astype(np.float32), X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, MaternKernel().fit(X)(Z, X), rtol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"nu": 0}, ValueError, "nu is 0; expected a positive number"),
        ({"nu": np.float64(-1.5)}, ValueError, "nu is -1.5; expected a positive number"),
        ({"nu": np.nan}, ValueError, "nu is nan"),
        ({"nu": 101}, ValueError, "nu is 101; expected a positive number up to 100, or numpy.inf"),
        ({"nu": "rough"}, TypeError, "nu is 'rough'"),
        ({"nu": True}, TypeError, "nu is True"),
        ({"length_scale": 0.0}, ValueError, "length_scale is 0.0; expected a positive number"),
        ({"length_scale": np.inf}, ValueError, "length_scale is inf"),
        ({"length_scale": "scale"}, ValueError, "length_scale is 'scale'; .* or \"median\""),
        ({"length_scale": [1.0, 2.0]}, TypeError, r"length_scale is \[1.0, 2.0\]"),
        ({"length_scale": None}, TypeError, "length_scale is None"),
    ],
)
def test_refused(parameters, error: type[Exception], message: str) -> None:
    kernel = MaternKernel(**parameters)
    with pytest.raises(error, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) == {"length_scale", "nu"}


def test_label() -> None:
    assert MaternKernel()._label() == "matern"
    assert MaternKernel(0.25, np.inf)._label() == "matern(length_scale=0.25, nu=inf)"
