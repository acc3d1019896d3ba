"""Similarity network fusion."""

from __future__ import annotations

import functools
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from mkfusion._compat import Interval, validate_params
from mkfusion._types import Floats
from mkfusion.stack import GRAM_RTOL, KernelStack, as_stack, asymmetry


@validate_params(
    {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def similarity_network_fusion(
    kernels: Any, *, n_neighbors: int = 20, n_iter: int = 20, alpha: float = 1.0
) -> Floats:
    """Fuse similarities between the same samples into one network, without a target.

    In each step, every network takes what the others say of the neighbours that it has itself,
    until they are nearly one.

    Parameters
    ----------
    kernels : list of n_kernels arrays of shape (n, n), ndarray of shape (n, n, n_kernels) or \
            KernelStack
        Similarities, at least two: symmetric and not negative, such as Gaussian kernels. They need
        not be positive semi-definite, and their scales do not matter.
    n_neighbors : int, default=20
        How many of the largest similarities of a sample in each network are its neighbours, its own
        among them.
    n_iter : int, default=20
        Number of steps.
    alpha : float, default=1.0
        Non-negative. What is added to each sample's similarity with itself in every step, so that
        none is larger.

    Returns
    -------
    ndarray of shape (n, n), float64
        Symmetric: similarities between the samples that were given, for ``affinity="precomputed"``
        of :class:`sklearn.cluster.SpectralClustering`. There is no way for new samples: networks
        with these in it are others.

    Raises
    ------
    ValueError
        If `kernels` are less than two, not finite, symmetric and non-negative, or a sample is like
        none in one of them.

    See Also
    --------
    KernelCombiner : With "statis", a consensus that is a kernel, for new samples too.

    References
    ----------
    Wang, Mezlini, Demir et al., "Similarity network fusion for aggregating data types on a genomic
    scale", Nature Methods 11, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import similarity_network_fusion
    >>> from sklearn.cluster import SpectralClustering
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> rng = np.random.default_rng(0)
    >>> groups = np.repeat([0, 1], 20)
    >>> views = [groups[:, np.newaxis] + 0.4 * rng.normal(size=(40, 2)) for _ in range(2)]
    >>> fused = similarity_network_fusion([rbf_kernel(view) for view in views], n_neighbors=8)
    >>> found = SpectralClustering(2, affinity="precomputed", random_state=0).fit_predict(fused)
    >>> bool(max((found == groups).mean(), (found != groups).mean()) > 0.9)
    True
    """
    stack = as_stack(kernels, None, "kernels")
    n, _, m = stack.shape
    if m < 2:
        raise ValueError(f"kernels holds {m}; expected at least two networks.")
    networks = [_shares(stack, k) for k in range(m)]
    if n_neighbors > n:
        raise ValueError(f"n_neighbors is {n_neighbors}; expected at most the {n} samples.")
    neighbours = [_neighbours(network, n_neighbors) for network in networks]
    for _ in range(n_iter):
        total = functools.reduce(np.add, networks)
        networks = [
            _symmetric(_diffused(near, (total - network) / (m - 1))) + alpha * np.eye(n)
            for near, network in zip(neighbours, networks, strict=True)
        ]
    fused: Floats = functools.reduce(np.add, networks)
    return _symmetric(fused / fused.sum(axis=1, keepdims=True)) + 0.5 * np.eye(n)


def _shares(stack: KernelStack, k: int) -> Floats:
    """Return a network in which each sample shares out 1, made symmetric again."""
    name = stack.names[k]
    gram = stack.gram(k).astype(np.float64)
    if gram.shape[0] != gram.shape[1]:
        raise ValueError(f"kernels has shape {stack.shape}; expected square ones.")
    apart = np.abs(gram - gram.T) > GRAM_RTOL[stack.dtype] * np.abs(gram).max()
    if apart.any():
        i, j = np.argwhere(apart)[0]
        raise asymmetry(f"kernel {name!r}", i, j, gram[i, j], gram[j, i])
    if gram.min() < 0.0:
        i, j = np.unravel_index(np.argmin(gram), gram.shape)
        raise ValueError(
            f"kernel {name!r} is {gram[i, j]:.6g} between samples {i} and {j}; expected "
            "similarities that are not negative, as of a Gaussian kernel."
        )
    strength = gram.sum(axis=1, keepdims=True)
    if not strength.all():
        raise ValueError(
            f"kernel {name!r} is 0 between sample {np.argmin(strength)} and every sample; expected "
            "a similarity with one at least."
        )
    return _symmetric(gram / strength)


def _symmetric(network: Floats) -> Floats:
    return 0.5 * (network + network.T)


def _neighbours(network: Floats, n_neighbors: int) -> csr_array:
    """Return the largest similarities of each sample (n, n), as shares of their sum."""
    n = len(network)
    least = np.partition(network, n - n_neighbors, axis=1)[:, [n - n_neighbors]]
    near = np.where(network >= least, network, 0.0)
    return csr_array(near / near.sum(axis=1, keepdims=True))


def _diffused(near: csr_array, others: Floats) -> Floats:
    """Return ``S P S'`` for the neighbours S (n, n) of a network and what others say, P (n, n)."""
    diffused: Floats = near @ (near @ others).T  # P is symmetric
    return diffused
