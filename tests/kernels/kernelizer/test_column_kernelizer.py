"""Kernels on columns and modalities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mkfusion import ColumnKernelizer, LinearKernel, RBFKernel
from mkfusion.data._modalities import Modalities
from oracles.names import named

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 5))
Y = (X[:, 0] + X[:, 3] > 0).astype(int)
TEXTS = ["good day", "bad day", "good night", "night", "bad"] * 4
TABLE = pd.DataFrame(X, columns=list("abcde")).assign(text=TEXTS, kind=list("uvwuv") * 4)


class SumSVC(ClassifierMixin, BaseEstimator):
    """A machine on the sum of a stack's kernels."""

    def fit(self, X, y):
        self.svc_ = SVC(kernel="precomputed").fit(X.combine(np.ones(X.shape[2])), y)
        self.classes_ = self.svc_.classes_
        return self

    def predict(self, X):
        return self.svc_.predict(X.combine(np.ones(X.shape[2])))


def test_arrays() -> None:
    kernelizer = ColumnKernelizer(
        [("left", RBFKernel(gamma=0.5), [0, 1]), ("right", "linear", slice(2, None))],
        normalize=None,
    )
    stack = kernelizer.fit(X).transform(X[:3])
    assert stack.names == ["left:rbf(gamma=0.5)", "right:linear"]
    np.testing.assert_allclose(stack.gram(0), rbf_kernel(X[:3, :2], X[:, :2], gamma=0.5))
    np.testing.assert_allclose(stack.gram(1), linear_kernel(X[:3, 2:], X[:, 2:]))
    assert kernelizer.n_features_in_ == 5
    assert not hasattr(kernelizer, "feature_names_in_")


def test_tables_of_everything() -> None:
    kernelizer = ColumnKernelizer(
        [
            ("numbers", make_pipeline(StandardScaler(), "linear"), make_column_selector("^[a-e]$")),
            ("kind", make_pipeline(OneHotEncoder(), "linear"), ["kind"]),
            ("text", make_pipeline(TfidfVectorizer(), "linear"), "text"),
        ],
        normalize=None,
    ).fit(TABLE)
    test = TABLE.iloc[:4]
    stack = kernelizer.transform(test)
    scaled = StandardScaler().fit(X)
    expected = linear_kernel(scaled.transform(X[:4]), scaled.transform(X))
    np.testing.assert_allclose(stack.gram("numbers:linear"), expected, rtol=1e-10, atol=1e-12)
    kinds = TABLE["kind"].to_numpy()
    np.testing.assert_array_equal(stack.gram("kind:linear"), kinds[:4, None] == kinds)
    words = TfidfVectorizer().fit_transform(TEXTS)
    np.testing.assert_allclose(stack.gram("text:linear"), (words[:4] @ words.T).toarray())
    assert list(kernelizer.feature_names_in_) == list(TABLE)
    # Other columns, and another order, are no obstacle; a missing one is.
    again = kernelizer.transform(test[list(TABLE)[::-1]].assign(more=0))
    np.testing.assert_array_equal(np.asarray(again), np.asarray(stack))
    np.testing.assert_array_equal(
        np.asarray(kernelizer.transform(test.assign(more=0))), np.asarray(stack)
    )
    with pytest.raises(ValueError, match=r"columns of 'kind' asks for unknown columns \['kind'\]"):
        kernelizer.transform(test.drop(columns="kind"))


@pytest.mark.parametrize(
    "kernel", [RBFKernel(gamma=0.5), "rbf", RBF(), make_pipeline(StandardScaler(), "linear")]
)
@pytest.mark.parametrize("column", ["b", 1])
def test_a_single_column_is_a_feature(kernel, column) -> None:
    found = ColumnKernelizer([("part", kernel, column)]).fit(TABLE).transform(TABLE[:3])
    expected = ColumnKernelizer([("part", kernel, [1])]).fit(X).transform(X[:3])
    np.testing.assert_allclose(found.gram(0), expected.gram(0), rtol=1e-12)
    modalities = Modalities(part=X[:, 1])
    single = ColumnKernelizer([("part", kernel, "part")]).fit(modalities).transform(modalities[:3])
    np.testing.assert_allclose(single.gram(0), expected.gram(0), rtol=1e-12)


