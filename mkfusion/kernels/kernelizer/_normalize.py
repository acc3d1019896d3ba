"""Normalisations of a kernel, learned on its training samples and exact on any block.

Each needs one number per sample, its *statistic*, and possibly a constant. A block between any
rows and columns is then normalised without looking at other entries.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import normalize

from mkfusion._types import FloatArray, Floats


class Source(Protocol):
    """The values of a kernel before normalisation, between any samples and the training ones.

    ``samples=None`` are the training samples.
    """

    def count(self, samples: Any) -> int:
        """Return the number of samples."""
        ...

    def raw_diagonal(self, samples: Any) -> Floats:
        """Return k(x, x) for each sample x."""
        ...

    def raw_means(self, samples: Any) -> Floats:
        """Return the mean of k(x, t) over the training samples t, for each sample x."""
        ...


class Normalization:
    """No normalisation, and the base of those that do something.

    Attributes
    ----------
    train_statistic : ndarray of shape (n_train,)
        The statistics of the training samples. Set by :meth:`fit`.
    """

    train_statistic: Floats

    @property
    def factor_of_unit_diagonal(self) -> float | None:
        """What a kernel with k(x, x) = 1 for all x is multiplied by; None if it is no number."""
        return 1.0

    def fit(self, source: Source) -> None:
        """Learn from the training samples."""
        self.train_statistic = self.statistic(source, None)

    def statistic(self, source: Source, samples: Any) -> Floats:
        """Return the statistics (n_samples,) of any samples: zeros where none are needed."""
        return np.zeros(source.count(samples))

    def statistic_of_rows(self, block: FloatArray) -> Floats | None:
        """Return them from values (r, n_train) with all training samples, if these suffice."""
        return None

    def apply(self, block: FloatArray, rows: Floats, cols: Floats) -> FloatArray:
        """Normalise values (r, c) between samples of statistics (r,) and (c,); may modify them."""
        return block

    def apply_diagonal(self, diagonal: Floats, statistic: Floats) -> Floats:
        """Normalise the values (n,) of samples with themselves."""
        return diagonal

    def apply_features(self, features: Any) -> Any:
        """Normalise explicit features (n_train, r) of the training samples; None if impossible."""
        return features


class CosineNormalization(Normalization):
    """k(x, t) / sqrt(k(x, x) k(t, t)); the statistic of x is sqrt(k(x, x))."""

    def statistic(self, source: Source, samples: Any) -> Floats:
        diagonal = source.raw_diagonal(samples)
        negative = np.flatnonzero(diagonal < 0)
        if len(negative):
            i = negative[0]
            raise ValueError(
                f"k(x, x) is {diagonal[i]:.6g} for a sample; expected no negative value: "
                "normalize='cosine' needs a positive semi-definite kernel."
            )
        return np.sqrt(diagonal)

    def apply(self, block: FloatArray, rows: Floats, cols: Floats) -> FloatArray:
        if (rows == 1.0).all() and (cols == 1.0).all():
            return block
        empty_rows, empty_cols = rows == 0.0, cols == 0.0
        if block[empty_rows].any() or block[:, empty_cols].any():
            raise ValueError(
                "k(x, x) is 0 for a sample x with a k(x, t) that is not; normalize='cosine' needs "
                "a positive semi-definite kernel."
            )
        # The values of a sample of norm 0 are zeros, and stay so.
        block /= np.where(empty_rows, 1.0, rows).astype(block.dtype)[:, np.newaxis]
        block /= np.where(empty_cols, 1.0, cols).astype(block.dtype)
        return block

    def apply_diagonal(self, diagonal: Floats, statistic: Floats) -> Floats:
        return np.where(statistic == 0.0, 0.0, 1.0)

    def apply_features(self, features: Any) -> Any:
        if (self.train_statistic == 1.0).all():
            return features
        # Features of norm 0 are zeros, and stay so.
        return normalize(features)


class TraceNormalization(Normalization):
    """k(x, t) divided by the mean of k(x, x) over the training samples."""

    def fit(self, source: Source) -> None:
        super().fit(source)
        mean = float(source.raw_diagonal(None).mean())
        if mean < 0:
            raise ValueError(
                f"k(x, x) has the mean {mean:.6g} over the training samples; expected a positive "
                "one: normalize='trace' needs a positive semi-definite kernel."
            )
        # A kernel of zeros stays one.
        self.scale = mean or 1.0

    @property
    def factor_of_unit_diagonal(self) -> float | None:
        return 1.0 / self.scale

    def apply(self, block: FloatArray, rows: Floats, cols: Floats) -> FloatArray:
        block /= block.dtype.type(self.scale)
        return block

    def apply_diagonal(self, diagonal: Floats, statistic: Floats) -> Floats:
        return diagonal / self.scale

    def apply_features(self, features: Any) -> Any:
        return features * features.dtype.type(1.0 / np.sqrt(self.scale))


class CenterNormalization(Normalization):
    """The kernel of features from which their mean over the training samples t is taken.

    k(x, z) - mean_j k(x, t_j) - mean_i k(t_i, z) + mean_ij k(t_i, t_j), as in
    :class:`sklearn.preprocessing.KernelCenterer`; the statistic of x is mean_j k(x, t_j).
    """

    def fit(self, source: Source) -> None:
        super().fit(source)
        self.mean = float(self.train_statistic.mean())

    @property
    def factor_of_unit_diagonal(self) -> float | None:
        return None

    def statistic(self, source: Source, samples: Any) -> Floats:
        return source.raw_means(samples)

    def statistic_of_rows(self, block: FloatArray) -> Floats | None:
        return block.mean(axis=1, dtype=np.float64)

    def apply(self, block: FloatArray, rows: Floats, cols: Floats) -> FloatArray:
        block -= rows.astype(block.dtype)[:, np.newaxis]
        block -= (cols - self.mean).astype(block.dtype)
        return block

    def apply_diagonal(self, diagonal: Floats, statistic: Floats) -> Floats:
        return diagonal - 2.0 * statistic + self.mean

    def apply_features(self, features: Any) -> Any:
        if issparse(features):  # they would be dense
            return None
        return features - features.mean(axis=0, dtype=np.float64).astype(features.dtype)


NORMALIZATIONS: dict[str | None, type[Normalization]] = {
    "cosine": CosineNormalization,
    "trace": TraceNormalization,
    "center": CenterNormalization,
    None: Normalization,
}
