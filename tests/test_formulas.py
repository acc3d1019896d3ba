"""docs/formulas.md: what it says to type solves the formula beside it, as other solvers do."""

import cvxpy as cp
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.linalg import eigh
from sklearn.svm import SVC

from mkfusion import (
    CCA,
    ColumnKernelizer,
    InteractionKernels,
    InteractionRegressor,
    KernelCCA,
    Kernelizer,
    KernelStack,
    LinearKernel,
    MKLClassifier,
    MKLRegressor,
)
from mkfusion.inspection import emap

N = 24


@pytest.fixture(scope="module")
def factors():
    """L_k with K_k = L_k L_k', of three modalities that all say something."""
    rng = np.random.default_rng(7)
    return [rng.normal(size=(N, width)) * scale for width, scale in ((2, 1.0), (3, 0.6), (4, 0.3))]


@pytest.fixture(scope="module")
def signs(factors):
    noise = np.random.default_rng(8).normal(size=N)
    return np.where(factors[0][:, 0] + factors[1][:, 0] + 0.5 * noise > 0, 1.0, -1.0)


@pytest.fixture(scope="module")
def stack(factors):
    return KernelStack([L @ L.T for L in factors])


def parts(factors):
    """Unknowns of f = sum_k L_k v_k + b, where the norm of f_k is that of v_k."""
    v = [cp.Variable(L.shape[1]) for L in factors]
    b = cp.Variable()
    return v, sum(L @ one for L, one in zip(factors, v, strict=True)) + b


def minimum(value, constraints=()):
    return cp.Problem(cp.Minimize(value), list(constraints)).solve(solver=cp.CLARABEL)


def weighted_norms(v, d):
    return 0.5 * sum(cp.quad_over_lin(one, d[k]) for k, one in enumerate(v))


def signed_duals(model):
    beta = np.zeros(N)
    beta[model.support_] = model.dual_coef_[0]
    return beta


def forms(model, stack):
    beta = signed_duals(model)
    return np.array([beta @ stack.combine(one) @ beta for one in np.eye(3)])


