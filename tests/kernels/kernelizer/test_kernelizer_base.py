"""What both kernelizers share."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from mkfusion import (
    ChiSquaredKernel,
    ColumnKernelizer,
    Kernelizer,
    RBFKernel,
)
from mkfusion.stack import KernelStack
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4))
Z = rng.normal(size=(6, 4))


def whole(kernels, **parameters) -> Kernelizer:
    return Kernelizer([("part", kernels)], **parameters)


def columns(kernels, **parameters) -> ColumnKernelizer:
    return ColumnKernelizer([("part", kernels, slice(None))], **parameters)


either = pytest.mark.parametrize("make", [whole, columns])


@either
def test_stacks(make) -> None:
    kernelizer = make(["linear", RBFKernel(gamma=0.5)], normalize=None)
    train = kernelizer.fit_transform(X)
    test = kernelizer.transform(Z)
    assert isinstance(train, KernelStack)
    assert (train.shape, test.shape) == ((10, 10, 2), (6, 10, 2))
    for stack, rows in ((train, X), (test, Z), (kernelizer.transform(X), X)):
        assert stack.names == kernelizer.kernel_names_ == ["part:linear", "part:rbf(gamma=0.5)"]
        assert "on demand" in repr(stack)
        np.testing.assert_allclose(stack.gram(0), linear_kernel(rows, X), rtol=1e-12)
        np.testing.assert_allclose(stack.gram(1), rbf_kernel(rows, X, gamma=0.5), rtol=1e-12)


@either
def test_names_are_unique(make) -> None:
    kernelizer = make(["rbf", "rbf", RBFKernel(), rbf_kernel, "rbf"]).fit(X)
    assert kernelizer.kernel_names_ == [
        "part:rbf",
        "part:rbf#2",
        "part:rbf#3",
        "part:rbf_kernel",
        "part:rbf#4",
    ]


@either
def test_learns_from_training_samples_only(make) -> None:
    kernelizer = make(make_pipeline(StandardScaler(), RBFKernel()))
    other = make(make_pipeline(StandardScaler(), RBFKernel()))
    gamma = kernelizer.fit(X).kernels_[0].kernel.gamma_
    kernelizer.transform(100 * Z).gram(0)
    assert kernelizer.kernels_[0].kernel.gamma_ == gamma
    np.testing.assert_array_equal(
        other.fit(X).transform(Z).gram(0), kernelizer.transform(Z).gram(0)
    )


@either
def test_clone_and_pickle(make) -> None:
    kernelizer = make([RBFKernel(gamma=0.5), "linear"], normalize="center").fit(X)
    fresh = clone(kernelizer)
    assert not hasattr(fresh, "kernels_")
    expected = np.asarray(kernelizer.transform(Z))
    np.testing.assert_array_equal(np.asarray(fresh.fit(X).transform(Z)), expected)
    again = pickle.loads(pickle.dumps(kernelizer))
    np.testing.assert_array_equal(np.asarray(again.transform(Z)), expected)


@either
@pytest.mark.parametrize("normalize", ["cosine", "center"])
def test_jobs_change_nothing(make, normalize: str) -> None:
    one, two = (
        make(["rbf", "linear", "laplacian"], normalize=normalize, n_jobs=n).fit(X) for n in (1, 2)
    )
    np.testing.assert_array_equal(np.asarray(two.transform(Z)), np.asarray(one.transform(Z)))
    np.testing.assert_array_equal(two.transform(Z).dot(X[:, 0]), one.transform(Z).dot(X[:, 0]))


@either
def test_sparse(make) -> None:
    kernelizer = make(["linear", RBFKernel()]).fit(csr_array(X))
    dense = make(["linear", RBFKernel()]).fit(X)
    np.testing.assert_allclose(
        np.asarray(kernelizer.transform(csr_array(Z))), np.asarray(dense.transform(Z)), rtol=1e-9
    )


@either
def test_tags(make) -> None:
    assert get_tags(make(["linear", RBFKernel()])).input_tags.sparse
    assert not get_tags(make(["linear", ChiSquaredKernel()])).input_tags.sparse
    assert not get_tags(make(["linear", rbf_kernel])).input_tags.sparse
    assert get_tags(make(ChiSquaredKernel())).input_tags.positive_only
    assert not get_tags(make("linear")).input_tags.positive_only
    get_tags(make(RBFKernel))  # malformed ones are refused by fit


@either
def test_no_feature_names_out(make) -> None:
    """With them, a global pandas output would try to make a table of a stack."""
    assert not hasattr(make("rbf"), "get_feature_names_out")


@either
def test_features_are_shared_by_kernels(make) -> None:
    kernelizer = make(["linear", "rbf", RBFKernel()]).fit(X.astype(int).tolist())
    samples = [fitted.train for fitted in kernelizer._fitted]
    assert all(np.shares_memory(samples[0], other) for other in samples[1:])


@either
@pytest.mark.parametrize(
    ("kernels", "parameters", "error", "message"),
    [
        ([], {}, ValueError, "kernel of 'part' is an empty list"),
        ("gauss", {}, ValueError, "^kernel of 'part': kernel is the unknown name 'gauss'"),
        (["rbf", 3], {}, TypeError, "^kernel of 'part': kernel is 3; expected a kernel object"),
        (RBFKernel, {}, TypeError, "^kernel of 'part': kernel is the class RBFKernel"),
        (RBFKernel(gamma=-1), {}, ValueError, r"^part:rbf\(gamma=-1\): gamma is -1"),
        ("chi2", {}, ValueError, "^part:chi2: Negative values in data passed to ChiSquaredKernel"),
        ("rbf", {"normalize": "unit"}, ValueError, "normalize is 'unit'; expected \"cosine\""),
        ("rbf", {"normalize": ["cosine"]}, ValueError, "normalize is .'cosine'.; expected"),
    ],
    ids=named,
)
def test_refused_and_nothing_kept(make, kernels, parameters, error, message) -> None:
    kernelizer = make(kernels, **parameters)
    before = set(vars(kernelizer))
    with pytest.raises(error, match=message):
        kernelizer.fit(X)
    assert set(vars(kernelizer)) == before
    # One that was fitted stays what it was.
    used = make("linear").fit(X[:, :3])
    used.set_params(**kernelizer.get_params(deep=False))
    with pytest.raises(error, match=message):
        used.fit(X)
    assert used.n_features_in_ == 3
    assert used.transform(X[:, :3]).names == ["part:linear"]


@either
@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "Input X"), (np.inf, "column 2 is infinite: Input X")]
)
def test_not_finite(make, value: float, said: str) -> None:
    bad = X.copy()
    bad[1, 2] = value
    with pytest.raises(ValueError, match=f"^part:rbf: {said} contains"):
        make("rbf").fit(bad)
    with pytest.raises(ValueError, match=f"^part:rbf: {said} contains"):
        make("rbf").fit(X).transform(bad)


@either
def test_wrong_number_of_features(make) -> None:
    kernelizer = make("rbf").fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but .* is expecting 4 features"):
        kernelizer.transform(X[:, :3])


@either
def test_not_fitted(make) -> None:
    with pytest.raises(NotFittedError):
        make("rbf").transform(X)
