"""What every kernel is to scikit-learn: called before it is fitted, and in Gaussian processes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
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

from mkfusion import (
    CovarianceKernel,
    FeatureKernel,
    Kernel,
    Kernelizer,
    LinearKernel,
    OverlapKernel,
    PolynomialKernel,
    PrecomputedKernel,
    RBFKernel,
    SoftDTWKernel,
    SpectrumKernel,
)

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


# ---------------------------------------------------------------------------- one's own


class SharedKernel(Kernel):
    """How many items two sets share: one method."""

    def _evaluate(self, samples, others=None):
        others = samples if others is None else others
        return np.array([[float(len(one & other)) for other in others] for one in samples])


class WeighingKernel(SharedKernel):
    """One with parameters that learns."""

    def __init__(self, items, power=1.0):
        self.items = items
        self.power = power

    def _learn(self, samples):
        self.most_ = max(map(len, samples))
        if self.power < 0:
            raise KeyboardInterrupt

    def _evaluate(self, samples, others=None):
        return (super()._evaluate(samples, others) / self.most_) ** self.power


SETS = [{1, 2}, {2, 3}, {1, 2, 3}, set()]


def test_one_method_makes_a_kernel() -> None:
    kernel = SharedKernel()
    expected = [[2, 1, 2, 0], [1, 2, 2, 0], [2, 2, 3, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(kernel(SETS), expected)
    with pytest.raises(NotFittedError):
        kernel.diag(SETS)
    kernel.fit(SETS)
    np.testing.assert_array_equal(kernel.diag(SETS[1:]), [2, 3, 0])
    assert kernel.diag(SETS).dtype == np.float64
    assert not kernel.is_psd()
    assert kernel._features(SETS) is None
    with pytest.raises(TypeError, match="abstract"):
        Kernel()
    with pytest.raises(TypeError, match="abstract"):
        FeatureKernel()


def test_labels_show_what_is_not_the_default() -> None:
    assert SharedKernel()._label() == "shared"
    assert WeighingKernel(items=3)._label() == "weighing(items=3)"
    assert WeighingKernel(3, power=1 / 3)._label() == "weighing(items=3, power=0.3333)"
    assert WeighingKernel(3, power=np.float64(0.5))._label() == "weighing(items=3, power=0.5)"
    assert (2 * SharedKernel() + RBFKernel())._label() == "2 * shared + rbf"


def test_a_fit_that_fails_for_any_reason_leaves_the_kernel_as_it_was() -> None:
    kernel = WeighingKernel(3, power=2.0).fit(SETS)
    before = {**vars(kernel)}
    assert before["most_"] == 3
    kernel.power = -1.0
    with pytest.raises(KeyboardInterrupt):
        kernel.fit(SETS[:2])
    assert vars(kernel) == {**before, "power": -1.0}


class NumbersKernel(FeatureKernel):
    """One of numbers that are not negative."""

    _positive_only = True

    def _evaluate(self, samples, others=None):
        return np.sqrt(samples) @ np.sqrt(samples if others is None else others).T


def test_rows_of_numbers_are_checked_for_a_kernel() -> None:
    kernel = NumbersKernel().fit(abs(TRAIN))
    np.testing.assert_allclose(kernel.diag(abs(TEST)), abs(TEST).sum(axis=1))
    assert kernel(abs(TEST).astype(np.float32)).dtype == np.float32
    for wrong, message in (
        (TEST[:, :2], "X has 2 features, but NumbersKernel is expecting 4"),
        (-TEST, "NumbersKernel: X contains -.*; expected non-negative features"),
        (TEST * np.nan, "Input X contains NaN"),
        (TEST[0], "Expected 2D array"),
    ):
        with pytest.raises(ValueError, match=message):
            kernel(wrong)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        kernel(csr_array(TEST))


def test_messages_show_numbers_of_numpy_as_numbers() -> None:
    signals = (CovarianceKernel, SoftDTWKernel)
    wrong = [
        (RBFKernel(gamma=np.float64(-1.0)), "gamma is -1.0; "),
        (PolynomialKernel(degree=np.int64(0)), "degree is 0; "),
        (SpectrumKernel(k=(np.int64(3), np.int64(2))), r"k is \(3, 2\); "),
        (OverlapKernel(missing=np.str_("rock")), "missing is 'rock'; "),
        (CovarianceKernel(shrinkage=np.float32(2.0)), "shrinkage is 2.0; "),
        (SoftDTWKernel(project_psd=np.str_("cut")), "project_psd is 'cut'; "),
        (PrecomputedKernel(np.eye(2), ids=[np.str_("a"), np.str_("a")]), "ids has 'a' more than"),
    ]
    for kernel, message in wrong:
        with pytest.raises(ValueError, match=message):
            kernel.fit(TRAIN.reshape(-1, 2, 6) if isinstance(kernel, signals) else TRAIN)
    with pytest.raises(TypeError, match="kernel is 1.0; expected a kernel object"):
        Kernelizer([np.float64(1.0)]).fit(TRAIN)
    with pytest.raises(ValueError, match=r"exponent is 0.5; expected a positive integer"):
        RBFKernel() ** np.float64(0.5)
    with pytest.raises(ValueError, match=r"scale is -1.0; expected a non-negative number"):
        np.float64(-1.0) * RBFKernel()
