"""What modalities are worth: permutation and ablation importance, and Shapley values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import safe_indexing
from mkfusion._drawing import axes_of
from mkfusion._repeated import Once, heard
from mkfusion._types import Floats, Indices
from mkfusion.data import Modalities, read_target, resolve_columns
from mkfusion.inspection._arguments import (
    check_count,
    check_jobs,
    check_level,
    check_scores,
    group_codes,
    splits_of,
)
from mkfusion.inspection._display import as_frame, check_outcome, draw_intervals
from mkfusion.inspection._intervals import (
    bootstrap_rows,
    bootstrap_scores,
    corrected_interval,
    difference_bounds,
    percentiles,
)
from mkfusion.inspection._responses import CachedResponses, Score, as_scorer, label_of
from mkfusion.inspection._samples import ModalitySamples
from mkfusion.kernels import ColumnKernelizer

# Parameters that hold tuples which end in columns, and how long these tuples are.
_ENTRIES = {"kernels": (3,), "transformers": (3,), "estimators": (3,), "modalities": (2, 3)}


def without_modalities(
    estimator: Any, parts: ModalitySamples, gone: Collection[int]
) -> tuple[Any, Any]:
    """Return a clone of an estimator, and samples, that lack some of the modalities.

    Entries that ask for the columns of these modalities are left out of kernelizers, column
    transformers and fusion estimators, wherever they see the samples themselves: as the first step
    of pipelines and within searches. Where there are no entries, the columns are left out of X.

    Parameters
    ----------
    estimator : estimator
    parts : ModalitySamples
    gone : collection of int
        Which modalities to leave out.

    Returns
    -------
    estimator : estimator
        Not fitted.
    X : samples
    """
    model = clone(estimator)
    if not gone:
        return model, parts.X
    places = {place for m in gone for place in parts.places[m]}
    chooses = _drop_entries(model, parts.X, places)
    X = parts.X
    if isinstance(X, Modalities):
        return model, Modalities({name: X[name] for name in X.names if name not in places})
    if chooses:  # positions must stay as they are
        return model, X
    return model, safe_indexing(X, [j for j in range(X.shape[1]) if j not in places], axis=1)


def _drop_entries(model: Any, X: Any, places: Collection[Any]) -> bool:
    """Drop entries, in place; return whether there are entries at all."""
    if isinstance(model, Pipeline):
        return _drop_entries(model.steps[0][1], X, places)
    if not hasattr(model, "get_params"):
        return False
    params = model.get_params(deep=False)
    found = False
    for name, lengths in _ENTRIES.items():
        entries = params.get(name)
        if not isinstance(entries, list) or not all(
            isinstance(entry, tuple) and len(entry) in lengths for entry in entries
        ):
            continue
        if name == "kernels" and not isinstance(model, ColumnKernelizer):
            continue
        kept = [reduced for entry in entries if (reduced := _reduced_entry(entry, X, places))]
        model.set_params(**{name: kept})
        found = True
    if found:
        return True
    if "estimators" in params and isinstance(params["estimators"], list):  # as in voting
        return bool(sum(_drop_entries(entry[1], X, places) for entry in params["estimators"]))
    return "estimator" in params and _drop_entries(params["estimator"], X, places)


def _reduced_entry(
    entry: tuple[Any, ...], X: Any, places: Collection[Any]
) -> tuple[Any, ...] | None:
    """Return an entry without some of its columns, None if none is left."""
    found = resolve_columns(X, entry[-1], str(entry[0]))
    if isinstance(found, str):
        return None if found in places else entry
    positions = [found.positions] if isinstance(found.positions, int) else found.positions
    kept = [j for j in positions if j not in places]
    if len(kept) == len(positions):
        return entry
    if not kept:
        return None
    chosen = [X.columns[j] for j in kept] if found.by_name else kept
    return (*entry[:-1], chosen)


def ratio_of_test_to_train(splits: Sequence[tuple[Indices, Indices]]) -> float:
    """Return the mean number of test samples over that of training samples."""
    return float(np.mean([len(test) / len(train) for train, test in splits]))


def subset_scores(
    estimator: Any,
    parts: ModalitySamples,
    y: NDArray[Any],
    subsets: Sequence[frozenset[int]],
    splits: Sequence[tuple[Indices, Indices]],
    scorer: Score,
    n_jobs: int | None,
) -> Floats:
    """Score an estimator that is fitted to some of the modalities.

    Parameters
    ----------
    estimator : classifier or regressor
        Not changed.
    parts : ModalitySamples
    y : ndarray of shape (n_samples,)
    subsets : sequence of frozenset of int
        Modalities to fit to; of none, a dummy knows the frequencies of the classes, or the mean.
    splits : sequence of (train, test) pairs of ndarray
    scorer : callable
    n_jobs : int or None

    Returns
    -------
    ndarray of shape (n_subsets, n_splits)

    Raises
    ------
    ValueError
        If an estimator cannot be fitted; the message says to which modalities.
    """
    tasks = []
    for subset in subsets:
        names = [parts.names[m] for m in sorted(subset)]
        if subset:
            try:
                model, X = without_modalities(
                    estimator, parts, set(range(len(parts.names))) - subset
                )
            except (TypeError, ValueError) as error:
                raise ValueError(_cannot_fit(names, error)) from error
        else:
            model = DummyClassifier() if is_classifier(estimator) else DummyRegressor()
            X = np.zeros((len(parts), 1))
        tasks += [(model, X, names, train, test) for train, test in splits]
    found = Parallel(n_jobs=n_jobs)(
        delayed(heard)(_fit_and_score, model, X, y, names, train, test, scorer)
        for model, X, names, train, test in tasks
    )
    return np.reshape(list(Once().outcomes(found)), (len(subsets), len(splits)))


def _fit_and_score(
    model: Any,
    X: Any,
    y: NDArray[Any],
    names: list[str],
    train: Indices,
    test: Indices,
    scorer: Score,
) -> float:
    fitted = clone(model)
    try:
        fitted.fit(safe_indexing(X, train), y[train])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(_cannot_fit(names, error)) from error
    return float(scorer(fitted, safe_indexing(X, test), y[test]))


def _cannot_fit(names: list[str], error: Exception) -> str:
    return (
        f"estimator cannot be fitted to the modalities {names} alone: {error} Expected one that "
        "names its modalities in a ColumnKernelizer, a ColumnTransformer or a fusion estimator, or "
        "takes what X has."
    )


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

        Raises
        ------
        ImportError
            If pandas is not installed.
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
    check_jobs(n_jobs)
    parts = ModalitySamples(X, modalities)
    target = read_target(parts.X, y)
    codes = group_codes(groups, parts.X)
    scorer = as_scorer(estimator, scoring)
    rng = check_random_state(random_state)
    n_modalities = len(parts.names)
    if method == "ablation":
        splits = splits_of(estimator, cv, len(parts), target, codes, rng)
        subsets = [frozenset(range(n_modalities))]
        subsets += [subsets[0] - {m} for m in range(n_modalities)]
        scores = subset_scores(estimator, parts, target, subsets, splits, scorer, n_jobs)
        check_scores(scores, label_of(estimator, scoring))
        whole = scores[0].mean()
        repeats = scores[0] - scores[1:]
        low, high = corrected_interval(
            repeats,
            ratio_of_test_to_train(splits),
            confidence_level,
            difference_bounds(label_of(estimator, scoring)),
        )
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
    plain : CachedResponses
        Of the samples as they are.
    permuted : list of n_modalities lists of n_repeats CachedResponses
        With a modality from other samples.
    score : float
        Of the samples as they are.
    repeats : ndarray of shape (n_modalities, n_repeats)
        What the score loses.
    draws : ndarray of shape (n_modalities, n_bootstraps)
        What it loses on draws of the samples.
    """

    plain: CachedResponses
    permuted: list[list[CachedResponses]]
    score: float
    repeats: Floats
    draws: Floats


