"""compare_fusion: nested, fair, honest about what it cannot know, and resumable."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import mkfusion
from mkfusion import ColumnKernelizer, KernelCombiner, Modalities
from mkfusion.compare import FusionComparison, compare_fusion
from mkfusion.compare._folds import Fold
from mkfusion.compare._methods import FAST_COSTS, METHODS, PlannedMethod
from mkfusion.compare._questions import UNINFORMED, Informed
from mkfusion.inspection import AddedInformation, added_information
from mkfusion.report import INFORMS, INTERACT, Conditions, FoldScore, HeldOut, tables

FUSIONS = {
    "penalised linear (joined)",
    "early fusion",
    "late fusion, mean",
    "late fusion, stacked",
    "interaction regression",
    "CCA fusion",
    "uniform kernel sum",
    "alignment weights",
    "L1 MKL",
    "Lp MKL",
    "kernel sum and products",
    "localized MKL",
}


def exclusive_or(n=120, seed=0):
    """Neither modality tells the class; both together do."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, 2))
    return Modalities(a=a, b=b), np.where(a[:, 0] * b[:, 0] > 0, "same", "different")


def one_suffices(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], n // 2))
    useful = y[:, np.newaxis] * 1.5 + rng.normal(size=(n, 2))
    return Modalities(useful=useful, noise=rng.normal(size=(n, 3))), y


def numbers(n=80, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, 2))
    return Modalities(a=a, b=b), a[:, 0] + b[:, 0] + 0.3 * rng.normal(size=n)


@pytest.fixture(scope="module")
def helps():
    X, y = exclusive_or()
    return compare_fusion(X, y, fast=True, cv=3)


def test_every_method_is_there(helps):
    labels = {one.method for one in helps.summary_}
    assert labels == FUSIONS | {
        "no modality (majority class)",
        "a alone",
        "b alone",
        "penalised linear (a)",
        "penalised linear (b)",
        "best single modality",
        "best simple baseline",
        "best fusion method",
    }
    assert helps.not_applicable_ == {}
    assert len(helps.results_) == 3 * 17
    assert set(helps.conditions_.metrics) == {
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "roc_auc",
    }


def test_fusion_helps_where_modalities_interact(helps):
    assert helps.verdict_.verdict == "helps"
    assert helps.verdict_.information < 0.01
    assert helps.verdict_.test.low > 0.1
    assert helps.scores("interaction regression").mean() > 0.85
    assert helps.scores("a alone").mean() < 0.7
    assert str(helps).startswith("Fusion helps.")
    found = {one.method: one for one in helps.comparisons_ if "single" in one.reference}
    # No mean of modalities that say nothing says anything.
    assert found["late fusion, mean"].verdict == "undecided"


def test_no_evidence_where_one_suffices():
    X, y = one_suffices()
    found = compare_fusion(X, y, fast=True, methods=["uniform", "l1_mkl"])
    assert found.verdict_.verdict == "undecided"
    assert found.verdict_.information > 0.05
    assert found.chosen_["best single modality"] == ["useful alone"] * 5
    assert str(found).startswith("Undecided whether fusion helps.")
    assert "No evidence is not evidence of absence." in str(found)


def test_regression():
    X, y = numbers()
    found = compare_fusion(X, y, fast=True, cv=3)
    assert found.conditions_.task == "regression"
    assert found.not_applicable_ == {
        "localized MKL": "LocalizedMKLClassifier is for classification only"
    }
    assert found.verdict_.verdict == "helps"
    assert {one.method for one in found.summary_} >= FUSIONS - {"localized MKL"}
    shifted = compare_fusion(X, 1e4 + 100 * y, fast=True, cv=3, methods=["l1_mkl", "uniform"])
    for method in ("a alone", "L1 MKL", "uniform kernel sum"):
        np.testing.assert_allclose(shifted.scores(method), found.scores(method), atol=0.02)


