"""Kernels that sum over all alignments of two signals."""

from __future__ import annotations

from abc import abstractmethod
from math import factorial, log, sqrt
from numbers import Integral
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.data import read_two_signals
from mkfusion.kernels._parameters import check_number
from mkfusion.kernels._projected import ProjectedKernel
from mkfusion.kernels.signals._posterior import match_shares
from mkfusion.kernels.signals._signals import (
    Series,
    SignalKernel,
    check_steps_vary,
    typical_distance,
)
from mkfusion.stack import check_room

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

# Signals that are aligned with another one at the same time: what a vector register holds.
LANES = 8

_LOG2 = log(2.0)
# 2^r = sum_k c_k r^k, to the last bit for |r| <= 1/2.
_C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12 = (
    _LOG2**k / factorial(k) for k in range(1, 13)
)
# x + _ROUND has the nearest integer to x in its last bits; with the bias of an exponent added, a
# shift by the length of the mantissa makes them the exponent of 2^x.
_ROUND = 1.5 * 2.0**52
_BIASED = _ROUND + 1023.0
_MANTISSA = np.int64(52)
_FRACTION = np.int64((1 << 52) - 1)
_ONE = np.int64(1023 << 52)
# The bits of 2^52 + e are those of 2^52 with those of a small integer e.
_TWO52 = np.int64(0x433 << 52)
_OFFSET = 2.0**52 + 1023.0
# The exponent of 0, and of what will not be seen beside any other term.
_NONE = -1e300
_LEAST = -1000.0
_LONGEST_COST = 1e15


@njit(**_JIT)
def _power_of_two(exponent: float) -> Any:
    """Return 2^exponent of an integer <= 0; of those below -1000 that of -1000."""
    biased = np.float64(max(exponent, _LEAST) + _BIASED)
    return np.int64(biased.view(np.int64) << _MANTISSA).view(np.float64)


@njit(**_JIT, fastmath={"contract"})
def _add_squares(x: Floats, y: Floats, step: int, start: int, stop: int, out: Floats) -> None:
    """Write ``out[t] = sum_c (x[c, step] - y[c, t])**2`` for t from start to stop."""
    target = out[start:stop]
    target[:] = 0.0
    for c in range(x.shape[0]):
        value, others = x[c, step], y[c, start:stop]
        for t in range(target.size):
            difference = value - others[t]
            target[t] += difference * difference


@njit(**_JIT, fastmath={"contract"})
def _score(weights: Floats, rate: float, share: float, scores: Floats, exponents: Floats) -> None:
    """Turn squared distances d into scores, as a factor and a power of two.

    With s = w 2^(-rate d), a score is ``s / (1 + share - share s)``.
    """
    for t in range(scores.size):
        x = max(-rate * scores[t], -_LONGEST_COST)
        rounded = x + _ROUND
        exponent = rounded - _ROUND
        r = x - exponent
        p = _C8 + r * (_C9 + r * (_C10 + r * (_C11 + r * _C12)))
        p = _C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * (_C7 + r * p))))
        p = weights[t] * (1.0 + r * (_C1 + r * (_C2 + r * p)))
        scores[t] = p / (1.0 + share - share * (p * _power_of_two(exponent)))
        exponents[t] = exponent


@njit(**_JIT)
def _extend(
    scores: Floats,
    exponents: Floats,
    old: Floats,
    old_exponents: Floats,
    new: Floats,
    new_exponents: Floats,
) -> None:
    """Extend all alignments by a time step of the first signal.

    ``M[i, j] = g[i, j] * (M[i - 1, j] + M[i, j - 1] + M[i - 1, j - 1])`` for all j. The old and new
    rows of M begin one step of the second signal earlier than g.
    """
    for t in range(scores.size):
        left = t
        here = t + LANES
        most = max(max(old_exponents[here], new_exponents[left]), old_exponents[left])
        # In this order the sum is the same, to the last bit, with the signals exchanged.
        total = scores[t] * (
            old[here] * _power_of_two(old_exponents[here] - most)
            + new[left] * _power_of_two(new_exponents[left] - most)
            + old[left] * _power_of_two(old_exponents[left] - most)
        )
        bits = np.float64(total).view(np.int64)
        exponent = np.int64((bits >> _MANTISSA) | _TWO52).view(np.float64) - _OFFSET
        new[here] = np.int64((bits & _FRACTION) | _ONE).view(np.float64)
        new_exponents[here] = most + exponents[t] + exponent


