"""Advice of the library is given in options on the command line: against what it really says."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from mkfusion import (
    ColumnKernelizer,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLClassifierCV,
    MKLRegressor,
    MKLSurvivalAnalysis,
    Modalities,
)
from mkfusion.cli._remedies import in_options
from mkfusion.mkl import _needs, _validation

rng = np.random.default_rng(0)
N = 40
X = rng.normal(size=(N, 3))
Y = np.tile(["calm", "loud"], N // 2)
GRAMS = [X @ X.T, (X @ X.T + 1.0) ** 2]
# Calls, arguments, and names that only Python knows
PYTHON = re.compile(r"\w\(|[a-z]=[\"'A-Za-z]|[a-z]{2}[A-Z]|Raise|\b(max_\w+|cache_size|tol or)\b")


def long_and_large(monkeypatch, seconds=1e9, free=np.inf):
    monkeypatch.setattr(_needs, "MANY_SAMPLES", N)
    monkeypatch.setattr(_needs, "_NEGLIGIBLE", 0)
    monkeypatch.setattr(_needs, "free_memory", lambda: free)
    monkeypatch.setattr(_needs, "_seconds_per_value", lambda stack: seconds)
    monkeypatch.setattr(_validation, "IN_MEMORY_BYTES", 0)


def on_demand():
    return ColumnKernelizer([("a", "linear", [0]), ("b", "rbf", [1, 2])]).fit_transform(X)


def lacking():
    gaps = X.copy()
    gaps[0] = np.nan
    return Modalities(a=X, b=gaps)


def survival():
    y = np.array([(True, 1.0)], dtype=[("event", bool), ("time", float)]).repeat(N)
    y["time"] += np.arange(N)
    return y


ADVICE = {
    "constant": (lambda: MKLClassifier().fit([GRAMS[0], 1e9 + GRAMS[1]], Y), "--kernel NAME=rbf"),
    "identity": (lambda: MKLClassifier().fit([GRAMS[0], np.eye(N)], Y), "--exclude"),
    "gap": (lambda: MKLClassifier(tol=1e-12, max_iter=1).fit(GRAMS, Y), "--C of mkfusion fit"),
    "folds": (
        lambda: MKLClassifierCV(tol=1e-12, max_iter=1, refit=False, cv=2).fit(GRAMS, Y),
        "--C of mkfusion fit",
    ),
    "gates": (lambda: LocalizedMKLClassifier(max_iter=1, n_init=1).fit(GRAMS, Y), "reached"),
    "modality": (
        lambda: ColumnKernelizer(
            [("a", "linear", "a"), ("b", "linear", "b")], missing="marginalise"
        ).fit(lacking()),
        "--missing keep.*--exclude",
    ),
}


@pytest.mark.parametrize("case", ADVICE)
def test_warnings_advise_what_a_command_can_be_told(case):
    warn, option = ADVICE[case]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn()
    found = [str(one.message) for one in told if PYTHON.search(str(one.message))]
    assert found  # as Python is told
    said = list(map(in_options, found))
    assert [one for one in said if PYTHON.search(_without_state(one))] == []
    assert any(re.search(option, one) for one in said)


def _without_state(message):
    """What stands at which value, before any advice."""
    return re.sub(
        r"\(?(max_iter|max_time|tol)=[\w.e-]+|\bMKL\w+|\bLocalizedMKL\w+|k\(x, x\)", "", message
    )


@pytest.mark.parametrize(
    ("fit", "option"),
    [
        (lambda: MKLClassifier().fit(on_demand(), Y), "Fewer samples"),
        (lambda: LocalizedMKLClassifier(n_init=1).fit(on_demand(), Y), "--methods"),
    ],
    ids=["MKL", "localized"],
)
def test_advice_on_what_takes_long(fit, option, monkeypatch):
    long_and_large(monkeypatch)
    with pytest.warns(UserWarning, match="of memory") as told:
        fit()
    said = in_options(told[0].message)
    assert option in said and not PYTHON.search(_without_state(said))


@pytest.mark.parametrize(
    ("fit", "option"),
    [
        (lambda: MKLClassifier().fit(on_demand(), Y), "Take fewer samples"),
        (lambda: MKLRegressor(loss="squared_error").fit(on_demand(), X[:, 0]), "take fewer"),
        (lambda: MKLSurvivalAnalysis().fit(on_demand(), survival()), "take fewer"),
        (lambda: LocalizedMKLClassifier().fit(on_demand(), Y), "take fewer; or leave localized"),
    ],
    ids=["hinge", "squares", "survival", "localized"],
)
def test_advice_on_what_takes_too_much_memory(fit, option, monkeypatch):
    long_and_large(monkeypatch, free=10.0)
    with pytest.raises(MemoryError) as refused:
        fit()
    said = in_options(refused.value)
    assert option in said and not PYTHON.search(_without_state(said))


def test_what_names_no_python_stays_as_it_is():
    for said in ("3 of 40 samples lack the modality 'gyro', and are kept", "a  b", ""):
        assert in_options(said) == " ".join(said.split())


def test_fit_advises_options(folder, study, run):
    """A kernel of very many columns of noise is nearly the identity."""
    noise = np.random.default_rng(1).normal(size=(len(study), 3000)).round(3)
    names = [f"n{j}" for j in range(noise.shape[1])]
    wide = pd.concat([study, pd.DataFrame(noise, columns=names)], axis=1)
    wide.to_csv("wide.csv", index=False)
    asked = ("fit", "wide.csv", "--target", "label", "--modality", "accel=ax,ay", "--C", 1)
    code, _, complaint = run(*asked, "--modality", "noise=n*", "-o", "m.skops")
    assert code == 0
    said = " ".join(complaint.split())
    assert "Kernel 'noise:" in said and "nearly a multiple of the identity" in said
    assert "(--exclude), take another kernel (--kernel NAME=linear)" in said
    assert "KernelCombiner" not in said
