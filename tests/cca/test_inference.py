"""Permutation tests and cross-validated correlations."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import parallel_config
from scipy.stats import f
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from mkfusion.cca import (
    CCA,
    KernelCCA,
    MultisetCCA,
    canonical_permutation_test,
    cross_validated_correlations,
)
from mkfusion.data._modalities import Modalities


def one_real(n: int, p: int, q: int, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, Y, z = rng.normal(size=(n, p)), rng.normal(size=(n, q)), rng.normal(size=n)
    X[:, 0] += strength * z
    Y[:, 0] += strength * z
    return X, Y


def orthonormal(X: np.ndarray) -> np.ndarray:
    return np.linalg.qr(X - X.mean(axis=0))[0]


@pytest.mark.parametrize("statistic", ["roy", "wilks"])
def test_as_the_paper_writes_it(statistic: str) -> None:
    """Algorithm 1 of Winkler et al.: canonical variates of all columns, permuted, by refits."""
    X, Y = one_real(20, 4, 3, 1.0, seed=0)
    test = canonical_permutation_test(
        CCA(3), X, Y, n_permutations=30, statistic=statistic, random_state=5
    )
    Qx, Qy = orthonormal(X), orthonormal(Y)
    L, r, Mt = np.linalg.svd(Qx.T @ Qy)  # L has the column without partner as well
    U, V = Qx @ L, Qy @ Mt.T
    seeds = np.random.RandomState(5).randint(2**31 - 1, size=30)
    reached = np.ones(3)
    for i in range(30):
        rows = np.lexsort((np.random.RandomState(seeds[i]).uniform(size=20), np.zeros(20)))
        for k in range(3):
            one = np.linalg.svd(orthonormal(U[:, k:]).T @ orthonormal(V[rows, k:]))[1]
            value = one[0] if statistic == "roy" else -np.log(1.0 - one**2).sum()
            here = r[k] if statistic == "roy" else -np.log(1.0 - r[k:] ** 2).sum()
            assert test.null[i, k] == pytest.approx(value)
            assert test.statistics[k] == pytest.approx(here)
            reached[k] += value >= here - 1e-12
    np.testing.assert_allclose(test.p_values, np.maximum.accumulate(reached / 31.0))


@pytest.mark.parametrize("seed", range(3))
def test_wilks_is_near_its_approximate_distribution(seed: int) -> None:
    """Rao's F approximation, for normal samples, of a single component and of several."""
    n, p, q = 80, 3, 4
    X, Y = one_real(n, p, q, 0.4, seed=seed)
    found = canonical_permutation_test(
        CCA(3), X, Y, n_permutations=1000, statistic="wilks", random_state=0
    )
    expected = []
    for k, value in enumerate(found.statistics):
        a, b = p - k, q - k
        t = np.sqrt((a * a * b * b - 4) / (a * a + b * b - 5)) if a * b > 2 else 1.0
        freedom = t * (n - 1 - (p + q + 1) / 2) - a * b / 2 + 1
        root = np.exp(-value / t)
        expected.append(f.sf((1 - root) / root * freedom / (a * b), a * b, freedom))
    np.testing.assert_allclose(found.p_values, np.maximum.accumulate(expected), atol=0.05)


@pytest.mark.parametrize("params", [{}, {"regularisation": 0.3}])
def test_rejects_as_often_as_it_should(params: dict) -> None:
    p_values = np.array(
        [
            canonical_permutation_test(
                CCA(2, **params),
                *one_real(25, 4, 4, strength, seed),
                n_permutations=39,
                random_state=seed,
            ).p_values
            for strength in (0.0, 3.0)
            for seed in range(60)
        ]
    ).reshape(2, 60, 2)
    share = np.mean(p_values <= 0.1, axis=1)
    assert share[0, 0] < 0.2  # nothing is there
    assert share[1, 0] > 0.9  # one component is,
    assert share[1, 1] < 0.2  # and no second one, which comparing in order would often find
    assert np.mean(p_values[1, :, 1] <= 0.5) > 0.25


def test_p_values_do_not_decrease_and_depend_on_the_seed_only() -> None:
    X, Y = one_real(40, 5, 4, 3.0, seed=1)
    one = canonical_permutation_test(CCA(4), X, Y, n_permutations=50, random_state=3)
    other = canonical_permutation_test(CCA(4), X, Y, n_permutations=50, random_state=3, n_jobs=2)
    np.testing.assert_array_equal(one.null, other.null)
    assert (np.diff(one.p_values) >= 0.0).all()
    assert one.null.shape == (50, 4)
    assert one.p_values[0] == pytest.approx(1.0 / 51.0)
    different = canonical_permutation_test(CCA(4), X, Y, n_permutations=50, random_state=4)
    assert (different.null != one.null).any()


@pytest.mark.filterwarnings("ignore:.*whatever the data")
def test_certain_correlations_prove_nothing() -> None:
    X, Y = one_real(12, 15, 8, 0.0, seed=0)
    for statistic in ("roy", "wilks"):
        test = canonical_permutation_test(
            CCA(2), X, Y, n_permutations=20, statistic=statistic, random_state=0
        )
        np.testing.assert_array_equal(test.p_values, 1.0)