def test_single_modality_is_scikit_learns_nested_cross_validation(helps):
    X, y = exclusive_or()
    model = GridSearchCV(
        make_pipeline(
            ColumnKernelizer([("a", "auto", "a")]), KernelCombiner(), SVC(kernel="precomputed")
        ),
        {"svc__C": FAST_COSTS},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    )
    outer = StratifiedKFold(3, shuffle=True, random_state=0)
    scores, inner, chosen = [], [], []
    for train, test in outer.split(np.zeros(len(y)), y):
        model.fit(X[train], y[train])
        scores.append(model.score(X[test], y[test]))
        inner.append(model.best_score_)
        chosen.append(model.best_params_["svc__C"])
    np.testing.assert_allclose(helps.scores("a alone"), scores)
    found = [score for score in helps.results_ if score.method == "a alone"]
    np.testing.assert_allclose([score.inner_score for score in found], inner)
    assert [score.params["C"] for score in found] == chosen


def test_test_samples_have_no_part_in_anything_else():
    X, y = exclusive_or(60)
    rows = np.arange(60)
    folds = [(rows[:40], rows[40:]), (rows[20:], rows[:20])]
    kept = compare_fusion(X, y, cv=folds, inner_cv=3, fast=True)
    other = y.copy()
    other[40:] = np.where(other[40:] == "same", "different", "same")
    changed = compare_fusion(X, other, cv=folds, inner_cv=3, fast=True)
    for before, after in zip(kept.results_, changed.results_, strict=True):
        if before.fold == 1:  # whose test labels were all turned round
            assert before.inner_score == after.inner_score
            assert before.params == after.params
            assert after.scores["accuracy"] == pytest.approx(1 - before.scores["accuracy"])
    for kind, chosen in kept.chosen_.items():
        assert chosen[0] == changed.chosen_[kind][0]


def test_results_depend_on_input_and_seed_only(helps):
    X, y = exclusive_or()
    again = compare_fusion(
        X, y, fast=True, cv=3, n_jobs=2, methods=["late_stack", "lp_mkl", "localized_mkl"]
    )
    for label in ("late fusion, stacked", "Lp MKL", "localized MKL", "b alone"):
        np.testing.assert_array_equal(again.scores(label), helps.scores(label))
    other = compare_fusion(X, y, fast=True, cv=3, random_state=1, methods=["uniform"])
    assert (other.scores("a alone") != helps.scores("a alone")).any()


# ---------------------------------------------------------------------------- winner's curse


def made_up(scores, inner, informed=UNINFORMED, without="", **conditions):
    """A comparison of given test and inner scores (n_folds,) by label and kind.

    With as much probability of the truth as their accuracy.
    """
    folds = [Fold(np.arange(90), np.arange(90, 100))] * 10
    keys = {"baseline": "dummy", "single": "single", "fusion": "l1_mkl"}
    methods = [PlannedMethod(METHODS[keys[kind]], label, [{}]) for label, kind in scores]
    results = [
        FoldScore(
            label,
            fold + 1,
            {"accuracy": value},
            inner[label, kind][fold],
            {},
            0.0,
            held_out=HeldOut(
                np.arange(90, 100),
                np.zeros(10),
                None if label == without else np.tile([1 - value, value], (10, 1)),
            ),
        )
        for (label, kind), values in scores.items()
        for fold, value in enumerate(values)
    ]
    return FusionComparison(
        results,
        Conditions(
            "classification",
            np.repeat([0, 1], 50),
            [],
            folds,
            None,
            "",
            "",
            ["accuracy"],
            methods,
            0.05,
            False,
            0,
            **conditions,
        ),
        informed=informed,
    )


def test_references_are_chosen_by_inner_scores_not_by_test_scores():
    rng = np.random.default_rng(0)
    flat = np.full(10, 0.5)
    scores = {("none", "baseline"): flat, ("fused", "fusion"): 0.5 + 0.01 * rng.normal(size=10)}
    inner = dict.fromkeys(scores, flat)
    for k in range(30):  # as good as each other: the best on the test folds is luck
        key = (f"m{k} alone", "single")
        scores[key] = 0.5 + 0.05 * rng.normal(size=10)
        inner[key] = 0.5 + 0.05 * rng.normal(size=10)
    found = made_up(scores, inner)
    means = {label: values.mean() for (label, kind), values in scores.items() if kind == "single"}
    assert max(means.values()) > 0.52
    assert found.scores("best single modality").mean() == pytest.approx(0.5, abs=0.03)
    labels = list(means)
    for fold, label in enumerate(found.chosen_["best single modality"]):
        assert label == max(labels, key=lambda one: inner[one, "single"][fold])


