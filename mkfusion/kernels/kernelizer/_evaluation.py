"""Values of fitted kernels between chosen samples: the one place where kernels are evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._types import FloatArray, Indices
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels.kernelizer._normalize import Normalization
from mkfusion.stack import FactorView, Gaussian, View, check_finite, row_batches


class FittedKernel:
    """A kernel after `fit`, with its training samples and its normalisation.

    Parameters
    ----------
    kernel : Kernel
        Fitted.
    train : samples
        What ``kernel._fit_prepare`` made of the training samples.
    normalization : Normalization
        Fitted here.
    label : str
        What to call the kernel in messages.
    """

    def __init__(
        self, kernel: Kernel, train: Any, normalization: Normalization, label: str
    ) -> None:
        self.kernel = kernel
        self.train = train
        self.normalization = normalization
        self.label = label
        normalization.fit(self)

    def values(self, samples: Any, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return k between samples (r,) and training samples (c,), not yet normalised.

        ``samples=None`` are the training samples. That is said rather than seen: samples that equal
        them, or are even the same object, share no noise with them.
        """
        training = samples is None
        row_samples = _take(self.train if training else samples, rows)
        noisy = training and self.kernel._has_own_noise()
        whole = rows is None and cols is None
        if training and (whole or (_equal(rows, cols) and not noisy)):
            block = self.kernel._evaluate(row_samples)
            shape = (num_samples(row_samples),) * 2
        else:
            col_samples = _take(self.train, cols)
            block = self.kernel._evaluate(row_samples, col_samples)
            shape = (num_samples(row_samples), num_samples(col_samples))
            if noisy:
                self._restore_noise(block, row_samples, rows, cols)
        if block.shape != shape:
            raise ValueError(
                f"{self.label} returned shape {block.shape} between {shape[0]} and {shape[1]} "
                f"samples; expected {shape}."
            )
        check_finite(block, f"The matrix that {self.label} returned")
        return block

    def _restore_noise(
        self, block: FloatArray, row_samples: Any, rows: Indices | None, cols: Indices | None
    ) -> None:
        """Give a sample's value with itself the noise that it has in the whole matrix."""
        n_rows, n_cols = block.shape
        row_ids = np.arange(n_rows) if rows is None else rows
        col_ids = np.arange(n_cols) if cols is None else cols
        i, j = np.nonzero(row_ids[:, np.newaxis] == col_ids)
        block[i, j] = self.kernel._diagonal(row_samples)[i]

    def count(self, samples: Any) -> int:
        return int(num_samples(self.train if samples is None else samples))

    def raw_diagonal(self, samples: Any) -> NDArray[np.float64]:
        diagonal = self.kernel._diagonal(self.train if samples is None else samples)
        check_finite(diagonal[np.newaxis], f"The diagonal that {self.label} returned")
        return diagonal

    def raw_means(self, samples: Any) -> NDArray[np.float64]:
        features = self.kernel._features(self.train if samples is None else samples)
        if features is not None:
            mean = self.kernel._features(self.train).mean(axis=0, dtype=np.float64)
            return features @ np.asarray(mean).ravel()
        index = np.arange(self.count(samples))
        means = np.empty(len(index))
        for batch in row_batches(len(index), num_samples(self.train)):
            block = self.values(samples, index[batch], None)
            means[batch] = block.mean(axis=1, dtype=np.float64)
        return means


def training_view(fitted: FittedKernel) -> View:
    """Return the kernel between its training samples, by explicit features if it has them."""
    raw = fitted.kernel._features(fitted.train)
    if raw is not None:
        fitted.raw_diagonal(None)  # finite, and so are all products
        features = fitted.normalization.apply_features(raw)
        if features is not None:
            return FactorView(features, features)
    return KernelView(fitted)


