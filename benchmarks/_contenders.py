"""What the section accuracy compares: each contender learns from one split and predicts its test.

All of them choose what they choose on the same inner folds of the training samples. Joined and
single models of columns see fixed features, learned from the training samples (`Features`); those
of kernels share one set of Gram matrices, which "auto" chose. Probabilities of support vector
machines are calibrated by Platt's curves of decision values on the inner folds.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import ElasticNetCV, LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KernelCenterer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR

from benchmarks._panel import DataSet
from benchmarks._problems import Floats
from mkfusion import ColumnKernelizer, MKLClassifierCV, MKLRegressorCV

DEFAULT = "default"
LINEAR = "joined linear"
SUM = "kernel sum"
_COSTS = np.geomspace(1e-2, 1e4, 7)
# Of standardised numbers; a larger C takes libsvm minutes where the noise is large.
_COSTS_OF_NUMBERS = np.geomspace(1e-2, 1e2, 5)
_TREES, _STACKED_TREES = 200, 50
_RIDGES = np.geomspace(1e-3, 1e3, 7)
_HIMALAYA_ALPHAS = np.geomspace(1e-4, 1e4, 9)
_WORDS = 1000
_COEFFICIENTS = 10


class Prediction(NamedTuple):
    """Of the test samples: classes and their probabilities, or numbers.

    Attributes
    ----------
    values : ndarray of shape (n_test,)
    chances : ndarray of shape (n_test, n_classes) or None
    """

    values: NDArray[Any]
    chances: Floats | None = None


class Features:
    """Columns of a modality as numbers: what an analyst would take without much thought.

    Numbers are standardised; words are one column for each category; texts are TF-IDF of words and
    pairs of words that occur twice; strings of letters of one length (DNA) are one column for each
    letter at each place; series are their values, and of each channel mean, standard deviation,
    least, largest, mean absolute step, and the logarithms of the first ten Fourier magnitudes.
    """

    def fit(self, data: Any) -> Features:
        """Learn scales, categories and words."""
        self._maker: Any
        if isinstance(data, list):
            lengths = {len(text) for text in data}
            if len(lengths) == 1 and not any(" " in text for text in data):
                self._maker = make_pipeline(
                    FunctionTransformer(_letters), OneHotEncoder(handle_unknown="ignore")
                )
            else:
                self._maker = TfidfVectorizer(
                    ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=_WORDS
                )
        elif isinstance(data, pd.DataFrame):
            self._words = [c for c in data if not pd.api.types.is_numeric_dtype(data[c])]
            self._encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            self._maker = make_pipeline(FunctionTransformer(self._columns), StandardScaler())
            if self._words:
                self._encoder.fit(data[self._words].astype(str))
        elif data.ndim == 3:
            self._maker = make_pipeline(FunctionTransformer(_summary), StandardScaler())
        else:
            self._maker = StandardScaler()
        self._maker.fit(data)
        return self

    def transform(self, data: Any) -> Floats:
        """Return the columns of some samples, dense."""
        columns = self._maker.transform(data)
        return columns.toarray() if hasattr(columns, "toarray") else np.asarray(columns)

    def _columns(self, data: pd.DataFrame) -> Floats:
        numbers = data.drop(columns=self._words).to_numpy(float)
        if not self._words:
            return numbers
        return np.hstack([numbers, self._encoder.transform(data[self._words].astype(str))])


def _letters(texts: list[str]) -> NDArray[Any]:
    return np.array([list(text) for text in texts])


def _summary(series: Floats) -> Floats:
    magnitudes = np.abs(np.fft.rfft(series, axis=2))[:, :, :_COEFFICIENTS]
    steps = np.abs(np.diff(series, axis=2)).mean(axis=2)
    parts = [series.mean(axis=2), series.std(axis=2), series.min(axis=2), series.max(axis=2), steps]
    flat = [series, np.log1p(magnitudes)]
    return np.hstack([*parts, *(part.reshape(len(series), -1) for part in flat)])


class Split:
    """The training and test samples of one split; features and kernels are made once.

    What is shared counts in the time of every contender that uses it (`seconds_of`).

    Parameters
    ----------
    train : DataSet
    test : Modalities
    folds : list of (train, test)
        Positions among the training samples, for inner choices.
    classes : bool
        Whether classes are predicted.
    """

    def __init__(self, train: DataSet, test: Any, folds: list[Any], classes: bool) -> None:
        self.train, self.test, self.folds, self.classes = train, test, folds, classes
        self.seconds_of: dict[str, float] = {}

    @cached_property
    def parts(self) -> list[tuple[Floats, Floats]]:
        """Training and test columns of each modality."""
        begin, found = time.process_time(), []
        for name in self.train.X.names:
            maker = Features().fit(self.train.X[name])
            pair = maker.transform(self.train.X[name]), maker.transform(self.test[name])
            if pair[0].shape[1]:
                found.append(pair)
        self.seconds_of["parts"] = time.process_time() - begin
        return found

    @cached_property
    def singles(self) -> list[Any]:
        """A linear model of each modality."""
        parts = self.parts
        begin = time.process_time()
        models = [linear_model(self).fit(train, self.train.y) for train, _ in parts]
        spent = time.process_time() - begin
        self.seconds_of["singles"] = self.seconds_of["parts"] + spent
        return models

    @property
    def joined(self) -> tuple[Floats, Floats]:
        """Training and test columns of all modalities."""
        trains, tests = zip(*self.parts, strict=True)
        return np.hstack(trains), np.hstack(tests)

    @cached_property
    def bank(self) -> tuple[Floats, Floats]:
        """Gram matrices (m, n, n) that "auto" chose, and those with the test samples."""
        begin = time.process_time()
        kernelizer = auto_kernels(self.train.X.names)
        pair = kernelizer.fit_transform(self.train.X), kernelizer.transform(self.test)
        train, test = (np.moveaxis(np.asarray(stack, dtype=float), 2, 0) for stack in pair)
        self.seconds_of["bank"] = time.process_time() - begin
        return np.ascontiguousarray(train), np.ascontiguousarray(test)


class Contender(NamedTuple):
    """A method: what it does, which of the shared things it uses, and what it is for."""

    predict: Callable[[Split], Prediction]
    uses: str | None = None
    classes: bool = True
    numbers: bool = True
    needs: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Return the modules that it needs and that are not installed."""
        return [module for module in self.needs if find_spec(module) is None]


