"""What each modality is, and the features that stand for it where a method needs numbers."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mkfusion import ColumnKernelizer, GlobalAlignmentKernel, Modalities


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
        Number of dense features; 0 where there are none, or samples lack the modality.
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


def describe_modalities(X: Modalities, names: list[str]) -> list[Described]:
    """Find out what each modality is, from dtypes and gaps alone.

    Parameters
    ----------
    X : Modalities
        All samples, under our names.
    names : list of n_modalities str
        The user's names.

    Returns
    -------
    list of Described
    """
    n_missing = (~X.present()).sum(axis=0)
    missing = "marginalise" if n_missing.any() else "error"
    entries = [(key, "auto", key) for key in X.names]
    try:
        chosen = ColumnKernelizer(entries, missing=missing).fit(X).auto_kernels_
    except ValueError as error:
        message = str(error)
        for name, key in zip(names, X.names, strict=True):
            message = message.replace(repr(key), repr(name))
        raise ValueError(message) from error
    described = []
    for name, key, lacking in zip(names, X.names, n_missing, strict=True):
        data, kernel = X[key], chosen[key]
        features, dense, reason = _features(data, kernel)
        width = clone(features).fit_transform(data).shape[1] if dense and not lacking else 0
        described.append(
            Described(name, key, _shape(data), kernel, features, dense, reason, int(lacking), width)
        )
    return described


def _shape(data: Any) -> str:
    if not hasattr(data, "shape"):
        return f"{len(data)} items"
    if len(data.shape) == 3:
        return f"signals: {data.shape[1]} channels of {data.shape[2]} time steps"
    n_columns = data.shape[1] if len(data.shape) == 2 else 1
    return f"{n_columns} column{'s' if n_columns != 1 else ''}"


def _features(data: Any, kernel: Any) -> tuple[Any, bool, str]:
    """Return the transformer, whether its features are dense, and why not."""
    if isinstance(kernel, GlobalAlignmentKernel):
        summary = FunctionTransformer(channel_summaries)
        return make_pipeline(summary, StandardScaler()), True, ""
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
    kinds = [getattr(table[column].dtype, "kind", "O") for column in table.columns]
    if any(kind in "mM" for kind in kinds):
        return None, False, "dates or durations"
    numeric = [c for c, kind in zip(table.columns, kinds, strict=True) if kind in "fiub"]
    nominal = [c for c in table.columns if c not in numeric]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numeric), (one_hot, nominal)
    )
    return encoder, True, ""


def channel_summaries(signals: Any) -> NDArray[np.float64]:
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


class Lookup:
    """A kernel for scikit-learn's machines whose samples are positions in a matrix.

    Parameters
    ----------
    gram : ndarray of shape (n_samples, n_train)
        Of training samples and then others, with the training samples.
    """

    def __init__(self, gram: NDArray[np.float64]) -> None:
        self.gram = gram

    def __call__(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
        """Return the values between positions (n_rows, 1) and positions (n_columns, 1)."""
        return self.gram[np.ix_(rows[:, 0].astype(np.intp), columns[:, 0].astype(np.intp))]

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # copies of machines share the matrix


class FeatureModalities(TransformerMixin, BaseEstimator):
    """Replace each modality by its features.

    Parameters
    ----------
    transformers : list of (name, transformer) pairs
    most : int or None, default=None
        Features of each modality at most: beyond it, their first principal components.

    Attributes
    ----------
    transformers_ : list of transformers
        Fitted.
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
        self.transformers_ = []
        for name, transformer in self.transformers:
            fitted = clone(transformer)
            features = fitted.fit_transform(X[name])
            if self.most is not None and features.shape[1] > self.most:
                # As many as there are samples for; the solver is exact and draws nothing.
                count = min(self.most, features.shape[0])
                fitted = make_pipeline(fitted, PCA(count, svd_solver="full").fit(features))
            self.transformers_.append(fitted)
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
        pairs = zip(self.transformers, self.transformers_, strict=True)
        return Modalities({name: fitted.transform(X[name]) for (name, _), fitted in pairs})
