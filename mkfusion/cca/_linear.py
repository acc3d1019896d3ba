"""Analyses of columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion.cca._base import CanonicalAnalysis, Whitened
from mkfusion.cca._blocks import Block, Table, standardize, whiten
from mkfusion.cca._inputs import as_numbers
from mkfusion.kernels.kernelizer._columns import column_names
from mkfusion.modalities import Modalities

__all__ = ["LinearAnalysis"]

Floats = NDArray[np.float64]


class _Columns(NamedTuple):
    """A modality's columns, and their names if they have any."""

    table: Table
    names: list[str] | None


class LinearAnalysis(CanonicalAnalysis):
    """An analysis whose scores are weighted sums of columns."""

    scale: bool
    modalities: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CanonicalAnalysis._parameter_constraints,
        "scale": ["boolean"],
        "modalities": [list, tuple, None],
    }

    def _all_or_given(self, X: Any) -> Any:
        """Return the modalities that were asked for, all of them by default."""
        if self.modalities is None and isinstance(X, Modalities):
            return [(name, name) for name in X.names]
        return self.modalities

    def _whiten(self, data: Any, v: int, c: float) -> Whitened:
        table = standardize(as_numbers(self, data), self.scale)
        block = whiten(table.samples, c, table.rounding)
        W = block.W / table.deviation[:, np.newaxis]
        return Whitened(Block(block.H, W), _Columns(table, column_names(data)))

    def _keep(self, whitened: Sequence[Whitened], directions: Sequence[Floats]) -> None:
        tables = [one.details.table for one in whitened]
        loadings = [
            _loadings(table.samples, one.block.H @ direction)
            for table, one, direction in zip(tables, whitened, directions, strict=True)
        ]
        # The column with the largest loading, of the first modality, has a positive one.
        largest = np.abs(loadings[0]).argmax(axis=0)
        signs = np.where(loadings[0][largest, np.arange(len(largest))] < 0.0, -1.0, 1.0)
        self._column_names = [one.details.names for one in whitened]
        self.means_ = [table.mean for table in tables]
        self.weights_ = [
            one.block.W @ (direction * signs)
            for one, direction in zip(whitened, directions, strict=True)
        ]
        self.loadings_ = [loading * signs for loading in loadings]
        self.explained_variance_ratio_ = np.stack(
            [
                _explained(table.samples, loading)
                for table, loading in zip(tables, loadings, strict=True)
            ]
        )

    def _project(self, data: Any, v: int) -> Floats:
        weights = self.weights_[v]
        samples = as_numbers(self, data, len(weights), self._column_names[v])
        scores: Floats = (samples - self.means_[v]) @ weights
        return scores


def _loadings(samples: Floats, scores: Floats) -> Floats:
    """Return the correlations (p, k) of centred columns with scores (n, k) of unit length."""
    norms = np.linalg.norm(samples, axis=0)
    loadings: Floats = samples.T @ scores / np.where(norms > 0.0, norms, 1.0)[:, np.newaxis]
    return np.clip(loadings, -1.0, 1.0)


def _explained(samples: Floats, loadings: Floats) -> Floats:
    """Return the share (k,) of the variance of columns that each score explains."""
    variances = np.einsum("ij,ij->j", samples, samples)
    shares: Floats = variances @ loadings**2 / variances.sum()
    return shares
