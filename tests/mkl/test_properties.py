"""Properties that any solver of the problem has, whatever its method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mkfusion import KernelStack, MKLClassifier
from oracles import checks, mkl, problems
from oracles.names import named

Floats = NDArray[np.float64]

TOL = 1e-8
ATOL = 2e-3
"""Two solutions within TOL differ by at most sqrt(2 TOL objective) in norm, for each class."""

NORMS = (1.0, 1.2, 2.0, np.inf)
FORMS: tuple[dict[str, Any], ...] = (
    *({"p": p} for p in NORMS),
    *({"p": p, "lam": 0.7} for p in NORMS),
)


def form_name(parameters: dict[str, Any]) -> str:
    """Name a form for pytest."""
    return "-".join(f"{key}={value:g}" for key, value in parameters.items())


forms = pytest.mark.parametrize("form", FORMS, ids=form_name)
class_counts = pytest.mark.parametrize("classes", [2, 3])


def make(classes: int = 2, n: int = 60, seed: int = 0) -> tuple[Floats, NDArray[np.intp]]:
    """Return four kernels of unit diagonal (4, n, n), some informative, and labels (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(n, 8)) + rng.normal(size=(classes, 8))[y] * ([1.2] * 4 + [0.0] * 4)
    kernels = np.array(
        [
            rbf_kernel(x[:, :2], gamma=0.5),
            rbf_kernel(x[:, 2:4], gamma=0.1),
            linear_kernel(x[:, :5]),
            rbf_kernel(x[:, 4:], gamma=1.0),
        ]
    )
    norms = np.sqrt(np.diagonal(kernels, axis1=1, axis2=2))
    return kernels / (norms[:, :, None] * norms[:, None, :]), y


def fit(kernels: Any, y: Any, sample_weight: Any = None, **parameters: Any) -> MKLClassifier:
    """Fit tightly."""
    kernels = list(kernels) if isinstance(kernels, np.ndarray) else kernels
    return MKLClassifier(**{"tol": TOL, **parameters}).fit(kernels, y, sample_weight=sample_weight)


@forms
@class_counts
def test_order_of_samples(form: dict[str, Any], classes: int) -> None:
    kernels, y = make(classes)
    model = fit(kernels, y, **form)
    decision = model.decision_function(list(kernels))
    order = np.random.default_rng(1).permutation(len(y))
    moved = kernels[:, order][:, :, order]
    other = fit(moved, y[order], **form)
    np.testing.assert_allclose(other.weights_, model.weights_, atol=ATOL)
    np.testing.assert_allclose(
        other.decision_function(list(moved)),
        decision[order],
        atol=ATOL,
    )
    assert other.objective_ == pytest.approx(model.objective_, rel=2 * TOL)


@forms
@class_counts
def test_order_of_kernels(form: dict[str, Any], classes: int) -> None:
    kernels, y = make(classes)
    model = fit(kernels, y, **form)
    decision = model.decision_function(list(kernels))
    order = np.array([2, 0, 3, 1])
    other = fit(kernels[order], y, **form)
    np.testing.assert_allclose(other.weights_, model.weights_[order], atol=ATOL)
    np.testing.assert_allclose(
        other.decision_function(list(kernels[order])),
        decision,
        atol=ATOL,
    )


@forms
@class_counts
@pytest.mark.parametrize("c", [1e-3, 7.0, 1e4])
def test_scale_of_kernels_against_costs(form: dict[str, Any], classes: int, c: float) -> None:
    """With c K, C / c (and lam / c) every f stays optimal and the objective is divided by c."""
    kernels, y = make(classes)
    model = fit(kernels, y, C=3.0, **form)
    scaled = {key: value / c if key == "lam" else value for key, value in form.items()}
    other = fit(c * kernels, y, C=3.0 / c, **scaled)
    np.testing.assert_allclose(other.weights_, model.weights_, atol=ATOL)
    ours, theirs = (
        model.decision_function(list(kernels)),
        other.decision_function(list(c * kernels)),
    )
    np.testing.assert_allclose(theirs, ours, atol=ATOL)
    np.testing.assert_array_equal(other.predict(list(c * kernels)), model.predict(list(kernels)))
    assert c * other.objective_ == pytest.approx(model.objective_, rel=2 * TOL)


