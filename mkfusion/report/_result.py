"""What a report is made from: a finished comparison as plain records, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mkfusion._types import Floats, Indices

# What is chosen anew in each fold, and the questions, as tables call them.
BEST_SINGLE = "best single modality"
BEST_SIMPLE = "best simple baseline"
BEST_FUSION = "best fusion method"
CARRIES = "Which modality carries it"
FEATURES = "Which features of it"
INTERACT = "Do modalities interact?"
WORTH = "What interactions are good for"
ALIKE = "How alike the modalities are"
INFORMS = "Does each modality say what the others do not?"
NOTHING = "no modality"
# What a comparison may find.
HELPS = "helps"
COMPLEMENTARY = "complementary"
UNDECIDED = "undecided"
PRACTICALLY_NONE = "practically none"
LOWER = "lower"
STATES = (HELPS, COMPLEMENTARY, UNDECIDED, PRACTICALLY_NONE, LOWER)
# What is tested, by the task.
LOSSES = {
    "classification": "log-loss",
    "regression": "squared error",
    "survival": "integrated Brier score",
}
# What is said of single methods, and of interactions.
BETTER = "better"
INTERACTING = "they interact"
TRUSTED = "Is the data trustworthy?"


class PairedTest(NamedTuple):
    """What the differences of two methods, fold by fold, say of whether one is better.

    Attributes
    ----------
    difference : float
        The mean; above 0 the method is better than its reference.
    low, high : float
        Interval that goes with the one-sided test, of 1 - 2 alpha (90 %): `low` is above 0 where
        `p_value` is below alpha.
    low_wide, high_wide : float
        Interval of 1 - alpha (95 %).
    standard_error : float
        Of the difference, corrected for what folds have in common. NaN where it is not known.
    statistic : float
        t.
    p_value : float
        One-sided, of "it is not better".
    detectable : float
        The difference that would be found four times in five. NaN where it is not known.
    """

    difference: float
    low: float
    high: float
    low_wide: float
    high_wide: float
    standard_error: float
    statistic: float
    p_value: float
    detectable: float


class HeldOut(NamedTuple):
    """What a method says of samples that it did not see.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Which of all samples, from 0.
    predictions : ndarray of shape (n_rows,)
        Labels, or numbers.
    probabilities : ndarray of shape (n_rows, n_classes) or None
        Of all classes, in sorted order; None for numbers, or where there are none. Of survival:
        to survive each of the times of the comparison.
    """

    rows: Indices
    predictions: NDArray[Any]
    probabilities: Floats | None


class FoldScore(NamedTuple):
    """How one method did on one fold.

    Attributes
    ----------
    method : str
    fold : int
        Counted from 1.
    scores : dict of str to float
        On the test samples, by metric.
    inner_score : float
        The first metric within the training samples, at the values that were chosen by it.
    params : dict
        These values.
    seconds : float
        Tuning included; kernels and what is shared with other methods left out.
    n_unconverged : int
        Fits that warned that they did not converge.
    refusal : str
        Why there are no scores; empty where there are.
    answers : dict
        What else the method tells about the fold; a "reason" in it is why it cannot.
    held_out : HeldOut or None
        What it says of the test samples; None where it refused.
    weights : ndarray of shape (n_modalities,) or (n_classes, n_modalities), or None
        Each modality's share of the kernel weights, of each class where classes have their own
        (NaN of one that training samples lack); None where it learns none.
    """

    method: str
    fold: int
    scores: dict[str, float]
    inner_score: float
    params: dict[str, Any]
    seconds: float
    n_unconverged: int = 0
    refusal: str = ""
    answers: dict[str, Any] = {}
    held_out: HeldOut | None = None
    weights: Floats | None = None


class Predictions(NamedTuple):
    """What every method says of the samples that it did not see: one row for each of both.

    Attributes
    ----------
    method : ndarray of shape (n,)
        The names in the tables, of those that are chosen in each fold as well.
    repeat : ndarray of shape (n,)
        Counted from 1: which time the sample is tested, if folds are drawn several times.
    fold : ndarray of shape (n,)
        Counted from 1.
    row : ndarray of shape (n,)
        Which sample, from 0.
    y : ndarray of shape (n,)
        Its true label or number.
    prediction : ndarray of shape (n,)
    probabilities : ndarray of shape (n, n_classes) or None
        NaN where a method has none; None for numbers. Where a classifier has none of its own,
        they are calibrated within the training samples of the fold.
    classes : ndarray of shape (n_classes,) or None
        What their columns are of.
    ids : ndarray of shape (n_samples,) or None
        What the user calls the samples: ``ids[row]`` for each row.
    """

    method: NDArray[Any]
    repeat: Indices
    fold: Indices
    row: Indices
    y: NDArray[Any]
    prediction: NDArray[Any]
    probabilities: Floats | None
    classes: NDArray[Any] | None
    ids: NDArray[Any] | None

    def of(self, method: str, repeat: int | None = None) -> Predictions:
        """Return the rows of one method.

        Parameters
        ----------
        method : str
        repeat : int, default=None
            Only one of the repeats; None is all of them.

        Returns
        -------
        Predictions
        """
        chosen = self.method == method
        if repeat is not None:
            chosen &= self.repeat == repeat
        return self._replace(
            method=self.method[chosen],
            repeat=self.repeat[chosen],
            fold=self.fold[chosen],
            row=self.row[chosen],
            y=self.y[chosen],
            prediction=self.prediction[chosen],
            probabilities=None if self.probabilities is None else self.probabilities[chosen],
        )


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
        Loss saved.
    metric : PairedTest
        Differences of the first metric.
    p_value : float
        Of `test`; with the best single modality as reference, the larger of it and that against
        knowing nothing.
    p_adjusted : float
        By Holm's method, within the comparisons with the same reference.
    verdict : {"better", "undecided", "lower"}
    """

    method: str
    reference: str
    test: PairedTest
    metric: PairedTest
    p_value: float
    p_adjusted: float
    verdict: str


