"""What a comparison found, and everything that can be made of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from mkfusion._files import written_beside
from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.compare._data import NothingToCompareError
from mkfusion.compare._methods import METHODS, PlannedMethod
from mkfusion.compare._questions import QUESTIONS
from mkfusion.compare._statistics import holm, mean_interval, paired_test, verdict
from mkfusion.inspection import KernelAlignment, difference_bounds, score_bounds
from mkfusion.report import (
    ALIKE,
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    Comparison,
    Conditions,
    Contributions,
    FoldScore,
    Interactions,
    Summary,
    as_html,
    as_markdown,
    draw_scores,
    verdict_sentences,
)


class FusionComparison:
    """What :func:`compare_fusion` found.

    Parameters
    ----------
    scores : list of FoldScore
        Of every method on every fold.
    conditions : Conditions
        Under which they came about.
    alignment : KernelAlignment or str, default="not measured"
        Of the modalities' kernels; a text is why there is none.

    Attributes
    ----------
    verdict_ : Comparison
        The best fusion method with the best single modality, both chosen within the training
        samples: whether fusion helps, by how much, and how sure that is.
    comparisons_ : list of Comparison
        Every fusion method with the best single modality, then all but the simple ones with the
        best simple baseline.
    contributions_ : Contributions or None
        Which modality carries it: the Shapley value of each in the score of the uniform kernel sum
        (`modalities`: for each `mean`, `low`, `high`, what it has `alone` and what it adds `last`),
        and what they sum to (`total`).
    interactions_ : Interactions or None
        Whether modalities interact: held-out scores of the machine on kernels and their products
        (`model`), of what is left of it without interactions (`projection`), and the `test` and
        `verdict` of their difference.
    alignment_ : KernelAlignment or None
        How alike the modalities' kernels are, and how like the target, over all samples.
    audit_ : DataAudit or None
        Whether the data can be trusted, :func:`mkfusion.inspection.audit`.
    not_answered_ : dict of str to str
        Which of these three there are not, and why.
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
    >>> {one.modality: round(one.mean, 2) for one in comparison.contributions_.modalities}
    {'acids': 0.15, 'colour': 0.33}
    """

    def __init__(
        self,
        scores: list[FoldScore],
        conditions: Conditions,
        alignment: KernelAlignment | str = "not measured",
    ) -> None:
        self.conditions_ = conditions
        self.audit_ = conditions.audit
        planned = cast("Sequence[PlannedMethod]", conditions.methods)
        self.not_applicable_ = {m.label: m.reason for m in planned if m.reason}
        for score in scores:
            if score.refusal and score.method not in self.not_applicable_:
                self.not_applicable_[score.method] = f"fold {score.fold}: {score.refusal}"
                warnings.warn(
                    f"{score.method} is listed as not applicable. On fold {score.fold} it says: "
                    f"{score.refusal}",
                    UserWarning,
                    stacklevel=3,
                )
        self._methods = [m for m in planned if m.label not in self.not_applicable_]
        self.results_ = [s for s in scores if s.method not in self.not_applicable_]
        self._by_method: dict[str, list[FoldScore]] = {m.label: [] for m in self._methods}
        for score in self.results_:
            self._by_method[score.method].append(score)
        if not any(method.kind == "single" for method in self._methods):
            raise NothingToCompareError(f"no modality can be learned from: {self.not_applicable_}.")
        self._choose()
        self._summarise()
        self._test()
        self._answer(alignment)

    def _choose(self) -> None:
        """Find the best of each kind by the scores within the training samples."""
        kinds = {
            BEST_SINGLE: [m.label for m in self._methods if m.kind == "single"],
            BEST_SIMPLE: [m.label for m in self._methods if m.method.simple],
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

    def scores(self, method: str, metric: str | None = None) -> Floats:
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
            raise ValueError(f"method is {shown(method)}; expected one of {list(self._by_method)}.")
        if metric not in self.conditions_.metrics:
            raise ValueError(
                f"metric is {shown(metric)}; expected one of {self.conditions_.metrics}."
            )
        return np.array([score.scores[metric] for score in self._by_method[method]])

    def _summarise(self) -> None:
        kinds = {method.label: method.kind for method in self._methods}
        conditions = self.conditions_
        self.summary_ = []
        for label, scores in self._by_method.items():
            intervals = {
                metric: mean_interval(
                    self.scores(label, metric),
                    conditions.test_to_train,
                    1 - conditions.alpha,
                    score_bounds(metric),
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
        learned = [m.label for m in fusions if not m.method.simple]
        self.comparisons_ = [
            *self._family([m.label for m in fusions], BEST_SINGLE),
            *self._family(learned, BEST_SIMPLE),
        ]
        if not fusions:
            raise NothingToCompareError(
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
                difference_bounds(conditions.metrics[0]),
            )
            for label in labels
        ]
        return [
            Comparison(label, reference, test, p, verdict(test.difference, p, conditions.alpha))
            for label, test, p in zip(labels, tests, holm([t.p_value for t in tests]), strict=True)
        ]

    def _answer(self, alignment: KernelAlignment | str) -> None:
        """Say which modality carries it, whether they interact, and how alike they are."""
        self.not_answered_: dict[str, str] = {}
        self.contributions_: Contributions | None = self._conclude("contributions")
        self.interactions_: Interactions | None = self._conclude("interactions")
        self.alignment_: KernelAlignment | None = None
        if isinstance(alignment, str):
            self.not_answered_[ALIKE] = alignment
        else:
            self.alignment_ = alignment

    def _conclude(self, key: str) -> Any:
        """Return what a method tells about a question, unless there is a reason why it cannot."""
        question = QUESTIONS[key]
        found, reason = self._answers_by_fold(key)
        if reason:
            self.not_answered_[question.title] = reason
            return None
        return question.conclude(found, self.conditions_)

    def _answers_by_fold(self, key: str) -> tuple[list[dict[str, Any]], str]:
        """Return what a method tells about each fold, or why it cannot."""
        name = next(method.key for method in METHODS.values() if method.question == key)
        planned = cast("Sequence[PlannedMethod]", self.conditions_.methods)
        asked = [method for method in planned if method.method.question == key]
        if not asked:
            return [], f'"{name}" is not among the methods that were asked for'
        label = asked[0].label
        if label in self.not_applicable_:
            return [], f"{label} is not applicable"
        found = [score.answers for score in self._by_method[label]]
        for fold, answers in enumerate(found):
            reason = answers.get("reason", "")
            if not reason and not all(np.isfinite(value).all() for value in answers.values()):
                reason = "a score is not a number"
            if reason:
                return [], f"fold {fold + 1}: {reason}"
        return found, ""

    def to_frame(self, table: str = "summary") -> Any:
        """Return a table as a pandas DataFrame.

        Parameters
        ----------
        table : {"summary", "folds", "comparisons", "contributions", "interactions"}, \
                default="summary"
            Mean scores of every method; scores of every method on every fold; tests; the Shapley
            value of every modality; or the test of interactions. The last two have no rows if they
            are in `not_answered_`.

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
        rows = _records(self, table)
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
        return draw_scores(self, ax, metric)

    def to_markdown(self) -> str:
        """Return verdict, tables and a paragraph on methods in Markdown.

        Returns
        -------
        str
        """
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
        path = Path(path)
        with written_beside(path) as file:
            file.write_text(as_html(self, title), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return "\n".join(verdict_sentences(self))


def _records(result: FusionComparison, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table.

    Parameters
    ----------
    result : FusionComparison
    table : {"summary", "folds", "comparisons", "contributions", "interactions"}

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If there is no such table.
    """
    makers = {
        "summary": _summary_records,
        "folds": _folds_records,
        "comparisons": _comparisons_records,
        "contributions": _contributions_records,
        "interactions": _interactions_records,
    }
    if table not in makers:
        raise ValueError(f"table is {shown(table)}; expected one of {list(makers)}.")
    return makers[table](result)


def _summary_records(result: FusionComparison) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in result.summary_:
        row: dict[str, Any] = {"method": one.method, "kind": one.kind}
        for metric, mean in one.means.items():
            low, high = one.lows[metric], one.highs[metric]
            row |= {metric: mean, f"{metric}_low": low, f"{metric}_high": high}
        row |= {"seconds": one.seconds, "n_unconverged": one.n_unconverged, "reason": ""}
        rows.append(row)
    reasons = result.not_applicable_.items()
    return rows + [{"method": m, "kind": "not applicable", "reason": why} for m, why in reasons]


def _folds_records(result: FusionComparison) -> list[dict[str, Any]]:
    sizes = [(len(train), len(test)) for train, test in result.conditions_.folds]
    return [
        {
            "method": score.method,
            "fold": score.fold,
            **score.scores,
            "inner_score": score.inner_score,
            "params": score.params,
            "seconds": score.seconds,
            "n_unconverged": score.n_unconverged,
            "n_train": sizes[score.fold - 1][0],
            "n_test": sizes[score.fold - 1][1],
        }
        for score in result.results_
    ]


def _comparisons_records(result: FusionComparison) -> list[dict[str, Any]]:
    found = [result.verdict_, *result.comparisons_]
    return [
        {
            "method": one.method,
            "reference": one.reference,
            **one.test._asdict(),
            "p_adjusted": one.p_adjusted,
            "verdict": one.verdict,
        }
        for one in found
    ]


def _contributions_records(result: FusionComparison) -> list[dict[str, Any]]:
    found = result.contributions_
    if found is None:
        return []
    return [
        {
            "modality": one.modality,
            "contribution": one.mean,
            "low": one.low,
            "high": one.high,
            "alone": one.alone,
            "last": one.last,
        }
        for one in found.modalities
    ]


def _interactions_records(result: FusionComparison) -> list[dict[str, Any]]:
    found = result.interactions_
    if found is None:
        return []
    return [
        {
            "model": found.model.mean(),
            "projection": found.projection.mean(),
            **found.test._asdict(),
            "verdict": found.verdict,
        }
    ]
