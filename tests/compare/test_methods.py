"""The registry of methods, and methods of users' own under the same cross-validation."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import mkfusion
from mkfusion import KernelCombiner, Method, Modalities, compare_fusion
from mkfusion.compare import ALWAYS, METHODS
from mkfusion.compare._methods import FAST_COSTS, PlannedMethod
from mkfusion.report import FoldScore

QUICK = {"fast": True, "cv": 3}
MODALITIES = [("useful", ["a", "b"]), ("noise", ["c", "d", "e"])]


def table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], n // 2))
    useful = y[:, np.newaxis] * 1.5 + rng.normal(size=(n, 2))
    return pd.DataFrame(np.hstack([useful, rng.normal(size=(n, 3))]), columns=list("abcde")), y


def beside(X):
    """All modalities of `Modalities`, column by column."""
    return np.hstack([X[name] for name in X.names])


class Refusing(ClassifierMixin, BaseEstimator):
    """Raises what it is told to when it is fitted."""

    def __init__(self, error=None):
        self.error = error

    def fit(self, X, y):
        raise self.error


# ---------------------------------------------------------------------------- the registry


def test_every_method_says_what_it_is():
    assert len(METHODS) == 15
    for key, method in METHODS.items():
        assert method.key == key
        assert method.summary and "\n" not in method.summary
        assert "example" not in method.summary, "help finds its examples by this word"
    for texts in ("label", "summary", "words"):
        assert len({getattr(method, texts) for method in METHODS.values()}) == 15
    simple = {key for key, method in METHODS.items() if method.simple}
    assert simple == {"dummy", "linear_alone", "linear", "early", "late_mean", "uniform"}


def test_docstring_lists_the_registry():
    words = " ".join(compare_fusion.__doc__.split())
    assert "<" not in words
    for key, method in METHODS.items():
        if key not in ALWAYS:
            assert words.count(f'"{key}"') >= 2
            assert f'- "{key}": {method.words}.' in words


def test_a_method_of_the_package_is_one_entry(monkeypatch):
    """What is written nowhere but in the registry stands in help, tables and the paragraph."""
    new = Method(
        "concatenated",
        lambda params, data: make_pipeline(FunctionTransformer(beside), SVC(C=params["C"])),
        candidates=METHODS["early"].candidates,
        label="all columns",
        summary="all columns in one machine",
        words="a machine on all columns",
        reference="Nobody. On nothing. Nowhere (2000).",
        sees="modalities",
    )
    monkeypatch.setitem(METHODS, new.key, new)
    X, y = table()
    found = compare_fusion(X, y, MODALITIES, methods=["concatenated"], **QUICK)
    text = found.to_markdown()
    assert "a machine on all columns \\[1\\]" in text and "1. Nobody. On nothing" in text
    assert found.scores("all columns").mean() > 0.6
    (one,) = [s for s in found.results_ if s.method == "all columns" and s.fold == 1]
    assert isinstance(one, FoldScore) and one.params["C"] in FAST_COSTS
    from mkfusion.cli._parser import _list_methods

    assert "  concatenated   all columns in one machine\n" in _list_methods()


# ---------------------------------------------------------------------------- users' own


@pytest.mark.parametrize("kind", ["a grid", "a list"])
def test_own_method_is_scikit_learns_nested_cross_validation(kind):
    X, y = table()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    name, values = "logisticregression__C", [1e-3, 0.1, 10.0]
    candidates = {name: values} if kind == "a grid" else [{name: value} for value in values]
    own = Method("logistic", model, candidates=candidates)
    found = compare_fusion(X, y, MODALITIES, methods=["uniform", own], random_state=4, **QUICK)
    search = GridSearchCV(
        model, {name: values}, cv=StratifiedKFold(3, shuffle=True, random_state=4)
    )
    outer = StratifiedKFold(3, shuffle=True, random_state=4)
    scores, inner, chosen = [], [], []
    for train, test in outer.split(X, y):
        search.fit(X.iloc[train], y[train])
        scores.append(search.score(X.iloc[test], y[test]))
        inner.append(search.best_score_)
        chosen.append(search.best_params_)
    np.testing.assert_array_equal(found.scores("logistic"), scores)
    results = [score for score in found.results_ if score.method == "logistic"]
    np.testing.assert_allclose([score.inner_score for score in results], inner)
    assert [score.params for score in results] == chosen
    # It is tested, and may be chosen, as any other.
    assert {one.method for one in found.comparisons_} == {"uniform kernel sum", "logistic"}
    assert set(found.chosen_["best fusion method"]) <= {"uniform kernel sum", "logistic"}
    assert set(found.chosen_["best simple baseline"]) <= {
        "no modality (majority class)",
        "uniform kernel sum",
    }


def test_own_method_sees_the_samples_as_they_were_given():
    data, y = table()
    X = Modalities(useful=data[["a", "b"]].to_numpy(), noise=data[["c", "d", "e"]].to_numpy())
    y = y + 0.1 * data["a"].to_numpy()
    model = make_pipeline(FunctionTransformer(beside), Ridge())
    own = Method("ridge", model, label="ridge on all", simple=True)
    found = compare_fusion(X, y, methods=["uniform", own], **QUICK)
    folds = KFold(3, shuffle=True, random_state=0)
    np.testing.assert_allclose(
        found.scores("ridge on all"), cross_val_score(model, X, y, cv=folds, scoring="r2")
    )
    # The target is as it was given, too; and it is simple, as it says.
    assert {one.reference for one in found.comparisons_} == {"best single modality"}


def test_own_method_on_kernels():
    X, y = table()
    model = make_pipeline(KernelCombiner(), SVC(kernel="precomputed"))
    own = Method("sum", model, candidates={"svc__C": FAST_COSTS}, sees="kernels")
    found = compare_fusion(X, y, MODALITIES, methods=["uniform", own], **QUICK)
    np.testing.assert_array_equal(found.scores("sum"), found.scores("uniform kernel sum"))


def test_probabilities_are_of_classes_where_decisions_are_of_pairs():
    """Of three classes both have three columns."""
    X, _ = table()
    y = np.array(["u", "v", "w"])[np.arange(60) % 3]
    X["a"] += 2.0 * (y == "w")
    methods = [
        Method(shape, make_pipeline(StandardScaler(), SVC(decision_function_shape=shape)))
        for shape in ("ovr", "ovo")
    ]
    found = compare_fusion(X, y, MODALITIES, methods=["uniform", *methods], **QUICK)
    rest, pairs = (found.predictions_.of(shape).probabilities for shape in ("ovr", "ovo"))
    assert rest.shape == (60, 3)
    np.testing.assert_array_equal(pairs, rest)


def test_values_that_are_estimators_are_fitted_as_copies():
    X, y = table()
    pipeline = make_pipeline(StandardScaler(), SVC())
    machines = [SVC(C=1.0), DecisionTreeClassifier(max_depth=1)]
    own = Method("any", pipeline, candidates={"svc": machines})
    compare_fusion(X, y, MODALITIES, methods=["uniform", own], **QUICK)
    assert not hasattr(machines[0], "support_") and not hasattr(machines[1], "tree_")
    assert not hasattr(pipeline[-1], "support_")


def test_own_methods_beside_all_and_in_the_report():
    X, y = table()
    own = Method(
        "my_net",
        LogisticRegression(),
        words="my {net} of <layers>",
        reference="Me. My net. Journal of {Nets} 1 (2026).",
    )
    found = compare_fusion(
        X, y, MODALITIES, methods=["all", own, Method("b", SVC())], fast=True, cv=2
    )
    labels = [one.method for one in found.summary_]
    assert labels.index("localized MKL") < labels.index("my_net") < labels.index("b")
    text = found.to_markdown()
    assert "and 14 ways of fusing these: a penalised linear model" in text
    assert r"my {net} of \<layers\> \[8\] and b (SVC)." in text
    assert "8. Me. My net. Journal of {Nets} 1 (2026)." in text
    for method in found.conditions_.methods:
        if method.kind == "fusion" and method.label not in ("my_net", "b"):
            assert method.words in text and method.reference in text.replace("\\", "")


@pytest.mark.parametrize("error", [ValueError("not <these>\ndata"), TypeError("not <these> data")])
def test_own_method_that_refuses_the_data_is_listed_and_warned_of(error):
    X, y = table()
    own = Method("picky", Refusing(error))
    with pytest.warns(UserWarning, match="picky is listed as not applicable"):
        found = compare_fusion(X, y, MODALITIES, methods=["uniform", own], **QUICK)
    assert found.not_applicable_ == {"picky": "fold 1: not <these> data"}
    assert "picky" not in {one.method for one in found.comparisons_}


def test_own_method_for_another_task_is_not_applicable():
    X, y = table()
    methods = ["uniform", Method("ridge", Ridge()), Method("svc", SVC())]
    found = compare_fusion(X, y, MODALITIES, methods=methods, **QUICK)
    assert found.not_applicable_ == {"ridge": "Ridge is not for classification"}
    found = compare_fusion(X, y + 0.5 * X["a"], MODALITIES, methods=methods, **QUICK)
    assert found.not_applicable_ == {"svc": "SVC is not for regression"}


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ([Method("early", SVC())], "a Method of key 'early', which another one has"),
        ([Method("dummy", SVC())], "a Method of key 'dummy'"),
        ([Method("all", SVC())], "a Method of key 'all'"),
        ([Method("a", SVC()), Method("a", Ridge())], "a Method of key 'a'"),
        ([Method("a", SVC(), label="L1 MKL"), "l1_mkl"], "more than one of label 'L1 MKL'"),
        ([Method("a", SVC(), label="noise alone")], "more than one of label 'noise alone'"),
        ([Method("best fusion method", SVC())], "more than one of label 'best fusion method'"),
        ([Method("a", SVC(), kind="single")], "method 'a' is of kind 'single'"),
        ([Method("a", SVC(), question="contributions")], "question 'contributions'"),
        (Method("a", SVC()), r"methods is Method\(.*, no list; expected \"all\", or a list"),
        (["early", SVC()], r"methods has \[SVC\(\)\]"),
        (
            [Method("a", SVC(), candidates={"D": [1]})],
            "method 'a': Invalid parameter",
        ),
        ([Method("a", SVC(), candidates=[])], "candidates of method 'a' are empty"),
        ([Method("a", SVC(), candidates={"C": 1})], "candidates of method 'a' are {'C': 1}"),
        ([Method("a", SVC(), candidates=[1])], "candidates of method 'a' are \\[1\\]"),
    ],
)
def test_methods_that_cannot_be_are_refused_before_any_work(methods, message, monkeypatch):
    X, y = table()
    monkeypatch.setattr(mkfusion.compare._run, "_run", None)
    with pytest.raises((ValueError, TypeError), match=message):
        compare_fusion(X, y, MODALITIES, methods=methods, **QUICK)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("", SVC()), "key of a method is ''"),
        ((3, SVC()), "key of a method is 3"),
        (("a", SVC), "estimator of method 'a' is <class"),
        (("a", "svc"), "estimator of method 'a' is 'svc'"),
        (("a", SVC(), {"label": None}), "label of a method is None"),
        (("a", SVC(), {"sees": "everything"}), "sees of method 'a' is 'everything'"),
        (("a", SVC(), {"kind": "fussion"}), "kind of method 'a' is 'fussion'"),
    ],
)
def test_a_method_is_checked_when_it_is_made(given, message):
    key, estimator, *rest = given
    with pytest.raises((ValueError, TypeError), match=message):
        Method(key, estimator, **(rest[0] if rest else {}))


def test_own_methods_in_other_processes_and_from_memory(tmp_path):
    X, y = table()

    def compared(depth, data=X, **options):
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
        return compare_fusion(
            data, y, MODALITIES, methods=["uniform", Method("tree", tree)], **QUICK, **options
        )

    here = compared(2)
    np.testing.assert_array_equal(compared(2, n_jobs=2).scores("tree"), here.scores("tree"))
    n_pieces = []
    # The same again; another estimator; and X of which no modality tells it.
    for depth, data in ((2, X), (2, X), (1, X), (2, X.assign(extra=y))):
        found = compared(depth, data, memory=tmp_path)
        n_pieces.append(len(list(tmp_path.rglob("output.pkl"))))
        if n_pieces[-1] == n_pieces[0]:
            np.testing.assert_array_equal(found.scores("tree"), here.scores("tree"))
    assert np.diff(n_pieces).tolist() == [0, 3, 3]
    assert found.scores("tree").mean() == 1
    with pytest.raises(ValueError, match="method 'odd' cannot be pickled"):
        odd = Method("odd", make_pipeline(FunctionTransformer(lambda X: X), SVC()))
        compare_fusion(X, y, MODALITIES, methods=["uniform", odd], memory=tmp_path, **QUICK)


def one_machine(params, data):
    return SVC()


def another_machine(params, data):
    return SVC(C=2.0)


def test_pieces_of_own_methods_are_named_by_all_that_they_depend_on():
    X, _ = table()

    def name(method, X=X):
        return PlannedMethod(method, "the same", [{}]).hash(X)

    methods = [Method("a", one_machine), Method("a", another_machine), Method("a", SVC(C=2.0))]
    methods.append(Method("a", SVC(C=2.0), sees="kernels"))
    assert len({name(method) for method in methods}) == 4
    assert name(methods[0]) == name(Method("a", one_machine))
    assert name(methods[0]) != name(methods[0], X + 1)
    # Those of the package see what all see, which is named once.
    assert name(METHODS["early"]) == name(METHODS["early"], X + 1)


def test_copies_in_other_processes_fit_the_same_values_together():
    for method in METHODS.values():
        planned = PlannedMethod(method, "label", [{"p": p, "C": C} for p in (1, 2) for C in (1, 9)])
        assert planned.groups() == [[0, 1], [2, 3]]
        assert pickle.loads(pickle.dumps(planned)).groups() == planned.groups()
