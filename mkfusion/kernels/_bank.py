"""Very many RBF kernels on few features, computed when asked for and never stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from mkfusion.kernels._dense_storage import DenseStorage
from mkfusion.kernels._gamma import check_number
from mkfusion.kernels._stack import KernelStack
from mkfusion.kernels._storage import FloatArray, IndexArray
from mkfusion.kernels._threads import in_threads, split_for_threads

__all__ = ["BankStorage", "RBFBank"]

Floats = NDArray[np.float64]

# Values that are computed at a time: a quarter of a core's own cache.
_BLOCK = 2**16


class Bank(NamedTuple):
    """Kernel k is ``exp(-gamma[k] * sum of squared differences in features[start[k]:start[k+1]])``.

    Attributes
    ----------
    start : ndarray of shape (n_kernels + 1,)
    features : ndarray of shape (start[-1],)
    gamma : ndarray of shape (n_kernels,), float32
    """

    start: NDArray[np.int64]
    features: NDArray[np.int32]
    gamma: NDArray[np.float32]

    def select(self, which: IndexArray) -> Bank:
        """Return some of the kernels."""
        sizes = np.diff(self.start)[which]
        start = np.concatenate([[0], np.cumsum(sizes)])
        offset = np.arange(start[-1]) - np.repeat(start[:-1], sizes)
        return Bank(
            start, self.features[np.repeat(self.start[which], sizes) + offset], self.gamma[which]
        )


class BankStorage:
    """Kernels of a bank between row samples and column samples.

    What is kept during a pass are the squared differences in each feature, from which every kernel
    is a few additions and an exponential, in single precision; sums over kernels or samples are in
    double precision.

    Parameters
    ----------
    bank : Bank
    rows, cols : ndarray of shape (n_rows, n_features) and (n_cols, n_features)
        Samples; the same object for training samples.
    """

    def __init__(self, bank: Bank, rows: Floats, cols: Floats) -> None:
        self.bank = bank
        self.rows = rows
        self.cols = cols

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.rows), len(self.cols), len(self.bank.gamma)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def take(self, rows: IndexArray | None, cols: IndexArray | None) -> BankStorage:
        row_samples = self.rows if rows is None else self.rows[rows]
        if self.rows is self.cols and rows is not None and cols is not None:
            if np.array_equal(rows, cols):
                return BankStorage(self.bank, row_samples, row_samples)
        return BankStorage(self.bank, row_samples, self.cols if cols is None else self.cols[cols])

    def select(self, which: IndexArray) -> BankStorage:
        return BankStorage(self.bank.select(which), self.rows, self.cols)

    def combine(
        self,
        weights: Floats,
        rows: IndexArray | None = None,
        out: Floats | None = None,
        *,
        cols: IndexArray | None = None,
    ) -> Floats:
        from mkfusion.kernels import _dense

        block = self.take(rows, cols)
        pairs = block._pairs()
        used = np.flatnonzero(weights)
        parts: list[Floats] = []

        def add(kernels: IndexArray) -> None:
            total = np.zeros(pairs.count)

            def add_some(some: IndexArray, values: FloatArray) -> None:
                _dense.add_weighted(values, weights[some], total)

            pairs.evaluate(self.bank, kernels, add_some)
            parts.append(total)

        _for_kernels(used, pairs.count, add)
        total = np.sum(parts, axis=0) if parts else np.zeros(pairs.count)
        out = np.empty(pairs.shape) if out is None else out
        pairs.fill(total, float(weights.sum()), out)
        return out

    def dot(self, beta: Floats) -> Floats:
        n_rows, n_cols, m = self.shape
        columns = beta.reshape(-1, n_cols)
        out = np.zeros((len(columns), m, n_rows))
        support = np.flatnonzero(columns.any(axis=0))
        for i in range(n_rows):
            pairs = self.take(np.array([i]), support)._pairs()

            def store(kernels: IndexArray, values: FloatArray, i: int = i) -> None:
                out[:, kernels, i] = columns[:, support] @ values.T

            pairs.evaluate(self.bank, np.arange(m), store)
        return out.reshape(beta.shape[:-1] + (m, n_rows))

    def add_dot(self, beta: Floats, out: Floats, kernels: IndexArray | None = None) -> None:
        which = np.arange(self.shape[2]) if kernels is None else kernels
        out[:, which] += self.select(which).dot(beta)

    def quadratic(self, beta: Floats) -> Floats:
        from mkfusion.kernels import _dense

        support = np.flatnonzero(beta.any(axis=0))
        pairs = self.take(support, support)._pairs()
        forms = np.empty(self.shape[2])
        active = beta[:, support]
        weights = pairs.of_outer(active.T @ active)
        diagonal = float(np.sum(active * active))

        def store(some: IndexArray, values: FloatArray) -> None:
            found = np.empty(len(some))
            _dense.dot_weighted(values, weights, found)
            forms[some] = found + diagonal

        def add(kernels: IndexArray) -> None:
            pairs.evaluate(self.bank, kernels, store)

        _for_kernels(np.arange(self.shape[2]), pairs.count, add)
        return forms

    def diagonal(self) -> Floats:
        n_rows, _, m = self.shape
        if self.rows is self.cols:
            return np.broadcast_to(1.0, (m, n_rows))
        index = np.arange(n_rows)
        pairs = [self.take(index[[i]], index[[i]]).materialize().array[:, 0] for i in index]
        return np.concatenate(pairs, axis=1)

    def gram(self, k: int) -> FloatArray:
        return self.select(np.array([k])).materialize().array[0]

    def materialize(self) -> DenseStorage:
        n_rows, n_cols, m = self.shape
        array = np.empty((m, n_rows, n_cols), dtype=self.dtype)
        pairs = self._pairs()

        def store(kernels: IndexArray, values: FloatArray) -> None:
            for k, one in zip(kernels, values, strict=True):
                pairs.fill(one, 1.0, array[k])

        pairs.evaluate(self.bank, np.arange(m), store)
        return DenseStorage(array)

    def _pairs(self) -> _Pairs:
        return _Pairs(self.rows, self.cols)


class _Pairs:
    """Squared differences of pairs of samples, each pair of training samples once.

    Attributes
    ----------
    squares : ndarray of shape (n_features, count), float32
    count : int
    """

    def __init__(self, rows: Floats, cols: Floats) -> None:
        self.shape = len(rows), len(cols)
        self._symmetric = rows is cols
        if self._symmetric:
            self._i, self._j = np.triu_indices(len(rows), k=1)
            squares = [(x[self._i] - x[self._j]) ** 2 for x in rows.T]
        else:
            differences = [x[:, np.newaxis] - z for x, z in zip(rows.T, cols.T, strict=True)]
            squares = [difference.ravel() ** 2 for difference in differences]
        self.squares = np.stack(squares, dtype=np.float32)
        self.count = self.squares.shape[1]

    def evaluate(
        self, bank: Bank, kernels: IndexArray, use: Callable[[IndexArray, FloatArray], Any]
    ) -> None:
        """Call ``use(kernels, values)`` with values (s, count), for a few kernels at a time."""
        from mkfusion.kernels._dense import sum_features

        size = max(1, _BLOCK // max(self.count, 1))
        buffer = np.empty((size, self.count), dtype=np.float32)
        for first in range(0, len(kernels), size):
            some = kernels[first : first + size]
            values = buffer[: len(some)]
            sum_features(self.squares, bank.start, bank.features, bank.gamma, some, values)
            np.exp(values, out=values)
            use(some, values)

    def of_outer(self, products: Floats) -> Floats:
        """Return what multiplies each pair's value in ``sum_ij products_ij K_ij``."""
        return 2.0 * products[self._i, self._j]

    def fill(self, values: FloatArray, diagonal: float, out: FloatArray) -> None:
        """Write the values of the pairs into a matrix (n_rows, n_cols)."""
        if self._symmetric:
            out[self._i, self._j] = out[self._j, self._i] = values
            np.fill_diagonal(out, diagonal)
        else:
            out[...] = values.reshape(self.shape)


