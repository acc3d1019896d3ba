"""HTML representation: every kernel is to be seen."""

from __future__ import annotations

import functools

import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from mkfusion import ColumnKernelizer, Kernelizer, RBFKernel

SPECS = {
    "objects": RBFKernel(gamma=0.25),
    "names": "laplacian",
    "functions": rbf_kernel,
    "partials": functools.partial(rbf_kernel, gamma=1.0),
    "gaussian": RBF(),
    "pipelines": make_pipeline(StandardScaler(), RBFKernel()),
    "lists": [RBFKernel(gamma=0.125), "cosine"],
}


def test_column_kernelizer() -> None:
    entries = [(name, spec, [k]) for k, (name, spec) in enumerate(SPECS.items())]
    for fitted in (False, True):
        kernelizer = ColumnKernelizer(entries)
        if fitted:
            kernelizer.fit([[0.0] * 7, [1.0] * 7, [2.0] * 7])
        html = estimator_html_repr(make_pipeline(kernelizer))
        for text in [*SPECS, "ColumnKernelizer", "StandardScaler", "laplacian", "cosine", "[6]"]:
            assert text in html
        assert "0.25" in html and "0.125" in html


def test_kernelizer() -> None:
    html = estimator_html_repr(Kernelizer(list(SPECS.items())))
    for text in [*SPECS, "RBFKernel", "StandardScaler"]:
        assert text in html
    html = estimator_html_repr(Kernelizer(["linear", RBFKernel()]))
    assert "linear" in html and "RBFKernel" in html


@pytest.mark.parametrize("kernels", [[], None, [("a", "rbf")], "rbf", [3]])
def test_malformed(kernels) -> None:
    """Fit refuses them; looking at them must be possible."""
    assert "ColumnKernelizer" in estimator_html_repr(ColumnKernelizer(kernels))
    assert "Kernelizer" in estimator_html_repr(Kernelizer(kernels))
