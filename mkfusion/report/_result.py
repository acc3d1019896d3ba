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
INTERACT = "Do modalities interact?"
ALIKE = "How alike the modalities are"
TRUSTED = "Is the data trustworthy?"
# Verdicts: for better, for no evidence, and for worse.
FUSION_VERDICTS = ("fusion helps", "no evidence that it does", "hurts")
INTERACTION_VERDICTS = ("interactions help", "no evidence that they do", "interactions hurt")


class PairedTest(NamedTuple):
    """What the differences of two methods' scores, fold by fold, say.

    Attributes
    ----------
    difference : float
        Effect size in units of the metric: the mean difference, or with signed ranks the
        Hodges-Lehmann estimate, the median of all means of two differences.
    low, high : float
        Confidence interval of the difference; infinite where there are too few folds for any.
    standardised : float
        Effect size without units: the mean difference divided by the standard deviation of the
        differences, or the matched-pairs rank-biserial correlation. NaN where all differences
        are the same.
    statistic : float
        t, or the smaller sum of ranks.
    p_value : float
        Two-sided.
    """

    difference: float
    low: float
    high: float
    standardised: float
    statistic: float
    p_value: float


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


class Interactions(NamedTuple):
    """A machine that may use interactions beside what is left of it without them.

    Attributes
    ----------
    test : PairedTest
        Of the differences: the machine's held-out score less that of its additive projection.
    verdict : {"interactions help", "no evidence that they do", "interactions hurt"}
    model, projection : ndarray of shape (n_folds,)
        Held-out scores by the first metric.
    """

    test: PairedTest
    verdict: str
    model: Floats
    projection: Floats


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
    task : {"classification", "regression"}
    y : ndarray of shape (n_samples,)
    modalities : list of Modality
    folds : list of (train, test) pairs of ndarray
    n_groups : int or None
    outer, inner : str
        The splitters.
    metrics : list of str
    methods : list of ComparedMethod
        Applicable or not.
    test : {"corrected_t", "wilcoxon"}
    alpha : float
    fast : bool
    seed : int
    audit : Audit or None
        What was found in the data before.
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
    test: str
    alpha: float
    fast: bool
    seed: int
    audit: Audit | None = None

    @property
    def test_to_train(self) -> float:
        """Test samples of a fold for each training sample of it."""
        return float(np.mean([len(test) / len(train) for train, test in self.folds]))


class Result(Protocol):
    """A finished result, as :class:`mkfusion.compare.FusionComparison` is one."""

    conditions_: Conditions
    verdict_: Comparison
    comparisons_: list[Comparison]
    summary_: list[Summary]
    results_: list[FoldScore]
    contributions_: Contributions | None
    interactions_: Interactions | None

    @property
    def chosen_(self) -> Mapping[str, Sequence[str]]:
        """By what is chosen: the method of each fold."""

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
