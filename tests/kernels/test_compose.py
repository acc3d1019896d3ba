"""Sums, products, powers and multiples of kernels, on columns or modalities."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    Exponentiation,
    Product,
    Sum,
    WhiteKernel,
)
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    Kernelizer,
    LinearKernel,
    Modalities,
    RBFKernel,
)
from mkfusion.kernels._kernel import as_kernel, kernel_label

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
BOTH = Modalities(accel=X[:, :2], gyro=X[:, 2:])
BOTH_Z = Modalities(accel=Z[:, :2], gyro=Z[:, 2:])
GAMMA = 0.3
RBF_03 = RBFKernel(gamma=GAMMA)

LINEAR, RADIAL = LinearKernel(), RBFKernel()
WIDTH = RBFKernel().fit(X).gamma_
# The values of both between training samples, and between others and these
TRAIN = linear_kernel(X), rbf_kernel(X, gamma=WIDTH)
TEST = linear_kernel(Z, X), rbf_kernel(Z, X, gamma=WIDTH)

# An expression, what NumPy gives for it from the values of its parts, and how it reads
EXPRESSIONS = [
    (LINEAR + RADIAL, lambda a, b: a + b, "linear + rbf"),
    (
        LINEAR + RADIAL + LINEAR,
        lambda a, b: 2 * a + b,
        "linear + rbf + linear",
    ),
    (2.0 * LINEAR, lambda a, b: 2 * a, "2 * linear"),
    (np.float64(0.5) * LINEAR * 3, lambda a, b: 1.5 * a, "1.5 * linear"),
    (0 * LINEAR + RADIAL, lambda a, b: b, "0 * linear + rbf"),
    (LINEAR * RADIAL, lambda a, b: a * b, "linear * rbf"),
    (
        LINEAR * RADIAL * LINEAR,
        lambda a, b: a * b * a,
        "linear * rbf * linear",
    ),
    (LINEAR**3, lambda a, b: a**3, "linear**3"),
    ((LINEAR + RADIAL) ** 2, lambda a, b: (a + b) ** 2, "(linear + rbf)**2"),
    ((2 * LINEAR) ** 2, lambda a, b: 4 * a**2, "(2 * linear)**2"),
    ((LINEAR**2) ** 2, lambda a, b: a**4, "(linear**2)**2"),
    (
        (LINEAR + RADIAL) * RADIAL,
        lambda a, b: (a + b) * b,
        "(linear + rbf) * rbf",
    ),
    (2 * (LINEAR + RADIAL), lambda a, b: 2 * (a + b), "2 * (linear + rbf)"),
    (
        LINEAR * RADIAL + RADIAL**2,
        lambda a, b: a * b + b**2,
        "linear * rbf + rbf**2",
    ),
    (
        (LINEAR + 1) * (RADIAL + 0.5),
        lambda a, b: (a + 1) * (b + 0.5),
        "(linear + 1) * (rbf + 0.5)",
    ),
    (sum([LINEAR, RADIAL]), lambda a, b: a + b, "linear + rbf"),
    ("linear" + RADIAL, lambda a, b: a + b, "linear + rbf"),
    (RADIAL * linear_kernel, lambda a, b: a * b, "rbf * linear_kernel"),
    (
        make_pipeline("passthrough", "linear") * RADIAL,
        lambda a, b: a * b,
        "linear * rbf",
    ),
]
each_expression = pytest.mark.parametrize(
    ("kernel", "closed_form", "label"), EXPRESSIONS, ids=[label for *_, label in EXPRESSIONS]
)


# --------------------------------------------------------------------------------- values


@each_expression
def test_values(kernel, closed_form, label: str) -> None:
    kernel = clone(kernel).fit(X)
    np.testing.assert_allclose(kernel(X), closed_form(*TRAIN), rtol=1e-12)
    np.testing.assert_allclose(kernel(Z, X), closed_form(*TEST), rtol=1e-12)
    np.testing.assert_allclose(kernel.diag(Z), np.diagonal(kernel(Z)), rtol=1e-12)


@each_expression
def test_in_a_kernelizer(kernel, closed_form, label: str) -> None:
    kernelizer = Kernelizer([kernel], normalize=None)
    stack = kernelizer.fit_transform(X)
    assert stack.names == [label]
    expected = closed_form(*TRAIN)
    np.testing.assert_allclose(stack.gram(0), expected, rtol=1e-12)
    np.testing.assert_allclose(stack.diagonal()[0], np.diagonal(expected), rtol=1e-12)
    rows, cols = [4, 1, 1], [8, 4]
    block = stack[np.ix_(rows, cols)].gram(0)
    np.testing.assert_allclose(block, expected[np.ix_(rows, cols)], rtol=1e-12)
    again = pickle.loads(pickle.dumps(kernelizer)).transform(Z).gram(0)
    np.testing.assert_allclose(again, closed_form(*TEST), rtol=1e-12)


@each_expression
def test_what_is_promised_to_be_positive_semi_definite_is(kernel, closed_form, label: str) -> None:
    kernel = clone(kernel).fit(X)
    assert kernel._is_psd() is ("linear_kernel" not in label)
    values = np.linalg.eigvalsh(kernel(X))
    assert values[0] > -1e-10 * values[-1]


def test_indefinite_parts_promise_nothing() -> None:
    indefinite = RADIAL + "sigmoid"
    for kernel in (indefinite, RADIAL * "sigmoid", 2 * indefinite, indefinite**2):
        assert not clone(kernel).fit(X)._is_psd()


def test_single_precision_stays() -> None:
    kernel = 2.5 * (RBF_03 + 1) * LinearKernel() ** 2
    single = Kernelizer([kernel], normalize=None).fit_transform(X.astype(np.float32))
    assert single.dtype == single.gram(0).dtype == np.float32
    assert clone(kernel)(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.gram(0), clone(kernel)(X), rtol=1e-4)


def test_sparse_samples() -> None:
    kernel = (RBF_03 + 1) * LinearKernel() + RBF_03.on([0, 1])
    np.testing.assert_allclose(kernel(csr_array(Z), csr_array(X)), kernel(Z, X))


def test_parts_learn_from_training_samples_only() -> None:
    kernel = (RBFKernel() * RBFKernel(gamma="scale")).fit(X)
    gammas = [part.gamma_ for part in kernel.kernels_]
    kernel(100 * Z)
    assert [part.gamma_ for part in kernel.kernels_] == gammas
    np.testing.assert_array_equal(clone(kernel)(Z, X), kernel(Z, X))


def test_parts_are_not_fitted_themselves() -> None:
    part = RBFKernel()
    (part * part + part).fit(X)
    assert not hasattr(part, "gamma_")


# ---------------------------------------------------------------- scikit-learn's algebra


OURS_AND_THEIRS = [
    (lambda k: 2.0 * k, lambda g: 2.0 * g),
    (lambda k: k + LinearKernel(), lambda g: g + DotProduct(sigma_0=0)),
    (lambda k: k * LinearKernel() + 0.5, lambda g: g * DotProduct(sigma_0=0) + 0.5),
    (lambda k: k**3, lambda g: g**3),
    (lambda k: (k + 1.0) ** 2 * LinearKernel(), lambda g: (g + 1.0) ** 2 * DotProduct(sigma_0=0)),
]


@pytest.mark.parametrize(("ours", "theirs"), OURS_AND_THEIRS)
def test_the_same_as_gaussian_process_algebra(ours, theirs) -> None:
    found, expected = ours(RBF_03), theirs(RBF(np.sqrt(0.5 / GAMMA)))
    np.testing.assert_allclose(found(X), expected(X), rtol=1e-10)
    np.testing.assert_allclose(found(Z, X), expected(Z, X), rtol=1e-10)
    np.testing.assert_allclose(clone(found).fit(X).diag(Z), expected.diag(Z), rtol=1e-10)


NOISE = WhiteKernel(0.1)
MIXED = [
    (RADIAL + DotProduct(), Sum, "rbf + DotProduct(sigma_0=1)"),
    (
        NOISE + RADIAL + LINEAR,
        Sum,
        "WhiteKernel(noise_level=0.1) + rbf + linear",
    ),
    (ConstantKernel(2) * RADIAL, Product, "1.41**2 * rbf"),
    (
        (RADIAL + NOISE) * LINEAR,
        Product,
        "(rbf + WhiteKernel(noise_level=0.1)) * linear",
    ),
    ((RADIAL * DotProduct()) ** 2, Exponentiation, "(rbf * DotProduct(sigma_0=1))**2"),
]


@pytest.mark.parametrize(("kernel", "kind", "label"), MIXED, ids=[label for *_, label in MIXED])
def test_with_a_gaussian_process_kernel_it_is_one(kernel, kind: type, label: str) -> None:
    """Scikit-learn's algebra keeps what a Gaussian process may learn; kernelizers know it too."""
    assert type(kernel) is kind
    assert kernel.n_dims > 0
    GaussianProcessRegressor(kernel=kernel, optimizer=None, alpha=1e-3).fit(X, X[:, 0])
    assert kernel_label(kernel) == label
    stack = Kernelizer([kernel], normalize=None).fit_transform(X)
    np.testing.assert_allclose(stack.gram(0), kernel(X), rtol=1e-12)
    rows, cols = [4, 1], [8, 4]
    np.testing.assert_allclose(
        stack[np.ix_(rows, cols)].gram(0), kernel(X)[np.ix_(rows, cols)], rtol=1e-12
    )


