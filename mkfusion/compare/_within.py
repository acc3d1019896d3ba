"""What methods can ask of the samples that they are fitted to and scored on."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mkfusion.compare._folds import Fold


class Part(NamedTuple):
    """Training and test samples, as a method sees them."""

    train: Any
    y_train: NDArray[Any]
    test: Any
    y_test: NDArray[Any]


class Within(Protocol):
    """Samples to learn from, and samples to score on."""

    @property
    def rows(self) -> Fold:
        """Which samples these are."""

    def part(self, sees: str) -> Part:
        """Return the samples as a method sees them."""

    def folds(self) -> list[Fold]:
        """Split the samples to learn from once more."""

    def grams(self) -> list[NDArray[np.float64]]:
        """Return each modality's kernel: training and then test samples by training samples."""

    def present(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which training samples, and which test samples, have which modalities."""

    def score(self, model: Any, X: Any, y: NDArray[Any]) -> float:
        """Score by the first metric."""
