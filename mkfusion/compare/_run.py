"""The comparison: every method on the same folds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.metrics import get_scorer
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length, column_or_1d

import mkfusion
from mkfusion import Modalities
from mkfusion._views import resolve_views, take_views
from mkfusion.compare._comparison import Conditions, FusionComparison
from mkfusion.compare._evaluate import FoldScore, Job, fingerprint, run_fold
from mkfusion.compare._features import describe_modalities
from mkfusion.compare._folds import Fold, inner_splitter, outer_splitter
from mkfusion.compare._methods import METHODS, Setting, make_methods

__all__ = ["compare_fusion"]

_MOST_CLASSES = 20  # whole numbers beyond may be either classes or a quantity: users must say
_LARGEST_SEED = 2**32 - 1


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
    methods: str | Sequence[str] = "all",
    test: str = "corrected_t",
    alpha: float = 0.05,
    fast: bool = False,
    random_state: int = 0,
    n_jobs: int | None = None,
    memory: Any = None,
    verbose: bool | None = None,
) -> FusionComparison:
    """Compare ways of fusing modalities with each other, and with every modality alone.

    All methods are tuned, trained and tested on the same folds, by nested cross-validation.

    Parameters
    ----------
    X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Class labels, or numbers.
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality. `columns` is the name of one where X is `Modalities`, or
        columns of a table as in :class:`sklearn.compose.ColumnTransformer`. None is all modalities
        of `Modalities`.
    task : {"auto", "classification", "regression"}, default="auto"
        "auto" takes numbers with a fraction for regression, and strings, booleans and up to 20
        different whole numbers for classes; more of these it refuses.
    scoring : str, callable, list or dict of them, default=None
        Metrics, as in :class:`sklearn.model_selection.GridSearchCV`, the higher the better. By
        the first, methods are tuned and tested. None is accuracy, balanced accuracy and macro F1
        (and the area under the ROC curve for two classes), or R2, mean absolute and root mean
        squared error.
    cv : int, splitter or iterable of (train, test), default=None
        The folds that methods are tested on. An int is a number of stratified (for classes),
        shuffled, and (with `groups`) grouped folds. For samples in order of time give a
        :class:`sklearn.model_selection.TimeSeriesSplit`. None is 10 folds, 5 of them if `fast`, or
        fewer where a class or the groups are small.
    inner_cv : int or splitter, default=None
        The folds within the training samples that methods are tuned on. None is 5 folds, 3 of them
        if `fast`, of the kind of `cv` in the way of groups and time. With any other splitter as
        `cv`, say here how samples depend on each other.
    groups : array-like of shape (n_samples,), default=None
        Subjects, sessions or the like: samples of one never train and test a model, outside and
        inside alike.
    methods : "all" or list of str, default="all"
        Of "early", "late_mean", "late_stack", "interaction", "cca", "uniform", "alignment",
        "l1_mkl", "lp_mkl" and "localized_mkl". The majority class or the mean ("dummy") and every
        modality alone ("single") are always there.
    test : {"corrected_t", "wilcoxon"}, default="corrected_t"
        The corrected resampled t-test, or Wilcoxon's signed-rank test, which does not know that
        the folds share training samples, and finds nothing in less than six of them.
    alpha : float, default=0.05
        Error rate of the tests; intervals are of 1 - `alpha`.
    fast : bool, default=False
        Whether to take fewer folds and try fewer values of what is tuned.
    random_state : int, default=0
        Of folds and methods. Results depend on the input and it alone.
    n_jobs : int, default=None
        Folds to work on at the same time. Each holds its own kernels.
    memory : str, path or joblib.Memory, default=None
        A folder for finished pieces, one for each method and fold: a comparison that was
        interrupted goes on from them when it is called again in the same way.
    verbose : bool, default=None
        Whether to show progress on standard error. None is only if that is a terminal.

    Returns
    -------
    FusionComparison
        Scores, tests, a verdict, and reports of them.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not one of those above, modalities or columns are not there, folds cannot
        be made, or no modality can be learned from on its own.

    Warns
    -----
    UserWarning
        If a method refused the data of a fold. It is listed as not applicable, with the reason.

    See Also
    --------
    MKLClassifier : Weights of kernels and machine together.

    Notes
    -----
    **Methods.** Each modality gets one kernel, the one that "auto" in :class:`ColumnKernelizer`
    chooses by the dtypes and gaps of all samples (targets are not looked at). A modality alone is a
    support vector machine on its kernel. Uniform sum, alignment weights, L1 and Lp MKL and
    localized MKL weigh the same kernels, and late fusion combines machines on them. Early fusion,
    CCA fusion and interaction regression see numbers: columns as they are, categories one-hot,
    texts by tf-idf (early fusion only), signals by mean, standard deviation, minimum, maximum and
    mean absolute step of each channel. Interaction regression takes a modality of more than 10 by
    their first 10 principal components. C is tuned for all machines, p for Lp MKL. Regression
    targets are standardised within the training samples. Stacking, and the calibration of late
    fusion's probabilities, split the training samples once more, as `inner_cv` does; stacking
    classes takes three such splits or more.

    **References that no test fold has chosen.** The modality that scored best on the test folds
    scored best partly by luck. So the *best single modality* is chosen anew in each fold, by the
    score within the training samples; what is compared is its score on the test samples. The *best
    simple baseline* (of majority class or mean, early fusion, mean of late fusion, uniform kernel
    sum) is chosen likewise, and so is the *best fusion method* of the verdict. The verdict is thus
    on one comparison that was planned beforehand: the best fusion method, so chosen, with the best
    single modality.

    **Tests.** Each fusion method is also compared with the best single modality, and all that are
    no simple baselines with the best of these. Each of the two families of tests has Holm's
    correction. Tests are on the first metric alone; intervals are not corrected.

    **Memory.** The kernels of a fold and of its inner folds are held, for all its methods, and
    given up before the next: about ``8 * n_modalities * (n_inner + 1) * n_train**2`` bytes for
    each job.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003). Cawley
    and Talbot, "On over-fitting in model selection and subsequent selection bias in performance
    evaluation", JMLR 11 (2010): nested cross-validation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mkfusion.compare import compare_fusion
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_fusion(
    ...     X, y, [("sepal", [0, 1]), ("petal", [2, 3])], methods=["uniform"], cv=3, fast=True
    ... )
    >>> comparison.verdict_.verdict
    'no evidence that it does'
    """
    samples, names = _as_modalities(X, modalities)
    y = column_or_1d(y, warn=True)
    check_consistent_length(samples, y)
    y = _as_target(y)
    classes = _is_classification(y, task)
    if not classes:
        y = y.astype(np.float64)
    seed = _checked(random_state, test, alpha)
    setting = Setting(
        describe_modalities(samples, names), classes, len(np.unique(y)) * classes, fast, seed
    )
    scorers = _scorers(scoring, setting)
    outer = outer_splitter(cv, y, groups, classes, seed, fast)
    folds = outer.split()
    inner = inner_splitter(inner_cv, outer, folds, seed, fast)
    listed = make_methods(_wanted(methods), setting)
    job = Job(
        samples,
        y,
        [method for method in listed if not method.reason],
        setting,
        inner,
        scorers,
        _as_memory(memory),
        _key(samples, y, setting, scorers, inner.describe()) if memory is not None else "",
    )
    scores = _run(job, folds, n_jobs, verbose)
    conditions = Conditions(
        task="classification" if classes else "regression",
        y=y,
        modalities=setting.modalities,
        folds=folds,
        n_groups=None if outer.groups is None else len(np.unique(outer.groups)),
        outer=outer.describe(),
        inner=inner.describe(),
        metrics=list(scorers),
        methods=listed,
        test=test,
        alpha=float(alpha),
        fast=fast,
        seed=seed,
    )
    return FusionComparison(scores, conditions)


def _as_modalities(X: Any, modalities: Any) -> tuple[Modalities, list[str]]:
    """Return the samples under names that parameters can have, and the user's names."""
    if not isinstance(X, Modalities) and not hasattr(X, "columns") and not hasattr(X, "tocsr"):
        X = np.asarray(X)
    views = resolve_views(X, modalities)
    data = {f"m{k}": _in_columns(part) for k, part in enumerate(take_views(X, views))}
    return Modalities(data), [view.name for view in views]


