"""Penalised linear and logistic regression, and the choice of the strength.

The lasso of numbers is scikit-learn's. Ridge regression decomposes the terms once for all
strengths; twenty `Ridge` take eight times as long (240 samples of 120 terms). The group lasso is
ours: skglm 0.5 compiles for 10 s (squared loss) to 14 s (logistic) in every process, and its group
losses have neither sample weights nor a duality gap; celer 0.7 has neither the logistic loss nor
sample weights for groups, and brings seaborn, xarray and a downloader. Once compiled all three need
1 ms at 200 samples of 30 columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, svd
from scipy.special import entr, expit
from sklearn.linear_model import Lasso
from sklearn.utils.parallel import Parallel, delayed

from mkfusion._messages import shown
from mkfusion._types import Floats
from mkfusion.data import read_splits
from mkfusion.fusion.interaction._logistic import fit_logistic, log_loss
from mkfusion.fusion.interaction._terms import Terms

_CHECK_EVERY = 10
_TINY = float(np.finfo(np.float64).tiny)
_MOST_USED = 1000  # coefficients in a Newton step


class GroupFit(NamedTuple):
    """Coefficients of a group lasso.

    Attributes
    ----------
    coef : ndarray of shape (n_terms,)
    parts : ndarray of shape (sum of group sizes,)
        The coefficients in each group, whose sums these are.
    intercept : float
    gap : float
        Duality gap relative to the loss of the intercept alone.
    converged : bool
    n_iter : int
    """

    coef: Floats
    parts: Floats
    intercept: float
    gap: float
    converged: bool
    n_iter: int


class GroupProblem:
    """Mean loss of an intercept and terms plus ``alpha sum_g sqrt(|g|) ||coef_g||``.

    Groups may share terms: such a term has a coefficient in each of its groups, and their sum acts
    [1]_. With a group {a}, a group {b} and a group {a, b, a × b}, the product thus never acts
    without both of its factors [2]_.

    Parameters
    ----------
    terms : ndarray of shape (n_samples, n_terms)
    target : ndarray of shape (n_samples,)
        Numbers, or 0 and 1 for the logistic loss.
    weights : ndarray of shape (n_samples,)
        Non-negative, not all zero.
    groups : sequence of ndarray of int
        The terms of each group.
    logistic : bool
        Whether the loss is logistic rather than half the squared error.

    References
    ----------
    .. [1] Jacob, Obozinski and Vert, "Group lasso with overlap and graph lasso", ICML (2009).
    .. [2] Lim and Hastie, "Learning interactions via hierarchical group-lasso regularization",
       Journal of Computational and Graphical Statistics 24 (2015).
    """

    def __init__(
        self,
        terms: Floats,
        target: Floats,
        weights: Floats,
        groups: Sequence[NDArray[np.intp]],
        *,
        logistic: bool,
    ) -> None:
        self.n_terms = terms.shape[1]
        self.members = np.concatenate(groups)
        self.starts = np.concatenate([[0], np.cumsum([len(group) for group in groups])[:-1]])
        self.sizes = np.array([len(group) for group in groups])
        self.prices = np.sqrt(self.sizes)
        self.shares = weights / weights.sum()
        self.mean = self.shares @ terms
        self.terms = (terms - self.mean)[:, self.members]
        self.target = target
        self.logistic = logistic
        self._positive = float(self.shares @ target)
        # A step of one over the largest curvature never overshoots.
        smaller = self.terms * np.sqrt(self.shares)[:, None]
        gram = smaller @ smaller.T if len(terms) < len(self.members) else smaller.T @ smaller
        last = len(gram) - 1
        top = eigh(gram, eigvals_only=True, subset_by_index=(last, last))[0]
        self.step = 1 / max(float(top) * (0.25 if logistic else 1.0), _TINY)
        self.offset = self._best_intercept(np.zeros(len(terms)), 0.0)
        self.worst = self._loss(np.full(len(terms), self.offset))

    def largest_alpha(self) -> float:
        """Return the least alpha at which all coefficients are zero."""
        gradient = self.terms.T @ self._slope(np.full(len(self.target), self.offset))
        return float((self._norms(gradient) / self.prices).max())

    def solve(
        self, alpha: float, tol: float, max_iter: int, start: GroupFit | None = None
    ) -> GroupFit:
        """Minimise by accelerated proximal gradient steps and Newton steps.

        The former find out which groups are used, and start anew where they go uphill; the latter
        are exact near the optimum, since the norm of a group that is used is smooth.

        Parameters
        ----------
        alpha : float
        tol : float
            Duality gap to reach, relative to the loss of the intercept alone.
        max_iter : int
        start : GroupFit, default=None
            Of another alpha, on the same problem.

        Returns
        -------
        GroupFit
        """
        parts = np.zeros(len(self.members)) if start is None else start.parts.copy()
        ahead, momentum = parts.copy(), 1.0
        intercept, gap, n_iter = self.offset, np.inf, 0
        for n_iter in range(max_iter + 1):
            if n_iter % _CHECK_EVERY == 0 or n_iter == max_iter:
                intercept = self._best_intercept(self.terms @ parts, intercept)
                gap = self._gap(parts, intercept, alpha)
                if gap <= tol * self.worst:
                    break
                better = self._newton_step(parts, intercept, alpha)
                if better is not None:
                    parts, ahead, momentum = better, better.copy(), 1.0
            fit = self.terms @ ahead
            intercept = self._best_intercept(fit, intercept)
            moved = ahead - self.step * (self.terms.T @ self._slope(fit + intercept))
            previous, parts = parts, self._shrink(moved, alpha * self.step)
            if (ahead - parts) @ (parts - previous) > 0:
                ahead, momentum = parts.copy(), 1.0
                continue
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = parts + (momentum - 1) / following * (parts - previous)
            momentum = following
        converged = gap <= tol * self.worst
        coef = np.zeros(self.n_terms)
        np.add.at(coef, self.members, parts)
        gap = gap / self.worst if self.worst > 0 else 0.0
        offset = intercept - float(self.mean @ coef)
        return GroupFit(coef, parts, offset, gap, converged, n_iter)

    def _newton_step(self, parts: Floats, intercept: float, alpha: float) -> Floats | None:
        """Return parts with a lower objective by a Newton step in the groups that are used."""
        norms = self._norms(parts)
        used = np.flatnonzero(np.repeat(norms > 0, self.sizes))
        if not 0 < len(used) <= _MOST_USED:
            return None
        lengths = np.repeat(norms, self.sizes)[used]
        pull = alpha * np.repeat(self.prices, self.sizes)[used] / lengths
        direction = parts[used] / lengths
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)[used]
        columns = self.terms[:, used]
        fit = self.terms @ parts + intercept
        bend = self.shares * (expit(fit) * expit(-fit) if self.logistic else 1.0)
        columns = columns - bend @ columns / bend.sum()  # the intercept follows
        hessian = (columns * bend[:, None]).T @ columns
        tangent = -np.outer(pull * direction, direction) * (group[:, None] == group)
        tangent[np.diag_indices_from(tangent)] += pull
        hessian += tangent
        hessian[np.diag_indices_from(hessian)] += 1e-12 * np.trace(hessian)
        try:
            gradient = self.terms[:, used].T @ self._slope(fit) + pull * parts[used]
            step = cho_solve(cho_factor(hessian), gradient)
        except LinAlgError:
            return None
        now = self._loss(fit) + alpha * float(self.prices @ norms)
        for size in 0.5 ** np.arange(5):
            trial = parts.copy()
            trial[used] -= size * step
            values = self.terms @ trial
            values += self._best_intercept(values, intercept)
            if self._loss(values) + alpha * float(self.prices @ self._norms(trial)) < now:
                return trial
        return None

    def _loss(self, fit: Floats) -> float:
        if self.logistic:
            return log_loss(fit, self.target, self.shares)
        return 0.5 * float(self.shares @ (fit - self.target) ** 2)

    def _slope(self, fit: Floats) -> Floats:
        """Return the derivative of the loss by each fitted value, (n_samples,)."""
        return self.shares * ((expit(fit) if self.logistic else fit) - self.target)

    def _best_intercept(self, fit: Floats, start: float) -> float:
        """Return the intercept that minimises the loss, to which the rest is given."""
        if not self.logistic:
            return float(self.shares @ (self.target - fit))
        intercept = start
        for _ in range(100):
            chance = expit(fit + intercept)
            rest = self.shares * chance
            slope, bend = float(rest.sum()) - self._positive, float(rest @ (1 - chance))
            # A Newton step of at most one never leaves the region where it converges.
            step = max(-1.0, min(1.0, slope / max(bend, _TINY)))
            intercept -= step
            if abs(step) < 1e-8:  # its square is left
                break
        return intercept

    def _norms(self, values: Floats) -> Floats:
        return np.sqrt(np.add.reduceat(values**2, self.starts))

    def _shrink(self, values: Floats, threshold: float) -> Floats:
        """Return the values with the norm of each group less its share of the threshold."""
        norms = self._norms(values)
        kept = np.maximum(1 - threshold * self.prices / np.maximum(norms, 1e-300), 0.0)
        return values * np.repeat(kept, self.sizes)

    def _gap(self, parts: Floats, intercept: float, alpha: float) -> float:
        """Return the objective less its dual at the slopes, shrunk until they are feasible.

        The intercept is the best one, so that they sum to zero as the dual asks.
        """
        fit = self.terms @ parts + intercept
        slope = self._slope(fit)
        reach = (self._norms(self.terms.T @ slope) / self.prices).max()
        factor = min(1.0, alpha / reach) if reach > 0 else 1.0
        primal = self._loss(fit) + alpha * float(self.prices @ self._norms(parts))
        if self.logistic:
            # minus the conjugate of the loss is the entropy of these
            chance = self.target + factor * (expit(fit) - self.target)
            return primal - float(self.shares @ (entr(chance) + entr(1 - chance)))
        error = factor * (self.target - fit)
        dual = float(self.shares @ (error * (self.target - 0.5 * error)))
        return primal - dual


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

    coef: Floats
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
    terms: Floats,
    target: Floats,
    weights: Floats,
    alphas: Floats,
    *,
    logistic: bool,
) -> Iterator[PenalizedFit]:
    """Yield the minimisers of the mean loss plus ``alpha / 2 ||coef||^2`` for several alphas."""
    if not logistic:
        # One decomposition for all strengths
        total, root = float(weights.sum()), np.sqrt(weights)[:, np.newaxis]
        mean, level = weights @ terms / total, float(weights @ target) / total
        left, sizes, right = svd(root * (terms - mean), full_matrices=False, check_finite=False)
        shared = left.T @ (root[:, 0] * (target - level))
        for alpha in alphas:
            shrunk = sizes / (sizes**2 + alpha * total)
            coef = right.T @ (shrunk * shared)
            yield PenalizedFit(coef, level - float(mean @ coef), float(alpha))
        return
    fit = None
    for alpha in alphas:
        fit = ridge_logistic(terms, target, weights, float(alpha), fit)
        yield fit


def ridge_logistic(
    terms: Floats,
    target: Floats,
    weights: Floats,
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
    terms: Floats, target: Floats, weights: Floats, alphas: Floats, penalty: Penalty
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
    terms: Floats,
    target: Floats,
    weights: Floats,
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
    losses_of: Any, target: Floats, weights: Floats, cv: Any, logistic: bool, n_jobs: int | None
) -> tuple[Floats, Floats]:
    """Return candidates' mean loss out of fold, and in each: (n_candidates,), (n_folds, same).

    ``losses_of(train, test)`` gives the candidates' weighted sums of losses on test samples. Folds
    without weight, or without two classes to learn from, have no say.
    """
    n_needed = 2 if logistic else 1
    folds = [
        (train, test)
        for train, test in read_splits(cv, len(target), target, classes=logistic)
        if len(np.unique(target[train][weights[train] > 0])) >= n_needed and weights[test].any()
    ]
    if not folds:
        raise ValueError(
            f"cv={shown(cv)} leaves no fold with targets to learn from; expected more samples, or "
            "other folds."
        )
    found = Parallel(n_jobs=n_jobs)(delayed(losses_of)(train, test) for train, test in folds)
    held_out = np.array([weights[test].sum() for _, test in folds])
    return np.sum(found, axis=0) / held_out.sum(), np.array(found) / held_out[:, None]


def fit_loss(fit: Floats, target: Floats, weights: Floats, logistic: bool) -> float:
    """Return the weighted sum of squared errors or log losses of fitted values (n_samples,)."""
    return log_loss(fit, target, weights) if logistic else float(weights @ (target - fit) ** 2)


def _candidates(terms: Floats, target: Floats, weights: Floats, penalty: Penalty) -> Floats:
    """Return strengths to choose from, the largest first, in units of the data."""
    if penalty.kind == "ridge":
        shares = weights / weights.sum()
        size = float((shares @ (terms - shares @ terms) ** 2).mean())
        return max(size, np.finfo(float).tiny) * np.logspace(3, -4, _N_ALPHAS)
    problem = GroupProblem(terms, target, weights, penalty.groups, logistic=penalty.logistic)
    largest = max(problem.largest_alpha(), np.finfo(float).tiny)
    return largest * np.logspace(0, -3, _N_ALPHAS)
