"""Kernels between sequences, against counting by hand, and texts through a pipeline."""

from __future__ import annotations

import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mkfusion import (
    ColumnKernelizer,
    Kernelizer,
    LinearKernel,
    MKLClassifier,
    Modalities,
    SpectrumKernel,
    WeightedDegreeKernel,
)
from mkfusion.datasets import load_promoters
from mkfusion.kernels.strings import _strings
from oracles.names import named

rng = np.random.default_rng(0)


def random_texts(n: int, alphabet: str, shortest: int, longest: int) -> list[str]:
    lengths = rng.integers(shortest, longest, size=n, endpoint=True)
    return ["".join(rng.choice(list(alphabet), size=length)) for length in lengths]


TRAIN = random_texts(9, "acgt", 0, 30)
# Letters that no training text has, and shared by the new ones.
TEST = [*random_texts(5, "acgtxy", 0, 30), "xyxyxy", "yxyx"]
ALIGNED = random_texts(9, "acgt", 12, 12)
NEW = [*random_texts(5, "acgtxy", 12, 12), "xyxyxyacgtxy"]
FORMS = {
    "str": lambda text: text,
    "bytes": lambda text: text.encode(),
    "words": lambda text: [f"word {letter}" for letter in text],
    "integers": lambda text: np.array([ord(letter) for letter in text], dtype=np.int64),
    "tuples": lambda text: tuple((letter, 1) for letter in text),
}


# Values in exact arithmetic, as the papers write them: no runs, no sparse matrices.


def spectrum(x: str, z: str, k: int | tuple[int, int]) -> int:
    total = 0
    for length in range(k, k + 1) if isinstance(k, int) else range(k[0], k[1] + 1):
        counts = [
            Counter(text[i : i + length] for i in range(len(text) - length + 1)) for text in (x, z)
        ]
        total += sum(count * counts[1][piece] for piece, count in counts[0].items())
    return total


def weighted_degree(x: str, z: str, d: int) -> Fraction:
    total = Fraction(0)
    for k in range(1, d + 1):
        beta = Fraction(2 * (d - k + 1), d * (d + 1))
        total += beta * sum(x[i : i + k] == z[i : i + k] for i in range(len(x) - k + 1))
    return total


def gram(function, left, right, parameter) -> np.ndarray:
    return np.array([[float(function(x, z, parameter)) for z in right] for x in left])


SPECTRA = [
    (SpectrumKernel(k), lambda x, z, k=k: gram(spectrum, x, z, k), TRAIN, TEST)
    for k in (1, 2, 3, 5, (1, 3), (2, 2))
]
DEGREES = [
    (WeightedDegreeKernel(d), lambda x, z, d=d: gram(weighted_degree, x, z, d), ALIGNED, NEW)
    for d in (1, 2, 3, 12, 20)
]
each = pytest.mark.parametrize(
    ("kernel", "expected", "train", "test"), SPECTRA + DEGREES, ids=named
)
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


# --------------------------------------------------------------------------------- values


