"""What all kernels of signals have in common."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing, get_tags

from mkfusion import (
    CoherenceKernel,
    ColumnKernelizer,
    CovarianceKernel,
    CrossCorrelationKernel,
    GlobalAlignmentKernel,
    MKLClassifier,
    Modalities,
    PowerSpectrumKernel,
    SoftDTWKernel,
)
from mkfusion.datasets import load_basic_motions
from mkfusion.kernels.signals._signals import Series, _read
from oracles.names import named

rng = np.random.default_rng(0)
EQUAL = rng.normal(size=(14, 3, 24)).cumsum(axis=2)
# Lengths that fill no batch of lanes, and differ within each.
UNEQUAL = [rng.normal(size=(3, length)) for length in rng.integers(16, 33, size=19)]
SINGLE = [signal.astype(np.float32) for signal in UNEQUAL]

KERNELS = [
    GlobalAlignmentKernel(),
    GlobalAlignmentKernel(sigma=3.0, triangular=20),
    SoftDTWKernel(),
    SoftDTWKernel(band=18, project_psd="clip"),
    SoftDTWKernel(smoothing=0.1, gamma=0.01, project_psd="shift"),
    CrossCorrelationKernel(),
    PowerSpectrumKernel(),
    PowerSpectrumKernel(segment=8, kernel="linear"),
    CoherenceKernel(segment=6),
    CoherenceKernel(kernel="linear"),
    CovarianceKernel(),
    CovarianceKernel(shrinkage=0.1, kernel="linear"),
]
each = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel._label())
every_data = pytest.mark.parametrize("X", [EQUAL, UNEQUAL], ids=["equal", "unequal"])


def close(found: Any, wanted: Any, rtol: float = 1e-11) -> None:
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-12)


@each
@every_data
def test_gram_matrix_is_symmetric_and_has_the_diagonal(kernel, X) -> None:
    kernel = clone(kernel).fit(X)
    gram = kernel(X)
    close(gram, gram.T, rtol=1e-14)
    diagonal = kernel.diag(X)
    assert diagonal.dtype == np.float64
    close(diagonal, np.diagonal(gram))


@each
@every_data
def test_positive_semi_definite_where_it_claims_to_be(kernel, X) -> None:
    kernel = clone(kernel).fit(X)
    assert kernel._is_psd() == (kernel._label() != "softdtw")
    if kernel._is_psd():
        gram = kernel(X)
        assert np.linalg.eigvalsh(gram)[0] > -1e-12 * np.trace(gram)
        # Of new samples and training samples together too, but for noise of the latter.
        if not kernel._has_own_noise():
            more = kernel([*X, *(x[:, ::-1] * 1.5 for x in X)])
            assert np.linalg.eigvalsh(more)[0] > -1e-12 * np.trace(more)


@each
@every_data
def test_blocks_of_rows_and_columns(kernel, X) -> None:
    """A stack prepares samples once, and evaluates what it is asked for."""
    kernel = clone(kernel)
    train = kernel._fit_prepare(X)
    test = kernel._prepare(UNEQUAL[3:])
    whole = kernel._evaluate(test, train)
    rows, cols = np.array([5, 0, 11]), np.array([2, 12, 13, 3, 3])
    block = kernel._evaluate(_safe_indexing(test, rows), _safe_indexing(train, cols))
    close(block, whole[np.ix_(rows, cols)])
    gram = kernel._evaluate(train)
    part = _safe_indexing(train, rows)
    close(kernel._evaluate(part), gram[np.ix_(rows, rows)])
    if not kernel._has_own_noise():
        close(kernel._evaluate(part, train), gram[rows])


@each
def test_order_of_samples_does_not_matter(kernel) -> None:
    order = np.random.default_rng(1).permutation(len(UNEQUAL))
    gram = clone(kernel).fit(UNEQUAL)(UNEQUAL)
    shuffled = [UNEQUAL[i] for i in order]
    close(clone(kernel).fit(shuffled)(shuffled), gram[np.ix_(order, order)], rtol=1e-8)


@each
def test_nothing_is_learned_from_new_samples(kernel) -> None:
    kernel = clone(kernel).fit(EQUAL)
    before = {name: value for name, value in vars(kernel).items() if name.endswith("_")}
    gram = kernel(EQUAL)
    together = kernel(UNEQUAL, EQUAL)
    alone = np.vstack([kernel([x], EQUAL) for x in UNEQUAL])
    close(together, alone)
    kernel([100 * x for x in UNEQUAL], EQUAL)
    np.testing.assert_array_equal(kernel(EQUAL), gram)
    for name, value in before.items():
        assert np.all(vars(kernel)[name] == value)


@each
def test_kinds_of_containers(kernel) -> None:
    kernel = clone(kernel).fit(EQUAL)
    gram = kernel(EQUAL)
    objects = np.empty(len(EQUAL), dtype=object)
    objects[:] = list(EQUAL)
    for same in (list(EQUAL), tuple(EQUAL), objects, EQUAL.tolist(), EQUAL.astype(object)):
        np.testing.assert_array_equal(kernel(same), gram)
    whole_numbers = np.round(10 * EQUAL)
    np.testing.assert_array_equal(kernel(whole_numbers.astype(int)), kernel(whole_numbers))


@each
def test_single_precision_stays(kernel) -> None:
    kernel = clone(kernel).fit(SINGLE)
    found = kernel(SINGLE[:5], SINGLE)
    assert found.dtype == kernel(SINGLE).dtype == np.float32
    assert kernel.diag(SINGLE).dtype == np.float64
    double = [x.astype(np.float64) for x in SINGLE]
    assert kernel(SINGLE, double).dtype == np.float64
    expected = clone(kernel).fit(double)(double[:5], double)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@each
def test_clone_pickle_and_label(kernel) -> None:
    fitted = clone(kernel).fit(UNEQUAL)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again(EQUAL, UNEQUAL), fitted(EQUAL, UNEQUAL))
    assert clone(fitted).get_params() == kernel.get_params()
    with pytest.raises(NotFittedError):
        clone(kernel).diag(EQUAL)
    tags = get_tags(kernel).input_tags
    assert tags.three_d_array
    assert not tags.two_d_array


def test_labels() -> None:
    labels = [kernel._label() for kernel in KERNELS[:4]]
    assert labels == [
        "gak",
        "gak(sigma=3.0, triangular=20)",
        "softdtw",
        "softdtw(band=18, project_psd=clip)",
    ]


@pytest.mark.parametrize(
    "kernel",
    [GlobalAlignmentKernel(), SoftDTWKernel(project_psd=True), CrossCorrelationKernel()],
    ids=lambda kernel: kernel._label(),
)
def test_threads_change_nothing(kernel, monkeypatch) -> None:
    # So few pairs of time steps in a task that there are several tasks.
    monkeypatch.setattr("mkfusion.kernels.signals._alignment._CELLS", 10**4)
    monkeypatch.setattr("mkfusion.kernels.signals._cross_correlation._NUMBERS", 10**3)
    alone = clone(kernel).fit(UNEQUAL)
    threads = clone(kernel).set_params(n_jobs=2).fit(UNEQUAL)
    np.testing.assert_array_equal(threads(UNEQUAL), alone(UNEQUAL))
    np.testing.assert_array_equal(threads(EQUAL, UNEQUAL), alone(EQUAL, UNEQUAL))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (EQUAL[0], ValueError, r"X has shape \(3, 24\); expected an array \(n_samples, n_channels"),
        (EQUAL[0], ValueError, r"Signals of one channel are X\[:, np.newaxis\]"),
        (EQUAL[0, 0], ValueError, r"X has shape \(24,\); expected an array"),
        (EQUAL[np.newaxis], ValueError, r"X has shape \(1, 14, 3, 24\)"),
        ([EQUAL[0], EQUAL[1, 0]], ValueError, r"X\[1\] has shape \(24,\)"),
        ([EQUAL[0], EQUAL[1, :2]], ValueError, r"X\[1\] has 2 channels, X\[0\] has 3"),
        ([EQUAL[0], EQUAL[1, :, :0]], ValueError, r"X\[1\] has shape \(3, 0\); expected at least"),
        (EQUAL[:, :0], ValueError, r"X\[0\] has shape \(0, 24\)"),
        (EQUAL[:0], ValueError, "X has no samples"),
        ([], ValueError, "X has no samples"),
        ([EQUAL[0], None], TypeError, r"X\[1\] is None"),
        (csr_array(EQUAL[0]), TypeError, "expected an array"),
        (EQUAL.astype(str), TypeError, "X is an array of dtype <U"),
        (EQUAL.astype(complex), TypeError, "dtype complex128; expected real numbers"),
        ([[["a"]]], TypeError, r"X\[0\] is an array of dtype <U1; expected real numbers"),
        ([[[1.0], [2.0, 3.0]]], ValueError, r"X\[0\] cannot be made into numbers"),
        ([[[1.0, None]]], ValueError, r"X\[0\] is nan in channel 0 at time step 1"),
        ([EQUAL[0], np.full((3, 5), np.inf)], ValueError, r"X\[1\] is inf in channel 0 at time"),
    ],
)
@pytest.mark.parametrize("kernel", [GlobalAlignmentKernel(), CovarianceKernel()], ids=named)
def test_bad_signals_are_refused(kernel, X, error, message) -> None:
    kernel = clone(kernel)
    with pytest.raises(error, match=message):
        kernel.fit(X)
    assert set(vars(kernel)) - {"_fresh"} == set(kernel.get_params()), "something was left"
    kernel.fit(EQUAL)
    with pytest.raises(error, match=message):
        kernel(X, EQUAL)


@each
def test_other_channels_than_in_training_are_refused(kernel) -> None:
    kernel = clone(kernel).fit(EQUAL)
    assert kernel.n_channels_in_ == 3
    with pytest.raises(ValueError, match="X has 2 channels; expected 3 as in fit"):
        kernel(EQUAL[:, :2], EQUAL)


def test_series_keep_what_belongs_to_a_sample() -> None:
    series = _read(UNEQUAL)
    assert series.shape == (19, 3, max(x.shape[1] for x in UNEQUAL))
    series = Series(series.values, series.lengths, series.dtype, np.arange(19.0))
    some = series[[4, 2]]
    assert len(some) == 2
    np.testing.assert_array_equal(some.own, [4.0, 2.0])
    for found, i in zip(some.signals(), [4, 2], strict=True):
        np.testing.assert_array_equal(found, UNEQUAL[i])
    np.testing.assert_array_equal(some.points(), np.hstack([UNEQUAL[4], UNEQUAL[2]]).T)
    close(some.centered().sum(axis=2), 0.0)
    for rows, values in series.by_length():
        for row, signal in zip(rows, values, strict=True):
            np.testing.assert_array_equal(signal, UNEQUAL[row])


@each
def test_in_a_column_kernelizer(kernel) -> None:
    X = Modalities(arm=EQUAL, leg=UNEQUAL[: len(EQUAL)])
    kernelizer = ColumnKernelizer([("arm", kernel, "arm"), ("leg", kernel, "leg")])
    stack = kernelizer.fit_transform(X[:10])
    assert stack.shape == (10, 10, 2)
    dense = np.asarray(stack)
    close(np.asarray(stack[np.ix_([3, 1], [0, 1, 7])]), dense[np.ix_([3, 1], [0, 1, 7])])
    if kernel._label() != "softdtw":
        stack.check_gram()
        for k in range(2):
            assert np.linalg.eigvalsh(dense[:, :, k])[0] > -1e-10
    new = np.asarray(kernelizer.transform(X[10:]))
    own = clone(kernel).fit(EQUAL[:10])
    scale = np.sqrt(np.outer(own.diag(EQUAL[10:]), own.diag(EQUAL[:10])))
    close(new[:, :, 0], own(EQUAL[10:], EQUAL[:10]) / scale)


def test_grid_search_by_name() -> None:
    motions = load_basic_motions()
    train, test = (motions.split == part for part in ("train", "test"))
    kernelizer = ColumnKernelizer(
        [
            ("accel", PowerSpectrumKernel(), "accelerometer"),
            ("gyro", GlobalAlignmentKernel(), "gyroscope"),
        ]
    )
    search = GridSearchCV(
        make_pipeline(kernelizer, MKLClassifier()),
        {
            "columnkernelizer__accel__segment": [10, 20],
            "columnkernelizer__gyro__triangular": [5, 10],
        },
        cv=3,
    )
    search.fit(motions.data[train], motions.target[train])
    assert set(search.best_params_) == {
        "columnkernelizer__accel__segment",
        "columnkernelizer__gyro__triangular",
    }
    assert search.score(motions.data[test], motions.target[test]) > 0.95


@pytest.mark.parametrize(
    "kernel", [GlobalAlignmentKernel(), SoftDTWKernel(), CrossCorrelationKernel()], ids=named
)
@pytest.mark.parametrize("as_list", [False, True])
def test_time_in_the_middle_is_refused(kernel, as_list) -> None:
    """The layout of tslearn, (n, T, 1), is not T channels of one time step."""
    X = np.random.default_rng(0).normal(size=(6, 12, 1))
    with pytest.raises(ValueError, match=r"12 channels and one time step.*transpose\(0, 2, 1\)"):
        kernel.fit(list(X) if as_list else X)
    assert kernel(X.transpose(0, 2, 1)).shape == (6, 6)
