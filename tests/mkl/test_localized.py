"""Gated kernels: the machine against SVC, the gates against finite differences, and a proof."""

from __future__ import annotations

import pickle
import re
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.decomposition import KernelPCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    KernelCombiner,
    KernelStack,
    LocalizedMKLClassifier,
    PowerSpectrumKernel,
    RBFKernel,
)
from mkfusion.datasets import load_basic_motions, load_sonar
from mkfusion.mkl._localized import learn_features
from mkfusion.solvers import Deadline
from oracles.samples import FOLDS, Floats, N, grams, raw

GATINGS = ["sigmoid", "softmax"]
gatings = pytest.mark.parametrize("gating", GATINGS)
class_counts = pytest.mark.parametrize("classes", [2, 3])


def fitted(kernels: Any, y: Any, weight: Any = None, **parameters: Any) -> LocalizedMKLClassifier:
    """A model from the uniform start only, unless told."""
    model = LocalizedMKLClassifier(**{"n_init": 1, **parameters})
    return model.fit(kernels, y, sample_weight=weight)


def composite(kernels: list[Floats], left: Floats, right: Floats) -> Floats:
    """The gated kernel, from the definition."""
    return sum(np.outer(a, b) * K for K, a, b in zip(kernels, left.T, right.T, strict=True))


def svc_objective(svc: SVC, K: Floats, signs: Floats, C: float) -> float:
    """Primal value of a binary machine."""
    beta = np.zeros(len(K))
    beta[svc.support_] = svc.dual_coef_[0]
    slack = np.maximum(0.0, 1.0 - signs * svc.decision_function(K))
    return float(0.5 * beta @ K @ beta + C * slack.sum())


# The machine


@gatings
@class_counts
def test_the_machine_is_svc_on_the_gated_kernel(gating: str, classes: int) -> None:
    x, y = raw(classes)
    new = raw()[0][::-1] + 0.1
    kernels, tests = grams(x, x), grams(new, x)
    model = fitted(kernels, y, C=2.0, gating=gating, gating_ridge=0.3, tol=1e-6)
    eta = model.gate(kernels)
    K = composite(kernels, eta, eta)
    K_test = composite(tests, model.gate(tests), eta)
    decisions = model.decision_function(tests).reshape(len(new), -1)
    theta = np.column_stack([model.gate_intercept_, model.gate_coef_])
    total = 0.15 * np.sum(theta**2)
    positive = model.classes_ if classes > 2 else model.classes_[1:]
    for decision, label in zip(decisions.T, positive, strict=True):
        signs = np.where(y == label, 1.0, -1.0)
        svc = SVC(kernel="precomputed", C=2.0, tol=1e-8).fit(K, signs)
        np.testing.assert_allclose(decision, svc.decision_function(K_test), atol=1e-3)
        total += svc_objective(svc, K, signs, 2.0)
    np.testing.assert_allclose(model.objective_, total, rtol=1e-6)
    assert 0.0 <= model.duality_gap_ <= 1e-6


@gatings
def test_one_kernel(gating: str) -> None:
    x, y = raw()
    K = rbf_kernel(x, gamma=0.2)
    model = fitted(K, y, gating=gating, tol=1e-6)
    if gating == "softmax":
        np.testing.assert_array_equal(model.gate(K), 1.0)
        svc = SVC(kernel="precomputed", tol=1e-8).fit(K, y)
        found, expected = model.decision_function(K), svc.decision_function(K)
        # SVC's classes are sorted the same way.
        np.testing.assert_allclose(found, expected, atol=1e-4)
    else:
        assert model.objective_ <= model.objective_curve_[0]