@pytest.mark.parametrize("penalty", [0.05, 1.0, 20.0])
def test_squared_norm_of_the_weights(factors, signs, stack, penalty):
    v, f = parts(factors)
    alpha = cp.Variable(3, nonneg=True)
    lecture = weighted_norms(v, alpha) + 2.0 * cp.sum(cp.pos(1 - cp.multiply(signs, f)))
    expected = minimum(lecture + penalty * cp.sum_squares(alpha))
    model = MKLClassifier(C=2.0, p=2, lam=2 * penalty, tol=1e-8).fit(stack, signs)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(model.weights_, alpha.value, rtol=1e-3, atol=1e-5)
    g = forms(model, stack)
    dual = np.abs(signed_duals(model)).sum() - g @ g / (16 * penalty)
    assert dual == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(model.weights_, g / (4 * penalty), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_penalty_form_and_its_dual(factors, signs, stack, p):
    v, f = parts(factors)
    d, lam = cp.Variable(3, nonneg=True), 0.7
    value = weighted_norms(v, d) + 2.0 * cp.sum(cp.pos(1 - cp.multiply(signs, f)))
    expected = minimum(value + lam / 2 * cp.square(cp.pnorm(d, p)))
    model = MKLClassifier(C=2.0, p=p, lam=lam, tol=1e-8).fit(stack, signs)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)
    q = np.inf if p == 1 else p / (p - 1)
    g = forms(model, stack)
    size = np.linalg.norm(g, q)
    dual = np.abs(signed_duals(model)).sum() - size**2 / (8 * lam)
    assert dual == pytest.approx(expected, rel=1e-6)
    assert np.linalg.norm(model.weights_, p) == pytest.approx(size / (2 * lam), rel=1e-3)
    if p > 1:
        written = size ** (2 - q) * g ** (q - 1) / (2 * lam)
        np.testing.assert_allclose(model.weights_, written, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("p", [1.0, 2.0, 4.0])
def test_constraint_and_penalty_are_one_problem(signs, stack, p):
    free = MKLClassifier(C=2.0, p=p, lam=0.7, tol=1e-8).fit(stack, signs)
    t = np.linalg.norm(free.weights_, p)
    bound = MKLClassifier(C=t * 2.0, p=p, tol=1e-8).fit(stack, signs)
    np.testing.assert_allclose(bound.weights_, free.weights_ / t, atol=1e-3)
    np.testing.assert_allclose(signed_duals(bound), t * signed_duals(free), atol=1e-3 * t)
    np.testing.assert_allclose(
        bound.decision_function(stack), free.decision_function(stack), atol=1e-3
    )


@pytest.mark.parametrize(("r", "p"), [(1.0, 1.0), (1.2, 1.5), (4 / 3, 2.0), (2.0, np.inf)])
def test_block_norm(factors, signs, stack, r, p):
    v, f = parts(factors)
    norms = cp.hstack([cp.norm(one) for one in v])
    value = 0.5 * cp.square(cp.pnorm(norms, r))
    expected = minimum(value + 2.0 * cp.sum(cp.pos(1 - cp.multiply(signs, f))))
    assert p == pytest.approx(np.inf if r == 2 else r / (2 - r))
    model = MKLClassifier(C=2.0, p=p, tol=1e-8).fit(stack, signs)
    assert model.objective_ == pytest.approx(expected, rel=1e-6)


def test_strength_of_one_kernel(factors, signs):
    penalty, K = 0.03, factors[0] @ factors[0].T
    v, f = parts(factors[:1])
    hinge = cp.sum(cp.pos(1 - cp.multiply(signs, f))) / N
    expected = minimum(penalty * cp.sum_squares(v[0]) + hinge)
    C = 1 / (2 * N * penalty)
    model = MKLClassifier(C=C, tol=1e-8).fit([K], signs)
    assert model.objective_ / (C * N) == pytest.approx(expected, rel=1e-6)
    svc = SVC(C=C, kernel="precomputed", tol=1e-8).fit(K, signs)
    np.testing.assert_allclose(
        model.decision_function([K]), svc.decision_function(K), atol=1e-4 * np.abs(K).max()
    )


def test_strength_of_ridge_regression(factors):
    penalty, K = 0.4, factors[1] @ factors[1].T
    y = factors[1] @ [1.0, -2.0, 0.5] + 3.0 + np.random.default_rng(9).normal(size=N)
    ones = np.ones((N, 1))
    system = np.block([[K + penalty * np.eye(N), ones], [ones.T, np.zeros((1, 1))]])
    solution = np.linalg.solve(system, np.append(y, 0.0))
    model = MKLRegressor(loss="squared_error", C=1 / (2 * penalty), tol=1e-10).fit([K], y)
    np.testing.assert_allclose(model.predict([K]), K @ solution[:-1] + solution[-1], atol=1e-4)


def test_tensor_of_modalities_is_a_product_of_kernels():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    tensor = np.array([np.kron([1, *x], [1, *z]) for x, z in zip(a, b, strict=True)])
    fusion = (1 + LinearKernel().on([0, 1, 2])) * (1 + LinearKernel().on([3, 4]))
    found = Kernelizer([fusion], normalize=None).fit_transform(np.hstack([a, b]))
    np.testing.assert_allclose(found.combine([1.0]), tensor @ tensor.T, rtol=1e-12)
    apart = ColumnKernelizer(
        [("a", LinearKernel(), [0, 1, 2]), ("b", LinearKernel(), [3, 4])], normalize=None
    )
    terms = InteractionKernels().fit_transform(apart.fit_transform(np.hstack([a, b])))
    np.testing.assert_allclose(1 + terms.combine(np.ones(3)), tensor @ tensor.T, rtol=1e-12)


def test_hypotheses_are_rows_and_comparisons():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 60)) + 1
    y = 1 + 0.3 * a - 0.2 * b + 0.2 * a * b + rng.normal(size=60)
    X = np.column_stack([a, b])
    full = sm.OLS(y, np.column_stack([np.ones(60), a, b, a * b])).fit()
    modalities = [("x_A", [0]), ("x_B", [1])]
    model = InteractionRegressor(modalities).fit(X, y)
    np.testing.assert_allclose(model.inference_table()["p_value"], full.pvalues, rtol=1e-6)
    h2 = full.f_test("x3 = 0")
    assert model.test_interaction("x_A", "x_B").p_value == pytest.approx(h2.pvalue, rel=1e-6)
    h1 = full.f_test("x1 = 0, x3 = 0")
    assert model.test_effect("x_A").p_value == pytest.approx(h1.pvalue, rel=1e-6)
    additive = InteractionRegressor(modalities, form="additive").fit(X, y)
    plain = sm.OLS(y, np.column_stack([np.ones(60), a, b])).fit()
    np.testing.assert_allclose(additive.inference_table()["p_value"], plain.pvalues, rtol=1e-6)


