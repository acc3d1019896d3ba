"""Missing modalities as users meet them: in pipelines, at predict, in messages."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ClinicalKernel,
    ColumnKernelizer,
    Kernelizer,
    LinearKernel,
    MissingModalityWarning,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from mkfusion.compare import compare_fusion
from mkfusion.datasets import load_mfeat

NAN = np.nan
rng = np.random.default_rng(0)
Y = np.arange(30) % 3
ACCEL = rng.normal(size=(30, 4)) + Y[:, np.newaxis]
GYRO = ACCEL[:, :2] @ rng.normal(size=(2, 5)) + rng.normal(size=(30, 5))
NOTES = [["calm", "loud", "odd"][label] for label in Y]
X = Modalities(accel=ACCEL, gyro=GYRO, notes=NOTES)
KERNELS = [
    ("accel", RBFKernel(), "accel"),
    ("gyro", ["rbf", "linear"], "gyro"),
    ("notes", make_pipeline(TfidfVectorizer(), LinearKernel()), "notes"),
]
either = pytest.mark.parametrize("missing", ["marginalise", "impute"])


def make(missing: str, **parameters: Any) -> ColumnKernelizer:
    return ColumnKernelizer(KERNELS, missing=missing, **parameters)


def gappy() -> Modalities:
    """Some samples lack one modality, and some lack two."""
    accel, gyro, notes = ACCEL.copy(), GYRO.copy(), list(NOTES)
    accel[[1, 5, 6]] = NAN
    gyro[[5, 9, 28]] = NAN
    notes[2] = notes[6] = None
    return Modalities(accel=accel, gyro=gyro, notes=notes)


# -------------------------------------------------------------------------------- what is learned


@either
def test_kernels_see_the_present_samples_only(missing: str) -> None:
    """What is learned is what the present samples alone would give, with their targets."""
    seen = []

    class Choice(SelectKBest):
        def fit(self, X, y):
            seen.append((X, y))
            return super().fit(X, y)

    samples = gappy()
    there = samples.present()
    kernels = [
        ("accel", make_pipeline(Choice(k=2), RBFKernel()), "accel"),
        ("gyro", RBFKernel(), "gyro"),
    ]
    rows = np.flatnonzero(there[:, :2].any(axis=1))
    kernelizer = ColumnKernelizer(kernels, missing=missing).fit(samples[rows], Y[rows])
    known = there[rows, 0]
    np.testing.assert_array_equal(seen[0][0], ACCEL[rows][known])
    np.testing.assert_array_equal(seen[0][1], Y[rows][known])
    expected = RBFKernel().fit(GYRO[rows][there[rows, 1]]).gamma_
    assert kernelizer.kernels_[1].gamma_ == expected


@either
@pytest.mark.parametrize("normalize", ["cosine", "trace", "center", None])
def test_new_samples_are_completed_by_themselves(missing: str, normalize: str | None) -> None:
    samples = gappy()
    kernelizer = make(missing, normalize=normalize).fit(samples)
    before = np.asarray(kernelizer.transform(samples[[5, 0]]))
    # Others beside them, and other samples in between, change nothing.
    together = np.asarray(kernelizer.transform(samples))
    np.testing.assert_allclose(together[[5, 0]], before, rtol=1e-10, atol=1e-12)
    kernelizer.transform(Modalities(accel=100 * ACCEL, gyro=None, notes=NOTES))
    np.testing.assert_array_equal(np.asarray(kernelizer.transform(samples[[5, 0]])), before)
    # Training samples get what they have in training.
    square = np.asarray(kernelizer.fit_transform(samples))
    np.testing.assert_allclose(together, square, rtol=1e-9, atol=1e-12)


@either
def test_nothing_is_evaluated_for_missing_samples(missing: str) -> None:
    pairs = []

    def count(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        assert np.isfinite(x).all()
        pairs.append(len(x) * len(z))
        return x @ z.T

    samples = gappy()
    kernels = [("accel", count, "accel"), ("gyro", LinearKernel(), "gyro")]
    rows = np.flatnonzero(samples.present()[:, :2].any(axis=1))
    kernelizer = ColumnKernelizer(kernels, missing=missing, normalize=None).fit(samples[rows])
    stack = kernelizer.transform(Modalities(gyro=GYRO[:7]))
    pairs.clear()
    stack.select([1]).combine([1.0])
    assert not pairs
    if missing == "marginalise":
        np.testing.assert_array_equal(stack.gram(0), 0.0)
        assert not pairs


# ------------------------------------------------------------------------------------ at predict


@either
def test_a_modality_that_is_not_there(missing: str) -> None:
    kernelizer = make(missing).fit(gappy())
    expected = np.asarray(kernelizer.transform(Modalities(accel=ACCEL[:4], notes=NOTES[:4])))
    for gyro in (None, np.full((4, 5), NAN), [None] * 4):
        samples = Modalities(accel=ACCEL[:4], gyro=gyro, notes=NOTES[:4])
        np.testing.assert_array_equal(np.asarray(kernelizer.transform(samples)), expected)
    stack = kernelizer.transform(Modalities(notes=["calm"]))
    assert stack.shape == (1, 30, 4)
    for k, name in enumerate(stack.names):
        assert stack.gram(k).any() == (missing == "impute" or name.startswith("notes"))


def test_what_is_known_of_the_other_modality_is_imputed() -> None:
    """One modality is a linear function of the other, so nothing is lost; or they are unrelated."""
    mixed = ACCEL @ rng.normal(size=(4, 3))
    samples = Modalities(accel=ACCEL, mixed=mixed, other=rng.normal(size=(30, 30)))
    kernels = [("accel", "linear", "accel"), ("mixed", "linear", "mixed")]
    kernelizer = ColumnKernelizer(kernels, normalize="center", missing="impute").fit(samples)
    assert kernelizer.imputation_scores_["mixed"] > 0.999
    found = kernelizer.transform(Modalities(accel=ACCEL)).gram("mixed:linear")
    expected = kernelizer.transform(samples).gram("mixed:linear")
    np.testing.assert_allclose(found, expected, atol=1e-2 * np.abs(expected).max())
    kernels.append(("other", "linear", "other"))
    scores = ColumnKernelizer(kernels, missing="impute").fit(samples).imputation_scores_
    assert list(scores) == ["accel", "mixed", "other"]
    assert abs(scores["other"]) < 0.3 < 0.8 < scores["mixed"]


def test_entries_of_one_modality_do_not_predict_each_other() -> None:
    kernels = [("rbf", RBFKernel(), "accel"), ("linear", "linear", "accel")]
    kernelizer = ColumnKernelizer(kernels, missing="impute").fit(X)
    assert np.isnan(list(kernelizer.imputation_scores_.values())).all()
    kernelizer = make("marginalise").fit(X)
    assert not hasattr(kernelizer, "imputation_scores_")


def test_co_learning() -> None:
    """Trained with two views of numerals, predicting with one, against training with that one."""
    data, target = load_mfeat(return_X_y=True)
    shuffled = np.random.default_rng(0).permutation(len(target))
    train, test = shuffled[:300], shuffled[300:1300]

    def score(view: str, missing: str, views: list[str]) -> float:
        scaled = make_pipeline(StandardScaler(), RBFKernel())
        kernels = [(name, scaled, name) for name in views]
        model = make_pipeline(ColumnKernelizer(kernels, missing=missing), MKLClassifier(C=10, p=2))
        model.fit(data[train], target[train])
        return float(model.score(Modalities({view: data[view][test]}), target[test]))

    for view in ("fou", "zer"):
        alone = score(view, "error", [view])
        assert score(view, "impute", ["fou", "zer"]) > alone - 0.02
        # Half a model is worse than one made for the half, and better than chance.
        assert 0.4 < score(view, "marginalise", ["fou", "zer"]) < alone


# ------------------------------------------------------------------- as a scikit-learn citizen


# Some of its widths are far too small for 20 samples.
@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
@either
def test_in_a_grid_search(missing: str) -> None:
    model = make_pipeline(make("error"), MKLClassifier())
    grid = {
        "columnkernelizer__missing": ["marginalise", "impute"],
        "columnkernelizer__accel__gamma": [0.1, 1.0],
    }
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(gappy(), Y)
    assert search.best_score_ > 0.5
    model.set_params(columnkernelizer__missing=missing).fit(gappy(), Y)
    assert model.predict(Modalities(accel=ACCEL[:5])).shape == (5,)


@either
def test_copies_and_jobs(missing: str) -> None:
    samples = gappy()
    kernelizer = make(missing, normalize="center", n_jobs=2).fit(samples)
    expected = np.asarray(kernelizer.transform(samples))
    for other in (
        pickle.loads(pickle.dumps(kernelizer)),
        clone(kernelizer).fit(samples),
        clone(kernelizer).set_params(n_jobs=None).fit(samples),
    ):
        np.testing.assert_array_equal(np.asarray(other.transform(samples)), expected)
    # What was fitted is what counts.
    kernelizer.set_params(missing="error")
    np.testing.assert_array_equal(np.asarray(kernelizer.transform(samples)), expected)


@either
def test_tables(missing: str) -> None:
    table = pd.DataFrame({"a": ACCEL[:, 0], "b": ACCEL[:, 1], "kind": NOTES}, index=range(30, 60))
    table.loc[[31, 35], ["a", "b"]] = NAN
    table.loc[36, "kind"] = None
    kernels = [("numbers", "rbf", ["a", "b"]), ("kind", ClinicalKernel(), ["kind"])]
    with pytest.raises(
        ValueError, match=r"entry 'numbers' is missing .* in 2 of 30 samples: 1, 5;"
    ):
        ColumnKernelizer(kernels).fit(table)
    stack = ColumnKernelizer(kernels, missing=missing).fit_transform(table)
    nothing = stack.gram(0)[1] if missing == "marginalise" else np.zeros(1)
    assert not nothing.any()
    assert stack.gram(1)[1].any()
    # Some gaps in a row are not a missing modality.
    table.loc[40, "a"] = NAN
    with pytest.raises(ValueError, match="^numbers:rbf: Input X contains NaN"):
        ColumnKernelizer(kernels, missing=missing).fit(table)


def test_kernels_that_take_gaps_are_left_to_it() -> None:
    table = pd.DataFrame({"age": ACCEL[:, 0], "kind": NOTES})
    table.loc[3] = [NAN, None]
    clinical = [("all", [ClinicalKernel(), 2.0 * ClinicalKernel()], ["age", "kind"])]
    assert ColumnKernelizer(clinical).fit_transform(table).gram(0)[3].any()
    filled = [("age", make_pipeline(SimpleImputer(), "rbf"), ["age"])]
    assert ColumnKernelizer(filled).fit_transform(table).gram(0)[3].any()
    # A scaler takes gaps as well, and passes them on.
    scaled = [("age", make_pipeline(StandardScaler(), "rbf"), ["age"])]
    message = r"^age:rbf: entry 'age' is missing .* in 1 of 30 samples: 3;.* missing='marginalise'"
    with pytest.raises(ValueError, match=message):
        ColumnKernelizer(scaled).fit(table)
    with pytest.raises(ValueError, match=message):
        ColumnKernelizer(scaled).fit(table.drop(index=3)).transform(table)
    strict = [("all", [ClinicalKernel(), ClinicalKernel(missing="error")], ["age", "kind"])]
    with pytest.raises(ValueError, match="entry 'all' is missing .* in 1 of 30 samples: 3;"):
        ColumnKernelizer(strict).fit(table)


@either
def test_auto_looks_at_what_is_there(missing: str) -> None:
    kernels = [(name, "auto", name) for name in ("accel", "gyro")]
    samples = gappy()
    rows = np.flatnonzero(samples.present()[:, :2].any(axis=1))
    kernelizer = ColumnKernelizer(kernels, missing=missing).fit(samples[rows])
    assert kernelizer.kernel_names_ == ColumnKernelizer(kernels).fit(X).kernel_names_


# --------------------------------------------------------------------------------------- refused


def test_refused_by_default() -> None:
    message = (
        r"modality 'gyro' is missing \(None, or NaN throughout\) in 3 of 30 samples: 5, 9, 28; "
        r"missing='error' expects it in all of them\. missing='marginalise' goes .* "
        r"missing='impute' predicts it"
    )
    complete = Modalities(accel=ACCEL, gyro=gappy()["gyro"], notes=NOTES)
    with pytest.raises(ValueError, match=message):
        make("error").fit(complete)
    with pytest.raises(ValueError, match=message):
        make("error").fit(X).transform(complete)
    with pytest.raises(ValueError, match="in 30 of 30 samples: 0, 1, 2, 3, 4, ...; missing="):
        make("error").fit(X).transform(Modalities(accel=ACCEL, gyro=None, notes=NOTES))
    with pytest.raises(ValueError, match="columns of 'gyro' asks for the unknown modality 'gyro'"):
        make("error").fit(X).transform(Modalities(accel=ACCEL, notes=NOTES))


@either
def test_refused(missing: str) -> None:
    nothing = Modalities(accel=np.full((2, 4), NAN), gyro=GYRO[:2], notes=NOTES[:2])
    with pytest.raises(ValueError, match="no training sample has 'accel' .*expected some to fit"):
        make(missing).fit(nothing)
    with pytest.raises(ValueError, match="no training sample has 'accel'"):
        make(missing).fit(Modalities(accel=None, gyro=GYRO, notes=NOTES))
    chosen = ColumnKernelizer([("a", "auto", [0]), ("b", "auto", [1])], missing=missing)
    with pytest.raises(ValueError, match=r"no training sample has 'b' \(None, or NaN throughout\)"):
        chosen.fit(np.column_stack([GYRO[:, 0], np.full(len(GYRO), NAN)]))
    empty = gappy()
    empty["accel"][4], empty["gyro"][4], empty["notes"][4] = NAN, NAN, None
    message = r"1 of 30 samples have none of \['accel', 'gyro', 'notes'\]: 4; expected at least one"
    kernelizer = make(missing)
    with pytest.raises(ValueError, match=message):
        kernelizer.fit(empty)
    assert not hasattr(kernelizer, "kernels_")
    kernelizer.fit(X)
    with pytest.raises(ValueError, match=message):
        kernelizer.transform(empty)
    with pytest.raises(ValueError, match="columns of 'gyro' asks for the unknown modality"):
        make(missing).fit(Modalities(accel=ACCEL, notes=NOTES))
    with pytest.raises(
        ValueError, match=r"modalities \['giro'\], which fit did not see, and lacks"
    ):
        kernelizer.transform(Modalities(accel=ACCEL, giro=GYRO, notes=NOTES))
    assert kernelizer.transform(Modalities(accel=ACCEL, gyro=GYRO, notes=NOTES, more=GYRO)).shape
    some = GYRO.copy()
    some[3, 1] = NAN
    with pytest.raises(ValueError, match="^gyro:rbf: Input X contains NaN"):
        make(missing).fit(Modalities(accel=ACCEL, gyro=some, notes=NOTES))


def test_unknown_ways() -> None:
    for missing in ("drop", ["impute"], None):
        with pytest.raises(
            ValueError, match='missing is .*; expected "error", "marginalise" or "i'
        ):
            make(missing).fit(X)


def test_nothing_to_predict_from() -> None:
    accel, gyro = ACCEL.copy(), GYRO.copy()
    accel[:15] = gyro[15:] = NAN
    apart = Modalities(accel=accel, gyro=gyro)
    kernels = [("accel", "rbf", "accel"), ("gyro", "rbf", "gyro")]
    with pytest.raises(ValueError, match=r"predict 'accel' from \['gyro'\], but 0 of the training"):
        ColumnKernelizer(kernels, missing="impute").fit(apart)
    gram = ColumnKernelizer(kernels, missing="marginalise").fit_transform(apart).combine([1.0, 1.0])
    assert not gram[:15, 15:].any()
    np.testing.assert_allclose(np.diagonal(gram), 2.0)


def test_a_bound_kernel_says_that_a_modality_is_not_there() -> None:
    kernelizer = Kernelizer([RBFKernel().on("accel")])
    with pytest.raises(ValueError, match="asks for the modality 'accel', which no sample has"):
        kernelizer.fit(Modalities(accel=None, gyro=GYRO))


# --------------------------------------------------------------- what marginalising does not learn


@pytest.mark.parametrize("missing", ["marginalise", "impute", "error"])
@pytest.mark.parametrize("n_without", [0, 7, 8])
def test_advice_where_few_training_samples_lack_a_modality(missing, n_without):
    """Less than a fifth of 40 are less than 8."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 40, 2))
    one[20:28], other[:n_without] = np.nan, np.nan
    if missing == "error":
        one, other = np.nan_to_num(one), np.nan_to_num(other)
    X = Modalities(one=one, other=other)
    kernels = [("one", "rbf", "one"), ("other", ["rbf", "linear"], "other")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = ColumnKernelizer(kernels, missing=missing).fit(X)
        fitted.transform(X[20:])
    said = [w.message for w in caught if w.category is MissingModalityWarning]
    assert len(said) == (missing == "marginalise" and n_without < 8)
    for message in said:
        assert "lack 'other': " in str(message)
        assert "LateFusionClassifier(missing='marginalise')" in str(message)


def test_no_advice_to_a_single_modality_and_in_comparisons():
    rng = np.random.default_rng(0)
    X = Modalities(a=rng.normal(size=(40, 2)), b=rng.normal(size=(40, 2)))
    X["b"][::10] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MissingModalityWarning)
        kernels = [("one", "rbf", "a"), ("more", "linear", "a")]
        ColumnKernelizer(kernels, missing="marginalise").fit(X)
        compare_fusion(X, np.tile([0, 1], 20), fast=True, cv=2, methods=["uniform"])
    assert not [one for one in caught if one.category is MissingModalityWarning]
