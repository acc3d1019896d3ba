"""Kernels of the frequencies in signals."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import coherence, welch

from mkfusion._messages import shown
from mkfusion.kernels.signals._signals import Series, SignalFeatureKernel, check_length
from mkfusion.stack import row_batches

# The longest window that is chosen without being asked for, as in scipy.signal.
_LONGEST = 256
# Powers are told apart down to this share of a channel's mean power: 100 dB.
_FLOOR = 1e-10


class SpectralKernel(SignalFeatureKernel):
    """A kernel between numbers for each of some frequencies, estimated in windows."""

    segment: int | None

    def __init__(
        self,
        segment: int | None = None,
        *,
        kernel: str = "rbf",
        gamma: float | str | None = "median",
    ) -> None:
        self.segment = segment
        self.kernel = kernel
        self.gamma = gamma

    def _learn_segment(self, default: int) -> None:
        segment: Any = self.segment
        if segment is None:
            segment = max(2, min(_LONGEST, default))
        if isinstance(segment, bool) or not isinstance(segment, Integral):
            raise TypeError(f"segment is {shown(segment)}; expected an integer or None.")
        if segment < 2:
            raise ValueError(f"segment is {shown(segment)}; expected at least 2 time steps.")
        self.segment_ = int(segment)
        # Windows have no mean: nothing is known at frequency 0.
        self.frequencies_ = np.fft.rfftfreq(self.segment_)[1:]


class PowerSpectrumKernel(SpectralKernel):
    """A kernel between the power spectra of signals.

    The power of each channel at each frequency is estimated by Welch's method [1]_ (Hann windows of
    `segment` time steps that overlap by half, each less its mean); samples are compared by its
    logarithm, with a Gaussian or a linear kernel. Phases do not matter, so neither does the time at
    which something happens. All signals are seen at the same frequencies, whatever their lengths: a
    signal shorter than a window is padded with zeros after windowing.

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps) of unequal lengths. The kernel is positive semi-definite: an inner product, or a
    Gaussian of one.

    Parameters
    ----------
    segment : int, default=None
        Length of a window in time steps, at least 2. Long windows resolve frequencies, short ones
        average out noise. None is the length of the shortest training signal, 256 at most.
    kernel : {"rbf", "linear"}, default="rbf"
        Between the logarithms of powers.
    gamma : float, {"scale", "median"} or None, default="median"
        As in :class:`RBFKernel`; not used by "linear".

    Attributes
    ----------
    segment_ : int
        Length of a window in time steps.
    frequencies_ : ndarray of shape (`segment_` // 2,), float64
        In cycles per time step: times the sampling rate, in Hz.
    floor_ : ndarray of shape (n_channels,), float64
        What is added to powers before the logarithm: 1e-10 of the channel's mean in training.
    gamma_ : float or None
        The number that `gamma` stands for; None if ``kernel="linear"``.
    n_channels_in_ : int
        Number of channels seen during fit.

    See Also
    --------
    CoherenceKernel : Frequencies that channels share.
    CrossCorrelationKernel : Signals that are the same but for a shift.
    scipy.signal.welch

    References
    ----------
    .. [1] Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE
       Transactions on Audio and Electroacoustics 15, 1967.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import PowerSpectrumKernel
    >>> t = np.arange(60)
    >>> signals = [[np.sin(0.5 * t)], [np.cos(0.5 * t[:40])], [np.sin(2.0 * t)]]
    >>> PowerSpectrumKernel(segment=20).fit(signals)(signals).round(2)
    array([[1.  , 1.  , 0.37],
           [1.  , 1.  , 0.37],
           [0.37, 0.37, 1.  ]])
    """

    def _learn_signals(self, series: Series) -> None:
        check_length(series, 2, "a spectrum needs them")
        self._learn_segment(int(series.lengths.min()))
        powers = self._powers(series).mean(axis=(0, 2))
        self.floor_ = np.where(powers > 0.0, _FLOOR * powers, 1.0)

    def _describe(self, series: Series) -> NDArray[np.float64]:
        powers = np.log(self._powers(series) + self.floor_[:, np.newaxis])
        return powers.reshape(len(series), -1)

    def _powers(self, series: Series) -> NDArray[np.float64]:
        """Return powers (n_samples, n_channels, n_frequencies)."""
        powers = np.empty((*series.shape[:2], len(self.frequencies_)))
        for rows, values in series.by_length():
            window = min(self.segment_, values.shape[2])
            for batch in row_batches(len(rows), 4 * values[0].size):
                _, found = welch(values[batch], nperseg=window, nfft=self.segment_)
                powers[rows[batch]] = found[..., 1:]
        return powers


class CoherenceKernel(SpectralKernel):
    """A kernel between the coherences of a signal's channels.

    The magnitude-squared coherence of two channels at a frequency is a squared correlation: in
    [0, 1], and 1 where one is the other behind a filter. It is estimated by Welch's method (Hann
    windows of `segment` time steps that overlap by half, each less its mean) for each pair of
    channels, and samples are compared by all of them, with a Gaussian or a linear kernel: by how
    channels go together, whatever their powers. A channel without power is coherent with none.

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps) of unequal lengths. The kernel is positive semi-definite: an inner product, or a
    Gaussian of one.

    Parameters
    ----------
    segment : int, default=None
        Length of a window in time steps, at least 2. Coherence compares windows, so all signals
        must be long enough for two of them; with few it is overestimated. None is a quarter of the
        shortest training signal, 256 at most.
    kernel : {"rbf", "linear"}, default="rbf"
        Between the coherences.
    gamma : float, {"scale", "median"} or None, default="median"
        As in :class:`RBFKernel`; not used by "linear".

    Attributes
    ----------
    segment_ : int
        Length of a window in time steps.
    frequencies_ : ndarray of shape (`segment_` // 2,), float64
        In cycles per time step: times the sampling rate, in Hz.
    gamma_ : float or None
        The number that `gamma` stands for; None if ``kernel="linear"``.
    n_channels_in_ : int
        Number of channels seen during fit, at least 2.

    See Also
    --------
    PowerSpectrumKernel : The powers of each channel.
    CovarianceKernel : How channels go together at all frequencies.
    scipy.signal.coherence

    References
    ----------
    Carter, "Coherence and time delay estimation", Proceedings of the IEEE 75, 1987.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import CoherenceKernel
    >>> noise, other = np.random.default_rng(0).normal(size=(2, 200))
    >>> signals = [[noise, np.roll(noise, 1)], [other, np.roll(other, 2)], [noise, other]]
    >>> CoherenceKernel(segment=10).fit(signals)(signals).round(2)
    array([[1.  , 0.88, 0.18],
           [0.88, 1.  , 0.37],
           [0.18, 0.37, 1.  ]])
    """

    def _learn_signals(self, series: Series) -> None:
        if series.shape[1] < 2:
            raise ValueError("X has 1 channel; expected at least 2: coherence is of two channels.")
        self._learn_segment(int(series.lengths.min()) // 4)

    def _describe(self, series: Series) -> NDArray[np.float64]:

        overlap = self.segment_ // 2
        needed = 2 * self.segment_ - overlap
        check_length(series, needed, f"coherence compares windows of segment={self.segment_}")
        one, other = np.triu_indices(series.shape[1], k=1)
        features = np.empty((len(series), len(one), len(self.frequencies_)))
        for rows, values in series.by_length():
            for batch in row_batches(len(rows), 8 * len(one) * values.shape[2]):
                some = values[batch]
                # A constant is silent exactly, without the rounding errors of its mean.
                some = np.where(np.ptp(some, axis=2, keepdims=True) == 0.0, 0.0, some)
                with np.errstate(divide="ignore", invalid="ignore"):  # no power
                    _, found = coherence(some[:, one], some[:, other], nperseg=self.segment_)
                features[rows[batch]] = np.nan_to_num(found[..., 1:], nan=0.0)
        return features.reshape(len(series), -1)
