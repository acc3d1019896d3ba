"""Which fusion, chosen inside the folds: a search over the methods that are compared."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from mkfusion._compat import StrOptions
from mkfusion._messages import shown
from mkfusion._parallel import in_turn
from mkfusion._repeated import Once, heard
from mkfusion._types import Floats
from mkfusion.compare._data import (
    RefusalError,
    Samples,
    Setting,
    as_modalities,
    as_target,
    check_settings,
    describe_modalities,
    make_scorers,
)
from mkfusion.compare._evaluate import fit_method, in_users_words, means, try_values
from mkfusion.compare._fold_data import FoldData
from mkfusion.compare._folds import Fold, Splitter, inner_splitter, outer_splitter
from mkfusion.compare._method import Method
from mkfusion.compare._methods import METHODS, PlannedMethod, plan_methods
from mkfusion.compare._whole import whole_estimator
from mkfusion.data import (
    Modalities,
    Samples as ReadSamples,
    as_table,
    check_features,
    check_rows,
    read_labels,
    read_numbers,
    read_samples,
    remember_features,
)

# Early, between the two, late, and of kernels: the simplest first.
CANDIDATES = ("early", "cca", "late_mean", "uniform", "l1_mkl", "lp_mkl")
_BEST, _SIMPLEST = "best", "one_standard_error"


class _Read(NamedTuple):
    """What `fit` was given.

    Attributes
    ----------
    given : ReadSamples
    samples : Samples
    outer : Splitter
    folds : list of Fold
        On which fusions are compared.
    planned : list of PlannedMethod
        Those that are applicable.
    left_out : dict of str to str
        Why others are not.
    """

    given: ReadSamples
    samples: Samples
    outer: Splitter
    folds: list[Fold]
    planned: list[PlannedMethod]
    left_out: dict[str, str]


class _Chosen(NamedTuple):
    """The outcome of a search.

    Attributes
    ----------
    row : int
        In the table.
    method : PlannedMethod
    table : dict
        `cv_results_`.
    means : dict of str to float
        `fusion_scores_`.
    """

    row: int
    method: PlannedMethod
    table: dict[str, Any]
    means: dict[str, float]


def name_of(method: PlannedMethod) -> str:
    """Return what a fusion is called: as it was asked for, or a modality alone."""
    return method.label if method.kind == "single" else method.method.key


def _says(what: str) -> Callable[[FusionSearchCV], bool]:
    """Return whether the fusion that was chosen says something: before, nobody knows."""
    return lambda search: hasattr(getattr(search, "best_estimator_", None), what)


class FusionSearchCV(BaseEstimator):
    """When to fuse, chosen by cross-validation: early, between, late, or by kernels.

    Ways of fusing are those of :func:`compare_fusion`, and estimators of your own. Each is tried
    with all values of what it tunes on the same folds of the training samples, the best is fitted
    to all of them, and predicts.

    Parameters
    ----------
    candidates : list of str, Method and (name, estimator) pairs, default=None
        Ways of fusing, the simplest first: names of methods of :func:`compare_fusion`, such as
        "early", "cca", "late_mean", "late_stack", "uniform", "l1_mkl" and "lp_mkl", or "single"
        for every modality by itself; estimators that take X, under a name, or a :class:`Method`
        with values to tune. None is "early", "cca", "late_mean", "uniform", "l1_mkl" and "lp_mkl".
    modalities : list of (name, columns) pairs, default=None
        Which part of X is which modality, as in :func:`compare_fusion`; None is all of
        `Modalities`.
    task : {"classification", "regression"}, default="classification"
        Whether y is class labels, or numbers.
    kernels : dict of str to kernel, default=None
        Of some of the modalities, by their names; "auto" chooses those of the others by the
        training samples.
    cv : int, splitter or iterable of (train, test), default=None
        Folds on which fusions are compared. An int is a number of stratified (for classes),
        shuffled and (with `groups`) grouped folds. None is 5, or fewer where a class or the groups
        are small.
    scoring : str or callable, default=None
        As in :class:`sklearn.model_selection.GridSearchCV`. None is accuracy, balanced accuracy
        where a class has three times the samples of another, or R2.
    rule : {"best", "one_standard_error"}, default="best"
        Which fusion is chosen: the one of the best mean score, the first of equal ones; or the
        first in `candidates` whose mean score is at most one standard error below the best.
    refit : bool, default=True
        Whether to fit what was chosen to all training samples; otherwise there is the choice only.
    fast : bool, default=False
        Whether to try fewer values of what is tuned.
    random_state : int, default=0
        Of folds and methods.
    n_jobs : int, default=None
        Folds to work on at the same time. Each holds its own kernels.

    Attributes
    ----------
    best_fusion_ : str
        Name of the fusion that was chosen.
    best_estimator_ : estimator
        Fitted to all training samples; it takes X as this does.
    best_params_ : dict
        Values of what it tunes.
    best_score_ : float
        Its mean score on the folds. As the best of several it flatters; :func:`fusion_choices`
        scores the whole search on samples that have chosen nothing.
    best_index_ : int
        Its row in `cv_results_`.
    fusion_scores_ : dict of str to float
        Mean score of every fusion, at its best values.
    cv_results_ : dict of str to ndarray of shape (n_tried,)
        A row for each fusion and value tried: "param_fusion", "params", "split0_test_score" and so
        on, "mean_test_score", "std_test_score" and "rank_test_score".
    left_out_ : dict of str to str
        Fusions that are not for these data, and why.
    scorer_ : callable
    n_splits_ : int
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted; of classification.
    n_features_in_ : int
        Number of columns or modalities seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have any that are strings.

    See Also
    --------
    fusion_choices : What is chosen how often, and what it scores, under nested cross-validation.
    compare_fusion : All methods beside each other, with tests.

    Notes
    -----
    Within the folds, kernels are computed once for all fusions that look at them, and machines that
    differ in C alone are fitted together, as in :func:`compare_fusion`. `best_estimator_` is a
    pipeline that starts from X: cloned and fitted to the same samples, it predicts the same.

    Where something is learned from folds within a fit (probabilities of late fusion, the strength
    of a penalty), there are three of them, of the kind of `cv` in the way of groups and time.
    Estimators of your own are given `groups` where their `fit` takes them.

    Choosing among fusions costs little and gains little where all of them do about as well, which
    is common; which of them is chosen is then a matter of luck, and says nothing about the data.
    :func:`fusion_choices` shows how often that is so.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mkfusion import FusionSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> parts = [("sepal", [0, 1]), ("petal", [2, 3])]
    >>> search = FusionSearchCV(["early", "late_mean", "uniform"], parts, cv=3, fast=True)
    >>> search.fit(X, y).best_fusion_ in search.fusion_scores_
    True
    >>> sorted(search.fusion_scores_)
    ['early', 'late_mean', 'uniform']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "candidates": [list, tuple, None],
        "modalities": [list, tuple, None],
        "task": [StrOptions({"classification", "regression"})],
        "kernels": [dict, None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "rule": [StrOptions({_BEST, _SIMPLEST})],
        "refit": ["boolean"],
        "fast": ["boolean"],
        "random_state": [Integral],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        candidates: Any = None,
        modalities: Any = None,
        *,
        task: str = "classification",
        kernels: Any = None,
        cv: Any = None,
        scoring: Any = None,
        rule: str = _BEST,
        refit: bool = True,
        fast: bool = False,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.candidates = candidates
        self.modalities = modalities
        self.task = task
        self.kernels = kernels
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.refit = refit
        self.fast = fast
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        if self.task == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        else:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Choose a fusion, and fit it to all samples.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels, or numbers.
        groups : array-like of shape (n_samples,), default=None
            Subjects, sessions or the like: samples of one never teach and test a fusion.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, modalities or columns are not there, folds cannot
            be made, or no candidate is for these data.

        Warns
        -----
        UserWarning
            If a candidate refused the data of a fold: it is left out.
        """
        self._validate_params()
        read = self._read(X, y, groups)
        scores, left_out = self._scores(read)
        chosen = self._choose(read, scores, left_out)
        model = None
        if self.refit:
            params = chosen.table["settings"][chosen.row]
            model = whole_estimator(chosen.method, params, read.samples, self.modalities)
            with _in_words(chosen.method, read.samples.setting):
                fit_method(chosen.method, model, read.given.X, read.samples.y, read.outer.groups)
        self._keep(read, chosen, model, left_out)
        return self

    def _read(self, X: Any, y: Any, groups: Any) -> _Read:
        classes = self.task == "classification"
        seed = check_settings(self.random_state, 0.05, None)
        given = read_samples(X, self.modalities)
        parts = as_modalities(given)
        check_rows(given.X, y=y, groups=groups)
        y = as_target(read_labels(given.X, y).given) if classes else read_numbers(given.X, y)
        setting = Setting(
            describe_modalities(parts, given.names, self.kernels),
            classes,
            len(np.unique(y)) * classes,
            self.fast,
            seed,
        )
        outer = outer_splitter(self.cv, y, groups, classes, seed, True)
        folds = outer.split()
        inner = inner_splitter(None, outer, folds, seed, True)
        scorers = make_scorers(self.scoring, setting, y)
        first = next(iter(scorers))
        samples = Samples(given.X, parts, y, setting, inner, {first: scorers[first]})
        every = plan_methods(candidate_methods(self.candidates), setting)
        planned = [method for method in every if not method.reason]
        left_out = {name_of(method): method.reason for method in every if method.reason}
        return _Read(given, samples, outer, folds, planned, left_out)

    def _scores(self, read: _Read) -> tuple[dict[str, Floats], dict[str, str]]:
        """Return the scores (n_settings, n_folds) of each fusion, and why others have none."""
        once = Once()
        calls = (delayed(heard)(_try_fold, read.samples, read.planned, fold) for fold in read.folds)
        by_fold = list(once.outcomes(in_turn(calls, self.n_jobs)))
        scores, left_out = {}, dict(read.left_out)
        for k, method in enumerate(read.planned):
            name = name_of(method)
            refused = [one[k] for one in by_fold if isinstance(one[k], str)]
            if refused:
                left_out[name] = refused[0]
                warnings.warn(f"{name!r} is left out: {refused[0]}", UserWarning, stacklevel=3)
            else:
                scores[name] = np.array([one[k] for one in by_fold]).T
        if not scores:
            raise ValueError(f"candidates leaves nothing that is for these data: {left_out}.")
        return scores, left_out

    def _choose(self, read: _Read, scores: dict[str, Floats], left_out: dict[str, str]) -> _Chosen:
        methods = [one for one in read.planned if name_of(one) not in left_out]
        rows = [(one, params) for one in methods for params in one.candidates]
        table = np.vstack([scores[name_of(one)] for one in methods])
        mean = means(np.where(np.isfinite(table), table, np.nan))
        if np.isnan(mean).all():
            raise ValueError(
                f"scoring={shown(self.scoring)} is not a finite number for any candidate."
            )
        tops: dict[str, int] = {}
        for k, (one, _) in enumerate(rows):
            top = tops.get(name_of(one))
            if not np.isnan(mean[k]) and (top is None or mean[k] > mean[top]):
                tops[name_of(one)] = k
        index = max(tops.values(), key=lambda k: (mean[k], -k))
        if self.rule == _SIMPLEST:
            of_best = table[index][np.isfinite(table[index])]
            error = of_best.std(ddof=1) / np.sqrt(len(of_best)) if len(of_best) > 1 else 0.0
            index = next(k for k in tops.values() if mean[k] >= mean[index] - error)
        found: dict[str, Any] = {
            "param_fusion": np.array([name_of(one) for one, _ in rows], dtype=object),
            "params": [{"fusion": name_of(one), **params} for one, params in rows],
            "settings": [params for _, params in rows],
        }
        found |= {f"split{k}_test_score": column for k, column in enumerate(table.T)}
        found["mean_test_score"] = mean
        found["std_test_score"] = table.std(axis=1)
        worst = np.where(np.isnan(mean), -np.inf, mean)
        found["rank_test_score"] = rankdata(-worst, method="min").astype(np.int32)
        best = {name: float(mean[k]) for name, k in tops.items()}
        return _Chosen(index, rows[index][0], found, best)

    def _keep(self, read: _Read, chosen: _Chosen, model: Any, left_out: dict[str, str]) -> None:
        """Remember what was learned: at the end, so that nothing is kept of a fit that fails."""
        remember_features(self, read.given.X)
        self.best_fusion_ = name_of(chosen.method)
        self.best_index_ = chosen.row
        self.best_params_ = chosen.table.pop("settings")[chosen.row]
        self.best_score_ = float(chosen.table["mean_test_score"][chosen.row])
        self.cv_results_, self.fusion_scores_ = chosen.table, chosen.means
        self.left_out_, self.n_splits_ = left_out, len(read.folds)
        (self.scorer_,) = read.samples.scorers.values()
        self._method, self._setting = chosen.method, read.samples.setting
        self._several = isinstance(read.given.views[0].columns, str)
        if model is not None:
            self.best_estimator_ = model
        elif hasattr(self, "best_estimator_"):
            del self.best_estimator_
        if self.task == "classification":
            self.classes_ = np.unique(read.samples.y)
        elif hasattr(self, "classes_"):
            del self.classes_

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict by the fusion that was chosen.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take.
        """
        return self._say("predict", X)

    @available_if(_says("predict_proba"))
    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class, if the fusion that was chosen has any.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take.
        """
        return self._say("predict_proba", X)

    @available_if(_says("decision_function"))
    def decision_function(self, X: Any) -> Floats:
        """Return decision values, if the fusion that was chosen has any.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take.
        """
        return self._say("decision_function", X)

    def score(self, X: Any, y: Any) -> float:
        """Score the fusion that was chosen, by `scoring`.

        Parameters
        ----------
        X : Modalities, or array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        float

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ValueError, TypeError
            If X has other columns or modalities than in fit, or cells it cannot take, or y is no
            target of its samples.
        """
        check_is_fitted(self, "best_estimator_")
        with _in_words(self._method, self._setting):
            return float(self.scorer_(self.best_estimator_, X, y))

    def _say(self, what: str, X: Any) -> Any:
        check_is_fitted(self, "best_estimator_")
        table = X if isinstance(X, Modalities) else as_table(X)
        check_features(self, table, several=self._several)
        with _in_words(self._method, self._setting):
            return getattr(self.best_estimator_, what)(X)


@contextmanager
def _in_words(method: PlannedMethod, setting: Setting) -> Iterator[None]:
    """Let errors speak of modalities by the user's names."""
    try:
        yield
    except (ValueError, TypeError) as error:
        text = in_users_words(str(error), method, setting)
        if text == str(error) or type(error) not in (ValueError, TypeError):
            raise
        raise type(error)(text) from error


def _try_fold(
    samples: Samples, planned: list[PlannedMethod], fold: Fold
) -> list[list[float] | str]:
    """Return the scores of each fusion on a fold, or why it has none."""
    data = FoldData(samples, fold, inner=True)
    (metric,) = samples.scorers
    found: list[list[float] | str] = []
    # Small matrices: threads of the linear algebra cost more than they bring.
    with threadpool_limits(limits=1, user_api="blas"):
        for method in planned:
            try:
                found.append([score for score, _ in try_values(method, data, metric)])
            except RefusalError as error:
                found.append(in_users_words(str(error), method, samples.setting))
            except Exception as error:
                lacks = isinstance(error, AttributeError)
                wanted = [
                    one for one in ("predict_proba", "decision_function") if one in str(error)
                ]
                if not (lacks and wanted):
                    error.add_note(f"raised by the candidate {name_of(method)!r}")
                    raise
                found.append(f"{metric} needs {wanted[0]}, which it has not")
    return found


def candidate_methods(candidates: Any) -> list[Method]:
    """Return the methods that a user wants to choose among, in that order.

    Parameters
    ----------
    candidates : list of str, Method and (name, estimator) pairs, or None

    Returns
    -------
    list of Method

    Raises
    ------
    ValueError, TypeError
        If one of them is none, or there are two of one name.
    """
    names = [key for key, method in METHODS.items() if method.kind != "baseline"]
    found: list[Method] = []
    for i, one in enumerate(CANDIDATES if candidates is None else candidates):
        pair = isinstance(one, list | tuple) and len(one) == 2
        if isinstance(one, str) and one in names:
            found.append(METHODS[one])
        elif isinstance(one, Method):
            found.append(one)
        elif pair and hasattr(one[1], "fit"):
            found.append(Method(*one))
        else:
            raise (ValueError if isinstance(one, str) else TypeError)(
                f"candidates[{i}] is {shown(one)}; expected one of {names}, a pair (name, "
                "estimator), or a Method."
            )
    if not found:
        raise ValueError("candidates is empty; expected at least one.")
    twice = [key for key, n in Counter(method.key for method in found).items() if n > 1]
    if twice:
        raise ValueError(f"candidates has {twice[0]!r} more than once; expected a name for each.")
    return found
