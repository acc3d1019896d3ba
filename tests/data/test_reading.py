"""Reading samples for training, and again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

import mkfusion
from mkfusion import Modalities
from mkfusion.data import (
    about,
    as_matrix,
    read_again,
    read_samples,
    remember_features,
    rollback,
)

ARRAY = np.arange(12.0).reshape(4, 3)
TABLE = pd.DataFrame(ARRAY, columns=["x", "y", "z"])
PAIRS = [("left", ["x", "y"]), ("right", "z")]


def fitted(X: Any) -> BaseEstimator:
    estimator = BaseEstimator()
    remember_features(estimator, X)
    return estimator


def test_columns_are_found_again_by_their_names() -> None:
    samples = read_samples(TABLE, PAIRS)
    assert samples.names == ["left", "right"]
    again = read_again(fitted(TABLE), TABLE[["z", "y", "x"]], samples.views)
    for part, found in zip(samples.parts, again, strict=True):
        assert found.equals(part)


@pytest.mark.parametrize("kind", [list, tuple])
def test_modalities_are_a_list_or_a_tuple(kind: type) -> None:
    samples = read_samples(TABLE, kind(PAIRS))
    assert samples.names == ["left", "right"]


def test_a_whole_table_is_one_modality_where_that_is_allowed() -> None:
    samples = read_samples(ARRAY, None, whole=True)
    np.testing.assert_array_equal(samples.parts[0], ARRAY)
    assert len(samples.views) == 1
    with pytest.raises(TypeError, match="modalities is None; expected a list of pairs"):
        read_samples(ARRAY, None)


def test_modalities_are_all_there_are() -> None:
    X = Modalities(a=ARRAY, b=["u", "v", "w", "x"])
    samples = read_samples(X, None)
    assert samples.names == ["a", "b"]
    assert read_again(fitted(X), X[[2]], samples.views)[1] == ["w"]


@pytest.mark.parametrize(
    ("modalities", "error", "message"),
    [
        ([], ValueError, "modalities is empty; expected at least one tuple"),
        ((), ValueError, "modalities is empty; expected at least one tuple"),
        ("left", TypeError, "modalities is 'left'; expected a list of tuples"),
        ([np.int64(3)], TypeError, r"modalities\[0\] is 3; expected \(name, columns\)"),
        ([("a",)], TypeError, r"modalities\[0\] is \('a',\); expected"),
        ([(np.float64(1.0), [0])], TypeError, r"has the name 1\.0; expected a string"),
        ([("a", [0]), ("a", [1])], ValueError, r"the names \['a'\] more than once"),
        ([("a", [7])], ValueError, "'a' asks for column 7"),
        ([("a", np.array(["smell"]))], ValueError, r"asks for unknown columns \['smell'\]"),
    ],
)
def test_bad_modalities(modalities: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_samples(TABLE, modalities)


@pytest.mark.parametrize(
    "name",
    [
        *("CCA", "CCAFusion", "MultisetCCA"),
        *(
            f"{fusion}{kind}"
            for fusion in ("EarlyFusion", "LateFusion", "GatedFusion", "ModalityShift")
            for kind in ("Classifier", "Regressor")
        ),
        *("InteractionClassifier", "InteractionRegressor"),
    ],
)
def test_every_estimator_takes_lists_and_tuples_of_modalities(name: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    y = np.where(X[:, 0] + rng.normal(size=40) > 0, 1, 0)
    pairs = [("a", [0, 1]), ("b", [2, 3])]
    found = []
    for kind in (list, tuple):
        model = getattr(mkfusion, name)(modalities=kind(pairs)).fit(X, y)
        method = model.predict if hasattr(model, "predict") else model.transform
        found.append(method(X))
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="modalities is empty"):
        getattr(mkfusion, name)(modalities=[]).fit(X, y)
    with pytest.raises(TypeError, match=r"modalities\[0\] is 3; expected \(name, columns\)"):
        getattr(mkfusion, name)(modalities=[3]).fit(X, y)


def test_other_features_are_refused() -> None:
    views = read_samples(ARRAY, [("a", [0])]).views
    with pytest.raises(ValueError, match="X has 2 features, but BaseEstimator is expecting 3"):
        read_again(fitted(ARRAY), ARRAY[:, :2], views)
    with pytest.raises(TypeError, match="X is a Modalities; expected columns as in fit"):
        read_again(fitted(ARRAY), Modalities(a=ARRAY), views)
    views = read_samples(Modalities(a=ARRAY), None).views
    with pytest.raises(TypeError, match="X is a ndarray; expected Modalities as in fit"):
        read_again(fitted(Modalities(a=ARRAY)), ARRAY, views)


def test_sparse_samples_stay_sparse() -> None:
    samples = read_samples(csr_array(ARRAY), [("a", [0, 2])])
    np.testing.assert_array_equal(samples.parts[0].toarray(), ARRAY[:, [0, 2]])


def test_matrices() -> None:
    for data in (ARRAY[:, 0], ARRAY[:, 0].tolist(), TABLE["x"], TABLE[["x"]]):
        np.testing.assert_array_equal(as_matrix(data), ARRAY[:, :1])
    with pytest.raises(ValueError, match=r"it has shape \(4, 3, 1\); expected columns of numbers"):
        as_matrix(ARRAY[..., np.newaxis])
    with pytest.raises(ValueError, match="could not convert string to float: 'u'"):
        as_matrix(["u", "v"])


def test_errors_say_which_modality_they_are_about() -> None:
    with pytest.raises(ValueError, match=r"^modality 'a': too late$"), about("a"):
        raise ValueError("too late")
    for name in ("", "X"):  # nobody gave it that name
        with pytest.raises(ValueError, match=r"^too late$"), about(name):
            raise ValueError("too late")


def test_rollback() -> None:
    model = SimpleNamespace(kept=1, deleted=2)
    with pytest.raises(KeyboardInterrupt), rollback(model):
        del model.deleted
        model.kept, model.new = 3, 4
        raise KeyboardInterrupt
    assert vars(model) == {"kept": 1, "deleted": 2}
    with rollback(model):
        model.kept = 5
    assert model.kept == 5
