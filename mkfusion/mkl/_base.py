"""What all estimators that learn kernel weights have in common."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, Options
from mkfusion._messages import shown
from mkfusion._parallel import threads_for
from mkfusion._types import Indices
from mkfusion.data import rollback
from mkfusion.mkl._needs import uneven, weigh
from mkfusion.mkl._selection import Search, Selection, unproven
from mkfusion.mkl._validation import Training
from mkfusion.solvers import (
    CACHE,
    MAX_TIME,
    ROUNDING,
    Deadline,
    Loss,
    MKLResult,
    one_blas_thread,
    solve_mkl,
)
from mkfusion.stack import (
    KernelStack,
    prediction_stack,
    remember_input,
    warn_degenerate,
    weighted_products,
)

# Megabytes for kernels between samples: all rows of the composite one of eleven thousand.
CACHE_SIZE = CACHE // 2**20
_TINY = float(np.finfo(float).tiny)
# Composite kernels that are indefinite by such a share of their diagonal are not so by rounding.
_DEFECT = 1e-6
# Choices of kernels that a fit with few of them tells of.
_RUNNERS_UP = 10


class BaseMKL(BaseEstimator, ABC):
    """A kernel machine on a weighted sum of kernels whose weights are learned."""

    p: float
    tol: float
    max_iter: int
    max_time: float | None
    verbose: bool | int
    # Models that were saved by earlier versions have none of their own.
    cache_size: float = CACHE_SIZE
    n_kernels: int | None = None
    selection_: Selection

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "p": [Interval(Real, 1, None, closed="left"), Options(Real, {np.inf})],
        "lam": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        return tags

    @abstractmethod
    def _loss(self, training: Training) -> Loss:
        """Return the loss of every task, which may depend on the size of the targets."""

    @abstractmethod
    def _prepare(self, X: Any, y: Any, sample_weight: Any) -> Training:
        """Check the training samples, and leave the estimator as it is."""

    def _check_parameters(self) -> None:
        """Refuse parameters that are out of their range."""
        self._validate_params()

    def _price(self) -> float:
        """Return the price of every sample's loss, before its weight."""
        return float(getattr(self, "C", 1.0))

    def _strength(self) -> float:
        """Return the strength of the penalty form, 0 for the constraint form."""
        return getattr(self, "lam", None) or 0.0

    def _cache(self) -> int:
        """Return how many bytes kernels between samples may take."""
        return int(self.cache_size * 2**20)

    def _weigh(self, training: Training) -> None:
        """Refuse what there is no memory for, and say what takes long."""
        n_tasks = max(map(len, training.groups))
        told = bool(self.verbose)
        name = type(self).__name__
        weigh(name, training.stack, n_tasks, self._loss(training), self._cache(), verbose=told)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        self._check_parameters()
        training = self._prepare(X, y, sample_weight)
        self._weigh(training)
        learned = np.concatenate(training.groups).T if self.p < np.inf else None
        warn_degenerate(training.stack, learned, stacklevel=3)
        selection, kernels, max_time = self._select(training)
        results = self._solve(training, kernels, max_time)
        with rollback(self):
            self._keep(X, training, results)
            self._keep_selection(selection)
            self._warn(results, training.stack, stacklevel=4)
        return self

    def _select(self, training: Training) -> tuple[Selection | None, Indices | None, float | None]:
        """Return the best kernels, if only some are allowed, and the seconds that are left."""
        if self.n_kernels is None:
            return None, None, self.max_time
        names = training.stack.names
        if self.n_kernels > len(names):
            raise ValueError(
                f"n_kernels is {self.n_kernels}; expected at most the {len(names)} kernels of X."
            )
        deadline = Deadline(self.max_time)
        groups = [np.array([k]) for k in range(len(names))]
        search = self._search(training, names, groups, self.max_time)
        selection, kernels, _ = search.find(int(self.n_kernels), _RUNNERS_UP)
        return selection, kernels, deadline.left

    def _search(
        self,
        training: Training,
        names: list[str],
        groups: list[Indices],
        max_time: float | None,
    ) -> Search:
        """Return the search for the best modalities."""
        if self._strength():
            raise ValueError(
                f"lam is {shown(self._strength())}; expected None where the best kernels are "
                "chosen: what is proven is of the constraint form."
            )
        if len(training.groups) > 1:
            raise ValueError(
                "per_class_weights is True; expected False where the best kernels are chosen: all "
                "classes share them."
            )
        return Search(
            training,
            loss=self._loss(training),
            price=self._price(),
            p=float(self.p),
            tol=self.tol,
            names=names,
            groups=groups,
            max_time=max_time,
            cache=self._cache(),
            verbose=bool(self.verbose),
        )

    def _keep_selection(self, selection: Selection | None) -> None:
        """Set the fitted attribute of a choice, and warn where it is not proven."""
        if hasattr(self, "selection_"):
            del self.selection_
        if selection is None:
            return
        self.selection_ = selection
        told = unproven(selection, f"{self.n_kernels} kernels", self.tol, self.max_time)
        if told is not None:
            warnings.warn(told, ConvergenceWarning, stacklevel=4)

    def _solve(
        self,
        training: Training,
        kernels: Indices | None = None,
        max_time: float | None = None,
    ) -> list[MKLResult]:
        """Solve each group of tasks that shares weights, on some kernels or all."""
        n_jobs = getattr(self, "n_jobs", None)
        at_once = min(threads_for(n_jobs), len(training.groups))
        solve = partial(
            solve_mkl,
            training.stack if kernels is None else training.stack.select(kernels),
            loss=self._loss(training),
            p=self.p,
            lam=self._strength(),
            tol=self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time if kernels is None else max_time,
            report=_print_progress if self.verbose else None,
            cache=self._cache() // at_once,
        )
        price = self._price() * training.weights
        tasks = [(targets, np.tile(price, (len(targets), 1))) for targets in training.groups]
        if len(tasks) == 1:  # calling joblib takes longer than small fits between two loops
            results = [solve(*tasks[0])]
        else:
            with one_blas_thread():
                results = list(
                    Parallel(n_jobs=n_jobs, require="sharedmem")(
                        delayed(solve)(*task) for task in tasks
                    )
                )
        look_again(training, results)
        if kernels is not None:
            weights = np.zeros(training.stack.shape[2])
            weights[kernels] = results[0].weights
            results = [results[0]._replace(weights=weights)]
        return results

    def _keep(self, X: Any, training: Training, results: list[MKLResult]) -> None:
        """Set the fitted attributes."""
        beta = np.concatenate([result.beta for result in results])
        primal = sum(result.primal for result in results)
        gap = max(primal - sum(result.dual for result in results), 0.0)
        self.kernel_names_ = training.stack.names
        self.weights_ = results[0].weights
        if len(results) > 1:
            self.weights_ = np.stack([result.weights for result in results])
        self.support_ = np.flatnonzero(beta.any(axis=0))
        self.dual_coef_ = beta[:, self.support_]
        self.intercept_ = np.concatenate([result.intercept for result in results])
        self.objective_ = primal
        self.duality_gap_ = results[0].gap if len(results) == 1 else gap / max(primal, _TINY)
        self.n_iter_ = max(result.n_iter for result in results)
        remember_input(self, X, len(training.weights))

    def _warn(self, results: list[MKLResult], stack: KernelStack, *, stacklevel: int) -> None:
        """Warn if a fitted model is above its tolerance."""
        limits = {result.limit for result in results if not result.converged}
        if limits:
            warnings.warn(
                f"{type(self).__name__} reached the relative duality gap {self.duality_gap_:.2g} "
                f"{self._reason(limits)}{uneven(stack)}",
                ConvergenceWarning,
                stacklevel=stacklevel,
            )

    def _reason(self, limits: set[str]) -> str:
        """Say what ended a fit above its tolerance, and what helps."""
        expected = f"expected tol={self.tol:g}"
        if MAX_TIME in limits:
            return (
                f"after max_time={self.max_time:g} seconds; {expected}. Raise max_time or tol, or "
                "bring the kernels to one scale."
            )
        if ROUNDING in limits:
            return (
                f"after {self.n_iter_} choices of kernel weights, where rounding errors of "
                f"products with the kernels are the limit; {expected}. Standardise the features or "
                'bring the kernels to one scale (normalize="cosine"), compute them in float64, '
                "lower C, or raise tol."
            )
        return (
            f"after max_iter={self.max_iter} choices of kernel weights; {expected}. Raise max_iter "
            "or tol, or bring the kernels to one scale."
        )

    def _decisions(self, X: Any) -> NDArray[np.float64]:
        """Return every task's decision values (n_samples, n_tasks).

        Reads, or computes, only the kernels with weight, between the samples and the support
        vectors.
        """
        check_is_fitted(self)
        stack = prediction_stack(self, X, self.n_features_in_, self.kernel_names_)
        weights = np.atleast_2d(self.weights_)
        decision = np.tile(self.intercept_, (stack.shape[0], 1))
        if len(weights) == 1:
            decision += weighted_products(stack, weights[0], self.support_, self.dual_coef_).T
        else:
            for u, (d, beta) in enumerate(zip(weights, self.dual_coef_, strict=True)):
                used = np.flatnonzero(beta)
                own = beta[np.newaxis, used]
                decision[:, u] += weighted_products(stack, d, self.support_[used], own)[0]
        return decision


def look_again(training: Training, results: Iterable[MKLResult]) -> None:
    """Refuse kernels of which a quick look saw too little, as results tell: see `check_gram`."""
    if any(result.defect > _DEFECT or not result.converged for result in results):
        training.stack.check_gram_closely("X")


def _print_progress(n_iter: int, gap: float, weights: NDArray[np.float64]) -> None:
    used = np.count_nonzero(weights)
    print(f"[MKL] iteration {n_iter}: relative gap {gap:.2e}, {used} of {len(weights)} kernels")
