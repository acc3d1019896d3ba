"""An interrupted or killed comparison goes on from what was finished, and shows how far it is."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest

from mkfusion import Modalities
from mkfusion.compare import _evaluate as evaluate, compare_fusion
from mkfusion.compare._data import fingerprint


def one_suffices(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], n // 2))
    useful = y[:, np.newaxis] * 1.5 + rng.normal(size=(n, 2))
    return Modalities(useful=useful, noise=rng.normal(size=(n, 3))), y


PIECES = {"fast": True, "cv": 3, "methods": ["uniform", "l1_mkl"]}  # 5 methods on 3 folds


def count_fits(monkeypatch, interrupt_at=None):
    """Count outer evaluations from now on, and stop at one of them."""
    counted = []
    score = evaluate._score

    def counting(method, params, split, metrics):
        if len(metrics) > 1:  # the outer fold has all metrics
            counted.append(method.label)
            if len(counted) == interrupt_at:
                raise KeyboardInterrupt
        return score(method, params, split, metrics)

    monkeypatch.setattr(evaluate, "_score", counting)
    return counted


def test_an_interrupted_comparison_goes_on(tmp_path, monkeypatch):
    X, y = one_suffices()
    whole = compare_fusion(X, y, **PIECES)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        count_fits(patched, interrupt_at=8)
        compare_fusion(X, y, memory=tmp_path, **PIECES)
    with monkeypatch.context() as patched:
        counted = count_fits(patched)
        resumed = compare_fusion(X, y, memory=tmp_path, **PIECES)
        assert len(counted) == 15 - 7
        compare_fusion(X, y, memory=str(tmp_path), **PIECES)
        assert len(counted) == 15 - 7
        # Another seed, other data or metrics are another comparison; one more method is not.
        compare_fusion(X, y, memory=tmp_path, **{**PIECES, "methods": ["uniform", "early"]})
        assert len(counted) == 15 - 7 + 3
        compare_fusion(X, y, memory=tmp_path, random_state=1, **PIECES)
        assert len(counted) == 15 - 7 + 3 + 15
    for one in whole.summary_:
        np.testing.assert_array_equal(resumed.scores(one.method), whole.scores(one.method))


CHILD = """
import sys
import numpy as np
from mkfusion import Modalities
from mkfusion.compare import compare_fusion
data = np.load(sys.argv[1])
X = Modalities(useful=data["useful"], noise=data["noise"])
compare_fusion(X, data["y"], cv=5, fast=True, methods=["uniform"], memory=sys.argv[2])
"""


def test_a_killed_comparison_goes_on(tmp_path):
    X, y = one_suffices()
    np.savez(tmp_path / "data.npz", useful=X["useful"], noise=X["noise"], y=y)
    memory = tmp_path / "memory"
    child = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path / "data.npz", memory])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(memory.rglob("output.pkl"))) < 10:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = {path: path.stat().st_mtime_ns for path in memory.rglob("output.pkl")}
    assert len(before) >= 10
    found = compare_fusion(X, y, cv=5, fast=True, methods=["uniform"], memory=memory)
    after = {path: path.stat().st_mtime_ns for path in memory.rglob("output.pkl")}
    assert before.items() <= after.items()
    # and of the alignment, of information, and of the features on each fold
    assert len(after) == len(found.results_) + 2 + 5


def test_damaged_pieces_are_made_again_without_a_word(tmp_path, caplog):
    X, y = one_suffices()
    first = compare_fusion(X, y, memory=tmp_path, **PIECES)
    for piece in tmp_path.rglob("output.pkl"):
        piece.write_bytes(piece.read_bytes()[:20])
    again = compare_fusion(X, y, memory=tmp_path, **PIECES)
    assert not caplog.records
    np.testing.assert_array_equal(again.scores("L1 MKL"), first.scores("L1 MKL"))


@pytest.mark.filterwarnings("always:a word to users")
def test_warnings_of_other_processes_are_said_here(capfd):
    X, y = one_suffices()

    def warns(model, X, y):  # here, since other processes cannot import the tests
        warnings.warn("a word to users", UserWarning, stacklevel=1)
        return model.score(X, y)

    with pytest.warns(UserWarning) as caught:
        compare_fusion(X, y, scoring={"warns": warns}, n_jobs=2, **PIECES)
    assert 1 <= len([one for one in caught if str(one.message) == "a word to users"]) <= 3
    assert "a word to users" not in capfd.readouterr().err


def test_metrics_that_cannot_be_named_on_disk_are_refused(tmp_path):
    X, y = one_suffices()
    with pytest.raises(ValueError, match="scoring cannot be pickled"):
        compare_fusion(X, y, scoring=lambda m, X, y: 0.0, memory=tmp_path, **PIECES)


def test_fingerprints_tell_values_and_nothing_else():
    table = pd.DataFrame({"a": ["x" * 2, "y"], "b": [1.0, 2.0]})
    same = pd.DataFrame({"a": ["".join(["x", "x"]), "y"], "b": [1.0, 2.0]})
    assert fingerprint(table) == fingerprint(same)
    different = [
        table,
        table.assign(b=[1.0, 3.0]),
        table.rename(columns={"b": "c"}),
        ["xx", "y"],
        ["xxy", ""],
        np.array([1.0, 2.0]),
        np.array([[1.0, 2.0]]),
        [np.zeros(2), np.zeros(3)],
        [np.zeros(3), np.zeros(2)],
        None,
    ]
    assert len({fingerprint(one) for one in different}) == len(different)
    X, _ = one_suffices()
    assert fingerprint(X) != fingerprint(X[::-1])


# ---------------------------------------------------------------------------- progress


def test_progress_goes_to_standard_error_if_wanted(capsys):
    X, y = one_suffices()
    compare_fusion(X, y, verbose=True, **PIECES)
    shown = capsys.readouterr()
    assert shown.out == ""
    said = shown.err
    assert said.index("Information: ") < said.index("[0/15] 5 methods on 3 folds")
    assert said.index("[5/15]") < said.index("about ") < said.index("[6/15]")
    assert "[15/15] L1 MKL: done" in shown.err
    compare_fusion(X, y, **PIECES)
    assert capsys.readouterr().err == ""
    compare_fusion(X, y, verbose=True, n_jobs=2, **PIECES)
    assert "[15/15] fold 3 of 3: done" in capsys.readouterr().err
