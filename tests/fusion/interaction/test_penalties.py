"""Penalised interaction models: equal to other solvers, certified, hierarchical."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.preprocessing import StandardScaler

from mkfusion import InteractionClassifier, InteractionRegressor, Modalities
from mkfusion.fusion.interaction._penalized import GroupProblem

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(90, 4)), RNG.normal(size=(90, 3))
WEIGHTS = RNG.uniform(0.2, 2, 90)
Y = A @ [1, -1, 0, 0] + B[:, 0] + A[:, 0] * B[:, 1] + RNG.normal(size=90)
LABELS = Y > 0.3
X = Modalities(a=A, b=B)
A_, B_ = StandardScaler().fit_transform(A), StandardScaler().fit_transform(B)
TERMS = np.hstack([A_, B_, (A_[:, :, None] * B_[:, None, :]).reshape(90, -1)])


def test_ridge_is_scikit_learns() -> None:
    expected = Ridge(alpha=0.1 * 90).fit(TERMS, Y)
    model = InteractionRegressor(penalty="ridge", alpha=0.1).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


def test_lasso_is_scikit_learns() -> None:
    expected = Lasso(alpha=0.05, tol=1e-10).fit(TERMS, Y)
    model = InteractionRegressor(penalty="lasso", alpha=0.05, tol=1e-10).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    assert 0 < np.count_nonzero(model.coef_) < 19


@pytest.mark.parametrize("n_samples", [90, 15])
def test_logistic_ridge_is_scikit_learns(n_samples: int) -> None:
    """Also with fewer samples than terms, where another way is taken."""
    seen = np.arange(n_samples)
    model = InteractionClassifier(penalty="ridge", alpha=0.05, scaling=None)
    model.fit(X[seen], LABELS[seen])
    raw = np.hstack([A, B, (A[:, :, None] * B[:, None, :]).reshape(90, -1)])[seen]
    newton = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 10_000}
    expected = LogisticRegression(C=1 / (0.05 * n_samples), **newton).fit(raw, LABELS[seen])
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


GROUPS = [np.array([0, 1]), np.array([2]), np.array([0, 1, 2, 3, 4]), np.array([5])]


def objective(problem: GroupProblem, intercept: Any, parts: Any, alpha: float) -> tuple[Any, Any]:
    """Write loss and penalty for cvxpy."""
    fit = problem.terms @ parts + intercept
    if problem.logistic:
        loss = problem.shares @ (cp.logistic(fit) - cp.multiply(problem.target, fit))
    else:
        loss = 0.5 * problem.shares @ cp.square(fit - problem.target)
    pieces = zip(problem.starts, problem.sizes, strict=True)
    return loss, alpha * sum(np.sqrt(n) * cp.norm(parts[s : s + n]) for s, n in pieces)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("logistic", [False, True])
def test_groups_are_solved_as_cvxpy_does(logistic: bool, share: float) -> None:
    target = LABELS.astype(float) if logistic else Y
    problem = GroupProblem(TERMS[:, :6], target, WEIGHTS, GROUPS, logistic=logistic)
    alpha = share * problem.largest_alpha()
    fit = problem.solve(alpha, 1e-9, 10_000)
    assert fit.converged
    assert 0 <= fit.gap + 1e-12 <= 2e-9
    parts, intercept = cp.Variable(9), cp.Variable()
    loss, penalty = objective(problem, intercept, parts, alpha)
    best = cp.Problem(cp.Minimize(loss + penalty)).solve(solver="CLARABEL")
    centred = fit.intercept + problem.mean @ fit.coef
    loss, penalty = objective(problem, centred, fit.parts, alpha)
    assert float((loss + penalty).value) <= best + 1e-7
    np.testing.assert_allclose(
        fit.coef, np.bincount(problem.members, weights=fit.parts, minlength=6)
    )


@pytest.mark.parametrize("logistic", [False, True])
def test_the_gap_bounds_the_error_of_unfinished_fits(logistic: bool) -> None:
    target = LABELS.astype(float) if logistic else Y
    groups = [np.arange(7), np.arange(7, 19)]
    problem = GroupProblem(TERMS, target, WEIGHTS, groups, logistic=logistic)
    alpha = 0.1 * problem.largest_alpha()

    def value(fit: Any) -> float:
        values = TERMS @ fit.coef + fit.intercept
        return problem._loss(values) + alpha * float(problem.prices @ problem._norms(fit.parts))

    best = value(problem.solve(alpha, 1e-12, 10_000))
    for max_iter in (1, 3, 10, 30):
        fit = problem.solve(alpha, 1e-12, max_iter)
        assert -1e-10 <= value(fit) - best <= fit.gap * problem.worst + 1e-10


def test_orthonormal_groups_are_shrunk_in_closed_form() -> None:
    q = np.linalg.qr(np.column_stack([np.ones(50), RNG.normal(size=(50, 4))]))[0][:, 1:]
    terms = q * np.sqrt(50)
    y = RNG.normal(size=50)
    groups = [np.array([0, 1, 2]), np.array([3])]
    problem = GroupProblem(terms, y, np.ones(50), groups, logistic=False)
    alpha = 0.4 * problem.largest_alpha()
    correlations = terms.T @ y / 50
    expected = np.concatenate(
        [
            c * max(0.0, 1 - alpha * np.sqrt(len(c)) / np.linalg.norm(c))
            for c in (correlations[:3], correlations[3:])
        ]
    )
    np.testing.assert_allclose(problem.solve(alpha, 1e-12, 1000).coef, expected, atol=1e-8)


@pytest.mark.parametrize("logistic", [False, True])
def test_the_largest_strength_is_where_the_first_group_comes_in(logistic: bool) -> None:
    target = LABELS.astype(float) if logistic else Y
    problem = GroupProblem(TERMS[:, :6], target, WEIGHTS, GROUPS, logistic=logistic)
    largest = problem.largest_alpha()
    assert not problem.solve(1.001 * largest, 1e-10, 1000).coef.any()
    assert problem.solve(0.98 * largest, 1e-10, 1000).coef.any()


@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_products_come_only_with_main_effects(kind: Any) -> None:
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(150, 5))
    signal = samples[:, 0] * samples[:, 1] + 0.5 * samples[:, 2]
    target = signal + rng.normal(size=150)
    target = target if kind is InteractionRegressor else target > 0
    used = []
    for alpha in (0.2, 0.1, 0.05, 0.02):
        model = kind(penalty="group", alpha=alpha, tol=1e-8).fit(samples, target)
        terms = set(model.term_names_[np.ravel(model.coef_) != 0])
        used.append(terms)
        for term in terms:
            assert set(term.split(" × ")) <= terms
    assert any("x0 × x1" in terms for terms in used)
    assert all(len(terms) < 15 for terms in used)


def test_modalities_without_use_are_left_out_as_a_whole() -> None:
    noise = RNG.normal(size=(90, 6))
    model = InteractionRegressor(penalty="group", alpha=0.35).fit(Modalities(a=A, noise=noise), Y)
    chosen = model.coef_ != 0
    assert chosen[:4].all()
    assert not chosen[4:].any()


# ---------------------------------------------------------------------------- strength


def test_the_strength_is_the_one_a_search_finds() -> None:
    folds = KFold(4)
    model = InteractionRegressor(penalty="ridge", scaling="standardize", cv=folds).fit(X, Y)
    losses = {}
    for alpha in model.alpha_ * np.array([0.3, 1.0, 3.0]):
        fixed = InteractionRegressor(penalty="ridge", alpha=alpha)
        losses[alpha] = -cross_val_score(
            fixed, X, Y, cv=folds, scoring="neg_mean_squared_error"
        ).mean()
    assert min(losses.values()) >= 0.99 * losses[model.alpha_]


@pytest.mark.parametrize("penalty", ["ridge", "lasso", "group"])
def test_choosing_the_strength_helps_where_there_are_many_terms(penalty: str) -> None:
    data, target = load_diabetes(return_X_y=True)
    model = InteractionRegressor(penalty=penalty, tol=1e-4, cv=3)
    score = cross_val_score(model, data, target, cv=3).mean()
    assert score > cross_val_score(InteractionRegressor(), data, target, cv=3).mean() + 0.03
    assert score > 0.47


@pytest.mark.parametrize("penalty", ["ridge", "lasso"])
def test_choosing_the_strength_helps_classes(penalty: str) -> None:
    data, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    columns = ["mean radius", "mean texture", "mean smoothness", "mean concavity"]
    model = InteractionClassifier(penalty=penalty, tol=1e-4, n_jobs=1, verbose=0)
    score = cross_val_score(model, data[columns], labels, cv=3, scoring="neg_log_loss").mean()
    assert score > -0.17


def test_what_was_chosen_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    model = InteractionRegressor(penalty="lasso", verbose=1).fit(X, Y)
    assert f"[lasso] alpha={model.alpha_:.3g}, out-of-fold loss" in capsys.readouterr().out


def test_strengths_can_be_searched_by_name() -> None:
    grid = {"alpha": [1e-3, 1e-1, 10.0], "penalty": ["ridge", "group"]}
    search = GridSearchCV(InteractionClassifier(), grid).fit(X, LABELS)
    assert search.best_params_["alpha"] < 10


def test_too_few_iterations_are_told() -> None:
    for model, target in [
        (InteractionClassifier(penalty="lasso", alpha=1e-3, max_iter=2), LABELS),
        (InteractionRegressor(penalty="group", alpha=1e-3, max_iter=2), Y),
    ]:
        with pytest.warns(ConvergenceWarning, match="relative duality gap .* max_iter=2") as found:
            model.fit(X, target)
        assert found[0].filename == __file__


def test_folds_of_one_class_have_no_say() -> None:
    labels = np.arange(90) >= 60
    model = InteractionClassifier(penalty="ridge", cv=KFold(3)).fit(X, labels)
    assert model.alpha_ > 0
    with pytest.raises(ValueError, match="no fold with targets to learn from"):
        model.set_params(cv=[(np.arange(60), np.arange(60, 90))]).fit(X, labels)


def test_results_do_not_depend_on_n_jobs() -> None:
    found: list[NDArray[np.float64]] = []
    with parallel_config(backend="threading"):
        for n_jobs in (1, 2):
            model = InteractionRegressor(penalty="group", n_jobs=n_jobs, tol=1e-4)
            found.append(model.fit(X, Y).coef_)
    np.testing.assert_array_equal(*found)