def test_fusion_can_hurt():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=10)
    scores = {
        ("none", "baseline"): np.full(10, 0.5),
        ("a alone", "single"): 0.9 + noise,
        ("fused", "fusion"): np.full(10, 0.8),
    }
    found = made_up(scores, {key: np.full(10, 0.5) for key in scores})
    assert found.verdict_.verdict == "lower"
    assert str(found).startswith("Fusion is lower with this many samples.")
    assert found.verdict_.test.high < 0
    assert [one.verdict for one in found.comparisons_] == ["lower", "better"]


def information(p):
    return AddedInformation(["a", "b"], p, *[np.array([p, p])] * 3, 100, 100, 0, ())


def test_prediction_is_claimed_only_after_information():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=10)
    scores = {
        ("none", "baseline"): np.full(10, 0.5),
        ("a alone", "single"): np.full(10, 0.7),
        ("fused", "fusion"): 0.8 + noise,
    }
    for informed, wanted, words in (
        (Informed(information(0.01), "no"), "helps", "better"),
        (Informed(information(0.20), "no"), "undecided", "undecided"),
        (Informed("few samples", "no"), "helps", "better"),
    ):
        found = made_up(scores, scores, informed)
        assert found.verdict_.verdict == wanted
        # Against the best simple baseline it is about methods, not about modalities.
        assert [one.verdict for one in found.comparisons_] == [words, "better"]
    assert "Information was not tested, so that prediction is the one claim: few samples." in str(
        found
    )
    weak = {**scores, ("fused", "fusion"): 0.7 + noise}
    found = made_up(weak, weak, Informed(information(0.01), "no"))
    assert found.verdict_.verdict == "complementary"
    assert str(found).startswith(
        "The modalities are complementary, but fusion is not surely better with 100 samples."
    )
    assert made_up(weak, weak, sesoi=0.1).verdict_.verdict == "practically none"


def test_fusion_must_beat_knowing_nothing():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=10)
    scores = {
        ("none", "baseline"): np.full(10, 0.5),
        ("a alone", "single"): np.full(10, 0.3),  # worse than nothing
        ("fused", "fusion"): 0.4 + noise,
    }
    found = made_up(scores, scores, Informed(information(0.01), "no"))
    assert found.verdict_.single.p_value < 0.01
    assert found.verdict_.reference == "no modality"
    assert found.verdict_.p_value == found.verdict_.nothing.p_value > 0.5
    assert found.verdict_.verdict == "complementary"
    assert found.comparisons_[0].verdict == "undecided"
    assert "Against knowing nothing it saves −" in str(found)
    # What is proved against the other reference is told as well.
    gain = (found.losses("best single modality") - found.losses("best fusion method")).mean()
    said = f"less surely beaten: against the best single modality it saves +{gain:.3f}"
    assert said in str(found)


def test_information_is_that_of_all_samples():
    X, y = numbers(40)
    found = compare_fusion(X, y, fast=True, cv=2, methods=["uniform"])
    wanted = added_information(X, y, task="regression", random_state=0)
    np.testing.assert_allclose(found.information_.pvalues, wanted.pvalues)
    assert found.verdict_.information == wanted.pvalue
    assert found.information_.modality_names == ["a", "b"]
    groups = np.repeat(np.arange(20), 2)
    grouped = compare_fusion(X, y, groups=groups, fast=True, cv=2, methods=["uniform"])
    assert grouped.information_.n_groups == 20


def test_of_few_samples_prediction_is_the_one_claim():
    X, y = numbers(24)
    found = compare_fusion(X, y, fast=True, cv=4, methods=["uniform"])
    assert found.information_ is None and found.verdict_.information is None
    (reason,) = {found.not_answered_[INFORMS], found.not_answered_[INTERACT]}
    assert "24 samples" in reason and "30" in reason
    assert f"so that prediction is the one claim: {reason.rstrip('.')}." in str(found)
    assert reason in " ".join(found.to_markdown().replace("\\", "").split())


