"""Types and gaps of real files: dates, decimals, folders, cells that are empty."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow")

TWO = ("--target", "label", "--modality", "a=seen,price", "--modality", "g=g1,g2", "--C", "1")


@pytest.fixture
def table(study):
    """The study with a date and a price that say something of the label."""
    days = (study["label"] == "loud").to_numpy() * 40 + np.arange(40) % 30
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    return study.assign(seen=dates, price=(days + 0.25))


def test_days_and_decimals_of_parquet_are_dates_and_numbers(folder, table, run):
    """The same model and predictions as of timestamps and floats."""
    table.to_parquet("plain.parquet")
    exact = table.assign(
        seen=[moment.date() for moment in table["seen"]],
        price=[Decimal(str(price)) for price in table["price"]],
    )
    exact.to_parquet("exact.parquet")  # date32 and decimal128
    for name in ("plain", "exact"):
        code, _, complaint = run("fit", f"{name}.parquet", *TWO, "-o", f"{name}.skops")
        assert code == 0, complaint
    answers = []
    for model in ("plain", "exact"):
        for data in ("plain", "exact"):
            code, _, complaint = run("predict", f"{model}.skops", f"{data}.parquet", "-o", "p.csv")
            assert code == 0, complaint
            answers.append(pd.read_csv("p.csv"))
    for answer in answers[1:]:
        pd.testing.assert_frame_equal(answer, answers[0])


def test_a_gap_changes_neither_kernel_nor_readiness_to_predict(folder, study, run):
    options = ("--target", "label", "--modality", "a=ax,ay", "--modality", "g=g1,g2", "--C", "1")
    gaps = study.assign(ax=study["ax"].where(study.index != 3))
    gaps.to_csv("gaps.csv", index=False)
    study.to_csv("whole.csv", index=False)
    for name in ("gaps", "whole"):
        code, shown, complaint = run("fit", f"{name}.csv", *options, "-o", f"{name}.skops")
        assert code == 0, complaint
        assert shown.count("StandardScaler + (0.5 * linear + rbf)") == 2
        told = "modality 'a': 1 of 80 cells are empty, and are filled by the mean" in complaint
        assert told == (name == "gaps")
        code, _, complaint = run("predict", f"{name}.skops", "gaps.csv", "-o", "p.csv")
        assert code == 0, complaint
        assert complaint.count("1 of 80 cells are empty") == complaint.count("cells are") == 1
        assert len(pd.read_csv("p.csv")) == len(study)


def test_gaps_are_told_once_for_all_folds(folder, study, run):
    study.assign(ax=study["ax"].where(study.index % 7 != 3)).to_csv("gaps.csv", index=False)
    options = ("--target", "label", "--modality", "a=ax,ay", "--modality", "g=g1,g2")
    code, _, complaint = run("fit", "gaps.csv", *options, "-o", "m.skops")
    assert code == 0, complaint
    assert complaint.count("cells are") == 1


def test_a_folder_of_parquet_files_is_refused_with_the_remedy(folder, table, run):
    table.to_parquet("parts", partition_cols=["label"])
    code, _, complaint = run("fit", "parts", *TWO, "-o", "m.skops")
    assert code == 2
    assert "pandas.read_parquet('parts').to_parquet('parts.parquet')" in complaint
