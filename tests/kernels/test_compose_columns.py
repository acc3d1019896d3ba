"""Kernels of columns and modalities, and names of the parameters of composed kernels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import (
    check_do_not_raise_errors_in_init_or_set_params,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimators_pickle,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_set_params,
    check_valid_tag_types,
)

from mkfusion import (
    ClinicalKernel,
    ColumnKernelizer,
    CompositeKernel,
    CosineKernel,
    Kernelizer,
    LinearKernel,
    MKLClassifier,
    Modalities,
    OverlapKernel,
    PolynomialKernel,
    RBFKernel,
)
from mkfusion.datasets import load_basic_motions
from mkfusion.kernels._kernel import ProductKernel, ScaledKernel, SumKernel, kernel_label

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
BOTH = Modalities(accel=X[:, :2], gyro=X[:, 2:])
BOTH_Z = Modalities(accel=Z[:, :2], gyro=Z[:, 2:])
GAMMA = 0.3
RBF_03 = RBFKernel(gamma=GAMMA)

CHECKS = [
    check_do_not_raise_errors_in_init_or_set_params,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimators_pickle,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_set_params,
    check_valid_tag_types,
]

# -------------------------------------------------------------------------------- columns


def on(name: str, gram, rows=X):
    part = slice(0, 2) if name == "accel" else slice(2, 4)
    return gram(rows[:, part], X[:, part])


def wide(x, z):
    return rbf_kernel(x, z, gamma=GAMMA)


@pytest.mark.parametrize(
    ("samples", "others", "accel", "gyro"),
    [
        (BOTH, BOTH_Z, "accel", "gyro"),
        (X, Z, [0, 1], slice(2, None)),
        (X, Z, [True, True, False, False], lambda samples: [2, 3]),
        (
            pd.DataFrame(X, columns=list("abcd")),
            pd.DataFrame(Z, columns=list("abcd")),
            ["a", "b"],
            ["c", "d"],
        ),
        (
            pd.DataFrame(X, columns=list("abcd")),
            pd.DataFrame(Z, columns=list("abcd"))[list("dcba")],
            ["a", "b"],
            slice("c", "d"),
        ),
    ],
    ids=["modalities", "array", "mask", "table", "reordered"],
)
def test_tensor_fusion(samples, others, accel, gyro) -> None:
    kernel = RBF_03.on(accel) * LinearKernel().on(gyro)
    expected = on("accel", wide) * on("gyro", linear_kernel)
    np.testing.assert_allclose(kernel(samples), expected)
    expected = on("accel", wide, Z) * on("gyro", linear_kernel, Z)
    np.testing.assert_allclose(kernel(others, samples), expected)
    np.testing.assert_allclose(clone(kernel).fit(samples)(others, samples), expected)
    stack = Kernelizer([kernel], normalize=None).fit(samples)
    assert stack.n_features_in_ == samples.shape[1]


def test_one_column_for_what_takes_tables_and_what_does_not() -> None:
    table = pd.DataFrame({"age": [61.0, 58.0, 23.0], "note": ["ill", "ill", "well"]})
    texts = CompositeKernel(make_pipeline(TfidfVectorizer(), CosineKernel()))
    kernel = (RBFKernel(gamma=0.1).on("age") * texts.on("note"))(table)
    same = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(kernel, rbf_kernel(table[["age"]], gamma=0.1) * same, atol=1e-12)


def test_gaps_that_all_parts_have_an_answer_to() -> None:
    table = pd.DataFrame({"age": [61.0, np.nan, 23.0], "sex": ["m", "f", None]})
    both = ClinicalKernel() + ClinicalKernel() * OverlapKernel()
    clinical, overlap = (kernel.fit(table)(table) for kernel in (ClinicalKernel(), OverlapKernel()))
    for kernel in (both, CompositeKernel(Kernelizer([both], normalize=None))):
        stack = ColumnKernelizer([("all", kernel, ["age", "sex"])], normalize=None)
        gram = stack.fit_transform(table).gram(0)
        np.testing.assert_allclose(gram, clinical + clinical * overlap, rtol=1e-12)


def test_columns_of_a_modality() -> None:
    kernel = LinearKernel().on([0]).on("gyro")
    np.testing.assert_allclose(kernel(BOTH), np.outer(X[:, 2], X[:, 2]))
    assert kernel._label() == "gyro:[0]:linear"


@pytest.mark.parametrize(
    ("kernel", "label"),
    [
        (RBF_03.on("accel") * LinearKernel().on("gyro"), "accel:rbf(gamma=0.3) * gyro:linear"),
        ((RBF_03 + "linear").on("accel"), "accel:(rbf(gamma=0.3) + linear)"),
        ((2 * LinearKernel()).on("accel"), "accel:(2 * linear)"),
        (LinearKernel().on([0, 1, 2]) ** 2, "[0, 1, 2]:linear**2"),
        (LinearKernel().on(list("abcde")), "[a, b, c, ... 5 in all]:linear"),
        (LinearKernel().on(np.array([0, 3])), "[0, 3]:linear"),
        (LinearKernel().on(2), "2:linear"),
        (LinearKernel().on(np.flatnonzero), "flatnonzero:linear"),
        (LinearKernel().on(slice("a", None)), "[a:]:linear"),
        (LinearKernel().on(slice(0, 2)), "[0:2]:linear"),
        (2 * (LinearKernel().on("a") + 1), "2 * (a:linear + 1)"),
        (
            LinearKernel() * (RBF(1.0) + DotProduct(1.0)),
            "linear * (RBF(length_scale=1) + DotProduct(sigma_0=1))",
        ),
    ],
)
def test_labels_on_columns(kernel, label: str) -> None:
    assert kernel_label(kernel) == label


def test_kernels_of_modalities_in_a_kernelizer() -> None:
    kernelizer = Kernelizer(
        [("both", RBF_03.on("accel") * LinearKernel().on("gyro")), ("accel", RBF_03.on("accel"))]
    )
    stack = kernelizer.fit_transform(BOTH)
    assert stack.names == ["both:accel:rbf(gamma=0.3) * gyro:linear", "accel:accel:rbf(gamma=0.3)"]
    assert list(kernelizer.feature_names_in_) == ["accel", "gyro"]
    reordered = Modalities(gyro=Z[:, 2:], more=Z, accel=Z[:, :2])
    np.testing.assert_array_equal(
        np.asarray(kernelizer.transform(reordered)), np.asarray(kernelizer.transform(BOTH_Z))
    )
    with pytest.raises(TypeError, match=r"X is a ndarray; expected Modalities as in fit"):
        kernelizer.transform(Z)


def test_refit_on_other_kinds_of_samples() -> None:
    kernelizer = Kernelizer(
        [
            (
                "left",
                LinearKernel().on(
                    lambda samples: "accel" if isinstance(samples, Modalities) else [0]
                ),
            )
        ]
    )
    assert kernelizer.fit(BOTH).n_features_in_ == 2
    assert kernelizer.fit(X).n_features_in_ == 4
    assert not hasattr(kernelizer, "feature_names_in_")
    with pytest.raises(TypeError, match="X is a Modalities; expected columns as in fit"):
        kernelizer.transform(BOTH)


def test_in_a_column_kernelizer() -> None:
    kernels = [("accel", RBF_03 + LinearKernel(), [0, 1]), ("one", RBF_03 * LinearKernel(), 3)]
    stack = ColumnKernelizer(kernels, normalize=None).fit_transform(X)
    assert stack.names == ["accel:rbf(gamma=0.3) + linear", "one:rbf(gamma=0.3) * linear"]
    np.testing.assert_allclose(stack.gram(0), wide(X[:, :2], X[:, :2]) + linear_kernel(X[:, :2]))
    np.testing.assert_allclose(
        stack.gram(1), wide(X[:, [3]], X[:, [3]]) * linear_kernel(X[:, [3]]), rtol=1e-12
    )


# ----------------------------------------------------------------------------- parameters


def test_names_of_parameters() -> None:
    kernel = RBFKernel().on("accel") * LinearKernel().on("gyro") + 2.0 * PolynomialKernel() ** 2
    names = set(kernel.get_params())
    assert names >= {
        "productkernel__accel__gamma",
        "polynomialkernel__degree",
        "polynomialkernel__scale",
        "polynomialkernel__exponent",
    }
    kernel.set_params(
        productkernel__accel__gamma=0.3, polynomialkernel__scale=3, polynomialkernel__degree=2
    )
    assert kernel._label() == "accel:rbf(gamma=0.3) * gyro:linear + 3 * polynomial(degree=2)**2"
    kernel.set_params(productkernel__gyro=RBFKernel(gamma=1.0).on("gyro"))
    assert kernel._label().startswith("accel:rbf(gamma=0.3) * gyro:rbf(gamma=1.0) + ")


def test_names_of_parameters_that_occur_twice() -> None:
    kernel = RBFKernel() + RBFKernel() + "linear"
    kernel.set_params(**{"rbfkernel-2__gamma": 0.3, "linear": CosineKernel()})
    assert kernel._label() == "rbf + rbf(gamma=0.3) + cosine"
    assert (LinearKernel().on("left__hand") + LinearKernel().on("kernels")).get_params().keys() >= {
        "linearkernel-1",
        "linearkernel-2",
    }


def test_parameters_of_a_wrapped_kernel_have_no_prefix() -> None:
    kernel = 2.0 * RBFKernel().on("accel")
    assert set(kernel.get_params()) == {"scale", "kernel", "columns", "gamma"}
    assert set(kernel.get_params(deep=False)) == {"scale", "kernel"}
    kernel.set_params(gamma=0.3, scale=0.5, columns="gyro")
    assert kernel._label() == "0.5 * gyro:rbf(gamma=0.3)"
    kernel.set_params(kernel=LinearKernel())
    assert kernel._label() == "0.5 * linear"
    twice = (3 * RBFKernel()) ** 2 * 2
    twice.set_params(scale=1, kernel__scale=5, gamma=0.3)
    assert twice._label() == "1 * (5 * rbf(gamma=0.3))**2"
    with pytest.raises(ValueError, match="Invalid parameter 'degree' for estimator ScaledKernel"):
        kernel.set_params(degree=2)
    with pytest.raises(ValueError, match="Invalid parameter 'gamma' for estimator PowerKernel"):
        (linear_kernel * RBFKernel()).set_params(rbfkernel=RBFKernel() ** 2).kernels[1].set_params(
            kernel="rbf"
        ).set_params(gamma=1)


def test_sums_and_products_are_flat() -> None:
    a, b, c, d = RBFKernel(), LinearKernel(), CosineKernel(), PolynomialKernel()
    assert ((a + b) + (c + d)).kernels == [a, b, c, d]
    assert ((a * b) * (c * d)).kernels == [a, b, c, d]
    assert [type(part) for part in (a * b + c * d).kernels] == [ProductKernel, ProductKernel]
    assert [type(part) for part in ((a + b) * (c + d)).kernels] == [SumKernel, SumKernel]
    assert (2 * (3 * a)).scale == 6
    assert isinstance(a * b * 2, ScaledKernel)


def test_clones_share_nothing() -> None:
    kernel = 2.0 * (RBFKernel().on("accel") + LinearKernel())
    copy = clone(kernel).set_params(accel__gamma=0.3, scale=1)
    assert copy._label() == "1 * (accel:rbf(gamma=0.3) + linear)"
    assert kernel._label() == "2 * (accel:rbf + linear)"


def test_search_by_name() -> None:
    signals, activity = load_basic_motions(return_X_y=True)
    accel, gyro = signals["accelerometer"], signals["gyroscope"]
    X = Modalities(accel=accel.mean(axis=2), gyro=gyro.mean(axis=2))
    kernel = RBFKernel().on("accel") * RBFKernel().on("gyro")
    search = GridSearchCV(
        SVC(kernel=kernel),
        {
            "kernel__accel__gamma": [1e-6, "median"],
            "kernel__gyro": [LinearKernel().on("gyro"), RBFKernel().on("gyro")],
        },
        cv=3,
    ).fit(X, activity)
    assert search.best_params_["kernel__accel__gamma"] == "median"
    assert isinstance(search.best_params_["kernel__gyro"].kernel, RBFKernel)
    assert search.best_score_ > 0.8
    kernels = Kernelizer(
        [("tensor", kernel), ("sum", RBFKernel().on("accel") + LinearKernel().on("gyro"))]
    )
    search = GridSearchCV(
        make_pipeline(kernels, MKLClassifier()),
        {
            "kernelizer__tensor__accel__gamma": [0.1, "median"],
            "kernelizer__sum__accel__gamma": [0.1],
        },
        cv=3,
    ).fit(X, activity)
    assert search.best_estimator_[-1].kernel_names_[1] == "sum:accel:rbf(gamma=0.1) + gyro:linear"
    assert search.score(X, activity) > 0.8


def test_products_in_machines_that_make_arrays() -> None:
    kernel = RBF_03.on([0, 1]) * LinearKernel().on([2, 3])
    model = GaussianProcessRegressor(kernel=kernel + 1, alpha=0.1)
    expected = GaussianProcessRegressor(
        kernel=CompositeKernel([kernel, lambda x, z: np.ones((len(x), len(z)))]), alpha=0.1
    )
    y = X[:, 0] * X[:, 2]
    np.testing.assert_allclose(model.fit(X, y).predict(Z), expected.fit(X, y).predict(Z))


def test_html() -> None:
    html = (2 * (RBFKernel().on("accel") + LinearKernel()) * "poly")._repr_html_()
    assert "RBFKernel" in html


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "kernel", [RBF_03 + LinearKernel(), 2 * RBFKernel(), RBF_03.on([0]) ** 2], ids=kernel_label
)
def test_estimator_checks(kernel, check) -> None:
    check(type(kernel).__name__, kernel)


def test_scores_on_modalities() -> None:
    y = (X[:, 0] * X[:, 2] > 0).astype(int)
    scores = cross_val_score(SVC(kernel=RBF_03.on("accel") * RBF_03.on("gyro")), BOTH, y, cv=2)
    assert scores.shape == (2,)
