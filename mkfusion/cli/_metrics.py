"""Metrics that users name: scikit-learn's, tried before the work."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import get_scorer, get_scorer_names

from mkfusion.cli._errors import UsageError, close_names


def check_metrics(asked: Sequence[str], classes: bool, y: Any) -> list[str]:
    """Return the metrics to score by, after a trial: a failure later would be of every fold.

    Parameters
    ----------
    asked : sequence of str
    classes : bool
        Whether y is class labels.
    y : ndarray of shape (n_samples,)

    Returns
    -------
    list of str

    Raises
    ------
    UsageError
        If one is no metric, or not for this target.
    """
    X = np.zeros((len(y), 1))
    model = (RidgeClassifier() if classes else DummyRegressor()).fit(X, y)
    for name in asked:
        if name not in get_scorer_names():
            raise UsageError(
                f"--metric {name!r} is no metric of scikit-learn; "
                f"{close_names(name, get_scorer_names())}"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                get_scorer(name)(model, X, y)
        except AttributeError as error:
            reason = "needs probabilities, which not all methods give"
            if not classes:
                reason = "is not for this target, a quantity: it is for classes"
            raise UsageError(f"--metric {name!r} {reason}") from error
        except (TypeError, ValueError) as error:
            kind = f"{len(np.unique(y))} classes" if classes else "a quantity"
            reason = str(error)
            if "pos_label" in reason:  # of which users of this program hear nothing else
                reason = "it must know which class is the positive one; write it as 1, the other 0"
            raise UsageError(
                f"--metric {name!r} is not for this target, {kind}: {reason}"
            ) from error
    return list(dict.fromkeys(asked))