def permute_modalities(
    estimator: Any,
    parts: ModalitySamples,
    y: NDArray[Any],
    scoring: Any,
    groups: Indices | None,
    n_repeats: int,
    n_bootstraps: int,
    n_jobs: int | None,
    rng: Any,
) -> Permutations:
    """Permute each modality as a whole, and score what a fitted model makes of it.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    parts : ModalitySamples
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
    scorer = as_scorer(estimator, scoring)
    check_is_fitted(estimator)
    if groups is not None and len(np.unique(groups)) == len(groups):
        raise ValueError(
            f"groups has {len(groups)} groups of one sample; expected larger ones, within which "
            "modalities are permuted, or None."
        )
    everything = np.arange(len(parts))
    plain = CachedResponses(estimator, parts.X)
    score = float(scorer(plain, everything, y))
    n_modalities = len(parts.names)
    orders = [
        [_permutation(rng, len(parts), groups) for _ in range(n_repeats)]
        for _ in range(n_modalities)
    ]

    def permute(m: int, order: Indices) -> tuple[CachedResponses, float]:
        rows = [order if k == m else everything for k in range(n_modalities)]
        responses = CachedResponses(estimator, parts.recombine(rows, everything))
        loss = score - float(scorer(responses, everything, y))
        responses.predict(everything)  # whatever the score looks at
        responses.forget_samples()  # the samples, of which there are many copies
        return responses, loss

    pairs = list(
        Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(permute)(m, order) for m, some in enumerate(orders) for order in some
        )
    )
    permuted = [
        [responses for responses, _ in pairs[m * n_repeats : (m + 1) * n_repeats]]
        for m in range(n_modalities)
    ]
    drawn = list(bootstrap_rows(len(parts), n_bootstraps, groups, rng))
    base = bootstrap_scores(estimator, scoring, scorer, plain, y, drawn)
    draws = np.zeros((n_modalities, n_bootstraps))
    # Permutations are drawn as well: the mean over them is what has an interval.
    picked = rng.multinomial(n_repeats, np.full(n_repeats, 1.0 / n_repeats), size=n_bootstraps)
    for m, some in enumerate(permuted):
        for r, responses in enumerate(some):
            here = np.flatnonzero(picked[:, r])
            rows = [drawn[b] for b in here]
            lost = base[here] - bootstrap_scores(estimator, scoring, scorer, responses, y, rows)
            draws[m, here] += picked[here, r] / n_repeats * lost
    repeats = np.reshape([loss for _, loss in pairs], (n_modalities, n_repeats))
    return Permutations(plain, permuted, score, repeats, draws)


def _permutation(rng: Any, n: int, groups: Indices | None) -> Indices:
    """Return an order of samples that keeps them within their groups."""
    order = rng.permutation(n)
    if groups is None:
        return np.asarray(order)
    shuffled = np.empty_like(order)
    # Both sorts put groups one after another: within them, rows in order and at random.
    shuffled[np.argsort(groups, kind="stable")] = order[np.argsort(groups[order], kind="stable")]
    return shuffled


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
    check_jobs(n_jobs)
    parts = ModalitySamples(X, modalities)
    n = len(parts.names)
    if n > MAX_MODALITIES:
        raise ValueError(
            f"modalities are {n}; expected at most {MAX_MODALITIES}, of which all subsets can be "
            "fitted. modality_importance fits one model for each."
        )
    target = read_target(parts.X, y)
    codes = group_codes(groups, parts.X)
    scorer = as_scorer(estimator, scoring)
    splits = splits_of(estimator, cv, len(parts), target, codes, check_random_state(random_state))
    subsets = [frozenset(some) for size in range(n + 1) for some in combinations(range(n), size)]
    scores = subset_scores(estimator, parts, target, subsets, splits, scorer, n_jobs)
    check_scores(scores, label_of(estimator, scoring))
    values = shapley_shares(dict(zip(subsets, scores, strict=True)), n)
    low, high = corrected_interval(
        values,
        ratio_of_test_to_train(splits),
        confidence_level,
        difference_bounds(label_of(estimator, scoring)),
    )
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


def shapley_shares(worth: dict[frozenset[int], NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """Return the Shapley values of n players: the share of each in the worth of all.

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


