"""Tables of polars give what those of pandas give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from mkfusion import CCA, ClinicalKernel, ColumnKernelizer, MKLClassifier, Modalities
from mkfusion.compare import compare_fusion
from mkfusion.datasets import load_promoters

pytestmark = pytest.mark.filterwarnings("ignore::mkfusion.MissingCellsWarning")

PARTS = ("mean", "error", "worst")


@pytest.fixture(scope="module")
def both():
    """The same table twice: of numbers, one with gaps, and categories; and its classes."""
    polars = pytest.importorskip("polars")
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    table = X.iloc[::4].reset_index(drop=True)
    table["worst gaps"] = np.where(np.arange(len(table)) % 7, table["worst area"], np.nan)
    table["error size"] = np.where(table["area error"] > 40, "large", "small")
    columns = {name: table[name].to_list() for name in table}
    return table, polars.DataFrame(columns, nan_to_null=True), y[::4].to_numpy()


def groups(table):
    return [(part, [name for name in table.columns if part in name]) for part in PARTS]


def test_kernels_and_predictions_are_the_same(both):
    *tables, y = both
    entries = [(name, "auto", columns) for name, columns in groups(tables[0])]
    stacks = [ColumnKernelizer(entries).fit_transform(table) for table in tables]
    for k in range(len(PARTS)):
        pair = [stack.gram(k) for stack in stacks]  # with a diagonal of ones
        np.testing.assert_allclose(*pair, rtol=0, atol=1e-12)
    model = make_pipeline(ColumnKernelizer(entries), MKLClassifier())
    predicted = [cross_val_predict(model, table, y, cv=3) for table in tables]
    np.testing.assert_array_equal(*predicted)


def test_modalities_hold_them(both):
    table, polar, _ = both
    parts = groups(table)
    X = Modalities({name: polar.select(columns) for name, columns in parts})
    rows = np.array([3, 0, 8])
    for name, columns in parts:
        pd.testing.assert_frame_equal(
            X[rows][name].to_pandas(), polar.to_pandas()[columns].iloc[rows].reset_index(drop=True)
        )


def test_baselines_take_them(both):
    table, polar, y = both
    mean, worst = groups(table)[0][1], [f"worst {name}" for name in ("area", "texture")]
    found = [
        CCA().fit(frame[mean], frame[worst]).canonical_correlations_ for frame in (table, polar)
    ]
    np.testing.assert_allclose(*found, rtol=1e-12)
    scores = [
        compare_fusion(
            frame,
            y,
            [("mean", mean), ("worst", worst)],
            methods=["early", "uniform"],
            cv=3,
            fast=True,
        ).scores("early fusion")
        for frame in (table, polar)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("strings", "name"),
    [
        (load_promoters().data["sequence"][::3], "weighted_degree"),
        ([f"{word} is no DNA" for word in dir(np)[:50]], "cosine"),
    ],
    ids=["sequences", "texts"],
)
def test_strings_are_compared_alike(strings, name):
    polars = pytest.importorskip("polars")
    grams = []
    for table in (pd.DataFrame({"s": strings}), polars.DataFrame({"s": strings})):
        kernelizers = [ColumnKernelizer([("s", "auto", columns)]) for columns in ("s", ["s"])]
        grams += [kernelizer.fit_transform(table).gram(0) for kernelizer in kernelizers]
        assert kernelizers[0].kernel_names_ == [f"s:{name}"]
    for gram in grams[1:]:
        np.testing.assert_array_equal(gram, grams[0])


@pytest.mark.parametrize("kind", ["array", "struct"])
@pytest.mark.parametrize(
    "kernel", ["auto", "rbf", ClinicalKernel()], ids=["auto", "rbf", "clinical"]
)
def test_cells_of_several_values_are_refused_by_name(kind, kernel):
    polars = pytest.importorskip("polars")
    vectors = np.arange(36.0).reshape(18, 2).tolist()
    if kind == "array":
        cells = polars.Series("v", vectors, dtype=polars.Array(polars.Float64, 2))
    else:
        cells = polars.Series("v", [{"x": a, "y": b} for a, b in vectors])
    table = polars.DataFrame([cells, polars.Series("n", range(18))])
    X = Modalities(table=table)
    assert X.present().all()
    with pytest.raises(ValueError, match=r"column 'v' is of .*several values in a cell"):
        ColumnKernelizer([("table", kernel, "table")]).fit(X)
