"""Kernels of categories."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mkfusion import ColumnKernelizer, FrequencyKernel, MKLClassifier, OverlapKernel
from mkfusion.data import Column
from mkfusion.kernels.tables._variables import Nominal
from oracles.names import named

pytestmark = pytest.mark.filterwarnings("ignore::mkfusion.UnknownCategoriesWarning")

KERNELS = [OverlapKernel(), FrequencyKernel(), FrequencyKernel(alpha=0.5), FrequencyKernel(alpha=3)]
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel._label())


def categories(n: int, seed: int, gaps: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "gene": rng.choice(["AA", "Aa", "aa"], n, p=[0.7, 0.25, 0.05]),
            "code": rng.integers(0, 5, n),
            "flag": rng.random(n) < 0.3,
            "kind": pd.Categorical(rng.choice([1.5, 2.5], n)),
        }
    )
    return data.mask(rng.random(data.shape) < gaps) if gaps else data


TRAIN, TEST = categories(9, 0, 0.3), categories(5, 1, 0.3)
TEST.loc[[1, 3], "gene"] = "new"


def slow(kernel, X: pd.DataFrame, Z: pd.DataFrame) -> np.ndarray:
    """Evaluate the formulas of the docstrings pair by pair."""

    def similarity(name, x, z) -> float:
        present = list(TRAIN[name].dropna())
        if kernel.missing == "zero" and (pd.isna(x) or pd.isna(z)):
            return 0.0
        shares = {value: count / len(present) for value, count in Counter(present).items()}

        def of_values(a, b) -> float:
            if a != b:
                return 0.0
            if isinstance(kernel, OverlapKernel):
                return 1.0
            return (1 - shares.get(a, 0.0) ** kernel.alpha) ** (1 / kernel.alpha)

        left = present if pd.isna(x) else [x]
        right = present if pd.isna(z) else [z]
        return float(np.mean([of_values(a, b) for a in left for b in right]))

    return np.array(
        [
            [np.mean([similarity(c, x[c], z[c]) for c in TRAIN]) for _, z in Z.iterrows()]
            for _, x in X.iterrows()
        ]
    )


@each_kernel
@pytest.mark.parametrize("missing", ["mean", "zero"])
def test_as_in_a_double_loop(kernel, missing: str) -> None:
    kernel = clone(kernel).set_params(missing=missing).fit(TRAIN)
    for X, Z in [(TRAIN, TRAIN), (TEST, TRAIN), (TEST, TEST)]:
        np.testing.assert_allclose(kernel(X, Z), slow(kernel, X, Z), rtol=1e-12, atol=1e-15)


@each_kernel
@pytest.mark.parametrize("missing", ["mean", "zero"])
def test_gram_matrices_are_positive_semi_definite(kernel, missing: str) -> None:
    kernel = clone(kernel).set_params(missing=missing).fit(TRAIN)
    both = pd.concat([TRAIN, TEST])
    gram = kernel(both)
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(np.diagonal(gram), kernel.diag(both), rtol=1e-15)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12
    assert kernel._is_psd()


def test_overlap_is_the_product_of_indicators() -> None:
    X = categories(30, 2).astype(str)
    indicators = OneHotEncoder().fit_transform(X)
    expected = (indicators @ indicators.T).toarray() / 4
    np.testing.assert_allclose(OverlapKernel().fit(X)(X), expected, rtol=1e-15)


def test_rare_agreements_count_more() -> None:
    kernel = FrequencyKernel().fit(TRAIN)
    genes = TRAIN["gene"].value_counts(normalize=True).to_dict()
    assert kernel.frequencies_[0] == pytest.approx(genes)
    alone = FrequencyKernel(alpha=2).fit(TRAIN[["gene"]])
    order = sorted(genes, key=genes.get) + ["AA"]
    found = alone.diag(pd.DataFrame({"gene": ["new", *order[:-1]]}))
    assert found[0] == 1.0
    np.testing.assert_allclose(found[1:], [np.sqrt(1 - genes[g] ** 2) for g in order[:-1]])
    assert (np.diff(found) < 0).all()


def test_what_all_have_counts_nothing() -> None:
    X = [["a", "u"], ["a", "v"]]
    np.testing.assert_array_equal(FrequencyKernel().fit(X)(X), [[0.25, 0], [0, 0.25]])
    np.testing.assert_array_equal(FrequencyKernel().fit([["a"], ["a"]])([["a"]]), [[0.0]])


@each_kernel
def test_columns_without_values_are_as_if_not_there(kernel) -> None:
    found = clone(kernel).fit(TRAIN.assign(empty=None))(TEST.assign(empty="x"))
    np.testing.assert_array_equal(found, clone(kernel).fit(TRAIN)(TEST))
    fitted = FrequencyKernel().fit(TRAIN.assign(empty=None))
    assert fitted.frequencies_[-1] == {}


@pytest.mark.parametrize(
    "values",
    [
        ["x", "y", "x"],
        [1, 2, 1],
        [2**60, 2**60 + 1, 2**60],
        [0.5, np.inf, 0.5],
        [True, False, True],
        [("a", 1), ("a", 2), ("a", 1)],
        pd.array(["x", "y", "x"], dtype="string"),
        pd.Categorical(["x", "y", "x"]),
        pd.Categorical(["x", "y", "x"], ["y", "x"], ordered=True),
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-01"]),
    ],
    ids=named,
)
def test_any_dtype(values) -> None:
    X = pd.DataFrame({"x": values})
    np.testing.assert_array_equal(OverlapKernel().fit(X)(X), [[1, 0, 1], [0, 1, 0], [1, 0, 1]])


def test_arrays() -> None:
    X = np.array([["x", "u"], ["y", "u"]])
    for same in (X, X.astype(object), X.tolist()):
        np.testing.assert_array_equal(OverlapKernel().fit(same)(same), [[1, 0.5], [0.5, 1]])


@each_kernel
def test_nothing_is_learned_from_test_rows(kernel) -> None:
    kernel = clone(kernel).fit(TRAIN)
    alone = np.vstack([kernel(TEST.iloc[[i]], TRAIN) for i in range(len(TEST))])
    np.testing.assert_array_equal(kernel(TEST, TRAIN), alone)
    again = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(again(TEST, TRAIN), alone)


def test_in_grid_searches() -> None:
    X = categories(60, 3, 0.1)
    y = (X["gene"] == "AA").to_numpy().astype(int)
    kernelizer = ColumnKernelizer([("genes", FrequencyKernel(), slice(None))])
    model = make_pipeline(kernelizer, MKLClassifier())
    grid = {"columnkernelizer__genes__alpha": [0.5, 2.0]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    alpha = search.best_params_["columnkernelizer__genes__alpha"]
    names = search.best_estimator_[0].kernel_names_
    assert names == [f"genes:frequency(alpha={alpha})"]
    assert search.best_score_ > 0.7


@pytest.mark.parametrize(
    ("kernel", "X", "error", "message"),
    [
        (FrequencyKernel(alpha=0), [["a"]], ValueError, "alpha is 0; expected a positive number"),
        (FrequencyKernel(alpha="1"), [["a"]], TypeError, "alpha is '1'; expected a positive numb"),
        (OverlapKernel(missing="category"), [["a"]], ValueError, "missing is 'category'; expected"),
        (
            OverlapKernel(missing="error"),
            [["a"], [None]],
            ValueError,
            "1 missing cells .* column 0",
        ),
        (OverlapKernel(), [[None]], ValueError, "every cell of X is missing"),
        (OverlapKernel(), [[{"a": 1}]], TypeError, "column 0: .*unhashable"),
        (OverlapKernel(), np.ones((2, 2, 2)), ValueError, "Found array with dim 3"),
    ],
    ids=named,
)
def test_refused(kernel, X, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        kernel.fit(X)


def test_categories_are_stored_in_their_order_and_not_as_keys():
    column = Column(0, "nominal", np.array([True, False, True]), np.zeros(3, dtype=bool))
    variable = Nominal(column)
    state = variable.__getstate__()
    assert state["codes"] == [True, False]
    again = Nominal.__new__(Nominal)
    again.__setstate__(state)
    assert vars(again).keys() == vars(variable).keys()
    assert again.codes == variable.codes
    np.testing.assert_array_equal(again.encode(column)[0], [0, 1, 0])
