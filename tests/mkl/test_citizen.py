"""A citizen of scikit-learn: pipelines on raw data, searches, metadata, representation."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr, get_tags

from mkfusion import (
    ColumnKernelizer,
    Kernelizer,
    KernelStack,
    LinearKernel,
    MKLClassifier,
    Modalities,
    RBFKernel,
)
from oracles.samples import FOLDS, Floats, Labels, N, grams, raw


def pipeline(**parameters: Any) -> Any:
    """Kernels of raw data, then the classifier."""
    kernelizer = ColumnKernelizer(
        [("accel", RBFKernel(gamma=0.5), [0, 1, 2]), ("gyro", "rbf", [3, 4])]
    )
    return make_pipeline(kernelizer, MKLClassifier(**parameters))


class_counts = pytest.mark.parametrize("classes", [2, 3])

# Tags


def test_tags() -> None:
    tags = get_tags(MKLClassifier())
    assert is_classifier(MKLClassifier())
    assert tags.estimator_type == "classifier"
    assert tags.input_tags.pairwise
    assert tags.target_tags.required
    assert is_classifier(pipeline())
    # Raw samples go in: the splitters must cut rows only.
    assert not get_tags(pipeline()).input_tags.pairwise


# Raw data through a pipeline: the main road


def test_grid_search_over_a_kernel_parameter() -> None:
    x, y = raw()
    grid = {
        "columnkernelizer__accel__gamma": [1e-4, 0.5],
        "mklclassifier__p": [1.0, 2.0],
    }
    search = GridSearchCV(pipeline(), grid, cv=FOLDS, error_score="raise").fit(x, y)
    for one, mean in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        scores = []
        for train, test in FOLDS.split(x, y):
            gamma = one["columnkernelizer__accel__gamma"]
            parts = [(slice(0, 3), gamma), (slice(3, 5), 1 / 2)]
            model = MKLClassifier(p=one["mklclassifier__p"]).fit(
                [rbf_kernel(x[train][:, cols], gamma=width) for cols, width in parts], y[train]
            )
            cut = [rbf_kernel(x[test][:, c], x[train][:, c], gamma=width) for c, width in parts]
            scores.append(model.score(cut, y[test]))
        assert mean == pytest.approx(np.mean(scores))
    assert search.best_estimator_[0].get_params()["accel__gamma"] in (1e-4, 0.5)


def test_grid_search_replaces_a_whole_kernel() -> None:
    x, y = raw()
    grid = {"columnkernelizer__accel": [LinearKernel(), RBFKernel(gamma=1.0)]}
    search = GridSearchCV(pipeline(), grid, cv=FOLDS, error_score="raise").fit(x, y)
    assert len(set(map(str, search.cv_results_["param_columnkernelizer__accel"]))) == 2


def test_grid_search_with_two_jobs() -> None:
    x, y = raw()
    grid = {"columnkernelizer__accel__gamma": [1e-4, 0.5]}
    one, two = (
        GridSearchCV(pipeline(), grid, cv=FOLDS, n_jobs=jobs, error_score="raise").fit(x, y)
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(
        one.best_estimator_[-1].weights_, two.best_estimator_[-1].weights_
    )


def test_dataframe_and_modalities_are_the_same_data() -> None:
    x, y = raw()
    frame = pd.DataFrame(x, columns=["ax", "ay", "az", "gx", "gy"])
    by_name = ColumnKernelizer(
        [("accel", RBFKernel(gamma=0.5), ["ax", "ay", "az"]), ("gyro", "rbf", ["gx", "gy"])]
    )
    parts = Modalities(accel=x[:, :3], gyro=x[:, 3:])
    by_modality = ColumnKernelizer(
        [("accel", RBFKernel(gamma=0.5), "accel"), ("gyro", "rbf", "gyro")]
    )
    expected = cross_val_score(pipeline(), x, y, cv=FOLDS, error_score="raise")
    for kernelizer, data in ((by_name, frame), (by_modality, parts)):
        model = make_pipeline(kernelizer, MKLClassifier())
        found = cross_val_score(model, data, y, cv=FOLDS, error_score="raise")
        np.testing.assert_array_equal(found, expected)


def test_kernelizer_in_a_pipeline() -> None:
    x, y = raw(3)
    model = make_pipeline(Kernelizer(["linear", RBFKernel(gamma=0.2)]), MKLClassifier())
    found = cross_val_predict(model, x, y, cv=FOLDS)
    assert np.mean(found == y) > 0.6


def by_hand(x: Floats, y: Labels, train: Any, test: Any) -> Floats:
    """Decision values on `test` of a pipeline fitted on `train`."""
    decision: Floats = pipeline().fit(x[train], y[train]).decision_function(x[test])
    return decision


def test_calibrated_pipeline() -> None:
    x, y = raw()
    model = CalibratedClassifierCV(pipeline(), cv=FOLDS, method="sigmoid").fit(x, y)
    for (train, test), one in zip(FOLDS.split(x, y), model.calibrated_classifiers_, strict=True):
        np.testing.assert_array_equal(
            one.estimator.decision_function(x[test]), by_hand(x, y, train, test)
        )
    probability = model.predict_proba(x)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert model.score(x, y) > 0.7


def test_calibrated_multiclass_pipeline() -> None:
    x, y = raw(3)
    model = CalibratedClassifierCV(pipeline(), cv=FOLDS).fit(x, y)
    assert model.predict_proba(x).shape == (N, 3)
    assert model.score(x, y) > 0.6


def test_tuned_threshold_pipeline() -> None:
    x, y = raw()
    model = TunedThresholdClassifierCV(
        pipeline(), cv=FOLDS, response_method="decision_function"
    ).fit(x, (y == "walk").astype(int))
    assert model.score(x, (y == "walk").astype(int)) > 0.7


def test_stacking_of_pipelines() -> None:
    x, y = raw()
    parts = [("sparse", pipeline(p=1.0)), ("sum", pipeline(p=np.inf))]
    model = StackingClassifier(parts, LogisticRegression(), cv=FOLDS).fit(x, y)
    columns = np.column_stack(
        [cross_val_predict(part, x, y, cv=FOLDS, method="decision_function") for _, part in parts]
    )
    final = LogisticRegression().fit(columns, y)
    np.testing.assert_allclose(model.final_estimator_.coef_, final.coef_)


def test_other_ensembles_of_pipelines() -> None:
    x, y = raw(3)
    for model in (
        BaggingClassifier(pipeline(), n_estimators=3, random_state=0),
        OneVsOneClassifier(pipeline()),
        OneVsRestClassifier(pipeline()),
        VotingClassifier([("a", pipeline()), ("b", pipeline(p=2.0))]),
    ):
        assert model.fit(x, y).score(x, y) > 0.6


# Copies


@class_counts
def test_clone(classes: int) -> None:
    model = MKLClassifier(C=3.0, p=1.5, lam=0.2, class_weight={"rest": 2.0}, tol=1e-4)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    x, y = raw(classes)
    fitted = pipeline(C=3.0).fit(x, y)
    again = clone(fitted)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        again.predict(x)
    np.testing.assert_array_equal(again.fit(x, y).decision_function(x), fitted.decision_function(x))


@class_counts
def test_pickle(classes: int) -> None:
    x, y = raw(classes)
    model = pipeline().fit(x, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.decision_function(x), model.decision_function(x))
    kernels = grams(x, x)
    alone = MKLClassifier().fit(KernelStack(kernels), y)
    copy = pickle.loads(pickle.dumps(alone))
    np.testing.assert_array_equal(copy.predict(kernels), alone.predict(kernels))


def test_a_fitted_classifier_does_not_hold_the_training_kernels() -> None:
    x, y = raw()
    wide = np.tile(x, (10, 1)) + 0.01 * np.random.default_rng(0).normal(size=(10 * N, 5))
    kernels = grams(wide, wide)
    model = MKLClassifier().fit(kernels, np.tile(y, 10))
    assert len(pickle.dumps(model)) < 0.1 * sum(gram.nbytes for gram in kernels)


# Representation


def test_html_representation() -> None:
    x, y = raw()
    for model in (pipeline(), pipeline().fit(x, y)):
        html = estimator_html_repr(model)
        assert "MKLClassifier" in html
        assert "ColumnKernelizer" in html
        assert "accel" in html
        assert "gyro" in html
        assert "RBFKernel" in html
    assert "MKLClassifier" in estimator_html_repr(MKLClassifier())


def test_text_representation() -> None:
    assert repr(MKLClassifier()) == "MKLClassifier()"
    assert repr(MKLClassifier(C=2.0, p=np.inf)) == "MKLClassifier(C=2.0, p=inf)"


# Sample weights through routing


def test_sample_weight_is_routed_through_a_pipeline() -> None:
    x, y = raw()
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=N)
    direct = pipeline().fit(x, y, mklclassifier__sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            pipeline()[0],
            MKLClassifier()
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True),
        )
        model.fit(x, y, sample_weight=weight)
        np.testing.assert_array_equal(model.decision_function(x), direct.decision_function(x))
        plain = pipeline().fit(x, y)
        assert np.any(plain.decision_function(x) != direct.decision_function(x))
        # scikit-learn 1.6 does not pass the weights on to the pipeline's own `score`.
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        done = cross_validate(
            model,
            x,
            y,
            cv=FOLDS,
            scoring=scorer,
            params={"sample_weight": weight},
            return_estimator=True,
            error_score="raise",
        )
        search = GridSearchCV(
            model, {"mklclassifier__C": [1.0]}, cv=FOLDS, scoring=scorer, error_score="raise"
        )
        search.fit(x, y, sample_weight=weight)
        np.testing.assert_array_equal(search.decision_function(x), direct.decision_function(x))
    for (train, _), one in zip(FOLDS.split(x, y), done["estimator"], strict=True):
        hand = pipeline().fit(x[train], y[train], mklclassifier__sample_weight=weight[train])
        np.testing.assert_array_equal(one.decision_function(x), hand.decision_function(x))


def test_sample_weight_is_routed_with_a_stack() -> None:
    x, y = raw()
    kernels = grams(x, x)
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=N)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MKLClassifier().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        found = cross_validate(
            model,
            KernelStack(kernels),
            y,
            cv=FOLDS,
            params={"sample_weight": weight},
            error_score="raise",
        )["test_score"]
    for (train, test), score in zip(FOLDS.split(y, y), found, strict=True):
        hand = MKLClassifier().fit(
            [gram[np.ix_(train, train)] for gram in kernels], y[train], sample_weight=weight[train]
        )
        cut = [gram[np.ix_(test, train)] for gram in kernels]
        assert score == pytest.approx(hand.score(cut, y[test], sample_weight=weight[test]))


def test_global_pandas_output_is_no_obstacle() -> None:
    x, y = raw()
    with sklearn.config_context(transform_output="pandas"):
        model = pipeline().fit(x, y)
        assert model.score(x, y) > 0.7
