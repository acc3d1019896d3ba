"""Files as users have them: nameless ids, other separators, features in rows, barcodes."""

import numpy as np
import pandas as pd
import pytest

from mkfusion.cli import _samples
from mkfusion.cli._errors import UsageError
from mkfusion.cli._files import read_tables, turn_by_features, turn_by_samples
from mkfusion.cli._parser import make_parser
from mkfusion.cli._tables import read_table


def load(*arguments, least=1):
    """Return what a command would learn from."""
    options = make_parser().parse_args(["fit", *arguments, "-o", "model.skops"])
    return _samples.load_samples(options, least)


@pytest.fixture
def tables(study):
    """Labels, accelerations and rotations by sample, the last two in other orders."""
    by_sample = study.set_index("sample")
    order = np.random.default_rng(2)
    return (
        by_sample[["label"]],
        by_sample[["ax", "ay"]].iloc[order.permutation(len(study))],
        by_sample[["g1", "g2"]].iloc[order.permutation(len(study))],
    )


def check(samples, study):
    """Check that samples are the study's, whatever they came from."""
    there = study.set_index("sample").loc[[name.split("'")[1] for name in samples.names]]
    assert samples.y.tolist() == there["label"].tolist()
    for name, columns in (("accel", ["ax", "ay"]), ("gyro", ["g1", "g2"])):
        np.testing.assert_allclose(samples.X[name][columns].to_numpy(), there[columns], rtol=1e-12)


# -------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("name", "options", "note"),
    [
        ("a.csv", {}, ""),
        ("a.csv", {"sep": ";"}, "read with semicolons between cells"),
        ("a.csv", {"sep": ";", "decimal": ","}, "semicolons between cells and decimal commas"),
        ("a.csv", {"sep": "\t"}, "read with tabs between cells"),
        ("a.csv.gz", {"sep": ";", "decimal": ","}, "semicolons between cells and decimal commas"),
        ("a.tsv", {"sep": "\t"}, ""),
        ("a.txt", {"sep": "\t"}, ""),
        ("a.txt", {"sep": ";", "decimal": ","}, "semicolons between cells and decimal commas"),
        ("a.txt", {"sep": ","}, ""),
        ("a.txt", {"sep": " "}, ""),
        ("a.txt.gz", {"sep": "\t"}, ""),
    ],
)
def test_tables_are_read_whatever_separates_them(folder, study, name, options, note, capsys):
    study.to_csv(name, index=False, **options)
    read = read_table(name)
    pd.testing.assert_frame_equal(read, study, check_dtype=False)
    said = capsys.readouterr().err
    assert (note in said and said.count("note:") == 1) if note else not said


def test_commas_in_cells_do_not_make_semicolons_separators(folder):
    with open("a.csv", "w") as file:
        file.write('id,"dose; mg",text\np1,1.5,"x; y"\np2,2.5,"a;b"\n')
    read = read_table("a.csv")
    assert read.columns.tolist() == ["id", "dose; mg", "text"]
    assert read["text"].tolist() == ["x; y", "a;b"]


def test_decimal_commas_are_numbers_only_where_all_of_a_column_are(folder, capsys):
    with open("a.csv", "w") as file:
        file.write("id;place;size\n007;1,5;1\n008;1,x;2\n")
    read = read_table("a.csv")
    assert read["place"].tolist() == ["1,5", "1,x"]
    assert read["id"].tolist() == ["007", "008"]


@pytest.mark.parametrize("sep", ["\t", " "])
def test_row_names_of_r_are_ids(folder, study, sep):
    table = study.set_index("sample")[["ax", "ay"]]
    lines = table.to_csv(sep=sep).splitlines()
    with open("a.txt", "w") as file:  # write.table: the header is one name shorter
        file.write("\n".join([sep.join(table.columns), *lines[1:]]))
    (read,) = read_tables("a.txt", None, "label")
    assert read.ids.tolist() == study["sample"].tolist()
    np.testing.assert_array_equal(read.frame.to_numpy(), table.to_numpy())


