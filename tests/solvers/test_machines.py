"""What the model of the objective learns from steps."""

from __future__ import annotations

import numpy as np
import pytest

from mkfusion.solvers._machines import _add_curvature


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
