"""Stacks in files: what is kept, how they are written, and what is refused."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from mkfusion import Kernelizer, KernelStack, MKLClassifier, RBFKernel
from mkfusion.stack import _views

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
GRAMS = [X @ X.T, np.exp(-0.5 * ((X[:, None] - X) ** 2).sum(axis=2))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kernels.npy"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_names_and_dtype_are_kept(path, dtype) -> None:
    stack = KernelStack([gram.astype(dtype) for gram in GRAMS], names=["linear", "rbf (γ=½)"])
    stack.save(path)
    found = KernelStack.load(path)
    assert found.names == stack.names
    assert found.dtype == dtype
    np.testing.assert_array_equal(np.asarray(found), np.asarray(stack))
    assert "in memory" in repr(found.materialize())


def test_numpy_opens_it_too(path) -> None:
    KernelStack(GRAMS).save(str(path))
    np.testing.assert_array_equal(np.load(path), GRAMS)
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), GRAMS)


def test_what_is_known_to_be_sound_is_not_tested_again(path, monkeypatch) -> None:
    stack = KernelStack(GRAMS)
    stack.save(path)
    assert not KernelStack.load(path).known_gram.any()
    stack.check_gram()
    stack.save(path)
    monkeypatch.setattr(
        "mkfusion.stack._gram.check_gram_matrix",
        lambda *_: pytest.fail("tested again"),
    )
    KernelStack.load(path).check_gram()
    # Kernels that theory makes sound, and others.
    Kernelizer(["rbf", "sigmoid"]).fit_transform(X).save(path)
    assert KernelStack.load(path).known_gram.tolist() == [True, False]


def test_it_is_read_only(path) -> None:
    KernelStack(GRAMS).save(path)
    with pytest.raises(ValueError, match="read-only"):
        KernelStack.load(path).gram(0)[0, 0] = 1.0


@pytest.mark.parametrize("rows", ["train", "test"])
def test_lazy_stacks_are_written_in_batches_of_rows(path, monkeypatch, rows) -> None:
    kernelizer = Kernelizer(["rbf", "linear", "laplacian"]).fit(X)
    Z = rng.normal(size=(600, 3))
    train = Kernelizer(["rbf", "linear", "laplacian"], normalize="center").fit_transform(Z)
    stack = train if rows == "train" else kernelizer.transform(Z)
    expected = np.asarray(stack)
    monkeypatch.setattr(_views, "BLOCK_BYTES", 8 * stack.shape[1] * 50)
    tracemalloc.start()
    stack.save(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < expected.nbytes / 4
    np.testing.assert_allclose(np.asarray(KernelStack.load(path)), expected, rtol=1e-9, atol=1e-12)


def test_a_file_is_replaced_when_the_new_one_is_complete(path) -> None:
    KernelStack(GRAMS, names=["a", "b"]).save(path)
    old = KernelStack.load(path)
    KernelStack(GRAMS[:1], names=["c"]).save(path)
    assert KernelStack.load(path).names == ["c"]
    np.testing.assert_array_equal(old.gram("b"), GRAMS[1])  # still the one that was opened
    KernelStack.load(path).save(path)  # onto itself
    np.testing.assert_array_equal(KernelStack.load(path).gram("c"), GRAMS[0])


def test_a_failure_leaves_what_was_there(path) -> None:
    KernelStack(GRAMS).save(path)

    def broken(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.full((len(x), len(z)), np.nan)

    with pytest.raises(ValueError, match="broken.*contains nan"):
        Kernelizer(["rbf", broken], normalize=None).fit_transform(X).save(path)
    assert KernelStack.load(path).shape == (40, 40, 2)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with pytest.raises(FileNotFoundError):
        KernelStack(GRAMS).save(path.parent / "no" / "folder.npy")


# ----------------------------------------------------------------------------- what is refused


def written(**changes: object) -> bytes:
    """A file of a stack, its record changed."""
    record = {"format": "mkfusion.KernelStack", "version": 1, "names": ["a", "b"]}
    record = {**record, "sound": [True, True], **changes}
    file = io.BytesIO()
    np.save(file, np.array(GRAMS))
    np.save(file, np.frombuffer(json.dumps(record).encode(), dtype=np.uint8))
    return file.getvalue()


def saved(*arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array)
    return file.getvalue()


def test_the_format_is_what_the_tests_believe(path) -> None:
    path.write_bytes(written())
    assert KernelStack.load(path).names == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a file that KernelStack.save wrote"),
        (b"name,age\nbob,3\n", "is not a file that KernelStack.save wrote"),
        (pickle.dumps(GRAMS), "is not a file that KernelStack.save wrote"),
        (written()[:50], "is not a file that KernelStack.save wrote"),
        (written()[:10_000], "is cut off: it has 10000 bytes; expected more than 25728"),
        (written()[:-10], "no names stand behind its array"),
        (saved(np.array(GRAMS)), r"no names .*KernelStack\(numpy.load\(path, mmap_mode='r'\)\)"),
        (saved(np.eye(3)), r"it holds an array of shape \(3, 3\)"),
        (saved(np.zeros((1, 2, 2), int)), r"it holds an array of .* dtype int64"),
        (saved(np.array(GRAMS), np.arange(3)), "no names stand behind its array"),
        (written(format="other"), "its format is 'other'"),
        (written(version=2), "is a stack of version 2; expected 1. A newer mkfusion wrote it"),
        (written(names=["a"]), "it has 1 names for 2 kernels"),
    ],
)
def test_other_files_are_refused(path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        KernelStack.load(path)


def test_a_pickle_inside_is_never_loaded(path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.array(GRAMS))
        np.save(file, np.array([{"names": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="no names stand behind its array"):
        KernelStack.load(path)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError):
        KernelStack.load("no such file.npy")


# ------------------------------------------------------------------------------- scikit-learn


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validation_on_a_file(path, n_jobs) -> None:
    stack = Kernelizer([RBFKernel(0.1), RBFKernel(1.0)]).fit_transform(X)
    stack.save(path)
    model, kept = MKLClassifier(C=10), KernelStack.load(path)
    found = cross_val_score(model, kept, Y, cv=3, n_jobs=n_jobs)
    np.testing.assert_array_equal(found, cross_val_score(model, stack, Y, cv=3))
    search = GridSearchCV(model, {"C": [1, 10]}, cv=2, n_jobs=n_jobs).fit(kept, Y)
    assert search.best_estimator_.score(kept, Y) > 0.9
