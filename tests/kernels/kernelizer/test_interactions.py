"""Products of different kernels: their names, their values, and what learning makes of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    InteractionKernels,
    KernelStack,
    LinearKernel,
    MKLClassifier,
    Modalities,
    RBFKernel,
    interaction_kernels,
)
from mkfusion.stack._product import ProductStack
from mkfusion.stack._stack import DenseStack
from mkfusion.testing import check_kernel_stack

rng = np.random.default_rng(0)
TRAIN, TEST = rng.normal(size=(11, 3)), rng.normal(size=(7, 3))
NAMES = ["a:rbf(gamma=0.3)", "a:linear", "b:linear", "c:linear"]
PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
TRIPLES = [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]


def grams(x: np.ndarray) -> np.ndarray:
    """Kernels (4, n_rows, n_train) by scikit-learn."""
    return np.array(
        [rbf_kernel(x[:, :1], TRAIN[:, :1], gamma=0.3)]
        + [linear_kernel(x[:, [j]], TRAIN[:, [j]]) for j in range(3)]
    )


def kernelizer(normalize=None) -> ColumnKernelizer:
    both = [RBFKernel(gamma=0.3), "linear"]
    entries = [("a", both, [0]), ("b", "linear", [1]), ("c", "linear", [2])]
    return ColumnKernelizer(entries, normalize=normalize)


def lazy(x: np.ndarray) -> KernelStack:
    fitted = kernelizer()
    return fitted.fit_transform(TRAIN) if x is TRAIN else fitted.fit(TRAIN).transform(x)


def dense(x: np.ndarray) -> KernelStack:
    return KernelStack(list(grams(x)), names=NAMES)


@pytest.fixture(params=[lazy, dense], ids=lambda make: make.__name__)
def make(request):
    return request.param


@pytest.fixture(params=["train", "test"])
def rows(request) -> np.ndarray:
    return TRAIN if request.param == "train" else TEST


# ---------------------------------------------------------------------- names and values


def test_values(make, rows) -> None:
    stack = interaction_kernels(make(rows), order=3)
    expected = grams(rows)
    assert stack.shape == (*expected.shape[1:], 14)
    for k, factors in enumerate([(0,), (1,), (2,), (3,), *PAIRS, *TRIPLES]):
        product = np.prod(expected[list(factors)], axis=0)
        np.testing.assert_allclose(stack.gram(k), product, rtol=1e-12)


def test_names() -> None:
    stack = interaction_kernels(dense(TRAIN))
    assert stack.names == [*NAMES, *[f"{NAMES[i]} * {NAMES[j]}" for i, j in PAIRS]]
    across = interaction_kernels(dense(TRAIN), order=3, within_entries=False)
    assert across.names[4:] == [
        "a:rbf(gamma=0.3) * b:linear",
        "a:rbf(gamma=0.3) * c:linear",
        "a:linear * b:linear",
        "a:linear * c:linear",
        "b:linear * c:linear",
        "a:rbf(gamma=0.3) * b:linear * c:linear",
        "a:linear * b:linear * c:linear",
    ]
    assert interaction_kernels(dense(TRAIN), order=1).names == NAMES
    assert interaction_kernels(dense(TRAIN), order=99).shape[2] == 15


def test_factors_are_the_kernels_that_are_multiplied() -> None:
    rng = np.random.default_rng(0)
    stack = KernelStack([linear_kernel(rng.normal(size=(4, 2))) for _ in range(3)])
    products = InteractionKernels(3).fit(stack)
    assert products.factors_ == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    made = products.transform(stack)
    for k, some in enumerate(products.factors_):
        np.testing.assert_allclose(made.gram(k), np.prod([stack.gram(j) for j in some], axis=0))


def test_names_of_sums_and_names_without_entries() -> None:
    kernels = [("a", RBFKernel() + LinearKernel(), [0]), ("b", "linear", [1])]
    stack = ColumnKernelizer(kernels).fit_transform(TRAIN)
    assert interaction_kernels(stack).names[-1] == "(a:rbf + linear) * b:linear"
    grams = [np.eye(2), np.ones((2, 2))]
    names = interaction_kernels(grams, within_entries=False).names
    assert names == ["kernel0", "kernel1", "kernel0 * kernel1"]


def test_a_stack_in_memory_stays_there() -> None:
    found = interaction_kernels(dense(TRAIN))
    assert isinstance(found, DenseStack)
    assert "in memory" in repr(found)
    found = interaction_kernels(lazy(TRAIN))
    assert isinstance(found, ProductStack)
    assert "on demand" in repr(found)
    single = KernelStack(list(grams(TRAIN).astype(np.float32)), names=NAMES)
    assert interaction_kernels(single).dtype == np.float32


def test_each_kernel_is_evaluated_once_in_however_many_products() -> None:
    evaluated = []

    def product(x, z):
        evaluated.append((len(x), len(z)))
        return x @ z.T

    entries = [(name, product, [j]) for j, name in enumerate("abc")]
    stack = interaction_kernels(ColumnKernelizer(entries, normalize=None).fit_transform(TRAIN), 3)
    evaluated.clear()
    stack.materialize()
    assert evaluated == [(11, 11)] * 3
    evaluated.clear()
    weights = [0, 1, 0, 0, 0, 0, 0]  # b alone
    stack.combine(weights)
    assert evaluated == [(11, 11)]
    evaluated.clear()
    stack.select("a:product * b:product").dot(np.arange(11) == 4)
    assert evaluated == [(11, 1)] * 2


def test_what_needs_no_check() -> None:
    """Products of kernels known to be Gram matrices are known to be."""
    stack = interaction_kernels(lazy(TRAIN))
    assert stack.known_gram.all()
    entries = [("a", "linear", [0]), ("b", lambda x, z: x @ z.T, [1]), ("c", "linear", [2])]
    stack = interaction_kernels(ColumnKernelizer(entries).fit_transform(TRAIN))
    assert stack.known_gram.tolist() == [True, False, True, False, True, False]
    stack.check_gram()
    assert stack.known_gram.all()


def test_products_are_positive_semi_definite() -> None:
    stack = interaction_kernels(kernelizer("center").fit_transform(TRAIN), order=4)
    for k in range(stack.shape[2]):
        values = np.linalg.eigvalsh(stack.gram(k))
        assert values[0] >= -1e-10 * values[-1]


# ---------------------------------------------------------------------- the stack's contract


def test_contract(make, rows) -> None:
    base = grams(rows)
    expected = [*base, *[base[i] * base[j] for i, j in PAIRS]]
    check_kernel_stack(interaction_kernels(make(rows)), expected, rtol=1e-12)


def test_no_rows(make) -> None:
    stack = interaction_kernels(make(TEST))[:0]
    assert stack.combine(np.ones(10)).shape == (0, 11)
    assert np.asarray(stack).shape == (0, 11, 10)


# ------------------------------------------------------------------------------- learning


def signs(rule, seed: int = 0, n_samples: int = 120):
    """Two modalities of one number each, and a label by a rule, with some noise."""
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, n_samples, 1))
    return Modalities(left=left, right=right), rule(left[:, 0], right[:, 0]) > 0


def model(order: int):
    """Products of centred kernels have no additive effects."""
    entries = [(name, [LinearKernel(), RBFKernel()], name) for name in ("left", "right")]
    return make_pipeline(
        ColumnKernelizer(entries, normalize="center"),
        InteractionKernels(order, within_entries=False),
        MKLClassifier(C=10),
    )


def share_of_products(fitted) -> float:
    names, weights = fitted[-1].kernel_names_, fitted[-1].weights_
    return sum(weight for name, weight in zip(names, weights, strict=True) if " * " in name)


def test_multiplicative_structure_is_found() -> None:
    X, y = signs(lambda left, right: left * right)
    assert cross_val_score(model(1), X, y, cv=4).mean() < 0.65
    assert cross_val_score(model(2), X, y, cv=4).mean() > 0.9
    assert share_of_products(model(2).fit(X, y)) > 0.8


def test_additive_structure_stays_additive() -> None:
    X, y = signs(lambda left, right: left + np.sin(2 * right))
    assert share_of_products(model(2).fit(X, y)) < 0.1


def test_grid_search_between_additive_and_multiplicative_fusion() -> None:
    grid = {"interactionkernels__order": [1, 2]}
    for rule, order in ((lambda a, b: a * b, 2), (lambda a, b: a + np.sin(2 * b), 1)):
        X, y = signs(rule)
        search = GridSearchCV(model(1), grid, cv=4).fit(X, y)
        assert search.best_params_["interactionkernels__order"] == order
        again = pickle.loads(pickle.dumps(search))
        np.testing.assert_array_equal(again.predict(X[:20]), search.predict(X[:20]))


def test_precomputed_kernels_in_cross_validation() -> None:
    """Scikit-learn splits rows and columns of an array of kernels."""
    X, y = signs(lambda left, right: left * right)
    kernels = ColumnKernelizer([(name, "linear", name) for name in X.names], normalize=None)
    stack = kernels.fit_transform(X)
    for given in (stack, np.asarray(stack)):
        pipeline = make_pipeline(InteractionKernels(), MKLClassifier())
        assert cross_val_score(pipeline, given, y, cv=4).mean() > 0.9
    gram = interaction_kernels(stack).gram(2)
    assert cross_val_score(SVC(kernel="precomputed"), gram, y, cv=4).mean() > 0.9


# -------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("stack", "order", "error", "message"),
    [
        (dense(TRAIN), 0, ValueError, "order == 0, must be >= 1"),
        (dense(TRAIN), 1.5, TypeError, "order must be an instance of int"),
        (
            interaction_kernels(dense(TRAIN)),
            2,
            ValueError,
            r"stack has the products \['a:lin",
        ),
        ("stack", 2, TypeError, "stack"),
        ([np.eye(3), np.eye(2)], 2, ValueError, r"stack\[1\] has shape \(2, 2\)"),
    ],
    ids=["zero", "float", "twice", "string", "unequal"],
)
def test_refused(stack, order, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        interaction_kernels(stack, order)


def test_the_transformer_refuses_other_training_samples() -> None:
    products = InteractionKernels().fit(dense(TRAIN))
    with pytest.raises(ValueError, match="X has 7 columns .*, but InteractionKernels was fit"):
        products.transform(dense(TRAIN)[:, :7])
    with pytest.raises(ValueError, match="The 'order' parameter of InteractionKernels must be"):
        InteractionKernels(order=0).fit(dense(TRAIN))
