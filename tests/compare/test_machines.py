"""Machines without checks are those of scikit-learn, and calibrate as it does."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import Modalities
from mkfusion._sigmoids import class_chances, class_logits
from mkfusion.compare import plan_comparison
from mkfusion.compare._evaluate import _score, try_values
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._folds import Fold
from mkfusion.compare._machines import (
    CalibratedExpert,
    Expert,
    RidgeMachine,
    ScaledTarget,
    SharedMachine,
    Squashed,
)
from mkfusion.compare._platt import chances, sigmoid, sigmoids
from oracles.calibration import calibrated, wanted_of


def drawn(n=80, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = np.argsort(np.argsort(X[:, 0] + 0.7 * rng.normal(size=n))) * n_classes // n
    return X, y, rng


@pytest.mark.parametrize("C", [0.1, 100.0])
def test_ridge_machine_is_kernel_ridge_on_the_centred_target(C):
    X, _, rng = drawn()
    y = X[:, 1] + 3.0
    gamma = 1 / (3 * X[:50].var())
    train, test = rbf_kernel(X[:50], gamma=gamma), rbf_kernel(X[50:], X[:50], gamma=gamma)
    plain = KernelRidge(alpha=1 / (2 * C), kernel="precomputed").fit(train, y[:50] - y[:50].mean())
    wanted = plain.predict(test) + y[:50].mean()
    np.testing.assert_allclose(RidgeMachine(C).fit(train, y[:50]).predict(test), wanted)
    own = RidgeMachine(C, "rbf").fit(X[:50], y[:50])
    np.testing.assert_allclose(own.predict(X[50:]), wanted)
    rows = np.arange(80.0)[:, np.newaxis]
    expert = Expert(np.vstack([train, test]), [])
    looked_up = clone(RidgeMachine(C, expert.between)).fit(rows[:50], y[:50])
    np.testing.assert_allclose(looked_up.predict(rows[50:]), wanted)
    thin = RidgeMachine(C, "rbf").fit(sparse.csr_array(X[:50]), y[:50])
    np.testing.assert_allclose(thin.predict(sparse.csr_array(X[50:])), wanted)


def test_ridge_machine_takes_similarities_that_are_no_kernels():
    gram = -np.eye(6)
    y = np.arange(6.0)
    found = RidgeMachine(C=1.0).fit(gram, y)
    np.testing.assert_allclose((gram + 0.5 * np.eye(6)) @ found.dual_coef_, y - y.mean())


def test_scaled_target_is_scikit_learns():
    X, _, _ = drawn()
    y = 100 * X[:, 0] + 1e4
    gram = rbf_kernel(X)
    plain = TransformedTargetRegressor(RidgeMachine(10.0), transformer=StandardScaler())
    wanted = plain.fit(gram, y).predict(gram)
    np.testing.assert_allclose(ScaledTarget(RidgeMachine(10.0)).fit(gram, y).predict(gram), wanted)
    assert ScaledTarget(RidgeMachine()).fit(gram, np.ones(80)).predict(gram[:1]) == pytest.approx(1)


@pytest.mark.parametrize("spread", [0.3, 1.0, 100.0])
@pytest.mark.parametrize("centre", [5.0, -1e6])
def test_two_classes_have_a_logistic_curve_with_half_an_error_in_all(spread, centre):
    """Wherever it lies: values that have one sign need an offset."""
    X, y, _ = drawn()
    f = centre * spread + spread * X[:, :1]
    found = class_chances(class_logits(f, y), f)
    np.testing.assert_allclose(found, calibrated(X[:, :1], y, X[:, :1], True), atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.2, 2.0])
def test_the_offset_of_two_classes_must_earn_what_it_costs(shift):
    X, y, _ = drawn()
    f = X[:, :1] + shift
    logits = class_logits(f, y)
    assert (logits[0, 1] != 0) == (shift == 2.0)
    np.testing.assert_allclose(class_chances(logits, f), calibrated(f, y, f), atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_more_classes_have_a_softmax_whose_offsets_must_earn_what_they_cost(shift):
    X, y, rng = drawn(90, 3)
    f = 2 * np.eye(3)[y] + rng.normal(size=(90, 3)) + [0, 0, shift]
    logits = class_logits(f, y)
    assert np.any(logits[:, 1] != 0) == bool(shift)
    np.testing.assert_allclose(class_chances(logits, f), calibrated(f, y, f), atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_values_that_go_against_their_classes_say_the_frequencies(n_classes):
    y = np.repeat(np.arange(n_classes), [30, 10, 20][:n_classes])
    f = -np.eye(n_classes)[y][:, -1:] if n_classes == 2 else -np.eye(3)[y]
    logits = class_logits(f, y)
    np.testing.assert_array_equal(logits[:, 0], 0)
    share = wanted_of(y, n_classes).mean(axis=0)
    np.testing.assert_allclose(class_chances(logits, f), np.tile(share, (len(y), 1)), atol=1e-7)
    without = class_chances(class_logits(f, y, offsets=False), f)
    np.testing.assert_allclose(without, 1 / n_classes)


@pytest.mark.filterwarnings("error")
def test_curve_of_classes_that_are_apart_and_of_values_that_are_alike():
    y = np.repeat([0, 1], 20)
    apart = np.repeat([[-3.0], [3.0]], 20, axis=0)
    wrong = 0.5 / 41
    found = class_chances(class_logits(apart, y), apart[[0, -1]])
    np.testing.assert_allclose(found[:, 1], [wrong, 1 - wrong], atol=1e-9)
    flat = class_chances(class_logits(np.full((40, 1), 0.7), y), np.array([[0.7]]))
    np.testing.assert_allclose(flat, 0.5)
    # Five samples of one class do not say that a value of 0 means anything but a half.
    f, ones = np.arange(5.0)[:, np.newaxis], np.ones(5, int)
    one = class_chances(class_logits(f, ones), f)
    np.testing.assert_allclose(one[:, 1], calibrated(f, ones, f)[:, 1], atol=1e-6)
    assert one[0, 1] == 0.5


@pytest.mark.parametrize("spread", [0.3, 1.0, 100.0, -2.0])
def test_sigmoid_is_logistic_regression_on_platts_targets(spread):
    X, y, _ = drawn()
    f, positive = 5.0 + spread * X[:, 0], y == 1
    found = sigmoid(f, positive)
    n = positive.sum()
    high, low = (n + 1) / (n + 2), 1 / (80 - n + 2)
    # Each sample as both classes, weighted by its target.
    weights = np.where(positive, high, low)
    plain = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(
        np.tile(X[:, 0], 2)[:, np.newaxis],
        np.repeat([1, 0], 80),
        sample_weight=np.concatenate([weights, 1 - weights]),
    )
    np.testing.assert_allclose(found(f), plain.predict_proba(X[:, :1])[:, 1], atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_sigmoid_of_classes_that_are_apart_and_of_values_that_are_alike():
    y = np.repeat([False, True], 20)
    found = sigmoid(np.repeat([-3.0, 3.0], 20), y)
    np.testing.assert_allclose(found(np.array([-3.0, 3.0])), [1 / 22, 21 / 22], atol=1e-9)
    flat = sigmoid(np.full(40, 0.7), y)
    np.testing.assert_allclose(flat(np.array([0.7])), 0.5)
    assert sigmoid(np.arange(5.0), np.ones(5, bool))(np.zeros(1)) == pytest.approx(6 / 7, abs=1e-6)


def test_chances_sum_to_one_even_where_no_class_is_likely():
    decisions = np.array([[-900.0, -900.0, -900.0], [2.0, -1.0, 0.0]])
    y = np.arange(30) % 3
    calibrated = sigmoids(np.eye(3)[y] + 0.01 * np.arange(30)[:, np.newaxis], y, np.arange(3))
    calibrated = [one._replace(slope=abs(one.slope)) for one in calibrated]
    found = chances(calibrated, decisions)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[0], 1 / 3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_experts_are_calibrated_as_by_scikit_learn(n_classes):
    X, y, _ = drawn(90, n_classes)
    labels = np.array(["x", "y", "z"])[y]
    gram = rbf_kernel(X, X[:60])
    folds = list(StratifiedKFold(3).split(X[:60], labels[:60]))
    plain = CalibratedClassifierCV(SVC(C=2.0, kernel=rbf_kernel), cv=folds, ensemble=True)
    plain.set_params(estimator=SVC(C=2.0, kernel="rbf", gamma=1 / 3)).fit(X[:60], labels[:60])
    expert = Expert(gram, [Fold(*fold) for fold in folds])
    rows = np.arange(90.0)[:, np.newaxis]
    found = clone(CalibratedExpert(2.0, expert)).fit(rows[:60], labels[:60])
    wanted = plain.predict_proba(X[60:])
    np.testing.assert_allclose(found.predict_proba(rows[60:]), wanted, atol=1e-4)
    assert list(found.classes_) == list(plain.classes_)
    assert set(found.predict(rows[60:])) <= set(labels)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_is_stacked_are_decisions_of_one_machine(n_classes):
    X, y, _ = drawn(90, n_classes)
    plain = SVC(C=2.0, kernel="rbf", gamma=1 / 3).fit(X[:60], y[:60])
    decisions = plain.decision_function(X[60:])
    expert = Expert(rbf_kernel(X, X[:60]), [])
    rows = np.arange(90.0)[:, np.newaxis]
    model = clone(Squashed(SharedMachine(2.0, expert))).fit(rows[:60], y[:60])
    found = model.predict_proba(rows[60:])
    if n_classes == 2:
        wanted = np.column_stack([expit(-decisions), expit(decisions)])
    else:
        wanted = softmax(decisions, axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert len(expert._fitted) == 1


def test_experts_fit_each_machine_once_and_keep_to_their_rows():
    X, y, _ = drawn(60)
    folds = [Fold(*fold) for fold in StratifiedKFold(3).split(X, y)]
    expert = Expert(rbf_kernel(X), folds)
    rows = np.arange(60.0)[:, np.newaxis]
    CalibratedExpert(1.0, expert).fit(rows, y)
    for train, _ in folds:
        CalibratedExpert(1.0, expert).fit(rows[train], y[train])
    # Three without one fold, and three without two: each of those is asked for twice.
    assert len(expert._fitted) == 6
    with pytest.raises(ValueError, match="none of which has all classes"):
        CalibratedExpert(1.0, Expert(rbf_kernel(X), folds[:1])).fit(rows[folds[0].test], y[:20])


@pytest.mark.parametrize("key", ["single", "cca", "alignment", "products", "l1_mkl", "lp_mkl"])
@pytest.mark.parametrize("kind", ["two classes", "three classes", "numbers"])
def test_models_that_are_fitted_together_are_those_that_are_fitted_alone(key, kind):
    X, y, rng = drawn(60, 3 if kind == "three classes" else 2)
    y = X[:, 0] + rng.normal(size=60) if kind == "numbers" else y
    parts = Modalities(a=X[:, :2], b=X[:, 2:] + X[:, :1])
    methods = [] if key == "single" else [key]
    task = "regression" if kind == "numbers" else "classification"
    plan = plan_comparison(parts, y, task=task, methods=methods or ["uniform"], cv=3)
    (method, *_) = [one for one in plan.job.methods if one.method.key == key]
    data = FoldData(plan.job.samples, plan.folds[0])
    together = try_values(method, data, plan.conditions.metrics[0])
    metric = plan.conditions.metrics[:1]
    assert len(together) == len(method.candidates) > 2
    X_test = data.part(method.method.sees).test
    for params, (score, model) in zip(method.candidates, together, strict=True):
        (wanted,), alone = _score(method, params, data, metric)
        assert score == pytest.approx(wanted, abs=0.1 if "mkl" in key else 1e-9)
        name = "predict" if kind == "numbers" else "decision_function"
        one, two = (np.ravel(getattr(each, name)(X_test)) for each in (model, alone))
        # Learned weights are within the tolerance of their certificate, not the same.
        np.testing.assert_allclose(one, two, atol=0.2 if "mkl" in key else 1e-8)
        if "mkl" in key:
            fitted = getattr(model, "regressor_", model)
            assert fitted.duality_gap_ <= fitted.tol