def _in_columns(data: Any) -> Any:
    """Return a single column that was asked for by its name in two dimensions."""
    if hasattr(data, "to_frame"):
        return data.to_frame()
    return data.reshape(-1, 1) if isinstance(data, np.ndarray) and data.ndim == 1 else data


def _as_target(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels or numbers, none of them missing."""
    if y.dtype == object:
        kinds = {type(value) for value in y.tolist()}
        if len(kinds) > 1 or not kinds <= {str, bool, int, float}:
            shown = sorted(kind.__name__ for kind in kinds)
            raise ValueError(
                f"y holds {', '.join(shown)}; expected strings, booleans or numbers, and none of "
                "them missing."
            )
        y = np.array(y.tolist())
    if y.dtype.kind in "iuf" and not np.isfinite(y).all():
        raise ValueError("y holds NaN or infinity; expected finite numbers, or class labels.")
    return y


def _is_classification(y: NDArray[Any], task: str) -> bool:
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f'task is {task!r}; expected "auto", "classification" or "regression".')
    numbers = y.dtype.kind in "iuf"
    if task == "regression" and not numbers:
        raise ValueError(f"y is of {y.dtype} and task is 'regression'; expected numbers.")
    n_values = len(np.unique(y))
    if n_values < 2:
        raise ValueError(f"y is {y[0]!r} for every sample; expected a target that varies.")
    if task != "auto":
        return task == "classification"
    if numbers and (y != np.floor(y)).any():
        return False
    if numbers and n_values > _MOST_CLASSES:
        raise ValueError(
            f'y holds {n_values} different whole numbers; expected task="classification" or '
            'task="regression", which says what they are.'
        )
    return True


def _checked(random_state: Any, test: str, alpha: float) -> int:
    """Return the seed, after a look at the other small parameters."""
    whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not whole or not 0 <= random_state <= _LARGEST_SEED:
        raise ValueError(
            f"random_state is {random_state!r}; expected an integer between 0 and 2**32 - 1."
        )
    if test not in ("corrected_t", "wilcoxon"):
        raise ValueError(f'test is {test!r}; expected "corrected_t" or "wilcoxon".')
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1.")
    return int(random_state)


def _wanted(methods: Any) -> tuple[str, ...]:
    if isinstance(methods, str) and methods == "all":
        return METHODS
    unknown = [methods] if isinstance(methods, str) else [m for m in methods if m not in METHODS]
    if unknown:
        raise ValueError(f'methods has {unknown}; expected "all", or some of {list(METHODS)}.')
    return tuple(methods)


def _scorers(scoring: Any, setting: Setting) -> dict[str, Any]:
    """Return scorers by the names of their metrics."""
    if scoring is None:
        regression = ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
        scoring = ["accuracy", "balanced_accuracy", "f1_macro"] if setting.classes else regression
        if setting.n_classes == 2:
            scoring.append("roc_auc")
    if isinstance(scoring, Mapping):
        named = dict(scoring)
    else:
        given = [scoring] if isinstance(scoring, str) or callable(scoring) else list(scoring)
        named = {getattr(one, "__name__", "score") if callable(one) else one: one for one in given}
    if not named:
        raise ValueError("scoring is empty; expected at least one metric.")
    return {str(name): get_scorer(one) for name, one in named.items()}


def _key(
    X: Modalities, y: NDArray[Any], setting: Setting, scorers: dict[str, Any], inner: str
) -> str:
    """Return a name for everything that scores depend on beside method and fold."""
    try:
        metrics = joblib.hash(scorers)
    except Exception as error:
        raise ValueError(
            f"scoring cannot be pickled, which memory needs: {error} Expected names of metrics, or "
            "functions of a module."
        ) from error
    kernels = [repr(modality.kernel) for modality in setting.modalities]
    versions = [module.__version__ for module in (mkfusion, sklearn, np, scipy)]
    rest = [setting.classes, setting.fast, setting.seed, inner, kernels, versions, metrics]
    return f"{fingerprint(X)} {fingerprint(y)} {rest!r}"


def _as_memory(memory: Any) -> joblib.Memory:
    if hasattr(memory, "cache"):
        return memory
    # joblib puts strings and paths into different folders.
    return joblib.Memory(None if memory is None else os.fspath(memory), verbose=0)


def _run(job: Job, folds: list[Fold], n_jobs: int | None, verbose: bool | None) -> list[FoldScore]:
    """Run all folds, and show how far it is."""
    shown = sys.stderr.isatty() if verbose is None else verbose
    progress: Any = None
    if shown:
        from mkfusion.compare._progress import Progress

        progress = Progress()
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
        found = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(run_fold)(job, index, fold, done) for index, fold in enumerate(folds)
        )
        for index, results in enumerate(found):
            scores += results
            if progress is not None and not alone:
                for _ in results:
                    progress.advance()
                progress.begin(f"fold {index + 1} of {len(folds)}: done")
    return scores
