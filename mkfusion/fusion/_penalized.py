"""Penalised linear and logistic regression, and the choice of the strength."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from mkfusion.fusion._group_lasso import GroupProblem
from mkfusion.fusion._interaction_terms import Terms
from mkfusion.fusion._logistic import fit_logistic, log_loss

__all__ = [
    "PenalizedFit",
    "Penalty",
    "fit_loss",
    "fit_penalized",
    "fold_losses",
    "make_groups",
    "ridge_logistic",
]

_Array = NDArray[np.float64]

_N_ALPHAS = 20
_ROUGH = 1e-4  # duality gap that is enough to choose a strength


class Penalty(NamedTuple):
    """What is minimised beside the mean loss.

    Attributes
    ----------
    kind : {"ridge", "lasso", "group"}
    groups : sequence of ndarray of int
        The terms of each group; single ones for the lasso.
    logistic : bool
        Whether the loss is logistic rather than half the squared error.
    tol : float
        Duality gap to reach relative to the loss of the intercept alone.
    max_iter : int
    """

    kind: str
    groups: Sequence[NDArray[np.intp]]
    logistic: bool
    tol: float
    max_iter: int


class PenalizedFit(NamedTuple):
    """Coefficients and strength of a penalised regression.

    Attributes
    ----------
    coef : ndarray of shape (n_terms,)
    intercept : float
    alpha : float
    n_iter : int
        Iterations, 1 where there are none.
    gap : float
        Relative duality gap, where the solver is ours; NaN otherwise.
    converged : bool
    """

    coef: _Array
    intercept: float
    alpha: float
    n_iter: int = 1
    gap: float = np.nan
    converged: bool = True


def make_groups(terms: Terms, penalty: str) -> list[NDArray[np.intp]]:
    """Return the groups of terms that a penalty selects together.

    The main effects of each modality are a group, and the products of two modalities one with the
    main effects of both, where the model has these.
    """
    if penalty == "lasso":
        return [np.array([j]) for j in range(len(terms.names))]
    groups = []
    for block in np.unique(terms.blocks, axis=0):
        members = (terms.blocks == block).all(axis=1)
        if block[1] >= 0:
            members |= (terms.second < 0) & np.isin(terms.blocks[:, 0], block)
        groups.append(np.flatnonzero(members))
    return groups


def _ridge_path(
    terms: _Array,
    target: _Array,
    weights: _Array,
    alphas: _Array,
    *,
    logistic: bool,
) -> Iterator[PenalizedFit]:
    """Yield the minimisers of the mean loss plus ``alpha / 2 ||coef||^2`` for several alphas."""
    if not logistic:
        for alpha in alphas:
            model = Ridge(alpha=alpha * weights.sum()).fit(terms, target, sample_weight=weights)
            yield PenalizedFit(model.coef_, float(model.intercept_), float(alpha))
        return
    fit = None
    for alpha in alphas:
        fit = ridge_logistic(terms, target, weights, float(alpha), fit)
        yield fit


def ridge_logistic(
    terms: _Array,
    target: _Array,
    weights: _Array,
    alpha: float,
    start: PenalizedFit | None = None,
    max_iter: int = 100,
) -> PenalizedFit:
    """Minimise the mean log loss plus ``alpha / 2 ||coef||^2``, from another fit on."""
    total = float(weights.sum())
    mean = weights @ terms / total
    centred = terms - mean
    # No coefficients are of use outside of the span of the samples.
    rotation = np.linalg.qr(centred.T)[0] if len(terms) < terms.shape[1] else None
    reduced = centred if rotation is None else centred @ rotation
    before = None
    if start is not None:
        inner = start.coef if rotation is None else rotation.T @ start.coef
        before = np.r_[start.intercept + mean @ start.coef, inner]
    fit = fit_logistic(
        np.column_stack([np.ones(len(terms)), reduced]),
        target,
        weights,
        np.r_[0.0, np.full(reduced.shape[1], alpha * total)],
        before,
        max_iter=max_iter,
    )
    coef = fit.coef[1:] if rotation is None else rotation @ fit.coef[1:]
    return PenalizedFit(coef, float(fit.coef[0] - mean @ coef), alpha, fit.n_iter)


def _path(
    terms: _Array, target: _Array, weights: _Array, alphas: _Array, penalty: Penalty
) -> Iterator[PenalizedFit]:
    """Yield the fits for decreasing alphas."""
    if penalty.kind == "ridge":
        yield from _ridge_path(terms, target, weights, alphas, logistic=penalty.logistic)
    elif penalty.kind == "lasso" and not penalty.logistic:
        model = Lasso(warm_start=True, tol=penalty.tol, max_iter=penalty.max_iter)
        for alpha in alphas:
            model.set_params(alpha=alpha).fit(terms, target, sample_weight=weights)
            coef, n_iter = model.coef_.copy(), max(1, int(model.n_iter_))
            yield PenalizedFit(coef, float(model.intercept_), float(alpha), n_iter)
    else:
        problem = GroupProblem(terms, target, weights, penalty.groups, logistic=penalty.logistic)
        fit = None
        for alpha in alphas:
            fit = problem.solve(alpha, penalty.tol, penalty.max_iter, fit)
            yield PenalizedFit(
                fit.coef, fit.intercept, float(alpha), max(1, fit.n_iter), fit.gap, fit.converged
            )


def fit_penalized(
    terms: _Array,
    target: _Array,
    weights: _Array,
    penalty: Penalty,
    alpha: float | str,
    cv: Any,
    n_jobs: int | None,
    verbose: int,
) -> PenalizedFit:
    """Fit with a given strength, or with the one whose out-of-fold loss is least.

    Parameters
    ----------
    terms : ndarray of shape (n_samples, n_terms)
    target, weights : ndarray of shape (n_samples,)
    penalty : Penalty
    alpha : float or "cv"
    cv : int, splitter or iterable
    n_jobs : int or None
        Folds at the same time.
    verbose : int

    Returns
    -------
    PenalizedFit
    """
    if isinstance(alpha, str):
        alphas = _candidates(terms, target, weights, penalty)
        rough = penalty._replace(tol=max(penalty.tol, _ROUGH))

        def losses_of(train: Any, test: Any) -> list[float]:
            path = _path(terms[train], target[train], weights[train], alphas, rough)
            return [
                fit_loss(
                    terms[test] @ fit.coef + fit.intercept,
                    target[test],
                    weights[test],
                    penalty.logistic,
                )
                for fit in path
            ]

        losses, _ = fold_losses(losses_of, target, weights, cv, penalty.logistic, n_jobs)
        best = int(losses.argmin())  # the strongest of equals
        alphas = alphas[: best + 1]
        if verbose:
            print(f"[{penalty.kind}] alpha={alphas[-1]:.3g}, out-of-fold loss {losses[best]:.4g}")
    else:
        alphas = np.array([alpha])
    # Along the path: each solution is close to the next.
    *_, fit = _path(terms, target, weights, alphas, penalty)
    return fit


def fold_losses(
    losses_of: Any, target: _Array, weights: _Array, cv: Any, logistic: bool, n_jobs: int | None
) -> tuple[_Array, _Array]:
    """Return candidates' mean loss out of fold, and in each: (n_candidates,), (n_folds, same).

    ``losses_of(train, test)`` gives the candidates' weighted sums of losses on test samples. Folds
    without weight, or without two classes to learn from, have no say.
    """
    n_needed = 2 if logistic else 1
    folds = [
        (train, test)
        for train, test in check_cv(cv, target, classifier=logistic).split(target, target)
        if len(np.unique(target[train][weights[train] > 0])) >= n_needed and weights[test].any()
    ]
    if not folds:
        raise ValueError(
            f"cv={cv!r} leaves no fold with targets to learn from; expected more samples, or other "
            "folds."
        )
    found = Parallel(n_jobs=n_jobs)(delayed(losses_of)(train, test) for train, test in folds)
    held_out = np.array([weights[test].sum() for _, test in folds])
    return np.sum(found, axis=0) / held_out.sum(), np.array(found) / held_out[:, None]


def fit_loss(fit: _Array, target: _Array, weights: _Array, logistic: bool) -> float:
    """Return the weighted sum of squared errors or log losses of fitted values (n_samples,)."""
    return log_loss(fit, target, weights) if logistic else float(weights @ (target - fit) ** 2)


def _candidates(terms: _Array, target: _Array, weights: _Array, penalty: Penalty) -> _Array:
    """Return strengths to choose from, the largest first, in units of the data."""
    if penalty.kind == "ridge":
        shares = weights / weights.sum()
        size = float((shares @ (terms - shares @ terms) ** 2).mean())
        return max(size, np.finfo(float).tiny) * np.logspace(3, -4, _N_ALPHAS)
    problem = GroupProblem(terms, target, weights, penalty.groups, logistic=penalty.logistic)
    largest = max(problem.largest_alpha(), np.finfo(float).tiny)
    return largest * np.logspace(0, -3, _N_ALPHAS)
