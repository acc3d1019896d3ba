"""Contrastive alignment: losses by hand, gradients by differences, and what a fit finds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from mkfusion import CCA, ContrastiveAlignment, Modalities, mean_reciprocal_rank
from mkfusion.cca import _contrast as solver

WIDTHS = (5, 4, 3)


def similarities(*scores: np.ndarray) -> np.ndarray:
    """Cosines, but for a tenth of the mean squared length."""
    units = [
        Z / np.sqrt(np.sum(Z**2, axis=1) + 0.1 * np.sum(Z**2) / len(Z))[:, None] for Z in scores
    ]
    return units[0] @ units[1].T


def views(n: int, seed: int = 0, noise: float = 0.4) -> list[np.ndarray]:
    """Three modalities that share two things, in units of very different sizes."""
    rng = np.random.default_rng(seed)
    maps = np.random.default_rng(1)
    shared = rng.normal(size=(n, 2))
    tables = [shared @ maps.normal(size=(2, p)) + noise * rng.normal(size=(n, p)) for p in WIDTHS]
    return [table * np.logspace(-2, 2, p) + 7.0 for table, p in zip(tables, WIDTHS, strict=True)]


@pytest.mark.parametrize("loss", [solver.infonce(0.2), solver.margin_loss(0.3)])
def test_gradient_by_differences(loss) -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(20, p)) for p in WIDTHS]
    batches = np.array_split(rng.permutation(20), 3)
    D = [rng.normal(size=(p, 2)) / np.linalg.norm(H) for H, p in zip(blocks, WIDTHS, strict=True)]

    def value(flat: np.ndarray) -> float:
        parts = np.split(flat.reshape(-1, 2), np.cumsum(WIDTHS)[:-1])
        return solver.contrast(blocks, parts, loss, 0.3, batches)[0]

    found = np.vstack(solver.contrast(blocks, D, loss, 0.3, batches)[1]).ravel()
    expected = approx_fprime(np.vstack(D).ravel(), value, 1e-7)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_losses_by_their_definitions() -> None:
    cosines = np.random.default_rng(0).uniform(-1.0, 1.0, size=(7, 7))
    both = [np.diag(log_softmax(cosines / 0.5, axis=axis)) for axis in (0, 1)]
    assert solver.infonce(0.5)(cosines)[0] == pytest.approx(-np.mean(both))
    total = 0.0
    for i in range(7):
        for j in set(range(7)) - {i}:
            for wrong in (cosines[i, j], cosines[j, i]):
                total += max(0.0, 0.25 - cosines[i, i] + wrong)
    # What is rounded off at the kinks is at most 1/400 each.
    assert solver.margin_loss(0.25)(cosines)[0] == pytest.approx(total / 14, abs=6 / 400)


@pytest.mark.parametrize("loss", ["infonce", "margin"])
def test_objective_is_that_of_the_docstring(loss: str) -> None:
    X, Y, _ = views(40)
    model = ContrastiveAlignment(
        2, loss=loss, regularisation=0.3, batch_size=40, random_state=0, tol=1e-5
    ).fit(X, Y)
    scores = model.transform(X, Y)
    cosines = similarities(*scores)
    which = solver.infonce(0.1) if loss == "infonce" else solver.margin_loss(0.2)
    expected = which(cosines)[0]
    for table, Z, W in zip((X, Y), scores, model.weights_, strict=True):
        assert np.sum(Z**2) / 39 == pytest.approx(1.0)
        expected += 0.3 * np.sum((W * table.std(axis=0, ddof=1)[:, np.newaxis]) ** 2)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)

    def perturbed(step: np.ndarray) -> float:
        D = [W + step[: len(W)] * s for W, s in zip(model.weights_, (0.01, 0.01), strict=True)]
        Zs = [(t - t.mean(axis=0)) @ W for t, W in zip((X, Y), D, strict=True)]
        value = which(similarities(*Zs))[0]
        for table, Z, W in zip((X, Y), Zs, D, strict=True):
            length = np.sum((W * table.std(axis=0, ddof=1)[:, np.newaxis]) ** 2)
            value += 0.3 * length / (np.sum(Z**2) / 39)
        return value

    rng = np.random.default_rng(0)
    steps = rng.normal(size=(30, 5, 2)) / np.logspace(-2, 2, 5)[:, np.newaxis]
    assert min(perturbed(step) for step in steps) > model.objective_ - 1e-6


@pytest.mark.parametrize("loss", ["infonce", "margin"])
def test_partners_of_new_samples_are_found_as_well_as_by_cca(loss: str) -> None:
    train, test = views(200), views(100, seed=5)
    model = ContrastiveAlignment(2, loss=loss, regularisation=0.01, random_state=0)
    found = model.fit(*train[:2]).score(*test[:2])
    cca = CCA(2).fit(*train[:2])
    scores = [cca.canonical_correlations_ * Z for Z in cca.transform(*test[:2])]
    by_cca = np.mean([mean_reciprocal_rank(*scores), mean_reciprocal_rank(*scores[::-1])])
    assert found > 0.75 * by_cca
    assert by_cca > 0.15  # chance: 0.05


def test_more_dimensions_than_columns_and_more_samples_than_a_batch() -> None:
    X, Y, _ = views(90)
    whole = ContrastiveAlignment(12, batch_size=20, random_state=0).fit(X, Y)
    assert whole.weights_[0].shape == (5, 12)
    again = clone(whole).fit(X, Y)
    np.testing.assert_array_equal(again.weights_[1], whole.weights_[1])


def test_three_modalities_names_and_units() -> None:
    tables = views(80)
    X = Modalities(dict(zip("abc", tables, strict=True)))
    model = ContrastiveAlignment(3, random_state=0, tol=1e-6).fit(X)
    assert model.transform(X).shape == (80, 9)
    assert model.get_feature_names_out()[3] == "b__contrastivealignment0"
    other = Modalities({name: 3.0 * table - 1.0 for name, table in zip("abc", tables, strict=True)})
    again = clone(model).fit(other)
    np.testing.assert_allclose(again.transform(other), model.transform(X), atol=1e-5)
    frame = pd.DataFrame(tables[0], columns=list("vwxyz"))
    scores = model.transform_modality(frame.to_numpy(), "a")
    np.testing.assert_array_equal(scores, model.transform(X)[:, :3])
    best = GridSearchCV(
        ContrastiveAlignment(2, random_state=0), {"regularisation": [0.01, 100.0]}, cv=3
    ).fit(X)
    assert best.best_params_ == {"regularisation": 0.01}


def test_refusals() -> None:
    X, Y, _ = views(20)
    for model, message in (
        (ContrastiveAlignment(temperature=0.0), "temperature"),
        (ContrastiveAlignment(temperature=1e-300), "temperature"),
        (ContrastiveAlignment(regularisation=np.inf), "regularisation"),
        (ContrastiveAlignment(margin=3.0), "margin"),
        (ContrastiveAlignment(batch_size=2), "batch_size"),
        (ContrastiveAlignment(regularisation=-1.0), "regularisation"),
        (ContrastiveAlignment(loss="triplet"), "loss"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y)
    with pytest.raises(ValueError, match="'y' does not vary"):
        ContrastiveAlignment().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="NaN"):
        ContrastiveAlignment().fit(np.where(X > X[0, 0], np.nan, X), Y)
    with pytest.raises(ValueError, match="expected at least two"):
        ContrastiveAlignment(modalities=[("a", [0])]).fit(X)
    fitted = ContrastiveAlignment(2).fit(X, Y)
    with pytest.raises(ValueError, match="y is None"):
        fitted.score(X)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        ContrastiveAlignment(2, max_iter=1).fit(X, Y)
