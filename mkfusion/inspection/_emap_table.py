"""The additive projections of several models for several targets, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import has_fit_parameter

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._tables import load_pandas
from mkfusion._types import Floats, Indices
from mkfusion.data import check_rows, read_groups, read_splits, read_target
from mkfusion.inspection._arguments import check_jobs, check_level, check_names, check_scores
from mkfusion.inspection._emap import emap
from mkfusion.inspection._intervals import corrected_interval, difference_bounds
from mkfusion.inspection._responses import check_kind, label_of
from mkfusion.inspection._samples import ModalitySamples

# What the score of an additive model differs from that of its projection by
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class EmapTable:
    """Outcome of :func:`emap_table`.

    Parameters
    ----------
    model_names : list of n_models str
    target_names : list of n_targets str
    scoring : str
        Name of the score.
    scores : ndarray of shape (n_models, n_targets, n_folds, 2)
        On the test samples of each fold: of the model, and of its projection.
    test_share : float
        Test samples over training samples of a fold.
    confidence_level : float
        Of the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import InteractionRegressor
    >>> from mkfusion.inspection import emap_table
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> models = {"products": InteractionRegressor(), "sum": InteractionRegressor(form="additive")}
    >>> targets = {"product": X[:, 0] * X[:, 1], "sum": X.sum(axis=1)}
    >>> parts = [("a", [0]), ("b", [1])]
    >>> outcome = emap_table(models, X, targets, modalities=parts, random_state=0)
    >>> frame = outcome.to_frame()
    >>> list(frame.columns), float(frame.loc[("product", "products"), "gap"]) > 0.5
    (['score', 'projection', 'gap', 'low', 'high'], True)
    """

    model_names: list[str]
    target_names: list[str]
    scoring: str
    scores: Floats
    test_share: float
    confidence_level: float

    @property
    def score(self) -> Floats:
        """Mean score of every model, of shape (n_models, n_targets)."""
        return np.asarray(self.scores[..., 0].mean(axis=2))

    @property
    def projection(self) -> Floats:
        """Mean score without interactions, of shape (n_models, n_targets)."""
        return np.asarray(self.scores[..., 1].mean(axis=2))

    @property
    def gap(self) -> Floats:
        """What interactions add to the score, of shape (n_models, n_targets)."""
        return np.asarray(self._gaps.mean(axis=2))

    @property
    def gap_interval(self) -> tuple[Floats, Floats]:
        """Corrected resampled t interval of the gap, two of shape (n_models, n_targets)."""
        bounds = difference_bounds(self.scoring)
        return corrected_interval(self._gaps, self.test_share, self.confidence_level, bounds)

    @property
    def _gaps(self) -> Floats:
        gaps = self.scores[..., 0] - self.scores[..., 1]
        return np.asarray(np.where(np.abs(gaps) < _ROUNDING, 0.0, gaps))

    def to_frame(self) -> Any:
        """Return a table with a row for each target and model.

        Returns
        -------
        pandas.DataFrame of shape (n_targets * n_models, 5)
            Indexed by target and model; columns score, projection, gap, low and high, the last two
            the interval of the gap.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = load_pandas()
        low, high = self.gap_interval
        index = pandas.MultiIndex.from_product(
            [self.target_names, self.model_names], names=["target", "model"]
        )
        columns = {
            "score": self.score,
            "projection": self.projection,
            "gap": self.gap,
            "low": low,
            "high": high,
        }
        return pandas.DataFrame({name: one.T.ravel() for name, one in columns.items()}, index=index)

    def __str__(self) -> str:
        low, high = self.gap_interval
        cells = [["", *self.target_names]]
        for k, name in enumerate(self.model_names):
            row = [name]
            for j in range(len(self.target_names)):
                interval = f"[{_plain(low[k, j])}, {_plain(high[k, j])}]"
                three = [_plain(one[k, j]) for one in (self.score, self.projection, self.gap)]
                row.append(f"{three[0]} → {three[1]}  {three[2]} {interval}")
            cells.append(row)
        widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
        lines = [
            f"{self.scoring} on the test samples of {self.scores.shape[2]} folds, of the model → "
            "without interactions, and the difference with its "
            f"{100 * self.confidence_level:g}% interval:"
        ]
        lines += [
            "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<EmapTable: {len(self.model_names)} models × {len(self.target_names)} targets, "
            f"{self.scoring}>"
        )


def _plain(value: float) -> str:
    """Return three decimals, without a minus before a zero."""
    return f"{round(float(value), 3) + 0.0:.3f}"


