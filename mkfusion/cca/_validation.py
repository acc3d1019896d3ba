"""How large correlations are for new samples."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import validate_params
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import indexable

from mkfusion.cca._base import CanonicalAnalysis

__all__ = ["CrossValidatedCorrelations", "cross_validated_correlations"]

Floats = NDArray[np.float64]


class CrossValidatedCorrelations(NamedTuple):
    """Outcome of :func:`cross_validated_correlations`.

    Attributes
    ----------
    held_out : ndarray of shape (n_splits, n_components)
        Correlations of the samples that the weights were not fitted to.
    training : ndarray of shape (n_splits, n_components)
        Those of the samples that they were fitted to: how much too large these are can be seen.
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
    X, y, groups = indexable(X, y, groups)
    splits = list(check_cv(cv).split(X, y, groups))
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
        return _safe_indexing(X, rows), None if y is None else _safe_indexing(y, rows)

    estimator.fit(*part(train))
    return estimator.correlations(*part(test)), estimator.correlations(*part(train))
