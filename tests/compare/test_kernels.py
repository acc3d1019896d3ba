"""Kernels of users' own for some modalities; and what a comparison says of the data."""

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mkfusion import (
    ChiSquaredKernel,
    ColumnKernelizer,
    KernelCombiner,
    LinearKernel,
    Modalities,
    PrecomputedKernel,
    compare_fusion,
)
from mkfusion.compare import default_metrics
from mkfusion.compare._data import describe_modalities
from mkfusion.compare._methods import FAST_COSTS
from mkfusion.datasets import load_photographs, load_promoters
from mkfusion.inspection import DataAudit, audit

QUICK = {"fast": True, "cv": 3, "methods": ["uniform"]}


def histograms(n=60, seed=0):
    """Colours as shares, and numbers."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    colour = rng.dirichlet(np.ones(6), n) ** 2
    colour[:, 0] += 0.15 * y
    return Modalities(colour=colour, shape=rng.normal(size=(n, 3)) + 0.5 * y[:, np.newaxis]), y


def alone(X, y, name, kernel):
    """Scores of one modality by scikit-learn's nested search."""
    model = GridSearchCV(
        make_pipeline(
            ColumnKernelizer([(name, kernel, name)]), KernelCombiner(), SVC(kernel="precomputed")
        ),
        {"svc__C": FAST_COSTS},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    )
    outer = StratifiedKFold(3, shuffle=True, random_state=0).split(np.zeros(len(y)), y)
    return [model.fit(X[train], y[train]).score(X[test], y[test]) for train, test in outer]


def similarity(A, B):
    return np.minimum(A[:, np.newaxis], B).sum(axis=2)


@pytest.fixture(scope="module")
def shape_alone():
    return alone(*histograms(), "shape", "auto")


@pytest.mark.parametrize(
    "kernel",
    [
        ChiSquaredKernel(),
        "chi2",
        RBF(0.3),
        similarity,
        make_pipeline(StandardScaler(), LinearKernel()),
        2.0 * ChiSquaredKernel() + LinearKernel(),
    ],
    ids=["object", "name", "Gaussian process", "callable", "pipeline", "algebra"],
)
def test_a_kernel_of_ones_own(kernel, shape_alone):
    X, y = histograms()
    found = compare_fusion(X, y, kernels={"colour": kernel}, **QUICK)
    np.testing.assert_array_equal(found.scores("colour alone"), alone(X, y, "colour", kernel))
    np.testing.assert_array_equal(found.scores("shape alone"), shape_alone)
    assert found.conditions_.modalities[0].kernel is kernel


def test_auto_is_what_is_chosen_without_a_word():
    X, y = histograms()
    plain = compare_fusion(X, y, **QUICK)
    for kernels in ({}, {"colour": "auto", "shape": None}):
        found = compare_fusion(X, y, kernels=kernels, **QUICK)
        np.testing.assert_array_equal(found.scores("colour alone"), plain.scores("colour alone"))


def test_kernel_of_columns_of_a_table():
    X, y = histograms()
    table = pd.DataFrame(np.hstack([X["colour"], X["shape"]])).rename(columns=str)
    modalities = [("colour", slice(0, 6)), ("shape", slice(6, 9))]
    found = compare_fusion(table, y, modalities, kernels={"colour": ChiSquaredKernel()}, **QUICK)
    np.testing.assert_array_equal(
        found.scores("colour alone"), alone(X, y, "colour", ChiSquaredKernel())
    )


def test_kernel_of_what_auto_does_not_know():
    rng = np.random.default_rng(0)
    _, y = histograms()
    sets = [{int(i) for i in rng.integers(0, 9, 4)} | {20 + label} for label in y.tolist()]
    X = Modalities(sets=[frozenset(one) for one in sets], numbers=rng.normal(size=(60, 2)))

    def jaccard(A, B):
        return np.array([[len(a & b) / len(a | b) for b in B] for a in A])

    methods = ["uniform", "early", "linear", "linear_alone"]
    options = {**QUICK, "methods": methods}
    found = compare_fusion(X, y, kernels={"sets": jaccard}, **options)
    assert found.scores("sets alone").mean() > 0.8
    reason = "'sets' is neither numbers, categories, texts nor signals"
    assert found.not_applicable_ == {
        "early fusion": reason,
        "penalised linear (joined)": reason,
        "penalised linear (sets)": reason,
    }


def test_samples_that_lack_the_modality():
    X, y = histograms()
    colour = X["colour"].copy()
    colour[::6] = np.nan
    X = Modalities(colour=colour, shape=X["shape"])
    found = compare_fusion(X, y, kernels={"colour": ChiSquaredKernel()}, **QUICK)
    assert found.not_applicable_ == {}
    assert found.conditions_.modalities[0].n_missing == 10


def test_memory_tells_kernels_apart(tmp_path):
    X, y = histograms()
    scores = [
        compare_fusion(X, y, kernels={"colour": kernel}, memory=tmp_path, **QUICK).scores(
            "colour alone"
        )
        for kernel in (ChiSquaredKernel(gamma=1.0), ChiSquaredKernel(gamma=50.0))
    ]
    assert (scores[0] != scores[1]).any()
    # Two whose texts are the same, as large arrays are shortened there
    ids = np.arange(60)
    grams = [np.eye(60) + 0.5 * np.equal.outer(y, y), np.eye(60)]
    X = Modalities(colour=ids, shape=X["shape"])
    found = [
        compare_fusion(
            X, y, kernels={"colour": PrecomputedKernel(gram)}, memory=tmp_path, **QUICK
        ).scores("colour alone")
        for gram in grams
    ]
    assert found[0].mean() == 1 and found[1].mean() < 0.8
    with pytest.raises(ValueError, match="kernels cannot be pickled, which memory needs"):
        compare_fusion(X, y, kernels={"shape": lambda A, B: A @ B.T}, memory=tmp_path, **QUICK)


