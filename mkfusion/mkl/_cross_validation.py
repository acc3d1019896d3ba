"""C and p chosen by cross-validation, on paths that share one stack of kernels."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from itertools import chain
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from mkfusion._compat import (
    Interval,
    Options,
    StrOptions,
    accepts_sample_weight,
    raise_for_params,
    routing_enabled,
)
from mkfusion._messages import shown
from mkfusion._parallel import threads_for
from mkfusion._types import Floats, Indices
from mkfusion.data import find_splitter, read_splits, rollback
from mkfusion.mkl._base import BaseMKL, look_again
from mkfusion.mkl._calibration import HeldOut
from mkfusion.mkl._costs import cost_grid, kernel_sums
from mkfusion.mkl._needs import uneven
from mkfusion.mkl._validation import Training
from mkfusion.solvers import MKLResult, Path, Setting, one_blas_thread, solve_paths
from mkfusion.stack import warn_degenerate

# How many folds there are, and by what classifiers are chosen, if nobody says.
FOLDS, LOG_LOSS = 5, "neg_log_loss"
# Mean scores that differ by less, as a share, are the same, added up in another order.
_SAME_SCORE = 1e-12


class Fold(NamedTuple):
    """One fold.

    Attributes
    ----------
    train, test : ndarray
        Samples that teach and that are held out.
    training : Training
        All samples, those that do not teach with the weight 0.
    """

    train: Indices
    test: Indices
    training: Training


class OfFold(BaseMKL):
    """A model of a fold, which knows its answers for the samples held out."""

    def hold_out(self, X: Any, decisions: Floats) -> None:
        """Remember the decision values (n_samples, n_tasks) for the kernels X."""
        self._held_out = X, decisions

    def _decisions(self, X: Any) -> Floats:
        held_out, decisions = self._held_out
        return decisions if X is held_out else super()._decisions(X)


class BaseMKLCV(BaseMKL):
    """Chooses C and p by cross-validation, then fits to all samples."""

    Cs: Any
    ps: Any
    cv: Any
    scoring: Any
    refit: bool
    random_state: Any
    n_jobs: int | None

    # It is the splitter that asks for groups.
    __metadata_request__fit: ClassVar[dict[str, str]] = {"groups": UNUSED}

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "ps": [
            None,
            Interval(Real, 1, None, closed="left"),
            Options(Real, {np.inf}),
            "array-like",
        ],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "refit": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Integral, None, -1, closed="right"),
            None,
        ],
    }

    @abstractmethod
    def _machine(self, C: float, p: float, *, of_fold: bool) -> Any:
        """Return a machine with one value of each parameter."""

    def _goes_by_chances(self) -> bool:
        """Return whether the score is the log loss of probabilities, which folds have together."""
        named = self.scoring is None or (isinstance(self.scoring, str) and self.scoring == LOG_LOSS)
        return named and self._has_classes()

    def _means_to_shift(self) -> bool:
        """Return whether decision values are not to say the most likely class."""
        return getattr(self, "class_weight", None) is not None

    def _has_classes(self) -> bool:
        return hasattr(self, "decision_function")

    def _warn_constant(self, training: Training, results: list[MKLResult]) -> None:
        """Warn if predictions do not depend on the sample."""

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata is passed on: groups to the splitter, others to the scorer.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        to_splitter = MethodMapping().add(caller="fit", callee="split")
        to_scorer = MethodMapping().add(caller="fit", callee="score")
        splitter = find_splitter(self.cv, classes=self._has_classes())
        return router.add(splitter=splitter, method_mapping=to_splitter).add(
            scorer=self._scorer(), method_mapping=to_scorer
        )

    def _scorer(self) -> Any:
        return check_scoring(self._machine(1.0, 1.0, of_fold=True), scoring=self.scoring)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.Cs, Integral):
            values = _numbers("Cs", self.Cs, "positive numbers, or how many to choose among")
            wrong = values[~(np.isfinite(values) & (values > 0.0))]
            if wrong.size:
                raise ValueError(f"Cs contains {wrong[0]:g}; expected finite positive numbers.")
        if self.ps is not None:
            values = _numbers("ps", self.ps, "numbers of at least 1")
            wrong = values[~(values >= 1.0)]
            if wrong.size:
                raise ValueError(f"ps contains {wrong[0]:g}; expected numbers of at least 1.")

    def _fit_cv(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, params: dict[str, Any]
    ) -> Self:
        self._check_parameters()
        raise_for_params(params, self, "fit")
        scorer = None if self._goes_by_chances() else self._scorer()
        training = self._prepare(X, y, sample_weight)
        self._weigh(training)
        ps = np.array([1.0]) if self.ps is None else np.ravel(self.ps).astype(float)
        for_folds, for_scores = self._route(scorer, sample_weight, groups, params)
        folds = self._folds(training, for_folds)
        learned = np.concatenate(training.groups).T if (ps < np.inf).any() else None
        warn_degenerate(training.stack, learned, stacklevel=3)
        Cs = self._costs(training, ps)
        scores, said = self._scores(training, folds, ps, Cs, scorer, for_scores)
        held_out = _pooled(training, folds, said, for_scores)
        if held_out is not None and scorer is None:
            scores = held_out.scores(offsets=self._means_to_shift())
        self._print(scores, ps, Cs)
        i, j = _best(scores.mean(axis=2), Cs)
        C, p = float(Cs[i, j]), float(ps[i])
        with rollback(self):
            if self.refit:
                results = self._machine(C, p, of_fold=False)._solve(training)
                self._keep(X, training, results)
                self._warn(results, training.stack, stacklevel=4)
                self._warn_constant(training, results)
            else:
                for name in [name for name in vars(self) if name.endswith("_")]:
                    delattr(self, name)
            if held_out is not None:
                self.calibration_ = held_out.curves(i, j)
            self.C_, self.p_ = C, p
            self.ps_ = ps
            self.Cs_ = Cs[0] if (Cs == Cs[0]).all() else Cs
            self.scores_ = scores
            self.best_score_ = float(scores[i, j].mean())
        return self

    def _route(
        self, scorer: Any, sample_weight: Any, groups: Any, params: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the splitter and the scorer are told."""
        if not routing_enabled():
            for_folds = {} if groups is None else {"groups": groups}
            by_default = scorer is None or self.scoring is None
            counts = by_default or accepts_sample_weight(scorer)
            weighted = sample_weight is not None and counts
            return for_folds, ({"sample_weight": sample_weight} if weighted else {})
        given = {"sample_weight": sample_weight, "groups": groups, **params}
        given = {name: value for name, value in given.items() if value is not None}
        routed: Bunch = process_routing(self, "fit", **given)
        return routed.splitter.split, routed.scorer.score

    def _folds(self, training: Training, for_splitter: dict[str, Any]) -> list[Fold]:
        """Return the folds, each of which must be able to teach."""
        n = training.stack.shape[0]
        try:
            splits = self._splits(training, for_splitter)
        except ValueError as error:
            advice = "fewer folds, or more samples"
            if "'groups' parameter should not be None" in str(error):
                advice = "groups, as fit takes them"
            raise ValueError(
                f"cv={shown(self.cv)} does not split the {n} samples: {error} Expected {advice}."
            ) from error
        folds = []
        for number, (train, test) in enumerate(splits):
            if not (len(train) and len(test)):
                raise ValueError(
                    f"cv={shown(self.cv)} gives fold {number} {len(train)} samples to learn from "
                    f"and {len(test)} held out; expected some of both."
                )
            repeats = np.bincount(train, minlength=n)
            weights = np.where(repeats > 0, repeats * training.weights, 0.0)
            if not weights.any():
                raise ValueError(
                    f"sample_weight is 0 for all {len(train)} training samples of fold {number}; "
                    "expected a positive one in every fold."
                )
            part = self._of_fold(training._replace(weights=weights), train, number)
            folds.append(Fold(train, test, part))
        if not folds:
            raise ValueError(f"cv={shown(self.cv)} gives no fold; expected at least one.")
        return folds

    def _splits(
        self, training: Training, for_splitter: dict[str, Any]
    ) -> list[tuple[Indices, Indices]]:
        """Return the samples that teach and that are held out of each fold.

        A number of folds is drawn by `random_state` among samples that were put in an order of
        their own, by target and mean similarity, so that it does not matter in which they came.
        """
        n, y = training.stack.shape[0], training.given
        classes = training.classes is not None
        if not (self.cv is None or isinstance(self.cv, Integral)):
            return read_splits(self.cv, n, y, classes=classes, **for_splitter)
        assert y is not None
        with one_blas_thread():
            order = np.lexsort((kernel_sums(training), y))
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        told = {name: np.asarray(value)[order] for name, value in for_splitter.items()}
        cv = FOLDS if self.cv is None else int(self.cv)
        splits = read_splits(cv, n, y[order], classes=classes, seed=seed, **told)
        return [(np.sort(order[train]), np.sort(order[test])) for train, test in splits]

    def _of_fold(self, training: Training, train: Indices, number: int) -> Training:
        """Return what there is to learn in a fold, given weights that are 0 outside of it."""
        return training

    def _costs(self, training: Training, ps: Floats) -> Floats:
        """Return the values of C (n_ps, n_Cs)."""
        if not isinstance(self.Cs, Integral):
            return np.tile(np.asarray(self.Cs, dtype=float), (len(ps), 1))
        classes = training.classes is not None
        grid = cost_grid(training, self._loss(training), int(self.Cs), classes=classes)
        # Equal weights of norm 1 are m**(-1/p) each.
        scale = float(training.stack.shape[2]) ** (1.0 / ps)
        return scale[:, np.newaxis] * grid

    def _scores(
        self,
        training: Training,
        folds: list[Fold],
        ps: Floats,
        Cs: Floats,
        scorer: Any | None,
        for_scorer: dict[str, Any],
    ) -> tuple[Floats, list[Floats]]:
        """Return the scores of all folds, and the decision values of the samples held out.

        Returns
        -------
        ndarray of shape (n_ps, n_Cs, n_folds)
        list of n_folds ndarrays of shape (n_ps, n_Cs, n_test, n_tasks)
        """
        order = np.argsort(Cs, axis=1, kind="stable")
        solved = self._solve_folds(training, folds, ps, np.take_along_axis(Cs, order, axis=1))
        assert training.given is not None
        n = training.stack.shape[0]
        scores = np.empty((len(ps), Cs.shape[1], len(folds)))
        gaps: list[float] = []
        said: list[Floats] = []
        for f, fold in enumerate(folds):
            held_out = training.stack.take(fold.test, fold.train)
            part = fold.training._replace(weights=fold.training.weights[fold.train])
            y = training.given[fold.test]
            told = _told(for_scorer, fold.test, n)
            n_tasks = sum(len(targets) for targets in fold.training.groups)
            said.append(np.empty((*Cs.shape, len(fold.test), n_tasks)))
            for i, p in enumerate(ps):
                for place, j in enumerate(order[i]):
                    results = [path[place] for path in solved[f, i]]
                    gaps += [result.gap for result in results if not result.converged]
                    said[f][i, j] = decisions_of(results)[:, fold.test].T
                    if scorer is None:
                        continue
                    model = self._machine(float(Cs[i, j]), float(p), of_fold=True)
                    model._keep(held_out, part, [_of_samples(r, fold.train) for r in results])
                    model.hold_out(held_out, said[f][i, j])
                    scores[i, j, f] = self._score(scorer, model, held_out, y, told)
        if gaps:
            warnings.warn(
                f"{len(gaps)} fits on folds ended above tol={self.tol:g}, at relative duality gaps "
                f"of up to {max(gaps):.2g}. Raise max_iter, max_time or tol, or bring the kernels "
                f"to one scale.{uneven(training.stack)}",
                ConvergenceWarning,
                stacklevel=4,
            )
        return scores, said

    def _print(self, scores: Floats, ps: Floats, Cs: Floats) -> None:
        if self.verbose:
            for i, j in np.ndindex(Cs.shape):
                print(f"[MKL] p={ps[i]:g}, C={Cs[i, j]:g}: score {scores[i, j].mean():.4g}")

    def _solve_folds(
        self, training: Training, folds: list[Fold], ps: Floats, Cs: Floats
    ) -> dict[tuple[int, int], list[list[MKLResult]]]:
        """Return, by fold and p, the results for each group of tasks and each C."""
        paths: list[Path] = []
        owners: list[tuple[int, int]] = []
        for i, p in enumerate(ps):
            for f, fold in enumerate(folds):
                for targets in fold.training.groups:
                    price = np.tile(fold.training.weights, (len(targets), 1))
                    lam = self._strength()
                    settings = [Setting(C * price, float(p), lam) for C in Cs[i]]
                    paths.append(Path(targets, settings))
                    owners.append((f, i))
        solved = solve_paths(
            training.stack,
            paths,
            loss=self._loss(training),
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            n_jobs=threads_for(self.n_jobs),
            cache=self._cache(),
        )
        look_again(training, chain.from_iterable(solved))
        found: dict[tuple[int, int], list[list[MKLResult]]] = {owner: [] for owner in owners}
        for owner, results in zip(owners, solved, strict=True):
            found[owner].append(results)
        return found

    def _score(self, scorer: Any, model: Any, X: Any, y: Any, told: dict[str, Any]) -> float:
        """Return what a scorer says of a model of a fold."""
        try:
            score = scorer(model, X, y, **told)
        except AttributeError as error:
            if "predict_proba" not in str(error) and "predict_log_proba" not in str(error):
                raise
            raise ValueError(
                f"scoring={shown(self.scoring)} needs probabilities, which a model of one fold "
                'does not have; expected "neg_log_loss", which is of all folds together, or a '
                'score of predictions or of decision values, such as "balanced_accuracy", or '
                '"roc_auc" for two classes.'
            ) from error
        if not isinstance(score, Real) or not np.isfinite(float(score)):
            raise ValueError(
                f"scoring={shown(self.scoring)} gave {shown(score)} on a fold of {len(y)} samples; "
                "expected a finite number."
            )
        return float(score)

    def _decisions(self, X: Any) -> Floats:
        if hasattr(self, "C_") and not hasattr(self, "weights_"):
            raise NotFittedError(
                f"This {type(self).__name__} was fitted with refit=False: it has chosen C_ and p_, "
                "and has no model to predict with."
            )
        return super()._decisions(X)


