"""Kernels of tables with columns of several kinds and gaps."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils import _safe_indexing

from mkfusion import ClinicalKernel, ColumnKernelizer, MKLClassifier, Modalities, RBFKernel
from oracles.names import named

pytestmark = pytest.mark.filterwarnings("ignore::mkfusion.UnknownCategoriesWarning")

LEVELS = ["none", "mild", "severe"]


def table(n: int, seed: int, gaps: float = 0.0) -> pd.DataFrame:
    """Return a table with columns of every kind."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "age": rng.normal(60, 12, n),
            "visits": rng.integers(0, 9, n),
            "pain": pd.Categorical(rng.choice(LEVELS, n), LEVELS, ordered=True),
            "site": rng.choice(["A", "B", "C"], n),
            "smoker": rng.random(n) < 0.4,
            "stain": pd.Categorical(rng.choice(["red", "blue"], n)),
        }
    )
    return data.mask(rng.random(data.shape) < gaps) if gaps else data


COMPLETE = table(25, 0)
GAPPY = table(40, 1, 0.3)


def slow_clinical(X: pd.DataFrame, Z: pd.DataFrame, train: pd.DataFrame, missing: str) -> Any:
    """Evaluate the formulas of the docstring pair by pair."""

    def similarity(name: str, x: Any, z: Any) -> float:
        if name in ("age", "visits", "pain"):
            place = LEVELS.index if name == "pain" else float
            values = [place(t) for t in train[name].dropna()]
            r = max(values) - min(values)
            return max(0.0, r - abs(place(x) - place(z))) / r
        return float(x == z)

    def with_gaps(name: str, x: Any, z: Any) -> float:
        present = list(train[name].dropna())
        if missing == "zero" and (pd.isna(x) or pd.isna(z)):
            return 0.0
        left = present if pd.isna(x) else [x]
        right = present if pd.isna(z) else [z]
        return float(np.mean([similarity(name, a, b) for a in left for b in right]))

    return np.array(
        [
            [
                np.mean([with_gaps(name, x[name], z[name]) for name in train])
                for _, z in Z.iterrows()
            ]
            for _, x in X.iterrows()
        ]
    )


# -------------------------------------------------------------------------------- values


def test_complete_tables_are_as_in_the_paper() -> None:
    """The formula of Daemen and De Moor, which scikit-survival's clinical kernel has as well."""
    numbers = np.column_stack(
        [COMPLETE["age"], COMPLETE["visits"], COMPLETE["pain"].cat.codes, COMPLETE["smoker"]]
    ).astype(float)
    ranges = np.ptp(numbers, axis=0)
    graded = (ranges - np.abs(numbers[:, None] - numbers)) / ranges
    names = COMPLETE[["site", "stain"]].astype(str).to_numpy()
    expected = (graded.sum(axis=2) + (names[:, None] == names).sum(axis=2)) / 6
    kernel = ClinicalKernel().fit(COMPLETE)
    np.testing.assert_allclose(kernel(COMPLETE), expected, rtol=1e-13, atol=1e-15)
    assert list(kernel.kinds_) == ["numeric", "numeric", "ordinal", *["nominal"] * 3]
    np.testing.assert_allclose(kernel.ranges_, [*ranges[:3], *[np.nan] * 3])


