"""Real and synthetic two-class data, and banks of kernels on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.preprocessing import scale

from mkfusion.datasets import load_mfeat

Floats = NDArray[np.float64]

SIZES = {"cancer": 569, "mfeat": 2000}


class Problem(NamedTuple):
    """Standardised features X (n, n_features) and labels y (n,), -1 or 1."""

    name: str
    X: Floats
    y: Floats


def largest_size(name: str, n: int) -> int | None:
    """Return how many of n samples a set can give; None if far fewer than n."""
    size = min(n, SIZES.get(name, n))
    return size if size >= 0.8 * n else None


def load(name: str, n: int) -> Problem:
    """Return n random samples of a set: cancer, mfeat (digits 0-4 against 5-9) or synthetic."""
    if name == "cancer":
        X, target = load_breast_cancer(return_X_y=True)
        positive = target == 1
    elif name == "mfeat":
        views, digits = load_mfeat(return_X_y=True)
        X, positive = np.hstack([views[view] for view in views.names]), digits < 5
    elif name == "synthetic":
        X, target = make_classification(
            n, 40, n_informative=10, n_redundant=5, flip_y=0.05, random_state=0
        )
        positive = target == 1
    else:
        raise ValueError(f"name is {name!r}; expected 'cancer', 'mfeat' or 'synthetic'.")
    chosen = np.random.default_rng(1).permutation(len(X))[:n]
    return Problem(name, scale(X[chosen]), np.where(positive[chosen], 1.0, -1.0))


def kernel_bank(X: Floats, m: int, train: int | None = None) -> Floats:
    """Return m kernels of unit diagonal, (m, n, n), or (m, n_test, n_train).

    Radial basis functions of several widths and squares of polynomials; every other one on at most
    five random features, so that they differ in what they know.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
    m : int
    train : int, default=None
        If given, rows are the samples from this one on and columns those before it.
    """
    rng = np.random.default_rng(0)
    rows, cols = (slice(None), slice(None)) if train is None else (slice(train, None), slice(train))
    bank = np.empty((m, len(X[rows]), len(X[cols])))
    for k, gram in enumerate(bank):
        Z = X[:, rng.choice(X.shape[1], rng.integers(1, 6), replace=False)] if k % 2 else X
        d = Z.shape[1]
        if k % 3:
            gram[:] = rbf_kernel(Z[rows], Z[cols], gamma=2.0 ** rng.integers(-4, 3) / d)
        else:
            gram[:] = polynomial_kernel(Z[rows], Z[cols], degree=2, gamma=1.0 / d)
            size = 1.0 + np.einsum("ij,ij->i", Z, Z) / d
            gram /= size[rows, np.newaxis]
            gram /= size[np.newaxis, cols]
    return bank
