"""Kernel CCA: agreement, new samples, approximation, any kind of sample."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag, eigh
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KernelCenterer, StandardScaler, scale

from mkfusion import RBFKernel
from mkfusion.cca import CCA, KernelCCA, MultisetCCA
from mkfusion.data._modalities import Modalities

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
DIABETES = scale(load_diabetes(scaled=False).data) * np.sqrt(441 / 442)
A, B = DIABETES[:, :3], DIABETES[:, 3:6]
METHODS = [{"method": "exact"}, {"method": "nystroem", "tol": 0.0, "rank": None}]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["method"])
@pytest.mark.parametrize("c", [0.1, 0.5])
def test_as_cca_zoo(c: float, method: dict) -> None:
    correlations, first, second = REFERENCE[f"kcca{c}"]
    ours = KernelCCA(RBFKernel(gamma=0.2), regularisation=c, random_state=0, **method)
    ours.fit(A[:100], B[:100])
    np.testing.assert_allclose(ours.canonical_correlations_, correlations, atol=1e-6)
    scores, others = ours.transform(A[100:105], B[100:105])
    np.testing.assert_allclose(np.abs(scores), first, atol=1e-6)
    np.testing.assert_allclose(np.abs(others), second, atol=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["method"])
def test_dense_eigenproblem(method: dict) -> None:
    """As the docstring states it, centring and new samples written down."""
    c, n = 0.2, 60
    X, Y, new = A[:n], B[:n], B[n : n + 7]
    centre = KernelCenterer().fit(polynomial_kernel(Y, degree=2))
    Kx = KernelCenterer().fit_transform(rbf_kernel(X, gamma=0.3))
    Ky = centre.transform(polynomial_kernel(Y, degree=2))
    between = np.zeros((2 * n, 2 * n))
    between[:n, n:] = Kx @ Ky / (n - 1)
    between[n:, :n] = between[:n, n:].T
    within = block_diag(*[(1 - c) * K @ K / (n - 1) + c * K for K in (Kx, Ky)])
    values, vectors = eigh(between, within + 1e-10 * np.eye(2 * n))
    data = Modalities(x=A, y=B)
    kernels = [
        ("x", RBFKernel(gamma=0.3), "x"),
        ("y", lambda X, Y: polynomial_kernel(X, Y, degree=2), "y"),
    ]
    ours = KernelCCA(kernels, regularisation=c, normalize=None, random_state=0, **method)
    ours.fit(data[:n])
    np.testing.assert_allclose(ours.objective_, values[::-1][:2], atol=1e-6)
    expected = centre.transform(polynomial_kernel(new, Y, degree=2)) @ vectors[n:, ::-1][:, :2]
    scores = ours.transform_modality(new, "y")
    for j in range(2):
        assert abs(np.corrcoef(scores[:, j], expected[:, j])[0, 1]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["method"])
@pytest.mark.parametrize("c", [0.0, 0.1, 1.0])
def test_linear_kernels_are_cca(c: float, method: dict) -> None:
    linear = CCA(regularisation=c, scale=False).fit(A, B)
    ours = KernelCCA("linear", regularisation=c, normalize=None, random_state=0, **method)
    ours.fit(A, B)
    np.testing.assert_allclose(ours.objective_, linear.objective_, atol=1e-9)
    for mine, theirs in zip(ours.transform(A, B), linear.transform(A, B), strict=True):
        signs = np.sign(np.sum(mine * theirs, axis=0))
        np.testing.assert_allclose(mine * signs, theirs, atol=1e-6)


def test_three_linear_kernels_are_maxvar() -> None:
    parts = [("a", slice(0, 3)), ("b", slice(3, 6)), ("c", slice(6, 10))]
    linear = MultisetCCA(regularisation=0.2, scale=False, modalities=parts).fit(DIABETES)
    kernels = [(name, "linear", columns) for name, columns in parts]
    ours = KernelCCA(kernels, regularisation=0.2, normalize=None).fit(DIABETES)
    np.testing.assert_allclose(ours.objective_, linear.objective_)
    np.testing.assert_allclose(ours.canonical_correlations_, linear.canonical_correlations_)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m["method"])
def test_training_samples_get_the_scores_that_were_fitted(method: dict) -> None:
    ours = KernelCCA(regularisation=0.05, random_state=0, **method).fit(A[:80], B[:80])
    scores, others = ours.transform(A[:80], B[:80])
    for one in (scores, others):
        np.testing.assert_allclose(one.mean(axis=0), 0.0, atol=1e-8)
        np.testing.assert_allclose(one.std(axis=0, ddof=1), 1.0)
    np.testing.assert_allclose(ours.correlations(A[:80], B[:80]), ours.canonical_correlations_)
    largest = np.abs(scores).argmax(axis=0)
    assert (scores[largest, [0, 1]] > 0.0).all()
    # A sample's scores do not depend on which others there are.
    np.testing.assert_allclose(ours.transform(A[3:4]), scores[3:4], atol=1e-9)


def test_approximation_comes_near() -> None:
    exact = KernelCCA(method="exact", regularisation=0.1).fit(A, B)
    near = KernelCCA(method="nystroem", regularisation=0.1, tol=1e-4, random_state=0).fit(A, B)
    assert (near.residuals_ <= 1e-4).all()
    assert all(len(support) < 442 for support in near.support_)
    np.testing.assert_allclose(near.objective_, exact.objective_, atol=1e-3)
    few = KernelCCA(method="nystroem", rank=10, random_state=0).fit(A, B)
    assert [len(support) for support in few.support_] == [10, 10]
    assert (few.residuals_ > 0.01).all()
    again = KernelCCA(method="nystroem", rank=10, random_state=0).fit(A, B)
    np.testing.assert_array_equal(few.transform(A), again.transform(A))


def test_auto_is_exact_for_few_samples() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2001, 2))
    few, many = KernelCCA().fit(X[:50], X[:50]), KernelCCA(rank=20, random_state=0).fit(X, X)
    assert len(few.support_[0]) == 50
    assert len(many.support_[0]) == 20


def test_texts_and_numbers() -> None:
    words = {"rain": -2.0, "cloud": -1.0, "sun": 2.0, "warm": 1.0}
    rng = np.random.default_rng(0)
    chosen = [rng.choice(list(words), size=3) for _ in range(60)]
    texts = [" ".join(one) for one in chosen]
    degrees = np.array([[sum(words[w] for w in one)] for one in chosen]) + rng.normal(size=(60, 1))
    data = Modalities(report=texts, degrees=degrees)
    kernels = [
        ("report", make_pipeline(TfidfVectorizer(), "linear"), "report"),
        ("degrees", make_pipeline(StandardScaler(), RBFKernel()), "degrees"),
    ]
    ours = KernelCCA(kernels, 1).fit(data[:40])
    assert ours.score(data[40:]) > 0.6
    assert ours.transform_modality(["sun", "rain"], "report").shape == (2, 1)
    table = pd.DataFrame({"report": texts, "degrees": degrees.ravel()})
    kernels[1] = ("degrees", kernels[1][1], ["degrees"])
    other = KernelCCA(kernels, 1).fit(table[:40])
    np.testing.assert_allclose(other.transform(table[40:]), ours.transform(data[40:]))
    pair = KernelCCA(kernels[0][1], 1).fit(texts, texts)
    np.testing.assert_allclose(pair.canonical_correlations_, 1.0)
    assert pair.transform(texts[:3]).shape == (3, 1)


def test_parameters_by_name() -> None:
    kernels = [("a", RBFKernel(gamma=1.0), slice(3)), ("b", "linear", slice(3, 6))]
    ours = KernelCCA(kernels, 1)
    assert ours.get_params()["a__gamma"] == 1.0
    clone(ours).set_params(a__gamma=5.0)
    assert ours.kernels[0][1].gamma == 1.0
    search = GridSearchCV(ours, {"a__gamma": [1e-3, 0.1], "b": ["linear", RBFKernel()]}, cv=3)
    search.fit(DIABETES[:90])
    assert set(search.best_params_) == {"a__gamma", "b"}
    one = KernelCCA(RBFKernel(gamma=1.0)).set_params(kernels__gamma=2.0)
    assert one.kernels.gamma == 2.0


def test_fit_changes_nothing_and_pickles() -> None:
    kernel = RBFKernel()
    ours = KernelCCA([("a", kernel, slice(3)), ("b", kernel, slice(3, 6))], 1).fit(DIABETES[:50])
    assert not hasattr(kernel, "gamma_")
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.transform(DIABETES), ours.transform(DIABETES))
    assert ours.get_feature_names_out().tolist() == ["a__kernelcca0", "b__kernelcca0"]


def negative(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return -X @ Y.T


def lopsided(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    return X[:, :1] + 2.0 * Y[:, 0]


@pytest.mark.parametrize(
    ("kernels", "params", "message"),
    [
        ([("a", "rbf")], {}, r"kernels\[0\] is .*; expected \(name, kernel, columns\)"),
        ([("a", "rbf", [0])], {}, "kernels has 1 entries; expected one for each of at least two"),
        ([("a", ["rbf", "linear"], [0]), ("b", "rbf", [1])], {}, "kernel of 'a' is a list"),
        ([("a", "rbf", [0]), ("a", "rbf", [1])], {}, "not unique"),
        ([("a", "rbf", [0]), ("b", "rbf", [99])], {}, "asks for column 99"),
        ([("a", "rbf", [0]), ("b", "nonsense", [1])], {}, "nonsense"),
        ([("a", "rbf", [0]), ("b", negative, [1, 2])], {"normalize": None}, "'b': .*semi-definite"),
        ([("a", "rbf", [0]), ("b", lopsided, [1, 2])], {"normalize": None}, "'b': .*not symmetric"),
        ("auto", {}, "requires y to be passed"),
        ("rbf", {"normalize": "center"}, "normalize"),
        ("rbf", {"method": "fast"}, "method"),
        ("rbf", {"rank": 0}, "rank"),
    ],
)
def test_bad_input(kernels: object, params: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        KernelCCA(kernels, **params).fit(DIABETES[:30])


def test_one_modality_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"X has the modality \['a'\]; expected at least two"):
        KernelCCA().fit(Modalities(a=A))
    with pytest.raises(ValueError, match="1 sample"):
        KernelCCA().fit(A[:1], B[:1])
