"""What is made of the kept predictions: performance, subgroups, weights, and the files."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, r2_score
from sklearn.model_selection import RepeatedStratifiedKFold

from mkfusion import (
    DegenerateKernelWarning,
    Method,
    MKLClassifier,
    Modalities,
    compare_fusion,
)
from mkfusion.compare._subgroups import missing_patterns, read_subgroups
from mkfusion.inspection import classification_performance
from mkfusion.report import BEST_FUSION, BEST_SINGLE, tables

MODALITIES = [("one", ["a", "b"]), ("two", ["c", "d"])]


def table(n=60):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(n) % 2)
    X = pd.DataFrame(rng.normal(size=(n, 4)) + y[:, None], columns=list("abcd"))
    X.loc[::6, ["c", "d"]] = np.nan
    return X, np.array(["no", "yes"])[y]


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.fixture(scope="module")
def found(data):
    X, y = data
    site = np.array(["north", "south", "east"])[np.arange(60) % 3]
    return compare_fusion(
        X,
        y,
        MODALITIES,
        cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
        methods=["uniform", "l1_mkl"],
        fast=True,
        subgroups={"site": site, "a": "a"},
    )


def test_performance_is_of_the_kept_predictions(data, found):
    _, y = data
    for method in (BEST_FUSION, BEST_SINGLE, "L1 MKL", "no modality (majority class)"):
        told, good = found.predictions_.of(method), found.performance(method)
        right = accuracy_score(told.y, told.prediction)
        assert good.measures["accuracy"].value == pytest.approx(right)
        chance = told.probabilities[:, 1]
        brier = brier_score_loss(told.y == "yes", chance)
        assert good.measures["brier"].value == pytest.approx(brier)
        counts = confusion_matrix(told.y, told.prediction) / 2
        np.testing.assert_allclose(good.confusion, counts)
        assert good.n_samples == 60
    nothing = found.performance("no modality (majority class)").measures["accuracy"]
    assert nothing.value == nothing.nothing == 0.5
    # Each is trained on 40 of the 60.
    narrow = found.performance().measures["accuracy"]
    assert narrow.low < narrow.value < narrow.high
    assert found._performances[BEST_FUSION] is found.performance()
    with pytest.raises(ValueError, match="method is 'magic'"):
        found.performance("magic")


def test_subgroups_are_scored_on_their_own_samples(data, found):
    X, _ = data
    parts = {(one.grouping, one.label): one for one in found.subgroups()}
    assert [key for key in parts if key[0] == "site"] == [
        ("site", "east"),
        ("site", "north"),
        ("site", "south"),
    ]
    assert parts["missing modalities", "all there"].n_samples == 50
    assert parts["missing modalities", "without two"].n_samples == 10
    assert sum(one.n_samples for key, one in parts.items() if key[0] == "a") == 60
    told = found.predictions_.of(BEST_FUSION)
    for key, among in [
        (("site", "north"), told.row % 3 == 0),
        (("missing modalities", "without two"), told.row % 6 == 0),
    ]:
        wanted = accuracy_score(told.y[among], told.prediction[among])
        assert parts[key].measures["accuracy"].value == pytest.approx(wanted)
    quarters = [one for key, one in parts.items() if key[0] == "a"]
    cut = np.quantile(X["a"], 0.25)
    assert quarters[0].label == f"up to {cut:.4g}"
    assert quarters[0].n_samples == (X["a"] <= cut).sum()
    frame = found.to_frame("subgroups")
    row = frame.query(
        "method == @BEST_FUSION and subgroup == 'north' and measure == 'accuracy'",
        local_dict={"BEST_FUSION": BEST_FUSION},
    )
    assert row.value.item() == parts["site", "north"].measures["accuracy"].value


def test_weights_are_shares_of_those_that_learn_them(found):
    assert [one.method for one in found.weights_] == ["L1 MKL"]
    shares = found.weights_[0].by_fold
    assert shares.shape == (6, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    frame = found.to_frame("weights")
    assert list(frame.modality[:2]) == ["one", "two"] and len(frame) == 12
    np.testing.assert_array_equal(frame.weight, shares.ravel())


def test_weights_of_each_class_are_shown(tmp_path):
    """One modality tells the first class, the other one the second: a mean of both hides it."""
    rng = np.random.default_rng(0)
    y = np.arange(45) % 3
    X = rng.normal(size=(45, 2)) + 6.0 * np.column_stack([y == 0, y == 1])
    labels = np.array(["a", "b", "c"])[y]
    own = Method("own", MKLClassifier(per_class_weights=True), sees="kernels")
    found = compare_fusion(
        X, labels, [("one", [0]), ("two", [1])], cv=3, methods=[own, "l1_mkl"], fast=True
    )
    weights = {one.method: one for one in found.weights_}
    assert weights["L1 MKL"].by_class is None
    by_class = weights["own"].by_class
    assert by_class.shape == (3, 3, 2)
    np.testing.assert_allclose(by_class.sum(axis=2), 1)
    assert by_class[:, 0, 0].min() > 0.8 and by_class[:, 1, 1].min() > 0.8
    np.testing.assert_allclose(weights["own"].by_fold, by_class.mean(axis=1))
    frame = found.to_frame("weights").set_index("method")
    mine = frame.loc["own"]
    np.testing.assert_array_equal(mine.weight, by_class.ravel())
    assert mine["class"].tolist() == list("aabbcc") * 3
    assert mine.modality.tolist() == ["one", "two"] * 9
    assert frame.loc["L1 MKL", "class"].isna().all() and len(frame) == 18 + 6
    read = json.loads(found.to_json(tmp_path / "f.json").read_text(encoding="utf-8"))
    np.testing.assert_array_equal(
        next(one["by_class"] for one in read["weights"] if one["method"] == "own"), by_class
    )
    table = next(one for one in tables(found) if one.title == "Kernel weights of each class")
    assert table.header == ["modality", "class", "own"]
    assert [row[:2] for row in table.rows] == [[m, c] for m in ("one", "two") for c in "abc"]
    assert table.rows[0][2].startswith(f"{by_class[:, 0, 0].mean():.3f} (")


def test_weights_of_a_class_are_of_folds_that_train_on_it(tmp_path):
    """The first fold trains without the last class; rows of other numbers were no array."""
    rng = np.random.default_rng(0)
    y = np.repeat(list("abcd"), 12)
    X = rng.normal(size=(48, 2)) + 3.0 * np.column_stack([y == "a", y == "b"])
    rows = np.arange(48)
    folds = [(rows[rows % 2 == 1], rows[::2]), (rows[::2], rows[rows % 2 == 1])]
    folds[0] = folds[0][0][y[folds[0][0]] != "d"], folds[0][1]
    own = Method("own", MKLClassifier(per_class_weights=True), sees="kernels")
    found = compare_fusion(X, y, [("one", [0]), ("two", [1])], cv=folds, methods=[own], fast=True)
    (weights,) = found.weights_
    assert weights.by_class.shape == (2, 4, 2)
    assert np.argwhere(np.isnan(weights.by_class)).tolist() == [[0, 3, 0], [0, 3, 1]]
    np.testing.assert_allclose(weights.by_fold, np.nanmean(weights.by_class, axis=1))
    assert found.to_frame("weights")["class"].tolist() == list("aabbcc") + list("aabbccdd")
    shown = next(one for one in tables(found) if one.title == "Kernel weights of each class")
    only = f"{weights.by_class[1, 3, 0]:.3f}"
    assert shown.rows[3] == ["one", "d", f"{only} ({only} to {only})"]
    assert "nan" not in found.to_html(tmp_path / "f.html").read_text(encoding="utf-8").lower()


def test_tables_of_frames(found):
    frame = found.to_frame("performance").set_index(["method", "measure"])
    best = found.performance().measures["roc_auc"]
    np.testing.assert_array_equal(frame.loc[(BEST_FUSION, "roc_auc")], list(best))
    counts = found.to_frame("confusion").groupby("method").samples.sum()
    np.testing.assert_allclose(counts, 60)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_predictions_are_read_back_equal(found, tmp_path, ending):
    path = found.to_predictions(tmp_path / f"p{ending}")
    # Older parsers of pandas are quick and inexact.
    exact = {f"probability of {label}": float for label in ("no", "yes")}
    read = pd.read_csv(path, converters=exact) if ending == ".csv" else pd.read_parquet(path)
    wanted = found.to_frame("predictions")
    pd.testing.assert_frame_equal(read, wanted, check_dtype=False, check_exact=True)
    assert {"probability of no", "probability of yes"} <= set(read.columns)


def test_predictions_go_to_no_other_file(found, tmp_path):
    with pytest.raises(ValueError, match=r"expected a .csv or .parquet file"):
        found.to_predictions(tmp_path / "p.txt")


def test_json_has_the_same_numbers(found, tmp_path):
    text = found.to_json(tmp_path / "found.json").read_text(encoding="utf-8")

    def refuse(name):
        raise AssertionError(name)  # strict readers know no NaN

    read = json.loads(text, parse_constant=refuse)
    assert read["call"].startswith("compare_fusion(X, y, [('one', ['a', 'b'])")
    assert "subgroups={'site': <site>, 'a': 'a'}" in read["call"] and "fast=True" in read["call"]
    assert read["fingerprint"] == found.conditions_.fingerprint and len(read["fingerprint"]) == 32
    scores = [one["scores"]["accuracy"] for one in read["results"] if one["method"] == "L1 MKL"]
    np.testing.assert_array_equal(scores, found.scores("L1 MKL"))
    best = read["performance"][BEST_FUSION]
    assert best["measures"]["accuracy"]["high"] == found.performance().measures["accuracy"].high
    np.testing.assert_array_equal(best["roc_curve"]["yes"], found.performance().roc_curve("yes"))
    assert read["chosen"] == found.chosen_
    np.testing.assert_array_equal(read["weights"][0]["by_fold"], found.weights_[0].by_fold)
    assert [one["name"] for one in read["settings"]["modalities"]] == ["one", "two"]
    assert read["settings"]["groupings"]["site"] == ["east", "north", "south"]


def test_no_accuracy_is_said_without_the_majority_rate(found):
    said = next(one for one in repr(found).splitlines() if one.startswith("The mean accuracy"))
    assert "of the best single modality, 0.500 of knowing nothing: difference" in said


def test_report_has_their_sections_and_names(found, tmp_path):
    page = found.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    for wanted in (
        "How good the predictions are</h2>",
        "Which class is taken for which</h2>",
        "By site</h2>",
        "By missing modalities</h2>",
        "Kernel weights</h2>",
        "TRIPOD+AI 12e, 23a",
        "A weight is not importance",
        "RBF kernel (gaps filled by means, columns standardised)",
        "compare_fusion(X, y",
        found.conditions_.fingerprint,
    ):
        assert wanted in page, wanted
    assert page.count("<svg") == 7 and page.count('class="band fusion"') == 2
    assert "Pipeline(" not in page and ">m0" not in page


def test_groups_count_as_one_in_intervals(data):
    X, y = data
    site = np.repeat(np.arange(12), 5)
    given = {"methods": ["uniform"], "fast": True, "cv": 3}
    found = compare_fusion(X, y, MODALITIES, groups=site, **given)
    told = found.predictions_.of(BEST_FUSION)
    n_train = np.mean([len(train) for train, _ in found.conditions_.folds])
    wanted = classification_performance(
        told.y,
        told.prediction,
        told.probabilities,
        samples=told.row,
        groups=site[told.row],
        n_train=n_train,
    )
    assert found.performance().measures == wanted.measures


def test_numbers_have_errors_and_a_picture(data, tmp_path):
    X, y = data
    target = X["a"].to_numpy() * 3.0 + np.random.default_rng(0).normal(size=60)
    found = compare_fusion(X, target, MODALITIES, methods=["uniform"], fast=True, cv=3)
    told = found.predictions_.of(BEST_FUSION)
    good = found.performance()
    assert good.measures["r2"].value == pytest.approx(r2_score(told.y, told.prediction))
    assert found.to_frame("confusion").empty
    page = found.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Predicted and observed" in page and "mean error" in page
    assert page.count('class="point"') >= 60
    assert json.loads(found.to_json(tmp_path / "r.json").read_text())["performance"][BEST_FUSION]
    parts = {one.label: one.n_samples for one in found.subgroups()}
    assert parts == {"all there": 50, "without two": 10}


def test_warnings_and_refusals_name_modalities_as_users_do():
    rng = np.random.default_rng(0)
    y = np.arange(45) % 3
    X = Modalities(wide=rng.normal(size=(45, 3000)), few=rng.normal(size=(45, 2)) + y[:, None])
    for n_jobs in (1, 2):
        with pytest.warns(DegenerateKernelWarning) as caught:
            compare_fusion(X, y, fast=True, cv=3, methods=["l1_mkl"], n_jobs=n_jobs)
        # Once, though every fit to a part of the samples has other figures
        said = [str(one.message) for one in caught if one.category is DegenerateKernelWarning]
        assert len(said) == 1 and re.match(r"Kernel 'wide:[^']*' is nearly", said[0])


# ---------------------------------------------------------------------------- who is in which


def groupings(subgroups, X=None, n=4):
    return {one.name: one for one in read_subgroups(subgroups, X, n)}


def test_labels_keep_the_order_of_their_values():
    found = groupings({"n": [10, 9, 9, 2], "s": ["b", "a", None, "a"], "t": [True, False] * 2})
    assert found["n"].labels == ["2", "9", "10"] and list(found["n"].codes) == [2, 1, 1, 0]
    assert found["s"].labels == ["a", "b", "unknown"] and list(found["s"].codes) == [1, 0, 2, 0]
    assert found["t"].labels == ["False", "True"]


def test_columns_series_and_tables_are_subgroups():
    X = pd.DataFrame({"sex": list("fmfm"), "age": [1.0, 2.0, np.nan, 2.0]})
    assert groupings("sex", X)["sex"].labels == ["f", "m"]
    assert groupings(X["age"], X)["age"].labels == ["1", "2", "unknown"]
    assert list(groupings(X, X)) == ["sex", "age"]
    assert list(groupings(["f", "m", "m", "f"])) == ["subgroup"]
    assert groupings(None) == {}


def test_many_numbers_are_cut_at_their_quartiles():
    values = np.append(np.arange(1.0, 101.0), np.nan)
    found = groupings(values, n=101)["subgroup"]
    named = ["up to 25.75", "25.75 to 50.5", "50.5 to 75.25", "above 75.25", "unknown"]
    assert found.labels == named
    np.testing.assert_array_equal(np.bincount(found.codes), [25, 25, 25, 25, 1])


@pytest.mark.parametrize(
    ("subgroups", "message"),
    [
        ("sex", "no column of X"),
        ([1, 2, 3], r"shape \(3,\); expected a label for each of 4"),
        ({}, "subgroups is empty"),
        (pd.Series(list("abab"), index=list("wxyz")), "subgroups"),
    ],
)
def test_refusals_of_subgroups(subgroups, message):
    X = pd.DataFrame({"a": [1.0, 2, 3, 4]}, index=list("zyxw"))
    with pytest.raises(ValueError, match=message):
        read_subgroups(subgroups, X, 4)


def test_names_of_everyone_are_no_subgroups():
    with pytest.raises(ValueError, match="60 different labels"):
        read_subgroups([f"p{i}" for i in range(60)], None, 60)


def test_patterns_of_missing_modalities():
    X = Modalities(
        a=np.array([[1.0], [np.nan], [2.0], [np.nan], [3.0], [4.0]]),
        b=np.array([[1.0], [1.0], [np.nan], [2.0], [3.0], [1.0]]),
    )
    found = missing_patterns(X.present(), ["a", "b"])
    assert found.labels == ["all there", "without a", "without b"]
    np.testing.assert_array_equal(found.codes, [0, 1, 2, 1, 0, 0])
    assert missing_patterns(np.ones((3, 2), dtype=bool), ["a", "b"]) is None