def test_prediction_reads_only_support_vectors_and_landmarks() -> None:
    x, y = raw()
    kernels, tests = grams(x, x), grams(x + 0.1, x)
    model = fitted(kernels, y, C=10.0, gating_kernel=2)
    assert 0 < len(model.gate_landmarks_) <= 5  # the rank of the linear kernel
    unread = np.setdiff1d(np.arange(N), model.support_)
    assert unread.size > 10
    spoilt = [K.copy() for K in tests]
    spoilt[0][:, unread] = spoilt[1][:, unread] = 1e6
    spoilt[2][:, np.setdiff1d(unread, model.gate_landmarks_)] = 1e6
    np.testing.assert_array_equal(model.decision_function(spoilt), model.decision_function(tests))
    assert len(LocalizedMKLClassifier(n_init=1).fit(kernels, y).gate_landmarks_) <= 100


def test_a_sample_is_predicted_the_same_in_any_company() -> None:
    x, y = raw(3)
    kernels, tests = grams(x, x), KernelStack(grams(x + 0.1, x))
    model = fitted(kernels, y)
    some = [5, 2, 40]
    np.testing.assert_allclose(
        model.decision_function(tests[some]), model.decision_function(tests)[some], atol=1e-12
    )
    np.testing.assert_allclose(model.gate(tests[some]), model.gate(tests)[some], atol=1e-12)


# The gates


@gatings
@class_counts
@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
def test_the_objective_falls_from_that_of_uniform_gates(
    gating: str, classes: int, C: float
) -> None:
    x, y = raw(classes)
    kernels = grams(x, x)
    model = fitted(kernels, y, C=C, gating=gating, n_init=3, random_state=0)
    assert np.all(np.diff(model.objective_curve_) <= 0.0)
    assert len(model.objective_curve_) == model.n_iter_ > 1
    np.testing.assert_allclose(model.objective_, model.objective_curve_[-1], rtol=model.tol)
    assert model.objective_curve_[-1] == model.start_objectives_.min()
    uniform = sum(kernels) * (1 / 9 if gating == "softmax" else 1 / 4)
    total = 0.0
    for label in model.classes_ if classes > 2 else model.classes_[1:]:
        signs = np.where(y == label, 1.0, -1.0)
        svc = SVC(kernel="precomputed", C=C, tol=1e-6).fit(uniform, signs)
        total += svc_objective(svc, uniform, signs, C)
    alone = fitted(kernels, y, C=C, gating=gating)
    np.testing.assert_allclose(alone.objective_curve_[0], total, rtol=1e-4)
    np.testing.assert_allclose(alone.start_objectives_[0], model.start_objectives_[0])
    assert model.objective_ <= alone.objective_ * (1 + model.tol) < total


@gatings
def test_gates_are_what_the_formula_says(gating: str) -> None:
    x, y = raw()
    kernels, tests = grams(x, x), grams(x[:9] - 0.2, x)
    model = fitted(kernels, y, gating=gating, gating_kernel=1, gating_components=3)
    pca = KernelPCA(3, kernel="precomputed").fit(kernels[1])
    scale = pca.transform(kernels[1])[:, 0].std()
    stack = KernelStack(tests)
    for found, K in ((model._features.of(KernelStack(kernels)), kernels[1]),
                     (model._features.of(stack), tests[1])):  # fmt: skip
        expected = pca.transform(K) / scale
        flips = np.sign(np.sum(found * expected, axis=0))
        np.testing.assert_allclose(found * flips, expected, atol=1e-5)
    scores = model._features.of(stack) @ model.gate_coef_.T + model.gate_intercept_
    eta = np.exp(scores) / (
        np.exp(scores).sum(axis=1, keepdims=True) if gating == "softmax" else 1 + np.exp(scores)
    )
    np.testing.assert_allclose(model.gate(tests), eta, rtol=1e-10)
    assert model.gate_coef_.shape == (3, 3)


