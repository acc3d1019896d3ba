"""Kernels of distances, against closed forms for Euclidean ones and the definitions for others."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn.base import clone
from sklearn.decomposition import KernelPCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mkfusion import (
    ColumnKernelizer,
    DistanceKernel,
    Kernelizer,
    MKLClassifier,
    Modalities,
    PrecomputedKernel,
    RBFKernel,
    compare_fusion,
)
from mkfusion.testing import check_kernel

rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(14, 20))  # more than samples: new ones lie outside of all training ones
EUCLIDEAN = squareform(pdist(FEATURES))
COUNTS = rng.poisson(rng.gamma(0.5, 6.0, size=(14, 9)))
COUNTS[:, 0] += 1
BRAY_CURTIS = squareform(pdist(COUNTS, "braycurtis"))
CITY_BLOCK = squareform(pdist(rng.normal(size=(14, 3)), "cityblock"))
NAMES = [f"s{i}" for i in rng.permutation(14)]
TRAIN, TEST = np.arange(9)[::-1], np.array([11, 3, 9, 13, 3])


class DistanceMatrix:
    """As far as it matters, scikit-bio's: ids, and data that newer versions may have condensed."""

    def __init__(self, data: np.ndarray, ids: list[str]) -> None:
        self.data, self.ids = data, tuple(ids)

    def index(self, name: str) -> int:
        return self.ids.index(name)


def gower(distances: np.ndarray) -> np.ndarray:
    J = np.eye(len(distances)) - 1 / len(distances)
    return -0.5 * J @ distances**2 @ J


# --------------------------------------------------------------------------------- values


@pytest.mark.parametrize("project_psd", [False, "clip", "shift"])
def test_euclidean_distances_give_the_kernels_of_the_features(project_psd) -> None:
    centred = FEATURES - FEATURES[TRAIN].mean(axis=0)
    inner = DistanceKernel(EUCLIDEAN, method="centered", project_psd=project_psd).fit(TRAIN)
    gaussian = DistanceKernel(EUCLIDEAN, project_psd=project_psd).fit(TRAIN)
    gamma = RBFKernel().fit(FEATURES[TRAIN]).gamma_
    assert gaussian.gamma_ == pytest.approx(gamma, rel=1e-12)
    for kernel, expected in (
        (inner, centred @ centred.T),
        (gaussian, rbf_kernel(FEATURES, gamma=gamma)),
    ):
        for rows, cols in ((TRAIN, TRAIN), (TEST, TRAIN), (TRAIN, TEST), (TEST, TEST)):
            np.testing.assert_allclose(
                kernel(rows, cols), expected[np.ix_(rows, cols)], atol=1e-12 * expected.max()
            )
        np.testing.assert_allclose(kernel.diag(TEST), np.diagonal(expected)[TEST])
        if project_psd:
            assert kernel.negative_share_ == 0.0
            assert kernel.shift_ < 1e-12


def raw(method: str) -> np.ndarray:
    """Return the kernel between all samples as it is before it is projected."""
    if method == "gaussian":
        pairs = squareform(CITY_BLOCK[np.ix_(TRAIN, TRAIN)])
        return np.exp(-(CITY_BLOCK**2) / np.median(pairs**2))
    squares = CITY_BLOCK**2
    H = np.eye(14)
    H[:, TRAIN] -= 1 / len(TRAIN)  # the origin is the mean of the training samples
    return -0.5 * H @ squares @ H.T


