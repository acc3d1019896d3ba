"""What kernel="auto" stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist, pdist
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
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
from mkfusion.datasets import load_promoters
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


SCALED = ["MeanFiller", "StandardScaler", "SumKernel"]
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
        (rng.normal(size=(N, 100)), SCALED),
        (pd.DataFrame(rng.normal(size=(N, 384))), SCALED),
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


@pytest.mark.parametrize("n_columns", [1, 2, 7])
def test_numbers_are_scaled_and_compared_by_products_and_distances(n_columns: int) -> None:
    X = rng.normal(size=(N, n_columns)) * 10.0 ** np.arange(n_columns)
    kernelizer = ColumnKernelizer([("part", "auto", slice(None))], normalize=None).fit(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    gamma = 1 / np.median(pdist(Z, "sqeuclidean"))
    expected = Z[:4] @ Z.T / n_columns + np.exp(-gamma * cdist(Z[:4], Z, "sqeuclidean"))
    np.testing.assert_allclose(kernelizer.transform(X[:4]).gram(0), expected, rtol=1e-9)
    # Both parts have the same size
    assert np.trace(Z @ Z.T / n_columns) == pytest.approx(N)


def test_texts_are_compared_by_their_words() -> None:
    words = TfidfVectorizer().fit_transform(TEXTS)
    for columns in ("note", ["note"]):
        kernelizer = ColumnKernelizer([("note", "auto", columns)])
        found = kernelizer.fit_transform(TABLE).gram("note:cosine")
        np.testing.assert_allclose(found, (words @ words.T).toarray(), atol=1e-12)


@pytest.mark.parametrize("shape", ["list", "array", "column", "series", "frame"])
def test_sequences_of_one_length_are_compared_place_by_place(shape: str) -> None:
    strings = load_promoters().data["sequence"][::4]
    table = pd.DataFrame({"dna": strings})
    given = {
        "list": strings,
        "array": np.array(strings),
        "column": np.array(strings, dtype=object)[:, np.newaxis],
        "series": table["dna"],
        "frame": table,
    }[shape]
    kernelizer = ColumnKernelizer([("dna", "auto", "dna")], normalize=None)
    X = Modalities(dna=given)
    stack = kernelizer.fit_transform(X)
    # All pieces of up to three letters that are the same at the same place, weighted 3, 2 and 1.
    expected = [
        [
            sum((4 - k) * (a[i : i + k] == b[i : i + k]) for k in (1, 2, 3) for i in range(58 - k))
            for b in strings
        ]
        for a in strings[:5]
    ]
    np.testing.assert_allclose(6 * kernelizer.transform(X[:5]).gram(0), expected)
    np.testing.assert_allclose(stack.gram(0)[:5], np.array(expected) / 6)
    named_by_column = ColumnKernelizer([("dna", "auto", "dna")], normalize=None)
    np.testing.assert_array_equal(named_by_column.fit_transform(table).gram(0), stack.gram(0))


def test_sequences_of_different_lengths_are_compared_by_their_pieces() -> None:
    strings = [s[: 30 + i % 5] for i, s in enumerate(load_promoters().data["sequence"])]
    kernelizer = ColumnKernelizer([("dna", "auto", "dna")], normalize=None)
    found = kernelizer.fit_transform(Modalities(dna=strings)).gram(0)
    counts = CountVectorizer(analyzer="char", ngram_range=(3, 3)).fit_transform(strings)
    np.testing.assert_allclose(found, (counts @ counts.T).toarray())


def test_sequences_are_no_constant_prediction() -> None:
    bunch = load_promoters()
    model = make_pipeline(ColumnKernelizer([("dna", "auto", "sequence")]), MKLClassifier())
    scores = cross_val_score(
        model, bunch.data, bunch.target, groups=bunch.group, cv=GroupKFold(3), scoring="roc_auc"
    )
    assert scores.mean() > 0.8  # as texts of one word each they have .5


def test_it_says_what_it_chose_of_sequences(capsys) -> None:
    sequences = load_promoters().data["sequence"]
    X = Modalities(dna=sequences, cut=[s[: 50 + i % 8] for i, s in enumerate(sequences)])
    ColumnKernelizer([(name, "auto", name) for name in X.names], verbose=True).fit(X)
    assert capsys.readouterr().out.splitlines() == [
        "[ColumnKernelizer] dna: WeightedDegreeKernel() for 106 different sequences of 57 letters "
        "each, compared place by place",
        "[ColumnKernelizer] cut: SpectrumKernel() for 106 different sequences of 50 to 57 letters, "
        "compared by their pieces, wherever they are",
    ]


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
        "age:linear + rbf",
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
        "[ColumnKernelizer] age: MeanFiller() + StandardScaler() + (linear + rbf) for 1 "
        "numeric column",
    ]
    assert quiet.kernels == entries, "what was asked for stays"


def test_it_looks_at_training_samples_only() -> None:
    kernelizer = ColumnKernelizer([("lab", "auto", ["lab"])])
    complete = TABLE[TABLE["lab"].notna()]
    assert kernelizer.fit(complete).kernel_names_ == ["lab:linear + rbf"]
    with pytest.warns(MissingCellsWarning, match="of 60 cells are missing"):
        kernelizer.transform(TABLE)
    with pytest.warns(MissingCellsWarning, match="of 60 cells are missing"):
        assert kernelizer.fit(TABLE).kernel_names_ == ["lab:linear + rbf"]


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
    assert kernelizer.fit(X).kernel_names_ == [
        "table:clinical",
        "notes:cosine",
        "vectors:0.00833333 * linear + rbf",
    ]


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
