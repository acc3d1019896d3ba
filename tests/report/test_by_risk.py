"""Survival by thirds of predicted risk: what is drawn, written and kept is the same, and right."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from mkfusion import compare_fusion
from mkfusion._survival import kaplan_meier_interval
from mkfusion.report._by_risk import RiskGroup, _ticks, risk_groups, risk_thirds


def times_and_events(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Some are tied."""
    rng = np.random.default_rng(seed)
    return np.ceil(rng.exponential(20.0, size=n)), rng.random(n) < 0.6


@pytest.fixture(scope="module")
def found() -> Any:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    time = rng.exponential(30 * np.exp(-X[:, 0] - X[:, 2]))
    censored = rng.exponential(60.0, size=120)
    y = Surv.from_arrays(time <= censored, np.ceil(np.minimum(time, censored)))
    halves = [("<left>", [0, 1]), ("right", [2, 3])]
    return compare_fusion(X, y, halves, methods=["uniform"], cv=3, fast=True)


def test_intervals_are_those_of_scikit_survival() -> None:
    time, event = times_and_events()
    for level in (0.95, 0.8):
        times, survival, interval = kaplan_meier_estimator(
            event, time, conf_type="log-log", conf_level=level
        )
        low, high = kaplan_meier_interval(time, event, level)
        known = (survival > 0) & (survival < 1)
        assert known.sum() > 30 and times.size == low.size
        np.testing.assert_allclose(low[known], interval[0][known], rtol=1e-9)
        np.testing.assert_allclose(high[known], interval[1][known], rtol=1e-9)
        assert np.isnan(low[~known]).all() and np.isnan(high[~known]).all()


def test_a_group_says_who_is_followed_how_long() -> None:
    time, event = np.array([1.0, 2.0, 2.0, 4.0, 5.0]), np.array([1, 1, 0, 0, 0], dtype=bool)
    one = RiskGroup.of("lowest", time, event, 0.95)
    assert (one.n_samples, one.n_events) == (5, 2)
    assert [one.at(t)[3] for t in (0.0, 1.0, 1.5, 2.0, 3.0, 5.0, 6.0)] == [5, 5, 4, 4, 2, 1, 0]
    assert [one.at(t)[0] for t in (0.0, 1.0, 2.0, 5.0)] == pytest.approx([1.0, 0.8, 0.6, 0.6])
    assert np.isnan(one.at(6.0)[0])  # the last was only seen up to 5
    dead = RiskGroup.of("highest", time[:2], event[:2], 0.95)
    assert dead.at(6.0)[0] == 0.0  # of whom none is left


