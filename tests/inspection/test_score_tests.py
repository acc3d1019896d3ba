"""Whitening, statistics and null distributions of the tests of information, piece by piece."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import chisquare
from sklearn.metrics.pairwise import rbf_kernel

from mkfusion.inspection import _score_tests as pieces, _whitening as whitening
from oracles import score_tests as oracle


def kernels(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return [oracle.norm(oracle.centre(rbf_kernel(rng.normal(size=(n, 2))))) for _ in range(m)]


def numbers(n, nulls, variances, seed=1):
    """Return numbers of mean 0, drawn from the null model."""
    rng = np.random.default_rng(seed)
    V = sum((s * C for s, C in zip(variances, nulls, strict=True)), np.eye(n))
    y = np.linalg.cholesky(V) @ rng.normal(size=n)
    return y - y.mean()


# ---------------------------------------------------------------------------- whitening


@pytest.mark.parametrize("ratio", [0.0, 1.0, 30.0])
def test_one_null_kernel_has_the_best_ratio_by_the_restricted_likelihood(ratio):
    (C,) = kernels(40, 1)
    y = numbers(40, [C], [ratio], seed=5)
    found = whitening.whiten_numbers(y, [C])
    by_ratio = [oracle.profiled_loglik(y, s * C + np.eye(40)) for s in whitening.RATIOS]
    best = int(np.argmax(by_ratio))
    # R V R is the projection that takes the intercept away.
    V = whitening.RATIOS[best] * C + np.eye(40)
    np.testing.assert_allclose(found.root @ V @ found.root, np.eye(40) - 1 / 40, atol=1e-10)
    # The optimum lies beside the best ratio of the grid.
    beside = whitening.RATIOS[max(best - 1, 0)], whitening.RATIOS[min(best + 1, 30)]
    optimum = minimize_scalar(
        lambda s: -oracle.profiled_loglik(y, s * C + np.eye(40)),
        bounds=(0.0, whitening.RATIOS[-1]),
        method="bounded",
    )
    assert beside[0] - 1e-4 <= optimum.x <= beside[1] + 1e-4


def best_by_search(y, nulls):
    """Return the restricted log-likelihood at its optimum, and the variances there."""
    n, k = len(y), len(nulls)

    def minus(logs):
        s = np.exp(logs)
        V = sum((one * C for one, C in zip(s[:-1], nulls, strict=True)), s[-1] * np.eye(n))
        return -oracle.restricted_loglik(y, V)

    starts = [np.zeros(k + 1), np.r_[np.full(k, -4.0), 0.0], np.r_[np.full(k, 1.0), -1.0]]
    runs = [
        minimize(minus, start, method="L-BFGS-B", bounds=[(-15, 8)] * (k + 1)) for start in starts
    ]
    best = min(runs, key=lambda run: run.fun)
    return -best.fun, np.exp(best.x)


@pytest.mark.parametrize("variances", [(2.0, 0.5), (5.0, 0.0), (1.0, 1.0, 1.0)])
def test_several_null_kernels_reach_the_best_restricted_likelihood(variances, monkeypatch):
    nulls = kernels(50, len(variances))
    y = numbers(50, nulls, variances, seed=3)
    optimum, _ = best_by_search(y, nulls)

    def reached():
        # The covariance in units of the noise; its best scale is known.
        V = whitening._covariance_of_numbers(y, nulls)
        Q = np.linalg.svd(np.ones((1, 50)))[2][1:].T
        quadratic = (Q.T @ y) @ np.linalg.solve(Q.T @ V @ Q, Q.T @ y)
        return oracle.restricted_loglik(y, V * quadratic / 49)

    after = {}
    for steps in (1, 5, 40, 2000):
        monkeypatch.setattr(whitening, "STEPS", steps)
        after[steps] = reached()
    assert after[1] < after[5] < after[40] <= optimum + 1e-6
    assert after[40] == pytest.approx(optimum, abs=0.05)
    assert after[2000] == pytest.approx(optimum, abs=2e-3)


def test_noise_is_kept_where_a_target_is_constant_within_groups():
    groups = np.repeat(np.arange(12), 4)
    y = np.random.default_rng(0).normal(size=12)[groups]
    Z = pieces.group_kernel(groups)
    y = y - y.mean()
    V = whitening._covariance_of_numbers(y, [Z, kernels(48, 1)[0]])
    assert np.isfinite(V).all()
    assert np.linalg.eigvalsh(V)[-1] < 2 * 12 / whitening.LEAST_NOISE


@pytest.mark.parametrize("n_nulls", [0, 1, 3])
def test_numbers_are_whitened_as_the_oracle_does(n_nulls):
    nulls = kernels(40, n_nulls)
    y = numbers(40, nulls, [1.5] * n_nulls)
    found, (u, R) = whitening.whiten_numbers(y, nulls), oracle.whiten_numbers(y, nulls)
    np.testing.assert_allclose(found.root, R, atol=1e-8)
    np.testing.assert_allclose(found.residuals, u, atol=1e-7)
    assert found.residuals @ found.residuals == pytest.approx(39)
    assert found.scores.sum() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("dispersed", [False, True])
@pytest.mark.parametrize("n_nulls, share", [(0, 0.5), (1, 0.5), (2, 0.5), (1, 0.12)])
def test_classes_are_whitened_as_the_oracle_does(n_nulls, share, dispersed):
    nulls = kernels(50, n_nulls)
    latent = numbers(50, nulls, [3.0] * n_nulls, seed=4)
    y = (latent > np.quantile(latent, 1 - share)).astype(float)
    found = whitening.whiten_classes(y, nulls, dispersed=dispersed)
    u, R = oracle.whiten_classes(y, nulls, dispersed)
    np.testing.assert_allclose(found.root, R, atol=1e-7)
    np.testing.assert_allclose(found.residuals, u, atol=1e-6)
    assert found.scores.sum() == pytest.approx(0.0, abs=1e-9)
    # The other class: the same residuals with the other sign
    other = whitening.whiten_classes(1 - y, nulls, dispersed=dispersed)
    np.testing.assert_allclose(other.residuals, -found.residuals, atol=1e-8)


def test_variances_of_classes_are_the_best_of_the_last_linearisation(monkeypatch):
    """The last steps maximise the restricted likelihood of the working response."""
    nulls = kernels(60, 1)
    y = (numbers(60, nulls, [8.0], seed=2) > 0).astype(float)
    seen = []
    add = whitening._add

    def remember(variances, used, diagonal):
        seen.append((list(variances), diagonal))
        return add(variances, used, diagonal)

    monkeypatch.setattr(whitening, "_add", remember)
    monkeypatch.setattr(whitening, "STEPS_OF_THE_LAST", 800)
    found = whitening.whiten_classes(y, nulls, dispersed=True)
    (variance,), diagonal = seen[-1]
    V = variance * nulls[0] + np.diag(diagonal)
    # The working response, from u = R z and what R leaves out: the intercept
    z = np.linalg.lstsq(found.root, found.residuals, rcond=None)[0]

    def loglik(logs):
        W = np.exp(logs[0]) * nulls[0] + np.exp(logs[1]) * np.diag(diagonal)
        one, inverse = np.ones(60), np.linalg.inv(W)
        P = inverse - np.outer(inverse @ one, inverse @ one) / (one @ inverse @ one)
        return (np.linalg.slogdet(W)[1] + np.log(one @ inverse @ one) + z @ P @ z) / 2

    best = minimize(
        loglik, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}
    )
    assert variance == pytest.approx(np.exp(best.x[0]), rel=2e-3)
    assert np.exp(best.x[1]) == pytest.approx(1.0, rel=2e-3)
    np.testing.assert_allclose(
        found.root @ V @ found.root.T @ found.residuals, found.residuals, atol=1e-8
    )


# ---------------------------------------------------------------------------- kernels


def test_kernels_are_centred_scaled_and_sharpened_by_their_formulas():
    rng = np.random.default_rng(0)
    K = rbf_kernel(rng.normal(size=(20, 3)))
    present = rng.uniform(size=20) > 0.3
    np.testing.assert_allclose(pieces.centre(K), oracle.centre(K), atol=1e-12)
    np.testing.assert_allclose(pieces.centre(K, present), oracle.centre(K, present), atol=1e-12)
    assert np.trace(pieces.scaled(pieces.centre(K))) == pytest.approx(19)
    assert not pieces.scaled(pieces.centre(np.full((20, 20), 0.1))).any()
    # The fourth power of an RBF kernel is one of four times its gamma, and of any scale.
    np.testing.assert_allclose(pieces.sharpened(3.0 * K), K**4, atol=1e-12)
    X = rng.normal(size=(20, 2))
    X[3] = 0.0  # a sample that a linear kernel knows nothing of
    linear = pieces.sharpened(X @ X.T)
    np.testing.assert_allclose(linear, oracle.sharp(X @ X.T), atol=1e-12)
    assert np.linalg.eigvalsh(linear)[0] > -1e-10
    groups = np.array([0, 0, 1, 1, 1, 2])
    np.testing.assert_allclose(pieces.group_kernel(groups), oracle.between(groups), atol=1e-12)


# ---------------------------------------------------------------------------- draws


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 2, 2), (1, 3, 2)])
def test_permutations_move_whole_groups_uniformly(sizes):
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    draws = pieces.draw(groups, 10, 3000, np.random.default_rng(1))
    members = [np.flatnonzero(groups == g) for g in range(len(sizes))]
    expected = {}
    for given in permutations(range(len(sizes))):
        rows = np.empty(len(groups), dtype=int)
        for g, taken in enumerate(given):
            for k, i in enumerate(members[g]):
                rows[i] = members[taken][k % len(members[taken])]
        expected[tuple(rows)] = 0
    np.testing.assert_array_equal(draws.rows[0], np.arange(len(groups)))
    for rows in draws.rows[1:]:
        expected[tuple(rows)] += 1  # KeyError: rows that are of no permutation of the groups
    assert chisquare(list(expected.values())).pvalue > 1e-4


def test_signs_are_of_groups_and_fair():
    draws = pieces.draw(np.array([0, 1, 1, 2]), 4000, 5, np.random.default_rng(2))
    assert draws.signs.shape == (4001, 3)
    assert (draws.signs[0] == 1.0).all()
    counts = dict.fromkeys(product((-1.0, 1.0), repeat=3), 0)
    for pattern in draws.signs[1:]:
        counts[tuple(pattern)] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_smallest_rank_is_that_of_loops_with_ties():
    rng = np.random.default_rng(0)
    for seed in range(20):
        statistics = rng.integers(6, size=(3, 40)).astype(float) * 10.0**seed
        statistics[0] += 1e-13 * rng.normal(size=40) * np.abs(statistics[0]).max()
        found = pieces.smallest_rank(list(statistics))
        assert found == pytest.approx(oracle.smallest_rank(statistics))
    assert pieces.smallest_rank([np.zeros(40)]) == 1.0


# ---------------------------------------------------------------------------- statistics


def some(n=12, groups=None, seed=0):
    nulls = kernels(n, 1, seed)
    y = numbers(n, nulls, [1.0], seed)
    new, sharp, within = kernels(n, 3, seed + 1)
    whitened = whitening.whiten_numbers(y, nulls)
    return whitened, pieces.Contrast(nulls[0], new, sharp, within)


@pytest.mark.parametrize("groups", [np.arange(12), np.repeat(np.arange(6), 2), np.arange(12) % 5])
def test_sign_statistic_is_its_definition(groups):
    whitened, contrast = some()
    signs = pieces.draw(groups, 30, 1, np.random.default_rng(0)).signs
    T = pieces.sign_matrix(whitened, contrast.new, groups, groups.max() + 1)
    pair = whitened.residuals, whitened.root
    np.testing.assert_allclose(
        pieces.signed(T, signs), oracle.signed([pair], contrast.new, groups, signs), atol=1e-9
    )


@pytest.mark.parametrize("groups", [np.arange(12), np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4])])
def test_permuted_statistics_are_their_definitions(groups):
    whitened, contrast = some()
    rows = pieces.draw(groups, 1, 30, np.random.default_rng(0)).rows
    pair = whitened.residuals, whitened.root
    found = pieces.permuted_scores([whitened, whitened], contrast.new, rows, [None, contrast.null])
    for k, anchor in enumerate((None, contrast.null)):
        scores, expected = oracle.permuted([pair, pair], contrast.new, rows, anchor)
        np.testing.assert_allclose(found[0][k], scores, atol=1e-9)
        np.testing.assert_allclose(found[1][k], expected, atol=1e-9)


def test_the_expectation_of_permuted_scores_is_that_of_unrelated_residuals():
    whitened, contrast = some()
    rows = pieces.draw(np.arange(12), 1, 3, np.random.default_rng(0)).rows
    expected = pieces.permuted_scores([whitened], contrast.new, rows, [contrast.null])[1][0]
    drawn = np.random.default_rng(1).normal(size=(4000, 12))
    scores = [
        pieces.permuted_scores(
            [whitened._replace(residuals=u)], contrast.new, rows, [contrast.null]
        )
        for u in drawn
    ]
    values = np.array([one[0][0] for one in scores])
    assert (np.abs(values.mean(axis=0) - expected) < 5 * values.std(axis=0) / np.sqrt(4000)).all()


def enumerated_signs(n_groups):
    rest = [s for s in product((1.0, -1.0), repeat=n_groups) if any(one < 0 for one in s)]
    return np.array([(1.0,) * n_groups, *rest])


def test_signs_estimate_what_all_signs_give():
    groups = np.repeat(np.arange(6), 2)
    whitened, contrast = some()
    every = pieces.Draws(enumerated_signs(6), np.arange(12)[np.newaxis])
    exact = contrast.by_signs([whitened], groups, every)
    S = [contrast.new, oracle.centre(contrast.null * contrast.new), contrast.sharp, contrast.within]
    pair = whitened.residuals, whitened.root
    by_loops = [oracle.signed([pair], one, groups, every.signs) for one in S]
    assert exact == pytest.approx(oracle.smallest_rank(np.array(by_loops)))
    # Of one statistic: draws break ties between ranks of several ones, which enumeration has.
    drawn = pieces.draw(groups, 9999, 1, np.random.default_rng(0))
    for one, values in zip(S, by_loops, strict=True):
        exact = oracle.smallest_rank(values[np.newaxis])
        estimate = pieces.sign_pvalue([whitened], [one], groups, drawn)
        assert estimate == pytest.approx(
            exact, abs=5 * np.sqrt(exact * (1 - exact) / 10_000) + 1e-4
        )


@pytest.mark.parametrize("sizes", [(3, 3, 3, 3), (1, 5, 2, 4)])
def test_permutations_estimate_what_all_permutations_give(sizes):
    groups = np.repeat(np.arange(4), sizes)
    whitened, contrast = some()
    members = [np.flatnonzero(groups == g) for g in range(4)]
    rows = np.array(
        [
            [members[given[g]][k % sizes[given[g]]] for g in range(4) for k in range(sizes[g])]
            for given in permutations(range(4))  # the identity first
        ]
    )
    exact = contrast.by_permutations([whitened], pieces.Draws(np.ones((1, 4)), rows))
    pair = whitened.residuals, whitened.root
    moved = [
        (contrast.new, None),
        (contrast.new, contrast.null),
        (contrast.sharp, None),
        (contrast.within, None),
    ]
    by_loops = [np.divide(*oracle.permuted([pair], K, rows, anchor)) for K, anchor in moved]
    assert exact == pytest.approx(oracle.smallest_rank(np.array(by_loops)))
    drawn = pieces.draw(groups, 1, 4999, np.random.default_rng(0)).rows
    for (K, anchor), values in zip(moved, by_loops, strict=True):
        exact = oracle.smallest_rank(values[np.newaxis])
        scores, expected = pieces.permuted_scores([whitened], K, drawn, [anchor])
        estimate = pieces.smallest_rank([scores[0] / expected[0]])
        assert estimate == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 5000) + 1e-3)
