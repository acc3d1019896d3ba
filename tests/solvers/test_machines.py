"""What the model of the objective learns from steps."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion.solvers._machines import _add_curvature, _take_scaling_out


@pytest.mark.parametrize("seed", range(5))
def test_learned_curvature_satisfies_the_secant_equation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(6, int(rng.integers(0, 7))))
    H, step = V @ V.T, rng.normal(size=6)
    change = 3.0 * H @ step + rng.random() * step
    learned = H.copy()
    _add_curvature(learned, step, change)
    np.testing.assert_allclose(learned @ step, change, atol=1e-9)
    np.testing.assert_allclose(learned, learned.T, atol=1e-12)
    assert np.linalg.eigvalsh(learned)[0] > -1e-9


def test_nothing_is_learned_where_the_model_bends_enough() -> None:
    H, step = 2.0 * np.eye(3), np.array([1.0, -1.0, 0.0])
    for change in (step, -step, np.zeros(3)):
        learned = H.copy()
        _add_curvature(learned, step, change)
        np.testing.assert_array_equal(learned, H)


@pytest.mark.parametrize("seed", range(3))
def test_without_scaling_the_model_is_that_of_the_inverse_objective(seed: int) -> None:
    # All dual variables free: J(d) = y'K(d)^-1 y / 2, of which every derivative is known.
    rng = np.random.default_rng(seed)
    n, m = 8, 3
    factors = rng.normal(size=(m, n, n))
    grams = factors @ factors.transpose(0, 2, 1)
    y, d = rng.normal(size=n), rng.random(m) + 0.1
    K = np.tensordot(d, grams, 1)
    beta = np.linalg.solve(K, y)
    V = grams @ beta
    g, J = V @ beta, 0.5 * y @ beta
    H = V @ np.linalg.solve(K, V.T)
    # The second derivative of 1 / J by the chain rule, times -J**2.
    expected = H - 0.5 * np.outer(g, g) / J
    _take_scaling_out(H, d, g)
    np.testing.assert_allclose(H, expected, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(H @ d, 0.0, atol=1e-9 * g.max())


@pytest.mark.parametrize("seed", range(3))
def test_the_model_stays_convex_where_some_variables_are_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(4, 3))
    H, d = V @ V.T, rng.random(4)
    g = (1.0 + rng.random()) * H @ d / 1.5  # forms that exceed the curvature, or not
    before = H.copy()
    _take_scaling_out(H, d, g)
    assert np.linalg.eigvalsh(H)[0] > -1e-12
    assert d @ H @ d < d @ before @ d
