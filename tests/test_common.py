"""Scikit-learn's own checks on every estimator of the package."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold
from sklearn.svm import SVC
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version

import mkfusion

TWO_VIEWS = [("first", [0]), ("all", slice(None))]
# What an estimator needs to be built, if anything.
ARGUMENTS: dict[str, dict[str, Any]] = {
    **{
        f"{fusion}{kind}": {"modalities": TWO_VIEWS}
        for fusion in ("EarlyFusion", "LateFusion")
        for kind in ("Classifier", "Regressor")
    },
    # Some checks have four samples of a class.
    **{
        f"{fusion}{kind}": {"modalities": TWO_VIEWS, "cv": 4}
        for fusion in ("GatedFusion", "ModalityShift")
        for kind in ("Classifier", "Regressor")
    },
    # Candidates that are quick, and say something each in its way.
    "FusionSearchCV": {
        "candidates": ["early", "uniform"],
        "modalities": TWO_VIEWS,
        "cv": 2,
        "fast": True,
    },
    # The offset is bounded by what the primary modality says: here, that is all there is to know.
    "ModalityShiftRegressor": {"primary": "all", "modalities": TWO_VIEWS, "tol": 1e-12, "cv": 4},
    # Some checks have a class of one sample, of which stratified folds warn.
    "MKLClassifierCV": {"Cs": [0.1, 1.0], "cv": KFold(2, shuffle=True, random_state=0)},
    "MKLRegressorCV": {"Cs": [0.1, 1.0], "cv": 2},
    "Kernelizer": {"kernels": ["linear", "rbf"]},
    "CompositeKernel": {"kernels": ["linear", "rbf"]},
    "ColumnKernelizer": {"kernels": [("first", "rbf", [0]), ("all", "linear", slice(None))]},
    "PrecomputedKernel": {"gram": np.eye(3)},
    "DistanceKernel": {"distances": 1 - np.eye(3)},
    # The checks' samples are fewer than products, and classes far apart: a warning without penalty.
    # tests/fusion/test_interaction_scikit_learn.py does them all without one, and ignores these.
    "InteractionClassifier": {"penalty": "ridge", "alpha": 0.1},
    "InteractionRegressor": {"penalty": "ridge", "alpha": 0.1},
    "MultipleKernelKMeans": {"n_clusters": 2},
    "CCA": {"n_components": 1},
    "CCAFusion": {"n_components": 1, "modalities": TWO_VIEWS},
    "ContrastiveAlignment": {"modalities": TWO_VIEWS},
    "MultisetCCA": {"n_components": 1, "modalities": TWO_VIEWS},
    "KernelCCA": {
        "kernels": [("first", "rbf", [0]), ("all", "linear", slice(None))],
        "n_components": 1,
        "normalize": None,
    },
}

# Estimator -> check -> reason. A reason must hold for SVC(kernel="precomputed") as well.
NOT_A_GRAM_MATRIX = (
    "the check passes {} as a Gram matrix. It has large negative eigenvalues, so the problem is "
    "not convex, for SVC neither, which stops somewhere without saying so; here it is refused"
)
NOT_SQUARE = (
    "the check passes samples where a pairwise outlier detector expects a Gram matrix; "
    'OneClassSVM(kernel="precomputed") fails it as well'
)
NOT_SQUARE_CLUSTERS = (
    "the check passes samples where a pairwise clusterer expects a Gram matrix; "
    'SpectralClustering(affinity="precomputed") fails it as well'
)
NO_KERNEL = (
    "the check passes two columns of samples where a pairwise classifier expects a Gram matrix; "
    'SVC(kernel="precomputed", probability=True) fails it as well. '
    "tests/mkl/test_cross_validation.py does it with kernels of the samples"
)
EXPECTED_FAILURES: dict[str, dict[str, str]] = {
    "KernelCombiner": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "LocalizedMKLClassifier": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MKLClassifier": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MKLClassifierCV": {
        "check_decision_proba_consistency": NO_KERNEL,
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MKLNoveltyDetector": {
        "check_outliers_fit_predict": NOT_SQUARE,
        "check_outliers_train": NOT_SQUARE,
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MultipleKernelKMeans": {
        "check_clustering": NOT_SQUARE_CLUSTERS,
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MKLRegressor": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "MKLRegressorCV": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    "ModalitySelector": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
    # What is near Z Z' has no negative eigenvalues: there is nothing to approximate.
    "NystroemKernels": {
        "check_estimators_dtypes": NOT_A_GRAM_MATRIX.format("a matrix truncated to integers"),
        "check_positive_only_tag_during_fit": NOT_A_GRAM_MATRIX.format("a matrix less its mean"),
    },
}


def estimators() -> list[BaseEstimator]:
    """One instance of every estimator that users import."""
    found = {
        name: getattr(module, name)
        for module in (mkfusion, mkfusion.inspection)
        for name in module.__all__
    }
    classes = {
        thing
        for thing in found.values()
        if inspect.isclass(thing)
        and issubclass(thing, BaseEstimator)
        and not inspect.isabstract(thing)
        and thing.__module__.startswith("mkfusion")
    }
    return [
        cls(**ARGUMENTS.get(cls.__name__, {}))
        for cls in sorted(classes, key=lambda cls: cls.__name__)
    ]


def expected(estimator: BaseEstimator) -> dict[str, str]:
    """Return the failures that are expected of an estimator."""
    return EXPECTED_FAILURES.get(type(estimator).__name__, {})


if parse_version(sklearn.__version__) < parse_version("1.7"):
    EXPECTED_FAILURES["InteractionClassifier"] = {
        "check_sample_weight_equivalence_on_dense_data": "the check of scikit-learn 1.6 makes "
        "three classes two by what comes first, before and after it shuffles, and so swaps them"
    }

# Nearly all checks pass tables of numbers. What takes other samples says so in its tags, and gets
# the checks that need no samples; its own tests do the rest.
WITHOUT_SAMPLES = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


def takes_tables(estimator: BaseEstimator) -> bool:
    """Whether an estimator takes two-dimensional arrays, and numbers or labels as targets."""
    # tests/mkl/test_survival.py makes survival targets of the checks' numbers.
    survival = isinstance(estimator, mkfusion.MKLSurvivalAnalysis)
    return bool(get_tags(estimator).input_tags.two_d_array) and not survival


@pytest.mark.parametrize(
    "estimator", [e for e in estimators() if not takes_tables(e)], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("check", WITHOUT_SAMPLES, ids=lambda check: check.__name__)
def test_scikit_learn_checks_without_samples(
    estimator: BaseEstimator, check: Callable[[str, Any], None]
) -> None:
    check(type(estimator).__name__, estimator)


# Some checks have labels that say nothing.
@pytest.mark.filterwarnings("ignore::mkfusion.ConstantPredictionWarning")
@parametrize_with_checks(
    [e for e in estimators() if takes_tables(e)], expected_failed_checks=expected
)
def test_scikit_learn_checks(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_every_public_estimator_is_found() -> None:
    names = {type(estimator).__name__ for estimator in estimators()}
    assert names >= {
        "ChiSquaredKernel",
        "ClinicalKernel",
        "ColumnKernelizer",
        "CosineKernel",
        "FrequencyKernel",
        "KernelCombiner",
        "Kernelizer",
        "LaplacianKernel",
        "LinearKernel",
        "MKLClassifier",
        "OverlapKernel",
        "PolynomialKernel",
        "RBFKernel",
    }
    assert set(EXPECTED_FAILURES) <= names


def count(estimator: BaseEstimator) -> int:
    """Count the checks that apply to an estimator."""
    return sum(1 for _ in estimator_checks_generator(estimator, legacy=True))


def test_as_many_checks_as_a_precomputed_svc() -> None:
    """Tags can switch checks off; the classifier must not hide behind them."""
    from mkfusion import MKLClassifier

    assert count(MKLClassifier()) >= count(SVC(kernel="precomputed")) - 3


@pytest.mark.parametrize("estimator", estimators(), ids=lambda e: type(e).__name__)
def test_parameters_are_documented(estimator: BaseEstimator) -> None:
    text = inspect.getdoc(type(estimator)) or ""
    for name in estimator.get_params(deep=False):
        assert name in text, f"{type(estimator).__name__} does not document {name}"
    assert ">>>" in text
