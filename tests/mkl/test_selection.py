"""The best few kernels and modalities, as users ask for them."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale

from mkfusion import (
    ColumnKernelizer,
    KernelStack,
    MKLClassifier,
    MKLRegressor,
    ModalitySelector,
    mkl_path,
)
from mkfusion.solvers import _best_subset


def wine(n: int = 90, classes: int = 3) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    X, y = load_wine(return_X_y=True)
    some = np.flatnonzero(y < classes)
    some = some[np.random.default_rng(0).permutation(some.size)[:n]]
    X = scale(X[some])[:, :6]
    return [rbf_kernel(X[:, [k]], gamma=0.5) for k in range(6)], X, y[some]


def diabetes(n: int = 80) -> tuple[list[np.ndarray], np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return [rbf_kernel(X[:n, [k]], gamma=100) for k in range(5)], y[:n]


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_n_kernels_are_the_best_of_all_pairs(p: float) -> None:
    """Three classes that share weights."""
    grams, _, y = wine()
    model = MKLClassifier(p=p, n_kernels=2).fit(grams, y)
    pairs = list(combinations(range(6), 2))
    alone = [MKLClassifier(p=p, tol=1e-5).fit([grams[k] for k in pair], y) for pair in pairs]
    best = int(np.argmin([other.objective_ for other in alone]))
    assert tuple(np.flatnonzero(model.weights_)) == pairs[best]
    assert model.selection_.names == [f"kernel{k}" for k in pairs[best]]
    assert model.selection_.gap <= model.tol
    assert model.selection_.n_subsets == 15
    assert model.selection_.lower_bound <= alone[best].objective_ * (1 + 1e-9)
    assert model.objective_ == pytest.approx(alone[best].objective_, rel=2e-3)
    assert model.weights_.shape == (6,)
    np.testing.assert_allclose(
        model.decision_function(grams),
        MKLClassifier(p=p)
        .fit([grams[k] for k in pairs[best]], y)
        .decision_function([grams[k] for k in pairs[best]]),
        atol=0.05,
    )


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_error"])
def test_n_kernels_of_regression(loss: str) -> None:
    grams, y = diabetes()
    parameters = {"C": 5.0, "loss": loss, "epsilon": 10.0}
    model = MKLRegressor(**parameters, n_kernels=2).fit(grams, y)
    pairs = list(combinations(range(5), 2))
    alone = [
        MKLRegressor(**parameters, tol=1e-5).fit([grams[k] for k in pair], y).objective_
        for pair in pairs
    ]
    assert model.objective_ <= min(alone) * (1 + model.tol)
    assert model.selection_.lower_bound <= min(alone) * (1 + 1e-9)
    assert np.count_nonzero(model.weights_) <= 2


def test_a_refit_without_n_kernels_tells_of_no_selection() -> None:
    grams, _, y = wine()
    model = MKLClassifier(n_kernels=6).fit(grams, y)
    assert model.selection_.gap <= model.tol
    assert not hasattr(model.set_params(n_kernels=None).fit(grams, y), "selection_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_kernels": 7}, r"n_kernels is 7; expected at most the 6 kernels of X"),
        ({"n_kernels": 0}, r"n_kernels"),
        ({"n_kernels": 2, "lam": 1.0}, r"lam is 1.0; expected None"),
        ({"n_kernels": 2, "per_class_weights": True}, r"per_class_weights is True; expected False"),
    ],
)
def test_what_n_kernels_cannot_do(parameters: dict, message: str) -> None:
    grams, _, y = wine()
    with pytest.raises(ValueError, match=message):
        MKLClassifier(**parameters).fit(grams, y)


def test_a_path_takes_all_kernels() -> None:
    grams, _, y = wine()
    with pytest.raises(ValueError, match="estimator has n_kernels=2; expected None"):
        mkl_path(grams, y, C=[1.0, 2.0], estimator=MKLClassifier(n_kernels=2))


def test_modalities_by_the_names_of_kernels() -> None:
    _, X, y = wine(classes=2)
    kernels = [("a", ["rbf", "linear"], [0, 1]), ("b", "rbf", [2]), ("c", ["rbf", "linear"], [5])]
    stack = ColumnKernelizer(kernels).fit_transform(X)
    selector = ModalitySelector(2, estimator=MKLClassifier(C=3.0)).fit(stack, y)
    assert selector.modality_names_ == ["a", "b", "c"]
    # By hand
    parts = {"a": [0, 1], "b": [2], "c": [3, 4]}
    objectives = {
        pair: MKLClassifier(C=3.0, tol=1e-5).fit(stack.select(parts[pair[0]] + parts[pair[1]]), y)
        for pair in combinations("abc", 2)
    }
    best = min(objectives, key=lambda pair: objectives[pair].objective_)
    assert tuple(selector.modalities_) == best
    assert selector.get_support(indices=True).tolist() == parts[best[0]] + parts[best[1]]
    assert np.flatnonzero(selector.get_support()).tolist() == parts[best[0]] + parts[best[1]]
    kept = selector.transform(stack)
    assert kept.names == [stack.names[k] for k in selector.get_support(indices=True)]
    # The same, told by a mapping.
    told = ModalitySelector(2, estimator=MKLClassifier(C=3.0), modalities=parts).fit(stack, y)
    assert told.modalities_ == selector.modalities_
    assert told.lower_bound_ == selector.lower_bound_
    # Without one of the modalities
    fewer = ModalitySelector(1, modalities={"a": parts["a"], "c": parts["c"]})
    assert fewer.fit(stack, y).modality_names_ == ["a", "c"]


def test_the_kind_of_target_says_whose_objective_counts() -> None:
    grams, y = diabetes()
    with pytest.raises(ValueError, match="many different whole numbers; expected estimator="):
        ModalitySelector(2).fit(grams, y)
    y = y / 7.0
    told = ModalitySelector(2, estimator=MKLRegressor(epsilon=None)).fit(grams, y)
    assert ModalitySelector(2).fit(grams, y).objective_ == told.objective_
    grams, _, y = wine()
    told = ModalitySelector(2, estimator=MKLClassifier()).fit(grams, y)
    names = np.array(["x", "y", "z"])[y]
    assert ModalitySelector(2).fit(grams, names).objective_ == told.objective_


def test_in_a_pipeline_and_a_search() -> None:
    _, X, y = wine(classes=2)
    kernelizer = ColumnKernelizer([(str(k), "rbf", [k]) for k in range(6)])
    model = make_pipeline(kernelizer, ModalitySelector(2), MKLClassifier())
    assert cross_val_score(model, X, y, cv=3).mean() > 0.7
    search = GridSearchCV(model, {"modalityselector__n_modalities": [1, 3]}, cv=3).fit(X, y)
    selector = search.best_estimator_[1]
    assert len(selector.modalities_) <= 3
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert clone(selector).n_modalities == selector.n_modalities


def test_time_that_is_up_leaves_a_gap_and_says_so() -> None:
    grams, _, y = wine()
    told = r"best 3 modalities found may be worse.*after max_time=1e-09 seconds"
    with pytest.warns(ConvergenceWarning, match=told):
        selector = ModalitySelector(3, max_time=1e-9).fit(grams, y)
    best = ModalitySelector(3).fit(grams, y)
    assert selector.gap_ > 1e-3
    assert selector.lower_bound_ <= best.objective_
    assert selector.objective_ >= best.lower_bound_
    assert not selector.complete_
    with pytest.warns(ConvergenceWarning, match="best 3 kernels found may be worse"):
        MKLClassifier(n_kernels=3, max_time=1e-9).fit(grams, y)


@pytest.mark.parametrize("max_time", [None, 600.0])
def test_what_else_leaves_a_gap_is_said(
    max_time: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding, or many choices: time is not blamed where there was enough."""
    grams, _, y = wine(n=40)
    with pytest.warns(ConvergenceWarning, match="rounding errors of products") as caught:
        MKLClassifier(n_kernels=1, tol=1e-15, max_time=max_time).fit(grams[:2], y)
    assert not any("max_time" in str(w.message) for w in caught)
    monkeypatch.setattr(_best_subset, "MOST_SUBSETS", 2)
    with pytest.warns(ConvergenceWarning, match="15 choices are too many") as caught:
        ModalitySelector(2, max_time=max_time).fit(grams, y)
    assert not any("max_time" in str(w.message) for w in caught)