class Verdict(NamedTuple):
    """Whether fusion helps: the best fusion method beside the best single modality.

    Attributes
    ----------
    verdict : {"helps", "complementary", "undecided", "practically none", "lower"}
        "helps": the modalities carry information that no single one has, and fusion predicts
        better with it. "complementary": they do, but fusion does not surely predict better with
        this many samples. "undecided": neither was found. "practically none": the difference of
        the metric is surely below `sesoi`. "lower": fusion surely predicts worse with this many
        samples.
    information : float or None
        p value of "a single modality says all". None where it was not tested.
    single, nothing : PairedTest
        Loss saved against the best single modality, and against knowing nothing.
    p_value : float
        Of "fusion does not predict better than both": the larger of theirs.
    metric : PairedTest
        Difference of the first metric to the best single modality.
    reference : str
        Of the two that one against which less is proved: `test` is against it.
    n_needed : float
        With how many samples the effect seen in `test` would be found four times in five; infinite
        where there was none.
    """

    verdict: str
    information: float | None
    single: PairedTest
    nothing: PairedTest
    p_value: float
    metric: PairedTest
    reference: str
    n_needed: float

    @property
    def test(self) -> PairedTest:
        """Loss saved against the reference."""
        return self.nothing if self.reference == NOTHING else self.single


class Share(NamedTuple):
    """What one modality contributes to the score.

    Attributes
    ----------
    modality : str
    mean, low, high : float
        Shapley value and its confidence interval, in units of the first metric.
    alone : float
        What it scores alone above knowing nothing: what it adds if it comes first.
    last : float
        What it adds to all others.
    by_fold : ndarray of shape (n_folds,)
        Shapley values.
    """

    modality: str
    mean: float
    low: float
    high: float
    alone: float
    last: float
    by_fold: Floats


