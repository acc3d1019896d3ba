"""The projection onto sums of functions of one modality each."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mkfusion import (
    ColumnKernelizer,
    InteractionKernels,
    KernelCombiner,
    MKLClassifier,
    MKLRegressor,
    Modalities,
)
from mkfusion.inspection import AdditiveProjection, EmapDisplay, emap

PAIR = [("a", [0, 1]), ("b", [2])]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    return X, (X[:, 0] * X[:, 2] > 0).astype(int)


@pytest.fixture
def xor():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 200))
    X = np.column_stack([a, b]) + rng.normal(scale=0.05, size=(200, 2))
    return Modalities(a=X[:, :1], b=X[:, 1:]), a ^ b


def by_hand(respond, X, parts):
    """Average over all n^M combinations of the modalities' samples, from the paper."""
    n, n_parts = len(X), len(parts)
    grids = np.meshgrid(*[np.arange(n)] * n_parts, indexing="ij")
    mixed = np.empty((n**n_parts, X.shape[1]))
    for grid, (_, columns) in zip(grids, parts, strict=True):
        mixed[:, columns] = X[np.ix_(grid.ravel(), columns)]
    values = respond(mixed).reshape([n] * n_parts)
    total = -(n_parts - 1) * values.mean()
    for m in range(n_parts):
        total = total + values.mean(axis=tuple(k for k in range(n_parts) if k != m))
    return total


def test_two_modalities_are_averaged_over_all_pairs(table):
    X, y = table
    model = RandomForestClassifier(10, random_state=0).fit(X, y)
    outcome = emap(model, X, y, modalities=PAIR, n_bootstraps=0, batch_size=97)
    wanted = by_hand(lambda Z: model.predict_proba(Z)[:, 1], X, PAIR)
    np.testing.assert_allclose(outcome.projection[:, 1], wanted, atol=1e-12)
    assert not outcome.exact


@pytest.mark.parametrize("batch_size, n_jobs", [(1, None), (7, 2), (10_000, None)])
def test_batches_and_jobs_do_not_matter(table, batch_size, n_jobs):
    X, y = table[0][:12], table[1][:12]
    model = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0] * X[:, 2])
    options = {"modalities": PAIR, "random_state": 0}
    outcome = emap(model, X, y, batch_size=batch_size, n_jobs=n_jobs, **options)
    np.testing.assert_allclose(outcome.projection, emap(model, X, y, **options).projection)


def test_effects_sum_to_the_projection(table):
    X, y = table
    model = KNeighborsClassifier().fit(X, y)
    outcome = emap(model, X, y, modalities=PAIR, n_bootstraps=0)
    total = outcome.effects.sum(axis=0) + outcome.projection.mean(axis=0)
    np.testing.assert_allclose(total, outcome.projection, atol=1e-12)
    np.testing.assert_allclose(outcome.effects.mean(axis=1), 0.0, atol=1e-12)


@pytest.mark.parametrize("parts", [PAIR, [("a", [0]), ("b", [1]), ("c", [2])]])
@pytest.mark.parametrize("n_references", [None, 5])
def test_additive_models_are_their_own_projection(table, parts, n_references):
    X, y = table
    model = LinearRegression().fit(X, y)
    outcome = emap(model, X, y, modalities=parts, n_references=n_references, random_state=0)
    np.testing.assert_allclose(outcome.projection, outcome.responses, atol=1e-12)
    assert outcome.gap == pytest.approx(0.0)
    assert outcome.gap_interval == pytest.approx((0.0, 0.0))
    assert outcome.variance_explained == pytest.approx(1.0)


def test_three_modalities_estimate_the_mean_over_all_combinations():
    X = np.random.default_rng(0).normal(size=(15, 3))
    parts = [("a", [0]), ("b", [1]), ("c", [2])]
    model = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    wanted = by_hand(model.predict, X, parts)
    draws = [emap(model, X, modalities=parts, random_state=s).projection[:, 0] for s in range(60)]
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert np.abs(np.mean(draws, axis=0) - wanted).max() < (5.0 * error.max())