@class_counts
@pytest.mark.parametrize("lam", [None, 0.7])
@pytest.mark.parametrize("copied", range(4))
def test_duplicated_kernel_at_p1(classes: int, lam: float | None, copied: int) -> None:
    kernels, y = make(classes)
    model = fit(kernels, y, p=1, lam=lam)
    twice = np.concatenate([kernels, kernels[copied : copied + 1]])
    other = fit(twice, y, p=1, lam=lam)
    np.testing.assert_allclose(
        other.decision_function(list(twice)), model.decision_function(list(kernels)), atol=ATOL
    )
    merged = other.weights_[:4].copy()
    merged[copied] += other.weights_[4]
    np.testing.assert_allclose(merged, model.weights_, atol=ATOL)
    assert other.objective_ == pytest.approx(model.objective_, rel=2 * TOL)


@pytest.mark.parametrize("tol", [1e-3, 1e-6])
@pytest.mark.parametrize(
    "number", [i for i in range(problems.N_PROBLEMS) if problems.make(i).p == 1][::3]
)
def test_excluded_kernels_weigh_exactly_nothing(number: int, tol: float) -> None:
    """At p = 1 only kernels with the largest form can have weight (complementary slackness).

    The oracle's forms decide; a form that is smaller by a clear margin must be recognised.
    """
    problem = problems.make(number)
    model, _ = checks.fit(problem, tol)
    stacked = np.atleast_2d(model.weights_)
    clear = 0.5 if tol > 1e-4 else 0.95
    for i, solution in enumerate(problems.reference(number)):
        g = mkl.quadratic_forms(problem.kernels, solution.beta)
        excluded = g < clear * g.max()
        assert np.all(stacked[i][excluded] == 0), (stacked[i], g / g.max())


@forms
@class_counts
def test_zero_kernel_never_weighs(form: dict[str, Any], classes: int) -> None:
    kernels, y = make(classes)
    model = fit(kernels, y, **form)
    padded = np.concatenate([np.zeros_like(kernels[:1]), kernels, np.zeros_like(kernels[:1])])
    other = fit(padded, y, **form)
    np.testing.assert_array_equal(other.weights_[[0, -1]], 0.0)
    np.testing.assert_allclose(other.weights_[1:-1], model.weights_, atol=ATOL)
    np.testing.assert_allclose(
        other.decision_function(list(padded)), model.decision_function(list(kernels)), atol=ATOL
    )


@forms
@class_counts
def test_integer_weights_are_repetition(form: dict[str, Any], classes: int) -> None:
    kernels, y = make(classes, n=40)
    times = np.random.default_rng(2).integers(0, 4, size=len(y))
    times[: 2 * classes] = 1
    model = fit(kernels, y, times, **form)
    rows = np.repeat(np.arange(len(y)), times)
    repeated = fit(kernels[:, rows][:, :, rows], y[rows], **form)
    np.testing.assert_allclose(repeated.weights_, model.weights_, atol=ATOL)
    np.testing.assert_allclose(
        repeated.decision_function(list(kernels[:, :, rows])),
        model.decision_function(list(kernels)),
        atol=ATOL,
    )
    assert repeated.objective_ == pytest.approx(model.objective_, rel=2 * TOL)
    assert not np.isin(np.flatnonzero(times == 0), model.support_).any()


@class_counts
@pytest.mark.parametrize("p", NORMS)
def test_class_weight_is_sample_weight(p: float, classes: int) -> None:
    kernels, y = make(classes)
    weights = {label: 1.0 + label for label in range(classes)}
    own = np.linspace(0.5, 2, len(y))
    by_class = fit(kernels, y, own, p=p, class_weight=weights)
    by_sample = fit(kernels, y, own * [weights[label] for label in y.tolist()], p=p)
    by_cost = fit(kernels, y, 3 * own, p=p, C=1 / 3, class_weight=weights)
    decision = by_class.decision_function(list(kernels))
    for other in (by_sample, by_cost):
        np.testing.assert_allclose(
            other.decision_function(list(kernels)),
            decision,
            atol=ATOL,
        )
        np.testing.assert_allclose(other.weights_, by_class.weights_, atol=ATOL)