@pytest.mark.parametrize("missing", ["mean", "zero"])
def test_gaps_are_as_in_a_double_loop(missing: str) -> None:
    train, test = table(8, 2, 0.3), table(4, 3, 0.3)
    kernel = ClinicalKernel(missing=missing).fit(train)
    for X, Z in [(train, train), (test, train), (test, test)]:
        expected = slow_clinical(X, Z, train, missing)
        np.testing.assert_allclose(kernel(X, Z), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("missing", ["mean", "zero"])
def test_gram_matrices_are_symmetric_and_positive_semi_definite(missing: str) -> None:
    train, test = GAPPY.iloc[:20], GAPPY.iloc[20:].copy()
    test["age"] = test["age"] * 3 - 100  # far outside the range, on both sides
    kernel = ClinicalKernel(missing=missing).fit(train)
    both = pd.concat([train, test])
    gram = kernel(both)
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(np.diagonal(gram), kernel.diag(both), rtol=1e-15)
    assert np.linalg.eigvalsh(gram)[0] > -1e-12
    assert gram.min() >= 0.0
    assert gram.max() <= 1.0
    assert kernel._is_psd()


def test_leaving_gaps_out_of_a_pairs_mean_would_not_be() -> None:
    """The reason for the mean embedding: Gower's own way with gaps is no kernel."""
    X = np.random.default_rng(0).random((20, 4))
    X[np.arange(20), np.arange(20) % 4] = np.nan
    ranges = np.nanmax(X, axis=0) - np.nanmin(X, axis=0)
    similarities = 1 - np.abs(X[:, None] - X) / ranges
    assert np.linalg.eigvalsh(np.nanmean(similarities, axis=2))[0] < -0.01
    assert np.linalg.eigvalsh(ClinicalKernel().fit(X)(X))[0] > -1e-12


def test_outside_the_training_range() -> None:
    kernel = ClinicalKernel().fit([[0.0], [10.0], [4.0]])
    found = kernel([[12.0], [25.0], [-3.0]], [[0.0], [10.0], [4.0], [27.0]])
    expected = [[0.0, 0.8, 0.2, 0.0], [0.0, 0.0, 0.0, 0.8], [0.7, 0.0, 0.3, 0.0]]
    np.testing.assert_allclose(found, expected, atol=1e-15)
    np.testing.assert_array_equal(kernel.diag([[12.0], [1e300]]), 1.0)
    # Means over training values agree there too.
    gap = kernel([[12.0], [-3.0], [3.0], [1e300]], [[np.nan]])
    np.testing.assert_allclose(gap[:, 0], [1 / 3, 1 / 3, (0.7 + 0.3 + 0.9) / 3, 0.0], atol=1e-15)


def test_categories_that_training_did_not_have() -> None:
    kernel = ClinicalKernel().fit(pd.DataFrame({"site": ["A", "B", "A"]}))
    new = pd.DataFrame({"site": ["C", "D", "A", "C"]})
    np.testing.assert_array_equal(
        kernel(new, pd.DataFrame({"site": ["A", "B"]})), [[0, 0], [0, 0], [1, 0], [0, 0]]
    )
    np.testing.assert_array_equal(kernel(new), [c == new["site"] for c in new["site"]])
    # Two tables number them in their own ways.
    others = pd.DataFrame({"site": ["E", "D", "C"]})
    np.testing.assert_array_equal(kernel(new, others), [[0, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 1]])
    gap = kernel(pd.DataFrame({"site": [None]}), new)
    np.testing.assert_allclose(gap, [[0, 0, 2 / 3, 0]])


def test_constant_columns_compare_equality() -> None:
    X = pd.DataFrame(
        {"x": [2.0, 2.0, np.nan], "g": pd.Categorical(["b"] * 3, ["b", "c"], ordered=True)}
    )
    kernel = ClinicalKernel().fit(X)
    np.testing.assert_array_equal(kernel(X), np.ones((3, 3)))
    np.testing.assert_array_equal(kernel.ranges_, [0.0, 0.0])
    new = pd.DataFrame({"x": [2.0, 3.0], "g": pd.Categorical(["c", "b"], ["b", "c"], ordered=True)})
    np.testing.assert_array_equal(kernel(new, X), [[0.5] * 3, [0.5] * 3])


def test_columns_without_values_are_as_if_not_there() -> None:
    X = COMPLETE.assign(lab=np.nan, note=None)
    kernel = ClinicalKernel().fit(X)
    np.testing.assert_array_equal(kernel(X), ClinicalKernel().fit(COMPLETE)(COMPLETE))
    assert list(kernel.kinds_[-2:]) == ["empty", "empty"]
    np.testing.assert_array_equal(kernel(X.assign(lab=1.0, note="seen")), kernel(X))
    with pytest.raises(ValueError, match="every cell of X is missing"):
        ClinicalKernel().fit(X[["lab", "note"]])


@pytest.mark.parametrize(("missing", "norm"), [("mean", 0.5), ("zero", 0.0)])
def test_samples_without_values(missing: str, norm: float) -> None:
    X = np.array([[0.0], [1.0], [np.nan]])
    kernel = ClinicalKernel(missing=missing).fit(X)
    np.testing.assert_array_equal(kernel(X)[2], [norm] * 3)
    # The cosine normalisation of a kernelizer leaves samples of norm 0 at 0.
    gram = ColumnKernelizer([("x", kernel, [0])]).fit_transform(X).gram(0)
    np.testing.assert_allclose(np.diagonal(gram), [1, 1, norm > 0])


# ---------------------------------------------------------------------------- kinds of input


@pytest.mark.parametrize(
    "column",
    [
        [3, None, 1, 2],
        np.array([3, np.nan, 1, 2], dtype=np.float32),
        np.array([3, None, 1, 2], dtype=object),
        pd.array([3, None, 1, 2], dtype="Int64"),
        pd.array([3, None, 1, 2], dtype="Float64"),
        pd.array([3, pd.NA, 1, 2], dtype=object),
        pd.Categorical([3, None, 1, 2], [1, 2, 3], ordered=True),
        pd.Categorical(["c", None, "a", "b"], list("abc"), ordered=True),
        pd.to_datetime(["2020-01-03", None, "2020-01-01", "2020-01-02"]),
        pd.to_datetime(["2020-01-03", None, "2020-01-01", "2020-01-02"]).tz_localize("UTC"),
        pd.to_timedelta([3, None, 1, 2], unit="h"),
    ],
    ids=lambda column: str(getattr(column, "dtype", "list")),
)
def test_columns_with_an_order(column) -> None:
    expected = ClinicalKernel().fit([[3.0], [np.nan], [1.0], [2.0]])
    X = pd.DataFrame({"x": column})
    kernel = ClinicalKernel().fit(X)
    np.testing.assert_allclose(kernel(X), expected([[3.0], [np.nan], [1.0], [2.0]]), rtol=1e-6)
    assert kernel.kinds_[0] in ("numeric", "time", "ordinal")


@pytest.mark.parametrize(
    "column",
    [
        ["u", None, "v", "u"],
        np.array(["u", np.nan, "v", "u"], dtype=object),
        pd.array(["u", None, "v", "u"], dtype="string"),
        pd.Categorical(["u", None, "v", "u"]),
        pd.Categorical([5, None, 3, 5]),
        pd.array([True, None, False, True], dtype="boolean"),
        np.array([True, pd.NaT, False, True], dtype=object),
        [("a", 1), None, ("a", 2), ("a", 1)],
        [1, None, "1", 1],
    ],
    ids=lambda column: str(getattr(column, "dtype", "list")),
)
def test_columns_of_categories(column) -> None:
    X = pd.DataFrame({"x": column})
    kernel = ClinicalKernel().fit(X)
    p, mean = [2 / 3, 1 / 3], 5 / 9
    expected = [[1, p[0], 0, 1], [p[0], mean, p[1], p[0]], [0, p[1], 1, 0], [1, p[0], 0, 1]]
    np.testing.assert_allclose(kernel(X), expected)
    assert list(kernel.kinds_) == ["nominal"]


def test_arrays_and_lists_of_mixed_rows() -> None:
    frame = COMPLETE[["age", "visits", "site", "smoker"]]
    expected = ClinicalKernel().fit(frame)(frame)
    rows = frame.to_numpy(dtype=object)
    for X in (rows, rows.tolist()):
        np.testing.assert_allclose(ClinicalKernel().fit(X)(X), expected, rtol=1e-14)


def test_numbers_that_name_categories() -> None:
    X = np.column_stack([COMPLETE["age"], COMPLETE["visits"]])
    frame = pd.DataFrame(X, columns=["age", "visits"])
    expected = ClinicalKernel().fit(COMPLETE[["age"]].assign(v=frame["visits"].astype("category")))
    gram = expected(COMPLETE[["age"]].assign(v=frame["visits"].astype("category")))
    for data, columns in [(X, [1]), (X, [False, True]), (X, 1), (frame, "visits"), (frame, [-1])]:
        kernel = ClinicalKernel(categorical_features=columns).fit(data)
        np.testing.assert_array_equal(kernel(data), gram)
        assert list(kernel.kinds_) == ["numeric", "nominal"]
    with pytest.raises(ValueError, match="'categorical_features' asks for unknown columns"):
        ClinicalKernel(categorical_features=["sex"]).fit(frame)


def test_levels_keep_their_places() -> None:
    """A new table may have its levels in another order, or not be categorical at all."""
    train = pd.DataFrame({"pain": pd.Categorical(LEVELS, LEVELS, ordered=True)})
    kernel = ClinicalKernel().fit(train)
    for new in (
        pd.Categorical(["severe", "none"], LEVELS[::-1], ordered=True),
        pd.Categorical(["severe", "none"]),
        ["severe", "none"],
    ):
        found = kernel(pd.DataFrame({"pain": new}), train)
        np.testing.assert_array_equal(found, [[0, 0.5, 1], [1, 0.5, 0]])
    with pytest.raises(ValueError, match=r"'pain' contains the level 'worst'; expected .* \['none"):
        kernel(pd.DataFrame({"pain": ["worst"]}))


def test_single_precision() -> None:
    X = GAPPY[["age", "visits"]].to_numpy(dtype=np.float32)
    kernel = ClinicalKernel().fit(X)
    gram = kernel(X)
    assert gram.dtype == np.float32
    np.testing.assert_allclose(gram, ClinicalKernel().fit(X.astype(float))(X), atol=1e-6)
    stack = ColumnKernelizer([("x", ClinicalKernel(), [0, 1])], normalize=None).fit_transform(X)
    assert stack.dtype == stack.gram(0).dtype == np.float32
    assert kernel(X.astype(float)).dtype == np.float64


# ------------------------------------------------------------------------------- properties


def test_blocks_are_those_of_the_whole() -> None:
    kernel = ClinicalKernel()
    train = kernel._fit_prepare(GAPPY)
    new = kernel._prepare(table(30, 4, 0.3).replace({"site": {"A": "Z"}}))
    whole = kernel._evaluate(new, train)
    rows, cols = np.array([7, 2, 2, 29]), np.array([39, 0, 5])
    block = kernel._evaluate(_safe_indexing(new, rows), _safe_indexing(train, cols))
    np.testing.assert_array_equal(block, whole[np.ix_(rows, cols)])
    np.testing.assert_array_equal(
        kernel._diagonal(_safe_indexing(new, rows)),
        kernel.diag(table(30, 4, 0.3).replace({"site": {"A": "Z"}}))[rows],
    )
    assert _safe_indexing(new, np.arange(30) < 4).shape == (4, 6)
    assert kernel._evaluate(_safe_indexing(new, []), train).shape == (0, 40)


def test_nothing_is_learned_from_test_rows() -> None:
    kernel = ClinicalKernel().fit(GAPPY)
    test = table(9, 5, 0.3)
    test.loc[0, "age"] = 1e6
    alone = np.vstack([kernel(test.iloc[[i]], GAPPY) for i in range(len(test))])
    np.testing.assert_array_equal(kernel(test, GAPPY), alone)


def test_the_order_of_samples_and_columns_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(GAPPY))
    kernel = ClinicalKernel().fit(GAPPY)
    other = ClinicalKernel().fit(GAPPY.iloc[order, ::-1])
    gram = other(GAPPY.iloc[order, ::-1])
    np.testing.assert_allclose(gram, kernel(GAPPY)[np.ix_(order, order)], rtol=1e-13)


