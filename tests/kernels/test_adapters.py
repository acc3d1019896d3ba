"""Everything that may stand for a kernel."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import RBF, DotProduct, Matern, PairwiseKernel, WhiteKernel
from sklearn.metrics.pairwise import kernel_metrics, linear_kernel, pairwise_kernels, rbf_kernel
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mkfusion import Kernelizer, LinearKernel, RBFKernel
from mkfusion.kernels._kernel import as_kernel, first_step, kernel_label, takes_table
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.uniform(size=(9, 4))
Z = rng.uniform(size=(5, 4))
TEXTS = ["a cat sat", "a dog sat", "the cat ran", "no animal"]
# What `f(X, Y)` on lists may look like
GRAPHS = [{1, 2}, {2, 3}, {1, 2, 3}, set()]


def overlap(left: list[set[int]], right: list[set[int]]) -> np.ndarray:
    return np.array([[len(a & b) for b in right] for a in left])


def gram(spec, x, z=None) -> np.ndarray:
    """Values through a kernelizer, which prepares samples and evaluates blocks."""
    kernelizer = Kernelizer([spec], normalize=None)
    train = kernelizer.fit_transform(x)
    return train.gram(0) if z is None else kernelizer.transform(z).gram(0)


# ---------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", sorted(kernel_metrics()))
def test_names_are_pairwise_kernels(name: str) -> None:
    np.testing.assert_allclose(gram(name, X), pairwise_kernels(X, metric=name), rtol=1e-12)
    np.testing.assert_allclose(gram(name, X, Z), pairwise_kernels(Z, X, metric=name), rtol=1e-12)
    diagonal = Kernelizer([name], normalize=None).fit_transform(X).diagonal()[0]
    np.testing.assert_allclose(diagonal, np.diagonal(pairwise_kernels(X, metric=name)))
    single = gram(name, X.astype(np.float32))
    assert single.dtype == np.float32


@pytest.mark.parametrize("name", sorted(kernel_metrics()))
def test_names_that_promise_a_gram_matrix_keep_it(name: str) -> None:
    kernel = as_kernel(name).fit(X)
    if kernel._is_psd():
        assert np.linalg.eigvalsh(kernel(X))[0] > -1e-10
    assert kernel_label(name) == name


# ------------------------------------------------------------------------------ functions


def test_functions() -> None:
    np.testing.assert_array_equal(gram(rbf_kernel, X, Z), rbf_kernel(Z, X))
    partial = functools.partial(rbf_kernel, gamma=0.5)
    np.testing.assert_array_equal(gram(partial, X), rbf_kernel(X, gamma=0.5))
    assert kernel_label(partial) == "rbf_kernel(gamma=0.5)"
    assert kernel_label(rbf_kernel) == "rbf_kernel"
    assert kernel_label(lambda x, z: None) == "lambda"


def test_functions_of_anything() -> None:
    kernelizer = Kernelizer([overlap])
    expected = np.array([[1, 0.5, 2 / 6**0.5, 0], [0.5, 1, 2 / 6**0.5, 0]])
    found = kernelizer.fit(GRAPHS).transform(GRAPHS[:2]).gram(0)
    np.testing.assert_allclose(found, expected)


def test_functions_of_sparse_samples() -> None:
    def product(x, z):
        return (x @ z.T).toarray()

    np.testing.assert_allclose(gram(product, csr_array(X), csr_array(Z)), Z @ X.T)


def test_functions_with_their_own_diagonal() -> None:
    class Overlap:
        asked = 0

        def __call__(self, left, right):
            return overlap(left, right)

        def diag(self, samples):
            Overlap.asked += 1
            return [len(sample) for sample in samples]

    diagonal = Kernelizer([Overlap()], normalize=None).fit_transform(GRAPHS).diagonal()
    np.testing.assert_array_equal(diagonal, [[2, 2, 3, 0]])
    assert Overlap.asked > 0
    assert kernel_label(Overlap()) == "Overlap"


def test_objects_that_are_fitted() -> None:
    class Scaled:
        def fit(self, X, y=None):
            self.scale = len(X)

        def __call__(self, left, right):
            return overlap(left, right) / self.scale

    kernel = Scaled()
    np.testing.assert_array_equal(gram(kernel, GRAPHS), overlap(GRAPHS, GRAPHS) / 4)
    assert not hasattr(kernel, "scale"), "the user's object was fitted"


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x, z: np.ones(3), ValueError, r"returned shape \(3,\) between 9 and 9 samples"),
        (lambda x, z: np.ones((9, 4)), ValueError, r"lambda returned shape \(9, 4\)"),
        (lambda x, z: np.full((9, 9), "a"), TypeError, "lambda returned an array of dtype <U1"),
        (lambda x, z: np.full((9, 9), np.nan), ValueError, "lambda returned contains nan"),
    ],
)
def test_functions_that_return_something_else(function, error, message: str) -> None:
    with pytest.raises(error, match=message):
        Kernelizer([function], normalize=None).fit_transform(X).gram(0)


# ---------------------------------------------------------------------- Gaussian processes

GAUSSIAN = [
    RBF(0.7),
    Matern(nu=1.5),
    DotProduct() + WhiteKernel(0.3),
    2.0 * RBF(0.5) * DotProduct(),
    PairwiseKernel(metric="laplacian"),
]


@pytest.mark.parametrize("kernel", GAUSSIAN, ids=named)
def test_gaussian_process_kernels(kernel) -> None:
    np.testing.assert_allclose(gram(kernel, X), kernel(X), rtol=1e-12)
    np.testing.assert_allclose(gram(kernel, X, Z), kernel(Z, X), rtol=1e-12)
    stack = Kernelizer([kernel], normalize=None).fit_transform(X)
    np.testing.assert_allclose(stack.diagonal()[0], kernel.diag(X), rtol=1e-12)
    assert stack.names == [str(kernel)]


@pytest.mark.parametrize("rows", [[4, 1], [4, 4, 1], np.arange(9)], ids=named)
@pytest.mark.parametrize("cols", [[1, 4], [4, 4, 1], [8], np.arange(9)], ids=named)
def test_noise_stays_with_its_sample_in_every_block(rows, cols) -> None:
    kernel = RBF(0.7) + WhiteKernel(0.3)
    stack = Kernelizer([kernel], normalize=None).fit_transform(X)
    block = stack[np.ix_(rows, cols)]
    np.testing.assert_allclose(block.gram(0), kernel(X)[np.ix_(rows, cols)], rtol=1e-12)


def test_test_samples_share_no_noise_with_equal_training_samples() -> None:
    kernel = RBF(0.7) + WhiteKernel(0.3)
    np.testing.assert_allclose(gram(kernel, X, X), RBF(0.7)(X), rtol=1e-12)


# ------------------------------------------------------------------------------ pipelines


def test_scaler_in_front() -> None:
    pipeline = make_pipeline(StandardScaler(), "passthrough", RBFKernel(gamma=0.2))
    scaler = StandardScaler().fit(X)
    expected = rbf_kernel(scaler.transform(Z), scaler.transform(X), gamma=0.2)
    np.testing.assert_allclose(gram(pipeline, X, Z), expected, rtol=1e-12)
    assert not hasattr(pipeline[0], "mean_"), "the user's object was fitted"


@pytest.mark.parametrize("last", ["rbf", rbf_kernel, RBF(0.5), RBFKernel(gamma=None)], ids=named)
def test_pipelines_end_in_anything(last) -> None:
    pipeline = make_pipeline(PCA(2), last)
    pca = PCA(2).fit(X)
    expected = gram(last, pca.transform(X), pca.transform(Z))
    np.testing.assert_allclose(gram(pipeline, X, Z), expected, rtol=1e-12)


def test_pipelines_in_pipelines() -> None:
    inner = make_pipeline(PCA(2), "linear")
    pca = PCA(2).fit(2 * X)
    expected = linear_kernel(pca.transform(2 * Z), pca.transform(2 * X))
    outer = Pipeline([("twice", FunctionTransformer(lambda x: 2 * x)), ("kernel", inner)])
    np.testing.assert_allclose(gram(outer, X, Z), expected, rtol=1e-10, atol=1e-14)


def test_texts() -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LinearKernel())
    vectorizer = TfidfVectorizer().fit(TEXTS)
    expected = (vectorizer.transform(["a cat"]) @ vectorizer.transform(TEXTS).T).toarray()
    np.testing.assert_allclose(gram(pipeline, TEXTS, ["a cat"]), expected, rtol=1e-12)
    np.testing.assert_allclose(gram(pipeline, TEXTS)[0], expected_row(vectorizer), rtol=1e-12)


def expected_row(vectorizer: TfidfVectorizer) -> np.ndarray:
    texts = vectorizer.transform(TEXTS)
    return (texts[[0]] @ texts.T).toarray()[0]


def test_frozen_steps_are_not_fitted_again() -> None:
    scaler = StandardScaler().fit(10 * X)
    pipeline = make_pipeline(FrozenEstimator(scaler), "linear")
    expected = linear_kernel(scaler.transform(Z), scaler.transform(X))
    np.testing.assert_allclose(gram(pipeline, X, Z), expected, rtol=1e-12)


def test_y_reaches_the_steps() -> None:
    class Shift(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            self.seen_ = list(y)
            return super().fit(X)

    kernelizer = Kernelizer([make_pipeline(Shift(), "linear")]).fit(X, range(9))
    assert kernelizer.kernels_[0].steps[0].seen_ == list(range(9))


def test_pickle() -> None:
    specs = ["sigmoid", rbf_kernel, RBF(0.5), make_pipeline(StandardScaler(), "rbf")]
    kernelizer = Kernelizer(specs, normalize=None).fit(X)
    again = pickle.loads(pickle.dumps(kernelizer)).transform(Z)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(kernelizer.transform(Z)))


# -------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("gauss", ValueError, r"kernel is the unknown name 'gauss'; expected one of \['additive"),
        (RBFKernel, TypeError, "kernel is the class RBFKernel; expected an instance"),
        (3, TypeError, "kernel is 3; expected a kernel object"),
        (None, TypeError, "kernel is None"),
        (("rbf",), TypeError, r"kernel is \('rbf',\)"),
        (StandardScaler(), TypeError, r"kernel is StandardScaler\(\); expected a kernel object"),
        (make_pipeline(StandardScaler()), TypeError, "a Pipeline that ends in StandardScaler"),
        (make_pipeline(StandardScaler(), "gauss"), ValueError, "the unknown name 'gauss'"),
    ],
    ids=named,
)
def test_refused(spec, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_kernel(spec)


def test_specs_are_not_shared() -> None:
    kernel = RBFKernel()
    Kernelizer([kernel]).fit(X)
    assert not hasattr(kernel, "gamma_")


@pytest.mark.parametrize(
    ("spec", "table"),
    [
        ("rbf", True),
        ("sigmoid", True),
        (RBFKernel(), True),
        (RBF(), True),
        (make_pipeline(StandardScaler(), "rbf"), True),
        (make_pipeline("passthrough", PCA(1), "rbf"), True),
        (rbf_kernel, False),
        (make_pipeline(CountVectorizer(), "linear"), False),
        (make_pipeline(FunctionTransformer(), "linear"), False),
    ],
    ids=named,
)
def test_who_wants_two_dimensions(spec, table: bool) -> None:
    assert takes_table(spec) is table


def test_first_step() -> None:
    scaler = StandardScaler()
    assert first_step(make_pipeline("passthrough", make_pipeline(scaler), "rbf")) is scaler
    assert isinstance(first_step(make_pipeline(None, "rbf")), RBFKernel)
    assert first_step(rbf_kernel) is rbf_kernel


# ------------------------------------------------------- functions that see the samples beside


def about_their_mean(left, right):
    """As pyRiemann's kernel of covariances, whose reference is the mean of its first argument."""
    reference = np.mean(left, axis=0)
    return (left - reference) @ (right - reference).T


