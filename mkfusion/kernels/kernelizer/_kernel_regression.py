"""Ridge regression on a kernel, seen as weights of the training samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

__all__ = ["KernelRegression", "choose_ridge"]

Floats = NDArray[np.float64]

# What `choose_ridge` chooses from, for kernels of which k(x, x) is about 1.
RIDGES = np.logspace(-3, 1, 9)
# Squared lengths below this share of the largest are rounding errors; those of predictions, which
# are sums of 1e-16 then, below its square.
_ROUNDING = 1e-12


class KernelRegression:
    """Weights a_i of training samples such that sum_i a_i f(t_i) predicts f(x), for any f.

    They are those of ridge regression on the features of a kernel with an intercept without
    penalty, and do not depend on f, which may have values in any vector space::

        a(x) = 1/n + (k(x) - mean_i k(t_i)) C (C K C + ridge I)^-1,    C = I - 11'/n.

    They sum to 1; with a large ridge they are all 1/n.

    Parameters
    ----------
    gram : ndarray of shape (n, n), float64
        K between training samples, positive semi-definite.
    ridge : float
        Positive.

    Raises
    ------
    ValueError
        If the kernel is far from positive semi-definite.
    """

    def __init__(self, gram: Floats, ridge: float) -> None:
        self._means = gram.mean(axis=0)
        penalised = _centred(gram)
        penalised[np.diag_indices(len(gram))] += ridge
        try:
            self._factor = cho_factor(penalised, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError as error:
            raise ValueError(
                "a kernel is not positive semi-definite; regression on it needs that."
            ) from error

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(self._factor[0].size)

    def weights(self, values: Floats) -> Floats:
        """Return the weights (r, n) for samples with values k(x) (r, n)."""
        centred = values - self._means
        centred -= centred.mean(axis=1, keepdims=True)
        solved: Floats = cho_solve(self._factor, centred.T, check_finite=False).T
        return 1.0 / len(self._means) + solved


def choose_ridge(gram: Floats, target: Floats) -> tuple[float, float]:
    """Choose the ridge with which features of another kernel are predicted well.

    What is compared is the mean cosine between the features of each sample and their leave-one-out
    prediction, both less the mean of the others: a machine that learns from predicted features
    needs their direction rather than their length, which the squared error is dominated by. The
    next smaller ridge than the best is taken. What shrinking takes from the features is lost to
    the machine, but not what noise it leaves in them, which the machine averages.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        The kernel K to predict from; k(x, x) is about 1.
    target : ndarray of shape (n, n)
        The kernel L, of which features are predicted.

    Returns
    -------
    ridge : float
    score : float
        The largest mean cosine, where a vector of zeros counts 0.

    Notes
    -----
    With ``R = ridge (C K C + ridge I)^-1 - 11'/n``, which is the identity less the smoother, the
    prediction for sample i by the others has the weights ``I_ij - R_ij / R_ii`` (those of ridge
    regression without sample i: nothing is fitted anew).

    References
    ----------
    Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge
    parameter", Technometrics 21, 1979: leaving one out in closed form.
    """
    n = len(gram)
    centring = np.eye(n) - 1.0 / n
    values, vectors = eigh(_centred(gram), overwrite_a=True)
    largest = np.diagonal(target).max()
    target = _centred(target)
    norms = np.diagonal(target)
    scores = []
    for ridge in RIDGES:
        residual = (vectors * (ridge / (values + ridge))) @ vectors.T - 1.0 / n
        # Weights less those of the mean of the others, 1 / (n - 1) each
        weights = centring * (n / (n - 1)) - residual / np.diagonal(residual)[:, np.newaxis]
        predicted = weights @ target
        squares = np.einsum("ij,ij->i", predicted, weights)
        known = np.minimum(norms, squares / _ROUNDING) > _ROUNDING * largest
        cosines = np.diagonal(predicted)[known] / np.sqrt((squares * norms)[known])
        scores.append(cosines.sum() / n)
    best = int(np.argmax(scores))
    return float(RIDGES[max(best - 1, 0)]), float(scores[best])


def _centred(gram: Floats) -> Floats:
    """Return ``C K C``."""
    means = gram.mean(axis=0)
    return gram - means - means[:, np.newaxis] + means.mean()
