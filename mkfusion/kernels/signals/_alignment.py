"""Kernels that sum over all alignments of two signals."""

from __future__ import annotations

from abc import abstractmethod
from math import log, sqrt
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from mkfusion.kernels._gamma import check_number
from mkfusion.kernels._psd import ProjectedKernel
from mkfusion.kernels.signals._signals import Series, SignalKernel, typical_distance
from mkfusion.kernels.stack._storage import FloatArray, IndexArray

__all__ = ["GlobalAlignmentKernel", "SoftDTWKernel"]

# Pairs of time steps between two looks at the keyboard: some tenths of a second.
_CELLS = 10**8
# The median of the distances between as many signals is close enough to that of all.
_TYPICAL_SIGNALS = 100


class AlignmentKernel(SignalKernel):
    """A kernel between signals that may be stretched in time."""

    n_jobs: int | None
    # The score of a pair of time steps is s / (1 + share - share s).
    _share: float

    @abstractmethod
    def _window(self) -> int | None:
        """Return the first difference in time that is not allowed, None for no limit."""

    @abstractmethod
    def _rate(self) -> float:
        """Return what s falls with: ``s = weight * exp(-rate * squared distance)``."""

    @abstractmethod
    def _values(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the kernel (r, c), given ``log(a(x, z) / sqrt(a(x, x) a(z, z)))``.

        a is the sum over alignments. May overwrite `logs`.
        """

    def _weights(self, apart: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the weights of differences in time."""
        return np.ones(len(apart))

    def _represent(self, series: Series) -> Series:
        from mkfusion.kernels.signals import _alignment_loops as loops

        packed, lengths, *rest = self._arguments(series, series, np.arange(len(series)))
        own = np.empty(len(series))

        def fill(batch: slice, k: int) -> None:
            block = np.empty((batch.stop - batch.start, loops.LANES))
            first = np.zeros(len(block), dtype=np.intp)
            x, x_lengths = series.values[batch], series.lengths[batch]
            loops.log_alignments(
                x, x_lengths, first, packed[k : k + 1], lengths[k : k + 1], *rest, block
            )
            own[batch] = np.diagonal(block)

        Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(fill)(batch, k) for k, batch in enumerate(gen_batches(len(series), loops.LANES))
        )
        return Series(series.values, series.lengths, series.dtype, own)

    def _evaluate(self, samples: Series, others: Series | None = None) -> FloatArray:
        columns = samples if others is None else others
        dtype = np.result_type(samples.dtype, columns.dtype)
        return self._values(self._log_ratios(samples, others)).astype(dtype, copy=False)

    def _diagonal(self, samples: Series) -> NDArray[np.float64]:
        return np.ones(len(samples))

    def _log_ratios(self, samples: Series, others: Series | None) -> NDArray[np.float64]:
        """Return ``log(a(x, z) / sqrt(a(x, x) a(z, z)))`` (r, c), a the sum over alignments."""
        from mkfusion.kernels.signals import _alignment_loops as loops

        columns = samples if others is None else others
        # Signals of about the same length are aligned at the same time.
        order = np.argsort(columns.lengths, kind="stable")
        rows = order if others is None else np.arange(len(samples))
        arguments = self._arguments(samples, columns, order)
        # Of a symmetric matrix, what stands from the diagonal on.
        first = np.arange(len(rows)) // loops.LANES * (others is None)
        sums = np.empty((len(rows), len(arguments[0]) * loops.LANES))

        def fill(batch: slice) -> None:
            x, x_lengths = samples.values[rows[batch]], samples.lengths[rows[batch]]
            loops.log_alignments(x, x_lengths, first[batch], *arguments, sums[batch])

        cells = len(columns) * columns.shape[2] * samples.shape[2]
        Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(fill)(batch) for batch in gen_batches(len(rows), max(1, _CELLS // cells))
        )
        sums = sums[:, : len(columns)]
        halves = 0.5 * columns.own[order]
        ratios = np.empty(sums.shape)
        for i, row in enumerate(rows):
            if others is None:
                sums[i, :i] = sums[:i, i]
            # Halves are exact: the diagonal is 0, and the matrix as symmetric as the sums are.
            ratios[row, order] = sums[i] - (0.5 * samples.own[row] + halves)
        return ratios

    def _arguments(self, samples: Series, columns: Series, order: IndexArray) -> tuple[Any, ...]:
        """Return what the compiled loops need, with the columns in some order."""
        from mkfusion.kernels.signals._alignment_loops import LANES

        n_samples, n_channels, longest = columns.shape
        n_batches = -(-n_samples // LANES)
        padded = np.zeros((n_batches * LANES, n_channels, longest))
        padded[:n_samples] = columns.values[order]
        batches = padded.reshape(n_batches, LANES, n_channels, longest).transpose(0, 2, 3, 1)
        packed = np.ascontiguousarray(batches.reshape(n_batches, n_channels, longest * LANES))
        lengths = np.ones(n_batches * LANES, dtype=np.intp)
        lengths[:n_samples] = columns.lengths[order]
        longest = max(longest, samples.shape[2])
        weights = np.repeat(self._weights(np.abs(np.arange(1 - longest, longest))), LANES)
        window = self._window()
        band = longest if window is None else min(window, longest)
        rate = self._rate() / log(2.0)
        return packed, lengths.reshape(-1, LANES), weights, band, rate, self._share


class GlobalAlignmentKernel(AlignmentKernel):
    """The global alignment kernel of signals, which may be stretched in time.

    Where dynamic time warping looks for the best alignment of two signals, this kernel sums over
    all of them [1]_. An alignment a is a path of pairs (i, j) of time steps, from the first ones of
    both signals to the last ones, that moves on in one signal or in both::

        k(x, z) = sum_a prod_((i, j) in a) s(i, j) / (2 - s(i, j)),
        s(i, j) = w(|i - j|) exp(-||x_i - z_j||^2 / (2 sigma^2)),

    and what is returned is k(x, z) / sqrt(k(x, x) k(z, z)).

    The weights are 1, or with `triangular` w(u) = max(0, 1 - u / triangular): time steps that far
    apart are never matched, and the time is proportional to `triangular`. Signals whose lengths
    differ by as much then have no alignment: k = 0.

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps) of unequal lengths. Channels with large values count more: scale them before.

    It is positive semi-definite for signals of any number of channels and of unequal lengths, with
    and without `triangular`: s is such a kernel between pairs (time, value), as a triangular
    function and a Gaussian are, and so is s / 2 = g / (1 + g) of the scores g = s / (2 - s); that
    makes the sum over alignments of products of g one too [1]_. No projection is needed.

    Values are those of the textbook recursion in the log domain, whatever the length of the signals
    and the range of the scores. The time grows with the product of the lengths: some 3 ns on a core
    of a current processor for each pair of time steps of six channels.

    Parameters
    ----------
    sigma : float or "median", default="median"
        Positive. "median" is Cuturi's advice: the median distance between two time steps (of at
        most 1000, of all training signals) times the square root of the median length. Good values
        for a search are some multiples of it.
    triangular : int, default=None
        First difference in time that is not allowed, positive; None for no limit, and no weights.
    n_jobs : int, default=None
        Threads that evaluate rows of the Gram matrix.

    Attributes
    ----------
    sigma_ : float
        The number that `sigma` stands for.
    n_channels_in_ : int
        Number of channels seen during fit.

    See Also
    --------
    SoftDTWKernel : With the alignments' costs as distances.
    CrossCorrelationKernel : Signals that are shifted, but not stretched.

    References
    ----------
    .. [1] Cuturi, "Fast global alignment kernels", ICML 2011.

    Examples
    --------
    >>> from mkfusion import GlobalAlignmentKernel
    >>> signals = [[[0.0, 0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]], [[2.0, 1.0, 0.0]]]
    >>> GlobalAlignmentKernel(sigma=2.0).fit(signals)(signals).round(2)
    array([[1.  , 0.8 , 0.12],
           [0.8 , 1.  , 0.21],
           [0.12, 0.21, 1.  ]])
    """

    _name = "gak"
    _share = 1.0

    def __init__(
        self,
        sigma: float | str = "median",
        *,
        triangular: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.sigma = sigma
        self.triangular = triangular
        self.n_jobs = n_jobs

    def _learn(self, series: Series) -> None:
        _check_steps(self.triangular, "triangular", 1)
        median = self.sigma == "median"
        self.sigma_ = _median_width(series) if median else _check_width(self.sigma, "sigma")

    def _window(self) -> int | None:
        return self.triangular

    def _rate(self) -> float:
        return 0.5 / self.sigma_**2

    def _weights(self, apart: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.triangular is None:
            return super()._weights(apart)
        return np.maximum(0.0, 1.0 - apart / self.triangular)

    def _values(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(logs, out=logs)


class SoftDTWKernel(ProjectedKernel, AlignmentKernel):
    """A Gaussian-like kernel of the soft-DTW divergence between signals.

    Soft dynamic time warping [1]_ is a smoothed minimum over all alignments a of two signals::

        sdtw(x, z) = -smoothing log sum_a exp(-sum_((i, j) in a) ||x_i - z_j||^2 / smoothing),

    which tends to DTW as the smoothing vanishes. It does not vanish between equal signals; the
    divergence d(x, z) = sdtw(x, z) - (sdtw(x, x) + sdtw(z, z)) / 2 of [2]_ does, and the kernel is
    k(x, z) = exp(-gamma d(x, z)).

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps) of unequal lengths. Channels with large values count more: scale them before.

    It is *not* positive semi-definite by theory, as kernels of DTW are not. `project_psd` offers
    the nearest one that is. :class:`GlobalAlignmentKernel` is a close relative that needs none.

    Parameters
    ----------
    smoothing : float or "median", default="median"
        Positive. "median" is twice the square of the sigma that :class:`GlobalAlignmentKernel`
        learns: the median distance between time steps, squared, times twice the median length.
    gamma : float or "median", default="median"
        Positive. "median" is 1 / the median divergence between two training signals (of at most
        100).
    band : int, default=None
        Largest difference in time that is allowed, not negative (Sakoe and Chiba's band); None for
        no limit. Signals whose lengths differ by more have no alignment: k = 0.
    project_psd : bool or {"clip", "shift"}, default=False
        What to do about negative eigenvalues of the matrix between training signals: nothing (what
        solves a convex problem then refuses the matrix); "clip" (or True), set them to 0, the
        nearest positive semi-definite matrix, and project new signals alike; or "shift", add the
        largest of them to the diagonal, that is to a signal's value with itself only. See [3]_.
        Projecting n training signals takes time proportional to n^3.
    n_jobs : int, default=None
        Threads that evaluate rows of the Gram matrix.

    Attributes
    ----------
    smoothing_, gamma_ : float
        The numbers that `smoothing` and `gamma` stand for.
    shift_ : float
        What was added to the diagonal: 0 unless ``project_psd="shift"``.
    n_channels_in_ : int
        Number of channels seen during fit.

    See Also
    --------
    GlobalAlignmentKernel : Positive semi-definite, at the same cost.

    References
    ----------
    .. [1] Cuturi and Blondel, "Soft-DTW: a differentiable loss function for time-series", ICML
       2017.
    .. [2] Blondel, Mensch and Vert, "Differentiable divergences between time series", AISTATS 2021.
    .. [3] Chen, Garcia, Gupta, Rahimi and Cazzanti, "Similarity-based classification: concepts and
       algorithms", JMLR 10, 2009.

    Examples
    --------
    >>> from mkfusion import SoftDTWKernel
    >>> signals = [[[0.0, 0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]], [[2.0, 1.0, 0.0]]]
    >>> SoftDTWKernel(smoothing=2.0, gamma=0.2).fit(signals)(signals).round(2)
    array([[1.  , 0.89, 0.14],
           [0.89, 1.  , 0.21],
           [0.14, 0.21, 1.  ]])
    """

    _name = "softdtw"
    _share = 0.0

    def __init__(
        self,
        smoothing: float | str = "median",
        gamma: float | str = "median",
        *,
        band: int | None = None,
        project_psd: bool | str = False,
        n_jobs: int | None = None,
    ) -> None:
        self.smoothing = smoothing
        self.gamma = gamma
        self.band = band
        self.project_psd = project_psd
        self.n_jobs = n_jobs

    def _learn(self, series: Series) -> None:
        _check_steps(self.band, "band", 0)
        if self.smoothing == "median":
            self.smoothing_ = 2.0 * _median_width(series) ** 2
        else:
            self.smoothing_ = _check_width(self.smoothing, "smoothing")

    def _tune(self, samples: Series) -> None:
        if self.gamma != "median":
            self.gamma_ = _check_width(self.gamma, "gamma")
            return
        # Some signals evenly along a fixed direction: a choice that does not depend on their order.
        flat = samples.values.reshape(len(samples), -1)
        along = np.argsort(flat @ np.cos(np.arange(1, flat.shape[1] + 1)), kind="stable")
        count = min(len(samples), _TYPICAL_SIGNALS)
        some = samples[along[np.linspace(0, len(samples) - 1, count).astype(np.intp)]]
        ratios = self._log_ratios(some, None)[np.triu_indices(count, k=1)]
        divergences = -self.smoothing_ * ratios[np.isfinite(ratios) & (ratios < 0)]
        self.gamma_ = 1.0 / float(np.median(divergences)) if len(divergences) else 1.0

    def _window(self) -> int | None:
        return None if self.band is None else self.band + 1

    def _rate(self) -> float:
        return 1.0 / self.smoothing_

    def _values(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        logs *= self.gamma_ * self.smoothing_
        return np.exp(logs, out=logs)

    def _is_psd(self) -> bool:
        return self._projection is not None


def _median_width(series: Series) -> float:
    """Return Cuturi's width: the median distance of time steps times sqrt(median length)."""
    return typical_distance(series) * sqrt(float(np.median(series.lengths)))


def _check_width(value: Any, name: str) -> float:
    """Refuse anything but a positive number, or what is not offered beside it."""
    if isinstance(value, str):
        raise ValueError(f'{name} is {value!r}; expected a positive number or "median".')
    return check_number(value, name, positive=True)


def _check_steps(value: Any, name: str, least: int) -> None:
    """Refuse anything but None or a number of time steps."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}; expected an integer or None.")
    if value < least:
        raise ValueError(f"{name} is {value!r}; expected at least {least}, or None.")