# ------------------------------------------------------------------------------------------ ids


@pytest.mark.parametrize("form", ["csv", "parquet", "Unnamed: 0"])
def test_the_nameless_first_column_is_the_id(folder, study, tables, form, capsys):
    for name, table in zip(("labels", "accel", "gyro"), tables, strict=True):
        nameless = table.rename_axis(None)
        if form == "parquet":
            nameless.to_parquet(f"{name}.{form}")
        elif form == "csv":
            nameless.to_csv(f"{name}.csv")
        else:
            nameless.rename_axis(form).to_csv(f"{name}.csv")
    ending = "parquet" if form == "parquet" else "csv"
    samples = load(*(f"{n}.{ending}" for n in ("labels", "accel", "gyro")), "--target", "label")
    check(samples, study)
    assert samples.id == ""
    said = capsys.readouterr().err
    assert said.count("the nameless first column is taken for the ids") == 1


def test_files_call_ids_differently(folder, study, tables, run):
    labels, accel, gyro = tables
    labels.rename_axis("patient").to_csv("labels.csv")
    accel.rename_axis("Sample ID").to_csv("accel.csv")
    gyro.rename_axis(None).to_csv("gyro.csv")
    samples = load(
        "labels.csv", "accel.csv", "gyro.csv", "--target", "label", "--id", "patient,Sample ID"
    )
    check(samples, study)
    assert "Sample ID" not in samples.X["accel"]
    code, _, said = run(
        *("fit", "labels.csv", "accel.csv", "gyro.csv", "--target", "label"),
        *("--id", "patient,Sample ID", "--C", "1", "-o", "m.skops"),
    )
    assert code == 0, said
    code, _, said = run("predict", "m.skops", "accel.csv", "gyro.csv", "-o", "p.csv")
    assert code == 0, said
    predicted = pd.read_csv("p.csv")
    assert predicted.columns[0] == "Sample ID"
    assert sorted(predicted["Sample ID"]) == sorted(study["sample"])


def test_ids_with_commas_in_their_name_are_found_first(folder, study, tables):
    for name, table in zip(("labels", "accel", "gyro"), tables, strict=True):
        table.rename_axis("Sample, ID").to_csv(f"{name}.csv")
    samples = load("labels.csv", "accel.csv", "gyro.csv", "--target", "label", "--id", "Sample, ID")
    check(samples, study)


def test_row_numbers_are_no_ids(folder, tables):
    for name, table in zip(("labels", "accel", "gyro"), tables, strict=True):
        table.reset_index(drop=True).to_csv(f"{name}.csv")
    with pytest.raises(UsageError, match="no names but numbers from 0, .* expected --id COLUMN"):
        load("labels.csv", "accel.csv", "gyro.csv", "--target", "label")
    with pytest.raises(UsageError, match="--id 'who' is no column of 'accel.csv'; there are"):
        tables[1].to_csv("accel.csv", index=False)
        load("accel.csv", "labels.csv", "--target", "label", "--id", "who")


def test_a_nameless_column_is_left_out_of_one_table(folder, study, capsys):
    study.to_csv("one.csv")
    samples = load("one.csv", "--target", "label", "--modality", "accel=a*")
    assert samples.names[0] == "row 1"
    assert samples.id is None
    assert capsys.readouterr().err.count("1 column without a name is left out") == 1


# ------------------------------------------------------------------------- features in rows


