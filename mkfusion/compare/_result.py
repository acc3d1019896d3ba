"""What a comparison found, and everything that can be made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mkfusion._files import write_rows, written_beside
from mkfusion._messages import shown
from mkfusion._tables import load_pandas
from mkfusion._types import Floats
from mkfusion.compare._answers import (
    contributions_records,
    features_records,
    information_records,
    interactions_records,
    tested,
)
from mkfusion.compare._data import NothingToCompareError
from mkfusion.compare._methods import METHODS, PlannedMethod
from mkfusion.compare._performance import (
    Performance,
    by_subgroup,
    confusion_records,
    performance_of,
    performance_records,
    subgroup_records,
    weights_of,
    weights_records,
)
from mkfusion.compare._questions import QUESTIONS, UNINFORMED, Informed
from mkfusion.compare._statistics import (
    corrected_t_test,
    fold_loss,
    knowing_nothing,
    mean_interval,
    samples_needed,
    state,
)
from mkfusion.inspection import (
    UNBOUNDED,
    AddedInformation,
    Bounds,
    FeatureImportance,
    InteractionInformation,
    KernelAlignment,
    difference_bounds,
    holm,
    score_bounds,
)
from mkfusion.report import (
    ALIKE,
    BEST_FUSION,
    BEST_SIMPLE,
    BEST_SINGLE,
    BETTER,
    FEATURES,
    INFORMS,
    INTERACT,
    INTERACTING,
    LOWER,
    NOTHING,
    UNDECIDED,
    Comparison,
    Conditions,
    Contributions,
    FoldScore,
    HeldOut,
    Interactions,
    PairedTest,
    Predictions,
    Subgroup as Subgroup,
    Summary,
    Verdict,
    as_html,
    as_json,
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
    informed : Informed
        What the modalities say of the target.
    ask_features : callable, default=None
        From the place of the modality that carries it, and C of the uniform kernel sum in each
        fold, to which of its features matter, or why that is not told.

    Attributes
    ----------
    verdict_ : Verdict
        Whether fusion helps (`verdict`), by how much and how sure that is: of the best fusion
        method with the best single modality, both chosen within the training samples.
    information_ : AddedInformation or None
        Whether each modality says what the others do not, of
        :func:`mkfusion.inspection.added_information`: the first of the two tests that the verdict
        goes by.
    comparisons_ : list of Comparison
        Every fusion method with the best single modality, then all but the simple ones with the
        best simple baseline.
    contributions_ : Contributions or None
        Which modality carries it: the Shapley value of each in the score of the uniform kernel sum
        (`modalities`: for each `mean`, `low`, `high`, what it has `alone` and what it adds `last`),
        and what they sum to (`total`).
    features_ : FeatureImportance or None
        Which features of the modality that carries it the uniform kernel sum goes by, of
        :func:`mkfusion.inspection.feature_importance`.
    interactions_ : Interactions or None
        Whether modalities interact (`verdict`, `p_value`), by
        :func:`mkfusion.inspection.interaction_information`; and what that is good for
        (`projected`): held-out scores of the machine on kernels and their products (`model`), of
        what is left of it without interactions (`projection`), and the `test` of their difference.
    alignment_ : KernelAlignment or None
        How alike the modalities' kernels are, and how like the target, over all samples.
    audit_ : DataAudit or None
        Whether the data can be trusted, :func:`mkfusion.inspection.audit`.
    not_answered_ : dict of str to str
        Which of these there are not, and why.
    results_ : list of FoldScore
        Scores of every method on every fold, with what was chosen for it.
    predictions_ : Predictions
        What every method says of the samples of each fold that it did not see: `method`, `repeat`,
        `fold`, `row`, `y`, `prediction`, and for classes `probabilities`.
    weights_ : list of KernelWeights
        The kernel weights of every `method` that learns some, as shares, `by_fold`, and `by_class`
        where each has its own. A weight is not importance.
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
    'complementary'
    >>> comparison.chosen_["best single modality"]
    ['colour alone', 'colour alone', 'colour alone', 'colour alone', 'colour alone']
    >>> acids, colour = comparison.contributions_.modalities  # the colour carries more of it
    >>> 0 < acids.mean < colour.mean
    True
    """

    def __init__(
        self,
        scores: list[FoldScore],
        conditions: Conditions,
        alignment: KernelAlignment | str = "not measured",
        informed: Informed = UNINFORMED,
        ask_features: Callable[[int, list[float]], FeatureImportance | str] | None = None,
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
        self.predictions_ = _gathered(self._by_method, conditions)
        self.weights_ = weights_of(self)
        self._performances: dict[str, Performance] = {}
        self._subgroups: dict[str, list[Subgroup]] = {}
        self._summarise()
        self.not_answered_: dict[str, str] = {}
        self.information_: AddedInformation | None = None
        if isinstance(informed.added, str):
            self.not_answered_[INFORMS] = informed.added
        else:
            self.information_ = informed.added
        self._test()
        self._answer(alignment, informed)
        self.features_: FeatureImportance | None = None
        if ask_features is not None and self.contributions_ is not None:
            self.features_ = self._features(self.contributions_, ask_features)

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

    def performance(self, method: str = BEST_FUSION) -> Performance:
        """Return how good the predictions of one method are, on the samples that it did not see.

        Parameters
        ----------
        method : str, default="best fusion method"
            Its name in the tables, or one of those in `chosen_`.

        Returns
        -------
        ClassificationPerformance, RegressionPerformance or SurvivalPerformance
            Discrimination, calibration and errors, with intervals.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        self.scores(method)  # refuses what is none
        if method not in self._performances:
            told = self.predictions_.of(method)
            self._performances[method] = performance_of(told, self.conditions_)
        return self._performances[method]

    def subgroups(self, method: str = BEST_FUSION) -> list[Subgroup]:
        """Return how good the predictions of one method are for each subgroup.

        Parameters
        ----------
        method : str, default="best fusion method"
            Its name in the tables, or one of those in `chosen_`.

        Returns
        -------
        list of Subgroup
            Of the `subgroups` of :func:`compare_fusion`, and of the patterns of missing modalities
            if there are some: `grouping`, `label`, `n_samples` and `measures`; of survival also
            `n_events`, and why there are no measures (`refused`).

        Raises
        ------
        ValueError
            If there is no such method.
        """
        self.scores(method)
        if method not in self._subgroups:
            told = self.predictions_.of(method)
            self._subgroups[method] = by_subgroup(told, self.conditions_)
        return list(self._subgroups[method])

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

    def losses(self, method: str) -> Floats:
        """Return the losses of one method: what is tested.

        Parameters
        ----------
        method : str
            As for `scores`, or "no modality" for what can be said without looking at any.

        Returns
        -------
        ndarray of shape (n_folds,)
            Log-loss of probabilities; of numbers the squared error, in units of the variance of
            all targets; of survival the integrated Brier score. NaN where there are no
            probabilities.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        conditions = self.conditions_
        y, task = conditions.y, (conditions.task == "classification", conditions.times)
        if method == NOTHING:
            told: list[HeldOut | None] = [
                knowing_nothing(y, *fold, *task) for fold in conditions.folds
            ]
        elif method in self._by_method:
            told = [score.held_out for score in self._by_method[method]]
        else:
            expected = [*self._by_method, NOTHING]
            raise ValueError(f"method is {shown(method)}; expected one of {expected}.")
        pairs = zip(told, conditions.folds, strict=True)
        return np.array(
            [
                np.nan if one is None else fold_loss(one, y, train, *task)
                for one, (train, _) in pairs
            ]
        )

    def _test(self) -> None:
        fusions = [m for m in self._methods if m.kind == "fusion"]
        if not fusions:
            raise NothingToCompareError.of_fusion(self.not_applicable_)
        learned = [m.label for m in fusions if not m.method.simple]
        self.verdict_ = self._verdict()
        self.comparisons_ = [
            *self._family([m.label for m in fusions], BEST_SINGLE),
            *self._family(learned, BEST_SIMPLE),
        ]

    def _saved(self, method: str, reference: str) -> PairedTest:
        """Test whether a method has less loss than a reference."""
        return self._compared(self.losses(reference) - self.losses(method))

    def _gained(self, method: str, reference: str) -> PairedTest:
        """Test whether a method has more of the first metric than a reference."""
        bounds = difference_bounds(self.conditions_.metrics[0])
        return self._compared(self.scores(method) - self.scores(reference), bounds)

    def _compared(self, differences: Floats, bounds: Bounds = UNBOUNDED) -> PairedTest:
        conditions = self.conditions_
        return corrected_t_test(differences, conditions.test_to_train, conditions.alpha, bounds)

    def _verdict(self) -> Verdict:
        """Test information and prediction, in this order."""
        conditions, added = self.conditions_, self.information_
        information = None if added is None else added.pvalue
        single, nothing = (self._saved(BEST_FUSION, one) for one in (BEST_SINGLE, NOTHING))
        metric = self._gained(BEST_FUSION, BEST_SINGLE)
        found = state(information, single, nothing, metric, conditions.alpha, conditions.sesoi)
        against_nothing = nothing.p_value > single.p_value and found != LOWER
        hardest = nothing if against_nothing else single
        return Verdict(
            found,
            information,
            single,
            nothing,
            float(np.maximum(single.p_value, nothing.p_value)),
            metric,
            NOTHING if against_nothing else BEST_SINGLE,
            samples_needed(len(conditions.y), hardest),
        )

    def _family(self, labels: Sequence[str], reference: str) -> list[Comparison]:
        """Compare methods with a reference; together they keep the error rate."""
        tests = [self._saved(label, reference) for label in labels]
        higher = np.array([test.p_value for test in tests])
        alpha = self.conditions_.alpha
        if reference == BEST_SINGLE:
            nothing = [self._saved(label, NOTHING).p_value for label in labels]
            higher = np.maximum(higher, nothing)
        lower = holm([1 - test.p_value for test in tests])
        # A claim about modalities, not methods: in sequence as that of the verdict.
        informed = self.verdict_.information is None or self.verdict_.information < alpha
        open_to_claims = informed or reference != BEST_SINGLE
        found = []
        for label, test, p, adjusted, below in zip(
            labels, tests, higher.tolist(), holm(higher.tolist()), lower, strict=True
        ):
            words = BETTER if adjusted < alpha and open_to_claims else UNDECIDED
            words = LOWER if below < alpha else words
            metric = self._gained(label, reference)
            found.append(Comparison(label, reference, test, metric, p, adjusted, words))
        return found

    def _answer(self, alignment: KernelAlignment | str, informed: Informed) -> None:
        """Say which modality carries it, whether they interact, and how alike they are."""
        self.contributions_: Contributions | None = self._conclude("contributions")
        self.interactions_: Interactions | None = self._interactions(informed.interacting)
        self.alignment_: KernelAlignment | None = None
        if isinstance(alignment, str):
            self.not_answered_[ALIKE] = alignment
        else:
            self.alignment_ = alignment

    def _features(
        self, found: Contributions, ask: Callable[[int, list[float]], FeatureImportance | str]
    ) -> FeatureImportance | None:
        """Ask for the features of the modality that carries it, if anything is carried."""
        told: FeatureImportance | str = "the modalities together are not surely worth anything"
        if found.low > 0:
            means = [one.mean for one in found.modalities]
            label = next(m.label for m in self._methods if m.method.question == "contributions")
            costs = [score.params["C"] for score in self._by_method[label]]
            told = ask(int(np.argmax(means)), costs)
        if isinstance(told, str):
            self.not_answered_[FEATURES] = told
            return None
        return told

    def _interactions(self, told: InteractionInformation | str) -> Interactions | None:
        """Bring together whether modalities interact, and what that is good for."""
        projected = self._conclude("interactions")
        if not isinstance(told, str):
            words = INTERACTING if told.pvalue < self.conditions_.alpha else UNDECIDED
            return Interactions(words, told.pvalue, "", told.warnings, projected)
        if projected is not None:
            return Interactions(UNDECIDED, float("nan"), told, (), projected)
        self.not_answered_[INTERACT] = told
        return None

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
        table : {"summary", "folds", "comparisons", "information", "contributions", \
            "features", "interactions", "predictions", "performance", "confusion", "subgroups", \
            "weights"}, default="summary"
            Mean scores of every method; scores of every method on every fold; tests of prediction,
            the verdict's first; tests of information; the Shapley value of every modality; what is
            lost without every feature of the one that carries it, and its pattern; the test of
            interactions; what every method says of every sample that it did not see; how good that
            is, which classes are taken for which, and by subgroup; or the kernel weights that
            methods have learned. Those of questions have no rows if they are in `not_answered_`.

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
        return load_pandas().DataFrame(rows)

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

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no such metric.
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

    def to_json(self, path: str | Path) -> Path:
        """Write all results, settings and versions, the call and a fingerprint of the data.

        Parameters
        ----------
        path : str or Path
            The file. Any reader of JSON reads it; numbers that are none are null, and infinite ones
            the texts "Infinity" and "-Infinity".

        Returns
        -------
        Path
            The file. Predictions are in that of :meth:`to_predictions`.
        """
        path = Path(path)
        with written_beside(path) as file:
            file.write_text(as_json(self), encoding="utf-8")
        return path

    def to_predictions(self, path: str | Path) -> Path:
        """Write what every method says of every sample that it did not see.

        Parameters
        ----------
        path : str or Path
            The file: a table in CSV, or in Parquet if it ends in .parquet, which needs pandas and
            pyarrow.

        Returns
        -------
        Path
            The file, with the rows of ``to_frame("predictions")``.

        Raises
        ------
        ValueError
            If the file's name ends in anything else.
        ImportError
            If pandas or pyarrow is needed and not installed.
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in (".csv", ".parquet"):
            raise ValueError(f"path is {shown(str(path))}; expected a .csv or .parquet file.")
        with written_beside(path) as file:
            if ending == ".parquet":
                self.to_frame("predictions").to_parquet(file, index=False)
            else:
                write_rows(file, _records(self, "predictions"))
        return path

    def __repr__(self) -> str:
        return "\n".join(verdict_sentences(self))


def _records(result: FusionComparison, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table.

    Parameters
    ----------
    result : FusionComparison
    table : str
        As :meth:`FusionComparison.to_frame` takes it.

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
        "information": information_records,
        "contributions": contributions_records,
        "features": features_records,
        "interactions": interactions_records,
        "predictions": _predictions_records,
        "performance": performance_records,
        "confusion": confusion_records,
        "subgroups": subgroup_records,
        "weights": weights_records,
    }
    if table not in makers:
        raise ValueError(f"table is {shown(table)}; expected one of {list(makers)}.")
    return makers[table](result)


def _gathered(by_method: dict[str, list[FoldScore]], conditions: Conditions) -> Predictions:
    """Put what all methods say of all folds one below the other."""
    kept = [
        (label, score.fold, score.held_out)
        for label, scores in by_method.items()
        for score in scores
        if score.held_out is not None
    ]
    sizes = [len(told.rows) for _, _, told in kept]
    repeats = np.array(conditions.repeats, dtype=np.intp)
    folds = np.array([fold for _, fold, _ in kept], dtype=np.intp)
    rows = _joined([told.rows for _, _, told in kept], np.intp)
    classes = np.unique(conditions.y) if conditions.task == "classification" else None
    columns = classes if conditions.times is None else conditions.times
    return Predictions(
        np.repeat(np.array([label for label, _, _ in kept], dtype=object), sizes),
        np.repeat(repeats[folds - 1], sizes),
        np.repeat(folds, sizes),
        rows,
        conditions.y[rows],
        _joined([told.predictions for _, _, told in kept], conditions.y.dtype),
        None if columns is None else _chances([told for _, _, told in kept], len(columns)),
        classes,
        conditions.ids,
    )


def _joined(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def _chances(told: list[HeldOut], n_classes: int) -> Floats:
    unknown = [np.full((len(one.rows), n_classes), np.nan) for one in told]
    known = [one.probabilities for one in told]
    pairs = zip(known, unknown, strict=True)
    found = [nan if chances is None else chances for chances, nan in pairs]
    return np.vstack(found) if found else np.empty((0, n_classes))


def _predictions_records(result: FusionComparison) -> list[dict[str, Any]]:
    found = result.predictions_
    columns: dict[str, Any] = {
        "method": found.method,
        "repeat": found.repeat,
        "fold": found.fold,
        "row": found.row,
    }
    if found.ids is not None:
        columns["id"] = found.ids[found.row]
    if result.conditions_.times is not None:
        columns |= {name: found.y[name] for name in ("event", "time")}
        columns["risk"] = found.prediction
    else:
        columns |= {"y": found.y, "prediction": found.prediction}
    if found.probabilities is not None and found.classes is not None:
        for label, chances in zip(found.classes.tolist(), found.probabilities.T, strict=True):
            columns[f"probability of {label}"] = chances
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


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
    losses = {one: result.losses(one) for one in {score.method for score in result.results_}}
    return [
        {
            "method": score.method,
            "fold": score.fold,
            **score.scores,
            result.conditions_.loss: losses[score.method][score.fold - 1],
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
    found = result.verdict_
    first = Comparison(
        BEST_FUSION,
        found.reference,
        found.test,
        found.metric,
        found.p_value,
        found.p_value,
        found.verdict,
    )
    return [
        {
            "method": one.method,
            "reference": one.reference,
            **tested(one.test),
            "p_value": one.p_value,
            "p_adjusted": one.p_adjusted,
            "verdict": one.verdict,
            **tested(one.metric, "metric_"),
        }
        for one in [first, *result.comparisons_]
    ]
