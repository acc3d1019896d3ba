"""Nyström approximations: their error, what is read for them, and the bound on the objective."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from mkfusion import (
    ColumnKernelizer,
    Kernelizer,
    KernelStack,
    MKLClassifier,
    MKLRegressor,
    NystroemKernels,
    RBFKernel,
)
from mkfusion.stack._low_rank import pivoted_cholesky

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
TEST = rng.normal(size=(15, 3))
Y = (X[:, 0] + X[:, 1] ** 2 + 0.5 * rng.normal(size=120) > 1).astype(int)
GRAMS = [rbf_kernel(X, gamma=0.05), rbf_kernel(X, gamma=0.5), X @ X.T]


def factor(gram: np.ndarray, tol: float = 0.0, rank: int | None = None, seed: int = 0):
    rank = len(gram) if rank is None else rank
    stack = KernelStack(gram)
    return pivoted_cholesky(stack, tol, rank, np.random.RandomState(seed), "K")


# ------------------------------------------------------------------------------ the algorithm


@pytest.mark.parametrize("gram", GRAMS, ids=["smooth", "rough", "linear"])
@pytest.mark.parametrize("tol", [0.3, 0.03, 1e-6])
def test_the_residual_is_what_it_says(gram, tol) -> None:
    pivots, Z, residual, trace, left = factor(gram, tol)
    difference = gram - Z @ Z.T
    np.testing.assert_allclose(left, np.diagonal(difference), atol=1e-10 * trace)
    assert trace == pytest.approx(np.trace(gram))
    assert residual == pytest.approx(np.trace(difference), abs=1e-10 * trace)
    assert residual <= tol * trace
    # Positive semi-definite, and zero at the pivots: Nyström.
    assert np.linalg.eigvalsh(difference)[0] > -1e-10
    np.testing.assert_allclose(difference[pivots], 0.0, atol=1e-7)
    C, W = gram[:, pivots], gram[np.ix_(pivots, pivots)]
    np.testing.assert_allclose(Z @ Z.T, C @ np.linalg.lstsq(W, C.T, rcond=None)[0], atol=1e-5)
    np.testing.assert_array_equal(np.triu(Z[pivots], 1).round(12), 0.0)
    assert len(set(pivots.tolist())) == len(pivots)


def test_no_more_pivots_than_needed() -> None:
    for tol in (0.3, 0.1, 0.01):
        _, Z, residual, trace, _ = factor(GRAMS[1], tol)
        without_last = residual + np.sum(Z[:, -1] ** 2)
        assert residual <= tol * trace < without_last


def test_a_kernel_of_low_rank_is_found_out() -> None:
    pivots, Z, residual, trace, _ = factor(GRAMS[2])
    assert len(pivots) == 3
    assert residual <= 1e-10 * trace
    np.testing.assert_allclose(Z @ Z.T, GRAMS[2], atol=1e-10)
    twice = np.tile(np.arange(120), 2)
    assert len(factor(rbf_kernel(X, gamma=30.0)[np.ix_(twice, twice)]).pivots) == 120
    assert len(factor(np.zeros((5, 5))).pivots) == 0
    assert len(factor(np.diag([0.0, 2.0, 0.0, 1.0])).pivots) == 2


def test_rank_is_a_limit() -> None:
    for rank in (1, 5, 40):
        assert factor(GRAMS[1], 0.0, rank).Z.shape == (120, rank)


def test_pivots_are_distributed_as_if_drawn_one_by_one() -> None:
    """Against algorithm 2.1 of Chen et al., one pivot at a time."""

    def one_by_one(gram: np.ndarray, rank: int, random: np.random.RandomState) -> float:
        left = gram.copy()
        for _ in range(rank):
            diagonal = np.maximum(np.diag(left), 0.0)
            s = random.choice(len(gram), p=diagonal / diagonal.sum())
            left -= np.outer(left[:, s], left[s]) / left[s, s]
        return float(np.trace(left))

    # A few outliers, a large cluster and a small one.
    Z = np.concatenate([rng.normal(size=(40, 2)), 9 + rng.normal(size=(15, 2)), 99 * np.eye(5, 2)])
    gram, rank, repeats = rbf_kernel(Z, gamma=0.3), 14, 400
    ours = [factor(gram, 0.0, rank, seed).residual for seed in range(repeats)]
    theirs = [one_by_one(gram, rank, np.random.RandomState(seed)) for seed in range(repeats)]
    error = np.hypot(np.std(ours), np.std(theirs)) / np.sqrt(repeats)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * error
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.2)


def test_as_few_columns_as_uniform_sampling_needs_many() -> None:
    # 3 % of the samples are rare; uniform landmarks miss most of them.
    Z = np.concatenate([0.3 * rng.normal(size=(970, 2)), 10 * rng.normal(size=(30, 2))])
    gram = rbf_kernel(Z, gamma=0.5)
    ours = factor(gram, 0.01)
    theirs = []
    for seed in range(5):
        sampler = Nystroem(gamma=0.5, n_components=len(ours.pivots), random_state=seed)
        theirs.append(1 - np.sum(sampler.fit_transform(Z) ** 2) / len(Z))
    assert np.mean(theirs) > 1.4 * ours.residual / ours.trace


@pytest.mark.parametrize(
    ("gram", "message"),
    [
        (np.diag([1.0, -1.0]), r"K is not positive semi-definite: -1 is what is left .* sample 1"),
        (np.eye(3) - 0.9, "K is not positive semi-definite: -.* is what is left"),
        (np.eye(40) + np.triu(np.ones((40, 40)), 1), r"K is not symmetric: entry \(\d+, \d+\)"),
    ],
)
def test_what_is_no_gram_matrix_is_refused(gram, message) -> None:
    with pytest.raises(ValueError, match=message):
        factor(gram)


# ----------------------------------------------------------------------------- the transformer


@pytest.fixture
def kernelizer() -> Kernelizer:
    return Kernelizer([RBFKernel(0.05), RBFKernel(0.5), "linear"], normalize=None)


@pytest.mark.parametrize("tol", [0.2, 0.01])
def test_stacks(kernelizer, tol) -> None:
    stack = kernelizer.fit_transform(X)
    ours = NystroemKernels(tol, random_state=0)
    train = ours.fit_transform(stack)
    assert "low-rank" in repr(train)
    assert train.names == stack.names == ours.kernel_names_
    assert train.shape == stack.shape
    exact, approximate = np.asarray(stack), np.asarray(train)
    traces = np.einsum("iik->k", exact)
    np.testing.assert_allclose(ours.traces_, traces)
    found = np.einsum("iik->k", exact - approximate) / traces
    np.testing.assert_allclose(ours.residuals_, found, atol=1e-12)
    assert (ours.residuals_ <= tol).all()
    assert [len(one) for one in ours.landmarks_] == ours.ranks_.tolist()
    np.testing.assert_allclose(np.asarray(ours.transform(stack)), approximate, atol=1e-8)
    # K[test, L] K[L, L]^-1 K[L, train]
    test = kernelizer.transform(TEST)
    for k, L in enumerate(ours.landmarks_):
        solved = np.linalg.lstsq(exact[np.ix_(L, L)][..., k], exact[L][..., k], rcond=None)[0]
        expected = test.gram(k)[:, L] @ solved
        np.testing.assert_allclose(ours.transform(test).gram(k), expected, atol=1e-6)


def test_only_landmarks_are_read() -> None:
    seen = []

    def counted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        seen.append((len(a), len(b)))
        return rbf_kernel(a, b, gamma=0.05)

    counted.diag = lambda samples: np.ones(len(samples))
    kernelizer = Kernelizer([counted], normalize=None).fit(X)
    ours = NystroemKernels(0.01, random_state=0)
    ours.fit_transform(kernelizer.fit_transform(X))
    rank = int(ours.ranks_[0])
    assert rank < 40
    whole = [pair for pair in seen if 120 in pair]
    assert sum(min(pair) for pair in whole) <= rank + 32  # less than two rounds of proposals
    assert all(max(pair) <= 64 for pair in seen if 120 not in pair)
    seen.clear()
    ours.transform(kernelizer.transform(TEST)).combine([1.0])
    assert seen == [(15, rank)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_stays(dtype) -> None:
    stack = KernelStack([gram.astype(dtype) for gram in GRAMS])
    ours = NystroemKernels(1e-3, random_state=0)
    assert ours.fit_transform(stack).dtype == dtype
    assert ours.transform(stack[:5]).dtype == dtype
    np.testing.assert_allclose(
        np.asarray(ours.transform(stack)), np.asarray(ours.fit_transform(stack)), atol=2e-3
    )


def test_other_inputs() -> None:
    expected = np.asarray(NystroemKernels(random_state=0).fit_transform(KernelStack(GRAMS)))
    for grams in (GRAMS, np.stack(GRAMS, axis=-1)):
        found = NystroemKernels(random_state=0).fit_transform(grams)
        np.testing.assert_array_equal(np.asarray(found), expected)
    ours = NystroemKernels(random_state=0).fit(GRAMS[0])
    assert ours.n_features_in_ == 120
    assert ours.transform(GRAMS[0][:4]).shape == (4, 120, 1)


def test_seeds_and_jobs() -> None:
    def landmarks(**parameters) -> list[list[int]]:
        ours = NystroemKernels(**parameters).fit(GRAMS)
        return [one.tolist() for one in ours.landmarks_]

    assert landmarks(random_state=0) == landmarks(random_state=0, n_jobs=2)
    assert landmarks(random_state=0) != landmarks(random_state=1)
    two = NystroemKernels(random_state=0).fit([GRAMS[0], GRAMS[0]]).landmarks_
    assert two[0].tolist() != two[1].tolist()


def test_a_kernel_of_zeros() -> None:
    ours = NystroemKernels(random_state=0)
    stack = ours.fit_transform([GRAMS[0], np.zeros((120, 120))])
    assert ours.ranks_[1] == ours.residuals_[1] == 0
    np.testing.assert_array_equal(stack.gram(1), 0.0)
    np.testing.assert_array_equal(stack.dot(np.ones(120))[1], 0.0)
    assert ours.transform([GRAMS[0][:3], np.zeros((3, 120))]).gram(1).shape == (3, 120)
    assert MKLClassifier().fit(stack, Y).weights_[1] == 0.0


@pytest.mark.parametrize(
    ("parameters", "data", "message"),
    [
        ({"tol": -0.1}, GRAMS, "'tol' parameter"),
        ({"rank": 0}, GRAMS, "'rank' parameter"),
        ({}, [GRAMS[0][:5]], r"X has shape \(5, 120, 1\); expected square training kernels"),
        ({}, [GRAMS[0], -GRAMS[1]], r"X\[1\] \('kernel1'\) is not positive semi-definite"),
    ],
)
def test_refused(parameters, data, message) -> None:
    ours = NystroemKernels(**parameters)
    with pytest.raises(ValueError, match=message):
        ours.fit(data)
    assert not hasattr(ours, "ranks_")


def test_other_kernels_than_those_of_fit_are_refused() -> None:
    ours = NystroemKernels().fit(KernelStack(GRAMS, names=["a", "b", "c"]))
    with pytest.raises(ValueError, match="X has 2 kernels"):
        ours.transform(GRAMS[:2])
    with pytest.raises(ValueError, match="X has 7 columns .* NystroemKernels was fitted with 120"):
        ours.transform([gram[:, :7] for gram in GRAMS])
    with pytest.raises(ValueError, match="X has the kernels"):
        ours.transform(KernelStack(GRAMS, names=["c", "b", "a"]))


# -------------------------------------------------------------------------------- in machines


@pytest.mark.parametrize("p", [1, 1.5, np.inf])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_bounds_on_the_objective(p, n_classes) -> None:
    y = Y if n_classes == 2 else Y + (X[:, 2] > 0.5)
    stack = KernelStack(GRAMS)
    model = MKLClassifier(C=2.0, p=p, tol=1e-7, max_iter=1000)
    exact = model.fit(stack, y).objective_
    q = {1: np.inf, 1.5: 3.0, np.inf: 1.0}[p]
    for tol in (0.5, 0.1, 0.01):
        ours = NystroemKernels(tol, random_state=0)
        low = ours.fit_transform(stack)
        objective = model.fit(low, y).objective_
        beta = np.zeros((len(model.dual_coef_), 120))
        beta[:, model.support_] = model.dual_coef_
        errors = ours.residuals_ * ours.traces_
        a_priori = 0.5 * np.linalg.norm(errors, ord=q) * np.sum(beta**2)
        forms = [sum(one.quadratic(b) for b in beta) for one in (stack, low)]
        a_posteriori = 0.5 * (np.linalg.norm(forms[0], ord=q) - np.linalg.norm(forms[1], ord=q))
        slack = 1e-6 * objective
        assert exact - slack <= objective <= exact + a_posteriori + slack
        assert a_posteriori <= a_priori + slack


def test_in_a_pipeline() -> None:
    model = make_pipeline(
        ColumnKernelizer([("a", RBFKernel(0.5), [0, 1]), ("b", "rbf", [2])]),
        NystroemKernels(random_state=0),
        MKLClassifier(C=10),
    )
    grid = {"nystroemkernels__tol": [0.5, 0.01], "columnkernelizer__a__gamma": [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=3).fit(X, Y)
    assert search.best_score_ > 0.75
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(TEST), search.predict(TEST))


def test_on_precomputed_kernels() -> None:
    model = make_pipeline(NystroemKernels(1e-9, random_state=0), MKLClassifier(C=10))
    stack = KernelStack(GRAMS)
    found = cross_val_score(model, stack, Y, cv=3)
    np.testing.assert_array_equal(found, cross_val_score(MKLClassifier(C=10), stack, Y, cv=3))


@pytest.mark.parametrize("tol", [0.3, 0.01])
@pytest.mark.parametrize(
    "model",
    [
        MKLClassifier(C=3.0, tol=1e-6),
        MKLClassifier(C=3.0, p=2.0, tol=1e-6),
        MKLClassifier(C=3.0, p=np.inf, tol=1e-6),
        MKLClassifier(C=3.0, p=1.5, lam=2.0, tol=1e-6),
        MKLClassifier(C=3.0, p=2.0, per_class_weights=True, tol=1e-6),
        MKLRegressor(C=3.0, tol=1e-6),
        MKLRegressor(C=3.0, p=2.0, loss="squared_error", tol=1e-6),
    ],
    ids=lambda model: repr(model)[3:40],
)
def test_bound_of_the_objective(model, tol) -> None:
    y = X[:, 0] ** 2 if isinstance(model, MKLRegressor) else Y
    if model.get_params().get("per_class_weights"):
        y = np.where(X[:, 2] > 0.5, 2, Y)
    ours = NystroemKernels(tol, random_state=0)
    approximate = clone(model).fit(ours.fit_transform(GRAMS), y)
    exact = clone(model).fit(GRAMS, y)
    excess = approximate.objective_ - exact.objective_
    assert excess >= -1e-6 * exact.objective_
    loose, tight = ours.objective_bound(approximate), ours.objective_bound(approximate, GRAMS)
    assert excess <= tight <= loose
    if tol == 0.01:
        assert tight < 0.05 * exact.objective_


def test_bound_of_another_model() -> None:
    ours = NystroemKernels(random_state=0).fit(GRAMS)
    with pytest.raises(TypeError, match="expected a fitted MKLClassifier"):
        ours.objective_bound(MKLClassifier())
    few = MKLClassifier().fit([gram[:60, :60] for gram in GRAMS], Y[:60])
    with pytest.raises(ValueError, match="60 training samples and 3 kernels; expected the 120"):
        ours.objective_bound(few)


def test_many_samples_are_factorised_by_pieces(monkeypatch) -> None:
    whole = factor(GRAMS[1], 1e-3)
    monkeypatch.setattr("mkfusion.stack._views.BLOCK_BYTES", 8 * 16 * 7)
    pieces = factor(GRAMS[1], 1e-3)
    np.testing.assert_array_equal(pieces.pivots, whole.pivots)
    np.testing.assert_allclose(pieces.Z, whole.Z, atol=1e-12)