@njit(**_JIT)
def log_alignments(
    x: Floats,
    x_lengths: Indices,
    first: Indices,
    y: Floats,
    y_lengths: Indices,
    weights: Floats,
    band: int,
    rate: float,
    share: float,
    out: Floats,
) -> None:
    """Write ``log sum_a prod_((i, j) in a) g(i, j)`` over all alignments a of two signals.

    An alignment is a path of steps (0, 1), (1, 0) and (1, 1) from the first time steps of both to
    the last ones. The score of a pair of time steps is ``g = s / (1 + share - share s)``, where
    ``s = w(|i - j|) 2^(-rate ||x_i - y_j||^2)``, and 0 where |i - j| >= band.

    Sums of products of hundreds of scores leave the range of floating-point numbers in both
    directions, also within one pair of signals. So each cell of the recursion has an exponent of
    its own, beside its number in [1, 2): as exact as without limits of the range, and without the
    logarithms and exponentials of a sum in the log domain. One signal is aligned with several at
    the same time, one in each lane; lanes do not see each other.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_channels, longest_x)
    x_lengths : ndarray of shape (n_rows,), integer
    first : ndarray of shape (n_rows,), integer
        The first batch to align each signal with; the entries of earlier ones are left as they are.
    y : ndarray of shape (n_batches, n_channels, longest_y * LANES)
        Step j of lane l stands at ``j * LANES + l``.
    y_lengths : ndarray of shape (n_batches, LANES), integer
    weights : ndarray of shape ((2 * longest - 1) * LANES,)
        w(|i - j|) at ``(longest - 1 + j - i) * LANES``, and in all lanes; `longest` of x and y.
    band : int
        At most `longest`.
    rate, share : float
    out : ndarray of shape (n_rows, n_batches * LANES)
        Modified in place; -inf where there is no alignment.
    """
    n_batches, _, width = y.shape
    center = (weights.size // LANES - 1) // 2
    scores, exponents = np.empty(width), np.empty(width)
    old, old_exponents = np.empty(width + LANES), np.empty(width + LANES)
    new, new_exponents = np.empty(width + LANES), np.empty(width + LANES)
    for row in range(x.shape[0]):
        n = x_lengths[row]
        for batch in range(first[row], n_batches):
            lengths = y_lengths[batch]
            longest = lengths.max()
            old_exponents[:] = _NONE
            new_exponents[:] = _NONE
            old[:] = 1.0
            new[:] = 1.0
            old_exponents[:LANES] = 0.0  # before both signals: the empty alignment
            for i in range(n):
                start = max(0, i - band + 1) * LANES
                stop = min(longest, i + band) * LANES
                if start >= stop:
                    break  # and no lane is long enough
                _add_squares(x[row], y[batch], i, start, stop, scores)
                offset = (center - i) * LANES
                _score(
                    weights[offset + start : offset + stop],
                    rate,
                    share,
                    scores[start:stop],
                    exponents[start:stop],
                )
                new_exponents[start : start + LANES] = _NONE
                _extend(
                    scores[start:stop],
                    exponents[start:stop],
                    old[start : stop + LANES],
                    old_exponents[start : stop + LANES],
                    new[start : stop + LANES],
                    new_exponents[start : stop + LANES],
                )
                if i == 0:
                    old_exponents[:LANES] = _NONE
                old, new = new, old
                old_exponents, new_exponents = new_exponents, old_exponents
            for lane in range(LANES):
                last = lengths[lane] * LANES + lane
                value = -np.inf
                # Outside the band stand old rows.
                if abs(n - lengths[lane]) < band and old_exponents[last] > 0.5 * _NONE:
                    value = np.log(old[last]) + _LOG2 * old_exponents[last]
                out[row, batch * LANES + lane] = value


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

    def expected_alignment(self, x: Any, z: Any) -> Floats:
        """Return how often time steps of two signals are matched, over all their alignments.

        Each alignment counts by its share of the sum that the kernel is. It is the derivative of
        the log of this sum, before it is divided, by the log scores of pairs of time steps: what
        the kernel looks at, where :func:`alignment_path` shows one best alignment.

        Parameters
        ----------
        x : array-like of shape (n_channels, n_steps_x) or (n_steps_x,), or DataFrame of shape \
                (n_steps_x, n_channels)
        z : array-like of shape (n_channels, n_steps_z) or (n_steps_z,), or DataFrame of shape \
                (n_steps_z, n_channels)
            Of the channels that were seen during fit. Memory is 16 bytes times the product of the
            numbers of steps.

        Returns
        -------
        shares : ndarray of shape (n_steps_x, n_steps_z)
            In [0, 1]. The first and the last steps are always matched: 1.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the kernel is not fitted.
        ValueError, TypeError
            If signals are not finite numbers of these channels, are so large that squares
            overflow, or lengths differ by so much that the kernel allows no alignment.
        MemoryError
            If the signals are too long.

        See Also
        --------
        ExpectedAlignmentDisplay : A picture of it.

        Examples
        --------
        >>> from mkfusion import GlobalAlignmentKernel
        >>> x, z = [0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]
        >>> kernel = GlobalAlignmentKernel(sigma=0.4).fit([[x], [z]])
        >>> print(kernel.expected_alignment(x, z).round(2))
        [[1.   0.98 0.02 0.  ]
         [0.   0.04 1.   0.02]
         [0.   0.   0.02 1.  ]]
        """
        check_is_fitted(self)
        one, other = read_two_signals(x, z, self.n_channels_in_)
        n, m = one.shape[1], other.shape[1]
        window = self._window()
        if window is not None and abs(n - m) >= window:
            raise ValueError(
                f"x has {n} steps and z has {m}; expected numbers that differ by less than "
                f"{window}, for {type(self).__name__} matches no steps that are further apart."
            )
        check_room(f"to align {n} steps with {m}", 16.0 * n * m, "take shorter signals")
        apart = np.arange(max(n, m))
        weights = self._weights(apart)
        if window is not None:
            weights = np.where(apart < window, weights, 0.0)
        return match_shares(one, other, weights, self._rate(), self._share)

    def _represent(self, series: Series) -> Series:

        packed, lengths, *rest = self._arguments(series, series, np.arange(len(series)))
        own = np.empty(len(series))

        def fill(batch: slice, k: int) -> None:
            block = np.empty((batch.stop - batch.start, LANES))
            first = np.zeros(len(block), dtype=np.intp)
            x, x_lengths = series.values[batch], series.lengths[batch]
            log_alignments(x, x_lengths, first, packed[k : k + 1], lengths[k : k + 1], *rest, block)
            own[batch] = np.diagonal(block)

        Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(fill)(batch, k) for k, batch in enumerate(gen_batches(len(series), LANES))
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
        columns = samples if others is None else others
        # Signals of about the same length are aligned at the same time.
        order = np.argsort(columns.lengths, kind="stable")
        rows = order if others is None else np.arange(len(samples))
        arguments = self._arguments(samples, columns, order)
        # Of a symmetric matrix, what stands from the diagonal on.
        first = np.arange(len(rows)) // LANES * (others is None)
        sums = np.empty((len(rows), len(arguments[0]) * LANES))

        def fill(batch: slice) -> None:
            x, x_lengths = samples.values[rows[batch]], samples.lengths[rows[batch]]
            log_alignments(x, x_lengths, first[batch], *arguments, sums[batch])

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

    def _arguments(self, samples: Series, columns: Series, order: Indices) -> tuple[Any, ...]:
        """Return what the compiled loops need, with the columns in some order."""
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

    def _learn_signals(self, series: Series) -> None:
        check_steps_vary(series)
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
    negative_share_ : float
        The sum of the negative eigenvalues between training samples by that of all, without their
        signs; only where `project_psd` is.
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

    def _learn_signals(self, series: Series) -> None:
        check_steps_vary(series)
        _check_steps(self.band, "band", 0)
        if self.smoothing == "median":
            self.smoothing_ = 2.0 * _median_width(series) ** 2
        else:
            self.smoothing_ = _check_width(self.smoothing, "smoothing")

    def _learn(self, samples: Series) -> None:
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
        return self.project_psd is not False


def _median_width(series: Series) -> float:
    """Return Cuturi's width: the median distance of time steps times sqrt(median length)."""
    return typical_distance(series) * sqrt(float(np.median(series.lengths)))


def _check_width(value: Any, name: str) -> float:
    """Refuse anything but a positive number, or what is not offered beside it."""
    if isinstance(value, str):
        raise ValueError(f'{name} is {shown(value)}; expected a positive number or "median".')
    return check_number(value, name, positive=True)


def _check_steps(value: Any, name: str, least: int) -> None:
    """Refuse anything but None or a number of time steps."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {shown(value)}; expected an integer or None.")
    if value < least:
        raise ValueError(f"{name} is {shown(value)}; expected at least {least}, or None.")
