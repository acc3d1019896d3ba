"""``mkfusion compare`` says what compare_fusion says, of whatever files the samples come from."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold, TimeSeriesSplit

import mkfusion.compare
from mkfusion.compare import compare_fusion, plan_comparison, run_comparison

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
QUICK = ("--fast", "--methods", "uniform", "--cv", 3)
ONE = ("compare", "data.csv", "--target", "label", *MODALITIES, *QUICK)
SEVERAL = ("compare", "labels.csv", "accel.csv", "gyro.csv", "--id", "sample", "--target", "label")


@pytest.fixture
def seen(monkeypatch):
    """What a comparison was given and found, call by call."""
    calls = []

    def plan(*given, **options):
        calls.append((given, options))
        return plan_comparison(*given, **options)

    def run(*given):
        found = run_comparison(*given)
        calls[-1] += (found,)
        return found

    monkeypatch.setattr(mkfusion.compare, "plan_comparison", plan)
    monkeypatch.setattr(mkfusion.compare, "run_comparison", run)
    return calls


def same(one, other):
    """Whether two comparisons have the same scores, methods and folds."""
    labels = [summary.method for summary in other.summary_]
    assert [summary.method for summary in one.summary_] == labels
    for label in labels:
        for metric in other.conditions_.metrics:
            np.testing.assert_array_equal(one.scores(label, metric), other.scores(label, metric))
    for fold, expected in zip(one.conditions_.folds, other.conditions_.folds, strict=True):
        np.testing.assert_array_equal(fold.test, expected.test)
    return True


def directly(study, y="label", **options):
    options = {"methods": ["uniform"], "fast": True, "cv": 3} | options
    columns = [("accel", ["ax", "ay"]), ("gyro", ["g1", "g2"])]
    return compare_fusion(study, study[y].to_numpy(object), columns, **options)


@pytest.fixture(scope="module")
def expected(study):
    """What the comparison of ONE finds, without and with groups."""
    return directly(study), directly(study, groups=study["subject"])


def test_repeats_draw_the_folds_anew(folder, study, run, seen):
    code, shown, complaint = run(*ONE, "--repeats", 2, "--seed", 3)
    assert (code, complaint) == (0, "")
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=3)
    assert same(seen[0][2], directly(study, cv=cv, random_state=3))
    assert "t-test on 6 folds" in " ".join(shown.split())


def test_scores_are_those_of_compare_fusion_on_the_table(folder, run, seen, expected):
    code, shown, complaint = run(*ONE)
    assert (code, complaint) == (0, "")
    assert same(seen[0][2], expected[0])
    for sentence in repr(expected[0]).splitlines()[:1]:
        assert sentence in " ".join(shown.split())
    table = shown.split("\nScores\n")[1].split("\nAgainst")[0]
    assert shown.startswith("40 samples of 2 modalities: accel (2 columns), gyro (2 columns)\n\n")
    rows = {line.split("  ")[0]: line for line in table.splitlines()}
    for summary in expected[0].summary_:
        assert f" {summary.means['accuracy']:.3f} " in rows[summary.method]


def test_joined_files_in_another_order_say_the_same(folder, study, run, seen, expected):
    study[["sample", "label", "subject"]].to_csv("labels.csv", index=False)
    assert run(*SEVERAL, "--groups", "subject", *QUICK)[0] == 0
    assert same(seen[0][2], expected[1])
    assert seen[0][0][0].names == ["accel", "gyro"]
    np.testing.assert_array_equal(seen[0][0][1], study["label"])


def test_patterns_look_in_all_files(folder, run, seen):
    assert run(*SEVERAL, *MODALITIES, *QUICK)[0] == 0
    assert [list(seen[0][0][0][name].columns) for name in ("accel", "gyro")] == [
        ["ax", "ay"],
        ["g1", "g2"],
    ]


def test_files_may_have_columns_of_the_same_names(folder, run, seen, expected):
    for name in ("accel", "gyro"):
        frame = pd.read_csv(f"{name}.csv")
        frame.set_axis(["sample", "x", "y"], axis=1).to_csv(f"{name}.csv", index=False)
    assert run(*SEVERAL, *QUICK)[0] == 0
    assert same(seen[0][2], expected[0])


@pytest.mark.parametrize("name", ["data.parquet", "data.tsv", "data.csv.gz"])
def test_other_files_say_the_same_as_csv(folder, study, run, seen, expected, name):
    if name == "data.parquet":
        study.astype({"ax": "float64", "subject": "Int64"}).to_parquet(name)
    else:
        study.to_csv(name, index=False, sep="\t" if name == "data.tsv" else ",")
    assert run(ONE[0], name, *ONE[2:], "--groups", "subject")[0] == 0
    assert same(seen[0][2], expected[1])


def test_a_name_wins_over_a_pattern(folder, study, run, seen):
    study.rename(columns={"ax": "g[12]"}).to_csv("data.csv", index=False)
    assert run("compare", "data.csv", "--target", "label", "--modality", "a=g[12]", "--modality",
               "b=g?", *QUICK)[0] == 0  # fmt: skip
    X = seen[0][0][0]
    assert [list(X[name].columns) for name in X.names] == [["g[12]"], ["g1", "g2"]]


def test_groups_stay_together(folder, study, run, seen, expected):
    assert run(*ONE, "--groups", "subject")[0] == 0
    assert same(seen[0][2], expected[1])
    subjects = study["subject"].to_numpy()
    for train, test in seen[0][2].conditions_.folds:
        assert not set(subjects[train]) & set(subjects[test])


def test_options_reach_the_comparison(folder, study, run, seen):
    assert run(*ONE, "--seed", 3, "--metric", "roc_auc,f1_macro", "--metric", "accuracy")[0] == 0
    assert run(*ONE, "--time-ordered")[0] == 0
    assert run(*ONE[:3], "size", *ONE[4:])[0] == 0
    metrics = ["roc_auc", "f1_macro", "accuracy"]
    assert same(seen[0][2], directly(study, random_state=3, scoring=metrics))
    assert seen[0][2].conditions_.metrics == metrics
    assert same(seen[1][2], directly(study, cv=TimeSeriesSplit(3)))
    assert same(seen[2][2], directly(study, "size"))
    assert seen[2][2].conditions_.task == "regression"


def test_resumed_work_is_not_done_again(folder, run, seen):
    assert run(*ONE, "--resume", "pieces")[0] == 0
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("pieces/**/output.pkl")}
    assert made
    assert run(*ONE, "--resume", "pieces")[0] == 0
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("pieces/**/output.pkl")} == made
    seconds = [[score.seconds for score in call[2].results_] for call in seen]
    assert seconds[0] == seconds[1]


def test_ids_that_lack_a_modality_are_dropped_or_kept(folder, study, run, seen):
    gyro = pd.read_csv("gyro.csv")
    gyro[~gyro["sample"].isin(["s03", "s08"])].to_csv("gyro.csv", index=False)
    code, shown, complaint = run(*SEVERAL, *QUICK)
    assert (code, shown) == (2, "")
    for word in ("2 of 40", "'gyro'", "gyro.csv", "'s03'", "--missing drop", "--missing keep"):
        assert word in complaint
    code, _, complaint = run(*SEVERAL, *QUICK, "--missing", "drop")
    assert (code, complaint) == (
        0,
        "note: 2 of 40 samples lack a modality ('gyro' 2) and are left out\n",
    )
    code, _, complaint = run(*SEVERAL, *QUICK, "--missing", "keep")
    assert code == 0
    assert complaint.startswith("note: 2 of 40 samples lack a modality ('gyro' 2) and are kept\n")
    lacking = study["sample"].isin(["s03", "s08"])
    assert same(seen[0][2], directly(study[~lacking].reset_index(drop=True)))
    gaps = study.copy()
    gaps.loc[lacking, ["g1", "g2"]] = np.nan
    assert same(seen[1][2], directly(gaps))


def test_ids_without_a_target_are_left_out_and_said(folder, study, run, seen):
    study[["sample", "label"]].iloc[:35].to_csv("labels.csv", index=False)
    code, _, complaint = run(*SEVERAL, *QUICK)
    assert code == 0
    assert complaint.count("\n") == 2
    assert "5 of the 40 ids of 'gyro.csv' have no target" in complaint
    assert same(seen[0][2], directly(study.iloc[:35]))


def test_numbers_are_the_same_ids_however_they_are_written(folder, run, seen, expected):
    numbers = {f"s{i:02}": str(100 - i) for i in range(40)}
    for name in ("labels", "accel", "gyro"):
        frame = pd.read_csv(f"{name}.csv")
        frame["sample"] = frame["sample"].map(numbers)
        if name == "gyro":
            frame["sample"] = frame["sample"].astype(float)
        if name == "accel":
            frame["sample"] = frame["sample"].astype(int)
            frame.to_parquet("accel.parquet")
        frame.to_csv(f"{name}.csv", index=False)
    given = [argument.replace("accel.csv", "accel.parquet") for argument in SEVERAL]
    assert run(*given, *QUICK)[0] == 0
    assert same(seen[0][2], expected[0])


def test_tables_of_all_kinds(folder, study, run, seen):
    rng = np.random.default_rng(2)
    frame = study.assign(
        smoker=rng.random(40) < 0.5,
        ward=rng.choice(["north", "south", None], 40),
        grade=pd.Categorical(rng.choice(["I", "II"], 40), ["I", "II"], ordered=True),
        seen=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40), "D"),
        count=pd.array(np.where(np.arange(40) % 9, np.arange(40), None), dtype="Int64"),
    )
    frame.to_parquet("data.parquet")
    asked = ("--modality", "a=a?", "--modality", "clinic=smoker,ward,grade,seen,count")
    code, _, complaint = run("compare", "data.parquet", "--target", "label", *asked, *QUICK)
    assert (code, complaint) == (0, "")
    assert seen[0][0][0]["clinic"]["count"].dtype == np.float64
    columns = [("a", ["ax", "ay"]), ("clinic", ["smoker", "ward", "grade", "seen", "count"])]
    frame["count"] = frame["count"].astype(float)
    assert same(
        seen[0][2],
        compare_fusion(frame, study["label"], columns, methods=["uniform"], fast=True, cv=3),
    )


def test_csv_files_as_people_write_them(folder, study, run, seen):
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40) % 7, "D")
    study = study.assign(seen=dates, unused=np.nan)
    lines = study.to_csv(index=False).replace(",", ", ").splitlines()
    (folder / "data.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    asked = ("--modality", "accel=a?", "--modality", "other=seen,unused", *QUICK)
    code, _, complaint = run("compare", "data.csv", "--target", "label", *asked)
    assert code == 0
    assert complaint == "note: column 'unused' of 'data.csv' is empty, and is left out\n"
    columns = [("accel", ["ax", "ay"]), ("other", ["seen"])]
    again = compare_fusion(study, study["label"], columns, methods=["uniform"], fast=True, cv=3)
    assert same(seen[0][2], again)


def test_text_that_seems_to_be_numbers_is_said(folder, study, run):
    frame = study.astype({"g1": object})
    frame.loc[6, "g1"] = "unknown"
    frame.to_csv("data.csv", index=False)
    _, _, complaint = run(*ONE)
    assert "column 'g1' of 'data.csv' is taken for text" in complaint.splitlines()[0]
    assert "'unknown' in row 7" in complaint


def test_methods_that_are_not_applicable_are_notes(folder, study, run):
    code, _, complaint = run(*ONE[:3], "size", *ONE[4:], "--methods", "uniform,localized_mkl")
    assert code == 0
    assert complaint.startswith("note: localized MKL is not applicable: ")
    assert ".py" not in complaint


@pytest.mark.parametrize("ending", ["html", "md"])
def test_report_is_written_in_the_form_of_its_ending(folder, run, seen, ending):
    code, shown, _ = run(*ONE, "-o", f"report.{ending}")
    assert code == 0
    assert shown.splitlines()[-1] == f"Report written to report.{ending}"
    text = (folder / f"report.{ending}").read_text(encoding="utf-8")
    assert text.startswith("<!" if ending == "html" else "# ")
    assert "uniform kernel sum" in text


def assert_plain_ascii_of_whole_rows(shown):
    assert shown.isascii()
    assert "\x1b" not in shown
    assert re.search(r"^uniform kernel sum +0\.\d{3} .* 0\.\d{3} +\d\.\d$", shown, flags=re.M)
    assert re.search(r"^uniform kernel sum +.*(undecided|better|lower)$", shown, flags=re.M)
    assert not re.search(r" +$", shown, flags=re.M)
    sentences = shown.split("\nScores\n")[0]
    assert max(map(len, sentences.splitlines())) <= 80


def test_piped_output_is_plain_ascii_of_whole_rows(folder):
    done = subprocess.run(
        [sys.executable, "-m", "mkfusion", *map(str, ONE)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "40"},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert_plain_ascii_of_whole_rows(done.stdout)


def test_piped_output_is_no_wider_where_there_is_room(folder, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, shown, complaint = run(*ONE)
    assert (code, complaint) == (0, "")
    assert_plain_ascii_of_whole_rows(shown)


def test_a_terminal_gets_colours_and_whole_cells(folder, run, expected, monkeypatch):
    monkeypatch.setattr(mkfusion.compare, "run_comparison", lambda *given: expected[0])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for width in ("50", "80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        code, shown, _ = run(*ONE)
        assert code == 0
        assert "\x1b[1" in shown
        assert "\N{HORIZONTAL ELLIPSIS}" not in shown
        assert re.search(r"^accel.* 0\.\d{3} .* \d\.\d\s*$", shown, flags=re.M)


def test_users_words_do_not_steer_the_terminal(folder, study, run):
    study.rename(columns={"ax": "\x1b[31mred"}).to_csv("data.csv", index=False)
    code, shown, complaint = run("compare", "data.csv", "--target", "label", "--modality",
                                 "[bold]\x1b[31mred=*red,ay", "--modality", "gyro=g?",
                                 *QUICK)  # fmt: skip
    assert code == 0
    assert "\x1b" not in shown + complaint
    assert "[bold]?[31mred alone" in shown


def test_results_and_predictions_are_written_for_other_programs(folder, study, run, seen):
    files = ("--json", "found.json", "--predictions", "p.csv", "-o", "r.html")
    code, shown, complaint = run(*ONE, *files, "--subgroups", "subject,ax")
    assert (code, complaint) == (0, "")
    assert shown.endswith(
        "Report written to r.html\nResults written to found.json\nPredictions written to p.csv\n"
    )
    found = seen[0][2]
    read = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    wanted = found.to_frame("summary").set_index("method").accuracy
    for one in read["summary"]:
        assert one["means"]["accuracy"] == wanted[one["method"]]
    assert read["call"].startswith("mkfusion compare data.csv --target label --modality accel=")
    assert read["call"].endswith("--subgroups subject,ax")
    assert "--subgroups subject,ax" in (folder / "r.html").read_text(encoding="utf-8")
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "p.csv"), found.to_frame("predictions"), check_dtype=False
    )
    assert set(read["settings"]["groupings"]) == {"subject", "ax"}
    assert sum(one["n_samples"] for one in read["subgroups"]["best fusion method"]) == 2 * 40
    labels = found.conditions_.groupings[0].labels
    assert labels == [str(one) for one in sorted(study.subject.unique())]


def test_predictions_name_samples_by_their_ids(folder, study, run, seen):
    """Rows are of the samples that are left: ids alone lead back to the files."""
    whose = [f"=s{i:02}" if i == 5 else f"s{i:02}" for i in range(40)]
    shorter = study.assign(sample=whose)[["sample", "g1"]].drop(index=[0, 20, 39])
    shorter.to_csv("gyro.csv", index=False)
    study.assign(sample=whose)[["sample", "label", "ax"]].iloc[::-1].to_csv("a.csv", index=False)
    files = ("a.csv", "gyro.csv", "--id", "sample", "--target", "label", "--missing", "drop")
    code, _, complaint = run("compare", *files, *QUICK, "--predictions", "p.csv")
    assert code == 0, complaint
    told = pd.read_csv("p.csv")
    labels = dict(zip(whose, study.label, strict=True))
    assert set(told.id.str.lstrip("'")) == set(shorter["sample"])
    assert "'=s05" in set(told.id)  # which no spreadsheet runs
    assert told.y.tolist() == [labels[one.lstrip("'")] for one in told.id]
    run("compare", *files, *QUICK, "--predictions", "p.parquet")
    assert set(pd.read_parquet("p.parquet").id) == set(shorter["sample"])


def test_subgroups_may_stand_in_any_file(folder, study, run, seen):
    study[["sample", "label"]].to_csv("labels.csv", index=False)
    study[["sample", "ax", "ay"]].to_csv("accel.csv", index=False)
    study[["sample", "g1", "subject"]][::-1].to_csv("gyro.csv", index=False)
    code, _, complaint = run(*SEVERAL, *QUICK, "--subgroups", "subject")
    assert code == 0
    assert complaint.startswith("audit: warning: Column 'subject' of 'gyro' seems to name whom")
    grouping = seen[0][2].conditions_.groupings[0]
    assert [grouping.labels[k] for k in grouping.codes] == [str(one) for one in study.subject]


def test_subgroups_that_are_no_column_are_refused(folder, study, run):
    code, shown, complaint = run(*ONE, "--subgroups", "sex")
    assert code == 2 and shown == "" and "--subgroups" in complaint and "sex" in complaint
    code, _, complaint = run(*ONE, "--json", "found.txt")
    assert code == 2 and ".json" in complaint
