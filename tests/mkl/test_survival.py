"""Survival: Cox's partial likelihood, its certificate, and what it says of samples."""

from __future__ import annotations

import pickle
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from sklearn.base import BaseEstimator
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from sksurv.datasets import load_whas500
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    integrated_brier_score,
)
from sksurv.util import Surv

from mkfusion import ColumnKernelizer, KernelStack, MKLRegressor, MKLSurvivalAnalysis, Modalities
from mkfusion._survival import (
    Censoring,
    brier_scores,
    concordance,
    integrated_brier,
    kaplan_meier,
    uno_concordance,
)
from mkfusion.solvers import Cox, Setting, solve_mkl, solve_path


def survival(n: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 3), of which the first says something, and times, a third censored."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    time = 10.0 * rng.exponential(np.exp(-X[:, 0]))
    censored = rng.exponential(20.0, size=n)
    observed = np.minimum(time, censored)
    return X, Surv.from_arrays(time <= censored, np.ceil(observed) if ties else observed)


def grams(X: np.ndarray) -> list[np.ndarray]:
    return [rbf_kernel(X[:, [k]], gamma=0.3) for k in range(X.shape[1])]


def cvxpy_optimum(
    Ks: list[np.ndarray], y: np.ndarray, C: float, p: float, lam: float | None = None
) -> float:
    """The optimum of the primal problem, functions and weights together."""
    event, time = (y[name] for name in y.dtype.names)
    roots = []
    for K in Ks:
        values, vectors = np.linalg.eigh(K)
        kept = values > 1e-10
        roots.append(vectors[:, kept] * np.sqrt(values[kept]))
    parts = [cp.Variable(root.shape[1]) for root in roots]
    d = cp.Variable(len(Ks), nonneg=True)
    f = sum(root @ part for root, part in zip(roots, parts, strict=True))
    loss = sum(
        cp.log_sum_exp(f[np.flatnonzero(time >= time[i])]) - f[i] for i in np.flatnonzero(event)
    )
    lengths = sum(cp.quad_over_lin(part, d[k]) for k, part in enumerate(parts))
    objective = 0.5 * lengths + C * loss
    limits = []
    if lam is None:
        limits = [cp.norm(d, p) <= 1]
    else:
        objective += 0.5 * lam * cp.square(cp.norm(d, p))
    return float(cp.Problem(cp.Minimize(objective), limits).solve(solver="CLARABEL"))


@pytest.mark.parametrize(
    ("p", "lam", "C", "ties"),
    [(1.0, None, 1.0, True), (2.0, None, 10.0, False), (1.5, 0.5, 1.0, True)],
)
def test_objective_and_certificate_are_those_of_cvxpy(p, lam, C, ties) -> None:
    X, y = survival(25, 0, ties)
    Ks = grams(X)
    wanted = cvxpy_optimum(Ks, y, C, p, lam)
    model = MKLSurvivalAnalysis(C=C, p=p, lam=lam, tol=1e-7).fit(Ks, y)
    assert model.duality_gap_ <= 1e-7
    assert model.objective_ == pytest.approx(wanted, rel=1e-6)
    loose = MKLSurvivalAnalysis(C=C, p=p, lam=lam, tol=1e-2).fit(Ks, y)
    assert loose.duality_gap_ <= 1e-2
    dual = loose.objective_ * (1.0 - loose.duality_gap_)
    assert dual <= wanted * (1.0 + 1e-7) <= loose.objective_ * (1.0 + 2e-7)