def constraints_of_choice(machine: type[BaseMKL]) -> dict[str, list[Any]]:
    """Return what is allowed for the parameters of a machine whose C and p are chosen."""
    own = machine._parameter_constraints.items()
    kept = {name: allowed for name, allowed in own if name not in ("C", "p")}
    return kept | BaseMKLCV._parameter_constraints


def _numbers(name: str, values: Any, expected: str) -> Floats:
    """Return at least one number, of a single one or a sequence."""
    try:
        numbers = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"{name} is {shown(values)}; expected {expected}.")
    return numbers


def _pooled(
    training: Training, folds: list[Fold], said: list[Floats], for_scorer: dict[str, Any]
) -> HeldOut | None:
    """Return what is said of the samples held out by all folds, if there are classes."""
    if training.classes is None:
        return None
    assert training.given is not None
    weights = for_scorer.get("sample_weight")
    pairs = [
        (part, fold.training.classes)
        for part, fold in zip(said, folds, strict=True)
        if fold.training.classes is not None  # as all have
    ]
    return HeldOut.of(
        pairs,
        [training.given[fold.test] for fold in folds],
        None if weights is None else [np.asarray(weights, float)[fold.test] for fold in folds],
        training.classes,
    )


def _told(for_scorer: dict[str, Any], samples: Indices, n: int) -> dict[str, Any]:
    """Return what a scorer is told of some of n samples."""
    return {
        name: values[samples] if values.shape[:1] == (n,) else value
        for name, value in for_scorer.items()
        for values in [np.asarray(value)]
    }


def decisions_of(results: list[MKLResult]) -> Floats:
    """Return the decision values (n_tasks, n) of all samples."""
    return np.concatenate([r.decisions + r.intercept[:, np.newaxis] for r in results])


def _of_samples(result: MKLResult, samples: Indices) -> MKLResult:
    return result._replace(beta=result.beta[:, samples])


def _best(means: Floats, Cs: Floats) -> tuple[int, int]:
    """Return where the best mean score is: at the smallest C, and the first p, of equal ones."""
    top = means.max()
    tied = np.argwhere(means >= top - _SAME_SCORE * max(1.0, abs(top)))
    i, j = min((tuple(place) for place in tied), key=lambda place: (Cs[place], place))
    return int(i), int(j)