class KernelView(View):
    """One normalised kernel between some samples and its training samples.

    Parameters
    ----------
    fitted : FittedKernel
    samples : samples, default=None
        What ``kernel._prepare`` made of them; None for the training samples.
    """

    def __init__(self, fitted: FittedKernel, samples: Any = None) -> None:
        self.fitted = fitted
        self.samples = samples
        # The statistics of the row samples as far as they were needed yet, NaN elsewhere: those
        # of centring cost a row of the kernel each.
        self._statistic = (
            fitted.normalization.train_statistic
            if self.is_training
            else np.full(fitted.count(samples), np.nan)
        )

    @property
    def is_training(self) -> bool:
        """Whether the rows are the training samples."""
        return self.samples is None

    @property
    def _row_samples(self) -> Any:
        return self.fitted.train if self.is_training else self.samples

    @property
    def shape(self) -> tuple[int, int]:
        return self.fitted.count(self.samples), self.fitted.count(None)

    @property
    def dtype(self) -> np.dtype[Any]:
        single = all(
            getattr(samples, "dtype", None) == np.float32
            for samples in (self._row_samples, self.fitted.train)
        )
        return np.dtype(np.float32 if single else np.float64)

    def block(self, rows: Indices | None, cols: Indices | None) -> FloatArray:
        """Return the values (r, c) between row samples and training samples; None means all."""
        n_rows, n_cols = self.shape
        shape = (n_rows if rows is None else len(rows), n_cols if cols is None else len(cols))
        if 0 in shape:  # kernels may refuse to look at no samples
            return np.empty(shape, dtype=self.dtype)
        normalization = self.fitted.normalization
        block = self.fitted.values(self.samples, rows, cols)
        if cols is None and not self.is_training:
            known = normalization.statistic_of_rows(block)
            if known is not None:
                self._statistic[slice(None) if rows is None else rows] = known
        columns = normalization.train_statistic
        return normalization.apply(
            block, self._row_statistic(rows), columns if cols is None else columns[cols]
        )

    def gaussian(self, rows: Indices | None, cols: Indices | None) -> Gaussian | None:
        kernel, factor = self.fitted.kernel, self.fitted.normalization.factor_of_unit_diagonal
        if factor is None:
            return None
        left, right = kernel._gaussian(self._row_samples), kernel._gaussian(self.fitted.train)
        if left is None or right is None:
            return None
        return Gaussian(left[0], right[0], rows, cols, right[1], factor)

    def pairs(self, rows: Indices | None, cols: Indices | None) -> NDArray[np.float64]:
        n_rows, n_cols = self.shape
        same = _equal(rows, cols) or (rows is cols is None and n_rows == n_cols)
        if self.is_training and same:
            return self._diagonal(rows)
        # Row i and column i are different samples.
        rows = np.arange(n_rows) if rows is None else rows
        cols = np.arange(n_cols) if cols is None else cols
        one = [self.block(rows[i : i + 1], cols[i : i + 1]) for i in range(len(rows))]
        return np.array([float(value[0, 0]) for value in one])

    def _diagonal(self, rows: Indices | None) -> NDArray[np.float64]:
        """Return the values (r,) of training samples with themselves."""
        raw = self.fitted.raw_diagonal(_take(self._row_samples, rows))
        return self.fitted.normalization.apply_diagonal(raw, self._row_statistic(rows))

    def _row_statistic(self, rows: Indices | None) -> NDArray[np.float64]:
        statistic = self._statistic if rows is None else self._statistic[rows]
        unknown = np.isnan(statistic)
        if unknown.any():
            index = np.flatnonzero(unknown) if rows is None else np.unique(rows[unknown])
            samples = _take(self.samples, index)
            self._statistic[index] = self.fitted.normalization.statistic(self.fitted, samples)
            statistic = self._statistic if rows is None else self._statistic[rows]
        return statistic


def _take(samples: Any, index: Indices | None) -> Any:
    return samples if index is None else safe_indexing(samples, index)


def _equal(rows: Indices | None, cols: Indices | None) -> bool:
    return rows is not None and cols is not None and np.array_equal(rows, cols)