def test_kernels_of_one_column_may_want_it_in_different_dimensions() -> None:
    seen = []

    def length(x, z):
        seen.append(np.ndim(x))
        return np.ones((len(x), len(z)))

    ColumnKernelizer([("part", ["linear", length], "a")]).fit_transform(TABLE).gram(1)
    assert set(seen) == {1}


def test_modalities() -> None:
    modalities = Modalities(numbers=X, series=X.reshape(20, 5, 1), texts=TEXTS)

    def dynamic(x, z):
        return np.einsum("itf,jtf->ij", x, z)

    kernelizer = ColumnKernelizer(
        [
            ("first", ["linear", RBFKernel()], "numbers"),
            ("second", dynamic, "series"),
            ("third", make_pipeline(TfidfVectorizer(), "linear"), "texts"),
        ],
        normalize=None,
    ).fit(modalities)
    stack = kernelizer.transform(modalities[5:9])
    assert stack.names == ["first:linear", "first:rbf", "second:dynamic", "third:linear"]
    np.testing.assert_allclose(stack.gram(0), linear_kernel(X[5:9], X), rtol=1e-12)
    np.testing.assert_allclose(stack.gram(2), linear_kernel(X[5:9], X), rtol=1e-12)
    assert kernelizer.n_features_in_ == 3
    assert list(kernelizer.feature_names_in_) == modalities.names
    # What no kernel sees may be there or not.
    some = Modalities(texts=TEXTS[:2], other=X[:2], series=X[:2, :, None], numbers=X[:2])
    assert kernelizer.transform(some).shape == (2, 20, 4)
    with pytest.raises(ValueError, match="columns of 'second' asks for the unknown modality"):
        kernelizer.transform(Modalities(numbers=X, texts=TEXTS))


def test_the_kind_of_samples_stays() -> None:
    kernels = [("part", "linear", "a")]
    modalities = Modalities(a=X)
    with pytest.raises(TypeError, match="X is a ndarray; expected Modalities as in fit"):
        ColumnKernelizer(kernels).fit(modalities).transform(X)
    with pytest.raises(TypeError, match="X is a Modalities; expected columns as in fit"):
        ColumnKernelizer(kernels).fit(TABLE).transform(modalities)
    fitted = ColumnKernelizer([("part", "linear", [0])]).fit(TABLE)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.transform(TABLE.to_numpy())


def test_what_kernels_see_is_found_in_any_samples() -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 3)), columns=list("pqr"))
    by_name = ColumnKernelizer([("a", ["rbf", "linear"], ["q", "p"]), ("b", "linear", "r")])
    by_position = ColumnKernelizer([("a", ["rbf", "linear"], [1, 0]), ("b", "linear", -1)])
    for kernelizer in (by_name.fit(table), by_position.fit(table)):
        assert kernelizer.columns_seen(table) == [[1, 0], [1, 0], [2]]
        assert kernelizer.columns_seen(table[["r", "q", "p"]]) == [[1, 2], [1, 2], [0]]
    assert by_position.columns_seen(table.to_numpy()) == [[1, 0], [1, 0], [2]]
    with pytest.raises(ValueError, match=r"unknown columns \['p'\]"):
        by_name.columns_seen(table[["q", "r"]])
    with pytest.raises(ValueError, match="X has no column names"):
        by_name.columns_seen(table.to_numpy())
    several = Modalities(one=np.ones((4, 2)), other=np.ones((4, 1)))
    kernelizer = ColumnKernelizer([("a", ["rbf", "linear"], "other"), ("b", "linear", "one")])
    assert kernelizer.fit(several).columns_seen(several) == [["other"], ["other"], ["one"]]


def test_parameters() -> None:
    kernelizer = ColumnKernelizer(
        [
            ("accel", RBFKernel(), [0, 1]),
            ("gyro", make_pipeline(StandardScaler(), RBFKernel()), [2, 3]),
            ("rest", ["rbf", "linear"], [4]),
        ]
    )
    assert kernelizer.get_params()["gyro__rbfkernel__gamma"] == "median"
    kernelizer.set_params(
        accel__gamma=0.1, gyro__rbfkernel__gamma=0.2, gyro__standardscaler__with_mean=False
    )
    kernelizer.set_params(rest=LinearKernel())
    assert kernelizer.kernels[2][2] == [4], "columns stay"
    assert clone(kernelizer).fit(X).kernel_names_ == [
        "accel:rbf(gamma=0.1)",
        "gyro:rbf(gamma=0.2)",
        "rest:linear",
    ]
    with pytest.raises(ValueError, match="Invalid parameter 'mag'"):
        kernelizer.set_params(mag__gamma=1.0)
    kernelizer.set_params(kernels=[("mag", "rbf", [0])])
    assert kernelizer.fit(X).kernel_names_ == ["mag:rbf"]


