"""Means over all combinations of samples that kernels give in closed form."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from mkfusion import (
    ColumnKernelizer,
    InteractionKernels,
    KernelCombiner,
    LocalizedMKLClassifier,
    MKLClassifier,
    MKLRegressor,
    Modalities,
    PrecomputedKernel,
)
from mkfusion.inspection import emap
from mkfusion.inspection._closed_form import is_multiaffine, project_kernels


def samples(n, n_modalities, seed=0):
    rng = np.random.default_rng(seed)
    return Modalities({name: rng.normal(size=(n, 2)) for name in "abc"[:n_modalities]})


def labels(X, n_classes):
    if n_classes == 3:
        return np.digitize(X["a"][:, 0] * X["b"][:, 0] + X["b"][:, 1], [-0.5, 0.5])
    return (X["a"][:, 0] * X["b"][:, 0] + X["b"][:, 1] > 0).astype(int)


def targets(X):
    return X["a"][:, 0] * X["b"][:, 0] + X["b"][:, 1]


def kernels(X, normalize="cosine"):
    return ColumnKernelizer([(m, ["rbf", "linear"], m) for m in X.names], normalize=normalize)


def by_hand(values_at, n, n_modalities):
    """Average over all n^M combinations, one after the other, from the paper."""
    mean = sum(values_at.values()) / len(values_at)
    rows = []
    for i in range(n):
        means = [
            np.mean([value for which, value in values_at.items() if which[m] == i], axis=0)
            for m in range(n_modalities)
        ]
        rows.append((means, sum(means) - (n_modalities - 1) * mean))
    effects = np.array([[means[m] for means, _ in rows] for m in range(n_modalities)])
    return np.array([one for _, one in rows]), effects - effects.mean(axis=1, keepdims=True)


def all_responses(respond, X):
    """Return the responses to all combinations of the samples' modalities."""
    n, names = len(X), X.names
    everything = list(product(range(n), repeat=len(names)))
    rows = np.array(everything)
    mixed = Modalities({name: X[name][rows[:, m]] for m, name in enumerate(names)})
    values = respond(mixed)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    return dict(zip(everything, values, strict=True))


