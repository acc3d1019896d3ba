"""Responses of an estimator to samples: computed once by each method, and scored often."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from mkfusion._messages import shown
from mkfusion._types import Floats

Score = Callable[[Any, Any, Any], float]

RESPONSES = ("decision_function", "predict_proba", "predict_log_proba", "predict")


class CachedResponses(BaseEstimator):
    """Stands in for a fitted estimator before scorers: its X are rows of the samples responded to.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    X : samples, default=None
        What the estimator responds to, once for each method that a scorer calls.
    given : dict of str to ndarray of shape (n_samples, ...), default=None
        Responses by the name of the method instead.
    """

    def __init__(self, estimator: Any, X: Any = None, given: dict[str, Any] | None = None) -> None:
        self.estimator = estimator
        self.X = X
        self.given = given
        self._cache: dict[str, Any] = dict(given or {})

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    @property
    def classes_(self) -> NDArray[Any]:
        return np.asarray(self.estimator.classes_)

    def __getattr__(self, name: str) -> Any:
        if name not in RESPONSES:
            raise AttributeError(name)
        if name not in self._cache:
            if self.given is not None:
                raise AttributeError(f"There is {sorted(self._cache)} only, not {name}.")
            getattr(self.estimator, name)

        def response(rows: Any) -> Any:
            return self._response(name)[rows]

        response.__name__ = name  # scorers look at it
        return response

    def forget_samples(self) -> None:
        """Keep the responses, and let go of the samples."""
        self.X, self.given = None, dict(self._cache)

    def _response(self, name: str) -> Any:
        if name not in self._cache:
            self._cache[name] = np.asarray(getattr(self.estimator, name)(self.X))
        return self._cache[name]


def check_is_estimator(estimator: Any) -> None:
    """Refuse what cannot be fitted, in words: tags of such things do not exist."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        what = "the class" if isinstance(estimator, type) else "a"
        name = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        raise TypeError(f"estimator is {what} {name}; expected an estimator.")


def check_kind(estimator: Any) -> None:
    """Refuse what is neither a classifier nor a regressor."""
    check_is_estimator(estimator)
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}; expected a classifier or a regressor."
        )


def as_scorer(estimator: Any, scoring: Any) -> Score:
    """Return a scorer; accuracy or R² by default.

    Parameters
    ----------
    estimator : classifier or regressor
    scoring : str, callable or None

    Returns
    -------
    callable ``scorer(estimator, X, y)``

    Raises
    ------
    ValueError, TypeError
        If there is no such score, or the estimator is of another kind.
    """
    check_kind(estimator)
    if scoring is None:
        scoring = "accuracy" if is_classifier(estimator) else "r2"
    if not (isinstance(scoring, str) or callable(scoring)):
        raise TypeError(f"scoring is {shown(scoring)}; expected one name, or a callable.")
    scorer: Score = check_scoring(estimator, scoring=scoring)
    return scorer


def label_of(estimator: Any, scoring: Any) -> str:
    """Return what to call a score."""
    if scoring is None:
        return "accuracy" if is_classifier(estimator) else "R²"
    return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")


def response_name(estimator: Any, response_method: str) -> str:
    """Return which method's numbers are averaged.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    response_method : str
        "auto" or one of RESPONSES.

    Returns
    -------
    str

    Raises
    ------
    ValueError, TypeError
        If the estimator has no such numbers.
    """
    check_kind(estimator)
    check_is_fitted(estimator)
    if response_method not in ("auto", *RESPONSES):
        raise ValueError(
            f'response_method is {shown(response_method)}; expected "auto" or one of {RESPONSES}.'
        )
    if not is_classifier(estimator):
        if response_method not in ("auto", "predict"):
            raise ValueError(
                f'response_method is {shown(response_method)}; expected "predict" for a regressor.'
            )
        return "predict"
    wanted = RESPONSES[:2] if response_method == "auto" else (response_method,)
    for name in wanted:
        if name != "predict" and hasattr(estimator, name):
            return name
    raise TypeError(
        f"{type(estimator).__name__} gives no numbers by {' or '.join(wanted)}; expected a "
        "classifier with decision_function or predict_proba: labels cannot be averaged."
    )


def answers_of(model: Any, X: Any, name: str) -> NDArray[Any]:
    """Return what a method of a classifier or regressor says, towards classes.

    :class:`sklearn.svm.SVC` and :class:`~sklearn.svm.NuSVC` give decision values of each pair of
    classes if they are asked to, which of three classes are three, too. They say so by
    `decision_function_shape`, wherever they are in a pipeline or a search, and heed it when they
    predict.

    Parameters
    ----------
    model : fitted classifier or regressor
    X : samples
    name : str
        The method.

    Returns
    -------
    ndarray
        What it returns; in place of decision values of pairs of more than two classes, those for
        ``decision_function_shape="ovr"``.
    """
    if name == "decision_function" and len(model.classes_) > 2:
        if getattr(_last_of(model), "decision_function_shape", None) == "ovo":
            model = deepcopy(model)
            _last_of(model).set_params(decision_function_shape="ovr")
    return np.asarray(getattr(model, name)(X))


def _last_of(model: Any) -> Any:
    """Return what answers in a fitted pipeline or search, and in those within."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, Pipeline):
            model = model[-1]
        else:
            return model


def respond(estimator: Any, X: Any, name: str) -> Floats:
    """Return the responses of a method to samples, one column to an output.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    X : samples
    name : str

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If these are no finite numbers, one for each class, or (with two classes, or a regressor)
        one.
    """
    values = answers_of(estimator, X, name).astype(np.float64)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    n_classes = len(estimator.classes_) if is_classifier(estimator) else 1
    allowed = {n_classes} | ({1} if n_classes <= 2 else set())
    if values.ndim != 2 or values.shape[1] not in allowed:
        raise ValueError(
            f"{name} returned shape {values.shape} for {n_classes} classes or outputs; expected "
            "one column for each."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} returned values that are not finite, which have no mean.")
    return values


def scored_answers(estimator: Any, values: Floats, name: str) -> CachedResponses:
    """Return responses that are not the estimator's own, as one of its methods would return them.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    values : ndarray of shape (n_samples, n_outputs)
    name : str
        The method.

    Returns
    -------
    CachedResponses
        Probabilities outside [0, 1], which sums of them may be, are clipped, and sum to 1.
    """
    if not is_classifier(estimator):
        return CachedResponses(estimator, given={"predict": values[:, 0]})
    if values.shape[1] == 1:
        codes = (values[:, 0] > 0.0).astype(np.intp)
    else:
        codes = values.argmax(axis=1)
    given: dict[str, Any] = {"predict": np.asarray(estimator.classes_)[codes]}
    if name == "decision_function":
        given[name] = values[:, 0] if values.shape[1] == 1 else values
    else:
        if name == "predict_log_proba":
            proba = softmax(values, axis=1)
        else:
            clipped = np.clip(values, 0.0, 1.0)
            proba = clipped / clipped.sum(axis=1, keepdims=True)
        given["predict_proba"] = proba
    return CachedResponses(estimator, given=given)