def test_grid_search() -> None:
    model = make_pipeline(
        ColumnKernelizer(
            [
                ("accel", RBFKernel(), [0, 1]),
                ("gyro", make_pipeline(StandardScaler(), RBFKernel()), [2, 3, 4]),
            ],
            normalize=None,
        ),
        SumSVC(),
    )
    widths = {
        "columnkernelizer__accel__gamma": [0.1, 1.0],
        "columnkernelizer__gyro__rbfkernel__gamma": [0.2],
    }
    search = GridSearchCV(model, widths, cv=2, error_score="raise").fit(X, Y)
    gamma = search.best_params_["columnkernelizer__accel__gamma"]
    assert search.best_estimator_[0].kernel_names_ == [
        f"accel:rbf(gamma={gamma})",
        "gyro:rbf(gamma=0.2)",
    ]
    whole = {"columnkernelizer__accel": [RBFKernel(gamma=0.1), "linear"]}
    search = GridSearchCV(model, whole, cv=2, error_score="raise").fit(X, Y)
    assert len(search.cv_results_["params"]) == 2


def test_cross_validation_learns_in_each_fold() -> None:
    """The pipeline scores what scikit-learn's own pipeline on the same kernel scores."""
    model = make_pipeline(
        ColumnKernelizer([("all", make_pipeline(StandardScaler(), "rbf"), slice(None))]), SumSVC()
    )
    expected = make_pipeline(StandardScaler(), SVC(gamma=1 / 5))
    np.testing.assert_array_equal(
        cross_val_score(model, X, Y, cv=4), cross_val_score(expected, X, Y, cv=4)
    )


@pytest.mark.parametrize(
    ("kernels", "error", "message"),
    [
        ([], ValueError, "kernels is empty; expected at least one tuple"),
        ("rbf", TypeError, r"kernels is 'rbf'; expected a list of tuples \(name, kernel, columns"),
        (None, TypeError, "kernels is None"),
        ([("a", "rbf")], TypeError, r"kernels\[0\] is \('a', 'rbf'\); expected \(name, kernel, co"),
        ([("a", "rbf", [0]), "rbf"], TypeError, r"kernels\[1\] is 'rbf'; expected"),
        ([(3, "rbf", [0])], TypeError, r"kernels\[0\] has the name 3; expected a string"),
        ([("", "rbf", [0])], TypeError, r"kernels\[0\] has the name ''"),
        ([("a", "rbf", [0]), ("a", "rbf", [1])], ValueError, "Names provided are not unique"),
        ([("normalize", "rbf", [0])], ValueError, "conflict with constructor arguments"),
        ([("a__b", "rbf", [0])], ValueError, "must not contain __"),
        ([("a", "rbf", [9])], ValueError, "columns of 'a' asks for column 9; X has 5 columns"),
        ([("a", "rbf", "x")], ValueError, "columns of 'a' asks for .* X has no column names"),
        ([("a", RBFKernel(gamma=0), [0])], ValueError, r"^a:rbf\(gamma=0\): gamma is 0"),
    ],
    ids=named,
)
def test_refused(kernels, error: type[Exception], message: str) -> None:
    kernelizer = ColumnKernelizer(kernels)
    kernelizer.get_params()
    repr(kernelizer)
    with pytest.raises(error, match=message):
        kernelizer.fit(X)
    assert set(vars(kernelizer)) == set(kernelizer.get_params(deep=False))


def test_objects_where_numbers_are_meant() -> None:
    with pytest.raises(ValueError, match="^part:rbf: column 'text' holds 'good day': could"):
        ColumnKernelizer([("part", "rbf", ["a", "text"])]).fit(TABLE)


def test_no_samples_are_refused_by_their_kernel() -> None:
    table = pd.DataFrame(np.arange(12.0).reshape(6, 2), columns=["a", "b"])
    kernelizer = ColumnKernelizer([("m", "rbf", ["a", "b"])]).fit(table)
    with pytest.raises(ValueError, match=r"m:rbf: Found array with 0 sample"):
        kernelizer.transform(table[:0])
