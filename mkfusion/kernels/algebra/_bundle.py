"""Prepared samples of several kernels."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

__all__ = ["Bundle"]


class Bundle:
    """The same samples as each of several kernels has prepared them, indexed together.

    Parameters
    ----------
    parts : sequence of samples
        All with as many.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    @property
    def shape(self) -> tuple[int]:
        return (int(_num_samples(self.parts[0])),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the kernels' values are computed in: float32 if all samples are."""
        single = all(getattr(part, "dtype", None) == np.float32 for part in self.parts)
        return np.dtype(np.float32 if single else np.float64)

    def __getitem__(self, rows: Any | tuple[Any, EllipsisType]) -> Bundle:
        if isinstance(rows, tuple):
            rows = rows[0]  # how scikit-learn indexes what has a shape
        return Bundle([_safe_indexing(part, rows) for part in self.parts])