def test_mixed_kernels_learn_from_all_training_samples_in_every_block() -> None:
    kernelizer = Kernelizer([RBFKernel() + WhiteKernel(0.1)], normalize=None).fit(X)
    block = kernelizer.transform(Z)[:, :3].gram(0)
    np.testing.assert_allclose(block, RBFKernel().fit(X)(Z, X)[:, :3], rtol=1e-12)


def test_noise_stays_with_its_sample() -> None:
    kernel = as_kernel(RBF_03 * LinearKernel() + WhiteKernel(0.7)).fit(X)
    assert kernel._has_own_noise()
    quiet = rbf_kernel(X, gamma=GAMMA) * linear_kernel(X)
    np.testing.assert_allclose(kernel(X), quiet + 0.7 * np.eye(9), rtol=1e-12)
    np.testing.assert_allclose(kernel(X, X), quiet, rtol=1e-12)


# -------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        (lambda k: -1 * k, ValueError, "scale is -1; expected a non-negative number"),
        (lambda k: k * np.inf, ValueError, "scale is inf; expected a non-negative number"),
        (lambda k: np.float64(np.nan) * k, ValueError, "scale is .*nan.*; expected a non-negative"),
        (lambda k: k + -1.0, ValueError, "constant is -1.0; expected a non-negative number"),
        (
            lambda k: k**0.5,
            ValueError,
            "exponent is 0.5; expected a positive integer: other powers",
        ),
        (lambda k: k**0, ValueError, "exponent is 0; expected a positive number"),
        (lambda k: k**-1, ValueError, "exponent is -1; expected a positive number"),
        (lambda k: k ** "2", TypeError, "exponent is '2'; expected a positive number"),
        (lambda k: k**k, TypeError, r"exponent is RBFKernel\(\); expected"),
        (lambda k: k + None, TypeError, "kernel is None; expected a kernel object"),
        (lambda k: k * True, TypeError, "kernel is True; expected a kernel object"),
        (lambda k: "gauss" * k, ValueError, "kernel is the unknown name 'gauss'"),
        (lambda k: k * RBFKernel, TypeError, "kernel is the class RBFKernel; expected an instance"),
        (lambda k: k * StandardScaler(), TypeError, r"kernel is StandardScaler\(\)"),
        (lambda k: np.ones(2) * k, TypeError, r"kernel is array\(\[1., 1.\]\)"),
        (lambda k: k - k, TypeError, "unsupported operand"),
        (lambda k: -k, TypeError, "bad operand"),
    ],
)
def test_expressions_are_refused(expression, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        expression(RBFKernel())


@pytest.mark.parametrize(
    ("kernel", "samples", "error", "message"),
    [
        ((2 * RBF_03).set_params(scale=-2), X, ValueError, "scale is -2; expected a non-negative"),
        (
            (RBF_03**2).set_params(exponent=0.5),
            X,
            ValueError,
            "exponent is 0.5; expected a positive",
        ),
        ((RBF_03 + 1).set_params(constantkernel__constant=-1), X, ValueError, "constant is -1"),
        (
            RBF_03.on("speed"),
            BOTH,
            ValueError,
            r"columns of 'rbf\(gamma=0.3\)' asks for the unknown modality 'speed'; X has \['accel'",
        ),
        (RBF_03.on([0, 7]), X, ValueError, "asks for column 7; X has 4 columns"),
        (RBF_03.on(["a"]), X, ValueError, "by name, but X has no column names"),
        (RBF_03.on([0]), BOTH, TypeError, "is .0.; expected the name of one of the modalities"),
        (RBF_03.on("accel") * RBF_03, BOTH, TypeError, "Modalities cannot be made into one array"),
        (
            RBF_03 * (lambda x, z: np.ones((9, 1))),
            X,
            ValueError,
            r"returned matrices of shapes \[\(9, 1\), \(9, 9\)\]",
        ),
    ],
)
def test_what_cannot_be_fitted(kernel, samples, error: type[Exception], message: str) -> None:
    kernel = clone(kernel)
    with pytest.raises(error, match=message):
        kernel(samples)


def test_a_kernelizer_says_what_to_do_with_modalities() -> None:
    for kernel in (RBF_03, RBF_03.on("accel") * RBF_03, make_pipeline(PCA(1), "rbf")):
        with pytest.raises(TypeError, match=r"X is Modalities .*, or kernel.on\(modality\)"):
            Kernelizer([kernel]).fit(BOTH)


def test_a_fit_that_fails_leaves_nothing() -> None:
    kernel = RBF_03 * LinearKernel().on([7])
    with pytest.raises(ValueError, match="asks for column 7"):
        kernel.fit(X)
    assert set(vars(kernel)) == {"kernels"}
