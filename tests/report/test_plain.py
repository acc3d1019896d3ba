"""A report is made from a plain result, whoever made it, and knows nothing of comparisons."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mkfusion import (
    ChiSquaredKernel,
    CosineKernel,
    GlobalAlignmentKernel,
    LinearKernel,
    RBFKernel,
    SoftDTWKernel,
)
from mkfusion.kernels import MeanFiller
from mkfusion.report import (
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    FEATURES,
    HELPS,
    INFORMS,
    INTERACTING,
    NOTHING,
    STATES,
    UNDECIDED,
    Comparison,
    Conditions,
    Contributions,
    FoldScore,
    Grouping,
    Interactions,
    KernelWeights,
    PairedTest,
    Projected,
    Share,
    Subgroup,
    Summary,
    Verdict,
    as_html,
    as_json,
    as_markdown,
    draw_scores,
    tables,
    verdict_sentences,
)
from mkfusion.report._features import PATTERNS
from mkfusion.report._kernels import kernel_in_words
from mkfusion.report._limits import limitations


def some_features(**others):
    """What is told of two features, or of two groups of them."""
    told = {
        "modality": "alpha",
        "feature_names": ["pulse", "rhythm", "pause"],
        "group_names": ["pulse", "rhythm", "pause"],
        "grouped": False,
        "members": [[0], [1], [2]],
        "coherences": np.ones(3),
        "importances": np.array([0.01, 0.25, 0.0]),
        "intervals": np.array([[-0.1, 0.12], [0.2, 0.3], [0.0, 0.0]]),
        "repeats": np.array([[0.0, 0.02], [0.2, 0.3], [0.0, 0.0]]),
        "top_frequencies": np.array([0.5, 1.0, 0.0]),
        "patterns": np.array([[0.1, -0.625, np.nan], [0.2, 0.5, np.nan]]),
        "pattern_deviations": np.array([[0.1, 0.125, np.nan], [0.0, 0.1, np.nan]]),
        "outputs": ["calm", "wild"],
        "ranking": lambda: [1, 0, 2],
        "strongest": lambda count: [(1, 0), (0, 1)][:count],
    }
    return SimpleNamespace(**{**told, **others})


def method(label, kind, words="", reference=""):
    words, simple = words or label, label == "sum"
    return SimpleNamespace(
        label=label, kind=kind, words=words, reference=reference, simple=simple, plain=False
    )


def measure(value, nothing=0.5):
    return SimpleNamespace(value=value, low=value - 0.1, high=value + 0.1, nothing=nothing, best=1)


def performance(label):
    rates = {"sensitivity": measure(0.75), "precision": measure(0.25)}
    return SimpleNamespace(
        measures={"accuracy": measure(0.625)},
        classes=np.array(["x", "y"]),
        confusion=np.array([[4.0, 1.0], [2.5, 2.5]]),
        by_class=[rates, rates],
    )


def plain(verdict=UNDECIDED, metric="accuracy", single=(0.7, 0.8), conditions=None, **others):
    """A result that nobody has computed."""
    scores = {
        "a alone": np.array(single),
        "sum": np.array([0.8, 0.9]),
        BEST_SINGLE: np.array(single),
        BEST_FUSION: np.array([0.8, 0.9]),
    }
    kinds = dict(zip(scores, ("single", "fusion", "chosen", "chosen"), strict=True))
    modality = SimpleNamespace(name="a", shape="2 columns", kernel="rbf", n_missing=0)
    test = PairedTest(0.1, 0.05, 0.15, 0.04, 0.16, 0.03, 3.0, 0.04, 0.08)
    nothing = test._replace(difference=0.4)
    share = Share("a", 0.3, 0.2, 0.4, 0.3, 0.3, np.array([0.2, 0.4]))
    given = {
        "conditions_": Conditions(
            "classification",
            np.array(["x", "y"] * 5),
            [modality],
            [(np.arange(5), np.arange(5, 10)), (np.arange(5, 10), np.arange(5))],
            None,
            "outer",
            "inner",
            [metric],
            [
                method("a alone", "single"),
                method("sum", "fusion", "a sum", "Someone. On sums."),
                method("mean", "fusion", "a mean", "Someone. On sums."),
                method("other", "fusion", "another", "Not cited."),
            ],
            0.05,
            True,
            0,
            groupings=[Grouping("sex", ["f"], np.zeros(10, dtype=int))],
            call="compare(<X>)",
            fingerprint="abc",
            **(conditions or {}),
        ),
        "verdict_": Verdict(verdict, 0.3, test, nothing, 0.04, test, BEST_SINGLE, 64.0),
        "comparisons_": [Comparison("sum", BEST_SINGLE, test, test, 0.04, 0.08, UNDECIDED)],
        "losses": lambda label: 1 - scores.get(label, np.array([0.5, 0.5])),
        "summary_": [
            Summary(
                label,
                kinds[label],
                {metric: values.mean()},
                {metric: values.min()},
                {metric: values.max()},
                1.0,
                0,
            )
            for label, values in scores.items()
        ],
        "results_": [FoldScore("sum", 1, {metric: 0.8}, 0.75, {"C": 1.0}, 0.5)],
        "chosen_": {
            BEST_SINGLE: ["a alone"] * 2,
            BEST_SIMPLE: ["sum"] * 2,
            BEST_FUSION: ["sum"] * 2,
        },
        "weights_": [KernelWeights("sum", np.array([[1.0], [1.0]]))],
        "contributions_": Contributions([share], 0.5, 0.8, 0.3, 0.2, 0.4, True, True),
        "information_": SimpleNamespace(
            modality_names=["a", "b"],
            pvalue=0.3,
            single_pvalues=np.array([0.3, 0.01]),
            pvalues=np.array([0.01, 0.3]),
            adjusted_pvalues=np.array([0.02, 0.3]),
            n_samples=10,
            warnings=("They are few.",),
        ),
        "interactions_": Interactions(
            INTERACTING,
            0.01,
            "",
            ["Classes are ordered."],
            Projected(test, np.array([0.5, 0.6]), np.array([0.6, 0.7])),
        ),
        "features_": some_features(),
        "alignment_": SimpleNamespace(
            names=["a"], alignment=np.ones((1, 1)), target=np.array([0.2])
        ),
        "not_applicable_": {"other": "not for these"},
        "not_answered_": {"How?": "not known"},
        "scores": lambda label, metric=None: scores[label],
        "performance": performance,
        "subgroups": lambda label: [Subgroup("sex", "f", 3, {"accuracy": measure(0.875)})],
    }
    return SimpleNamespace(**(given | others))


def test_all_forms_say_the_same():
    result = plain()
    first, *rest = verdict_sentences(result)
    assert first == "Undecided whether fusion helps."
    page, text = as_html(result, "Title & more"), as_markdown(result)
    for sentence in [*rest[:2], "No evidence is not evidence of absence."]:
        assert sentence in page and sentence in text
    titles = [table.title for table in tables(result)]
    assert len(titles) == len(set(titles)) == 18
    assert all(f">{title}</h2>" in page for title in titles)
    assert "<title>Title &amp; more</title>" in page and "$" not in page
    assert [label.get_text() for label in draw_scores(result, axes(), None).get_yticklabels()] == [
        one.method for one in result.summary_
    ]


def axes():
    from matplotlib.figure import Figure

    return Figure().subplots()


def test_methods_are_cited_once_each_and_those_that_were_not_run_are_not():
    text = as_markdown(plain())
    assert r"and 2 ways of fusing these: a sum \[1\] and a mean \[1\]. All were" in text
    assert "1. Someone. On sums." in text and "Not cited" not in text


@pytest.mark.parametrize(
    ("verdict", "head", "kind"),
    list(
        zip(
            STATES,
            (
                "Fusion helps.",
                "The modalities are complementary, but fusion is not surely better with 10 "
                "samples.",
                "Undecided whether fusion helps.",
                "Fusion makes practically no difference.",
                "Fusion is lower with this many samples.",
            ),
            ("helps", "undecided", "undecided", "undecided", "lower"),
            strict=True,
        )
    ),
)
def test_verdicts_have_their_words_and_colours(verdict, head, kind):
    result = plain(verdict)
    assert verdict_sentences(result)[0] == head
    page = as_html(result, "")
    assert f'<div class="verdict {kind}">\n<p>{head}</p>' in page
    assert f".verdict.{kind}" in page or kind == "undecided"  # as all are, if not said otherwise


def test_nothing_is_claimed_where_one_modality_makes_no_error():
    said = "makes no error on any fold: these data cannot show whether fusion helps."
    assert said in " ".join(verdict_sentences(plain(single=(1.0, 1.0))))
    assert said not in " ".join(verdict_sentences(plain(single=(1.0, 0.9))))
    # One is no bound of these.
    assert said not in " ".join(verdict_sentences(plain(metric="mine", single=(1.0, 1.0))))


def test_information_is_said_with_what_limits_it():
    said = verdict_sentences(plain())[1]
    assert said == (
        "Information: no evidence that each modality says of the target what this kernel of the "
        "other does not (p = 0.300); a adds to all others (p = 0.020, Holm). They are few."
    )
    found = plain().information_
    found.pvalue, found.modality_names = 0.01, ["a", "b", "c"]
    found.adjusted_pvalues = np.array([0.02, 0.3, 0.0001])
    said = verdict_sentences(plain(information_=found))[1]
    assert "no single modality says all: for each of them, the others together add" in said
    assert (
        "; a adds to all others (p = 0.020, Holm), c adds to all others (p < 0.001, Holm)." in said
    )


def test_what_was_seen_is_said_with_what_could_have_been_seen():
    text = " ".join(verdict_sentences(plain()))
    assert (
        "With these 10 samples and folds, 0.080 less log-loss (0.080 of accuracy) would be found "
        "four times in five; what was seen would need about 64 samples." in text
    )
    found = plain().verdict_._replace(n_needed=np.inf)
    assert "what was seen is no gain" in " ".join(verdict_sentences(plain(verdict_=found)))
    found = plain().verdict_._replace(n_needed=12_345.0)
    assert "about 13,000 samples" in " ".join(verdict_sentences(plain(verdict_=found)))


def test_the_reference_against_which_less_is_proved_is_the_one_that_is_named():
    found = plain().verdict_._replace(reference=NOTHING)
    said = " ".join(verdict_sentences(plain(verdict_=found)))
    assert "Against knowing nothing it saves +0.400" in said
    assert "against the best single modality it saves" in said
    assert "less surely beaten" not in " ".join(verdict_sentences(plain()))


def test_a_gain_that_is_not_claimed_is_explained():
    """Its interval is above 0, and the headline says that nothing is decided."""
    said = " ".join(verdict_sentences(plain()))
    assert (
        "it is claimed only where the modalities were found to say what the others do not" in said
    )
    assert "claimed only where" not in " ".join(verdict_sentences(plain(HELPS)))


def test_the_metric_is_beside_and_says_where_it_disagrees():
    found = plain(HELPS).verdict_
    lower = found.metric._replace(difference=-0.1, low=-0.2, high=-0.01)
    said = " ".join(verdict_sentences(plain(verdict_=found._replace(metric=lower))))
    assert "By accuracy alone fusion is lower." in said
    assert "By accuracy alone" not in " ".join(verdict_sentences(plain(HELPS)))


def test_the_smallest_effect_of_interest_is_said():
    said = " ".join(verdict_sentences(plain(conditions={"sesoi": 0.2})))
    assert "It is below 0.2, the smallest difference of interest (sesoi)." in said
    said = " ".join(verdict_sentences(plain(conditions={"sesoi": 0.1})))
    assert "It is not surely below 0.1" in said


def test_no_evidence_is_said_where_there_is_none():
    absence = "No evidence is not evidence of absence."
    for verdict in STATES:
        said = absence in verdict_sentences(plain(verdict))
        assert said is (verdict in ("complementary", "undecided"))
        assert absence in as_markdown(plain(verdict))


def test_what_there_is_no_answer_to_is_left_out():
    result = plain(
        contributions_=None,
        features_=None,
        interactions_=None,
        information_=None,
        alignment_=None,
        not_answered_={INFORMS: "samples are few."},
    )
    assert len(verdict_sentences(result)) == 6
    said = "Information was not tested, so that prediction is the one claim: samples are few."
    assert verdict_sentences(result)[1] == said
    page = as_html(result, "")
    assert page.count("<svg") == 3 and "Shapley" not in page and "Hessel" not in page


def test_predictions_weights_and_subgroups_have_their_tables():
    found = {table.title: table for table in tables(plain())}
    measures = found["How good the predictions are"]
    assert measures.header[1:3] == [BEST_FUSION, BEST_SINGLE]
    assert measures.rows == [
        ["accuracy", "0.625 (0.525 to 0.725)", "0.625 (0.525 to 0.725)", "0.500", "1.000"]
    ]
    confusion = found["Which class is taken for which"]
    assert confusion.rows[1] == ["y", "2.5", "2.5", "5", "0.750 (0.650 to 0.850)"]
    assert confusion.rows[2][:2] == ["precision", "0.250 (0.150 to 0.350)"]
    assert found["By sex"].rows[0][:3] == ["f", "3", "0.875 (0.775 to 0.975)"]
    weights = found["Kernel weights"]
    assert weights.rows == [["a", "1.000 (1.000 to 1.000)", "+0.300 (+0.200 to +0.400)"]]
    assert "A weight is not importance" in weights.caption
    assert "Simple baselines, one of which is the best one: sum." in found["Scores"].caption
    settings = dict(found["Settings"].rows)
    assert settings["call"] == "compare(<X>)" and settings["fingerprint of the data"] == "abc"
    assert "Kernel weights" not in {t.title for t in tables(plain(weights_=[]))}


def test_features_are_told_with_what_they_are_not():
    (said,) = [one for one in verdict_sentences(plain()) if "Within" in one]
    assert said == (
        "Within alpha, rhythm is missed most: shuffled, 0.250 of accuracy is lost (95% interval "
        "0.200 to 0.300); among the first five in 2 of 2 folds."
    )
    (table,) = [one for one in tables(plain()) if one.title == FEATURES]
    assert table.rows[0] == [
        "rhythm", "+0.250", "+0.200 to +0.300", "100%", "−0.625 ± 0.125 towards calm",
    ]  # fmt: skip
    assert table.rows[2][-1] == "–" and "hide each other" in table.caption
    grouped = plain(
        features_=some_features(
            grouped=True, group_names=["pulse and 1 beside it", "pause"], members=[[0, 1], [2]],
            intervals=np.array([[-0.1, 0.2], [0.0, 0.0]]), ranking=lambda: [0, 1],
        )
    )  # fmt: skip
    (said,) = [one for one in verdict_sentences(grouped) if "Within" in one]
    assert said.startswith("Within alpha, no group of features is surely missed")
    made = {one.title: one for one in tables(grouped)}
    assert "2 groups" in made[FEATURES].caption
    assert [row[0] for row in made[PATTERNS].rows] == ["rhythm", "pulse"]


def test_limitations_are_facts():
    said = " ".join(limitations(plain()))
    for fact in (
        "No external validation",
        "No groups were given",
        "The 2 folds were drawn once",
        "The comparison was a fast one",
        "The rarest class, x, has 5 samples",
        "Subgroups of fewer than 30 samples: sex f (3)",
        "Not compared, as these data are not for them: other",
    ):
        assert fact in said, fact
    assert "No subgroups were named" not in said and "lack modalities" not in said
    page, text = as_html(plain(), ""), as_markdown(plain())
    assert "What limits these conclusions</h2>" in page and "## What limits" in text
    told = plain().conditions_._replace(
        n_groups=12,
        fast=False,
        groupings=[],
        folds=[(np.arange(5), np.arange(5, 10))] * 2,
        modalities=[SimpleNamespace(name="a", shape="", kernel="rbf", n_missing=3)],
    )
    said = " ".join(limitations(plain(conditions_=told)))
    for fact in (
        "12 groups are few",
        "No subgroups were named",
        "Some samples lack modalities: a 30%",
    ):
        assert fact in said, fact
    for none in ("No groups", "drawn once", "a fast one"):
        assert none not in said, none


def test_uneven_classes_and_few_numbers_are_limitations():
    uneven = plain().conditions_._replace(y=np.array(["x"] * 19 + ["y"]))
    said = " ".join(limitations(plain(conditions_=uneven)))
    assert "Class y is 5.0% of the samples." in said and "is right for 95.0%" in said
    numbers = plain().conditions_._replace(y=np.arange(50.0), task="regression")
    assert "50 samples are few" in " ".join(limitations(plain(conditions_=numbers)))


def test_json_is_read_back_by_anyone():
    verdict = plain().verdict_._replace(information=None, n_needed=np.inf)
    verdict = verdict._replace(single=verdict.single._replace(low=-np.inf))
    read = json.loads(as_json(plain(verdict_=verdict)))
    assert read["verdict"]["information"] is None and read["verdict"]["n_needed"] == "Infinity"
    assert read["verdict"]["single"]["low"] == "-Infinity"
    assert read["verdict"]["single"]["difference"] == verdict.single.difference
    assert read["call"] == "compare(<X>)" and read["fingerprint"] == "abc"
    assert read["settings"]["folds"][0] == {"n_train": 5, "test": [5, 6, 7, 8, 9]}
    assert read["settings"]["methods"][1]["simple"] is True
    assert read["performance"][BEST_FUSION]["confusion"] == [[4.0, 1.0], [2.5, 2.5]]
    assert read["subgroups"][BEST_FUSION][0]["n_samples"] == 3
    assert read["results"][0]["params"] == {"C": 1.0}
    assert read["limitations"] == limitations(plain())
    assert read["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ("rbf", "rbf kernel"),
        (["rbf", "linear"], "rbf kernel and linear kernel"),
        (RBFKernel(), "RBF kernel"),
        (ChiSquaredKernel(gamma=0.5), "chi squared kernel (gamma=0.5)"),
        (SoftDTWKernel(), "soft DTW kernel"),
        (make_pipeline(StandardScaler(), RBFKernel()), "RBF kernel (columns standardised)"),
        (
            make_pipeline(MeanFiller(), StandardScaler(), CosineKernel()),
            "cosine kernel (gaps filled by means, columns standardised)",
        ),
        (
            make_pipeline(StandardScaler(), 0.5 * LinearKernel() + RBFKernel()),
            "0.5 times linear kernel plus RBF kernel (columns standardised)",
        ),
        (make_pipeline(PCA(2), RBFKernel()), "RBF kernel (PCA (n_components=2))"),
        (GlobalAlignmentKernel(), "global alignment kernel"),
    ],
)
def test_kernels_have_words(kernel, words):
    assert kernel_in_words(kernel) == words


def test_words_of_users_that_look_like_a_template_are_words():
    page = as_html(plain(not_applicable_={"$title": "${style} $"}), "$kind")
    assert "<h1>$kind</h1>" in page and "<td" in page
    assert ">$title</th>" in page and "${style} $" in page


def test_a_report_loads_no_comparison_and_nothing_compiled():
    code = (
        "import sys, sklearn.svm; from_sklearn = set(sys.modules)\n"
        "import mkfusion.report\n"
        "loaded = sys.modules.keys() - from_sklearn\n"
        "print([m for m in ('mkfusion.compare', 'numba', 'matplotlib') if m in loaded])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
