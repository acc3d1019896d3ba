"""Work moves to a cluster unchanged, by joblib's own switch."""

import os
import signal
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, KernelStack, MKLClassifier, MKLClassifierCV
from mkfusion.compare import compare_fusion
from oracles.blocks import BLOCK, RANK, N, made_block

MODALITIES = [("acids", [1, 2, 3]), ("colours", [9, 10, 11])]


@pytest.fixture(scope="module")
def cluster():
    """Two processes that get their work over the network, as on other machines."""
    distributed = pytest.importorskip("distributed", reason="dask is not installed: no cluster")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def ray_cluster():
    """Two processes of Ray, which joblib knows by name then."""
    ray = pytest.importorskip("ray", reason="ray, which no extra installs, is not here")
    from ray.util.joblib import register_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20)
        register_ray()
        yield
        ray.shutdown()


@pytest.fixture(params=["multiprocessing", "dask", "ray"])
def backend(request):
    """A backend of joblib; all but Dask hand over what they did at the end alone."""
    if request.param != "multiprocessing":
        request.getfixturevalue({"dask": "cluster", "ray": "ray_cluster"}[request.param])
    return request.param


def test_searches_are_the_same_on_a_cluster(backend, wine):
    kernels = [(name, "rbf", columns) for name, columns in MODALITIES]
    model = make_pipeline(ColumnKernelizer(kernels), MKLClassifier())
    search = GridSearchCV(model, {"mklclassifier__C": [0.1, 10]}, cv=3)
    here = search.fit(*wine).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend):
        there = search.set_params(n_jobs=2).fit(*wine).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(here, there)


def test_searches_of_settings_are_the_same_on_a_cluster(backend, wine):
    X = ColumnKernelizer([(name, "rbf", columns) for name, columns in MODALITIES])
    search = MKLClassifierCV(Cs=[0.1, 10], cv=3)
    here = search.fit(X.fit_transform(wine[0]), wine[1])
    with joblib.parallel_config(backend):
        there = clone(search).set_params(n_jobs=2).fit(X.fit_transform(wine[0]), wine[1])
    np.testing.assert_array_equal(here.scores_, there.scores_)
    np.testing.assert_array_equal(here.weights_, there.weights_)


def test_comparisons_are_the_same_on_a_cluster(backend, wine):
    def compare(n_jobs):
        found = compare_fusion(
            *wine, MODALITIES, methods=["l1_mkl"], cv=3, fast=True, n_jobs=n_jobs
        )
        return [(score.method, score.fold, score.scores) for score in found.results_]

    here = compare(None)
    with joblib.parallel_config(backend):
        assert compare(2) == here


def test_passes_over_kernels_stay_in_this_process(wine):
    """Also where a backend's processes do the folds: a kernel counts the calls it hears of."""
    heard = []

    def kernel(A, B):
        heard.append(len(A))
        return A @ B.T

    kernelizer = ColumnKernelizer([("acids", kernel, [1, 2]), ("colours", kernel, [9, 10])])
    stack = kernelizer.fit_transform(wine[0])
    heard.clear()
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        MKLClassifier(cache_size=1e-3).fit(stack, wine[1])
    assert heard


def features(folder=None):
    """Features of two kernels, side by side in one Dask array."""
    da = pytest.importorskip("dask.array", reason="dask is not installed: no Dask arrays")
    return da.map_blocks(
        partial(made_block, folder=folder),
        chunks=((BLOCK,) * (N // BLOCK), (2 * RANK,)),
        dtype=np.float32,
        meta=np.empty((0, 0), dtype=np.float32),
    )


def kernels(Z):
    return KernelStack.from_features([Z[:, :RANK], Z[:, RANK:]])


@pytest.fixture(scope="module")
def in_memory():
    """The features, labels and the model of this process alone."""
    Z = np.concatenate(
        [
            made_block({None: {"chunk-location": (i, 0), "array-location": ((0, BLOCK), ())}})
            for i in range(N // BLOCK)
        ]
    )
    y = Z[:, 0] + 0.5 * Z[:, 1] + 0.5 * np.random.default_rng(0).normal(size=N) > 0.5
    return Z, y, MKLClassifier(tol=1e-2).fit(kernels(Z), y)


def test_blocks_stay_with_the_workers(cluster, in_memory):
    """Each of two workers has its half of the features, and what they add up to is the same."""
    Z, y, expected = in_memory
    there = features().persist()
    model = MKLClassifier(tol=1e-2).fit(kernels(there), y)
    assert model.duality_gap_ <= 1e-2
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-2)
    decisions = model.decision_function(kernels(there))
    np.testing.assert_allclose(decisions, model.decision_function(kernels(Z)), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_a_worker_that_dies_in_a_fit_is_recomputed(cluster, in_memory, tmp_path):
    _, y, expected = in_memory
    model = MKLClassifier(tol=1e-2).fit(kernels(features(tmp_path)), y)
    assert int((tmp_path / "died").read_text(encoding="ascii")) != os.getpid()
    assert (tmp_path / "made3").stat().st_size > 5  # and went on
    assert model.duality_gap_ <= 1e-2
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-2)


@pytest.mark.slow
def test_blocks_that_die_with_a_worker_are_made_again(cluster, in_memory):
    distributed = pytest.importorskip("distributed")
    _, y, expected = in_memory
    cluster.wait_for_workers(2)
    there = features().persist()
    distributed.wait(there)
    held = cluster.has_what()
    victim = max(held, key=lambda worker: len(held[worker]))
    assert held[victim]
    os.kill(cluster.run(os.getpid)[victim], signal.SIGKILL)
    model = MKLClassifier(tol=1e-2).fit(kernels(there), y)
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-2)
