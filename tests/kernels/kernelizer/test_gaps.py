"""A missing cell does not change the kernel that "auto" chooses for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ClinicalKernel,
    ColumnKernelizer,
    CosineKernel,
    GlobalAlignmentKernel,
    LinearKernel,
    MissingCellsWarning,
    MKLClassifier,
    Modalities,
    OverlapKernel,
    RBFKernel,
    UnknownCategoriesWarning,
)
from oracles.names import named

rng = np.random.default_rng(0)
N = 40
COMPLETE = rng.normal(size=(N, 120)) * np.arange(1, 121)
GAPS = COMPLETE.copy()
GAPS[3, 7] = np.nan
LABELS = np.arange(N) % 2
AUTO = ColumnKernelizer([("rna", "auto", "rna")])


def test_one_gap_changes_one_cell() -> None:
    with pytest.warns(MissingCellsWarning, match=r"^1 of 4800 cells are missing .* columns \[7\]"):
        stack = AUTO.fit_transform(Modalities(rna=GAPS))
    assert stack.names == ["rna:0.00833333 * linear + rbf"]
    both = LinearKernel() * (1 / 120) + RBFKernel()
    theirs = make_pipeline(SimpleImputer(), StandardScaler(), both)
    expected = ColumnKernelizer([("rna", theirs, "rna")]).fit_transform(Modalities(rna=GAPS))
    np.testing.assert_allclose(stack.gram(0), expected.gram(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, "polars"], ids=named)
def test_gaps_at_prediction_only(container: Any) -> None:
    if container == "polars":
        container = pytest.importorskip("polars").DataFrame
    AUTO.fit(Modalities(rna=container(COMPLETE)))
    filled = np.where(np.isnan(GAPS), COMPLETE.mean(axis=0), GAPS)
    expected = AUTO.transform(Modalities(rna=container(filled))).gram(0)
    with pytest.warns(MissingCellsWarning, match="1 of 4800 cells"):
        found = AUTO.transform(Modalities(rna=container(GAPS))).gram(0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::mkfusion.MissingCellsWarning")
@pytest.mark.parametrize("data", [COMPLETE, GAPS], ids=["complete", "gaps"])
def test_in_every_fold(data: np.ndarray) -> None:
    model = make_pipeline(AUTO, MKLClassifier())
    scores = cross_val_score(model, Modalities(rna=data), LABELS, cv=4, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.filterwarnings("ignore::mkfusion.MissingCellsWarning")
@pytest.mark.parametrize("n_columns", [1, 2, 120])
@pytest.mark.parametrize("value", [np.nan, 3.25], ids=["empty", "constant"])
def test_a_column_that_says_nothing_is_as_if_not_there(n_columns: int, value: float) -> None:
    told = COMPLETE[:, :n_columns]
    silent = np.full((N, 3), value)
    silent[: N // 2, 0] = np.nan  # a gap is no second value
    kernelizer = ColumnKernelizer([("rna", "auto", "rna")])
    stack = kernelizer.fit_transform(Modalities(rna=np.column_stack([told, silent])))
    expected = AUTO.fit_transform(Modalities(rna=told))
    assert stack.names == expected.names
    np.testing.assert_allclose(stack.gram(0), expected.gram(0), rtol=0, atol=1e-12)
    later = np.column_stack([told, np.full((N, 3), 1e6 if np.isnan(value) else value)])
    found = kernelizer.transform(Modalities(rna=later)).gram(0)
    np.testing.assert_allclose(found, expected.gram(0), rtol=0, atol=1e-12)


def test_columns_that_all_say_nothing() -> None:
    alike = Modalities(rna=np.full((N, 3), 7.0))
    gram = AUTO.fit_transform(alike).gram(0)
    np.testing.assert_allclose(gram, 1.0)  # no sample differs from another


def test_sparse_columns_of_pandas() -> None:
    dense = pd.DataFrame(rng.poisson(0.3, (N, 5)).astype(float), columns=list("abcde"))
    sparse = dense.astype(pd.SparseDtype(float, 0.0))
    kernelizer = ColumnKernelizer([("counts", "auto", list("abcde"))])
    expected = kernelizer.fit_transform(dense).gram(0)
    np.testing.assert_allclose(kernelizer.fit_transform(sparse).gram(0), expected)


# ----------------------------------------------------------------------------- what users are told


def test_unknown_categories() -> None:
    train = pd.DataFrame({"site": list("abab"), "age": [1.0, 2.0, 3.0, 4.0]})
    new = pd.DataFrame({"site": list("axyx"), "age": [9.0, 2.0, 3.0, 4.0]})
    for kernel in (ClinicalKernel(), OverlapKernel()):
        kernel.fit(train)
        message = r"column 'site' has some in 3 cells, such as \['x', 'y'\]"
        with pytest.warns(UnknownCategoriesWarning, match=message):
            kernel(new[["site", "age"]], train)
    numbers = ClinicalKernel().fit(pd.DataFrame({"age": [1.0, 1.0]}))  # constant, no categories
    numbers(pd.DataFrame({"age": [2.0]}))


def test_what_auto_says_of_levels(capsys: pytest.CaptureFixture[str]) -> None:
    item = pd.Categorical(["low", "high"] * 3, ["low", "high"])
    for ordered, words in ((True, "levels in the order of"), (False, "levels without an order")):
        table = pd.DataFrame({"item": item if not ordered else item.as_ordered()})
        kernelizer = ColumnKernelizer([("part", "auto", ["item"])], verbose=True)
        kernelizer.fit(table)
        assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kernel", "X", "message"),
    [
        (RBFKernel(), np.array([[0.0, np.nan]]), "contains NaN: 1 missing cells, the first in row"),
        ("auto", np.ones((3, 8, 8, 5)), "have 3 dimensions of float64.*Images are"),
        ("auto", [np.ones(3), np.ones(4)], r"\[x\[np.newaxis\] for x in X\]"),
        (
            GlobalAlignmentKernel(),
            [np.ones(3), np.ones(4)],
            r"X\[0\] has shape \(3,\).*\[series\[np.newaxis\] for series in X\]",
        ),
        (
            GlobalAlignmentKernel(),
            np.array([[[1.0, 2.0, 3.0]], [[1.0, 2.0, np.nan]]]),
            r"X\[1\] is nan.*ends in NaN from time step 2 on: series of different lengths are a li",
        ),
        (
            make_pipeline(TfidfVectorizer(), CosineKernel()),
            pd.DataFrame({"note": ["calm", "loud", "calm"]}),
            "begins with a TfidfVectorizer, which takes texts in one dimension, but modality 'm'",
        ),
    ],
)
def test_messages(kernel: Any, X: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        ColumnKernelizer([("part", kernel, "m")]).fit(Modalities(m=X))


def test_a_list_of_one_column_is_refused_by_what_wants_texts() -> None:
    table = pd.DataFrame({"note": ["calm", "loud", "calm"]})
    kernel = make_pipeline(TfidfVectorizer(), CosineKernel())
    message = r"its columns are \['note'\]; expected 'note' without a list"
    with pytest.raises(ValueError, match=message):
        ColumnKernelizer([("part", kernel, ["note"])]).fit(table)
    ColumnKernelizer([("part", kernel, "note")]).fit(table)
