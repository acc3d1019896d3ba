"""The samples of a comparison: what users give, and what each modality is."""

# `mkfusion.X` loads X when it is first asked for: the help of the command line lists the methods,
# and is not to wait for compiled code.

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from numbers import Integral, Real
from pickle import PicklingError
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import mkfusion
from mkfusion._compat import num_samples
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.compare._folds import Splitter
from mkfusion.compare._metrics import named_metrics
from mkfusion.compare._survival import FollowUp, survival_scorers
from mkfusion.data import (
    MOST_CLASSES,
    Known,
    MissingModalityWarning,
    Modalities,
    Samples as ReadSamples,
    find_infinity,
    in_two_dimensions,
    is_uneven,
    known_parts,
    present_samples,
    read_columns,
    refuse_empty,
    refuse_others,
    refuse_several,
    refuse_unknown,
    seems_classes,
    those,
)

_LARGEST_SEED = 2**32 - 1


# ---------------------------------------------------------------------------- what users give


def check_samples(X: Any) -> None:
    """Refuse what has no rows and columns, and what has no rows."""
    if not (isinstance(X, Modalities) or hasattr(X, "columns") or hasattr(X, "tocsr")):
        refuse_others(X)
        refuse_several(X)
        shape = np.shape(X)
        if len(shape) < 2:
            came = f"of shape {shape}" if shape else shown(X)
            raise ValueError(
                f"X is {came}; expected Modalities, a DataFrame, or an array (n_samples, "
                "n_columns)."
            )
    if num_samples(X) == 0:
        raise ValueError("X has 0 samples; expected some of each class, or of the target's range.")


def as_modalities(samples: ReadSamples) -> Modalities:
    """Return the samples under names that parameters can have."""
    for name, part in zip(samples.names, samples.parts, strict=True):
        if (cell := find_infinity(part)) is not None:
            raise ValueError(
                f"X: modality {name!r}: {cell}; expected finite numbers, or NaN for unknown ones."
            )
    return Modalities({f"m{k}": in_two_dimensions(part) for k, part in enumerate(samples.parts)})