def test_probabilities_that_cannot_be_had_decide_nothing():
    rng = np.random.default_rng(0)
    scores = {
        ("none", "baseline"): np.full(10, 0.5),
        ("a alone", "single"): np.full(10, 0.7),
        ("fused", "fusion"): 0.8 + 0.01 * rng.normal(size=10),
    }
    found = made_up(scores, scores, Informed(information(0.01), "no"), without="fused")
    assert np.isnan(found.losses("fused")).all() and np.isnan(found.verdict_.p_value)
    assert found.verdict_.verdict == "complementary"
    assert "nothing is claimed of it" in str(found)
    assert {row[5] for row in tables(found)[0].rows[1:]} == {"–"}


# ---------------------------------------------------------------------------- kinds of data


# Folds of whole subjects may hold one class only, which scikit-learn 1.6 warns of.
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:Only one class is present in y_true")
def test_groups_are_kept_together_for_all():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 3)
    # Tells who it is, and nothing else. 24 points of 30 columns are linearly independent: whatever
    # their labels, the linear part of the kernel has them apart, and copies with them.
    subject = rng.normal(size=(24, 30))[groups]
    y = rng.permutation(np.repeat([0, 1], 12))[groups]
    X = Modalities(a=subject + 0.01 * rng.normal(size=(72, 30)), b=rng.normal(size=(72, 2)))
    wanted = ["uniform", "interaction"]
    leaky = compare_fusion(X, y, fast=True, cv=3, methods=wanted)
    honest = compare_fusion(X, y, groups=groups, fast=True, cv=3, methods=wanted)
    assert leaky.scores("a alone").mean() > 0.8
    assert honest.scores("a alone").mean() < 0.7
    assert honest.conditions_.n_groups == 24
    assert all(score.inner_score < 0.9 for score in honest.results_)
    assert "24 groups" in honest.to_markdown()


def test_time_ordered():
    X, y = numbers(60)
    found = compare_fusion(
        X,
        y,
        cv=TimeSeriesSplit(3),
        inner_cv=TimeSeriesSplit(3),
        fast=True,
        methods=["late_stack", "uniform"],
    )
    assert found.not_applicable_ == {}
    assert [len(train) for train, _ in found.conditions_.folds] == [15, 30, 45]
    assert found.information_ is None
    assert found.not_answered_[INFORMS].startswith("samples are in order of time")


def test_what_is_not_applicable_is_listed_with_the_reason():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    words = np.array(["calm slept well", "hot and restless"])
    notes = [f"{words[label]} {rng.integers(1000)}" for label in y]
    X = Modalities(vitals=rng.normal(size=(60, 2)), notes=notes)
    methods = ["early", "interaction", "cca", "uniform"]
    found = compare_fusion(X, y, fast=True, cv=3, methods=methods)
    reason = "'notes' is texts"
    assert found.not_applicable_ == {"interaction regression": reason, "CCA fusion": reason}
    assert found.scores("notes alone").mean() > 0.9
    assert found.scores("early fusion").mean() > 0.9
    assert reason in found.to_markdown()
    frame = found.to_frame()
    assert list(frame.loc[frame.kind == "not applicable", "reason"]) == [reason, reason]


def test_a_method_that_refuses_a_fold_is_listed_and_warned_of(monkeypatch):
    class Refusing(mkfusion.MKLClassifier):
        def fit(self, X, y, sample_weight=None):
            raise ValueError("not <these>\ndata")

    monkeypatch.setattr(mkfusion, "MKLClassifier", Refusing)
    X, y = one_suffices()
    with pytest.warns(UserWarning, match="L1 MKL is listed as not applicable"):
        found = compare_fusion(X, y, fast=True, cv=2, methods=["uniform", "l1_mkl"])
    assert found.not_applicable_ == {"L1 MKL": "fold 1: not <these> data"}
    assert "L1 MKL" not in {one.method for one in found.comparisons_}