def test_balanced_class_weight() -> None:
    kernels, y = make(2)
    keep = np.flatnonzero((y == 0) | (np.arange(len(y)) % 3 == 0))
    kernels, y = kernels[:, keep][:, :, keep], y[keep]
    balanced = {k: len(y) / (2 * np.sum(y == k)) for k in (0, 1)}
    ours, by_hand = fit(kernels, y, class_weight="balanced"), fit(kernels, y, class_weight=balanced)
    np.testing.assert_allclose(
        ours.decision_function(list(kernels)), by_hand.decision_function(list(kernels)), atol=1e-9
    )


@forms
def test_float32_is_close_to_float64(form: dict[str, Any]) -> None:
    kernels, y = make(2)
    single = kernels.astype(np.float32)
    model = fit(single, y, tol=1e-4, **form)
    exact = fit(kernels, y, tol=1e-4, **form)
    assert model.objective_ == pytest.approx(exact.objective_, rel=1e-3)
    assert model.duality_gap_ <= 1e-4
    np.testing.assert_allclose(
        model.decision_function(list(single)), exact.decision_function(list(kernels)), atol=0.1
    )
    # The certificate is about the kernels that were given: float32 ones, summed in float64.
    wide = single.astype(np.float64)
    beta = checks.fitted_rows(model, len(y))
    signs, cost = np.where(y == 1, 1.0, -1.0)[None], np.ones((1, len(y)))
    p, lam = form["p"], form.get("lam")
    primal = mkl.primal_value(wide, signs, cost, model.weights_, beta, model.intercept_, p, lam)
    gap = (primal - mkl.dual_value(wide, signs, beta, p, lam)) / primal
    assert model.duality_gap_ == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize(
    "names",
    [
        ["walk", "run", "sit"],
        np.array(["b", "a", "c"], dtype=object),
        [10, -3, 7],
        [2.0, 1.0, 0.0],
        [False, True],
        [True, False],
        ["no", "yes"],
    ],
    ids=named,
)
def test_labels_of_any_type(names: Any) -> None:
    names = np.asarray(names)
    kernels, y = make(len(names))
    labels = names[y]
    model = fit(kernels, labels)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    codes = np.searchsorted(model.classes_, labels)
    plain = fit(kernels, codes)
    decision = model.decision_function(list(kernels))
    np.testing.assert_array_equal(decision, plain.decision_function(list(kernels)))
    predicted = model.predict(list(kernels))
    assert predicted.dtype == model.classes_.dtype
    np.testing.assert_array_equal(predicted, model.classes_[plain.predict(list(kernels))])
    assert model.score(list(kernels), labels) > 0.8
    if len(names) == 2:
        # As in SVC: positive towards classes_[1].
        np.testing.assert_array_equal(predicted == model.classes_[1], decision > 0)
        assert np.all(model.dual_coef_[0][labels[model.support_] == model.classes_[1]] > 0)


@class_counts
@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_number_of_jobs_changes_nothing(classes: int, per_class: bool, p: float) -> None:
    kernels, y = make(classes)
    one, two, default = (
        fit(kernels, y, p=p, per_class_weights=per_class, n_jobs=jobs) for jobs in (1, 2, None)
    )
    for other in (two, default):
        for name in ("weights_", "dual_coef_", "support_", "intercept_", "objective_"):
            np.testing.assert_array_equal(getattr(other, name), getattr(one, name))
        np.testing.assert_array_equal(
            other.decision_function(list(kernels)), one.decision_function(list(kernels))
        )


def test_same_input_same_result() -> None:
    kernels, y = make(3)
    first, second = fit(kernels, y), fit(kernels, y)
    np.testing.assert_array_equal(first.dual_coef_, second.dual_coef_)
    np.testing.assert_array_equal(first.weights_, second.weights_)