@pytest.mark.parametrize(
    ("kernels", "message"),
    [
        ({"color": "rbf"}, r"kernels has \['color'\]; expected names of modalities"),
        ([("colour", "rbf")], "expected a dict of kernels"),
        ({"colour": ["rbf", "linear"]}, "expected one kernel, such as k1"),
        ({"colour": "rfb"}, r"kernels\['colour'\] is 'rfb'"),
        ({"colour": SVC()}, r"kernels\['colour'\] is SVC\(\)"),
        ({"colour": 3}, r"kernels\['colour'\] is 3"),
        ({"shape": ChiSquaredKernel()}, r"kernels\['shape'\] is ChiSquaredKernel"),  # negative
    ],
)
def test_kernels_that_cannot_be_are_refused_before_any_work(kernels, message, monkeypatch):
    X, y = histograms()
    monkeypatch.setattr("mkfusion.compare._run._run", None)
    with pytest.raises((ValueError, TypeError), match=message):
        compare_fusion(X, y, kernels=kernels, **QUICK)


# ---------------------------------------------------------------------------- the data


def test_comparison_tells_whether_the_data_can_be_trusted():
    X, y = histograms(60)
    colour, shape = X["colour"].copy(), X["shape"].copy()
    colour[40:55], shape[40:55] = colour[:15], shape[:15]
    X = Modalities(colour=colour, shape=shape)
    found = compare_fusion(X, y, batch=y, **QUICK)
    assert isinstance(found.audit_, DataAudit)
    folds = [(fold.train, fold.test) for fold in found.conditions_.folds]
    assert found.audit_.findings == audit(X, y, batch=y, cv=folds).findings
    # The batch is the target, which the first colour tells.
    checks = [(one.check, one.level, one.modality) for one in found.audit_.findings]
    assert checks == [
        ("copies", "serious", ""),
        ("batch", "serious", ""),
        ("batch", "warning", "colour"),
    ]
    assert str(found).count("The data may not be trusted: ") == 2
    text = found.to_markdown()
    assert "## Is the data trustworthy?" in text and "on both sides of a fold" in text
    groups = found.audit_.clusters
    kept = compare_fusion(X, y, groups=groups, cv=GroupKFold(3), fast=True, methods=["uniform"])
    assert "may not be trusted" not in str(kept)
    assert [one.level for one in kept.audit_.findings] == ["note"]


def test_uneven_classes_are_scored_by_balanced_accuracy_first():
    even, uneven = np.arange(40) % 2, np.repeat([0, 1], [30, 10])
    assert default_metrics(even, True) == ["accuracy", "balanced_accuracy", "f1_macro"]
    assert default_metrics(uneven, True)[0] == "balanced_accuracy"
    assert default_metrics(uneven, False)[0] == "r2"
    X, _ = histograms(40)
    found = compare_fusion(X, uneven, **QUICK)
    assert found.conditions_.metrics[:2] == ["balanced_accuracy", "accuracy"]
    assert (found.scores("no modality (majority class)") == 0.5).all()


def test_sequences_are_letters_to_methods_without_kernels():
    bunch = load_promoters()
    strings = bunch.data["sequence"]
    cut = [string[: 30 + i % 5] for i, string in enumerate(strings)]
    X = Modalities(whole=strings, cut=cut)
    one_hot, pieces = (one.features for one in describe_modalities(X, X.names))
    letters = one_hot.fit_transform(strings)
    # Two samples have as many ones in common as letters at the same place.
    same = [[sum(map(str.__eq__, a, b)) for b in strings] for a in strings[:9]]
    np.testing.assert_array_equal(letters[:9] @ letters.T, same)
    # Pieces of three letters are shared, or not, wherever they are.
    assert pieces.fit_transform(["acgtt", "ttacg", "ggggg"]).toarray()[0].nonzero()[0].size == 3
    found = compare_fusion(Modalities(a=strings, b=cut), bunch.target, **QUICK)
    assert "penalised linear (joined)" not in found.not_applicable_


def test_images_are_compared_by_the_kernels_that_auto_chooses():
    photographs = load_photographs()
    mine = np.isin(photographs.target, ["flower", "rocket"])
    y = photographs.target[mine]
    X = Modalities(
        image=photographs.data["image"][mine],
        brightness=np.random.default_rng(0).normal(size=(60, 2)),
    )
    options = {**QUICK, "methods": ["uniform", "early"]}
    found = compare_fusion(X, y, groups=photographs.group[mine], **options)
    assert found.not_applicable_ == {"early fusion": "'image' is images"}
    assert found.scores("image alone").mean() > 0.8
    assert found.conditions_.modalities[0].shape == "images of 24 x 24 pixels"


def test_columns_of_dates_are_named_where_a_method_cannot_use_them():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    clinical = pd.DataFrame({"age": rng.normal(size=60) + y, "seen": pd.to_datetime(y, unit="D")})
    X = Modalities(clinical=clinical, gait=rng.normal(size=(60, 2)))
    found = compare_fusion(X, y, **{**QUICK, "methods": ["uniform", "linear"]})
    reason = "'clinical' is a table with dates or durations ('seen')"
    assert found.not_applicable_ == {"penalised linear (joined)": reason}
