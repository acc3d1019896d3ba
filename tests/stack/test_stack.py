"""The public face of a stack."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.svm import SVC
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from mkfusion import Kernelizer, MKLClassifier, RBFKernel
from mkfusion.stack import ComputedStack, KernelStack, as_stack
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.normal(size=(8, 3))
GRAMS = [X @ X.T, np.exp(-0.5 * ((X[:, None] - X) ** 2).sum(axis=2)), np.eye(8)]
NAMES = ["linear", "rbf", "identity"]


@pytest.fixture
def stack() -> KernelStack:
    return KernelStack(GRAMS, names=NAMES)


@pytest.fixture(params=["dense", "lazy"])
def either(request) -> KernelStack:
    """The first two kernels, in memory or on demand."""
    if request.param == "dense":
        return KernelStack(GRAMS[:2], names=NAMES[:2])
    kernelizer = Kernelizer(
        [("linear", "linear"), ("rbf", RBFKernel(gamma=0.5))], normalize=None
    ).fit(X)
    return ComputedStack(kernelizer.fit_transform(X).views, NAMES[:2])


def test_attributes(stack: KernelStack) -> None:
    assert stack.shape == (8, 8, 3)
    assert stack.ndim == 3
    assert stack.dtype == np.float64
    assert stack.names == NAMES
    assert len(stack) == 8
    assert KernelStack(GRAMS).names == ["kernel0", "kernel1", "kernel2"]
    stack.names.append("changed")
    assert stack.names == NAMES


def test_three_forms_are_the_same() -> None:
    listed, last = KernelStack(GRAMS), KernelStack(np.stack(GRAMS, axis=-1))
    np.testing.assert_array_equal(np.asarray(listed), np.asarray(last))
    assert KernelStack(GRAMS[0]).shape == (8, 8, 1)
    assert KernelStack(GRAMS[0].tolist()).shape == (8, 8, 1)


def test_repr(either: KernelStack) -> None:
    assert repr(either).startswith("KernelStack(shape=(8, 8, 2), dtype=float64, ")
    assert repr(either).endswith("names=['linear', 'rbf'])")
    in_memory = either.materialize()
    assert "in memory" in repr(in_memory)
    assert repr(KernelStack([np.eye(2)] * 10)).endswith("'kernel5', ...])")


def test_array(either: KernelStack) -> None:
    array = np.asarray(either)
    np.testing.assert_allclose(array, np.stack(GRAMS[:2], axis=-1), rtol=1e-12, atol=1e-12)
    assert np.asarray(either, dtype=np.float32).dtype == np.float32
    changed = np.array(either)
    changed[:] = 0
    np.testing.assert_allclose(either.gram(0), GRAMS[0], rtol=1e-12, atol=1e-12)


def test_array_in_memory_is_a_view() -> None:
    stack = KernelStack(np.moveaxis(np.array(GRAMS), 0, -1))
    assert np.shares_memory(np.asarray(stack), stack.gram(0))
    assert np.shares_memory(stack.__array__(copy=False), stack.gram(0))
    assert not np.shares_memory(stack.__array__(copy=True), stack.gram(0))


def test_array_that_must_be_copied(stack: KernelStack) -> None:
    with pytest.raises(ValueError, match="has no array of float32 without a copy"):
        stack.__array__(np.float32, copy=False)
    with pytest.raises(ValueError, match="in memory.* has no array of float64 without a copy"):
        stack.__array__(copy=False)  # of several arrays
    with pytest.raises(ValueError, match="on demand.* has no array of float64 without a copy"):
        Kernelizer(["rbf"]).fit_transform(X).__array__(copy=False)


def test_not_iterable(stack: KernelStack) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(stack)


@pytest.mark.parametrize(
    "key",
    [
        np.ix_([1, 5], [0, 2, 2]),
        np.ix_(np.arange(8) > 3, np.arange(8) < 2),
        np.array([3, 1]),
        np.arange(8) > 3,
        slice(2, 5),
        (slice(2, 5), slice(None, 3)),
        (slice(None), [1, 4]),
        ([1, 4], slice(None)),
        ...,
        (slice(1, 3), ...),
    ],
    ids=named,
)
def test_indexing_is_numpys(either: KernelStack, key) -> None:
    cut = either[key]
    assert isinstance(cut, KernelStack)
    assert cut.names == either.names
    expected = np.stack(GRAMS[:2], axis=-1)[key]
    np.testing.assert_allclose(np.asarray(cut), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("which", "indices"),
    [
        (1, [1]),
        (-1, [2]),
        ("rbf", [1]),
        ([2, 0], [2, 0]),
        (["identity", "linear"], [2, 0]),
        (["rbf", 0], [1, 0]),
        (slice(1, None), [1, 2]),
        (slice(None), [0, 1, 2]),
        (np.array([True, False, True]), [0, 2]),
    ],
    ids=named,
)
def test_select(stack: KernelStack, which, indices: list[int]) -> None:
    chosen = stack.select(which)
    assert chosen.names == [NAMES[k] for k in indices]
    np.testing.assert_array_equal(np.asarray(chosen), np.stack(GRAMS, axis=-1)[:, :, indices])


@pytest.mark.parametrize(
    ("which", "error", "message"),
    [
        ("gyro", ValueError, r"which names unknown kernels \['gyro'\]; this stack has \['linear'"),
        ([0, 0], ValueError, "asks for a kernel twice"),
        (["rbf", 1], ValueError, "asks for a kernel twice"),
        ([], ValueError, "selects no kernel"),
        (slice(3, 3), ValueError, "selects no kernel"),
        ([3], IndexError, "kernel 3 is out of range; there are 3 kernels"),
    ],
)
def test_select_refused(stack: KernelStack, which, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        stack.select(which)


def test_gram(either: KernelStack) -> None:
    np.testing.assert_allclose(either.gram("rbf"), GRAMS[1], rtol=1e-12)
    np.testing.assert_allclose(either.gram(-1), GRAMS[1], rtol=1e-12)
    with pytest.raises(TypeError, match="expected the index or the name of one kernel"):
        either.gram([0, 1])


def test_operations(either: KernelStack) -> None:
    array = np.array(GRAMS[:2])
    beta = rng.normal(size=8)
    np.testing.assert_allclose(either.dot(beta), array @ beta, rtol=1e-12)
    np.testing.assert_allclose(
        either.quadratic(beta), [beta @ gram @ beta for gram in array], rtol=1e-12
    )
    np.testing.assert_allclose(either.diagonal(), np.diagonal(array, axis1=1, axis2=2), rtol=1e-12)
    np.testing.assert_allclose(either.combine([2, 3]), 2 * array[0] + 3 * array[1], rtol=1e-12)
    block = either.combine([2, 3], rows=[1, 2], cols=np.arange(8) < 3)
    np.testing.assert_allclose(block, (2 * array[0] + 3 * array[1])[[1, 2], :3], rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"weights has shape \(2,\); expected \(3,\), one for each kernel"),
        ([1, -0.5, 1], r"weights\[1\] is -0.5 \(kernel 'rbf'\); expected non-negative"),
        ([1, np.nan, 1], "weights contains nan; expected finite"),
        ([1, np.inf, 1], "weights contains inf; expected finite"),
        (["a", "b", "c"], "weights is not a vector of numbers"),
    ],
)
def test_combine_refused(stack: KernelStack, weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stack.combine(weights)


def test_dot_refused(stack: KernelStack) -> None:
    with pytest.raises(ValueError, match=r"beta has shape \(3,\); expected \(8,\)"):
        stack.dot(np.ones(3))


def test_square_is_needed(stack: KernelStack) -> None:
    cut = stack[:3]
    with pytest.raises(ValueError, match=r"quadratic needs square kernels; found shape \(3, 8, 3"):
        cut.quadratic(np.ones(8))
    with pytest.raises(ValueError, match="diagonal needs square kernels"):
        cut.diagonal()


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a", "b"], ValueError, "names has 2 entries; expected one for each of the 3 kernels"),
        (["a", "b", "a"], ValueError, r"names contains \['a'\] more than once"),
        (["a", "b", 3], TypeError, "names contains 3; expected strings"),
        ("abc", TypeError, "names is the string 'abc'"),
    ],
)
def test_names_refused(names, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        KernelStack(GRAMS, names=names)


def test_as_stack_names_the_argument() -> None:
    with pytest.raises(ValueError, match="X is empty"):
        as_stack([], None, "X")


def test_materialize(either: KernelStack) -> None:
    dense = either.materialize()
    assert dense.materialize() is dense
    assert dense.names == either.names
    np.testing.assert_array_equal(np.asarray(dense), np.asarray(either))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies(either: KernelStack, duplicate) -> None:
    again = duplicate(either)
    assert again.names == either.names
    np.testing.assert_array_equal(np.asarray(again), np.asarray(either))
    np.testing.assert_array_equal(again.diagonal(), either.diagonal())


# ------------------------------------------------------------------------ in scikit-learn


def test_scikit_learn_can_index_it(either: KernelStack) -> None:
    assert _num_samples(either) == 8
    assert _safe_indexing(either, [1, 2]).shape == (2, 8, 2)
    train, test = train_test_split(either, test_size=3, random_state=0)
    assert (train.shape, test.shape) == ((5, 8, 2), (3, 8, 2))


class FirstKernelSVC(SVC):
    """A machine on the first kernel of a stack, to see what cross-validation hands out."""

    def __init__(self, C: float = 1.0) -> None:
        super().__init__(kernel="precomputed", C=C)

    def fit(self, X, y, sample_weight=None):
        return super().fit(X.gram(0), y, sample_weight)

    def predict(self, X):
        return super().predict(X.gram(0))


def test_pairwise_splitting(either: KernelStack) -> None:
    y = np.arange(8) % 2
    folds = KFold(2)
    found = GridSearchCV(FirstKernelSVC(), {"C": [0.1, 10]}, cv=folds).fit(either, y)
    expected = GridSearchCV(SVC(kernel="precomputed"), {"C": [0.1, 10]}, cv=folds).fit(GRAMS[0], y)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


# -------------------------------------------------------------------- memory of a soundness


def test_a_checked_stack_is_not_checked_again(stack: KernelStack, monkeypatch) -> None:
    checked = []
    monkeypatch.setattr(
        "mkfusion.stack._gram.check_gram_matrix",
        lambda gram, label, _: checked.append(label),
    )
    stack.check_gram("X")
    assert checked == ["X[0] ('linear')", "X[1] ('rbf')", "X[2] ('identity')"]
    stack.check_gram()
    stack[np.ix_([1, 3], [1, 3])].check_gram()
    stack.select([1]).check_gram()
    assert len(checked) == 3
    # Rows and columns that differ are another matrix.
    stack[np.ix_([1, 3], [3, 1])].check_gram()
    assert len(checked) == 6


def test_kernels_of_theory_are_not_checked(monkeypatch) -> None:
    checked = []
    monkeypatch.setattr(
        "mkfusion.stack._gram.check_gram_matrix",
        lambda gram, label, _: checked.append(label),
    )
    kernelizer = Kernelizer(["rbf", "sigmoid"], normalize=None)
    kernelizer.fit_transform(X).materialize().check_gram()
    assert checked == ["kernels[1] ('sigmoid')"]
    # Between new samples and the training samples nothing is known.
    kernelizer.transform(X).check_gram()
    assert len(checked) == 3


def test_training_kernels_must_be_square(stack: KernelStack) -> None:
    with pytest.raises(ValueError, match=r"X has shape \(3, 8, 3\); expected square training"):
        stack[:3].check_gram("X")


@pytest.mark.parametrize("samples", [np.ones((8, 3)), [np.ones((8, 3)), np.zeros((8, 3))]])
def test_samples_in_place_of_kernels_are_told_the_way(samples) -> None:
    with pytest.raises(ValueError, match="If these are samples, a ColumnKernelizer in front"):
        MKLClassifier().fit(samples, np.arange(8) % 2)
