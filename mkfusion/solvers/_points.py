"""Dual points that are known, as the search for the best few of the kernels keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mkfusion._types import Floats, Indices, Stack
from mkfusion.solvers._svm import Task

# Dual points that are kept, by the numbers that their table may have.
_MOST_POINTS, _FEWEST_POINTS, _TABLE = 256, 64, 2**24
# Share of the sizes of its terms that rounding may take from a dual value.
ROUNDING_SHARE = 1e-13


class DualPoints:
    """Dual points that are feasible for every choice of kernels, and the forms between them.

    Parameters
    ----------
    stack : Stack
        Kernels (n, n, m).
    tasks : sequence of Task
        Those that share weights.
    """

    def __init__(self, stack: Stack, tasks: Sequence[Task]) -> None:
        n, _, m = stack.shape
        self._stack = stack
        self._tasks = tasks
        most = _TABLE // ((m + 1) * _FEWEST_POINTS)
        self._most = int(np.clip(most, _FEWEST_POINTS, _MOST_POINTS))
        self._ridge = np.array([task.ridge() for task in tasks])
        self._ridge[~np.isfinite(self._ridge)] = 0.0  # samples of no price have no dual variable
        self._beta = np.zeros((self._most, len(tasks), n))
        self._gains = np.zeros(self._most)
        self._table = np.zeros((m + 1, self._most, self._most))
        self._seen = np.zeros(self._most, dtype=np.intp)
        self._clock = 0
        self.count = 0

    @property
    def gains(self) -> Floats:
        return self._gains[: self.count]

    @property
    def table(self) -> Floats:
        return self._table[:, : self.count, : self.count]

    def combine(self, w: Floats) -> Floats:
        """Return a combination (n_tasks, n), and remember whose it is."""
        self._clock += 1
        used = np.flatnonzero(w)
        self._seen[used] = self._clock
        flat = w[used] @ self._beta[used].reshape(used.size, -1)
        return flat.reshape(self._beta.shape[1:])

    def look(self, beta: Floats, kernels: Indices) -> tuple[float, Floats, float]:
        """Return what a dual point (n_tasks, n) gains, its forms and its ridge.

        The forms (m,) are those of some kernels, and 0 for the others.
        """
        products = np.zeros((len(beta), self._stack.shape[2], beta.shape[1]))
        self._stack.add_dot(beta, products, kernels)
        forms = np.zeros(self._stack.shape[2])
        for product, own in zip(products, beta, strict=True):
            forms[kernels] += product[kernels] @ own
        np.maximum(forms, 0.0, out=forms)
        ridge = float((self._ridge * beta * beta).sum())
        return self._gain(beta, ridge), forms, ridge

    def _gain(self, beta: Floats, ridge: float) -> float:
        """Return what a dual point gains before forms and ridge, and no more after rounding."""
        gain = sum(task.gain(own) for task, own in zip(self._tasks, beta, strict=True))
        sizes = sum(
            np.abs(task.y) @ np.abs(own) for task, own in zip(self._tasks, beta, strict=True)
        )
        return float(gain + 0.5 * ridge - ROUNDING_SHARE * float(sizes))

    def add(self, beta: Floats) -> tuple[float, Floats, float]:
        """Add a dual point (n_tasks, n); return what it gains, its forms and its ridge."""
        if self.count == self._most:
            self._forget()
        self._clock += 1
        new = self.count
        products = np.zeros((len(beta), self._stack.shape[2], beta.shape[1]))
        self._stack.add_dot(beta, products)
        known = self._beta[: new + 1]
        known[new] = beta
        row = self._table[:, new, : new + 1]
        flat = known.reshape(new + 1, -1).T
        row[:-1] = products.transpose(1, 0, 2).reshape(len(row) - 1, -1) @ flat
        row[-1] = (self._ridge * beta).reshape(-1) @ flat
        self._table[:, : new + 1, new] = row
        forms = np.maximum(row[:-1, new], 0.0)
        ridge = float(row[-1, new])
        self._gains[new] = gain = self._gain(beta, ridge)
        self._seen[new] = self._clock
        self.count += 1
        return gain, forms, ridge

    def _forget(self) -> None:
        """Keep the half that was of use last."""
        kept = np.sort(np.argsort(-self._seen, kind="stable")[: self._most // 2])
        size = len(kept)
        self._beta[:size] = self._beta[kept]
        self._gains[:size] = self._gains[kept]
        self._table[:, :size, :size] = self._table[:, kept][:, :, kept]
        self._seen[:size] = self._seen[kept]
        self.count = size