def test_features_by_samples_are_turned_with_a_note(folder, study, tables, run, capsys):
    labels, accel, gyro = tables
    labels.iloc[:36].to_csv("labels.csv")
    accel.T.rename_axis("probe").to_csv("accel.csv")
    noted = gyro.T.rename_axis(None)
    noted.insert(0, "chromosome", ["1", "X"])
    noted.to_csv("gyro.csv")
    arguments = ("labels.csv", "accel.csv", "gyro.csv", "--target", "label", "--id", "sample")
    samples = load(*arguments)
    check(samples, study)
    said = capsys.readouterr().err
    assert (
        "'accel.csv' has features in rows and samples in columns, and is turned: 36 samples of 2 "
        "features, without 4 that are no samples with a target" in said
    )
    assert "'gyro.csv' has features in rows and samples in columns, and is turned" in said
    assert said.count("is turned") == 2
    code, _, said = run("fit", *arguments, "--C", "1", "-o", "m.skops")
    assert code == 0, said
    accel.to_csv("by_sample.csv")
    gyro.to_csv("by_sample_too.csv")
    run("predict", "m.skops", "by_sample.csv", "by_sample_too.csv", "-o", "p.csv")
    noted.drop(columns="chromosome").to_csv("gyro.csv")
    code, _, said = run("predict", "m.skops", "accel.csv", "gyro.csv", "-o", "q.csv")
    assert code == 0, said
    one, other = (
        pd.read_csv(name).set_index(c) for name, c in (("p.csv", "sample"), ("q.csv", "id"))
    )
    pd.testing.assert_frame_equal(one, other.loc[one.index], check_names=False)


def test_features_of_texts_and_numbers_are_turned_to_what_they_are(folder, tables):
    labels, accel, _ = tables
    mixed = accel.assign(kind=np.where(accel["ax"] > 0, "up", "down"))
    mixed.T.rename_axis("feature").to_csv("mixed.csv")
    labels.to_csv("labels.csv")
    home, other = (read_tables(f"{name}.csv", "sample", "label")[0] for name in ("labels", "mixed"))
    turned = turn_by_samples([home, other], 0, None)[1]
    assert turned.ids.tolist() == mixed.index.tolist()
    pd.testing.assert_frame_equal(
        turned.frame, mixed.reset_index(drop=True), check_dtype=False, check_names=False
    )
    (again,) = turn_by_features([other], ["ax", "kind"])
    pd.testing.assert_frame_equal(again.frame, turned.frame)


def test_features_that_are_there_twice_are_not_turned(folder, tables):
    labels, accel, _ = tables
    accel.set_axis(["ax", "ax"], axis=1).T.rename_axis("feature").to_csv("accel.csv")
    labels.to_csv("labels.csv")
    with pytest.raises(UsageError, match="'accel.csv' has columns of the same name: 'ax'"):
        load("labels.csv", "accel.csv", "--target", "label", "--id", "sample")


def test_numbered_columns_are_no_samples(folder):
    rng = np.random.default_rng(0)
    labels = pd.DataFrame({"id": range(12), "label": ["a", "b"] * 6})
    labels.to_csv("labels.csv", index=False)
    pd.DataFrame(rng.normal(size=(12, 12))).to_csv("x.csv", index=False)
    with pytest.raises(UsageError, match="--id 'id' is no column of 'x.csv'"):
        load("labels.csv", "x.csv", "--target", "label", "--id", "id")


# ------------------------------------------------------------------------------------- barcodes


@pytest.mark.parametrize("regex", [r"TCGA-\w\w-\w{4}", r"^(TCGA-\w\w-\w{4})-01A"])
def test_what_an_expression_finds_of_barcodes_joins(folder, study, tables, run, regex, capsys):
    labels, accel, gyro = (table.copy() for table in tables)
    short = {one: f"TCGA-AB-{one[1:]:0>4}" for one in study["sample"]}
    labels.index = [short[one] for one in labels.index]
    accel.index = [f"{short[one]}-01A-11R-A123-07" for one in accel.index]
    gyro = gyro.rename(index={one: f"{short[one]}-01A-02D" for one in gyro.index})
    gyro.loc["CONTROL"] = 0.0
    labels.rename_axis("patient").to_csv("labels.csv")
    accel.rename_axis("barcode").to_csv("accel.csv")
    gyro.T.rename_axis("gene").to_csv("gyro.csv")
    arguments = ("labels.csv", "accel.csv", "gyro.csv", "--target", "label")
    arguments += ("--id", "patient,barcode", "--id-regex", regex)
    samples = load(*arguments)
    back = {value: key for key, value in short.items()}
    samples = samples._replace(
        names=[f"'{back[name.split(chr(39))[1]]}'" for name in samples.names]
    )
    check(samples, study)
    assert capsys.readouterr().err.count("--id-regex") == ("(" in regex)
    code, _, said = run("fit", *arguments, "--C", "1", "-o", "m.skops")
    assert code == 0, said
    code, _, said = run("predict", "m.skops", "accel.csv", "gyro.csv", "-o", "p.csv")
    assert code == 0, said
    assert {*back} <= {*pd.read_csv("p.csv")["barcode"]}


