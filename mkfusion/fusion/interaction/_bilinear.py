"""Products of modalities with few components, by alternating least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from mkfusion._types import Floats
from mkfusion.fusion.interaction._penalized import (
    PenalizedFit,
    fit_loss,
    fold_losses,
    ridge_logistic,
)

_MOST_RANKS = 5
_NEWTON_STEPS = 2
# Without a penalty: settles only what the samples leave open, such as the factors' lengths.
NO_RIDGE = 1e-8
ALPHAS = np.logspace(0, -3, 5)
_ROUGH = 1e-4  # tolerance that is enough to choose a rank
# Ranks whose loss differs by less than this share of the main effects' are equally good.
_SAME_LOSS = 1e-3


class LowRankData(NamedTuple):
    """Samples of several modalities.

    Attributes
    ----------
    main : ndarray of shape (n_samples, n_columns)
        All columns.
    blocks : list of ndarray of shape (n_samples, width)
        Of each modality, as it enters the products.
    target : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,)
    """

    main: Floats
    blocks: list[Floats]
    target: Floats
    weights: Floats

    def take(self, rows: Any) -> LowRankData:
        """Return some of the samples."""
        blocks = [block[rows] for block in self.blocks]
        return LowRankData(self.main[rows], blocks, self.target[rows], self.weights[rows])


class LowRankSettings(NamedTuple):
    """How to fit.

    Attributes
    ----------
    logistic : bool
    tol : float
        Decrease of the objective in a sweep at which to stop, relative to that of main effects.
    max_iter : int
        Sweeps.
    random_state : int
    n_starts : int, default=3
        Of each rank.
    """

    logistic: bool
    tol: float
    max_iter: int
    random_state: int
    n_starts: int = 3


class LowRankFit(NamedTuple):
    """Coefficients of ``intercept + main @ coef + sum_r prod_m (block_m @ factor_m[:, r])``.

    Attributes
    ----------
    intercept : float
    coef : ndarray of shape (n_columns,)
    factors : list of ndarray of shape (width, rank)
    objectives : list of float
        After every step.
    converged : bool
    """

    intercept: float
    coef: Floats
    factors: list[Floats]
    objectives: list[float]
    converged: bool

    def predict(self, main: Floats, blocks: Sequence[Floats]) -> Floats:
        """Return fitted values (n_samples,)."""
        products = np.prod([b @ u for b, u in zip(blocks, self.factors, strict=True)], axis=0)
        return self.intercept + main @ self.coef + products.sum(axis=1)


def spread(columns: Floats, widths: Sequence[int]) -> list[Floats]:
    """Return the block of each modality; with a constant column if there are more than two.

    The constant lets a component leave modalities out, so that products of fewer are in the model
    [1]_. With two they would only repeat the main effects.

    References
    ----------
    .. [1] Zadeh, Chen, Poria, Cambria and Morency, "Tensor fusion network for multimodal sentiment
       analysis", EMNLP (2017).
    """
    blocks = np.split(columns, np.cumsum(widths)[:-1], axis=1)
    if len(blocks) < 3:
        return blocks
    return [np.column_stack([np.ones(len(block)), block]) for block in blocks]


def fit_low_rank(
    data: LowRankData, rank: int, alpha: float, settings: LowRankSettings
) -> list[LowRankFit]:
    """Minimise ``mean loss + alpha / 2 (||coef||^2 + sum_m ||factor_m||^2)`` for ranks 0 to `rank`.

    All coefficients that multiply one modality's columns, and all main effects, are solved for
    while the others stay [1]_; with two modalities, the penalty on the factors is one on
    the nuclear norm of the matrix of products [2]_. The objective has local minima: each rank
    starts from the best fit of the rank before with one component more, and from others at random.

    Parameters
    ----------
    data : LowRankData
    rank : int
    alpha : float
    settings : LowRankSettings

    Returns
    -------
    list of 1 + rank LowRankFit

    References
    ----------
    .. [1] Zhou, Li and Zhu, "Tensor regression with applications in neuroimaging data analysis",
       Journal of the American Statistical Association 108 (2013).
    .. [2] Srebro, Rennie and Jaakkola, "Maximum-margin matrix factorization", NIPS (2004).
    """
    rng = np.random.RandomState(settings.random_state)
    fits = [_main_effects(data, alpha, settings)]
    for r in range(1, rank + 1):
        added = [_random(data, 1, rng) for _ in range(max(1, settings.n_starts - 1))]
        starts = [
            [np.hstack([old, new]) for old, new in zip(fits[-1].factors, one, strict=True)]
            for one in added
        ]
        if len(starts) < settings.n_starts:
            starts.append(_random(data, r, rng))
        found = [_alternate(data, start, fits[0], alpha, settings) for start in starts]
        fits.append(min(found, key=lambda fit: fit.objectives[-1]))
    return fits


def _random(data: LowRankData, rank: int, rng: np.random.RandomState) -> list[Floats]:
    return [
        rng.standard_normal((block.shape[1], rank)) / np.sqrt(block.shape[1])
        for block in data.blocks
    ]


def _main_effects(data: LowRankData, alpha: float, settings: LowRankSettings) -> LowRankFit:
    intercept, coef = _solve(data.main, data, alpha, settings)
    factors = [np.zeros((block.shape[1], 0)) for block in data.blocks]
    fit = LowRankFit(intercept, coef, factors, [], True)
    return fit._replace(objectives=[_objective(data, fit, alpha, settings)])


def _solve(
    design: Floats,
    data: LowRankData,
    alpha: float,
    settings: LowRankSettings,
    start: tuple[float, Floats] | None = None,
) -> tuple[float, Floats]:
    """Minimise the mean loss plus ``alpha / 2 ||coef||^2`` over an intercept and coefficients.

    Of the log loss a few Newton steps from the start do: it decreases, and its turn comes again.
    Least squares are solved here for the time that :class:`sklearn.linear_model.Ridge` takes to
    check its input: there are thousands of them, all small.
    """
    if settings.logistic:
        before = None if start is None else PenalizedFit(start[1], start[0], alpha)
        steps = 100 if start is None else _NEWTON_STEPS
        fit = ridge_logistic(design, data.target, data.weights, alpha, before, steps)
        return fit.intercept, fit.coef
    shares = data.weights / data.weights.sum()
    root = np.sqrt(shares)
    mean, middle = shares @ design, float(shares @ data.target)
    columns = (design - mean) * root[:, None]
    target = (data.target - middle) * root
    wide = columns.shape[0] < columns.shape[1]
    gram = columns @ columns.T if wide else columns.T @ columns
    # Columns in large units would else leave nothing of a small ridge but rounding.
    gram[np.diag_indices_from(gram)] += max(alpha, 1e-14 * float(np.trace(gram)))
    if wide:
        coef = columns.T @ cho_solve(cho_factor(gram), target)
    else:
        coef = cho_solve(cho_factor(gram), columns.T @ target)
    return middle - float(mean @ coef), coef


def _objective(
    data: LowRankData, fit: LowRankFit, alpha: float, settings: LowRankSettings
) -> float:
    values = fit.predict(data.main, data.blocks)
    loss = fit_loss(values, data.target, data.weights, settings.logistic)
    size = fit.coef @ fit.coef + sum(float((u**2).sum()) for u in fit.factors)
    return loss / data.weights.sum() / (1 if settings.logistic else 2) + alpha / 2 * size


def _alternate(
    data: LowRankData,
    start: list[Floats],
    additive: LowRankFit,
    alpha: float,
    settings: LowRankSettings,
) -> LowRankFit:
    """Solve for one modality's factor after the other until the objective stays."""
    fit = LowRankFit(additive.intercept, additive.coef, start, [], False)
    projected = [b @ u for b, u in zip(data.blocks, start, strict=True)]
    enough = settings.tol * additive.objectives[0]
    before = np.inf
    for _ in range(settings.max_iter):
        for m, block in enumerate(data.blocks):
            others = np.prod([p for k, p in enumerate(projected) if k != m], axis=0)
            products = (block[:, :, None] * others[:, None, :]).reshape(len(block), -1)
            design = np.hstack([data.main, products])
            now = fit.intercept, np.r_[fit.coef, fit.factors[m].ravel()]
            intercept, coef = _solve(design, data, alpha, settings, now)
            n_main = data.main.shape[1]
            factors = list(fit.factors)
            factors[m] = coef[n_main:].reshape(block.shape[1], -1)
            factors = _balanced(factors)
            fit = fit._replace(intercept=intercept, coef=coef[:n_main], factors=factors)
            projected = [b @ u for b, u in zip(data.blocks, factors, strict=True)]
            fit.objectives.append(_objective(data, fit, alpha, settings))
        if before - fit.objectives[-1] <= enough:
            return fit._replace(converged=True)
        before = fit.objectives[-1]
    return fit


