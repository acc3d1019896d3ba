"""Very many RBF kernels on few features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mkfusion._compat import Interval
from mkfusion._types import Indices
from mkfusion.kernels._parameters import check_number
from mkfusion.stack import Bank, BankStack, KernelStack

# Groups that are drawn at a time.
_DRAWN = 2**16


class RBFBank(TransformerMixin, BaseEstimator):
    """Very many RBF kernels on single features and on random groups of features.

    For choosing features by multiple kernel learning: up to millions of kernels, computed when
    asked for and never stored. Each compares the features f of its group, size of them, by

        k(x, z) = exp(-gamma / size * sum_f (x_f - z_f)^2 / (2 var_f))

    with the variances of the training samples. The first kernels are on single features, one for
    every feature and width, the others on random groups of two or more with a random width.

    Parameters
    ----------
    n_kernels : int, default=1000
        Number of kernels.
    gammas : sequence of float, default=(0.25, 1.0, 4.0)
        Positive widths.
    max_features : int, default=5
        Largest size of a group.
    random_state : int, RandomState instance or None, default=None
        Draws the groups and their widths.

    Attributes
    ----------
    kernel_names_ : list of n_kernels str
        Such as ``"rbf(x3+x17, gamma=1.0)"``.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    Kernelizer : A few kernels of any kind.

    References
    ----------
    Jain, Vishwanathan and Varma, "SPG-GMKL: generalized multiple kernel learning with a million
    kernels", KDD (2012).

    Examples
    --------
    >>> from mkfusion import MKLClassifier, RBFBank
    >>> from mkfusion.datasets import load_sonar
    >>> X, y = load_sonar(return_X_y=True)
    >>> stack = RBFBank(5000, random_state=0).fit_transform(X["bands"])
    >>> stack.shape
    (208, 208, 5000)
    >>> model = MKLClassifier(C=10, tol=1e-2).fit(stack, y)
    >>> model.duality_gap_ <= 1e-2
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "gammas": ["array-like"],
        "max_features": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_kernels: int = 1000,
        *,
        gammas: Sequence[float] = (0.25, 1.0, 4.0),
        max_features: int = 5,
        random_state: Any = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.gammas = gammas
        self.max_features = max_features
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # kernels are computed in single precision
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the variances of the features, and draw the groups.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted bank.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range.
        """
        self._validate_params()
        gammas = np.array([check_number(g, "gammas", positive=True) for g in self.gammas])
        if len(gammas) == 0:
            raise ValueError("gammas is empty; expected at least one positive number.")
        X = validate_data(self, X, dtype=np.float64)
        n_features = X.shape[1]
        rng = check_random_state(self.random_state)
        sizes, groups, widths = _draw(
            rng, self.n_kernels, n_features, len(gammas), min(self.max_features, n_features)
        )
        scale = X.std(axis=0)
        self._scale = 1.0 / np.where(scale > 0.0, np.sqrt(2.0) * scale, 1.0)
        start = np.concatenate([[0], np.cumsum(sizes)])
        self._bank = Bank(start, groups, (gammas[widths] / sizes).astype(np.float32))
        self._train = X * self._scale
        names = getattr(self, "feature_names_in_", [f"x{f}" for f in range(n_features)])
        self.kernel_names_ = _names(list(names), self._bank, gammas[widths])
        return self

    def fit_transform(self, X: Any, y: Any = None) -> KernelStack:
        """Fit, and return the kernels between the training samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : None
            Ignored.

        Returns
        -------
        KernelStack of shape (n_samples, n_samples, n_kernels)
            Computed on demand.
        """
        self.fit(X, y)
        return BankStack(self._bank, self._train, self._train, self.kernel_names_)

    def transform(self, X: Any) -> KernelStack:
        """Return the kernels between samples and the training samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples like those of `fit`.

        Returns
        -------
        KernelStack of shape (n_samples, n_train_samples, n_kernels)
            Computed on demand.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other kernels, columns or modalities than in fit, or cells it cannot take.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return BankStack(self._bank, X * self._scale, self._train, self.kernel_names_)


def _draw(
    rng: np.random.RandomState, n_kernels: int, n_features: int, n_gammas: int, largest: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], Indices]:
    """Return the groups' sizes (m,), their features one after the other, and widths (m,)."""
    n_single = min(n_kernels, n_features * n_gammas)
    if largest < 2:
        n_single = n_kernels
    single = np.arange(n_single) % n_features
    n_groups = n_kernels - n_single
    sizes = np.ones(n_kernels, dtype=np.int64)
    widths = (np.arange(n_kernels) // n_features) % n_gammas
    sizes[n_single:] = rng.randint(2, largest + 1, size=n_groups) if n_groups else 0
    widths[n_single:] = rng.randint(n_gammas, size=n_groups)
    drawn = [np.empty(0, dtype=np.int32)]
    for first in range(n_single, n_kernels, _DRAWN):
        some = sizes[first : first + _DRAWN]
        # The features of the smallest random keys: groups without repetition, many at a time.
        order = rng.random_sample((len(some), n_features)).argpartition(largest - 1, axis=1)
        chosen = np.arange(largest) < some[:, np.newaxis]
        drawn.append(order[:, :largest][chosen].astype(np.int32))
    return sizes, np.concatenate([single.astype(np.int32), *drawn]), widths


def _names(features: list[str], bank: Bank, gammas: NDArray[np.float64]) -> list[str]:
    start = bank.start.tolist()
    chosen = [features[f] for f in bank.features.tolist()]
    return [
        f"rbf({'+'.join(chosen[a:b])}, gamma={gamma})"
        for a, b, gamma in zip(start[:-1], start[1:], gammas.tolist(), strict=True)
    ]
