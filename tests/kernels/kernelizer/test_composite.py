"""A weighted sum of kernels in every kernel machine of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.cluster import SpectralClustering
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import KernelPCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer, StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

from mkfusion import (
    ColumnKernelizer,
    CompositeKernel,
    InteractionKernels,
    Kernelizer,
    LinearKernel,
    MKLClassifier,
    Modalities,
    RBFBank,
    RBFKernel,
)
from oracles.names import named

WINE, CULTIVAR = load_wine(return_X_y=True)
WINE = StandardScaler().fit_transform(WINE)
order = np.random.default_rng(0).permutation(len(WINE))
X, Z, y = WINE[order[:60]], WINE[order[60:90]], CULTIVAR[order[:60]]
DIABETES, PROGRESSION = load_diabetes(return_X_y=True)
DIABETES = StandardScaler().fit_transform(DIABETES)
FOLDS = KFold(3, shuffle=True, random_state=0)
ENTRIES = [
    ("acids", [RBFKernel(gamma=0.1), RBFKernel()], [0, 1, 2, 3]),
    ("colour", "linear", slice(4, None)),
]
WEIGHTS = np.array([0.5, 0.0, 2.0])


def kernelizer(normalize="cosine") -> ColumnKernelizer:
    return ColumnKernelizer(ENTRIES, normalize=normalize)


@pytest.fixture(params=["cosine", "trace", "center", None], ids=named)
def normalize(request):
    return request.param


# --------------------------------------------------------------------------------- values


def test_values_in_closed_form() -> None:
    composite = CompositeKernel([RBFKernel(gamma=0.1), "linear"], weights=[0.3, 2.0])
    expected = 0.3 * rbf_kernel(Z, X, gamma=0.1) + 2.0 * linear_kernel(Z, X)
    np.testing.assert_allclose(composite(Z, X), expected, rtol=1e-12)
    np.testing.assert_allclose(composite.fit(X)(Z, X), expected, rtol=1e-12)
    np.testing.assert_allclose(composite.diag(Z), np.diagonal(composite(Z)), rtol=1e-12)
    unweighted = CompositeKernel([RBFKernel(gamma=0.1), "linear"])
    expected = rbf_kernel(X, gamma=0.1) + linear_kernel(X)
    np.testing.assert_allclose(unweighted(X), expected, rtol=1e-12)


@pytest.mark.parametrize("single", [False, True], ids=["float64", "float32"])
def test_it_is_what_the_kernelizer_gives(normalize, single: bool) -> None:
    train, test = (X.astype(np.float32), Z.astype(np.float32)) if single else (X, Z)
    fitted = kernelizer(normalize).fit(train)
    composite = CompositeKernel(kernelizer(normalize), weights=WEIGHTS)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if single else {"rtol": 1e-12, "atol": 1e-12}
    expected = fitted.transform(test).combine(WEIGHTS)
    np.testing.assert_allclose(composite(test, train), expected, **tolerance)
    expected = fitted.fit_transform(train).combine(WEIGHTS)
    np.testing.assert_allclose(composite(train), expected, **tolerance)
    np.testing.assert_allclose(composite(train, train), expected, **tolerance)
    assert composite(train).dtype == np.float64


def test_gaussian_kernels_at_once_are_normalised(normalize) -> None:
    """Several kernels of the same samples, which are evaluated together, by scikit-learn's own."""
    gammas, weights = (0.01, 0.1, 1.0), np.array([0.5, 1.0, 2.0])
    composite = CompositeKernel(
        ColumnKernelizer(
            [("k", [RBFKernel(gamma=gamma) for gamma in gammas], slice(None))],
            normalize=normalize,
        ),
        weights=weights,
    ).fit(X)
    between, among = np.zeros((30, 60)), np.zeros((60, 60))
    for weight, gamma in zip(weights, gammas, strict=True):
        K, k = rbf_kernel(X, gamma=gamma), rbf_kernel(Z, X, gamma=gamma)
        if normalize == "center":
            centerer = KernelCenterer().fit(K)
            K, k = centerer.transform(K), centerer.transform(k)
        between += weight * k
        among += weight * K
    np.testing.assert_allclose(composite(Z, X), between, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(composite(X), among, rtol=1e-9, atol=1e-12)
    stack = composite.kernels_.transform(Z)
    np.testing.assert_allclose(stack.combine(weights), between, rtol=1e-9, atol=1e-12)


def test_between_samples_that_are_not_the_training_samples(normalize) -> None:
    """k(x, z) is one function: rows and columns may be any samples."""
    composite = CompositeKernel(kernelizer(normalize), weights=WEIGHTS).fit(X)
    both = composite(np.vstack([X, Z]))
    np.testing.assert_allclose(composite(Z), both[60:, 60:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(composite(Z[:7], Z[7:]), both[60:67, 67:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(composite(X, Z), both[:60, 60:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(composite.diag(Z), np.diagonal(both)[60:], rtol=1e-9)
    values = np.linalg.eigvalsh(both)
    assert composite._is_psd()
    assert values[0] > -1e-9 * values[-1]


def test_a_kernel_of_weight_zero_is_not_evaluated() -> None:
    asked = []

    def watched(x, z):
        asked.append(len(x))
        return linear_kernel(x, z)

    composite = CompositeKernel([watched, "linear"], weights=[0.0, 1.0]).fit(X)
    asked.clear()  # fit looks at a few values of any function
    np.testing.assert_allclose(composite(Z, X), linear_kernel(Z, X))
    assert asked == []
    assert not composite._is_psd()


def test_noise() -> None:
    kernels = [RBFKernel(gamma=0.1), WhiteKernel(0.5)]
    composite = CompositeKernel(kernels, weights=[1.0, 2.0]).fit(X)
    np.testing.assert_allclose(composite(X), rbf_kernel(X, gamma=0.1) + np.eye(60), rtol=1e-12)
    np.testing.assert_allclose(composite(X, X), rbf_kernel(X, gamma=0.1), rtol=1e-12)
    assert composite._has_own_noise()


def test_composites_in_kernelizers_and_algebra() -> None:
    inner = CompositeKernel(kernelizer("center"), weights=WEIGHTS)
    gram = kernelizer("center").fit_transform(X).combine(WEIGHTS)
    stack = Kernelizer([("both", inner), ("more", 2 * inner * "linear")], normalize=None)
    stack = stack.fit_transform(X)
    assert stack.names == [
        "both:composite(acids, colour)",
        "more:2 * composite(acids, colour) * linear",
    ]
    np.testing.assert_allclose(stack.gram(0), gram, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(stack.gram(1), 2 * gram * linear_kernel(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        stack[np.ix_([5, 2], [7, 5])].gram(0), gram[np.ix_([5, 2], [7, 5])], rtol=1e-9
    )


def test_steps_before_and_products_behind() -> None:
    steps = [StandardScaler(), kernelizer(), InteractionKernels()]
    weights = np.arange(6.0)
    composite = CompositeKernel(make_pipeline(*steps), weights=weights)
    pipeline = make_pipeline(*steps)
    expected = pipeline.fit_transform(3 * X + 1).combine(weights)
    np.testing.assert_allclose(composite(3 * X + 1), expected, rtol=1e-10)
    expected = pipeline.transform(3 * Z + 1).combine(weights)
    np.testing.assert_allclose(composite(3 * Z + 1, 3 * X + 1), expected, rtol=1e-10)
    names = composite.fit(X).kernel_names_
    assert names == pipeline[-1].kernel_names_
    assert names[-1] == "acids:rbf * colour:linear"
    np.testing.assert_allclose(composite.diag(Z), np.diagonal(composite(Z)), rtol=1e-10)


def test_samples_of_any_kind() -> None:
    notes = ["the wine is " + ("red" if label else "white") for label in y]
    several = Modalities(numbers=X, notes=notes)
    text = make_pipeline(TfidfVectorizer(), "linear")
    entries = [("numbers", "rbf", "numbers"), ("notes", text, "notes")]
    composite = CompositeKernel(ColumnKernelizer(entries), weights=[0.2, 0.8])
    assert cross_val_score(SVC(kernel=composite), several, y > 0, cv=3).mean() == 1.0
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(13)])
    composite = CompositeKernel([RBFKernel().on(["x0", "x1"]) * LinearKernel().on(["x7"])])
    gamma = RBFKernel().fit(X[:, :2]).gamma_
    expected = rbf_kernel(X[:, :2], gamma=gamma) * linear_kernel(X[:, [7]])
    np.testing.assert_allclose(composite(table[::-1].iloc[::-1]), expected)
    assert list(composite.fit(table).feature_names_in_) == list(table)


# --------------------------------------------------------------------- learned weights


@pytest.mark.parametrize("products", [False, True])
def test_what_a_pipeline_learned(normalize, products: bool) -> None:
    between = [InteractionKernels()] if products else []
    model = make_pipeline(kernelizer(normalize), *between, MKLClassifier(p=1.5)).fit(X, y)
    composite = CompositeKernel.from_pipeline(model)
    weights = model[-1].weights_
    for one in (composite, clone(composite), pickle.loads(pickle.dumps(composite))):
        for samples in (X, Z):
            expected = model[:-1].transform(samples).combine(weights)
            np.testing.assert_allclose(one(samples, X), expected, rtol=1e-10, atol=1e-12)
        assert one.kernel_names_ == model[-1].kernel_names_
    # What was learned stays so, whatever it is fitted to.
    again = clone(composite).fit(100 * Z)
    np.testing.assert_array_equal(again(Z, X), composite(Z, X))
    np.testing.assert_allclose(composite.diag(Z), np.diagonal(composite(Z)), rtol=1e-9)


def test_steps_fitted_one_by_one_and_machines_behind() -> None:
    fitted = Kernelizer([RBFKernel(), "linear"])
    mkl = MKLClassifier(p=2).fit(fitted.fit_transform(X), y)
    composite = CompositeKernel.from_pipeline(make_pipeline(fitted, mkl))
    np.testing.assert_array_equal(composite(Z, X), fitted.transform(Z).combine(mkl.weights_))
    scaled = make_pipeline(StandardScaler(), fitted, mkl).fit(3 * X + 1, y)
    composite = CompositeKernel.from_pipeline(scaled)
    expected = scaled[:-1].transform(3 * Z + 1).combine(mkl.weights_)
    np.testing.assert_allclose(composite(3 * Z + 1, 3 * X + 1), expected, rtol=1e-12)


def test_the_machine_of_the_pipeline_and_an_svc_agree() -> None:
    model = make_pipeline(kernelizer(), MKLClassifier(C=10, tol=1e-6)).fit(X, y > 0)
    composite = CompositeKernel.from_pipeline(model)
    machine = SVC(C=10, kernel=composite, tol=1e-8).fit(X, y > 0)
    np.testing.assert_allclose(machine.decision_function(Z), model.decision_function(Z), atol=1e-4)


def test_a_frozen_composite_may_be_fitted_to_nothing() -> None:
    composite = CompositeKernel(FrozenEstimator(kernelizer().fit(X)), weights=WEIGHTS)
    expected = kernelizer().fit(X).transform(Z).combine(WEIGHTS)
    np.testing.assert_allclose(composite(Z, X), expected, rtol=1e-12)
    assert composite.n_features_in_ == 13
    assert composite.set_params(weights=[1, 0, 0]).get_params().keys() == {
        "kernels",
        "weights",
        "weights_bounds",
    }


# --------------------------------------------------------------------- kernel machines


def precomputed(machine, X, y, folds, **parameters):
    """Predictions of each fold by Gram matrices from the kernelizer."""
    found = np.empty(len(X))
    for train, test in folds.split(X):
        fitted = kernelizer("center")
        machine = clone(machine).set_params(**parameters)
        machine.fit(fitted.fit_transform(X[train]).combine(WEIGHTS), y[train])
        found[test] = machine.predict(fitted.transform(X[test]).combine(WEIGHTS))
    return found


@pytest.mark.parametrize(
    "machine", [SVC(C=3), SVR(C=30), KernelRidge(alpha=0.1)], ids=lambda one: type(one).__name__
)
def test_cross_validation_is_that_of_precomputed_kernels(machine) -> None:
    composite = CompositeKernel(kernelizer("center"), weights=WEIGHTS)
    X, y = DIABETES[:120], PROGRESSION[:120]
    y = y > 100 if isinstance(machine, SVC) else y
    found = cross_val_predict(clone(machine).set_params(kernel=composite), X, y, cv=FOLDS)
    expected = precomputed(machine, X, y, FOLDS, kernel="precomputed")
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("machine", [SVC(), KernelRidge()], ids=lambda one: type(one).__name__)
def test_grid_search_by_name(machine) -> None:
    composite = CompositeKernel(kernelizer("center"), weights=WEIGHTS)
    grid = {
        "kernel__acids": [RBFKernel(gamma=0.1), RBFKernel(gamma=1.0)],
        "kernel__normalize": ["cosine", "trace"],
        "kernel__weights": [[1.0, 0.0], [0.5, 0.5]],
    }
    search = GridSearchCV(machine.set_params(kernel=composite), grid, cv=FOLDS).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) >= 4
    gamma, normalize = (search.best_params_[f"kernel__{name}"] for name in ("acids", "normalize"))
    entries = [("acids", gamma, [0, 1, 2, 3]), ENTRIES[1]]
    fitted = ColumnKernelizer(entries, normalize=normalize)
    weights = search.best_params_["kernel__weights"]
    scores = []
    for train, test in FOLDS.split(X):
        model = clone(machine).set_params(kernel="precomputed")
        model.fit(fitted.fit_transform(X[train]).combine(weights), y[train])
        scores.append(model.score(fitted.transform(X[test]).combine(weights), y[test]))
    assert search.best_score_ == pytest.approx(np.mean(scores))


def test_names_of_parameters_in_lists_and_pipelines() -> None:
    composite = CompositeKernel([RBFKernel(), "linear"]).set_params(rbfkernel__gamma=0.1)
    composite.set_params(linear=LinearKernel())
    assert composite.kernels[0].gamma == 0.1
    assert isinstance(composite.kernels[1], LinearKernel)
    with pytest.raises(ValueError, match="Invalid parameter 'normalize' for estimator Composite"):
        composite.set_params(normalize="center")
    composite = CompositeKernel([("wide", RBFKernel()), ("flat", "linear")])
    assert composite.set_params(wide__gamma=0.1)._label() == "composite(wide, flat)"
    assert composite.kernels[0][1].gamma == 0.1
    composite = CompositeKernel(make_pipeline(StandardScaler(), kernelizer()))
    composite.set_params(columnkernelizer__colour=RBFKernel(), standardscaler__with_mean=False)
    composite.set_params(columnkernelizer__colour__gamma=0.1)
    assert composite.fit(X).kernel_names_[-1] == "colour:rbf(gamma=0.1)"


def test_unsupervised_machines() -> None:
    composite = CompositeKernel(kernelizer("center"), weights=WEIGHTS)
    fitted = kernelizer("center")
    gram, test = fitted.fit_transform(X).combine(WEIGHTS), fitted.transform(Z).combine(WEIGHTS)
    known = KernelPCA(2, kernel="precomputed").fit(gram)
    found = KernelPCA(2, kernel=composite).fit(X)
    np.testing.assert_allclose(abs(found.transform(Z)), abs(known.transform(test)), atol=1e-9)
    # With threads, some of the columns are asked for at a time: then it must be fitted before.
    threads = KernelPCA(2, kernel=clone(composite).fit(X), n_jobs=2).fit(X)
    np.testing.assert_allclose(abs(threads.transform(Z)), abs(known.transform(test)), atol=1e-9)
    known = OneClassSVM(kernel="precomputed").fit(gram).decision_function(test)
    np.testing.assert_allclose(OneClassSVM(kernel=composite).fit(X).decision_function(Z), known)
    positive = CompositeKernel(["rbf", RBFKernel()])
    known = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(positive(X))
    found = SpectralClustering(3, affinity=positive, random_state=0).fit_predict(X)
    np.testing.assert_array_equal(found, known)


# ------------------------------------------------------------------- Gaussian processes


def gaussian_process_sum(fixed: bool):
    bounds = "fixed" if fixed else (1e-3, 1e3)
    return ConstantKernel(0.5, bounds) * RBF(np.sqrt(5), "fixed") + ConstantKernel(
        2.0, bounds
    ) * DotProduct(0, "fixed")


@pytest.mark.parametrize("fixed", [True, False])
def test_gaussian_process_regression_with_the_algebra_of_scikit_learn(fixed: bool) -> None:
    composite = CompositeKernel(
        [RBFKernel(gamma=0.1), "linear"],
        weights=[0.5, 2.0],
        weights_bounds="fixed" if fixed else (1e-3, 1e3),
    )
    samples = 2 * X[:, :2]
    target = X[:, 0] + np.sin(samples[:, 1]) + np.random.default_rng(0).normal(0, 0.3, size=60)
    theirs = gaussian_process_sum(fixed) + WhiteKernel(0.1)
    found = GaussianProcessRegressor(composite + WhiteKernel(0.1)).fit(samples, target)
    known = GaussianProcessRegressor(theirs).fit(samples, target)
    assert found.kernel_.n_dims == (1 if fixed else 3)
    np.testing.assert_allclose(found.kernel_.theta, known.kernel_.theta, atol=1e-3)
    for one, other in zip(
        found.predict(Z[:, :2], return_std=True),
        known.predict(Z[:, :2], return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_the_gradient_of_the_marginal_likelihood() -> None:
    composite = CompositeKernel(kernelizer(), weights=[1.0, 2.0, 0.5], weights_bounds=(1e-2, 1e2))
    model = GaussianProcessRegressor(composite, alpha=0.1, optimizer=None).fit(X, X[:, 0] * X[:, 5])
    theta = np.array([0.3, -0.2, 0.1])
    _, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
    expected = approx_fprime(theta, model.log_marginal_likelihood, 1e-6)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)
    gram, derivatives = composite(X, eval_gradient=True)
    np.testing.assert_allclose(derivatives.sum(axis=2), gram)
    assert CompositeKernel(["linear"])(X, eval_gradient=True)[1].shape == (60, 60, 0)


def test_gaussian_process_classification() -> None:
    model = make_pipeline(kernelizer("trace"), MKLClassifier(p=2)).fit(X, y)
    for composite in (
        CompositeKernel.from_pipeline(model),
        CompositeKernel(kernelizer("trace"), weights=model[-1].weights_),
    ):
        found = GaussianProcessClassifier(composite).fit(X, y)
        probabilities = found.predict_proba(Z)
        assert (found.predict(Z) == CULTIVAR[order[60:90]]).mean() >= 0.9
        # One by one: nothing is learned from the samples that are predicted together.
        one_by_one = np.vstack([found.predict_proba(Z[[i]]) for i in range(5)])
        np.testing.assert_allclose(probabilities[:5], one_by_one, rtol=1e-6)


def test_cross_validation_of_a_gaussian_process() -> None:
    composite = CompositeKernel(["linear", "rbf"], weights=[1.0, 1.0], weights_bounds=(1e-3, 1e3))
    for kernel in (composite, clone(composite).set_params(weights_bounds="fixed")):
        model = GaussianProcessRegressor(kernel, alpha=0.3, normalize_y=True)
        assert cross_val_score(model, DIABETES[:150], PROGRESSION[:150], cv=FOLDS).mean() > 0.2


# -------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            [1.0, -0.5, 0.0],
            r"weights is \[1.0, -0.5, 0.0\]; expected 3 finite non-negative numbers",
        ),
        ([1.0, np.nan, 0.0], "expected 3 finite non-negative"),
        ([1.0, 1.0], r"one for each of the kernels \['acids:rbf\(gamma=0.1\)', 'acids:rbf', 'col"),
        ([[1.0, 1.0, 1.0]], "expected 3 finite non-negative"),
        (2.0, "weights is 2.0; expected 3 finite"),
    ],
)
def test_weights_are_refused(weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompositeKernel(kernelizer(), weights=weights).fit(X)
    with pytest.raises(ValueError, match=message):
        CompositeKernel(FrozenEstimator(kernelizer().fit(X)), weights=weights)(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"weights": [1.0, 0.0, 1.0]}, "expected positive weights to start from, since"),
        ({"weights": None}, "weights is None; expected positive weights to start from"),
        ({"weights_bounds": (1.0, 0.1)}, r"weights_bounds is \(1.0, 0.1\); expected 'fixed' or"),
        ({"weights_bounds": (0.0, 1.0)}, "weights_bounds is"),
        ({"weights_bounds": (1e-3, np.inf)}, "weights_bounds is"),
    ],
)
def test_what_a_gaussian_process_cannot_start_from(parameters, message: str) -> None:
    composite = CompositeKernel(kernelizer(), [1.0, 1.0, 1.0], weights_bounds=(0.1, 10))
    assert "weights" in dir(composite)
    composite.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        composite.fit(X)


def test_pipelines_are_refused() -> None:
    from_pipeline = CompositeKernel.from_pipeline
    with pytest.raises(TypeError, match="pipeline is a MKLClassifier; expected a fitted Pipeline"):
        from_pipeline(MKLClassifier())
    with pytest.raises(NotFittedError):
        from_pipeline(make_pipeline(kernelizer(), MKLClassifier()))
    with pytest.raises(
        TypeError, match=r"has the steps \['standardscaler', 'svc'\]; expected a ker"
    ):
        from_pipeline(make_pipeline(StandardScaler(), SVC()).fit(X, y))
    bank = make_pipeline(RBFBank(10, random_state=0), MKLClassifier()).fit(X, y)
    with pytest.raises(TypeError, match="expected a kernelizer, and behind it one that learns"):
        from_pipeline(bank)
    each = make_pipeline(kernelizer(), MKLClassifier(per_class_weights=True)).fit(X, y)
    with pytest.raises(ValueError, match=r"'mklclassifier' has weights_ of shape \(3, 3\)"):
        from_pipeline(each)
    with pytest.raises(TypeError, match="kernels has StandardScaler.* behind the kernelizer"):
        CompositeKernel(make_pipeline(kernelizer(), StandardScaler())).fit(X)


# -------------------------------------------------------------------- samples that lack something


def gappy(table, offset=0):
    """Every fifth sample lacks the acids, every fifth the colour."""
    table = table.copy()
    table[offset::5, :4], table[offset + 2 :: 5, 4:] = np.nan, np.nan
    return table


@pytest.mark.parametrize("missing", ["marginalise", "impute"])
def test_incomplete_samples_with_training_samples(missing, normalize):
    known, new = gappy(X), gappy(Z, 1)
    learned = kernelizer(normalize).set_params(missing=missing)
    composite = CompositeKernel(clone(learned), WEIGHTS).fit(known)
    learned.fit(known)
    for samples in (known, new, new[1:2], new[[0, 2]]):
        expected = learned.transform(samples).combine(WEIGHTS)
        np.testing.assert_allclose(composite(samples, known), expected, atol=1e-12)
        np.testing.assert_allclose(composite(known, samples), expected.T, atol=1e-12)
        own = composite(samples)
        np.testing.assert_allclose(composite(samples, samples), own, atol=1e-12)
        np.testing.assert_allclose(composite.diag(samples), np.diag(own), atol=1e-12)
        assert np.linalg.eigvalsh(own).min() > -1e-9 * np.trace(own)
    everything = composite(np.vstack([known, new]))
    np.testing.assert_allclose(everything[60:, 60:], composite(new), atol=1e-12)
    machine = SVC(kernel=clone(composite)).fit(known, y)
    precomputed = SVC(kernel="precomputed").fit(learned.transform(known).combine(WEIGHTS), y)
    expected = precomputed.decision_function(learned.transform(new).combine(WEIGHTS))
    np.testing.assert_allclose(machine.decision_function(new), expected, atol=1e-9)


def test_marginalised_by_hand():
    new = gappy(Z, 1)
    columns = ColumnKernelizer(
        [("a", "linear", slice(0, 4)), ("b", "linear", slice(4, None))],
        normalize=None,
        missing="marginalise",
    )
    found = CompositeKernel(columns, [0.5, 2.0]).fit(gappy(X))(new)
    a, b = np.nan_to_num(new[:, :4]), np.nan_to_num(new[:, 4:])
    share = np.mean([~np.isnan(new[:, 0]), ~np.isnan(new[:, 4])], axis=0)
    expected = (0.5 * a @ a.T + 2.0 * b @ b.T) / np.sqrt(np.outer(share, share))
    np.testing.assert_allclose(found, expected)


def test_imputed_between_new_samples():
    """Features that are seen through the training samples are the same between new ones."""
    known, new = gappy(X), gappy(Z, 1)
    columns = ColumnKernelizer(
        [("a", "linear", slice(0, 4)), ("b", "linear", slice(4, None))],
        normalize=None,
        missing="impute",
    )
    expected = np.zeros((len(new), len(new)))
    stack = columns.fit(known).transform(new)
    for k, block in enumerate((known[:, :4], known[:, 4:])):
        there = ~np.isnan(block[:, 0])
        seen = stack.gram(k)[:, there]
        features = np.linalg.lstsq(block[there], seen.T, rcond=None)[0].T
        np.testing.assert_allclose(features @ block[there].T, seen, atol=1e-9)
        expected += features @ features.T
    np.testing.assert_allclose(CompositeKernel(columns).fit(known)(new), expected, atol=1e-8)


def test_incomplete_modalities_within_other_kernels():
    """Prepared samples are indexed, and modalities may be lacking altogether."""
    parts = Modalities(a=gappy(X)[:, :4], b=gappy(X)[:, 4:])
    entries = [("a", RBFKernel(), "a"), ("b", "linear", "b")]
    for missing in ("marginalise", "impute"):
        columns = ColumnKernelizer(entries, missing=missing)
        composite = CompositeKernel(columns)
        only = Modalities(a=Z[:, :4])
        expected = clone(columns).fit(parts).transform(only).combine([1.0, 1.0])
        np.testing.assert_allclose(clone(composite).fit(parts)(only, parts), expected)
        inside = Kernelizer(composite, normalize=None)
        stack = inside.fit_transform(parts)
        whole = composite(parts)
        rows, cols = np.arange(0, 60, 3), np.arange(5, 25)
        found = np.asarray(stack[np.ix_(rows, cols)])[:, :, 0]
        np.testing.assert_allclose(found, whole[np.ix_(rows, cols)], atol=1e-12)
        model = make_pipeline(clone(columns), MKLClassifier(C=10)).fit(parts, y)
        learned = CompositeKernel.from_pipeline(model)
        weights = model[-1].weights_
        expected = model[0].transform(only).combine(weights)
        np.testing.assert_allclose(learned(only, parts), expected, atol=1e-12)
    with pytest.raises(ValueError, match="have none of"):
        composite.fit(parts)(Modalities(a=np.full((2, 4), np.nan)))


def test_not_fitted() -> None:
    composite = CompositeKernel(kernelizer())
    with pytest.raises(NotFittedError):
        composite.diag(X)
    assert not hasattr(composite, "kernel_names_")
    with pytest.raises(ValueError, match="kernel is the unknown name 'gauss'"):
        CompositeKernel(["gauss"])(X)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        CompositeKernel(["linear"]).fit(X)(X[:, :3])