def _balanced(factors: list[Floats]) -> list[Floats]:
    """Give a component's factors one length, the shortest for their product."""
    lengths = np.array([np.linalg.norm(u, axis=0) for u in factors])
    there = (lengths > 0).all(axis=0)
    common = np.exp(np.log(np.where(there, lengths, 1.0)).mean(axis=0))
    scales = np.where(there, common / np.where(there, lengths, 1.0), 0.0)
    return [u * scale for u, scale in zip(factors, scales, strict=True)]


def _in_order(fit: LowRankFit) -> LowRankFit:
    """Return a fit with its components from the strongest on, and signs that are settled."""
    lengths = np.prod([np.linalg.norm(u, axis=0) for u in fit.factors], axis=0)
    order = np.argsort(-lengths, kind="stable")
    factors = [u[:, order] for u in fit.factors]
    for m in range(1, len(factors)):
        top = np.abs(factors[m]).argmax(axis=0)
        signs = np.where(np.take_along_axis(factors[m], top[None], axis=0)[0] < 0, -1.0, 1.0)
        factors[m] = factors[m] * signs
        factors[0] = factors[0] * signs
    return fit._replace(factors=factors)


def _simplest(losses: Floats, folds: Floats, pairs: Sequence[tuple[float, int]]) -> int:
    """Return the lowest rank that is within a standard error of the best, of the same strength.

    The standard error is that of the difference between the two over the folds (n_folds, n_pairs).
    """
    best = int(losses.argmin())
    for i, (alpha, rank) in enumerate(pairs[:best]):
        if alpha == pairs[best][0] and rank < pairs[best][1]:
            excess = folds[:, i] - folds[:, best]
            error = excess.std(ddof=1) / np.sqrt(len(excess)) if len(excess) > 1 else 0.0
            if losses[i] - losses[best] <= max(error, _SAME_LOSS * losses[0]):
                return i
    return best


