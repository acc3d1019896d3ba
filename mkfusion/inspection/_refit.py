"""Cross-validated scores of models that are fitted to some of the modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from mkfusion.inspection._answers import Score
from mkfusion.inspection._samples import Parts
from mkfusion.inspection._without import without

__all__ = ["subset_scores", "test_share"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def test_share(splits: Sequence[tuple[Rows, Rows]]) -> float:
    """Return the mean number of test samples over that of training samples."""
    return float(np.mean([len(test) / len(train) for train, test in splits]))


def subset_scores(
    estimator: Any,
    parts: Parts,
    y: NDArray[Any],
    subsets: Sequence[frozenset[int]],
    splits: Sequence[tuple[Rows, Rows]],
    scorer: Score,
    n_jobs: int | None,
) -> Floats:
    """Score an estimator that is fitted to some of the modalities.

    Parameters
    ----------
    estimator : classifier or regressor
        Not changed.
    parts : Parts
    y : ndarray of shape (n_samples,)
    subsets : sequence of frozenset of int
        Modalities to fit to; of none, a dummy knows the frequencies of the classes, or the mean.
    splits : sequence of (train, test) pairs of ndarray
    scorer : callable
    n_jobs : int or None

    Returns
    -------
    ndarray of shape (n_subsets, n_splits)

    Raises
    ------
    ValueError
        If an estimator cannot be fitted; the message says to which modalities.
    """
    tasks = []
    for subset in subsets:
        names = [parts.names[m] for m in sorted(subset)]
        if subset:
            try:
                model, X = without(estimator, parts, set(range(len(parts.names))) - subset)
            except (TypeError, ValueError) as error:
                raise ValueError(_blame(names, error)) from error
        else:
            model = DummyClassifier() if is_classifier(estimator) else DummyRegressor()
            X = np.zeros((len(parts), 1))
        tasks += [(model, X, names, train, test) for train, test in splits]
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_score)(model, X, y, names, train, test, scorer)
        for model, X, names, train, test in tasks
    )
    return np.reshape(scores, (len(subsets), len(splits)))


def _fit_and_score(
    model: Any, X: Any, y: NDArray[Any], names: list[str], train: Rows, test: Rows, scorer: Score
) -> float:
    fitted = clone(model)
    try:
        fitted.fit(_safe_indexing(X, train), y[train])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(_blame(names, error)) from error
    return float(scorer(fitted, _safe_indexing(X, test), y[test]))


def _blame(names: list[str], error: Exception) -> str:
    return (
        f"estimator cannot be fitted to the modalities {names} alone: {error} Expected one that "
        "names its modalities in a ColumnKernelizer, a ColumnTransformer or a fusion estimator, or "
        "takes what X has."
    )
