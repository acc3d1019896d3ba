"""What a report says of the data, and of plain models that are ahead."""

from types import SimpleNamespace

import numpy as np
import pytest

from mkfusion.inspection import DataAudit, Finding
from mkfusion.report._trust import audit_caption, audit_rows, audit_sentences, plain_sentences


def result(scores, audit=None, left_out=()):
    """Scores (n_folds,) by label, and whether each is plain."""
    methods = [
        SimpleNamespace(label="nothing", kind="baseline", plain=False),
        *(SimpleNamespace(label=one, kind="fusion", plain="linear" in one) for one in scores),
    ]
    scores = {"nothing": np.full(4, 0.9), **scores}
    return SimpleNamespace(
        conditions_=SimpleNamespace(metrics=["r2"], methods=methods, audit=audit),
        not_applicable_=dict.fromkeys(left_out, "why"),
        summary_=[
            SimpleNamespace(method=label, means={"r2": values.mean()})
            for label, values in scores.items()
            if label not in left_out
        ],
        scores=lambda label: np.asarray(scores[label]),
    )


def test_plain_model_ahead_of_all_kernels():
    low, high = np.array([0.7, 0.6, 0.8, 0.7]), np.array([0.8, 0.9, 0.7, 0.9])
    (said,) = plain_sentences(result({"linear": high, "mkl": low, "sum": low - 0.1}))
    assert "linear is 0.825, that of the best of the others, mkl, 0.700" in said
    assert "ahead on 3 of 4 folds" in said


@pytest.mark.parametrize(
    ("linear", "mkl"),
    [
        ([0.5, 0.5, 0.5, 0.5], [0.6, 0.6, 0.6, 0.6]),
        ([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]),
        ([0.9, 0.5, 0.5, 0.5], [0.5, 0.51, 0.51, 0.51]),  # one lucky fold
    ],
)
def test_nothing_is_said_of_plain_models_that_are_not_ahead(linear, mkl):
    assert plain_sentences(result({"linear": np.array(linear), "mkl": np.array(mkl)})) == []


def test_nothing_is_said_where_one_kind_is_missing():
    high = np.full(4, 0.9)
    assert plain_sentences(result({"linear": high})) == []
    assert plain_sentences(result({"mkl": high})) == []
    assert plain_sentences(result({"linear": high, "mkl": high}, left_out=["linear"])) == []


def test_serious_findings_stand_beside_the_verdict_and_all_in_the_table():
    findings = [
        Finding("note", "size", "There are few.", "Be careful."),
        Finding("serious", "copies", "There are copies.", "Drop them."),
    ]
    audit = DataAudit(findings, ["a"], 20, np.arange(20))
    found = result({}, audit)
    assert audit_sentences(found) == ["The data may not be trusted: There are copies. Drop them."]
    assert audit_rows(found) == [
        ["serious", "There are copies.", "Drop them."],
        ["note", "There are few.", "Be careful."],
    ]
    assert audit_caption(found).startswith("Audit of 20 samples of a: 1 serious, 1 note.")


def test_nothing_found_is_said_and_nobody_looking_is_not():
    clean = result({}, DataAudit([], ["a"], 20, np.arange(20)))
    assert audit_sentences(clean) == [] and audit_rows(clean) == [["none", "–", "–"]]
    assert audit_sentences(result({})) == [] and audit_rows(result({})) == []