def as_target(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels or numbers, none of them missing."""
    if y.dtype == object:
        kinds = {type(value) for value in y.tolist()}
        if len(kinds) > 1 or not kinds <= {str, bool, int, float}:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(
                f"y holds {names}; expected strings, booleans or numbers, and none of them missing."
            )
        y = np.array(y.tolist())
    if y.dtype.kind in "iuf" and not np.isfinite(y).all():
        raise ValueError("y holds NaN or infinity; expected finite numbers, or class labels.")
    return y


def is_classification(y: NDArray[Any], task: str) -> bool:
    if task == "survival":
        raise ValueError(
            "task is 'survival' and y has no fields; expected a structured array with a boolean "
            "field (whether there was an event) and a field of numbers (the time)."
        )
    if task not in ("auto", "classification", "regression"):
        raise ValueError(
            f'task is {shown(task)}; expected "auto", "classification", "regression" or "survival".'
        )
    numbers = y.dtype.kind in "iuf"
    if task == "regression" and not numbers:
        raise ValueError(f"y is of {y.dtype} and task is 'regression'; expected numbers.")
    n_values = len(np.unique(y))
    if n_values < 2:
        raise ValueError(f"y is {shown(y[0])} for every sample; expected a target that varies.")
    if task != "auto":
        return task == "classification"
    found = seems_classes(y)
    if found is None:
        raise ValueError(
            f'y holds {n_values} different whole numbers; expected task="classification" or '
            'task="regression", which says what they are.'
        )
    if not numbers and n_values > max(MOST_CLASSES, len(y) // 2):  # names of samples, perhaps
        raise ValueError(
            f"y holds {n_values} different texts in {len(y)} samples, such as {shown(y[0])}; "
            "expected classes with several samples each."
        )
    return found


def check_settings(random_state: Any, alpha: Any, sesoi: Any) -> int:
    """Return the seed, after a look at the other small parameters."""
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not whole or not 0 <= random_state <= _LARGEST_SEED:
        raise ValueError(
            f"random_state is {shown(random_state)}; expected an integer between 0 and 2**32 - 1."
        )
    if not isinstance(alpha, float | np.floating) or not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {shown(alpha)}; expected a number between 0 and 0.5.")
    number = isinstance(sesoi, Real) and not isinstance(sesoi, bool)
    if sesoi is not None and not (number and 0 < sesoi < np.inf):
        raise ValueError(
            f"sesoi is {shown(sesoi)}; expected None, or a positive difference of the first metric."
        )
    return int(random_state)


def default_metrics(y: NDArray[Any], classes: bool) -> list[str]:
    """Return the metrics that are taken if nobody says which, the first to tune and test by.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    classes : bool
        Whether y is class labels.

    Returns
    -------
    list of str
        Balanced accuracy first where classes are uneven: knowing nothing has a high accuracy.
    """
    if not classes:
        return ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
    metrics = ["accuracy", "balanced_accuracy", "f1_macro"]
    if is_uneven(np.unique(y, return_counts=True)[1]):
        metrics[:2] = reversed(metrics[:2])
    return metrics


def make_scorers(scoring: Any, setting: Setting, y: NDArray[Any]) -> dict[str, Any]:
    """Return scorers by the names of their metrics."""
    if setting.follow_up is not None:
        return survival_scorers(scoring, setting.follow_up)
    if scoring is None:
        scoring = default_metrics(y, setting.classes)
        if setting.n_classes == 2:
            scoring.append("roc_auc")
    return {name: get_scorer(one) for name, one in named_metrics(scoring).items()}


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


def key_of(samples: Samples) -> str:
    """Return a name for everything that scores depend on beside method and fold."""
    setting = samples.setting
    metrics = _hash("scoring", samples.scorers, "names of metrics")
    kernels = [_hash("kernels", one.kernel, "objects") for one in setting.modalities]
    versions = [module.__version__ for module in (mkfusion, sklearn, np, scipy)]
    inner = samples.inner.describe()
    rest = [setting.classes, setting.fast, setting.seed, inner, kernels, versions, metrics]
    return f"{fingerprint(samples.modalities)} {fingerprint(samples.y)} {rest!r}"


def _hash(argument: str, value: Any, expected: str) -> str:
    """Return a name for what is as it is in every process."""
    try:
        return joblib.hash(value)
    except (PicklingError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{argument} cannot be pickled, which memory needs: {error} Expected {expected}, or "
            "functions of a module."
        ) from error


# ---------------------------------------------------------------------------- what each modality is


class Described(NamedTuple):
    """A modality under a name that parameters can have, and what is done with it.

    Attributes
    ----------
    name : str
        The user's.
    key : str
        Ours.
    shape : str
        Of its data, in words.
    kernel : kernel or Pipeline
        What "auto" chose by looking at all samples, not fitted.
    features : transformer or None
        From samples to numbers, not fitted; None where there is no such thing.
    dense : bool
        Whether these features are a few numbers that can be multiplied and correlated.
    reason : str
        Why there are no (dense) features.
    n_missing : int
        Samples that lack it.
    width : int
        Number of dense features; 0 where there are none.
    """

    name: str
    key: str
    shape: str
    kernel: Any
    features: Any
    dense: bool
    reason: str
    n_missing: int
    width: int


def describe_modalities(X: Modalities, names: list[str], kernels: Any = None) -> list[Described]:
    """Find out what each modality is, from dtypes and gaps alone.

    Parameters
    ----------
    X : Modalities
        All samples, under our names.
    names : list of n_modalities str
        The user's names.
    kernels : dict of str to kernel, default=None
        Of some modalities, by the user's names.

    Returns
    -------
    list of Described

    Raises
    ------
    ValueError, TypeError
        If "auto" knows no kernel of a modality, or one of `kernels` is none.
    """
    present = X.present()
    refuse_unknown(names, present)
    n_missing = (~present).sum(axis=0)
    missing = "marginalise" if n_missing.any() else "error"
    given = _given_kernels(kernels, names)
    entries = [
        (key, "auto", key) for name, key in zip(names, X.names, strict=True) if name not in given
    ]
    chosen: dict[str, Any] = {}
    if entries:
        try:
            with without_advice():
                fitted = mkfusion.ColumnKernelizer(entries, missing=missing).fit(X)
            chosen = fitted.auto_kernels_
        except ValueError as error:
            message = str(error)
            for name, key in zip(names, X.names, strict=True):
                message = message.replace(repr(key), repr(name))
            raise ValueError(message) from error
    described = []
    for name, key, lacking in zip(names, X.names, n_missing, strict=True):
        data = those(present_samples(X[key]), X[key])
        if name in given:
            kernel, (features, dense, reason) = _own_kernel(X, key, given[name], name)
        else:
            kernel = chosen[key]
            features, dense, reason = _features(data, kernel)
        width = clone(features).fit_transform(data).shape[1] if dense else 0
        shape = _shape(X[key], kernel)
        described.append(
            Described(name, key, shape, kernel, features, dense, reason, int(lacking), width)
        )
    return described


def _given_kernels(kernels: Any, names: list[str]) -> dict[str, Any]:
    """Return the kernels of the user's own, by the names of modalities."""
    if kernels is None:
        return {}
    if not isinstance(kernels, Mapping):
        raise TypeError(
            f"kernels is {shown(kernels)}; expected a dict of kernels by the names of modalities."
        )
    unknown = [name for name in kernels if name not in names]
    if unknown:
        raise ValueError(f"kernels has {shown(unknown)}; expected names of modalities, {names}.")
    for name, kernel in kernels.items():
        if isinstance(kernel, list | tuple):
            raise TypeError(
                f"kernels[{name!r}] is {shown(kernel)}; expected one kernel, such as k1 + k2 of "
                "two."
            )
    # "auto" and None choose.
    return {
        name: kernel
        for name, kernel in kernels.items()
        if kernel is not None and not (isinstance(kernel, str) and kernel == "auto")
    }


def _own_kernel(X: Modalities, key: str, kernel: Any, name: str) -> tuple[Any, Any]:
    """Return a kernel of the user's own, after a trial, and what `_features` finds without it.

    Later it would fail in every fold.
    """
    alone = _alone(X, key)
    try:
        mkfusion.ColumnKernelizer([(key, clone(kernel, safe=False), key)]).fit(alone)
    except (TypeError, ValueError) as error:
        message = str(error).replace(repr(key), repr(name))
        raise type(error)(f"kernels[{name!r}] is {shown(kernel)}: {message}") from error
    try:
        fitted = mkfusion.ColumnKernelizer([(key, "auto", key)]).fit(alone)
    except (TypeError, ValueError):  # of what only this kernel knows how to compare
        return kernel, (None, False, "neither numbers, categories, texts nor signals")
    return kernel, _features(X[key], fitted.auto_kernels_[key])


def _alone(X: Modalities, key: str) -> Modalities:
    """Return a modality by itself, of the samples that have it."""
    alone = Modalities({key: X[key]})
    return alone[alone.present()[:, 0]]


def _sees_images(kernel: Any) -> bool:
    parts = [kernel, *getattr(kernel, "get_params", dict)().values()]
    return any(isinstance(part, mkfusion.ImageKernel) for part in parts)


def _shape(data: Any, kernel: Any) -> str:
    if not hasattr(data, "shape"):
        return f"{len(data)} items"
    if _sees_images(kernel):
        return f"images of {data.shape[1]} x {data.shape[2]} pixels"
    if len(data.shape) == 3:
        return f"signals: {data.shape[1]} channels of {data.shape[2]} time steps"
    n_columns = data.shape[1] if len(data.shape) == 2 else 1
    return f"{n_columns} column{'s' if n_columns != 1 else ''}"


def _features(data: Any, kernel: Any) -> tuple[Any, bool, str]:
    """Return the transformer, whether its features are dense, and why not."""
    if _sees_images(kernel):
        return None, False, "images"
    if isinstance(kernel, mkfusion.GlobalAlignmentKernel):
        summary = FunctionTransformer(channel_summaries)
        return make_pipeline(summary, StandardScaler()), True, ""
    last = kernel[-1] if isinstance(kernel, Pipeline) else kernel
    if isinstance(last, mkfusion.WeightedDegreeKernel):
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        return make_pipeline(FunctionTransformer(letters_in_columns), one_hot), True, ""
    if isinstance(last, mkfusion.SpectrumKernel):
        flat = FunctionTransformer(np.ravel)
        pieces = TfidfVectorizer(analyzer="char", ngram_range=(3, 3), lowercase=False)
        return make_pipeline(flat, pieces), False, "sequences of different lengths"
    if isinstance(kernel, Pipeline):
        before = clone(kernel[:-1])
        if "tfidfvectorizer" in kernel.named_steps:
            return before, False, "texts"
        return before, True, ""
    if hasattr(data, "tocsr"):
        return "passthrough", False, "a sparse matrix"
    table = data.to_frame() if hasattr(data, "to_frame") else data
    if not hasattr(table, "columns"):
        if getattr(data, "dtype", None) is not None and data.dtype.kind in "fiub":
            return make_pipeline(SimpleImputer(), StandardScaler()), True, ""
        return None, False, "categories in an array; give them as a DataFrame"
    kinds = [column.kind for column in read_columns(table)]
    times = [c for c, kind in zip(table.columns, kinds, strict=True) if kind == "time"]
    if times:
        return None, False, f"a table with dates or durations ({', '.join(map(shown, times))})"
    numeric = [c for c, kind in zip(table.columns, kinds, strict=True) if kind == "numeric"]
    nominal = [c for c in table.columns if c not in numeric]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numeric), (one_hot, nominal)
    )
    return encoder, True, ""


