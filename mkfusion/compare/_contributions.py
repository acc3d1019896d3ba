"""Which modality carries it: a fair share of the score for each."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mkfusion import KernelStack
from mkfusion.compare._statistics import mean_interval, paired_test
from mkfusion.compare._within import Within
from mkfusion.inspection import shapley_shares

if TYPE_CHECKING:
    from mkfusion.compare._records import Conditions


Subset = frozenset[int]

# Modalities of which all subsets are fitted: 64 fits in a fold.
MOST_EXACT = 6
# Fits along random orders, for more of them.
_N_FITS = 64


class Share(NamedTuple):
    """What one modality contributes to the score.

    Attributes
    ----------
    modality : str
    mean, low, high : float
        Shapley value and its confidence interval, in units of the first metric.
    alone : float
        What it scores alone above knowing nothing: what it adds if it comes first.
    last : float
        What it adds to all others.
    by_fold : ndarray of shape (n_folds,)
        Shapley values.
    """

    modality: str
    mean: float
    low: float
    high: float
    alone: float
    last: float
    by_fold: NDArray[np.float64]


class Contributions(NamedTuple):
    """How the score of all modalities is shared among them.

    Attributes
    ----------
    modalities : list of Share
    nothing : float
        Mean score of knowing none of them.
    together : float
        Mean score with all of them: the uniform kernel sum's.
    total, low, high : float
        Their difference, which the Shapley values sum to, and its confidence interval.
    clear : bool
        Whether the largest share is surely the largest: by the test of the comparison, corrected
        for the number of pairs.
    exact : bool
        Whether all subsets were fitted; if not, random orders in each fold.
    """

    modalities: list[Share]
    nothing: float
    together: float
    total: float
    low: float
    high: float
    clear: bool
    exact: bool


class _Worth:
    """Held-out score of a machine that knows some of the modalities.

    Parameters
    ----------
    machine : classifier or regressor
        For one Gram matrix.
    dummy : classifier or regressor
        Knows none.
    within : Within
    """

    def __init__(self, machine: Any, dummy: Any, within: Within) -> None:
        self.within = within
        self._machine, self._dummy = machine, dummy
        self._part = within.part("alone")
        self._present = within.present()
        self._known: dict[Subset, float] = {}

    def __call__(self, subset: Subset) -> float:
        if subset not in self._known:
            self._known[subset] = self._score(subset)
        return self._known[subset]

    def _score(self, subset: Subset) -> float:
        if not subset:
            part = self.within.part("nothing")
            model = clone(self._dummy).fit(part.train, part.y_train)
            return self.within.score(model, part.test, part.y_test)
        chosen = sorted(subset)
        train, test = (_factors(present, chosen) for present in self._present)
        gram = _mean(self._part.train, chosen, train, train)
        model = clone(self._machine).fit(gram, self._part.y_train)
        gram = _mean(self._part.test, chosen, test, train)
        return self.within.score(model, gram, self._part.y_test)


def _factors(present: NDArray[np.bool_], chosen: list[int]) -> NDArray[np.float64]:
    """Return what scales a sample by the share of these modalities that it has."""
    have = present[:, chosen].mean(axis=1)
    # Those that have none of them are at zero whatever the factor.
    return 1.0 / np.sqrt(np.where(have > 0, have, 1.0))


def _mean(
    stack: KernelStack,
    chosen: list[int],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> NDArray[np.float64]:
    weights = np.zeros(stack.shape[2])
    weights[chosen] = 1 / len(chosen)
    gram = stack.combine(weights) * rows[:, np.newaxis]
    gram *= columns
    return gram


def share_out(machine: Any, dummy: Any, within: Within, seed: int) -> dict[str, Any]:
    """Share the held-out score of a fold among the modalities.

    Parameters
    ----------
    machine : classifier or regressor
        For one Gram matrix; not fitted.
    dummy : classifier or regressor
        Knows none; not fitted.
    within : Within
    seed : int
        Of the orders, if there are too many modalities for all of their subsets.

    Returns
    -------
    dict
        "nothing" and "together", scores; "shapley", "alone" and "last", lists of n_modalities
        numbers.
    """
    worth = _Worth(machine, dummy, within)
    n = within.part("alone").train.shape[2]
    every, none = frozenset(range(n)), frozenset[int]()
    if n <= MOST_EXACT:
        subsets = [frozenset(some) for size in range(n + 1) for some in combinations(every, size)]
        values = shapley_shares({subset: np.array([worth(subset)]) for subset in subsets}, n)[:, 0]
    else:
        # Other orders in each fold, so that the folds' spread knows of the drawing.
        rng = np.random.default_rng([seed, crc32(within.rows.test.tobytes())])
        values, n_pairs = np.zeros(n), max(1, _N_FITS // (2 * n))
        for _ in range(n_pairs):
            order = rng.permutation(n).tolist()
            for one in (order, order[::-1]):
                for i, m in enumerate(one):
                    before = frozenset(one[:i])
                    values[m] += (worth(before | {m}) - worth(before)) / (2 * n_pairs)
    return {
        "nothing": worth(none),
        "together": worth(every),
        "shapley": values.tolist(),
        "alone": [worth(frozenset({m})) - worth(none) for m in range(n)],
        "last": [worth(every) - worth(every - {m}) for m in range(n)],
    }


def sum_up(found: list[dict[str, Any]], conditions: Conditions) -> Contributions:
    """Bring the folds together.

    Parameters
    ----------
    found : list of n_folds dict
        What `share_out` returned.
    conditions : Conditions

    Returns
    -------
    Contributions
    """
    names = [modality.name for modality in conditions.modalities]
    ratio, confidence = conditions.test_to_train, 1 - conditions.alpha
    columns = {key: np.array([one[key] for one in found]) for key in found[0]}
    values = columns["shapley"]
    rows = [
        Share(
            name,
            *mean_interval(by_fold, ratio, confidence),
            float(columns["alone"][:, m].mean()),
            float(columns["last"][:, m].mean()),
            by_fold,
        )
        for m, (name, by_fold) in enumerate(zip(names, values.T, strict=True))
    ]
    *_, second, first = np.argsort(values.mean(axis=0), kind="stable")
    test = paired_test(conditions.test, values[:, first] - values[:, second], ratio, confidence)
    # The two were picked by what is tested.
    n_pairs = len(names) * (len(names) - 1) / 2
    total = columns["together"] - columns["nothing"]
    return Contributions(
        rows,
        float(columns["nothing"].mean()),
        float(columns["together"].mean()),
        *mean_interval(total, ratio, confidence),
        clear=n_pairs * test.p_value < conditions.alpha,
        exact=len(names) <= MOST_EXACT,
    )
