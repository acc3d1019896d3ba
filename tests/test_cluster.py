"""Work moves to a cluster unchanged, by joblib's own switch."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, MKLClassifier
from mkfusion.compare import compare_fusion

MODALITIES = [("acids", [1, 2, 3]), ("colours", [9, 10, 11])]


@pytest.fixture(scope="module")
def cluster():
    """Two processes that get their work over the network, as on other machines."""
    distributed = pytest.importorskip("distributed", reason="dask is not installed: no cluster")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


def test_searches_are_the_same_on_a_cluster(cluster, wine):
    kernels = [(name, "rbf", columns) for name, columns in MODALITIES]
    model = make_pipeline(ColumnKernelizer(kernels), MKLClassifier())
    search = GridSearchCV(model, {"mklclassifier__C": [0.1, 10]}, cv=3)
    here = search.fit(*wine).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        there = search.set_params(n_jobs=2).fit(*wine).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(here, there)


def test_comparisons_are_the_same_on_a_cluster(cluster, wine):
    def compare(n_jobs):
        found = compare_fusion(
            *wine, MODALITIES, methods=["l1_mkl"], cv=3, fast=True, n_jobs=n_jobs
        )
        return [(score.method, score.fold, score.scores) for score in found.results_]

    here = compare(None)
    with joblib.parallel_config(backend="dask"):
        assert compare(2) == here
