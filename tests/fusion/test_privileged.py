"""Modalities that are there in training only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from mkfusion import EarlyFusionClassifier, Modalities, PrivilegedClassifier
from mkfusion.datasets import load_mfeat

RNG = np.random.default_rng(0)
IDEA = RNG.normal(size=200)
LABELS = np.where(IDEA > 0, "up", "down")
FIELD = IDEA[:, np.newaxis] + RNG.normal(size=(200, 3))
LAB = IDEA[:, np.newaxis] + 0.1 * RNG.normal(size=(200, 2))
X = Modalities(field=FIELD, lab=LAB)
FEW = LABELS.astype(object)
FEW[20:] = None


def test_the_student_is_one_of_the_labels_and_the_teachers() -> None:
    model = PrivilegedClassifier(["field"]).fit(X, FEW)
    teacher = EarlyFusionClassifier(SVC()).fit(X[:20], LABELS[:20])
    taught = np.concatenate([LABELS[:20], teacher.predict(X[20:])])
    np.testing.assert_array_equal(model.taught_, taught)
    student = EarlyFusionClassifier(SVC()).fit(Modalities(field=FIELD), taught)
    np.testing.assert_allclose(
        model.decision_function(X), student.decision_function(Modalities(field=FIELD))
    )
    assert model.classes_.tolist() == ["down", "up"]
    assert not hasattr(model, "predict_proba")


def test_what_is_privileged_is_not_looked_at() -> None:
    model = PrivilegedClassifier(student=LogisticOfFirst()).fit(X, FEW)
    alone = model.predict(Modalities(field=FIELD))
    np.testing.assert_array_equal(model.predict(X), alone)
    table = np.hstack([FIELD, LAB])
    views = [("field", [0, 1, 2]), ("lab", [3, 4])]
    model = PrivilegedClassifier(["field"], modalities=views).fit(table, FEW)
    lacking = table.copy()
    lacking[:, 3:] = np.nan
    np.testing.assert_array_equal(model.predict(lacking), model.predict(table))
    frame = pd.DataFrame(table, columns=list("abcde"))
    named = PrivilegedClassifier(
        ["field"], modalities=[("field", list("abc")), ("lab", ["d", "e"])]
    )
    shuffled = frame[list("edcba")]
    np.testing.assert_array_equal(
        named.fit(frame, pd.Series(FEW)).predict(frame), named.predict(shuffled)
    )


class LogisticOfFirst(LogisticRegression):
    """A student that takes Modalities, to see what it gets."""

    def fit(self, X, y):
        assert X.names == ["field"]
        return super().fit(X["field"], y)

    def predict(self, X):
        assert X.names == ["field"]
        return super().predict(X["field"])


def test_labels_of_all_samples_leave_nothing_to_teach() -> None:
    model = PrivilegedClassifier(["field"]).fit(X, LABELS)
    assert model.teacher_ is None
    student = EarlyFusionClassifier(SVC()).fit(Modalities(field=FIELD), LABELS)
    np.testing.assert_array_equal(model.predict(X), student.predict(Modalities(field=FIELD)))
    both = PrivilegedClassifier(["lab", "field"]).fit(X, FEW)
    assert both.available_ == ["field", "lab"]
    assert cross_val_score(model, X, LABELS, cv=3).min() > 0.7


def test_it_gains_on_digits() -> None:
    """The figure of the docs in small: accuracy by Fourier coefficients, mean over splits."""
    digits, y = load_mfeat(return_X_y=True)
    gains = []
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(2000)
        train, test = rows[:500], rows[1000:1600]
        few = y.astype(float)
        few[train[100:]] = np.nan
        taught = PrivilegedClassifier(["fou"]).fit(digits[train], few[train])
        alone = PrivilegedClassifier(["fou"]).fit(digits[train[:100]], few[train[:100]])
        gains.append(taught.score(digits[test], y[test]) - alone.score(digits[test], y[test]))
    assert min(gains) > 0.0 and np.mean(gains) > 0.03


def test_refusals() -> None:
    for model, y, message in (
        (PrivilegedClassifier(["smell"]), FEW, "expected some of the modalities"),
        (PrivilegedClassifier([]), FEW, "expected some of the modalities"),
        (PrivilegedClassifier(), np.full(200, np.nan), "y has no labels"),
        (PrivilegedClassifier(), np.where(LABELS == "up", "up", None), "y has one class"),
        (PrivilegedClassifier(), FEW[:5], "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y)
    with pytest.raises(ValueError, match="field"):
        PrivilegedClassifier(["field"]).fit(X, FEW).predict(Modalities(lab=LAB))
