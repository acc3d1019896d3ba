"""One method on one fold: tuned within the training samples, scored on the test samples."""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from mkfusion._compat import BaseSearchCV
from mkfusion._types import Floats
from mkfusion.compare._data import RefusalError, Samples, Setting, fingerprint, refusals
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._folds import Fold
from mkfusion.compare._held_out import held_out
from mkfusion.compare._machines import fit_together
from mkfusion.compare._methods import PlannedMethod
from mkfusion.compare._questions import QUESTIONS, Informed, align, inform
from mkfusion.compare._weights import learned_weights
from mkfusion.inspection import KernelAlignment
from mkfusion.report import FoldScore


class Job(NamedTuple):
    """What is to be done on every fold.

    Attributes
    ----------
    samples : Samples
    methods : list of PlannedMethod
    memory : joblib.Memory
    key : str
        What scores depend on beside the method and the fold.
    uninformed : str
        Why information is not to be tested; empty where it is.
    """

    samples: Samples
    methods: list[PlannedMethod]
    memory: joblib.Memory
    key: str
    uninformed: str


class _Fold:
    """An outer fold, and the inner ones that its training samples are split into."""

    def __init__(self, job: Job, fold: Fold) -> None:
        self.metrics = list(job.samples.scorers)
        inner = job.samples.inner.split(fold.train)
        rows = [Fold(fold.train[train], fold.train[test]) for train, test in inner]
        self.inner = [FoldData(job.samples, one, inner=True) for one in rows]
        self.outer = FoldData(job.samples, fold)
        self.key = joblib.hash([job.key, *(array for pair in [*rows, fold] for array in pair)])


def run_fold(
    job: Job, index: int, fold: Fold, done: Callable[[str], None] | None = None
) -> list[FoldScore]:
    """Run all methods that are applicable on one fold, or read what is there of them.

    Parameters
    ----------
    job : Job
    index : int
        Of the fold, from 0.
    fold : Fold
    done : callable or None, default=None
        Called with the label of every method that is done.

    Returns
    -------
    list of FoldScore
    """
    data = _Fold(job, fold)
    cached = _remembered(job)
    found = []
    for method in job.methods:
        # Small matrices: threads of the linear algebra cost more than they bring.
        with threadpool_limits(limits=1, user_api="blas"):
            try:
                with quiet_cache_misses():
                    score = cached(_piece(job, data, method), method, data)
            except RefusalError as error:
                why = in_users_words(str(error), method, data.outer.setting)
                score = FoldScore("", 0, {}, np.nan, {}, 0.0, refusal=why)
            except Exception as error:
                error.add_note(f"raised by {method.label} on fold {index + 1}")
                raise
        found.append(score._replace(method=method.label, fold=index + 1))
        if done is not None:
            done(method.label)
    return found


def _remembered(job: Job) -> Any:
    """Return `_evaluate`, which looks into the memory first."""
    return job.memory.cache(_evaluate, ignore=["method", "data"])


def _piece(job: Job, data: _Fold, method: PlannedMethod) -> str:
    """Return the name of a method's score on a fold."""
    return f"{data.key} {method.hash(job.samples.X) if job.key else ''}"


def pending(job: Job, fold: Fold) -> list[PlannedMethod]:
    """Return the methods of which the memory has no score on a fold.

    Parameters
    ----------
    job : Job
    fold : Fold

    Returns
    -------
    list of PlannedMethod
    """
    if not job.key:
        return list(job.methods)
    data = _Fold(job, fold)
    cached = _remembered(job)
    return [
        method
        for method in job.methods
        if not cached.check_call_in_cache(_piece(job, data, method), method, data)
    ]


def run_alignment(job: Job) -> KernelAlignment | str:
    """Measure how alike the modalities' kernels are, or read what is there of it.

    Parameters
    ----------
    job : Job

    Returns
    -------
    KernelAlignment or str
        Or why there is none.
    """
    try:
        with quiet_cache_misses():
            return job.memory.cache(_align, ignore=["samples"])(job.key, job.samples)
    except RefusalError as error:
        return str(error)


def run_information(job: Job) -> Informed:
    """Test what the modalities say of the target, or read what is there of it.

    Parameters
    ----------
    job : Job

    Returns
    -------
    Informed
    """
    if job.uninformed:
        return Informed(job.uninformed, job.uninformed)
    # Groups have no part in the key of scores: what folds they make has.
    key = f"{job.key} {fingerprint(job.samples.inner.groups)}" if job.key else ""
    with quiet_cache_misses(), threadpool_limits(limits=1, user_api="blas"):
        return job.memory.cache(_inform, ignore=["samples"])(key, job.samples)


def _inform(key: str, samples: Samples) -> Informed:
    return inform(samples)


def _align(key: str, samples: Samples) -> KernelAlignment | str:
    return align(samples)


@contextmanager
def quiet_cache_misses() -> Iterator[None]:
    """Let joblib say nothing of pieces in memory that were cut short: nothing is lost."""
    logger = logging.getLogger("joblib")
    logger.addFilter(_is_not_about_loading)
    try:
        yield
    finally:
        logger.removeFilter(_is_not_about_loading)


def _is_not_about_loading(record: logging.LogRecord) -> bool:
    return "Exception while loading results" not in record.getMessage()


