"""Low-rank products: planted ones are found, and every step helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from mkfusion import InteractionClassifier, InteractionRegressor, Modalities
from mkfusion.fusion.interaction._bilinear import (
    LowRankData,
    LowRankSettings,
    _alternate,
    _random,
    fit_low_rank,
    spread,
)

WIDTHS = {2: (6, 5), 3: (4, 3, 3)}


def planted(
    n_modalities: int, rank: int, noise: float, seed: int, n_samples: int = 300
) -> tuple[Modalities, NDArray[np.float64]]:
    """Return modalities and a target made of main effects and that many components."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n_samples, width)) for width in WIDTHS[n_modalities]]
    blocks = spread(np.hstack(parts), WIDTHS[n_modalities])
    factors = [rng.normal(size=(block.shape[1], rank)) for block in blocks]
    signal = np.prod([b @ u for b, u in zip(blocks, factors, strict=True)], axis=0).sum(axis=1)
    signal += parts[0][:, 0] - parts[1][:, 1]
    signal /= signal.std()
    names = ("a", "b", "c")[:n_modalities]
    X = Modalities(dict(zip(names, parts, strict=True)))
    return X, signal + noise * rng.normal(size=n_samples)


@pytest.mark.parametrize(("n_modalities", "rank"), [(2, 0), (2, 1), (2, 3), (3, 2)])
def test_a_planted_rank_is_found(n_modalities: int, rank: int) -> None:
    X, y = planted(n_modalities, rank, noise=0.2, seed=2)
    model = InteractionRegressor(form="low_rank", cv=3, random_state=0).fit(X[:200], y[:200])
    assert model.rank_ == rank
    assert [u.shape[1] for u in model.factors_] == [rank] * n_modalities
    assert model.score(X[200:], y[200:]) > 0.92


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_without_noise_the_products_are_found_exactly(n_modalities: int) -> None:
    X, y = planted(n_modalities, 2, noise=0.0, seed=5)
    model = InteractionRegressor(form="low_rank", rank=2, tol=1e-12, random_state=0)
    model.fit(X[:200], y[:200])
    np.testing.assert_allclose(model.predict(X[200:]), y[200:], atol=1e-4)


def test_full_rank_is_bilinear() -> None:
    """With as many components as columns, every matrix of products is one of them."""
    rng = np.random.default_rng(1)
    X = Modalities(a=rng.normal(size=(100, 3)), b=rng.normal(size=(100, 2)))
    y = X["a"][:, 0] * X["b"][:, 1] + rng.normal(size=100)
    low = InteractionRegressor(form="low_rank", rank=2, tol=1e-13, random_state=0).fit(X, y)
    full = InteractionRegressor(form="bilinear", scaling="standardize").fit(X, y)
    np.testing.assert_allclose(low.predict(X), full.predict(X), atol=1e-3)
    matrix = low.factors_[0] @ low.factors_[1].T
    np.testing.assert_allclose(matrix.ravel(), full.coef_[5:], atol=1e-3)


def test_rank_zero_is_ridge_on_main_effects() -> None:
    X, y = planted(2, 1, noise=0.3, seed=0)
    model = InteractionRegressor(form="low_rank", rank=0, penalty="ridge", alpha=0.2)
    model.fit(X, y)
    columns = np.hstack([X["a"], X["b"]])
    scaled = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    expected = Ridge(alpha=0.2 * 300).fit(scaled, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.predict(X), expected.predict(scaled), rtol=1e-8)


def data_of(
    X: Modalities, target: NDArray[np.float64], weights: NDArray[np.float64]
) -> LowRankData:
    main = np.hstack([X[name] for name in X.names])
    return LowRankData(main, spread(main, [X[n].shape[1] for n in X.names]), target, weights)


@pytest.mark.parametrize("alpha", [1e-8, 1e-3, 0.1])
@pytest.mark.parametrize("n_modalities", [2, 3])
@pytest.mark.parametrize("logistic", [False, True])
def test_the_objective_decreases_at_every_step(
    logistic: bool, n_modalities: int, alpha: float
) -> None:
    X, y = planted(n_modalities, 2, noise=0.5, seed=3, n_samples=80)
    target = (y > 0).astype(float) if logistic else y
    data = data_of(X, target, np.random.default_rng(0).uniform(0.1, 2, 80))
    settings = LowRankSettings(logistic, 1e-6, 20, 0)
    additive = fit_low_rank(data, 0, alpha, settings)[0]
    for rank in (1, 2):
        start = _random(data, rank, np.random.RandomState(rank))
        fit = _alternate(data, start, additive, alpha, settings)
        steps = np.diff(fit.objectives)
        assert len(steps) >= n_modalities
        assert steps.max() <= 1e-9 * fit.objectives[0]
        assert fit.objectives[-1] < fit.objectives[0]


def test_more_components_never_fit_worse() -> None:
    X, y = planted(3, 3, noise=0.5, seed=4, n_samples=100)
    fits = fit_low_rank(data_of(X, y, np.ones(100)), 4, 0.01, LowRankSettings(False, 1e-8, 1000, 0))
    ends = [fit.objectives[-1] for fit in fits]
    assert (np.diff(ends) <= 1e-6).all()


