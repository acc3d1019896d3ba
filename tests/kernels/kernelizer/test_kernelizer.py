"""Several kernels of the same samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import Kernelizer, LinearKernel, RBFKernel
from mkfusion.data._modalities import Modalities
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 4))


@pytest.mark.parametrize(
    ("kernels", "names"),
    [
        ("rbf", ["rbf"]),
        (RBFKernel(gamma=0.5), ["rbf(gamma=0.5)"]),
        (["linear", rbf_kernel], ["linear", "rbf_kernel"]),
        ([("near", "rbf"), ("flat", "linear")], ["near:rbf", "flat:linear"]),
        (
            [("near", [RBFKernel(gamma=0.5), RBFKernel(gamma=5.0)])],
            ["near:rbf(gamma=0.5)", "near:rbf(gamma=5.0)"],
        ),
    ],
    ids=named,
)
def test_forms(kernels, names: list[str]) -> None:
    kernelizer = Kernelizer(kernels)
    assert clone(kernelizer).fit(X).kernel_names_ == names
    assert kernelizer.fit_transform(X).shape == (10, 10, len(names))


def test_parameters_of_pairs() -> None:
    kernelizer = Kernelizer([("near", RBFKernel()), ("flat", "linear")])
    assert "near__gamma" in kernelizer.get_params()
    kernelizer.set_params(near__gamma=0.5, flat=LinearKernel(), normalize=None)
    found = np.asarray(kernelizer.fit_transform(X))
    expected = np.stack([rbf_kernel(X, gamma=0.5), linear_kernel(X)], axis=-1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_parameters_of_a_list() -> None:
    kernelizer = Kernelizer([RBFKernel(), LinearKernel(), RBFKernel()])
    names = {name for name in kernelizer.get_params() if "kernel" in name}
    assert names >= {"rbfkernel-1", "linearkernel", "rbfkernel-2__gamma"}
    kernelizer.set_params(**{"rbfkernel-2__gamma": 0.5, "linearkernel": "cosine"})
    assert kernelizer.fit(X).kernel_names_ == ["rbf", "cosine", "rbf(gamma=0.5)"]


def test_parameters_of_one() -> None:
    kernelizer = Kernelizer(make_pipeline(StandardScaler(), RBFKernel()))
    kernelizer.set_params(pipeline__rbfkernel__gamma=0.5)
    assert kernelizer.fit(X).kernel_names_ == ["rbf(gamma=0.5)"]
    kernelizer.set_params(pipeline=LinearKernel())
    assert isinstance(kernelizer.kernels, LinearKernel)


def test_feature_names() -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    kernelizer = Kernelizer(["linear"]).fit(table)
    assert list(kernelizer.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        kernelizer.transform(table[list("dcba")])


@pytest.mark.parametrize(
    ("kernels", "samples", "error", "message"),
    [
        ([], X, ValueError, "kernels is empty; expected at least one kernel"),
        ([("a", "rbf"), ("a", "rbf")], X, ValueError, "Names provided are not unique"),
        ([("n_jobs", "rbf")], X, ValueError, "conflict with constructor arguments"),
        ([("a__b", "rbf")], X, ValueError, "must not contain __"),
        ([("a", "rbf", [0])], X, TypeError, r"kernel is \('a', 'rbf', \[0\]\)"),
        ("rbf", Modalities(a=X), TypeError, r"X is Modalities \['a'\]; .* use ColumnKernelizer"),
        ("rbf", X[0], ValueError, r"X has shape \(4,\); .* Reshape your data"),
    ],
    ids=["empty", "twice", "reserved", "underscores", "triple", "modalities", "1-d"],
)
def test_refused(kernels, samples, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Kernelizer(kernels).fit(samples)
