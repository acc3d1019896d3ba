"""A quick look at arrays: what it refuses, and that it agrees with a close one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion import MKLClassifier, MKLClassifierCV, mkl_path
from mkfusion.mkl import _base, _cross_validation, _path
from mkfusion.solvers import Hinge, solve_mkl, solve_path
from mkfusion.solvers._machines import Machines
from mkfusion.solvers._weights import Regulariser
from mkfusion.stack import KernelStack, as_stack
from mkfusion.stack._gram import GRAM_RTOL
from mkfusion.stack._look import few_samples, has_cholesky_factor, near_degenerate, shares

N = 150
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
Y = np.where(X[:, 0] > 0, 1, 0)
GOOD = [rbf_kernel(X, gamma=0.5), X @ X.T]


def look(grams: object) -> None:
    as_stack(grams, None, "X", hasty=True).check_gram("X")


def spoilt(change: Callable[[np.ndarray], None], dtype: type = np.float64) -> list[np.ndarray]:
    bad = GOOD[1].astype(dtype)
    change(bad)
    return [GOOD[0].astype(dtype), bad]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 5, N])
def test_gram_matrices_pass(n: int, dtype: type) -> None:
    grams = [gram[:n, :n].astype(dtype) for gram in GOOD]
    grams += [np.zeros_like(grams[0]), 1e-9 * grams[0], 1e9 * grams[1]]
    look(grams)
    look(np.stack(grams, axis=-1))
    look([gram[::-1, ::-1] for gram in grams])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_that_is_not_finite_is_missed(value: float, dtype: type) -> None:
    for i, j in rng.integers(N, size=(40, 2)).tolist():

        def change(K: np.ndarray, i: int = i, j: int = j) -> None:
            K[i, j] = value

        with pytest.raises(ValueError, match=rf"X\[1\] .* contains {value} at row {i}, column {j}"):
            look(spoilt(change, dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_entry_without_its_mirror_image_is_missed(dtype: type) -> None:
    allowed = GRAM_RTOL[np.dtype(dtype)] * GOOD[1].diagonal().max()
    for i, j in rng.integers(N, size=(40, 2)).tolist():
        if i == j:
            continue

        def change(K: np.ndarray, i: int = i, j: int = j) -> None:
            K[i, j] += 1.5 * allowed

        one, other = min(i, j), max(i, j)
        with pytest.raises(ValueError, match=rf"X\[1\] .* not symmetric: entry \({one}, {other}\)"):
            look(spoilt(change, dtype))


def test_rounding_errors_of_both_triangles_pass() -> None:
    for dtype, rtol in GRAM_RTOL.items():
        noise = 0.45 * rtol * rng.uniform(-1, 1, size=(N, N))
        look([(np.eye(N) + GOOD[0] + noise).astype(dtype)])


def test_other_order_of_samples_is_not_symmetric() -> None:
    with pytest.raises(ValueError, match="not symmetric"):
        look([GOOD[0][rng.permutation(N)]])


def test_an_entry_that_its_diagonal_forbids_is_seen() -> None:
    def change(K: np.ndarray) -> None:
        K[4, 9] = K[9, 4] = 1e3 * K.diagonal().sum()

    with pytest.raises(ValueError, match="positive semi-definite"):
        look(spoilt(change))
    with pytest.raises(ValueError, match="positive semi-definite"):
        look(spoilt(lambda K: K.__setitem__((7, 7), -1.0)))


# ------------------------------------------------------------------- kinds that are indefinite


def warped(series: np.ndarray) -> np.ndarray:
    """Dynamic time warping between all series (n, length)."""
    n, length = series.shape
    cost = np.abs(series[:, None, :, None] - series[None, :, None, :])
    total = np.full((n, n, length + 1, length + 1), np.inf)
    total[:, :, 0, 0] = 0.0
    for a in range(length):
        for b in range(length):
            before = np.minimum(total[:, :, a, b + 1], total[:, :, a + 1, b])
            total[:, :, a + 1, b + 1] = cost[:, :, a, b] + np.minimum(before, total[:, :, a, b])
    return total[:, :, -1, -1]


def indefinite(kind: str, seed: int) -> np.ndarray:
    own = np.random.default_rng(seed)
    Z = own.normal(size=(200, 4))
    if kind == "sigmoid":
        return np.tanh(0.5 * Z @ Z.T + 1.0)
    if kind == "squared city block":
        return np.exp(-0.05 * cdist(Z, Z, "cityblock") ** 2)
    if kind == "time warping":
        return np.exp(-(warped(own.normal(size=(200, 6)).cumsum(axis=1)) ** 2) / 50.0)
    correlations = np.corrcoef(own.normal(size=(200, 20)))
    return np.where(np.abs(correlations) > 0.3, correlations, 0.0)


KINDS = ("sigmoid", "squared city block", "time warping", "thresholded correlation")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_kernels_that_are_indefinite_by_their_nature(kind: str, seed: int) -> None:
    gram = indefinite(kind, seed)
    values = np.linalg.eigvalsh(gram)
    assert values[0] < -1e-4 * values[-1]
    with pytest.raises(ValueError, match=r"X\[1\] \('kernel1'\) is not positive semi-definite"):
        MKLClassifier().fit([np.eye(200), gram], np.arange(200) % 2)


def test_what_the_block_does_not_show_is_left_to_a_closer_look() -> None:
    """One negative direction among a few samples that a look does not happen to choose."""
    gram = np.eye(2000)
    gram[:3, :3] = -0.6 + 1.6 * np.eye(3)
    assert np.linalg.eigvalsh(gram[:3, :3])[0] == pytest.approx(-0.2)
    stack = as_stack([np.eye(2000), gram], None, "X", hasty=True)
    stack.check_gram("X")
    stack.check_gram_closely("X")  # evenly spaced samples: they miss it too
    small = as_stack([np.eye(200), gram[:200, :200]], None, "X", hasty=True)
    small.check_gram("X")
    with pytest.raises(ValueError, match=r"X\[1\] .* smallest eigenvalue is -0.2"):
        small.check_gram_closely("X")
    with pytest.raises(ValueError, match="smallest eigenvalue is -0.2"):
        KernelStack([gram[:200, :200]]).check_gram()


def unseen() -> list[np.ndarray]:
    """Kernels of which the first is indefinite, but between the samples of a look it is not."""
    apart = np.setdiff1d(np.arange(200), few_samples(200))[:8]
    gram = np.eye(200)
    gram[np.ix_(apart, apart)] = -0.6 + 1.6 * np.eye(8)
    return [gram, 1e-3 * np.eye(200)]


@pytest.mark.parametrize("sign", ["a fit that does not converge", "a factorisation that fails"])
def test_what_a_fit_shows_of_its_kernels_is_refused(sign, monkeypatch) -> None:
    def solve(stack, y, *args, **kwargs):
        good = KernelStack([np.eye(200)] * stack.shape[2])  # whatever: what is tested comes later
        result = solve_mkl(good, y, *args, **kwargs)
        if sign == "a factorisation that fails":
            return result._replace(defect=1e-3)
        return result._replace(converged=False)

    grams, y = unseen(), np.arange(200) % 2
    as_stack(grams, None, "X", hasty=True).check_gram("X")
    monkeypatch.setattr(_base, "solve_mkl", solve)
    model = MKLClassifier(p=2)
    with pytest.raises(ValueError, match=r"X\[0\] \('kernel0'\) is not positive semi-definite"):
        model.fit(grams, y)
    assert not hasattr(model, "weights_")


def test_what_folds_and_paths_show_of_kernels_is_refused(monkeypatch) -> None:
    def path(stack, y, settings, **kwargs):
        found = solve_path(KernelStack([np.eye(200)] * stack.shape[2]), y, settings, **kwargs)
        # The second of two results tells, not the first.
        return [result._replace(defect=1e-3 * k) for k, result in enumerate(found)]

    def paths(stack, some, **kwargs):
        kwargs.pop("n_jobs")
        return [path(stack, y, settings, **kwargs) for y, settings in some]

    grams, y = unseen(), np.arange(200) % 2
    monkeypatch.setattr(_path, "solve_path", path)
    monkeypatch.setattr(_cross_validation, "solve_paths", paths)
    with pytest.raises(ValueError, match=r"X\[0\] \('kernel0'\) is not positive semi-definite"):
        mkl_path(grams, y, C=[0.5, 1.0])
    for refit in (True, False):
        model = MKLClassifierCV([0.5, 1.0], cv=2, refit=refit)
        with pytest.raises(ValueError, match=r"X\[0\] .* is not positive semi-definite"):
            model.fit(grams, y)
        assert not hasattr(model, "C_")


def test_the_solver_tells_of_factorisations_that_fail() -> None:
    Z = rng.normal(size=(60, 2))
    y = np.where(np.arange(60) % 2, 1.0, -1.0)[np.newaxis]
    cost = np.full((1, 60), 100.0)
    good = rbf_kernel(Z, gamma=1.0)
    for shift, least, most in ((1e-3, 0.0, 0.0), (-1e-4, 1e-5, np.inf)):
        machines = Machines(
            KernelStack([good + shift * np.eye(60)]), y, cost, Hinge(), Regulariser(1.0, 0.0)
        )
        machines.set_weights(np.ones(1))
        machines._tasks[0].beta[:] = 0.5 * cost[0] * y[0]  # all of them are free
        machines.better_weights(machines.certify(np.ones(1)), 1e-3, renew=True)
        assert least <= machines.defect <= most


# ------------------------------------------------------------------------------- assume_finite


def test_finite_numbers_are_assumed_where_scikit_learn_is_told_so() -> None:
    bad = GOOD[0].copy()
    bad[3, 7] = np.nan
    with pytest.raises(ValueError, match="contains nan"):
        KernelStack([bad])
    with config_context(assume_finite=True):
        assert np.isnan(KernelStack([bad]).gram(0)[3, 7])
        model = MKLClassifier(p=2).fit(GOOD, Y)
        new = [gram[:20].copy() for gram in GOOD]
        expected = model.decision_function(new)
        new[0][3, model.support_[0]] = np.nan
        found = model.decision_function(new)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    np.testing.assert_array_equal(np.delete(found, 3), np.delete(expected, 3))
    with pytest.raises(ValueError, match="contains nan"):
        model.decision_function(new)


def test_kernels_that_are_no_gram_matrices_are_refused_all_the_same() -> None:
    with config_context(assume_finite=True):
        with pytest.raises(ValueError, match="not symmetric"):
            MKLClassifier().fit([GOOD[0][::-1]], Y)
        with pytest.raises(ValueError, match="positive semi-definite"):
            MKLClassifier().fit([GOOD[0] - 0.1], Y)


# ------------------------------------------------------------------------------------- shares


@pytest.mark.parametrize("gram", [*GOOD, np.eye(N)], ids=["rbf", "linear", "identity"])
def test_shares_are_those_of_the_u_centred_kernel(gram: np.ndarray) -> None:
    b, n = 40, 1000
    block = gram[:b, :b]
    off = block - np.diag(np.diagonal(block))
    U = off - off.sum(axis=0) / (b - 2) - off.sum(axis=1)[:, None] / (b - 2)
    U += off.sum() / ((b - 1) * (b - 2))
    np.fill_diagonal(U, 0.0)
    size = np.abs(np.diagonal(block)).mean()
    c = np.trace(block) / b - off.sum() / (b * (b - 1))
    own = c**2 / (c**2 + (n - 1) * (U**2).sum() / (b * (b - 3)))
    lower = np.where(np.tri(b, dtype=bool), block, np.nan)
    np.testing.assert_allclose(shares(lower, n), (c / size, own), rtol=1e-9, atol=1e-12)


def test_shares_of_parts_and_of_computed_kernels_are_the_same() -> None:
    stack = KernelStack(GOOD)
    i = rng.permutation(N)[: N // 3]
    part = stack[np.ix_(i, i)]
    copy = KernelStack([gram[np.ix_(i, i)] for gram in GOOD])
    hasty = as_stack([gram[np.ix_(i, i)] for gram in GOOD], hasty=True)
    hasty.check_gram()
    expected = KernelStack._shares(copy)
    for other in (copy, part, part.select([1, 0]).select([1, 0]), hasty):
        np.testing.assert_allclose(other._shares(), expected, rtol=1e-12)
    np.testing.assert_allclose(hasty.select([1])._shares(), expected[1:], rtol=1e-12)
    assert KernelStack([np.zeros((9, 9))])._shares().tolist() == [[1.0, 0.0]]


def test_folds_are_looked_at_where_the_whole_is_near_degenerate() -> None:
    grams = [*GOOD, GOOD[0] + 2.0 * np.eye(N), 1e5 + GOOD[0]]
    stack = KernelStack(grams)
    whole = KernelStack._shares(stack)
    i = np.sort(rng.permutation(N)[: 4 * N // 5])
    found = stack[np.ix_(i, i)]._shares()
    own = KernelStack._shares(KernelStack([gram[np.ix_(i, i)] for gram in grams]))
    near = np.array([False, False, True, True])
    assert (near_degenerate(whole) == near).all()
    np.testing.assert_allclose(found[near], own[near], rtol=1e-12)
    # The others are those of all samples, as if these were fewer.
    np.testing.assert_allclose(found[~near, 0], whole[~near, 0], rtol=1e-12)
    odds = (1.0 - whole[~near, 1]) / whole[~near, 1] * (len(i) - 1) / (N - 1)
    np.testing.assert_allclose(found[~near, 1], 1.0 / (1.0 + odds), rtol=1e-12)
    # A quick look of other samples tells much the same.
    np.testing.assert_allclose(found, own, rtol=0.5, atol=0.02)


@pytest.mark.parametrize("b", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 96])
def test_a_small_matrix_is_positive_definite_where_all_eigenvalues_are_positive(b: int) -> None:
    own = np.random.default_rng(b)
    Q = np.linalg.qr(own.normal(size=(b, b)))[0]
    for smallest in (1e-3, -1e-3):
        values = own.uniform(0.5, 2.0, size=b)
        values[own.integers(b)] = smallest
        A = (Q * values) @ Q.T
        lower = np.where(np.tri(b, dtype=bool), A, np.nan)
        assert has_cholesky_factor(lower) == (smallest > 0.0)
    assert not has_cholesky_factor(np.full((b, b), np.nan))