@pytest.mark.parametrize("method", ["gaussian", "centered"])
def test_negative_eigenvalues(method) -> None:
    K = raw(method)
    train, mixed = K[np.ix_(TRAIN, TRAIN)], K[np.ix_(TEST, TRAIN)]
    if method == "centered":
        np.testing.assert_allclose(train, gower(CITY_BLOCK[np.ix_(TRAIN, TRAIN)]), atol=1e-14)
    values, vectors = np.linalg.eigh(train)
    kernel = DistanceKernel(CITY_BLOCK, method=method)
    plain = clone(kernel).set_params(project_psd=False).fit(TRAIN)
    np.testing.assert_allclose(plain(np.arange(14)), K, atol=1e-14)
    assert not plain.is_psd()
    assert not hasattr(plain, "negative_share_")

    clipped = clone(kernel).fit(TRAIN)
    shifted = clone(kernel).set_params(project_psd="shift").fit(TRAIN)
    negative = -np.minimum(values, 0.0).sum() / np.abs(values).sum()
    for fitted in (clipped, shifted):
        assert fitted.negative_share_ == pytest.approx(negative, abs=1e-14)
        assert fitted.is_psd()
    assert values[0] < -1e-3
    positive = values > 1e-12
    space = vectors[:, positive] @ vectors[:, positive].T
    np.testing.assert_allclose(clipped(TRAIN), space @ train @ space, atol=1e-12)
    np.testing.assert_allclose(clipped(TEST, TRAIN), mixed @ space, atol=1e-12)
    assert np.linalg.eigvalsh(clipped(TRAIN))[0] > -1e-12
    assert shifted.shift_ == pytest.approx(-values[0])
    np.testing.assert_allclose(shifted(TRAIN), train + shifted.shift_ * np.eye(9), atol=1e-14)
    np.testing.assert_allclose(shifted(TEST, TRAIN), mixed, atol=1e-14)


@pytest.mark.parametrize("method", ["gaussian", "centered"])
def test_a_training_sample_that_comes_again_has_the_row_that_it_had(method) -> None:
    kernel = DistanceKernel(CITY_BLOCK, method=method).fit(TRAIN)
    expected = kernel(TRAIN)
    for i, sample in enumerate(TRAIN):
        np.testing.assert_allclose(kernel([sample], TRAIN)[0], expected[i], atol=1e-13)
    # The whole of a pipeline: what is normalised and centred once more
    for normalize in ("cosine", "trace", "center"):
        kernels = ColumnKernelizer([("gut", kernel, "id")], normalize=normalize)
        found = kernels.fit_transform(Modalities(id=TRAIN)).gram(0)
        again = kernels.transform(Modalities(id=TRAIN)).gram(0)
        np.testing.assert_allclose(again, found, atol=1e-12)


def test_principal_coordinates() -> None:
    ids = np.arange(14)
    K = DistanceKernel(BRAY_CURTIS, method="centered").fit(ids)(ids)
    values, vectors = np.linalg.eigh(gower(BRAY_CURTIS))
    expected = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1][:, :3]
    found = KernelPCA(3, kernel="precomputed").fit_transform(K)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-10)


def test_the_shift_is_the_correction_of_lingoes() -> None:
    kernel = DistanceKernel(BRAY_CURTIS, method="centered", project_psd="shift")
    K = kernel.fit(np.arange(14))(np.arange(14))
    corrected = np.sqrt(BRAY_CURTIS**2 + 2 * kernel.shift_ * (1 - np.eye(14)))
    squares = np.diagonal(K)[:, np.newaxis] + np.diagonal(K) - 2 * K
    np.testing.assert_allclose(np.sqrt(np.maximum(squares, 0.0)), corrected, atol=1e-7)
    assert np.linalg.eigvalsh(gower(corrected))[0] > -1e-12


def test_roots_of_bray_curtis_are_euclidean() -> None:
    kernel = DistanceKernel(np.sqrt(BRAY_CURTIS), method="centered").fit(TRAIN)
    assert kernel.negative_share_ == 0.0


def test_a_large_share_of_negative_eigenvalues_is_warned_of() -> None:
    cycle = np.arange(12)
    steps = np.minimum((cycle[:, np.newaxis] - cycle) % 12, (cycle - cycle[:, np.newaxis]) % 12)
    values = np.linalg.eigvalsh(gower(steps.astype(float)))
    share = -values[values < 0].sum() / np.abs(values).sum()
    kernel = DistanceKernel(steps, method="centered", name="ring")
    assert share > 0.2
    for project_psd in ("clip", "shift"):
        with pytest.warns(UserWarning, match=rf"{share:.0%} of the kernel 'ring'.*numpy.sqrt"):
            kernel.set_params(project_psd=project_psd).fit(cycle)
    kernel.set_params(project_psd=False).fit(cycle)