@pytest.mark.parametrize("alpha", [0.5, 100.0])
def test_one_linear_kernel_is_cox_ridge(alpha: float) -> None:
    data, y = load_whas500()
    X = np.ascontiguousarray(data[["age", "bmi", "hr", "sysbp", "los"]], dtype=float)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = CoxPHSurvivalAnalysis(alpha=alpha, tol=1e-13).fit(X, y)
    ours = MKLSurvivalAnalysis(C=1 / alpha, tol=1e-10).fit(linear_kernel(X), y)
    risk = ours.predict(linear_kernel(X))
    np.testing.assert_allclose(risk, X @ theirs.coef_, atol=1e-5)
    assert ours.score(linear_kernel(X), y) == pytest.approx(theirs.score(X, y), abs=1e-12)
    new = np.linspace(-2, 2, 15).reshape(3, 5)
    found = ours.predict_survival_function(linear_kernel(new, X))
    wanted = [step(ours.event_times_) for step in theirs.predict_survival_function(new)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    hazards = ours.predict_cumulative_hazard_function(linear_kernel(new, X), [0.0, 700.0])
    wanted = [[0.0, step(700.0)] for step in theirs.predict_cumulative_hazard_function(new)]
    np.testing.assert_allclose(hazards, wanted, rtol=1e-5)


def test_far_samples_survive_until_the_first_event() -> None:
    """However large a hazard is, it is of no time before the first event."""
    y = Surv.from_arrays([True, True, False], [1.0, 2.0, 3.0])
    X = np.array([[1.0], [0.0], [-1.0]])
    model = MKLSurvivalAnalysis().fit(linear_kernel(X), y)
    far = linear_kernel([[1e6], [-1e6]], X)
    assert (np.abs(model.predict(far)) > 1e4).all()
    alive = model.predict_survival_function(far, [0.0, 0.5, 1.0, 4.0])
    assert alive.tolist() == [[1.0, 1.0, 0.0, 0.0], [1.0] * 4]
    hazards = model.predict_cumulative_hazard_function(far, [0.5, 1.0])
    assert hazards.tolist() == [[0.0, np.inf], [0.0, 0.0]]


def test_two_samples_have_a_closed_form() -> None:
    """``min b^2 + C log(1 + exp(-2 b))``: f is (b, -b) with the identity as the kernel."""
    y = Surv.from_arrays([True, False], [1.0, 2.0])
    model = MKLSurvivalAnalysis(C=3.0, tol=1e-12).fit(np.eye(2), y)
    b = brentq(lambda b: b - 3.0 / (1.0 + np.exp(2.0 * b)), 0.0, 3.0, xtol=1e-14)
    np.testing.assert_allclose(model.predict(np.eye(2)), [b, -b], rtol=1e-6)
    np.testing.assert_allclose(model.dual_coef_, [[b, -b]], rtol=1e-6)
    assert model.objective_ == pytest.approx(b * b + 3.0 * np.log1p(np.exp(-2.0 * b)))
    # The hazard of the only event is one over the sum of the relative hazards.
    assert model.cum_baseline_hazard_ == pytest.approx([0.5 / np.cosh(b)])


def test_the_conjugate_is_the_least_of_what_it_bounds() -> None:
    rng = np.random.default_rng(0)
    time, event, cost = rng.integers(1, 8, 20), rng.random(20) < 0.6, rng.uniform(0.5, 2.0, 20)
    task = Cox().task(np.where(event, time, -time).astype(float), cost)
    first = time[event].min()

    def loss(f: np.ndarray) -> float:
        return float(
            sum(
                cost[i]
                * np.log((cost * np.exp(f))[time >= time[i]].sum() / (cost[i] * np.exp(f[i])))
                for i in np.flatnonzero(event)
            )
        )

    f = rng.normal(size=20)
    assert task.loss(-f)[1] == pytest.approx(loss(f))
    steps = 1e-6 * np.eye(20)
    beta = -np.array([(loss(f + s) - loss(f - s)) / 2e-6 for s in steps])
    beta[time < first] = 0.0
    assert task.gain(beta) == pytest.approx(loss(f) + beta @ f, rel=1e-7)
    others = [f + rng.normal(scale=0.3, size=20) for _ in range(50)]
    assert all(task.gain(beta) <= loss(g) + beta @ g for g in others)
    assert task.gain(-beta) == -np.inf  # later samples cannot have all the expected events
    # Its curvature, but for what constants do, is that of the differences of its gradient f.
    free = task.free
    task.beta = beta
    bend = task.curvature(np.zeros((free.size, free.size)), free)
    move = np.zeros(20)
    move[free] = rng.normal(size=free.size)
    move[free] -= move[free].mean()
    h = 1e-4
    ends = [task.gain(beta + s * h * move) for s in (-1, 0, 1)]
    second = -(ends[0] - 2 * ends[1] + ends[2]) / h**2
    assert move[free] @ bend @ move[free] == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("C", [1e-3, 1e3])
def test_far_prices_converge(p: float, C: float) -> None:
    X, y = survival(80, 1, ties=True)
    model = MKLSurvivalAnalysis(C=C, p=p, tol=1e-6).fit([*grams(X), linear_kernel(X)], y)
    assert model.duality_gap_ <= 1e-6


def test_kernels_of_rank_one_and_of_few_features() -> None:
    """Other losses go by features there; the sparse weights are those of the lasso."""
    X, y = survival(100, 2)
    Ks = [linear_kernel(X[:, [k]]) for k in range(3)]
    model = MKLSurvivalAnalysis(C=0.05, tol=1e-6).fit(Ks, y)
    assert model.duality_gap_ <= 1e-6
    np.testing.assert_allclose(model.weights_, [1.0, 0.0, 0.0], atol=1e-3)


@pytest.mark.slow
def test_many_kernels() -> None:
    X, y = survival(40, 3)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(40, 1010))
    Ks = [linear_kernel(X[:, [0]]), *(linear_kernel(noise[:, [k]]) for k in range(1010))]
    for p in (1.0, 2.0):
        model = MKLSurvivalAnalysis(C=0.1, p=p, tol=1e-3).fit(KernelStack(Ks), y)
        assert model.duality_gap_ <= 1e-3