def test_a_linear_kernel_gates_linearly() -> None:
    x, y = raw()
    model = fitted([rbf_kernel(x), linear_kernel(x)], y, gating_kernel=1)
    features = model._features.of(KernelStack([rbf_kernel(x), linear_kernel(x)]))
    inputs = np.column_stack([np.ones(N), x])
    _, residuals, _, _ = np.linalg.lstsq(inputs, features, rcond=None)
    assert features.shape == (N, 5)
    assert np.all(residuals < 1e-12)
    np.testing.assert_allclose(features.mean(axis=0), 0.0, atol=1e-10)
    np.testing.assert_allclose(features[:, 0].std(), 1.0)


def test_many_samples_need_few_landmarks() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    stack = KernelStack([rbf_kernel(x, gamma=0.3)])
    found = learn_features(stack, np.ones(1), 4, np.ones(300), Deadline())
    assert len(found.landmarks) == 100
    expected = KernelPCA(4, kernel="precomputed").fit_transform(stack.gram(0))
    expected /= expected[:, 0].std()
    features = found.of(stack)
    np.testing.assert_allclose(np.abs(features), np.abs(expected), atol=1e-3)
    # Which samples explain most does not depend on their order.
    order = rng.permutation(300)
    shuffled = stack[np.ix_(order, order)]
    other = learn_features(shuffled, np.ones(1), 4, np.ones(300), Deadline())
    np.testing.assert_array_equal(order[other.landmarks], found.landmarks)


@pytest.mark.filterwarnings("ignore::mkfusion.DegenerateKernelWarning")
def test_nothing_to_gate_on() -> None:
    x, y = raw()
    kernels = [*grams(x, x)[:2], np.ones((N, N))]
    model = fitted(kernels, y, gating_kernel=2, gating_only=True)
    assert model.gate_coef_.shape == (2, 0)
    assert np.ptp(model.gate(kernels), axis=0).max() == 0.0
    zero = fitted([kernels[0], np.zeros((N, N))], y, gating_kernel=1)
    assert zero.gate_coef_.shape == (2, 0)


@pytest.mark.parametrize("same", ["context:rbf", 1, [1], ["context:rbf"], "context", -1])
def test_the_gating_kernel_has_a_name_and_an_index(same: Any) -> None:
    x, y = raw()
    stack = KernelStack(grams(x, x)[:2], names=["other:rbf", "context:rbf"])
    expected = fitted(stack, y, gating_kernel=1).decision_function(stack)
    found = fitted(stack, y, gating_kernel=same).decision_function(stack)
    np.testing.assert_array_equal(found, expected)
    assert np.any(fitted(stack, y).decision_function(stack) != expected)


def test_a_kernel_that_only_gates_is_not_in_the_composite() -> None:
    x, y = raw()
    kernels = grams(x, x)
    model = fitted(kernels, y, gating_kernel=1, gating_only=True)
    eta = model.gate(kernels)
    assert np.all(eta[:, 1] == 0.0)
    assert np.all(eta[:, [0, 2]] > 0.0)
    K = composite(kernels, eta, eta)
    expected = K[:, model.support_] @ model.dual_coef_[0] + model.intercept_
    np.testing.assert_allclose(model.decision_function(kernels), expected)


# Invariances


@gatings
def test_the_order_of_kernels_does_not_matter(gating: str) -> None:
    x, y = raw(3)
    kernels, order = grams(x, x), [2, 0, 1]
    model = fitted(kernels, y, gating=gating, tol=1e-5)
    other = fitted([kernels[k] for k in order], y, gating=gating, tol=1e-5)
    np.testing.assert_allclose(other.objective_, model.objective_, rtol=1e-3)
    np.testing.assert_allclose(
        other.gate([kernels[k] for k in order]), model.gate(kernels)[:, order], atol=0.02
    )


def test_the_order_of_samples_does_not_matter() -> None:
    x, y = raw()
    order = np.random.default_rng(3).permutation(N)
    model = fitted(grams(x, x), y, tol=1e-5)
    other = fitted(grams(x[order], x[order]), y[order], tol=1e-5)
    np.testing.assert_allclose(other.objective_, model.objective_, rtol=1e-3)
    np.testing.assert_allclose(
        other.decision_function(grams(x, x[order])), model.decision_function(grams(x, x)), atol=0.05
    )


