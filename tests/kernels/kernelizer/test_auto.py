"""What kernel="auto" stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ClinicalKernel,
    ColumnKernelizer,
    CosineKernel,
    Kernelizer,
    MissingCellsWarning,
    MKLClassifier,
    Modalities,
    OverlapKernel,
    RBFKernel,
)
from mkfusion.kernels.kernelizer._auto import choose_kernel
from mkfusion.kernels.signals._alignment import GlobalAlignmentKernel
from oracles.names import named

rng = np.random.default_rng(0)
N = 60
WORDS = ["pain", "fever", "cough", "left", "right", "chest", "since", "monday", "severe", "mild"]
TEXTS = [" ".join(rng.choice(WORDS, 6)) for _ in range(N)]
CODES = [f"{i:05d}" for i in range(N)]
TABLE = pd.DataFrame(
    {
        "age": rng.normal(60, 10, N),
        "weight": rng.normal(70, 8, N),
        "visits": rng.integers(0, 9, N),
        "site": rng.choice(["A", "B", "C"], N),
        "blood": pd.Categorical(rng.choice(["0", "A", "B", "AB"], N)),
        "grade": pd.Categorical(rng.choice(["I", "II"], N), ["I", "II"], ordered=True),
        "smoker": rng.random(N) < 0.5,
        "seen": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, N), unit="D"),
        "lab": np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N)),
        "zip": CODES,
        "ward": pd.Categorical(CODES),
        "note": TEXTS,
    }
)
NUMBERS = TABLE[["age", "weight"]].to_numpy()


def kinds(kernel) -> list[str]:
    steps = [step for _, step in kernel.steps] if isinstance(kernel, Pipeline) else [kernel]
    return [type(step).__name__ for step in steps]


SCALED = ["MeanFiller", "StandardScaler", "RBFKernel"]
EMBEDDED = ["MeanFiller", "StandardScaler", "CosineKernel"]
CLINICAL = ["ClinicalKernel"]
OVERLAP = ["OverlapKernel"]
TEXT = ["TfidfVectorizer", "CosineKernel"]


@pytest.mark.filterwarnings("ignore::mkfusion.MissingCellsWarning")
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["age", "weight", "visits"], SCALED),
        ("age", SCALED),
        (["site"], OVERLAP),
        ("site", OVERLAP),
        (["site", "blood", "smoker"], OVERLAP),
        (["ward"], OVERLAP),
        (["grade"], CLINICAL),
        (["seen"], CLINICAL),
        (["age", "lab"], SCALED),
        (["age", "smoker"], CLINICAL),
        (["age", "site", "grade", "ward", "seen"], CLINICAL),
        ("note", TEXT),
        (["note"], ["FunctionTransformer", *TEXT]),
        ("zip", TEXT),
    ],
    ids=named,
)
def test_columns_of_a_table(columns, expected: list[str]) -> None:
    kernelizer = ColumnKernelizer([("part", "auto", columns)]).fit(TABLE)
    assert kinds(kernelizer.auto_kernels_["part"]) == expected
    # And it is what is used.
    named = ColumnKernelizer([("part", kernelizer.auto_kernels_["part"], columns)]).fit(TABLE)
    assert kernelizer.kernel_names_ == named.kernel_names_
    test = TABLE.iloc[:7]
    np.testing.assert_array_equal(kernelizer.transform(test).gram(0), named.transform(test).gram(0))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (NUMBERS, SCALED),
        (NUMBERS.astype(np.float32), SCALED),
        (NUMBERS[:, 0], SCALED),
        (NUMBERS.tolist(), SCALED),
        (NUMBERS.astype(object), SCALED),
        (pd.array([1, 2, 3], dtype="Int64").to_numpy().reshape(-1, 1), SCALED),
        (np.where(NUMBERS > 60, NUMBERS, np.nan), SCALED),
        (rng.integers(0, 9, (N, 3)), SCALED),
        (rng.normal(size=(N, 100)), EMBEDDED),
        (pd.DataFrame(rng.normal(size=(N, 384))), EMBEDDED),
        (csr_array(np.eye(5)), ["CosineKernel"]),
        (np.array([["u", "v"], ["u", "w"]]), OVERLAP),
        (np.array([["u", 1.0], ["w", 2.0]], dtype=object), CLINICAL),
        ([["u", 1.0], ["w", 2.0]], CLINICAL),
        (np.array([True, False]), OVERLAP),
        (TABLE["site"], OVERLAP),
        (TABLE["site"].tolist(), OVERLAP),
        ([*TABLE["site"], None], OVERLAP),
        ([1.0, None, 2.0], SCALED),
        (TABLE["site"].to_numpy(), OVERLAP),
        (["yes", "no", "no"], OVERLAP),
        (TEXTS, TEXT),
        (np.array(TEXTS), TEXT),
        (np.array(TEXTS, dtype=object), TEXT),
        (TABLE["note"].astype("string"), TEXT),
        ([None, *TEXTS], TEXT),
        (["no pain today", "cough since monday morning", "fever and cough"], TEXT),
        (CODES[:30], OVERLAP),
    ],
)
def test_data_of_a_modality(data, expected: list[str]) -> None:
    assert kinds(choose_kernel(data, "part").kernel) == expected


@pytest.mark.parametrize(
    "data",
    [
        rng.normal(size=(5, 2, 9)),
        [rng.normal(size=(2, length)) for length in (7, 8, 9)],
        [None, rng.normal(size=(2, 4)).tolist()],
        np.array([rng.normal(size=(2, 4)), np.ones((2, 5)), None], dtype=object),
    ],
)
def test_signals(data) -> None:
    assert kinds(choose_kernel(data, "part").kernel) == ["GlobalAlignmentKernel"]


def test_signals_of_a_modality() -> None:
    X = Modalities(motion=rng.normal(size=(5, 2, 9)))
    kernelizer = ColumnKernelizer([("motion", "auto", "motion")]).fit(X)
    assert isinstance(kernelizer.kernels_[0], GlobalAlignmentKernel)


def test_numbers_are_scaled() -> None:
    kernelizer = ColumnKernelizer([("part", "auto", ["age", "weight"])]).fit(TABLE)
    expected = RBFKernel().fit(StandardScaler().fit_transform(NUMBERS))
    found = kernelizer.transform(TABLE.iloc[:4]).gram(0)
    scaled = StandardScaler().fit_transform(NUMBERS)
    np.testing.assert_allclose(found, expected(scaled[:4], scaled), rtol=1e-12)


def test_texts_are_compared_by_their_words() -> None:
    words = TfidfVectorizer().fit_transform(TEXTS)
    for columns in ("note", ["note"]):
        kernelizer = ColumnKernelizer([("note", "auto", columns)])
        found = kernelizer.fit_transform(TABLE).gram("note:cosine")
        np.testing.assert_allclose(found, (words @ words.T).toarray(), atol=1e-12)


def test_it_says_what_it_chose(capsys) -> None:
    entries = [
        ("table", "auto", ["age", "lab", "grade", "site"]),
        ("note", "auto", "note"),
        ("age", ["linear", "auto"], ["age"]),
        ("weight", RBFKernel(), ["weight"]),
    ]
    quiet = ColumnKernelizer(entries).fit(TABLE)
    assert capsys.readouterr().out == ""
    assert quiet.kernel_names_ == [
        "table:clinical",
        "note:cosine",
        "age:linear",
        "age:rbf",
        "weight:rbf",
    ]
    assert list(quiet.auto_kernels_) == ["table", "note", "age"]
    assert isinstance(quiet.auto_kernels_["table"], ClinicalKernel)
    ColumnKernelizer(entries, verbose=True).fit(TABLE)
    n_gaps = TABLE["lab"].isna().sum()
    assert capsys.readouterr().out.splitlines() == [
        "[ColumnKernelizer] table: ClinicalKernel() for 2 numeric, 1 ordinal, 1 nominal "
        f"columns with {n_gaps} missing cells; levels in the order of their dtype",
        "[ColumnKernelizer] note: TfidfVectorizer() + CosineKernel() for 60 different texts",
        "[ColumnKernelizer] age: MeanFiller() + StandardScaler() + RBFKernel() for 1 numeric "
        "column",
    ]
    assert quiet.kernels == entries, "what was asked for stays"


def test_it_looks_at_training_samples_only() -> None:
    kernelizer = ColumnKernelizer([("lab", "auto", ["lab"])])
    complete = TABLE[TABLE["lab"].notna()]
    assert kernelizer.fit(complete).kernel_names_ == ["lab:rbf"]
    with pytest.warns(MissingCellsWarning, match="of 60 cells are missing"):
        kernelizer.transform(TABLE)
    with pytest.warns(MissingCellsWarning, match="of 60 cells are missing"):
        assert kernelizer.fit(TABLE).kernel_names_ == ["lab:rbf"]


@pytest.mark.parametrize("values", [list("xxyzxy"), [True, False] * 3, [1.0, 2.0, 3.0] * 2])
def test_a_list_is_a_column(values: list) -> None:
    of_list = ColumnKernelizer([("a", "auto", "g")]).fit_transform(Modalities(g=values))
    column = np.array(values)[:, np.newaxis]
    of_column = ColumnKernelizer([("a", "auto", "g")]).fit_transform(Modalities(g=column))
    assert of_list.names == of_column.names
    np.testing.assert_array_equal(of_list.gram(0), of_column.gram(0))


@pytest.mark.filterwarnings("ignore::mkfusion.UnknownCategoriesWarning")
def test_modalities_in_cross_validation() -> None:
    X = Modalities(
        table=TABLE.drop(columns=["zip", "note"]), notes=TEXTS, vectors=rng.normal(size=(N, 120))
    )
    y = (TABLE["age"] > 60).to_numpy()
    kernelizer = ColumnKernelizer([(name, "auto", name) for name in X.names])
    model = make_pipeline(kernelizer, MKLClassifier())
    assert cross_val_score(model, X, y, cv=3, error_score="raise").mean() > 0.6
    assert kernelizer.fit(X).kernel_names_ == ["table:clinical", "notes:cosine", "vectors:cosine"]


def test_in_a_grid_search() -> None:
    model = make_pipeline(ColumnKernelizer([("part", "auto", ["age", "site"])]), MKLClassifier())
    grid = {"columnkernelizer__part": ["auto", OverlapKernel()]}
    y = (TABLE["age"] > 60).to_numpy()
    search = GridSearchCV(clone(model), grid, cv=3, error_score="raise").fit(TABLE, y)
    assert search.best_params_["columnkernelizer__part"] == "auto"
    assert "auto" in ColumnKernelizer([("part", "auto", ["age"])])._repr_html_()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (TABLE, ValueError, r"of 12 columns \['zip', 'note'\] seem to be texts: 'zip' has 60 diff"),
        (np.full((3, 2), np.nan), ValueError, "'part' is \"auto\", and every value is missing"),
        ([None, None], ValueError, "every value is missing"),
        ([{1, 2}, {3}], TypeError, "the samples are of type set; expected rows of one length"),
        ([[1, 2], [3]], TypeError, "the samples are of type list; expected rows of one length"),
        ([[1, 2], "a"], TypeError, "the samples are of type list, str"),
        (np.ones((2, 2, 2, 2)), TypeError, "the samples have 3 dimensions of float64; expected"),
        (np.full((2, 2, 2), "a"), TypeError, "the samples have 2 dimensions of <U1"),
    ],
    ids=named,
)
def test_refused(data, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        choose_kernel(data, "part")


def test_only_where_there_is_a_choice() -> None:
    for kernelizer in (
        Kernelizer("auto"),
        ColumnKernelizer([("part", make_pipeline(StandardScaler(), "auto"), [0])]),
    ):
        with pytest.raises(ValueError, match=r'"auto", which stands for a kernel only in ColumnK'):
            kernelizer.fit(NUMBERS)
    kernelizer = ColumnKernelizer([("part", CosineKernel(), [0])]).fit(NUMBERS)
    assert kernelizer.auto_kernels_ == {}
