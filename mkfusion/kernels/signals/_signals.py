"""Samples that are signals: several channels over time, of equal or unequal length."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mkfusion._messages import shown
from mkfusion._types import FloatArray
from mkfusion.data import as_plain
from mkfusion.kernels._kernel import Kernel
from mkfusion.kernels._parameters import median_heuristic, squared_distances
from mkfusion.kernels._rows import FeatureKernel, LinearKernel, RBFKernel

_EXPECTED = (
    "an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels, n_timesteps)"
)


class Series:
    """Signals of the same channels.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_channels, longest), float64
        Zero after the end of a signal.
    lengths : ndarray of shape (n_samples,), integer
        Numbers of time steps.
    dtype : dtype
        float32 or float64: the precision of what came, and of a Gram matrix between signals.
    own : ndarray of shape (n_samples,), default=None
        What a kernel knows of each signal by itself; nothing (zeros) by default.
    """

    def __init__(
        self,
        values: NDArray[np.float64],
        lengths: NDArray[np.intp],
        dtype: np.dtype[Any],
        own: NDArray[np.float64] | None = None,
    ) -> None:
        self.values = values
        self.lengths = lengths
        self.dtype = dtype
        self.own = np.zeros(len(values)) if own is None else own

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Series:
        """Return some of the signals."""
        rows = key[0] if isinstance(key, tuple) else key  # as scikit-learn indexes what has a shape
        return Series(self.values[rows], self.lengths[rows], self.dtype, self.own[rows])

    def signals(self) -> Iterable[NDArray[np.float64]]:
        """Yield the signals (n_channels, n_timesteps)."""
        for signal, length in zip(self.values, self.lengths, strict=True):
            yield signal[:, :length]

    def points(self) -> NDArray[np.float64]:
        """Return all time steps of all signals (n_points, n_channels)."""
        steps = self.values.transpose(0, 2, 1)
        return steps[np.arange(self.shape[2]) < self.lengths[:, np.newaxis]]

    def centered(self) -> NDArray[np.float64]:
        """Return the values (n_samples, n_channels, longest) less their mean over time."""
        there = np.arange(self.shape[2]) < self.lengths[:, np.newaxis, np.newaxis]
        means = self.values.sum(axis=2) / self.lengths[:, np.newaxis]
        return np.where(there, self.values - means[:, :, np.newaxis], 0.0)

    def by_length(self) -> Iterable[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield the indices (s,) and values (s, n_channels, n_timesteps) of signals as long."""
        for length in np.unique(self.lengths):
            rows = np.flatnonzero(self.lengths == length)
            yield rows, self.values[rows, :, :length]


