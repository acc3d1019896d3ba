"""Clusters of samples that several kernels agree on."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval
from mkfusion._types import Floats, Indices
from mkfusion.solvers import one_blas_thread
from mkfusion.stack import (
    KernelStack,
    prediction_stack,
    remember_input,
    row_batches,
    training_stack,
    warn_degenerate,
)

# What is left within clusters is at least this share of a kernel's variance: weights stay finite.
_LEAST_LEFT = 1e-10
# A kernel whose centred trace is a smaller share of its trace is constant.
_CONSTANT = 1e-12


class Clusters(NamedTuple):
    """A partition, and the weights that are best for it.

    Attributes
    ----------
    labels : ndarray of shape (n,)
    weights : ndarray of shape (n_kernels,)
        They sum to one.
    inertia : float
        ``sum_k weights_k^2 left_k``.
    n_iter : int
    """

    labels: Indices
    weights: Floats
    inertia: float
    n_iter: int


class MultipleKernelKMeans(ClusterMixin, BaseEstimator):
    """K-means in the space of several kernels whose weights are learned.

    With kernels centred and of trace one, minimises over partitions and weights

        sum_k d_k^2 tr(K_k (I - L L')),   d >= 0,  sum_k d_k = 1,

    where L holds the indicators of the clusters, each of length one: the variance that is left
    within clusters, of which kernels get the more weight the less they leave. As published (Huang
    et al., 2012; Gönen and Margolin, 2014) L is first relaxed to any orthonormal columns, for which
    eigenvectors and weights are found in turn, and k-means of the eigenvectors makes a partition.
    From there samples and weights move in turn until neither does: the value that is minimised is
    that of the clusters themselves, not of the relaxation.

    Parameters
    ----------
    n_clusters : int, default=8
    n_init : int, default=10
        Partitions to begin with, of which the best end is taken: that of the relaxation, and those
        of the samples nearest to some that are drawn.
    max_iter : int, default=100
        Most rounds of each.
    tol : float, default=1e-6
        The relaxation ends when its value changes by a smaller share.
    random_state : int, RandomState instance or None, default=None
        Draws where partitions begin.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Cluster of each training sample, from 0.
    weights_ : ndarray of shape (n_kernels,)
        The d above, which sum to one; zero for kernels that are constant.
    kernel_names_ : list of n_kernels str
        Names of the kernels in the stack.
    inertia_ : float
        What is minimised, at most 1.
    embedding_ : ndarray of shape (n, n_clusters)
        The relaxed solution: the leading eigenvectors of the weighted sum of kernels.
    n_iter_ : int
        Rounds of the partition that was taken.
    n_features_in_ : int
        Number of training samples: the columns that kernels must have to predict.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if the kernel was a DataFrame with string columns.

    See Also
    --------
    KernelCombiner : A consensus of kernels, for any method that takes one Gram matrix.
    similarity_network_fusion : Another one, for spectral clustering.

    Notes
    -----
    Neither problem is convex: another start may end elsewhere, and there is no certificate. A
    kernel with little variance left gets weight whatever its clusters are good for: of kernels that
    disagree, the weights follow the one that is easiest to cut, such as one of few columns. Where
    kernels are to agree, combine them before, by ``KernelCombiner("statis")``, and cluster that one
    Gram matrix: of four of the digits of :func:`~mkfusion.datasets.load_mfeat`, with the kernels
    of "auto", this finds 99 %, the learned weights 81 % (adjusted Rand index).

    References
    ----------
    Huang, Chuang and Chen, "Multiple kernel fuzzy clustering", IEEE Transactions on Fuzzy Systems
    20 (2012).

    Gönen and Margolin, "Localized data fusion for kernel k-means clustering with application to
    cancer biology", NeurIPS 27 (2014): the relaxation, without its localised weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import adjusted_rand_score
    >>> from mkfusion import ColumnKernelizer, MultipleKernelKMeans
    >>> rng = np.random.default_rng(0)
    >>> truth = np.repeat([0, 1, 2], 20)
    >>> X = 3.0 * truth[:, np.newaxis] + rng.normal(size=(60, 2)) / 3
    >>> kernels = [("one", "rbf", [0]), ("two", "rbf", [1])]
    >>> stack = ColumnKernelizer(kernels).fit_transform(X)
    >>> model = MultipleKernelKMeans(3, random_state=0).fit(stack)
    >>> adjusted_rand_score(truth, model.labels_)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_init: int = 10,
        max_iter: int = 100,
        tol: float = 1e-6,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the clusters and the weights of the kernels.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
                (n, n), or KernelStack
            Gram matrices of the training samples.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted clusterer.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, there are fewer samples than clusters, or the
            kernels are not finite symmetric positive semi-definite matrices, or all constant.
        """
        self._validate_params()
        stack = training_stack(self, X)
        n = stack.shape[0]
        if n < 2:
            raise ValueError("X has 1 sample; expected at least 2.")
        if self.n_clusters > n:
            raise ValueError(
                f"n_clusters is {self.n_clusters}; expected at most the {n} samples of X."
            )
        rng = check_random_state(self.random_state)
        with one_blas_thread():
            stack.check_gram("X")
            warn_degenerate(stack, None, stacklevel=2)
            sizes = _sizes(stack)
            if not sizes.any():
                raise ValueError(
                    "X holds no kernel that tells samples apart; expected at least one that is "
                    "not constant."
                )
            embedding = relaxed_clusters(stack, sizes, self.n_clusters, self.max_iter, self.tol)
            starts = [_labels_of_embedding(embedding, int(rng.randint(2**31 - 1)))]
            if self.n_init > 1:
                weights, _ = _best_weights(stack, sizes, embedding)
                gram = stack.combine(_coefficients(weights, sizes))
                starts += [
                    _labels_of_samples(gram, rng.permutation(n)[: self.n_clusters])
                    for _ in range(self.n_init - 1)
                ]
            best = min(
                (
                    refined_clusters(stack, sizes, labels, self.n_clusters, self.max_iter)
                    for labels in starts
                ),
                key=lambda found: found.inertia,
            )
            coefficients = _coefficients(best.weights, sizes)
            means, squares = _centres(stack.combine(coefficients), best.labels, self.n_clusters)
        remember_input(self, X, n)
        self.labels_ = best.labels
        self.weights_ = best.weights
        self.kernel_names_ = stack.names
        self.inertia_ = best.inertia
        self.embedding_ = embedding
        self.n_iter_ = best.n_iter
        self._coefficients, self._means, self._squares = coefficients, means, squares
        return self

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Return the nearest cluster of samples.

        Parameters
        ----------
        X : list of n_kernels arrays of shape (n_samples, n), ndarray of shape \
                (n_samples, n, n_kernels) or (n_samples, n), or KernelStack
            Kernels between samples and the n training samples.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError
            If the kernels are others than those of fit, or not between samples and those of fit.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        gram = stack.combine(self._coefficients)
        return (self._squares - 2.0 * gram @ self._means).argmin(axis=1)


def _coefficients(weights: Floats, sizes: Floats) -> Floats:
    """Return by what the kernels as they are given are summed."""
    return np.divide(weights**2, sizes, out=np.zeros_like(weights), where=sizes > 0)


def _products(stack: KernelStack, columns: Floats) -> Floats:
    """Return ``tr(V' K_k V)`` of each kernel, for columns V (n, q)."""
    n, _, m = stack.shape
    found = np.zeros(m)
    for rows in row_batches(n, n * m):
        block = np.moveaxis(np.asarray(stack[rows]), -1, 0)
        found += np.einsum("kiq,iq->k", block @ columns, columns[rows])
    return found


def _sizes(stack: KernelStack) -> Floats:
    """Return the traces of the centred kernels; zero for those that are constant."""
    n, _, m = stack.shape
    traces, sums = np.zeros(m), np.zeros(m)
    for rows in row_batches(n, n * m):
        block = np.asarray(stack[rows], dtype=np.float64)
        traces += np.einsum("iik->k", block[:, rows])
        sums += block.sum(axis=(0, 1))
    sizes = traces - sums / n
    return np.where(sizes > _CONSTANT * np.abs(traces), sizes, 0.0)


def _best_weights(stack: KernelStack, sizes: Floats, columns: Floats) -> tuple[Floats, float]:
    """Return the weights that are best for orthonormal columns (n, q), and the value.

    Of ``sum d_k^2 a_k`` over the simplex it is ``d_k ~ 1 / a_k``, the value ``1 / sum 1 / a_k``.
    """
    centred = columns - columns.mean(axis=0)
    told = np.divide(_products(stack, centred), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    inverse = np.where(sizes > 0, 1.0 / np.maximum(1.0 - told, _LEAST_LEFT), 0.0)
    return inverse / inverse.sum(), float(1.0 / inverse.sum())


def relaxed_clusters(
    stack: KernelStack, sizes: Floats, n_clusters: int, max_iter: int, tol: float
) -> Floats:
    """Return orthonormal columns (n, n_clusters) that stand in for indicators of clusters.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
    sizes : ndarray of shape (n_kernels,)
        Traces of the centred kernels.
    n_clusters, max_iter : int
    tol : float
    """
    n = stack.shape[0]
    weights = (sizes > 0) / np.count_nonzero(sizes)
    value = np.inf
    for _ in range(max_iter):
        gram = stack.combine(_coefficients(weights, sizes))
        means = gram.mean(axis=0)
        gram -= means + (means - means.mean())[:, np.newaxis]
        # All of them: where many are alike, LAPACK may return fewer of a subset than asked for.
        columns = eigh(gram, driver="evd")[1][:, n - n_clusters :]
        weights, new = _best_weights(stack, sizes, columns)
        if value - new <= tol * new:
            break
        value = new
    return np.asarray(columns)


def _labels_of_embedding(embedding: Floats, seed: int) -> Indices:
    """Return the partition that k-means makes of the directions of rows; no cluster is empty."""
    lengths = np.linalg.norm(embedding, axis=1, keepdims=True)
    directions = np.divide(embedding, lengths, out=embedding.copy(), where=lengths > 0)
    n_clusters = embedding.shape[1]
    with warnings.catch_warnings():  # of fewer different rows than clusters: filled below
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(n_clusters, n_init=10, random_state=seed).fit(directions).labels_
    labels = labels.astype(np.intp)
    for empty in np.setdiff1d(np.arange(n_clusters), labels):
        counts = np.bincount(labels, minlength=n_clusters)
        labels[np.flatnonzero(labels == counts.argmax())[0]] = empty
    return labels


def _labels_of_samples(gram: Floats, chosen: Indices) -> Indices:
    """Return which of some samples each sample is nearest to; each of them to itself."""
    distances = np.diagonal(gram)[chosen] - 2.0 * gram[:, chosen]
    labels = distances.argmin(axis=1)
    labels[chosen] = np.arange(len(chosen))
    return labels


def refined_clusters(
    stack: KernelStack, sizes: Floats, labels: Indices, n_clusters: int, max_iter: int
) -> Clusters:
    """Move samples to their nearest clusters, and weights to their best, until neither moves.

    Parameters
    ----------
    stack : KernelStack of shape (n, n, n_kernels)
    sizes : ndarray of shape (n_kernels,)
    labels : ndarray of shape (n,)
        To begin with; no cluster is empty.
    n_clusters, max_iter : int

    Returns
    -------
    Clusters
    """
    weights, value = _best_weights(stack, sizes, _indicators(labels, n_clusters))
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        gram = stack.combine(_coefficients(weights, sizes))
        moved = _settled(gram, labels, n_clusters, max_iter)
        new_weights, new = _best_weights(stack, sizes, _indicators(moved, n_clusters))
        if not new < value:  # equal partitions, or rounding
            break
        labels, weights, value = moved, new_weights, new
    return Clusters(labels, weights, value, n_iter)


def _indicators(labels: Indices, n_clusters: int) -> Floats:
    """Return indicators of clusters (n, n_clusters), each of length one."""
    found = (labels[:, np.newaxis] == np.arange(n_clusters)).astype(np.float64)
    return found / np.sqrt(found.sum(axis=0))


def _centres(gram: Floats, labels: Indices, n_clusters: int) -> tuple[Floats, Floats]:
    """Return what makes means of samples (n, n_clusters), and the means' squared lengths."""
    means = (labels[:, np.newaxis] == np.arange(n_clusters)).astype(np.float64)
    means /= means.sum(axis=0)
    return means, np.einsum("ic,ic->c", means, gram @ means)


def _settled(gram: Floats, labels: Indices, n_clusters: int, max_iter: int) -> Indices:
    """Return the partition at which k-means with one kernel ends."""
    for _ in range(max_iter):
        means, squares = _centres(gram, labels, n_clusters)
        distances = squares - 2.0 * gram @ means  # but for the samples' own squared lengths
        moved = distances.argmin(axis=1)
        # A cluster that nobody is nearest to keeps its nearest sample that is not alone.
        for empty in np.setdiff1d(np.arange(n_clusters), moved):
            counts = np.bincount(moved, minlength=n_clusters)
            free = np.flatnonzero(counts[moved] > 1)
            moved[free[distances[free, empty].argmin()]] = empty
        if (moved == labels).all():
            break
        labels = moved
    return labels
