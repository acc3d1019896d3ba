"""Questions beside the scores: which modality carries it, do they interact, how alike are they."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier

from mkfusion import KernelStack
from mkfusion._survival import martingale_residuals
from mkfusion._types import Floats, Indices, Mask
from mkfusion.compare._data import RefusalError, Samples, refusals, without_advice
from mkfusion.compare._fold_data import FoldData, materialised
from mkfusion.compare._methods import constant_predictor, kernel_machine, scaled_target
from mkfusion.compare._statistics import corrected_t_test, mean_interval
from mkfusion.inspection import (
    AddedInformation,
    InteractionInformation,
    KernelAlignment,
    added_information,
    difference_bounds,
    interaction_information,
    kernel_alignment,
    project_kernels,
    scored_answers,
    shapley_shares,
)
from mkfusion.report import (
    CARRIES,
    WORTH,
    Conditions,
    Contributions,
    Projected,
    Share,
)

Subset = frozenset[int]

# Modalities of which all subsets are fitted: 64 fits in a fold.
MOST_EXACT = 6
# Fits along random orders, for more of them.
_N_FITS = 64
# Samples whose kernels are held at once to align them: 72 MB each.
MOST_ALIGNED = 3000
# Samples that are tested for information if these are too many.
MOST_TESTED = 1500


class Question(NamedTuple):
    """What a method can tell beside its scores.

    Attributes
    ----------
    title : str
        In tables.
    ask : callable
        Of each outer fold: from the fitted model, the values that were chosen, and the samples.
    conclude : callable
        From what it told about all folds, and the conditions.
    """

    title: str
    ask: Callable[[Any, dict[str, Any], FoldData], dict[str, Any]]
    conclude: Callable[[list[dict[str, Any]], Conditions], Any]


# ---------------------------------------------------------------------------- which carries it


class _SubsetScore:
    """Held-out score of a machine that knows some of the modalities.

    Parameters
    ----------
    machine : classifier or regressor
        For one Gram matrix.
    dummy : classifier or regressor
        Knows none.
    data : FoldData
    """

    def __init__(self, machine: Any, dummy: Any, data: FoldData) -> None:
        self.data = data
        self._machine, self._dummy = machine, dummy
        self._part = data.part("alone")
        self._present = data.present()
        self._known: dict[Subset, float] = {}

    def __call__(self, subset: Subset) -> float:
        if subset not in self._known:
            self._known[subset] = self._score(subset)
        return self._known[subset]

    def _score(self, subset: Subset) -> float:
        if not subset:
            part = self.data.part("nothing")
            model = clone(self._dummy).fit(part.train, part.y_train)
            return self.data.score(model, part.test, part.y_test)
        chosen = sorted(subset)
        train, test = (_present_factors(present, chosen) for present in self._present)
        gram = _mean(self._part.train, chosen, train, train)
        model = clone(self._machine).fit(gram, self._part.y_train)
        gram = _mean(self._part.test, chosen, test, train)
        return self.data.score(model, gram, self._part.y_test)


def _present_factors(present: Mask, chosen: list[int]) -> Floats:
    """Return what scales a sample by the share of these modalities that it has."""
    have = present[:, chosen].mean(axis=1)
    # Those that have none of them are at zero whatever the factor.
    return 1.0 / np.sqrt(np.where(have > 0, have, 1.0))


def _mean(
    stack: KernelStack,
    chosen: list[int],
    rows: Floats,
    columns: Floats,
) -> Floats:
    weights = np.zeros(stack.shape[2])
    weights[chosen] = 1 / len(chosen)
    gram = stack.combine(weights) * rows[:, np.newaxis]
    gram *= columns
    return gram


def fold_shapley_values(machine: Any, dummy: Any, data: FoldData, seed: int) -> dict[str, Any]:
    """Share the held-out score of a fold among the modalities by their Shapley values.

    Parameters
    ----------
    machine : classifier or regressor
        For one Gram matrix; not fitted.
    dummy : classifier or regressor
        Knows none; not fitted.
    data : FoldData
    seed : int
        Of the orders, if there are too many modalities for all of their subsets.

    Returns
    -------
    dict
        "nothing" and "together", scores; "shapley", "alone" and "last", lists of n_modalities
        numbers.
    """
    worth = _SubsetScore(machine, dummy, data)
    n = data.part("alone").train.shape[2]
    every, none = frozenset(range(n)), frozenset[int]()
    if n <= MOST_EXACT:
        subsets = [frozenset(some) for size in range(n + 1) for some in combinations(every, size)]
        values = shapley_shares({subset: np.array([worth(subset)]) for subset in subsets}, n)[:, 0]
    else:
        # Other orders in each fold, so that the folds' spread knows of the drawing.
        rng = np.random.default_rng([seed, crc32(data.rows.test.tobytes())])
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


def conclude_contributions(found: list[dict[str, Any]], conditions: Conditions) -> Contributions:
    """Bring the folds together.

    Parameters
    ----------
    found : list of n_folds dict
        What `fold_shapley_values` returned.
    conditions : Conditions

    Returns
    -------
    Contributions
    """
    names = [modality.name for modality in conditions.modalities]
    ratio, confidence = conditions.test_to_train, 1 - conditions.alpha
    bounds = difference_bounds(conditions.metrics[0])
    columns = {key: np.array([one[key] for one in found]) for key in found[0]}
    values = columns["shapley"]
    rows = [
        Share(
            name,
            *mean_interval(by_fold, ratio, confidence, bounds),
            float(columns["alone"][:, m].mean()),
            float(columns["last"][:, m].mean()),
            by_fold,
        )
        for m, (name, by_fold) in enumerate(zip(names, values.T, strict=True))
    ]
    *_, second, first = np.argsort(values.mean(axis=0), kind="stable")
    test = corrected_t_test(values[:, first] - values[:, second], ratio, conditions.alpha)
    # The two were picked, and put in this order, by what is tested.
    n_orders = len(names) * (len(names) - 1)
    total = columns["together"] - columns["nothing"]
    return Contributions(
        rows,
        float(columns["nothing"].mean()),
        float(columns["together"].mean()),
        *mean_interval(total, ratio, confidence, bounds),
        clear=n_orders * test.p_value < conditions.alpha,
        exact=len(names) <= MOST_EXACT,
    )


# ---------------------------------------------------------------------------- do they interact


def score_without_interactions(model: Any, data: FoldData) -> dict[str, float]:
    """Score a machine on the test samples of a fold, and then without its interactions.

    Parameters
    ----------
    model : fitted classifier or regressor
        Takes stacks of one kernel of each modality, in each of which its decision function or
        prediction is affine.
    data : FoldData

    Returns
    -------
    dict
        Scores of "model" and "projection".
    """
    part = data.part("alone")
    n, _, m = part.test.shape
    name = "decision_function" if is_classifier(model) else "predict"

    def respond(grams: list[Floats]) -> Floats:
        return np.asarray(getattr(model, name)(KernelStack(grams))).reshape(len(grams[0]), -1)

    grams = [part.test.gram(k) for k in range(m)]
    projection, _ = project_kernels(respond, grams, range(m), m)
    # Both in the same way, so that nothing but the responses makes a difference.
    return {
        key: data.score(scored_answers(model, values, name), np.arange(n), part.y_test)
        for key, values in (("model", respond(grams)), ("projection", projection))
    }


def conclude_interactions(found: list[dict[str, float]], conditions: Conditions) -> Projected:
    """Test the difference over the folds.

    Parameters
    ----------
    found : list of n_folds dict
        What `score_without_interactions` returned.
    conditions : Conditions

    Returns
    -------
    Projected
    """
    model, projection = (np.array([one[key] for one in found]) for key in ("model", "projection"))
    ratio, alpha = conditions.test_to_train, conditions.alpha
    bounds = difference_bounds(conditions.metrics[0])
    test = corrected_t_test(model - projection, ratio, alpha, bounds)
    return Projected(test, model, projection)


# ---------------------------------------------------------------------------- what they say


class Informed(NamedTuple):
    """What the modalities say of the target, by tests that need no folds.

    Attributes
    ----------
    added : AddedInformation or str
        Or why it was not tested.
    interacting : InteractionInformation or str
        Or why it was not tested.
    """

    added: AddedInformation | str
    interacting: InteractionInformation | str


UNINFORMED: Informed = Informed("not tested", "not tested")


def inform(samples: Samples) -> Informed:
    """Test whether modalities say what the others do not, and whether they interact.

    Parameters
    ----------
    samples : Samples

    Returns
    -------
    Informed
    """
    setting, groups = samples.setting, samples.inner.groups
    if len(setting.modalities) < 2:
        return Informed(*["there is one modality only"] * 2)
    rows = _some_rows(len(samples.y), groups, setting.seed)
    try:
        stack = _all_kernels(samples, rows)
    except RefusalError as error:
        return Informed(str(error), str(error))
    given: dict[str, Any] = {
        "modalities": {m.name: [k] for k, m in enumerate(setting.modalities)},
        "groups": None if groups is None else groups[rows],
        "present": samples.modalities.present()[rows],
        "task": "classification" if setting.classes else "regression",
        "random_state": setting.seed,
    }
    found: list[Any] = []
    for test in (added_information, interaction_information):
        try:
            with refusals(ValueError):
                found.append(test(stack, samples.y[rows], **given))
        except RefusalError as error:
            found.append(str(error))
    return Informed(*found)


def _some_rows(n: int, groups: NDArray[Any] | None, seed: int) -> Indices:
    """Return the samples whose kernels can be held at once: all, or those of random groups."""
    if n <= MOST_ALIGNED:
        return np.arange(n)
    codes = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(codes.max() + 1)
    held = np.cumsum(np.bincount(codes)[order]) <= MOST_TESTED
    held[0] = True
    return np.flatnonzero(np.isin(codes, order[held]))


def _all_kernels(samples: Samples, rows: Indices | slice = slice(None)) -> KernelStack:
    """Return a kernel of each modality alone, learned from all these samples.

    Raises
    ------
    RefusalError
        If they have none.
    """
    setting, some = samples.setting, samples.modalities[rows]
    factors = None
    if setting.lacks:
        # As a modality alone sees them: without the scaling of samples that lack another.
        factors = np.sqrt(some.present().mean(axis=1))
    with refusals(ValueError), without_advice():
        return materialised(setting.kernelizer().fit_transform(some), factors, factors)


# ---------------------------------------------------------------------------- how alike they are


def align(samples: Samples) -> KernelAlignment | str:
    """Measure the alignment of the modalities' kernels.

    Parameters
    ----------
    samples : Samples

    Returns
    -------
    KernelAlignment or str
        Or why there is none.

    Raises
    ------
    RefusalError
        If they have none.
    """
    n, setting = len(samples.y), samples.setting
    if n > MOST_ALIGNED:
        return f"{n} samples are more than {MOST_ALIGNED}, whose kernels would take too much memory"
    names = [modality.name for modality in setting.modalities]
    target = "classes" if setting.classes else "continuous"
    y = samples.y
    if setting.follow_up is not None:
        y = martingale_residuals(y["time"], y["event"])
    stack = _all_kernels(samples)
    with refusals(ValueError):
        return kernel_alignment(stack, y, names=names, target_type=target)


# ---------------------------------------------------------------------------- all of them


def _ask_contributions(model: Any, params: dict[str, Any], data: FoldData) -> dict[str, Any]:
    setting = data.setting
    machine = scaled_target(setting, kernel_machine(setting, params["C"]))
    return fold_shapley_values(machine, constant_predictor(setting), data, setting.seed)


def _ask_interactions(model: Any, params: dict[str, Any], data: FoldData) -> dict[str, Any]:
    return score_without_interactions(model, data)


# By the `question` of a method.
QUESTIONS = {
    "contributions": Question(CARRIES, _ask_contributions, conclude_contributions),
    "interactions": Question(WORTH, _ask_interactions, conclude_interactions),
}
