"""Kernels of explicit features: where they come from, and that they stay features."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import AdditiveChi2Sampler, RBFSampler
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, CosineKernel, Kernelizer, KernelStack, LinearKernel
from mkfusion.kernels.kernelizer._evaluation import KernelView
from oracles.names import named

rng = np.random.default_rng(0)
X = np.abs(rng.normal(size=(30, 4)))
TEST = np.abs(rng.normal(size=(5, 4)))
TEXTS = ["one two", "two three", "three four four", "", "one", "two two one"]


# ------------------------------------------------------------------------------ from_features


@pytest.mark.parametrize("kind", [np.asarray, csr_array, csr_matrix, np.ndarray.tolist])
def test_inner_products(kind) -> None:
    features, others = [X, X[:, :1]], [TEST, TEST[:, :1]]
    stack = KernelStack.from_features([kind(Z) for Z in features], names=["all", "first"])
    assert repr(stack) == (
        "KernelStack(shape=(30, 30, 2), dtype=float64, low-rank, names=['all', 'first'])"
    )
    np.testing.assert_allclose(stack.gram("first"), np.outer(X[:, 0], X[:, 0]))
    np.testing.assert_allclose(stack.diagonal(), [(X**2).sum(axis=1), X[:, 0] ** 2])
    test = KernelStack.from_features([kind(Z) for Z in others], [kind(Z) for Z in features])
    np.testing.assert_allclose(test.gram(0), TEST @ X.T)
    np.testing.assert_allclose(
        test[1:3, :3].dot([1.0, 0.0, 2.0])[0], (TEST @ X.T)[1:3] @ np.eye(30)[:, [0, 2]] @ [1, 2]
    )


def test_gram_matrices_by_construction(monkeypatch) -> None:
    monkeypatch.setattr("mkfusion.stack._gram.check_gram_matrix", lambda *_: pytest.fail("tested"))
    KernelStack.from_features([X]).check_gram()
    with pytest.raises(ValueError, match=r"X has shape \(5, 30, 1\); expected square"):
        KernelStack.from_features([TEST], [X]).check_gram("X")


def test_nothing_of_the_size_of_a_gram_matrix() -> None:
    n = 4000
    Z = [
        rng.normal(size=(n, 3)),
        csr_array(rng.normal(size=(n, 500)) * (rng.random((n, 500)) < 0.002)),
    ]
    stack, beta = KernelStack.from_features(Z), np.zeros(n)
    beta[::7] = 1.0
    part = np.random.default_rng(0).permutation(n)[: n // 2]
    tracemalloc.start()
    stack.dot(beta)
    stack.quadratic(beta)
    stack.diagonal()
    stack.add_dot(beta[np.newaxis], np.zeros((1, 2, n)))
    stack[np.ix_(part, part)].combine([1.0, 1.0], rows=np.arange(10))
    stack.check_gram()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * n * 8 / 50


@pytest.mark.parametrize(
    ("features", "others", "error", "message"),
    [
        (X, None, TypeError, "features is ndarray; expected a list of matrices"),
        ([], None, ValueError, "features is empty"),
        ([X, TEST], None, ValueError, r"features\[1\] has 5 rows, but features\[0\] has 30"),
        ([X, [["a"]]], None, ValueError, r"features\[1\]: .*could not convert"),
        ([X, np.full((30, 1), np.nan)], None, ValueError, r"features\[1\]: .*NaN"),
        ([X[:, 0]], None, ValueError, r"features\[0\]: Expected 2D"),
        ([X], [TEST, TEST], ValueError, "others has 2 entries; expected one for each of the 1"),
        ([X], [TEST[:, :2]], ValueError, r"others\[0\] has 2 features, but features\[0\] has 4"),
        ([X], [csr_array(TEST)], TypeError, r"One of features\[0\] and others\[0\] is sparse"),
    ],
)
def test_refused(features, others, error, message) -> None:
    with pytest.raises(error, match=message):
        KernelStack.from_features(features, others)


def test_one_name_for_each() -> None:
    with pytest.raises(ValueError, match="names has 2 entries; expected one for each of the 1"):
        KernelStack.from_features([X], names=["a", "b"])


# --------------------------------------------------------------------- from linear kernels


@pytest.mark.parametrize("normalize", ["cosine", "trace", "center", None])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fmt", ["dense", "sparse"])
@pytest.mark.parametrize(
    "kernel", [LinearKernel(), CosineKernel(), make_pipeline("passthrough", "linear")], ids=named
)
def test_linear_kernels_stay_features(kernel, normalize, dtype, fmt) -> None:
    Z = X.astype(dtype)
    Z[3] = 0.0
    kernelizer = Kernelizer([kernel], normalize=normalize)
    data = csr_array(Z) if fmt == "sparse" else Z
    stack = kernelizer.fit_transform(data)
    by_features = not (fmt == "sparse" and normalize == "center")
    assert ("low-rank" in repr(stack)) == by_features
    assert stack.dtype == dtype
    # Evaluated in the other way.
    expected = KernelView(kernelizer._fitted[0]).block(None, None)
    tol = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(stack.gram(0), expected, rtol=tol, atol=tol)
    np.testing.assert_allclose(stack.diagonal()[0], np.diag(expected), rtol=tol, atol=tol)
    # A test row that is a training sample.
    np.testing.assert_allclose(
        kernelizer.transform(data[:7]).gram(0), expected[:7], rtol=tol, atol=tol
    )


def test_other_kernels_are_evaluated() -> None:
    stack = Kernelizer(["rbf", "linear"]).fit_transform(X)
    assert "on demand" in repr(stack)
    assert [view.rank for view in stack.views] == [None, 4]
    assert stack.rank is None


def test_random_features() -> None:
    kernels = [
        make_pipeline(RBFSampler(n_components=50, random_state=0), LinearKernel()),
        make_pipeline(AdditiveChi2Sampler(), LinearKernel()),
    ]
    kernelizer = ColumnKernelizer([("a", kernels, [0, 1]), ("b", kernels[0], [2, 3])])
    stack = kernelizer.fit_transform(X)
    assert "low-rank" in repr(stack)
    assert stack.rank == 50 + 6 + 50
    Z = RBFSampler(n_components=50, random_state=0).fit(X[:, :2])
    Z = [
        z / np.linalg.norm(z, axis=1, keepdims=True)
        for z in map(Z.transform, (X[:, :2], TEST[:, :2]))
    ]
    np.testing.assert_allclose(stack.gram(0), Z[0] @ Z[0].T)
    np.testing.assert_allclose(kernelizer.transform(TEST).gram(0), Z[1] @ Z[0].T)


def test_texts_stay_sparse() -> None:
    stack = Kernelizer([make_pipeline(TfidfVectorizer(), LinearKernel())]).fit_transform(TEXTS)
    assert "low-rank" in repr(stack)
    assert stack.rank < 2
    np.testing.assert_allclose(stack.diagonal(), [[1, 1, 1, 0, 1, 1]])


def test_products_that_overflow_are_refused() -> None:
    with (
        pytest.raises(ValueError, match="diagonal that linear returned contains inf"),
        np.errstate(over="ignore"),
    ):
        Kernelizer(["linear"], normalize=None).fit_transform(1e200 * X)