def without_kernels(model, X, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr("mkfusion.inspection._emap.kernel_model", lambda *_: None)
        return emap(model, X, **options)


def test_kernels_are_projected_as_all_combinations_are():
    rng = np.random.default_rng(0)
    n, n_train, owners = 5, 4, [0, 1, 2, 0]
    grams = list(rng.normal(size=(4, n, n_train)))
    coef = rng.normal(size=(n_train, 2))

    def respond(k):
        return (k[0] * k[1] + k[1] * k[2] * k[3] - 0.5 * k[3]) @ coef + [1.0, -2.0]

    values_at = {
        which: respond([grams[k][[which[m]]] for k, m in enumerate(owners)])[0]
        for which in product(range(n), repeat=3)
    }
    projection, effects = project_kernels(respond, grams, owners, 3)
    wanted, wanted_effects = by_hand(values_at, n, 3)
    np.testing.assert_allclose(projection, wanted, atol=1e-12)
    np.testing.assert_allclose(effects, wanted_effects, atol=1e-12)


@pytest.mark.parametrize(
    "respond, multiaffine",
    [
        (lambda k: k[0] * k[1] + k[2], True),
        (lambda k: k[0] * k[2], False),  # both of the first modality
        (lambda k: 1.0 / (1.0 + np.exp(-k[0] - k[1])), False),
        (lambda k: np.sign(k[0] + k[1]), False),
        (lambda k: 1e6 + k[0] ** 2, False),  # the size of responses hides nothing
        (lambda k: 1e6 + 0.0 * k[0], True),
    ],
)
def test_what_is_not_affine_is_found_out(respond, multiaffine):
    rng = np.random.default_rng(0)
    blocks = list(rng.normal(size=(3, 50, 4)))
    found = is_multiaffine(respond, blocks, [0, 1, 0], 2, np.random.RandomState(0))
    assert found == multiaffine


def product_models():
    yield "binary", 2, (MKLClassifier(C=10, p=2),)
    yield "multiclass", 3, (MKLClassifier(C=10, p=2),)
    yield "per class", 3, (MKLClassifier(C=10, p=2, per_class_weights=True),)
    yield "svc", 2, (KernelCombiner(), SVC(kernel="precomputed"))
    yield "regressor", 0, (MKLRegressor(p=2),)
    yield "svr", 0, (KernelCombiner(), SVR(kernel="precomputed"))
    yield "ridge", 0, (KernelCombiner("alignf"), KernelRidge(kernel="precomputed"))


@pytest.mark.parametrize("n_modalities", [2, 3])
@pytest.mark.parametrize("normalize", ["cosine", "center"])
@pytest.mark.parametrize("within_entries", [True, False])
@pytest.mark.parametrize(
    "n_classes, steps", [one[1:] for one in product_models()], ids=[m[0] for m in product_models()]
)
def test_products_are_averaged_over_all_combinations(
    n_modalities, normalize, within_entries, n_classes, steps
):
    X, new = samples(40, n_modalities), samples(12, n_modalities, seed=1)
    y = labels(X, n_classes) if n_classes else targets(X)
    products = InteractionKernels(n_modalities, within_entries=within_entries)
    model = make_pipeline(kernels(X, normalize), products, *steps).fit(X, y)
    outcome = emap(model, new)
    assert outcome.exact
    method = model.decision_function if n_classes else model.predict
    values = all_responses(method, new)
    wanted, effects = by_hand(values, 12, n_modalities)
    np.testing.assert_allclose(outcome.projection, wanted, atol=1e-10)
    np.testing.assert_allclose(outcome.effects, effects, atol=1e-10)
    assert outcome.variance_explained < 0.999


@pytest.mark.parametrize("n_references", [1, 7, None])
@pytest.mark.parametrize("batch_size", [5, 2048])
def test_references_are_those_of_predictions(n_references, batch_size, monkeypatch):
    X, new = samples(40, 2), samples(20, 2, seed=1)
    model = make_pipeline(kernels(X), InteractionKernels(), MKLClassifier()).fit(X, labels(X, 2))
    options = {"n_references": n_references, "batch_size": batch_size, "random_state": 3}
    quick, slow = emap(model, new, **options), without_kernels(model, new, monkeypatch, **options)
    assert quick.exact
    assert not slow.exact
    np.testing.assert_allclose(quick.projection, slow.projection, atol=1e-10)
    np.testing.assert_allclose(quick.effects, slow.effects, atol=1e-10)


@pytest.mark.parametrize("columns", [([0, 1], [2, 3]), (["p", "q"], ["r", "s"])])
def test_tables_have_modalities_too(columns):
    X = samples(40, 2)
    table = pd.DataFrame(np.hstack([X["a"], X["b"]]), columns=list("pqrs"))
    modalities = [("a", ["p", "q"]), ("b", ["r", "s"])]
    entries = [(name, "rbf", some) for name, some in zip("ab", columns, strict=True)]
    kernelizer = ColumnKernelizer(entries)
    model = make_pipeline(kernelizer, InteractionKernels(), MKLClassifier())
    outcome = emap(model.fit(table, labels(X, 2)), table, modalities=modalities)
    assert outcome.exact
    # Kernels go by the names of columns, whatever their places.
    turned = emap(model, table[list("rqps")], modalities=modalities)
    assert turned.exact
    np.testing.assert_allclose(turned.projection, outcome.projection, atol=1e-10)


def test_kernels_may_be_looked_up():
    X = samples(52, 2)
    entries = [(name, PrecomputedKernel(X[name] @ X[name].T), name) for name in X.names]
    ids = Modalities({name: np.arange(52)[:, np.newaxis] for name in X.names})
    model = make_pipeline(ColumnKernelizer(entries), InteractionKernels(), MKLRegressor())
    model.fit(ids[:40], targets(X)[:40])
    outcome = emap(model, ids[40:])
    assert outcome.exact
    wanted, _ = by_hand(all_responses(model.predict, ids[40:]), 12, 2)
    np.testing.assert_allclose(outcome.projection, wanted, atol=1e-10)


def test_structure_is_not_enough(monkeypatch):
    """A pipeline whose kernels are not what they seem to be is found out."""
    X, new = samples(40, 2), samples(12, 2, seed=1)
    model = make_pipeline(kernels(X), InteractionKernels(), MKLClassifier()).fit(X, labels(X, 2))
    slow = without_kernels(model, new, monkeypatch)
    monkeypatch.setattr(
        "mkfusion.inspection._closed_form._modality_of_each_kernel", lambda *_: [0, 1, 1, 1]
    )
    outcome = emap(model, new)
    assert not outcome.exact
    np.testing.assert_allclose(outcome.projection, slow.projection, atol=1e-12)


class Squares(KernelRidge):
    def predict(self, X):
        return super().predict(X) ** 2


def other_models():
    precomputed = {"kernel": "precomputed"}
    yield "votes", 3, (InteractionKernels(), KernelCombiner(), SVC(**precomputed))
    yield "additive votes", 3, (KernelCombiner(), SVC(**precomputed))
    yield "squares", 0, (KernelCombiner(), Squares(**precomputed))
    yield "gates", 2, (LocalizedMKLClassifier(random_state=0),)


@pytest.mark.parametrize(
    "n_classes, steps",
    [one[1:] for one in other_models()],
    ids=[one[0] for one in other_models()],
)
def test_other_responses_go_the_general_way(n_classes, steps):
    X, new = samples(40, 2), samples(12, 2, seed=1)
    y = labels(X, n_classes) if n_classes else targets(X)
    model = make_pipeline(kernels(X), *steps).fit(X, y)
    outcome = emap(model, new)
    assert not outcome.exact
    method = model.decision_function if n_classes else model.predict
    wanted, _ = by_hand(all_responses(method, new), 12, 2)
    np.testing.assert_allclose(outcome.projection, wanted, atol=1e-10)


def test_probabilities_go_the_general_way():
    X, new = samples(40, 2), samples(12, 2, seed=1)

    class Sigmoid(MKLClassifier):
        def predict_proba(self, X):
            positive = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
            return np.column_stack([1.0 - positive, positive])

    model = make_pipeline(kernels(X), InteractionKernels(), Sigmoid()).fit(X, labels(X, 2))
    outcome = emap(model, new, response_method="predict_proba")
    assert not outcome.exact
    wanted, _ = by_hand(all_responses(model.predict_proba, new), 12, 2)
    np.testing.assert_allclose(outcome.projection, wanted, atol=1e-10)


def test_kernels_that_see_several_modalities_go_the_general_way():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    y = X[:, 0] * X[:, 2]
    pair = [("a", [0, 1]), ("b", [2])]
    for columns in ([0, 2], [0, 3]):  # two modalities; a column of none
        entries = [("one", "rbf", columns), ("b", "rbf", [2])]
        model = make_pipeline(ColumnKernelizer(entries), MKLRegressor()).fit(X, y)
        assert not emap(model, X, modalities=pair).exact


def test_missing_modalities_go_the_general_way():
    X = samples(40, 2)
    entries = [(name, "rbf", name) for name in X.names]
    kernelizer = ColumnKernelizer(entries, missing="marginalise")
    model = make_pipeline(kernelizer, MKLRegressor()).fit(X, targets(X))
    assert not emap(model, X).exact


def test_a_pipeline_of_one_step_is_predicted():
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = make_pipeline(SVR()).fit(X, X[:, 0])
    assert not emap(model, X, modalities=[("a", [0]), ("b", [1])]).exact
    scaled = make_pipeline(StandardScaler(), SVR()).fit(X, X[:, 0])
    assert not emap(scaled, X, modalities=[("a", [0]), ("b", [1])]).exact


class Counting(MKLClassifier):
    rows = 0

    def decision_function(self, X):
        Counting.rows += X.shape[0]
        return super().decision_function(X)


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_there_are_no_passes_over_all_pairs(n_modalities):
    X, new = samples(60, n_modalities), samples(300, n_modalities, seed=1)
    model = make_pipeline(kernels(X), InteractionKernels(), Counting()).fit(X, labels(X, 2))
    Counting.rows = 0
    assert emap(model, new).exact
    responses, checks = 300, 128 * (2 + 3 * n_modalities)
    assert Counting.rows == responses + n_modalities * 300 + checks


def test_additive_models_have_no_gap_and_products_have_one():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 200))
    noise = rng.normal(scale=0.05, size=(2, 200, 1))
    X, y = Modalities(a=a[:, np.newaxis] + noise[0], b=b[:, np.newaxis] + noise[1]), a ^ b
    kernelizer = ColumnKernelizer([("a", "rbf", "a"), ("b", "rbf", "b")])
    additive = emap(make_pipeline(kernelizer, MKLClassifier(p=2)).fit(X, y), X, y)
    assert additive.exact
    assert additive.gap == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(additive.projection, additive.responses, atol=1e-10)
    model = make_pipeline(kernelizer, InteractionKernels(), MKLClassifier(C=10, p=2)).fit(X, y)
    products = emap(model, X, y)
    assert products.exact
    assert products.scores["model"] == 1.0
    assert products.gap > 0.25