def test_gamma() -> None:
    assert DistanceKernel(EUCLIDEAN, gamma=0.3).fit(TRAIN).gamma_ == 0.3
    # Most samples are equal: the median of what is not 0
    same = np.zeros((6, 6))
    same[5, :5] = same[:5, 5] = 2.0
    assert DistanceKernel(same).fit(range(6)).gamma_ == 0.25
    assert DistanceKernel(np.zeros((3, 3))).fit(range(3)).gamma_ == 1.0
    many = np.abs(np.subtract.outer(np.arange(1200.0), np.arange(1200.0)))
    kernel = DistanceKernel(many, project_psd=False)
    gammas = [clone(kernel).fit(order).gamma_ for order in (np.arange(1200), np.arange(1200)[::-1])]
    assert gammas[0] == gammas[1]
    assert gammas[0] == pytest.approx(1 / np.median(pdist(np.arange(1200.0)[:, None]) ** 2), 0.05)


# ------------------------------------------------------------------------- forms of matrices


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16])
def test_other_numbers(dtype) -> None:
    apart = (1 - np.eye(14)).astype(dtype)
    found = DistanceKernel(apart, gamma=1.0).fit(TRAIN)(TEST, TRAIN)
    expected = np.where(np.equal.outer(TEST, TRAIN), 1.0, np.exp(-1.0))
    np.testing.assert_allclose(found, expected)


def test_forms_of_distances(tmp_path) -> None:
    np.save(tmp_path / "d.npy", BRAY_CURTIS)
    mapped = np.load(tmp_path / "d.npy", mmap_mode="r")
    expected = DistanceKernel(BRAY_CURTIS).fit(TRAIN)(TEST, TRAIN)
    train, test = [NAMES[i] for i in TRAIN], [NAMES[i] for i in TEST]
    for kernel in (
        DistanceKernel(BRAY_CURTIS, NAMES),
        DistanceKernel(mapped, np.array(NAMES)),
        DistanceKernel(pd.DataFrame(BRAY_CURTIS, index=NAMES, columns=NAMES)),
        DistanceKernel(DistanceMatrix(BRAY_CURTIS, NAMES)),
        DistanceKernel(DistanceMatrix(squareform(BRAY_CURTIS), NAMES)),
    ):
        copy = clone(kernel).fit(train)
        assert copy.distances is kernel.distances
        assert copy.ids_ == NAMES
        np.testing.assert_array_equal(copy(test, train), expected)
        again = pickle.loads(pickle.dumps(copy))
        np.testing.assert_array_equal(again(test, train), expected)
    similarities = DistanceMatrix(1 - BRAY_CURTIS, NAMES)
    found = PrecomputedKernel(similarities).fit(train)(test, train)
    np.testing.assert_array_equal(found, 1 - BRAY_CURTIS[np.ix_(TEST, TRAIN)])


@pytest.mark.parametrize("method", ["gaussian", "centered"])
def test_single_precision(method) -> None:
    single = DistanceKernel(BRAY_CURTIS.astype(np.float32), method=method).fit(TRAIN)
    expected = DistanceKernel(BRAY_CURTIS, method=method).fit(TRAIN)
    for rows in (TRAIN, TEST):
        found = single(rows, TRAIN)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected(rows, TRAIN), atol=1e-5)


@pytest.mark.parametrize("method", ["gaussian", "centered"])
@pytest.mark.parametrize("project_psd", ["clip", False])
def test_it_keeps_what_is_said_of_kernels(method, project_psd) -> None:
    kernel = DistanceKernel(BRAY_CURTIS, NAMES, method=method, project_psd=project_psd)
    check_kernel(kernel, NAMES)


def changed(i: int, j: int, value: float) -> np.ndarray:
    copy = BRAY_CURTIS.copy()
    copy[i, j] = copy[j, i] = value
    return copy


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (DistanceKernel(changed(2, 2, 0.5)), "0.5 between 2 and itself; expected 0"),
        (DistanceKernel(1 - BRAY_CURTIS), "1 between 0 and itself; .* PrecomputedKernel"),
        (DistanceKernel(np.eye(14, dtype=bool)), "1 between 0 and itself"),
        (DistanceKernel(changed(2, 3, -0.5)), "-0.5 between 2 and 3; expected non-negative"),
        (DistanceKernel(changed(2, 3, np.nan)), "distances has nan between 2 and 3"),
        (DistanceKernel(np.triu(BRAY_CURTIS)), "distances has .* and 0 between .* symmetric"),
        (DistanceKernel(BRAY_CURTIS[:3]), r"distances has shape \(3, 14\)"),
        (DistanceKernel(BRAY_CURTIS, method="gower"), 'method is .*"gaussian" or "centered"'),
        (DistanceKernel(BRAY_CURTIS, gamma="scale"), 'a positive number or "median"'),
        (DistanceKernel(BRAY_CURTIS, gamma=0.0), "gamma is 0.0; expected a positive number"),
        (DistanceKernel(BRAY_CURTIS, project_psd="flip"), "project_psd is 'flip'"),
        (DistanceKernel(BRAY_CURTIS, NAMES[:2]), "ids has length 2; expected 14"),
        (
            DistanceKernel(DistanceMatrix(BRAY_CURTIS, NAMES), NAMES),
            "distances is a DistanceMatrix: expected ids that it has itself",
        ),
        (DistanceKernel(DistanceMatrix(BRAY_CURTIS, ["a"] * 14)), "'a' more than once"),
    ],
)
def test_refused(kernel, message) -> None:
    with pytest.raises(ValueError, match=message):
        kernel.fit(TRAIN)
    assert set(vars(kernel)) == set(kernel.get_params()), "a failed fit left something"