def test_weights_are_repetitions_and_the_order_does_not_matter() -> None:
    X, y = survival(30, 4, ties=True)
    weights = np.random.default_rng(0).integers(0, 3, 30)
    rows = np.repeat(np.arange(30), weights)
    Ks = grams(X)
    weighted = MKLSurvivalAnalysis(p=2, tol=1e-9).fit(Ks, y, weights)
    repeated = MKLSurvivalAnalysis(p=2, tol=1e-9).fit([K[np.ix_(rows, rows)] for K in Ks], y[rows])
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, rtol=1e-4)
    again = repeated.predict([K[:, rows] for K in Ks])
    np.testing.assert_allclose(weighted.predict(Ks), again, atol=1e-4)
    np.testing.assert_allclose(
        weighted.predict_survival_function(Ks),
        repeated.predict_survival_function([K[:, rows] for K in Ks]),
        atol=1e-4,
    )
    turned = np.random.default_rng(1).permutation(30)
    other = MKLSurvivalAnalysis(p=2, tol=1e-9).fit(
        [K[np.ix_(turned, turned)] for K in Ks], y[turned]
    )
    plain = MKLSurvivalAnalysis(p=2, tol=1e-9).fit(Ks, y)
    assert other.objective_ == pytest.approx(plain.objective_, rel=1e-8)


def test_only_the_order_of_times_counts_and_early_censoring_does_not() -> None:
    X, y = survival(40, 5)
    Ks = grams(X)
    model = MKLSurvivalAnalysis(tol=1e-9).fit(Ks, y)
    later = y.copy()
    later["time"] = np.exp(y["time"] / 5.0)
    np.testing.assert_allclose(
        MKLSurvivalAnalysis(tol=1e-9).fit(Ks, later).predict(Ks), model.predict(Ks), atol=1e-5
    )
    y["time"][:3], y["event"][:3] = 0.0, False  # censored before any event
    some = MKLSurvivalAnalysis(tol=1e-9).fit(Ks, y)
    assert some.support_.min() == 3
    without = MKLSurvivalAnalysis(tol=1e-9).fit([K[3:, 3:] for K in Ks], y[3:])
    np.testing.assert_allclose(
        some.predict(Ks)[3:], without.predict([K[3:, 3:] for K in Ks]), atol=1e-4
    )


def test_warm_starts_along_a_path_reach_what_cold_ones_do() -> None:
    X, y = survival(60, 6, ties=True)
    stack = KernelStack(grams(X))
    target = np.where(y["event"], 1 + y["time"], -1 - y["time"])[np.newaxis]
    ones = np.ones((1, 60))
    some = ones.copy()
    some[0, ::7] = 0.0
    settings = [Setting(C * w, 2.0, 0.0) for C in (0.1, 10.0, 1.0) for w in (ones, some)]
    for setting, warm in zip(
        settings, solve_path(stack, target, settings, loss=Cox(), tol=1e-7), strict=True
    ):
        cold = solve_mkl(stack, target, setting.cost, loss=Cox(), p=2.0, tol=1e-7)
        assert warm.converged
        assert warm.primal == pytest.approx(cold.primal, rel=2e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.zeros(30), "y is of float64; expected a structured array with a boolean f"),
        (lambda y: pd.DataFrame(y), r"columns \['event', 'time'\]; .*y\.to_records\(index=False\)"),
        (lambda y: y.tolist(), "y is a list; expected a structured array"),
        (lambda y: None, "requires y to be passed"),
        (lambda y: y[["time"]], r"has the fields \{'time'"),
        (lambda y: y[:-1], "y has 29 samples; expected 30"),
        (lambda y: y.reshape(-1, 1), r"shape \(30, 1\)"),
        (lambda y: Surv.from_arrays(np.ones(30, bool), np.full(30, np.nan)), "nan for sample 0"),
        (lambda y: Surv.from_arrays(y["event"], y["time"] - 5.0), r"y\['time'\] is -"),
        (lambda y: Surv.from_arrays(y["event"] | True, y["time"])[:0], "samples"),
    ],
)
def test_other_targets_are_refused(change: Any, message: str) -> None:
    X, y = survival(30, 7)
    with pytest.raises(ValueError, match=message):
        MKLSurvivalAnalysis().fit(grams(X), change(y))


def test_censored_samples_alone_are_refused() -> None:
    X, y = survival(30, 8)
    with pytest.raises(ValueError, match=r"sample_weight leaves no sample with an event"):
        MKLSurvivalAnalysis().fit(grams(X), y, ~y["event"])
    y["event"] = False
    with pytest.raises(ValueError, match=r"y\['event'\] is False for all 30 samples"):
        MKLSurvivalAnalysis().fit(grams(X), y)