def _evaluate(key: str, method: PlannedMethod, data: _Fold) -> FoldScore:
    """Tune a method on the inner folds, and score it on the outer one."""
    for split in [*data.inner, data.outer]:
        share_kernels(method, split)
    start = time.perf_counter()
    metrics = data.metrics
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        within = list(
            zip(*(try_values(method, one, metrics[0]) for one in data.inner), strict=True)
        )
        inner = means(np.array([[score for score, _ in tried] for tried in within]))
        if np.isnan(inner).all():
            raise RefusalError(f"{metrics[0]} is not a number within the training samples.")
        best = int(np.nanargmax(inner))
        params = method.candidates[best]
        scores, model = _score(method, params, data.outer, metrics)
        if not np.isfinite(scores[0]):
            raise RefusalError(f"{metrics[0]} is {scores[0]} on the test samples.")
        models = zip((one for _, one in within[best]), data.inner, strict=True)
        told = held_out(model, data.outer, list(models), method.method.sees, method.refuses_by)
        seconds = time.perf_counter() - start
        answers = tell_answers(method, model, params, data.outer)
        setting = data.outer.setting
        classes = np.unique(data.outer.samples.y) if setting.classes else None
        weights = learned_weights(model, len(setting.modalities), classes)
    unconverged = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    for other in caught:
        if other not in unconverged:
            said = str(other.message)
            renamed = in_users_words(said, method, data.outer.setting)
            message = other.message if renamed == said else renamed
            warnings.warn_explicit(message, other.category, other.filename, other.lineno)
    named = dict(zip(metrics, scores, strict=True))
    late = len(unconverged)
    return FoldScore(
        "",
        0,
        named,
        float(inner[best]),
        params,
        seconds,
        late,
        answers=answers,
        held_out=told,
        weights=weights,
    )


def share_kernels(method: PlannedMethod, data: FoldData) -> None:
    """Make what a method looks at, so that the first of those that share it is not charged for all.

    Parameters
    ----------
    method : PlannedMethod
    data : FoldData
    """
    if method.method.sees in ("kernels", "alone", "rows"):
        data.alone  # noqa: B018
    elif method.method.sees == "completed rows":
        data.completed  # noqa: B018


def in_users_words(text: str, method: PlannedMethod, setting: Setting) -> str:
    """Return what was said of modalities and their kernels with the user's names for ours.

    What is given the user's samples has never heard of ours.

    Parameters
    ----------
    text : str
    method : PlannedMethod
        That said it.
    setting : Setting

    Returns
    -------
    str
    """
    if method.method.sees == "X":
        return text
    names = {modality.key: modality.name for modality in setting.modalities}
    return re.sub(r"(?:(?<=')|^)m\d+(?=[:'])", lambda key: names.get(key[0], key[0]), text)


def means(scores: Floats) -> Floats:
    """Return the mean of each row, without folds on which no score is defined.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)

    Returns
    -------
    ndarray of shape (n_candidates,)
        NaN where others of the fold are: what has no score is never the best.
    """
    defined = ~np.isnan(scores).all(axis=0)
    return scores[:, defined].mean(axis=1) if defined.any() else np.full(len(scores), np.nan)


def try_values(method: PlannedMethod, data: FoldData, metric: str) -> list[tuple[float, Any]]:
    """Score all values of what is tuned on an inner fold; return the models as well.

    Parameters
    ----------
    method : PlannedMethod
    data : FoldData
    metric : str

    Returns
    -------
    list of (float, estimator) pairs
        For each of the candidates of the method.
    """
    found: dict[int, tuple[float, Any]] = {}
    for group in method.groups():
        if len(group) == 1:
            (score,), model = _score(method, method.candidates[group[0]], data, [metric])
            found[group[0]] = score, model
            continue
        part = data.part(method.method.sees)
        models = [method.build(method.candidates[k], data) for k in group]
        with refusals(*method.refuses_by), config_context(skip_parameter_validation=True):
            along_path = method.along_path and data.setting.task != "survival"
            models = fit_together(models, part.train, part.y_train, along_path)
        for k, model in zip(group, models, strict=True):
            score = data.score(model, part.test, part.y_test, metric, method.refuses_by)
            found[k] = score, model
    return [found[k] for k in range(len(method.candidates))]


def _score(
    method: PlannedMethod, params: dict[str, Any], data: FoldData, metrics: list[str]
) -> tuple[list[float], Any]:
    """Fit to the samples to learn from, and score on the others; return the model as well."""
    part = data.part(method.method.sees)
    model = method.build(params, data)
    # Parameters of our own methods are right.
    quick = config_context(skip_parameter_validation=not method.method.is_given)
    with refusals(*method.refuses_by), quick:
        fit_method(method, model, part.train, part.y_train, data.groups())
    scores = [
        data.score(model, part.test, part.y_test, metric, method.refuses_by) for metric in metrics
    ]
    return scores, model


def fit_method(
    method: PlannedMethod, model: Any, X: Any, y: NDArray[Any], groups: NDArray[Any] | None
) -> Any:
    """Fit the estimator of a method.

    Parameters
    ----------
    method : PlannedMethod
    model : estimator
        That it built.
    X, y : training samples
    groups : ndarray of shape (n_train,) or None
        For folds within the fit: users' own estimators are told, methods of the package know.

    Returns
    -------
    estimator
        Fitted.
    """
    takes = isinstance(model, BaseSearchCV) or has_fit_parameter(model, "groups")
    if groups is None or not method.method.is_given or not takes:
        return model.fit(X, y)
    # As documented, whatever anyone has requested of others.
    with config_context(enable_metadata_routing=False):
        return model.fit(X, y, groups=groups)


def tell_answers(
    method: PlannedMethod, model: Any, params: dict[str, Any], data: FoldData
) -> dict[str, Any]:
    """Return what a method tells beside its scores, or why it cannot.

    Parameters
    ----------
    method : PlannedMethod
    model : fitted estimator
    params : dict
        The values that it has been fitted with.
    data : FoldData

    Returns
    -------
    dict
    """
    if not method.method.question:
        return {}
    try:
        return QUESTIONS[method.method.question].ask(model, params, data)
    except RefusalError as error:
        return {"reason": str(error)}
