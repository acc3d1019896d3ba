"""Which features of a modality a model goes by: on samples that it did not see, fold by fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._compat import safe_indexing
from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._repeated import Once, heard
from mkfusion._types import Floats, Indices
from mkfusion.data import Modalities, read_samples, read_target
from mkfusion.inspection._arguments import (
    check_count,
    check_jobs,
    check_level,
    check_scores,
    count_samples,
    group_codes,
    splits_of,
)
from mkfusion.inspection._display import as_frame, check_outcome, draw_intervals
from mkfusion.inspection._feature_groups import (
    Groups,
    ModalityTable,
    group_columns,
    shuffled,
    unit_columns,
)
from mkfusion.inspection._importance import ratio_of_test_to_train
from mkfusion.inspection._intervals import corrected_interval, difference_bounds
from mkfusion.inspection._responses import RESPONSES, answers_of, as_scorer, label_of

# Columns that are shuffled one by one; of more, those that are alike together.
MAX_GROUPS = 30
# Places that count as the top of a ranking.
_TOP = 5


@dataclass(frozen=True, eq=False, repr=False)
class FeatureImportance:
    """Outcome of :func:`feature_importance`.

    Parameters
    ----------
    modality : str
        Of which the features are.
    feature_names : list of n_features str
    members : list of n_groups lists of int
        Which features are shuffled together, those most like what the group has in common first.
        One each, where there are few.
    coherences : ndarray of shape (n_groups,)
        How alike the members are: their mean squared correlation with what they have in common.
    importances : ndarray of shape (n_groups,)
        Mean loss of the score over folds.
    intervals : ndarray of shape (n_groups, 2)
        Lower and upper end of the confidence intervals.
    repeats : ndarray of shape (n_groups, n_folds)
        Loss in each fold.
    top_frequencies : ndarray of shape (n_groups,)
        Share of the folds in which the group is one of the five that most is lost without.
    patterns : ndarray of shape (n_outputs, n_features)
        Mean correlation of each feature with the model's held-out response, over the folds whose
        training samples have the class; NaN for what is no number.
    pattern_deviations : ndarray of shape (n_outputs, n_features)
        Standard deviation of these over folds; NaN of one fold.
    outputs : list of n_outputs str
        What the responses are towards: one of two classes, each of several, or "prediction".
    score : float
        With nothing shuffled.
    scoring : str
        Name of the score.
    confidence_level : float
        Of the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import feature_importance
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> outcome = feature_importance(
    ...     LinearRegression(), X, X[:, 1], modality="all", modalities=[("all", [0, 1, 2])]
    ... )
    >>> outcome.ranking()[0], outcome.group_names[outcome.ranking()[0]]
    (1, 'column 1')
    """

    modality: str
    feature_names: list[str]
    members: list[list[int]]
    coherences: Floats
    importances: Floats
    intervals: Floats
    repeats: Floats
    top_frequencies: Floats
    patterns: Floats
    pattern_deviations: Floats
    outputs: list[str]
    score: float
    scoring: str
    confidence_level: float

    @property
    def group_names(self) -> list[str]:
        """What to call the groups: by the feature that is most like all of it."""
        return [
            self.feature_names[own[0]] + ("" if len(own) == 1 else f" and {len(own) - 1} beside it")
            for own in self.members
        ]

    @property
    def grouped(self) -> bool:
        """Whether features were shuffled in groups."""
        return any(len(own) > 1 for own in self.members)

    def ranking(self) -> list[int]:
        """Return the groups, that without which most is lost first.

        Returns
        -------
        list of n_groups int
        """
        return np.argsort(-self.importances, kind="stable").tolist()

    def strongest(self, count: int) -> list[tuple[int, int]]:
        """Return the features that go with the response most.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        list of (feature, output) pairs of int
            Each feature once, with the output that it goes with most; the strongest first.
        """
        size = np.abs(np.nan_to_num(self.patterns))
        outputs, sizes = size.argmax(axis=0), size.max(axis=0)
        order = np.argsort(-sizes, kind="stable")[:count]
        return [(int(j), int(outputs[j])) for j in order if sizes[j] > 0]

    def __str__(self) -> str:
        lines = [
            f"{self.group_names[g]}: {self.importances[g]:.3f} "
            f"[{self.intervals[g, 0]:.3f}, {self.intervals[g, 1]:.3f}], among the first {_TOP} in "
            f"{self.top_frequencies[g]:.0%} of folds"
            for g in self.ranking()[:_TOP]
        ]
        return "\n".join([f"{self.modality}: loss of {self.scoring} when shuffled", *lines])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def to_frame(self) -> Any:
        """Return all features as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_features, ...)
            With columns group (a number), importance, low, high, top_frequency and coherence of the
            feature's group, and for each output the pattern and its standard deviation.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        group = np.empty(len(self.feature_names), dtype=np.intp)
        for g, own in enumerate(self.members):
            group[own] = g
        columns = {
            "group": group,
            "importance": self.importances[group],
            "low": self.intervals[group, 0],
            "high": self.intervals[group, 1],
            "top_frequency": self.top_frequencies[group],
            "coherence": self.coherences[group],
        }
        for k, output in enumerate(self.outputs):
            columns[f"pattern {output}"] = self.patterns[k]
            columns[f"deviation {output}"] = self.pattern_deviations[k]
        return as_frame(columns, self.feature_names, "feature")