def test_samples_of_one_patient_and_expressions_without_a_match_are_refused(folder, study, tables):
    labels, accel, _ = tables
    labels.to_csv("labels.csv")
    both = pd.concat([accel.rename(lambda one: f"{one}-01"), accel.rename(lambda one: f"{one}-11")])
    both.rename_axis("sample").to_csv("accel.csv")
    arguments = ("labels.csv", "accel.csv", "--target", "label", "--id", "sample", "--id-regex")
    message = r"'\^s\.\.' finds 's(\d\d)' in 2 ids of 'accel.csv': 's\1-01', 's\1-11'; keep one"
    with pytest.raises(UsageError, match=message):
        load(*arguments, "^s..")
    with pytest.raises(UsageError, match="--id-regex 'TCGA' is in none of the ids, such as 's00'"):
        load(*arguments, "TCGA")
    with pytest.raises(SystemExit):
        load(*arguments, "(")


@pytest.mark.parametrize(
    ("rename", "regex"),
    [
        ("{}-01A", r"begins with 's..': --id-regex .* '\^\.\{3\}', the first 3 characters"),
        ("S.{0[1]}{0[2]}", "differ in case or punctuation only: write them alike"),
    ],
)
@pytest.mark.parametrize("in_header", [False, True])
def test_ids_that_are_nearly_alike_are_told_how(folder, tables, rename, regex, in_header):
    labels, accel, _ = tables
    labels.to_csv("labels.csv")
    accel = accel.rename(index=rename.format)
    table = accel.T.rename_axis("feature") if in_header else accel.rename_axis("sample")
    table.to_csv("accel.csv")
    with pytest.raises(UsageError, match=regex):
        load("labels.csv", "accel.csv", "--target", "label", "--id", "sample")


def test_nothing_is_told_of_ids_that_are_not_alike(folder, tables):
    labels, accel, _ = tables
    labels.to_csv("labels.csv")
    accel.rename(index="x{}".format).rename_axis("sample").to_csv("accel.csv")
    with pytest.raises(UsageError, match=r"no id is in both files; .*such as 'xs\d\d'$"):
        load("labels.csv", "accel.csv", "--target", "label", "--id", "sample")


# ------------------------------------------------------------------------------ names of tables


def test_columns_of_the_same_name_are_told_apart_by_their_table(folder, study, tables):
    labels, accel, gyro = tables
    labels.assign(x=1.0).to_csv("labels.csv")
    accel.set_axis(["x", "y"], axis=1).to_csv("accel.csv")
    gyro.to_csv("gyro.csv")
    arguments = ("labels.csv", "accel.csv", "gyro.csv", "--target", "label", "--id", "sample")
    samples = load(*arguments, "--modality", "a=accel:x,accel:y", "--modality", "b=gyro:g*")
    assert samples.X.names == ["a", "b"]
    there = accel.loc[study["sample"]]
    np.testing.assert_allclose(samples.X["a"].to_numpy(), there.to_numpy(), rtol=1e-12)
    with pytest.raises(UsageError, match="--modality 'a': 'x' is no column of"):
        load(*arguments, "--modality", "a=gyro:x")