def test_weights_of_samples_and_classes() -> None:
    x, y = raw()
    kernels = grams(x, x)
    weight = np.where(y == "walk", 3.0, 1.0)
    by_class = fitted(kernels, y, C=0.01, class_weight={"walk": 3.0})
    dear = fitted(kernels, y, weight, C=0.01)
    np.testing.assert_array_equal(by_class.dual_coef_, dear.dual_coef_)
    np.testing.assert_allclose(dear.dual_coef_.max(), 0.03)
    np.testing.assert_allclose(dear.dual_coef_.min(), -0.01)
    # A weight of two is a sample that came twice, and of zero one that did not come.
    counts = np.random.default_rng(4).integers(0, 3, size=N)
    twice = np.repeat(np.arange(N), counts)
    model = fitted(kernels, y, counts, tol=1e-6)
    other = fitted(grams(x[twice], x[twice]), y[twice], tol=1e-6)
    assert counts[model.support_].all()
    np.testing.assert_allclose(other.objective_, model.objective_, rtol=1e-4)
    np.testing.assert_allclose(
        other.decision_function(grams(x, x[twice])), model.decision_function(kernels), atol=0.02
    )


def test_starts_are_drawn_reproducibly() -> None:
    x, y = raw()
    kernels = grams(x, x)
    first, second = (fitted(kernels, y, n_init=4, random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first.start_objectives_, second.start_objectives_)
    np.testing.assert_array_equal(first.gate(kernels), second.gate(kernels))
    few = fitted(kernels, y, n_init=2, random_state=7)
    np.testing.assert_allclose(few.start_objectives_, first.start_objectives_[:2], rtol=1e-6)


# Where weights that are the same for all samples fail


class Readings(NamedTuple):
    """Two scalar readings, a position in the plane and a label for each sample."""

    a: Floats
    b: Floats
    position: Floats
    y: NDArray[np.intp]

    def kernels(self, train: Readings) -> list[Floats]:
        return [
            np.outer(self.a, train.a),
            np.outer(self.b, train.b),
            linear_kernel(self.position, train.position),
        ]


def two_clusters(n: int, seed: int) -> Readings:
    """In the left cluster a tells the truth and b the opposite; in the right one b and a.

    With y = -1, 1 and independent positive u, v of one distribution, (a, b) is (yu, -yv) on the
    left and (-yv, yu) on the right; each combination of y and side is as likely as another.

    Theorem: whatever alpha, beta and c, sign(alpha a + beta b + c) is right for half of all samples
    (but for ties). Proof: let s = alpha u - beta v. On the left the rule is right where s + yc > 0:
    with probability (P(s > -c) + P(s > c)) / 2. On the right it is where beta u - alpha v + yc > 0,
    and beta u - alpha v is distributed as beta v - alpha u = -s: with probability
    (P(s < c) + P(s < -c)) / 2. The mean of both is 1/2.

    A support vector machine on any weighted sum of the linear kernels of a and b is such a rule.
    """
    rng = np.random.default_rng(seed)
    y, right = rng.choice([-1, 1], n), rng.choice([False, True], n)
    u, v = rng.uniform(0.5, 1.5, size=(2, n))
    centres = np.where(right, 1.0, -1.0)[:, np.newaxis] * [1.5, 0.5]
    return Readings(
        np.where(right, -y * v, y * u),
        np.where(right, y * u, -y * v),
        centres + rng.normal(scale=0.5, size=(n, 2)),
        y,
    )


@pytest.fixture(scope="module")
def clusters() -> tuple[Readings, Readings]:
    return two_clusters(200, 0), two_clusters(4000, 1)


def test_no_global_weights_do_better_than_chance(clusters: tuple[Readings, Readings]) -> None:
    train, test = clusters
    kernels, tests = train.kernels(train), test.kernels(train)
    for C in (0.1, 1.0, 10.0):
        for d in np.linspace(0.0, 1.0, 21):
            svc = SVC(kernel="precomputed", C=C)
            svc.fit(d * kernels[0] + (1 - d) * kernels[1], train.y)
            score = svc.score(d * tests[0] + (1 - d) * tests[1], test.y)
            # Three standard deviations of a coin tossed 4000 times are 0.024.
            assert abs(score - 0.5) < 0.024


@gatings
def test_gates_solve_what_global_weights_cannot(
    gating: str, clusters: tuple[Readings, Readings]
) -> None:
    train, test = clusters
    model = LocalizedMKLClassifier(
        gating=gating, gating_kernel=2, gating_only=True, random_state=0
    ).fit(train.kernels(train), train.y)
    tests = test.kernels(train)
    assert model.score(tests, test.y) > 0.98
    eta = model.gate(tests)
    right = test.position @ [1.5, 0.5] > 0
    # Or the other way round: who is known to lie says as much as who tells the truth.
    agreement = np.mean((eta[:, 1] > eta[:, 0]) == right)
    assert abs(agreement - 0.5) > 0.48


@gatings
def test_gates_on_all_kernels_solve_it_too(
    gating: str, clusters: tuple[Readings, Readings]
) -> None:
    train, test = clusters
    model = LocalizedMKLClassifier(gating=gating, random_state=0)
    model.fit(train.kernels(train), train.y)
    assert model.score(test.kernels(train), test.y) > 0.98


# Real data


@pytest.mark.parametrize("data", ["sonar", "motions"])
def test_real_data_lose_nothing_to_uniform_weights(data: str) -> None:
    kernels: list[Any]
    if data == "sonar":
        X, y = load_sonar(return_X_y=True)
        X = X["bands"]
        kernels = [(f"b{i}", RBFKernel(), slice(i, i + 20)) for i in (0, 20, 40)]
    else:
        X, y = load_basic_motions(return_X_y=True)
        kernels = [(name, PowerSpectrumKernel(), name) for name in X.names]
    folds = RepeatedStratifiedKFold(n_splits=4, n_repeats=1, random_state=0)
    stack = ColumnKernelizer(kernels)  # learned from the training fold only
    uniform = make_pipeline(stack, KernelCombiner(), SVC(kernel="precomputed", C=10.0))
    gated = make_pipeline(stack, LocalizedMKLClassifier(C=10.0, random_state=0))
    scores = [cross_val_score(model, X, y, cv=folds) for model in (uniform, gated)]
    noise = np.std(scores[1] - scores[0], ddof=1) / np.sqrt(folds.get_n_splits())
    assert scores[1].mean() >= scores[0].mean() - max(2.0 * noise, 0.02)


# A citizen of scikit-learn


def test_every_form_of_kernels_gives_the_same() -> None:
    x, y = raw(3)
    kernels = grams(x, x)
    expected = fitted(kernels, y).decision_function(kernels)
    for form in (np.stack(kernels, axis=2), KernelStack(kernels), tuple(kernels)):
        np.testing.assert_array_equal(fitted(form, y).decision_function(form), expected)


def test_pipeline_on_raw_data_searched_copied_and_pickled() -> None:
    x, y = raw()
    scaled = make_pipeline(StandardScaler(), RBFKernel())
    kernelizer = ColumnKernelizer([("accel", scaled, slice(3)), ("gyro", "linear", [3, 4])])
    model = make_pipeline(kernelizer, LocalizedMKLClassifier(n_init=1, gating_kernel="gyro"))
    grid = {
        "localizedmklclassifier__C": [0.1, 10.0],
        "localizedmklclassifier__gating": GATINGS,
    }
    search = GridSearchCV(model, grid, cv=FOLDS, error_score="raise").fit(x, y)
    assert search.best_score_ > 0.6
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(x), search.predict(x))
    twin = clone(search.best_estimator_).fit(x, y)
    np.testing.assert_allclose(twin.decision_function(x), again.decision_function(x))


