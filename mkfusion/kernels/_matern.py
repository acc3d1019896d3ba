"""The Matérn kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from scipy.special import gammaln, kve

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats
from mkfusion.kernels._parameters import check_number, median_heuristic, squared_distances
from mkfusion.kernels._rows import FeatureKernel

# Bessel functions of higher order overflow at distances that matter.
_LARGEST_NU = 100.0


class MaternKernel(FeatureKernel):
    """The Matern kernel, whose functions are as smooth as one likes.

    With d = ||x - z||, ell the length scale and K the modified Bessel function of the second kind::

        k(x, z) = 2^(1 - nu) / Gamma(nu) t^nu K_nu(t),    t = sqrt(2 nu) d / ell,

    which is positive semi-definite for every nu > 0, in any number of dimensions [1]_. Its
    functions are ceil(nu) - 1 times differentiable, and where little is known of what is to be
    predicted, rougher ones than those of the Gaussian kernel are often the safer assumption [2]_:

    - nu = 0.5 is exp(-d / ell), the rough functions of an Ornstein-Uhlenbeck process;
    - nu = 1.5 is (1 + t) exp(-t), and nu = 2.5 is (1 + t + t^2 / 3) exp(-t);
    - nu = inf is the Gaussian kernel exp(-d^2 / (2 ell^2)).

    Parameters
    ----------
    length_scale : float or "median", default="median"
        Positive. "median" is the median distance between two training samples (of at most 1000 of
        them).
    nu : float, default=1.5
        Positive: a number up to 100, or `numpy.inf`. Values other than 0.5, 1.5, 2.5 and inf take
        longer, as they need a Bessel function.

    Attributes
    ----------
    length_scale_ : float
        The number that `length_scale` stands for.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    RBFKernel : The Gaussian kernel, with other conventions.
    sklearn.gaussian_process.kernels.Matern

    References
    ----------
    .. [1] Rasmussen and Williams, "Gaussian processes for machine learning", MIT Press (2006),
       section 4.2.1.
    .. [2] Stein, "Interpolation of spatial data: some theory for kriging", Springer, 1999.

    Examples
    --------
    >>> from mkfusion import MaternKernel
    >>> kernel = MaternKernel(nu=0.5).fit([[0.0], [1.0], [3.0]])
    >>> kernel.length_scale_
    2.0
    >>> kernel([[0.0], [2.0]]).round(2)
    array([[1.  , 0.37],
           [0.37, 1.  ]])
    """

    _accept_sparse = True

    def __init__(self, length_scale: float | str = "median", nu: float = 1.5) -> None:
        self.length_scale = length_scale
        self.nu = nu

    def _learn(self, samples: Any) -> None:
        if self.nu != math.inf:
            nu = check_number(self.nu, "nu", positive=True)
            if nu > _LARGEST_NU:
                raise ValueError(
                    f"nu is {shown(self.nu)}; expected a positive number up to {_LARGEST_NU:g}, or "
                    "numpy.inf."
                )
        if not isinstance(self.length_scale, str):
            self.length_scale_ = check_number(self.length_scale, "length_scale", positive=True)
        elif self.length_scale == "median":
            self.length_scale_ = 1.0 / median_heuristic(samples, _distances)
        else:
            raise ValueError(
                f"length_scale is {shown(self.length_scale)}; expected a positive number or "
                '"median".'
            )

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        distances = _distances(samples, others)
        distances /= self.length_scale_
        return matern(distances, float(self.nu)).astype(samples.dtype, copy=False)

    def _diagonal(self, samples: Any) -> Floats:
        return np.ones(samples.shape[0])

    def _is_psd(self) -> bool:
        return True


def matern(distances: Floats, nu: float) -> Floats:
    """Return the Matern kernel at distances in length scales.

    Parameters
    ----------
    distances : ndarray of shape (n_samples, n_others), float64
        Not negative.
    nu : float
        Positive.

    Returns
    -------
    ndarray of shape (n_samples, n_others), float64
    """
    if nu == math.inf:
        return np.exp(-0.5 * distances**2)
    t = math.sqrt(2.0 * nu) * distances
    if nu == 0.5:
        return np.exp(-t)
    if nu == 1.5:
        return (1.0 + t) * np.exp(-t)
    if nu == 2.5:
        return (1.0 + t * (1.0 + t / 3.0)) * np.exp(-t)
    # Logarithms, as t^nu may vanish where K_nu overflows. kve(nu, t) is exp(t) K_nu(t).
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.exp(
            np.log(kve(nu, t)) - t + nu * np.log(t) + (1.0 - nu) * math.log(2.0) - gammaln(nu)
        )
    # Where it overflows all the same, t is so small that few terms of the series at 0 are exact.
    near = ~np.isfinite(values)
    values[near] = 1.0
    if nu > 10.0:
        square = 0.25 * t[near] ** 2
        values[near] -= square / (nu - 1.0) * (1.0 - 0.5 * square / (nu - 2.0))
    return np.minimum(values, 1.0)


def _distances(samples: Any, others: Any = None) -> Floats:
    """Return Euclidean distances (n_samples, n_others), 0 between equal rows."""
    columns = samples if others is None else others
    if not issparse(samples) and not issparse(columns):
        # Not by inner products, whose rounding errors the root of a distance near 0 would magnify.
        return cdist(samples, columns)
    samples, columns = samples.astype(np.float64), columns.astype(np.float64)
    return np.asarray(np.sqrt(squared_distances(samples, columns)))