@pytest.mark.parametrize(
    "function",
    [
        about_their_mean,
        lambda left, right: about_their_mean(right, left).T,
        lambda left, right: rbf_kernel(left, right, gamma=1.0 / np.var(left)),
        lambda left, right: (
            left @ right.T + (len(left) == len(right)) * np.eye(len(left), len(right))
        ),
        lambda left, right: left @ right.T / np.abs(left @ right.T).max(),
    ],
)
@pytest.mark.parametrize("normalize", ["cosine", None])
def test_entries_that_depend_on_the_batch_are_refused(function, normalize) -> None:
    with pytest.raises(
        ValueError, match=r"expected entry \(i, j\) of f\(X, Y\) to depend on X\[i\]"
    ):
        Kernelizer([function], normalize=normalize).fit(X)


def test_a_reference_that_is_fitted_is_taken() -> None:
    class AboutTheMean:
        def fit(self, X, y=None):
            self.mean = X.mean(axis=0)

        def __call__(self, left, right):
            return (left - self.mean) @ (right - self.mean).T

    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(gram(AboutTheMean(), X, Z), (Z - X.mean(axis=0)) @ centred.T)


@pytest.mark.parametrize("name", sorted(kernel_metrics()))
def test_samples_that_cannot_be_written_to(name):
    """Memory maps, and what pandas gives of its tables."""
    frozen = X.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(gram(name, frozen), gram(name, X))
    assert not frozen.flags.writeable
