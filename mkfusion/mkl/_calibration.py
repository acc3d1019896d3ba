"""Probabilities of classes from decision values of samples held out, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion._sigmoids import class_chances, class_logits
from mkfusion._types import Floats, Indices

# Chances below count as this one, as a class that no fold has learned has none at all.
_LEAST = 1e-6


class HeldOut(NamedTuple):
    """What the models of all folds say of the samples held out, one fold after the other.

    Attributes
    ----------
    decisions : ndarray of shape (n_ps, n_Cs, n_held_out, n_columns)
        One column of two classes, or one for each of more.
    y : ndarray of shape (n_held_out,)
        Class labels.
    weights : ndarray of shape (n_held_out,) or None
        How much each counts.
    starts : ndarray of shape (n_folds + 1,)
        Where each fold begins, and the last one ends.
    classes : ndarray of shape (n_classes,)
    """

    decisions: Floats
    y: NDArray[Any]
    weights: Floats | None
    starts: Indices
    classes: NDArray[Any]

    @classmethod
    def of(
        cls,
        parts: Sequence[tuple[Floats, NDArray[Any]]],
        y: Sequence[NDArray[Any]],
        weights: Sequence[Floats] | None,
        classes: NDArray[Any],
    ) -> HeldOut:
        """Put together what folds say, each of the classes that it has learned.

        Parameters
        ----------
        parts : sequence of (decisions, classes) pairs
            Of shapes (n_ps, n_Cs, n_test, n_tasks) and (n_classes_of_fold,).
        y, weights : sequences of ndarray of shape (n_test,)
        classes : ndarray of shape (n_classes,)
        """
        decisions = np.concatenate([_spread(*part, classes) for part in parts], axis=2)
        # Of a class that a fold has not learned it says the least that is said by any.
        least = np.nanmin(decisions, axis=2, keepdims=True, initial=0.0)
        decisions = np.where(np.isnan(decisions), least, decisions)
        together = None if weights is None else np.concatenate(weights)
        starts = np.cumsum([0, *map(len, y)])
        return cls(decisions, np.concatenate(y), together, starts, classes)

    def curves(self, i: int, j: int, *, offsets: bool = True) -> Floats:
        """Return slopes and offsets (n_columns, 2) of logits, for p number i and C number j."""
        codes = np.searchsorted(self.classes, self.y)
        return class_logits(self.decisions[i, j], codes, self.weights, offsets=offsets)

    def scores(self, *, offsets: bool) -> Floats:
        """Return minus the mean log loss of probabilities (n_ps, n_Cs, n_folds).

        Without offsets these say the class that decision values say, so that values that rank
        samples well and have no good threshold do not pass for good ones.
        """
        n_ps, n_costs, n_held_out, _ = self.decisions.shape
        codes = np.searchsorted(self.classes, self.y)
        weights = np.ones(n_held_out) if self.weights is None else self.weights
        firsts = self.starts[:-1]
        totals = np.add.reduceat(weights, firsts)
        found = np.empty((n_ps, n_costs, len(firsts)))
        for i, j in np.ndindex(n_ps, n_costs):
            curves = self.curves(i, j, offsets=offsets)
            said = class_chances(curves, self.decisions[i, j])
            logs = np.log(np.maximum(said[np.arange(n_held_out), codes], _LEAST))
            sums = np.add.reduceat(weights * logs, firsts)
            found[i, j] = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0.0)
        return found


def _spread(decisions: Floats, here: NDArray[Any], classes: NDArray[Any]) -> Floats:
    """Return decision values of some classes in the columns of all, NaN for the others."""
    if len(classes) == len(here):
        return decisions
    if len(here) == 2:
        decisions = np.concatenate([-decisions, decisions], axis=3)
    wide = np.full((*decisions.shape[:3], len(classes)), np.nan)
    wide[..., np.searchsorted(classes, here)] = decisions
    return wide