def auto_kernels(names: list[str]) -> ColumnKernelizer:
    """Return the kernelizer that leaves every choice to "auto"."""
    return ColumnKernelizer([(name, "auto", name) for name in names])


def _default(split: Split) -> Prediction:
    X, y, _ = split.train
    kind = MKLClassifierCV if split.classes else MKLRegressorCV
    model = Pipeline([("kernels", auto_kernels(X.names)), ("mkl", kind(cv=split.folds))])
    return _of(model.fit(X, y), split.test, split)


def linear_model(split: Split) -> Any:
    if split.classes:
        return LogisticRegressionCV(
            Cs=10, cv=split.folds, scoring="neg_log_loss", max_iter=1000, tol=1e-3
        )
    return ElasticNetCV(l1_ratio=[0.1, 0.5, 0.9, 1.0], cv=split.folds, max_iter=3000, tol=1e-3)


def _held_out_score(model: Any) -> float:
    """Return the best inner score of a linear model: the larger the better."""
    if isinstance(model, ElasticNetCV):
        return -float(np.min(np.mean(model.mse_path_, axis=-1)))
    scores = (
        next(iter(model.scores_.values())) if isinstance(model.scores_, dict) else model.scores_
    )
    return float(np.max(np.mean(scores, axis=0)))


def _of(model: Any, columns: Any, split: Split) -> Prediction:
    chances = model.predict_proba(columns) if split.classes else None
    return Prediction(model.predict(columns), chances)


def _joined(make: Callable[[Split], Any]) -> Callable[[Split], Prediction]:
    def predict(split: Split) -> Prediction:
        train, test = split.joined
        return _of(make(split).fit(train, split.train.y), test, split)

    return predict


def _forest(split: Split) -> Any:
    kind = RandomForestClassifier if split.classes else RandomForestRegressor
    return kind(_TREES, random_state=0)


def _boosting(split: Split) -> Any:
    kind = HistGradientBoostingClassifier if split.classes else HistGradientBoostingRegressor
    return kind(random_state=0)


def _late_mean(split: Split) -> Prediction:
    pairs = zip(split.singles, split.parts, strict=True)
    found = [_of(model, test, split) for model, (_, test) in pairs]
    if not split.classes:
        return Prediction(np.mean([one.values for one in found], axis=0))
    chances = np.mean([one.chances for one in found], axis=0)
    return Prediction(np.unique(split.train.y)[np.argmax(chances, axis=1)], chances)


def _best_single(split: Split) -> Prediction:
    best = int(np.argmax([_held_out_score(model) for model in split.singles]))
    return _of(split.singles[best], split.parts[best][1], split)


