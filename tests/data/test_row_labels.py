"""Rows that belong together: the labels of pandas, and what says nothing about them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mkfusion import (
    CCA,
    ColumnKernelizer,
    InteractionRegressor,
    KernelCombiner,
    Kernelizer,
    KernelStack,
    LateFusionClassifier,
    LinearKernel,
    MKLClassifier,
    MKLRegressor,
    Modalities,
)
from mkfusion.compare import compare_fusion
from mkfusion.inspection import kernel_alignment, modality_importance

N = 40
IDS = [f"p{i}" for i in range(N)]


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    A = pd.DataFrame(rng.normal(size=(N, 3)), index=IDS, columns=["a", "b", "c"])
    B = pd.DataFrame(rng.normal(size=(N, 2)), index=IDS, columns=["x", "y"])
    return A, B, (A["a"] + B["x"] > 0).astype(int)


ORDER = np.random.default_rng(1).permutation(N)
DIFFERENT = {
    "another order": lambda table: table.iloc[ORDER],
    "other ids": lambda table: table.set_axis([f"q{i}" for i in range(N)]),
}
different = pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT.keys())


@different
def test_rows_of_modalities_in_another_order_are_refused_with_a_remedy(tables, change):
    A, B, _ = tables
    with pytest.raises(ValueError, match=r"^b has .*set_axis\(a\.index\)"):
        Modalities(a=A, b=change(B))
    mended = B.iloc[ORDER].loc[A.index]  # the remedy
    pd.testing.assert_frame_equal(Modalities(a=A, b=mended)["b"], B)


def test_row_numbers_in_another_order_are_refused(tables):
    A, B, _ = (table.reset_index(drop=True) for table in tables)
    with pytest.raises(ValueError, match=r"another order.*b\.loc\[a\.index\]"):
        Modalities(a=A, b=B.iloc[ORDER])


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_product([range(N // 2), ["rest", "task"]]),
        pd.date_range("2020-01-01", periods=N),
        pd.Index(["s1", "s2"] * (N // 2)),
        pd.RangeIndex(1001, 1001 + N),
    ],
)
def test_every_kind_of_index_tells_the_order(tables, index):
    A, B, _ = (table.set_axis(index) for table in tables)
    Modalities(a=A, b=B)
    with pytest.raises(ValueError, match="another order"):
        Modalities(a=A, b=B.iloc[::-1])


def test_ids_beside_row_numbers_and_what_has_no_index_pass(tables):
    A, B, y = tables
    numbered = B.reset_index(drop=True)
    for other in (numbered, B.to_numpy(), [*range(N)]):
        Modalities(a=A, b=other)
    for ids in (A.index, pd.Index(range(1, N + 1))):  # split before, by hand
        a, _, b, _ = train_test_split(A.set_axis(ids), numbered, random_state=0)
        assert Modalities(a=a, b=b).index.equals(a.index)


FITS = {
    "late": lambda A, B, y: LateFusionClassifier().fit(Modalities(a=A, b=B), y),
    "interaction": lambda A, B, y: InteractionRegressor().fit(Modalities(a=A, b=B), y),
    "kernelizer": lambda A, B, y: ColumnKernelizer([("a", "rbf", "a")]).fit(Modalities(a=A), y),
    "compare": lambda A, B, y: compare_fusion(Modalities(a=A, b=B), y, cv=3, fast=True),
    "cca": lambda A, B, y: CCA(1).fit(A, y),
    "groups": lambda A, B, y: compare_fusion(
        Modalities(a=A, b=B), np.arange(N) % 2, groups=y, cv=3, fast=True
    ),
    "inspection": lambda A, B, y: modality_importance(
        LateFusionClassifier().fit(Modalities(a=A, b=B), np.arange(N) % 2),
        Modalities(a=A, b=B),
        y,
    ),
}


@different
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS.keys())
def test_targets_and_groups_of_other_rows_are_refused(tables, fit, change):
    A, B, y = tables
    with pytest.raises(ValueError, match=r"has (the ids of|other ids)"):
        fit(A, B, change(y))


def test_no_fold_is_refused(tables):
    A, B, y = tables
    numbered = y.reset_index(drop=True)
    model = make_pipeline(ColumnKernelizer([("a", "rbf", "a")]), MKLClassifier())
    expected = None
    for ids in (A.index, pd.RangeIndex(1, N + 1)):
        X = Modalities(a=A.set_axis(ids), b=B.reset_index(drop=True))
        for target in (y.set_axis(ids), numbered, y.to_numpy()):
            cv = KFold(4, shuffle=True, random_state=0)
            scores = cross_val_score(model, X, target, cv=cv, error_score="raise")
            expected = scores if expected is None else expected
            np.testing.assert_array_equal(scores, expected)
    GridSearchCV(model, {"mklclassifier__C": [1, 2]}, cv=2, error_score="raise").fit(X, numbered)
    cross_val_score(
        CCA(1), A, B.reset_index(drop=True), cv=KFold(3, shuffle=True), error_score="raise"
    )


@different
def test_gram_matrices_are_between_the_same_samples(tables, change):
    A, B, y = tables
    G1, G2 = A @ A.T, B @ B.T
    both = lambda G: change(change(G).T).T  # noqa: E731
    for model in (MKLClassifier(), MKLRegressor(), KernelCombiner("alignf")):
        for grams, target in (([G1, both(G2)], y), ([G1, G2], change(y)), (G1, change(y))):
            with pytest.raises(ValueError, match=r"has (the ids of|other ids)"):
                model.fit(grams, target)
    plain = MKLClassifier().fit([G1.to_numpy(), G2.to_numpy()], y)
    fitted = MKLClassifier().fit([G1, G2], y)
    np.testing.assert_array_equal(
        fitted.decision_function([G1[:5], G2[:5]]),
        plain.decision_function([G1[:5].to_numpy(), G2[:5].to_numpy()]),
    )
    with pytest.raises(ValueError, match=r"X\[0\]\.columns has"):
        fitted.predict([change(G1[:5].T).T, change(G2[:5].T).T])


@different
def test_stacks_of_frames_know_their_samples(tables, change):
    A, B, y = tables
    G1, G2 = A @ A.T, B @ B.T
    stack = KernelStack([G1, G2], names=["one", "other"])
    assert stack.index.equals(A.index)
    assert KernelStack([G1.to_numpy()]).index is None
    for part in (stack, stack.select("other"), stack.materialize(), KernelStack(G1)):
        for model in (MKLClassifier(), MKLRegressor(), KernelCombiner("alignf")):
            with pytest.raises(ValueError, match=r"y has (the ids of|other ids than) X"):
                model.fit(part, change(y))
    rows = ORDER[:20]
    assert stack[np.ix_(rows, rows[:5])].index.equals(A.index[rows])
    with pytest.raises(ValueError, match=r"y has (the ids of|other ids than) X"):
        MKLClassifier().fit(stack[np.ix_(rows, rows)], y.iloc[np.sort(rows)])
    fitted = MKLClassifier().fit(stack, y)
    plain = MKLClassifier().fit(np.asarray(stack), y.to_numpy())
    new = KernelStack([G1[:5], G2[:5]], names=["one", "other"])
    found = fitted.decision_function(new)
    np.testing.assert_array_equal(found, plain.decision_function(np.asarray(new)))
    with pytest.raises(ValueError, match=r"X\.columns has"):
        fitted.predict(KernelStack([change(G1[:5].T).T, change(G2[:5].T).T]))
    folds = KFold(3, shuffle=True, random_state=0)
    expected = cross_val_score(MKLClassifier(), np.asarray(stack), y.to_numpy(), cv=folds)
    np.testing.assert_array_equal(cross_val_score(MKLClassifier(), stack, y, cv=folds), expected)


@different
def test_alignment_with_a_target_of_other_rows(tables, change):
    A, B, y = tables
    grams = [A @ A.T, B @ B.T]
    for given in (grams, KernelStack(grams)):
        with pytest.raises(ValueError, match=r"y has (the ids of|other ids than) "):
            kernel_alignment(given, change(y))
    expected = kernel_alignment([G.to_numpy() for G in grams], y.to_numpy())
    np.testing.assert_array_equal(kernel_alignment(grams, y).target, expected.target)


@pytest.mark.parametrize("kernel", ["rbf", LinearKernel(), lambda X, Y: np.dot(X, np.transpose(Y))])
def test_columns_of_several_levels_in_another_order(tables, kernel):
    A, B, _ = tables
    X = pd.concat({"one": A, "other": B}, axis=1)
    kernelizer = Kernelizer(kernel, normalize=None).fit(X)
    turned = X[X.columns[::-1]]
    with pytest.raises(ValueError, match=r"X has the columns \[\('other', 'y'\).*those of fit in"):
        kernelizer.transform(turned)
    expected = kernelizer.transform(X.to_numpy()).gram(0)
    np.testing.assert_array_equal(kernelizer.transform(turned[X.columns]).gram(0), expected)


# ------------------------------------------------------------------------------------- alignment


def test_aligned_joins_by_ids(tables):
    A, B, _ = tables
    shuffled = B.iloc[ORDER[:25]].assign(count=np.arange(25))
    inner = Modalities.aligned(a=A, b=shuffled)
    expected = [one for one in IDS if one in shuffled.index]
    assert inner.index.tolist() == expected
    pd.testing.assert_frame_equal(inner["b"], shuffled.loc[expected])
    outer = Modalities.aligned({"b": shuffled}, a=A, join="outer")
    assert outer.index.tolist() == [*shuffled.index, *(one for one in IDS if one not in expected)]
    np.testing.assert_array_equal(outer.present()[:, 0], np.arange(N) < 25)
    assert outer.present()[:, 1].all()
    pd.testing.assert_frame_equal(outer["a"], A.loc[outer.index])


def test_an_outer_join_is_learned_from_by_marginalising(tables):
    A, B, y = tables
    X = Modalities.aligned(a=A[:30], b=B[10:], join="outer")
    padded = Modalities(
        a=np.r_[A[:30].to_numpy(), np.full((10, 3), np.nan)],
        b=np.r_[np.full((10, 2), np.nan), B[10:].to_numpy()],
    )
    kernels = [("a", "rbf", "a"), ("b", "rbf", "b")]
    kernelizer = ColumnKernelizer(kernels, missing="marginalise")
    found, expected = (kernelizer.fit_transform(one).materialize() for one in (X, padded))
    for k in range(2):
        np.testing.assert_allclose(found.gram(k), expected.gram(k), atol=1e-12)
    model = make_pipeline(kernelizer, MKLClassifier()).fit(X, y.loc[X.index])
    assert model.score(X, y.loc[X.index]) > 0.8


def test_what_cannot_be_aligned_is_refused(tables):
    A, B, _ = tables
    for wrong, error, words in (
        (B.to_numpy(), TypeError, "expected a pandas DataFrame"),
        (pd.concat([B, B]), ValueError, "more than once"),
        (B.reset_index(drop=True), ValueError, "ids of one type"),
        (B.set_axis([None, *IDS[1:]]), ValueError, "without an id"),
        (DIFFERENT["other ids"](B), ValueError, "in common"),
    ):
        with pytest.raises(error, match=words):
            Modalities.aligned(a=A, b=wrong)
    with pytest.raises(ValueError, match='expected "inner" or "outer"'):
        Modalities.aligned(a=A, join="left")


# --------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "kernel",
    [
        RBF([1.0, 2.0, 3.0]),
        lambda X, Y: np.asarray(X)[:, :1] @ np.asarray(Y)[:, :1].T,
        make_pipeline(FunctionTransformer(), RBF([1.0, 2.0, 3.0])),
        "rbf",
    ],
)
@pytest.mark.parametrize("missing", ["error", "marginalise"])
def test_columns_of_a_modality_are_found_by_name(tables, kernel, missing):
    A, B, _ = tables
    kernelizer = ColumnKernelizer([("a", kernel, "a")], missing=missing).fit(Modalities(a=A))
    expected = kernelizer.transform(Modalities(a=A)).gram(0)
    turned = kernelizer.transform(Modalities(a=A[["c", "a", "b"]])).gram(0)
    np.testing.assert_array_equal(turned, expected)
    with pytest.raises(ValueError, match=r"lacks the columns \['c'\]"):
        kernelizer.transform(Modalities(a=A[["a", "b"]]))


def test_a_top_level_of_columns_is_a_modality(tables):
    A, B, y = tables
    X, same = pd.concat({"rna": A, "cnv": B}, axis=1), Modalities(rna=A, cnv=B)
    kernels = [("rna", RBF([1.0, 2.0, 3.0]), "rna"), ("cnv", "auto", "cnv")]
    kernelizer = ColumnKernelizer(kernels)
    expected = kernelizer.fit(same).transform(same).materialize()
    found = kernelizer.fit(X).transform(X[X.columns[::-1]]).materialize()
    for k in range(2):
        np.testing.assert_allclose(found.gram(k), expected.gram(k), rtol=1e-12)
    assert kernelizer.columns_seen(X) == [[0, 1, 2], [3, 4]]
    late = LateFusionClassifier()
    np.testing.assert_array_equal(late.fit(X, y).predict(X), late.fit(same, y).predict(same))
    options = {"methods": ["uniform"], "cv": 3, "fast": True}
    found = [compare_fusion(one, y, **options) for one in (X, same)]
    assert found[0].verdict_.verdict == found[1].verdict_.verdict
    losses = [one.losses("uniform kernel sum") for one in found]
    np.testing.assert_allclose(*losses, rtol=1e-3)  # machines end within their tolerance
    with pytest.raises(ValueError, match=r"top levels .*\['rna', 'cnv'\]"):
        ColumnKernelizer([("r", "rbf", "rn")]).fit(X)


def test_a_number_plus_a_kernel_of_a_modality(tables):
    A, B, _ = tables
    X = Modalities(a=A, b=B)
    gram = Kernelizer(1 + LinearKernel().on("a"), normalize=None).fit_transform(X).gram(0)
    np.testing.assert_allclose(gram, 1 + A.to_numpy() @ A.to_numpy().T)