def letters_in_columns(data: Any) -> NDArray[np.str_]:
    """Return sequences of one length with a letter in each column (n_samples, length)."""
    strings = np.ravel(data).astype(str)
    return strings.view("U1").reshape(len(strings), -1)


class Setting(NamedTuple):
    """What the methods must know.

    Attributes
    ----------
    modalities : list of Described
    classes : bool
        Whether the task is classification.
    n_classes : int
    fast : bool
    seed : int
    follow_up : FollowUp or None
        Over which time survival is scored; None for classes and numbers.
    """

    modalities: list[Described]
    classes: bool
    n_classes: int
    fast: bool
    seed: int
    follow_up: FollowUp | None = None

    @property
    def task(self) -> str:
        """One of "classification", "regression" and "survival"."""
        if self.follow_up is not None:
            return "survival"
        return "classification" if self.classes else "regression"

    @property
    def lacks(self) -> bool:
        """Whether some samples lack a modality."""
        return any(modality.n_missing for modality in self.modalities)

    def kernelizer(self, missing: str = "marginalise") -> mkfusion.ColumnKernelizer:
        """Return one kernel of each modality, not fitted."""
        entries = [(m.key, clone(m.kernel, safe=False), m.key) for m in self.modalities]
        return mkfusion.ColumnKernelizer(entries, missing=missing if self.lacks else "error")