def _kernel_machine(K: Floats, test: Floats, y: NDArray[Any], split: Split) -> Prediction:
    """Choose C for a kernel by the machine's own score, and calibrate its decision values."""
    if not split.classes:
        scale = float(np.std(y)) or 1.0
        grid = {"C": _COSTS_OF_NUMBERS}
        search = GridSearchCV(SVR(kernel="precomputed"), grid, cv=split.folds)
        return Prediction(search.fit(K, (y - y.mean()) / scale).predict(test) * scale + y.mean())
    search = GridSearchCV(SVC(kernel="precomputed"), {"C": _COSTS}, cv=split.folds).fit(K, y)
    machine = SVC(kernel="precomputed", C=search.best_params_["C"])
    calibrated = CalibratedClassifierCV(machine, cv=split.folds, ensemble=False).fit(K, y)
    return Prediction(search.predict(test), calibrated.predict_proba(test))


def _kernel_sum(split: Split) -> Prediction:
    train, test = split.bank
    return _kernel_machine(train.mean(axis=0), test.mean(axis=0), split.train.y, split)


def _easymkl(split: Split) -> Prediction:
    """Learn weights with EasyMKL, one class against the others, and an SVC on each sum."""
    from MKLpy.algorithms import EasyMKL

    train, test = split.bank
    y, names = split.train.y, np.unique(split.train.y)
    chances = []
    for name in names[1:] if len(names) == 2 else names:
        own = np.where(y == name, 1, -1)
        weights = EasyMKL(learner=SVC()).combine_kernels(list(train), own).weights.numpy()
        sums = (np.tensordot(weights, bank, axes=1) for bank in (train, test))
        chances.append(_kernel_machine(*sums, own, split).chances[:, 1])
    if len(names) == 2:
        chances = [1.0 - chances[0], chances[0]]
    table = np.column_stack(chances)
    table = np.maximum(table, np.finfo(float).tiny)
    table /= table.sum(axis=1, keepdims=True)
    return Prediction(names[np.argmax(table, axis=1)], table)


def _himalaya(split: Split) -> Prediction:
    from himalaya.kernel_ridge import MultipleKernelRidgeCV

    trains, tests, y = [], [], split.train.y
    for K, new in zip(*split.bank, strict=True):
        centerer = KernelCenterer().fit(K)
        centred = centerer.transform(K)
        size = float(np.trace(centred)) / len(y) or 1.0
        trains.append(centred / size)
        tests.append(centerer.transform(new) / size)
    mean, scale = y.mean(), float(np.std(y)) or 1.0
    model = MultipleKernelRidgeCV(
        kernels="precomputed",
        solver_params={"progress_bar": False, "alphas": _HIMALAYA_ALPHAS},
        cv=split.folds,
        random_state=0,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        model.fit(np.array(trains), (y - mean) / scale)
    return Prediction(np.asarray(model.predict(np.array(tests))).ravel() * scale + mean)


def _stacking(split: Split) -> Prediction:
    """Stack a forest of each modality, as multi-view stacking does, by a penalised linear model."""
    train, test = split.joined
    stops = np.cumsum([0, *(part.shape[1] for part, _ in split.parts)])
    kind = RandomForestClassifier if split.classes else RandomForestRegressor
    experts = [
        (
            f"{k}",
            make_pipeline(_Columns(slice(*stops[k : k + 2])), kind(_STACKED_TREES, random_state=0)),
        )
        for k in range(len(split.parts))
    ]
    model: Any
    if split.classes:
        last = LogisticRegressionCV(Cs=5, cv=5, scoring="neg_log_loss", max_iter=1000)
        model = StackingClassifier(experts, last, cv=split.folds)
    else:
        model = StackingRegressor(experts, RidgeCV(_RIDGES), cv=split.folds)
    return _of(model.fit(train, split.train.y), test, split)


def _Columns(some: slice) -> FunctionTransformer:  # noqa: N802
    return FunctionTransformer(lambda X: X[:, some])


CONTENDERS: dict[str, Contender] = {
    DEFAULT: Contender(_default),
    LINEAR: Contender(_joined(linear_model), "parts"),
    "late linear": Contender(_late_mean, "singles"),
    "best single": Contender(_best_single, "singles"),
    "forest": Contender(_joined(_forest), "parts"),
    "boosting": Contender(_joined(_boosting), "parts"),
    "stacking": Contender(_stacking, "parts"),
    SUM: Contender(_kernel_sum, "bank"),
    "EasyMKL": Contender(_easymkl, "bank", numbers=False, needs=("MKLpy", "torch", "cvxopt")),
    "himalaya": Contender(_himalaya, "bank", classes=False, needs=("himalaya",)),
}


def run_contender(name: str, split: Split) -> tuple[Prediction, float]:
    """Return what a contender predicts, and the processor seconds that it took."""
    contender = CONTENDERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if contender.uses is not None:
            getattr(split, contender.uses)
        begin = time.process_time()
        prediction = contender.predict(split)
    seconds = time.process_time() - begin
    return prediction, seconds + split.seconds_of.get(contender.uses or "", 0.0)
