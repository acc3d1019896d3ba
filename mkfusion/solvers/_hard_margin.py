"""The nearest points of two convex hulls: a support vector machine without slack.

Importing this module imports Numba.
"""

from __future__ import annotations

import numpy as np

from mkfusion._types import Floats
from mkfusion.solvers._limits import NEVER
from mkfusion.solvers._losses import _HingeTask
from mkfusion.solvers._rows import WholeRows

# A problem that needs more iterations per sample is reported as not converged.
_MAX_SMO_ITER = 500
# How much the KKT violation to stop at falls each time.
_CUT = 0.1


class HardMargin(_HingeTask):
    """A binary task whose slack is priced at infinity.

    With its dual variables scaled to sum to one in either class, ``beta'K beta`` is the least
    squared distance between the convex hulls of the classes, and the margin is half its root.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels -1 and 1.
    """

    def __init__(self, y: Floats) -> None:
        super().__init__(y, np.full(y.size, np.inf))

    @property
    def nearest(self) -> Floats:
        """The two points: ``y * nearest`` is non-negative and sums to one in either class."""
        positive = self.y > 0
        sums = np.where(positive, self.beta[positive].sum(), -self.beta[~positive].sum())
        points: Floats = self.beta / sums
        return points

    def gap(self) -> tuple[float, float]:
        """Return the gap and the squared distance of the two points.

        The hulls lie apart, along the connection of the points, by their squared distance less the
        gap, in units of that distance.
        """
        scale = 2.0 / float(np.abs(self.beta).sum())
        f = self.y - self.e
        square = scale * scale * float(f @ self.beta)
        apart = scale * float(f[self.y > 0].min() - f[self.y < 0].max())
        return square - apart, square

    def find(self, K: Floats, tol: float) -> float:
        """Approach the nearest points, and return the relative gap: at most `tol` if converged.

        Parameters
        ----------
        K : ndarray of shape (n, n)
            Positive definite.
        tol : float
        """
        rows = WholeRows(K)
        stop = _MAX_SMO_ITER * self.y.size
        while True:
            self._sharpen(rows, stop, NEVER)
            gap, square = self.gap()
            ends = self._n_iter >= stop or self._violation <= self._floor(rows.diag)
            if gap <= tol * square or ends:
                return gap / square
            self._violation *= _CUT
