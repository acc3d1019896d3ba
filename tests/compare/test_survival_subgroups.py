"""How good survival is predicted for subgroups, against scikit-survival on their samples."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from sklearn.model_selection import RepeatedKFold
from sksurv.metrics import (
    concordance_index_censored,
    concordance_index_ipcw,
    integrated_brier_score,
)
from sksurv.util import Surv

from mkfusion import compare_fusion
from mkfusion._survival import pair_sums
from mkfusion.compare._survival import FollowUp
from mkfusion.inspection import Sampling, concordance_estimate

HARRELL, UNO = "concordance_index_censored", "concordance_index_ipcw"
IBS = "integrated_brier_score"
METHOD = "uniform kernel sum"


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """120 samples of three sites, one of them so small that four had an event."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 4))
    time = rng.exponential(np.exp(-X[:, 0] - X[:, 2]))
    censored = rng.exponential(2.0, size=120)
    y = Surv.from_arrays(time <= censored, np.round(np.minimum(time, censored), 2) + 0.01)
    site = np.array(["north", "south"], dtype=object)[rng.integers(0, 2, 120)]
    few = np.append(np.flatnonzero(y["event"])[:4], np.flatnonzero(~y["event"])[:3])
    site[few] = "west"
    return X, y, site


@pytest.fixture(scope="module")
def found(study) -> Any:
    """Each sample of "first" is in the first fold, and scored by one model only."""
    X, y, site = study
    folds = [(np.r_[60:120], np.r_[0:60]), (np.r_[0:60], np.r_[60:120])]
    first = np.where((np.arange(120) < 60) & (X[:, 1] > 0), "first", "others")
    return compare_fusion(
        X,
        y,
        [("left", [0, 1]), ("right", [2, 3])],
        methods=["uniform"],
        cv=folds,
        fast=True,
        subgroups={"site": site, "fold": first},
    )


def told_of(found: Any, among: np.ndarray, fold: int) -> tuple[Any, np.ndarray]:
    """Return the kept predictions of a subgroup in a fold, and its samples."""
    told = found.predictions_.of(METHOD)
    there = (told.fold == fold + 1) & among[told.row]
    return there, told.row[there]


def test_of_one_fold_all_is_scikit_survivals(study, found) -> None:
    X, y, _ = study
    follow_up, told = FollowUp.of(y), found.predictions_.of(METHOD)
    part = next(one for one in found.subgroups(METHOD) if one.label == "first")
    there, rows = told_of(found, (np.arange(120) < 60) & (X[:, 1] > 0), 0)
    assert part.n_samples == len(rows) and part.n_events == y["event"][rows].sum()
    known, risk = y[found.conditions_.folds[0][0]], told.prediction[there]
    seen = y[rows].copy()
    harrell = concordance_index_censored(seen["event"], seen["time"], risk)[0]
    # What is known beyond the horizon plays no part in the others, and may not be longer than
    # all training samples are followed.
    beyond = seen["time"] >= follow_up.horizon
    seen["event"][beyond], seen["time"][beyond] = False, follow_up.horizon
    wanted = {
        HARRELL: harrell,
        UNO: concordance_index_ipcw(known, seen, risk, tau=follow_up.horizon)[0],
        IBS: integrated_brier_score(known, seen, told.probabilities[there], follow_up.times),
    }
    assert part.refused == "" and list(part.measures) == list(wanted)
    for name, value in wanted.items():
        measure = part.measures[name]
        assert measure.value == pytest.approx(value, rel=1e-10)
        assert measure.low < measure.value < measure.high
    nothing = next(one for one in found.subgroups("no modality (Kaplan-Meier)"))
    assert nothing.measures[HARRELL].value == 0.5
    assert nothing.measures[IBS].value == pytest.approx(nothing.measures[IBS].nothing)


def test_over_folds_pairs_and_samples_count_alike(study, found) -> None:
    """Pairs of samples that two models were asked of cannot be compared."""
    _, y, site = study
    told, follow_up = found.predictions_.of(METHOD), FollowUp.of(y)
    part = next(one for one in found.subgroups(METHOD) if one.label == "north")
    in_order = total = loss = n = 0.0
    for fold, (train, _) in enumerate(found.conditions_.folds):
        there, rows = told_of(found, site == "north", fold)
        seen = y[rows].copy()
        _, right, wrong, tied, _ = concordance_index_censored(
            seen["event"], seen["time"], told.prediction[there]
        )
        in_order, total = in_order + right + 0.5 * tied, total + right + wrong + tied
        beyond = seen["time"] >= follow_up.horizon
        seen["event"][beyond], seen["time"][beyond] = False, follow_up.horizon
        chances = told.probabilities[there]
        loss += len(rows) * integrated_brier_score(y[train], seen, chances, follow_up.times)
        n += len(rows)
    assert part.measures[HARRELL].value == pytest.approx(in_order / total, rel=1e-12)
    assert part.measures[IBS].value == pytest.approx(loss / n, rel=1e-10)


