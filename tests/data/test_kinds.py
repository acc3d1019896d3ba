"""What the cells of columns are, whatever library holds them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mkfusion import ClinicalKernel
from mkfusion.data import as_numbers, holds_texts, read_column, read_columns

DAY = 1.0
DATES = np.array(["1970-01-02", "1970-01-05", "NaT"], dtype="datetime64[D]")
HALVES = [Decimal("1.5"), Decimal("2.5"), None]


def column_of(values: Any, dtype: Any = None) -> pd.Series:
    return pd.Series(values, dtype=dtype)


@pytest.mark.parametrize(
    ("column", "kind", "present"),
    [
        (np.array([1.5, np.nan]), "numeric", [1.5]),
        (np.array([1, 2], dtype=np.uint8), "numeric", [1, 2]),
        (column_of([1.5, None]), "numeric", [1.5]),
        (column_of([1, None], "Int64"), "numeric", [1]),
        (column_of([1, 2.5, None], object), "numeric", [1, 2.5]),
        (column_of(HALVES, object), "numeric", HALVES[:2]),
        (column_of([Decimal("NaN"), Decimal(1)], object), "numeric", [Decimal(1)]),
        (column_of([0.0, 2.0], pd.SparseDtype(float)), "numeric", [0.0, 2.0]),
        (column_of([True, False]), "nominal", [True, False]),
        (column_of([True, None], "boolean"), "nominal", [True]),
        (column_of(["a", None], object), "nominal", ["a"]),
        (column_of(["a", None], "string"), "nominal", ["a"]),
        (column_of([1, "a"], object), "nominal", [1, "a"]),
        (column_of([1, True], object), "nominal", [1, True]),
        (column_of(["a", None], "category"), "nominal", ["a"]),
        (column_of(pd.Categorical(["a"], ["b", "a"], ordered=True)), "ordinal", ["a"]),
        (column_of(DATES.astype("datetime64[ns]")), "time", [DAY, 4 * DAY]),
        (column_of(DATES.astype("datetime64[s]")), "time", [DAY, 4 * DAY]),
        (DATES, "time", [DAY, 4 * DAY]),
        (column_of(DATES.astype("datetime64[ns]")).dt.tz_localize("UTC"), "time", [DAY, 4 * DAY]),
        (np.array([1, 2], dtype="timedelta64[D]"), "time", [DAY, 2 * DAY]),
        (np.array(["a", "b"]), "nominal", ["a", "b"]),
        (column_of([None, None], object), "nominal", []),
    ],
)
def test_kinds(column: Any, kind: str, present: list[Any]) -> None:
    found = read_column(column, "c")
    assert found.kind == kind
    assert found.present.tolist() == present
    assert len(found.values) == len(found.missing) == len(column)


def test_kinds_of_polars_are_those_of_pandas() -> None:
    polars = pytest.importorskip("polars")
    columns = {
        "number": [1.5, None, 2.0],
        "whole": [1, 2, 3],
        "flag": [True, None, False],
        "word": ["a", "b", None],
        "day": [date(1970, 1, 2), date(1970, 1, 5), None],
        "price": HALVES,
    }
    for column in read_columns(polars.DataFrame(columns)):
        values = column_of(columns[str(column.name)])
        if column.name == "day":
            values = column_of(DATES.astype("datetime64[ns]"))
        expected = read_column(values, column.name)
        assert column.kind == expected.kind, column.name
        assert column.missing.tolist() == expected.missing.tolist(), column.name
        assert column.present.tolist() == expected.present.tolist(), column.name


def test_decimals_are_compared_as_numbers() -> None:
    """(range - |x - z|) / range, as of floats."""
    table = pd.DataFrame({"price": [Decimal("1.5"), Decimal("2.5"), Decimal("3.5")]}, dtype=object)
    gram = ClinicalKernel().fit(table)(table)
    np.testing.assert_allclose(gram, [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])


def test_levels_keep_their_order() -> None:
    column = read_column(column_of(pd.Categorical(["a"], ["b", "a"], ordered=True)), "c")
    assert column.levels == ["b", "a"]


def test_numbers() -> None:
    found = as_numbers(read_column(column_of(HALVES, object), "c"))
    np.testing.assert_array_equal(found, [1.5, 2.5, np.nan])
    with pytest.raises(ValueError, match="column 'c' contains inf; expected finite numbers"):
        as_numbers(read_column(np.array([1.0, np.inf]), "c"))
    with pytest.raises(ValueError, match="column 'c' has numbers in training"):
        as_numbers(read_column(np.array(["a", "b"]), "c"))
    with pytest.raises(ValueError, match="Complex data not supported: column 'c' is complex128"):
        read_column(np.array([1j]), "c")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([f"name{i}" for i in range(41)], True),
        ([f"name{i % 40}" for i in range(80)], False),
        (["one two three", "four five six", "seven eight nine"], True),
        (["one two three"] * 3, False),
        (["a", "b", "c"], False),
        ([1.0, 2.0, 3.0], False),
    ],
)
def test_texts(values: list[Any], expected: bool) -> None:
    assert holds_texts(read_column(column_of(values), "c")) is expected
    assert not holds_texts(read_column(column_of(values, "category"), "c"))
