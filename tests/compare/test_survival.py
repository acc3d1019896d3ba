"""Comparisons of models of survival: figures, folds and refusals."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.functions import StepFunction
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    integrated_brier_score,
)
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from mkfusion import Method, Modalities, compare_fusion
from mkfusion.compare._folds import outer_splitter
from mkfusion.compare._survival import FollowUp

FIGURES = ["concordance_index_censored", "concordance_index_ipcw", "neg_integrated_brier_score"]


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, np.ndarray]:
    """150 samples; half of what there is to know stands in either modality."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6))
    time = rng.exponential(np.exp(-X[:, 0] - X[:, 3]))
    censored = rng.exponential(2.0, size=150)
    return X, Surv.from_arrays(time <= censored, np.round(np.minimum(time, censored), 2))


MODALITIES = [("left", [0, 1, 2]), ("right", [3, 4, 5])]


def cox_ridge() -> Any:
    return make_pipeline(StandardScaler(), CoxPHSurvivalAnalysis(alpha=1.0))


@pytest.fixture(scope="module")
def compared(study) -> Any:
    """Every method of the package, and one of scikit-survival's."""
    X, y = study
    methods = ["all", Method("cox", CoxPHSurvivalAnalysis(alpha=1.0), label="Cox")]
    return compare_fusion(X, y, MODALITIES, methods=methods, cv=3, fast=True)


def test_fusion_helps_where_it_must(compared) -> None:
    assert compared.conditions_.task == "survival"
    fused, alone = (compared.scores(one).mean() for one in ("L1 MKL", "best single modality"))
    assert fused > alone + 0.05
    assert compared.scores("no modality (Kaplan-Meier)").tolist() == [0.5] * 3
    left, right = compared.contributions_.modalities
    assert min(left.mean, right.mean) > 0.05
    assert set(compared.not_applicable_) == {
        "early fusion",
        "late fusion, stacked",
        "interaction regression",
        "CCA fusion",
        "alignment weights",
        "kernel sum and products",
        "localized MKL",
    }
    assert "no theory" in compared.not_answered_["Does each modality say what the others do not?"]


def test_figures_are_those_of_scikit_survival(study, compared) -> None:
    X, y = study
    follow_up = FollowUp.of(y)
    assert 0.05 < (y["time"] > follow_up.horizon).mean() <= 0.1
    for fold, (train, test) in enumerate(compared.conditions_.folds):
        model = CoxPHSurvivalAnalysis(alpha=1.0).fit(X[train], y[train])
        risk = model.predict(X[test])
        chances = np.array(
            [step(follow_up.times) for step in model.predict_survival_function(X[test])]
        )
        known, seen = y[train], y[test].copy()
        # Scikit-survival refuses test samples that are followed longer than all training samples;
        # what is known beyond the horizon plays no part in its last two metrics.
        beyond = seen["time"] >= follow_up.horizon
        seen["event"][beyond], seen["time"][beyond] = False, follow_up.horizon
        wanted = [
            concordance_index_censored(y[test]["event"], y[test]["time"], risk)[0],
            concordance_index_ipcw(known, seen, risk, tau=follow_up.horizon)[0],
            -integrated_brier_score(known, seen, chances, follow_up.times),
        ]
        found = [compared.scores("Cox", metric)[fold] for metric in FIGURES]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
        assert compared.losses("Cox")[fold] == pytest.approx(-wanted[2])
        steps = kaplan_meier_estimator(known["event"], known["time"])
        nothing = steps[1][np.searchsorted(steps[0], follow_up.times, side="right") - 1]
        told = np.tile(nothing, (len(test), 1))
        nothing = integrated_brier_score(known, seen, told, follow_up.times)
        assert compared.losses("no modality")[fold] == pytest.approx(nothing)


def test_folds_are_stratified_by_event(study, compared) -> None:
    _, y = study
    shares = [y["event"][test].mean() for _, test in compared.conditions_.folds]
    assert np.ptp(shares) < 0.03