_LABELS = {
    "permutation": "loss of {} when permuted",
    "ablation": "loss of {} when left out",
    "shapley": "Shapley value in {}",
}


class ModalityImportanceDisplay:
    """Importance of modalities, with intervals.

    Parameters
    ----------
    importance : ModalityImportance
        Outcome of :func:`modality_importance` or :func:`shapley_values`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    modality_importance : The numbers.
    shapley_values : Others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import ModalityImportanceDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> y = X[:, 0] + X[:, 1]
    >>> display = ModalityImportanceDisplay.from_estimator(
    ...     LinearRegression().fit(X, y), X, y, modalities=[("a", [0, 1]), ("b", [2])]
    ... )
    >>> display.ax_.get_xlabel()
    'loss of R² when permuted'
    """

    def __init__(self, importance: ModalityImportance) -> None:
        check_outcome("importance", importance, ModalityImportance, "modality_importance")
        self.importance = importance

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        method: str = "permutation",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Measure the importance of modalities, and draw it.

        Parameters
        ----------
        estimator : classifier or regressor
            Fitted for "permutation".
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Target.
        method : {"permutation", "ablation", "shapley"}, default="permutation"
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`modality_importance` or :func:`shapley_values`.

        Returns
        -------
        ModalityImportanceDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`modality_importance`.
        ImportError
            If matplotlib is not installed.
        """
        if method == "shapley":
            return cls(shapley_values(estimator, X, y, **options)).plot(ax=ax)
        return cls(modality_importance(estimator, X, y, method=method, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the importances.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        ModalityImportanceDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        found = self.importance
        ax = axes_of(ax, "ModalityImportanceDisplay", 1.2 + 0.4 * len(found.modality_names))
        label = _LABELS[found.method].format(found.scoring)
        draw_intervals(ax, found.modality_names, found.importances, found.intervals, label)
        ax.set_title(f"{found.scoring} of all modalities: {found.score:.3f}", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