def test_thirds_go_by_ranks_within_folds() -> None:
    """Risks of one fold are a hundred times larger, and each sample is predicted twice."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.permutation(60), rng.permutation(60)])
    folds = np.repeat([1, 2, 3, 4], 30)
    risk = rng.normal(size=120) * np.where(folds == 1, 100.0, 1.0) + 5 * folds
    table = pd.DataFrame({"row": rows, "fold": folds, "risk": risk})
    table["rank"] = table.groupby("fold")["risk"].rank()
    mean = table.groupby("row")["rank"].mean()
    samples, thirds = risk_thirds(rows, folds, risk)
    np.testing.assert_array_equal(samples, np.arange(60))
    np.testing.assert_array_equal(thirds, pd.qcut(mean, 3, labels=False))
    once = risk_thirds(rows[:60], folds[:60], risk[:60])[1]
    assert np.bincount(once).tolist() == [20, 20, 20]


def test_tied_risks_make_no_thirds() -> None:
    rows, folds = np.arange(30), np.repeat([1, 2, 3], 10)
    assert len(np.unique(risk_thirds(rows, folds, np.zeros(30))[1])) == 1


def test_there_are_few_round_ticks() -> None:
    for end in np.geomspace(0.01, 1e5, 200):
        ticks = _ticks(end)
        assert 3 <= len(ticks) <= 6 and ticks[0] == 0.0 and ticks[-1] <= end * 1.001


def test_figures_of_a_comparison_by_hand(found) -> None:
    groups = risk_groups(found)
    assert risk_groups(found) is groups  # made once for all that shows them
    assert list(groups) == ["best fusion method", "best single modality"]
    told = found.predictions_.of("best fusion method")
    rank = pd.Series(told.prediction).groupby(told.fold).rank()
    y = found.conditions_.y[told.row]
    for k, one in enumerate(groups["best fusion method"]):
        there = (rank > 40 / 3 * k) & (rank <= 40 / 3 * (k + 1))  # 40 in each fold
        assert abs(one.n_samples - there.sum()) <= 3  # the cut of all is not that of a fold
        assert one.n_samples == pytest.approx(40, abs=3)
    assert sum(one.n_events for one in groups["best fusion method"]) == y["event"].sum()
    at = _ticks(found.conditions_.times[-1])[2]
    low, _, high = (one.at(at)[0] for one in groups["best fusion method"])
    assert low > high + 0.2  # the target is made of both


def test_words_tables_json_and_pictures_say_the_same(found, tmp_path) -> None:
    groups = risk_groups(found)
    ticks = _ticks(found.conditions_.times[-1])
    told = json.loads(found.to_json(tmp_path / "report.json").read_text())
    kept = told["survival_by_risk"]["best fusion method"]
    for one, group in zip(kept, groups["best fusion method"], strict=True):
        assert one["third"] == group.third and one["n_events"] == group.n_events
        np.testing.assert_allclose(one["survival"], group.survival)
        np.testing.assert_array_equal(one["at_risk"], group.at_risk)
    (sentence,) = [one for one in told["sentences"] if "third" in one]
    text = found.to_markdown()
    html = found.to_html(tmp_path / "report.html").read_text()
    pictures = [
        one for one in re.findall("<svg.*?</svg>", html, flags=re.DOTALL) if "risk" in one[:99]
    ]
    assert len(pictures) == 2
    for picture, (method, thirds) in zip(pictures, groups.items(), strict=True):
        assert f"{method}: thirds of predicted risk</text>" in picture
        for one in thirds:
            assert f"{one.third}: {one.n_events} events of {one.n_samples}</text>" in picture
            numbers = [str(one.at(tick)[3]) for tick in ticks]
            rows = re.findall(r'<text class="tick"[^>]*>(\d+)</text>', picture)
            assert any(rows[i : i + len(ticks)] == numbers for i in range(len(rows)))
            row = next(line for line in text.splitlines() if f"{method}, {one.third}" in line)
            assert row.split("|")[2:4] == [f" {one.n_samples} ", f" {one.n_events} "]
            assert f"{one.at(ticks[1])[0]:.3f} (" in row
            points = re.search(rf'<polyline class="line {one.third}" points="([^"]*)"', picture)[1]
            y = np.array([float(point.split(",")[1]) for point in points.split()])
            assert (np.diff(y) >= 0).all()
            last = one.survival[
                np.searchsorted(one.times, found.conditions_.times[-1], "right") - 1
            ]
            assert (y[-1] - y[0]) / 200 == pytest.approx(1 - last, abs=1e-3)
    shares = re.findall(r"(\d+)% of", sentence)
    (at,) = (float(one) for one in re.findall(r"up to ([\d.]+)", sentence))
    for share, group in zip(shares, np.take(np.arange(3), [0, 2]), strict=True):
        alive = groups["best fusion method"][group].at(at)[0]
        assert float(share) == pytest.approx(100 * alive, abs=0.51)


def test_other_targets_have_none() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    halves = [("left", [0, 1]), ("right", [2, 3])]
    numbers = compare_fusion(X, X[:, 0], halves, methods=["uniform"], cv=3, fast=True)
    assert risk_groups(numbers) == {}
    assert "by predicted risk" not in numbers.to_markdown()
