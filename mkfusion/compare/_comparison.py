"""What a comparison found, and everything that can be made of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion.compare._evaluate import FoldScore
from mkfusion.compare._features import Described
from mkfusion.compare._folds import Fold
from mkfusion.compare._methods import Method
from mkfusion.compare._statistics import PairedTest, holm, mean_interval, paired_test, verdict

__all__ = ["Comparison", "Conditions", "FusionComparison", "Summary"]

BEST_SINGLE = "best single modality"
BEST_SIMPLE = "best simple baseline"
BEST_FUSION = "best fusion method"


class Conditions(NamedTuple):
    """Under which conditions methods were compared.

    Attributes
    ----------
    task : {"classification", "regression"}
    y : ndarray of shape (n_samples,)
    modalities : list of Described
    folds : list of Fold
    n_groups : int or None
    outer, inner : str
        The splitters.
    metrics : list of str
    methods : list of Method
    test : {"corrected_t", "wilcoxon"}
    alpha : float
    fast : bool
    seed : int
    """

    task: str
    y: NDArray[Any]
    modalities: list[Described]
    folds: list[Fold]
    n_groups: int | None
    outer: str
    inner: str
    metrics: list[str]
    methods: list[Method]
    test: str
    alpha: float
    fast: bool
    seed: int

    @property
    def test_to_train(self) -> float:
        """Test samples of a fold for each training sample of it."""
        return float(np.mean([len(test) / len(train) for train, test in self.folds]))


class Summary(NamedTuple):
    """A method's scores over all folds.

    Attributes
    ----------
    method : str
    kind : {"baseline", "single", "fusion", "chosen"}
        The last is one of several, chosen anew within the training samples of each fold.
    means, lows, highs : dict of str to float
        By metric: mean score, and its confidence interval.
    seconds : float
        Of all folds.
    n_unconverged : int
        Fits that warned that they did not converge.
    """

    method: str
    kind: str
    means: dict[str, float]
    lows: dict[str, float]
    highs: dict[str, float]
    seconds: float
    n_unconverged: int


class Comparison(NamedTuple):
    """A fusion method beside what it should beat.

    Attributes
    ----------
    method : str
    reference : str
    test : PairedTest
        Differences of the first metric.
    p_adjusted : float
        By Holm's method, within the comparisons with the same reference.
    verdict : {"fusion helps", "no evidence that it does", "hurts"}
    """

    method: str
    reference: str
    test: PairedTest
    p_adjusted: float
    verdict: str


class FusionComparison:
    """What :func:`compare_fusion` found.

    Parameters
    ----------
    scores : list of FoldScore
        Of every method on every fold.
    conditions : Conditions
        Under which they came about.

    Attributes
    ----------
    verdict_ : Comparison
        The best fusion method with the best single modality, both chosen within the training
        samples: whether fusion helps, by how much, and how sure that is.
    comparisons_ : list of Comparison
        Every fusion method with the best single modality, then all but the simple ones with the
        best simple baseline.
    results_ : list of FoldScore
        Scores of every method on every fold, with what was chosen for it.
    summary_ : list of Summary
        Mean scores of every method, and of those that were chosen within the training samples.
    chosen_ : dict of str to list of n_folds str
        Which method was "best single modality", "best simple baseline" and "best fusion method"
        within the training samples of each fold.
    not_applicable_ : dict of str to str
        Methods that these data are not for, and why.
    conditions_ : Conditions
        Data, folds, metrics and settings.

    Raises
    ------
    ValueError
        If no modality can be learned from on its own.

    See Also
    --------
    compare_fusion : Makes one.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from mkfusion.compare import compare_fusion
    >>> X, y = load_wine(return_X_y=True, as_frame=True)
    >>> modalities = [("acids", ["malic_acid", "ash"]), ("colour", ["color_intensity", "hue"])]
    >>> comparison = compare_fusion(X, y, modalities, methods=["uniform"], cv=5, fast=True)
    >>> comparison.verdict_.verdict
    'no evidence that it does'
    >>> comparison.chosen_["best single modality"]
    ['colour alone', 'colour alone', 'colour alone', 'colour alone', 'colour alone']
    """

    def __init__(self, scores: list[FoldScore], conditions: Conditions) -> None:
        self.conditions_ = conditions
        self.not_applicable_ = {m.label: m.reason for m in conditions.methods if m.reason}
        for score in scores:
            if score.refusal and score.method not in self.not_applicable_:
                self.not_applicable_[score.method] = f"fold {score.fold}: {score.refusal}"
                warnings.warn(
                    f"{score.method} is listed as not applicable. On fold {score.fold} it says: "
                    f"{score.refusal}",
                    UserWarning,
                    stacklevel=3,
                )
        self._methods = [m for m in conditions.methods if m.label not in self.not_applicable_]
        self.results_ = [s for s in scores if s.method not in self.not_applicable_]
        self._by_method: dict[str, list[FoldScore]] = {m.label: [] for m in self._methods}
        for score in self.results_:
            self._by_method[score.method].append(score)
        if not any(method.kind == "single" for method in self._methods):
            raise ValueError(f"no modality can be learned from: {self.not_applicable_}.")
        self._choose()
        self._summarise()
        self._test()

    def _choose(self) -> None:
        """Find the best of each kind by the scores within the training samples."""
        kinds = {
            BEST_SINGLE: [m.label for m in self._methods if m.kind == "single"],
            BEST_SIMPLE: [m.label for m in self._methods if m.simple],
            BEST_FUSION: [m.label for m in self._methods if m.kind == "fusion"],
        }
        self.chosen_: dict[str, list[str]] = {}
        for kind, labels in kinds.items():
            if not labels:
                continue
            inner = np.array([[s.inner_score for s in self._by_method[label]] for label in labels])
            # Of equals the first: the order is that of the modalities, and from simple to not.
            best = np.where(np.isnan(inner), -np.inf, inner).argmax(axis=0)
            self.chosen_[kind] = [labels[index] for index in best]
            self._by_method[kind] = [self._by_method[labels[j]][f] for f, j in enumerate(best)]

    def scores(self, method: str, metric: str | None = None) -> NDArray[np.float64]:
        """Return the scores of one method.

        Parameters
        ----------
        method : str
            Its name in the tables, or one of those in `chosen_`.
        metric : str, default=None
            None is the first.

        Returns
        -------
        ndarray of shape (n_folds,)

        Raises
        ------
        ValueError
            If there is no such method or metric.
        """
        metric = self.conditions_.metrics[0] if metric is None else metric
        if method not in self._by_method:
            raise ValueError(f"method is {method!r}; expected one of {list(self._by_method)}.")
        if metric not in self.conditions_.metrics:
            raise ValueError(f"metric is {metric!r}; expected one of {self.conditions_.metrics}.")
        return np.array([score.scores[metric] for score in self._by_method[method]])

    def _summarise(self) -> None:
        kinds = {method.label: method.kind for method in self._methods}
        conditions = self.conditions_
        self.summary_ = []
        for label, scores in self._by_method.items():
            intervals = {
                metric: mean_interval(
                    self.scores(label, metric), conditions.test_to_train, 1 - conditions.alpha
                )
                for metric in conditions.metrics
            }
            means, lows, highs = (
                {metric: found[i] for metric, found in intervals.items()} for i in range(3)
            )
            self.summary_.append(
                Summary(
                    label,
                    kinds.get(label, "chosen"),
                    means,
                    lows,
                    highs,
                    sum(score.seconds for score in scores),
                    sum(score.n_unconverged for score in scores),
                )
            )

    def _test(self) -> None:
        fusions = [m for m in self._methods if m.kind == "fusion"]
        learned = [m.label for m in fusions if not m.simple]
        self.comparisons_ = [
            *self._family([m.label for m in fusions], BEST_SINGLE),
            *self._family(learned, BEST_SIMPLE),
        ]
        if not fusions:
            raise ValueError(
                "methods leaves nothing that fuses: "
                f"{self.not_applicable_ or 'none was asked for'}."
            )
        self.verdict_ = self._family([BEST_FUSION], BEST_SINGLE)[0]

    def _family(self, labels: Sequence[str], reference: str) -> list[Comparison]:
        """Compare methods with a reference; together they keep the error rate."""
        conditions = self.conditions_
        tests = [
            paired_test(
                conditions.test,
                self.scores(label) - self.scores(reference),
                conditions.test_to_train,
                1 - conditions.alpha,
            )
            for label in labels
        ]
        return [
            Comparison(label, reference, test, p, verdict(test.difference, p, conditions.alpha))
            for label, test, p in zip(labels, tests, holm([t.p_value for t in tests]), strict=True)
        ]

    def to_frame(self, table: str = "summary") -> Any:
        """Return a table as a pandas DataFrame.

        Parameters
        ----------
        table : {"summary", "folds", "comparisons"}, default="summary"
            Mean scores of every method; scores of every method on every fold; or tests.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ValueError
            If there is no such table.
        ImportError
            If pandas is not installed, which the package does not need otherwise.
        """
        from mkfusion.compare._frame import records

        rows = records(self, table)
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_frame() needs pandas: install it first.") from error
        return DataFrame(rows)

    def plot(self, *, ax: Any = None, metric: str | None = None) -> Any:
        """Plot every method's scores, fold by fold, and their means.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None is a new figure.
        metric : str, default=None
            None is the first.

        Returns
        -------
        matplotlib Axes
        """
        from mkfusion.compare._figure import draw_scores

        return draw_scores(self, ax, metric)

    def to_markdown(self) -> str:
        """Return verdict, tables and a paragraph on methods in Markdown.

        Returns
        -------
        str
        """
        from mkfusion.compare._markdown import as_markdown

        return as_markdown(self)

    def to_html(self, path: str | Path, *, title: str = "Does fusing help?") -> Path:
        """Write everything into one HTML file, which needs nothing else.

        Parameters
        ----------
        path : str or Path
            The file.
        title : str, default="Does fusing help?"
            Of the page.

        Returns
        -------
        Path
            The file.
        """
        from mkfusion.compare._html import as_html

        path = Path(path)
        path.write_text(as_html(self, title), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        from mkfusion.compare._tables import verdict_sentences

        return "\n".join(verdict_sentences(self))