def test_samples_of_which_no_two_can_be_compared_have_no_score() -> None:
    X, y = survival(30, 8)
    model = MKLSurvivalAnalysis().fit(grams(X), y)
    y["event"] = False
    assert np.isnan(model.score(grams(X), y))
    y["event"][y["time"].argmax()] = True
    assert np.isnan(model.score(grams(X), y))


def test_fields_may_have_any_order_and_name() -> None:
    X, y = survival(30, 9)
    turned = np.empty(30, dtype=[("months", np.float32), ("died", bool)])
    turned["months"], turned["died"] = y["time"], y["event"]
    model = MKLSurvivalAnalysis(tol=1e-8).fit(grams(X), y)
    same = MKLSurvivalAnalysis(tol=1e-8).fit(grams(X), turned)
    np.testing.assert_allclose(same.predict(grams(X)), model.predict(grams(X)), atol=1e-6)


def test_other_estimators_say_who_learns_survival() -> None:
    X, y = survival(30, 10)
    with pytest.raises(ValueError, match="MKLSurvivalAnalysis and compare_fusion learn survival"):
        MKLRegressor().fit(grams(X), y)


def test_a_pipeline_is_searched_cross_validated_and_pickled() -> None:
    X, y = survival(60, 11)
    data = Modalities(a=X[:, :1], b=X[:, 1:])
    model = make_pipeline(
        ColumnKernelizer([("a", "rbf", "a"), ("b", "rbf", "b")]), MKLSurvivalAnalysis()
    )
    search = GridSearchCV(model, {"mklsurvivalanalysis__C": [0.1, 1.0]}, cv=3).fit(data, y)
    scores = cross_val_score(search.best_estimator_, data, y, cv=3)
    assert search.best_score_ == pytest.approx(scores.mean())
    assert search.best_score_ > 0.6
    loaded = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(loaded.predict(data), search.predict(data))


class Numeric(MKLSurvivalAnalysis):
    """Takes what scikit-learn's checks have for targets as times, some of which are censored."""

    def _target(self, y: Any) -> Any:
        if y is None or np.asarray(y).ndim != 1 or np.iscomplexobj(np.asarray(y)):
            return y
        y = np.asarray(y, dtype=float)
        return Surv.from_arrays(np.arange(len(y)) % 4 < 3, y - np.nanmin(y))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseEstimator:
        return super().fit(X, self._target(y), sample_weight)

    def score(self, X: Any, y: Any) -> float:
        return super().score(X, self._target(y))


def test_scikit_learn_checks() -> None:
    why = "the check passes {} as a Gram matrix, which is indefinite"
    expected = {
        "check_estimators_dtypes": why.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": why.format("a matrix less its mean"),
    }
    results = check_estimator(
        Numeric(), expected_failed_checks=expected, on_fail=None, on_skip=None
    )
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert not failed
    assert sum(one["status"] == "passed" for one in results) > 40


# ---------------------------------------------------------------------------- metrics


def test_metrics_are_those_of_scikit_survival() -> None:
    X, y = survival(200, 12, ties=True)
    train, test = y[:120], y[120:]
    risk = np.round(X[120:, 0] + np.random.default_rng(0).normal(size=80), 1)
    event, time = test["event"], test["time"]
    assert concordance(time, event, risk) == concordance_index_censored(event, time, risk)[0]
    censoring = Censoring(train["time"], train["event"])
    tau = 15.0
    assert uno_concordance(time, event, risk, censoring, tau) == pytest.approx(
        concordance_index_ipcw(train, test, risk, tau=tau)[0], rel=1e-12
    )
    times = np.arange(1.0, 14.0)
    chances = np.exp(-0.05 * np.exp(risk)[:, np.newaxis] * times)
    wanted = integrated_brier_score(train, test, chances, times)
    scores = brier_scores(time, event, chances, times, censoring)
    assert integrated_brier(scores, times).mean() == pytest.approx(wanted, rel=1e-12)


def test_without_censoring_the_metrics_are_plain() -> None:
    rng = np.random.default_rng(0)
    time, risk, event = rng.exponential(size=50), rng.normal(size=50), np.ones(50, dtype=bool)
    times, alive = kaplan_meier(time, event)
    np.testing.assert_allclose(alive, 1.0 - np.arange(1, 51) / 50, atol=1e-12)
    pairs = [(i, j) for i in range(50) for j in range(50) if time[i] < time[j]]
    share = np.mean([risk[i] > risk[j] for i, j in pairs])
    assert concordance(time, event, risk) == pytest.approx(share)
    chances = np.tile(1.0 - np.arange(1, 51) / 50, (50, 1))
    scores = brier_scores(time, event, chances, times, Censoring(time, event))
    np.testing.assert_allclose(scores, ((time[:, None] > times) - chances) ** 2)
    assert np.isnan(concordance(time, ~event, risk))  # all of them censored