def test_few_censored_samples_cost_no_folds(study) -> None:
    """The number of folds goes by events: who was censored is no class to be predicted."""
    X, y = study
    y = y.copy()
    y["event"] = np.arange(150) > 1
    found = compare_fusion(X, y, MODALITIES, methods=["uniform"], fast=True)
    assert len(found.conditions_.folds) == 5
    censored = [np.sum(~y["event"][test]) for _, test in found.conditions_.folds]
    assert max(censored) == 1
    y["event"] = np.arange(150) % 50 == 0
    y["time"] = np.where(y["event"], y["time"] / 10, y["time"])
    few = outer_splitter(None, y["event"], None, False, 0, False, survival=True).split()
    assert len(few) == 3 * 5  # events, draws
    assert [int(y["event"][test].sum()) for _, test in few] == [1] * 15


def test_reports_are_whole(compared, tmp_path) -> None:
    html = compared.to_html(tmp_path / "report.html").read_text()
    for text in (
        "integrated Brier score",
        "samples had an event",
        "weighted for censoring",
        "kernel Cox",
    ):
        assert text in html
    told = json.loads(compared.to_json(tmp_path / "report.json").read_text())
    assert told["settings"]["task"] == "survival"
    assert len(told["settings"]["times"]) == len(compared.conditions_.times)
    assert "Kaplan-Meier" in compared.to_markdown()
    table = compared.to_frame("predictions")
    assert {"event", "time", "risk"} <= set(table)
    assert len(compared.to_frame("performance")) == 3 * len(compared.summary_)
    assert len(compared.to_frame("subgroups")) == 0
    compared.to_predictions(tmp_path / "told.csv")


def test_performance_as_a_frame_has_its_measures(compared) -> None:
    found = compared.performance()
    table = found.to_frame()
    assert table.index.tolist() == list(found.measures)
    for name, measure in found.measures.items():
        assert tuple(table.loc[name, list(measure._fields)]) == tuple(measure)


def test_performance_is_the_mean_of_folds_with_the_corrected_interval(compared, tmp_path) -> None:
    """The scores of folds are scikit-survival's, as tested above; the interval is by the book."""
    ratio = np.mean([len(test) / len(train) for train, test in compared.conditions_.folds])
    for method in ("Cox", "best fusion method", "no modality (Kaplan-Meier)"):
        found = compared.performance(method)
        assert (found.n_samples, found.confidence_level) == (150, 0.95)
        wanted = {name: compared.scores(method, name) for name in FIGURES[:2]}
        wanted["integrated_brier_score"] = compared.losses(method)
        assert list(found.measures) == list(wanted)
        for name, values in wanted.items():
            one, mean = found.measures[name], np.mean(values)
            width = t.ppf(0.975, 2) * np.sqrt((1 / 3 + ratio) * np.var(values, ddof=1))
            assert one.value == pytest.approx(mean)
            assert one.low == pytest.approx(max(mean - width, 0.0))
            assert one.high == pytest.approx(
                mean + width if "brier" in name else min(mean + width, 1)
            )
            loss = name == "integrated_brier_score"
            nothing = compared.losses("no modality").mean() if loss else 0.5
            assert (one.nothing, one.best) == (pytest.approx(nothing), 0.0 if loss else 1.0)
    told = json.loads(compared.to_json(tmp_path / "report.json").read_text())
    kept = told["performance"]["best fusion method"]["measures"]["integrated_brier_score"]
    best = compared.performance().measures["integrated_brier_score"]
    assert kept["value"] == pytest.approx(best.value)
    row = next(one for one in compared.to_markdown().splitlines() if one.startswith("| Uno's C"))
    assert f"{compared.performance().measures[FIGURES[1]].value:.3f} (" in row


