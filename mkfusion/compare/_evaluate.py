"""One method on one fold: tuned within the training samples, scored on the test samples."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from mkfusion import KernelStack, Modalities
from mkfusion.compare._folds import Fold, Splitter
from mkfusion.compare._methods import Method, Setting
from mkfusion.compare._within import Part

# What an estimator raises where the data, or a fold of them, are not for it.
REFUSALS = (ValueError, TypeError, np.linalg.LinAlgError)


class FoldScore(NamedTuple):
    """How one method did on one fold.

    Attributes
    ----------
    method : str
    fold : int
        Counted from 1.
    scores : dict of str to float
        On the test samples, by metric.
    inner_score : float
        The first metric within the training samples, at the values that were chosen by it.
    params : dict
        These values.
    seconds : float
        Tuning included; kernels and what is shared with other methods left out.
    n_unconverged : int
        Fits that warned that they did not converge.
    refusal : str
        Why there are no scores; empty where there are.
    answers : dict
        What else the method tells about the fold; a "reason" in it is why it cannot.
    """

    method: str
    fold: int
    scores: dict[str, float]
    inner_score: float
    params: dict[str, Any]
    seconds: float
    n_unconverged: int = 0
    refusal: str = ""
    answers: dict[str, Any] = {}


class Job(NamedTuple):
    """What all folds have in common.

    Attributes
    ----------
    X : Modalities
    y : ndarray of shape (n_samples,)
    methods : list of Method
    setting : Setting
    inner : Splitter
    scorers : dict of str to scorer
        The first is what values are chosen by.
    memory : joblib.Memory
    key : str
        What scores depend on beside the method and the fold.
    """

    X: Modalities
    y: NDArray[Any]
    methods: list[Method]
    setting: Setting
    inner: Splitter
    scorers: dict[str, Any]
    memory: joblib.Memory
    key: str


class _Split:
    """Samples to learn from, and samples to score on; kernels are made when asked for.

    Parameters
    ----------
    job : Job
    rows : Fold
    """

    def __init__(self, job: Job, rows: Fold) -> None:
        self.job = job
        self.rows = rows
        self._kernels: tuple[KernelStack, KernelStack] | None = None
        self._alone: tuple[KernelStack, KernelStack] | None = None

    def part(self, sees: str) -> Part:
        """Return the samples as a method sees them."""
        train, test = self.rows
        n, total = len(train), len(train) + len(test)
        y = self.job.y
        data: tuple[Any, Any]
        if sees == "samples":
            data = self.job.X[train], self.job.X[test]
        elif sees == "rows":
            positions = np.arange(total, dtype=np.float64).reshape(-1, 1)
            names = self.job.X.names
            first = Modalities(dict.fromkeys(names, positions[:n]))
            data = first, Modalities(dict.fromkeys(names, positions[n:]))
        elif sees == "nothing":
            data = np.zeros((n, 1)), np.zeros((total - n, 1))
        else:
            data = self.alone if sees == "alone" else self.kernels
        return Part(data[0], y[train], data[1], y[test])

    def folds(self) -> list[Fold]:
        """Split the samples to learn from once more."""
        return self.job.inner.split(self.rows.train)

    def grams(self) -> list[NDArray[np.float64]]:
        """Return each modality's kernel: all samples by those to learn from."""
        first, second = self.alone
        return [np.vstack([first.gram(k), second.gram(k)]) for k in range(first.shape[2])]

    def present(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which training samples, and which test samples, have which modalities."""
        there = self.job.X.present()
        return there[self.rows.train], there[self.rows.test]

    def score(self, model: Any, X: Any, y: NDArray[Any]) -> float:
        """Score by the first metric."""
        return float(next(iter(self.job.scorers.values()))(model, X, y))

    @property
    def kernels(self) -> tuple[KernelStack, KernelStack]:
        """Kernels in memory: all kernel methods of the fold share them."""
        if self._kernels is None:
            train, test = (self.job.X[rows] for rows in self.rows)
            kernelizer = self.job.setting.kernelizer()
            lazy = kernelizer.fit_transform(train), kernelizer.transform(test)
            self._kernels = held(lazy[0]), held(lazy[1])
        return self._kernels

    @property
    def alone(self) -> tuple[KernelStack, KernelStack]:
        """The kernels without the scaling of samples that lack another modality."""
        if self.job.setting.missing == "error":
            return self.kernels
        if self._alone is None:
            train, test = (np.sqrt(have.mean(axis=1)) for have in self.present())
            first, second = self.kernels
            self._alone = held(first, train, train), held(second, test, train)
        return self._alone


def held(stack: KernelStack, rows: Any = None, columns: Any = None) -> KernelStack:
    """Return a stack in memory, its rows and columns multiplied by factors if there are any.

    Parameters
    ----------
    stack : KernelStack of shape (n_rows, n_columns, n_kernels)
    rows, columns : ndarray of shape (n_rows,) and (n_columns,), default=None

    Returns
    -------
    KernelStack
    """
    grams = [stack.gram(k) for k in range(stack.shape[2])]
    if rows is not None:
        grams = [gram * rows[:, np.newaxis] * columns for gram in grams]
    return KernelStack(grams, names=stack.names)


class _Fold:
    """An outer fold, and the inner ones that its training samples are split into."""

    def __init__(self, job: Job, fold: Fold) -> None:
        self.job = job
        inner = job.inner.split(fold.train)
        rows = [Fold(fold.train[train], fold.train[test]) for train, test in inner]
        self.inner = [_Split(job, one) for one in rows]
        self.outer = _Split(job, fold)
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
    samples = _Fold(job, fold)
    cached = job.memory.cache(_evaluate, ignore=["method", "samples"])
    found = []
    for method in job.methods:
        own = joblib.hash([method.label, method.key, method.candidates])
        # Small matrices: threads of the linear algebra cost more than they bring.
        with threadpool_limits(limits=1, user_api="blas"):
            try:
                with unreadable_is_made_again():
                    score = cached(f"{samples.key} {own}", method, samples)
            except REFUSALS as error:
                message = " ".join(str(error).split())
                score = FoldScore("", 0, {}, np.nan, {}, 0.0, refusal=message or repr(error))
        found.append(score._replace(method=method.label, fold=index + 1))
        if done is not None:
            done(method.label)
    return found


@contextmanager
def unreadable_is_made_again() -> Iterator[None]:
    """Let joblib say nothing of pieces in memory that were cut short: nothing is lost."""
    logger = logging.getLogger("joblib")
    logger.addFilter(_is_of_something_else)
    try:
        yield
    finally:
        logger.removeFilter(_is_of_something_else)


def _is_of_something_else(record: logging.LogRecord) -> bool:
    return "Exception while loading results" not in record.getMessage()


def _evaluate(key: str, method: Method, samples: _Fold) -> FoldScore:
    """Tune a method on the inner folds, and score it on the outer one."""
    if method.sees in ("kernels", "alone", "rows"):
        # Here, so that the first of the methods that share them is not charged for all.
        for split in [*samples.inner, samples.outer]:
            split.alone  # noqa: B018
    start = time.perf_counter()
    metrics = list(samples.job.scorers)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        within = [
            [_score(method, params, split, metrics[:1])[0] for split in samples.inner]
            for params in method.candidates
        ]
        inner = _means(np.array(within))
        if np.isnan(inner).all():
            raise ValueError(f"{metrics[0]} is not a number within the training samples.")
        best = int(np.nanargmax(inner))
        params = method.candidates[best]
        scores, model = _score(method, params, samples.outer, metrics)
        if not np.isfinite(scores[0]):
            raise ValueError(f"{metrics[0]} is {scores[0]} on the test samples.")
        seconds = time.perf_counter() - start
        answers = _answers(method, model, params, samples.outer)
    unconverged = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    for other in caught:
        if other not in unconverged:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    named = dict(zip(metrics, scores, strict=True))
    late = len(unconverged)
    return FoldScore("", 0, named, float(inner[best]), params, seconds, late, answers=answers)


def _means(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row, without folds on which no score is defined.

    NaN where others of the fold are: what has no score is never the best.
    """
    defined = ~np.isnan(scores).all(axis=0)
    return scores[:, defined].mean(axis=1) if defined.any() else np.full(len(scores), np.nan)


def _score(
    method: Method, params: dict[str, Any], split: _Split, metrics: list[str]
) -> tuple[list[float], Any]:
    """Fit to the samples to learn from, and score on the others; return the model as well."""
    assert method.build is not None
    part = split.part(method.sees)
    model = method.build(params, split).fit(part.train, part.y_train)
    scorers = split.job.scorers
    scores = [float(scorers[metric](model, part.test, part.y_test)) for metric in metrics]
    return scores, model


def _answers(method: Method, model: Any, params: dict[str, Any], split: _Split) -> dict[str, Any]:
    """Return what a method tells beside its scores, or why it cannot."""
    if method.inquire is None:
        return {}
    try:
        return method.inquire(model, params, split)
    except Exception as error:  # scorers are anyone's code, and stand before no common model here
        return {"reason": " ".join(f"{type(error).__name__}: {error}".split())}


def fingerprint(data: Any) -> str:
    """Return a name for data that is the same in every process.

    Parameters
    ----------
    data : Modalities, array, sparse matrix, DataFrame, Series, list or anything that pickles

    Returns
    -------
    str
    """
    digest = blake2b(digest_size=16)
    _digest(data, digest.update)
    return digest.hexdigest()


def _digest(data: Any, update: Callable[[bytes], None]) -> None:
    update(type(data).__name__.encode())
    if isinstance(data, Modalities):
        for name in data.names:
            update(name.encode())
            _digest(data[name], update)
    elif hasattr(data, "columns"):
        for column in data.columns:
            update(repr(column).encode())
            # Strings may be the same ones in memory or not: only their values count.
            _digest(np.asarray(data[column]), update)
    elif hasattr(data, "tocsr"):
        matrix = data.tocsr()
        update(repr(matrix.shape).encode())
        for part in (matrix.indptr, matrix.indices, matrix.data):
            _digest(part, update)
    elif isinstance(data, np.ndarray) and data.dtype != object:
        update(f"{data.shape} {data.dtype.str}".encode())
        update(np.ascontiguousarray(data).tobytes())
    elif isinstance(data, list | tuple | np.ndarray):
        update(repr(np.shape(data) if isinstance(data, np.ndarray) else len(data)).encode())
        for item in np.ravel(data) if isinstance(data, np.ndarray) else data:
            _digest(item, update)
    elif hasattr(data, "to_numpy"):
        _digest(np.asarray(data), update)
    else:
        update(repr(data).encode())
