"""The comparison: every method on the same folds, and how far it is."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from inspect import signature
from typing import Any, NamedTuple, TypeVar

import joblib
import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as RichProgress,
    TextColumn,
    TimeElapsedColumn,
)
from sklearn.model_selection import TimeSeriesSplit
from sklearn.utils.parallel import delayed

from mkfusion._parallel import in_turn
from mkfusion._repeated import Once, heard
from mkfusion.compare._call import described_call
from mkfusion.compare._data import (
    NothingToCompareError,
    Samples,
    Setting,
    as_modalities,
    as_target,
    check_samples,
    check_settings,
    describe_modalities,
    fingerprint,
    is_classification,
    key_of,
    make_scorers,
)
from mkfusion.compare._duration import TimeLeft
from mkfusion.compare._evaluate import Job, run_alignment, run_fold, run_information
from mkfusion.compare._features import run_features
from mkfusion.compare._folds import Fold, Splitter, inner_splitter, outer_splitter
from mkfusion.compare._method import Method
from mkfusion.compare._methods import ALWAYS, METHODS, plan_methods, wanted_methods
from mkfusion.compare._result import FusionComparison
from mkfusion.compare._subgroups import missing_patterns, read_subgroups
from mkfusion.compare._survival import FollowUp, read_survival_target
from mkfusion.data import Modalities, check_rows, is_survival, read_samples, read_target, row_index
from mkfusion.inspection import DataAudit, FeatureImportance, audit, check_jobs
from mkfusion.report import Conditions, FoldScore, format_seconds, information_sentences

# Why information is not tested.
_IN_ORDER = "samples are in order of time, for which the level of the test is not known"

_CENSORED = "y are times of events, of which the tests of information know no theory"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _with_methods(function: _Function) -> _Function:
    """Write the methods of the registry into a docstring."""
    if function.__doc__ is not None:  # there are none with python -OO
        fusions = [method for method in METHODS.values() if method.key not in ALWAYS]
        lists = {
            "names of methods": ", ".join(f'"{method.key}"' for method in fusions),
            "methods": "\n".join(f'- "{method.key}": {method.words}.' for method in fusions),
            "simple": ", ".join(
                method.label.replace("{}", "each") for method in METHODS.values() if method.simple
            ),
        }
        for name, listed in lists.items():
            mark = re.compile(f"^( *)(.*)<{name}>(.*)$", flags=re.MULTILINE)
            place = mark.search(function.__doc__)
            assert place is not None
            indent, before, after = place.groups()
            text = _wrapped(indent, before + listed + after)
            function.__doc__ = function.__doc__.replace(place[0], text)
    return function


def _wrapped(indent: str, text: str) -> str:
    """Break lines as they are in docstrings, those of lists with their later lines indented."""
    return "\n".join(
        textwrap.fill(
            line,
            100,
            initial_indent=indent,
            subsequent_indent=indent + "  " * line.startswith("- "),
        )
        for line in text.splitlines()
    )


@_with_methods
def compare_fusion(
    X: Any,
    y: Any,
    modalities: Sequence[tuple[str, Any]] | None = None,
    *,
    task: str = "auto",
    scoring: Any = None,
    cv: Any = None,
    inner_cv: Any = None,
    groups: Any = None,
    subgroups: Any = None,
    batch: Any = None,
    kernels: Any = None,
    methods: str | Sequence[str | Method] = "all",
    alpha: float = 0.05,
    sesoi: float | None = None,
    fast: bool = False,
    random_state: int = 0,
    n_jobs: int | None = None,
    memory: Any = None,
    verbose: bool | None = None,
) -> FusionComparison:
    """Compare ways of fusing modalities with each other, and with every modality alone.

    It answers three questions: does fusing help, which modality carries it, and do modalities
    interact or only add up. Tests of *information* ask whether each modality says of the target
    what the others do not; they take seconds. *Prediction* is asked of methods, all of which are
    tuned, trained and tested on the same folds, by nested cross-validation.

    Parameters
    ----------
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Class labels, numbers, or times of events: a structured array with a boolean field, whether
        there was an event, and a field of numbers, the time, as ``sksurv.util.Surv`` makes it.
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None is all modalities
        of `Modalities`.
    task : {"auto", "classification", "regression", "survival"}, default="auto"
        "auto" takes a structured array for survival, numbers with a fraction for regression, and
        strings, booleans and up to 20 different whole numbers for classes; more of these it
        refuses.
    scoring : str, callable, list or dict of them, default=None
        Metrics, as in :class:`sklearn.model_selection.GridSearchCV`, the higher the better. By
        the first, methods are tuned and chosen. None is accuracy, balanced accuracy and macro F1
        (and the area under the ROC curve for two classes), balanced accuracy first where a class
        has three times the samples of another; or R2, mean absolute and root mean squared error;
        or Harrell's ("concordance_index_censored") and Uno's C ("concordance_index_ipcw") and the
        negative integrated Brier score ("neg_integrated_brier_score") of survival.
    cv : int, splitter or iterable of (train, test), default=None
        The folds that methods are tested on. An int is a number of stratified (for classes, and
        by event), shuffled, and (with `groups`) grouped folds. For samples in order of time give
        a :class:`sklearn.model_selection.TimeSeriesSplit`. None is 5 folds, or fewer where a class,
        the events or the groups are few, drawn 5 times, or once if `fast`: an int is drawn once.
        Folds that are drawn once rarely decide whether fusion predicts better.
    inner_cv : int or splitter, default=None
        The folds within the training samples that methods are tuned on. None is 5 folds, 3 of them
        if `fast`, of the kind of `cv` in the way of groups and time. With any other splitter as
        `cv`, say here how samples depend on each other.
    groups : array-like of shape (n_samples,), default=None
        Subjects, sessions or the like: samples of one never train and test a model, outside and
        inside alike. Estimators of your own are given theirs where their `fit` takes `groups`.
    subgroups : str, array-like of shape (n_samples,), DataFrame or mapping of them, default=None
        Sexes, sites or the like, by whose labels the report also tells how good predictions are:
        the name of a column of X, or labels, several of them by their names. Many different
        numbers are cut at their quartiles. They change nothing that is learned.
    batch : array-like of shape (n_samples,), default=None
        Sites, devices or runs, which should have nothing to do with the target: the audit of the
        data looks whether they have.
    kernels : dict of str to kernel, default=None
        For some of the modalities, by their names, what :class:`ColumnKernelizer` takes as a
        kernel: an object, a name, a callable or a pipeline that ends in one. "auto" chooses those
        of the others.
    methods : "all" or list of str and Method, default="all"
        Of <names of methods>;
        "all" of them; and a :class:`Method` for each of your own. The majority class or the mean
        ("dummy") and every modality alone ("single") are always there. Which modality carries it is
        told with "uniform", and whether modalities interact with "products".
    alpha : float, default=0.05
        Error rate of a claim. Intervals are of 1 - `alpha`, and of differences, whose tests are
        one-sided, of 1 - 2 `alpha` as well.
    sesoi : float, default=None
        Smallest effect size of interest: a difference of the first metric. If that of fusion is
        surely below, it is practically none.
    fast : bool, default=False
        Whether to draw folds once, and try fewer values of what is tuned.
    random_state : int, default=0
        Of folds and methods. Results depend on the input and it alone.
    n_jobs : int, default=None
        Folds to work on at the same time. Each holds its own kernels.
    memory : str, path or joblib.Memory, default=None
        A folder for finished pieces, one for each method and fold: a comparison that was
        interrupted goes on from them when it is called again in the same way.
    verbose : bool, default=None
        Whether to show answers that are there early, and progress, on standard error. None is only
        if that is a terminal.

    Returns
    -------
    FusionComparison
        Scores, tests, a verdict, answers, and reports of them.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not one of those above, modalities or columns are not there, folds cannot
        be made, or no modality can be learned from on its own. Other errors of a method of yours,
        or of a metric, are raised as they are, with a note on where: they are faults, and no word
        on the data.

    Warns
    -----
    UserWarning
        If a method refused the data of a fold: its fit, or a metric, raised ValueError (one of
        yours: or TypeError). It is listed as not applicable, with the reason.

    See Also
    --------
    MKLClassifier : Weights of kernels and machine together.
    mkfusion.inspection.shapley_values : Which modality carries any one model.
    mkfusion.inspection.emap : Whether modalities interact in any one model.

    Notes
    -----
    **Methods.** Each modality gets one kernel: that of `kernels`, or the one that "auto" in
    :class:`ColumnKernelizer` chooses by the dtypes and gaps of all samples (targets are not looked
    at). A modality alone is a kernel machine on it: a support vector machine, or kernel ridge
    regression of numbers. Ways of fusing are

    <methods>

    Late fusion combines machines on the kernels. Early fusion, CCA fusion and interaction
    regression see numbers: columns as they are, categories one-hot, texts by tf-idf (early fusion
    only), signals by mean, standard deviation, minimum, maximum and mean absolute step of each
    channel. Interaction regression takes a modality of more than 10 by their first 10 principal
    components. Kernel sum and products is a machine on the mean of the kernels and the mean of the
    products of two of them, weighted alike or (not if `fast`) on the products alone. Where samples
    lack a modality, a modality alone and late fusion go by the samples that have it, and late
    fusion skips the machines of the others; kernels are compared by what two samples have,
    as ``missing="marginalise"`` in :class:`ColumnKernelizer` does it, and products with what is
    missing count as zero; what has to be there for stacking, early and CCA fusion and interaction
    regression is predicted from what else a sample has (means of features for early fusion where
    some are texts). C is tuned for all machines, p for Lp MKL. Regression
    targets are standardised within the training samples, for all but methods of yours. Stacking,
    and the calibration of late fusion's probabilities, split the training samples once more, as
    `inner_cv` does; stacking classes takes three such splits or more.

    **References that no test fold has chosen.** The modality that scored best on the test folds
    scored best partly by luck. So the *best single modality* is chosen anew in each fold, by the
    score within the training samples; what is compared is its score on the test samples. The *best
    simple baseline* is chosen likewise of
    <simple>;
    and so is the *best fusion method* of the verdict. The verdict is thus on one comparison that
    was planned beforehand: the best fusion method, so chosen, with the best single modality, and
    with knowing nothing.

    **The verdict** goes by two tests in fixed sequence, both at the full `alpha`. *Information*:
    does no single modality say all (:func:`mkfusion.inspection.added_information`)? *Prediction*,
    claimed only if so: does the best fusion method predict better than both references, by the
    corrected resampled t-test, one-sided, on a proper loss? That is the log-loss of probabilities,
    calibrated within the training samples where a method has none, squared error, or the integrated
    Brier score of survival. The user's metric stands beside it. Where information cannot be tested
    (fewer than 30 samples, 10 groups or 8 samples of a class; samples in order of time; survival),
    prediction is the one claim. So fusion "helps"; or the modalities are "complementary", but
    fusion is not surely better with this many samples; or it is "undecided"; or the difference is
    "practically none" (surely below `sesoi`); or "lower" with this many samples. Beside it stand
    the difference that would be found four times in five, and the samples that the one seen would
    need. No evidence is not evidence of absence.

    **Tests of methods.** Each fusion method is also compared with the same references, and all that
    are no simple baselines with the best of these. Each of the two families of tests has Holm's
    correction; intervals are not corrected.

    **Which modality carries it.** In each fold the held-out score, above that of knowing nothing,
    is shared among the modalities by their Shapley values. What some of them are worth is the score
    of the machine on the uniform sum of their kernels, fitted to them alone, at the C that was
    tuned for all of them. Up to six modalities all subsets are fitted, 64 fits in a fold; of more,
    those along random orders and their reverses, each alone and all but each: 60 to 120 fits in a
    fold up to 30 modalities, and four for each modality beyond. Intervals have the correction of
    the tests; a modality is said to carry most only if the test tells it from the second, with
    Bonferroni's correction for all pairs.

    **Which features of it.** Of the modality with the largest share, if together they are surely
    worth anything, each column (of signals: channel) is shuffled among the test samples of every
    fold, as in :func:`mkfusion.inspection.feature_importance`: in 30 groups of those that are alike
    where there are more. What the uniform kernel sum then loses, in how many folds that is among
    the most, and how each column varies with what it says, is told beside the caveat that columns
    which are alike hide each other. Of signals, and beyond 3000 samples, the folds of the first
    draw are taken.

    **Do modalities interact** is tested once, as planned beforehand, by
    :func:`mkfusion.inspection.interaction_information`. What that is good for: the machine on
    kernels and products can use interactions; its multimodally-additive projection is the sum of
    functions of one modality each that is closest to it where every value of a modality in the
    fold's test samples meets every value of the others; their held-out scores differ. The decision
    function (one for each class against the rest, if there are more than two) is affine in every
    modality's kernel, so that the projection is exact for about as many predictions as there are
    test samples and modalities. Metrics that need anything but predictions and decision function
    are listed as not answered. Few test samples in a fold show few combinations, and less of the
    interactions. No evidence of interactions is no evidence that there are none.

    **Survival.** Machines are Cox's proportional hazards on kernels, as
    :class:`MKLSurvivalAnalysis`; late fusion averages their log-hazards; knowing nothing is the
    Kaplan-Meier estimate. Where scikit-survival is installed, "linear" and "linear_alone" choose
    between l2 and l1, else l2 is alone. Other methods than the single modalities, "linear",
    "late_mean", "uniform", "l1_mkl", "lp_mkl" and yours are not applicable. Predicted survival is
    compared with what was seen at up to 50 times of events before the horizon, beyond which a tenth
    of the samples is followed, and Uno's C knows no events after it; both weight samples by the
    censoring of the training samples, which is taken to depend on no modality. The mean of the
    Brier score over the time is the proper loss. Information and interactions are not tested: there
    is no theory for it here. Subgroups of fewer than five events are named and not scored, and the
    audit looks for columns that tell who had an event.

    **Memory.** The kernels of a fold and of its inner folds are held, for all its methods, and
    given up before the next: about ``8 * n_modalities * (n_inner + 1) * n_train**2`` bytes for
    each job, and ``40 * n_train**2`` for sums and products. The alignment of the modalities takes
    ``8 * n_modalities * n_samples**2``, once, and is left out beyond 3000 samples, of which 1500
    are tested for information.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003). Cawley
    and Talbot, "On over-fitting in model selection and subsequent selection bias in performance
    evaluation", JMLR 11 (2010): nested cross-validation. Covert, Lundberg and Lee, "Understanding
    global feature contributions with additive importance measures", NeurIPS (2020): Shapley values.
    Hessel and Lee, "Does my multimodal model learn cross-modal interactions? It's harder to tell
    than you might think!", EMNLP (2020): the additive projection.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mkfusion.compare import compare_fusion
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_fusion(
    ...     X, y, [("sepal", [0, 1]), ("petal", [2, 3])], methods=["uniform"], cv=3, fast=True
    ... )
    >>> comparison.verdict_.verdict
    'undecided'
    """
    check_jobs(n_jobs)
    plan = plan_comparison(
        X,
        y,
        modalities,
        task=task,
        scoring=scoring,
        cv=cv,
        inner_cv=inner_cv,
        groups=groups,
        subgroups=subgroups,
        batch=batch,
        kernels=kernels,
        methods=methods,
        alpha=alpha,
        sesoi=sesoi,
        fast=fast,
        random_state=random_state,
        memory=memory,
    )
    return run_comparison(plan, n_jobs, verbose)


class Plan(NamedTuple):
    """A comparison that is read and checked, and not yet run.

    Attributes
    ----------
    job : Job
    folds : list of Fold
    conditions : Conditions
    """

    job: Job
    folds: list[Fold]
    conditions: Conditions


def plan_comparison(
    X: Any,
    y: Any,
    modalities: Sequence[tuple[str, Any]] | None = None,
    *,
    task: str = "auto",
    scoring: Any = None,
    cv: Any = None,
    inner_cv: Any = None,
    groups: Any = None,
    subgroups: Any = None,
    batch: Any = None,
    ids: Any = None,
    aside: Any = None,
    kernels: Any = None,
    methods: str | Sequence[str | Method] = "all",
    alpha: float = 0.05,
    sesoi: float | None = None,
    fast: bool = False,
    random_state: int = 0,
    memory: Any = None,
) -> Plan:
    """Read what a comparison is of: errors about values are here about what users gave.

    Parameters
    ----------
    X, y, modalities, task, scoring, cv, inner_cv, groups, subgroups, batch, kernels, methods, \
            alpha, sesoi, \
    fast, random_state, memory
        Of :func:`compare_fusion`.
    ids, aside
        Of :func:`mkfusion.inspection.audit`.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError, TypeError
        If they are not for a comparison.
    """
    call = _described_call(locals())
    check_samples(X)
    given = read_samples(X, modalities)
    parts = as_modalities(given)
    check_rows(given.X, y=y, groups=groups)
    y, classes, follow_up = _outcome(parts, y, task)
    seed = check_settings(random_state, alpha, sesoi)
    setting = Setting(
        describe_modalities(parts, given.names, kernels),
        classes,
        len(np.unique(y)) if classes else 0,
        fast,
        seed,
        follow_up,
    )
    scorers = make_scorers(scoring, setting, y)
    survival = follow_up is not None
    strata = y["event"] if survival else y
    outer = outer_splitter(cv, strata, groups, classes, seed, fast, survival)
    folds = outer.split()
    inner = inner_splitter(inner_cv, outer, folds, seed, fast)
    planned = plan_methods(wanted_methods(methods), setting)
    if all(method.reason for method in planned if method.kind == "fusion"):
        raise NothingToCompareError.of_fusion(
            {one.label: one.reason for one in planned if one.reason}
        )
    groupings = read_subgroups(subgroups, given.X, len(y))
    lacking = missing_patterns(parts.present(), given.names)
    groupings += [] if lacking is None else [lacking]
    samples = Samples(given.X, parts, y, setting, inner, scorers)
    job = Job(
        samples,
        [method for method in planned if not method.reason],
        _as_memory(memory),
        key_of(samples) if memory is not None else "",
        _uninformed(setting, outer),
    )
    conditions = Conditions(
        task=setting.task,
        y=y,
        modalities=setting.modalities,
        folds=folds,
        n_groups=None if outer.groups is None else len(np.unique(outer.groups)),
        outer=outer.describe(),
        inner=inner.describe(),
        metrics=list(scorers),
        methods=planned,
        alpha=float(alpha),
        fast=fast,
        seed=seed,
        ids=_ids(given.X, parts),
        sesoi=None if sesoi is None else float(sesoi),
        groups=outer.groups,
        groupings=groupings,
        fingerprint=fingerprint([parts, y]),
        call=call,
        times=None if follow_up is None else follow_up.times,
        audit=audit_target(
            X,
            y,
            modalities=modalities,
            task=setting.task,
            groups=groups,
            batch=batch,
            ids=ids,
            aside=aside,
            cv=folds,
        ),
    )
    return Plan(job, folds, conditions)


def audit_target(X: Any, y: NDArray[Any], *, task: str, **given: Any) -> DataAudit:
    """Look whether data can be trusted, of survival by who had an event and by the times.

    Parameters
    ----------
    X : samples
    y : ndarray of shape (n_samples,)
        Of survival with the fields "event" and "time".
    task : {"classification", "regression", "survival"}
    **given : dict
        Of :func:`mkfusion.inspection.audit`.

    Returns
    -------
    DataAudit
    """
    if task != "survival":
        return audit(X, y, task=task, **given)
    of_time = {"task": "regression", **given}
    if y["event"].all():
        return audit(X, y["time"], **of_time)
    found = audit(X, y["event"], task="classification", **given)
    # Few events are no uneven classes, and what tells of the time tells of the future as well.
    kept = [one for one in found.findings if one.check != "classes"]
    telling = {one.examples for one in kept if one.check == "telling"}
    kept += [
        one
        for one in audit(X, y["time"], **of_time).findings
        if one.check == "telling" and one.examples not in telling
    ]
    return DataAudit(kept, found.names, found.n_samples, found.clusters, found.unchecked)


def run_comparison(
    plan: Plan, n_jobs: int | None = None, verbose: bool | None = None
) -> FusionComparison:
    """Run all methods on all folds.

    Parameters
    ----------
    plan : Plan
    n_jobs, verbose
        Of :func:`compare_fusion`.

    Returns
    -------
    FusionComparison

    Raises
    ------
    NothingToCompareError
        If no modality can be learned from on its own.
    """
    shown = sys.stderr.isatty() if verbose is None else verbose
    progress = Progress() if shown else None
    # Answers that need no folds first: they take seconds.
    if progress is not None:
        progress.say(f"information that {len(plan.conditions.modalities)} modalities have")
    once = Once()
    with once.listening():
        told = run_information(plan.job)
    if progress is not None:
        for sentence in information_sentences(told.added, told.interacting, plan.conditions):
            progress.say(sentence)
    scores = _run(plan.job, plan.folds, n_jobs, progress, once)
    with once.listening():
        alignment = run_alignment(plan.job)

    def ask_features(index: int, costs: list[float]) -> FeatureImportance | str:
        if progress is not None:
            progress.say(f"features of {plan.conditions.modalities[index].name}")
        return run_features(plan.job, plan.conditions, index, costs, n_jobs)

    return FusionComparison(scores, plan.conditions, alignment, told, ask_features)


def _outcome(parts: Modalities, y: Any, task: str) -> tuple[NDArray[Any], bool, FollowUp | None]:
    """Return the target, whether it is classes, and over which time it is followed if it is."""
    if is_survival(y):
        y = read_survival_target(parts, y, task)
        return y, False, FollowUp.of(y)
    y = as_target(read_target(parts, y))
    classes = is_classification(y, task)
    return y if classes else y.astype(np.float64), classes, None


def _uninformed(setting: Setting, outer: Splitter) -> str:
    """Return why information is not to be tested; empty where it is."""
    if setting.follow_up is not None:
        return _CENSORED
    return _IN_ORDER if isinstance(outer.how, TimeSeriesSplit) else ""


def _described_call(given: Mapping[str, Any]) -> str:
    """Return the call of a comparison by the arguments of `plan_comparison`."""
    known = signature(plan_comparison).parameters
    # Where finished pieces are kept changes nothing.
    told = {name: given[name] for name in known if name not in ("X", "y", "modalities", "memory")}
    settings = {name: (value, known[name].default) for name, value in told.items()}
    return described_call("compare_fusion", given["modalities"], settings)


def _ids(*samples: Any) -> NDArray[Any] | None:
    """Return what the user calls the samples, if anything."""
    for one in samples:
        index = row_index(one)
        if index is not None:
            ids = np.asarray(index)
            return None if np.array_equal(ids, np.arange(len(ids))) else ids
    return None


def _as_memory(memory: Any) -> joblib.Memory:
    if hasattr(memory, "cache"):
        return memory
    # joblib puts strings and paths into different folders.
    return joblib.Memory(None if memory is None else os.fspath(memory), verbose=0)


def _run(
    job: Job, folds: list[Fold], n_jobs: int | None, progress: Progress | None, once: Once
) -> list[FoldScore]:
    """Run all folds, and show how far it is."""
    steps = len(folds) * len(job.methods)
    # A process of its own cannot show progress: then it is shown fold by fold.
    alone = effective_n_jobs(n_jobs) == 1
    done: Callable[[str], None] | None = None
    if progress is not None and alone:

        def done(label: str) -> None:
            progress.advance()
            progress.begin(f"{label}: done")

    scores: list[FoldScore] = []
    with progress.running(steps) if progress is not None else nullcontext():
        if progress is not None:
            progress.begin(f"{len(job.methods)} methods on {len(folds)} folds")
            left = TimeLeft(job, folds, effective_n_jobs(n_jobs))
            if left.seconds:
                progress.say(f"roughly {format_seconds(left.seconds)} in all, by a first look")
        calls = (
            delayed(heard)(run_fold, job, index, fold, done) for index, fold in enumerate(folds)
        )
        for index, results in enumerate(once.outcomes(in_turn(calls, n_jobs))):
            scores += results
            if progress is None:
                continue
            if left.learn(index):
                progress.say(f"about {format_seconds(left.seconds)} to go")
            if not alone:
                for _ in results:
                    progress.advance()
                progress.begin(f"fold {index + 1} of {len(folds)}: done")
    return scores


class Progress:
    """Show how far a long computation is.

    Parameters
    ----------
    console : rich.console.Console or None, default=None
        Where to show it; None is standard error.

    Examples
    --------
    >>> import io
    >>> from rich.console import Console
    >>> shown = io.StringIO()
    >>> progress = Progress(Console(file=shown))
    >>> with progress.running(2):
    ...     progress.begin("first half")
    ...     progress.advance()
    >>> print(shown.getvalue().strip())
    [0/2] first half
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._done = 0
        self._total = 0

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show progress towards `total` steps while the block runs.

        Parameters
        ----------
        total : int
            Number of steps.

        Yields
        ------
        None
        """
        self._done, self._total = 0, total
        with self._bar:
            self._task = self._bar.add_task("", total=total)
            yield

    def begin(self, label: str) -> None:
        """Name what is being done now.

        Parameters
        ----------
        label : str
            What is being done.
        """
        if self._console.is_terminal:
            self._bar.update(self._task, description=label)
        else:
            self._console.print(
                f"[{self._done}/{self._total}] {label}", markup=False, highlight=False
            )

    def say(self, text: str) -> None:
        """Leave a line.

        Parameters
        ----------
        text : str
        """
        self._console.print(text, markup=False, highlight=False)

    def advance(self) -> None:
        """One more step is done."""
        self._done += 1
        self._bar.advance(self._task)
