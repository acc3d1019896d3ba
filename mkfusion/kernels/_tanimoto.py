"""The Tanimoto kernel of fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics.pairwise import linear_kernel, manhattan_distances

from mkfusion._types import FloatArray, Floats
from mkfusion.kernels._rows import FeatureKernel


class TanimotoKernel(FeatureKernel):
    """The Tanimoto kernel of bit or count fingerprints: what two samples share of what they have.

    Also known as the Jaccard index, the Ruzicka similarity, and for counts the MinMax kernel::

        k(x, z) = sum_i min(x_i, z_i) / sum_i max(x_i, z_i).

    For bits, numbers that are 0 or 1, this is the size of the intersection of two sets by the size
    of their union. It is RDKit's `TanimotoSimilarity`, of bit and of count vectors, but where both
    are empty. Features are not negative: bits, counts or other amounts. k(x, z) is 1 if and
    only if x = z, and 0 where nothing is shared. *Two samples of nothing but zeros* are equal, so
    k is 1 between them, as :func:`scipy.spatial.distance.jaccard` has a distance of 0; between one
    of them and any other sample it is 0.

    It is positive semi-definite [1]_ [2]_, also with this convention, by which samples of zeros are
    a block of their own.

    Notes
    -----
    For bits, x'z / (x'x + z'z - x'z) is the same; for counts it is another kernel, positive
    semi-definite too [3]_. The form here is that of sets in which items may occur several times: a
    count of 10 against 5 shares 5 of 10. Inner products make squares of counts, so that the most
    frequent substructures decide. Where they should, take
    ``make_pipeline(FunctionTransformer(numpy.sqrt), TanimotoKernel())`` or logarithms instead.

    Samples of bits are compared by inner products, which is much faster than what counts need, and
    gives the same numbers.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    ChiSquaredKernel : For histograms.
    OverlapKernel : For categories.

    References
    ----------
    .. [1] Ralaivola, Swamidass, Saigo and Baldi, "Graph kernels for chemical informatics", Neural
       Networks 18, 2005.
    .. [2] Bouchard, Jousselme and Dore, "A proof for the positive definiteness of the Jaccard index
       matrix", International Journal of Approximate Reasoning 54, 2013.
    .. [3] Tripp, Bacallado, Singh and Hernandez-Lobato, "Tanimoto random features for scalable
       molecular machine learning", NeurIPS 2023.

    Examples
    --------
    >>> from mkfusion import TanimotoKernel
    >>> fingerprints = [[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 0]]
    >>> TanimotoKernel().fit(fingerprints)(fingerprints).round(2)
    array([[1.  , 0.67, 0.  ],
           [0.67, 1.  , 0.  ],
           [0.  , 0.  , 1.  ]])
    >>> TanimotoKernel()([[10, 2], [5, 3]]).round(2)
    array([[1.  , 0.54],
           [0.54, 1.  ]])
    """

    _accept_sparse = True
    _accept_large_sparse = False  # nor does manhattan_distances
    _positive_only = True

    def _validate(self, X: Any, reset: bool) -> Any:
        samples = super()._validate(X, reset)
        if issparse(samples) and not samples.has_canonical_format:
            samples = samples.copy()
            samples.sum_duplicates()  # entries that are 1 may stand for a count
        return samples

    def _evaluate(self, samples: Any, others: Any = None) -> FloatArray:
        columns = samples if others is None else others
        sums = _sums(samples)[:, np.newaxis] + _sums(columns)
        # sum max(x, z) = sum x + sum z - sum min(x, z), and |x - z| = max(x, z) - min(x, z).
        if _are_bits(samples) and _are_bits(columns):
            shared = linear_kernel(samples, columns, dense_output=True).astype(np.float64)
        else:
            shared = 0.5 * (sums - manhattan_distances(samples, columns))
        # Rounding errors could make it negative where nothing is shared.
        shared = np.maximum(shared, 0.0)
        united = sums - shared
        values = np.divide(shared, united, out=np.ones_like(united), where=united > 0.0)
        return values.astype(samples.dtype, copy=False)

    def _diagonal(self, samples: Any) -> Floats:
        return np.ones(samples.shape[0])

    def _is_psd(self) -> bool:
        return True


def _sums(samples: Any) -> Floats:
    return np.asarray(samples.sum(axis=1, dtype=np.float64)).ravel()


def _are_bits(samples: Any) -> bool:
    values = samples.data if issparse(samples) else samples
    return bool(((values == 0) | (values == 1)).all())