def test_an_unfitted_kernel_learns_from_the_columns() -> None:
    X, Z = table(8, 6, 0.2), table(11, 7, 0.2)
    kernel = ClinicalKernel()
    np.testing.assert_array_equal(kernel(X, Z), ClinicalKernel().fit(Z)(X, Z))
    assert not hasattr(kernel, "kinds_")


def test_clone_pickle_and_label() -> None:
    kernel = ClinicalKernel(categorical_features=["visits"], missing="zero").fit(GAPPY)
    again = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(again(GAPPY), kernel(GAPPY))
    assert clone(kernel).get_params() == kernel.get_params()
    assert kernel._label() == "clinical(categorical_features=['visits'], missing=zero)"
    assert ClinicalKernel()._label() == "clinical"
    assert ClinicalKernel(categorical_features=np.array([True, False]))._label()


def test_in_pipelines_and_grid_searches() -> None:
    X = table(60, 8, 0.2)
    y = (X["age"].fillna(60) > 60).to_numpy().astype(int)
    kernelizer = ColumnKernelizer(
        [
            ("clinical", ClinicalKernel(), list(X)),
            ("visits", make_pipeline("passthrough", ClinicalKernel()), "visits"),
        ]
    )
    assert kernelizer.fit(X).kernel_names_ == ["clinical:clinical", "visits:clinical"]
    model = make_pipeline(kernelizer, MKLClassifier())
    grid = {"columnkernelizer__clinical__missing": ["mean", "zero"]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.7
    modalities = Modalities(table=X, series=np.arange(60.0).reshape(-1, 1))
    kernelizer = ColumnKernelizer([("a", ClinicalKernel(), "table"), ("b", RBFKernel(), "series")])
    scores = cross_val_score(make_pipeline(kernelizer, MKLClassifier()), modalities, y, cv=3)
    assert scores.mean() > 0.6
    svc = SVC(kernel="precomputed").fit(ClinicalKernel()(X), y)
    assert svc.score(ClinicalKernel().fit(X)(X), y) > 0.7


# ---------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("kernel", "X", "error", "message"),
    [
        (ClinicalKernel(missing="drop"), [[1.0]], ValueError, "missing is 'drop'; expected \"mea"),
        (ClinicalKernel(missing=None), [[1.0]], ValueError, "missing is None"),
        (ClinicalKernel(missing=["mean"]), [[1.0]], ValueError, r"missing is \['mean'\]"),
        (ClinicalKernel(missing="error"), GAPPY, ValueError, "X has .* missing cells .* 'age'"),
        (ClinicalKernel(), [[1.0], [np.inf]], ValueError, "column 0 contains inf; expected finite"),
        (ClinicalKernel(), [[1e308], [-1e308]], ValueError, "column 0 has the range from -1e"),
        (ClinicalKernel(), [[{}], ["a"]], TypeError, "column 0: .*unhashable.* can be hashed"),
        (ClinicalKernel(), [1.0, 2.0], ValueError, "Expected 2D array, got 1D"),
        (ClinicalKernel(), GAPPY[:0], ValueError, r"0 sample\(s\)"),
        (ClinicalKernel(), [[None], [None]], ValueError, "every cell of X is missing"),
        (ClinicalKernel(), np.array([[1j]]), ValueError, "Complex data not supported"),
    ],
    ids=named,
)
def test_refused_in_training(kernel, X, error: type[Exception], message: str) -> None:
    before = set(vars(kernel))
    with pytest.raises(error, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) == before