def test_exclusive_or_is_all_interaction(xor):
    X, y = xor
    kernels = ColumnKernelizer([("a", "rbf", "a"), ("b", "rbf", "b")])
    model = make_pipeline(kernels, InteractionKernels(), MKLClassifier(C=10, p=2)).fit(X, y)
    outcome = emap(model, X, y, n_references=50, n_bootstraps=100, random_state=0)
    assert outcome.scores["model"] == 1.0
    assert outcome.scores["projection"] < 0.75
    assert outcome.gap == pytest.approx(1.0 - outcome.scores["projection"])
    assert outcome.gap_interval[0] > 0.2
    assert outcome.exact
    assert "Interactions between a and b add" in str(outcome)


KERNELS = [("a", ["rbf", "linear"], "a"), ("b", "rbf", "b")]


def additive_models():
    kernelizer = ColumnKernelizer(KERNELS)
    classifier = make_pipeline(kernelizer, MKLClassifier(p=2))
    yield classifier
    yield make_pipeline(ColumnKernelizer(KERNELS, normalize="center"), MKLRegressor(p=2))
    yield make_pipeline(kernelizer, KernelCombiner(), SVC(kernel="precomputed"))
    yield GridSearchCV(classifier, {"mklclassifier__C": [0.1, 1.0]}, cv=2)


@pytest.mark.parametrize(
    "model", list(additive_models()), ids=["mkl", "regressor", "svc", "search"]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_kernel_models_are_exact_without_all_pairs(model, n_classes, monkeypatch):
    rng = np.random.default_rng(2)
    X = Modalities(a=rng.normal(size=(60, 2)), b=rng.normal(size=(60, 2)))
    y = rng.integers(0, n_classes, 60)
    if n_classes == 3 and isinstance(getattr(model, "steps", [[0, 0]])[-1][1], SVC):
        pytest.skip("votes of pairs of classes are not additive")
    model.fit(X, y)
    new = Modalities(a=rng.normal(size=(12, 2)), b=rng.normal(size=(12, 2)))
    quick = emap(model, new, y[:12], random_state=0)
    assert quick.exact
    monkeypatch.setattr("mkfusion.inspection._emap.kernel_model", lambda *_: None)
    brute = emap(model, new, y[:12], random_state=0)
    assert not brute.exact
    np.testing.assert_allclose(quick.projection, brute.projection, atol=1e-9)
    np.testing.assert_allclose(quick.effects, brute.effects, atol=1e-9)
    np.testing.assert_allclose(quick.projection, quick.responses, atol=1e-9)
    assert quick.scores == pytest.approx(brute.scores)
    assert quick.gap == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["frame", "sparse", "modalities"])
def test_samples_of_any_kind_give_the_same(table, kind):
    X, y = table
    plain = DecisionTreeClassifier(random_state=0, max_depth=3).fit(X, y)
    wanted = emap(plain, X, y, modalities=PAIR, random_state=0)
    if kind == "frame":
        frame = pd.DataFrame(X, columns=list("pqr")).assign(name="x")
        frame.index = [7] * len(frame)
        inner = DecisionTreeClassifier(random_state=0, max_depth=3)
        from sklearn.compose import make_column_transformer

        model = make_pipeline(make_column_transformer(("passthrough", list("pqr"))), inner)
        model.fit(frame, y)
        outcome = emap(model, frame, y, modalities=[("a", ["p", "q"]), ("b", "r")], random_state=0)
    elif kind == "sparse":
        outcome = emap(plain, csr_array(X), y, modalities=PAIR, random_state=0)
    else:

        class Joined(DecisionTreeClassifier):
            def predict_proba(self, X):
                return super().predict_proba(np.hstack([X["a"], X["b"]]))

        model = Joined(random_state=0, max_depth=3).fit(X, y)
        outcome = emap(model, Modalities(a=X[:, :2], b=X[:, 2:]), y, random_state=0)
    np.testing.assert_allclose(outcome.projection, wanted.projection)
    assert outcome.scores == wanted.scores
    assert outcome.intervals == wanted.intervals


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba", "decision_function"])
@pytest.mark.parametrize("scoring", [None, "roc_auc", "neg_log_loss"])
def test_scores_come_from_the_responses(table, method, scoring):
    X, y = table
    model = LogisticRegression().fit(X, y)
    options = {"modalities": PAIR, "response_method": method, "scoring": scoring}
    if method == "decision_function" and scoring == "neg_log_loss":
        with pytest.raises(ValueError, match="cannot be had from decision_function"):
            emap(model, X, y, **options)
        return
    outcome = emap(model, X, y, n_bootstraps=50, random_state=0, **options)
    from sklearn.metrics import check_scoring

    wanted = check_scoring(model, scoring)(model, X, y)
    assert outcome.scores["model"] == pytest.approx(wanted)
    low, high = outcome.intervals["model"]
    assert low <= wanted <= high


