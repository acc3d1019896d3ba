"""Kernels of distances that were computed before, looked up by the samples' ids."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mkfusion._messages import shown
from mkfusion._types import FloatArray, Floats, Indices
from mkfusion.kernels._parameters import MEDIAN_SAMPLES, check_number, reciprocal_median
from mkfusion.kernels._precomputed import (
    LookedUpKernel,
    Rows,
    check_symmetric,
    largest_finite,
    rounding_of,
)
from mkfusion.kernels._projected import ProjectedKernel

# A larger share of negative eigenvalues is warned of
_LARGE_SHARE = 0.2


class FromDistances(LookedUpKernel):
    """A matrix of distances as a kernel of the ids of its rows, as it comes."""

    method: str
    gamma: float | str
    _matrix_name = "distances"

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        if self.method not in ("gaussian", "centered"):
            raise ValueError(f'method is {shown(self.method)}; expected "gaussian" or "centered".')
        if isinstance(self.gamma, str) and self.gamma != "median":
            raise ValueError(
                f'gamma is {shown(self.gamma)}; expected a positive number or "median".'
            )
        gamma = (
            None
            if isinstance(self.gamma, str)
            else check_number(self.gamma, "gamma", positive=True)
        )
        rows = super()._fit_prepare(X, y)
        if self.method == "gaussian":
            self.gamma_ = self._median_gamma(rows.positions) if gamma is None else gamma
            return rows
        self._origin = rows.positions
        samples = self._with_offsets(rows)
        self._mean = float(samples.offsets.mean())
        return samples

    def _median_gamma(self, positions: Indices) -> float:
        """Return 1 / the median squared distance."""
        # Evenly along the matrix, which depends on the samples, and not on their order in X.
        chosen = np.sort(positions)
        if len(chosen) > MEDIAN_SAMPLES:
            chosen = chosen[np.linspace(0, len(chosen) - 1, MEDIAN_SAMPLES).astype(np.intp)]
        return reciprocal_median(self._squares(chosen, chosen))

    def _check_matrix(self, table: NDArray[Any], ids: list[Hashable]) -> None:
        """Refuse what are no distances."""
        size = largest_finite(table)
        check_symmetric(table, ids, self._matrix_name, size)
        slack = rounding_of(table) * size
        apart = np.flatnonzero(np.abs(np.diagonal(table)) > slack)
        if apart.size:
            i = apart[0]
            raise ValueError(
                f"distances has {float(table[i, i]):.6g} between {shown(ids[i])} and itself; "
                "expected 0. Similarities are for PrecomputedKernel."
            )
        if table.min() < -slack:
            i, j = np.unravel_index(np.argmin(table), table.shape)
            raise ValueError(
                f"distances has {float(table[i, j]):.6g} between {shown(ids[i])} and "
                f"{shown(ids[j])}; expected non-negative numbers."
            )

    def _prepare(self, X: Any) -> Any:
        rows = super()._prepare(X)
        return self._with_offsets(rows) if self.method == "centered" else rows

    def _with_offsets(self, rows: Rows) -> CentredRows:
        """Return rows with their mean squared distances from the training samples."""
        offsets = self._squares(rows.positions, self._origin).mean(axis=1)
        return CentredRows(rows.positions, rows.dtype, offsets)

    def _squares(self, rows: Indices, cols: Indices) -> Floats:
        block = self._table[np.ix_(rows, cols)].astype(np.float64)
        return np.square(block, out=block)

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        cols = samples if others is None else others
        values = self._squares(samples.positions, cols.positions)
        if self.method == "gaussian":
            values *= -self.gamma_
            np.exp(values, out=values)
        else:
            np.subtract(np.add.outer(samples.offsets, cols.offsets - self._mean), values, values)
            values *= 0.5
        return values.astype(samples.dtype, copy=False)

    def _diagonal(self, samples: Any) -> Floats:
        squares = np.square(self._table[samples.positions, samples.positions].astype(np.float64))
        if self.method == "gaussian":
            diagonal: Floats = np.exp(-self.gamma_ * squares)
            return diagonal
        return samples.offsets - 0.5 * (self._mean + squares)


class DistanceKernel(ProjectedKernel, FromDistances):
    """Distances that were computed before as a kernel, looked up by the ids of samples.

    For UniFrac, Bray-Curtis, edit or travel distances, and all else that other packages compute
    between samples: X holds the samples' ids (a column, or a modality), as with
    :class:`PrecomputedKernel`, so that whatever splits X finds the right rows and columns. Samples
    to predict need to be in the matrix too; nothing is learned from their distances.

    Parameters
    ----------
    distances : ndarray, memmap, DataFrame or DistanceMatrix of scikit-bio of shape (n, n)
        Symmetric, not negative, with zeros between a sample and itself. Only what is asked for is
        read, and float32 gives a float32 kernel. Clones share it.
    ids : array-like of shape (n,), default=None
        The ids of its rows, in their order, strings or integers without repetition. By default the
        index of a DataFrame, whose columns must be the same, the ids of a DistanceMatrix, and
        0, 1, ..., n - 1 of an array.
    method : {"gaussian", "centered"}, default="gaussian"
        With the distance d, and means over the training samples:

        - "gaussian": ``exp(-gamma d(x, z)^2)``.
        - "centered": Gower's ``(a(x) + a(z) - b - d(x, z)^2) / 2``, the inner product of what
          principal coordinates analysis (classical scaling) places samples at, where a(x) is the
          mean squared distance of x from the training samples, and b is the mean of a. Between
          training samples this is ``-J D^2 J / 2``. For Euclidean distances it is the inner product
          of centred features: a linear kernel.
    gamma : float or "median", default="median"
        Positive, for "gaussian". "median" is 1 / the median squared distance between two training
        samples (of at most 1000 of them).
    project_psd : bool, "clip" or "shift", default="clip"
        Distances that are not Euclidean give kernels with negative eigenvalues, which machines
        refuse. True or "clip" leaves these out, as principal coordinates analysis does, and a new
        sample is projected onto the same coordinates as the training samples. "shift" adds to the
        diagonal what makes none negative, and leaves all else as it is. False does nothing. Where
        no eigenvalue is negative, they are all the same.
    name : str, default="distance"
        What to call it in a stack.

    Attributes
    ----------
    ids_ : list
        The ids of the rows.
    gamma_ : float
        The number that `gamma` stands for, with "gaussian".
    negative_share_ : float
        What the projection costs: the sum of the negative eigenvalues between training samples by
        that of all, without their signs. Not with ``project_psd=False``.
    shift_ : float
        What "shift" adds to the diagonal.

    Warns
    -----
    UserWarning
        If `negative_share_` is above 0.2.

    See Also
    --------
    PrecomputedKernel : For a matrix of similarities.

    Notes
    -----
    With the eigenvalues l and eigenvectors V of the kernel K between training samples, V+ and l+
    those that are positive, "clip" makes K to ``V+ diag(l+) V+'`` and the values k of a new sample
    with the training samples to ``k V+ V+'``. A training sample that comes again gets its row of K.
    "shift" with "centered" is the correction of Lingoes.

    Square roots of Bray-Curtis, Jaccard and other semi-metrics are often Euclidean, and then have
    no negative eigenvalues: ``DistanceKernel(numpy.sqrt(distances))``.

    References
    ----------
    Gower, "Some distance properties of latent root and vector methods used in multivariate
    analysis", Biometrika 53, 1966; "Adding a point to vector diagrams in multivariate analysis",
    Biometrika 55, 1968.

    Legendre and Legendre, "Numerical ecology", 3rd edition, 2012, section 9.3.

    Zhao, Chen, Carroll et al., "Testing in microbiome-profiling studies with MiRKAT, the microbiome
    regression-based kernel association test", American Journal of Human Genetics 96, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import DistanceKernel
    >>> places = np.array([0.0, 1.0, 3.0, 4.0])
    >>> distances = abs(places[:, None] - places)
    >>> ids = ["anna", "ben", "cleo", "dan"]
    >>> kernel = DistanceKernel(distances, ids, method="centered").fit(["anna", "dan"])
    >>> kernel(["ben", "dan"], ["anna", "dan"])  # places - 2, times -2 and 2
    array([[ 2., -2.],
           [-4.,  4.]])
    >>> kernel.negative_share_
    0.0
    """

    def __init__(
        self,
        distances: Any,
        ids: Sequence[Hashable] | None = None,
        *,
        method: str = "gaussian",
        gamma: float | str = "median",
        project_psd: bool | str = "clip",
        name: str = "distance",
    ) -> None:
        self.distances = distances
        self.ids = ids
        self.method = method
        self.gamma = gamma
        self.project_psd = project_psd
        self.name = name

    def _fit_prepare(self, X: Any, y: Any = None) -> Any:
        samples = super()._fit_prepare(X, y)
        if self.project_psd is not False and self.negative_share_ > _LARGE_SHARE:
            warnings.warn(
                f"{self.negative_share_:.0%} of the kernel {self.name!r}, by the sizes of its "
                "eigenvalues, are negative ones: what project_psd makes of it says other distances "
                "than those that came. The square roots of many have none: numpy.sqrt(distances).",
                UserWarning,
                stacklevel=4,
            )
        return samples


class CentredRows(Rows):
    """Where samples are in a matrix, and their mean squared distances from training samples.

    Parameters
    ----------
    positions : ndarray of shape (n_samples,), integer
    dtype : numpy.dtype
        What the values are returned in: float32 or float64.
    offsets : ndarray of shape (n_samples,)
    """

    def __init__(self, positions: Indices, dtype: np.dtype[Any], offsets: Floats) -> None:
        super().__init__(positions, dtype)
        self.offsets = offsets

    def __getitem__(self, rows: Any) -> CentredRows:
        if isinstance(rows, tuple):
            rows = rows[0]  # how scikit-learn indexes what has a shape
        return CentredRows(self.positions[rows], self.dtype, self.offsets[rows])
