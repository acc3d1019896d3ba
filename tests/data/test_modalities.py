"""Several views of the same samples."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array, issparse
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples

from mkfusion import Modalities
from oracles.names import named

A = np.arange(12.0).reshape(6, 2)
SERIES = np.arange(48.0).reshape(6, 2, 4)
TABLE = pd.DataFrame({"age": range(6), "sex": list("fmfmfm")}, index=list("uvwxyz"))
SPARSE = coo_array(np.diag(np.arange(1.0, 7.0)))
TEXTS = ["a", "bb", "c", "dd", None, "ff"]


@pytest.fixture
def modalities() -> Modalities:
    return Modalities(a=A, series=SERIES, table=TABLE, sparse=SPARSE, texts=TEXTS)


def test_what_it_holds(modalities: Modalities) -> None:
    assert modalities.names == ["a", "series", "table", "sparse", "texts"]
    assert modalities.shape == (6, 5)
    assert len(modalities) == 6
    assert modalities["a"] is A
    assert modalities["series"] is SERIES
    assert modalities["table"] is TABLE
    assert modalities["texts"] is TEXTS
    assert "a" in modalities
    assert "b" not in modalities


def test_names_that_are_no_identifiers() -> None:
    both = Modalities({"left hand": A}, right=A)
    assert both.names == ["left hand", "right"]


@pytest.mark.parametrize(
    "key",
    [[3, 1], np.array([0, -1]), np.array([2, 2]), A[:, 0] > 4, slice(1, 4), slice(None, None, -1)]
    + [[], (np.array([1, 2]), ...)],
    ids=named,
)
def test_indexing_keeps_modalities_aligned(modalities: Modalities, key) -> None:
    cut = modalities[key]
    assert isinstance(cut, Modalities)
    rows = np.arange(6)[key]
    assert cut.shape == (len(rows), 5)
    np.testing.assert_array_equal(cut["a"], A[rows])
    np.testing.assert_array_equal(cut["series"], SERIES[rows])
    pd.testing.assert_frame_equal(cut["table"], TABLE.iloc[rows])
    assert issparse(cut["sparse"])
    np.testing.assert_array_equal(cut["sparse"].toarray(), SPARSE.toarray()[rows])
    assert list(cut["texts"]) == [TEXTS[row] for row in rows]


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("b", KeyError, "There is no modality 'b'; there are"),
        ([6], IndexError, "Sample 6 is out of range; there are 6"),
        ([-7], IndexError, "Sample -7 is out of range"),
        ([True, False], IndexError, "The mask has length 2; there are 6 samples"),
        (2, IndexError, "expected a slice, or integers or booleans in one dimension"),
        ([[1]], IndexError, "expected a slice, or integers"),
        (["a"], IndexError, "or the name of a modality"),
        ([0.5], IndexError, "expected a slice, or integers"),
    ],
)
def test_refused_keys(modalities: Modalities, key, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        modalities[key]


@pytest.mark.parametrize(
    ("given", "named", "error", "message"),
    [
        (None, {}, ValueError, "modalities is empty; expected at least one"),
        (None, {"a": A, "b": A[:4]}, ValueError, "samples: a: 6, b: 4; expected the same"),
        ({"a": A}, {"a": A}, ValueError, r"modalities \['a'\] are given twice"),
        (A, {}, TypeError, "modalities is a ndarray; expected named modalities"),
        ({3: A}, {}, TypeError, "modalities has the key 3; expected strings"),
        (None, {"a": "text"}, TypeError, "modality 'a' is a str; expected an array"),
        (None, {"a": 3.0}, TypeError, "modality 'a' is a float; expected an array"),
        (None, {"a": {"b": A}}, TypeError, "modality 'a' is a dict"),
        (None, {"a": np.array(3.0)}, TypeError, "modality 'a' is a single value"),
        (None, {"a": np.float64(3.0)}, TypeError, "modality 'a' is a "),
        (
            None,
            {"a": TABLE.set_axis(["u"] * TABLE.shape[1], axis=1)},
            ValueError,
            "column 'u' more",
        ),
        (None, {"a": None}, ValueError, r"modalities \['a'\] are all None; expected data for at"),
        (None, {"a": Modalities(b=A)}, TypeError, "modality 'a' is a Modalities"),
    ],
)
def test_refused(given, named, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Modalities(given, **named)


def test_a_modality_that_no_sample_has() -> None:
    both = Modalities(a=None, b=A)
    assert both.names == ["a", "b"]
    assert both.shape == (6, 2)
    assert both["a"] is None
    assert "a" in both
    cut = both[[4, 2]]
    assert cut.shape == (2, 2)
    assert cut["a"] is None
    np.testing.assert_array_equal(both.present(), [[False, True]] * 6)
    assert repr(both).splitlines()[1] == "  a  None     no sample has it"


def gappy(kind: str) -> tuple[Any, list[bool]]:
    """Samples of some kind, and which are there: the first, and the last has gaps."""
    nan = np.nan
    rows = np.array([[1.0, 2.0], [nan, nan], [nan, 3.0]])
    texts = ["a", None, ""]
    some = [True, False, True]
    return {
        "array": (rows, some),
        "single": (rows.astype(np.float32), some),
        "lists": (rows.tolist(), some),
        "column": (rows[:, 1], some),
        "complex": (rows * 1j, some),
        "series": (np.repeat(rows[:, :, np.newaxis], 3, axis=2), some),
        "series of different lengths": (
            [np.ones((2, 3)), np.full((2, 4), nan), np.array([[nan, 1.0], [nan, nan]])],
            some,
        ),
        "nothing to compare": ([np.ones((2, 0)), [], None], [True, True, False]),
        "texts": (texts, some),
        "tuple": (tuple(texts), some),
        "objects": (np.array(texts, dtype=object), some),
        "table of objects": (np.array([["a", 1], [None, nan], [None, 2]], dtype=object), some),
        "nan for text": (["a", nan, "b"], some),
        "pandas": (pd.Series(["a", pd.NA, "b"], dtype="string"), some),
        "integers with gaps": (pd.Series([1, None, 3], dtype="Int64"), some),
        "category": (pd.Series(["a", None, "b"], dtype="category"), some),
        "times": (pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"])), some),
        "zoned times": (
            pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"], utc=True)),
            some,
        ),
        "numpy's times": (np.array(["2020-01-01", "NaT", "2020-01-02"], dtype="M8[D]"), some),
        "table": (pd.DataFrame({0: [1.0, nan, nan], "b": ["a", None, "c"]}), some),
        "no column": (pd.DataFrame(index=range(3)), [True] * 3),
        "no feature": (np.empty((3, 0)), [True] * 3),
        "sparse": (csr_array(rows), some),
        "sparse zeros": (csr_array(np.array([[1.0, nan], [0.0, nan], [nan, 3.0]])), [True] * 3),
        "integers": (np.arange(3), [True] * 3),
        "strings": (np.array(texts[:1] * 3), [True] * 3),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    "array single lists column complex series texts tuple objects pandas category times "
    "table sparse integers strings".split()
    + ["series of different lengths", "nothing to compare", "table of objects", "nan for text"]
    + ["integers with gaps", "zoned times", "numpy's times", "no column", "no feature"]
    + ["sparse zeros"],
)
def test_who_is_present(kind: str) -> None:
    data, expected = gappy(kind)
    modalities = Modalities(always=[1, 2, 3], some=data)
    found = modalities.present()
    assert found.dtype == bool
    np.testing.assert_array_equal(found[:, 0], True)
    np.testing.assert_array_equal(found[:, 1], expected)
    np.testing.assert_array_equal(modalities[[1, 2]].present(), found[1:])


def test_nothing_is_known_of_other_collections() -> None:
    class Graphs:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, i) -> None:
            return None

    np.testing.assert_array_equal(Modalities(graphs=Graphs()).present(), [[True], [True]])


def test_no_array(modalities: Modalities) -> None:
    with pytest.raises(TypeError, match="put a ColumnKernelizer in front"):
        np.asarray(modalities)
    with pytest.raises(TypeError, match="not iterable"):
        iter(modalities)


def test_repr() -> None:
    assert repr(Modalities(accel=A, notes=TEXTS)) == (
        "Modalities with 6 samples\n  accel  ndarray  (6, 2)\n  notes  list     6 items"
    )


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(modalities: Modalities, duplicate) -> None:
    again = duplicate(modalities)
    assert again.names == modalities.names
    np.testing.assert_array_equal(again["a"], A)


def test_scikit_learn_splits_it(modalities: Modalities) -> None:
    assert _num_samples(modalities) == 6
    assert indexable(modalities, A)[0] is modalities
    train, test = train_test_split(modalities, test_size=2, random_state=0)
    assert (len(train), len(test)) == (4, 2)
    assert sorted([*train["table"].index, *test["table"].index]) == list("uvwxyz")


def test_cross_validation_hands_out_modalities(modalities: Modalities) -> None:
    seen = []

    def look(samples: Modalities) -> np.ndarray:
        seen.append(samples)
        return samples["a"]

    y = [0, 1, 0, 1, 0, 1]
    model = make_pipeline(FunctionTransformer(look), KNeighborsClassifier(1))
    found = cross_val_score(model, modalities, y, cv=KFold(3))
    expected = cross_val_score(KNeighborsClassifier(1), A, y, cv=KFold(3))
    np.testing.assert_array_equal(found, expected)
    assert all(isinstance(samples, Modalities) for samples in seen)


@pytest.mark.parametrize("dtype", ["float64", "float32", "object", "Float64"])
def test_rows_of_gaps_are_found_whatever_holds_the_numbers(dtype):
    table = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [np.nan, np.nan, 2.0]}, dtype=dtype)
    assert Modalities(one=table).present()[:, 0].tolist() == [True, False, True]
    assert Modalities(one=table.assign(n=[1, 2, 3])).present().all()


@pytest.mark.parametrize(
    "none", [A[:0], TABLE[:0], TABLE[:0].astype(object), SERIES[:0], SPARSE.tocsr()[:0], []]
)
def test_no_samples_have_no_modality(none) -> None:
    assert Modalities(a=none).present().shape == (0, 1)