def test_every_form_of_input_is_the_same_fit() -> None:
    kernels, y = make(3)
    listed = fit(kernels, y)
    stack = KernelStack(list(kernels), names=["a", "b", "c", "d"])
    last = np.moveaxis(kernels, 0, 2)
    for given in (tuple(kernels), stack, last, np.ascontiguousarray(last)):
        model = MKLClassifier(tol=TOL).fit(given, y)
        np.testing.assert_array_equal(model.weights_, listed.weights_)
        np.testing.assert_array_equal(model.dual_coef_, listed.dual_coef_)
        np.testing.assert_array_equal(
            model.decision_function(given), listed.decision_function(list(kernels))
        )
    assert list(fit(stack, y).kernel_names_) == ["a", "b", "c", "d"]
    assert len(listed.kernel_names_) == 4
    assert len(set(listed.kernel_names_)) == 4


def test_input_is_left_alone() -> None:
    kernels, y = make(2)
    before = kernels.copy()
    weight = np.ones(len(y))
    for array in (kernels, y, weight):
        array.setflags(write=False)
    model = fit(kernels, y, weight)
    model.decision_function(list(kernels))
    np.testing.assert_array_equal(kernels, before)
    np.testing.assert_array_equal(weight, 1.0)


@pytest.mark.parametrize("p", NORMS)
def test_per_class_weights_are_independent_binary_problems(p: float) -> None:
    kernels, y = make(3)
    model = fit(kernels, y, p=p, per_class_weights=True)
    assert model.weights_.shape == (3, 4)
    total = 0.0
    for k in range(3):
        binary = fit(kernels, (y == k).astype(int), p=p)
        np.testing.assert_allclose(model.weights_[k], binary.weights_, atol=ATOL)
        np.testing.assert_allclose(
            model.decision_function(list(kernels))[:, k],
            binary.decision_function(list(kernels)),
            atol=ATOL,
        )
        total += binary.objective_
    assert model.objective_ == pytest.approx(total, rel=2 * TOL)


def test_penalty_form_is_a_constraint_form() -> None:
    """The penalty form at lam is the constraint form at C' = t C, t = ||d||_p (SOLVER.md)."""
    kernels, y = make(2)
    for p in NORMS:
        penalty = fit(kernels, y, p=p, lam=0.7, C=2.0)
        t = mkl.lq_norm(penalty.weights_, p)
        constraint = fit(kernels, y, p=p, C=2.0 * t)
        np.testing.assert_allclose(constraint.weights_, penalty.weights_ / t, atol=ATOL)
        np.testing.assert_allclose(
            constraint.decision_function(list(kernels)),
            penalty.decision_function(list(kernels)),
            atol=ATOL,
        )


def test_prediction_reads_only_what_matters() -> None:
    """Kernels without weight and columns without a dual coefficient may hold anything finite."""
    kernels, y = make(2, n=80)
    noise = np.random.default_rng(1).normal(size=(80, 80))
    kernels = np.concatenate([kernels, [noise @ noise.T / 80, np.eye(80)]])
    model = fit(kernels, y, p=1.0, C=0.1)
    others = np.setdiff1d(np.arange(len(y)), model.support_)
    idle = np.flatnonzero(model.weights_ == 0)
    assert len(others), "the data has no sample outside the margin"
    assert len(idle), "the data has no kernel without weight"
    spoiled = kernels.copy()
    spoiled[:, :, others] = 1e6
    spoiled[idle] = -1e6
    np.testing.assert_array_equal(
        model.decision_function(list(spoiled)), model.decision_function(list(kernels))
    )


def test_not_converging_warns_with_the_gap() -> None:
    from sklearn.exceptions import ConvergenceWarning

    problem = next(
        made
        for made in map(problems.make, range(problems.N_PROBLEMS))
        if made.p == 1.2 and made.kernels.shape[0] > 5 and made.kernels.shape[1] > 60
    )
    model = MKLClassifier(**{**problem.parameters, "C": 100.0, "tol": 1e-12, "max_iter": 1})
    with pytest.warns(ConvergenceWarning, match="gap") as caught:
        model.fit(list(problem.kernels), problem.labels)
    assert len(caught) == 1
    assert f"{model.duality_gap_:.1e}"[:3] in str(caught[0].message)
    assert "max_iter" in str(caught[0].message)
    assert model.duality_gap_ > 1e-12
    assert model.n_iter_ <= 1
