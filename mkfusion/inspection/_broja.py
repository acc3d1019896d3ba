"""The certified convex programme behind unique information (BROJA: Bertschinger et al.)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from mkfusion._types import Floats

# Nats that the information may lie above its minimum.
GAP = 1e-8
MAX_ITER = 500
# Factor of the barrier between two systems that are solved.
_SHRINK = 0.15
# Newton decrement, squared and halved, at which a point is on the central path.
_CENTRED = 1e-6
# Ridge of the normal equations, one of which (for each value of the target) follows from the rest.
_RIDGE = 1e-12
# Sweeps that restore the marginals to the last digits.
_SWEEPS = 50


class CoupledInformation(NamedTuple):
    """Outcome of :func:`couple`.

    Attributes
    ----------
    information : float
        Smallest I_q(A, B; Y), in nats.
    gap : float
        Nats by which it can be above the minimum, at most.
    joint : ndarray of shape (n_a, n_b, n_y)
        The distribution q that has it.
    n_iter : int
    converged : bool
        Whether the gap is within GAP.
    """

    information: float
    gap: float
    joint: Floats
    n_iter: int
    converged: bool


def mutual_information(joint: Floats) -> float:
    """Return the mutual information of rows and columns, in nats.

    Parameters
    ----------
    joint : ndarray of shape (n_rows, n_columns)
        Probabilities.

    Returns
    -------
    float
    """
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    some = joint > 0.0
    return float(np.sum(joint[some] * np.log(joint[some] / expected[some])))


def couple(joint: Floats) -> CoupledInformation:
    """Find the joint distribution of A, B and Y that leaves out what A and B know only together.

    Minimises I_q(A, B; Y) over all q with q(a, y) = p(a, y) and q(b, y) = p(b, y) (Bertschinger et
    al., equation 5): with Y's marginal fixed, minus the conditional entropy H_q(Y | A, B). Its dual
    is a geometric programme in the marginals' multipliers u and v,

        max sum p(a, y) u(a, y) + sum p(b, y) v(b, y)
        subject to S(a, b) = sum_y exp(u(a, y) + v(b, y)) <= 1 for all a, b,

    which is solved by Newton steps on ``- objective / mu - sum log(1 - S)`` with falling mu. At the
    minimum of each, ``q(a, b, y) = mu exp(u + v) / (1 - S)`` has the right marginals, and bounds
    the optimum from the other side.

    Parameters
    ----------
    joint : ndarray of shape (n_a, n_b, n_y)
        Probabilities p that sum to 1.

    Returns
    -------
    CoupledInformation
    """
    with_a, with_b = joint.sum(axis=1), joint.sum(axis=0)  # (a, y), (b, y)
    target = joint.sum(axis=(0, 1))
    free = (with_a[:, np.newaxis] * with_b) > 0.0
    goal = np.concatenate([with_a, with_b])
    n_a, n_y = with_a.shape
    entropy = -float(np.sum(target[target > 0.0] * np.log(target[target > 0.0])))

    def at(point: Floats) -> tuple[Floats, Floats]:
        terms = np.where(free, np.exp(point[:n_a, np.newaxis] + point[n_a:]), 0.0)
        return terms, terms.sum(axis=2)

    def barrier(point: Floats, sums: Floats) -> float:
        return -float((goal * point).sum()) / mu - float(np.log1p(-sums).sum())

    mu = 1.0
    # S = 1 / e: inside.
    point = np.full(goal.shape, -0.5 * (np.log(n_y) + 1.0))
    best = CoupledInformation(np.inf, np.inf, joint, 0, False)
    for n_iter in range(1, MAX_ITER + 1):
        terms, sums = at(point)
        scaled = terms / (1.0 - sums)[..., np.newaxis]
        slope = np.concatenate([scaled.sum(axis=1), scaled.sum(axis=0)]) - goal / mu
        try:
            direction = -_solve(scaled, slope)
        except LinAlgError:  # only rounding is left of the Hessian
            break
        decrement = -float((slope * direction).sum())
        if decrement <= 2.0 * _CENTRED:
            q = _with_marginals(mu * scaled, with_a, with_b)
            information = entropy + _minus_entropy(q)
            bound = entropy + float((goal * point).sum())
            best = CoupledInformation(information, information - bound, q, n_iter, False)
            if best.gap <= GAP:
                return best._replace(converged=True)
            mu *= _SHRINK
            continue
        step, value = 1.0, barrier(point, sums)
        while step > 1e-12:
            trial = point + step * direction
            trial_sums = at(trial)[1]
            if (
                trial_sums.max() < 1.0
                and barrier(trial, trial_sums) <= value - 0.1 * step * decrement
            ):
                break
            step *= 0.5
        else:  # nothing is gained any more but by rounding
            break
        point = trial
    return best


def _minus_entropy(q: Floats) -> float:
    """Return -H(Y | A, B)."""
    pairs = np.broadcast_to(q.sum(axis=2, keepdims=True), q.shape)
    some = q > 0.0
    return float(np.sum(q[some] * np.log(q[some] / pairs[some])))


def _solve(scaled: Floats, slope: Floats) -> Floats:
    """Solve with the barrier's Hessian, of which each pair (a, b) adds ``diag(e) + e e'``."""
    n_a, n_b, n_y = scaled.shape
    blocks = scaled[..., :, np.newaxis] * scaled[..., np.newaxis, :]
    index = np.arange(n_y)
    blocks[..., index, index] += scaled
    system = np.zeros((n_a + n_b, n_y, n_a + n_b, n_y))
    a, b = np.arange(n_a), n_a + np.arange(n_b)
    system[a, :, a] = blocks.sum(axis=1)
    system[b, :, b] = blocks.sum(axis=0)
    system[:n_a, :, n_a:] = blocks.transpose(0, 2, 1, 3)
    system[n_a:, :, :n_a] = blocks.transpose(1, 2, 0, 3)
    matrix = system.reshape(slope.size, slope.size)
    diagonal = np.diagonal(matrix).copy()
    scale = np.where(diagonal > 0.0, np.sqrt(diagonal), 1.0)
    matrix = matrix / np.outer(scale, scale)
    matrix.flat[:: slope.size + 1] = 1.0 + _RIDGE
    solution = cho_solve(cho_factor(matrix), slope.ravel() / scale) / scale
    return np.asarray(solution).reshape(slope.shape)


def _with_marginals(q: Floats, with_a: Floats, with_b: Floats) -> Floats:
    """Scale q to its marginals, which it has but for rounding."""
    for _ in range(_SWEEPS):
        for axis, wanted in ((1, with_a), (0, with_b)):
            found = q.sum(axis=axis)
            ratio = np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0.0)
            q = q * np.expand_dims(ratio, axis)
        if np.abs(q.sum(axis=1) - with_a).max() < 1e-15:
            break
    return q
