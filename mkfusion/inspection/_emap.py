"""The empirical multimodally-additive projection (EMAP): a model without its interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.parallel import delayed

from mkfusion._compat import num_samples, safe_indexing
from mkfusion._drawing import axes_of
from mkfusion._messages import shown
from mkfusion._parallel import in_turn
from mkfusion._types import Floats, Indices
from mkfusion.data import read_target
from mkfusion.inspection._arguments import (
    check_count,
    check_jobs,
    check_level,
    group_codes,
)
from mkfusion.inspection._closed_form import kernel_model, projection_and_effects
from mkfusion.inspection._display import as_frame, check_outcome
from mkfusion.inspection._intervals import bootstrap_rows, bootstrap_scores, percentiles
from mkfusion.inspection._responses import (
    as_scorer,
    label_of,
    respond,
    response_name,
    scored_answers,
)
from mkfusion.inspection._samples import ModalitySamples


class Projector:
    """Averages of a model over combinations of samples."""

    def __init__(
        self, estimator: Any, parts: ModalitySamples, name: str, batch_size: int, n_jobs: int | None
    ) -> None:
        self.estimator = estimator
        self.parts = parts
        self.name = name
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def project(self, chosen: Indices, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        """Return the projection and the modalities' effects, with references from these samples."""
        n_modalities = len(self.parts.names)
        references = [chosen] * n_modalities
        if n_modalities > 2:
            references = [rng.permutation(chosen) for _ in range(n_modalities)]
        means = np.stack([self._means(m, references) for m in range(n_modalities)])
        return projection_and_effects(means, chosen)

    def _means(self, m: int, references: Sequence[Indices]) -> Floats:
        """Return each sample's mean response with the other modalities of all references."""
        n, size = len(self.parts), len(references[0])

        def responses(batch: slice) -> tuple[Indices, Floats]:
            samples, which = np.divmod(np.arange(batch.start, batch.stop), size)
            rows = [samples if k == m else one[which] for k, one in enumerate(references)]
            rest = references[0][which]
            return samples, respond(self.estimator, self.parts.recombine(rows, rest), self.name)

        total: Floats | None = None
        calls = (delayed(responses)(batch) for batch in gen_batches(n * size, self.batch_size))
        for samples, values in in_turn(calls, self.n_jobs, prefer="threads"):
            if total is None:
                total = np.zeros((n, values.shape[1]))
            np.add.at(total, samples, values)
        assert total is not None
        return total / size


def respond_in_batches(estimator: Any, X: Any, name: str, batch_size: int) -> Floats:
    n = num_samples(X)
    return np.concatenate(
        [
            respond(estimator, safe_indexing(X, np.arange(batch.start, batch.stop)), name)
            for batch in gen_batches(n, batch_size)
        ]
    )


