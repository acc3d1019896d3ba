"""A fit that is refused leaves a fitted estimator as it was, whichever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import has_fit_parameter
from test_common import TWO_VIEWS, estimators

from mkfusion import (
    InteractionClassifier,
    InteractionRegressor,
    KernelCombiner,
    LateFusionClassifier,
    LateFusionRegressor,
    MKLClassifier,
)

# How NumPy shows its scalars: np.float64(0.0) in place of 0.0
OF_NUMPY = re.compile(r"\bnp\.\w+\(")
RNG = np.random.default_rng(0)
N = 30
TABLE = RNG.normal(size=(N, 4))
NUMBERS = TABLE[:, 0] + RNG.normal(size=N)
TIMES = np.array([(k % 3 > 0, k) for k in range(N)], dtype=[("event", bool), ("time", float)])
LABELS = np.where(NUMBERS > 0.0, "rock", "metal")
GRAMS = [rbf_kernel(TABLE[:, part]) for part in (slice(2), slice(2, 4))]
SIGNALS = RNG.normal(size=(N, 2, 16))
WORDS = np.array(["abab", "abba", "baba", "bbaa"], dtype=object)[RNG.integers(0, 4, N)]

# What an estimator is fitted to where it is no table, and its second argument where that is data.
SAMPLES: dict[str, Any] = {
    **dict.fromkeys(
        [
            "CoherenceKernel",
            "CovarianceKernel",
            "CrossCorrelationKernel",
            "GlobalAlignmentKernel",
            "PowerSpectrumKernel",
            "SoftDTWKernel",
        ],
        SIGNALS,
    ),
    **dict.fromkeys(["SpectrumKernel", "MismatchKernel", "SubstringKernel"], WORDS),
    **dict.fromkeys(["PositionalKernel", "WeightedDegreeKernel"], WORDS),
    **dict.fromkeys(["ChiSquaredKernel", "IntersectionKernel", "TanimotoKernel"], np.abs(TABLE)),
    "ImageKernel": RNG.integers(256, size=(N, 16, 16), dtype=np.uint8),
    **dict.fromkeys(["PrecomputedKernel", "DistanceKernel"], np.arange(3).reshape(-1, 1)),
}
OTHER_HALF = {"CCA", "ContrastiveAlignment", "KernelCCA"}
# Combinations that each parameter alone does not show
COMBINATIONS: dict[str, list[dict[str, Any]]] = {
    **dict.fromkeys(
        ["InteractionClassifier", "InteractionRegressor"],
        [
            {"form": "low_rank", "penalty": "lasso"},
            {"form": "low_rank", "penalty": "group"},
            {"modalities": [("one", slice(None))], "form": "low_rank"},
            {"modalities": [("one", [0]), ("two", [9])]},
            {"penalty": "lasso", "alpha": "cv", "cv": 60},
        ],
    ),
    "MultisetCCA": [{"n_components": 9}, {"modalities": [("one", [0])]}],
    "CCAFusion": [{"n_components": 9}, {"parts": ["smell"]}],
    "CCA": [{"n_components": 9}, {"regularisation": [0.1, 0.2, 0.3]}],
    "KernelCCA": [{"n_components": 999}],
    **dict.fromkeys(
        ["LateFusionClassifier", "LateFusionRegressor"],
        [{"weighting": "ogr", "combine": "stack"}, {"weighting": "learned", "cv": 60}],
    ),
    **dict.fromkeys(
        ["ModalityShiftClassifier", "ModalityShiftRegressor"], [{"primary": "smell"}, {"cv": 60}]
    ),
    **dict.fromkeys(
        ["GatedFusionClassifier", "GatedFusionRegressor"], [{"gate_on": ["smell"]}, {"cv": 60}]
    ),
    "LocalizedMKLClassifier": [{"gating_kernel": "smell"}],
    "KernelCombiner": [{"weighting": [1.0, -1.0]}, {"weighting": [1.0]}],
}


def samples_of(estimator: BaseEstimator) -> Any:
    name = type(estimator).__name__
    if name in SAMPLES:
        return SAMPLES[name]
    return GRAMS if get_tags(estimator).input_tags.pairwise else TABLE


def target_of(estimator: BaseEstimator) -> Any:
    if type(estimator).__name__ in OTHER_HALF:
        return TABLE[:, 2:] + 1.0
    if type(estimator).__name__ == "MKLSurvivalAnalysis":
        return TIMES
    return NUMBERS if is_regressor(estimator) else LABELS


def answers(estimator: Any, X: Any) -> dict[str, Any]:
    """Everything that a fitted estimator says."""
    found: dict[str, Any] = {}
    for method in ("predict", "predict_proba", "decision_function", "transform", "__call__"):
        if hasattr(estimator, method):
            found[method] = getattr(estimator, method)(X)
    if hasattr(estimator, "inference_table"):
        found["inference"] = (
            estimator.inference_table() if hasattr(estimator, "inference_") else None
        )
    return found


def fitted_state(estimator: Any) -> dict[str, Any]:
    """The attributes that are no parameters."""
    parameters = estimator.get_params(deep=False)
    return {name: value for name, value in vars(estimator).items() if name not in parameters}


def assert_same(now: Any, before: Any) -> None:
    if hasattr(now, "materialize"):  # a KernelStack
        now, before = now[:], before[:]
    if isinstance(now, tuple | list):
        for a, b in zip(now, before, strict=True):
            assert_same(a, b)
    elif now is not None:
        np.testing.assert_array_equal(np.asarray(now), np.asarray(before))


def bad_fits(estimator: BaseEstimator, X: Any, y: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield parameters, and arguments of `fit`, most of which most estimators refuse."""
    for name in estimator.get_params(deep=False):
        for value in (object(), np.float64(-1.5), np.str_("smell"), [], [np.int64(9)]):
            yield {name: value}, (X, y)
    for parameters in COMBINATIONS.get(type(estimator).__name__, []):
        yield parameters, (X, y)
    for broken in _broken(X):
        yield {}, (broken, y)
    for target in (
        None,
        y[:-1],
        np.full(N, y[0]) if np.ndim(y) == 1 else np.full(np.shape(y), np.nan),
        np.zeros(N),
        np.resize(["a", "b", "c"], N),
        np.array([None, *["a"] * (N - 1)], dtype=object),
        np.resize([0.5, np.nan, 2.0], N),
        np.resize([1.5, np.inf], N),
    ):
        yield {}, (X, target)
        if isinstance(X, np.ndarray) and X.dtype.kind == "f":
            yield {}, (X[:, :-1], target)  # other features, and another target
    if has_fit_parameter(estimator, "sample_weight"):
        for weights in (-np.ones(N), np.zeros(N), np.ones(N - 1), np.full(N, np.nan), ["a"] * N):
            yield {}, (X, y, weights)


