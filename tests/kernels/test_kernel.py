"""What every kernel is to scikit-learn: called before it is fitted, and in Gaussian processes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import SpectralClustering
from sklearn.datasets import load_iris
from sklearn.decomposition import KernelPCA
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.svm import SVC, SVR

from mkfusion import LinearKernel, RBFKernel

rng = np.random.default_rng(0)
X, y = load_iris(return_X_y=True)
order = rng.permutation(len(X))
TRAIN, TEST = X[order[:60]], X[order[60:80]]
Y_TRAIN, Y_TEST = y[order[:60]], y[order[60:80]]
WIDTH = RBFKernel().fit(TRAIN).gamma_


class OncePerCall(RBFKernel):
    """Counts calls: a machine that calls a kernel for each pair makes thousands."""

    calls = 0

    def __call__(self, *args, **kwargs):
        OncePerCall.calls += 1
        return super().__call__(*args, **kwargs)


# ------------------------------------------------------------------------- not yet fitted


def test_a_kernel_learns_from_the_columns_of_a_call() -> None:
    kernel = RBFKernel()
    np.testing.assert_array_equal(kernel(TEST, TRAIN), RBFKernel().fit(TRAIN)(TEST, TRAIN))
    np.testing.assert_array_equal(kernel(TEST), RBFKernel().fit(TEST)(TEST))
    assert set(vars(kernel)) == {"gamma"}, "a call left something"
    with pytest.raises(NotFittedError):
        kernel.diag(TRAIN)


def test_a_fitted_kernel_learns_no_more() -> None:
    kernel = RBFKernel().fit(TRAIN)
    np.testing.assert_allclose(kernel(TEST), rbf_kernel(TEST, gamma=WIDTH))
    np.testing.assert_allclose(kernel(TRAIN, TEST), rbf_kernel(TRAIN, TEST, gamma=WIDTH))
    np.testing.assert_array_equal(kernel(TEST, TEST), kernel(TEST))


def test_a_call_validates() -> None:
    with pytest.raises(ValueError, match="X has 2 features, but RBFKernel is expecting 4"):
        RBFKernel()(TEST[:, :2], TRAIN)
    with pytest.raises(ValueError, match="eval_gradient is True; expected no Y"):
        RBFKernel()(TRAIN, TRAIN, eval_gradient=True)


# ------------------------------------------------------------------------------- machines


@pytest.mark.parametrize(
    "machine",
    [SVC(), SVR(), KernelRidge(alpha=0.1)],
    ids=lambda machine: type(machine).__name__,
)
def test_machines_learn_widths_from_their_training_samples(machine) -> None:
    OncePerCall.calls = 0
    found = clone(machine).set_params(kernel=OncePerCall()).fit(TRAIN, Y_TRAIN).predict(TEST)
    assert OncePerCall.calls == 2
    known = clone(machine).set_params(kernel="rbf", gamma=WIDTH).fit(TRAIN, Y_TRAIN)
    np.testing.assert_allclose(found, known.predict(TEST), rtol=1e-6)


def test_machines_without_labels() -> None:
    known = KernelPCA(2, kernel="rbf", gamma=WIDTH).fit(TRAIN)
    found = KernelPCA(2, kernel=RBFKernel()).fit(TRAIN)
    np.testing.assert_allclose(abs(found.transform(TEST)), abs(known.transform(TEST)), atol=1e-9)
    known = SpectralClustering(3, affinity="rbf", gamma=WIDTH, random_state=0)
    found = SpectralClustering(3, affinity=RBFKernel(), random_state=0)
    np.testing.assert_array_equal(found.fit_predict(TRAIN), known.fit_predict(TRAIN))
    found = Nystroem(kernel=RBFKernel(), n_components=60).fit(TRAIN)
    features = found.transform(TEST)
    assert features @ features.T == pytest.approx(rbf_kernel(TEST, gamma=WIDTH), abs=0.05)


def test_a_search_by_name_with_widths_of_each_fold() -> None:
    search = GridSearchCV(SVC(kernel=RBFKernel()), {"kernel__gamma": ["median", 1e-6]}, cv=3)
    search.fit(TRAIN, Y_TRAIN)
    assert search.best_params_ == {"kernel__gamma": "median"}
    folds = StratifiedKFold(3)
    found = cross_val_predict(SVC(kernel=RBFKernel()), TRAIN, Y_TRAIN, cv=folds)
    expected = np.empty_like(Y_TRAIN)
    for fold, rest in folds.split(TRAIN, Y_TRAIN):
        model = SVC(gamma=RBFKernel().fit(TRAIN[fold]).gamma_).fit(TRAIN[fold], Y_TRAIN[fold])
        expected[rest] = model.predict(TRAIN[rest])
    np.testing.assert_array_equal(found, expected)


# --------------------------------------------------------------------- Gaussian processes


def test_gaussian_process_regression() -> None:
    found = GaussianProcessRegressor(kernel=RBFKernel(), alpha=0.1).fit(TRAIN, Y_TRAIN)
    width = RBF(np.sqrt(0.5 / WIDTH), length_scale_bounds="fixed")
    known = GaussianProcessRegressor(kernel=width, alpha=0.1).fit(TRAIN, Y_TRAIN)
    # One sample at a time: what is learned may not depend on those predicted with it.
    for sample in (TEST, TEST[:1]):
        np.testing.assert_allclose(
            found.predict(sample, return_std=True), known.predict(sample, return_std=True)
        )
    assert found.log_marginal_likelihood_value_ == pytest.approx(
        known.log_marginal_likelihood_value_
    )


def test_gaussian_process_classification_learns_nothing_from_test_samples() -> None:
    # It asks for k(train, test), where test samples stand for columns.
    found = GaussianProcessClassifier(kernel=RBFKernel()).fit(TRAIN, Y_TRAIN)
    width = RBF(np.sqrt(0.5 / WIDTH), length_scale_bounds="fixed")
    known = GaussianProcessClassifier(kernel=width).fit(TRAIN, Y_TRAIN)
    for model in (found, pickle.loads(pickle.dumps(found)), clone(found).fit(TRAIN, Y_TRAIN)):
        for samples in (TEST, TEST[:1], 100 * TEST):
            np.testing.assert_allclose(
                model.predict_proba(samples), known.predict_proba(samples), rtol=1e-6
            )


def test_noise_of_a_gaussian_process_is_learned_beside_a_kernel() -> None:
    for kernel in (RBFKernel() + WhiteKernel(1.0), WhiteKernel(1.0) + RBFKernel()):
        found = GaussianProcessRegressor(kernel=kernel).fit(TRAIN, Y_TRAIN)
        width = RBF(np.sqrt(0.5 / WIDTH), length_scale_bounds="fixed")
        known = GaussianProcessRegressor(kernel=width + WhiteKernel(1.0)).fit(TRAIN, Y_TRAIN)
        np.testing.assert_allclose(found.kernel_.theta, known.kernel_.theta, rtol=1e-3)
        np.testing.assert_allclose(found.predict(TEST), known.predict(TEST), rtol=1e-3)


def test_a_clone_that_is_used_by_another_machine_keeps_nothing() -> None:
    kernel = clone(RBFKernel())
    model = SVC(kernel=kernel).fit(TRAIN, Y_TRAIN)
    kernel(1000 * TEST)  # a look at some Gram matrix
    np.testing.assert_array_equal(
        model.predict(TEST), SVC(gamma=WIDTH).fit(TRAIN, Y_TRAIN).predict(TEST)
    )
    assert not hasattr(kernel, "gamma_")


def test_kernels_are_compared_as_estimators_are() -> None:
    kernel = RBFKernel()
    assert kernel == kernel
    assert kernel != RBFKernel()
    assert len({kernel, LinearKernel(), RBFKernel()}) == 3
    assert kernel.theta.shape == kernel.bounds.shape == (0,)
    assert kernel.n_dims == 0
    assert not kernel.is_stationary()
    assert kernel.requires_vector_input
    assert "gamma" in dir(kernel)