def channel_summaries(signals: Any) -> Floats:
    """Return five numbers for each channel of each signal.

    Parameters
    ----------
    signals : array of shape (n_samples, n_channels, n_timesteps), or list of arrays

    Returns
    -------
    ndarray of shape (n_samples, 5 * n_channels)
        Mean, standard deviation, minimum, maximum and mean absolute step.
    """
    rows = []
    for signal in signals:
        values = np.asarray(signal, dtype=np.float64)
        steps = np.abs(np.diff(values, axis=1)) if values.shape[1] > 1 else np.zeros_like(values)
        summaries = [values.mean(1), values.std(1), values.min(1), values.max(1), steps.mean(1)]
        rows.append(np.concatenate(summaries))
    return np.array(rows)


class FeatureModalities(TransformerMixin, BaseEstimator):
    """Replace each modality by its features; where samples lack it, these are NaN.

    Parameters
    ----------
    transformers : list of (name, transformer) pairs
    most : int or None, default=None
        Features of each modality at most: beyond it, their first principal components.

    Attributes
    ----------
    transformers_ : list of transformers
        Fitted to the samples that have the modality.
    widths_ : list of int
        Numbers of features.
    """

    def __init__(self, transformers: list[tuple[str, Any]], most: int | None = None) -> None:
        self.transformers = transformers
        self.most = most

    def fit(self, X: Modalities, y: Any = None) -> Self:
        """Fit the transformers.

        Parameters
        ----------
        X : Modalities
            Training samples.
        y : array-like of shape (n_samples,), default=None
            Ignored.

        Returns
        -------
        self : object
        """
        known = self._known(X)
        refuse_empty(X.names, known.present, training=True)
        self.transformers_, self.widths_ = [], []
        for (_, transformer), part in zip(self.transformers, known.parts, strict=True):
            fitted = clone(transformer)
            features = fitted.fit_transform(part)
            width = features.shape[1]
            if self.most is not None and width > self.most:
                # As many as there are samples for; the solver is exact and draws nothing.
                width = min(self.most, features.shape[0])
                fitted = make_pipeline(fitted, PCA(width, svd_solver="full").fit(features))
            self.transformers_.append(fitted)
            self.widths_.append(width)
        return self

    def transform(self, X: Modalities) -> Modalities:
        """Return the features.

        Parameters
        ----------
        X : Modalities
            Samples.

        Returns
        -------
        Modalities
        """
        known = self._known(X)
        found = {}
        for k, (name, _) in enumerate(self.transformers):
            found[name] = np.full((len(X), self.widths_[k]), np.nan)
            if known.parts[k] is not None:
                found[name][known.rows(k)] = self.transformers_[k].transform(known.parts[k])
        return Modalities(found)

    def _known(self, X: Modalities) -> Known:
        return known_parts([X[name] for name, _ in self.transformers], len(X))