def test_refused_later() -> None:
    kernel = ClinicalKernel(missing="error").fit(COMPLETE)
    with pytest.raises(ValueError, match="1 missing cells .* in column 'site'"):
        kernel(COMPLETE.assign(site=[None, *COMPLETE["site"][1:]]))
    with pytest.raises(ValueError, match="column 'age' has numbers in training; could not convert"):
        kernel(COMPLETE.assign(age="old"))
    with pytest.raises(ValueError, match="column 'age' contains -inf"):
        kernel(COMPLETE.assign(age=-np.inf))
    with pytest.raises(TypeError, match="column 'site'.*unhashable"):
        kernel(COMPLETE.assign(site=[["A"]] * len(COMPLETE)))
    with pytest.raises(ValueError, match="feature names should match"):
        kernel(COMPLETE.drop(columns="age"))


def test_models_that_learned_dates_in_nanoseconds() -> None:
    """As version 0.1.0 did, whose pickles say nothing of a unit."""
    dates = np.array(["2020-01-01", "2020-02-01", "2020-03-15"], dtype="datetime64[ns]")
    table = pd.DataFrame({"seen": dates, "same": dates[:1].repeat(3)})
    kernel = ClinicalKernel().fit(table)
    expected = kernel(table, table)
    nanoseconds = 86_400 * 10**9
    graded, constant = (pickle.loads(pickle.dumps(one)) for one in kernel._variables)
    old_graded = {name: value for name, value in vars(graded).items() if name != "per_day"}
    old_graded |= {"low": graded.low * nanoseconds, "range": graded.range * nanoseconds}
    old_constant = constant.__getstate__()
    del old_constant["per_day"]
    old_constant["codes"] = [int(dates[0].astype(np.int64))]
    for new, old in ((graded, old_graded), (constant, old_constant)):
        vars(new).clear()
        new.__setstate__(old)
    kernel._variables = [graded, constant]
    np.testing.assert_allclose(kernel(table, table), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel.ranges_, [74.0, 0.0])