class FoldFeatures(NamedTuple):
    """What one fold tells about features.

    Attributes
    ----------
    score : float
        On the samples that were held out.
    losses : ndarray of shape (n_groups,)
        What it loses when features are shuffled.
    patterns : ndarray of shape (n_outputs, n_features)
        Correlations of features with the response.
    """

    score: float
    losses: Floats
    patterns: Floats


def fold_features(
    table: ModalityTable,
    rows: Indices,
    members: Sequence[list[int]],
    score: Callable[[Any], float],
    responses: Floats,
    n_repeats: int,
    rng: Any,
) -> FoldFeatures:
    """Shuffle features among the samples that a model did not see.

    Parameters
    ----------
    table : ModalityTable
        All samples.
    rows : ndarray of shape (n_rows,)
        Which of them were held out.
    members : sequence of n_groups lists of int
    score : callable
        From held-out samples of the modality to what the model scores with them.
    responses : ndarray of shape (n_rows, n_outputs)
        Of the model to these as they are; NaN for a class that it does not know.
    n_repeats : int
    rng : RandomState

    Returns
    -------
    FoldFeatures
    """
    samples, known = table.rows(rows), table.known()[rows]
    plain = score(samples)
    losses = [
        plain
        - float(np.mean([score(shuffled(samples, known, own, rng)) for _ in range(n_repeats)]))
        for own in members
    ]
    numbers = table.numbers()[rows]
    patterns = unit_columns(responses).T @ unit_columns(numbers)
    patterns[:, ~np.isfinite(numbers).any(axis=0)] = np.nan
    patterns[~np.isfinite(responses).any(axis=0)] = np.nan
    return FoldFeatures(plain, np.array(losses), patterns)


def conclude_features(
    table: ModalityTable,
    modality: str,
    groups: Groups,
    found: Sequence[FoldFeatures],
    outputs: list[str],
    scoring: str,
    test_to_train: float,
    confidence_level: float,
) -> FeatureImportance:
    """Bring the folds together.

    Parameters
    ----------
    table : ModalityTable
    modality : str
    groups : Groups
    found : sequence of n_folds FoldFeatures
    outputs : list of n_outputs str
    scoring : str
    test_to_train : float
        Held-out samples for each training sample.
    confidence_level : float

    Returns
    -------
    FeatureImportance
    """
    repeats = check_scores(np.stack([one.losses for one in found], axis=1), scoring)
    low, high = corrected_interval(
        repeats, test_to_train, confidence_level, difference_bounds(scoring)
    )
    places = np.argsort(np.argsort(-repeats, axis=0, kind="stable"), axis=0)
    patterns = np.stack([one.patterns for one in found])
    return FeatureImportance(
        modality=modality,
        feature_names=table.names,
        members=groups.members,
        coherences=groups.coherences,
        importances=repeats.mean(axis=1),
        intervals=np.stack([low, high], axis=1),
        repeats=repeats,
        # What nothing is lost without is at no top, wherever ties put it.
        top_frequencies=((places < _TOP) & (repeats > 0)).mean(axis=1),
        patterns=_mean_of_known(patterns),
        pattern_deviations=_deviation_of_known(patterns),
        outputs=outputs,
        score=float(np.mean([one.score for one in found])),
        scoring=scoring,
        confidence_level=confidence_level,
    )


def _mean_of_known(patterns: Floats) -> Floats:
    """Return the mean over folds, without those in which it is unknown; NaN where it is in all."""
    count = np.isfinite(patterns).sum(axis=0)
    return np.divide(
        np.nansum(patterns, axis=0), count, out=np.full(count.shape, np.nan), where=count > 0
    )


def _deviation_of_known(patterns: Floats) -> Floats:
    """Return the standard deviation over folds in which it is known; NaN of fewer than two."""
    count = np.isfinite(patterns).sum(axis=0)
    squares = np.nansum((patterns - _mean_of_known(patterns)) ** 2, axis=0)
    return np.sqrt(np.divide(squares, count - 1, out=np.full(count.shape, np.nan), where=count > 1))


def outputs_of(classes: NDArray[Any] | None) -> list[str]:
    """Return what responses are towards: the second of two classes, each of several, or numbers."""
    if classes is None:
        return ["prediction"]
    return [str(one) for one in (classes[1:] if len(classes) == 2 else classes).tolist()]


