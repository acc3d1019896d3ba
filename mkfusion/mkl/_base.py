"""What all estimators that learn kernel weights have in common."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from mkfusion._compat import Interval, Options
from mkfusion.data import rollback
from mkfusion.mkl._validation import Training
from mkfusion.solvers import MAX_TIME, ROUNDING, Loss, MKLResult, one_blas_thread, solve_mkl
from mkfusion.stack import prediction_stack, remember_input, warn_degenerate

_TINY = float(np.finfo(float).tiny)
# Composite kernels that are indefinite by such a share of their diagonal are not so by rounding.
_DEFECT = 1e-6


class BaseMKL(BaseEstimator, ABC):
    """A kernel machine on a weighted sum of kernels whose weights are learned."""

    p: float
    tol: float
    max_iter: int
    max_time: float | None
    verbose: bool | int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "p": [Interval(Real, 1, None, closed="left"), Options(Real, {np.inf})],
        "lam": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "verbose": ["verbose"],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        tags.input_tags.three_d_array = True
        return tags

    @abstractmethod
    def _loss(self) -> Loss:
        """Return the loss of every task."""

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

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        self._check_parameters()
        training = self._prepare(X, y, sample_weight)
        learned = np.concatenate(training.groups).T if self.p < np.inf else None
        warn_degenerate(training.stack, learned, stacklevel=3)
        results = self._solve(training)
        with rollback(self):
            self._keep(X, training, results)
            self._warn(results, stacklevel=4)
        return self

    def _solve(self, training: Training) -> list[MKLResult]:
        """Solve each group of tasks that shares weights."""
        with one_blas_thread():
            results = list(
                Parallel(n_jobs=getattr(self, "n_jobs", None), prefer="threads")(
                    delayed(solve_mkl)(
                        training.stack,
                        targets,
                        np.tile(self._price() * training.weights, (len(targets), 1)),
                        loss=self._loss(),
                        p=self.p,
                        lam=self._strength(),
                        tol=self.tol,
                        max_iter=self.max_iter,
                        max_time=self.max_time,
                        report=_print_progress if self.verbose else None,
                    )
                    for targets in training.groups
                )
            )
        look_again(training, results)
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

    def _warn(self, results: list[MKLResult], *, stacklevel: int) -> None:
        """Warn if a fitted model is above its tolerance."""
        limits = {result.limit for result in results if not result.converged}
        if limits:
            warnings.warn(
                f"{type(self).__name__} reached the relative duality gap {self.duality_gap_:.2g} "
                f"{self._reason(limits)}",
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
            decision += stack.combine(weights[0], cols=self.support_) @ self.dual_coef_.T
        else:
            for u, (d, beta) in enumerate(zip(weights, self.dual_coef_, strict=True)):
                used = np.flatnonzero(beta)
                decision[:, u] += stack.combine(d, cols=self.support_[used]) @ beta[used]
        return decision


def look_again(training: Training, results: Iterable[MKLResult]) -> None:
    """Refuse kernels of which a quick look saw too little, as results tell: see `check_gram`."""
    if any(result.defect > _DEFECT or not result.converged for result in results):
        training.stack.check_gram_closely("X")


def _print_progress(n_iter: int, gap: float, weights: NDArray[np.float64]) -> None:
    used = np.count_nonzero(weights)
    print(f"[MKL] iteration {n_iter}: relative gap {gap:.2e}, {used} of {len(weights)} kernels")