# ---------------------------------------------------------------------------- folds


class RefusalError(Exception):
    """Data, or a fold of them, that a method or a metric is not for; the message says why.

    Raised where an estimator or a metric that was given something of the user's has refused it, and
    nowhere else: any other error is a fault of the program, and goes all the way up.
    """


@contextmanager
def without_advice() -> Iterator[None]:
    """Let kernelizers say nothing of better ways than "marginalise": these are compared with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingModalityWarning)
        yield


class NothingToCompareError(ValueError):
    """Methods that fuse, or modalities on their own, of which none could be run."""

    @classmethod
    def of_fusion(cls, reasons: Mapping[str, str]) -> NothingToCompareError:
        """Return the error of no method that fuses, given why each is not applicable."""
        why = dict(reasons) or "none was asked for"
        if len(set(reasons.values())) == 1:  # such as one modality only
            why = next(iter(reasons.values()))
        return cls(f"methods leaves nothing that fuses: {why}.")


@contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Take errors of these kinds for refusals: to be put around calls of estimators only."""
    try:
        yield
    except kinds as error:
        raise RefusalError(" ".join(str(error).split()) or repr(error)) from error


class Samples(NamedTuple):
    """What all folds of a comparison have in common.

    Attributes
    ----------
    X : Modalities, ndarray, sparse matrix or DataFrame
        As the user gave it.
    modalities : Modalities
        Those that are compared, under our names.
    y : ndarray of shape (n_samples,)
    setting : Setting
    inner : Splitter
    scorers : dict of str to scorer
        The first is what values are chosen by.
    """

    X: Any
    modalities: Modalities
    y: NDArray[Any]
    setting: Setting
    inner: Splitter
    scorers: dict[str, Any]