def responses_of(model: Any, X: Any, classes: NDArray[Any] | None) -> Floats:
    """Return a fitted model's responses, one column for each of `outputs_of`.

    Parameters
    ----------
    model : fitted classifier or regressor
    X : samples
    classes : ndarray of shape (n_classes,) or None
        All that there are, sorted; None of a regressor.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs)
        Decision values or probabilities; of a classifier without any, which class it says. NaN for
        classes that its training samples lacked.
    """
    if classes is None:
        return np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1)
    known = _class_responses(model, X)
    responses = np.full((len(known), len(classes)), np.nan)
    responses[:, np.searchsorted(classes, model.classes_)] = known
    return responses[:, 1:] if len(classes) == 2 else responses


def _class_responses(model: Any, X: Any) -> Floats:
    """Return responses towards each class that a classifier knows (n_samples, n_known)."""
    n_classes = len(model.classes_)
    for name in RESPONSES[:2]:
        if hasattr(model, name):
            values = answers_of(model, X, name).astype(np.float64)
            values = values.reshape(len(values), -1)
            if values.shape[1] == n_classes:
                return values
            if n_classes == 2:  # towards the second
                return np.hstack([-values, values])
    said = np.asarray(model.predict(X))[:, np.newaxis] == np.asarray(model.classes_)
    return said.astype(np.float64)


def feature_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    modality: str,
    modalities: list[tuple[str, Any]] | None = None,
    max_groups: int = MAX_GROUPS,
    scoring: Any = None,
    n_repeats: int = 5,
    cv: Any = 5,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> FeatureImportance:
    """Tell which features of a modality a model goes by, on samples that it did not see.

    In each fold the model is fitted to the other samples. On those that were held out, two things
    are measured: what the score loses when a feature, or a group of features that are alike, comes
    from other samples; and how each feature varies with what the model says.

    Parameters
    ----------
    estimator : classifier or regressor
        Cloned and fitted in each fold.
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Target.
    modality : str
        Whose features: a table, or signals (n_samples, n_channels, n_timesteps), of which the
        channels are features.
    modalities : list of (name, columns) pairs, default=None
        Which modalities there are, as for :func:`modality_importance`.
    max_groups : int, default=30
        So many features are shuffled one by one. More are put into so many groups of those that
        vary together, up or down, by diametrical clustering of all samples, and shuffled group by
        group: the work does not grow with their number.
    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_val_score`; None is accuracy or R².
    n_repeats : int, default=5
        Times that a feature or group is shuffled in each fold.
    cv : int, splitter or iterable of splits, default=5
        Folds. An int is shuffled, stratified for a classifier, and by whole groups where there are
        some.
    confidence_level : float, default=0.95
        Of the corrected resampled t intervals over folds.
    groups : array-like of shape (n_samples,), default=None
        Samples that stay together in folds, such as those of one subject.
    n_jobs : int, default=None
        Folds at the same time. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws folds, groups of features and permutations.

    Returns
    -------
    FeatureImportance

    Raises
    ------
    ValueError, TypeError
        If there is no such modality, it has no features, or the estimator cannot be fitted.

    See Also
    --------
    modality_importance : Which modality matters, before which of its features.
    FeatureImportanceDisplay : Draws the outcome.

    Notes
    -----
    **Features that are alike hide each other.** A model that knows two features that say the same
    loses little when one of them is shuffled: both look unimportant. Look at the importance of the
    group, or at the patterns, which both of them have.

    **A pattern is no importance.** It is the correlation of a feature with the model's response on
    held-out samples (for a linear model, the activation pattern of Haufe et al.): features that go
    with what the model goes by have one, whether the model looks at them or not. Unlike the weights
    of a linear model it is not reversed, or made large, by what features have in common; and it
    costs one matrix product however many there are. Neither of the two says what would happen if a
    feature were changed.

    What is shuffled is taken from other held-out samples, whichever group these are in. Missing
    cells stay where they are.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45 (2001): permutation.

    Haufe et al., "On the interpretation of weight vectors of linear models in multivariate
    neuroimaging", NeuroImage 87 (2014): patterns.

    Dhillon, Marcotte and Roshan, "Diametrical clustering for identifying anti-correlated gene
    clusters", Bioinformatics 19 (2003).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from mkfusion.inspection import feature_importance
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X[:, 2] > 0
    >>> outcome = feature_importance(
    ...     LogisticRegression(),
    ...     X,
    ...     y,
    ...     modality="gait",
    ...     modalities=[("weather", [0]), ("gait", [1, 2, 3])],
    ...     random_state=0,
    ... )
    >>> print(outcome.top_frequencies[1])  # in every fold
    1.0
    """
    check_count("max_groups", max_groups, 1)
    check_count("n_repeats", n_repeats, 1)
    check_level(confidence_level)
    check_jobs(n_jobs)
    count_samples("X", X, 2)
    samples = read_samples(X, modalities, whole=True)
    if modality not in samples.names:
        raise ValueError(f"modality is {shown(modality)}; expected one of {samples.names}.")
    view = samples.views[samples.names.index(modality)]
    table = ModalityTable(samples.parts[samples.names.index(modality)], modality)
    target = read_target(samples.X, y)
    codes = group_codes(groups, samples.X)
    scorer = as_scorer(estimator, scoring)
    rng = check_random_state(random_state)
    splits = splits_of(estimator, cv, len(table), target, codes, rng)
    found_groups = group_columns(table.observations(), max_groups, rng)
    seeds = rng.randint(2**31 - 1, size=len(splits))
    classes = np.unique(target) if is_classifier(estimator) else None

    def fold(train: Indices, test: Indices, seed: int) -> FoldFeatures:
        fitted = clone(estimator).fit(safe_indexing(samples.X, train), target[train])
        held = safe_indexing(samples.X, test)

        def score(part: Any) -> float:
            return float(scorer(fitted, _put(held, view.where, part), target[test]))

        return fold_features(
            table,
            test,
            found_groups.members,
            score,
            responses_of(fitted, held, classes),
            n_repeats,
            check_random_state(seed),
        )

    outcomes = Parallel(n_jobs=n_jobs)(
        delayed(heard)(fold, train, test, int(seed))
        for (train, test), seed in zip(splits, seeds, strict=True)
    )
    return conclude_features(
        table,
        modality,
        found_groups,
        list(Once().outcomes(outcomes)),
        outputs_of(classes),
        label_of(estimator, scoring),
        ratio_of_test_to_train(splits),
        confidence_level,
    )


