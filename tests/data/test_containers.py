"""The same samples in the containers of many libraries are the same samples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    CCA,
    ClinicalKernel,
    ColumnKernelizer,
    EarlyFusionClassifier,
    LateFusionClassifier,
    MKLClassifier,
    Modalities,
    OverlapKernel,
    RBFKernel,
)
from mkfusion.data import as_plain, as_table, read_column, read_groups, read_labels, read_weights
from oracles.names import named

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

N = 12
rng = np.random.default_rng(0)
DATES = [date(2020, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 400, N)]
MOMENTS = [datetime(2020, 1, 1) + timedelta(hours=int(hour)) for hour in rng.integers(0, 999, N)]
PRICES = [Decimal(int(cents)).scaleb(-2) for cents in rng.integers(1, 999, N)]
SPANS = [timedelta(minutes=int(minutes)) for minutes in rng.integers(0, 9999, N)]
FLAGS = [bool(flag) for flag in rng.integers(0, 2, N)]
WORDS = [str(word) for word in rng.choice(["low", "mid", "high"], N)]
TOKYO = timezone(timedelta(hours=9))
LEVELS = ["low", "mid", "high"]
LABELS = np.arange(N) % 2


def days(values: list[Any]) -> np.ndarray:
    """Return dates or durations in days, by Python's own arithmetic."""
    one = timedelta(days=1)
    start = {date: date(1970, 1, 1), datetime: datetime(1970, 1, 1)}.get(type(values[0]))
    return np.array([(value - start if start else value) / one for value in values])


def arrow(values: list[Any], kind: Any) -> pd.Series:
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(kind)))


def levels(values: list[str], ordered: bool) -> pd.Series:
    return pd.Series(pd.Categorical(values, LEVELS, ordered=ordered))


def dictionary(values: list[str], ordered: bool) -> Any:
    codes = pyarrow.array([LEVELS.index(value) for value in values], pyarrow.int32())
    return pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(LEVELS), ordered=ordered)


