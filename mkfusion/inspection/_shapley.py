"""A fair share of the score for each modality."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from mkfusion.inspection._answers import as_scorer, label_of
from mkfusion.inspection._checks import check_groups, check_level, check_target
from mkfusion.inspection._importance import ModalityImportance
from mkfusion.inspection._intervals import corrected_interval, splits_of
from mkfusion.inspection._refit import subset_scores, test_share
from mkfusion.inspection._samples import Parts

__all__ = ["MAX_MODALITIES", "ShapleyValues", "shapley_values"]

# Of which all subsets are fitted: 1024.
MAX_MODALITIES = 10


@dataclass(frozen=True, eq=False, repr=False)
class ShapleyValues(ModalityImportance):
    """Outcome of :func:`shapley_values`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    importances : ndarray of shape (n_modalities,)
        Shapley values, in units of the score.
    repeats : ndarray of shape (n_modalities, n_folds)
        Those of each fold.
    intervals : ndarray of shape (n_modalities, 2)
        Lower and upper end of the confidence intervals.
    score : float
        With all modalities.
    scoring : str
        Name of the score.
    method : str
        "shapley".
    confidence_level : float
        Of the intervals.
    subset_scores : dict of tuple of str to float
        Score of the model that is fitted to some of the modalities; ``()`` is what is known
        without any.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import shapley_values
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> outcome = shapley_values(
    ...     LinearRegression(), X, X[:, 0], modalities=[("a", [0]), ("b", [1])], random_state=0
    ... )
    >>> {names: round(score, 1) for names, score in outcome.subset_scores.items()}
    {(): -0.2, ('a',): 1.0, ('b',): -0.2, ('a', 'b'): 1.0}
    """

    subset_scores: dict[tuple[str, ...], float]


def shapley_values(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    modalities: list[tuple[str, Any]] | None = None,
    scoring: Any = None,
    cv: Any = 5,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> ShapleyValues:
    """Share the score among the modalities by what each adds to the others.

    The value of some of the modalities is the cross-validated score of the estimator that is
    fitted to them alone; of none, that of a dummy. A modality's Shapley value is what it adds,
    averaged over all orders in which they may come. The values sum to what all modalities together
    score above the dummy; modalities that say the same share it.

    Parameters
    ----------
    estimator : classifier or regressor
        Cloned, and fitted to every subset of the modalities in every fold.
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Target.
    modalities : list of (name, columns) pairs, default=None
        Which modalities there are, at most 10. `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. None is all of `Modalities`.
    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_val_score`; None is accuracy or R².
    cv : int, splitter or iterable of splits, default=5
        Folds, the same for all subsets. An int is shuffled, stratified for a classifier, and by
        whole groups where there are some.
    confidence_level : float, default=0.95
        Of the corrected resampled t intervals over folds.
    groups : array-like of shape (n_samples,), default=None
        Samples that stay together in folds.
    n_jobs : int, default=None
        Fits at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the folds.

    Returns
    -------
    ShapleyValues

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two modalities, or more than 10, or the estimator cannot be fitted
        to some of them.

    See Also
    --------
    modality_importance : What is lost without a modality, for as many fits as modalities.
    ModalityImportanceDisplay : Draws the outcome.

    Notes
    -----
    Refitting, rather than averaging a fitted model over the modalities that it is to lack, asks
    what the modalities can do; the model's own use of them is what permutation importance tells. It
    is exact and takes ``2**n_modalities`` fits for each fold. How modalities are left out is said
    in :func:`modality_importance`.

    References
    ----------
    Shapley, "A value for n-person games", in Contributions to the Theory of Games II (1953).

    Covert, Lundberg and Lee, "Understanding global feature contributions with additive importance
    measures", NeurIPS (2020).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import shapley_values
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> y = 2 * X[:, 0] + X[:, 1]
    >>> parts = [("a", [0]), ("b", [1]), ("c", [2])]
    >>> outcome = shapley_values(LinearRegression(), X, y, modalities=parts, random_state=0)
    >>> outcome.importances.round(1) + 0.0
    array([0.8, 0.2, 0. ])
    """
    check_level(confidence_level)
    parts = Parts(X, modalities)
    n = len(parts.names)
    if n > MAX_MODALITIES:
        raise ValueError(
            f"modalities are {n}; expected at most {MAX_MODALITIES}, of which all subsets can be "
            "fitted. modality_importance fits one model for each."
        )
    target = check_target(y, len(parts))
    codes = check_groups(groups, len(parts))
    scorer = as_scorer(estimator, scoring)
    splits = splits_of(estimator, cv, len(parts), target, codes, check_random_state(random_state))
    subsets = [frozenset(some) for size in range(n + 1) for some in combinations(range(n), size)]
    scores = subset_scores(estimator, parts, target, subsets, splits, scorer, n_jobs)
    values = shares(dict(zip(subsets, scores, strict=True)), n)
    low, high = corrected_interval(values, test_share(splits), confidence_level)
    return ShapleyValues(
        modality_names=parts.names,
        importances=values.mean(axis=1),
        repeats=values,
        intervals=np.stack([low, high], axis=1),
        score=float(scores[-1].mean()),
        scoring=label_of(estimator, scoring),
        method="shapley",
        confidence_level=confidence_level,
        subset_scores={
            tuple(parts.names[m] for m in sorted(subset)): float(some.mean())
            for subset, some in zip(subsets, scores, strict=True)
        },
    )


def shares(worth: dict[frozenset[int], NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """Return the Shapley values of n players.

    Parameters
    ----------
    worth : dict of frozenset of int to ndarray of shape (n_games,)
        Of every subset of the players, in every game.
    n : int

    Returns
    -------
    ndarray of shape (n, n_games)
    """
    values = np.zeros((n, len(worth[frozenset()])))
    for subset, value in worth.items():
        for m in subset:
            # The share of orders in which m comes right after the rest of the subset.
            share = 1.0 / (n * comb(n - 1, len(subset) - 1))
            values[m] += share * (value - worth[subset - {m}])
    return values