def test_late_fusion_needs_no_folds_within_those_of_tuning(study) -> None:
    """Of three groups one is left there, which cannot be split once more."""
    X, y = study
    found = compare_fusion(
        X, y, MODALITIES, methods=["late_mean"], groups=np.arange(150) % 3, cv=3, fast=True
    )
    assert not found.not_applicable_
    assert found.scores("late fusion, mean").mean() > 0.6


def test_intervals_of_concordance_end_where_it_does(study) -> None:
    """Three folds of 20 samples leave intervals that go beyond 1 if nothing stops them."""
    X, y = study
    found = compare_fusion(X[:60], y[:60], MODALITIES, methods=["uniform"], cv=3, fast=True)
    beyond = 0
    for one in found.summary_:
        measures = found.performance(one.method).measures
        for metric in FIGURES[:2]:
            scores, ratio = found.scores(one.method, metric), found.conditions_.test_to_train
            width = t.ppf(0.975, 2) * np.sqrt((1 / 3 + ratio) * np.var(scores, ddof=1))
            low, high = np.clip(scores.mean() + np.array([-width, width]), 0.0, 1.0)
            beyond += scores.mean() + width > 1.0
            assert (one.lows[metric], one.highs[metric]) == pytest.approx((low, high))
            assert (measures[metric].low, measures[metric].high) == pytest.approx((low, high))
    assert beyond


def test_samples_may_lack_a_modality(study) -> None:
    X, y = study
    left, right = X[:, :3].copy(), X[:, 3:].copy()
    left[::7], right[1::7] = np.nan, np.nan
    data = Modalities(left=left, right=right)
    found = compare_fusion(data, y, methods=["late_mean", "l1_mkl", "linear"], cv=3, fast=True)
    for method in ("late fusion, mean", "L1 MKL", "penalised linear (joined)"):
        assert found.scores(method).mean() > 0.6


def test_methods_of_scikit_survival_are_tuned(study) -> None:
    X, y = study
    lasso = make_pipeline(StandardScaler(), CoxnetSurvivalAnalysis(fit_baseline_model=True))
    method = Method("lasso", lasso, candidates={"coxnetsurvivalanalysis__alphas": [[0.5], [0.05]]})
    found = compare_fusion(
        X, y, MODALITIES, methods=["uniform", method], cv=3, fast=True, scoring=FIGURES[1]
    )
    assert {
        one.params["coxnetsurvivalanalysis__alphas"][0]
        for one in found.results_
        if one.method == "lasso"
    } == {0.05}
    assert found.scores("lasso").mean() > 0.65
    assert np.isfinite(found.losses("lasso")).all()


@pytest.mark.slow
def test_memory_changes_nothing(study, tmp_path) -> None:
    X, y = study
    given: dict[str, Any] = {"methods": ["uniform"], "cv": 3, "fast": True}
    first = compare_fusion(X, y, MODALITIES, memory=tmp_path, **given)
    again = compare_fusion(X, y, MODALITIES, memory=tmp_path, **given)
    for method in ("uniform kernel sum", "left alone"):
        np.testing.assert_array_equal(first.scores(method), again.scores(method))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "classification"}, "structured array of times of events"),
        ({"scoring": "accuracy"}, r"scoring has \['accuracy'\], and y are times of events"),
        ({"scoring": []}, "scoring is empty"),
        ({"scoring": [lambda *_: 0, lambda *_: 1]}, "two metrics called '<lambda>'"),
        ({"cv": [(np.arange(75), np.arange(75, 150))] * 2}, "trains on censored samples only"),
        ({"methods": [Method("classes", LogisticRegression())]}, "LogisticRegression is not for"),
        ({"methods": ["products"]}, "does not learn survival"),
    ],
)
def test_what_is_not_for_survival_is_refused(study, change, message) -> None:
    X, y = study
    if "cv" in change:
        y = y.copy()
        y["event"][:75] = False
    with pytest.raises(ValueError, match=message):
        compare_fusion(X, y, MODALITIES, **{"fast": True, **change})


