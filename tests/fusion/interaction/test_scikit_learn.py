"""Scikit-learn's checks on interaction models without a penalty, and on other settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import sklearn
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from mkfusion import InteractionClassifier, InteractionRegressor

# Of classes that are far apart and of more products than samples: told, and right to tell.
EXPECTED_WARNINGS = (LinAlgWarning, ConvergenceWarning)


def expected(estimator: Any) -> dict[str, str]:
    """Return the failures that are expected of an estimator."""
    if parse_version(sklearn.__version__) >= parse_version("1.7"):
        return {}
    if isinstance(estimator, InteractionRegressor):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": "the check of scikit-learn 1.6 makes "
        "three classes two by what comes first, before and after it shuffles, and so swaps them"
    }


@parametrize_with_checks(
    [
        InteractionRegressor(),
        InteractionClassifier(),
        InteractionClassifier(penalty="group", alpha=0.01),
        InteractionRegressor(form="low_rank", rank=1, penalty="ridge", alpha=0.1),
    ],
    expected_failed_checks=expected,
)
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        for category in EXPECTED_WARNINGS:
            warnings.simplefilter("ignore", category)
        check(estimator)


@pytest.mark.parametrize("kind", [InteractionRegressor, InteractionClassifier])
def test_defaults_are_those_of_the_other(kind: Any) -> None:
    ours = kind().get_params()
    other = InteractionRegressor().get_params()
    assert all(other[name] == value for name, value in ours.items())