def test_cross_validation_of_a_stack() -> None:
    x, y = raw(3)
    scores = cross_val_score(
        LocalizedMKLClassifier(n_init=1), KernelStack(grams(x, x)), y, cv=FOLDS
    )
    assert scores.mean() > 0.5


def test_progress_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = raw()
    fitted(grams(x, x), y, n_init=2, verbose=True, random_state=0)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"\[LMKL\] start [12], step \d+: objective [\d.]+"
    assert all(re.fullmatch(pattern, line) for line in lines)
    assert {line[13] for line in lines} == {"1", "2"}


def test_without_time_gates_are_uniform() -> None:
    """However little there is: what the features are does not matter then."""
    x, y = raw(3)
    with pytest.warns(ConvergenceWarning, match="max_time=1e-09"):
        model = fitted(grams(x, x), y, max_time=1e-9, n_init=3)
    assert model.start_objectives_.shape == (1,)
    np.testing.assert_array_equal(model.gate(grams(x, x)), 0.5)
    assert model.duality_gap_ <= model.tol


def test_too_few_steps_are_confessed() -> None:
    x, y = raw()
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model = fitted(grams(x, x), y, max_iter=1)
    assert model.n_iter_ == 2
    assert model.duality_gap_ <= model.tol


# Bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0.0}, "'C'"),
        ({"gating": "linear"}, "'gating'"),
        ({"gating_components": 0}, "'gating_components'"),
        ({"gating_ridge": 0.0}, "'gating_ridge'"),
        ({"n_init": 0}, "'n_init'"),
        ({"tol": -1.0}, "'tol'"),
        ({"max_iter": 0}, "'max_iter'"),
        ({"gating_kernel": "eeg"}, "gating_kernel is 'eeg'.*kernel0"),
        ({"gating_kernel": []}, r"gating_kernel is \[\]"),
        ({"gating_kernel": [0, 0]}, "gating_kernel.*twice"),
        ({"gating_only": True}, "gating_only.*none is left"),
        ({"gating_only": True, "gating_kernel": [0, 1, 2]}, "gating_only.*none is left"),
        ({"class_weight": {"rest": -1.0}}, "class_weight"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    x, y = raw()
    with pytest.raises(ValueError, match=message):
        fitted(grams(x, x), y, **parameters)


def test_a_gating_kernel_out_of_range_is_refused() -> None:
    x, y = raw()
    with pytest.raises(IndexError, match="gating_kernel is 3"):
        fitted(grams(x, x), y, gating_kernel=3)


def test_bad_data_are_refused_and_leave_nothing_behind() -> None:
    x, y = raw()
    kernels = grams(x, x)
    model = LocalizedMKLClassifier(n_init=1)
    bad: list[tuple[Any, Any, str]] = [
        (kernels, np.full(N, "rest"), "one class"),
        (kernels, y[:-1], "y has .* samples; expected"),
        ([kernels[0], kernels[1][:-1]], y, "shape"),
        ([kernels[0], -kernels[1]], y, "semi-definite"),
        ([kernels[0], np.full((N, N), np.nan)], y, "(?i)nan"),
        ([K[:-1] for K in kernels], y, "square"),
    ]
    for wrong, target, message in bad:
        with pytest.raises(ValueError, match=message):
            model.fit(wrong, target)
        assert set(vars(model)) == set(model.get_params())
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(kernels, y, sample_weight=np.full(N, -1.0))
    for method in (model.predict, model.gate, model.decision_function):
        with pytest.raises(NotFittedError):
            method(kernels)
    model.fit(kernels, y)
    for method in (model.predict, model.gate):
        with pytest.raises(ValueError, match="2 kernels"):
            method(kernels[:2])
        with pytest.raises(ValueError, match="columns"):
            method([K[:, 1:] for K in kernels])
