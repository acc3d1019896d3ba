"""``mkfusion audit`` and what compare says of the data before it begins."""

import re

import numpy as np
import pandas as pd
import pytest

from mkfusion.inspection import audit

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
ONE = ("data.csv", "--target", "label", *MODALITIES)
QUICK = ("--fast", "--methods", "uniform", "--cv", 3)


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """Three files: 25 of 85 patients have the measurements of others, one column is the outcome."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    ids = [f"p{i:02}" for i in range(85)]
    outcome = np.where(np.arange(85) % 2, "ill", "well")
    pd.DataFrame(
        {
            "patient": ids,
            "outcome": outcome,
            "age": rng.normal(50, 9, 85).round(),
            "days": np.where(outcome == "ill", 3, 90) + rng.integers(0, 9, 85),
            "site": np.where(rng.random(85) < 0.4, "south", np.where(outcome == "ill", "a", "b")),
        }
    ).to_csv("clinic.csv", index=False)
    rna = rng.normal(size=(85, 10))
    rna[60:] = rna[10:35]
    names = [f"g{i}" for i in range(10)]
    pd.DataFrame(rna, columns=names).assign(patient=ids).to_csv("rna.csv", index=False)
    others = [*ids[:70], "q1", "q2"]
    mri = pd.DataFrame(rng.normal(size=(72, 4)), columns=list("wxyz")).assign(patient=others)
    mri.to_csv("mri.csv", index=False)
    return tmp_path


CLINIC = ("clinic.csv", "rna.csv", "mri.csv", "--id", "patient", "--target", "outcome")


def words(text):
    return " ".join(text.split())


def test_what_is_found_in_files(clinic, run):
    code, shown, complaint = run("audit", *CLINIC, "--batch", "site", "-o", "found.csv")
    assert code == 0
    text = words(shown)
    assert text.startswith("Audit of 85 samples of clinic, rna, mri: 1 serious, 3 warnings, ")
    assert "serious: 1 column of 'clinic' says the target without any error: 'days'" in text
    assert "50 samples of 85 have copies in modality 'rna' alone (50 with exact ones), " in text
    assert "such as patient 'p10' and patient 'p60'" in text
    assert "The batch has to do with the target" in text
    # By the days, which tell the outcome, and so one site from another
    assert "Modality 'clinic' tells the batch" in text
    assert "'rna' tells the batch" not in text and "'mri' tells the batch" not in text
    assert "2 of the 72 ids of 'mri.csv' have no target" in text
    assert "2 columns of the target's file 'clinic.csv' are the modality 'clinic'" in text
    assert "2 of the 72 ids" in complaint
    table = pd.read_csv("found.csv")
    assert table["level"].tolist()[:4] == ["serious", "warning", "warning", "warning"]
    assert set(table["check"]) >= {"telling", "copies", "batch", "join", "target's file"}


def test_exclude_takes_columns_out(clinic, run):
    shown = words(run("audit", *CLINIC, "--exclude", "days,g*")[1])
    assert "says the target" not in shown and "rna" not in shown
    code, _, complaint = run("audit", *CLINIC, "--exclude", "dayz")
    assert code == 2 and "did you mean 'days'?" in complaint
    for column, reason in (("outcome", "--target"), ("patient", "--id")):
        code, _, complaint = run("audit", *CLINIC, "--exclude", column)
        assert code == 2 and f"which is {reason}" in complaint
    # A pattern passes by what has another use.
    assert run("audit", *CLINIC, "--exclude", "*e")[0] == 0


def test_exclude_in_compare_and_fit(folder, run, monkeypatch):
    seen = []

    def refuse(X, *rest, **options):
        seen.append([list(X[name].columns) for name in X.names])
        raise ValueError("enough")

    monkeypatch.setattr("mkfusion.compare.plan_comparison", refuse)
    run("compare", *ONE, "--exclude", "g2", *QUICK)
    assert seen == [[["ax", "ay"], ["g1"]]]
    code, shown, _ = run("fit", *ONE, "--exclude", "g2", "--C", 1, "-o", "m.skops")
    assert code == 0 and re.search(r"^gyro +1 ", shown, re.M)
    # What is left out is not asked for again.
    pd.read_csv("data.csv").drop(columns="g2").to_csv("new.csv", index=False)
    assert run("predict", "m.skops", "new.csv")[0] == 0
    code, _, complaint = run("compare", *ONE, "--exclude", "ax", *QUICK)
    assert code == 2 and "column 'ax' is in --exclude and --modality: choose one" in complaint


def test_one_file_is_one_modality(folder, run):
    code, shown, _ = run("audit", "data.csv", "--target", "label", "--id", "sample")
    assert code == 0 and shown.startswith("Audit of 40 samples of data: ")
    assert "target's file" not in shown


def test_findings_are_those_of_the_function(folder, study, run):
    code, shown, complaint = run("audit", *ONE)
    assert (code, complaint) == (0, "")
    found = audit(
        study,
        study["label"].to_numpy(object),
        modalities=[("accel", ["ax", "ay"]), ("gyro", ["g1", "g2"])],
    )
    (one,) = found.findings  # the subjects, which are no more alike than others
    assert one.level == "note" and "'subject'" in one.what
    assert f"note: {one.what} {one.advice}" in words(shown)
    assert words(run("audit", *ONE, "--groups", "subject")[1]) == (
        "Audit of 40 samples of accel, gyro: nothing found."
    )


def test_compare_says_it_before_and_in_the_report(folder, study, run):
    doubled = pd.concat([study, study.iloc[:12].assign(sample=[f"t{i}" for i in range(12)])])
    doubled.to_csv("data.csv", index=False)
    code, shown, complaint = run("compare", *ONE, *QUICK, "-o", "report.md")
    assert code == 0
    assert complaint.startswith("audit: serious: 24 samples of 52 have copies")
    assert "on both sides of a fold" in complaint
    assert "The data may not be trusted: 24 samples" in words(shown)
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "## Is the data trustworthy?" in report and "| serious | 24 samples" in report


def test_compare_says_nothing_of_sound_data(folder, run):
    code, _, complaint = run("compare", *ONE, *QUICK, "-o", "report.md")
    assert (code, complaint) == (0, "")
    assert "## Is the data trustworthy?" in (folder / "report.md").read_text(encoding="utf-8")


def test_who_is_left_out_by_missing_drop(folder, study, run):
    wide = pd.concat([study] * 3, ignore_index=True)
    rng = np.random.default_rng(0)
    for column in ("ax", "ay", "g1", "g2"):
        wide[column] += rng.normal(size=120)
    wide["sample"] = [f"s{i}" for i in range(120)]
    wide.loc[(wide["label"] == "loud") & (rng.random(120) < 0.5), ["g1", "g2"]] = np.nan
    wide.to_csv("data.csv", index=False)
    for missing in ("drop", "keep"):
        code, shown, _ = run("audit", *ONE, "--missing", missing)
        assert code == 0 and "who lacks it differs in the target" in words(shown)


def test_batch_has_a_value_for_every_sample(folder, study, run):
    study.assign(site=["a", None] * 20).to_csv("data.csv", index=False)
    code, _, complaint = run("audit", *ONE, "--batch", "site")
    assert code == 2 and "--batch 'site' is empty for 20 of 40 samples" in complaint
    code, _, complaint = run("audit", *ONE, "--batch", "label")
    assert code == 2 and "column 'label' is --target and --batch: choose one" in complaint
    # Leaving one site out at a time is both.
    assert run("audit", *ONE, "--batch", "subject", "--groups", "subject")[0] == 0