@dataclass(frozen=True, eq=False, repr=False)
class AdditiveProjection:
    """Outcome of :func:`emap`.

    Parameters
    ----------
    modality_names : list of n_modalities str
    responses : ndarray of shape (n_samples, n_outputs)
        What the model says.
    projection : ndarray of shape (n_samples, n_outputs)
        What is left of it without interactions between modalities.
    effects : ndarray of shape (n_modalities, n_samples, n_outputs)
        What each modality contributes to the projection, of mean zero over the samples; together
        with the projection's mean they sum to it.
    response_method : str
        What the responses are.
    exact : bool
        Whether the model's kernels gave the means over all combinations of modalities and
        references in closed form. If not, they come from predictions: of all combinations for two
        modalities, of a draw of them for more.
    variance_explained : float
        1 minus the mean square of ``responses - projection`` over the variance of the responses:
        1 for an additive model.
    scoring : str
        Name of the score.
    scores : dict of str to float
        "model", "projection" and "gap", their difference: what interactions explain. Empty
        without y.
    intervals : dict of str to (float, float)
        Bootstrap intervals of the scores.
    y : ndarray of shape (n_samples,) or None
        The target.
    confidence_level : float
        Of the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from mkfusion.inspection import emap
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> model = LinearRegression().fit(X, X.sum(axis=1))
    >>> outcome = emap(model, X, modalities=[("a", [0]), ("b", [1])])
    >>> print(outcome)
    Without interactions between a and b, 100.0% of the variance of the model's responses is left.
    """

    modality_names: list[str]
    responses: Floats
    projection: Floats
    effects: Floats
    response_method: str
    exact: bool
    variance_explained: float
    scoring: str
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    y: NDArray[Any] | None
    confidence_level: float

    @property
    def gap(self) -> float:
        """What interactions add to the score, NaN without y."""
        return self.scores.get("gap", np.nan)

    @property
    def gap_interval(self) -> tuple[float, float]:
        """Bootstrap interval of the gap, NaN without y."""
        return self.intervals.get("gap", (np.nan, np.nan))

    def __str__(self) -> str:
        *some, last = self.modality_names
        between = f"{', '.join(some)} and {last}"
        if not self.scores:
            return (
                f"Without interactions between {between}, {self.variance_explained:.1%} of the "
                "variance of the model's responses is left."
            )
        low, high = self.gap_interval
        return (
            f"Interactions between {between} add {self.gap:.3f} [{low:.3f}, {high:.3f}] to the "
            f"{self.scoring}: {self.scores['model']:.3f} with them, "
            f"{self.scores['projection']:.3f} without."
        )

    def __repr__(self) -> str:
        return f"<AdditiveProjection: {self}>"

    def to_frame(self) -> Any:
        """Return the scores as a table.

        Returns
        -------
        pandas.DataFrame of shape (3, 3)
            "model", "projection" and "gap", with columns score, low and high.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return as_frame(
            {
                "score": list(self.scores.values()),
                "low": [self.intervals[name][0] for name in self.scores],
                "high": [self.intervals[name][1] for name in self.scores],
            },
            list(self.scores),
            "what",
        )


def emap(
    estimator: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    modalities: list[tuple[str, Any]] | None = None,
    scoring: Any = None,
    response_method: str = "auto",
    n_references: int | None = None,
    n_bootstraps: int = 500,
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    batch_size: int = 2048,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> AdditiveProjection:
    """Project a fitted model onto sums of functions of one modality each.

    Empirical multimodally-additive projection: of all sums ``g_1(x^1) + ... + g_M(x^M)`` the one
    that is closest to the model where every value of a modality meets every value of the others.
    If it scores as well as the model, nothing that the model knows about interactions between
    modalities helps it; that a flexible model beats a linear one is no such evidence.

    Parameters
    ----------
    estimator : fitted classifier or regressor
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples that the estimator takes; held-out ones, if the score is to tell about new samples.
    y : array-like of shape (n_samples,), default=None
        Target; without it there are no scores.
    modalities : list of (name, columns) pairs, default=None
        Which modalities there are. `columns` is a modality's name, or columns as in
        :class:`sklearn.compose.ColumnTransformer`. None is all of `Modalities`. What belongs to
        none of them is averaged out with the others.
    scoring : str or callable, default=None
        As in :func:`sklearn.model_selection.cross_val_score`; None is accuracy or R². It sees what
        is predicted only, not the samples.
    response_method : {"auto", "decision_function", "predict_proba", "predict_log_proba", \
            "predict"}, default="auto"
        What is projected: on another scale, another model is additive. "auto" is
        `decision_function`, or else `predict_proba`, and `predict` of regressors.
    n_references : int, default=None
        Samples, drawn without replacement, that stand for the distribution of the other
        modalities; all by default.
    n_bootstraps : int, default=500
        Draws of the samples for the intervals.
    confidence_level : float, default=0.95
    groups : array-like of shape (n_samples,), default=None
        The bootstrap draws whole groups, such as all samples of one subject.
    batch_size : int, default=2048
        Most samples to predict at a time.
    n_jobs : int, default=None
        Threads that predict batches. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws references and bootstraps.

    Returns
    -------
    AdditiveProjection
        With scores, the gap between them and its interval.

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two modalities, or the estimator gives no finite numbers.

    See Also
    --------
    EmapDisplay : Draws the outcome.

    Notes
    -----
    With f the model, the projection of sample i is ::

        sum_m mean_j f(x_i^m, x_j^others)  -  (M - 1) mean f

    over reference samples j. For two modalities this is exact, with n_samples times n_references
    predictions for each. For M > 2 the other modalities of a reference come from different
    samples: each modality is permuted by itself, once, which estimates the mean over all
    combinations of the references, and is exact for additive models.

    Kernel machines need fewer, and are exact for any number of modalities. Their response is affine
    in the kernels between a sample and the training samples, and so its mean over references is the
    response to mean kernels, for products of kernels of different modalities too: n_samples
    predictions for each modality, in which the kernels of all others are replaced by their mean
    over the references. `exact` says whether it was so. That is the case for a pipeline of a
    :class:`~mkfusion.ColumnKernelizer`, each of whose entries looks at one modality,
    :class:`~mkfusion.InteractionKernels` and :class:`~mkfusion.KernelCombiner` or neither, and a
    kernel machine. It is recognised by its structure, and then checked at random combinations of
    the samples. What is not affine in the kernels (probabilities, gates), kernels that depend on
    which other modalities a sample has (``missing="marginalise"``), and single kernels of several
    modalities, such as :class:`~mkfusion.CompositeKernel`, are left to predictions.

    The `decision_function` of :class:`sklearn.svm.SVC` with more than two classes counts votes of
    pairs of classes, which is additive for hardly any kernel: part of its gap is the counting.

    Both scores come from the responses: a class is told by the sign of a single decision function,
    and else by the largest response. A threshold that an estimator was given or tuned to, and its
    way of counting votes, are not heeded. The intervals are those of the samples with the model as
    it is: they say nothing about how another training set would have changed it.

    References
    ----------
    Hessel and Lee, "Does my multimodal model learn cross-modal interactions? It's harder to tell
    than you might think!", EMNLP 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import emap
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
    >>> y = X[:, 0] ^ X[:, 1]
    >>> model = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> outcome = emap(model, X, y, modalities=[("a", [0]), ("b", [1])], random_state=0)
    >>> outcome.scores
    {'model': 1.0, 'projection': 0.5, 'gap': 0.5}
    """
    check_level(confidence_level)
    check_jobs(n_jobs)
    check_count("n_bootstraps", n_bootstraps, 0)
    check_count("batch_size", batch_size, 1)
    rng = check_random_state(random_state)
    parts = ModalitySamples(X, modalities)
    n = len(parts)
    if n_references is not None:
        check_count("n_references", n_references, 1, n)
    name = response_name(estimator, response_method)
    scorer = as_scorer(estimator, scoring)
    target = None if y is None else read_target(parts.X, y)
    codes = group_codes(groups, parts.X)

    responses = respond_in_batches(estimator, parts.X, name, batch_size)
    chosen = np.sort(rng.choice(n, n if n_references is None else n_references, replace=False))
    model = kernel_model(estimator, parts, name)
    exact = model is not None and model.is_exact(estimator, name)
    if model is not None and exact:
        projection, effects = model.project(chosen, batch_size)
    else:
        projector = Projector(estimator, parts, name, batch_size, n_jobs)
        projection, effects = projector.project(chosen, rng)

    scores: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    if target is not None:
        both = [scored_answers(estimator, values, name) for values in (responses, projection)]
        try:
            full, additive = (float(scorer(one, np.arange(n), target)) for one in both)
        except AttributeError as error:
            raise ValueError(
                f"scoring is {shown(scoring)}, which cannot be had from {name}; expected another "
                "score, "
                'or another response_method: "predict_proba" for scores of probabilities.'
            ) from error
        scores = {"model": full, "projection": additive, "gap": full - additive}
        rows = list(bootstrap_rows(n, n_bootstraps, codes, rng))
        with_them, without = (
            bootstrap_scores(estimator, scoring, scorer, one, target, rows) for one in both
        )
        three = np.stack([with_them, without, with_them - without])
        low, high = percentiles(three, confidence_level)
        intervals = {
            what: (float(a), float(b)) for what, a, b in zip(scores, low, high, strict=True)
        }
    return AdditiveProjection(
        modality_names=parts.names,
        responses=responses,
        projection=projection,
        effects=effects,
        response_method=name,
        exact=exact,
        variance_explained=_explained(responses, projection),
        scoring=label_of(estimator, scoring),
        scores=scores,
        intervals=intervals,
        y=target,
        confidence_level=confidence_level,
    )


def _explained(responses: Floats, projection: Floats) -> float:
    total = float(((responses - responses.mean(axis=0)) ** 2).mean())
    left = float(((responses - projection) ** 2).mean())
    return 1.0 - left / total if total > 0.0 else 1.0


class EmapDisplay:
    """What a model says against what it would say without interactions.

    Samples on the diagonal need no interactions between modalities.

    Parameters
    ----------
    projection : AdditiveProjection
        Outcome of :func:`emap`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        What that is part of.

    See Also
    --------
    emap : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from mkfusion.inspection import EmapDisplay
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
    >>> y = X[:, 0] ^ X[:, 1]
    >>> model = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> parts = [("a", [0]), ("b", [1])]
    >>> display = EmapDisplay.from_estimator(model, X, y, modalities=parts, random_state=0)
    >>> display.ax_.get_xlabel()
    'predict_proba without interactions'
    """

    def __init__(self, projection: AdditiveProjection) -> None:
        check_outcome("projection", projection, AdditiveProjection, "emap")
        self.projection = projection

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **options: Any
    ) -> Self:
        """Project a fitted model, and draw it.

        Parameters
        ----------
        estimator : fitted classifier or regressor
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Target.
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.
        **options : dict
            Further arguments of :func:`emap`.

        Returns
        -------
        EmapDisplay

        Raises
        ------
        TypeError, ValueError
            As :func:`emap`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(emap(estimator, X, y, **options)).plot(ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; None is a new figure.

        Returns
        -------
        EmapDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_of(ax, "EmapDisplay", 5.0)
        found = self.projection
        both = [found.projection, found.responses]
        if found.responses.shape[1] == 2 and found.response_method != "decision_function":
            both = [values[:, 1:] for values in both]  # the other column says the same
        x, y = both
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, color="grey", lw=1, zorder=0)
        if found.y is None or found.response_method == "predict":
            ax.scatter(x, y, s=12, alpha=0.6)
        else:
            classes = np.unique(found.y)
            for k, label in enumerate(classes):
                if x.shape[1] == 1:  # two classes
                    some, column = found.y == label, 0
                    text = str(label)
                else:
                    some, column = slice(None), k
                    text = f"response for {label}"
                ax.scatter(x[some, column], y[some, column], s=12, alpha=0.6, label=text)
            ax.legend(fontsize="small")
        ax.set(
            xlabel=f"{found.response_method} without interactions",
            ylabel=f"{found.response_method} of the model",
        )
        if found.scores:
            low, high = found.gap_interval
            ax.set_title(
                f"{found.scoring} {found.scores['projection']:.3f} without, "
                f"{found.scores['model']:.3f} with interactions\n"
                f"gap {found.gap:.3f} [{low:.3f}, {high:.3f}]",
                fontsize="medium",
            )
        self.ax_, self.figure_ = ax, ax.figure
        return self
