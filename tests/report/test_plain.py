"""A report is made from a plain result, whoever made it, and knows nothing of comparisons."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mkfusion.report import (
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    FUSION_VERDICTS,
    INTERACTION_VERDICTS,
    Comparison,
    Conditions,
    Contributions,
    FoldScore,
    Interactions,
    PairedTest,
    Share,
    Summary,
    as_html,
    as_markdown,
    draw_scores,
    tables,
    verdict_sentences,
)


def method(label, kind, words="", reference=""):
    words = words or label
    return SimpleNamespace(label=label, kind=kind, words=words, reference=reference, plain=False)


def plain(verdict=FUSION_VERDICTS[1], metric="accuracy", single=(0.7, 0.8), **others):
    """A result that nobody has computed."""
    scores = {
        "a alone": np.array(single),
        "sum": np.array([0.8, 0.9]),
        BEST_SINGLE: np.array(single),
        BEST_FUSION: np.array([0.8, 0.9]),
    }
    kinds = dict(zip(scores, ("single", "fusion", "chosen", "chosen"), strict=True))
    modality = SimpleNamespace(name="a", shape="2 columns", kernel="rbf", n_missing=0)
    test = PairedTest(0.1, 0.05, 0.15, 2.0, 3.0, 0.04)
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
            "corrected_t",
            0.05,
            True,
            0,
        ),
        "verdict_": Comparison(BEST_FUSION, BEST_SINGLE, test, 0.04, verdict),
        "comparisons_": [Comparison("sum", BEST_SINGLE, test, 0.08, FUSION_VERDICTS[1])],
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
        "chosen_": {BEST_SINGLE: ["a alone"] * 2, BEST_SIMPLE: ["sum"] * 2},
        "contributions_": Contributions([share], 0.5, 0.8, 0.3, 0.2, 0.4, True, True),
        "interactions_": Interactions(
            test, INTERACTION_VERDICTS[2], np.array([0.5, 0.6]), np.array([0.6, 0.7])
        ),
        "alignment_": SimpleNamespace(
            names=["a"], alignment=np.ones((1, 1)), target=np.array([0.2])
        ),
        "not_applicable_": {"other": "not for these"},
        "not_answered_": {"How?": "not known"},
        "scores": lambda label, metric=None: scores[label],
    }
    return SimpleNamespace(**(given | others))


def test_all_forms_say_the_same():
    result = plain()
    first, *rest = verdict_sentences(result)
    assert first == "No evidence that fusion helps."
    page, text = as_html(result, "Title & more"), as_markdown(result)
    for sentence in rest[:2]:
        assert sentence in page and sentence in text
    titles = [table.title for table in tables(result)]
    assert len(titles) == len(set(titles)) == 11
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
            FUSION_VERDICTS,
            ("Fusion helps.", "No evidence that fusion helps.", "Fusion hurts."),
            ("helps", "undecided", "hurts"),
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


def test_what_there_is_no_answer_to_is_left_out():
    result = plain(contributions_=None, interactions_=None, alignment_=None)
    assert len(verdict_sentences(result)) == 3
    page = as_html(result, "")
    assert page.count("<svg") == 2 and "Shapley" not in page and "Hessel" not in page


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
