"""Projections of kernels that are not positive semi-definite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, MKLClassifier, Modalities, SoftDTWKernel
from mkfusion.kernels._adapters import PairwiseKernel
from mkfusion.kernels._projected import ProjectedKernel

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
Z = rng.normal(size=(7, 3))


class Sigmoid(ProjectedKernel, PairwiseKernel):
    """tanh(x'z / 3 + 1), which is indefinite."""

    def __init__(self, metric: str = "sigmoid", project_psd: Any = False) -> None:
        self.metric = metric
        self.project_psd = project_psd


plain = Sigmoid().fit(X)
GRAM, NEW = plain(X), plain(Z, X)
VALUES, VECTORS = np.linalg.eigh(GRAM)


def test_the_example_is_indefinite() -> None:
    assert VALUES[0] < -0.1
    assert not plain._is_psd()
    assert plain.shift_ == 0.0
    np.testing.assert_array_equal(plain.diag(X), np.diagonal(GRAM))


@pytest.mark.parametrize("project_psd", ["clip", True])
def test_clip_is_the_nearest_matrix_and_a_linear_map(project_psd) -> None:
    kernel = Sigmoid(project_psd=project_psd).fit(X)
    assert kernel._is_psd()
    assert not kernel._has_own_noise()
    positive = VALUES > 0
    P = VECTORS[:, positive] @ VECTORS[:, positive].T
    np.testing.assert_allclose(kernel(X), P @ GRAM @ P, atol=1e-12)
    np.testing.assert_allclose(kernel(Z, X), NEW @ P, atol=1e-12)
    np.testing.assert_allclose(kernel(X, Z), (NEW @ P).T, atol=1e-12)
    # Among new samples: their projections' inner products.
    inverse = VECTORS[:, positive] / VALUES[positive] @ VECTORS[:, positive].T
    np.testing.assert_allclose(kernel(Z), NEW @ inverse @ NEW.T, atol=1e-10)
    np.testing.assert_allclose(kernel.diag(Z), np.diagonal(kernel(Z)))


def test_shift_is_on_the_diagonal_only() -> None:
    kernel = Sigmoid(project_psd="shift").fit(X)
    assert kernel._is_psd()
    assert kernel._has_own_noise()
    assert kernel.shift_ == pytest.approx(-VALUES[0])
    shifted = GRAM + kernel.shift_ * np.eye(len(X))
    np.testing.assert_allclose(kernel(X), shifted)
    # Two collections share no noise, even if they are the same, as with scikit-learn's WhiteKernel.
    np.testing.assert_allclose(kernel(X, X), GRAM)
    np.testing.assert_allclose(kernel(Z, X), NEW)
    np.testing.assert_allclose(kernel.diag(Z), np.diagonal(plain(Z)) + kernel.shift_)


def test_nothing_is_changed_where_nothing_is_negative() -> None:
    for project_psd in ("clip", "shift"):
        kernel = Sigmoid("rbf", project_psd).fit(X)
        expected = Sigmoid("rbf").fit(X)
        np.testing.assert_allclose(kernel(X), expected(X), atol=1e-12)
        np.testing.assert_allclose(kernel(Z, X), expected(Z, X), atol=1e-10)
        assert kernel.shift_ == 0.0


def test_single_precision_stays() -> None:
    for project_psd in ("clip", "shift"):
        kernel = Sigmoid(project_psd=project_psd).fit(X.astype(np.float32))
        found = kernel(Z.astype(np.float32), X.astype(np.float32))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, Sigmoid(project_psd=project_psd).fit(X)(Z, X), atol=1e-4)


@pytest.mark.parametrize("normalize", ["cosine", "trace", "center", None])
@pytest.mark.parametrize("project_psd", ["clip", "shift"])
def test_blocks_of_a_stack_are_those_of_the_whole(project_psd, normalize) -> None:
    kernelizer = ColumnKernelizer(
        [("all", Sigmoid(project_psd=project_psd), slice(None))], normalize=normalize
    )
    stack = kernelizer.fit_transform(X)
    stack.check_gram()
    dense = np.asarray(stack)[:, :, 0]
    assert np.linalg.eigvalsh(dense)[0] > -1e-10
    rows, cols = [3, 1, 8], [8, 0, 3, 19]
    block = np.asarray(stack[np.ix_(rows, cols)])[:, :, 0]
    np.testing.assert_allclose(block, dense[np.ix_(rows, cols)], atol=1e-12)
    new = np.asarray(kernelizer.transform(Z))[:, :, 0]
    one_by_one = [np.asarray(kernelizer.transform(z[np.newaxis]))[0, :, 0] for z in Z]
    np.testing.assert_allclose(one_by_one, new, atol=1e-12)


@pytest.mark.parametrize("project_psd", ["nearest", None, 1.0, ["clip"]])
def test_other_projections_are_refused(project_psd) -> None:
    kernel = SoftDTWKernel(project_psd=project_psd)
    with pytest.raises(ValueError, match='project_psd is .*; expected True, False, "clip" or "sh'):
        kernel.fit(np.zeros((2, 1, 3)))
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"


def test_a_solver_takes_what_is_projected_and_refuses_the_rest() -> None:
    signals = np.random.default_rng(3).integers(0, 2, size=(40, 1, 8)).astype(float)
    y = signals[:, 0].sum(axis=1) > 4
    data = Modalities(steps=signals)

    def model(project_psd: bool | str) -> Any:
        kernel = SoftDTWKernel(smoothing=0.01, gamma=0.2, project_psd=project_psd)
        return make_pipeline(ColumnKernelizer([("steps", kernel, "steps")]), MKLClassifier())

    with pytest.raises(ValueError, match="positive semi-definite"):
        model(False).fit(data, y)
    for project_psd in ("clip", "shift"):
        fitted = model(project_psd).fit(data[:30], y[:30])
        assert fitted[-1].duality_gap_ < 1e-3
        np.testing.assert_array_equal(
            fitted.predict(data), np.concatenate([fitted.predict(data[[i]]) for i in range(40)])
        )