class Contributions(NamedTuple):
    """How the score of all modalities is shared among them.

    Attributes
    ----------
    modalities : list of Share
    nothing : float
        Mean score of knowing none of them.
    together : float
        Mean score with all of them: the uniform kernel sum's.
    total, low, high : float
        Their difference, which the Shapley values sum to, and its confidence interval.
    clear : bool
        Whether the largest share is surely the largest: by the test of the result, corrected
        for the number of pairs.
    exact : bool
        Whether all subsets were fitted; if not, random orders in each fold.
    """

    modalities: list[Share]
    nothing: float
    together: float
    total: float
    low: float
    high: float
    clear: bool
    exact: bool


class Projected(NamedTuple):
    """A machine that may use interactions beside what is left of it without them.

    Attributes
    ----------
    test : PairedTest
        Of the differences: the machine's held-out score less that of its additive projection.
    model, projection : ndarray of shape (n_folds,)
        Held-out scores by the first metric.
    """

    test: PairedTest
    model: Floats
    projection: Floats


class Interactions(NamedTuple):
    """Whether modalities interact, and what that is good for.

    Attributes
    ----------
    verdict : {"they interact", "undecided"}
        By the test of information.
    p_value : float
        Of "they add up". NaN where it was not tested.
    reason : str
        Why it was not; empty where it was.
    warnings : sequence of str
        What limits the answer.
    projected : Projected or None
        What a machine owes to interactions; None where it was not asked.
    """

    verdict: str
    p_value: float
    reason: str
    warnings: Sequence[str]
    projected: Projected | None


class Added(Protocol):
    """What modalities say beyond each other: of `mkfusion.inspection.added_information`."""

    @property
    def modality_names(self) -> Sequence[str]: ...

    @property
    def pvalue(self) -> float:
        """Of "a single modality says all"."""

    @property
    def single_pvalues(self) -> Floats:
        """Of "all others add nothing to this one"."""

    @property
    def pvalues(self) -> Floats:
        """Of "this one adds nothing to all others"."""

    @property
    def adjusted_pvalues(self) -> Floats:
        """These by Holm's method."""

    @property
    def n_samples(self) -> int:
        """How many were looked at."""

    @property
    def warnings(self) -> Sequence[str]:
        """What limits the answers."""


class Features(Protocol):
    """Which features of a modality matter: what `mkfusion.inspection.feature_importance` finds."""

    @property
    def modality(self) -> str: ...

    @property
    def feature_names(self) -> Sequence[str]: ...

    @property
    def group_names(self) -> Sequence[str]: ...

    @property
    def grouped(self) -> bool:
        """Whether features were shuffled in groups."""

    @property
    def members(self) -> Sequence[Sequence[int]]: ...

    @property
    def coherences(self) -> Floats: ...

    @property
    def importances(self) -> Floats: ...

    @property
    def intervals(self) -> Floats: ...

    @property
    def repeats(self) -> Floats: ...

    @property
    def top_frequencies(self) -> Floats: ...

    @property
    def patterns(self) -> Floats: ...

    @property
    def pattern_deviations(self) -> Floats: ...

    @property
    def outputs(self) -> Sequence[str]: ...

    def ranking(self) -> list[int]:
        """Return the groups, the most important first."""

    def strongest(self, count: int) -> list[tuple[int, int]]:
        """Return (feature, output) pairs, those that go with the response most first."""


class Alignment(Protocol):
    """How alike kernels are: what `mkfusion.inspection.kernel_alignment` finds."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def alignment(self) -> Floats: ...

    @property
    def target(self) -> Floats | None: ...


class Modality(Protocol):
    """What is said of a modality."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> str:
        """Of its data, in words."""

    @property
    def kernel(self) -> Any: ...

    @property
    def n_missing(self) -> int:
        """Samples that lack it."""


