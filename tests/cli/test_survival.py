"""Times of events on the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mkfusion import Modalities
from mkfusion.cli._model import load_model


@pytest.fixture
def patients(tmp_path, monkeypatch) -> pd.DataFrame:
    """120 patients in two files; either says half of what there is to know."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    time = rng.exponential(20.0 * np.exp(-1.5 * X[:, 0] - 1.5 * X[:, 2]))
    censored = rng.exponential(60.0, size=120)
    table = pd.DataFrame(X, columns=["age", "size", "g1", "g2"]).round(4)
    table.insert(0, "patient", [f"p{i:03}" for i in range(120)])
    table["months"] = np.minimum(time, censored).round(2)
    table["status"] = np.where(time <= censored, "dead", "alive")
    table["died"] = (time <= censored).astype(int)
    table.drop(columns=["g1", "g2"]).to_csv("clinical.csv", index=False)
    table[["patient", "g1", "g2"]].iloc[::-1].to_csv("genes.csv", index=False)
    return table


FILES = ["clinical.csv", "genes.csv", "--id", "patient", "--time", "months"]
DIED = ["--event", "died", "--exclude", "status"]


def test_fit_and_predict(patients, run) -> None:
    code, out, err = run("fit", *FILES, *DIED, "-o", "m.skops", "--C", "0.5", "--p", "2")
    assert code == 0, err
    events = patients["died"].sum()
    assert f"MKLSurvivalAnalysis of 'months' ({events} events) on 120 samples" in out
    code, out, err = run("predict", "m.skops", "clinical.csv", "genes.csv", "-o", "p.csv")
    assert code == 0, err
    assert "logarithm of the relative hazard" in err
    told = pd.read_csv("p.csv")
    assert told["patient"].tolist() == patients["patient"].tolist()
    model = load_model("m.skops").pipeline
    data = {"clinical": patients[["age", "size"]], "genes": patients[["g1", "g2"]]}
    risk = model.predict(Modalities(data))
    np.testing.assert_allclose(told["risk"], risk)
    assert np.corrcoef(risk, patients["age"] + patients["g1"])[0, 1] > 0.8
    chances = told.filter(like="survival_")
    times = [float(name.removeprefix("survival_")) for name in chances]
    kernels = model[:-1].transform(Modalities(data))
    wanted = model[-1].predict_survival_function(kernels, times)
    np.testing.assert_allclose(chances, wanted, rtol=1e-6)
    assert set(times) <= set(patients["months"][patients["died"] == 1])


def test_times_that_differ_late_have_columns_of_their_own(patients, run) -> None:
    """Seconds since 2001, say: six digits of them are the same for all."""
    patients["months"] = 1e9 + np.arange(120.0)
    patients.to_csv("one.csv", index=False)
    given = ["--id", "patient", "--time", "months", "--event", "died", "--exclude", "status"]
    parts = ["--modality", "age=age", "--modality", "size=size"]
    assert run("fit", "one.csv", *given, *parts, "-o", "m.skops", "--C", "1")[0] == 0
    assert run("predict", "m.skops", "one.csv", "-o", "p.csv")[0] == 0
    told = pd.read_csv("p.csv").filter(like="survival_")
    events = np.sort(patients["months"][patients["died"] == 1])
    places = np.rint(np.array([0.25, 0.5, 0.75]) * (len(events) - 1)).astype(int)
    assert list(told) == [f"survival_{time:.0f}" for time in events[places]]
    assert (told.to_numpy()[:, 0] > told.to_numpy()[:, 2]).all()


def test_fit_chooses_a_price_and_a_value_may_mean_an_event(patients, run) -> None:
    code, out, err = run(
        *("fit", *FILES, "--event", "status=dead", "--exclude", "died", "--cv", "3"),
        *("--metric", "concordance_index_ipcw", "-o", "m.skops"),
    )
    assert code == 0, err
    assert "the best of 7 from 0.01 to 10 in 3-fold cross-validation" in out
    assert "Knowing only how many survive each time scores 0.500" in out


def test_compare(patients, run) -> None:
    code, out, err = run(
        *("compare", *FILES, *DIED, "--fast", "--cv", "3", "--methods", "uniform"),
        *("-o", "r.html", "--json", "r.json", "--predictions", "p.csv", "--subgroups", "age"),
    )
    assert code == 0, err
    assert "no modality (Kaplan-Meier)" in out
    with open("r.json") as file:
        told = json.load(file)
    assert told["settings"]["metrics"][0] == "concordance_index_censored"
    fused = next(one for one in told["summary"] if one["method"] == "uniform kernel sum")
    assert fused["means"]["concordance_index_censored"] > 0.8
    assert {"event", "time", "risk"} <= set(pd.read_csv("p.csv"))
    quarters = told["subgroups"]["best fusion method"]
    assert [one["n_samples"] for one in quarters] == [30] * 4
    assert sum(one["n_events"] for one in quarters) == patients["died"].sum()
    assert all(one["measures"]["concordance_index_ipcw"]["value"] > 0.5 for one in quarters)


def test_audit(patients, run) -> None:
    """The status, which is left in, tells the event."""
    code, out, err = run("audit", *FILES, "--event", "died")
    assert code == 0, err
    assert "status" in out and "serious" in out
    assert "uneven" not in out
    patients.assign(days=30 * patients["months"]).to_csv("clinical.csv", index=False)
    code, out, err = run("audit", *FILES, *DIED)
    assert code == 0, err
    assert "'days'" in out and "serious" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected --target, or --time and --event; got --time"),
        (["--event", "died", "--target", "age"], "got --target and --time and --event"),
        (["--event", "died", "--task", "regression"], "--task regression is of --target"),
        (["--event", "status"], "--event 'status' holds 'alive'; expected 1 (an event)"),
        (["--event", "status=gone"], "no cell holds 'gone'; there are 'alive', 'dead'"),
        (["--event", "status=Dead"], "no cell holds 'Dead'; did you mean 'dead'?"),
        (["--event", "nothing"], "nothing"),
        (["--event", "months"], "column 'months' is --time and --event: choose one"),
        (["--event", "patient"], "column 'patient' is --id and --event: choose one"),
        (["--event", "died", "--metric", "r2"], "--metric 'r2' is no metric of times of events"),
        (["--event", "died", "--cv", "60"], "expected at least 120"),
    ],
)
def test_mistakes(patients, run, options, message) -> None:
    code, _, err = run("compare", *FILES, *options)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1 or "note:" in err


def test_mistakes_of_fit(patients, run) -> None:
    for option in (["--probabilities"], ["--class-weight", "balanced"]):
        code, _, err = run("fit", *FILES, *DIED, *option, "-o", "m.skops")
        assert code == 2
        assert "--time is no class" in err


def test_negative_times_and_no_events(patients, run) -> None:
    patients.assign(months=-1.0).to_csv("clinical.csv", index=False)
    code, _, err = run("compare", "clinical.csv", *FILES[1:], *DIED)
    assert code == 2
    assert "--time 'months' is -1 in row 1 (counted from 1 below the header)" in err
    patients.assign(died=0).to_csv("clinical.csv", index=False)
    code, _, err = run("compare", "clinical.csv", *FILES[1:], *DIED)
    assert code == 2
    assert "--event 'died' is False for all 120 samples" in err