def _put(X: Any, where: Any, part: Any) -> Any:
    """Return samples with one modality replaced."""
    if isinstance(X, Modalities):
        return Modalities({name: part if name == where else X[name] for name in X.names})
    places = where if isinstance(where, list) else [where]
    if hasattr(X, "iloc"):
        mixed = X.copy()
        for j, column in zip(places, range(len(places)), strict=True):
            mixed.isetitem(j, part.iloc[:, column].array)
        return mixed
    if hasattr(X, "with_columns"):
        return X.with_columns(part.get_columns())
    if hasattr(X, "tocsr"):
        mixed = X.tolil(copy=True)
        mixed[:, places] = part
        return mixed.tocsr()
    mixed = X.copy()
    mixed[:, places] = part
    return mixed


class FeatureImportanceDisplay:
    """What a model loses without features, with intervals.

    Parameters
    ----------
    importance : FeatureImportance
        Outcome of :func:`feature_importance`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    feature_importance : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import FeatureImportanceDisplay
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> display = FeatureImportanceDisplay.from_estimator(
    ...     LinearRegression(), X, X[:, 1], modality="a", modalities=[("a", [0, 1, 2])]
    ... )
    >>> display.ax_.get_xlabel()
    'loss of R² when shuffled'
    """

    def __init__(self, importance: FeatureImportance) -> None:
        check_outcome("importance", importance, FeatureImportance, "feature_importance")
        self.importance = importance

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, modality: str, ax: Any = None, **options: Any
    ) -> Self:
        """Measure the importance of features, and draw it.

        Parameters
        ----------
        estimator : classifier or regressor
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Target.
        modality : str
            Whose features.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`feature_importance`.

        Returns
        -------
        FeatureImportanceDisplay

        Raises
        ------
        ValueError, TypeError
            As :func:`feature_importance`.
        """
        return cls(feature_importance(estimator, X, y, modality=modality, **options)).plot(ax=ax)

    def plot(self, ax: Any = None, *, max_groups: int = 15) -> Self:
        """Draw the features, or groups of them, that most is lost without.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        max_groups : int, default=15
            How many.

        Returns
        -------
        FeatureImportanceDisplay

        Raises
        ------
        ValueError
            If `max_groups` is no positive whole number.
        ImportError
            If matplotlib is not installed.
        """
        check_count("max_groups", max_groups, 1)
        found = self.importance
        chosen = found.ranking()[:max_groups]
        names = [found.group_names[g] for g in chosen]
        ax = axes_of(ax, "FeatureImportanceDisplay", 1.2 + 0.35 * len(chosen))
        label = f"loss of {found.scoring} when shuffled"
        draw_intervals(ax, names, found.importances[chosen], found.intervals[chosen], label)
        for k, share in enumerate(found.top_frequencies[chosen]):
            ax.annotate(f"{share:.0%}", (1.01, k), xycoords=("axes fraction", "data"), va="center")
        ax.set_title(f"{found.modality}; right: folds in the first {_TOP}", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