def test_projection_is_two_means_less_one():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20, 3))
    y = X[:, 0] * X[:, 2] > 0
    model = SVC().fit(X, y)
    found = emap(model, X, y, modalities=[("a", [0, 1]), ("b", [2])], n_bootstraps=10)
    f = np.array([model.decision_function(np.c_[np.tile(x, (20, 1)), X[:, 2]]) for x in X[:, :2]])
    np.testing.assert_allclose(found.responses[:, 0], f.diagonal(), atol=1e-10)
    expected = f.mean(axis=1) + f.mean(axis=0) - f.mean()
    np.testing.assert_allclose(found.projection[:, 0], expected, atol=1e-10)


def largest(cross, first, second):
    """Maximum of a'Cb with a'Fa = b'Sb = 1, and a, by a generalised eigenproblem."""
    p, q = cross.shape
    left = np.block([[np.zeros((p, p)), cross], [cross.T, np.zeros((q, q))]])
    right = np.block([[first, np.zeros((p, q))], [np.zeros((q, p)), second]])
    values, vectors = eigh(left, right, subset_by_index=[p + q - 1, p + q - 1])
    return values[0], vectors[:p, 0]


def cosine(a, b):
    return abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize(("kappa_x", "kappa_y"), [(0.0, 0.0), (0.5, 0.5), (0.2, 3.0)])
def test_ridges_of_canonical_correlation(kappa_x, kappa_y):
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(40, 3)) * [1, 2, 0.5], rng.normal(size=(40, 2))
    Y[:, 0] += X[:, 0]
    S = np.cov(X, Y, rowvar=False)
    value, a = largest(S[:3, 3:], S[:3, :3] + kappa_x * np.eye(3), S[3:, 3:] + kappa_y * np.eye(2))
    c = [kappa_x / (1 + kappa_x), kappa_y / (1 + kappa_y)]
    model = CCA(1, regularisation=c, scale=False).fit(X, Y)
    scale = np.sqrt((1 + kappa_x) * (1 + kappa_y))
    assert model.objective_[0] / scale == pytest.approx(value, rel=1e-8)
    assert cosine(model.weights_[0][:, 0], a) == pytest.approx(1, abs=1e-8)


def test_partial_least_squares():
    rng = np.random.default_rng(5)
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    model = CCA(2, regularisation=1.0, scale=False).fit(X, Y)
    singular = np.linalg.svd(np.cov(X, Y, rowvar=False)[:3, 3:], compute_uv=False)
    np.testing.assert_allclose(model.objective_, singular, rtol=1e-8)


def test_ridge_of_kernel_canonical_correlation():
    rng = np.random.default_rng(6)
    X, Y, kappa, n = rng.normal(size=(30, 3)), rng.normal(size=(30, 2)), 2.0, 30
    Y[:, 0] += X[:, 0]
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    # On linear kernels K a = X w with w = X'a: the ridge kappa K is kappa I for the columns.
    value, w = largest(X.T @ Y, X.T @ X + kappa * np.eye(3), Y.T @ Y + kappa * np.eye(2))
    model = KernelCCA(
        LinearKernel(),
        n_components=1,
        regularisation=kappa / (n - 1 + kappa),
        normalize=None,
    ).fit(X, Y)
    scores = (X @ X.T)[:, model.support_[0]] @ model.dual_coef_[0][:, 0] + model.intercept_[0][0]
    assert cosine(scores, X @ w) == pytest.approx(1, abs=1e-8)
    assert model.objective_[0] * (1 - kappa / (n - 1 + kappa)) == pytest.approx(value, rel=1e-8)
