"""Kernels of signals that are shifted in time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._types import FloatArray
from mkfusion.kernels._parameters import check_number
from mkfusion.kernels.signals._signals import Series, SignalKernel, check_steps_vary

# Numbers that are transformed at the same time: what stays in a core's own cache.
_CACHED = 2**16
# Numbers between two looks at the keyboard: some tenths of a second.
_NUMBERS = 5 * 10**7


class CrossCorrelationKernel(SignalKernel):
    """A kernel of signals that does not depend on when they begin.

    The cross-correlation c_s(x, z) is the inner product of x and of z shifted by s time steps, over
    all channels, divided by the norms of both. The kernel sums over all shifts that leave an
    overlap::

        k(x, z) = sum_s exp(gamma c_s(x, z)),

    and what is returned is k(x, z) / sqrt(k(x, x) k(z, z)): the shift-invariant kernel SINK of
    [1]_, for several channels, which are shifted together. The larger gamma, the more it looks at
    the best shift alone; the largest c_s itself, as in the shape-based distance, is no positive
    semi-definite kernel.

    This one is, for signals of unequal lengths too. Let all shifts in time act on sequences that
    are zero outside the signals. exp(gamma <x, z>) - 1 is a positive semi-definite kernel that
    vanishes where nothing overlaps, and a sum of it over a group that keeps the inner product, as
    [2]_ does over cyclic shifts, is one again. To this sum a constant is added, the number of
    shifts of the longest training signals: with signals of equal length, that is the sum above.

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps) of unequal lengths. Each channel's mean over time is taken from it first. Values
    are computed by fast Fourier transforms, in time proportional to T log T for T time steps.

    Parameters
    ----------
    gamma : float, default=5.0
        Positive.
    n_jobs : int, default=None
        Threads that evaluate rows of the Gram matrix.

    Attributes
    ----------
    n_shifts_ : int
        Number of shifts of the longest training signals, 2 T - 1.
    n_channels_in_ : int
        Number of channels seen during fit.

    See Also
    --------
    GlobalAlignmentKernel : Signals that are stretched in time.
    PowerSpectrumKernel : What stays of signals if their phases are left out.

    References
    ----------
    .. [1] Paparrizos and Franklin, "GRAIL: efficient time-series representation learning", PVLDB
       12, 2019.
    .. [2] Wachman, Khardon, Protopapas and Alcock, "Kernels for periodic time series arising in
       astronomy", ECML PKDD 2009.

    Examples
    --------
    >>> from mkfusion import CrossCorrelationKernel
    >>> signals = [[[0, 0, 1, -2, 1, 0]], [[1, -2, 1, 0, 0, 0]], [[1, 1, 1, -1, -1, -1]]]
    >>> CrossCorrelationKernel().fit(signals)(signals).round(2)
    array([[1. , 1. , 0.1],
           [1. , 1. , 0.1],
           [0.1, 0.1, 1. ]])
    """

    def __init__(self, gamma: float = 5.0, *, n_jobs: int | None = None) -> None:
        self.gamma = gamma
        self.n_jobs = n_jobs

    def _learn_signals(self, series: Series) -> None:
        check_steps_vary(series)
        check_number(self.gamma, "gamma", positive=True)
        self.n_shifts_ = 2 * series.shape[2] - 1

    def _represent(self, series: Series) -> Series:
        values = series.centered()
        norms = np.sqrt(np.einsum("ncT,ncT->n", values, values))
        values /= np.where(norms == 0.0, 1.0, norms)[:, np.newaxis, np.newaxis]
        size = _transform_size(series, series)
        own = np.empty(len(series))
        for batch in gen_batches(len(series), max(1, _CACHED // size)):
            spectra = fft.rfft(values[batch], size)
            own[batch] = self._sums(np.einsum("ncf,ncf->nf", spectra, spectra.conj()), size)
        return Series(values, series.lengths, series.dtype, np.sqrt(own))

    def _evaluate(self, samples: Series, others: Series | None = None) -> FloatArray:
        columns = samples if others is None else others
        n_rows, n_cols = len(samples), len(columns)
        size = _transform_size(samples, columns)
        row_spectra = fft.rfft(samples.values, size)
        col_spectra = (row_spectra if others is None else fft.rfft(columns.values, size)).conj()
        sums = np.zeros((n_rows, n_cols))

        def fill(batch: slice) -> None:
            # Of a symmetric matrix, what stands from the diagonal on.
            for i in range(batch.start, batch.stop):
                for start in range(i if others is None else 0, n_cols, max(1, _CACHED // size)):
                    some = slice(start, start + max(1, _CACHED // size))
                    products = np.einsum("cf,ncf->nf", row_spectra[i], col_spectra[some])
                    sums[i, some] = self._sums(products, size)

        Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(fill)(batch)
            for batch in gen_batches(n_rows, max(1, _NUMBERS // (size * n_cols)))
        )
        for i, row in enumerate(sums):
            row /= samples.own[i] * columns.own
            if others is None:
                row[:i] = sums[:i, i]
        return sums.astype(np.result_type(samples.dtype, columns.dtype), copy=False)

    def _diagonal(self, samples: Series) -> NDArray[np.float64]:
        return np.ones(len(samples))

    def _sums(self, products: NDArray[np.complex128], size: int) -> NDArray[np.float64]:
        """Return exp(-gamma) k(x, z) (s,), from the products (s, size // 2 + 1) of spectra.

        The factor keeps the range, and cancels out. There are `size` cyclic shifts, of which those
        without an overlap add 1.
        """
        correlations = fft.irfft(products, size)
        correlations -= 1.0
        correlations *= self.gamma
        sums = np.exp(correlations, out=correlations).sum(axis=1)
        return np.asarray(sums - (size - self.n_shifts_) * np.exp(-self.gamma))


def _transform_size(rows: Series, cols: Series) -> Any:
    """Return a good number of time steps, so many that no shift wraps around."""
    return fft.next_fast_len(rows.shape[2] + cols.shape[2] - 1, real=True)