def _for_kernels(kernels: IndexArray, count: int, work: Callable[[IndexArray], None]) -> None:
    pieces = split_for_threads(len(kernels), len(kernels) * count)
    in_threads(lambda piece: work(kernels[piece]), pieces)


class RBFBank(TransformerMixin, BaseEstimator):
    """Very many RBF kernels on single features and on random groups of features.

    For choosing features by multiple kernel learning: up to millions of kernels, computed when
    asked for and never stored. Kernel k compares the features of its group G,

        k(x, z) = exp(-gamma / |G| * sum_{f in G} (x_f - z_f)^2 / (2 var_f))

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
    feature_names_in_ : ndarray of shape (n_features_in_,)
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
        storage = BankStorage(self._bank, self._train, self._train)
        sound = np.ones(self.n_kernels, dtype=bool)
        return KernelStack._from_storage(storage, self.kernel_names_, sound)

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
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        storage = BankStorage(self._bank, X * self._scale, self._train)
        return KernelStack._from_storage(storage, self.kernel_names_)


def _draw(
    rng: np.random.RandomState, n_kernels: int, n_features: int, n_gammas: int, largest: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], IndexArray]:
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
    for first in range(n_single, n_kernels, _BLOCK):
        some = sizes[first : first + _BLOCK]
        # The features of the smallest random keys: groups without repetition, many at a time.
        order = rng.random_sample((len(some), n_features)).argpartition(largest - 1, axis=1)
        chosen = np.arange(largest) < some[:, np.newaxis]
        drawn.append(order[:, :largest][chosen].astype(np.int32))
    return sizes, np.concatenate([single.astype(np.int32), *drawn]), widths


def _names(features: list[str], bank: Bank, gammas: Floats) -> list[str]:
    start = bank.start.tolist()
    chosen = [features[f] for f in bank.features.tolist()]
    return [
        f"rbf({'+'.join(chosen[a:b])}, gamma={gamma})"
        for a, b, gamma in zip(start[:-1], start[1:], gammas.tolist(), strict=True)
    ]
