"""Features of several modalities, each modality a block of its own scale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import hstack, issparse
from sklearn.base import clone
from sklearn.utils.sparsefuncs import mean_variance_axis

from mkfusion._compat import BaseComposition
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import about, check_entries, in_two_dimensions, with_numbers
from mkfusion.fusion._fitting import (
    Training,
    default_scaler,
    fit_weighted,
    read_training,
    seen_by,
)

_NOT_FINITE = re.compile(r"\b(NaN|infinity|inf)\b")
# Blocks of which less than this share is not zero stay sparse, as in ColumnTransformer.
_SPARSE = 0.3


class Entry(NamedTuple):
    """A modality, and what makes features of it.

    Attributes
    ----------
    name : str
    transformer : transformer, "passthrough" or None
        None is a StandardScaler.
    columns : Any
    """

    name: str
    transformer: Any
    columns: Any


class TransformerParameters(BaseComposition):
    """A fusion whose modalities' transformers have parameters of their own."""

    modalities: Sequence[Any] | None

    @property
    def _named_transformers(self) -> list[tuple[str, Any]]:
        entries = self.modalities if isinstance(self.modalities, list | tuple) else []
        return [entry[:2] for entry in entries if isinstance(entry, tuple) and len(entry) == 3]

    @_named_transformers.setter
    def _named_transformers(self, pairs: list[tuple[str, Any]]) -> None:
        found = dict(pairs)
        self.modalities = [
            (entry[0], found[entry[0]], entry[2]) if len(entry) == 3 else entry
            for entry in self.modalities or []
        ]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the estimator and the transformers included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``estimator__parameter``, and ``name`` and ``name__parameter`` of
            each modality that has a transformer.

        Returns
        -------
        dict
        """
        return self._get_params("_named_transformers", deep=deep)

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the estimator and the transformers included.

        Parameters
        ----------
        **params : dict
            Under the names that `get_params` returns.

        Returns
        -------
        self : object
        """
        return self._set_params("_named_transformers", **params)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read_training(self, X: Any, y: Any, sample_weight: Any) -> tuple[Training, list[Entry]]:
        """Read everything that `fit` was given, and what makes features of each modality."""
        if self.modalities is None:
            training = read_training(self, X, y, sample_weight, None)
            return training, [Entry(v.name, None, v.columns) for v in training.samples.views]
        entries = read_entries(self.modalities)
        self._validate_names([entry.name for entry in entries])
        pairs = [(entry.name, entry.columns) for entry in entries]
        return read_training(self, X, y, sample_weight, pairs), entries


def read_entries(modalities: Any, argument: str = "modalities") -> list[Entry]:
    """Return what is asked for, checked.

    Parameters
    ----------
    modalities : list or tuple of (name, columns) pairs or (name, transformer, columns) tuples
    argument : str, default="modalities"
        Its name, for messages.
    """
    check_entries(modalities, argument, ("(name, columns)", "(name, transformer, columns)"))
    entries = []
    for i, given in enumerate(modalities):
        entry = Entry(given[0], given[1] if len(given) == 3 else None, given[-1])
        kept = isinstance(entry.transformer, str) and entry.transformer == "passthrough"
        if not (entry.transformer is None or kept or hasattr(entry.transformer, "transform")):
            raise TypeError(
                f"{argument}[{i}] has the transformer {shown(entry.transformer)}; expected one "
                "that has "
                '`transform`, "passthrough" or None.'
            )
        entries.append(entry)
    return entries