# What is expected of a kind, as numbers or words, and the same samples in many containers.
CASES: dict[str, tuple[str, Any, list[Any]]] = {
    "dates": (
        "time",
        days(DATES),
        [
            np.array(DATES, dtype="datetime64[D]"),
            np.array(DATES, dtype=object),
            pd.Series(DATES, dtype=object),
            pd.Series(pd.to_datetime(DATES)),
            pd.Series(pd.to_datetime(DATES)).astype("datetime64[s]"),
            pd.Series(pd.to_datetime(DATES)).astype("datetime64[ns]"),
            pd.Series([pd.Timestamp(day) for day in DATES], dtype=object),
            pd.Series(pd.to_datetime(DATES)).dt.tz_localize("UTC"),
            pd.Series(pd.PeriodIndex(DATES, freq="D")),
            arrow(DATES, pyarrow.date32()),
            arrow(DATES, pyarrow.timestamp("ms")),
            arrow(DATES, pyarrow.timestamp("us", tz="UTC")),
            polars.Series(DATES),
            polars.Series(DATES).cast(polars.Datetime("ns")),
            pyarrow.table({"c": pyarrow.array(DATES, pyarrow.date32())}),
        ],
    ),
    "moments": (
        "time",
        days(MOMENTS),
        [
            np.array(MOMENTS, dtype="datetime64[us]"),
            np.array(MOMENTS, dtype=object),
            pd.Series(MOMENTS),
            pd.Series(MOMENTS, dtype=object),
            pd.Series(MOMENTS).dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
            pd.Series([one.replace(tzinfo=UTC) for one in MOMENTS], dtype=object),
            pd.Series(
                [
                    one.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9)))
                    for one in MOMENTS
                ],
                dtype=object,
            ),
            arrow(MOMENTS, pyarrow.timestamp("ns")),
            polars.Series(MOMENTS),
            polars.Series(MOMENTS).dt.replace_time_zone("UTC"),
            pyarrow.table({"c": pyarrow.array(MOMENTS)}),
        ],
    ),
    "spans": (
        "time",
        days(SPANS),
        [
            np.array(SPANS, dtype="timedelta64[s]"),
            np.array(SPANS, dtype=object),
            pd.Series(SPANS),
            pd.Series(SPANS, dtype=object),
            pd.Series([np.timedelta64(span) for span in SPANS], dtype=object),
            pd.Series([pd.Timedelta(span) for span in SPANS], dtype=object),
            arrow(SPANS, pyarrow.duration("ms")),
            polars.Series(SPANS),
            pyarrow.table({"c": pyarrow.array(SPANS)}),
        ],
    ),
    "prices": (
        "numeric",
        np.array([float(price) for price in PRICES]),
        [
            np.array(PRICES, dtype=object),
            np.array(PRICES, dtype=float),
            pd.Series(PRICES, dtype=object),
            pd.Series(PRICES, dtype=float).astype("Float64"),
            arrow(PRICES, pyarrow.decimal128(9, 2)),
            polars.Series(PRICES),
            polars.Series(PRICES).cast(polars.Float64),
            pyarrow.table({"c": pyarrow.array(PRICES)}),
        ],
    ),
    "flags": (
        "nominal",
        FLAGS,
        [
            np.array(FLAGS),
            pd.Series(FLAGS),
            pd.Series(FLAGS, dtype="boolean"),
            pd.Series(FLAGS, dtype=object),
            arrow(FLAGS, pyarrow.bool_()),
            polars.Series(FLAGS),
            pyarrow.table({"c": FLAGS}),
        ],
    ),
    "words": (
        "nominal",
        WORDS,
        [
            np.array(WORDS),
            pd.Series(WORDS),
            levels(WORDS, False),
            arrow(WORDS, pyarrow.string()),
            pd.Series(dictionary(WORDS, False), dtype=pd.ArrowDtype(dictionary(WORDS, False).type)),
            polars.Series(WORDS),
            polars.Series(WORDS, dtype=polars.Categorical),
            pyarrow.table({"c": dictionary(WORDS, False)}),
        ],
    ),
    "grades": (
        "ordinal",
        WORDS,
        [
            levels(WORDS, True),
            pd.Series(dictionary(WORDS, True), dtype=pd.ArrowDtype(dictionary(WORDS, True).type)),
            polars.Series(WORDS, dtype=polars.Enum(LEVELS)),
            pyarrow.table({"c": dictionary(WORDS, True)}),
        ],
    ),
}
each_kind = pytest.mark.parametrize("kind", CASES)


def tables(kind: str) -> list[Any]:
    """Return tables of one column."""
    made = []
    for column in CASES[kind][2]:
        if isinstance(column, np.ndarray):
            made.append(column.reshape(-1, 1))
        elif isinstance(column, pd.Series):
            made.append(pd.DataFrame({"c": column}))
        else:
            made.append(
                polars.DataFrame({"c": column})
                if hasattr(column, "cast") and not hasattr(column, "column_names")
                else column
            )
    return made


@each_kind
def test_kinds_and_values(kind: str) -> None:
    expected_kind, expected, _ = CASES[kind]
    for table in tables(kind):
        table = as_table(table)
        column = table.iloc[:, 0] if hasattr(table, "iloc") else table[:, 0]
        found = read_column(column, "c")
        assert found.kind == expected_kind, table
        assert not found.missing.any()
        if found.kind in ("nominal", "ordinal"):
            assert found.values.tolist() == expected
        else:
            np.testing.assert_array_equal(found.values.astype(float), expected)
        if expected_kind == "ordinal":
            assert found.levels == LEVELS


def similarity(kind: str) -> np.ndarray:
    """Return the clinical kernel by its definition."""
    expected_kind, expected, _ = CASES[kind]
    if expected_kind == "nominal":
        return np.equal.outer(np.array(expected), np.array(expected)).astype(float)
    if expected_kind == "ordinal":
        expected = np.array([LEVELS.index(word) for word in expected], dtype=float)
    distances = np.abs(np.subtract.outer(expected, expected))
    return 1 - distances / distances.max()