class ComparedMethod(Protocol):
    """What is said of a method."""

    @property
    def label(self) -> str:
        """In tables."""

    @property
    def kind(self) -> str:
        """One of "baseline", "single" and "fusion"."""

    @property
    def plain(self) -> bool:
        """Whether it is a linear model of columns, without any kernel."""

    @property
    def words(self) -> str:
        """In a paragraph on methods."""

    @property
    def reference(self) -> str:
        """Where it is from; may be empty."""

    @property
    def simple(self) -> bool:
        """Whether the best simple baseline may be it."""


class Grouping(NamedTuple):
    """Which subgroup each sample is in.

    Attributes
    ----------
    name : str
    labels : list of str
    codes : ndarray of shape (n_samples,)
        Places of the samples' labels.
    """

    name: str
    labels: list[str]
    codes: Indices


class Subgroup(NamedTuple):
    """How good the predictions for a subgroup are, as ``FusionComparison.subgroups`` returns it.

    Attributes
    ----------
    grouping : str
        What the samples are grouped by.
    label : str
        What those of this subgroup have there.
    n_samples : int
        How many these are.
    measures : dict of str to Measure
        As of all samples; empty where there are too few of them.
    n_events : int or None
        Of survival: how many of them had an event.
    refused : str
        Of survival: why some measures are not there; else empty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mkfusion import compare_fusion
    >>> X, y = load_iris(return_X_y=True)
    >>> half = ["first", "second"] * 75
    >>> given = {"methods": ["uniform"], "cv": 2, "fast": True, "subgroups": {"half": half}}
    >>> comparison = compare_fusion(X, y, [("sepal", [0, 1]), ("petal", [2, 3])], **given)
    >>> for found in comparison.subgroups():
    ...     print(found.grouping, found.label, found.n_samples, "accuracy" in found.measures)
    half first 75 True
    half second 75 True
    """

    grouping: str
    label: str
    n_samples: int
    measures: Mapping[str, Measure]
    n_events: int | None = None
    refused: str = ""


class KernelWeights(NamedTuple):
    """The kernel weights that a method has learned.

    Attributes
    ----------
    method : str
    by_fold : ndarray of shape (n_folds, n_modalities)
        Shares, which sum to one in each fold: where classes have their own, the mean over them.
    by_class : ndarray of shape (n_folds, n_classes, n_modalities) or None
        Those of each class, in sorted order, NaN where no training sample of the fold is of it;
        None where one vector is for all.
    """

    method: str
    by_fold: Floats
    by_class: Floats | None = None