@each
def test_values(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    np.testing.assert_allclose(kernel(train), expected(train, train), rtol=1e-14)
    np.testing.assert_allclose(kernel(test, train), expected(test, train), rtol=1e-14)


@each
def test_what_fit_has_not_seen_counts_too(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    np.testing.assert_allclose(kernel(test), expected(test, test), rtol=1e-14)
    # Prepared at different times, in different orders.
    others = test[::-1]
    np.testing.assert_allclose(kernel(test, others), expected(test, others), rtol=1e-14)
    np.testing.assert_allclose(kernel(train, test), expected(train, test), rtol=1e-14)


@each
def test_diagonal(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    for samples in (train, test):
        diagonal = kernel.diag(samples)
        assert diagonal.dtype == np.float64
        np.testing.assert_allclose(diagonal, np.diagonal(expected(samples, samples)), rtol=1e-14)


@each
@each_form
def test_any_alphabet(kernel, expected, train, test, form) -> None:
    kernel = clone(kernel).fit([form(text) for text in train])
    found = kernel([form(text) for text in test], [form(text) for text in train])
    np.testing.assert_allclose(found, expected(test, train), rtol=1e-14)


@each
def test_gram_matrices(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    assert kernel._is_psd()
    for samples in (train, test):
        values = kernel(samples)
        np.testing.assert_array_equal(values, values.T)
        assert np.linalg.eigvalsh(values)[0] > -1e-9 * values.max()


@each
def test_blocks_and_orders_change_no_value(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    whole = kernel(test, train)
    for i, text in enumerate(test):
        np.testing.assert_array_equal(kernel([text], train)[0], whole[i])
    order = rng.permutation(len(train))
    shuffled = [train[i] for i in order]
    again = clone(kernel).fit(shuffled)
    np.testing.assert_array_equal(again(test, shuffled), whole[:, order])
    # In a stack, rows and columns of prepared samples are chosen.
    kernelizer = Kernelizer([kernel], normalize=None).fit(train)
    stack = kernelizer.transform(test)
    np.testing.assert_array_equal(stack[[4, 1]][:, [0, 7]].gram(0), whole[np.ix_([4, 1], [0, 7])])
    np.testing.assert_array_equal(
        kernelizer.fit_transform(train)[::2, ::3].gram(0), kernel(train)[::2, ::3]
    )


@each
def test_nothing_is_learned_from_new_samples(kernel, expected, train, test) -> None:
    kernel = clone(kernel).fit(train)
    before = pickle.dumps(kernel)
    kernel(test, train)
    assert pickle.dumps(kernel) == before
    np.testing.assert_array_equal(kernel(test, train), clone(kernel)(test, train))


@each
def test_clone_and_pickle(kernel, expected, train, test) -> None:
    again = pickle.loads(pickle.dumps(clone(kernel).fit(train)))
    np.testing.assert_array_equal(again(test, train), clone(kernel).fit(train)(test, train))
    assert clone(kernel).get_params() == kernel.get_params()
    with pytest.raises(NotFittedError):
        clone(kernel).diag(train)


def test_spectrum_of_texts_is_that_of_scikit_learns_counts() -> None:
    texts = random_texts(60, "abcdefghij .", 50, 80)
    counts = CountVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False)
    counts = counts.fit_transform(text.replace(" ", "_") for text in texts).astype(np.float64)
    expected = (counts @ counts.T).toarray()
    np.testing.assert_array_equal(SpectrumKernel(k=(2, 4))(texts), expected)


@pytest.mark.parametrize("often", [0.0, 0.3, 1.0])
def test_frequent_pieces_are_counted_in_another_way_only(often: float, monkeypatch) -> None:
    kernel = SpectrumKernel(k=(1, 4)).fit(TRAIN)
    expected = kernel(TEST, TRAIN)
    monkeypatch.setattr(_strings, "_OFTEN", often)
    np.testing.assert_array_equal(kernel(TEST, TRAIN), expected)


def test_spectrum_is_as_sparse_as_the_text() -> None:
    texts = random_texts(20, "abcdefghijklmnopqrstuvwxyz", 100, 100)
    counts = SpectrumKernel(k=5)._fit_prepare(texts).values
    assert counts.nnz <= 20 * 96
    assert counts.sum() == 20 * 96


@pytest.mark.parametrize("degree", [1000, 46_340])
def test_large_degrees_do_not_overflow(degree: int) -> None:
    texts = ["a" * 3000, "a" * 2000 + "b" * 1000, "b" * 3000]
    kernel = WeightedDegreeKernel(degree).fit(texts)

    def run(length: int) -> Fraction:
        # The sum over k of beta_k (length - k + 1), for a single run of matches
        d, r = degree, min(degree, length)
        whole = sum(2 * (d - k + 1) * (length - k + 1) for k in range(1, r + 1))
        return Fraction(whole, d * (d + 1))

    expected = [[run(3000), run(2000), 0], [run(2000), run(3000), run(1000)]]
    np.testing.assert_allclose(kernel(texts)[:2], np.array(expected, dtype=float), rtol=1e-14)
    np.testing.assert_allclose(kernel.diag(texts), float(run(3000)), rtol=1e-14)


def test_threads_change_no_value(monkeypatch) -> None:
    kernel = WeightedDegreeKernel().fit(ALIGNED)
    expected = kernel(NEW, ALIGNED)
    monkeypatch.setattr(
        _strings, "split_for_threads", lambda size, numbers: [slice(0, 2), slice(2, size)]
    )
    np.testing.assert_array_equal(kernel(NEW, ALIGNED), expected)


# -------------------------------------------------------------------------- forms of input


def test_collections_of_sequences() -> None:
    expected = SpectrumKernel(2)(ALIGNED)
    table = np.array([list(text) for text in ALIGNED])
    for samples in (tuple(ALIGNED), np.array(ALIGNED), np.array(ALIGNED, dtype=object), table):
        np.testing.assert_array_equal(SpectrumKernel(2)(samples), expected)
    for samples in (pd.Series(ALIGNED), pd.DataFrame(table), [list(text) for text in ALIGNED]):
        np.testing.assert_array_equal(SpectrumKernel(2)(samples), expected)


@pytest.mark.parametrize("kernel", [SpectrumKernel(2), WeightedDegreeKernel(2)], ids=named)
@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ("acgt", TypeError, "X is 'acgt'; expected a list of sequences, each a str, bytes"),
        (b"acgt", TypeError, "X is b'acgt'; expected a list of sequences"),
        (3, TypeError, "X is 3; expected a list of sequences"),
        (np.array("acgt"), TypeError, "expected a list of sequences"),
        (csr_array(np.eye(3)), TypeError, "expected a list of sequences"),
        ({"acgt"}, TypeError, "X is {'acgt'}; expected a list of sequences"),
        ([], ValueError, r"Found array with 0 sample\(s\)"),
        (["acgt", None], TypeError, r"X\[1\] is None; expected a str, bytes, or a list, tuple"),
        (["acgt", float("nan")], TypeError, r"X\[1\] is nan"),
        (np.arange(3.0), TypeError, r"X\[0\] is .*0.0"),
        (["acgt", b"acgt"], TypeError, r"X\[1\] is made of bytes, X\[0\] of str; expected one"),
        ([["a"], [["b"]]], TypeError, r"X\[1\] has a token that cannot be compared"),
        ([[1.0, np.nan]], ValueError, r"X\[0\] has a token that is NaN"),
        (np.full((2, 3), np.nan), ValueError, r"X\[0\] has a token that is NaN"),
        (np.ones((2, 3, 4)), ValueError, r"X has shape \(2, 3, 4\)"),
        (
            pd.DataFrame({"a": ["acgt"]}),
            ValueError,
            r"one column, shape \(1, 1\); .* not in a list",
        ),
        (["", ""], ValueError, "finds nothing to compare in X: its longest .* has length 0"),
    ],
    ids=named,
)
def test_samples_are_refused(kernel, samples, error, message: str) -> None:
    kernel = clone(kernel)
    with pytest.raises(error, match=message):
        kernel.fit(samples)
    assert set(vars(kernel)) <= {*kernel.get_params(), "_fresh"}, "a failed fit left something"


@pytest.mark.parametrize("kernel", [SpectrumKernel(2), WeightedDegreeKernel(2)], ids=named)
def test_new_samples_of_another_kind_are_refused(kernel) -> None:
    kernel = clone(kernel).fit(["acgt"])
    with pytest.raises(TypeError, match="X is made of bytes; expected str as in fit"):
        kernel([b"acgt"], ["acgt"])


def test_spectrum_of_short_sequences() -> None:
    with pytest.raises(ValueError, match=r"spectrum\(k=5\) finds nothing .* longest .* length 4"):
        SpectrumKernel(5).fit(["acgt", "a"])
    kernel = SpectrumKernel(4).fit(["acgt", "a"])
    np.testing.assert_array_equal(kernel(["acgt", "", "acg"]), [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    stack = ColumnKernelizer([("s", kernel, "s")]).fit_transform(Modalities(s=["acgt", "a"]))
    np.testing.assert_array_equal(stack.gram(0), [[1, 0], [0, 0]])


def test_weighted_degree_refuses_other_lengths() -> None:
    kernel = WeightedDegreeKernel()
    with pytest.raises(ValueError, match=r"X\[1\] has length 3, X\[0\] 4; expected .* same length"):
        kernel.fit(["acgt", "acg"])
    kernel.fit(["acgt"])
    assert kernel.length_ == 4
    with pytest.raises(ValueError, match="sequences of X have length 3; expected 4 as in fit"):
        kernel(["acg"], ["acgt"])


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (SpectrumKernel(0), ValueError, "k is 0; expected a positive integer"),
        (SpectrumKernel(2.0), TypeError, "k is 2.0; expected a positive integer"),
        (SpectrumKernel(True), TypeError, "k is True"),
        (SpectrumKernel("ab"), TypeError, "k is 'ab'"),
        (SpectrumKernel((3, 2)), ValueError, r"k is \(3, 2\); expected .* the smallest and the"),
        (SpectrumKernel((1, 2, 3)), ValueError, r"k is \(1, 2, 3\)"),
        (SpectrumKernel(()), ValueError, r"k is \(\)"),
        (SpectrumKernel((1, 2.5)), TypeError, r"k is \(1, 2.5\)"),
        (WeightedDegreeKernel(0), ValueError, "degree is 0; expected an integer from 1 to 46340"),
        (WeightedDegreeKernel(50_000), ValueError, "degree is 50000"),
        (WeightedDegreeKernel(1.0), TypeError, "degree is 1.0; expected a positive integer"),
    ],
    ids=named,
)
def test_parameters_are_refused(kernel, error, message: str) -> None:
    with pytest.raises(error, match=message):
        kernel.fit(ALIGNED)


@pytest.mark.parametrize(
    ("kernel", "label"),
    [
        (SpectrumKernel(), "spectrum"),
        (SpectrumKernel(4), "spectrum(k=4)"),
        (SpectrumKernel((1, 3)), "spectrum(k=(1, 3))"),
        (WeightedDegreeKernel(), "weighted_degree"),
        (WeightedDegreeKernel(10), "weighted_degree(degree=10)"),
    ],
)
def test_labels(kernel, label: str) -> None:
    assert kernel._label() == label


# ------------------------------------------------------------------------------ in a stack


def test_columns_and_modalities() -> None:
    frame = pd.DataFrame({"site": ALIGNED, "size": range(9)})
    kernels = [SpectrumKernel(2), WeightedDegreeKernel(3)]
    from_column = ColumnKernelizer([("site", kernels, "site")]).fit(frame)
    from_modality = ColumnKernelizer([("site", kernels, "site")]).fit(Modalities(site=ALIGNED))
    assert from_column.kernel_names_ == ["site:spectrum(k=2)", "site:weighted_degree"]
    new = from_modality.transform(Modalities(site=NEW))
    frames = from_column.transform(pd.DataFrame({"site": NEW}))
    np.testing.assert_array_equal(np.asarray(new), np.asarray(frames))
    # Cosine: letters that were never seen are in the norm.
    raw = gram(spectrum, NEW, ALIGNED, 2)
    norms = [np.sqrt([spectrum(x, x, 2) for x in texts]) for texts in (NEW, ALIGNED)]
    np.testing.assert_allclose(new.gram(0), raw / np.outer(*norms), rtol=1e-12)


def test_grid_search_by_name() -> None:
    bunch = load_promoters()
    model = make_pipeline(
        ColumnKernelizer(
            [
                ("pieces", SpectrumKernel(), "sequence"),
                ("sites", WeightedDegreeKernel(), "sequence"),
            ]
        ),
        MKLClassifier(C=10.0),
    )
    grid = {
        "columnkernelizer__pieces__k": [2, (1, 4)],
        "columnkernelizer__sites__degree": [2, 8],
    }
    search = GridSearchCV(model, grid, cv=3, error_score="raise")
    search.fit(bunch.data, bunch.target)
    assert search.best_score_ > 0.8  # 0.5 by guessing
    assert set(search.best_params_) == set(grid)


# ---------------------------------------------------------------------------------- TF-IDF

NOTES = [
    "the patient walks without help",
    "walks with a stick and tires",
    "no complaints and walks far",
    "cannot walk and rests in bed",
    "rests in bed most of the day",
    "in bed and needs help",
]


def tfidf_gram(texts: list[str], train: list[str], **parameters) -> np.ndarray:
    vectorizer = TfidfVectorizer(**parameters).fit(train)
    return (vectorizer.transform(texts) @ vectorizer.transform(train).T).toarray()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda texts: Modalities(notes=texts),
        lambda texts: pd.DataFrame({"age": range(len(texts)), "notes": texts}),
        lambda texts: pd.DataFrame({"age": 1, "notes": pd.Series(texts, dtype="string")}),
    ],
    ids=["Modalities", "DataFrame", "string dtype"],
)
def test_tfidf_of_a_column(wrap) -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LinearKernel())
    kernelizer = ColumnKernelizer([("notes", pipeline, "notes")], normalize=None)
    train, test = NOTES[:4], NOTES[4:]
    np.testing.assert_allclose(
        kernelizer.fit_transform(wrap(train)).gram(0), tfidf_gram(train, train), rtol=1e-12
    )
    # The vocabulary and the weights of words are those of the training texts.
    found = kernelizer.transform(wrap(test)).gram(0)
    np.testing.assert_allclose(found, tfidf_gram(test, train), rtol=1e-12)
    assert kernelizer.kernel_names_ == ["notes:linear"]


def test_tfidf_of_a_list() -> None:
    kernelizer = Kernelizer([make_pipeline(TfidfVectorizer(), LinearKernel())], normalize=None)
    found = kernelizer.fit(NOTES[:4]).transform(NOTES[4:]).gram(0)
    np.testing.assert_allclose(found, tfidf_gram(NOTES[4:], NOTES[:4]), rtol=1e-12)


def test_tfidf_is_searched_by_name() -> None:
    X = Modalities(notes=4 * NOTES, age=np.arange(24.0).reshape(-1, 1))
    y = np.tile([0, 0, 0, 1, 1, 1], 4)
    model = make_pipeline(
        ColumnKernelizer(
            [
                ("notes", make_pipeline(TfidfVectorizer(), LinearKernel()), "notes"),
                ("age", "rbf", "age"),
            ]
        ),
        MKLClassifier(),
    )
    grid = {"columnkernelizer__notes__tfidfvectorizer__ngram_range": [(1, 1), (1, 2)]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ == 1.0
    assert len(search.cv_results_["params"]) == 2
