"""Words, codes and formulas in cells of CSV files, which do not say what they are."""

import io

import numpy as np
import pandas as pd
import pytest

from mkfusion.cli._cells import escaped, unescaped
from mkfusion.cli._tables import read_table

MODALITIES = ("--modality", "accel=ax,ay", "--modality", "gyro=g*")
LABELS = ["None", "NA", "null", "007", "07", "=1+1", "@SUM(A1)", "-x", "'=1", "a"]


# ---------------------------------------------------------------------------------------- words


def test_words_are_gaps_among_values_only(tmp_path, capsys):
    path = tmp_path / "a.csv"
    cells = {
        "text": ["None", "x", "NA"],
        "number": ["1.5", "NA", ""],
        "truth": ["True", "NULL", "False"],
        "time": ["2024-01-31", "NA", "2024-02-29"],
        "void": ["NA", "", "nan"],
        "whole": ["1", "2", "3"],
    }
    pd.DataFrame(cells).to_csv(path, index=False)
    found = read_table(str(path))
    assert found["text"].tolist() == cells["text"]
    assert found["number"].iloc[0] == 1.5
    for name in ("number", "truth", "time", "void"):
        assert found[name].isna().tolist() == [
            one in ("", "NA", "NULL", "nan") for one in cells[name]
        ]
    said = capsys.readouterr().err
    assert (
        "'NA' in 2 cells of 'number', 'time' and 'NULL' in 1 cells of 'truth' and 'NA' in 1, 'nan' "
        "in 1 cells of 'void' are empty cells" in said
    )
    assert "'None' in 1, 'NA' in 1 cells of 'text' are texts as any other" in said
    assert said.count("\n") == 2


def test_words_of_many_columns_are_told_together(tmp_path, capsys):
    words = ["NA", "NULL", "nan", "None"]
    cells = {f"c{i}": [words[i], "1.5", "2"] for i in range(4)}
    pd.DataFrame(cells).to_csv(tmp_path / "a.csv", index=False)
    read_table(str(tmp_path / "a.csv"))
    (line,) = capsys.readouterr().err.splitlines()
    assert all(f"'{word}' in 1" in line for word in words)
    assert "cells of 'c0', 'c1', 'c2', ... (4 in all) are empty cells" in line


