"""Kernel widths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import euclidean_distances

from mkfusion import GlobalAlignmentKernel, RBFKernel
from mkfusion.kernels._parameters import MEDIAN_SAMPLES, check_number, learn_gamma, median_heuristic

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))


def squared(x):
    return euclidean_distances(x, squared=True)


def test_median() -> None:
    expected = 1 / np.median(pdist(X, "sqeuclidean"))
    assert median_heuristic(X, squared) == pytest.approx(expected, rel=1e-12)
    assert median_heuristic(csr_array(X), squared) == pytest.approx(expected, rel=1e-12)


def test_median_of_many_is_bounded_close_and_free_of_order() -> None:
    x = rng.normal(size=(3 * MEDIAN_SAMPLES, 4))
    sizes = []

    def distances(samples):
        sizes.append(len(samples))
        return squared(samples)

    found = median_heuristic(x, distances)
    assert sizes == [MEDIAN_SAMPLES]
    assert found == pytest.approx(1 / np.median(pdist(x, "sqeuclidean")), rel=0.05)
    assert median_heuristic(x[rng.permutation(len(x))], squared) == pytest.approx(found, rel=1e-9)
    assert median_heuristic(csr_array(x), lambda s: squared(s.toarray())) == pytest.approx(found)


def test_median_with_many_equal_samples() -> None:
    x = np.r_[np.zeros((30, 1)), [[2.0]], [[2.0]]]
    assert median_heuristic(x, squared) == 0.25
    assert median_heuristic(np.zeros((5, 1)), squared) == 1.0
    assert median_heuristic(np.zeros((1, 1)), squared) == 1.0


@pytest.mark.parametrize("n_columns", [2, 3, 7, 20, 200])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_samples_that_are_equal_leave_no_rounding_error_for_a_width(form, n_columns) -> None:
    rows = np.random.default_rng(n_columns).normal(size=(4, n_columns)) * 100
    x = rows[np.r_[np.zeros(80, int), np.arange(20) % 4]]
    distances = pdist(x, "sqeuclidean")
    median = np.median(distances[distances > 0])
    assert RBFKernel().fit(form(x)).gamma_ == pytest.approx(1 / median, rel=1e-9)
    assert RBFKernel().fit(form(x[:80])).gamma_ == 1.0
    still = [np.tile(row[:, np.newaxis], 9) for row in x[::5]]
    assert GlobalAlignmentKernel().fit(still).sigma_ > 1.0


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_scale_is_that_of_svc(form) -> None:
    assert learn_gamma("scale", form(X)) == pytest.approx(1 / (3 * X.var()), rel=1e-12)
    assert learn_gamma("scale", form(np.ones((4, 2)))) == 1.0


def test_numbers() -> None:
    assert learn_gamma(None, X) == 1 / 3
    assert learn_gamma(np.float32(0.5), X) == 0.5
    assert learn_gamma(2, X) == 2.0


@pytest.mark.parametrize(
    ("gamma", "error", "message"),
    [
        (0, ValueError, "gamma is 0; expected a positive number"),
        (-1.0, ValueError, "gamma is -1.0; expected a positive number"),
        (np.nan, ValueError, "gamma is nan"),
        (np.inf, ValueError, "gamma is inf"),
        (True, TypeError, "gamma is True"),
        ([1.0], TypeError, r"gamma is \[1.0\]"),
        ("auto", ValueError, "gamma is 'auto'; expected a positive number, \"scale\", None"),
        ("median", ValueError, "gamma is 'median'; expected a positive number, \"scale\", None"),
    ],
)
def test_refused(gamma, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        learn_gamma(gamma, X)


def test_median_is_offered_where_there_are_distances() -> None:
    with pytest.raises(ValueError, match='"scale", "median", None'):
        learn_gamma("auto", X, squared)


def test_numbers_that_may_be_zero() -> None:
    assert check_number(0, "coef0") == 0.0
    with pytest.raises(ValueError, match="coef0 is -1; expected a non-negative number"):
        check_number(-1, "coef0")