def _broken(X: Any) -> Iterator[Any]:
    if isinstance(X, list):
        yield [X[0], np.full_like(X[1], np.nan)]
        yield [X[0], X[1][:, :-1]]
        yield [X[0], -X[1]]
        yield []
        yield pd.DataFrame(X[0], columns=[0, *map(str, range(1, N))])
    elif X.dtype == object:
        yield np.arange(float(N))
        yield X[:0]
    else:
        yield np.where(np.arange(len(X)).reshape(-1, *[1] * (X.ndim - 1)) == 3, np.nan, X)
        yield np.where(np.arange(len(X)).reshape(-1, *[1] * (X.ndim - 1)) == 3, np.inf, X)
        yield X[:0]
        yield X[:1]
        yield X.astype(str).astype(object)
        if X.ndim == 2 and X.shape[1] > 1:
            yield pd.DataFrame(X, columns=[0, *map(str, range(1, X.shape[1]))])
        yield X[..., np.newaxis]
        yield np.vstack([X[..., :1], X[..., :1]])
    yield None
    yield "rock"


# Ways to learn that the defaults above do not go
OTHERS = [
    InteractionClassifier(form="additive"),  # with a table of inference
    InteractionRegressor(),
    InteractionRegressor(form="low_rank", rank=1),
    KernelCombiner("alignf"),
    KernelCombiner(MKLClassifier()),
    LateFusionClassifier(modalities=TWO_VIEWS, combine="stack"),
    LateFusionRegressor(modalities=TWO_VIEWS, weighting="ogr"),
]


@pytest.mark.parametrize("estimator", [*estimators(), *OTHERS], ids=lambda e: type(e).__name__)
@pytest.mark.filterwarnings("ignore")
def test_a_refused_refit_changes_nothing(estimator: Any) -> None:
    X, y = samples_of(estimator), target_of(estimator)
    if type(estimator).__name__ in ("PrecomputedKernel", "DistanceKernel"):
        y = None
    model = clone(estimator).fit(X, y)
    parameters = model.get_params(deep=False)
    before, held = answers(model, X), fitted_state(model)
    assert before
    n_refused = 0
    for changed, arguments in bad_fits(estimator, X, y if y is not None else LABELS[:3]):
        try:
            model.set_params(**changed).fit(*arguments)
        except Exception as error:
            n_refused += 1
            # scikit-learn's messages about parameters show these as they are.
            if not isinstance(error, InvalidParameterError):
                assert not OF_NUMPY.search(str(error)), error
            model.set_params(**{name: parameters[name] for name in changed})
            now = fitted_state(model)
            assert now.keys() == held.keys(), changed
            assert [name for name in now if now[name] is not held[name]] == [], changed
            after = answers(model, X)
            for name, value in before.items():
                assert_same(after[name], value)
        else:  # taken: there is nothing to compare
            model = clone(estimator).fit(X, y)
            parameters = model.get_params(deep=False)
            before, held = answers(model, X), fitted_state(model)
    assert n_refused >= 3