class SignalKernel(Kernel):
    """A kernel between signals."""

    @abstractmethod
    def _learn_signals(self, series: Series) -> None:
        """Check the parameters and learn from training signals."""

    @abstractmethod
    def _represent(self, series: Series) -> Any:
        """Return prepared samples."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        series = _read(X)
        self.n_channels_in_ = series.shape[1]
        self._learn_signals(series)
        samples = self._represent(series)
        self._learn(samples)
        return samples

    def _prepare(self, X: Any) -> Any:
        series = _read(X)
        if series.shape[1] != self.n_channels_in_:
            raise ValueError(
                f"X has {series.shape[1]} channels; expected {self.n_channels_in_} as in fit."
            )
        return self._represent(series)

    def _is_psd(self) -> bool:
        return True


class SignalFeatureKernel(SignalKernel):
    """A Gaussian or linear kernel between numbers that describe a signal."""

    kernel: str
    gamma: float | str | None
    # What "linear" stands for.
    _linear: type[FeatureKernel] = LinearKernel

    @abstractmethod
    def _describe(self, series: Series) -> NDArray[np.float64]:
        """Return the numbers (n_samples, n_features)."""

    def _represent(self, series: Series) -> FloatArray:
        return self._describe(series).astype(series.dtype, copy=False)

    def _learn(self, samples: FloatArray) -> None:
        kernels: dict[str, FeatureKernel] = {
            "rbf": RBFKernel(gamma=self.gamma),
            "linear": self._linear(),
        }
        # `in` on a list: what is not hashable is refused with this message too.
        if self.kernel not in list(kernels):
            raise ValueError(f'kernel is {shown(self.kernel)}; expected "rbf" or "linear".')
        self._between = kernels[self.kernel]
        self._between._fit_prepare(samples)
        self.gamma_ = getattr(self._between, "gamma_", None)

    def _features(self, samples: FloatArray) -> Any:
        return self._between._features(samples)

    def _evaluate(self, samples: FloatArray, others: FloatArray | None = None) -> FloatArray:
        return self._between._evaluate(samples, others)

    def _diagonal(self, samples: FloatArray) -> NDArray[np.float64]:
        return self._between._diagonal(samples)


def check_length(series: Series, least: int, reason: str) -> None:
    """Refuse signals that are too short for something."""
    short = np.flatnonzero(series.lengths < least)
    if len(short):
        i = short[0]
        raise ValueError(
            f"X[{i}] has {series.lengths[i]} time steps; expected at least {least}: {reason}."
        )


def check_steps_vary(series: Series) -> None:
    """Refuse training signals that all have one time step: the axes are in another order, then.

    Single signals of one time step are as good as longer ones where lengths differ.
    """
    n_samples, n_channels, longest = series.shape
    if longest == 1:
        raise ValueError(
            f"X holds {n_samples} signals of {n_channels} channels and one time step; expected "
            f"{_EXPECTED}. Signals whose time steps come first, (n_samples, n_timesteps, "
            "n_channels) as in tslearn, are X.transpose(0, 2, 1)."
        )


def typical_distance(series: Series) -> float:
    """Return the median distance between two time steps, over all signals."""
    return 1.0 / median_heuristic(
        series.points(), lambda points: np.sqrt(squared_distances(points))
    )


def _read(X: Any) -> Series:
    """Check samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, n_timesteps), or a list of array-likes of \
            shape (n_channels, n_timesteps)

    Returns
    -------
    Series

    Raises
    ------
    ValueError, TypeError
        If they are not signals of the same channels, or a number is missing or infinite.
    """
    X = as_plain(X)
    if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype.kind == "O"):
        signals = [_numbers(signal, f"X[{i}]", 2) for i, signal in enumerate(X)]
    else:
        signals = list(_numbers(X, "X", 3))
    if not signals:
        raise ValueError(f"X has no samples; expected {_EXPECTED}.")
    n_channels = len(signals[0])
    for i, signal in enumerate(signals):
        if len(signal) != n_channels:
            raise ValueError(
                f"X[{i}] has {len(signal)} channels, X[0] has {n_channels}; expected {_EXPECTED} "
                "with the same channels in all samples."
            )
        if signal.size == 0:
            raise ValueError(
                f"X[{i}] has shape {signal.shape}; expected at least one channel and time step."
            )
        if not np.isfinite(signal).all():
            channel, step = np.argwhere(~np.isfinite(signal))[0]
            raise ValueError(
                f"X[{i}] is {signal[channel, step]} in channel {channel} at time step {step}; "
                f"expected finite numbers.{_about_padding(signal)}"
            )
    lengths = np.array([signal.shape[1] for signal in signals])
    values = np.zeros((len(signals), n_channels, lengths.max()))
    for target, signal in zip(values, signals, strict=True):
        target[:, : signal.shape[1]] = signal
    single = all(signal.dtype == np.float32 for signal in signals)
    return Series(values, lengths, np.dtype(np.float32 if single else np.float64))


def _about_padding(signal: NDArray[Any]) -> str:
    """Say what to do where a signal ends in NaN in all its channels."""
    n_steps = int(np.flatnonzero(~np.isnan(signal).all(axis=0)).max(initial=-1)) + 1
    if n_steps in (0, signal.shape[1]) or not np.isfinite(signal[:, :n_steps]).all():
        return ""
    return (
        f" It ends in NaN from time step {n_steps} on: series of different lengths are a list of "
        "arrays without padding, [x[:, ~np.isnan(x).all(axis=0)] for x in X]."
    )


def _numbers(value: Any, name: str, ndim: int) -> NDArray[Any]:
    """Return an array of real numbers in so many dimensions."""
    if value is None or issparse(value):
        raise TypeError(f"{name} is {shown(value)}; expected {_EXPECTED}.")
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        message = f"{name} cannot be made into numbers: {error}; expected {_EXPECTED}."
        raise type(error)(message) from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is an array of dtype {array.dtype}; expected real numbers.")
    if array.ndim != ndim:
        hint = ""
        if ndim == array.ndim + 1:
            one = "X[:, np.newaxis]" if ndim == 3 else "[series[np.newaxis] for series in X]"
            hint = f" Signals of one channel are {one}."
        raise ValueError(f"{name} has shape {array.shape}; expected {_EXPECTED}.{hint}")
    return array
