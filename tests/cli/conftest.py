"""Tables of a small study, and a way to run commands."""

import numpy as np
import pandas as pd
import pytest

from mkfusion import cli


@pytest.fixture(scope="session")
def study():
    """40 samples of two modalities, with ids, subjects and targets."""
    rng = np.random.default_rng(0)
    n = 40
    label = np.tile(["calm", "loud"], n // 2)
    shift = np.where(label == "loud", 1.2, 0.0)
    return pd.DataFrame(
        {
            "sample": [f"s{i:02}" for i in range(n)],
            "label": label,
            "subject": np.repeat(np.arange(10), 4),
            "ax": rng.normal(size=n) + shift,
            "ay": rng.normal(size=n),
            "g1": rng.normal(size=n) + shift,
            "g2": rng.normal(size=n),
            "size": rng.normal(size=n) + shift,
        }
    ).round(4)  # numbers that any reader of texts reads alike


@pytest.fixture
def folder(study, tmp_path, monkeypatch):
    """A folder with the study as one table, and with one file for each modality."""
    monkeypatch.chdir(tmp_path)
    study.to_csv("data.csv", index=False)
    study[["sample", "label"]].to_csv("labels.csv", index=False)
    order = np.random.default_rng(1)
    for name, columns in (("accel", ["ax", "ay"]), ("gyro", ["g1", "g2"])):
        shuffled = study[["sample", *columns]].iloc[order.permutation(len(study))]
        shuffled.to_csv(f"{name}.csv", index=False)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command line; return its exit code, what it said and what it complained about."""

    def call(*arguments):
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call
