"""Features of several modalities, each modality a block of its own scale."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, hstack, issparse
from sklearn.base import clone
from sklearn.utils.sparsefuncs import mean_variance_axis

from mkfusion._compat import BaseComposition
from mkfusion._messages import shown
from mkfusion._types import Floats, Mask
from mkfusion.data import (
    Known,
    about,
    blaming,
    check_entries,
    in_two_dimensions,
    listed,
    present_samples,
    with_numbers,
)
from mkfusion.fusion._fitting import (
    Training,
    default_scaler,
    fit_weighted,
    read_training,
    seen_by,
)
from mkfusion.fusion._missing import TakesMissing

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


class TransformerParameters(TakesMissing, BaseComposition):
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
    absent : {"mean", "zero"}, default="mean"
        What features of samples are that lack the modality: those of the mean training sample (0
        in sparse blocks, which would not stay so), or 0.
    gaps : {"keep", "fill", "refuse"}, default="keep"
        What becomes of features that are NaN in samples that are there: they are kept, the mean of
        the training samples, or an error.

    Attributes
    ----------
    transformers : list of n_modalities transformers
        Fitted.
    scales : ndarray of shape (n_modalities,)
        What the blocks are multiplied by.
    widths : list of n_modalities int
    """

    def __init__(
        self, entries: Sequence[Entry], scaled: bool, absent: str = "mean", gaps: str = "keep"
    ) -> None:
        self.names = [entry.name for entry in entries]
        self._given = [entry.transformer for entry in entries]
        self._scaled = scaled
        self._absent = absent
        self._gaps = gaps

    def fit(self, known: Known, y: Any, weights: Floats | None) -> list[Any]:
        """Fit, and return every training block (n_samples, width), sparse or not."""
        self.transformers: list[Any] = []
        blocks = []
        shares = []
        for k, (name, given, part) in enumerate(
            zip(self.names, self._given, known.parts, strict=True)
        ):
            if part is None:
                raise ValueError(f"no training sample has {name!r}; expected some to fit on.")
            rows = known.rows(k)
            share = None if weights is None else weights[rows]
            with about(name), blaming(part):
                if given is None:
                    transformer = default_scaler(part)
                else:
                    transformer = given if isinstance(given, str) else clone(given)
                if not isinstance(transformer, str):
                    part = seen_by(transformer, part)
                    part = _fit_transform(transformer, part, y[rows], share)
                blocks.append(_as_block(part))
            self.transformers.append(transformer)
            shares.append(share)
        self.widths = [block.shape[1] for block in blocks]
        self.scales = np.ones(len(blocks))
        if self._scaled:
            variances = np.array(list(map(_total_variance, blocks, shares)))
            self.scales[variances > 0] = 1.0 / np.sqrt(variances[variances > 0])
        self._means = list(map(_means, blocks, shares))
        return self._complete(blocks, known)

    def transform(self, known: Known) -> list[Any]:
        """Return every block (n_samples, width) of other samples."""
        blocks = []
        for name, transformer, part, width in zip(
            self.names, self.transformers, known.parts, self.widths, strict=True
        ):
            if part is None:
                blocks.append(np.empty((0, width)))
                continue
            with about(name), blaming(part):
                if not isinstance(transformer, str):
                    part = transformer.transform(seen_by(transformer, part))
                block = _as_block(part)
                if block.shape[1] != width:
                    raise ValueError(
                        f"it has {block.shape[1]} features; expected {width}, as in fit."
                    )
                blocks.append(block)
        return self._complete(blocks, known)

    def _complete(self, blocks: list[Any], known: Known) -> list[Any]:
        """Return scaled blocks of all samples from those of the samples that are there."""
        found = []
        for k, (name, block, mean) in enumerate(zip(self.names, blocks, self._means, strict=True)):
            if self._gaps != "keep" and not _is_finite(block):
                if self._gaps == "refuse":
                    with about(name), blaming(known.parts[k]):
                        raise ValueError(_gaps_message(block))
                block = _without_gaps(block, mean)
            if not known.present[:, k].all():
                whole = np.zeros_like(mean) if self._absent == "zero" else mean
                block = _spread_out(block, known.present[:, k], whole)
            found.append(block if self.scales[k] == 1.0 else block * self.scales[k])
        return found


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
def about_gaps(names: Sequence[str], blocks: Sequence[Any], parts: Sequence[Any]) -> Iterator[None]:
    """Say in an error about numbers that are not finite which modalities have such features.

    What does not take them knows nothing of modalities; what takes them raises no error.
    """
    try:
        yield
    except ValueError as error:
        if type(error) is not ValueError or not _NOT_FINITE.search(str(error)):
            raise
        having = [k for k, block in enumerate(blocks) if not _is_finite(block)]
        if not having:
            raise
        which = ", ".join(names[k] for k in having)
        with (
            about(which, "modality" if len(having) == 1 else "modalities"),
            # The first that samples lack altogether, if any.
            blaming(next((parts[k] for k in having if not present_samples(parts[k]).all()), [])),
        ):
            raise


def _is_finite(block: Any) -> bool:
    return bool(np.isfinite(block.data if issparse(block) else block).all())


def _means(block: Any, weights: Floats | None) -> Floats:
    """Return the mean of every column, gaps left out; 0 for sparse ones."""
    if issparse(block):
        return np.zeros(block.shape[1])
    present = ~np.isnan(block)
    each = present if weights is None else present * weights[:, np.newaxis]
    total = np.maximum(each.sum(axis=0), np.finfo(np.float64).tiny)
    means: Floats = (each * np.where(present, block, 0.0)).sum(axis=0) / total
    return means


def _gaps_message(block: Any) -> str:
    """Say which samples have features that are no numbers."""
    dense = block.toarray() if issparse(block) else block
    rows = np.flatnonzero(~np.isfinite(dense).all(axis=1))
    return (
        f"its features are NaN or infinite in {len(rows)} of {len(dense)} samples: "
        f"{listed(rows)}; expected numbers. Fill gaps first, by SimpleImputer, or say "
        "missing='marginalise' (gaps are then the mean) or missing='impute'."
    )


def _without_gaps(block: Any, mean: Floats) -> Any:
    """Return a block whose NaN are the means of their columns."""
    if issparse(block):
        filled = block.copy()
        filled.data[np.isnan(filled.data)] = 0.0
        return filled
    return np.where(np.isnan(block), mean, block)


def _spread_out(block: Any, present: Mask, absent: Floats) -> Any:
    """Return a block of all samples; those that are not there have given features."""
    rows = np.flatnonzero(present)
    if issparse(block):
        place = (np.ones(len(rows)), (rows, np.arange(len(rows))))
        return csr_matrix(place, shape=(len(present), len(rows))) @ block
    whole = np.tile(absent, (len(present), 1))
    whole[rows] = block
    return whole


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
    residuals = block - _means(block, weights)
    return float(_means(residuals**2, weights).sum())
