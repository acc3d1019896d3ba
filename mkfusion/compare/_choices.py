"""What a search over fusions chooses, how often, and what that scores on other samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.utils.parallel import delayed

from mkfusion._compat import safe_indexing
from mkfusion._messages import shown
from mkfusion._parallel import in_turn
from mkfusion._repeated import Once, heard
from mkfusion._tables import load_pandas
from mkfusion._types import Floats
from mkfusion.compare._folds import Fold, outer_splitter
from mkfusion.compare._search import FusionSearchCV
from mkfusion.data import (
    Modalities,
    as_table,
    check_rows,
    read_groups,
    read_labels,
    read_numbers,
)
from mkfusion.inspection import check_jobs, check_scores


@dataclass(frozen=True, eq=False, repr=False)
class FusionChoices:
    """Outcome of :func:`fusion_choices`.

    Parameters
    ----------
    chosen : list of n_folds str
        The fusion that was chosen within the training samples of each outer fold.
    params : list of n_folds dict
        Values of what it tunes.
    scores : ndarray of shape (n_folds,)
        Of the whole search, on the test samples of the folds.
    inner_scores : ndarray of shape (n_folds,)
        What the search believed: the score by which the fusion was chosen.
    candidates : list of str
        Fusions that could be chosen on some fold.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mkfusion import FusionSearchCV
    >>> from mkfusion.compare import fusion_choices
    >>> X, y = load_iris(return_X_y=True)
    >>> parts = [("sepal", [0, 1]), ("petal", [2, 3])]
    >>> search = FusionSearchCV(["early", "uniform"], parts, cv=3, fast=True)
    >>> outcome = fusion_choices(search, X, y, cv=3)
    >>> sum(outcome.frequency.values())
    3
    """

    chosen: list[str]
    params: list[dict[str, Any]]
    scores: Floats
    inner_scores: Floats
    candidates: list[str]

    @property
    def frequency(self) -> dict[str, int]:
        """On how many folds each fusion was chosen, the most frequent first."""
        counts = Counter(self.chosen)
        order = sorted(self.candidates, key=lambda name: -counts[name])
        return {name: counts[name] for name in order}

    @property
    def optimism(self) -> float:
        """How much the search believed above what it scored, on the mean of the folds."""
        return float(np.mean(self.inner_scores - self.scores))

    def __str__(self) -> str:
        n = len(self.chosen)
        width = max(len(name) for name in self.candidates)
        lines = [f"{name:<{width}}  {count:>3} of {n}" for name, count in self.frequency.items()]
        spread = self.scores.std(ddof=1) if n > 1 else 0.0
        lines.append(
            f"score {self.scores.mean():.3f} ± {spread:.3f} on the test samples of {n} folds; "
            f"believed {self.inner_scores.mean():.3f}"
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<FusionChoices: {', '.join(f'{k} {v}' for k, v in self.frequency.items())}>"

    def to_frame(self) -> Any:
        """Return a table of the folds.

        Returns
        -------
        pandas.DataFrame of shape (n_folds, 4)
            With columns fusion, params, score and inner_score.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = load_pandas()
        return pandas.DataFrame(
            {
                "fusion": self.chosen,
                "params": self.params,
                "score": self.scores,
                "inner_score": self.inner_scores,
            },
            index=pandas.RangeIndex(1, len(self.chosen) + 1, name="fold"),
        )


def fusion_choices(
    search: FusionSearchCV,
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
    n_jobs: int | None = None,
) -> FusionChoices:
    """Tell what a search chooses, how often, and what it scores, by nested cross-validation.

    In each outer fold the whole search is done on the training samples alone, and what it chose is
    scored on the test samples, which have chosen nothing.

    Parameters
    ----------
    search : FusionSearchCV
        It is not changed.
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Class labels, or numbers.
    cv : int, splitter or iterable of (train, test), default=None
        The outer folds, as `cv` of :class:`FusionSearchCV`; None is 5.
    scoring : str or callable, default=None
        Of the test samples; None is the score that the search chooses by.
    groups : array-like of shape (n_samples,), default=None
        Samples of one group are never on both sides, in outer and inner folds alike.
    n_jobs : int, default=None
        Outer folds at the same time.

    Returns
    -------
    FusionChoices
        With `frequency`, `scores` and a table.

    Raises
    ------
    TypeError, ValueError
        If `search` is none, samples, targets, folds or groups do not fit together, or a fold has no
        score.

    See Also
    --------
    FusionSearchCV : The search.

    Notes
    -----
    A fusion that is chosen on nearly all folds is the better one for such data; choices that
    change from fold to fold say that the fusions are about as good as each other.

    Examples
    --------
    >>> import numpy as np
    >>> from mkfusion import FusionSearchCV
    >>> from mkfusion.compare import fusion_choices
    >>> X = np.random.default_rng(0).normal(size=(80, 2))
    >>> parts = [("a", [0]), ("b", [1])]
    >>> search = FusionSearchCV(["uniform", "products"], parts, task="regression", cv=3, fast=True)
    >>> fusion_choices(search, X, X[:, 0] * X[:, 1], cv=3).frequency
    {'products': 3, 'uniform': 0}
    """
    if not isinstance(search, FusionSearchCV):
        raise TypeError(f"search is {shown(search)}; expected a FusionSearchCV.")
    check_jobs(n_jobs)
    X = X if isinstance(X, Modalities) else as_table(X)
    check_rows(X, y=y, groups=groups)
    classes = search.task == "classification"
    target: NDArray[Any] = read_labels(X, y).given if classes else read_numbers(X, y)
    groups = read_groups(groups, len(target))
    folds = outer_splitter(cv, target, groups, classes, search.random_state, True).split()
    scorer = None if scoring is None else get_scorer(scoring)
    calls = (
        delayed(heard)(_search_fold, search, X, target, groups, fold, scorer) for fold in folds
    )
    tried = list(Once().outcomes(in_turn(calls, n_jobs)))
    chosen, params, scores, inner, names = zip(*tried, strict=True)
    given = search.scoring if scoring is None else scoring
    check_scores(
        np.array(scores), given if isinstance(given, str) else getattr(given, "__name__", "score")
    )
    return FusionChoices(
        list(chosen),
        list(params),
        np.array(scores),
        np.array(inner),
        list(dict.fromkeys(name for one in names for name in one)),
    )


def _search_fold(
    search: FusionSearchCV, X: Any, y: NDArray[Any], groups: Any, fold: Fold, scorer: Any
) -> tuple[str, dict[str, Any], float, float, list[str]]:
    """Return what is chosen on a fold, its values, its two scores, and what might have been."""
    train, test = fold
    fitted = clone(search).set_params(refit=True)
    fitted.fit(safe_indexing(X, train), y[train], groups=None if groups is None else groups[train])
    held_out = safe_indexing(X, test), y[test]
    score = fitted.score(*held_out) if scorer is None else float(scorer(fitted, *held_out))
    return (
        fitted.best_fusion_,
        fitted.best_params_,
        score,
        fitted.best_score_,
        list(fitted.fusion_scores_),
    )