@each_kind
@pytest.mark.parametrize(
    "kernel",
    [ClinicalKernel, OverlapKernel, lambda: ColumnKernelizer([("k", "auto", [0])])],
    ids=["clinical", "overlap", "auto"],
)
def test_one_gram_matrix(kind: str, kernel: Callable[[], Any]) -> None:
    grams = []
    for table in tables(kind):
        if isinstance(kernel(), ColumnKernelizer):
            grams.append(kernel().fit_transform(table).gram(0))
        else:
            grams.append(kernel().fit(table)(table))
    for gram in grams[1:]:
        np.testing.assert_array_equal(gram, grams[0])
    if kernel is ClinicalKernel:
        np.testing.assert_allclose(grams[0], similarity(kind), atol=1e-9)


@pytest.mark.parametrize("kind", ["dates", "moments", "spans", "prices"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyFusionClassifier(),
        lambda: EarlyFusionClassifier(modalities=[("a", "passthrough", "a")]),
        lambda: LateFusionClassifier(cv=3),
    ],
    ids=["early", "passthrough", "late"],
)
def test_fitted_on_one_and_asked_in_another(kind: str, make: Callable[[], Any]) -> None:
    first, *others = tables(kind)
    model = make().fit(Modalities(a=first), LABELS)
    expected = model.predict_proba(Modalities(a=first))
    for other in others:
        found = make().fit(Modalities(a=other), LABELS).predict_proba(Modalities(a=other))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("unit", ["ns", "us", "s", "D"])
@pytest.mark.parametrize("kernel", [RBFKernel(gamma=1e-5), "linear", "auto", "rbf"], ids=named)
def test_the_unit_of_dates_does_not_matter(unit: str, kernel: Any) -> None:
    """As of the same dates as numbers of days."""
    dates = np.array(DATES, dtype="datetime64[D]").reshape(-1, 1)
    numbers = days(DATES).reshape(-1, 1)
    kernelizer = ColumnKernelizer([("k", kernel, [0])], normalize="cosine")
    stack = kernelizer.fit_transform(dates.astype("datetime64[ns]"))
    model = MKLClassifier().fit(stack, LABELS)
    expected = model.decision_function(stack)
    asked = kernelizer.transform(dates.astype(f"datetime64[{unit}]"))
    np.testing.assert_array_equal(model.decision_function(asked), expected)
    if kernel != "auto":
        of_numbers = ColumnKernelizer([("k", kernel, [0])]).fit_transform(numbers)
        np.testing.assert_allclose(stack.gram(0), of_numbers.gram(0))


def test_the_unit_of_dates_does_not_matter_to_others() -> None:
    other = rng.normal(size=(N, 2))
    dates = pd.DataFrame({"a": pd.to_datetime(DATES), "b": rng.normal(size=N)})
    polar = polars.DataFrame({"a": DATES, "b": dates["b"].to_list()})
    numbers = np.column_stack([days(DATES), dates["b"]])
    expected = CCA(n_components=1).fit(numbers, other).transform(numbers, other)[0]
    for table in (dates, dates.astype({"a": "datetime64[s]"}), polar):
        cca = CCA(n_components=1).fit(dates, other)
        np.testing.assert_allclose(cca.transform(table, other)[0], expected, rtol=1e-6)
    model = EarlyFusionClassifier(modalities=[("t", ["a", "b"])]).fit(dates, LABELS)
    for table in (dates.astype({"a": "datetime64[s]"}), polar):
        np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(dates))


