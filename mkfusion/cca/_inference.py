"""Whether there is a correlation at all: permutations of whitened samples."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigvalsh, qr, svdvals
from sklearn.base import clone
from sklearn.utils import check_random_state, gen_even_slices
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import indexable

from mkfusion._compat import Interval, StrOptions, num_samples, safe_indexing, validate_params
from mkfusion._types import Floats
from mkfusion.cca._analysis import CanonicalAnalysis
from mkfusion.cca._solver import cross_products, offsets
from mkfusion.data import check_rows, read_groups, read_splits


class CrossValidatedCorrelations(NamedTuple):
    """Outcome of :func:`cross_validated_correlations`.

    Attributes
    ----------
    held_out : ndarray of shape (n_splits, n_components)
        Correlations of the samples that the weights were not fitted to.
    training : ndarray of shape (n_splits, n_components)
        Those of the samples that they were fitted to: how much too large these are can be seen.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from mkfusion import CCA, cross_validated_correlations
    >>> exercise, body = load_linnerud(return_X_y=True)
    >>> found = cross_validated_correlations(CCA(), exercise, body, cv=2)
    >>> found.held_out.shape
    (2, 2)
    >>> bool(found.held_out.mean() < found.training.mean())
    True
    """

    held_out: Floats
    training: Floats


@validate_params(
    {"estimator": [CanonicalAnalysis], "groups": ["array-like", None], "n_jobs": [Integral, None]},
    prefer_skip_nested_validation=True,
)
def cross_validated_correlations(
    estimator: CanonicalAnalysis,
    X: Any,
    y: Any = None,
    *,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> CrossValidatedCorrelations:
    """Return the correlations of held-out samples, for each component.

    Parameters
    ----------
    estimator : CCA, MultisetCCA or KernelCCA
        Not changed; clones are fitted.
    X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
        As in the estimator's `fit`.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        As in the estimator's `fit`.
    cv : int, splitter or iterable of splits, default=5
        As in :func:`sklearn.model_selection.cross_validate`; an int does not shuffle. Each held-out
        part needs enough samples for a correlation: a few parts, repeated, are better than many.
    groups : array-like of shape (n_samples,), default=None
        For splitters that keep groups together.
    n_jobs : int, default=None
        Splits to fit at the same time.

    Returns
    -------
    CrossValidatedCorrelations
        Named tuple of `held_out` and `training`. Correlations keep their sign: those of a component
        that does not hold are about 0, below as often as above.

    See Also
    --------
    canonical_permutation_test : Whether there is a correlation at all.

    Notes
    -----
    Components are compared by their place: where two have almost the same correlation, they may
    change places from split to split.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from mkfusion import CCA, cross_validated_correlations
    >>> X = load_diabetes().data[:60]
    >>> found = cross_validated_correlations(CCA(), X[:, :4], X[:, 4:], cv=3)
    >>> found.training.mean(axis=0).round(2)
    array([0.84, 0.55])
    >>> found.held_out.mean(axis=0).round(2)
    array([0.7 , 0.19])
    """
    X, y = indexable(X, y)
    n_samples = num_samples(X)
    check_rows(X, y=y, groups=groups)
    splits = read_splits(cv, n_samples, y, groups=read_groups(groups, n_samples))
    found = Parallel(n_jobs=n_jobs)(
        delayed(_one_split)(clone(estimator), X, y, train, test) for train, test in splits
    )
    held_out, training = (np.stack(part) for part in zip(*found, strict=True))
    return CrossValidatedCorrelations(held_out, training)


def _one_split(
    estimator: CanonicalAnalysis,
    X: Any,
    y: Any,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    def part(rows: NDArray[np.intp]) -> tuple[Any, Any]:
        return safe_indexing(X, rows), None if y is None else safe_indexing(y, rows)

    estimator.fit(*part(train))
    return estimator.correlations(*part(test)), estimator.correlations(*part(train))


# Statistics that differ by less, relatively, are alike: permutations of few samples repeat.
_ALIKE = 1e-10
# What is less than this of 1 - r^2 is rounding.
_LEAST = 1e-12


class PermutationTest(NamedTuple):
    """Outcome of :func:`canonical_permutation_test`.

    Attributes
    ----------
    p_values : ndarray of shape (n_components,)
        Corrected for the number of components (family-wise error), so they never decrease.
    statistics : ndarray of shape (n_components,)
        Of the samples as they are.
    null : ndarray of shape (n_permutations, n_components)
        Of permuted samples.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from mkfusion import CCA, canonical_permutation_test
    >>> exercise, body = load_linnerud(return_X_y=True)
    >>> test = canonical_permutation_test(CCA(), exercise, body, n_permutations=9, random_state=0)
    >>> test.null.shape
    (9, 2)
    """

    p_values: Floats
    statistics: Floats
    null: Floats


@validate_params(
    {
        "estimator": [CanonicalAnalysis],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "statistic": [StrOptions({"roy", "wilks"})],
        "groups": ["array-like", None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def canonical_permutation_test(
    estimator: CanonicalAnalysis,
    X: Any,
    y: Any = None,
    *,
    n_permutations: int = 1000,
    statistic: str = "roy",
    groups: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> PermutationTest:
    """Test whether canonical correlations are larger than those of unrelated modalities.

    The samples of all modalities but the first are permuted, which leaves each modality as it is
    and breaks what is between them.

    Parameters
    ----------
    estimator : CCA, MultisetCCA or KernelCCA
        Not changed; a clone is fitted.
    X : Modalities, or array-like or DataFrame of shape (n_samples, n_features)
        As in the estimator's `fit`.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        As in the estimator's `fit`.
    n_permutations : int, default=1000
        The smallest p-value is ``1 / (n_permutations + 1)``.
    statistic : {"roy", "wilks"}, default="roy"
        What is compared for component k, of all that the components before leave:

        - "roy": the largest canonical correlation (what is maximised, with regularisation), the
          most powerful where one strong component is left;
        - "wilks": minus the logarithm of Wilks' lambda, ``-sum log(1 - r^2)``, better where several
          weak ones are. Without regularisation only.
    groups : array-like of shape (n_samples,), default=None
        Samples are permuted within groups only: what is exchangeable under the null hypothesis,
        such as the recordings of one subject.
    random_state : int, RandomState instance or None, default=None
        Draws the permutations.
    n_jobs : int, default=None
        Threads. The outcome does not depend on it.

    Returns
    -------
    PermutationTest
        Named tuple of `p_values`, `statistics` and `null`.

    Raises
    ------
    ValueError
        If "wilks" is asked for with regularisation, or there is no group with two samples.

    See Also
    --------
    cross_validated_correlations : How large correlations are for new samples.

    Notes
    -----
    For component k the permuted samples are what is left after k - 1 components have been removed
    from each modality, not only from the pairs of scores but with all columns that found no
    partner, and the p-values are made monotone. Permuting the samples once and comparing the k-th
    largest correlations instead is not valid for k > 1, where the first component is real: these
    are the flaws that Winkler et al. describe.

    For three or more modalities the null hypothesis is that all of them are unrelated: a small
    p-value may be due to two of them. The statistic is the largest eigenvalue of the matrix of
    covariances between whitened modalities, or the likelihood ratio of independence ("wilks"), for
    "maxvar" and "sumcor" alike.

    References
    ----------
    Winkler, Renaud, Smith and Nichols, "Permutation inference for canonical correlation analysis",
    NeuroImage 220 (2020).

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from mkfusion import CCA, canonical_permutation_test
    >>> exercise, body = load_linnerud(return_X_y=True)
    >>> test = canonical_permutation_test(CCA(), exercise, body, random_state=0)
    >>> test.p_values.round(2)
    array([0.03, 0.95])
    """
    fitted = clone(estimator)
    blocks, directions = fitted._learn(X, y)
    if statistic == "wilks" and any(fitted._ridges(len(blocks))):
        raise ValueError(
            f'statistic is "wilks" and regularisation is {fitted.regularisation}; expected "roy", '
            "or regularisation=0: what is maximised are no correlations otherwise."
        )
    n = len(blocks[0])
    check_rows(X, groups=groups)
    labels = np.zeros(n, dtype=np.intp) if groups is None else _as_labels(groups, n)
    # Columns j and later are what the first j components leave.
    rotated = [H @ qr(D)[0] for H, D in zip(blocks, directions, strict=True)]
    k = directions[0].shape[1]
    observed = _statistics(rotated, k, statistic)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_permutations)
    batches = gen_even_slices(n_permutations, min(n_permutations, 4 * effective_n_jobs(n_jobs)))
    null = np.concatenate(
        Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_permuted)(rotated, k, statistic, labels, seeds[batch]) for batch in batches
        )
    )
    reached = null >= observed - _ALIKE * np.abs(observed)
    p_values = (1.0 + np.count_nonzero(reached, axis=0)) / (1.0 + n_permutations)
    return PermutationTest(np.maximum.accumulate(p_values), observed, null)


def _as_labels(groups: ArrayLike, n: int) -> NDArray[np.intp]:
    """Return the number of each sample's group."""
    labels = np.unique(np.asarray(read_groups(groups, n)), return_inverse=True)[1].astype(np.intp)
    if np.bincount(labels).max() < 2:
        raise ValueError(
            f"groups has {n} groups of one sample; expected groups within which to permute."
        )
    return labels