def test_groups_are_drawn_as_a_whole(table):
    X, y = table
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    groups = np.arange(40) % 2
    found = emap(model, X, y, modalities=PAIR, groups=groups, random_state=0)
    # One draw of four takes the same group twice: the ends are what either scores alone.
    right = [one.argmax(axis=1) == y for one in (found.responses, found.projection)]
    alone = [right[0][groups == g].mean() - right[1][groups == g].mean() for g in (0, 1)]
    assert alone[0] != alone[1]
    assert found.gap_interval == pytest.approx((min(alone), max(alone)))
    with pytest.raises(ValueError, match="groups is 0 for every sample; expected two groups"):
        emap(model, X, y, modalities=PAIR, groups=np.zeros(40, dtype=int))


def test_without_target_there_is_no_score(table):
    X, y = table
    outcome = emap(DecisionTreeClassifier().fit(X, y), X, modalities=PAIR)
    assert outcome.scores == {}
    assert np.isnan(outcome.gap)
    assert "variance" in str(outcome)
    assert len(outcome.to_frame()) == 0


def test_result_is_a_table(table):
    X, y = table
    outcome = emap(DecisionTreeClassifier().fit(X, y), X, y, modalities=PAIR)
    assert isinstance(outcome, AdditiveProjection)
    frame = outcome.to_frame()
    assert frame.index.tolist() == ["model", "projection", "gap"]
    assert frame.columns.tolist() == ["score", "low", "high"]
    with pytest.raises(AttributeError):
        outcome.scores = {}


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"modalities": None}, TypeError, "modalities is None"),
        ({"modalities": PAIR[:1]}, ValueError, "expected two or more"),
        ({"modalities": [("a", [0, 1]), ("b", [1])]}, ValueError, "share"),
        ({"response_method": "logits"}, ValueError, "response_method is 'logits'"),
        ({"response_method": "predict"}, TypeError, "labels cannot be averaged"),
        ({"n_references": 41}, ValueError, "n_references is 41"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"confidence_level": 95}, ValueError, "confidence_level is 95"),
        ({"scoring": ["r2"]}, TypeError, "scoring is"),
        ({"groups": [1, 2]}, ValueError, "groups has shape"),
        ({"y": [1, 2]}, ValueError, "y has 2 samples"),
    ],
)
def test_what_cannot_be_is_named(table, change, error, message):
    X, y = table
    arguments = {"y": y, "modalities": PAIR} | change
    with pytest.raises(error, match=message):
        emap(DecisionTreeClassifier().fit(X, y), X, **arguments)


def test_transformers_are_refused():
    from sklearn.preprocessing import StandardScaler

    X = np.eye(4)
    with pytest.raises(TypeError, match="expected a classifier or a regressor"):
        emap(StandardScaler().fit(X), X, modalities=PAIR)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_display_draws(table, n_classes):
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    X = table[0]
    y = np.arange(40) % n_classes
    model = LogisticRegression().fit(X, y)
    display = EmapDisplay.from_estimator(model, X, y, modalities=PAIR, n_bootstraps=10)
    assert display.figure_ is display.ax_.figure
    assert "gap" in display.ax_.get_title()
    assert len(display.ax_.get_legend().get_texts()) == n_classes
    _, ax = plt.subplots()
    assert EmapDisplay(display.projection).plot(ax=ax).ax_ is ax