def choose_rank(
    data: LowRankData,
    rank: int | str,
    alpha: float | str,
    cv: Any,
    settings: LowRankSettings,
    n_jobs: int | None,
    verbose: int,
) -> tuple[LowRankFit, int, float]:
    """Fit with a given rank and strength, or with those whose out-of-fold loss is least.

    Returns
    -------
    fit : LowRankFit
    rank : int
    alpha : float
    """
    alphas = ALPHAS if isinstance(alpha, str) else np.array([alpha])
    widths = [block.shape[1] for block in data.blocks]
    most = min(_MOST_RANKS, *widths) if len(widths) == 2 else _MOST_RANKS
    ranks = range(most + 1) if isinstance(rank, str) else range(rank, rank + 1)
    pairs = [(float(a), r) for a in alphas for r in ranks]
    best = pairs[0]
    if len(pairs) > 1:

        def losses_of(train: Any, test: Any) -> list[float]:
            inside, outside = data.take(train), data.take(test)
            rough = settings._replace(tol=max(settings.tol, _ROUGH), n_starts=1)
            return [
                fit_loss(
                    fit.predict(outside.main, outside.blocks),
                    outside.target,
                    outside.weights,
                    settings.logistic,
                )
                for a in alphas
                for fit in fit_low_rank(inside, ranks[-1], float(a), rough)[ranks[0] :]
            ]

        losses, errors = fold_losses(
            losses_of, data.target, data.weights, cv, settings.logistic, n_jobs
        )
        best = pairs[_simplest(losses, errors, pairs)]
        if verbose:
            print(f"[low_rank] rank={best[1]}, alpha={best[0]:.3g}: least loss out of fold")
    fit = fit_low_rank(data, best[1], best[0], settings)[-1]
    return _in_order(fit), best[1], best[0]
