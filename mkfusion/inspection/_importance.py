"""What the score loses without a modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion.inspection._answers import Answers, as_scorer, label_of
from mkfusion.inspection._checks import check_count, check_groups, check_level, check_target
from mkfusion.inspection._frames import as_frame
from mkfusion.inspection._intervals import (
    bootstrap_rows,
    bootstrap_scores,
    corrected_interval,
    percentiles,
    splits_of,
)
from mkfusion.inspection._refit import subset_scores, test_share
from mkfusion.inspection._samples import Parts

__all__ = ["ModalityImportance", "Permutations", "modality_importance", "permute_modalities"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False, repr=False)
class ModalityImportance:
    """Outcome of :func:`modality_importance`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    importances : ndarray of shape (n_modalities,)
        Mean importance of each modality, in units of the score.
    repeats : ndarray of shape (n_modalities, n_repeats)
        Of each permutation or fold.
    intervals : ndarray of shape (n_modalities, 2)
        Lower and upper end of the confidence intervals.
    score : float
        With all modalities.
    scoring : str
        Name of the score.
    method : str
        "permutation", "ablation" or "shapley".
    confidence_level : float
        Of the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import modality_importance
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> model = LinearRegression().fit(X, X[:, 0])
    >>> outcome = modality_importance(
    ...     model, X, X[:, 0], modalities=[("a", [0]), ("b", [1])], random_state=0
    ... )
    >>> outcome.to_frame().index.tolist()
    ['a', 'b']
    """

    modality_names: list[str]
    importances: Floats
    repeats: Floats
    intervals: Floats
    score: float
    scoring: str
    method: str
    confidence_level: float

    def __str__(self) -> str:
        rows = zip(self.modality_names, self.importances, self.intervals, strict=True)
        lines = [f"{name}: {value:.3f} [{a:.3f}, {b:.3f}]" for name, value, (a, b) in rows]
        return "\n".join([f"{self.method} importance in {self.scoring}", *lines])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def to_frame(self) -> Any:
        """Return the importances as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_modalities, 3)
            With columns importance, low and high.
        """
        low, high = self.intervals.T
        return as_frame(
            {"importance": self.importances, "low": low, "high": high},
            self.modality_names,
            "modality",
        )


def modality_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    method: str = "permutation",
    modalities: list[tuple[str, Any]] | None = None,
    scoring: Any = None,
    n_repeats: int = 10,
    cv: Any = 5,
    n_bootstraps: int = 500,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> ModalityImportance:
    """Measure what the score loses without each modality.

    Parameters
    ----------
    estimator : classifier or regressor
        Fitted for "permutation"; cloned and fitted for "ablation".
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Held-out samples for "permutation", or it tells what the model has learned by heart; all
        samples for "ablation".
    y : array-like of shape (n_samples,)
        Target.
    method : {"permutation", "ablation"}, default="permutation"
        - "permutation": what this model loses when a modality comes from other samples, as a whole:
          what is between its own columns stays as it is. Another modality that says the same
          does not help the model, which was fitted to both;
        - "ablation": what a model loses that is fitted without the modality, in
          cross-validation. Two modalities that say the same are both dispensable.
    modalities : list of (name, columns) pairs, default=None
        Which modalities there are. `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. None is all of `Modalities`.
    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_val_score`; None is accuracy or R². For
        "permutation" it sees what is predicted only, not the samples.
    n_repeats : int, default=10
        Permutations of each modality.
    cv : int, splitter or iterable of splits, default=5
        Folds for "ablation", the same with and without a modality. An int is shuffled, stratified
        for a classifier, and by whole groups where there are some.
    n_bootstraps : int, default=500
        Draws of the samples for the intervals of "permutation".
    confidence_level : float, default=0.95
    groups : array-like of shape (n_samples,), default=None
        Samples that belong together, such as those of one subject. They stay together in folds
        and bootstraps; samples are permuted within their group only, so that what tells subjects
        apart, rather than their samples, does not count.
    n_jobs : int, default=None
        Permutations, or fits, at the same time. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws permutations, bootstraps and folds.

    Returns
    -------
    ModalityImportance

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two modalities, or the estimator cannot be fitted without one of
        them.

    See Also
    --------
    shapley_values : Importances that sum to the score.
    ModalityImportanceDisplay : Draws the outcome.

    Notes
    -----
    For "permutation", each bootstrap draw is one of samples and of permutations, over which the
    loss is averaged, so that the interval covers the randomness of both; it does not cover that of
    the training samples. Any other score than accuracy or R² is reckoned anew for most pairs of
    draw and permutation, which takes its time. For "ablation" it is the corrected resampled t
    interval over folds, which covers all of these (Nadeau and Bengio, 2003).

    "ablation" leaves a modality's entries out of kernelizers, column transformers and fusion
    estimators that see the samples themselves, and out of X. An estimator with other ways to name
    modalities will refuse the samples that lack one.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45 (2001): permutation.

    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import modality_importance
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = X[:, 0] + X[:, 1]
    >>> model = LinearRegression().fit(X, y)
    >>> parts = [("posture", [0, 1]), ("weather", [2])]
    >>> outcome = modality_importance(model, X, y, modalities=parts, random_state=0)
    >>> outcome.importances.round(1) + 0.0
    array([2., 0.])
    """
    if method not in ("permutation", "ablation"):
        raise ValueError(f'method is {method!r}; expected "permutation" or "ablation".')
    check_count("n_repeats", n_repeats, 1)
    check_count("n_bootstraps", n_bootstraps, 0)
    check_level(confidence_level)
    parts = Parts(X, modalities)
    target = check_target(y, len(parts))
    codes = check_groups(groups, len(parts))
    scorer = as_scorer(estimator, scoring)
    rng = check_random_state(random_state)
    n_modalities = len(parts.names)
    if method == "ablation":
        splits = splits_of(estimator, cv, len(parts), target, codes, rng)
        subsets = [frozenset(range(n_modalities))]
        subsets += [subsets[0] - {m} for m in range(n_modalities)]
        scores = subset_scores(estimator, parts, target, subsets, splits, scorer, n_jobs)
        whole = scores[0].mean()
        repeats = scores[0] - scores[1:]
        low, high = corrected_interval(repeats, test_share(splits), confidence_level)
    else:
        found = permute_modalities(
            estimator, parts, target, scoring, codes, n_repeats, n_bootstraps, n_jobs, rng
        )
        whole, repeats = found.score, found.repeats
        low, high = percentiles(found.draws, confidence_level)
    return ModalityImportance(
        modality_names=parts.names,
        importances=repeats.mean(axis=1),
        repeats=repeats,
        intervals=np.stack([low, high], axis=1),
        score=float(whole),
        scoring=label_of(estimator, scoring),
        method=method,
        confidence_level=confidence_level,
    )


class Permutations(NamedTuple):
    """What permuting modalities does to a fitted model.

    Attributes
    ----------
    plain : Answers
        Of the samples as they are.
    permuted : list of n_modalities lists of n_repeats Answers
        With a modality from other samples.
    score : float
        Of the samples as they are.
    repeats : ndarray of shape (n_modalities, n_repeats)
        What the score loses.
    draws : ndarray of shape (n_modalities, n_bootstraps)
        What it loses on draws of the samples.
    """

    plain: Answers
    permuted: list[list[Answers]]
    score: float
    repeats: Floats
    draws: Floats


def permute_modalities(
    estimator: Any,
    parts: Parts,
    y: NDArray[Any],
    scoring: Any,
    groups: Rows | None,
    n_repeats: int,
    n_bootstraps: int,
    n_jobs: int | None,
    rng: Any,
) -> Permutations:
    """Permute each modality as a whole, and score what a fitted model makes of it.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    parts : Parts
    y : ndarray of shape (n_samples,)
    scoring : str, callable or None
    groups : ndarray of shape (n_samples,) or None
        Within which samples are permuted, and which are drawn as a whole.
    n_repeats, n_bootstraps : int
    n_jobs : int or None
    rng : RandomState

    Returns
    -------
    Permutations
    """
    check_is_fitted(estimator)
    if groups is not None and len(np.unique(groups)) == len(groups):
        raise ValueError(
            f"groups has {len(groups)} groups of one sample; expected larger ones, within which "
            "modalities are permuted, or None."
        )
    scorer = as_scorer(estimator, scoring)
    everything = np.arange(len(parts))
    plain = Answers(estimator, parts.X)
    score = float(scorer(plain, everything, y))
    n_modalities = len(parts.names)
    orders = [
        [_permutation(rng, len(parts), groups) for _ in range(n_repeats)]
        for _ in range(n_modalities)
    ]

    def lose(m: int, order: Rows) -> tuple[Answers, float]:
        rows = [order if k == m else everything for k in range(n_modalities)]
        answers = Answers(estimator, parts.mix(rows, everything))
        loss = score - float(scorer(answers, everything, y))
        answers.predict(everything)  # whatever the score looks at
        answers.forget()  # the samples, of which there are many copies
        return answers, loss

    pairs = list(
        Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(lose)(m, order) for m, some in enumerate(orders) for order in some
        )
    )
    permuted = [
        [answers for answers, _ in pairs[m * n_repeats : (m + 1) * n_repeats]]
        for m in range(n_modalities)
    ]
    drawn = list(bootstrap_rows(len(parts), n_bootstraps, groups, rng))
    base = bootstrap_scores(estimator, scoring, scorer, plain, y, drawn)
    draws = np.zeros((n_modalities, n_bootstraps))
    # Permutations are drawn as well: the mean over them is what has an interval.
    picked = rng.multinomial(n_repeats, np.full(n_repeats, 1.0 / n_repeats), size=n_bootstraps)
    for m, some in enumerate(permuted):
        for r, answers in enumerate(some):
            here = np.flatnonzero(picked[:, r])
            rows = [drawn[b] for b in here]
            lost = base[here] - bootstrap_scores(estimator, scoring, scorer, answers, y, rows)
            draws[m, here] += picked[here, r] / n_repeats * lost
    repeats = np.reshape([loss for _, loss in pairs], (n_modalities, n_repeats))
    return Permutations(plain, permuted, score, repeats, draws)


def _permutation(rng: Any, n: int, groups: Rows | None) -> Rows:
    """Return an order of samples that keeps them within their groups."""
    order = rng.permutation(n)
    if groups is None:
        return np.asarray(order)
    shuffled = np.empty_like(order)
    # Both sorts put groups one after another: within them, rows in order and at random.
    shuffled[np.argsort(groups, kind="stable")] = order[np.argsort(groups[order], kind="stable")]
    return shuffled