def test_missing_modalities():
    X, y = one_suffices()
    useful, noise = X["useful"].copy(), X["noise"].copy()
    useful[::7], noise[3::7] = np.nan, np.nan
    found = compare_fusion(
        Modalities(useful=useful, noise=noise),
        y,
        fast=True,
        cv=3,
        methods=["early", "late_mean", "uniform"],
    )
    assert found.not_applicable_ == {}
    assert found.scores("early fusion").mean() > 0.6
    assert found.scores("useful alone").mean() > 0.65
    assert found.scores("late fusion, mean").mean() > 0.6


def test_tables_with_categories_gaps_and_signals_of_several_classes():
    rng = np.random.default_rng(0)
    y = np.repeat(["x", "y", "z"], 20)
    centre = np.repeat([0.0, 1.5, 3.0], 20)
    table = pd.DataFrame(
        {
            "age": centre + rng.normal(size=60),
            "sex": pd.Categorical(rng.choice(["f", "m"], 60)),
            "mood": np.where(rng.random(60) < 0.7, y, "?"),
        }
    )
    table.loc[::9, "age"] = np.nan
    signals = rng.normal(size=(60, 2, 12)) * (1 + centre[:, np.newaxis, np.newaxis])
    X = Modalities(table=table, signals=signals)
    found = compare_fusion(X, y, fast=True, cv=3)
    assert found.not_applicable_ == {}
    for method in FUSIONS:
        assert found.scores(method).mean() > 0.55, method
    assert "roc_auc" not in found.conditions_.metrics


def test_columns_of_a_table_and_lists_of_metrics():
    X, y = one_suffices()
    table = pd.DataFrame(np.hstack([X["useful"], X["noise"]]), columns=list("abcde"))
    modalities = [("useful", ["a", "b"]), ("noise__and more", slice("c", "e")), ("single", "a")]

    found = compare_fusion(
        table,
        y,
        modalities,
        scoring={"f1": "f1", "mine": _right},
        fast=True,
        cv=2,
        methods=["early", "cca"],
    )
    assert found.conditions_.metrics == ["f1", "mine"]
    assert "noise__and more alone" in {one.method for one in found.summary_}
    assert found.not_applicable_ == {}


def _right(model, X, y):
    return float(np.mean(model.predict(X) == y))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": ["magic"]}, "methods has"),
        ({"methods": "early"}, "methods is 'early', no list; expected"),
        ({"methods": ["dummy", "single"]}, "nothing that fuses"),
        ({"task": "clustering"}, "task is"),
        ({"sesoi": -1.0}, "sesoi is"),
        ({"sesoi": True}, "sesoi is"),
        ({"alpha": 0.5}, "alpha is"),
        ({"alpha": 5}, "alpha is"),
        ({"random_state": None}, "random_state is None"),
        ({"random_state": -1}, "random_state is -1"),
        ({"scoring": "acuracy"}, "acuracy"),
        ({"scoring": []}, "scoring is empty"),
        ({"modalities": [("a", "c")]}, "'c'"),
        ({"y": np.arange(60)}, "60 different whole numbers"),
        ({"y": np.zeros(60)}, "for every sample"),
        ({"y": [f"s{i % 31}" for i in range(60)]}, "y holds 31 different texts in 60 samples"),
        ({"y": np.arange(60).astype("datetime64[D]")}, "y holds dates or durations"),
        ({"y": ["a"] * 30 + [None] * 30}, "y has 30 missing labels"),
        ({"y": [np.nan] + [0.5] * 59}, "NaN"),
        ({"y": ["a", "b"] * 30, "task": "regression"}, "expected numbers"),
        ({"y": [0, 1]}, "y has 2 samples; expected"),
        (
            {"X": [np.zeros((60, 2)), np.zeros((60, 3))], "modalities": None},
            "Modalities\\(name=arr",
        ),
    ],
)
def test_bad_input_is_refused(given, message):
    X, y = one_suffices()
    arguments = {"X": X, "y": y, "fast": True, **given}
    with pytest.raises((ValueError, TypeError), match=message):
        compare_fusion(**arguments)


def test_one_modality_is_nothing_to_fuse():
    X, y = one_suffices()
    with pytest.raises(ValueError, match="there is one modality only"):
        compare_fusion(X, y, [("useful", "useful")], fast=True)
