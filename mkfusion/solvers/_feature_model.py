"""Weights and functions that suit a quadratic model of the losses, in the space of the features.

The losses of all tasks together, as functions of the coefficients u of their features, are about
``-q_u' u + u' A_u u / 2``. With the regulariser ``sum_k ||u_k||**2 / (2 d_k)`` and that of the
weights d this is multiple kernel learning on as many samples as there are features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mkfusion._types import Floats, Indices
from mkfusion.solvers._limits import Deadline
from mkfusion.solvers._svm import ridged_cholesky
from mkfusion.solvers._weights import Regulariser

_MOST_STEPS, _MOST_HALVINGS = 50, 6
_LEAST_RIDGE = 1e-16


class _At(NamedTuple):
    """The best functions of some weights.

    Attributes
    ----------
    d, g : ndarray of shape (m,)
        Weights, and what their regulariser weighs them against: the squared lengths of the
        gradients of the losses.
    u : ndarray of shape (n_tasks, R)
        Coefficients.
    value, gap : float
        Of the model, and how much better other weights may be.
    H : ndarray of shape (m, m)
        Second derivatives in the weights.
    """

    d: Floats
    g: Floats
    u: Floats
    value: float
    gap: float
    H: Floats


class Model:
    """A quadratic model.

    Parameters
    ----------
    starts : ndarray of shape (m + 1,)
        Columns ``starts[k]:starts[k + 1]`` belong to kernel k.
    reg : Regulariser
    q : ndarray of shape (n_tasks, R)
    A : list of n_tasks ndarray of shape (R, R)
        Positive semi-definite.
    """

    def __init__(self, starts: Indices, reg: Regulariser, q: Floats, A: list[Floats]) -> None:
        self._sizes = np.diff(starts)
        self._kernel = np.repeat(np.arange(self._sizes.size), self._sizes)
        self._reg = reg
        self._q = q
        self._A = A

    def minimise(self, d: Floats, tol: float, deadline: Deadline) -> tuple[Floats, Floats]:
        """Return better weights, and the functions (n_tasks, R) that are best with them.

        Parameters
        ----------
        d : ndarray of shape (m,)
            Weights to begin with.
        tol : float
            Suboptimality to stop at.
        deadline : Deadline
            What is best when it passes is returned.
        """
        at = self._at(d)
        for _ in range(_MOST_STEPS):
            if at is None or self._reg.fixed or at.gap <= tol or deadline.passed:
                break
            goal = self._reg.step(at.d, at.g, at.H, 0.1 * tol)
            for halving in range(_MOST_HALVINGS):
                new = self._at(self._reg.between(at.d, goal, 0.5**halving))
                if new is not None and new.value < at.value:
                    break
            else:
                new = self._at(self._reg.contract(at.d, at.g))
                if new is None or not new.value < at.value:
                    break
            at = new
        if at is None:
            return d, np.repeat(d, self._sizes) * self._q
        return at.d, at.u

    def _at(self, d: Floats) -> _At | None:
        """Return the best functions of weights d; None if rounding is in the way."""
        m = d.size
        columns = np.repeat(d, self._sizes)
        used = np.flatnonzero(columns)
        roots = np.sqrt(columns[used])
        value = self._reg.primal(d)
        u, g, H = np.zeros_like(self._q), np.zeros(m), np.zeros((m, m))
        for own, q, A in zip(u, self._q, self._A, strict=True):
            B = A[np.ix_(used, used)] * (roots[:, np.newaxis] * roots)
            B.flat[:: len(B) + 1] += 1.0
            factor = ridged_cholesky(B, _LEAST_RIDGE)
            if factor is None:
                return None
            right = roots * q[used]
            w = factor.solve(right.copy())
            own[used] = roots * w
            value -= 0.5 * float(right @ w)
            v = q - A[:, used] @ own[used]
            g += np.bincount(self._kernel, v * v, minlength=m)
            # With the gradients of each kernel as columns of V, this is
            # V' (A - A S (I + S A S)^-1 S A) V, S the roots of the weights.
            V = np.zeros((v.size, m))
            V[np.arange(v.size), self._kernel] = v
            AV = A @ V
            across = roots[:, np.newaxis] * AV[used]
            H += V.T @ AV - across.T @ factor.solve(across.copy(order="F"))
        gap = self._reg.primal(d) + self._reg.conjugate(g) - 0.5 * float(d @ g)
        return _At(d, g, u, value, gap, 0.5 * (H + H.T))