def test_ids_that_it_has_not() -> None:
    kernel = DistanceKernel(BRAY_CURTIS, NAMES).fit(NAMES[:5])
    with pytest.raises(ValueError, match="X has ids that distances has not: 'zoe'; distances has"):
        kernel(["zoe"], NAMES[:5])


# ----------------------------------------------------------------- in scikit-learn's hands


def test_folds_of_a_search_see_their_own_training_samples() -> None:
    y = np.arange(14) % 2
    by_id = ColumnKernelizer([("gut", DistanceKernel(EUCLIDEAN, NAMES, method="centered"), 0)])
    by_id.set_params(normalize=None)
    from_features = ColumnKernelizer([("gut", "linear", slice(None))], normalize="center")
    found, expected = (
        cross_val_predict(make_pipeline(kernels, MKLClassifier(tol=1e-9)), X, y, cv=3, method=how)
        for kernels, X, how in (
            (by_id, np.array(NAMES, dtype=object)[:, np.newaxis], "decision_function"),
            (from_features, FEATURES, "decision_function"),
        )
    )
    scale = np.abs(expected).max()
    assert scale > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3 * scale)


def test_a_search_over_its_parameters() -> None:
    y = np.arange(14) % 2
    kernels = ColumnKernelizer([("gut", DistanceKernel(BRAY_CURTIS), "id")])
    grid = {
        "columnkernelizer__gut__method": ["gaussian", "centered"],
        "columnkernelizer__gut__project_psd": ["clip", "shift"],
    }
    model = make_pipeline(kernels, MKLClassifier())
    search = GridSearchCV(model, grid, cv=2, error_score="raise")
    search.fit(Modalities(id=np.arange(14)), y)
    assert len(search.cv_results_["params"]) == 4
    # As one kernel machine calls it, too
    column = np.arange(14.0)[:, np.newaxis]
    assert SVC(kernel=DistanceKernel(BRAY_CURTIS)).fit(column, y).score(column, y) > 0.5


def test_a_comparison() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(36) % 2
    counts = rng.poisson(5.0 + 10.0 * y[:, np.newaxis] * (np.arange(6) < 3))
    ids = [f"mouse {i}" for i in range(36)]
    gut = DistanceMatrix(squareform(pdist(counts, "braycurtis")), ids)
    order = rng.permutation(36)
    X = Modalities(gut=[ids[i] for i in order], age=rng.normal(size=(36, 2)))
    found = compare_fusion(
        X, y[order], kernels={"gut": DistanceKernel(gut)}, fast=True, cv=3, methods=["uniform"]
    )
    assert found.scores("gut alone").mean() > 0.9
    assert found.scores("age alone").mean() < 0.8


def test_a_stack_of_two_matrices() -> None:
    kernels = [
        DistanceKernel(BRAY_CURTIS, name="bray"),
        DistanceKernel(EUCLIDEAN, method="centered", name="euclid"),
    ]
    stack = Kernelizer(kernels, normalize=None).fit_transform(list(TRAIN))
    assert stack.names == ["bray", "euclid"]
    for k, kernel in enumerate(kernels):
        whole = clone(kernel).fit(TRAIN)(TRAIN)
        np.testing.assert_allclose(stack[2:5, ::2].gram(k), whole[2:5, ::2], atol=1e-13)