def test_kinds_that_a_model_knows_settle_what_words_are(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("text,number,time,other\nNA,007,NA,NA\n007,NA,2024-01-31,x\n")
    found = read_table(str(path), {"text"}, {"number", "time"})
    assert found["text"].tolist() == ["NA", "007"]
    assert found["number"].iloc[0] == 7
    assert found["number"].isna().tolist() == [False, True]
    assert found["time"].isna().tolist() == [True, False]
    assert "007" not in capsys.readouterr().err


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan"])
def test_a_class_that_is_a_word_is_a_class(folder, study, run, word):
    frame = study.assign(label=study["label"].replace("calm", word))
    frame.to_csv("data.csv", index=False)
    frame.to_parquet("data.parquet")
    table = {}
    for kind in ("csv", "parquet"):
        asked = (f"data.{kind}", "--target", "label", *MODALITIES, "--C", 1, "-o", "model.skops")
        code, shown, complaint = run("fit", *asked)
        assert code == 0
        assert (f"{word!r} in 20 cells of 'label' are texts" in complaint) == (kind == "csv")
        table[kind] = shown, run("predict", "model.skops", f"data.{kind}")[1]
    assert table["csv"] == table["parquet"]
    assert set(pd.read_csv(io.StringIO(table["csv"][1]), keep_default_na=False)["prediction"]) <= {
        word,
        "loud",
    }


def test_empty_texts_are_gaps_in_every_file(tmp_path):
    frame = pd.DataFrame({"a": ["x", "", None], "b": [1.0, 2.0, np.nan]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    found = [read_table(str(tmp_path / f"a.{kind}")) for kind in ("csv", "parquet")]
    assert [one["a"].isna().tolist() for one in found] == [[False, True, True]] * 2
    assert [one["b"].isna().tolist() for one in found] == [[False, False, True]] * 2


# ---------------------------------------------------------------------------------------- codes


def test_numbers_with_leading_zeros_are_texts(tmp_path, capsys):
    path = tmp_path / "a.csv"
    cells = {
        "code": ["007", "12", "0"],
        "number": ["0.5", "10", "-3"],
        "mixed": ["007", "1.5", "2"],
        "long": ["00123456789012345678901", "00123456789012345678902", ""],
    }
    pd.DataFrame(cells).to_csv(path, index=False)
    found = read_table(str(path))
    assert found["code"].tolist() == cells["code"]
    assert found["number"].tolist() == [0.5, 10.0, -3.0]
    assert found["mixed"].tolist() == [7.0, 1.5, 2.0]
    assert found["long"].tolist() == [*cells["long"][:2], None]
    said = capsys.readouterr().err
    assert "column 'code' of" in said
    assert "has leading zeros, such as '007', and is taken for text" in said


def test_labels_and_ids_with_leading_zeros_come_back(folder, study, run):
    frame = study.assign(label=np.tile(["007", "07"], 20), sample=[f"{i:04}" for i in range(40)])
    frame.to_csv("data.csv", index=False)
    fit = ("data.csv", "--target", "label", "--id", "sample", *MODALITIES, "-o", "model.skops")
    assert run("fit", *fit)[0] == 0
    code, shown, _ = run("predict", "model.skops", "data.csv")
    assert code == 0
    out = pd.read_csv(io.StringIO(shown), dtype=str)
    assert out["sample"].tolist() == frame["sample"].tolist()
    assert set(out["prediction"]) == {"007", "07"}
    assert list(out.columns)[2:] == ["decision_07"]


@pytest.mark.parametrize("missing", ["error", "drop", "keep"])
def test_ids_that_differ_in_leading_zeros_are_refused(folder, study, run, missing):
    # From 100 on the two ways to write them agree: these were joined, and the others lost.
    numbers = range(80, 120)
    for name, columns in (("labels", ["label"]), ("accel", ["ax"]), ("gyro", ["g1"])):
        there = [f"{i:03}" if name == "gyro" else str(i) for i in numbers]
        study[columns].assign(sample=there).to_csv(f"{name}.csv", index=False)
    asked = ("--id", "sample", "--target", "label", "--missing", missing, "-o", "model.skops")
    code, _, complaint = run("fit", "labels.csv", "accel.csv", "gyro.csv", *asked)
    assert code == 2
    assert "20 ids of 'labels.csv' such as '80' are those of 'gyro.csv' such as '080'" in complaint


def test_predict_refuses_ids_that_differ_in_leading_zeros(folder, study, run):
    for name, columns in (("labels", ["label"]), ("accel", ["ax"]), ("gyro", ["g1"])):
        study[columns].assign(sample=range(40)).to_csv(f"{name}.csv", index=False)
    asked = ("--id", "sample", "--target", "label", "--missing", "keep", "-o", "model.skops")
    assert run("fit", "labels.csv", "accel.csv", "gyro.csv", *asked)[0] == 0
    study[["g1"]].assign(sample=[f"{i:02}" for i in range(40)]).to_csv("gyro.csv", index=False)
    code, _, complaint = run("predict", "model.skops", "accel.csv", "gyro.csv")
    assert code == 2
    assert "10 ids of 'accel.csv' such as '0' are those of 'gyro.csv' such as '00'" in complaint


def test_ids_with_zeros_that_mean_something_stay(folder, study, run):
    frame = study.assign(sample=["7", "007", *range(100, 138)])
    frame[["sample", "label"]].to_csv("labels.csv", index=False)
    frame[["sample", "ax"]].to_csv("accel.csv", index=False)
    asked = ("--id", "sample", "--target", "label", "-o", "model.skops")
    assert run("fit", "labels.csv", "accel.csv", *asked)[0] == 0


# -------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    "text",
    ["=1", "+x", "-x", "@x", "\t=1", "\rx", " =1", "＝1", "'=1", "''-x", "-1+1"],  # noqa: RUF001
)
def test_formulas_are_escaped_and_come_back(text):
    assert escaped(text) == "'" + text
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize(
    "value", ["a", "", "-", "++", "-1", "+1.5e3", ".5", "'tis", "''", "a=1", -1, 2.5, True, None]
)
def test_nothing_else_is_escaped(value):
    assert escaped(value) is value
    if isinstance(value, str):
        assert unescaped(value) == value


def test_labels_and_ids_are_never_run_and_come_back(folder, study, run):
    frame = study.assign(label=np.tile(LABELS, 4), sample=[f"=cmd|{i}" for i in range(40)]).rename(
        columns={"sample": "@id"}
    )
    frame.to_parquet("data.parquet")
    asked = ("data.parquet", "--target", "label", "--id", "@id", *MODALITIES, "--C", 100)
    assert run("fit", *asked, "-o", "model.skops")[0] == 0
    assert run("predict", "model.skops", "data.parquet", "-o", "out.csv")[0] == 0
    raw = pd.read_csv("out.csv", dtype=str, keep_default_na=False)
    cells = [*raw.columns, *raw.iloc[:, 0], *raw["prediction"]]
    assert not [cell for cell in cells if cell[0] in "=@+-"]
    back = read_table("out.csv")
    assert back["@id"].tolist() == frame["@id"].tolist()
    assert set(back["prediction"]) <= set(LABELS)
    assert {"=1+1", "@SUM(A1)"} & set(back["prediction"])