def test_other_targets_are_refused(study) -> None:
    X, y = study
    none = y.copy()
    none["event"] = False
    with pytest.raises(ValueError, match="False for all 150 samples"):
        compare_fusion(X, none, MODALITIES)
    late = y.copy()
    late["event"] = y["time"] == y["time"].max()
    with pytest.raises(ValueError, match=r"0 different time\(s\) of events before"):
        compare_fusion(X, late, MODALITIES)
    with pytest.raises(ValueError, match="task is 'survival' and y has no fields"):
        compare_fusion(X, X[:, 0], MODALITIES, task="survival")


def test_all_censored_in_a_test_fold(study) -> None:
    """There is nothing to score, which is said."""
    X, y = study
    y = y.copy()
    y["event"][100:] = False
    folds = [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))]
    with (
        pytest.warns(UserWarning, match="is listed as not applicable"),
        pytest.raises(ValueError, match="no modality can be learned from"),
    ):
        compare_fusion(X, y, MODALITIES, methods=["uniform"], cv=folds, fast=True)


class Answers(BaseEstimator):
    """Says of survival what it is told to say."""

    def __init__(self, risk: Any, alive: Any) -> None:
        self.risk = risk
        self.alive = alive

    def fit(self, X: Any, y: Any) -> Answers:
        return self

    def predict(self, X: Any) -> Any:
        return self.risk(len(X))

    def predict_survival_function(self, X: Any) -> Any:
        return self.alive(len(X))


def constant_steps(value: float) -> Any:
    return lambda n: [StepFunction(np.array([0.1, 1.0]), np.full(2, value))] * n


def test_what_is_no_prediction_is_not_scored(study) -> None:
    """A risk that is no number was last in every pair, which a score of 0 hid."""
    X, y = study
    even = constant_steps(0.5)
    odd = [
        (lambda n: np.full(n, np.nan), even, "predicts the risk nan"),
        (lambda n: np.full(n, np.inf), even, "predicts the risk inf"),
        (lambda n: np.zeros(3), even, "risks of shape (3,)"),
        (lambda n: np.zeros((n, 1)), even, ", 1) of "),
        (np.zeros, constant_steps(np.nan), "survive with probability nan"),
        (np.zeros, constant_steps(2.0), "survive with probability 2.0"),
        (np.zeros, lambda n: even(3), "3 survival functions of 75 samples"),
        (np.zeros, lambda n: np.zeros((n, 5)), "no step functions of survival"),
    ]
    methods = [Method(f"odd{k}", Answers(*one[:2])) for k, one in enumerate(odd)]
    with pytest.warns(UserWarning, match="is listed as not applicable"):
        found = compare_fusion(X, y, MODALITIES, methods=["uniform", *methods], cv=2, fast=True)
    for k, (*_, message) in enumerate(odd):
        assert message in found.not_applicable_[f"odd{k}"]
    assert not np.isnan(found.scores("uniform kernel sum")).any()


def test_a_pipeline_of_one_step_or_within_another_is_the_model_itself(study) -> None:
    X, y = study
    cox = CoxPHSurvivalAnalysis(alpha=1.0)
    methods = ["uniform", Method("bare", cox), Method("step", make_pipeline(cox))]
    methods.append(Method("nested", make_pipeline(make_pipeline(cox))))
    found = compare_fusion(X, y, MODALITIES, methods=methods, cv=2, fast=True)
    for metric in FIGURES:
        wanted = found.scores("bare", metric)
        assert found.scores("step", metric).tolist() == wanted.tolist()
        assert found.scores("nested", metric).tolist() == wanted.tolist()


def test_without_censoring(study) -> None:
    X, y = study
    y = y.copy()
    y["event"] = True
    found = compare_fusion(X, y, MODALITIES, methods=["uniform"], cv=3, fast=True)
    assert found.scores("uniform kernel sum").mean() > 0.65
