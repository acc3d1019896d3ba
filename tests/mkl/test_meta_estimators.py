"""The guide's table of meta-estimators says what happens: every row is run, in every form."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from mkfusion import ColumnKernelizer, KernelStack, MKLClassifier, Modalities, RBFKernel

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
N = 60
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
X = RNG.normal(size=(N, 4)) + Y[:, np.newaxis]
GRAMS = [linear_kernel(X[:, :2]), rbf_kernel(X[:, 2:])]
BY_POSITION = [("a", [0, 1]), ("b", [2, 3])]
SAMPLES = {
    "array": (X, BY_POSITION),
    "positions": (pd.DataFrame(X, columns=list("pqrs")), BY_POSITION),
    "names": (pd.DataFrame(X, columns=list("pqrs")), [("a", ["p", "q"]), ("b", ["r", "s"])]),
    "Modalities": (Modalities(a=X[:, :2], b=X[:, 2:]), [("a", "a"), ("b", "b")]),
}
STACKS = {"KernelStack": KernelStack(GRAMS), "(n, n, m)": np.stack(GRAMS, axis=2)}
ESTIMATORS = {
    "OneVsRestClassifier": OneVsRestClassifier,
    "CalibratedClassifierCV(ensemble=False)": lambda model: CalibratedClassifierCV(
        model, cv=3, ensemble=False
    ),
    "CalibratedClassifierCV": lambda model: CalibratedClassifierCV(model, cv=3),
    "TunedThresholdClassifierCV": lambda model: TunedThresholdClassifierCV(model, cv=3),
    "StackingClassifier": lambda model: StackingClassifier([("model", model)], cv=3),
    "VotingClassifier": lambda model: VotingClassifier([("model", model)]),
    "OneVsOneClassifier": OneVsOneClassifier,
    "BaggingClassifier": lambda model: BaggingClassifier(model, n_estimators=2, random_state=0),
    "GridSearchCV": lambda model: GridSearchCV(model, {}, cv=3),
}
MAKES_ARRAYS = ("OneVsOneClassifier", "BaggingClassifier")


def rows():
    """What the table says of each estimator: of pipelines, of stacks and of lists."""
    table = GUIDE.read_text(encoding="utf-8").split("## Why a pipeline")[1].split("\n\n")[2]
    for line in table.splitlines()[2:]:
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for name in re.findall(r"`([^`]+)`", first):
            if name in ESTIMATORS:
                yield name, *cells


def pipeline(columns):
    kernels = [(name, RBFKernel(), where) for name, where in columns]
    return make_pipeline(ColumnKernelizer(kernels), MKLClassifier())


def test_all_are_in_the_table():
    assert sorted(name for name, *_ in rows()) == sorted(ESTIMATORS)


@pytest.mark.parametrize("form", SAMPLES)
@pytest.mark.parametrize(("name", "said"), [(name, said) for name, said, *_ in rows()])
def test_pipelines_on_samples(name, said, form):
    samples, columns = SAMPLES[form]
    model = ESTIMATORS[name](pipeline(columns))
    assert (said == "yes") == (name not in MAKES_ARRAYS)
    if said != "yes" and form in ("names", "Modalities"):
        with pytest.raises((TypeError, ValueError), match="as OneVsOne|where OneVsOne"):
            model.fit(samples, Y)
        return
    assert model.fit(samples, Y).score(samples, Y) > 0.7
    np.testing.assert_array_equal(  # the same as of an array
        model.predict(samples), ESTIMATORS[name](pipeline(BY_POSITION)).fit(X, Y).predict(X)
    )


@pytest.mark.parametrize("form", STACKS)
@pytest.mark.parametrize(("name", "said"), [(name, said) for name, _, said, _ in rows()])
def test_stacks(name, said, form):
    model = ESTIMATORS[name](MKLClassifier())
    if said == "yes":
        assert model.fit(STACKS[form], Y).score(STACKS[form], Y) > 0.7
    elif name in ("StackingClassifier", "VotingClassifier"):  # alone they are right
        with pytest.raises((TypeError, ValueError)):
            cross_val_score(model, STACKS[form], Y, cv=3, error_score="raise")
    else:
        with pytest.raises((TypeError, ValueError)):
            model.fit(STACKS[form], Y)


@pytest.mark.parametrize(("name", "said"), [(name, said) for name, *_, said in rows()])
def test_lists_of_gram_matrices(name, said):
    assert said.startswith("no")
    model = ESTIMATORS[name](MKLClassifier())
    if name in ("OneVsRestClassifier", "VotingClassifier"):
        return  # one reads memory that is not its own, the other cuts nothing
    with pytest.raises((TypeError, ValueError)):
        model.fit(GRAMS, Y)
