"""The pieces that a comparison consists of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mkfusion.compare._features import Described
from mkfusion.compare._folds import Fold
from mkfusion.compare._methods import Method
from mkfusion.compare._statistics import PairedTest


class Conditions(NamedTuple):
    """Under which conditions methods were compared.

    Attributes
    ----------
    task : {"classification", "regression"}
    y : ndarray of shape (n_samples,)
    modalities : list of Described
    folds : list of Fold
    n_groups : int or None
    outer, inner : str
        The splitters.
    metrics : list of str
    methods : list of Method
    test : {"corrected_t", "wilcoxon"}
    alpha : float
    fast : bool
    seed : int
    """

    task: str
    y: NDArray[Any]
    modalities: list[Described]
    folds: list[Fold]
    n_groups: int | None
    outer: str
    inner: str
    metrics: list[str]
    methods: list[Method]
    test: str
    alpha: float
    fast: bool
    seed: int

    @property
    def test_to_train(self) -> float:
        """Test samples of a fold for each training sample of it."""
        return float(np.mean([len(test) / len(train) for train, test in self.folds]))


class Summary(NamedTuple):
    """A method's scores over all folds.

    Attributes
    ----------
    method : str
    kind : {"baseline", "single", "fusion", "chosen"}
        The last is one of several, chosen anew within the training samples of each fold.
    means, lows, highs : dict of str to float
        By metric: mean score, and its confidence interval.
    seconds : float
        Of all folds.
    n_unconverged : int
        Fits that warned that they did not converge.
    """

    method: str
    kind: str
    means: dict[str, float]
    lows: dict[str, float]
    highs: dict[str, float]
    seconds: float
    n_unconverged: int


class Comparison(NamedTuple):
    """A fusion method beside what it should beat.

    Attributes
    ----------
    method : str
    reference : str
    test : PairedTest
        Differences of the first metric.
    p_adjusted : float
        By Holm's method, within the comparisons with the same reference.
    verdict : {"fusion helps", "no evidence that it does", "hurts"}
    """

    method: str
    reference: str
    test: PairedTest
    p_adjusted: float
    verdict: str