class Measure(Protocol):
    """A measure of performance, as :class:`mkfusion.inspection.Measure` is one."""

    @property
    def value(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...

    @property
    def nothing(self) -> float:
        """What knowing nothing has."""

    @property
    def best(self) -> float:
        """What perfect predictions have."""


class Performance(Protocol):
    """How good predictions are, as :class:`mkfusion.inspection.ClassificationPerformance` says.

    That of numbers has `measures` and `calibration_curve` alone, that of survival `measures`.
    """

    @property
    def measures(self) -> Mapping[str, Measure]: ...

    @property
    def classes(self) -> NDArray[Any]: ...

    @property
    def by_class(self) -> Sequence[Mapping[str, Measure]]: ...

    @property
    def confusion(self) -> Floats: ...

    def roc_curve(self, label: Any = None) -> Floats:
        """Return points (n_points, 4)."""

    def precision_recall_curve(self, label: Any = None) -> Floats:
        """Return points (n_points, 4)."""

    def calibration_curve(self, label: Any = None) -> Floats:
        """Return points (n_bins, 5)."""


class Found(Protocol):
    """What an audit of data tells."""

    @property
    def level(self) -> str:
        """One of "serious", "warning" and "note"."""

    @property
    def what(self) -> str: ...

    @property
    def advice(self) -> str: ...


class Audit(Protocol):
    """What `mkfusion.inspection.audit` finds."""

    @property
    def findings(self) -> Sequence[Found]:
        """The most serious first."""

    def summary(self) -> str:
        """Return it in one sentence."""


class Conditions(NamedTuple):
    """Under which conditions methods were compared.

    Attributes
    ----------
    task : {"classification", "regression", "survival"}
    y : ndarray of shape (n_samples,)
    modalities : list of Modality
    folds : list of (train, test) pairs of ndarray
    n_groups : int or None
    outer, inner : str
        The splitters.
    metrics : list of str
    methods : list of ComparedMethod
        Applicable or not.
    alpha : float
        Error rate of a claim.
    fast : bool
    seed : int
    ids : ndarray of shape (n_samples,) or None
        What the user calls the samples.
    sesoi : float or None
        Smallest effect size of interest: the difference of the first metric below which fusion
        makes practically none.
    groups : ndarray of shape (n_samples,) or None
    groupings : list of Grouping
        The subgroups that were asked for, and the patterns of missing modalities if there are some.
    fingerprint : str
        Of modalities and target: the same for the same data.
    call : str
        What was called.
    audit : Audit or None
        What was found in the data before.
    times : ndarray of shape (n_times,) or None
        At which predicted survival is compared with what was seen; None for other tasks.
    """

    task: str
    y: NDArray[Any]
    modalities: Sequence[Modality]
    folds: Sequence[tuple[Indices, Indices]]
    n_groups: int | None
    outer: str
    inner: str
    metrics: list[str]
    methods: Sequence[ComparedMethod]
    alpha: float
    fast: bool
    seed: int
    ids: NDArray[Any] | None = None
    sesoi: float | None = None
    groups: NDArray[Any] | None = None
    groupings: Sequence[Grouping] = ()
    fingerprint: str = ""
    call: str = ""
    audit: Audit | None = None
    times: Floats | None = None

    @property
    def test_to_train(self) -> float:
        """Test samples of a fold for each training sample of it."""
        return float(np.mean([len(test) / len(train) for train, test in self.folds]))

    @property
    def loss(self) -> str:
        """What is tested, the lower the better."""
        return LOSSES[self.task]

    @property
    def repeats(self) -> list[int]:
        """Which time samples are tested, of each fold: 1, and more where they are drawn again."""
        seen: set[int] = set()
        numbers = [1] if self.folds else []
        for k, (_, test) in enumerate(self.folds):
            again = not seen.isdisjoint(test.tolist())
            if k:
                numbers.append(numbers[-1] + again)
            seen = set(test.tolist()) | (set() if again else seen)
        return numbers


class Result(Protocol):
    """A finished result, as :class:`mkfusion.compare.FusionComparison` is one."""

    conditions_: Conditions
    verdict_: Verdict
    comparisons_: list[Comparison]
    summary_: list[Summary]
    results_: list[FoldScore]
    predictions_: Predictions
    weights_: list[KernelWeights]
    contributions_: Contributions | None
    interactions_: Interactions | None

    @property
    def chosen_(self) -> Mapping[str, Sequence[str]]:
        """By what is chosen: the method of each fold."""

    @property
    def information_(self) -> Added | None: ...

    @property
    def features_(self) -> Features | None: ...

    @property
    def alignment_(self) -> Alignment | None: ...

    @property
    def not_applicable_(self) -> Mapping[str, str]:
        """Methods, and why."""

    @property
    def not_answered_(self) -> Mapping[str, str]:
        """Questions, and why."""

    def scores(self, method: str, metric: str | None = None) -> Floats:
        """Return a method's scores (n_folds,) by a metric, the first if there is none."""

    def losses(self, method: str) -> Floats:
        """Return a method's losses (n_folds,), or those of knowing nothing ("no modality")."""

    def performance(self, method: str) -> Any:
        """Return the :class:`Performance` of a method on samples that it did not see."""

    def subgroups(self, method: str) -> Sequence[Subgroup]:
        """Return the same for each subgroup."""