def test_within_groups() -> None:
    """What differs between subjects only is no relation within them."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(8), 6)
    trait = 3.0 * rng.normal(size=(8, 1))[subject]
    X, Y = rng.normal(size=(48, 3)) + trait, rng.normal(size=(48, 3)) + trait
    free = canonical_permutation_test(CCA(1), X, Y, n_permutations=99, random_state=0)
    within = canonical_permutation_test(
        CCA(1), X, Y, n_permutations=99, groups=subject.astype(str), random_state=0
    )
    assert free.p_values[0] == 0.01
    assert within.p_values[0] > 0.1


@pytest.mark.parametrize("statistic", ["roy", "wilks"])
def test_two_sets_of_several_are_a_pair(statistic: str) -> None:
    X, Y = one_real(30, 4, 3, 1.0, seed=2)
    options = {"n_permutations": 20, "statistic": statistic, "random_state": 0}
    pair = canonical_permutation_test(CCA(2), X, Y, **options)
    several = canonical_permutation_test(MultisetCCA(2), Modalities(x=X, y=Y), **options)
    np.testing.assert_allclose(several.null, pair.null)


@pytest.mark.parametrize("method", ["maxvar", "sumcor"])
@pytest.mark.parametrize("statistic", ["roy", "wilks"])
def test_three_modalities(method: str, statistic: str) -> None:
    X, Y = one_real(50, 3, 4, 2.0, seed=3)
    rng = np.random.default_rng(1)
    unrelated = Modalities(a=X, b=Y[rng.permutation(50)], c=rng.normal(size=(50, 3)))
    related = Modalities(a=X, b=Y, c=rng.normal(size=(50, 3)))
    options = {"n_permutations": 50, "statistic": statistic, "random_state": 0}
    found = canonical_permutation_test(MultisetCCA(2, method=method), related, **options)
    not_found = canonical_permutation_test(MultisetCCA(2, method=method), unrelated, **options)
    assert found.p_values[0] < 0.05
    assert found.p_values[1] > 0.05
    assert not_found.p_values[0] > 0.05
    if statistic == "wilks":
        R = np.corrcoef(np.hstack([related[name] for name in "abc"]).T)
        parts = (slice(0, 3), slice(3, 7), slice(7, 10))
        logs = [np.linalg.slogdet(R[part, part])[1] for part in parts]
        assert found.statistics[0] == pytest.approx(sum(logs) - np.linalg.slogdet(R)[1])


def test_kernels() -> None:
    angle = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, size=60)
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    Y = np.stack([np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    linear = canonical_permutation_test(CCA(1), X, Y, n_permutations=40, random_state=0)
    kernel = canonical_permutation_test(
        KernelCCA("rbf", 1), X, Y, n_permutations=40, random_state=0
    )
    assert linear.p_values[0] > 0.1
    assert kernel.p_values[0] < 0.05


def test_the_estimator_is_not_changed() -> None:
    cca = CCA(1)
    X, Y = one_real(20, 3, 3, 1.0, seed=0)
    canonical_permutation_test(cca, X, Y, n_permutations=2, random_state=0)
    cross_validated_correlations(cca, X, Y, cv=2)
    assert not [name for name in vars(cca) if name.endswith("_")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_permutations": 0}, "n_permutations"),
        ({"statistic": "pillai"}, "statistic"),
        ({"groups": np.arange(20)}, "groups has 20 groups of one sample"),
        ({"groups": [0, 1]}, r"groups has shape \(2,\); expected \(20,\)"),
        ({"estimator": CCA(1, regularisation=0.1), "statistic": "wilks"}, 'expected "roy"'),
        ({"estimator": "cca"}, "estimator"),
    ],
)
def test_bad_input(options: dict, message: str) -> None:
    options = {"estimator": CCA(1), **options}
    with pytest.raises(ValueError, match=message):
        canonical_permutation_test(options.pop("estimator"), *one_real(20, 3, 3, 1.0, 0), **options)


# ------------------------------------------------------------------------- cross-validation


def test_correlations_of_noise_are_optimistic() -> None:
    X, Y = one_real(60, 12, 12, 0.0, seed=0)
    found = cross_validated_correlations(CCA(2), X, Y, cv=ShuffleSplit(20, random_state=0))
    assert found.held_out.shape == found.training.shape == (20, 2)
    assert found.training.min() > 0.6
    assert abs(found.held_out.mean()) < 0.2


def test_held_out_correlations_by_hand() -> None:
    X, Y = one_real(40, 3, 3, 1.0, seed=1)
    cca = CCA(2, regularisation=0.1)
    with parallel_config(backend="threading"):
        found = cross_validated_correlations(cca, X, Y, cv=KFold(4), n_jobs=2)
    for i, (train, test) in enumerate(KFold(4).split(X)):
        cca = CCA(2, regularisation=0.1).fit(X[train], Y[train])
        u, v = cca.transform(X[test], Y[test])
        expected = [np.corrcoef(u[:, j], v[:, j])[0, 1] for j in range(2)]
        np.testing.assert_allclose(found.held_out[i], expected)
        np.testing.assert_allclose(found.training[i], cca.canonical_correlations_)


def test_all_analyses_and_kinds_of_samples() -> None:
    X, Y = one_real(40, 3, 3, 2.0, seed=1)
    data = Modalities(x=X, y=Y, z=X + Y)
    groups = np.repeat(np.arange(8), 5)
    for analysis in (MultisetCCA(1), KernelCCA(n_components=1)):
        found = cross_validated_correlations(analysis, data, cv=GroupKFold(4), groups=groups)
        assert found.held_out.shape == (4, 1)
        assert found.held_out.mean() > 0.5
    lists = cross_validated_correlations(CCA(1), X.tolist(), Y.tolist(), cv=4)
    np.testing.assert_array_equal(
        lists.held_out, cross_validated_correlations(CCA(1), X, Y, cv=4).held_out
    )
