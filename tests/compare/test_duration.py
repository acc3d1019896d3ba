"""The time that is told before the folds, by a clock that ticks once for every fit."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from mkfusion import Method, Modalities
from mkfusion.compare import _duration as duration, compare_fusion
from mkfusion.compare._duration import TimeLeft
from mkfusion.compare._run import plan_comparison

TICKS = [0]


class Ticking(DummyClassifier):
    """Takes one second for each fit, and so many that it counts."""

    def __init__(self, strategy="prior", seconds=1):
        super().__init__(strategy=strategy)
        self.seconds = seconds

    def fit(self, X, y):
        if len(y) > 50:  # the first look, at few samples, is not timed
            TICKS[0] += self.seconds
        return super().fit(X, y)


class Failing(Ticking):
    def fit(self, X, y):
        raise ValueError("not for these")


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        perf_counter = staticmethod(lambda: float(TICKS[0]))

    TICKS[0] = 0
    monkeypatch.setattr(duration, "time", Clock)


def given(n=120, **more):
    y = np.arange(n) % 2
    X = np.random.default_rng(0).normal(size=(n, 2))
    slow = Method("slow", Ticking(), candidates={"seconds": [1, 2, 3]})
    options = {"methods": ["uniform", slow], "fast": True, "cv": 4, "inner_cv": 3, **more}
    return Modalities(a=X, b=X + y[:, np.newaxis]), y, options


# In each of 4 folds 3 inner ones of 1 + 2 + 3 seconds, and one fit of 1 to 3.
LEAST = 4 * (3 * 6 + 1)


def test_the_first_look_and_the_first_fold_tell_what_is_to_come(clock):
    X, y, options = given()
    plan = plan_comparison(X, y, **options)
    left = TimeLeft(plan.job, plan.folds, 1)
    # More samples in the last fit of a fold, half as many again, may take up to thrice as long.
    assert LEAST <= left.seconds <= LEAST + 4 * (2 * 3)
    both = TimeLeft(plan.job, plan.folds, 2)
    assert both.seconds == left.seconds / 2
    before = TICKS[0]
    left._start = before
    TICKS[0] = before + 60
    assert left.learn(0) and left.seconds == pytest.approx(3 * 60)
    assert not left.learn(1)


def test_methods_that_fail_are_looked_at_without_a_word(clock):
    X, y, options = given()
    failing = Method("failing", Failing())
    plan = plan_comparison(X, y, **{**options, "methods": ["uniform", failing]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TimeLeft(plan.job, plan.folds, 1).seconds == 0.0


def test_many_samples_are_looked_at_in_part(clock, monkeypatch):
    X, y, options = given(480)
    plan = plan_comparison(X, y, **options)
    monkeypatch.setattr(duration, "_MOST", 60)
    seconds = TimeLeft(plan.job, plan.folds, 1).seconds
    # Of 240 samples that are learned from, a quarter: 4**2.5 times as much for all.
    assert 32 * LEAST <= seconds <= 32 * (LEAST + 4 * 6)


def test_finished_pieces_take_no_time(tmp_path, capsys):
    X, y, options = given(memory=tmp_path)
    plan = plan_comparison(X, y, **options)
    compare_fusion(X, y, **{**options, "methods": ["uniform"]})
    todo = [[one.label for one in duration.pending(plan.job, fold)] for fold in plan.folds]
    assert todo == [["slow"]] * 4
    compare_fusion(X, y, verbose=True, **options)
    said = capsys.readouterr().err
    assert said.index("roughly") < said.index("[1/20]")
    assert TimeLeft(plan.job, plan.folds, 1).seconds == 0.0
    compare_fusion(X, y, verbose=True, **options)
    said = capsys.readouterr().err
    assert "roughly" not in said and "to go" not in said and "[20/20]" in said