def emap_table(
    estimators: Any,
    X: Any,
    targets: Any,
    *,
    modalities: list[tuple[str, Any]] | None = None,
    scoring: Any = None,
    response_method: str = "auto",
    cv: Any = 5,
    groups: Any = None,
    n_references: int | None = None,
    confidence_level: float = 0.95,
    batch_size: int = 2048,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> EmapTable:
    """Compare models with their additive projections, for several targets, on held-out samples.

    The table of the paper on :func:`emap`: for each model and target, the score, the score without
    interactions between modalities, and the difference. Where a model is not better than its own
    projection, its interactions help nothing, whatever it could learn.

    Parameters
    ----------
    estimators : dict of str to estimator, or list of (name, estimator) pairs
        Classifiers, or regressors, not fitted: on each fold, a copy is fitted to each target.
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples that all estimators take.
    targets : dict of str to array-like of shape (n_samples,), DataFrame of shape \
            (n_samples, n_targets), or array-like of shape (n_samples,)
        What is predicted, by name; a single target is called "y".
    modalities : list of (name, columns) pairs, default=None
        As in :func:`emap`: what is held fast and replaced together, whatever an estimator takes
        for modalities.
    scoring : str or callable, default=None
        As in :func:`emap`.
    response_method : str, default="auto"
        As in :func:`emap`.
    cv : int, splitter or iterable of (train, test), default=5
        Folds; an int is a number of shuffled ones, stratified for classifiers, that keep `groups`
        together. All models of a target have the same.
    groups : array-like of shape (n_samples,), default=None
        Samples of a group are never on both sides of a fold; `fit` is told where it takes them.
    n_references : int, default=None
        As in :func:`emap`, of the test samples.
    confidence_level : float, default=0.95
    batch_size : int, default=2048
        Most samples to predict at a time.
    n_jobs : int, default=None
        Models, targets and folds at the same time. The outcome does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws folds and references.

    Returns
    -------
    EmapTable
        Prints as a table.

    Raises
    ------
    ValueError, TypeError
        If names are not unique, classifiers and regressors are mixed, a fold has no score, or a
        model cannot be fitted or projected; a note says which, and for what target.

    See Also
    --------
    emap : Of one fitted model.

    Notes
    -----
    Models are additive on the scale of their responses. Late fusion by the mean, and interaction
    regression of form "additive", have a gap of 0 for numbers; gated and shift fusion have not,
    because what one modality is worth depends on another. The projection is over the test samples
    of a fold: few of them show few combinations.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import InteractionRegressor
    >>> from mkfusion.inspection import emap_table
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> models = {"products": InteractionRegressor(), "sum": InteractionRegressor(form="additive")}
    >>> outcome = emap_table(
    ...     models, X, X[:, 0] * X[:, 1], modalities=[("a", [0]), ("b", [1])], random_state=0
    ... )
    >>> outcome.gap.round(1).ravel() + 0.0
    array([1., 0.])
    """
    check_level(confidence_level)
    check_jobs(n_jobs)
    named = _named_estimators(estimators)
    parts = ModalitySamples(X, modalities)
    wanted = _named_targets(targets, parts.X)
    labels = read_groups(groups, len(parts))
    check_rows(parts.X, groups=groups)
    rng = check_random_state(random_state)
    classes = is_classifier(named[0][1])
    # What can be gone through once only is for all targets.
    cv = list(cv) if isinstance(cv, Iterator) else cv
    cells, counts = [], []
    for t, (_, y) in enumerate(wanted):
        seed = int(rng.randint(np.iinfo(np.int32).max))
        splits = read_splits(cv, len(parts), y, classes=classes, groups=labels, seed=seed)
        counts.append(len(splits))
        cells += [
            (k, t, train, test, int(rng.randint(np.iinfo(np.int32).max)))
            for train, test in splits
            for k in range(len(named))
        ]

    if len(set(counts)) > 1:
        raise ValueError(
            f"cv makes {counts} folds for the targets; expected as many for each of them."
        )

    def one(k: int, t: int, train: Indices, test: Indices, seed: int) -> tuple[float, float]:
        (model, estimator), (target, y) = named[k], wanted[t]
        try:
            fitted = clone(estimator)
            told = labels is not None and has_fit_parameter(fitted, "groups")
            fitted.fit(
                safe_indexing(parts.X, train),
                y[train],
                **({"groups": labels[train]} if told and labels is not None else {}),
            )
            found = emap(
                fitted,
                safe_indexing(parts.X, test),
                y[test],
                modalities=modalities,
                scoring=scoring,
                response_method=response_method,
                n_references=n_references,
                n_bootstraps=0,
                batch_size=batch_size,
                random_state=seed,
            )
        except Exception as error:
            error.add_note(f"raised by the model {model!r} for the target {target!r}")
            raise
        return found.scores["model"], found.scores["projection"]

    found = Parallel(n_jobs=n_jobs)(delayed(one)(*cell) for cell in cells)
    scores = np.array(found).reshape(len(wanted), counts[0], len(named), 2).transpose(2, 0, 3, 1)
    check_scores(scores, label_of(named[0][1], scoring))
    shares = [len(test) / len(train) for _, _, train, test, _ in cells]
    return EmapTable(
        [name for name, _ in named],
        [name for name, _ in wanted],
        label_of(named[0][1], scoring),
        scores.swapaxes(2, 3),
        float(np.mean(shares)),
        confidence_level,
    )


def _named_estimators(estimators: Any) -> list[tuple[str, Any]]:
    """Return estimators by their names, all classifiers or all regressors."""
    given = list(estimators.items()) if isinstance(estimators, Mapping) else estimators
    pairs = isinstance(given, list | tuple) and all(
        isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) for one in given
    )
    if not pairs or not given:
        raise TypeError(
            f"estimators is {shown(estimators)}; expected a dict of estimators by their names, or "
            "a list of pairs (name, estimator), at least one."
        )
    named = [(name, estimator) for name, estimator in given]
    check_names("estimators", [name for name, _ in named])
    for _, estimator in named:
        check_kind(estimator)
    kinds = {is_classifier(estimator) for _, estimator in named}
    if len(kinds) > 1:
        raise ValueError(
            "estimators has classifiers and regressors; expected one kind, whose scores can be "
            "compared."
        )
    return named


def _named_targets(targets: Any, X: Any) -> list[tuple[str, NDArray[Any]]]:
    """Return targets by their names."""
    if isinstance(targets, Mapping) or hasattr(targets, "columns"):
        keys = list(targets.keys() if isinstance(targets, Mapping) else targets.columns)
        if not keys:
            raise ValueError("targets is empty; expected at least one.")
        names = check_names("targets", keys)
        return [(name, read_target(X, targets[key])) for name, key in zip(names, keys, strict=True)]
    return [("y", read_target(X, targets))]