def test_times_far_away_and_of_day() -> None:
    """Nanoseconds in 64 bits would wrap around."""
    far = np.array(["0001-01-01", "1500-06-01", "9999-12-31"], dtype="datetime64[D]")
    expected = [one.toordinal() - date(1970, 1, 1).toordinal() for one in far.tolist()]
    for column in (far, far.astype("datetime64[s]"), np.array(far.tolist(), dtype=object)):
        assert read_column(column, "c").values.tolist() == expected
    hours = np.array([time(6), time(18, 0, 0, 0), None], dtype=object)
    assert read_column(hours, "c").present.tolist() == [0.25, 0.75]


# ----------------------------------------------------------------------------------- masked arrays


def test_masked_cells_are_missing_cells() -> None:
    values = rng.normal(size=(N, 3))
    mask = rng.random((N, 3)) < 0.2
    masked = np.ma.array(np.where(mask, 9.97e36, values), mask=mask)
    gaps = np.where(mask, np.nan, values)
    kernel = ClinicalKernel()
    np.testing.assert_array_equal(kernel.fit(masked)(masked), kernel.fit(gaps)(gaps))
    modalities = Modalities(a=masked)
    np.testing.assert_array_equal(modalities["a"], gaps)
    np.testing.assert_array_equal(modalities.present(), Modalities(a=gaps).present())
    np.testing.assert_array_equal(as_table(masked), gaps)
    for given in (masked, list(masked)):
        np.testing.assert_array_equal(np.asarray(as_plain(given)), gaps)
    assert masked.mask.sum() == mask.sum(), "it is left as it was"
    with pytest.raises(ValueError, match="contains NaN"):
        RBFKernel().fit(masked)
    cells = pd.DataFrame({"a": [1.0, np.ma.masked, 3.0]}, dtype=object)
    assert read_column(cells["a"], "a").missing.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2]), [1.0, None]),
        (np.array(["a", "b"]), ["a", None]),
        (np.array([True, False]), [True, None]),
        (np.array(["1970-01-02", "2000-01-01"], dtype="datetime64[D]"), [1.0, None]),
        (np.array([Decimal(1), Decimal(2)]), [1, None]),
    ],
)
def test_masked_cells_of_any_dtype(values: Any, expected: list[Any]) -> None:
    column = read_column(np.ma.array(values, mask=[False, True]), "c")
    assert column.missing.tolist() == [False, True]
    assert column.present.tolist() == expected[:1]


def test_masked_cells_are_refused_by_name_where_none_may_be() -> None:
    X = rng.normal(size=(4, 2))
    labels = np.ma.array([0, 1, 0, 1], mask=[0, 0, 1, 0])
    with pytest.raises(ValueError, match="y contains NaN"):
        read_labels(X, labels)
    with pytest.raises(ValueError, match="y has 1 missing labels .* sample 2; expected one for"):
        read_labels(X, np.ma.array(list("abab"), mask=[0, 0, 1, 0]))
    with pytest.raises(ValueError, match="groups has 1 missing labels"):
        read_groups(labels, 4)
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        read_weights(np.ma.array(np.ones(4), mask=[0, 0, 1, 0]), X)
    gram = np.ma.array(X @ X.T, mask=np.eye(4))
    for given in (gram, [gram], gram[:, :, np.newaxis]):
        with pytest.raises(ValueError, match=r"has 4 masked entries; expected a number in all"):
            MKLClassifier().fit(given, [0, 1, 0, 1])
    whole = np.ma.array(X @ X.T)
    expected = MKLClassifier().fit(X @ X.T, [0, 1, 0, 1]).dual_coef_
    np.testing.assert_array_equal(MKLClassifier().fit(whole, [0, 1, 0, 1]).dual_coef_, expected)


# ------------------------------------------------------------------------------- what is no samples


class AnnotatedData:
    """Has what AnnData has, and may not be iterated: it would not end."""

    shape = (4, 2)
    obs_names = ("a", "b", "c", "d")

    def to_df(self) -> pd.DataFrame:
        return pd.DataFrame(np.ones(self.shape), index=list(self.obs_names))

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("it was iterated")

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Any:
        raise AssertionError("it was iterated")