@pytest.mark.parametrize("logistic", [False, True])
def test_the_fit_is_stationary(logistic: bool) -> None:
    """The gradient by every coefficient vanishes, by finite differences."""
    X, y = planted(2, 1, noise=0.5, seed=6, n_samples=60)
    target = (y > 0).astype(float) if logistic else y
    data = data_of(X, target, np.ones(60))
    fit = fit_low_rank(data, 1, 0.05, LowRankSettings(logistic, 1e-13, 5000, 0))[1]

    def objective(flat: NDArray[np.float64]) -> float:
        a, b = flat[12:18], flat[18:]
        values = flat[0] + data.main @ flat[1:12] + (X["a"] @ a) * (X["b"] @ b)
        if logistic:
            loss = np.mean(np.logaddexp(0, values) - target * values)
        else:
            loss = np.mean((values - target) ** 2) / 2
        return float(loss + 0.025 * (flat[1:] ** 2).sum())

    flat = np.concatenate([[fit.intercept], fit.coef, *(u[:, 0] for u in fit.factors)])
    np.testing.assert_allclose(objective(flat), fit.objectives[-1], rtol=1e-9)
    step = 1e-5 * np.eye(len(flat))
    gradient = [(objective(flat + s) - objective(flat - s)) / 2e-5 for s in step]
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


def test_three_modalities_have_products_of_two_and_of_three() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 250))
    X = Modalities(a=a, b=b, c=c)
    for y in (a * b + 2 * c, a * b * c + a):
        low = InteractionRegressor(form="low_rank", rank=1, tol=1e-10, random_state=0)
        assert low.fit(X, y).score(X, y) > 0.999
    assert InteractionRegressor().fit(X, a * b * c + a).score(X, a * b * c + a) < 0.9


def test_low_rank_needs_fewer_samples_than_all_products() -> None:
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(200, 15)), rng.normal(size=(200, 12))
    y = (A @ rng.normal(size=15)) * (B @ rng.normal(size=12)) / 10 + 0.3 * rng.normal(size=200)
    X = Modalities(a=A, b=B)
    low = InteractionRegressor(form="low_rank", rank=1, random_state=0)
    full = InteractionRegressor(penalty="ridge")
    low_score, full_score = (cross_val_score(m, X, y, cv=3).mean() for m in (low, full))
    assert low_score > 0.8 > full_score + 0.3


def test_low_rank_classification_finds_products() -> None:
    X, y = planted(2, 1, noise=0.1, seed=3)
    labels = np.where(y > np.median(y), "high", "low")
    model = InteractionClassifier(
        form="low_rank", rank=1, penalty="ridge", alpha=1e-3, random_state=0
    )
    additive = InteractionClassifier(form="additive", penalty="ridge", alpha=1e-3)
    scores = [cross_val_score(m, X, labels, cv=3).mean() for m in (model, additive)]
    assert scores[0] > 0.85 > scores[1] + 0.1


def test_units_of_the_target_do_not_matter() -> None:
    X, y = planted(2, 1, noise=0.3, seed=0)
    model = InteractionRegressor(
        form="low_rank", rank=1, penalty="ridge", alpha=0.1, random_state=0
    )
    expected = model.fit(X, y).predict(X)
    np.testing.assert_allclose(model.fit(X, 50 + 1e3 * y).predict(X), 50 + 1e3 * expected)


def test_components_are_ordered_and_their_signs_settled() -> None:
    X, y = planted(3, 2, noise=0.3, seed=1)
    model = InteractionRegressor(form="low_rank", rank=2, random_state=0).fit(X, y)
    sizes = np.prod([np.linalg.norm(u, axis=0) for u in model.factors_], axis=0)
    assert sizes[0] >= sizes[1] > 0
    for u in model.factors_[1:]:
        assert (u[np.abs(u).argmax(axis=0), [0, 1]] > 0).all()
    assert [len(u) for u in model.factors_] == [5, 4, 4]  # with constants


def test_results_depend_on_the_random_state_only() -> None:
    X, y = planted(3, 2, noise=0.5, seed=1, n_samples=100)
    model = InteractionRegressor(form="low_rank", rank=2, random_state=3)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), model.fit(X, y).predict(X))


def test_strength_and_rank_are_chosen_together(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = planted(2, 1, noise=0.3, seed=0, n_samples=100)
    model = InteractionRegressor(form="low_rank", penalty="ridge", cv=3, random_state=0, verbose=1)
    model.fit(X, y)
    assert 0.001 <= model.alpha_ <= 1
    assert f"[low_rank] rank={model.rank_}, alpha=" in capsys.readouterr().out
    search = GridSearchCV(model.set_params(alpha=0.01, verbose=0), {"rank": [0, 1]}, cv=3)
    assert search.fit(X, y).best_params_ == {"rank": 1}


def test_large_units_are_taken_as_they_are() -> None:
    X, y = planted(2, 1, noise=0.1, seed=0)
    large = Modalities(a=1e5 * X["a"], b=X["b"])
    model = InteractionRegressor(form="low_rank", rank=1, scaling=None, random_state=0)
    assert model.fit(large, y).score(large, y) > 0.97


def test_too_few_sweeps_are_told() -> None:
    X, y = planted(3, 2, noise=0.5, seed=1, n_samples=100)
    model: Any = InteractionRegressor(form="low_rank", rank=2, max_iter=1, tol=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations") as found:
        model.fit(X, y)
    assert found[0].filename == __file__