def _permuted(
    blocks: Sequence[Floats],
    k: int,
    statistic: str,
    labels: NDArray[np.intp],
    seeds: NDArray[np.intp],
) -> Floats:
    """Return the statistics (n_seeds, k) of permuted samples, one permutation for each seed."""
    by_group = np.argsort(labels, kind="stable")
    null = np.empty((len(seeds), k))
    for i, seed in enumerate(seeds):
        rng = np.random.RandomState(seed)
        shuffled = [blocks[0]]
        for block in blocks[1:]:
            # Sorted by group and at random within: which samples come to these places.
            drawn = np.lexsort((rng.uniform(size=len(labels)), labels))
            permuted = np.empty_like(block)
            permuted[by_group] = block[drawn]
            shuffled.append(permuted)
        null[i] = _statistics(shuffled, k, statistic)
    return null


def _statistics(blocks: Sequence[Floats], k: int, statistic: str) -> Floats:
    """Return the statistics (k,) of what is left after 0, ..., k - 1 components."""
    if len(blocks) == 2:
        T = blocks[0].T @ blocks[1]
        spectra = [svdvals(T[j:, j:], check_finite=False) for j in range(k)]
        if statistic == "roy":
            return np.array([values[0] for values in spectra])
        return np.array([-_sum_log(1.0 - values * values) for values in spectra])
    C = cross_products(blocks)
    parts = offsets([block.shape[1] for block in blocks])
    found = np.empty(k)
    for j in range(k):
        left = np.concatenate([np.arange(part.start + j, part.stop) for part in parts])
        first = len(left) - 1 if statistic == "roy" else 0
        values = eigvalsh(
            C[np.ix_(left, left)], subset_by_index=(first, len(left) - 1), check_finite=False
        )
        found[j] = values[-1] if statistic == "roy" else -_sum_log(1.0 + values)
    return found


def _sum_log(values: Floats) -> float:
    return float(np.log(np.maximum(values, _LEAST)).sum())
