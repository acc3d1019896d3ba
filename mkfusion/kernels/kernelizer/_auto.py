"""Choosing a kernel by looking at the data: what ``kernel="auto"`` stands for."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mkfusion._messages import shown
from mkfusion.data import Column, as_plain, holds_sequences, holds_texts, read_columns
from mkfusion.kernels._kernel import Kernel, SumKernel, kernel_label
from mkfusion.kernels._rows import CosineKernel, LinearKernel, RBFKernel
from mkfusion.kernels.images._images import ImageKernel
from mkfusion.kernels.images._pixels import image_size, shape_of
from mkfusion.kernels.kernelizer._filler import MeanFiller
from mkfusion.kernels.signals._alignment import GlobalAlignmentKernel
from mkfusion.kernels.strings._strings import SpectrumKernel, WeightedDegreeKernel
from mkfusion.kernels.tables._tables import ClinicalKernel, OverlapKernel

_ABOUT_IMAGES = " Images are (n_samples, height, width, 3) or, gray, (n_samples, height, width, 1)."
# The pyramid of images that are large enough for it
_IMAGE_LEVELS = 2


class Choice(NamedTuple):
    """A kernel for some data.

    Attributes
    ----------
    kernel : Kernel or Pipeline
        Not fitted.
    reason : str
        What the data are.
    """

    kernel: Kernel | Pipeline
    reason: str

    def __str__(self) -> str:
        pipeline = isinstance(self.kernel, Pipeline)
        steps = [step for _, step in self.kernel.steps] if pipeline else [self.kernel]
        words = [
            f"({kernel_label(step)})" if isinstance(step, SumKernel) else repr(step)
            for step in steps
        ]
        return f"{' + '.join(words)} for {self.reason}"


def choose_kernel(data: Any, entry: str) -> Choice:
    """Choose a kernel for training samples, by the rules of :class:`~mkfusion.ColumnKernelizer`.

    Parameters
    ----------
    data : DataFrame, Series, ndarray, sparse matrix or list of n_samples items
        Samples that are None are not looked at.
    entry : str
        The name of what asks for it, for messages.

    Returns
    -------
    Choice

    Raises
    ------
    ValueError, TypeError
        If there is nothing to go by, texts stand among other columns, or no rule fits.
    """
    if issparse(data):
        return Choice(CosineKernel(), f"{data.shape[1]} sparse columns")
    data = as_plain(data)
    table = data.to_frame() if hasattr(data, "to_frame") else data
    if not hasattr(table, "columns"):
        if isinstance(table, np.ndarray | list | tuple) and (size := image_size(table)):
            return _for_images(size)
        table = _as_array(table, entry)
        if table.ndim == 3:
            return Choice(GlobalAlignmentKernel(), "signals")
    columns = read_columns(table)
    if all(column.missing.all() for column in columns):
        raise ValueError(f"{_asked(entry)} every value is missing; expected some to go by.")
    # What compares strings wants them in one dimension.
    in_two = hasattr(data, "columns") or getattr(data, "ndim", 1) == 2
    first = [FunctionTransformer(np.ravel)] if in_two else []
    if len(columns) == 1 and holds_sequences(columns[0]):
        choice = _for_sequences(columns[0])
        return choice._replace(kernel=make_pipeline(*first, choice.kernel)) if first else choice
    texts = [column for column in columns if holds_texts(column)]
    if not texts:
        return _for_table(columns)
    n_texts = len(set(texts[0].present))
    if len(columns) > 1:
        raise ValueError(
            f"{_asked(entry)} of {len(columns)} columns {shown([text.name for text in texts])} "
            f"seem to be texts: {shown(texts[0].name)} has {n_texts} different ones. Leave texts "
            "out, or give each a modality of its own; strings that are names of categories may "
            'have the dtype "category".'
        )
    kernel = make_pipeline(*first, TfidfVectorizer(), CosineKernel())
    return Choice(kernel, f"{n_texts} different texts")


def _for_images(size: tuple[int, int]) -> Choice:
    # Textures and edges are seen between the pixels of the border.
    levels = min(_IMAGE_LEVELS, max(min(size) - 2, 1).bit_length() - 1)
    features = ("color", "texture", "gradients")
    color, texture, gradients = (ImageKernel(one, levels=levels) for one in features)
    reason = f"images of {size[0]} x {size[1]} pixels, by colour, texture and edges alike"
    return Choice((color + texture + gradients) * (1.0 / len(features)), reason)


def _for_sequences(column: Column) -> Choice:
    lengths = sorted(set(map(len, column.present)))
    reason = f"{len(set(column.present))} different sequences of "
    if len(lengths) == 1:
        reason += f"{lengths[0]} letters each, compared place by place"
        return Choice(WeightedDegreeKernel(), reason)
    reason += f"{lengths[0]} to {lengths[-1]} letters, compared by their pieces, wherever they are"
    return Choice(SpectrumKernel(), reason)


def _for_table(columns: list[Column]) -> Choice:
    kinds = Counter(column.kind for column in columns)
    n_gaps = sum(int(column.missing.sum()) for column in columns)
    reason = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    reason += " columns" if len(columns) > 1 else " column"
    reason += f" with {n_gaps} missing cells" if n_gaps else ""
    if "ordinal" in kinds:
        reason += "; levels in the order of their dtype"
    elif any(column.levels is not None for column in columns):
        reason += "; levels without an order, as their dtype says: make it ordered if it is"
    if kinds.keys() == {"numeric"}:
        # Standardised columns have one mean square together, so both parts are of the same size.
        # Columns without two different values are 0 then, and do not count.
        n_varying = sum(_varies(column) for column in columns)
        linear = LinearKernel()
        both = (linear if n_varying <= 1 else linear * (1.0 / n_varying)) + RBFKernel()
        return Choice(make_pipeline(MeanFiller(), StandardScaler(), both), reason)
    return Choice(OverlapKernel() if kinds.keys() == {"nominal"} else ClinicalKernel(), reason)


def _varies(column: Column) -> bool:
    values = column.present
    return len(values) > 0 and bool((values != values[0]).any())


def _as_array(data: Any, entry: str) -> NDArray[Any]:
    """Return samples in an array of two dimensions, or of three if they are signals."""
    if not (isinstance(data, np.ndarray) and (data.dtype != object or data.ndim > 1)):
        data = _from_items(list(data), entry)
    elif data.ndim == 1:
        data = data.reshape(-1, 1)
    if data.ndim not in (2, 3) or (data.ndim == 3 and data.dtype.kind not in "fiu"):
        raise TypeError(
            f"{_asked(entry)} the samples have {data.ndim - 1} dimensions of {data.dtype}; "
            "expected columns of a table, texts, or signals of numbers (n_channels, n_timesteps)."
            f"{_ABOUT_IMAGES if data.ndim > 3 else ''}"
        )
    return data


def _from_items(items: list[Any], entry: str) -> NDArray[Any]:
    """Return a list of samples as an array; for signals of different lengths, an empty one."""
    there = [item for item in items if item is not None]
    n_dims = {len(shape_of(item)) for item in there}
    if n_dims == {2}:
        return np.empty((len(there), 0, 0))
    if n_dims == {1} and len({len(item) for item in there}) == 1:
        return np.array([list(item) for item in there], dtype=object)
    if n_dims <= {0} and all(np.isscalar(item) for item in there):
        return np.array(items, dtype=object).reshape(-1, 1)
    kinds = sorted({type(item).__name__ for item in there})
    series = " Series of one channel are [x[np.newaxis] for x in X]." if n_dims == {1} else ""
    raise TypeError(
        f"{_asked(entry)} the samples are of type {', '.join(kinds)}; expected rows of one length, "
        f"texts, or signals (n_channels, n_timesteps).{series}"
    )


def _asked(entry: str) -> str:
    return f'kernel of {shown(entry)} is "auto", and'