def test_repetitions_change_no_sample_but_all_folds(study) -> None:
    """A subgroup of all has, of every repetition, the pairs within the folds."""
    X, y, _ = study
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    everyone = np.full(120, "all")
    found = compare_fusion(
        *(X, y, [("left", [0, 1]), ("right", [2, 3])]),
        **{"methods": ["uniform"], "cv": cv, "fast": True, "subgroups": everyone},
    )
    [part] = found.subgroups(METHOD)
    assert (part.grouping, part.label, part.n_samples) == ("subgroup", "all", 120)
    told, sums = found.predictions_.of(METHOD), np.zeros(2)
    for fold in range(6):
        there = told.fold == fold + 1
        seen = y[told.row[there]]
        _, right, wrong, tied, _ = concordance_index_censored(
            seen["event"], seen["time"], told.prediction[there]
        )
        sums += right + 0.5 * tied, right + wrong + tied
    assert part.measures[HARRELL].value == pytest.approx(sums[0] / sums[1], rel=1e-12)
    # As many samples in each fold: the mean of all is that of the folds.
    whole = found.performance(METHOD).measures[IBS]
    assert part.measures[IBS].value == pytest.approx(whole.value, rel=1e-10)
    assert part.measures[IBS].nothing == pytest.approx(whole.nothing, rel=1e-10)


def test_too_few_events_are_refused_by_name_everywhere(found, tmp_path) -> None:
    parts = {one.label: one for one in found.subgroups()}
    west = parts["west"]
    assert (west.n_samples, west.n_events, west.measures) == (7, 4, {})
    assert west.refused == "4 events; expected at least 5"
    assert parts["north"].refused == parts["south"].refused == ""
    rows = found.to_frame("subgroups").query("method == @METHOD and subgroup == 'west'")
    assert rows.measure.tolist() == [HARRELL, UNO, IBS]
    assert rows.value.isna().all() and set(rows.refused) == {west.refused}
    markdown = found.to_markdown()
    assert "Not told of west (4 events; expected at least 5)." in markdown
    row = next(one for one in markdown.splitlines() if one.startswith("| west | 7 | 4 |"))
    assert row.count("–") == 5
    row = next(one for one in markdown.splitlines() if one.startswith("| north"))
    assert f"{parts['north'].measures[UNO].value:.3f} (" in row
    html = found.to_html(tmp_path / "report.html").read_text()
    assert "By site" in html and "Not told of west" in html
    told = json.loads(found.to_json(tmp_path / "report.json").read_text())
    kept = {one["label"]: one for one in told["subgroups"]["best fusion method"]}
    assert kept["west"]["refused"] == west.refused
    assert kept["north"]["measures"][HARRELL]["low"] == parts["north"].measures[HARRELL].low
    assert told["settings"]["groupings"]["site"] == ["north", "south", "west"]


def test_a_subgroup_without_two_samples_in_a_fold(study) -> None:
    """All but concordance can be told of it."""
    X, y, _ = study
    events = np.flatnonzero(y["event"])[:6]
    rest = np.setdiff1d(np.arange(120), events)
    tests = [np.append(one, part) for one, part in zip(events, np.split(rest, 6), strict=True)]
    folds = [(np.setdiff1d(np.arange(120), test), test) for test in tests]
    found = compare_fusion(
        *(X, y, [("left", [0, 1]), ("right", [2, 3])]),
        methods=["uniform"],
        cv=folds,
        fast=True,
        subgroups={"alone": np.isin(np.arange(120), events)},
    )
    alone = next(one for one in found.subgroups() if one.label == "True")
    assert alone.refused == "no two samples of one test fold can be compared"
    assert list(alone.measures) == [IBS]


def test_the_interval_is_by_its_definition() -> None:
    """Derivatives by brute force: how much the share changes with the weight of a sample."""
    rng = np.random.default_rng(0)
    x, time = rng.normal(size=25), np.round(rng.exponential(size=25), 1)
    event = rng.random(25) < 0.6
    risk = np.round(x - time, 1)

    def share(weights: np.ndarray) -> float:
        sums = np.zeros(2)
        for i in np.flatnonzero(event):
            for j in range(25):
                if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                    right = 0.5 if risk[j] == risk[i] else float(risk[j] < risk[i])
                    sums += weights[i] * weights[j] * np.array([right, 1.0])
        return sums[0] / sums[1]

    ones, step = np.ones(25), 1e-5
    slopes = np.array(
        [(share(ones + step * e) - share(ones - step * e)) / (2 * step) for e in np.eye(25)]
    )
    sums = pair_sums(time, event, risk)
    sampling = Sampling(np.arange(25), None, 1.5, 0.9)
    found = concordance_estimate(sampling, *sums, event)
    value, k = share(ones), np.count_nonzero(event & (sums[1] > 0))
    assert found.value == pytest.approx(value, rel=1e-12)
    variance = 1.5 * 25 / 24 * k / (k - 1) * (slopes**2).sum()
    # Wilson's bounds are where the share is as far off as its own standard error allows.
    size, z = value * (1 - value) / variance, t.ppf(0.95, k - 1)
    for bound in (found.low, found.high):
        assert abs(value - bound) == pytest.approx(z * np.sqrt(bound * (1 - bound) / size))
    assert found.low < value < found.high
    # Whoever is there twice, as one group, is no two people.
    twice = pair_sums(np.tile(time, 2), np.tile(event, 2), np.tile(risk, 2))
    people = Sampling(np.arange(50), np.tile(np.arange(25), 2), 1.5, 0.9)
    again = concordance_estimate(people, *twice, np.tile(event, 2))
    np.testing.assert_allclose(again, found, rtol=1e-9)
