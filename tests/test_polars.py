"""Tables of polars give what those of pandas give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

from mkfusion import CCA, ColumnKernelizer, MKLClassifier, Modalities
from mkfusion.compare import compare_fusion

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
        np.testing.assert_allclose(stacks[0].gram(k), stacks[1].gram(k), rtol=1e-12)
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