class Blocks:
    """Transformers of several modalities, and the scales of what they return.

    Parameters
    ----------
    entries : sequence of Entry
    scaled : bool
        Whether each block is divided by the root of its total variance in the training samples.

    Attributes
    ----------
    transformers : list of n_modalities transformers
        Fitted.
    scales : ndarray of shape (n_modalities,)
        What the blocks are multiplied by.
    widths : list of n_modalities int
    """

    def __init__(self, entries: Sequence[Entry], scaled: bool) -> None:
        self.names = [entry.name for entry in entries]
        self._given = [entry.transformer for entry in entries]
        self._scaled = scaled

    def fit(self, data: Sequence[Any], y: Any, weights: Floats | None) -> list[Any]:
        """Fit, and return every training block (n_samples, width), sparse or not."""
        self.transformers: list[Any] = []
        blocks = []
        for name, given, part in zip(self.names, self._given, data, strict=True):
            with about(name):
                if given is None:
                    transformer = default_scaler(part)
                else:
                    transformer = given if isinstance(given, str) else clone(given)
                if not isinstance(transformer, str):
                    part = seen_by(transformer, part)
                    part = _fit_transform(transformer, part, y, weights)
                blocks.append(_as_block(part))
            self.transformers.append(transformer)
        self.widths = [block.shape[1] for block in blocks]
        self.scales = np.ones(len(blocks))
        if self._scaled:
            variances = np.array([_total_variance(block, weights) for block in blocks])
            self.scales[variances > 0] = 1.0 / np.sqrt(variances[variances > 0])
        return self._scale(blocks)

    def transform(self, data: Sequence[Any]) -> list[Any]:
        """Return every block (n_samples, width) of other samples."""
        blocks = []
        for name, transformer, part, width in zip(
            self.names, self.transformers, data, self.widths, strict=True
        ):
            with about(name):
                if not isinstance(transformer, str):
                    part = transformer.transform(seen_by(transformer, part))
                block = _as_block(part)
                if block.shape[1] != width:
                    raise ValueError(
                        f"it has {block.shape[1]} features; expected {width}, as in fit."
                    )
                blocks.append(block)
        return self._scale(blocks)

    def _scale(self, blocks: list[Any]) -> list[Any]:
        pairs = zip(blocks, self.scales, strict=True)
        return [block if scale == 1.0 else block * scale for block, scale in pairs]


def join(blocks: Sequence[Any], sparse: bool | None = None) -> Any:
    """Return blocks side by side.

    Parameters
    ----------
    blocks : sequence of arrays or sparse matrices of shape (n_samples, width)
    sparse : bool, default=None
        Whether the result is; None where it saves memory.
    """
    if sparse is None:
        stored = sum(block.nnz if issparse(block) else block.size for block in blocks)
        cells = sum(np.prod(block.shape) for block in blocks)
        sparse = any(map(issparse, blocks)) and stored < _SPARSE * cells
    if sparse:
        return hstack(blocks, format="csr")
    dense = [block.toarray() if issparse(block) else block for block in blocks]
    return dense[0] if len(dense) == 1 else np.hstack(dense)


@contextmanager
def about_gaps(names: Sequence[str], blocks: Sequence[Any]) -> Iterator[None]:
    """Say in an error about numbers that are not finite which modalities have such features.

    What does not take them knows nothing of modalities; what takes them raises no error.
    """
    try:
        yield
    except ValueError as error:
        if type(error) is not ValueError or not _NOT_FINITE.search(str(error)):
            raise
        having = [name for name, block in zip(names, blocks, strict=True) if not _is_finite(block)]
        if not having:
            raise
        with about(", ".join(having), "modality" if len(having) == 1 else "modalities"):
            raise


def _is_finite(block: Any) -> bool:
    return bool(np.isfinite(block.data if issparse(block) else block).all())


def _fit_transform(transformer: Any, data: Any, y: Any, weights: Floats | None) -> Any:
    if hasattr(transformer, "fit_transform"):
        return fit_weighted(transformer, data, y, weights, "fit_transform")
    return transformer.fit(data, y).transform(data)


def _as_block(data: Any) -> Any:
    """Return features in two dimensions, as numbers."""
    if issparse(data):
        return data.tocsr()
    values = np.asarray(with_numbers(in_two_dimensions(data)))
    if values.ndim != 2:
        raise ValueError(
            f"its features have shape {values.shape}; expected (n_samples, n_features)."
        )
    if values.dtype.kind in "fiub":
        return values.astype(np.result_type(values.dtype, np.float32), copy=False)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"its features are not numbers: {error}") from error


def _total_variance(block: Any, weights: Floats | None) -> float:
    """Return the sum of the columns' variances, gaps left out."""
    if issparse(block):
        variances = mean_variance_axis(block.astype(np.float64), axis=0, weights=weights)[1]
        return float(variances.sum())
    present = ~np.isnan(block)
    each = present if weights is None else present * weights[:, np.newaxis]
    total = np.maximum(each.sum(axis=0), np.finfo(np.float64).tiny)
    values = np.where(present, block, 0.0)
    mean = (each * values).sum(axis=0) / total
    return float(((each * (values - mean) ** 2).sum(axis=0) / total).sum())
