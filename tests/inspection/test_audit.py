"""An audit finds what was planted, and is quiet where nothing is."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import chi2_contingency, fisher_exact, kruskal
from sklearn import datasets
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, KFold

import mkfusion.datasets
from mkfusion import Modalities
from mkfusion.inspection import DataAudit, audit
from mkfusion.inspection._audit_columns import Target, can_be_told, single_scores
from mkfusion.inspection._audit_design import associated
from mkfusion.inspection._audit_tables import Part


def study(n=85, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 6)), rng.normal(size=(n, 4))
    return a, b, rng.permutation(np.arange(n) % 2)


def told(found, check=None, *, notes=False):
    """Level, check and modality of what was found."""
    return [
        (one.level, one.check, one.modality)
        for one in found.findings
        if (check is None or one.check == check) and (notes or one.level != "note")
    ]


# ---------------------------------------------------------------------------- quiet or right


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_quiet_on_tables_of_scikit_learn(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    half = X.shape[1] // 2
    modalities = [("first", slice(0, half)), ("second", slice(half, None))]
    task = "regression" if name == "diabetes" else "auto"
    found = audit(X, y, modalities=modalities, task=task)
    assert told(found) == []
    # Pixels at the margin of digits are never set.
    expected = [("note", "constant", "first"), ("note", "constant", "second")]
    assert told(found, notes=True) == (expected if name == "digits" else [])


@pytest.mark.parametrize("name", ["basic_motions", "promoters", "sonar"])
def test_quiet_on_data_that_ship(name):
    X, y = getattr(mkfusion.datasets, f"load_{name}")(return_X_y=True)
    assert told(audit(X, y), notes=True) == []


def test_handwritten_digits_have_the_copies_that_comparing_all_rows_finds():
    X, y = mkfusion.datasets.load_mfeat(return_X_y=True)
    keep = np.flatnonzero(np.isin(y, np.unique(y)[[1, 6, 9]]))
    X, y = X[keep], y[keep]
    found = audit(X, y)
    whole = np.hstack([X[name] for name in X.names])
    counts = np.unique(whole, axis=0, return_counts=True)[1]
    of_all = [one for one in found.findings if one.check == "copies" and not one.modality]
    assert [one.n for one in of_all] == [counts[counts > 1].sum()]
    # A six upside down is a nine to moments that do not change with rotation.
    zernike = [one for one in found.findings if one.modality == "zer"]
    assert len(zernike) == 1 and "of different classes" in zernike[0].what


@pytest.mark.parametrize(
    "kind", ["normal", "heavy tails", "rounded", "categories", "three columns", "gaps"]
)
def test_no_copies_in_noise(kind):
    n_false = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 8))
        if kind == "heavy tails":
            X = rng.standard_t(1, size=(200, 8))
        elif kind == "rounded":  # rows that agree by chance, as in tables of few digits
            X = (X[:, :3] @ [[1, 0.9], [0, 0.3], [0, 0]]).round(1)
        elif kind == "categories":
            X = pd.DataFrame(rng.choice(list("abc"), size=(200, 5)))
        elif kind == "three columns":
            X = X[:, :3]
        elif kind == "gaps":  # who lacks the number is no copy of who has its median
            X = pd.DataFrame({"age": 60 + 10 * X[:, 0], "sex": X[:, 1] > 0, "site": X[:, 2] > 1})
            X.loc[rng.random(200) < 0.1, "age"] = np.nan
        n_false += len(told(audit(X, rng.integers(0, 2, 200)), "copies", notes=True))
    assert n_false == 0


# ---------------------------------------------------------------------------- copies


@pytest.mark.parametrize("noise", [0.0, 1e-9, 0.01])
def test_copies_under_other_ids(noise):
    a, b, y = study()
    rng = np.random.default_rng(1)
    for part in (a, b):
        part[60:] = part[10:35] + noise * rng.normal(size=(25, part.shape[1]))
    ids = [f"p{i}" for i in range(85)]
    found = audit({"a": a, "b": b}, y, ids=ids)
    assert told(found) == [("serious", "copies", "")]
    (one,) = found.findings
    assert one.n == 50 and one.examples[0] == "p10 and p60"
    assert ("exact" if noise == 0 else "near") in one.what
    expected = np.arange(85)
    expected[60:] = np.arange(10, 35)
    assert (found.clusters == np.unique(expected, return_inverse=True)[1]).all()
    # As groups, they keep copies on one side.
    folds = list(GroupKFold(5).split(a, y, found.clusters))
    assert told(audit({"a": a, "b": b}, y, cv=folds)) == []
    assert told(audit({"a": a, "b": b}, y, groups=found.clusters)) == []


def test_copies_with_gaps():
    """Near copies that lack the same cell, or of many columns one that the other has."""
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(85, 200)), rng.integers(0, 2, 85)
    a[:20, 0] = np.nan
    a[60:] = a[:25] + 0.001 * rng.normal(size=(25, 200))
    (one,) = audit(a, y).findings
    assert one.check == "copies" and one.n == 50
    a[60:70, 5] = np.nan
    (one,) = audit(a, y).findings
    assert one.check == "copies" and one.n == 50


def test_copies_are_counted_where_folds_part_them():
    a, b, y = study(60)
    a[40:50], b[40:50] = a[:10], b[:10]
    folds = KFold(3)  # 0-19, 20-39, 40-59: each copy on another side than the first
    found = audit({"a": a, "b": b}, y, cv=folds)
    assert "10 pairs on both sides of a fold" in found.findings[0].what
    half = [(np.arange(20), np.arange(20, 40))]  # these samples are in neither part
    assert "0 pairs on both sides" in audit({"a": a, "b": b}, y, cv=half).findings[0].what


def test_copies_in_one_modality_and_of_other_classes():
    a, b, y = study()
    a[60:80] = a[:20]
    y[:20], y[60:80] = 0, 1
    found = audit({"a": a, "b": b}, y)
    assert told(found) == [("warning", "copies", "a")]
    assert "20 pairs of different classes" in found.findings[0].what
    assert "under two names" in found.findings[0].advice


@pytest.mark.parametrize("kind", ["texts", "signals", "sparse", "lists", "categories", "polars"])
def test_copies_in_modalities_of_any_type(kind):
    rng = np.random.default_rng(0)
    n = 60
    y = np.arange(n) % 2
    if kind == "texts":
        words = np.array("ant bee cat dog elk fox gnu hen ibis jay kite lynx".split())
        data = [" ".join(rng.choice(words, 8)) for _ in range(n)]
        data[30:40] = [text.upper().replace(" ", "  ") for text in data[:10]]
    elif kind == "lists":
        data = [rng.normal(size=(2, rng.integers(5, 9))) for _ in range(n)]
        data[30:40] = [one.copy() for one in data[:10]]
    elif kind in ("categories", "polars"):
        data = pd.DataFrame(rng.choice(list("abcd"), size=(n, 15)), columns=[*"abcdefghijklmno"])
        data.iloc[30:40] = data.iloc[:10].to_numpy()
        if kind == "polars":
            data = pytest.importorskip("polars").from_pandas(data)
    else:
        data = rng.normal(size=(n, 3, 20)) if kind == "signals" else rng.normal(size=(n, 30))
        data[30:40] = data[:10]
        data = csr_array(data * (rng.random(30) < 0.4)) if kind == "sparse" else data
    found = audit(Modalities(data=data, other=rng.normal(size=(n, 5))), y)
    (one,) = [one for one in found.findings if one.check == "copies"]
    assert (one.n, one.modality) == (20, "data")
    assert one.examples[0] == "sample 0 and sample 30"


class Graph:
    """Iterates as nobody expects, and looks like all others."""

    def __init__(self, edges):
        self.edges = edges

    def __len__(self):
        return len(self.edges)

    def __getitem__(self, node):
        raise KeyError(node)

    def __repr__(self):
        return "Graph"


@pytest.mark.parametrize("kind", ["graphs", "unlike lists", "cells of lists", "functions"])
def test_items_that_nobody_knows(kind):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    edges = [rng.integers(0, 99, (int(rng.integers(3, 6)), 2)).tolist() for _ in range(60)]
    items = [Graph(one) for one in edges]
    if kind == "unlike lists":
        items = [[1, one] for one in edges]
    elif kind == "cells of lists":
        items = pd.DataFrame({"edges": edges, "n": rng.normal(size=60)})
    elif kind == "functions":
        items = [lambda x, one=one: one for one in edges]
    X = Modalities(items=items, other=rng.normal(size=(60, 3)))
    assert told(audit(X, y), "copies", notes=True) == []
    if kind in ("graphs", "unlike lists"):
        items[40:50] = items[:10]
        found = audit(Modalities(items=items, other=X["other"]), y)
        assert told(found) == [("warning", "copies", "items")]


def test_samples_that_lack_a_modality_are_no_copies():
    a, b, y = study()
    a[::3] = np.nan
    assert told(audit({"a": a, "b": b}, y), "copies", notes=True) == []


# ---------------------------------------------------------------------------- columns


def test_column_that_is_the_target():
    a, b, y = study()
    table = pd.DataFrame(a, columns=list("uvwxyz")).assign(
        coded=np.where(y, -3.0, 8.0), odd=np.where(y, "ill", "well")
    )
    found = audit({"clinic": table, "b": b}, np.where(y, "ill", "well"))
    assert told(found) == [("serious", "telling", "clinic")]
    assert found.findings[0].examples == ("coded", "odd")
    assert "without any error" in found.findings[0].what


def test_columns_that_nearly_are_the_target():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    noise = rng.normal(size=(300, 5))
    X = np.column_stack([noise, np.exp(y), y + 0.15 * noise[:, 0], np.abs(y - 0.3) ** 0.5])
    found = audit(X, y)
    assert told(found) == [("serious", "telling", "X")]  # a monotone function of it
    assert found.findings[0].examples == ("5",)
    found = audit(X[:, [0, 1, 6]], y)
    assert told(found) == [("warning", "telling", "X")]
    # The last tells how far, not where: half of it at most.
    assert told(audit(X[:, [0, 1, 7]], y)) == []


def test_target_of_classes_that_no_order_tells():
    rng = np.random.default_rng(0)
    codes = np.arange(400) % 8
    X = np.column_stack([rng.normal(size=(400, 4)), codes])
    found = audit(X, np.isin(codes, [1, 2, 5]))
    assert told(found, "telling") == [("serious", "telling", "X")]
    assert told(audit(X, np.array(list("hgfedcba"))[codes]), "telling") == [
        ("serious", "telling", "X")
    ]


def test_single_scores_are_at_least_those_of_monotone_relations():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 2
    cells = rng.normal(size=(150, 8)).round(1) + y[:, np.newaxis] * np.linspace(-2, 2, 8)
    (block,) = Part("X", cells).blocks()
    areas = np.array([roc_auc_score(y, column) for column in cells.T])
    found = single_scores(block, y, 2)
    assert (found >= np.maximum(areas, 1 - areas) - 1e-12).all()
    np.testing.assert_allclose(found[[0, 7]], np.maximum(areas, 1 - areas)[[0, 7]])
    numbers = cells[:, 0] + rng.normal(size=150)
    squares = np.corrcoef(cells, numbers, rowvar=False)[-1, :-1] ** 2
    assert (single_scores(block, numbers, 0) >= squares - 1e-12).all()


def test_few_samples_are_told_apart_by_luck():
    # 924 ways to choose six of twelve: one of many columns of noise separates them.
    target = Target(np.arange(12) % 2, 2)
    assert not can_be_told(target, 1) and not can_be_told(target, 100)
    assert can_be_told(Target(np.arange(40) % 2, 2), 5000)
    rng = np.random.default_rng(0)
    assert told(audit(rng.normal(size=(14, 4000)), np.arange(14) % 2), "telling") == []


def test_columns_that_name_samples():
    a, b, y = study()
    rng = np.random.default_rng(0)
    table = pd.DataFrame(a[:, :2], columns=["u", "v"]).assign(
        nr=np.arange(85),
        shuffled=rng.permutation(85) + 1000,
        patient_id=rng.choice(10**6, 85, replace=False),
        # These name nothing: counts of cells, days one after the other, and a value that repeats.
        cells=rng.choice(10**6, 85, replace=False),
        seen=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(85), "D"),
        ward=rng.integers(0, 40, 85),
    )
    found = audit({"a": table, "b": b}, y)
    names = {one.examples[0] for one in found.findings if one.check == "ids"}
    assert names == {"nr", "shuffled", "patient_id"}
    assert {one.level for one in found.findings if one.check == "ids"} == {"warning"}
    (one,) = [one for one in audit({"a": table, "b": b}, np.sort(y)).findings if "nr" in one.what]
    assert one.level == "serious" and "as the order of rows does" in one.what


def test_constant_columns():
    a, b, y = study()
    a[:, 2], a[:, 4] = 7, np.nan
    found = audit({"a": a, "b": b, "c": np.ones((85, 3))}, y)
    assert told(found, "constant", notes=True) == [
        ("warning", "constant", "c"),
        ("note", "constant", "a"),
    ]
    assert found.findings[1].examples == ("2", "4")


def test_modality_that_tells_the_target_by_all_its_columns():
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(400, 20)), rng.normal(size=(400, 3))
    target = a.sum(axis=1) > 0
    a += 0.5 * np.sign(a.sum(axis=1, keepdims=True))
    found = audit({"a": a, "b": y}, target)
    assert told(found, notes=True) == [("note", "telling", "a")]


# ---------------------------------------------------------------------------- gaps and batches


def test_who_lacks_a_modality():
    a, b, y = study(200)
    rng = np.random.default_rng(0)
    some = b.copy()
    some[rng.random(200) < 0.3] = np.nan
    assert told(audit({"a": a, "b": some}, y)) == []
    assert told(audit({"a": a, "b": some}, y), notes=True) == [("note", "missing", "b")]
    b[rng.random(200) < np.where(y, 0.4, 0.1)] = np.nan
    found = audit({"a": a, "b": b}, y)
    assert told(found) == [("warning", "missing", "b")]
    by_number = audit({"a": a, "b": b}, y + 0.1 * rng.normal(size=200))
    assert told(by_number) == [("warning", "missing", "b")]


def test_columns_that_are_empty_for_one_class():
    a, b, y = study(200)
    a[:, 1] = np.where(np.random.default_rng(0).random(200) < 0.1, np.nan, a[:, 1])
    a[:, 3] = np.where(y & (a[:, 0] > 0), np.nan, a[:, 3])
    found = audit({"a": a, "b": b}, y)
    assert told(found) == [("warning", "missing", "a")]
    assert found.findings[0].examples == ("'3'",)


def test_tests_are_those_of_scipy():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    labels = np.where(rng.random(60) < 0.3, 1 - y, y)
    table = np.array([[np.sum((labels == i) & (y == j)) for j in (0, 1)] for i in (0, 1)])
    assert associated(labels, Target(y, 2)).p_value == fisher_exact(table).pvalue
    many, three = rng.integers(0, 4, 600), rng.integers(0, 3, 600)
    table = np.array([[np.sum((many == i) & (three == j)) for j in range(3)] for i in range(4)])
    expected = chi2_contingency(table, correction=False)
    found = associated(many, Target(three, 3))
    np.testing.assert_allclose(found.p_value, expected.pvalue)
    np.testing.assert_allclose(found.strength**2, expected.statistic / (600 * 2))
    numbers = rng.normal(size=600) + 0.3 * many
    expected = kruskal(*(numbers[many == i] for i in range(4))).pvalue
    assert associated(many, Target(numbers, 0)).p_value == expected


def test_permutations_of_a_small_table_have_the_exact_p_value():
    # Three batches of two samples are the classes: 6 of the 90 arrangements are as strong.
    labels = np.repeat([0, 1, 2], 2)
    p = associated(labels, Target(labels, 3)).p_value
    assert abs(p - 6 / 90) < 4 * (6 / 90 * 84 / 90 / 9999) ** 0.5


def test_batches():
    a, b, y = study(120)
    rng = np.random.default_rng(0)
    X = {"a": a, "b": b}
    sites = rng.choice(["north", "south"], 120)
    assert told(audit(X, y, batch=sites)) == []
    mixed = np.where(rng.random(120) < 0.2, sites, np.where(y, "north", "south"))
    assert told(audit(X, y, batch=mixed)) == [("warning", "batch", "")]
    same = np.where(y, "north", "south")
    assert told(audit(X, y, batch=same)) == [("serious", "batch", "")]
    found = audit(X, y, batch=rng.normal(size=120))
    assert told(found, notes=True) == [("note", "batch", "")]


def test_classes_and_sizes():
    a, b, _ = study(100)
    y = np.repeat(["rare", "usual"], [9, 91])
    found = audit({"a": a, "b": b}, y)
    assert told(found) == [("warning", "classes", "")]
    assert "accuracy of 0.910" in found.findings[0].what
    y = np.repeat(["few", "x", "y"], [3, 48, 49])
    assert [one.n for one in audit({"a": a, "b": b}, y).findings] == [3, 3]
    found = audit({"a": a[:20], "b": b[:20]}, np.arange(20) % 2, groups=np.arange(20) // 4)
    assert told(found, "size", notes=True) == [("warning", "size", ""), ("note", "size", "")]
    groups = np.arange(100) // 5
    found = audit({"a": a, "b": b}, groups % 2, groups=groups)
    assert "20 independent cases, not 100" in found.findings[0].advice


def test_subjects_that_nothing_keeps_together():
    a, b, y = study(120)
    subject = np.repeat(np.arange(20), 6)
    X = pd.DataFrame(np.hstack([a, b])).rename(columns=str).assign(subject=subject)
    modalities = [("a", slice(0, 6)), ("b", slice(6, 10))]
    assert told(audit(X, y, modalities=modalities), notes=True) == [("note", "groups", "")]
    X.iloc[:, :6] += 3 * np.random.default_rng(1).normal(size=(20, 6))[subject]
    found = audit(X, y, modalities=modalities)
    assert told(found) == [("warning", "groups", "")]
    assert told(audit(X, y, modalities=modalities, groups=subject)) == []
    inside = audit(X, y, modalities=[("a", slice(0, 6)), ("b", [*range(6, 11)])])
    assert told(inside) == [("warning", "groups", "b")]
    indexed = X.drop(columns="subject").set_axis(subject, axis=0)
    assert told(audit(indexed, pd.Series(y, index=subject), modalities=modalities)) == [
        ("serious", "groups", "")
    ]
    assert told(audit({"a": a, "b": b}, y, ids=subject)) == [("serious", "groups", "")]


# ---------------------------------------------------------------------------- what comes out


def test_outcome_as_table_and_text():
    a, b, y = study()
    a[60:80], b[60:80] = a[:20], b[:20]
    a[:, 2] = 1
    found = audit({"a": a, "b": b}, y)
    table = found.to_frame()
    assert table["level"].tolist() == ["serious", "note"]
    assert table["n"].tolist() == [40, 1]
    assert repr(found).startswith("Audit of 85 samples of a, b: 1 serious, 1 note.\nserious: 40 ")
    assert (found.count("serious"), found.count("warning")) == (1, 0)
    more = found.with_findings([found.findings[0]._replace(level="warning")])
    assert isinstance(more, DataAudit)
    assert [one.level for one in more.findings] == ["serious", "warning", "note"]
    assert str(audit(study()[1], y)) == "Audit of 85 samples of X: nothing found."


def test_the_same_however_often_it_is_asked():
    a, b, y = study()
    a[60:80] = a[:20] + 1e-3
    X = Modalities(a=a, b=b)
    first, second = audit(X, y), audit(X, y)
    assert first.findings == second.findings
    np.testing.assert_array_equal(first.clusters, second.clusters)
    assert told(first) == told(audit(X[::-1], y[::-1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "guess"}, "task is 'guess'"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"batch": [1, 2]}, r"batch has shape \(2,\)"),
        ({"ids": [1, 2]}, r"ids has shape \(2,\)"),
        ({"modalities": [("a", [0, 99])]}, "99"),
    ],
)
def test_bad_input(options, message):
    a, _, y = study()
    with pytest.raises((ValueError, TypeError, IndexError), match=message):
        audit(a, y, **options)


def test_targets_that_are_none():
    a, _, y = study()
    with pytest.raises(ValueError, match="y is 0 for every sample"):
        audit(a, 0 * y)
    with pytest.raises(ValueError, match="expected numbers"):
        audit(a, y.astype(str), task="regression")
    with pytest.raises(ValueError, match="3"):
        audit(a, [0, 1, 0])
    a[3, 2] = np.inf
    with pytest.raises(ValueError, match="modality 'X': .*inf.*; expected finite numbers"):
        audit(a, y)
