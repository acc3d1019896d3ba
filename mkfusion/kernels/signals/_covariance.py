"""Kernels of how the channels of signals vary together."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf, shrunk_covariance

from mkfusion._messages import shown
from mkfusion._types import FloatArray
from mkfusion.kernels._rows import LinearKernel
from mkfusion.kernels.signals._signals import Series, SignalFeatureKernel, check_length


class CenteredLinearKernel(LinearKernel):
    """The inner product of rows, less their mean over the training samples."""

    def _learn(self, samples: FloatArray) -> None:
        super()._learn(samples)
        self.mean_ = samples.mean(axis=0, dtype=np.float64).astype(samples.dtype)

    def _features(self, samples: FloatArray) -> Any:
        return samples - self.mean_

    def _evaluate(self, samples: FloatArray, others: FloatArray | None = None) -> FloatArray:
        rows = self._features(samples)
        return super()._evaluate(rows, None if others is None else self._features(others))

    def _diagonal(self, samples: FloatArray) -> NDArray[np.float64]:
        return super()._diagonal(self._features(samples))


class CovarianceKernel(SignalFeatureKernel):
    """A log-Euclidean kernel between the covariances of a signal's channels.

    A signal's covariance matrix over time S says how strongly its channels vary, and which go
    together. Such matrices lie on a curved manifold; their logarithms lie in a vector space, with
    the distance ||log S - log R||_F, which a rotation of the channels does not change, nor does a
    common factor of all signals [1]_. The kernel is a Gaussian of this distance [2]_, or the inner
    product tr((log S - M)(log R - M)), where M is the mean of the training signals' logarithms: it
    does not depend on the unit of the signals either. Neither the order of the time steps nor the
    length of a signal matters, so lengths may differ.

    Signals are an array (n_samples, n_channels, n_timesteps), or a list of arrays (n_channels,
    n_timesteps). The kernel is positive semi-definite: an inner product, or a Gaussian of one.

    Parameters
    ----------
    shrinkage : float or "ledoit_wolf", default="ledoit_wolf"
        Towards a multiple of the identity, so that the covariance of a few time steps has a
        logarithm: ``(1 - shrinkage) S + shrinkage tr(S) / n_channels I``, a number from 0 to 1.
        "ledoit_wolf" finds it for each signal [3]_.
    kernel : {"rbf", "linear"}, default="rbf"
        Between the logarithms.
    gamma : float, {"scale", "median"} or None, default="median"
        As in :class:`RBFKernel`; not used by "linear".

    Attributes
    ----------
    gamma_ : float or None
        The number that `gamma` stands for; None if ``kernel="linear"``.
    n_channels_in_ : int
        Number of channels seen during fit.

    Raises
    ------
    ValueError
        At fit and at evaluation, if a signal has no regular covariance: a single time step, only
        constant channels, or channels that depend on each other and ``shrinkage=0``.

    See Also
    --------
    CoherenceKernel : How channels go together at each frequency.
    sklearn.covariance.ledoit_wolf

    References
    ----------
    .. [1] Arsigny, Fillard, Pennec and Ayache, "Log-Euclidean metrics for fast and simple calculus
       on diffusion tensors", Magnetic Resonance in Medicine 56, 2006.
    .. [2] Jayasumana, Hartley, Salzmann, Li and Harandi, "Kernel methods on the Riemannian manifold
       of symmetric positive definite matrices", CVPR 2013; for signals, Barachant, Bonnet, Congedo
       and Jutten, "Classification of covariance matrices using a Riemannian-based kernel for BCI
       applications", Neurocomputing 112, 2013.
    .. [3] Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
       matrices", Journal of Multivariate Analysis 88, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import CovarianceKernel
    >>> one, other, more = np.random.default_rng(0).normal(size=(3, 50))
    >>> signals = [[one, one + 0.5 * other], [other, other + 0.5 * more], [one, other]]
    >>> CovarianceKernel().fit(signals)(signals).round(2)
    array([[1.  , 0.96, 0.37],
           [0.96, 1.  , 0.26],
           [0.37, 0.26, 1.  ]])
    """

    _linear = CenteredLinearKernel

    def __init__(
        self,
        shrinkage: float | str = "ledoit_wolf",
        *,
        kernel: str = "rbf",
        gamma: float | str | None = "median",
    ) -> None:
        self.shrinkage = shrinkage
        self.kernel = kernel
        self.gamma = gamma

    def _learn_signals(self, series: Series) -> None:
        shrinkage: Any = self.shrinkage
        if isinstance(shrinkage, str) and shrinkage == "ledoit_wolf":
            return
        number = isinstance(shrinkage, Real) and not isinstance(shrinkage, bool)
        if not number or not 0.0 <= shrinkage <= 1.0:
            raise ValueError(
                f'shrinkage is {shown(shrinkage)}; expected a number from 0 to 1, or "ledoit_wolf".'
            )

    def _describe(self, series: Series) -> NDArray[np.float64]:
        check_length(series, 2, "a covariance needs them")
        covariances = np.stack([self._covariance(signal) for signal in series.signals()])
        values, vectors = np.linalg.eigh(covariances)
        smallest = np.finfo(np.float64).eps * series.shape[1] * np.abs(values[:, -1])
        singular = np.flatnonzero((values[:, 0] <= smallest) | (values[:, -1] <= 0.0))
        if len(singular):
            raise ValueError(
                f"X[{singular[0]}] has the covariance eigenvalues {values[singular[0]]}; expected "
                "positive ones: channels that are not all constant, and a shrinkage above 0 where "
                "they depend on each other."
            )
        logarithms = (vectors * np.log(values)[:, np.newaxis]) @ vectors.transpose(0, 2, 1)
        # The Frobenius inner product counts what stands off the diagonal twice.
        rows, cols = np.triu_indices(series.shape[1])
        return np.asarray(logarithms[:, rows, cols] * np.where(rows == cols, 1.0, np.sqrt(2.0)))

    def _covariance(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        if isinstance(self.shrinkage, str):
            return np.asarray(ledoit_wolf(signal.T)[0])
        covariance = np.atleast_2d(np.cov(signal, bias=True))
        return np.asarray(shrunk_covariance(covariance, shrinkage=self.shrinkage))
