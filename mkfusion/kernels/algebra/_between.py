"""Normalised kernels between any samples, where neither are the training samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion.kernels.algebra._bundle import Bundle
from mkfusion.kernels.kernelizer._evaluation import FittedKernel, KernelView
from mkfusion.kernels.kernelizer._normalize import Normalization
from mkfusion.kernels.stack._storage import FloatArray

__all__ = ["prepared_by", "view_between"]


class _Known(Normalization):
    """A normalisation that was learned, with the statistics of other samples for the columns."""

    def __init__(self, learned: Normalization, statistic: NDArray[np.float64]) -> None:
        self.learned = learned
        self.train_statistic = statistic

    def fit(self, source: Any) -> None:
        pass

    def apply(
        self, block: FloatArray, rows: NDArray[np.float64], cols: NDArray[np.float64]
    ) -> FloatArray:
        return self.learned.apply(block, rows, cols)

    def apply_diagonal(
        self, diagonal: NDArray[np.float64], statistic: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return self.learned.apply_diagonal(diagonal, statistic)


def prepared_by(views: Sequence[KernelView]) -> Bundle:
    """Return the row samples of each kernel, with the statistics that normalise them."""
    return Bundle([Bundle([view._row_samples, view._row_statistic(None)]) for view in views])


def view_between(fitted: FittedKernel, rows: Bundle, cols: Bundle | None) -> KernelView:
    """Return a kernel between prepared samples, which need not be the training samples."""
    samples, statistic = (rows if cols is None else cols).parts
    known = _Known(fitted.normalization, statistic)
    view = FittedKernel(fitted.kernel, samples, known, fitted.label)
    if cols is None:
        return KernelView(view)
    other = KernelView(view, rows.parts[0])
    other._statistic = rows.parts[1]
    return other