def test_a_tolerance_that_anything_meets_still_has_a_choice() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    selector = ModalitySelector(2, tol=5.0).fit([np.outer(x, x) for x in X.T], X[:, 1] > 0)
    assert selector.modalities_
    assert 0.0 <= selector.gap_ <= 1.0


def test_copies_are_runners_up() -> None:
    grams, _, y = wine(classes=2)
    first = ModalitySelector(1).fit(grams, y).get_support(indices=True)[0]
    grams = [*grams, grams[first]]
    selector = ModalitySelector(1).fit(grams, y)
    copies = {f"kernel{first}", "kernel6"}
    assert set(selector.modalities_) < copies
    told = {choice.names[0]: choice for choice in selector.runners_up_}
    (other,) = copies - set(selector.modalities_)
    assert told[other].objective == pytest.approx(selector.objective_, rel=2e-3)
    assert not ModalitySelector(1, n_runners_up=0).fit(grams, y).runners_up_


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_modalities": 7}, ValueError, "n_modalities is 7; expected at most the 6"),
        ({"n_modalities": 0}, ValueError, "n_modalities"),
        ({"n_modalities": 1.5}, ValueError, "n_modalities"),
        ({"max_time": 0}, ValueError, "max_time"),
        ({"modalities": {}}, TypeError, "modalities is {}; expected a mapping"),
        ({"modalities": {"a": []}}, ValueError, r"modalities\['a'\] selects no kernel"),
        ({"modalities": {"a": None}}, TypeError, r"modalities\['a'\] is None; expected names"),
        ({"modalities": {"a": [0, 1], "b": [1]}}, ValueError, "'a' has as well"),
        ({"modalities": {"a": ["nothing"]}}, ValueError, r"modalities\['a'\] names unknown"),
        ({"estimator": ModalitySelector()}, TypeError, "expected an MKLClassifier or MKLRegr"),
        ({"estimator": MKLClassifier(n_kernels=2)}, ValueError, "estimator has n_kernels=2"),
        ({"estimator": MKLClassifier(lam=1.0)}, ValueError, "lam is 1.0"),
        ({"estimator": MKLClassifier(C=-1.0)}, ValueError, "'C' parameter of MKLClassifier"),
        ({"estimator": MKLClassifier(per_class_weights=True)}, ValueError, "per_class_weights"),
    ],
)
def test_bad_parameters(parameters: dict, error: type[Exception], message: str) -> None:
    grams, _, y = wine()
    with pytest.raises(error, match=message):
        ModalitySelector(**parameters).fit(grams, y)


def test_other_kernels_are_refused() -> None:
    grams, _, y = wine()
    selector = ModalitySelector(2).fit(grams, y)
    with pytest.raises(ValueError, match="X has 5 kernels"):
        selector.transform(grams[:5])
    with pytest.raises(ValueError, match="columns"):
        selector.transform(KernelStack([K[:, :4] for K in grams]))
    before = selector.modalities_
    with pytest.raises(ValueError, match="semi-definite"):
        selector.fit([-K for K in grams], y)
    assert selector.modalities_ == before