def test_what_is_neither_array_nor_table_is_refused_with_the_remedy() -> None:
    data = AnnotatedData()
    message = r"is a AnnotatedData; expected an array.*from_anndata\(adata\), or adata.to_df\(\) as"
    with pytest.raises(TypeError, match=f"modality 'rna' {message}"):
        Modalities(rna=data)
    for estimator in (
        ColumnKernelizer([("a", "rbf", [0])]),
        RBFKernel(),
        ClinicalKernel(),
        EarlyFusionClassifier(),
        LateFusionClassifier(),
    ):
        with pytest.raises(TypeError, match=f"X {message}"):
            estimator.fit(data, [0, 1, 0, 1])
    with pytest.raises(TypeError, match="X is a generator; expected an array"):
        ColumnKernelizer([("a", "rbf", [0])]).fit(row for row in [[1.0], [2.0]])


def test_modalities_in_a_list_or_a_dict_are_told_what_holds_them() -> None:
    parts = {"a": np.zeros((4, 2)), "b": np.zeros((4, 3, 5))}
    for estimator in (ColumnKernelizer([("a", "rbf", "a")]), LateFusionClassifier()):
        with pytest.raises(TypeError, match=r"X is a dict; .*are Modalities\(X\)"):
            estimator.fit(parts, [0, 1, 0, 1])
        with pytest.raises(ValueError, match=r"such as \(4, 3, 5\); .*Modalities\(name=array"):
            estimator.fit(list(parts.values()), [0, 1, 0, 1])
    assert Modalities(parts).names == ["a", "b"]


# ------------------------------------------------------------------ transformers of one's own


class Standardised(StandardScaler):
    """Derived from scikit-learn's, with its ways."""


class DayOfMonth(TransformerMixin, BaseEstimator):
    """Derived from nothing that takes numbers: it is shown dates as they are."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.iloc[:, [0]].apply(lambda column: column.dt.day).to_numpy(dtype=float)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_transformers_of_ones_own_before_a_kernel(unit):
    frame = pd.DataFrame({"when": pd.to_datetime(DATES).astype(f"datetime64[{unit}]")})
    standardised = StandardScaler().fit_transform(days(DATES).reshape(-1, 1))
    of_month = np.array([[one.day] for one in DATES], dtype=float)
    for transformer, seen in ((Standardised(), standardised), (DayOfMonth(), of_month)):
        kernel = make_pipeline(transformer, RBFKernel(gamma=0.5))
        found = ColumnKernelizer([("when", kernel, ["when"])]).fit_transform(frame).gram(0)
        np.testing.assert_allclose(found, np.exp(-0.5 * (seen - seen.T) ** 2), rtol=1e-10)


@pytest.mark.parametrize("missing", ["error", "marginalise"])
def test_early_fusion_of_sparse_columns_of_pandas(missing):
    """As of the same numbers, scaled but not centred."""
    numbers = rng.poisson(0.4, size=(N, 5)).astype(float)
    dense = rng.normal(size=(N, 2))
    labels = np.arange(N) % 2
    frame = pd.DataFrame(numbers, columns=list("abcde"))
    columns = frame.astype(pd.SparseDtype("float64", 0.0))
    model = EarlyFusionClassifier(missing=missing)
    found = model.fit(Modalities(counts=columns, dense=dense), labels)
    block = numbers / np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1.0)
    block /= np.sqrt(block.var(axis=0).sum())
    other = StandardScaler().fit_transform(dense) / np.sqrt(2)
    expected = np.hstack([block, other])
    features = found.features(Modalities(counts=columns, dense=dense))
    features = features.toarray() if hasattr(features, "toarray") else features
    np.testing.assert_allclose(features, expected)
    by_hand = LogisticRegression().fit(expected, labels).predict_proba(expected)
    np.testing.assert_allclose(
        found.predict_proba(Modalities(counts=columns, dense=dense)), by_hand, atol=1e-4
    )
